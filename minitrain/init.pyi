"""Kaiming, LSUV and residual blocks: signals and gradients that survive fifty
layers.
"""
# Made by tools/make_stubs.py: do not edit
import torch
from collections.abc import Callable
from functools import partial
from torch import nn
from typing import Any

__all__ = ['act_gr', 'init_weights', 'GeneralRelu', 'conv', 'get_model', 'lsuv_init',
           'ResBlock']

def init_weights(m:nn.Module, leaky:float=0.0)->None:
    """Draw a layer's weights anew, of variance $2/((1 + leaky^2)\\,n_{in})$

    Args:
        m: Any; only convolutions and linear layers change
        leaky: Slope below zero of the activation that follows: 0 is ReLU, 1 none
    """

class GeneralRelu(nn.Module):
    """ReLU with a slope below zero, less `sub`, at most `maxv`

    Args:
        leak: Slope below zero; None is 0
        sub: Subtracted, so that the mean can be 0; None is 0
        maxv: Ceiling, applied last; None has none
    """
    leak: float | None
    sub: float | None
    maxv: float | None
    def __init__(
        self,
        leak:float | None=None,
        sub:float | None=None,
        maxv:float | None=None,
    )->None: ...
    def forward(self, x:torch.Tensor)->torch.Tensor:
        """Apply it to each number

        Args:
            x: Any shape; not changed

        Returns:
            Of x's shape and dtype
        """
    def extra_repr(self)->str:
        """The settings that are not None

        Returns:
            Such as "leak=0.1, sub=0.4"
        """

act_gr = partial(GeneralRelu, leak=0.1, sub=0.4)

def conv(
    ni:int,
    nf:int,
    ks:int=3,
    stride:int=2,
    act:Callable | bool | None=nn.ReLU,
    norm:Callable | None=None,
    bias:bool | None=None,
)->nn.Sequential:
    """A convolution, and the normalisation and activation that usually follow it

    Args:
        ni: Channels in
        nf: Channels out
        ks: Size of the kernel; half of it, rounded down, is padded on each side
        stride: Step of the kernel: 2 halves the image
        act: Makes it; True is nn.ReLU, None or False has none
        norm: Makes the normalisation from the channels; None has none
        bias: None has one, unless the normalisation would subtract it again

    Returns:
        (b, ni, hgt, wid) to (b, nf, hgt/stride, wid/stride), rounded up
    """

def get_model(
    act:Callable | None=nn.ReLU,
    nfs:list[int] | None=None,
    norm:Callable | None=None,
)->nn.Sequential:
    """Convolutions of stride 2 down to a single pixel: a digit classifier

    Args:
        act: Makes the activations
        nfs: Channels, the image's first; None takes 1, 8, 16, 32, 64
        norm: Makes the normalisation from the channels; None has none

    Returns:
        From (b, nfs[0], 28, 28) to ten logits (b, 10), on `def_device`
    """

def lsuv_init(
    model:nn.Module,
    m:nn.Module,
    m_in:nn.Module,
    xb,
    tol:float=0.001,
    max_steps:int=50,
)->tuple[float, float]:
    """Scale and shift a layer until what follows it has mean 0 and variance 1 on a
    batch

    Args:
        model: The whole model; only `m_in` is changed
        m: Its output gets deviation 1, and mean 0 where that can be
        m_in: The layer before `m`: its weight is scaled, its bias shifted
        xb: A batch of inputs for the model
        tol: How far mean and standard deviation may stay off
        max_steps: Passes through the model before an attempt is given up

    Returns:
        Mean and standard deviation that the output of `m` has now
    """

class ResBlock(nn.Module):
    """Two convolutions added to their input: `act(convs(x) + idconv(pool(x)))`

    Args:
        ni: Channels in
        nf: Channels out
        stride: Of the second convolution; the input is averaged to that size
        ks: Size of the kernels, odd
        act: Makes the activations
        norm: Makes the normalisation; None has none
    """
    idconv: Any
    pool: Any
    convs: Any
    act: Any
    def __init__(
        self,
        ni:int,
        nf:int,
        stride:int=1,
        ks:int=3,
        act:Callable=act_gr,
        norm:Callable | None=None,
    )->None: ...
    def forward(self, x:torch.Tensor)->torch.Tensor:
        """Input plus what the convolutions make of it

        Args:
            x: (b, ni, hgt, wid)

        Returns:
            (b, nf, hgt/stride, wid/stride), rounded up
        """
