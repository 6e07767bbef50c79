#!/usr/bin/env python3
"""What an epoch of batches costs: our DataLoader against torch's and against bare indexing.

    python bench/data.py [--repeats 60] [--out minitrain/assets/results/data.csv]

One shuffled epoch over 10,000 x 784 float32 inputs and int64 targets, batch size 64, process CPU time on one
thread. The ways take turns, in an order drawn anew in each round, so that a slow spell of the machine falls on all
of them. `ratio` is the median of ours over the median of the row's; its 95 % interval resamples rounds. Python calls
(sys.setprofile) and ATen operators (TorchDispatchMode) of an epoch are counted apart from the timing; they do not
move with the load.
"""
import argparse, os, random, sys, time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
import numpy as np
import pandas as pd
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.data import DataLoader as TorchLoader, TensorDataset

from minitrain.runs import save_results
from minitrain.data import DataLoader, Dataset

N, D, BS = 10_000, 784, 64
ROOT = Path(__file__).parents[1]


class WithFetch(TensorDataset):
    "A TensorDataset that torch's loader may ask for a whole batch"
    def __getitems__(self, indices):
        i = torch.tensor(indices)
        return self.tensors[0][i], self.tensors[1][i]


def ways():
    "Name -> a function that goes through one shuffled epoch and gives the number of items seen"
    g = torch.Generator().manual_seed(0)
    x, y = torch.rand(N, D, generator=g), torch.randint(10, (N,), generator=g)

    def through(dl): return lambda: sum(len(xb) + 0*len(yb) for xb, yb in dl)

    def fancy():
        seen = 0
        for j in torch.randperm(N).split(BS):
            xb, yb = x[j], y[j]
            seen += len(xb) + 0*len(yb)
        return seen

    return {
        "minitrain, in memory": through(DataLoader(Dataset(x, y), BS, shuffle=True, seed=0)),
        "torch, default": through(TorchLoader(TensorDataset(x, y), BS, shuffle=True)),
        "torch, __getitems__": through(TorchLoader(WithFetch(x, y), BS, shuffle=True, collate_fn=tuple)),
        "x[j] by hand": fancy,
        "minitrain, item by item": through(DataLoader(list(zip(x, y)), BS, shuffle=True, seed=0)),
        "minitrain, with a transform": through(DataLoader(Dataset(x, y, tfm=lambda o: o), BS, shuffle=True, seed=0)),
    }


def count(run):
    "Python and C calls, and ATen operators, of one epoch"
    calls = ops = 0

    def profile(frame, event, arg):
        nonlocal calls
        calls += event in ("call", "c_call")

    class Count(TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            nonlocal ops
            ops += 1
            return func(*args, **(kwargs or {}))

    sys.setprofile(profile)
    try: run()
    finally: sys.setprofile(None)
    with Count(): run()
    return calls, ops


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--repeats", type=int, default=60)
    p.add_argument("--out", type=Path, default=ROOT/"minitrain"/"assets"/"results"/"data.csv")
    a = p.parse_args()
    torch.set_num_threads(1)
    runs = ways()
    times = {name: [] for name in runs}
    for run in runs.values(): assert run() == N  # a warm-up, and every item is seen
    order = random.Random(0)
    for _ in range(a.repeats):
        for name in order.sample(list(runs), len(runs)):
            start = time.process_time()
            runs[name]()
            times[name].append((time.process_time() - start)*1e3)
    t = {k: np.array(v) for k, v in times.items()}
    ours = t["minitrain, in memory"]
    draws = np.random.default_rng(0).integers(a.repeats, size=(2000, a.repeats))
    rows = []
    for name, other in t.items():
        spread = np.median(ours[draws], 1)/np.median(other[draws], 1)
        low, high = np.quantile(spread, (.025, .975))
        calls, ops = count(runs[name])
        rows.append(dict(way=name, cpu_ms=round(np.median(other), 2), q25=round(np.quantile(other, .25), 2), q75=round(np.quantile(other, .75), 2),
            ratio=round(np.median(ours)/np.median(other), 4), low=round(low, 4), high=round(high, 4), calls=calls, aten_ops=ops))
    df = pd.DataFrame(rows)
    print(df.to_string(index=False))
    a.out.parent.mkdir(parents=True, exist_ok=True)
    save_results(df, a.out, command=f"python bench/data.py --repeats {a.repeats}", items=N, features=D, batch_size=BS, seeds=[0])


if __name__ == "__main__": main()
