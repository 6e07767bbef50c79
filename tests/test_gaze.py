"Laws of lesson 29: heat maps of points, blinks and windows; shares of patches."
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st
from torch.testing import assert_close

from minitrain.core import ArgumentError
from minitrain.gaze import (degrees_to_pixels, gabril_window, gaze_heatmap,
    patch_gaze_masks, show_gaze, stack_frames)
from minitrain.vit import patch_map, patchify

torch.set_num_threads(1)
NAN = math.nan


def gen(seed=0): return torch.Generator().manual_seed(seed)


def by_hand(points, t, size, sigma, decay=0.7, past=0, future=0, stride=1, widen=1.):
    "A map pixel by pixel, in double precision"
    out = torch.zeros(*size, dtype=torch.float64)
    sy, sx = sigma if isinstance(sigma, tuple) else (sigma, sigma)
    y, x = (torch.arange(n).double() + 0.5 for n in size)
    for k in range(-past, future + 1):
        s = t + k*stride
        if not 0 <= s < len(points): continue
        seen = [p for p in points[s].double().tolist() if all(map(math.isfinite, p)) and min(p) >= 0 and max(p) <= 1]
        for px, py in seen:
            a = widen**abs(k)
            out += decay**abs(k)/len(seen)*torch.exp(-((y[:, None] - py*size[0])/(sy*a))**2/2 - ((x - px*size[1])/(sx*a))**2/2)
    return (out/out.max() if out.max() > 0 else out).float()


# heat maps

@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1000), st.integers(0, 5), st.integers(0, 4), st.integers(1, 3), st.sampled_from([0.3, 0.9, 1.]), st.sampled_from([1., 1.05]),
       st.sampled_from([1.5, (1., 3.)]), st.integers(1, 3))
def test_maps_are_their_formula(seed, past, future, stride, decay, widen, sigma, m):
    points = torch.rand(12, m, 2, generator=gen(seed))*1.3 - 0.15
    points[torch.rand(12, m, generator=gen(seed + 1)) < 0.3] = NAN
    points[0] = 0.5  # one in ten is on the screen
    got = gaze_heatmap(points, (7, 11), sigma, decay, past, future, stride, widen)
    want = torch.stack([by_hand(points, t, (7, 11), sigma, decay, past, future, stride, widen) for t in range(12)])
    assert_close(got, want, atol=1e-5, rtol=1e-4)
    assert set(got.amax((1, 2)).round(decimals=5).tolist()) <= {0., 1.}


def test_right_is_right_and_down_is_down():
    for row in range(2):
        for column in range(3):
            heat = gaze_heatmap(torch.tensor([[(column + 0.5)/3, (row + 0.5)/2]]), (8, 12), 0.5)[0]
            y, x = divmod(heat.argmax().item(), 12)
            assert (y//4, x//4) == (row, column)
            shares = patch_gaze_masks(heat[None, None], 4)[0, 0]
            assert shares.argmax() == 3*row + column and shares.max() > 0.99


@pytest.mark.parametrize("options", [dict(sigma=3), dict(sigma=3, past=9, decay=0.9), dict(sigma=3, past=3, stride=4)])
def test_causal_maps_do_not_know_the_future(options):
    points = torch.rand(40, 2, generator=gen())
    later = points.clone()
    later[21:] = torch.rand(19, 2, generator=gen(1))
    a, b = (gaze_heatmap(o, 16, **options) for o in (points, later))
    assert torch.equal(a[:21], b[:21]) and not torch.equal(a[21:], b[21:])
    c, d = (gaze_heatmap(o, 16, future=1, **options) for o in (points, later))
    assert not torch.equal(c[:21], d[:21])  # the control


def test_gabrils_window():
    "41 samples two frames apart, sigma 15/.99^|k|, weights .7^|k|, divided by the maximum, cut at the ends of an episode"
    points = torch.rand(100, 2, generator=gen())
    got = gaze_heatmap(points, 84, **gabril_window)
    y = x = torch.arange(84).double() + 0.5
    for t in (0, 1, 7, 39, 40, 50, 98, 99):
        want = sum(0.7**abs(k)*torch.exp(-((y[:, None] - p[1]*84)**2 + (x - p[0]*84)**2)/(2*(15/0.99**abs(k))**2))
                   for k in range(-20, 21) if 0 <= t + 2*k < 100 for p in [points[t + 2*k].double()])
        assert_close(got[t], (want/want.max()).float(), atol=1e-5, rtol=1e-4)


def test_the_window_does_not_leave_its_episode():
    a, b = torch.rand(30, 2, generator=gen()), torch.rand(30, 2, generator=gen(1))
    alone = torch.cat([gaze_heatmap(o, 16, 3, past=5, future=5) for o in (a, b)])
    joined = gaze_heatmap(torch.cat([a, b]), 16, 3, past=5, future=5)
    assert_close(joined[:25], alone[:25])
    assert not torch.allclose(joined[25:35], alone[25:35], atol=1e-3)  # so episodes are given one by one


def test_blinks_leave_the_rest_as_it_is():
    points = torch.rand(30, 2, generator=gen())
    blink = points.clone()
    blink[10:13] = NAN
    blink[20, 0], blink[21, 1], blink[22, 0] = 1.01, -0.2, math.inf
    alone = gaze_heatmap(blink, 16, 2)
    assert alone.isfinite().all() and [t for t in range(30) if not alone[t].any()] == [10, 11, 12, 20, 21, 22]
    keep = [t for t in range(30) if alone[t].any()]
    assert torch.equal(alone[keep], gaze_heatmap(points, 16, 2)[keep])
    assert gaze_heatmap(blink, 16, 2, past=3).amax((1, 2)).min() > 0.99  # the window bridges it
    clipped = gaze_heatmap(blink, 16, 2, off_screen="clip")
    assert clipped[20].any() and clipped[21].any() and not clipped[22].any() and clipped[20].argmax() % 16 == 15


def test_a_seen_point_never_vanishes_and_an_empty_frame_stays_empty():
    far = torch.full((40, 2), NAN)
    far[0] = torch.tensor([0.5, 0.5])  # in the corner of four pixels
    heat = gaze_heatmap(far, 8, sigma=0.1, decay=1e-9, past=39)
    assert heat.amax((1, 2)).tolist() == [1.]*40
    assert not gaze_heatmap(torch.full((5, 3, 2), NAN), 8, 1).any()
    assert gaze_heatmap(torch.zeros(0, 2), 8, 1).shape == (0, 8, 8) and gaze_heatmap(torch.zeros(3, 0, 2), (4, 6), 1, past=2).shape == (3, 4, 6)


def test_points_of_a_frame_share_its_weight():
    one, many = torch.tensor([[0.2, 0.2], [0.8, 0.8]])[:, None], torch.full((2, 9, 2), NAN)
    many[0, 0], many[1] = one[0, 0], one[1, 0]  # the second frame lasts nine times as long
    assert_close(gaze_heatmap(many, 16, 2, past=1), gaze_heatmap(one, 16, 2, past=1))


def test_an_isotropic_spot_in_degrees():
    hgt, wid = degrees_to_pixels(2, (210, 160), (40.0, 64.6), 78.7)
    assert hgt == pytest.approx(2*78.7*math.tan(math.radians(1))/40*210) and wid == pytest.approx(2*78.7*math.tan(math.radians(1))/64.6*160)
    heat = gaze_heatmap(torch.tensor([[0.5, 0.5]]), (210, 160), (hgt, wid))[0]
    assert (heat.sum(1) > heat.sum(1).max()*math.exp(-0.5)).sum() == pytest.approx(2*hgt, abs=2)  # one standard deviation either way
    assert (heat.sum(0) > heat.sum(0).max()*math.exp(-0.5)).sum() == pytest.approx(2*wid, abs=2)


def test_gaze_in_another_unit_or_lost_throughout_is_said():
    "Fault: a map of zeros, and a run without gaze"
    points = torch.rand(40, 2, generator=gen())
    blinks = points.clone()
    blinks[3:30] = NAN
    for ok in (points, blinks, points*1.9, torch.full((4, 2), NAN), torch.zeros(3, 0, 2)):
        gaze_heatmap(ok, 16, 2)
    for wrong in (points*torch.tensor([160, 210]), torch.full((40, 2), -1.), points + 1.01,
                  torch.tensor([[80., 105.]]), torch.where(blinks.isnan(), -1, NAN)):
        for off_screen in ("drop", "clip"):
            with pytest.raises(ArgumentError, match="`points`.*from 0 to 1"):
                gaze_heatmap(wrong, 16, 2, off_screen=off_screen)


# shares

@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1000), st.integers(1, 3), st.integers(1, 3), st.integers(1, 3), st.integers(1, 3), st.floats(1e-30, 1e30))
def test_shares_sum_to_one_in_the_order_of_patchify(seed, h, w, p1, p2, scale):
    x = torch.rand(2, 3, h*p1, w*p2, generator=gen(seed))
    shares = patch_gaze_masks(x*scale, (p1, p2))
    assert shares.shape == (2, 3, h*w) and shares.min() >= 0
    assert_close(shares.sum(-1), torch.ones(2, 3))
    sums = torch.stack([patchify(x[:, i:i + 1], (p1, p2)).sum(-1) for i in range(3)], 1)
    assert_close(shares, sums/sums.sum(-1, keepdim=True), atol=1e-5, rtol=1e-4)
    assert_close(patch_gaze_masks(patch_map(shares, (p1, p2), (h*p1, w*p2)), (p1, p2)), shares, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("dtype, want", [(torch.uint8, torch.float32), (torch.bool, torch.float32), (torch.float16, torch.float32), (torch.float64, torch.float64)])
def test_dtypes_of_shares(dtype, want):
    x = torch.zeros(1, 1, 4, 6).to(dtype)
    x[0, 0, :2, 4:] = 1
    shares = patch_gaze_masks(x, 2)
    assert shares.dtype == want and shares[0, 0].tolist() == [0, 0, 1, 0, 0, 0]


def test_half_precision_does_not_overflow():
    x = torch.full((1, 1, 84, 84), 6e4, dtype=torch.float16)
    assert_close(patch_gaze_masks(x, 14), torch.full((1, 1, 36), 1/36))


def test_empty_maps_are_refused_or_marked_and_never_uniform():
    x = torch.rand(2, 3, 4, 6, generator=gen())
    x[1, 2] = 0
    with pytest.raises(ArgumentError): patch_gaze_masks(x, 2)
    shares = patch_gaze_masks(x, 2, empty="zeros")
    assert shares.any(-1).tolist() == [[True]*3, [True, True, False]] and not shares[1, 2].any()
    assert torch.equal(shares[0], patch_gaze_masks(x[:1], 2)[0])


def test_the_target_of_a_softmax_is_nearly_uniform():
    "The bound of the lesson, over random maps; divided shares go below it"
    x = torch.rand(500, 1, 6, 6, generator=gen())**20
    soft, divided = x.flatten(1).softmax(-1), patch_gaze_masks(x, 1)[:, 0]
    def entropy(p): return -(p*p.clamp(min=1e-30).log()).sum(-1)
    assert entropy(soft).min() > 3.46 and soft.max() <= math.e/(math.e + 35) + 1e-6 and entropy(divided).max() < 3.46


def test_stacks_look_back_and_begin_with_the_first_frame():
    x = torch.arange(5)
    assert stack_frames(x, 3).tolist() == [[0, 0, 0], [0, 0, 1], [0, 1, 2], [1, 2, 3], [2, 3, 4]]
    maps = torch.rand(7, 4, 6, generator=gen())
    assert stack_frames(maps, 1).shape == (7, 1, 4, 6) and torch.equal(stack_frames(maps, 4)[:, -1], maps)
    assert stack_frames(maps[:1], 3).shape == (1, 3, 4, 6)


@pytest.mark.parametrize("call", [lambda: patch_gaze_masks(torch.full((1, 1, 4, 6), NAN), 2),
    lambda: patch_gaze_masks(torch.tensor([[[[1., math.inf]]]]), 1),
    lambda: patch_gaze_masks(torch.tensor([[[[1., -0.1]]]]), 1),
    lambda: gaze_heatmap(torch.zeros(4, 2), 8, 0), lambda: gaze_heatmap(torch.zeros(4, 2), 8, NAN)])
def test_numbers_that_give_no_map(call):
    with pytest.raises(ArgumentError): call()


# pictures

def test_points_are_drawn_where_they_are():
    import matplotlib
    matplotlib.use("agg")
    heat = gaze_heatmap(torch.tensor([[0.75, 0.25]]), (8, 12), 1)[0]
    ax = show_gaze(torch.zeros(8, 12), heat, torch.tensor([[0.75, 0.25], [NAN, NAN]]), title="t")
    (x, y), = [o[:, 0] for o in [np.array(ax.lines[0].get_data())]]
    assert (x, y) == (8.5, 1.5) and divmod(heat.argmax().item(), 12) in {(1, 8), (1, 9), (2, 8), (2, 9)}
    assert ax.get_xlim() == (-0.5, 11.5) and ax.get_ylim() == (7.5, -0.5)
    assert not show_gaze(torch.zeros(8, 12), heat).lines
    matplotlib.pyplot.close("all")
