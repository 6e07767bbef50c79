"Laws of lesson 00: nested batches, seeds, durable files, run folders, typed configurations."
import json, os, random, signal, subprocess, sys, time
from collections import OrderedDict, UserDict, defaultdict, namedtuple
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings, strategies as st
from torch.nn.utils.rnn import pack_sequence

from conftest import ROOT
from minitrain.core import ArgumentError, explain, load_results, set_seed, to_cpu, to_device
from minitrain.runs import RunDir, atomic_write, load_config, save_results, versions

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


@pytest.mark.parametrize("mode, old, new", [("w", "old", "néw\n"), ("wb", b"old", b"\x00new\r\n")])
def test_atomic_write(tmp_path, mode, old, new):
    path = tmp_path/"f"
    for content in (old, new):
        with atomic_write(path, mode) as f: f.write(content)
    with pytest.raises(KeyboardInterrupt):
        with atomic_write(path, mode) as f: f.write(old); raise KeyboardInterrupt
    assert path.read_bytes() == (new if mode == "wb" else new.encode()) and list(tmp_path.iterdir()) == [path]
    with pytest.raises(ArgumentError, match="`mode`"):
        with atomic_write(path, "a"): pass
    with pytest.raises(FileNotFoundError):
        with atomic_write(tmp_path/"no"/"f") as f: f.write("x")


WRITER = """
import sys; from minitrain.runs import atomic_write
print("ready", flush=True)
for i in range(10**6):
    with atomic_write(sys.argv[1]) as f:
        for _ in range(200): f.write(f"{i:07}\\n")
"""


def test_a_file_killed_at_random_is_whole(tmp_path):
    "SIGKILL at 5 random instants: the file holds 200 equal lines each time, and one run's leftovers never block the next"
    path, rng = tmp_path/"f", random.Random(0)
    for _ in range(5):
        child = subprocess.Popen([sys.executable, "-c", WRITER, path], stdout=subprocess.PIPE)
        child.stdout.readline()
        time.sleep(rng.uniform(0.02, 0.3))
        child.kill(); child.wait(); child.stdout.close()
        if path.exists():
            lines = path.read_text().splitlines()
            assert len(lines) == 200 and len(set(lines)) == 1
    assert path.exists()


def test_torn_rows_are_dropped(tmp_path):
    "Whatever byte the file ends at, reading and appending go on from the last whole row"
    run = RunDir(tmp_path/"run", {})
    for i in range(4): run.log(i=i, note=f"a, \"b\" {i}")
    whole = (run/"metrics.csv").read_bytes()
    for cut in range(len(whole) + 1):
        (run/"metrics.csv").write_bytes(whole[:cut])
        again = RunDir(tmp_path/"run")
        rows = again.metrics
        n = max(whole[:cut].count(b"\n") - 1, 0)
        assert len(rows) == n and (n == 0 or rows["i"].tolist() == list(range(n)))
        again.log(i=99, note="")
        assert RunDir(tmp_path/"run").metrics["i"].tolist() == [*range(n), 99]


def test_rundir_refuses(tmp_path):
    (tmp_path/"file").write_text("")
    for path in (tmp_path/"file", tmp_path):
        with pytest.raises(ArgumentError, match="new or empty folder"): RunDir(path, {})
    with pytest.raises(ArgumentError, match="holds a run"): RunDir(tmp_path/"none")
    assert not (tmp_path/"none").exists()
    run = RunDir(tmp_path/"run", dict(a=1))
    run.log(x=1)
    with pytest.raises(ArgumentError, match="columns"): run.log(x=1, y=2)
    with pytest.raises(ArgumentError, match="columns"): run.log(y=2)
    assert run.metrics["x"].tolist() == [1]
    run.write("note.bin", b"\x00")
    assert (run/"note.bin").read_bytes() == b"\x00" and json.loads((run/"versions.json").read_text())["torch"]


def test_versions_tell_the_commit_of_tracked_code(monkeypatch):
    state = versions()["git"]
    if (ROOT/".git").exists() and state is not None: assert len(state["commit"]) == 40
    monkeypatch.setenv("PATH", "")
    assert versions()["git"] is None


def test_results_round_trip(tmp_path):
    df = pd.DataFrame(dict(a=[1, 2], b=[0.1, float("nan")], c=["x#y", "z"]))
    save_results(df, tmp_path/"r.csv", command="make bench # all", seeds=[0, 1])
    back = load_results(tmp_path/"r.csv")
    pd.testing.assert_frame_equal(back, df)
    assert back.attrs["command"] == "make bench # all" and back.attrs["seeds"] == [0, 1] and back.attrs["torch"]
    for bad in ("nothing", tmp_path/"no.csv"):
        with pytest.raises(ArgumentError, match="`name`"): load_results(bad)


@pytest.mark.parametrize("path", sorted((ROOT/"minitrain"/"assets"/"results").glob("*.csv")), ids=lambda p: p.stem)
def test_stored_results_say_how_they_were_made(path):
    df = load_results(path.stem)
    assert len(df) and {"command", "date", "torch", "python", "platform"} <= set(df.attrs)
    script = df.attrs["command"].split()[1]
    assert (ROOT/script).is_file() or df.attrs["command"].startswith("minitrain ")


@dataclass
class Inner: lr: float = 0.1; name: Literal["sgd", "adam"] = "sgd"


@dataclass
class Outer:
    epochs: int
    inner: Inner = field(default_factory=Inner)
    sizes: list[int] = field(default_factory=list)
    note: str | None = None


def write(path, **files):
    for name, text in files.items(): (path/f"{name}.yaml").write_text(text)


def test_config_inherits_and_types(tmp_path):
    write(tmp_path, a="epochs: 1\ninner: {lr: 1e-3, name: adam}", b="base: a.yaml\nepochs: 2\ninner: {lr: 1}")
    assert load_config(tmp_path/"b.yaml", Outer, sizes=[1]) == Outer(2, Inner(1.0, "adam"), [1])
    assert load_config(tmp_path/"b.yaml") == dict(epochs=2, inner=dict(lr=1, name="adam"))


@pytest.mark.parametrize("text, said", [
    ("epocs: 1", "epocs"), ("epochs: 1.5", "`epochs`: expected int, got 1.5"), ("epochs: true", "`epochs`"), ("epochs: x", "`epochs`"),
    ("epochs: 1\ninner: {name: rmsprop}", r"`inner.name`: expected .*rmsprop"), ("epochs: 1\ninner: {rate: 1}", "rate"),
    ("epochs: 1\nsizes: [1, a]", "`sizes`"), ("epochs: 1\nnote: 3", "`note`"), ("- 1", "keys and values"), ("a: [", "valid YAML"),
    ("base: gone.yaml", "a file that exists"), ("base: c.yaml", "circle"), ("inner: {lr: 1}", "epochs"),
])
def test_config_refuses_in_one_line(tmp_path, text, said):
    write(tmp_path, c=text)
    with pytest.raises(ArgumentError, match=said) as e: load_config(tmp_path/"c.yaml", Outer)
    assert "\n" not in str(e.value)
