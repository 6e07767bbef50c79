"""Three ways to write one formula, two of which break, and the subtraction that
holds at any size of score.
"""
# Made by tools/make_stubs.py: do not edit
import torch

__all__ = ['logsumexp', 'softmax', 'log_softmax']

def logsumexp(
    input:torch.Tensor,
    dim:int | tuple,
    keepdim:bool=False,
)->torch.Tensor:
    """log(sum(exp(input))) along `dim` without overflow, as `torch.logsumexp`

    Args:
        input: Scores of any shape; integers count as floats
        dim: The dimension or dimensions to sum over
        keepdim: Leave these dimensions in place, with size 1

    Returns:
        Floating point; -inf where there is nothing to sum
    """

def softmax(
    input:torch.Tensor,
    dim:int,
    dtype:torch.dtype | None=None,
)->torch.Tensor:
    """Probabilities in proportion to exp(input) along `dim`, as `torch.softmax`

    Args:
        input: Scores, any shape
        dim: The dimension along which the answer sums to 1
        dtype: Cast to this first; integers need it

    Returns:
        Probabilities, shape of `input`; nan if a row has +inf or only -inf
    """

def log_softmax(
    input:torch.Tensor,
    dim:int,
    dtype:torch.dtype | None=None,
)->torch.Tensor:
    """The log of the softmax along `dim`, as `torch.log_softmax`

    Args:
        input: Scores, any shape
        dim: The dimension along which the probabilities sum to 1
        dtype: Cast to this first; integers need it

    Returns:
        At most 0, shape of `input`; nan for a row with +inf or of only -inf
    """
