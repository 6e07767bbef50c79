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


# ---------------------------------------------------------------- gain
def normal(n=400_000): return torch.randn(n, generator=torch.Generator().manual_seed(5))


def gain_numpy(f):
    z = np.random.default_rng(3).standard_normal(400_000)
    return np.mean(f(torch.from_numpy(z)).numpy()**2)**-0.5


def gain_integral(f):
    z = torch.linspace(-9, 9, 5001)
    w = torch.exp(-z**2/2)
    return ((w*f(z)**2).sum()/w.sum()).rsqrt()


def gain_global(f): return f(torch.randn(1000, 400)).pow(2).mean()**-0.5


def gain_slope(f):
    z = normal().requires_grad_()
    f(z).sum().backward()
    return z.grad.square().mean()**-0.5


def gain_uniform(f): return f(torch.linspace(-1, 1, 10_001)).square().mean()**-0.5


BANK["check_gain"] = Bank([gain_numpy, gain_integral, gain_global], [
    (lambda f: 1/f(normal()).std(), "variance, or the mean of the square"),
    (lambda f: f(normal()).square().mean()**0.5, "has to undo"),
    (lambda f: 1/f(normal()).square().mean(), "is the inverse"),
    (lambda f: f(normal()).square().mean(), "What makes it 1"),
    (lambda f: 1/f(normal()).abs().mean(), "mean absolute"),
    (lambda f: 1/f(normal()).mean(), "before the mean, or after"),
    (gain_slope, "or its slope"), (gain_uniform, "evenly, or normally"),
    (lambda f: 2**0.5, "Is ReLU the"),
    (lambda f: f(normal(30)).square().mean()**-0.5, "enough of them"),
    (lambda f: nn.init.calculate_gain(f.__name__), "raised"),
    (lambda f: {F.relu: 2**0.5}.get(f, 1.), "Over which"),
    (lambda f: 1/f(torch.zeros(3)).square().mean().sqrt(), "enough of them")])


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


def folded(scale=lambda bn: bn.weight/(bn.running_var + bn.eps).sqrt(),
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


BANK["check_fold"] = Bank([fold_new, fold_loop, fold_double, folded()], [
    (folded(lambda bn: bn.weight/bn.running_var.sqrt()), "the BatchNorm's eps"),
    (folded(lambda bn: bn.weight/(bn.running_var.sqrt() + bn.eps)), "eps inside"),
    (folded(lambda bn: bn.weight/(bn.running_var + 1e-5).sqrt()), "eps|black"),
    (folded(lambda bn: bn.weight/(bn.running_var + bn.eps)), "by its root"),
    (folded(lambda bn: (bn.running_var + bn.eps).rsqrt()), "scale .its weight. gone"),
    (folded(bias=lambda s, b, bn: s*(b - bn.running_mean)), "shift .its bias. gone"),
    (folded(bias=lambda s, b, bn: bn.bias + s*b), "Where has the running mean"),
    (folded(bias=lambda s, b, bn: bn.bias + s*b - bn.running_mean), "mean scaled too"),
    (folded(bias=lambda s, b, bn: bn.bias + s*(b + bn.running_mean)), "added, or"),
    (folded(bias=lambda s, b, bn: bn.bias - s*bn.running_mean), "own bias gone"),
    (folded(bias=lambda s, b, bn: bn.bias + b - s*bn.running_mean), "own bias too"),
    (folded(bias=lambda s, b, bn: bn.bias + b - bn.running_mean), "left of the bias"),
    (folded(axis=1), "raised RuntimeError.*groups and a bias"),
    (folded(axis=2), "raised RuntimeError"), (folded(stride=None), "Its stride"),
    (folded(padding=None), "Its padding"), (folded(dilation=None), "Its dilation"),
    (folded(groups=None), "groups"), (fold_in_place, "Make a new one"),
    (fold_leaves_bias, "Where do the running mean"),
    (lambda conv, bn: nn.Sequential(conv, bn), "two modules be one"),
    (lambda conv, bn: copy.deepcopy(conv), "no bias|as it was"),
    (lambda conv, bn: conv, "was given")])


# ---------------------------------------------------------------- rotation
def turned(degrees, ratio, signs=(-1, 1), radians=math.radians):
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


def rotation_float(degrees, hgt, wid): return turned(degrees, hgt/wid).float()
def rotation_shifted(degrees, hgt, wid):
    theta = turned(degrees, hgt/wid)
    theta[:, 2] = torch.tensor([0.1, 0])
    return theta
def rotation_one_entry(degrees, hgt, wid):
    theta = turned(degrees, hgt/wid)
    theta[1, 0] = turned(degrees, wid/hgt)[1, 0]
    return theta
def rotation_scaled(degrees, hgt, wid):
    return turned(degrees, 1)*torch.tensor([[hgt/wid], [1.]])


BANK["check_rotation"] = Bank([rotation_numpy, rotation_list, rotation_float], [
    (lambda d, h, w: turned(d, 1), "How many pixels is 1"),
    (lambda d, h, w: turned(d, w/h), "Which side is divided"),
    (lambda d, h, w: turned(d, h/w, (1, -1)), "Which way does it turn, if the grid"),
    (lambda d, h, w: turned(d, w/h, (1, -1)), "direction alone, or also"),
    (lambda d, h, w: turned(d, 1, (1, -1)), "Which way does it turn, and how many"),
    (lambda d, h, w: turned(d, h/w, (1, 1)), "One pixel|one pixel"),
    (lambda d, h, w: turned(d, h/w, radians=float), "degrees or radians"),
    (lambda d, h, w: turned(d, (h - 1)/(w - 1)), "align_corners"),
    (lambda d, h, w: turned(d, h/w)[:, :2], "centre"),
    (rotation_one_entry, "Whose sides"), (rotation_shifted, "column moves"),
    (rotation_scaled, "step of one pixel"),
    (lambda d, h, w: torch.eye(3)[:2]*d/d, "step of one pixel"),
    (lambda d, h, w: turned(d, h/w)*torch.nan, "nan")])


# ---------------------------------------------------------------- mixup
def mixed(x, y, lam, j, k=None, targets=None):
    "Images mixed with partners j, targets with partners k and a lambda of their own"
    rows, k = torch.eye(10)[y], j if k is None else k
    share = lam if targets is None else targets
    return lam*x + (1 - lam)*x[j], share*rows + (1 - share)*rows[k]


def mixup_loop(x, y, lam):
    "Sorted random numbers; one image at a time"
    j = torch.rand(len(x)).argsort().tolist()
    images, targets = torch.empty_like(x), torch.zeros(len(x), 10, dtype=torch.float64)
    for i in range(len(x)):
        images[i] = x[i]*lam + x[j[i]]*(1 - lam)
        targets[i, y[i]] += lam
        targets[i, y[j[i]]] += 1 - lam
    return images, targets


def mixup_lerp(x, y, lam):
    g = torch.Generator().manual_seed(int(torch.randint(2**62, ())))
    j = torch.randperm(len(x), generator=g)
    rows = F.one_hot(y, num_classes=10).to(x.dtype)
    return [torch.lerp(o[j], o, lam) for o in (x, rows)]


def mixup_numpy(x, y, lam):
    j = torch.randperm(len(x)).numpy()
    a, rows = x.numpy(), np.eye(10)[y.numpy()]
    return lam*a + (1 - lam)*a[j], lam*rows + (1 - lam)*rows[j]


def perm(x): return torch.randperm(len(x))


def mixup_derangement(x, y, lam):
    j = perm(x)
    while len(x) > 1 and (j == torch.arange(len(x))).any(): j = perm(x)
    return mixed(x, y, lam, j)


def mixup_seeded(x, y, lam):
    g = torch.Generator().manual_seed(0)
    return mixed(x, y, lam, torch.randperm(len(x), generator=g))


def mixup_reseeds(x, y, lam):
    torch.manual_seed(0)
    return mixed(x, y, lam, perm(x))


def mixup_np_random(x, y, lam):
    return mixed(x, y, lam, torch.from_numpy(np.random.permutation(len(x))))


def mixup_np_new(x, y, lam):
    j = np.random.default_rng().permutation(len(x))
    return mixed(x, y, lam, torch.from_numpy(j))


def mixup_in_place(x, y, lam):
    j = perm(x)
    targets = mixed(x, y, lam, j)[1]
    x.mul_(lam).add_(x[j], alpha=1 - lam)
    return x, targets


def mixup_short_rows(x, y, lam):
    rows, j = F.one_hot(y).float(), perm(x)
    return lam*x + (1 - lam)*x[j], lam*rows + (1 - lam)*rows[j]


def mixup_numbers(x, y, lam):
    j = perm(x)
    return lam*x + (1 - lam)*x[j], lam*y + (1 - lam)*y[j]


def mixup_partner_only(x, y, lam):
    j = perm(x)
    return mixed(x, y, lam, j)[0], torch.eye(10)[y[j]]


def mixup_own_only(x, y, lam): return mixed(x, y, lam, perm(x))[0], torch.eye(10)[y]
def mixup_sum(x, y, lam): return lam*x + x[perm(x)], torch.eye(10)[y]
def mixup_half_targets(x, y, lam):
    images, targets = mixed(x, y, lam, j := perm(x))
    return images, lam*torch.eye(10)[y]


def mixup_per_image(x, y, lam):
    "A lambda of its own for each image"
    lams, j = torch.rand(len(x)), perm(x)
    rows, w, wide = torch.eye(10)[y], lams[:, None], lams[:, None, None]
    return wide*x + (1 - wide)*x[j], w*rows + (1 - w)*rows[j]


BANK["check_mixup"] = Bank([mixup_loop, mixup_lerp, mixup_numpy], [
    (lambda x, y, lam: mixed(x, y, lam, perm(x), perm(x)), "once, or again"),
    (lambda x, y, lam: mixed(x, y, 1 - lam, perm(x)), "Which of the two has"),
    (lambda x, y, lam: mixed(x, y, lam, perm(x), targets=1 - lam), "the targets too"),
    (lambda x, y, lam: mixed(x, y, lam, torch.arange(len(x)).flip(0)), "drawn anew"),
    (lambda x, y, lam: mixed(x, y, lam, torch.arange(len(x)).roll(1)), "drawn anew"),
    (lambda x, y, lam: mixed(x, y, lam, torch.arange(len(x)).roll(
        int(torch.randint(len(x), ())))), "leave all permutations"),
    (lambda x, y, lam: mixed(x, y, lam, torch.randint(len(x), y.shape)), "a partner"),
    (mixup_derangement, "leave all permutations"), (mixup_seeded, "drawn anew"),
    (mixup_reseeds, "drawn anew"), (mixup_np_random, "Which generator"),
    (mixup_np_new, "Which generator does a checkpoint"), (mixup_in_place, "in place"),
    (mixup_short_rows, "rows of ten"), (mixup_numbers, "Mix one-hot rows"),
    (mixup_partner_only, "partners alone"), (mixup_own_only, "targets mixed as well"),
    (mixup_sum, "add up to one"), (mixup_half_targets, "both shares in a target"),
    (mixup_per_image, "same `lam` for all"),
    (lambda x, y, lam: mixed(x, y, lam, perm(x))[0], "one after the other")])


# ---------------------------------------------------------------- digits_needed
def needed_search(p, d, z):
    "The smallest n by trial"
    n = 1
    while d < z*math.sqrt(2*p*(1 - p)/n): n *= 1.01
    return math.ceil(n)


def needed_two_rates(p, d, z): return (p*(1 - p) + (p + d)*(1 - p - d))*(z/d)**2
def needed_tensor(p, d, z): return torch.tensor(2*p*(1 - p)*(z/d)**2).ceil()
def needed(p, d, z): return 2*p*(1 - p)*z**2/d**2


BANK["check_digits_needed"] = Bank([needed_search, needed_two_rates, needed_tensor], [
    (lambda p, d, z: needed(p, d, z)/2, "measured exactly"),
    (lambda p, d, z: 2*needed(p, d, z), "variances or deviations"),
    (lambda p, d, z: needed(p, d, z)/z, "number of deviations squared"),
    (lambda p, d, z: 2*p*(1 - p)/d**2, "Where has .z. gone"),
    (lambda p, d, z: 2*p*(1 - p)*z**2/d, "Is .d. squared"),
    (lambda p, d, z: 2*p*z**2/d**2, "that is right"),
    (lambda p, d, z: p*z**2/d**2, "that is right.*measured exactly"),
    (lambda p, d, z: 2*math.sqrt(p*(1 - p))*z**2/d**2, "or its deviation"),
    (lambda p, d, z: needed(p, d*p, z), "relative to"),
    (lambda p, d, z: math.sqrt(needed(p, d, z)), "the root of it"),
    (lambda p, d, z: z*z/(d*d)/4, "What is the variance")])
