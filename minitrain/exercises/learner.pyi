"""Checks and solutions of the lessons on the Learner, metrics, callbacks and
schedules.
"""
# Made by tools/make_stubs.py: do not edit
from collections.abc import Callable
from minitrain.exercises.start import Report, check, reads, solves
from minitrain.learner import Callback
from torch import nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from typing import Any

__all__ = ['check_stop_after', 'check_best_weights', 'check_stage',
           'check_largest_order', 'check_quiet_mean', 'check_averaging_decay',
           'check_enough_tries', 'check_r2', 'check_bumps', 'check_json_log',
           'check_moving_average', 'check_clip_norm', 'check_target',
           'check_answered_alone', 'check_log_mean_of_views', 'check_wsd',
           'check_restarts', 'check_suggest', 'check_kept_signal', 'check_cliff',
           'check_dead_units', 'check_call_order', 'check_conv_macs',
           'check_overflow_factor', 'check_smallest_batch', 'check_rms_norm',
           'check_gain', 'check_block_share', 'check_quiet', 'check_fold',
           'check_rotation', 'check_turned_too_far', 'check_cutmix',
           'check_digits_needed', 'check_enough_seeds', 'check_text', 'check_newest',
           'check_told', 'check_save_minutes', 'check_shares', 'check_weigh',
           'check_harmless', 'check_gradient_in_place', 'check_vanish_at']

class Script:
    """A loader with batches of its own for each epoch: pairs (length, loss)"""
    epochs: Any
    at: Any
    def __init__(self, *epochs)->None: ...
    def __len__(self): ...
    def __iter__(self): ...

class Counted(nn.Module):
    """One weight, and a buffer that counts the batches of training"""
    weight: Any
    seen: Any
    def __init__(self)->None: ...
    def forward(self, x): ...

def follow(train, valid=None, cbs=()):
    """A Learner whose loss is the mean of the targets and whose gradient is always
    -1
    """

def fit_of(learn, *args, case, hint='', ends=None, **kwargs)->None:
    """Fit with an answer; what it raises becomes a sentence, but for what is to end
    it
    """

class Ends(Callback):
    """Raises an exception once, at an event"""
    at: Any
    error: Any
    def __init__(self, event, epoch, training, batch, error, order)->None: ...
    def end(self, learn)->None: ...

@check
def check_stop_after(cls:Callable)->Report:
    """A fit ends after so many updates, however many batches there were

    Args:
        cls: Yours: called with the number of updates, returns a callback

    Returns:
        Passed, or a sentence that says what is wrong
    """

def named(cb): ...

@solves('stop_after')
class StopAfter(Callback):
    n: Any
    done: Any
    def __init__(self, n)->None: ...
    def before_fit(self, learn)->None: ...
    def after_step(self, learn)->None: ...

def best_run(cls, case, losses, script=None, ends=None, hint='', **kwargs):
    """The model after a fit with a new callback: its weight is the number of an
    epoch
    """

@check
def check_best_weights(cls:Callable)->Report:
    """After the fit the model has the weights of its best validation, whatever ended
    it

    Args:
        cls: Yours: called without arguments, returns a callback

    Returns:
        Passed, or a sentence that says what is wrong
    """

def best_ends(cls, one, two, ctrl_c)->None:
    """The part of `check_best_weights` about fits that end in other ways, or come
    again
    """

@solves('best_weights')
class BestWeights(Callback):
    lowest: Any
    kept: Any
    total: Any
    n: Any
    def before_fit(self, learn)->None: ...
    def before_epoch(self, learn)->None: ...
    def after_loss(self, learn)->None: ...
    def after_epoch(self, learn)->None: ...
    def cleanup_fit(self, learn)->None: ...

class Cue:
    """A callback that writes down what is called, and fails where it is told to"""
    name: Any
    log: Any
    raised: Any
    fails: Any
    def __init__(self, name, log, raised, fails)->None: ...
    def play(self, event): ...
    def before(self)->None: ...
    def after(self)->None: ...
    def cleanup(self)->None: ...

def stage_case(fn, names, fails, runs)->None:
    """One run of an answer with callbacks of these names; `runs` is what must be
    called
    """

def judge_stage(case, log, raised, came, runs, names)->None:
    """Say what is wrong with one run"""

@check
def check_stage(fn:Callable)->Report:
    """Before, body, after; and whatever happens, the cleanup of those who have begun

    Args:
        fn: Yours: called with a list of callbacks and a function for the body

    Returns:
        Passed, or a sentence that says what is wrong
    """

@solves('stage')
def stage(cbs, body)->None: ...

@check
def check_largest_order(answer:int)->Report:
    """The last place at which a callback still comes before another one

    Args:
        answer: Yours: an order

    Returns:
        Passed, or a sentence that says what is wrong
    """

class Dispatched(TorchDispatchMode):
    """Notes kernels that bring a number to Python, or wait for one"""
    waits = ('_local_scalar_dense', 'equal', 'nonzero', 'masked_select')
    found: Any
    def __init__(self, found)->None: ...
    def __torch_dispatch__(self, func, types, args=(), kwargs=None): ...

class ReadBack(TorchFunctionMode):
    """Notes in `found` what brings numbers from the device to Python"""
    reads = ('tolist', 'numpy', '__array__', 'cpu', 'item', '__bool__', '__float__', '__int__', '__index__', '__repr__', '__format__')
    found: Any
    inner: Any
    def __init__(self)->None: ...
    def __enter__(self): ...
    def __exit__(self, *args)->None: ...
    def __torch_function__(self, func, types, args=(), kwargs=None): ...

def method(m, name, case):
    """A method of an answer, or a sentence"""

def keeps_no_graph(m)->None:
    """Values with a graph go in; nothing of the graph is left when they are gone"""

@check
def check_quiet_mean(cls:Callable)->Report:
    """A weighted mean that reads nothing back and keeps no graph before `compute`

    Args:
        cls: Yours: called without arguments; has `reset`, `update` and `compute`

    Returns:
        Passed, or a sentence that says what is wrong
    """

@solves('quiet_mean')
class QuietMean:
    total: Any
    n: Any
    def reset(self)->None: ...
    def update(self, value, n)->None: ...
    def compute(self): ...

@check
def check_averaging_decay(answer:float)->Report:
    """With which decay an average of 200 updates is best

    Args:
        answer: Yours: a decay

    Returns:
        Passed, or a sentence that says what is wrong
    """

@check
def check_enough_tries(answer:int)->Report:
    """The smallest k with a top-k accuracy of 95 %

    Args:
        answer: Yours: a number of tries

    Returns:
        Passed, or a sentence that says what is wrong
    """

def held(o):
    """How many numbers an object keeps, in tensors, containers and attributes"""

def regression(seed, *sizes, shift=0.0):
    """Batches of predictions and targets, and what R2 is of all of them"""

@check
def check_r2(cls:Callable)->Report:
    """R2 of all predictions, from sums that do not grow

    Args:
        cls: Yours: called without arguments; has `reset`, `update` and `compute`

    Returns:
        Passed, or a sentence that says what is wrong
    """

@solves('r2')
class R2:
    sums: Any
    def reset(self)->None: ...
    def update(self, preds, target)->None: ...
    def compute(self): ...

@check
def check_bumps(answer:float)->Report:
    """The first learning rate with which a batch does worse than guessing

    Args:
        answer: Yours: a learning rate

    Returns:
        Passed, or a sentence that says what is wrong
    """

def lines_of(path, case):
    """The objects of a file with one JSON object on each line"""

class Odd:
    """A metric with a number, one that is none, and a table"""
    def reset(self)->None: ...
    def update(self, *args)->None: ...
    def compute(self): ...

@check
def check_json_log(cls:Callable)->Report:
    """A line of JSON for each row of MetricsCB, in the file as soon as the row is
    there

    Args:
        cls: Yours: called with a path, returns a callback

    Returns:
        Passed, or a sentence that says what is wrong
    """

@solves('json_log')
class JSONLog(Callback):
    order = 1
    path: Any
    n: Any
    def __init__(self, path)->None: ...
    def before_fit(self, learn)->None: ...
    def cleanup_epoch(self, learn)->None: ...

def averages(values, decay, keep=None, add=None, start=None, cut=float):
    """Moving averages, right or with another rule"""

def average_traps(values, decay):
    """What typical mistakes return"""

@check
def check_moving_average(fn:Callable)->Report:
    """The exponential moving average after each value

    Args:
        fn: Yours: called with a list of numbers and a decay from 0 to below 1

    Returns:
        Passed, or a sentence that says what is wrong
    """

@solves('moving_average')
def moving_average(values, decay): ...

@check
def check_clip_norm(fn:Callable)->Report:
    """All gradients as one vector get at most that norm, in place; the norm from
    before

    Args:
        fn: Yours: called with parameters and the largest norm, returns a norm

    Returns:
        Passed, or a sentence that says what is wrong
    """

@solves('clip_norm')
def clip_norm(params, max_norm): ...

class ValidBatches(Callback):
    """Counts the batches of validation that came to their end, and epochs of both
    kinds
    """
    order = -1000
    done: Any
    begun: Any
    def before_fit(self, learn)->None: ...
    def before_epoch(self, learn)->None: ...
    def after_batch(self, learn)->None: ...

class TargetRun:
    """Fits with a callback and a MetricsCB, whose losses follow a script"""
    batches: Any
    learn: Any
    metrics: Any
    first: Any
    def __init__(self, losses, train=None, first=False)->None: ...
    def fit(self, cb, case, n_epochs, hint='', **kwargs):
        """The number of epochs that were trained"""

@check
def check_target(cls:Callable)->Report:
    """A fit ends after the first validation whose mean loss is low enough

    Args:
        cls: Yours: called with the loss to reach, returns a callback

    Returns:
        Passed, or a sentence that says what is wrong
    """

@solves('target')
class TargetCB(Callback):
    order = 100
    loss: Any
    def __init__(self, loss)->None: ...
    def after_epoch(self, learn)->None: ...

@check
def check_answered_alone(answer:float)->Report:
    """The largest share of digits that can be answered with 98 of 100 right

    Args:
        answer: Yours: a share, from 0 to 1

    Returns:
        Passed, or a sentence that says what is wrong
    """

def mean_of_views(z):
    """The log of the mean probability, in float64"""

def views_traps(z):
    """What typical mistakes return"""

@check
def check_log_mean_of_views(fn:Callable)->Report:
    """The logarithm of the mean probability over views

    Args:
        fn: Yours: called with logits (views, b, k)

    Returns:
        Passed, or a sentence that says what is wrong
    """

@solves('log_mean_of_views')
def log_mean_of_views(logits): ...

def as_number(o, case):
    """A number out of an answer"""

def half(pos): ...

def wsd_factor(step, total, warmup, decay): ...

def wsd_traps(step, total, warmup, decay):
    """What typical mistakes return"""

@check
def check_wsd(fn:Callable)->Report:
    """A factor that rises, stays 1 and falls in a straight line

    Args:
        fn: Yours: called with step, total, warmup and decay, returns a factor

    Returns:
        Passed, or a sentence that says what is wrong
    """

@solves('wsd')
def wsd(step, total, warmup, decay): ...

def in_cycle(step, lengths):
    """How far a step is in its cycle, how long that is, and its number"""

def restarts_traps(step, first, mult):
    """What typical mistakes return"""

@check
def check_restarts(fn:Callable)->Report:
    """A cosine that begins anew, each time for longer: CosineAnnealingWarmRestarts

    Args:
        fn: Yours: called with step, first and mult, returns a factor

    Returns:
        Passed, or a sentence that says what is wrong
    """

@solves('restarts')
def restarts(step, first, mult): ...

def falls():
    """Curves of a range test: a name, the losses down to the lowest, the steepest
    place
    """

def lowest_of(lrs, losses):
    """Where typical mistakes end up; the steepest fall is elsewhere"""

def which_rate(fn, lrs, losses, case, hint=''):
    """The number of the learning rate that an answer returns"""

@check
def check_suggest(fn:Callable)->Report:
    """The place where the loss of a range test falls fastest

    Args:
        fn: Yours: called with lists of learning rates and losses, returns a rate

    Returns:
        Passed, or a sentence that says what is wrong
    """

@solves('suggest')
def suggest(lrs, losses): ...

@check
def check_kept_signal(answer:float)->Report:
    """The factor at which activations vary as much after the last ReLU as after the
    first

    Args:
        answer: Yours: a number

    Returns:
        Passed, or a sentence that says what is wrong
    """

@check
def check_cliff(answer:float)->Report:
    """The lowest peak at which one cycle with Adam fails

    Args:
        answer: Yours: a peak

    Returns:
        Passed, or a sentence that says what is wrong
    """

@check
def check_dead_units(fn:Callable)->Report:
    """The share of channels that are 0 for every sample and at every place

    Args:
        fn: Yours: called with the output of a ReLU, channels along axis 1

    Returns:
        Passed, or a sentence that says what is wrong
    """

@solves('dead_units')
def dead_units(act): ...

@check
def check_call_order(fn:Callable)->Report:
    """The names of modules in the order in which they run, and no hook left behind

    Args:
        fn: Yours: called with a model and a batch

    Returns:
        Passed, or a sentence that says what is wrong
    """

@solves('call_order')
def call_order(model, xb): ...

@check
def check_conv_macs(fn:Callable)->Report:
    """Multiply-adds of a convolution for one image

    Args:
        fn: Yours: called with an nn.Conv2d, height and width

    Returns:
        Passed, or a sentence that says what is wrong
    """

@solves('conv_macs')
def conv_macs(conv, hgt, wid): ...

@check
def check_overflow_factor(answer:float)->Report:
    """The smallest factor of the weights at which module `4` is the first to
    overflow

    Args:
        answer: Yours: a number

    Returns:
        Passed, or a sentence that says what is wrong
    """

@check
def check_smallest_batch(answer:int)->Report:
    """From which batch size on BatchNorm does better than nothing

    Args:
        answer: Yours: a batch size

    Returns:
        Passed, or a sentence that says what is wrong
    """

@check
def check_rms_norm(fn:Callable)->Report:
    """Each sample over the root of its mean square

    Args:
        fn: Yours: called with x (..., d), weight (d,), and perhaps eps

    Returns:
        Passed, or a sentence that says what is wrong
    """

@solves('rms_norm')
def rms_norm(x, weight, eps=1e-06): ...

@check
def check_gain(fn:Callable)->Report:
    """The factor that keeps the mean square of a signal through an activation

    Args:
        fn: Yours: called with an activation, a function of a tensor

    Returns:
        Passed, or a sentence that says what is wrong
    """

@solves('gain')
def gain(f): ...

@check
def check_block_share(answer:float)->Report:
    """How much of a block a deep residual network begins with

    Args:
        answer: Yours: a share, from 0 to 1

    Returns:
        Passed, or a sentence that says what is wrong
    """

@check
def check_quiet(fn:Callable)->Report:
    """A residual block that begins as its shortcut and can learn

    Args:
        fn: Yours: called with a `ResBlock`, changed in place

    Returns:
        Passed, or a sentence that says what is wrong
    """

@solves('quiet')
def quiet(block)->None: ...

@check
def check_fold(fn:Callable)->Report:
    """A BatchNorm folded into the convolution before it

    Args:
        fn: Yours: called with an nn.Conv2d and the nn.BatchNorm2d after it

    Returns:
        Passed, or a sentence that says what is wrong
    """

@solves('fold')
def fold(conv, bn): ...

@check
def check_rotation(fn:Callable)->Report:
    """A rotation for images of any shape, by its matrix and by where four pixels go

    Args:
        fn: Yours: called with an angle in degrees, height and width

    Returns:
        Passed, or a sentence that says what is wrong
    """

@solves('rotation')
def rotation(degrees, hgt, wid): ...

@check
def check_turned_too_far(answer:float)->Report:
    """How far digits may be turned that a network has met turned a little

    Args:
        answer: Yours: degrees

    Returns:
        Passed, or a sentence that says what is wrong
    """

@check
def check_cutmix(fn:Callable)->Report:
    """A patch of a partner in each image, and targets mixed by the share of its
    pixels

    Args:
        fn: Yours: called with images (b, hgt, wid), class numbers (b,) and lambda

    Returns:
        Passed, or a sentence that says what is wrong
    """

@solves('cutmix')
def cutmix(x, y, lam): ...

@check
def check_digits_needed(fn:Callable)->Report:
    """The size of two test sets that tells two error rates apart

    Args:
        fn: Yours: called with a rate, a difference, a number of deviations

    Returns:
        Passed, or a sentence that says what is wrong
    """

@solves('digits_needed')
def digits_needed(p, d, z): ...

@check
def check_enough_seeds(answer)->Report:
    """How many seeds show a difference as large as its spread to nine people in ten

    Args:
        answer: Yours: a number of seeds

    Returns:
        Passed, or a sentence that says what is wrong
    """

@check
def check_text(cls:Callable)->Report:
    """A nesting through strict JSON and back, with every type

    Args:
        cls: Yours: a class with the methods dump(x) and load(text)

    Returns:
        Passed, or a sentence that says what is wrong
    """

@solves('text')
class Text:
    """Lists stay lists; what JSON has no word for becomes a dict of its kind and
    parts
    """
    def dump(self, x): ...
    def load(self, text): ...
    def encode(self, x): ...
    def decode(self, x): ...

@check
def check_newest(fn:Callable)->Report:
    """The checkpoint with the highest number among those that can be read

    Args:
        fn: Yours: called with a folder (a Path) and a function that reads a file

    Returns:
        Passed, or a sentence that says what is wrong
    """

@solves('newest')
def newest(folder, read): ...

@check
def check_told(cls:Callable)->Report:
    """A loader that can go on in the middle of an epoch

    Args:
        cls: Yours: called with a list of batches and a seed

    Returns:
        Passed, or a sentence that says what is wrong
    """

@solves('told')
class Told:
    batches: Any
    seed: Any
    epoch: Any
    batch: Any
    def __init__(self, batches, seed)->None: ...
    def __len__(self): ...
    def __iter__(self): ...
    def state_dict(self): ...
    def load_state_dict(self, state)->None: ...

@check
def check_save_minutes(answer)->Report:
    """The interval at which a training that is killed now and then is done soonest

    Args:
        answer: Yours: minutes between two checkpoints

    Returns:
        Passed, or a sentence that says what is wrong
    """

@check
def check_shares(fn:Callable)->Report:
    """Every sample once, and no process with much more than another

    Args:
        fn: Yours: called with a number of samples and of processes

    Returns:
        Passed, or a sentence that says what is wrong
    """

@solves('shares')
def shares(n, world): ...

@check
def check_weigh(fn:Callable)->Report:
    """The plain mean over processes becomes the mean over samples, in value and
    gradient

    Args:
        fn: Yours: called with a loss, its number of samples, all numbers

    Returns:
        Passed, or a sentence that says what is wrong
    """

@solves('weigh')
def weigh(loss, n, counts): ...

@check
def check_harmless(answer:int)->Report:
    """Which processes get equal parts of 10

    Args:
        answer: Yours: a number of processes

    Returns:
        Passed, or a sentence that says what is wrong
    """

@check
def check_gradient_in_place(fn:Callable)->Report:
    """The mean cross-entropy; its gradient lies where the scores were, and no table
    was made

    Args:
        fn: Yours: called with scores (n, k) and labels (n,), returns the loss

    Returns:
        Passed, or a sentence that says what is wrong
    """

@solves('gradient_in_place')
def gradient_in_place(z, y): ...

@check
def check_vanish_at(answer:int)->Report:
    """From how many rows on most of a float16 gradient is 0

    Args:
        answer: Yours: a power of two

    Returns:
        Passed, or a sentence that says what is wrong
    """
