"""Lessons written for miniai, from outside: every name is read from `minitrain.all`, nothing else of the package is known.

Each test is a piece of the course's kind of code, in its idiom (star import, `fc`, `partial`, callbacks with few lines),
on the digits that the package brings. It runs as it stands, and what it must give is asserted.
"""
import matplotlib
matplotlib.use("Agg")
import copy
import math
from functools import partial

import fastcore.all as fc
import matplotlib.pyplot as plt
import pytest
import torch
import torch.nn.functional as F
from torch import nn, optim, tensor
from torch.optim import lr_scheduler

from minitrain.all import *

torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def clean():
    set_seed(42)
    yield
    plt.close("all")


@pytest.fixture(scope="session")
def xy():
    x_train, y_train, x_valid, y_valid = load_digits()
    return x_train[:2000], y_train[:2000], x_valid, y_valid


@pytest.fixture
def dls(xy):
    "Flat digits, as for the course's first Learner"
    xt, yt, xv, yv = xy
    return DataLoaders(*get_dls(Dataset(xt.view(-1, 784), yt), Dataset(xv.view(-1, 784), yv), bs=64))


@pytest.fixture
def conv_dls(xy):
    "Digits as one-channel images, normalised"
    xt, yt, xv, yv = xy
    m, s = xt.mean(), xt.std()
    return DataLoaders(*get_dls(Dataset(((xt - m)/s)[:, None], yt), Dataset(((xv - m)/s)[:, None], yv), bs=64))


def mlp(nh=50): return nn.Sequential(nn.Linear(784, nh), nn.ReLU(), nn.Linear(nh, 10))


class LogCB(Callback):
    "Keeps what MetricsCB would print"
    order = MetricsCB.order + 1
    def before_fit(self, learn):
        self.rows = []
        learn.metrics._log = self.rows.append
    def last(self, train): return next(o for o in reversed(self.rows) if o["train"] == train)


# --- 09 learner ----------------------------------------------------------------------------------------------------

def test_event_order(dls):
    seen = []
    class TraceCB(Callback): pass
    for o in ("before", "after", "cleanup"):
        for s in ("fit", "epoch", "batch"): setattr(TraceCB, f"{o}_{s}", lambda self, learn, nm=f"{o}_{s}": seen.append(nm))
    for o in ("predict", "loss", "backward", "step"): setattr(TraceCB, f"after_{o}", lambda self, learn, nm=f"after_{o}": seen.append(nm))
    one = DataLoaders(*([next(iter(dl))] for dl in (dls.train, dls.valid)))
    Learner(mlp(), one, F.cross_entropy, lr=0.1, cbs=[TrainCB(), TraceCB()]).fit(1)
    assert seen == """before_fit before_epoch before_batch after_predict after_loss after_backward after_step after_batch cleanup_batch
        after_epoch cleanup_epoch before_epoch before_batch after_predict after_loss after_batch cleanup_batch after_epoch cleanup_epoch
        after_fit cleanup_fit""".split()


class CompletionCB(Callback):
    def before_fit(self, learn): self.count = 0
    def after_batch(self, learn): self.count += 1
    def after_fit(self, learn): self.done = f"Completed {self.count} batches"


def test_basic_callbacks(dls):
    cb = CompletionCB()
    learn = Learner(mlp(), dls, F.cross_entropy, lr=0.2, cbs=[TrainCB(), cb])
    learn.fit(1)
    assert cb.done == f"Completed {len(dls.train) + len(dls.valid)} batches"
    learn.fit(1, train=False)
    assert cb.count == len(dls.valid)
    learn.fit(1, valid=False, cbs=CompletionCB(), lr=0.1)
    assert cb.count == len(dls.train) and len(learn.cbs) == 2 and learn.opt.param_groups[0]["lr"] == 0.1
    assert (learn.n_epochs, list(learn.epochs), learn.epoch, learn.iter) == (1, [0], 0, len(dls.train) - 1)
    assert learn.batch[0].shape[1] == 784 and learn.preds.shape[1] == 10 and learn.loss.dim() == 0


def test_single_batch(dls):
    cb = CompletionCB()
    learn = Learner(mlp(), dls, F.cross_entropy, lr=0.2, cbs=[SingleBatchCB(), TrainCB(), cb])
    learn.fit(1)
    assert cb.count == 1 and not hasattr(cb, "done")
    assert learn.batch[0].shape == (64, 784)


def test_weights_of_the_bare_loop(conv_dls):
    batches = [list(dl)[:8] for dl in (conv_dls.train, conv_dls.valid)]
    model = get_model(norm=nn.BatchNorm2d).to("cpu")
    twin = copy.deepcopy(model)
    Learner(model, DataLoaders(*batches), F.cross_entropy, lr=0.05, cbs=[TrainCB(), DeviceCB("cpu")], opt_func=partial(optim.SGD, momentum=0.9)).fit(2)
    opt = optim.SGD(twin.parameters(), 0.05, momentum=0.9)
    for xb, yb in batches[0]*2:
        F.cross_entropy(twin(xb), yb).backward()
        opt.step()
        opt.zero_grad()
    assert all(torch.equal(a, b) for a, b in zip(model.state_dict().values(), twin.state_dict().values()))


class Metric:
    def __init__(self): self.reset()
    def reset(self): self.vals, self.ns = [], []
    def add(self, inp, targ=None, n=1):
        self.last = self.calc(inp, targ)
        self.vals.append(self.last)
        self.ns.append(n)
    def update(self, inp, targ): self.add(inp, targ, len(targ))
    @property
    def value(self):
        ns = tensor(self.ns)
        return (tensor(self.vals)*ns).sum()/ns.sum()
    def compute(self): return self.value
    def calc(self, inps, targs): return (inps.argmax(1) == targs).float().mean()


def test_metrics_and_device(dls, capsys):
    metrics = MetricsCB(accuracy=Metric())
    learn = Learner(mlp(), dls, F.cross_entropy, lr=0.2, cbs=[TrainCB(), DeviceCB(), metrics])
    learn.fit(2)
    rows = [eval(o) for o in capsys.readouterr().out.splitlines() if o.startswith("{")]
    assert [(o["epoch"], o["train"]) for o in rows] == [(0, "train"), (0, "eval"), (1, "train"), (1, "eval")]
    assert set(rows[0]) == {"accuracy", "loss", "epoch", "train"} and all(isinstance(rows[0][k], str) for k in ("accuracy", "loss"))
    assert float(rows[-1]["accuracy"]) > 0.8 and float(rows[-1]["loss"]) < float(rows[0]["loss"])
    assert learn.metrics is metrics and set(metrics.all_metrics) == {"accuracy", "loss"}


def test_torchmetrics_by_position(dls):
    torchmetrics = pytest.importorskip("torchmetrics")
    acc, log = torchmetrics.classification.MulticlassAccuracy(10, average="micro"), LogCB()
    learn = Learner(mlp(), dls, F.cross_entropy, lr=0.2, cbs=[DeviceCB(), TrainCB(), MetricsCB(acc), log])
    learn.fit(1)
    told = float(log.last("eval")["MulticlassAccuracy"])
    acts, targs = learn.capture_preds()
    assert abs(told - (acts.argmax(1) == targs).float().mean()) < 0.0006


def test_progress(dls, capsys):
    cbs = [DeviceCB(), MetricsCB(accuracy=Metric()), ProgressCB(plot=True), TrainCB()]
    learn = Learner(mlp(), dls, F.cross_entropy, lr=0.2, cbs=cbs)
    learn.fit(1)
    out = capsys.readouterr().out
    assert all(o in out for o in ("accuracy", "loss", "epoch", "train", "eval"))
    assert len(cbs[2].losses) == len(dls.train) and ProgressCB.order == MetricsCB.order + 1


def test_train_learner_subclass(dls):
    class MyLearner(TrainLearner):
        def get_loss(self): self.loss = self.loss_func(self.preds, self.batch[1])*1.0
        def zero_grad(self): self.opt.zero_grad()
    log = LogCB()
    learn = MyLearner(mlp(), dls, F.cross_entropy, lr=0.2, cbs=[DeviceCB(), MetricsCB(accuracy=Metric()), log])
    learn.fit(2)
    assert float(log.last("eval")["accuracy"]) > 0.8


def test_own_learner_methods(dls):
    class FuncLearner(Learner):
        def predict(self): self.preds = self.model(self.batch[0])
        def get_loss(self): self.loss = self.loss_func(self.preds, self.batch[1])
        def backward(self): self.loss.backward()
        def step(self): self.opt.step()
        def zero_grad(self): self.opt.zero_grad()
    learn = FuncLearner(mlp(), dls, F.cross_entropy, 0.2)
    learn.fit(1)
    assert learn.loss < 1


def test_momentum_learner(dls):
    log = LogCB()
    learn = MomentumLearner(mlp(), dls, F.cross_entropy, lr=0.1, mom=0.85, cbs=[DeviceCB(), MetricsCB(accuracy=Metric()), log])
    learn.fit(1)
    assert learn.mom == 0.85 and float(log.last("eval")["accuracy"]) > 0.8


def test_callback_changes_the_batch(dls):
    class ScaleCB(Callback):
        order = DeviceCB.order + 1
        def before_batch(self, learn):
            xb, yb = learn.batch
            learn.batch = xb*2 - 1, yb
    log = LogCB()
    learn = Learner(mlp(), dls, F.cross_entropy, lr=0.1, cbs=[TrainCB(), DeviceCB(), ScaleCB(), MetricsCB(accuracy=Metric()), log])
    learn.fit(2)
    assert learn.batch[0].min() == -1 and learn.batch[0].max() == 1 and float(log.last("eval")["accuracy"]) > 0.8


def test_callback_that_cancels(dls):
    class SkipCB(Callback):
        order = -1
        def before_batch(self, learn):
            if learn.training and learn.iter % 2: raise CancelBatchException()
        def after_loss(self, learn):
            if learn.training and learn.iter >= 10: raise CancelEpochException()
    cb = CompletionCB()
    learn = Learner(mlp(), dls, F.cross_entropy, lr=0.1, cbs=[TrainCB(), SkipCB(), cb])
    learn.fit(2)
    assert cb.count == 2*(5 + len(dls.valid)) and hasattr(cb, "done")
    class StopCB(Callback):
        def after_epoch(self, learn): raise CancelFitException()
    learn = Learner(mlp(), dls, F.cross_entropy, lr=0.1, cbs=[TrainCB(), StopCB(), cb := CompletionCB()])
    learn.fit(5)
    assert cb.count == len(dls.train) and not hasattr(cb, "done") and learn.epoch == 0


def test_lr_find_and_finder_alone(dls):
    learn = MomentumLearner(mlp(), dls, F.cross_entropy, lr=0.1, cbs=[DeviceCB()])
    before = [p.detach().clone() for p in learn.model.parameters()]
    learn.lr_find(gamma=1.2, max_mult=3, start_lr=1e-4, max_epochs=5)
    assert all(torch.equal(p, q) for p, q in zip(before, learn.model.parameters()))
    lrfind = LRFinderCB(gamma=1.3)
    learn = MomentumLearner(mlp(), dls, F.cross_entropy, lr=1e-4, cbs=[DeviceCB(), lrfind])
    learn.fit(3)
    assert len(lrfind.lrs) == len(lrfind.losses) > 10 and math.isclose(lrfind.lrs[1]/lrfind.lrs[0], 1.3) and lrfind.lrs[0] == 1e-4
    plt.plot(lrfind.lrs, lrfind.losses)
    plt.xscale("log")


# --- 10 activations --------------------------------------------------------------------------------------------------

def test_hooks_by_hand(conv_dls):
    model = get_model()
    act_means = [[] for _ in model]
    def append_mean(i, hook, mod, inp, outp): act_means[i].append(to_cpu(outp).mean())
    hooks = [Hook(m, partial(append_mean, i)) for i, m in enumerate(model)]
    Learner(model, conv_dls, F.cross_entropy, lr=0.05, cbs=[TrainCB(), DeviceCB()]).fit(1, valid=False)
    for h in hooks: h.remove()
    assert [len(o) for o in act_means] == [len(conv_dls.train)]*len(model)
    with Hooks(model, append_stats) as hooks:
        model(next(iter(conv_dls.train))[0].to(def_device))
        assert len(hooks) == len(model) and len(hooks[0].stats[0]) == 1
        del hooks[0]
        assert len(hooks) == len(model) - 1
    assert not any(m._forward_hooks for m in model.modules())


def test_hooks_callback(conv_dls):
    shapes = []
    def grab(hook, mod, inp, outp): shapes.append(tuple(outp.shape))
    hc = HooksCallback(grab, mod_filter=fc.risinstance(nn.Conv2d), on_train=False, on_valid=True)
    learn = Learner(get_model(), conv_dls, F.cross_entropy, lr=0.05, cbs=[TrainCB(), DeviceCB(), hc])
    learn.fit(1)
    assert len(hc) == 5 and len(shapes) == 5*len(conv_dls.valid) and shapes[0] == (128, 8, 14, 14)


def test_activation_stats(conv_dls):
    astats = ActivationStats(fc.risinstance(nn.ReLU))
    learn = Learner(get_model(), conv_dls, F.cross_entropy, lr=0.1, cbs=[TrainCB(), DeviceCB(), MetricsCB(accuracy=Metric()), astats])
    learn.fit(1)
    n = len(conv_dls.train)
    assert len(astats) == 4
    for h in astats:
        assert [len(o) for o in h.stats] == [n, n, n]
        assert get_hist(h).shape[1] == n and get_min(h).shape == (n,) and 0 <= get_min(h).min() <= get_min(h).max() <= 1
    astats.color_dim(); astats.dead_chart(figsize=(8, 4)); astats.plot_stats()


# --- 11 init ----------------------------------------------------------------------------------------------------------

def test_init_weights_general_relu(conv_dls):
    act = partial(GeneralRelu, leak=0.1, sub=0.4)
    model = get_model(act)
    iw = partial(init_weights, leaky=0.1)
    model.apply(iw)
    x = torch.randn(1000)
    assert torch.allclose(act()(x), F.leaky_relu(x, 0.1) - 0.4) and GeneralRelu(maxv=1.)(x).max() == 1
    plot_func(GeneralRelu(leak=0.1, sub=0.4))
    log, astats = LogCB(), ActivationStats(fc.risinstance(GeneralRelu))
    learn = MomentumLearner(model, conv_dls, F.cross_entropy, lr=0.05, cbs=[DeviceCB(), MetricsCB(accuracy=Metric()), log, astats])
    learn.fit(1)
    assert float(log.last("eval")["accuracy"]) > 0.85 and len(astats) == 4


def test_lsuv(conv_dls):
    model = get_model(partial(GeneralRelu, leak=0.1, sub=0.4))
    xb, yb = next(iter(conv_dls.train))
    relus = [o for o in model.modules() if isinstance(o, GeneralRelu)]
    convs = [o for o in model.modules() if isinstance(o, nn.Conv2d)]
    for ms in zip(relus, convs): lsuv_init(model, *ms, xb.to(def_device))
    with Hooks(relus, append_stats) as hooks: model(xb.to(def_device))
    for h in hooks: assert abs(h.stats[0][0]) < 1e-2 and abs(h.stats[1][0] - 1) < 1e-2


def test_conv_norm_and_get_model(conv_dls):
    m = conv(1, 8, ks=5, stride=1, act=partial(GeneralRelu, leak=0.1), norm=nn.BatchNorm2d, bias=False)
    assert [type(o) for o in m] == [nn.Conv2d, nn.BatchNorm2d, GeneralRelu] and m[0].bias is None and m(torch.randn(2, 1, 28, 28)).shape == (2, 8, 28, 28)
    assert [type(o) for o in conv(1, 8, act=None)] == [nn.Conv2d]
    log = LogCB()
    model = get_model(act_gr, norm=nn.BatchNorm2d, nfs=[1, 8, 16, 32, 64]).apply(partial(init_weights, leaky=0.1))
    learn = MomentumLearner(model, conv_dls, F.cross_entropy, lr=0.2, cbs=[DeviceCB(), MetricsCB(accuracy=Metric()), log])
    learn.fit(1)
    assert float(log.last("eval")["accuracy"]) > 0.88


# --- 12 sgd -----------------------------------------------------------------------------------------------------------

def _lr(cb): return cb.pg["lr"]
def _beta1(cb): return cb.pg["betas"][0]


def test_one_cycle_and_recorder(conv_dls):
    epochs, lr = 2, 2e-2
    tmax = epochs*len(conv_dls.train)
    sched = partial(lr_scheduler.OneCycleLR, max_lr=lr, total_steps=tmax)
    rec, log = RecorderCB(lr=_lr, mom=_beta1), LogCB()
    model = get_model(act_gr, norm=nn.BatchNorm2d).apply(partial(init_weights, leaky=0.1))
    cbs = [DeviceCB(), MetricsCB(accuracy=Metric()), log]
    xtra = [BatchSchedCB(sched), rec]
    learn = TrainLearner(model, conv_dls, F.cross_entropy, lr=lr, cbs=cbs + xtra, opt_func=optim.AdamW)
    learn.fit(epochs)
    assert len(rec.recs["lr"]) == tmax and math.isclose(max(rec.recs["lr"]), lr, rel_tol=0.02) and rec.recs["lr"][-1] < lr/100
    assert min(rec.recs["mom"]) < 0.86 and max(rec.recs["mom"]) > 0.94
    rec.plot()
    assert float(log.last("eval")["accuracy"]) > 0.93


def test_epoch_sched(dls):
    sched, rec = EpochSchedCB(partial(lr_scheduler.CosineAnnealingLR, T_max=3)), RecorderCB(lr=_lr)
    learn = TrainLearner(mlp(), dls, F.cross_entropy, lr=0.1, cbs=[sched, rec], opt_func=optim.SGD)
    learn.fit(3)
    n = len(dls.train)
    assert rec.recs["lr"][:n] == [0.1]*n and torch.allclose(tensor(rec.recs["lr"][::n]), tensor([0.1, 0.075, 0.025]))
    assert isinstance(sched.schedo, lr_scheduler.CosineAnnealingLR)


def test_base_sched_subclass(dls):
    class EveryTenth(BaseSchedCB):
        def after_batch(self, learn):
            if learn.iter % 10 == 9: self._step(learn)
    sched = EveryTenth(partial(lr_scheduler.ExponentialLR, gamma=0.5))
    learn = TrainLearner(mlp(), dls, F.cross_entropy, lr=0.1, cbs=[sched])
    learn.fit(1)
    assert math.isclose(learn.opt.param_groups[0]["lr"], 0.1*0.5**(len(dls.train)//10))


# --- 13 resnet --------------------------------------------------------------------------------------------------------

def get_resnet(act=nn.ReLU, nfs=(8, 16, 32, 64), norm=nn.BatchNorm2d):
    layers = [ResBlock(1, 8, stride=1, act=act, norm=norm)]
    layers += [ResBlock(nfs[i], nfs[i + 1], act=act, norm=norm, stride=2) for i in range(len(nfs) - 1)]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(nfs[-1], 10, bias=False), nn.BatchNorm1d(10)).to(def_device)


def _print_shape(hook, mod, inp, outp): hook.shape = type(mod).__name__, tuple(inp[0].shape), tuple(outp.shape)


def test_resnet_and_summary(conv_dls, capsys):
    log = LogCB()
    learn = TrainLearner(get_resnet(act_gr).apply(partial(init_weights, leaky=0.1)), conv_dls, F.cross_entropy, lr=1e-2, opt_func=optim.AdamW,
                         cbs=[DeviceCB(), MetricsCB(accuracy=Metric()), log])
    with Hooks(learn.model, _print_shape) as hooks: learn.fit(1, train=False, cbs=SingleBatchCB())
    assert hooks[0].shape == ("ResBlock", (128, 1, 28, 28), (128, 8, 28, 28)) and hooks[3].shape[2] == (128, 64, 4, 4)
    before = [p.detach().clone() for p in learn.model.parameters()]
    res = learn.summary()
    text = capsys.readouterr().out + str(getattr(res, "data", res))
    assert str(sum(p.numel() for p in learn.model.parameters())) in text.replace(",", "") and "ResBlock" in text
    assert all(torch.equal(p, q) for p, q in zip(before, learn.model.parameters()))
    learn.fit(1, cbs=BatchSchedCB(partial(lr_scheduler.OneCycleLR, max_lr=2e-2, total_steps=len(conv_dls.train))))
    assert float(log.last("eval")["accuracy"]) > 0.8  # 32 updates; the last layer's running statistics are still behind
    assert "idconv" not in dict(ResBlock(8, 8).named_parameters()) and ResBlock(8, 16, stride=2, ks=5)(torch.randn(2, 8, 7, 7)).shape == (2, 16, 4, 4)


# --- 14 augment -------------------------------------------------------------------------------------------------------

def test_batch_transform_and_show(conv_dls):
    flips = []
    def tfm_batch(b, tfm_x=fc.noop, tfm_y=fc.noop): flips.append(1); return tfm_x(b[0]), tfm_y(b[1])
    tfms = nn.Sequential(RandErase(pct=0.2, max_num=3), RandCopy())
    augcb = BatchTransformCB(partial(tfm_batch, tfm_x=tfms), on_val=False)
    log = LogCB()
    model = get_model(act_gr, norm=nn.BatchNorm2d).apply(partial(init_weights, leaky=0.1))
    learn = TrainLearner(model, conv_dls, F.cross_entropy, lr=1e-2, opt_func=optim.AdamW, cbs=[DeviceCB(), MetricsCB(accuracy=Metric()), log, augcb])
    learn.fit(1)
    assert len(flips) == len(conv_dls.train) and float(log.last("eval")["accuracy"]) > 0.85
    learn.show_image_batch(max_n=9, figsize=(3, 3))
    assert learn.batch[0].shape[1:] == (1, 28, 28) and sum(o.get_visible() and len(o.images) for o in plt.gcf().axes) == 9


def test_rand_erase_and_copy(conv_dls):
    xb, _ = next(iter(conv_dls.train))
    low, high = xb.min(), xb.max()
    out = rand_erase(xb.clone(), 0.2, 4)
    assert out.shape == xb.shape and out.min() >= low and out.max() <= high
    out = rand_copy(xb.clone(), 0.2, 4)
    assert out.shape == xb.shape and set(out.unique().tolist()) <= set(xb.unique().tolist())
    changed = [not torch.equal(RandErase(0.3, 4)(xb.clone()), xb) for _ in range(12)]
    assert any(changed)


def test_capture_preds_and_tta(conv_dls):
    learn = TrainLearner(get_model(norm=nn.BatchNorm2d), conv_dls, F.cross_entropy, lr=1e-2, opt_func=optim.AdamW, cbs=[DeviceCB()])
    learn.fit(1)
    ap1, at = learn.capture_preds()
    assert ap1.shape == (500, 10) and at.shape == (500,)
    ttacb = BatchTransformCB(partial(lambda b, f: (f(b[0]), b[1]), f=lambda x: x.roll(1, -1)), on_val=True)
    ap2, at2 = learn.capture_preds(cbs=[ttacb])
    assert torch.equal(at, at2) and not torch.equal(ap1, ap2)
    ap = torch.stack([ap1, ap2]).mean(0).argmax(1)
    assert (ap == at).float().mean() > 0.85 and learn.capture_preds(inps=True)[-1].shape[0] == 500


# --- data, and the rest -------------------------------------------------------------------------------------------------

class Rows(list):
    features = dict(image=None, label=None)


def test_collate_dict_inplace_from_dd(xy):
    xt, yt, xv, yv = xy
    dd = dict(train=Rows(dict(image=o, label=int(l)) for o, l in zip(xt[:640], yt)), test=Rows(dict(image=o, label=int(l)) for o, l in zip(xv[:100], yv)))
    dls = DataLoaders.from_dd(dd, 32)
    xb, yb = next(iter(dls.train))
    assert xb.shape == (32, 28, 28) and yb.dtype == torch.int64
    @inplace
    def transformi(b): b["image"] = [o.view(-1) for o in b["image"]]
    b = transformi(dict(image=[xt[0]], label=[1]))
    assert b["image"][0].shape == (784,)
    assert collate_dict(dd["train"])([dd["train"][0]]*3)[0].shape == (3, 28, 28)
    learn = TrainLearner(nn.Sequential(nn.Flatten(), mlp()), dls, F.cross_entropy, lr=0.2)
    learn.fit(1)
    assert learn.loss < 2


def test_torch_loader(xy):
    from torch.utils.data import DataLoader as TorchLoader, TensorDataset
    xt, yt, xv, yv = xy
    tds, vds = TensorDataset(xt.flatten(1), yt), TensorDataset(xv.flatten(1), yv)
    dls = DataLoaders(TorchLoader(tds, 64, shuffle=True), TorchLoader(vds, 128))
    log = LogCB()
    learn = TrainLearner(mlp(), dls, F.cross_entropy, lr=0.2, cbs=[DeviceCB(), MetricsCB(accuracy=Metric()), log])
    learn.fit(1)
    assert float(log.last("eval")["accuracy"]) > 0.7


def test_autoencoder(xy):
    xt, _, xv, _ = xy
    dls = DataLoaders(*get_dls(Dataset(xt.flatten(1), xt.flatten(1)), Dataset(xv.flatten(1), xv.flatten(1)), bs=64))
    model = nn.Sequential(nn.Linear(784, 20), nn.ReLU(), nn.Linear(20, 784), nn.Sigmoid())
    log = LogCB()
    learn = Learner(model, dls, F.mse_loss, lr=1e-2, cbs=[TrainCB(), DeviceCB(), MetricsCB(), log], opt_func=optim.AdamW)
    learn.fit(2)
    assert float(log.last("eval")["loss"]) < 0.05


def test_two_inputs(xy):
    xt, yt, xv, yv = xy
    class Two(nn.Module):
        def __init__(self): super().__init__(); self.l = nn.Linear(784, 10)
        def forward(self, a, b): return self.l(torch.cat([a, b], 1))
    def batches(x, y): return [(o[:, :392], o[:, 392:], l) for o, l in zip(x.flatten(1).split(64), y.split(64))]
    learn = Learner(Two(), DataLoaders(batches(xt, yt), batches(xv, yv)), F.cross_entropy, lr=0.2, cbs=[TrainCB(n_inp=2), DeviceCB()])
    learn.fit(1)
    assert learn.preds.shape[1] == 10 and learn.loss < 1.5


def test_mixed_precision(conv_dls):
    log = LogCB()
    model = get_model(act_gr, norm=nn.BatchNorm2d).apply(partial(init_weights, leaky=0.1))
    learn = Learner(model, conv_dls, F.cross_entropy, lr=1e-2, opt_func=optim.AdamW, cbs=[DeviceCB(), MixedPrecision(), MetricsCB(accuracy=Metric()), log])
    learn.fit(1)
    assert float(log.last("eval")["accuracy"]) > 0.88 and not torch.is_autocast_enabled("cpu") and next(model.parameters()).dtype == torch.float32


def test_from_scratch_fit(dls):
    model = mlp()
    fit(1, model, F.cross_entropy, optim.SGD(model.parameters(), lr=0.2), dls.train, dls.valid)
    xb, yb = next(iter(dls.valid))
    assert accuracy(model(xb), yb) > 0.7


def test_pictures():
    fig, axs = get_grid(5, figsize=(4, 3))
    assert sum(o.get_visible() for o in axs.flat) == 5
    show_images(torch.rand(4, 3, 8, 8), titles=list("abcd"))
    ax = show_image(torch.rand(1, 8, 8), figsize=(2, 2), title="one")
    assert ax.get_title() == "one"
    subplots(2, 2, imsize=2)


def test_every_name_of_the_course():
    names = """Learner Callback CancelFitException CancelEpochException CancelBatchException TrainCB DeviceCB MetricsCB ProgressCB SingleBatchCB TrainLearner
        MomentumLearner LRFinderCB Hook Hooks HooksCallback ActivationStats append_stats get_hist get_min set_seed BatchTransformCB GeneralRelu plot_func
        init_weights lsuv_init conv get_model BaseSchedCB BatchSchedCB EpochSchedCB RecorderCB ResBlock act_gr rand_erase RandErase rand_copy RandCopy
        MixedPrecision AccelerateCB DataLoaders get_dls collate_dict inplace show_image show_images get_grid subplots to_device to_cpu def_device fit
        accuracy report Dataset""".split()
    import minitrain.all
    assert [o for o in names if not hasattr(minitrain.all, o)] == []
    assert [o for o in ("lr_find", "summary", "capture_preds", "show_image_batch") if not hasattr(Learner, o)] == []


def test_one_cycle_with_the_default_optimizer():
    "miniai's default is torch's SGD, to which OneCycleLR may give momentum"
    dl = [(torch.randn(4, 3), torch.randn(4, 1))]*5
    learn = Learner(nn.Linear(3, 1), DataLoaders(dl, dl), cbs=[TrainCB(), BatchSchedCB(partial(lr_scheduler.OneCycleLR, max_lr=0.01, total_steps=10))])
    rec = RecorderCB(mom=lambda cb: cb.pg["momentum"])
    learn.fit(2, cbs=rec)
    assert len(rec.recs["mom"]) == 10 and min(rec.recs["mom"]) == pytest.approx(0.85)
