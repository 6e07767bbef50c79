"""One script on one process or many: the same losses, measured with two processes on
a CPU.
"""
# Made by tools/make_stubs.py: do not edit
import torch
from collections.abc import Callable
from minitrain.callbacks import DeviceCB
from minitrain.learner import Callback, Learner, TrainCB
from typing import Any

__all__ = ['AccelerateCB', 'default_trainer', 'CompileCB']

def part(n:int, rank:int, world:int)->slice:
    """The contiguous share of one process

    Args:
        n: Samples of a batch
        rank: Number of the process, from 0
        world: How many processes there are

    Returns:
        Its samples: together the parts are the batch
    """

def launched()->int:
    """How many processes were launched together

    Returns:
        1 unless torchrun or accelerate started more
    """

class AccelerateCB(TrainCB):
    """Trains on all processes launched together: each takes its part of every batch

    Args:
        n_inp: How many parts of a batch are inputs
        mixed_precision: "no", "bf16" or "fp16" (a CPU computes in bf16)
        size: As for `MetricsCB`: the weight of a batch
        **kwargs: Passed on to `accelerate.Accelerator`
    """
    order, world, rank = (DeviceCB.order, 1, 0)
    acc: Any
    mixed_precision: str
    size: Callable | None
    kwargs: Any
    state_dict: Any
    load_state_dict: Any
    model: Any
    opt: Any
    seed: Any
    def __init__(
        self,
        n_inp:int=1,
        mixed_precision:str='no',
        *,
        size:Callable | None=None,
        **kwargs,
    )->None: ...
    def before_fit(self, learn:Learner)->None:
        """Have model and optimizer prepared; a fit that trains joins the other
        processes

        Args:
            learn: Its model is moved to the device
        """
    def predict(self, learn:Learner)->None:
        """Run the model; in training the one whose backward pass averages gradients

        Args:
            learn: Its `batch` is read, its `preds` are set
        """
    def backward(self, learn:Learner)->None:
        """Add to the gradients; those of all processes are averaged on the way

        Args:
            learn: Its `loss` is read
        """
    def step(self, learn:Learner):
        """Update the weights; gradients that left the range of fp16 are dropped

        Args:
            learn: Its optimizer is used
        """
    @property
    def is_main(self)->bool:
        """Whether this process prints and writes

        Returns:
            True in a single process
        """
    def accelerator(self)->Any:
        """accelerate's object, which knows processes, device and precision

        Returns:
            An `accelerate.Accelerator`
        """
    def after_backward(self, learn:Learner)->None:
        """Undo the scaling of fp16, before anything clips the gradients

        Args:
            learn: Its gradients are scaled back
        """
    def before_batch(self, learn:Learner)->None:
        """Move the batch; processes after the first draw random numbers of their own

        Args:
            learn: Its batch is moved
        """
    def cleanup_fit(self, learn:Learner)->None:
        """Leave nothing behind

        Args:
            learn: Its model and loaders are as before
        """
    def before_epoch(self, learn:Learner)->None:
        """Put the prepared loader in; validate with the running statistics of
        process 0

        Args:
            learn: Its `dl` is replaced, if it is one of torch's
        """
    def reduce(self, total:torch.Tensor)->torch.Tensor:
        """The sum over all processes; every one of them must call it

        Args:
            total: A sum over the samples of this process

        Returns:
            On the device of `total`
        """
    def get_loss(self, learn:Learner)->None:
        """The loss of the whole batch, and its gradient as a mean over processes

        Args:
            learn: Its `loss` is set
        """

def default_trainer(n_inp:int=1, mixed_precision:str='no', **kwargs)->TrainCB:
    """The trainer for the way in which this process was launched

    Args:
        n_inp: How many parts of a batch are inputs
        mixed_precision: "no", "fp16" or "bf16"
        **kwargs: Passed on to `AccelerateCB`, where it is the one

    Returns:
        `AccelerateCB` among several; else `TrainCB` or `MixedPrecision`
    """

class CompileCB(Callback):
    """Compiles the model for the fit (torch.compile); names in its state_dict stay

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
