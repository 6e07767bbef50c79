"""Laws of lesson 19: transforms that leave their input alone, exact maps, patches of the same image, repeatable chance, TTA, the climb's table."""
import math
from collections import namedtuple
from functools import partial

import pytest
import torch
from hypothesis import given, settings, strategies as st
from torch import nn
from torch.testing import assert_close

from minitrain.augment import (
    RandAffine, RandCopy, RandErase, digits_model, rand_affine, rand_copy,
    rand_erase, tta)
from minitrain.callbacks import BatchTransformCB
from minitrain.core import load_digits, load_results
from minitrain.data import DataLoader, DataLoaders, Dataset
from minitrain.learner import Callback, Learner, TrainCB
from minitrain.likelihood import cross_entropy

torch.set_num_threads(1)
X, Y = load_digits()[:2]
X, Y = X[:96], Y[:96]
TRANSFORMS = [RandAffine(warp=0.5), RandErase(max_num=6), RandCopy(pct=0.4, max_num=6)]
by_name = pytest.mark.parametrize("tfm", TRANSFORMS, ids=lambda o: type(o).__name__)


@by_name
@pytest.mark.parametrize("shape", [(5, 28, 28), (5, 3, 12, 20), (1, 1, 7, 5), (0, 28, 28)], ids=str)
def test_shape_dtype_and_input(tfm, shape):
    x = torch.rand(shape)
    kept = x.clone()
    torch.manual_seed(0)
    y = tfm(x)
    assert y.shape == x.shape and y.dtype == x.dtype and torch.equal(x, kept) and y.isfinite().all()
    assert tfm(x.double()).dtype == torch.float64


@by_name
def test_each_image_in_its_own_way(tfm):
    torch.manual_seed(0)
    y = tfm(X[:1].expand(40, -1, -1))
    assert len({tuple(o.flatten().tolist()) for o in y}) > 20


@by_name
def test_channels_change_together(tfm):
    torch.manual_seed(3)
    if isinstance(tfm, RandErase):  # noise is drawn for each channel; the places are the same
        x = torch.linspace(0.1, 0.2, 8*3*400).view(8, 3, 20, 20)
        changed = tfm(x) != x
        assert changed.any() and torch.equal(changed[:, 0], changed[:, 2])
    else:
        y = tfm(X[:8, None].expand(-1, 3, -1, -1))
        assert torch.equal(y[:, 0], y[:, 2]) and not torch.equal(y[:, 0], X[:8])


@by_name
def test_chance_is_the_global_generator_and_nothing_else(tfm):
    torch.manual_seed(1)
    first, state = tfm(X), torch.get_rng_state()
    second = tfm(X)
    torch.set_rng_state(state)
    assert torch.equal(tfm(X), second) and not torch.equal(first, second)
    torch.manual_seed(1)
    state = torch.get_rng_state()
    type(tfm)()  # making one draws nothing
    assert torch.equal(torch.get_rng_state(), state)


Pair = namedtuple("Pair", "x y")


@by_name
def test_batches_keep_their_kind(tfm):
    for batch in ((X, Y), [X, Y], Pair(X, Y), dict(x=X, y=Y)):
        out = tfm(batch)
        assert type(out) is type(batch)
        x, y = out.values() if isinstance(out, dict) else out
        assert y is Y and x.shape == X.shape and not torch.equal(x, X)


def test_no_strength_no_change():
    assert_close(rand_affine(X, 0, 0, 0, 0), X)
    for f in (rand_erase, rand_copy): assert torch.equal(f(X, max_num=0), X) and torch.equal(f(X, pct=0.), X)


def maps(n=300, **strength):
    """The affine map of each of many pictures, (n, 2, 2), and where its centre went, (n, 2):
    read off a picture whose two channels are the places of its pixels, columns and rows"""
    torch.manual_seed(0)
    rows, columns = torch.meshgrid(torch.arange(21.) - 10, torch.arange(31.) - 15, indexing="ij")
    x = torch.stack([columns, rows]).expand(n, -1, -1, -1)
    y = rand_affine(x, **dict(degrees=0, scale=0, shear=0, shift=0) | strength)
    along = (y[:, :, 10, 16] - y[:, :, 10, 14])/2, (y[:, :, 11, 15] - y[:, :, 9, 15])/2
    return torch.stack(along, -1), y[:, :, 10, 15]


def same_everywhere(a, b): assert_close(a, b.expand_as(a), atol=1e-3, rtol=0)


def test_a_turn_keeps_lengths_and_angles_on_a_picture_that_is_no_square():
    a, centre = maps(degrees=30)
    same_everywhere(a @ a.mT, torch.eye(2))
    same_everywhere(centre, torch.zeros(2))
    angle = torch.atan2(a[:, 1, 0], a[:, 0, 0]).rad2deg()
    assert a.det().min() > 0 and angle.min() < -25 and 25 < angle.max() < 30.1


def test_scale_shear_and_shift_by_themselves():
    a, _ = maps(scale=0.2)
    size = a.diagonal(dim1=1, dim2=2)
    same_everywhere(a, size.diag_embed())  # width and height, each by itself
    assert 0.79 < size.min() < 0.9 < 1.1 < size.max() < 1.26
    a, _ = maps(shear=20)
    same_everywhere(a.diagonal(dim1=1, dim2=2), torch.ones(2))
    assert a[:, 1, 0].abs().max() < 1e-3 and 0.3 < a[:, 0, 1].abs().max() < math.tan(math.radians(20)) + 1e-3
    a, centre = maps(shift=3)
    same_everywhere(a, torch.eye(2))
    assert ((centre.abs().amax(0) - 3).abs() < 0.2).all() and centre.abs().max() < 3.01


def test_fill_and_warp():
    torch.manual_seed(0)
    assert rand_affine(torch.full((9, 28, 28), 3.), 20, 0.3, 20, 9, fill=3.).sub(3).abs().max() < 1e-5
    assert rand_affine(torch.full((9, 28, 28), 3.), shift=9.).min() == 0  # control
    moved = [(rand_affine(X, 0, 0, 0, 0, warp=warp) - X).abs().mean().item() for warp in (0.2, 0.5, 1.5)]
    assert 0 < moved[0] < moved[1] < moved[2]


@settings(max_examples=25, deadline=None)
@given(st.floats(0, 1), st.integers(0, 5), st.integers(4, 30), st.integers(4, 30), st.integers(0, 1000))
def test_patches_stay_in_bounds(pct, max_num, hgt, wid, seed):
    torch.manual_seed(seed)
    x = torch.rand(6, hgt, wid)
    most = max_num*int(pct*hgt)*int(pct*wid)
    erased, copied = rand_erase(x, pct, max_num), rand_copy(x, pct, max_num)
    for y in (erased, copied): assert (y != x).flatten(1).sum(1).max() <= most
    assert erased.min() >= x.min() and erased.max() <= x.max()
    for new, old in zip(copied, x): assert set(new.flatten().tolist()) <= set(old.flatten().tolist())


def test_a_copy_is_a_patch():
    "One copy on a picture whose values are places: the changed pixels are a rectangle moved as a whole"
    torch.manual_seed(0)
    x = torch.arange(400.).view(1, 20, 20)
    for _ in range(20):
        y = rand_copy(x, pct=0.3, max_num=1)[0]
        moved = (y - x[0])[y != x[0]]
        assert moved.unique().numel() <= 1 and moved.numel() in (0, 36)


def learner(*cbs, width=4, device_cb=()):
    torch.manual_seed(0)
    dls = DataLoaders(DataLoader(Dataset(X, Y), 32, shuffle=True, seed=0), DataLoader(Dataset(X[:40], Y[:40]), 16))
    return Learner(digits_model(width), dls, cross_entropy, 0.05, [TrainCB(), *cbs])


class Seen(Callback):
    order = 50
    def before_fit(self, learn): self.batches = []
    def before_batch(self, learn): self.batches.append((learn.training, learn.batch))


@by_name
def test_in_a_learner_training_only(tfm):
    learn = learner(BatchTransformCB(tfm, on_val=False), seen := Seen())
    learn.fit(1)
    pixels = {tuple(o.flatten().tolist()) for o in X}
    def share(training): return [tuple(o.flatten().tolist()) in pixels for t, (xb, _) in seen.batches if t is training for o in xb]
    assert all(share(False)) and not all(share(True))
    assert torch.equal(learn.dls.train.dataset.x, load_digits().x_train[:96])  # the data is as it was


def test_miniai_style_transform_of_x_alone():
    def tfm_batch(b, tfm_x=lambda o: o, tfm_y=lambda o: o): return tfm_x(b[0]), tfm_y(b[1])
    learner(BatchTransformCB(partial(tfm_batch, tfm_x=nn.Sequential(RandErase(), RandCopy())), on_val=False)).fit(1)


def test_digits_model():
    torch.manual_seed(0)
    model = digits_model(8).eval()
    assert_close(model(X), model(X[:, None]))
    outside = X.clone()
    outside[:, :2] = outside[:, :, -2:] = 1
    assert_close(model(outside), model(X))  # the margin is not looked at
    outside[:, 2] = 1
    assert not torch.allclose(model(outside), model(X))  # control
    for margin in range(10): assert digits_model(2, margin)(X[:2]).shape == (2, 10)


def test_tta_is_the_mean_and_leaves_no_trace():
    learn = learner(BatchTransformCB(RandAffine(), on_val=False))
    learn.fit(1)
    state, modes, dls, weights = torch.get_rng_state(), [m.training for m in learn.model.modules()], learn.dls, {k: v.clone() for k, v in learn.model.state_dict().items()}
    plain, y = tta(learn, n=0)
    learn.model.eval()
    with torch.no_grad(): assert_close(plain, learn.model(X[:40]).softmax(1), atol=1e-5, rtol=1e-4)
    learn.model.train()
    assert torch.equal(y, Y[:40])
    same, _ = tta(learn, n=3, tfm=lambda batch: batch)
    assert_close(same, plain)
    calls = []
    def tfm(batch): calls.append(1); return batch[0].flip(-1), batch[1]
    both, _ = tta(learn, n=1, tfm=tfm)
    flipped, _ = tta(learn, DataLoader(Dataset(X[:40].flip(-1), Y[:40]), 16, seed=0), n=0)
    assert_close(both, (plain + flipped)/2) and len(calls) == 3
    a, b, c = (tta(learn, n=2, seed=seed)[0] for seed in (0, 0, 1))
    assert torch.equal(a, b) and not torch.equal(a, c)
    assert torch.equal(torch.get_rng_state(), state) and modes == [m.training for m in learn.model.modules()] and learn.dls is dls
    assert all(torch.equal(v, weights[k]) for k, v in learn.model.state_dict().items())
    def broken(batch): raise KeyError("tfm")
    with pytest.raises(KeyError): tta(learn, DataLoader(Dataset(X, Y), 8, seed=0), broken)
    assert learn.dls is dls and len(learn.cbs) == 2 and torch.equal(torch.get_rng_state(), state)


def test_climb_table():
    "Five seeds of every step, all of the same digits; the steps together lead up"
    df = load_results("climb")
    assert df.attrs["command"].startswith("python bench/climb.py") and df.groupby("step").seed.nunique().eq(5).all()
    steps = df[df.kind == "step"].groupby("step", sort=False).error_percent.mean()
    assert steps.iloc[-1] < steps.iloc[0]/3 and set(df[df.kind == "branch"].on) <= set(steps.index)
    assert ((df.error_percent*5).round(6) % 1 == 0).all()  # whole mistakes of 500
