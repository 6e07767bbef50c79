"Callbacks of lesson 12: devices, early stopping, clipping, accumulation, averages, mixed precision."
import json
from collections import Counter, namedtuple
from functools import partial
from itertools import count

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from minitrain.all import *
from minitrain.callbacks import position_kept


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
    with pytest.raises(ArgumentError): EarlyStopCB(patience=0)
    learner(MetricsCB(accuracy), EarlyStopCB()).fit(1, train=False)


def test_early_stop_resumes():
    values = [1, 3, 2, 2, 2, 2]
    early = EarlyStopCB("valid_m", patience=3, mode="max")
    learner(MetricsCB(m=Fixed(values)), early).fit(3)
    state, again = early.state_dict(), EarlyStopCB("valid_m", patience=3, mode="max")
    class Load(Callback):
        order = 1000
        def before_fit(self, learn): again.load_state_dict(state)
    learn = learner(MetricsCB(m=Fixed(values[3:])), again, Load())
    learn.fit(3)
    assert again.stopped and learn.epoch == 1 and again.best == 3
    assert all(o.equal(state["_weights"][k]) for k, o in learn.model.state_dict().items()), "those of before the interruption"


class Weights(Callback):
    "What the model had when each epoch was measured"
    order = 800
    def before_fit(self, learn): self.seen = []
    def after_epoch(self, learn):
        if not learn.training: self.seen.append({k: o.clone() for k, o in learn.model.state_dict().items()})


class Boom(Callback):
    order = 2000
    def __init__(self, error): self.error = error
    def after_epoch(self, learn):
        if learn.epoch == 3 and not learn.training: raise self.error()


@pytest.mark.parametrize("ema", [False, True], ids=["plain", "averaged"])
@pytest.mark.parametrize("extra, n", [([], 9), ([], 4), ([Boom(ZeroDivisionError)], 9), ([Boom(CancelFitException)], 9), ([StopAfterCB(14)], 9)],
    ids=["stopped", "at the end", "error", "cancelled", "steps"])
def test_the_best_weights_come_back(extra, n, ema):
    "However the fit ends, the model has the weights that were measured as the best: with EMACB, the averages"
    seen, early = Weights(), EarlyStopCB("valid_m", patience=3, mode="max")
    learn = learner(MetricsCB(m=Fixed([1, 3, 2, 2, 2, 2])), seen, early, *[EMACB(0.5)]*ema, *extra, model=bn_net())
    try: learn.fit(n)
    except ZeroDivisionError: pass
    assert early.best_epoch == 1 and all(o.equal(seen.seen[1][k]) for k, o in learn.model.state_dict().items())


def test_the_last_weights_stay_where_asked():
    seen = Weights()
    learn = learner(MetricsCB(m=Fixed([1, 3, 2, 2, 2])), seen, EarlyStopCB("valid_m", patience=2, mode="max", restore=False))
    learn.fit(9)
    assert params(learn.model).equal(torch.cat([o.flatten() for o in seen.seen[-1].values()]))


# --- steps instead of epochs

@pytest.mark.parametrize("steps", [1, 3, 4, 5, 8, 100])
@pytest.mark.parametrize("valid", [True, False])
@pytest.mark.parametrize("n", [1, 2])
def test_stop_after_steps(steps, valid, n):
    "4 batches to an epoch; each update is counted once, and the last epoch is validated"
    made, history, stop = Steps(), HistoryCB(), StopAfterCB(steps)
    learn = learner(MetricsCB(), made, history, stop, *[GradAccumCB(2)]*(n == 2))
    learn.fit(5, valid=valid)
    want = min(steps, 5*4//n)
    assert made.n == stop.n == want and len(history.df) == -(-want*n//4)
    if valid: assert history.df["valid_loss"].notna().all()
    again = StopAfterCB(steps)
    again.load_state_dict(stop.state_dict())
    assert again.n == want


def test_skipped_updates_do_not_count():
    made = Steps()
    learner(made, StopAfterCB(3), Spoil(1), trainer=half()).fit(5)
    assert made.n == 3


@pytest.mark.parametrize("n", [1, 3, 4, 7])
def test_validation_every_n_batches(n):
    "The data are gone through in their own order, and validated after each piece; looking changes nothing"
    x, y, _ = data(20)
    def loaders(): return DataLoaders(*get_dls(Dataset(x, y), Dataset(x, y), 6, seed=1))
    dls, seen, history = loaders(), [], HistoryCB()
    class See(Callback):
        def after_batch(self, learn): seen.append(learn.batch[1]) if learn.training else None
    learn = Learner(net(), dls, cross_entropy, 0.1, [TrainCB(), MetricsCB(), history, ValidEveryCB(n), See()])
    learn.fit(4)
    again = loaders().train
    want = [b[1] for _ in range(8) for b in again][:4*n]
    assert len(seen) == 4*n and all(a.equal(b) for a, b in zip(seen, want)) and learn.dls is dls
    assert len(history.df) == 4 and history.df.notna().all(axis=None)


@pytest.mark.parametrize("every", [None, 1])
def test_pieces_resume(every, tmp_path):
    x, y, _ = data(20)
    def fit(n, *cbs):
        dls = get_dls(Dataset(x, y), Dataset(x, y), 6, seed=1)
        learn = Learner(net(), dls, cross_entropy, 0.1, [TrainCB(), MetricsCB(), ValidEveryCB(3), *cbs])
        learn.fit(n)
        return params(learn.model)
    class Die(Callback):
        order = 2000
        def before_batch(self, learn):
            if learn.training and learn.epoch == 2 and learn.iter == 1: raise ZeroDivisionError
    with pytest.raises(ZeroDivisionError): fit(4, CheckpointCB(tmp_path/"r", every=every), Die())
    assert fit(4, CheckpointCB(tmp_path/"r", every=every, resume=True)).equal(fit(4))


def test_an_empty_loader_is_no_endless_one():
    with pytest.raises(ArgumentError, match="batches"):
        Learner(net(), (iter(data()[2]), None), cross_entropy, cbs=[TrainCB(), ValidEveryCB(4)]).fit(2)


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


class CancelAt(Callback):
    "Cancels something at one batch"
    def __init__(self, event, at, error, order, epoch=0):
        self.at, self.error, self.order, self.epoch = at, error, order, epoch
        setattr(self, event, self.cancel)
    def cancel(self, learn):
        if not learn.training or (learn.epoch, learn.iter) != (self.epoch, self.at): return
        self.at = None  # once
        raise self.error()


@pytest.mark.parametrize("sized", [True, False], ids=["sized", "unsized"])
@pytest.mark.parametrize("event, order", [("before_batch", 0), ("after_predict", 0), ("after_loss", -20), ("after_loss", 0), ("after_backward", -20)])
@pytest.mark.parametrize("at", range(5))
@pytest.mark.parametrize("half_way", [False, True], ids=["float32", "float16"])
def test_a_cancelled_batch_counts_for_nothing(event, order, at, sized, half_way):
    "Wherever it is cancelled, first, inside or last of a window, and last of an epoch: updates are those of the others"
    x, y, _ = data(15)
    batches = list(zip(x.split(3), y.split(3)))
    model, want, steps = net(), net(), Steps()
    cbs = [half() if half_way else TrainCB(), GradAccumCB(3), CancelAt(event, at, CancelBatchException, order), steps]
    Learner(model, batches if sized else Bag(batches), cross_entropy, 0.1, cbs).fit(1, valid=False)
    others = [o for i, o in enumerate(batches) if i != at]
    large = [tuple(map(torch.cat, zip(*o))) for o in (others[:3], others[3:])]
    Learner(want, large, cross_entropy, 0.1, TrainCB()).fit(1, valid=False)
    assert steps.n == 2
    tol = dict(rtol=0.02, atol=2e-3) if half_way else dict(rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(params(model), params(want), **tol)


def test_a_cancelled_epoch_ends_its_window_later():
    "In the next epoch, or at the end of the fit"
    x, y, _ = data(15)
    batches = list(zip(x.split(3), y.split(3)))
    for epochs, first, rest in ((1, [0, 1], []), (2, [0, 1, 0], [1, 2, 3, 4])):
        model, want, steps = net(), net(), Steps()
        Learner(model, (batches, batches), cross_entropy, 0.1, [TrainCB(), GradAccumCB(3), CancelAt("before_batch", 2, CancelEpochException, 0), steps]).fit(epochs)
        large = [tuple(map(torch.cat, zip(*[batches[i] for i in o]))) for o in (first, rest[:3], rest[3:]) if o]
        Learner(want, large, cross_entropy, 0.1, TrainCB()).fit(1)
        assert steps.n == len(large)
        torch.testing.assert_close(params(model), params(want), rtol=1e-5, atol=1e-6)


def test_the_update_at_the_end_of_an_epoch_moves_the_schedule():
    "Of a loader without a length, validation between: each update has a learning rate of its own"
    rates = []
    class See(Callback):
        def after_step(self, learn): rates.append(learn.opt.param_groups[0]["lr"])
    x, y, batches = data(15, 3)
    sched = BatchSchedCB(partial(torch.optim.lr_scheduler.StepLR, step_size=1, gamma=0.5))
    Learner(net(), (Bag(batches), batches), cross_entropy, 0.1, [TrainCB(), GradAccumCB(3), See(), sched]).fit(2)
    assert rates == pytest.approx([0.1*0.5**i for i in range(4)])


def test_the_weight_can_be_told():
    "A loss that hides what it ignores, in batches of unlike numbers of labels"
    x, y, _ = data(20)
    y[:7] = 1
    def loss(preds, target): return F.cross_entropy(preds, target, ignore_index=1)
    def run(batches, *cbs):
        model = net()
        Learner(model, batches, loss, 0.1, [TrainCB(), *cbs]).fit(1)
        return params(model)
    small, large = list(zip(x.split(5), y.split(5))), run([(x, y)])
    torch.testing.assert_close(run(small, GradAccumCB(4, size=lambda target: (target != 1).sum())), large, rtol=1e-5, atol=1e-6)
    assert (run(small, GradAccumCB(4)) - large).abs().max() > 1e-3, "the control"


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
    assert state == dict(_count=2, _weight=6.)
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


class Parts(nn.Module):
    "A model with what has no average: a queue of unit vectors, a buffer that grows, counters; and with lazy and complex weights"
    def __init__(self):
        super().__init__()
        self.lazy, self.turn = nn.LazyLinear(3), nn.Parameter(torch.ones(3, dtype=torch.complex64))
        self.wrapped = nn.utils.parametrizations.spectral_norm(nn.Linear(3, 3))
        self.register_buffer("queue", F.normalize(torch.randn(5, 3), dim=1))
        self.register_buffer("seen", torch.zeros(0))
        self.register_buffer("n", torch.tensor(0))
        self.register_buffer("on", torch.tensor(False))
        self.frozen = nn.Parameter(torch.full((2,), -torch.inf), requires_grad=False)
    def forward(self, x):
        z = self.wrapped((self.lazy(x)*self.turn).real)
        if self.training:
            self.queue = torch.cat([self.queue[1:], F.normalize(z[:1].detach(), dim=1)])
            self.seen, self.n, self.on = torch.cat([self.seen, z.detach().mean()[None]]), self.n + 1, ~self.on
        return z


def test_ema_averages_what_is_trained():
    torch.manual_seed(1)
    ema, model = EMACB(0.7), Parts()
    learn = learner(ema, model=model, lr=0.2, opt_func=torch.optim.SGD)
    learn.fit(3)
    buffers = {k: o.clone() for k, o in model.named_buffers()}
    assert set(ema.averages) == {"lazy.weight", "lazy.bias", "turn", "wrapped.bias", "wrapped.parametrizations.weight.original"}
    raw = model.turn.detach().clone()
    with ema.applied():
        assert model.turn.equal(ema.averages["turn"]) and not model.turn.equal(raw) and model.frozen.isinf().all()
        torch.testing.assert_close(model.queue.norm(dim=1), torch.ones(5))
        assert all(o.equal(buffers[k]) for k, o in model.named_buffers()) and len(model.seen) == 12 and model.n == 12
    assert model.turn.equal(raw)


def test_ema_of_spectral_norm_keeps_its_loss():
    torch.manual_seed(0)
    wrap = nn.utils.parametrizations.spectral_norm
    model = nn.Sequential(wrap(nn.Linear(4, 8)), nn.ReLU(), wrap(nn.Linear(8, 3)))
    ema = EMACB(0.9)
    learn = learner(ema, model=model, lr=0.5)
    learn.fit(20)
    x, y, _ = data()
    def loss(): return cross_entropy(model.eval()(x), y).item()
    raw = loss()
    with ema.applied(): assert loss() < 1.1*raw


def test_ema_follows_what_is_unfrozen_later():
    ema, model = EMACB(0.5), net()
    model[0].requires_grad_(False)
    learn = learner(ema, model=model)
    learn.fit(1)
    assert set(ema.averages) == {"2.weight", "2.bias"}
    model.requires_grad_(True)
    learn.fit(1)
    assert set(ema.averages) == {"0.weight", "0.bias", "2.weight", "2.bias"}
    learn.model = net(1)
    learn.fit(1)
    assert not [k for k, o in ema.averages.items() if o.shape != learn.model.state_dict()[k].shape] and ema._n == 4, "of another model"


def test_validation_inside_applied():
    ema, seen = EMACB(0.9), []
    class See(Callback):
        def after_batch(self, learn): seen.append(params(learn.model))
    learn = learner(ema)
    learn.fit(2)
    raw = params(learn.model)
    with ema.applied():
        averages = params(learn.model)
        learn.fit(1, train=False, cbs=See())
        assert params(learn.model).equal(averages) and not averages.equal(raw)
        with ema.applied(): assert params(learn.model).equal(averages)
        assert params(learn.model).equal(averages)
        with pytest.raises(RuntimeError, match="train the averages"): learn.fit(1)
    assert params(learn.model).equal(raw) and len(seen) == 2 and all(o.equal(averages) for o in seen)


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
    again = EMACB()
    again.load_state_dict(dict(n=1, averages={"0.weight": torch.ones(2)}))
    with pytest.raises(RuntimeError): learner(again).fit(1)  # of another model
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


@pytest.mark.parametrize("order", [0, 15], ids=["before it is unscaled", "after"])
@pytest.mark.parametrize("error", [CancelStepException, CancelBatchException])
def test_who_skips_a_step_leaves_the_scale_right(order, error):
    "A callback that skips an update, before or after gradients have their true size: the next one has both, or the new one alone"
    def run(trainer):
        skip, steps = CancelAt("after_backward", 1, error, order), Steps()
        learn = learner(skip, steps, trainer=trainer)
        learn.fit(1, valid=False)
        return params(learn.model), steps.n
    (a, n), (b, m) = run(half()), run(TrainCB())
    assert n == m == 3
    torch.testing.assert_close(a, b, rtol=0.01, atol=3e-3)


@pytest.mark.parametrize("at", range(4))
@pytest.mark.parametrize("accumulate", [1, 2, 3])
def test_a_skipped_step_counts_for_nobody(at, accumulate):
    "Schedule, averages, accumulation and StopAfterCB count the updates that were made"
    ema, steps, stop = EMACB(0.9), Steps(), StopAfterCB(100)
    sched = BatchSchedCB(partial(torch.optim.lr_scheduler.StepLR, step_size=1, gamma=0.5))
    spoil = Spoil(at)
    spoil.order = -15  # before it is accumulated
    learn = learner(ema, steps, stop, spoil, sched, *[GradAccumCB(accumulate)]*(accumulate > 1), trainer=half())
    learn.fit(1, valid=False)
    made = -(-4//accumulate) - 1
    assert steps.n == stop.n == ema._n == made and learn.opt.param_groups[0]["lr"] == pytest.approx(0.1*0.5**made)
    assert params(learn.model).isfinite().all()


def test_the_finder_leaves_the_scale():
    "float16 has a state too: what looks for a learning rate puts it back"
    def run(find):
        trainer = MixedPrecision(dtype=torch.float16)
        learn = learner(trainer=trainer)
        if find: learn.lr_find(start_lr=1e-3, max_epochs=20, plot=False)
        assert trainer.state_dict() == MixedPrecision(dtype=torch.float16).state_dict()
        learn.fit(2)
        return params(learn.model), trainer.state_dict()
    (a, one), (b, two) = run(False), run(True)
    assert a.equal(b) and one == two


def test_a_look_at_a_loader_left_early_cuts_no_epoch_short():
    learn, seen = learner(), Counter()
    learn.dls = DataLoaders(DataLoader(Dataset(*data()[:2]), 6, shuffle=True, seed=1))
    class Count(Callback):
        def before_batch(self, learn): seen[learn.training] += 1
    class Stop(Callback):
        def after_batch(self, learn):
            if learn.iter == 1: raise KeyboardInterrupt
    with pytest.raises(KeyboardInterrupt): learn.fit(1, valid=False, cbs=[Stop()])
    learn.get_preds(learn.dls.train)
    learn.fit(1, valid=False, cbs=[Count()])
    assert seen[True] == len(learn.dls.train)


def test_in_the_middle_of_an_epoch_a_look_changes_nothing():
    dl = DataLoader(Dataset(torch.arange(12), torch.arange(12)), 3, shuffle=True, seed=1)
    plain = [x.tolist() for _ in range(2) for x, _ in dl]
    dl.set_epoch(0)
    walk, got = iter(dl), []
    for x, _ in walk:
        got.append(x.tolist())
        with position_kept(dl): next(iter(dl))
    got += [x.tolist() for x, _ in dl]
    assert got == plain


def test_validating_every_so_often_over_other_loaders(tmp_path):
    ds = torch.utils.data.TensorDataset(torch.randn(12, 2), torch.randn(12, 1))
    for dl in (torch.utils.data.DataLoader(ds, 3), [ds[:3], ds[3:6]]):
        for cb in (OverfitBatchCB(2), CheckpointCB(tmp_path/f"{type(dl).__name__}")):
            Learner(nn.Linear(2, 1), DataLoaders(dl, dl), F.mse_loss, cbs=[TrainCB(), ValidEveryCB(2), cb]).fit(2)


def test_early_stopping_can_be_stored_before_a_fit():
    state = EarlyStopCB().state_dict()
    EarlyStopCB().load_state_dict(state)
