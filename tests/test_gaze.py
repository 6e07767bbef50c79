"""Laws of lesson 29: heat maps of points, blinks and windows; shares of patches; files read without running them; splits without leaks."""
import io, math, os, pickle, struct, tarfile, tracemalloc

import numpy as np
import pytest
import torch
from PIL import Image
from hypothesis import given, settings, strategies as st
from torch.testing import assert_close

from minitrain.core import ArgumentError
from minitrain.gaze import (
    Episode, degrees_to_pixels, gabril_window, gaze_heatmap, load_atari_head,
    load_gabril, patch_gaze_masks, show_gaze, split_episodes, stack_frames)
from minitrain.vit import patch_map, patchify
from trials import HEAD, png, write_archive, write_episodes

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


# splits

@settings(max_examples=50, deadline=None)
@given(st.integers(2, 40), st.floats(0.01, 0.99), st.integers(0, 100))
def test_no_episode_stands_on_both_sides(n, valid, seed):
    train, held = split_episodes(list(range(n)), valid, seed)
    assert sorted(train + held) == list(range(n)) and train and held and train == sorted(train) and held == sorted(held)
    assert abs(len(held) - valid*n) <= 1 and (train, held) == split_episodes(list(range(n)), valid, seed)


def test_splits_differ_by_seed_and_leave_generators_alone():
    state = torch.get_rng_state()
    assert len({str(split_episodes(range(20), 0.2, seed)) for seed in range(20)}) > 15
    assert torch.equal(state, torch.get_rng_state())


def test_neighbouring_frames_are_on_one_side():
    "Each frame tells its game and its time; no two neighbours are split. The control: a random split of frames"
    frames = [[(i, t) for t in range(30)] for i in range(10)]
    train, valid = (set(sum(o, [])) for o in split_episodes(frames, 0.3))
    def leaks(train, valid): return sum((i, t + d) in train for i, t in valid for d in (-1, 1))
    assert leaks(train, valid) == 0
    every = sorted(train | valid)
    order = torch.randperm(300, generator=gen()).tolist()
    assert leaks({every[i] for i in order[90:]}, {every[i] for i in order[:90]}) > 100


# GABRIL

def games(sizes=(5, 8), size=84, seed=0, m=1):
    g = gen(seed)
    return [Episode(torch.randint(256, (n, *((size, size) if isinstance(size, int) else size)), generator=g).to(torch.uint8), torch.randint(18, (n,), generator=g),
        torch.rand(n, m, 2, generator=g), f"{n}") for n in sizes]


def same(a, b, **kwargs):
    for x, y in zip(a, b, strict=True):
        assert torch.equal(x.frames, y.frames) and torch.equal(x.actions, y.actions)
        assert_close(x.gaze, y.gaze, equal_nan=True, **kwargs)


def test_gabril_files_come_back(tmp_path):
    path, written = tmp_path/"num_episodes_2_fs4_human.pt", games()
    written[1].gaze[3] = NAN
    written[1].gaze[4] = -0.1  # what a file says stays; `gaze_heatmap` decides
    torch.save(contents(written), path)
    same(load_gabril(path), written)
    assert [o.name for o in load_gabril(str(path))] == ["num_episodes_2_fs4_human 0", "num_episodes_2_fs4_human 1"]


def contents(episodes=None, **changes):
    "What a GABRIL file holds of two games of 5 and 8 steps: the first terminated, the second truncated"
    e = episodes or games()
    gaze = torch.cat([o.gaze[:, 0] for o in e]).numpy()
    data = {"observations": torch.cat([torch.cat([o.frames, o.frames[-1:]]) for o in e]).numpy(),
        "actions": torch.cat([o.actions for o in e]).numpy(), "steps": np.array([5, 8]),
        "terminateds": np.arange(13) == 4, "truncateds": np.arange(13) == 12,
        "episode-rewards": np.zeros(2), "gaze_information": np.concatenate([gaze, np.ones((13, 3))], 1)}
    return {k: v for k, v in (data | changes).items() if v is not None}


@pytest.mark.parametrize("convert", [lambda o: o, torch.from_numpy, lambda o: np.asfortranarray(o), lambda o: o.astype(o.dtype.newbyteorder(">")),
    lambda o: o.astype(np.int16) if o.dtype == np.int64 else o.astype(np.float32) if o.dtype == np.float64 else o], ids=["numpy", "torch", "fortran", "big endian", "short"])
def test_gabril_arrays_of_any_make(convert, tmp_path):
    torch.save({k: convert(v) for k, v in contents().items()}, tmp_path/"a.pt")
    same(load_gabril(tmp_path/"a.pt"), games())


def test_gabril_in_the_old_format_and_from_old_numpy(tmp_path):
    torch.save(contents(), tmp_path/"a.pt", _use_new_zipfile_serialization=False)
    same(load_gabril(tmp_path/"a.pt"), games())
    data = (tmp_path/"a.pt").read_bytes()
    assert b"numpy._core.multiarray" in data
    (tmp_path/"b.pt").write_bytes(data.replace(b"numpy._core.multiarray", b"numpy.core.multiarray"))  # as NumPy 1 writes it
    same(load_gabril(tmp_path/"b.pt"), games())


@pytest.mark.parametrize("changes", [dict(steps=None), dict(steps=np.array([5, 9])),
    dict(actions=np.zeros(12, int)), dict(gaze_information=np.zeros((13, 1))),
    dict(gaze_information=np.zeros(13)), dict(observations=np.zeros((15, 84, 84))),
    dict(truncateds=np.zeros(13, bool)), dict(steps=np.array([13, 0])), dict(steps="5 8"),
    dict(actions=np.zeros(13))], ids=lambda o: next(iter(o)))
def test_gabril_files_that_do_not_fit(changes, tmp_path):
    torch.save(contents(**changes), tmp_path/"a.pt")
    with pytest.raises((ArgumentError, RuntimeError, LookupError, AttributeError)):
        load_gabril(tmp_path/"a.pt")


class Bomb:
    "Writes a file when it is unpickled"
    def __init__(self, path, call=os.system): self.path, self.call = path, call
    def __reduce__(self): return self.call, (f"touch {self.path}" if self.call is os.system else self.path,)


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("wrap", [lambda o: {"observations": o}, lambda o: [o], lambda o: contents(actions=np.array([o, o], dtype=object))], ids=["value", "list", "object array"])
@pytest.mark.parametrize("call", [os.system, eval, os.mkdir], ids=lambda f: f.__name__)
def test_a_pickle_bomb_runs_nothing(call, wrap, zipped, tmp_path):
    fired, path = tmp_path/"fired", tmp_path/"bomb.pt"
    what = f"open({str(fired)!r}, 'w')" if call is eval else str(fired)
    torch.save(wrap(Bomb(what, call)), path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(pickle.UnpicklingError): load_gabril(path)
    assert not fired.exists()
    torch.load(path, weights_only=False)  # the control: this is what it would have done
    assert fired.exists()


class Raw:
    "An array of objects made of bytes, which NumPy would follow as addresses"
    def __reduce__(self): return np.ndarray, ((13,), "O", bytes(104))


def test_bytes_do_not_become_objects(tmp_path):
    torch.save(contents(actions=Raw()), tmp_path/"a.pt")
    with pytest.raises(AttributeError): load_gabril(tmp_path/"a.pt")
    control = torch.load(tmp_path/"a.pt", weights_only=False)
    assert control["actions"].dtype == object


def test_plain_pickles_and_rubbish_are_refused(tmp_path):
    fired = tmp_path/"fired"
    (tmp_path/"a.pt").write_bytes(pickle.dumps({"observations": Bomb(fired)}))
    (tmp_path/"b.pt").write_bytes(b"rubbish")
    (tmp_path/"c.pt").write_bytes(b"")
    torch.save([1, 2], tmp_path/"d.pt")
    whole = tmp_path/"e.pt"
    torch.save(contents(), whole)
    whole.write_bytes(whole.read_bytes()[:-100])
    for o in "abcdex":
        with pytest.raises(Exception): load_gabril(tmp_path/f"{o}.pt")
    assert not fired.exists()


# Atari-HEAD

def gray(i): return np.full((210, 160, 3), (i*10) % 256, np.uint8)


def write_trial(folder, lines, frames=None, name="1_AB_7"):
    "Labels as given, and a frame of one gray for each id"
    (folder/f"{name}.txt").write_text(HEAD + "\n".join(lines) + "\n")
    ids = [o.split(",")[0] for o in lines if o] if frames is None else frames
    files = ((f"{name}/{o}.png", png(gray(i))) for i, o in enumerate(ids))
    write_archive(folder/f"{name}.tar.bz2", files)
    return folder/f"{name}.tar.bz2"


def test_atari_head_files_come_back(tmp_path):
    written = games((4, 3), (210, 160), m=3)
    written[0].gaze[1] = NAN
    written[0].gaze[2, 1:] = NAN
    written[1].actions[0] = -100
    write_episodes(tmp_path/"9_XY_1.tar.bz2", written)
    got = load_atari_head(tmp_path/"9_XY_1.tar.bz2", size=(210, 160))
    same(got, written, atol=1e-4, rtol=0)
    assert [o.name for o in got] == ["9_XY_1 0", "9_XY_1 1"]
    small = load_atari_head(str(tmp_path/"9_XY_1.tar.bz2"))
    want = torch.nn.functional.interpolate(written[0].frames[:, None].float(), (84, 84), mode="area")[:, 0]
    assert (small[0].frames.float() - want).abs().max() <= 1 and small[0].frames.shape == (4, 84, 84)


def test_colours_become_their_luma(tmp_path):
    path = write_trial(tmp_path, ["AB_7_1,0,0,50,0,1,null"])
    image = np.zeros((210, 160, 3), np.uint8)
    image[:70], image[70:140], image[140:] = (200, 10, 60), (0, 255, 0), (9, 9, 250)
    write_archive(path, [("AB_7_1.png", png(image))])
    got = load_atari_head(path, size=(210, 160))[0].frames[0]
    assert (got.int() - torch.from_numpy(np.array(Image.fromarray(image).convert("L"))).int()).abs().max() <= 1


def test_gaze_in_pixels_becomes_shares_and_null_nothing(tmp_path):
    path = write_trial(tmp_path, ["AB_7_1,0,0,50,0,3,80.0,105.0,0.0,210.0", "AB_7_2,null,null,null,null,null,null", "AB_7_3,0,1,900,1,17,160.00,-4.20", ""])
    one, = load_atari_head(path)
    assert one.actions.tolist() == [3, -100, 17]
    assert_close(one.gaze, torch.tensor([[[0.5, 0.5], [0, 1]], [[NAN, NAN], [NAN, NAN]], [[1, -0.02], [NAN, NAN]]]), equal_nan=True)
    assert [o.any().item() for o in gaze_heatmap(one.gaze, 84, 2)] == [True, False, False]  # the last lies above the screen


def test_frames_without_an_episode_go_with_the_one_before(tmp_path):
    ids = ["null", "0", "0", "null", "1", "null", "0"]
    path = write_trial(tmp_path, [f"AB_7_{i},{o},0,50,0,0,null" for i, o in enumerate(ids)])
    got = load_atari_head(path)
    assert [(o.name, len(o.actions)) for o in got] == [("1_AB_7 0", 5), ("1_AB_7 1", 2)]
    assert got[1].frames[:, 0, 0].tolist() == [40, 50]
    path = write_trial(tmp_path, [f"AB_7_{i},null,0,50,0,0,null" for i in range(3)])
    assert len(load_atari_head(path)) == 1


def test_frames_in_any_order_and_strangers_among_them(tmp_path):
    lines = [f"AB_7_{i},0,0,50,0,{i},null" for i in range(4)]
    path = write_trial(tmp_path, lines, ["AB_7_2", "._AB_7_1", "AB_7_0", "other", "AB_7_3", "AB_7_1"])
    assert load_atari_head(path)[0].frames[:, 0, 0].tolist() == [20, 50, 0, 40]


def test_missing_frames_are_refused_or_dropped(tmp_path):
    path = write_trial(tmp_path, [f"AB_7_{i},0,0,50,0,{i},null" for i in range(4)], ["AB_7_0", "AB_7_3"])
    with pytest.raises(ArgumentError, match="AB_7_1"): load_atari_head(path)
    one, = load_atari_head(path, missing="drop")
    assert one.actions.tolist() == [0, 3] and len(one.frames) == len(one.gaze) == 2


def test_points_are_thinned_evenly(tmp_path):
    points = ",".join(f"{i}.0,{2*i}.0" for i in range(101))
    path = write_trial(tmp_path, [f"AB_7_1,0,0,50,0,0,{points}", "AB_7_2,0,0,50,0,0,5.0,5.0"])
    x = load_atari_head(path)[0].gaze[..., 0]*160
    assert_close(x[0], torch.linspace(0, 100, 32).round())
    assert x[1].isfinite().tolist() == [True] + [False]*31


@pytest.mark.parametrize("line", ["AB_7_2,0,0,50,0,18,1.0,2.0", "AB_7_2,0,0,50,0,-1,1.0,2.0",
    "AB_7_2,0,0,50,0,2.5,null", "AB_7_2,0,0,50,0,2,1.0", "AB_7_2,0,0,50,0,2",
    "AB_7_2,0,0,50,0,2,1.0,2.0,3.0", "AB_7_2,0,0,50,0,2,1.0,east", "AB_7_2,0,0,50,0,2,1.0,null",
    "AB_7_2,0,0,50,0,2,inf,1.0", "AB_7_2,one,0,50,0,2,null",
    ",0,0,50,0,2,null", "AB_7_1,0,0,50,0,2,null", "<html>"])
def test_malformed_lines_are_named_by_file_and_line(line, tmp_path):
    path = write_trial(tmp_path, ["AB_7_1,0,0,50,0,2,1.0,2.0", line, "AB_7_3,0,0,50,0,2,null"])
    with pytest.raises(ArgumentError, match="1_AB_7.txt, line 3"): load_atari_head(path)


def test_other_files_that_do_not_fit(tmp_path):
    path = write_trial(tmp_path, ["AB_7_1,0,0,50,0,2,1.0,2.0"])
    whole = path.read_bytes()
    def fails(archive=path, **kwargs):
        with pytest.raises((ValueError, OSError, EOFError, tarfile.TarError)):
            load_atari_head(archive, **kwargs)
    fails(labels=tmp_path/"none.txt")
    fails(archive=tmp_path/"none.tar.bz2", labels=tmp_path/"1_AB_7.txt")
    for torn in (whole[:-20], whole[:40], b"", b"rubbish"):
        path.write_bytes(torn)
        fails()
    path.write_bytes(whole)
    (tmp_path/"binary.txt").write_bytes(b"\xff\xfe\x00")
    fails(labels=tmp_path/"binary.txt")
    (tmp_path/"empty.txt").write_text(HEAD)
    fails(labels=tmp_path/"empty.txt")


BOMB = (b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + b"IHDR"
        + struct.pack(">IIBBBBB", 10**6, 10**6, 8, 2, 0, 0, 0) + bytes(4))


@pytest.mark.parametrize("content", [b"GIF89a" + bytes(40), png(gray(0)[:84, :84]), png(gray(0))[:60],
    BOMB], ids=["gif", "small", "cut", "bomb"])
def test_pictures_that_do_not_fit(content, tmp_path):
    path = write_trial(tmp_path, ["AB_7_1,0,0,50,0,2,null"], [])
    write_archive(path, [("AB_7_1.png", content)])
    with pytest.raises(ArgumentError, match="AB_7_1.png"): load_atari_head(path)


def test_names_in_an_archive_do_no_harm_and_nothing_is_unpacked(tmp_path):
    (tmp_path/"data").mkdir()
    path = write_trial(tmp_path/"data", ["AB_7_1,0,0,50,0,2,null"], [])
    content = png(gray(0))
    with tarfile.open(path, "w:bz2") as tar:
        for name, kind in (("../../AB_7_1.png", tarfile.REGTYPE), ("/AB_7_1.png", tarfile.REGTYPE), ("AB_7_1.png", tarfile.SYMTYPE)):
            info = tarfile.TarInfo(name)
            info.size = len(content) if kind == tarfile.REGTYPE else 0
            info.type, info.linkname = kind, "/etc/passwd"
            tar.addfile(info, io.BytesIO(content))
    assert load_atari_head(path)[0].frames.shape == (1, 84, 84)
    assert sorted(o.name for o in tmp_path.rglob("*")) == ["1_AB_7.tar.bz2", "1_AB_7.txt", "data"]


def test_an_archive_is_streamed(tmp_path):
    "Sixty frames of noise, 6 MB of PNG, are read with less than 4 MB at a time: bz2 unpacks blocks of 900 KB"
    load_atari_head(write_trial(tmp_path, ["AB_7_1,0,0,50,0,0,null"], name="warm"))  # imports count, too
    noise = np.random.default_rng(0)
    path = write_trial(tmp_path, [f"AB_7_{i},0,0,50,0,0,null" for i in range(60)], [])
    write_archive(path, [(f"AB_7_{i}.png", png(noise.integers(0, 256, (210, 160, 3), np.uint8)))
                         for i in range(60)])
    tracemalloc.start()
    try:
        load_atari_head(path)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.reset_peak()
        with tarfile.open(path) as tar:  # the control: all of it at once
            kept = [tar.extractfile(o).read() for o in tar]
        whole = tracemalloc.get_traced_memory()[1]
    finally: tracemalloc.stop()
    assert sum(map(len, kept)) > 5e6 and whole > 6e6 and peak < 4e6


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
