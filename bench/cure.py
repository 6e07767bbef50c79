#!/usr/bin/env python3
"""Does a clone of Catch stop obeying its lamps? As the protocol says (minitrain/assets/configs/cure_protocol.md).

    python bench/cure.py [OUT] [JOBS]

Runs what is not done yet of all arms and seeds, JOBS processes at a time (1), in OUT
(runs/cure_experiment; a killed experiment goes on by the same command), and stores the rows
after each run. Progress: OUT/table.txt. At the end it stores the clones that lesson 32 looks at:
those of the first seed, in half precision.
"""
import sys
from pathlib import Path

from safetensors.torch import load_file, save_file

from minitrain.experiments.compare import CompareConfig, compare, report
from minitrain.experiments.gaze import gaze
from minitrain.runs import load_config, save_results

ASSETS = Path(__file__).parents[1]/"minitrain"/"assets"


def store(df):
    save_results(df, ASSETS/"results"/"cure.csv", command="python bench/cure.py", config="cure_experiment",
        seeds=sorted(df.seed.unique().tolist()), runs=len(df))


def main():
    out, jobs = (sys.argv[1:] + ["runs/cure_experiment", "1"][len(sys.argv) - 1:])[:2]
    config = load_config("cure_experiment", CompareConfig)
    store(compare(gaze, config, out, int(jobs), on_row=store))
    for arm in ("plain", "probs", "shuffle"):
        weights = load_file(Path(out)/arm/f"seed-{config.first_seed}"/"model.safetensors")
        half = {k: v.half() for k, v in weights.items()}
        save_file(half, ASSETS/"clones"/f"catch-{arm}.safetensors")
    found = report(out, out=out)
    print(found.arms.round(3).to_string(), found.differences.round(3).to_string(), sep="\n\n")


if __name__ == "__main__": main()
