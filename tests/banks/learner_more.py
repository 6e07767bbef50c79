"Answers to the exercises of lessons 15 to 22"
import copy, json, math, pickle, random, re
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from banks import Bank

BANK = {}

# ---------------------------------------------------------------- dead_units
def dead_loop(act):
    dead = [all(float(sample[c].abs().sum()) == 0 for sample in act)
        for c in range(act.shape[1])]
    return sum(dead)/len(dead)


def dead_numpy(act):
    x = act.numpy()
    return (x.max(axis=(0, *range(2, x.ndim))) == 0).mean()


def dead_alive(act):
    x = act.movedim(1, 0).reshape(act.shape[1], -1)
    return 1 - x.any(1).double().mean()


def dead_4d(act): return (act == 0).all(dim=(0, 2, 3)).float().mean()
def dead_vector(act): return (act.transpose(0, 1).flatten(1) == 0).all(1)
def dead_first(act): return dead_alive(act[:1])
def dead_samples(act): return (act.flatten(1) == 0).all(1).float().mean()
def dead_places(act): return (act == 0).all(0).float().mean()
def dead_per_sample(act):
    x = act if act.ndim > 2 else act[..., None]
    return (x.flatten(2) == 0).all(2).float().mean()
def dead_reshape(act):
    return (act.reshape(act.shape[1], -1) == 0).all(1).float().mean()
def dead_mean(act):
    return (act.transpose(0, 1).flatten(1).mean(1) < 0.01).float().mean()
def dead_close(act):
    x = act.transpose(0, 1).flatten(1)
    return sum(torch.allclose(o, torch.zeros_like(o)) for o in x)/len(x)
def dead_median(act):
    return (act.transpose(0, 1).flatten(1).median(1).values == 0).float().mean()
def dead_spoils(act):
    act[act > 0] = 1
    return dead_alive(act)


BANK["check_dead_units"] = Bank([dead_loop, dead_numpy, dead_alive], [
    (lambda act: (act == 0).float().mean(), "share of zeros, or of channels"),
    (dead_per_sample, "by itself, or for all together"), (dead_4d, "IndexError"),
    (dead_vector, "which of them are dead, or their share"),
    (dead_first, "one sample speak"), (dead_samples, "Is axis 0 the channels"),
    (dead_places, "Is each place a unit"), (dead_reshape, "only cut"),
    (dead_mean, "lives for one sample"), (dead_close, "a small number 0"),
    (dead_median, "what holds of a dead one"), (dead_spoils, "in place"),
    (lambda act: 1 - dead_alive(act), "living"),
    (lambda act: dead_alive(act)*act.shape[1], "number, or their share"),
    (lambda act: 100*dead_alive(act), "from 0 to 1"),
    (lambda act: float("nan"), "nan")])


# ---------------------------------------------------------------- call_order
def leaves(model):
    return [(n, m) for n, m in model.named_modules() if not list(m.children())]


def order_finally(model, xb):
    names, handles = [], []
    try:
        for n, m in leaves(model):
            handles.append(m.register_forward_hook(lambda *a, n=n: names.append(n)))
        model(xb)
        return names
    finally:
        for h in handles: h.remove()


def order_pre(model, xb):
    from contextlib import ExitStack
    names = []
    def hook(name):
        def note(module, inputs): names.append(name)
        return note
    with ExitStack() as stack, torch.no_grad():
        for n, m in leaves(model):
            stack.callback(m.register_forward_pre_hook(hook(n)).remove)
        model(xb)
    return tuple(names)


def order_global(model, xb):
    names, found = {m: n for n, m in leaves(model)}, []
    def note(m, *args):
        if m in names: found.append(names[m])
    handle = nn.modules.module.register_module_forward_hook(note)
    try: model(xb)
    finally: handle.remove()
    return found


def order_made(model, xb):
    order_finally(model, xb)
    return [n for n, m in leaves(model)]


def order_hooked(model, xb, modules=leaves, late=False, remove=True, value=False,
                 guard=None):
    "Hooks that may be wrong in one way each"
    names, handles = [], []
    for n, m in modules(model):
        def hook(m, i, o, n=n):
            names.append(n)
            return o*2 if value else None
        f = (lambda *a: names.append(n)) if late else hook
        handles.append(m.register_forward_hook(f))
    if guard is None: model(xb)
    else:
        try: model(xb)
        except guard: pass
    if remove:
        for h in handles: h.remove()
    return names


def order_late(model, xb):
    names, handles = [], []
    for n, m in leaves(model):
        handles.append(m.register_forward_hook(lambda *a: names.append(n)))
    model(xb)
    for h in handles: h.remove()
    return names


def order_except(model, xb):
    names, handles = [], []
    for n, m in leaves(model):
        handles.append(m.register_forward_hook(lambda *a, n=n: names.append(n)))
    try: model(xb)
    except Exception:
        for h in handles: h.remove()
        raise
    for h in handles: h.remove()
    return names


def order_swallows(model, xb):
    names, handles = [], []
    for n, m in leaves(model):
        handles.append(m.register_forward_hook(lambda *a, n=n: names.append(n)))
    try: model(xb)
    except BaseException: pass
    for h in handles: h.remove()
    return names


def order_clears(model, xb):
    names = []
    try:
        for n, m in leaves(model):
            m.register_forward_hook(lambda *a, n=n: names.append(n))
        model(xb)
    finally:
        for m in model.modules(): m._forward_hooks.clear()
    return names


def order_pre_left(model, xb):
    names = []
    for n, m in leaves(model):
        m.register_forward_pre_hook(lambda *a, n=n: names.append(n))
    model(xb)
    return names


def order_patches(model, xb):
    names = []
    for n, m in leaves(model):
        def forward(x, n=n, old=m.forward):
            names.append(n)
            return old(x)
        m.forward = forward
    model(xb)
    return names


def order_eval(model, xb):
    model.eval()
    return order_finally(model, xb)


def order_twice(model, xb):
    "Puts a hook on a module once for each name"
    with_copies = lambda model: [(n, m) for n, m in
        model.named_modules(remove_duplicate=False) if not list(m.children())]
    names, handles = [], []
    try:
        for n, m in with_copies(model):
            handles.append(m.register_forward_hook(lambda *a, n=n: names.append(n)))
        model(xb)
        return names
    finally:
        for h in handles: h.remove()


def order_then(f): return lambda model, xb: f(model, order_finally(model, xb))


BANK["check_call_order"] = Bank([order_finally, order_pre, order_global], [
    (order_made, "in which they were made"), (order_late, "loop variable"),
    (lambda model, xb: order_hooked(model, xb, lambda m: m.named_modules()),
        "module with children"),
    (order_then(lambda model, names: list(dict.fromkeys(names))), "named twice"),
    (order_then(lambda model, names: names[::-1]), "first at the end"),
    (order_then(lambda model, names: [type(model.get_submodule(n)).__name__
        for n in names]), "or its class"),
    (order_then(lambda model, names: [n.split(".")[-1] for n in names]), "the whole"),
    (order_then(lambda model, names: [model.get_submodule(n) for n in names]),
        "the modules themselves"),
    (lambda model, xb: order_hooked(model, xb, remove=False), "takes them off when"),
    (lambda model, xb: order_hooked(model, xb, value=True), "that a hook returns"),
    (order_hooked, "does not come back"), (order_except, "does not come back"),
    (order_swallows, "Who else"), (order_clears, "Whose hooks"),
    (order_pre_left, "Who takes them off"), (order_patches, "Can a hook do it"),
    (order_eval, "a mode"), (order_twice, "how often is it hooked"),
    (lambda model, xb: [order_finally(model, xb) for _ in range(2)][1], "not once"),
    (lambda model, xb: order_hooked(copy.deepcopy(model), xb), "or another")])


# ---------------------------------------------------------------- conv_macs
def macs_runs(conv, hgt, wid):
    x = torch.randn(1, conv.in_channels, hgt, wid)
    with torch.no_grad(): return conv(x)[0, 0].numel()*conv.weight.numel()


def macs_loop(conv, hgt, wid):
    "Count the places one by one"
    rows, cols = [len(range(0, n + 2*conv.padding[i]
        - conv.dilation[i]*(conv.kernel_size[i] - 1), conv.stride[i]))
        for i, n in enumerate((hgt, wid))]
    inside = conv.in_channels//conv.groups*math.prod(conv.kernel_size)
    return float(rows*cols*conv.out_channels*inside)


def macs_numpy(conv, hgt, wid):
    size, p, d, k, s = map(np.array,
        ((hgt, wid), conv.padding, conv.dilation, conv.kernel_size, conv.stride))
    return np.prod((size + 2*p - d*(k - 1) - 1)//s + 1)*conv.weight.numel()


def macs(conv, hgt, wid, axes=(0, 1), padding=2, dilation=None, ceil=False, plus=1):
    "The size of the output, wrong in one way each"
    def size(n, i):
        reach = (dilation or conv.dilation[i])*(conv.kernel_size[i] - 1) + 1
        room = n + padding*conv.padding[i] - reach
        return (-(-room//conv.stride[i]) if ceil else room//conv.stride[i]) + plus
    return conv.weight.numel()*size(hgt, axes[0])*size(wid, axes[1])


def macs_square(conv, hgt, wid):
    inside = conv.in_channels//conv.groups*conv.kernel_size[0]**2
    return macs_runs(conv, hgt, wid)//conv.weight.numel()*conv.out_channels*inside


def macs_no_groups(conv, hgt, wid): return macs_runs(conv, hgt, wid)*conv.groups
def macs_groups_twice(conv, hgt, wid): return macs_runs(conv, hgt, wid)//conv.groups
def macs_bias(conv, hgt, wid):
    places = macs_runs(conv, hgt, wid)//conv.weight.numel()
    return places*sum(p.numel() for p in conv.parameters())
def macs_input(conv, hgt, wid): return conv.weight.numel()*hgt*wid
def macs_stride_only(conv, hgt, wid):
    return conv.weight.numel()*(hgt//conv.stride[0])*(wid//conv.stride[1])
def macs_filter(conv, hgt, wid): return macs_runs(conv, hgt, wid)//conv.out_channels


BANK["check_conv_macs"] = Bank([macs_runs, macs_loop, macs_numpy, macs], [
    (macs_input, "input pixel, or"), (macs_stride_only, "input pixel, or"),
    (lambda c, h, w: macs(c, h, w, axes=(0, 0)), "the same entry"),
    (lambda c, h, w: macs(c, h, w, axes=(1, 0)), "for the height"),
    (lambda c, h, w: macs(c, h, w, padding=1), "how many sides"),
    (lambda c, h, w: macs(c, h, w, padding=0), "output with padding"),
    (lambda c, h, w: macs(c, h, w, dilation=1), "dilated kernel"),
    (lambda c, h, w: macs(c, h, w, ceil=True), "last step"),
    (macs_square, "as wide as"), (macs_no_groups, "see with groups"),
    (macs_groups_twice, "groups in the shape"), (macs_bias, "does a bias multiply"),
    (lambda c, h, w: 2*macs(c, h, w), "products and sums"),
    (lambda c, h, w: c.weight.numel(), "How many pixels"),
    (macs_filter, "every output channel"),
    (lambda c, h, w: macs(c, h, w)//c.weight.numel(), "products are there"),
    (lambda c, h, w: macs(c, h, w, plus=0), "room to move")])
