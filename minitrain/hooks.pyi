"""From numbers noted by hand to statistics of every layer, and what their pictures
can and cannot tell.
"""
# Made by tools/make_stubs.py: do not edit
import torch
from collections.abc import Callable, Iterable
from fastcore.basics import noop
from minitrain.learner import Callback, Learner
from pandas import DataFrame
from torch import nn
from typing import Any

__all__ = ['Hook', 'Hooks', 'append_stats', 'get_hist', 'get_min', 'HooksCallback',
           'ActivationStats', 'GradientStats', 'plot_func']

class Hook:
    """Calls `f(hook, module, inputs, output)` after each forward pass of a module

    Args:
        m: Module to watch
        f: What it returns, unless None, replaces the output
    """
    module: nn.Module
    func: Callable
    hook: Any
    def __init__(self, m:nn.Module, f:Callable)->None: ...
    def add(self)->None:
        """Put the hook on its module, if it is not there"""
    def remove(self)->None:
        """Take the hook off its module; what it has recorded stays"""
    def __enter__(self): ...
    def __exit__(self, *args)->None: ...
    def __getstate__(self): ...

class Hooks(list):
    """A list of hooks with one function, on several modules; a context manager

    Args:
        ms: Modules to watch
        f: Called as f(hook, module, inputs, output)
    """
    def __init__(self, ms:Iterable[nn.Module], f:Callable)->None: ...
    def remove(self)->None:
        """Take all hooks off; they stay in the list with what they have recorded"""
    def __enter__(self): ...
    def __exit__(self, *args)->None: ...
    def __delitem__(self, i)->None: ...

def append_stats(hook:Hook, mod:nn.Module, inp:tuple, outp)->None:
    """Append the statistics of one forward pass: for `Hook`, `Hooks` and
    `HooksCallback`

    Args:
        hook: Gets `stats`: lists of means, deviations, histograms of |activation|
        mod: Not looked at
        inp: Not looked at
        outp: Output; the first floating-point tensor in it counts
    """

def get_hist(h:Hook)->torch.Tensor:
    """log(1 + count) in each row: |activation| from 0 in steps of 0.25

    Args:
        h: Its `stats` have been filled by `append_stats`

    Returns:
        float32 (40, calls), on the CPU
    """

def get_min(h:Hook)->torch.Tensor:
    """Share of the lowest row: for activations, of those below 0.25 in size

    Args:
        h: Its `stats` have been filled by `append_stats`

    Returns:
        float32 (calls,), from 0 to 1, on the CPU
    """

class HooksCallback(Callback):
    """Hooks during a fit, on all modules or on some; they go on in the next fit

    Args:
        hookfunc: Called as for `Hook`; what it returns is not used
        mod_filter: Which modules: called with each; by default all
        on_train: Call it in training
        on_valid: Call it in validation
        mods: Modules to watch, in place of `mod_filter`
    """
    only_in_fit = True
    mods: Any
    hookfunc: Callable
    mod_filter: Callable
    on_train: bool
    on_valid: bool
    hooks: Any
    def __init__(
        self,
        hookfunc:Callable,
        mod_filter:Callable=noop,
        on_train:bool=True,
        on_valid:bool=False,
        mods:Iterable[nn.Module] | None=None,
    )->None: ...
    def before_fit(self, learn:Learner)->None:
        """Put the hooks on; a module that was watched before gets its old hook

        Args:
            learn: Its model is watched
        """
    def cleanup_fit(self, learn:Learner)->None:
        """Take the hooks off, however the fit has ended

        Args:
            learn: Not looked at
        """
    def __len__(self): ...
    def __getitem__(self, i): ...

class ActivationStats(HooksCallback):
    """Mean, standard deviation and histogram of each module's output in each batch

    Args:
        mod_filter: Which modules: called with each; by default all
        every: Look at every so many-th batch
        **kwargs: `on_train`, `on_valid` and `mods`, as for `HooksCallback`
    """
    every: int
    def __init__(self, mod_filter:Callable=noop, every:int=1, **kwargs)->None: ...
    def before_fit(self, learn:Learner)->None:
        """Put the hooks on, with what they have recorded before

        Args:
            learn: Its model is watched
        """
    @property
    def df(self)->DataFrame:
        """A row for each module and call; `lowest` is the share of the lowest row

        Returns:
            pandas DataFrame: module, call, mean, std, lowest
        """
    def plot_stats(self, figsize:tuple=(10, 4))->None:
        """Means and standard deviations of each module's values, by batch

        Args:
            figsize: In inches
        """
    def color_dim(self, figsize:tuple=(11, 5))->None:
        """The histograms of each module, a column for each call, bright where many
        are

        Args:
            figsize: In inches
        """
    def dead_chart(self, figsize:tuple=(11, 5))->None:
        """For each module the share of values in the lowest row of the histogram, by
        batch

        Args:
            figsize: In inches
        """
    def state_dict(self)->dict:
        """What has been recorded, for `load_state_dict`

        Returns:
            "stats" by module name
        """
    def load_state_dict(self, state:dict)->None:
        """Go on from there: at once where the hooks are on, else in the next fit

        Args:
            state: From `state_dict`
        """

class GradientStats(ActivationStats):
    """The same of the gradient of the loss at each module's output"""

def plot_func(
    f:Callable,
    start:float=-5.0,
    end:float=5.0,
    steps:int=100,
    ax=None,
)->None:
    """Draw a function of one number, with a grid and both axes

    Args:
        f: Called with a float tensor (steps,), returns one of the same shape
        start: First x
        end: Last x
        steps: How many points
        ax: Matplotlib axes; None draws on the current ones
    """
