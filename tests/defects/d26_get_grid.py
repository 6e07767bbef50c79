"""Defect 26 of miniai: get_grid(5) makes a grid of four, because the columns are rounded down."""
import math

import matplotlib.pyplot as plt

from minitrain.core import get_grid


def faulty(n):
    nrows = int(math.sqrt(n))
    return plt.subplots(nrows, n//nrows, squeeze=False)


ours = get_grid


def check(subject):
    backend = plt.get_backend()
    plt.switch_backend("agg")
    try:
        for n in (1, 3, 4, 5, 7):
            fig, axs = subject(n)
            shown = sum(ax.get_visible() for ax in fig.axes)
            plt.close(fig)
            assert shown == n, f"{shown} axes for {n} pictures"
    finally: plt.switch_backend(backend)
