"Answers to the exercises of lessons 04 to 08"
import random

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from banks import Bank
from minitrain.backprop import Value

BANK = {}


# 04: a tanh for the tape
def tanh_alone(v):
    t = torch.tanh(v.data)
    def back(g): return g - g*t**2
    return Value(data=t, parents=((v, back),))

def tanh_cosh(v):
    "Another formula, from the input: 1/cosh^2"
    return Value(v.data.tanh(), [(v, lambda g: g/v.data.cosh()**2)], "tanh")

def tanh_by_autograd(v):
    x = v.data.clone().requires_grad_()
    t = x.tanh()
    return Value(t.detach(), [(v, lambda g: torch.autograd.grad(t, x, g, True)[0])])

def tanh_back(back):
    "A choice of mistakes: `back` is called with g, the input and its tanh"
    def answer(v):
        x, t = v.data, v.data.tanh()
        return Value(t, [(v, lambda g: back(g, x, t))])
    return answer

def tanh_of_exps(v):
    e = (2*v.data).exp()
    t = (e - 1)/(e + 1)
    return Value(t, [(v, lambda g: g*(1 - t*t))])

def tanh_sets_grad(v):
    t = v.data.tanh()
    def back(g): v.grad = g*(1 - t*t)
    return Value(t, [(v, back)])

def tanh_in_place(v):
    t = v.data.tanh_()
    return Value(t, [(v, lambda g: g*(1 - t*t))])

def tanh_twice_itself(v):
    "Names its parent twice, and so sends everything twice"
    t = v.data.tanh()
    def back(g): return g*(1 - t*t)
    return Value(t, [(v, back), (v, back)])

def tanh_one_use(v):
    "Keeps a gradient that was there, and adds it again"
    t = v.data.tanh()
    def back(g): return g*(1 - t*t) + (0 if v.grad is None else v.grad)
    return Value(t, [(v, back)])

BANK["check_tanh"] = Bank(
    right=[tanh_alone, tanh_cosh, tanh_by_autograd],
    wrong=[
        (tanh_back(lambda g, x, t: 1 - t*t), "Is `g` used"),
        (tanh_back(lambda g, x, t: g*(1 - t)), "the square missing"),
        (tanh_back(lambda g, x, t: g*(1 + t*t)), "Plus or minus"),
        (tanh_back(lambda g, x, t: g*(1 - x*x)), "or of the input"),
        (tanh_back(lambda g, x, t: g*t), "or the derivative"),
        (tanh_back(lambda g, x, t: g*t*(1 - t)), "derivative of the sigmoid"),
        (tanh_back(lambda g, x, t: g), "unchanged"),
        (tanh_back(lambda g, x, t: g + 1 - t*t), "or multiplied"),
        (tanh_back(lambda g, x, t: None), "beside `v` in `parents` return"),
        (lambda v: v.data.tanh(), "not a Value"),
        (lambda v: Value(v.data.tanh()), "among its parents"),
        (lambda v: Value(v.data.sigmoid(), [(v, lambda g: g)]), "Which function"),
        (tanh_of_exps, "large numbers"), (tanh_sets_grad, "beside `v` in `parents`"),
        (tanh_in_place, "in place"), (tanh_one_use, "adds up the gradients"),
        (tanh_twice_itself, "what comes from above"),
    ])


# 04: rows of a table
def rows_loop(v, index):
    def back(g):
        out = torch.zeros_like(v.data)
        for i, row in zip(index.tolist(), g): out[i] += row
        return out
    return Value(torch.stack([v.data[i] for i in index.tolist()]), [(v, back)])

def rows_matrix(v, index):
    "A product with a matrix of ones and zeros, which the tape knows already"
    return Value(F.one_hot(index, len(v.data)).to(v.data)) @ v

def rows_put(v, index):
    def back(g): return torch.zeros_like(v.data).index_put((index,), g, accumulate=True)
    return Value(v.data.index_select(0, index), [(v, back)])

def rows_back(back):
    "A choice of mistakes: `back` is called with g, zeros of the table's shape, and index"
    def answer(v, index):
        return Value(v.data[index],
            [(v, lambda g: back(g, torch.zeros_like(v.data), index))])
    return answer

def rows_set(g, out, index):
    out[index] = g
    return out

def rows_add(g, out, index):
    out[index] += g
    return out

def rows_first(g, out, index):
    out[index.flip(0)] = g.flip(0)
    return out

def rows_mean(g, out, index):
    many = torch.bincount(index, minlength=len(out))[:, None].clamp(min=1)
    return out.index_add(0, index, g)/many

BANK["check_rows"] = Bank(
    right=[rows_loop, rows_matrix, rows_put],
    wrong=[
        (rows_back(rows_set), "the first of its two gradients"),
        (rows_back(rows_add), "Look at what"),
        (rows_back(rows_first), "becomes of the second"),
        (rows_back(rows_mean), "averaged, or added"),
        (rows_back(lambda g, out, i: out.index_add(0, i, torch.ones_like(g))),
            "Is `g` used"),
        (rows_back(lambda g, out, i: out + g.sum(0)), "the whole `g`"),
        (rows_back(lambda g, out, i: g[i % len(g)]), "the function beside `v`"),
        (rows_back(lambda g, out, i: g), "the function beside `v`"),
        (rows_back(lambda g, out, i: out), "Which row of the table"),
        (lambda v, index: Value(v.data[index]), "among its parents"),
        (lambda v, index: v.data[index], "not a Value"),
        (lambda v, index: Value(v.data[index.sort().values], [(v, lambda g: g)]),
            "in which order"),
        (lambda v, index: Value(v.data[:, index], [(v, lambda g: g)]),
            "Which rows|your code raised"),
    ])


# 04: vanishing gradients
BANK["check_vanishing"] = Bank(
    right=[6, 6., torch.tensor(6)],
    wrong=[
        (2, "below the dotted line yet"), (4, "below the dotted line yet"),
        (5, "below the dotted line yet"), (7, "or matrices"), (8, "with fewer layers"),
        (1000, "with fewer layers"), ("six", "no number"),
    ])


# 05: the mean of an epoch
def mean_numpy(means, sizes):
    return np.average(np.array(means, np.float32), weights=sizes)

def mean_loop(means, sizes):
    seen, mean = 0, torch.zeros(())
    for m, s in zip(means, sizes):
        seen += s
        mean = mean + (m - mean)*s/seen
    return mean

def mean_dot(means, sizes):
    sizes = torch.tensor(sizes).double()
    return torch.tensor(means, dtype=torch.float64) @ sizes/sizes.sum()

def total(means, sizes): return sum(m*s for m, s in zip(means, sizes))

class Kept:
    "Goes on from where the last call left it"
    total = n = 0
    def __call__(self, means, sizes):
        self.total += total(means, sizes)
        self.n += sum(sizes)
        return self.total/self.n

def mean_sorts(means, sizes):
    sizes.sort()
    return total(means, sizes)/sum(sizes)

def mean_turned(means, sizes):
    return sum(m/s for m, s in zip(means, sizes))/sum(1/s for s in sizes)

BANK["check_epoch_mean"] = Bank(
    right=[mean_numpy, mean_loop, mean_dot],
    wrong=[
        (lambda means, sizes: sum(means)/len(means), "as much as a full one"),
        (lambda means, sizes: total(means, sizes)/len(means),
            "number of batches, or of samples"),
        (total, "divided by anything"),
        (lambda means, sizes: sum(means)/sum(sizes), "come once, or 5 times"),
        (lambda means, sizes: total(means, sizes)/(sizes[0]*len(sizes)),
            "as long as the first"),
        (lambda means, sizes: total(means[:-1], sizes)/max(sum(sizes[:-1]), 1),
            "last batch left out"),
        (lambda means, sizes: means[-1], "last batch only"),
        (lambda means, sizes: np.median(means), "How many samples"),
        (mean_turned, "count more, or less"),
        (lambda means, sizes: round(total(means, sizes)/sum(sizes), 2),
            "How many samples"),
        (mean_sorts, "in place"), (Kept(), "How many samples"),
    ])


# 05: a large batch in small parts
def parts_by_sum(model, xb, yb, loss_func, opt, size):
    "Each part's mean times its length, all divided by the batch's length at the end"
    model.zero_grad()
    for i in range(0, len(xb), size):
        x, y = xb[i:i + size], yb[i:i + size]
        (len(x)*loss_func(model(x), y)).backward()
    for p in model.parameters(): p.grad /= len(xb)
    opt.step()
    return "done"

def parts_by_grad(model, xb, yb, loss_func, opt, size):
    "Gradients asked for and added up by hand; even parts"
    params = list(model.parameters())
    sums, losses = [torch.zeros_like(p) for p in params], []
    k = -(-len(xb)//size)
    for rows in torch.arange(len(xb)).chunk(k):
        loss = loss_func(model(xb[rows]), yb[rows])
        losses.append(loss)
        gs = torch.autograd.grad(loss, params)
        for s, g in zip(sums, gs): s += g*len(rows)/len(xb)
    for p, s in zip(params, sums): p.grad = s
    opt.step(); opt.zero_grad()

def parts_one_by_one(model, xb, yb, loss_func, opt, size):
    opt.zero_grad()
    for i in range(len(xb)):
        loss = loss_func(model(xb[i:i + 1]), yb[i:i + 1])
        (loss/len(xb)).backward()
    opt.step()

def parts(weigh, zero=True, inside=False, step_inside=False, skip_last=False):
    "The loop with a choice of mistakes; `weigh` is called with length, n and size"
    def answer(model, xb, yb, loss_func, opt, size):
        if zero: opt.zero_grad()
        for x, y in zip(xb.split(size), yb.split(size)):
            if skip_last and len(x) < size: break
            if inside: opt.zero_grad()
            (loss_func(model(x), y)*weigh(len(x), len(xb), size)).backward()
            if step_inside: opt.step()
        if not step_inside: opt.step()
    return answer

def share(m, n, size): return m/n

def parts_sum_of_losses(model, xb, yb, loss_func, opt, size):
    opt.zero_grad()
    pairs = zip(xb.split(size), yb.split(size))
    losses = [loss_func(model(x), y)*len(x) for x, y in pairs]
    (sum(losses)/len(xb)).backward()
    opt.step()

def parts_cat(model, xb, yb, loss_func, opt, size):
    opt.zero_grad()
    loss_func(torch.cat([model(x) for x in xb.split(size)]), yb).backward()
    opt.step()

def parts_retain(model, xb, yb, loss_func, opt, size):
    opt.zero_grad()
    kept = []
    for x, y in zip(xb.split(size), yb.split(size)):
        kept.append(loss_func(model(x), y)*len(x)/len(xb))
        kept[-1].backward(retain_graph=True)
    opt.step()

def parts_whole(model, xb, yb, loss_func, opt, size):
    opt.zero_grad(); loss_func(model(xb), yb).backward(); opt.step()

def parts_by_hand(model, xb, yb, loss_func, opt, size):
    opt.zero_grad()
    for x, y in zip(xb.split(size), yb.split(size)):
        (loss_func(model(x), y)*len(x)/len(xb)).backward()
    with torch.no_grad():
        for p in model.parameters(): p -= 0.1*p.grad

BANK["check_step_in_parts"] = Bank(
    right=[parts_by_sum, parts_by_grad, parts_one_by_one],
    wrong=[
        (parts(share, zero=False), "lie there"),
        (parts(lambda m, n, size: 1, zero=False), "lie there"),
        (parts(lambda m, n, size: 1), "its share of the batch"),
        (parts(lambda m, n, size: 1/-(-n//size)), "its share of the batch"),
        (parts(lambda m, n, size: m/size), "that of `size`"),
        (parts(lambda m, n, size: m), "or the sum"),
        (parts(lambda m, n, size: m/n/n), "taken twice"),
        (parts(share, inside=True), "zeroed away"),
        (parts(share, step_inside=True), "for each part, or once"),
        (parts(share, inside=True, step_inside=True), "for each part, or once"),
        (parts(share, skip_last=True), "last, short part left out"),
        (parts_sum_of_losses, "When is a graph freed"),
        (parts_cat, "When is a graph freed"), (parts_retain, "When is a graph freed"),
        (parts_whole, "go through in parts"),
        (parts_by_hand, "Who moves"),
    ])


# 05: the first rate that fails in batches of 5
BANK["check_first_rate"] = Bank(
    right=[0.7, "0.7", np.float32(0.8), torch.tensor(0.6)],
    wrong=[
        (0.1, "One that learns"), (0.3, "One that learns"), (0.5, "One that learns"),
        (-1, "One that learns"), (2, "Is `size` 5"), (1.2, "fail at a smaller rate"),
        (50, "Is `size` 5"), (2.3, "fail at a smaller rate"), ("at 0.7", "read off"),
        ([0.7, 0.8], "read off"), (float("nan"), "not it"),
    ])


# 06: the order of an epoch
def cut(order, bs): return [order[i:i + bs] for i in range(0, len(order), bs)]

def order_torch(n, bs, seed, epoch):
    g = torch.Generator().manual_seed(hash((seed, epoch)))
    return torch.randperm(n, generator=g).split(bs)

def order_random(n, bs, seed, epoch):
    order = list(range(n))
    random.Random(f"{seed}, {epoch}").shuffle(order)
    return cut(order, bs)

def order_lazy(n, bs, seed, epoch):
    "A generator of arrays, sorted by drawn numbers"
    keys = np.random.RandomState((seed, epoch)).rand(n)
    yield from cut(np.argsort(keys), bs)

def order_loop(n, bs, seed, epoch):
    rng, left, batches = random.Random(seed*10**9 + epoch), list(range(n)), [[]]
    while left:
        if len(batches[-1]) == bs: batches.append([])
        batches[-1].append(left.pop(rng.randrange(len(left))))
    return batches

def mixed_by(mix):
    "A right order, but for the mixture of the two numbers"
    def answer(n, bs, seed, epoch):
        g = torch.Generator().manual_seed(mix(seed, epoch))
        return torch.randperm(n, generator=g).split(bs)
    return answer

def order_global(n, bs, seed, epoch):
    torch.manual_seed(hash((seed, epoch)))
    return torch.randperm(n).split(bs)

def order_python(n, bs, seed, epoch):
    random.seed(hash((seed, epoch)))
    return cut(random.sample(range(n), n), bs)

def order_numpy(n, bs, seed, epoch):
    np.random.seed((seed, epoch))
    return cut(np.random.permutation(n), bs)

kept = torch.Generator().manual_seed(0)
def order_kept(n, bs, seed, epoch): return torch.randperm(n, generator=kept).split(bs)

def order_blocks(n, bs, seed, epoch):
    batches = cut(list(range(n)), bs)
    last, order = batches.pop(), np.random.default_rng([seed, epoch])
    order.shuffle(batches)
    return [*batches, last]

def order_inside(n, bs, seed, epoch):
    rng = np.random.default_rng([seed, epoch])
    return [rng.permutation(o) for o in cut(list(range(n)), bs)]

def order_rolled(n, bs, seed, epoch):
    order = np.random.default_rng(seed).permutation(n)
    return cut(np.roll(order, epoch), bs)

def order_same_batches(n, bs, seed, epoch):
    batches = cut(np.random.default_rng(seed).permutation(n), bs)
    last = batches.pop()
    rng = np.random.default_rng(epoch)
    return [*(batches[i] for i in rng.permutation(len(batches))), last]

def order_put_back(n, bs, seed, epoch):
    return cut(np.random.default_rng([seed, epoch]).integers(n, size=n), bs)

def order_empty(n, bs, seed, epoch):
    order = torch.cat([*order_torch(n, bs, seed, epoch)]).tolist()
    return [order[i*bs:(i + 1)*bs] for i in range(n//bs + 1)]

BANK["check_epoch_batches"] = Bank(
    right=[order_torch, order_random, order_lazy, order_loop],
    wrong=[
        (order_global, "drew from, or reseeded"),
        (order_python, "drew from, or reseeded"),
        (order_numpy, "drew from, or reseeded"), (order_kept, "made anew in each call"),
        (mixed_by(lambda seed, epoch: seed*3 + epoch), "the same mixture"),
        (mixed_by(lambda seed, epoch: seed*1000 + epoch), "the same mixture"),
        (mixed_by(lambda seed, epoch: seed + epoch), "play the same part"),
        (mixed_by(lambda seed, epoch: seed ^ epoch), "play the same part"),
        (mixed_by(lambda seed, epoch: (seed << 32) + epoch), "which part of it"),
        (mixed_by(lambda seed, epoch: epoch), "Is `seed` used"),
        (mixed_by(lambda seed, epoch: seed), "Is `epoch` used"),
        (mixed_by(lambda seed, epoch: hash((seed, epoch % 100))), "the same mixture"),
        (mixed_by(lambda seed, epoch: hash(f"{seed} {epoch}")), "`hash` of a text"),
        (order_blocks, "a batch hold neighbours"), (order_inside, "or each batch"),
        (lambda n, bs, seed, epoch: torch.arange(n).split(bs), "batch hold neighbours"),
        (order_rolled, "drawn anew"), (order_same_batches, "only that of the batches"),
        (order_put_back, "putting them back"), (order_empty, "divides n"),
        (lambda n, bs, seed, epoch: [o for o in order_torch(n, bs, seed, epoch)
            if len(o) == bs], "last, short batch"),
        (lambda n, bs, seed, epoch: order_torch(n, bs + 1, seed, epoch), "be short"),
        (lambda n, bs, seed, epoch: np.array_split(range(n), -(-n//bs)), "be short"),
        (lambda n, bs, seed, epoch: [o + 1 for o in order_torch(n, bs, seed, epoch)],
            "begin and end"),
        (lambda n, bs, seed, epoch: torch.cat(order_torch(n, bs, seed, epoch)).tolist(),
            "a list of batches"),
        (lambda n, bs, seed, epoch: [o/1 for o in order_torch(n, bs, seed, epoch)],
            "whole numbers"),
    ])


# 06: sentences of different lengths
def pad_torch(items):
    tokens, labels = zip(*items)
    padded = nn.utils.rnn.pad_sequence(tokens, batch_first=True)
    return padded, torch.tensor([*map(len, tokens)]), torch.tensor(labels)

def pad_lists(items):
    width = max(len(tokens) for tokens, _ in items)
    rows = [tokens.tolist() + [0]*(width - len(tokens)) for tokens, _ in items]
    padded = torch.tensor(rows, dtype=torch.long).view(len(items), width)
    lengths = torch.LongTensor([tokens.numel() for tokens, _ in items])
    return [padded, lengths, torch.as_tensor([label for _, label in items])]

def pad_cat(items):
    width = max(o[0].shape[0] for o in items)
    rows = [nn.functional.pad(o, (0, width - len(o))) for o, _ in items]
    return torch.stack(rows), torch.tensor([len(o) for o, _ in items]), torch.tensor([
        label for _, label in items])

def pad_numpy(items):
    table = np.zeros((len(items), max(len(o) for o, _ in items)), dtype=np.int64)
    for row, (tokens, _) in zip(table, items): row[:len(tokens)] = tokens.numpy()
    return torch.from_numpy(table), *pad_torch(items)[1:]

def pad_left(items):
    tokens, labels = zip(*items)
    padded = nn.utils.rnn.pad_sequence(tokens, batch_first=True, padding_side="left")
    return padded, *pad_torch(items)[1:]

def pad_ten(items):
    rows = [nn.functional.pad(o, (0, 10 - len(o))) for o, _ in items]
    return torch.stack(rows), *pad_torch(items)[1:]

def pad_sorted(items): return pad_torch(sorted(items, key=lambda o: -len(o[0])))

def pad_zeros(items):
    padded = torch.zeros(len(items), max(len(o) for o, _ in items))
    for row, (tokens, _) in zip(padded, items): row[:len(tokens)] = tokens
    return padded, *pad_torch(items)[1:]

def pad_counts(items):
    padded, _, labels = pad_torch(items)
    return padded, (padded != 0).sum(1), labels

def pad_cuts(items):
    width = min(len(o) for o, _ in items)
    return torch.stack([o[:width] for o, _ in items]), *pad_torch(items)[1:]

class PadKept:
    "As wide as the longest item ever seen"
    width = 0
    def __call__(self, items):
        padded, lengths, labels = pad_torch(items)
        self.width = max(self.width, padded.shape[1])
        more = self.width - padded.shape[1]
        return nn.functional.pad(padded, (0, more)), lengths, labels

def but(i, change):
    "A right answer, but for one of the three"
    def answer(items):
        got = [*pad_torch(items)]
        got[i] = change(got[i])
        return got
    return answer

BANK["check_pad_collate"] = Bank(
    right=[pad_torch, pad_lists, pad_cat, pad_numpy],
    wrong=[
        (pad_left, "At which end"), (pad_ten, "as wide as the longest"),
        (PadKept(), "as wide as the longest"), (pad_sorted, "order are the rows"),
        (pad_zeros, "Which dtype"), (pad_counts, "May a token be 0"),
        (pad_cuts, "shortest item"), (lambda items: pad_torch(items)[:2], "3 things"),
        (lambda items: pad_torch(items)[0], "3 things"),
        (but(0, lambda o: o.T), "an item, or a column"),
        (but(0, lambda o: nn.functional.pad(o, (0, 1))), "as wide as the longest"),
        (but(0, lambda o: o.int()), "Which dtype"),
        (but(1, lambda o: o.tolist()), "Is it a tensor"),
        (but(1, lambda o: torch.full_like(o, int(o.max()))), "the width of the table"),
        (but(1, lambda o: o.max()), "How many tokens"),
        (but(2, lambda o: o.tolist()), "Is it a tensor"),
        (but(2, lambda o: o.float()), "Which dtype"),
        (but(2, lambda o: o.flip(0)), "Which item has which"),
        (lambda items: torch.stack([o for o, _ in items]), "your code raised"),
    ])


# 06: balanced batches
def by_class(labels): return [torch.where(labels == k)[0] for k in labels.unique()]

def balanced_numpy(labels, per_class, seed):
    labels, rng = labels.numpy(), np.random.default_rng(seed)
    rows = [rng.permutation(np.flatnonzero(labels == k)) for k in np.unique(labels)]
    k = min(map(len, rows))//per_class
    table = [o[:k*per_class].reshape(k, per_class) for o in rows]
    return np.concatenate(table, 1)

def balanced_lists(labels, per_class, seed):
    rng, classes = random.Random(seed), {}
    for i, y in enumerate(labels.tolist()): classes.setdefault(y, []).append(i)
    for o in classes.values(): rng.shuffle(o)
    batches = []
    while min(map(len, classes.values())) >= per_class:
        batch = [o.pop() for o in classes.values() for _ in range(per_class)]
        rng.shuffle(batch)
        batches.append(batch)
    return batches

def balanced_lazy(labels, per_class, seed):
    g = torch.Generator().manual_seed(seed)
    rows = [o[torch.randperm(len(o), generator=g)] for o in by_class(labels)]
    for i in range(min(map(len, rows))//per_class):
        yield torch.cat([o[i*per_class:(i + 1)*per_class] for o in rows])

def pieces(rows, per_class):
    "Rows of indices, a row a class, cut and joined"
    k = min(map(len, rows))//per_class
    cuts = [o[:k*per_class].split(per_class) for o in rows]
    return [torch.cat(o) for o in zip(*cuts)] if k else []

def perm(o, g): return o[torch.randperm(len(o), generator=g)]

def balanced_order(labels, per_class, seed):
    batches = pieces(by_class(labels), per_class)
    g = torch.Generator().manual_seed(seed)
    return [batches[i] for i in torch.randperm(len(batches), generator=g)]

def balanced_joined(labels, per_class, seed):
    g = torch.Generator().manual_seed(seed)
    cuts = [[p for p in o.split(per_class) if len(p) == per_class]
        for o in by_class(labels)]
    cuts = [[o[i] for i in torch.randperm(len(o), generator=g)] for o in cuts]
    return [torch.cat(o) for o in zip(*cuts)]

def balanced_first(labels, per_class, seed):
    rows, g = by_class(labels), torch.Generator().manual_seed(seed)
    n = min(map(len, rows))
    return pieces([perm(o[:n], g) for o in rows], per_class)

def balanced_global(labels, per_class, seed):
    torch.manual_seed(seed)
    return pieces([o[torch.randperm(len(o))] for o in by_class(labels)], per_class)

def balanced_anew(labels, per_class, seed):
    rows, g = by_class(labels), torch.Generator().manual_seed(seed)
    k = min(map(len, rows))//per_class
    return [torch.cat([perm(o, g)[:per_class] for o in rows]) for _ in range(k)]

def balanced_places(labels, per_class, seed):
    g = torch.Generator().manual_seed(seed)
    rows = [torch.randperm(len(o), generator=g) for o in by_class(labels)]
    return pieces(rows, per_class)

def balanced_range(labels, per_class, seed):
    g = torch.Generator().manual_seed(seed)
    rows = [torch.where(labels == k)[0] for k in range(int(labels.max()) + 1)]
    return pieces([perm(o, g) for o in rows], per_class)

def balanced_rest(labels, per_class, seed):
    g = torch.Generator().manual_seed(seed)
    cuts = [perm(o, g).split(per_class) for o in by_class(labels)]
    return [torch.cat(o) for o in zip(*cuts)]

def balanced_seed(of):
    return lambda labels, per_class, seed: balanced_lazy(labels, per_class, of(seed))

def balanced_any(labels, per_class, seed):
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))
    k = len(labels.unique())
    n = int(labels.unique(return_counts=True)[1].min())//per_class
    return order.split(k*per_class)[:n]

BANK["check_balanced"] = Bank(
    right=[balanced_numpy, balanced_lists, balanced_lazy],
    wrong=[
        (balanced_order, "only the batches"), (balanced_joined, "or its pieces"),
        (balanced_first, "all of its items"),
        (balanced_global, "drew from, or reseeded"),
        (balanced_anew, "drawn from again"),
        (balanced_places, "or places within a class"),
        (balanced_range, "which classes are there"),
        (balanced_rest, "left when a class"),
        (balanced_any, "one piece of every class"),
        (balanced_seed(lambda seed: 0), "Is `seed` used"),
        (balanced_seed(lambda seed: seed % 10), "all of `seed`"),
        (balanced_seed(lambda seed: int(np.random.default_rng().integers(1000))),
            "made from `seed`"),
        (lambda labels, per_class, seed: [*balanced_lazy(labels, per_class, seed)][:1],
            "How many whole pieces"),
        (lambda labels, per_class, seed: torch.arange(len(labels)).split(per_class),
            "one piece of every class"),
        (lambda labels, per_class, seed: torch.cat([*balanced_lazy(labels, 2, seed)]),
            "a list of batches"),
        (lambda labels, per_class, seed: balanced_lazy(labels, 2, seed),
            "`per_class` used"),
    ])


# 06: a shuffle buffer
BANK["check_buffer_size"] = Bank(
    right=[1050, 1000, 1100., torch.tensor(1050)],
    wrong=[
        (700, "above 0.77 there"), (350, "above 0.77 there"), (525, "above 0.77 there"),
        (1400, "a smaller one do it"), (3500, "a smaller one do it"),
        (3, "a number of digits"), (1, "a number of digits"), (0.77, "Which size"), (0.81, "Which size"),
        (-1050, "How many items does"), (7000, "How many items are there"),
        ("1050 items", "no number"), ([350, 1050], "no number"),
        (float("nan"), "How many items are there"), (lambda: 1050, "no number"),
    ])


# 07: RMSProp
def rmsprop_numpy(w, grad, v, lr, alpha, eps):
    w, grad, v = w.numpy(), grad.numpy(), v.numpy()
    v = v + (1 - alpha)*(grad*grad - v)
    return w - lr*grad/(np.sqrt(v) + eps), v

def rmsprop_double(w, grad, v, lr, alpha, eps):
    v = v.double().lerp(grad.double()**2, 1 - alpha)
    return [w.double().addcdiv(grad.double(), v**0.5 + eps, value=-lr), v]

def rmsprop_float(w, grad, v, lr, alpha, eps):
    v = v.float().mul(alpha).addcmul_(grad.float(), grad.float(), value=1 - alpha)
    return w.float() - lr*grad.float()*(v.sqrt() + eps).reciprocal(), v

def new_v(grad, v, alpha): return alpha*v + (1 - alpha)*grad**2

def rms(step, keep=new_v):
    "An update with a choice of mistakes"
    def answer(w, grad, v, lr, alpha, eps):
        new = keep(grad, v, alpha)
        return w - lr*step(grad, new, v, eps), new
    return answer

def rms_step(grad, new, v, eps): return grad/(new.sqrt() + eps)

def rmsprop_in_place(w, grad, v, lr, alpha, eps):
    v.mul_(alpha).addcmul_(grad, grad, value=1 - alpha)
    w.sub_(lr*grad/(v.sqrt() + eps))
    return w, v

class Corrected:
    "With Adam's correction, which must count the steps"
    t = 0
    def __call__(self, w, grad, v, lr, alpha, eps):
        self.t += 1
        v = new_v(grad, v, alpha)
        return w - lr*grad/((v/(1 - alpha**self.t)).sqrt() + eps), v

right_rmsprop = rms(rms_step)
BANK["check_rmsprop"] = Bank(
    right=[rmsprop_numpy, rmsprop_double, rmsprop_float],
    wrong=[
        (rms(lambda g, new, v, eps: g/(v.sqrt() + eps)), "Which v is under the root"),
        (rms(lambda g, new, v, eps: g/(new + eps).sqrt()), "to v, or to its root"),
        (rms(lambda g, new, v, eps: g/new.sqrt()), "added at all"),
        (rms(lambda g, new, v, eps: -rms_step(g, new, v, eps)), "Uphill or downhill"),
        (rms(lambda g, new, v, eps: g/(new + eps)), "Is the root taken"),
        (rms(lambda g, new, v, eps: g), "plain descent"),
        (rms(lambda g, new, v, eps: g.sign()), "Which length"),
        (rms(rms_step, lambda g, v, alpha: (1 - alpha)*v + alpha*g**2), "or 1 - alpha"),
        (rms(rms_step, lambda g, v, alpha: alpha*v + g**2), "With which weight"),
        (rms(rms_step, lambda g, v, alpha: v + g**2), "and with which the old v"),
        (rms(rms_step, lambda g, v, alpha: alpha*v + (1 - alpha)*g), "squared in v"),
        (rms(rms_step, lambda g, v, alpha: new_v(g, v, 0.9)), "What is kept"),
        (lambda w, g, v, lr, alpha, eps: (right_rmsprop(w, g, v, lr, alpha, eps)[0], v),
            "the new v returned, or the old"),
        (lambda w, g, v, lr, alpha, eps: right_rmsprop(w, g, v, lr, alpha, eps)[::-1],
            "In which order"),
        (lambda w, g, v, lr, alpha, eps: right_rmsprop(w, g, v, lr, alpha, eps)[0],
            "2 things"),
        (lambda w, g, v, lr, alpha, eps: (w - rms_step(g, new_v(g, v, alpha), v, eps),
            new_v(g, v, alpha)), "learning rate used"),
        (rmsprop_in_place, "in place"), (Corrected(), "corrected for its start"),
    ])


# 07: Lion
def lion_numpy(w, grad, m, lr, beta1, beta2, weight_decay):
    w, grad, m = (o.double().numpy() for o in (w, grad, m))
    w = w - lr*(np.sign(m + (1 - beta1)*(grad - m)) + weight_decay*w)
    return w, m + (1 - beta2)*(grad - m)

def lion_copies(w, grad, m, lr, beta1, beta2, weight_decay):
    w, m = w.clone(), m.clone()
    w.mul_(1 - lr*weight_decay).sub_(torch.sign(m.lerp(grad, 1 - beta1)), alpha=lr)
    return w, m.lerp_(grad, 1 - beta2)

def lion_float(w, grad, m, lr, beta1, beta2, weight_decay):
    w, grad, m = w.float(), grad.float(), m.float()
    c = beta1*m + (1 - beta1)*grad
    step = torch.where(c > 0, lr, torch.where(c < 0, -lr, 0.))
    return (w - lr*weight_decay*w - step, beta2*m + (1 - beta2)*grad)

def new_m(g, m, beta1, beta2): return beta2*m + (1 - beta2)*g

def lions(sign, keep=new_m, shrink=lambda w, lr, decay: (1 - lr*decay)*w):
    "An update with a choice of mistakes"
    def answer(w, grad, m, lr, beta1, beta2, weight_decay):
        step = sign(grad, m, beta1, beta2)
        return shrink(w, lr, weight_decay) - lr*step, keep(grad, m, beta1, beta2)
    return answer

def lion_sign(g, m, beta1, beta2): return (beta1*m + (1 - beta1)*g).sign()

def lion_early(g, m, beta1, beta2):
    return lion_sign(g, new_m(g, m, beta1, beta2), beta1, beta2)

def lion_in_place(w, grad, m, lr, beta1, beta2, weight_decay):
    w.mul_(1 - lr*weight_decay).sub_(lr*(beta1*m + (1 - beta1)*grad).sign())
    return w, m.lerp_(grad, 1 - beta2)

def lion_coupled(w, grad, m, lr, beta1, beta2, weight_decay):
    sign = (beta1*m + (1 - beta1)*(grad + weight_decay*w)).sign()
    return w - lr*sign, beta2*m + (1 - beta2)*grad

def lion_late_decay(w, grad, m, lr, beta1, beta2, weight_decay):
    w = w - lr*lion_sign(grad, m, beta1, beta2)
    return w*(1 - lr*weight_decay), beta2*m + (1 - beta2)*grad

def lion_plus(w, grad, m, lr, beta1, beta2, weight_decay):
    sign = lion_sign(grad, m, beta1, beta2)
    return w*(1 - lr*weight_decay) + lr*sign, new_m(grad, m, beta1, beta2)

right_lion = lions(lion_sign)
BANK["check_lion"] = Bank(
    right=[lion_numpy, lion_copies, lion_float],
    wrong=[
        (lions(lion_early), "before the step, or after"),
        (lions(lambda *args: new_m(*args).sign()), "Which beta mixes in the sign"),
        (lions(lambda g, m, b1, b2: b1*m + (1 - b1)*g), "Is the sign taken"),
        (lions(lambda g, m, b1, b2: g.sign()), "or only the gradient"),
        (lions(lambda g, m, b1, b2: m.sign()), "or only m"),
        (lions(lambda g, m, b1, b2: torch.where(b1*m + (1 - b1)*g >= 0, 1., -1.)),
            "sign of 0"),
        (lions(lion_sign, lambda g, m, b1, b2: b1*m + (1 - b1)*g), "of the two betas"),
        (lions(lion_sign, lambda g, m, b1, b2: b2*m + g), "With which weight"),
        (lions(lion_sign, lambda g, m, b1, b2: m), "new m returned, or the old"),
        (lions(lion_sign, lambda g, m, b1, b2: b2*m + (1 - b2)*g.sign()), "of signs"),
        (lions(lion_sign, shrink=lambda w, lr, decay: w), "`weight_decay` used"),
        (lions(lion_sign, shrink=lambda w, lr, decay: (1 - decay)*w), "learning rate"),
        (lion_coupled, "outside of the sign"), (lion_late_decay, "the old weight"),
        (lion_plus, "Uphill or downhill"), (lion_in_place, "in place"),
        (lambda *args: right_lion(*args)[0], "2 things"),
        (lambda *args: right_lion(*args)[::-1], "In which order"),
    ])


# 07: how much momentum
BANK["check_best_momentum"] = Bank(
    right=[0.82, 0.83, "0.8", np.float32(0.84), torch.tensor(0.81)],
    wrong=[
        (0.9, "a little less"), (0.99, "a little less"), (0.87, "a little less"),
        (0.0, "a little more"), (0.5, "a little more"), (0.75, "a little more"),
        (1.5, "which number to which"), (-0.82, "which number to which"),
        (82, "which number to which"), ("a lot", "What did you read off"),
        (lambda: 0.82, "What did you read off"),
    ])


# 08: all or nothing
def exact_numpy(probs, target, threshold=0.5):
    said, true = probs.numpy() >= threshold, target.numpy() == 1
    return (said != true).sum(1).__eq__(0).mean(dtype=np.float32)

def exact_loop(probs, target, threshold=0.5):
    right = 0
    for p, t in zip(probs.tolist(), target.tolist()):
        right += all((a >= threshold) == bool(b) for a, b in zip(p, t))
    return right/len(probs)

def exact_min(probs, target, threshold=0.5):
    said = (probs >= threshold).double()
    return 1 - (said - target.double()).abs().amax(1).mean()

def exact(right):
    "A choice of mistakes: `right` is called with said and true, both bool"
    def answer(probs, target, threshold=0.5):
        return right(probs >= threshold, target.bool())
    return answer

def exact_no_default(probs, target, threshold):
    return exact_loop(probs, target, threshold)

def exact_in_place(probs, target, threshold=0.5):
    probs[:] = (probs >= threshold)
    return (probs == target).all(1).float().mean()

BANK["check_exact_match"] = Bank(
    right=[exact_numpy, exact_loop, exact_min],
    wrong=[
        (exact(lambda said, true: (said == true).float().mean()), "or of samples"),
        (exact(lambda said, true: (said == true).any(1).sum()/len(said)), "every one"),
        (exact(lambda said, true: (said == true).all(0).float().mean()), "which axis"),
        (exact(lambda said, true: (said == true).all(1).sum()), "a number of samples"),
        (exact(lambda said, true: (said == true).all(1).sum()/said.numel()),
            "by the number of answers"),
        (exact(lambda said, true: (said == true).all()), "Over which axis|When is a"),
        (exact(lambda said, true: (said & true).sum(1).eq(true.sum(1)).float().mean()),
            "said and not there"),
        (exact(lambda said, true: (said & true).sum(1).eq(said.sum(1)).float().mean()),
            "there and not said"),
        (exact(lambda said, true: (said.sum(1) == true.sum(1)).float().mean()),
            "When is a sample right"),
        (exact(lambda said, true: (said != true).any(1).float().mean()), "wrong ones"),
        (lambda probs, target, threshold=0.5: exact_loop(probs, target), "always 0.5"),
        (lambda probs, target, threshold=0.5: (
            (probs > threshold) == target.bool()).all(1).float().mean(), "above it"),
        (lambda probs, target, threshold=0.4: exact_loop(probs, target, threshold),
            "where none is given"),
        (exact_no_default, "your code raised"), (exact_in_place, "in place"),
    ])


# 08: a threshold for each label
def thresholds_loop(probs, target):
    best = []
    for p, t in zip(probs.T.tolist(), target.T.tolist()):
        def f1(limit):
            said = [a >= limit for a in p]
            hits = sum(s and b for s, b in zip(said, t))
            return 2*hits/(sum(said) + sum(t))
        best.append(max(set(p), key=f1))
    return best

def thresholds_numpy(probs, target):
    probs, target = probs.numpy(), target.numpy() > 0
    said = probs[None] >= probs[:, None]
    f1 = 2*(said & target[None]).sum(1)/(said.sum(1) + target.sum(0))
    return probs[f1.argmax(0), np.arange(probs.shape[1])]

def thresholds_between(probs, target):
    "A little below the best probability, and the last of several that are as good"
    top = probs.double().sort(0).values
    lower = torch.cat([torch.zeros_like(top[:1]), top[:-1]])
    limits = (top + lower)/2
    said = probs[None] >= limits[:, None]
    f1 = 2*(said & target.bool()).sum(1)/(said.sum(1) + target.sum(0))
    place = len(f1) - 1 - f1.flip(0).argmax(0)
    return limits.gather(0, place[None])[0]

def by_score(score, above=False):
    "The best of a label's own probabilities by a score of hits, said, present and b"
    def answer(probs, target):
        said = probs[None] > probs[:, None] if above else probs[None] >= probs[:, None]
        hits = (said & target.bool()).sum(1)
        value = score(hits, said.sum(1), target.sum(0), len(probs))
        return probs.gather(0, value.nan_to_num(0).argmax(0)[None])[0]
    return answer

def f1_of(h, s, m, b): return 2*h/(s + m)

def on_grid(*limits):
    def answer(probs, target):
        grid = torch.linspace(*limits)
        said = probs >= grid[:, None, None]
        f1 = 2*(said & target.bool()).sum(1)/(said.sum(1) + target.sum(0))
        return grid[f1.nan_to_num(0).argmax(0)]
    return answer

def thresholds_one(probs, target):
    "One threshold, with the best mean of F1, for all labels"
    grid = probs.unique()
    said = probs >= grid[:, None, None]
    f1 = 2*(said & target.bool()).sum(1)/(said.sum(1) + target.sum(0))
    return grid[f1.nan_to_num(0).mean(1).argmax()].expand(probs.shape[1])

def thresholds_places(probs, target):
    said = probs[None] >= probs[:, None]
    return (2*(said & target.bool()).sum(1)/(said.sum(1) + target.sum(0))).argmax(0)

def thresholds_rows(probs, target):
    "The row with the best mean of F1, each label at its own probability there"
    said = probs[None] >= probs[:, None]
    f1 = 2*(said & target.bool()).sum(1)/(said.sum(1) + target.sum(0))
    return probs[f1.mean(1).argmax()]

BANK["check_best_thresholds"] = Bank(
    right=[thresholds_loop, thresholds_numpy, thresholds_between, by_score(f1_of)],
    wrong=[
        (lambda probs, target: torch.full((probs.shape[1],), 0.5), "always 0.5"),
        (on_grid(0, 1, 11), "every probability"),
        (on_grid(0, 1, 1001), "every probability"),
        (thresholds_one, "for all labels"), (thresholds_places, "or places"),
        (thresholds_rows, "every probability"),
        (by_score(lambda h, s, m, b: b - s - m + 2*h), "highest accuracy"),
        (by_score(lambda h, s, m, b: h/s), "highest precision"),
        (by_score(lambda h, s, m, b: h/m + 0*s), "highest recall"),
        (by_score(lambda h, s, m, b: -f1_of(h, s, m, b)), "or the lowest"),
        (by_score(f1_of, above=True), "only above it"),
        (lambda probs, target: target.mean(0), "share of a label"),
        (lambda probs, target: probs.mean(0), "mean probability"),
        (lambda probs, target: thresholds_one(probs, target)[0], "for each label"),
        (lambda probs, target: torch.full((probs.shape[1],), torch.nan), "from 0 to 1"),
        (lambda probs, target: by_score(f1_of)(probs, target).logit(), "from 0 to 1"),
        (lambda probs, target: (probs*target).sum(0)/target.sum(0).clamp(min=1),
            "every probability"),
    ])


# 08: the threshold that finds half
BANK["check_threshold_of_3"] = Bank(
    right=[0.19, "0.19", np.float32(0.193), torch.tensor(0.187)],
    wrong=[
        (0.5, "How many are found there"), (0.2, "How many are found there"),
        (0.18, "28 found a little higher"), (0.1, "28 found a little higher"),
        (0., "28 found a little higher"), (0.06, "Is `DIGIT` 3"),
        (0.74, "or the precision"), (28, "or a count"), (-1.64, "below 0"),
        ([0.19, 0.06], "no number"), ("low", "no number"),
    ])
