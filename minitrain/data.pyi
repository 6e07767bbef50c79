"""Batches from nothing: shuffled, repeatable, and resumable in the middle of an
epoch.
"""
# Made by tools/make_stubs.py: do not edit
import torch
from collections.abc import Callable, Iterable, Iterator, Mapping
from minitrain.core import Digits
from pathlib import Path
from typing import Any

__all__ = ['Dataset', 'Sampler', 'BatchSampler', 'DataLoader', 'get_dls', 'DataLoaders',
           'collate_dict', 'inplace', 'load_mnist']

class Dataset:
    """Pairs `(x[i], y[i])` by position, with `tfm` applied to `x[i]`

    Args:
        x: Inputs: a tensor, an array, a pandas table, or any sequence
        y: Targets, as many
        tfm: Called on each input as it is taken
    """
    x: Any
    y: Any
    tfm: Callable | None
    def __init__(self, x, y, tfm:Callable | None=None)->None: ...
    def __len__(self): ...
    def __getitem__(self, i): ...

class Sampler:
    """The indices of a dataset, in order or shuffled by torch's global generator

    Args:
        dataset: Anything with a length
        shuffle: Another order each time
    """
    dataset: Any
    shuffle: Any
    def __init__(self, dataset, shuffle:bool=False)->None: ...
    def __len__(self): ...
    def __iter__(self): ...

class BatchSampler:
    """The indices of a sampler, `batch_size` at a time

    Args:
        sampler: Indices, with a length
        batch_size: How many in a batch
        drop_last: Leave out a last batch that is short
    """
    sampler: Iterable
    batch_size: int
    drop_last: bool
    def __init__(
        self,
        sampler:Iterable,
        batch_size:int,
        drop_last:bool=False,
    )->None: ...
    def __len__(self): ...
    def __iter__(self): ...

def choose_seed(seed:int | None, generator:torch.Generator | None)->int:
    """A loader's seed: as given, or drawn once from `generator`, or from the global
    one

    Args:
        seed: As given to the loader
        generator: As given

    Returns:
        The seed
    """

class DataLoader:
    """Batches of a dataset, in an order that depends on seed and epoch alone

    Args:
        dataset: Anything with `__getitem__` and `__len__`
        batch_size: Items in a batch; the last one of an epoch may have fewer
        shuffle: A new order in each epoch
        sampler: Indices in the order wanted, with a length
        batch_sampler: Lists of indices, one for each batch, with a length
        collate_fn: Makes a batch of a list of items; None: as torch
        pin_memory: Batches in page-locked memory; needs CUDA
        drop_last: Leave out a last batch that is short
        generator: The seed is drawn from it, once
        seed: Of order and transforms; None draws one, once
    """
    batch_sampler: Any
    seed: Any
    dataset: Any
    batch_size: int
    collate_fn: Any
    pin_memory: bool
    epoch: Any
    def __init__(
        self,
        dataset,
        batch_size:int=1,
        shuffle:bool | None=False,
        sampler=None,
        batch_sampler=None,
        *,
        collate_fn:Callable | None=None,
        pin_memory:bool=False,
        drop_last:bool=False,
        generator:torch.Generator | None=None,
        seed:int | None=None,
    )->None: ...
    def set_epoch(self, epoch:int)->None:
        """Let the next iteration be this epoch, from its first batch

        Args:
            epoch: From 0
        """
    def __len__(self): ...
    def __iter__(self)->Iterator:
        """Begin the next epoch, or go on where `load_state_dict` put the loader

        Returns:
            Batches
        """
    def state_dict(self)->dict:
        """The position: seed, epoch, batches handed out in it, and a checksum of its
        order

        Returns:
            Ints (and None), ready for JSON
        """
    def load_state_dict(self, state:dict)->None:
        """Go back to a position: the batches that were still to come will come

        Args:
            state: From `state_dict`
        """
    def shard(self, rank:int, world:int)->None:
        """Give one process's part of every batch; the position stays the whole run's

        Args:
            rank: Number of the process, from 0
            world: How many processes there are; 1 ends the sharing
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
    num_workers:int=0,
    **kwargs,
)->tuple:
    """A training and a validation loader

    Args:
        train_ds: Dataset for training
        valid_ds: Dataset for validation
        bs: Batch size for training; validation takes twice as much
        drop_last: Leave out a short last batch, in training alone
        num_workers: More make torch's loaders, with so many processes
        **kwargs: Passed on to both loaders

    Returns:
        Shuffled training loader, validation loader in order
    """

class DataLoaders:
    """A loader for training and one for validation

    Args:
        train: The training loader
        valid: The validation loader, if there is one
    """
    train: Any
    valid: Any
    def __init__(self, train, valid=None)->None: ...
    @classmethod
    def from_dd(cls, dd:Mapping, batch_size:int, **kwargs)->DataLoaders:
        """Loaders of a dict of datasets

        Args:
            dd: Two datasets of dicts, such as a DatasetDict; training first
            batch_size: Of the training loader
            **kwargs: Passed on to `get_dls`

        Returns:
            Batches are tuples in the order of the first dataset's features
        """

def collate_dict(ds)->Callable:
    """A collate function for dicts: the batch is a tuple in the order of the names

    Args:
        ds: A dataset with `features` (names in order), or the names themselves

    Returns:
        A function for `collate_fn`
    """

def inplace(f:Callable)->Callable:
    """Turn a function that changes an item in place into one that returns it

    Args:
        f: Changes its argument and returns nothing

    Returns:
        The same, returning its argument
    """

def load_mnist(dir:str | Path, raw:bool=False, final:bool=False)->Digits | tuple:
    """All of MNIST, downloaded once, checked by SHA-256

    Args:
        dir: Folder that keeps the files (11.6 MB); made if it is not there
        raw: Images as uint8 from 0 to 255, not as float32 from 0 to 1
        final: The 10,000 test images and labels instead, a tuple of two

    Returns:
        50,000 training images to train on, the other 10,000 for validation
    """
