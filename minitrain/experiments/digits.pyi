"""`minitrain digits`: a small convolutional network on 3,500 real digits, and a
figure on the thousand that nothing else reads.
"""
# Made by tools/make_stubs.py: do not edit
import torch
from collections.abc import Sequence
from dataclasses import dataclass
from minitrain.core import def_device
from minitrain.learner import Learner
from minitrain.runs import Config, setting
from pandas import DataFrame
from pathlib import Path
from typing import Any, Literal

__all__ = ['digits', 'DigitsConfig', 'read_digit', 'predict_digits']

@dataclass
class DigitsConfig(Config):
    """What `minitrain digits` trains, and how

    Args:
        epochs: Times through the training digits
        batch_size: Digits per update, over all processes
        width: Channels of two convolutions; two more have twice it
        lr: Highest learning rate, one-cycle (AdamW)
        weight_decay: Pull of the weights towards zero
        label_smoothing: Share spread over all classes
        affine: Of random turns, stretches, moves; 0: none
        warp: Typical random distortion, in pixels
        train_on: 3,500 digits; or all 4,000, unvalidated
        views: Changed copies whose answers count too
        precision: Half precision, where there is any
        compile: Compile the model (needs a C++ compiler)
        save_every: Batches between further checkpoints
        seed: Of weights, order and augmentation
        device: Where the model lives; several processes choose themselves
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
    """What a run says of digits: the mean over views, changed half as much as there

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
        pandas DataFrame: index, label, answer, loss, probability; the worst first
    """

digits: Any

def error_interval(wrong:torch.Tensor, draws:int=10000)->tuple[float, float, float]:
    """A mean over seeds and images with an interval that resamples both

    Args:
        wrong: Booleans (seeds, images): was the image read wrongly
        draws: Bootstrap samples

    Returns:
        Mean share of wrong answers, ends of a 95 % interval
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
        out: Folder of the five runs; None: runs/final-<date>-<time>
        seeds: One run each
        progress: As for `Job.run`

    Returns:
        pandas DataFrame: a row for each seed; `.attrs["ledger"]`: is it entered
    """

def read_digit(file:str | Path)->tuple:
    """A picture, 128 pixels high and wide at most, and what a network of MNIST sees

    Args:
        file: A picture of one digit, dark on light or light on dark

    Returns:
        The picture, (hgt, wid), and the digit, (28, 28), both from 0 to 1
    """

def predict_digits(
    run:str | Path,
    images:Sequence=(),
    show:str | Path | None=None,
    out:str | Path | None=None,
)->DataFrame:
    """Read digits in pictures, also in photographs of paper

    Args:
        run: Folder of a run of `minitrain digits` that is done
        images: Pictures, each of one digit
        show: PNG to write: each picture, and what was seen of it
        out: CSV file to write

    Returns:
        pandas DataFrame: image, digit, probability
    """
