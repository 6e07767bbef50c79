"""A transformer is trained on made-up problems until it can take examples of a new
one and classify the next, without a single update.
"""
# Made by tools/make_stubs.py: do not edit
import torch
from dataclasses import dataclass
from minitrain.core import RunDir, def_device
from minitrain.tasks import Curriculum
from pandas import DataFrame
from pathlib import Path
from torch import nn
from typing import Any, Literal

__all__ = ['TransformerModel', 'ReasoningModel', 'learning_curve', 'LongConv',
           'ReasoningConfig', 'train_reasoning', 'resume_reasoning', 'load_head']

class ReasoningModel(nn.Module):
    """Reads examples with their labels and predicts each label from what came before
    it

    Args:
        n_dims: Width `d` of an input
        n_positions: Examples in a sequence; at most so many where positions are
            learned
        n_embd: Width of the transformer
        n_layer: Its blocks
        n_head: Heads of each
        encoding: A label's token: "interleave" (y, 0, ..., 0), as TART has it;
            "pair" (x, 2y-1), an input's then being (x, 0)
        positions: Add a learned vector for each place in the sequence
        init_std: Of the blocks' weights at first, as in GPT-2; None is
            1/sqrt(n_embd)
        backbone: Any causal module from (b, n, n_embd) to the same; None makes
            transformer blocks
    """
    read_in: Any
    positions: Any
    backbone: Any
    n_dims: int
    n_positions: int
    encoding: str
    norm: Any
    read_out: Any
    def __init__(
        self,
        n_dims:int,
        n_positions:int,
        n_embd:int=256,
        n_layer:int=12,
        n_head:int=8,
        *,
        encoding:str='interleave',
        positions:bool=True,
        init_std:float | None=0.02,
        backbone:nn.Module | None=None,
    )->None: ...
    def combine(self, xs:torch.Tensor, ys:torch.Tensor)->torch.Tensor:
        """One sequence x0, y0, x1, y1, ...

        Args:
            xs: Inputs (b, n, d)
            ys: Labels 0 and 1, (b, n)

        Returns:
            (b, 2n, d), or (b, 2n, d + 1) with pairs
        """
    def step(self, sequence:torch.Tensor)->torch.Tensor:
        """Predict the label of each input in a sequence

        Args:
            sequence: From `combine`; it may end with an input whose label is not
                known

        Returns:
            Logits (b, n): number i has seen i labelled examples
        """
    def forward(self, xs:torch.Tensor, ys:torch.Tensor)->torch.Tensor:
        """Predict each label from the examples before it

        Args:
            xs: Inputs (b, n, d)
            ys: Labels (b, n); output i is not told of labels i and later

        Returns:
            Logits (b, n)
        """
    def query(
        self,
        xs:torch.Tensor,
        ys:torch.Tensor,
        queries:torch.Tensor,
        chunk:int=256,
    )->torch.Tensor:
        """Classify many queries by one context; transformer blocks read it once for
        each chunk, other backbones once for each query

        Args:
            xs: Inputs of the context (b, k, d); k may be 0
            ys: Their labels 0 and 1, (b, k)
            queries: Inputs to classify (b, q, d)
            chunk: Queries in one forward pass

        Returns:
            Logits (b, q): what each query would be given alone at the end of the
                context
        """

TransformerModel = ReasoningModel

def learning_curve(
    model:ReasoningModel,
    xs:torch.Tensor,
    ys:torch.Tensor,
    batch_size:int=64,
)->DataFrame:
    """How well labels are predicted by the number of examples seen, each a mean over
    the problems

    Args:
        model: Or any module called with (xs, ys) that gives logits (b, n)
        xs: Inputs of many problems (m, n, d)
        ys: Their labels 0 and 1, (m, n)
        batch_size: Problems at a time

    Returns:
        pandas DataFrame: a row for each number of examples seen, from 0 to n - 1:
            "examples", "accuracy", "loss" in nats
    """

class LongConv(nn.Module):
    """Causal layers without attention: gated convolutions as long as the sequence,
    each followed by an MLP

    Args:
        dim: Width of a token
        n_layer: How many layers
    """
    layers: Any
    def __init__(self, dim:int, n_layer:int=2)->None: ...
    def forward(self, x:torch.Tensor)->torch.Tensor:
        """Through all layers, each added to what came in

        Args:
            x: Tokens (b, n, d)

        Returns:
            (b, n, d)
        """

@dataclass
class ReasoningConfig:
    """What `minitrain reasoning train` trains, and how

    Args:
        n_dims: Width of an input
        n_positions: Examples in a sequence; at most so many where positions are
            learned
        n_embd: Width of the transformer
        n_layer: Its blocks
        n_head: Heads of each
        encoding: A label's token: (y, 0, ..., 0), or (x, 2y-1)
        positions: Add a learned vector for each place in the sequence
        init_std: Of the blocks' weights at first; null is 1/sqrt(n_embd), GPT-2
            has 0.02
        backbone: What mixes the tokens
        weight_multiplier: alpha: the larger, the less noise in the labels
        variable_noise: Draw alpha for each problem from the whole numbers 1 to
            weight_multiplier
        dims: Coordinates that are not zero, by step
        points: Examples in a sequence, by step
        steps: Updates
        batch_size: Problems in an update
        micro_batch: Problems in memory at a time; 0 is all of them
        lr: Highest learning rate (AdamW)
        lr_end: Share of it that is left at the end, by half a cosine; 1 keeps it
            as it is
        warmup: Updates until the learning rate is reached
        weight_decay: Pull of the weights towards zero
        beta2: Memory of AdamW's mean of squares
        clip: Largest norm of the gradient; 0 lets it be
        ema: Share that a moving average of the weights keeps at an update; 0 has
            none
        log_every: Updates between rows of metrics, each with a checkpoint
        save_every: Updates between further checkpoints; 0 has none
        valid_size: Problems to validate on, the same for every seed; 0 has none
        precision: bf16 where a GPU has it and float32 elsewhere, or one for all
        seed: Of the first weights and the problems
        device: Where the model lives
    """
    n_dims: int = 8
    n_positions: int = 64
    n_embd: int = 64
    n_layer: int = 4
    n_head: int = 4
    encoding: Literal['interleave', 'pair'] = 'pair'
    positions: bool = False
    init_std: float | None = None
    backbone: Literal['transformer', 'longconv'] = 'transformer'
    weight_multiplier: float = 10.0
    variable_noise: bool = False
    dims: Curriculum = Curriculum(8, 8)
    points: Curriculum = Curriculum(16, 64, 8, 170)
    steps: int = 1700
    batch_size: int = 32
    micro_batch: int = 0
    lr: float = 0.002
    lr_end: float = 0.0
    warmup: int = 100
    weight_decay: float = 0.01
    beta2: float = 0.99
    clip: float = 1.0
    ema: float = 0.0
    log_every: int = 170
    save_every: int = 0
    valid_size: int = 128
    precision: Literal['auto', 'no', 'bf16', 'fp16'] = 'auto'
    seed: int = 42
    device: str = def_device
    def __post_init__(self)->None: ...

def train_reasoning(
    config:ReasoningConfig,
    out:str | Path | None=None,
    progress:bool=True,
)->RunDir:
    """Train a model to learn in context; killed at any instant, it can be resumed

    Args:
        config: What to train, and how
        out: Folder of the run, new or empty; None makes
            runs/reasoning-<date>-<time>
        progress: Print a row per epoch, with a bar where a terminal is

    Returns:
        config.yaml, versions.json, metrics.csv, checkpoints, model.safetensors,
            result.json, loss.png, learning_curve.csv, learning_curve.png
    """

def resume_reasoning(run:str | Path, progress:bool=True)->RunDir:
    """Go on with a run from its last checkpoint, to the end that its configuration
    names

    Args:
        run: Folder of a run that was interrupted
        progress: As for `train_reasoning`

    Returns:
        As from `train_reasoning`: with the weights that the run would have had
    """

def load_head(head:str | Path, device:str | torch.device='cpu')->ReasoningModel:
    """A trained model; nothing is unpickled

    Args:
        head: Name of a packaged head, or the folder of a run
        device: Where to

    Returns:
        Frozen, in evaluation mode; its `config` says what it was trained on
    """

def check_split(fn)->str:
    """Check exercise 1 of lesson 26: examples out of a sequence of pair tokens

    Args:
        fn: Yours: called with a sequence (b, 2n, d + 1), gives xs (b, n, d) and
            ys (b, n)

    Returns:
        "passed", or an AssertionError that says what is wrong
    """

def check_seen(fn)->str:
    """Check exercise 2 of lesson 26: on how many labels each output depends

    Args:
        fn: Yours: called with a model, xs (b, n, d) and ys (b, n), gives n whole
            numbers

    Returns:
        "passed", or an AssertionError that says what is wrong
    """

@torch.no_grad()
def check_pack_mask(fn)->str:
    """Check exercise 3 of lesson 26: a mask for several contexts in one sequence

    Args:
        fn: Yours: called with a list of numbers of tokens, gives bool (n, n),
            True where a token may look

    Returns:
        "passed", or an AssertionError that says what is wrong
    """
