"Weights go to timm's layout and back, and groups keep their ratio whatever is frozen meanwhile."
from functools import partial

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from foreign import timm
from minitrain.core import set_seed
from minitrain.data import DataLoader, DataLoaders, Dataset
from minitrain.learner import Learner, TrainCB
from minitrain.likelihood import cross_entropy
from minitrain.optim import AdamW
from minitrain.progress import RecorderCB
from minitrain.schedule import freeze
from minitrain.transfer import timm_state_dict, two_rates
from minitrain.vit import ViT


@pytest.mark.parametrize("options", [{}, dict(qk_norm=True), dict(qkv_bias=False), dict(mlp_dim=20), dict(depth=11)], ids=str)
def test_there_and_back(options):
    "Oblong patches of several channels, and blocks of two digits"
    set_seed(0)
    model = ViT((24, 36), (4, 6), 3, 5, **(dict(dim=32, depth=2, heads=4, norm_eps=1e-6) | options)).eval()
    for p in model.parameters(): nn.init.normal_(p, std=0.2)
    weights, x = timm_state_dict(model), torch.randn(2, 3, 24, 36)
    assert weights["patch_embed.proj.weight"].shape == (32, 3, 4, 6) and all(o.is_contiguous() for o in weights.values())
    assert_close(ViT.from_weights(weights, (24, 36), (4, 6), 4)(x), model(x))
    conv = nn.functional.conv2d(x, weights["patch_embed.proj.weight"], weights["patch_embed.proj.bias"], stride=(4, 6))
    assert_close(conv.flatten(2).mT, model.embed(x)[:, 1:] - model.pos_embed[:, 1:], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("options", [{}, dict(qk_norm=True), dict(qkv_bias=False)], ids=str)
def test_timm_itself_agrees(options):
    "Weights of timm's own model here, and ours in timm's own: the same answers, to the bit"
    config = dict(img_size=(24, 36), patch_size=(4, 6), num_classes=5, embed_dim=32, depth=2, num_heads=4, mlp_ratio=2.)
    theirs, other = (timm("vision_transformer").VisionTransformer(**config, **options).eval() for _ in range(2))
    set_seed(0)
    for p in theirs.parameters(): nn.init.normal_(p, std=0.1)
    model, x = ViT.from_weights(theirs.state_dict(), (24, 36), (4, 6), 4), torch.randn(2, 3, 24, 36)
    assert_close(model(x), theirs(x), atol=1e-6, rtol=1e-6)
    other.load_state_dict(timm_state_dict(model))
    assert torch.equal(other(x), theirs(x))


@pytest.mark.parametrize("opt_func", [partial(AdamW, weight_decay=0.05), torch.optim.SGD])
def test_frozen_then_free(opt_func):
    "One Learner: first the head alone, and nothing else moves; then all, at a tenth"
    set_seed(0)
    model = nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 3))
    dls = DataLoaders(DataLoader(Dataset(torch.randn(20, 6), torch.arange(20) % 3), 5))
    learn = Learner(model, dls, cross_entropy, 0.01, TrainCB(), two_rates(opt_func, model[2]))
    def rates(cb): return {o["name"]: o["lr"] for o in cb.learn.opt.param_groups}
    freeze(model[0])
    before = model[0].weight.clone()
    learn.fit_one_cycle(2, 0.5, valid=False, cbs=(rec := RecorderCB(rates=rates)))
    assert torch.equal(model[0].weight, before) and {*map(tuple, rec.recs["rates"])} == {("head",)}
    freeze(model[0], False)
    learn.fit_one_cycle(2, 0.5, valid=False, cbs=(rec := RecorderCB(rates=rates)))
    assert not torch.equal(model[0].weight, before)
    for o in rec.recs["rates"]: assert o["head"] == pytest.approx(10*o["body"])
    assert max(o["head"] for o in rec.recs["rates"]) > 0.4
