#!/usr/bin/env python3
"""What a pretrained vision transformer is worth (lesson 34): digits 0 to 4 first, then 5 to 9 with few labels.

    bench/transfer.py [--seeds 0 1 2 3 4 5] [--name transfer]

Writes minitrain/assets/results/NAME.csv. The thousand test digits are not used.

Fixed before the reported run: a seed draws the pretraining, the labelled images and the new head. An arm makes 100 updates, that
from scratch 300, with one cycle and AdamW; they differ in the body (random or pretrained) and in its rate, as a share of the
head's: 0 is frozen, 1 is one rate. Rows "sweep": seeds 100 to 102, 20 labels a class, four rates, judged on 500 images of digits 5
to 9 that nothing else uses. Rows "run": at each arm's best rate of that sweep, 5, 20 and 50 labels a class, judged on 1,000 other
images. "old_right" is the share of 300 digits 0 to 4 that the old head, put back on the tuned body, reads rightly. About five
minutes on one core.
"""
import argparse, sys
from functools import partial
from pathlib import Path

import pandas as pd
import torch
from torch import nn

from minitrain.core import load_digits, set_seed
from minitrain.data import DataLoader, DataLoaders, Dataset
from minitrain.learner import Learner, TrainCB
from minitrain import schedule  # noqa: F401  Learner.fit_one_cycle
from minitrain.likelihood import cross_entropy
from minitrain.loop import accuracy, evaluate
from minitrain.optim import AdamW
from minitrain.runs import save_results
from minitrain.schedule import freeze
from minitrain.transfer import two_rates
from minitrain.vit import ViT

RESULTS = Path(__file__).parents[1]/"minitrain"/"assets"/"results"
ARMS = {"from scratch": 1, "frozen": 0, "one rate": 1, "two rates": 0.1}
RATES, LABELS = (0.001, 0.004, 0.016, 0.064), (5, 20, 50)
UPDATES = {arm: 300 if arm == "from scratch" else 100 for arm in ARMS}


def data():
    "Images and labels of digits 0 to 4 and of 5 to 9, the latter from 0 again"
    digits = load_digits()
    x = torch.cat([digits.x_train, digits.x_valid])[:, None, 2:-2, 2:-2]
    y = torch.cat([digits.y_train, digits.y_valid])
    return (x[y < 5].contiguous(), y[y < 5]), (x[y > 4].contiguous(), y[y > 4] - 5)


def vit(): return ViT(24, 6, 1, 5, dim=48, depth=2, heads=4, mlp_dim=96, norm_eps=1e-6)


def share(model, x, y): return evaluate(model, DataLoader(Dataset(x, y), 500), cross_entropy, metrics=(accuracy,))["accuracy"]


def fit(model, x, y, lr, updates, batch, seed, opt_func):
    dl = DataLoader(Dataset(x, y), min(batch, len(x)), shuffle=True, drop_last=True, seed=seed)
    learn = Learner(model, DataLoaders(dl), cross_entropy, lr, [TrainCB()], opt_func)
    learn.fit_one_cycle(-(-updates//len(dl)), valid=False)


def pretrained(seed, old):
    "Weights that read digits 0 to 4, and how many of the last 300 of them"
    set_seed(seed)
    model, (x, y) = vit(), old
    fit(model, x[:1700], y[:1700], 0.004, 364, 64, seed, partial(AdamW, weight_decay=0.05))
    return model.state_dict(), share(model, x[1700:], y[1700:])


def one(arm, labels, seed, lr, weights, old, new, judged):
    set_seed(1000 + seed)
    (x, y), ratio = new, ARMS[arm]
    rows = torch.cat([(y[:500] == k).nonzero()[:, 0][torch.randperm(int((y[:500] == k).sum()))[:labels]] for k in range(5)])
    model = vit()
    if arm != "from scratch": model.load_state_dict(weights)
    head, model.head = model.head, nn.Linear(48, 5)
    if ratio == 0:
        freeze(model)
        freeze(model.head, False)
    opt = two_rates(partial(AdamW, weight_decay=0.05), model.head, ratio)
    fit(model, x[rows], y[rows], lr, UPDATES[arm], 32, seed, opt)
    right, model.head = share(model, x[judged], y[judged]), head
    kept = None if arm == "from scratch" else round(share(model, old[0][1700:], old[1][1700:]), 4)
    return dict(arm=arm, ratio=ratio, labels=labels, seed=seed, lr=lr, right=round(right, 4), old_right=kept)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--seeds", type=int, nargs="+", default=[*range(6)])
    p.add_argument("--name", default="transfer", help="name of the table, or the path of a CSV file")
    a = p.parse_args()
    torch.set_num_threads(1)
    old, new = data()
    path, rows = Path(a.name) if a.name.endswith(".csv") else RESULTS/f"{a.name}.csv", []
    def note(**row):
        rows.append(row)
        print(" ".join(map(str, row.values())), file=sys.stderr, flush=True)
    for seed in (100, 101, 102):
        weights, _ = pretrained(seed, old)
        for arm in ARMS:
            for lr in RATES: note(kind="sweep", **one(arm, 20, seed, lr, weights, old, new, slice(500, 1000)))
    best = pd.DataFrame(rows).groupby(["arm", "lr"], sort=False).right.mean().unstack().idxmax(axis=1)
    for seed in a.seeds:
        weights, before = pretrained(seed, old)
        for labels in LABELS:
            for arm in ARMS: note(kind="run", **one(arm, labels, seed, best[arm], weights, old, new, slice(1000, 2000)), old_before=round(before, 4))
        save_results(pd.DataFrame(rows), path, command=" ".join(["python", "bench/transfer.py", *sys.argv[1:]]), seeds=a.seeds, updates=UPDATES)
    df = pd.DataFrame(rows)
    print(df[df.kind == "run"].groupby(["labels", "arm"], sort=False)[["lr", "right", "old_right"]].mean().round(3).to_string())


if __name__ == "__main__": main()
