#!/usr/bin/env python3
"""The gaze experiment of lesson 32, as its protocol says (minitrain/assets/configs/gaze_protocol.md).

    python bench/gaze.py [OUT] [JOBS]

Runs what is not done yet of all arms and seeds, JOBS processes at a time (2), in OUT (runs/gaze_experiment; go on with a
killed experiment by the same command) and stores the rows after each run. Progress: OUT/table.txt.
"""
import sys
from pathlib import Path

from minitrain.runs import load_config, save_results
from minitrain.experiments.compare import CompareConfig, compare, report
from minitrain.experiments.gaze import gaze

RESULT = Path(__file__).parents[1]/"minitrain"/"assets"/"results"/"gaze.csv"


def main():
    out, jobs = (sys.argv[1:] + ["runs/gaze_experiment", "2"][len(sys.argv) - 1:])[:2]
    config = load_config("gaze_experiment", CompareConfig)
    def store(df): save_results(df, RESULT, command="python bench/gaze.py", config="gaze_experiment", seeds=sorted(df.seed.unique().tolist()), runs=len(df))
    store(compare(gaze, config, out, int(jobs), on_row=store))
    found = report(out, out=out)
    print(found.arms.round(3).to_string(), found.differences.round(3).to_string(), sep="\n\n")


if __name__ == "__main__": main()
