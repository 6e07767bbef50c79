"The wheel and the sdist are whole, and the wheel works in an empty environment with the network cut."
import ast, json, re, shutil, subprocess, sys, tarfile, venv, zipfile
from configparser import ConfigParser
from email.parser import Parser
from importlib.metadata import distribution

import pytest
from packaging.requirements import Requirement

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
    assert not [o for o in names if o.startswith("tests/")], "tests need the repository around them: whole or not at all"


def test_wheel_is_light(built):
    "At most 6 MB: a figure travels as SVG, without the PNG that stands beside it in the repository"
    wheel = next(built.glob("*.whl"))
    assert wheel.stat().st_size <= 6e6
    with zipfile.ZipFile(wheel) as z: cells = json.loads(z.read("minitrain/lessons/02_likelihood.ipynb"))["cells"]
    kinds = [set(o.get("data", ())) & {"image/svg+xml", "image/png"} for c in cells for o in c.get("outputs", ())]
    assert {"image/svg+xml"} in kinds and {"image/svg+xml", "image/png"} not in kinds


def test_the_long_description_stands_alone(package):
    "On PyPI no link and no picture of the README is relative, and each leads to a file of the repository"
    info = next(package.glob("minitrain-*.dist-info"))
    meta = Parser().parsestr((info/"METADATA").read_text(encoding="utf-8"))
    targets = re.findall(r"\]\(([^)\s]+)\)", meta.get_payload())
    assert len(targets) > 20 and all(re.match("https://|#", o) for o in targets)
    home = settings()["git_url"]
    raw = home.replace("//github.com", "//raw.githubusercontent.com") + "/main/"
    ours = [o.partition("#")[0].split("/main/", 1)[1] for o in targets if o.startswith((f"{home}/blob/main/", raw))]
    assert all((ROOT/o).is_file() for o in ours) and any(o.startswith(raw) for o in targets)
    assert {o.partition(",")[0] for o in meta.get_all("Project-URL")} >= {"Homepage", "Source", "Issues", "Changelog"}


def test_metadata(package):
    info = next(package.glob("minitrain-*.dist-info"))
    meta = Parser().parsestr((info/"METADATA").read_text(encoding="utf-8"))
    cfg = settings()
    assert meta["Version"] == cfg["version"] and meta["Requires-Python"] == f">={cfg['min_python']}"
    wanted = {re.split(r"[<>=]", r)[0].lower() for r in cfg["requirements"].split()}
    got = {re.split(r"[<>=;\s]", r)[0].lower() for r in meta.get_all("Requires-Dist") if "extra" not in r}
    assert got == wanted
    assert "minitrain=minitrain.__main__:main" in (info/"entry_points.txt").read_text().replace(" ", "")


def required(*keys):
    "The names under which the requirements of some keys of settings.ini are imported"
    names = {re.split(r"[<>=]", r)[0].lower() for key in keys for r in settings()[key].split()}
    return {{"pyyaml": "yaml", "scikit-learn": "sklearn", "pillow": "PIL", "ale-py": "ale_py"}.get(o, o) for o in names}


def imports(tree):
    "What a module or a cell imports, anywhere in its code"
    for node in ast.walk(tree):
        if isinstance(node, ast.Import): yield from (a.name.split(".")[0] for a in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level: yield node.module.split(".")[0]


def code_cells(path):
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return ["".join(c["source"]) for c in cells if c["cell_type"] == "code"]


def test_every_import_is_required():
    "What the package imports is the standard library or named in `requirements`, or in an extra that is imported when it is used"
    found = {o for p in (ROOT/"minitrain").rglob("*.py") for o in imports(ast.parse(p.read_text(encoding="utf-8")))}
    known = required("requirements", "compose_requirements", "distributed_requirements", "atari_requirements")
    assert found - set(sys.stdlib_module_names) - known <= {"minitrain", "IPython"}  # IPython: only where a notebook runs


def test_every_requirement_is_imported():
    "What a user must install, the package or a lesson uses"
    texts = [p.read_text(encoding="utf-8") for p in (ROOT/"minitrain").rglob("*.py")]
    texts += [src for p in (ROOT/"nbs").glob("*.ipynb") for src in code_cells(p)]
    said = "\n".join(texts)
    for name in required("requirements"):
        uses = r"\.to_markdown\(" if name == "tabulate" else rf"^\s*(?:import|from) .*\b{name}\b"  # pandas calls it
        assert re.search(uses, said, re.M), f"{name} is required and never imported"


def test_lessons_need_the_wheel_alone():
    "What a notebook imports is the standard library, what the wheel brings, or what the notebook itself installs first"
    brings = required("requirements") | {"minitrain", "IPython", "google"}
    for path in sorted((ROOT/"nbs").glob("*.ipynb")):
        cells = code_cells(path)
        extra = required("atari_requirements") if "minitrain[atari]" in cells[1] else set()
        extra |= {"accelerate"} if "accelerate" in cells[1] else set()
        if "minitrain.compose" in "".join(cells) or path.stem[3:] == "compose": extra |= {"sklearn"}  # Colab has it; [lab] brings it
        found = {o for src in cells if "find_spec(" not in src
                 for o in imports(ast.parse(re.sub(r"^[%!].*", "", src, flags=re.M), feature_version=(3, 12)))}
        written = {o for o in found if re.search(rf"\b{o}\.py\b", "".join(cells))}  # a script of the lesson itself
        assert found - set(sys.stdlib_module_names) - written <= brings | extra, path.name


def test_the_colab_line_comes_from_settings():
    "One place to change: each lesson installs from the repository that settings.ini names, and only in Colab"
    address = f"git+{settings()['git_url']}.git"
    for path in sorted((ROOT/"nbs").glob("[0-9]*.ipynb")):
        lines = [o for src in code_cells(path) for o in src.splitlines() if "pip install" in o and "get_ipython" in o]
        assert len(lines) == 1 and address in lines[0] and lines[0].startswith('if "google.colab" in sys.modules'), path.name
        text = path.read_text(encoding="utf-8")
        plays = re.search(r"(from|import) minitrain(\.experiments)?\.atari\b|import ale_py", text)
        assert ("minitrain[atari]" in lines[0]) == bool(plays), path.name


def closure(names):
    "Distributions that these requirements bring, and theirs, as installed here"
    found, left = {}, list(names)
    while left:
        name = re.split(r"[^\w.-]", left.pop())[0].lower().replace("_", "-")
        if name in found: continue
        found[name] = distribution(name)
        for o in map(Requirement, found[name].requires or ()):
            if o.marker is None or o.marker.evaluate({"extra": ""}): left.append(str(o))
    return found.values()


@pytest.fixture(scope="session")
def empty_env(built, tmp_path_factory):
    "A new environment with the wheel and what it requires, and nothing else; for want of a network that is lent by links"
    home = tmp_path_factory.mktemp("empty")/"env"
    venv.create(home)
    pip = [sys.executable, "-m", "pip", "--python", home/"bin"/"python"]
    install = subprocess.run([*OFFLINE, *pip, "install", "--no-deps", "--no-index", next(built.glob("*.whl"))],
                             capture_output=True, text=True)
    assert install.returncode == 0, install.stderr
    site = next((home/"lib").glob("python*"))/"site-packages"
    for o in closure(settings()["requirements"].split()):
        for part in {f.parts[0] for f in o.files} - {"..", "__pycache__"}:
            if not (site/part).exists(): (site/part).symlink_to(o.locate_file(part))
    return home


def test_smoke_in_an_empty_environment(empty_env, tmp_path):
    "What CI runs at other versions: tests/smoke.py, with the wheel and its requirements alone"
    env = {"PATH": "/usr/bin:/bin", "OMP_NUM_THREADS": "1"}
    done = subprocess.run([*OFFLINE, empty_env/"bin"/"python", ROOT/"tests"/"smoke.py"], cwd=tmp_path,
                          capture_output=True, text=True, timeout=300, env=env)
    assert done.returncode == 0 and done.stdout.endswith("all well\n"), done.stdout + done.stderr


def test_digits_runs_from_the_wheel(empty_env, tmp_path):
    "`minitrain digits` in an empty environment, offline, leaves a run folder and names it last"
    done = subprocess.run([*OFFLINE, empty_env/"bin"/"minitrain", "digits", "--epochs", "1", "--width", "1"], cwd=tmp_path,
                          capture_output=True, text=True, timeout=300, env={"PATH": "/usr/bin:/bin", "OMP_NUM_THREADS": "1"})
    assert done.returncode == 0, done.stderr
    folder = tmp_path/done.stdout.strip().splitlines()[-1]
    assert {"config.yaml", "metrics.csv", "versions.json", "model.safetensors"} <= {o.name for o in folder.iterdir()}
    where = subprocess.run([empty_env/"bin"/"python", "-I", "-c", "import minitrain; print(minitrain.__file__)"], capture_output=True, text=True)
    assert where.stdout.startswith(str(empty_env))


def test_lessons_come_out_of_the_wheel(empty_env, tmp_path):
    done = subprocess.run([empty_env/"bin"/"minitrain", "lessons", "book"], cwd=tmp_path, capture_output=True, text=True, timeout=120, env={"PATH": "/usr/bin:/bin"})
    assert done.returncode == 0, done.stderr
    assert sorted(p.name for p in (tmp_path/"book").iterdir()) == LESSONS


def test_constraints_pin_every_requirement():
    pinned = {line.split("==")[0].lower().replace("_", "-") for line in (ROOT/"constraints.txt").read_text().splitlines() if "==" in line}
    cfg = settings()
    wanted = {re.split(r"[<>=]", r)[0].lower() for key in ("requirements", "dev_requirements", "atari_requirements") for r in cfg[key].split()}
    assert wanted <= pinned


def test_generated_files_are_in_step(tmp_path):
    """Modules, stubs, cleaned notebooks and README match the notebooks (docs/ has its own
    test): in a copy with a line in a stub, a stub without a module, a line in a module and
    in README, these are named and nothing else"""
    copy = tmp_path/"clone"
    ignore = shutil.ignore_patterns("__pycache__", "assets")
    for name in ("nbs", "minitrain", "tools"):
        shutil.copytree(ROOT/name, copy/name, ignore=ignore)
    for name in ("settings.ini", "pyproject.toml", "README.md"):
        shutil.copy(ROOT/name, copy/name)
    late = ["README.md", "minitrain/learner.pyi", "minitrain/softmax.py"]
    for name in late:
        with open(copy/name, "a") as f: f.write("late: int\n")
    (copy/"minitrain"/"gone.pyi").touch()
    done = subprocess.run([sys.executable, "tools/check.py", "--fast"], cwd=copy,
                          capture_output=True, text=True)
    named = [o.partition(":")[0] for o in done.stdout.splitlines()[:-1]]
    assert done.returncode == 1, done.stdout + done.stderr
    assert sorted(named) == sorted([*late, "minitrain/gone.pyi"]), done.stdout


def test_without_scikit_learn_one_sentence_says_what_to_install(run_offline):
    code = "import sys; sys.modules['sklearn'] = None; import minitrain.compose"
    last = run_offline(sys.executable, "-c", code).stderr.strip().splitlines()[-1]
    assert last.startswith("ImportError: ") and "pip install 'minitrain[compose]'" in last
