#!/usr/bin/env python3
"""The digits climb of lesson 19: one change after the other, five seeds each.

    bench/climb.py [--seeds 0 1 2 3 4] [--steps NAME ...] [--jobs 2] [--name climb]

Writes minitrain/assets/results/NAME.csv: a row per step and seed with the error and the
loss on the 500 validation digits, the digits seen in training, the updates, the
multiply-adds of them all and the CPU seconds that training took. "kind" says whether a
row is a step of the climb, on top of all steps before it, or a branch: one change to
the step that `on` names. One thread, on the CPU. The thousand test digits are not used,
and the settings were chosen by cross-validation on the 4,000 others, with other seeds.
"""
import argparse, sys, time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import pandas as pd
import torch
from torch import nn

from minitrain.augment import (
    MixupCB, RandAffine, RandCopy, RandErase, digits_model, tta)
from minitrain.callbacks import BatchTransformCB, EMACB
from minitrain.core import load_digits, set_seed
from minitrain.data import DataLoader, DataLoaders, Dataset
from minitrain.init import conv, init_weights
from minitrain.learner import Learner, TrainCB
from minitrain.likelihood import cross_entropy
from minitrain.loop import accuracy, evaluate
from minitrain.optim import AdamW
from minitrain.runs import save_results
from minitrain.schedule import BatchSchedCB, one_cycle

RESULTS = Path(__file__).parents[1]/"minitrain"/"assets"/"results"


@dataclass(frozen=True)
class Setting:
    model: str = "linear"  # linear, conv (PyTorch's first weights), kaiming or norm
    epochs: int = 13
    batch_size: int = 64
    lr: float = 0.002
    cycle: bool = False
    label_smoothing: float = 0.
    affine: tuple = ()  # degrees, scale, shear, shift, warp; nothing for none
    also: type = None  # a further transform of the batch
    mixup: float = 0.  # alpha of its Beta distribution; 0 for none
    ema: float = 0.
    views: int = 0  # changed copies of each validation digit whose answers are averaged


AFFINE, WARPED = (12, 0.15, 12, 1.5, 0), (12, 0.15, 12, 1.5, 0.5)
CLIMB = [
    ("linear layers", {}),
    ("convolutions", dict(model="conv")),
    ("Kaiming's weights", dict(model="kaiming")),
    ("BatchNorm", dict(model="norm")),
    ("learning rate 0.01", dict(lr=0.01)),
    ("one cycle", dict(cycle=True)),
    ("label smoothing", dict(label_smoothing=0.05)),
    ("affine maps", dict(affine=AFFINE)),
    ("warps", dict(affine=WARPED)),
    ("3.3 times as long", dict(epochs=43)),
    ("batches of 128", dict(batch_size=128)),
    ("learning rate 0.015", dict(lr=0.015)),
    ("mean over 9 views", dict(views=8))]
BRANCHES = [
    ("erase", "warps", dict(also=RandErase)),
    ("copy", "warps", dict(also=RandCopy)),
    ("mixup", "warps", dict(mixup=0.4)),
    ("mixup, no maps", "label smoothing", dict(mixup=0.4)),
    ("moving average", "warps", dict(ema=0.99)),
    ("mean over 9 views, short", "warps", dict(views=8)),
    ("as long, no maps", "label smoothing", dict(epochs=43))]


def settings():
    "Rows (name, kind, on, Setting)"
    now, by_name, rows = Setting(), {}, []
    for name, change in CLIMB:
        now = by_name[name] = replace(now, **change)
        rows.append((name, "step", rows[-1][0] if rows else None, now))
    for name, on, change in BRANCHES:
        rows.append((name, "branch", on, replace(by_name[on], **change)))
    return rows


def make_model(kind):
    "A network for 28 by 28 pixels"
    if kind == "norm": return digits_model()
    if kind == "linear":
        return nn.Sequential(
            nn.Flatten(), nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 10))
    widths = [(1, 32, 5, 2), (32, 32, 3, 2), (32, 64, 3, 1), (64, 64, 3, 2)]
    body = nn.Sequential(*(conv(*o) for o in widths))
    if kind == "kaiming": body.apply(init_weights)
    return nn.Sequential(digits_model()[0], *body, nn.Flatten(), nn.Linear(576, 10))


def multiply_adds(model):
    "Of one digit on its way forward: weights, times the places where each is used"
    counts = []
    def count(m, args, out):
        counts.append(m.weight.numel()*(out[0, 0].numel() if out.dim() == 4 else 1))
    layers = [m for m in model.modules() if isinstance(m, (nn.Conv2d, nn.Linear))]
    handles = [m.register_forward_hook(count) for m in layers]
    model.eval()(torch.zeros(1, 28, 28))
    for o in handles: o.remove()
    model.train()
    return sum(counts)


def train(s, seed):
    "A trained Learner, with the CPU seconds of its fit"
    set_seed(seed)
    digits, model = load_digits(), make_model(s.model)
    dls = DataLoaders(
        DataLoader(Dataset(digits.x_train, digits.y_train), s.batch_size,
            shuffle=True, seed=seed, drop_last=True),
        DataLoader(Dataset(digits.x_valid, digits.y_valid), 500))
    cbs, steps = [TrainCB()], s.epochs*len(dls.train)
    if s.affine: cbs.append(BatchTransformCB(RandAffine(*s.affine), on_val=False))
    if s.also: cbs.append(BatchTransformCB(s.also(), on_val=False))
    if s.mixup: cbs.append(MixupCB(s.mixup))
    if s.cycle: cbs.append(BatchSchedCB(partial(one_cycle, max_lr=s.lr,
        total_steps=steps, div_factor=10, final_div_factor=100)))
    if s.ema: cbs.append(EMACB(s.ema))
    loss = partial(cross_entropy, label_smoothing=s.label_smoothing)
    opt = partial(AdamW, betas=(0.9, 0.99), weight_decay=0.02)
    learn = Learner(model, dls, loss, s.lr, cbs, opt)
    start = time.process_time()
    learn.fit(s.epochs, valid=False)
    return learn, time.process_time() - start, steps


def measure(learn, views):
    "Error in percent and cross-entropy on the validation digits"
    if views:
        probs, y = tta(learn, n=views, tfm=RandAffine(6, 0.08, 6, 0.75, 0.25))
        wrong = (probs.argmax(1) != y).float().mean().item()
        return 100*wrong, -probs[torch.arange(len(y)), y].log().mean().item()
    ema = next((o for o in learn.cbs if isinstance(o, EMACB)), None)
    def both():
        return evaluate(learn.model, learn.dls.valid, cross_entropy,
            metrics=(accuracy,))
    if ema is None: out = both()
    else:
        with ema.applied(): out = both()
    return 100*(1 - out["accuracy"]), out["loss"]


def one_seed(seed, wanted):
    "Rows of the table: every step with this seed"
    torch.set_num_threads(1)
    rows, trained = [], {}
    train(replace(Setting(), epochs=1), 0)  # warm up: imports, caches
    for name, kind, on, s in wanted:
        key = replace(s, views=0)  # views are a matter of answering: the same model
        if key not in trained: trained[key] = train(key, seed)
        learn, seconds, steps = trained[key]
        error, loss = measure(learn, s.views)
        samples, macs = steps*s.batch_size, multiply_adds(learn.model)
        params = sum(o.numel() for o in learn.model.parameters())
        rows.append(dict(kind=kind, step=name, on=on, seed=seed, error_percent=error,
            loss=loss, samples=samples, updates=steps, params=params,
            multiply_adds=3*macs*samples, cpu_seconds=round(seconds, 2)))
        print(f"seed {seed}  {kind:6} {name:26} error {error:5.2f} %  "
            f"loss {loss:.4f}  {steps:,} updates  {seconds:.1f} CPU s", flush=True)
    return rows


def main():
    p = argparse.ArgumentParser(description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    p.add_argument("--steps", nargs="+", metavar="NAME", help="only these")
    p.add_argument("--jobs", type=int, default=1, help="seeds at the same time")
    p.add_argument("--name", default="climb", help="name, or path of a CSV file")
    a = p.parse_args()
    wanted = [o for o in settings() if a.steps is None or o[0] in a.steps]
    if a.steps and len(wanted) < len(set(a.steps)):
        p.error(f"--steps: choose from {[o[0] for o in settings()]}")
    with ProcessPoolExecutor(a.jobs, mp_context=get_context("spawn")) as pool:
        seeds = pool.map(one_seed, a.seeds, [wanted]*len(a.seeds))
        df = pd.DataFrame([row for rows in seeds for row in rows])
    path = Path(a.name) if a.name.endswith(".csv") else RESULTS/f"{a.name}.csv"
    save_results(df.round(5), path,
        command=" ".join(["python", "bench/climb.py", *sys.argv[1:]]), seeds=a.seeds,
        multiply_adds="of all digits seen: forward, and about twice that backward")
    by_step = df.groupby("step", sort=False)[["error_percent", "loss", "cpu_seconds"]]
    print(by_step.agg(["mean", "std"]).round(3).to_string())


if __name__ == "__main__": main()
