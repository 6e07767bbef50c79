"Lesson 32: an extractor that vouches or raises, losses that say what they compare, a shuffle that keeps its law."
import pickle
from copy import deepcopy
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from einops import rearrange
from torch import nn
from torch.testing import assert_close

from foreign import theirs, timm
from minitrain.all import (Accuracy, ActivationStats, ArgumentError, BatchTransformCB, Callback,
    CancelFitException, EarlyStopCB, EMACB, GradAccumCB, GradClipCB, GradientStats, Learner, MetricsCB,
    MixupCB, TrainCB, TrainLearner, ViT, patchify)
from minitrain.core import load_results
from minitrain.gaze_training import (AttentionExtractor, ClsViT, GazeCB, ShuffleCB, action_loss,
    ce_plus_gaze, gaze_kl, gaze_loss, gaze_targets, shuffle_unseen)
from minitrain.predict import get_preds


def hooks_on(model):
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules())


def tiny(**kwargs):
    torch.manual_seed(0)
    return ViT(8, 4, 1, 3, 8, **dict(depth=2, heads=2) | kwargs)


def images(b=3, size=8, channels=1, *frames):
    return torch.randn(b, channels, *frames, size, size, generator=torch.Generator().manual_seed(1))


def row(model, x=None, **kwargs):
    "The row of a model's layer, after a call"
    with AttentionExtractor(model, **kwargs) as e: model(images() if x is None else x)
    return e.cls_logits


BASE = dict(image_size=12, patch_size=4, num_classes=3, dim=16, depth=2, heads=2, mlp_dim=16)
VIDEO = dict(image_size=12, image_patch_size=4, frames=4, frame_patch_size=1, num_classes=3,
    dim=16, spatial_depth=2, temporal_depth=2, heads=2, mlp_dim=16)
TIMM = dict(img_size=12, patch_size=4, num_classes=3, embed_dim=16, depth=2, num_heads=2)


class TimmAttention(nn.Module):
    "timm's layout where timm cannot be imported: one `qkv`, (3, heads, head_dim), q_norm and k_norm over head_dim"
    def __init__(self, dim, num_heads, norm=nn.LayerNorm):
        super().__init__()
        self.num_heads, self.head_dim = num_heads, dim//num_heads
        self.scale = self.head_dim**-0.5
        self.qkv, self.proj = nn.Linear(dim, 3*dim), nn.Linear(dim, dim)
        self.q_norm, self.k_norm = (norm(self.head_dim) if norm else nn.Identity() for _ in range(2))
        for o in (self.q_norm, self.k_norm):
            if norm: nn.init.normal_(o.weight)

    def late(self, q, k): return q, k

    def forward(self, x):
        b, n, c = x.shape
        q, k, v = self.qkv(x).reshape(b, n, 3, self.num_heads, self.head_dim).permute(2, 0, 3, 1, 4).unbind(0)
        q, k = self.late(self.q_norm(q), self.k_norm(k))
        self.seen = (q*self.scale) @ k.transpose(-2, -1)  # what its softmax would get
        return self.proj(F.scaled_dot_product_attention(q, k, v, scale=self.scale).transpose(1, 2).reshape(b, n, c))


class Rotary(TimmAttention):
    "Positions enter after the projection"
    def late(self, q, k): return q.roll(1, -1), k


# the extractor

@pytest.mark.parametrize("layer", [-1, 0])
def test_equals_the_softmax_input_of_vit_pytorch(layer):
    torch.manual_seed(0)
    model = theirs("vit").ViT(**BASE, channels=1, dim_head=6)
    seen = {}
    handle = model.transformer.layers[layer][0].attend.register_forward_hook(lambda m, inputs, out: seen.update(dots=inputs[0]))
    got = row(model, images(size=12), layer=layer)
    handle.remove()
    want = seen["dots"][:, :, 0, 1:]
    assert_close(got, want, atol=1e-5, rtol=0)
    weight = model.transformer.layers[layer][0].to_qkv.weight
    grads = [torch.autograd.grad(o.softmax(-1)[..., 0].sum(), weight, retain_graph=True)[0] for o in (got, want)]
    assert_close(*grads, atol=1e-6, rtol=1e-4)
    assert grads[0].abs().max() > 1e-6


@pytest.mark.parametrize("make, x, shape", [
    (lambda: theirs("vit").ViT(**BASE), images(2, 12, 3), (2, 2, 9)),
    (lambda: theirs("deepvit").DeepViT(**BASE), images(2, 12, 3), (2, 2, 9)),
    (lambda: theirs("vivit").ViViT(**VIDEO), images(2, 12, 3, 4), (8, 2, 9)),
    (lambda: theirs("vivit").ViViT(**VIDEO, use_flash_attn=False), images(2, 12, 3, 4), (8, 2, 9)),
    (lambda: theirs("vivit").ViViT(**VIDEO, variant="factorized_self_attention"), images(2, 12, 3, 4), (8, 2, 9)),
    (lambda: timm("vision_transformer").VisionTransformer(**TIMM), images(2, 12, 3), (2, 2, 9)),
    (lambda: timm("vision_transformer").VisionTransformer(**TIMM, qk_norm=True), images(2, 12, 3), (2, 2, 9)),
    (lambda: timm("vision_transformer").VisionTransformer(**TIMM, reg_tokens=4), images(2, 12, 3), (2, 2, 9)),
    (lambda: timm("vision_transformer").VisionTransformer(**TIMM, dynamic_img_size=True), images(2, 20, 3), (2, 2, 25)),
    (lambda: timm("deit").VisionTransformerDistilled(**TIMM), images(2, 12, 3), (2, 2, 9))])
def test_kinds_that_are_read(make, x, shape):
    model = make()
    for o in row(model, x, layers=[0, -1]): assert o.shape == shape
    assert hooks_on(model) == 0


NO_TOKEN, OTHER, COUNT = "without a class token", "softmaxes .* at ", "expected 9 patches"

@pytest.mark.parametrize("make, x, kwargs, words", [
    (lambda: theirs("vit").ViT(**BASE, pool="mean"), images(2, 12, 3), {}, f"ViT {NO_TOKEN}"),
    (lambda: theirs("simple_vit").SimpleViT(**BASE), images(2, 12, 3), {}, f"SimpleViT {NO_TOKEN}"),
    (lambda: theirs("simple_vit_with_register_tokens").SimpleViT(**BASE), images(2, 12, 3), {}, NO_TOKEN),
    (lambda: theirs("simple_vit_with_register_tokens").SimpleViT(**BASE), images(2, 12, 3), dict(token=0, prefix=0), COUNT),
    (lambda: theirs("vit_for_small_dataset").ViT(**BASE), images(2, 12, 3), {}, "temperature, got 'LSA"),
    (lambda: theirs("vit_with_patch_dropout").ViT(**BASE, patch_dropout=.5), images(2, 12, 3), {}, COUNT),
    (lambda: theirs("simple_vit_with_qk_norm").SimpleViT(**BASE), images(2, 12, 3), dict(token=0, prefix=0), OTHER),
    (lambda: timm("vision_transformer").VisionTransformer(**TIMM, class_token=False, reg_tokens=4, global_pool="avg"), images(2, 12, 3), {}, NO_TOKEN),
    (lambda: timm("swin_transformer").SwinTransformer(img_size=16, patch_size=4, embed_dim=8, depths=(2,), num_heads=(2,), window_size=2), images(2, 16, 3), {}, f"SwinTransformer {NO_TOKEN}"),
    (lambda: timm("swin_transformer").SwinTransformer(img_size=16, patch_size=4, embed_dim=8, depths=(2,), num_heads=(2,), window_size=2), images(2, 16, 3), dict(token=0, prefix=0), "WindowAttention"),
    (lambda: timm("eva").Eva(**TIMM, use_rot_pos_emb=True), images(2, 12, 3), {}, "EvaAttention"),
    (lambda: timm("beit").Beit(**TIMM, use_rel_pos_bias=True), images(2, 12, 3), {}, OTHER),
    (lambda: nn.Sequential(Rotary(8, 2)), torch.randn(2, 5, 8), dict(token=0, prefix=1), "Rotary at 0")])
def test_kinds_that_are_refused_by_name(make, x, kwargs, words):
    torch.manual_seed(0)
    model = make()
    for _ in range(2):  # what was refused once is not trusted later
        with pytest.raises(ArgumentError, match=words): row(model, x, **kwargs)
        assert hooks_on(model) == 0


def test_a_distillation_token_at_the_end_is_noticed():
    alone = theirs("vit")
    model = alone.ViT(**BASE)
    forward = model.transformer.forward
    model.transformer.forward = lambda x: forward(torch.cat([x, x[:, :1]], 1))
    with pytest.raises(ArgumentError, match=COUNT): row(model, images(2, 12, 3))


@pytest.mark.parametrize("norm", [nn.LayerNorm, nn.RMSNorm, None])
def test_timm_layout_with_norms(norm):
    torch.manual_seed(0)
    model, x = nn.Sequential(TimmAttention(12, 3, norm), TimmAttention(12, 3, norm)), torch.randn(2, 7, 12)
    for layer in (0, 1):
        got, want = row(model, x, layer=layer, token=0, prefix=1), model[layer].seen[:, :, 0, 1:]
        assert_close(got, want, atol=1e-6, rtol=1e-5)
        grads = [torch.autograd.grad(o.softmax(-1).square().sum(), model[layer].qkv.weight, retain_graph=True)[0] for o in (got, want)]
        assert_close(*grads, atol=1e-6, rtol=1e-4)
    other = row(model, x, token=4, prefix=2)  # any token, any number of tokens before the patches
    assert_close(other, model[1].seen[:, :, 4, 2:], atol=1e-6, rtol=1e-5)
    half = TimmAttention(12, 3, norm)
    half.k_norm = nn.Identity() if norm else nn.LayerNorm(4)
    got = row(half, x, token=0, prefix=1)  # one norm of the two
    assert_close(got, half.seen[:, :, 0, 1:], atol=1e-6, rtol=1e-5)
    assert hooks_on(model) == hooks_on(half) == 0


@pytest.mark.parametrize("options", [{}, dict(qk_norm=True), dict(head_dim=5), dict(qkv_bias=False)])
def test_ours_equals_attention_maps(options):
    model = tiny(**options)
    for layer in (-2, -1, 0, 1):
        got = row(model, layer=layer, detach=True)
        maps = model.attention_maps(images(), layer)  # with the CLS token's look at itself
        assert_close(got.softmax(-1), maps/maps.sum(-1, keepdim=True))
        assert not got.requires_grad


def test_several_layers_gradient_and_fused_attention_stays_on(monkeypatch):
    calls, fused = [], F.scaled_dot_product_attention
    model = tiny()
    want = model(images())
    monkeypatch.setattr(F, "scaled_dot_product_attention", lambda *a, **k: (calls.append(1), fused(*a, **k))[1])
    with AttentionExtractor(model, layers=[1, 0]) as e: preds = model(images())
    assert len(calls) == 2 and torch.equal(preds, want), "the block changes nothing in the model"
    for o, layer in zip(e.cls_logits, (1, 0)): assert_close(o, row(model, layer=layer))
    e.cls_logits[0].sum().backward()
    assert model.blocks[-1].attention.qkv.weight.grad.abs().max() > 0 and model.blocks[-1].attention.out.weight.grad is None


def test_nothing_left_behind_nothing_stale_and_copies_are_silent():
    model = tiny()
    with pytest.raises(ZeroDivisionError):
        with AttentionExtractor(model): model(images()); 1/0
    e = AttentionExtractor(tiny())
    with pytest.raises(ArgumentError, match="no call of it inside the block"): e.cls_logits
    with e:
        with pytest.raises(ArgumentError, match="frames are stacked"): e.model(images(size=12))
        with pytest.raises(ArgumentError, match="no call"): e.model.features(images()); e.cls_logits  # not compared
        e.model(images()); first = e.cls_logits
        e.model(-images()); second = e.cls_logits
        assert not torch.equal(first, second)
        with pytest.raises(RuntimeError, match="inside a block already"): e.__enter__()
        for copy in (deepcopy, lambda m: pickle.loads(pickle.dumps(m))):
            copy(e.model)(images())
            assert e.cls_logits is second
    e.model(images())
    assert e.cls_logits is second, "after the block nobody listens"
    with e:
        with pytest.raises(ArgumentError, match="no call"): e.cls_logits  # nothing of the block before
    with pytest.raises(ArgumentError, match="no call"): deepcopy(e).cls_logits
    with AttentionExtractor(tiny()) as named: named.model(x=images())
    assert named.cls_logits.shape == (3, 2, 4)
    with AttentionExtractor(model, 0) as a, AttentionExtractor(model, 1) as b: model(images())
    assert not torch.equal(a.cls_logits, b.cls_logits)
    assert hooks_on(model) == hooks_on(e.model) == 0
    assert not torch.overrides._get_current_function_mode_stack()


def test_other_attention_is_refused_by_name():
    encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 8, batch_first=True), 2)
    place = dict(token=0, prefix=1)
    for model in (encoder, encoder.layers[0], nn.MultiheadAttention(8, 2)):
        with pytest.raises(ArgumentError, match="`model`: expected .*qkv.*got 'MultiheadAttention at"): AttentionExtractor(model, **place)
    class SelfAttention(nn.Module):
        def __init__(self):
            super().__init__()
            self.num_heads, self.query, self.key = 2, nn.Linear(4, 4), nn.Linear(4, 4)
    class OuterAttention(nn.Module):
        def __init__(self): super().__init__(); self.inner = SelfAttention()
    with pytest.raises(ArgumentError, match="got 'SelfAttention at 0.inner'"): AttentionExtractor(nn.Sequential(OuterAttention()), **place)
    with pytest.raises(ArgumentError, match="got 'Sequential'"): AttentionExtractor(nn.Sequential(nn.Linear(2, 2)), **place)
    for layer in (2, -3):
        with pytest.raises(IndexError): AttentionExtractor(tiny(), layer)
    causal = tiny()
    causal.blocks[-1].attention.causal = True
    with pytest.raises(ArgumentError, match="Attention at blocks.1.attention"): row(causal)
    masked = tiny()
    forward = masked.blocks[-1].attention.forward
    mask = torch.arange(5) < 3
    masked.blocks[-1].attention.forward = lambda x, none: forward(x, mask.expand(5, 5))
    with pytest.raises(ArgumentError, match="Attention at blocks.1.attention"): row(masked)


def test_compiled_inside_the_block():
    model = tiny()
    want = row(model)  # compared once, in a call that is not compiled
    try:
        compiled = torch.compile(model, backend="aot_eager")
        with AttentionExtractor(model) as e:
            compiled(-images()); compiled(images())
            assert_close(e.cls_logits, want)
            grad = torch.autograd.grad(e.cls_logits.square().sum(), model.blocks[-1].attention.qkv.weight)[0]
        assert grad.abs().max() > 0
    finally: torch._dynamo.reset()


def test_half_precision_and_no_grad():
    with torch.no_grad(): got = row(tiny().bfloat16(), images().bfloat16())
    assert got.dtype == torch.bfloat16 and not got.requires_grad
    with torch.autocast("cpu", torch.bfloat16): got = row(tiny())
    assert got.dtype == torch.bfloat16 and got.requires_grad


def test_the_extractor_is_cheap():
    "As measured by bench/extractor.py"
    times = load_results("extractor").pivot(index=["patches", "repeat"], columns="what", values="cpu_ms")
    ratio = times.div(times["plain"], axis=0).groupby("patches").median()
    assert ratio["AttentionExtractor"].max() < 1.05 < ratio["all rows"].max()


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
    with pytest.raises(ArgumentError, match="floating point"): gaze_loss(pair()[0], torch.ones(5, 3, 6, dtype=torch.int64))


def test_ce_plus_gaze_holds_each_head_by_default():
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
    learn = learner(gaze, cbs=[metrics, EarlyStopCB("valid_loss", 1, min_delta=1e9, restore=False)])
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


def test_two_layers_at_once():
    learn = learner(GazeCB(layers=[0, 1]), [batches(1)])
    learn.fit(1)
    model, (x, y, shares) = tiny(), batches(1)[0]
    with AttentionExtractor(model, layers=[0, 1]) as e: preds = model(x)
    both = [gaze_loss(o, gaze_targets(shares, 2), "probs") for o in e.cls_logits]
    (action_loss(preds, y) + sum(both)/2).backward()
    for a, b in zip(learn.model.parameters(), model.parameters()):
        assert_close(a, b if b.grad is None else b - 0.1*b.grad)


def test_video_has_gaze_for_each_frame():
    torch.manual_seed(0)
    model = theirs("vivit").ViViT(**VIDEO)
    x, y, shares = images(2, 12, 3, 4), torch.tensor([0, 2]), torch.rand(2, 4, 9).softmax(-1)
    with AttentionExtractor(model) as e: preds = model(x)
    want = gaze_loss(e.cls_logits, rearrange(shares, "b f n -> (b f) 1 n").expand(-1, 2, -1), "probs")
    cb = GazeCB()
    Learner(model, [[(x, y, shares)]], action_loss, 0.1, [TrainCB(), cb]).fit(1)
    assert_close(cb.loss, want.detach())


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
    with pytest.raises(IndexError): learner(GazeCB(layers=[5])).fit(1)
    frozen = learner(GazeCB())
    for p in [*frozen.model.parameters()][:-4]: p.requires_grad_(False)
    with pytest.raises(ArgumentError, match="attention that no trained weight reaches"): frozen.fit(1)
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


# the shuffle

@pytest.mark.parametrize("b, hgt, wid, channels, share", [(6, 8, 8, 1, .5), (5, 8, 12, 3, .3), (1, 4, 4, 1, .5), (7, 8, 8, 2, 0.)])
def test_shuffle_keeps_its_law(b, hgt, wid, channels, share):
    g = torch.Generator().manual_seed(0)
    x = torch.rand(b, channels, hgt, wid, generator=g)
    before = patchify(x, 4)
    seen, kept = torch.rand(before.shape[:2], generator=g) < share, x.clone()
    after = patchify(shuffle_unseen(x, seen, 4), 4)
    assert torch.equal(x, kept) and torch.equal(after[seen], before[seen])
    assert_close(after.sort(0).values, before.sort(0).values)  # each place keeps its patches
    rows = {tuple(o) for o in before.flatten(0, 1).tolist()}
    assert {tuple(o) for o in after.flatten(0, 1).tolist()} == rows, "whole patches, each once"
    assert torch.equal(shuffle_unseen(x, torch.ones_like(seen), 4), x)
    if b > 1 and share == 0: assert not torch.equal(after, before)


def test_shuffle_in_training_alone_by_the_clones_own_attention():
    seen = []
    class Look(TrainCB):
        def predict(self, learn):
            seen.append((learn.training, learn.batch[0]))
            super().predict(learn)
    data = batches(1), batches(1, seed=1)
    Learner(tiny(), data, action_loss, 0.1, [Look(), GazeCB(), ShuffleCB()]).fit(1)
    (_, trained), (_, judged) = seen
    assert torch.equal(judged, data[1][0][0]), "validation frames are left alone"
    before, after = patchify(data[0][0][0], 4), patchify(trained, 4)
    looked = row(tiny(), data[0][0][0]).softmax(-1).mean(1) >= 1/4
    assert torch.equal(after[looked], before[looked]) and not torch.equal(after, before)
    assert_close(after.sort(0).values, before.sort(0).values)
    everywhere = Learner(tiny(), [data[0]], action_loss, 0.1, [Look(), GazeCB(), ShuffleCB(below=0)])
    everywhere.fit(1)
    assert torch.equal(seen[-1][1], data[0][0][0]), "all is seen, nothing moves"


EVENTS = ["before_batch", "after_predict", "after_loss", "after_backward", "after_step", "after_batch", "cleanup_batch"]
KEEPERS = dict(gaze=GazeCB, measured=lambda: GazeCB(reg_lambda=0), mixup=MixupCB, accumulated=lambda: GradAccumCB(2), clipped=lambda: GradClipCB(1.),
               averaged=EMACB, activations=ActivationStats, gradients=GradientStats, shuffle=ShuffleCB)


def with_graph(*things):
    "How many tensors with a graph can be reached from some objects"
    seen, found = {}, []
    todo = [*things]
    while todo:
        if id(o := todo.pop()) in seen: continue
        seen[id(o)] = o
        if torch.is_tensor(o): found += [o] if o.grad_fn is not None else []
        elif isinstance(o, dict): todo += o.values()
        elif isinstance(o, (list, tuple, set)): todo += o
        elif hasattr(o, "__dict__") and not isinstance(o, (type, nn.Module)): todo.append(vars(o))
    return len(found)


@pytest.mark.parametrize("event", EVENTS)
@pytest.mark.parametrize("keeper", KEEPERS)
def test_an_aborted_fit_leaves_no_graph(keeper, event):
    parts = [images(4), torch.tensor([0, 1, 2, 0])]
    if keeper in ("gaze", "measured", "shuffle"): parts.append(torch.full((4, 1, 4), .25))
    class Stops(Callback): pass
    def stop(self, learn): raise KeyboardInterrupt
    setattr(Stops, event, stop)
    for Stops.order in (-100, 0, 1000):
        cb = KEEPERS[keeper]()
        learn = Learner(tiny(), ([parts]*2, None), nn.CrossEntropyLoss(), cbs=[TrainCB(), cb, Stops()])
        if keeper == "shuffle": learn.add_cb(GazeCB())
        with pytest.raises(KeyboardInterrupt): learn.fit(1)
        assert with_graph(cb, learn) == 0
    assert with_graph([dict(a=torch.ones(1, requires_grad=True)*2)]) == 1


def test_a_learner_that_trains_itself_says_how_many_inputs():
    class Both(ViT):
        def forward(self, a, b): return super().forward(a + b)
    class Two(TrainLearner): n_inp = 2
    x, y, cb = images(4), torch.tensor([0, 1, 2, 0]), GazeCB()
    Two(Both(8, 4, 1, 3, 8, 2, 2), ([(x, x, y, torch.full((4, 1, 4), .25))], None), nn.CrossEntropyLoss(), cbs=cb).fit(1)
    assert cb.loss > 0
