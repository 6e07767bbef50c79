"""Fresh logistic regressions for every batch, how well anybody could do on them, and
a learner that has no weights.
"""
# Made by tools/make_stubs.py: do not edit
import torch
from collections.abc import Callable
from dataclasses import dataclass
from minitrain.data import DataLoader
from typing import Any

__all__ = ['GaussianSampler', 'LogisticRegressionTask', 'Curriculum', 'ceiling',
           'get_data_sampler', 'get_task_sampler', 'TaskLoader']

class GaussianSampler:
    """Points whose coordinates are independent standard normals

    Args:
        n_dims: Width `d` of a point
    """
    n_dims: int
    def __init__(self, n_dims:int)->None: ...
    def sample_xs(
        self,
        n_points:int,
        batch_size:int,
        n_dims_truncated:int | None=None,
        seed:int | tuple | None=None,
    )->tuple[torch.Tensor, torch.Tensor]:
        """Draw the points of a batch; the same seed draws the same points

        Args:
            n_points: Points in a row, `n`
            batch_size: Rows, `b`
            n_dims_truncated: From this one on all are zero; None: none
            seed: An int, or (seed, step); None draws one from torch

        Returns:
            float32 (b, n, d), and bool (d,): which live
        """

class LogisticRegressionTask:
    """Problems: weights w ~ N(0, alpha^2 I), labels 1 with probability sigmoid(x w)

    Args:
        n_dims: Width `d` of a point
        batch_size: Problems, `b`
        weight_multiplier: alpha, above 0: the larger, the less noise
        variable_noise: Draw each problem's alpha from 1 to the multiplier
        n_points: Points in a row at most; None for any number
        seed: As for `GaussianSampler.sample_xs`
    """
    alpha: Any
    w: Any
    n_dims: int
    batch_size: int
    n_points: int | None
    def __init__(
        self,
        n_dims:int,
        batch_size:int,
        weight_multiplier:float=1,
        variable_noise:bool=False,
        n_points:int | None=None,
        seed:int | tuple | None=None,
    )->None: ...
    def logits(self, xs:torch.Tensor)->torch.Tensor:
        """The true log odds of a 1 at each point

        Args:
            xs: (b, n, d), floating point

        Returns:
            x w, shape (b, n), of the dtype and on the device of `xs`
        """
    def evaluate(self, xs:torch.Tensor)->tuple[torch.Tensor, torch.Tensor]:
        """Draw a label for each point; each call draws anew, in an order the seed
        fixes

        Args:
            xs: (b, n, d), floating point

        Returns:
            Labels 0. and 1. (b, n); weights (b, d, 1)
        """
    def get_training_metric(self)->Callable:
        """The loss that a model of these tasks is trained with

        Returns:
            Called with logits and labels, both (b, n): the mean loss in nats
        """

@dataclass(frozen=True)
class Curriculum:
    """A whole number that grows: min(end, start + inc*floor(step/interval))

    Args:
        start: Value at step 0, 1 or more
        end: Largest value, `start` or more
        inc: How much is added at a time, 1 or more
        interval: After how many steps, 1 or more
    """
    start: int
    end: int
    inc: int = 1
    interval: int = 1
    def __post_init__(self)->None: ...
    def __call__(self, step:int)->int:
        """The value at a step

        Args:
            step: From 0

        Returns:
            From `start` to `end`
        """
    @property
    def steps(self)->int:
        """The first step that has the largest value

        Returns:
            0 if it never grows
        """

def ceiling(
    n_dims:int,
    weight_multiplier:float=1,
    variable_noise:bool=False,
)->tuple[float, float]:
    """What the true weights achieve on average: no model can do better

    Args:
        n_dims: Width `d` of a point: of its coordinates that are not zero
        weight_multiplier: alpha
        variable_noise: alpha is drawn from 1, 2, ... up to the multiplier

    Returns:
        Accuracy, and log loss in nats
    """

def get_data_sampler(data_type:str, n_dims:int, **kwargs)->GaussianSampler:
    """A sampler of points by its name

    Args:
        data_type: "gaussian"
        n_dims: Width of a point
        **kwargs: Passed on to the sampler

    Returns:
        With `sample_xs(n_points, batch_size, n_dims_truncated)`
    """

def get_task_sampler(
    task_name:str,
    n_dims:int,
    batch_size:int,
    weight_multiplier:float=1,
    variable_noise:bool=False,
    n_points:int | None=None,
)->Callable:
    """A sampler of tasks by their name

    Args:
        task_name: "probabilistic_logistic_regression"
        n_dims: Width of a point
        batch_size: Problems in a batch
        weight_multiplier: alpha: the larger, the less noise in the labels
        variable_noise: Draw each problem's alpha from 1 to the multiplier
        n_points: Points in a row at most; None for any number

    Returns:
        Called with nothing, or with `seed=`: a task
    """

class TaskLoader(DataLoader):
    """Batches (xs, ys) of new problems: each a function of seed and step alone

    Args:
        data_sampler: From `get_data_sampler`
        task_sampler: From `get_task_sampler`; it fixes the batch size
        steps: Batches in an epoch
        points: Points in a row, or how their number grows
        dims: Those that live, or how they grow
        seed: Of all that is drawn; None draws one from torch, once
        repeat: The same batches in every epoch, as validation wants them
    """
    repeat: bool
    data_sampler: GaussianSampler
    task_sampler: Callable
    points: Any
    dims: Any
    def __init__(
        self,
        data_sampler:GaussianSampler,
        task_sampler:Callable,
        steps:int,
        points:int | Curriculum,
        dims:int | Curriculum | None=None,
        seed:int | None=None,
        repeat:bool=False,
    )->None: ...
    def batch(self, step:int)->tuple[torch.Tensor, torch.Tensor]:
        """The batch of a step: the same whenever it is asked for

        Args:
            step: From 0

        Returns:
            Points (b, n, d) and labels (b, n), float32
        """
    def state_dict(self)->dict:
        """The position, with the checksum also at the beginning of an epoch

        Returns:
            Plain ints, ready for JSON
        """
