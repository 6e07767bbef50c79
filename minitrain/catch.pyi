"""A game of one ball, an expert whose choices need no memory, and a clone that is
right nearly always and drops the ball.
"""
# Made by tools/make_stubs.py: do not edit
import gymnasium
import numpy as np
import torch
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

__all__ = ['catch_expert', 'rollout', 'catch_rate', 'switch_accuracy', 'lamp_swap',
           'simulated_gaze', 'catch_demos', 'CatchEnv']

class CatchGames:
    """Games of Catch, side by side

    Args:
        seeds: One for each game: a whole number, or a NumPy generator
        steps: How long they may go on
        size: Height and width of a frame, in pixels
        lamps: Draw the lamps
    """
    fall: Any
    paddle: Any
    balls: Any
    last: Any
    size: int
    lamps: bool
    t: Any
    def __init__(
        self,
        seeds:Sequence,
        steps:int=400,
        size:int=24,
        lamps:bool=False,
    )->None: ...
    @property
    def ball(self): ...
    @property
    def row(self): ...
    def step(self, actions:torch.Tensor)->torch.Tensor:
        """Move the paddles by a pixel, then let the balls fall by one

        Args:
            actions: int64 (n,): 0 left, 1 stay, 2 right

        Returns:
            bool (n,): whose ball has been caught now
        """
    def frames(self)->torch.Tensor:
        """What is on the screens

        Returns:
            uint8 (n, 1, size, size)
        """
    def objects(self)->torch.Tensor:
        """Where the things are, as fractions of the frame

        Returns:
            float32 (n, 2, 2): ball and paddle, each x, y
        """

def light(frames:torch.Tensor, actions:torch.Tensor)->torch.Tensor:
    """Frames with three lamps above the field, one of them lit

    Args:
        frames: (n, f, hgt, wid): uint8, or float from 0 to 1
        actions: int (n,): which lamp to light in each

    Returns:
        A copy
    """

def catch_expert(frames:torch.Tensor)->torch.Tensor:
    """Under the ball, or a step towards it, whatever happened before

    Args:
        frames: (b, f, hgt, wid); only the field of the last frame counts

    Returns:
        int64 (b,): 0 left, 1 stay, 2 right
    """

def chosen_actions(policy:Callable, frames:torch.Tensor, k:int=3)->torch.Tensor:
    """What a policy does on some frames

    Args:
        policy: Frames (b, f, hgt, wid) to actions (b,), or to scores (b, k)
        frames: uint8, or float from 0 to 1, as a module gets them
        k: Actions there are

    Returns:
        int64 (b,), from 0 to k - 1, on the CPU
    """

class Rollout(NamedTuple):
    """What happened in some games

    Args:
        caught: int64 (games,): balls that were caught
        balls: Balls that came down, in each game
        actions: int64 (games, steps)
        objects: float32 (games, steps, 2, 2): ball and paddle, each x, y
        frames: uint8 (games, steps, 1, hgt, wid), if they were kept
        seeds: Of the games, for `CatchGames`
    """
    caught: torch.Tensor
    balls: int
    actions: torch.Tensor
    objects: torch.Tensor
    frames: torch.Tensor | None
    seeds: list

def rollout(
    policy:Callable,
    games:int=64,
    steps:int=400,
    lamps:bool=False,
    seed:int=0,
    keep:bool=False,
    size:int=24,
    kind:str='catch',
)->Rollout:
    """Let a policy play; a module in evaluation mode, on frames from 0 to 1

    Args:
        policy: Frames, uint8 (b, 1, hgt, wid), to actions (b,) or scores (b, 3)
        games: Games, played side by side
        steps: Of each game
        lamps: Draw the lamps: they show what the policy itself did last
        seed: Fixes the games; those of `catch_demos` are always others
        keep: Keep the frames
        size: Of the frames
        kind: Another word has other games

    Returns:
        caught (games,), balls, actions (games, steps), objects, frames, seeds
    """

def catch_rate(
    result:Rollout,
    level:float=0.95,
    n:int=2000,
)->tuple[float, float, float]:
    """Share of the balls that were caught, with a bootstrap interval over games

    Args:
        result: From `rollout`
        level: Share of the bootstrap samples inside the interval
        n: Bootstrap samples

    Returns:
        Rate, lower and upper end, from 0 to 1
    """

def switch_accuracy(
    preds:torch.Tensor,
    actions:torch.Tensor,
    previous:torch.Tensor,
)->float:
    """Share of right answers on the frames where the expert switches to another
    action

    Args:
        preds: Scores (n, k), or actions (n,)
        actions: What the expert did: int (n,)
        previous: What it had done a step before: int (n,)

    Returns:
        From 0 to 1
    """

@torch.no_grad()
def lamp_swap(
    policy:Callable,
    frames:torch.Tensor,
    light:Callable=light,
)->torch.Tensor:
    """The answers of a policy to the same frames under each of the three lamps

    Args:
        policy: As for `rollout`: frames to scores (b, 3), or to actions
        frames: (b, 1, hgt, wid): uint8, or float from 0 to 1
        light: Lights lamps: frames and actions (b,) to frames

    Returns:
        int64 (b, 3): actions by lamp: left, stay, right
    """

def simulated_gaze(
    objects:torch.Tensor,
    lag:int=2,
    noise:float=0.03,
    saccade:float=0.15,
    blink:float=0.01,
    weights:Sequence[float] | None=None,
    seed:int=0,
)->torch.Tensor:
    """SIMULATED gaze: an eye follows one thing late, jumps to another, and blinks

    Args:
        objects: (games, steps, k, 2): x, y of k things, the main one first
        lag: Steps by which the eye is late
        noise: Standard deviation of the measured point, in frames
        saccade: Chance in each step that the eye chooses anew what to look at
        blink: Chance in each step that the eye closes, for three steps
        weights: Of each thing; None is (3, 1, ...)
        seed: With the game's number it fixes what the eye does

    Returns:
        float32 (games, steps, 2): x, y as fractions; nan in a blink
    """

class CatchDemos(NamedTuple):
    """Frames of the expert's games, one after the other

    Args:
        frames: uint8 (n, 1, hgt, wid)
        actions: int64 (n,): what the expert does in each
        previous: int64 (n,): what it did before; 1 (stay) at first
        gaze: float32 (n, 2): x, y of the SIMULATED eye; nan in a blink
        episodes: int64 (n,): number of the game
    """
    frames: torch.Tensor
    actions: torch.Tensor
    previous: torch.Tensor
    gaze: torch.Tensor
    episodes: torch.Tensor

def catch_demos(
    games:int=25,
    steps:int=400,
    lamps:bool=False,
    seed:int=0,
    size:int=24,
    **gaze,
)->CatchDemos:
    """Demonstrations of the expert with SIMULATED gaze; for validation take another
    seed

    Args:
        games: Games
        steps: Of each
        lamps: Draw the lamps; nothing else depends on it
        seed: With its number it fixes each game; another seed has other games
        size: Of the frames
        **gaze: For `simulated_gaze`: lag, noise, saccade, blink, weights

    Returns:
        frames, actions, previous, gaze, episodes; games*steps of each
    """

class CatchEnv(gymnasium.Env):
    """One game of Catch; observations are uint8 (1, size, size)

    Args:
        lamps: Draw the lamps
        steps: After so many the game is truncated
        size: Height and width of a frame, in pixels
        render_mode: "rgb_array" for `render`
    """
    metadata = dict(render_modes=['rgb_array'], render_fps=15)
    action_names = ('left', 'stay', 'right')
    observation_space: Any
    lamps: bool
    steps: int
    size: int
    render_mode: str | None
    action_space: Any
    def __init__(
        self,
        lamps:bool=False,
        steps:int=400,
        size:int=24,
        render_mode:str | None=None,
    )->None: ...
    def reset(
        self,
        *,
        seed:int | None=None,
        options:dict | None=None,
    )->tuple[np.ndarray, dict]:
        """Begin a game

        Args:
            seed: Makes the game repeat; None goes on with the generator
            options: Not looked at

        Returns:
            The first frame, and an info
        """
    def step(self, action:int)->tuple:
        """Move the paddle by a pixel, then let the ball fall by one

        Args:
            action: 0 left, 1 stay, 2 right

        Returns:
            Frame, reward (1.0 for a ball caught), False, truncated, info
        """
    def render(self)->np.ndarray:
        """The frame as a colour picture, eight times as large

        Returns:
            uint8 (8*size, 8*size, 3)
        """
