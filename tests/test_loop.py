"""Laws of lesson 05: averages over samples, modes put back, loaders and optimizers of both houses."""
import math
from collections import OrderedDict
from dataclasses import dataclass

import pytest
import torch
from hypothesis import given, settings, strategies as st
from torch import nn
from torch.nn.functional import cross_entropy, mse_loss
from torch.testing import assert_close

from minitrain.core import ArgumentError
from minitrain.data import DataLoader, Dataset
from minitrain.loop import Mean, accuracy, count_samples, evaluate, fit, report, train_epoch
from minitrain.optim import SGD, AdamW

torch.set_num_threads(1)


def data(n=40, d=6, k=4, seed=0):
    g = torch.Generator().manual_seed(seed)
    return torch.randn(n, d, generator=g), torch.randint(k, (n,), generator=g)


def network(d=6, k=4, seed=0):
    "A model whose training mode is random (Dropout) and has a memory (BatchNorm)"
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(d, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.5), nn.Linear(8, k))


def batches(x, y, size): return list(zip(x.split(size), y.split(size)))
def modes(model): return [m.training for m in model.modules()]
def no_gradients(model): return all(p.grad is None for p in model.parameters())


# --- averages

@settings(deadline=None, max_examples=50)
@given(n=st.integers(1, 40), size=st.integers(1, 41), seed=st.integers(0, 5))
def test_evaluate_does_not_depend_on_the_batch_size(n, size, seed):
    x, y = data(n, seed=seed)
    model = network(seed=seed)
    with torch.no_grad(): model.eval(); out = model(x); model.train()
    got = evaluate(model, batches(x, y, size), cross_entropy)
    assert list(got) == ["loss", "accuracy"]
    assert math.isclose(got["loss"], cross_entropy(out, y).item(), rel_tol=1e-5)
    assert math.isclose(got["accuracy"], accuracy(out, y).item(), rel_tol=1e-6)


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(-1e3, 1e3), st.integers(0, 50)), min_size=1).filter(lambda o: sum(n for _, n in o)))
def test_mean_is_the_mean_over_samples(pairs):
    mean = Mean()
    for value, n in pairs: mean.update(torch.tensor(value, dtype=torch.float64), torch.tensor(n))
    assert math.isclose(mean.compute(), sum(v*n for v, n in pairs)/sum(n for _, n in pairs), abs_tol=1e-9)
    mean.reset()
    with pytest.raises(ArgumentError): mean.compute()


def test_mean_takes_no_sample_as_no_sample():
    mean = Mean()
    mean.update(1.5)
    mean.update(math.nan, 0)
    assert mean.compute() == 1.5
    mean.update(math.inf, 1)
    assert mean.compute() == math.inf


def test_train_epoch_gives_the_sample_weighted_loss():
    x, y = data(11)
    model = nn.Linear(6, 4)
    opt = torch.optim.SGD(model.parameters(), lr=0.0)
    assert math.isclose(train_epoch(model, batches(x, y, 4), cross_entropy, opt), cross_entropy(model(x), y).item(), rel_tol=1e-6)


# --- accuracy and report

def test_accuracy_in_more_dimensions():
    out, y = torch.randn(3, 4, 2, 5), torch.randint(4, (3, 2, 5))
    got = accuracy(out, y)
    assert got.shape == () and got.dtype == torch.float32
    assert_close(got, accuracy(out.movedim(1, -1).reshape(-1, 4), y.flatten()))
    assert accuracy(torch.eye(3), torch.arange(3)) == 1 and accuracy(torch.eye(2), torch.tensor([1, 0])) == 0
    assert accuracy(torch.eye(2), torch.tensor([False, True])) == 1


@pytest.mark.parametrize("shape", [(3, 1), (2,), (1,)])
def test_accuracy_broadcasts_nothing(shape):
    with pytest.raises(ArgumentError): accuracy(torch.zeros(3, 2), torch.zeros(shape).long())


def test_report(capsys):
    assert report(torch.tensor(2.3026, requires_grad=True), torch.eye(4), torch.tensor([0, 1, 2, 0])) is None
    report(0.5, torch.eye(2), torch.arange(2))
    assert capsys.readouterr().out == "2.30, 0.75\n0.50, 1.00\n"


# --- modes and gradients

def test_evaluation_changes_nothing():
    x, y = data()
    model = network()
    model[1].eval()
    before, marks = {k: v.clone() for k, v in model.state_dict().items()}, modes(model)
    for p in model.parameters(): p.grad = torch.ones_like(p)
    state = torch.get_rng_state()
    first, second = (evaluate(model, batches(x, y, 7), cross_entropy) for _ in range(2))
    assert first == second and modes(model) == marks
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())
    assert torch.equal(torch.get_rng_state(), state), "dropout was on"
    assert all((p.grad == 1).all() for p in model.parameters()), "a gradient that was there belongs to somebody"
    assert torch.is_grad_enabled()


def test_training_wakes_a_model_and_puts_it_back():
    x, y = data()
    model = network().eval()
    seen = []
    model[3].register_forward_hook(lambda m, i, o: seen.append(m.training))
    opt = torch.optim.SGD(model.parameters(), lr=0.1)
    train_epoch(model, batches(x, y, 10), cross_entropy, opt)
    assert all(seen) and len(seen) == 4 and not any(modes(model))


def test_a_frozen_batchnorm_stays_frozen():
    x, y = data()
    model = network()
    model[1].eval()
    stats, marks = model[1].running_mean.clone(), modes(model)
    rows = fit(2, model, cross_entropy, torch.optim.SGD(model.parameters(), lr=0.1), batches(x, y, 10), batches(x, y, 10))
    assert len(rows) == 2 and torch.equal(model[1].running_mean, stats) and modes(model) == marks


class Frozen(nn.Sequential):
    "Frozen by a `train` of its own"
    def train(self, mode=True): return super().train(False)


@pytest.mark.parametrize("before", [True, False])
def test_a_train_of_its_own_is_asked(before):
    x, y = data()
    model = nn.Sequential(Frozen(nn.BatchNorm1d(6)), nn.Linear(6, 4))
    if not before: model.eval()
    fit(2, model, cross_entropy, opt_of(model), batches(x, y, 10), batches(x, y, 10))
    assert not model[0][0].running_mean.any() and modes(model) == [before, False, False, before]


class Broken(Exception): pass


def test_exceptions_restore_modes_and_leave_no_gradient():
    x, y = data()
    model = network().eval()
    model[3].train()
    marks = modes(model)
    def loss_func(out, yb):
        calls.append(1)
        if len(calls) == 2: raise Broken
        return cross_entropy(out, yb)
    for go in (lambda: evaluate(model, batches(x, y, 10), loss_func),
               lambda: train_epoch(model, batches(x, y, 10), loss_func, torch.optim.SGD(model.parameters(), lr=0.1))):
        calls = []
        with pytest.raises(Broken): go()
        assert modes(model) == marks and no_gradients(model) and torch.is_grad_enabled()


def test_no_stale_gradient_comes_in_and_none_stays():
    x, y = data()
    results = []
    for stale in (False, True):
        model = nn.Linear(6, 4)
        nn.init.constant_(model.weight, 0.1); nn.init.zeros_(model.bias)
        if stale:
            for p in model.parameters(): p.grad = torch.full_like(p, 100)
        train_epoch(model, batches(x, y, 10), cross_entropy, torch.optim.SGD(model.parameters(), lr=0.1))
        assert no_gradients(model)
        results.append(model.weight.detach())
    assert torch.equal(*results)


def test_parameters_outside_the_optimizer_keep_no_gradient():
    x, y = data()
    model = network()
    train_epoch(model, batches(x, y, 10), cross_entropy, torch.optim.SGD(model[4].parameters(), lr=0.1))
    assert no_gradients(model)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_loss_that_is_no_number_stops_before_the_update(bad):
    x, y = data()
    x[25] = bad
    model = nn.Linear(6, 4)
    opt = torch.optim.SGD(model.parameters(), lr=0.1)
    with pytest.raises(FloatingPointError, match="batch 2"):
        train_epoch(model, batches(x, y, 10), cross_entropy, opt)
    assert all(p.isfinite().all() for p in model.parameters()) and no_gradients(model)
    assert math.isnan(evaluate(model, batches(x, y, 10), cross_entropy)["loss"])


# --- loaders, optimizers, devices

@pytest.mark.parametrize("make", [SGD, AdamW, torch.optim.SGD, torch.optim.AdamW, torch.optim.RMSprop, torch.optim.Adagrad])
@pytest.mark.parametrize("loader", [DataLoader, torch.utils.data.DataLoader, lambda ds, bs: batches(*ds[:], bs)])
def test_any_loader_and_any_optimizer(make, loader):
    x, y = data()
    ds, results = Dataset(x, y), []
    for dl in (loader(ds, 16), batches(x, y, 16)):
        model = network().eval()
        model[3] = nn.Identity()  # torch's loader draws from the global generator at each start, and dropout would feel it
        rows = fit(3, model, cross_entropy, make(model.parameters(), lr=0.01), dl, dl)
        assert [o["epoch"] for o in rows] == [0, 1, 2] and rows[-1]["train_loss"] < rows[0]["train_loss"]
        results.append(rows)
    assert results[0] == results[1]


class Two(nn.Module):
    "Takes a dict with a nested tuple, gives a dict"
    def __init__(self): super().__init__(); self.lin = nn.Linear(3, 1)
    def forward(self, b): return dict(y=self.lin(b["a"] + b["more"][0]), id=b["id"])


def test_nested_batches_are_moved_and_counted():
    x = torch.randn(10, 3)
    dl = [(OrderedDict(a=o, more=(o, None), id=["n"]*len(o)), dict(y=o.sum(1, keepdim=True))) for o in x.split(4)]
    loss = lambda out, yb: mse_loss(out["y"], yb["y"])
    model = Two()
    got = evaluate(model, dl, loss, metrics=())["loss"]
    assert math.isclose(got, mse_loss(model.lin(2*x), x.sum(1, keepdim=True)).item(), rel_tol=1e-5)
    where = []
    meta = lambda out, yb: (where.append((out["y"].device.type, yb["y"].device.type)), torch.tensor(0.0))[1]
    evaluate(Two().to("meta"), dl, meta, metrics=())
    evaluate(Two().to("meta"), dl, meta, device="meta", metrics=())
    assert set(where) == {("meta", "meta")}


def test_a_plain_function_can_be_evaluated():
    x, y = data()
    assert evaluate(lambda o: torch.eye(4)[y[:len(o)]], [(x, y)], cross_entropy)["accuracy"] == 1


# --- what raises

def opt_of(model): return torch.optim.SGD(model.parameters(), lr=0.1)


@pytest.mark.parametrize("loss_func", [nn.CrossEntropyLoss(reduction="sum"), nn.CrossEntropyLoss(reduction="none"),
    lambda out, yb: cross_entropy(out, yb, reduction="none")])
def test_losses_that_do_not_average_raise(loss_func):
    model = nn.Linear(6, 4)
    before = model.weight.clone()
    dl = batches(*data(), 10)
    with pytest.raises(RuntimeError): evaluate(model, dl, loss_func)
    with pytest.raises(RuntimeError): train_epoch(model, dl, loss_func, opt_of(model))
    assert torch.equal(model.weight, before)


def test_no_epoch_and_no_batch():
    model, dl = nn.Linear(6, 4), batches(*data(), 10)
    assert fit(0, model, cross_entropy, opt_of(model), dl, dl) == []
    for empty in ([], iter([])):
        with pytest.raises(ArgumentError): evaluate(model, empty, cross_entropy)
        with pytest.raises(ArgumentError):
            train_epoch(model, empty, cross_entropy, opt_of(model))


def test_two_metrics_of_one_name():
    def loss(out, yb): return 0
    for metrics in ((accuracy, accuracy), (loss,)):
        with pytest.raises(ArgumentError):
            evaluate(nn.Linear(6, 4), batches(*data(), 10), cross_entropy, metrics=metrics)


def test_fit_hands_out_each_row_at_once():
    model, dl, seen = nn.Linear(6, 4), batches(*data(), 10), []
    def stop(row):
        seen.append(row)
        if row["epoch"] == 1: raise KeyboardInterrupt
    with pytest.raises(KeyboardInterrupt): fit(5, model, cross_entropy, opt_of(model), dl, dl, on_epoch=stop)
    assert [o["epoch"] for o in seen] == [0, 1] and set(seen[0]) == {"epoch", "train_loss", "loss", "accuracy"}


def test_samples_of_any_nesting():
    @dataclass
    class Pair:
        name: str
        x: torch.Tensor
    x = torch.zeros(5, 2)
    nests = x, [x], ("a", x), dict(scale=torch.tensor(2.), x=x), Pair("a", x), [Pair("b", x), torch.zeros(3)]
    assert [count_samples(o) for o in nests] == [5]*6
    assert count_samples(["a", torch.tensor(1.)]) is None
    labels = torch.arange(4)
    def model(o): return o.x if isinstance(o, Pair) else o
    data = [(Pair("a", torch.randn(n, 4)), labels[:n]) for n in (4, 1)]
    plain = [(a.x, b) for a, b in data]
    assert evaluate(model, data, cross_entropy)["loss"] == evaluate(model, plain, cross_entropy)["loss"]
