#!/usr/bin/env python3
"""Measure again what minitrain/assets/results holds: each table names in its head the command that made it.

    python bench/again.py [NAME ...] [--list] [--quick]

NAME is a word of the commands wanted, such as "losses" or "compose.py text"; all by default, which takes a night on two
cores. Each comparison takes turns between its rivals inside its own script; run nothing beside it. What fails does not stop
the others; the last line counts them.
"""
import argparse, json, subprocess, sys, time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def commands() -> dict:
    "The tables that each command makes; that of the final digits is a ledger, which nobody writes again"
    found = {}
    for path in sorted((ROOT/"minitrain"/"assets"/"results").glob("*.csv")):
        first = path.read_text(encoding="utf-8").partition("\n")[0]
        command = json.loads(first.removeprefix("# command: "))
        if command.startswith("python bench/"): found.setdefault(command, []).append(path.stem)
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="words of the commands wanted")
    parser.add_argument("--list", action="store_true", help="only list them, with the tables that they make")
    parser.add_argument("--quick", action="store_true", help="only scripts that have a --quick: a look, and nothing is stored")
    args = parser.parse_args()
    wanted = {k: o for k, o in commands().items() if not args.names or any(name in k for name in args.names)}
    if args.quick: wanted = {f"{k} --quick": o for k, o in wanted.items() if '"--quick"' in (ROOT/k.split()[1]).read_text(encoding="utf-8")}
    if not wanted: parser.error(f"no command has one of {args.names}")
    failed = []
    for command, tables in wanted.items():
        print(f"{command}  ({', '.join(tables)})", flush=True)
        if args.list: continue
        start = time.monotonic()
        if subprocess.run([sys.executable, *command.split()[1:]], cwd=ROOT).returncode: failed.append(command)
        print(f"== {time.monotonic() - start:.0f} s", flush=True)
    if not args.list: print(f"{len(wanted) - len(failed)} of {len(wanted)} commands done", *failed, sep="\n")
    sys.exit(bool(failed))


if __name__ == "__main__": main()
