"""A twin beside a readable function: equal by test, measured, and used only where
somebody would notice.
"""
# Made by tools/make_stubs.py: do not edit
import torch

__all__ = ['fused_cross_entropy']

def fused_cross_entropy(
    input:torch.Tensor,
    target:torch.Tensor,
    weight:torch.Tensor | None=None,
    ignore_index:int=-100,
    reduction:str='mean',
    label_smoothing:float=0.0,
)->torch.Tensor:
    """`cross_entropy` for class numbers in one table of memory, for one backward

    Args:
        input: Scores: (b, k), (k,) or (b, k, ...), floating point
        target: Class numbers, int64: the shape of `input` without k
        weight: (k,), of the dtype of `input`: weight of each class
        ignore_index: Positions with this label count for nothing
        reduction: "mean" (over the sum of the weights), "sum" or "none"
        label_smoothing: As for `cross_entropy`, which then does the work

    Returns:
        0-d, or for "none" the shape of `input` without k
    """
