"""SGD, momentum, Adam and AdamW in a few lines each, equal to PyTorch's step for
step, and compared on real digits.
"""
# Made by tools/make_stubs.py: do not edit
import torch
from collections.abc import Callable, Iterable
from typing import Any

__all__ = ['SGD', 'Momentum', 'Adam', 'AdamW']

def sgd_step(w, g, state, lr)->None:
    """Downhill; nothing is remembered"""

def momentum_step(w, g, state, lr, momentum=0.9, dampening=0, nesterov=False)->None:
    """Along a fading sum of gradients, which begins with the first one"""

def adam_step(w, g, state, lr, betas=(0.9, 0.999), eps=1e-08)->None:
    """Along the mean gradient over the root of the mean squared gradient"""

def adamw_step(
    w,
    g,
    state,
    lr,
    weight_decay=0.01,
    betas=(0.9, 0.999),
    eps=1e-08,
)->None:
    """Shrink the weight by a share, then Adam's step"""

class _Optimizer(torch.optim.Optimizer):
    """Hands each parameter, its gradient and its memory to a rule"""
    @torch.no_grad()
    def step(self, closure:Callable | None=None)->Any:
        """Update every parameter that has a gradient, in place

        Args:
            closure: Computes the loss and its gradients anew

        Returns:
            What `closure` returned; None without one
        """
    def add_param_group(self, param_group:dict)->None:
        """Add parameters with options of their own

        Args:
            param_group: "params" and any options that differ from the defaults
        """
    def load_state_dict(self, state_dict:dict)->None:
        """Go on from a stored state

        Args:
            state_dict: From ours or from torch's optimizer of the same rule
        """

class SGD(_Optimizer):
    """Gradient descent, with momentum where it is not 0, as torch's

    Args:
        params: Parameters, pairs (name, parameter), or dicts with options
        lr: Learning rate
        momentum: What is kept of the sum of gradients at each step
        dampening: What is held back of each gradient after the first
        weight_decay: Times the parameter, added to its gradient
        nesterov: Look one step ahead along the sum
    """
    def __init__(
        self,
        params:Iterable,
        lr:float=0.001,
        momentum:float=0,
        dampening:float=0,
        weight_decay:float=0,
        nesterov:bool=False,
    )->None: ...

class Momentum(SGD):
    """Descent along a fading sum of gradients: `SGD` with another default

    Args:
        params: As for `SGD`
        lr: As for `SGD`
        momentum: As for `SGD`
        dampening: As for `SGD`
        weight_decay: As for `SGD`
        nesterov: As for `SGD`
    """
    def __init__(
        self,
        params:Iterable,
        lr:float=0.001,
        momentum:float=0.9,
        dampening:float=0,
        weight_decay:float=0,
        nesterov:bool=False,
    )->None: ...

class Adam(_Optimizer):
    """Each weight by about `lr`: its mean gradient over the usual size of it

    Args:
        params: As for `SGD`
        lr: Learning rate: about the length of a step
        betas: What the running means keep
        eps: Added to the root
        weight_decay: Times the parameter, added to its gradient
    """
    def __init__(
        self,
        params:Iterable,
        lr:float=0.001,
        betas:tuple[float, float]=(0.9, 0.999),
        eps:float=1e-08,
        weight_decay:float=0,
    )->None: ...
    def state_dict(self)->dict:
        """Everything needed to go on later

        Returns:
            "state" by parameter number, and "param_groups", as torch's
        """

class AdamW(Adam):
    """Adam whose weight decay shrinks the weight itself and stays out of the
    gradient

    Args:
        params: As for `SGD`
        lr: As for `Adam`
        betas: As for `Adam`
        eps: As for `Adam`
        weight_decay: Times `lr`: the share that each weight loses
    """
    def __init__(
        self,
        params:Iterable,
        lr:float=0.001,
        betas:tuple[float, float]=(0.9, 0.999),
        eps:float=1e-08,
        weight_decay:float=0.01,
    )->None: ...
