"""Beyond test_losses_oracle: fused_cross_entropy on large inputs, its memory and its limits;
half precision; transforms that torch's own cross_entropy cannot do"""
import importlib.util
import math
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from torch.func import grad as func_grad, vmap
from torch.testing import assert_close

from minitrain.core import ArgumentError, load_results
from minitrain.likelihood import cross_entropy, nll_loss
from minitrain.fast import fused_cross_entropy

INF = math.inf


def run(loss_func, x, t, *args, weights=None, **kwargs):
    "Value and gradient; `weights` are given to backward"
    x = x.detach().clone(memory_format=torch.preserve_format).requires_grad_()
    loss = loss_func(x, t, *args, **kwargs)
    loss.backward(torch.ones_like(loss) if weights is None else weights)
    return loss.detach(), x.grad


def agree(x, t, *args, **kwargs):
    "Value, gradient, dtype and shape as torch's; also under a gradient that is not 1"
    both = fused_cross_entropy, F.cross_entropy
    (a, ga), (b, gb) = (run(f, x, t, *args, **kwargs) for f in both)
    assert_close(a, b, equal_nan=True)
    assert_close(ga, gb, equal_nan=True)
    other = torch.linspace(-2, 3, a.numel(), dtype=a.dtype).reshape(a.shape)
    (_, ga), (_, gb) = (run(f, x, t, *args, weights=other, **kwargs) for f in both)
    assert_close(ga, gb, equal_nan=True)


# Inputs of several blocks: small ones are in test_losses_oracle.py


def labels(shape, ignore_index=-100):
    n = math.prod(shape[:1] + shape[2:]) if len(shape) > 1 else 1
    t = torch.arange(n)*7 % shape[min(1, len(shape) - 1)]
    if n > 2: t[1] = ignore_index
    return t.reshape(shape[:1] + shape[2:] if len(shape) > 1 else ())


@pytest.mark.parametrize("shape", [(3000, 800), (2, 700_000, 2), (40, 50, 30, 30)], ids=str)
@pytest.mark.parametrize("kwargs", [{}, dict(reduction="sum", label_smoothing=.2),
    dict(reduction="none", label_smoothing=1.)], ids=["mean", "sum", "none"])
@pytest.mark.parametrize("weighted", [False, True], ids=["plain", "weighted"])
def test_more_than_a_million_scores(shape, kwargs, weighted):
    g = torch.Generator().manual_seed(0)
    x = torch.randn(shape, generator=g, dtype=torch.float64)*5
    w = torch.rand(shape[1], generator=g, dtype=torch.float64) if weighted else None
    agree(x, labels(shape), w, **kwargs)


# Extremes

ROWS = {"-inf in a row": [[0., -INF, 1.], [2., 1., 0.]], "label at -inf": [[-INF, 0., 1.], [2., 1., 0.]],
        "+inf in a row": [[INF, 0., 1.], [2., 1., 0.]], "nan in a row": [[math.nan, 0., 1.], [2., 1., 0.]],
        "row of -inf": [[-INF]*3, [2., 1., 0.]], "far apart": [[1e4, -1e4, 0.], [-3e38, 3e38, 0.]],
        "shifted far": [[9999., 10000., 9998.], [-1e4, -1e4 - 1, -1e4]]}


@pytest.mark.parametrize("rows", ROWS.values(), ids=ROWS)
@pytest.mark.parametrize("ignored", [False, True], ids=["counted", "ignored"])
@pytest.mark.parametrize("eps", [0., .1])
def test_extreme_rows(rows, ignored, eps):
    x, t = torch.tensor(rows), torch.tensor([-100 if ignored else 0, 1])
    for w in (None, torch.tensor([0., 1., 2.])):
        for reduction in ("mean", "sum", "none"):
            agree(x, t, w, reduction=reduction, label_smoothing=eps)


def test_a_shift_of_the_scores_changes_nothing():
    x, t = torch.randn(20, 30, generator=torch.Generator().manual_seed(0)), torch.arange(20)
    x = (x*64).round()/64  # so that x + 4096 is exact
    (a, ga), (b, gb) = run(fused_cross_entropy, x, t), run(fused_cross_entropy, x + 4096, t)
    assert torch.equal(a, b) and torch.equal(ga, gb)


@pytest.mark.parametrize("make", [lambda x: x.t().contiguous().t(), lambda x: x[:, ::2], lambda x: x[:1].expand(8, -1),
                                  lambda x: x.reshape(2, 6, 2, 4).to(memory_format=torch.channels_last),
                                  lambda x: x.reshape(2, 2, 4, 6).permute(0, 3, 1, 2), lambda x: x.reshape(2, 2, 4, 6).permute(0, 3, 2, 1)],
                         ids=["transposed", "strided", "expanded", "channels last", "permuted", "permuted twice"])
def test_any_layout(make):
    x = make(torch.randn(8, 12, generator=torch.Generator().manual_seed(0)))
    t = labels(tuple(x.shape))
    want = run(F.cross_entropy, x.contiguous(), t)
    x = x.requires_grad_()
    loss = fused_cross_entropy(x, t)
    assert_close((loss.detach(), torch.autograd.grad(loss, x)[0]), want)


# Half precision

@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_rounded_once(dtype):
    g = torch.Generator().manual_seed(0)
    x, t = (torch.randn(300, 200, generator=g)*4).to(dtype), torch.randint(200, (300,), generator=g)
    loss, gradient = run(fused_cross_entropy, x, t, weights=torch.tensor(1024., dtype=dtype))
    want, want_gradient = run(F.cross_entropy, x.double(), t, weights=torch.tensor(1024.).double())
    assert loss.dtype == gradient.dtype == dtype
    precision = torch.finfo(dtype).eps
    assert abs(loss.double()/want - 1) < precision
    assert_close(gradient.double(), want_gradient, rtol=2*precision, atol=2*precision*want_gradient.abs().max().item()/1e2)


def test_half_precision_keeps_small_gradients_for_a_loss_scaler():
    x, t = torch.zeros(4096, 1000, dtype=torch.float16), torch.zeros(4096, dtype=torch.long)
    _, gradient = run(fused_cross_entropy, x, t, weights=torch.tensor(32768., dtype=torch.float16))
    assert_close(gradient[:, 1], torch.full((4096,), 32768/4096/1000, dtype=torch.float16))  # 1/4096/1000 alone is 0 in float16
    assert torch.tensor(1/4096/1000, dtype=torch.float16)*32768 != gradient[0, 1]


@pytest.mark.parametrize("ours", [nll_loss, cross_entropy, fused_cross_entropy])
def test_half_precision_sums_do_not_overflow(ours):
    x, t = torch.full((70_000, 10), -2.3, dtype=torch.float16), torch.zeros(70_000, dtype=torch.long)
    assert abs(ours(x, t).item() - 2.3) < .01
    assert ours(x, t, reduction="sum").isinf()  # 161,000 is beyond float16


# What is kept, and for how long


def test_gradient_does_not_see_later_changes_of_the_scores():
    x, t = torch.randn(6, 4, generator=torch.Generator().manual_seed(0)), torch.arange(6) % 4
    want = run(F.cross_entropy, x, t)[1]
    x.requires_grad_()
    y = x*1
    loss = fused_cross_entropy(y, t)
    with torch.no_grad(): y.zero_()
    loss.backward()
    assert_close(x.grad, want)


def test_gradients_accumulate_and_flow_on():
    w, x, t = torch.randn(4, 3, requires_grad=True), torch.randn(6, 4), torch.arange(6) % 3
    for f in (fused_cross_entropy, cross_entropy): f(x @ w, t).backward()
    both, w.grad = w.grad, None
    F.cross_entropy(x @ w, t).backward()
    assert_close(both, 2*w.grad)


def bench():
    path = Path(__file__).parents[1]/"bench/losses.py"
    if not path.exists(): pytest.skip("bench/ is not beside tests/")
    spec = importlib.util.spec_from_file_location("bench_losses", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


OPTIONS = {"plain": {}, "sum": dict(reduction="sum"), "weights": dict(weight=torch.linspace(.5, 2, 1000))}


@pytest.mark.parametrize("kwargs", OPTIONS.values(), ids=OPTIONS)
def test_peak_memory_is_one_tensor(kwargs):
    b = bench()
    x, t = b.data(4096, 1000, 1.)
    assert 1 <= b.peak(lambda x, t: fused_cross_entropy(x, t, **kwargs), x, t) <= 1.05


def test_peak_memory_in_half_precision():
    b = bench()
    x, t = b.data(4096, 1000, 1.)
    assert b.peak(fused_cross_entropy, x.detach().bfloat16().requires_grad_(), t) <= 1.05


def test_peak_memory_control():
    "The measure sees what is there: the built-in needs three tensors, and one more when a form makes one"
    b = bench()
    x, t = b.data(1024, 1000, 1.)
    assert 2.9 < b.peak(F.cross_entropy, x, t) < 3.1
    assert 1.9 < b.peak(lambda x, t: fused_cross_entropy(x*1, t), x, t) < 2.2


def test_stored_measurements_keep_the_limits():
    df = load_results("losses")
    fused = df[(df.form == "fused_cross_entropy") & (df.rows > 64)]
    assert {(4096, 1000), (256, 50257)} <= set(zip(fused.rows, fused.classes))
    assert (fused.peak <= 1.05).all() and (fused.high < 1).all()
    assert df.attrs["command"] == "python bench/losses.py" and df.attrs["threads"] == 1
    assert (df.low <= df.ratio).all() and (df.ratio <= df.high).all()


# Limits

def test_limits_of_the_fused_form():
    x, t = torch.randn(2, 5, 3, requires_grad=True), torch.randint(3, (2, 5))
    with pytest.raises(ArgumentError):  # has no second derivative
        torch.autograd.grad(fused_cross_entropy(x[0], t[0]), x, create_graph=True)
    loss = fused_cross_entropy(x[0], t[0])
    loss.backward(retain_graph=True)
    with pytest.raises(ArgumentError): loss.backward()  # its gradient is made once
    with pytest.raises(RuntimeError): vmap(fused_cross_entropy)(x, t)
    with pytest.raises(RuntimeError): func_grad(fused_cross_entropy)(x[0].detach(), t[0])


# The readable loss inside transforms

def test_vmap_with_weights_and_smoothing():
    "torch's own cross_entropy cannot be mapped with these options"
    x, t, w = torch.randn(7, 5, 3), torch.randint(3, (7, 5)), torch.tensor([1., 2., 3.])
    t[0, 0] = -100
    loss = lambda f: lambda a, b: f(a, b, w, label_smoothing=.2)
    assert_close(vmap(loss(cross_entropy))(x, t), torch.stack([loss(F.cross_entropy)(a, b) for a, b in zip(x, t)]))
    assert vmap(func_grad(loss(cross_entropy)))(x, t).shape == x.shape
