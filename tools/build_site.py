#!/usr/bin/env python3
"""Render docs/ from the notebooks' stored outputs. No lesson code is run and nothing is asked of another host.

    build_site.py              render into docs/
    build_site.py --out DIR    render into another folder
    build_site.py --check      render into a temporary folder; exit status 1, naming the pages, when docs/ differs
    build_site.py --draft      let links lead to lessons that are not there yet (they go to the repository)
    build_site.py --source DIR keep the converted sources there, to look at

The way: nbdev's cell processors and its index of names -> tools/site/convert.py (MyST) and tools/site/apipages.py (reference
pages from docments) -> Sphinx with myst-nb and sphinx-book-theme (tools/site/conf.py) -> tools/site/pages.py (mathematics,
metadata, weight), search.py (the index by section) and llms.py (lessons as markdown). Exported cells are shown, since they
are what a lesson teaches; nbdev's own site would hide them.
"""
import argparse, filecmp, gc, importlib, json, os, re, shutil, sys, tempfile
from configparser import ConfigParser
from html import escape
from pathlib import Path
from urllib.parse import quote

import yaml

ROOT = Path(__file__).resolve().parents[1]
SITE = ROOT/"tools"/"site"
sys.path.insert(0, str(SITE))
import apipages, convert, llms, pages, search  # noqa: E402
from convert import markdown_cell  # noqa: E402


def settings():
    "settings.ini as a dict"
    cfg = ConfigParser(delimiters=["="])
    cfg.read(ROOT/"settings.ini", encoding="utf-8")
    return dict(cfg["DEFAULT"])


# ------------------------------------------------------------------------------------------------------- what there is

def parts(sidebar, present):
    "Sections of the book as (caption, notebooks that are there), from nbs/sidebar.yml; a notebook that it misses is an error"
    contents = yaml.safe_load(sidebar)["website"]["sidebar"]["contents"]
    sections = [(o["section"], [n for n in o["contents"] if n in present]) for o in contents if isinstance(o, dict)]
    listed = [o for o in contents if isinstance(o, str)] + [n for o in contents if isinstance(o, dict) for n in o["contents"]]
    if missing := sorted(set(present) - set(listed)): raise ValueError(f"nbs/sidebar.yml does not list {', '.join(missing)}")
    return [(caption, notebooks) for caption, notebooks in sections if notebooks]


def read_notebook(path):
    "A notebook after nbdev's processors for lines and streams; options stay in the cells for the converter"
    from nbdev.process import NBProcessor
    from nbdev.processors import clean_magics, filter_stream_, hide_line, rm_header_dash, strip_ansi
    procs = [strip_ansi, hide_line, filter_stream_, rm_header_dash, clean_magics]
    nb = NBProcessor(path, procs=procs, rm_directives=False)
    nb.process()
    return [dict(o, source=convert.text_of(o["source"])) for o in nb.nb.cells]


def module_of(cells):
    "The module that a notebook exports to (`#| default_exp core`), or None"
    for o in cells:
        if o["cell_type"] == "code" and (name := convert.split_options(o["source"])[0].get("default_exp")): return name


def exported(cell):
    "Code of a cell that goes into the package, else None"
    if cell["cell_type"] != "code": return None
    options, code = convert.split_options(cell["source"])
    return code if {"export", "exports", "exporti"} & set(options) else None


# ------------------------------------------------------------------------------------------------------------- lessons

def names_lookup(cfg, books):
    """A function from a backticked name to where its lesson builds it: the first lesson that exports the name.

    A name of another nbdev library gives that library's page."""
    from nbdev.doclinks import NbdevLookup
    find, base, own = NbdevLookup(), cfg["doc_host"] + cfg["doc_baseurl"] + "/", {}
    for n, cells in books.items():
        for code in filter(None, map(exported, cells)):
            for o in convert.defined_names(code): own.setdefault(o, f"#lesson.{convert.page_name(n)}.{o.lower()}")
    def lookup(name):
        if name in own: return own[name]
        url = find.doc(name)
        return None if url and url.startswith(base) else url
    return lookup


def lesson_cells(cfg, name, cells, pages, lookup, documented=(), missing=None, numbered={}):
    """The cells of a notebook's page.

    `lookup` links backticked names, `documented` are the names that the module's reference page describes, `missing` gives
    the target of a link to a lesson that is not there yet (without it such a link is an error), `numbered` gives the page
    of each lesson's number."""
    page, module = convert.page_name(name), module_of(cells)
    doc_url = cfg["doc_host"] + cfg["doc_baseurl"]
    def elsewhere(word):  # a name is not linked on the page that builds it
        target = lookup(word)
        return None if target is None or target.startswith(f"#lesson.{page}.") else target
    def link(target): return convert.site_link(target, doc_url, pages, missing)
    def prose(source):
        source = convert.map_links(convert.convert_callouts(source), link)
        return convert.link_names(convert.link_lessons(source, lessons.get), elsewhere)
    lessons = {number: f"{o}.ipynb" for number, o in numbered.items() if o != page}
    figures = 0
    title, subtitle, rest = convert.split_title(cells[0]["source"])
    out = [markdown_cell(head(cfg, name, title, subtitle, module))]
    if rest: out.append(markdown_cell(prose(rest)))
    for cell in cells[1:]:
        if cell["cell_type"] == "markdown": out.append(markdown_cell(prose(cell["source"])))
        if cell["cell_type"] != "code": continue
        options, code = convert.split_options(cell["source"])
        if convert.is_hidden(options, code): continue
        if (entry := convert.show_doc_text(code, cell.get("outputs", []))) is not None:
            out.append(markdown_cell(prose(entry)))
            continue
        names = convert.defined_names(code) if exported(cell) is not None else []
        if names: out.append(markdown_cell(f"```{{anchor}} {' '.join(dict.fromkeys(o.lower() for o in names))}\n:prefix: lesson.{page}.\n```"))
        outputs, meta = cell.get("outputs", []), convert.code_metadata(options, code)
        if width := convert.picture_width(outputs): meta.setdefault("mystnb", {}).setdefault("image", {})["width"] = width
        out.append(convert.code_cell(code, convert.link_outputs(convert.clean_outputs(outputs, options.get("fig-alt", "")), link), meta))
        if "fig-cap" in options:
            figures += 1
            out.append(markdown_cell(f"(figure-{page}-{figures})=\n{{.figure-caption}}\n**Figure {figures}.** {prose(options['fig-cap'])}"))
        if shown := [o for o in dict.fromkeys(names) if o in documented]: out.append(markdown_cell(reference_line(module, shown)))
    return out


def head(cfg, name, title, subtitle, module):
    "Title, subtitle, and above a lesson a row of links: Colab, notebook, module, reference"
    out = [f"# {title}", f"{{.subtitle}}\n{subtitle}"] if subtitle else [f"# {title}"]
    if module:
        links = {"Open in Colab": convert.colab_link(cfg, name),
            "Notebook": convert.source_link(cfg, f"{cfg['nbs_path']}/{name}"),
            "Module": convert.source_link(cfg, f"{cfg['lib_path']}/{module}.py"),
            "Reference": f"api/{module}.md",
            "Download .ipynb": f"{cfg['git_url']}/raw/{cfg['branch']}/{cfg['nbs_path']}/{name}",
            "Report an error": f"{cfg['git_url']}/issues/new?title={quote(title + ': ')}"}
        out.append("{.lesson-links}\n" + " ".join(f"[{k}]({v}){{.lesson-link}}" for k, v in links.items()))
    return "\n\n".join(out)


def reference_line(module, names):
    "The line under an exported cell, with a link to each name's entry in the reference"
    return "{.built}\nReference: " + ", ".join(f"[`{o}`](#api.{module}.{o.lower()})" for o in names)


_EXERCISE = re.compile(r"### (.+)\n+\*(\w+), (\d+) minutes\.\*\s*(.*)", re.S)


def exercises(cells):
    "(title, difficulty, minutes, what it asks) of each exercise of a lesson, in order"
    found = (_EXERCISE.match(c["source"]) for c in cells if c["cell_type"] == "markdown")
    return [(m[1], m[2].lower(), int(m[3]), asked(m[4])) for m in found if m]


def asked(text):
    "What an exercise asks, in a few words: what to write, or which knob to turn"
    text = " ".join(text.split())
    if m := re.search(r"\b(Write|Turn|Set|Double|Raise|Choose|Change|Move)\b[^.`$]*`[^`]+`", text): return m[0]
    if m := re.search(r"`\w+\([^`]*\)`", text): return f"Write {m[0]}"
    return text.partition(". ")[0]


def exercises_page(sections, titles, books):
    "One page that lists every exercise of the book by part, with links; styles filter it by difficulty"
    found = {c: [(n, o) for n in names for o in exercises(books[n])] for c, names in sections}
    def sum_of(rows):
        hours = sum(o[2] for _, o in rows)/60
        return f"{len(rows)} exercises, about {hours:.1f} hours".replace(".0 ", " ")
    def code(text): return re.sub("`([^`]*)`", r"<code>\1</code>", escape(text, quote=False))
    levels = [o for o in ("easy", "medium", "hard") if any(o == e[1] for rows in found.values() for _, e in rows)]
    boxes = " ".join(f'<label><input type="checkbox" class="mt-{o}" checked> {o}</label>' for o in levels)
    lines = ["# All exercises", "{.subtitle}\nEach has a law, an empty cell and a check that says what is wrong with an answer.",
        f"{sum_of(sum(found.values(), []))}.", f'<div class="mt-levels" role="group" aria-label="Difficulty">{boxes}</div>']
    for caption, rows in found.items():
        if not rows: continue
        lines.append(f"## {caption}\n\n{sum_of(rows)}.")
        html = []
        for n, (title, level, minutes, asks) in rows:
            page, lesson = f"{convert.page_name(n)}.html", titles[n].partition(":")[0]
            html.append(f'<tr class="mt-{level}"><td><a href="{page}#{convert.slug(title)}">{code(title)}</a></td><td>{code(asks)}</td>'
                f'<td><a href="{page}">{escape(lesson)}</a></td><td>{level}, {minutes} min</td></tr>')
        head = "".join(f"<th>{o}</th>" for o in ("exercise", "asks", "lesson", "effort"))
        lines.append(f'<table class="table mt-exercises"><thead><tr>{head}</tr></thead><tbody>{"".join(html)}</tbody></table>')
    return [markdown_cell("\n\n".join(lines))]


def toctrees(cfg, sections, titles, modules):
    "The hidden tables of contents that make the sidebar: a caption for each part, then the reference"
    def tree(caption, lines): return f"```{{toctree}}\n:hidden:\n:caption: {caption}\n\n" + "\n".join(lines) + "\n```"
    lessons = [tree(caption, [f"{titles[n]} <{convert.page_name(n)}>" for n in names]) for caption, names in sections]
    lessons.append(tree("Exercises", ["All exercises <exercises>"]))
    return "\n\n".join([*lessons, tree("Reference", ["All names <api/index>", *(f"{cfg['lib_name']}.{m} <api/{m}>" for m in modules)])] if modules else lessons)


def write_notebook(path, cells, description=""):
    "Write cells as a notebook that myst-nb reads; the description goes into the page's head"
    meta = dict(kernelspec=dict(display_name="python3", language="python", name="python3"), language_info=dict(name="python"))
    if description: meta["myst"] = dict(html_meta=dict(description=description))
    path.write_text(json.dumps(dict(cells=convert.number_cells(cells), metadata=meta, nbformat=4, nbformat_minor=5), indent=1,
        ensure_ascii=False) + "\n", encoding="utf-8")


# ---------------------------------------------------------------------------------------------------------------- site

def write_sources(cfg, out, draft=False):
    """Everything that Sphinx reads: a notebook per lesson, a page per module. In a draft, links may lead to lessons to come.

    Gives what each page is, by its path: title, kind, description and, of a lesson, minutes and objectives."""
    nbs = ROOT/cfg["nbs_path"]
    names = [p.name for p in sorted(nbs.glob("*.ipynb"))]
    books = {n: read_notebook(nbs/n) for n in names if not n.startswith(("_", "5"))}  # 50 to 55 hold solutions
    sections = parts((nbs/"sidebar.yml").read_text(encoding="utf-8"), books)
    lessons = [n for _, names in sections for n in names]
    pages = {convert.page_name(n) for n in books}
    titles = {n: convert.split_title(c[0]["source"])[0] for n, c in books.items()}
    lookup = names_lookup(cfg, books)
    modules = {m: n for n in lessons if (m := module_of(books[n]))}
    loaded = {m: importlib.import_module(f"{cfg['lib_path']}.{m}") for m in modules}
    documented = {m: apipages.documented_names(o) for m, o in loaded.items()}
    numbered = {m[0]: convert.page_name(n) for n in lessons if (m := re.match(r"\d\d", n))}
    reference = apipages.Reference(cfg, [(n, books[n]) for n in lessons], {n: loaded[m] for m, n in modules.items()}, titles,
        books["index.ipynb"])
    api = reference.pages()
    taught = [n for n in lessons if n < "4"]
    missing = (lambda o: convert.source_link(cfg, f"{cfg['nbs_path']}/{o}")) if draft else None
    for n, cells in books.items():
        cells = [*reference.examples.mark(convert.page_name(n), cells)]
        try: page = lesson_cells(cfg, n, cells, pages, lookup, documented.get(module_of(cells), ()), missing, numbered)
        except (ValueError, SyntaxError) as e: raise SystemExit(f"{n}: {e}") from None
        if caption := next((c for c, names in sections if n in names and c[0].isdigit()), None):
            place = dict(number=n[:2], last=taught[-1][:2]) if n in taught else {}
            page.insert(1, markdown_cell(convert.place_in_book(page[1]["source"], caption, **place)))
        if n == "index.ipynb": page.append(markdown_cell(toctrees(cfg, sections, titles, modules)))
        write_notebook(out/f"{convert.page_name(n)}.ipynb", page, convert.split_title(cells[0]["source"])[1].replace("`", ""))
    write_notebook(out/"exercises.ipynb", exercises_page(sections, titles, books), "Every exercise of the book, by lesson")
    (out/"api").mkdir()
    for name, text in api.items(): (out/"api"/name).write_text(text, encoding="utf-8")
    if (nbs/"images").is_dir(): shutil.copytree(nbs/"images", out/"images")
    about = {f"{convert.page_name(n)}.html": about_lesson(books[n]) for n in lessons}
    for path, n in zip(about, lessons):
        about[path].update(markdown=path.replace(".html", ".md"), text=llms.lesson_text(books[n], pages))
    about["index.html"] = dict(kind="front", title=f"{cfg['title']}: the training of neural networks from nothing")
    for m, names in documented.items():
        about[f"api/{m}.html"] = dict(kind="reference", title=f"{cfg['lib_name']}.{m}: reference", names=list(names), description=shortened(
            f"Signatures, parameters and returns of the module {cfg['lib_name']}.{m}: {', '.join(o for o in names if '.' not in o)}"))
    about["api/index.html"] = dict(kind="names", title="All names of minitrain",
        description="Every function, class and method of minitrain in a line, with its module")
    about["exercises.html"] = dict(kind="exercises", title="All exercises")
    about["search.html"] = dict(kind="search", title="Search", description="Search the sections and the public names of the book")
    about["404.html"] = dict(kind="missing", title="Page not found", description="There is no such page")
    named = [(caption, [f"{convert.page_name(n)}.html" for n in names]) for caption, names in sections]
    about["index.html"]["llms"] = llms.llms_text(cfg, named, about)
    return about


def about_lesson(cells):
    "What search engines hear of a lesson: title, description, minutes of reading, what it teaches"
    title, subtitle, _ = convert.split_title(cells[0]["source"])
    text = "\n".join(o["source"] for o in cells[:8] if o["cell_type"] == "markdown")
    minutes = re.search(r"\*\*Time\*\*:? *(\d+) minutes", text)
    teaches = [o.rstrip(";.") for o in re.findall(r"^\d\. (.+)$", text, re.M)]
    return dict(kind="lesson", title=title, description=subtitle.replace("`", ""), minutes=minutes and int(minutes[1]), teaches=teaches)


def shortened(text, room=300):
    "A text cut after a word"
    return text if len(text) <= room else text[:room].rsplit(" ", 1)[0].rstrip(",") + " ..."


def render(cfg, out, draft=False):
    "Build the whole site in `out`, which must be empty or new; a warning of Sphinx is an error"
    from sphinx.application import Sphinx
    from sphinx.util.docutils import docutils_namespace, patch_docutils
    sys.modules.setdefault("rfc3987_syntax", None)  # jsonschema would spend seconds on a grammar that no notebook needs
    os.environ.pop("SOURCE_DATE_EPOCH", None)  # an empty one stops Sphinx, and no page holds a date
    with tempfile.TemporaryDirectory() as tmp:
        src = Path(tmp)/"src"
        src.mkdir()
        about = write_sources(cfg, src, draft)
        with patch_docutils(SITE), docutils_namespace():
            app = Sphinx(src, SITE, out, Path(tmp)/"doctrees", "html", warningiserror=True, status=None, warning=sys.stderr)
            app.builder.search = False  # tools/site/search.py has an index of its own, by section
            app.build(force_all=True)
            sections = search.index(app.env, about)
    tidy(out)
    (out/"_static"/"search-index.js").write_text(search.script(sections), encoding="utf-8")
    pages.finish(cfg, out, about)
    pages.write_site_files(cfg, out, about)
    return app.statuscode


def tidy(out):
    "Remove what no page needs: build records, source maps, the theme's templates and translations"
    (out/".nojekyll").touch()
    for name in ("_sources", "_static/locales"): shutil.rmtree(out/name, ignore_errors=True)
    for pattern in (".buildinfo*", "*.map", "*webpack-macros.html"):
        for o in out.rglob(pattern): o.unlink()


def differences(a, b):
    "Relative paths of files that are in one folder only, or not the same in both"
    def files(root): return {o.relative_to(root).as_posix() for o in root.rglob("*") if o.is_file()}
    left, right = files(a), files(b)
    return sorted((left ^ right) | {o for o in left & right if not filecmp.cmp(a/o, b/o, shallow=False)})


def mirror(new, old):
    "Make `old` equal to `new`, touching only what differs; gives the paths that changed"
    changed = differences(new, old) if old.is_dir() else differences(new, new/"nothing")
    for name in changed:
        if (new/name).exists():
            (old/name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(new/name, old/name)
        else: (old/name).unlink()
    for o in sorted((o for o in old.rglob("*") if o.is_dir()), reverse=True):
        if not any(o.iterdir()): o.rmdir()
    return changed


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--out", type=Path, help="folder to render into (default: docs/)")
    p.add_argument("--check", action="store_true", help="render elsewhere and compare with docs/")
    p.add_argument("--draft", action="store_true", help="let links lead to lessons that are not there yet")
    p.add_argument("--source", type=Path, help="also keep the converted sources in this new folder")
    args, cfg = p.parse_args(), settings()
    gc.disable()  # a site is many objects that stay: looking for garbage among them took a third of the time
    os.chdir(ROOT)
    if args.source:
        args.source.mkdir(parents=True)
        write_sources(cfg, args.source, args.draft)
    docs = args.out or ROOT/cfg["doc_path"]
    with tempfile.TemporaryDirectory() as tmp:
        new = Path(tmp)/"html"
        if render(cfg, new, args.draft): sys.exit(1)
        if args.check:
            changed = differences(new, docs)
            print("\n".join(f"out of step: {docs.name}/{o}" for o in changed) or f"{docs.name}/ is in step with the notebooks")
            sys.exit(bool(changed))
        changed = mirror(new, docs)
    size = sum(o.stat().st_size for o in docs.rglob("*") if o.is_file())
    print(f"{docs}: {len(changed)} files changed, {size/2**20:.1f} MiB")


if __name__ == "__main__": main()
