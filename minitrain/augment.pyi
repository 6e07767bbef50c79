"""Affine maps, erasing, copying, mixing and test-time averages, and how far the
digits climb.
"""
# Made by tools/make_stubs.py: do not edit
import torch
from collections.abc import Callable
from minitrain.callbacks import BatchTransformCB
from minitrain.learner import Callback, Learner
from torch import nn
from typing import Any

__all__ = ['digits_model', 'rand_affine', 'RandAffine', 'rand_erase', 'RandErase',
           'rand_copy', 'RandCopy', 'MixupCB', 'tta']

def digits_model(width:int=32, margin:int=2)->nn.Sequential:
    """A small convolutional network for digits, with BatchNorm

    Args:
        width: Channels of two convolutions; the other two have twice as many
        margin: Pixels cut off each side of the image: a quarter of the work saved

    Returns:
        From (b, 28, 28) or (b, 1, 28, 28) to ten logits (b, 10)
    """

def rand_affine(
    x:torch.Tensor,
    degrees:float=10.0,
    scale:float=0.1,
    shear:float=10.0,
    shift:float=2.0,
    warp:float=0.0,
    fill:float=0.0,
)->torch.Tensor:
    """Turn, stretch, slant and move each image by amounts of its own

    Args:
        x: Images (b, hgt, wid) or (b, c, hgt, wid), not changed
        degrees: Greatest turn to either side
        scale: Greatest relative change of width and of height, below 1
        shear: Greatest slant to either side, in degrees
        shift: Greatest move along each axis, in pixels
        warp: Typical size of a smooth distortion on top, in pixels
        fill: Value of what comes in from outside the image

    Returns:
        Of x's shape, dtype and device
    """

class _BatchTransform(nn.Module):
    """Changes images at random, each in its own way"""
    def forward(self, x):
        """Draw from torch's global generator, and change the images

        Args:
            x: Images (b, hgt, wid) or (b, c, hgt, wid), or a batch that begins
                with them

        Returns:
            The same kind of thing with new images; what was given is not changed
        """

class RandAffine(_BatchTransform):
    """`rand_affine` as a module, for `nn.Sequential` and `BatchTransformCB`

    Args:
        degrees: As for `rand_affine`
        scale: As for `rand_affine`
        shear: As for `rand_affine`
        shift: As for `rand_affine`
        warp: As for `rand_affine`
        fill: As for `rand_affine`
    """
    change: Any
    def __init__(
        self,
        degrees:float=10.0,
        scale:float=0.1,
        shear:float=10.0,
        shift:float=2.0,
        warp:float=0.0,
        fill:float=0.0,
    )->None: ...

def rand_erase(x:torch.Tensor, pct:float=0.2, max_num:int=4)->torch.Tensor:
    """Put noise of the batch's own mean, deviation and range over random patches

    Args:
        x: Images (b, hgt, wid) or (b, c, hgt, wid), not changed
        pct: Share of the height and of the width that a patch takes
        max_num: Most patches an image gets; how many is drawn, 0 among them

    Returns:
        Of x's shape, dtype and device
    """

class RandErase(_BatchTransform):
    """`rand_erase` as a module, for `nn.Sequential` and `BatchTransformCB`

    Args:
        pct: As for `rand_erase`
        max_num: As for `rand_erase`
    """
    change: Any
    def __init__(self, pct:float=0.2, max_num:int=4)->None: ...

def rand_copy(x:torch.Tensor, pct:float=0.2, max_num:int=4)->torch.Tensor:
    """Put patches of each image over other places of it, one after the other

    Args:
        x: Images (b, hgt, wid) or (b, c, hgt, wid), not changed
        pct: Share of the height and of the width that a patch takes
        max_num: Most patches an image gets; how many is drawn, 0 among them

    Returns:
        Of x's shape, dtype and device
    """

class RandCopy(_BatchTransform):
    """`rand_copy` as a module, for `nn.Sequential` and `BatchTransformCB`

    Args:
        pct: As for `rand_copy`
        max_num: As for `rand_copy`
    """
    change: Any
    def __init__(self, pct:float=0.2, max_num:int=4)->None: ...

class MixupCB(Callback):
    """Mixes each image of a training batch, and its target, with another one's

    Args:
        alpha: Shares are Beta(alpha, alpha): near 0 hardly, at 1 evenly
    """
    order = BatchTransformCB.order + 1
    share: Any
    lam: Any
    other: Any
    def __init__(self, alpha:float=0.4)->None: ...
    def before_batch(self, learn:Learner)->None:
        """Draw shares and partners from torch's global generator, and mix the images

        Args:
            learn: Its images are mixed
        """
    def after_predict(self, learn:Learner)->None:
        """Mix the targets; class numbers become probabilities first

        Args:
            learn: Its targets are mixed, for the loss alone
        """
    def after_loss(self, learn:Learner)->None:
        """Put the targets back

        Args:
            learn: Its targets are each image's own again, for the metrics
        """

def tta(
    learn:Learner,
    dl=None,
    tfm:Callable | None=None,
    n:int=8,
    seed:int=0,
)->tuple[torch.Tensor, torch.Tensor]:
    """The mean of a model's probabilities for an image and for changed copies of it

    Args:
        learn: Trained; its model gives logits (b, k)
        dl: Loader of batches (images, targets); None takes the validation loader
        tfm: Changes a batch at random; None takes gentle affine maps
        n: Changed copies of each image, beside the image itself
        seed: Of the changes; torch's generator is left as it was

    Returns:
        Probabilities (n, k), targets (n,), on the CPU
    """
