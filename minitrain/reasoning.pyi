"""A transformer learns, on made-up problems, to take examples of a new one and
classify the next, without a single update.
"""
# Made by tools/make_stubs.py: do not edit
import torch
from pandas import DataFrame
from pathlib import Path
from torch import nn
from typing import Any

__all__ = ['ReasoningModel', 'learning_curve', 'LongConv', 'load_head',
           'TransformerModel']

class CausalBlocks(nn.Module):
    """Causal transformer blocks, one after another

    Args:
        n_embd: Width
        n_layer: How many
        n_head: Heads of each
    """
    blocks: Any
    def __init__(self, n_embd:int, n_layer:int, n_head:int)->None: ...
    def forward(
        self,
        x:torch.Tensor,
        mask:torch.Tensor | None=None,
        rows:slice | None=None,
    )->torch.Tensor:
        """Through all of them

        Args:
            x: (b, n, n_embd)
            mask: bool (n, n), True: may look; None: all before it
            rows: Tokens whose outputs are wanted; None: all

        Returns:
            (b, n, n_embd), or as many as there are rows
        """
    @torch.no_grad()
    def draw(self, std:float)->None:
        """First weights as in GPT-2, and no biases

        Args:
            std: Standard deviation of the weights
        """

class ReasoningModel(nn.Module):
    """Reads examples with their labels and predicts each label from what came before
    it

    Args:
        n_dims: Width `d` of an input
        n_positions: Examples in a sequence; a limit where positions are learned
        n_embd: Width of the transformer
        n_layer: Its blocks
        n_head: Heads of each
        encoding: Of labels; also "apart", "pair", "product"
        positions: Add a learned vector for each place in the sequence
        init_std: Of blocks and positions; None: 1/sqrt(n_embd)
        backbone: Causal, keeps (b, n, n_embd); None: CausalBlocks
    """
    read_in: Any
    positions: Any
    n_dims: int
    n_positions: int
    encoding: str
    backbone: Any
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
            (b, 2n, d), or (b, 2n, d + 1) where labels have a coordinate
        """
    def step(self, sequence:torch.Tensor)->torch.Tensor:
        """Predict the label of each input in a sequence

        Args:
            sequence: From `combine`; may end with an input without label

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
        """Classify many queries by one context, which blocks read once for each
        chunk

        Args:
            xs: Inputs of the context (b, k, d); k may be 0
            ys: Their labels 0 and 1, (b, k)
            queries: Inputs to classify (b, q, d)
            chunk: Queries in one forward pass

        Returns:
            Logits (b, q), as each query would get alone behind the context
        """
    @classmethod
    def from_tart(cls, state:dict, n_head:int=8)->ReasoningModel:
        """A head that TART has trained

        Args:
            state: State dict of a head, from torch.load(file, weights_only=True)
            n_head: Heads of each block, which a state dict does not tell

        Returns:
            In evaluation mode
        """

def learning_curve(
    model:ReasoningModel,
    xs:torch.Tensor,
    ys:torch.Tensor,
    batch_size:int=64,
)->DataFrame:
    """How well labels are predicted after each number of examples, over all problems

    Args:
        model: Or any module that makes logits (b, n) of (xs, ys)
        xs: Inputs of many problems (m, n, d)
        ys: Their labels 0 and 1, (m, n)
        batch_size: Problems at a time

    Returns:
        pandas DataFrame: "examples", 0 to n - 1, "accuracy", "loss" in nats
    """

class LongConv(nn.Module):
    """Causal layers without attention: gated convolutions as long as the sequence

    Args:
        dim: Width of a token
        n_layer: How many layers, each with an MLP behind it
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

class TwoStreams(ReasoningModel):
    """A ReasoningModel in which nobody but an input itself sees it"""
    def __init__(self, *args, positions=False, **kwargs)->None: ...
    def step(self, sequence:torch.Tensor)->torch.Tensor:
        """Predict the label of each input, from the labels' tokens before it and
        itself

        Args:
            sequence: As for ReasoningModel

        Returns:
            Logits (b, n): number i has seen i labelled examples
        """

def read_trained(kind:str, name:str | Path, key:str, want:str)->tuple:
    """Configuration and weights that belong together

    Args:
        kind: "head" or "clone": names the argument, and the folder of packaged
            ones
        name: Of a packaged one, or the folder of a run
        key: A setting that its configuration has
        want: What it should be, for an error

    Returns:
        Its configuration as a dict, and its tensors by name
    """

def reasoning_model(c)->ReasoningModel:
    """The model that a configuration describes

    Args:
        c: Arguments of ReasoningModel; backbone "transformer", "longconv",
            "streams"

    Returns:
        With first weights from torch's generator
    """

def load_head(head:str | Path)->ReasoningModel:
    """A trained model; nothing is unpickled

    Args:
        head: Name of a packaged head, or the folder of a run

    Returns:
        Frozen, in evaluation mode; `config` says what it was trained on
    """

class TransformerModel(ReasoningModel):
    """A ReasoningModel by TART's names and defaults

    Args:
        n_dims: Width of an input
        n_positions: Examples in a sequence
        n_embd: Width of the transformer
        n_layer: Its blocks
        n_head: Heads of each
        n_y: Labels of an input: one
        model_name: Not used
    """
    n_y: int
    def __init__(
        self,
        n_dims:int,
        n_positions:int,
        n_embd:int=128,
        n_layer:int=12,
        n_head:int=4,
        n_y:int=1,
        model_name:str | None=None,
    )->None: ...
    def predict(self, zs:torch.Tensor)->int:
        """The label of the last input

        Args:
            zs: A sequence (1, n, d)

        Returns:
            0 or 1
        """
    def forward(
        self,
        xs:torch.Tensor,
        ys:torch.Tensor,
        inds:list | None=None,
    )->torch.Tensor:
        """Predict each label from the examples before it

        Args:
            xs: Inputs (b, n, d)
            ys: Labels (b, n)
            inds: Which inputs; None: all

        Returns:
            Logits (b, n), or as many as there are in `inds`
        """
