"""What the tests share: the wheel and sdist as built, the wheel unpacked, and a launcher that cuts the network."""
import compileall, gc, importlib.util, os, shutil, signal, subprocess, sys, zipfile
from configparser import ConfigParser
from pathlib import Path

import pytest
from filelock import FileLock
from xdist.scheduler import LoadFileScheduling

ROOT = Path(__file__).parents[1]
# A run started in the background may have inherited "ignore SIGINT", and would hand it on to the children that the tests interrupt
signal.signal(signal.SIGINT, signal.default_int_handler)
gc.set_threshold(10_000)  # thousands of tests are many objects that stay: looking for garbage among them takes time

# What takes longest goes first, for all workers to be done at the same time
LONGEST = "access site exercises scale cli reference stubs catch_widgets checkpoint compare reasoning_job atari notebooks".split()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    items.sort(key=lambda o: (*LONGEST, o.path.stem[5:]).index(o.path.stem[5:]))


def pytest_collection_finish():
    "What is there now stays: the collector of garbage need not go through it again and again"
    gc.collect()
    gc.freeze()


class Scheduling(LoadFileScheduling):
    "A worker gets all tests of a file, whose fixtures, caches and imports are then made once; notebooks are dealt out one by one"
    def _split_scope(self, nodeid): return nodeid if "::test_runs[" in nodeid else super()._split_scope(nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log): return Scheduling(config, log)


OFFLINE = [sys.executable, str(ROOT/"tests"/"offline.py")]


@pytest.fixture(scope="session")
def built(tmp_path_factory) -> Path:
    "Folder with the wheel, the sdist and the wheel unpacked, built once however many workers there are"
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ: shared = shared.parent
    out = shared/"built"
    with FileLock(f"{out}.lock"):
        if not (out/"done").exists():
            source = out/"source"  # a copy, so that nothing is left in the working tree
            shutil.copytree(ROOT, source, ignore=shutil.ignore_patterns(
                ".git", ".venv", "build", "dist", "*.egg-info", "docs", "runs", "_proc", "__pycache__", ".ipynb_checkpoints", "node_modules"))
            # the sdist from the tree, then the wheel from the sdist, in an environment of its own: as `python -m build` does it
            done = subprocess.run([sys.executable, "-m", "build", "--outdir", out, source], capture_output=True, text=True)
            assert done.returncode == 0, done.stdout + done.stderr
            with zipfile.ZipFile(next(out.glob("*.whl"))) as z: z.extractall(out/"unpacked")
            compileall.compile_dir(out/"unpacked", quiet=1)  # once, and not in each process that imports it
            (out/"done").touch()
    return out


@pytest.fixture(scope="session")
def package(built) -> Path:
    "The folder whose `minitrain/` is the package as the wheel carries it"
    return built/"unpacked"


@pytest.fixture(scope="session")
def wheel_env(package) -> dict:
    "Environment variables with which a child process imports minitrain from the unpacked wheel"
    return dict(os.environ, PYTHONPATH=str(package), OMP_NUM_THREADS="1", MPLBACKEND="agg", PYTHONDONTWRITEBYTECODE="1")


@pytest.fixture
def run_offline(wheel_env, tmp_path):
    "Run a command in an empty folder with the package as built and the network cut; gives the CompletedProcess"
    def run(*command, timeout=300, env={}, **kwargs):
        kwargs.setdefault("cwd", tmp_path)
        return subprocess.run([*OFFLINE, *map(str, command)], env=dict(wheel_env, **env), capture_output=True, text=True,
                              timeout=timeout, stdin=subprocess.DEVNULL, **kwargs)
    return run


@pytest.fixture(scope="session")
def tab():
    "A tab of a headless Chromium; without one the test is skipped, or fails if MINITRAIN_BROWSER=required"
    import chromium
    there = {"chromium": chromium.find(), "the package websocket-client": importlib.util.find_spec("websocket")}
    if missing := " and ".join(k for k, v in there.items() if not v):
        if os.environ.get("MINITRAIN_BROWSER") == "required": pytest.fail(f"MINITRAIN_BROWSER=required, and {missing} is missing")
        pytest.skip(f"{missing} is missing")
    with chromium.page() as page: yield page


@pytest.fixture(scope="session")
def base(tmp_path_factory):
    "Where docs/ is served, under the path that it has on its host"
    import chromium
    settings = ConfigParser(delimiters=["="])
    settings.read(ROOT/"settings.ini", encoding="utf-8")
    host, path = tmp_path_factory.mktemp("host"), settings["DEFAULT"]["doc_baseurl"]
    (host/path.strip("/")).symlink_to(ROOT/"docs")
    with chromium.serve(host) as address: yield address + path
