"""Pictures, weights, a loss and a step: nine digits in ten read rightly, twenty
minutes from here.
"""
# Made by tools/make_stubs.py: do not edit
import numpy as np
import torch
from collections.abc import Callable
from matplotlib.axes import Axes
from pandas import DataFrame
from pathlib import Path
from typing import Any, NamedTuple

__all__ = ['def_device', 'set_seed', 'ArgumentError', 'to_device', 'to_cpu',
           'load_results', 'load_digits', 'subplots', 'show_image', 'get_grid',
           'show_images', 'diagram', 'widget']

def set_seed(seed:int=42, deterministic:bool | None=None)->None:
    """Seed the generators of Python, NumPy and PyTorch (every device)

    Args:
        seed: From 0 to 2**32 - 1, the range that NumPy accepts
        deterministic: torch's deterministic algorithms; None: as is
    """

class ArgumentError(ValueError, RuntimeError):
    """A value that a function cannot use: which argument, what came, what was
    expected

    Args:
        name: Name of the argument
        got: What came
        expected: What was expected, in words
    """
    name: str
    got: Any
    expected: str
    def __init__(self, name:str, got, expected:str)->None: ...
    def __str__(self): ...

def explain(name:str, got, expected:str)->str:
    """One line that names an argument, what was expected and what came

    Args:
        name: Name of the argument
        got: What came: any object, or a ready description
        expected: What was expected, in words

    Returns:
        The sentence for an error message
    """

def need(ok, name:str, got, expected:str)->None:
    """Raise an ArgumentError unless `ok`

    Args:
        ok: What must be true
        name: Of the argument
        got: What came
        expected: What was expected, in words
    """

def is_int(o, low:int=0)->bool:
    """Is this a whole number, `low` or more?

    Args:
        o: Anything
        low: Smallest value

    Returns:
        True for ints from `low` up; False for True, which Python counts as 1
    """

def need_flags(**flags)->None:
    """Require True or False, or None: a string such as 'False' counts as true

    Args:
        **flags: Values by the argument's name
    """

def need_unit(name:str, x:torch.Tensor)->None:
    """Require numbers from 0 to 1; of what torch.compile traces nothing is required

    Args:
        name: Name of the argument
        x: Numbers that should be probabilities
    """

def mix_seed(*numbers)->int:
    """One well-mixed seed from several numbers

    Args:
        *numbers: Seed, epoch, and for an item its index

    Returns:
        From 0 to 2**64 - 1
    """

def seed_all(seed:int)->None:
    """Seed what a transform may draw from: torch (CPU), Python and NumPy

    Args:
        seed: From 0 to 2**64 - 1
    """

def rng_state()->dict:
    """The state of every global random number generator

    Returns:
        By library; CUDA's by device
    """

def set_rng_state(state:dict)->None:
    """Put the global generators where they were

    Args:
        state: From `rng_state`; states of devices that are not here are passed
            over
    """

def map_nested(f:Callable, x)->Any:
    """Apply `f` to everything in `x` that can be moved, keeping containers as they
    are

    Args:
        f: Called on each leaf that has a method `to`: tensors, modules ...
        x: Any nesting of dicts, lists, tuples, namedtuples and dataclasses

    Returns:
        The same nesting with `f` applied to the leaves
    """

def_device: Any

def to_device(x, device:str | torch.device=def_device)->Any:
    """Move every tensor in a nested batch to `device`

    Args:
        x: A tensor or any nesting of dicts, lists, tuples and dataclasses
        device: Where the tensors go

    Returns:
        The same nesting, its tensors on `device`
    """

def to_cpu(x)->Any:
    """Detach every tensor in a nested batch and bring it home, ready to plot or to
    store

    Args:
        x: A tensor or any nesting, as for `to_device`

    Returns:
        The same nesting, its tensors on the CPU, half precision made float32
    """

def asset_path(kind:str, name:str | Path, ending:str, arg:str='name')->Path:
    """Find a packaged file by name, or a user's by path

    Args:
        kind: Folder in minitrain/assets
        name: Name without ending, or the path of a file
        ending: Such as ".csv"
        arg: What the caller calls `name`, for an error

    Returns:
        The file
    """

def load_results(name:str | Path)->DataFrame:
    """Read a stored table of measured results

    Args:
        name: Of a table in minitrain/assets/results, or the path of a CSV file

    Returns:
        pandas DataFrame: `.attrs` holds command, seeds, versions and machine
    """

class Digits(NamedTuple):
    """Images and labels for training and for validation

    Args:
        x_train: Training images, (n, 28, 28): float32 in [0, 1], or uint8
        y_train: Their labels: int64, shape (n,), 0 to 9
        x_valid: Validation images, as `x_train`
        y_valid: Validation labels, as `y_train`
    """
    x_train: torch.Tensor
    y_train: torch.Tensor
    x_valid: torch.Tensor
    y_valid: torch.Tensor

def scaled(
    images:np.ndarray,
    labels:np.ndarray,
    raw:bool,
)->tuple[torch.Tensor, torch.Tensor]:
    """Arrays to tensors: images divided by 255 unless `raw`

    Args:
        images: uint8, shape (n, 28, 28)
        labels: uint8, shape (n,)
        raw: Leave the images as uint8

    Returns:
        Images and int64 labels
    """

def load_final_digits(raw:bool=False)->tuple[torch.Tensor, torch.Tensor]:
    """The thousand test digits, for one final figure and never for a choice

    Args:
        raw: As for `load_digits`

    Returns:
        Images (1000, 28, 28), labels (1000,)
    """

def load_digits(raw:bool=False)->Digits:
    """The 4,000 MNIST digits for training and choosing; no network needed

    Args:
        raw: Images as uint8 from 0 to 255 instead of float32 from 0 to 1

    Returns:
        x_train (3500, 28, 28), y_train (3500,), x_valid (500, ...), y_valid
    """

def use_style()->None:
    """Give figures to come the book's look, unless another was chosen"""

def as_pictures(fig, **kwargs):
    """A figure as SVG, if that is 64 KB or less, and as PNG: small beside an SVG"""

def show_as_svg()->None:
    """Let a notebook show figures by `as_pictures`"""

def as_picture(im)->np.ndarray:
    """An image as matplotlib wants it

    Args:
        im: Tensor, array or PIL image: (hgt, wid), (c, hgt, wid) or (hgt, wid, c)

    Returns:
        (hgt, wid), or (hgt, wid, 3 or 4)
    """

def subplots(
    nrows:int=1,
    ncols:int=1,
    figsize:tuple | None=None,
    imsize:float=3,
    suptitle:str | None=None,
    **kwargs,
)->tuple:
    """Make a figure of `nrows` by `ncols` axes, each `imsize` inches wide and high

    Args:
        nrows: Rows of axes
        ncols: Columns of axes
        figsize: Of the whole figure, in inches; None: by `imsize`
        imsize: Width and height of one axis in inches
        suptitle: Title above the whole figure
        **kwargs: Passed on to `plt.subplots`

    Returns:
        Figure, and axes as `plt.subplots` gives them
    """

def show_image(
    im,
    ax=None,
    figsize:tuple | None=None,
    title=None,
    noframe:bool=True,
    **kwargs,
)->Axes:
    """Show one image without ticks

    Args:
        im: Tensor, array or PIL image: (hgt, wid), (c, hgt, wid) or (hgt, wid, c)
        ax: Matplotlib axes; None makes a new figure
        figsize: Size of that new figure in inches
        title: Written above the image; a 0-d tensor is written as its number
        noframe: Hide the frame
        **kwargs: Passed on to `imshow`; one-channel images are gray unless `cmap`
            is given

    Returns:
        matplotlib Axes, for more to be drawn on them
    """

def get_grid(
    n:int,
    nrows:int | None=None,
    ncols:int | None=None,
    title:str | None=None,
    weight:str='bold',
    size:int=14,
    **kwargs,
)->tuple:
    """A grid with room for `n` pictures, the rest switched off

    Args:
        n: How many axes to show
        nrows: Rows; None chooses them, for a grid near a square
        ncols: Columns; None chooses them
        title: Above the whole figure
        weight: Weight of the title
        size: Size of the title, in points
        **kwargs: Passed on to `subplots`

    Returns:
        Figure, and a 2-d array of axes of which the first `n` are visible
    """

def show_images(
    ims,
    nrows:int | None=None,
    ncols:int | None=None,
    titles=None,
    **kwargs,
)->None:
    """Show images side by side in a grid

    Args:
        ims: Images as for `show_image`: a list, or a tensor (n, ...)
        nrows: Rows of the grid
        ncols: Columns of the grid
        titles: One title for each image, or fewer
        **kwargs: Passed on to `get_grid`
    """

def diagram(name:str)->str:
    """A drawing in the colour of the text around it

    Args:
        name: A drawing of the package, or the path of an SVG with title and desc

    Returns:
        HTML, which a notebook shows
    """

def widget(name:str, data:object)->str:
    """A picture that moves under the reader's hand; a still one where no script runs

    Args:
        name: A widget of the package
        data: What it shows: anything that JSON can hold

    Returns:
        HTML and JavaScript, which a notebook shows
    """
