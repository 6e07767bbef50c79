"""How wrong a classifier is, in one number, and the gradient of that number: softmax
minus one-hot.
"""
# Made by tools/make_stubs.py: do not edit
import torch

__all__ = ['nll_loss', 'cross_entropy']

def classes_last(x:torch.Tensor)->torch.Tensor:
    """The dimension of classes moved to the end

    Args:
        x: (b, k, ...), or (k,) for a single row

    Returns:
        A view of shape (b, ..., k)
    """

def read_labels(
    log_p:torch.Tensor,
    target:torch.Tensor,
    weight:torch.Tensor | None,
    ignore_index:int,
)->tuple:
    """What each label asks for

    Args:
        log_p: (b, ..., k)
        target: Class numbers, (b, ...)
        weight: (k,), one weight for each class
        ignore_index: Label that counts for nothing

    Returns:
        Where to look, whether it counts, what it weighs: three tensors (b, ...)
    """

def reduce_loss(loss:torch.Tensor, w:torch.Tensor, reduction:str)->torch.Tensor:
    """The sum of `loss` over the sum of the weights, the sum, or `loss`

    Args:
        loss: One number for each label, already weighted
        w: Weight of each label
        reduction: "mean", "sum" or "none"

    Returns:
        0-d, or `loss` itself for "none"
    """

def nll_loss(
    input:torch.Tensor,
    target:torch.Tensor,
    weight:torch.Tensor | None=None,
    ignore_index:int=-100,
    reduction:str='mean',
)->torch.Tensor:
    """The negative log likelihood of the labels, as `F.nll_loss`

    Args:
        input: Log probabilities: (b, k), (k,) or (b, k, ...)
        target: Class numbers, int64: the shape of `input` without k
        weight: (k,), of the dtype of `input`: weight of each class
        ignore_index: A label that counts for nothing
        reduction: "mean" (over the sum of the weights), "sum" or "none"

    Returns:
        0-d, or the shape of `target` for "none"; mean over nothing: nan
    """

def table_loss(
    log_p:torch.Tensor,
    q:torch.Tensor | float,
    weight:torch.Tensor | None,
    w:torch.Tensor,
    reduction:str,
)->torch.Tensor:
    """Cross-entropy against a distribution at each position

    Args:
        log_p: (b, ..., k)
        q: Probabilities of the classes, (b, ..., k), or one for all
        weight: (k,)
        w: What the mean counts at each position, (b, ...)
        reduction: "mean", "sum" or "none"

    Returns:
        0-d, or (b, ...) for "none"
    """

def cross_entropy(
    input:torch.Tensor,
    target:torch.Tensor,
    weight:torch.Tensor | None=None,
    ignore_index:int=-100,
    reduction:str='mean',
    label_smoothing:float=0.0,
)->torch.Tensor:
    """The cross-entropy between scores and targets, as `F.cross_entropy`

    Args:
        input: Scores: (b, k), (k,) or (b, k, ...)
        target: As for `nll_loss`, or probabilities of the shape of `input`
        weight: (k,): weight of each class
        ignore_index: A label that counts for nothing (class numbers only)
        reduction: As for `nll_loss`; a mean of probabilities is over positions
        label_smoothing: Share of each target that goes evenly to all classes

    Returns:
        0-d, or for "none" the shape of `input` without k
    """
