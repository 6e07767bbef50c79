#!/usr/bin/env python3
"""The ledger of the thousand test digits: minitrain/assets/results/digits_final.csv, added to and never edited.

`minitrain digits --final CONFIG` calls it in a clone; run by itself it prints the ledger.
"""
import hashlib, subprocess
from pathlib import Path

import pandas as pd
import yaml

from minitrain.core import ArgumentError, load_results
from minitrain.runs import save_results

LEDGER = Path(__file__).parents[1]/"minitrain"/"assets"/"results"/"digits_final.csv"


def committed(path: Path) -> str:
    "The commit that holds a configuration, and those it is based on, exactly as they are"
    def git(*args): return subprocess.run(["git", "-C", str(path.resolve().parent), *args], capture_output=True)
    try: held, head = git("show", f"HEAD:./{path.name}"), git("rev-parse", "HEAD")
    except OSError as e:
        raise ArgumentError("config", str(path), "a file in a git repository (git could not be run)") from e
    if held.returncode or held.stdout != path.read_bytes():
        raise ArgumentError("config", str(path), "a file committed as it is: a recipe is chosen before it is judged")
    base = (yaml.safe_load(held.stdout) or {}).get("base")
    return committed(path.parent/base) if base else head.stdout.decode().strip()


def enter(table: pd.DataFrame, path: Path, commit: str, command: str, ledger: Path = LEDGER) -> pd.DataFrame:
    "Add a final run; gives its rows with `final`, its number, and `earlier`, how often the recipe was read before"
    sha = hashlib.sha256(path.read_bytes()).hexdigest()
    old = load_results(ledger) if ledger.exists() else pd.DataFrame(dict(final=[], sha256=[]))
    earlier = old[old.sha256 == sha].final.nunique()
    table = table.assign(sha256=sha, commit=commit, final=int(old.final.max()) + 1 if len(old) else 1, earlier=earlier)
    save_results(pd.concat([old, table]) if len(old) else table, ledger, command=command)
    table.attrs["ledger"] = f"final run {table.final.iloc[0]}; {earlier} of this configuration before it"
    return table


if __name__ == "__main__": print(load_results(LEDGER).to_string())
