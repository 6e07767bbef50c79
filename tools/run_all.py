#!/usr/bin/env python3
"""Run All in JupyterLab, in a headless Chromium, as a reader does: every code cell is executed, and none fails.

    run_all.py nbs/NN_name.ipynb ...        (a line for each; exit status 1 if a cell of one failed or was not reached)

Works on copies without outputs, with a server, a profile and a workspace of its own. Needs `chromium` and the `dev` extra.
"""
import json, os, socket, subprocess, sys, tempfile, time
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT/"tests"))
import chromium

LIMIT = 600  # seconds for a notebook
STATE = """(() => {
    const w = [...jupyterapp.shell.widgets('main')].find(o => o.context && o.context.path === wanted);
    const kernel = w && w.context.isReady && w.sessionContext.session && w.sessionContext.session.kernel;
    if (!kernel) return null;
    const code = w.content.widgets.filter(c => c.model.type === 'code' && c.model.sharedModel.getSource().trim());
    const outputs = c => [...Array(c.model.outputs.length).keys()].map(i => c.model.outputs.get(i));
    return {idle: kernel.status === 'idle', cells: code.length, done: code.filter(c => c.model.executionCount).length,
        failed: code.filter(c => outputs(c).some(o => o.type === 'error')).map(c => c.model.id)};
})()"""


@contextmanager
def jupyter_lab(folder: Path):
    "JupyterLab on `folder`; gives its address"
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    own = {o: str(folder.parent/o) for o in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTERLAB_WORKSPACES_DIR")}
    options = ["--no-browser", "--allow-root", f"--port={port}", "--ServerApp.token=", "--ServerApp.password=", "--LabApp.expose_app_in_browser=True",
        "--LabApp.news_url=None", "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate", f"--ServerApp.root_dir={folder}"]
    with open(folder.parent/"log", "w") as log:
        child = subprocess.Popen([sys.executable, "-m", "jupyterlab", *options], env=dict(os.environ, **own, OMP_NUM_THREADS="1"), stdout=log, stderr=log)
    try:
        end = time.monotonic() + 120
        while True:
            try: urlopen(f"http://127.0.0.1:{port}/api", timeout=5).close(); break
            except OSError:
                if child.poll() is not None or time.monotonic() > end: sys.exit((folder.parent/"log").read_text())
                time.sleep(0.2)
        yield f"http://127.0.0.1:{port}"
    finally:
        child.terminate()
        child.wait(60)


def run_all(tab, name: str) -> dict:
    "Open a notebook, run all of it, and say what came of it"
    tab.js(f"window.wanted = '{name}'; void jupyterapp.commands.execute('docmanager:open', {{path: '{name}', factory: 'Notebook'}}).then(w => jupyterapp.shell.activateById(w.id))")
    tab.wait(f"(s => s && s.idle && s.cells > 0)({STATE})", timeout=180)
    tab.js("void jupyterapp.commands.execute('notebook:run-all-cells')")
    end, state = time.monotonic() + LIMIT, {}
    while time.monotonic() < end:
        time.sleep(1)
        state = tab.js(STATE)
        if state["idle"] and (state["failed"] or state["done"] == state["cells"]): break
    tab.js("[...jupyterapp.shell.widgets('main')].find(o => o.context && o.context.path === wanted).sessionContext.shutdown()")
    return state


def main(paths):
    good = True
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as tmp:
        folder = Path(tmp)/"nbs"
        folder.mkdir()
        for path in paths:
            nb = json.loads(Path(path).read_text(encoding="utf-8"))
            for c in nb["cells"]:
                if c["cell_type"] == "code": c["outputs"], c["execution_count"] = [], None
            (folder/Path(path).name).write_text(json.dumps(nb), encoding="utf-8")
        with jupyter_lab(folder) as address, chromium.page() as tab:
            tab.call("Emulation.setFocusEmulationEnabled", enabled=True)
            tab.open(f"{address}/lab", timeout=180)
            tab.wait("typeof jupyterapp === 'object' && jupyterapp.restored.then(() => true)", timeout=180)
            for path in paths:
                start, state = time.monotonic(), run_all(tab, Path(path).name)
                good = good and state["done"] == state["cells"] and not state["failed"]
                print(f"{Path(path).name}: {state['done']} of {state['cells']} cells executed, failed: {state['failed'] or 'none'}; {time.monotonic() - start:.0f} s", flush=True)
    return 0 if good else 1


if __name__ == "__main__": sys.exit(main(sys.argv[1:]))
