"The converter of the site on its own: cell options, callouts, links, names, cell ids."
import json, re, sys

import pandas as pd
import pytest

from conftest import ROOT

sys.path[:0] = [str(ROOT/"tools"), str(ROOT/"tools"/"site")]
import build_site, convert  # noqa: E402


# -------------------------------------------------------------------------------------------------------- cell options

@pytest.mark.parametrize("source, options, code", [
    ("#| export\nx = 1", {"export": ""}, "x = 1"),
    ("#|export\n#| eval: false\n\nx = 1\n", {"export": "", "eval": "false"}, "x = 1"),
    ("#| default_exp core", {"default_exp": "core"}, ""),
    ("#| fig-alt: \"Loss: it falls, 2:1\"\nplot()", {"fig-alt": "Loss: it falls, 2:1"}, "plot()"),
    ("#| code-fold: true\nx", {"code-fold": "true"}, "x"),
    ("#| fig-cap: Loss of\n#|   two: runs\n#| hide\nx", {"fig-cap": "Loss of two: runs", "hide": ""}, "x"),
    ("x = 1  #| not an option\n#| nor this", {}, "x = 1  #| not an option\n#| nor this"),
])
def test_options(source, options, code): assert convert.split_options(source) == (options, code)


@pytest.mark.parametrize("source, hidden", [("#| hide\nx", True), ("#| default_exp core", True), ("#| include: false\nx", True),
    ("x", False), ("#| export\nx", False), ("#| echo: false\nx", False)])
def test_hidden(source, hidden): assert convert.is_hidden(*convert.split_options(source)) is hidden


def metadata(source): return convert.code_metadata(*convert.split_options(source))


def test_options_become_tags():
    assert metadata("x = 1") == {"tags": []}
    assert metadata("#| export\ndef f(): pass") == {"tags": ["exported"]}
    assert metadata("#| echo: false\nf()")["tags"] == ["remove-input"]
    assert metadata("#| output: false\nf()")["tags"] == ["remove-output"]
    fold = metadata("#| code-fold: true\n#| code-summary: A solution\nf()")
    assert fold["tags"] == ["hide-input"] and fold["mystnb"]["code_prompt_show"] == "A solution"
    assert metadata("#| fig-alt: A line\nf()") == {"tags": [], "mystnb": {"image": {"alt": "A line"}}}


def test_imports_and_checks_are_folded():
    assert metadata("import torch\nfrom x import y")["tags"] == ["hide-input"]
    assert metadata("#| exporti\ndef check_f(f): pass")["tags"] == ["exported", "hide-input"]
    assert metadata("#| exporti\ndef helper(f): pass")["tags"] == ["exported"]
    assert metadata("import torch\nx = 1")["tags"] == []


@pytest.mark.parametrize("source, summary", [
    ("import torch", "Imports"), ("#| export\nimport torch", "Imports of the module"),
    ("#| code-fold: true\ndef f(x): return x\n\ncheck_f(f)", "Solution"),
    ("#| code-fold: true\nplot(1)", "Show the code, 1 line"),
    ("#| exporti\n#| code-fold: true\ndef _table():\n    a = 1\n    return a", "Show _table, 3 lines"),
    ("#| export\n#| code-fold: true\n@patch\ndef fit(self:Learner): pass\nclass A: pass",
        "Show Learner.fit and A, 3 lines"),
    ("#| exporti\n#| code-fold: true\na = b = c = d = 1", "Show a, b and 2 more, 1 line"),
    ("#| code-fold: true\n#| code-summary: The plot\nplot(1)", "The plot")])
def test_a_fold_says_what_it_holds(source, summary):
    fold = metadata(source)["mystnb"]
    assert fold["code_prompt_show"] == summary
    assert fold["code_prompt_hide"] == summary.replace("Show", "Hide")


def test_defined_names():
    code = "a, b = 1, 2\ndef f(): pass\nclass C:\n    def m(self): pass\n@patch\ndef log(self:RunDir): pass\n@patch(as_prop=True)\ndef p(self:RunDir): pass\nC.n = f\nx[0] = 1"
    assert convert.defined_names(code) == ["a", "b", "f", "C", "C.m", "RunDir.log", "RunDir.p", "C.n"]


# ------------------------------------------------------------------------------------------------------------ callouts

@pytest.mark.parametrize("source, expected", [
    ("::: {.callout-note}\nText\n:::", ":::{admonition} Note\n:class: note\n\nText\n:::"),
    (":::{.callout-tip}\n## A title\n\nText\n:::", ":::{admonition} A title\n:class: tip\n\n\nText\n:::"),
    ('::: {.callout-warning title="Take care" collapse="true"}\nText\n:::\nafter',
        ":::{admonition} Take care\n:class: warning dropdown\n\nText\n:::\nafter"),
    ("no callout\n\n::: nothing", "no callout\n\n::: nothing"),
])
def test_callouts(source, expected): assert convert.convert_callouts(source) == expected


def test_callout_without_an_end():
    with pytest.raises(ValueError, match="without an end"): convert.convert_callouts("::: {.callout-note}\nText")


def test_callout_shown_as_code_stays():
    source = "```\n::: {.callout-note}\nText\n:::\n```"
    assert convert.convert_callouts(source) == source


# --------------------------------------------------------------------------------------------------------------- links

SITE, HELD = "https://minitrain.github.io/minitrain", {"start", "core", "softmax"}


@pytest.mark.parametrize("target, expected", [
    ("01_softmax.ipynb", "softmax.ipynb"), ("01_softmax.ipynb#Why-the-log", "softmax.ipynb#why-the-log"),
    (f"{SITE}/core.html#rundir.log", "core.ipynb#rundir.log"), (f"{SITE}/core.html", "core.ipynb"), ("#A-grid", "#a-grid"),
    ("https://pytorch.org/docs", "https://pytorch.org/docs"), ("mailto:a@b.c", "mailto:a@b.c"), ("images/a.png", "images/a.png")])
def test_links(target, expected): assert convert.site_link(target, SITE, HELD) == expected


def test_link_to_a_missing_lesson():
    with pytest.raises(ValueError, match="not there: 10_metrics.ipynb"): convert.site_link("10_metrics.ipynb", SITE, HELD)
    assert convert.site_link("10_metrics.ipynb", SITE, HELD, lambda o: f"repo/{o}") == "repo/10_metrics.ipynb"


def test_links_of_outputs():
    "In HTML they lead to pages, in Markdown as in prose; to the repository where a lesson is not there yet"
    def link(o): return convert.site_link(o, SITE, HELD, lambda o: f"https://a.b/{o}")
    stored = dict(data={"text/html": ['<a href="01_softmax.ipynb#Why">a</a>', '<a href="10_metrics.ipynb">b</a>'],
        "text/markdown": "[a](01_softmax.ipynb)", "text/plain": "01_softmax.ipynb"})
    html, text, plain = convert.link_outputs([stored], link)[0]["data"].values()
    assert html == '<a href="softmax.html#why">a</a><a href="https://a.b/10_metrics.ipynb">b</a>'
    assert (text, plain) == ("[a](softmax.ipynb)", "01_softmax.ipynb") and isinstance(stored["data"]["text/html"], list)


def test_links_outside_code_only():
    source = "[a](x) and `b[0](x)` and [`c`](x)![d](x)\n```\n[e](x)\n```\n~~~python\n[f](x)\n~~~\n[g](x)"
    assert convert.map_links(source, str.upper) == source.replace("[a](x)", "[a](X)").replace("[`c`](x)![d](x)", "[`c`](X)![d](X)").replace("[g](x)", "[g](X)")


def test_names_are_linked():
    lookup = {"softmax": "#s", "RunDir.log": "#l"}.get
    source = "# `softmax`\n`softmax` and `softmax()`, `RunDir.log`; `other`, ``softmax``, [`softmax`](a) [the `softmax` of old](b)\n```\n`softmax`\n```"
    assert convert.link_names(source, lookup) == ("# `softmax`\n[`softmax`](#s) and [`softmax()`](#s), [`RunDir.log`](#l); `other`, ``softmax``, "
        "[`softmax`](a) [the `softmax` of old](b)\n```\n`softmax`\n```")


def test_lessons_are_linked():
    lookup = {"05": "loop.ipynb", "07": "optim.ipynb"}.get
    def linked(source): return convert.link_lessons(source, lookup)
    assert linked("Lesson 05, lesson 06, lesson 0512 and less 05") == (
        "[Lesson 05](loop.ipynb), lesson 06, lesson 0512 and less 05")
    assert linked("lessons 05, 06 and 07, in 07 steps") == (
        "lessons [05](loop.ipynb), 06 and [07](optim.ipynb), in 07 steps")
    for source in ("# Lesson 05", "[as in lesson 05](x.ipynb)", "`lesson 05`", "``a ` lesson 05``",
        "```\nlesson 05\n```", "![lesson 05](x.png)", "`[lesson 05](x)` of old"):
        assert linked(source) == source
    assert linked("# A title\nlesson 05 `a` [b](c)") == "# A title\n[lesson 05](loop.ipynb) `a` [b](c)"


def test_a_lesson_is_not_linked_on_its_own_page_and_figures_are_numbered():
    plot = "#| fig-cap: The loss of lesson 05 falls in `fit`\nplot()"
    cells = [dict(cell_type="markdown", source="# 05 Loop\n\n> S"),
        dict(cell_type="markdown", source="lesson 05 and lesson 07"),
        *[dict(cell_type="code", source=plot, outputs=[])]*2]
    out = build_site.lesson_cells(CFG, "05_loop.ipynb", cells, HELD, {"fit": "#f"}.get,
        numbered={"05": "loop", "07": "optim"})
    text = [o["source"] for o in out]
    assert text[1] == "lesson 05 and [lesson 07](optim.ipynb)"
    assert [text[3], text[5]] == [f"(figure-loop-{i})=\n{{.figure-caption}}\n**Figure {i}.** "
        "The loss of lesson 05 falls in [`fit`](#f)" for i in (1, 2)]


@pytest.mark.parametrize("text, place", [
    ("**Prerequisites**: lesson 05. **Time**: 30 minutes, exercises 65. **Follows**: a paper of 1999.", "Part 2 · A &amp; B · 30 min, exercises 65 min"),
    ("**Time**: 20 minutes, and 40 for the exercises.", "Part 2 · A &amp; B · 20 min, exercises 40 min"),
    ("**Reading**: 35 minutes. **Exercises**: 45 minutes. **Follows**: [1979](x).", "Part 2 · A &amp; B · 35 min, exercises 45 min"),
    ("**Time**: 5 minutes. Needs the extra `atari`.", "Part 2 · A &amp; B · 5 min"), ("No time is named in 2026.", "Part 2 · A &amp; B")])
def test_place_in_the_book(text, place):
    assert convert.place_in_book(text, "2 A & B") == f'<div class="mt-place"><span>{place}</span></div>'
    marked = convert.place_in_book(text, "2 A & B", number="06", last="33")
    assert place.replace("A &amp; B", "A &amp; B · lesson 06 of 33") in marked and "--done: 21%" in marked


def test_tables_of_pandas():
    "A named index has no row of its own, a corner is no heading, and a table brings no style"
    def head(df):
        html = convert.clean_outputs([dict(output_type="execute_result", data={"text/html": df._repr_html_()})])[0]["data"]["text/html"]
        assert "<style" not in html and "border=" not in html and html.count("<tbody>") == 1
        return re.sub(r"</(\w+)>", "", re.search("<thead>(.*?)</thead>", html, re.S)[1])
    df = pd.DataFrame(dict(a=[1], b=[2]))
    assert head(df) == "<tr><td><th>a<th>b"
    assert head(df.rename_axis("seed")) == "<tr><th>seed<th>a<th>b"
    assert head(df.rename_axis("k", axis=1)) == "<tr><th>k<th>a<th>b"
    assert head(df.rename_axis("seed").rename_axis("k", axis=1)) == "<tr><th>k<th>a<th>b<tr><th>seed<td><td>"
    assert head(df.set_index(["a", "b"])) == "<tr><th>a<th>b"


@pytest.mark.parametrize("title, anchor", [("Why the log", "why-the-log"), ("Linear.forward", "linear.forward"), ("`to_device`, again?", "to_device-again")])
def test_slug(title, anchor): assert convert.slug(title) == anchor


@pytest.mark.parametrize("path, page", [("nbs/01_softmax.ipynb", "softmax"), ("index.ipynb", "index"), ("32_gaze_training.ipynb", "gaze_training")])
def test_page_name(path, page): assert convert.page_name(path) == page


def test_title():
    assert convert.split_title("# A title\n\n> said in\n> two lines\n\nMore") == ("A title", "said in two lines", "More")
    with pytest.raises(ValueError, match="# Title"): convert.split_title("no title")


# --------------------------------------------------------------------------------------------------------------- cells

def test_show_doc_becomes_markdown():
    from nbdev.showdoc import show_doc
    from minitrain.core import set_seed
    outputs = [dict(output_type="display_data", data={"text/markdown": show_doc(set_seed)._repr_markdown_().splitlines(keepends=True)}, metadata={})]
    text = convert.show_doc_text("show_doc(set_seed)", outputs)
    assert text.startswith("[source](https://") and "### set_seed" in text and "deterministic:bool" in text
    assert "---" not in text.splitlines() and "target=" not in text and "LNone" not in text
    cells = [dict(cell_type="markdown", source="# T\n\n> S"), dict(cell_type="code", source="show_doc(set_seed)", outputs=outputs)]
    shown = build_site.lesson_cells(CFG, "00_t.ipynb", cells, set(), lambda o: None)
    assert [o["cell_type"] for o in shown] == ["markdown", "markdown"] and "### set_seed" in shown[1]["source"]
    for code in ("x = show_doc(set_seed)", "set_seed(1)", "show_doc(a); b", ""): assert convert.show_doc_text(code, outputs) is None
    with pytest.raises(ValueError, match="no output is stored"): convert.show_doc_text("show_doc(set_seed)", [])


def test_cell_ids_depend_on_place_alone():
    cells = [convert.markdown_cell("a"), convert.code_cell("b", [], {})]
    assert [o["id"] for o in convert.number_cells([dict(o, id="random") for o in cells])] == ["cell-000", "cell-001"]


def test_outputs_lose_their_counts():
    assert convert.clean_outputs([dict(output_type="execute_result", execution_count=7, data={})])[0]["execution_count"] is None


CFG = dict(user="u", repo="r", branch="b", nbs_path="nbs", lib_path="minitrain", git_url="https://github.com/u/r", doc_host="https://u.github.io",
    doc_baseurl="/r", lib_name="minitrain")


def test_a_lesson():
    cells = [dict(cell_type="markdown", source="# Softmax\n\n> From scores"), dict(cell_type="code", source="#| default_exp softmax", outputs=[]),
        dict(cell_type="code", source="#| hide\nsecret", outputs=[]), dict(cell_type="markdown", source="See [core](00_start.ipynb), `RunDir` and `softmax`"),
        dict(cell_type="code", source="#| export\ndef softmax(x): return x\ndef _help(): pass", outputs=[])]
    lookup = {"RunDir": "#lesson.start.rundir", "softmax": "#lesson.softmax.softmax"}.get
    out = build_site.lesson_cells(CFG, "01_softmax.ipynb", cells, HELD, lookup, ["softmax"])
    text = [o["source"] for o in out]
    assert "https://colab.research.google.com/github/u/r/blob/b/nbs/01_softmax.ipynb" in text[0] and "[Reference](api/softmax.md)" in text[0]
    assert text[1] == "See [core](start.ipynb), [`RunDir`](#lesson.start.rundir) and `softmax`"  # a name is not linked on its own page
    assert text[2:] == ["```{anchor} softmax _help\n:prefix: lesson.softmax.\n```", "def softmax(x): return x\ndef _help(): pass",
        "{.built}\nReference: [`softmax`](#api.softmax.softmax)"]
    assert "secret" not in json.dumps(out)


def test_parts_of_the_book():
    sidebar = "website: {sidebar: {contents: [index.ipynb, {section: 0 G, contents: [00_a.ipynb]}, {section: 1 L, contents: [01_b.ipynb]}]}}"
    assert build_site.parts(sidebar, {"index.ipynb", "00_a.ipynb"}) == [("0 G", ["00_a.ipynb"])]
    with pytest.raises(ValueError, match="does not list 02_c.ipynb"): build_site.parts(sidebar, {"02_c.ipynb"})
