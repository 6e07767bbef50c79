"""One cycle, warm-up and cosine, in step with the updates; frozen layers; a sweep
for the learning rate that leaves no trace.
"""
# Made by tools/make_stubs.py: do not edit
import torch
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from matplotlib.axes import Axes
from minitrain.learner import Callback, Learner
from minitrain.progress import Kept
from torch import nn
from typing import Any

__all__ = ['linear', 'cosine', 'BaseSchedCB', 'BatchSchedCB', 'EpochSchedCB',
           'Schedule', 'one_cycle', 'warmup_cosine', 'freeze', 'LRFinderCB']

def linear(start:float, end:float, pos:float)->float:
    """A straight line from `start` to `end`

    Args:
        start: Value at 0
        end: Value at 1
        pos: From 0 to 1

    Returns:
        Between `start` and `end`
    """

def cosine(start:float, end:float, pos:float)->float:
    """Half a cosine wave from `start` to `end`: flat at both ends

    Args:
        start: Value at 0
        end: Value at 1
        pos: From 0 to 1

    Returns:
        Between `start` and `end`
    """

class BaseSchedCB(Callback):
    """Base of callbacks with a scheduler: new in each fit, stepped only after an
    update

    Args:
        sched: Called with the optimizer: `partial(StepLR, step_size=5)`
    """
    order, only_in_fit = (20, True)
    sched: Callable
    schedo: Any
    def __init__(self, sched:Callable)->None: ...
    def before_fit(self, learn:Learner)->None:
        """Make the scheduler, if this fit trains

        Args:
            learn: Its optimizer is scheduled
        """
    def after_step(self, learn:Learner)->None:
        """Note that there was an update

        Args:
            learn: Not looked at
        """
    def state_dict(self)->dict:
        """Where the schedule stands

        Returns:
            For `load_state_dict`
        """
    def load_state_dict(self, state:dict)->None:
        """Go on from there; in a fit, once its scheduler is made

        Args:
            state: From `state_dict`, of a callback with the same `sched`
        """

class BatchSchedCB(BaseSchedCB):
    """Steps a scheduler after each batch that made an update; fills in its
    `total_steps`
    """
    after_epoch = after_batch
    def after_batch(self, learn:Learner)->None:
        """Step, if there was an update

        Args:
            learn: Its mode is looked at
        """

class EpochSchedCB(BaseSchedCB):
    """Steps a scheduler after each training epoch; `ReduceLROnPlateau` by the mean
    loss
    """
    def after_epoch(self, learn:Learner)->None:
        """Step, if there was an update

        Args:
            learn: A plateau reads the loss of its MetricsCB
        """

class Schedule(Kept):
    """A scheduler made of functions of the number of updates

    Args:
        optimizer: Ours or torch's; `lr` multiplies its rates
        lr: Called with the number of updates so far, returns a factor
        momentum: Likewise, returns the momentum
        total_steps: Updates it is made for; None for any number
    """
    base_lrs: Any
    optimizer: torch.optim.Optimizer
    total_steps: int | None
    n: Any
    lr: Callable
    momentum: Callable | None
    def __init__(
        self,
        optimizer:torch.optim.Optimizer,
        lr:Callable,
        momentum:Callable | None=None,
        total_steps:int | None=None,
    )->None: ...
    def step(self)->None:
        """Count an update, and set what the next one uses"""
    def load_state_dict(self, state:dict)->None:
        """Go on from there

        Args:
            state: From `state_dict`
        """

def one_cycle(
    optimizer:torch.optim.Optimizer,
    max_lr:float | list,
    total_steps:int,
    pct_start:float=0.3,
    anneal_strategy:str='cos',
    cycle_momentum:bool=True,
    base_momentum:float=0.85,
    max_momentum:float=0.95,
    div_factor:float=25.0,
    final_div_factor:float=10000.0,
)->Schedule:
    """Up to a high learning rate and down to almost none; the momentum the other way

    Args:
        optimizer: Its learning rates are replaced
        max_lr: The highest learning rate, or a list with one for each group
        total_steps: Updates in the whole run; one more is a ValueError
        pct_start: Share of them in which the rate rises
        anneal_strategy: "cos" or "linear"
        cycle_momentum: Move the momentum against the learning rate
        base_momentum: Momentum at the highest learning rate
        max_momentum: Momentum at the beginning and at the end
        div_factor: `max_lr` over the first learning rate
        final_div_factor: The first learning rate over the last

    Returns:
        `step()` it after each update
    """

def warmup_cosine(
    optimizer:torch.optim.Optimizer,
    total_steps:int,
    warmup_steps:int=0,
    start_factor:float=0.01,
    end_factor:float=0.0,
)->Schedule:
    """A straight line up to the optimizer's learning rate, then half a cosine down

    Args:
        optimizer: Its learning rates are the highest reached
        total_steps: Updates in the whole run
        warmup_steps: Updates until the learning rate is reached
        start_factor: Share of it that the first update uses
        end_factor: Share of it that is left at the end

    Returns:
        `step()` it after each update
    """

def freeze(module:nn.Module, frozen:bool=True)->nn.Module:
    """Keep a module as it is: no gradients, and evaluation mode, so that averages
    stay

    Args:
        module: A part of a model
        frozen: False lets it learn again

    Returns:
        The same module
    """

@contextmanager
def model_kept(model:nn.Module, opt=None)->Iterator[Any]:
    """After the block model and random numbers are as before; inside, no old
    gradient

    Args:
        model: Its parameters, gradients and all its buffers are put back
        opt: Its state and options too
    """

@contextmanager
def left_unchanged(learn:Learner)->Iterator[Any]:
    """After the block all is as it was before, however it ends

    Args:
        learn: Anything may be done with it inside the block
    """

class LRFinderCB(Callback):
    """Multiplies the rate after each update until the loss explodes, then puts all
    back

    Args:
        gamma: Factor from one update to the next, above 1
        max_mult: Stop when the loss is this many times the smallest so far
    """
    order: Any
    only_in_fit: Any
    gamma: float
    max_mult: float
    lrs: Any
    losses: Any
    def __init__(self, gamma:float=1.3, max_mult:float=3)->None: ...
    def before_fit(self, learn:Learner)->None:
        """Begin anew

        Args:
            learn: Its state is noted
        """
    def after_step(self, learn:Learner)->None:
        """Note that there was an update

        Args:
            learn: Not looked at
        """
    def after_batch(self, learn:Learner)->None:
        """Note learning rate and loss, and go on to the next learning rate

        Args:
            learn: Its loss is read, its rates are changed
        """
    def cleanup_fit(self, learn:Learner)->None:
        """Put everything back, and plot

        Args:
            learn: Is put back
        """
    def suggestion(self)->float | None:
        """The rate at which the smoothed loss has come three quarters of its way
        down

        Returns:
            None where the loss fell by no more than its noise
        """
    def plot(self)->Axes:
        """Loss against learning rate, with the suggestion

        Returns:
            matplotlib Axes
        """
