"Laws of lesson 19: transforms, exact maps, patches, mixup, repeatable chance, TTA."
import math
from collections import namedtuple
from functools import partial

import pytest
import torch
from hypothesis import given, settings, strategies as st
from torch import nn
from torch.testing import assert_close

from minitrain.augment import (
    MixupCB, RandAffine, RandCopy, RandErase, digits_model, rand_affine, rand_copy,
    rand_erase, tta)
from minitrain.callbacks import BatchTransformCB, GradAccumCB, MixedPrecision
from minitrain.checkpoint import CheckpointCB
from minitrain.core import ArgumentError, load_digits, load_results, set_seed
from minitrain.data import DataLoader, DataLoaders, Dataset
from minitrain.learner import Callback, CancelFitException, Learner, TrainCB
from minitrain.likelihood import cross_entropy
from minitrain.metrics import Accuracy, MetricsCB

torch.set_num_threads(1)
X, Y = load_digits()[:2]
X, Y = X[:96], Y[:96]
TRANSFORMS = [RandAffine(warp=0.5), RandErase(max_num=6), RandCopy(pct=0.4, max_num=6)]
by_name = pytest.mark.parametrize("tfm", TRANSFORMS, ids=lambda o: type(o).__name__)


@by_name
@pytest.mark.parametrize("shape", [(5, 28, 28), (5, 3, 12, 20), (1, 1, 7, 5),
    (0, 28, 28)], ids=str)
def test_shape_dtype_and_input(tfm, shape):
    x = torch.rand(shape)
    kept = x.clone()
    torch.manual_seed(0)
    y = tfm(x)
    assert y.shape == x.shape and y.dtype == x.dtype and y.isfinite().all()
    assert torch.equal(x, kept)
    assert tfm(x.double()).dtype == torch.float64


@by_name
def test_each_image_in_its_own_way(tfm):
    torch.manual_seed(0)
    y = tfm(X[:1].expand(40, -1, -1))
    assert len({tuple(o.flatten().tolist()) for o in y}) > 20


@by_name
def test_channels_change_together(tfm):
    torch.manual_seed(3)
    if isinstance(tfm, RandErase):  # noise for each channel, at the same places
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
    for f in (rand_erase, rand_copy):
        for none in (dict(max_num=0), dict(pct=0.)): assert torch.equal(f(X, **none), X)
        for pct in (1.5, -0.1):
            with pytest.raises(ValueError, match="pct"): f(X, pct)


def maps(n=300, **strength):
    """The affine maps of n pictures, (n, 2, 2), and where their centres went, (n, 2): read
    off a picture whose two channels are the places of its pixels, columns and rows"""
    torch.manual_seed(0)
    places = torch.arange(21.) - 10, torch.arange(31.) - 15
    rows, columns = torch.meshgrid(*places, indexing="ij")
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
    assert a[:, 1, 0].abs().max() < 1e-3
    assert 0.3 < a[:, 0, 1].abs().max() < math.tan(math.radians(20)) + 1e-3
    a, centre = maps(shift=3)
    same_everywhere(a, torch.eye(2))
    assert ((centre.abs().amax(0) - 3).abs() < 0.2).all() and centre.abs().max() < 3.01


def test_fill_and_warp():
    torch.manual_seed(0)
    paper = torch.full((9, 28, 28), 3.)
    assert rand_affine(paper, 20, 0.3, 20, 9, fill=3.).sub(3).abs().max() < 1e-5
    assert rand_affine(paper, shift=9.).min() == 0  # control
    def warped(by): return rand_affine(X, 0, 0, 0, 0, warp=by)
    moved = [(warped(by) - X).abs().mean().item() for by in (0.2, 0.5, 1.5)]
    assert 0 < moved[0] < moved[1] < moved[2]


@settings(max_examples=25, deadline=None)
@given(st.floats(0, 1), st.integers(0, 5), st.integers(4, 30), st.integers(4, 30),
    st.integers(0, 1000))
def test_patches_stay_in_bounds(pct, max_num, hgt, wid, seed):
    torch.manual_seed(seed)
    x = torch.rand(6, hgt, wid)
    most = max_num*int(pct*hgt)*int(pct*wid)
    erased, copied = rand_erase(x, pct, max_num), rand_copy(x, pct, max_num)
    for y in (erased, copied): assert (y != x).flatten(1).sum(1).max() <= most
    assert erased.min() >= x.min() and erased.max() <= x.max()
    for new, old in zip(copied, x):
        assert set(new.flatten().tolist()) <= set(old.flatten().tolist())


def test_a_copy_is_a_patch():
    "On a picture whose values are places: a rectangle is moved as a whole"
    torch.manual_seed(0)
    x = torch.arange(400.).view(1, 20, 20)
    for _ in range(20):
        y = rand_copy(x, pct=0.3, max_num=1)[0]
        moved = (y - x[0])[y != x[0]]
        assert moved.unique().numel() <= 1 and moved.numel() in (0, 36)


def learner(*cbs, loss=cross_entropy, trainer=TrainCB):
    torch.manual_seed(0)
    dls = DataLoaders(DataLoader(Dataset(X, Y), 32, shuffle=True, seed=0),
        DataLoader(Dataset(X[:40], Y[:40]), 16))
    return Learner(digits_model(4), dls, loss, 0.05, [trainer(), *cbs])


class Seen(Callback):
    order = 50
    def before_fit(self, learn): self.batches = []
    def before_batch(self, learn): self.batches.append((learn.training, learn.batch))


@by_name
def test_in_a_learner_training_only(tfm):
    learn = learner(BatchTransformCB(tfm, on_val=False), seen := Seen())
    learn.fit(1)
    pixels = {tuple(o.flatten().tolist()) for o in X}
    def known(training):
        images = [o for t, (xb, _) in seen.batches if t is training for o in xb]
        return [tuple(o.flatten().tolist()) in pixels for o in images]
    assert all(known(False)) and not all(known(True))
    assert torch.equal(learn.dls.train.dataset.x, load_digits().x_train[:96])


def test_miniai_style_transform_of_x_alone():
    def tfm_batch(b, tfm_x=lambda o: o, tfm_y=lambda o: o):
        return tfm_x(b[0]), tfm_y(b[1])
    tfm = partial(tfm_batch, tfm_x=nn.Sequential(RandErase(), RandCopy()))
    learner(BatchTransformCB(tfm, on_val=False)).fit(1)


# ------------------------------------------------------------------------ mixup

class Mixed(Callback):
    "Notes what the model and the loss get, and what the metrics get after them"
    order = MixupCB.order + 1
    def before_fit(self, learn): self.rows = []
    def after_predict(self, learn): self.given = learn.batch
    def after_loss(self, learn):
        row = learn.training, self.given, learn.batch, learn.preds, learn.loss
        self.rows.append(row)


@pytest.mark.parametrize("loss", [cross_entropy, nn.CrossEntropyLoss(),
    partial(cross_entropy, label_smoothing=0.1)], ids=["ours", "torch", "smooth"])
def test_a_mixed_loss_is_the_shares_of_two(loss):
    mix, seen = MixupCB(), Mixed()
    learner(mix, seen, loss=loss).fit(1)
    _, _, (_, y), preds, total = [o for o in seen.rows if o[0]][-1]
    assert mix.lam.min() >= 0.5 and mix.lam.max() <= 1 and len(mix.lam.unique()) > 20
    assert sorted(mix.other.tolist()) == list(range(32))
    each = [loss(preds[i:i+1], y[i:i+1]).item() for i in range(32)]
    others = [loss(preds[i:i+1], y[j:j+1]).item() for i, j in enumerate(mix.other)]
    both = mix.lam*torch.tensor(each) + (1 - mix.lam)*torch.tensor(others)
    assert_close(total.detach(), both.mean())


def test_images_and_targets_are_mixed_alike_in_training_alone():
    learn = learner(mix := MixupCB(), seen := Mixed())
    learn.fit(1)
    _, (images, targets), (_, y), *_ = [o for o in seen.rows if o[0]][-1]
    pixels = {o.sum().item(): o for o in X}
    assert sum(o.sum().item() in pixels for o in images) < 8  # mixed with themselves
    assert_close(targets.sum(1), torch.ones(32))
    assert_close(targets[torch.arange(32), y], mix.lam.where(y != y[mix.other], 1.))
    valid = [o for o in seen.rows if not o[0]]
    assert torch.equal(torch.cat([b[0] for _, b, *_ in valid]), X[:40])
    assert torch.equal(torch.cat([b[1] for _, b, *_ in valid]), Y[:40])
    assert torch.equal(learn.dls.train.dataset.x, load_digits().x_train[:96])


def test_changed_images_are_mixed_and_labels_measured():
    "However the callbacks are listed; BatchTransformCB gets images, the metric labels"
    values, metric = [], MetricsCB(accuracy=Accuracy())
    def tfm(b):
        values.append({*b[0].unique().tolist()})
        return (b[0] > 0.5).float(), b[1]
    learn = learner(MixupCB(), metric, seen := Mixed(),
        BatchTransformCB(tfm, on_val=False))
    learn.fit(1)
    pixels = {*X.unique().tolist()}
    assert all(o <= pixels for o in values)
    rows = [o for o in seen.rows if o[0]]
    assert all(((0 < b[0]) & (b[0] < 1)).any() for _, b, *_ in rows)
    right = [(z.argmax(1) == y).float().mean().item() for *_, (_, y), z, _ in rows]
    assert math.isclose(metric.rows[0]["accuracy"], sum(right)/3, abs_tol=1e-6)


@pytest.mark.parametrize("trainer", [TrainCB, MixedPrecision])
def test_mixup_goes_with_half_precision_accumulation_and_other_batches(trainer):
    class Named(Callback):
        order = -100
        def before_batch(self, learn): learn.batch = dict(zip("xy", learn.batch))
    for cbs in ([Named()], [GradAccumCB(2)]):
        learn = learner(MixupCB(), *cbs, trainer=trainer)
        learn.fit(1)
        assert learn.loss.isfinite()
    with pytest.raises(ValueError, match="images and targets"):
        Learner(nn.Linear(28, 28), [X[:8], X[8:16]], cbs=[TrainCB(), MixupCB()]).fit(1)


class StopAt(Callback):
    order = 2000
    def __init__(self, epoch, batch): self.at = epoch, batch
    def cleanup_batch(self, learn):
        if learn.training and (learn.epoch, learn.iter) == self.at:
            raise CancelFitException()


def test_a_mixed_run_is_resumed_to_the_bit(tmp_path):
    def run(epochs, *cbs, seed=0):
        learn = learner(MixupCB(), BatchTransformCB(RandAffine(), on_val=False), *cbs)
        set_seed(seed)
        learn.fit(epochs)
        return learn.model.state_dict()
    whole = run(3)
    run(3, CheckpointCB(tmp_path/"run", every=1), StopAt(1, 1))
    again = run(3, CheckpointCB(tmp_path/"run", every=1, resume=True), seed=9)
    assert all(torch.equal(v, again[k]) for k, v in whole.items())
    other = run(3, seed=9)
    assert not all(torch.equal(v, other[k]) for k, v in whole.items())  # control


# ---------------------------------------------------------- the model, TTA, the climb


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
    def modes(): return [m.training for m in learn.model.modules()]
    state, was, dls = torch.get_rng_state(), modes(), learn.dls
    weights = {k: v.clone() for k, v in learn.model.state_dict().items()}
    plain, y = tta(learn, n=0)
    learn.model.eval()
    with torch.no_grad():
        assert_close(plain, learn.model(X[:40]).softmax(1), atol=1e-5, rtol=1e-4)
    learn.model.train()
    assert torch.equal(y, Y[:40])
    same, _ = tta(learn, n=3, tfm=lambda batch: batch)
    assert_close(same, plain)
    calls = []
    def tfm(batch): calls.append(1); return batch[0].flip(-1), batch[1]
    both, _ = tta(learn, n=1, tfm=tfm)
    flipped_dl = DataLoader(Dataset(X[:40].flip(-1), Y[:40]), 16, seed=0)
    flipped, _ = tta(learn, flipped_dl, n=0)
    assert_close(both, (plain + flipped)/2)
    assert len(calls) == 3
    a, b, c = (tta(learn, n=2, seed=seed)[0] for seed in (0, 0, 1))
    assert torch.equal(a, b) and not torch.equal(a, c)
    assert torch.equal(torch.get_rng_state(), state)
    assert modes() == was and learn.dls is dls
    assert all(torch.equal(v, weights[k]) for k, v in learn.model.state_dict().items())
    def broken(batch): raise KeyError("tfm")
    with pytest.raises(KeyError): tta(learn, flipped_dl, broken)
    assert learn.dls is dls and len(learn.cbs) == 2
    assert torch.equal(torch.get_rng_state(), state)


def test_climb_table():
    "Five seeds of every step, all of the same digits; the steps together lead up"
    df = load_results("climb")
    assert df.attrs["command"].startswith("python bench/climb.py")
    assert df.groupby("step").seed.nunique().eq(5).all()
    steps = df[df.kind == "step"].groupby("step", sort=False).error_percent.mean()
    assert steps.iloc[-1] < steps.iloc[0]/3
    assert {*df[df.kind == "branch"].on} <= {*steps.index}
    assert ((df.error_percent*5).round(6) % 1 == 0).all()  # whole mistakes of 500


def test_the_digit_classifier_is_exported_for_any_batch():
    model = digits_model(4).eval()
    batch = {0: torch.export.Dim("b", min=2)}
    with torch.no_grad():
        program = torch.export.export(model, (torch.randn(2, 28, 28),), dynamic_shapes=(batch,)).module()
        x = torch.randn(7, 28, 28)
        assert_close(program(x), model(x))


def test_mixup_needs_a_share():
    for alpha in (0, -1.):
        with pytest.raises(ArgumentError, match="alpha"): MixupCB(alpha)
