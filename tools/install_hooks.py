#!/usr/bin/env python3
"""Install this clone's git hooks: nbdev's merge driver for notebooks, and a pre-commit that exports and cleans.

The pre-commit stops a commit whose notebooks were not exported or cleaned, after doing both, so that the second
`git commit` (with the changes added) goes through.
"""
import os, subprocess, sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
PRE_COMMIT = """#!/bin/sh
# Installed by tools/install_hooks.py: export and clean the notebooks before each commit
git diff --cached --quiet -- 'nbs/*.ipynb' 'minitrain/*.py*' && exit 0
PATH="{bin}:$PATH"
nbdev_export && python tools/make_stubs.py && nbdev_clean && python tools/fold.py || exit 1
git diff --quiet -- nbs minitrain && exit 0
echo "Notebooks were exported and cleaned; add the changes and commit again:" >&2
git diff --name-only -- nbs minitrain >&2
exit 1
"""


def main():
    hooks = subprocess.run(["git", "rev-parse", "--git-path", "hooks"], cwd=ROOT, capture_output=True, text=True, check=True)
    folder = ROOT/hooks.stdout.strip()
    folder.mkdir(parents=True, exist_ok=True)
    bin = Path(sys.executable).parent
    subprocess.run([bin/"nbdev_install_hooks"], cwd=ROOT, check=True, env=dict(os.environ, PATH=f"{bin}:{os.environ['PATH']}"))
    hook = folder/"pre-commit"
    hook.write_text(PRE_COMMIT.format(bin=bin))
    hook.chmod(0o755)
    print(f"installed {hook.relative_to(ROOT)}")


if __name__ == "__main__": main()
