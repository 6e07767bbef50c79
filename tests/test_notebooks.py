"Every notebook runs top to bottom from a fresh kernel, in an empty folder, against the wheel, with the network cut."
import json, os, re, subprocess, sys
from pathlib import Path

import pytest

from conftest import OFFLINE, ROOT

NOTEBOOKS = sorted((ROOT/"nbs").glob("*.ipynb"))
# Any absolute path of two names or more, on whatever machine it was made, and other things that tell one machine from another.
# After a letter, a dot, a colon, a closing bracket or a slash it is no path: train/valid, ../a/b, https://a/b, (a/b)/c/d, </td>
TRACE = re.compile(r"(?<![\w.:/<>\\~*)\]}-])/(?:[\w.+@-]+/)+[\w.+@-]+|\b[A-Za-z]:\\+\w|(?:site|dist)-packages| at 0x[0-9a-f]{4,}|file://|localhost|127\.0\.0\.1")


@pytest.fixture(scope="module")
def run(package, wheel_env):
    "Run a notebook in a folder, with another package if one is named; gives the exit status and what was printed"
    command = [*OFFLINE, sys.executable, str(ROOT/"tests"/"run_notebook.py"), "--serve", str(package)]
    env = dict(wheel_env, MPLBACKEND="module://matplotlib_inline.backend_inline")
    with subprocess.Popen(command, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        def run(path, folder, *package):
            print(json.dumps([str(path), str(folder), *package]), file=server.stdin, flush=True)
            return json.loads(server.stdout.readline())
        yield run
        server.stdin.close()


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_runs(path, run, tmp_path):
    status, text = run(path, tmp_path)
    assert status == 0, text
    assert not list(tmp_path.iterdir()), "a lesson leaves files behind in the reader's folder"


def traces(output):
    "What an output says of the machine that made it; pictures are not text"
    texts = [o for k, o in output.get("data", {}).items() if k.startswith("text/") or k.endswith("json")]
    texts += [output[k] for k in ("text", "evalue", "traceback") if k in output]
    text = "\n".join("".join(o) if isinstance(o, (list, str)) else json.dumps(o) for o in texts)
    return TRACE.findall(re.sub(r"base64,[A-Za-z0-9+/=\s]+|[A-Za-z0-9+/=]{200,}", "", text))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_stored_outputs(path):
    "What is committed was executed, holds no error and no path of this machine"
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    outputs = [o for c in cells if c["cell_type"] == "code" for o in c["outputs"]]
    assert path.stem == "index" or outputs, "no outputs are stored: run tools/execute_notebooks.py"
    assert not [o for o in outputs if o["output_type"] == "error"]
    assert not [(c["id"], found) for c in cells for o in c.get("outputs", []) if (found := traces(o))]
    assert not [c["id"] for c in cells if "raises-exception" in c["metadata"].get("tags", [])]


def test_pages_hold_no_path():
    "The rendered site: the outputs of notebooks again, and what the renderer adds; addresses inside the site begin with a dot or a name"
    pages = [p for p in (ROOT/"docs").rglob("*.html") if "_static" not in p.parts]
    assert len(pages) > 20
    for page in pages:
        text = re.sub(r"<[^>]*>|base64,[A-Za-z0-9+/=]+", " ", page.read_text(encoding="utf-8"))
        assert not re.findall(r"(?:site|dist)-packages|/(?:tmp|home|root|Users|work|workspace|builds)/\w[^ <]*", text), page.name
        assert str(ROOT) not in text or len(ROOT.parts) < 3, page.name


@pytest.mark.parametrize("text, found", [
    ("/work/main/.venv/lib/python3.11/x.py:3: UserWarning", True), ("saved in /a/b", True), ("['/srv/data.csv']", True), ("C:\\Users\\me", True),
    ("lib/site-packages/torch", True), ("<Hook at 0x7f12a>", True), ("file:///a", True), ("http://localhost:8888", True),
    ("train/valid/test", False), ("../a/b", False), ("https://arxiv.org/abs/1706.02677", False), ("<td>1</td></tr>", False), ("(a + b)/c/d", False),
    ("runs/digits-1/loss.png", False), ("1/2/3 and /half", False), ("data:image/png;base64,/9j/4AAQ/Sk+/Zz", False)])
def test_traces_are_found(text, found):
    "The control of `test_stored_outputs`"
    assert bool(traces(dict(output_type="stream", text=[text]))) == found
    assert bool(traces(dict(data={"text/html": text, "image/png": "/9j/4AAQ/Sk"}))) == found


@pytest.mark.parametrize("source, error", [
    ("1/0", "ZeroDivisionError"), ("import os\nos._exit(3)", "DeadKernelError"), ("from minitrain.all import *\nsubplots(suptitle='$\\\\nothing$');", "Unknown symbol")])
def test_a_failing_notebook_fails(run, tmp_path, source, error):
    "The control: the runner reports a cell that raises, a kernel that died and a figure that cannot be drawn"
    nb = dict(cells=[dict(cell_type="code", id="a", metadata={}, source=[source], outputs=[], execution_count=None)],
              metadata={}, nbformat=4, nbformat_minor=5)
    (tmp_path/"bad.ipynb").write_text(json.dumps(nb))
    status, text = run("bad.ipynb", tmp_path)
    assert status == 1 and error in text


def test_another_minitrain_fails(run, tmp_path):
    status, text = run(NOTEBOOKS[0], tmp_path, "/elsewhere")
    assert status == 1 and "AssertionError" in text


CONNECT = """
import os, socket
print(os.environ["MINITRAIN_NETWORK"])
socket.create_connection(("192.0.2.1", 9), timeout=3)
"""


def test_the_network_is_cut(run_offline):
    done = run_offline(sys.executable, "-c", CONNECT)
    if done.stdout.strip() != "cut": pytest.skip("no process here may cut its network")
    assert "Network is unreachable" in done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="no network namespaces here")
def test_where_the_cut_is_forbidden_commands_run(tmp_path):
    """AppArmor on ubuntu-24.04 lets a user make a namespace and forbids the next step: the
    write to uid_map"""
    denied = ("import os, sys, offline\n"
        "def deny(*_): raise PermissionError(1, 'Operation not permitted')\n"
        "os.getuid, offline.keep_ids = lambda: 1000, deny\n")
    def run(code):
        env = dict(os.environ, PYTHONPATH=str(ROOT/"tests"))
        command = [sys.executable, "-c", denied + code, sys.executable, "-c",
                   "import os; print(os.environ['MINITRAIN_NETWORK'])"]
        return subprocess.run(command, env=env, capture_output=True, text=True)
    done = run("offline.main()")
    assert (done.returncode, done.stdout) == (0, "as it was\n"), done.stderr
    assert run("offline.cut_network()").returncode  # the control: without the probe
