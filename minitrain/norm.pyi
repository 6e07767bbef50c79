"""Inputs and activations brought to one scale, and a layer that forgets on purpose:
BatchNorm, LayerNorm and Dropout from nothing.
"""
# Made by tools/make_stubs.py: do not edit
import torch
from torch import nn
from typing import Any

__all__ = ['Standardize', 'BatchNorm', 'LayerNorm', 'Dropout']

class Standardize(nn.Module):
    """Inputs less the mean of the training set, over its standard deviation

    Args:
        x: Training inputs, any shape, floating point: one mean for all
    """
    def __init__(self, x:torch.Tensor)->None: ...
    def forward(self, x:torch.Tensor)->torch.Tensor:
        """Inputs on the scale of the training set

        Args:
            x: Inputs, any shape

        Returns:
            The same shape
        """

class BatchNorm(nn.Module):
    """Each feature to mean 0 and variance 1 over the batch, as `nn.BatchNorm1d` and
    `2d`

    Args:
        num_features: Size of axis 1: features, or channels of images
        eps: Added to the variance
        momentum: Share of the new batch in the running ones, from 0 to 1
    """
    weight: Any
    bias: Any
    eps: float
    momentum: float
    num_batches_tracked: Any
    def __init__(self, num_features:int, eps:float=1e-05, momentum:float=0.1)->None: ...
    def forward(self, x:torch.Tensor)->torch.Tensor:
        """Normalise; in training the running statistics move

        Args:
            x: (b, d) or (b, c, hgt, wid), floating point

        Returns:
            The shape of `x`
        """

class LayerNorm(nn.Module):
    """Each sample to mean 0 and variance 1 over its last axes, as `nn.LayerNorm`

    Args:
        normalized_shape: Sizes of the last axes
        eps: Added to the variance
    """
    weight: Any
    bias: Any
    eps: float
    dims: Any
    def __init__(self, normalized_shape:int | tuple, eps:float=1e-05)->None: ...
    def forward(self, x:torch.Tensor)->torch.Tensor:
        """Normalise each sample by itself

        Args:
            x: (..., *normalized_shape), floating point

        Returns:
            The shape of `x`
        """

class Dropout(nn.Module):
    """In training each value is 0 with probability `p`, else over 1 - p, as
    `nn.Dropout`

    Args:
        p: Probability of a zero, from 0 to 1
    """
    p: float
    def __init__(self, p:float=0.5)->None: ...
    def forward(self, x:torch.Tensor)->torch.Tensor:
        """Drop in training; in evaluation return `x` itself

        Args:
            x: Any shape, floating point

        Returns:
            The shape of `x`
        """
