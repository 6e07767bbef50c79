#!/usr/bin/env python3
"""A vision transformer and a convolutional network on the same digits: how the error falls with the number of training images.

    bench/vit.py [--seeds 1 2 3] [--name vit]
    bench/vit.py --tune

Writes minitrain/assets/results/NAME.csv: a row for each model, number of training images, way of training and seed, with the
error on the 500 validation digits and on the training digits, parameters and CPU seconds. All runs of a kind make the same
number of updates, 1,100 of 64 digits with one cycle of the learning rate, whatever the number of images; "affine" changes each
batch by RandAffine. "ViT without positions" has position vectors of zero that are not trained. The table is written anew after
each run. The learning rates were chosen by --tune: three for each model, seed 100, trained on the first 3,000 training digits
and scored on the other 500. The validation digits were not used for it, and the thousand test digits are used for nothing here.
About ten minutes on one core.
"""
import argparse, sys
from functools import partial
from itertools import islice
from pathlib import Path
from time import process_time

import pandas as pd
import torch
from torch import nn

from minitrain.augment import RandAffine
from minitrain.callbacks import BatchTransformCB
from minitrain.core import load_digits, set_seed
from minitrain.data import DataLoader, DataLoaders, Dataset
from minitrain.init import act_gr, get_model
from minitrain.learner import Learner, TrainCB
from minitrain.likelihood import cross_entropy
from minitrain.loop import accuracy, evaluate
from minitrain.optim import AdamW
from minitrain.schedule import BatchSchedCB, one_cycle
from minitrain.vit import ViT
from minitrain.runs import save_results

RESULTS = Path(__file__).parents[1]/"minitrain"/"assets"/"results"
MODELS, SIZES, UPDATES, BATCH = ("CNN", "ViT", "ViT without positions"), (250, 1000, 3500), 1100, 64
RATES = {"CNN": 0.01, "ViT": 0.004, "ViT without positions": 0.004}
ARMS = [(model, n, "plain") for n in SIZES for model in MODELS] + [(model, 3500, "affine") for model in MODELS[:2]]


def make_model(name):
    if name == "CNN": return get_model(act_gr, norm=nn.BatchNorm2d).cpu()
    model = ViT(24, 4, 1, 10, dim=48, depth=2, heads=4, mlp_dim=96)
    if name == "ViT without positions": nn.init.zeros_(model.pos_embed.requires_grad_(False))
    return model


class Drawn:
    "Lists of indices for a run of `updates` batches: whole shuffles of n images, one after the other"
    def __init__(self, n, updates, seed):
        g = torch.Generator().manual_seed(seed)
        rows = torch.cat([torch.randperm(n, generator=g) for _ in range(-(-updates*BATCH//n))])
        self.rows = rows[:updates*BATCH].view(updates, BATCH).tolist()
    def __len__(self): return len(self.rows)
    def __iter__(self): return iter(self.rows)


def data(name, n, tune):
    "Images and labels for training and for scoring"
    digits = load_digits()
    valid = (digits.x_train[3000:], digits.y_train[3000:]) if tune else (digits.x_valid, digits.y_valid)
    cut = slice(None) if name == "CNN" else slice(2, -2)  # the CNN takes the margin too
    return [(x[:, None, cut, cut].contiguous(), y) for x, y in ((digits.x_train[:n], digits.y_train[:n]), valid)]


def one(name, n, way, seed, tune=None):
    "A row of the table"
    set_seed(seed)
    model, rate = make_model(name), tune or RATES[name]
    (x, y), valid = data(name, n, tune)
    dls = DataLoaders(DataLoader(Dataset(x, y), batch_sampler=Drawn(n, UPDATES, seed), seed=seed))
    cbs = [TrainCB(), BatchSchedCB(partial(one_cycle, max_lr=rate, total_steps=UPDATES))]
    if way != "plain": cbs.append(BatchTransformCB(RandAffine(), on_val=False))
    learn = Learner(model, dls, cross_entropy, rate, cbs, partial(AdamW, weight_decay=0.05))
    start = process_time()
    learn.fit(1, valid=False)
    seconds = process_time() - start
    errors = [100*(1 - evaluate(model, DataLoader(Dataset(*o), 500), cross_entropy, metrics=(accuracy,))["accuracy"]) for o in (valid, (x, y))]
    return dict(model=name, images=n, training=way, seed=seed, error_percent=round(errors[0], 3), train_error_percent=round(errors[1], 3),
                updates=UPDATES, params=sum(o.numel() for o in model.parameters()), cpu_seconds=round(seconds, 1))


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    p.add_argument("--arms", type=int, default=None, help="only the first so many (default: all)")
    p.add_argument("--tune", action="store_true", help="compare learning rates, without the validation digits, and write nothing")
    p.add_argument("--name", default="vit", help="name of the table, or the path of a CSV file")
    a = p.parse_args()
    torch.set_num_threads(1)
    if a.tune:
        for name, rates in (("CNN", (0.003, 0.01, 0.03)), ("ViT", (0.002, 0.004, 0.008))):
            print(name, {rate: one(name, 3000, "plain", 100, rate)["error_percent"] for rate in rates}, flush=True)
        return
    path, rows = Path(a.name) if a.name.endswith(".csv") else RESULTS/f"{a.name}.csv", []
    for seed in a.seeds:
        for arm in islice(ARMS, a.arms):
            rows.append(one(*arm, seed))
            print(" ".join(map(str, rows[-1].values())), file=sys.stderr, flush=True)
            df = pd.DataFrame(rows)
            save_results(df, path, command=" ".join(["python", "bench/vit.py", *sys.argv[1:]]), seeds=sorted(set(df.seed.tolist())), learning_rates=RATES, batch_size=BATCH)
    print(df.groupby(["training", "images", "model"], sort=False)[["error_percent", "train_error_percent", "cpu_seconds"]].agg(["mean", "std"]).round(2).to_string())


if __name__ == "__main__": main()
