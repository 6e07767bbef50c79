"""Which digits are on the canvas? Scores that need looking, a convolutional network,
and what a weight does for rare labels.
"""
# Made by tools/make_stubs.py: do not edit
import torch
from collections.abc import Callable, Iterable, Sequence
from torch import nn
from typing import Any, NamedTuple

__all__ = ['multilabel_canvases', 'threshold_accuracy', 'precision_recall_f1',
           'MultilabelNet', 'train_loop', 'test_loop', 'pos_weights']

def multilabel_canvases(
    images:torch.Tensor,
    labels:torch.Tensor,
    n:int,
    seed:int=0,
    start:int=0,
    size:int=64,
    max_digits:int=4,
    weights:Sequence[float]=(1,) * 10,
)->tuple[torch.Tensor, torch.Tensor]:
    """Canvases with digits pasted on them, and for each label 1. if it is there,
    else 0.

    Args:
        images: Digits to paste, float from 0 to 1, shape (m, s, s)
        labels: Their labels, integers, shape (m,)
        n: How many canvases
        seed: With a canvas's number it fixes all that is random about that canvas
        start: Number of the first canvas
        size: Height and width of a canvas, in pixels
        max_digits: A canvas holds 1 to this many digits, each number equally
            often
        weights: How often each digit is drawn, relatively

    Returns:
        Canvases (n, 1, size, size), targets (n, k)
    """

def threshold_accuracy(
    probs:torch.Tensor,
    target:torch.Tensor,
    threshold:float | torch.Tensor=0.5,
)->torch.Tensor:
    """Share of the b*k yes-or-no answers that are right

    Args:
        probs: Probabilities from 0 to 1, (b, k)
        target: 1 where a label is present, else 0; (b, k), any dtype
        threshold: Yes from here on: for all labels, or (k,)

    Returns:
        A float32 tensor without axes, from 0 to 1
    """

class LabelScores(NamedTuple):
    """Scores of each label, tensors of shape (k,)

    Args:
        precision: Of the yes said, the share that is right
        recall: Of the labels present, the share that was found
        f1: Harmonic mean of the two
        present: In how many samples the label is present
    """
    precision: torch.Tensor
    recall: torch.Tensor
    f1: torch.Tensor
    present: torch.Tensor

def precision_recall_f1(
    probs:torch.Tensor,
    target:torch.Tensor,
    threshold:float | torch.Tensor=0.5,
    zero_division:float=0.0,
)->LabelScores:
    """Precision, recall and F1 of each label, from counts over all samples

    Args:
        probs: Probabilities from 0 to 1, (b, k)
        target: 1 where a label is present, else 0; (b, k), any dtype
        threshold: Yes from here on: for all labels, or (k,)
        zero_division: What stands for 0/0

    Returns:
        precision, recall, f1, present: each (k,)
    """

class MultilabelNet(nn.Module):
    """A residual network with one logit for each label, for images of any size

    Args:
        n_out: Labels
        n_in: Channels of the image
        widths: Channels after each halving of the image
        dropout: Share of the features that is dropped in training
    """
    trunk: Any
    dropout: Any
    head: Any
    def __init__(
        self,
        n_out:int=10,
        n_in:int=1,
        widths:Sequence[int]=(16, 32, 64),
        dropout:float=0.1,
    )->None: ...
    def forward(self, x:torch.Tensor)->torch.Tensor:
        """The log odds that each label is on each image

        Args:
            x: Images, (b, n_in, hgt, wid)

        Returns:
            Logits, (b, n_out)
        """

def train_loop(
    model:nn.Module,
    optimizer,
    dataloader:Iterable,
    loss_fn:Callable,
    device:str | torch.device | None=None,
    log_every:int=100,
)->list[float]:
    """Go through `dataloader` once and update the model after each batch

    Args:
        model: Returns logits (b, k); in training mode inside
        optimizer: Ours or torch's, of the model's parameters
        dataloader: Pairs (inputs, targets), the targets (b, k), float
        loss_fn: Called with (logits, targets), averages over the batch
        device: Where both go; None: where the model is
        log_every: Keep the loss of the first batch and of every so many after it

    Returns:
        Those losses in nats, each from before its batch's update
    """

def test_loop(
    model:nn.Module,
    dataloader:Iterable,
    loss_fn:Callable,
    device:str | torch.device | None=None,
)->dict:
    """Loss and mean scores over all samples at threshold 0.5; `exact`: all labels
    right

    Args:
        model: Returns logits (b, k); in evaluation mode inside
        dataloader: Pairs (inputs, targets), the targets (b, k), float
        loss_fn: Called with (logits, targets), averages over them
        device: Where both go; None: where the model is

    Returns:
        loss, accuracy, exact, precision, recall, f1; "labels": lists for each
            label
    """

def pos_weights(y:torch.Tensor, power:float=1)->torch.Tensor:
    """(absent/present)**power for each label, the `pos_weight` of the loss

    Args:
        y: Targets of the training set, (n, k)
        power: 0 weighs nothing, 1 balances yes and no

    Returns:
        (k,), finite also for a label that is never or always present
    """
