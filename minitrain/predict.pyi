"""Predictions, their three traps, the samples that cost most, and the mean over
views.
"""
# Made by tools/make_stubs.py: do not edit
import torch
from minitrain.learner import Callback, Learner
from pandas import DataFrame
from typing import Any

__all__ = ['CapturePreds', 'get_preds', 'predict', 'top_losses', 'show_top_losses']

class CapturePreds(Callback):
    """Keeps `.all_preds`, `.all_targs` and `.all_inps` of a fit, on the CPU"""
    order = 10000
    all_preds: Any
    all_targs: Any
    all_inps: Any
    def before_fit(self, learn:Learner)->None:
        """Begin anew

        Args:
            learn: Not looked at
        """
    def after_predict(self, learn:Learner)->None:
        """Keep a batch

        Args:
            learn: Its batch and predictions are copied
        """
    def cleanup_fit(self, learn:Learner)->None:
        """Put the batches together

        Args:
            learn: Not looked at
        """

def get_preds(learn:Learner, dl=None, cbs=None)->tuple:
    """As `learn.get_preds(dl, cbs)`

    Args:
        learn: Trained
        dl: A loader; None for that of validation
        cbs: Callbacks for this alone, such as a BatchTransformCB

    Returns:
        (predictions, targets) on the CPU, float32 for half precision
    """

def predict(learn:Learner, x)->torch.Tensor:
    """As `learn.predict(x)`

    Args:
        learn: Trained
        x: A batch of inputs (b, ...), a tuple of several, or a dict

    Returns:
        What the model says, on the CPU
    """

def top_losses(learn:Learner, k:int=9, dl=None)->DataFrame:
    """The samples whose loss is highest, the worst first; none whose label is
    ignored

    Args:
        learn: Trained
        k: How many samples
        dl: A loader; None for that of validation

    Returns:
        pandas DataFrame: "index" in the loader's order, "loss", "target",
            "predicted"
    """

def show_top_losses(learn:Learner, k:int=9, dl=None, names=None, **kwargs)->None:
    """Show the pictures whose loss is highest: taken for what, being what, and the
    loss

    Args:
        learn: Trained, on pictures
        k: How many
        dl: As for `top_losses`
        names: One name for each class; None numbers them
        **kwargs: Passed on to `show_images`
    """
