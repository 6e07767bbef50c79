"Lesson 32: an extractor for any ViT that leaves nothing behind, losses that say what they compare, a job that survives a kill."
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

from minitrain import gaze_training as G
from minitrain.all import Accuracy, ArgumentError, BatchTransformCB, CancelFitException, EarlyStopCB, GradAccumCB, Learner, MetricsCB, TrainCB, ViT, get_preds, set_seed
from minitrain.gaze import Episode, _save_atari_head, save_gabril
from minitrain.gaze_training import (AttentionExtractor, GazeCB, GazeCompareConfig, GazeConfig, action_loss, ce_plus_gaze, compare_gaze, gaze_kl,
    gaze_loss, gaze_targets, play_gaze, report_gaze, resume_gaze, train_gaze)

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
        with pytest.raises(IndexError, match=f"`layer`: expected the number of an attention layer, from -3 to 2, got {layer}"): AttentionExtractor(model, layer)
    for layer in (1.0, True, "last"):
        with pytest.raises(ArgumentError, match="`layer`"): AttentionExtractor(model, layer)


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
    with pytest.raises(ArgumentError, match="got 'a model'"): AttentionExtractor("a model")
    causal = tiny()
    causal.blocks[-1].attention.causal = True
    with pytest.raises(ArgumentError, match="causal"): AttentionExtractor(causal)


def test_grouped_queries_are_refused():
    model = TimmAttention(12, 3, None)
    model.head_dim = 2  # as if keys were shared
    with pytest.raises(ArgumentError, match="all of one width"), AttentionExtractor(model):
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
    (lambda l, t: (l, t[:, 0]), "`targets`: expected shares of shape"), (lambda l, t: (l, t[:, :1]), "`targets`"), (lambda l, t: (l[:, 0], t[:, 0]), "`logits`: expected scores"),
    (lambda l, t: (l, t.transpose(0, 1)), "`targets`"), (lambda l, t: (l, t, "mean"), "`pool`: expected 'none', 'logits' or 'probs', got 'mean'")])
def test_other_shapes_are_refused(change, words):
    args = change(*pair())
    for f in (gaze_loss, gaze_kl):
        with pytest.raises(ArgumentError, match=words): f(*args)
    with pytest.raises(TypeError, match="`targets`"): gaze_loss(pair()[0], torch.ones(5, 3, 6, dtype=torch.int64))


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
    for wrong in (shares[0], shares[..., None], shares.long(), [1]):
        with pytest.raises(ArgumentError, match="`shares`"): gaze_targets(wrong, 4)
    with pytest.raises(ArgumentError, match="`heads`"): gaze_targets(shares, 0)


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
    with pytest.raises(IndexError, match="layer"): learner(GazeCB(layer=5)).fit(1)
    for wrong in (dict(pool="mean"), dict(reg_lambda=-1.), dict(reg_lambda=float("nan")), dict(missing="uniform")):
        with pytest.raises(ArgumentError, match=f"`{[*wrong][0]}`"): GazeCB(**wrong)


def test_predictions_need_no_gaze():
    learn = learner(GazeCB())
    learn.fit(1)
    preds, targets = get_preds(learn)
    x, y, _ = (torch.cat(o) for o in zip(*batches(2, seed=1)))
    assert_close(preds, learn.model(x).detach()) and torch.equal(targets, y)
    preds, targets = get_preds(learn, [(x, y)])
    assert_close(preds, learn.model(x).detach())


# the job

@pytest.fixture(scope="module")
def run(tmp_path_factory): return train_gaze(GazeConfig(**TINY), tmp_path_factory.mktemp("gaze")/"run", progress=False)


def test_run_has_everything_and_repeats(run, tmp_path):
    result = json.loads((run/"result.json").read_text())
    assert 0 <= result["catch_rate"] <= 1 and len(result["caught"]) == 2 and result["gaze_kl"] > 0 and result["samples"] == 2*6*128
    assert list(run.metrics) == ["epoch", "train_loss", "valid_loss", "train_accuracy", "valid_accuracy", "train_gaze", "valid_gaze"]
    assert {"loss.png", "gaze.png", "accuracy.png", "model.safetensors", "versions.json"} <= {o.name for o in run.path.iterdir()}
    assert result["valid_loss"] == pytest.approx(run.metrics.valid_loss.iloc[-1], rel=1e-4)
    assert result["gaze_kl"] == pytest.approx(run.metrics.valid_gaze.iloc[-1], rel=1e-3)
    again = train_gaze(load_config(run/"config.yaml", GazeConfig), tmp_path/"again", progress=False)
    assert (again/"model.safetensors").read_bytes() == (run/"model.safetensors").read_bytes()
    assert not torch.cuda.is_initialized()


def test_arms_of_a_seed_share_all_but_the_loss():
    parts = {name: G._gaze_learner(GazeConfig(**TINY | changes))[0] for name, changes in
        dict(bc=dict(gaze=False), probs={}, shuffled=dict(target="shuffled"), soft=dict(target="softmax"), dark=dict(lamps=False)).items()}
    sets = {name: o.dls.train.dataset.tensors for name, o in parts.items()}
    for name, o in parts.items():
        for a, b in zip(parts["bc"].model.parameters(), o.model.parameters()): assert torch.equal(a, b)
        assert torch.equal(sets[name][1], sets["bc"][1]) and o.dls.train.seed == parts["bc"].dls.train.seed
        assert torch.equal(o.dls.valid.dataset.tensors[2], parts["bc"].dls.valid.dataset.tensors[2]), "validation gaze is never changed"
    assert torch.equal(sets["shuffled"][0], sets["bc"][0]) and not torch.equal(sets["dark"][0], sets["bc"][0])
    real, mixed, soft = (sets[o][2][:, 0] for o in ("probs", "shuffled", "soft"))
    assert torch.equal(real.sum(0), real.sum(0)) and not torch.equal(real, mixed)
    assert torch.equal(real[real.sum(1).argsort()].sum(), mixed.sum()) or torch.allclose(real.sum(0), mixed.sum(0), atol=1e-3)
    keep = real.any(-1)
    entropy = lambda o: torch.special.entr(o[keep]).sum(-1).mean().item()
    assert entropy(soft) > 0.98*np.log(36) > 2*entropy(real)


@pytest.mark.parametrize("qk_norm", [False, True])
def test_last_row_is_the_whole_vit(qk_norm):
    torch.manual_seed(0)
    whole, short = (cls(12, 4, 2, 3, 8, 3, 2, 12, qk_norm=qk_norm) for cls in (ViT, G._ClsViT))
    short.load_state_dict(whole.state_dict())
    x, results = images(5, 12, 2), []
    for layer in (-1, 0):
        for model in (whole, short):
            with AttentionExtractor(model, layer) as e: preds = model(x)
            loss = preds.square().sum() + e.cls_logits.square().sum()
            results.append((preds, e.cls_logits, *torch.autograd.grad(loss, list(model.parameters()))))
        for a, b in zip(*results[-2:]): assert_close(a, b, atol=1e-5, rtol=1e-4)
        assert min(o.abs().max() for o in results[-1]) > 0


def test_training_and_validation_games_differ():
    train, valid = G._gaze_frames(GazeConfig(**TINY))
    other, _ = G._gaze_frames(GazeConfig(**TINY, seed=1))
    n = len(valid.x)
    assert not torch.equal(train.x[:n], valid.x) and not torch.equal(train.x, other.x) and not torch.equal(valid.x, other.x[:n])


@pytest.mark.parametrize("wrong, words", [(dict(pool="mean"), "`pool`"), (dict(target="x"), "`target`"), (dict(layer=2), "`layer`"), (dict(patch_size=5), "`patch_size`"), (dict(frames=0), "`frames`"),
    (dict(heads=5), "`heads`"), (dict(sigma=0), "`sigma`"), (dict(epochs=0), "`epochs`"), (dict(reg_lambda=-1), "`reg_lambda`"), (dict(seed=-1), "`seed`")])
def test_config_is_checked(wrong, words):
    with pytest.raises(ArgumentError, match=words): GazeConfig(**wrong)


def test_packaged_configs():
    assert load_config("gaze", GazeConfig) == GazeConfig(device=GazeConfig().device)
    load_config("gaze_files", GazeConfig)
    config = load_config("gaze_experiment", GazeCompareConfig)
    jobs = G._jobs_of(config)
    assert len(jobs) == 10*8 + 5*4 and [j[2].seed for j in jobs[:5]] == [0]*4 + [1] and [j[0] for j in jobs] == ["first"]*40 + ["other"]*40 + ["sweep"]*20
    assert {j[1]: j[2] for j in jobs[:4]}["probs"] == load_config("gaze", GazeConfig, device="cpu")


def test_killed_run_resumes_to_the_same_weights(run, tmp_path):
    code = f"""
import os, signal
from minitrain.gaze_training import *
from minitrain.learner import Callback
from minitrain.runs import RunDir, load_config
from minitrain import gaze_training as G
class Kill(Callback):
    order = 2000
    def cleanup_batch(self, learn):
        if learn.training and (learn.epoch, learn.iter) == (1, 3): os.kill(os.getpid(), signal.SIGKILL)
old = G._gaze_learner
def new(config):
    learn, *rest = old(config)
    learn.cbs.append(Kill())
    return learn, *rest
G._gaze_learner = new
train_gaze(GazeConfig(**{TINY!r}, save_every=2), {str(tmp_path/'killed')!r}, progress=False)
"""
    done = subprocess.run([sys.executable, "-c", code], env=os.environ | dict(OMP_NUM_THREADS="1"), capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert not (tmp_path/"killed"/"result.json").exists()
    again = resume_gaze(tmp_path/"killed", progress=False)
    assert (again/"model.safetensors").read_bytes() == (run/"model.safetensors").read_bytes()
    a, b = (json.loads((o/"result.json").read_text()) for o in (again, run))
    assert {k: v for k, v in a.items() if k != "cpu_seconds"} == {k: v for k, v in b.items() if k != "cpu_seconds"}
    with pytest.raises(ArgumentError, match="config.yaml"): resume_gaze(tmp_path)
    RunDir(tmp_path/"other", dict(width=3))
    with pytest.raises(ArgumentError, match="minitrain gaze train"): resume_gaze(tmp_path/"other")


def test_play(run, tmp_path):
    from PIL import Image
    strip, clip = play_gaze(run, steps=9, pictures=3)
    with Image.open(clip) as im: assert im.n_frames == 9 and im.size == (192, 192)
    with Image.open(strip) as im: assert im.width > 2*im.height
    assert play_gaze(run, tmp_path/"a.gif", steps=2) == [tmp_path/"a.gif"]
    with pytest.raises(ArgumentError, match="`out`"): play_gaze(run, tmp_path/"a.mp4")
    with pytest.raises(ArgumentError, match="`steps`"): play_gaze(run, steps=0)


# comparison and report

def comparison(**kwargs):
    return GazeCompareConfig(**dict(config="gaze", common=TINY | dict(epochs=1), arms=dict(bc=dict(gaze=False), probs={}), seeds=2,
        sweeps=dict(first=dict(layer=0)), sweep_seeds=1, primary="probs", against=["bc"]) | kwargs)


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    path = tmp_path_factory.mktemp("compare")/"out"
    seen = []
    df = compare_gaze(comparison(), path, progress=False, on_row=lambda o: seen.append(len(o)))
    return path, df, seen


def test_compare(compared, run):
    import pandas as pd
    path, df, seen = compared
    assert seen == [1, 2, 3, 4, 5]
    assert list(zip(df.arm, df.seed)) == [("bc", 0), ("probs", 0), ("bc", 1), ("probs", 1), ("first", 0)] and set(df.group) == {"first", "sweep"}
    assert "5 of 5 runs" in (path/"table.txt").read_text()
    assert df.round(9).equals(pd.read_csv(path/"runs.csv").round(9))
    single = train_gaze(GazeConfig(**TINY | dict(epochs=1)), path.parent/"single", progress=False)
    assert (single/"model.safetensors").read_bytes() == (path/"probs"/"seed-0"/"model.safetensors").read_bytes()
    assert not list(path.glob("*/*/checkpoint-*"))


def test_compare_goes_on_where_it_was(compared, tmp_path):
    import shutil
    path, df, _ = compared
    shutil.copytree(path, tmp_path/"out")
    kept = tmp_path/"out"/"bc"/"seed-0"/"result.json"
    kept.write_text(json.dumps(json.loads(kept.read_text()) | dict(catch_rate=0.5)))  # a mark: what is done is not done again
    (tmp_path/"out"/"probs"/"seed-1"/"result.json").unlink()  # killed before its end
    shutil.rmtree(tmp_path/"out"/"first")  # not begun
    (tmp_path/"out"/"first"/"seed-0").mkdir(parents=True)  # killed before it wrote its configuration
    again = compare_gaze(comparison(), tmp_path/"out", jobs=1, progress=False)
    assert again.catch_rate[0] == 0.5
    columns = [o for o in df if o not in ("catch_rate", "cpu_seconds")]
    assert again[columns].equals(df[columns])
    with pytest.raises(ArgumentError, match="`out`"): compare_gaze(comparison(seeds=3), tmp_path/"out")


def test_compare_says_what_failed(tmp_path):
    bad = comparison(arms=dict(bc=dict(gaze=False), lost=dict(data=str(tmp_path/"nowhere"))), seeds=1, sweeps={}, primary="", against=[])
    with pytest.raises(RuntimeError, match="1 of 2 runs failed; lost, seed 0: ArgumentError: `data`"): compare_gaze(bad, tmp_path/"out", jobs=1, progress=False)
    assert len((tmp_path/"out"/"runs.csv").read_text().splitlines()) == 2
    for wrong in (dict(arms={}), dict(primary="x"), dict(sweeps=dict(bc={})), dict(others=dict(bc={})), dict(arms={"a/b": {}}), dict(seeds=0)):
        with pytest.raises(ArgumentError): comparison(**wrong)
    with pytest.raises(ArgumentError, match="`config`"): compare_gaze(comparison(arms=dict(bc=dict(lambda_=1)), primary="", against=[]), tmp_path/"b")


def test_killed_comparison_leaves_no_process(tmp_path):
    code = f"from minitrain.gaze_training import *; compare_gaze(GazeCompareConfig(common={TINY | dict(epochs=300)!r}, arms=dict(bc=dict(gaze=False))), {str(tmp_path/'out')!r}, jobs=1, progress=False)"
    proc = subprocess.Popen([sys.executable, "-c", code], env=os.environ | dict(OMP_NUM_THREADS="1"), stderr=subprocess.PIPE, text=True)
    until = time.monotonic() + 60
    while not (tmp_path/"out"/"bc"/"seed-0"/"metrics.csv").exists() and time.monotonic() < until: time.sleep(0.1)
    def children(): return subprocess.run(["pgrep", "-P", str(proc.pid)], capture_output=True, text=True).stdout.split()
    workers = children()
    proc.send_signal(signal.SIGINT)
    proc.communicate(timeout=30)
    assert workers and not [o for o in workers if Path(f"/proc/{o}").exists()]


def test_report(compared, tmp_path):
    path, df, _ = compared
    report = report_gaze(path, out=tmp_path)
    assert report.arms.loc["probs", "runs"] == 2 and report.arms.loc["first", "group"] == "sweep"
    assert report.arms.loc["bc", "catch_rate"] == pytest.approx(df[df.arm == "bc"].catch_rate.mean())
    row = report.differences.query("measure == 'valid_accuracy'").iloc[0]
    a, b = (df[df.arm == o].valid_accuracy.to_numpy() for o in ("probs", "bc"))
    assert row.difference == pytest.approx((a - b).mean()) and row.low <= row.difference <= row.high and row.seeds == 2
    assert {o.name for o in tmp_path.iterdir()} == {"arms.csv", "differences.csv", "arms.png"}
    assert len(report_gaze(df).differences) == 0
    with pytest.raises(ArgumentError, match="`against`"): report_gaze(df, "probs", ["nobody"])
    with pytest.raises(ArgumentError): report_gaze("no_such_table")


def test_interval_covers():
    "The bootstrap interval of a mean of 10 holds the truth about as often as it says"
    rng = np.random.default_rng(0)
    hits = [low <= 0 <= high for _, low, high in (G._interval(rng.standard_normal(10), 500) for _ in range(300))]
    assert 0.85 < np.mean(hits) < 0.97
    assert G._interval([1., 1., 1.]) == (1., 1., 1.) and np.isnan(G._interval([2.])[1])


# files in place of Catch

def test_files(tmp_path):
    g = torch.Generator().manual_seed(0)
    def games(size): return [Episode(torch.randint(255, (n, *size), generator=g, dtype=torch.uint8), torch.randint(5, (n,), generator=g), torch.rand(n, 1, 2, generator=g), "") for n in (30, 25, 28)]
    for name in ("gabril", "head", "empty"): (tmp_path/name).mkdir()
    save_gabril(tmp_path/"gabril"/"num_episodes_3_fs4_human.pt", games((84, 84)))
    _save_atari_head(tmp_path/"head"/"trial.tar.bz2", [Episode(o.frames[:12], torch.where(o.actions[:12] == 0, -100, o.actions[:12]), o.gaze[:12], "") for o in games((210, 160))])
    small = dict(epochs=1, batch_size=8, dim=8, heads=2, mlp_dim=8, depth=1, device="cpu")
    for name in ("gabril", "head"):
        run = train_gaze(load_config("gaze_files", GazeConfig, data=str(tmp_path/name), **small), tmp_path/f"{name}-run", progress=False)
        result = json.loads((run/"result.json").read_text())
        assert "catch_rate" not in result and 0 <= result["valid_accuracy"] <= 1 and result["gaze_kl"] > 0
        assert len(play_gaze(run, steps=5)) == 2
    train, valid = G._gaze_frames(GazeConfig(data=str(tmp_path/"gabril"), size=42, patch_size=14, frames=2))
    assert train.x.shape[1:] == (2, 42, 42) and train.shares.shape[1:] == (2, 9) and len(train.x) + len(valid.x) == 83
    assert torch.equal(train.x[0, 0], train.x[0, 1]) and torch.equal(train.x[2, 0], train.x[1, 1]), "frames of one game, the first one repeated"
    for folder, words in (("nowhere", "a folder that exists"), (str(tmp_path/"empty"), "GABRIL")):
        with pytest.raises(ArgumentError, match=f"`data`: expected .*{words}"): train_gaze(GazeConfig(data=folder), tmp_path/"lost")
    with pytest.raises(ArgumentError, match="`frames`"): G._gaze_frames(GazeConfig(frames=2))
