"""Laws of lesson 24: attention is torch's in value and slope, no future leaks, masks mean what they say, and other people's blocks fit in ours."""
import pickle
from copy import deepcopy
from functools import partial

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings, strategies as st
from torch import nn
from torch.testing import assert_close

from foreign import theirs as vit_pytorch
from minitrain.attention import (
    Attention, TransformerBlock, attention, attention_weights, block_cost,
    causal_mask)
from minitrain.diagnose import summary

torch.set_num_threads(1)
SIZE = st.integers(1, 6)


def gen(seed=0): return torch.Generator().manual_seed(seed)
def randn(*shape, seed=0, dtype=None): return torch.randn(*shape, generator=gen(seed), dtype=dtype)


def slopes(f, *inputs):
    x = [o.detach().clone().requires_grad_() for o in inputs]
    y = f(*x)
    return y, *torch.autograd.grad(y.sin().sum(), x)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 3), max_size=3), SIZE, SIZE, SIZE, SIZE, st.sampled_from(["none", "two", "all", "broadcast"]), st.floats(0.05, 3), st.integers(0, 99))
def test_equals_torch_in_value_and_slope(lead, n, m, d, e, kind, scale, seed):
    q, k, v = (randn(*lead, *s, seed=seed + i, dtype=torch.float64) for i, s in enumerate(((n, d), (m, d), (m, e))))
    shape = dict(none=None, two=(n, m), all=(*lead, n, m), broadcast=(*[1]*len(lead), 1, m))[kind]
    mask = None if shape is None else torch.rand(shape, generator=gen(seed)) < 0.6  # rows that see nothing come up often
    ours = slopes(lambda *o: attention(*o, mask, scale), q, k, v)
    theirs = slopes(lambda *o: F.scaled_dot_product_attention(*o, attn_mask=mask, scale=scale), q, k, v)
    for a, b in zip(ours, theirs): assert_close(a, b, atol=1e-9, rtol=1e-7)
    w = attention_weights(q, k, mask, scale)
    seen = torch.ones_like(w, dtype=torch.bool) if mask is None else mask.expand_as(w)
    assert w.min() >= 0 if w.numel() else True
    assert not w[~seen].any()
    assert_close(w.sum(-1), seen.any(-1).to(w))


def test_no_keys_give_nothing():
    assert_close(attention(randn(3, 4), randn(0, 4), randn(0, 2)), torch.zeros(3, 2))
    assert attention(randn(0, 4), randn(5, 4), randn(5, 2)).shape == (0, 2)
    assert causal_mask(0).shape == (0, 0)


@pytest.mark.parametrize("dtype, atol", [(torch.bfloat16, 2e-2), (torch.float16, 3e-3), (torch.float32, 1e-6), (torch.float64, 1e-14)])
def test_dtype_stays(dtype, atol):
    q, k, v = (randn(2, 5, 8, seed=i, dtype=torch.float64) for i in range(3))
    got = attention(*(o.to(dtype) for o in (q, k, v)), causal_mask(5))
    assert got.dtype == dtype
    assert_close(got.double(), attention(q, k, v, causal_mask(5)), atol=atol, rtol=0)
    layer = Attention(8, 2, causal=True).double()
    want = layer(q)
    got = deepcopy(layer).to(dtype)(q.to(dtype))
    assert got.dtype == dtype
    assert_close(got.double(), want, atol=atol, rtol=0)


def test_autocast():
    block, x = TransformerBlock(16, 2, causal=True), randn(2, 5, 16)
    with torch.autocast("cpu", torch.bfloat16): got = block(x)
    assert_close(got.float(), block(x), atol=5e-2, rtol=0)
    assert all(p.dtype == torch.float32 for p in block.parameters())


def leak(f, x, t):
    other = x.clone()
    other[:, t] *= -1  # and not += 1, which a LayerNorm takes off again: the control below would fail
    return (f(other) - f(x))[:, :t]


@pytest.mark.parametrize("n", [2, 192, 193, 384, 516, 900])
@pytest.mark.parametrize("masked", [False, True])
def test_the_future_is_exactly_unseen(n, masked):
    torch.manual_seed(0)
    model = nn.ModuleList(TransformerBlock(8, 2, causal=True, qk_norm=True) for _ in range(2))
    def run(x):
        for block in model: x = block(x, torch.ones(n, n, dtype=torch.bool) if masked else None)
        return x
    x, places = randn(1, n, 8), {1, n//2, n - 1, min(192, n - 1)}
    for t in places: assert not leak(run, x, t).any()
    for block in model: block.attention.causal = False
    for t in places: assert leak(run, x, t).any()  # control


@pytest.mark.parametrize("n", [1, 192, 193, 389, 516, 1100])
def test_causal_at_any_length_is_the_mask(n):
    torch.manual_seed(0)
    layer, x = Attention(16, 2, causal=True), randn(1, n, 16)
    masked = deepcopy(layer)
    masked.causal = False
    both = slopes(layer, x), slopes(lambda o: masked(o, causal_mask(n)), x)
    for a, b in zip(*both): assert_close(a, b, atol=1e-5, rtol=1e-4)


def test_layer_equals_the_formula_written_out():
    torch.manual_seed(0)
    for kw in ({}, dict(head_dim=5), dict(qkv_bias=False), dict(qk_norm=True), dict(causal=True)):
        layer, x = Attention(12, 3, **kw), randn(2, 7, 12)
        d = layer.head_dim
        heads = []
        for h in range(3):
            part = [F.linear(x, *(None if p is None else p[i*3*d + h*d:i*3*d + (h + 1)*d] for p in (layer.qkv.weight, layer.qkv.bias))) for i in range(3)]
            q, k, v = layer.q_norm(part[0]), layer.k_norm(part[1]), part[2]
            scores = q @ k.mT/d**0.5
            if layer.causal: scores = scores.masked_fill(~causal_mask(7), -torch.inf)
            heads.append(scores.softmax(-1) @ v)
            assert_close(layer.weights(x)[:, h], scores.softmax(-1))
        assert_close(layer(x), layer.out(torch.cat(heads, -1)))
        assert layer.scale == d**-0.5 and (layer.q_norm.__class__ is nn.LayerNorm) == kw.get("qk_norm", False)


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 3), st.integers(1, 8), st.sampled_from([1, 2, 4]), st.integers(1, 5), st.booleans(), st.integers(0, 99))
def test_shuffled_tokens_shuffle_the_output(b, n, heads, head_dim, qk_norm, seed):
    torch.manual_seed(seed)
    block = TransformerBlock(8, heads, 12, head_dim=head_dim, qk_norm=qk_norm).double()
    x, order = randn(b, n, 8, seed=seed, dtype=torch.float64), torch.randperm(n, generator=gen(seed))
    assert_close(block(x[:, order]), block(x)[:, order])
    mask = torch.rand(n, n, generator=gen(seed)) < 0.7
    assert_close(block(x[:, order], mask[order][:, order]), block(x, mask)[:, order])


@settings(max_examples=15, deadline=None)
@given(st.integers(2, 5), st.integers(1, 260), st.booleans())
def test_a_sample_does_not_depend_on_its_batch(b, n, causal):
    torch.manual_seed(n)
    block, x = TransformerBlock(8, 2, causal=causal).double(), randn(b, n, 8, dtype=torch.float64)
    assert_close(torch.cat([block(o[None]) for o in x]), block(x))


@pytest.mark.parametrize("causal", [False, True])
def test_padding_that_nobody_sees_changes_nothing(causal):
    torch.manual_seed(0)
    blocks = [TransformerBlock(8, 2, causal=causal) for _ in range(3)]
    def run(x, mask=None):
        for block in blocks: x = block(x, mask)
        return x
    x, lengths = randn(2, 6, 8), torch.tensor([6, 4])
    seen = torch.arange(6) < lengths[:, None]
    padded = x.clone()
    padded[1, 4:] = 1e4  # whatever stands there
    got = run(padded, seen[:, None, None])
    assert_close(got[0], run(x[:1])[0])
    assert_close(got[1, :4], run(x[1:, :4])[0])
    assert (run(padded)[1, :4] - got[1, :4]).abs().max() > 1e-3 or causal  # control


def test_mask_forms_and_meanings():
    torch.manual_seed(0)
    layer, causal, x = Attention(8, 2), Attention(8, 2, causal=True), randn(3, 5, 8)
    causal.load_state_dict(layer.state_dict())
    everyone = torch.ones(5, 5, dtype=torch.bool)
    assert_close(layer(x, everyone), layer(x))
    assert_close(causal(x, everyone), causal(x))
    assert_close(layer(x, causal_mask(5)), causal(x))
    assert_close(causal(x, ~causal_mask(5).mT | torch.eye(5, dtype=torch.bool)), causal(x))
    per_head = torch.stack([everyone, causal_mask(5)])[None]  # (1, h, n, n)
    assert_close(layer.weights(x, per_head)[:, 0], layer.weights(x)[:, 0])
    assert_close(layer.weights(x, per_head)[:, 1], causal.weights(x)[:, 1])
    assert_close(layer(x, torch.eye(5, dtype=torch.bool)), torch.cat([layer(o) for o in x.split(1, 1)], 1))  # each token alone
    nobody = everyone.clone()
    nobody[2] = False
    for o in (layer, causal): assert_close(o(x, nobody)[:, 2], o.out.bias.expand(3, -1))
    assert_close(layer.weights(x, nobody).sum(-1)[..., 2], torch.zeros(3, 2))


def test_lost_rows_have_finite_slopes():
    layer, x = Attention(8, 2), randn(1, 4, 8).requires_grad_()
    mask = torch.zeros(4, 4, dtype=torch.bool)
    mask[1:, 1:] = True
    layer(layer(x, mask), mask).square().sum().backward()
    assert all(o.grad.isfinite().all() for o in (x, *layer.parameters()))
    q = randn(4, 8).requires_grad_()
    attention(q, q, q, mask).sum().backward()
    assert q.grad.isfinite().all()


def test_packed_queries_equal_queries_alone():
    "What lesson 27 relies on: many queries behind one context, in one pass"
    torch.manual_seed(0)
    blocks = [TransformerBlock(8, 2, causal=True).double() for _ in range(2)]
    def run(x, mask=None):
        for block in blocks: x = block(x, mask)
        return x
    c, m = 200, 9
    x = randn(1, c + m, 8, dtype=torch.float64)
    mask = torch.eye(c + m, dtype=torch.bool)
    mask[:, :c] = True
    packed = run(x, mask)
    for j in range(c, c + m): assert_close(packed[:, j], run(x[:, [*range(c), j]])[:, -1])
    assert (packed[:, c + 1:] - run(x)[:, c + 1:]).abs().max() > 1e-6  # control: without the mask they see one another


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("rows", [slice(0, None, 2), slice(3, 3), torch.tensor([4, 0])])
def test_some_rows_are_rows_of_the_whole(causal, rows):
    torch.manual_seed(0)
    block = TransformerBlock(8, 2, causal=causal, qk_norm=True).double()
    x, seen = randn(2, 5, 8, dtype=torch.float64), torch.rand(2, 1, 1, 5) < 0.7
    for mask in (None, causal_mask(5), seen, seen & causal_mask(5)):
        both = (lambda o: block.read(o, rows, mask)), (lambda o: block(o, mask)[:, rows])
        for a, b in zip(*(slopes(f, x) for f in both)): assert_close(a, b)


@pytest.mark.parametrize("heads, dim_head", [(4, 16), (3, 5), (1, 8)])
def test_vit_pytorch_fits_in(heads, dim_head):
    torch.manual_seed(0)
    theirs = vit_pytorch("vit").Transformer(dim=24, depth=2, heads=heads, dim_head=dim_head, mlp_dim=40)
    ours, norm = nn.Sequential(*(TransformerBlock(24, heads, 40, head_dim=dim_head, qkv_bias=False) for _ in range(2))), nn.LayerNorm(24)
    for p in theirs.parameters(): nn.init.normal_(p, std=0.3)
    norm.load_state_dict(theirs.norm.state_dict())
    for block, (attn, ff) in zip(ours, theirs.layers):
        for a, b in ((block.norm1, attn.norm), (block.attention.qkv, attn.to_qkv), (block.attention.out, attn.to_out[0]),
                     (block.norm2, ff.net[0]), (block.mlp[0], ff.net[1]), (block.mlp[2], ff.net[4])): a.load_state_dict(b.state_dict())
    for a, b in zip(slopes(lambda x: norm(ours(x)), randn(2, 9, 24)), slopes(theirs, randn(2, 9, 24))): assert_close(a, b, atol=1e-5, rtol=1e-4)


def test_timm_layout_fits_in():
    "timm's attention: one fused qkv read as (3, h, d), norms of q and k over d with eps 1e-6"
    torch.manual_seed(0)
    layer, x = Attention(12, 3, qk_norm=True), randn(2, 7, 12)
    for p in layer.parameters(): nn.init.normal_(p)
    for norm in (layer.q_norm, layer.k_norm): norm.eps = 1e-6
    q, k, v = layer.qkv(x).reshape(2, 7, 3, 3, 4).permute(2, 0, 3, 1, 4).unbind(0)
    q, k = (F.layer_norm(o, (4,), m.weight, m.bias, 1e-6) for o, m in ((q, layer.q_norm), (k, layer.k_norm)))
    theirs = layer.out(((q*4**-0.5) @ k.mT).softmax(-1).matmul(v).transpose(1, 2).reshape(2, 7, 12))
    assert_close(layer(x), theirs, atol=1e-5, rtol=1e-5)


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 3), st.integers(1, 5), st.integers(1, 9))
def test_cost_by_formula_is_cost_by_count(heads, width, n):
    dim = heads*width
    cost, block = block_cost(n, dim), TransformerBlock(dim, heads)
    assert sum(p.numel() for p in block.parameters()) == cost.pop("params")
    assert round(summary(block, randn(1, n, dim)).mflops*1e6) == sum(cost.values())


def test_activation_is_chosen_by_argument():
    torch.manual_seed(0)
    exact, tanh, x = TransformerBlock(8, 2), TransformerBlock(8, 2, act=partial(nn.GELU, approximate="tanh")), 3*randn(1, 4, 8)
    tanh.load_state_dict(exact.state_dict())
    assert exact.mlp[1].approximate == "none" and tanh.mlp[1].approximate == "tanh"
    apart = (exact(x) - tanh(x)).abs().max()
    assert 0 < apart < 1e-2


def test_no_state_and_any_length():
    torch.manual_seed(0)
    block = TransformerBlock(8, 2, causal=True, qk_norm=True)
    assert not list(block.buffers())
    assert [n for n, _ in block.attention.named_parameters()] == ["qkv.weight", "qkv.bias", "q_norm.weight", "q_norm.bias", "k_norm.weight", "k_norm.bias", "out.weight", "out.bias"]
    assert {n for n, _ in block.named_children()} == {"norm1", "attention", "norm2", "mlp"}
    kept = {k: dict(vars(m)) for k, m in block.named_modules()}
    x = randn(2, 5, 8)
    first = block(x)
    for n in (1, 400, 0, 3): assert block(randn(2, n, 8)).shape == (2, n, 8)
    block.attention.weights(x)
    assert kept == {k: dict(vars(m)) for k, m in block.named_modules()}
    for twin in (deepcopy(block), pickle.loads(pickle.dumps(block))): assert_close(twin(x), first, rtol=0, atol=0)
    assert block(randn(0, 5, 8)).shape == (0, 5, 8)


def test_initialisation_is_set_from_outside():
    block = TransformerBlock(16, 2)
    def zero(m):
        if isinstance(m, nn.Linear): nn.init.zeros_(m.weight); nn.init.zeros_(m.bias)
    block.apply(zero)
    x = randn(2, 3, 16)
    assert_close(block(x), x, rtol=0, atol=0)
    torch.manual_seed(3)
    layer = Attention(16, 2)
    torch.manual_seed(3)
    assert_close(layer.qkv.weight, nn.Linear(16, 48).weight)  # torch's own start


def test_compiles_without_a_break():
    block, x = TransformerBlock(8, 2, causal=True), randn(1, 200, 8)
    compiled = torch.compile(block, backend="eager", fullgraph=True)
    assert_close(compiled(x), block(x))
    mask = torch.eye(200, dtype=torch.bool)
    assert_close(compiled(x, mask), block(x, mask))


def test_shapes_on_a_device_without_data():
    with torch.device("meta"):
        assert TransformerBlock(8, 2, causal=True)(torch.empty(2, 700, 8)).shape == (2, 700, 8)
        assert causal_mask(3).device.type == "meta"


BOOL = torch.ones(5, 5, dtype=torch.bool)


@pytest.mark.parametrize("mask", [BOOL[None], BOOL.float()], ids=["heads?", "added"])
def test_a_mask_that_torch_would_read_otherwise(mask):
    with pytest.raises(ValueError, match="`mask`"): Attention(8, 2)(randn(2, 5, 8), mask)


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("autocast", [False, True])
def test_half_precision_on_a_cpu_mixes_in_float32(causal, autocast):
    "There the half-precision kernel is slower; each result is the float32 one, rounded once"
    torch.manual_seed(0)
    layer = Attention(16, 2, causal=causal)
    layer.out = nn.Identity()
    x = randn(3, 300, 16)
    if not autocast: layer, x = layer.bfloat16(), x.bfloat16()
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=autocast):
        got, qkv = layer(x), layer.qkv(x)
    q, k, v = qkv.float().view(3, 300, 3, 2, 8).permute(2, 0, 3, 1, 4)
    want = attention(q, k, v, causal_mask(300) if causal else None).transpose(1, 2).flatten(2)
    assert got.dtype == torch.bfloat16
    assert (got == want.bfloat16()).float().mean() > 0.99
    kernel = F.scaled_dot_product_attention(*(o.bfloat16() for o in (q, k, v)), is_causal=causal)
    assert (kernel.transpose(1, 2).flatten(2) == want.bfloat16()).float().mean() < 0.97  # the control


def test_reading_some_tokens_in_half_precision():
    torch.manual_seed(0)
    block, x = TransformerBlock(16, 2, causal=True), randn(3, 20, 16)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        got, want = block.read(x, slice(0, None, 3)), block(x)[:, ::3]
    assert_close(got, want, atol=2e-2, rtol=0)
