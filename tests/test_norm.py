"Laws of lesson 17: equal to torch's layers, weights that load both ways, dropout that keeps the mean."
import pytest
import torch
from torch import nn
from torch.testing import assert_close

from minitrain.core import ArgumentError
from minitrain.norm import BatchNorm, Dropout, LayerNorm, Standardize

PAIRS = [(BatchNorm, nn.BatchNorm1d, 5, (7, 5), {}), (BatchNorm, nn.BatchNorm1d, 5, (2, 5), dict(momentum=0.3)),
    (BatchNorm, nn.BatchNorm2d, 3, (4, 3, 6, 5), dict(eps=0.1)), (BatchNorm, nn.BatchNorm2d, 3, (1, 3, 2, 2), {}),
    (LayerNorm, nn.LayerNorm, 5, (7, 5), {}), (LayerNorm, nn.LayerNorm, (4, 5), (2, 3, 4, 5), dict(eps=0.1)), (LayerNorm, nn.LayerNorm, 5, (1, 5), {})]


@pytest.mark.parametrize("ours, theirs, size, shape, options", PAIRS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_as_torch(ours, theirs, size, shape, options, dtype):
    "Values, gradients of input and weights, running statistics; in training, then in evaluation"
    torch.manual_seed(0)
    a, b = ours(size, **options).to(dtype), theirs(size, **options).to(dtype)
    for p in a.parameters(): nn.init.normal_(p)
    b.load_state_dict(a.state_dict())
    for mode in (True, True, False):
        x = torch.randn(shape, dtype=dtype)*3 + 2
        xs = x.clone().requires_grad_(), x.clone().requires_grad_()
        g = torch.randn_like(x)
        outs = [m.train(mode)(o) for m, o in zip((a, b), xs)]
        for out in outs: out.backward(g)
        assert_close(*outs); assert_close(xs[0].grad, xs[1].grad)
        assert_close([p.grad for p in a.parameters()], [p.grad for p in b.parameters()])
        assert_close(dict(a.state_dict()), dict(b.state_dict()))
    ours(size, **options).to(dtype).load_state_dict(b.state_dict())


def test_one_value_a_feature():
    with pytest.raises(ValueError, match="more than one value"): BatchNorm(3)(torch.randn(1, 3))
    assert BatchNorm(3).eval()(torch.randn(1, 3)).isfinite().all()


def test_statistics_travel_with_the_weights():
    x = torch.randn(50, 4)*9 + 5
    a, b = Standardize(x), Standardize(torch.randn(9, 4))
    b.load_state_dict(a.state_dict())
    assert_close(a(x), b(x)); assert abs(a(x).mean()) < 1e-5 and abs(a(x).std() - 1) < 1e-5


@pytest.mark.parametrize("p", [0., 0.3, 0.5, 1.])
def test_dropout(p):
    torch.manual_seed(0)
    x = torch.full((200, 500), 2., requires_grad=True)
    layer, out = Dropout(p), Dropout(p)(x)
    assert abs((out == 0).float().mean() - p) < 0.01
    assert p == 1 or abs(out.mean() - 2) < 0.05
    out.sum().backward()
    assert torch.equal(x.grad*2, out) and layer.eval()(x) is x
    if 0 < p < 1: assert not torch.equal(Dropout(p)(x), out), "drawn anew"


def test_dropout_keeps_infinities_out():
    "A dropped infinity is a zero, not a nan"
    torch.manual_seed(0)
    out = Dropout(0.5)(torch.full((100,), torch.inf))
    assert not out.isnan().any() and (out == 0).any()


def test_inputs_that_are_all_the_same_have_no_scale():
    with pytest.raises(ArgumentError, match="`x`"): Standardize(torch.full((5,), 3.))
