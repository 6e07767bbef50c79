"""Somebody else's weights and a few labelled pictures of one's own: what to load,
what to freeze, how fast the rest may learn.
"""
# Made by tools/make_stubs.py: do not edit
from collections.abc import Callable
from minitrain.vit import ViT
from torch import nn

__all__ = ['timm_state_dict', 'two_rates']

def timm_state_dict(model:ViT)->dict:
    """The weights of a ViT as timm's VisionTransformer has them

    Args:
        model: Of timm's make: `norm_eps=1e-6`, no `patch_norm`

    Returns:
        Tensors by timm's names, in its shapes; `ViT.from_weights` reads them
    """

def two_rates(opt_func:Callable, head:nn.Module, ratio:float=0.1)->Callable:
    """An optimizer whose head learns at the rate that is given, and the rest more
    slowly

    Args:
        opt_func: Called with groups and a rate: `AdamW`, ours or torch's
        head: The part that is new, as it stands in the model
        ratio: The body's rate over the head's; 1 is one rate for all

    Returns:
        An `opt_func` for a Learner; groups "head" and, unless frozen, "body"
    """
