"""Kaiming, LSUV, BatchNorm and residual blocks, each measured."""
# Made by tools/make_stubs.py: do not edit
import torch
from collections.abc import Callable
from functools import partial
from torch import nn
from typing import Any

__all__ = ['act_gr', 'init_weights', 'GeneralRelu', 'conv', 'get_model', 'lsuv_init',
           'ResBlock']

def init_weights(m:nn.Module, leaky:float=0.0)->None:
    """Draw the weights of one layer anew from a normal of variance $2/((1 +
    leaky^2)\\,n_{in})$, in place (He et al., 2015, equation 14)

    Args:
        m: Any module: `model.apply(init_weights)` comes to each; only
            convolutions and linear layers change
        leaky: Slope below zero of the activation that follows; 0 is ReLU, 1 is
            none
    """

class GeneralRelu(nn.Module):
    """ReLU with a slope below zero, a shift and a ceiling: $\\min(\\mathrm{lrelu}(x) -
    sub,\\ maxv)$

    Args:
        leak: Slope below zero; None is 0
        sub: Subtracted, so that the mean can be 0; None subtracts nothing
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
    act:Callable | None=nn.ReLU,
    norm:Callable | None=None,
    bias:bool | None=None,
)->nn.Sequential:
    """A convolution with what usually follows it

    Args:
        ni: Channels in
        nf: Channels out
        ks: Width and height of the kernel; half of it, rounded down, is padded on
            each side
        stride: Step of the kernel: 2 halves the image
        act: Makes the activation; None has none
        norm: Makes the normalisation from the number of channels, such as
            nn.BatchNorm2d; None has none
        bias: With a bias; None has one unless the normalisation would subtract it
            again

    Returns:
        Convolution, normalisation, activation: (b, ni, hgt, wid) to (b, nf,
            hgt/stride, wid/stride), rounded up for odd ks
    """

def get_model(
    act:Callable | None=nn.ReLU,
    nfs:list[int] | None=None,
    norm:Callable | None=None,
)->nn.Sequential:
    """Convolutions of stride 2 down to a single pixel: the digit classifier of the
    next lessons

    Args:
        act: Makes the activations
        nfs: Channels of the image and after each convolution; None takes 1, 8,
            16, 32, 64
        norm: Makes the normalisation from the number of channels; None has none

    Returns:
        From (b, nfs[0], 28, 28) to ten scores (b, 10), on `def_device`
    """

def lsuv_init(
    model:nn.Module,
    m:nn.Module,
    m_in:nn.Module,
    xb,
    tol:float=0.001,
    max_steps:int=50,
)->tuple[float, float]:
    """Scale and shift one layer until what follows it has mean 0 and variance 1 on a
    batch (Mishkin and Matas, 2016)

    Args:
        model: The whole model; only `m_in` is changed
        m: Its output gets standard deviation 1, and mean 0 where it takes both
            signs and `m_in` has a bias
        m_in: The layer before `m`: its weight is scaled, its bias shifted
        xb: A batch of inputs for the model
        tol: How far mean and standard deviation may stay off
        max_steps: Passes through the model before it is given up

    Returns:
        Mean and standard deviation that the output of `m` has now
    """

class ResBlock(nn.Module):
    """Two convolutions whose result is added to their input: `act(convs(x) +
    idconv(pool(x)))`

    Args:
        ni: Channels in
        nf: Channels out
        stride: Of the second convolution; the input is averaged to the same size
        ks: Width and height of the kernels, odd
        act: Makes the activations
        norm: Makes the normalisation from the number of channels; None has none
    """
    convs: Any
    idconv: Any
    pool: Any
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
