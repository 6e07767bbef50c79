"Laws of lesson 30: files read without running them, by the names in them; splits without leaks."
import io, math, os, pickle, struct, tarfile, tracemalloc, warnings

import numpy as np
import pytest
import torch
from PIL import Image
from hypothesis import given, settings, strategies as st
from torch.testing import assert_close

from minitrain.core import ArgumentError
from minitrain.gaze import gaze_heatmap
from minitrain.gaze_files import (
    Episode, load_atari_head, load_episodes, load_gabril, save_gabril, split_episodes)
from trials import HEAD, png, write_archive, write_episodes

torch.set_num_threads(1)
NAN = math.nan


def gen(seed=0): return torch.Generator().manual_seed(seed)


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


@pytest.mark.parametrize("name, change, words", [
    ("actions", lambda o: np.where(np.arange(13) == 7, 18, o), "actions from 0 to 17"),
    ("actions", lambda o: np.where(np.arange(13) == 7, -1, o), "actions from 0 to 17"),
    ("gaze_information", lambda o: o*84 + 2, "from 0 to 1"),
    ("gaze_information", lambda o: np.full_like(o, -1), "from 0 to 1")],
    ids=["18", "-1", "pixels", "lost"])
def test_what_would_fail_in_training_is_said_on_loading(name, change, words, tmp_path):
    data = contents()
    torch.save(data | {name: change(data[name])}, tmp_path/"a.pt")
    with pytest.raises(ArgumentError, match=f"`path`.*{words}.*a.pt"):
        load_gabril(tmp_path/"a.pt")
    torch.save(data, tmp_path/"a.pt")
    load_gabril(tmp_path/"a.pt")  # the control


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


def test_columns_are_read_by_name(tmp_path):
    "Fault: another order of columns, or one more, gave other actions without a word"
    ids = [f"AB_7_{i}" for i in range(3)]
    path = write_trial(tmp_path, [f"{o},{i//2},0,50,0,{i},8.0,9.0,16.0,21.0"
        for i, o in enumerate(ids)])
    want, text = load_atari_head(path), tmp_path/"1_AB_7.txt"
    for head, row in (
        ("action, frame_id, episode_id, gaze_positions", "{0},{1},{2}"),
        ("episode_id,frame_id,score,mood,action,gaze_positions", "{2},{1},17,17,{0}"),
    ):
        rows = [row.format(i, o, i//2) + ",8.0,9.0,16.0,21.0" for i, o in enumerate(ids)]
        text.write_text("\n".join([head, *rows]))
        same(load_atari_head(path), want)
    row = f"{ids[0]},0,0,50,0,2,null"
    for head in (row, "", HEAD.replace("action", "act"), "gaze_positions," + HEAD[:-16]):
        text.write_text("\n".join([head.strip(), row]))
        with pytest.raises(ArgumentError, match="a header with .*1_AB_7.txt"):
            load_atari_head(path)


def test_gaze_off_the_screen_of_a_trial(tmp_path):
    path = write_trial(tmp_path, ["AB_7_1,0,0,50,0,0,-1.0,-1.0", "AB_7_2,0,0,50,0,0,-1.0,-1.0"])
    with pytest.raises(ArgumentError, match="from 0 to 1.*1_AB_7.txt"): load_atari_head(path)


def test_a_folder_says_what_is_in_it(tmp_path):
    (tmp_path/"Pong").mkdir()
    save_gabril(tmp_path/"Pong"/"a.pt", games())
    write_episodes(tmp_path/"Pong"/"b.tar.bz2", games((4,), (210, 160)))
    with warnings.catch_warnings(action="error"):
        assert [len(o.actions) for o in load_episodes(tmp_path)] == [5, 8, 4]
    (tmp_path/"Breakout").mkdir()
    save_gabril(tmp_path/"Breakout"/"a.pt", games((3,)))
    with pytest.warns(UserWarning, match="1 of Breakout, 3 of Pong"):
        assert len(load_episodes(str(tmp_path))) == 4
    for empty in ("nowhere", "Pong/a.pt"):
        with pytest.raises(ArgumentError, match="`data`.*GABRIL"): load_episodes(tmp_path/empty)


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
