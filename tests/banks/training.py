"Answers to the exercises of lessons 05 to 08"
import random

import numpy as np
import torch
from torch import nn

from banks import Bank

BANK = {}


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


# 05: among the best k
def top_k_rank(out, yb, k):
    right = out.gather(1, yb[:, None])
    return (out > right).sum(1).lt(k).double().mean()

def top_k_loop(out, yb, k):
    hits = 0
    for row, y in zip(out.tolist(), yb.tolist()):
        hits += y in sorted(range(len(row)), key=row.__getitem__)[-k:]
    return hits/len(yb)

def top_k_numpy(out, yb, k):
    best = np.argsort(-out.numpy(), axis=1)[:, :k]
    return (best == yb.numpy()[:, None]).any(1).mean(dtype=np.float32)

def top_k_kth(out, yb, k):
    kth = out.sort(dim=1, descending=True).values[:, k - 1]
    return (out[torch.arange(len(yb)), yb] >= kth).float().mean()

def top_indices(out, k): return out.topk(k, dim=1).indices

def top_k_in_place(out, yb, k):
    right = out[torch.arange(len(yb)), yb].clone()
    for _ in range(k - 1): out[torch.arange(len(yb)), out.argmax(1)] = -1e9
    return (right >= out.max(1).values).float().mean()

BANK["check_top_k"] = Bank(
    right=[top_k_rank, top_k_loop, top_k_numpy, top_k_kth],
    wrong=[
        (lambda out, yb, k: (top_indices(out, k) == yb[:, None]).float().mean(),
            "b times k"),
        (lambda out, yb, k: (out.topk(k, largest=False).indices == yb[:, None]).any(1)
            .float().mean(), "highest scores, or the lowest"),
        (lambda out, yb, k: (out.argsort(1)[:, :k] == yb[:, None]).sum()/len(out),
            "highest scores, or the lowest"),
        (lambda out, yb, k: (out.argmax(1) == yb).float().mean(), "`k` used"),
        (lambda out, yb, k: (top_indices(out, k) == yb[:, None]).any(1).sum(),
            "a number of samples"),
        (lambda out, yb, k: top_k_rank(out, yb, k + 1), "One class too many"),
        (lambda out, yb, k: top_k_rank(out, yb, k - 1), "One class too few"),
        (lambda out, yb, k: 100*top_k_rank(out, yb, k), "percentage"),
        (lambda out, yb, k: (top_indices(out, k)[:, -1] == yb).float().mean(),
            "at any of the first k"),
        (lambda out, yb, k: (top_indices(out, k) == yb).any(1).float().mean(),
            "your code raised"),
        (lambda out, yb, k: (out.topk(k).values == yb[:, None]).any(1).float().mean(),
            "Which k classes"),
        (lambda out, yb, k: (top_indices(out, k) == yb[:, None]).any(1), "shape"),
        (top_k_in_place, "in place"),
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
    for x, y in zip(xb.split(1), yb.split(1)): (loss_func(model(x), y)/len(xb)).backward()
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
