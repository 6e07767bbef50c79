"The Learner: what fires when, however a fit ends; nothing left behind; the same weights as lesson 05's loop."
import copy, gc, operator, re, weakref
from collections import namedtuple
from dataclasses import dataclass
from functools import partial
from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings, strategies as st
from torch import nn

from minitrain.core import ArgumentError
from minitrain.data import DataLoader, DataLoaders, Dataset, get_dls
from minitrain.learner import (
    Callback, CancelBatchException, CancelEpochException, CancelFitException,
    CancelStepException, Learner, MomentumLearner, SingleBatchCB, TrainCB,
    TrainLearner)
from minitrain.loop import fit
from minitrain.metrics import MetricsCB
from minitrain.optim import Adam, Momentum, SGD

FIT, EPOCH, BATCH, STEP = CancelFitException, CancelEpochException, CancelBatchException, CancelStepException
TRAIN_BATCH = ["before_batch", "after_predict", "after_loss", "after_backward", "after_step", "after_batch", "cleanup_batch"]
VALID_BATCH = ["before_batch", "after_predict", "after_loss", "after_batch", "cleanup_batch"]


def short(o):
    "An id that is the same in every process: no addresses"
    return re.sub(r" at 0x\w+", "", str(o))


def epoch(*batches): return ["before_epoch", *(e for b in batches for e in b), "after_epoch", "cleanup_epoch"]


NORMAL = ["before_fit", *epoch(TRAIN_BATCH), *epoch(VALID_BATCH), "after_fit", "cleanup_fit"]
ALL = sorted(set(NORMAL))


def make_model(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout(0.5), nn.Linear(4, 1))


def batches(n=1, size=5, seed=0):
    g = torch.Generator().manual_seed(seed)
    return [(torch.randn(size, 3, generator=g), torch.randn(size, 1, generator=g)) for _ in range(n)]


def make(cbs=(), n=1, cls=Learner, trainer=True, **kwargs):
    return cls(make_model(), DataLoaders(batches(n), batches(n, seed=1)), cbs=[*([TrainCB()] if trainer else []), *cbs], **{"lr": 0.01, **kwargs})


class Log(Callback):
    "Writes down each event; does something at one of them"
    order = 5
    def __init__(self, at=None, do=None, times=1): self.seen, self.at, self.do, self.times = [], at, do, times

    def event(self, name, learn):
        self.seen.append(name)
        if name == self.at and self.times:
            self.times -= 1
            if isinstance(self.do, BaseException): raise self.do
            self.do(learn)


for _name in ALL: setattr(Log, _name, lambda self, learn, _name=_name: self.event(_name, learn))


def grads(learn): return [n for n, p in learn.model.named_parameters() if p.grad is not None]


def assert_clean(learn, modes=None, cbs=None):
    "Nothing of a fit is left"
    assert not grads(learn)
    assert [m.training for m in learn.model.modules()] == (modes or [True]*5)
    assert not any(isinstance(o, torch.Tensor) and (o.grad_fn is not None) for o in (learn.preds, learn.loss))
    assert torch.is_grad_enabled()
    if cbs is not None: assert len(learn.cbs) == len(cbs) and all(map(operator.is_, learn.cbs, cbs))


# what fires when

def test_normal_order():
    learn = make([log := Log()])
    learn.fit(1)
    assert log.seen == NORMAL
    assert_clean(learn)


def test_order_of_many():
    learn = make([log := Log()], n=2)
    learn.fit(2)
    one = [*epoch(TRAIN_BATCH, TRAIN_BATCH), *epoch(VALID_BATCH, VALID_BATCH)]
    assert log.seen == ["before_fit", *one, *one, "after_fit", "cleanup_fit"]
    log.seen.clear(); learn.fit(0)
    assert log.seen == ["before_fit", "after_fit", "cleanup_fit"]
    log.seen.clear(); learn.fit(1, train=False)
    assert log.seen == ["before_fit", *epoch(VALID_BATCH, VALID_BATCH), "after_fit", "cleanup_fit"]
    log.seen.clear(); learn.fit(1, valid=False)
    assert log.seen == ["before_fit", *epoch(TRAIN_BATCH, TRAIN_BATCH), "after_fit", "cleanup_fit"]


def expected(at, exc):
    "The events when `exc` is raised at the first `at` of one training and one validation batch: written from the table in words, not from the code"
    stage = {FIT: "fit", EPOCH: "epoch", BATCH: "batch"}.get(type(exc), "all")
    i = NORMAL.index(at)
    seen, open_ = list(NORMAL[:i + 1]), []
    for e in seen:
        when, _, name = e.partition("_")
        if name not in ("fit", "epoch", "batch"): continue
        if when == "before": open_.append(name)
        if when == "cleanup": open_.remove(name)
    failed_before = at.partition("_")[2] if at.startswith("before_") and stage == "all" else None
    while open_:
        name = open_.pop()
        if name != failed_before: seen.append(f"cleanup_{name}")  # a before_ that failed has nothing to clean up; one that cancelled has
        if name == stage: break
    else: return seen
    return seen + NORMAL[_end(i, stage):]


def _end(i, stage):
    "Where NORMAL goes on after the stage that event `i` is in"
    return next(j for j in range(i, len(NORMAL)) if NORMAL[j] == f"cleanup_{stage}") + 1


INSIDE = dict(fit=ALL, epoch=[e for e in ALL if "fit" not in e], batch=[e for e in ALL if "fit" not in e and "epoch" not in e])


@pytest.mark.parametrize("stage", ["fit", "epoch", "batch"])
def test_cancel_from_every_event(stage):
    exc = dict(fit=FIT, epoch=EPOCH, batch=BATCH)[stage]
    for at in INSIDE[stage]:
        learn = make([log := Log(at, exc())])
        if at.startswith("cleanup_"):
            learn.fit(1)
            want = NORMAL if at == f"cleanup_{stage}" else expected(at, exc())
        else:
            learn.fit(1)
            want = expected(at, exc())
        assert log.seen == want, at
        assert_clean(learn)


@pytest.mark.parametrize("exc", [EPOCH, BATCH, STEP], ids=lambda e: e.__name__)
def test_cancel_where_nothing_of_its_kind_runs(exc):
    "No Cancel exception ever reaches the user: it is a clear RuntimeError"
    outside = {EPOCH: ["before_fit", "after_fit", "cleanup_fit"], BATCH: [e for e in ALL if e not in INSIDE["batch"]],
               STEP: [e for e in ALL if e != "after_backward"]}[exc]
    for at in outside:
        learn = make([log := Log(at, exc())])
        with pytest.raises(RuntimeError) as e: learn.fit(1)
        assert isinstance(e.value.__cause__, exc)
        assert "cleanup_fit" in log.seen
        assert_clean(learn)


@pytest.mark.parametrize("exc", [ValueError("x"), KeyboardInterrupt(), SystemExit(3), StopIteration(), MemoryError()], ids=lambda e: type(e).__name__)
def test_failure_at_every_event(exc):
    for at in ALL:
        err = type(exc)(*exc.args)
        learn = make([log := Log(at, err)])
        own = list(learn.cbs)
        with pytest.raises(type(exc)) as e: learn.fit(1, cbs=Callback())
        assert e.value is err
        assert log.seen == expected(at, err), at
        note, = e.value.__notes__
        assert f"Log.{at}" in note
        assert "epoch 0" in note or at.endswith("_fit"), note
        assert "batch 0" in note or at.endswith(("_fit", "_epoch")), note
        assert_clean(learn, cbs=own)
        log.times = 0; log.seen.clear()
        learn.fit(1)  # and it works again
        assert log.seen == NORMAL


def test_notes_say_where():
    class Third(Callback):
        def after_loss(self, learn):
            if learn.epoch == 1 and learn.iter == 2 and not learn.training: raise KeyError("mine")
    with pytest.raises(KeyError, match="mine") as e: make([Third()], n=3).fit(2)
    note, = e.value.__notes__
    for word in ("Third.after_loss", "epoch 1", "batch 2", "validation"): assert word in note


@pytest.mark.parametrize("part", ["predict", "get_loss", "backward", "step", "zero_grad"])
@pytest.mark.parametrize("by", ["callback", "learner"])
def test_failure_in_the_trainer(part, by):
    scope = {}
    exec(f"def {part}(self, *args): raise ValueError('mine')", scope)  # a function of that very name
    fail = scope[part]
    if by == "callback": learn = make([(log := Log()), type("MyTrainCB", (TrainCB,), {part: fail})()], trainer=False)
    else: learn = make([log := Log()], trainer=False, cls=type("MyLearner", (TrainLearner,), {part: fail}))
    with pytest.raises(ValueError, match="mine") as e: learn.fit(1)
    name = f"{'MyTrainCB' if by == 'callback' else 'MyLearner'}.{part}"
    assert any(name in o and "batch 0" in o for o in e.value.__notes__)
    assert log.seen[-3:] == ["cleanup_batch", "cleanup_epoch", "cleanup_fit"] and not [o for o in log.seen if o.startswith("after_") and o.endswith(("batch", "epoch", "fit"))]
    assert_clean(learn)


def test_order_and_stability():
    said = []
    def cb(name, o): return type(name, (Callback,), dict(order=o, before_fit=lambda self, learn: said.append(name)))()
    make([cb("d", 3), cb("a", -1), cb("b", 0), cb("c", 0), cb("e", 3.5)]).fit(0)
    assert said == ["a", "b", "c", "d", "e"]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from([e for e in ALL]), st.sampled_from([None, FIT, EPOCH, BATCH, STEP, ValueError, KeyboardInterrupt]), st.integers(0, 1)), max_size=4))
def test_whatever_happens(plan):
    "Several callbacks raise anything anywhere: each before_ that went through has its cleanup_, and nothing is left"
    cbs = [Log(at, exc() if exc else (lambda learn: None), times) for at, exc, times in plan] + [watch := Log()]
    for i, cb in enumerate(cbs): cb.order = i
    watch.order = -1  # first to begin
    learn = make(cbs, n=2)
    own = list(learn.cbs)
    try: learn.fit(2)
    except (ValueError, KeyboardInterrupt, RuntimeError): pass
    for stage in ("fit", "epoch", "batch"): assert watch.seen.count(f"before_{stage}") == watch.seen.count(f"cleanup_{stage}")
    assert_clean(learn, cbs=own)


# cleanup


def test_cleanup_failures_do_not_hide_the_error_nor_each_other():
    logs = [Log("after_loss", ValueError("real")), Log("cleanup_fit", KeyError("first")),
            Log("cleanup_fit", OSError("second")), Log()]
    with pytest.raises(ValueError, match="real"): make(logs).fit(1)
    assert logs[3].seen[-1] == "cleanup_fit"
    logs = [Log("cleanup_batch", KeyError("first")), Log()]
    with pytest.raises(KeyError) as e: make(logs).fit(1)
    assert any("Log.cleanup_batch" in o for o in e.value.__notes__)
    assert logs[1].seen[-3:] == ["cleanup_batch", "cleanup_epoch", "cleanup_fit"]


def test_cancel_fit_in_cleanup_of_a_cancelled_batch():
    learn = make([Log("after_loss", BATCH()), log := Log("cleanup_batch", FIT())], n=3)
    learn.fit(1)
    assert log.seen.count("before_batch") == 1 and log.seen[-1] == "cleanup_fit"


# callbacks that come and go

def test_a_callback_that_removes_itself_is_cleaned_up():
    class Once(Log):
        def after_batch(self, learn):
            super().after_batch(learn)
            learn.cbs.remove(self)
    learn = make([once := Once()], n=3)
    learn.fit(1)
    assert once.seen == [*NORMAL[:8], "cleanup_batch", "cleanup_epoch", "cleanup_fit"]


def test_a_callback_that_comes_late_is_not_cleaned_up_for_what_it_missed():
    late = Log()
    learn = make([Log("after_loss", lambda learn: learn.cbs.append(late))], n=2)
    learn.fit(1)
    assert late.seen == ["after_backward", "after_step", "after_batch", *TRAIN_BATCH, "after_epoch", *epoch(VALID_BATCH, VALID_BATCH), "after_fit"]


def test_temporary_callbacks():
    learn = make()
    own = list(learn.cbs)
    learn.fit(1, cbs=Log()); learn.fit(1, cbs=[Log(), Log()]); learn.fit(1, cbs=(Log() for _ in range(2)))
    assert_clean(learn, cbs=own)


def test_a_callback_that_can_be_iterated_over_is_one_callback():
    class Many(Callback):
        def __iter__(self): return iter([1, 2])
    cb = Many()
    assert Learner(make_model(), cbs=cb).cbs == [cb]
    make().fit(0, cbs=cb)


def test_callbacks_change_batch_preds_loss_loader():
    class Change(Callback):
        def before_epoch(self, learn): learn.dl = learn.dl*2
        def before_batch(self, learn): learn.batch = learn.batch[0], learn.batch[1] + 100
        def after_predict(self, learn): learn.preds = learn.preds + 100
        def after_loss(self, learn): learn.loss = learn.loss*0
    learn = make([Change(), log := Log()])
    w = learn.model[0].weight.detach().clone()
    learn.fit(1)
    assert log.seen.count("after_step") == 2 and learn.loss == 0 and torch.equal(learn.model[0].weight, w)


# mistakes that would pass in silence


def test_a_generator_gives_its_batches_once():
    learn = Learner(make_model(), iter(batches()), cbs=TrainCB())
    with pytest.raises(ArgumentError): learn.fit(2)


def test_names_that_are_no_typos():
    "Helpers, private names, counters named after an event or a part, an inherited event switched off"
    class Fine(Log):
        step = 0
        after_loss = None
        def plot(self): pass
        def _after_bach(self): pass
        def steps(self): pass
        def __init__(self): super().__init__(); self.before_stats, self.backward = [], 1
    make([fine := Fine()]).fit(1)
    assert "after_loss" not in fine.seen


def test_no_fit_within_a_fit():
    learn = make([Log("after_loss", lambda learn: learn.fit(1))])
    with pytest.raises(RuntimeError): learn.fit(1)
    assert_clean(learn)


def test_a_subclass_may_have_events_of_its_own():
    class Mine(TrainLearner):
        events = TrainLearner.events | {"after_metrics"}
        def get_loss(self): super().get_loss(); self.callback("after_metrics")
    said = []
    make([SimpleNamespace(after_metrics=lambda learn: said.append(learn.iter))], cls=Mine, trainer=False).fit(1)
    assert said == [0, 0]


# the same training as lesson 05

def weights(model): return torch.cat([o.flatten().double() for o in model.state_dict().values()])


@pytest.mark.parametrize("opt_func", [SGD, partial(torch.optim.AdamW, weight_decay=0.1), partial(torch.optim.SGD, momentum=0.9)], ids=short)
@pytest.mark.parametrize("how", ["TrainCB", "TrainLearner"])
def test_same_weights_as_fit(opt_func, how):
    g = torch.Generator().manual_seed(0)
    x, y = torch.randn(44, 3, generator=g), torch.randn(44, 1, generator=g)
    def dls(): return get_dls(Dataset(x[:34], y[:34]), Dataset(x[34:], y[34:]), 8, seed=3)
    a, b = make_model(), make_model()
    torch.manual_seed(5)
    rows = fit(3, a, F.mse_loss, opt_func(a.parameters(), lr=0.05), *dls(), metrics=())
    last = []
    class Last(Callback):
        def after_epoch(self, learn):
            if not learn.training: last.append(learn.loss.item())
    torch.manual_seed(5)
    kwargs = dict(loss_func=F.mse_loss, lr=0.05, opt_func=opt_func)
    learn = Learner(b, DataLoaders(*dls()), cbs=[TrainCB(), Last()], **kwargs) if how == "TrainCB" else TrainLearner(b, dls(), cbs=Last(), **kwargs)
    for p in b.parameters(): p.grad = torch.ones_like(p)  # left by somebody
    learn.fit(3)
    assert torch.equal(weights(a), weights(b))
    assert rows[-1]["loss"] == pytest.approx(last[-1], abs=1e-6)  # ten samples, one batch


@pytest.mark.parametrize("opt_func", [partial(Momentum, momentum=0.9), Adam, partial(torch.optim.RMSprop, momentum=0.5)], ids=short)
def test_two_fits_are_one(opt_func):
    "The optimizer's moments go on"
    def run(*epochs):
        learn = make(n=3, opt_func=opt_func); torch.manual_seed(1)
        for e in epochs: learn.fit(e)
        return weights(learn.model)
    assert torch.equal(run(3), run(1, 2)) and torch.equal(run(3), run(1, 0, 2))


def test_optimizer_state_over_changes():
    learn = make(opt_func=Adam)
    learn.fit(1)
    state = dict(learn.opt.state)
    learn.fit(1, train=False)
    assert dict(learn.opt.state) == state
    learn.fit(0, lr=0.5)  # a fit of its own learning rate
    assert learn.opt.param_groups[0]["lr"] == 0.5 and {*learn.opt.state} == {*state}
    learn.fit(1); assert learn.opt.param_groups[0]["lr"] == 0.01
    head = learn.model[3] = nn.Linear(4, 1)
    learn.fit(1)
    steps = [int(learn.opt.state[p]["step"]) for p in learn.model.parameters()]
    assert steps == [3, 3, 3, 3, 1, 1] and len(learn.opt.state) == 6 and all(p in learn.opt.state for p in head.parameters())
    learn.opt_func = partial(torch.optim.Adam, amsgrad=True)
    learn.fit(1)
    learn.opt_func = partial(torch.optim.Adam)
    learn.fit(1); learn.opt_func = partial(torch.optim.Adam, amsgrad=True); learn.fit(1)  # would lack max_exp_avg_sq


def test_opt_func_gets_a_list_and_may_make_groups():
    def split(params, lr):
        weights, biases = ([p for p in params if (p.ndim > 1) == o] for o in (True, False))
        return Adam([dict(params=weights), dict(params=biases, lr=lr/10)], lr=lr)
    learn = make(opt_func=split)
    before = copy.deepcopy(learn.model.state_dict())
    learn.fit(1); learn.fit(1)
    assert [len(o["params"]) for o in learn.opt.param_groups] == [2, 4] and [o["lr"] for o in learn.opt.param_groups] == [0.01, 0.001]
    assert not [n for n, p in learn.model.named_parameters() if torch.equal(p, before[n])]
    assert {int(o["step"]) for o in learn.opt.state.values()} == {2}


def test_own_optimizer():
    learn = make(opt_func=None)
    learn.opt = opt = SGD(learn.model.parameters(), 0.1)
    learn.fit(1)
    assert learn.opt is opt
    with pytest.raises(ArgumentError): learn.fit(1, lr=0.2)  # whose it would be is unclear


def test_hand_made_optimizer():
    "As in miniai's lesson on optimizers: no param_groups, no state, and zero_grad only where there are gradients"
    class Mine:
        def __init__(self, params, lr): self.params, self.lr = list(params), lr
        def step(self):
            with torch.no_grad():
                for p in self.params: p -= p.grad*self.lr
        def zero_grad(self):
            for p in self.params: p.grad.data.zero_()
    a, b = make(opt_func=Mine, n=2), make(n=2)
    for learn in (a, b): torch.manual_seed(0); learn.fit(1); learn.fit(1)
    torch.testing.assert_close(weights(a.model), weights(b.model))
    assert_clean(a)


def test_a_model_without_parameters_can_be_validated():
    learn = Learner(nn.Identity(), DataLoaders([], [(torch.ones(2, 1), torch.zeros(2, 1))]), cbs=TrainCB())
    learn.fit(1, train=False)
    assert learn.loss == 1 and learn.opt is None


# modes

@pytest.mark.parametrize("error", [None, ValueError()], ids=short)
@pytest.mark.parametrize("start", [[True]*5, [True, True, False, True, True], [False]*5, [False, True, False, False, True]])
def test_modes(start, error):
    seen = []
    class Look(Callback):
        def before_batch(self, learn): seen.append([m.training for m in learn.model.modules()])
        def cleanup_epoch(self, learn):
            if error and not learn.training: raise error
    learn = make([Look()])
    for m, o in zip(learn.model.modules(), start): m.training = o
    try: learn.fit(1)
    except ValueError: pass
    assert seen == [start if start[0] else [True]*5, [False]*5]  # what stood still in a training model is frozen on purpose
    assert_clean(learn, modes=start if start[0] else [False]*5)  # nothing is switched on


class Frozen(nn.Sequential):
    "A module that decides about its mode itself"
    def train(self, mode=True): return super().train(False)


@pytest.mark.parametrize("wrap", [lambda norm: nn.Sequential(nn.Linear(3, 3), Frozen(norm), nn.Linear(3, 1)), lambda norm: Frozen(nn.Linear(3, 3), norm, nn.Linear(3, 1)),
    lambda norm: nn.Sequential(nn.Linear(3, 3), norm.eval(), nn.Linear(3, 1))], ids=["part", "whole", "eval"])
def test_a_frozen_norm_keeps_its_statistics_and_the_rest_trains(wrap):
    norm = nn.BatchNorm1d(3)
    learn = Learner(wrap(norm), (batches(2), batches(1)), cbs=TrainCB())
    before = copy.deepcopy(learn.model.state_dict())
    seen = []
    learn.fit(2, cbs=SimpleNamespace(after_loss=lambda learn: seen.append(learn.training)))
    after = learn.model.state_dict()
    for name in before: assert torch.equal(before[name], after[name]) == ("running" in name or "num_batches" in name), name
    assert seen == [True, True, False]*2 and not norm.training


def test_modules_are_asked_to_change_their_mode():
    "A module that merges its weights for evaluation must hear of it"
    class Merges(nn.Linear):
        merged = False
        def train(self, mode=True):
            self.merged = not mode
            return super().train(mode)
    model = nn.Sequential(Merges(3, 1), Merges(3, 1).eval())
    model[1] = nn.Identity()
    learn = Learner(model, (batches(1), batches(1)), cbs=[TrainCB(), log := Log()])
    told = []
    learn.fit(1, cbs=SimpleNamespace(before_batch=lambda learn: told.append(model[0].merged)))
    assert told == [False, True] and not model[0].merged


def test_a_layer_that_came_meanwhile_is_not_left_in_eval():
    learn = make([Log("after_epoch", lambda learn: learn.model.append(nn.Dropout(0.1)))])
    learn.fit(2)
    assert all(m.training for m in learn.model.modules())


# gradients

def test_momentum_learner():
    "Equal to torch's momentum when every gradient is there"
    torchs = partial(torch.optim.SGD, momentum=0.9)
    a = make(cls=MomentumLearner, trainer=False, n=4, mom=0.9)
    b = make(n=4, opt_func=torchs)
    for learn in (a, b): torch.manual_seed(2); learn.fit(2)
    torch.testing.assert_close(weights(a.model), weights(b.model))


def test_cancelled_step_keeps_gradients():
    class Every(Callback):
        "Two batches for each step"
        def after_backward(self, learn):
            if learn.iter % 2 == 0: raise CancelStepException()
    learn, twin = make([Every(), log := Log()], n=4), make_model()
    torch.manual_seed(1); learn.fit(1, valid=False)
    assert log.seen.count("after_step") == 2 and log.seen.count("after_batch") == 4
    opt, data = SGD(twin.parameters(), 0.01), batches(4)
    torch.manual_seed(1)
    for i, (xb, yb) in enumerate(data):
        F.mse_loss(twin(xb), yb).backward()
        if i % 2: opt.step(); opt.zero_grad()
    assert torch.equal(weights(learn.model), weights(twin))
    assert_clean(learn)


def test_a_step_can_cancel_itself():
    class Never(TrainCB):
        def step(self, learn): raise CancelStepException()
    found = []
    class Look(Callback):
        def after_batch(self, learn): found.append(len(grads(learn)))
    learn = make([Never(), Look(), log := Log()], trainer=False, n=2)
    learn.fit(1, valid=False)
    assert found == [6, 6] and "after_step" not in log.seen
    assert_clean(learn)


# what stays alive

def follow(preds):
    "A weak reference to something that lives as long as the graph of `preds`"
    class Tag: pass
    tag = Tag()
    preds.grad_fn.register_prehook(lambda *args, tag=tag: None)
    return weakref.ref(tag)


def test_no_cycle_and_no_graph():
    "With the cycle collector switched off: `del` frees the model, and no graph outlives a fit, however it ends"
    gc.collect(); gc.disable()
    try:
        for cls, trainer in ((Learner, True), (TrainLearner, False), (MomentumLearner, False)):
            for exc in (None, ValueError("x"), KeyboardInterrupt(), FIT(), BATCH(), STEP()):
                for at in ("after_backward", "cleanup_batch"):
                    if exc.__class__ is STEP and at != "after_backward" or at == "cleanup_batch" and isinstance(exc, BATCH): continue
                    alive = []
                    class Keep(Callback):
                        def after_predict(self, learn):
                            if learn.preds.grad_fn is not None: alive.append(follow(learn.preds))
                    err = type(exc)(*exc.args) if exc is not None else None
                    log = Log(at, err) if err else Log()
                    learn = make([Keep(), log], cls=cls, trainer=trainer, n=2)
                    try: learn.fit(1)
                    except (ValueError, KeyboardInterrupt): pass
                    log.do = err = None
                    assert alive and not any(o() is not None for o in alive), (cls, exc, at)
                    model = weakref.ref(learn.model)
                    del learn
                    assert model() is None, (cls, exc, at)
    finally: gc.enable()


def test_what_can_be_read_afterwards():
    learn = make(n=2)
    learn.fit(1, valid=False)
    assert len(learn.batch) == 2 and learn.preds.shape == (5, 1) and learn.loss.dim() == 0 and learn.opt is not None
    assert not learn.preds.requires_grad and not learn.loss.requires_grad and learn.epochs == range(1)
    class Packed(nn.Module):
        def __init__(self): super().__init__(); self.w = nn.Parameter(torch.ones(1))
        def forward(self, x): return {"a": [nn.utils.rnn.pack_sequence([x[0]*self.w])]}
    learn = Learner(Packed(), [(torch.ones(1, 2),)], lambda o: o["a"][0].data.sum(), cbs=TrainCB())
    learn.fit(1)
    assert not learn.preds["a"][0].data.requires_grad


def test_temporary_callbacks_are_let_go():
    for kind, trainer in ((Log, True), (TrainCB, False)):
        learn, temporary = make(trainer=trainer), kind()
        learn.fit(1, cbs=temporary)
        ref = weakref.ref(temporary); del temporary; gc.collect()
        assert ref() is None


def test_a_deep_copy_is_on_its_own():
    learn = make([Log()], n=2)
    learn.fit(1)
    other, before = copy.deepcopy(learn), weights(learn.model)
    other.fit(1)
    assert torch.equal(weights(learn.model), before) and not torch.equal(weights(other.model), before)
    assert len(other.cbs[1].seen) == 2*len(learn.cbs[1].seen)


# batches of every kind, loaders of every kind

Pair = namedtuple("Pair", "x y")


@pytest.mark.parametrize("kind", [lambda x, y: (x, y), lambda x, y: [x, y], lambda x, y: {"x": x, "y": y}, Pair], ids=["tuple", "list", "dict", "namedtuple"])
@pytest.mark.parametrize("cls", [Learner, TrainLearner])
def test_batches(kind, cls):
    def run(data, cls, **kwargs):
        learn = cls(make_model(), DataLoaders(data, data), cbs=TrainCB(**kwargs) if cls is Learner else None, lr=0.1)
        torch.manual_seed(0); learn.fit(1)
        return weights(learn.model), learn.batch
    want, _ = run(batches(2), Learner)
    got, batch = run([kind(*o) for o in batches(2)], cls)
    assert torch.equal(got, want) and type(batch) is type(kind(1, 2))


def test_other_batches():
    x, _ = batches()[0]
    Learner(nn.Linear(3, 3), [x], lambda o: o.pow(2).mean(), cbs=TrainCB()).fit(1)  # a tensor alone
    two = Learner(nn.Bilinear(3, 3, 1), [(x, x, torch.zeros(5, 1), torch.ones(5, 1))], lambda o, y, w: (w*(o - y)**2).mean(), cbs=TrainCB(n_inp=2))
    two.fit(1)
    class Old(TrainCB):
        def __init__(self): pass  # without super().__init__()
    make([Old()], trainer=False).fit(1)


def test_loaders():
    b, v = batches(2), batches(1, seed=1)
    def steps(dls, **kwargs):
        learn = Learner(make_model(), dls, cbs=[TrainCB(), log := Log()], lr=0.01)
        learn.fit(1, **kwargs)
        return log.seen.count("after_step"), log.seen.count("after_predict")
    assert steps(DataLoaders(b, v)) == steps((b, v)) == steps([b, v]) == steps({"train": b, "valid": v}) == steps(SimpleNamespace(train=b, valid=v)) == (2, 3)
    assert steps(b) == steps(DataLoaders(b)) == steps((b,)) == steps({"train": b}) == steps({"train": b, "valid": None}) == (2, 2)
    assert steps(b[:1]) == (1, 1) and steps({"valid": v}, train=False) == (0, 1)
    class NoLength:
        def __iter__(self): return iter(b)
    assert steps(NoLength()) == (2, 2)
    ds = Dataset(torch.randn(8, 3), torch.randn(8, 1))
    assert steps((torch.utils.data.DataLoader(ds, 4), DataLoader(ds, 4))) == (2, 4)
    for bad in ((ds, ds), torch.utils.data.random_split(ds, [6, 2]), ds, SimpleNamespace(train=ds, valid=ds)):
        with pytest.raises(ArgumentError): Learner(make_model(), bad)


@pytest.mark.parametrize("loss", [F.mse_loss, nn.MSELoss(), partial(F.l1_loss, reduction="sum"), nn.SmoothL1Loss(), nn.PoissonNLLLoss(), nn.KLDivLoss(), F.soft_margin_loss], ids=short)
@pytest.mark.parametrize("cls", [Learner, TrainLearner])
def test_broadcast_is_refused(loss, cls):
    learn = cls(make_model(), [(torch.randn(5, 3), torch.randn(5))], loss, cbs=TrainCB() if cls is Learner else None)
    with pytest.raises(ArgumentError): learn.fit(1)


# the small ones

def test_single_batch():
    learn = make([log := Log(), SingleBatchCB()], n=3)
    learn.fit(5)
    assert log.seen == ["before_fit", "before_epoch", *TRAIN_BATCH[:5], "cleanup_batch", "cleanup_epoch", "cleanup_fit"]  # SingleBatchCB comes before Log
    assert_clean(learn)


def test_first_iter():
    "A resumed run begins at a later batch, once"
    class Resume(Callback):
        def before_fit(self, learn): learn.first_iter = 2
    iters = []
    class Look(Callback):
        def before_batch(self, learn): iters.append((learn.training, learn.iter))
    make([Resume(), Look()], n=2).fit(2)
    assert iters == [(True, 2), (True, 3), (False, 0), (False, 1), (True, 0), (True, 1), (False, 0), (False, 1)]


def test_trains_and_validates():
    seen = []
    class Look(Callback):
        def before_fit(self, learn): seen.append((learn.trains, learn.validates))
    learn = make([Look()])
    learn.fit(0); learn.fit(0, train=False); learn.fit(0, valid=False)
    Learner(make_model(), batches(), cbs=[TrainCB(), Look()]).fit(0)
    assert seen == [(True, True), (False, True), (True, False), (True, False)]


def test_reduce_and_is_main():
    class Half(TrainCB):
        is_main = False
        def reduce(self, total): return total*2
    assert make().reduce(torch.tensor(3)) == 3 and make().is_main
    learn = make([Half()], trainer=False)
    assert learn.reduce(torch.tensor(3)) == 6 and not learn.is_main
    assert make(cls=TrainLearner, trainer=False).is_main


def test_show_training_loop(capsys):
    learn = make([log := Log()])
    learn.show_training_loop()
    text = capsys.readouterr().out
    said = [line.strip().partition(":")[0] for line in text.splitlines() if "Log" in line]
    learn.fit(1, valid=False)
    assert said == log.seen  # what it says is what happens


# for everyday use

class Counts(Callback):
    "Is only_in_fit, as what records a run"
    only_in_fit = True
    n = 0
    def before_batch(self, learn): self.n += 1


@pytest.mark.parametrize("loader", [lambda data: data, lambda data: torch.utils.data.DataLoader(data, None, shuffle=True)], ids=["list", "torch"])
def test_validate_measures_and_changes_nothing(loader):
    learn = make([counts := Counts()], n=3, opt_func=Adam)
    learn.dls = DataLoaders(batches(3), loader([(x[:n], y[:n]) for n, (x, y) in zip((5, 2), batches(2))]))
    learn.fit(2)
    state, n, rng = copy.deepcopy(learn.model.state_dict()), counts.n, torch.get_rng_state()
    fields = {k: o for k, o in vars(learn).items() if k not in ("batch", "preds", "loss", "dls")}
    got = learn.validate()
    x, y = (torch.cat(o) for o in zip(*learn.dls.valid)) if isinstance(learn.dls.valid, list) else (torch.cat(o) for o in zip(*learn.dls.valid.dataset))
    with torch.no_grad(): want = F.mse_loss(learn.model.eval()(x), y)
    assert got == {"loss": pytest.approx(want.item(), rel=1e-5)}
    assert counts.n == n and torch.equal(rng, torch.get_rng_state())
    assert all(torch.equal(o, state[k]) for k, o in learn.model.state_dict().items())
    assert all(o is vars(learn)[k] or o == vars(learn)[k] for k, o in fields.items())
    with pytest.raises(ArgumentError): Learner(make_model(), batches(), cbs=TrainCB()).validate()


def test_validate_returns_the_row_of_a_metrics_cb(capsys):
    cb = MetricsCB(mae=lambda preds, targ: (preds - targ).abs().mean())
    learn = make([cb])
    learn.fit(1)
    rows, _ = list(cb.rows), capsys.readouterr()
    row = learn.validate()
    assert {k: row[k] for k in ("loss", "mae")} == pytest.approx({k: rows[-1][k] for k in ("loss", "mae")})
    assert cb.rows == rows and learn.metrics is cb and not capsys.readouterr().out


def test_callbacks_come_and_go():
    learn = make()
    learn.add_cb(log := Log())
    learn.fit(1)
    assert log.seen == NORMAL
    learn.remove_cb(log); learn.fit(1)
    assert log.seen == NORMAL and len(learn.cbs) == 1
    for bad in (Log, learn.cbs[0], SimpleNamespace(after_bach=print), SimpleNamespace(befor_fit=print)):
        with pytest.raises(ArgumentError): learn.add_cb(bad)
        with pytest.raises(ArgumentError): learn.fit(1, cbs=bad)
        assert len(learn.cbs) == 1


@pytest.mark.parametrize("cls, cbs", [(Learner, []), (Learner, [TrainCB(), TrainCB()]), (TrainLearner, [TrainCB()])], ids=["none", "two", "both"])
def test_one_trainer(cls, cbs):
    learn = make(cbs, cls=cls, trainer=False)
    with pytest.raises(ArgumentError, match="one trainer"): learn.fit(1)


def test_repr():
    text = repr(make([Log()], n=3))
    for word in ("Learner", "Sequential", "[3, 3]", "mse_loss", "TrainCB, Log"): assert word in text


def test_parts_can_be_called():
    "By a callback that looks twice, as one that hunts for nan does"
    for how in (dict(), dict(cls=TrainLearner, trainer=False)):
        losses = []
        class Twice(Callback):
            def after_loss(self, learn):
                losses.append(learn.loss.item())
                learn.predict(); learn.get_loss()
                losses.append(learn.loss.item())
        learn = make([Twice()], **how)
        learn.model[2].p = 0.
        learn.fit(1)
        assert losses[0] == losses[1] and losses[2] == losses[3]


def test_validate_weighs_by_samples_whatever_a_batch_is():
    @dataclass
    class Pair:
        x: torch.Tensor
    class Named(nn.Linear):
        def forward(self, o): return super().forward(o.x if isinstance(o, Pair) else o["a"])
    torch.manual_seed(0)
    model, y = Named(2, 1), torch.randn(5, 1)
    x = torch.randn(5, 2)
    for make in (Pair, lambda o: dict(a=o, b=o)):
        dl = [(make(x[:4]), y[:4]), (make(x[4:]), y[4:])]
        learn = Learner(model, DataLoaders(dl, dl), F.mse_loss, cbs=[TrainCB()])
        want = F.mse_loss(model(make(x)), y).item()
        assert abs(learn.validate()["loss"] - want) < 1e-6


def test_integer_targets_are_not_stretched():
    x = torch.randn(5, 2)
    for loss in (F.mse_loss, nn.L1Loss(), partial(F.smooth_l1_loss, beta=2.)):
        learn = Learner(nn.Linear(2, 1), [(x, torch.arange(5))], loss, cbs=[TrainCB()])
        with pytest.raises(ArgumentError, match="shape of the target"): learn.fit(1)
    for loss in (F.cross_entropy, nn.CrossEntropyLoss(), nn.MultiMarginLoss()):  # classes
        Learner(nn.Linear(2, 5), [(x, torch.arange(5))], loss, cbs=[TrainCB()]).fit(1)


def test_the_note_of_an_error_cannot_replace_it():
    @dataclass
    class Picky:
        x: torch.Tensor
        def __post_init__(self): assert self.x.ndim == 2
    class Model(nn.Linear):
        def forward(self, o): return super().forward(o.x)
    learn = Learner(Model(3, 1), [(Picky(torch.randn(5, 2)), torch.randn(5, 1))], F.mse_loss, cbs=[TrainCB()])
    with pytest.raises(RuntimeError, match="shapes"): learn.fit(1)


def test_callbacks_are_told_apart_by_identity():
    @dataclass
    class Equal(Callback):
        seen: int = 0
    learn = Learner(nn.Linear(3, 1), batches(), F.mse_loss, cbs=[TrainCB(), Equal()])
    for _ in range(2): learn.fit(1, cbs=[Equal()])
    assert len(learn.cbs) == 2
