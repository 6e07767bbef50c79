"""Points and blinks become a share for each patch, without a silent guess on the
way.
"""
# Made by tools/make_stubs.py: do not edit
import torch
from matplotlib.axes import Axes

__all__ = ['gabril_window', 'show_gaze', 'gaze_heatmap', 'degrees_to_pixels',
           'patch_gaze_masks', 'stack_frames']

def show_gaze(
    frame,
    heat:torch.Tensor,
    points:torch.Tensor | None=None,
    **kwargs,
)->Axes:
    """A frame with the heat of the gaze and its points laid over it

    Args:
        frame: Image, as for `show_image`
        heat: (hgt, wid), of the size of the image
        points: (2,) or (m, 2): gaze, drawn as dots
        **kwargs: Passed on to `show_heat`

    Returns:
        matplotlib Axes, for more to be drawn on them
    """

def on_screen(points:torch.Tensor)->torch.Tensor:
    """Which points lie on the screen

    Args:
        points: (..., 2): x, y as fractions of the screen

    Returns:
        bool (...): False for nan too
    """

def need_on_screen(name:str, points:torch.Tensor, where:str=''):
    """Require that a tenth of the points, nan aside, lie on the screen

    Args:
        name: Of the argument, or of what was read
        points: (..., 2)
        where: File, or whatever helps to find it
    """

def gaze_heatmap(
    points:torch.Tensor,
    size:int | tuple,
    sigma:float | tuple,
    decay:float=0.7,
    past:int=0,
    future:int=0,
    stride:int=1,
    widen:float=1.0,
    off_screen:str='drop',
)->torch.Tensor:
    """Where somebody looked around the time of each frame of an episode

    Args:
        points: (f, 2) or (f, m, 2): x, y of one episode, from 0 to 1; or nan
        size: Side of the maps in pixels, or their (hgt, wid)
        sigma: Standard deviation of a point in pixels, or (hgt, wid) of it
        decay: Weight of a sample over that of its neighbour, nearer in time
        past: How many earlier samples count
        future: How many later ones; 0 is causal
        stride: Frames from one sample to the next
        widen: Factor of sigma from one sample to the next
        off_screen: Points off the screen: 'drop', or 'clip' to its edge

    Returns:
        float32 (f, hgt, wid): highest value 1, or all 0 without gaze
    """

def degrees_to_pixels(
    degrees:float,
    size:int | tuple,
    screen_cm:tuple,
    distance_cm:float,
)->tuple[float, float]:
    """An angle at the eye in pixels, which need not be square

    Args:
        degrees: Angle at the eye
        size: Side of the image in pixels, or its (hgt, wid)
        screen_cm: (hgt, wid) of the image on the screen, in centimetres
        distance_cm: From the eye to the middle of the screen

    Returns:
        So many pixels, (hgt, wid), in the middle of the image
    """

gabril_window = dict(sigma=15, decay=0.7, past=20, future=20, stride=2, widen=1 / 0.99, off_screen='clip')

def patch_gaze_masks(
    masks:torch.Tensor,
    patch_size:int | tuple,
    empty:str='raise',
)->torch.Tensor:
    """How much of the gaze falls on each patch, in the order of `patchify`

    Args:
        masks: Heat maps (b, f, hgt, wid), 0 or more; of any scale
        patch_size: Side of a patch in pixels, or (hgt, wid) of one
        empty: For maps without gaze: 'raise', or 'zeros' for shares of 0

    Returns:
        float32 or float64 (b, f, n): sums to 1, or to 0 without gaze
    """

def stack_frames(frames:torch.Tensor, n:int)->torch.Tensor:
    """Each frame with the n-1 before it, as channels

    Args:
        frames: (f, ...), of one episode: images, or heat maps
        n: How many

    Returns:
        (f, n, ...): oldest first; the first frame is its own past
    """
