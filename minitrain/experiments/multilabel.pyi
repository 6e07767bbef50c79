"""`minitrain multilabel`: eight epochs on canvases of several digits, two of them
rare.
"""
# Made by tools/make_stubs.py: do not edit
import torch
from dataclasses import dataclass
from matplotlib.figure import Figure
from minitrain.core import def_device
from minitrain.data import Dataset
from minitrain.learner import Learner
from minitrain.multilabel import MultilabelNet
from minitrain.runs import Config, setting
from typing import Any

__all__ = ['multilabel', 'MultilabelConfig']

@dataclass
class MultilabelConfig(Config):
    """What `minitrain multilabel` trains, and how

    Args:
        epochs: Times through the training canvases
        batch_size: Canvases per update
        canvases: Training canvases, made of training digits
        valid_canvases: To validate on, the same for every seed
        rare: Share of 3s and 8s, of an even share
        pos_weight: A yes weighs (absent/present)**this
        width: Channels of the stem; units have 2 and 4 times it
        dropout: Share of the features dropped in training
        lr: Of AdamW at first; falls in equal steps towards 0
        weight_decay: Pull of the weights towards zero
        save_every: Batches between further checkpoints
        seed: Of weights, canvases, order and dropout
        device: Where the model lives
    """
    epochs: int = setting(8, ge=1)
    batch_size: int = setting(50, ge=1)
    canvases: int = setting(5000, ge=1)
    valid_canvases: int = setting(2000, ge=1)
    rare: float = setting(0.1, ge=0, lt=1000)
    pos_weight: float = setting(1.0, ge=0, lt=10)
    width: int = setting(16, ge=1)
    dropout: float = setting(0.1, ge=0, lt=1)
    lr: float = setting(0.003, ge=0)
    weight_decay: float = setting(0.01, ge=0)
    save_every: int = setting(0, ge=0, lt=2 ** 31)
    seed: int = setting(0, ge=0, lt=2 ** 32)
    device: str = def_device
    def __post_init__(self)->None: ...

def canvas_data(c:MultilabelConfig)->tuple[Dataset, Dataset]:
    """Canvases of training digits and canvases of validation digits

    Args:
        c: Its `seed`, `rare` and numbers of canvases count

    Returns:
        Training and validation canvases
    """

def canvas_model(c:MultilabelConfig)->MultilabelNet:
    """The network of a run

    Args:
        c: Its `width` and `dropout` count

    Returns:
        With weights from torch's generator
    """

def make_canvases(c:MultilabelConfig)->Learner:
    """Model, data, loss and schedule of a run

    Args:
        c: Of the run

    Returns:
        Ready to fit
    """

def answers_figure(
    x:torch.Tensor,
    probs:torch.Tensor,
    y:torch.Tensor,
    most:int=7,
)->Figure:
    """The first canvases with every label right, then the first with a wrong one

    Args:
        x: Canvases, (b, 1, hgt, wid)
        probs: Probabilities, (b, k)
        y: What is there, (b, k)
        most: Pictures of each kind

    Returns:
        matplotlib Figure
    """

multilabel: Any
