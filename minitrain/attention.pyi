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
        mask: bool (n, m), or with all axes of (..., n, m) and broadcast to it:
            True where a query may look; None lets all see all
        scale: Factor of the scores; None is 1/sqrt(d)

    Returns:
        (..., n, m) from 0 to 1: each row sums to 1, or to 0 where the mask leaves
            nothing to see
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
        (..., n, e): for each query a mean of the values; 0 where the mask leaves
            nothing to see
    """

class Attention(nn.Module):
    """Multi-head self-attention; nothing in it depends on the number of tokens.
    Weights start as torch's linear layers do

    Args:
        dim: Width of a token
        heads: Number of heads
        head_dim: Width of one head; None is dim/heads
        causal: No token sees a later one
        qkv_bias: With a bias in the layer that makes queries, keys and values
        qk_norm: Normalise each query and each key over head_dim, before the
            scores
    """
    scale: Any
    qkv: Any
    out: Any
    heads: int
    head_dim: Any
    causal: bool
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
    def extra_repr(self)->str:
        """The settings

        Returns:
            Such as "heads=8, head_dim=32, causal=True"
        """
    def forward(self, x:torch.Tensor, mask:torch.Tensor | None=None)->torch.Tensor:
        """Each token gathers from those it may look at

        Args:
            x: Tokens (b, n, dim)
            mask: bool (n, n), or four axes that broadcast to (b, h, n, n): True
                where a token may look

        Returns:
            (b, n, dim), dtype of `x`
        """
    def weights(self, x:torch.Tensor, mask:torch.Tensor | None=None)->torch.Tensor:
        """The attention weights, written out: for pictures

        Args:
            x: Tokens (b, n, dim)
            mask: As for `forward`

        Returns:
            (b, h, n, n): row i says what token i takes from each
        """

class TransformerBlock(nn.Module):
    """Pre-norm transformer block: attention, then an MLP on each token, each added
    to what came in. No dropout; weights start as torch's do

    Args:
        dim: Width of a token
        heads: Number of heads
        mlp_dim: Hidden width of the MLP; None is 4*dim
        causal: No token sees a later one
        head_dim: Width of one head; None is dim/heads
        qkv_bias: With a bias in the layer that makes queries, keys and values
        qk_norm: Normalise each query and each key over head_dim
        act: Makes the activation of the MLP: nn.GELU is the exact one, GPT-2 has
            partial(nn.GELU, approximate="tanh")
    """
    norm1: Any
    attention: Any
    norm2: Any
    mlp: Any
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

def block_cost(
    n:int,
    dim:int,
    heads:int,
    mlp_dim:int | None=None,
    head_dim:int | None=None,
    qkv_bias:bool=True,
    qk_norm:bool=False,
)->dict:
    """Parameters and multiply-adds of a `TransformerBlock`, by formula

    Args:
        n: Number of tokens
        dim: Width of a token
        heads: Number of heads
        mlp_dim: Hidden width of the MLP; None is 4*dim
        head_dim: Width of one head; None is dim/heads
        qkv_bias: As for `TransformerBlock`
        qk_norm: As for `TransformerBlock`

    Returns:
        "params", and multiply-adds of one sequence, forward: "qkv", "mixing"
            (scores and means, all n*n), "out", "mlp"
    """
