#!/usr/bin/env python3
"""What it costs to watch a training run: CPU time of fits with hooks over fits without, interleaved.

    python bench/hooks.py [REPEATS]

A CNN of five convolutions (30,154 parameters) on random 28x28 images, batches of 256, one thread.
"""
import sys, time
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import nn

from minitrain.core import set_seed
from minitrain.data import DataLoaders
from minitrain.hooks import ActivationStats, GradientStats, HooksCallback
from minitrain.learner import Learner, TrainCB
from minitrain.likelihood import cross_entropy
from minitrain.runs import save_results
from minitrain.diagnose import NaNStopCB

RESULT = Path(__file__).parents[1]/"minitrain"/"assets"/"results"/"hooks.csv"
BATCHES, SIZE, SEED = 14, 256, 0  # an epoch of 3,500 digits


def convs(module): return isinstance(module, nn.Conv2d)


def append_stats_naive(hook, mod, inp, outp):
    "Lesson 15's first version"
    if not hasattr(hook, "stats"): hook.stats = [], [], []
    hook.stats[0].append(outp.mean())
    hook.stats[1].append(outp.std())
    hook.stats[2].append(outp.abs().histc(40, 0, 10))


def stop_naive(hook, mod, inp, outp):
    "Lesson 16's first version"
    if not outp.isfinite().all(): raise FloatingPointError(hook.name)


RIVALS = {
    "nothing": lambda: [],
    "append_stats_naive": lambda: [HooksCallback(append_stats_naive, convs)],
    "a look at every output": lambda: [HooksCallback(stop_naive)],
    "ActivationStats": lambda: [ActivationStats(convs)],
    "ActivationStats, every 10th batch": lambda: [ActivationStats(convs, every=10)],
    "GradientStats": lambda: [GradientStats(convs)],
    "NaNStopCB": lambda: [NaNStopCB()],
}


def cnn():
    sizes = [1, 8, 16, 32, 64, 10]
    layers = [o for ni, nf in zip(sizes, sizes[1:])
        for o in (nn.Conv2d(ni, nf, 3, stride=2, padding=1), nn.ReLU())]
    return nn.Sequential(*layers[:-1], nn.Flatten())


def main():
    repeats = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    torch.set_num_threads(1)
    set_seed(SEED)
    dl = [(torch.rand(SIZE, 1, 28, 28), torch.randint(10, (SIZE,))) for _ in range(BATCHES)]
    learners = {name: Learner(cnn(), DataLoaders(dl), cross_entropy, lr=0.1, cbs=[TrainCB(), *cbs()])
        for name, cbs in RIVALS.items()}
    rows, rng = [], np.random.default_rng(SEED)
    for repeat in range(-2, repeats):  # two rounds to warm up
        for name in rng.permutation(list(learners)):  # so that nobody always comes after the same one
            start = time.process_time()
            learners[name].fit(1)
            ms = round((time.process_time() - start)*1000/BATCHES, 3)
            if repeat >= 0: rows.append(dict(repeat=repeat, what=name, cpu_ms=ms))
    df = pd.DataFrame(rows)
    wide = df.pivot(index="repeat", columns="what", values="cpu_ms")
    print(f"nothing: {wide['nothing'].median():.2f} CPU ms a batch; {repeats} rounds")
    for name in list(RIVALS)[1:]:
        ratio = (wide[name]/wide["nothing"]).to_numpy()
        low, high = np.percentile(np.median(rng.choice(ratio, (2000, len(ratio))), axis=1), [2.5, 97.5])
        print(f"{name}: {np.median(ratio):.3f} times nothing, 95 % interval {low:.3f} to {high:.3f}")
    save_results(df, RESULT, command=f"python bench/hooks.py {repeats}", seed=SEED, batches=BATCHES, batch_size=SIZE)


if __name__ == "__main__": main()
