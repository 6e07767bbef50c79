"""Laws of lesson 07: every rule is torch's step for step; states go both ways."""
import copy, io, os, pickle, subprocess, sys
from functools import partial

import pytest
import torch
from hypothesis import given, settings, strategies as st
from torch import optim
from torch.optim import lr_scheduler
from torch.testing import assert_close

from minitrain.core import ArgumentError
from minitrain.optim import SGD, Adam, AdamW, Momentum

torch.set_num_threads(1)


# ------------------------------------------------------------------- step for step

def walk(make, groups=({}, {}), steps=100, dtype=torch.float64,
        between=lambda opt, i: None):
    "All parameters after each step: random gradients, some missing, two groups"
    g = torch.Generator().manual_seed(0)
    params = [torch.randn(s, generator=g, dtype=dtype).requires_grad_()
        for s in ((3, 2), (4,), ())]
    opt = make([dict(params=params[:2], **groups[0]),
        dict(params=params[2:], **groups[1])])
    path = []
    for i in range(steps):
        opt.zero_grad()
        for j, p in enumerate(params):
            grad = torch.randn(p.shape, generator=g, dtype=dtype)*10.0**(i % 5 - 2)
            if (i + j) % 7: p.grad = grad
        opt.step()
        between(opt, i)
        path.append(torch.cat([p.detach().flatten().clone() for p in params]))
    return torch.stack(path), opt


def same(ours, theirs, groups=({}, {})):
    a, b = (walk(make, groups)[0] for make in (ours, theirs))
    assert torch.equal(a.isfinite(), b.isfinite())
    error = ((a - b).abs()/b.abs().clamp_min(1)).nan_to_num(0).max().item()
    assert error <= 1e-12, error


lr, decay = st.floats(1e-4, 0.3), st.sampled_from([0.0, 0.01, 0.5])
beta = st.floats(0, 0.999)
hyper = settings(deadline=None, max_examples=15)


@hyper
@given(st.sampled_from([SGD, Momentum]), lr, st.floats(0, 0.99), st.floats(-0.5, 1),
    decay, st.booleans(), st.floats(0.1, 0.9))
def test_sgd_and_momentum(ours, lr, mu, dampening, wd, nesterov, mu2):
    if nesterov: mu, dampening = max(mu, 0.1), 0
    kwargs = dict(lr=lr/10, momentum=mu, dampening=dampening, weight_decay=wd,
        nesterov=nesterov)
    same(partial(ours, **kwargs), partial(optim.SGD, **kwargs), ({}, dict(momentum=mu2)))


@hyper
@given(st.sampled_from([(Adam, optim.Adam), (AdamW, optim.AdamW)]), lr, beta, beta,
    st.sampled_from([1e-8, 1e-3, 0.1]), decay, lr, beta)
def test_adam_and_adamw(pair, lr, beta1, beta2, eps, wd, lr2, beta3):
    kwargs = dict(lr=lr, betas=(beta1, beta2), eps=eps, weight_decay=wd)
    other = dict(lr=lr2, betas=(beta3, 0.9), weight_decay=0.1)
    same(*(partial(o, **kwargs) for o in pair), ({}, other))


nesterov = dict(momentum=0.9, nesterov=True)
PAIRS = {"SGD": (SGD, optim.SGD),
    "SGD with decay": (partial(SGD, weight_decay=0.1),
        partial(optim.SGD, weight_decay=0.1)),
    "Momentum": (Momentum, partial(optim.SGD, momentum=0.9)),
    "Nesterov": (partial(Momentum, nesterov=True), partial(optim.SGD, **nesterov)),
    "Adam": (Adam, optim.Adam), "AdamW": (AdamW, optim.AdamW)}
both = pytest.mark.parametrize("ours, theirs", PAIRS.values(), ids=PAIRS)


@both
def test_defaults_are_torchs(ours, theirs):
    same(ours, theirs)
    p = torch.zeros(1, requires_grad=True)
    a, b = ours([p]).param_groups[0], theirs([p]).param_groups[0]
    assert all(b[k] == v for k, v in a.items() if k != "params")


def test_the_comparison_can_fail():
    with pytest.raises(AssertionError): same(Adam, optim.AdamW)
    with pytest.raises(AssertionError): same(Momentum, partial(optim.SGD, **nesterov))


@both
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_lower_precision_and_layout(ours, theirs, dtype):
    a, b = (walk(make, dtype=dtype)[0] for make in (ours, theirs))
    assert a.dtype == dtype
    assert_close(a, b)
    w = torch.randn(4, 6).T.requires_grad_()
    w.grad = torch.randn(6, 4)
    ours([w]).step()
    assert not w.is_contiguous()


@both
@pytest.mark.parametrize("sched", [
    partial(lr_scheduler.OneCycleLR, max_lr=0.1, total_steps=40),
    partial(lr_scheduler.CosineAnnealingLR, T_max=20),
    partial(lr_scheduler.LambdaLR, lr_lambda=lambda e: 0.9**e),
    partial(lr_scheduler.ReduceLROnPlateau, patience=2)], ids=lambda o: o.func.__name__)
def test_schedulers_of_torch(ours, theirs, sched):
    def run(make):
        scheds, lrs = [], []
        def scheduled(groups):
            scheds.append(sched(opt := make(groups)))
            return opt
        def between(opt, i):
            plateau = sched.func is lr_scheduler.ReduceLROnPlateau
            scheds[0].step(*([1.0] if plateau else []))
            lrs.append(opt.param_groups[0]["lr"])
        return walk(scheduled, steps=30, between=between)[0], lrs
    (a, lr_a), (b, lr_b) = run(ours), run(theirs)
    assert lr_a == lr_b and len(set(lr_a)) > 2
    assert_close(a, b, rtol=1e-12, atol=1e-12)


# --------------------------------------------------------------------------- state

OWN = {}, dict(lr=0.01)


def hand_over(first, then):
    "50 steps under one optimizer, 50 under another that loads its state"
    def between(opt, i):
        if i == 49:
            new = then([dict(params=g["params"]) for g in opt.param_groups])
            new.load_state_dict(pickle.loads(pickle.dumps(opt.state_dict())))
            opt.step = new.step
    return walk(first, OWN, between=between)[0]


@both
def test_states_go_both_ways(ours, theirs):
    want = walk(theirs, OWN)[0]
    for first, then in ((ours, ours), (ours, theirs), (theirs, ours)):
        assert_close(hand_over(first, then), want, rtol=1e-12, atol=1e-12)


@both
def test_a_state_survives_the_round_trip(ours, theirs):
    _, opt = walk(ours, OWN, steps=5)
    def loaded(make, state):
        new = make([dict(params=g["params"]) for g in opt.param_groups])
        for _ in range(2): new.load_state_dict(state)  # as often as one likes
        return new.state_dict()
    before = opt.state_dict()
    after = loaded(ours, loaded(theirs, before))
    assert before["state"].keys() == after["state"].keys()
    for k, v in before["state"].items():
        assert_close(v, after["state"][k], rtol=0, atol=0)
    for g, h in zip(before["param_groups"], after["param_groups"]):
        assert all(h[k] == v for k, v in g.items())
    torch.save(before, buffer := io.BytesIO())
    buffer.seek(0)
    torch.load(buffer, weights_only=True)
    copy.deepcopy(opt), pickle.loads(pickle.dumps(opt))


def test_the_state_of_another_rule_is_an_error():
    p = torch.zeros(2, requires_grad=True)
    ours = dict(sgd=SGD, adam=Adam, adamw=AdamW)
    others = dict(ours, momentum=Momentum, nesterov=partial(optim.SGD, **nesterov),
        amsgrad=partial(optim.Adam, amsgrad=True),
        maximize=partial(optim.SGD, maximize=True))
    allowed = {*zip(ours, ours), ("momentum", "sgd"), ("nesterov", "sgd")}
    for name, source in others.items():
        for kind, make in ours.items():
            fresh, state = make([p]), source([p]).state_dict()
            if (name, kind) in allowed: fresh.load_state_dict(state)
            else:
                with pytest.raises(ArgumentError): fresh.load_state_dict(state)
                assert fresh.state_dict() == make([p]).state_dict()


# ----------------------------------------------------------------------- interface

@both
def test_missing_gradients_are_skipped_and_zeros_are_not(ours, theirs):
    p, q = torch.ones(2, requires_grad=True), torch.ones(2, requires_grad=True)
    opt = ours([p, q])
    p.grad = torch.ones(2)
    opt.step()
    assert (p < 1).all() and (q == 1).all() and q not in opt.state
    grad = p.grad
    opt.zero_grad(set_to_none=False)
    assert p.grad.data_ptr() == grad.data_ptr() and (p.grad == 0).all()
    assert q.grad is None
    opt.zero_grad()
    assert p.grad is None


@both
def test_closure_and_hooks(ours, theirs):
    p, calls = torch.ones(1, requires_grad=True), []
    opt = ours([p])
    opt.register_step_pre_hook(lambda *a: calls.append("pre"))
    opt.register_step_post_hook(lambda *a: calls.append("post"))
    def closure():
        assert torch.is_grad_enabled()
        calls.append("closure")
        loss = (p**2).sum()
        loss.backward()
        return loss
    with torch.no_grad(): assert opt.step(closure).item() == 1
    assert p < 1 and calls == ["pre", "closure", "post"]
    assert p.requires_grad and isinstance(opt, optim.Optimizer)


@pytest.mark.parametrize("pair, kwargs", [("SGD", dict(lr=-1)),
    ("SGD", dict(weight_decay=-1)), ("Momentum", dict(momentum=-0.1)),
    ("Nesterov", dict(dampening=0.1)), ("Adam", dict(betas=(0.9, 1.0))),
    ("Adam", dict(betas=(-0.1, 0.9))), ("AdamW", dict(eps=-1))])
def test_what_torch_does_not_take(pair, kwargs):
    for make in PAIRS[pair]:
        with pytest.raises(ValueError): make([torch.zeros(1)], **kwargs)
    with pytest.raises(ValueError): PAIRS[pair][0]([dict(params=torch.zeros(1), **kwargs)])


@pytest.mark.parametrize("params, word", [([], "empty parameter list"),
    ([torch.zeros(2, dtype=torch.complex64)], "real")])
def test_parameters_that_no_rule_can_move(params, word):
    with pytest.raises(ValueError, match=word): Adam(params)


def test_the_compiler_is_not_imported():
    code = ("import sys, torch; from minitrain.optim import *\n"
        "p = torch.ones(1, requires_grad=True)\n"
        "for kind in (SGD, Momentum, Adam, AdamW):\n"
        "    o = kind([p]); p.sum().backward(); o.step(); o.zero_grad()\n"
        "    o.load_state_dict(o.state_dict())\n"
        "print('torch._dynamo' in sys.modules)")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True,
        env=dict(os.environ, OMP_NUM_THREADS="1"))
    assert done.stdout == "False\n", done.stdout + done.stderr
