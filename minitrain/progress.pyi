"""History, a bar, a log, a record of every batch."""
# Made by tools/make_stubs.py: do not edit
from collections.abc import Mapping, Sequence
from matplotlib.figure import Figure
from minitrain.learner import Callback, Learner
from minitrain.metrics import MetricsCB
from pandas import DataFrame
from pathlib import Path
from typing import Any

__all__ = ['HistoryCB', 'ProgressCB', 'CSVLogCB', 'RecorderCB']

def metrics_of(learn:Learner, who:Callback):
    """The callback whose rows others read

    Args:
        learn: In a fit
        who: Who asks

    Returns:
        Its MetricsCB
    """

def higher_is_better(name:str, metric=None)->bool | None:
    """Which way a metric is better

    Args:
        name: Of a metric, such as "loss" or "MulticlassAccuracy"
        metric: The metric itself; its `higher_is_better` counts first

    Returns:
        None where neither says so
    """

class HistoryCB(Callback):
    """Keeps loss and metrics of every epoch as a table"""
    order, only_in_fit = (2, True)
    cleanup_epoch = after_epoch
    def __init__(self)->None: ...
    def before_fit(self, learn:Learner)->None:
        """Count on from the fits before

        Args:
            learn: Must have a `MetricsCB`
        """
    def after_epoch(self, learn:Learner)->None:
        """Take the row over

        Args:
            learn: Its `metrics` has the row
        """
    def state_dict(self)->dict:
        """What a checkpoint keeps

        Returns:
            The rows, and the number of the first epoch of this fit
        """
    def load_state_dict(self, state:dict)->None:
        """Go on from there

        Args:
            state: From `state_dict`
        """
    @property
    def df(self)->DataFrame:
        """One row for each epoch

        Returns:
            pandas DataFrame: "epoch" (over all fits), then train_ and valid_
                columns of the loss and of each metric; nan where there is no
                value
        """
    def best(self, name:str='loss', higher:bool | None=None)->int | None:
        """The epoch in which a metric was best

        Args:
            name: A metric
            higher: Whether more is better; None asks the metric, or its name

        Returns:
            Number of the epoch, in validation where there is one; None if nothing
                says which way is better
        """
    def plot(self, *names)->Any:
        """Draw training and validation against the epochs, the best epoch marked

        Args:
            *names: Metrics to draw; none for all, the loss first

        Returns:
            Array of matplotlib axes, one for each metric
        """

class ProgressCB(Callback):
    """A bar and a table: in a notebook's cell, in a terminal, and the table alone
    where output is piped

    Args:
        plot: Keep the loss of every training batch in `.losses`; a notebook draws
            it
    """
    order, only_in_fit = (MetricsCB.order + 1, True)
    plot: bool
    losses: Any
    def __init__(self, plot:bool=False)->None: ...
    def before_fit(self, learn:Learner)->None:
        """Find out where output is read, and take over the rows

        Args:
            learn: Its MetricsCB, if there is one, prints through the table during
                this fit
        """
    def before_epoch(self, learn:Learner)->None:
        """Begin a bar

        Args:
            learn: Its `dl` may say how many batches there will be
        """
    def after_batch(self, learn:Learner)->None:
        """Count the batch

        Args:
            learn: Its loss is read when the bar is drawn, and only then
        """
    def cleanup_epoch(self, learn:Learner)->None:
        """Take the bar away

        Args:
            learn: Not looked at
        """
    def cleanup_fit(self, learn:Learner)->None:
        """Give the rows back, and leave the table without the bar

        Args:
            learn: Its MetricsCB prints by itself again
        """

def loader_length(dl)->int | None:
    """How many batches a loader will give

    Args:
        dl: Any loader

    Returns:
        Batches in an epoch; None if it does not say
    """

class CSVLogCB(Callback):
    """Writes a row to a CSV file after each epoch, and forces it to disk: what was
    written survives any kill

    Args:
        path: The file, which is made or added to; a `RunDir` stands for its
            metrics.csv
    """
    order, only_in_fit = (3, True)
    path: Any
    def __init__(self, path)->None: ...
    def before_fit(self, learn:Learner)->None:
        """Find the rows to write

        Args:
            learn: Must have a MetricsCB
        """
    def cleanup_epoch(self, learn:Learner)->None:
        """Take in what was measured; write after the last part of the epoch

        Args:
            learn: Its MetricsCB may have a new row
        """
    def cleanup_fit(self, learn:Learner)->None:
        """Write what is left of an epoch that was cut short

        Args:
            learn: Not looked at, but for `is_main`
        """
    def state_dict(self)->dict:
        """Where the log stands

        Returns:
            "rows" written, and "row": what is known of the epoch that runs
        """
    def load_state_dict(self, state:dict)->None:
        """Go back to where the log stood: rows of later epochs are cut off, so that
        the resumed run writes each once

        Args:
            state: From `state_dict`
        """

def fsync_dir(path:Path)->None:
    """Force a folder's own entries to disk (nothing to do where folders cannot be
    opened, as on Windows)

    Args:
        path: A folder
    """

def mend_csv(path:Path)->list[str] | None:
    """Cut off a last row without a newline, and read the header

    Args:
        path: A CSV file that may end in a torn row, or may not exist

    Returns:
        Column names; None if there is no whole header yet
    """

def append_row(path:Path, row:Mapping, columns:Sequence[str])->None:
    """Append a row to a CSV file and force it to disk

    Args:
        path: A CSV file, which is made if it is not there
        row: Values by column
        columns: All columns; the header of a new file
    """

class RecorderCB(Callback):
    """Calls functions after each training batch and keeps what they give, by name,
    in `recs`

    Args:
        **d: Functions by name, each called with this callback: `lr=lambda cb:
            cb.pg["lr"]`; `cb.pg` is the first parameter group, `cb.learn` the
            Learner
    """
    only_in_fit = True
    d: Any
    recs: Any
    pg: Any
    learn: Any
    def __init__(self, **d)->None: ...
    def before_fit(self, learn:Learner)->None:
        """Begin anew, if this fit trains

        Args:
            learn: Its first parameter group becomes `pg`
        """
    def after_batch(self, learn:Learner)->None:
        """Call the functions

        Args:
            learn: Its mode is looked at
        """
    def cleanup_fit(self, learn:Learner)->None:
        """Let go of the Learner

        Args:
            learn: Not looked at
        """
    def state_dict(self)->dict:
        """What was recorded so far

        Returns:
            "recs"
        """
    def load_state_dict(self, state:dict)->None:
        """Go on from there

        Args:
            state: From `state_dict`
        """
    def plot(self, figsize:tuple | None=None)->Figure:
        """What was recorded, against the batch

        Args:
            figsize: Size of the whole figure in inches; None takes 4 by 3 for
                each quantity

        Returns:
            matplotlib Figure, an axis for each quantity
        """
