"""`minitrain reasoning train`, `evaluate`, `predict`: train it, put it beside its
oracles, use it on your own table.
"""
# Made by tools/make_stubs.py: do not edit
import torch
from dataclasses import dataclass
from minitrain.core import def_device
from minitrain.learner import Learner
from minitrain.runs import Config, setting
from minitrain.tasks import Curriculum, TaskLoader
from pandas import DataFrame
from pathlib import Path
from typing import Any, Literal

__all__ = ['reasoning', 'ReasoningConfig', 'evaluate_reasoning', 'predict_reasoning']

@dataclass
class ReasoningConfig(Config):
    """What `minitrain reasoning train` trains, and how

    Args:
        n_dims: Width of an input
        n_positions: Most examples, where positions are learned
        n_embd: Width of the transformer
        n_layer: Its blocks
        n_head: Heads of each
        encoding: Of labels
        positions: Add a learned vector for each place in the sequence
        init_std: Of weights; null: 1/sqrt(n_embd)
        backbone: Mixes
        weight_multiplier: alpha: the larger, the less noise
        variable_noise: Draw alpha from 1, ..., weight_multiplier
        dims: Coordinates that are not zero, by step
        points: Examples in a sequence, by step
        steps: Updates
        batch_size: Problems in an update
        micro_batch: Problems in memory at a time; 0 is all of them
        lr: Highest learning rate (AdamW)
        lr_end: Share left at the end, by half a cosine
        warmup: Updates until the learning rate is reached
        weight_decay: Pull of the weights towards zero
        beta2: Memory of AdamW's mean of squares
        clip: Largest norm of the gradient; 0: any
        ema: Kept by the weights' average; 0: none
        log_every: Updates between rows, each with a checkpoint
        save_every: Updates between further ones
        valid_size: Problems to validate on; 0: none
        precision: auto: bf16 on GPUs
        seed: Of the first weights and the problems
        device: Where the model lives
    """
    n_dims: int = setting(8, ge=1)
    n_positions: int = setting(64, ge=1)
    n_embd: int = setting(64, ge=1)
    n_layer: int = setting(4, ge=1)
    n_head: int = setting(4, ge=1)
    encoding: Literal['interleave', 'apart', 'pair', 'product'] = 'pair'
    positions: bool = False
    init_std: float | None = setting(None, gt=0)
    backbone: Literal['transformer', 'longconv', 'streams'] = 'transformer'
    weight_multiplier: float = setting(10.0, ge=0)
    variable_noise: bool = False
    dims: Curriculum = Curriculum(8, 8)
    points: Curriculum = Curriculum(16, 64, 8, 170)
    steps: int = setting(1700, ge=1)
    batch_size: int = setting(32, ge=1)
    micro_batch: int = setting(0, ge=0)
    lr: float = setting(0.002, ge=0)
    lr_end: float = setting(0.0, ge=0, le=1)
    warmup: int = setting(100, ge=0)
    weight_decay: float = setting(0.01, ge=0)
    beta2: float = setting(0.99, ge=0, lt=1)
    clip: float = setting(1.0, ge=0)
    ema: float = setting(0.0, ge=0, lt=1)
    log_every: int = setting(170, ge=1)
    save_every: int = setting(0, ge=0, lt=2 ** 31)
    valid_size: int = setting(128, ge=0, lt=2 ** 31)
    precision: Literal['auto', 'no', 'bf16', 'fp16'] = 'auto'
    seed: int = setting(42, ge=0, lt=2 ** 32)
    device: str = def_device
    def __post_init__(self)->None: ...

class Problems(TaskLoader):
    """A TaskLoader that cuts each batch into parts, and ends after so many in all

    Args:
        config: Its data, sizes and seed count
    """
    total: Any
    size: Any
    parts: Any
    def __init__(self, config:ReasoningConfig)->None: ...
    def __len__(self): ...

def samplers(config:ReasoningConfig, batch_size:int)->tuple:
    """What the problems of a run are drawn from

    Args:
        config: Its task counts
        batch_size: Problems in a batch

    Returns:
        Data sampler, task sampler
    """

def validation_problems(config:ReasoningConfig)->TaskLoader | None:
    """The problems to validate on

    Args:
        config: Its data and sizes count, its seed does not

    Returns:
        Whole problems at full size, the same in each epoch
    """

def make_reasoning(c:ReasoningConfig)->Learner:
    """Model, problems, loss and schedule of a run

    Args:
        c: Of the run

    Returns:
        Ready to fit
    """

def averaged(learn:Learner)->Any:
    """The moving averages in place of the weights, where the run keeps them

    Args:
        learn: After its fit

    Returns:
        Context manager
    """

reasoning: Any

def map_log_odds(
    xs:torch.Tensor,
    ys:torch.Tensor,
    queries:torch.Tensor,
    config:ReasoningConfig,
)->torch.Tensor:
    """Log odds by the most probable weights, for each noise, weighed by its evidence

    Args:
        xs: Contexts (b, k, d)
        ys: Their labels (b, k)
        queries: (b, q, d)
        config: Its prior counts

    Returns:
        (b, q)
    """

def default_log_odds(
    xs:torch.Tensor,
    ys:torch.Tensor,
    queries:torch.Tensor,
)->torch.Tensor:
    """scikit-learn's logistic regression; of one class only, (ones + 1)/(k + 2)

    Args:
        xs: As for `map_log_odds`
        ys: As there
        queries: As there

    Returns:
        (b, q)
    """

def judge_log_odds(z:torch.Tensor, y:torch.Tensor)->dict:
    """How good log odds were

    Args:
        z: Log odds (b, q)
        y: Labels (b, q)

    Returns:
        accuracy, loss in nats, its standard error loss_se, calibration_error
    """

def evaluate_reasoning(
    head:str | Path,
    out:str | Path | None=None,
    problems:int=256,
    queries:int=64,
    seed:int=2 ** 34,
)->DataFrame:
    """Put a head beside the true weights, MAP and scikit-learn's logistic regression

    Args:
        head: Name of a packaged head, or the folder of a run
        out: Folder, new or empty; None: the run's, or a new one
        problems: Problems from the head's prior, that no training sees
        queries: For each problem
        seed: Of the problems

    Returns:
        pandas DataFrame: by model and examples: accuracy, loss, calibration_error
    """

def predict_reasoning(
    head:str | Path,
    train,
    test,
    label:str,
    out:str | Path | None=None,
    fill:bool=False,
    id:str='auto',
)->DataFrame:
    """Classify the rows of a table by the examples in another

    Args:
        head: Name of a packaged head, or the folder of a run
        train: Labelled examples: path of a CSV file with a header, or a DataFrame
        test: Rows to classify, with the same columns; the label may be among them
        label: Name of the column to predict
        out: CSV file to write; None writes nothing
        fill: Fill gaps with the examples' median, or most frequent word
        id: No feature, copied to the answers; auto finds such, none keeps all

    Returns:
        pandas DataFrame: prediction, probability, p(class); `.attrs` has notes
    """
