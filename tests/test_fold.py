"Cells are folded alike in Jupyter, in Colab and on the site; nbdev_clean keeps it so."
import copy, json, subprocess, sys
from pathlib import Path

import pytest

from conftest import ROOT

sys.path[:0] = [str(ROOT/"tools"), str(ROOT/"tools"/"site")]
import convert, fold  # noqa: E402

FOLDED = dict(jupyter=dict(source_hidden=True), cellView="form")


def cell(source, **metadata):
    return dict(cell_type="code", id="a", source=source.splitlines(True),
        metadata=metadata, outputs=[], execution_count=None)


@pytest.mark.parametrize("source, metadata", [
    ("#| code-fold: true\nf()", FOLDED), ("import torch", FOLDED), ("f()", {}),
    ("#| hide\nf()", FOLDED), ("#| echo: false\nf()", FOLDED),
    ("#| export\ndef f(): pass", {}), ("%matplotlib inline", {})])
@pytest.mark.parametrize("before", [{}, FOLDED])
def test_metadata_follows_the_directive(source, metadata, before):
    nb = dict(cells=[cell(source, **copy.deepcopy(before))])
    assert fold.fold(nb)["cells"][0]["metadata"] == metadata
    assert fold.fold(copy.deepcopy(nb)) == nb


def test_what_is_not_ours_stays():
    meta = dict(jupyter=dict(source_hidden=True, outputs_hidden=True), tags=["a"])
    nb = fold.fold(dict(cells=[cell("f()", **meta)]))
    meta["jupyter"].pop("source_hidden")
    assert nb["cells"][0]["metadata"] == meta


NOTEBOOKS = sorted((ROOT/"nbs").glob("*.ipynb"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_every_notebook_is_folded_as_its_page(path):
    nb = json.loads(path.read_text(encoding="utf-8"))
    assert fold.fold(copy.deepcopy(nb)) == nb, "run make fold"
    for c in nb["cells"]:
        if c["metadata"].get("cellView") != "form": continue
        options, code = convert.split_options("".join(c["source"]))
        tags = convert.code_metadata(options, code)["tags"]
        assert "hide" in options or {"hide-input", "remove-input"} & set(tags)


def test_nbdev_clean_keeps_the_folds(tmp_path):
    (tmp_path/"nbs").mkdir()
    (tmp_path/"settings.ini").write_text((ROOT/"settings.ini").read_text())
    cells = [cell("#| code-fold: true\nf()")]
    nb = dict(cells=cells, metadata={}, nbformat=4, nbformat_minor=5)
    path = tmp_path/"nbs"/"00_a.ipynb"
    path.write_text(json.dumps(fold.fold(nb)))
    clean = Path(sys.executable).parent/"nbdev_clean"
    subprocess.run([clean, "--fname", path], cwd=tmp_path, check=True)
    assert json.loads(path.read_text())["cells"][0]["metadata"] == FOLDED
    assert not fold.fold_file(path), "it is written as nbdev writes it"
