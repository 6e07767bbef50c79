"""What a run is, saved whole or not at all, and resumed bit for bit."""
# Made by tools/make_stubs.py: do not edit
from minitrain.learner import Callback, Learner
from minitrain.runs import RunDir
from pathlib import Path
from torch import nn
from typing import Any

__all__ = ['CheckpointCB', 'save_run', 'resume']

class CheckpointCB(Callback):
    """Saves a run as it goes on, and goes on with a saved run: to the same weights,
    bit for bit

    Args:
        run: A run, or the path of its folder, which is made if it is not there
        every: Also save after each `every` training batches; None saves at the
            ends of training and validation epochs
        best: Column such as "valid_loss" or "valid_accuracy": the weights with
            its best value go to model-best.safetensors
        keep: How many checkpoints stay; None keeps all
        resume: Go on with the last checkpoint of the run, where there is one
        mode: "min" or "max", which is best; None asks the metric, or its name
    """
    order, only_in_fit = (1000, True)
    path: Any
    every: int | None
    best: str | None
    keep: int | None
    resume: bool
    mode: str | None
    def __init__(
        self,
        run:RunDir | str | Path,
        every:int | None=None,
        best:str | None=None,
        keep:int | None=2,
        resume:bool=False,
        mode:str | None=None,
    )->None: ...
    def before_fit(self, learn:Learner)->None:
        """Go on with the run, or begin it

        Args:
            learn: Put where the run stands, if there is something to go on with
        """
    def before_epoch(self, learn:Learner)->None:
        """Go on inside an epoch

        Args:
            learn: Put in the middle of its epoch, if that is where the run stands
        """
    def cleanup_batch(self, learn:Learner)->None:
        """Save after `every` batches, at the end of training, and before Ctrl-C ends
        the fit

        Args:
            learn: Saved, if it is time
        """
    def cleanup_epoch(self, learn:Learner)->None:
        """Save after an epoch, also when a callback ends the fit there

        Args:
            learn: Saved, if its epoch is complete
        """
    def cleanup_fit(self, learn:Learner)->None:
        """Give Ctrl-C back

        Args:
            learn: Loses the callback that kept the best weights
        """

def spoilt(model:nn.Module)->bool:
    """Are these weights lost? Such a model is not saved

    Args:
        model: Any

    Returns:
        Whether a parameter holds nan or infinity
    """

def save_run(learn:Learner, run:RunDir | str | Path)->Path:
    """Save a Learner as it is after a fit: `resume` goes on from there

    Args:
        learn: Not in the middle of a fit
        run: A run, or the path of its folder, which is made if it is not there

    Returns:
        The file
    """

def resume(learn:Learner, run:RunDir | str | Path)->dict[str, int]:
    """Take up a run: the next `fit(n)` goes on where the last checkpoint stands, up
    to `n` epochs in all

    Args:
        learn: Built as for the run: the weights are put back now, everything else
            by the next fit, which goes on
        run: The run, or its folder

    Returns:
        "epoch" and "batch" where it goes on, both from 0
    """
