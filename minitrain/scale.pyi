"""One script on one process, two, eight GPUs or several machines."""
# Made by tools/make_stubs.py: do not edit
import torch
from collections.abc import Callable
from minitrain.callbacks import DeviceCB
from minitrain.learner import Callback, Learner, TrainCB
from typing import Any

__all__ = ['AccelerateCB', 'default_trainer', 'CompileCB']

def launched()->int:
    """How many processes were launched together

    Returns:
        1 unless torchrun or accelerate started more
    """

class AccelerateCB(TrainCB):
    """Trains on all processes that were launched together: each takes its part of
    every batch, and they make one step

    Args:
        n_inp: How many parts of a batch are inputs
        mixed_precision: "no", "bf16" or "fp16" (with a scaler; a CPU computes in
            bf16 instead)
        timeout: Seconds that a process waits for the others before it gives up
        sync_bn: BatchNorm over the whole batch instead of each process's part
        size: As for `MetricsCB`: called with the targets, gives the batch's
            weight in the mean loss
        find_unused: The model may leave parameters unused in a batch (slower)
    """
    order = DeviceCB.order + 10
    group: Any
    acc: Any
    mixed_precision: Any
    timeout: float
    sync_bn: bool
    size: Callable | None
    find_unused: bool
    state_dict: Any
    load_state_dict: Any
    def __init__(
        self,
        n_inp:int=1,
        mixed_precision:str='fp16',
        *,
        timeout:float=600,
        sync_bn:bool=True,
        size:Callable | None=None,
        find_unused:bool=False,
    )->None: ...
    @property
    def is_main(self)->bool:
        """Whether this process prints and writes

        Returns:
            True in a single process
        """
    @property
    def real(self)->bool:
        """Whether the samples at hand count

        Returns:
            False where a short last batch has no sample left for this process
        """
    def reduce(self, total:torch.Tensor)->torch.Tensor:
        """What all processes have together; every one of them must call it

        Args:
            total: A sum over the samples of this process

        Returns:
            The sum over all processes; the same in a fit that only validates,
                where each goes through all of the data
        """
    def before_epoch(self, learn:Learner)->None:
        """Share the loader's batches among the processes

        Args:
            learn: Its `dl` is shared
        """
    def cleanup_epoch(self, learn:Learner)->None:
        """Put the loader back

        Args:
            learn: Gets its loader back
        """
    def before_batch(self, learn:Learner)->None:
        """The model has not run yet

        Args:
            learn: Not looked at
        """
    def before_fit(self, learn:Learner)->None:
        """Meet the other processes; everybody starts from the weights of process 0

        Args:
            learn: Its model is moved, and in a fit that trains shared
        """
    def after_fit(self, learn:Learner)->None:
        """Part as equals: buffers and random number generators (those of GPUs apart)
        are those of process 0

        Args:
            learn: Its model's buffers are made equal
        """
    def cleanup_fit(self, learn:Learner)->None:
        """Leave nothing behind

        Args:
            learn: Loses the callback that seeded its random numbers
        """
    def run(self, learn:Learner, *args, **kwargs)->Any:
        """Run the model, in training with its gradients shared; a subclass with its
        own `predict` calls this instead of the model

        Args:
            learn: Its model is run
            *args: Passed on to the model
            **kwargs: Passed on to the model

        Returns:
            What the model gives, half precision made float32
        """
    def predict(self, learn:Learner)->None:
        """Run the model on this process's part of the batch

        Args:
            learn: Its `batch` is moved, its `preds` are set
        """
    def get_loss(self, learn:Learner)->None:
        """The loss of the whole batch; its gradient, averaged over the processes, is
        that of the whole batch too

        Args:
            learn: Its `loss` is set
        """
    def backward(self, learn:Learner)->None:
        """Add to the gradients; those of all processes are averaged on the way

        Args:
            learn: Its `loss` is read
        """
    def after_backward(self, learn:Learner)->None:
        """Undo the scaling of fp16, before anything looks at the gradients

        Args:
            learn: Its gradients are scaled back
        """
    def step(self, learn:Learner):
        """Update the weights; gradients that left the range of fp16 are dropped, and
        the update put off

        Args:
            learn: Its optimizer is used
        """

def default_trainer(n_inp:int=1, mixed_precision:str='no', **kwargs)->TrainCB:
    """The trainer for the way in which this process was launched

    Args:
        n_inp: How many parts of a batch are inputs
        mixed_precision: "no", "fp16" or "bf16"
        **kwargs: Passed on to `AccelerateCB`, where it is the one

    Returns:
        `AccelerateCB` among several processes; else `TrainCB`, or
            `MixedPrecision` with a half precision
    """

class CompileCB(Callback):
    """Compiles the model for the fit (torch.compile); names in its state_dict stay
    as they are

    Args:
        **options: Of torch.compile, such as mode="max-autotune" or
            backend="aot_eager"
    """
    only_in_fit = True
    options: Any
    def __init__(self, **options)->None: ...
    def before_fit(self, learn:Learner)->None:
        """Compile in place, at the first batch

        Args:
            learn: Its model is compiled, unless it is compiled already
        """
    def cleanup_fit(self, learn:Learner)->None:
        """Take the compiled code off

        Args:
            learn: Its model is as before
        """
