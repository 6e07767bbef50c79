"""What a training consists of, found by forgetting it part by part; then a file that
no kill tears and no stranger arms.
"""
# Made by tools/make_stubs.py: do not edit
from minitrain.learner import Callback, Learner
from minitrain.runs import RunDir
from pathlib import Path
from torch import nn
from typing import Any

__all__ = ['CheckpointCB']

def error_line(e:Exception)->str:
    """An error in one line; torch's may be long, with advice to switch safety off

    Args:
        e: Of a reader

    Returns:
        Its kind and first sentence
    """

def checkpoints(path:Path)->list:
    """The checkpoints of a run, and no other file

    Args:
        path: Folder of a run

    Returns:
        Paths, the oldest first
    """

def read_newest(path:Path)->tuple:
    """The newest checkpoint, if the rows beside it are those that it was written
    with

    Args:
        path: Folder of a run

    Returns:
        Name and state; None and None where there is none
    """

class CheckpointCB(Callback):
    """Saves a run as it goes on, and goes on with a saved run, to the same bits

    Args:
        run: A run, or its folder, which is made if it is not there
        every: Also save after each `every` training batches
        best: Such as "valid_loss": keep the weights with its best value
        keep: How many checkpoints stay; None keeps all
        resume: Go on with the newest checkpoint, where there is one
        mode: "min" or "max", which is best; None: as the metric says
    """
    order, only_in_fit = (1000, True)
    path: Any
    every: int | None
    keep: int | None
    resume: bool
    best: str | None
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
    def cleanup_batch(self, learn:Learner)->None:
        """Save after `every` batches, and where training ends and validation begins

        Args:
            learn: Saved, if it is time
        """
    def cleanup_epoch(self, learn:Learner)->None:
        """Save after an epoch, also when a callback ends the fit there

        Args:
            learn: Saved, if its epoch is complete
        """
    def cleanup_fit(self, learn:Learner)->None:
        """Count the fits: a script that was killed in the second passes over the
        first

        Args:
            learn: Loses the callback that kept the best weights
        """
    def before_epoch(self, learn:Learner)->None:
        """Go on inside an epoch: undo what its beginning has done a second time

        Args:
            learn: Put in the middle of its epoch, if that is where the run stands
        """

def spoilt(model:nn.Module)->bool:
    """Are these weights lost? Such a model is neither saved nor resumed

    Args:
        model: Any

    Returns:
        Whether a parameter holds nan or infinity
    """

def pack_weights(model:nn.Module, **about)->bytes:
    """The weights of a model, the name of its class, and a digest of all that

    Args:
        model: Any
        **about: What JSON knows: whose weights they are

    Returns:
        A safetensors file
    """

def read_weights(file:str | Path)->tuple:
    """The weights in a file, checked against their digest if it has one

    Args:
        file: Any safetensors file

    Returns:
        Tensors by name; what is told about them, a dict
    """
