"""Lesson 15: hooks that leave nothing behind, statistics that are right, a summary without a trace, the origin of a NaN."""
import math, pickle
from copy import deepcopy
from dataclasses import dataclass
from functools import partial

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from minitrain.all import ActivationStats, ArgumentError, Callback, CancelBatchException, CancelEpochException, CancelFitException, DataLoader, DataLoaders, Dataset, GradientStats, Hook, Hooks, HooksCallback, Learner, SingleBatchCB, TrainCB, append_stats, get_hist, get_min, plot_func, set_seed
from minitrain.diagnose import NaNStopCB, summary


def hooks_on(model):
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) + len(m._backward_hooks) for m in model.modules()) + sum(len(p._backward_hooks or ()) for p in model.parameters())


def mlp(): return nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))


def learner(model=None, cbs=(), batches=3, valid=0, loss_func=nn.functional.mse_loss, **kwargs):
    g = torch.Generator().manual_seed(0)
    dls = [[(torch.randn(6, 4, generator=g), torch.randn(6, 3, generator=g)) for _ in range(n)] for n in (batches, valid) if n]
    return Learner(model or mlp(), DataLoaders(*dls), loss_func, cbs=[TrainCB(), *cbs], **kwargs)


# hooks

def test_hook_replaces_output_only_with_a_value():
    lin = nn.Linear(2, 2)
    with Hook(lin, lambda h, m, inp, out: torch.zeros(3)): assert_close(lin(torch.ones(1, 2)), torch.zeros(3))
    with Hook(lin, lambda h, m, inp, out: None): assert lin(torch.ones(1, 2)).shape == (1, 2)


def test_hook_can_be_put_on_again():
    lin, calls = nn.Linear(2, 2), []
    h = Hook(lin, lambda *args: calls.append(args[0]))
    h.add(); lin(torch.ones(1, 2))
    h.remove(); h.remove(); lin(torch.ones(1, 2))
    with h: lin(torch.ones(1, 2))
    assert calls == [h, h] and not hooks_on(lin)


@pytest.mark.parametrize("copy", [deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_copies_are_not_watched(copy):
    lin, calls = nn.Linear(2, 2), []
    with Hook(lin, lambda *args: calls.append(1)):
        twin = copy(lin)
        twin(torch.ones(1, 2))
        assert not calls
        lin(torch.ones(1, 2))
    assert calls == [1]


# callbacks

@pytest.mark.parametrize("event", ["before_epoch", "after_predict", "after_loss", "after_batch", "after_fit"])
@pytest.mark.parametrize("error", [CancelFitException, CancelEpochException, CancelBatchException, ZeroDivisionError, KeyboardInterrupt])
def test_nothing_is_left_however_a_fit_ends(event, error):
    def raising(learn): raise error
    cls = type("EndCB", (Callback,), {event: lambda self, learn: raising(learn)})
    learn = learner(cbs=[ActivationStats(), GradientStats(), NaNStopCB(), cls()])
    try: learn.fit(1)
    except (error, RuntimeError): pass
    assert not hooks_on(learn.model)


def test_when_and_where():
    seen = {}
    def count(h, m, inp, out): seen[h.name] = seen.get(h.name, 0) + 1
    learn = learner(batches=3, valid=2)
    for kwargs, n in (({}, 3), (dict(on_valid=True), 5), (dict(on_train=False, on_valid=True), 2)):
        seen.clear()
        learn.fit(1, cbs=HooksCallback(count, lambda m: isinstance(m, nn.Linear), **kwargs))
        assert seen == {"0": n, "2": n}
    seen.clear()
    learn.fit(1, cbs=HooksCallback(count, mods=[learn.model[1]]))
    assert seen == {"1": 3}
    cb = HooksCallback(count)
    learn.fit(1, cbs=cb)
    assert [h.name for h in cb] == ["Sequential", "0", "1", "2"] and cb[1].module is learn.model[0] and len(cb) == 4


def test_a_compiled_model_is_watched_in_every_batch():
    from minitrain.scale import CompileCB
    stats = ActivationStats(lambda m: isinstance(m, nn.ReLU))
    learn = learner(cbs=[CompileCB(backend="eager"), stats], batches=4)
    torch._dynamo.reset()
    with torch._dynamo.config.patch(recompile_limit=2, fail_on_recompile_limit_hit=True):
        for _ in range(3): learn.fit(1)
    assert [[len(o) for o in h.stats] for h in stats] == [[12]*3]


def test_what_a_hook_returns_is_not_used_in_a_fit():
    a, b = (learner(cbs=cbs) for cbs in ([], [HooksCallback(lambda *args: torch.zeros(1))]))
    b.model.load_state_dict(a.model.state_dict())
    a.fit(1); b.fit(1)
    for p, q in zip(a.model.parameters(), b.model.parameters()): assert torch.equal(p, q)


def test_a_new_model_begins_anew():
    stats = ActivationStats(lambda m: isinstance(m, nn.ReLU))
    learn = learner(cbs=[stats])
    learn.fit(1)
    learn.model, learn.opt = mlp(), None
    learn.fit(1)
    assert [len(h.stats[0]) for h in stats] == [3]


# statistics

def stats_of(*xs):
    with Hook(nn.Identity(), append_stats) as h:
        for x in xs: h.module(x)
    return h.stats


@pytest.mark.parametrize("shape", [(1,), (7,), (3, 1), (1025,), (5, 3, 7), (16, 8, 14, 14), (64, 10)])
@pytest.mark.parametrize("mean", [0., 3., -20.])
def test_mean_and_std_are_torchs(shape, mean):
    x = torch.randn(shape, generator=torch.Generator().manual_seed(1)) + mean
    m, s, counts = (o[0] for o in stats_of(x))
    assert_close(m, x.mean(), rtol=1e-5, atol=1e-6)
    if x.numel() == 1: assert s.isnan()
    else: assert_close(s, x.std(), rtol=1e-3, atol=1e-5)
    assert counts.sum() == x.numel()


def test_layout_and_dtype_do_not_matter():
    x = torch.randn(8, 6, 5, 5, generator=torch.Generator().manual_seed(2)).bfloat16().float()
    want = [o[0] for o in stats_of(x)]
    for y in (torch.cat([torch.zeros(3, 6, 5, 5), x])[3:], x.to(memory_format=torch.channels_last), x.transpose(1, 2), x[:, :, ::1].flip(0), x.bfloat16(), x.double(), x.expand(1, 8, 6, 5, 5)):
        got = [o[0].float() for o in stats_of(y)]
        assert_close(got[0], want[0], rtol=1e-4, atol=1e-6)
        assert_close(got[1], want[1], rtol=1e-4, atol=1e-6)
        assert_close(got[2], want[2])


def test_histogram_is_exact_and_open_at_the_top():
    x = torch.cat([torch.arange(40)/4 + 0.1, torch.tensor([10., 10.1, -1000., math.inf, -math.inf, math.nan, 0., -0.3])])
    counts = stats_of(x)[2][0]
    want = torch.ones(40)
    want[-1] += 6
    want[0] += 1
    want[1] += 1
    assert_close(counts, want)
    with Hook(nn.Identity(), append_stats) as h: h.module(x); h.module(torch.zeros(3))
    assert get_hist(h).shape == (40, 2) and get_hist(h)[39, 0] == torch.tensor(7.).log1p()
    assert_close(get_min(h), torch.tensor([2/48, 1.]))


@pytest.mark.parametrize("axis", range(4))
@pytest.mark.parametrize("shape", [(256, 8, 14, 14), (62, 31, 8, 8), (64, 16, 128, 2), (64, 64, 7, 7)])
def test_shares_of_a_large_tensor_are_right_along_every_axis(shape, axis):
    x = torch.zeros(shape)
    x.transpose(0, axis)[::2] = 1
    with Hook(nn.Identity(), append_stats) as h: h.module(x)
    assert abs(get_min(h).item() - (x == 0).float().mean().item()) < 0.02


@dataclass
class Out:
    ids: torch.Tensor
    logits: torch.Tensor


@pytest.mark.parametrize("wrap", [lambda x: (x, None), lambda x: {"a": None, "b": x}, lambda x: [torch.arange(3), (x,)], lambda x: Out(torch.arange(2), x)])
def test_nested_outputs(wrap):
    class Wrap(nn.Module):
        def forward(self, x): return wrap(x)
    x = torch.randn(5, 3)
    with Hook(Wrap(), append_stats) as h: h.module(x)
    assert_close(h.stats[0][0], x.mean())


def test_outputs_without_numbers_are_passed_over():
    with Hook(nn.Identity(), append_stats) as h:
        for x in (torch.arange(3), None, "text", torch.zeros(0, 3)): h.module(x)
    assert h.stats == ([], [], [])
    class Tokens(nn.Module):
        def __init__(self): super().__init__(); self.ids, self.lin = nn.Identity(), nn.Linear(4, 3)
        def forward(self, x): self.ids(x.argmax(1)); return self.lin(x)
    acts, grads = ActivationStats(), GradientStats()
    learner(Tokens(), [acts, grads]).fit(1)
    assert set(acts.df.module) == set(grads.df.module) == {"Tokens", "lin"}
    acts.plot_stats()


def test_a_module_that_runs_twice_is_recorded_twice():
    class Twice(nn.Module):
        def __init__(self): super().__init__(); self.act, self.lin = nn.Tanh(), nn.Linear(4, 3)
        def forward(self, x): return self.act(self.lin(self.act(x)))
    stats = ActivationStats(lambda m: isinstance(m, nn.Tanh))
    learner(Twice(), [stats]).fit(1)
    assert len(stats[0].stats[0]) == 6


def test_every():
    stats = ActivationStats(lambda m: isinstance(m, nn.ReLU), every=3)
    learner(cbs=[stats], batches=7).fit(2)
    assert len(stats[0].stats[0]) == 6


@pytest.mark.parametrize("inplace", [False, True])
def test_gradients_are_autograds(inplace):
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(inplace=inplace), nn.Linear(8, 3))
    stats = GradientStats(lambda m: isinstance(m, nn.Linear))
    learn = learner(model, [stats], batches=1, lr=0.)
    learn.fit(1)
    x, y = learn.dls.train[0]
    a = nn.Linear.forward(model[0], x)
    b = model[2](a.relu())
    grads = torch.autograd.grad(nn.functional.mse_loss(b, y), (a, b))
    for h, g in zip(stats, grads):
        assert_close(h.stats[0][0], g.mean())
        assert_close(h.stats[1][0], g.std())
        want = ((g.abs().log10() + 12)/0.4).clamp(0, 39).long().flatten().bincount(minlength=40).float()
        assert_close(h.stats[2][0], want)


def test_state_goes_on_in_the_middle_of_an_epoch():
    def stats(): return ActivationStats(lambda m: isinstance(m, nn.ReLU))
    whole, part, rest = stats(), stats(), stats()
    set_seed(0)
    learn = learner(cbs=[whole, part], batches=5)
    class SaveCB(Callback):
        order = 1000
        def cleanup_batch(self, learn):
            if learn.iter == 2: self.state = part.state_dict()
    learn.fit(1, cbs=(save := SaveCB()))
    class LoadCB(Callback):
        order = 1000
        def before_epoch(self, learn): rest.load_state_dict(save.state)
    twin = learner(cbs=[rest], batches=2)
    twin.fit(1, cbs=LoadCB())
    assert len(rest[0].stats[0]) == 5
    for a, b in zip(rest[0].stats, whole[0].stats): assert_close(a[:3], b[:3])
    later = stats()
    later.load_state_dict(save.state)  # before its first fit
    learner(cbs=[later]).fit(1)
    assert len(later[0].stats[0]) == 6


def test_plots_do_not_fail(monkeypatch):
    import matplotlib
    matplotlib.use("agg")
    import matplotlib.pyplot as plt
    learn = learner(cbs=[a := ActivationStats(), g := GradientStats(every=2)])
    learn.fit(1)
    for stats in (a, g):
        stats.color_dim(); image = plt.gcf().axes[0].images[0]
        assert image.get_array().shape[0] == 40 and plt.gcf().axes[0].get_title() == "Sequential"
        stats.dead_chart(); assert plt.gcf().axes[1].get_title() == "0 Linear"
        stats.plot_stats(); assert [ax.get_xlabel() for ax in plt.gcf().axes] == ["recorded batch"]*2
    plt.close("all")


# summary

def macs(model, *inputs, **kwargs): return round(summary(model, *inputs, **kwargs).mflops*1e6)


def test_multiply_adds():
    assert macs(nn.Linear(10, 20), torch.randn(4, 10)) == 200
    assert macs(nn.Linear(10, 20), torch.randn(4, 7, 10)) == 7*200
    assert macs(nn.Conv2d(4, 8, 3, stride=2, groups=2), torch.randn(2, 4, 9, 9)) == 8*2*9*16
    assert macs(nn.Conv1d(3, 5, 4), torch.randn(2, 3, 10)) == 3*5*4*7
    assert macs(nn.ConvTranspose2d(3, 5, 2, stride=2), torch.randn(2, 3, 4, 4)) == 3*5*4*16
    assert macs(nn.LSTM(5, 7, batch_first=True), torch.randn(2, 3, 5)) == 3*4*7*(5 + 7)
    assert macs(nn.GRU(5, 7, batch_first=True), torch.randn(2, 3, 5)) == 3*3*7*(5 + 7)
    layer = nn.TransformerEncoderLayer(16, 4, 32, batch_first=True)
    assert macs(layer, torch.randn(2, 5, 16)) == 5*(16*48 + 16*16 + 2*16*32) + 2*5*5*16
    assert macs(nn.BatchNorm2d(3), torch.randn(2, 3, 4, 4)) == 0


def test_summary_leaves_switches_as_they_were():
    class Fails(nn.Module):
        def forward(self, x): raise KeyError("inside")
    def switches(): return torch.backends.mha.get_fastpath_enabled(), torch.backends.mkldnn.enabled, torch.backends.cudnn.enabled, torch.is_grad_enabled()
    model, before = nn.Sequential(nn.Dropout(), Fails()), switches()
    with pytest.raises(KeyError): summary(model, torch.ones(2, 3))
    assert switches() == before and not hooks_on(model) and all(m.training for m in model.modules())


def test_summary_moves_nothing():
    class Moody(nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("calls", torch.zeros(()))
            self.bn, self.lin = nn.BatchNorm1d(3), nn.Linear(3, 3)
        def forward(self, x):
            self.calls += 1
            return self.lin(self.bn(x)) + torch.rand(3)
    model = Moody()
    model.bn.eval()
    x = torch.randn(1, 3)
    before, rng = deepcopy(model.state_dict()), torch.get_rng_state()
    modes = [m.training for m in model.modules()]
    summary(model, x)
    for k, v in model.state_dict().items(): assert torch.equal(v, before[k]), k
    assert torch.equal(torch.get_rng_state(), rng) and [m.training for m in model.modules()] == modes


def test_summary_rows():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale, self.body = nn.Parameter(torch.ones(7)), nn.Sequential(nn.Linear(3, 4), nn.ReLU())
            self.head, self.idle = nn.Linear(4, 2), nn.Linear(9, 9)
            self.tied = self.head
        def forward(self, x, *, twice): return {"out": self.head(self.body(x)), "again": self.head(self.body(x)) if twice else None}
    class Outer(nn.Module):
        def __init__(self): super().__init__(); self.net = Net()
        def forward(self, x): return self.net(x, twice=True)
    table = summary(Outer(), torch.randn(5, 3), depth=2)
    rows = {r["Module"]: r for r in table.rows}
    assert list(rows) == ["net Net", "net.body Sequential", "net.head Linear", "net.idle Linear"]
    assert rows["net Net"]["Output"] == "(5, 2), (5, 2)" and rows["net Net"]["Input"] == "(5, 3)"
    assert rows["net.idle Linear"]["Input"] == "not called"
    assert rows["net.head Linear"]["MFLOPS"]*1e6 == pytest.approx(2*8)
    assert table.params == 7 + 16 + 10 + 90 and table.mflops*1e6 == pytest.approx(2*(12 + 8))
    frozen = mlp()
    frozen[0].requires_grad_(False)
    assert "(27 trainable)" in summary(frozen, torch.randn(2, 4)).total


def test_summary_of_own_parameters_and_text():
    class Own(nn.Module):
        def __init__(self): super().__init__(); self.w, self.lin = nn.Parameter(torch.ones(4, 5)), nn.Linear(5, 2)
        def forward(self, x): return self.lin(x @ self.w)
    table = summary(Own(), torch.randn(3, 4))
    assert [(r["Module"], r["Num params"]) for r in table.rows] == [("lin Linear", 12), ("Own's own", 20)]
    assert table.mflops*1e6 == pytest.approx(20 + 10)
    for text in (repr(table), table._repr_html_()):
        assert all(o in text for o in ("Num params", "MFLOPS", "lin Linear", "Tot params: 32"))


def test_learner_summary():
    x = torch.randn(20, 4)
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x, x[:, :3]), 5, shuffle=True, generator=torch.Generator().manual_seed(3))
    stats = ActivationStats()
    learn = Learner(mlp(), DataLoaders(loader), cbs=[TrainCB(), stats])
    state = loader.generator.get_state()
    table = learn.summary()
    assert torch.equal(loader.generator.get_state(), state) and learn.opt is None and learn.batch is None and learn.dls.train is loader
    assert not len(stats) and table.rows[0]["Input"] == "(5, 4)" and learn.cbs[1] is stats and not hooks_on(learn.model)
    with pytest.raises(TypeError): Learner(mlp(), cbs=TrainCB()).summary()
    learn.model[0] = nn.Linear(9, 9)
    with pytest.raises(RuntimeError): learn.summary()
    assert learn.dls.train is loader and not hooks_on(learn.model)


def test_learner_summary_goes_the_learners_own_way():
    class Pair(nn.Module):
        def __init__(self): super().__init__(); self.lin = nn.Linear(4, 3)
        def forward(self, a, b): return self.lin(a + b)
    class DoubleCB(Callback):
        def before_batch(self, learn): learn.batch = {k: v.repeat(2, 1) for k, v in learn.batch.items()}
    batch = dict(a=torch.ones(5, 4), b=torch.ones(5, 4), y=torch.ones(5, 3))
    learn = Learner(Pair(), {"train": [batch]}, cbs=[TrainCB(n_inp=2), DoubleCB()])
    assert learn.summary().rows[0]["Input"] == "(10, 4)"


@pytest.mark.filterwarnings("error:Using `torch.compile")
def test_summary_of_a_compiled_model():
    learn = learner(torch.compile(mlp()))
    for table in (summary(learn.model, torch.randn(2, 4)), learn.summary()):
        assert [r["Module"] for r in table.rows] == ["0 Linear", "1 ReLU", "2 Linear"] and table.mflops*1e6 == pytest.approx(56)


# NaN

class Log(nn.Module):
    def forward(self, x): return x.log()


class Root(nn.Module):
    def forward(self, x): return (x - x.amin(1, keepdim=True)).sqrt()


class Between(nn.Module):
    def __init__(self): super().__init__(); self.a, self.b = nn.Linear(3, 3), nn.Linear(3, 3)
    def forward(self, x): return self.b(self.a(x)/0)


class BetweenBack(Between):
    def forward(self, x): return self.b((self.a(x)*0).sqrt())


def stopped(model, cbs=(), **kwargs):
    set_seed(0)
    stop = NaNStopCB()
    learn = learner(model, [stop, *cbs], **kwargs)
    before = [p.detach().clone() for p in model.parameters()]
    with pytest.raises(FloatingPointError, match="weights are those from before this batch"): learn.fit(1)
    if stop.report["iter"] == 0:
        for p, q in zip(model.parameters(), before): assert torch.equal(p.nan_to_num(), q.nan_to_num())
    assert not hooks_on(model) and all(p.grad is None for p in model.parameters())
    return stop.report["kind"], stop.report["module"]


@pytest.mark.parametrize("layers, where", [
    ([nn.Sequential(nn.Dropout(), Log()), nn.ReLU(inplace=True)], ("activation", "1.1")),
    ([Between()], ("activation", "1")),
    ([nn.Sequential(nn.Tanh(), Root(), nn.BatchNorm1d(3))], ("gradient", "1.1")),
    ([Root(), nn.Tanh()], ("gradient", "1")),
    ([nn.Sequential(BetweenBack())], ("gradient", "1.0")),
    ([nn.Sequential(Log(), nn.BatchNorm1d(3))], ("activation", "1.0")),  # the running statistics are spoilt, and not to blame
])
def test_module_is_named(layers, where):
    assert stopped(nn.Sequential(nn.Linear(4, 3), *layers)) == where


def test_other_origins_are_named():
    assert stopped(mlp(), loss_func=lambda p, y: (p - y).sum()*torch.inf) == ("loss", None)
    assert stopped(mlp(), loss_func=lambda p, y: (p - p.detach()).sqrt().sum()) == ("loss", None)
    model = mlp()
    model[2].weight.data[0, 0] = torch.nan
    assert stopped(model) == ("weight", "2")
    class SpoilCB(Callback):
        def before_batch(self, learn): learn.batch = [o*torch.nan if i == self.part else o for i, o in enumerate(learn.batch)]
        def __init__(self, part): self.part = part
    assert stopped(mlp(), [SpoilCB(0)]) == ("batch", None)
    assert stopped(mlp(), [SpoilCB(1)]) == ("batch", None)
    class LossCB(Callback):
        def after_loss(self, learn): learn.loss = learn.loss*torch.inf
    assert stopped(mlp(), [LossCB()]) == ("unknown", None)


def test_a_batch_that_weighs_nothing_is_let_pass():
    ignoring, x = partial(nn.functional.cross_entropy, ignore_index=-100), torch.randn(6, 4)
    labels, ignored = torch.randint(3, (6,)), torch.full((6,), -100)
    good, none, empty = (x, labels), (x, ignored), (x[:0], labels[:0])
    for train, valid in (([good, none], [good]), ([none, good], [none]), ([good, empty], [empty])):
        stop = NaNStopCB()
        learn = Learner(mlp(), DataLoaders(train, valid), ignoring, cbs=[TrainCB(), stop])
        learn.fit(2)
        assert stop.report is None and all(p.isfinite().all() for p in learn.model.parameters())
    own = lambda p, t: nn.functional.cross_entropy(p, t, ignore_index=-100)  # says nothing of its weight
    for size, stops in ((None, True), (lambda t: (t != -100).sum(), False)):
        stop = NaNStopCB(size)
        try: Learner(mlp(), DataLoaders([good, none]), own, cbs=[TrainCB(), stop]).fit(1)
        except FloatingPointError: pass
        assert (stop.report is not None) == stops
    spoilt = x.clone()
    spoilt[0] = torch.nan
    for dls in (DataLoaders([(spoilt, labels)]), DataLoaders([good], [(spoilt, labels)])):
        with pytest.raises(FloatingPointError): Learner(mlp(), dls, ignoring, cbs=[TrainCB(), NaNStopCB()]).fit(1)
    class Spoils(nn.Module):
        def forward(self, x): return (x*0).sqrt()  # gradients that are nan, at a weight of 0
    model = nn.Sequential(nn.Linear(4, 3), Spoils())
    with pytest.raises(FloatingPointError):
        Learner(model, DataLoaders([none]), ignoring, cbs=[TrainCB(), NaNStopCB()]).fit(1)


def test_a_stop_changes_nothing_that_comes_next():
    class EndCB(Callback):
        order = 14  # before the other looks
        def after_loss(self, learn):
            if not learn.loss.isfinite(): raise FloatingPointError
    ends = []
    for cb in (EndCB, NaNStopCB):
        set_seed(0)
        model = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3), nn.Dropout(), Log())
        learn = learner(model, [cb()])
        with pytest.raises(FloatingPointError): learn.fit(1)
        ends.append([*model.state_dict().values(), torch.get_rng_state(), torch.rand(3), learn.preds, learn.loss])
    for a, b in zip(*ends): assert_close(a, b, rtol=0, atol=0, equal_nan=True)


def test_validation_is_watched_too():
    class OnlyEval(nn.Module):
        def forward(self, x): return x if self.training else x/0
    stop = NaNStopCB()
    learn = learner(nn.Sequential(nn.Linear(4, 3), OnlyEval()), [stop], valid=2)
    with pytest.raises(FloatingPointError): learn.fit(1)
    assert (stop.report["module"], stop.report["training"], stop.report["iter"]) == ("1", False, 0)


def test_second_run_draws_the_same_dropout():
    class Fragile(nn.Module):
        def forward(self, x): return torch.where((x == 0).sum() > 9, x/0, x)  # depends on which units were dropped
    for seed in range(5):
        set_seed(seed)
        stop = NaNStopCB()
        learn = learner(nn.Sequential(nn.Linear(4, 3), nn.Dropout(), Fragile()), [stop], batches=40)
        with pytest.raises(FloatingPointError): learn.fit(1)
        assert stop.report["module"] == "2"


def test_healthy_training_is_not_changed():
    results = []
    for cbs in ([], [NaNStopCB(), ActivationStats(), GradientStats()]):
        set_seed(0)
        learn = learner(nn.Sequential(nn.Linear(4, 8), nn.Dropout(), nn.BatchNorm1d(8), nn.Linear(8, 3)), cbs, valid=1)
        learn.fit(2)
        results.append([*learn.model.state_dict().values(), torch.get_rng_state()])
    for a, b in zip(*results): assert torch.equal(a, b)


def test_statistics_do_not_see_the_second_run():
    stats = ActivationStats(lambda m: isinstance(m, Log))
    stopped(nn.Sequential(nn.Linear(4, 3), Log()), [stats])
    assert len(stats[0].stats[0]) == 1


def test_a_gradient_scaler_looks_after_its_gradients():
    class Scaler:
        enabled = True
        def is_enabled(self): return self.enabled
    class ScaledCB(TrainCB):
        scaler = Scaler()
        def step(self, learn):
            if all(p.grad.isfinite().all() for p in learn.model.parameters()): super().step(learn)
    model = nn.Sequential(nn.Linear(4, 3), Root())
    learn = learner(model, [NaNStopCB()])
    learn.cbs[0] = ScaledCB()
    learn.fit(1)
    Scaler.enabled = False
    with pytest.raises(FloatingPointError): learn.fit(1)


def test_left_out_where_a_fit_is_only_a_means():
    assert all(cb.only_in_fit for cb in (HooksCallback, ActivationStats, GradientStats, NaNStopCB)) and NaNStopCB.order == 15


# a function, drawn

def test_function_is_drawn_as_it_is():
    from matplotlib import pyplot as plt
    weight = nn.Parameter(torch.tensor(2.))
    fig, (left, right) = plt.subplots(1, 2)
    plot_func(lambda x: x.mul_(weight.detach()) + weight, -1, 3, 5, ax=left)  # changes its argument, and has a gradient
    x, y = left.lines[0].get_data()
    assert x.tolist() == [-1, 0, 1, 2, 3] and y.tolist() == [0, 2, 4, 6, 8]
    plot_func(torch.relu)  # on the current axes
    assert right.lines[0].get_xdata()[[0, -1]].tolist() == [-5, 5] and len(right.lines[0].get_xdata()) == 100
    plt.close(fig)


@pytest.mark.parametrize("mean, std", [(1000., 0.1), (10., 0.01), (-100., 0.1), (0., 1.)])
def test_deviation_far_from_zero(mean, std):
    x = mean + std*torch.randn(5000, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    with Hook(nn.Identity(), append_stats) as h: h.module(x.float())
    assert_close(h.stats[1][0], x.float().double().std().float(), rtol=1e-3, atol=0)


def test_no_modules_are_none_and_nothing_recorded_is_said():
    with pytest.raises(ArgumentError): learner(cbs=[HooksCallback(append_stats, mods=[])]).fit(1)
    for look in (lambda o: o.df, ActivationStats.color_dim, ActivationStats.plot_stats):
        with pytest.raises(ArgumentError, match="recorded"): look(ActivationStats())
