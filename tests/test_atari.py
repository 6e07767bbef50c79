"Atari: gymnasium's checker, frames, glyph and places against the screen, games side by side, recordings, clones and commands."
import shutil, subprocess, sys, warnings

import numpy as np, pytest, torch
from gymnasium.utils.env_checker import check_env
from torch import nn

from minitrain.atari import (AtariEnv, activation_map, area_resize, atari_expert,
    draw_actions, load_clone, play_atari, record_atari)
from minitrain.catch import lamp_swap
from minitrain.cli import main
from minitrain.core import ArgumentError, asset_path
from minitrain.gaze_files import Episode, load_gabril
from minitrain.experiments.atari import action_confusion, clips, judge_clone, watch_scenes
from minitrain.experiments.gaze import GazeConfig, gaze, write_scenes
from minitrain.runs import RunDir, load_config

GAMES = "breakout", "pong"


def walk(env, actions, seed=0):
    "Frames and infos of a game under given actions"
    seen = [env.reset(seed=seed)]
    for a in actions:
        x, _, over, cut, info = env.step(a)
        seen.append((x, info))
        if over or cut: break
    return seen


def at_random(seed):
    rng = np.random.default_rng(seed)
    return lambda info: int(rng.choice([0, 3, 4]))


# The environment

@pytest.mark.parametrize("game, glyph", [("breakout", True), ("pong", False), ("seaquest", True)])
def test_env_passes_the_checker(game, glyph):
    with warnings.catch_warnings(action="ignore"): check_env(AtariEnv(game, glyph, render_mode="rgb_array"))


def test_the_checker_can_fail():
    class Forgetful(AtariEnv):
        def reset(self, *, seed=None, options=None): return super().reset()
    with pytest.raises((AssertionError, TypeError)), warnings.catch_warnings(action="ignore"): check_env(Forgetful("pong"))


def test_the_seed_is_the_game():
    actions = np.random.default_rng(0).choice([0, 3, 4], 80)
    a, b, c = (walk(AtariEnv("pong"), actions, seed) for seed in (3, 3, 4))
    assert all((x == y).all() for (x, _), (y, _) in zip(a, b))
    assert any((x != y).any() for (x, _), (y, _) in zip(a, c))


@pytest.mark.parametrize("sticky, same", [(0., True), (0.25, False)])
def test_chance_comes_from_sticky_actions_alone(sticky, same):
    actions = np.random.default_rng(0).choice([3, 4], 60)
    a, b = (walk(AtariEnv("pong", sticky=sticky), actions, seed) for seed in (1, 2))
    assert all((x == y).all() for (x, _), (y, _) in zip(a, b)) == same


def test_a_step_is_skip_frames_and_shows_the_brighter_of_the_last_two():
    env = AtariEnv("pong", sticky=0., skip=3)
    env.reset(seed=0)
    screens, act = [], env._ale.act
    class Spy:
        def __getattr__(self, name): return getattr(ale, name)
        def act(self, a): r = act(a); screens.append(ale.getScreenGrayscale()); return r
    ale, env._ale = env._ale, Spy()
    for _ in range(30):
        screens.clear()
        x, *_ = env.step(3)
        assert len(screens) == 3
        assert (x[0] == area_resize(np.maximum(screens[-1], screens[-2]))).all()


def test_breakout_serves_itself_and_ends():
    env = AtariEnv("breakout")
    seen = walk(env, [0]*400)
    assert [o["lives"] for _, o in seen][-1] == 0 and 50 < len(seen) < 400  # nobody pressed FIRE
    no_ball = [o["objects"][0, 0] == -1 for _, o in seen[:-1]]
    assert sum(no_ball) < 0.1*len(seen)
    with pytest.raises(Exception, match="call `reset` first"): env.step(0)


def test_truncation():
    env = AtariEnv("pong", steps=5)
    env.reset(seed=0)
    assert [env.step(0)[2:4] for _ in range(5)] == [(False, False)]*4 + [(False, True)]
    with pytest.raises(Exception, match="call `reset` first"): env.step(0)


@pytest.mark.parametrize("kwargs, words", [(dict(game="chess"), "`game`"),
    (dict(sticky=1.5), "`sticky`")])
def test_games_that_there_are_not(kwargs, words):
    with pytest.raises(ArgumentError, match=words): AtariEnv(**(dict(game="pong") | kwargs))


def test_other_games_say_nothing_of_places():
    env = AtariEnv("seaquest")
    assert env.reset(seed=0)[1]["objects"].shape == (0, 2)
    with pytest.raises(IndexError): atari_expert(env.reset(seed=0)[1])


# Frames

@pytest.mark.parametrize("hgt, wid, size", [(42, 32, 17), (12, 9, 5), (7, 7, 7), (10, 20, 1)])
def test_area_resize_is_pooling_of_repeated_pixels(hgt, wid, size):
    x = np.random.default_rng(0).integers(0, 256, (hgt, wid), dtype=np.uint8)
    big = x.astype(np.float64).repeat(size, 0).repeat(size, 1)  # each pixel size x size times, so that every area is whole
    want = big.reshape(size, hgt, size, wid).mean((1, 3))
    assert np.abs(area_resize(x, size) - want).max() <= 0.501


def test_only_bytes_are_resized():
    with pytest.raises(ArgumentError): area_resize(np.zeros((4, 4)), 2)


def test_numbers_on_frames():
    "Eighteen different pictures, two digits from 10 on, and nothing but the digits has changed"
    x = torch.randint(1, 255, (18, 84, 84), generator=torch.Generator().manual_seed(0)).byte()
    y = draw_actions(x, torch.arange(18))
    changed = (x != y).float().mean(0).nonzero()
    assert (changed.amin(0).tolist(), changed.amax(0).tolist()) == ([46, 11], [55, 24])
    assert len({o.numpy().tobytes() for o in draw_actions(torch.zeros_like(x), torch.arange(18))}) == 18
    assert torch.equal(y[:10, :, 17:], x[:10, :, 17:]) and not torch.equal(y[10:, :, 19:], x[10:, :, 19:])


@pytest.mark.parametrize("frames", [
    torch.zeros(2, 84, 84), torch.zeros(2, 80, 84).byte(),
    torch.zeros(3, 84, 84).byte()], ids=["floats", "small", "more"])
def test_numbers_that_cannot_be_drawn(frames):
    with pytest.raises(ArgumentError): draw_actions(frames, torch.zeros(2).long())


@pytest.mark.parametrize("game", GAMES)
def test_the_glyph_shows_what_was_asked_for(game):
    plain, with_glyph = (play_atari(at_random(1), game, 1, glyph=o, steps=60, seed=5, keep=True) for o in (False, True))
    previous = torch.cat([torch.zeros(1).long(), plain.actions[0][:-1]])
    assert torch.equal(with_glyph.frames[0], draw_actions(plain.frames[0], previous))


@pytest.mark.parametrize("game, box, value", [("pong", (slice(36, 192), slice(24, 136)), 236), ("breakout", (slice(100, 185), slice(10, 150)), None)])
def test_places_are_where_the_pixels_are(game, box, value):
    env, off = AtariEnv(game), []
    _, info = env.reset(seed=0)
    for t in range(300):
        x, y = info["objects"][0]*[160, 210] - 0.5
        screen = env._screens[-1][box]
        rows, columns = np.nonzero(screen == value if value else screen)
        if len(rows) and box[1].start + 2 < x < box[1].stop - 2 and box[0].start + 4 < y < box[0].stop - 4:
            off.append((columns.mean() + box[1].start - x, rows.mean() + box[0].start - y))
        info = env.step(atari_expert(info))[-1]
    assert len(off) > 60 and np.abs(off).mean(0).max() < 0.2


def test_paddles_are_where_the_pixels_are():
    env, off = AtariEnv("breakout"), []
    _, info = env.reset(seed=0)
    for t in range(100):
        columns = np.nonzero(env._screens[-1][190, 8:152])[0] + 8
        off.append(columns.mean() - (info["objects"][1, 0]*160 - 0.5))
        info = env.step(3 if t % 20 < 10 else 4)[-1]
    assert np.median(np.abs(off)) < 1.5


# Play

@pytest.mark.parametrize("game, ahead", [("breakout", 15), ("pong", 3)])
def test_the_expert_plays(game, ahead):
    expert, other = (play_atari(o, game, 2, steps=600, seed=2).scores.mean() for o in (atari_expert, at_random(0)))
    assert expert > other + ahead


def test_the_expert_needs_nothing_but_two_moments():
    info = dict(game="breakout", objects=np.array([[0.5, 0.8], [0.2, 0.9]], np.float32), before=np.array([[0.5, 0.75], [0.2, 0.9]], np.float32))
    assert atari_expert(info) == 3
    mirrored = {k: (v*[-1, 1] + [1, 0]).astype(np.float32) for k, v in info.items() if k != "game"}
    assert atari_expert(info | mirrored) == 4
    assert atari_expert(info | dict(before=info["objects"])) == 0  # a ball that does not come
    assert atari_expert(info | dict(objects=np.array([[-1, -1], [0.2, 0.9]], np.float32))) == 0


class Net(nn.Module):
    "Scores from frames, and a memory of what it was shown"
    def __init__(self, k=18):
        super().__init__()
        self.lin, self.seen = nn.Linear(84*84, k), []
        with torch.no_grad(): self.lin.weight.copy_(torch.randn(k, 84*84, generator=torch.Generator().manual_seed(0)))
    def forward(self, x):
        self.seen.append((x.clone(), self.training, torch.is_grad_enabled()))
        return self.lin(x[:, -1].flatten(1) - x[:, 0].flatten(1)*0.9)


def test_side_by_side_is_one_by_one():
    net = Net()
    many = play_atari(net, "breakout", 3, steps=120, seed=1)
    for i in range(3):  # fewer games of the same seed are the same games
        few = play_atari(net, "breakout", i + 1, steps=120, seed=1)
        assert torch.equal(few.actions[i], many.actions[i]) and few.scores[i] == many.scores[i]
    assert not torch.equal(many.actions[0][:50], many.actions[1][:50])


def test_what_a_network_is_shown():
    net = Net().train()
    played = play_atari(net, "pong", 2, frames=3, steps=6, keep=True)
    assert net.training and not any(training or grad for _, training, grad in net.seen)
    stacks = torch.stack([x for x, *_ in net.seen])  # (steps, games, 3, 84, 84)
    assert torch.equal(stacks[0, :, 0], stacks[0, :, 2])
    for t in range(6):
        for k in range(3): assert torch.equal((stacks[t, 0, 2 - k]*255).round().byte(), played.frames[0][max(0, t - k)])
    assert played.cut.all() and played.steps.tolist() == [6, 6]
    with pytest.raises(ArgumentError, match=r"`policy`.*\(1, 18\)"): play_atari(Net(6), "pong", 1)
    with pytest.raises(ArgumentError, match="`action`"): play_atari(lambda info: 3.5, "pong", 1)


def test_repeats():
    played = play_atari(atari_expert, "pong", 2, steps=40)
    played = played._replace(actions=[torch.tensor([0, 0, 3]), torch.tensor([3, 3])])
    assert abs(played.repeats - 2/3) < 1e-6


# Recordings and clones

@pytest.mark.parametrize("game", GAMES)
def test_recordings(game, tmp_path):
    plain, glyph = record_atari(game, 2, 80, seed=1), record_atari(game, 2, 80, glyph=True, seed=1, path=tmp_path/"deep"/"a.pt")
    for a, b, c in zip(plain, glyph, load_gabril(tmp_path/"deep"/"a.pt")):
        assert torch.equal(a.actions, b.actions) and torch.equal(a.gaze.nan_to_num(-9), b.gaze.nan_to_num(-9)) and not torch.equal(a.frames, b.frames)
        assert torch.equal(b.frames, c.frames) and torch.equal(b.actions, c.actions) and torch.allclose(b.gaze, c.gaze, equal_nan=True)
        assert a.frames.shape == (80, 84, 84) and a.gaze.shape == (80, 1, 2) and set(a.actions.tolist()) <= {0, 3, 4}
        assert len(a.gaze[a.gaze.isfinite().all(-1)]) > 40
    assert not torch.equal(plain[0].frames, plain[1].frames)
    assert not torch.equal(plain[0].frames, record_atari(game, 1, 80, seed=2)[0].frames)
    assert [o.name for o in (tmp_path/"deep").iterdir()] == ["a.pt"]


def test_the_eye_looks_at_the_ball():
    e = record_atari("pong", 1, 400, seed=3, noise=0., saccade=1., weights=[1, 0, 0], lag=0, blink=0.)[0]
    played = play_atari(atari_expert, "pong", 1, steps=400, seed=3, kind="demos")
    want = played.objects[0][:, 0]
    assert torch.allclose(e.gaze[:, 0], want, atol=1e-5, equal_nan=True)


@pytest.mark.parametrize("kwargs, words", [(dict(game="seaquest"), "`game`"),
    (dict(games=0), "`games`")])
def test_recordings_that_cannot_be_made(kwargs, words):
    with pytest.raises(ArgumentError, match=words): record_atari(**(dict(game="pong", games=1, steps=5) | kwargs))


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    "A run on three short games"
    folder = tmp_path_factory.mktemp("atari")
    record_atari("pong", 3, 130, glyph=True, seed=9, path=folder/"demos"/"a.pt")
    return gaze.run(load_config("gaze_files", GazeConfig, data=str(folder/"demos"), epochs=1, depth=1, dim=16, heads=2, mlp_dim=16, batch_size=64, device="cpu"), folder/"run", progress=False)[0]


def test_clone_is_the_model_of_its_run(run):
    model = load_clone(run.path)
    assert not model.training and model.config.patch_norm and model.config.data.endswith("demos")
    from safetensors.torch import load_file
    assert all(torch.equal(v, model.state_dict()[k]) for k, v in load_file(run/"model.safetensors").items())
    x = torch.rand(2, 2, 84, 84)
    assert model(x).shape == (2, 18) and torch.equal(load_clone(str(run.path))(x), model(x))


@pytest.mark.parametrize("name", [f"{g}-{arm}" for g in GAMES for arm in ("bc", "probs")]
    + ["breakout-shuffle"])
def test_packaged_clones(name):
    model = load_clone(name)
    assert model.config.gaze == (not name.endswith("bc")) and model(torch.rand(1, 2, 84, 84)).isfinite().all()


def test_clones_that_there_are_not(tmp_path):
    for wrong in ("nobody", tmp_path/"nowhere"):
        with pytest.raises(ArgumentError, match="pong-probs"): load_clone(wrong)
    catch = RunDir(tmp_path/"catch", dict(seed=1))
    with pytest.raises(ArgumentError, match="recorded games"): load_clone(catch.path)
    other = RunDir(tmp_path/"other", dict(colour="red"))
    with pytest.raises(ArgumentError, match="recorded games"): load_clone(other.path)


def test_confusion_counts_every_frame():
    class Says(nn.Module):
        def forward(self, x): return torch.nn.functional.one_hot((x[:, -1, 0, 0]*255).round().long(), 18).float()
    frames, did = torch.zeros(6, 84, 84, dtype=torch.uint8), torch.tensor([0, 0, 3, 4, 3, -100])
    frames[:, 0, 0] = torch.tensor([0, 3, 3, 17, 0, 5])
    e = Episode(frames, did, torch.zeros(6, 1, 2), "a")
    matrix, names = action_confusion(Says(), [e, e])
    assert names == ["NOOP", "RIGHT", "LEFT", "DOWNLEFTFIRE"]
    assert matrix.compute().tolist() == [[2, 2, 0, 0], [2, 2, 0, 0], [0, 0, 0, 2], [0, 0, 0, 0]]


def test_watching(run, tmp_path):
    model = load_clone(run.path)
    scenes = watch_scenes(model, "pong", True, start=3, steps=9)
    whole = play_atari(model, "pong", 1, glyph=True, steps=12, keep=True)
    assert torch.equal(scenes.frames, whole.frames[0][3:]) and scenes.looks.shape == (9, 84, 84)
    assert scenes.actions == [AtariEnv.action_names[o] for o in whole.actions[0][3:]]
    from PIL import Image
    clip = write_scenes(watch_scenes(model, "pong", steps=5), tmp_path/"new"/"a.gif")
    with Image.open(clip) as o: assert o.n_frames == 5 and o.size == (168, 168)
    assert watch_scenes(model, "seaquest", steps=5).points.isnan().all()  # no places, no cross
    with pytest.raises(ArgumentError, match="start"): watch_scenes(model, "pong", start=-1)
    with pytest.raises(ArgumentError, match="game's end"): watch_scenes(Idle(model), "breakout", start=500, steps=1)


def test_clips_move_on_the_page_and_stand_on_paper(run):
    import base64, io, re
    from PIL import Image
    scenes = watch_scenes(load_clone(run.path), "pong", steps=4)
    shown = clips({"one": scenes, "two": scenes}, {"one": "a ball", "two": "a paddle"})
    images = [Image.open(io.BytesIO(base64.b64decode(o))) for o in re.findall(r"base64,([^\"]+)", shown)]
    assert [o.format for o in images] == ["PNG", "GIF"]*2 and images[1].n_frames == 4
    assert re.findall('alt="([^"]*)"', shown) == ["a ball", "a paddle"] and "print" in shown


# What a clone goes by

@pytest.mark.parametrize("number", [3, 17])
def test_another_number_is_written(number):
    x, _ = (env := AtariEnv("pong", glyph=True, frozen=number)).reset(seed=0)
    plain, _ = (other := AtariEnv("pong")).reset(seed=0)
    for _ in range(3):
        want = draw_actions(torch.from_numpy(plain), torch.tensor([number]))
        assert torch.equal(torch.from_numpy(x), want)
        x, plain = env.step(4)[0], other.step(4)[0]
    with pytest.raises(ArgumentError, match="`frozen`"): AtariEnv("pong", frozen=18)


def test_numbers_on_stacks_are_numbers_on_their_frames():
    x = torch.randint(0, 255, (2, 3, 84, 84), generator=torch.Generator().manual_seed(0)).byte()
    y = draw_actions(x, torch.tensor([4, 12]))
    for i in range(3): assert torch.equal(y[:, i], draw_actions(x[:, i], torch.tensor([4, 12])))


def test_the_lamp_swap_takes_numbers_for_lamps():
    numbers = torch.tensor([0, 3, 4])
    x = torch.zeros(2, 2, 84, 84, dtype=torch.uint8)
    write = lambda x, i: draw_actions(x, numbers[i])
    shown = torch.stack([write(x[:1], torch.tensor([i]))[0] for i in range(3)])
    reads = lambda x: (x[:, None] == shown).flatten(2).float().mean(2)  # which number it is
    blind = lambda x: torch.eye(3)[[1]*len(x)]
    assert lamp_swap(reads, x, write).tolist() == [[0, 1, 2]]*2
    assert lamp_swap(blind, x, write).tolist() == [[1, 1, 1]]*2


def test_activation_map():
    "Highest where the sum over channels of |z| is, evener with a larger beta, of any size"
    z = torch.zeros(2, 3, 6, 6)
    z[0, 1, 2, 4], z[1, 2, 5, 0] = -9., 4.
    seen = activation_map(z, 24)
    assert seen.shape == (2, 24, 24) and torch.equal(seen.amax((1, 2)), torch.ones(2))
    for o, (row, column) in zip(seen, ((2, 4), (5, 0))):
        best = divmod(int(o.argmax()), 24)
        assert (best[0]//4, best[1]//4) == (row, column)
    assert activation_map(z, 24, beta=50.).mean() > seen.mean()
    z.requires_grad_()
    activation_map(z, 24).sum().backward()
    assert z.grad[0, 1, 2, 4] != 0


class Idle(nn.Module):
    "A clone that never moves"
    def __init__(self, model):
        super().__init__()
        self.config = model.config
    def forward(self, x): return torch.eye(18)[:1].expand(len(x), -1)


def test_judging(run, tmp_path):
    import pandas as pd
    folder = judge_clone(run.path, "breakout", 2, True, out=tmp_path/"judged")
    assert {o.name for o in folder.iterdir()} == {"games.csv", "play.png", "play.gif"}
    played = play_atari(load_clone(run.path), "breakout", 2, glyph=True)
    rows = pd.read_csv(folder/"games.csv")
    assert rows.score.tolist() == played.scores.tolist() and rows.steps.tolist() == played.steps.tolist()


# Commands

def test_record_train_play_by_command(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    def run(command):
        assert main(command.split()) == 0
        return capsys.readouterr().out
    assert run("atari record breakout demos/a.pt --games 2 --steps 150 --glyph true").startswith("2 games, 300 steps")
    run("gaze train --config gaze_files --data demos --epochs 2 --dim 16 --depth 1 --out run")
    assert run("atari play run breakout --games 1 --glyph true --out judged").strip() == "judged"
    assert (tmp_path/"judged"/"games.csv").is_file()


@pytest.mark.parametrize("words, said", [(("record", "chess", "a.pt"), "`game`"), (("record", "pong"), "path"), (("record", "pong", "a.pt", "--games", "x"), "games"),
    (("play", "nobody", "pong"), "pong-probs"), (("play", "pong-bc", "pong", "--games", "0"), "`games`")])
def test_commands_that_are_wrong(words, said, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    try: status = main(["atari", *words])
    except SystemExit as e: status = e.code
    err = capsys.readouterr().err
    assert status == 2 and said in err and err.count("\n") == 1 and not list(tmp_path.iterdir())


def test_without_the_extra(tmp_path):
    "One clear line; and all else of the package works without it"
    code = ("import sys; sys.modules['ale_py'] = None; import minitrain.all; print('ale_py' in repr([o for o in sys.modules if sys.modules[o]]));"
        "from minitrain.cli import main; sys.exit(main('atari record pong a.pt'.split()))")
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 2 and "pip install minitrain[atari]" in done.stderr and done.stderr.count("\n") == 1
    assert done.stdout.strip() == "False", done.stderr


def test_a_clone_with_the_weights_of_another(tmp_path):
    for name, clone in (("a", "pong-bc"), ("b", "breakout-bc")):
        config = asset_path("clones", clone, ".yaml")
        shutil.copy(asset_path("clones", "pong-bc", ".yaml"), tmp_path/f"{name}.yaml")
        shutil.copy(config.with_suffix(".safetensors"), tmp_path/f"{name}.safetensors")
    assert load_clone(tmp_path/"a.yaml")
    with pytest.raises(ArgumentError, match="`clone`: expected weights and the configuration"): load_clone(tmp_path/"b.yaml")
