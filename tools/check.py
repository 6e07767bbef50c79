#!/usr/bin/env python3
"""Fail when something generated is out of step with the notebooks, and name it.

Compares, without touching the working tree: the exported modules (nbdev_export), their
stubs (tools/make_stubs.py), the cleaned and folded notebooks
(nbdev_clean, tools/fold.py), README.md
(tools/build_readme.py) and docs/ (tools/build_site.py). `--fast` leaves docs/ out.
"""
import filecmp, os, shutil, subprocess, sys, tempfile
from pathlib import Path

import fold

ROOT = Path(__file__).parents[1]
SOURCES = ["settings.ini", "pyproject.toml", "README.md", "nbs", "minitrain"]


def exported_and_cleaned(copy: Path) -> list[str]:
    "Export and clean a copy of the tree; give the files that changed by it"
    for name in SOURCES:
        ignore = shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints")
        if (ROOT/name).is_dir(): shutil.copytree(ROOT/name, copy/name, ignore=ignore)
        else: shutil.copy(ROOT/name, copy/name)
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    env = dict(os.environ, PATH=path)
    stubs = [sys.executable, ROOT/"tools"/"make_stubs.py", copy/"minitrain"]
    for command in (["nbdev_export"], stubs, ["nbdev_clean"]):
        subprocess.run(command, cwd=copy, env=env, check=True,
                       stdout=subprocess.DEVNULL)
    for path in (copy/"nbs").glob("*.ipynb"): fold.fold_file(path)
    patterns = ("pyproject.toml", "nbs/*.ipynb", "minitrain/**/*.py*")
    paths = sorted({p.relative_to(folder) for folder in (copy, ROOT)
                    for o in patterns for p in folder.glob(o) if p.suffix != ".pyc"})
    def same(path):
        both = (ROOT/path).exists() and (copy/path).exists()
        return both and filecmp.cmp(ROOT/path, copy/path, shallow=False)
    return [f"{p}: run make export, then make fold" for p in paths if not same(p)]


def stale(command: list[str], what: str) -> list[str]:
    "What a builder's own --check prints when its result is out of step"
    done = subprocess.run([sys.executable, *command, "--check"], cwd=ROOT,
                          capture_output=True, text=True)
    told = done.stdout.strip() or done.stderr.strip()
    return [f"{what}: {told}"] if done.returncode else []


def main():
    with tempfile.TemporaryDirectory() as tmp:
        problems = exported_and_cleaned(Path(tmp))
    problems += stale(["tools/build_readme.py"], "README.md")
    if "--fast" not in sys.argv[1:]: problems += stale(["tools/build_site.py"], "docs/")
    for problem in problems: print(problem)
    print("out of step" if problems else "all in step with the notebooks")
    sys.exit(bool(problems))


if __name__ == "__main__": main()
