#!/usr/bin/env python3
"""Does anything notice when a public function stops doing its work? A control for every check in the book.

For each exported name, in turn: a function's body becomes `return <its first argument>` (None if it takes none), a class
becomes an empty one. The change is made in the exported cell of its notebook and in the module of a copy of the package.
Then its lesson runs, then the tests that name it, then the other lessons that name it, until something fails.
First every lesson must pass in such a copy with nothing emptied; else its failures would say nothing.
A name that nothing notices is a survivor: the result lists it, and the exit status is 1.
All of it works on a copy of the tree, so that what is edited meanwhile does not count.

    python bench/controls.py [--lessons NN ...] [--names NAME ...] [--workers N]      (about 10 s a name)

Stores the rows of the lessons that it measured, each with the commit ("+": and changes) that it was measured at; rows of
other lessons stay as they are, those of names that are gone are dropped. With --names nothing is stored.
"""
import argparse, ast, importlib, json, os, re, shutil, subprocess, sys, tempfile
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache, partial
from pathlib import Path

import pandas as pd

from minitrain.core import load_results
from minitrain.runs import save_results, versions

HERE = Path(__file__).parents[1]
ROOT = HERE  # the copy, once it is made
RESULT = HERE/"minitrain"/"assets"/"results"/"controls.csv"
LIMIT = 900  # seconds for a lesson or a test file; what takes longer hangs, and is noticed
SLOW_TESTS = {"test_site.py", "test_packaging.py", "test_structure.py", "test_notebooks.py", "test_converter.py", "test_readme.py"}


def mutate(source: str, name: str) -> str:
    "`source` with every definition of `name` (a function, class, or @patch method `Class.name`) emptied; unchanged if it has none"
    tree = ast.parse(source)
    for i, node in enumerate(tree.body):
        if getattr(node, "name", None) != name: continue
        if isinstance(node, ast.ClassDef): tree.body[i] = ast.ClassDef(name=name, bases=[], keywords=[], body=[ast.Pass()], decorator_list=[], type_params=[])
        elif isinstance(node, ast.FunctionDef):
            args = node.args.posonlyargs + node.args.args
            node.body = [ast.Return(ast.Name(args[0].arg, ast.Load()) if args else ast.Constant(None))]
            node.decorator_list = []
        return ast.unparse(ast.fix_missing_locations(tree))
    return source


def constants(source: str, name: str) -> str:
    "`source` with a module-level constant `name` set to None"
    return re.sub(rf"^{re.escape(name)}\s*=.*$", f"{name} = None", source, flags=re.M)


def changed(source: str, name: str) -> str:
    new = mutate(source, name)
    return new if new != source else constants(source, name)


def make_package(folder: Path) -> Path:
    "The package, with the notebooks as the wheel carries them, in `folder`"
    if not (folder/"minitrain").exists():
        shutil.copytree(ROOT/"minitrain", folder/"minitrain")
        shutil.copytree(ROOT/"nbs", folder/"minitrain"/"lessons", ignore=shutil.ignore_patterns("images", "*.yml"))
    return folder


def make_copy(folder: Path, notebook: Path) -> Path:
    "One lesson in `folder`"
    return Path(shutil.copy(notebook, folder))


def empty_name(folder: Path, module: str, name: str, lesson: Path):
    "Empty `name` in the copied module and in the copied lesson"
    path = folder/"minitrain"/f"{module.replace('.', '/')}.py"
    source = path.read_text(encoding="utf-8")
    new = changed(source, name)
    assert ast.dump(ast.parse(new)) != ast.dump(ast.parse(source)), f"{name} was not found in {module}"
    path.write_text(new, encoding="utf-8")
    nb = json.loads(lesson.read_text(encoding="utf-8"))
    for cell in nb["cells"]:
        src = "".join(cell["source"])
        if cell["cell_type"] == "code" and re.search(rf"^(def|class) {name}\b|^{name}\s*=", src, re.M) and re.search(r"^#\| *export", src, re.M):
            cell["source"] = changed(src, name)
    lesson.write_text(json.dumps(nb), encoding="utf-8")


def fails(folder: Path, *command) -> bool:
    "Does a command fail where the package is the one in `folder`?"
    env = dict(os.environ, PYTHONPATH=str(folder), OMP_NUM_THREADS="1", PYTHONDONTWRITEBYTECODE="1")
    (folder/"empty").mkdir(exist_ok=True)
    try: return subprocess.run(command, cwd=folder/"empty", env=env, capture_output=True, stdin=subprocess.DEVNULL, timeout=LIMIT).returncode != 0
    except subprocess.TimeoutExpired: return True


def check(path: Path, folder: Path) -> bool:
    "Does a lesson or a test file fail there?"
    if path.suffix == ".ipynb": return fails(folder, sys.executable, ROOT/"tests"/"run_notebook.py", path, folder)
    return fails(folder, sys.executable, "-m", "pytest", "-x", "-q", "-n", "0", "-p", "no:cacheprovider", path)


@lru_cache(None)
def sound(path: Path) -> bool:
    "Does a lesson or a test file pass with nothing emptied? Else its failures would say nothing"
    with tempfile.TemporaryDirectory() as tmp: return not check(make_copy(Path(tmp), path) if path.suffix == ".ipynb" else path, make_package(Path(tmp)))


def noticed_by(notebook: Path, name: str) -> str | None:
    "The first lesson or test file that fails when `name` is emptied, though it passes otherwise; None if there is none"
    with tempfile.TemporaryDirectory() as tmp:
        folder = make_package(Path(tmp))
        lesson = make_copy(folder, notebook)
        empty_name(folder, module_of(notebook), name, lesson)
        if check(lesson, folder): return notebook.name
        word = re.compile(rf"\b{re.escape(name)}\b")
        def names_it(path): return word.search(path.read_text(encoding="utf-8"))
        for test in sorted((ROOT/"tests").glob("test_*.py")):
            if test.name not in SLOW_TESTS and names_it(test) and check(test, folder) and sound(test): return f"tests/{test.name}"
        for other in sorted((ROOT/"nbs").glob("[0-9]*.ipynb")):
            if other != notebook and names_it(other) and check(other, folder) and sound(other): return other.name
    return None


def module_of(notebook: Path) -> str:
    return re.search(r"default_exp ([\w.]+)", notebook.read_text(encoding="utf-8"))[1]


def names_of(notebook: Path) -> list:
    return importlib.import_module(f"minitrain.{module_of(notebook)}").__all__


def merged(new: pd.DataFrame, notebooks: list) -> pd.DataFrame:
    "The rows of the lessons measured now, and the stored ones of the others; in the order of the book, without names that are gone"
    old = load_results(RESULT) if RESULT.exists() else pd.DataFrame(columns=new.columns)
    if "at" not in old: old["at"] = old.attrs["git"]["commit"][:10] + "+"*old.attrs["git"]["dirty"]
    both = pd.concat([old[~old.lesson.isin(new.lesson)], new]).set_index(["lesson", "name"])
    there = [(notebook.stem, name) for notebook in notebooks for name in names_of(notebook)]
    return both.loc[[o for o in there if o in both.index]].reset_index()


def missing(notebooks: list) -> list:
    "Names without a stored row"
    stored = set(load_results(RESULT)[["lesson", "name"]].itertuples(index=False, name=None)) if RESULT.exists() else set()
    return [o for notebook in notebooks for name in names_of(notebook) if (o := (notebook.stem, name)) not in stored]


def main():
    global ROOT
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lessons", nargs="+", metavar="NN", help="numbers such as 08; all by default")
    parser.add_argument("--names", nargs="+", metavar="NAME", help="only these; nothing is stored")
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="how many run at once")
    args = parser.parse_args()
    git, notebooks = versions()["git"], sorted((HERE/"nbs").glob("[0-4]*.ipynb"))
    asked = [o for o in notebooks if not args.lessons or o.stem[:2] in args.lessons]
    with tempfile.TemporaryDirectory() as tmp, ThreadPoolExecutor(args.workers) as pool:
        ROOT = Path(tmp)
        left_out = ".git", ".venv", "docs", "build", "dist", "runs", "*.egg-info", "__pycache__", ".ipynb_checkpoints"
        shutil.copytree(HERE, ROOT, ignore=shutil.ignore_patterns(*left_out), dirs_exist_ok=True)
        tasks = {ROOT/"nbs"/notebook.name: [name for name in names_of(notebook) if not args.names or name in args.names] for notebook in asked}
        broken = [notebook.name for notebook, passes in zip(tasks, pool.map(lambda o: not tasks[o] or sound(o), tasks)) if not passes]
        if broken: sys.exit(f"fail with nothing emptied: {broken}")
        print("every lesson passes with nothing emptied", flush=True)
        def run(notebook, name):
            by = noticed_by(notebook, name)
            print(f"{notebook.stem:<16} {name:<36} {by or 'NOTHING'}", flush=True)
            return dict(lesson=notebook.stem, name=name, noticed=by is not None, by=by or "nothing", at=git["commit"][:10] + "+"*git["dirty"])
        rows = []
        for notebook, names in tasks.items():
            rows += pool.map(partial(run, notebook), names)
            if rows and not args.names: save_results(merged(pd.DataFrame(rows), notebooks), RESULT, command="python bench/controls.py")  # after each lesson: the whole takes long
    df = pd.DataFrame(rows)
    print(f"{df.noticed.sum()} of {len(df)} emptied names are noticed")
    for key in missing(notebooks): print("not measured yet:", *key)
    sys.exit(not df.noticed.all())


if __name__ == "__main__": main()
