"""Checks and solutions of lessons 04 to 08: backpropagation, the loop, data,
optimizers, many labels.
"""
# Made by tools/make_stubs.py: do not edit
from collections.abc import Callable
from minitrain.exercises.start import Report, check, solves

__all__ = ['check_tanh', 'check_rows', 'check_vanishing', 'check_first_rate',
           'check_epoch_mean', 'check_step_in_parts', 'check_epoch_batches',
           'check_pad_collate', 'check_balanced', 'check_buffer_size',
           'check_best_momentum', 'check_rmsprop', 'check_lion', 'check_exact_match',
           'check_best_thresholds', 'check_threshold_of_3']

@check
def check_tanh(fn:Callable)->Report:
    """The hyperbolic tangent on the tape of lesson 04: value and gradient

    Args:
        fn: Yours: called with a Value, returns a Value

    Returns:
        Passed, or a sentence that says what is wrong
    """

@solves('tanh')
def tanh(v): ...

@check
def check_rows(fn:Callable)->Report:
    """Rows of a table on the tape of lesson 04, some of them twice: value and
    gradient

    Args:
        fn: Yours: called with a Value (n, d) and row numbers (b,), returns a
            Value

    Returns:
        Passed, or a sentence that says what is wrong
    """

@solves('rows')
def rows(v, index): ...

@check
def check_vanishing(answer:int)->Report:
    """The depth at which a stack of sigmoids keeps less than a thousandth of its
    gradient

    Args:
        answer: Yours: a number of hidden layers

    Returns:
        Passed, or a sentence that says what is wrong
    """

@check
def check_first_rate(rate:float)->Report:
    """The first rate that fails in batches of 5 is far below that in batches of 50

    Args:
        rate: Yours: the first rate at which no seed learns, in batches of 5

    Returns:
        Passed, or a sentence that says what is wrong
    """

@check
def check_epoch_mean(fn:Callable)->Report:
    """The mean over all samples of an epoch, however they were cut into batches

    Args:
        fn: Yours: called with the means of batches and their sizes, two lists

    Returns:
        Passed, or a sentence that says what is wrong
    """

@solves('epoch_mean')
def epoch_mean(means, sizes): ...

@check
def check_step_in_parts(fn:Callable)->Report:
    """The step of a whole batch, taken once, with a part of it in memory at a time

    Args:
        fn: Yours: called with model, xb, yb, loss_func, opt and the largest part

    Returns:
        Passed, or a sentence that says what is wrong
    """

@solves('step_in_parts')
def step_in_parts(model, xb, yb, loss_func, opt, size)->None: ...

@check
def check_epoch_batches(fn:Callable)->Report:
    """Batches of an epoch: whole, shuffled, and a function of seed and epoch

    Args:
        fn: Yours: called with n, bs, seed, epoch; returns batches of indices

    Returns:
        Passed, or a sentence that says what is wrong
    """

@solves('epoch_batches')
def epoch_batches(n, bs, seed, epoch): ...

@check
def check_pad_collate(fn:Callable)->Report:
    """A collate function that pads at the right, as wide as it must and no wider

    Args:
        fn: Yours: called with a list of (tokens, label)

    Returns:
        Passed, or a sentence that says what is wrong
    """

@solves('pad_collate')
def pad_collate(items): ...

@check
def check_balanced(fn:Callable)->Report:
    """Batches in which every class is there equally often, drawn anew for each seed

    Args:
        fn: Yours: called with labels, per_class, seed; returns batches of indices

    Returns:
        Passed, or a sentence that says what is wrong
    """

@solves('balanced')
def balanced(labels, per_class, seed): ...

@check
def check_buffer_size(answer:int)->Report:
    """The smallest of 350, 700, ..., 3500 whose mean share right is above 0.77

    Args:
        answer: Yours: how many items the buffer holds

    Returns:
        Passed, or a sentence that says what is wrong
    """

@check
def check_best_momentum(answer:float)->Report:
    """The momentum with which the ravine is crossed in the fewest steps

    Args:
        answer: Yours: the momentum that needs the fewest steps

    Returns:
        Passed, or a sentence that says what is wrong
    """

@check
def check_rmsprop(fn:Callable)->Report:
    """RMSProp, step for step torch's

    Args:
        fn: Yours: called with w, grad, v, lr, alpha, eps; returns the new w and v

    Returns:
        Passed, or a sentence that says what is wrong
    """

@solves('rmsprop')
def rmsprop(w, grad, v, lr, alpha, eps): ...

@check
def check_lion(fn:Callable)->Report:
    """Lion: a step along the sign of a mean, with decay of the weight itself

    Args:
        fn: Yours: called with w, grad, m, lr, beta1, beta2, weight_decay

    Returns:
        Passed, or a sentence that says what is wrong
    """

@solves('lion')
def lion(w, grad, m, lr, beta1, beta2, weight_decay): ...

@check
def check_exact_match(fn:Callable)->Report:
    """The share of samples of which every label is right

    Args:
        fn: Yours: called with probabilities and targets (b, k), and a threshold

    Returns:
        Passed, or a sentence that says what is wrong
    """

@solves('exact_match')
def exact_match(probs, target, threshold=0.5): ...

@check
def check_best_thresholds(fn:Callable)->Report:
    """The threshold of highest F1 for each label

    Args:
        fn: Yours: called with probabilities (b, k) and targets (b, k)

    Returns:
        Passed, or a sentence that says what is wrong
    """

@solves('best_thresholds')
def best_thresholds(probs, target): ...

@check
def check_threshold_of_3(answer:float)->Report:
    """The highest threshold at which the unweighted network finds half of the threes

    Args:
        answer: What you read off

    Returns:
        Passed, or a sentence that says what is wrong
    """
