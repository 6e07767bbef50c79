"""Breakout and Pong, played by an expert of twenty lines, cloned from pixels with
and without gaze, and judged by full games.
"""
# Made by tools/make_stubs.py: do not edit
import gymnasium
import numpy as np
import torch
from ale_py import Action
from collections.abc import Callable, Sequence
from matplotlib.figure import Figure
from minitrain.gaze_files import Episode
from minitrain.gaze_training import Scenes
from minitrain.metrics import ConfusionMatrix
from pathlib import Path
from torch import nn
from typing import Any, NamedTuple

__all__ = ['area_resize', 'draw_actions', 'AtariEnv', 'atari_expert', 'AtariGames',
           'mean_score', 'play_atari', 'record_atari', 'load_clone', 'action_confusion',
           'watch_atari']

def area_resize(screen:np.ndarray, size:int=84)->np.ndarray:
    """A grey picture made smaller: each new pixel is the mean of the area that it
    covers, parts of pixels counted as parts

    Args:
        screen: uint8 (hgt, wid)
        size: Height and width to make, at most those of the screen

    Returns:
        uint8 (size, size)
    """

def draw_actions(frames:torch.Tensor, actions:torch.Tensor)->torch.Tensor:
    """Frames with the number of the previous action written on them: the confounder
    of GABRIL

    Args:
        frames: uint8 (n, ..., 84, 84): frames, or stacks of them
        actions: int (n,), from 0 to 17: what was done before each frame

    Returns:
        uint8, the same shape, a copy
    """

class AtariEnv(gymnasium.Env):
    """A game of ale-py in grey frames, uint8 (1, 84, 84), with sticky actions and,
    if wanted, the last action written on the frame

    Args:
        game: A name of ale-py; of "breakout" and "pong" the info says where
            things are, -1 while there is no ball
        glyph: Write the number of the last action on each frame
        frozen: Write this number, whatever was done; None writes the truth
        sticky: Chance in each emulator frame that the last frame's action goes on
            instead
        skip: Emulator frames for a step; the observation is the brighter of the
            last two
        steps: After so many the game is truncated
        render_mode: "rgb_array" for `render`
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
        frozen:int | None=None,
        sticky:float=0.25,
        skip:int=4,
        steps:int=27000,
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
    """When the ball comes, be where it will be in two steps; all that is asked for
    is on the last two frames

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
        objects: float32 (steps, k, 2) of each: where things were, x and y as
            shares of the screen; nan while there was no ball
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

def mean_score(games:AtariGames)->tuple[float, float, float]:
    """Mean score with a 95 % interval over games (Student's t)

    Args:
        games: From `play_atari`

    Returns:
        Mean, lower and upper end; nan ends for a single game
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
    **env,
)->AtariGames:
    """Let a policy play games to their end

    Args:
        policy: A model: float frames (n, f, 84, 84) from 0 to 1 to scores (n,
            18), of which the highest is played; or a function of an info, such as
            `atari_expert`
        game: "breakout", "pong", or another name of ale-py
        games: Games, played side by side
        frames: How many frames make a stack; before the first stands the first
        glyph: Write on each frame what the policy itself did last
        steps: Games are cut off after so many; the usual 108,000 emulator frames
        seed: With its number it fixes the chances of each game; no game of any
            seed is one of `record_atari`
        keep: Keep the frames
        **env: For `AtariEnv`: sticky, skip

    Returns:
        scores, steps, cut, actions, objects, frames
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
        glyph: Write the previous action on each frame; games, actions and gaze
            are the same with and without
        seed: With its number it fixes each game
        path: A .pt file to write too, in the form of GABRIL's, for `minitrain
            gaze train --data`
        **gaze: For `simulated_gaze`: lag (here 1), noise, saccade, blink, weights
            (here 3 for the ball, 1 for the paddle, 0 for the other's)

    Returns:
        One for each game: frames, actions by their number in
            `AtariEnv.action_names`, gaze (steps, 1, 2)
    """

def load_clone(clone:str | Path)->nn.Module:
    """The model of a run on recorded games; nothing is unpickled

    Args:
        clone: Folder of a run of `minitrain gaze train` with `data` that is done;
            or the name of a packaged clone, such as "pong-probs"

    Returns:
        In evaluation mode, on the CPU: frames (b, f, size, size) from 0 to 1 to
            scores (b, 18); its `config` says how it was trained
    """

def action_confusion(
    model:nn.Module,
    episodes:Sequence,
    frames:int=2,
)->tuple[ConfusionMatrix, list]:
    """For each action of a demonstrator, what a model does on the same frames

    Args:
        model: Float frames (n, f, 84, 84) from 0 to 1 to scores (n, 18)
        episodes: `Episode`s, of which each frame counts
        frames: How many frames make a stack

    Returns:
        Rows: what the demonstrator did; columns: what the model would do. And the
            names of the actions that occur
    """

def watch_scenes(
    clone:nn.Module,
    game:str,
    glyph:bool=False,
    start:int=0,
    steps:int=60,
    seed:int=0,
)->Scenes:
    """A game that a clone plays, with where it looks and where the SIMULATED eye
    would

    Args:
        clone: From `load_clone`
        game: As for `play_atari`
        glyph: Write on each frame what the clone did last
        start: First step to show
        steps: How many to show, or fewer if the game is over before
        seed: Of the game

    Returns:
        Frames, attention, SIMULATED gaze, actions
    """

def watch_atari(
    clone:nn.Module,
    game:str,
    glyph:bool=False,
    start:int=0,
    steps:int=60,
    pictures:int=8,
    seed:int=0,
)->Figure:
    """Watch a clone play: attention of the layer that learns from gaze in red, where
    the SIMULATED eye would look as a cross

    Args:
        clone: From `load_clone`
        game: As for `play_atari`
        glyph: Write on each frame what the clone did last
        start: First step to show
        steps: How many to show, or fewer if the game is over before
        pictures: Pictures in the strip
        seed: Of the game

    Returns:
        matplotlib Figure, of the strip
    """
