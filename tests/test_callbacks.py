"Callbacks of lesson 12: devices, bars where they are read, logs that survive, accumulation, averages, mixed precision, predictions."
import io, json, os, pty, signal, subprocess, sys, termios, time
from collections import Counter, namedtuple
from functools import partial
from itertools import count

import pandas as pd
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from conftest import OFFLINE
from minitrain.all import *


def data(n=20, bs=6, seed=0, k=3):
    g = torch.Generator().manual_seed(seed)
    x, y = torch.randn(n, 4, generator=g), torch.randint(0, k, (n,), generator=g)
    return x, y, list(zip(x.split(bs), y.split(bs)))


def net(seed=0, k=3):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, k))


def learner(*cbs, model=None, bs=6, lr=0.1, loss=cross_entropy, n=20, trainer=None, **kwargs):
    batches = data(n, bs)[2]
    return Learner(model or net(), DataLoaders(batches, batches[:2]), loss, lr, [trainer or TrainCB(), *cbs], **kwargs)


def params(model): return torch.cat([p.detach().flatten() for p in model.parameters()])


class Steps(Callback):
    "Counts updates, keeps the gradients with which each was made, and what each event saw"
    order = 50
    def before_fit(self, learn): self.n, self.grads, self.seen = 0, [], Counter()
    def after_backward(self, learn): self.grads.append(torch.cat([p.grad.flatten() for p in learn.model.parameters()]))
    def after_step(self, learn): self.n += 1
    def after_batch(self, learn): self.seen["after_batch"] += learn.training


# --- devices and batches

Pair = namedtuple("Pair", "x y")


@pytest.mark.parametrize("batch", [
    Pair(torch.ones(2, 4), torch.zeros(2, dtype=torch.long)), {"x": torch.ones(2, 4), "y": torch.zeros(2, dtype=torch.long)},
    [torch.ones(2, 4), torch.zeros(2, dtype=torch.long)]], ids=["namedtuple", "dict", "list"])
def test_batches_keep_their_kind(batch):
    seen = []
    class See(Callback):
        order = 1
        def before_batch(self, learn): seen.append(learn.batch)
    Learner(net(), ([batch], [batch]), cross_entropy, cbs=[TrainCB(), DeviceCB("cpu"), See()]).fit(1)
    assert all(type(o) is type(batch) for o in seen) and len(seen) == 2


def test_device_moves_any_nesting():
    "On the meta device, which every machine has: tensors go, everything else stays"
    moved = []
    class See(Callback):
        order = 1
        def before_batch(self, learn): moved.append(learn.batch); raise CancelBatchException()
    batch = (Pair(torch.ones(2), {"deep": [torch.ones(1), None, "text", 3]}), "name", None, 7)
    learn = Learner(net(), ([batch], None), cross_entropy, cbs=[TrainCB(), DeviceCB("meta"), See()])
    learn.fit(1)
    (pair, name, none, seven), = moved
    assert type(pair) is Pair and pair.x.is_meta and pair.y["deep"][0].is_meta
    assert (pair.y["deep"][1:], name, none, seven) == ([None, "text", 3], "name", None, 7)
    assert next(learn.model.parameters()).is_meta


@pytest.mark.parametrize("on_train, on_val, want", [(True, True, [2., 2.]), (True, False, [2., 1.]), (False, True, [1., 2.])])
def test_batch_transform(on_train, on_val, want):
    seen = []
    class See(Callback):
        order = 2
        def before_batch(self, learn): seen.append(learn.batch[0][0, 0].item())
    batch = (torch.ones(2, 4), torch.zeros(2, dtype=torch.long))
    tfm = BatchTransformCB(lambda b: (b[0]*2, b[1]), on_train, on_val)
    Learner(net(), ([batch], [batch]), cross_entropy, cbs=[See(), tfm, TrainCB()]).fit(1)
    assert seen == want
    with pytest.raises(ArgumentError, match="inplace"): learner(BatchTransformCB(lambda b: None)).fit(1)


def test_overfit():
    losses = []
    class See(Callback):
        def after_batch(self, learn): losses.append((learn.training, learn.loss.item()))
    x, y, batches = data()
    dl = DataLoader(Dataset(x, y), 6, shuffle=True, seed=1)
    first = next(iter(DataLoader(Dataset(x, y), 6, shuffle=True, seed=1)))
    learn = Learner(net(), (dl, batches), cross_entropy, 0.5, [TrainCB(), OverfitBatchCB(30), See()])
    learn.fit(2)
    train, valid = [o for t, o in losses if t], [o for t, o in losses if not t]
    assert len(train) == 60 and len(valid) == 2 and valid[-1] < 0.05*train[0]
    assert learn.batch[1].equal(first[1]), "validation sees the batch that was trained on"
    assert dl.state_dict()["epoch"] == 0, "the loader's order is as if nothing had been read"


def test_overfit_keeps_the_batch_from_transforms_in_place():
    learn = learner(OverfitBatchCB(3), BatchTransformCB(inplace(lambda b: b[0].mul_(2))))
    seen = []
    class See(Callback):
        order = 5
        def before_batch(self, learn): seen.append(learn.batch[0].sum().item())
    learn.fit(1, valid=False, cbs=See())
    assert len(set(seen)) == 1


# --- early stopping

class Fixed:
    "A metric with the values it is given"
    def __init__(self, values): self.values, self.i = values, -1
    def reset(self): pass
    def update(self, preds, target): pass
    def compute(self): self.i += 1; return self.values[self.i//2]


@pytest.mark.parametrize("values, kwargs, stop, best", [
    ([1, 2, 3, 3, 3, 3], dict(mode="max", patience=2), 4, 2), ([3, 2, 1, 1, 1, 1], dict(mode="min", patience=2), 4, 2),
    ([1, 1.05, 1.2, 1.25, 1.28, 1.29], dict(mode="max", patience=2, min_delta=0.1), 4, 2), ([1, float("nan"), float("nan"), 2], dict(mode="max", patience=2), 2, 0),
    ([1, 2, 3, 4], dict(mode="max", patience=1), None, 3), ([float("nan"), 2, 1, 0], dict(mode="max", patience=2), 3, 1)])
def test_early_stop(values, kwargs, stop, best, capsys):
    early = EarlyStopCB("valid_m", **kwargs)
    learn = learner(MetricsCB(m=Fixed(values)), early)
    learn.fit(len(values))
    assert (early.best_epoch, early.stopped) == (best, stop is not None) and learn.epoch == (len(values) - 1 if stop is None else stop)
    assert ("stopped after epoch" in capsys.readouterr().out) == early.stopped


def test_early_stop_knows_its_direction():
    for monitor, sign in (("valid_loss", -1), ("train_accuracy", 1)):
        early = EarlyStopCB(monitor)
        learner(MetricsCB(accuracy), early).fit(1)
        assert early._sign == sign
    with pytest.raises(ArgumentError, match="mode"): learner(MetricsCB(m=Fixed([1])), EarlyStopCB("valid_m")).fit(1)
    with pytest.raises(ArgumentError, match="one of"): learner(MetricsCB(accuracy), EarlyStopCB("valid_acuracy")).fit(1)
    with pytest.raises(ArgumentError, match="one of"): learner(MetricsCB(accuracy), EarlyStopCB()).fit(1, valid=False)
    with pytest.raises(ArgumentError, match="MetricsCB"): learner(EarlyStopCB()).fit(1)
    for kwargs in (dict(patience=0), dict(mode="up")):
        with pytest.raises(ArgumentError): EarlyStopCB(**kwargs)
    learner(MetricsCB(accuracy), EarlyStopCB()).fit(1, train=False)


def test_early_stop_resumes():
    values = [1, 3, 2, 2, 2, 2]
    early = EarlyStopCB("valid_m", patience=3, mode="max")
    learner(MetricsCB(m=Fixed(values)), early).fit(3)
    state, again = json.loads(json.dumps(early.state_dict())), EarlyStopCB("valid_m", patience=3, mode="max")
    class Load(Callback):
        order = 1000
        def before_fit(self, learn): again.load_state_dict(state)
    learn = learner(MetricsCB(m=Fixed(values[3:])), again, Load())
    learn.fit(3)
    assert again.stopped and learn.epoch == 1 and again.best == 3


# --- clipping and accumulation

def test_clip():
    steps, clip = Steps(), GradClipCB(max_norm=0.01)
    learner(clip, steps).fit(1)
    assert all(g.norm() <= 0.01*1.0001 for g in steps.grads) and clip.norm > 0.01
    steps = Steps()
    learner(GradClipCB(value=0.003), steps).fit(1)
    assert all(g.abs().max() <= 0.003 for g in steps.grads)
    steps = Steps()
    learner(steps).fit(1)
    assert max(g.abs().max() for g in steps.grads) > 0.003, "the control"
    for kwargs in (dict(), dict(max_norm=1, value=1), dict(max_norm=0), dict(value=-1)):
        with pytest.raises(ArgumentError): GradClipCB(**kwargs)


class Bag:
    "A loader without a length"
    def __init__(self, batches): self.batches = batches
    def __iter__(self): return iter(self.batches)


WEIGHTS = torch.tensor([1., 5., 0.2])
LOSSES = dict(mean=cross_entropy, ignore=partial(F.cross_entropy, ignore_index=1), weight=partial(cross_entropy, weight=WEIGHTS),
              both=nn.CrossEntropyLoss(weight=WEIGHTS, ignore_index=0), sum=partial(cross_entropy, reduction="sum"))


@pytest.mark.parametrize("sized", [True, False], ids=["sized", "unsized"])
@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("clip", [False, True], ids=["free", "clipped"])
@pytest.mark.parametrize("amp", [None, torch.bfloat16, torch.float16], ids=["float32", "bfloat16", "float16"])
def test_accumulation_is_one_large_batch(name, sized, clip, amp):
    "20 samples in batches of 3: windows of 4 batches, 12 and 8 samples, the last of 2 among them"
    x, y, _ = data(20)
    small, large = list(zip(x.split(3), y.split(3))), list(zip(x.split(12), y.split(12)))
    lr = 0.01 if name == "sum" else 0.1
    def run(batches, *cbs):
        steps, model = Steps(), net()
        extra = [GradClipCB(max_norm=0.05)] if clip else []
        trainer = TrainCB() if amp is None else MixedPrecision(dtype=amp)
        if amp is torch.float16: trainer.scaler = torch.amp.GradScaler("cpu", init_scale=2.**8)  # no natural overflow
        Learner(model, batches, LOSSES[name], lr, [trainer, steps, *extra, *cbs]).fit(2)
        return params(model), steps
    (a, steps), (b, big) = run(small if sized else Bag(small), GradAccumCB(4)), run(large)
    assert steps.n == big.n == 4 and steps.seen["after_batch"] == 14
    tol = dict(rtol=1e-5, atol=1e-6) if amp is None else dict(rtol=0.02, atol=2e-3)
    torch.testing.assert_close(a, b, **tol)
    naive = run(small)[0]
    assert (naive - b).abs().max() > 5*(a - b).abs().max() + 1e-5, "the control: without accumulation it is another training"


def test_a_batch_without_labels_counts_for_nothing():
    "Its mean loss is nan, and its gradients may be; the window is that of the others"
    x, y, _ = data(12)
    batches = list(zip(x.split(3), y.split(3)))
    empty = (batches[0][0], torch.full((3,), -100))
    def bad(preds, target, ignore_index=-100):
        keep = (target != ignore_index).float()
        return (F.cross_entropy(preds, target.clamp_min(0), reduction="none")*keep).sum()/keep.sum()
    for order in ([0, None, 1, 2], [None, 0, 1, 2], [0, 1, 2, None]):
        model, steps = net(), Steps()
        learn = Learner(model, [empty if i is None else batches[i] for i in order], cross_entropy, 0.1, [TrainCB(), GradAccumCB(4), steps])
        try: learn.fit(1)
        except FloatingPointError: assert order[-1] is None  # of the last loss, which is nan
        want = net()
        Learner(want, [(x[:9], y[:9])], cross_entropy, 0.1, TrainCB()).fit(1)
        assert steps.n == 1
        torch.testing.assert_close(params(model), params(want), rtol=1e-5, atol=1e-6)


def test_a_cancelled_batch_leaves_the_window_right():
    x, y, _ = data(12)
    batches = list(zip(x.split(3), y.split(3)))
    class Skip(Callback):
        def after_loss(self, learn):
            if learn.iter == 2: raise CancelBatchException()
    model, want = net(), net()
    Learner(model, batches, cross_entropy, 0.1, [TrainCB(), GradAccumCB(4), Skip()]).fit(1)
    keep = torch.cat([torch.arange(6), torch.arange(9, 12)])
    Learner(want, [(x[keep], y[keep])], cross_entropy, 0.1, TrainCB()).fit(1)
    torch.testing.assert_close(params(model), params(want), rtol=1e-5, atol=1e-6)


def test_gradients_dropped_by_a_cancel_begin_a_new_window():
    x, y, _ = data(15)
    batches = list(zip(x.split(3), y.split(3)))
    class Skip(Callback):
        order = -20
        def after_backward(self, learn):
            if learn.iter == 1: raise CancelBatchException()
    model, want, steps = net(), net(), Steps()
    Learner(model, batches, cross_entropy, 0.1, [TrainCB(), GradAccumCB(3), Skip(), steps]).fit(1)
    Learner(want, [(x[6:], y[6:])], cross_entropy, 0.1, TrainCB()).fit(1)
    assert steps.n == 1
    torch.testing.assert_close(params(model), params(want), rtol=1e-5, atol=1e-6)


def test_the_loss_that_others_see_is_the_mean():
    seen = []
    class See(Callback):
        def after_batch(self, learn): seen.append(learn.loss.item()) if learn.training else None
    x, y, batches = data()
    model = net()
    Learner(model, batches, cross_entropy, 0., [TrainCB(), GradAccumCB(2), See()]).fit(1)
    assert seen == pytest.approx([cross_entropy(model(a), b).item() for a, b in batches])


def test_a_penalty_is_weighed_like_the_loss():
    class Penalty(Callback):
        def after_loss(self, learn): learn.loss = learn.loss + 0.1*sum((p**2).sum() for p in learn.model.parameters())
    x, y, _ = data(12)
    a, b = net(), net()
    Learner(a, list(zip(x.split(5), y.split(5))), cross_entropy, 0.1, [TrainCB(), GradAccumCB(3), Penalty()]).fit(1)
    Learner(b, [(x, y)], cross_entropy, 0.1, [TrainCB(), Penalty()]).fit(1)
    torch.testing.assert_close(params(a), params(b), rtol=1e-5, atol=1e-6)


def test_accumulation_state_in_the_middle_of_a_window():
    x, y, _ = data(12)
    batches = list(zip(x.split(3), y.split(3)))
    states = []
    class Save(Callback):
        order = 1000
        def cleanup_batch(self, learn): states.append((learn.cbs[1].state_dict(), [p.grad if p.grad is None else p.grad.clone() for p in learn.model.parameters()]))
    whole = net()
    Learner(whole, batches, cross_entropy, 0.1, [TrainCB(), GradAccumCB(4), Save()]).fit(1)
    state, grads = states[1]
    assert state == dict(count=2, weight=6.)
    model = net()
    accum = GradAccumCB(4)
    class Load(Callback):
        order = 1000
        def before_epoch(self, learn):
            accum.load_state_dict(state)
            for p, g in zip(learn.model.parameters(), grads): p.grad = g
    learn = Learner(model, batches[2:], cross_entropy, 0.1, [TrainCB(), accum, Load()])
    learn.fit(1)
    assert params(model).equal(params(whole))


def test_accumulation_refuses():
    for n in (0, -1, 2.5, True):
        with pytest.raises(ArgumentError): GradAccumCB(n)
    with pytest.raises(ArgumentError, match="zeroes"): MomentumLearner(net(), data()[2], cross_entropy, cbs=GradAccumCB(2)).fit(1)


# --- averages of weights

def bn_net():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Linear(8, 3))


@pytest.mark.parametrize("decay", [0.9, 0.2])
def test_ema_by_hand(decay):
    want, n = {}, 0
    class Hand(Callback):
        def before_fit(self, learn): want.update({k: v.clone() for k, v in learn.model.state_dict().items() if v.is_floating_point()})
        def after_step(self, learn):
            nonlocal n
            n += 1
            d = min(decay, n/(9 + n))
            for k, v in learn.model.state_dict().items():
                if k in want: want[k] = d*want[k] + (1 - d)*v
    ema = EMACB(decay)
    learn = learner(ema, Hand(), model=bn_net())
    learn.fit(3)
    assert set(ema.averages) == set(want) and "1.running_mean" in want
    for k in want: torch.testing.assert_close(ema.averages[k], want[k])
    assert not torch.allclose(ema.averages["0.weight"], learn.model[0].weight)


def test_ema_validates_with_the_averages_and_gives_back():
    class See(Callback):
        order = 40
        def before_fit(self, learn): self.valid, self.after = [], []
        def before_epoch(self, learn): self.before = params(learn.model)
        def after_batch(self, learn): None if learn.training else self.valid.append(params(learn.model))
        def cleanup_epoch(self, learn): self.after.append(params(learn.model))
    ema, see = EMACB(0.9), See()
    learn = learner(ema, see, model=bn_net())
    learn.fit(2)
    averages = torch.cat([o.flatten() for k, o in ema.averages.items() if "running" not in k])
    assert see.valid[-1].equal(averages) and see.after[-1].equal(see.after[-2]) and see.after[-1].equal(params(learn.model))
    assert not averages.equal(params(learn.model))
    before = params(learn.model)
    buffers = {k: v.clone() for k, v in learn.model.state_dict().items()}
    with pytest.raises(ZeroDivisionError):
        with ema.applied():
            assert params(learn.model).equal(averages)
            with pytest.raises(RuntimeError, match="already"):
                with ema.applied(): pass
            with pytest.raises(RuntimeError, match="train the averages"): learn.fit(1)
            1/0
    assert all(v.equal(buffers[k]) for k, v in learn.model.state_dict().items())
    off = EMACB(0.9, validate=False)
    learn = learner(off, see, model=bn_net())
    learn.fit(1)
    assert see.valid[-1].equal(params(learn.model))


@pytest.mark.parametrize("error", [ZeroDivisionError, CancelFitException, CancelEpochException])
def test_ema_gives_back_after_an_error_in_validation(error):
    class Bad(Callback):
        def after_batch(self, learn):
            if not learn.training: raise error()
        def before_epoch(self, learn): self.weights = params(learn.model)
    ema, bad = EMACB(0.9), Bad()
    learn = learner(ema, bad)
    try: learn.fit(1)
    except ZeroDivisionError: pass
    assert params(learn.model).equal(bad.weights)


def test_ema_copies_no_hooks_and_trains_the_same():
    calls = []
    model = net()
    model[0].register_forward_hook(lambda m, i, o: calls.append(1))
    learn, ema = learner(model=model), EMACB(0.9)
    learn.fit(1, cbs=ema)
    assert len(calls) == 6, "one call a batch: nothing else runs the hooked model"
    plain = learner()
    plain.fit(1)
    assert params(model).equal(params(plain.model))


def test_ema_ties_masks_and_half():
    class Tied(nn.Module):
        def __init__(self):
            super().__init__()
            self.a = nn.Linear(4, 4, bias=False)
            self.b = nn.Linear(4, 4, bias=False)
            self.b.weight = self.a.weight
            self.register_buffer("mask", torch.full((2,), -torch.inf))
            self.register_buffer("n", torch.zeros((), dtype=torch.long))
            self.low = nn.Parameter(torch.zeros(3, dtype=torch.bfloat16))
        def forward(self, x): return self.b(self.a(x)) + self.low.float().sum()
    ema, model = EMACB(0.5), Tied()
    learner(ema, model=model, loss=F.cross_entropy).fit(1)
    assert set(ema.averages) == {"a.weight", "low"} and ema.averages["low"].dtype is torch.float32
    with ema.applied(): assert model.low.dtype is torch.bfloat16 and model.b.weight.equal(ema.averages["a.weight"]) and model.mask.isinf().all()


def test_ema_resumes():
    torch.manual_seed(3)
    whole = EMACB(0.9)
    learn = learner(whole)
    learn.fit(1)
    state, weights = whole.state_dict(), {k: v.clone() for k, v in learn.model.state_dict().items()}
    learn.fit(1)
    again, model = EMACB(0.9), net()
    again.load_state_dict(state)
    model.load_state_dict(weights)
    learner(again, model=model).fit(1)
    assert all(again.averages[k].equal(v) for k, v in whole.averages.items()) and again._n == whole._n == 8
    with pytest.raises(ArgumentError, match="averages of"): again.load_state_dict(dict(n=1, averages={}))
    for decay in (1, -0.1, 2):
        with pytest.raises(ArgumentError): EMACB(decay)
    with pytest.raises(RuntimeError, match="before the first fit"):
        with EMACB().applied(): pass


# --- mixed precision

def test_bfloat16_on_the_cpu():
    seen = []
    class See(Callback):
        def after_predict(self, learn): seen.append((learn.preds.dtype, torch.is_autocast_enabled("cpu")))
    learn = learner(See(), trainer=MixedPrecision())
    learn.fit(2)
    assert set(seen) == {(torch.bfloat16, False)} and next(learn.model.parameters()).dtype is torch.float32
    assert learn.cbs[0].state_dict() == {}


@pytest.mark.parametrize("where", ["model", "loss", "callback"])
def test_autocast_is_never_left_on(where):
    class Bad(nn.Linear):
        def forward(self, x): raise ZeroDivisionError
    def loss(preds, target): raise ZeroDivisionError
    class Late(Callback):
        def after_predict(self, learn): raise ZeroDivisionError
    learn = learner(*[Late()]*(where == "callback"), model=Bad(4, 3) if where == "model" else None, loss=loss if where == "loss" else cross_entropy, trainer=MixedPrecision())
    with pytest.raises(ZeroDivisionError): learn.fit(1)
    assert not torch.is_autocast_enabled("cpu")


def half(scale=1024.):
    "float16 with a scale that does not overflow by itself"
    trainer = MixedPrecision(dtype=torch.float16)
    trainer.scaler = torch.amp.GradScaler("cpu", init_scale=scale)
    return trainer


class Spoil(Callback):
    "Makes the gradients of one batch infinite, as float16 does"
    order = -5
    def __init__(self, at): self.at = at
    def after_backward(self, learn):
        if learn.iter == self.at: next(learn.model.parameters()).grad.view(-1)[0] = torch.inf


def test_a_skipped_step():
    "Weights stay, the scale halves, gradients are dropped, schedulers do not step, clipping sees true sizes"
    seen = []
    class See(Callback):
        order = 40
        def after_batch(self, learn): seen.append((learn.cbs[0].scaler.get_scale(), params(learn.model), learn.opt.param_groups[0]["lr"], all(p.grad is None for p in learn.model.parameters())))
    clip, steps = GradClipCB(max_norm=1e-3), Steps()
    trainer = half()
    sched = BatchSchedCB(partial(torch.optim.lr_scheduler.StepLR, step_size=1, gamma=0.5))
    learn = learner(clip, steps, Spoil(1), See(), sched, trainer=trainer)
    learn.fit(1, valid=False)
    scales = [o[0] for o in seen]
    assert scales == [1024, 512, 512, 512] and steps.n == 3
    assert seen[0][1].equal(seen[1][1]) and not seen[1][1].equal(seen[2][1]) and seen[1][3]
    assert len(steps.grads) == 3 and all(0.5e-3 < g.norm() <= 1.01e-3 for g in steps.grads), "clipped after the scale is taken out"
    assert learn.opt.param_groups[0]["lr"] == pytest.approx(0.1*0.5**3)


def test_the_scaler_resumes():
    trainer = half()
    learner(Spoil(1), trainer=trainer).fit(1)
    state = json.loads(json.dumps(trainer.state_dict()))
    assert state["scale"] == 512
    again = MixedPrecision(dtype=torch.float16)
    again.load_state_dict(state)
    learner(trainer=again).fit(0)
    assert again.state_dict() == state
    again.load_state_dict({**state, "scale": 4.})
    assert again.scaler.get_scale() == 4
    with pytest.raises(ArgumentError): MixedPrecision(dtype=torch.float32)


def test_float16_learns_what_float32_learns():
    def run(trainer):
        learn = learner(trainer=trainer)
        learn.fit(5)
        return params(learn.model)
    torch.testing.assert_close(run(half()), run(TrainCB()), rtol=0.01, atol=3e-3)


# --- predictions

def test_get_preds():
    learn = learner(DeviceCB("cpu"), MetricsCB(accuracy), ProgressCB(), opt_func=AdamW)
    learn.fit(1)
    opt, weights, rows, dls = learn.opt, params(learn.model), len(learn.metrics.rows), learn.dls
    state = {k: v.clone() for k, v in next(iter(opt.state.values())).items()}
    x, y, batches = data()
    preds, targs = get_preds(learn)
    with torch.no_grad(): torch.testing.assert_close(preds, learn.model(x[:12]))
    assert targs.equal(y[:12]) and not preds.requires_grad
    preds, targs = get_preds(learn, batches)
    assert targs.equal(y) and torch.allclose(predict(learn, x), preds)
    assert learn.opt is opt and params(learn.model).equal(weights) and len(learn.metrics.rows) == rows and learn.dls is dls
    assert all(v.equal(state[k]) for k, v in next(iter(opt.state.values())).items())


def test_get_preds_without_targets_and_in_eval_mode():
    model = nn.Sequential(nn.Linear(4, 3), nn.Dropout(0.5))
    learn = learner(model=model)
    x, _, _ = data()
    preds, targs = get_preds(learn, [(x[:7],), (x[7:],)])
    assert targs is None and preds.equal(model[0](x).detach()) and model.training
    assert get_preds(learn, [x[:7], x[7:]])[0].equal(preds)


def test_get_preds_of_nestings():
    Out = namedtuple("Out", "a b")
    class Many(nn.Module):
        def __init__(self):
            super().__init__()
            self.l = nn.Linear(4, 2)
        def forward(self, x): return Out(self.l(x), {"c": x.sum(1), "d": None})
    x, y, _ = data()
    batches = [dict(x=a, y=b, name=["s"]*len(a)) for a, b in zip(x.split(6), y.split(6))]
    preds, (targs, names) = get_preds(Learner(Many(), batches, cross_entropy, cbs=TrainCB()), batches)
    assert type(preds) is Out and preds.a.shape == (20, 2) and preds.b["c"].equal(x.sum(1)) and preds.b["d"] is None
    assert targs.equal(y) and names == ["s"]*20


def test_get_preds_leaves_the_order_of_the_data():
    x, y, _ = data()
    dl = DataLoader(Dataset(x, y), 6, shuffle=True, seed=1)
    learn = Learner(net(), (dl, None), cross_entropy, cbs=TrainCB())
    targs = get_preds(learn, dl)[1]
    assert torch.cat([b for _, b in dl]).equal(targs), "as if it had not been read"


def test_predict_half_and_several_inputs():
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.l = nn.Linear(4, 3)
        def forward(self, a, b): return self.l(a + b)
    x, _, _ = data()
    learn = Learner(Two(), [(x, x, x)], cross_entropy, cbs=MixedPrecision(n_inp=2))
    out = predict(learn, (x, x))
    assert out.dtype is torch.float32 and torch.allclose(out, learn.model(x, x).detach(), atol=0.05)
    twice = learner(BatchTransformCB(lambda b: (b[0]*2, *b[1:])))
    assert torch.allclose(predict(twice, x), twice.model(2*x).detach())


def test_capture_preds():
    learn = learner(MetricsCB(accuracy), ProgressCB(), opt_func=AdamW)
    learn.fit(1)
    opt = learn.opt
    x, y, _ = data()
    preds, targs, inps = learn.capture_preds(inps=True)
    assert inps.equal(x[:12]) and targs.equal(y[:12]) and torch.allclose(preds, learn.model(inps).detach())
    double = learn.capture_preds(cbs=BatchTransformCB(lambda b: (b[0]*2, b[1])))
    assert len(double) == 2 and torch.allclose(double[0], learn.model(x[:12]*2).detach())
    assert learn.opt is opt and len(opt.state) == 4 and len(learn.cbs) == 3


def test_show_image_batch_takes_no_step():
    import matplotlib
    matplotlib.use("agg")
    from matplotlib import pyplot as plt
    x, y = torch.rand(20, 1, 5, 5), torch.randint(0, 3, (20,))
    dl = DataLoader(Dataset(x, y), 6, shuffle=True, seed=1)
    model = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(25), nn.Linear(25, 3))
    learn = Learner(model, DataLoaders(dl, dl), cross_entropy, 0.1, [TrainCB(), MetricsCB(accuracy)], opt_func=AdamW)
    learn.fit(1)
    opt, before, rng, position = learn.opt, {k: v.clone() for k, v in model.state_dict().items()}, torch.get_rng_state(), dl.state_dict()
    learn.show_image_batch(max_n=4, cbs=BatchTransformCB(lambda b: (1 - b[0], b[1])), figsize=(2, 2))
    assert len([ax for ax in plt.gcf().axes if ax.get_visible()]) == 4
    assert all(v.equal(before[k]) for k, v in model.state_dict().items()) and learn.opt is opt and dl.state_dict() == position
    assert learn.batch[0].min() >= 0 and torch.get_rng_state().equal(rng)
    with pytest.raises(ArgumentError, match="one image"): learner().show_image_batch()
    plt.close("all")


@pytest.mark.parametrize("loss", [cross_entropy, F.cross_entropy, nn.CrossEntropyLoss(), partial(cross_entropy, label_smoothing=0.1),
                                  lambda preds, y: F.cross_entropy(preds, y)], ids=["ours", "torch", "module", "partial", "lambda"])
def test_top_losses(loss):
    learn = learner(loss=loss)
    x, y, batches = data()
    table = top_losses(learn, 5, batches)
    with torch.no_grad(): want = torch.stack([loss(learn.model(a[None]), b[None]) for a, b in zip(x, y)])
    assert table["index"].tolist() == want.topk(5).indices.tolist() and table["loss"].tolist() == pytest.approx(want.topk(5).values.tolist(), rel=1e-5)
    assert table["target"].tolist() == y[table["index"].tolist()].tolist() and list(table) == ["index", "loss", "target", "predicted"]


def test_top_losses_of_a_regression_and_more_than_there_are():
    x = torch.arange(6.)[:, None]
    learn = Learner(nn.Identity(), [(x, torch.zeros(6, 1))], F.mse_loss, cbs=TrainCB())
    table = top_losses(learn, 10, learn.dls.train)
    assert list(table) == ["index", "loss"] and table["loss"].tolist() == [25, 16, 9, 4, 1, 0]
    import matplotlib
    matplotlib.use("agg")
    from matplotlib import pyplot as plt
    pictures = torch.rand(6, 4, 4)
    show_top_losses(Learner(nn.Flatten(), [(pictures, torch.zeros(6, dtype=torch.long))], cross_entropy, cbs=TrainCB()), 4, [(pictures, torch.zeros(6, dtype=torch.long))], names="abcdefghijklmnop")
    assert [ax.get_title().split("\n")[0][-5:] for ax in plt.gcf().axes] == ["for a"]*4
    plt.close("all")
