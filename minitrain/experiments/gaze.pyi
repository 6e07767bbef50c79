"""`minitrain gaze train` and `gaze play`: demonstrations with targets, a ViT, one-
cycle, `GazeCB`, and the clone at play.
"""
# Made by tools/make_stubs.py: do not edit
import numpy as np
import torch
from collections import namedtuple
from dataclasses import dataclass
from fastcore.basics import noop
from matplotlib.figure import Figure
from minitrain.core import def_device
from minitrain.learner import Learner
from minitrain.runs import Config, RunDir, setting
from pathlib import Path
from torch import nn
from typing import Any, Literal

__all__ = ['gaze', 'GazeConfig', 'other_gaze', 'play_gaze']

@dataclass
class GazeConfig(Config):
    """What `minitrain gaze train` trains, and how

    Args:
        gaze: Add the gaze loss; False is plain behaviour cloning
        lamps: Catch shows the last action by lamps, which the clone can copy
        lamps_at: Where lamps hang; "ball": it glows
        pool: Held to gaze: heads, or means
        reg_lambda: Weight of the gaze loss
        layer: Which attention layer learns from gaze; -1 is the last
        all_layers: All of them learn from gaze
        target: Of attention
        shuffle: Unseen patches change frames
        epochs: Times through the demonstrations
        batch_size: Frames per update
        lr: Highest learning rate, one-cycle (AdamW)
        weight_decay: Pull of the weights towards zero
        dim: Width of a token
        depth: Blocks of the ViT
        heads: Heads of its attention
        mlp_dim: Hidden width of its MLPs
        size: Height and width of a frame, in pixels
        patch_size: Side of a patch; divides `size`
        patch_norm: Normalise patches and tokens
        frames: Frames stacked as channels; 1 for Catch
        sigma: Spread of a gaze point, in pixels
        past: Earlier samples of gaze that count too, by 0.7**age
        games: Demonstrated games of 400 steps (Catch)
        valid_games: Further games for validation (Catch)
        play_games: Unseen games to play at the end (Catch)
        play_steps: Steps of each
        data: Folder of GABRIL's or Atari-HEAD's files, not Catch
        patience: Stop after so many epochs without a better loss
        save_every: Batches between further checkpoints
        seed: Of demonstrations, weights, order and games
        device: Where the model lives
    """
    gaze: bool = True
    lamps: bool = True
    lamps_at: Literal['top', 'away', 'ball'] = 'top'
    pool: Literal['none', 'logits', 'probs'] = 'probs'
    reg_lambda: float = setting(1.0, ge=0)
    layer: int = -1
    all_layers: bool = False
    target: Literal['shares', 'softmax', 'shuffled', 'other'] = 'shares'
    shuffle: Literal['none', 'attention', 'mean'] = 'none'
    epochs: int = setting(10, ge=1)
    batch_size: int = setting(128, ge=1)
    lr: float = setting(0.003, ge=0)
    weight_decay: float = setting(0.01, ge=0)
    dim: int = setting(48, ge=1)
    depth: int = setting(2, ge=1)
    heads: int = setting(4, ge=1)
    mlp_dim: int = setting(96, ge=1)
    size: int = setting(24, ge=1)
    patch_size: int = setting(4, ge=1)
    patch_norm: bool = False
    frames: int = setting(1, ge=1)
    sigma: float = setting(1.5, gt=0)
    past: int = setting(0, ge=0)
    games: int = setting(25, ge=1)
    valid_games: int = setting(5, ge=1)
    play_games: int = setting(64, ge=1)
    play_steps: int = setting(400, ge=1)
    data: str | None = None
    patience: int = setting(0, ge=0)
    save_every: int = setting(0, ge=0, lt=2 ** 31)
    seed: int = setting(0, ge=0)
    device: str = def_device
    def __post_init__(self)->None: ...

def other_gaze(shares:torch.Tensor, episodes:torch.Tensor, seed:int)->torch.Tensor:
    """The gaze of other games: a control

    Args:
        shares: (n, ...): a row for each frame
        episodes: int (n,): number of its game
        seed: Decides the order; no global generator is used

    Returns:
        (n, ...): the same rows, none in its own game if it can be
    """

def gaze_episodes(config:GazeConfig)->tuple:
    """The games in files of strangers; what cannot be read is an ArgumentError

    Args:
        config: Its `data` and `seed` count

    Returns:
        Games for training, and others for validation
    """

def gaze_frames(config:GazeConfig)->tuple:
    """The data of a run

    Args:
        config: Of the run

    Returns:
        For training and for validation: other games
    """

def gaze_loaders(config:GazeConfig, train:tuple, valid:tuple)->tuple:
    """Batches of a run; only training targets are ever changed

    Args:
        config: Of the run
        train: `_Frames` for training
        valid: `_Frames` for validation

    Returns:
        Loaders of (frames, actions, shares)
    """

def redraw(x:torch.Tensor, lamps_at:str)->torch.Tensor:
    """Hang the lamps elsewhere

    Args:
        x: Frames with lamps above the field, float (b, f, hgt, wid)
        lamps_at: As in `GazeConfig`

    Returns:
        The same games with their lamps elsewhere
    """

class Behind(nn.Module):
    """A clone that sees changed frames; it plays and is asked as any other"""
    change: Any
    clone: Any
    def __init__(self, change, clone)->None: ...
    def forward(self, x): ...

@torch.no_grad()
def attention_of(
    clone:nn.Module,
    frames:torch.Tensor,
    layers=(-1,),
    change=noop,
)->tuple:
    """What a clone does on frames, and where it looks

    Args:
        clone: With one attention layer for each block
        frames: uint8 (n, f, hgt, wid)
        layers: Which of them
        change: What is done to frames from 0 to 1 before it sees them

    Returns:
        Scores (n, k), and logits of the class token (layers, n, h, patches)
    """

@torch.no_grad()
def obeys_lamps(policy:nn.Module, data:tuple, c:GazeConfig)->dict:
    """What a clone does when others light its lamps: in frames, and through whole
    games

    Args:
        policy: A clone of Catch, on frames from 0 to 1
        data: `_Frames` of the expert
        c: Of the run

    Returns:
        Figures by name
    """

def make_gaze(c:GazeConfig)->Learner:
    """Model, data, losses and schedule of a run

    Args:
        c: Of the run

    Returns:
        Ready to fit; its `data` are the validation frames
    """

gaze: Any

Scenes = namedtuple('Scenes', 'frames looks points actions')

def scene_pictures(scenes:Scenes)->np.ndarray:
    """Frames with attention in red, and gaze as a cyan dot

    Args:
        scenes: What to show

    Returns:
        uint8 (n, hgt, wid, 3), enlarged
    """

def strip_figure(scenes:Scenes, n:int)->Figure:
    """Some of the frames, four to a row

    Args:
        scenes: What to show
        n: Pictures

    Returns:
        matplotlib Figure
    """

def gif_bytes(scenes:Scenes)->bytes:
    """All frames one after the other

    Args:
        scenes: What to show

    Returns:
        A GIF, 8 frames a second
    """

def clone_scenes(run:RunDir, steps:int=60, seed:int=0)->Scenes:
    """Let a clone play, and watch it

    Args:
        run: A run of `gaze` that is done
        steps: How many frames
        seed: Of the game

    Returns:
        Of a game that the clone plays; with files, of a validation game
    """

def write_scenes(scenes:Scenes, path:str | Path, pictures:int=8)->Path:
    """A strip or a clip as a file

    Args:
        scenes: What to show
        path: Ends in .png for a strip, or in .gif for a clip
        pictures: In the strip

    Returns:
        The file that was written
    """

def play_gaze(
    run:str | Path | RunDir,
    out:str | Path | None=None,
    steps:int=60,
    pictures:int=8,
    seed:int=0,
)->list[Path]:
    """Watch a clone at play, its attention and the gaze drawn in

    Args:
        run: A run of `gaze` that is done, or its folder
        out: A .png (strip) or .gif (clip); None: both, in the run
        steps: Frames of the game
        pictures: Pictures in the strip
        seed: Of the game, which is none of the demonstrations

    Returns:
        What was written
    """
