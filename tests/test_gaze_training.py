"Lesson 32: an extractor for any ViT that leaves nothing behind, losses that say what they compare."
import importlib.util, json, os, pickle, signal, subprocess, sys, time
from copy import deepcopy
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from einops import rearrange
from torch import nn
from torch.testing import assert_close

from minitrain.all import Accuracy, ArgumentError, BatchTransformCB, CancelFitException, EarlyStopCB, GradAccumCB, Learner, MetricsCB, TrainCB, ViT, set_seed
from minitrain.gaze_training import (AttentionExtractor, ClsViT, GazeCB, action_loss, ce_plus_gaze, gaze_kl,
from minitrain.predict import get_preds
    gaze_loss, gaze_targets)

TINY = dict(epochs=2, games=2, valid_games=1, play_games=2, play_steps=60, dim=8, heads=2, mlp_dim=8, device="cpu")


def hooks_on(model): return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) + len(m._backward_hooks) for m in model.modules())


def tiny(**kwargs):
    torch.manual_seed(0)
    return ViT(8, 4, 1, 3, 8, **dict(depth=2, heads=2) | kwargs)


def images(b=3, size=8, channels=1): return torch.randn(b, channels, size, size, generator=torch.Generator().manual_seed(1))


@pytest.fixture(scope="module")
def rival():
    "vit_pytorch's vit.py, loaded alone"
    spec = importlib.util.find_spec("vit_pytorch")
    if spec is None: pytest.skip("vit_pytorch is not installed")
    spec = importlib.util.spec_from_file_location("vit_alone", Path(spec.submodule_search_locations[0])/"vit.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class TimmAttention(nn.Module):
    "timm's layout where timm cannot be imported: one `qkv`, (3, heads, head_dim), q_norm and k_norm over head_dim"
    def __init__(self, dim, num_heads, norm=nn.LayerNorm):
        super().__init__()
        self.num_heads, self.head_dim = num_heads, dim//num_heads
        self.scale = self.head_dim**-0.5
        self.qkv = nn.Linear(dim, 3*dim)
        self.q_norm, self.k_norm = (norm(self.head_dim) if norm else nn.Identity() for _ in range(2))
        self.proj = nn.Linear(dim, dim)

    def forward(self, x):
        b, n, c = x.shape
        q, k, v = self.qkv(x).reshape(b, n, 3, self.num_heads, self.head_dim).permute(2, 0, 3, 1, 4).unbind(0)
        q, k = self.q_norm(q), self.k_norm(k)
        self.seen = (q*self.scale) @ k.transpose(-2, -1)  # what its softmax would get
        return self.proj(F.scaled_dot_product_attention(q, k, v, scale=self.scale).transpose(1, 2).reshape(b, n, c))


# the extractor

def test_equals_the_softmax_input_of_vit_pytorch(rival):
    torch.manual_seed(0)
    model = rival.ViT(image_size=12, patch_size=4, channels=1, num_classes=3, dim=16, depth=3, heads=2, mlp_dim=16, dim_head=6)
    for layer in (-1, 0, 1):
        seen, grads = {}, []
        handle = model.transformer.layers[layer][0].attend.register_forward_hook(lambda m, inputs, out: seen.update(dots=inputs[0]))
        with AttentionExtractor(model, layer) as e: model(images(size=12))
        handle.remove()
        assert_close(e.cls_logits, seen["dots"][:, :, 0, 1:], atol=1e-5, rtol=0)
        for logits in (e.cls_logits, seen["dots"][:, :, 0, 1:]):
            grads.append(torch.autograd.grad(logits.softmax(-1)[..., 0].sum(), model.parameters(), retain_graph=True, allow_unused=True))
        for a, b in zip(*grads):
            assert (a is None) == (b is None)
            if a is not None: assert_close(a, b, atol=1e-6, rtol=1e-4)
        assert any(a is not None and a.abs().max() > 1e-6 for a in grads[0])


@pytest.mark.parametrize("norm", [nn.LayerNorm, nn.RMSNorm, None])
def test_timm_layout_with_norms(norm):
    torch.manual_seed(0)
    model = nn.Sequential(TimmAttention(12, 3, norm), TimmAttention(12, 3, norm))
    for o in model:
        if norm: nn.init.normal_(o.q_norm.weight), nn.init.normal_(o.k_norm.weight)
    x = torch.randn(2, 7, 12)
    for layer in (0, 1):
        with AttentionExtractor(model, layer) as e: model(x)
        want = model[layer].seen[:, :, 0, 1:]
        assert_close(e.cls_logits, want, atol=1e-6, rtol=1e-5)
        got, want = (torch.autograd.grad(o.softmax(-1).square().sum(), model[layer].qkv.weight, retain_graph=True)[0] for o in (e.cls_logits, want))
        assert_close(got, want, atol=1e-6, rtol=1e-4)
    assert hooks_on(model) == 0


@pytest.mark.parametrize("options", [{}, dict(qk_norm=True), dict(head_dim=5), dict(qkv_bias=False)])
def test_ours_equals_attention_maps(options):
    model = tiny(**options)
    for layer in (-2, -1, 0, 1):
        with AttentionExtractor(model, layer, detach=True) as e: model(images())
        maps = model.attention_maps(images(), layer)  # with the CLS token's look at itself
        assert_close(e.cls_logits.softmax(-1), maps/maps.sum(-1, keepdim=True))
        assert not e.cls_logits.requires_grad


def test_shape_gradient_and_fused_attention_stays_on(monkeypatch):
    calls, fused = [], F.scaled_dot_product_attention
    monkeypatch.setattr(F, "scaled_dot_product_attention", lambda *a, **k: (calls.append(1), fused(*a, **k))[1])
    model = tiny()
    with AttentionExtractor(model) as e: preds = model(images())
    assert e.cls_logits.shape == (3, 2, 4) and e.cls_logits.requires_grad and len(calls) == 2
    assert torch.equal(preds, model(images())), "the block changes nothing in the model"
    e.cls_logits.sum().backward()
    assert model.blocks[-1].attention.qkv.weight.grad.abs().max() > 0 and model.blocks[-1].attention.out.weight.grad is None


def test_nothing_left_behind_also_when_it_raises():
    model = tiny()
    with pytest.raises(ZeroDivisionError):
        with AttentionExtractor(model): model(images()); 1/0
    with pytest.raises(ArgumentError):
        with AttentionExtractor(model): model(images(size=12))
    assert hooks_on(model) == 0
    wrong = TimmAttention(12, 3)
    wrong.k_norm = None
    with pytest.raises(ArgumentError, match="q_norm and k_norm"): AttentionExtractor(wrong).__enter__()
    assert hooks_on(wrong) == 0


def test_repeated_forwards_and_blocks():
    model, e = tiny(), None
    e = AttentionExtractor(model)
    with pytest.raises(ArgumentError, match="no call of it inside the block"): e.cls_logits
    with e:
        model(images()); first = e.cls_logits
        model(-images()); second = e.cls_logits
        assert not torch.equal(first, second)
        with pytest.raises(RuntimeError, match="inside a block already"): e.__enter__()
    model(images())
    assert e.cls_logits is second, "after the block nobody listens"
    with e:
        with pytest.raises(ArgumentError, match="no call"): e.cls_logits  # nothing stale from the block before
        model(images())
        assert_close(e.cls_logits, first)
    with AttentionExtractor(model, 0) as a, AttentionExtractor(model, 1) as b: model(images())
    assert not torch.equal(a.cls_logits, b.cls_logits) and torch.equal(b.cls_logits, first)


def test_layers_in_order_and_out_of_range():
    model = tiny(depth=3)
    with AttentionExtractor(model, 2) as a, AttentionExtractor(model, -1) as b: model(images())
    assert torch.equal(a.cls_logits, b.cls_logits) and AttentionExtractor(model, 1).attention is model.blocks[1].attention
    for layer in (3, -4):
        with pytest.raises(IndexError): AttentionExtractor(model, layer)


def test_other_attention_is_refused_by_name():
    encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 8, batch_first=True), 2)
    for model in (encoder, encoder.layers[0], nn.MultiheadAttention(8, 2)):
        with pytest.raises(ArgumentError, match="`model`: expected .*qkv.*got 'MultiheadAttention at"): AttentionExtractor(model)
    class SelfAttention(nn.Module):
        def __init__(self):
            super().__init__()
            self.num_heads, self.query, self.key = 2, nn.Linear(4, 4), nn.Linear(4, 4)
    class OuterAttention(nn.Module):
        def __init__(self): super().__init__(); self.inner = SelfAttention()
    with pytest.raises(ArgumentError, match="got 'SelfAttention at 0.inner'"): AttentionExtractor(nn.Sequential(OuterAttention()))
    mixed = nn.Sequential(TimmAttention(8, 2), nn.MultiheadAttention(8, 2))
    with pytest.raises(ArgumentError, match="MultiheadAttention at 1"): AttentionExtractor(mixed)
    assert AttentionExtractor(mixed, 0).attention is mixed[0]
    with pytest.raises(ArgumentError, match="got 'Sequential'"): AttentionExtractor(nn.Sequential(nn.Linear(2, 2)))
    causal = tiny()
    causal.blocks[-1].attention.causal = True
    with pytest.raises(ArgumentError, match="causal"): AttentionExtractor(causal)


def test_grouped_queries_are_refused():
    model = TimmAttention(12, 3, None)
    model.head_dim = 2  # as if keys were shared
    with pytest.raises(ArgumentError, match="of one width"), AttentionExtractor(model):
        model.qkv(torch.ones(2, 5, 12))
    assert hooks_on(model) == 0


@pytest.mark.parametrize("copy", [deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_copies_are_silent(copy):
    model = tiny()
    with AttentionExtractor(model) as e:
        model(images()); seen = e.cls_logits
        twin = copy(model)
        twin(-images())
        assert e.cls_logits is seen
    other = deepcopy(e)
    with pytest.raises(ArgumentError, match="no call"): other.cls_logits


def test_compiled_inside_the_block():
    model = tiny()
    with AttentionExtractor(model) as e: model(images()); want = e.cls_logits
    try:
        compiled = torch.compile(model, backend="aot_eager")
        with AttentionExtractor(model) as e:
            compiled(-images()); compiled(images())
            assert_close(e.cls_logits, want)
            grad = torch.autograd.grad(e.cls_logits.square().sum(), model.blocks[-1].attention.qkv.weight)[0]
        assert grad.abs().max() > 0
        with AttentionExtractor(compiled) as e: compiled(images())  # hooks that compiled code may not see: right, or a clear error
        try: assert_close(e.cls_logits, want)
        except ArgumentError as error: assert "compiled" in str(error)
    finally: torch._dynamo.reset()


def test_half_precision_and_no_grad():
    model = tiny().bfloat16()
    with AttentionExtractor(model) as e, torch.no_grad(): model(images().bfloat16())
    assert e.cls_logits.dtype == torch.bfloat16 and not e.cls_logits.requires_grad
    with AttentionExtractor(tiny()) as e, torch.autocast("cpu", torch.bfloat16): e.model(images())
    assert e.cls_logits.dtype == torch.bfloat16 and e.cls_logits.requires_grad


# losses

def pair(b=5, h=3, n=6, dtype=torch.float64):
    g = torch.Generator().manual_seed(0)
    return torch.randn(b, h, n, generator=g, dtype=dtype, requires_grad=True), torch.rand(b, h, n, generator=g, dtype=dtype).softmax(-1)


def test_gaze_loss_is_torchs_cross_entropy():
    logits, targets = pair()
    assert_close(gaze_loss(logits, targets), F.cross_entropy(rearrange(logits, "b h n -> (b h) n"), rearrange(targets, "b h n -> (b h) n")))
    assert_close(gaze_loss(logits, targets, "logits"), F.cross_entropy(logits.mean(1), targets.mean(1)))
    assert_close(gaze_loss(logits, targets, "probs"), -(targets.mean(1)*logits.softmax(-1).mean(1).log()).sum(-1).mean())
    for pool in ("none", "logits", "probs"): assert torch.autograd.gradcheck(lambda o: gaze_loss(o, targets, pool), logits)


def test_one_head_makes_all_pools_equal():
    logits, targets = pair(h=1)
    for pool in ("logits", "probs"): assert_close(gaze_loss(logits, targets, pool), gaze_loss(logits, targets))


@pytest.mark.parametrize("pool", ["none", "logits", "probs"])
def test_kl_is_loss_less_entropy(pool):
    logits, targets = pair()
    targets = targets.masked_fill(targets < 0.12, 0)
    targets = targets/targets.sum(-1, keepdim=True)
    shown = targets if pool == "none" else targets.mean(1)
    entropy = torch.special.entr(shown).sum(-1)
    kl = gaze_kl(logits, targets, pool)
    assert kl.shape == ((5, 3) if pool == "none" else (5,)) and (kl > 0).all() and kl.isfinite().all()
    assert_close(kl.mean(), gaze_loss(logits, targets, pool) - entropy.mean())
    same = targets[:, :1].expand(-1, 3, -1)
    assert_close(gaze_kl(same.log().clamp(min=-1e3), same, pool).abs().max().item(), 0., atol=1e-9, rtol=0)


def test_opposite_heads_game_logits_and_not_probs():
    a = torch.randn(4, 1, 6, dtype=torch.float64)*20
    target = torch.full((4, 2, 6), 1/6, dtype=torch.float64)
    logits = torch.cat([a, -a], 1)  # each head stares at one patch, their scores cancel
    assert gaze_kl(logits, target, "logits").abs().max() < 1e-9
    assert gaze_kl(logits, target, "probs").min() > 0.3 and gaze_kl(logits, target).min() > 0.3


def test_large_scores_stay_finite():
    logits = torch.tensor([[[1e4, 0., -1e4], [-1e4, 0., 1e4]]], requires_grad=True)
    targets = torch.tensor([[[0.5, 0., 0.5], [0.5, 0., 0.5]]])
    for pool in ("none", "logits", "probs"):
        loss = gaze_loss(logits, targets, pool)
        assert loss.isfinite() and torch.autograd.grad(loss, logits)[0].isfinite().all()


@pytest.mark.parametrize("change, words", [
    (lambda l, t: (l, t[:, 0]), "`targets`"), (lambda l, t: (l, t[:, :1]), "`targets`"), (lambda l, t: (l[:, 0], t[:, 0]), "`targets`"),
    (lambda l, t: (l, t.transpose(0, 1)), "`targets`"), (lambda l, t: (l, t, "mean"), "`pool`: expected 'none', 'logits' or 'probs', got 'mean'")])
def test_other_shapes_are_refused(change, words):
    args = change(*pair())
    for f in (gaze_loss, gaze_kl):
        with pytest.raises(ArgumentError, match=words): f(*args)
    with pytest.raises(TypeError): gaze_loss(pair()[0], torch.ones(5, 3, 6, dtype=torch.int64))


def test_ce_plus_gaze_is_the_seeds_by_default():
    logits, targets = pair()
    preds, actions = torch.randn(5, 4, dtype=torch.float64), torch.tensor([0, 1, 2, 3, 0])
    want = F.cross_entropy(preds, actions) + F.cross_entropy(logits.flatten(0, 1), targets.flatten(0, 1))
    assert_close(ce_plus_gaze(preds, actions, logits, targets), want)
    assert_close(ce_plus_gaze(preds, actions, logits, targets, reg_lambda=0.), action_loss(preds, actions))
    assert_close(ce_plus_gaze(preds, actions, logits, targets, 0.3, "probs"), action_loss(preds, actions) + 0.3*gaze_loss(logits, targets, "probs"))
    actions[0] = -100
    assert_close(action_loss(preds, actions), F.cross_entropy(preds[1:], actions[1:]))


def test_gaze_targets():
    shares = torch.tensor([[[.5, .5, 0], [0, 0, 1.]], [[0, 0, 0], [0, 1, 0.]], [[0, 0, 0], [0, 0, 0.]]])
    got = gaze_targets(shares, 4)
    assert_close(got, torch.tensor([[.25, .25, .5], [0, 1, 0], [0, 0, 0]])[:, None].expand(3, 4, 3))


# the callback

def batches(n=3, b=6, empty=(), seed=0):
    g = torch.Generator().manual_seed(seed)
    out = []
    for _ in range(n):
        shares = torch.rand(b, 1, 4, generator=g).softmax(-1)
        shares[list(empty)] = 0
        out.append((torch.randn(b, 1, 8, 8, generator=g), torch.randint(3, (b,), generator=g), shares))
    return out


def learner(cb, data=None, cbs=(), **kwargs):
    data = data if data is not None else (batches(), batches(2, seed=1))
    return Learner(tiny(), data, action_loss, 0.1, [TrainCB(), cb, *cbs], **kwargs)


@pytest.mark.parametrize("pool", ["none", "logits", "probs"])
def test_callback_is_the_loop_by_hand(pool):
    learn = learner(GazeCB(pool, 0.5))
    learn.fit(2)
    model = tiny()
    opt = torch.optim.SGD(model.parameters(), 0.1)
    for _ in range(2):
        for x, y, shares in batches():
            with AttentionExtractor(model) as e: preds = model(x)
            ce_plus_gaze(preds, y, e.cls_logits, gaze_targets(shares, 2), 0.5, pool).backward()
            opt.step(); opt.zero_grad()
    for a, b in zip(learn.model.parameters(), model.parameters()): assert_close(a, b)
    assert hooks_on(learn.model) == 0


def test_losses_are_logged_apart_and_early_stopping_sees_actions():
    gaze, plain = GazeCB(reg_lambda=100.), GazeCB(reg_lambda=0)
    metrics = MetricsCB(accuracy=Accuracy(), gaze=gaze.metric)
    metrics._log = lambda row: None
    learn = learner(gaze, cbs=[metrics, EarlyStopCB("valid_loss", 1, min_delta=1e9)])
    learn.fit(5)
    train, valid = metrics.rows[:2]
    model = learn.model
    with torch.no_grad(), AttentionExtractor(tiny()) as e: first = e.model(batches()[0][0])
    assert len(metrics.rows) == 4, "stopped after two epochs"
    x, y, shares = (torch.cat(o) for o in zip(*batches(2, seed=1)))
    with torch.no_grad(), AttentionExtractor(model) as e: preds = model(x)
    last = metrics.rows[-1]
    assert last["loss"] == pytest.approx(F.cross_entropy(preds, y).item(), rel=1e-4)
    assert last["gaze"] == pytest.approx(gaze_kl(e.cls_logits, gaze_targets(shares, 2), "probs").mean().item(), rel=1e-4)
    assert train["loss"] < 10, "not 100 times a gaze loss"
    metrics2 = MetricsCB(gaze=plain.metric)
    metrics2._log = lambda row: None
    learn2, bare = learner(plain, cbs=[metrics2]), Learner(tiny(), [[o[:2] for o in batches()]], action_loss, 0.1, [TrainCB()])
    learn2.fit(1); bare.fit(1)
    for a, b in zip(learn2.model.parameters(), bare.model.parameters()): assert torch.equal(a, b)
    assert metrics2.rows[0]["gaze"] > 0


def test_samples_without_gaze():
    data = batches(empty=(0, 4))
    with pytest.raises(ArgumentError, match="2 of 6 samples without gaze"): learner(GazeCB(), [data]).fit(1)
    learn = learner(GazeCB(missing="skip"), [data[:1]])
    learn.fit(1)
    model, (x, y, shares), keep = tiny(), data[0], [1, 2, 3, 5]
    with AttentionExtractor(model) as e: preds = model(x)
    ce_plus_gaze(preds, y, e.cls_logits[keep], gaze_targets(shares, 2)[keep], pool="probs").backward()
    torch.optim.SGD(model.parameters(), 0.1).step()
    for a, b in zip(learn.model.parameters(), model.parameters()): assert_close(a, b)
    none = learner(GazeCB(missing="skip"), [batches(1, empty=range(6))])
    none.fit(1)
    bare = Learner(tiny(), [[o[:2] for o in batches(1)]], action_loss, 0.1, [TrainCB()])
    bare.fit(1)
    for a, b in zip(none.model.parameters(), bare.model.parameters()): assert_close(a, b)


def test_callback_with_others():
    whole, parts = batches(1, b=12), None
    x, y, s = whole[0]
    parts = [(x[i:i + 4], y[i:i + 4], s[i:i + 4]) for i in range(0, 12, 4)]
    a, b = learner(GazeCB(), [whole]), learner(GazeCB(), [parts], cbs=[GradAccumCB(3)])
    a.fit(1); b.fit(1)
    for p, q in zip(a.model.parameters(), b.model.parameters()): assert_close(p, q)
    scaled = learner(GazeCB(), [[(x*2, y, s)]], cbs=[BatchTransformCB(lambda o: (o[0]/2, *o[1:]))])
    scaled.fit(1)
    for p, q in zip(a.model.parameters(), scaled.model.parameters()): assert_close(p, q)


def test_callback_errors_and_cleanup():
    with pytest.raises(ArgumentError, match="`batch`: expected 3 of them"): learner(GazeCB(), [[o[:2] for o in batches()]]).fit(1)
    learn = learner(GazeCB(), [[(x, y, s[..., :3]) for x, y, s in batches()]])
    with pytest.raises(ArgumentError, match="shares of 4 patches for 6 samples"): learn.fit(1)
    assert hooks_on(learn.model) == 0
    class Stop(TrainCB):
        def step(self, learn): raise CancelFitException()
    learn = Learner(tiny(), [batches()], action_loss, 0.1, [Stop(), GazeCB()])
    learn.fit(1)
    assert hooks_on(learn.model) == 0 and not learn.loss.requires_grad
    with pytest.raises(IndexError): learner(GazeCB(layer=5)).fit(1)
    with pytest.raises(ArgumentError, match="`missing`"): GazeCB(missing="uniform")
    with pytest.raises(ArgumentError, match="`pool`"): learner(GazeCB(pool="mean")).fit(1)


def test_predictions_need_no_gaze():
    learn = learner(GazeCB())
    learn.fit(1)
    preds, targets = get_preds(learn)
    x, y, _ = (torch.cat(o) for o in zip(*batches(2, seed=1)))
    assert_close(preds, learn.model(x).detach()) and torch.equal(targets, y)
    preds, targets = get_preds(learn, [(x, y)])
    assert_close(preds, learn.model(x).detach())


@pytest.mark.parametrize("qk_norm", [False, True])
def test_last_row_is_the_whole_vit(qk_norm):
    torch.manual_seed(0)
    whole, short = (cls(12, 4, 2, 3, 8, 3, 2, 12, qk_norm=qk_norm) for cls in (ViT, ClsViT))
    short.load_state_dict(whole.state_dict())
    x, results = images(5, 12, 2), []
    for layer in (-1, 0):
        for model in (whole, short):
            with AttentionExtractor(model, layer) as e: preds = model(x)
            loss = preds.square().sum() + e.cls_logits.square().sum()
            results.append((preds, e.cls_logits, *torch.autograd.grad(loss, list(model.parameters()))))
        for a, b in zip(*results[-2:]): assert_close(a, b, atol=1e-5, rtol=1e-4)
        assert min(o.abs().max() for o in results[-1]) > 0
