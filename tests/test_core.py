"Laws of lesson 00: nested batches, seeds, errors, stored results."
import random
from collections import OrderedDict, UserDict, defaultdict, namedtuple
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st
from torch.nn.utils.rnn import pack_sequence

from conftest import ROOT
from minitrain.core import ArgumentError, explain, load_results, set_seed, to_cpu, to_device

Pair = namedtuple("Pair", "x y")


@dataclass
class Sample:
    x: torch.Tensor
    name: str = "a"


leaves = st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=3), st.builds(lambda n: torch.zeros(n), st.integers(0, 3)))
nested = st.recursive(leaves, lambda inner: st.one_of(
    st.lists(inner, max_size=3), st.tuples(inner, inner), st.builds(Pair, inner, inner),
    st.dictionaries(st.text(max_size=2), inner, max_size=3), st.builds(OrderedDict, st.dictionaries(st.text(max_size=2), inner, max_size=3))), max_leaves=8)


def leaves_of(x):
    if isinstance(x, dict): return [leaf for v in x.values() for leaf in leaves_of(v)]
    return [leaf for o in x for leaf in leaves_of(o)] if isinstance(x, (list, tuple)) else [x]


def shape_of(x):
    if isinstance(x, dict): return type(x), [(k, shape_of(v)) for k, v in x.items()]
    return (type(x), [shape_of(o) for o in x]) if isinstance(x, (list, tuple)) else type(x)


@settings(deadline=None)
@given(nested)
def test_moving_keeps_the_nesting(x):
    moved = to_device(x, "meta")
    assert shape_of(moved) == shape_of(x)
    for a, b in zip(leaves_of(x), leaves_of(moved)): assert b.device.type == "meta" if isinstance(a, torch.Tensor) else a is b or a == b


def test_moving_kinds_of_containers():
    t = torch.zeros(2)
    counted = defaultdict(list, a=t)
    moved = to_device(counted, "meta")
    assert type(moved) is defaultdict and moved.default_factory is list and counted["a"].device.type == "cpu"
    assert to_device(UserDict(a=t), "meta")["a"].device.type == "meta"
    assert to_device(MappingProxyType({"a": t}), "meta")["a"].device.type == "meta"
    assert to_device(Sample(t), "meta").x.device.type == "meta" and to_device(Sample(t, "b"), "meta").name == "b"
    packed = pack_sequence([torch.ones(3), torch.ones(2)])
    assert type(to_cpu(packed)) is type(packed)
    assert to_device(torch.Tensor, "meta") is torch.Tensor, "a class has a `to` too, and is not a batch"


def test_to_cpu_detaches_and_widens():
    x = torch.ones(2, dtype=torch.bfloat16, requires_grad=True)
    out = to_cpu({"x": x, "i": torch.ones(1, dtype=torch.int8)})
    assert out["x"].dtype == torch.float32 and not out["x"].requires_grad and out["i"].dtype == torch.int8


@pytest.mark.parametrize("seed", [-1, 2**32, 1.0, "1", True, None])
def test_bad_seeds(seed):
    with pytest.raises(ArgumentError, match="`seed`"): set_seed(seed)


def test_seed_covers_three_generators():
    set_seed(7); a = random.random(), np.random.rand(), torch.rand(1).item()
    set_seed(7); b = random.random(), np.random.rand(), torch.rand(1).item()
    set_seed(8); c = random.random(), np.random.rand(), torch.rand(1).item()
    assert a == b and all(x != y for x, y in zip(a, c))


def test_argument_error_is_both_and_pickles():
    import pickle
    e = ArgumentError("target", torch.zeros(3, 1), "shape (3,)")
    assert isinstance(e, ValueError) and isinstance(e, RuntimeError)
    assert str(e) == "`target`: expected shape (3,), got a float32 tensor of shape (3, 1)" == str(pickle.loads(pickle.dumps(e)))
    assert "array of shape (2,)" in explain("x", np.zeros(2), "y") and len(explain("x", "a"*10_000, "y")) < 200


@pytest.mark.parametrize("path", sorted((ROOT/"minitrain"/"assets"/"results").glob("*.csv")), ids=lambda p: p.stem)
def test_stored_results_say_how_they_were_made(path):
    df = load_results(path.stem)
    assert len(df) and {"command", "date", "torch", "python", "platform"} <= set(df.attrs)
    script = df.attrs["command"].split()[1]
    assert (ROOT/script).is_file() or df.attrs["command"].startswith("minitrain ")
