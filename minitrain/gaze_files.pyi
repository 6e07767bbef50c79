"""Recorded games become episodes: no stranger's code is run, no column is guessed,
and validation is validation.
"""
# Made by tools/make_stubs.py: do not edit
import torch
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

__all__ = ['Episode', 'load_gabril', 'save_gabril', 'load_atari_head', 'load_episodes',
           'split_episodes']

class Episode(NamedTuple):
    """One game: what was on the screen, what was done, where it was looked

    Args:
        frames: uint8 (f, hgt, wid), gray
        actions: int64 (f,), 0 to 17; -100, which losses skip, if unknown
        gaze: float32 (f, m, 2): x, y as fractions of the screen, or nan
        name: File and number
    """
    frames: torch.Tensor
    actions: torch.Tensor
    gaze: torch.Tensor
    name: str

def load_gabril(path:str | Path)->list[Episode]:
    """Games from a file of GABRIL's data set, read without running anything in it

    Args:
        path: A file `num_episodes_<N>_fs4_human.pt`

    Returns:
        One for each game, gaze (f, 1, 2)
    """

def save_gabril(path:str | Path, episodes:Sequence)->None:
    """Write games as GABRIL's are written: NumPy arrays in a dict

    Args:
        path: File to write
        episodes: `Episode`s with gaze (f, 1, 2), all of one frame size
    """

def load_atari_head(
    archive:str | Path,
    labels:str | Path | None=None,
    size:int | tuple=84,
    missing:str='raise',
)->list[Episode]:
    """Games from a trial of Atari-HEAD, its archive streamed: one frame at a time

    Args:
        archive: The .tar.bz2 of a trial's frames
        labels: Its .txt; None takes the file beside the archive
        size: Side of the frames to make, or their (hgt, wid)
        missing: Frames that the archive lacks: 'raise', or 'drop' them

    Returns:
        One for each episode_id
    """

def load_episodes(folder:str | Path)->list[Episode]:
    """The games in a folder

    Args:
        folder: Has GABRIL's .pt files, or Atari-HEAD's .tar.bz2 and .txt

    Returns:
        All games; a warning if the files lie in several folders
    """

def split_episodes(
    episodes:Sequence,
    valid:float=0.2,
    seed:int=0,
)->tuple[list, list]:
    """Split by whole episodes: neighbouring frames never stand on both sides

    Args:
        episodes: Two or more
        valid: Share for validation; at least one, and not all
        seed: Of the choice

    Returns:
        For training and for validation, each in the order given
    """
