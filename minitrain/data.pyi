"""Dataset, samplers, collate and a DataLoader from nothing; 5,000 real digits in the
package, and all of MNIST by checked download.
"""
# Made by tools/make_stubs.py: do not edit
import numpy as np
import torch
from collections.abc import Callable, Iterator, Mapping
from matplotlib.axes import Axes
from pathlib import Path
from typing import Any, NamedTuple

__all__ = ['load_digits', 'show_image', 'get_grid', 'show_images', 'Dataset',
           'DataLoader', 'get_dls', 'DataLoaders', 'collate_dict', 'inplace',
           'load_mnist']

class Digits(NamedTuple):
    """Images and labels for training and for validation

    Args:
        x_train: Training images: float32 in [0, 1], shape (n, 28, 28); uint8 when
            raw
        y_train: Their labels: int64, shape (n,), 0 to 9
        x_valid: Validation images, as `x_train`
        y_valid: Validation labels, as `y_train`
    """
    x_train: torch.Tensor
    y_train: torch.Tensor
    x_valid: torch.Tensor
    y_valid: torch.Tensor

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
        x_train (3500, 28, 28), y_train (3500,), x_valid (500, 28, 28), y_valid
            (500,)
    """

def as_picture(im)->np.ndarray:
    """An image as matplotlib wants it

    Args:
        im: Tensor, array or PIL image: (hgt, wid), (1 or 3 or 4, hgt, wid) or
            (hgt, wid, 1 or 3 or 4)

    Returns:
        (hgt, wid), or (hgt, wid, 3 or 4)
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
        im: Tensor on any device, NumPy array or PIL image: (hgt, wid), (c, hgt,
            wid) or (hgt, wid, c)
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
        ims: Images, each as for `show_image`: a list, or a tensor whose first
            dimension counts them
        nrows: Rows of the grid
        ncols: Columns of the grid
        titles: One title for each image, or fewer
        **kwargs: Passed on to `get_grid`
    """

class Dataset:
    """Pairs `(x[i], y[i])`, with `tfm` applied to `x[i]`

    Args:
        x: Inputs: a tensor, an array (kept as a tensor, on the same memory where
            that can be) or any sequence
        y: Targets, as many
        tfm: Called on each input as it is taken; under our `DataLoader` its
            random numbers repeat
    """
    x: Any
    y: Any
    tfm: Callable | None
    def __init__(self, x, y, tfm:Callable | None=None)->None: ...
    def __len__(self): ...
    def __getitem__(self, i): ...

def choose_seed(seed:int | None, generator:torch.Generator | None)->int:
    """The seed of a loader: as given, or one draw from `generator`, or one from
    torch's global generator

    Args:
        seed: As given to the loader
        generator: As given

    Returns:
        From 0 to 2**64 - 1
    """

class DataLoader:
    """Batches of a map-style dataset, in an order that depends on the seed and the
    epoch alone

    Args:
        dataset: Anything with `__getitem__` and `__len__`
        batch_size: Items in a batch; the last one of an epoch may have fewer
        shuffle: A new order in each epoch, from the loader's own seed
        sampler: Indices in the order wanted, with a length; gone through once an
            epoch
        batch_sampler: Lists of indices, one for each batch, with a length
        num_workers: 0 only
        collate_fn: Makes a batch of a list of items; None merges them as torch
            does
        pin_memory: Batches in page-locked memory; needs CUDA
        drop_last: Leave out a last batch that is short
        timeout: 0 only
        worker_init_fn: None only
        multiprocessing_context: None only
        generator: The seed is drawn from it, once
        seed: Of order and transforms; None draws one from torch's global
            generator, once
        **idle: torch's prefetch_factor, persistent_workers, pin_memory_device,
            in_order: default values only
    """
    dataset: Any
    batch_size: int
    shuffle: Any
    drop_last: bool
    sampler: Any
    batch_sampler: Any
    collate_fn: Callable | None
    pin_memory: bool
    seed: Any
    num_workers: Any
    def __init__(
        self,
        dataset,
        batch_size:int=1,
        shuffle:bool | None=False,
        sampler=None,
        batch_sampler=None,
        num_workers:int=0,
        collate_fn:Callable | None=None,
        pin_memory:bool=False,
        drop_last:bool=False,
        timeout:float=0,
        worker_init_fn=None,
        multiprocessing_context=None,
        generator:torch.Generator | None=None,
        *,
        seed:int | None=None,
        **idle,
    )->None: ...
    def set_epoch(self, epoch:int)->None:
        """Let the next iteration be this epoch, from its first batch

        Args:
            epoch: From 0
        """
    def __len__(self)->int:
        """How many batches an epoch has

        Returns:
            Batches in an epoch
        """
    def __iter__(self)->Iterator:
        """Begin the next epoch, or go on where `load_state_dict` put the loader

        Returns:
            Batches
        """
    def state_dict(self)->dict:
        """The position: seed, epoch, batches handed out in it, and a checksum of its
        order

        Returns:
            Plain ints (and None), ready for JSON
        """
    def load_state_dict(self, state:dict)->None:
        """Go back to a position: the next iteration gives exactly the batches that
        were still to come

        Args:
            state: From `state_dict`
        """

def order_digest(batches:list)->int:
    """A checksum of an epoch's order and of how it is cut into batches

    Args:
        batches: Indices of each batch

    Returns:
        A checksum
    """

def get_dls(
    train_ds,
    valid_ds,
    bs:int,
    drop_last:bool=False,
    **kwargs,
)->tuple[DataLoader, DataLoader]:
    """A training and a validation loader

    Args:
        train_ds: Dataset for training
        valid_ds: Dataset for validation
        bs: Batch size for training; validation takes twice as much, since it
            keeps no gradients
        drop_last: Leave out a short last batch in training; validation always
            sees every item
        **kwargs: Passed on to both loaders

    Returns:
        Shuffled training loader, validation loader in order
    """

class DataLoaders:
    """A loader for training and one for validation

    Args:
        *dls: The training loader, then the validation loader if there is one
    """
    train: Any
    valid: Any
    def __init__(self, *dls)->None: ...
    @classmethod
    def from_dd(cls, dd:Mapping, batch_size:int, **kwargs)->DataLoaders:
        """Loaders of a dict of datasets

        Args:
            dd: Two datasets whose items are dicts, such as a Hugging Face
                DatasetDict; training first
            batch_size: Of the training loader
            **kwargs: Passed on to `get_dls`

        Returns:
            Its batches are tuples in the order of the first dataset's features
        """

def collate_dict(ds)->Callable:
    """A collate function for items that are dicts: the batch is a tuple in the order
    of the names

    Args:
        ds: A dataset with `features` (names in order), or the names themselves

    Returns:
        A function for `collate_fn`
    """

def inplace(f:Callable)->Callable:
    """Turn a function that changes a batch in place into one that returns the batch

    Args:
        f: Changes its argument and returns nothing

    Returns:
        The same, returning its argument
    """

def load_mnist(dir:str | Path, raw:bool=False, final:bool=False)->Digits:
    """All of MNIST, downloaded once, checked by SHA-256, read from IDX files

    Args:
        dir: Folder that keeps the four files (11.6 MB in all); made if it is not
            there
        raw: Images as uint8 from 0 to 255 instead of float32 from 0 to 1
        final: Give the 10,000 test images and labels instead, a tuple of two

    Returns:
        The first 50,000 training images for training, the last 10,000 for
            validation
    """
