"Answers to the exercises of part 3"
import copy
import io
import json
import math
from contextlib import ExitStack

import numpy as np
import torch

from banks import Bank
from banks.learner_15_to_22 import BANK as LATER
from minitrain.learner import (Callback, CancelBatchException, CancelEpochException,
    CancelFitException, CancelStepException)

BANK = {}


# Lesson 09: stop after some updates

class StopInBatch(Callback):
    "Ends the fit when the next batch begins"
    def __init__(self, n): self.n = n
    def before_fit(self, learn): self.left = self.n
    def after_step(self, learn): self.left -= 1
    def before_batch(self, learn):
        if self.left <= 0: raise CancelFitException()


class StopByCleanup:
    "Not a subclass of Callback; counts anew when a fit is over"
    def __init__(self, n): self.n, self.steps = n, []
    def after_step(self, learn): self.steps.append(learn.iter)
    def after_batch(self, learn):
        if len(self.steps) >= self.n: raise CancelFitException("enough")
    def cleanup_fit(self, learn): self.steps = []


class Stop(Callback):
    def __init__(self, n): self.n = n
    def before_fit(self, learn): self.done = 0
    def after_step(self, learn): self.count(learn)
    def count(self, learn):
        self.done += 1
        if self.done == self.n: raise CancelFitException()


class StopCountsBatches(Stop):
    after_step = None
    def after_batch(self, learn): self.count(learn)
class StopCountsTraining(StopCountsBatches):
    def after_batch(self, learn):
        if learn.training: self.count(learn)
class StopBeforeUpdate(Stop):
    after_step = None
    def after_backward(self, learn): self.count(learn)
class StopCountsPutOff(Stop):
    def after_loss(self, learn):
        if learn.training: self.done += 1
    def after_step(self, learn):
        if self.done >= self.n: raise CancelFitException()
class StopOneTooMany(Stop):
    def count(self, learn):
        self.done += 1
        if self.done > self.n: raise CancelFitException()
class StopOnlyOnce(Stop):
    before_fit = None
    def __init__(self, n): self.n, self.done = n, 0
class StopAfterFit(StopOnlyOnce):
    def after_fit(self, learn): self.done = 0
    def count(self, learn):
        self.done += 1
        if self.done >= self.n: raise CancelFitException()
class StopUsesUpItsNumber(Stop):
    def count(self, learn):
        self.n -= 1
        if self.n == 0: raise CancelFitException()
class StopCountsEachEpoch(Stop):
    before_fit = None
    def before_epoch(self, learn): self.done = 0
class StopEpoch(Stop):
    def count(self, learn):
        self.done += 1
        if self.done == self.n: raise CancelEpochException()
class StopEachEpoch(Stop):
    def count(self, learn):
        self.done += 1
        if self.done >= self.n: raise CancelEpochException()
class StopReturns(Stop):
    def count(self, learn):
        self.done += 1
        if self.done == self.n: return CancelFitException()
class StopSkipsBatches(Stop):
    def count(self, learn): self.done += 1
    def before_batch(self, learn):
        if self.done >= self.n: raise CancelBatchException()
class StopByIteration(Stop):
    def count(self, learn):
        self.done += 1
        if self.done == self.n: raise StopIteration
class StopByCtrlC(Stop):
    def count(self, learn):
        self.done += 1
        if self.done == self.n: raise KeyboardInterrupt
class StopByArithmetic(Stop):
    def after_step(self, learn):
        if learn.epoch*len(learn.dls.train) + learn.iter + 1 >= self.n:
            raise CancelFitException()
class StopNeverCounted(Stop):
    def before_fit(self, learn): self.began = learn.epoch
class StopMisspelt(Stop):
    after_step = None
    def after_stepp(self, learn): self.count(learn)
class StopForgetsNumber(Stop):
    def __init__(self): self.n = 3
class StopAtEpochEnd(Stop):
    def count(self, learn): self.done += 1
    def after_epoch(self, learn):
        if self.done >= self.n: raise CancelFitException()


BANK["check_stop_after"] = Bank(
    right=[Stop, StopInBatch, StopByCleanup, lambda n: [Stop(n)]],
    wrong=[(StopCountsBatches, "batches of validation count"),
        (StopCountsTraining, "put off.* counted"),
        (StopCountsPutOff, "put off.* counted"),
        (StopBeforeUpdate, "update been made"), (StopOneTooMany, "one update too many"),
        (StopOnlyOnce, "count begin anew"), (StopAfterFit, "count begin anew"),
        (StopUsesUpItsNumber, "count begin anew"),
        (StopCountsEachEpoch, "go on from one epoch to the next"),
        (StopEpoch, "the fit, or only an epoch"),
        (StopEachEpoch, "the fit, or only the epoch"),
        (StopReturns, "Which exception does"), (StopSkipsBatches, "pass by unused"),
        (StopByIteration, r"ended in StopIteration.*StopByIteration.after_step"),
        (StopByCtrlC, r"ended in KeyboardInterrupt.*StopByCtrlC.after_step"),
        (StopByArithmetic, "put off.* counted"),
        (StopNeverCounted, "AttributeError.*'done'.*StopNeverCounted.after_step"),
        (StopMisspelt, "after_step|Nothing ended"), (StopForgetsNumber, "TypeError"),
        (StopAtEpochEnd, "After which event"), (Stop(3), "TypeError")])


# Lesson 09: the best weights

class Best(Callback):
    start = math.inf
    def before_fit(self, learn): self.best, self.kept = self.start, None
    def before_epoch(self, learn): self.losses, self.ns = [], []
    def after_batch(self, learn):
        self.losses.append(learn.loss.item())
        self.ns.append(len(learn.batch[0]))
    def loss(self): return sum(o*n for o, n in zip(self.losses, self.ns))/sum(self.ns)
    def counts(self, learn): return not learn.training
    def copy(self, learn): return copy.deepcopy(learn.model.state_dict())
    def better(self, loss): return loss < self.best
    def after_epoch(self, learn):
        if self.counts(learn) and self.better(self.loss()):
            self.best, self.kept = self.loss(), self.copy(learn)
    def load(self, learn): learn.model.load_state_dict(self.kept)
    def cleanup_fit(self, learn):
        if self.kept is not None: self.load(learn)


class BestInFile(Callback):
    "Keeps a file in memory, and the loss on the device"
    def before_fit(self, learn): self.best, self.file = None, None
    def before_epoch(self, learn): self.total, self.n = torch.zeros(()), 0
    def after_loss(self, learn):
        if learn.training: return
        self.total = self.total + learn.loss.detach()*len(learn.batch[1])
        self.n += len(learn.batch[1])
    def after_epoch(self, learn):
        if learn.training: return
        mean = self.total/self.n
        if self.best is not None and mean >= self.best: return
        self.best, self.file = mean, io.BytesIO()
        torch.save(learn.model.state_dict(), self.file)
    def cleanup_fit(self, learn):
        if self.file is None: return
        self.file.seek(0)
        learn.model.load_state_dict(torch.load(self.file))


class BestByHand(Best):
    "Copies parameters and buffers one by one, into the same tensors"
    def copy(self, learn): return [o.detach().clone() for o in self.tensors(learn)]
    def tensors(self, learn): return [*learn.model.parameters(), *learn.model.buffers()]
    def load(self, learn):
        with torch.no_grad():
            for o, kept in zip(self.tensors(learn), self.kept): o.copy_(kept)


class BestReferences(Best):
    def copy(self, learn): return learn.model.state_dict()
class BestShallow(Best):
    def copy(self, learn): return dict(learn.model.state_dict())
class BestDetached(Best):
    def copy(self, learn): 
        return {k: o.detach() for k, o in learn.model.state_dict().items()}
class BestNeverLoads(Best):
    def cleanup_fit(self, learn): self.best = math.inf
class BestAfterFit(Best):
    cleanup_fit = None
    def after_fit(self, learn): Best.cleanup_fit(self, learn)
class BestIsLatest(Best):
    def better(self, loss): return loss == self.loss()
class BestForgetsToCompare(Best):
    def after_epoch(self, learn):
        if not learn.training and self.loss() < self.best: self.kept = self.copy(learn)
class BestIsHighest(Best):
    start = -math.inf
    def better(self, loss): return loss > self.best
class BestOfAnyPart(Best):
    def counts(self, learn): return learn.epoch >= 0
class BestOfTraining(Best):
    def counts(self, learn): return learn.training
class BestLastBatch(Best):
    def loss(self): return self.losses[-1]
class BestFirstBatch(Best):
    def loss(self): return self.losses[0]
class BestMeanOfMeans(Best):
    def loss(self): return sum(self.losses)/len(self.losses)
class BestOfSums(Best):
    def loss(self): return sum(self.losses)
class BestNeverAnew(Best):
    before_epoch = None
    def before_fit(self, learn):
        super().before_fit(learn)
        self.losses, self.ns = [], []
    def after_batch(self, learn):
        if not learn.training: super().after_batch(learn)
class BestWithoutBuffers(Best):
    def copy(self, learn): return [o.detach().clone() for o in learn.model.parameters()]
    def load(self, learn):
        for p, o in zip(learn.model.parameters(), self.kept): p.data.copy_(o)
class BestBelowThousand(Best):
    start = 1000.
    def better(self, loss): return loss < self.best
class BestBelowZero(Best):
    start = 0.
    def better(self, loss): return loss < self.best
class BestFirstFit(Best):
    before_fit = None
    def __init__(self): self.best, self.kept = math.inf, None
class BestKeepsOld(Best):
    kept = None
    def before_fit(self, learn): self.best = math.inf
class BestAlwaysLoads(Best):
    def cleanup_fit(self, learn): self.load(learn)
class BestRollsBack(Best):
    def after_epoch(self, learn):
        super().after_epoch(learn)
        if self.kept is not None: self.load(learn)
class BestCutShort(Best):
    after_epoch = None
    def cleanup_epoch(self, learn): Best.after_epoch(self, learn)
class BestInBatch(Best):
    "Compares the mean so far after each batch"
    def after_batch(self, learn):
        super().after_batch(learn)
        Best.after_epoch(self, learn)
    after_epoch = None
class BestOtherModel(Best):
    def copy(self, learn): return copy.deepcopy(learn.model)
    def load(self, learn): learn.model = self.kept
class BestBeforeFit(Best):
    def before_fit(self, learn):
        super().before_fit(learn)
        self.kept = self.copy(learn)
    after_epoch = None
class BestOnlyFirst(Best):
    def better(self, loss): return self.kept is None
class BestByMuch(Best):
    def better(self, loss): return loss < self.best - 0.5
class BestStopsEarly(Best):
    def after_epoch(self, learn):
        super().after_epoch(learn)
        if not learn.training and self.loss() > self.best: raise CancelFitException()
class BestMisspelt(Best):
    def load(self, learn): learn.model.load_statedict(self.kept)


BANK["check_best_weights"] = Bank(
    right=[Best, BestInFile, BestByHand],
    wrong=[(BestReferences, "give copies"), (BestShallow, "give copies"),
        (BestDetached, "give copies"), (BestNeverLoads, "anything loaded back"),
        (BestAfterFit, "Ctrl-C.*Which event always comes"),
        (BestIsLatest, "the latest or the best"),
        (BestForgetsToCompare, "the latest or the best"),
        (BestIsHighest, "Lowest, or highest"), (BestOfAnyPart, "training count too"),
        (BestOfTraining, "training count too"), (BestLastBatch, "or of its last batch"),
        (BestFirstBatch, "of a single batch"), (BestMeanOfMeans, "count the same"),
        (BestOfSums, "count the same"), (BestNeverAnew, "begin anew"),
        (BestWithoutBuffers, "with its buffers"),
        (BestBelowThousand, "search for the lowest"),
        (BestBelowZero, "search for the lowest"),
        (BestFirstFit, "still know at the start of the second"),
        (BestKeepsOld, "still know at the start of the third"),
        (BestAlwaysLoads, "What is there to load back"),
        (BestRollsBack, "still running"),
        (BestCutShort, "cut short"), (BestInBatch, "single batch|cut short"),
        (BestOtherModel, "best loaded into it"), (BestBeforeFit, "of before the fit"),
        (BestOnlyFirst, "or only the first"),
        (BestByMuch, "How much lower"),
        (BestStopsEarly, "end the fit"),
        (BestMisspelt, "AttributeError.*load_statedict")])


# Lesson 09: the stage

def stage_backwards(cbs, body):
    "Cleans up in reverse order"
    begun, errors = [], []
    try:
        for cb in cbs:
            cb.before()
            begun.append(cb)
        body()
        for cb in cbs: cb.after()
    except BaseException as e: errors.append(e)
    while begun:
        try: begun.pop().cleanup()
        except BaseException as e: errors.append(e)
    errors = [e for e in errors if not isinstance(e, CancelFitException)]
    if errors: raise errors[0]


def stage_exit_stack(cbs, body):
    "The same with an ExitStack, whose cleanups never raise"
    errors = []
    def guarded(f):
        try: f()
        except BaseException as e: errors.append(e)
    def run():
        for cb in cbs:
            cb.before()
            stack.callback(guarded, cb.cleanup)
        body()
        for cb in cbs: cb.after()
    with ExitStack() as stack: guarded(run)
    for e in errors:
        if not isinstance(e, CancelFitException): raise e


def stage_recursive(cbs, body):
    "One callback around the rest"
    error = None
    def keep(f):
        nonlocal error
        try: f()
        except CancelFitException: pass
        except BaseException as e: error = error or e
    def around(rest):
        if not rest: return keep(everything)
        rest[0].before()
        try: around(rest[1:])
        except CancelFitException: pass
        except BaseException as e: keep(lambda: throw(e))
        finally: keep(rest[0].cleanup)
    def throw(e): raise e
    def everything():
        body()
        for cb in cbs: cb.after()
    try: around(list(cbs))
    except CancelFitException: pass
    if error is not None: raise error


def stage_of_lesson(cbs, body):
    def call(event): [getattr(cb, event)() for cb in cbs]
    try: call("before"); body(); call("after")
    except CancelFitException: pass
    finally: call("cleanup")


def stage_made(catch=BaseException, catch_cleanup=BaseException,
    forget=CancelFitException, last=False, swallow=False, begun_first=False,
    all_begun=False, twice=False):
    "A stage with one mistake"
    def stage(cbs, body):
        begun, error = list(cbs) if all_begun else [], None
        try:
            for cb in cbs:
                if begun_first: begun.append(cb)
                cb.before()
                if not begun_first and not all_begun: begun.append(cb)
            body()
            for cb in cbs: cb.after()
        except forget: pass
        except catch as e: error = e
        for cb in begun*(1 + twice):
            try: cb.cleanup()
            except forget: pass
            except catch_cleanup as e: error = e if last or error is None else error
        if error is not None and not swallow: raise error
    return stage


def stage_no_cancel(cbs, body):
    begun, error = [], None
    try:
        for cb in cbs: cb.before(); begun.append(cb)
        body()
        for cb in cbs: cb.after()
    except BaseException as e: error = e
    for cb in begun:
        try: cb.cleanup()
        except Exception as e: error = error or e
    if error: raise error


def stage_after_always(cbs, body):
    begun, error = [], None
    def attempt(f):
        nonlocal error
        try: f()
        except CancelFitException: return
        except BaseException as e: error = error or e
        else: return True
    for cb in cbs:
        if not attempt(cb.before): break
        begun.append(cb)
    else:
        attempt(body)
        for cb in cbs:
            if not attempt(cb.after): break
    for cb in begun: attempt(cb.cleanup)
    if error: raise error


def stage_no_guard(cbs, body):
    begun = []
    try:
        for cb in cbs: cb.before(); begun.append(cb)
        body()
        for cb in cbs: cb.after()
    except CancelFitException: pass
    finally:
        for cb in begun: cb.cleanup()


def stage_plain_exit_stack(cbs, body):
    with ExitStack() as stack:
        try:
            for cb in cbs:
                cb.before()
                stack.callback(cb.cleanup)
            body()
            for cb in cbs: cb.after()
        except CancelFitException: pass


def stage_wraps(cbs, body):
    try: stage_backwards(cbs, body)
    except Exception as e: raise RuntimeError("the stage failed") from e


def stage_per_callback(cbs, body):
    for cb in cbs:
        cb.before(); body(); cb.after(); cb.cleanup()


def stage_cleanup_early(cbs, body):
    begun = []
    try:
        for cb in cbs: cb.before(); begun.append(cb)
        body()
    except CancelFitException: return
    finally:
        for cb in begun: cb.cleanup()
    for cb in cbs: cb.after()


def stage_without_body(cbs, body):
    stage_backwards(cbs, lambda: None)


def stage_cleanup_cancel(cbs, body):
    "A cancel in a cleanup comes out"
    begun, error = [], None
    try:
        for cb in cbs: cb.before(); begun.append(cb)
        body()
        for cb in cbs: cb.after()
    except CancelFitException: pass
    except BaseException as e: error = e
    for cb in begun:
        try: cb.cleanup()
        except BaseException as e: error = error or e
    if error: raise error


BANK["check_stage"] = Bank(
    right=[stage_made(), stage_backwards, stage_exit_stack, stage_recursive],
    wrong=[(stage_of_lesson, "Whose `before` has returned"),
        (stage_made(catch=Exception), "KeyboardInterrupt an `Exception`"),
        (stage_made(catch=(Exception, KeyboardInterrupt)), "SystemExit an `Exception`"),
        (stage_made(catch_cleanup=Exception), "KeyboardInterrupt an `Exception`"),
        (stage_no_cancel, "CancelFitException forgotten"),
        (stage_cleanup_cancel, "CancelFitException forgotten"),
        (stage_made(forget=(CancelFitException, CancelEpochException)),
            "Only a CancelFit"),
        (stage_made(forget=Exception), "Only a CancelFit"),
        (stage_made(swallow=True), "Only a CancelFit"),
        (stage_made(last=True), "must not hide it"),
        (stage_made(begun_first=True), "Whose `before` has returned"),
        (stage_made(all_begun=True), "Whose `before` has returned"),
        (stage_made(twice=True), "called twice"),
        (stage_after_always, "skipped when something has failed"),
        (stage_no_guard, "Do the others still run"),
        (stage_plain_exit_stack, "must not hide it"),
        (stage_wraps, "itself come out, or another"),
        (stage_per_callback, "In which order"), (stage_without_body, "In which order"),
        (stage_cleanup_early, "come after everything else"),
        (lambda cbs, body: body(), "In which order"),
        (lambda cbs: [cb.before() for cb in cbs], "TypeError")])


# Lesson 09: before or after

BANK["check_largest_order"] = Bank(
    right=[9, 9.0, torch.tensor(9)],
    wrong=[(10, "first among equals"), (11, "first among equals"),
        (8, "next larger order"), (0, "next larger order"), (-1, "next larger order"),
        ("nine", "no number"), ([8, 9], "no number"), (math.inf, "first among equals")])


# Lesson 10: a mean that does not wait

class Lists:
    "Adds up at the end, with NumPy, what it has kept"
    def __init__(self): self.reset()
    def reset(self): self.values, self.ns = [], []
    def update(self, value, n):
        self.values.append(value.detach().clone())
        self.ns.append(n.clone())
    def compute(self):
        values, ns = np.array(self.values), np.array(self.ns)
        return (values[ns > 0]*ns[ns > 0]).sum()/ns.sum()


class InPlace:
    "Adds in place to tensors in float64, and masks"
    def reset(self): self.sums = torch.zeros(2, dtype=torch.float64)
    def update(self, value, n):
        with torch.no_grad():
            kept = torch.where(n != 0, value.double(), torch.zeros(()).double())
            self.sums += torch.stack([kept*n, n.double()])
    def compute(self):
        total, n = self.sums.tolist()
        return total/n


class Quiet:
    def __init__(self): self.reset()
    def reset(self): self.total, self.n = 0., 0
    def add(self, total, n): self.total, self.n = self.total + total, self.n + n
    def part(self, value, n): return torch.where(n == 0, 0, value.detach()*n)
    def update(self, value, n): self.add(self.part(value, n), n)
    def compute(self): return self.total/self.n


class QuietMasked(Quiet):
    def part(self, value, n): return value.detach().masked_fill(n == 0, 0)*n
class QuietItem(Quiet):
    def part(self, value, n): return value.item()*n.item()
class QuietIf(Quiet):
    def update(self, value, n):
        if n > 0: self.add(value.detach()*n, n)
class QuietFloat(Quiet):
    def part(self, value, n): return super().part(torch.tensor(float(value)), n)
class QuietTolist(Quiet):
    def part(self, value, n): return value.tolist()*n.tolist() if n.tolist() else 0.
class QuietNumpy(Quiet):
    def part(self, value, n):
        value, n = value.detach().numpy(), n.numpy()
        return np.where(n == 0, 0, value*n)
class QuietCpu(Quiet):
    def part(self, value, n): return super().part(value.cpu(), n)
class QuietToCpu(Quiet):
    def part(self, value, n): return super().part(value.to("cpu"), n)
class QuietIndexed(Quiet):
    def part(self, value, n): return (value.detach()*n)[n > 0].sum()
class QuietIsnan(Quiet):
    def part(self, value, n):
        return torch.tensor(0.) if value.isnan() else value.detach()*n
class QuietPrints(Quiet):
    def part(self, value, n):
        print(value, end="\r")
        return super().part(value, n)
class QuietNan(Quiet):
    def part(self, value, n): return value.detach()*n
class QuietNanToNum(Quiet):
    def part(self, value, n): return value.detach().nan_to_num()*n
class QuietNanToNumAfter(Quiet):
    def part(self, value, n): return (value.detach()*n).nan_to_num()
class QuietIsFinite(Quiet):
    def part(self, value, n): return torch.where(value.isfinite(), value.detach()*n, 0)
class QuietOnlyNan(Quiet):
    "Thinks of nan, not of inf"
    def part(self, value, n):
        return torch.where(value.isnan() & (n == 0), 0, value.detach()*n)
class QuietMean1(Quiet):
    def update(self, value, n):
        self.add(torch.where(n == 0, 0, value.detach()), n*0 + 1)
class QuietCount(Quiet):
    def update(self, value, n): self.add(self.part(value, n), 1)
class QuietSum(Quiet):
    def compute(self): return self.total
class QuietUnweighted(Quiet):
    def part(self, value, n): return torch.where(n == 0, 0, value.detach())
class QuietLast(Quiet):
    def add(self, total, n): self.total, self.n = total, n
class QuietHalfReset(Quiet):
    def __init__(self): self.total, self.n = 0., 0
    def reset(self): self.total = 0.
class QuietNoReset(Quiet):
    def __init__(self): self.total, self.n = 0., 0
    def reset(self): self.total = self.total + 0
class QuietShared(Quiet):
    values, ns = [], []
    def reset(self): self.values.clear(); self.ns.clear()
    def update(self, value, n):
        self.values.append(self.part(value, n))
        self.ns.append(n)
    def compute(self): return sum(self.values)/sum(self.ns)
class QuietGraph(Quiet):
    def part(self, value, n): return torch.where(n == 0, 0, value*n)
class QuietInPlace(Quiet):
    "Adds to the first value itself"
    def reset(self): self.total = None
    def update(self, value, n):
        if self.total is None: self.total, self.n = value.detach(), n*1
        else:
            self.total.mul_(self.n).add_(self.part(value, n)).div_(self.n + n)
            self.n += n
    def compute(self): return self.total
class QuietUsesUp(Quiet):
    def compute(self):
        self.total /= self.n
        return self.total
class QuietWholeWeights(Quiet):
    def update(self, value, n): self.add(self.part(value, n.long()), n.long())
class QuietFloat32(Quiet):
    def part(self, value, n): return super().part(value.float(), n)
class QuietWithoutReset:
    def __init__(self): self.total, self.n = 0., 0
    def update(self, value, n): self.total, self.n = self.total + value*n, self.n + n
    def compute(self): return self.total/self.n


BANK["check_quiet_mean"] = Bank(
    right=[Quiet, QuietMasked, QuietFloat32, Lists, InPlace],
    wrong=[*((o, "read a number back.*waits for the device") for o in (
            QuietItem, QuietIf, QuietFloat, QuietTolist, QuietNumpy, QuietCpu,
            QuietToCpu, QuietIndexed,
            QuietIsnan, QuietPrints)),
        (QuietNan, "what is nan times 0"), (QuietNanToNum, "must show"),
        (QuietNanToNumAfter, "must show"), (QuietIsFinite, "must show"),
        (QuietOnlyNan, "inf times 0"), (QuietMean1, "How often does each one count"),
        (QuietCount, "divided by the count"), (QuietSum, "the sum.*What divides it"),
        (QuietUnweighted, "multiplied by its weight"), (QuietLast, "only the last"),
        (QuietHalfReset, "`reset` leave behind|What is divided|weight of 0"),
        (QuietNoReset, "`reset` leave behind|weight of 0"),
        (QuietShared, "share a list"), (QuietGraph, "drag along"),
        (QuietInPlace, "to the first one itself"), (QuietUsesUp, "asked twice"),
        (QuietWholeWeights, "weight rounded"),
        (QuietWithoutReset, "no method `reset`"), (Quiet(), "not callable")])


# Lesson 10: how many tries

BANK["check_enough_tries"] = Bank(
    right=[3, 3.0, torch.tensor(3), "3"],
    wrong=[(1, "0.95 or more there"), (2, "0.95 or more there"), (4, "one try less"),
        (5, "one try less"), (0.93, "0.95 or more there"), ("three", "is no number"),
        ([3, 4], "is no number")])


# Lesson 10: R2

class R2Welford:
    "Means and squares around them, brought together batch by batch"
    def reset(self): self.n, self.mean, self.m2, self.error = 0, 0., 0., 0.
    def update(self, preds, target):
        n, mean = len(target), target.mean().item()
        gap, total = mean - self.mean, self.n + n
        self.m2 += ((target - mean)**2).sum().item() + gap**2*self.n*n/total
        self.mean += gap*n/total
        self.n = total
        self.error += ((preds - target)**2).sum().item()
    def compute(self): return 1 - self.error/self.m2


class R2Numpy:
    def reset(self): self.sums = np.zeros(4)
    def update(self, preds, target):
        p, y = preds.numpy().astype(float), target.numpy().astype(float)
        self.sums += [len(y), y.sum(), (y*y).sum(), ((y - p)**2).sum()]
    def compute(self):
        n, s, ss, e = self.sums
        return np.float64(1 - e/(ss - s*s/n))


class R2Sums:
    dtype = torch.float64
    def reset(self): self.sums = torch.zeros(4, dtype=self.dtype)
    def update(self, preds, target):
        p, y = preds.to(self.dtype), target.to(self.dtype)
        parts = self.error(p, y), y**2, y, torch.ones_like(y)
        self.sums = self.sums + torch.stack([o.sum() for o in parts])
    def error(self, p, y): return (y - p)**2
    def compute(self):
        e, ss, s, n = self.sums
        return self.value(e, ss, s, n)
    def value(self, e, ss, s, n): return 1 - e/(ss - s**2/n)


class R2Float32(R2Sums):
    dtype = torch.float32
    def reset(self): super().reset()
class R2Ratio(R2Sums):
    def value(self, e, ss, s, n): return e/(ss - s**2/n)
class R2AroundZero(R2Sums):
    def value(self, e, ss, s, n): return 1 - e/ss
class R2Mse(R2Sums):
    def value(self, e, ss, s, n): return e/n
class R2Unbiased(R2Sums):
    def value(self, e, ss, s, n): return 1 - (e/n)/((ss - s**2/n)/(n - 1))
class R2Clamped(R2Sums):
    def value(self, e, ss, s, n): return (1 - e/(ss - s**2/n)).clamp_min(0)
class R2Absolute(R2Sums):
    def error(self, p, y): return (y - p).abs()
class R2NoReset(R2Sums):
    def __init__(self): super().reset()
    def reset(self): pass
class R2LastBatch(R2Sums):
    def update(self, preds, target): self.reset(); super().update(preds, target)
class R2Shared(R2Sums):
    def reset(self): R2Shared.sums = torch.zeros(4, dtype=torch.float64)
    def update(self, preds, target):
        p, y = preds.double(), target.double()
        R2Shared.sums = R2Shared.sums + torch.stack([o.sum() for o in ((y - p)**2, y**2, y, y**0)])
class R2Kept(R2Sums):
    "Keeps everything"
    def reset(self): self.p, self.y = [], []
    def update(self, preds, target): self.p.append(preds); self.y.append(target)
    def compute(self):
        p, y = torch.cat(self.p).double(), torch.cat(self.y).double()
        return 1 - ((y - p)**2).sum()/((y - y.mean())**2).sum()
class R2Correlation(R2Kept):
    def compute(self):
        return torch.corrcoef(torch.stack([torch.cat(self.p), torch.cat(self.y)]))[0, 1]**2
class R2OfBatches:
    weighted = False
    def reset(self): self.total = self.n = 0
    def update(self, preds, target):
        n = len(target) if self.weighted else 1
        spread = ((target - target.mean())**2).sum()
        self.total += n*(1 - ((target - preds)**2).sum()/spread)
        self.n += n
    def compute(self): return self.total/self.n
class R2OfBatchesWeighted(R2OfBatches):
    weighted = True
    def reset(self): super().reset()
class R2BatchMeans(R2Sums):
    def update(self, preds, target): super().update(preds - target.mean(), target - target.mean())
class R2InPlace(R2Sums):
    def update(self, preds, target):
        super().update(preds, target)
        preds.sub_(target)
class R2WithoutUpdate:
    def reset(self): self.sums = 0
    def compute(self): return 1.


BANK["check_r2"] = Bank(
    right=[R2Welford, R2Numpy, R2Sums],
    wrong=[(R2Float32, "seven digits"), (R2Ratio, "`1 -` missing"),
        (R2AroundZero, "Around which number"), (R2Mse, "mean squared error"),
        (R2Unbiased, "divided by the same number"), (R2Clamped, "cut off"),
        (R2Absolute, "Which sums"), (R2NoReset, "`reset` leave|Which sums"),
        (R2LastBatch, "last batch"), (R2Shared, "share their sums"),
        (R2Kept, "need not be kept"), (R2Correlation, "squared correlation"),
        (R2OfBatches, "no mean of theirs"), (R2OfBatchesWeighted, "no mean over samples"),
        (R2BatchMeans, "of the batch, or of all"), (R2InPlace, "changed its argument"),
        (R2WithoutUpdate, "no method `update`"), (R2Sums(), "not callable")])


# Lesson 11: what the epoch hides

BANK["check_bumps"] = Bank(
    right=[1, 1.0, torch.tensor(1.)],
    wrong=[(0.1, "above the dashed line"), (0.2, "above the dashed line"),
        (0.5, "above the dashed line"), (2, "with the rate before"),
        (1.68, "with the rate before"), ("one", "is no number")])


# Lesson 11: JSON lines

class JsonOpen(Callback):
    "Notes what it has written by identity, and closes the file each time"
    order = 7
    def __init__(self, path): self.path, self.done = str(path), []
    def before_fit(self, learn): self.done = [id(o) for o in learn.metrics.rows]
    def cleanup_epoch(self, learn):
        with open(self.path, "a", encoding="utf-8") as f:
            for row in learn.metrics.rows:
                if id(row) not in self.done: f.write(self.line(row))
                self.done.append(id(row))
    def line(self, row):
        out = {}
        for k, v in row.items():
            if isinstance(v, float): out[k] = v if v - v == 0 else None
            elif isinstance(v, (int, str)): out[k] = v
        return json.dumps(out, allow_nan=False) + "\n"


class Json(Callback):
    order = 1
    def __init__(self, path): self.path = path
    def before_fit(self, learn): self.n = len(learn.metrics.rows)
    def cleanup_epoch(self, learn):
        rows = learn.metrics.rows
        for row in rows[self.n:]: self.write(row)
        self.n = len(rows)
    def write(self, row):
        with open(self.path, "a") as f: f.write(self.text(row))
    def text(self, row): return json.dumps(self.kept(row)) + "\n"
    def kept(self, row):
        out = {k: v for k, v in row.items() if isinstance(v, (int, float, str))}
        return {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in out.items()}


class JsonFlushes(Json):
    def before_fit(self, learn):
        super().before_fit(learn)
        self.f = open(self.path, "a")
    def write(self, row): self.f.write(self.text(row)); self.f.flush()
    def cleanup_fit(self, learn): self.f.close()
class JsonAfterEpoch(Json):
    after_epoch, cleanup_epoch = Json.cleanup_epoch, None
class JsonAfterFit(Json):
    after_fit, cleanup_epoch = Json.cleanup_epoch, None
class JsonCleanupFit(Json):
    cleanup_fit, cleanup_epoch = Json.cleanup_epoch, None
class JsonW(Json):
    def write(self, row):
        with open(self.path, "w") as f: f.write(self.text(row))
class JsonWInFit(Json):
    def before_fit(self, learn):
        super().before_fit(learn)
        open(self.path, "w").close()
class JsonNan(Json):
    def kept(self, row): return {k: v for k, v in row.items() if isinstance(v, (int, float, str))}
class JsonOnlyNan(Json):
    def kept(self, row):
        return {k: None if v != v else v for k, v in row.items() if isinstance(v, (int, float, str))}
class JsonDropsNan(Json):
    def kept(self, row): return {k: v for k, v in super().kept(row).items() if v is not None}
class JsonStr(Json):
    def kept(self, row): return super().kept({k: v if isinstance(v, (int, float)) else str(v) for k, v in row.items()})
class JsonAll(Json):
    def kept(self, row): return row
class JsonList(Json):
    def text(self, row): return json.dumps(list(self.kept(row).values())) + "\n"
class JsonIndent(Json):
    def text(self, row): return json.dumps(self.kept(row), indent=1) + "\n"
class JsonNoEnd(Json):
    def text(self, row): return json.dumps(self.kept(row))
class JsonPython(Json):
    def text(self, row): return f"{self.kept(row)}\n"
class JsonLast(Json):
    def cleanup_epoch(self, learn): self.write(learn.metrics.rows[-1])
class JsonNumbers(Json):
    def kept(self, row): return {k: v for k, v in super().kept(row).items() if not isinstance(v, str)}
class JsonText(Json):
    "Numbers as text"
    def kept(self, row): return {k: f"{v:.3f}" if isinstance(v, float) else v for k, v in super().kept(row).items()}
class JsonBuffer(Json):
    def before_fit(self, learn):
        super().before_fit(learn)
        self.f = open(self.path, "a")
    def write(self, row): self.f.write(self.text(row))
    def cleanup_fit(self, learn): self.f.close()
class JsonFromZero(Json):
    def before_fit(self, learn): self.n = 0
class JsonAllAgain(Json):
    def cleanup_epoch(self, learn):
        for row in learn.metrics.rows: self.write(row)


BANK["check_json_log"] = Bank(
    right=[JsonOpen, Json, JsonFlushes],
    wrong=[(JsonAfterEpoch, "Which event always comes"), (JsonAfterFit, "closed or flushed"),
        (JsonCleanupFit, "closed or flushed"), (JsonW, "closed or flushed|lines for|row comes"),
        (JsonWInFit, "begun anew|lines for"), (JsonNan, "Which numbers does JSON not know"),
        (JsonOnlyNan, "Which numbers does JSON not know"), (JsonDropsNan, "Which values are kept"),
        (JsonStr, "a table is in it"), (JsonAll, "TypeError"), (JsonList, "an object, with names"),
        (JsonIndent, "one whole JSON object"), (JsonNoEnd, "What ends a line"),
        (JsonPython, "one whole JSON object"), (JsonLast, "always a new one"),
        (JsonNumbers, "Which values are kept"), (JsonText, "Whose row"),
        (JsonBuffer, "closed or flushed"), (JsonAllAgain, "lines for|Whose row"),
        (JsonFromZero, "before this fit"),
        (Json("x"), "not callable")])


# Lesson 12: an average that forgets

def ema_numpy(values, decay):
    out = np.array(values, dtype=np.float32)
    for i in range(1, len(out)):
        out[i] = np.float32(decay)*out[i - 1] + (1 - decay)*out[i]
    return out


def ema_weights(values, decay):
    "All at once: the share of each value in each average"
    x = torch.tensor(values, dtype=torch.float64)
    i = torch.arange(len(x))
    ages = i[:, None] - i
    shares = torch.where(ages >= 0, decay**ages.clamp(min=0).double(), 0.)
    shares[:, 1:] *= 1 - decay
    return shares @ x


def ema_steps(values, decay):
    mean, out = None, []
    for o in values:
        mean = o if mean is None else mean + (1 - decay)*(o - mean)
        out.append(mean)
    return tuple(out)


def ema_from_zero(values, decay):
    mean = 0.
    return [mean := decay*mean + (1 - decay)*o for o in values]
def ema_corrected(values, decay):
    return [o/(1 - decay**(i + 1)) for i, o in enumerate(ema_from_zero(values, decay))]
def ema_swapped(values, decay): return ema_steps(values, 1 - decay)
def ema_sum(values, decay):
    out = values[:1]
    for o in values[1:]: out.append(decay*out[-1] + o)
    return out
def ema_of_values(values, decay):
    pairs = zip(values, values[1:])
    return values[:1] + [decay*a + (1 - decay)*b for a, b in pairs]
def ema_plain(values, decay):
    return [sum(values[:i + 1])/(i + 1) for i in range(len(values))]
def ema_last(values, decay): return ema_steps(values, decay)[-1] if values else []
def ema_without_first(values, decay): return ema_steps(values, decay)[1:]
def ema_with_zero(values, decay): return [0., *ema_steps(values, decay)]
def ema_first_twice(values, decay):
    out = values[:1]
    for o in values: out.append(decay*out[-1] + (1 - decay)*o)
    return out
def ema_whole(values, decay):
    out = np.array(values)
    for i in range(1, len(out)): out[i] = decay*out[i - 1] + (1 - decay)*out[i]
    return out
def ema_in_place(values, decay):
    for i in range(1, len(values)):
        values[i] = decay*values[i - 1] + (1 - decay)*values[i]
    return values
def ema_no_empty(values, decay):
    mean, out = values[0], []
    for o in values:
        mean = decay*mean + (1 - decay)*o
        out.append(mean)
    return out
def ema_no_return(values, decay):
    out = ema_steps(values, decay)
    out += ()
def ema_square(values, decay): return ema_steps(values, decay**2)
def ema_rounded(values, decay): return [round(o, 3) for o in ema_steps(values, decay)]
def ema_generator(values, decay): yield from ema_steps(values, decay)


BANK["check_moving_average"] = Bank(
    right=[ema_numpy, ema_weights, ema_steps],
    wrong=[(ema_from_zero, "Not a mix with 0"), (ema_corrected, "anything to correct"),
        (ema_swapped, "has the share `decay`"), (ema_sum, "add up to 1"),
        (ema_of_values, "or the value before"), (ema_plain, "plain mean"),
        (ema_last, "or only the last"),
        (ema_without_first, "after the first value too"),
        (ema_with_zero, "before the first value"), (ema_first_twice, "there twice"),
        (ema_whole, "Which dtype"), (ema_in_place, "changed its argument"),
        (ema_no_empty, "IndexError.*What is there to begin with"),
        (ema_no_return, "returned None"), (ema_square, "What is each average made of"),
        (ema_rounded, "random|values"), (ema_generator, "expected numbers")])



BANK["check_averaging_decay"] = Bank(
    right=[0.95, 0.97, np.float64(0.92), torch.tensor(0.98)],
    wrong=[(0.999, "How many updates does it remember"), (0.99, "remember"),
        (1, "remember"), (0.5, "longer memory"), (0.9, "longer memory"),
        (0, "longer memory"), (97, "remember"), ("small", "no number"),
        (torch.tensor([0.9, 0.95]), "no number")])


# Lesson 12: clip by norm

def clip_torch(params, max_norm):
    return torch.nn.utils.clip_grad_norm_(params, max_norm)


def clip_vector(params, max_norm):
    "One long vector, and a factor of at most 1"
    grads = [p.grad for p in params if p.grad is not None]
    if not grads: return 0
    norm = torch.cat([g.flatten() for g in grads]).norm()
    factor = torch.nan_to_num(max_norm/norm, nan=1.).clamp(max=1)
    for g in grads: g.mul_(factor)
    return norm


def clip_numpy(params, max_norm):
    "The gradients' own memory, seen by NumPy"
    grads = [p.grad.numpy() for p in params if p.grad is not None]
    norm = np.sqrt(sum((g**2).sum() for g in grads))
    if norm > max_norm:
        for g in grads: g *= max_norm/norm
    return norm


def clip_made(norm=lambda grads: torch.stack([g.double().norm() for g in grads]).norm(),
    factor=lambda most, norm: most/norm if norm > most else 1., after=False, skip=True):
    "A clip with one mistake"
    def clip(params, max_norm):
        params = list(params)
        grads = [p.grad for p in params if p.grad is not None] if skip else [
            p.grad for p in params]
        if not grads: return 0.
        before = norm(grads)
        for g in grads: g *= factor(max_norm, before)
        return norm(grads) if after else before
    return clip


def clip_new_tensors(params, max_norm):
    params = [p for p in params if p.grad is not None]
    norm = sum((p.grad**2).sum() for p in params)**0.5
    for p in params: p.grad = p.grad*min(1., max_norm/norm) if norm else p.grad
    return norm
def clip_nothing(params, max_norm):
    grads = [p.grad for p in params if p.grad is not None]
    norm = sum((g**2).sum() for g in grads)**0.5
    for g in grads: g = g*min(1., max_norm/norm)
    return norm
def clip_data(params, max_norm):
    "Another memory under the same tensor"
    grads = [p.grad for p in params if p.grad is not None]
    norm = sum((g**2).sum() for g in grads)**0.5
    for g in grads:
        if norm > max_norm: g.data = g.data*(max_norm/norm)
    return norm
def clip_weights(params, max_norm):
    params = list(params)
    norm = sum((p.grad**2).sum() for p in params)**0.5
    for p in params: p.data *= min(1., max_norm/norm)
    return norm
def clip_one_by_one(params, max_norm):
    norms = [p.grad.norm() for p in params]
    for p, norm in zip(params, norms): p.grad *= min(1., max_norm/norm)
    return torch.stack(norms).norm()
def clip_values(params, max_norm):
    norm = torch.cat([p.grad.flatten() for p in params]).norm()
    for p in params: p.grad.clamp_(-max_norm, max_norm)
    return norm
def clip_twice_through(params, max_norm):
    norm = sum((p.grad**2).sum() for p in params if p.grad is not None)**0.5
    for p in params:
        if p.grad is not None and norm > max_norm: p.grad *= max_norm/norm
    return norm
def clip_unit(params, max_norm):
    "To norm 1, then to the length that it should have"
    grads = [p.grad for p in params if p.grad is not None]
    norm = sum((g**2).sum() for g in grads)**0.5
    if norm > max_norm or norm < 1e-6:
        for g in grads: g.div_(norm).mul_(min(norm, max_norm))
    return norm
def clip_fills(params, max_norm):
    params = list(params)
    for p in params:
        if p.grad is None: p.grad = torch.zeros_like(p)
    return clip_vector(params, max_norm)
def clip_zero_grad(params, max_norm):
    params = list(params)
    norm = clip_vector(params, max_norm)
    for p in params: p.grad = None
    return norm
def clip_no_return(params, max_norm): clip_vector(params, max_norm)
def clip_empty_fails(params, max_norm):
    grads = [p.grad for p in params if p.grad is not None]
    norm = torch.cat([g.flatten() for g in grads]).norm()
    if norm > max_norm:
        for g in grads: g *= max_norm/norm
    return norm
def clip_first_axis(params, max_norm):
    "Knows vectors only"
    grads = [p.grad for p in params if p.grad is not None]
    norm = sum(sum(v.item()**2 for v in g) for g in grads)**0.5
    for g in grads: g *= min(1., max_norm/norm) if norm else 1.
    return norm


BANK["check_clip_norm"] = Bank(
    right=[clip_torch, clip_vector, clip_numpy, clip_made()],
    wrong=[(clip_one_by_one, "clipped by itself"),
        (clip_new_tensors, "changed in place"),
        (clip_values, "each number clipped"), (clip_nothing, "changed at all"),
        (clip_data, "changed in place"),
        (clip_weights, "Which tensor of a parameter"),
        (clip_made(after=True), "or of after clipping"),
        (clip_made(skip=False), "without a gradient is passed over"),
        (clip_made(norm=lambda o: sum(g.norm() for g in o)), "sum of the norms"),
        (clip_made(norm=lambda o: sum((g**2).sum() for g in o)), "root missing"),
        (clip_made(norm=lambda o: max(g.abs().max() for g in o)), "largest number"),
        (clip_made(norm=lambda o: sum(g.abs().sum() for g in o)), "absolute values"),
        (clip_made(norm=lambda grads: grads[-1].norm()), "last one only"),
        (clip_made(factor=lambda most, norm: most/norm), "short gradient made longer"),
        (clip_made(factor=lambda most, norm: 1/norm), "norm 1 whatever"),
        (clip_made(factor=lambda most, norm: min(1., most/norm**2)), "by the square"),
        (clip_unit, "0/0"),
        (clip_made(factor=lambda most, norm: min(1., most/(norm + 0.01))), "Is it one"),
        (clip_twice_through, "walk through a generator"), (clip_fills, "Who set it"),
        (clip_zero_grad, "Who set it"), (clip_no_return, "returned None"),
        (clip_empty_fails, "norm of nothing"), (clip_first_axis, "Does every number")])


# Lesson 12: stop at a validation loss

class TargetByHand(Callback):
    "Takes the mean itself"
    def __init__(self, loss): self.loss = loss
    def before_epoch(self, learn): self.total = self.n = 0
    def after_loss(self, learn):
        self.total += learn.loss.item()*len(learn.batch[0])
        self.n += len(learn.batch[0])
    def after_epoch(self, learn):
        if learn.training: return
        if self.total/self.n <= self.loss: raise CancelFitException()


class TargetInCleanup(Callback):
    order = 5
    def __init__(self, loss): self.loss = loss
    def cleanup_epoch(self, learn):
        row = learn.metrics.rows[-1]
        if row["train"] == "eval" and not row["loss"] > self.loss == self.loss:
            if row["loss"] == row["loss"]: raise CancelFitException()


class TargetNextEpoch:
    "Looks when the next epoch begins, but at rows of this fit alone"
    def __init__(self, loss): self.loss = loss
    def before_fit(self, learn): self.at = len(getattr(learn, "metrics").rows)
    order = 1
    def before_epoch(self, learn):
        rows = [o for o in learn.metrics.rows[self.at:] if o["train"] == "eval"]
        if rows and rows[-1]["loss"] <= self.loss: raise CancelFitException()


class Target(Callback):
    order = 100
    def __init__(self, loss): self.loss = loss
    def value(self, learn): return learn.metrics.rows[-1]["loss"]
    def reached(self, loss): return loss <= self.loss
    def after_epoch(self, learn):
        if learn.training: return
        if self.reached(self.value(learn)): raise CancelFitException()


class TargetAnyLoss(Target):
    def after_epoch(self, learn):
        if self.reached(self.value(learn)): raise CancelFitException()
class TargetLess(Target):
    def reached(self, loss): return loss < self.loss
class TargetMore(Target):
    def reached(self, loss): return loss >= self.loss
class TargetNan(Target):
    def reached(self, loss): return not loss > self.loss
class TargetAbsolute(Target):
    def reached(self, loss): return abs(loss) <= abs(self.loss)
class TargetLastBatch(Target):
    def value(self, learn): return learn.loss.item()
class TargetInBatch(Target):
    "Ends within the validation"
    after_epoch = None
    def after_batch(self, learn):
        if not learn.training and learn.loss <= self.loss: raise CancelFitException()
class TargetRunningMean(TargetByHand):
    "The mean so far, before the validation is over"
    after_epoch = None
    def after_batch(self, learn):
        if learn.training: return
        if self.total/self.n <= self.loss: raise CancelFitException()
class TargetMeanOfMeans(TargetByHand):
    def after_loss(self, learn):
        self.total += learn.loss.item()
        self.n += 1
class TargetNoOrder(Target):
    order = 0
    def value(self, learn):
        rows = [o["loss"] for o in learn.metrics.rows if o["train"] == "eval"]
        return rows[-1] if rows else math.inf
class TargetTrainRow(Target):
    "Reads the row before the last one"
    def value(self, learn): return learn.metrics.rows[-2]["loss"]
class TargetAnyRow(Target):
    def value(self, learn):
        return min(o["loss"] for o in learn.metrics.rows if o["train"] == "eval")
class TargetBestSoFar(Target):
    "Never forgets"
    best = math.inf
    def value(self, learn):
        self.best = min(self.best, super().value(learn))
        return self.best
class TargetEpoch(Target):
    def after_epoch(self, learn):
        if learn.training: return
        if self.reached(self.value(learn)): raise CancelEpochException()
class TargetReturns(Target):
    def after_epoch(self, learn):
        if not learn.training and self.reached(self.value(learn)): return True
class TargetAfterFit(Target):
    after_epoch = None
    def after_fit(self, learn):
        if self.reached(self.value(learn)): raise CancelFitException()
class TargetAlwaysValid(Target):
    "Wants a validation row in any epoch"
    def after_epoch(self, learn):
        rows = [o for o in learn.metrics.rows if o["train"] == "eval"]
        if rows[-1]["loss"] <= self.loss: raise CancelFitException()
class TargetNotFirst(Target):
    def after_epoch(self, learn):
        if learn.training or learn.epoch == 0: return
        if self.reached(self.value(learn)): raise CancelFitException()
class TargetSkipsEpochs(Target):
    "Every later epoch begins, and is cancelled"
    def before_fit(self, learn): self.over = False
    def before_epoch(self, learn):
        if self.over: raise CancelEpochException()
    def after_epoch(self, learn):
        self.over = self.over or not learn.training and self.reached(self.value(learn))
class TargetMargin(Target):
    def reached(self, loss): return loss <= self.loss + 0.05
class TargetRounds(Target):
    def reached(self, loss): return round(loss, 1) <= self.loss
class TargetClears(Target):
    def before_fit(self, learn): learn.metrics.rows.clear()
class TargetMisspelt(Target):
    def value(self, learn): return learn.metrics.row[-1]["loss"]
class TargetWrongKey(Target):
    def value(self, learn): return learn.metrics.rows[-1]["valid_loss"]


class TargetInherits(Target): "Nothing of its own"


BANK["check_target"] = Bank(
    right=[TargetByHand, TargetInCleanup, TargetNextEpoch, Target, TargetInherits],
    wrong=[(TargetAnyLoss, "training compared too"), (TargetLess, "exactly the target"),
        (TargetMore, "Lower, or higher"), (TargetNan, "Is nan less"),
        (TargetAbsolute, "Which is less"), (TargetLastBatch, "or of its last batch"),
        (TargetInBatch, "of a single batch"), (TargetRunningMean, "of a single batch"),
        (TargetMeanOfMeans, "count the same"), (TargetNoOrder, "Who is called first"),
        (TargetTrainRow, "which row is compared"), (TargetAnyRow, "rows of all fits"),
        (TargetBestSoFar, "rows of all fits"), (TargetEpoch, "Which exception ends"),
        (TargetReturns, "Which exception ends"),
        (TargetAfterFit, "Which exception ends"),
        (TargetAlwaysValid, "IndexError|training compared"),
        (TargetSkipsEpochs, "pass by unused"),
        (TargetNotFirst, "first epoch is good"), (TargetMargin, "margin"),
        (TargetRounds, "rounded"), (TargetClears, "only read"),
        (TargetMisspelt, "AttributeError.*'row'"),
        (TargetWrongKey, "KeyError.*valid_loss")])


# Lesson 13: a share, and a mean over views

BANK["check_answered_alone"] = Bank(
    right=[0.8, 0.798, np.float64(0.82)],
    wrong=[(0.962, "Are 98 of 100"), (1, "Are 98 of 100"), (80, "Are 98 of 100"),
        (0.98, "Are 98 of 100"), (0.694, "more certainty"), (0.5, "more certainty"),
        (0, "more certainty"), ("four in five", "no number")])


def views_stack(logits):
    "In float64, one view after the other"
    out = torch.stack([v.double().log_softmax(-1) for v in logits])
    top = out.amax(0)
    return (out - top).exp().mean(0).log() + top

def views_logits(logits): return torch.logsumexp(logits - logits.logsumexp(2, True), 0) - math.log(logits.shape[0])
def views_numpy(logits):
    z = logits.double().numpy()
    logs = z - np.logaddexp.reduce(z, 2, keepdims=True)
    return np.logaddexp.reduce(logs, 0) - np.log(len(z))
def views_of_scores(logits): return logits.mean(0).log_softmax(-1)
def views_raw(logits): return logits.mean(0)
def views_of_logs(logits): return logits.log_softmax(2).mean(0)
def views_probs(logits): return logits.softmax(2).mean(0)
def views_sum(logits): return logits.softmax(2).sum(0).log()
def views_wrong_axis(logits): return logits.softmax(2).mean(1).log()
def views_over_samples(logits): return logits.softmax(1).mean(0).log()
def views_first(logits): return logits[0].log_softmax(1)
def views_underflow(logits): return logits.softmax(2).mean(0).log()
def views_clamped(logits): return logits.softmax(2).mean(0).clamp_min(1e-30).log()
def views_in_place(logits): return views_stack(logits.sub_(logits.amax(2, True)))
def views_best(logits): return logits.log_softmax(2).amax(0)


BANK["check_log_mean_of_views"] = Bank(
    right=[views_stack, views_logits, views_numpy],
    wrong=[(views_of_scores, "Are scores averaged"), (views_raw, "is the result normalised"),
        (views_of_logs, "Are logarithms averaged"), (views_probs, "or its logarithm"),
        (views_sum, "divides by the views"), (views_wrong_axis, "holds the views"),
        (views_over_samples, "add up to 1"), (views_first, "first view"),
        (views_underflow, "has become 0"), (views_clamped, "has become 0"),
        (views_in_place, "changed its argument"), (views_best, "is that it")])



# Lesson 14: warm up, hold, decay

def wsd_cases(step, total, warmup, decay):
    if step >= total: return 0
    if step < warmup: return step/warmup
    if step <= total - decay: return 1
    return (total - step)/decay


def wsd_numpy(step, total, warmup, decay):
    "Interpolation between the corners, in float32"
    if step >= total: return np.float32(0)
    x, y = [total - decay, total], [1, 0]
    if decay == 0: x, y = [total], [1]
    if warmup: x, y = [0, warmup, *x], [0, 1, *y]
    return np.float32(np.interp(step, x, y))


def wsd_tensor(step, total, warmup, decay):
    step = torch.tensor(float(step))
    rise, fall = step/max(warmup, 1e-9), (total - step)/max(decay, 1e-9)
    return torch.where(step < warmup, rise, fall.clamp(0, 1))


def wsd_divides(step, total, warmup, decay):
    return max(0, min(1, step/warmup, (total - step)/decay))
def wsd_no_warmup(step, total, warmup, decay):
    return max(0, min(1, (total - step)/max(1, decay)))
def wsd_below(step, total, warmup, decay):
    rise = step/warmup if warmup else 1
    return min(1, rise, (total - step)/decay if decay else float(step < total))
def wsd_from_one(step, total, warmup, decay):
    return wsd_cases(step + 1, total, warmup, decay)
def wsd_rise_from_one(step, total, warmup, decay):
    return (step + 1)/warmup if step < warmup else wsd_cases(step, total, warmup, decay)
def wsd_cosine(step, total, warmup, decay):
    return (1 - math.cos(math.pi*wsd_cases(step, total, warmup, decay)))/2
def wsd_cosine_fall(step, total, warmup, decay):
    f = wsd_cosine if step >= warmup else wsd_cases
    return f(step, total, warmup, decay)
def wsd_falls_at_once(step, total, warmup, decay):
    if step < decay or step >= total: return wsd_cases(step, total, warmup, decay)
    return 1 - (step - decay)/(total - decay) if step > warmup else step/max(warmup, 1)
def wsd_swapped(step, total, warmup, decay):
    return wsd_cases(step, total, decay, warmup)
def wsd_symmetric(step, total, warmup, decay):
    return wsd_cases(step, total, warmup, warmup)
def wsd_too_early(step, total, warmup, decay):
    if step < total - decay: return wsd_cases(step, total, warmup, decay)
    return max(0, (total - 1 - step)/decay) if decay else 0
def wsd_upside_down(step, total, warmup, decay):
    if total - decay < step < total: return 1 - wsd_cases(step, total, warmup, decay)
    return wsd_cases(step, total, warmup, decay)
def wsd_whole(step, total, warmup, decay):
    rise, fall = step//max(1, warmup), (total - step)//max(1, decay)
    return max(0, min(1, rise if warmup else 1, fall))
def wsd_one_at_end(step, total, warmup, decay):
    return wsd_cases(step, total, warmup, decay) if step <= total else 1
def wsd_no_decay(step, total, warmup, decay):
    return min(1, step/warmup if warmup else 1)
def wsd_zero_decay_zero(step, total, warmup, decay):
    return wsd_cases(step, total, warmup, decay) if decay else 0
def wsd_product(step, total, warmup, decay):
    rise = min(1, step/warmup) if warmup else 1
    if total == warmup: return rise
    return rise*min(1, max(0, (total - step)/(total - warmup)))
def wsd_no_return(step, total, warmup, decay): wsd_cases(step, total, warmup, decay)
def wsd_remembers(step, total, warmup, decay):
    "Counts its calls instead of reading the step"
    wsd_remembers.step = getattr(wsd_remembers, "step", -1) + 1
    return wsd_cases(wsd_remembers.step, total, warmup, decay)


BANK["check_wsd"] = Bank(
    right=[wsd_cases, wsd_numpy, wsd_tensor],
    wrong=[(wsd_divides, "ZeroDivisionError.*warm-up of 0"),
        (wsd_no_warmup, "rise at all"), (wsd_below, "go below"),
        (wsd_from_one, "or step 1"), (wsd_rise_from_one, "or step 1"),
        (wsd_cosine, "half a cosine"), (wsd_cosine_fall, "half a cosine"),
        (wsd_falls_at_once, "`decay` steps"), (wsd_swapped, "How high"),
        (wsd_symmetric, "not `warmup`"), (wsd_too_early, "too early"),
        (wsd_upside_down, "how much is left"), (wsd_whole, "whole number"),
        (wsd_one_at_end, "begin anew"), (wsd_no_decay, "fall at all"),
        (wsd_zero_decay_zero, "decay 0"), (wsd_product, "Between rise and fall"),
        (wsd_no_return, "returned None"),
        (wsd_remembers, "At `total`|How high|rise at all")])


# Lesson 14: warm restarts

def restarts_loop(step, first, mult):
    begin, length = 0, first
    while begin + length <= step: begin, length = begin + length, length*mult
    return 0.5 + 0.5*math.cos(math.pi*(step - begin)/length)


def restarts_formula(step, first, mult):
    "The number of the cycle from a logarithm, put right where it is rounded"
    if mult == 1: begin, length = step//first*first, first
    else:
        i = int(math.log(step*(mult - 1)/first + 1, mult) + 1e-9)
        begin, length = first*(mult**i - 1)//(mult - 1), first*mult**i
    return np.float32((1 + np.cos(np.pi*(step - begin)/length))/2)


def restarts_torch(step, first, mult):
    opt = torch.optim.SGD([torch.zeros(1)], lr=1.)
    sched = torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(opt, first, mult)
    opt.step()
    sched.step(step)
    return torch.tensor(sched.get_last_lr()[0])


def restarts_recursive(step, first, mult):
    if step >= first: return restarts_recursive(step - first, first*mult, mult)
    return math.cos(math.pi*step/first/2)**2


def wave(pos): return (1 + math.cos(math.pi*pos))/2
def restarts_made(grow=lambda length, mult, first, i: length*mult, end=False,
    curve=lambda at, n, i, first: wave(at/n)):
    "Restarts with one mistake"
    def restarts(step, first, mult):
        length, i = first, 0
        while step > length if end else step >= length:
            step, i = step - length, i + 1
            length = grow(length, mult, first, i)
        return curve(step, length, i, first)
    return restarts


def restarts_modulo(step, first, mult): return wave(step % first/first)
def restarts_once(step, first, mult): return wave(min(1, step/first))
def restarts_wave(step, first, mult): return wave(step/first)
def restarts_mult_power(step, first, mult):
    "The length of the cycle from the step alone"
    return wave(step % (first*mult)/(first*mult)) if step >= first else wave(step/first)


BANK["check_restarts"] = Bank(
    right=[restarts_loop, restarts_formula, restarts_torch, restarts_recursive,
        restarts_made()],
    wrong=[(restarts_modulo, "as long as the first"),
        (restarts_once, "first cycle is over"),
        (restarts_wave, "wave must not rise"),
        (restarts_mult_power, "which cycle|begins here"),
        (restarts_made(grow=lambda n, mult, first, i: n + mult), "grow by a sum"),
        (restarts_made(grow=lambda n, mult, first, i: first*max(1, i*mult)),
            "or the first one"),
        (restarts_made(end=True), "or one step later"),
        (restarts_made(curve=lambda at, n, i, first: wave(at/first)),
            "divided by the length"),
        (restarts_made(curve=lambda at, n, i, first: 1 - at/n), "straight line"),
        (restarts_made(curve=lambda at, n, i, first: 1 - wave(at/n)), "or rise"),
        (restarts_made(curve=lambda at, n, i, first: wave(2*at/n)), "or a whole one"),
        (restarts_made(curve=lambda at, n, i, first: wave(at/n)**0.5), "a quarter"),
        (restarts_made(curve=lambda at, n, i, first: 2*wave(at/n) - 1), "or to -1"),
        (restarts_made(curve=lambda at, n, i, first: wave(at/max(1, n - 1))),
            "too early"),
        (restarts_made(curve=lambda at, n, i, first: wave(at/n)/2**i), "begin lower"),
        (restarts_made(curve=lambda at, n, i, first: wave((at + 1)/n)), "or step 1"),
        (restarts_made(curve=lambda at, n, i, first: None), "returned None"),
        (restarts_made(curve=lambda at, n, i, first: wave(at//n)), "how far in it")])


# Lesson 14: where the loss falls fastest

def suggest_numpy(lrs, losses):
    losses = np.nan_to_num(np.array(losses, dtype=np.float64), nan=np.inf)
    low = losses.argmin()
    return np.array(lrs)[np.diff(losses[:low + 1]).argmin()]


def suggest_central(lrs, losses):
    "Central differences, on a tensor"
    low = losses.index(min(losses))
    x = torch.tensor(losses[:low + 1], dtype=torch.float64)
    return torch.tensor(lrs)[(x[2:] - x[:-2]).argmin() + 1]


def suggest_by_log(lrs, losses):
    "Per step of the logarithm, which is even"
    low = suggest_low(losses)
    logs = [math.log(lr) for lr in lrs]
    slopes = [(losses[i + 1] - losses[i])/(logs[i + 1] - logs[i]) for i in range(low)]
    return lrs[slopes.index(min(slopes)) + 1]


def suggest_low(losses): return losses.index(min(losses))
def suggest_lowest(lrs, losses): return lrs[suggest_low(losses)]
def suggest_tenth(lrs, losses): return lrs[suggest_low(losses)]/10
def suggest_place(lrs, losses): return lrs.index(suggest_by_log(lrs, losses))
def suggest_all(lrs, losses):
    falls = [b - a for a, b in zip(losses, losses[1:])]
    return lrs[falls.index(min(falls))]
def suggest_argmin_nan(lrs, losses):
    low = np.argmin(losses)
    return lrs[np.argmin(np.diff(losses[:low + 1]))] if low > 1 else lrs[0]
def suggest_by_lr(lrs, losses):
    low = suggest_low(losses)
    slopes = [(losses[i + 1] - losses[i])/(lrs[i + 1] - lrs[i]) for i in range(low)]
    return lrs[slopes.index(min(slopes))]
def suggest_ratio(lrs, losses):
    ratios = [losses[i + 1]/losses[i] for i in range(suggest_low(losses))]
    return lrs[ratios.index(min(ratios))]
def suggest_log_loss(lrs, losses):
    return suggest_by_log(lrs, [math.log(o) for o in losses])
def suggest_rise(lrs, losses):
    rises = [b - a for a, b in zip(losses, losses[1:])]
    return lrs[rises.index(max(rises))]
def suggest_half(lrs, losses):
    "Where half of the first loss is left"
    return next((lr for lr, o in zip(lrs, losses) if o < losses[0]/2), lrs[0])
def suggest_middle(lrs, losses): return math.sqrt(lrs[0]*suggest_lowest(lrs, losses))
def suggest_first(lrs, losses): return lrs[0]
def suggest_last(lrs, losses): return lrs[len(losses) - 1]
def suggest_smoothed(lrs, losses):
    "A mean over five losses, those behind the lowest among them"
    low, n = suggest_low(losses), len(losses)
    means = [sum(losses[max(0, i - 9):i + 10])/len(losses[max(0, i - 9):i + 10])
        for i in range(n)]
    falls = [b - a for a, b in zip(means, means[1:low + 1])]
    return lrs[falls.index(min(falls))]
def suggest_threshold(lrs, losses):
    "Leaves out falls below a fixed size"
    low = suggest_low(losses)
    falls = [b - a if a - b > 0.05 else 0 for a, b in zip(losses, losses[1:low + 1])]
    return lrs[falls.index(min(falls))]
def suggest_two_before(lrs, losses):
    return lrs[max(0, lrs.index(suggest_by_log(lrs, losses)) - 6)]
def suggest_half_way(lrs, losses):
    "Half of the way down, which is the steepest place on an even fall only"
    half = (losses[0] + min(losses))/2
    return next(lr for lr, o in zip(lrs, losses) if o < half)
def suggest_early(lrs, losses):
    "Looks at the first half of the list alone"
    n = len(losses)//2
    return suggest_by_log(lrs[:n], losses[:n])
def suggest_sorts(lrs, losses):
    losses.sort(reverse=True)
    return suggest_by_log(lrs, losses)
def suggest_pair(lrs, losses): return suggest_by_log(lrs, losses), min(losses)
def suggest_misses_one(lrs, losses):
    "Leaves out the last step before the lowest loss: fails if that is the last"
    low = suggest_low(losses)
    return suggest_by_log(lrs, losses) if losses[low + 1] else lrs[0]


BANK["check_suggest"] = Bank(
    right=[suggest_numpy, suggest_central, suggest_by_log],
    wrong=[(suggest_lowest, "place of the lowest loss"),
        (suggest_tenth, "none of the learning rates|no learning rate|Which neighbours"),
        (suggest_place, "its place in the list"), (suggest_all, "behind the lowest"),
        (suggest_argmin_nan, "smallest of a list that holds nan"),
        (suggest_by_lr, "along the learning rate"),
        (suggest_ratio, "divided by the loss"),
        (suggest_log_loss, "logarithm of the loss"), (suggest_rise, "steepest rise"),
        (suggest_half, "Scale and level|Which neighbours"),
        (suggest_middle, "no learning"),
        (suggest_first, "first learning rate"), (suggest_last, "last learning rate"),
        (suggest_smoothed, "behind the lowest|Which neighbours"),
        (suggest_threshold, "Scale and level"),
        (suggest_two_before, "Which neighbours"),
        (suggest_half_way, "Which neighbours"),
        (suggest_early, "left of the lowest|behind the lowest"),
        (suggest_sorts, "changed its argument"), (suggest_pair, "expected a number"),
        (suggest_misses_one, "IndexError.*What lies behind")])


# Lesson 14: where is the cliff?

BANK["check_cliff"] = Bank(
    right=[1, 1.0, torch.tensor(1.)],
    wrong=[(0.01, "What share"), (0.03, "What share"), (0.1, "What share"), (0.3, "What share"),
        (0.016, "What share"), (3, "lower one"), (2, "lower one"), (100, "lower one"),
        ("one", "no number"), ([0.3, 1], "no number")])

BANK.update(LATER)
