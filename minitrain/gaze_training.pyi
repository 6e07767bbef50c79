"""Where a person looked becomes a second loss on attention, and a clone that copied
itself learns to watch the ball.
"""
# Made by tools/make_stubs.py: do not edit
import torch
from matplotlib.figure import Figure
from minitrain.callbacks import BatchTransformCB
from minitrain.learner import Callback, Learner
from minitrain.vit import ViT
from torch import nn
from typing import Any, NamedTuple

__all__ = ['AttentionExtractor', 'gaze_targets', 'action_loss', 'gaze_loss',
           'ce_plus_gaze', 'gaze_kl', 'GazeCB', 'shuffle_unseen', 'ShuffleCB']

class AttentionExtractor:
    """Inside a `with` block, `.cls_logits`: how the CLS token scores each patch in
    one attention layer, before the softmax

    Args:
        model: Any ViT whose attention has a fused layer for q, k and v: ours,
            vit_pytorch's, timm's; CLS token first
        layer: Which attention layer, in the order in which the model lists them;
            -1 is the last
        detach: Without gradients: for looking only
    """
    attention: Any
    model: nn.Module
    layer: int
    detach: bool
    def __init__(self, model:nn.Module, layer:int=-1, detach:bool=False)->None: ...
    def __enter__(self): ...
    def __exit__(self, *args)->None: ...
    def __getstate__(self): ...
    @property
    def cls_logits(self)->torch.Tensor:
        """Scores of the last forward pass in the block: scale times the query of the
        CLS token times the key of each patch

        Returns:
            (b, h, n), dtype of the queries; with gradients unless `detach`
        """

def gaze_targets(shares:torch.Tensor, heads:int)->torch.Tensor:
    """The mean over a sample's frames that have gaze, the same for each head

    Args:
        shares: Shares of gaze (b, f, n) from `patch_gaze_masks`; those of a frame
            sum to one, or to 0 without gaze
        heads: h

    Returns:
        (b, h, n): rows sum to one, or to 0 where no frame of the sample has gaze
    """

def action_loss(
    action_preds:torch.Tensor,
    action_targs:torch.Tensor,
    ignore_index:int=-100,
)->torch.Tensor:
    """Behaviour cloning: cross-entropy of the demonstrator's actions

    Args:
        action_preds: Scores (b, k)
        action_targs: What the demonstrator did: int64 (b,)
        ignore_index: Label of frames without an action, which count for nothing

    Returns:
        0-d
    """

def gaze_loss(
    logits:torch.Tensor,
    targets:torch.Tensor,
    pool:str='none',
)->torch.Tensor:
    """Cross-entropy of attention against gaze, one mean over batch and heads

    Args:
        logits: How the CLS token scores the patches, (b, h, n)
        targets: Shares of gaze (b, h, n), each row sums to one
        pool: "none" compares each head, "logits" the mean of their scores,
            "probs" the mean of their probabilities

    Returns:
        0-d, in nats; at its least the entropy of the targets
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
        action_preds: Scores (b, k)
        action_targs: Actions, int64 (b,)
        gaze_preds: How the CLS token scores the patches, (b, h, n)
        gaze_targs: Shares of gaze, (b, h, n)
        reg_lambda: Weight of the gaze loss
        pool: As for `gaze_loss`

    Returns:
        0-d
    """

def gaze_kl(
    logits:torch.Tensor,
    targets:torch.Tensor,
    pool:str='none',
)->torch.Tensor:
    """The cross-entropy less the entropy of its target: what there is to gain, a
    number for each sample and head

    Args:
        logits: As for `gaze_loss`
        targets: As for `gaze_loss`
        pool: As for `gaze_loss`

    Returns:
        (b, h) for "none", else (b,); in nats, 0 where attention is the target
    """

class GazeCB(Callback):
    """Adds the gaze loss to the training loss. Batches are (inputs, actions, shares
    of gaze (b, f, n)); loss and metrics of the Learner stay those of the actions

    Args:
        pool: As for `gaze_loss`: "probs", "logits" or "none"
        reg_lambda: Weight of the gaze loss; 0 only measures
        layer: Which attention layer, or a list of several; their losses are
            averaged
        missing: Samples without gaze, whose shares are all 0: "raise" refuses
            them, "skip" leaves them out of the gaze loss
    """
    order = BatchTransformCB.order + 1
    metric: Any
    pool: str
    reg_lambda: float
    layer: int | list
    missing: str
    loss: Any
    def __init__(
        self,
        pool:str='probs',
        reg_lambda:float=1.0,
        layer:int | list=-1,
        missing:str='raise',
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
            learn: Its loss becomes that of actions and gaze, until the backward
                pass is over
        """
    def after_backward(self, learn:Learner)->None:
        """Keep the two losses apart

        Args:
            learn: Its loss is that of the actions again, for metrics and early
                stopping
        """

def shuffle_unseen(
    x:torch.Tensor,
    seen:torch.Tensor,
    patch_size:int | tuple,
)->torch.Tensor:
    """Patches that are not seen change places among the frames of a batch, each at
    its place in the picture

    Args:
        x: Frames (b, c, hgt, wid)
        seen: bool (b, n): which patches of which frame stay as they are
        patch_size: Side of a patch in pixels, or (hgt, wid) of one

    Returns:
        (b, c, hgt, wid)
    """

class ShuffleCB(Callback):
    """In training, patches that the clone leaves out change places among the frames
    of a batch; beside `GazeCB`

    Args:
        below: A patch is left out if its share of attention is below this many
            even shares, 1/n
        layer: Whose attention
    """
    order = GazeCB.order + 1
    below: float
    layer: int
    def __init__(self, below:float=1.0, layer:int=-1)->None: ...
    def seen(self, model, x):
        """Which patches the clone looks at: bool (b, n), by the mean of its heads"""
    def before_batch(self, learn:Learner)->None:
        """Shuffle what is not seen

        Args:
            learn: Its frames are replaced
        """

class ClsViT(ViT):
    """A ViT whose last block works out its CLS token alone, which is all that
    `forward` reads of it: the same scores for half the work
    """
    def forward(self, x:torch.Tensor)->torch.Tensor:
        """As `ViT.forward`, up to rounding

        Args:
            x: Images (b, channels, hgt, wid)

        Returns:
            Scores (b, num_classes)
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

class Scenes(NamedTuple):
    """Frames with what a clone did and where it and somebody else looked

    Args:
        frames: uint8 (n, hgt, wid)
        looks: (n, hgt, wid): share of attention of each pixel's patch
        points: (n, 2): gaze, as shares of the screen; nan where there is none
        actions: Names or numbers
    """
    frames: torch.Tensor
    looks: torch.Tensor
    points: torch.Tensor
    actions: list

def strip_figure(scenes:Scenes, n:int)->Figure:
    """Frames, four to a row: attention in red, gaze as a cross

    Args:
        scenes: What to show
        n: Pictures

    Returns:
        matplotlib Figure
    """

def gif_bytes(scenes:Scenes, zoom:int=8)->bytes:
    """All frames one after the other: attention in red, gaze as a cyan dot

    Args:
        scenes: What to show
        zoom: Pixels for a pixel of a small frame; frames of 84 and more are
            doubled only

    Returns:
        A GIF, 8 frames a second
    """
