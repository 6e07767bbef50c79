"""A game of one ball, an expert whose choices need no memory, a simulated eye, and a
clone that is right nearly always and drops the ball.
"""
# Made by tools/make_stubs.py: do not edit
import gymnasium
import numpy as np
import torch
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

__all__ = ['CatchEnv', 'catch_expert', 'rollout', 'catch_rate', 'switch_accuracy',
           'simulated_gaze', 'catch_demos', 'lamp_swap']

class CatchEnv(gymnasium.Env):
    """A ball falls, a paddle moves under it; three lamps may show the last action.
    Observations are uint8 (1, size, size)

    Args:
        lamps: Draw the lamps
        steps: After so many the game is truncated
        size: Height and width of a frame, in pixels
        render_mode: "rgb_array" for `render`
    """
    metadata = dict(render_modes=['rgb_array'], render_fps=15)
    action_names = ('left', 'stay', 'right')
    observation_space: Any
    action_space: Any
    lamps: bool
    steps: int
    size: int
    render_mode: str | None
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
            seed: Makes the game repeat; None goes on with the generator there is
            options: Not looked at

        Returns:
            The first frame, and an info
        """
    def step(self, action:int)->tuple[np.ndarray, float, bool, bool, dict]:
        """Move the paddle by a pixel, then let the ball fall by one

        Args:
            action: 0 left, 1 stay, 2 right

        Returns:
            Frame; reward, 1 for a ball that is caught now; terminated, never;
                truncated; info
        """
    def render(self)->np.ndarray:
        """The frame as a colour picture, eight times as large

        Returns:
            uint8 (8*size, 8*size, 3)
        """

def catch_expert(frames:torch.Tensor)->torch.Tensor:
    """Under the ball, or a step towards it: what the frame shows is enough, whatever
    happened before

    Args:
        frames: uint8 or float (b, f, hgt, wid); only the last frame of each is
            looked at, and not its lamps

    Returns:
        int64 (b,): 0 left, 1 stay, 2 right
    """

class Rollout(NamedTuple):
    """What happened in some games

    Args:
        caught: int64 (games,): balls that were caught
        balls: Balls that came down, in each game
        actions: int64 (games, steps)
        objects: float32 (games, steps, 2, 2): ball and paddle, each x, y as
            fractions of the frame
        frames: uint8 (games, steps, 1, hgt, wid), if they were kept
        seeds: Of the games: `CatchEnv.reset(seed=...)` begins the same one
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
)->Rollout:
    """Let a policy play: of a module the action with the highest score, in
    evaluation mode

    Args:
        policy: Called with uint8 frames (games, 1, hgt, wid), gives actions
            (games,); a module gets them divided by 255 and gives scores (games,
            3)
        games: Games, played side by side
        steps: Of each game
        lamps: Draw the lamps: they show what the policy itself did last
        seed: With its number it fixes each game; no game of any seed is one of
            `catch_demos`
        keep: Keep the frames
        size: Of the frames

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

def simulated_gaze(
    objects:torch.Tensor,
    lag:int=2,
    noise:float=0.03,
    saccade:float=0.15,
    blink:float=0.01,
    weights:Sequence[float] | None=None,
    seed:int=0,
)->torch.Tensor:
    """SIMULATED gaze: no person has looked. An eye follows one thing late and
    inexactly, jumps to another, and blinks

    Args:
        objects: Where things are: (games, steps, k, 2), x and y as fractions of
            the frame, the main thing first
        lag: Steps by which the eye is late
        noise: Standard deviation of the measured point, in fractions of the frame
        saccade: Chance in each step that the eye chooses anew what to look at
        blink: Chance in each step that the eye closes, for three steps
        weights: How often each thing is chosen; None gives the first 3 times the
            weight of any other
        seed: With the game's number it fixes what the eye does

    Returns:
        float32 (games, steps, 2): x, y as fractions of the frame, nan while the
            eye is closed; may lie off the screen
    """

class CatchDemos(NamedTuple):
    """Frames of the expert's games, one after the other

    Args:
        frames: uint8 (n, 1, hgt, wid)
        actions: int64 (n,): what the expert does in each
        previous: int64 (n,): what it did before, which the lamps show; 1 (stay)
            at the beginning of a game
        gaze: float32 (n, 2): where the SIMULATED eye looks, x and y as fractions
            of the frame; nan in a blink
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
    """Demonstrations of the expert with SIMULATED gaze. Split them by game: take
    another seed for validation

    Args:
        games: Games
        steps: Of each
        lamps: Draw the lamps; games, actions and gaze are the same with and
            without
        seed: With its number it fixes each game; another seed has other games
        size: Of the frames
        **gaze: For `simulated_gaze`: lag, noise, saccade, blink, weights

    Returns:
        frames, actions, previous, gaze, episodes; games*steps of each
    """

def lamp_swap(policy:Callable, frames:torch.Tensor)->torch.Tensor:
    """The answers of a policy to the same frames under each of the three lamps: one
    that watches the ball has equal columns

    Args:
        policy: Called with frames, returns scores (b, 3); a module gets uint8
            frames divided by 255, in evaluation mode
        frames: uint8, or float from 0 to 1: (b, 1, hgt, wid); their own lamps are
            painted over

    Returns:
        int64 (b, 3): the action with the highest score under the lamp of "left",
            of "stay" and of "right"
    """
