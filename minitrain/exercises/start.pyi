"""One helper that turns whatever an answer does into a sentence, and the exercises
of part 0.
"""
# Made by tools/make_stubs.py: do not edit
import torch
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

__all__ = ['Report', 'Wrong', 'wrong', 'check', 'ask', 'same', 'holds', 'gradient',
           'reading', 'choice', 'solves', 'reads', 'Source', 'solution',
           'check_epochs_of_one_step', 'check_unused_pixels', 'check_count_tensors',
           'check_temp_seed', 'check_save']

@dataclass(repr=False)
class Report:
    """What a check says of an answer; Jupyter shows the text

    Args:
        passed: Whether every case came out right
        text: "Passed.", or the case, what came back, what was expected, and a
            hint
    """
    passed: bool
    text: str
    def __repr__(self): ...

class Wrong(Exception):
    """What is wrong with an answer, as a sentence; a check raises it, and the reader
    sees a `Report`
    """

def wrong(case:str, found:str, hint:str=''):
    """Raise the sentence that the reader will see

    Args:
        case: What was asked: "rows of unequal length"
        found: What the answer did: "returned a tensor of shape (3,)"
        hint: A question that leads to the cause
    """

def is_stub(answer):
    """Whether an answer is still the empty cell: nothing, a body that does nothing,
    a class whose methods all do nothing
    """

def check(body:Callable)->Callable:
    """Make a check of a function: no answer, however wrong, ends in a traceback, and
    no generator is left elsewhere

    Args:
        body: Takes the answer, asks it, and raises `Wrong` where it is wrong

    Returns:
        The check: answer -> `Report`
    """

def generator_states(): ...

def set_generator_states(states)->None:
    """Put Python's, NumPy's and torch's global generators back"""

def first_line(e): ...

def ask(
    answer:Callable,
    *args,
    case:str,
    hint:str='',
    keep:bool=True,
    returns:bool=True,
    **kwargs,
)->Any:
    """Call an answer; whatever goes wrong becomes a sentence

    Args:
        answer: The reader's function
        *args: What it is called with
        case: What is asked, in words
        hint: A question for whoever raises or forgets a `return` here
        keep: Whether the arguments and the global generators must be as they were
        returns: Whether None is a missing `return`
        **kwargs: Likewise, by name

    Returns:
        What the answer returned
    """

def snapshot(o):
    """A copy of tensors and arrays, also inside lists, tuples and dicts; anything
    else as it is
    """

def same_bits(a, b):
    """Whether two snapshots are equal, nan included"""

def flat_states(states): ...

def where(e, answer):
    """The line of the reader's own code at which an exception arose"""

def same(
    got,
    want,
    case:str,
    hint:str='',
    traps:dict={},
    rtol:float=0.0001,
    atol:float=1e-06,
)->torch.Tensor:
    """Require that an answer is close to what was expected, and name the mistake
    where it is a known one

    Args:
        got: What the answer returned: a tensor, an array, a number or nested
            lists of numbers
        want: What was expected: the same
        case: What was asked, in words
        hint: A question for any other mistake
        traps: Hint -> what that mistake returns (a value, or a function without
            arguments that gives it)
        rtol: Largest relative difference
        atol: Largest absolute difference

    Returns:
        The answer as a float64 tensor without gradient
    """

def as_double(o, case=None):
    """A number, a nested list, an array or a tensor as a float64 tensor; a sentence
    where that is impossible
    """

def show(o):
    """A value in a few characters: small tensors with their numbers, larger ones
    with their shape
    """

def holds(law:bool, case:str, found:str, hint:str='')->None:
    """Require that a law holds

    Args:
        law: Whether it holds
        case: What was asked, in words
        found: What the answer did instead: "the rows add up to 0.9, not to 1"
        hint: A question that leads to the cause
    """

def gradient(
    got,
    x:torch.Tensor,
    case:str,
    hint:str='',
    weight:torch.Tensor | None=None,
)->torch.Tensor:
    """The gradient of an answer with respect to its input

    Args:
        got: What the answer returned: a tensor that should depend on `x`
        x: Any shape, requires grad
        case: What was asked, in words
        hint: A question for an answer that is cut off from `x`
        weight: The gradient that arrives at `got` from above; None means ones

    Returns:
        Gradient with respect to `x`, of its shape
    """

def reading(
    answer,
    low:float,
    high:float,
    case:str,
    below:str='',
    above:str='',
)->float:
    """Require a number in a range

    Args:
        answer: What the reader wrote down
        low: Smallest right number
        high: Largest right number
        case: What was to be read off: "the largest rate that still trains"
        below: A question for a number that is too small
        above: A question for a number that is too large

    Returns:
        The number
    """

def choice(answer, right:str, hints:dict, case:str)->None:
    """Require one word of a few

    Args:
        answer: What the reader wrote down
        right: The right word
        hints: Word -> a question for whoever chose it; with `right`, all the
            words
        case: What was to be chosen: "what grows first"
    """

def source_of(o):
    """As `inspect.getsource`, which does not find a class while its notebook runs"""

def solves(name:str)->Callable:
    """Enter a function or a class as the solution of an exercise

    Args:
        name: Of the exercise: "logmeanexp" for `check_logmeanexp`

    Returns:
        A decorator that keeps the function or class as the solution
    """

def reads(name:str, text:str)->None:
    """Enter what is to be read off as the solution of an exercise

    Args:
        name: Of the exercise
        text: A line `answer = value`, with a comment that says why
    """

class Source(str):
    """Code that Jupyter shows as code"""
    def __repr__(self): ...

def solution(name:str)->Source:
    """One way to write an exercise

    Args:
        name: Of the exercise: "logmeanexp" for `check_logmeanexp`

    Returns:
        Its code
    """

@check
def check_epochs_of_one_step(answer:float)->Report:
    """After how many epochs of one step each nine in ten are right

    Args:
        answer: Yours: epochs

    Returns:
        Passed, or a sentence that says what is wrong
    """

@check
def check_unused_pixels(fn:Callable)->Report:
    """Which pixels are black in every picture

    Args:
        fn: Yours: called with pictures (n, d), returns a mask (d,)

    Returns:
        Passed, or a sentence that says what is wrong
    """

@solves('unused_pixels')
def unused_pixels(x): ...

@check
def check_count_tensors(fn:Callable)->Report:
    """How many tensors are in a nested batch, at every depth

    Args:
        fn: Yours: called with a nested batch, returns an int

    Returns:
        Passed, or a sentence that says what is wrong
    """

@solves('count_tensors')
def count_tensors(x): ...

@check
def check_temp_seed(fn:Callable)->Report:
    """Torch draws from a seed inside a block, and afterwards as if it had never been

    Args:
        fn: Yours: called with a seed, returns a context manager

    Returns:
        Passed, or a sentence that says what is wrong
    """

def draws(seed, skip=0):
    """Three numbers from a seed, after some others"""

def manages(manager, case):
    """What `with` can enter, or a sentence"""

def in_block(fn, seed, case, body, error=()):
    """What `body` returns inside the block; an error of the manager becomes a
    sentence
    """

def after_hint(start, seed, state):
    """A question about a generator that was not put back"""

@solves('temp_seed')
@contextmanager
def temp_seed(seed)->Iterator[Any]: ...

@check
def check_save(fn:Callable)->Report:
    """A file is written whole or not at all, whatever is raised while its text comes

    Args:
        fn: Yours: called with a path and an iterator of strings

    Returns:
        Passed, or a sentence that says what is wrong
    """

OTHERS = ('a.txt.tmp', 'a.tmp', 'a.txt~', 'a.bak', 'tmp', 'temp', 'temp.txt', 'b.txt')

def text_of(path): ...

def saves(fn, old, new, error, case)->None:
    """Save once, in a folder with other files, and look at it meanwhile and after"""

def save_once(fn, path, chunks, error, case)->None:
    """Call an answer; the exception of the chunks must come out, and no other"""

@contextmanager
def watched(path, case)->Iterator[Any]:
    """What the files hold that take the place of `path`; it may not be moved or
    removed
    """

@solves('save')
def save(path, chunks)->None: ...
