"""Early stopping, clipping, accumulation, averages of weights, mixed precision: each
small at heart, some first written wrong.
"""
# Made by tools/make_stubs.py: do not edit
import torch
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from minitrain.core import def_device
from minitrain.learner import Callback, Learner, TrainCB
from minitrain.progress import Kept
from typing import Any

__all__ = ['DeviceCB', 'BatchTransformCB', 'OverfitBatchCB', 'EarlyStopCB',
           'ValidEveryCB', 'StopAfterCB', 'GradClipCB', 'GradAccumCB', 'EMACB',
           'MixedPrecision']

@contextmanager
def position_kept(dl)->Iterator[Any]:
    """Inside the block a loader may be walked through; its order is as before

    Args:
        dl: A loader of any kind, or None
    """

class DeviceCB(Callback):
    """Moves the model and every batch, however nested, to a device

    Args:
        device: Such as "cpu", "cuda", "cuda:1"
    """
    device: Any
    def __init__(self, device:str | torch.device=def_device)->None: ...
    def before_fit(self, learn:Learner)->None:
        """Move the model

        Args:
            learn: Its model is moved; the Learner lets moments follow
        """
    def before_batch(self, learn:Learner)->None:
        """Move the batch

        Args:
            learn: Its batch is moved
        """

class BatchTransformCB(Callback):
    """Puts every batch through a function, before the model sees it

    Args:
        tfm: Called with the batch, returns the batch to use instead
        on_train: In training
        on_val: In validation
    """
    order = DeviceCB.order + 1
    tfm: Callable
    on_train: bool
    on_val: bool
    def __init__(self, tfm:Callable, on_train:bool=True, on_val:bool=True)->None: ...
    def before_batch(self, learn:Learner)->None:
        """Transform the batch

        Args:
            learn: Its batch is replaced
        """

class OverfitBatchCB(Callback):
    """Trains on the first batch alone, and validates on it too

    Args:
        steps: Updates in an epoch
    """
    order, only_in_fit = (-20, True)
    steps: int
    batch: Any
    def __init__(self, steps:int=20)->None: ...
    def before_fit(self, learn:Learner)->None:
        """Read one batch

        Args:
            learn: Its first training batch is kept
        """
    def before_epoch(self, learn:Learner)->None:
        """Copies of that batch, for a transform may change them in place

        Args:
            learn: Its `dl` is replaced
        """

class EarlyStopCB(Kept, Callback):
    """Ends the fit when what it watches stops improving; the best weights come back

    Args:
        monitor: "train_" or "valid_", and a metric or "loss"
        patience: Epochs without a better value before the fit ends
        min_delta: By how much better counts as better
        mode: "min" or "max"; None asks the metric, or its name
        restore: Leave the model with the weights of the best epoch
    """
    order, only_in_fit = (900, True)
    best: Any
    best_epoch: Any
    monitor: str
    mode: str | None
    restore: bool
    patience: int
    min_delta: float
    waited: Any
    stopped: Any
    def __init__(
        self,
        monitor:str='valid_loss',
        patience:int=3,
        min_delta:float=0.0,
        mode:str | None=None,
        restore:bool=True,
    )->None: ...
    def before_fit(self, learn:Learner)->None:
        """Begin to watch

        Args:
            learn: Must have a MetricsCB that knows what is watched
        """
    def after_epoch(self, learn:Learner)->None:
        """Compare, and cancel when patience is at its end; nan is never better

        Args:
            learn: Its fit may end
        """
    def cleanup_fit(self, learn:Learner)->None:
        """Give the best weights back, whatever ended the fit

        Args:
            learn: Its model is given the best weights
        """

class ValidEveryCB(Callback):
    """Validates after every `n` training batches, which then count as an epoch

    Args:
        n: Batches to an epoch; the next one goes on where the data stand
    """
    order, only_in_fit = (-30, True)
    n: int
    def __init__(self, n:int)->None: ...
    def before_fit(self, learn:Learner)->None:
        """Cut the training data into pieces

        Args:
            learn: Its loaders are replaced
        """
    def cleanup_fit(self, learn:Learner)->None:
        """Give the loaders back

        Args:
            learn: Its loaders come back
        """

class StopAfterCB(Kept, Callback):
    """Ends the fit after a number of updates, with a last validation

    Args:
        steps: Updates; the fit may have fewer
    """
    order, only_in_fit = (950, True)
    steps: int
    n: Any
    def __init__(self, steps:int)->None: ...
    def before_fit(self, learn:Learner)->None:
        """Begin to count

        Args:
            learn: Its updates are counted
        """
    def after_step(self, learn:Learner)->None:
        """Count

        Args:
            learn: Has updated
        """
    def before_batch(self, learn:Learner):
        """Let no further batch train

        Args:
            learn: Its epoch ends, or its fit if nothing is validated
        """
    def after_epoch(self, learn:Learner)->None:
        """End the fit

        Args:
            learn: Its fit ends after the last part of an epoch
        """

class GradClipCB(Callback):
    """Limits the gradients before each update: their norm, or each value

    Args:
        max_norm: Largest norm of all gradients as one vector
        value: Largest absolute value of each entry, instead
    """
    order = 20
    norm: Any
    max_norm: float | None
    value: float | None
    def __init__(self, max_norm:float | None=None, value:float | None=None)->None: ...
    def after_backward(self, learn:Learner)->None:
        """Clip

        Args:
            learn: Gradients of what its optimizer updates are limited
        """

class GradAccumCB(Kept, Callback):
    """One update for `n` batches, as of one large batch

    Args:
        n: Batches to an update; the last one of an epoch takes what is left
        size: Called with the targets: what the mean loss divides by
    """
    order = -10
    n: int
    size: Callable | None
    def __init__(self, n:int, size:Callable | None=None)->None: ...
    def before_fit(self, learn:Learner)->None:
        """Begin a window

        Args:
            learn: Must zero its gradients after an update
        """
    def after_loss(self, learn:Learner)->None:
        """Let the backward pass begin at zero

        Args:
            learn: Its gradients so far are put aside
        """
    def after_backward(self, learn:Learner)->None:
        """Make gradients the mean over the window; go on to the update at its end

        Args:
            learn: Its update is put off until the window is full
        """
    def cleanup_batch(self, learn:Learner)->None:
        """A cancelled batch counts for nothing

        Args:
            learn: Its batch may have been cancelled
        """
    def after_epoch(self, learn:Learner)->None:
        """Update with what is left, where nobody knew which batch was the last

        Args:
            learn: Updated, if its window is open
        """
    def after_fit(self, learn:Learner)->None:
        """Update with what is left

        Args:
            learn: Updated, if its last epoch was cancelled
        """

class EMACB(Kept, Callback):
    """Keeps a moving average of the weights, and validates with it

    Args:
        decay: Share that stays, at the t-th update at most t/(9 + t)
        validate: Use the averages in validation
    """
    order, only_in_fit = (30, True)
    decay: float
    validate: bool
    averages: Any
    def __init__(self, decay:float=0.999, validate:bool=True)->None: ...
    def before_fit(self, learn:Learner)->None:
        """Start from the weights as they are

        Args:
            learn: Its weights are averaged; a further fit goes on
        """
    def after_step(self, learn:Learner)->None:
        """Take the new weights in

        Args:
            learn: Has updated
        """
    @contextmanager
    def applied(self)->Iterator:
        """Inside the block the model has the averages; then its own weights again

        Returns:
            Context manager
        """
    def before_epoch(self, learn:Learner)->None:
        """Put the averages into the model

        Args:
            learn: Its model borrows the averages for validation
        """
    def cleanup_epoch(self, learn:Learner)->None:
        """Put the weights back

        Args:
            learn: Its model has its own weights back
        """

class MixedPrecision(TrainCB):
    """Trains in half precision: autocast around the model, a scaler for float16

    Args:
        n_inp: As for `TrainCB`
        dtype: None: bfloat16 on the CPU, else float16
    """
    order = DeviceCB.order + 10
    scaler: Any
    dtype: torch.dtype | None
    def __init__(self, n_inp:int=1, dtype:torch.dtype | None=None)->None: ...
    def before_fit(self, learn:Learner)->None:
        """Choose what the device can do

        Args:
            learn: Its model is on its device
        """
    def predict(self, learn:Learner)->None:
        """Run the model under autocast

        Args:
            learn: As for `TrainCB`
        """
    def get_loss(self, learn:Learner)->None:
        """Run the loss in float32

        Args:
            learn: As for `TrainCB`
        """
    def backward(self, learn:Learner)->None:
        """Add to the gradients, scaled

        Args:
            learn: As for `TrainCB`
        """
    def after_backward(self, learn:Learner):
        """Unscale; where the scale was too large, drop gradients and update

        Args:
            learn: Its gradients get their true size
        """
    def step(self, learn:Learner)->None:
        """Update the weights, and the scale

        Args:
            learn: Its optimizer is used
        """
    def state_dict(self)->dict:
        """The scale, and for how many updates it has held

        Returns:
            Of the scaler; empty where there is none
        """
    def load_state_dict(self, state:dict)->None:
        """Go on with that scale

        Args:
            state: From `state_dict`
        """
