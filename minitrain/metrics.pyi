"""Means weighted by their samples, metrics that stay on the device, a history to
plot.
"""
# Made by tools/make_stubs.py: do not edit
import torch
import torch.nn.functional as F
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from matplotlib.axes import Axes
from minitrain.learner import Callback, Learner
from minitrain.likelihood import cross_entropy, nll_loss
from typing import Any

__all__ = ['Accuracy', 'MultilabelAccuracy', 'ConfusionMatrix', 'MetricsCB']

class_losses = [F.cross_entropy, F.nll_loss, cross_entropy, nll_loss]

def is_sum_loss(loss_func:Callable)->bool:
    """Whether a loss adds its samples up instead of averaging them

    Args:
        loss_func: A loss

    Returns:
        True where it says `reduction="sum"`
    """

def loss_weight(learn:Learner, size:Callable | None=None)->int | torch.Tensor:
    """How many samples the mean loss of this batch stands for, or a loss that is a
    sum is over

    Args:
        learn: In a batch
        size: A user's own answer, called with the targets

    Returns:
        A number, or a tensor without axes (never read back from its device)
    """

class _Sums:
    """A metric whose state is one tensor, to which each batch adds: here a sum, and
    the sum that it is divided by
    """
    higher_is_better = None
    def __init__(self)->None: ...
    def reset(self)->None:
        """Forget everything"""
    def compute(self)->float:
        """The quotient, over all batches since `reset`

        Returns:
            nan before the first sample
        """
    def state_dict(self)->dict:
        """What a checkpoint keeps

        Returns:
            The state by name
        """
    def load_state_dict(self, state:dict)->None:
        """Go on from there

        Args:
            state: From `state_dict`
        """
    @contextmanager
    def together(self, learn:Learner)->Iterator[Any]:
        """Inside the block the state is that of all processes; every one of them
        must come here

        Args:
            learn: Knows the other processes
        """

def wide_dtype(device:torch.device | str)->torch.dtype:
    """The dtype for long sums

    Args:
        device: Any

    Returns:
        float64, where the device has it
    """

class RunningMean(_Sums):
    """Mean of values that stand for different numbers of samples; tensors stay on
    their device

    Args:
        total: The values are sums already, not means
    """
    total: bool
    def __init__(self, total:bool=False)->None: ...
    def update(self, value:torch.Tensor | float, n:torch.Tensor | float=1)->None:
        """Add the value of a batch; nothing is waited for

        Args:
            value: Mean (or sum) over a batch, without axes
            n: How many samples it stands for, or one weight for each; 0 leaves
                the mean as it is, whatever `value`
        """

class Accuracy(_Sums):
    """Share of the labels for which the highest score is at the right class

    Args:
        ignore_index: Labels that count for nothing, as in `cross_entropy`
    """
    higher_is_better = True
    ignore_index: int
    def __init__(self, ignore_index:int=-100)->None: ...
    def update(self, preds:torch.Tensor, target:torch.Tensor)->None:
        """Count the hits of a batch; nothing is waited for

        Args:
            preds: Scores, (b, k) or (b, k, d1, ...)
            target: Class numbers, (b,) or (b, d1, ...), of an integer dtype
        """

class MultilabelAccuracy(_Sums):
    """Share of the yes-or-no answers that are right, where each sample has several
    labels

    Args:
        threshold: Probability from which on the answer is yes, above 0 and below
            1
        logits: `preds` are logits, as `binary_cross_entropy_with_logits` takes
            them; False for probabilities
        exact: Count samples that are right in all labels, instead of answers
        ignore_index: Targets that count for nothing
    """
    higher_is_better = True
    threshold: float
    logits: bool
    exact: bool
    ignore_index: int
    def __init__(
        self,
        threshold:float=0.5,
        logits:bool=True,
        exact:bool=False,
        ignore_index:int=-100,
    )->None: ...
    def update(self, preds:torch.Tensor, target:torch.Tensor)->None:
        """Count the right answers of a batch; nothing is waited for

        Args:
            preds: Logits or probabilities, (b, k) or (b, ...)
            target: 1 where the label is present, else 0; the shape of `preds`,
                any dtype
        """

class ConfusionMatrix(_Sums):
    """How often each class (rows) was taken for each class (columns)

    Args:
        n_classes: k; None takes it from the scores
        ignore_index: Labels that count for nothing
    """
    n_classes: int | None
    ignore_index: int
    def __init__(self, n_classes:int | None=None, ignore_index:int=-100)->None: ...
    def update(self, preds:torch.Tensor, target:torch.Tensor)->None:
        """Count the pairs of a batch; nothing is waited for

        Args:
            preds: Scores, (b, k) or (b, k, d1, ...)
            target: Class numbers, (b,) or (b, d1, ...), of an integer dtype
        """
    def compute(self)->torch.Tensor:
        """The counts of all batches since `reset`

        Returns:
            int64, (k, k), on the device of the batches
        """
    def plot(self, names=None, ax=None)->Axes:
        """Draw the counts, shaded by their share of the true class; the mistakes in
        another colour

        Args:
            names: One name for each class; None numbers them
            ax: Matplotlib axes; None makes a new figure

        Returns:
            matplotlib Axes, for more to be drawn on them
        """

class MetricsCB(Callback):
    """Loss and metrics of each epoch, weighted by their samples, kept on the device
    until the epoch ends

    Args:
        *ms: Metrics named by their class, or functions named by `__name__`; each
            is given the predictions and the first target
        size: Called with the targets, gives the batch's weight in the mean loss;
            None asks the loss function
        **metrics: Metrics by name
    """
    only_in_fit = True
    loss: Any
    all_metrics: Any
    rows: Any
    metrics: Any
    size: Callable | None
    def __init__(self, *ms, size:Callable | None=None, **metrics)->None: ...
    def before_fit(self, learn:Learner)->None:
        """Look up how the loss averages

        Args:
            learn: Gets this callback as its `metrics`
        """
    def before_epoch(self, learn:Learner)->None:
        """Forget the epoch before

        Args:
            learn: Not looked at
        """
    def after_batch(self, learn:Learner)->None:
        """Pass the batch on to the metrics; nothing is read back from the device

        Args:
            learn: Its batch, predictions and loss are read
        """
    def after_epoch(self, learn:Learner)->None:
        """Note the row of the epoch and hand it to `_log`

        Args:
            learn: Says where the loop is
        """
    def cleanup_epoch(self, learn:Learner)->None:
        """Note the row of an epoch that was cancelled or failed, if it had a batch

        Args:
            learn: Says where the loop is
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
    @contextmanager
    def together(self, learn:Learner)->Iterator[Any]:
        """Inside the block the metrics of a running epoch are those of all
        processes; every one of them must come here

        Args:
            learn: Knows the other processes
        """
