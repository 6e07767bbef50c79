"""Devices, progress, logs, clipping, accumulation, averages of weights, mixed
precision.
"""
# Made by tools/make_stubs.py: do not edit
import torch
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from minitrain.core import def_device
from minitrain.learner import Callback, Learner, TrainCB
from typing import Any

__all__ = ['DeviceCB', 'BatchTransformCB', 'OverfitBatchCB', 'EarlyStopCB',
           'GradClipCB', 'GradAccumCB', 'EMACB', 'MixedPrecision']

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
            learn: Its model is moved; it lets its optimizer's moments follow
        """
    def before_batch(self, learn:Learner)->None:
        """Move the batch

        Args:
            learn: Its batch is moved
        """

class BatchTransformCB(Callback):
    """Puts every batch through a function, on the device and before the model sees
    it

    Args:
        tfm: Called with the batch, gives the batch to use instead
        on_train: In training epochs
        on_val: In validation epochs
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

@contextmanager
def position_kept(dl)->Iterator[Any]:
    """Inside the block a loader may be walked through, and its order afterwards is
    as if it had not been

    Args:
        dl: Any loader; one of ours is put back to the batch where it stood
    """

class OverfitBatchCB(Callback):
    """Trains on the first batch alone and validates on it too: a model that cannot
    learn that by heart has a bug

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
        """Give that batch instead of the data

        Args:
            learn: Its `dl` is replaced
        """

class EarlyStopCB(Callback):
    """Ends the fit when what it watches has not become better for some epochs

    Args:
        monitor: "train_" or "valid_" and the name of a metric, or "loss"
        patience: Epochs without a better value before the fit ends
        min_delta: By how much better counts as better
        mode: "min" or "max"; None asks the metric, or its name
    """
    order, only_in_fit = (900, True)
    monitor: str
    mode: str | None
    patience: int
    min_delta: float
    best: Any
    best_epoch: Any
    waited: Any
    stopped: Any
    def __init__(
        self,
        monitor:str='valid_loss',
        patience:int=3,
        min_delta:float=0.0,
        mode:str | None=None,
    )->None: ...
    def before_fit(self, learn:Learner)->None:
        """Begin to watch

        Args:
            learn: Must have a MetricsCB that knows what is watched
        """
    def after_epoch(self, learn:Learner):
        """Compare, and cancel the fit when patience is at its end; nan is never
        better

        Args:
            learn: Its fit may end
        """
    def state_dict(self)->dict:
        """What has been seen so far

        Returns:
            Plain numbers
        """
    def load_state_dict(self, state:dict)->None:
        """Go on from there

        Args:
            state: From `state_dict`
        """

class GradClipCB(Callback):
    """Limits the gradients before each update: their norm all together, or each
    value

    Args:
        max_norm: Largest norm of all gradients as one vector; longer ones are
            scaled down
        value: Largest absolute value of each entry; instead of `max_norm`
        norm_type: Which norm; inf for the largest absolute value
    """
    order = 20
    max_norm: float | None
    value: float | None
    norm_type: float
    norm: Any
    def __init__(
        self,
        max_norm:float | None=None,
        value:float | None=None,
        norm_type:float=2.0,
    )->None: ...
    def after_backward(self, learn:Learner)->None:
        """Clip; `.norm` keeps the norm as it was before

        Args:
            learn: Gradients of what its optimizer updates are limited
        """

class GradAccumCB(Callback):
    """One update for `n` batches, with the gradient of their mean over all samples:
    as of one large batch

    Args:
        n: Batches to an update; the last update of an epoch takes what is left
    """
    order = -10
    n: int
    def __init__(self, n:int)->None: ...
    def before_fit(self, learn:Learner)->None:
        """Begin without gradients

        Args:
            learn: Must zero its gradients after an update
        """
    def before_epoch(self, learn:Learner)->None:
        """See to it that the last batch is known as the last

        Args:
            learn: Its `dl` is wrapped if it has no length
        """
    def after_loss(self, learn:Learner)->None:
        """Let the backward pass begin at zero

        Args:
            learn: Its gradients so far are put aside
        """
    def after_backward(self, learn:Learner)->None:
        """Make gradients the mean over the window; go on to the update only at its
        end

        Args:
            learn: Its update is put off until the window is full
        """
    def after_step(self, learn:Learner)->None:
        """Begin a new window

        Args:
            learn: Has updated
        """
    def cleanup_batch(self, learn:Learner)->None:
        """Give back what was put aside for a backward pass that never came

        Args:
            learn: Its batch may have been cancelled before the backward pass
        """
    def state_dict(self)->dict:
        """How far the window is

        Returns:
            Plain numbers; the gradients themselves belong to the model
        """
    def load_state_dict(self, state:dict)->None:
        """Go on in the middle of a window, its gradients being there

        Args:
            state: From `state_dict`
        """

class EMACB(Callback):
    """Keeps a moving average of weights and buffers, and validates with it

    Args:
        decay: Share of the average that stays at an update; at the t-th at most
            t/(9 + t), for a quick start
        validate: Use the averages in validation epochs
    """
    order, only_in_fit = (30, True)
    averages: Any
    decay: float
    validate: bool
    def __init__(self, decay:float=0.999, validate:bool=True)->None: ...
    def before_fit(self, learn:Learner)->None:
        """Start from the weights as they are; a further fit of the same model goes
        on

        Args:
            learn: Its model is averaged
        """
    @torch.no_grad()
    def after_step(self, learn:Learner)->None:
        """Take the new weights in

        Args:
            learn: Has updated
        """
    def before_epoch(self, learn:Learner)->None:
        """Put the averages into the model

        Args:
            learn: Its model is given the averages for validation
        """
    def cleanup_epoch(self, learn:Learner)->None:
        """Put the weights back

        Args:
            learn: Its model is given its weights back
        """
    @contextmanager
    def applied(self)->Iterator[None]:
        """Inside the block the model has the averaged weights; afterwards its own
        again, bit for bit

        Returns:
            Context manager
        """
    def state_dict(self)->dict:
        """What is needed to go on

        Returns:
            "n" updates, and the averages by name
        """
    def load_state_dict(self, state:dict)->None:
        """Go on from there

        Args:
            state: From `state_dict`; taken in by the next fit if there has been
                none
        """

class MixedPrecision(TrainCB):
    """Trains with half precision where it is safe: autocast around prediction and
    loss alone, gradients scaled for float16

    Args:
        n_inp: As for `TrainCB`
        dtype: torch.float16 or torch.bfloat16; None takes bfloat16 on the CPU and
            float16 elsewhere
    """
    order = DeviceCB.order + 10
    dtype: torch.dtype | None
    scaler: Any
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
        """Run the loss under autocast, on predictions made float32

        Args:
            learn: As for `TrainCB`
        """
    def backward(self, learn:Learner)->None:
        """Add to the gradients, scaled so that small ones do not vanish in float16

        Args:
            learn: As for `TrainCB`
        """
    def after_backward(self, learn:Learner):
        """Unscale; where the scale was too large for float16, drop the gradients and
        put the update off

        Args:
            learn: Its gradients get their true size, before anything clips them
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
