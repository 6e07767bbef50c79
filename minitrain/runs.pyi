"""What is left of a training when the process is gone: its configuration, its
versions, its curve, each file whole.
"""
# Made by tools/make_stubs.py: do not edit
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pandas import DataFrame
from pathlib import Path
from typing import Any

__all__ = ['versions', 'atomic_write', 'RunDir', 'setting', 'Config', 'load_config',
           'save_results', 'mean_interval']

def versions()->dict:
    """What a result was made with: Python, packages, platform, commits

    Returns:
        Versions by name, the platform, and the git state of the code
    """

@contextmanager
def atomic_write(path:str | Path, mode:str='w')->Iterator[Any]:
    """Write `path` whole or not at all: a neighbour is written, forced to disk,
    renamed

    Args:
        path: File to write or replace; of a link, what it points to
        mode: "w" for text (UTF-8), "wb" for bytes

    Returns:
        Context manager that gives the open temporary file
    """

def read_yaml(path:Path)->dict:
    """Read a YAML file; whatever is wrong with it is an ArgumentError that names it

    Args:
        path: A YAML file of keys and values

    Returns:
        Its content
    """

class RunDir:
    """A folder that holds one run: config.yaml, versions.json, metrics.csv and more

    Args:
        path: Folder of the run; made with its parents if it is not there
        config: Begins a run: written as config.yaml; None opens a run
    """
    path: Any
    def __init__(self, path:str | Path, config:dict | None=None): ...
    def __truediv__(self, name): ...
    def __repr__(self): ...
    def hold(self)->None:
        """Take the folder for this process until it ends"""
    def release(self)->None:
        """Give the folder back"""
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
    def table(self, name:str)->DataFrame:
        """The rows of a CSV file that are whole

        Args:
            name: File name inside the folder

        Returns:
            pandas DataFrame; empty where there is no row
        """

def convert(name:str, hint, v)->Any:
    """A value as an annotated type, if nothing is lost by it; else an ArgumentError

    Args:
        name: Of the value, for an error
        hint: As annotated: bool, int, float, str, Literal, dict, list, dataclass,
            union
        v: A value from a file, a command line or a call

    Returns:
        The value as that type
    """

def setting(default, **limits)->Any:
    """A field of a configuration with the values that it allows

    Args:
        default: The field's default
        **limits: Of its values: ge, gt, le, lt, each a number

    Returns:
        A dataclass field
    """

class Config:
    """Base of configurations: a dataclass that checks its fields when it is made"""
    def __post_init__(self)->None: ...

def check_fields(config)->None:
    """Check each field of a configuration against its type and its `setting`

    Args:
        config: A dataclass instance; values are converted in place where nothing
            is lost
    """

def load_config(config:str | Path, schema:type | None=None, **overrides)->Any:
    """Read a YAML configuration, on top of the file that its `base:` names, and
    check it

    Args:
        config: Name of a packaged configuration, or the path of a YAML file
        schema: A dataclass of names, types, defaults; None: a plain dict
        **overrides: Values that win over the file's

    Returns:
        An instance of `schema`, or a dict
    """

def typed_config(schema:type, values:Mapping)->Any:
    """Build a dataclass from values; unknown names and wrong values are
    ArgumentErrors

    Args:
        schema: A dataclass
        values: Values by field name

    Returns:
        An instance of `schema`, its values checked and converted
    """

def save_results(df, path:str | Path, command:str, **meta)->None:
    """Store a table, with the command, seeds, versions and machine as comments above
    it

    Args:
        df: pandas DataFrame of results
        path: CSV file to write, whole or not at all
        command: The command that makes this file again
        **meta: Anything else worth knowing, such as seeds
    """

def mean_interval(values, comparisons:int=1)->tuple[float, float, float]:
    """The mean of some runs with a 95 % interval by Student's t

    Args:
        values: One number for each seed, or each pair of runs
        comparisons: How many intervals hold together (Bonferroni)

    Returns:
        Mean, and the ends of its interval; nan for one value
    """
