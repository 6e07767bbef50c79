#!/usr/bin/env python3
"""What pos_weight does for rare labels: `minitrain multilabel` without it, with its root and with it, ten seeds.

    bench/multilabel.py [--seeds 1 2 3]

Trains with pos_weight 0, 0.5 and 1 (a yes weighs absent/present to this power) on canvases where 3 and 8 are rare, and
scores the stored weights on the validation canvases. Writes to minitrain/assets/results:
multilabel.csv, a row for each seed, weighting and label: precision, recall and F1 at threshold 0.5, and the average
precision, which needs no threshold; and multilabel_ranks.csv, a row for each validation canvas that has a rare digit:
its rank when all canvases are sorted by the probability of that digit, and this probability. The settings were chosen
with seed 100, which is not among the seeds here. About fifteen minutes on one core.
"""
import argparse, sys, tempfile
from pathlib import Path
from time import process_time

import pandas as pd
import torch
from safetensors.torch import load_file

from minitrain.runs import save_results
from minitrain.data import DataLoader
from minitrain.experiments.multilabel import MultilabelConfig, canvas_data, canvas_model, multilabel
from minitrain.multilabel import precision_recall_f1

RESULTS = Path(__file__).parents[1]/"minitrain"/"assets"/"results"
SEEDS = list(range(1, 11))


def average_precision(probs, target):
    "Mean over the positives of the precision at each one's rank; the share of positives is what chance gives"
    order = probs.argsort(descending=True, stable=True)
    hits = target[order]
    precision = hits.cumsum(0)/torch.arange(1, len(hits) + 1)
    return (precision*hits).sum().item()/hits.sum().item()


def ranks(probs, target, **about):
    "Rows for multilabel_ranks.csv: where the positives stand, from the most probable canvas on"
    order = probs.argsort(descending=True, stable=True)
    places = target[order].nonzero().flatten().tolist()
    return [dict(**about, hit=i, rank=rank + 1, prob=float(f"{probs[order[rank]]:.4g}")) for i, rank in enumerate(places, 1)]


def measure(seed, pos_weight):
    "Rows for multilabel.csv and for multilabel_ranks.csv"
    config, start = MultilabelConfig(seed=seed, pos_weight=pos_weight, device="cpu"), process_time()
    with tempfile.TemporaryDirectory() as folder:
        run, _ = multilabel.run(config, Path(folder)/"run")
        seconds = process_time() - start
        last = multilabel.result(run)
        model = canvas_model(config)
        model.load_state_dict(load_file(run/"model.safetensors"))
    valid = canvas_data(config)[1]
    model.eval()
    with torch.no_grad(): probs = torch.cat([model(x).sigmoid() for x, _ in DataLoader(valid, 250)])
    scores = precision_recall_f1(probs, valid.y)
    rows = [dict(seed=seed, pos_weight=pos_weight, label=d, precision=round(scores.precision[d].item(), 4), recall=round(scores.recall[d].item(), 4),
                 f1=round(scores.f1[d].item(), 4), average_precision=round(average_precision(probs[:, d], valid.y[:, d]), 4),
                 present=int(scores.present[d]), all_right=round(last["valid_exact"], 4), cpu_seconds=round(seconds, 1)) for d in range(10)]
    return rows, [o for d in (3, 8) for o in ranks(probs[:, d], valid.y[:, d], seed=seed, pos_weight=pos_weight, label=d)]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS)
    seeds = parser.parse_args().seeds
    torch.set_num_threads(1)
    rows, places = [], []
    for seed in seeds:
        for pos_weight in (0.0, 0.5, 1.0):
            new, where = measure(seed, pos_weight)
            rows += new
            places += where
            f1 = sum(o["f1"] for o in new)/10
            print(f"seed {seed}, pos_weight {pos_weight:g}: macro F1 {f1:.3f}, {new[0]['cpu_seconds']} CPU s", file=sys.stderr, flush=True)
    command = "python bench/multilabel.py" + ("" if seeds == SEEDS else " --seeds " + " ".join(map(str, seeds)))
    meta = dict(seeds=seeds, valid_seed=2026, config={k: v for k, v in MultilabelConfig(device="cpu").__dict__.items() if k not in ("seed", "pos_weight")})
    save_results(pd.DataFrame(rows), RESULTS/"multilabel.csv", command, **meta)
    save_results(pd.DataFrame(places), RESULTS/"multilabel_ranks.csv", command, **meta)
    print(pd.DataFrame(rows).groupby(["pos_weight", "seed"])[["precision", "recall", "f1", "average_precision", "cpu_seconds"]].mean().round(4))


if __name__ == "__main__": main()
