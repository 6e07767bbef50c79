"""The loss for one yes or no, from its likelihood to a form that survives any score,
with the right slope everywhere.
"""
# Made by tools/make_stubs.py: do not edit
import torch
from collections.abc import Callable

__all__ = ['binary_cross_entropy', 'binary_cross_entropy_with_logits']

def binary_cross_entropy(
    input:torch.Tensor,
    target:torch.Tensor,
    weight:torch.Tensor | None=None,
    reduction:str='mean',
)->torch.Tensor:
    """Binary cross-entropy of probabilities, as `F.binary_cross_entropy`

    Args:
        input: Probabilities of a yes, from 0 to 1, any shape
        target: What was true: 1 for yes, 0 for no, or a probability; shape and
            dtype of `input`
        weight: Weight of each element, broadcast to `input`
        reduction: 'none', 'mean' (over the number of elements) or 'sum'

    Returns:
        Loss in nats: 0-d, or the shape of `input` for 'none'
    """

def binary_cross_entropy_with_logits(
    input:torch.Tensor,
    target:torch.Tensor,
    weight:torch.Tensor | None=None,
    reduction:str='mean',
    pos_weight:torch.Tensor | None=None,
)->torch.Tensor:
    """Binary cross-entropy of logits of any size, as
    `F.binary_cross_entropy_with_logits`

    Args:
        input: Logits: the log odds of a yes, any numbers, any shape
        target: What was true: 1 for yes, 0 for no, or a probability (not
            checked); the shape of `input`
        weight: Weight of each element, broadcast to `input`
        reduction: 'none', 'mean' (over the number of elements) or 'sum'
        pos_weight: How many times a yes counts, broadcast to `input` (one per
            class, say)

    Returns:
        Loss in nats, of the dtype of `target`: 0-d, or the shape of `input` for
            'none'
    """

def check_balance(fn:Callable)->str:
    """Check exercise 1 of lesson 03: a `pos_weight` that balances each class

    Args:
        fn: Yours: called with float targets of shape (b, k), gives pos_weight of
            shape (k,)

    Returns:
        "passed", or an AssertionError that says what is wrong
    """

def check_log_sigmoid(fn:Callable)->str:
    """Check exercise 2 of lesson 03: the log of the sigmoid

    Args:
        fn: Yours: called with a tensor of logits, any shape

    Returns:
        "passed", or an AssertionError that says what is wrong
    """

def check_focal_loss(fn:Callable)->str:
    """Check exercise 3 of lesson 03: the focal loss

    Args:
        fn: Yours: called with logits, targets of 0 and 1, and gamma

    Returns:
        "passed", or an AssertionError that says what is wrong
    """
