#!/usr/bin/env python3
"""Does anything notice a small mistake? Hand mutants of the exported code.

bench/mutants.txt lists them: a sign, an axis, an off by one, a missing detach, an
unweighted mean. Each is made in the exported cell and in the module of a copy of the
tree. Then the lesson runs on from that cell, then the laws, the tests of its module and
those that name the changed function, until one fails that passes with nothing changed.
A mutant that nothing kills is a survivor; the exit status is 1 unless the list says why
nothing can notice it.

    python bench/mutants.py [--lessons NN ...] [--left] [--only tests] [--emptied]

With --emptied the mutants are not those of the list: each public function returns its
first argument, each public class is empty.

About 10 s a mutant for the lessons, which must pass with nothing changed: `make test`.

Stores a row for each mutant that ran; the others' rows stay as they are.
"""
import argparse, ast, csv, json, multiprocessing, os, re, shutil, sys, tempfile, time
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).resolve().parents[1]
RESULTS = HERE/"minitrain"/"assets"/"results"
SLOW = """site packaging structure notebooks converter readme stubs defects exercises
    telling figures bench"""
LEFT_OUT = """.git .venv docs build dist runs *.egg-info __pycache__
    .ipynb_checkpoints"""
FORK = multiprocessing.get_context("fork")  # children have torch already
sys.dont_write_bytecode = True


class Mutant(NamedTuple):
    "A change of the code"
    lesson: str  # number
    old: str
    new: str
    why: str = ""  # nothing can notice it
    name: str = ""  # what is emptied

    @property
    def text(self):
        "In one line"
        if self.name: return self.name
        both = (" / ".join(o.strip() for o in t.splitlines()) for t in self[1:3])
        return " -> ".join(both)


def read_mutants(text: str) -> list:
    "The mutants of a list"
    found, lesson = [], None
    for block in re.split(r"\n\s*\n", text):
        rows = [o for o in block.splitlines() if o and o[0] != "#"]
        if rows and re.fullmatch(r"\d\d", rows[0]): lesson = rows.pop(0)
        def part(sign): return "\n".join(o[2:] for o in rows if o[0] == sign)
        if rows: found.append(Mutant(lesson, part("-"), part("+"), part("=")))
    return found


def enter(tree: Path):
    "In a child: the package of the tree, an empty folder, no words"
    os.environ |= dict(PYTHONPATH=str(tree), MPLBACKEND="agg", OMP_NUM_THREADS="1",
        PYTHONDONTWRITEBYTECODE="1")
    sys.path.insert(0, str(tree))
    tempfile.tempdir = str(tree/"empty"/"tmp")
    os.makedirs(tempfile.tempdir, exist_ok=True)
    os.chdir(tree/"empty")
    nothing = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2): os.dup2(nothing, fd)


def fails(limit: float, target, *args) -> bool:
    "Whether a function that ends its process does not end it well, or takes too long"
    def run():
        os.setsid()
        target(*args)
    child = FORK.Process(target=run)
    child.start()
    child.join(limit)
    if child.is_alive():
        os.killpg(child.pid, 9)
        child.join()
    return child.exitcode != 0


@contextmanager
def unchanged(folder: Path):
    """The files of a folder come back as they were: a child that runs on to the end of a
    lesson clears its temporary folders away, which are its parent's too"""
    with tempfile.TemporaryDirectory(dir=folder.parent) as kept:
        shutil.copytree(folder, kept, symlinks=True, dirs_exist_ok=True)
        yield
        for o in sorted(folder.rglob("*"), reverse=True):
            was = Path(kept)/o.relative_to(folder)
            if o.is_symlink() or not was.exists():
                o.rmdir() if o.is_dir() and not o.is_symlink() else o.unlink()
        shutil.copytree(kept, folder, symlinks=True, dirs_exist_ok=True)


class Lesson:
    "A lesson in a copy of the tree, and its module"
    def __init__(self, tree, number):
        self.tree, self.notebook = tree, next((tree/"nbs").glob(f"{number}_*.ipynb"))
        cells = json.loads(self.notebook.read_text(encoding="utf-8"))["cells"]
        self.cells = ["".join(c["source"]) for c in cells if c["cell_type"] == "code"]
        self.name = re.search(r"default_exp ([\w.]+)", "\n".join(self.cells))[1]
        self.module = tree/"minitrain"/f"{self.name.replace('.', '/')}.py"
        self.source = self.module.read_text(encoding="utf-8")

    def place(self, old: str) -> int:
        "Number of the exported cell that holds a text; there must be one place of it"
        at = [i for i, o in enumerate(self.cells)
            if old in o and re.search(r"^#\| *export", o, re.M)]
        places = self.source.count(old), *(self.cells[i].count(old) for i in at)
        if places != (1, 1):
            raise ValueError(f"{self.notebook.name}: {places} places for {old!r}")
        return at[0]

    @contextmanager
    def mutated(self, old: str, new: str):
        "The module with a mutant in it"
        self.module.write_text(self.source.replace(old, new), encoding="utf-8")
        try: yield
        finally: self.module.write_text(self.source, encoding="utf-8")

    def changed(self, old: str) -> str:
        "Name of the function or class in which a text stands"
        before = self.source.partition(old)[0] + old
        names = re.findall(r"^(?:def|class) (\w+)", before, re.M)
        return names[-1] if names else self.name

    def tests(self, old: str) -> list:
        "The laws, the module's tests, four files that name most often what is changed"
        word = re.compile(rf"minitrain\.{self.name}\b|\b{self.changed(old)}\b")
        counts = {o: len(word.findall(o.read_text(encoding="utf-8")))
            for o in (self.tree/"tests").glob("test_*.py")
            if o.stem[5:] not in SLOW.split()}
        naming = [o for o in counts if counts[o]]
        first = "test_laws", f"test_{self.name.split('.')[-1]}"
        rest = [o for o in naming if o.stem not in first]
        own = [self.tree/"tests"/f"{name}.py" for name in first]
        most = sorted(rest, key=lambda o: -counts[o])[:4]
        return [o for o in own if o.exists()] + most


    def emptied(self) -> list:
        "A mutant for each public function and class of the lesson"
        found, tree = [], ast.parse(self.source)
        public = next(ast.literal_eval(o.value) for o in tree.body
            if isinstance(o, ast.Assign) and o.targets[0].id == "__all__")
        for o in tree.body:
            if not hasattr(o, "name") or o.name not in public: continue
            first = o.decorator_list[0] if o.decorator_list else o
            lines = self.source.splitlines()[first.lineno - 1:o.end_lineno]
            args = getattr(o, "args", None) and o.args.args
            new = f"class {o.name}: pass" if isinstance(o, ast.ClassDef) else (
                f"def {o.name}({ast.unparse(o.args)}): "
                f"return {args[0].arg if args else None}")
            patched = args and "@patch" in lines and f"{args[0].annotation.id}."
            name = f"{self.name}.{patched or ''}{o.name}"
            found.append(Mutant(self.notebook.name[:2], "\n".join(lines), new, name=name))
        return found


def run_cells(shell, cells):
    "End the process at the first cell that fails, or after the last one"
    for o in cells:
        if not shell.run_cell(o).success: os._exit(1)
    os._exit(0)


def run_lesson(lesson: Lesson, mutants: list, limit: float):
    """Run a lesson up to its last cell with mutants. At each of these cells each mutant
    runs first, in a child, with all that follows"""
    enter(lesson.tree)
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets.config import Config
    config = Config()
    config.HistoryManager.enabled = False  # its thread would not survive a fork
    shell, seen = InteractiveShell.instance(config=config), {}
    for i, cell in enumerate(lesson.cells):
        for o in mutants:
            if lesson.place(o.old) != i: continue
            start = time.monotonic()
            with lesson.mutated(o.old, o.new), unchanged(lesson.tree/"empty"):
                cells = [cell.replace(o.old, o.new), *lesson.cells[i + 1:]]
                killed = fails(limit, run_cells, shell, cells)
            seen[o.text] = killed, time.monotonic() - start
        if len(seen) == len(mutants): break
        if not shell.run_cell(cell).success: os._exit(1)
    (lesson.tree/"seen.json").write_text(json.dumps(seen), encoding="utf-8")
    os._exit(0)


def run_tests(tree: Path, file: Path):
    "End the process well if all tests of a file pass"
    enter(tree)
    import pytest
    options = "-x -q -n0 -p no:cacheprovider --rootdir".split()
    where = [str(tree), "-c", str(tree/"pytest.ini"), str(file)]
    os._exit(int(pytest.main(options + where)))


def killers(tree: Path, number: str, mutants: list, limit: float, only: str):
    "For each: the mutant, the file that fails with it alone or '', seconds"
    lesson, passes = Lesson(tree, number), {}
    seen = {}
    if only != "tests":
        if fails(40*limit, run_lesson, lesson, mutants, limit):
            sys.exit(f"fails with nothing changed: {lesson.notebook.name}")
        seen = json.loads((tree/"seen.json").read_text(encoding="utf-8"))
    for o in mutants:
        killed, seconds = seen.get(o.text, (False, 0))
        by, start = lesson.notebook.name if killed else "", time.monotonic()
        for file in [] if by or only == "lessons" else lesson.tests(o.old):
            if file not in passes:
                passes[file] = not fails(limit, run_tests, tree, file)
            if not passes[file]: continue
            with lesson.mutated(o.old, o.new):
                if fails(limit, run_tests, tree, file): by = file.name
            if by: break
        yield o, by, seconds + time.monotonic() - start


def listed(emptied=False) -> list:
    "All mutants of the list, or those that empty what is public"
    if not emptied:
        return read_mutants((HERE/"bench"/"mutants.txt").read_text(encoding="utf-8"))
    lessons = sorted((HERE/"nbs").glob("[0-4]*.ipynb"))
    return [o for path in lessons for o in Lesson(HERE, path.name[:2]).emptied()]


def table(emptied=False) -> Path: return RESULTS/("emptied.csv" if emptied else "mutants.csv")


def killed(emptied=False) -> set:
    "Those with a stored killer"
    if not table(emptied).exists(): return set()
    lines = table(emptied).read_text(encoding="utf-8").splitlines()
    rows = csv.DictReader(o for o in lines if not o.startswith("# "))
    return {o["mutant"] for o in rows if o["by"] != "NOTHING"}


def store(rows: list, emptied: bool):
    "In a child, which imports the package: the new rows among the stored ones"
    import pandas as pd
    from minitrain.core import load_results
    from minitrain.runs import save_results
    new, path = pd.DataFrame(rows), table(emptied)
    old = load_results(path) if path.exists() else new[:0]
    both = pd.concat([old[~old.mutant.isin(new.mutant)], new]).set_index("mutant")
    order = [o.text for o in listed(emptied) if o.text in both.index]
    command = "python bench/mutants.py" + " --emptied"*emptied
    save_results(both.loc[order].reset_index()[[*new]], path, command=command)
    os._exit(0)


def main():
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    def option(name, **kwargs): parser.add_argument(name, **kwargs)
    option("--lessons", nargs="+", metavar="NN", help="numbers such as 08, not all")
    option("--emptied", action="store_true", help="empty what is public, one by one")
    option("--left", action="store_true", help="those without a stored killer alone")
    option("--only", choices=["lessons", "tests"], help="one of the two, not both")
    option("--limit", type=float, default=300,
        help="seconds for a test file or the rest of a lesson: beyond, it hangs")
    args = parser.parse_args()
    done = killed(args.emptied) if args.left else set()
    mutants = [o for o in listed(args.emptied) if o.text not in done
        and (not args.lessons or o.lesson in args.lessons)]
    import hypothesis, IPython, pytest  # noqa: F401  once, for all children
    import matplotlib.pyplot, pandas, scipy.stats, sklearn, torch  # noqa: F401
    survivors = 0
    with tempfile.TemporaryDirectory() as tmp:
        ignore = shutil.ignore_patterns(*LEFT_OUT.split())
        shutil.copytree(HERE, tmp, ignore=ignore, dirs_exist_ok=True)
        for number in dict.fromkeys(o.lesson for o in mutants):
            mine, rows = [o for o in mutants if o.lesson == number], []
            found = killers(Path(tmp), number, mine, args.limit, args.only)
            for o, by, seconds in found:
                survivors += not (by or o.why)
                by = by or o.why or "NOTHING"
                rows.append(dict(lesson=int(number), mutant=o.text, by=by,
                    seconds=round(seconds, 1)))
                print(f"{number} {by:<28} {seconds:6.1f} s  {o.text}", flush=True)
            fails(60, store, rows, args.emptied)
    n = len(mutants)
    print(f"{n - survivors} of {n} mutants are killed or explained")
    sys.exit(bool(survivors))


if __name__ == "__main__": main()
