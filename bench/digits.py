#!/usr/bin/env python3
"""`minitrain digits` with five seeds: validation accuracy and loss, digits seen and CPU seconds, epoch by epoch.

    bench/digits.py [--seeds 0 1 2 3 4] [--name digits] [--set lr=0.01 ...]

Writes minitrain/assets/results/NAME.csv, which lesson 06 reads. Only the training and validation digits are used.
The defaults of DigitsConfig were chosen with seeds 100 to 104 (`--seeds 100 101 102 103 104 --name /tmp/try.csv
--set ...`), the table is made with others. One thread, on the CPU.
"""
import argparse, io, sys, tempfile
from contextlib import redirect_stdout
from dataclasses import asdict, replace
from pathlib import Path

import pandas as pd
import torch
import yaml

from minitrain.core import save_results
from minitrain.optim import DigitsConfig, train_digits

RESULTS = Path(__file__).parents[1]/"minitrain"/"assets"/"results"


def run(config: DigitsConfig) -> pd.DataFrame:
    "The metrics of one run, an epoch a row"
    with tempfile.TemporaryDirectory() as folder, redirect_stdout(io.StringIO()):
        return train_digits(config, Path(folder)/"run", progress=False).metrics.assign(seed=config.seed)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    p.add_argument("--name", default="digits", help="name of the table, or the path of a CSV file")
    p.add_argument("--set", nargs="*", default=[], metavar="KEY=VALUE", help="fields of DigitsConfig, values in YAML")
    a = p.parse_args()
    torch.set_num_threads(1)
    changed = {k: yaml.safe_load(v) for k, v in (o.split("=", 1) for o in a.set)}
    config = replace(DigitsConfig(device="cpu"), **changed)
    run(replace(config, epochs=1))  # warm up: imports, caches
    tables = []
    for seed in a.seeds:
        tables.append(run(replace(config, seed=seed)))
        last = tables[-1].iloc[-1]
        print(f"seed {seed}: accuracy {last.accuracy:.3f}, loss {last.loss:.3f}, {last.samples:,.0f} digits in {last.cpu_seconds:.2f} CPU s", flush=True)
    df = pd.concat(tables)[["seed", "epoch", "train_loss", "loss", "accuracy", "samples", "cpu_seconds"]].round(6)
    ends = df[df.epoch == df.epoch.max()]
    path = Path(a.name) if a.name.endswith(".csv") else RESULTS/f"{a.name}.csv"
    meta = {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(config).items() if k != "seed"}
    save_results(df, path, command=" ".join(["python", "bench/digits.py", *sys.argv[1:]]), seeds=a.seeds, config=meta)
    print(f"accuracy {ends.accuracy.mean():.4f} +- {ends.accuracy.std():.4f}, {ends.cpu_seconds.median():.2f} CPU s (median) -> {path}")


if __name__ == "__main__": main()
