"""The loss for one yes or no, from its likelihood to a form that survives any score,
with the right slope everywhere.
"""
# Made by tools/make_stubs.py: do not edit
import torch

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
