"Lesson 13: predictions that change nothing, their order, their mode, and the samples that cost most."
from collections import namedtuple
from functools import partial

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from minitrain.all import *
from test_callbacks import data, learner, net, params


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


class Draws(Callback):
    "Draws random numbers in every batch, as random transforms do"
    order = 2
    def before_batch(self, learn): learn.batch = learn.batch[0] + 0.1*torch.randn(4), *learn.batch[1:]


@pytest.mark.parametrize("look", [lambda learn: learn.get_preds(), lambda learn: learn.get_preds(learn.dls.train), lambda learn: get_preds(learn, learn.dls.train),
    lambda learn: learn.predict(torch.ones(2, 4)), lambda learn: top_losses(learn), lambda learn: learn.capture_preds(inps=True)],
    ids=["valid", "train", "function", "predict", "top", "capture"])
@pytest.mark.parametrize("kind", ["ours", "torch", "generator"])
def test_looking_changes_nothing_that_comes_after(kind, look):
    x, y, _ = data()
    def run(looks):
        torch.manual_seed(2)
        ds = torch.utils.data.TensorDataset(x, y)
        own = dict(generator=torch.Generator().manual_seed(1)) if kind == "generator" else {}
        dl = DataLoader(ds, 6, shuffle=True, seed=1) if kind == "ours" else torch.utils.data.DataLoader(ds, 6, shuffle=True, **own)
        model = nn.Sequential(net(), nn.Dropout(0.1))
        learn = Learner(model, (dl, dl), cross_entropy, 0.01, [TrainCB(), Draws(), EMACB(0.9), MetricsCB(accuracy)], opt_func=AdamW)
        learn.fit(1)
        if looks: look(learn)
        learn.fit(1)
        return params(model), learn.metrics.rows
    (a, rows), (b, same) = run(True), run(False)
    assert a.equal(b) and rows == same


def test_random_views_differ():
    "Callbacks for one call alone may draw: each call has views of its own"
    learn = learner()
    first, second = (learn.capture_preds(cbs=Draws())[0] for _ in range(2))
    assert not first.equal(second)


def test_capture_in_a_fit_that_trains():
    capture = CapturePreds()
    learn, plain = learner(capture), learner()
    learn.fit(2)
    plain.fit(2)
    assert params(learn.model).equal(params(plain.model)), "nobody is disturbed"
    assert len(capture.all_preds) == 2*(20 + 12) and capture.all_targs[:20].equal(data()[1]) and not capture.all_preds.requires_grad


@pytest.mark.parametrize("kind", [Learner, TrainLearner, MomentumLearner])
def test_predict_outside_and_inside_a_fit(kind):
    x, y, batches = data()
    seen = []
    class Again(Callback):
        def after_predict(self, learn):
            first = learn.preds
            learn.predict()
            seen.append(torch.equal(first, learn.preds))
    learn = kind(net(), batches, cross_entropy, cbs=[TrainCB()]*(kind is Learner))
    learn.fit(1, cbs=Again())
    assert seen == [True]*4
    with torch.no_grad(): want = learn.model(x)
    assert learn.predict(x).equal(want) and predict(learn, x).equal(want) and learn.get_preds(batches)[1].equal(y)
    assert learn.predict(x={"x": x, "y": None}).equal(want)
    with pytest.raises((RuntimeError, TypeError)):
        class Inside(Callback):
            def after_batch(self, learn): learn.predict(x)
        learn.fit(1, cbs=Inside())


def test_ignored_labels_have_no_loss():
    "A label of no weight is none of the worst; a prediction that is nan is the worst"
    x, y = torch.tensor([[2., 0.], [0., 9.], [1., 0.], [torch.nan, 0.]]), torch.tensor([1, -100, 0, 0])
    batches = [(x, y)]
    table = top_losses(Learner(nn.Identity(), batches, cross_entropy, cbs=TrainCB()), 9, batches)
    assert table["index"].tolist() == [3, 0, 2]
