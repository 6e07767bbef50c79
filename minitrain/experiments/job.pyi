"""What every experiment of this book needs beside its recipe, written once."""
# Made by tools/make_stubs.py: do not edit
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from matplotlib.figure import Figure
from minitrain.learner import Callback, Learner
from minitrain.runs import RunDir
from pathlib import Path
from torch import nn
from typing import Any

__all__ = ['strict_json', 'measure', 'Job']

class CountCB(Callback):
    """Counts samples and CPU seconds of a run over all its resumptions, and steps of
    this process
    """
    only_in_fit = True
    samples: Any
    cpu_seconds: Any
    steps: Any
    def __init__(self)->None: ...
    def before_fit(self, learn)->None: ...
    def after_step(self, learn)->None: ...
    def cleanup_fit(self, learn)->None: ...
    @property
    def so_far(self)->float:
        """CPU time until now

        Returns:
            Seconds
        """
    def state_dict(self): ...
    def load_state_dict(self, d)->None: ...

def png_bytes(fig)->bytes:
    """A figure as PNG

    Args:
        fig: A matplotlib figure

    Returns:
        The picture
    """

def curves_figure(rows, name:str, ylabel:str, reference:tuple[float, str])->Figure:
    """A metric in training and validation against the epoch

    Args:
        rows: pandas DataFrame of metrics, an epoch a row
        name: Of a metric, such as "loss": its columns train_loss and valid_loss
            are drawn
        ylabel: Of the vertical axis
        reference: Height and label of a line to compare with

    Returns:
        matplotlib Figure
    """

def need_device(device:str)->None:
    """An ArgumentError unless tensors can be made there

    Args:
        device: Such as "cpu" or "cuda:0"
    """

def strict_json(o)->Any:
    """A value that `json.dumps(..., allow_nan=False)` takes

    Args:
        o: Numbers, strings, tensors of one element, lists and dicts of them

    Returns:
        The same in what strict JSON has; nan and infinity are None
    """

def measure(parts:Mapping)->tuple[dict, dict]:
    """Compute each part; what fails is noted, and the others are kept

    Args:
        parts: Name -> a value, or a function without arguments that gives one

    Returns:
        Values by name, and by name what went wrong
    """

def run_folder(name:str, out:str | Path | None=None)->Path:
    """Where a run goes

    Args:
        name: Of the job
        out: The user's choice; None makes runs/<name>-<date>-<time>

    Returns:
        The user's folder, or a new one
    """

def discard(run:RunDir, made:bool)->None:
    """Delete what a run wrote at its beginning, and its own folder if nothing else
    is in it

    Args:
        run: That has not made a step
        made: Whether its folder is this run's own
    """

@dataclass
class Job:
    """A recipe that can be run, resumed and judged

    Args:
        name: As on the command line, "digits" or "reasoning train"
        config: A dataclass based on `Config`, with fields seed, device and what
            `epochs` needs
        make: Config -> Learner, ready to fit, with its MetricsCB
        judge: Figures by name: values, or functions that give them
        pictures: File name -> function that gives text, bytes or a figure
        epochs: How long to fit
        every: Batches between further checkpoints
        final: Context in which the result is made, such as averaged weights
    """
    name: str
    config: type
    make: Callable
    judge: Callable = lambda learn, config: {}
    pictures: Callable = lambda learn, config, rows: {}
    epochs: Callable = lambda config: config.epochs
    every: Callable = lambda config: config.save_every or None
    final: Callable = lambda learn: nullcontext()
    def run(
        self,
        config,
        out:str | Path | None=None,
        progress:bool=True,
    )->tuple[RunDir, Learner]:
        """Train to the end, judge, and write what there is

        Args:
            config: What to train, and how
            out: Folder, new or empty; None makes runs/<name>-<date>-<time>
            progress: Print a row per epoch, with a bar in a terminal

        Returns:
            The run (its path on processes that do not write), and what was
                trained
        """
    def resume(
        self,
        run:str | Path | RunDir,
        progress:bool=True,
    )->tuple[RunDir, Learner]:
        """Go on with a run from its last checkpoint

        Args:
            run: Of a run that was interrupted
            progress: As for `run`

        Returns:
            As from `run`, with the weights that it would have had
        """
    def read(self, run:str | Path | RunDir)->tuple:
        """Open a run

        Args:
            run: Folder of a run of this job

        Returns:
            The run, and its configuration
        """
    def result(self, run:RunDir)->dict:
        """What result.json says

        Args:
            run: That is done

        Returns:
            Figures by name
        """

def load_weights(file:Path, model:nn.Module)->nn.Module:
    """Fill a model with a run's weights; nothing is unpickled

    Args:
        file: model.safetensors of a run that is done
        model: Of the run's configuration; changed in place

    Returns:
        The model, in evaluation mode
    """

def one_run(job:Job, path:Path, config)->dict:
    """A run of a comparison: what is there is not done again

    Args:
        job: What is run
        path: Folder of the run: new, begun, or done
        config: Of the run

    Returns:
        Its result
    """

def run_in_worker(module, name, path, config):
    """`one_run` of a job that another process has named"""

def job_address(job):
    """Where another process finds a job: its module and its name there"""

def begin_worker()->None:
    """A worker has one thread, and ends with its parent"""
