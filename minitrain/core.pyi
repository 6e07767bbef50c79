"""Devices and nested batches, seeds, errors that help, and a run folder that
survives a kill.
"""
# Made by tools/make_stubs.py: do not edit
import torch
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pandas import DataFrame
from pathlib import Path
from typing import Any

__all__ = ['def_device', 'explain', 'ArgumentError', 'set_seed', 'to_device', 'to_cpu',
           'atomic_write', 'versions', 'RunDir', 'save_results', 'load_results',
           'load_config', 'subplots']

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

@contextmanager
def atomic_write(path:str | Path, mode:str='w')->Iterator[Any]:
    """Write `path` whole or not at all: a temporary neighbour is fsynced, then
    renamed over it

    Args:
        path: File to write or replace
        mode: "w" for text (UTF-8), "wb" for bytes

    Returns:
        Context manager that gives the open temporary file
    """

def versions()->dict:
    """What a result was made with: Python, the packages that matter, the platform,
    and the commit of minitrain's code

    Returns:
        Versions by name, the platform, and the git state of the code
    """

class RunDir:
    """A folder that holds one run: config.yaml, versions.json, metrics.csv and
    whatever else is saved, each file whole

    Args:
        path: Folder of the run; made with its parents if it is not there
        config: Written as config.yaml with versions.json beside it; None opens an
            existing run
    """
    path: Any
    def __init__(self, path:str | Path, config:dict | None=None)->None: ...
    def __truediv__(self, name): ...
    def __repr__(self): ...
    @property
    def config(self)->dict:
        """The run's configuration, read from config.yaml

        Returns:
            As it was given
        """
    def write(self, name:str, data:str | bytes)->None:
        """Write a file of the run, whole or not at all

        Args:
            name: File name inside the folder
            data: The whole content
        """
    def log(self, **row)->None:
        """Append a row to metrics.csv and force it to disk

        Args:
            **row: Values by column name; the first row fixes the columns
        """
    @property
    def metrics(self)->DataFrame:
        """The rows of metrics.csv that are whole

        Returns:
            pandas DataFrame: one row per call of `log`; empty before the first
                row
        """

def save_results(df, path:str | Path, command:str, **meta)->None:
    """Store a table with the command, seeds, versions and machine that made it, as
    comment lines above the CSV

    Args:
        df: pandas DataFrame of results
        path: CSV file to write, whole or not at all
        command: The command that makes this file again
        **meta: Anything else worth knowing, such as seeds
    """

def load_results(name:str | Path)->DataFrame:
    """Read a stored table of measured results

    Args:
        name: Name of a table in minitrain/assets/results (without .csv), or the
            path of a CSV file

    Returns:
        pandas DataFrame whose `.attrs` holds command, seeds, versions and machine
    """

def load_config(config:str | Path, schema:type | None=None, **overrides)->Any:
    """Read a YAML configuration, on top of the file that its `base:` names, checked
    against a dataclass

    Args:
        config: Name of a packaged configuration (without .yaml), or the path of a
            YAML file
        schema: A dataclass whose fields give names, types and defaults; None
            gives back a plain dict
        **overrides: Values that win over the file's

    Returns:
        An instance of `schema`, or a dict
    """

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

def check_count_tensors(fn:Callable)->str:
    """Check exercise 1 of lesson 00: count the tensors in a nested batch

    Args:
        fn: Yours: called with a nested batch, gives an int

    Returns:
        "passed", or an AssertionError that says what is wrong
    """

def check_temp_seed(fn:Callable)->str:
    """Check exercise 2 of lesson 00: seed torch inside a block only

    Args:
        fn: Yours: called with a seed, gives a context manager

    Returns:
        "passed", or an AssertionError that says what is wrong
    """

def check_save(fn:Callable)->str:
    """Check exercise 3 of lesson 00: write a file whole or not at all

    Args:
        fn: Yours: called with a path and an iterator of strings

    Returns:
        "passed", or an AssertionError that says what is wrong
    """
