"Lesson 02 beyond the oracle: fused_cross_entropy, its memory, and what the readable losses promise where torch's samples have holes"
import importlib.util
import math
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings, strategies as st
from torch.func import grad as func_grad, vmap
from torch.testing import assert_close

from minitrain import likelihood
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


def agree(x, t, *args, ours=fused_cross_entropy, tol=None, **kwargs):
    "Value, gradient, dtype and shape as torch's; also under a gradient that is not 1"
    (a, ga), (b, gb) = run(ours, x, t, *args, **kwargs), run(F.cross_entropy, x, t, *args, **kwargs)
    assert_close(a, b, equal_nan=True, **(tol or {}))
    assert_close(ga, gb, equal_nan=True, **(tol or {}))
    other = torch.linspace(-2, 3, max(1, a.numel()), dtype=a.dtype)[:a.numel()].reshape(a.shape)
    (_, ga), (_, gb) = (run(f, x, t, *args, weights=other, **kwargs) for f in (ours, F.cross_entropy))
    assert_close(ga, gb, equal_nan=True, **(tol or {}))


def small_blocks(monkeypatch): monkeypatch.setattr(likelihood, "_BLOCK", 7)


# Every option (torch's own samples are in test_losses_oracle.py)

SHAPES = [(6, 4), (4,), (3, 4, 5), (2, 4, 3, 2), (2, 4, 2, 1, 3), (0, 4), (2, 4, 0)]


def labels(shape, ignore_index=-100):
    n = math.prod(shape[:1] + shape[2:]) if len(shape) > 1 else 1
    t = torch.arange(n)*7 % shape[min(1, len(shape) - 1)]
    if n > 2: t[1] = ignore_index
    return t.reshape(shape[:1] + shape[2:] if len(shape) > 1 else ())


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("eps", [0., .2, 1.])
@pytest.mark.parametrize("weighted", [False, True], ids=["plain", "weighted"])
@pytest.mark.parametrize("ours", [fused_cross_entropy, cross_entropy])
def test_every_option_together(shape, reduction, eps, weighted, ours, monkeypatch):
    small_blocks(monkeypatch)
    x = torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)*5
    w = torch.tensor([.5, 0., 2., 1.], dtype=torch.float64) if weighted else None
    agree(x, labels(shape), w, ours=ours, reduction=reduction, label_smoothing=eps)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 5), min_size=1, max_size=4), st.integers(1, 60), st.floats(0, 1), st.integers(0, 2**31),
       st.sampled_from(["mean", "sum", "none"]))
def test_any_shape_and_block_size(shape, block, eps, seed, reduction):
    g = torch.Generator().manual_seed(seed)
    x = torch.randn(shape, generator=g, dtype=torch.float64)*10
    k = shape[min(1, len(shape) - 1)]
    t = torch.randint(-1, k, labels(tuple(shape)).shape, generator=g)
    if t.shape == x.shape: return  # a batch-free single class is probabilities to torch
    usual, likelihood._BLOCK = likelihood._BLOCK, block
    try: agree(x, t, ignore_index=-1, reduction=reduction, label_smoothing=eps)
    finally: likelihood._BLOCK = usual


@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 9), st.integers(1, 200))
def test_blocks_cover_everything_once(n, k, d, size):
    seen = torch.zeros(n, k, d)
    for block in likelihood._blocks(n, k, d, size):
        seen[block] += 1
        assert seen[block].numel() <= max(size, k)
    assert (seen == 1).all()


# Extremes

ROWS = {"-inf in a row": [[0., -INF, 1.], [2., 1., 0.]], "label at -inf": [[-INF, 0., 1.], [2., 1., 0.]],
        "+inf in a row": [[INF, 0., 1.], [2., 1., 0.]], "nan in a row": [[math.nan, 0., 1.], [2., 1., 0.]],
        "row of -inf": [[-INF]*3, [2., 1., 0.]], "far apart": [[1e4, -1e4, 0.], [-3e38, 3e38, 0.]],
        "shifted far": [[9999., 10000., 9998.], [-1e4, -1e4 - 1, -1e4]]}


@pytest.mark.parametrize("rows", ROWS.values(), ids=ROWS)
@pytest.mark.parametrize("ignored", [False, True], ids=["counted", "ignored"])
@pytest.mark.parametrize("eps", [0., .1])
@pytest.mark.parametrize("ours", [fused_cross_entropy, cross_entropy])
def test_extreme_rows(rows, ignored, eps, ours):
    x, t = torch.tensor(rows), torch.tensor([-100 if ignored else 0, 1])
    for w in (None, torch.tensor([0., 1., 2.])):
        for reduction in ("mean", "sum", "none"): agree(x, t, w, ours=ours, reduction=reduction, label_smoothing=eps)


@pytest.mark.parametrize("t, w", [([-100, -100], None), ([-100, -100], [1., 2., 3.]), ([1, 1], [1., 0., 3.])],
                         ids=["all ignored", "all ignored, weights", "weight zero"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("ours", [fused_cross_entropy, cross_entropy])
def test_mean_over_nothing(t, w, dtype, ours):
    x = torch.tensor([[1., 2., 3.], [0., 1., 0.]], dtype=dtype)
    w = None if w is None else torch.tensor(w, dtype=dtype)
    assert ours(x, torch.tensor(t), w).isnan()
    agree(x, torch.tensor(t), w, ours=ours)
    agree(x, torch.tensor(t), w, ours=ours, reduction="sum")


def test_a_shift_of_the_scores_changes_nothing():
    x, t = torch.randn(20, 30, generator=torch.Generator().manual_seed(0)), torch.arange(20)
    x = (x*64).round()/64  # so that x + 4096 is exact
    (a, ga), (b, gb) = run(fused_cross_entropy, x, t), run(fused_cross_entropy, x + 4096, t)
    assert torch.equal(a, b) and torch.equal(ga, gb)


@pytest.mark.parametrize("make", [lambda x: x.t().contiguous().t(), lambda x: x[:, ::2], lambda x: x[:1].expand(8, -1),
                                  lambda x: x.reshape(2, 6, 2, 4).to(memory_format=torch.channels_last),
                                  lambda x: x.reshape(2, 2, 4, 6).permute(0, 3, 1, 2), lambda x: x.reshape(2, 2, 4, 6).permute(0, 3, 2, 1)],
                         ids=["transposed", "strided", "expanded", "channels last", "permuted", "permuted twice"])
def test_any_layout(make, monkeypatch):
    small_blocks(monkeypatch)
    x = make(torch.randn(8, 12, generator=torch.Generator().manual_seed(0)))
    t = labels(tuple(x.shape))
    want = run(F.cross_entropy, x.contiguous(), t)
    x = x.requires_grad_()
    loss = fused_cross_entropy(x, t)
    assert_close((loss.detach(), torch.autograd.grad(loss, x)[0]), want)


# Half precision

@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("eps", [0., .1])
def test_half_precision_is_rounded_once(dtype, eps):
    g = torch.Generator().manual_seed(0)
    x, t = (torch.randn(300, 200, generator=g)*4).to(dtype), torch.randint(200, (300,), generator=g)
    loss, gradient = run(fused_cross_entropy, x, t, label_smoothing=eps, weights=torch.tensor(1024., dtype=dtype))
    want, want_gradient = run(F.cross_entropy, x.double(), t, label_smoothing=eps, weights=torch.tensor(1024.).double())
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

def test_no_gradient_is_made_when_none_is_wanted(monkeypatch):
    made = []
    real = likelihood._fused_rows
    monkeypatch.setattr(likelihood, "_fused_rows", lambda *a: made.append(real(*a)[1]) or (real(*a)))
    x, t = torch.randn(5, 3, requires_grad=True), torch.arange(5) % 3
    want = F.cross_entropy(x, t)
    with torch.no_grad(): assert_close(fused_cross_entropy(x, t), want.detach())
    with torch.inference_mode(): fused_cross_entropy(x, t)
    assert not fused_cross_entropy(x.detach(), t).requires_grad
    assert made == [None]*3
    fused_cross_entropy(x, t)
    assert made[3].shape == (5, 3, 1)


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


OPTIONS = {"plain": {}, "smoothing": dict(label_smoothing=.1), "sum": dict(reduction="sum"),
           "weights and smoothing": dict(weight=torch.linspace(.5, 2, 1000), label_smoothing=.1)}


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


# Limits and refusals

def test_limits_of_the_fused_form():
    x, t = torch.randn(2, 5, 3, requires_grad=True), torch.randint(3, (2, 5))
    with pytest.raises(ArgumentError, match="no second derivative"):
        torch.autograd.grad(fused_cross_entropy(x[0], t[0]), x, create_graph=True)
    loss = fused_cross_entropy(x[0], t[0])
    loss.backward(retain_graph=True)
    with pytest.raises(ArgumentError, match="one backward"): loss.backward()
    with pytest.raises(ArgumentError, match="torch.func"): vmap(fused_cross_entropy)(x, t)
    with pytest.raises(ArgumentError, match="torch.func"): vmap(fused_cross_entropy, in_dims=(0, None))(x.detach(), t[0])
    with pytest.raises(ArgumentError, match="torch.func"): func_grad(fused_cross_entropy)(x[0].detach(), t[0])


REFUSED = {
    "column of labels": (dict(target=torch.zeros(3, 1, dtype=torch.long)), ArgumentError, "`target`.*shape \\(3,\\)"),
    "label too large": (dict(target=torch.tensor([0, 1, 4])), IndexError, "`target`.*0 to 3, got 4"),
    "label below zero": (dict(target=torch.tensor([0, -1, 2])), IndexError, "`target`.*0 to 3, got -1"),
    "label of a weighted class": (dict(target=torch.tensor([0, 9, 2]), weight=torch.ones(4)), IndexError, "`target`.*0 to 3, got 9"),
    "int32": (dict(target=torch.tensor([0, 1, 2], dtype=torch.int32)), TypeError, "`target`.*int64"),
    "integer scores": (dict(input=torch.ones(3, 4, dtype=torch.long)), TypeError, "`input`.*floating point"),
    "weight of another dtype": (dict(weight=torch.ones(4).double()), TypeError, "`weight`.*float32"),
    "weight too short": (dict(weight=torch.ones(3)), ArgumentError, "`weight`.*shape \\(4,\\)"),
    "weight with a gradient": (dict(weight=torch.ones(4, requires_grad=True)), ArgumentError, "`weight`.*detach"),
    "weight elsewhere": (dict(weight=torch.ones(4, device="meta")), ArgumentError, "`weight`.*cpu.*meta"),
    "list": (dict(target=[0, 1, 2]), TypeError, "`target`.*tensor"),
    "reduction": (dict(reduction="avg"), ArgumentError, "`reduction`.*'avg'"),
    "ignore_index": (dict(ignore_index=1.5), TypeError, "`ignore_index`.*int"),
    "no dimension": (dict(input=torch.tensor(1.), target=torch.tensor(0)), ArgumentError, "`input`.*classes"),
}


@pytest.mark.parametrize("change, kind, text", REFUSED.values(), ids=REFUSED)
@pytest.mark.parametrize("ours", [nll_loss, cross_entropy, fused_cross_entropy])
def test_refusals_name_the_argument(ours, change, kind, text):
    good = dict(input=torch.randn(3, 4), target=torch.tensor([0, 1, 2]))
    with pytest.raises(kind, match=text): ours(**(good | change))


@pytest.mark.parametrize("ours", [cross_entropy, fused_cross_entropy])
@pytest.mark.parametrize("eps, kind", [(-.1, ArgumentError), (1.1, ArgumentError), (math.nan, ArgumentError), ("a", TypeError), (None, TypeError)])
def test_smoothing_outside_zero_to_one(ours, eps, kind):
    with pytest.raises(kind, match="`label_smoothing`"): ours(torch.randn(3, 4), torch.tensor([0, 1, 2]), label_smoothing=eps)


# The readable loss inside transforms

def test_vmap_with_weights_and_smoothing():
    "torch's own cross_entropy cannot be mapped with these options"
    x, t, w = torch.randn(7, 5, 3), torch.randint(3, (7, 5)), torch.tensor([1., 2., 3.])
    t[0, 0] = -100
    loss = lambda f: lambda a, b: f(a, b, w, label_smoothing=.2)
    assert_close(vmap(loss(cross_entropy))(x, t), torch.stack([loss(F.cross_entropy)(a, b) for a, b in zip(x, t)]))
    assert vmap(func_grad(loss(cross_entropy)))(x, t).shape == x.shape
    with pytest.raises(IndexError, match="`target`.*0 to 2"): vmap(cross_entropy)(x, t + 7)


def test_uint8_labels():
    x, t = torch.randn(5, 4), torch.tensor([0, 3, 1, 1, 2], dtype=torch.uint8)
    for f in (cross_entropy, fused_cross_entropy): assert_close(f(x, t, ignore_index=1), F.cross_entropy(x, t, ignore_index=1))
    with pytest.raises(TypeError, match="uint8"): cross_entropy(torch.randn(5, 4, 1), t[:, None])
    with pytest.raises(IndexError, match="got 156"): cross_entropy(x, t + 156)  # not -100, although its bits are
