"Answers to the exercises of part 1"
import math

import numpy as np
import torch
import torch.nn.functional as F

from banks import Bank
from minitrain import binary
from minitrain.binary import binary_cross_entropy_with_logits
from minitrain.softmax import logsumexp

# ---------------------------------------------------------------------- logmeanexp


def mean_shifted(x, dim):
    a = x.amax(dim, keepdim=True).clamp(min=torch.finfo(x.dtype).min)
    return (x - a).exp().mean(dim).log() + a.squeeze(dim)


def mean_in_float32(x, dim):
    x = x.float()
    return torch.logsumexp(x, dim) - torch.tensor(x.shape[dim]).log()


def mean_in_float64(x, dim):
    return torch.logsumexp(x.double() - math.log(x.shape[dim]), dim)


def mean_naive(x, dim): return x.exp().mean(dim).log()


def mean_forgets_count(x, dim): return logsumexp(x, dim)


def mean_of_everything(x, dim): return logsumexp(x, dim) - math.log(x.numel())


def mean_first_size(x, dim): return logsumexp(x, dim) - math.log(x.shape[0])


def mean_last_size(x, dim): return logsumexp(x, dim) - math.log(x.shape[-1])


def mean_without_log(x, dim): return logsumexp(x, dim) - x.shape[dim]


def mean_divides_log(x, dim): return logsumexp(x, dim)/x.shape[dim]


def mean_adds_count(x, dim): return logsumexp(x, dim) + math.log(x.shape[dim])


def mean_of_scores(x, dim): return x.mean(dim)


def mean_global_max(x, dim):
    a = x.max()
    return a + (x - a).exp().mean(dim).log()


def mean_largest_size(x, dim):
    a = x.abs().amax(dim, keepdim=True)
    return a.squeeze(dim) + (x - a).exp().mean(dim).log()


def mean_takes_off_mean(x, dim):
    a = x.mean(dim, keepdim=True)
    return a.squeeze(dim) + (x - a).exp().mean(dim).log()


def mean_not_put_back(x, dim):
    a = x.amax(dim, keepdim=True)
    if a.abs().max() > 50: return (x - a).exp().mean(dim).log()
    return x.exp().mean(dim).log()


def mean_keepdim(x, dim): return logsumexp(x, dim, True) - math.log(x.shape[dim])


def mean_row_of_inf(x, dim):
    a = x.amax(dim, keepdim=True)
    return (x - a).exp().mean(dim).log() + a.squeeze(dim)


def mean_half_detached(x, dim):
    a = x.amax(dim, keepdim=True)
    b = a.detach().squeeze(dim).clamp(min=-1e30)
    return b + (x - a.clamp(min=-1e30)).exp().mean(dim).log()


def mean_detached(x, dim): return logsumexp(x.detach(), dim) - math.log(x.shape[dim])


def mean_in_numpy(x, dim):
    x = x.detach().numpy()
    return np.logaddexp.reduce(x, axis=dim) - np.log(x.shape[dim])


def mean_in_place(x, dim):
    a = x.amax(dim, keepdim=True)
    x -= a
    return x.exp().mean(dim).log() + a.squeeze(dim)


def mean_clamped(x, dim): return x.clamp(-80, 80).exp().mean(dim).log()


# ---------------------------------------------------------------- softmax_backward


def backward_numpy(p, g):
    p, g = p.numpy(), g.numpy()
    return p*g - p*(p*g).sum(1, keepdims=True)


def backward_loop(p, g):
    rows = []
    for q, h in zip(p.float(), g.float()): rows.append((q.diag() - q.outer(q)) @ h)
    return torch.stack(rows)


def backward_einsum(p, g):
    return (p*g - torch.einsum("bi,bj,bj->bi", p, p, g)).double()


def backward_diagonal(p, g): return p*(1 - p)*g


def backward_mean(p, g): return g - g.mean(1, keepdim=True)


def backward_batch(p, g): return p*(g - (p*g).sum(0))


def backward_all(p, g): return p*(g - (p*g).sum())


def backward_sum_of_g(p, g): return p*(g - g.sum(1, keepdim=True))


def backward_no_p(p, g): return g - (p*g).sum(1, keepdim=True)


def backward_second_bare(p, g): return p*g - (p*g).sum(1, keepdim=True)


def backward_sign(p, g): return p*((p*g).sum(1, keepdim=True) - g)


def backward_plus(p, g): return p*(g + (p*g).sum(1, keepdim=True))


def backward_no_keepdim(p, g): return p*(g - (p*g).sum(1))


def backward_autograd(p, g):
    z = p.log().requires_grad_()
    return torch.autograd.grad(z.softmax(1), z, g)[0]


def backward_again(p, g):
    p = p.softmax(1)
    return p*(g - (p*g).sum(1, keepdim=True))


def backward_in_place(p, g):
    g -= (p*g).sum(1, keepdim=True)
    return p*g


def backward_table(p, g): return torch.diag_embed(p) - p[:, :, None]*p[:, None]


# --------------------------------------------------------------- running_logsumexp


def running_logaddexp(chunks):
    total = torch.tensor(-torch.inf)
    for c in chunks: total = torch.logaddexp(total, torch.logsumexp(c, 0))
    return total


def running_numpy(chunks):
    total = -np.inf
    for c in chunks: total = np.logaddexp(total, np.logaddexp.reduce(c.numpy()))
    return total


def running_python(chunks):
    big, total = -math.inf, 0.
    for c in chunks:
        for v in c.tolist():
            if v == -math.inf: continue
            if v > big: big, total = v, total*math.exp(big - v)
            total += math.exp(v - big)
    return big + math.log(total) if total else -math.inf


def running_list(chunks): return logsumexp(torch.cat(list(chunks)), 0)


def running_grows(chunks):
    all = torch.tensor([])
    for c in chunks: all = torch.cat([all.to(c), c])
    return logsumexp(all, 0)


def running_python_list(chunks):
    values = []
    for c in chunks: values += c.tolist()
    return np.logaddexp.reduce(values)


def running_copies(chunks):
    kept = []
    for c in chunks: kept.append(c + 0)
    return logsumexp(torch.cat(kept), 0)


def running_one_each(chunks):
    return torch.stack([torch.logsumexp(c, 0) for c in chunks]).logsumexp(0)


def running_from_zero(chunks):
    total = torch.tensor(0.)
    for c in chunks: total = torch.logaddexp(total, torch.logsumexp(c, 0))
    return total


def running_naive(chunks): return sum(c.exp().sum() for c in chunks).log()


def running_last(chunks):
    for c in chunks: got = logsumexp(c, 0)
    return got


def running_twice(chunks):
    big = max(c.max() for c in chunks)
    return big + torch.as_tensor(sum((c - big).exp().sum() for c in chunks)).log()


def running_without_factor(chunks):
    big, total = torch.tensor(-torch.inf), 0.
    for c in chunks:
        big = torch.maximum(big, c.max())
        total = total + (c - big).exp().sum()
    return big + total.log()


def running_wrong_factor(chunks):
    big, total = torch.tensor(-torch.inf), None
    for c in chunks:
        new = torch.maximum(big, c.max())
        old = 0. if total is None else total*(new - big).exp()
        big, total = new, old + (c - new).exp().sum()
    return big + total.log()


def running_inf(chunks):
    big, total = torch.tensor(-torch.inf), torch.tensor(0.)
    for c in chunks:
        new = torch.maximum(big, c.max())
        big, total = new, total*(big - new).exp() + (c - new).exp().sum()
    return big + total.log()


def running_maximum(chunks): return max(c.max() for c in chunks)


def running_sum_of_logs(chunks): return sum(logsumexp(c, 0) for c in chunks)


def running_first_maximum(chunks):
    big, total = None, 0.
    for c in chunks:
        if big is None: big = c.max()
        total = total + (c - big).exp().sum()
    return big + total.log()


def running_log_only(chunks):
    big, total = torch.tensor(-torch.inf), torch.tensor(0.)
    for c in chunks:
        new = torch.maximum(big, c.max())
        big, total = new, total*(big - new).exp() + (c - new).exp().sum()
    return total.log()


def running_small_chunks(chunks):
    big, total = torch.tensor(-torch.inf), torch.tensor(0.)
    for c in chunks:
        new = c.max()
        big, total = new, total*(big - new).exp() + (c - new).exp().sum()
    return big + total.log()


# ------------------------------------------------------------------ smooth_targets


def smooth_numpy(target, k, eps):
    table = np.full((len(target), k), eps/k)
    table[np.arange(len(target)), target.numpy()] += 1 - eps
    return table


def smooth_loop(target, k, eps):
    return [[eps/k + (1 - eps)*(j == t) for j in range(k)] for t in target.tolist()]


def smooth_scatter(target, k, eps):
    table = torch.full((len(target), k), eps/k, dtype=torch.float64)
    return table.scatter(1, target[:, None], 1 - eps + eps/k)


def smooth_to_the_others(target, k, eps):
    others = torch.full((len(target), k), eps/(k - 1))
    return others.scatter(1, target[:, None], 1 - eps)


def smooth_swapped(target, k, eps): return eps*torch.eye(k)[target] + (1 - eps)/k


def smooth_not_divided(target, k, eps): return (1 - eps)*torch.eye(k)[target] + eps


def smooth_full_label(target, k, eps): return torch.eye(k)[target] + eps/k


def smooth_only_label(target, k, eps): return (1 - eps)*torch.eye(k)[target]


def smooth_rest_of_label(target, k, eps):
    return torch.full((len(target), k), eps/k).scatter(1, target[:, None], 1 - eps)


def smooth_by_rows(target, k, eps):
    return (1 - eps)*torch.eye(k)[target] + eps/len(target)


def smooth_columns(target, k, eps):
    table = torch.full((len(target), k), eps/k)
    table[:, target] += 1 - eps
    return table


def smooth_no_eps(target, k, eps): return F.one_hot(target, k)


def smooth_turned(target, k, eps): return ((1 - eps)*torch.eye(k)[target] + eps/k).T


def smooth_default_k(target, k, eps):
    return (1 - eps)*F.one_hot(target) + eps/k


def smooth_integers(target, k, eps):
    table = torch.zeros(len(target), k, dtype=torch.long)
    table[range(len(target)), target] = 1
    return (table*(1 - eps) + eps/k).long()


# ---------------------------------------------------------------------------- grad


def grad_numpy(input, target, weight, ignore_index):
    x, t, w = input.numpy(), target.numpy(), weight.numpy()
    e = np.exp(x - x.max(1, keepdims=True))
    p, total = e/e.sum(1, keepdims=True), 0.
    for i, label in enumerate(t):
        if label == ignore_index:
            p[i] = 0
            continue
        p[i, label] -= 1
        p[i] *= w[label]
        total += w[label]
    return p/total


def grad_kept_rows(input, target, weight, ignore_index):
    kept = target != ignore_index
    label, out = target[kept], torch.zeros_like(input)
    one = F.one_hot(label, input.shape[1])
    out[kept] = (input[kept].softmax(1) - one)*weight[label][:, None]
    return (out/weight[label].sum()).double()


def grad_parts(input, target, weight, ignore_index):
    "What others are made of: softmax, one-hot, weight and mask of each row"
    mask = target != ignore_index
    safe = target.where(mask, 0)
    one = F.one_hot(safe, input.shape[1])
    return input.softmax(1), one, weight[safe], mask


def grad_by_rows(*args):
    p, one, w, mask = grad_parts(*args)
    return (p - one)*(w*mask)[:, None]/len(p)


def grad_by_count(*args):
    p, one, w, mask = grad_parts(*args)
    return (p - one)*(w*mask)[:, None]/mask.sum()


def grad_by_classes(*args):
    p, one, w, mask = grad_parts(*args)
    return (p - one)*(w*mask)[:, None]/args[2].sum()


def grad_of_sum(*args):
    p, one, w, mask = grad_parts(*args)
    return (p - one)*(w*mask)[:, None]


def grad_ignores_nothing(input, target, weight, ignore_index):
    w = weight[target.clamp(min=0)]
    one = F.one_hot(target.clamp(min=0), input.shape[1])
    return (input.softmax(1) - one)*(w/w.sum())[:, None]


def grad_negative_index(input, target, weight, ignore_index):
    w = weight[target]
    p = input.softmax(1)
    p[range(len(p)), target] -= 1
    return p*(w/w.sum())[:, None]


def grad_no_weights(*args):
    p, one, w, mask = grad_parts(*args)
    return (p - one)*mask[:, None]/mask.sum()


def grad_weight_of_class(*args):
    p, one, w, mask = grad_parts(*args)
    return (p - one)*mask[:, None]*args[2]/(w*mask).sum()


def grad_sign(*args):
    p, one, w, mask = grad_parts(*args)
    return (one - p)*(w*mask)[:, None]/(w*mask).sum()


def grad_softmax_only(*args):
    p, one, w, mask = grad_parts(*args)
    return p*(w*mask)[:, None]/(w*mask).sum()


def grad_mask_on_one_hot(*args):
    p, one, w, mask = grad_parts(*args)
    return (p - one*mask[:, None])*w[:, None]/(w*mask).sum()


def grad_columns(input, *args):
    p, one, w, mask = grad_parts(input, *args)
    return (input.softmax(0) - one)*(w*mask)[:, None]/(w*mask).sum()


def grad_half_weighted(*args):
    p, one, w, mask = grad_parts(*args)
    return (p - one*w[:, None])*mask[:, None]/(w*mask).sum()


def grad_global_maximum(input, *args):
    p, one, w, mask = grad_parts(input, *args)
    e = (input - input.max()).exp()
    return (e/e.sum(1, keepdim=True) - one)*(w*mask)[:, None]/(w*mask).sum()


def grad_log(input, *args):
    p, one, w, mask = grad_parts(input, *args)
    return (p.log() - one)*(w*mask)[:, None]/(w*mask).sum()


def grad_bare_exp(input, *args):
    p, one, w, mask = grad_parts(input, *args)
    p = input.exp()/input.exp().sum(1, keepdim=True)
    return (p - one)*(w*mask)[:, None]/(w*mask).sum()


def grad_of_ignored_minus_100(input, target, weight, ignore_index):
    return grad_by_count(input, target, weight, -100)*1


def grad_autograd(input, target, weight, ignore_index):
    x = input.clone().requires_grad_()
    F.cross_entropy(x, target, weight, ignore_index=ignore_index).backward()
    return x.grad


def grad_in_place(input, target, weight, ignore_index):
    target[target == ignore_index] = 0
    return grad_ignores_nothing(input, target, weight, ignore_index)


def grad_always_minus_100(input, target, weight, ignore_index):
    return grad_kept_rows(input, target.clamp(min=-100), weight, -100)


# ---------------------------------------------------------------------- split_loss


def split_picked(inputs, targets):
    total, count = 0, 0
    for x, t in zip(inputs, targets):
        kept = t != -100
        total = total - x.log_softmax(1)[kept].gather(1, t[kept][:, None]).sum()
        count += int(kept.sum())
    return total/count


def split_weighted_means(inputs, targets):
    counts = [(t != -100).sum() for t in targets]
    losses = [F.cross_entropy(x, t)*n for x, t, n in zip(inputs, targets, counts) if n]
    return (torch.stack(losses).sum()/sum(counts)).double()


def split_mean_of_means(inputs, targets):
    return torch.stack(list(map(F.cross_entropy, inputs, targets))).mean()


def split_nonzero_means(inputs, targets):
    losses = list(map(F.cross_entropy, inputs, targets))
    return torch.stack([o for o in losses if o > 0]).mean()


def split_joined(inputs, targets):
    return F.cross_entropy(torch.cat(inputs), torch.cat(targets))


def split_joined_by_hand(inputs, targets):
    x = torch.empty(sum(map(len, inputs)), inputs[0].shape[1], dtype=inputs[0].dtype)
    start = 0
    for o in inputs:
        x[start:start + len(o)] = o
        start += len(o)
    return F.cross_entropy(x, torch.cat(targets))


def split_by_items(inputs, targets):
    total = 0
    for x, t in zip(inputs, targets):
        total += F.cross_entropy(x, t, reduction="sum").item()
    return total/sum(int((t != -100).sum()) for t in targets)


def split_by_lengths(inputs, targets):
    losses = [F.cross_entropy(x, t)*len(t) for x, t in zip(inputs, targets)]
    return sum(losses)/sum(map(len, targets))


def split_sum_by_lengths(inputs, targets):
    losses = [F.cross_entropy(x, t, reduction="sum") for x, t in zip(inputs, targets)]
    return sum(losses)/sum(map(len, targets))


def split_sum(inputs, targets):
    return sum(F.cross_entropy(x, t, reduction="sum") for x, t in zip(inputs, targets))


def split_nan(inputs, targets):
    counts = [(t != -100).sum() for t in targets]
    losses = [F.cross_entropy(x, t)*n for x, t, n in zip(inputs, targets, counts)]
    return sum(losses)/sum(counts)


def split_by_pieces(inputs, targets): return split_sum(inputs, targets)/len(inputs)


def split_last(inputs, targets):
    for x, t in zip(inputs, targets): loss = F.cross_entropy(x, t)
    return loss


def split_last_detached(inputs, targets):
    pairs, total = list(zip(inputs, targets)), 0
    for x, t in pairs[:-1]: total += F.cross_entropy(x, t, reduction="sum").detach()
    total = total + F.cross_entropy(*pairs[-1], reduction="sum")
    return total/sum((t != -100).sum() for t in targets)


# ---------------------------------------------------------------------- yes_weight


def weight_numpy(target):
    yes, no = target.numpy().sum(0), (1 - target.numpy()).sum(0)
    return np.where(yes > 0, no/np.maximum(yes, 1), 1)


def weight_loop(target):
    weights = []
    for column in target.T:
        yes = column.sum().item()
        weights.append((len(column) - yes)/yes if yes else 1)
    return weights


def weight_in_float32(target):
    yes = target.float().sum(0)
    weight = (len(target) - yes)/yes
    weight[yes == 0] = 1
    return weight


def weight_sqrt(target): return [o**0.5 for o in weight_loop(target)]


def weight_all_over_yes(target): return len(target)/target.sum(0)


def weight_all_over_yes_safe(target):
    yes = target.sum(0)
    return torch.where(yes > 0, len(target)/yes, 1.)


def weight_inf(target): return (1 - target).sum(0)/target.sum(0)


def weight_clamped(target): return (1 - target).sum(0)/target.sum(0).clamp(min=1)


def weight_upside_down(target):
    yes, no = target.sum(0), (1 - target).sum(0)
    return torch.where(yes > 0, yes/no, 1.)


def weight_share(target):
    yes, no = target.sum(0), (1 - target).sum(0)
    return torch.where(yes > 0, no/len(target), 1.)


def weight_of_the_table(target): return (1 - target).sum()/target.sum().clamp(min=1)


def weight_of_rows(target): return (1 - target).sum(1)/target.sum(1)


def weight_plus_one(target): return (1 - target).sum(0)/(target.sum(0) + 1)


def weight_keepdim(target):
    yes = target.sum(0, keepdim=True)
    return torch.where(yes > 0, (len(target) - yes)/yes, 1.)


def weight_nan_to_num(target): return torch.nan_to_num(weight_inf(target), posinf=0.)


def weight_at_most_hundred(target): return [min(o, 100.) for o in weight_loop(target)]


# --------------------------------------------------------------------- log_sigmoid


def log_sigmoid_logaddexp(z): return -torch.logaddexp(torch.zeros_like(z), -z)


def log_sigmoid_log_softmax(z):
    return torch.log_softmax(torch.stack([z, torch.zeros_like(z)], -1), -1)[..., 0]


def log_sigmoid_in_float64(z):
    z = z.double()
    return -logsumexp(torch.stack([torch.zeros_like(z), -z], -1), -1)


def log_sigmoid_where(z):
    return torch.where(z > 0, -(-z).exp().log1p(), z - z.exp().log1p())


def log_sigmoid_torch(z): return F.logsigmoid(z)


def log_sigmoid_softplus(z): return -F.softplus(-z)


def log_sigmoid_of_sigmoid(z): return z.sigmoid().log()


def log_sigmoid_bce(z):
    return -F.binary_cross_entropy_with_logits(z, z*0 + 1, reduction="none")


def log_sigmoid_our_bce(z):
    return -binary_cross_entropy_with_logits(z, torch.ones_like(z), reduction="none")


def log_sigmoid_our_helper(z): return -binary._neg_log_sigmoid(z)


def log_sigmoid_clamp_abs(z): return z.clamp_max(0) - torch.log1p((-z.abs()).exp())


def log_sigmoid_clamp_min(z):
    return -((-z).clamp_min(0) + torch.log1p((-z.abs()).exp()))


def log_sigmoid_naive(z): return -(1 + (-z).exp()).log()


def log_sigmoid_log1p(z): return -torch.log1p((-z).exp())


def log_sigmoid_sign(z): return logsumexp(torch.stack([torch.zeros_like(z), -z]), 0)


def log_sigmoid_other(z): return -logsumexp(torch.stack([torch.zeros_like(z), z]), 0)


def log_sigmoid_all(z):
    return -logsumexp(torch.stack([torch.zeros_like(z), -z]).flatten(1), 0)


def log_sigmoid_one_sum(z): return -logsumexp(torch.cat([torch.zeros_like(z), -z]), 0)


def log_sigmoid_detached(z): return log_sigmoid_logaddexp(z.detach())


def log_sigmoid_clamped(z):
    z = z.clamp(-50, 50)
    return log_sigmoid_logaddexp(z)


def log_sigmoid_by_hand(z): return (1/(1 + (-z).exp())).log()


BANK = {
    "check_logmeanexp": Bank(
        right=[mean_shifted, mean_in_float32, mean_in_float64],
        wrong=[
            (mean_naive, "exponential of a bare score"),
            (mean_forgets_count, "divided by the number of scores along"),
            (mean_of_everything, "or that of the whole tensor"),
            (mean_first_size, "or the first size"),
            (mean_last_size, "or the last size"),
            (mean_without_log, "count subtracted, or its log"),
            (mean_divides_log, "divided by the count, or its log"),
            (mean_adds_count, "Which sign has the log of the count"),
            (mean_of_scores, "mean of the scores wanted, or of their exponentials"),
            (mean_global_max, "of the whole tensor, or of each row"),
            (mean_largest_size, "largest size of a score"),
            (mean_takes_off_mean, "Is it the mean that is taken off"),
            (mean_not_put_back, "put back"),
            (mean_keepdim, "Should `dim` still be there"),
            (mean_row_of_inf, r"-inf - \(-inf\)"),
            (mean_half_detached, "detached where it is taken off"),
            (mean_detached, "no gradient flows"),
            (mean_in_numpy, "made in NumPy"),
            (mean_in_place, "in place"),
            (mean_clamped, "What can be taken off"),
        ]),
    "check_softmax_backward": Bank(
        right=[backward_numpy, backward_loop, backward_einsum],
        wrong=[
            (backward_diagonal, "probability j only, or all of its row"),
            (backward_mean, "mean of g, or the sum of p times g. And where is p"),
            (backward_batch, "or of the column"),
            (backward_all, "or of everything"),
            (backward_sum_of_g, "g that is summed, or p times g"),
            (backward_no_p, "factor p of the whole"),
            (backward_second_bare, "second term multiplied by p"),
            (backward_sign, "sign has the whole"),
            (backward_plus, "sign has the second term"),
            (backward_no_keepdim, "size of tensor"),
            (backward_autograd, "called `grad`.*on paper"),
            (backward_again, "taken for scores"),
            (backward_in_place, "in place"),
            (backward_table, "g not yet used"),
        ]),
    "check_running_logsumexp": Bank(
        right=[running_logaddexp, running_numpy, running_python],
        wrong=[
            (running_list, "kept.*two numbers"),
            (running_grows, "`cat` made a tensor.*two numbers"),
            (running_python_list, "most of the numbers were kept"),
            (running_copies, "as large as a chunk was kept"),
            (running_one_each, "`stack` made a tensor of 400.*two numbers"),
            (running_from_zero, "begin with the exponential"),
            (running_naive, "exponential of a bare score"),
            (running_last, "last chunk only"),
            (running_twice, "gone through again"),
            (running_without_factor, "expected.*old sum when the maximum grows"),
            (running_wrong_factor, r"or by exp\(new - old\)"),
            (running_inf, r"-inf - \(-inf\)"),
            (running_maximum, "maximum alone"),
            (running_sum_of_logs, "LogSumExps added"),
            (running_first_maximum, "still that of the first chunk"),
            (running_log_only, "Where is the maximum"),
            (running_small_chunks, "later chunk lower the maximum"),
        ]),
    "check_smooth_targets": Bank(
        right=[smooth_numpy, smooth_loop, smooth_scatter],
        wrong=[
            (smooth_to_the_others, "all k classes, or to all but the label"),
            (smooth_swapped, "Which share is eps"),
            (smooth_not_divided, "even part divided among"),
            (smooth_full_label, "adds up to 1"),
            (smooth_only_label, "adds up to 1"),
            (smooth_rest_of_label, "label have its part of the even share"),
            (smooth_by_rows, "or by the rows"),
            (smooth_columns, "or whole columns"),
            (smooth_no_eps, "Is eps used"),
            (smooth_turned, "one label, or one class"),
            (smooth_default_k, "must match|returned shape"),
            (smooth_integers, "What share"),
        ]),
    "check_grad": Bank(
        right=[grad_numpy, grad_kept_rows],
        wrong=[
            (grad_by_rows, "or the number of rows"),
            (grad_by_count, "or the number of labels that count"),
            (grad_by_classes, "or the sum over the classes"),
            (grad_of_sum, "or nothing"),
            (grad_ignores_nothing, "Does a row that is ignored move its scores"),
            (grad_negative_index, "ignored label used as an index"),
            (grad_no_weights, "weight of each row's label used"),
            (grad_weight_of_class, "or that of each class"),
            (grad_sign, "along the gradient"),
            (grad_softmax_only, "Where is the label"),
            (grad_mask_on_one_hot, "softmax vanish too"),
            (grad_columns, "each row, or of each column"),
            (grad_log, "the softmax, or its log"),
            (grad_half_weighted, "softmax weighted too"),
            (grad_global_maximum, "of the whole tensor"),
            (grad_bare_exp, "exponential of a bare score"),
            (grad_autograd, "called `backward`.*on paper"),
            (grad_in_place, "in place"),
            (grad_always_minus_100, "ignored"),
        ]),
    "check_split_loss": Bank(
        right=[split_picked, split_weighted_means],
        wrong=[
            (split_mean_of_means, "short piece weigh as much"),
            (split_nonzero_means, "short piece weigh as much"),
            (split_joined, "`cat` made a tensor as large"),
            (split_joined_by_hand, "`empty` made a tensor as large"),
            (split_by_items, "no gradient flows"),
            (split_by_lengths, "ignored labels count in the length"),
            (split_sum_by_lengths, "counted where the sum is divided"),
            (split_sum, "Where is the division"),
            (split_nan, "nothing counts"),
            (split_by_pieces, "or by the pieces"),
            (split_last, "last piece only"),
            (split_last_detached, "something detached"),
        ]),
    "check_yes_weight": Bank(
        right=[weight_numpy, weight_loop, weight_in_float32],
        wrong=[
            (weight_all_over_yes, "all examples over the yeses"),
            (weight_all_over_yes_safe, "all examples over the yeses"),
            (weight_sqrt, "weigh in all"),
            (weight_inf, "0 yeses in a divisor"),
            (weight_clamped, "class without a yes"),
            (weight_upside_down, "the yeses over the noes"),
            (weight_share, "a share of all examples"),
            (weight_of_the_table, "of the whole table"),
            (weight_of_rows, "of each example"),
            (weight_plus_one, "added to the yeses"),
            (weight_keepdim, "one dimension"),
            (weight_nan_to_num, "class without a yes"),
            (weight_at_most_hundred, "weigh in all"),
        ]),
    "check_log_sigmoid": Bank(
        right=[log_sigmoid_logaddexp, log_sigmoid_log_softmax, log_sigmoid_in_float64],
        wrong=[
            (log_sigmoid_where, "branch that `where` does not take"),
            (log_sigmoid_torch, "called `log_sigmoid`.*without a sigmoid"),
            (log_sigmoid_softplus, "called `softplus`.*without a sigmoid"),
            (log_sigmoid_of_sigmoid, "called `sigmoid`.*without a sigmoid"),
            (log_sigmoid_bce, "called `binary_cross_entropy_with_logits`"),
            (log_sigmoid_our_bce, "called a loss of this lesson"),
            (log_sigmoid_clamp_abs, "max, clamp and abs at exactly 0"),
            (log_sigmoid_clamp_min, "max, clamp and abs at exactly 0"),
            (log_sigmoid_naive, "exponential of a large number"),
            (log_sigmoid_log1p, "exponential of a large number"),
            (log_sigmoid_sign, "sign has the LogSumExp"),
            (log_sigmoid_other, "of z, or of -z"),
            (log_sigmoid_all, "shape kept"),
            (log_sigmoid_one_sum, "two scores of one logit"),
            (log_sigmoid_detached, "no gradient flows"),
            (log_sigmoid_clamped, "LogSumExp of two scores"),
            (log_sigmoid_by_hand, "large number"),
            (log_sigmoid_our_helper, "called a loss of this lesson"),
        ]),
}

BANK["check_temperature"] = Bank(
    right=[0.8, 0.79, np.float32(0.775), torch.tensor(0.81)],
    wrong=[
        (1., "Does a higher temperature make a model surer"),
        (1.27, "Does a higher temperature make a model surer"),  # multiplied
        (0.902, "not a share"),
        (0.864, "not a share"),
        (90.2, "not a share"),
        (3, "Does a higher temperature make a model surer"),
        (0.5, "above the share right there"),
        (0.7, "above the share right there"),
        (-0.8, "above the share right there"),
        ("warm", "is no number"),
        ([0.8, 0.9], "is no number"),
    ])
BANK["check_enough_smoothing"] = Bank(
    right=[1/9, 0.11, torch.tensor(0.1111), "0.112"],
    wrong=[
        (0.1, "Which of the ten classes"),
        (0.0999, "Which of the ten classes"),
        (0.9, "which way does it go"),
        (0.12, "which way does it go"),
        (0.125, "which way does it go"),
        (0.05, "Where is the dot"),
        (0., "Where is the dot"),
        (11.1, "a share, from 0 to 1"),
        ("a ninth", "is no number"),
        (-0.1, "Where is the dot"),
    ])

BANK["check_alarm_weight"] = Bank(
    right=[8, 8., torch.tensor(8.), np.float32(8)],
    wrong=[
        (1, "more than half of the alarms false"),
        (2., "more than half of the alarms false"),
        (4, "more than half of the alarms false"),
        (5, "was the weight doubled"),
        (0.45, "more than half of the alarms false"),
        (16., "Is there a smaller one"),
        (109, "Is there a smaller one"),
        (np.inf, "Is there a smaller one"),
        ([4, 8], "is no number"),
        ("eight", "is no number"),
    ])
