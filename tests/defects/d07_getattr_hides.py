"""Defect 7 of miniai: the Learner's __getattr__ turns an AttributeError inside a property into one about the property itself."""
from torch import nn

from minitrain.learner import Learner


class faulty:
    def __init__(self, model): self.model = model
    def __getattr__(self, name):
        if name in ("predict", "get_loss", "backward", "step", "zero_grad"): return lambda: None
        raise AttributeError(name)


ours = Learner


def check(cls):
    class Mine(cls):
        @property
        def width(self): return self.model.n_features
    try: Mine(nn.Linear(1, 1)).width
    except AttributeError as e: assert "n_features" in str(e), f"the message names {e}, not what is missing"
    else: raise AssertionError("no error at all")
