"""Patches for words, a token that asks, and a picture of where it looks."""
# Made by tools/make_stubs.py: do not edit
import torch
from collections.abc import Mapping
from matplotlib.axes import Axes
from torch import nn
from typing import Any

__all__ = ['patchify', 'unpatchify', 'patch_map', 'ViT', 'show_heat']

def as_pair(name:str, o)->tuple[int, int]:
    """One number for both directions, or a pair of them

    Args:
        name: Of the argument
        o: Anything

    Returns:
        (hgt, wid)
    """

def patch_axes(image_size:int | tuple, patch_size:int | tuple)->dict:
    """The lengths that einops asks for

    Args:
        image_size: Side of an image in pixels, or its (hgt, wid)
        patch_size: Side of a patch in pixels, or (hgt, wid) of one

    Returns:
        h and w, rows and columns of patches; p1 and p2, pixels in a patch
    """

def patchify(x:torch.Tensor, patch_size:int | tuple)->torch.Tensor:
    """Images cut into patches, each of them flat

    Args:
        x: Images (b, c, hgt, wid)
        patch_size: Side of a patch in pixels, or its (hgt, wid)

    Returns:
        (b, n, p1*p2*c): patches, and pixels in a patch, row by row
    """

def unpatchify(
    patches:torch.Tensor,
    patch_size:int | tuple,
    image_size:int | tuple,
)->torch.Tensor:
    """The images that `patchify` cut

    Args:
        patches: (b, n, p1*p2*c), as `patchify` makes them
        patch_size: Side of a patch in pixels, or (hgt, wid) of one
        image_size: Side of the image in pixels, or its (hgt, wid)

    Returns:
        (b, c, hgt, wid)
    """

def patch_map(
    values:torch.Tensor,
    patch_size:int | tuple,
    image_size:int | tuple,
)->torch.Tensor:
    """Numbers of patches as a picture, to lay over the image

    Args:
        values: (..., n): a number for each patch, in the order of `patchify`
        patch_size: Side of a patch in pixels, or (hgt, wid) of one
        image_size: Side of the image in pixels, or its (hgt, wid)

    Returns:
        (..., hgt, wid): each patch filled with its number
    """

class ViT(nn.Module):
    """Vision transformer: images (b, channels, hgt, wid) to scores (b, num_classes)

    Args:
        image_size: Side of the images in pixels, or their (hgt, wid)
        patch_size: Side of a patch in pixels, or its (hgt, wid)
        channels: Channels of the images; of several frames all together
        num_classes: How many scores
        dim: Width of a token
        depth: Number of blocks
        heads: Heads of the attention
        mlp_dim: Hidden width of the MLPs; None is 4*dim
        head_dim: Width of one head; None is dim/heads
        qkv_bias: With a bias in the layers of queries, keys and values
        qk_norm: Normalise each query and each key
        patch_norm: Normalise patches before their projection, and after
        norm_eps: Added to the variance in each LayerNorm
    """
    image_size: Any
    grid: Any
    patch_embed: Any
    cls_token: Any
    pos_embed: Any
    blocks: Any
    patch_size: Any
    channels: int
    norm: Any
    head: Any
    def __init__(
        self,
        image_size:int | tuple,
        patch_size:int | tuple,
        channels:int,
        num_classes:int,
        dim:int,
        depth:int,
        heads:int,
        mlp_dim:int | None=None,
        head_dim:int | None=None,
        qkv_bias:bool=True,
        qk_norm:bool=False,
        patch_norm:bool=False,
        norm_eps:float=1e-05,
    )->None: ...
    def embed(self, x:torch.Tensor)->torch.Tensor:
        """Tokens as the first block gets them

        Args:
            x: Images (b, channels, hgt, wid)

        Returns:
            (b, n+1, dim): the CLS token, then the patches
        """
    def features(self, x:torch.Tensor)->torch.Tensor:
        """Tokens as the last block leaves them, normalised

        Args:
            x: Images (b, channels, hgt, wid)

        Returns:
            (b, n+1, dim): the CLS token, then the patches
        """
    def forward(self, x:torch.Tensor)->torch.Tensor:
        """What the CLS token has gathered, as scores

        Args:
            x: Images (b, channels, hgt, wid)

        Returns:
            Scores (b, num_classes)
        """
    @torch.no_grad()
    def attention_maps(self, x:torch.Tensor, layer:int=-1)->torch.Tensor:
        """How much the CLS token takes from each patch, by head, without gradients

        Args:
            x: Images (b, channels, hgt, wid)
            layer: Which block; -1 is the last

        Returns:
            (b, h, n): sums to 1 less what the CLS token takes from itself
        """
    @classmethod
    def from_weights(
        cls,
        weights:Mapping,
        image_size:int | tuple,
        patch_size:int | tuple,
        heads:int,
    )->ViT:
        """A ViT that computes what the model with these weights does

        Args:
            weights: A state dict of vit_pytorch's ViT or timm's VisionTransformer
            image_size: Side of the images in pixels, or their (hgt, wid)
            patch_size: Side of a patch in pixels, or (hgt, wid) of one
            heads: Heads of the attention

        Returns:
            In evaluation mode
        """

def show_heat(
    im,
    heat:torch.Tensor,
    ax=None,
    figsize:tuple | None=None,
    title=None,
    cmap:str='autumn_r',
    alpha:float=0.8,
    vmax:float | None=None,
)->Axes:
    """An image with a heat map laid over it

    Args:
        im: Image below, as for `show_image`
        heat: (hgt, wid), of the size of the image; 0 is transparent
        ax: Matplotlib axes; None makes a new figure
        figsize: Size of that new figure in inches
        title: Written above
        cmap: Colours of the heat, from yellow to red
        alpha: How opaque the highest value is
        vmax: Of all panels that are compared; None is that of `heat`

    Returns:
        matplotlib Axes; its last image is what a colour bar asks for
    """

timm_names = [('patch_embed.proj.', 'patch_embed.1.'), ('.attn.proj.', '.attention.out.'), ('.attn.', '.attention.'), ('.mlp.fc1.', '.mlp.0.'), ('.mlp.fc2.', '.mlp.2.')]
