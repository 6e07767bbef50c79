"""Run every cell of a notebook in a fresh kernel, as Run All does: `python run_notebook.py NB.ipynb PACKAGE_FOLDER`.

The kernel must import minitrain from PACKAGE_FOLDER. On failure the cell's source and traceback are printed, exit status 1.
"""
import re, sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

ANSI = re.compile(r"\x1b\[[0-9;]*m")


def main(path, package):
    nb = nbformat.read(path, as_version=4)
    whence = nbformat.v4.new_code_cell(
        f"import minitrain; assert minitrain.__file__.startswith({package!r}), minitrain.__file__")
    nb.cells.insert(0, whence)
    # a cell tagged raises-exception would be let through: no lesson may have one
    for cell in nb.cells: cell.metadata.pop("tags", None)
    try: NotebookClient(nb, timeout=240, kernel_name="python3", resources=dict(metadata=dict(path="."))).execute()
    except CellExecutionError as e:
        print(f"{Path(path).name}:\n{ANSI.sub('', str(e))}")
        return 1
    return 0


if __name__ == "__main__": sys.exit(main(*sys.argv[1:]))
