"""Run every cell of notebooks, as Run All does, each in a kernel of its own.

    python run_notebook.py NB.ipynb PACKAGE_FOLDER
    python run_notebook.py --serve PACKAGE_FOLDER     (what to run comes by lines: ["NB.ipynb", "FOLDER TO RUN IT IN"]; another
                                               package may follow)

The kernel must import minitrain from PACKAGE_FOLDER. Where a cell raises or a figure cannot be drawn, the cell's source and
traceback are printed, exit status 1. On Linux a kernel is a fork of a process that has imported torch, Matplotlib and pandas
and nothing of minitrain, which saves seconds for each notebook.
"""
import asyncio, gc, json, multiprocessing, os, re, signal, sys, tempfile
from pathlib import Path

import nbformat
from jupyter_client.provisioning import local_provisioner
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

ANSI = re.compile(r"\x1b\[[0-9;]*m")
FORKS = sys.platform == "linux"
Process = multiprocessing.get_context("fork" if FORKS else "spawn").Process
# Which minitrain it is; and a figure is drawn once, not four times for the two pictures that a notebook stores of it
FIRST = """import minitrain.core
assert minitrain.__file__.startswith({!r}), minitrain.__file__
minitrain.core.as_pictures = lambda fig, **kwargs: fig.canvas.draw() or ({{}}, {{}})
del minitrain"""


class Kernel(Process):
    "A fork that becomes a kernel, with what jupyter_client asks of a `subprocess.Popen`"
    stdin = stdout = stderr = None

    def __init__(self, cmd, **kwargs):
        super().__init__(args=cmd[cmd.index("-f"):])
        self.start()
        os.setpgid(self.pid, self.pid)

    def run(self):
        from ipykernel.kernelapp import IPKernelApp
        os.setpgid(0, 0)
        signal.set_wakeup_fd(-1)
        for o in (signal.SIGINT, signal.SIGTERM): signal.signal(o, signal.SIG_DFL)
        asyncio.set_event_loop(asyncio.new_event_loop())
        IPKernelApp.launch_instance([*self._args, f"--IPKernelApp.parent_handle={os.getppid()}"])

    def poll(self): return self.exitcode
    def wait(self): self.join()


def fork_kernels():
    "Import what lessons import, and what torch imports for its first optimizer, for the kernels to find it"
    import ipykernel.kernelapp, matplotlib.pyplot, pandas, torch._dynamo  # noqa: E401, F401
    local_provisioner.launch_kernel = Kernel
    gc.freeze()


def main(path, package):
    nb = nbformat.read(path, as_version=4)
    nb.cells.insert(0, nbformat.v4.new_code_cell(FIRST.format(package)))
    # a cell tagged raises-exception would be let through: no lesson may have one
    for cell in nb.cells: cell.metadata.pop("tags", None)
    try: NotebookClient(nb, timeout=240, kernel_name="python3", resources=dict(metadata=dict(path="."))).execute()
    except CellExecutionError as e: errors = [str(e)]
    else: errors = ["\n".join([c.source, *o.traceback]) for c in nb.cells for o in c.get("outputs", []) if o.output_type == "error"]
    if errors: print(f"{Path(path).name}:", *(ANSI.sub("", o) for o in errors), sep="\n")
    return bool(errors)


def job(out, folder, *args):
    with open(out, "w") as f:
        for o in (1, 2): os.dup2(f.fileno(), o)
    os.chdir(folder)
    sys.exit(main(*args))


def serve(package):
    "Answer each line with one: the exit status, and what was printed"
    for line in sys.stdin:
        path, folder, *other = json.loads(line)
        with tempfile.NamedTemporaryFile("r") as out:
            child = Process(target=job, args=(out.name, folder, path, *(other or [package])))
            child.start()
            child.join()
            print(json.dumps([child.exitcode, out.read()]), flush=True)


if __name__ == "__main__":
    if FORKS: fork_kernels()
    sys.exit(serve(sys.argv[2]) if sys.argv[1] == "--serve" else main(*sys.argv[1:]))
