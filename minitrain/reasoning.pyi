"""A transformer is trained on made-up problems until it can take examples of a new
one and classify the next, without a single update.
"""
# Made by tools/make_stubs.py: do not edit
import torch
from pandas import DataFrame
from pathlib import Path
from torch import nn
from typing import Any

__all__ = ['TransformerModel', 'ReasoningModel', 'learning_curve', 'LongConv',
           'load_head']

class CausalBlocks(nn.Module):
    """Causal transformer blocks, one after another

    Args:
        n_embd: Width
        n_layer: How many
        n_head: Heads of each
    """
    blocks: Any
    def __init__(self, n_embd:int, n_layer:int, n_head:int)->None: ...
    def forward(self, x:torch.Tensor, mask:torch.Tensor | None=None)->torch.Tensor:
        """Through all of them

        Args:
            x: (b, n, d)
            mask: bool (n, n), True where a token may look; None is every earlier
                one and itself

        Returns:
            (b, n, d)
        """

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

def reasoning_model(c)->ReasoningModel:
    """The model that a configuration describes

    Args:
        c: Has n_dims, n_positions, n_embd, n_layer, n_head, encoding, positions,
            init_std, backbone

    Returns:
        With first weights from torch's generator
    """

def load_head(head:str | Path, device:str | torch.device='cpu')->ReasoningModel:
    """A trained model; nothing is unpickled

    Args:
        head: Name of a packaged head, or the folder of a run
        device: Where to

    Returns:
        Frozen, in evaluation mode; its `config` says what it was trained on
    """
