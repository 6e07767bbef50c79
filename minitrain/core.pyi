"""Errors that help, seeds, devices and nested batches."""
# Made by tools/make_stubs.py: do not edit
import torch
from collections.abc import Callable
from pandas import DataFrame
from pathlib import Path
from typing import Any

__all__ = ['def_device', 'explain', 'ArgumentError', 'set_seed', 'map_nested',
           'to_device', 'to_cpu', 'load_results', 'asset_path', 'need', 'is_int',
           'is_amount', 'need_unit', 'mix_seed', 'seed_all', 'rng_state',
           'set_rng_state', 'subplots', 'diagram', 'widget']

def explain(name:str, got, expected:str)->str:
    """One line that names an argument, what was expected and what came

    Args:
        name: Name of the argument
        got: What came: any object, or a ready description
        expected: What was expected, in words

    Returns:
        The sentence for an error message
    """

class ArgumentError(ValueError, RuntimeError):
    """A value that a function cannot work with; the message names the argument, what
    was expected and what came

    Args:
        name: Name of the argument
        got: What came
        expected: What was expected, in words
    """
    name: str
    got: Any
    expected: str
    def __init__(self, name:str, got, expected:str)->None: ...
    def __str__(self): ...

def set_seed(seed:int=42, deterministic:bool | None=None)->None:
    """Seed the generators of Python, NumPy and PyTorch (every device)

    Args:
        seed: From 0 to 2**32 - 1, the range that NumPy accepts
        deterministic: True or False turn torch's deterministic algorithms on or
            off; None leaves them as they are
    """

def_device = 'cuda' if torch.cuda.is_available() else 'mps' if torch.backends.mps.is_available() else 'cpu'

def map_nested(f:Callable, x)->Any:
    """Apply `f` to everything in `x` that can be moved, keeping containers as they
    are

    Args:
        f: Called on each leaf that has a method `to` (tensors, packed sequences,
            modules)
        x: Any nesting of dicts, lists, tuples, namedtuples and dataclasses

    Returns:
        The same nesting with `f` applied to the leaves
    """

def to_device(x, device:str | torch.device=def_device)->Any:
    """Move every tensor in a nested batch to `device`

    Args:
        x: A tensor or any nesting of dicts, lists, tuples, namedtuples and
            dataclasses; other values pass through
        device: Where the tensors go

    Returns:
        The same nesting, its tensors on `device`
    """

def to_cpu(x)->Any:
    """Detach every tensor in a nested batch and bring it to the CPU, ready to plot
    or to store

    Args:
        x: A tensor or any nesting, as for `to_device`

    Returns:
        The same nesting, its tensors detached, on the CPU, half precision made
            float32
    """

def load_results(name:str | Path)->DataFrame:
    """Read a stored table of measured results

    Args:
        name: Name of a table in minitrain/assets/results (without .csv), or the
            path of a CSV file

    Returns:
        pandas DataFrame: `.attrs` holds command, seeds, versions and machine
    """

def asset_path(kind:str, name:str | Path, ending:str)->Path:
    """Find a packaged file by name, or a user's by path

    Args:
        kind: Folder in minitrain/assets
        name: Name without ending, or the path of a file
        ending: Such as ".csv"

    Returns:
        The file
    """

def need(ok, name:str, got, expected:str)->None:
    """Raise an ArgumentError unless `ok`

    Args:
        ok: What must be true
        name: Of the argument
        got: What came
        expected: What was expected, in words
    """

def is_int(o, low:int=0)->bool:
    """Is this a whole number, `low` or more?

    Args:
        o: Anything
        low: Smallest value

    Returns:
        True for ints from `low` up; False for True, which Python counts as 1
    """

def is_amount(x, end:float)->bool:
    """Is this a strength?

    Args:
        x: Anything
        end: Largest value

    Returns:
        True for a finite number from 0 to `end`
    """

def need_unit(name:str, x:torch.Tensor)->None:
    """An ArgumentError unless every number is from 0 to 1; what torch.compile
    traces, or has no data, is not looked at

    Args:
        name: Name of the argument
        x: Numbers that should be probabilities
    """

def python_state(state:dict)->tuple:
    """The state of Python's generator

    Args:
        state: From `rng_state`

    Returns:
        As `random.setstate` wants it
    """

def mix_seed(*numbers)->int:
    """One well-mixed seed from several numbers

    Args:
        *numbers: Seed, epoch, and for an item its index

    Returns:
        From 0 to 2**64 - 1
    """

def seed_all(seed:int)->None:
    """Seed the generators that a transform may draw from: torch's (CPU), Python's
    and NumPy's

    Args:
        seed: From 0 to 2**64 - 1
    """

def rng_state()->dict:
    """The state of every global random number generator

    Returns:
        By library; CUDA's by device
    """

def set_rng_state(state:dict)->None:
    """Put the global generators where they were

    Args:
        state: From `rng_state`; states of devices that are not here are passed
            over
    """

def use_style()->None:
    """Give figures to come the book's look, unless another was chosen"""

def as_pictures(fig, **kwargs):
    """A figure as SVG, if that is 64 KB or less, and as PNG: small beside an SVG"""

def show_as_svg()->None:
    """Let a notebook show figures by `as_pictures`"""

def subplots(
    nrows:int=1,
    ncols:int=1,
    figsize:tuple | None=None,
    imsize:float=3,
    suptitle:str | None=None,
    **kwargs,
)->tuple:
    """Make a figure of `nrows` by `ncols` axes, each `imsize` inches wide and high

    Args:
        nrows: Rows of axes
        ncols: Columns of axes
        figsize: Width and height of the whole figure in inches; None takes
            `imsize` for each axis
        imsize: Width and height of one axis in inches
        suptitle: Title above the whole figure
        **kwargs: Passed on to `plt.subplots`

    Returns:
        Figure, and axes as `plt.subplots` gives them
    """

def diagram(name:str)->str:
    """A drawing in the colour of the text around it

    Args:
        name: A drawing of the package, or the path of an SVG with title and desc

    Returns:
        HTML, which a notebook shows
    """

def widget(name:str, data:object)->str:
    """A picture that moves under the reader's hand; a still one where no script runs

    Args:
        name: A widget of the package
        data: What it shows: anything that JSON can hold

    Returns:
        HTML and JavaScript, which a notebook shows
    """
