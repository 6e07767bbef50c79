#!/usr/bin/env python3
"""Measure again what minitrain/assets/results holds.

Each table names in its head the command that made it; these are run in turn.

    python bench/again.py [NAME ...] [--list] [--quick]

NAME is a word of the commands wanted, such as "losses" or "compose.py text"; all by
default, which takes a night on two cores. Each script lets its rivals take turns; run
nothing beside it. What fails does not stop the others; the last line counts them.
"""
import argparse, json, subprocess, sys, time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def commands() -> dict:
    "Tables by command; that of the final digits is a ledger, which nobody writes again"
    found = {}
    for path in sorted((ROOT/"minitrain"/"assets"/"results").glob("*.csv")):
        first = path.read_text(encoding="utf-8").partition("\n")[0]
        command = json.loads(first.removeprefix("# command: "))
        if not command.startswith("python bench/"): continue
        found.setdefault(command, []).append(path.stem)
    return found


def main():
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    parser.add_argument("names", nargs="*", metavar="NAME", help="words of them")
    parser.add_argument("--list", action="store_true", help="only list them")
    parser.add_argument("--quick", action="store_true",
        help="a look: only scripts that have a --quick, which stores nothing")
    args = parser.parse_args()
    def asked(command): return not args.names or any(o in command for o in args.names)
    def has_quick(command): return '"--quick"' in (ROOT/command.split()[1]).read_text()
    wanted = {k: o for k, o in commands().items() if asked(k)}
    if args.quick: wanted = {f"{k} --quick": wanted[k] for k in wanted if has_quick(k)}
    if not wanted: parser.error(f"no command has one of {args.names}")
    failed = []
    for command, tables in wanted.items():
        print(f"{command}  ({', '.join(tables)})", flush=True)
        if args.list: continue
        start = time.monotonic()
        done = subprocess.run([sys.executable, *command.split()[1:]], cwd=ROOT)
        if done.returncode: failed.append(command)
        print(f"== {time.monotonic() - start:.0f} s", flush=True)
    n = len(wanted)
    if not args.list: print(f"{n - len(failed)} of {n} are done", *failed, sep="\n")
    sys.exit(bool(failed))


if __name__ == "__main__": main()
