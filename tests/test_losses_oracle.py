"""The losses against PyTorch's own test inputs (OpInfo, ModuleInfo), the holes these leave, and what torch refuses.

Each comparison is of value, gradient, dtype and shape. `test_control_*` feed broken losses to the same comparisons.
"""
import math
import re

import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close
from torch.utils._python_dispatch import TorchDispatchMode

from minitrain.binary import binary_cross_entropy, binary_cross_entropy_with_logits
from minitrain.core import ArgumentError
from minitrain.likelihood import cross_entropy, nll_loss
from minitrain.softmax import log_softmax, logsumexp, softmax
from minitrain.fast import fused_cross_entropy

PINNED = torch.__version__.split("+")[0].startswith("2.13.")
INF, NAN = math.inf, math.nan
HALF = (torch.float16, torch.bfloat16)  # rounded at other places than torch's: a few units in the last place of the largest number
FLOATS = (torch.float32, torch.float64, *HALF)
INTS = (torch.int8, torch.uint8, torch.int16, torch.int32, torch.int64, torch.bool)
COMPLEX = (torch.complex64, torch.complex128)

# name in op_db, variant: ours, torch's, number of samples in torch 2.13, dtypes
OPS = {
    ("logsumexp", ""): (logsumexp, torch.logsumexp, 15, FLOATS + INTS + COMPLEX),
    ("softmax", ""): (softmax, torch.softmax, 7, FLOATS),
    ("softmax", "with_dtype"): (softmax, torch.softmax, 7, FLOATS + INTS + COMPLEX),
    ("log_softmax", ""): (log_softmax, torch.log_softmax, 7, FLOATS),
    ("log_softmax", "with_dtype"): (log_softmax, torch.log_softmax, 7, FLOATS + INTS + COMPLEX),
    ("nn.functional.nll_loss", ""): (nll_loss, F.nll_loss, 61, FLOATS),
    ("nn.functional.cross_entropy", ""): (cross_entropy, F.cross_entropy, 21, FLOATS),
    ("nn.functional.binary_cross_entropy", ""): (binary_cross_entropy, F.binary_cross_entropy, 11, FLOATS),
    ("nn.functional.binary_cross_entropy_with_logits", ""):
        (binary_cross_entropy_with_logits, F.binary_cross_entropy_with_logits, 26, FLOATS),
}
MODULES = {
    "CrossEntropyLoss": (cross_entropy, 105, 7, ("weight", "ignore_index", "reduction", "label_smoothing")),
    "NLLLoss": (nll_loss, 28, 1, ("weight", "ignore_index", "reduction")),
    "BCELoss": (binary_cross_entropy, 6, 0, ("weight", "reduction")),
    "BCEWithLogitsLoss": (binary_cross_entropy_with_logits, 6, 0, ("weight", "reduction", "pos_weight")),
}


# ---- the comparison -------------------------------------------------------------------------------------------------

def fresh(x, wanted):
    "A copy of a tensor that asks for a gradient where the original does (or where `wanted` says so)"
    if not isinstance(x, torch.Tensor): return x
    return x.detach().clone().requires_grad_(x.requires_grad if wanted is None else wanted)


def run(fn, args, kwargs, grad):
    "Value, and gradients of all differentiable arguments for one fixed random output gradient"
    args = [fresh(a, (grad and i == 0) if grad is not None else None) for i, a in enumerate(args)]
    out = fn(*args, **kwargs)
    asked = [a for a in args if isinstance(a, torch.Tensor) and a.requires_grad]
    assert out.requires_grad == bool(asked), "the answer must ask for a gradient when an argument does"
    if not asked: return out, ()
    g = torch.randn(out.shape, generator=torch.Generator().manual_seed(out.numel()), dtype=torch.float64).to(out.dtype)
    return out.detach(), torch.autograd.grad(out, asked, g, allow_unused=True)


def largest(x):
    "The largest finite size in a tensor, at least 0"
    x = x.detach().abs().double()
    return x[x.isfinite()].max().item() if x.isfinite().any() else 0.


def close(a, b, roughly=0.):
    "assert_close with nan equal to nan; `roughly` is an error allowed besides, and 16-bit numbers may differ by 4 units"
    if b.dtype in HALF: tol = 4*torch.finfo(b.dtype).eps; tol = dict(rtol=tol, atol=tol*max(largest(b), 1e-3))
    else: tol = dict(rtol=roughly, atol=roughly) if roughly > 1e-5 else {}
    assert_close(a, b, equal_nan=True, **tol)


def compare(ours, theirs, args, kwargs=None, grad=None):
    "Ours and theirs on the same arguments: value, gradient (nan in the same places), dtype and shape"
    mine, reference = (run(fn, args, kwargs or {}, grad) for fn in (ours, theirs))
    close(mine[0], reference[0])
    # torch's gradient of logsumexp is exp(x - lse) with a rounded lse: see test_gradient_of_logsumexp_at_large_scores
    roughly = 4*torch.finfo(args[0].dtype).eps*largest(args[0]) if theirs is torch.logsumexp and mine[1] else 0.
    assert len(mine[1]) == len(reference[1])
    for a, b in zip(mine[1], reference[1]):
        assert (a is None) == (b is None)
        if a is not None: close(a, b, roughly)


@pytest.fixture(scope="module")
def internals():
    "torch's own tables of test inputs"
    flags = {k: v for k, v in vars(torch.backends).items() if k.endswith("allow_nonbracketed_mutation_flag")}
    try:
        from torch.testing._internal.common_methods_invocations import op_db
        from torch.testing._internal.common_modules import module_db
    except ImportError as e: pytest.skip(f"this torch ({torch.__version__}) or its test dependency is without the internal tables: {e}")
    for k, v in flags.items(): setattr(torch.backends, k, v)  # the import freezes torch's backend flags for everyone
    return {(o.name, o.variant_test_name): o for o in op_db}, {o.module_cls.__name__: o for o in module_db}


def op_samples(internals, key, dtype):
    if key not in internals[0]: pytest.skip(f"torch {torch.__version__} has no OpInfo {key}")
    torch.manual_seed(0)
    samples = list(internals[0][key].sample_inputs("cpu", dtype, requires_grad=dtype.is_floating_point or dtype.is_complex))
    assert len(samples) >= (OPS[key][2] if PINNED and dtype in (torch.float32, torch.float64) else 1)
    return [((s.input, *s.args), s.kwargs) for s in samples]


def module_samples(internals, name, dtype):
    if name not in internals[1]: pytest.skip(f"torch {torch.__version__} has no ModuleInfo {name}")
    info = internals[1][name]
    torch.manual_seed(0)
    inputs = info.module_inputs_func(info, device="cpu", dtype=dtype, requires_grad=True, training=False)
    assert len(inputs) >= (MODULES[name][1] if PINNED else 1)
    for m in inputs:
        module = info.module_cls(*m.constructor_input.args, **m.constructor_input.kwargs)
        yield module, {k: getattr(module, k) for k in MODULES[name][3]}, m.forward_input.args


def each(samples, check):
    "Run a check on each sample, and name the sample that fails"
    n = 0
    for n, s in enumerate(samples, 1):
        try: check(*s)
        except Exception as e: raise AssertionError(f"sample {n}: {s}\n{type(e).__name__}: {e}") from e
    assert n, "no sample was run"


ids = lambda o: "-".join(filter(None, o)) if isinstance(o, tuple) else str(o).removeprefix("torch.")


# ---- OpInfo and ModuleInfo ------------------------------------------------------------------------------------------

@pytest.mark.filterwarnings("ignore:Casting complex values")
@pytest.mark.parametrize("key, dtype", [(k, d) for k, v in OPS.items() for d in v[3]], ids=ids)
def test_opinfo(internals, key, dtype):
    ours, theirs = OPS[key][:2]
    each(op_samples(internals, key, dtype), lambda args, kwargs: compare(ours, theirs, args, kwargs))


@pytest.mark.parametrize("dtype", FLOATS, ids=ids)
@pytest.mark.parametrize("name", MODULES)
def test_moduleinfo(internals, name, dtype):
    ours = MODULES[name][0]
    each(module_samples(internals, name, dtype),
         lambda module, kwargs, args: compare(lambda *a: ours(*a, **kwargs), module, args))


@pytest.mark.parametrize("dtype", (torch.float32, torch.float64), ids=ids)
def test_fused_on_the_inputs_of_cross_entropy(internals, dtype):
    "fused_cross_entropy answers the same for class indices, and takes no probabilities"
    counts = dict(same=0, refused=0)

    def check(theirs, kwargs, args):
        if args[1].is_floating_point():
            counts["refused"] += 1
            with pytest.raises(REFUSALS): fused_cross_entropy(*args, **kwargs)
        else:
            counts["same"] += 1
            compare(lambda *a: fused_cross_entropy(*a, **kwargs), theirs, args)

    each(module_samples(internals, "CrossEntropyLoss", dtype), check)
    key = ("nn.functional.cross_entropy", "")
    each(op_samples(internals, key, dtype), lambda args, kwargs: check(lambda *a: F.cross_entropy(*a, **kwargs), kwargs, args))
    assert min(counts.values()) > 10


@pytest.mark.parametrize("dtype", (torch.float32, torch.float64), ids=ids)
@pytest.mark.parametrize("name", [k for k, v in MODULES.items() if v[2]])
def test_moduleinfo_errors(internals, name, dtype):
    "Whatever torch's table says is refused, ours refuses"
    info, ours = internals[1][name], MODULES[name][0]
    cases = info.module_error_inputs_func(info, device="cpu", dtype=dtype, requires_grad=False, training=False)
    assert len(cases) >= (MODULES[name][2] if PINNED else 1)

    def check(case):
        m = case.module_error_input
        module = info.module_cls(*m.constructor_input.args, **m.constructor_input.kwargs)
        kwargs = {k: getattr(module, k) for k in MODULES[name][3]}
        refused(module, lambda *a: ours(*a, **kwargs), m.forward_input.args)

    each([(c,) for c in cases], check)


# ---- what these tables leave out ------------------------------------------------------------------------------------

def T(*x, dtype=torch.float64): return torch.tensor(x if len(x) != 1 else x[0], dtype=dtype)
def rand(*shape, seed=0): return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
def unit(*shape, seed=0): return rand(*shape, seed=seed).sigmoid()
def labels(*shape, k=3, seed=0): return torch.randint(0, k, shape, generator=torch.Generator().manual_seed(seed))


SPECIAL = torch.cartesian_prod(*[T([INF, -INF, NAN, 0., 1., -1e4])]*3)  # every row of three such scores
ROWS = {"all -inf": T([[-INF]*3, [0., 1., 2.]]), "one -inf": T([[-INF, 0., 1.], [2., -INF, 0.]]), "+inf": T([[INF, 0., 1.], [0., 1., 2.]]),
        "nan": T([[NAN, 0., 1.], [0., 1., 2.]]), "large": T([[1e4, -1e4, 0.], [1e300, 0., -1e300]]), "equal": torch.zeros(2, 3).double()}
W = T([0.5, 2., 1.5])
PROBS = {"exact": T([[0.2, 0.3, 0.5], [1., 0., 0.]]), "off the simplex": T([[-0.5, 2., 3.], [0., 0., 0.]])}

HOLES = {}
for f, t in ((logsumexp, torch.logsumexp), (softmax, torch.softmax), (log_softmax, torch.log_softmax)):
    n = f.__name__
    HOLES[f"{n} every row of special values"] = f, t, (SPECIAL, 1), {}
    HOLES[f"{n} float32 rows of special values"] = f, t, (SPECIAL.float(), -1), {}
    HOLES[f"{n} not contiguous"] = f, t, (rand(4, 3, 2).transpose(0, 2)[:, ::2], 1), {}
for d in ((0, 1), (-1, 0), [0, 2], (1,), (0, 1, 2)):
    for keep in (False, True): HOLES[f"logsumexp dim {d} keepdim {keep}"] = logsumexp, torch.logsumexp, (rand(2, 3, 4), d, keep), {}
HOLES["logsumexp over several dims of nothing"] = logsumexp, torch.logsumexp, (rand(2, 0, 3), (0, 1)), {}
HOLES["logsumexp dim () of a scalar"] = logsumexp, torch.logsumexp, (rand(), ()), {}
HOLES["logsumexp dim () keepdim"] = logsumexp, torch.logsumexp, (rand(2, 3), (), True), {}

for red in ("mean", "sum", "none"):
    for name, rows in ROWS.items():
        HOLES[f"cross_entropy {red} rows {name}"] = cross_entropy, F.cross_entropy, (rows, T([0, 2], dtype=torch.int64)), dict(reduction=red)
        HOLES[f"cross_entropy {red} ignored rows {name}"] = cross_entropy, F.cross_entropy, (rows, T([-100, 2], dtype=torch.int64)), dict(reduction=red)
        HOLES[f"cross_entropy {red} probabilities, rows {name}"] = cross_entropy, F.cross_entropy, (rows, PROBS["exact"]), dict(reduction=red)
        HOLES[f"cross_entropy {red} smoothing, rows {name}"] = cross_entropy, F.cross_entropy, (rows, T([0, 2], dtype=torch.int64)), dict(reduction=red, label_smoothing=0.1)
        HOLES[f"nll_loss {red} rows {name}"] = nll_loss, F.nll_loss, (rows, T([0, 1], dtype=torch.int64)), dict(reduction=red)
        HOLES[f"nll_loss {red} weight 0, rows {name}"] = nll_loss, F.nll_loss, (rows, T([0, 1], dtype=torch.int64)), dict(reduction=red, weight=T([0., 1., 1.]))
        HOLES[f"cross_entropy {red} weight 0, rows {name}"] = cross_entropy, F.cross_entropy, (rows, T([0, 1], dtype=torch.int64)), dict(reduction=red, weight=T([0., 1., 1.]))
    for w in (None, W):
        named = "" if w is None else " weighted"
        for p, target in PROBS.items():
            for eps in (0., 0.2):
                kw = dict(reduction=red, weight=w, label_smoothing=eps)
                HOLES[f"cross_entropy {red}{named} probabilities {p} smoothing {eps}"] = cross_entropy, F.cross_entropy, (rand(2, 3), target), kw
        for shape in ((3,), (2, 3), (2, 3, 4), (2, 3, 2, 2), (2, 3, 1, 2, 2)):
            for eps in (0., 0.2):
                kw = dict(reduction=red, weight=w, label_smoothing=eps)
                HOLES[f"cross_entropy {red}{named} probabilities {shape} smoothing {eps}"] = cross_entropy, F.cross_entropy, (rand(*shape), unit(*shape, seed=1).requires_grad_()), kw
            index = labels(*shape[:1], *shape[2:]) if len(shape) > 1 else labels()
            for f, t in ((nll_loss, F.nll_loss), (cross_entropy, F.cross_entropy), (fused_cross_entropy, F.cross_entropy)):
                HOLES[f"{f.__name__} {red}{named} {shape}"] = f, t, (rand(*shape), index), dict(reduction=red, weight=w)
                HOLES[f"{f.__name__} {red}{named} {shape} all ignored"] = f, t, (rand(*shape), torch.full_like(index, 9)), dict(reduction=red, weight=w, ignore_index=9)
        for shape in ((0, 3), (0, 3, 2), (2, 3, 0)):
            index = labels(shape[0], *shape[2:])
            for f, t in ((nll_loss, F.nll_loss), (cross_entropy, F.cross_entropy), (fused_cross_entropy, F.cross_entropy)):
                HOLES[f"{f.__name__} {red}{named} empty {shape}"] = f, t, (rand(*shape), index), dict(reduction=red, weight=w)
    for f, t in ((nll_loss, F.nll_loss), (cross_entropy, F.cross_entropy), (fused_cross_entropy, F.cross_entropy)):
        HOLES[f"{f.__name__} {red} all weights 0"] = f, t, (rand(4, 3), labels(4)), dict(reduction=red, weight=T([0., 0., 0.]))
        HOLES[f"{f.__name__} {red} negative weight"] = f, t, (rand(4, 3), labels(4)), dict(reduction=red, weight=T([-1., 2., 0.5]))
        HOLES[f"{f.__name__} {red} uint8 labels"] = f, t, (rand(4, 3), labels(4).to(torch.uint8)), dict(reduction=red)
        HOLES[f"{f.__name__} {red} ignore a class"] = f, t, (rand(4, 3), T([0, 1, 2, 1], dtype=torch.int64)), dict(reduction=red, ignore_index=1, weight=W)

    ends = T([0., 1e-300, 1e-13, 0.3, 1 - 1e-12, 1.])
    p, t = torch.cartesian_prod(ends, ends).T
    HOLES[f"binary_cross_entropy {red} both ends"] = binary_cross_entropy, F.binary_cross_entropy, (p, t), dict(reduction=red)
    HOLES[f"binary_cross_entropy {red} both ends, float32"] = binary_cross_entropy, F.binary_cross_entropy, (p.float(), t.float()), dict(reduction=red)
    HOLES[f"binary_cross_entropy {red} float32 target of a class"] = binary_cross_entropy, F.binary_cross_entropy, (unit(3, 2).float(), labels(3, 2, k=2).float()), dict(reduction=red)
    far = T([0., 1e-6, 1., 17., 40., 1e4, 1e300, INF])
    z, t = torch.cartesian_prod(torch.cat([far, -far, T([NAN])]), T([0., 0.3, 1., -0.5, 2.])).T
    for w in (None, T(0.), T(0.5), T(3.), T(-1.)):
        HOLES[f"with_logits {red} any size, pos_weight {w}"] = binary_cross_entropy_with_logits, F.binary_cross_entropy_with_logits, (z, t), dict(reduction=red, pos_weight=w)
    HOLES[f"with_logits {red} pos_weight over channels"] = binary_cross_entropy_with_logits, F.binary_cross_entropy_with_logits, (rand(2, 3, 4, 4), unit(2, 3, 4, 4)), dict(reduction=red, pos_weight=W[:, None, None])
    HOLES[f"with_logits {red} integer weights"] = binary_cross_entropy_with_logits, F.binary_cross_entropy_with_logits, (rand(2, 3), unit(2, 3)), dict(reduction=red, pos_weight=torch.tensor([1, 2, 3]), weight=torch.tensor([3, 2, 1]))
    for a, b in ((torch.float32, torch.float64), (torch.float64, torch.float32)):
        HOLES[f"with_logits {red} {ids(a)} logits, {ids(b)} target"] = binary_cross_entropy_with_logits, F.binary_cross_entropy_with_logits, (rand(2, 3).to(a), unit(2, 3).to(b)), dict(reduction=red, pos_weight=W)


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("case", HOLES)
def test_holes(case):
    ours, theirs, args, kwargs = HOLES[case]
    compare(ours, theirs, args, kwargs, grad=None if any(getattr(a, "requires_grad", False) for a in args) else True)


@pytest.mark.parametrize("dtype, tol", [(torch.float32, 1e-6), (torch.float64, 1e-14)], ids=ids)
def test_gradient_of_logsumexp_at_large_scores(dtype, tol):
    "Ours is the softmax to rounding; torch's exp(x - lse) is not, since lse is rounded: the one place where they part"
    x = torch.tensor([[1e4, 1e4, 9999.], [-1e4, -1e4, -10001.], [1e300 if dtype == torch.float64 else 1e30]*3], dtype=dtype, requires_grad=True)
    mine, = torch.autograd.grad(logsumexp(x, 1).sum(), x)
    exact = torch.softmax(x.detach().double(), 1).to(dtype)
    assert_close(mine, exact, rtol=tol, atol=0)
    assert_close(mine.sum(1), torch.ones(3, dtype=dtype), rtol=tol, atol=0)


def test_gradient_of_a_binary_target():
    "It is that of the value; torch's is that of logs without a floor, infinite at 0 and 1"
    p, t = torch.cartesian_prod(T([0., 1e-300, 1e-40, 0.3, 1 - 1e-12, 1.]), T([0., 0.3, 1.])).T.contiguous()
    t = t.clone().requires_grad_()
    def slope(fn): return torch.autograd.grad(fn(p, t, reduction="sum"), t)[0]
    yes, no = (binary_cross_entropy(p, torch.full_like(p, o), reduction="none") for o in (1., 0.))
    assert_close(slope(binary_cross_entropy), yes - no)
    usual = (p > 1e-43) & (p < 1)
    assert_close(slope(binary_cross_entropy)[usual], slope(F.binary_cross_entropy)[usual])


def test_documented_exception():
    "A negative smoothing, which torch silently ignores, is refused"
    for fn in (cross_entropy, fused_cross_entropy):
        for eps in (-0.1, 1.1, NAN):
            with pytest.raises(ArgumentError): fn(rand(2, 3), labels(2), label_smoothing=eps)


# ---- what torch refuses, ours refuses --------------------------------------------------------

REFUSALS = (ValueError, IndexError, TypeError, RuntimeError)


def refused(theirs, ours, args, kwargs={}):
    "Both raise: ours its own error, or torch's where torch raises by itself"
    with pytest.raises(REFUSALS): theirs(*args, **kwargs)
    with pytest.raises(REFUSALS): ours(*args, **kwargs)


REFUSED = {}  # what would otherwise be broadcast, counted wrongly or answered with a wrong mean
SOFT = ((logsumexp, torch.logsumexp), (softmax, torch.softmax), (log_softmax, torch.log_softmax))
CLASSES = ((nll_loss, F.nll_loss), (cross_entropy, F.cross_entropy), (fused_cross_entropy, F.cross_entropy))
BINARY = ((binary_cross_entropy, F.binary_cross_entropy),
          (binary_cross_entropy_with_logits, F.binary_cross_entropy_with_logits))
for f, t in SOFT:
    for d in (2, -3): REFUSED[f"{f.__name__} dim {d}"] = f, t, (rand(2, 3), d), {}
for d in ((0, 0), (0, -2), (0, 5)):
    REFUSED[f"logsumexp dim {d}"] = logsumexp, torch.logsumexp, (rand(2, 3), d), {}
for f, t in SOFT[1:]:
    for d in INTS + COMPLEX:
        REFUSED[f"{f.__name__} of {ids(d)}"] = f, t, (torch.ones(2, 3, dtype=d), 0), {}
for f, t in CLASSES:
    n, x = f.__name__, rand(2, 3)
    for label in (3, -1, 100, -2**40):
        REFUSED[f"{n} class {label}"] = f, t, (x, torch.tensor([0, label])), {}
    REFUSED[f"{n} class 3 in 3-d"] = f, t, (rand(2, 3, 2), torch.tensor([[0, 1], [2, 3]])), {}
    for shape in ((3,), (2, 1), (1, 2), ()):
        REFUSED[f"{n} target of shape {shape}"] = f, t, (x, labels(*shape)), {}
    REFUSED[f"{n} 3-d target of shape (2, 4)"] = f, t, (rand(2, 3, 5), labels(2, 4)), {}
    for d in (torch.int32, torch.bool, torch.float32):
        REFUSED[f"{n} labels of {ids(d)}"] = f, t, (x, labels(2).to(d)), {}
    for w in (2, 4, (3, 1)):
        kw = dict(weight=torch.ones(w, dtype=torch.float64))
        REFUSED[f"{n} weight of shape {w}"] = f, t, (x, labels(2)), kw
    REFUSED[f"{n} reduction 'avg'"] = f, t, (x, labels(2)), dict(reduction="avg")
    for d in INTS + COMPLEX: REFUSED[f"{n} of {ids(d)}"] = f, t, (x.to(d), labels(2)), {}
REFUSED["cross_entropy probabilities with ignore_index"] = \
    cross_entropy, F.cross_entropy, (rand(2, 3), unit(2, 3)), dict(ignore_index=1)
REFUSED["cross_entropy probabilities with a short weight"] = \
    cross_entropy, F.cross_entropy, (rand(2, 3), unit(2, 3)), dict(weight=W[:2])
for f, t in BINARY:
    n, p, y = f.__name__, unit(2, 3), unit(2, 3, seed=1)
    for shape in ((3,), (2, 1), (1, 3), (2, 3, 1), (3, 2), ()):
        REFUSED[f"{n} target of shape {shape}"] = f, t, (p, unit(*shape)), {}
    for w in ((2,), (4,), (4, 2, 3), (1, 2, 3), (2, 0)):
        REFUSED[f"{n} weight of shape {w}"] = f, t, (p, y), dict(weight=torch.rand(w).double())
    REFUSED[f"{n} reduction 'avg'"] = f, t, (p, y), dict(reduction="avg")
    for d in (torch.int64, torch.bool):
        REFUSED[f"{n} target of {ids(d)}"] = f, t, (p, labels(2, 3, k=2).to(d)), {}
REFUSED["binary_cross_entropy of int64"] = *BINARY[0], (labels(4, k=2), labels(4, k=2)), {}
for bad in (-1e-6, 1.0001, NAN, INF, -INF):
    good = T([0.5, 0.5])
    for what, args in (("input", (T([0.5, bad]), good)), ("target", (good, T([bad, 0.5])))):
        REFUSED[f"binary_cross_entropy {what} {bad}"] = *BINARY[0], args, {}
for w in ((2,), (4,), (4, 2, 3), (1, 2, 3)):
    kw = dict(pos_weight=torch.rand(w).double())
    REFUSED[f"with_logits pos_weight of shape {w}"] = *BINARY[1], (rand(2, 3), unit(2, 3)), kw


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case):
    ours, theirs, args, kwargs = REFUSED[case]
    refused(theirs, ours, args, kwargs)


# ---- the comparisons can fail ---------------------------------------------------------------------------------------

def doubled_slope(y): return y + (y - y.detach())
FAULTS = {
    "value": lambda fn: lambda *a, **k: fn(*a, **k)*1.001 + 0.001,
    "gradient": lambda fn: lambda *a, **k: doubled_slope(fn(*a, **k)),
    "dtype": lambda fn: lambda *a, **k: fn(*a, **k).to(torch.float64 if a[0].dtype != torch.float64 else torch.float32),
    "shape": lambda fn: lambda *a, **k: fn(*a, **k)[None],
    "nan made zero": lambda fn: lambda *a, **k: fn(*a, **k).nan_to_num(0., INF, -INF),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("key", [k for k in OPS if not k[1]], ids=ids)
def test_control_opinfo(internals, key, fault):
    "A loss with one fault does not pass"
    ours, theirs = OPS[key][:2]
    samples = op_samples(internals, key, torch.float32)
    if fault == "nan made zero": samples = [(h[2], h[3]) for h in HOLES.values() if h[0] is ours and math.isnan(h[1](*h[2], **h[3]).detach().sum())]
    broken = FAULTS[fault](ours)
    with pytest.raises(AssertionError): each(samples, lambda args, kwargs: compare(broken, theirs, args, kwargs))


@pytest.mark.parametrize("name", MODULES)
def test_control_moduleinfo(internals, name):
    "A loss that forgets one argument does not pass"
    ours = MODULES[name][0]
    forgotten = [k for k in MODULES[name][3] if k != "pos_weight"]  # ModuleInfo has no pos_weight
    for k in forgotten:
        with pytest.raises(AssertionError):
            each(module_samples(internals, name, torch.float64),
                 lambda module, kwargs, args: compare(lambda *a: ours(*a, **{n: v for n, v in kwargs.items() if n != k}), module, args))


def test_control_refusals():
    "A function that accepts everything does not pass, and torch must refuse too"
    def lax(*_): return torch.zeros(())
    for theirs, ours in ((torch.softmax, lax), (lax, softmax)):
        with pytest.raises(pytest.fail.Exception): refused(theirs, ours, (rand(2, 3), 2))


# ---- written out here -----------------------------------------------------------------------------------------------


class Ops(TorchDispatchMode):
    "Notes the name of every kernel that is called"
    def __init__(self):
        super().__init__()
        self.names = set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.names.add(str(func).split(".")[1])
        return func(*args, **(kwargs or {}))


KERNELS = re.compile(r"softmax|logsumexp|logaddexp|cumsumexp|softplus|sigmoid_forward|log_sigmoid|cross_entropy|nll_loss|xlogy")
CALLS = {
    softmax: (rand(2, 3), 1), log_softmax: (rand(2, 3), 1), logsumexp: (rand(2, 3), 1), nll_loss: (rand(2, 3), labels(2)),
    cross_entropy: (rand(2, 3), labels(2)), fused_cross_entropy: (rand(2, 3), labels(2)), binary_cross_entropy: (unit(2, 3), unit(2, 3)),
    binary_cross_entropy_with_logits: (rand(2, 3), unit(2, 3)),
}


def kernels(fn, args):
    x = args[0].clone().requires_grad_()
    with Ops() as seen: torch.autograd.grad(fn(x, *args[1:]).sum(), x)
    assert len(seen.names) > 1
    return {n for n in seen.names if KERNELS.search(n)}


@pytest.mark.parametrize("fn", CALLS, ids=lambda f: f.__name__)
def test_no_borrowed_kernel_runs(fn):
    "Forward and backward, whatever the source looks like; and torch's own function of that name is seen by the same eye"
    assert kernels(fn, CALLS[fn]) == set()
    theirs = getattr(F, fn.__name__.removeprefix("fused_"), None) or getattr(torch, fn.__name__)
    assert kernels(theirs, CALLS[fn])
