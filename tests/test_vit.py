"""Laws of lesson 28: the order of patches, other people's weights in our ViT, positions, shapes and clear refusals."""
import base64
import io
import re

import pytest
import torch
import torch.nn.functional as F
from einops import rearrange
from hypothesis import given, settings, strategies as st
from torch import nn
from torch.testing import assert_close

from foreign import theirs as vit_pytorch
from minitrain.core import ArgumentError, set_seed
from minitrain.data import DataLoader, DataLoaders, Dataset
from minitrain.learner import Learner, TrainCB
from minitrain.likelihood import cross_entropy
from minitrain.optim import AdamW
from minitrain.vit import ViT, patch_map, patchify, show_heat, unpatchify

torch.set_num_threads(1)


def batch(*shape, seed=0): return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


# timm's layout and names (VisionTransformer with qk_norm), small; test_transfer.py reads timm's own

class TimmAttention(nn.Module):
    def __init__(self, dim, heads, qkv_bias=True, qk_norm=True, fused=True):
        super().__init__()
        self.num_heads, self.head_dim, self.scale, self.fused_attn = heads, dim//heads, (dim//heads)**-0.5, fused
        self.qkv, self.proj = nn.Linear(dim, 3*dim, bias=qkv_bias), nn.Linear(dim, dim)
        self.q_norm, self.k_norm = (nn.LayerNorm(dim//heads, eps=1e-6) if qk_norm else nn.Identity() for _ in range(2))
        self.attn_drop, self.proj_drop = nn.Identity(), nn.Identity()

    def forward(self, x):
        b, n, c = x.shape
        q, k, v = self.qkv(x).reshape(b, n, 3, self.num_heads, self.head_dim).permute(2, 0, 3, 1, 4).unbind(0)
        q, k = self.q_norm(q), self.k_norm(k)
        if self.fused_attn: x = F.scaled_dot_product_attention(q, k, v)
        else: x = self.attn_drop((q*self.scale @ k.transpose(-2, -1)).softmax(dim=-1)) @ v
        return self.proj_drop(self.proj(x.transpose(1, 2).reshape(b, n, c)))


class TimmBlock(nn.Module):
    def __init__(self, dim, heads, mlp_dim, **kwargs):
        super().__init__()
        self.norm1, self.norm2 = (nn.LayerNorm(dim, eps=1e-6) for _ in range(2))
        self.attn, self.mlp = TimmAttention(dim, heads, **kwargs), nn.Module()
        self.mlp.fc1, self.mlp.fc2 = nn.Linear(dim, mlp_dim), nn.Linear(mlp_dim, dim)

    def forward(self, x):
        x = x + self.attn(self.norm1(x))
        return x + self.mlp.fc2(F.gelu(self.mlp.fc1(self.norm2(x))))


class TimmViT(nn.Module):
    def __init__(self, image_size, patch_size, channels, num_classes, dim, depth, heads, mlp_dim, **kwargs):
        super().__init__()
        self.patch_embed = nn.Module()
        self.patch_embed.proj = nn.Conv2d(channels, dim, patch_size, stride=patch_size)
        n = (image_size[0]//patch_size[0])*(image_size[1]//patch_size[1])
        self.cls_token, self.pos_embed = nn.Parameter(torch.randn(1, 1, dim)), nn.Parameter(torch.randn(1, n + 1, dim))
        self.blocks = nn.Sequential(*(TimmBlock(dim, heads, mlp_dim, **kwargs) for _ in range(depth)))
        self.norm, self.head = nn.LayerNorm(dim, eps=1e-6), nn.Linear(dim, num_classes)

    def forward(self, x):
        x = self.patch_embed.proj(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.cls_token.expand(len(x), -1, -1), x], 1) + self.pos_embed
        return self.head(self.norm(self.blocks(x))[:, 0])


def same(theirs, ours, x):
    "Scores, loss and the gradient with respect to the image"
    a, b = (x.clone().requires_grad_() for _ in range(2))
    ya, yb = theirs(a), ours(b)
    assert_close(yb, ya, atol=1e-5, rtol=1e-5)
    for y in (ya, yb): y.square().sum().backward()
    assert_close(b.grad, a.grad, atol=1e-5, rtol=1e-4)


def spread(model):
    "Weights that make every norm and bias matter"
    with torch.no_grad():
        for p in model.parameters(): p.add_(0.1*torch.randn_like(p))
    return model.eval()


# patches

@settings(max_examples=40, deadline=None)
@given(*[st.integers(1, 4)]*6)
def test_patches_go_back_to_where_they_were(b, c, h, w, p1, p2):
    x = batch(b, c, h*p1, w*p2)
    patches = patchify(x, (p1, p2))
    assert patches.shape == (b, h*w, p1*p2*c)
    assert torch.equal(unpatchify(patches, (p1, p2), (h*p1, w*p2)), x)
    for i in range(h):  # by hand
        for j in range(w):
            want = x[:, :, i*p1:(i + 1)*p1, j*p2:(j + 1)*p2].permute(0, 2, 3, 1).reshape(b, -1)
            assert torch.equal(patches[:, i*w + j], want)


def test_one_bright_patch_on_two_by_three():
    for i in range(6):
        x = torch.zeros(1, 1, 4, 6)
        x[..., 2*(i//3):2*(i//3) + 2, 2*(i % 3):2*(i % 3) + 2] = 1
        assert patchify(x, 2).mean(-1)[0].tolist() == [float(j == i) for j in range(6)]
        assert torch.equal(patch_map(torch.eye(6)[i], 2, (4, 6)), x[0, 0])


def test_a_map_has_the_mean_of_its_patches():
    values = batch(2, 3, 12)  # any leading axes
    picture = patch_map(values, (2, 5), (6, 20))
    assert picture.shape == (2, 3, 6, 20)
    assert_close(patchify(picture, (2, 5)).unflatten(-1, (10, 3)).mean(2).transpose(1, 2), values)


def test_the_convolution_with_a_stride_is_the_same_projection():
    lin, x = nn.Linear(3*4*2, 5), batch(2, 2, 9, 8)
    kernel = rearrange(lin.weight, "d (p1 p2 c) -> d c p1 p2", p1=3, p2=4)
    assert_close(F.conv2d(x, kernel, lin.bias, stride=(3, 4)).flatten(2).transpose(1, 2), lin(patchify(x, (3, 4))), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("shape", [(2, 1, 8, 12), (2, 3, 12, 8), (2, 3, 8, 16), (3, 8, 12), (2, 2, 3, 8, 12)])
def test_an_image_of_another_shape(shape):
    "A picture on its side has as many patches: it would be read in silence"
    with pytest.raises((ValueError, RuntimeError)): ViT((8, 12), 4, 3, 5, 8, 1, 2)(batch(*shape))


# the model

def test_it_is_what_it_says():
    "Forward pass by hand, from the parts"
    set_seed(0)
    model, x = spread(ViT((8, 12), (4, 6), 2, 5, 16, 2, 4, mlp_dim=20)), batch(3, 2, 8, 12)
    tokens = torch.cat([model.cls_token.expand(3, 1, 16), model.patch_embed[1](patchify(x, (4, 6)))], 1) + model.pos_embed
    for block in model.blocks: tokens = block(tokens)
    assert_close(model.features(x), model.norm(tokens))
    assert_close(model(x), model.head(model.norm(tokens)[:, 0]))
    assert model.grid == (2, 2) and model.pos_embed.shape == (1, 5, 16) and model.blocks[0].mlp[0].out_features == 20


def test_each_sample_by_itself_and_every_parameter_learns():
    set_seed(0)
    model, x = spread(ViT(8, 4, 1, 5, 16, 2, 4)), batch(6, 1, 8, 8)
    assert_close(torch.cat([model(o[None]) for o in x]), model(x), atol=1e-5, rtol=1e-5)
    model(x).square().sum().backward()
    assert all(p.grad.abs().max() > 0 for n, p in model.named_parameters() if "qkv.bias" not in n)


@pytest.mark.parametrize("positions", [False, True])
def test_without_positions_it_reads_a_bag_of_patches(positions):
    set_seed(0)
    model, x = spread(ViT((4, 6), 2, 3, 5, 16, 2, 4)), batch(4, 3, 4, 6)
    if not positions: nn.init.zeros_(model.pos_embed)
    shuffled = unpatchify(patchify(x, 2)[:, [3, 0, 5, 1, 4, 2]], 2, (4, 6))
    moved = (model(x) - model(shuffled)).abs().max()
    assert moved > 1e-3 if positions else moved < 1e-5


def test_attention_maps_are_the_rows_of_the_cls_token():
    set_seed(0)
    model, x = spread(ViT((4, 6), 2, 1, 5, 16, 3, 4, qk_norm=True)), batch(2, 1, 4, 6)
    tokens = model.embed(x)
    for i, block in enumerate(model.blocks):
        att = block.attention
        q, k, _ = (rearrange(o, "b n (h d) -> b h n d", h=4) for o in att.qkv(block.norm1(tokens)).chunk(3, -1))
        want = (att.q_norm(q) @ att.k_norm(k).mT/2).softmax(-1)[:, :, 0, 1:]
        for layer in (i, i - 3): assert_close(model.attention_maps(x, layer), want, atol=1e-6, rtol=1e-5)
        tokens = block(tokens)
    maps = model.attention_maps(x)
    assert maps.shape == (2, 4, 6) and not maps.requires_grad and maps.sum(-1).max() < 1


def test_dtypes_and_state_dict():
    set_seed(0)
    model, x = ViT(8, 4, 1, 3, 16, 1, 4).double(), batch(2, 1, 8, 8).double()
    assert model(x).dtype == torch.float64
    twin = ViT(8, 4, 1, 3, 16, 1, 4).double()
    twin.load_state_dict(model.state_dict())
    assert torch.equal(twin(x), model(x))


def test_it_learns_where_a_spot_is():
    "Four places, told apart by position vectors alone; through the Learner"
    set_seed(0)
    y = torch.arange(4).repeat(16)
    x = patch_map(torch.eye(4)[y], 4, 8)[:, None] + 0.1*batch(64, 1, 8, 8)
    model = ViT(8, 4, 1, 4, 16, 1, 2)
    learn = Learner(model, DataLoaders(DataLoader(Dataset(x, y), 16, shuffle=True, seed=0)), cross_entropy, 0.01, [TrainCB()], AdamW)
    learn.fit(30, valid=False)
    assert (model(x).argmax(1) == y).all()
    nn.init.zeros_(model.pos_embed.data)  # the control: nothing else told it
    assert (model(x).argmax(1) == y).float().mean() < 0.6


# other people's weights

@pytest.mark.parametrize("kwargs", [
    dict(image_size=24, patch_size=4, channels=1, dim=48, heads=4, dim_head=12, mlp_dim=96),
    dict(image_size=(8, 12), patch_size=(4, 3), channels=3, dim=16, heads=3, dim_head=8, mlp_dim=20)], ids=["digits", "frames"])
def test_equal_to_vit_pytorch(kwargs):
    set_seed(0)
    theirs = spread(vit_pytorch("vit").ViT(num_classes=5, depth=3, **kwargs))
    ours = ViT.from_weights(theirs.state_dict(), kwargs["image_size"], kwargs["patch_size"], kwargs["heads"])
    hgt, wid = ours.image_size
    same(theirs, ours, batch(3, kwargs["channels"], hgt, wid))
    assert not ours.training and ours.channels == kwargs["channels"] and len(ours.blocks) == 3


def test_the_comparison_can_fail():
    "Controls: another epsilon, another number of heads, another order of patches"
    set_seed(0)
    vp = vit_pytorch("vit")
    theirs = spread(vp.ViT(image_size=(8, 12), patch_size=4, channels=2, num_classes=5, dim=16, depth=2, heads=4, dim_head=4, mlp_dim=20))
    x = 0.01*batch(3, 2, 8, 12)
    same(theirs, ViT.from_weights(theirs.state_dict(), (8, 12), 4, 4), x)
    other = ViT.from_weights(theirs.state_dict(), (8, 12), 4, 2)
    eps = ViT.from_weights(theirs.state_dict(), (8, 12), 4, 4)
    for m in eps.modules():
        if isinstance(m, nn.LayerNorm): m.eps = 1e-3
    turned = ViT.from_weights(theirs.state_dict(), (12, 8), 4, 4)
    for wrong, y in ((other, x), (eps, x), (turned, x.transpose(2, 3))):
        with pytest.raises(AssertionError): assert_close(wrong(y), theirs(x), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("options", [dict(), dict(qk_norm=False), dict(qkv_bias=False), dict(fused=False)], ids=str)
def test_equal_to_the_layout_of_timm(options):
    set_seed(0)
    theirs = spread(TimmViT((8, 12), (4, 3), 3, 5, 16, 3, 4, 24, **options))
    ours = ViT.from_weights(theirs.state_dict(), (8, 12), (4, 3), heads=4)
    same(theirs, ours, batch(3, 3, 8, 12))
    assert {m.eps for m in ours.modules() if isinstance(m, nn.LayerNorm)} == {1e-6}


def changed(**kwargs):
    set_seed(0)
    w = TimmViT((8, 12), (4, 3), 3, 5, 16, 2, 4, 24).state_dict() | kwargs
    return {k: v for k, v in w.items() if v is not None}


@pytest.mark.parametrize("change, size, patch, heads", [
    ({}, (8, 16), (4, 4), 4), ({}, (8, 9), (4, 3), 4), ({}, (8, 12), (4, 3), 5),
    (dict(reg_token=torch.zeros(1, 4, 16)), (8, 12), (4, 3), 4),
    ({"norm.weight": None}, (8, 12), (4, 3), 4), ({"head.weight": None}, (8, 12), (4, 3), 4)])
def test_foreign_weights_that_do_not_fit(change, size, patch, heads):
    "Nothing is left out, nothing is made up"
    with pytest.raises((RuntimeError, KeyError)):
        ViT.from_weights(changed(**change), size, patch, heads)


def test_the_weights_that_were_given_stay_as_they_are():
    weights = changed()
    kept = {k: v.clone() for k, v in weights.items()}
    model = ViT.from_weights(weights, (8, 12), (4, 3), 4)
    with torch.no_grad(): model.cls_token += 1
    assert all(torch.equal(v, kept[k]) for k, v in weights.items()) and list(weights) == list(kept)


def test_heat_is_drawn_over_the_image():
    import matplotlib
    matplotlib.use("agg")
    heat = torch.zeros(4, 6)
    heat[1, 2] = 5
    ax = show_heat(batch(1, 4, 6), heat.requires_grad_(), title="t")
    image, over = ax.images
    assert over.get_array().max() == 5 and ax.get_title() == "t"
    assert over.get_alpha().argmax() == 8 and over.get_alpha().max() == pytest.approx(0.8)
    weak = show_heat(batch(1, 4, 6), heat/10, vmax=5).images[1]  # one scale for two panels
    assert over.get_clim() == weak.get_clim() == (0, 5)
    assert weak.get_alpha().max() == pytest.approx(0.08)
    matplotlib.pyplot.colorbar(weak, ax=ax)
    matplotlib.pyplot.close("all")


def test_heat_leaves_the_image_in_sight_in_an_svg():
    "An image that SVG keeps at its own size loses the alpha of its pixels: heat is not drawn so"
    import matplotlib
    matplotlib.use("agg")
    heat = torch.zeros(4, 6)
    heat[1, 2] = 5
    show_heat(batch(1, 4, 6), heat).figure.savefig(out := io.StringIO(), format="svg")
    matplotlib.pyplot.close("all")
    pictures = re.findall(r"base64,\s*([^\"]+)\"", out.getvalue())
    over = matplotlib.pyplot.imread(io.BytesIO(base64.b64decode(pictures[-1])))
    seen = (over[..., 3] == 0).mean() if over.shape[-1] == 4 else 0
    assert 0.9 < seen < 1  # one patch of 24 is covered
