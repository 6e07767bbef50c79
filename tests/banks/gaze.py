"Answers to the exercises of part 5"
import math, random
from collections import Counter
from functools import partial, reduce

import numpy as np
import torch
import torch.nn.functional as F
from einops import rearrange

from banks import Bank

BANK = {}


# --------------------------------------------------------------- lesson 28: down_limit

BANK["check_down_limit"] = Bank(
    right=[3, 3.0, torch.tensor(3)],
    wrong=[(0, "How many digits"), (1, "How many digits"), (2, "How many digits"),
        (4, "smaller moves"), (8, "smaller moves"), (lambda: 3, "is no number"),
        ("3 pixels", "is no number")])


# --------------------------------------------------------- lesson 28: resize_positions

def resize(pos, old, new, read="h w", write=None, **kw):
    grid = rearrange(pos[:, 1:], f"1 ({read}) d -> 1 d h w", h=old[0])
    grid = F.interpolate(grid, new, **({"mode": "bicubic"} | kw))
    grid = rearrange(grid, f"1 d h w -> 1 ({write or read}) d")
    return torch.cat([pos[:, :1], grid], 1)


def bilinear_numpy(pos, old, new):
    "Mixtures of rows, then of columns, in NumPy"
    def mix(n, m):
        at = np.linspace(0, n - 1, m) if m > 1 else np.array([(n - 1)/2])
        low = np.floor(at).astype(int).clip(0, max(n - 2, 0))
        out = np.zeros((m, n))
        out[np.arange(m), low] += 1 - (at - low)
        out[np.arange(m), np.minimum(low + 1, n - 1)] += at - low
        return out
    p = pos.numpy().astype(float)
    grid = p[0, 1:].reshape(*old, -1)
    grid = np.einsum("ih,jw,hwd->ijd", mix(old[0], new[0]), mix(old[1], new[1]), grid)
    return np.concatenate([p[:, :1], grid.reshape(1, new[0]*new[1], -1)], 1)


def number_by_number(pos, old, new):
    "Each of the d numbers as a picture of its own"
    if old == new: return pos
    grids = [o.reshape(1, 1, *old) for o in pos[0, 1:].T]
    parts = [F.interpolate(o, size=new, mode="bicubic").reshape(1, -1) for o in grids]
    return torch.cat([pos[:, :1], torch.stack(parts, -1)], 1)


def cls_in_the_grid(pos, old, new):
    grid = F.interpolate(pos.mT, new[0]*new[1] + 1, mode="linear", align_corners=True)
    return grid.mT


def along_the_list(pos, old, new):
    grid = F.interpolate(pos[:, 1:].mT, new[0]*new[1], mode="linear")
    return torch.cat([pos[:, :1], grid.mT], 1)


def cls_last(pos, old, new):
    out = resize(pos, old, new)
    return torch.cat([out[:, 1:], out[:, :1]], 1)


def no_cls(pos, old, new): return resize(pos, old, new)[:, 1:]


def new_cls(pos, old, new):
    return torch.cat([pos.mean(1, keepdim=True), resize(pos, old, new)[:, 1:]], 1)


def view_only(pos, old, new):
    "Numbers and places mixed by a view without a transpose"
    grid = F.interpolate(pos[:, 1:].reshape(1, -1, *old), new, mode="bicubic")
    return torch.cat([pos[:, :1], grid.reshape(1, new[0]*new[1], -1)], 1)


def square_grid(pos, old, new):
    side = math.isqrt(pos.shape[1] - 1)
    return resize(pos, (side, side), new)


def cut_off(pos, old, new):
    "Takes the first places, or repeats the last one"
    grid = rearrange(pos[:, 1:], "1 (h w) d -> h w d", h=old[0])
    rows, cols = (torch.arange(m).clamp(max=n - 1) for m, n in zip(new, old))
    return torch.cat([pos[:, :1], grid[rows][:, cols].reshape(1, new[0]*new[1], -1)], 1)


def crop_or_resize(pos, old, new):
    if new[0] > old[0] or new[1] > old[1]: return resize(pos, old, new)
    return cut_off(pos, old, new)


BANK["check_resize_positions"] = Bank(
    right=[resize, bilinear_numpy, number_by_number,
        partial(resize, mode="bilinear", align_corners=True),
        partial(resize, antialias=True),
        lambda pos, old, new: resize(pos.double(), old, new)],
    wrong=[
        (partial(resize, read="w h"), "row by row, or column by column"),
        (partial(resize, write="w h"), "row by row, or column by column"),
        (lambda pos, old, new: pos, "How many vectors"),
        (cls_in_the_grid, "place in the picture has the CLS token|neighbours in the"),
        (along_the_list, "neighbours in the picture"),
        (cls_last, "place in the picture has the CLS token"),
        (no_cls, "How many vectors"),
        (new_cls, "place in the picture has the CLS token"),
        (view_only, "do places mix"),
        (square_grid, "Is a grid square"),
        (cut_off, "What lies between|Where does the last"),
        (crop_or_resize, "Where does the last"),
        (partial(resize, mode="nearest"), "What lies between"),
        (lambda pos, old, new: resize(pos, old, new[::-1]), "its rows or its columns"),
    ])


# ------------------------------------------------------------------ lesson 28: rollout

def rolled(weights, heads=lambda a: a.mean(1), half=0.5, backwards=False, norm=False):
    out = torch.eye(weights[0].shape[-1])
    for a in weights[::-1] if backwards else weights:
        a = half*heads(a) + (1 - half)*torch.eye(a.shape[-1])
        out = (a/a.sum(-1, keepdim=True) if norm else a) @ out
    return out


def rolled_numpy(weights):
    "From the last layer down, in double precision"
    parts = [(a.double().numpy().mean(1) + np.eye(a.shape[-1]))/2 for a in weights]
    return reduce(np.matmul, parts[::-1])


def rolled_einsum(weights):
    "The half that comes past the attention, written apart"
    out = None
    for a in weights:
        a = a.mean(1)
        if out is None: out = torch.eye(a.shape[-1]).repeat(len(a), 1, 1)
        out = 0.5*out + 0.5*torch.einsum("bij,bjk->bik", a, out)
    return out


def no_half(weights):
    out = torch.eye(weights[0].shape[-1])
    for a in weights: out = (a.mean(1) + torch.eye(a.shape[-1])) @ out
    return out


def in_place(weights):
    for a in weights: a.add_(torch.eye(a.shape[-1])).div_(2)
    return rolled(weights, half=1.)


BANK["check_rollout"] = Bank(
    right=[rolled, rolled_numpy, rolled_einsum, partial(rolled, norm=True)],
    wrong=[
        (partial(rolled, half=1.), "comes past the attention"),
        (partial(rolled, heads=lambda a: a[:, 0]), "first head speak for all"),
        (partial(rolled, heads=lambda a: a.amax(1)/a.amax(1).sum(-1, keepdim=True)),
            "ask for the strongest head"),
        (partial(rolled, heads=lambda a: a.amax(1)), "strongest head"),
        (partial(rolled, heads=lambda a: a.sum(1)), "A sum of heads"),
        (partial(rolled, backwards=True), "Which layer comes first"),
        (no_half, "do the rows sum to 1"),
        (lambda weights: rolled(weights[-1:]), "layers before the last"),
        (lambda weights: weights[-1].mean(1), "comes past the attention"),
        (lambda weights: rolled(weights[:1]), "what the first has mixed"),
        (lambda weights: (rolled(weights, half=1.) + torch.eye(weights[0].shape[-1]))/2,
            "Does each layer let half"),
        (lambda weights: sum(rolled([a]) for a in weights)/len(weights),
            "layers averaged"),
        (lambda weights: torch.stack([rolled([a[:, i:i + 1] for a in weights])
            for i in range(weights[0].shape[1])]).mean(0),
            "before or after the product"),
        (lambda weights: rolled(weights)[0], "Which matrix|Which axes"),
        (in_place, "Work on a copy"),
    ])


# ---------------------------------------------------------------------- lesson 29: lag

def lag_of(gaze, target, most, start=0, mean=torch.Tensor.nanmean, centre=True,
           axis=None):
    def error(k):
        d = gaze[k:] - target[:len(target) - k]
        if axis is not None: d = d[:, axis:axis + 1]
        return mean((d - d.nanmean(0)*centre).square()).item()
    return min(range(start, most + 1), key=error)


def lag_numpy(gaze, target, most):
    "Frames without a blink are picked before the loop over lags"
    gaze, target = np.asarray(gaze, dtype=float), np.asarray(target, dtype=float)
    open_eyes = np.flatnonzero(np.isfinite(gaze).all(1))
    errors = []
    for k in range(most + 1):
        at = open_eyes[open_eyes >= k]
        errors.append((gaze[at] - target[at - k]).var(0).sum())
    return np.argmin(errors)


def lag_by_correlation(gaze, target, most):
    "The lag of highest correlation"
    best, found = -9., 0
    for k in range(most + 1):
        a, b = gaze[k:], target[:len(target) - k]
        seen = a.isfinite().all(1)
        a, b = (o[seen].double() - o[seen].double().mean(0) for o in (a, b))
        r = ((a*b).sum()/(a.square().sum()*b.square().sum()).sqrt()).item()
        if r > best + 1e-12: best, found = r, k
    return torch.tensor(float(found))


def minus_zero(gaze, target, most):
    def error(k):
        d = gaze[k:] - target[:-k]
        return (d - d.nanmean(0)).square().nanmean().item()
    return min(range(most + 1), key=error)


def minus_zero_skipped(gaze, target, most):
    def error(k):
        d = gaze[k:] - target[:-k] if k else gaze - target
        return d.square().mean().item()
    return min(range(most + 1), key=error)


def zero_for_a_blink(gaze, target, most):
    return lag_of(gaze.nan_to_num(), target, most)


def wrong_way(gaze, target, most):
    def error(k):
        d = gaze[:len(gaze) - k] - target[k:]
        return (d - d.nanmean(0)).square().nanmean().item()
    return min(range(most + 1), key=error)


def rolled_round(gaze, target, most):
    def error(k):
        d = gaze - target.roll(k, 0)
        return (d - d.nanmean(0)).square().nanmean().item()
    return min(range(most + 1), key=error)


def without_most(gaze, target, most): return lag_of(gaze, target, max(most - 1, 0))


def short_range(gaze, target, most):
    def error(k):
        d = gaze[k:] - target[:len(target) - k]
        return (d - d.nanmean(0)).square().nanmean().item()
    return min(range(most), key=error)


def fills_in_place(gaze, target, most):
    gaze[gaze.isnan()] = 0.5
    return lag_of(gaze, target, most)


def holds_the_last(gaze, target, most):
    gaze = gaze.clone()
    for t in range(1, len(gaze)):
        if gaze[t].isnan().any(): gaze[t] = gaze[t - 1]
    return lag_of(gaze, target, most)


def mean_for_a_blink(gaze, target, most):
    return lag_of(torch.where(gaze.isnan(), gaze.nanmean(0), gaze), target, most)


def stops_early(gaze, target, most):
    def error(k): return (lambda d: (d - d.nanmean(0)).square().nanmean())(
        gaze[k:] - target[:len(target) - k])
    k = 0
    while k < most and error(k + 1) <= error(k): k += 1
    return k


BANK["check_lag"] = Bank(
    right=[lag_of, lag_numpy, lag_by_correlation],
    wrong=[
        (partial(lag_of, centre=False), "off everywhere"),
        (without_most, "Which lags does your loop try"),
        (short_range, "Which lags|compared for a lag of 0"),
        (partial(lag_of, start=1), "Which lags does your loop try"),
        (partial(lag_of, mean=torch.Tensor.nansum), "fewer frames to add up"),
        (partial(lag_of, axis=0), "Which of the two coordinates"),
        (partial(lag_of, axis=1), "other coordinate"),
        (partial(lag_of, mean=torch.Tensor.mean), "the error of a frame that is nan"),
        (minus_zero, "compared for a lag of 0"),
        (minus_zero_skipped, "off everywhere"),
        (zero_for_a_blink, "Where on the screen is a blink"),
        (wrong_way, "Which of the two comes first"),
        (rolled_round, "last frames come before the first"),
        (lambda gaze, target, most: lag_of(gaze[gaze.isfinite().all(1)],
            target[gaze.isfinite().all(1)], most), "still as late as before"),
        (holds_the_last, "What stands in for a blink"),
        (mean_for_a_blink, "What stands in for a blink"),
        (lambda gaze, target, most: lag_of(*(o.mean(1)[:, None] for o in (gaze, target)),
            most), "only their mean"),
        (stops_early, "Does the error fall at each lag"),
        (fills_in_place, "Work on a copy"),
        (lambda gaze, target, most: most, "What is compared for a lag of 0"),
    ])


# ------------------------------------------------------------- lesson 29: shuffle_gaze

def generator(seed): return torch.Generator().manual_seed(seed)


def shuffled_rows(shares, seed):
    "Any row may come anywhere"
    return shares[torch.randperm(len(shares), generator=generator(seed))]


def none_keeps_its_own(shares, seed):
    "Frames without gaze stay as they are, all others get another frame's"
    order = shares.any(-1).nonzero().flatten()
    order = order[torch.randperm(len(order), generator=generator(seed))]
    out = shares.clone()
    out[order] = shares[order.roll(1)]
    return out


def shuffled_numpy(shares, seed): return np.random.default_rng(seed).permutation(shares)


def shuffled_list(shares, seed):
    rows = shares.tolist()
    random.Random(seed).shuffle(rows)
    return rows


def reseeded(shares, seed):
    torch.manual_seed(seed)
    return shares[torch.randperm(len(shares))]


def reseeded_numpy(shares, seed):
    np.random.seed(seed)
    return shares[np.random.permutation(len(shares))]


def own_numpy_seed(shares, seed):
    return shares[np.random.default_rng().permutation(len(shares))]


def one_seed(shares, seed): return shuffled_rows(shares, 0)


def rolled_by_chance(shares, seed):
    by = torch.randint(len(shares), (), generator=generator(seed))
    return shares.roll(by.item(), 0)


def with_replacement(shares, seed):
    return shares[torch.randint(len(shares), (len(shares),), generator=generator(seed))]


def patches_shuffled(shares, seed):
    return shares[:, torch.randperm(shares.shape[1], generator=generator(seed))]


def each_column(shares, seed):
    g = generator(seed)
    return torch.stack([o[torch.randperm(len(o), generator=g)] for o in shares.T], 1)


def neighbours_swapped(shares, seed):
    out = shares.clone()
    n = len(out)//2*2
    out[:n] = shares[:n].view(-1, 2, shares.shape[1]).flip(1).flatten(0, 1)
    return out


def within_ten(shares, seed):
    g = generator(seed)
    at = torch.arange(len(shares)).split(10)
    return shares[torch.cat([o[torch.randperm(len(o), generator=g)] for o in at])]


def in_place_rows(shares, seed):
    return shares.copy_(shuffled_rows(shares, seed))


def empty_last(shares, seed):
    some = shares.any(-1)
    return torch.cat([shuffled_rows(shares[some], seed), shares[~some]])


BANK["check_shuffle_gaze"] = Bank(
    right=[shuffled_rows, none_keeps_its_own, shuffled_numpy, shuffled_list],
    wrong=[
        (lambda shares, seed: shares.roll(1, 0), "gaze of the next frame"),
        (lambda shares, seed: shares.roll(seed, 0), "true gaze a control of"),
        (lambda shares, seed: shares.roll(100, 0), "were all rows moved alike"),
        (lambda shares, seed: shares.flip(0), "Was the order drawn"),
        (lambda shares, seed: shares, "true gaze a control of"),
        (rolled_by_chance, "were all rows moved alike|gaze of the next frame"),
        (reseeded, "generator of your own"),
        (reseeded_numpy, "generator of your own"),
        (own_numpy_seed, "What does the seed decide"),
        (one_seed, "What does the seed decide"),
        (with_replacement, "one may come twice"),
        (patches_shuffled, "frames or the patches of a frame"),
        (each_column, "frames or the patches of a frame"),
        (neighbours_swapped, "gaze of the next frame"),
        (within_ten, "gaze of the next frame"),
        (empty_last, "frames without gaze go"),
        (in_place_rows, "Work on a copy"),
        (lambda shares, seed: shuffled_rows(shares, seed)[:-1], "Who gets gaze"),
    ])


# ------------------------------------------------------------------- lesson 29: spread

BANK["check_spread"] = Bank(
    right=[14.5, 14, 15, torch.tensor(14.2)],
    wrong=[(6, "Over how many"), (12, "Over how many"), (0.5, "Over how many"),
        (20, "is the first"), (36, "is the first"), (lambda: 14, "is no number"),
        ("14 pixels", "is no number")])


# -------------------------------------------------------------- lesson 30: held_frames

BANK["check_held_frames"] = Bank(
    right=[3, 3.0, np.int64(3)],
    wrong=[(1, "What share"), (2, "What share"), (0.6, "What share"), (4, "smaller number"),
        (10, "smaller number"), (lambda: 3, "is no number"), ("three", "is no number")])


# --------------------------------------------------------------------- lesson 30: leak

def leak_by_loops(train, valid):
    hits = 0
    for game, t in valid.tolist():
        hits += any(g == game and abs(u - t) == 1 for g, u in train.tolist())
    return hits/len(valid) if len(valid) else 0


def leak_by_tensors(train, valid, far=1, own=True, reduce="any"):
    if not len(valid): return 0.
    game = valid[:, None, 0] == train[None, :, 0] if own else True
    apart = (valid[:, None, 1] - train[None, :, 1]).abs()
    near = game & (apart <= far) & (apart > 0)
    if reduce == "sum": return near.sum().item()/len(valid)
    return near.any(1).float().mean().item()


def leak_by_numbers(train, valid):
    "NumPy, a number for each frame"
    a, b = (o.numpy()[:, 0]*10**6 + o.numpy()[:, 1] for o in (train, valid))
    return np.mean(np.isin(b - 1, a) | np.isin(b + 1, a)) if len(b) else 0


def leak_side(train, valid, *sides):
    known = set(map(tuple, train.tolist()))
    hits = [any((g, t + d) in known for d in sides) for g, t in valid.tolist()]
    return sum(hits)/max(1, len(hits))


def leak_both(train, valid):
    return sum(leak_side(train, o[None], -1)*leak_side(train, o[None], 1)
        for o in valid)/max(1, len(valid))


BANK["check_leak"] = Bank(
    right=[leak_by_loops, leak_by_tensors, leak_by_numbers],
    wrong=[
        (partial(leak_by_tensors, own=False), "frames of another game"),
        (lambda train, valid: leak_side(train, valid, 1), "frame before too"),
        (lambda train, valid: leak_side(train, valid, -1), "frame after too"),
        (lambda train, valid: leak_side(train, valid, 0), "its own neighbour"),
        (partial(leak_by_tensors, far=2), "How far away"),
        (partial(leak_by_tensors, reduce="sum"), "count twice"),
        (leak_both, "or both of them"),
        (lambda train, valid: leak_by_loops(valid, train), "validation or training"),
        (lambda train, valid: leak_by_loops(train, valid)*len(valid), "how many"),
        (lambda train, valid: 1 - leak_by_loops(train, valid), "or the others"),
        (lambda train, valid: leak_side(train, valid, -1, 1)*len(valid)/len(valid),
            "one of the two is empty"),
    ])


# ------------------------------------------------------------ lesson 31: tempting_size

BANK["check_tempting_size"] = Bank(
    right=[45, 43.0, np.int64(44), torch.tensor(46)],
    wrong=[(24, "in which share"), (20, "in which share"), (38, "in which share"),
        (0.95, "in which share"), (40, "in which share"), (60, "smaller game"),
        (100, "smaller game"), (lambda: 45, "is no number"), ("45 pixels", "is no number")])


# ---------------------------------------------------------- lesson 31: paired_interval

def paired(a, b, n, seed, draw=None, ends=(0.025, 0.975), of=np.mean):
    "Bootstrap in NumPy; `draw` gives the games of each sample"
    diff, rng = np.asarray(b) - np.asarray(a), np.random.default_rng(seed)
    rows = (draw or (lambda rng, n, k: rng.integers(k, size=(n, k))))(rng, n, len(diff))
    return diff.mean(), *np.quantile(of(diff[rows], 1), ends)


def paired_torch(a, b, n, seed):
    "In float32"
    rows = torch.randint(len(a), (n, len(a)), generator=generator(seed))
    means = (b.float()[rows] - a.float()[rows]).mean(1)
    ends = means.quantile(torch.tensor([0.025, 0.975]))
    return torch.stack([(b - a).float().mean(), *ends])


def paired_python(a, b, n, seed):
    "Lists and a sort"
    rng, diff = random.Random(seed), [y - x for x, y in zip(a.tolist(), b.tolist())]
    means = sorted(sum(rng.choices(diff, k=len(diff)))/len(diff) for _ in range(n))
    return sum(diff)/len(diff), means[int(0.025*(n - 1))], means[round(0.975*(n - 1))]


def unpaired(a, b, n, seed):
    rng = np.random.default_rng(seed)
    x, y = (rng.choice(o.numpy(), (n, len(o))).mean(1) for o in (a, b))
    return (b - a).double().mean(), *np.quantile(y - x, [0.025, 0.975])


def bell_curve(a, b, n, seed):
    d = (b - a).double()
    half = 1.96*d.std(correction=0)/len(d)**0.5
    return d.mean(), d.mean() - half, d.mean() + half


def bell_curve_of_samples(a, b, n, seed):
    diff = np.asarray(b) - np.asarray(a)
    sd = np.random.default_rng(seed).choice(diff, (n, len(diff))).mean(1).std()
    return diff.mean(), diff.mean() - 1.96*sd, diff.mean() + 1.96*sd


def mirrored(a, b, n, seed):
    mean, low, high = paired(a, b, n, seed)
    return mean, 2*mean - high, 2*mean - low


def mean_of_samples(a, b, n, seed):
    diff = np.asarray(b) - np.asarray(a)
    means = np.random.default_rng(seed).choice(diff, (n, len(diff))).mean(1)
    return means.mean(), *np.quantile(means, [0.025, 0.975])


def seeded_globally(a, b, n, seed):
    torch.manual_seed(seed)
    rows = torch.randint(len(a), (n, len(a)))
    means = (b - a).double()[rows].mean(1)
    return (b - a).double().mean(), means.quantile(0.025), means.quantile(0.975)


def no_seed(a, b, n, seed):
    return paired(a, b, n, np.random.SeedSequence().entropy)


def without_replacement(rng, n, k):
    return rng.permuted(np.tile(np.arange(k), (n, 1)), axis=1)


BANK["check_paired_interval"] = Bank(
    right=[paired, paired_torch, paired_python],
    wrong=[
        (bell_curve, "formula for a bell curve"),
        (bell_curve_of_samples, "formula for a bell curve"),
        (lambda a, b, n, seed: paired(a, b, n, 0), "What does the seed decide"),
        (no_seed, "What does the seed decide"),
        (seeded_globally, "generator of your own"),
        (unpaired, "drawn for the other too"),
        (lambda a, b, n, seed: paired(b, a, n, seed), "Which is taken from which"),
        (partial(paired, draw=without_replacement), "drawn twice"),
        (partial(paired, draw=lambda rng, n, k: rng.integers(k, size=(n, 1))),
            "a single game"),
        (partial(paired, draw=lambda rng, n, k: rng.integers(k, size=(n, 500))),
            "How many games does a sample draw"),
        (partial(paired, ends=(0.05, 0.95)), "beyond each end"),
        (partial(paired, ends=(0.975, 0.025)), "Which end comes first"),
        (partial(paired, of=np.median), "or a median"),
        (partial(paired, of=np.sum), "interval|or a sum"),
        (mirrored, "deviation from their mean"),
        (mean_of_samples, "or of the samples"),
        (lambda a, b, n, seed: paired(a, b, 2000, seed), "How many samples"),
        (lambda a, b, n, seed: paired(a, b, n, seed)[1:], "Which three numbers"),
        (lambda a, b, n, seed: np.roll(paired(a, b, n, seed), -1), "comes first|mean"),
        (lambda a, b, n, seed: paired(a, b, n, seed % 2), "What does the seed decide"),
    ])


# --------------------------------------------------------------- lesson 31: needs_lamp

def needs_by_dict(frames, actions, part=np.s_[:, :, 4:], key=lambda x: x.tobytes()):
    "Pictures as keys"
    keys, kinds = [key(x) for x in frames[part].numpy()], {}
    for k, a in zip(keys, actions.tolist()): kinds.setdefault(k, set()).add(a)
    return sum(len(kinds[k]) > 1 for k in keys)/len(keys)


def needs_by_pairs(frames, actions):
    "Each frame held against each"
    x = frames[:, :, 4:].flatten(1)
    same = torch.stack([(x == o).all(1) for o in x])
    return (same & (actions != actions[:, None])).any(1).double().mean().item()


def needs_by_sort(frames, actions):
    "The smallest and the largest action of each picture"
    x = frames[:, 0, 4:].flatten(1).numpy()
    _, at = np.unique(x, axis=0, return_inverse=True)
    at, a = at.ravel(), actions.numpy()
    low, high = np.full(at.max() + 1, 9), np.full(at.max() + 1, -1)
    np.minimum.at(low, at, a)
    np.maximum.at(high, at, a)
    return np.float32((low != high)[at].mean())


def pictures_counted(frames, actions):
    kinds = {}
    for x, a in zip(frames[:, :, 4:].numpy(), actions.tolist()):
        kinds.setdefault(x.tobytes(), set()).add(a)
    return np.mean([len(o) > 1 for o in kinds.values()])


def rarer_counted(frames, actions):
    keys, kinds = [x.tobytes() for x in frames[:, :, 4:].numpy()], {}
    for k, a in zip(keys, actions.tolist()): kinds.setdefault(k, Counter())[a] += 1
    often = {k: o.most_common(1)[0][0] for k, o in kinds.items()}
    return np.mean([a != often[k] for k, a in zip(keys, actions.tolist())])


def twice_counted(frames, actions):
    keys = [x.tobytes() for x in frames[:, :, 4:].numpy()]
    times = Counter(keys)
    return np.mean([times[k] > 1 for k in keys])


def next_frame(frames, actions):
    same = (frames[1:, :, 4:] == frames[:-1, :, 4:]).flatten(1).all(1)
    return (same & (actions[1:] != actions[:-1])).float().sum()/len(frames)


def against_the_first(frames, actions):
    "Holds each frame against the first one of its picture, which it never counts"
    seen, hits = {}, 0
    for x, a in zip(frames[:, :, 4:].numpy(), actions.tolist()):
        hits += seen.setdefault(x.tobytes(), a) != a
    return hits/len(frames)


def blackened(frames, actions):
    frames[:, :, :4] = 0
    return needs_by_dict(frames, actions)


BANK["check_needs_lamp"] = Bank(
    right=[needs_by_dict, needs_by_pairs, needs_by_sort],
    wrong=[
        (lambda frames, actions: 0.*len(frames), "Which frames have the same picture"),
        (partial(needs_by_dict, part=np.s_[:]), "still hold the lamps"),
        (partial(needs_by_dict, part=np.s_[:, :, :, 4:]), "Which axis is the height"),
        (partial(needs_by_dict, part=np.s_[:, :, 3:]), "above row 4"),
        (partial(needs_by_dict, part=np.s_[:, :, 5:]), "Row 4 is part"),
        (partial(needs_by_dict, key=lambda x: x.sum()), "the same sum"),
        (pictures_counted, "Are pictures counted"),
        (rarer_counted, "rarer action"),
        (against_the_first, "The first frame of such a picture"),
        (twice_counted, "twice with one action"),
        (next_frame, "the next frame"),
        (lambda frames, actions: 1 - needs_by_dict(frames, actions),
            "those that do not"),
        (lambda frames, actions: len(frames)*needs_by_dict(frames, actions),
            "how many"),
        (blackened, "Work on a copy"),
    ])


# ------------------------------------------------------------------ lesson 32: cls_row

def row_of(qkv, heads, pattern="three h d", asks=0, read=1, own=1, cls=0):
    o = rearrange(qkv, f"b n ({pattern}) -> three b h n d", three=3, h=heads)
    scores = torch.einsum("bhd,bhnd->bhn", o[asks][:, :, cls], o[read][:, :, own:])
    return scores/o.shape[-1]**0.5


def row_by_loop(qkv, heads):
    "Head by head, token by token"
    width = qkv.shape[-1]//3
    d, rows = width//heads, []
    for o in qkv.split(1):
        q, k = o[0, 0, :width], o[0, 1:, width:2*width]
        rows.append(torch.stack([torch.stack([q[i*d:(i + 1)*d] @ v[i*d:(i + 1)*d]
            for v in k]) for i in range(heads)])/math.sqrt(d))
    return torch.stack(rows)


def row_of_all(qkv, heads):
    "All scores first, then the row of the first token"
    q, k, _ = qkv.unflatten(-1, (3, heads, -1)).permute(2, 0, 3, 1, 4)
    return (q @ k.mT)[:, :, 0, 1:]*q.shape[-1]**-0.5


def width(qkv, heads): return qkv.shape[-1]//3//heads


def asked_by_patches(qkv, heads):
    "The score that each patch gives the CLS token"
    q, k, _ = rearrange(qkv, "b n (three h d) -> three b h n d", three=3, h=heads)
    return (q[:, :, 1:] @ k[:, :, :1].mT).squeeze(3)*q.shape[-1]**-0.5


BANK["check_cls_row"] = Bank(
    right=[row_of, row_by_loop, row_of_all],
    wrong=[
        (lambda x, h: row_of(x, h)*h, "What|Which"),
        (lambda x, h: row_of(x, h)*width(x, h)**0.5, "By what are the scores divided"),
        (lambda x, h: row_of(x, h)*width(x, h)**-0.5, "or by its square root"),
        (lambda x, h: row_of(x, h)*width(x, h), "or multiplied with"),
        (lambda x, h: row_of(x, h)*h**-0.5, "one head or of all together"),
        (lambda x, h: row_of(x, h)*(3*h)**-0.5, "of the whole projection"),
        (lambda x, h: row_of(x, h)*(width(x, h)/h)**0.5, "number of heads"),
        (partial(row_of, own=0), "own key"),
        (partial(row_of, pattern="h three d"), "all queries first"),
        (partial(row_of, pattern="three d h"), "is it head by head"),
        (partial(row_of, pattern="d three h"), "In which order"),
        (asked_by_patches, "Who asks"),
        (partial(row_of, read=2), "which are the keys"),
        (partial(row_of, read=0), "Queries or keys"),
        (lambda x, h: row_of(x, h).softmax(-1), "already probabilities"),
        (lambda x, h: row_of(x.flip(1), h).flip(-1), "the first or the last"),
        (lambda x, h: row_of(x, h).mean(1), "one for all"),
        (lambda x, h: row_of(x, h).squeeze(), "axis of size 1 gone"),
        (lambda x, h: row_of(x.detach(), h), "no gradient flows"),
        (lambda x, h: row_of(x, h).detach().numpy(), "no gradient flows"),
        (lambda x, h: row_of(torch.cat([x[:, :1].detach(), x[:, 1:]], 1), h),
            "detached"),
    ])


# ----------------------------------------------------------------- lesson 32: shuffled

def games_of(episodes):
    return [(episodes == o).nonzero().flatten() for o in episodes.unique()]


def each_shuffled(episodes, seed):
    "Game after game, the frames of each in a random order"
    g = generator(seed)
    return [o[torch.randperm(len(o), generator=g)] for o in games_of(episodes)]


def plain_shuffle(shares, episodes, seed):
    "Any row may come anywhere"
    return shares[torch.randperm(len(shares), generator=generator(seed))]


def other_games(shares, episodes, seed):
    "No frame has gaze of its own game: it comes from the longest game's length away"
    order, out = torch.cat(each_shuffled(episodes, seed)), shares.clone()
    out[order] = shares[order.roll(max(map(len, games_of(episodes))))]
    return out


def drawn_again(shares, episodes, seed):
    "NumPy; of fifty shuffles the one with the least gaze of the own game"
    rng, e = np.random.default_rng(seed), episodes.numpy()
    orders = [rng.permutation(len(e)) for _ in range(50)]
    return shares.numpy()[min(orders, key=lambda o: (e[o] == e).mean())]


def shuffled_within(shares, episodes, seed):
    out = shares.clone()
    for at, to in zip(games_of(episodes), each_shuffled(episodes, seed)):
        out[at] = shares[to]
    return out


def rolled_by_a_game(shares, episodes, seed):
    "Takes it that games are equally long"
    return shares.roll(len(shares)//len(episodes.unique()), 0)


def equal_games(shares, episodes, seed):
    "Shuffles each game, then moves by the mean length of a game"
    order, out = torch.cat(each_shuffled(episodes, seed)), shares.clone()
    out[order] = shares[order.roll(len(shares)//len(games_of(episodes)))]
    return out


def mean_gaze(shares, episodes, seed): return shares.mean(0).expand_as(shares)


def drawn_from_others(shares, episodes, seed):
    g = generator(seed)
    at = [(episodes != o).nonzero().flatten() for o in episodes]
    return shares[torch.stack([o[torch.randint(len(o), (), generator=g)] for o in at])]


def patches_moved(shares, episodes, seed):
    return shares[:, torch.randperm(shares.shape[1], generator=generator(seed))]


def globally(shares, episodes, seed):
    torch.manual_seed(seed)
    return shares[torch.randperm(len(shares))]


def rolled_by_seed(shares, episodes, seed): return shares.roll(seed + 1, 0)


def half_within(shares, episodes, seed):
    "A shuffle of the first half, and of the second"
    g, n = generator(seed), len(shares)//2
    halves = shares[:n], shares[n:]
    return torch.cat([o[torch.randperm(len(o), generator=g)] for o in halves])


def games_in_turn(shares, episodes, seed):
    "NumPy: the games in a random order, frames in a random order, the longest game away"
    rng, e = np.random.default_rng(seed), episodes.numpy()
    rank = rng.permutation(len(np.unique(e)))[np.unique(e, return_inverse=True)[1]]
    order = np.lexsort((rng.random(len(e)), rank))
    out = shares.numpy().copy()
    out[order] = shares.numpy()[np.roll(order, np.bincount(rank).max())]
    return out


BANK["check_shuffled"] = Bank(
    right=[other_games, games_in_turn],
    wrong=[
        (plain_shuffle, "what leaves none"),
        (drawn_again, "own game|what leaves none|same length"),
        (shuffled_within, "Within which games"),
        (lambda shares, episodes, seed: shares, "true gaze a control of"),
        (lambda shares, episodes, seed: shares.roll(1, 0), "Within which games"),
        (rolled_by_a_game, "What does the seed decide|own game"),
        (equal_games, "same length|what leaves none"),
        (mean_gaze, "moved as it is, or mixed"),
        (drawn_from_others, "drawn with replacement"),
        (patches_moved, "the patches of a frame"),
        (globally, "generator of your own"),
        (rolled_by_seed, "own game|Within which games"),
        (half_within, "same length|what leaves none|Within"),
        (lambda shares, episodes, seed: other_games(shares, episodes, 0),
            "What does the seed decide"),
        (lambda shares, episodes, seed: plain_shuffle(shares, episodes, seed)[1:],
            "How many frames"),
        (lambda shares, episodes, seed: shares.copy_(
            other_games(shares, episodes, seed)), "Work on a copy"),
    ])


# ---------------------------------------------------------- lesson 32: shuffle_patches

def place_by_place(p, seen, seed, keep=None, draw=None):
    g, out = generator(seed), p.clone()
    for j in range(p.shape[1]):
        i = torch.where(~seen[:, j] if keep is None else keep[:, j])[0]
        at = torch.randperm(len(i), generator=g) if draw is None else draw(len(i), g)
        out[i, j] = p[i[at], j]
    return out


def patches_in_numpy(p, seen, seed):
    rng, out = np.random.default_rng(seed), p.numpy().copy()
    for j, o in enumerate(seen.numpy().T): out[~o, j] = rng.permutation(out[~o, j])
    return out


def frames_moved(p, seen, seed):
    "One order for all places"
    at = torch.randperm(len(p), generator=generator(seed))
    return torch.where(seen[..., None], p, p[at])


def one_order(p, seen, seed):
    "Every place draws anew from the same seed"
    return torch.stack([place_by_place(p[:, j:j + 1], seen[:, j:j + 1], seed)[:, 0]
        for j in range(p.shape[1])], 1)


def in_the_picture(p, seen, seed):
    "Moves the patches of a frame about in it"
    return place_by_place(p.transpose(0, 1), seen.T, seed).transpose(0, 1)


def globally_shuffled(p, seen, seed):
    torch.manual_seed(seed)
    return place_by_place(p, seen, torch.randint(1000, ()).item())


BANK["check_shuffle_patches"] = Bank(
    right=[place_by_place, patches_in_numpy],
    wrong=[
        (lambda p, seen, seed: place_by_place(p, ~seen, seed), "those that move"),
        (lambda p, seen, seed: place_by_place(p, seen, seed, torch.ones_like(seen)),
            "Between whom"),
        (frames_moved, "drawn, so that"),
        (one_order, "whole frames"),
        (in_the_picture, "places in the picture"),
        (lambda p, seen, seed: place_by_place(p, seen, seed,
            draw=lambda n, g: torch.randint(max(n, 1), (n,), generator=g)), "drawn, so that"),
        (lambda p, seen, seed: place_by_place(p, seen, seed,
            draw=lambda n, g: torch.arange(n).roll(seed + 1)), "moved alike"),
        (lambda p, seen, seed: place_by_place(p, seen, 0), "What does the seed decide"),
        (lambda p, seen, seed: place_by_place(p, seen, torch.seed() % 1000),
            "generator of your own"),
        (lambda p, seen, seed: p.clone(), "Which patches should change"),
        (lambda p, seen, seed: p*seen[..., None], "drawn, so that"),
        (lambda p, seen, seed: place_by_place(p, seen, seed)[1:], "What is returned"),
        (lambda p, seen, seed: p.copy_(place_by_place(p, seen, seed)), "Work on a copy"),
        (globally_shuffled, "generator"),
    ])


# --------------------------------------------------------------- lesson 32: threshold

BANK["check_threshold"] = Bank(
    right=[3, 2.9, np.float64(3.1), torch.tensor(3.)],
    wrong=[(1, "at a larger one"), (0.5, "at a larger one"), (2, "at a larger one"),
        (4, "stay at this one"), (10, "stay at this one"), (0.95, "at a larger one"),
        (lambda: 3, "is no number"), ("3 even shares", "is no number")])


# ------------------------------------------------------------------- lesson 33: bounce

def folded(x, u, steps, low, high):
    way = (x + u*steps - low) % (2*(high - low))
    return low + min(way, 2*(high - low) - way)


def folded_by_distance(x, u, steps, low, high):
    "Away from the far wall, as an absolute value; in NumPy"
    wide = high - low
    return np.float64(high - abs(wide - np.mod(x + u*steps - low, 2*wide)))


def folded_by_parity(x, u, steps, low, high):
    "How many fields away the ball is says which way it goes; float32"
    fields, rest = divmod(x + u*steps - low, high - low)
    return torch.tensor(high - rest if fields % 2 else low + rest, dtype=torch.float32)


def step_by_step(x, u, steps, low, high):
    for _ in range(steps):
        x += u
        while not low <= x <= high: x, u = 2*(low if x < low else high) - x, -u
    return x


def bounce_by_bounce(x, u, steps, low, high):
    x += u*steps
    while not low <= x <= high: x = 2*(low if x < low else high) - x
    return x


def recursive(x, u, steps, low, high):
    if steps == 0: return x
    x += u
    if x < low: x, u = 2*low - x, -u
    elif x > high: x, u = 2*high - x, -u
    return recursive(x, u, steps - 1, low, high)


def one_bounce(x, u, steps, low, high):
    x += u*steps
    return 2*low - x if x < low else 2*high - x if x > high else x


def by_fmod(x, u, steps, low, high):
    period = 2*(high - low)
    way = math.fmod(x + u*steps - low, period)
    return low + min(way, period - way)


def comprehension(x, u, steps, low, high):
    return [folded(x, u, i, low, high) for i in range(steps + 1)][-1]


BANK["check_bounce"] = Bank(
    right=[folded, folded_by_distance, folded_by_parity],
    wrong=[
        (step_by_step, "ithout a loop"),
        (bounce_by_bounce, "ithout a loop"),
        (comprehension, "ithout a loop"),
        (recursive, "one step bounce more than once"),
        (lambda x, u, steps, *walls: reduce(lambda o, i: folded(x, u, i + 1, *walls),
            range(steps), x), "ithout a loop"),
        (lambda x, u, steps, low, high: min(max(x + u*steps, low), high),
            "stay at the wall"),
        (lambda x, u, steps, low, high: x + u*steps, "Which wall stops it"),
        (lambda x, u, steps, low, high: low + (x + u*steps - low) % (high - low),
            "come in at the other wall"),
        (one_bounce, "How often may it bounce"),
        (lambda *o: one_bounce(one_bounce(*o), 0, 0, *o[3:]), "Twice at most"),
        (lambda x, u, steps, low, high: folded(x, u, steps, 0, high - low),
            "Where does the field begin"),
        (lambda x, u, steps, low, high: folded(x - low, u, steps, 0, high - low),
            "distance from the wall"),
        (lambda x, u, steps, low, high: high - folded(x - low, u, steps, 0, high - low),
            "Which way has the ball gone"),
        (lambda x, u, steps, low, high: low + min((x + u*steps - low) % (high - low),
            (high - low) - (x + u*steps - low) % (high - low)), "there and back"),
        (by_fmod, "remainder of a negative way"),
        (lambda x, u, steps, low, high: folded(x, u, steps + 1, low, high),
            "How many steps"),
        (lambda x, u, steps, low, high: folded(x, u, 1, low, high), "in so many steps"),
    ])


# ------------------------------------------------------------------- lesson 33: copier

def copier_by_counter(actions):
    "In plain Python"
    pairs = Counter(p for o in actions for p in zip(o.tolist(), o.tolist()[1:]))
    best = {}
    for (a, _), n in pairs.items(): best[a] = max(best.get(a, 0), n)
    return sum(best.values())/sum(pairs.values())


def copier_numpy(actions):
    "A rule first, then its hits"
    before = np.concatenate([o[:-1].numpy() for o in actions])
    then = np.concatenate([o[1:].numpy() for o in actions])
    rule = {a: np.bincount(then[before == a]).argmax() for a in set(before.tolist())}
    return np.mean([rule[a] == b for a, b in zip(before.tolist(), then.tolist())])


def copier_table(actions, kinds=18, own=False):
    counts = []
    for o in actions:
        table = torch.zeros(kinds, kinds)
        for a, b in zip(o[:-1], o[1:]): table[a, b] += 1
        counts.append(table)
    counts = torch.stack(counts)
    hits = counts.amax(2).sum() if own else counts.sum(0).amax(1).sum()
    return hits/counts.sum()


def repeats(actions):
    return torch.cat([o[1:] == o[:-1] for o in actions]).float().mean()


def commonest(actions):
    after = torch.cat([o[1:] for o in actions])
    return after.bincount().max()/len(after)


def with_first_steps(actions):
    n = sum(len(o) - 1 for o in actions)
    return copier_table(actions)*n/sum(map(len, actions))


def mean_of_games(actions):
    return np.mean([copier_by_counter([o]) for o in actions if len(o) > 1])


def mean_of_rows(actions):
    pairs = Counter(p for o in actions for p in zip(o.tolist(), o.tolist()[1:]))
    rows = {}
    for (a, _), n in pairs.items(): rows.setdefault(a, []).append(n)
    return np.mean([max(o)/sum(o) for o in rows.values()])


def two_before(actions):
    rows = [o.tolist() for o in actions]
    triples = Counter(p for o in rows for p in zip(o, o[1:], o[2:]))
    best = {}
    for (a, b, _), n in triples.items(): best[a, b] = max(best.get((a, b), 0), n)
    return sum(best.values())/max(sum(triples.values()), 1)


BANK["check_copier"] = Bank(
    right=[copier_by_counter, copier_numpy, copier_table],
    wrong=[
        (repeats, "Has the best rule to repeat"),
        (commonest, "One answer for all"),
        (lambda actions: copier_table([torch.cat(actions)]), "go on in the next one"),
        (partial(copier_table, own=True), "one for all games, or one for each"),
        (mean_of_games, "one for all games"),
        (with_first_steps, "first step of a game"),
        (mean_of_rows, "A mean over steps"),
        (two_before, "How many actions before"),
        (partial(copier_table, kinds=17), "Which actions and lengths"),
        (partial(copier_table, kinds=3), "Which actions and lengths"),
        (lambda actions: 1 - copier_table(actions), "or wrong"),
        (lambda actions: copier_table(actions)*sum(len(o) - 1 for o in actions),
            "how many"),
        (lambda actions: copier_by_counter(actions[:1]), "for all games"),
        (lambda actions: np.mean([copier_by_counter([o]) for o in actions]),
            "one for all games|lengths of games"),
    ])


# ------------------------------------------------------------------- lesson 33: nested

def nested_interval(scores, n, seed, s=None, k=None, ends=(0.025, 0.975), joint=False):
    "Bootstrap in NumPy, with a number of seeds and games"
    o, rng = scores.numpy(), np.random.default_rng(seed)
    s, k = s or o.shape[0], k or o.shape[1]
    seeds = rng.integers(o.shape[0], size=(n, s, 1))
    games = rng.integers(o.shape[1], size=(n, 1 if joint else s, k))
    return o.mean(), *np.quantile(o[seeds, games].mean((1, 2)), ends)


def nested_torch(scores, n, seed):
    "In float32"
    g, (s, k) = generator(seed), scores.shape
    rows = scores[torch.randint(s, (n, s), generator=g)]  # (n, s, k)
    means = rows.gather(2, torch.randint(k, (n, s, k), generator=g)).mean((1, 2))
    ends = means.quantile(torch.tensor([0.025, 0.975]).to(means))
    return torch.stack([scores.mean(), *ends])


def nested_python(scores, n, seed):
    "Lists, one sample after the other"
    rows, rng = scores.tolist(), random.Random(seed)
    def sample():
        drawn = [rng.choices(o, k=len(o)) for o in rng.choices(rows, k=len(rows))]
        return sum(map(sum, drawn))/scores.numel()
    low, high = np.percentile([sample() for _ in range(n)], [2.5, 97.5])
    return scores.double().mean().item(), low, high


def heap(scores, n, seed):
    rng, o = np.random.default_rng(seed), scores.flatten().numpy()
    return o.mean(), *np.quantile(rng.choice(o, (n, len(o))).mean(1), [0.025, 0.975])


def seeds_only(scores, n, seed):
    means = np.random.default_rng(seed).choice(scores.mean(1).numpy(), (n, len(scores)))
    return scores.mean(), *np.quantile(means.mean(1), [0.025, 0.975])


def games_only(scores, n, seed):
    o, rng = scores.numpy(), np.random.default_rng(seed)
    games = rng.integers(o.shape[1], size=(n, *o.shape))
    return o.mean(), *np.quantile(o[np.arange(len(o))[:, None], games].mean((1, 2)),
        [0.025, 0.975])


def once_a_seed(scores, n, seed):
    "The games of a seed are drawn once, however often the seed is"
    o, rng = scores.numpy(), np.random.default_rng(seed)
    (s, k), rows = o.shape, np.arange(len(o))[:, None]
    each = o[rows, rng.integers(k, size=(n, s, k))].mean(2)  # (n, s)
    means = np.take_along_axis(each, rng.integers(s, size=(n, s)), 1).mean(1)
    return o.mean(), *np.quantile(means, [0.025, 0.975])


def bell(scores, n, seed):
    means = scores.double().mean(1)
    half = 1.96*means.std(correction=0)/len(means)**0.5
    return means.mean(), means.mean() - half, means.mean() + half


def bell_of_samples(scores, n, seed):
    o, rng = scores.numpy(), np.random.default_rng(seed)
    s, k = o.shape
    means = o[rng.integers(s, size=(n, s, 1)), rng.integers(k, size=(n, s, k))]
    sd = means.mean((1, 2)).std()
    return o.mean(), o.mean() - 1.96*sd, o.mean() + 1.96*sd


def mirrored_nested(scores, n, seed):
    mean, low, high = nested_interval(scores, n, seed)
    return mean, 2*mean - high, 2*mean - low


def global_nested(scores, n, seed):
    np.random.seed(seed)
    s, k = scores.shape
    means = scores.numpy()[np.random.randint(s, size=(n, s, 1)),
        np.random.randint(k, size=(n, s, k))].mean((1, 2))
    return scores.mean(), *np.quantile(means, [0.025, 0.975])


BANK["check_nested"] = Bank(
    right=[nested_interval, nested_torch, nested_python],
    wrong=[
        (heap, "one heap"),
        (seeds_only, "Are games drawn too"),
        (games_only, "Are seeds drawn too"),
        (partial(nested_interval, joint=True), "Are the same games drawn"),
        (once_a_seed, "drawn twice"),
        (partial(nested_interval, s=1), "How many seeds"),
        (lambda scores, n, seed: nested_interval(scores, n, seed,
            k=max(scores.shape[1] - 1, 1)), "What does a sample draw"),
        (lambda scores, n, seed: nested_interval(scores, n, seed,
            s=max(scores.shape[0] - 1, 1)), "What does a sample draw|seeds"),
        (partial(nested_interval, k=1), "How many games of each seed"),
        (partial(nested_interval, ends=(0.05, 0.95)), "beyond each end"),
        (partial(nested_interval, ends=(0.975, 0.025)), "Which end comes first"),
        (lambda scores, n, seed: nested_interval(scores.T, n, seed), "Which axis"),
        (bell, "Are games drawn too"),
        (bell_of_samples, "bell curve"),
        (mirrored_nested, "deviation from their mean"),
        (lambda scores, n, seed: nested_interval(scores, n, 0),
            "What does the seed decide"),
        (lambda scores, n, seed: nested_interval(scores, n, None),
            "What does the seed decide"),
        (global_nested, "generator of your own"),
        (lambda scores, n, seed: nested_interval(scores, 3000, seed),
            "How many samples"),
        (lambda scores, n, seed: nested_interval(scores, n, seed)[1:],
            "Which three numbers"),
    ])


# -------------------------------------------------------------------- lesson 34: keeps

BANK["check_keeps"] = Bank(
    right=[0.03, 3e-2, torch.tensor(0.03)],
    wrong=[(1, "How many does the old head"), (0.3, "How many does the old head"),
        (0.1, "How many does the old head"), (0.01, "Does a larger one"),
        (0, "Does a larger one"), ("0.03 or so", "is no number")])


# -------------------------------------------------------------- lesson 34: layer_rates

def rates_by_layers(names, lr, decay, at_head=0, embed=1, number=int, first=False):
    "A number for each layer from below, and the distance from the highest"
    blocks = sorted({number(o.split(".")[1]) for o in names if "blocks." in o})
    def layer(name):
        if name.startswith("blocks."): return 1 + blocks.index(number(name.split(".")[1]))
        return len(blocks) + 1 if name.split(".")[0] in ("norm", "head") else 1 - embed
    top = len(blocks) + 1
    if first: return {o: lr*decay**layer(o) for o in names}
    return {o: lr*decay**(top - layer(o) + at_head) for o in names}


def rates_step_by_step(names, lr, decay):
    "Down from the head, one layer after the other"
    rates, depth = {o: lr for o in names if o.startswith(("head", "norm"))}, 0
    while any(o.startswith(f"blocks.{depth}.") for o in names): depth += 1
    for i in reversed(range(depth)):
        lr = lr*decay
        rates |= {o: lr for o in names if o.startswith(f"blocks.{i}.")}
    return rates | {o: np.float64(lr*decay) for o in names if o not in rates}


def rates_by_prefix(names, lr, decay):
    "blocks.1 is the beginning of blocks.10 too"
    out = rates_by_layers(names, lr, decay)
    depth = 1 + max(int(o.split(".")[1]) for o in names if "blocks." in o)
    for i in reversed(range(depth)):
        for o in names:
            if o.startswith(f"blocks.{i}"): out[o] = lr*decay**(depth - i)
    return out


def rates_norms(names, lr, decay):
    return {k: lr if "norm" in k else o
        for k, o in rates_by_layers(names, lr, decay).items()}


def rates_last_norm(names, lr, decay):
    out = rates_by_layers(names, lr, decay)
    return {k: out["pos_embed"] if k.startswith("norm.") else o for k, o in out.items()}


def rates_last_block(names, lr, decay):
    out = rates_by_layers(names, lr, decay)
    return {k: o if k.startswith(("norm.", "head.")) else o/decay for k, o in out.items()}


BANK["check_layer_rates"] = Bank(
    right=[rates_by_layers, rates_step_by_step],
    wrong=[
        (partial(rates_by_layers, first=True), "Which end"),
        (partial(rates_by_layers, at_head=1), "rate of the head"),
        (partial(rates_by_layers, embed=0), "embedding a layer"),
        (partial(rates_by_layers, number=str), "after block 9"),
        (rates_by_prefix, "How many digits"),
        (rates_norms, "do blocks have norms"),
        (rates_last_norm, "the last norm"),
        (rates_last_block, "last block"),
        (lambda names, lr, decay: [*rates_by_layers(names, lr, decay).values()], "dict"),
        (lambda names, lr, decay: {o: lr*decay for o in names}, "How many layers|head"),
        (lambda names, lr, decay: {o: lr for o in names}, "How many layers"),
    ])


# ------------------------------------------------------------------ lesson 34: fitting

def fitting_loop(weights, model):
    kept, new = {}, []
    for k, o in model.state_dict().items():
        try: torch.empty(o.shape).copy_(weights[k]) if weights[k].shape == o.shape else 1/0
        except (KeyError, ZeroDivisionError): new.append(k)
        else: kept[k] = weights[k]
    return kept, new


def fitting_both(weights, model):
    "Parameters and buffers by their shapes; a tuple of names"
    sizes = {k: tuple(o.shape) for k, o in model.state_dict().items()}
    kept = {k: o for k, o in weights.items() if sizes.get(k) == tuple(o.shape)}
    return kept, tuple(k for k in sizes if k not in kept)


def fitted(keep, stays=None):
    "Which tensors are kept by a rule (name, weights, own), and which names stay by one"
    def fn(weights, model):
        own = model.state_dict()
        kept = {k: o for k, o in weights.items() if keep(k, weights, own)}
        return kept, stays(weights, own) if stays else [k for k in own if k not in kept]
    return fn


def alike(k, weights, own): return k in own and weights[k].shape == own[k].shape
def left(weights, own):
    return [k for k in own if not (k in weights and alike(k, weights, own))]


def fitting_loaded(weights, model):
    kept, new = fitting_both(weights, model)
    model.load_state_dict(kept, strict=False)
    return kept, new


def fitting_own(weights, model):
    kept, new = fitting_both(weights, model)
    return {k: model.state_dict()[k] for k in kept}, new


def all_or_nothing(weights, model):
    kept, new = fitting_both(weights, model)
    return ({}, [*model.state_dict()]) if new else (kept, new)


BANK["check_fitting"] = Bank(
    right=[fitting_loop, fitting_both],
    wrong=[
        (fitted(lambda k, w, own: k in own), "another size"),
        (fitted(lambda k, w, own: True), "another size"),
        (fitted(lambda k, w, own: k in own and w[k].numel() == own[k].numel()),
            "number of values"),
        (fitted(lambda k, w, own: k not in own or alike(k, w, own)), "tensor of that name"),
        (fitted(lambda k, w, own: alike(k, w, own) and "running" not in k
            and "batches" not in k), "beside its parameters"),
        (fitted(alike, lambda w, own: [k for k in own if k not in w]),
            "in another shape"),
        (fitted(alike, lambda w, own: [k for k in own if k in w and k in left(w, own)]),
            "does not have at all"),
        (fitted(alike, lambda w, own: [k for k in w if not alike(k, w, own)]),
            "of the model, or of the file"),
        (fitted(alike, lambda w, own: left(w, own)[::-1]), "which order"),
        (fitted(alike, lambda w, own: [k for k in own if k in w and alike(k, w, own)]),
            "Those that fit"),
        (fitting_loaded, "to be loaded"),
        (fitting_own, "of the file, or of the model"),
        (all_or_nothing, "spoil the others"),
        (lambda weights, model: fitting_both(weights, model)[0], "What fits"),
    ])
