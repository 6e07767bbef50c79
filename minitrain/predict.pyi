"""Predictions, top losses, and the mean over views."""
# Made by tools/make_stubs.py: do not edit
import torch
from minitrain.learner import Learner
from pandas import DataFrame

__all__ = ['get_preds', 'predict', 'top_losses', 'show_top_losses']

def get_preds(learn:Learner, dl=None)->tuple:
    """Predictions for every sample of a loader, in evaluation mode

    Args:
        learn: Its trainer and the callbacks that change batches or predictions
            take part
        dl: A loader; None for that of validation

    Returns:
        (predictions, targets) on the CPU, float32 for half precision; None for
            targets if there are none
    """

def predict(learn:Learner, x)->torch.Tensor:
    """Predictions for one batch of inputs

    Args:
        learn: As for `get_preds`
        x: A batch of inputs, (b, ...); a tuple for a model with several

    Returns:
        What the model says, on the CPU
    """

def top_losses(learn:Learner, k:int=9, dl=None)->DataFrame:
    """The samples whose loss is highest, the worst first

    Args:
        learn: As for `get_preds`
        k: How many samples
        dl: A loader that goes through its samples in order; None for that of
            validation

    Returns:
        pandas DataFrame: "index" in the loader's order, "loss", and for classes
            "target" and "predicted"
    """

def show_top_losses(learn:Learner, k:int=9, dl=None, names=None, **kwargs)->None:
    """Show the pictures whose loss is highest: what each is taken for, what it is,
    and its loss

    Args:
        learn: As for `get_preds`, of pictures
        k: How many
        dl: As for `top_losses`
        names: One name for each class; None numbers them
        **kwargs: Passed on to `show_images`
    """
