"Laws of lesson 18: scales of weights, LSUV that ends and leaves no trace, blocks."
import math
import warnings
from functools import partial

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings, strategies as st
from torch import nn
from torch.testing import assert_close

from minitrain.core import def_device
from minitrain.init import (
    GeneralRelu, ResBlock, act_gr, conv, get_model, init_weights, lsuv_init)

torch.set_num_threads(1)
RNG = torch.get_rng_state


def batch(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("leaky", [0., 0.2, 1.])
@pytest.mark.parametrize("layer", [nn.Linear(400, 500), nn.Conv1d(40, 300, 5),
    nn.Conv2d(40, 300, 3), nn.Conv3d(20, 300, 3)], ids=lambda o: type(o).__name__)
def test_variance_of_weights(layer, leaky):
    torch.manual_seed(0)
    bias = layer.bias.detach().clone()
    init_weights(layer, leaky)
    n = layer.weight[0].numel()
    assert abs(layer.weight.var().item()*n*(1 + leaky**2)/2 - 1) < 0.03
    assert_close(layer.bias, bias)


def state(model): return {k: v.clone() for k, v in model.state_dict().items()}


def changed(model, kept):
    return [k for k, v in model.state_dict().items() if not torch.equal(v, kept[k])]


def test_init_weights_goes_through_a_model_and_leaves_other_layers_alone():
    model = nn.Sequential(nn.Linear(5, 5), nn.BatchNorm1d(5), nn.Embedding(3, 5),
        nn.ConvTranspose2d(2, 2, 3))
    kept = state(model)
    for slope in (math.inf, math.nan):  # would make all weights 0, or nan
        with pytest.raises(ValueError): model.apply(partial(init_weights, leaky=slope))
    assert changed(model, kept) == []
    model.apply(partial(init_weights, leaky=0.1))
    assert changed(model, kept) == ["0.weight"]


@pytest.mark.parametrize("act, leaky", [(F.relu, 0.),
    (partial(F.leaky_relu, negative_slope=0.3), 0.3)])
def test_fifty_layers_keep_their_size(act, leaky):
    torch.manual_seed(0)
    def last(scale):
        x = torch.randn(100, 400)
        for _ in range(50):
            layer = nn.Linear(400, 400, bias=False)
            init_weights(layer, leaky)
            x = act(scale*layer(x)).detach()
        return x.square().mean().item()
    assert 0.2 < last(1) < 5
    assert last(0.9) < 0.01  # control


@settings(max_examples=40, deadline=None)
@given(st.one_of(st.none(), st.floats(0, 1)), st.one_of(st.none(), st.floats(-1, 1)),
    st.one_of(st.none(), st.floats(0, 5)))
def test_general_relu_is_its_formula(leak, sub, maxv):
    x = batch(50).mul(4).requires_grad_()
    kept = x.detach().clone()
    y = GeneralRelu(leak, sub, maxv)(x)
    want = torch.where(kept > 0, kept, kept*(leak or 0)) - (sub or 0)
    assert_close(y, want if maxv is None else want.clamp(max=maxv))
    y.sum().backward()
    slope = torch.where(kept > 0, torch.ones(50), torch.full((50,), float(leak or 0)))
    if maxv is not None: slope = slope.where(want <= maxv, 0)
    assert_close(x.grad, slope)
    assert torch.equal(x, kept)


def test_act_gr_makes_a_module_each_time():
    a, b = act_gr(), act_gr()
    assert a is not b and repr(a) == "GeneralRelu(leak=0.1, sub=0.4)"


@pytest.mark.parametrize("norm, bias", [(None, True), (nn.BatchNorm2d, False),
    (partial(nn.BatchNorm2d, eps=1e-3), False), (nn.InstanceNorm2d, False),
    (lambda n: nn.GroupNorm(2, n), True)])
def test_bias_only_where_it_counts(norm, bias):
    def has(**kwargs): return conv(3, 8, norm=norm, **kwargs)[0].bias is not None
    assert (has(), has(bias=True), has(bias=False)) == (bias, True, False)


def test_an_activation_can_be_a_word():
    "As some of miniai's clients say it"
    def kinds(act): return [type(o) for o in conv(1, 8, act=act)]
    for act in (True, nn.ReLU): assert kinds(act) == [nn.Conv2d, nn.ReLU]
    for act in (False, None): assert kinds(act) == [nn.Conv2d]


@pytest.mark.parametrize("ks", [1, 3, 5])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("n", [1, 7, 8, 28])
def test_sizes(n, stride, ks):
    out = math.ceil(n/stride)
    assert conv(2, 4, ks, stride)(batch(2, 2, n, n)).shape == (2, 4, out, out)
    for ni in (2, 4):
        block = ResBlock(ni, 4, stride, ks)
        assert block(batch(2, ni, n, n)).shape == (2, 4, out, out)


def test_a_residual_block_wants_an_odd_kernel():
    with pytest.raises(ValueError, match="ks"): ResBlock(8, 8, ks=2)


def test_residual_block_is_a_sum():
    torch.manual_seed(0)
    x = batch(3, 4, 9, 9)
    for block in (ResBlock(4, 4), ResBlock(4, 6, 2, norm=nn.BatchNorm2d),
            ResBlock(4, 4, 2, act=nn.ReLU)):
        want = block.act(block.convs(x) + block.idconv(block.pool(x)))
        assert_close(block(x), want)
        for p in list(block.convs[-1].parameters()): nn.init.zeros_(p)
        assert_close(block(x), block.act(block.idconv(block.pool(x))))


def test_get_model_as_miniai_calls_it():
    for model in (get_model(), get_model(act_gr, norm=nn.BatchNorm2d),
            get_model(nfs=[1, 4, 8, 16, 32]),
            get_model(nn.ReLU, [1, 8, 16, 32, 64], nn.BatchNorm2d)):
        assert model(batch(4, 1, 28, 28).to(def_device)).shape == (4, 10)
        assert next(model.parameters()).device.type == torch.device(def_device).type
    assert get_model()[-2][0].bias is None


def layers(model, kind): return [m for m in model.modules() if isinstance(m, kind)]


def outputs(model, ms, x):
    seen = []
    def note(m, args, out): seen.append(out)
    handles = [m.register_forward_hook(note) for m in ms]
    with torch.no_grad(): model(x)
    for h in handles: h.remove()
    return seen


def test_lsuv_as_miniai_calls_it():
    torch.manual_seed(0)
    model, xb = get_model(act_gr).cpu(), batch(64, 1, 28, 28)
    acts = layers(model, GeneralRelu)
    for ms in zip(acts, layers(model, nn.Conv2d)): lsuv_init(model, *ms, xb)
    for out in outputs(model, acts, xb):
        assert abs(out.mean()) < 2e-3 and abs(out.std() - 1) < 2e-3


def test_lsuv_leaves_no_trace():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 8), nn.Dropout(0.3), act_gr(), nn.BatchNorm1d(8),
        nn.Dropout(0.5))
    model[1].eval()
    kept, modes, rng = state(model), [m.training for m in model.modules()], RNG()
    mean, std = lsuv_init(model, model[2], model[0], batch(100, 6))
    assert abs(mean) < 1e-3 and abs(std - 1) < 1e-3
    assert changed(model, kept) == ["0.weight", "0.bias"]
    assert modes == [m.training for m in model.modules()] and torch.equal(rng, RNG())
    assert not any(m._forward_hooks for m in model.modules())
    assert all(p.requires_grad and p.grad is None for p in model.parameters())


@pytest.mark.parametrize("act", [nn.ReLU, nn.Identity, act_gr])
def test_lsuv_without_a_bias(act):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 8, bias=False), act())
    mean, std = lsuv_init(model, model[1], model[0], batch(100, 6))
    assert abs(std - 1) < 1e-3 and abs(model(batch(100, 6)).std() - 1) < 2e-3


def test_lsuv_scales_only_where_the_mean_cannot_be_zero():
    torch.manual_seed(0)
    model, x = nn.Sequential(nn.Linear(6, 8), nn.GELU()), batch(100, 6)
    with pytest.warns(UserWarning): mean, std = lsuv_init(model, model[1], model[0], x)
    assert abs(std - 1) < 1e-3 < mean
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = nn.Sequential(nn.Linear(6, 8), nn.ReLU())
        mean, std = lsuv_init(model, model[1], model[0], x)
    assert abs(std - 1) < 1e-3 < mean


@pytest.mark.parametrize("between", [nn.BatchNorm1d(8), nn.LayerNorm(8), nn.Sigmoid()])
def test_lsuv_gives_up_with_a_word(between):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 8), between, nn.ReLU())
    kept = state(model)
    with pytest.warns(UserWarning, match="Linear"):
        lsuv_init(model, model[2], model[0], batch(100, 6))
    assert changed(model, kept) == []


def test_lsuv_on_the_normalisation_itself():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 8, bias=False), nn.BatchNorm1d(8), act_gr())
    mean, std = lsuv_init(model, model[2], model[1], batch(100, 6))
    assert abs(mean) < 1e-3 and abs(std - 1) < 1e-3
    assert model[1].num_batches_tracked == 0


def test_lsuv_where_there_is_nothing_to_scale():
    model, x = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 2)), batch(9, 6)
    nn.init.constant_(model[0].bias, -9.)
    kept = model[0].weight.detach().clone()
    with pytest.raises(ValueError): lsuv_init(model, model[1], model[0], x)  # zeros
    assert torch.equal(kept, model[0].weight)
    relu = nn.ReLU()
    twice = nn.Sequential(nn.Linear(6, 6), relu, nn.Linear(6, 6), relu)
    for net, m in ((model, nn.ReLU()), (twice, relu)):  # runs never, runs twice
        with pytest.raises(ValueError): lsuv_init(net, m, net[0], x)
    with pytest.raises(RuntimeError): lsuv_init(model, model[1], model[0], batch(9, 5))
    assert not any(m._forward_hooks for m in model.modules())


def test_a_convolution_before_our_own_batchnorm_has_no_bias():
    from minitrain.norm import BatchNorm
    assert conv(1, 8, norm=BatchNorm)[0].bias is None
