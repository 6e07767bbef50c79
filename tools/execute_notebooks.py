#!/usr/bin/env python3
"""Run notebooks top to bottom from a fresh kernel, in an empty folder, and store their outputs, cleaned.

    execute_notebooks.py [nbs/NN_name.ipynb ...]      (all of nbs/ when none is named)

A cell that raises stops its notebook, which is then left as it was. Prints each notebook's seconds.
"""
import os, sys, tempfile, time
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

import fold

ROOT = Path(__file__).parents[1]
ENV = dict(OMP_NUM_THREADS="1", MKL_NUM_THREADS="1", PYTHONHASHSEED="0", TQDM_DISABLE="", COLUMNS="100")


def execute(path: Path) -> float:
    "Run one notebook, write it back with its outputs, and give the seconds that it took"
    nb = nbformat.read(path, as_version=4)
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as empty:
        NotebookClient(nb, timeout=300, kernel_name="python3", coalesce_streams=True, resources=dict(metadata=dict(path=empty))).execute()
    nb.metadata = dict(kernelspec=dict(display_name="python3", language="python", name="python3"))
    tmp = path.with_suffix(".tmp")
    nbformat.write(nb, tmp)
    os.replace(tmp, path)
    return time.monotonic() - start


def clean(paths):
    "nbdev_clean on each notebook (no execution counts, no changing metadata), then the folds"
    from nbdev.clean import nbdev_clean
    for path in paths:
        nbdev_clean(str(path))
        fold.fold_file(path)


def main():
    os.environ.update(ENV)
    os.environ.pop("MPLBACKEND", None)  # another backend than the kernel's own would leave the figures out, without a word
    paths = [Path(p).resolve() for p in sys.argv[1:]] or sorted((ROOT/"nbs").glob("*.ipynb"))
    failed = []
    for path in paths:
        try: print(f"{path.name}: {execute(path):.1f} s", flush=True)
        except CellExecutionError as e:
            failed.append(path.name)
            print(f"{path.name}: FAILED\n{e}", file=sys.stderr)
    clean([p for p in paths if p.name not in failed])
    sys.exit(bool(failed))


if __name__ == "__main__": main()
