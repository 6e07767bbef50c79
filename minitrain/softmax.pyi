"""Three ways to write one formula, two of which break, and the trick that holds at
any size of score.
"""
# Made by tools/make_stubs.py: do not edit
import torch

__all__ = ['logsumexp', 'softmax', 'log_softmax']

def logsumexp(
    input:torch.Tensor,
    dim:int | tuple,
    keepdim:bool=False,
)->torch.Tensor:
    """The log of a sum of exponentials, without overflow, as `torch.logsumexp`

    Args:
        input: Scores; integers are taken as floats, complex numbers are fine
        dim: The dimension or dimensions to reduce
        keepdim: Leave the reduced dimensions in place, with size 1

    Returns:
        log(sum(exp(input))) along `dim`; -inf where there is nothing to sum
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
        Probabilities, the shape of `input`; a row with +inf or of only -inf is
            nan
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
        Log probabilities, at most 0, the shape of `input`; a row with +inf or of
            only -inf is nan
    """
