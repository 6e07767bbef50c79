"""Points, blinks and files become a share for each patch, without a silent guess on
the way.
"""
# Made by tools/make_stubs.py: do not edit
import torch
from collections.abc import Sequence
from matplotlib.axes import Axes
from pathlib import Path
from typing import NamedTuple

__all__ = ['gabril_window', 'show_gaze', 'gaze_heatmap', 'degrees_to_pixels',
           'patch_gaze_masks', 'stack_frames', 'Episode', 'load_gabril', 'save_gabril',
           'load_atari_head', 'split_episodes']

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
        points: (2,) or (m, 2): gaze as shares of the screen, drawn as dots; nan
            is left out
        **kwargs: Passed on to `show_heat`

    Returns:
        matplotlib Axes, for more to be drawn on them
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
    """Where somebody looked around the time of each frame; what is outside of the
    episode is left out

    Args:
        points: Gaze of one episode, (f, 2) or (f, m, 2): x from the left and y
            from the top as shares of the screen; nan where there is none
        size: Side of the maps in pixels, or their (hgt, wid)
        sigma: Standard deviation of a point in pixels, or (hgt, wid) of it;
            `degrees_to_pixels` gives the latter
        decay: Weight of a sample over that of the one next to it, nearer in time
        past: How many earlier samples count
        future: How many later ones; 0 is causal
        stride: Frames from one sample to the next
        widen: Factor of sigma from one sample to the next
        off_screen: Points beyond the screen: 'drop' leaves them out, 'clip' moves
            them to its edge

    Returns:
        float32 (f, hgt, wid): from 0 to 1, the highest value 1; all 0 where no
            gaze is in the window
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
        How many pixels that is, (hgt, wid), in the middle of the image
    """

gabril_window = dict(sigma=15, decay=0.7, past=20, future=20, stride=2, widen=1 / 0.99, off_screen='clip')

def patch_gaze_masks(
    masks:torch.Tensor,
    patch_size:int | tuple,
    empty:str='raise',
)->torch.Tensor:
    """How much of the gaze falls on each patch

    Args:
        masks: Heat maps (b, f, hgt, wid), 0 or more; of any scale
        patch_size: Side of a patch in pixels, or (hgt, wid) of one
        empty: Maps without gaze: 'raise' refuses them, 'zeros' gives them shares
            of 0, to be left out of the loss by `shares.any(-1)`

    Returns:
        float32 (float64 for float64) (b, f, n): shares in the order of
            `patchify`; those of a frame sum to 1, or to 0 where it has no gaze
    """

def stack_frames(frames:torch.Tensor, n:int)->torch.Tensor:
    """Each frame with its past, as channels

    Args:
        frames: (f, ...), of one episode: images, or heat maps
        n: How many

    Returns:
        (f, n, ...): frame t and the n-1 before it, oldest first; before the first
            frame stands the first frame
    """

class Episode(NamedTuple):
    """One game as somebody played it: what was on the screen, what was done, where
    it was looked

    Args:
        frames: uint8 (f, hgt, wid), gray
        actions: int64 (f,); -100, which `cross_entropy` leaves out, where the
            file has none
        gaze: float32 (f, m, 2): up to m points (x, y) for a frame, as shares of
            the screen's width and height from the top left; nan where there are
            fewer
        name: File and number
    """
    frames: torch.Tensor
    actions: torch.Tensor
    gaze: torch.Tensor
    name: str

def load_gabril(path:str | Path)->list[Episode]:
    """Games from a file of the GABRIL Atari data set, read without running anything
    in it

    Args:
        path: A file `num_episodes_<N>_fs4_human.pt`

    Returns:
        One for each game, gaze (f, 1, 2); the frame after the last action is left
            out
    """

def save_gabril(path:str | Path, episodes:Sequence)->None:
    """Write games as the files of GABRIL are written: NumPy arrays in a dict, a last
    frame in each game that nobody acts on

    Args:
        path: File to write
        episodes: Of gaze (f, 1, 2), all of one frame size
    """

def load_atari_head(
    archive:str | Path,
    labels:str | Path | None=None,
    size:int | tuple=84,
    missing:str='raise',
)->list[Episode]:
    """Games from a trial of Atari-HEAD, its archive streamed: at no time is more
    than one frame decoded

    Args:
        archive: The .tar.bz2 of a trial's frames
        labels: Its .txt; None takes the file beside the archive
        size: Side of the frames to make, or their (hgt, wid); (210, 160) leaves
            them as they are
        missing: Frames that the archive lacks: 'raise', or 'drop' them

    Returns:
        One for each episode_id; frames without one go with the episode before
            them
    """

def split_episodes(
    episodes:Sequence,
    valid:float=0.2,
    seed:int=0,
)->tuple[list, list]:
    """Split by whole episodes: neighbouring frames never stand on both sides

    Args:
        episodes: Two or more
        valid: Share of the episodes for validation; at least one, and not all
        seed: Of the choice

    Returns:
        For training and for validation, each in the order given; together all of
            them, none on both sides
    """
