"""Lesson 14 from outside: schedulers of PyTorch, ours against theirs, and a finder that leaves no trace."""
import copy
import io
import math
import random
import warnings
from functools import partial

import matplotlib
matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings, strategies as st
from torch import nn
from torch.optim import lr_scheduler as T

from minitrain.callbacks import GradAccumCB, MixedPrecision
from minitrain.core import ArgumentError
from minitrain.data import DataLoader, DataLoaders, Dataset
from minitrain.diagnose import summary
from minitrain.learner import Callback, CancelFitException, CancelStepException, Learner, MomentumLearner, TrainCB
from minitrain.metrics import MetricsCB
from minitrain.optim import SGD, Adam, AdamW, Momentum
from minitrain.schedule import (
    BatchSchedCB, EpochSchedCB, LRFinderCB, Schedule, freeze, one_cycle, warmup_cosine)
from minitrain.progress import RecorderCB

torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def no_figures():
    yield
    plt.close("all")


def data(n=400, seed=0):
    g = torch.Generator().manual_seed(seed)
    x = torch.randn(n, 6, generator=g)
    return x, (x[:, 0] + 0.5*x[:, 1] > 0).long()


def learner(opt_func=Momentum, cbs=(), seed=0, bs=20, loader=DataLoader, trainer=None, **kwargs):
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Linear(6, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.1), nn.Linear(16, 2))
    ds = Dataset(*data())
    return Learner(model, DataLoaders(loader(ds, bs, shuffle=True), loader(ds, 100)), F.cross_entropy,
        cbs=[trainer or TrainCB(), *cbs], opt_func=opt_func, **kwargs)


def path(make, opt_func, n, groups=1, **options):
    "(steps, groups, 2): learning rate and momentum at each update"
    opt = opt_func([dict(params=[nn.Parameter(torch.zeros(1))]) for _ in range(groups)], **options)
    sched, out = make(opt), []
    for _ in range(n):
        out.append([(g["lr"], g.get("momentum", g.get("betas", (0,))[0])) for g in opt.param_groups])
        opt.step()
        sched.step()
    return torch.tensor(out, dtype=torch.float64)


# --- ours against torch's -------------------------------------------------------------------------------------------

@settings(max_examples=12, deadline=None)
@given(n=st.integers(2, 150), pct=st.floats(0.01, 0.99), shape=st.sampled_from(["cos", "linear"]), peak=st.floats(1e-5, 10),
       opt_func=st.sampled_from([Momentum, Adam, AdamW, torch.optim.SGD, torch.optim.AdamW]), div=st.floats(1.5, 100), final=st.floats(1, 1e6))
def test_one_cycle_is_torchs(n, pct, shape, peak, opt_func, div, final):
    if abs(pct*n - 1) < 1e-9 or abs(pct*n - n) < 1e-9: return  # torch divides by zero there
    options = dict(max_lr=peak, total_steps=n, pct_start=pct, anneal_strategy=shape, div_factor=div, final_div_factor=final)
    ours, theirs = (path(partial(f, **options), opt_func, n) for f in (one_cycle, T.OneCycleLR))
    assert (ours - theirs).abs().max() < 1e-12*max(1, peak)


def test_one_cycle_by_group_without_momentum_and_limits():
    options = dict(max_lr=[0.1, 0.7], total_steps=20, cycle_momentum=False, base_momentum=0.5)
    ours, theirs = (path(partial(f, **options), torch.optim.SGD, 20, groups=2, lr=0.3) for f in (one_cycle, T.OneCycleLR))
    assert (ours - theirs).abs().max() < 1e-12
    opt = torch.optim.Adagrad([nn.Parameter(torch.zeros(1))], lr=1.)
    with pytest.raises(ArgumentError): one_cycle(opt, 0.1, 10)  # there is none to cycle
    one_cycle(opt, 0.1, 10, cycle_momentum=False)


@settings(max_examples=30, deadline=None)
@given(n=st.integers(2, 150), share=st.floats(0, 0.9), start=st.floats(1e-4, 1), end=st.floats(0, 0.5), lr=st.floats(1e-4, 10))
def test_warmup_cosine_is_torchs(n, share, start, end, lr):
    w = int(share*n)
    def theirs(opt):
        if not w: return T.CosineAnnealingLR(opt, n, eta_min=end*lr)
        return T.SequentialLR(opt, [T.LinearLR(opt, start, total_iters=w), T.CosineAnnealingLR(opt, n - w, eta_min=end*lr)], [w])
    ours = path(partial(warmup_cosine, total_steps=n, warmup_steps=w, start_factor=start, end_factor=end), Adam, n, lr=lr)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        want = path(theirs, Adam, n, lr=lr)
    assert (ours - want).abs().max() < 1e-12*max(1, lr)


def run_through(sched): return [sched.step() for _ in range(4)]


def test_after_the_last_step():
    ours = path(partial(warmup_cosine, total_steps=10, warmup_steps=2), SGD, 25, lr=1.)[:, 0, 0]
    assert ours[10:].abs().max() == 0 and ours[2] == 1
    opt = Momentum([nn.Parameter(torch.zeros(1))], lr=1.)
    for pct in (0.3, 1.):
        sched = one_cycle(opt, 0.1, 4, pct_start=pct)
        for _ in range(4): sched.step()
        with pytest.raises(ValueError): sched.step()  # as torch's
    for bad in (math.nan, math.inf, -1):
        with pytest.raises(ArgumentError): warmup_cosine(opt, 10, end_factor=bad)
        with pytest.raises(ArgumentError): warmup_cosine(opt, 10, 2, start_factor=bad)
        for name in ("max_lr", "base_momentum", "max_momentum"):
            with pytest.raises(ArgumentError): run_through(one_cycle(opt, **dict(max_lr=.1, total_steps=4) | {name: bad}))
        for name in ("div_factor", "final_div_factor"):
            if bad < 1 or bad != bad:
                with pytest.raises(ArgumentError): run_through(one_cycle(opt, .1, 4, **{name: bad}))


def test_schedule_state():
    opt = Momentum([nn.Parameter(torch.zeros(1))], lr=0.4)
    sched = Schedule(opt, lambda t: 1/(t + 1), momentum=lambda t: 0.9 - t/100)
    for _ in range(3): sched.step()
    state, want = sched.state_dict(), dict(opt.param_groups[0])
    other = Momentum([nn.Parameter(torch.zeros(1))], lr=0.4)
    Schedule(other, lambda t: 1/(t + 1), momentum=lambda t: 0.9 - t/100).load_state_dict(state)
    assert other.param_groups[0]["lr"] == want["lr"] == 0.1 and other.param_groups[0]["momentum"] == want["momentum"]


# --- schedulers in a Learner ------------------------------------------------------------------------------------------

class EveryOther(Callback):
    def after_backward(self, learn):
        if learn.iter % 2: raise CancelStepException()


def counting(log):
    "A scheduler that counts"
    def make(opt):
        class Count:
            def __init__(self): self.optimizer, self.n = opt, 0
            def step(self): self.n += 1
            def state_dict(self): return dict(n=self.n)
            def load_state_dict(self, d): self.n = d["n"]
        log.append(Count())
        return log[-1]
    return make


@pytest.mark.parametrize("opt_func", [SGD, Adam, torch.optim.SGD, torch.optim.AdamW])
def test_one_step_for_each_update(opt_func):
    log = []
    learn = learner(opt_func, cbs=[BatchSchedCB(counting(log))])
    learn.fit(2)
    assert [o.n for o in log] == [40]
    learn.fit(1, cbs=EveryOther())
    assert [o.n for o in log] == [40, 10]
    learn.fit(1, train=False)
    assert [o.n for o in log] == [40, 10]


def test_accumulated_batches_and_cancelled_ones():
    log = []
    learn = learner(cbs=[BatchSchedCB(counting(log)), GradAccumCB(5)])
    learn.fit(1)
    assert log[0].n == 4


def test_an_update_after_the_last_batch_counts():
    class Late(EveryOther):
        "Nothing but one update at the end of each epoch"
        order = -10
        def after_backward(self, learn): raise CancelStepException()
        def after_epoch(self, learn):
            if learn.training: learn.step(); learn.callback("after_step")
    log = []
    learner(cbs=[BatchSchedCB(counting(log)), Late()]).fit(3)
    assert log[0].n == 3


def test_epoch_scheduler_counts_epochs_with_updates():
    log = []
    class NoUpdates(Callback):
        def after_backward(self, learn):
            if learn.epoch == 1: raise CancelStepException()
    learner(cbs=[EpochSchedCB(counting(log)), NoUpdates()]).fit(4)
    assert log[0].n == 3


@pytest.mark.parametrize("valid", [True, False])
def test_plateau_sees_the_mean_loss(valid):
    metrics, sched = MetricsCB(), EpochSchedCB(partial(T.ReduceLROnPlateau, factor=0.1, patience=0, threshold=10., threshold_mode="abs"))
    learn = learner(cbs=[sched, metrics], lr=0.1, bs=27)  # the last batch is short
    learn.fit(1, valid=valid)
    want = [o["loss"] for o in metrics.rows if o["train"] == ("eval" if valid else "train")]
    assert math.isclose(sched.schedo.best, want[-1], rel_tol=1e-6)
    learn.fit(3, valid=valid)
    assert math.isclose(learn.opt.param_groups[0]["lr"], 0.1*0.1**2, rel_tol=1e-9)  # the first epoch sets the mark
    with pytest.raises(TypeError): learn.fit(1, cbs=BatchSchedCB(T.ReduceLROnPlateau))


SCHEDULERS = {
    "one-cycle": partial(T.OneCycleLR, max_lr=0.1, total_steps=40), "ours": partial(one_cycle, max_lr=0.1, total_steps=40),
    "warm-up": partial(warmup_cosine, total_steps=40, warmup_steps=5), "cosine": partial(T.CosineAnnealingLR, T_max=40),
    "multistep": partial(T.MultiStepLR, milestones=[10, 25, 25]), "lambda": partial(T.LambdaLR, lr_lambda=lambda t: 1/(t + 1)),
    "sequential": lambda opt: T.SequentialLR(opt, [T.LinearLR(opt, 0.1, total_iters=9), T.MultiStepLR(opt, [7, 12]), T.LambdaLR(opt, lambda t: 0.9**t)], [9, 25]),
    "chained": lambda opt: T.ChainedScheduler([T.ExponentialLR(opt, 0.97), T.StepLR(opt, 11)]),
    "cyclic": partial(T.CyclicLR, base_lr=0.01, max_lr=0.1, step_size_up=7), "restarts": partial(T.CosineAnnealingWarmRestarts, T_0=9, T_mult=2)}


def stored(state):
    "What a file holds of it, read without running any code"
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    return torch.load(file, weights_only=True)


@pytest.mark.parametrize("name", SCHEDULERS)
def test_resumed_in_the_middle(name):
    "Cut after 17 updates, stored in a file, gone on in new objects: the same learning rates as never stopping"
    def fit(cbs):
        rec, sched = RecorderCB(lr=lambda cb: cb.pg["lr"], mom=lambda cb: cb.pg["momentum"]), BatchSchedCB(SCHEDULERS[name])
        learn = learner(cbs=[rec, sched])
        for cb in cbs: cb.sched, cb.rec = sched, rec
        learn.fit(2, cbs=cbs)
        return rec.recs
    class Cut(Callback):
        order = 50
        def after_batch(self, learn):
            if learn.iter == 16:
                self.state = copy.deepcopy((self.sched.state_dict(), self.rec.state_dict(), [{k: v for k, v in g.items() if k != "params"} for g in learn.opt.param_groups]))
                raise CancelFitException()
    class GoOn(Callback):
        order = -50
        def __init__(self, state): self.state, self.done = state, False
        def before_batch(self, learn):
            if self.done or not learn.training: return
            self.done, learn.iter = True, 17
            self.sched.load_state_dict(self.state[0])
            self.rec.load_state_dict(self.state[1])
            for g, kept in zip(learn.opt.param_groups, self.state[2]): g.update(kept)
        def after_epoch(self, learn):
            if len(self.rec.recs["lr"]) >= 40: raise CancelFitException()
        def after_batch(self, learn):
            if len(self.rec.recs["lr"]) >= 40: raise CancelFitException()
    whole, cut = fit([]), Cut()
    fit([cut])
    again = fit([GoOn(stored(cut.state))])
    assert len(whole["lr"]) == 40
    assert torch.allclose(torch.tensor(again["lr"][:40], dtype=torch.float64), torch.tensor(whole["lr"], dtype=torch.float64), rtol=0, atol=1e-15)
    assert again["mom"][:40] == whole["mom"]


# --- how long a fit is -----------------------------------------------------------

CYCLES = [partial(one_cycle, max_lr=0.2), partial(T.OneCycleLR, max_lr=0.2)]


@pytest.mark.parametrize("cycle", CYCLES, ids=["ours", "torch"])
@pytest.mark.parametrize("cbs, each", [([], 20), ([GradAccumCB(3)], 7), ([GradAccumCB(99)], 1)])
def test_a_cycle_is_as_long_as_the_fit(cycle, cbs, each):
    rec, sched = RecorderCB(lr=lambda cb: cb.pg["lr"]), BatchSchedCB(cycle)
    with warnings.catch_warnings(action="error"): learner(cbs=[*cbs, rec]).fit(2, cbs=sched)
    assert sched.schedo.total_steps == 2*each and rec.recs["lr"][-1] < 0.2/1e5


def test_a_schedule_longer_than_the_fit_is_said_and_a_right_one_is_not():
    options = dict(max_lr=0.2, epochs=2, steps_per_epoch=20)
    quiet = [partial(one_cycle, max_lr=0.2, total_steps=40), partial(T.OneCycleLR, **options),
        partial(warmup_cosine, warmup_steps=3), lambda opt: one_cycle(opt, 0.2, 40),
        partial(warmup_cosine, total_steps=30)]  # stays at the bottom
    for sched in quiet:
        with warnings.catch_warnings(action="error"): learner().fit(2, cbs=BatchSchedCB(sched))
    loud = [partial(one_cycle, max_lr=0.2, total_steps=100), lambda opt: one_cycle(opt, 0.2, 41),
        partial(T.OneCycleLR, **options | dict(epochs=3)), partial(warmup_cosine, total_steps=100)]
    for sched in loud:
        with pytest.warns(UserWarning, match="this fit ends after 40"):
            learner().fit(2, cbs=BatchSchedCB(sched))


def test_an_epoch_scheduler_takes_epochs():
    rec = RecorderCB(lr=lambda cb: cb.pg["lr"])
    learner(cbs=[rec, EpochSchedCB(partial(warmup_cosine))], lr=1.).fit(4)
    assert rec.recs["lr"][::20] == pytest.approx([(1 + math.cos(math.pi*i/4))/2 for i in range(4)])


def test_no_length_and_no_epochs():
    class Stream(torch.utils.data.IterableDataset):
        def __iter__(self): return iter(zip(*data()))
    learn = learner()
    learn.dls.train = torch.utils.data.DataLoader(Stream(), 20)
    with pytest.raises(ArgumentError, match="total_steps"): learn.fit(1, cbs=BatchSchedCB(CYCLES[0]))
    learn.fit(1, cbs=BatchSchedCB(partial(one_cycle, max_lr=0.1, total_steps=20)))
    learner().fit_one_cycle(0, 0.1)


def rates(learn): return [g["lr"] for g in learn.opt.param_groups]


def grouped(opt):
    def make(params, lr):
        a, b, *rest = params
        return opt([dict(params=[a, b], lr=lr/10), dict(params=rest)], lr)
    return make


@pytest.mark.parametrize("opt", [Momentum, Adam, torch.optim.AdamW])
def test_fit_one_cycle(opt):
    "As the cycle written out; groups keep their ratio; an optimizer of one's own, twice"
    def weights(fit):
        learn = learner(opt)
        fit(learn)
        return torch.cat([p.detach().flatten() for p in learn.model.parameters()])
    want = weights(lambda learn: learn.fit(2, cbs=BatchSchedCB(
        partial(one_cycle, max_lr=0.03, total_steps=40, pct_start=0.2))))
    assert torch.equal(want, weights(lambda learn: learn.fit_one_cycle(2, 0.03, pct_start=0.2)))
    rec = RecorderCB(lr=lambda cb: rates(cb.learn))
    learn = learner(grouped(opt), cbs=[rec])
    learn.fit_one_cycle(1, 0.03)
    low, high = map(torch.tensor, zip(*rec.recs["lr"]))
    assert torch.allclose(low*10, high) and 0.025 < high.max() <= 0.03
    own = learner(None, cbs=[rec])
    own.opt = grouped(opt)(own.model.parameters(), 0.5)
    for _ in range(2):
        own.fit_one_cycle(1, 0.03)
        assert torch.allclose(torch.tensor(rec.recs["lr"]), torch.stack([low, high], 1))


def test_fit_one_cycle_without_a_momentum_and_with_the_learners_rate():
    rec = RecorderCB(lr=lambda cb: cb.pg["lr"])
    learn = learner(SGD, lr=0.2)
    learn.fit_one_cycle(2, cbs=rec, valid=False)
    assert 0.19 < max(rec.recs["lr"]) <= 0.2 and not any(cb is rec for cb in learn.cbs)


def test_freeze():
    learn = learner()
    body = learn.model[:2]
    before = copy.deepcopy(body.state_dict())
    assert freeze(body) is body
    learn.fit(2)
    assert same(dict(body.state_dict()), dict(before))
    assert [m.training for m in learn.model] == [False, False, True, True, True]
    freeze(body, False)
    learn.fit(1)
    assert not any(same(v, before[k]) for k, v in body.state_dict().items())


# --- what a batch counts -----------------------------------------------------------

def plateau_of(loss_func, size=None, valid=True, y=None):
    sched = EpochSchedCB(T.ReduceLROnPlateau)
    learn = learner(cbs=[sched, MetricsCB(size=size)], lr=1e-9)
    learn.model = learn.model[::2]  # without BatchNorm and dropout
    x, labels = data()
    dl = DataLoader(Dataset(x, labels if y is None else y), 30)
    learn.dls = DataLoaders(dl, dl) if valid else DataLoaders(dl, None)
    learn.loss_func = loss_func
    learn.fit(1, valid=valid)
    with torch.no_grad(): return sched.schedo.best, learn.model(x)


@pytest.mark.parametrize("valid", [True, False])
def test_the_plateau_is_told_the_weight(valid):
    "A loss that hides its ignore_index, and batches without any label"
    y = data()[1].clone()
    y[torch.arange(400) % 7 > 2] = y[60:120] = -100
    hides = lambda z, t: F.cross_entropy(z, t, ignore_index=-100)
    best, z = plateau_of(hides, lambda t: (t != -100).sum(), valid, y)
    assert best == pytest.approx(F.cross_entropy(z, y).item(), rel=1e-3)
    assert not math.isfinite(plateau_of(hides, None, valid, y)[0])  # the control
    told, _ = plateau_of(F.cross_entropy, None, valid, y)
    assert told == best
    total, _ = plateau_of(partial(F.cross_entropy, reduction="sum"), None, valid)
    assert total == pytest.approx(F.cross_entropy(z, data()[1]).item(), rel=1e-3)


def test_an_aborted_fit_does_not_move_a_plateau_that_only_validates():
    sched = EpochSchedCB(T.ReduceLROnPlateau)
    learn = learner(cbs=[sched, MetricsCB()])
    class Stop(Callback):
        def after_batch(self, learn): raise CancelFitException()
    learn.fit(1, cbs=Stop())
    learn.fit(1, train=False)
    assert sched.schedo.last_epoch == 0


def test_a_plateau_needs_a_loss():
    with pytest.raises(ArgumentError, match="MetricsCB"):
        learner(cbs=[EpochSchedCB(T.ReduceLROnPlateau)]).fit(1)


# --- recorder -----------------------------------------------------------------------------------------------------------

def test_recorder():
    rec = RecorderCB(lr=lambda cb: cb.pg["lr"], loss=lambda cb: cb.learn.loss, epoch=lambda cb: cb.learn.epoch)
    learn = learner(cbs=[rec], lr=0.05)
    learn.fit(2)
    assert {k: len(v) for k, v in rec.recs.items()} == dict(lr=40, loss=40, epoch=40)
    assert rec.recs["epoch"] == [0]*20 + [1]*20 and set(rec.recs["lr"]) == {0.05} and len({float(o) for o in rec.recs["loss"]}) > 30
    assert not any(o.requires_grad for o in rec.recs["loss"])
    fig = rec.plot()
    assert [ax.get_ylabel() for ax in fig.axes] == ["lr", "loss", "epoch"] and [len(ax.lines[0].get_ydata()) for ax in fig.axes] == [40]*3
    learn.fit(1, train=False)
    assert len(rec.recs["lr"]) == 40
    learn.fit(1)
    assert len(rec.recs["lr"]) == 20


# --- finder -------------------------------------------------------------------------------------------------------------

def snapshot(learn):
    "Everything that a finder must not move"
    gen = getattr(learn.dls.train, "generator", None)
    return copy.deepcopy(dict(state=learn.model.state_dict(), modes=[m.training for m in learn.model.modules()],
        grads=[p.grad for p in learn.model.parameters()], rng=(torch.get_rng_state(), random.getstate(), np.random.get_state()[1:3]),
        opt=None if learn.opt is None else ([dict(o) for o in learn.opt.state.values()], [{k: v for k, v in g.items() if k != "params"} for g in learn.opt.param_groups]),
        loader=learn.dls.train.state_dict() if hasattr(learn.dls.train, "state_dict") else None, gen=None if gen is None else gen.get_state(),
        cbs=[type(o).__name__ for o in learn.cbs], fields=(learn.epoch, learn.iter, learn.first_iter)))


def same(a, b):
    if isinstance(a, torch.Tensor): return torch.equal(a, b)
    if isinstance(a, np.ndarray): return np.array_equal(a, b)
    if isinstance(a, dict): return set(a) == set(b) and all(same(v, b[k]) for k, v in a.items())
    if isinstance(a, (list, tuple)): return len(a) == len(b) and all(map(same, a, b))
    return a == b


def half(): return MixedPrecision(dtype=torch.float16)


class Draws(Callback):
    "Moves every generator there is"
    def before_batch(self, learn): random.random(); np.random.rand(); torch.rand(1)


class Boom(Callback):
    def __init__(self, error): self.error = error
    def after_step(self, learn):
        if learn.iter == 7: raise self.error


def torch_loader(ds, bs, shuffle=False):
    return torch.utils.data.DataLoader(ds, bs, shuffle=shuffle, generator=torch.Generator().manual_seed(1) if shuffle else None)


@pytest.mark.parametrize("trained", [0, 2])
@pytest.mark.parametrize("loader", [DataLoader, torch_loader])
@pytest.mark.parametrize("opt_func", [SGD, Momentum, Adam, torch.optim.AdamW])
def test_lr_find_leaves_no_trace(opt_func, loader, trained):
    learn = learner(opt_func, cbs=[Draws()], loader=loader, lr=0.01)
    if trained: learn.fit(trained)
    learn.model[1].eval()  # frozen
    ids = [id(o) for o in (*learn.model.parameters(), *learn.model.buffers())]
    before, opt = snapshot(learn), learn.opt
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        learn.lr_find()
    assert same(before, snapshot(learn)) and learn.opt is opt
    assert ids == [id(o) for o in (*learn.model.parameters(), *learn.model.buffers())]
    # control: training does move what is compared
    learn.fit(1)
    assert not same(before, snapshot(learn))


@pytest.mark.parametrize("error", [ValueError("x"), KeyboardInterrupt(), CancelFitException()])
def test_lr_find_leaves_no_trace_when_it_fails(error):
    learn = learner(Adam, cbs=[Draws(), Boom(error)])
    learn.cbs.pop()
    learn.fit(1)
    learn.cbs.append(Boom(error))
    before, opt = snapshot(learn), learn.opt
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try: learn.lr_find(plot=False)
        except BaseException as e: assert e is error
        else: assert isinstance(error, CancelFitException)
    assert same(before, snapshot(learn)) and learn.opt is opt


def test_what_follows_is_what_would_have_been():
    "Training after lr_find gives bit for bit the weights of training without it"
    out = []
    for find in (False, True):
        random.seed(0), np.random.seed(0)
        learn = learner(Adam, cbs=[Draws()], lr=0.01)
        learn.fit(1)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if find: learn.lr_find(plot=False)
        learn.fit(1)
        out.append(learn.model.state_dict())
    assert same(*out)


@pytest.mark.parametrize("fits", [0, 1])
@pytest.mark.parametrize("how", ["lr_find", "alone"])
def test_the_scale_of_mixed_precision_is_as_it_was(how, fits):
    "Also where there was no scaler yet; and the fit that follows is the same"
    out = []
    for find in (True, False):
        learn = learner(trainer=half())
        learn.fit(fits)
        if find and how == "lr_find": learn.lr_find(max_mult=1e9, plot=False)
        if find and how == "alone": learn.fit(5, valid=False, lr=1e-5, cbs=LRFinderCB(max_mult=1e9))
        learn.fit(1)
        out.append((learn.cbs[0].scaler.state_dict(), dict(learn.model.state_dict())))
    assert same(*out)


@pytest.mark.parametrize("gamma", [1.01, 3, 10, 1e6])
@pytest.mark.parametrize("trainer", [TrainCB, half], ids=["float32", "float16"])
@pytest.mark.parametrize("opt", [SGD, Adam, torch.optim.SGD, torch.optim.AdamW])
def test_every_gamma_ends_in_a_result(opt, trainer, gamma):
    "Also where the loss never explodes, so that the rate grows without end"
    for loss in (F.cross_entropy, lambda z, y: F.cross_entropy(z, y).tanh()):
        learn = learner(opt, trainer=trainer())
        learn.loss_func = loss
        with warnings.catch_warnings(action="ignore"):
            lr = learn.lr_find(gamma=gamma, max_epochs=5, plot=False)
        assert lr is None or math.isfinite(lr)


def test_a_batch_that_counts_for_nothing_does_not_end_the_sweep():
    x, y = data()
    y = y.clone()
    y[20:40] = -100  # all of the second batch
    learn, finder = learner(Adam), LRFinderCB(max_mult=1e9)
    learn.dls.train = DataLoader(Dataset(x, y), 20)
    learn.fit(1, valid=False, lr=1e-5, cbs=finder)
    assert len(finder.lrs) == 19 and all(map(math.isfinite, finder.losses))


def test_a_sweep_with_groups_reads_the_fastest():
    finder = LRFinderCB(max_mult=1e9)
    learner(grouped(Momentum)).fit(1, lr=1e-4, cbs=finder)
    assert finder.lrs[0] == 1e-4


def test_gradients_from_before_are_kept():
    learn = learner()
    F.cross_entropy(learn.model(data()[0]), data()[1]).backward()
    grads = [p.grad.clone() for p in learn.model.parameters()]
    learn.lr_find(plot=False)
    assert all(torch.equal(p.grad, g) for p, g in zip(learn.model.parameters(), grads))


def test_own_optimizer():
    learn = learner(None)
    learn.opt = torch.optim.Adam(learn.model.parameters(), lr=0.3)
    before = snapshot(learn)
    found = learn.lr_find(plot=False)
    assert 1e-4 < found < 1 and same(before, snapshot(learn))


def test_finder_alone():
    finder = LRFinderCB(gamma=1.5)
    learn = learner(Adam, cbs=[finder], lr=1e-4)
    learn.fit(1, cbs=[])
    before = {k: v.clone() for k, v in learn.model.state_dict().items()}
    learn.fit(10)
    assert same(dict(learn.model.state_dict()), before)
    assert all(math.isclose(b/a, 1.5) for a, b in zip(finder.lrs, finder.lrs[1:])) and finder.lrs[0] == 1e-4 and len(plt.get_fignums()) >= 1
    n = len(finder.lrs)
    learn.fit(1, train=False)
    assert len(finder.lrs) in (0, n)


def test_finder_with_accumulation_counts_updates():
    learn, finder = learner(cbs=[GradAccumCB(2)]), LRFinderCB(max_mult=1e9)
    learn.fit(1, lr=1e-3, cbs=finder)
    assert len(finder.lrs) == 10


class Loss(nn.Module):
    "Gives losses from a list, whatever the model says"
    def __init__(self, values): super().__init__(); self.values = iter(values)
    def forward(self, preds, yb): return preds.sum()*0 + next(self.values)


@pytest.mark.parametrize("values, n", [([3., 3., 1., 1., 1., 99., 99.], 6), ([-1.]*3 + [-2.]*4 + [-1.9]*3 + [9.]*9, 12), ([2., 1., float("nan")], 2), ([2., 1., float("inf")], 2)])
def test_finder_stops(values, n):
    learn, finder = learner(), LRFinderCB()
    learn.loss_func = Loss(values + [99.]*50)
    learn.fit(1, lr=1e-5, cbs=finder)
    assert len(finder.lrs) == n


def test_suggestion():
    finder = LRFinderCB()
    finder.lrs = [1e-5*1.3**i for i in range(50)]
    fall = [2/(1 + math.exp((i - 25)/2)) for i in range(40)] + [0.1*4**i for i in range(10)]
    finder.losses = fall
    at = finder.lrs.index(finder.suggestion())
    assert 25 <= at <= 30
    for scaled in ([100*o for o in fall], [o - 7 for o in fall]):
        finder.losses = scaled
        assert finder.lrs.index(finder.suggestion()) == at
    for flat in ([1.]*50, [1 + 0.1*(-1)**i for i in range(50)], [float(i) for i in range(50)], []):
        finder.losses = flat
        assert finder.suggestion() is None


def test_metrics_and_schedules_stay_out_of_lr_find(capsys):
    log, metrics, rec = [], MetricsCB(), RecorderCB(lr=lambda cb: cb.pg["lr"])
    learn = learner(cbs=[metrics, rec, BatchSchedCB(counting(log))])
    learn.lr_find(plot=False)
    assert not log and not metrics.rows and not rec.recs["lr"] and capsys.readouterr().out == ""


def test_momentum_learner_and_returned_number_fits():
    x, y = data()
    learn = MomentumLearner(nn.Linear(6, 2), [(a, b) for a, b in zip(x.split(20), y.split(20))], F.cross_entropy)
    lr = learn.lr_find(plot=False)
    learn.fit(3, lr=lr)
    assert learn.loss < 0.5


def test_what_a_schedule_or_a_sweep_cannot_do_is_said():
    opt = SGD([nn.Parameter(torch.zeros(1))], 0.1)
    with pytest.raises(ArgumentError, match="`anneal_strategy`"): one_cycle(opt, 0.1, 10, anneal_strategy="x")
    lazy = nn.Sequential(nn.LazyLinear(3), nn.ReLU())
    with pytest.raises(ArgumentError, match="`model`"): summary(lazy, torch.zeros(2, 4))
    lazy(torch.zeros(2, 4))
    assert summary(lazy, torch.zeros(2, 4)).params == 15
