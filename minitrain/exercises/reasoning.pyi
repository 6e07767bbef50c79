"""Masks, caches and blocks of keys, problems and their ceilings, and probabilities
held to account.
"""
# Made by tools/make_stubs.py: do not edit
from collections.abc import Callable
from minitrain.exercises.start import Report, check, solves

__all__ = ['check_packed_mask', 'check_attend_next', 'check_streamed_attention',
           'check_firm', 'check_enough_examples', 'check_anneal', 'check_error_rate',
           'check_with_bias', 'check_split', 'check_seen', 'check_pack_mask',
           'check_lost_in_noise', 'check_mirror', 'check_best_temperature']

@check
def check_packed_mask(fn:Callable)->Report:
    """Several queries behind one context, none of which sees another

    Args:
        fn: Yours: called with two whole numbers, gives a bool mask of their sum

    Returns:
        Passed, or a sentence that says what is wrong
    """

@solves('packed_mask')
def packed_mask(context, queries): ...

@check
def check_attend_next(fn:Callable)->Report:
    """Attention with a cache: the same output, and no old token is projected again

    Args:
        fn: Yours: called with a layer, a token (b, 1, dim) and a cache

    Returns:
        Passed, or a sentence that says what is wrong
    """

@solves('attend_next')
def attend_next(layer, x, cache=None): ...

@check
def check_streamed_attention(fn:Callable)->Report:
    """Attention over blocks of keys: right at any size, finite, without the matrix

    Args:
        fn: Yours: called with queries, keys, values and the size of a block

    Returns:
        Passed, or a sentence that says what is wrong
    """

@solves('streamed_attention')
def streamed_attention(q, k, v, size): ...

@check
def check_firm(answer:int)->Report:
    """The smallest factor with which attention outvotes all wrong numbers

    Args:
        answer: Yours: a factor of the query

    Returns:
        Passed, or a sentence that says what is wrong
    """

@check
def check_enough_examples(answer:int)->Report:
    """How many examples Hebb's rule wants in 32 dimensions

    Args:
        answer: Yours: a number of examples

    Returns:
        Passed, or a sentence that says what is wrong
    """

@check
def check_anneal(fn:Callable)->Report:
    """A number that comes down in stairs to its end, a function of the step alone

    Args:
        fn: Yours: called with step, start, end, dec, interval, gives a number

    Returns:
        Passed, or a sentence that says what is wrong
    """

@solves('anneal')
def anneal(step, start, end, dec, interval): ...

@check
def check_error_rate(fn:Callable)->Report:
    """The true weights' error rate where alpha is large

    Args:
        fn: Yours: called with n_dims and alpha, gives the share of wrong guesses

    Returns:
        Passed, or a sentence that says what is wrong
    """

@solves('error_rate')
def error_rate(d, alpha): ...

@check
def check_with_bias(fn:Callable)->Report:
    """Problems with an intercept: a function of (seed, step), all draws independent

    Args:
        fn: Yours: called with seed, step, b, n, d, gives xs and ys

    Returns:
        Passed, or a sentence that says what is wrong
    """

@solves('with_bias')
def with_bias(seed, step, b, n, d): ...

@check
def check_split(fn:Callable)->Report:
    """Examples out of a sequence of pair tokens

    Args:
        fn: Yours: called with a sequence (b, 2n, d + 1)

    Returns:
        Passed, or a sentence that says what is wrong
    """

@solves('split')
def split(sequence): ...

@check
def check_seen(fn:Callable)->Report:
    """On how many labels each output depends

    Args:
        fn: Yours: called with a model, xs (b, n, d) and ys (b, n)

    Returns:
        Passed, or a sentence that says what is wrong
    """

@solves('seen')
def seen(model, xs, ys): ...

@check
def check_pack_mask(fn:Callable)->Report:
    """A mask for several contexts in one sequence

    Args:
        fn: Yours: called with a list of numbers of tokens, gives bool (n, n)

    Returns:
        Passed, or a sentence that says what is wrong
    """

@solves('pack_mask')
def pack_mask(lengths): ...

@check
def check_lost_in_noise(answer:int)->Report:
    """The columns of noise with which the head is right less than four times in five

    Args:
        answer: Yours: a number of columns

    Returns:
        Passed, or a sentence that says what is wrong
    """

@check
def check_mirror(fn:Callable)->Report:
    """An answer that does not depend on which class is called 1

    Args:
        fn: Yours: called with a function (xs, ys, queries) -> log odds

    Returns:
        Passed, or a sentence that says what is wrong
    """

@solves('mirror')
def mirror(ask): ...

@check
def check_best_temperature(fn:Callable)->Report:
    """The temperature of least cross-entropy

    Args:
        fn: Yours: called with log odds (n,) and labels (n,), gives a number

    Returns:
        Passed, or a sentence that says what is wrong
    """

@solves('best_temperature')
def best_temperature(z, y): ...
