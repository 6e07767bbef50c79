"""Notebook cells to MyST: pure functions, one job each, tested by tests/test_converter.py.

The notebooks are written for Jupyter and nbdev (and stay readable by Quarto): `#|` cell options, Quarto callouts, links to
`01_softmax.ipynb`. Sphinx with myst-nb wants tags and metadata, MyST admonitions, and pages called `softmax`.
"""
import ast, re
from functools import cache
from html import escape
from pathlib import PurePosixPath

# ---------------------------------------------------------------------------------------------------- names and slugs

def page_name(path):
    "The page of a notebook: `nbs/01_softmax.ipynb` is `softmax`, as nbdev names it; `41_digits` is experiments_digits"
    stem = PurePosixPath(path).stem.lower()
    room = "experiments_" if re.match(r"4[0-8]_", stem) else ""
    return room + re.sub(r"^\d+[a-zA-Z0-9]*_", "", stem)


def slug(title):
    "The anchor of a heading: lower case, blanks to hyphens, dots and underscores kept (`Linear.forward` is linear.forward)"
    return re.sub(r"[^\w.\- ]", "", title.strip().lower()).replace(" ", "-")


# -------------------------------------------------------------------------------------------------------- cell options

def split_options(source):
    """The `#|` lines at the head of a cell as a dict, and the code below them.

    A bare word maps to its arguments; a line that begins with three blanks goes on with the value of the line above."""
    options, lines, last = {}, source.splitlines(), None
    while lines and (not lines[0].strip() or lines[0].lstrip().startswith("#|")):
        line = lines.pop(0).strip()[2:]
        if not line.strip(): continue
        if last and line.startswith("   "): options[last] += " " + line.strip()
        elif m := re.match(r"\s*([\w-]+)\s*:\s*(.*)", line): options[last := m[1]] = m[2].strip()
        else: options[line.split()[0]], last = " ".join(line.split()[1:]), None
    return {k: v.strip("\"'") for k, v in options.items()}, "\n".join(lines).rstrip()


parsed = cache(ast.parse)  # a tree that is read and never changed


def defined_names(code):
    "Dotted names that a cell defines: functions, classes with their methods, methods added by @patch, plain assignments"
    names = []
    for node in parsed(code).body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)): names.append(_patched(node) or node.name)
        elif isinstance(node, ast.ClassDef):
            names.append(node.name)
            names += [f"{node.name}.{o.name}" for o in node.body if isinstance(o, (ast.FunctionDef, ast.AsyncFunctionDef))]
        elif isinstance(node, ast.Assign): names += [ast.unparse(o) for t in node.targets for o in (t.elts if isinstance(t, ast.Tuple) else [t])
            if not isinstance(o, (ast.Subscript, ast.Starred))]
    return names


def _patched(function):
    "`RunDir.log` for `@patch def log(self:RunDir)`, else None"
    for o in function.decorator_list:
        decorator = o.func if isinstance(o, ast.Call) else o
        if getattr(decorator, "id", None) == "patch" and function.args.args and function.args.args[0].annotation:
            return f"{ast.unparse(function.args.args[0].annotation)}.{function.name}"


def only_imports(code):
    "True for a cell that does nothing but import"
    try: body = parsed(code).body
    except SyntaxError: return False  # a magic of a notebook being written
    return bool(body) and all(isinstance(o, (ast.Import, ast.ImportFrom)) for o in body)


def is_hidden(options, code):
    "True for a cell that the site leaves out"
    return "hide" in options or options.get("include") == "false" or not code.strip()


def is_folded(options, code):
    "True for a cell whose code is folded away: its directive says so, or it only imports"
    return options.get("code-fold") == "true" or only_imports(code) or _only_checks(options, code)


def _only_checks(options, code):
    "True for a cell that builds nothing but the checks of exercises"
    if "exporti" not in options: return False
    names = [o for o in defined_names(code) if "." not in o]
    return bool(names) and all(o.startswith("check_") for o in names)


def fold_summary(options, code):
    "What a fold holds, in a few words: `Imports`, `Solution`, or names and number of lines"
    if "code-summary" in options: return options["code-summary"]
    exported = {"export", "exports", "exporti"} & set(options)
    if only_imports(code): return "Imports of the module" if exported else "Imports"
    if not exported and re.search(r"^(?:print\()?check_\w+\(", code, re.M): return "Solution"
    defs = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    names = [_patched(o) or o.name for o in parsed(code).body if isinstance(o, defs)]
    names = list(dict.fromkeys(names or (defined_names(code) if exported else [])))
    if len(names) > 3: names[2:] = [f"{len(names) - 2} more"]
    what = " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]])) or "the code"
    n = code.count("\n") + 1
    return f"Show {what}, {n} line" + "s"*(n > 1)


def code_metadata(options, code):
    "myst-nb's cell metadata (tags, prompts, alt text) for a cell's options"
    tags, mystnb = [], {}
    if {"export", "exports", "exporti"} & set(options): tags.append("exported")
    if options.get("echo") == "false": tags.append("remove-input")
    elif is_folded(options, code):
        tags.append("hide-input")
        summary = fold_summary(options, code)
        mystnb.update(code_prompt_show=summary, code_prompt_hide=re.sub("^Show ", "Hide ", summary))
    if options.get("output") == "false": tags.append("remove-output")
    if "fig-alt" in options: mystnb["image"] = dict(alt=options["fig-alt"])
    return dict(tags=tags, **(dict(mystnb=mystnb) if mystnb else {}))


# ------------------------------------------------------------------------------------------------------------ markdown

_FENCE = re.compile(r"^ *(```+|~~~+)")


def map_text(source, f):
    "Apply `f` to each stretch of markdown that lies outside code fences"
    out, block, fence = [], [], None
    for line in source.splitlines():
        m = _FENCE.match(line)
        if fence is None and m:
            if block: out.append(f("\n".join(block)))
            block, fence = [line], m[1]
        elif fence is not None:
            block.append(line)
            if m and m[1].startswith(fence) and not line.strip().strip(fence[0]):
                out.append("\n".join(block))
                block, fence = [], None
        else: block.append(line)
    if block: out.append("\n".join(block) if fence else f("\n".join(block)))
    return "\n".join(out)


_CALLOUT = re.compile(r"^(:::+)\s*\{\s*\.callout-(note|tip|warning|important|caution)\b([^}]*)\}\s*$")


def convert_callouts(source):
    "Quarto's `::: {.callout-note}` blocks as MyST admonitions; a title may stand in the braces or as a first heading"
    out, lines, fence = [], source.splitlines(), None
    while lines:
        line = lines.pop(0)
        if m := _FENCE.match(line): fence = m[1] if fence is None else None if m[1].startswith(fence) else fence
        callout = _CALLOUT.match(line) if fence is None else None
        if not callout: out.append(line); continue
        colons, kind, options = callout.groups()
        if not any(re.match(rf"{colons}\s*$", o) for o in lines): raise ValueError(f"a callout without an end: {line}")
        while lines and not lines[0].strip(): lines.pop(0)
        title = m[1] if (m := re.search(r'title\s*=\s*"([^"]*)"', options)) else None
        if title is None and (m := re.match(r"#+\s+(.*)", lines[0])): title = m[1]; lines.pop(0)
        folded = " dropdown" if re.search(r'collapse\s*=\s*"?true', options) else ""
        out += [f"{colons}{{admonition}} {title or kind.capitalize()}", f":class: {kind}{folded}", ""]
    return "\n".join(out)


_LINK = re.compile(r"(?<!\\)(!?\[(?:[^\[\]]|\[[^\]]*\])*\])\(([^()\s]+)\)")


def map_links(source, f):
    "Replace the target of every markdown link and image outside code by `f(target)`"
    def text(block):
        keep = []  # code spans that look like a link are set aside
        def aside(m):
            if "](" not in m[0]: return m[0]
            keep.append(m[0])
            return f"\0{len(keep) - 1}\0"
        block = re.sub(r"(`+)(?!`).+?(?<!`)\1(?!`)", aside, block)
        block = _LINK.sub(lambda m: f"{m[1]}({f(m[2])})", block)
        return re.sub("\0(\\d+)\0", lambda m: keep[int(m[1])], block)
    return map_text(source, text)


def site_link(target, doc_url, pages, missing=None):
    """Where a link of a notebook leads on the site.

    `01_softmax.ipynb#Why-log` is `softmax.ipynb#why-log`; an absolute link into the site itself becomes relative; anything
    else stays. A notebook that the site does not hold goes through `missing`, and without that is an error."""
    if target.startswith(doc_url):
        page, _, anchor = target[len(doc_url):].lstrip("/").partition("#")
        page = page.removesuffix(".html")
    elif re.match(r"[a-z]+:", target): return target
    elif target.startswith("#"): return "#" + slug(target[1:])
    else:
        path, _, anchor = target.partition("#")
        if not path.endswith(".ipynb"): return target
        page = page_name(path)
    if page in pages: return f"{page}.ipynb" + (f"#{slug(anchor)}" if anchor else "")
    if missing: return missing(target)
    raise ValueError(f"a link to a page that is not there: {target}")


_NAME = re.compile(r"(?<![`\[\\])`([A-Za-z_][\w.]*)(\(\))?`(?![`\]])")
_SPAN = re.compile(r"(`+)(?!`).+?(?<!`)\1(?!`)", re.S)
_HEADING = re.compile(r"^ {0,3}#+ .*$", re.M)


def _set_aside(block, patterns, f):
    "Apply `f` to a stretch of markdown without touching what matches one of the patterns"
    keep = []
    def aside(m): keep.append(m[0]); return f"\0{len(keep) - 1}\0"
    for o in patterns: block = o.sub(aside, block)
    block = f(block)
    while "\0" in block: block = re.sub("\0(\\d+)\0", lambda m: keep[int(m[1])], block)
    return block


def link_names(source, lookup):
    """Link each backticked name that `lookup` knows (it gives a target or None).

    Names in headings, in link texts and in code fences stay as they are."""
    def name(m): return f"[{m[0]}]({target})" if (target := lookup(m[1])) else m[0]
    def text(block): return _set_aside(block, (_LINK, _HEADING), lambda o: _NAME.sub(name, o))
    return map_text(source, text)


_LESSON = re.compile(r"\b[Ll]essons?\s+\d\d\b(?:(?:,|,? and| to| or)\s+\d\d\b)*")


def link_lessons(source, lookup):
    """Link each "lesson 05" that `lookup` knows (it gives a target or None for "05"), and each of "lessons 05 and 07".

    Headings, link texts and code stay as they are."""
    def number(m): return f"[{m[0]}]({target})" if (target := lookup(m[0][-2:])) else m[0]
    def lesson(m): return re.sub(r"[Ll]esson\s+\d\d|\d\d", number, m[0])
    def text(block): return _set_aside(block, (_LINK, _SPAN, _HEADING), lambda o: _LESSON.sub(lesson, o))
    return map_text(source, text)


def split_title(source):
    "Title, subtitle and the rest of a first cell: `# Title`, then a `> subtitle`"
    lines = [o for o in source.strip().splitlines()]
    if not lines or not lines[0].startswith("# "): raise ValueError("the first cell has to begin with `# Title`")
    title, rest = lines[0][2:].strip(), lines[1:]
    while rest and not rest[0].strip(): rest.pop(0)
    subtitle = []
    while rest and rest[0].startswith(">"): subtitle.append(rest.pop(0)[1:].strip())
    return title, " ".join(subtitle), "\n".join(rest).strip()


_MINUTES = re.compile(r"\*\*(?:Time|Reading)\*\*:(.*?)(?:\*\*(?!Exercises|:)|\Z)", re.S)


def place_in_book(text, part, number=None, last=None):
    """The line above a lesson that says in which part it is, how far the book has come, and how long it takes.

    `number` is the lesson's, `last` that of the book's last lesson; None for a page that is no lesson. The minutes are the text's own."""
    which, _, name = part.partition(" ")
    words = [f"Part {which} · {escape(name)}"] + ([f"lesson {number} of {last}"] if number else [])
    read, *tasks = re.findall(r"\d+", m[1]) if (m := _MINUTES.search(text)) else [None]
    if read: words += [f"{read} min" + "".join(f", exercises {o} min" for o in tasks[:1])]
    bar = f'<i style="--done: {100*(int(number) + 1)/(int(last) + 1):.0f}%"></i>' if number else ""
    return f'<div class="mt-place"><span>{" · ".join(words)}</span>{bar}</div>'


def colab_link(cfg, notebook):
    "Colab's address of a notebook of the repository named in settings.ini"
    return f"https://colab.research.google.com/github/{cfg['user']}/{cfg['repo']}/blob/{cfg['branch']}/{cfg['nbs_path']}/{notebook}"


def source_link(cfg, path, line=None):
    "The address of a file of the repository, at a line"
    return f"{cfg['git_url']}/blob/{cfg['branch']}/{path}" + (f"#L{line}" if line else "")


# --------------------------------------------------------------------------------------------------------------- cells

def markdown_cell(source): return dict(cell_type="markdown", metadata={}, source=source)


def code_cell(source, outputs, metadata):
    return dict(cell_type="code", metadata=metadata, source=source, outputs=outputs, execution_count=None)


def show_doc_text(code, outputs):
    "The reference entry that a cell `show_doc(name)` has stored, as MyST; None for any other cell"
    body = parsed(code).body
    call = body[0].value if len(body) == 1 and isinstance(body[0], ast.Expr) else None
    if not isinstance(call, ast.Call) or getattr(call.func, "id", None) != "show_doc": return None
    stored = next((text_of(o["data"]["text/markdown"]) for o in outputs if "text/markdown" in o.get("data", {})), None)
    if stored is None: raise ValueError(f"{code}: no output is stored; run tools/execute_notebooks.py")
    text = re.sub(r"\A\s*---\s*", "", stored).replace("#LNone", "")
    return re.sub(r"(\]\([^)]*\))\{[^}]*\}", r"\1", text)  # Quarto's attributes of links


def number_cells(cells):
    "Give the cells ids that depend on their place alone"
    return [dict(o, id=f"cell-{i:03d}") for i, o in enumerate(cells)]


def clean_outputs(outputs, alt=""):
    "Outputs without execution counts, figures that are SVG as part of the page, tables without a style of their own"
    out = [{k: (None if k == "execution_count" else v) for k, v in o.items()} for o in outputs]
    for o in out:
        data = o.get("data", {})
        if svg := data.get("image/svg+xml"): o["data"] = {"text/html": inline_figure(text_of(svg), alt)}
        elif 'class="dataframe"' in (html := text_of(data.get("text/html", ""))):
            o["data"] = dict(data, **{"text/html": plain_table(html)})
    return out


_HEAD, _ROW, _TH = (re.compile(rf"<{o}[^>]*>(.*?)</{o}>", re.S) for o in ("thead", "tr", "th"))


def plain_table(html):
    "pandas' table without its style, the names of index and columns in one row where they fit; a corner is no heading"
    def head(m):
        rows = [_TH.findall(o) for o in _ROW.findall(m[1])]
        if len(rows) == 2 and not any(a and b for a, b in zip(*rows)): rows = [[a or b for a, b in zip(*rows)]]
        rows = ["".join(f"<th>{o}</th>" if o else "<td></td>" for o in row) for row in rows]
        return f"<thead>{''.join(f'<tr>{o}</tr>' for o in rows)}</thead>"
    return _HEAD.sub(head, re.sub(r"<style scoped>.*?</style>\s*", "", html, flags=re.S).replace(' border="1"', ""))


_INKS, _GROUND = re.compile("#(1a1a1b|000000)"), re.compile(r'<g id="patch_1">\s*<path [^>]*/>\s*</g>')


def link_outputs(outputs, f):
    "Outputs whose links to notebooks lead to pages, in Markdown and in HTML; `f` maps a link as in prose"
    def page(m):
        target = f(m[1])
        return f'href="{target if ":" in target else target.replace(".ipynb", ".html")}"'
    def linked(kind, text):
        if kind == "text/markdown": return map_links(text_of(text), f)
        return re.sub(r'href="(\w+\.ipynb[^"]*)"', page, text_of(text)) if kind == "text/html" else text
    return [o | dict(data={k: linked(k, v) for k, v in o["data"].items()}) if "data" in o else o for o in outputs]


def inline_figure(svg, alt):
    """Matplotlib's SVG as part of a page, without a style for all of it and without ids but those that are used.

    Those are made of what they name, so that two figures agree on them. Curves have the page's ink and no ground; a
    figure that holds images keeps its own, since letters may stand on an image."""
    width, plate = float(re.search(r'width="([\d.]+)pt"', svg)[1])*4/3, "<image" in svg
    if not plate: svg = _INKS.sub("currentColor", _GROUND.sub("", svg, 1))
    svg = re.sub(r'<g id="axes_\d+">', '<g class="ax">', re.sub(r"<style.*?</style>", "", svg, flags=re.S))
    svg = re.sub(r'<g id="matplotlib\.axis_\d*[02468]">', '<g class="ay">', svg)  # panels and their scales, for a phone: see site.js
    svg = re.sub(r'<g id="[^"]*">', "<g>", svg)
    head = (f'role="img" aria-label="{escape(alt)}" style="--wide: {width:.0f}px" stroke-linejoin="round" '
        f'fill="{"#000" if plate else "currentColor"}"')
    svg = re.sub(r'<svg [^>]*?(viewBox="[^"]*")[^>]*>', lambda m: f"<svg {m[1]} {head}>", svg, count=1)
    return f'<div class="mt-figure{" plate"*plate}">{svg}</div>'


def picture_width(outputs):
    "The width that a PNG asks for, as a length; None where none asks"
    wide = [o["metadata"]["image/png"].get("width") for o in outputs if "image/png" in o.get("metadata", {})]
    return f"{wide[0]}px" if wide and wide[0] else None


def text_of(source):
    "A cell's source as one string"
    return source if isinstance(source, str) else "".join(source)
