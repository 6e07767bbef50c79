"Laws of the loader, of collating, of the packaged digits and of the download."
import gzip, hashlib, importlib.util, itertools, json, random, struct, subprocess, sys, threading
from collections import OrderedDict, UserDict, namedtuple
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import matplotlib
matplotlib.use("agg")
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings, strategies as st
from torch.testing import assert_close
from torch.utils.data import (
    BatchSampler as TorchBatchSampler, DataLoader as TorchLoader, DistributedSampler, IterableDataset,
    RandomSampler, Subset, SubsetRandomSampler, TensorDataset, WeightedRandomSampler, default_collate)

from minitrain import data
from minitrain.core import ArgumentError, get_grid, load_digits, load_results, set_seed, show_image, show_images
from minitrain.data import (BatchSampler, DataLoader, DataLoaders, Dataset, Sampler, collate_dict,
    get_dls, inplace, load_mnist)

ROOT = Path(__file__).parents[1]
few = settings(max_examples=40, deadline=None)
Pair = namedtuple("Pair", "a b")


def pairs(n, tfm=None): return Dataset(torch.arange(n*3.).view(n, 3), torch.arange(n), tfm)
def labels(dl): return [b[1].tolist() for b in dl]


def same(a, b):
    "The same nesting of the same types, tensors equal in dtype, shape and value"
    assert type(a) is type(b), (type(a), type(b))
    if isinstance(a, torch.Tensor): assert_close(a, b, rtol=0, atol=0, equal_nan=True)
    elif isinstance(a, (dict, UserDict)):
        assert list(a) == list(b)
        for k in a: same(a[k], b[k])
    elif isinstance(a, (list, tuple)):
        assert len(a) == len(b)
        for o, p in zip(a, b): same(o, p)
    else: assert a == b


# ---- the same batches as torch's loader

KINDS = {
    "Dataset": pairs,
    "TensorDataset": lambda n: TensorDataset(torch.rand(n, 2), torch.arange(n), torch.arange(n) % 2 == 0),
    "Subset": lambda n: Subset(pairs(3*n), [*range(3*n - 1, 2*n - 1, -1)]),
    "Subset from the end": lambda n: Subset(TensorDataset(torch.rand(2*n)), range(-n, 0)),
    "Subset of Subset": lambda n: Subset(Subset(pairs(2*n), range(2*n)), [i - n for i in range(n)]),
    "arrays": lambda n: Dataset(np.arange(n*2, dtype=np.float32).reshape(n, 2)[::-1], np.arange(n)),
    "strings": lambda n: Dataset([f"s{i}" for i in range(n)], [float(i) for i in range(n)]),
    "dicts": lambda n: [dict(x=np.full(2, i), name=f"n{i}", y=i) for i in range(n)],
    "namedtuples": lambda n: [Pair(i, torch.tensor([i])) for i in range(n)],
    "mapping": lambda n: {i: (i, [i, i + .5]) for i in range(n)},
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n, bs, drop_last", [(1, 1, False), (10, 4, False), (10, 4, True), (10, 5, True), (10, 30, False), (3, 4, True)])
def test_torchs_batches(kind, n, bs, drop_last):
    ds = KINDS[kind](n)
    samplers = [{}, dict(shuffle=None), dict(sampler=range(n - 1, -1, -1)), dict(sampler=[0, 0, np.int64(n - 1), *([] if kind == "mapping" else [-1])])]
    for kw in samplers:
        ours, theirs = DataLoader(ds, bs, drop_last=drop_last, **kw), TorchLoader(ds, bs, drop_last=drop_last, **kw)
        assert len(ours) == len(theirs)
        same(list(ours), list(theirs))
    batches = [[n - 1], [0, n//2], [0, 0]]
    same(list(DataLoader(ds, batch_sampler=batches)), list(TorchLoader(ds, batch_sampler=batches)))


def test_torchs_samplers_with_a_generator():
    ds = pairs(11)
    def made():
        g = torch.Generator().manual_seed(3)
        yield dict(sampler=RandomSampler(ds, generator=g))
        yield dict(sampler=WeightedRandomSampler(torch.rand(11, generator=g), 20, generator=g))
        yield dict(sampler=SubsetRandomSampler([1, 5, 7], generator=g))
        yield dict(batch_sampler=TorchBatchSampler(RandomSampler(ds, generator=g), 4, True))
    for ours, theirs in zip(made(), made()):
        bs = {} if "batch_sampler" in ours else dict(batch_size=4)
        same(list(DataLoader(ds, **bs, **ours)), list(TorchLoader(ds, **bs, **theirs)))


@few
@given(st.integers(0, 30), st.integers(1, 9), st.booleans(), st.integers(0, 99))
def test_our_samplers_are_torchs(n, bs, drop_last, seed):
    ours, theirs = BatchSampler(range(n), bs, drop_last), TorchBatchSampler(range(n), bs, drop_last)
    assert list(ours) == list(theirs) and len(ours) == len(theirs)
    assert list(Sampler(range(n))) == list(range(n)) and len(Sampler(range(n))) == n
    set_seed(seed)
    shuffled = Sampler(range(n), shuffle=True)
    first, second = list(shuffled), list(shuffled)
    assert sorted(first) == sorted(second) == list(range(n)) and (first != second or n < 9)
    for dl in (DataLoader, TorchLoader):  # ours, in either loader
        assert sorted(sum(labels(dl(pairs(n), batch_sampler=BatchSampler(shuffled, bs))), [])) == list(range(n))


def test_batches_in_any_form():
    "A batch sampler may hand out tensors, arrays, or one list that it fills again"
    class Reused(list):
        def __iter__(self):
            batch = []
            for o in super().__iter__(): batch[:] = o; yield batch
    batches = [[2, 0], [1, 1]]
    for form in (list(map(torch.tensor, batches)), list(map(np.array, batches)), Reused(batches)):
        dl = DataLoader(pairs(3), batch_sampler=form)
        assert labels(dl) == batches and labels(DataLoader(pairs(3, noisy), batch_sampler=form)) == batches


def test_custom_collate_and_interchange():
    ds = pairs(10)
    collate = lambda b: (len(b), torch.stack([x for x, _ in b]).sum())
    same(list(DataLoader(ds, 3, collate_fn=collate)), list(TorchLoader(ds, 3, collate_fn=collate)))
    for dl in (DataLoader(ds, 3), TorchLoader(ds, 3)): assert (len(dl), len(dl.dataset), dl.batch_size) == (4, 10, 3)


class Doubled(TensorDataset):
    def __getitem__(self, i): return tuple(2*o for o in super().__getitem__(i))


def test_what_a_dataset_does_to_its_rows_is_done():
    x, y = torch.rand(12, 3), torch.arange(12)
    for ds in (Doubled(x, y), Dataset(x, y, tfm=lambda o: 2*o), [(2*a, b) for a, b in zip(x, y)]):
        assert_close(next(iter(DataLoader(ds, 12)))[0], 2*x)
    ds = Dataset(x, y)
    dl = DataLoader(ds, 4)
    list(dl)
    ds.tfm = lambda o: -o  # the dataset is looked at again in each epoch
    assert_close(next(iter(dl))[0], -x[:4])


@pytest.mark.parametrize("shuffle", [False, True])
def test_writing_into_a_batch_leaves_the_dataset_alone(shuffle):
    ds = pairs(10)
    for xb, yb in DataLoader(ds, 4, shuffle=shuffle, seed=0): xb.zero_(); yb.zero_()
    assert_close(ds.x, pairs(10).x)
    assert_close(ds.y, pairs(10).y)


# ---- order

@few
@given(st.integers(1, 40), st.integers(1, 12), st.integers(0, 2**64 - 1), st.integers(0, 10**6))
def test_each_item_once_an_epoch(n, bs, seed, epoch):
    dl = DataLoader(pairs(n), bs, shuffle=True, seed=seed)
    dl.set_epoch(epoch)
    got = labels(dl)
    assert sorted(sum(got, [])) == list(range(n)) and len(got) == len(dl)
    assert [len(o) for o in got[:-1]] == [bs]*(len(got) - 1)
    for x, y in zip(*map(torch.cat, zip(*dl))): assert x.tolist() == [3*y, 3*y + 1, 3*y + 2]


@few
@given(st.integers(0, 2**40), st.integers(0, 5), st.integers(1, 9), st.integers(0, 3))
def test_order_is_a_function_of_seed_and_epoch(seed, epoch, bs, broken):
    expected = sum([labels(DataLoader(pairs(15), 15, shuffle=True, seed=seed)) for _ in range(1)], [])
    one = DataLoader(pairs(15), bs, shuffle=True, seed=seed)
    for i in range(epoch):  # live through epochs, some of them left early, with draws in between
        for j, _ in enumerate(one):
            torch.rand(i + 1); random.random()
            if i < broken and j == 1: break
    other = DataLoader(pairs(15), bs, shuffle=True, seed=seed)
    other.set_epoch(epoch)
    assert labels(one) == labels(other)
    again = DataLoader(pairs(15), bs, shuffle=True, seed=seed)
    assert sum(labels(again), []) == expected[0]


def test_orders_differ_between_seeds_and_epochs():
    seen = set()
    for seed, epoch in itertools.product(range(12), range(12)):
        dl = DataLoader(pairs(20), 20, shuffle=True, seed=seed)
        dl.set_epoch(epoch)
        seen.add(tuple(labels(dl)[0]))
    assert len(seen) == 144


def test_orders_are_uniform():
    "Each of 6 items comes first about equally often over 3,000 epochs: chi-square with 5 degrees of freedom below its 99.9 % point"
    dl, first = DataLoader(pairs(6), 6, shuffle=True, seed=0), torch.zeros(6)
    for _ in range(3000): first[labels(dl)[0][0]] += 1
    assert ((first - 500)**2/500).sum() < 20.5


def test_seed_comes_from_the_global_generator_once():
    set_seed(1); a = DataLoader(pairs(9), 2, shuffle=True)
    set_seed(1); b = DataLoader(pairs(9), 2, shuffle=True); c = DataLoader(pairs(9), 2, shuffle=True)
    assert a.seed == b.seed != c.seed and labels(a) == labels(b) != labels(c)
    g = torch.Generator().manual_seed(8)
    drawn = int(torch.empty((), dtype=torch.int64).random_(generator=torch.Generator().manual_seed(8)))
    state = torch.get_rng_state()
    assert DataLoader(pairs(9), generator=g).seed == drawn  # as torch's RandomSampler draws its own
    assert labels(DataLoader(pairs(9), 2, True, seed=np.int64(3))) == labels(DataLoader(pairs(9), 2, True, seed=3))
    with pytest.raises(TypeError): DataLoader(pairs(9), seed=1.)
    assert torch.equal(state, torch.get_rng_state())


def noisy(o): return o + torch.rand(()) + random.random() + np.random.rand()


class Raises(list):
    def __getitem__(self, i): torch.rand(3); np.random.rand(); random.random(); return 1/(i - 2)


@pytest.mark.parametrize("make", [
    lambda: DataLoader(pairs(9), 2, shuffle=True, seed=0),
    lambda: DataLoader(pairs(9, noisy), 2, shuffle=True, seed=0),
    lambda: DataLoader(pairs(9), 2, sampler=RandomSampler(range(9)), seed=0),
    lambda: DataLoader(pairs(9), 2, seed=0, collate_fn=lambda b: torch.rand(2)),
    lambda: DataLoader(Raises([0]*5), 2, seed=0),
], ids=["fast", "transform", "sampler", "collate", "raising"])
def test_global_generators_are_left_alone(make):
    def draws(): return torch.rand(2).tolist(), random.random(), np.random.rand()
    dl = make()
    set_seed(3); expected = [draws() for _ in range(3)]
    set_seed(3); got = [draws()]
    try:
        for _ in dl: pass
    except ZeroDivisionError: pass
    got.append(draws())
    got.append(draws())
    assert got == expected


# ---- transforms

def noise(dl): return {int(y): round(float(x[0]), 9) for b in dl for x, y in zip(*b)}


def test_noise_depends_on_seed_epoch_and_index_alone():
    ds = Dataset(torch.zeros(13, 1, dtype=torch.float64), range(13), noisy)
    expected = noise(DataLoader(ds, 1, seed=4))
    assert len(set(expected.values())) == 13
    for bs, shuffle in itertools.product((1, 2, 5, 13, 20), (True, False)):
        set_seed(bs)
        assert noise(DataLoader(ds, bs, shuffle=shuffle, seed=4)) == expected
    assert noise(DataLoader(ds, 3, sampler=[torch.tensor(5), np.int64(7), 9], seed=4)) == {k: expected[k] for k in (5, 7, 9)}
    dl = DataLoader(ds, 4, seed=4)
    epochs = [noise(dl) for _ in range(3)] + [noise(DataLoader(ds, 4, seed=5))]
    assert epochs[0] == expected
    assert all(not set(a.values()) & set(b.values()) for a, b in itertools.combinations(epochs, 2))
    torch_noise = [noise(TorchLoader(ds, 4, sampler=s)) for s in (range(13), range(4, 13)) if torch.manual_seed(0)]
    assert torch_noise[0][4] != torch_noise[1][4]  # the control


# ---- position

MAKERS = {
    "fast": lambda seed: DataLoader(pairs(11), 3, shuffle=True, seed=seed),
    "transform": lambda seed: DataLoader(pairs(11, noisy), 3, shuffle=True, drop_last=True, seed=seed),
    "torch's sampler": lambda seed: DataLoader(pairs(11), 3, sampler=RandomSampler(range(11)), seed=seed),
    "weighted": lambda seed: DataLoader(pairs(11), 3, sampler=WeightedRandomSampler(torch.ones(11), 8), seed=seed),
    "batch sampler": lambda seed: DataLoader(pairs(11), batch_sampler=TorchBatchSampler(RandomSampler(range(11)), 4, False), seed=seed),
    "random collate": lambda seed: DataLoader(pairs(11), 3, seed=seed, collate_fn=lambda b: [torch.rand(2), len(b)]),
    "strings": lambda seed: DataLoader({k: (k, noisy(torch.zeros(1))*0) for k in "abcdefg"}, 2, sampler=list("gfedcba"), seed=seed),
}


@pytest.mark.parametrize("kind", MAKERS)
def test_resume_gives_exactly_what_was_to_come(kind):
    make, whole, states = MAKERS[kind], [], []
    dl = make(6)
    states.append((0, json.dumps(dl.state_dict())))
    for epoch in range(3):
        for batch in dl:
            whole.append(batch)
            states.append((len(whole), json.dumps(dl.state_dict())))
        states.append((len(whole), json.dumps(dl.state_dict())))
        assert dl.state_dict() == dict(seed=6, epoch=epoch + 1, batch=0, order=None)
    for seen, state in states:
        new = make(99)
        torch.rand(3)
        new.load_state_dict(json.loads(state))
        assert new.state_dict() == json.loads(state)
        rest = [b for _ in range(3 - json.loads(state)["epoch"]) for b in new]
        same(rest, whole[seen:])


def test_resume_in_another_process():
    dl = DataLoader(pairs(10, noisy), 3, shuffle=True, seed=2)
    it = iter(dl); next(it); state = json.dumps(dl.state_dict())
    code = ("import json, random, sys, numpy as np, torch\nfrom minitrain.data import *\n"
            "def noisy(o): return o + torch.rand(()) + random.random() + np.random.rand()\n"
            "dl = DataLoader(Dataset(torch.arange(30.).view(10, 3), torch.arange(10), noisy), 3, shuffle=True)\n"
            f"dl.load_state_dict(json.loads({state!r}))\n"
            "print(json.dumps([[o.tolist() for o in b] for b in dl]))")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert json.loads(done.stdout) == [[o.tolist() for o in b] for b in it], done.stderr


def test_the_newest_iterator_has_the_position():
    dl = DataLoader(pairs(9), 2, shuffle=True, seed=0)
    old = iter(dl); next(old); next(old)
    new = iter(dl); next(new)
    position = dl.state_dict()
    assert (position["epoch"], position["batch"]) == (1, 1)
    assert len(list(old)) == 3 and dl.state_dict() == position
    dl.set_epoch(7)
    next(new)
    assert dl.state_dict() == dict(seed=0, epoch=7, batch=0, order=None)


def test_resume_refuses_another_order():
    dl = DataLoader(pairs(9), 2, shuffle=True, seed=0)
    next(iter(dl)); state = dl.state_dict()
    g = torch.Generator().manual_seed(0)
    own = DataLoader(pairs(9), 2, sampler=RandomSampler(range(9), generator=g), seed=0)
    next(iter(own)); own_state = own.state_dict()
    for new, s in ((DataLoader(pairs(10), 2, shuffle=True), state), (DataLoader(pairs(9), 3, shuffle=True), state), (DataLoader(pairs(9), 2), state),
                   (DataLoader(pairs(9), 2, sampler=RandomSampler(range(9), generator=g)), own_state)):
        with pytest.raises(ArgumentError): new.load_state_dict(s)


class Epochs(list):
    epoch = None
    def set_epoch(self, epoch): self.epoch = epoch
    def __iter__(self): return iter([(o + self.epoch) % len(self) for o in range(len(self))])


def test_samplers_that_know_epochs_are_told():
    epochs = Epochs(range(4))
    for kw in (dict(batch_size=4, sampler=epochs), dict(batch_sampler=TorchBatchSampler(epochs, 4, False))):
        dl = DataLoader(pairs(4), **kw, seed=0)
        assert [labels(dl)[0] for _ in range(3)] == [[0, 1, 2, 3], [1, 2, 3, 0], [2, 3, 0, 1]]
    halves = [DataLoader(pairs(8), 4, sampler=DistributedSampler(pairs(8), 2, rank)) for rank in (0, 1)]
    epochs = [sorted(sum([labels(o)[0] for o in halves], [])) for _ in range(3)]
    assert epochs == [list(range(8))]*3 and labels(halves[0]) != labels(halves[0])


# ---- refusals

class Endless(IterableDataset):
    def __iter__(self): return itertools.count()


@pytest.mark.parametrize("kw", [dict(sampler=[0], shuffle=True),
    dict(batch_sampler=[[0]], batch_size=2), dict(batch_sampler=[[0]], shuffle=True),
    dict(batch_sampler=[[0]], sampler=[0]), dict(batch_sampler=[[0]], drop_last=True),
    dict(generator=torch.Generator(), seed=1), dict(batch_size=0)], ids="+".join)
def test_two_answers_to_what_comes_next(kw):
    with pytest.raises(ArgumentError): DataLoader(pairs(3), **kw)


def test_what_can_be_walked_once():
    for ds in (Endless(), iter([1]), (i for i in range(3))):
        with pytest.raises(TypeError): DataLoader(ds)
    with pytest.raises(TypeError): DataLoader(pairs(3), sampler=iter([0]))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="pinned memory needs CUDA")
def test_pin_memory():
    for ds in (pairs(5), [dict(x=torch.zeros(2), s="a")]*5):
        batch = next(iter(DataLoader(ds, 2, pin_memory=True)))
        assert (batch["x"] if isinstance(batch, dict) else batch[0]).is_pinned()


def test_dataset():
    ds = Dataset(np.arange(6.)[::2], [1, 2, 3])
    assert ds.x.tolist() == [0, 2, 4] and len(ds) == 3 and [y for _, y in ds] == [1, 2, 3]
    a = np.zeros(3, np.float32)
    assert Dataset(a, a).x.data_ptr() == a.ctypes.data  # no copy
    a.flags.writeable = False
    assert_close(Dataset(a, a.astype(">f4")).y, torch.zeros(3))
    for x, y in (([1], [1, 2]), (torch.zeros(2), torch.zeros(3))):
        with pytest.raises(ArgumentError): Dataset(x, y)
    with pytest.raises(TypeError): pairs(5, noisy)[:2]  # a transform takes one input


@few
@given(st.permutations(range(6)), st.booleans(), st.sampled_from([None, lambda o: 2*o]))
def test_permuting_an_index_changes_nothing(index, shuffle, tfm):
    "Tables count by position, for x or y or both"
    x, y = np.arange(12.).reshape(6, 2), np.arange(6)
    tables = pd.DataFrame(x, index=index), pd.Series(y, index=index)
    want = list(DataLoader(Dataset(x, y, tfm), 4, shuffle, seed=0))
    for a, b in ((tables[0], tables[1]), (x, tables[1]), (tables[0], y), (torch.tensor(x), tables[1])):
        same(list(DataLoader(Dataset(a, b, tfm), 4, shuffle, seed=0)), want)
    column, named = tables[0][0], pd.Series(list("abcdef"), index=index)
    assert [(float(a), b) for a, b in Dataset(column, named)] == list(zip(x[:, 0], "abcdef"))


# ---- collate

leaves = {
    "int": st.integers(-9, 9), "bool": st.booleans(), "float": st.floats(width=32), "str": st.text(max_size=3), "bytes": st.binary(max_size=3),
    "tensor": st.floats(-9, 9, width=32).map(lambda o: torch.full((2, 1), o)), "int tensor": st.integers(0, 9).map(torch.tensor),
    "array": st.integers(0, 9).map(lambda o: np.full((3,), o, np.int16)), "np float": st.floats(-9, 9, width=32).map(np.float32),
    "np int": st.integers(0, 9).map(np.int64), "np bool": st.booleans().map(np.bool_), "np double": st.floats(-9, 9).map(np.float64),
}
shapes = st.recursive(st.sampled_from(sorted(leaves)), lambda inner: st.one_of(
    st.tuples(st.just("tuple"), st.lists(inner, min_size=1, max_size=3)), st.tuples(st.just("list"), st.lists(inner, min_size=1, max_size=3)),
    st.tuples(st.just("dict"), st.dictionaries(st.sampled_from("abc"), inner, min_size=1)), st.tuples(st.just("ordered"), st.dictionaries(st.sampled_from("abc"), inner)),
    st.tuples(st.just("user"), st.dictionaries(st.sampled_from("abc"), inner)), st.tuples(st.just("pair"), st.tuples(inner, inner))), max_leaves=6)


def item(shape):
    "A strategy for items of a shape"
    if isinstance(shape, str): return leaves[shape]
    kind, parts = shape
    if kind in ("dict", "ordered", "user"):
        return st.fixed_dictionaries({k: item(v) for k, v in parts.items()}).map(dict(dict=dict, ordered=OrderedDict, user=UserDict)[kind])
    return st.tuples(*map(item, parts)).map(dict(tuple=tuple, list=list, pair=lambda o: Pair(*o))[kind])


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_collate_is_torchs(d):
    shape = d.draw(shapes)
    batch = d.draw(st.lists(item(shape), min_size=1, max_size=4))
    same(collate(batch), default_collate(batch))


def collate(items): return next(iter(DataLoader(items, len(items))))


@pytest.mark.parametrize("items", [[torch.zeros(2), torch.zeros(3)], [[1], [1, 2]], [(1,), (1, 2)],
    [{"a": 1}, {"b": 1}], [{"a": 1}, {"a": 1, "b": 2}], [None], [object()], [{1, 2}]])
def test_items_that_make_no_batch(items):
    with pytest.raises((ValueError, TypeError, RuntimeError)): collate(items)


def test_collate_dict_and_inplace():
    class Named(list): features = dict(image=1, label=2)
    ds = Named(dict(label=i, image=torch.full((2,), float(i)), extra="e") for i in range(5))
    for f in (collate_dict(ds), collate_dict(["image", "label"])):
        xb, yb = f(ds[:3])
        assert yb.tolist() == [0, 1, 2] and xb.shape == (3, 2)
        same([f(ds[:2]), f(ds[2:4]), f(ds[4:])], list(DataLoader(ds, 2, collate_fn=f)))
    assert len(collate_dict("label")(ds)) == 1
    @inplace
    def double(b): "Twice"; b["x"] *= 2
    b = dict(x=3)
    assert double(b) is b and b["x"] == 6 and double.__doc__ == "Twice"
    dls = DataLoaders.from_dd(dict(train=ds, test=ds), 2, seed=0)
    assert [len(dls.train), len(dls.valid)] == [3, 2] and isinstance(next(iter(dls.train)), tuple)


def test_get_dls():
    train, valid = get_dls(pairs(10), pairs(5), 4, drop_last=True, seed=3)
    assert (train.batch_size, valid.batch_size, len(train), len(valid)) == (4, 8, 2, 1)
    assert sum(labels(valid), []) == list(range(5)) and labels(train) != labels(train)
    assert DataLoaders(train).valid is None and DataLoaders(train, valid).valid is valid


def test_workers_are_torchs():
    train, valid = get_dls(pairs(10), pairs(5), 4, num_workers=1)
    assert isinstance(train, TorchLoader) and train.num_workers == valid.num_workers == 1
    assert sum(labels(valid), []) == list(range(5)) and sorted(sum(labels(train), [])) == list(range(10))


# ---- the digits

def test_digits():
    d = load_digits()
    assert d.x_train.shape == (3500, 28, 28) and d.x_valid.shape == (500, 28, 28) and d.x_train.dtype == torch.float32 and d.y_train.dtype == torch.int64
    assert d.x_train.min() == 0 and d.x_train.max() == 1
    raw = load_digits(raw=True)
    assert raw.x_train.dtype == torch.uint8
    for y, each in ((d.y_train, 350), (d.y_valid, 50)): assert torch.bincount(y).tolist() == [each]*10
    assert (d.y_train[1:] != d.y_train[:-1]).float().mean() > .8  # in mixed order
    with np.load(ROOT/"minitrain"/"assets"/"digits.npz", allow_pickle=False) as z:
        images, labels = (torch.from_numpy(z[k]) for k in ("images", "labels"))
    assert torch.equal(torch.cat([raw.x_train, raw.x_valid]), images[:4000])
    assert len(images.flatten(1).unique(dim=0)) == 5000 and labels[4000:].bincount().tolist() == [100]*10
    d.x_train.zero_()
    assert load_digits().x_train.max() == 1


def test_digits_file_is_what_its_page_says():
    spec = importlib.util.spec_from_file_location("make_digits", ROOT/"tools"/"make_digits.py")
    make = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(make)
    with np.load(ROOT/"minitrain"/"assets"/"digits.npz", allow_pickle=False) as z: arrays = {k: z[k] for k in z.files}
    page = (ROOT/"minitrain"/"assets"/"digits.md").read_text()
    assert make.content_sha256(arrays) in page and make.MEMBER_SHA256 in page
    few = {k: v[:50] for k, v in arrays.items()}
    assert make.pack(few) == make.pack(few) and sorted(arrays["source_row"]) == list(range(5000))
    # in the source the labels are sorted, 500 of each, so the split can be made again from the rows
    assert (arrays["labels"] == arrays["source_row"]//500).all()
    assert (make.split(np.repeat(np.arange(10), 500)) == arrays["source_row"]).all()
    swapped = dict(arrays, labels=arrays["labels"][::-1])
    assert make.content_sha256(swapped) not in page


# ---- IDX and the download

def idx(a): return struct.pack(f">4B{a.ndim}I", 0, 0, 8, a.ndim, *a.shape) + a.astype(np.uint8).tobytes()


def make_files():
    d = load_digits(raw=True)
    train, test = slice(0, 600), slice(600, 700)
    names = [f"{part}-{what}-ubyte.gz" for part in ("train", "t10k")
             for what in ("images-idx3", "labels-idx1")]
    parts = d.x_train[train], d.y_train[train], d.x_train[test], d.y_train[test]
    return {name: gzip.compress(idx(a.numpy()), mtime=0) for name, a in zip(names, parts)}


FILES = make_files()
BIG = next(iter(FILES))


class Site(BaseHTTPRequestHandler):
    "Serves FILES, with the faults that `site.faults` names, each once or always; notes every request"
    protocol_version = "HTTP/1.1"
    def log_message(self, *args): pass
    def do_GET(self):
        name, site = self.path[1:], self.server
        site.seen.append(name)
        fault = site.faults.pop(0) if site.faults else site.always
        body = FILES.get(name)
        if fault == "missing" or body is None: return self.send_error(404)
        if fault == "truncated": body = body[:len(body)//2]
        if fault == "other": body = bytes(reversed(body))
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if fault == "dropped":
            self.wfile.write(body[:len(body)//3])
            self.wfile.flush()
            self.close_connection = True
        else: self.wfile.write(body)


@pytest.fixture
def site(monkeypatch):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Site)
    server.faults, server.always, server.seen = [], None, []
    threading.Thread(target=server.serve_forever, args=(.02,), daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/"
    # the one seam that has no public name
    monkeypatch.setattr(data, "_MNIST", {k: hashlib.sha256(v).hexdigest() for k, v in FILES.items()})
    monkeypatch.setattr(data, "_MNIST_URL", url)
    for k in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"): monkeypatch.delenv(k, raising=False)
    yield server
    server.shutdown()
    server.server_close()


def names(folder): return sorted(o.name for o in folder.iterdir())


def test_mnist_is_fetched_once(site, tmp_path, capsys):
    d = load_mnist(tmp_path/"new"/"mnist")
    assert [len(o) for o in d] == [500, 500, 100, 100]
    expected = load_digits()
    assert_close(torch.cat([d.x_train, d.x_valid]), expected.x_train[:600])
    assert_close(torch.cat([d.y_train, d.y_valid]), expected.y_train[:600])
    assert names(tmp_path/"new"/"mnist") == sorted(list(FILES)[:2])  # nothing of the test set, nothing temporary
    asked = len(site.seen)
    assert load_mnist(tmp_path/"new"/"mnist", raw=True).x_train.dtype == torch.uint8 and len(site.seen) == asked == 2
    x, y = load_mnist(str(tmp_path/"new"/"mnist"), final=True)
    assert_close(x, expected.x_train[600:700]) or assert_close(y, expected.y_train[600:700])
    out = capsys.readouterr()
    assert out.out == out.err == ""  # piped: quiet


@pytest.mark.parametrize("fault", ["dropped", "missing", "truncated", "other"])
def test_what_goes_wrong_leaves_nothing(site, tmp_path, fault):
    site.faults = [fault]
    with pytest.raises((OSError, ValueError)): load_mnist(tmp_path)
    assert not tmp_path.exists() or names(tmp_path) == []
    load_mnist(tmp_path)
    assert names(tmp_path) == sorted(list(FILES)[:2])


def test_a_damaged_file_is_replaced_or_named(site, tmp_path):
    load_mnist(tmp_path)
    (tmp_path/BIG).write_bytes(FILES[BIG][:-5])
    load_mnist(tmp_path)
    assert (tmp_path/BIG).read_bytes() == FILES[BIG]
    (tmp_path/BIG).write_bytes(FILES[BIG][:-5])
    site.always = "missing"
    with pytest.raises(OSError, match=BIG): load_mnist(tmp_path)


def test_offline(site, tmp_path):
    site.shutdown(); site.server_close()
    with pytest.raises(OSError, match=BIG): load_mnist(tmp_path)
    for name in list(FILES)[:2]: (tmp_path/name).write_bytes(FILES[name])  # put there by hand
    assert len(load_mnist(tmp_path).x_train) == 500


# ---- pictures

@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def test_show_image():
    x = torch.rand(3, 5, 7)
    for im, want in ((x, x.permute(1, 2, 0)), (x[0], x[0]), (x[:1], x[0]), (x.bfloat16(), x.bfloat16().float().permute(1, 2, 0)), (x.requires_grad_(), x.permute(1, 2, 0)),
                     (x.detach().numpy(), x.permute(1, 2, 0)), (x.detach().permute(1, 2, 0).numpy(), x.permute(1, 2, 0)), (x.detach()[0, :, :, None].numpy(), x[0]),
                     ((x.detach()*255).byte(), (x.detach()*255).byte().permute(1, 2, 0)), (torch.rand(4, 4, 3), None), (np.zeros((4, 4, 3)), np.zeros((4, 4, 3)))):
        ax = show_image(im)
        if want is not None: assert_close(torch.as_tensor(np.asarray(ax.images[0].get_array())), torch.as_tensor(want).detach(), check_dtype=False)
    ax = show_image(x[0], figsize=(2, 1), title=torch.tensor(4), noframe=False)
    assert ax.get_title() == "4" and ax.figure.get_size_inches().tolist() == [2, 1] and ax.axison and ax.images[0].get_cmap().name == "gray"
    assert show_image(x[0], ax=ax, cmap="viridis") is ax and ax.images[1].get_cmap().name == "viridis" and not ax.axison


@pytest.mark.parametrize("n", [1, 3, 5, 12])
def test_get_grid(n):
    for kw in ({}, dict(nrows=2), dict(ncols=3), dict(nrows=1)):
        fig, axs = get_grid(n, imsize=.2, title="t", **kw)
        assert [a.get_visible() for a in axs.flat] == [True]*n + [False]*(axs.size - n) and fig.get_suptitle() == "t"
        assert len(fig.axes) == axs.size and axs.size - n < max(axs.shape) + (kw.get("nrows", 0) > n)*axs.size


def test_show_images():
    show_images(torch.rand(5, 1, 4, 4), titles=[1, "b"], imsize=.3)
    shown = [a for a in plt.gcf().axes if a.get_visible()]
    assert len(shown) == 5 and all(len(a.images) == 1 for a in shown) and [a.get_title() for a in shown] == ["1", "b", "", "", ""]


# ---- the stored measurement

def test_stored_bench():
    bench = load_results("data").set_index("way")
    assert bench.attrs["command"].startswith("python bench/data.py") and len(bench) == 6
    assert bench.loc["torch, default", "ratio"] <= .16 and bench.loc["x[j] by hand", "ratio"] <= .5
    assert (bench["low"] <= bench["ratio"]).all() and (bench["ratio"] <= bench["high"]).all()
