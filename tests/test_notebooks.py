"Every notebook runs top to bottom from a fresh kernel, in an empty folder, against the wheel, with the network cut."
import json, sys
from pathlib import Path

import pytest

from conftest import ROOT

NOTEBOOKS = sorted((ROOT/"nbs").glob("*.ipynb"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_runs(path, package, run_offline, tmp_path):
    env = dict(MPLBACKEND="module://matplotlib_inline.backend_inline")
    done = run_offline(sys.executable, ROOT/"tests"/"run_notebook.py", path, package, env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    assert not list(tmp_path.iterdir()), "a lesson leaves files behind in the reader's folder"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_stored_outputs(path):
    "What is committed was executed, holds no error and no path of this machine"
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    outputs = [o for c in cells if c["cell_type"] == "code" for o in c["outputs"]]
    assert path.stem == "index" or outputs, "no outputs are stored: run tools/execute_notebooks.py"
    assert not [o for o in outputs if o["output_type"] == "error"]
    text = json.dumps(outputs)
    for trace in ("/tmp/", "/home/", "/root/", str(Path.home()), str(ROOT), " at 0x"): assert trace not in text
    assert not [c["id"] for c in cells if "raises-exception" in c["metadata"].get("tags", [])]


def test_a_failing_notebook_fails(package, run_offline, tmp_path):
    "The control: the runner reports a cell that raises, and one that meets another minitrain"
    nb = dict(cells=[dict(cell_type="code", id="a", metadata={}, source=["1/0"], outputs=[], execution_count=None)],
              metadata={}, nbformat=4, nbformat_minor=5)
    (tmp_path/"bad.ipynb").write_text(json.dumps(nb))
    done = run_offline(sys.executable, ROOT/"tests"/"run_notebook.py", "bad.ipynb", package)
    assert done.returncode == 1 and "ZeroDivisionError" in done.stdout
    done = run_offline(sys.executable, ROOT/"tests"/"run_notebook.py", "bad.ipynb", "/elsewhere")
    assert done.returncode == 1 and "AssertionError" in done.stdout


def test_the_network_is_cut(run_offline):
    code = "import os, socket; print(os.environ['MINITRAIN_NETWORK']); socket.create_connection(('192.0.2.1', 9), timeout=3)"
    done = run_offline(sys.executable, "-c", code)
    if done.stdout.strip() != "cut": pytest.skip("this machine does not let a process cut its network")
    assert "Network is unreachable" in done.stderr
