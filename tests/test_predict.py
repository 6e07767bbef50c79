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
