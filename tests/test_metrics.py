"""Lesson 10: means over any cut of the data, metrics that do not wait, rows after every kind of end."""
import math
from collections import namedtuple
from functools import partial
from types import SimpleNamespace

import pandas as pd
import pytest
import torch
import torch.nn.functional as F
import torchmetrics
from hypothesis import given, settings, strategies as st
from torch import nn
from torch.testing import assert_close
from torchmetrics.classification import (
    MulticlassAccuracy, MulticlassAUROC, MulticlassConfusionMatrix, MulticlassF1Score,
    MultilabelAccuracy as TorchMultilabelAccuracy, MultilabelExactMatch)
from torchmetrics.text import Perplexity as TorchPerplexity

from minitrain.fast import fused_cross_entropy
from minitrain.core import ArgumentError
from minitrain.learner import (
    Callback, CancelBatchException, CancelEpochException, CancelFitException,
    CancelStepException, Learner, TrainCB, TrainLearner)
from minitrain.likelihood import cross_entropy
from minitrain.loop import accuracy
from minitrain.metrics import (
    Accuracy, ConfusionMatrix, F1, MetricsCB, MultilabelAccuracy, Perplexity, TopK, loss_weight)
from minitrain.progress import HistoryCB

pytestmark = pytest.mark.filterwarnings("ignore:.*compute. method of metric.*")
K = 4


def data(n=61, seed=0, share=0.3, axes=()):
    g = torch.Generator().manual_seed(seed)
    x, y = torch.randn(n, 6, generator=g), torch.randint(K, (n, *axes), generator=g)
    return x, y.masked_fill(torch.rand(n, *axes, generator=g) < share, -100)


def batches(x, y, sizes): return list(zip(x.split(sizes), y.split(sizes)))


def model(seed=0, out=K):
    torch.manual_seed(seed)
    return nn.Linear(6, out)


def run(cb, loader, loss_func=F.cross_entropy, net=None, n=1, train=False, extra=(), **kwargs):
    "Fit, in validation on `loader` unless `train`; the Learner"
    learn = Learner(net or model(), dict(train=loader, valid=loader), loss_func, 0.1, cbs=[TrainCB(), *([cb] if isinstance(cb, Callback) else cb), *extra])
    learn.fit(n, train=train, **kwargs)
    return learn


# --- the mean loss ------------------------------------------------------------------------------------------------------

W = torch.tensor([1., 10., 0.1, 2.])
LOSSES = dict(torch=F.cross_entropy, ours=cross_entropy, fused=fused_cross_entropy, module=nn.CrossEntropyLoss(), weight=partial(F.cross_entropy, weight=W),
    our_weight=partial(cross_entropy, weight=W), module_weight=nn.CrossEntropyLoss(W), smooth=nn.CrossEntropyLoss(W, label_smoothing=0.2),
    our_smooth=partial(cross_entropy, weight=W, label_smoothing=0.2), nested=partial(partial(F.cross_entropy, weight=W), label_smoothing=0.1),
    of_module=partial(nn.CrossEntropyLoss(W)), compiled=torch.compile(nn.CrossEntropyLoss(W), backend="eager"))


@pytest.mark.parametrize("name", LOSSES)
@settings(max_examples=6, deadline=None)
@given(sizes=st.lists(st.integers(1, 9), min_size=2, max_size=6), seed=st.integers(0, 99))
def test_any_cut_is_the_whole(name, sizes, seed):
    "The mean loss of an epoch is that of all labels at once, however the data is cut"
    x, y = data(sum(sizes), seed, 0.5)
    if (y == -100).all(): y[0] = 1
    cb = MetricsCB()
    learn = run(cb, batches(x, y, sizes), LOSSES[name])
    with torch.no_grad(): want = LOSSES[name](learn.model(x), y).item()
    assert math.isclose(cb.rows[-1]["loss"], want, rel_tol=1e-5)


@pytest.mark.parametrize("make", [lambda r, w, i: nn.CrossEntropyLoss(w, reduction=r, ignore_index=i), lambda r, w, i: partial(cross_entropy, weight=w, reduction=r, ignore_index=i),
    lambda r, w, i: partial(F.cross_entropy, weight=w, reduction=r, ignore_index=i)], ids=["module", "ours", "torch"])
@pytest.mark.parametrize("weight", [None, W], ids=["plain", "weighted"])
@pytest.mark.parametrize("ignore", [-100, 2])
@pytest.mark.parametrize("axes", [(), (5,), (2, 3)], ids=str)
def test_sums_and_axes(make, weight, ignore, axes):
    "reduction='sum', another ignore_index, class weights, and targets with more axes"
    n = math.prod(axes)
    class Net(nn.Module):
        def __init__(self): super().__init__(); self.lin = model(out=K*n)
        def forward(self, x): return self.lin(x).reshape(-1, K, *axes)
    x, y = data(23, axes=axes)
    if ignore != -100: y = y.masked_fill(y == -100, ignore)
    net = Net()
    with torch.no_grad(): want = make("mean", weight, ignore)(net(x), y).item()
    for reduction in ("mean", "sum"):
        cb = MetricsCB()
        run(cb, batches(x, y, [7, 1, 11, 4]), make(reduction, weight, ignore), net)
        assert math.isclose(cb.rows[-1]["loss"], want, rel_tol=1e-5), reduction


def test_the_law_can_fail():
    "Control: weighted by rows the same data gives another number"
    x, y = data(60)
    y[:30] = y[:30].masked_fill(torch.rand(30, generator=torch.Generator().manual_seed(0)) < 0.8, -100)
    by_rows, right = MetricsCB(size=len), MetricsCB()
    learn = run([by_rows, right], batches(x, y, 15))
    with torch.no_grad(): want = F.cross_entropy(learn.model(x), y).item()
    assert math.isclose(right.rows[-1]["loss"], want, rel_tol=1e-5) and abs(by_rows.rows[-1]["loss"] - want) > 1e-2


@pytest.mark.parametrize("f, whole", [(F.mse_loss, F.mse_loss), (nn.MSELoss(), F.mse_loss), (nn.BCEWithLogitsLoss(), F.binary_cross_entropy_with_logits),
    (F.cross_entropy, F.cross_entropy)], ids=["mse", "mse module", "bce", "probabilities"])
def test_other_losses(f, whole):
    "Elementwise losses, and cross-entropy with probabilities: samples count"
    x, _ = data(30)
    y = torch.rand(30, K, generator=torch.Generator().manual_seed(1)).softmax(1)
    cb = MetricsCB()
    learn = run(cb, batches(x, y, [13, 13, 4]), f)
    with torch.no_grad(): assert math.isclose(cb.rows[-1]["loss"], whole(learn.model(x), y).item(), rel_tol=1e-5)


def test_sum_of_any_loss():
    x, y = data(30)[0], torch.rand(30, K)
    for f in (nn.MSELoss(reduction="sum"), partial(F.mse_loss, reduction="sum")):
        cb = MetricsCB()
        learn = run(cb, batches(x, y, [13, 17]), f)
        with torch.no_grad(): assert math.isclose(cb.rows[-1]["loss"], F.mse_loss(learn.model(x), y).item()*K, rel_tol=1e-5)


def test_a_batch_without_labels():
    "0/0 with weight 0 counts for nothing; nothing but such batches is nan; a real nan is not hidden"
    x, y = data(12, share=0)
    y[:4] = -100
    cb = MetricsCB(Accuracy())
    learn = run(cb, batches(x, y, 4))
    with torch.no_grad(): assert math.isclose(cb.rows[-1]["loss"], F.cross_entropy(learn.model(x), y).item(), rel_tol=1e-5)
    assert cb.rows[-1]["Accuracy"] == pytest.approx(accuracy(learn.model(x[4:]), y[4:]).item())
    y[:] = -100
    cb = MetricsCB(Accuracy())
    run(cb, batches(x, y, 4))
    assert math.isnan(cb.rows[-1]["loss"]) and math.isnan(cb.rows[-1]["Accuracy"])
    x[0] = math.nan
    cb = MetricsCB()
    run(cb, batches(*data(12, share=0), 4), lambda p, t: F.cross_entropy(p, t)*math.nan)
    assert math.isnan(cb.rows[-1]["loss"])


def test_size_is_the_users_word():
    x, y = data(30)
    hidden = lambda p, t: F.cross_entropy(p, t)
    cb = MetricsCB(size=lambda t: (t != -100).sum())
    learn = run(cb, batches(x, y, [20, 10]), hidden)
    with torch.no_grad(): assert math.isclose(cb.rows[-1]["loss"], hidden(learn.model(x), y).item(), rel_tol=1e-5)


def test_many_batches_are_added_in_double():
    "20,000 batches of 0.1 in single precision would be off in the fifth digit"
    m, naive = MetricsCB().loss, torch.tensor(0.)
    m.reset()
    for _ in range(20000):
        m.update(torch.tensor(0.1), 1)
        naive += 0.1
    assert abs(m.compute() - 0.1) < 1e-7 < abs(naive.item()/20000 - 0.1)


def test_the_loss_is_kept_by_value():
    "What happens to a loss after the batch (compiled graphs use its memory again) is not taken back"
    class Spoil(Callback):
        order = 99
        def after_batch(self, learn): learn.loss.fill_(math.nan)
    x, y = data(20)
    cb = MetricsCB()
    learn = run(cb, batches(x, y, 10), extra=[Spoil()])
    want = F.cross_entropy(learn.model(x), y).item()
    assert math.isclose(cb.rows[-1]["loss"], want, rel_tol=1e-5)


# --- batches of all kinds -----------------------------------------------------------------------------------------------

Pair = namedtuple("Pair", "inputs labels")

@pytest.mark.parametrize("wrap", [lambda b: b, list, lambda b: Pair(*b), lambda b: dict(inputs=b[0], labels=b[1])], ids=["tuple", "list", "namedtuple", "dict"])
def test_kinds_of_batch(wrap):
    x, y = data(20)
    cb = MetricsCB(Accuracy(), accuracy=lambda p, t: (p.argmax(1) == t).float().mean())
    learn = run(cb, [wrap(b) for b in batches(x, y, 8)])
    with torch.no_grad(): assert math.isclose(cb.rows[-1]["accuracy"], (learn.model(x).argmax(1) == y).float().mean(), rel_tol=1e-5)


def test_two_inputs_no_target_and_a_learner_that_trains():
    x, y = data(20, share=0)
    class Two(nn.Module):
        def __init__(self): super().__init__(); self.lin = model()
        def forward(self, a, b): return self.lin(a + b)
    cb = MetricsCB(Accuracy())
    learn = Learner(Two(), ([(x, x, y)],), F.cross_entropy, 0., cbs=[TrainCB(n_inp=2), cb])
    learn.fit(1)
    assert cb.rows[0]["Accuracy"] == pytest.approx(accuracy(learn.preds, y).item())
    cb = MetricsCB(power=lambda p: (p**2).mean())
    run(cb, [x[:15], x[15:]], lambda p: p.abs().mean())
    assert math.isclose(cb.rows[0]["power"], (model()(x)**2).mean().item(), rel_tol=1e-5)
    cb = MetricsCB(Accuracy())
    TrainLearner(model(), ([(x, y)],), F.cross_entropy, cbs=[cb]).fit(1)
    assert cb.rows[0]["Accuracy"] == pytest.approx(accuracy(model()(x), y).item())


class Keeps:
    "A metric that keeps its predictions"
    def reset(self): self.kept = []
    def update(self, preds, target): self.kept.append(preds)
    def compute(self): return len(self.kept)


def test_metrics_keep_no_graph_and_see_single_precision():
    class Nested(nn.Module):
        def __init__(self): super().__init__(); self.lin = model().bfloat16()
        def forward(self, x): return dict(a=self.lin(x.bfloat16()), b=["x"])
    m = Keeps()
    cb = MetricsCB(m)
    def loss(p, t): return F.cross_entropy(p["a"].float(), t)
    run(cb, batches(*data(8, share=0), 4), loss, Nested(), train=True)
    assert cb.rows[0]["Keeps"] == 2 and m.kept[0]["b"] == ["x"]
    assert not any(o["a"].requires_grad for o in m.kept)
    assert all(o["a"].dtype == torch.float32 for o in m.kept)


# --- names --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ms, named", [([], dict(epoch=Accuracy())),
    ([Accuracy(), Accuracy(1)], {}), ([accuracy], dict(accuracy=Accuracy()))])
def test_a_column_has_one_owner(ms, named):
    with pytest.raises(ArgumentError): MetricsCB(*ms, **named)


def test_names():
    def top(p, t, k): return p.topk(k).indices.eq(t[:, None]).any(1).float().mean()
    cb = MetricsCB(Accuracy(), partial(top, k=2), MulticlassAccuracy(K), other=Accuracy())
    assert list(cb.all_metrics) == ["Accuracy", "top", "MulticlassAccuracy", "other", "loss"] and list(cb.metrics) == list(cb.all_metrics)[:-1]
    assert cb.all_metrics["loss"] is cb.loss


def test_functions_count_samples_and_losses_what_they_average():
    x, y = data(30)
    cb = MetricsCB(F.cross_entropy, size_free=lambda p, t: p.mean(), as_float=lambda p, t: float(len(t)), summed=partial(F.cross_entropy, reduction="sum"))
    learn = run(cb, batches(x, y, [20, 7, 3]))
    with torch.no_grad(): p = learn.model(x)
    row = cb.rows[-1]
    assert math.isclose(row["cross_entropy"], F.cross_entropy(p, y).item(), rel_tol=1e-5) and math.isclose(row["summed"], row["cross_entropy"], rel_tol=1e-5)
    assert math.isclose(row["size_free"], p.mean().item(), rel_tol=1e-4) and math.isclose(row["as_float"], (400 + 49 + 9)/30, rel_tol=1e-6)
    with pytest.raises(ArgumentError): run(MetricsCB(per_class=lambda p, t: p.mean(0)), [(x, y)])


# --- the metrics of this lesson against torchmetrics ----------------------------------------------------------------------

@pytest.mark.parametrize("axes", [(), (3,), (2, 5)], ids=str)
@pytest.mark.parametrize("ignore", [-100, 0, 3])
def test_against_torchmetrics(axes, ignore):
    g = torch.Generator().manual_seed(0)
    pairs = [(Accuracy(ignore), MulticlassAccuracy(K, average="micro", ignore_index=ignore)), (ConfusionMatrix(ignore_index=ignore), MulticlassConfusionMatrix(K, ignore_index=ignore))]
    for n in (7, 1, 12):
        p, t = torch.randn(n, K, *axes, generator=g), torch.randint(K, (n, *axes), generator=g)
        if ignore < 0: t[0] = ignore
        for m in (o for pair in pairs for o in pair): m.update(p, t)
    for a, b in pairs: assert_close(torch.as_tensor(a.compute()), b.compute().to(torch.as_tensor(a.compute()).dtype))


@pytest.mark.parametrize("logits", [True, False])
@pytest.mark.parametrize("threshold", [0.2, 0.5, 0.9])
def test_multilabel_against_torchmetrics(logits, threshold):
    g = torch.Generator().manual_seed(0)
    ours = [MultilabelAccuracy(threshold, logits), MultilabelAccuracy(threshold, logits, exact=True)]
    theirs = [TorchMultilabelAccuracy(K, threshold, average="micro"), MultilabelExactMatch(K, threshold)]
    for n in (7, 1, 12):
        p, t = torch.randn(n, K, generator=g), torch.rand(n, K, generator=g).round()
        for m in ours: m.update(p if logits else p.sigmoid(), t)
        for m in theirs: m.update(p.sigmoid(), t.long())
    for a, b in zip(ours, theirs): assert math.isclose(a.compute(), b.compute().item(), rel_tol=1e-6)


def test_multilabel_ignores():
    m, exact = MultilabelAccuracy(), MultilabelAccuracy(exact=True)
    p, t = torch.tensor([[1., -1.], [1., 1.], [1., 1.]]), torch.tensor([[1., -100.], [0., 1.], [-100., -100.]])
    for o in (m, exact): o.update(p, t)
    assert m.compute() == pytest.approx(2/3) and exact.compute() == 1/2


@pytest.mark.parametrize("m", [Accuracy(), ConfusionMatrix()])
def test_targets_are_not_broadcast(m):
    with pytest.raises(ArgumentError): m.update(torch.randn(3, K), torch.zeros(3, 1).long())


def test_confusion_labels_that_are_no_class():
    for label in (K, K + 3, -1):
        cm = ConfusionMatrix()
        with pytest.raises(RuntimeError): cm.update(torch.randn(2, K), torch.tensor([1, label]))
    assert ConfusionMatrix().compute().shape == (0, 0) and ConfusionMatrix(3).compute().shape == (3, 3)


def test_confusion_of_small_integers():
    "k times the label must not overflow its dtype"
    cm, t = ConfusionMatrix(), torch.arange(30)
    for dtype in (torch.uint8, torch.int32): cm.update(torch.eye(30), t.to(dtype))
    assert torch.equal(cm.compute(), 2*torch.eye(30).long())


def test_confusion_plot():
    cm = ConfusionMatrix()
    cm.update(torch.eye(3)[[0, 1, 1, 2]], torch.tensor([0, 1, 2, 2]))
    ax = cm.plot(names=["cat", "dog", "cow"])
    assert [o.get_text() for o in ax.get_xticklabels()] == ["cat", "dog", "cow"]
    texts = {tuple(map(int, o.get_position())): o.get_text() for o in ax.texts}
    assert texts == dict.fromkeys([(0, 0), (1, 1), (1, 2), (2, 2)], "1")
    assert ax.get_xlabel() == "predicted" and ax.get_ylabel() == "true"


@pytest.mark.parametrize("axes", [(), (5,)], ids=str)
@pytest.mark.parametrize("ignore", [-100, 2])
def test_f1_top_k_and_perplexity_against_torchmetrics(axes, ignore):
    g, options = torch.Generator().manual_seed(0), dict(ignore_index=ignore)
    ours = F1(**options), TopK(2, ignore), Perplexity(ignore)
    theirs = (MulticlassF1Score(K, average="macro", **options),
        MulticlassAccuracy(K, top_k=2, average="micro", **options), TorchPerplexity(ignore))
    for n in (7, 1, 12):
        p, t = torch.randn(n, K, *axes, generator=g), torch.randint(K, (n, *axes), generator=g)
        t[0] = ignore
        for m in (*ours, *theirs[:2]): m.update(p, t)
        theirs[2].update(p.reshape(n, K, -1).transpose(1, 2), t.reshape(n, -1))
    for a, b in zip(ours, theirs): assert a.compute() == pytest.approx(b.compute().item(), rel=1e-5)
    assert [m.higher_is_better for m in ours] == [True, True, False]
    for m in ours:
        m.reset()
        assert math.isnan(m.compute())
        with pytest.raises(ValueError): m.update(torch.randn(3, K), torch.zeros(3, 1).long())


def test_f1_leaves_out_classes_that_are_nowhere():
    m = F1()
    m.update(torch.eye(5)[[0, 1, 1]], torch.tensor([0, 1, 2]))
    assert m.compute() == pytest.approx((1 + 2/3 + 0)/3)


# --- torchmetrics objects -------------------------------------------------------------------------------------------------

def test_torchmetrics_drop_in():
    x, y = data(50, share=0)
    both = torchmetrics.MetricCollection([MulticlassAccuracy(K, average="micro"), MulticlassAUROC(K)])
    cb = MetricsCB(MulticlassAUROC(K), both=both)
    learn = run(cb, batches(x, y, 16), n=2, train=True)
    with torch.no_grad(): p = learn.model(x)
    row = cb.rows[-1]
    assert math.isclose(row["MulticlassAccuracy"], accuracy(p, y).item(), rel_tol=1e-6)
    assert math.isclose(row["MulticlassAUROC"], row["both_MulticlassAUROC"], rel_tol=1e-6) and math.isclose(row["MulticlassAUROC"], MulticlassAUROC(K)(p, y).item(), rel_tol=1e-5)
    assert all(isinstance(v, (int, float, str)) for v in row.values())


# --- ends -----------------------------------------------------------------------------------------------------------------

class Ends(Callback):
    order = 1
    def __init__(self, kind, at=2): self.kind, self.at = kind, at
    def before_batch(self, learn):
        if learn.iter == self.at: raise self.kind


@pytest.mark.parametrize("kind, n", [(CancelFitException, 1), (CancelEpochException, 2), (KeyError, 1), (KeyboardInterrupt, 1)])
def test_a_row_after_every_end(kind, n):
    x, y = data(40, share=0)
    cb, history, net = MetricsCB(Accuracy()), HistoryCB(), model()
    go = lambda: Learner(net, (batches(x, y, 10),), F.cross_entropy, 0., cbs=[TrainCB(), cb, history, Ends(kind)]).fit(2)
    if issubclass(kind, (CancelFitException, CancelEpochException)): go()
    else:
        with pytest.raises(kind): go()
    with torch.no_grad(): p = net(x[:20])
    assert [o["epoch"] for o in cb.rows] == list(range(n)) == list(history.df.epoch)
    for row in cb.rows:
        assert row["train"] == "train" and math.isclose(row["loss"], F.cross_entropy(p, y[:20]).item(), rel_tol=1e-5) and row["Accuracy"] == pytest.approx(accuracy(p, y[:20]).item())


def test_no_row_where_there_was_no_batch():
    cb = MetricsCB(Accuracy(), MulticlassAccuracy(K))
    run([cb, HistoryCB()], batches(*data(8), 4), train=True, extra=[Ends(CancelFitException, at=0)])
    assert cb.rows == []
    history = HistoryCB()
    run([cb, history], batches(*data(8), 4), extra=[Skip()])  # every batch cancelled: an epoch without numbers
    assert len(cb.rows) == 1 and all(math.isnan(cb.rows[0][k]) for k in ("Accuracy", "MulticlassAccuracy", "loss")) and history.best() is None


class Skip(Callback):
    "Every batch is cancelled"
    def after_predict(self, learn): raise CancelBatchException()


def test_cancelled_batches_do_not_count_and_put_off_steps_do():
    x, y = data(12, share=0)
    class Second(Callback):
        def __init__(self, kind): self.kind = kind
        def after_backward(self, learn):
            if learn.iter == 1: raise self.kind
    for kind, kept in ((CancelBatchException, [0, 2]), (CancelStepException, [0, 1, 2])):
        cb, net = MetricsCB(Accuracy()), model()
        Learner(net, (batches(x, y, 4),), F.cross_entropy, 0., cbs=[TrainCB(), cb, Second(kind)]).fit(1)
        i = torch.cat([torch.arange(4) + 4*j for j in kept])
        with torch.no_grad(): assert math.isclose(cb.rows[0]["loss"], F.cross_entropy(net(x[i]), y[i]).item(), rel_tol=1e-5)


def test_a_metric_that_fails_is_named_and_not_hidden():
    class Bad:
        def reset(self): pass
        def update(self, preds, target): pass
        def compute(self): raise ZeroDivisionError("bad")
    cb = MetricsCB(Bad())
    with pytest.raises(ZeroDivisionError) as e: run(cb, [data(4)])
    assert any("MetricsCB.after_epoch" in o for o in e.value.__notes__)


def test_sums_of_other_processes():
    "Every process takes part at the end of an epoch; in one that is cut short nobody is waited for"
    calls = []
    class Doubles(TrainCB):
        def reduce(self, total): calls.append(tuple(total.shape)); return total*2
    x, y = data(40, share=0)
    def fit(extra, cb):
        calls.clear()
        net = model()
        Learner(net, (batches(x, y, 10),), F.cross_entropy, 0., cbs=[Doubles(), cb, *extra]).fit(1)
        return net
    cb = MetricsCB(Accuracy(), ConfusionMatrix(), accuracy)
    net = fit([], cb)
    assert calls and cb.rows[0]["ConfusionMatrix"].sum() == 80
    assert math.isclose(cb.rows[0]["accuracy"], accuracy(net(x), y).item(), rel_tol=1e-6)
    for kind in (CancelEpochException, KeyError, KeyboardInterrupt):
        try: fit([Ends(kind)], cb := MetricsCB(Accuracy()))
        except (KeyError, KeyboardInterrupt): pass
        assert calls == [] and len(cb.rows) == 1 and not cb.whole


def test_metrics_of_others_are_not_waited_for_after_an_error(monkeypatch):
    "Those that join processes in `compute` (as torchmetrics' do) are asked in every process, or in none"
    asked = []
    class Joins:
        def reset(self): pass
        def update(self, preds, target): pass
        def compute(self): asked.append(1); return 1.
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    run(cb := MetricsCB(Joins()), [data(4)], extra=[Skip()])
    assert len(asked) == 1 and cb.rows[0]["Joins"] == 1
    with pytest.raises(KeyError): run(cb := MetricsCB(Joins()), [data(4)]*4, extra=[Ends(KeyError)])
    assert len(asked) == 1 and math.isnan(cb.rows[0]["Joins"]) and cb.rows[0]["loss"] > 0


def test_printed_as_miniai_prints(capsys):
    cb = MetricsCB(Accuracy(), cm=ConfusionMatrix())
    x, y = data(40, share=0)
    learn = run(cb, batches(x, y, 10), train=True)
    acc, loss = (f"{cb.rows[1][k]:.3f}" for k in ("Accuracy", "loss"))
    assert capsys.readouterr().out.splitlines()[1] == str({"Accuracy": acc, "loss": loss, "epoch": 0, "train": "eval"})
    assert learn.metrics is cb
    class Other(TrainCB): is_main = False
    Learner(model(), ([(x, y)],), F.cross_entropy, cbs=[Other(), cb]).fit(1)
    assert capsys.readouterr().out == "" and len(cb.rows) == 3


# --- cost -----------------------------------------------------------------------------------------------------------------


def test_batches_on_a_device_without_values():
    "On the meta device nothing can be read: a whole epoch of batches goes through"
    cb = MetricsCB(Accuracy(), ConfusionMatrix(), accuracy, multi=MultilabelAccuracyOf())
    net = nn.Linear(6, K, device="meta")
    learn = Learner(net, ([],), nn.CrossEntropyLoss(torch.ones(K, device="meta")), cbs=[TrainCB(), cb])
    cb.before_fit(learn)
    cb.before_epoch(learn)
    for _ in range(66):
        x, y = torch.empty(10, 6, device="meta"), torch.empty(10, dtype=torch.long, device="meta")
        learn.batch, learn.preds = (x, y), net(x)
        learn.loss = learn.loss_func(learn.preds, y)
        cb.after_batch(learn)
    with pytest.raises(Exception, match="meta|Meta"): learn.loss.item()


class MultilabelAccuracyOf(MultilabelAccuracy):
    def update(self, preds, target): super().update(preds, preds*0)


LABELS = dict(same=(F.cross_entropy, -100), other=(F.cross_entropy, 2), both=(partial(F.cross_entropy, ignore_index=2), 2), weights=(nn.CrossEntropyLoss(W), -100),
    weights_other=(nn.CrossEntropyLoss(W, ignore_index=1), -100), function=(lambda p, t: F.cross_entropy(p, t), -100), none=(lambda p, t: p.mean(), 3))

@pytest.mark.parametrize("size", [None, lambda t: t >= 0, lambda t: t > 1], ids=["", "labels", "others"])
@pytest.mark.parametrize("name", LABELS)
def test_accuracy_counts_its_own_labels(name, size):
    "Whatever the loss ignores, weighs or is told to count, a batch of labels that both know is looked at once and of others twice"
    loss_func, index = LABELS[name]
    class Mine(Accuracy):
        def update(self, preds, target): super().update(preds, target.masked_fill(target == 0, self.ignore_index))
    x, y = data(60, share=0.3 if name in ("same", "other", "weights", "function") else 0)  # other losses refuse -100
    cb = MetricsCB(Accuracy(index), Mine(index), ConfusionMatrix(), size=size)
    learn = run(cb, batches(x, y, 7), loss_func)
    with torch.no_grad(): said = learn.model(x).argmax(1)
    keep = y != index
    assert cb.rows[0]["Accuracy"] == pytest.approx((said == y)[keep].double().mean().item())
    assert cb.rows[0]["Mine"] == pytest.approx((said == y)[keep & (y != 0)].double().mean().item())


def test_together_is_undone():
    "Inside the block there are the sums of all processes, afterwards the own ones again, also after an error"
    cb, seen = MetricsCB(Accuracy(), accuracy, ConfusionMatrix()), []
    def sums(): return [m.sums for m in cb.all_metrics.values()]
    class Doubled(Callback):
        def after_batch(self, learn):
            own = sums()
            learn.reduce = lambda total: total*2
            with pytest.raises(KeyError), cb.together(learn):
                seen.append((own, sums()))
                raise KeyError
            del learn.reduce
            assert all(torch.equal(a, b) for a, b in zip(own, sums()))
    x, y = data(20)
    run(cb, batches(x, y, 10), extra=[Doubled()])
    for own, both in seen:
        for a, b in zip(own, both): assert_close(b, 2*a)
    with cb.together(SimpleNamespace()): pass  # between epochs there is nothing to add up


NOTHING = dict(empty=lambda x, y: (x[:0], y[:0]), ignored=lambda x, y: (x, y*0 - 100))

@pytest.mark.parametrize("name", NOTHING)
@pytest.mark.parametrize("first", [True, False], ids=["first", "last"])
@pytest.mark.parametrize("train", [True, False], ids=["train", "valid"])
def test_a_batch_of_weight_zero(name, first, train):
    "An empty or wholly ignored batch changes no number, wherever it comes, and ends no run"
    x, y = data(20, share=0)
    loader = [(x, y), NOTHING[name](x, y)][::-1 if first else 1]
    ms = Accuracy(), TopK(2), Perplexity(), F1(), ConfusionMatrix(), MulticlassAccuracy(K, average="micro", ignore_index=-100)
    cb, net = MetricsCB(*ms, entropy=F.cross_entropy), model()
    learn = Learner(model(), (loader, loader), F.cross_entropy, 0., cbs=[TrainCB(), cb])
    learn.opt_func = lambda params, lr: torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr)  # nan gradients would spoil the weights
    learn.fit(1, train=train, valid=not train)
    with torch.no_grad(): p = net(x)
    row, want = cb.rows[0], F.cross_entropy(p, y).item()
    for k in ("loss", "entropy"): assert row[k] == pytest.approx(want)
    for k in ("Accuracy", "MulticlassAccuracy"): assert row[k] == pytest.approx(accuracy(p, y).item())
    assert row["Perplexity"] == pytest.approx(math.exp(want)) and row["ConfusionMatrix"].sum() == 20
    assert math.isfinite(row["F1"]) and math.isfinite(row["TopK"])


@pytest.mark.parametrize("loss_func, y", [(nn.MSELoss(), torch.zeros(0, K)), (nn.BCEWithLogitsLoss(), torch.zeros(0, K)),
    (lambda p, t: F.cross_entropy(p, t), torch.zeros(0).long()), (partial(F.cross_entropy, weight=W), torch.full((3,), -100)),
    (nn.CrossEntropyLoss(torch.zeros(K)), torch.zeros(3).long())], ids=["mse", "bce", "lambda", "weights", "weights of 0"])
def test_weight_zero_is_known_for_every_loss(loss_func, y):
    learn = run(cb := MetricsCB(), [(torch.randn(len(y), 6), y)], loss_func)
    assert float(loss_weight(learn)) == 0 and math.isnan(learn.loss) and math.isnan(cb.rows[0]["loss"])
    assert float(loss_weight(learn, size=lambda t: (t > 5).sum())) == 0


# --- state ----------------------------------------------------------------------------------------------------------------

class Save(Callback):
    order = 5
    def __init__(self, at): self.at, self.state = at, None
    def cleanup_batch(self, learn):
        if learn.iter == self.at and self.state is None: self.state = [cb.state_dict() for cb in learn.cbs if hasattr(cb, "state_dict")]


def plain(o): return isinstance(o, (torch.Tensor, str, int, float, bool, type(None))) or isinstance(o, (list, tuple)) and all(map(plain, o)) or isinstance(o, dict) and all(isinstance(k, str) and plain(v) for k, v in o.items())


def everything():
    return [MetricsCB(Accuracy(), ConfusionMatrix(), accuracy, MultilabelAccuracyOf(), auroc=MulticlassAUROC(K, ignore_index=-100), own=Own(),
        both=torchmetrics.MetricCollection([MulticlassAccuracy(K, ignore_index=-100), MulticlassAUROC(K, ignore_index=-100)])), HistoryCB()]


class Own:
    def reset(self): self.total, self.lengths = torch.tensor(0.), []
    def update(self, preds, target): self.total += preds.abs().sum(); self.lengths.append(len(preds))
    def compute(self): return self.total/sum(self.lengths)


@pytest.mark.parametrize("at", [0, 3, 5])
def test_resumed_in_the_middle_of_an_epoch(at):
    "State after a batch, loaded by new callbacks that see the rest: the same rows as without a stop"
    x, y = data(60)
    loader = batches(x, y, 10)
    first, save = everything(), Save(at)
    Learner(model(), (loader, loader), F.cross_entropy, 0.1, cbs=[TrainCB(), *first, save]).fit(1)
    assert plain(save.state)
    state, cbs, net = torch.load(_stored(save.state), weights_only=True), everything(), model()
    class Load(Callback):
        order = 4
        def before_epoch(self, learn):
            if learn.training:
                for cb, d in zip(cbs, state): cb.load_state_dict(d)
    Learner(net, (loader[:at + 1],), F.cross_entropy, 0.1, cbs=TrainCB()).fit(1)  # brings the weights to where they were
    learn = Learner(net, (loader[at + 1:], loader), F.cross_entropy, 0.1, cbs=[TrainCB(), *cbs, Load()])
    learn.first_iter = at + 1
    learn.fit(1)
    assert len(cbs[0].rows) == 2
    for a, b in zip(first[0].rows, cbs[0].rows):
        assert a.keys() == b.keys()
        for k in a: assert a[k] == b[k] if isinstance(a[k], str) else torch.equal(torch.as_tensor(a[k]), torch.as_tensor(b[k])), k
    pd.testing.assert_frame_equal(first[1].df, cbs[1].df)


def _stored(state):
    import io
    f = io.BytesIO()
    torch.save(state, f)
    f.seek(0)
    return f


def test_state_between_epochs_is_small_and_rows_go_on():
    cb, history = everything()
    run([cb, history], batches(*data(60), 20), train=True, n=2)
    state = cb.state_dict()
    assert state["metrics"] == {} and len(state["rows"]) == 4
    again, copy = everything()
    again.load_state_dict(state)
    copy.load_state_dict(history.state_dict())
    run([again, copy], batches(*data(60), 20), train=True)
    assert [o["epoch"] for o in again.rows] == [0, 0, 1, 1, 0, 0] and list(copy.df.epoch) == [0, 1, 2]
    assert cb.rows is not again.rows and len(cb.rows) == 4


def test_torchmetrics_keep_their_persistence():
    m = MulticlassAUROC(K)
    save = Save(1)
    run(MetricsCB(m), batches(*data(8, share=0), 4), extra=[save])
    assert m.state_dict() == {} and save.state[0]["metrics"]["MulticlassAUROC"]


def test_a_metric_that_keeps_a_graph_is_stored_without_it():
    class Kept:
        def reset(self): self.all = []
        def update(self, preds, target): self.all.append(torch.ones(1, requires_grad=True)*2)
        def compute(self): return float(len(self.all))

    class Stop(Callback):
        order = 5
        def after_batch(self, learn): self.state = learn.metrics.state_dict()

    x, y = torch.randn(8, 2), torch.randn(8, 1)
    stop = Stop()
    Learner(nn.Linear(2, 1), [(x, y)]*2, cbs=[TrainCB(), MetricsCB(kept=Kept()), stop]).fit(1)
    [[held]] = [o for name, o in stop.state["metrics"].items() if name == "kept"]
    assert len(held["all"]) == 2 and not held["all"][0].requires_grad


def test_a_learner_that_trains_itself_says_how_many_inputs():
    x, y = data(20, share=0)
    class Two(TrainLearner): n_inp = 2
    cb = MetricsCB(Accuracy())
    learn = Two(nn.Bilinear(6, 6, K), ([(x, x, y)],), F.cross_entropy, 0., cbs=cb)
    learn.fit(1)
    assert cb.rows[0]["Accuracy"] == pytest.approx(accuracy(learn.preds, y).item())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_perplexity_of_half_precision_by_itself(dtype):
    "A sum of losses beyond 65,504 is infinite in float16"
    x, y = torch.tensor([[100., 0.]]).expand(1000, 2).to(dtype), torch.ones(1000).long()
    m = Perplexity()
    m.update(x, y)
    assert math.log(m.compute()) == pytest.approx(100)
