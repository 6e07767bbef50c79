"""Defect 18 of miniai: ProgressCB (with `plot=True`, its fastprogress bars update a graph) needs a notebook, and crashes in a plain program."""
import io, sys
from contextlib import redirect_stderr, redirect_stdout

import torch
from torch import nn

from minitrain.progress import ProgressCB
from minitrain.data import DataLoaders
from minitrain.learner import Callback, Learner, TrainCB
from minitrain.metrics import MetricsCB


class faulty(Callback):
    def __init__(self, plot=False): self.plot = plot
    def before_fit(self, learn):
        self.out = sys.modules["IPython"].get_ipython().display_pub if self.plot else print
        learn.metrics._log = lambda d: self.out(*d.values())


ours = ProgressCB


class Terminal(io.StringIO):
    def isatty(self): return True


def check(progress):
    batches = [(torch.ones(2, 3), torch.zeros(2, 1))]*3
    kept = {k: sys.modules.pop(k) for k in list(sys.modules) if k.partition(".")[0] == "IPython"}  # a program that has never heard of notebooks
    try:
        for plot in (False, True):
            for stderr in (io.StringIO(), Terminal()):
                learn = Learner(nn.Linear(3, 1), DataLoaders(batches, batches), cbs=[TrainCB(), MetricsCB(), progress(plot=plot)])
                with redirect_stdout(io.StringIO()) as out, redirect_stderr(stderr):
                    try: learn.fit(2)
                    except (KeyError, AttributeError) as e: raise AssertionError(f"outside a notebook it crashes: {e!r}") from None
                rows = [line for line in out.getvalue().splitlines() if "train" in line or "eval" in line]
                assert len(rows) >= 4 and not any("\r" in o for o in rows)
        assert "IPython" not in sys.modules
    finally: sys.modules.update(kept)
