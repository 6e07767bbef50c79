#!/usr/bin/env python3
"""Causal confusion in Catch (lesson 31): clones of the expert, trained on frames without and with lamps, measured in validation and in play.

    bench/catch.py [--seeds 200 201 202 203 204] [--epochs 10] [--name catch]

Writes minitrain/assets/results/NAME.csv: a row per arm and seed. An arm is lamps or none, and a number of epochs (without lamps
only the first of them). The table is written anew after each run. valid and switch: accuracy on the frames of five unseen games of the expert, and on those of them where
the expert's action switches; catch: share of the balls caught in 64 unseen games of 400 steps, the lamps showing the clone's own
last action; low, high: its 95 % bootstrap interval over games. One thread, on the CPU, one process.

The settings were chosen on the seeds 100 to 103 (learning rate among 1e-3, 2e-3 and 3e-3, batch size among 32, 64 and 128, 15 or 25 games).
Lesson 32 reports the seeds 0 to 9; those here are others.
"""
import argparse, sys, time
from functools import partial
from pathlib import Path

import pandas as pd
import torch

from minitrain.predict import predict
from minitrain.catch import catch_demos, catch_rate, rollout, switch_accuracy
from minitrain.core import set_seed
from minitrain.data import DataLoader, DataLoaders, Dataset
from minitrain.learner import Learner, TrainCB
from minitrain.fast import fused_cross_entropy
from minitrain.loop import accuracy
from minitrain.optim import AdamW
from minitrain.schedule import BatchSchedCB, one_cycle
from minitrain.vit import ViT
from minitrain.runs import save_results

RESULTS = Path(__file__).parents[1]/"minitrain"/"assets"/"results"
LR, BATCH, GAMES, VALID_GAMES = 0.001, 128, 25, 5


def one_run(lamps, epochs, seed):
    "A row of the table"
    train, valid = (catch_demos(games, lamps=lamps, seed=2*seed + i) for i, games in enumerate((GAMES, VALID_GAMES)))
    set_seed(seed)
    model = ViT(24, 4, 1, 3, dim=48, depth=2, heads=4, mlp_dim=96)
    dl = DataLoader(Dataset(train.frames.float()/255, train.actions), BATCH, shuffle=True, drop_last=True, seed=seed)
    cycle = BatchSchedCB(partial(one_cycle, max_lr=LR, total_steps=epochs*len(dl)))
    learn = Learner(model, DataLoaders(dl), fused_cross_entropy, cbs=[TrainCB(), cycle], opt_func=partial(AdamW, betas=(0.9, 0.99), weight_decay=0.01))
    start = time.process_time()
    learn.fit(epochs)
    train_s, start = time.process_time() - start, time.process_time()
    rate, low, high = catch_rate(rollout(model, lamps=lamps, seed=seed))
    play_s, preds = time.process_time() - start, predict(learn, valid.frames.float()/255)
    return dict(lamps=lamps, epochs=epochs, seed=seed, valid=accuracy(preds, valid.actions).item(), switch=switch_accuracy(preds, valid.actions, valid.previous),
                catch=rate, low=low, high=high, step_ms=1000*train_s/epochs/len(dl), train_cpu_seconds=train_s, play_cpu_seconds=play_s)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--seeds", type=int, nargs="+", default=[200, 201, 202, 203, 204])
    p.add_argument("--epochs", type=int, nargs="+", default=[10], help="with lamps; without, the first of them alone")
    p.add_argument("--name", default="catch", help="name of the table, or the path of a CSV file")
    a = p.parse_args()
    torch.set_num_threads(1)
    path, rows = Path(a.name) if a.name.endswith(".csv") else RESULTS/f"{a.name}.csv", []
    for seed in a.seeds:
        for lamps, epochs in [(False, a.epochs[0]), *((True, o) for o in a.epochs)]:
            rows.append(one_run(lamps, epochs, seed))
            print({k: round(v, 3) for k, v in rows[-1].items()}, flush=True)
            df = pd.DataFrame(rows)
            save_results(df.round(4), path, command=" ".join(["python", "bench/catch.py", *sys.argv[1:]]), seeds=sorted(set(df.seed.tolist())),
                         lr=LR, batch_size=BATCH, games=GAMES)
    print(df.groupby(["lamps", "epochs"])[["valid", "switch", "catch", "step_ms", "play_cpu_seconds"]].agg(["mean", "std"]).round(3).to_string())


if __name__ == "__main__": main()
