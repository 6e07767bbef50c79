"README.md is what nbs/index.ipynb gives, and its links and pictures lead somewhere."
import json, re, shutil, sys

from conftest import ROOT

sys.path[:0] = [str(ROOT/"tools"), str(ROOT/"tools"/"site")]
import build_readme, convert  # noqa: E402


def test_in_step():
    assert build_readme.stale() == [], "run python tools/build_readme.py"


def test_a_difference_is_seen(tmp_path):
    "The control: an edited README, a picture that is missing and one that is left over are each named"
    shutil.copytree(ROOT/"nbs", tmp_path/"nbs")
    shutil.copy(ROOT/"README.md", tmp_path)
    assert build_readme.stale(tmp_path) == []
    (tmp_path/"README.md").write_text((ROOT/"README.md").read_text() + "x")
    picture = next(o for o in build_readme.wanted(tmp_path) if "/images/" in o)
    (tmp_path/picture).unlink()
    (tmp_path/"nbs"/"images"/"index-old.png").touch()
    assert build_readme.stale(tmp_path) == sorted(["README.md", picture, "nbs/images/index-old.png"])


def test_links_and_pictures_are_there():
    "All are addresses, for PyPI knows no file beside its page; those of this repository lead to files"
    text = (ROOT/"README.md").read_text(encoding="utf-8")
    targets = re.findall(r"\]\(([^)\s]+)\)", text)
    assert any(o.endswith(".ipynb") for o in targets) and any("/images/" in o for o in targets)
    slugs = {convert.slug(o) for o in re.findall(r"^#+ (.*)$", text, re.M)}
    for o in targets:
        if o.startswith("#"): assert o[1:] in slugs, o
        else: assert o.startswith("https://"), o
        if own := re.match(r"https://(?:github.com/minitrain/minitrain/blob|raw.githubusercontent.com/minitrain/minitrain)/main/([^#]+)", o):
            assert (ROOT/own[1]).is_file(), o


def cell(kind, source, outputs=(), id="a"):
    return dict(cell_type=kind, id=id, metadata={}, source=source.splitlines(keepends=True), outputs=list(outputs))


def test_cells():
    "Hidden cells are left out, `echo: false` shows the output alone, links and pictures are addresses"
    png = dict(output_type="display_data", data={"image/png": "aGk=", "text/plain": "<Figure>"})
    table = dict(output_type="execute_result", data={"text/markdown": ["|[a](b.ipynb)|\n", "|-|"], "text/html": "<p>a", "text/plain": "<Markdown>"})
    still = '<div><img class="mt-still" width="9" src="data:image/svg+xml;base64,PHN2Zy8+" alt="A\nline"></div>'
    plain = dict(output_type="execute_result", data={"text/plain": ["3"]})
    text, pictures = build_readme.readme([
        cell("markdown", "# T\n\n[one](01_softmax.ipynb#x) [two](https://a.b/c) [three](#y) `[four](z.ipynb)`"),
        cell("code", "#| hide\nimport secret", [plain]),
        cell("code", "#| echo: false\n#| fig-alt: A line\nplot()", [png], id="pic"),
        cell("code", "#| echo: false\ntable()", [table]),
        cell("code", "#| echo: false\n#| fig-cap: Two clones\nwidget()", [dict(output_type="execute_result", data={"text/html": still})], id="w"),
        cell("code", "1 + 2", [plain])])
    home, raw = "https://github.com/minitrain/minitrain/blob/main/nbs", "https://raw.githubusercontent.com/minitrain/minitrain/main/nbs/images"
    assert text.split("\n\n", 1)[1] == (f"# T\n\n[one]({home}/01_softmax.ipynb#x) [two](https://a.b/c) [three](#y) `[four](z.ipynb)`\n\n"
        f"![A line]({raw}/index-pic.png)\n\n|[a]({home}/b.ipynb)|\n|-|\n\n![A line]({raw}/index-w.svg)\n\n*Two clones*\n\n"
        "```python\n1 + 2\n```\n\n```\n3\n```\n")
    assert pictures == {"nbs/images/index-pic.png": b"hi", "nbs/images/index-w.svg": b"<svg/>"} and "secret" not in text
    png["data"]["image/svg+xml"] = "<svg/>"
    pictures = build_readme.readme([cell("code", "plot()", [png], id="pic")])[1]
    assert pictures == {"nbs/images/index-pic.svg": b"<svg/>"}, "a figure that is SVG stays so"


def test_figures_and_hours_are_those_of_today():
    "Each figure of the README's table is the one that the stored CSV gives now, and hours are the sums of the lessons' minutes"
    cells = json.loads((ROOT/"nbs"/"index.ipynb").read_text(encoding="utf-8"))["cells"]
    code = ["".join(c["source"]) for c in cells if c["id"] in ("imports", "parts-made") or c["id"].startswith("results-")]
    names = {}
    exec("\n".join(code), names)
    table = names["Markdown"](names["pd"].DataFrame([names["row"](*o) for o in names["figures"]]).to_markdown(index=False)).data
    readme = (ROOT/"README.md").read_text(encoding="utf-8")
    assert len(names["figures"]) == 5 and table in readme
    assert len(names["text"]) == 6 and convert.map_links("\n".join(names["text"]), build_readme.github_link) in readme
    assert f"Together {names['whole']}." in readme and len(names["lessons"]) == len(list((ROOT/"nbs").glob("[0-3][0-9]_*.ipynb")))


def test_measured_is_what_the_stored_tables_give():
    "Each table of the page, made again; no table of results is left out of the page, but those that have pages of their own"
    cells = json.loads((ROOT/"nbs"/"measured.ipynb").read_text(encoding="utf-8"))["cells"]
    stored = {c["id"]: "".join(o["data"]["text/markdown"]) for c in cells for o in c.get("outputs", []) if "text/markdown" in o.get("data", {})}
    names, made, asked = {}, [], set()
    for c in cells:
        if c["id"] not in stored and c["id"] not in ("imports", "helpers"): continue
        if c["id"] == "package": continue  # sizes of this checkout
        exec("".join(c["source"]), names)
        if c["id"] == "helpers":
            table, load = names["table"], names["load_results"]
            names["table"] = lambda *rows: made.append(table(*rows).data)
            names["load_results"] = lambda o: asked.add(o) or load(o)
    assert made == [v for k, v in stored.items() if k != "package"] and sum(o.count("Lost") for o in made) > 10
    elsewhere = {"atari_games", "bayes_sampler", "bayes_sampler_contexts", "compose_real", "compose_sentences",
        "extractor_counts", "losses_memory", "multilabel_ranks", "reasoning_heads", "reasoning_live", "reasoning_streams", "reasoning_streams_figures",
        "emptied", "mutants", "weight"}  # the last two with the sizes
    assert {o.stem for o in (ROOT/"minitrain/assets/results").glob("*.csv")} == asked | elsewhere
