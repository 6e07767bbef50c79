"""A transformer trained on made-up problems becomes a scikit-learn classifier, and
is held to account.
"""
# Made by tools/make_stubs.py: do not edit
import numpy as np
import torch
from collections.abc import Callable, Sequence
from minitrain.reasoning import ReasoningModel
from sklearn.base import BaseEstimator, ClassifierMixin
from typing import Any, NamedTuple

__all__ = ['ReasoningClassifier', 'map_logistic', 'calibration_error', 'reliability',
           'embed_stream', 'embed_leave_one_out']

class _View(NamedTuple):
    """One of the ways to show a context that the prior cannot tell apart

    Args:
        order: Of the examples (k,)
        turn: Orthogonal matrix (d, d)
        flip: 1 calls the labels by each other's names
    """
    order: torch.Tensor
    turn: torch.Tensor
    flip: int

def equal_views(n:int, k:int, d:int, rng:np.random.RandomState)->list[_View]:
    """Equivalent views of a context

    Args:
        n: How many
        k: Examples in the context
        d: Inputs of the head
        rng: Draws orders and matrices

    Returns:
        In pairs that differ by the flip alone; the first is not turned
    """

@torch.inference_mode()
def query_views(
    head:ReasoningModel,
    xs:torch.Tensor,
    ys:torch.Tensor,
    queries:torch.Tensor,
    views:list[_View],
)->torch.Tensor:
    """What the head says of queries, the mean over views of their context

    Args:
        head: Frozen
        xs: Contexts (b, k, d)
        ys: Their labels (b, k)
        queries: (b, q, d)
        views: To average over

    Returns:
        Log odds (b, q)
    """

def couple(z:torch.Tensor)->torch.Tensor:
    """Probabilities of classes from the log odds of their pairs

    Args:
        z: Log odds of class j against class i, (c, c, q); 0 where i is j

    Returns:
        (q, c), rows sum to 1
    """

class ReasoningClassifier(ClassifierMixin, BaseEstimator):
    """A frozen head as a scikit-learn classifier: `fit` keeps examples, none is
    learnt

    Args:
        head: A packaged head, folder of a run, or a ReasoningModel
        n_components: Principal components at most; None is all there is room for
        intercept: Show the head a constant 1, for classes of different sizes
        n_views: Equivalent views of the context to average over
        max_context: Examples to read at a time; None is what the head can
        temperature: Divides log odds; None finds it in the context
        random_state: Of orders and views: an int, a RandomState or None
        with_std: Divide columns by their deviations; False if they share a unit
    """
    head: Any
    n_components: Any
    intercept: Any
    n_views: Any
    max_context: Any
    temperature: Any
    random_state: Any
    with_std: Any
    temperature_: Any
    classes_: Any
    head_: Any
    pairs_: Any
    def __init__(
        self,
        head='reasoning_d8',
        n_components=None,
        intercept=True,
        n_views=8,
        max_context=None,
        temperature=None,
        random_state=0,
        with_std=True,
    )->None: ...
    def fit(self, X, y)->ReasoningClassifier:
        """Keep the examples as the head will read them; none of its weights changes

        Args:
            X: Examples (k, f): an array, a DataFrame or nested lists of finite
                numbers
            y: Their classes (k,): numbers, strings or booleans, two or more
                different ones

        Returns:
            Itself, with `classes_`, `pairs_`, `temperature_`
        """
    def predict_proba(self, X)->np.ndarray:
        """Probabilities for each query, as if it came alone after the context

        Args:
            X: Queries (q, f)

        Returns:
            float64 (q, classes), rows sum to 1, in the order of `classes_`
        """
    def predict(self, X)->np.ndarray:
        """The most probable class of each query

        Args:
            X: Queries (q, f)

        Returns:
            (q,), of `classes_`
        """

def minus_log_posterior(
    w:torch.Tensor,
    x:torch.Tensor,
    y:torch.Tensor,
    a:torch.Tensor,
)->torch.Tensor:
    """What the most probable weights make least

    Args:
        w: Weights (b, d)
        x: (b, k, d)
        y: (b, k)
        a: (b,)

    Returns:
        (b,), up to a constant
    """

def map_logistic(
    xs:torch.Tensor,
    ys:torch.Tensor,
    alpha:float | torch.Tensor=1.0,
    steps:int=100,
)->torch.Tensor:
    """The most probable weights of logistic regressions without intercept

    Args:
        xs: Contexts (b, k, d)
        ys: Their labels 0 and 1, (b, k)
        alpha: Deviation of a weight in the prior; one, or (b,)
        steps: Newton steps at most

    Returns:
        Weights, float64 (b, d)
    """

def calibration_error(probs, targets, bins:int=15)->float:
    """Expected calibration error: the mean distance between said and happened

    Args:
        probs: Probabilities of a 1, any shape: tensor, array or list
        targets: What happened, 0 or 1, the same shape
        bins: Of equal width

    Returns:
        From 0, for numbers that mean what they say, to 1
    """

def reliability(p:torch.Tensor, y:torch.Tensor, bins:int)->tuple:
    """What was said and what happened, bin by bin

    Args:
        p: Probabilities of a 1, float64 (n,)
        y: What happened, 0 or 1, float64 (n,)
        bins: Of equal width

    Returns:
        For each bin: how many, mean probability, share of ones (nan where none)
    """

def embed_stream(embed:Callable, items:Sequence)->np.ndarray:
    """Each item alone: nothing is seen but the item

    Args:
        embed: Called with a list of items: a vector (d,), that of the last one
        items: Examples or queries: strings, images, whatever `embed` takes

    Returns:
        float64 (n, d)
    """

def embed_leave_one_out(
    embed:Callable,
    examples:Sequence,
    queries:Sequence,
    labels:Sequence | None=None,
)->tuple[np.ndarray, np.ndarray]:
    """Each item last, after the other examples; nothing sees its own label or a
    query

    Args:
        embed: As there; with `labels`, items before the last are (item, label)
        examples: Of the context
        queries: To be classified with it
        labels: Of the examples; None shows them without

    Returns:
        float64 (k, d) of examples and (q, d) of queries
    """
