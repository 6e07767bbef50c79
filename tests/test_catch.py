"Laws of lesson 31: the rules, gymnasium's tools, the expert, lamps, the simulated eye."
import itertools, warnings

import gymnasium, numpy as np, pytest, torch
from gymnasium.utils.env_checker import check_env
from torch import nn

from minitrain.catch import (CatchEnv, catch_demos, catch_expert, catch_rate,
    chosen_actions, lamp_swap, rollout, simulated_gaze, switch_accuracy)
from minitrain.core import ArgumentError


def random_policy(seed):
    rng = np.random.default_rng(seed)
    return lambda frames: rng.integers(3, size=len(frames))


def scores(actions): return nn.functional.one_hot(torch.as_tensor(actions), 3).float()


# the game

@pytest.mark.parametrize("lamps, size", itertools.product((False, True), (12, 24, 31)))
def test_env_passes_the_checker(lamps, size):
    options = dict(lamps=lamps, size=size, render_mode="rgb_array")
    with warnings.catch_warnings(action="error"):
        check_env(gymnasium.make("minitrain/Catch-v0", **options).unwrapped)


def test_runs_in_gymnasiums_vectors():
    envs = gymnasium.make_vec("minitrain/Catch-v0", num_envs=3, vectorization_mode="sync",
        lamps=True, steps=30)
    frames, _ = envs.reset(seed=[1, 2, 3])
    assert frames.shape == (3, 1, 24, 24)
    for t in range(30): *_, truncated, _ = envs.step(np.array([0, 1, 2]))
    assert truncated.all()


def by_hand(seed, actions, size):
    "Paddle, row and catches at the end of a game, a number at a time"
    rng, fall, row, caught = np.random.default_rng(seed), size - 5, 4, []
    paddle, balls = rng.integers(2, size - 2), rng.integers(size, size=len(actions)//fall + 1)
    for t, a in enumerate(actions):
        paddle, row = min(max(paddle + a - 1, 2), size - 3), row + 1
        if row == size - 1: row, caught = 4, [*caught, abs(balls[t//fall] - paddle) <= 2]
    return int(paddle), row, sum(caught), len(caught)


@pytest.mark.parametrize("lamps, size, steps", [(False, 24, 400), (True, 24, 57),
    (True, 12, 40), (True, 33, 3)])
def test_many_games_are_single_games(lamps, size, steps):
    "Frames, places, catches and the end, under a policy that also runs into walls"
    many = rollout(random_policy(0), 3, steps, lamps, seed=7, keep=True, size=size)
    for i, seed in enumerate(many.seeds):
        env = CatchEnv(lamps, steps, size)
        frame, info = env.reset(seed=seed)
        for t in range(steps):
            (x, y), (paddle, bottom) = (many.objects[i, t]*size).floor().tolist()
            assert (many.frames[i, t].numpy() == frame).all() and bottom == size - 1
            assert (info["ball"], info["paddle"]) == ((y, x), paddle)
            frame, reward, terminated, truncated, new = env.step(int(many.actions[i, t]))
            assert reward == new["caught"] - info["caught"] and not terminated
            assert truncated == (t == steps - 1)
            info = new
        want = by_hand(seed, many.actions[i].tolist(), size)
        assert (info["paddle"], info["ball"][0], info["caught"], info["balls"]) == want
        assert want[2:] == (many.caught[i], many.balls)
    others = ((1, lamps, 7), (0, not lamps, 7), (0, lamps, 8))  # the control
    for policy, lit, seed in others:
        other = rollout(random_policy(policy), 3, steps, lit, seed, True, size)
        assert not torch.equal(other.frames, many.frames)


def test_game_i_depends_on_seed_and_i():
    few, many = (rollout(catch_expert, n, 60, keep=True) for n in (2, 5))
    assert torch.equal(few.frames, many.frames[:2]) and few.seeds == many.seeds[:2]
    one, two = (rollout(catch_expert, 64, 1, seed=o).seeds for o in (0, 1))
    assert not set(one) & set(two)


def test_no_played_game_is_a_demonstration():
    for seed in (0, 1, 40):
        demos = catch_demos(6, 60, seed=seed).frames.view(6, 60, -1)
        played = rollout(catch_expert, 6, 60, seed=seed, keep=True).frames.flatten(2)
        a, b = ({o.numpy().tobytes() for o in games} for games in (demos, played))
        assert len(a) == 6 and not a & b


@pytest.mark.parametrize("action", [3, -1, np.array([1, 1])])
def test_wrong_actions(action):
    env = CatchEnv()
    env.reset(seed=0)
    with pytest.raises(ArgumentError): env.step(action)


def test_a_game_must_begin_and_ends():
    env = CatchEnv(steps=2, render_mode="rgb_array")
    with pytest.raises(gymnasium.error.ResetNeeded): env.step(1)
    env.reset(seed=0)
    assert env.render().shape == (192, 192, 3) and env.render().dtype == np.uint8
    assert not env.step(1)[3] and env.step(np.int64(2))[3]
    with pytest.raises(gymnasium.error.ResetNeeded): env.step(1)
    env.reset()
    env.step(1)
    with pytest.raises(ArgumentError): CatchEnv(size=11).reset()


# the expert and others

def test_expert_over_all_states():
    """A ball is caught from wherever the paddle stands when it begins: every other ball is
    played at random; and the action depends on ball and paddle alone"""
    rng, begun = np.random.default_rng(0), set()
    for seed in range(60):
        env = CatchEnv()
        frame, info = env.reset(seed=seed)
        for _ in range(380):
            ours = info["balls"] % 2
            action = rng.integers(3)
            if ours: action = catch_expert(torch.from_numpy(frame)[None]).item()
            frame, reward, *_, new = env.step(int(action))
            landed = new["balls"] - info["balls"]
            if landed and not ours: begun.add(int(new["paddle"]))  # where ours begins
            assert not ours or reward == landed, (seed, info)
            info = new
    assert len(begun) > 15  # places of 20
    frames, lit = (rollout(random_policy(3), 8, 80, lamps, keep=True).frames.flatten(0, 1)
                   for lamps in (False, True))
    want = catch_expert(frames)
    assert set(want.tolist()) == {0, 1, 2}
    assert not torch.equal(lit, frames) and torch.equal(catch_expert(lit), want)
    assert torch.equal(catch_expert(frames.float()/255), want)


@pytest.mark.parametrize("size", [12, 17, 24, 40])
def test_expert_catches_all_at_every_size(size):
    assert catch_rate(rollout(catch_expert, 32, 200, size=size)) == (1, 1, 1)


def test_a_sticky_expert_needs_the_lamp_and_ours_does_not():
    "The best possible answer without the lamp is perfect for ours, not for a sticky one"
    def best(frames, actions):
        votes = {}
        for x, a in zip(frames[:, :, 4:].flatten(1).numpy(), actions.tolist()):
            votes.setdefault(x.tobytes(), [0, 0, 0])[a] += 1
        return sum(map(max, votes.values()))/len(actions)
    d = catch_demos(25, lamps=True)
    stick = torch.rand(len(d.actions), generator=torch.Generator().manual_seed(0)) < 0.25
    sticky = torch.where(stick, d.previous, d.actions)
    assert best(d.frames, d.actions) == 1 and best(d.frames, sticky) < 1


class Net(nn.Module):
    "Scores from all pixels, with dropout; notes what it is given"
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Flatten(), nn.Dropout(0.5), nn.Linear(576, 3))
        self.seen = set()
    def forward(self, x):
        seen = x.dtype, x.max().item(), self.training, torch.is_grad_enabled()
        self.seen.add(seen)
        return self.body(x)


@pytest.mark.parametrize("ask", [lambda o: rollout(o, 4, 50, lamps=True).actions,
    lambda o: lamp_swap(o, rollout(catch_expert, 2, 30, keep=True).frames.flatten(0, 1))])
def test_a_module_answers_in_evaluation_mode_and_is_left_as_it_was(ask):
    torch.manual_seed(0)
    model = Net().train()
    model.body[1].eval()  # a module with a mode of its own
    first, second = ask(model), ask(model)
    assert torch.equal(first, second)
    assert model.seen == {(torch.float32, 1.0, False, False)}
    assert model.training and not model.body[1].training and model.body[2].training
    by_hand = ask(lambda x: model.eval()(x.float()/255).argmax(1))
    assert torch.equal(first, by_hand)
    assert torch.equal(first, ask(lambda x: scores(model(x.float()/255).argmax(1))))


@pytest.mark.parametrize("policy", [lambda x: np.ones(3, int), lambda x: np.full(len(x), -1),
    lambda x: np.full(len(x), 3), lambda x: np.full(len(x), 0.5),
    nn.Sequential(nn.Flatten(), nn.Linear(576, 4))])
def test_a_policy_answers_every_game_with_one_of_three(policy):
    with pytest.raises(ArgumentError): rollout(policy, 4, 5)


# lamps

def test_lamps_show_the_policys_own_last_action():
    actions = iter(np.array([[0, 2], [1, 2], [2, 0], [1, 1]]))
    result = rollout(lambda frames: next(actions), 2, 4, lamps=True, keep=True)
    lit = result.frames[:, :, 0, 1, 6:17:4].int().argmax(-1)
    assert lit.tolist() == [[1, 0, 1, 2], [1, 2, 2, 0]]  # stay at first, then what was done


def test_the_lamp_swap():
    "Equal columns for what watches the ball, the lamps for what copies them"
    d = catch_demos(2, 60, lamps=True)
    plain, before = catch_demos(2, 60).frames, d.frames.clone()
    for frames in (d.frames, plain, d.frames.float()/255, d.frames.double()/255):
        said = lamp_swap(lambda x: scores(catch_expert(x)), frames)
        assert said.dtype == torch.int64
        assert torch.equal(said, d.actions[:, None].expand(-1, 3))
        said = lamp_swap(lambda x: x[:, 0, 1, 6:17:4].float(), frames)
        assert torch.equal(said, torch.arange(3).expand(120, 3))
    assert torch.equal(d.frames, before)
    for dtype, scale in ((torch.uint8, 1), (torch.float32, 255), (torch.float64, 255)):
        lit = []
        lamp_swap(lambda x: lit.append(x) or catch_expert(x), plain.to(dtype)/scale
            if scale > 1 else plain)
        for i, x in enumerate(lit):
            own = d.previous == i
            assert own.any() and x.dtype == dtype
            assert torch.equal((x[own]*scale).round().byte(), d.frames[own])


# measures

def test_catch_rate_against_the_normal_interval():
    "Over many games the bootstrap agrees with the standard error over games"
    result = rollout(random_policy(5), 200, 400)
    rates = result.caught/result.balls
    rate, low, high = catch_rate(result)
    half = 1.96*(rates.std()/200**0.5).item()
    assert rate == pytest.approx(rates.mean().item())
    assert [rate - low, high - rate] == pytest.approx([half, half], rel=0.15)
    _, lower, higher = catch_rate(result, level=0.99)
    assert lower < low < high < higher and catch_rate(result) == (rate, low, high)
    with pytest.raises(ArgumentError): catch_rate(rollout(catch_expert, 4, 18))


def test_switch_accuracy():
    actions, previous = torch.tensor([0, 1, 1, 2]), torch.tensor([1, 1, 0, 2])
    assert switch_accuracy(torch.tensor([0, 0, 2, 0]), actions, previous) == 0.5
    assert switch_accuracy(scores([0, 0, 1, 0]), actions, previous) == 1
    assert switch_accuracy(previous, actions, previous) == 0  # the copycat
    for args in ((actions, actions, actions), (actions[:2], actions, previous),
                 (actions, actions, previous[:2])):
        with pytest.raises(ArgumentError): switch_accuracy(*args)


# the eye

def test_gaze_lag_noise_and_attention_to_things():
    objects = rollout(catch_expert, 20, 400).objects
    quiet = dict(noise=0, blink=0, saccade=0, weights=(1, 0))
    for lag in (0, 1, 5):
        eye = simulated_gaze(objects, lag, **quiet)
        assert torch.allclose(eye[:, lag:], objects[:, :400 - lag, 0])
        assert torch.allclose(eye[:, :lag], objects[:, :1, 0].expand(-1, lag, -1))
    still = simulated_gaze(objects, 0, **quiet)
    for noise in (0.02, 0.1):
        error = simulated_gaze(objects, 0, **quiet | dict(noise=noise)) - still
        assert error.std().item() == pytest.approx(noise, rel=0.05)
        assert abs(error.mean().item()) < 0.05*noise
    shares = ((1, 0), 0), ((3, 1), 0.25), (None, 0.25), ((0, 1), 1)
    for weights, share in shares:  # on its way it is at neither
        eye = simulated_gaze(objects, 0, 0, 0.05, 0, weights)
        found = (eye == objects[:, :, 1]).all(-1).float().mean().item()
        assert found == pytest.approx(share, abs=0.07)


def test_gaze_on_its_way_and_closed():
    objects = torch.zeros(10, 500, 2, 2)
    objects[:, :, 1] = 1
    eye = simulated_gaze(objects, 0, 0, 0.3, 0, (1, 1))
    assert (eye[..., 0] - eye[..., 1]).abs().max() < 1e-6  # on the line between the two
    assert eye.min() >= 0 and eye.max() <= 1
    between = ((eye > 0) & (eye < 1)).any(-1)
    assert 0.05 < between.float().mean() < 0.25
    for blink in (0., 0.05, 1.):
        closed = simulated_gaze(objects, 0, 0, 0, blink).isnan().any(-1)
        assert closed.float().mean().item() == pytest.approx(1 - (1 - blink)**3, abs=0.02)


def test_gaze_of_game_i_depends_on_seed_and_i():
    objects = rollout(catch_expert, 4, 60).objects
    def same(a, b): return torch.equal(a.nan_to_num(-9), b.nan_to_num(-9))
    assert same(simulated_gaze(objects, seed=3)[:2], simulated_gaze(objects[:2], seed=3))
    assert not same(simulated_gaze(objects, seed=3), simulated_gaze(objects, seed=4))
    state = torch.get_rng_state(), np.random.get_state()[1].copy()
    simulated_gaze(objects)
    assert torch.equal(state[0], torch.get_rng_state())
    assert (state[1] == np.random.get_state()[1]).all()


def test_demonstrations():
    plain, lit = (catch_demos(3, 70, lamps=o, seed=5) for o in (False, True))
    assert plain.frames.shape == (210, 1, 24, 24) and plain.frames.dtype == torch.uint8
    kinds = [torch.int64, torch.int64, torch.float32, torch.int64]
    assert [o.dtype for o in plain[1:]] == kinds
    for a, b in zip(plain[1:], lit[1:]): torch.testing.assert_close(a, b, equal_nan=True)
    shown = lit.frames[:, 0, 1, 6:17:4].int().argmax(-1)
    assert torch.equal(shown, lit.previous)  # the lamps show the action before
    for i in range(3):
        own = plain.episodes == i
        assert own.sum() == 70 and plain.previous[own][0] == 1
        assert torch.equal(plain.previous[own][1:], plain.actions[own][:-1])
    assert torch.equal(catch_expert(lit.frames), lit.actions)
    assert catch_demos(2, 50, blink=0).gaze.isfinite().all()
    assert catch_demos(2, 50, blink=1).gaze.isnan().all()


def test_actions_of_any_number_are_chosen():
    "As Atari wants them; a module without parameters is on the CPU"
    frames = torch.zeros(4, 2, 3, 3, dtype=torch.uint8)
    frames[:, 1, 0, 0] = torch.tensor([5, 8, 0, 17])
    class Last(nn.Module):
        def forward(self, x): return nn.functional.one_hot((x[:, 1, 0, 0]*255).round().long(), 18)
    assert chosen_actions(Last(), frames, 18).tolist() == [5, 8, 0, 17]
    with pytest.raises(ArgumentError, match="`policy`"): chosen_actions(Last(), frames, 17)
