#!/usr/bin/env python3
"""Does anything notice when a public function stops doing its work? A control for every check in the book.

For each exported name, in turn: a function's body becomes `return <its first argument>` (None if it takes none), a class
becomes an empty one. The change is made in the exported cell of its notebook and in the module of a copy of the package.
Then its lesson runs, then the tests that name it, then the other lessons that name it, until something fails.
First every lesson must pass in such a copy with nothing emptied; else its failures would say nothing.
A name that nothing notices is a survivor: the result lists it, and the exit status is 1.

    python bench/controls.py [NAME ...]      (all names when none is given; about 10 s a name)
"""
import ast, importlib, json, os, re, shutil, subprocess, sys, tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd

from minitrain.core import save_results

ROOT = Path(__file__).parents[1]
RESULT = ROOT/"minitrain"/"assets"/"results"/"controls.csv"
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


def make_copy(folder: Path, notebook: Path) -> Path:
    "The package, with the notebooks as the wheel carries them, and one lesson in `folder`; gives the lesson"
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT/"minitrain", folder/"minitrain", ignore=ignore)
    (folder/"minitrain"/"lessons").mkdir()
    for o in (ROOT/"nbs").glob("*.ipynb"): shutil.copy(o, folder/"minitrain"/"lessons")
    return Path(shutil.copy(notebook, folder))


def empty_name(folder: Path, module: str, name: str, lesson: Path):
    "Empty `name` in the copied module and in the copied lesson"
    path = folder/"minitrain"/f"{module}.py"
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


def noticed_by(notebook: Path, name: str | None) -> str | None:
    "The first lesson or test file that fails when `name` is emptied; None if all pass. Without a name: does the lesson itself fail?"
    with tempfile.TemporaryDirectory() as tmp:
        folder = Path(tmp)
        lesson = make_copy(folder, notebook)
        if name is not None: empty_name(folder, notebook.stem[3:], name, lesson)
        empty = folder/"empty"
        empty.mkdir()
        env = dict(os.environ, PYTHONPATH=str(folder), OMP_NUM_THREADS="1", PYTHONDONTWRITEBYTECODE="1")
        def fails(command): return subprocess.run(command, cwd=empty, env=env, capture_output=True, stdin=subprocess.DEVNULL).returncode != 0
        run_notebook = [sys.executable, ROOT/"tests"/"run_notebook.py"]
        if fails([*run_notebook, lesson, folder]): return notebook.name
        if name is None: return None
        word = re.compile(rf"\b{re.escape(name)}\b")
        for test in sorted((ROOT/"tests").glob("test_*.py")):
            if test.name in SLOW_TESTS or not word.search(test.read_text(encoding="utf-8")): continue
            if fails([sys.executable, "-m", "pytest", "-x", "-q", "-n", "0", "-p", "no:cacheprovider", test]): return f"tests/{test.name}"
        for other in sorted((ROOT/"nbs").glob("[0-9]*.ipynb")):
            if other != notebook and word.search(other.read_text(encoding="utf-8")) and fails([*run_notebook, other, folder]): return other.name
    return None


def main():
    wanted = set(sys.argv[1:])
    tasks = [(notebook, name) for notebook in sorted((ROOT/"nbs").glob("[0-9]*.ipynb"))
             for name in importlib.import_module(f"minitrain.{notebook.stem[3:]}").__all__ if not wanted or name in wanted]
    def run(task):
        notebook, name = task
        by = noticed_by(notebook, name)
        print(f"{notebook.stem:<16} {name:<36} {by or 'NOTHING'}", flush=True)
        return dict(lesson=notebook.stem, name=name, noticed=by is not None, by=by or "nothing")
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        broken = [o for o in pool.map(lambda notebook: noticed_by(notebook, None), sorted({notebook for notebook, _ in tasks})) if o]
        if broken: sys.exit(f"fail with nothing emptied: {broken}")
        print("every lesson passes with nothing emptied", flush=True)
        df = pd.DataFrame(pool.map(run, tasks))
    print(f"{df.noticed.sum()} of {len(df)} emptied names are noticed")
    if not wanted: save_results(df, RESULT, command="python bench/controls.py")
    sys.exit(not df.noticed.all())


if __name__ == "__main__": main()
