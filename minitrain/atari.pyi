"""Breakout and Pong, cloned from pixels with and without gaze, judged by full games,
and asked what they go by.
"""
# Made by tools/make_stubs.py: do not edit
import gymnasium
import numpy as np
import torch
from ale_py import Action
from collections.abc import Callable
from minitrain.gaze_files import Episode
from pathlib import Path
from torch import nn
from typing import Any, NamedTuple

__all__ = ['draw_actions', 'area_resize', 'AtariEnv', 'atari_expert', 'play_atari',
           'record_atari', 'load_clone', 'activation_map']

def draw_actions(frames:torch.Tensor, actions:torch.Tensor)->torch.Tensor:
    """Frames with the number of the previous action on them: the confounder of
    GABRIL

    Args:
        frames: uint8 (n, ..., 84, 84): frames, or stacks of them
        actions: int (n,), from 0 to 17: what was done before each frame

    Returns:
        uint8, the same shape, a copy
    """

def area_resize(screen:np.ndarray, size:int=84)->np.ndarray:
    """A grey picture made smaller: each new pixel is the mean of the area that it
    covers

    Args:
        screen: uint8 (hgt, wid)
        size: Height and width to make, at most those of the screen

    Returns:
        uint8 (size, size)
    """

class AtariEnv(gymnasium.Env):
    """Grey frames of a game of ale-py, uint8 (1, 84, 84), with sticky actions

    Args:
        game: A name of ale-py; in "breakout" and "pong" the info has places
        glyph: Write the number of the last action on each frame
        sticky: Chance in each emulator frame that the last action goes on
        skip: Emulator frames for a step; seen is the brighter of the last two
        steps: After so many the game is truncated
        render_mode: "rgb_array" for `render`
        frozen: With `glyph` write this number, whatever was done
    """
    metadata = dict(render_modes=['rgb_array'], render_fps=15)
    action_names = tuple((Action(i).name for i in range(18)))
    observation_space: Any
    action_space: Any
    game: str
    glyph: bool
    frozen: int | None
    sticky: float
    skip: int
    steps: int
    render_mode: str | None
    def __init__(
        self,
        game:str,
        glyph:bool=False,
        sticky:float=0.25,
        skip:int=4,
        steps:int=27000,
        render_mode:str | None=None,
        frozen:int | None=None,
    )->None: ...
    def reset(
        self,
        *,
        seed:int | None=None,
        options:dict | None=None,
    )->tuple[np.ndarray, dict]:
        """Begin a game

        Args:
            seed: Makes the game repeat; None goes on with its generator
            options: Not looked at

        Returns:
            The first frame, and an info
        """
    def step(self, action:int)->tuple:
        """Act for `skip` frames; in Breakout a new ball is served by itself

        Args:
            action: From 0 to 17, by `action_names`

        Returns:
            Frame, reward, terminated, truncated, info
        """
    def render(self)->np.ndarray:
        """The screen in colour, as the emulator shows it

        Returns:
            uint8 (210, 160, 3)
        """

def atari_expert(info:dict)->int:
    """When the ball comes, be where it will be in two steps

    Args:
        info: Of `AtariEnv`, in "breakout" or "pong"

    Returns:
        0 NOOP, 3 RIGHT or 4 LEFT
    """

class AtariGames(NamedTuple):
    """What happened in some games

    Args:
        scores: float32 (games,)
        steps: int64 (games,)
        cut: bool (games,): truncated before its end
        actions: int64 (steps,) of each game
        objects: float32 (steps, k, 2) of each: x, y of things; nan: no ball
        frames: uint8 (steps, 84, 84) of each, if they were kept
    """
    scores: torch.Tensor
    steps: torch.Tensor
    cut: torch.Tensor
    actions: list
    objects: list
    frames: list
    @property
    def repeats(self)->float:
        """Share of steps on which the action of the step before was done again

        Returns:
            From 0 to 1
        """

def play_atari(
    policy:Callable,
    game:str,
    games:int=10,
    frames:int=2,
    glyph:bool=False,
    steps:int=27000,
    seed:int=0,
    keep:bool=False,
    kind:str='play',
    **env,
)->AtariGames:
    """Let a policy play games to their end

    Args:
        policy: A model, (n, f, 84, 84) to scores (n, 18); or a function of info
        game: "breakout", "pong", or another name of ale-py
        games: Games, played side by side
        frames: How many frames make a stack; before the first stands the first
        glyph: Write on each frame what the policy itself did last
        steps: Games are cut off after so many: 108,000 emulator frames
        seed: Fixes each game with its number; none is one of `record_atari`
        keep: Keep the frames
        kind: Another word has other games
        **env: For `AtariEnv`: sticky, skip, frozen

    Returns:
        scores, steps, cut, actions, objects, frames
    """

def atari_eye(objects:torch.Tensor)->dict:
    """How the SIMULATED eye looks at Atari: late, and mostly at the ball

    Args:
        objects: (1, steps, k, 2): ball, paddle and, in Pong, the other's

    Returns:
        For `simulated_gaze`
    """

def record_atari(
    game:str,
    games:int=30,
    steps:int=1500,
    glyph:bool=False,
    seed:int=0,
    path:str | Path | None=None,
    **gaze,
)->list[Episode]:
    """Demonstrations of the expert with SIMULATED gaze, no person has looked

    Args:
        game: "breakout" or "pong"
        games: Games
        steps: Of each game at most
        glyph: Write the previous action on each frame; all else is the same
        seed: With its number it fixes each game
        path: A .pt file to write too, in the form of GABRIL's
        **gaze: For `simulated_gaze`, in place of `atari_eye`'s

    Returns:
        A game each: frames, numbers of actions, gaze (steps, 1, 2)
    """

def load_clone(clone:str | Path)->nn.Module:
    """The model of a run on recorded games; nothing is unpickled

    Args:
        clone: A run of `minitrain gaze train --data`, or a name: "pong-probs"

    Returns:
        Frames (b, f, size, size), 0 to 1, to (b, 18); has a `config`
    """

def activation_map(z:torch.Tensor, size:int, beta:float=1.0)->torch.Tensor:
    """Where a CNN is loud: the softmax over places of the sum over channels of |z|

    Args:
        z: What a convolution says: (b, c, hgt, wid)
        size: Side of the map in pixels
        beta: Temperature: the larger, the more even the map

    Returns:
        (b, size, size), highest value 1
    """
