#!/usr/bin/env python3
"""Fold cells alike in Jupyter, in Colab and on the site.

    fold.py [NB.ipynb ...]     (all of nbs/ when none is named)

What the site folds or leaves out (see tools/site/convert.py) gets the metadata that
JupyterLab (`jupyter.source_hidden`) and Colab (`cellView`) read. Every other cell
loses it. Prints the notebooks that it changed.
"""
import json, sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT/"tools"/"site"))
import convert  # noqa: E402


def folded(cell) -> bool:
    "True for a code cell whose input is folded, or hidden, on the site"
    if cell["cell_type"] != "code": return False
    options, code = convert.split_options(convert.text_of(cell["source"]))
    hidden = "hide" in options or "false" in map(options.get, ("include", "echo"))
    return hidden or convert.is_folded(options, code)


def fold(nb: dict) -> dict:
    "The notebook, its cells' metadata set in place"
    for cell in nb["cells"]:
        meta = cell["metadata"]
        jupyter = dict(meta.pop("jupyter", {}))
        for o in (jupyter, meta): o.pop("source_hidden", None), o.pop("cellView", None)
        if folded(cell):
            jupyter["source_hidden"] = True
            meta["cellView"] = "form"
        if jupyter: meta["jupyter"] = jupyter
    return nb


def fold_file(path: Path) -> bool:
    "Fold a notebook on disk, written as nbdev writes it; True where that changed it"
    text = path.read_text(encoding="utf-8")
    nb = fold(json.loads(text))
    new = json.dumps(nb, sort_keys=True, indent=1, ensure_ascii=False) + "\n"
    if new != text: path.write_text(new, encoding="utf-8")
    return new != text


def main():
    for path in map(Path, sys.argv[1:] or sorted((ROOT/"nbs").glob("*.ipynb"))):
        if fold_file(path): print(f"folded {path.name}")


if __name__ == "__main__": main()
