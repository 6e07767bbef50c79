"The gaze job: a run repeats, resumes after a kill, plays; files of strangers in place of Catch."
import json, os, signal
from functools import partial

import numpy as np
import pytest
import torch

from child import Child
from minitrain.core import ArgumentError
from minitrain.experiments.compare import CompareConfig, planned_runs
from minitrain.catch import CatchEnv, catch_demos, light, rollout
from minitrain.exercises.gaze import check_shuffle_gaze, check_shuffled
from minitrain.experiments.gaze import (Behind, GazeConfig, clone_scenes, gaze, gaze_frames, make_gaze,
    other_gaze, play_gaze, redraw)
from minitrain.gaze_files import Episode, save_gabril
from minitrain.gaze_training import ShuffleCB
from minitrain.learner import Callback
from minitrain.runs import RunDir, load_config
from trials import write_episodes

TINY = dict(epochs=2, games=2, valid_games=1, play_games=2, play_steps=60, dim=8, heads=2, mlp_dim=8, device="cpu")


def train(config, out=None, progress=True): return gaze.run(config, out, progress)[0]
def resume(run, progress=True): return gaze.resume(run, progress)[0]


@pytest.fixture(scope="module")
def run(tmp_path_factory): return train(GazeConfig(**TINY), tmp_path_factory.mktemp("gaze")/"run", progress=False)


def test_run_has_everything_and_repeats(run, tmp_path):
    result = json.loads((run/"result.json").read_text())
    assert 0 <= result["catch_rate"] <= 1 and len(result["caught"]) == 2 and result["gaze_kl"] > 0 and result["samples"] == 2*6*128
    assert list(run.metrics) == ["epoch", "train_loss", "valid_loss", "train_accuracy", "valid_accuracy", "train_gaze", "valid_gaze"]
    assert {"loss.png", "gaze.png", "accuracy.png", "model.safetensors", "versions.json"} <= {o.name for o in run.path.iterdir()}
    assert result["valid_loss"] == pytest.approx(run.metrics.valid_loss.iloc[-1], rel=1e-4)
    assert result["gaze_kl"] == pytest.approx(run.metrics.valid_gaze.iloc[-1], rel=1e-3)
    again = train(load_config(run/"config.yaml", GazeConfig), tmp_path/"again", progress=False)
    assert (again/"model.safetensors").read_bytes() == (run/"model.safetensors").read_bytes()
    assert not torch.cuda.is_initialized()


def test_arms_of_a_seed_share_all_but_the_loss():
    parts = {name: make_gaze(GazeConfig(**TINY | changes)) for name, changes in
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


def test_training_and_validation_games_differ():
    train, valid = gaze_frames(GazeConfig(**TINY))
    other, _ = gaze_frames(GazeConfig(**TINY, seed=1))
    n = len(valid.x)
    assert not torch.equal(train.x[:n], valid.x) and not torch.equal(train.x, other.x) and not torch.equal(valid.x, other.x[:n])


@pytest.mark.parametrize("wrong, words", [(dict(pool="mean"), "`pool`"), (dict(target="x"), "`target`"), (dict(layer=2), "`layer`"), (dict(patch_size=5), "`patch_size`"), (dict(frames=0), "`frames`"),
    (dict(heads=5), "`heads`"), (dict(sigma=0), "`sigma`"), (dict(epochs=0), "`epochs`"), (dict(reg_lambda=-1), "`reg_lambda`"), (dict(seed=-1), "`seed`")])
def test_config_is_checked(wrong, words):
    with pytest.raises(ArgumentError, match=words): GazeConfig(**wrong)


def test_packaged_configs():
    assert load_config("gaze", GazeConfig) == GazeConfig(device=GazeConfig().device)
    load_config("gaze_files", GazeConfig)
    config = load_config("gaze_experiment", CompareConfig)
    jobs = planned_runs(gaze, config)
    assert len(jobs) == 10*8 + 5*4 and [j[2].seed for j in jobs[:5]] == [0]*4 + [1] and [j[0] for j in jobs] == ["first"]*40 + ["other"]*40 + ["sweep"]*20
    assert {j[1]: j[2] for j in jobs[:4]}["probs"] == load_config("gaze", GazeConfig, device="cpu")
    jobs = planned_runs(gaze, load_config("cure_experiment", CompareConfig))
    assert len(jobs) == 10*7 + 8*6 and [j[2].seed for j in jobs[:8]] == [10]*7 + [11]
    asked = (GazeConfig(seed=10, device="cpu", **o) for o in (dict(shuffle="attention"), {}, dict(gaze=False)))
    assert [j[2] for j in jobs[:3]] == [*asked]


def test_lamps_elsewhere():
    x = torch.cat([catch_demos(1, lamps=True, seed=i).frames for i in range(3)]).float()/255
    field, row = x[:, :, 4:], 4 + x[:, 0, 4:-1].amax(2).argmax(1)
    assert torch.equal(redraw(x, "top"), x)
    away, ball = redraw(x, "away"), redraw(x, "ball")
    for o in (away, ball): assert not o[:, :, :4].any() and (o[:, :, 4:] >= field).all()
    lamps = (away[:, 0, 4:] - field[:, 0]).amax(2)  # (n, rows)
    at = 4 + (lamps > 0).float().argmax(1)
    gap = (at//4 - row//4).abs()
    assert ((lamps > 0).sum(1) == 2).all() and (gap == 2).all() and set((at//4).tolist()) == {1, 2, 3, 4}
    glow, last = (ball[:, 0, 4:] - field[:, 0]).flatten(1).amax(1), x[:, 0, 1, [6, 10, 14]].argmax(1)
    assert torch.equal(glow, last/4)
    for i in range(3):  # the swap works on what is drawn
        lit = redraw(light(x, torch.full((len(x),), i)), "ball")
        assert torch.equal((lit - ball)[last == i], 0*(lit - ball)[last == i])


def test_arms_of_the_cure():
    probs, mean, other = (make_gaze(GazeConfig(**TINY | o)) for o in ({}, dict(shuffle="mean", games=25), dict(target="other")))
    for a, b in zip(probs.model.parameters(), mean.model.parameters()): assert torch.equal(a, b)
    shuffles = [cb for cb in mean.cbs if isinstance(cb, ShuffleCB)]
    seen = shuffles[0].seen(mean.model, torch.zeros(2, 1, 24, 24))
    assert torch.equal(seen, torch.arange(36).expand(2, -1) >= 6), "all but the row of the lamps"
    assert not [cb for cb in probs.cbs if isinstance(cb, ShuffleCB)]
    rows, moved = (o.dls.train.dataset.tensors[2] for o in (probs, other))
    assert torch.equal(rows.sum(2).sort(0).values, moved.sum(2).sort(0).values) and not torch.equal(rows, moved)
    assert check_shuffled(other_gaze).passed
    assert check_shuffle_gaze(lambda shares, seed: other_gaze(shares, torch.arange(len(shares)), seed)).passed
    n = len(rows)//2  # two games: each has the gaze of the other
    assert torch.equal(rows[:n].sum(0), moved[n:].sum(0)) or torch.allclose(rows[:n].sum(0), moved[n:].sum(0), atol=1e-3)


def test_the_mean_map_trains(tmp_path):
    run = train(GazeConfig(**TINY | dict(epochs=1, shuffle="mean", games=1)), tmp_path/"run", progress=False)
    assert gaze.result(run)["samples"] == 3*128


class Kill(Callback):
    order = 2000
    def cleanup_batch(self, learn):
        if learn.training and (learn.epoch, learn.iter) == (1, 3): os.kill(os.getpid(), signal.SIGKILL)


def train_until_killed(config, out):
    make = gaze.make
    def new(config):
        learn = make(config)
        learn.cbs.append(Kill())
        return learn
    gaze.make = new
    train(config, out, progress=False)


def test_killed_run_resumes_to_the_same_weights(run, tmp_path):
    assert Child(train_until_killed, GazeConfig(**TINY, save_every=2), tmp_path/"killed").wait() == -signal.SIGKILL
    assert not (tmp_path/"killed"/"result.json").exists()
    again = resume(tmp_path/"killed", progress=False)
    assert (again/"model.safetensors").read_bytes() == (run/"model.safetensors").read_bytes()
    a, b = (json.loads((o/"result.json").read_text()) for o in (again, run))
    assert {k: v for k, v in a.items() if k != "cpu_seconds"} == {k: v for k, v in b.items() if k != "cpu_seconds"}
    with pytest.raises(ArgumentError, match="config.yaml"): resume(tmp_path)
    RunDir(tmp_path/"other", dict(width=3))
    with pytest.raises(ArgumentError, match="minitrain gaze train"): resume(tmp_path/"other")


def test_play(run, tmp_path):
    from PIL import Image
    strip, clip = play_gaze(run, steps=9, pictures=3)
    with Image.open(clip) as im: assert im.n_frames == 9 and im.size == (192, 192)
    with Image.open(strip) as im: assert im.width > 2*im.height
    assert play_gaze(run, tmp_path/"a.gif", steps=2) == [tmp_path/"a.gif"]
    with pytest.raises(ArgumentError, match="`out`"): play_gaze(run, tmp_path/"a.mp4")
    with pytest.raises(ArgumentError, match="`steps`"): play_gaze(run, steps=0)


# files in place of Catch

def test_files(tmp_path):
    g = torch.Generator().manual_seed(0)
    def games(size): return [Episode(torch.randint(255, (n, *size), generator=g, dtype=torch.uint8), torch.randint(5, (n,), generator=g), torch.rand(n, 1, 2, generator=g), "") for n in (30, 25, 28)]
    for name in ("gabril", "head", "empty"): (tmp_path/name).mkdir()
    save_gabril(tmp_path/"gabril"/"num_episodes_3_fs4_human.pt", games((84, 84)))
    short = [[part[:12] for part in o[:3]] for o in games((210, 160))]
    write_episodes(tmp_path/"head"/"trial.tar.bz2", [
        Episode(x, torch.where(a == 0, -100, a), gaze, "") for x, a, gaze in short])
    small = dict(epochs=1, batch_size=8, dim=8, heads=2, mlp_dim=8, depth=1, device="cpu")
    for name in ("gabril", "head"):
        run = train(load_config("gaze_files", GazeConfig, data=str(tmp_path/name), **small), tmp_path/f"{name}-run", progress=False)
        result = json.loads((run/"result.json").read_text())
        assert "catch_rate" not in result and 0 <= result["valid_accuracy"] <= 1 and result["gaze_kl"] > 0
        assert len(play_gaze(run, steps=5)) == 2
    seen, kept = gaze_frames(GazeConfig(data=str(tmp_path/"gabril"), size=42, patch_size=14, frames=2))
    assert seen.x.shape[1:] == (2, 42, 42) and seen.shares.shape[1:] == (2, 9) and len(seen.x) + len(kept.x) == 83
    assert torch.equal(seen.x[0, 0], seen.x[0, 1]) and torch.equal(seen.x[2, 0], seen.x[1, 1]), "frames of one game, the first one repeated"
    (tmp_path/"blind").mkdir()
    save_gabril(tmp_path/"blind"/"a.pt", [o._replace(gaze=o.gaze*torch.nan)
        for o in games((84, 84))])
    gaze_frames(GazeConfig(data=str(tmp_path/"blind"), gaze=False))
    for folder, words in (("nowhere", "GABRIL"), ("empty", "GABRIL"), ("blind", "gaze in some frames")):
        with pytest.raises(ArgumentError, match=f"`data`: expected .*{words}"):
            train(GazeConfig(data=str(tmp_path/folder)), tmp_path/"lost")
    with pytest.raises(ArgumentError, match="`frames`"): gaze_frames(GazeConfig(frames=2))


def test_no_run_with_gaze_without_gaze(tmp_path):
    blind = [Episode(torch.zeros(20, 84, 84, dtype=torch.uint8), torch.zeros(20, dtype=torch.int64),
        torch.full((20, 1, 2), torch.nan), "") for _ in range(3)]
    save_gabril(tmp_path/"num_episodes_3_fs4_human.pt", blind)
    config = load_config("gaze_files", GazeConfig, data=str(tmp_path), batch_size=8, device="cpu")
    with pytest.raises(ArgumentError, match="gaze"): make_gaze(config)


def test_the_shortest_play_with_lamps_elsewhere(tmp_path):
    "One game of one ball is judged; the clone plays, and is drawn, with the lamps that it knows"
    run = train(GazeConfig(**TINY | dict(epochs=1, play_games=1, play_steps=19, lamps_at="ball")), tmp_path/"run", progress=False)
    result = gaze.result(run)
    assert "failed" not in result and {"valid_loss", "catch_rate", "frozen"} <= {*result}
    scenes, change = clone_scenes(run, 30), partial(redraw, lamps_at="ball")
    played = rollout(Behind(change, gaze.load(run)[0]), 1, 30, True, seed=0, keep=True)
    assert torch.equal(scenes.frames, (255*change(played.frames[0].float()/255)).round().byte()[:, 0])
    assert scenes.actions == [CatchEnv.action_names[o] for o in played.actions[0]] and not scenes.frames[:, :4].any()


@pytest.mark.parametrize("wrong", [dict(play_steps=18), dict(lamps_at="away", size=16), dict(lamps_at="ball", size=22, patch_size=2), dict(lamps_at="ball", data="x")])
def test_what_cannot_be_judged_or_drawn(wrong):
    with pytest.raises(ArgumentError, match=f"`{[*wrong][0]}`"): GazeConfig(**wrong)
    GazeConfig(play_steps=1, data="x")
