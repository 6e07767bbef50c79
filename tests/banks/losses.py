"Answers to the exercises of part 1"
import math

import numpy as np
import torch
import torch.nn.functional as F

from banks import Bank
from minitrain.softmax import logsumexp

# ---------------------------------------------------------------------- logmeanexp


def mean_shifted(x, dim):
    a = x.amax(dim, keepdim=True).clamp(min=torch.finfo(x.dtype).min)
    return (x - a).exp().mean(dim).log() + a.squeeze(dim)


def mean_in_float32(x, dim):
    x = x.float()
    return torch.logsumexp(x, dim) - torch.tensor(x.shape[dim]).log()


def mean_in_float64(x, dim): return torch.logsumexp(x.double() - math.log(x.shape[dim]), dim)


def mean_naive(x, dim): return x.exp().mean(dim).log()


def mean_forgets_count(x, dim): return logsumexp(x, dim)


def mean_of_everything(x, dim): return logsumexp(x, dim) - math.log(x.numel())


def mean_first_size(x, dim): return logsumexp(x, dim) - math.log(x.shape[0])


def mean_last_size(x, dim): return logsumexp(x, dim) - math.log(x.shape[-1])


def mean_without_log(x, dim): return logsumexp(x, dim) - x.shape[dim]


def mean_divides_log(x, dim): return logsumexp(x, dim)/x.shape[dim]


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
            (running_grows, "larger than three chunks.*two numbers"),
            (running_python_list, "most of the numbers were kept"),
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
}
