#!/usr/bin/env python3
"""Fail when something generated is out of step with the notebooks, and name it.

Compares, without touching the working tree: the exported modules (nbdev_export), the
cleaned and folded notebooks (nbdev_clean, tools/fold.py), (tools/build_readme.py) and docs/ (tools/build_site.py). `--fast` leaves docs/ out.
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
    env = dict(os.environ, PATH=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    for command in ("nbdev_export", "nbdev_clean"):
        subprocess.run([command], cwd=copy, env=env, check=True, stdout=subprocess.DEVNULL)
    for path in (copy/"nbs").glob("*.ipynb"): fold.fold_file(path)
    generated = [*sorted((copy/"nbs").glob("*.ipynb")), *sorted((copy/"minitrain").glob("*.py")), copy/"pyproject.toml"]
    def same(path): return (ROOT/path).exists() and filecmp.cmp(ROOT/path, copy/path, shallow=False)
    paths = [p.relative_to(copy) for p in generated]
    return [f"{p}: run nbdev_export and make fold" for p in paths if not same(p)]


def stale(command: list[str], what: str) -> list[str]:
    "What a builder's own --check prints when its result is out of step"
    done = subprocess.run([sys.executable, *command, "--check"], cwd=ROOT, capture_output=True, text=True)
    return [f"{what}: {done.stdout.strip() or done.stderr.strip()}"] if done.returncode else []


def main():
    with tempfile.TemporaryDirectory() as tmp: problems = exported_and_cleaned(Path(tmp))
    problems += stale(["tools/build_readme.py"], "README.md")
    if "--fast" not in sys.argv[1:]: problems += stale(["tools/build_site.py"], "docs/")
    for problem in problems: print(problem)
    print("out of step" if problems else "all in step with the notebooks")
    sys.exit(bool(problems))


if __name__ == "__main__": main()
