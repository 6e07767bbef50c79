"""The index of the search: every section of every page with its heading, the public names that it defines, its prose and the
words of its code. The ranking is search/rank.js; both go into one script, so that the search works without a server too."""
import json, keyword, re
from pathlib import Path

from docutils import nodes

HERE = Path(__file__).parent
_GREEK = dict(alpha="α", beta="β", gamma="γ", epsilon="ε", varepsilon="ε", theta="θ", lambd="λ", mu="μ", sigma="σ", rho="ρ", eta="η",
    infty="∞", cdot="·", leftarrow="←", sum="Σ", sqrt="√", approx="≈", partial="∂")
_GREEK["lambda"] = _GREEK.pop("lambd")


def plain_tex(tex):
    "A formula as it can stand in a line of text"
    tex = re.sub(r"\\(?:mathrm|text|operatorname|mathcal|mathbb)\{([^{}]*)\}", r"\1", tex)
    part = r"\s*(\{[^{}]*\}|\\[a-zA-Z]+|\w)"
    tex = re.sub(r"\\[td]?frac" + 2*part, r"\1/\2", tex)
    tex = re.sub(r"\\([a-zA-Z]+)", lambda m: _GREEK.get(m[1], "" if m[1] in ("big", "Big", "left", "right") else m[1]), tex)
    return re.sub(r"\\.|[{}]", "", tex)


def words_of(code):
    "The names and words of a cell of code, each once, in order"
    found = re.findall(r"[A-Za-z_]\w{2,}", code)
    return [o for o in dict.fromkeys(found) if not keyword.iskeyword(o)]


def prose_of(node):
    "The text of a node of prose, formulas included"
    if isinstance(node, (nodes.math, nodes.math_block)): return plain_tex(node.astext())
    if isinstance(node, nodes.Text): return node.astext()
    if isinstance(node, (nodes.raw, nodes.comment, nodes.image)): return ""
    inside = [prose_of(o) for o in node.children]
    return ("" if isinstance(node, nodes.TextElement) else " ").join(inside)


_EXAMPLE = {"example-note", "example-code", "example-output"}


def section_parts(section, kind):
    "Names, prose and words of code of a section, those of its subsections apart"
    names, prose, code = [], [], []
    def visit(node):
        for o in getattr(node, "attributes", {}).get("names", ()):
            if m := re.match(r"(?:lesson|api)\.\w+\.(.+)", o): names.append(m[1])
        if isinstance(node, (nodes.section, nodes.title)) or "toctree-wrapper" in getattr(node, "attributes", {}).get("classes", ()): return
        if _EXAMPLE & set(getattr(node, "attributes", {}).get("classes", ())): return  # it is found in its lesson
        if isinstance(node, nodes.literal_block): code.extend(words_of(node.astext()))
        elif isinstance(node, nodes.container):
            if "cell_output" not in node["classes"]:
                for o in node.children: visit(o)
        elif isinstance(node, nodes.definition_list) and kind == "reference": code.extend(words_of(prose_of(node)))
        elif isinstance(node, nodes.paragraph) and {"lesson-links", "built"} & set(node["classes"]): pass
        elif isinstance(node, nodes.Element) and any(node.findall(nodes.literal_block)):
            for o in node.children: visit(o)
        elif isinstance(node, nodes.Node): prose.append(prose_of(node))
    for o in getattr(section, "attributes", {}).get("names", ()):
        if m := re.match(r"(?:lesson|api)\.\w+\.(.+)", o): names.append(m[1])
    for o in section.children: visit(o)
    return list(dict.fromkeys(names)), re.sub(r"\s+", " ", " ".join(prose)).strip(), " ".join(dict.fromkeys(code))


def sections(tree, kind, written):
    """Sections of a page as [anchor, heading, names, prose, words of code], with a 1 after an exercise or a recap.

    `written` gives names with their capitals."""
    def name(o): return ".".join([written.get(o.partition(".")[0], o.partition(".")[0]), *o.split(".")[1:]])
    out = []
    for section in tree.findall(nodes.section):
        names, prose, code = section_parts(section, kind)
        if kind == "reference" and not out: names = []  # an anchor stands before its entry's heading, in the part above
        title = prose_of(section.next_node(nodes.title)).strip()
        if not (prose or code or names): continue
        aside = title == "Recap and next" or "exercises" in (*section["ids"], *section.parent.get("ids", ()))
        out.append([section["ids"][0] if out else "", title, [written.get(o) or name(o) for o in names], prose, code, *[1]*aside])
    return out


def index(env, about):
    "Every page's path, title, kind and sections, in the order of `about`, whose reference pages say how names are written"
    written, out = {n.lower(): n for o in about.values() for n in reversed(o.get("names", []))}, []
    for path, o in about.items():
        doc = path.removesuffix(".html")
        if doc not in env.found_docs or o["kind"] == "names": continue
        kind = "experiment" if doc.startswith("experiments_") else o["kind"]
        out.append([path, o["title"], kind, sections(env.get_doctree(doc), kind, written)])
    return out


def script(pages):
    "The script that a page loads when a search begins: stemmer, ranking and index"
    import sphinx.search
    stemmer = Path(sphinx.search.__file__).parent/"minified-js"
    parts = [(stemmer/f"{o}-stemmer.js").read_text(encoding="utf-8") for o in ("base", "english")]
    parts.append((HERE/"search"/"rank.js").read_text(encoding="utf-8"))
    data = json.dumps(pages, ensure_ascii=False, separators=(",", ":")).replace("\u2028", " ")
    return "\n".join([*parts, f"const sectionIndex = sectionSearch({data}, new EnglishStemmer());", ""])
