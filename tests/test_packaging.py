"The wheel and the sdist are whole, and the wheel works in an empty environment with the network cut."
import ast, re, subprocess, sys, sysconfig, tarfile, venv, zipfile
from configparser import ConfigParser
from email.parser import Parser

import pytest

from conftest import OFFLINE, ROOT

NOTEBOOKS = sorted(p.name for p in (ROOT/"nbs").glob("*.ipynb"))
LESSONS = [n for n in NOTEBOOKS if not n.startswith("5")]  # checks and solutions stay out of a reader's folder
ASSETS = sorted(str(p.relative_to(ROOT)) for p in (ROOT/"minitrain"/"assets").rglob("*") if p.is_file())


def settings():
    config = ConfigParser(delimiters=["="])
    config.read(ROOT/"settings.ini", encoding="utf-8")
    return config["DEFAULT"]


def test_wheel_is_complete(built):
    with zipfile.ZipFile(next(built.glob("*.whl"))) as z: names = set(z.namelist())
    modules = {str(p.relative_to(ROOT)) for p in (ROOT/"minitrain").rglob("*.py*")
               if p.suffix in (".py", ".pyi", ".typed")}
    assert modules | set(ASSETS) | {f"minitrain/lessons/{n}" for n in LESSONS} <= names
    assert not [n for n in names if n.startswith("minitrain/lessons/5")]
    assert all(n.startswith("minitrain/") or ".dist-info/" in n for n in names), "only minitrain goes into site-packages"


def test_sdist_is_complete(built):
    with tarfile.open(next(built.glob("*.tar.gz"))) as t: names = {n.partition("/")[2] for n in t.getnames()}
    assert {"settings.ini", "README.md", "LICENSE", "constraints.txt", *(f"nbs/{n}" for n in NOTEBOOKS), *ASSETS} <= names


def test_metadata(package):
    info = next(package.glob("minitrain-*.dist-info"))
    meta = Parser().parsestr((info/"METADATA").read_text(encoding="utf-8"))
    cfg = settings()
    assert meta["Version"] == cfg["version"] and meta["Requires-Python"] == f">={cfg['min_python']}"
    wanted = {re.split(r"[<>=]", r)[0].lower() for r in cfg["requirements"].split()}
    got = {re.split(r"[<>=;\s]", r)[0].lower() for r in meta.get_all("Requires-Dist") if "extra" not in r}
    assert got == wanted
    assert "minitrain=minitrain.__main__:main" in (info/"entry_points.txt").read_text().replace(" ", "")


def test_every_import_is_required():
    "What the package imports, anywhere in its code, is the standard library or named in `requirements`"
    imported = set()
    for path in (ROOT/"minitrain").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import): imported |= {a.name.split(".")[0] for a in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level: imported.add(node.module.split(".")[0])
    names = " ".join(settings()[o] for o in ("requirements", "distributed_requirements", "atari_requirements"))  # those of an extra are imported when it is used
    required = {re.split(r"[<>=]", r)[0].lower() for r in names.split()}
    required = {{"pyyaml": "yaml", "scikit-learn": "sklearn", "pillow": "PIL", "ale-py": "ale_py"}.get(r, r) for r in required}
    assert imported - set(sys.stdlib_module_names) - required <= {"minitrain", "IPython"}  # IPython: only where a notebook runs


@pytest.fixture(scope="session")
def empty_env(built, tmp_path_factory):
    "A new environment that holds the wheel; its dependencies are lent from this environment by a path, for want of a network"
    home = tmp_path_factory.mktemp("empty")/"env"
    venv.create(home, with_pip=True)
    python = home/"bin"/"python"
    wheel = next(built.glob("*.whl"))
    install = subprocess.run([*OFFLINE, python, "-m", "pip", "install", "--no-deps", "--no-index", wheel], capture_output=True, text=True)
    assert install.returncode == 0, install.stderr
    # a bare path line: the .pth files there, and with them this clone's editable install, are not read
    site = next((home/"lib").glob("python*"))/"site-packages"
    (site/"lent.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return home


def test_digits_runs_from_the_wheel(empty_env, tmp_path):
    "`minitrain digits` in an empty environment, offline, leaves a run folder and names it last"
    done = subprocess.run([*OFFLINE, empty_env/"bin"/"minitrain", "digits", "--epochs", "1"], cwd=tmp_path,
                          capture_output=True, text=True, timeout=300, env={"PATH": "/usr/bin:/bin", "OMP_NUM_THREADS": "1"})
    assert done.returncode == 0, done.stderr
    folder = tmp_path/done.stdout.strip().splitlines()[-1]
    assert {"config.yaml", "metrics.csv", "versions.json", "model.safetensors"} <= {o.name for o in folder.iterdir()}
    where = subprocess.run([empty_env/"bin"/"python", "-c", "import minitrain; print(minitrain.__file__)"], cwd=tmp_path, capture_output=True, text=True)
    assert where.stdout.startswith(str(empty_env))


def test_lessons_come_out_of_the_wheel(empty_env, tmp_path):
    done = subprocess.run([empty_env/"bin"/"minitrain", "lessons", "book"], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert sorted(p.name for p in (tmp_path/"book").iterdir()) == LESSONS


def test_constraints_pin_every_requirement():
    pinned = {line.split("==")[0].lower().replace("_", "-") for line in (ROOT/"constraints.txt").read_text().splitlines() if "==" in line}
    cfg = settings()
    wanted = {re.split(r"[<>=]", r)[0].lower() for key in ("requirements", "dev_requirements", "atari_requirements") for r in cfg[key].split()}
    assert wanted <= pinned


def test_generated_files_are_in_step():
    "Modules, stubs, cleaned notebooks and README match the notebooks (docs/ has its own test)"
    command = [sys.executable, ROOT/"tools"/"check.py", "--fast"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
