"""What a person sees while a model trains, and what is left of it afterwards: on the
screen, in memory, in a file.
"""
# Made by tools/make_stubs.py: do not edit
from collections.abc import Mapping, Sequence
from matplotlib.figure import Figure
from minitrain.learner import Callback, Learner
from minitrain.metrics import MetricsCB
from pandas import DataFrame
from pathlib import Path
from typing import Any

__all__ = ['HistoryCB', 'ProgressCB', 'CSVLogCB', 'RecorderCB', 'TensorBoardCB']

def metrics_of(learn:Learner, who:Callback)->MetricsCB:
    """The callback whose rows others read

    Args:
        learn: In a fit
        who: Who asks

    Returns:
        The first one
    """

def watched(
    learn:Learner,
    who:Callback,
    arg:str,
    name:str,
    mode:str | None=None,
)->tuple[MetricsCB, str, int]:
    """What a callback watches that waits for the best

    Args:
        learn: In a fit, with a MetricsCB
        who: Who asks
        arg: What it calls `name`, for an error
        name: "train_" or "valid_", and a metric or "loss"
        mode: "min" or "max"; None asks the metric, or its name

    Returns:
        Whose rows to read, what in them; -1 if less is better
    """

class Kept:
    """Base of what has attributes, named in `_kept`, as its state"""
    def state_dict(self)->dict:
        """What a checkpoint keeps

        Returns:
            By name
        """
    def load_state_dict(self, state:dict)->None:
        """Go on from there

        Args:
            state: From `state_dict`
        """

class HistoryCB(Kept, Callback):
    """Keeps loss and metrics of every epoch of all fits: a row each"""
    order: Any
    only_in_fit: Any
    cleanup_epoch = after_epoch
    rows: Any
    def __init__(self)->None: ...
    def before_fit(self, learn:Learner)->None:
        """Count on from the fits before

        Args:
            learn: Must have a `MetricsCB`
        """
    def after_epoch(self, learn:Learner)->None:
        """Take over the rows that have come, also of an epoch that was cut short

        Args:
            learn: Not looked at
        """
    @property
    def df(self)->DataFrame:
        """The rows as a table

        Returns:
            pandas DataFrame: "epoch", then train_ and valid_ columns
        """
    def best(self, name:str='loss', higher:bool | None=None)->int | None:
        """The epoch in which a metric was best

        Args:
            name: A metric
            higher: Whether more is better; None asks the metric, or its name

        Returns:
            An epoch, by validation where there is one; None if none can be said
        """
    def plot(self, *names)->Any:
        """Draw training and validation against the epochs, the best epoch marked

        Args:
            *names: Metrics to draw; none for all, the loss first

        Returns:
            Array of matplotlib axes, one for each metric
        """

def higher_is_better(name:str, metric=None)->bool | None:
    """Which way a metric is better

    Args:
        name: Of a metric, such as "loss" or "MulticlassAccuracy"
        metric: The metric itself; its `higher_is_better` counts first

    Returns:
        None where neither says so
    """

def loader_length(dl)->int | None:
    """How many batches a loader will give

    Args:
        dl: Any loader

    Returns:
        Batches in an epoch; None if it does not say
    """

class ProgressCB(Callback):
    """A bar and a table: in a notebook's cell, in a terminal, the table alone in a
    file

    Args:
        plot: Keep every training loss in `losses`; a notebook draws them
    """
    order, only_in_fit = (MetricsCB.order + 1, True)
    plot: bool
    losses: Any
    def __init__(self, plot:bool=False)->None: ...
    def before_fit(self, learn:Learner)->None:
        """Find out where output is read, and borrow the rows

        Args:
            learn: Its MetricsCB, if there is one, prints through this table
        """
    def before_epoch(self, learn:Learner)->None:
        """Begin a bar

        Args:
            learn: Not looked at
        """
    def after_batch(self, learn:Learner)->None:
        """Draw the bar, if it is time

        Args:
            learn: Its loss is read when the bar is drawn, and only then
        """
    def cleanup_epoch(self, learn:Learner)->None:
        """Take the bar away

        Args:
            learn: Not looked at
        """
    def cleanup_fit(self, learn:Learner)->None:
        """Give the rows back

        Args:
            learn: Its MetricsCB prints by itself again
        """

def append_row(path:Path, row:Mapping, columns:Sequence[str], end:str='\n')->None:
    """Append a row to a CSV file and force it to disk

    Args:
        path: A CSV file, which is made if it is not there
        row: Values by column
        columns: All columns; the header of a new file
        end: Of the line
    """

def fsync_dir(path:Path)->None:
    """Force a folder's own entries to disk, where folders can be opened (not on
    Windows)

    Args:
        path: A folder
    """

def mend_csv(path:Path, lines:int | None=None)->list[str] | None:
    """Cut off a last row without an end, and what comes after `lines`; read the
    header

    Args:
        path: A CSV file that may end in a torn row, or may not exist
        lines: That stay, with the header; None keeps all that are whole

    Returns:
        Column names; None if there is no whole header yet
    """

class CSVLogCB(HistoryCB):
    """A history in a file: a row for each epoch, on disk before the next one begins

    Args:
        path: The file, made or added to; a `RunDir` stands for its metrics.csv
    """
    order: Any
    path: Any
    def __init__(self, path)->None: ...
    def before_fit(self, learn:Learner)->None:
        """Find the file; columns that it lacks are noticed now, not after an epoch

        Args:
            learn: Must have a MetricsCB
        """
    def cleanup_epoch(self, learn:Learner)->None:
        """Take in what was measured; write when the epoch is over

        Args:
            learn: Says which part of the epoch this was
        """
    def after_fit(self, learn:Learner)->None:
        """Write an epoch that a callback had cut short

        Args:
            learn: Was not cancelled
        """
    def cleanup_fit(self, learn:Learner)->None:
        """Write an epoch that was cut short, without an end: the next row replaces
        it

        Args:
            learn: May have been cancelled, or have failed
        """
    def load_state_dict(self, state:dict)->None:
        """Go back to where the log stood: rows of later epochs are cut off

        Args:
            state: From `state_dict`
        """

class RecorderCB(Kept, Callback):
    """Calls functions after each training batch; keeps what they return in `recs`

    Args:
        **d: Functions by name, called with this callback: `lr=lambda cb:
            cb.pg["lr"]`
    """
    only_in_fit: Any
    d: Any
    recs: Any
    learn: Any
    def __init__(self, **d)->None: ...
    @property
    def pg(self)->dict:
        """The first parameter group

        Returns:
            Options of the optimizer that runs, such as "lr"
        """
    def before_fit(self, learn:Learner)->None:
        """Begin anew, if this fit trains

        Args:
            learn: Is there for the functions
        """
    def after_batch(self, learn:Learner)->None:
        """Call the functions

        Args:
            learn: Its mode is looked at
        """
    def plot(self, figsize:tuple | None=None)->Figure:
        """What was recorded, against the batch

        Args:
            figsize: Of the figure, in inches; None: 3 by 3 for each panel

        Returns:
            matplotlib Figure, an axis for each quantity
        """

class TensorBoardCB(HistoryCB):
    """Writes the loss of batches, and the numbers of each epoch, for TensorBoard

    Args:
        log_dir: A folder, or a writer that has `add_scalar` and `flush`
        every: Training batches from one loss to the next
    """
    order: Any
    cleanup_epoch = after_epoch
    writer: Any
    every: int
    def __init__(self, log_dir='runs', every:int=10)->None: ...
    def after_batch(self, learn:Learner)->None:
        """Count the training batches

        Args:
            learn: Its loss is read every so many batches
        """
    def after_epoch(self, learn:Learner)->None:
        """Write the new numbers

        Args:
            learn: Says whether this process writes
        """
