"""Checks and solutions of the exercises on vision transformers, gaze and imitation."""
# Made by tools/make_stubs.py: do not edit
import numpy as np
from collections.abc import Callable
from minitrain.exercises.start import Report, check, solves

__all__ = ['check_down_limit', 'check_resize_positions', 'check_rollout',
           'check_spread', 'check_lag', 'check_shuffle_gaze', 'check_held_frames',
           'check_leak', 'check_tempting_size', 'check_paired_interval',
           'check_needs_lamp', 'check_cls_row', 'check_threshold', 'check_shuffled',
           'check_shuffle_patches', 'check_bounce', 'check_copier', 'check_nested',
           'check_keeps', 'check_layer_rates', 'check_fitting']

@check
def check_down_limit(answer:int)->Report:
    """By how many pixels digits are moved until four in ten are lost

    Args:
        answer: Yours: a number of pixels

    Returns:
        Passed, or a sentence that says what is wrong
    """

def resized(pos, old, new, read='h w', write=None, mode='bicubic', corners=False):
    """Positions for another grid, read and written in these orders"""

def rises(value, axis, case, hint)->None:
    """Require of a grid (hgt, wid) that it rises along an axis, and only so"""

@check
def check_resize_positions(fn:Callable)->Report:
    """Position vectors of one grid, interpolated for another

    Args:
        fn: Yours: called with a pos_embed (1, 1+h*w, d) and two grids (h, w)

    Returns:
        Passed, or a sentence that says what is wrong
    """

@solves('resize_positions')
def resize_positions(pos, old, new): ...

@check
def check_rollout(fn:Callable)->Report:
    """Attention rollout: (b, n, n) from the attention weights of all layers

    Args:
        fn: Yours: called with a list of weights (b, h, n, n), first layer first

    Returns:
        Passed, or a sentence that says what is wrong
    """

@solves('rollout')
def rollout(weights): ...

@check
def check_spread(answer:float)->Report:
    """The sigma with which a target is 12 patches wide

    Args:
        answer: Yours: a standard deviation in pixels

    Returns:
        Passed, or a sentence that says what is wrong
    """

def lag_by(
    gaze,
    target,
    most,
    first=0,
    centre=True,
    mean=True,
    axes=(0, 1),
    blinks=None,
    ahead=False,
    wraps=False,
    hold=False,
    greedy=False,
):
    """The lag by the error of each, with or without a mistake"""

def followed(path, k, most, noise=0.0, off=(0.0, 0.0), blink=None):
    """Gaze that follows a target by k frames, and the target, from a longer path"""

@check
def check_lag(fn:Callable)->Report:
    """By how many frames gaze follows a target

    Args:
        fn: Yours: called with gaze (f, 2), target (f, 2) and the largest lag

    Returns:
        Passed, or a sentence that says what is wrong
    """

@solves('lag')
def lag(gaze, target, most): ...

@check
def check_shuffle_gaze(fn:Callable)->Report:
    """The same rows in a random order that the seed decides

    Args:
        fn: Yours: called with shares (f, n) and a seed

    Returns:
        Passed, or a sentence that says what is wrong
    """

@solves('shuffle_gaze')
def shuffle_gaze(shares, seed): ...

@check
def check_held_frames(answer:int)->Report:
    """For how many frames a label must be held before a random split leaks it

    Args:
        answer: Yours: a number of frames

    Returns:
        Passed, or a sentence that says what is wrong
    """

def leaked(train, valid, by=(-1, 1), same_game=True, of='valid', count=False):
    """Share of validation frames with a neighbour in training, or a mistake"""

@check
def check_leak(fn:Callable)->Report:
    """Share of validation frames that have a neighbour in the training set

    Args:
        fn: Yours: called with int tensors (n, 2) of (game, frame): train and
            valid

    Returns:
        Passed, or a sentence that says what is wrong
    """

@solves('leak')
def leak(train, valid): ...

@check
def check_tempting_size(answer:int)->Report:
    """From which size on a copy of the last action is right in 19 of 20 frames

    Args:
        answer: Yours: the side of a frame, in pixels

    Returns:
        Passed, or a sentence that says what is wrong
    """

def three(got, case):
    """A mean and the two ends of an interval, as numbers"""

def same_mean(three, want, case, traps={})->None:
    """Require the first of three numbers to be the mean"""

def nearest(traps, value):
    """Hints and what the mistakes return, the one nearest to a value first"""

def ends(means):
    """The ends of the 95 % interval of samples"""

def asks_seeds(fn, args)->None:
    """Require of an interval that its seed, and nothing else, decides it"""

@check
def check_paired_interval(fn:Callable)->Report:
    """Mean and 95 % bootstrap interval of a difference in the same games

    Args:
        fn: Yours: called with two int tensors (games,), how many samples, a seed

    Returns:
        Passed, or a sentence that says what is wrong
    """

@solves('paired_interval')
def paired_interval(a, b, n, seed): ...

def undecided(
    frames,
    actions,
    part=np.s_[:, :, 4:],
    pictures=False,
    rare=False,
    action=True,
    next_to=False,
    key=lambda o: o.numpy().tobytes(),
):
    """Share of frames whose picture has another action elsewhere, or a mistake"""

def first(frames, actions):
    """What comes out if each frame is held against the first one of its picture"""

@check
def check_needs_lamp(fn:Callable)->Report:
    """Share of the frames whose picture below the lamps has another action elsewhere

    Args:
        fn: Yours: called with frames uint8 (n, 1, hgt, wid) and actions (n,)

    Returns:
        Passed, or a sentence that says what is wrong
    """

@solves('needs_lamp')
def needs_lamp(frames, actions): ...

@check
def check_cls_row(fn:Callable)->Report:
    """The scores of the CLS token from a fused projection, and their gradient

    Args:
        fn: Yours: called with a tensor (b, n+1, 3*h*d) and the number of heads

    Returns:
        Passed, or a sentence that says what is wrong
    """

@solves('cls_row')
def cls_row(qkv, heads): ...

@check
def check_threshold(answer:float)->Report:
    """Up to which threshold the ball stays in sight in 95 of 100 frames

    Args:
        answer: Yours: in even shares of attention

    Returns:
        Passed, or a sentence that says what is wrong
    """

@check
def check_shuffled(fn:Callable)->Report:
    """The same rows in another order, none of them in its own game

    Args:
        fn: Yours: called with shares (n, p), numbers of the games (n,) and a seed

    Returns:
        Passed, or a sentence that says what is wrong
    """

@solves('shuffled')
def shuffled(shares, episodes, seed): ...

@check
def check_shuffle_patches(fn:Callable)->Report:
    """What is seen stays; in each place the others change places, by its own order

    Args:
        fn: Yours: called with patches (b, n, d), bool (b, n) and a seed

    Returns:
        Passed, or a sentence that says what is wrong
    """

@solves('shuffle_patches')
def shuffle_patches(p, seen, seed): ...

class Enough(Exception):
    """The answer has run more lines than it may"""

def lines_run(fn, *args, most=2000):
    """How many lines of Python a call runs, at most `most` and one"""

@check
def check_bounce(fn:Callable)->Report:
    """Where a ball is after some steps between two walls, without a loop

    Args:
        fn: Yours: called with x, u, steps, low and high

    Returns:
        Passed, or a sentence that says what is wrong
    """

@solves('bounce')
def bounce(x, u, steps, low, high): ...

def copied(
    games,
    last=1,
    own=False,
    first=False,
    rule='best',
    mean='steps',
    joined=False,
):
    """How often a rule that sees the actions before is right, or what a mistake
    gives
    """

@check
def check_copier(fn:Callable)->Report:
    """How often the best rule that sees only the action before is right

    Args:
        fn: Yours: called with a list of int tensors (steps,), one for each game

    Returns:
        Passed, or a sentence that says what is wrong
    """

@solves('copier')
def copier(actions): ...

@check
def check_nested(fn:Callable)->Report:
    """Mean and 95 % interval that draws seeds, and then games of each seed drawn

    Args:
        fn: Yours: called with scores (seeds, games), a number of samples, a seed

    Returns:
        Passed, or a sentence that says what is wrong
    """

@solves('nested')
def nested(scores, n, seed): ...

@check
def check_keeps(answer:float)->Report:
    """The largest of five ratios with which the old task is kept

    Args:
        answer: Yours: a ratio

    Returns:
        Passed, or a sentence that says what is wrong
    """

def vit_names(depth, dim=8):
    """Names as a `ViT` with so many blocks has them"""

def layer_steps(names, mistake=''):
    """How often `decay` multiplies the rate of each name, or what a mistake gives"""

@check
def check_layer_rates(fn:Callable)->Report:
    """A learning rate for each name: the head's is whole, each layer below has a
    share

    Args:
        fn: Yours: called with names of a ViT, a rate and a decay, returns a dict

    Returns:
        Passed, or a sentence that says what is wrong
    """

@solves('layer_rates')
def layer_rates(names, lr, decay): ...

@check
def check_fitting(fn:Callable)->Report:
    """Which tensors of a file fit a model, and which of the model's stay as they are

    Args:
        fn: Yours: called with weights and a model, returns a dict and a list

    Returns:
        Passed, or a sentence that says what is wrong
    """

@solves('fitting')
def fitting(weights, model): ...
