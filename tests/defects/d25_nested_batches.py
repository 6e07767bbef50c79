"""Defect 25 of miniai: to_device and to_cpu fail on namedtuples, strings, nested dicts, ints and None."""
from collections import namedtuple

import torch
from torch import nn

from minitrain.callbacks import DeviceCB
from minitrain.core import to_cpu, to_device
from minitrain.learner import Callback, CancelFitException, Learner, TrainCB
from minitrain.predict import get_preds

Pair = namedtuple("Pair", "image label")


class faulty:
    @staticmethod
    def to_device(x, device="cpu"):
        if isinstance(x, torch.Tensor): return x.to(device)
        if isinstance(x, dict): return {k: v.to(device) for k, v in x.items()}
        return type(x)([faulty.to_device(o, device) for o in x])

    @staticmethod
    def to_cpu(x):
        if isinstance(x, dict): return {k: faulty.to_cpu(v) for k, v in x.items()}
        if isinstance(x, list): return [faulty.to_cpu(o) for o in x]
        if isinstance(x, tuple): return tuple(faulty.to_cpu(list(x)))
        return x.detach().cpu()


class ours:
    to_device, to_cpu = staticmethod(to_device), staticmethod(to_cpu)


def check(subject):
    t = torch.ones(2, requires_grad=True)
    batches = [Pair(t, {"deep": {"x": [t]}}), {"files": ["a.png", "b.png"], "x": t}, (t, None), (t, 3), [t, "name", (t, {"y": None})], "text", 7, None]
    for batch in batches:
        for name, move in (("to_device", lambda b: subject.to_device(b, "meta")), ("to_cpu", subject.to_cpu)):
            try: got = move(batch)
            except Exception as e: raise AssertionError(f"{name} fails on {type(batch).__name__}: {e!r}") from None
            assert type(got) is type(batch), f"{name} makes a {type(got).__name__} of a {type(batch).__name__}"
            assert same(got, batch, (lambda o: o.is_meta) if name == "to_device" else (lambda o: not o.requires_grad)), f"{name}: {got} of {batch}"
    if subject is ours: in_a_learner()


def same(got, was, moved):
    "The same nesting; tensors moved, all else equal"
    if isinstance(was, torch.Tensor): return moved(got)
    if isinstance(was, dict): return got.keys() == was.keys() and all(same(got[k], was[k], moved) for k in was)
    if isinstance(was, (list, tuple)): return type(got) is type(was) and len(got) == len(was) and all(same(a, b, moved) for a, b in zip(got, was))
    return got == was


def in_a_learner():
    "The callback moves such batches, and predictions come back from them"
    seen = []
    class See(Callback):
        order = 1
        def before_batch(self, learn): seen.append(learn.batch); raise CancelFitException()
    batch = (Pair(torch.ones(2, 3), {"deep": [None, "text"]}), 7)
    Learner(nn.Linear(3, 1), ([batch], None), cbs=[TrainCB(), DeviceCB("meta"), See()]).fit(1)
    assert same(seen[0], batch, lambda o: o.is_meta)
    pairs = [Pair(torch.ones(2, 3), ["a", "b"]), Pair(torch.ones(1, 3), ["c"])]
    preds, names = get_preds(Learner(nn.Linear(3, 1), (pairs, None), cbs=[TrainCB(), DeviceCB("cpu")]), pairs)
    assert preds.shape == (3, 1) and names == ["a", "b", "c"]
