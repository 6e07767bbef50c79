#!/usr/bin/env python3
"""One process against two, over gloo on this machine: do the losses agree, and what does the second process bring?

    bench/scale.py [--seeds 0 1 2]

Trains each model on 2,001 digits (batches of 100, so that the last one of an epoch is a single digit) for three epochs
with the same global batch, once in one process and once in two, in turn for each seed, and compares the loss of every
update and the final weights, in float32 and in float64. Writes minitrain/assets/results/scale.csv, a row for each
model: the largest difference over all seeds and updates of the losses (nats) and of a weight, and the wall seconds for
the three epochs in float32 (median over seeds; a short fit before the clock starts takes the first connections). The
speedup is the ratio of the medians, on whatever else the machine does meanwhile; each process computes with one thread.
float64 tells a difference of the method, which it leaves as it is, from rounding, which it makes smaller by 10**9.
On CPUs BatchNorm is such a difference: each process normalises its own part.
"""
import argparse, json, os, subprocess, sys, tempfile
from pathlib import Path
from statistics import median
from time import perf_counter

import torch
from torch import nn

from minitrain.core import load_digits, set_seed
from minitrain.data import DataLoaders, Dataset, get_dls
from minitrain.learner import Callback, Learner
from minitrain.likelihood import cross_entropy
from minitrain.loop import accuracy
from minitrain.metrics import MetricsCB
from minitrain.scale import default_trainer
from minitrain.runs import save_results

RESULTS = Path(__file__).parents[1]/"minitrain"/"assets"/"results"


def mlp(): return nn.Sequential(nn.Flatten(), nn.Linear(784, 50), nn.ReLU(), nn.Linear(50, 10))
def wide_mlp(): return nn.Sequential(nn.Flatten(), nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 10))
def cnn():
    parts = [o for i, j in ((1, 8), (8, 16), (16, 32)) for o in (nn.Conv2d(i, j, 3, stride=2, padding=1), nn.BatchNorm2d(j), nn.ReLU())]
    return nn.Sequential(nn.Unflatten(1, (1, 28)), *parts, nn.Flatten(), nn.Linear(32*16, 10))
MODELS = dict(mlp=mlp, wide_mlp=wide_mlp, batchnorm_cnn=cnn)


class Losses(Callback):
    def __init__(self): self.values = []
    def after_loss(self, learn):
        if learn.training: self.values.append(learn.loss.detach())


class Quiet(MetricsCB):
    def _log(self, d): pass


def learner(model, seed, n, *cbs, dtype=torch.float32):
    set_seed(seed)
    d = load_digits()
    dls = DataLoaders(*get_dls(Dataset(d.x_train[:n].to(dtype), d.y_train[:n]), Dataset(d.x_valid.to(dtype), d.y_valid), 100, seed=seed))
    return Learner(MODELS[model]().to(dtype), dls, cross_entropy, 0.1, [default_trainer(), Quiet(accuracy), *cbs])


def measure(model, seed, out):
    "Train in this process, alone or as one of several; the main one writes what came out"
    torch.set_num_threads(1)
    learner(model, seed, 200).fit(1)
    found = {}
    for dtype in (torch.float32, torch.float64):
        learn = learner(model, seed, 2001, losses := Losses(), dtype=dtype)
        start = perf_counter()
        learn.fit(3)
        found[str(dtype)[6:]] = dict(seconds=perf_counter() - start, losses=torch.stack(losses.values).double().tolist(),
                                     weights=torch.cat([p.detach().double().flatten() for p in learn.model.parameters()]).tolist())
    if learn.is_main: Path(out).write_text(json.dumps(found))


def launched(model, seed, world, folder):
    "The same in processes of their own"
    out, env = Path(folder)/f"{world}.json", dict(os.environ, OMP_NUM_THREADS="1")
    head = [sys.executable] if world == 1 else [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={world}"]
    subprocess.run([*head, __file__, "--worker", model, str(seed), str(out)], env=env, check=True)
    return json.loads(out.read_text())


def furthest(a, b):
    return (torch.tensor(a, dtype=torch.float64) - torch.tensor(b, dtype=torch.float64)).abs().max().item()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--worker", nargs=3, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.worker: return measure(args.worker[0], int(args.worker[1]), args.worker[2])
    import pandas as pd
    rows = []
    for model in MODELS:
        with tempfile.TemporaryDirectory() as folder:
            pairs = [[launched(model, seed, world, folder) for world in ((1, 2), (2, 1))[i % 2]][::(1, -1)[i % 2]] for i, seed in enumerate(args.seeds)]
        one, two = (median(o[i]["float32"]["seconds"] for o in pairs) for i in (0, 1))
        far = {(d, k): float(f"{max(furthest(a[d][k], b[d][k]) for a, b in pairs):.1e}") for d in ("float32", "float64") for k in ("losses", "weights")}
        rows.append(dict(model=model, parameters=len(pairs[0][0]["float32"]["weights"]), updates=len(pairs[0][0]["float32"]["losses"]),
            loss_float32=far["float32", "losses"], weight_float32=far["float32", "weights"], loss_float64=far["float64", "losses"], weight_float64=far["float64", "weights"],
            seconds_one=round(one, 2), seconds_two=round(two, 2), speedup=round(one/two, 2)))
        print(rows[-1], flush=True)
    save_results(pd.DataFrame(rows), RESULTS/"scale.csv", "python bench/scale.py" + ("" if args.seeds == [0, 1, 2] else f" --seeds {' '.join(map(str, args.seeds))}"), seeds=args.seeds)


if __name__ == "__main__": main()
