#!/usr/bin/env python3
"""GABRIL's own regulariser on Catch (lesson 33): a CNN whose activation map learns
from gaze.

    python bench/gabril.py [SEED ...]   seeds 10 to 12, stored in results/gabril.csv

Arms: `plain` (cloning alone), `map` (and 10 times the mean squared difference of the
activation map and the heat map of SIMULATED gaze), `map-1` (once). Games, lamps, epochs
and measures are those of cure_protocol.md, but 32 games of 200 steps are played. It
has three convolutions, the last of 6 x 6 places. Nothing was chosen by these seeds; of
seed 500 runs of 4 epochs were seen (plain, and map with beta 1 and 5: no better). One
thread, some 20 CPU seconds an arm; rows are stored after each run. `map_loss` is the
mean squared difference on validation frames.
"""
import sys, time
from functools import partial
from itertools import product
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import torch
from torch import nn
from torch.utils.data import TensorDataset

from minitrain.atari import activation_map
from minitrain.callbacks import Callback
from minitrain.catch import catch_demos, catch_rate, rollout, switch_accuracy
from minitrain.core import set_seed
from minitrain.data import DataLoader, DataLoaders
from minitrain.experiments.gaze import GazeConfig, obeys_lamps
from minitrain.fast import fused_cross_entropy
from minitrain.gaze import gaze_heatmap
from minitrain.learner import Learner, TrainCB
from minitrain.optim import AdamW
from minitrain.runs import save_results
from minitrain.schedule import BatchSchedCB, one_cycle

RESULTS = Path(__file__).parents[1]/"minitrain"/"assets"/"results"
SEEDS, ARMS = range(10, 13), {"plain": 0., "map": 10., "map-1": 1.}  # weights
BETA, EPOCHS, LR, GAMES, STEPS = 1., 10, 0.003, 32, 200


class CNN(nn.Module):
    "Three convolutions and two linear layers; `z` is what the last convolution said"
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(1, 16, 4, 2, 1), nn.ReLU(),
            nn.Conv2d(16, 32, 4, 2, 1), nn.ReLU(),
            nn.Conv2d(32, 32, 3, padding=1), nn.ReLU())
        self.head = nn.Sequential(nn.Flatten(), nn.Linear(32*36, 64), nn.ReLU(),
            nn.Linear(64, 3))
    def forward(self, x):
        self.z = self.body(x)
        return self.head(self.z)


class MapCB(Callback):
    "Adds the distance of activation map and heat map to the loss"
    def __init__(self, weight, beta): self.weight, self.beta = weight, beta
    def before_batch(self, learn): *learn.batch, self.heat = learn.batch
    def after_loss(self, learn):
        has = self.heat.flatten(1).any(1)  # gaze is missing in a blink
        seen = activation_map(learn.model.z, 24, self.beta)[has]
        off = nn.functional.mse_loss(seen, self.heat[has])
        learn.loss = learn.loss + self.weight*off


def heat_maps(demos):
    "Heat maps (n, 24, 24) of the gaze, game by game"
    games = [demos.gaze[demos.episodes == i] for i in demos.episodes.unique()]
    return torch.cat([gaze_heatmap(o, 24, 1.5) for o in games])


def one_run(arm, seed):
    "A row of the table"
    start = time.process_time()
    train = catch_demos(25, lamps=True, seed=2*seed)
    valid = catch_demos(5, lamps=True, seed=2*seed + 1)
    data = TensorDataset(train.frames.float()/255, train.actions, heat_maps(train))
    dl = DataLoader(data, 128, shuffle=True, drop_last=True, seed=seed)
    set_seed(seed)
    model = CNN()
    cycle = BatchSchedCB(partial(one_cycle, max_lr=LR, total_steps=EPOCHS*len(dl)))
    cbs = [TrainCB(), cycle, MapCB(ARMS[arm], BETA)]
    opt = partial(AdamW, betas=(0.9, 0.99), weight_decay=0.01)
    Learner(model, DataLoaders(dl), fused_cross_entropy, LR, cbs, opt).fit(EPOCHS)
    with torch.no_grad():
        said = model(valid.frames.float()/255).argmax(1)
        look, heat = activation_map(model.z, 24, BETA), heat_maps(valid)
    has = heat.flatten(1).any(1)
    row = dict(arm=arm, seed=seed,
        valid_accuracy=(said == valid.actions).float().mean().item(),
        switch_accuracy=switch_accuracy(said, valid.actions, valid.previous),
        map_loss=nn.functional.mse_loss(look[has], heat[has]).item(),
        catch_rate=catch_rate(rollout(model, GAMES, STEPS, True, seed=seed), n=1)[0])
    frames = SimpleNamespace(x=valid.frames, actions=valid.actions)
    c = GazeConfig(seed=seed, device="cpu", play_games=GAMES, play_steps=STEPS)
    row |= {k: float(v) for k, v in obeys_lamps(model, frames, c).items()}
    return row | dict(cpu_seconds=round(time.process_time() - start, 1))


def main(seeds):
    torch.set_num_threads(1)
    rows = []
    for seed, arm in product(seeds, ARMS):
        rows.append(one_run(arm, seed))
        df = pd.DataFrame(rows)
        save_results(df, RESULTS/"gabril.csv", command="python bench/gabril.py",
            seeds=sorted(df.seed.unique().tolist()), runs=len(df))
        print(df.tail(1).round(3).to_string(index=False), flush=True)


if __name__ == "__main__": main([int(o) for o in sys.argv[1:]] or SEEDS)
