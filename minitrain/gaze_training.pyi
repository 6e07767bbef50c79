"""Where a person looked becomes a second loss on attention, and a clone that copied
itself learns to watch the ball.
"""
# Made by tools/make_stubs.py: do not edit
import torch
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from minitrain.callbacks import BatchTransformCB
from minitrain.core import RunDir, def_device
from minitrain.learner import Callback, Learner
from pandas import DataFrame
from pathlib import Path
from torch import nn
from typing import Any, Literal, NamedTuple

__all__ = ['AttentionExtractor', 'gaze_targets', 'action_loss', 'gaze_loss',
           'ce_plus_gaze', 'gaze_kl', 'GazeCB', 'GazeConfig', 'train_gaze',
           'resume_gaze', 'GazeCompareConfig', 'compare_gaze', 'GazeReport',
           'report_gaze', 'play_gaze']

class AttentionExtractor:
    """Inside a `with` block, `.cls_logits`: how the CLS token scores each patch in
    one attention layer, before the softmax

    Args:
        model: Any ViT whose attention has a fused layer for q, k and v: ours,
            vit_pytorch's, timm's; CLS token first
        layer: Which attention layer, in the order in which the model lists them;
            -1 is the last
        detach: Without gradients: for looking only
    """
    attention: Any
    model: nn.Module
    layer: int
    detach: bool
    def __init__(self, model:nn.Module, layer:int=-1, detach:bool=False)->None: ...
    def __enter__(self): ...
    def __exit__(self, *args)->None: ...
    def __getstate__(self): ...
    @property
    def cls_logits(self)->torch.Tensor:
        """Scores of the last forward pass in the block: scale times the query of the
        CLS token times the key of each patch

        Returns:
            (b, h, n), dtype of the queries; with gradients unless `detach`
        """

def gaze_targets(shares:torch.Tensor, heads:int)->torch.Tensor:
    """The mean over a sample's frames that have gaze, the same for each head

    Args:
        shares: Shares of gaze (b, f, n) from `patch_gaze_masks`; those of a frame
            sum to one, or to 0 without gaze
        heads: h

    Returns:
        (b, h, n): rows sum to one, or to 0 where no frame of the sample has gaze
    """

def action_loss(
    action_preds:torch.Tensor,
    action_targs:torch.Tensor,
    ignore_index:int=-100,
)->torch.Tensor:
    """Behaviour cloning: cross-entropy of the demonstrator's actions

    Args:
        action_preds: Scores (b, k)
        action_targs: What the demonstrator did: int64 (b,)
        ignore_index: Label of frames without an action, which count for nothing

    Returns:
        0-d
    """

def gaze_loss(
    logits:torch.Tensor,
    targets:torch.Tensor,
    pool:str='none',
)->torch.Tensor:
    """Cross-entropy of attention against gaze, one mean over batch and heads

    Args:
        logits: How the CLS token scores the patches, (b, h, n)
        targets: Shares of gaze (b, h, n), each row sums to one
        pool: "none" compares each head, "logits" the mean of their scores,
            "probs" the mean of their probabilities

    Returns:
        0-d, in nats; at its least the entropy of the targets
    """

def ce_plus_gaze(
    action_preds:torch.Tensor,
    action_targs:torch.Tensor,
    gaze_preds:torch.Tensor,
    gaze_targs:torch.Tensor,
    reg_lambda:float=1.0,
    pool:str='none',
)->torch.Tensor:
    """Both losses: what was done, and where it was looked

    Args:
        action_preds: Scores (b, k)
        action_targs: Actions, int64 (b,)
        gaze_preds: How the CLS token scores the patches, (b, h, n)
        gaze_targs: Shares of gaze, (b, h, n)
        reg_lambda: Weight of the gaze loss
        pool: As for `gaze_loss`

    Returns:
        0-d
    """

def gaze_kl(
    logits:torch.Tensor,
    targets:torch.Tensor,
    pool:str='none',
)->torch.Tensor:
    """The cross-entropy less the entropy of its target: what there is to gain, a
    number for each sample and head

    Args:
        logits: As for `gaze_loss`
        targets: As for `gaze_loss`
        pool: As for `gaze_loss`

    Returns:
        (b, h) for "none", else (b,); in nats, 0 where attention is the target
    """

class GazeCB(Callback):
    """Adds the gaze loss to the training loss. Batches are (inputs, actions, shares
    of gaze (b, f, n)); loss and metrics of the Learner stay those of the actions

    Args:
        pool: As for `gaze_loss`: "probs", "logits" or "none"
        reg_lambda: Weight of the gaze loss; 0 only measures
        layer: Which attention layer
        missing: Samples without gaze, whose shares are all 0: "raise" refuses
            them, "skip" leaves them out of the gaze loss
    """
    order = BatchTransformCB.order + 1
    metric: Any
    pool: str
    reg_lambda: float
    layer: int
    missing: str
    loss: Any
    def __init__(
        self,
        pool:str='probs',
        reg_lambda:float=1.0,
        layer:int=-1,
        missing:str='raise',
    )->None: ...
    def before_fit(self, learn:Learner)->None:
        """Put the hooks on

        Args:
            learn: Its model is watched
        """
    def cleanup_fit(self, learn:Learner)->None:
        """Take the hooks off, however the fit has ended

        Args:
            learn: Not looked at
        """
    def before_batch(self, learn:Learner)->None:
        """Keep the gaze from the model and from the loss function

        Args:
            learn: Its batch loses its last part
        """
    def after_loss(self, learn:Learner)->None:
        """Add the gaze loss

        Args:
            learn: Its loss becomes that of actions and gaze, until the backward
                pass is over
        """
    def after_backward(self, learn:Learner)->None:
        """Keep the two losses apart

        Args:
            learn: Its loss is that of the actions again, for metrics and early
                stopping
        """

@dataclass
class GazeConfig:
    """What `minitrain gaze` trains, and how

    Args:
        gaze: Add the gaze loss; False is plain behaviour cloning
        lamps: Catch shows the last action by lamps, which the clone can copy
        pool: What is compared with gaze: each head, the mean of scores, or the
            mean of probabilities
        reg_lambda: Weight of the gaze loss
        layer: Which attention layer learns from gaze; -1 is the last
        target: Shares of gaze; the softmax of patch means; or the shares of other
            frames, a control
        epochs: Times through the demonstrations
        batch_size: Frames per update
        lr: Highest learning rate of the one-cycle schedule (AdamW)
        weight_decay: Pull of the weights towards zero
        dim: Width of a token
        depth: Blocks of the ViT
        heads: Heads of its attention
        mlp_dim: Hidden width of its MLPs
        size: Height and width of a frame; files are resized to it, Catch is drawn
            so
        patch_size: Side of a patch; divides `size`
        patch_norm: Normalise each patch before its projection, and each token
            after it
        frames: Frames stacked as channels; 1 for Catch
        sigma: Standard deviation of a gaze point, in pixels of a frame of `size`
        past: How many earlier gaze samples count too, each with 0.7 times the
            weight of the next
        games: Demonstrated games of 400 steps (Catch)
        valid_games: Further games for validation (Catch)
        play_games: Unseen games that the clone plays at the end (Catch)
        play_steps: Steps of each
        data: Folder with GABRIL's .pt files, or Atari-HEAD's .tar.bz2 and .txt,
            in place of Catch
        patience: Stop after so many epochs without a better validation loss of
            the actions; 0 never
        save_every: Also save a checkpoint after so many batches; 0 saves at the
            ends of epochs
        seed: Of demonstrations, weights, order and games
        device: Where the model lives
    """
    gaze: bool = True
    lamps: bool = True
    pool: Literal['none', 'logits', 'probs'] = 'probs'
    reg_lambda: float = 1.0
    layer: int = -1
    target: Literal['shares', 'softmax', 'shuffled'] = 'shares'
    epochs: int = 10
    batch_size: int = 128
    lr: float = 0.003
    weight_decay: float = 0.01
    dim: int = 48
    depth: int = 2
    heads: int = 4
    mlp_dim: int = 96
    size: int = 24
    patch_size: int = 4
    patch_norm: bool = False
    frames: int = 1
    sigma: float = 1.5
    past: int = 0
    games: int = 25
    valid_games: int = 5
    play_games: int = 64
    play_steps: int = 400
    data: str | None = None
    patience: int = 0
    save_every: int = 0
    seed: int = 0
    device: str = def_device
    def __post_init__(self)->None: ...

def train_gaze(
    config:GazeConfig,
    out:str | Path | None=None,
    progress:bool=True,
)->RunDir:
    """Clone a demonstrator, with or without gaze, and let the clone play; killed at
    any instant, it can be resumed

    Args:
        config: What to train, and how
        out: Folder of the run, new or empty; None makes runs/gaze-<date>-<time>
        progress: Print a row per epoch, with a bar where a terminal is

    Returns:
        config.yaml, versions.json, metrics.csv, checkpoints, model.safetensors,
            result.json, loss.png, gaze.png, accuracy.png
    """

def resume_gaze(run:str | Path | RunDir, progress:bool=True)->RunDir:
    """Go on with a run from its last checkpoint

    Args:
        run: A run that was interrupted, or its folder
        progress: As for `train_gaze`

    Returns:
        As from `train_gaze`: with the weights that the run would have had
    """

@dataclass
class GazeCompareConfig:
    """Which arms `minitrain gaze compare` runs: each is a name, and what it changes
    of `config`

    Args:
        config: Name or path of the configuration that all arms share
        common: What all arms change of it
        arms: The arms that are run first
        others: Arms that are run next, with as many seeds
        seeds: Runs of each of these
        sweeps: Arms that are run last
        sweep_seeds: Runs of each
        first_seed: Seeds count from here
        primary: The arm whose differences are the result
        against: The arms it is compared with, seed by seed
    """
    config: str = 'gaze'
    common: dict = field(default_factory=dict)
    arms: dict[str, dict] = field(default_factory=dict)
    others: dict[str, dict] = field(default_factory=dict)
    seeds: int = 10
    sweeps: dict[str, dict] = field(default_factory=dict)
    sweep_seeds: int = 5
    first_seed: int = 0
    primary: str = ''
    against: list[str] = field(default_factory=list)
    def __post_init__(self)->None: ...

def compare_gaze(
    config:GazeCompareConfig,
    out:str | Path | None=None,
    jobs:int=2,
    progress:bool=True,
    on_row:Callable | None=None,
)->DataFrame:
    """Run arms times seeds in parallel processes; a killed comparison goes on where
    it was. Its rows are in runs.csv, its means in table.txt

    Args:
        config: Arms and seeds
        out: Folder, new; or that of the same comparison, which goes on where it
            was. None makes runs/compare-<date>-<time>
        jobs: Processes at a time, one thread each
        progress: Print a line for each run, and the means at the end
        on_row: Called with the table of the runs so far after each

    Returns:
        pandas DataFrame: a row for each run: group, arm, seed, what the arm is,
            valid_accuracy, switch_accuracy, catch_rate, gaze_kl, head_kl,
            valid_loss, cpu_seconds
    """

class GazeReport(NamedTuple):
    """What a comparison has shown

    Args:
        arms: pandas DataFrame, by arm: group, runs, and for each measure its mean
            and the ends of a 95 % interval over seeds
        differences: pandas DataFrame, of the primary arm to others, paired by
            seed; empty where no primary arm is named
    """
    arms: DataFrame
    differences: DataFrame

def report_gaze(
    results='gaze',
    primary:str='',
    against:Sequence[str]=(),
    out:str | Path | None=None,
)->GazeReport:
    """Means by arm and paired differences, with bootstrap intervals over seeds

    Args:
        results: A folder of `compare_gaze`, its table, the path of a CSV, or the
            name of a packaged table
        primary: The arm whose differences are looked at; by default what the
            folder's configuration says
        against: The arms it is compared with
        out: Folder for arms.csv, differences.csv and arms.png; None writes
            nothing

    Returns:
        Tables `arms` and `differences`
    """

def play_gaze(
    run:str | Path | RunDir,
    out:str | Path | None=None,
    steps:int=60,
    pictures:int=8,
    seed:int=0,
)->list[Path]:
    """Watch a clone play Catch (with data from files: see a validation game), its
    attention and the gaze drawn in

    Args:
        run: A run of `train_gaze` that is done, or its folder
        out: A .png for a strip or a .gif for a clip; None writes play.png and
            play.gif into the run
        steps: Frames of the game
        pictures: Pictures in the strip
        seed: Of the game, which is none of the demonstrations

    Returns:
        What was written
    """

def check_cls_row(fn:Callable)->str:
    """Check exercise 1 of lesson 32: the scores of the CLS token from a fused
    projection

    Args:
        fn: Yours: called with a tensor (b, n+1, 3*h*d) and the number of heads

    Returns:
        "passed", or an AssertionError that says what is wrong
    """

def check_probs_loss(fn:Callable)->str:
    """Check exercise 2 of lesson 32: cross-entropy of the mean of probabilities

    Args:
        fn: Yours: called with logits and targets (b, h, n), gives a 0-d tensor

    Returns:
        "passed", or an AssertionError that says what is wrong
    """

def check_shuffled(fn:Callable)->str:
    """Check exercise 3 of lesson 32: gaze moved to frames of other games

    Args:
        fn: Yours: called with shares (n, p), numbers of the games (n,) and a seed

    Returns:
        "passed", or an AssertionError that says what is wrong
    """
