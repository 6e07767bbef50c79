"""Laws of the losses over random shapes and sizes, and what may be built on them: second derivatives, vmap, torch.compile."""
import math
import shutil

import pytest
import torch
import torch.nn.functional as F
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch.autograd import gradcheck, gradgradcheck
from torch.testing import assert_close

from minitrain.binary import binary_cross_entropy, binary_cross_entropy_with_logits
from minitrain.core import ArgumentError
from minitrain.likelihood import cross_entropy, nll_loss
from minitrain.softmax import log_softmax, logsumexp, softmax
from minitrain.fast import fused_cross_entropy

law = settings(max_examples=40, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
REDUCTIONS = ("mean", "sum", "none")


def draws(seed): return torch.Generator().manual_seed(seed)


@st.composite
def scores(draw, min_dims=1, max_dims=4, min_size=1, infinite=True):
    "float64 scores of any shape and size, some of them -inf, and one of their dimensions (perhaps counted from the end)"
    shape = draw(st.lists(st.integers(min_size, 5), min_size=min_dims, max_size=max_dims))
    gen, size = draws(draw(st.integers(0, 2**31))), draw(st.sampled_from([1e-3, 1., 30., 1e3, 1e6]))
    x = torch.randn(shape, generator=gen, dtype=torch.float64)*size
    if infinite and draw(st.booleans()): x[torch.rand(shape, generator=gen) < 0.3] = -math.inf
    return x, draw(st.integers(-len(shape), len(shape) - 1)) if shape else 0


@st.composite
def classified(draw, max_extra=2):
    "Scores (b, k, ...), labels, a weight per class or None, an ignore_index, a reduction"
    b, k, *extra = draw(st.lists(st.integers(1, 5), min_size=2, max_size=2 + max_extra))
    gen = draws(draw(st.integers(0, 2**31)))
    x = torch.randn(b, k, *extra, generator=gen, dtype=torch.float64)*draw(st.sampled_from([0.1, 1., 50.]))
    y = torch.randint(0, k, (b, *extra), generator=gen)
    w = torch.rand(k, generator=gen, dtype=torch.float64) + 0.1 if draw(st.booleans()) else None
    return x, y, dict(weight=w, ignore_index=draw(st.sampled_from([-100, 0, k - 1])), reduction=draw(st.sampled_from(REDUCTIONS)))


@st.composite
def logits(draw):
    "Logits and targets of any shape, and weights that broadcast to it"
    shape = draw(st.lists(st.integers(0, 4), max_size=3))
    gen = draws(draw(st.integers(0, 2**31)))
    z = torch.randn(shape, generator=gen, dtype=torch.float64)*draw(st.sampled_from([0., 1., 30., 1e5]))
    t = torch.rand(shape, generator=gen, dtype=torch.float64)
    if draw(st.booleans()): t = t.round()
    narrow = [draw(st.sampled_from([1, n])) for n in shape][draw(st.integers(0, len(shape))):]
    return z, t, torch.rand(narrow, generator=gen, dtype=torch.float64)*3, draw(st.sampled_from(REDUCTIONS))


def slopes(fn, x):
    x = x.clone().requires_grad_()
    y = fn(x)
    return y.detach(), torch.autograd.grad(y, x, torch.linspace(0.5, 1.5, y.numel(), dtype=y.dtype).reshape(y.shape))[0]


def same(ours, theirs, x):
    "Value and gradient"
    for a, b in zip(slopes(ours, x), slopes(theirs, x)): assert_close(a, b, equal_nan=True, rtol=1e-7, atol=1e-7)


# ---- softmax --------------------------------------------------------------------------------------------------------

@law
@given(scores(min_dims=0, min_size=0))
def test_softmax_is_torchs(case):
    x, dim = case
    for ours, theirs in ((softmax, torch.softmax), (log_softmax, torch.log_softmax), (logsumexp, torch.logsumexp)):
        if theirs is torch.logsumexp and x.abs().nan_to_num(0, 0).sum() > 1e4: continue  # torch's slope is rounded there
        same(lambda x: ours(x, dim), lambda x: theirs(x, dim), x)


@law
@given(scores(infinite=False), st.floats(-1e3, 1e3))
def test_softmax_laws(case, c):
    x, dim = case
    p = softmax(x, dim)
    assert (p >= 0).all()
    assert_close(p.sum(dim), torch.ones_like(p.sum(dim)))
    assert_close(softmax(x + c, dim), p, rtol=1e-6, atol=1e-8)          # a constant changes nothing
    assert_close(softmax(x.flip(dim), dim), p.flip(dim))                # order does not matter
    assert_close(log_softmax(x, dim).exp(), p)
    assert (p.argmax(dim) == x.argmax(dim)).all()                       # the largest score has the largest share


@law
@given(scores(), st.booleans())
def test_logsumexp_laws(case, keepdim):
    x, dim = case
    n, y, top = x.shape[dim], logsumexp(x, dim, keepdim), x.amax(dim, keepdim=keepdim)
    assert y.shape == top.shape
    assert (y >= top).all() and (y <= top + math.log(n) + 1e-9*top.abs().nan_to_num(0, 0).clamp(min=1)).all()
    assert_close(logsumexp(torch.cat([x, x], dim), dim, keepdim), y + math.log(2))
    flat = x
    for _ in range(x.ndim): flat = logsumexp(flat, 0)
    assert_close(logsumexp(x, tuple(range(x.ndim))), flat)              # all at once, or one dimension after the other


@law
@given(scores(infinite=False))
def test_gradient_of_logsumexp_is_softmax(case):
    x, dim = case
    x = x.clone().requires_grad_()
    slope, = torch.autograd.grad(logsumexp(x, dim).sum(), x)
    assert_close(slope, softmax(x.detach(), dim))


# ---- likelihood -----------------------------------------------------------------------------------------------------

@law
@given(classified(), st.sampled_from([0., 0.1, 1.]))
def test_cross_entropy_is_torchs(case, eps):
    x, y, kw = case
    same(lambda x: cross_entropy(x, y, label_smoothing=eps, **kw), lambda x: F.cross_entropy(x, y, label_smoothing=eps, **kw), x)
    same(lambda x: fused_cross_entropy(x, y, label_smoothing=eps, **kw), lambda x: F.cross_entropy(x, y, label_smoothing=eps, **kw), x)
    same(lambda x: nll_loss(log_softmax(x, 1), y, **kw), lambda x: cross_entropy(x, y, **kw), x)


@law
@given(classified())
def test_cross_entropy_laws(case):
    x, y, kw = case
    loss = lambda x, y, **new: cross_entropy(x, y, **{**kw, **new})
    if kw["reduction"] != "mean":                                       # a sum over the batch is a sum of sums
        parts = torch.stack([loss(x[i:i+1], y[i:i+1]).sum() for i in range(len(x))])
        assert_close(loss(x, y).sum(), parts.sum())
    order = torch.randperm(x.shape[1], generator=draws(0))              # renaming the classes changes nothing
    w = kw["weight"]
    renamed = loss(x[:, order], order.argsort()[y], weight=None if w is None else w[order], ignore_index=-100)
    assert_close(renamed, loss(x, y, ignore_index=-100), equal_nan=True)
    if w is not None and kw["reduction"] == "mean": assert_close(loss(x, y, weight=w*7), loss(x, y), equal_nan=True)
    rows = x.movedim(1, -1).reshape(-1, x.shape[1])                     # extra dimensions are more rows
    assert_close(loss(rows, y.flatten()), loss(x, y).flatten() if kw["reduction"] == "none" else loss(x, y), equal_nan=True)
    keep = y.flatten() != kw["ignore_index"]                            # to ignore is to leave out
    if kw["reduction"] != "none": assert_close(loss(rows[keep], y.flatten()[keep]), loss(x, y), equal_nan=True)


@law
@given(classified(), st.floats(0, 1))
def test_cross_entropy_of_probabilities(case, eps):
    x, y, kw = case
    kw = dict(reduction=kw["reduction"])
    hot = F.one_hot(y, x.shape[1]).movedim(-1, 1).double()
    assert_close(cross_entropy(x, hot, **kw), cross_entropy(x, y, **kw))
    even = torch.full_like(hot, 1/x.shape[1])
    assert_close(cross_entropy(x, y, label_smoothing=eps, **kw), cross_entropy(x, (1 - eps)*hot + eps*even, **kw))


# ---- binary ---------------------------------------------------------------------------------------------------------

@law
@given(logits())
def test_binary_is_torchs(case):
    z, t, w, red = case
    for kw in (dict(reduction=red), dict(reduction=red, weight=w), dict(reduction=red, pos_weight=w)):
        same(lambda z: binary_cross_entropy_with_logits(z, t, **kw), lambda z: F.binary_cross_entropy_with_logits(z, t, **kw), z)
    for kw in (dict(reduction=red), dict(reduction=red, weight=w)):
        same(lambda p: binary_cross_entropy(p, t, **kw), lambda p: F.binary_cross_entropy(p, t, **kw), z.sigmoid())


@law
@given(logits())
def test_binary_laws(case):
    z, t, w, red = case
    loss = lambda z, t, **kw: binary_cross_entropy_with_logits(z, t, reduction=red, **kw)
    assert_close(loss(z, t), loss(-z, 1 - t), equal_nan=True)           # yes and no change places
    assert (loss(z, t).nan_to_num(0) >= 0).all()
    near = z.clamp(-15, 15)
    assert_close(loss(near, t), binary_cross_entropy(near.sigmoid(), t, reduction=red), equal_nan=True, rtol=1e-6, atol=1e-9)
    two = torch.stack([torch.zeros_like(z), z]).unsqueeze(0)            # (1, 2, ...): two classes with the scores 0 and z
    both = cross_entropy(two, torch.stack([1 - t, t]).unsqueeze(0), reduction="none")[0]
    assert_close(loss(z, t), both if red == "none" else getattr(both, red)(), equal_nan=True)
    assert_close(loss(z, t, pos_weight=torch.ones_like(w)), loss(z, t), equal_nan=True)


def no_shift(x, dim): return x.exp()/x.exp().sum(dim, keepdim=True)
def max_alone(x, dim, keepdim=False): return x.amax(dim, keepdim=keepdim)
def mean_of_all(x, y, weight=None, ignore_index=-100, reduction="mean", label_smoothing=0., true=cross_entropy):
    loss = true(x, y, weight, ignore_index, "none", label_smoothing)
    return loss.mean() if reduction == "mean" else loss.sum() if reduction == "sum" else loss
def unsmoothed(x, y, reduction="mean", label_smoothing=0., true=cross_entropy): return true(x, y, reduction=reduction)
def full_sigmoid(z, t, reduction="mean", **kw): return binary_cross_entropy(z.sigmoid(), t, reduction=reduction)


@pytest.mark.parametrize("test, name, broken", [
    (test_softmax_is_torchs, "softmax", no_shift), (test_softmax_laws, "softmax", no_shift), (test_logsumexp_laws, "logsumexp", max_alone),
    (test_gradient_of_logsumexp_is_softmax, "logsumexp", max_alone), (test_cross_entropy_is_torchs, "cross_entropy", mean_of_all),
    (test_cross_entropy_laws, "cross_entropy", mean_of_all), (test_cross_entropy_of_probabilities, "cross_entropy", unsmoothed),
    (test_binary_is_torchs, "binary_cross_entropy_with_logits", full_sigmoid), (test_binary_laws, "binary_cross_entropy_with_logits", full_sigmoid),
], ids=lambda o: getattr(o, "__name__", o))
def test_control_laws(test, name, broken, monkeypatch):
    "Each law fails when the function it is about is replaced by a plausible wrong one"
    monkeypatch.setitem(globals(), name, broken)
    with pytest.raises((AssertionError, ExceptionGroup)) as e: test()
    found = e.value.exceptions if isinstance(e.value, ExceptionGroup) else [e.value]
    assert all(isinstance(o, AssertionError) for o in found)


# ---- what may be built on them --------------------------------------------------------------------------------------

def rand(*shape, seed=0): return torch.randn(shape, generator=draws(seed), dtype=torch.float64)
Y, W = torch.tensor([0, 2, 1, 2]), torch.tensor([0.5, 2., 1.5]).double()
T = rand(4, 3, seed=1).sigmoid()
ZEROS = rand(4, 3)*torch.tensor([0., 1., 1.])  # logits of which a third are exactly 0

# name: function of one float64 tensor, the tensor
READABLE = {
    "softmax": (lambda x: softmax(x, 1), rand(4, 3)),
    "softmax dim 0": (lambda x: softmax(x, 0), rand(4, 3)),
    "log_softmax": (lambda x: log_softmax(x, -1), rand(4, 3)),
    "logsumexp": (lambda x: logsumexp(x, 1), rand(4, 3)),
    "logsumexp ties": (lambda x: logsumexp(x, 1), torch.zeros(4, 3).double()),
    "logsumexp two dims": (lambda x: logsumexp(x, (0, 1), keepdim=True), rand(4, 3)),
    "nll_loss": (lambda x: nll_loss(log_softmax(x, 1), Y, W, 1), rand(4, 3)),
    "cross_entropy": (lambda x: cross_entropy(x, Y), rand(4, 3)),
    "cross_entropy weight, ignore, smoothing": (lambda x: cross_entropy(x, Y, W, 1, "mean", 0.1), rand(4, 3)),
    "cross_entropy none": (lambda x: cross_entropy(x, Y, reduction="none"), rand(4, 3)),
    "cross_entropy probabilities": (lambda x: cross_entropy(x, T, W, label_smoothing=0.1), rand(4, 3)),
    "binary_cross_entropy": (lambda x: binary_cross_entropy(x, T, W), rand(4, 3).sigmoid()),
    "with_logits": (lambda x: binary_cross_entropy_with_logits(x, T), rand(4, 3)),
    "with_logits at 0": (lambda x: binary_cross_entropy_with_logits(x, T.round(), reduction="none"), ZEROS),
    "with_logits weights": (lambda x: binary_cross_entropy_with_logits(x, T, W, "sum", W), ZEROS),
}
cases = pytest.mark.parametrize("case", READABLE)


@cases
def test_gradcheck(case):
    fn, x = READABLE[case]
    assert gradcheck(fn, x.clone().requires_grad_())


@cases
def test_gradgradcheck(case):
    fn, x = READABLE[case]
    assert gradgradcheck(fn, x.clone().requires_grad_())


@pytest.mark.parametrize("fn", [binary_cross_entropy, binary_cross_entropy_with_logits,
    lambda x, t: cross_entropy(x, t), lambda x, t: cross_entropy(x, t, W, label_smoothing=0.1)],
    ids=["binary_cross_entropy", "with_logits", "cross_entropy", "cross_entropy weighted"])
def test_gradients_of_targets(fn):
    "Targets that are probabilities may be learnt too"
    x, t = rand(4, 3).sigmoid().requires_grad_(), T.clone().requires_grad_()
    assert gradcheck(fn, (x, t)) and gradgradcheck(fn, (x, t))


def kinked(z): return (z.clamp_min(0) - z*T.round() + torch.log1p((-z.abs()).exp())).sum()


def test_control_gradcheck():
    "The textbook formula has a wrong slope at 0: found there, and nowhere else"
    assert gradcheck(kinked, rand(4, 3).requires_grad_())
    with pytest.raises(Exception, match="Jacobian mismatch"): gradcheck(kinked, ZEROS.clone().requires_grad_())


def half_kinked(z):
    "minimum() has slope 1/2 at a tie, which happens to be right; the second derivative at 0 is still wrong"
    return ((1 - T.round())*z - torch.minimum(z, torch.zeros_like(z)) + torch.log1p((-z.abs()).exp())).sum()


def test_control_gradgradcheck():
    assert gradcheck(half_kinked, ZEROS.clone().requires_grad_())
    with pytest.raises(Exception, match="Jacobian mismatch"): gradgradcheck(half_kinked, ZEROS.clone().requires_grad_())


@cases
def test_vmap(case):
    "Mapped over a batch in front, and over one at the end: the same as one by one, gradients too"
    fn, x = READABLE[case]
    batch = torch.stack([x, x*0.5, x*0.25])
    one_by_one = torch.stack([fn(o) for o in batch])
    assert_close(torch.vmap(fn)(batch), one_by_one)
    assert_close(torch.vmap(fn, in_dims=-1)(batch.movedim(0, -1)), one_by_one)
    slope = torch.func.grad(lambda o: fn(o).sum())
    assert_close(torch.vmap(slope)(batch), torch.stack([slope(o) for o in batch]))
    assert_close(slope(batch[1]), torch.autograd.grad(fn(leaf := batch[1].clone().requires_grad_()).sum(), leaf)[0])


def test_vmap_over_targets():
    x, ys = rand(4, 3), torch.stack([Y, Y.flip(0)])
    for fn in (lambda y: cross_entropy(x, y, W), lambda y: nll_loss(x, y)):
        assert_close(torch.vmap(fn)(ys), torch.stack([fn(y) for y in ys]))
    ts = torch.stack([T, 1 - T])
    for fn in (lambda t: cross_entropy(x, t), lambda t: binary_cross_entropy_with_logits(x, t, pos_weight=W), lambda t: binary_cross_entropy(x.sigmoid(), t)):
        assert_close(torch.vmap(fn)(ts), torch.stack([fn(t) for t in ts]))
    weights = torch.stack([W, W + 1])
    fn = lambda w: binary_cross_entropy_with_logits(x, T, pos_weight=w)
    assert_close(torch.vmap(fn)(weights), torch.stack([fn(w) for w in weights]))
    assert_close(torch.vmap(torch.vmap(binary_cross_entropy))(T[None], T[None]), torch.stack([binary_cross_entropy(t, t) for t in T])[None])


TRANSFORMS = {
    "jacfwd": lambda fn: torch.func.jacfwd(fn),
    "hessian": lambda fn: torch.func.hessian(fn),
    "reverse over forward": lambda fn: torch.func.jacrev(torch.func.jacfwd(fn)),
    "forward over forward": lambda fn: torch.func.jacfwd(torch.func.jacfwd(fn)),
    "third derivative": lambda fn: torch.func.jacfwd(torch.func.hessian(fn)),
    "jvp": lambda fn: lambda x: torch.func.jvp(fn, (x,), (x.cos(),))[1],
    "vmap of jacfwd": lambda fn: lambda x: torch.vmap(torch.func.jacfwd(fn))(torch.stack([x, x/2])),
    "vmap of hessian": lambda fn: lambda x: torch.vmap(torch.func.hessian(fn))(torch.stack([x, x/2])),
}
FAR = torch.cat([ZEROS, torch.tensor([[17., -17., 40.], [-40., 1e4, -1e4]]).double()])
ENDS = torch.tensor([0., 1e-13, 1e-6, 0.5, 1 - 1e-13, 1.]).double()


def answer(transform, fn, x):
    try: return TRANSFORMS[transform](fn)(x)
    except RuntimeError as e:  # torch's own, for its loss of logits
        if "ZeroTensors are immutable" not in str(e): raise


@pytest.mark.parametrize("transform", TRANSFORMS)
def test_binary_forward_mode(transform):
    "What torch.func makes of ours and of torch's"
    for ours, theirs, x in ((binary_cross_entropy, F.binary_cross_entropy, rand(6, 3).sigmoid()),
            (binary_cross_entropy_with_logits, F.binary_cross_entropy_with_logits, FAR)):
        for t in (torch.zeros(6, 3), torch.full((6, 3), 0.3), torch.ones(6, 3)):
            mine, reference = (answer(transform, lambda x: fn(x, t.double()), x) for fn in (ours, theirs))
            assert mine is not None
            if reference is not None: assert_close(mine, reference)


def test_binary_forward_mode_at_the_ends():
    p, t = torch.cartesian_prod(ENDS, ENDS).T
    of = lambda fn: torch.func.jacfwd(lambda p: fn(p, t, reduction="none"))(p)
    assert_close(of(binary_cross_entropy), of(F.binary_cross_entropy))


def test_binary_dual_numbers():
    "Forward mode without torch.func; a target with a tangent too"
    with torch.autograd.forward_ad.dual_level():
        dual = torch.autograd.forward_ad.make_dual
        x, t = dual(rand(4, 3).sigmoid(), rand(4, 3)), dual(T, rand(4, 3, seed=2))
        for ours, theirs in ((binary_cross_entropy, F.binary_cross_entropy), (binary_cross_entropy_with_logits, F.binary_cross_entropy_with_logits)):
            for a, b in zip(*(torch.autograd.forward_ad.unpack_dual(fn(x, t)) for fn in (ours, theirs))): assert_close(a, b)


@pytest.fixture
def dynamo():
    "Nothing traced before, nothing left behind"
    torch.compiler.reset()
    yield
    torch.compiler.reset()


@cases
def test_compile(case, dynamo):
    "Traced whole, without a graph break, backward included; the second size is traced with symbols for the shape"
    fn, x = READABLE[case]
    compiled = torch.compile(fn, fullgraph=True, backend="aot_eager")
    for a, b in zip(slopes(compiled, x), slopes(fn, x)): assert_close(a, b)


def test_compile_any_batch(dynamo):
    "One trace serves every batch size"
    def fn(x, t):
        loss = binary_cross_entropy_with_logits(x, t)
        return log_softmax(x, 1).sum() + logsumexp(x, 0).sum() + loss
    traces = []
    def backend(graph, inputs): return traces.append(graph) or graph.forward
    compiled = torch.compile(fn, fullgraph=True, dynamic=True, backend=backend)
    for b in (2, 3, 5, 8):
        x = rand(b, 3)
        assert_close(compiled(x, x.sigmoid()), fn(x, x.sigmoid()))
    assert len(traces) == 1


def test_vmap_looks_at_the_numbers_too():
    "Probabilities out of range are refused inside vmap"
    with pytest.raises(ArgumentError): torch.vmap(binary_cross_entropy)(T*3, T)
    with pytest.raises(ArgumentError): torch.vmap(binary_cross_entropy)(T, T - 1)


def peeking(x): return x.exp() if x.max() > 0 else x


def test_control_vmap():
    "A look at the data, which the losses avoid, cannot be mapped"
    with pytest.raises(RuntimeError, match="data-dependent control flow"): torch.vmap(peeking)(rand(2, 3))


def test_control_compile(dynamo):
    "nor traced"
    with pytest.raises(Exception, match="[Dd]ata-dependent"): torch.compile(peeking, fullgraph=True, backend="aot_eager")(rand(3))


@pytest.mark.skipif(not (shutil.which("c++") or shutil.which("g++") or shutil.which("clang++")), reason="no C++ compiler for the default backend")
def test_compile_with_the_default_backend(dynamo):
    def all_of_them(x):
        return (softmax(x, 1).square().sum() + logsumexp(x, 1).sum() + cross_entropy(x, Y, label_smoothing=0.1)
                + binary_cross_entropy(softmax(x, 1), T) + binary_cross_entropy_with_logits(x, T, pos_weight=W))
    for a, b in zip(slopes(torch.compile(all_of_them, fullgraph=True), rand(4, 3)), slopes(all_of_them, rand(4, 3))): assert_close(a, b)
