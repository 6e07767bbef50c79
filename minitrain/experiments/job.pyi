"""What every experiment of this book needs beside its recipe, written once."""
# Made by tools/make_stubs.py: do not edit
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from matplotlib.figure import Figure
from minitrain.learner import Callback, Learner
from minitrain.runs import RunDir
from pathlib import Path
from typing import Any

__all__ = ['strict_json', 'measure', 'Job', 'load_run']

class CountCB(Callback):
    """Counts samples, and CPU seconds up to the last checkpoint, over all
    resumptions
    """
    only_in_fit, samples, cpu_seconds = (True, 0, 0.0)
    begun = False
    def before_fit(self, learn)->None: ...
    def after_step(self, learn)->None: ...
    def state_dict(self): ...
    def load_state_dict(self, d)->None: ...

def curves_figure(rows, name:str, ylabel:str, height:float, reference:str)->Figure:
    """A metric in training and validation against the epoch

    Args:
        rows: pandas DataFrame of metrics, an epoch a row
        name: Of a metric, "loss": columns train_loss and valid_loss are drawn
        ylabel: Of the vertical axis
        height: Of a line to compare with
        reference: What that line is

    Returns:
        matplotlib Figure
    """

def curves(rows, **lines)->dict:
    """The curves of a run as a job's pictures

    Args:
        rows: As for `curves_figure`
        **lines: By metric: ylabel, height, reference

    Returns:
        Functions that draw, by file name; none where no epoch is done
    """

def images_figure(images, titles, columns:int=6, title:str='', **kwargs)->Figure:
    """Images with titles

    Args:
        images: As many as there are titles, each as for `show_image`
        titles: A text for each
        columns: Images in a row
        title: Above all
        **kwargs: For `show_image`

    Returns:
        matplotlib Figure
    """

def write_file(path:str | Path, what)->None:
    """Write text, bytes, a table as CSV or a figure as PNG, whole or not at all

    Args:
        path: File to write or replace; its folder is made
        what: Text, bytes, a pandas DataFrame or a matplotlib Figure
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
        out: The user's choice; None: runs/<name>-<date>-<time>

    Returns:
        The user's folder, or a new one; not made yet
    """

def book_jobs()->Any:
    """The jobs of this book

    Returns:
        Iterator, which imports each job when it comes to it
    """

def need_device(device:str)->None:
    """An ArgumentError unless tensors can be made there

    Args:
        device: Such as "cpu" or "cuda:0"
    """

def discard(run:RunDir, made:list)->None:
    """Delete what a run wrote at its beginning, and its own folders if they are
    empty

    Args:
        run: That has not made a step
        made: Folders that were made for it, the innermost first
    """

@dataclass
class Job:
    """A recipe that can be run, resumed, judged and used

    Args:
        name: As on the command line, "digits" or "reasoning train"
        config: A dataclass based on `Config`, with seed, device and save_every
        make: Config -> Learner, ready to fit, with its MetricsCB
        judge: Figures by name, or functions giving them
        pictures: File name -> function of content
        epochs: How long to fit
        every: Batches between further checkpoints
        final: Around the result: averaged weights
        model: Config -> its network, new; None takes that of `make`
    """
    name: str
    config: type
    make: Callable
    judge: Callable = lambda learn, config: {}
    pictures: Callable = lambda learn, config, rows: {}
    epochs: Callable = lambda config: config.epochs
    every: Callable = lambda c: c.save_every or None
    final: Callable = lambda learn: nullcontext()
    model: Callable | None = None
    def run(
        self,
        config,
        out:str | Path | None=None,
        progress:bool=True,
    )->tuple[RunDir, Learner]:
        """Train to the end, judge, and write what there is

        Args:
            config: What to train, and how
            out: Folder, new or empty; None: runs/<name>-<date>-<time>
            progress: Print a row per epoch, with a bar in a terminal

        Returns:
            The run (a path where it does not write), the trained
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
    def load(self, run:str | Path | RunDir)->tuple:
        """What a run has trained; nothing is unpickled

        Args:
            run: Of a run that is done

        Returns:
            The network, in evaluation mode on the CPU, and its configuration
        """
    def about(self, config)->dict:
        """What model.safetensors tells of its weights

        Args:
            config: Of a run

        Returns:
            As JSON has it: `job`, and `config` without what changes no weight
        """
    def __reduce__(self):
        """Another process finds a job by its name in its module"""

def load_run(path:str | Path, job:Job | None=None)->tuple:
    """A trained network, whichever job made it; nothing is unpickled

    Args:
        path: Folder of a run that is done
        job: Which job's it is; None finds out among those of this book

    Returns:
        The network, in evaluation mode on the CPU, its configuration, its job
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

def begin_worker()->None:
    """A worker has one thread, and ends with its parent"""
