"""SGD, momentum, Adam and AdamW written out, equal to PyTorch's step for step, and
compared on real digits.
"""
# Made by tools/make_stubs.py: do not edit
import torch
from collections.abc import Callable, Iterable
from typing import Any

__all__ = ['SGD', 'Momentum', 'Adam', 'AdamW']

def check_options(options:dict)->None:
    """Refuse values that an update rule cannot work with

    Args:
        options: Options of a parameter group by name
    """

class _Optimizer(torch.optim.Optimizer):
    """What all four share: checks, the walk over parameters, zeroing; torch's class
    keeps groups, state and hooks

    Args:
        params: Parameters, (name, parameter) pairs, or dicts of parameters with
            options of their own
        **defaults: Options for every group that does not bring its own
    """
    def __init__(self, params:Iterable, **defaults)->None: ...
    def add_param_group(self, param_group:dict)->None:
        """Add parameters with options of their own

        Args:
            param_group: "params" and any options that differ from the defaults
        """
    @torch.no_grad()
    def step(self, closure:Callable | None=None)->Any:
        """Update every parameter that has a gradient, in place

        Args:
            closure: Computes the loss and its gradients anew, for loops that are
                written that way

        Returns:
            What `closure` returned; None without one
        """
    def zero_grad(self, set_to_none:bool=True)->None:
        """Reset the gradients of all parameters

        Args:
            set_to_none: True forgets the gradients, so that `step` passes over
                them; False fills them with zeros
        """
    def state_dict(self)->dict:
        """Everything needed to go on later; torch's optimizer of the same rule can
        load it too

        Returns:
            "state" by parameter number and "param_groups", in the format of
                torch's class
        """
    def load_state_dict(self, state_dict:dict)->None:
        """Go on from a stored state; one made under another rule is refused

        Args:
            state_dict: From ours or from torch's optimizer of the same rule
        """

class SGD(_Optimizer):
    """Gradient descent: `p -= lr*grad`

    Args:
        params: Parameters, (name, parameter) pairs, or dicts of parameters with
            options of their own
        lr: Learning rate
        weight_decay: Times the parameter, added to its gradient
    """
    def __init__(
        self,
        params:Iterable,
        lr:float=0.001,
        *,
        weight_decay:float=0,
    )->None: ...

class Momentum(_Optimizer):
    """Descent along a decaying sum of gradients, or Nesterov's form of it (torch's
    SGD with momentum)

    Args:
        params: Parameters, (name, parameter) pairs, or dicts of parameters with
            options of their own
        lr: Learning rate
        momentum: What is kept of the sum at each step
        dampening: What is held back of each new gradient, after the first
        weight_decay: Times the parameter, added to its gradient
        nesterov: Look one step ahead along the sum
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
    """A step of about `lr` for each weight: the mean gradient over the root of the
    mean squared gradient

    Args:
        params: Parameters, (name, parameter) pairs, or dicts of parameters with
            options of their own
        lr: Learning rate: about the length of a step, in units of the weight
        betas: What the two running means keep at each step
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

class AdamW(Adam):
    """Adam whose weight decay shrinks the weight itself and stays out of the
    gradient

    Args:
        params: Parameters, (name, parameter) pairs, or dicts of parameters with
            options of their own
        lr: Learning rate: about the length of a step, in units of the weight
        betas: What the two running means keep at each step
        eps: Added to the root
        weight_decay: Times `lr`: the share of each weight that goes at each step
    """
    def __init__(
        self,
        params:Iterable,
        lr:float=0.001,
        betas:tuple[float, float]=(0.9, 0.999),
        eps:float=1e-08,
        weight_decay:float=0.01,
    )->None: ...
