"README.md is what nbs/index.ipynb gives, and its links and pictures lead somewhere."
import json, re, shutil, sys

from conftest import ROOT

sys.path[:0] = [str(ROOT/"tools"), str(ROOT/"tools"/"site")]
import build_readme  # noqa: E402


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
    text = (ROOT/"README.md").read_text(encoding="utf-8")
    targets = re.findall(r"\]\(([^)\s]+)\)", text)
    assert any(o.endswith(".ipynb") for o in targets) and any("/images/" in o for o in targets)
    for o in targets:
        if not re.match(r"https?:", o): assert (ROOT/o.partition("#")[0]).is_file(), o


def cell(kind, source, outputs=(), id="a"):
    return dict(cell_type=kind, id=id, metadata={}, source=source.splitlines(keepends=True), outputs=list(outputs))


def test_cells():
    "Hidden cells are left out, `echo: false` shows the output alone, links are seen from the folder above"
    png = dict(output_type="display_data", data={"image/png": "aGk=", "text/plain": "<Figure>"})
    table = dict(output_type="execute_result", data={"text/markdown": ["|a|\n", "|-|"], "text/plain": "<Markdown>"})
    plain = dict(output_type="execute_result", data={"text/plain": ["3"]})
    text, pictures = build_readme.readme([
        cell("markdown", "# T\n\n[one](01_softmax.ipynb#x) [two](https://a.b/c) [three](#y) `[four](z.ipynb)`"),
        cell("code", "#| hide\nimport secret", [plain]),
        cell("code", "#| echo: false\n#| fig-alt: A line\nplot()", [png], id="pic"),
        cell("code", "#| echo: false\ntable()", [table]),
        cell("code", "1 + 2", [plain])])
    assert text.split("\n\n", 1)[1] == ("# T\n\n[one](nbs/01_softmax.ipynb#x) [two](https://a.b/c) [three](#y) `[four](z.ipynb)`\n\n"
        "![A line](nbs/images/index-pic.png)\n\n|a|\n|-|\n\n```python\n1 + 2\n```\n\n```\n3\n```\n")
    assert pictures == {"nbs/images/index-pic.png": b"hi"} and "secret" not in text
    png["data"]["image/svg+xml"] = "<svg/>"
    pictures = build_readme.readme([cell("code", "plot()", [png], id="pic")])[1]
    assert pictures == {"nbs/images/index-pic.svg": b"<svg/>"}, "a figure that is SVG stays so"


def test_the_table_of_results_is_read_from_stored_files():
    "Each figure of the README's table is the one that the stored CSV gives now"
    cells = json.loads((ROOT/"nbs"/"index.ipynb").read_text(encoding="utf-8"))["cells"]
    code = ["".join(c["source"]) for c in cells if c["id"] == "imports" or c["id"].startswith("results-")]
    names = {}
    exec("\n".join(code), names)
    table = names["Markdown"](names["pd"].DataFrame([names["row"](*o) for o in names["figures"]]).to_markdown(index=False)).data
    assert len(names["figures"]) > 5 and table in (ROOT/"README.md").read_text(encoding="utf-8")
