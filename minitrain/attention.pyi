"""From one query by hand to the transformer block that carries the rest of this
book.
"""
# Made by tools/make_stubs.py: do not edit
import torch
from collections.abc import Callable
from torch import nn
from typing import Any

__all__ = ['causal_mask', 'attention_weights', 'attention', 'Attention',
           'TransformerBlock', 'block_cost']

def causal_mask(n:int, device:str | torch.device | None=None)->torch.Tensor:
    """Who may look at whom if nobody sees the future

    Args:
        n: Number of tokens
        device: Where to make it; None is torch's default device

    Returns:
        bool (n, n): row i is True up to and including column i
    """

def attention_weights(
    q:torch.Tensor,
    k:torch.Tensor,
    mask:torch.Tensor | None=None,
    scale:float | None=None,
)->torch.Tensor:
    """How much each query takes from each key

    Args:
        q: Queries (..., n, d)
        k: Keys (..., m, d)
        mask: bool to (..., n, m): True where a query may look
        scale: Factor of the scores; None is 1/sqrt(d)

    Returns:
        (..., n, m): each row sums to 1, or to 0 where it may see nothing
    """

def attention(
    q:torch.Tensor,
    k:torch.Tensor,
    v:torch.Tensor,
    mask:torch.Tensor | None=None,
    scale:float | None=None,
)->torch.Tensor:
    """Scaled dot-product attention, written out (Vaswani et al., 2017, equation 1)

    Args:
        q: Queries (..., n, d)
        k: Keys (..., m, d)
        v: Values (..., m, e)
        mask: As for `attention_weights`
        scale: As for `attention_weights`

    Returns:
        (..., n, e): means of the values, or 0 for who may see nothing
    """

class Attention(nn.Module):
    """Multi-head self-attention, for any number of tokens

    Args:
        dim: Width of a token
        heads: Number of heads, `h`
        head_dim: Width of one head, `d`; None is dim/heads
        causal: No token sees a later one
        qkv_bias: With a bias where queries, keys and values are made
        qk_norm: Normalise each query and each key over d, before the scores
    """
    qkv: Any
    out: Any
    heads: int
    head_dim: Any
    causal: bool
    scale: Any
    q_norm: Any
    k_norm: Any
    def __init__(
        self,
        dim:int,
        heads:int,
        head_dim:int | None=None,
        causal:bool=False,
        qkv_bias:bool=True,
        qk_norm:bool=False,
    )->None: ...
    def forward(self, x:torch.Tensor, mask:torch.Tensor | None=None)->torch.Tensor:
        """Each token gathers from those it may look at

        Args:
            x: Tokens (b, n, dim)
            mask: bool (n, n) or to (b, h, n, n): True: may look

        Returns:
            (b, n, dim), dtype of `x`
        """
    def weights(self, x:torch.Tensor, mask:torch.Tensor | None=None)->torch.Tensor:
        """The attention weights, for pictures

        Args:
            x: Tokens (b, n, dim)
            mask: As for `forward`

        Returns:
            (b, h, n, n): row i says what token i takes from each
        """

class TransformerBlock(nn.Module):
    """Pre-norm transformer block: attention, then an MLP on each token, each added

    Args:
        dim: Width of a token
        heads: Number of heads
        mlp_dim: Hidden width of the MLP; None is 4*dim
        causal: No token sees a later one
        head_dim: Width of one head; None is dim/heads
        qkv_bias: As for `Attention`
        qk_norm: As for `Attention`
        act: Makes the activation of the MLP
    """
    attention: Any
    mlp: Any
    norm1: Any
    norm2: Any
    def __init__(
        self,
        dim:int,
        heads:int,
        mlp_dim:int | None=None,
        causal:bool=False,
        head_dim:int | None=None,
        qkv_bias:bool=True,
        qk_norm:bool=False,
        act:Callable=nn.GELU,
    )->None: ...
    def forward(self, x:torch.Tensor, mask:torch.Tensor | None=None)->torch.Tensor:
        """Look around, then think

        Args:
            x: Tokens (b, n, dim)
            mask: As for `Attention`

        Returns:
            (b, n, dim), dtype of `x`
        """
    def read(
        self,
        x:torch.Tensor,
        rows:slice | torch.Tensor,
        mask:torch.Tensor | None=None,
    )->torch.Tensor:
        """The outputs of some tokens, without the work for the others

        Args:
            x: Tokens (b, n, dim)
            rows: Which tokens: an index into the axis n
            mask: As for `Attention`

        Returns:
            (b, r, dim), as `forward` returns at these tokens
        """

def block_cost(n:int, dim:int)->dict:
    """Parameters and multiply-adds of a `TransformerBlock`, forward, by formula

    Args:
        n: Number of tokens
        dim: Width of a token; the MLP is four times as wide

    Returns:
        "params"; multiply-adds of a sequence: "qkv", "mixing" (n*n), "out", "mlp"
    """
