"Answers to the exercises of lessons 15 to 22"
import copy, json, math, pickle, random, re
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from banks import Bank

BANK = {}

# --------------------------------------------------------------- kept_signal
BANK["check_kept_signal"] = Bank(
    right=[2.94, 2.9, np.float32(2.95), torch.tensor(3.0)],
    wrong=[
        (2.2, "still vary less"),  # the factor it starts with
        (2.45, "still vary less"),  # sqrt(6), lesson 18's for layers without a border
        (2.8, "still vary less"), (1, "still vary less"), (-2.94, "still vary less"),
        (0.34, "still vary less"),  # the deviation
        (3.1, "vary more"), (3.5, "vary more"), (29.4, "vary more"),
        ("three", "is no number"), ([2.94, 3.0], "is no number")])


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
def order_leaves(model):
    return [(n, m) for n, m in model.named_modules() if not list(m.children())]


def order_finally(model, xb):
    names, handles = [], []
    try:
        for n, m in order_leaves(model):
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
        for n, m in order_leaves(model):
            stack.callback(m.register_forward_pre_hook(hook(n)).remove)
        model(xb)
    return tuple(names)


def order_global(model, xb):
    names, found = {m: n for n, m in order_leaves(model)}, []
    def note(m, *args):
        if m in names: found.append(names[m])
    handle = nn.modules.module.register_module_forward_hook(note)
    try: model(xb)
    finally: handle.remove()
    return found


def order_made(model, xb):
    order_finally(model, xb)
    return [n for n, m in order_leaves(model)]


def order_hooked(model, xb, modules=order_leaves, remove=True, value=False):
    "Hooks on some modules, perhaps left, perhaps with a value of their own"
    names, handles = [], []
    for n, m in modules(model):
        def hook(m, i, o, n=n):
            names.append(n)
            return o*2 if value else None
        handles.append(m.register_forward_hook(hook))
    model(xb)
    if remove:
        for h in handles: h.remove()
    return names


def order_late(model, xb):
    names, handles = [], []
    for n, m in order_leaves(model):
        handles.append(m.register_forward_hook(lambda *a: names.append(n)))
    model(xb)
    for h in handles: h.remove()
    return names


def order_except(model, xb):
    names, handles = [], []
    for n, m in order_leaves(model):
        handles.append(m.register_forward_hook(lambda *a, n=n: names.append(n)))
    try: model(xb)
    except Exception:
        for h in handles: h.remove()
        raise
    for h in handles: h.remove()
    return names


def order_swallows(model, xb):
    names, handles = [], []
    for n, m in order_leaves(model):
        handles.append(m.register_forward_hook(lambda *a, n=n: names.append(n)))
    try: model(xb)
    except BaseException: pass
    for h in handles: h.remove()
    return names


def order_clears(model, xb):
    names = []
    try:
        for n, m in order_leaves(model):
            m.register_forward_hook(lambda *a, n=n: names.append(n))
        model(xb)
    finally:
        for m in model.modules(): m._forward_hooks.clear()
    return names


def order_pre_left(model, xb):
    names = []
    for n, m in order_leaves(model):
        m.register_forward_pre_hook(lambda *a, n=n: names.append(n))
    model(xb)
    return names


def order_patches(model, xb):
    names = []
    for n, m in order_leaves(model):
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


def macs_but(conv, hgt, wid, axes=(0, 1), padding=2, dilation=None, ceil=False, plus=1):
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


BANK["check_conv_macs"] = Bank([macs_runs, macs_loop, macs_numpy, macs_but], [
    (macs_input, "input pixel, or"), (macs_stride_only, "input pixel, or"),
    (lambda c, h, w: macs_but(c, h, w, axes=(0, 0)), "the same entry"),
    (lambda c, h, w: macs_but(c, h, w, axes=(1, 0)), "for the height"),
    (lambda c, h, w: macs_but(c, h, w, padding=1), "how many sides"),
    (lambda c, h, w: macs_but(c, h, w, padding=0), "output with padding"),
    (lambda c, h, w: macs_but(c, h, w, dilation=1), "dilated kernel"),
    (lambda c, h, w: macs_but(c, h, w, ceil=True), "last step"),
    (macs_square, "as wide as"), (macs_no_groups, "see with groups"),
    (macs_groups_twice, "groups in the shape"), (macs_bias, "does a bias multiply"),
    (lambda c, h, w: 2*macs_but(c, h, w), "products and sums"),
    (lambda c, h, w: c.weight.numel(), "How many pixels"),
    (macs_filter, "every output channel"),
    (lambda c, h, w: macs_but(c, h, w)//c.weight.numel(), "products are there"),
    (lambda c, h, w: macs_but(c, h, w, plus=0), "room to move")])


# ------------------------------------------------------------ overflow_factor
BANK["check_overflow_factor"] = Bank(
    right=[78, 77.5, np.int64(79), torch.tensor(75.)],
    wrong=[
        (26, "one behind"), (36, "one behind"), (10, "one behind"), (70, "one behind"),
        (4, "one behind"), (-78, "one behind"),
        (100, "smaller factor already"), (360, "smaller factor already"),
        ("4", "one behind"), ("large", "is no number"), ([78, 79], "is no number")])


# ---------------------------------------------------------------- gain
def gain_normal(n=400_000):
    return torch.randn(n, generator=torch.Generator().manual_seed(5))


def gain_numpy(f):
    z = np.random.default_rng(3).standard_normal(400_000)
    return np.mean(f(torch.from_numpy(z)).numpy()**2)**-0.5


def gain_integral(f):
    z = torch.linspace(-9, 9, 5001)
    w = torch.exp(-z**2/2)
    return ((w*f(z)**2).sum()/w.sum()).rsqrt()


def gain_global(f): return f(torch.randn(1000, 400)).pow(2).mean()**-0.5


def gain_slope(f):
    z = gain_normal().requires_grad_()
    f(z).sum().backward()
    return z.grad.square().mean()**-0.5


def gain_uniform(f): return f(torch.linspace(-1, 1, 10_001)).square().mean()**-0.5


BANK["check_gain"] = Bank([gain_numpy, gain_integral, gain_global], [
    (lambda f: 1/f(gain_normal()).std(), "variance, or the mean of the square"),
    (lambda f: f(gain_normal()).square().mean()**0.5, "has to undo"),
    (lambda f: 1/f(gain_normal()).square().mean(), "is the inverse"),
    (lambda f: f(gain_normal()).square().mean(), "What makes it 1"),
    (lambda f: 1/f(gain_normal()).abs().mean(), "mean absolute"),
    (lambda f: 1/f(gain_normal()).mean(), "before the mean, or after"),
    (gain_slope, "or its slope"), (gain_uniform, "evenly, or normally"),
    (lambda f: 2**0.5, "Is ReLU the"),
    (lambda f: f(gain_normal(30)).square().mean()**-0.5, "enough of them"),
    (lambda f: nn.init.calculate_gain(f.__name__), "raised"),
    (lambda f: {F.relu: 2**0.5}.get(f, 1.), "Over which"),
    (lambda f: 1/f(torch.zeros(3)).square().mean().sqrt(), "enough of them")])


# ---------------------------------------------------------------- block_share
BANK["check_block_share"] = Bank(
    right=[0.3, np.float32(0.3), torch.tensor(0.3)],
    wrong=[
        (0, "little more of the block"), (0.1, "little more of the block"),
        (0.2, "little more of the block"), (-0.3, "little more of the block"),
        (0.4, "little less of the block"), (0.5, "little less of the block"),
        (1, "little less of the block"), (30, "little less of the block"),
        ("a third", "is no number"), ([0.3, 0.4], "is no number")])


# ---------------------------------------------------------------- quiet
def quiet_batch_norm(block):
    "The last convolution, or the scale of the BatchNorm after it"
    part = block.convs[1]
    if len(part) == 2: part[1].weight.data.zero_()
    else:
        with torch.no_grad():
            part[0].weight.fill_(0)
            part[0].bias.fill_(0)


def quiet_conv(block):
    "The last convolution in any case; BatchNorm makes nothing of nothing"
    conv = block.convs[-1][0]
    nn.init.zeros_(conv.weight)
    if conv.bias is not None: nn.init.zeros_(conv.bias)
    return block


def quiet_last(block):
    for p in list(block.convs[-1].children())[-1].parameters(): p.data *= 0


def quiet_all(block):
    for p in block.convs.parameters(): nn.init.zeros_(p)


def quiet_all_constant(block):
    for p in block.convs[0].parameters(): nn.init.constant_(p, 0.1)
    quiet_last(block)


def quiet_both(block):
    for p in block.convs[-1].parameters(): nn.init.zeros_(p)


def quiet_weight(block): nn.init.zeros_(block.convs[-1][0].weight)
def quiet_norm_only(block):
    for m in block.convs.modules():
        if isinstance(m, nn.BatchNorm2d): nn.init.zeros_(m.weight)
def quiet_first(block):
    for p in block.convs[0].parameters(): nn.init.zeros_(p)
def quiet_small(block):
    with torch.no_grad():
        for p in block.convs[-1].parameters(): p.mul_(1e-3)
def quiet_frozen(block):
    quiet_last(block)
    for p in block.convs[-1].parameters(): p.requires_grad_(False)
def quiet_frozen_first(block):
    quiet_last(block)
    block.convs[0].requires_grad_(False)
def quiet_removed(block): block.convs = nn.Sequential()
def quiet_forward(block):
    block.forward = lambda x: block.act(block.idconv(block.pool(x)))
def quiet_hook(block):
    block.convs.register_forward_hook(lambda m, i, o: o*0)
def quiet_everything(block):
    for p in block.parameters(): nn.init.zeros_(p)
def quiet_eval(block):
    quiet_last(block)
    block.eval()
def quiet_shortcut(block):
    for p in block.idconv.parameters(): nn.init.zeros_(p)


BANK["check_quiet"] = Bank([quiet_batch_norm, quiet_conv, quiet_last], [
    (quiet_all, "last layer only"), (quiet_all_constant, "last layer only"),
    (quiet_both, "the other factor is 0 too"), (quiet_weight, "It has a bias"),
    (quiet_norm_only, "must the last convolution"), (quiet_first, "last convolution"),
    (quiet_small, "last convolution"), (quiet_frozen, "is frozen"),
    (quiet_frozen_first, "is frozen"), (quiet_removed, "only changes the numbers"),
    (quiet_forward, "only changes the numbers"), (quiet_everything, "shortcut itself"),
    (quiet_hook, "other factor|only changes the numbers"),
    (quiet_eval, "only changes the numbers"), (quiet_shortcut, "shortcut itself"),
    (lambda block: block, "last convolution")])


# ---------------------------------------------------------------- fold
def fold_new(conv, bn):
    one = nn.Conv2d(conv.in_channels, conv.out_channels, conv.kernel_size, conv.stride,
        conv.padding, conv.dilation, conv.groups)
    s = (bn.weight/torch.sqrt(bn.running_var + bn.eps)).detach()
    one.weight.data = s.view(-1, 1, 1, 1)*conv.weight.detach()
    b = torch.zeros_like(s) if conv.bias is None else conv.bias.detach()
    one.bias.data = (b - bn.running_mean)*s + bn.bias.detach()
    return one


def fold_loop(conv, bn):
    "One channel at a time, in NumPy"
    one = copy.deepcopy(conv)
    n = conv.out_channels
    array = lambda o: o.detach().double().numpy().copy()
    w, g, beta = map(array, (conv.weight, bn.weight, bn.bias))
    m, v = map(array, (bn.running_mean, bn.running_var))
    bias = np.zeros(n) if conv.bias is None else array(conv.bias)
    for c in range(n):
        s = g[c]/math.sqrt(v[c] + bn.eps)
        w[c], bias[c] = w[c]*s, beta[c] + s*(bias[c] - m[c])
    one.weight = nn.Parameter(torch.from_numpy(w).float())
    one.bias = nn.Parameter(torch.from_numpy(bias).float())
    return one


def fold_double(conv, bn): return fold_new(conv, bn).double()


def fold_but(scale=lambda bn: bn.weight/(bn.running_var + bn.eps).sqrt(),
           bias=lambda s, b, bn: bn.bias + s*(b - bn.running_mean), axis=0, **settings):
    "An answer that is wrong in one way"
    def answer(conv, bn):
        names = "stride", "padding", "dilation", "groups"
        kept = {k: getattr(conv, k) for k in names}
        kept = {k: v for k, v in {**kept, **settings}.items() if v is not None}
        one = nn.Conv2d(conv.in_channels, conv.out_channels, conv.kernel_size, **kept)
        with torch.no_grad():
            s = scale(bn)
            shape = [1]*4
            shape[axis] = -1
            one.weight.copy_(conv.weight*s.reshape(shape))
            one.bias.copy_(bias(s, 0 if conv.bias is None else conv.bias, bn))
        return one
    return answer


def fold_in_place(conv, bn):
    one = fold_new(conv, bn)
    conv.weight.data, conv.bias = one.weight.data, one.bias
    return conv


def fold_leaves_bias(conv, bn):
    one = copy.deepcopy(conv)
    one.weight.data = fold_new(conv, bn).weight.data
    if one.bias is not None: one.bias.data = fold_new(conv, bn).bias.data
    return one


BANK["check_fold"] = Bank([fold_new, fold_loop, fold_double, fold_but()], [
    (fold_but(lambda bn: bn.weight/bn.running_var.sqrt()), "the BatchNorm's eps"),
    (fold_but(lambda bn: bn.weight/(bn.running_var.sqrt() + bn.eps)), "eps inside"),
    (fold_but(lambda bn: bn.weight/(bn.running_var + 1e-5).sqrt()), "eps|black"),
    (fold_but(lambda bn: bn.weight/(bn.running_var + bn.eps)), "by its root"),
    (fold_but(lambda bn: (bn.running_var + bn.eps).rsqrt()), "scale .its weight. gone"),
    (fold_but(bias=lambda s, b, bn: s*(b - bn.running_mean)), "shift .its bias. gone"),
    (fold_but(bias=lambda s, b, bn: bn.bias + s*b), "Where has the running mean"),
    (fold_but(bias=lambda s, b, bn: bn.bias + s*b - bn.running_mean), "scaled too"),
    (fold_but(bias=lambda s, b, bn: bn.bias + s*(b + bn.running_mean)), "added, or"),
    (fold_but(bias=lambda s, b, bn: bn.bias - s*bn.running_mean), "own bias gone"),
    (fold_but(bias=lambda s, b, bn: bn.bias + b - s*bn.running_mean), "own bias too"),
    (fold_but(bias=lambda s, b, bn: bn.bias + b - bn.running_mean), "left of the bias"),
    (fold_but(bias=lambda s, b, bn: bn.bias), "all that is left"),
    (fold_but(axis=1), "raised RuntimeError.*groups and a bias"),
    (fold_but(axis=2), "raised RuntimeError"), (fold_but(stride=None), "Its stride"),
    (fold_but(padding=None), "Its padding"), (fold_but(dilation=None), "Its dilation"),
    (fold_but(groups=None), "groups"), (fold_in_place, "Make a new one"),
    (fold_leaves_bias, "Where do the running mean"),
    (lambda conv, bn: nn.Sequential(conv, bn), "two modules be one"),
    (lambda conv, bn: copy.deepcopy(conv), "no bias|as it was"),
    (lambda conv, bn: conv, "was given")])


# ---------------------------------------------------------------- rotation
def rotation_by(degrees, ratio, signs=(-1, 1), radians=math.radians):
    "The matrix that turns by an angle; ratio is height by width"
    c, s = math.cos(radians(degrees)), math.sin(radians(degrees))
    return torch.tensor([[c, signs[0]*s*ratio, 0], [signs[1]*s/ratio, c, 0]])


def rotation_numpy(degrees, hgt, wid):
    a = np.deg2rad(degrees)
    turn = np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]])
    half = np.diag([wid/2, hgt/2])  # pixels in a unit
    return np.hstack([np.linalg.inv(half) @ turn @ half, np.zeros((2, 1))])


def rotation_list(degrees, hgt, wid):
    a = degrees/180*math.pi
    c, s = math.cos(a), math.sin(a)
    return [[c, -s*hgt/wid, 0], [s*wid/hgt, c, 0]]


def rotation_float(degrees, hgt, wid): return rotation_by(degrees, hgt/wid).float()
def rotation_shifted(degrees, hgt, wid):
    theta = rotation_by(degrees, hgt/wid)
    theta[:, 2] = torch.tensor([0.1, 0])
    return theta
def rotation_one_entry(degrees, hgt, wid):
    theta = rotation_by(degrees, hgt/wid)
    theta[1, 0] = rotation_by(degrees, wid/hgt)[1, 0]
    return theta
def rotation_scaled(degrees, hgt, wid):
    return rotation_by(degrees, 1)*torch.tensor([[hgt/wid], [1.]])


BANK["check_rotation"] = Bank([rotation_numpy, rotation_list, rotation_float], [
    (lambda d, h, w: rotation_by(d, 1), "How many pixels is 1"),
    (lambda d, h, w: rotation_by(d, w/h), "Which side is divided"),
    (lambda d, h, w: rotation_by(d, h/w, (1, -1)), "does it turn, if"),
    (lambda d, h, w: rotation_by(d, w/h, (1, -1)), "direction alone, or also"),
    (lambda d, h, w: rotation_by(d, 1, (1, -1)), "does it turn, and how"),
    (lambda d, h, w: rotation_by(d, h/w, (1, 1)), "One pixel|one pixel"),
    (lambda d, h, w: rotation_by(d, h/w, radians=float), "degrees or radians"),
    (lambda d, h, w: rotation_by(d, (h - 1)/(w - 1)), "align_corners"),
    (lambda d, h, w: rotation_by(d, h/w)[:, :2], "centre"),
    (rotation_one_entry, "Whose sides"), (rotation_shifted, "column moves"),
    (rotation_scaled, "step of one pixel"),
    (lambda d, h, w: torch.eye(3)[:2]*d/d, "step of one pixel"),
    (lambda d, h, w: rotation_by(d, h/w)*torch.nan, "nan")])


# ---------------------------------------------------------------- turned_too_far
BANK["check_turned_too_far"] = Bank(
    right=[30, 25, np.float64(29.), torch.tensor(30)],
    wrong=[
        (10, "misread so many there"), (12, "misread so many there"),
        (20, "misread so many there"), (-30, "misread so many there"),
        (40, "at a smaller angle"), (60, "at a smaller angle"),
        (180, "at a smaller angle"), ("far", "is no number"), ([30], "is no number")])


# ---------------------------------------------------------------- cutmix
def cut(n, lam): return int(n*(1 - lam)**0.5)


def cutmix_of(x, y, lam, j=None, k=None, size=None, place=None, share=None):
    "CutMix with partners j, targets' partners k, and a patch of its own"
    b, hgt, wid = x.shape
    j = torch.randperm(b) if j is None else j
    k = j if k is None else k
    h, w = size or (cut(hgt, lam), cut(wid, lam))
    top, left = place or (int(torch.randint(hgt - h + 1, ())),
        int(torch.randint(wid - w + 1, ())))
    out, rows = x.clone(), torch.eye(10)[y]
    out[:, top:top + h, left:left + w] = x[j][:, top:top + h, left:left + w]
    share = 1 - h*w/(hgt*wid) if share is None else share
    return out, share*rows + (1 - share)*rows[k]


def cutmix_mask(x, y, lam):
    "Random numbers sorted, and a mask in place of slices"
    b, hgt, wid = x.shape
    h, w, j = cut(hgt, lam), cut(wid, lam), torch.rand(b).argsort()
    top = (torch.rand(())*(hgt - h + 1)).long()
    left = (torch.rand(())*(wid - w + 1)).long()
    row, column = torch.arange(hgt)[:, None], torch.arange(wid)
    mask = (row >= top) & (row < top + h) & (column >= left) & (column < left + w)
    rows = F.one_hot(y, num_classes=10).double()
    return [torch.where(mask, x[j], x), torch.lerp(rows, rows[j], mask.double().mean())]


def cutmix_numpy(x, y, lam):
    b, hgt, wid = x.shape
    h, w, j = cut(hgt, lam), cut(wid, lam), torch.randperm(b).numpy()
    top, left = torch.randint(hgt - h + 1, ()), torch.randint(wid - w + 1, ())
    a, rows = x.numpy().copy(), np.eye(10)[y.numpy()]
    patch = np.s_[:, top:top + h, left:left + w]
    a[patch] = a[j][patch]
    return a, rows + (rows[j] - rows)*(h*w/(hgt*wid))


def cutmix_clipped(x, y, lam):
    "As in the paper's code: the middle anywhere, what sticks out is cut off"
    b, hgt, wid = x.shape
    h, w, j = cut(hgt, lam), cut(wid, lam), torch.randperm(b)
    cy, cx = int(torch.randint(hgt, ())), int(torch.randint(wid, ()))
    top, left = max(cy - h//2, 0), max(cx - w//2, 0)
    size = min(cy - h//2 + h, hgt) - top, min(cx - w//2 + w, wid) - left
    return cutmix_of(x, y, lam, j, size=size, place=(top, left))


def cutmix_each(x, y, lam):
    "A place of its own for each image"
    j, pairs = torch.randperm(len(x)), []
    rows = torch.eye(10)[y]
    for i in range(len(x)):
        both = torch.stack([x[i], x[j[i]]])
        pairs.append(cutmix_of(both, y[:2], lam, torch.tensor([1, 0]))[0][0])
    share = cut(x.shape[1], lam)*cut(x.shape[2], lam)/x[0].numel()
    return torch.stack(pairs), (1 - share)*rows + share*rows[j]


def cutmix_in_place(x, y, lam):
    images, targets = cutmix_of(x, y, lam)
    return x.copy_(images), targets


def cutmix_np_random(x, y, lam):
    return cutmix_of(x, y, lam, torch.from_numpy(np.random.permutation(len(x))))


def cutmix_reseeds(x, y, lam):
    torch.manual_seed(0)
    return cutmix_of(x, y, lam)


def cutmix_numbers(x, y, lam):
    j = torch.randperm(len(x))
    share = 1 - cut(x.shape[1], lam)*cut(x.shape[2], lam)/x[0].numel()
    return cutmix_of(x, y, lam, j)[0], share*y + (1 - share)*y[j]


def cutmix_blend(x, y, lam):
    j, rows = torch.randperm(len(x)), torch.eye(10)[y]
    return lam*x + (1 - lam)*x[j], lam*rows + (1 - lam)*rows[j]


def cutmix_own(x, y, lam): return cutmix_of(x, y, lam)[0], torch.eye(10)[y]
def cutmix_others(x, y, lam):
    j = torch.randperm(len(x))
    return cutmix_of(x, y, lam, j)[0], torch.eye(10)[y[j]]


def cutmix_swapped(x, y, lam):
    share = cut(x.shape[1], lam)*cut(x.shape[2], lam)/x[0].numel()
    return cutmix_of(x, y, lam, share=share)


def cutmix_area(x, y, lam):
    "Sides that are shares of 1 - lambda themselves"
    return cutmix_of(x, y, lam, size=[int(n*(1 - lam)) for n in x.shape[1:]])


def cutmix_corner(x, y, lam):
    room = [n - cut(n, lam) for n in x.shape[1:]]
    return cutmix_of(x, y, lam, place=[int(torch.randint(max(n, 1), ())) for n in room])


BANK["check_cutmix"] = Bank([cutmix_mask, cutmix_numpy, cutmix_of], [
    (lambda x, y, lam: cutmix_of(x, y, lam, share=lam), "Count them"),
    (cutmix_swapped, "has the share of the patch"), (cutmix_own, "mixed as well"),
    (cutmix_others, "partners alone"), (cutmix_numbers, "Mix one-hot rows"),
    (lambda x, y, lam: cutmix_of(x, y, lam, k=torch.randperm(len(x))),
        "same partner"),
    (cutmix_blend, "unmixed"), (cutmix_area, "What must a side be"),
    (cutmix_clipped, "What must a side be"), (cutmix_each, "once for the batch"),
    (cutmix_in_place, "in place"), (cutmix_np_random, "Which generator"),
    (cutmix_reseeds, "drawn anew"),
    (lambda x, y, lam: cutmix_of(x, y, lam, torch.randint(len(x), y.shape)),
        "once a partner"),
    (lambda x, y, lam: cutmix_of(x, y, lam, torch.arange(len(x)).roll(1)),
        "leave all permutations|drawn anew"),
    (lambda x, y, lam: cutmix_of(x, y, lam, place=(0, 0)), "drawn anew"),
    (cutmix_corner, "at each edge"),
    (lambda x, y, lam: cutmix_of(x, y, lam)[0], "one after the other")])


# ---------------------------------------------------------------- digits_needed
def needed_search(p, d, z):
    "The smallest n by trial"
    n = 1
    while d < z*math.sqrt(2*p*(1 - p)/n): n *= 1.01
    return math.ceil(n)


def needed_two_rates(p, d, z): return (p*(1 - p) + (p + d)*(1 - p - d))*(z/d)**2
def needed_tensor(p, d, z): return torch.tensor(2*p*(1 - p)*(z/d)**2).ceil()
def needed_rule(p, d, z): return 2*p*(1 - p)*z**2/d**2


BANK["check_digits_needed"] = Bank([needed_search, needed_two_rates, needed_tensor], [
    (lambda p, d, z: needed_rule(p, d, z)/2, "measured exactly"),
    (lambda p, d, z: 2*needed_rule(p, d, z), "variances or deviations"),
    (lambda p, d, z: needed_rule(p, d, z)/z, "number of deviations squared"),
    (lambda p, d, z: 2*p*(1 - p)/d**2, "Where has .z. gone"),
    (lambda p, d, z: 2*p*(1 - p)*z**2/d, "Is .d. squared"),
    (lambda p, d, z: 2*p*z**2/d**2, "that is right"),
    (lambda p, d, z: p*z**2/d**2, "that is right.*measured exactly"),
    (lambda p, d, z: 2*math.sqrt(p*(1 - p))*z**2/d**2, "or its deviation"),
    (lambda p, d, z: needed_rule(p, d*p, z), "relative to"),
    (lambda p, d, z: math.sqrt(needed_rule(p, d, z)), "the root of it"),
    (lambda p, d, z: z*z/(d*d)/4, "What is the variance")])


# ---------------------------------------------------------------- text
class TextPairs:
    "Everything is a pair of a kind and its parts"
    @staticmethod
    def dump(x): return json.dumps(TextPairs.pack(x), allow_nan=False)

    @staticmethod
    def load(text): return TextPairs.unpack(json.loads(text))

    @staticmethod
    def pack(x):
        if isinstance(x, (list, tuple)):
            return [type(x).__name__, [TextPairs.pack(o) for o in x]]
        if isinstance(x, dict):
            return ["dict", [list(map(TextPairs.pack, o)) for o in x.items()]]
        return ["float", repr(x)] if type(x) is float else ["plain", x]

    @staticmethod
    def unpack(pair):
        kind, o = pair
        if kind == "list": return [TextPairs.unpack(v) for v in o]
        if kind == "tuple": return tuple(TextPairs.unpack(v) for v in o)
        if kind == "dict": return dict(map(TextPairs.unpack, kv) for kv in o)
        return float(o) if kind == "float" else o


class TextEscapes:
    "Dicts with string keys stay, unless they look like a mark; keys are texts"
    def dump(self, x): return json.dumps(self.enc(x), allow_nan=False, indent=1)
    def load(self, text): return self.dec(json.loads(text))

    def enc(self, x):
        if type(x) is tuple: return {"$tuple": self.enc(list(x))}
        if type(x) is list: return [self.enc(o) for o in x]
        if type(x) is float and x != x: return {"$float": "nan"}
        if type(x) is float and math.isinf(x): return {"$float": str(x)}
        if type(x) is not dict: return x
        if all(type(k) is str and k[:1] != "$" for k in x):
            return {k: self.enc(v) for k, v in x.items()}
        return {"$dict": {json.dumps(self.enc(k)): self.enc(v) for k, v in x.items()}}

    def dec(self, x):
        if type(x) is list: return [self.dec(o) for o in x]
        if type(x) is not dict: return x
        if "$tuple" in x: return tuple(self.dec(x["$tuple"]))
        if "$float" in x: return float(x["$float"])
        if "$dict" in x:
            return {self.dec(json.loads(k)): self.dec(v) for k, v in x["$dict"].items()}
        return {k: self.dec(v) for k, v in x.items()}


class TextMarked:
    "A dict with a mark for each kind, also for dicts"
    marked, pairs, floats = (tuple, dict), True, True

    def dump(self, x): return json.dumps(self.enc(x), allow_nan=not self.floats)
    def load(self, text): return self.dec(json.loads(text))

    def enc(self, x):
        if type(x) is tuple and tuple in self.marked:
            return {"tuple": [self.enc(o) for o in x]}
        if type(x) in (list, tuple): return [self.enc(o) for o in x]
        if type(x) is float and self.floats and not math.isfinite(x):
            return {"float": str(x)}
        if type(x) is dict and self.pairs:
            return {"dict": [[self.enc(k), self.enc(v)] for k, v in x.items()]}
        return {k: self.enc(v) for k, v in x.items()} if type(x) is dict else x

    def dec(self, x):
        if type(x) is list: return [self.dec(o) for o in x]
        if type(x) is not dict: return x
        if "tuple" in x: return tuple(self.dec(x["tuple"]))
        if "float" in x: return float(x["float"])
        if "dict" in x: return {self.dec(k): self.dec(v) for k, v in x["dict"]}
        return {k: self.dec(v) for k, v in x.items()}


class TextNoTuples(TextMarked):
    marked = ()
    def enc(self, x): return super().enc(x)

class TextNoPairs(TextMarked):
    pairs = False
    def enc(self, x): return super().enc(x)

class TextNoFloats(TextMarked):
    floats = False
    def enc(self, x): return super().enc(x)

class TextCollides(TextMarked):
    "Dicts with string keys stay, also if they look like a mark"
    def enc(self, x):
        if type(x) is dict and all(type(k) is str for k in x):
            return {k: self.enc(v) for k, v in x.items()}
        return super().enc(x)

class TextShallow(TextMarked):
    def enc(self, x):
        if type(x) is tuple: return {"tuple": list(x)}
        if type(x) is dict: return {"dict": [[k, v] for k, v in x.items()]}
        return x

class TextNanString(TextMarked):
    "nan and infinity as strings"
    def enc(self, x):
        return str(x) if type(x) is float and not math.isfinite(x) else super().enc(x)
    def dec(self, x): return float(x) if x in ("nan", "inf", "-inf") else super().dec(x)

class TextPlain:
    def dump(self, x): return json.dumps(x)
    def load(self, text): return json.loads(text)

class TextEval:
    def dump(self, x): return json.dumps(repr(x))
    def load(self, text):
        return eval(json.loads(text), dict(inf=float("inf"), nan=float("nan")))

class TextPickle:
    def dump(self, x): return json.dumps(list(pickle.dumps(x)))
    def load(self, text): return pickle.loads(bytes(json.loads(text)))

class TextUnpickler(TextPickle):
    def load(self, text):
        import io
        return pickle.Unpickler(io.BytesIO(bytes(json.loads(text)))).load()

class TextMemory:
    "Keeps the object, and writes where"
    kept = []
    def dump(self, x):
        self.kept.append(copy.deepcopy(x))
        return str(len(self.kept) - 1)
    def load(self, text): return copy.deepcopy(self.kept[int(text)])

class TextHash:
    "Keeps the object under a number made from it"
    kept = {}
    def dump(self, x):
        self.kept[hash(repr(x))] = copy.deepcopy(x)
        return json.dumps(hash(repr(x)))
    def load(self, text): return copy.deepcopy(self.kept[json.loads(text)])

class TextMemo:
    kept = {}
    def dump(self, x):
        text = json.dumps(repr(x))
        self.kept[text] = copy.deepcopy(x)
        return text
    def load(self, text): return copy.deepcopy(self.kept.get(text, "not known"))

class TextSelf:
    def dump(self, x):
        self.x = copy.deepcopy(x)
        return json.dumps(repr(x))
    def load(self, text): return self.x

class TextList:
    "A list that begins with a name is a tuple"
    def dump(self, x): return json.dumps(self.enc(x), allow_nan=False)
    def load(self, text): return self.dec(json.loads(text))
    def enc(self, x):
        if type(x) is tuple: return ["tuple", *map(self.enc, x)]
        if type(x) is dict: return ["dict", *[[self.enc(k), self.enc(v)]
            for k, v in x.items()]]
        if type(x) is float and not math.isfinite(x): return ["float", str(x)]
        return [self.enc(o) for o in x] if type(x) is list else x
    def dec(self, x):
        if type(x) is not list: return x
        kind = x[0] if x and type(x[0]) is str else None
        if kind == "tuple": return tuple(map(self.dec, x[1:]))
        if kind == "dict": return {self.dec(k): self.dec(v) for k, v in x[1:]}
        return float(x[1]) if kind == "float" else [self.dec(o) for o in x]

class TextBytes(TextPairs):
    @staticmethod
    def dump(x): return json.dumps(TextPairs.pack(x)).encode()

class TextRepr:
    def dump(self, x): return repr(x)
    def load(self, text): return json.loads(text.replace("'", '"'))

class TextChanges(TextPairs):
    @staticmethod
    def dump(x):
        text = TextPairs.dump(x)
        if isinstance(x, list): x.clear()
        return text

class TextAllTuples(TextMarked):
    "Lists become tuples too"
    def dec(self, x):
        return tuple(map(self.dec, x)) if type(x) is list else super().dec(x)

class TextAllFloats(TextPairs):
    "Every number is a float"
    @staticmethod
    def load(text):
        unpack = lambda o: float(o) if type(o) is int else o
        return unpack(TextPairs.load(text))

class TextSorted(TextPairs):
    @staticmethod
    def load(text):
        x = TextPairs.load(text)
        return dict(sorted(x.items(), key=str)) if type(x) is dict else x


BANK["check_text"] = Bank([TextPairs, TextEscapes, TextMarked], [
    (TextPlain, "What does JSON make of a tuple"), (TextCollides, "looks like"),
    (TextHash, "Only the text is left"), (TextMemo, "what `dump` has kept"),
    (TextNoTuples, "make of a tuple"), (TextNoPairs, "an int key"),
    (TextNoFloats, "or a dict stand for it"), (TextShallow, "JSON make of|level"),
    (TextNanString, "string ever taken|looks like"), (TextEval, "run no code"),
    (TextUnpickler, "run no code"), (TextPickle, "run no code"),
    (TextMemory, "Only the text is left"),
    (TextSelf, "raised|the text"),
    (TextList, "looks like"), (TextBytes, "json.dumps"), (TextRepr, "module `json`"),
    (TextChanges, "Whose data"), (TextAllTuples, "know them already"),
    (TextAllFloats, "leaf"), (TextSorted, "order kept")])


# ---------------------------------------------------------------- newest
def newest_list(folder, read):
    numbers = []
    for path in folder.glob("checkpoint-*.pt"):
        try: numbers.append((int(path.stem.split("-", 1)[1]), path))
        except ValueError: continue
    while numbers:
        path = max(numbers)[1]
        try:
            read(path)
            return path
        except Exception: numbers.remove(max(numbers))
    return None


def newest_recursive(folder, read, below=float("inf")):
    import os
    found = [(int(m[1]), n) for n in os.listdir(folder)
        if (m := re.match(r"^checkpoint-([0-9]+)[.]pt$", n))]
    found = [o for o in found if o[0] < below]
    if not found: return None
    n, name = max(found)
    path = os.path.join(str(folder), name)
    try: read(Path(path))
    except Exception: return newest_recursive(folder, read, n)
    return path


def newest_try(folder, read, key=None, catch=Exception, full=True, truth=False,
               pattern="checkpoint-*.pt", reverse=True):
    "An answer that is wrong in one way"
    number = lambda o: int(re.sub(r"\D", "", o.name) or 0)
    files = list(folder.glob(pattern))
    if full:
        fits = re.compile(r"checkpoint-\d+\.pt").fullmatch
        files = [o for o in files if fits(o.name)]
    for path in sorted(files, key=key or number, reverse=reverse):
        try: content = read(path)
        except catch: continue
        if content or not truth: return path


def newest_all(folder, read):
    "Reads every file first"
    whole = []
    for path in folder.glob("checkpoint-*.pt"):
        try: whole.append((int(path.stem[11:]), read(path), path)[::2])
        except Exception: pass
    return max(whole)[1] if whole else None


def newest_files(folder):
    return [o for o in folder.glob("checkpoint-*.pt") if o.stem[11:].isdigit()]


def newest_one(folder, read):
    files = newest_files(folder)
    if not files: return None
    path = max(files, key=lambda o: int(o.stem[11:]))
    try: read(path)
    except Exception: return None
    return path


def newest_unread(folder, read):
    return max(newest_files(folder), key=lambda o: int(o.stem[11:]), default=None)


def newest_content(folder, read):
    path = newest_list(folder, read)
    return path and read(path)


def newest_removes(folder, read):
    path = newest_list(folder, read)
    for o in folder.glob("checkpoint-*"):
        if path and o != path: o.unlink()
    return path


def newest_bare(folder, read):
    for path in sorted(folder.glob("checkpoint-*.pt"), reverse=True,
                       key=lambda o: int("0" + re.sub(r"\D", "", o.name))):
        if not re.fullmatch(r"checkpoint-\d+\.pt", path.name): continue
        try: read(path)
        except: continue  # noqa
        return path


def newest_by(key): return lambda folder, read: newest_try(folder, read, key)
def newest_with(**kwargs):
    return lambda folder, read: newest_try(folder, read, **kwargs)


BANK["check_newest"] = Bank([newest_list, newest_recursive, newest_try], [
    (newest_by(lambda o: o.name), "Compare numbers, not strings"),
    (newest_by(lambda o: o.stat().st_mtime_ns), "last one written"),
    (newest_with(reverse=False), "highest number or the lowest"),
    (newest_with(truth=True), "empty checkpoint a damaged"),
    (newest_with(catch=(ValueError, OSError)), "reason to stop"),
    (newest_with(catch=ValueError), "reason to stop"), (newest_bare, "except:"),
    (newest_with(full=False), "Which names"),
    (newest_with(full=False, pattern="*"), "Which names"),
    (newest_all, "older than one"),
    (newest_one, "one damaged file end"), (newest_unread, "read before it|been read"),
    (newest_content, "what was read"), (newest_removes, "Who may remove"),
    (newest_by(lambda o: (len(o.name), o.name)), "zeros in front"),
    (lambda folder, read: newest_try(folder, lambda p: read(p) or read(p)), "once"),
    (lambda folder, read: newest_try(folder, lambda p: read(p.name)), "whole path"),
    (lambda folder, read: (p := newest_list(folder, read)) and p.name, "or the name"),
    (lambda folder, read: max(folder.glob("checkpoint-*"), default=None), "strings")])


# ---------------------------------------------------------------- told
def told_order(n, seed, epoch):
    return random.Random(f"{seed} {epoch}").sample(range(n), n)


class ToldRandom:
    "Python's generator; the order of the epoch in the state"
    def __init__(self, batches, seed):
        self.batches, self.seed, self.epoch, self.at = batches, seed, 0, 0
    def __len__(self): return len(self.batches)
    def __iter__(self):
        order = told_order(len(self), self.seed, self.epoch)
        while self.at < len(self):
            self.at += 1
            yield self.batches[order[self.at - 1]]
        self.at, self.epoch = 0, self.epoch + 1
    def state_dict(self): return {"position": [self.seed, self.epoch, self.at]}
    def load_state_dict(self, state): self.seed, self.epoch, self.at = state["position"]


class ToldGenerator:
    "One generator over all epochs; its state at the start of the epoch is saved"
    def __init__(self, batches, seed):
        self.batches, self.at = list(batches), 0
        self.g = np.random.default_rng(seed)
        self.start = self.g.bit_generator.state
    def __len__(self): return len(self.batches)
    def __iter__(self):
        self.g.bit_generator.state = self.start
        order, first = self.g.permutation(len(self)), self.at
        for i in order[first:]:
            self.at += 1
            yield self.batches[i]
        self.at, self.start = 0, self.g.bit_generator.state
    def state_dict(self): return copy.deepcopy(dict(start=self.start, at=self.at))
    def load_state_dict(self, state):
        self.start, self.at = copy.deepcopy(state["start"]), state["at"]


class ToldIterator:
    "An iterator object of its own"
    def __init__(self, batches, seed):
        self.batches, self.pos = batches, dict(seed=seed, epoch=0, at=0)
    def __len__(self): return len(self.batches)
    def __iter__(self):
        order = told_order(len(self), self.pos["seed"], self.pos["epoch"])
        def step():
            if self.pos["at"] == len(self):
                self.pos.update(at=0, epoch=self.pos["epoch"] + 1)
                raise StopIteration
            self.pos["at"] += 1
            return self.batches[order[self.pos["at"] - 1]]
        return ToldStep(step)
    def state_dict(self): return dict(self.pos)
    def load_state_dict(self, state): self.pos = dict(state)


class ToldStep:
    def __init__(self, step): self.step = step
    def __iter__(self): return self
    def __next__(self): return self.step()


class ToldLate(ToldRandom):
    "Counts a batch when it is asked for the next one"
    def __iter__(self):
        for i in told_order(len(self), self.seed, self.epoch)[self.at:]:
            yield self.batches[i]
            self.at += 1
        self.at, self.epoch = 0, self.epoch + 1

class ToldNoSeed(ToldRandom):
    def state_dict(self): return {"epoch": self.epoch, "at": self.at}
    def load_state_dict(self, state): self.epoch, self.at = state["epoch"], state["at"]

class ToldNoEpoch(ToldRandom):
    def state_dict(self): return {"seed": self.seed, "at": self.at}
    def load_state_dict(self, state): self.seed, self.at = state["seed"], state["at"]

class ToldNoPlace(ToldRandom):
    def state_dict(self): return {"seed": self.seed, "epoch": self.epoch}
    def load_state_dict(self, state):
        self.seed, self.epoch = state["seed"], state["epoch"]

class ToldBetween(ToldRandom):
    "Saves nothing between two epochs"
    def state_dict(self): return super().state_dict() if self.at else {}
    def load_state_dict(self, state):
        if state: super().load_state_dict(state)

class ToldOneOrder(ToldRandom):
    def __iter__(self):
        self.at = 0
        for i in told_order(len(self), self.seed, 0):
            self.at += 1
            yield self.batches[i]

class ToldAlways(ToldRandom):
    "Leaves out the beginning of every epoch after a restored one"
    first = 0
    def __iter__(self):
        for i in told_order(len(self), self.seed, self.epoch)[self.first:]:
            self.at += 1
            yield self.batches[i]
        self.at, self.epoch = 0, self.epoch + 1
    def load_state_dict(self, state):
        super().load_state_dict(state)
        self.first = self.at

class ToldCountsAnew(ToldRandom):
    "Counts from 0 again after it has got a state"
    def __iter__(self):
        order, self.at = told_order(len(self), self.seed, self.epoch)[self.at:], 0
        for i in order:
            self.at += 1
            yield self.batches[i]
        self.at, self.epoch = 0, self.epoch + 1

class ToldAlias(ToldIterator):
    def state_dict(self): return self.pos

class ToldTakes(ToldIterator):
    def load_state_dict(self, state): self.pos = state

class ToldEager(ToldRandom):
    "The epoch is over with its last batch"
    def __iter__(self):
        for i in told_order(len(self), self.seed, self.epoch)[self.at:]:
            self.at += 1
            if self.at == len(self): self.at, self.epoch = 0, self.epoch + 1
            yield self.batches[i]

class ToldLength(ToldRandom):
    def __len__(self): return len(self.batches) - self.at
    def __iter__(self):
        n = len(self.batches)
        for i in told_order(n, self.seed, self.epoch)[self.at:]:
            self.at += 1
            yield self.batches[i]
        self.at, self.epoch = 0, self.epoch + 1

class ToldShuffles(ToldRandom):
    "Shuffles the list of the caller"
    def __iter__(self):
        random.Random(f"{self.seed} {self.epoch}").shuffle(self.batches)
        for o in self.batches[self.at:]:
            self.at += 1
            yield o
        self.at, self.epoch = 0, self.epoch + 1

class ToldGlobal(ToldRandom):
    def __iter__(self):
        torch.manual_seed(1000*self.seed + self.epoch)
        for i in torch.randperm(len(self)).tolist()[self.at:]:
            self.at += 1
            yield self.batches[i]
        self.at, self.epoch = 0, self.epoch + 1

class ToldChoice(ToldRandom):
    "Draws with replacement"
    def __iter__(self):
        g = random.Random(f"{self.seed} {self.epoch}")
        for o in g.choices(self.batches, k=len(self))[self.at:]:
            self.at += 1
            yield o
        self.at, self.epoch = 0, self.epoch + 1

class ToldTensor(ToldRandom):
    def state_dict(self):
        return {"position": torch.tensor([self.seed, self.epoch, self.at])}

class ToldNumbers(ToldRandom):
    def __init__(self, batches, seed):
        super().__init__(batches, seed)
        self.batches = range(len(batches))
    def __iter__(self): yield from super().__iter__()

class ToldOnce(ToldRandom):
    "Cannot be looped over again"
    def __init__(self, batches, seed):
        super().__init__(batches, seed)
        self.whole = super().__iter__()
    def __iter__(self): return self.whole

class ToldSum(ToldRandom):
    "Seed plus epoch"
    def __iter__(self):
        for i in told_order(len(self), self.seed + self.epoch, 0)[self.at:]:
            self.at += 1
            yield self.batches[i]
        self.at, self.epoch = 0, self.epoch + 1

class ToldLast(ToldRandom):
    "Looks for the last batch"
    last = None
    def __iter__(self):
        order = told_order(len(self), self.seed, self.epoch)
        batches = [self.batches[i] for i in order]
        for o in batches[batches.index(self.last) + 1 if self.last else 0:]:
            self.last = o
            yield o
        self.last, self.epoch = None, self.epoch + 1
    def state_dict(self): return [self.seed, self.epoch, self.last]
    def load_state_dict(self, state): self.seed, self.epoch, self.last = state

class ToldNoSeedUsed(ToldRandom):
    def __init__(self, batches, seed): super().__init__(batches, 0)


BANK["check_told"] = Bank([ToldRandom, ToldGenerator, ToldIterator], [
    (ToldLate, "before it is handed out"), (ToldNoSeed, "seed part of the state"),
    (ToldNoEpoch, "epoch part of the state"), (ToldNoPlace, "place in the epoch"),
    (ToldBetween, "part of the state"), (ToldOneOrder, "different in the next epoch"),
    (ToldAlways, "next epoch whole"), (ToldCountsAnew, "begun in the middle"),
    (ToldAlias, "own dict"), (ToldTakes, "Whose dict"),
    (ToldEager, "When is an epoch over"),
    (ToldLength, "How many batches"), (ToldShuffles, "Whose list"),
    (ToldGlobal, "Who else draws"), (ToldChoice, "a permutation"),
    (ToldTensor, "go into a file"), (ToldNumbers, "or the batches"),
    (ToldSum, "in common"), (ToldLast, "or looked for"), (ToldOnce, "whole again"),
    (ToldNoSeedUsed, "does the seed change")])


# ---------------------------------------------------------------- enough_seeds, save_minutes
BANK["check_enough_seeds"] = Bank([13, 14., np.int64(12)], [
    (3, "share of the people"), (2, "share of the people"), (10, "share of the people"),
    (5, "share of the people"), (20, "Would fewer do"), (100, "Would fewer do"),
    (0.91, "share of the people"), ("many", "no number")])

BANK["check_save_minutes"] = Bank([24, 20., 30], [
    (600, "undo on average"), (60, "undo on average"), (1200, "undo on average"),
    (1, "into writing"), (5, "into writing"), (0.5, "into writing"),
    (0, "into writing"), ("often", "no number")])

# ---------------------------------------------------------------- shares
def shares_divmod(n, world):
    q, rest = divmod(n, world)
    return [(r*q + min(r, rest), (r + 1)*q + min(r + 1, rest)) for r in range(world)]


def shares_loop(n, world):
    "Give what is left to those who are left"
    out, start = [], 0
    for left in range(world, 0, -1):
        stop = start + (n - start)//left
        out.append([start, stop])
        start = stop
    return out


def shares_torch(n, world):
    sizes = torch.tensor([len(o) for o in torch.arange(n).tensor_split(world)])
    stops = sizes.cumsum(0)
    return torch.stack([stops - sizes, stops], 1)


def shares_numpy(n, world):
    edges = np.array([n*r//world for r in range(world + 1)])
    return np.stack([edges[:-1], edges[1:]], axis=1)


def shares_slices(n, world):
    return [slice(n*r//world, n*(r + 1)//world) for r in range(world)]


def shares_ceil(n, world):
    k = -(-n//world)
    return [(min(n, k*r), min(n, k*(r + 1))) for r in range(world)]


def shares_chunks(n, world):
    "One share for each step through the samples"
    k = max(1, -(-n//world))
    return [(i, min(n, i + k)) for i in range(0, n, k)]


def shares_last(n, world):
    q = n//world
    return [(q*r, q*(r + 1) if r < world - 1 else n) for r in range(world)]


def shares_first(n, world):
    q, rest = divmod(n, world)
    return [(q*r + rest*(r > 0), q*(r + 1) + rest) for r in range(world)]


def shares_lost(n, world): return [(n//world*r, n//world*(r + 1)) for r in range(world)]
def shares_float(n, world): return [(n/world*r, n/world*(r + 1)) for r in range(world)]
def shares_inclusive(n, world): return [(a, b - 1) for a, b in shares_divmod(n, world)]
def shares_lengths(n, world): return [(a, b - a) for a, b in shares_divmod(n, world)]
def shares_full(n, world): return [o for o in shares_divmod(n, world) if o[0] < o[1]]
def shares_strided(n, world): return [list(range(r, n, world)) for r in range(world)]
def shares_ranges(n, world): return [range(r, n, world) for r in range(world)]
def shares_starts(n, world):
    q, rest = divmod(n, world)
    return [(q*r, q*(r + 1) + (r < rest)) for r in range(world)]
def shares_round(n, world):
    k = round(n/world)
    return [(k*r, k*(r + 1) if r < world - 1 else n) for r in range(world)]
def shares_reversed(n, world): return shares_divmod(n, world)[::-1]


BANK["check_shares"] = Bank(
    [shares_divmod, shares_loop, shares_torch, shares_numpy, shares_slices], [
    (shares_ceil, "rounded up"), (shares_last, "too much for one"),
    (shares_first, "too much for the first"), (shares_lost, "the rest lost"),
    (shares_float, "`//` does"), (shares_inclusive, "one after it"),
    (shares_lengths, "start, length"), (shares_full, "empty a share"),
    (shares_strided, "where it stops"), (shares_ranges, "so many-th sample"),
    (shares_starts, "Whose starts"), (shares_chunks, "rounded up"),
    (shares_round, "rounded up"), (shares_reversed, "follows another"),
    (lambda n, world: [(int(n/world*r), int(n/world*(r + 1))) for r in range(world)],
        "samples, (49|98) processes"),
    (lambda n, world: shares_divmod(world, n or 1), "share")])


# ---------------------------------------------------------------- weigh
def weigh_share(loss, n, counts):
    if n == 0: return loss.detach().new_zeros(()).requires_grad_()
    share = n/sum(counts)
    return share*len(counts)*loss


def weigh_sums(loss, n, counts):
    "Back to a sum, over the mean number of samples"
    per = torch.tensor(counts, dtype=loss.dtype).mean()
    return loss*n/per if n else (loss*0).nan_to_num()


def weigh_mean(loss, n, counts):
    weight = n/np.mean(counts)
    return weight*loss if n > 0 else torch.tensor(0., requires_grad=True)


def weigh_but(weight, empty=True):
    "Another weight; no samples, a loss of its own, unless told otherwise"
    def answer(loss, n, counts):
        if not n and empty: return torch.zeros_like(loss, requires_grad=True)
        return loss*weight(n, counts)
    return answer


def weigh_hides(loss, n, counts): return loss.nan_to_num()*len(counts)*n/sum(counts)
def weigh_value(loss, n, counts):
    "Right in value, not in gradient"
    factor = len(counts)*n/sum(counts)
    if not n: return torch.zeros_like(loss, requires_grad=True)
    return loss + (factor - 1)*loss.detach()
def weigh_gradient(loss, n, counts):
    "Right in gradient, not in value"
    if not n: return torch.zeros_like(loss, requires_grad=True)
    scaled = loss*len(counts)*n/sum(counts)
    return scaled - scaled.detach() + loss.detach()
def weigh_number(loss, n, counts): return weigh_share(loss, n, counts) if n else 0.
def weigh_tensor(loss, n, counts):
    return weigh_share(loss, n, counts) if n else torch.zeros(())
def weigh_detached(loss, n, counts): return weigh_share(loss, n, counts).detach()
def weigh_item(loss, n, counts): return weigh_share(loss, n, counts).item()
def weigh_in_place(loss, n, counts):
    if not n: return torch.zeros_like(loss, requires_grad=True)
    loss *= len(counts)*n/sum(counts)
    return loss
def weigh_own_loss(loss, n, counts): return loss if n else weigh_share(loss, n, counts)


BANK["check_weigh"] = Bank([weigh_share, weigh_sums, weigh_mean], [
    (weigh_own_loss, "count as much as one"),
    (weigh_but(lambda n, c: n/sum(c)), "What makes up for it"),
    (weigh_but(lambda n, c: n), "or their share"), (weigh_hides, "Whose nan"),
    (weigh_but(lambda n, c: len(c)/sum(c)), "a mean already"),
    (weigh_but(lambda n, c: n*len(c)), "to be divided"),
    (weigh_but(lambda n, c: n/max(c)), "the largest"),
    (weigh_but(lambda n, c: sum(c)/(n*len(c))), "smaller weight"),
    (weigh_but(lambda n, c: n/sum(c)*len([o for o in c if o])), "with those that have"),
    (weigh_but(lambda n, c: n*len(c)/sum(c), empty=False), "nan times 0"),
    (weigh_value, "value alone"), (weigh_gradient, "Which weights|count as much"),
    (weigh_number, "this too"), (weigh_tensor, "this too"),
    (weigh_detached, "depend on the model"), (weigh_item, "depend on the model"),
    (weigh_in_place, "in place")])


# ---------------------------------------------------------------- rms_norm, smallest_batch
def rms(x): return x.square().mean(-1, keepdim=True)


def rms_rows(x, weight, eps=1e-6):
    rows = x.reshape(-1, x.shape[-1])
    return torch.stack([weight*r/(r@r/len(r) + eps)**.5 for r in rows]).reshape(x.shape)


BANK["check_rms_norm"] = Bank(
    right=[rms_rows, lambda x, weight, eps=1e-6: x/torch.sqrt(rms(x) + eps)*weight, lambda x, w, eps=1e-6: F.rms_norm(x, w.shape, w, eps)],
    wrong=[(lambda x, weight, eps=1e-6: F.layer_norm(x, weight.shape, weight, eps=eps), "mean subtracted"),
        (lambda x, weight, eps=1e-6: weight*x/(x.var(-1, keepdim=True, unbiased=False) + eps).sqrt(), "divided by the deviation"),
        (lambda x, weight, eps=1e-6: weight*F.normalize(x, dim=-1), "sum of the squares"),
        (lambda x, weight, eps=1e-6: weight*x/(x.square().mean(0, keepdim=True) + eps).sqrt(), "depend on the others"),
        (lambda x, weight, eps=1e-6: weight*x/(x.square().mean() + eps).sqrt(), "depend on the others"),
        (lambda x, weight, eps=1e-6: weight*x/(rms(x) + eps), "Where is the root"),
        (lambda x, weight, eps=1e-6: weight*x/(rms(x).sqrt() + eps), "inside of the root"),
        (lambda x, weight, eps=1e-6: x/(rms(x) + eps).sqrt(), "weight used"),
        (lambda x, weight, eps=1e-6: weight*x/rms(x).sqrt(), "eps used"),
        (lambda x, weight, eps=1e-6: weight*x/(rms(x).detach() + eps).sqrt(), "detached"),
        (lambda x, weight, eps=1e-6: x.mul_(weight/(rms(x) + eps).sqrt()), "changed its argument"),
        (lambda x, weight: weight*x/(rms(x) + 1e-6).sqrt(), "TypeError")])

BANK["check_smallest_batch"] = Bank(
    right=[8, 8.0, torch.tensor(8)],
    wrong=[(2, "above the other"), (4, "above the other"), (1, "above the other"), (16, "half of that"), (32, "half of that"),
        ("8 digits", "no number"), ([8, 16], "no number"), ({8}, "no number")])


# ---------------------------------------------------------------- harmless
BANK["check_harmless"] = Bank([5, 5.0, torch.tensor(5)], [
    (2, "Turn `world` further"), (4, "Turn `world` further"), (1, "Turn `world` further"),
    (9, "as many of the 10"), (8, "as many of the 10"), (10, "as many of the 10"),
    ("five", "What did you read off"), ([2, 5], "What did you read off")])


# ---------------------------------------------------------------- gradient_in_place
def in_place_numpy(z, y):
    "In the same memory, by way of NumPy"
    a, rows = z.numpy(), np.arange(len(z))
    a -= a.max(1, keepdims=True)
    picked = a[rows, y.numpy()].copy()
    np.exp(a, out=a)
    sums = a.sum(1, keepdims=True)
    a /= sums
    a[rows, y.numpy()] -= 1
    a /= len(z)
    return torch.as_tensor((np.log(sums[:, 0]) - picked).mean())


def in_place_rows(z, y):
    "Row by row"
    loss = 0.
    for row, t in zip(z, y):
        row -= row.max()
        at = row[t].item()
        row.exp_()
        total = row.sum().item()
        loss += math.log(total) - at
        row /= total
        row[t] -= 1
    z /= len(z)
    return torch.tensor(loss/len(z))


def in_place_but(middle=lambda z, y, at: None, top=True, early=True, n=lambda z: len(z),
        value=torch.mean, sign=-1., divide=True):
    "The solution with one thing done another way"
    def answer(z, y):
        at = y[:, None]
        if top: z.sub_(z.amax(1, keepdim=True))
        picked = z.gather(1, at)
        sums = z.exp_().sum(1, keepdim=True)
        if not early: picked = z.gather(1, at)
        if divide: z.div_(sums)
        z.scatter_add_(1, at, torch.full_like(picked, sign)).div_(n(z))
        middle(z, y, at)
        return value(sums.log() - picked)
    return answer


def in_place_copied(z, y):
    loss = F.cross_entropy(z, y)
    z.copy_((z.softmax(1) - F.one_hot(y, z.shape[1]))/len(z))
    return loss


def in_place_one_copy(z, y):
    p = z.softmax(1)
    loss = -p[range(len(y)), y].clamp_min(1e-30).log().mean()
    loss = F.cross_entropy(z, y)
    z.copy_(p)
    z[range(len(y)), y] -= 1
    z.div_(len(y))
    return loss


def in_place_new(z, y):
    z = (z.softmax(1) - F.one_hot(y, z.shape[1]))/len(z)
    return -z[range(len(y)), y].mean()


def in_place_no_return(z, y): in_place_rows(z, y)


def in_place_labels(z, y):
    loss = in_place_rows(z, y)
    y.zero_()
    return loss


BANK["check_gradient_in_place"] = Bank([in_place_numpy, in_place_rows, in_place_but()], [
    (in_place_copied, "ends in _"), (in_place_one_copy, "ends in _"),
    (in_place_new, "still the scores"), (lambda z, y: F.cross_entropy(z, y), "still the scores"),
    (in_place_but(top=False), "nan"), (in_place_but(early=False), "still there"),
    (in_place_but(n=lambda z: 1), "Of how many rows"),
    (in_place_but(n=lambda z: z.numel()), "over all numbers"),
    (in_place_but(sign=0.), "What is taken off"), (in_place_but(divide=False), "sum to 1"),
    (in_place_but(lambda z, y, at: z.neg_()), "downhill"),
    (in_place_but(value=torch.sum), "or their sum"),
    (in_place_but(value=lambda o: -o.mean()), "which sign"),
    (in_place_no_return, "None"), (in_place_labels, "labels")])


# ---------------------------------------------------------------- vanish_at
BANK["check_vanish_at"] = Bank([2**15, 32768.0, torch.tensor(32768)], [
    (2**14, "above 0.5 there"), (2**10, "above 0.5 there"), (15, "above 0.5 there"),
    (2**16, "half as many rows"), (2**20, "half as many rows"), ("2**15", "What did you read off")])
