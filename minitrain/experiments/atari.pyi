"""`minitrain atari record` and `atari play`: record an expert, train on the file
with `minitrain gaze train`, let the clone play to the end, and watch it.
"""
# Made by tools/make_stubs.py: do not edit
import torch
from collections.abc import Sequence
from minitrain.experiments.gaze import Scenes
from minitrain.metrics import ConfusionMatrix
from pathlib import Path
from torch import nn

__all__ = ['judge_clone', 'action_confusion']

@torch.no_grad()
def watch_scenes(
    clone:nn.Module | str,
    game:str,
    glyph:bool=False,
    start:int=0,
    steps:int=60,
    seed:int=0,
)->Scenes:
    """A game that a clone plays: where it looks, and where the SIMULATED eye would

    Args:
        clone: From `load_clone`, or as for it
        game: As for `play_atari`
        glyph: Write on each frame what the clone did last
        start: First step to show
        steps: How many to show, or fewer if the game is over before
        seed: Of the game

    Returns:
        Frames, attention, SIMULATED gaze, actions
    """

class _Clips(str):
    """HTML that a notebook shows"""
    def __repr__(self): ...

def clips(scenes:dict, alt:dict)->_Clips:
    """Clips side by side; on paper, and for who wants no motion, a still of each

    Args:
        scenes: `Scenes` by title
        alt: What one sees in each, by the same titles

    Returns:
        HTML that a notebook shows
    """

def judge_clone(
    clone:str | Path,
    game:str,
    games:int=10,
    glyph:bool=False,
    seed:int=0,
    out:str | Path | None=None,
)->Path:
    """Let a clone play full games; keep each score, and a strip and a clip of the
    first

    Args:
        clone: As for `load_clone`
        game: As for `play_atari`
        games: Full games
        glyph: Write on each frame what the clone did last
        seed: Of the games
        out: Folder; None makes runs/atari-<date>-<time>

    Returns:
        The folder
    """

def action_confusion(
    model:nn.Module,
    episodes:Sequence,
    frames:int=2,
)->tuple[ConfusionMatrix, list]:
    """For each action of a demonstrator, what a model does on the same frames

    Args:
        model: Frames (n, f, 84, 84) from 0 to 1 to scores (n, 18)
        episodes: `Episode`s, of which each frame counts
        frames: How many frames make a stack

    Returns:
        Rows: done, columns: said; and the names
    """
