"""The loss of an epoch is a sum over a sum, a metric is three methods, and a
callback keeps both.
"""
# Made by tools/make_stubs.py: do not edit
import torch
import torch.nn.functional as F
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from matplotlib.axes import Axes
from minitrain.learner import Callback, Learner
from minitrain.likelihood import cross_entropy, nll_loss
from torch import nn
from typing import Any

__all__ = ['MetricsCB', 'Accuracy', 'TopK', 'Perplexity', 'ConfusionMatrix', 'F1',
           'MultilabelAccuracy']

class_losses = [F.cross_entropy, F.nll_loss, cross_entropy, nll_loss]

def is_sum_loss(loss_func:Callable)->bool:
    """Whether a loss adds its samples up instead of averaging them

    Args:
        loss_func: A loss

    Returns:
        True where it says `reduction="sum"`
    """

def wide_dtype(device:torch.device | str)->torch.dtype:
    """The dtype for long sums

    Args:
        device: Any

    Returns:
        float64, where the device has it
    """

class Sums:
    """A metric whose state is one tensor of sums; its value is the first over the
    second

    Args:
        ignore_index: Labels that count for nothing, as in `cross_entropy`
    """
    higher_is_better = None
    ignore_index: int
    def __init__(self, ignore_index:int=-100)->None: ...
    def reset(self)->None:
        """Forget everything"""
    @property
    def sums(self)->torch.Tensor | None:
        """All that was added, on the device of the batches

        Returns:
            A row for each of what `add` gets
        """
    @sums.setter
    def sums(self, x)->None: ...
    def add(self, *x:torch.Tensor)->None:
        """Keep it, added up every 64 batches at the latest; nothing is read back

        Args:
            *x: What a batch adds: tensors of one shape
        """
    def compute(self)->float:
        """The quotient over all batches since `reset`

        Returns:
            nan before the first sample
        """

class RunningMean(Sums):
    """Mean of values that stand for different numbers of samples"""
    def update(
        self,
        value:torch.Tensor | float,
        n:torch.Tensor | float=1,
        total:bool=False,
    )->None:
        """Add the value of a batch

        Args:
            value: Mean over a batch, without axes
            n: What it stands for; with 0 it counts for nothing
            total: `value` is a sum already, not a mean
        """

class MetricsCB(Callback):
    """Loss and metrics of each epoch, kept on the device until it ends, then a row

    Args:
        *ms: Metrics, or functions called with predictions and first target
        size: Called with the targets, returns the batch's weight
        **metrics: Metrics or functions by name
    """
    only_in_fit = True
    all_metrics: Any
    rows: Any
    metrics: Any
    size: Callable | None
    loss: Any
    whole: Any
    def __init__(self, *ms, size:Callable | None=None, **metrics)->None: ...
    def before_fit(self, learn:Learner)->None:
        """Look up how the loss averages

        Args:
            learn: Gets this callback as its `metrics`
        """
    def before_epoch(self, learn:Learner)->None:
        """Forget the epoch before

        Args:
            learn: Says where its model is
        """
    def after_batch(self, learn:Learner)->None:
        """Pass the batch on to the metrics; nothing is read back from the device

        Args:
            learn: Its batch, predictions and loss are read
        """
    def after_epoch(self, learn:Learner)->None:
        """Make the row of an epoch that ended well

        Args:
            learn: Knows the sums of other processes
        """
    def cleanup_epoch(self, learn:Learner)->None:
        """Make the row of an epoch that was cut short, if it had a batch

        Args:
            learn: Says where the loop is
        """
    @contextmanager
    def together(self, learn:Learner)->Iterator[Any]:
        """Inside the block the sums of a running epoch are those of all processes

        Args:
            learn: Knows the other processes
        """
    def state_dict(self)->dict:
        """What a checkpoint keeps

        Returns:
            The rows, and in the middle of an epoch the state of each metric
        """
    def load_state_dict(self, state:dict)->None:
        """Go on from there

        Args:
            state: From `state_dict`, of a callback with the same metrics
        """

def input_count(learn:Learner)->int:
    """How many parts of a batch are inputs

    Args:
        learn: Trains itself, or has a trainer

    Returns:
        1 where who trains does not say
    """

def from_half(o)->Any:
    """What can be added up

    Args:
        o: Anything

    Returns:
        A tensor in half precision as float32, all else as it is
    """

def model_device(model:nn.Module)->torch.device:
    """Where the first parameter of a model is

    Args:
        model: Any

    Returns:
        The CPU for a model without parameters
    """

@contextmanager
def contents_kept(*dicts)->Iterator[Any]:
    """After the block the dicts hold what they held before

    Args:
        *dicts: Such as the attributes of an object
    """

def loss_weight(learn:Learner, size:Callable | None=None)->int | torch.Tensor:
    """What the mean loss of this batch divides by, or what a loss that is a sum is
    over

    Args:
        learn: In a batch
        size: A user's own answer, called with the targets

    Returns:
        A number, or a tensor without axes on its device
    """

class Accuracy(Sums):
    """Share of the labels for which the highest score is at the right class"""
    higher_is_better = True
    def update(self, preds:torch.Tensor, target:torch.Tensor)->None:
        """Count the hits of a batch

        Args:
            preds: Scores, (b, k) or (b, k, d1, ...)
            target: Class numbers, (b,) or (b, d1, ...)
        """

class TopK(Accuracy):
    """Share of the labels that are among the `k` highest scores

    Args:
        k: How many tries, at most as many as there are classes
        ignore_index: Labels that count for nothing
    """
    k: int
    def __init__(self, k:int=5, ignore_index:int=-100)->None: ...

class Perplexity(RunningMean):
    """e to the mean loss of a label: as if the model wavered among so many classes"""
    higher_is_better = False
    def update(self, preds:torch.Tensor, target:torch.Tensor)->None:
        """Add the losses of a batch

        Args:
            preds: Logits, (b, k) or (b, k, d1, ...)
            target: Class numbers, (b,) or (b, d1, ...)
        """
    def compute(self)->float:
        """The exponential of the mean

        Returns:
            1 or more; nan before the first label
        """

class ConfusionMatrix(Sums):
    """How often each class (rows) was taken for each class (columns)

    Args:
        n_classes: k, for a matrix of nothing; else the scores say it
        ignore_index: Labels that count for nothing
    """
    n_classes: Any
    def __init__(self, n_classes:int | None=None, ignore_index:int=-100)->None: ...
    def update(self, preds:torch.Tensor, target:torch.Tensor)->None:
        """Count the pairs of a batch

        Args:
            preds: Scores, (b, k) or (b, k, d1, ...)
            target: Class numbers, (b,) or (b, d1, ...)
        """
    def compute(self)->torch.Tensor:
        """The counts of all batches since `reset`

        Returns:
            int64, (k, k)
        """
    def plot(self, names=None, ax=None)->Axes:
        """Draw the counts, shaded by their share of the true class; mistakes in red

        Args:
            names: One name for each class; None numbers them
            ax: Matplotlib axes; None makes a new figure

        Returns:
            matplotlib Axes, for more to be drawn on them
        """

class F1(ConfusionMatrix):
    """Mean over the classes of the harmonic mean of precision and recall"""
    higher_is_better = True
    def compute(self)->float:
        """Macro F1 over all batches since `reset`

        Returns:
            0 to 1; classes neither there nor predicted do not count
        """

class MultilabelAccuracy(Accuracy):
    """Share of the yes-or-no answers that are right, for samples with several labels

    Args:
        threshold: Probability from which on the answer is yes
        logits: `preds` are logits; False for probabilities
        exact: Count samples that are right in all labels, not answers
        ignore_index: Targets that count for nothing
    """
    exact: bool
    def __init__(
        self,
        threshold:float=0.5,
        logits:bool=True,
        exact:bool=False,
        ignore_index:int=-100,
    )->None: ...
    def update(self, preds:torch.Tensor, target:torch.Tensor)->None:
        """Count the right answers of a batch

        Args:
            preds: Logits or probabilities, (b, k) or (b, ...)
            target: 1 where the label is present, else 0; the shape of `preds`
        """
