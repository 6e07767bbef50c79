#!/usr/bin/env python3
"""What `import minitrain.all` costs over `import torch`, in CPU seconds, interleaved in fresh processes.

    python bench/imports.py [REPEATS]
"""
import resource, subprocess, sys
from pathlib import Path

import numpy as np
import pandas as pd

from minitrain.runs import save_results

RESULT = Path(__file__).parents[1]/"minitrain"/"assets"/"results"/"imports.csv"
RIVALS = {"torch": "import torch", "minitrain.all": "import minitrain.all", "torch + pyplot": "import torch, matplotlib.pyplot"}


def cpu_seconds(code: str) -> float:
    "User and system CPU seconds of a fresh interpreter that runs `code`"
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", code], check=True, cwd="/")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main():
    repeats = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    rows = [dict(repeat=i, what=what, cpu_s=round(cpu_seconds(code), 3)) for i in range(repeats) for what, code in RIVALS.items()]
    df = pd.DataFrame(rows)
    wide = df.pivot(index="repeat", columns="what", values="cpu_s")
    over = wide["minitrain.all"] - wide["torch"]
    rng = np.random.default_rng(0)
    low, high = np.percentile([np.median(rng.choice(over, len(over))) for _ in range(2000)], [2.5, 97.5])
    print(wide.median().round(2).to_string())
    print(f"minitrain.all over torch: {over.median():.2f} CPU s, 95 % interval {low:.2f} to {high:.2f}")
    save_results(df, RESULT, command="python bench/imports.py")


if __name__ == "__main__": main()
