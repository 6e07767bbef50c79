"""The chain rule, walked backwards: by hand for one hidden layer, then by a tape of
eighty lines.
"""
# Made by tools/make_stubs.py: do not edit
import torch
from collections.abc import Callable, Iterable
from typing import Any

__all__ = ['finite_difference', 'Value']

def finite_difference(f:Callable, x:torch.Tensor, h:float=1e-05)->torch.Tensor:
    """The gradient by nudging one element after the other: two calls of `f` for each

    Args:
        f: Takes a float64 tensor of the shape of `x`, returns one number
        x: Where the gradient is wanted; any shape
        h: How far each element is moved, up and down

    Returns:
        The gradient of `f` at `x`, float64, the shape of `x`
    """

class Value:
    """A tensor that remembers what it was made from, and each way back

    Args:
        data: The numbers; a float will do
        parents: Pairs: a Value, and what turns our gradient into its
        op: What made it, to be read by people
    """
    data: Any
    parents: Iterable
    op: str
    grad: Any
    def __init__(self, data:torch.Tensor, parents:Iterable=(), op:str='leaf')->None: ...
    def __repr__(self): ...
    def __add__(self, other): ...
    def __mul__(self, other): ...
    def __matmul__(self, other): ...
    def __radd__(self, other): ...
    def __rmul__(self, other): ...
    def __neg__(self): ...
    def tape(self)->list:
        """Everything that this value was made from, in topological order

        Returns:
            Values, each one after all it was made from; the last is this one
        """
    def backward(self)->None:
        """Add the gradient of this number to `grad` of every leaf it was made from"""
    def relu(self)->Value:
        """max(0, x) of each element

        Returns:
            The shape of this one
        """
    def sum(self)->Value:
        """The sum of all elements

        Returns:
            A single number
        """
    def mean(self)->Value:
        """The mean of all elements

        Returns:
            A single number
        """
    def log_softmax(self, dim:int=1)->Value:
        """Scores minus their `logsumexp`

        Args:
            dim: The dimension that holds the scores of one sample

        Returns:
            Log-probabilities, the shape of this one
        """
    def pick(self, y:torch.Tensor)->Value:
        """The element of each row in column `y`

        Args:
            self: (b, k)
            y: A column number for each row, (b,) int64

        Returns:
            (b,)
        """
