"""One-cycle, cosine and warm-up by hand, a recorder, and a finder that leaves no
trace.
"""
# Made by tools/make_stubs.py: do not edit
import torch
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from matplotlib.axes import Axes
from minitrain.learner import Callback, Learner
from torch import nn
from typing import Any

__all__ = ['linear', 'cosine', 'BaseSchedCB', 'BatchSchedCB', 'EpochSchedCB',
           'Schedule', 'one_cycle', 'warmup_cosine', 'LRFinderCB']

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
    """Half a cosine wave from `start` to `end`: flat at both ends, steepest in the
    middle

    Args:
        start: Value at 0
        end: Value at 1
        pos: From 0 to 1

    Returns:
        Between `start` and `end`
    """

class BaseSchedCB(Callback):
    """Base of callbacks that step a scheduler: made anew for each fit that trains,
    stepped only after an update

    Args:
        sched: Called with the optimizer of the fit, gives a scheduler:
            `partial(OneCycleLR, max_lr=0.1, total_steps=500)`
    """
    only_in_fit = True
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
    """Steps a scheduler after each batch whose update was made"""
    def after_batch(self, learn:Learner)->None:
        """Step, if there was an update

        Args:
            learn: Its mode is looked at
        """

class EpochSchedCB(BaseSchedCB):
    """Steps a scheduler after each training epoch; `ReduceLROnPlateau` after the
    validation, with its mean loss
    """
    def before_epoch(self, learn:Learner)->None:
        """Begin a mean of the loss

        Args:
            learn: Not looked at
        """
    def after_batch(self, learn:Learner)->None:
        """Add to the mean, where a scheduler looks at it

        Args:
            learn: Its loss is taken, if the scheduler wants one
        """
    def after_epoch(self, learn:Learner)->None:
        """Step, if there was an update

        Args:
            learn: Its mode is looked at
        """

class Schedule:
    """A scheduler made of functions of the step: `lr` gives a factor for each
    group's learning rate, `momentum` a value

    Args:
        optimizer: Ours or torch's; its learning rates are what the factor
            multiplies
        lr: Called with the number of updates so far, gives a factor
        momentum: Called likewise, gives the momentum (Adam's first beta); None
            leaves it alone
    """
    optimizer: torch.optim.Optimizer
    lr: Callable
    momentum: Callable | None
    base_lrs: Any
    n: Any
    def __init__(
        self,
        optimizer:torch.optim.Optimizer,
        lr:Callable,
        momentum:Callable | None=None,
    )->None: ...
    def step(self)->None:
        """Count an update, and set what the next one uses"""
    def state_dict(self)->dict:
        """Where the schedule stands

        Returns:
            "n" and "base_lrs"
        """
    def load_state_dict(self, state:dict)->None:
        """Go on from there

        Args:
            state: From `state_dict`
        """

def one_cycle(
    optimizer:torch.optim.Optimizer,
    max_lr:float,
    total_steps:int,
    pct_start:float=0.3,
    anneal_strategy:str='cos',
    cycle_momentum:bool=True,
    base_momentum:float=0.85,
    max_momentum:float=0.95,
    div_factor:float=25.0,
    final_div_factor:float=10000.0,
)->Schedule:
    """Up to a high learning rate and down to almost none, in one run, with the
    momentum in the opposite direction

    Args:
        optimizer: Its learning rates are replaced
        max_lr: The highest learning rate, or one for each group
        total_steps: Updates in the whole run
        pct_start: Share of them in which it rises
        anneal_strategy: "cos" or "linear"
        cycle_momentum: Move the momentum against the learning rate
        base_momentum: Momentum at the highest learning rate
        max_momentum: Momentum at the beginning and at the end
        div_factor: `max_lr` over the first learning rate
        final_div_factor: The first learning rate over the last

    Returns:
        `step()` it after each update; a step more than `total_steps` is an error
    """

def warmup_cosine(
    optimizer:torch.optim.Optimizer,
    total_steps:int,
    warmup_steps:int=0,
    start_factor:float=0.01,
    end_factor:float=0.0,
)->Schedule:
    """A straight line up to the optimizer's learning rate, then half a cosine down,
    where it stays

    Args:
        optimizer: Its learning rates are the highest that are reached
        total_steps: Updates in the whole run
        warmup_steps: Updates until the learning rate is reached
        start_factor: Share of it that the first update uses
        end_factor: Share of it that is left at the end

    Returns:
        `step()` it after each update
    """

def rng_states()->Callable:
    """Note the global generators of Python, NumPy and torch, on every device

    Returns:
        Called without arguments, puts them back
    """

def model_state(model:nn.Module, opt)->Callable:
    """Note what training changes in a model and an optimizer; the gradients are
    taken off meanwhile

    Args:
        model: Its parameters, gradients and buffers are noted, whether or not
            they are in its state_dict
        opt: Its state and options too; or None

    Returns:
        Called without arguments, puts them back
    """

@contextmanager
def left_unchanged(learn:Learner)->Iterator[Any]:
    """Model, optimizer, loaders, random numbers and the Learner's own fields are as
    before after the block, however it ends

    Args:
        learn: Anything may be done with it inside the block
    """

class LRFinderCB(Callback):
    """Multiplies the learning rate after each update and notes the loss, until it
    explodes; then everything is put back

    Args:
        gamma: Factor from one update to the next, above 1
        max_mult: Stop when the loss, a mean over three updates, is this many
            times the smallest so far; above 1
    """
    only_in_fit = True
    gamma: float
    max_mult: float
    lrs: Any
    losses: Any
    min: Any
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
            learn: Its loss is read, its learning rates are changed
        """
    def before_epoch(self, learn:Learner)->None:
        """Leave out validation

        Args:
            learn: Its mode is looked at
        """
    def cleanup_fit(self, learn:Learner)->None:
        """Put everything back, and plot

        Args:
            learn: Is put back, unless `lr_find` does so
        """
    def suggestion(self)->float | None:
        """The learning rate at which the smoothed loss has made three quarters of
        its way down

        Returns:
            None where the loss fell by no more than its noise
        """
    def plot(self)->Axes:
        """Loss against learning rate, with the suggestion

        Returns:
            matplotlib Axes
        """
