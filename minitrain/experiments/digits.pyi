"""`minitrain digits`: a small convolutional network on 3,500 real digits, and a
figure on the thousand that nothing else reads.
"""
# Made by tools/make_stubs.py: do not edit
import torch
from dataclasses import dataclass
from minitrain.core import def_device
from minitrain.learner import Learner
from minitrain.runs import Config, setting
from pandas import DataFrame
from pathlib import Path
from typing import Any, Literal

__all__ = ['digits', 'DigitsConfig']

@dataclass
class DigitsConfig(Config):
    """What `minitrain digits` trains, and how

    Args:
        epochs: Times through the training digits
        batch_size: Digits per update, over all processes
        width: Channels of the network's first two convolutions; the last two have
            twice as many
        lr: Highest learning rate of the one-cycle schedule (AdamW)
        weight_decay: Pull of the weights towards zero
        label_smoothing: Share of each target spread over all ten classes
        affine: Strength of the random turns, stretches, slants and moves; 0 for
            none
        warp: Typical size of the random smooth distortion, in pixels
        train_on: 3,500 digits, validated on 500 others; or all 4,000 of them and
            no validation
        views: Changed copies of each digit whose answers are averaged with its
            own, for mistakes and final figures
        precision: Half precision, where the device has it
        compile: Compile the model (needs a C++ compiler)
        save_every: Also save a checkpoint after so many batches; 0 saves at the
            ends of epochs
        seed: Of the first weights, the order of the digits and their augmentation
        device: Where the model lives; several processes choose by themselves
    """
    epochs: int = setting(13, ge=1)
    batch_size: int = setting(64, ge=1)
    width: int = setting(32, ge=1)
    lr: float = setting(0.01, ge=0)
    weight_decay: float = setting(0.02, ge=0)
    label_smoothing: float = setting(0.05, ge=0, le=1)
    affine: float = setting(1.0, ge=0, le=5)
    warp: float = setting(0.5, ge=0, le=10)
    train_on: Literal['train', 'all'] = 'train'
    views: int = setting(0, ge=0, lt=1000)
    precision: Literal['no', 'bf16', 'fp16'] = 'no'
    compile: bool = False
    save_every: int = setting(0, ge=0, lt=2 ** 31)
    seed: int = setting(42, ge=0, lt=2 ** 32)
    device: str = def_device

def make_digits(c:DigitsConfig)->Learner:
    """Model, data, loss, augmentation and schedule of a run

    Args:
        c: Of the run

    Returns:
        Ready to fit
    """

def digits_answers(learn:Learner, c:DigitsConfig, dl=None)->tuple:
    """What a run says of digits: the mean over views that are changed half as much
    as in training

    Args:
        learn: Trained
        c: Its `views` count
        dl: Loader of digits; None takes the validation digits

    Returns:
        Probabilities (b, 10) and labels (b,), on the CPU
    """

def digits_mistakes(learn:Learner, c:DigitsConfig)->DataFrame:
    """The digits that a model gets wrong, by loss

    Args:
        learn: Its validation digits are read
        c: Of the run

    Returns:
        pandas DataFrame: a row per wrong answer, the worst first: index, label,
            answer, loss, probability
    """

digits: Any

def error_interval(wrong:torch.Tensor, draws:int=10000)->tuple[float, float, float]:
    """A mean over seeds and images with an interval that resamples both

    Args:
        wrong: Booleans (seeds, images): was the image read wrongly
        draws: Bootstrap samples

    Returns:
        Mean share of wrong answers, and the ends of its 95 % interval
    """

def final_digits(
    config:str | Path,
    out:str | Path | None=None,
    seeds:tuple[int, ...]=(0, 1, 2, 3, 4),
    progress:bool=True,
)->DataFrame:
    """Train a configuration with several seeds, and read the thousand test digits
    once

    Args:
        config: Name of a packaged configuration or path of a YAML file
        out: Folder for the five runs; None makes runs/final-<date>-<time>
        seeds: One run each
        progress: As for `Job.run`

    Returns:
        pandas DataFrame: a row for each seed; `.attrs["ledger"]` says whether
            they are entered
    """
