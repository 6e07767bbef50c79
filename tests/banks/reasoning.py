"Answers to the exercises of part 4"
import math, zlib
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from einops import rearrange

from banks import Bank
from minitrain.attention import attention, attention_weights, causal_mask
from minitrain.tasks import GaussianSampler, LogisticRegressionTask, ceiling

BANK = {}


# ---- packed_mask

def packed(context, queries):
    mask = torch.eye(context + queries, dtype=torch.bool)
    mask[:, :context] |= causal_mask(context + queries)[:, :context]
    return mask


def packed_numpy(context, queries):
    mask = np.eye(context + queries, dtype=bool)
    mask[:, :context] |= np.tri(context + queries, context, dtype=bool)
    return mask


def packed_lists(context, queries):
    n = context + queries
    return [[j == i or j < min(i, context) for j in range(n)] for i in range(n)]


def packed_blocks(context, queries):
    c, m = context, queries
    left = torch.cat([torch.ones(c, c).tril(), torch.ones(m, c)])
    return torch.cat([left, torch.cat([torch.zeros(c, m), torch.eye(m)])], 1).bool()


def packed_full_context(context, queries):
    mask = torch.eye(context + queries, dtype=torch.bool)
    mask[:, :context] = True
    return mask


def packed_blind_queries(context, queries):
    mask = packed(context, queries)
    mask[context:, context:] = False
    return mask


def packed_leaky_context(context, queries):
    mask = packed(context, queries)
    mask[:context, context:] = True
    return mask


def packed_no_self(context, queries):
    mask = packed(context, queries)
    mask[:context, :context] = torch.ones(context, context).tril(-1).bool()
    return mask


def packed_forgets_last(context, queries):
    mask = packed(context, queries)
    if context: mask[context:, context - 1] = False
    return mask


def packed_alone(context, queries):
    mask = causal_mask(context + queries)
    mask[context:] = torch.eye(context + queries, dtype=torch.bool)[context:]
    return mask


def packed_bidirectional(context, queries):
    mask = packed(context, queries)
    mask[context:, context:] = True
    return mask


BANK["check_packed_mask"] = Bank(
    right=[packed, packed_numpy, packed_lists, packed_blocks],
    wrong=[
        (lambda c, m: causal_mask(c + m), "one query see another"),
        (packed_bidirectional, "one query see another"),
        (packed_full_context, "one of its tokens see a later one"),
        (packed_blind_queries, "query see itself"),
        (packed_leaky_context, "context see a query"),
        (packed_no_self, "see itself and all before it"),
        (packed_forgets_last, "see the whole context"),
        (packed_alone, "see the whole context"),
        (lambda c, m: ~packed(c, m), "True mean that a token may look"),
        (lambda c, m: packed(c, m).T, "row i the token that looks"),
        (lambda c, m: packed(c, m).float(), "mask of numbers"),
        (lambda c, m: torch.zeros(c + m, c + m).masked_fill(~packed(c, m), -torch.inf),
            "mask of numbers"),
        (lambda c, m: causal_mask(c), "How many tokens"),
        (lambda c, m: packed(c, m)[c:], "How many tokens"),
        (lambda c, m: packed(c, m)[None, None], "How many tokens"),
        (lambda c, m: torch.ones(c + m, c + m).bool(), "see a later one"),
        (lambda c, m: torch.eye(c + m).bool(), "see itself and all before"),
        (lambda c, m: print("here") if c < 0 else None, "return"),
        (lambda c, m: packed(c, m) if c and m else causal_mask(c + m),
            "one query see another"),
    ])


# ---- attend_next

def parts(layer, x):
    q, k, v = (rearrange(o, "b n (h d) -> b h n d", h=layer.heads)
        for o in layer.qkv(x).chunk(3, -1))
    return layer.q_norm(q), layer.k_norm(k), v


def merged(layer, o): return layer.out(rearrange(o, "b h n d -> b n (h d)"))


def next_with(layer, x, cache, join=torch.cat, axis=2, attend=attention):
    q, k, v = parts(layer, x)
    if cache is not None: k, v = (join([o, n], axis) for o, n in zip(cache, (k, v)))
    return merged(layer, attend(q, k, v)), (k, v)


def next_newest_first(layer, x, cache):
    q, k, v = parts(layer, x)
    if cache: k, v = torch.cat([k, cache["k"]], 2), torch.cat([v, cache["v"]], 2)
    return merged(layer, F.scaled_dot_product_attention(q, k, v)), dict(k=k, v=v)


def next_grows_a_list(layer, x, cache):
    "One list for a text, to which each call appends"
    cache = [] if cache is None else cache
    q, *new = parts(layer, x)
    cache.append(new)
    k, v = (torch.cat(o, 2) for o in zip(*cache))
    return merged(layer, attention(q, k, v)), cache


def next_raw_keys(layer, x, cache):
    "Keys are kept as they come, and normalised when they are used"
    raw = layer.qkv(x)
    raw = raw if cache is None else torch.cat([cache, raw], 1)
    q, k, v = (rearrange(o, "b n (h d) -> b h n d", h=layer.heads)
        for o in raw.chunk(3, -1))
    return merged(layer, attention(layer.q_norm(q[:, :, -1:]), layer.k_norm(k), v)), raw


def next_numpy(layer, x, cache):
    q, k, v = (o.numpy() for o in parts(layer, x))
    if cache is not None: k, v = (np.concatenate(o, 2) for o in zip(cache, (k, v)))
    e = np.exp(q @ k.swapaxes(2, 3)/layer.head_dim**0.5)
    o = torch.from_numpy(e @ v/e.sum(-1, keepdims=True))
    return merged(layer, o).float().numpy(), (k, v)


def next_keeps_tokens(layer, x, cache):
    x = x if cache is None else torch.cat([cache, x], 1)
    return layer(x)[:, -1:], x


def next_projects_again(layer, x, cache):
    "The law of the letter: `layer.qkv` is not called"
    x = x if cache is None else torch.cat([cache, x], 1)
    q, k, v = (rearrange(o, "b n (h d) -> b h n d", h=layer.heads)
        for o in F.linear(x, layer.qkv.weight, layer.qkv.bias).chunk(3, -1))
    return merged(layer, attention(layer.q_norm(q[:, :, -1:]), layer.k_norm(k), v)), x


def next_one_by_one(layer, x, cache):
    "Projects old tokens again, one in each call of `layer.qkv`"
    tokens = [*(cache or []), x]
    q, k, v = (torch.cat(o, 2) for o in zip(*(parts(layer, o) for o in tokens)))
    return merged(layer, attention(q[:, :, -1:], k, v)), tokens


def next_first_and_new(layer, x, cache):
    q, k, v = parts(layer, x)
    both = (k, v) if cache is None else [torch.cat(o, 2) for o in zip(cache, (k, v))]
    return merged(layer, attention(q, *both)), (k, v) if cache is None else cache


def next_only_last(layer, x, cache):
    q, k, v = parts(layer, x)
    both = (k, v) if cache is None else [torch.cat(o, 2) for o in zip(cache, (k, v))]
    return merged(layer, attention(q, *both)), (k, v)


def next_not_itself(layer, x, cache):
    q, k, v = parts(layer, x)
    out = merged(layer, attention(q, *(cache or (k, v))))
    if cache is not None: k, v = (torch.cat(o, 2) for o in zip(cache, (k, v)))
    return out, (k, v)


def next_without_norm(layer, x, cache):
    q, k, v = (rearrange(o, "b n (h d) -> b h n d", h=layer.heads)
        for o in layer.qkv(x).chunk(3, -1))
    if cache is not None: k, v = (torch.cat(o, 2) for o in zip(cache, (k, v)))
    return merged(layer, attention(q, k, v)), (k, v)


def next_norm_of_queries(layer, x, cache):
    q, k, v = (rearrange(o, "b n (h d) -> b h n d", h=layer.heads)
        for o in layer.qkv(x).chunk(3, -1))
    if cache is not None: k, v = (torch.cat(o, 2) for o in zip(cache, (k, v)))
    return merged(layer, attention(layer.q_norm(q), k, v)), (k, v)


def next_heads_inside(layer, x, cache):
    q, k, v = (rearrange(o, "b n (d h) -> b h n d", h=layer.heads)
        for o in layer.qkv(x).chunk(3, -1))
    q, k = layer.q_norm(q), layer.k_norm(k)
    if cache is not None: k, v = (torch.cat(o, 2) for o in zip(cache, (k, v)))
    return merged(layer, attention(q, k, v)), (k, v)


def next_no_out(layer, x, cache):
    q, k, v = parts(layer, x)
    if cache is not None: k, v = (torch.cat(o, 2) for o in zip(cache, (k, v)))
    return rearrange(attention(q, k, v), "b h n d -> b n (h d)"), (k, v)


def next_mixed(layer, x, cache):
    q, k, v = parts(layer, x)
    if cache is not None:
        k, v = torch.cat([cache[0], k], 2), torch.cat([v, cache[1]], 2)
    return merged(layer, attention(q, k, v)), (k, v)


def next_on_the_layer(layer, x, cache):
    "The cache hangs on the layer, where the next text finds it too"
    q, k, v = parts(layer, x)
    if hasattr(layer, "kept"):
        k, v = torch.cat([layer.kept[0], k], 2), torch.cat([layer.kept[1], v], 2)
    layer.kept = k, v
    return merged(layer, attention(q, k, v)), "see layer.kept"


def next_of_three(layer, x, cache):
    "Only the last three tokens stay in the cache"
    q, k, v = parts(layer, x)
    if cache is not None: k, v = (torch.cat(o, 2) for o in zip(cache, (k, v)))
    k, v = k[:, :, -3:], v[:, :, -3:]
    return merged(layer, attention(q, k, v)), (k, v)


def next_all_outputs(layer, x, cache):
    q, k, v = new = parts(layer, x)
    if cache is not None: q, k, v = new = [torch.cat(o, 2) for o in zip(cache, new)]
    return merged(layer, attention(q, k, v)), new


def next_other_norms(layer, x, cache):
    q, k, v = (rearrange(o, "b n (h d) -> b h n d", h=layer.heads)
        for o in layer.qkv(x).chunk(3, -1))
    q, k = layer.k_norm(q), layer.q_norm(k)
    if cache is not None: k, v = (torch.cat(o, 2) for o in zip(cache, (k, v)))
    return merged(layer, attention(q, k, v)), (k, v)


def next_keys_first(layer, x, cache):
    k, q, v = (rearrange(o, "b n (h d) -> b h n d", h=layer.heads)
        for o in layer.qkv(x).chunk(3, -1))
    q, k = layer.q_norm(q), layer.k_norm(k)
    if cache is not None: k, v = (torch.cat(o, 2) for o in zip(cache, (k, v)))
    return merged(layer, attention(q, k, v)), (k, v)


def next_squeezed(layer, x, cache):
    out, cache = next_with(layer, x, cache)
    return out.squeeze(1), cache


def unscaled(q, k, v): return attention(q*q.shape[-1]**0.5, k, v)


BANK["check_attend_next"] = Bank(
    right=[next_with, next_newest_first, next_grows_a_list, next_raw_keys, next_numpy],
    wrong=[
        (next_keeps_tokens, "or the tokens"),
        (next_projects_again, "old tokens projected again"),
        (next_one_by_one, "old tokens projected again"),
        (lambda layer, x, cache: (layer(x), None), "have to know of this token"),
        (lambda layer, x, cache: (layer(x), x), "is the cache read"),
        (lambda layer, x, cache: layer(x), "Do you return both"),
        (lambda layer, x, cache: (merged(layer, attention(*parts(layer, x))), 0),
            "is the cache read"),
        (partial(next_with, axis=1), "axis of .b, h, n, d."),
        (partial(next_with, axis=0), "axis of .b, h, n, d."),
        (partial(next_with, axis=3), "axis of .b, h, n, d."),
        (next_first_and_new, "only the first and the newest"),
        (next_only_last, "or only the last"),
        (next_not_itself, "new token see itself"),
        (next_without_norm, "queries and keys normalised"),
        (next_norm_of_queries, "keys normalised"),
        (next_heads_inside, "cut into heads"),
        (next_no_out, "through `layer.out`"),
        (next_mixed, "same order"),
        (next_on_the_layer, "cache of its own"),
        (next_of_three, "first tokens still in the cache"),
        (next_all_outputs, "new token alone"),
        (next_other_norms, "Which of the two norms"),
        (next_keys_first, "In which order"),
        (next_squeezed, "axis of the one token"),
        (partial(next_with, attend=unscaled), "divided by the root"),
        (partial(next_with, join=lambda o, axis: o[0]), "new token see itself"),
    ])


# ---- streamed_attention

def streamed(q, k, v, size, total_by=1, out_by=1, top=-torch.inf, scale=True):
    top, total, out = q.new_full((*q.shape[:-1], 1), top), 0, 0
    for kb, vb in zip(k.split(size, -2), v.split(size, -2)):
        scores = q @ kb.mT/(q.shape[-1]**0.5 if scale else 1)
        new = torch.maximum(top, scores.amax(-1, keepdim=True))
        shrink, e = (top - new).exp(), (scores - new).exp()
        total = total*shrink**total_by + e.sum(-1, keepdim=True)
        out = out*shrink**out_by + e @ vb
        top = new
    return out/total


def streamed_numpy(q, k, v, size):
    q, k, v = (o.numpy().astype(np.float32) for o in (q, k, v))
    top = np.full((*q.shape[:-1], 1), -np.inf, np.float32)
    total, out = np.zeros_like(top), np.zeros((*q.shape[:-1], v.shape[-1]), np.float32)
    for i in range(0, k.shape[-2], size):
        scores = q @ k[..., i:i + size, :].swapaxes(-1, -2)/np.sqrt(q.shape[-1])
        new = np.maximum(top, scores.max(-1, keepdims=True))
        e, shrink = np.exp(scores - new), np.exp(top - new)
        total = total*shrink + e.sum(-1, keepdims=True)
        out, top = out*shrink + e @ v[..., i:i + size, :], new
    return out/total


def streamed_twice(q, k, v, size):
    "Two passes: first the largest score, then the sums"
    blocks = list(zip(k.split(size, -2), v.split(size, -2)))
    q = q/q.shape[-1]**0.5
    top = torch.stack([(q @ kb.mT).amax(-1) for kb, _ in blocks]).amax(0)[..., None]
    sums = [0, 0]
    for kb, vb in blocks:
        e = (q @ kb.mT - top).exp()
        sums = [sums[0] + e.sum(-1, keepdim=True), sums[1] + e @ vb]
    return sums[1]/sums[0]


def streamed_by_logs(q, k, v, size):
    "Each block's attention, weighed by the log of its sum"
    log, out = None, None
    for kb, vb in zip(k.split(size, -2), v.split(size, -2)):
        part = (q @ kb.mT/q.shape[-1]**0.5).logsumexp(-1, keepdim=True)
        one = attention(q, kb, vb)
        if log is None: log, out = part, one
        else:
            both = torch.logaddexp(log, part)
            out = out*(log - both).exp() + one*(part - both).exp()
            log = both
    return out


def streamed_loop(q, k, v, size):
    "Query by query, block by block"
    if q.ndim > 2:
        return torch.stack([streamed_loop(*o, size) for o in zip(q, k, v)])
    return torch.cat([streamed(one, k, v, size) for one in q.split(1)])


def streamed_unsafe(q, k, v, size):
    total = out = 0
    for kb, vb in zip(k.split(size, -2), v.split(size, -2)):
        e = (q @ kb.mT/q.shape[-1]**0.5).exp()
        total, out = total + e.sum(-1, keepdim=True), out + e @ vb
    return out/total


def streamed_keeps_all(q, k, v, size):
    "No matrix, but all its blocks at once"
    scores = [q @ kb.mT/q.shape[-1]**0.5 for kb in k.split(size, -2)]
    top = torch.stack([o.amax(-1) for o in scores]).amax(0)[..., None]
    e = [(o - top).exp() for o in scores]
    total = sum(o.sum(-1, keepdim=True) for o in e)
    return sum(o @ vb for o, vb in zip(e, v.split(size, -2)))/total


def streamed_rows(q, k, v, size):
    "Blocks of queries in place of blocks of keys"
    return torch.cat([attention(o, k, v) for o in q.split(size, -2)], -2)


def streamed_matrix_numpy(q, k, v, size):
    q, k, v = (o.numpy() for o in (q, k, v))
    s = q @ k.swapaxes(-1, -2)/np.sqrt(q.shape[-1])
    e = np.exp(s - s.max(-1, keepdims=True))
    return e @ v/e.sum(-1, keepdims=True)


def streamed_whole_blocks(q, k, v, size):
    m = max(k.shape[-2]//size, 1)*size
    return streamed(q, k[..., :m, :], v[..., :m, :], size)


def streamed_rows_padded(q, k, v, size):
    "All keys for one query at a time, filled up to whole blocks"
    extra = -k.shape[-2] % size
    rows = []
    for one in q.split(1, -2):
        s = one @ F.pad(k, (0, 0, 0, extra)).mT/q.shape[-1]**0.5
        s[..., k.shape[-2]:] = -torch.inf
        rows.append(s.softmax(-1) @ F.pad(v, (0, 0, 0, extra)))
    return torch.cat(rows, -2)


def streamed_fused(q, k, v, size):
    "The fused kernel itself, which wants four axes and values as wide as keys"
    wide, lead = v.shape[-1], q.shape[:-2]
    v = F.pad(v, (0, k.shape[-1] - wide))
    q, k, v = (o.reshape(-1, 1, *o.shape[-2:]) for o in (q, k, v))
    out = F.scaled_dot_product_attention(q, k, v)[..., :wide]
    return out.reshape(*lead, *out.shape[-2:])


def streamed_filled(q, k, v, size):
    "Fills up the last block with zeros, which count"
    extra = -k.shape[-2] % size
    return streamed(q, F.pad(k, (0, 0, 0, extra)), F.pad(v, (0, 0, 0, extra)), size)


def streamed_lists(q, k, v, size):
    "Without torch or NumPy"
    if q.ndim > 2: return [streamed_lists(*o, size) for o in zip(q, k, v)]
    keys, values, rows = k.tolist(), v.tolist(), []
    def dot(a, b): return sum(x*y for x, y in zip(a, b))
    for one in q.tolist():
        top, total, out = -math.inf, 0., [0.]*v.shape[1]
        for i in range(0, len(keys), size):
            s = [dot(one, o)/len(one)**0.5 for o in keys[i:i + size]]
            new = max(top, *s)
            shrink, e = math.exp(top - new), [math.exp(o - new) for o in s]
            total = total*shrink + sum(e)
            out = [o*shrink + dot(e, column)
                for o, column in zip(out, zip(*values[i:i + size]))]
            top = new
        rows.append([o/total for o in out])
    return rows


def streamed_mean(q, k, v, size):
    blocks = zip(k.split(size, -2), v.split(size, -2))
    return torch.stack([attention(q, *o) for o in blocks]).mean(0)


def streamed_undivided(q, k, v, size):
    "Forgets to divide at the end"
    total = streamed(q, k, torch.ones_like(v), size)
    top = attention_weights(q, k).amax(-1, keepdim=True)
    return streamed(q, k, v, size)/total/top


BANK["check_streamed_attention"] = Bank(
    right=[streamed, streamed_numpy, streamed_twice, streamed_by_logs, streamed_loop,
        streamed_lists],
    wrong=[
        (lambda q, k, v, size: attention(q, k, v), "which scores are needed"),
        (lambda q, k, v, size: F.scaled_dot_product_attention(q, k, v), "scores"),
        (streamed_rows, "which scores are needed"),
        (streamed_rows_padded, "which scores are needed"),
        (streamed_fused, "which scores are needed"),
        (streamed_filled, "fills up the last block"),
        (streamed_keeps_all, "left of a block"),
        (streamed_matrix_numpy, "left of a block"),
        (streamed_unsafe, "subtracted before exp"),
        (partial(streamed, total_by=0, out_by=0), "both sums"),
        (partial(streamed, out_by=0), "sum of values corrected"),
        (partial(streamed, total_by=0), "sum of exponentials corrected"),
        (partial(streamed, total_by=-1, out_by=-1), "which of the two is the larger"),
        (partial(streamed, top=0.), "no scores yet"),
        (partial(streamed, scale=False), "divides the scores"),
        (streamed_whole_blocks, "last whole block"),
        (streamed_mean, "weigh the same"),
        (streamed_undivided, "divided by the sum"),
        (lambda q, k, v, size: attention(q, k[..., :size, :], v[..., :size, :]),
            "first block"),
        (lambda q, k, v, size: streamed(q, k, v, size).sum(-1), "Not yet"),
    ])


# ---- firm

BANK["check_firm"] = Bank([5, 5.0, torch.tensor(5)], [
    (4, "exactly 1"), (2, "exactly 1"), (0, "exactly 1"), (4.9, "exactly 1"),
    (6, "smaller one"), (20, "smaller one"), ("five", "no number"), ([4, 5], "no number")])


# ---- enough_examples

BANK["check_enough_examples"] = Bank([64, 64.0, torch.tensor(64)], [
    (16, "0.75 or more"), (32, "0.75 or more"), (63, "0.75 or more"), (4, "0.75 or more"),
    (128, "half as many"), (256, "half as many"), ("64 examples", "no number"),
    ([32, 64], "no number")])


# ---- anneal

def anneal(step, start, end, dec, interval):
    return max(end, start - dec*(step//interval))


def anneal_loop(step, start, end, dec, interval):
    value = start
    for _ in range(step//interval): value = max(end, value - dec)
    return value


def anneal_numpy(step, start, end, dec, interval):
    return np.float32(np.clip(start - dec*np.floor(step/interval), end, start))


def anneal_torch(step, start, end, dec, interval):
    return torch.tensor(start - dec*(step//interval)).clamp(min=end)


def stops_before_the_end(step, start, end, dec, interval):
    value = start
    for _ in range(step//interval):
        if value - dec < end: break
        value -= dec
    return value


class Remembers:
    "The largest step so far counts"
    def __init__(self): self.largest = 0
    def __call__(self, step, *args):
        self.largest = max(self.largest, step)
        return anneal(self.largest, *args)


class Counts:
    "Its own calls count, not the step"
    def __init__(self): self.values = {}
    def __call__(self, step, start, end, dec, interval):
        n = self.values[start, end, dec, interval] = 1 + self.values.get(
            (start, end, dec, interval), -1)
        return anneal(n, start, end, dec, interval)


BANK["check_anneal"] = Bank(
    right=[anneal, anneal_loop, anneal_numpy, anneal_torch],
    wrong=[
        (stops_before_the_end, "is the end still reached"),
        (lambda step, start, end, dec, interval: start - dec*(step//interval),
            "at the end"),
        (lambda step, start, end, dec, interval: max(end, start - dec*step/interval),
            "little at each step"),
        (lambda step, start, end, dec, interval: max(end, start - dec*step),
            "after each interval"),
        (lambda step, start, end, dec, interval:
            max(end, start - dec*round(step/interval)), "rounded down"),
        (lambda step, start, end, dec, interval:
            max(end, start - dec*-(-step//interval)), "first interval is over"),
        (lambda step, start, end, dec, interval:
            max(end, start - dec*(step//interval + 1)), "first stair counted"),
        (lambda step, start, end, dec, interval:
            max(end, start - dec*(max(step - 1, 0)//interval)), "one step late"),
        (lambda step, start, end, dec, interval:
            min(end, start - dec*(step//interval)), "Smaller"),
        (lambda step, start, end, dec, interval: start + dec*(step//interval), "go up"),
        (lambda step, start, end, dec, interval:
            max(end, int(start - dec*(step//interval))), "whole"),
        (lambda step, start, end, dec, interval:
            max(0, end, start - dec*(step//interval)), "less than 0"),
        (lambda step, start, end, dec, interval:
            list(range(start, end, -dec))[step//interval], "raised"),
        (Remembers(), "anything else count"),
        (Counts(), "anything else count"),
    ])


# ---- error_rate

def mean_of_inverse(d): return math.gamma((d - 1)/2)/(2**0.5*math.gamma(d/2))
def rate(d, alpha): return (2/math.pi)**0.5*math.log(2)*mean_of_inverse(d)/alpha


def rate_by_logs(d, alpha):
    logs = torch.lgamma(torch.tensor([(d - 1)/2, d/2], dtype=torch.float64))
    return math.log(2)/math.pi**0.5*(logs[0] - logs[1]).exp()/alpha


BANK["check_error_rate"] = Bank(
    right=[rate, rate_by_logs, lambda d, alpha: np.float32(rate(d, alpha)),
        lambda d, alpha: torch.tensor([rate(d, 1)]).div(alpha).squeeze()],
    wrong=[
        (lambda d, alpha: rate(d, alpha)/2, r"density of \|u\| at 0, compared"),
        (lambda d, alpha: 2*rate(d, alpha), "counted twice"),
        (lambda d, alpha: rate(d, alpha)/math.log(2), r"integral of sigmoid"),
        (lambda d, alpha: rate(d, alpha)/mean_of_inverse(d), r"mean of 1/\|x\| there"),
        (lambda d, alpha: rate(d, alpha)/mean_of_inverse(d)/d**0.5, "root of d"),
        (lambda d, alpha: (2/math.pi)**0.5*math.log(2)/alpha/(2**0.5*math.gamma(
            (d + 1)/2)/math.gamma(d/2)), r"one over the mean of \|x\|"),
        (lambda d, alpha: (2/math.pi)**0.5*math.log(2)/alpha*math.gamma(d/2)/(
            2**0.5*math.gamma((d - 1)/2)), "Which Gamma"),
        (lambda d, alpha: 2**0.5*rate(d, alpha), "root of 2 missing"),
        (lambda d, alpha: rate(d, alpha)/2**0.5, "root of 2 there twice"),
        (lambda d, alpha: rate(d, alpha)/alpha, "alpha divide once"),
        (lambda d, alpha: rate(d, 1), "alpha there"),
        (lambda d, alpha: 1 - rate(d, alpha), "right guesses"),
        (lambda d, alpha: 1 - ceiling(d, alpha)[0], "exact rate"),
        (lambda d, alpha: 1/alpha, "what is du"),
        (lambda d, alpha: rate(d + 1, alpha), r"one over the mean of \|x\|"),
        (lambda d, alpha: rate(d - 0.5, alpha), "what is du"),
    ])


# ---- with_bias

def mix(*numbers): return zlib.crc32(repr(numbers).encode())
def gen(seed): return torch.Generator().manual_seed(seed)


def bias_of_a_one(seed, step, b, n, d):
    xs, _ = GaussianSampler(d).sample_xs(n, b, seed=(seed, step))
    task = LogisticRegressionTask(d + 1, b, 10, seed=(seed, step))
    return xs, task.evaluate(torch.cat([xs, torch.ones(b, n, 1)], -1))[0]


def bias(seed, step, b, n, d, w=10., c=10., streams=(0, 1, 2, 3), seeds=mix, coins=None,
        spread=torch.randn):
    "Four streams; what they begin with, and the deviations, can be put wrong"
    gs = [gen(seeds(seed, step, o)) for o in streams]
    xs = torch.randn(b, n, d, generator=gs[0])
    w, c = w*spread(b, d, 1, generator=gs[1]), c*spread(b, 1, generator=gs[2])
    z = (xs @ w)[..., 0] + c
    u = torch.rand(b, n, generator=gs[3]) if coins is None else coins(gs[3], b, n)
    return xs, (u < z.sigmoid()).float()


def bias_numpy(seed, step, b, n, d):
    "One generator, drawn from in turn, float64 and labels that are bool"
    g = np.random.default_rng([seed, step])
    xs, w = g.normal(size=(b, n, d)), g.normal(0, 10, (b, d))
    c = g.normal(0, 10, (b, 1))
    return xs, g.random((b, n)) < 1/(1 + np.exp(-np.einsum("bnd,bd->bn", xs, w) - c))


def bias_bernoulli(seed, step, b, n, d):
    "One generator, labels first in memory, a list in place of a tuple"
    g = gen(mix(seed, step))
    w, c = 10*torch.randn(b, 1, d, generator=g), 10*torch.randn(b, 1, generator=g)
    xs = torch.randn(b, n, d, generator=g)
    return [xs, torch.bernoulli(((xs*w).sum(-1) + c).sigmoid(), generator=g).long()]


def bias_numpy_coins(seed, step, b, n, d):
    "NumPy, and the coins begin where the points began"
    def g(name): return np.random.default_rng([seed, step, name])
    xs, w = g(0).normal(size=(b, n, d)), g(1).normal(size=(b, d))
    c = g(2).normal(size=b)
    z = 10*np.einsum("bnd,bd->bn", xs, w) + 10*c[:, None]
    return xs, (g(0).random((b, n)) < 1/(1 + np.exp(-z))).astype(float)


def no_bias(seed, step, b, n, d):
    xs, _ = GaussianSampler(d).sample_xs(n, b, seed=(seed, step))
    return xs, LogisticRegressionTask(d, b, 10, seed=(seed, step)).evaluate(xs)[0]


def one_problem(seed, step, b, n, d):
    "The same weights in all rows"
    g = gen(mix(seed, step))
    xs, w = torch.randn(b, n, d, generator=g), 10*torch.randn(d, generator=g)
    z = xs @ w + 10*torch.randn(b, 1, generator=g)
    return xs, (torch.rand(b, n, generator=g) < z.sigmoid()).float()


def one_intercept(seed, step, b, n, d):
    g = gen(mix(seed, step))
    xs, w = torch.randn(b, n, d, generator=g), 10*torch.randn(b, d, 1, generator=g)
    z = (xs @ w)[..., 0] + 10*torch.randn(1, generator=g)
    return xs, (torch.rand(b, n, generator=g) < z.sigmoid()).float()


def bias_by_length(seed, step, b, n, d):
    "Weights that look as if divided by the root of d"
    return bias(seed, step, b, n, d, w=10/d**0.5, c=10/d**0.5)


def uniform_points(seed, step, b, n, d):
    g = gen(mix(seed, step))
    xs = (torch.rand(b, n, d, generator=g) - 0.5)*12**0.5
    z = 10*(xs @ torch.randn(b, d, 1, generator=g))[..., 0]
    z = z + 10*torch.randn(b, 1, generator=g)
    return xs, (torch.rand(b, n, generator=g) < z.sigmoid()).float()


def seeded_globally(seed, step, b, n, d):
    torch.manual_seed(mix(seed, step))
    xs, w, c = torch.randn(b, n, d), 10*torch.randn(b, d, 1), 10*torch.randn(b, 1)
    return xs, torch.bernoulli(((xs @ w)[..., 0] + c).sigmoid())


def drawn_globally(seed, step, b, n, d):
    xs, w, c = torch.randn(b, n, d), 10*torch.randn(b, d, 1), 10*torch.randn(b, 1)
    return xs, torch.bernoulli(((xs @ w)[..., 0] + c).sigmoid())


def labels_in_another_order(*args):
    xs, ys = bias(*args)
    return xs.flip(1), ys


def one_weight(seed, step, b, n, d):
    "The same weight for all coordinates"
    g = gen(mix(seed, step))
    xs, w = torch.randn(b, n, d, generator=g), 10*torch.randn(b, 1, 1, generator=g)
    z = (xs*w).sum(-1) + 10*torch.randn(b, 1, generator=g)
    return xs, (torch.rand(b, n, generator=g) < z.sigmoid()).float()


class Continues:
    "One generator for all calls"
    def __init__(self): self.made = {}
    def __call__(self, seed, step, b, n, d):
        g = self.made.setdefault(seed, gen(seed))
        return bias(seed, step, b, n, d, seeds=lambda *o: torch.randint(
            2**40, (1,), generator=g).item())


def bias_laplace(seed, step, b, n, d):
    g = np.random.default_rng([seed, step])
    def draw(*shape): return g.laplace(0, 10/2**0.5, shape)
    xs = g.normal(size=(b, n, d))
    z = np.einsum("bnd,bd->bn", xs, draw(b, d)) + draw(b, 1)
    return xs, (g.random((b, n)) < 1/(1 + np.exp(-z))).astype(float)


def intercept_per_point(seed, step, b, n, d):
    g = gen(mix(seed, step))
    xs, w = torch.randn(b, n, d, generator=g), 10*torch.randn(b, d, 1, generator=g)
    z = (xs @ w)[..., 0] + 10*torch.randn(b, n, generator=g)
    return xs, (torch.rand(b, n, generator=g) < z.sigmoid()).float()


def seeded_numpy(seed, step, b, n, d):
    np.random.seed(mix(seed, step))
    xs, w = np.random.randn(b, n, d), 10*np.random.randn(b, d, 1)
    z = (xs @ w)[..., 0] + 10*np.random.randn(b, 1)
    return xs, (np.random.rand(b, n) < 1/(1 + np.exp(-z))).astype(float)


def same_points(seed, step, b, n, d):
    xs, ys = bias(seed, step, b, n, d)
    return xs[:, :1].expand(b, n, d), ys


def row_by_row(seed, step, b, n, d):
    "Row i of a step is row 0 of i steps later"
    rows = [bias(seed, step + i, 1, n, d) for i in range(b)]
    return [torch.cat(o) for o in zip(*rows)]


BANK["check_with_bias"] = Bank(
    right=[bias_of_a_one, bias, bias_numpy, bias_bernoulli],
    wrong=[
        (partial(bias, coins=lambda g, b, n: 0.5), "only the side of the border"),
        (partial(bias, coins=lambda g, b, n: torch.rand(b, 1, generator=g)),
            "coin of its own"),
        (partial(bias, coins=lambda g, b, n: torch.rand(1, n, generator=g)),
            "drawn once for all problems"),
        (partial(bias, w=1., c=1.), "deviation of each weight 10"),
        (partial(bias, w=10**0.5, c=10**0.5), "deviation of each weight 10"),
        (partial(bias, w=100., c=100.), "not its square"),
        (bias_by_length, "deviation of each weight 10"),
        (partial(bias, c=0.), "Is there an intercept"),
        (no_bias, "Is there an intercept"),
        (partial(bias, c=1.), "size of a weight"),
        (partial(bias, c=100.), "no larger"),
        (one_intercept, "once for all problems"),
        (one_problem, "once for all problems"),
        (one_weight, "weight of its own"),
        (partial(bias, streams=(0, 0, 2, 3)), "points and weights come from one"),
        (partial(bias, streams=(0, 1, 0, 3)), "points and intercepts come from one"),
        (partial(bias, streams=(0, 1, 1, 3)), "weights and intercepts (come|share)"),
        (partial(bias, streams=(0, 1, 2, 0)), "coins and points"),
        (partial(bias, streams=(0, 1, 2, 1)), "generator"),
        (partial(bias, streams=(0, 1, 2, 2)), "generator"),
        (bias_numpy_coins, "coins and points"),
        (partial(bias, seeds=lambda seed, step, o: mix(seed) + step + o),
            "no other step uses"),
        (partial(bias, seeds=lambda seed, step, o: 8*(seed + step) + o),
            "each in its place"),
        (partial(bias, seeds=lambda seed, step, o: mix(10*seed + step, o)),
            "become the same number"),
        (partial(bias, seeds=lambda seed, step, o: mix(1000*seed + step, o)),
            "become the same number"),
        (partial(bias, seeds=lambda seed, step, o: mix(step, o)), "both numbers count"),
        (partial(bias, seeds=lambda seed, step, o: mix(seed, o)), "both numbers count"),
        (partial(bias, seeds=lambda seed, step, o: mix(*sorted((seed, step)), o)),
            "each in its place"),
        (partial(bias, seeds=lambda seed, step, o: mix(seed, step*(o == 0), o)),
            "once for all batches"),
        (partial(bias, seeds=lambda seed, step, o: mix(seed*(o == 0), step, o)),
            "the seed count"),
        (seeded_globally, "generator of your own"),
        (drawn_globally, "generator of your own"),
        (Continues(), "depend on"),
        (labels_in_another_order, "their own points|probability of its own point"),
        (uniform_points, "normal, or uniform"),
        (bias_laplace, "weights normal"),
        (intercept_per_point, "same for all points of a problem"),
        (seeded_numpy, "generator of your own"),
        (same_points, "once for all"),
        (row_by_row, "no other step uses"),
        (partial(bias, spread=torch.rand), "drawn|centred"),
        (lambda *args: bias(*args)[0], "xs and ys"),
        (lambda *args: (bias(*args)[0], 2*bias(*args)[1] - 1), "neither 0 nor 1|coin"),
        (lambda *args: bias(*args)[::-1], "Which axis"),
    ])


# ---- units

BANK["check_units"] = Bank([1/8, 0.125, torch.tensor(0.125)], [
    (1/4, "at this factor"), (1/2, "at this factor"), (1, "at this factor"),
    (8, "at this factor"), (1/16, "at twice this factor"), (0, "at twice this factor"),
    (1/64, "at twice this factor"), ("an eighth", "no number"), ([1/8], "no number")])


# ---- split

def split(sequence): return sequence[:, ::2, :-1], (sequence[:, 1::2, -1] + 1)/2


def split_labels_first(sequence):
    tokens = rearrange(sequence, "b (n two) d -> two b n d", two=2)[1]
    return tokens[..., :-1], tokens[..., -1].clamp(min=0)


def split_numpy(sequence):
    s = sequence.numpy()
    return s[:, 0::2, :s.shape[2] - 1], s[:, 1::2, -1] > 0


def split_loop(sequence):
    inputs, labels = [], []
    for i in range(0, sequence.shape[1], 2):
        inputs.append(sequence[:, i, :-1])
        labels.append((sequence[:, i + 1, -1] == 1).to(sequence.dtype))
    return torch.stack(inputs, 1), torch.stack(labels, 1)


def split_list(sequence):
    return [sequence[:, ::2, :-1], (sequence[:, 1::2, -1] == 1).to(sequence)]


def split_in_place(sequence):
    sequence[..., -1] = (sequence[..., -1] + 1)/2
    return sequence[:, ::2, :-1], sequence[:, 1::2, -1]


def split_reshape(sequence):
    b, n, d = sequence.shape
    pairs = sequence.reshape(b, -1, 2, d)
    return pairs[:, :, 0, :-1], (pairs[:, :, 1, -1] + 1)/2


BANK["check_split"] = Bank(
    right=[split, split_labels_first, split_numpy, split_list, split_reshape],
    wrong=[
        (lambda s: (s[:, ::2], (s[:, 1::2, -1] + 1)/2), "last number of an input's"),
        (lambda s: (s[:, ::2, :-1], s[:, 1::2, -1]), "stands for 0"),
        (lambda s: (s[:, ::2, :-1], s[:, ::2, -1]), "Which of the two"),
        (lambda s: (s[:, ::2, :-1], (s[:, ::2, -1] + 1)/2), "Which of the two tokens"),
        (lambda s: (s[:, ::2, :-1], (s[:, 1::2, -1:] + 1)/2), r"shape of ys"),
        (lambda s: split(s)[::-1], "Which one comes first"),
        (lambda s: (s[:, :s.shape[1]//2, :-1], (s[:, s.shape[1]//2:, -1] + 1)/2),
            "first half"),
        (lambda s: (s[:, ::2, 1:], (s[:, 1::2, -1] + 1)/2), "or the first"),
        (lambda s: (s[:, ::2, :-1], (1 - s[:, 1::2, -1])/2), "exchanged"),
        (lambda s: (s[:, ::2, :-1], s[:, 1::2, -1] + 1), "what divides"),
        (lambda s: (s[:, ::2, :-1], s[:, 1::2, -1]/2), "before or after"),
        (lambda s: (s[..., :-1], (s[:, 1::2, -1] + 1)/2), "every second token taken"),
        (lambda s: split(s)[0], "both|pair"),
        (split_in_place, "copy"),
        (split_loop, "empty context"),
        (lambda s: (s[:, ::2, :-1].half(), split(s)[1]), "Which tokens"),
    ])


# ---- seen

def seen(model, xs, ys):
    counts = torch.zeros(ys.shape[1], dtype=torch.long)
    for j in range(ys.shape[1]):
        flipped = ys.clone()
        flipped[:, j] = 1 - flipped[:, j]
        counts += (model(xs, ys) != model(xs, flipped)).any(0)
    return counts.tolist()


def seen_at_once(model, xs, ys):
    "All flips in one batch, in NumPy afterwards"
    b, n = ys.shape
    many = ys.repeat(n, 1)
    many[torch.arange(n*b), torch.arange(n).repeat_interleave(b)] = 1 - ys.T.flatten()
    out = torch.stack([model(xs, o) for o in many.view(n, b, n)]).numpy()
    return (out != model(xs, ys).numpy()).any(1).sum(0)


def seen_restores(model, xs, ys):
    "Flips a label where it stands, and back"
    out, found = model(xs, ys), [set() for _ in range(ys.shape[1])]
    for j in range(ys.shape[1]):
        ys[:, j] = 1 - ys[:, j]
        for row, new in zip(out, model(xs, ys)):
            for i, (a, b) in enumerate(zip(row.tolist(), new.tolist())):
                if a != b: found[i].add(j)
        ys[:, j] = 1 - ys[:, j]
    return tuple(map(len, found))


def seen_each_row(model, xs, ys):
    "One row of one label at a time"
    out, hit = model(xs, ys), torch.zeros(ys.shape[1], ys.shape[1], dtype=torch.bool)
    for i in range(len(ys)):
        for j in range(ys.shape[1]):
            flipped = ys.clone()
            flipped[i, j] = 1 - flipped[i, j]
            hit[j] |= (model(xs, flipped) != out).any(0)
    return hit.sum(0).float()


def seen_with(model, xs, ys, change=lambda o: 1 - o, differs=torch.ne,
        count=lambda hits: hits.any(1).sum(0), rows=slice(None), fresh=True):
    "A flip and a count that can be put wrong; hits are (label, row, output)"
    out, hits, flipped = model(xs, ys), [], ys.clone()
    for j in range(ys.shape[1]):
        if fresh: flipped = ys.clone()
        flipped[rows, j] = change(flipped[rows, j])
        hits.append(differs(model(xs, flipped), out))
    return count(torch.stack(hits)).tolist()


def seen_in_place(model, xs, ys):
    out, counts = model(xs, ys), 0
    for j in range(ys.shape[1]):
        ys[:, j] = 1 - ys[:, j]
        counts = counts + (model(xs, ys) != out).any(0)
    return counts


def seen_by_gradient(model, xs, ys):
    ys = ys.clone().requires_grad_()
    out, counts = model(xs, ys), []
    for i in range(ys.shape[1]):
        g, = torch.autograd.grad(out[:, i].sum(), ys, retain_graph=True,
            allow_unused=True)
        counts.append(0 if g is None else (g != 0).any(0).sum().item())
    return counts


def seen_earlier(model, xs, ys):
    "Looks at earlier labels only"
    out, counts = model(xs, ys), [0]*ys.shape[1]
    for i in range(ys.shape[1]):
        for j in range(i):
            flipped = ys.clone()
            flipped[:, j] = 1 - flipped[:, j]
            counts[i] += (model(xs, flipped)[:, i] != out[:, i]).any().item()
    return counts


def seen_from_zeros(model, xs, ys):
    zeros, counts = torch.zeros_like(ys), 0
    for j in range(ys.shape[1]):
        one = zeros.clone()
        one[:, j] = 1
        counts = counts + (model(xs, one) != model(xs, zeros)).any(0)
    return counts


def seen_of_means(model, xs, ys):
    return seen(lambda xs, ys: model(xs, ys).mean(0, keepdim=True), xs, ys)


def seen_all_at_once(model, xs, ys):
    return (model(xs, ys) != model(xs, 1 - ys)).any(0).int()


def close(a, b): return ~torch.isclose(a, b)


BANK["check_seen"] = Bank(
    right=[seen, seen_at_once, seen_restores, seen_each_row, seen_with],
    wrong=[
        (lambda model, xs, ys: range(ys.shape[1]), "what this one does"),
        (partial(seen_with, count=lambda o: o.any(1).sum(1)), "by output, or by label"),
        (partial(seen_with, count=lambda o: o[:, 0].sum(0)), "only the first"),
        (partial(seen_with, count=lambda o: o[:, -1].sum(0)), "only the last"),
        (partial(seen_with, count=lambda o: o.all(1).sum(0)), "all rows, or in any"),
        (partial(seen_with, count=lambda o: o.sum((0, 1))), "once for each row"),
        (partial(seen_with, fresh=False), "one at a time"),
        (partial(seen_with, change=lambda o: -o), "which labels does it know"),
        (partial(seen_with, change=lambda o: o + 1), "which labels does it know"),
        (partial(seen_with, change=torch.ones_like), "setting a label to 1"),
        (partial(seen_with, change=torch.zeros_like), "setting a label to 0"),
        (partial(seen_with, rows=0), "only the first"),
        (partial(seen_with, differs=close), "small change"),
        (seen_all_at_once, "all at once"),
        (seen_earlier, "its own label, or on later ones"),
        (seen_from_zeros, "starting from those given"),
        (seen_of_means, "or is it their mean"),
        (seen_in_place, "copy"),
        (seen_by_gradient, "Not yet"),
        (lambda model, xs, ys: seen(model, xs, ys)[:-1], "shape"),
    ])


# ---- pack_mask

def pack(lengths):
    which = torch.arange(len(lengths)).repeat_interleave(torch.tensor(lengths))
    return (which[:, None] == which).tril()


def pack_blocks(lengths):
    return torch.block_diag(*(torch.ones(o, o).tril() for o in lengths)).bool()


def pack_numpy(lengths):
    mask, at = np.zeros((sum(lengths),)*2, dtype=bool), 0
    for o in lengths:
        mask[at:at + o, at:at + o] = np.tri(o)
        at += o
    return mask


def pack_whole(lengths):
    return torch.block_diag(*(torch.ones(o, o) for o in lengths)).bool()


def pack_one_length(lengths):
    i = torch.arange(sum(lengths))
    return (i[:, None]//lengths[0] == i//lengths[0]).tril()


def pack_without_self(lengths): return pack(lengths).tril(-1)


def pack_sorts(lengths):
    lengths.sort()
    return pack(lengths)


def pack_sorted(lengths): return pack(sorted(lengths))


def pack_off_by_one(lengths):
    mask, at = pack(lengths), 0
    for o in lengths[:-1]:
        at += o
        mask[at, at - 1] = True
    return mask


def pack_looks_back(lengths):
    "The mask of the next context is not cut off on the left"
    return causal_mask(sum(lengths)) & ~pack(lengths) | torch.eye(sum(lengths)).bool()


BANK["check_pack_mask"] = Bank(
    right=[pack, pack_blocks, pack_numpy, lambda lengths: pack(lengths).tolist()],
    wrong=[
        (lambda lengths: causal_mask(sum(lengths)), "contexts before its own"),
        (pack_whole, "later one of its own"),
        (pack_without_self, "see itself"),
        (pack_one_length, "contexts before its own|earlier ones of its own"),
        (pack_off_by_one, "contexts before its own"),
        (pack_looks_back, "earlier ones of its own"),
        (lambda lengths: torch.eye(sum(lengths)).bool(), "earlier ones of its own"),
        (lambda lengths: pack_whole(lengths).triu(), "row i the token that looks"),
        (lambda lengths: ~pack(lengths), "True mean that a token may look"),
        (lambda lengths: pack(lengths).float(), "mask of numbers"),
        (lambda lengths: [pack([o]) for o in lengths], "for each pair of tokens"),
        (lambda lengths: pack([lengths[0]]), "How many tokens"),
        (lambda lengths: torch.stack([pack([max(lengths)]) for _ in lengths]),
            "How many tokens"),
        (pack_sorts, "copy"),
        (pack_sorted, "own"),
        (lambda lengths: causal_mask(sum(lengths)) | pack_whole(lengths), "later one"),
    ])


# ---- mirror

def mirror(ask):
    def both(xs, ys, queries):
        return (ask(xs, ys, queries) - ask(xs, 1 - ys, queries))/2
    return both


def mirror_lerp(ask):
    return lambda xs, ys, q: torch.lerp(ask(xs, ys, q), -ask(xs, 1 - ys, q), 0.5)


def mirror_batch(ask):
    "Both ways in one call of twice as many rows"
    def both(xs, ys, queries):
        a, b = ask(torch.cat([xs, xs]), torch.cat([ys, 1 - ys]), torch.cat([queries]*2)
            ).chunk(2)
        return 0.5*a - 0.5*b
    return both


def mirror_numpy(ask):
    def both(xs, ys, queries):
        two = [np.asarray(ask(xs, y, queries)) for y in (ys, (ys == 0).to(ys))]
        return np.mean([two[0], -two[1]], 0)
    return both


def mirror_probabilities(ask):
    def both(xs, ys, queries):
        p = ask(xs, ys, queries).sigmoid(), 1 - ask(xs, 1 - ys, queries).sigmoid()
        return ((p[0] + p[1])/2).logit()
    return both


def mirror_in_place(ask):
    def both(xs, ys, queries):
        a = ask(xs, ys, queries)
        ys.neg_().add_(1)
        return (a - ask(xs, ys, queries))/2
    return both


class OneMirror:
    "The function asked last is the one that all mirrors ask"
    def __call__(self, ask):
        self.ask = ask
        return lambda *args: mirror(self.ask)(*args)


def with_half(combine): return lambda ask: lambda xs, ys, q: combine(
    ask(xs, ys, q), ask(xs, 1 - ys, q))


BANK["check_mirror"] = Bank(
    right=[mirror, mirror_lerp, mirror_batch, mirror_numpy],
    wrong=[
        (with_half(lambda a, b: (a + b)/2), "second one change sign"),
        (with_half(lambda a, b: a + b), "second one change sign, and"),
        (with_half(lambda a, b: a - b), "mean, or a sum"),
        (with_half(lambda a, b: (b - a)/2), "Which of the two changes sign"),
        (with_half(lambda a, b: a), "two ways to name"),
        (with_half(lambda a, b: -b), "only the swapped one"),
        (mirror_probabilities, "averaged, or probabilities"),
        (with_half(lambda a, b: (a.sigmoid() + 1 - b.sigmoid())/2), "or a probability"),
        (with_half(lambda a, b: (a + 1 - b)/2), "log odds of the other class"),
        (lambda ask: lambda xs, ys, q: (ask(xs, ys, q) - ask(xs, -ys, q))/2,
            "labels that are 0 or 1"),
        (lambda ask: lambda xs, ys, q: (ask(xs, ys, q) - ask(-xs, ys, q))/2,
            "log odds of the other class"),
        (lambda ask: lambda xs, ys, q: (ask(xs, ys, q) - ask(xs, ys.flip(1), q))/2,
            "log odds of the other class"),
        (lambda ask: (ask(1, 2, 3) - ask(1, -1, 3))/2, "`mirror` itself know"),
        (lambda ask: float(ask is None), "function of the same kind"),
        (mirror_in_place, "copy"),
        (OneMirror(), "that it was made for"),
        (lambda ask: ask, "two ways to name"),
    ])


# ---- lost_in_noise

BANK["check_lost_in_noise"] = Bank(
    right=[30, 25, 30., np.int64(30), torch.tensor(30)],
    wrong=[
        (10, "there"), (20, "there"), (0, "there"), (-30, "there"), (0.756, "there"),
        (40, "ten fewer"), (31, "ten fewer"), (100, "ten fewer"), (320, "ten fewer"),
        ("thirty", "is no number"), ([30, 40], "is no number"),
    ])


# ---- best_temperature

def temperature(z, y):
    low, high = 1e-6, 1e6
    for _ in range(200):
        middle = (low*high)**0.5
        if ((torch.sigmoid(z*middle) - y)*z).sum() > 0: high = middle
        else: low = middle
    return 1/middle


def temperature_newton(z, y):
    "Newton's method on log T, from the deviation of z, with halved steps"
    z, y = z.double(), y.double()
    def cost(t): return F.binary_cross_entropy_with_logits(z*math.exp(-t), y).item()
    t = math.log(z.std())
    for _ in range(100):
        u = z*math.exp(-t)
        p = u.sigmoid()
        first = ((y - p)*u).mean().item()
        second = (p*(1 - p)*u*u).mean().item() + ((p - y)*u).mean().item()
        step = -first/second if second > 0 else -math.copysign(1, first)
        while cost(t + step) > cost(t) and abs(step) > 1e-12: step /= 2
        t += step
    return torch.tensor(math.exp(t))


def temperature_numpy(z, y):
    "A finer and finer grid, and only four digits"
    z, y = z.double().numpy(), y.double().numpy()
    low, high = 1e-4, 1e4
    for _ in range(12):
        ts = np.geomspace(low, high, 60)
        cost = [np.logaddexp(0, np.where(y == 1, -z, z)/t).mean() for t in ts]
        i = int(np.argmin(cost))
        low, high = ts[max(i - 2, 0)], ts[min(i + 2, 59)]
    return float(f"{ts[i]:.4g}")


def temperature_narrow(z, y):
    low, high = 0.05, 20.
    for _ in range(100):
        middle = (low*high)**0.5
        if ((torch.sigmoid(z/middle) - y)*z).sum() > 0: low = middle
        else: high = middle
    return middle


def temperature_short(z, y):
    low, high = 1e-6, 1e6
    for _ in range(8):
        middle = (low*high)**0.5
        if ((torch.sigmoid(z/middle) - y)*z).sum() > 0: low = middle
        else: high = middle
    return middle


def temperature_few_steps(z, y):
    t = 0.
    for _ in range(20):
        u = z.double()*math.exp(-t)
        t -= 0.1*((y - u.sigmoid())*u).mean().item()
    return math.exp(t)


def temperature_wild(z, y):
    "Newton's method from T = 1, without a look at the cost"
    t = 0.
    for _ in range(30):
        u = z.double()*math.exp(-t)
        p = u.sigmoid()
        second = (p*(1 - p)*u*u).mean() + ((p - y)*u).mean()
        t -= (((y - p)*u).mean()/second).item()
    return math.exp(min(t, 100.))


def temperature_grid(z, y):
    ts = torch.arange(0.1, 10, 0.1)
    cost = [F.binary_cross_entropy_with_logits(z/t, y).item() for t in ts]
    return ts[int(np.argmin(cost))]


def temperature_of_brier(z, y):
    z, y = z.double(), y.double()
    ts = torch.logspace(-4, 4, 80001, dtype=torch.float64)
    best = (1, 0)
    for part in ts.split(2000):
        cost = ((torch.sigmoid(z/part[:, None]) - y)**2).mean(1)
        best = min(best, (cost.min().item(), part[cost.argmin()].item()))
    return best[1]


BANK["check_best_temperature"] = Bank(
    right=[temperature, temperature_newton, temperature_numpy,
        lambda z, y: np.float32(temperature(z.double(), y.double()))],
    wrong=[
        (lambda z, y: float(len(z) > 1), "always 1"),
        (lambda z, y: 1/temperature(z, y), "or 1/T"),
        (lambda z, y: math.log(temperature(z, y)), "logarithm|above 0"),
        (lambda z, y: temperature(z, y)**0.5, "its root|square"),
        (lambda z, y: temperature(z, y)**2, "its square|root"),
        (lambda z, y: -temperature(z, y), "above 0"),
        (lambda z, y: z.std(), "deviation of z"),
        (temperature_of_brier, "squared error"),
        (temperature_narrow, "as large or as small"),
        (temperature_short, "searched, to the end"),
        (temperature_few_steps, "searched, to the end"),
        (temperature_wild, "searched, to the end|nan|above 0"),
        (temperature_grid, "searched, to the end"),
        (lambda z, y: z/temperature(z, y), "One temperature"),
        (lambda z, y: temperature(z.abs(), y), "Not yet"),
        (lambda z, y: temperature(z, 1 - y), "Not yet"),
    ])
