"""The loss of one yes or no, from its likelihood to a form that survives any logit,
with the right gradient everywhere.
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
        input: Probabilities of a yes, from 0 to 1, floats of any shape
        target: 1 for yes, 0 for no, or a probability; that shape and dtype
        weight: Weight of each element, broadcast to `input`
        reduction: 'none', 'mean' (over the number of elements) or 'sum'

    Returns:
        Loss in nats, the dtype of `input`: 0-d, or for 'none' as `input`
    """

def binary_cross_entropy_with_logits(
    input:torch.Tensor,
    target:torch.Tensor,
    weight:torch.Tensor | None=None,
    reduction:str='mean',
    pos_weight:torch.Tensor | None=None,
)->torch.Tensor:
    """Binary cross-entropy of logits, as `F.binary_cross_entropy_with_logits`

    Args:
        input: Logits: the log odds of a yes, floats of any size and shape
        target: 1 for yes, 0 for no, or a probability (unchecked); that shape
        weight: Weight of each element, broadcast to `input`
        reduction: 'none', 'mean' (over the number of elements) or 'sum'
        pos_weight: How many times a yes counts; one per class, say

    Returns:
        Loss in nats, the dtype of `target`: 0-d, or for 'none' as `input`
    """
