"Laws of the tape: gradients are autograd's over random graphs, uses add up, shapes are kept."
import gc, random, weakref

import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close

from minitrain.backprop import Value, finite_difference
from minitrain.core import ArgumentError

EXACT = dict(rtol=0, atol=1e-12)
SHAPES = (), (1,), (3,), (4, 1), (1, 3), (4, 3), (3, 3)
LEAVES = len(SHAPES)


def numbers(shape, seed, dtype=torch.float64):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)).to(dtype)


def shape_of(v): return tuple(getattr(v, "data", v).shape)


def fits(a, b):
    pairs = zip(reversed(shape_of(a)), reversed(shape_of(b)))
    return all(m == n or 1 in (m, n) for m, n in pairs)


def wander(leaves, seed, steps=25):
    """A random graph over `leaves`, Values or tensors alike; values are used any number of
    times, and shapes broadcast. Returns one number."""
    r, vs = random.Random(seed), list(leaves)
    for _ in range(steps):
        a = r.choice(vs)
        b = r.choice([v for v in vs if fits(a, v)])
        two_d = [v for v in vs if len(shape_of(v)) == 2]
        op = r.choice(["+", "*", "@", "relu", "log_softmax", "mean", "sum", "-", "number"])
        if op == "@":
            pairs = [(u, v) for u in two_d for v in two_d
                if shape_of(u)[1] == shape_of(v)[0]]
            u, v = r.choice(pairs)
            vs.append((u @ v)*0.3)
        elif op == "+": vs.append(a + b)
        elif op == "*": vs.append((a*b)*0.5)
        elif op == "-": vs.append(-a)
        elif op == "number": vs.append(2*a + 1)
        elif op == "relu": vs.append(a.relu())
        elif op == "log_softmax": vs.append(r.choice(two_d).log_softmax(r.choice([0, 1])))
        else: vs.append(getattr(a, op)())
    total = vs[-1].mean()
    for v in vs[-4:-1] + vs[:LEAVES]: total = total + v.mean()*0.7
    return total.sum()


def gradients(seed, steps=25):
    "Of one random graph: (ours, torch's), the result first and then each leaf's gradient"
    data = [numbers(shape, seed + i) for i, shape in enumerate(SHAPES)]
    ours, theirs = [Value(o) for o in data], [o.clone().requires_grad_() for o in data]
    a, b = wander(ours, seed, steps), wander(theirs, seed, steps)
    a.backward()
    b.backward()
    return [a.data, *(v.grad for v in ours)], [b.detach(), *(t.grad for t in theirs)]


def gap(seed):
    "Largest difference of a random graph's gradients, relative to their size"
    ours, theirs = gradients(seed)
    return max(((a - b).abs()/b.abs().clamp(min=1)).max().item()
        for a, b in zip(ours, theirs))


@pytest.mark.parametrize("seed", range(0, 600, 10))
def test_random_graphs_have_autograds_gradients(seed):
    ours, theirs = gradients(seed)
    assert [o.shape for o in ours] == [o.shape for o in theirs]
    assert {o.dtype for o in ours} == {torch.float64}
    assert gap(seed) <= 1e-12


def test_the_law_of_graphs_can_fail(monkeypatch):
    "Controls: a walk in another order, and a wrong way back"
    seeds = range(0, 100, 10)
    tape = Value.tape
    def first_come(self):
        "From the end, each value when it is first met"
        found, todo = [], [self]
        while todo:
            v = todo.pop(0)
            if v not in found:
                found.append(v)
                todo += [p for p, _ in v.parents]
        return found[::-1]
    monkeypatch.setattr(Value, "tape", first_come)
    assert max(map(gap, seeds)) > 1e-3
    monkeypatch.setattr(Value, "tape", tape)
    monkeypatch.setattr(Value, "relu",
        lambda v: Value(v.data.relu(), [(v, lambda g: g)]))
    assert max(map(gap, seeds)) > 1e-3


# ----------------------------------------------------------------- single operations

@pytest.mark.parametrize("a, b", [((4, 3), (3,)), ((4, 3), (4, 1)), ((1, 3), (4, 1)),
    ((), (4, 3)), ((2, 4, 3), (1, 3)), ((3,), (3,))])
def test_what_broadcasting_copied_is_added_up(a, b):
    x, y = Value(numbers(a, 1)), Value(numbers(b, 2))
    (x + y).sum().backward()
    copies = torch.broadcast_shapes(a, b).numel()
    for v in (x, y):
        assert_close(v.grad, torch.full_like(v.data, copies/max(1, v.data.numel())))
    x.grad = y.grad = None
    (x*y).sum().backward()
    t, u = x.data.clone().requires_grad_(), y.data.clone().requires_grad_()
    (t*u).sum().backward()
    assert_close((x.grad, y.grad), (t.grad, u.grad), **EXACT)


@pytest.mark.parametrize("a, b", [((4, 3), (3, 2)), ((2, 4, 3), (3, 2)),
    ((4, 3), (2, 3, 5)), ((2, 4, 3), (2, 3, 5)), ((1, 3), (3, 1))])
def test_matrix_products_of_batches_too(a, b):
    x, y = Value(numbers(a, 1)), Value(numbers(b, 2))
    z = x @ y
    g = numbers(z.data.shape, 3)
    (z*Value(g)).sum().backward()
    t, u = x.data.clone().requires_grad_(), y.data.clone().requires_grad_()
    assert_close((x.grad, y.grad), torch.autograd.grad(t @ u, (t, u), g), **EXACT)


@pytest.mark.parametrize("size", [1., 50., 1e4])
def test_cross_entropy_of_scores_of_any_size(size):
    z, y = Value(numbers((6, 5), 1)*size), torch.tensor([0, 4, 4, 2, 1, 0])
    loss = -z.log_softmax().pick(y).mean()
    loss.backward()
    t = z.data.clone().requires_grad_()
    want = F.cross_entropy(t, y)
    assert_close((loss.data, z.grad), (want.detach(), torch.autograd.grad(want, t)[0]),
        rtol=1e-14, atol=1e-14)


def test_float32_stays_float32_and_numbers_are_exact():
    v = Value(numbers((4, 3), 1, torch.float32))
    (v*2 + 1).mean().backward()
    assert v.grad.dtype == torch.float32 and v.grad.shape == (4, 3)
    w = Value(torch.tensor(1., dtype=torch.float64))
    (w*0.1).backward()
    assert w.grad.item() == 0.1, "0.1 is not rounded to float32 on its way"


# -------------------------------------------------------------------- uses, and zeroing

def test_a_value_used_twice():
    a = Value(torch.tensor(3.))
    (2*a + a*a).backward()
    assert a.grad.item() == 8
    one, v = (o := Value(1.)), o
    for _ in range(200): v = v + v*0
    v.backward()  # 2**200 paths
    assert len(v.tape()) == 601 and one.grad.item() == 1


def test_leaves_add_up_from_call_to_call_and_nothing_else_does():
    x, w = numbers((5, 4), 1), Value(numbers((4, 3), 2))
    h = (Value(x) @ w).relu()
    first, second = h.mean(), (h*h).sum()
    first.backward()
    once = w.grad
    first.backward()
    assert_close(w.grad, 2*once, **EXACT)
    w.grad = None
    first.backward()
    second.backward()  # by way of `h`, which `first` has left its gradient in
    t = w.data.clone().requires_grad_()
    h = (x @ t).relu()
    (h.mean() + (h*h).sum()).backward()
    assert_close(w.grad, t.grad, **EXACT)


def test_no_two_gradients_share_memory():
    a, b = Value(numbers((3,), 1)), Value(numbers((3,), 2))
    (a + b).sum().backward()
    a.grad.zero_()
    assert_close(b.grad, torch.ones(3).double())


def test_a_graph_goes_with_its_result():
    "Without a garbage collection: nothing points from a value to what was made of it"
    w = Value(numbers((4, 3), 1))
    gc.disable()
    try:
        loss = (w*w).log_softmax().mean()
        middle = weakref.ref(loss.tape()[2])
        loss.backward()
        assert middle() is not None
        del loss
        assert middle() is None
    finally: gc.enable()


# ------------------------------------------------------------------------ silent errors

@pytest.mark.parametrize("wrong, name", [
    (lambda v: v.backward(), "self"),  # not a number: whose gradient?
    (lambda v: v.pick(torch.tensor([0, 1])), "y"),  # fewer labels than rows
    (lambda v: Value(torch.tensor([1, 2])), "data")])
def test_what_would_be_silently_wrong(wrong, name):
    with pytest.raises(ArgumentError, match=f"`{name}`"): wrong(Value(numbers((4, 3), 1)))


@pytest.mark.parametrize("y", [torch.tensor([0, 1, 2, 3]), torch.tensor([0, -1, 0, 0]),
    torch.tensor([[0], [1], [2], [0]])])
def test_labels_that_are_none(y):
    with pytest.raises((RuntimeError, IndexError)): Value(numbers((4, 3), 1)).pick(y)


# -------------------------------------------------------------------- finite differences

def test_finite_differences():
    x = numbers((3, 4), 1)
    assert_close(finite_difference(lambda v: (v**3).sum(), x), 3*x**2, rtol=0, atol=1e-8)
    calls = []
    def f(v):
        calls.append(v.dtype)
        return v.sum()
    g = finite_difference(f, x.float())
    assert g.shape == x.shape and g.dtype == torch.float64
    assert calls == [torch.float64]*24
    y = x.T  # not contiguous
    assert_close(finite_difference(lambda v: (v*y).sum(), y), y, rtol=0, atol=1e-8)
    assert finite_difference(lambda v: 3*v, torch.tensor(2.)).shape == ()
