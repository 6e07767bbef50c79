"""Checks and solutions of the exercises of lessons 01 to 03."""
# Made by tools/make_stubs.py: do not edit
from collections.abc import Callable
from minitrain.exercises.start import Report, check, solves
from torch.overrides import TorchFunctionMode
from typing import Any

__all__ = ['check_temperature', 'check_logmeanexp', 'check_softmax_backward',
           'check_running_logsumexp', 'check_smooth_targets', 'check_grad',
           'check_split_loss', 'check_alarm_weight', 'check_enough_smoothing',
           'check_yes_weight', 'check_log_sigmoid']

AUTOGRAD = {'grad', 'backward', '_make_dual'}

def randn(*shape, seed=0): ...

def pulled(got, x, case, hint='', weight=1.0):
    """Gradient of the weighted sum of an answer with respect to `x`"""

class Looking(TorchFunctionMode):
    """Calls `look(name, result)` after each torch function"""
    look: Any
    def __init__(self, look)->None: ...
    def __torch_function__(self, func, types, args=(), kwargs=None): ...

def watched(fn, look):
    """An answer that runs under a look at each torch function"""

def without(fn, names, case, hint):
    """An answer that may not call some functions of torch"""

@check
def check_temperature(answer)->Report:
    """The temperature at which a model is as sure as it is right

    Args:
        answer: Yours: a number

    Returns:
        Passed, or a sentence that says what is wrong
    """

@check
def check_logmeanexp(fn:Callable)->Report:
    """The log of a mean of exponentials, in value and gradient, at any size of score

    Args:
        fn: Yours: called with a tensor of scores and an int dimension

    Returns:
        Passed, or a sentence that says what is wrong
    """

def small_mean(fn, x, dim, case)->None:
    """Scores of which the exponential can be taken"""

def large_mean(fn, x, case)->None:
    """Rows of scores of which the exponential cannot be taken: value and gradient"""

@solves('logmeanexp')
def logmeanexp(z, dim): ...

@check
def check_softmax_backward(fn:Callable)->Report:
    """The gradient of the softmax by hand: that of autograd, and without it

    Args:
        fn: Yours: called with probabilities (b, k) and a gradient (b, k)

    Returns:
        Passed, or a sentence that says what is wrong
    """

@solves('softmax_backward')
def softmax_backward(p, g): ...

@check
def check_running_logsumexp(fn:Callable)->Report:
    """LogSumExp of a stream, in one pass, however it is cut into chunks

    Args:
        fn: Yours: called with an iterator of 1-d tensors, returns one number

    Returns:
        Passed, or a sentence that says what is wrong
    """

def same_stream(fn, chunks, case)->None:
    """One stream, with what known mistakes would have returned"""

def keeps_little(fn, n, size)->None:
    """A longer stream, and how much of it an answer keeps"""

@solves('running_logsumexp')
def running_logsumexp(chunks): ...

@check
def check_smooth_targets(fn:Callable)->Report:
    """The table of probabilities that stands for `label_smoothing`

    Args:
        fn: Yours: fn(target, k, eps) returns a (b, k) table of probabilities

    Returns:
        Passed, or a sentence that says what is wrong
    """

@solves('smooth_targets')
def smooth_targets(target, k, eps): ...

@check
def check_grad(fn:Callable)->Report:
    """The gradient of the mean cross-entropy: that of autograd, and without it

    Args:
        fn: Yours: fn(input, target, weight, ignore_index), shape of `input`

    Returns:
        Passed, or a sentence that says what is wrong
    """

def same_grad(fn, x, target, weight, ignored, case)->None:
    """One gradient, with what known mistakes would have returned"""

@solves('grad')
def grad(input, target, weight, ignore_index): ...

@check
def check_split_loss(fn:Callable)->Report:
    """The loss of a batch in pieces: that of the whole, without joining the scores

    Args:
        fn: Yours: fn(inputs, targets), two lists of tensors, returns one number

    Returns:
        Passed, or a sentence that says what is wrong
    """

def same_split(fn, inputs, targets, case)->None:
    """One batch in pieces: value and gradient"""

@solves('split_loss')
def split_loss(inputs, targets): ...

@check
def check_alarm_weight(answer:float)->Report:
    """The first doubled `pos_weight` with which most alarms are false

    Args:
        answer: The weight that you read off

    Returns:
        Passed, or a sentence that says what is wrong
    """

@check
def check_enough_smoothing(answer)->Report:
    """The smoothing that asks for nine in ten

    Args:
        answer: Yours: the eps for which the loss is lowest at a probability of
            0.90

    Returns:
        Passed, or a sentence that says what is wrong
    """

@check
def check_yes_weight(fn:Callable)->Report:
    """The `pos_weight` with which yes and no weigh the same in each class

    Args:
        fn: Yours: called with float targets (b, k), returns (k,) weights

    Returns:
        Passed, or a sentence that says what is wrong
    """

def weights_of(fn, t, b, k)->None:
    """The weights for one table, with what known mistakes would have returned"""

@solves('yes_weight')
def yes_weight(target): ...

@check
def check_log_sigmoid(fn:Callable)->Report:
    """The log of the sigmoid without a sigmoid: value and gradient, at 0 and far
    from it

    Args:
        fn: Yours: called with a tensor of logits of any shape

    Returns:
        Passed, or a sentence that says what is wrong
    """

SIGMOIDS = {'sigmoid', 'sigmoid_', 'log_sigmoid', 'logsigmoid', 'special_expit', 'softplus', 'silu', 'binary_cross_entropy', 'binary_cross_entropy_with_logits'}

OURS = {'binary_cross_entropy', 'binary_cross_entropy_with_logits', '_neg_log_sigmoid'}

def callers():
    """Names of the functions that are running"""

def log_sigmoid_of(fn, z, case)->None:
    """Logits of one shape: value and gradient"""

@solves('log_sigmoid')
def log_sigmoid(z): ...
