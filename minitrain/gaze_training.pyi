"""Where a person looked becomes a second loss. The clone plays far better, and still
copies itself.
"""
# Made by tools/make_stubs.py: do not edit
import torch
from collections.abc import Sequence
from minitrain.callbacks import BatchTransformCB
from minitrain.learner import Callback, Learner
from minitrain.likelihood import cross_entropy
from minitrain.vit import ViT
from torch import nn
from typing import Any

__all__ = ['AttentionExtractor', 'gaze_targets', 'gaze_loss', 'gaze_kl', 'ce_plus_gaze',
           'GazeCB', 'shuffle_unseen', 'ShuffleCB']

class AttentionExtractor:
    """Inside a `with` block, `.cls_logits`: how the class token scores each patch

    Args:
        model: A ViT with one layer for q, k, v: ours, vit_pytorch's, timm's
        layer: Which attention layer, in the order of the model; -1 is the last
        detach: Without gradients: for looking only
        layers: Several layers: `cls_logits` is then a list
        token: Which token is read; by default the class token
        prefix: Tokens before the patches; by default as the model says
    """
    model: nn.Module
    def __init__(
        self,
        model:nn.Module,
        layer:int=-1,
        detach:bool=False,
        layers:Sequence | None=None,
        token:int | None=None,
        prefix:int | None=None,
    )->None: ...
    def __enter__(self): ...
    def __exit__(self, *args)->None: ...
    @property
    def cls_logits(self)->torch.Tensor | list:
        """Logits of the last call in the block: scale times query times key

        Returns:
            (b, h, n), or a list of them
        """

def gaze_targets(shares:torch.Tensor, heads:int)->torch.Tensor:
    """The mean over a sample's frames that have gaze, the same for each head

    Args:
        shares: Of gaze, (b, f, n); of a frame they sum to 1, or to 0
        heads: h

    Returns:
        (b, h, n): rows sum to 1, or to 0 where no frame has gaze
    """

def gaze_loss(
    logits:torch.Tensor,
    targets:torch.Tensor,
    pool:str='none',
)->torch.Tensor:
    """Cross-entropy of attention against gaze, one mean over batch and heads

    Args:
        logits: How the class token scores the patches, (b, h, n)
        targets: Shares of gaze (b, h, n), each row sums to one
        pool: Compare each head, the mean of "logits", or the mean of "probs"

    Returns:
        0-d, in nats; at its least the entropy of the targets
    """

def gaze_kl(
    logits:torch.Tensor,
    targets:torch.Tensor,
    pool:str='none',
)->torch.Tensor:
    """The cross-entropy less the entropy of its target, of each sample and head

    Args:
        logits: As for `gaze_loss`
        targets: As for `gaze_loss`
        pool: As for `gaze_loss`

    Returns:
        (b, h) for "none", else (b,); nats, 0 where attention is gaze
    """

def ce_plus_gaze(
    action_preds:torch.Tensor,
    action_targs:torch.Tensor,
    gaze_preds:torch.Tensor,
    gaze_targs:torch.Tensor,
    reg_lambda:float=1.0,
    pool:str='none',
)->torch.Tensor:
    """Both losses: what was done, and where it was looked

    Args:
        action_preds: Logits (b, k)
        action_targs: What the demonstrator did, int64 (b,)
        gaze_preds: How the class token scores the patches, (b, h, n)
        gaze_targs: Shares of gaze, (b, h, n)
        reg_lambda: Weight of the gaze loss
        pool: As for `gaze_loss`

    Returns:
        0-d
    """

class GazeCB(Callback):
    """Adds the gaze loss; batches are (inputs, actions, shares of gaze (b, f, n))

    Args:
        pool: As for `gaze_loss`: "probs", "logits" or "none"
        reg_lambda: Weight of the gaze loss; 0 only measures
        missing: Samples without gaze: "raise", or "skip" their gaze loss
        layers: Attention layers, whose losses are averaged
    """
    order = BatchTransformCB.order + 1
    loss: Any
    pool: str
    reg_lambda: float
    missing: str
    layers: Sequence
    metric: Any
    def __init__(
        self,
        pool:str='probs',
        reg_lambda:float=1.0,
        missing:str='raise',
        layers:Sequence=(-1,),
    )->None: ...
    def before_fit(self, learn:Learner)->None:
        """Put the hooks on

        Args:
            learn: Its model is watched
        """
    def cleanup_fit(self, learn:Learner)->None:
        """Take the hooks off, however the fit has ended

        Args:
            learn: Not looked at
        """
    def before_batch(self, learn:Learner)->None:
        """Keep the gaze from the model and from the loss function

        Args:
            learn: Its batch loses its last part
        """
    def after_loss(self, learn:Learner)->None:
        """Add the gaze loss

        Args:
            learn: Its loss becomes that of actions and gaze
        """
    def after_backward(self, learn:Learner)->None:
        """Keep the two losses apart

        Args:
            learn: Its loss is that of the actions again
        """

def shuffle_unseen(
    x:torch.Tensor,
    seen:torch.Tensor,
    patch_size:int | tuple,
)->torch.Tensor:
    """Patches that are not seen change places among the frames, each at its place

    Args:
        x: Frames (b, c, hgt, wid)
        seen: bool (b, n): which patches of which frame stay
        patch_size: Side of a patch in pixels, or (hgt, wid) of one

    Returns:
        (b, c, hgt, wid)
    """

class ShuffleCB(Callback):
    """Beside `GazeCB`: in training, patches that the clone leaves out change places

    Args:
        below: Left out: less than so many even shares of attention
        layer: Whose attention
    """
    order = GazeCB.order + 1
    below: float
    layer: int
    def __init__(self, below:float=1.0, layer:int=-1)->None: ...
    def seen(self, model:nn.Module, x:torch.Tensor)->torch.Tensor:
        """Which patches the clone looks at, by the mean of its heads

        Args:
            model: The clone
            x: Frames (b, c, hgt, wid)

        Returns:
            bool (b, n)
        """
    def before_batch(self, learn:Learner)->None:
        """Shuffle what is not seen

        Args:
            learn: Its frames are shuffled
        """

action_loss = cross_entropy

class ClsViT(ViT):
    """The ViT of the experiments: its last block works out its class token alone"""
    def forward(self, x:torch.Tensor)->torch.Tensor:
        """As `ViT.forward`, up to rounding

        Args:
            x: Images (b, channels, hgt, wid)

        Returns:
            Logits (b, num_classes)
        """

def clone_model(config, classes:int)->ClsViT:
    """The model of a run

    Args:
        config: Has size, patch_size, frames, dim, depth, heads, mlp_dim,
            patch_norm
        classes: How many actions there are

    Returns:
        With new weights
    """
