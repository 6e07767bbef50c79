#!/usr/bin/env python3
"""The reference for in-context learning: what the labels of logistic regressions with a known prior tell, and no more.

    bench/sampler.py [--contexts 1024] [--alpha 10] [--dims 8] [--shots 4 8 16 32 63] [--chains 4] [--warmup 1000] [--draws 2000] [--name bayes_sampler]

Weights are N(0, alpha^2 I), labels Bernoulli(sigmoid(x w)): problems of lesson 25, one batch of a `TaskLoader` with the
seed SEED, which no training uses. For each context and each k the probability that example k (from 0) has the label 1,
given the k examples before it, by

    bayes      the posterior predictive: Hamiltonian Monte Carlo on the weights, all contexts at once, run on until R-hat of
               every weight and of the prediction is below 1.01 in every context
    map        the weights of highest posterior density under the same prior
    logistic   scikit-learn's LogisticRegression with its default settings; (ones + 1)/(k + 2) where all labels are equal
    true       the weights that made the labels, which nobody knows

Writes minitrain/assets/results/NAME.csv: for each k and method the mean log loss and accuracy on the queries, the paired gap to
`bayes`, their standard errors over contexts, and for `bayes` the worst R-hat, smallest effective sample size and largest Monte
Carlo error; and NAME_contexts.csv: the log odds of a 1 for each context, k and method, so that any other predictor can be
compared on the very same queries. `contexts()` makes the problems again. One thread, float64, on the CPU.
"""
import argparse, math, sys, time, warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch.nn.functional import logsigmoid, softplus

from minitrain.runs import save_results
from minitrain.tasks import TaskLoader, ceiling, get_data_sampler, get_task_sampler

RESULTS = Path(__file__).parents[1]/"minitrain"/"assets"/"results"
SEED = 1_806_000  # of the problems; the chains are seeded by k


def contexts(n, dims, alpha, points, seed=SEED):
    "xs (n, points, dims), ys (n, points), and the true log odds (n, points), float64"
    sampler = get_task_sampler("probabilistic_logistic_regression", dims, n, weight_multiplier=alpha)
    xs, ys = TaskLoader(get_data_sampler("gaussian", dims), sampler, 1, points, seed=seed).batch(0)
    return xs.double(), ys.double(), sampler(seed=(seed, 0)).logits(xs).double()


class Posterior:
    "Density of weights w = centre + chol u given labels, for many contexts at once; u is (c, chains, d)"
    def __init__(self, signed, alpha, centre, chol):
        self.chol, self.alpha = chol, alpha
        self.a, self.b = signed @ chol, signed @ centre[..., None]  # logit of the label that came: a u + b; (c, k, d), (c, k, 1)
        self.centre = centre

    def weights(self, u): return self.centre[:, None] + u @ self.chol.mT

    def potential(self, u):
        "Minus the log density, up to a constant: (c, chains)"
        return softplus(-(u @ self.a.mT + self.b.mT)).sum(-1) + self.weights(u).square().sum(-1)/(2*self.alpha**2)

    def slope(self, u):
        "Its gradient: (c, chains, d)"
        return self.weights(u) @ self.chol/self.alpha**2 - torch.sigmoid(-(u @ self.a.mT + self.b.mT)) @ self.a


def leapfrog(post, u, eps, steps, generator):
    "One move of Hamiltonian Monte Carlo: the new u and each chain's probability of acceptance"
    p = torch.randn(u.shape, dtype=u.dtype, generator=generator)
    before = post.potential(u) + p.square().sum(-1)/2
    new, p = u, p - eps/2*post.slope(u)
    for i in range(steps):
        new = new + eps*p
        p = p - (eps if i < steps - 1 else eps/2)*post.slope(new)
    accept = (before - post.potential(new) - p.square().sum(-1)/2).nan_to_num(-math.inf).exp().clamp(max=1)  # (c, chains)
    moved = torch.rand(accept.shape, dtype=u.dtype, generator=generator) < accept
    return torch.where(moved[..., None], new, u), accept


def run(post, u, eps, n, generator, adapt=False, target=0.8):
    "`n` moves with trajectories of random length; the draws (n, c, chains, d) and the step sizes, by dual averaging if `adapt`"
    draws, log_eps = torch.empty(n, *u.shape, dtype=u.dtype), eps.log()
    mean, gap, kept = log_eps + math.log(10), torch.zeros_like(eps), torch.zeros_like(eps)
    for i in range(n):
        longest = min(64, max(2, math.ceil(math.pi/log_eps.exp().median())))
        steps = int(torch.randint(1, longest + 1, (), generator=generator))
        u, accept = leapfrog(post, u, log_eps.exp(), steps, generator)
        draws[i] = u
        if adapt:  # Nesterov's dual averaging, as in Hoffman and Gelman (2014)
            gap = gap + (target - accept.mean(1)[:, None, None] - gap)/(i + 11)
            log_eps = mean - (i + 1)**0.5/0.05*gap
            kept = kept + (i + 1)**-0.75*(log_eps - kept)
    return draws, u, kept.exp() if adapt else eps


def split_rhat(x):
    "R-hat of each quantity from draws (n, chains, ...), each chain cut in half"
    n = len(x)//2
    halves = torch.cat([x[:n], x[-n:]], 1)
    within, between = halves.var(0).mean(0), halves.mean(0).var(0)
    return torch.where(within > 1e-30, ((n - 1)/n + between/within.clamp(min=1e-30)).sqrt(), 1.)


def effective_size(x):
    "Effective sample size of each quantity from draws (n, chains, ...): Geyer's initial monotone sequence over all chains"
    n, chains = x.shape[:2]
    centred = x - x.mean(0)
    f = torch.fft.rfft(centred, n=2**(2*n - 1).bit_length(), dim=0)
    cov = torch.fft.irfft(f.abs()**2, dim=0)[:n].mean(1)/n  # autocovariance by lag, mean over chains
    var = cov[0] + (x.mean(0).var(0) if chains > 1 else 0)
    rho = 1 - (cov[0]*n/(n - 1) - cov)/var.clamp(min=1e-300)
    pairs = rho[:n//2*2].reshape(n//2, 2, *rho.shape[1:]).sum(1)
    going = (pairs > 0).int().cumprod(0)
    tau = (2*(pairs.cummin(0).values*going).sum(0) - 1).clamp(min=1/math.log10(n*chains))
    return torch.where(var > 1e-300, n*chains/tau, float(n*chains))


@dataclass
class Predictive:
    "Probabilities of a 1, their log odds and their Monte Carlo errors (c, q), and of each context worst R-hat, smallest effective size and draws (c,)"
    p: torch.Tensor
    logit: torch.Tensor
    error: torch.Tensor
    rhat: torch.Tensor
    ess: torch.Tensor
    draws: torch.Tensor


def bayes_predict(xs, ys, queries, alpha, chains=4, warmup=1000, draws=2000, seed=0, max_rhat=1.01, most=64_000):
    """P(y = 1 | query, examples) under w ~ N(0, alpha^2 I), by Hamiltonian Monte Carlo: xs (c, k, d), ys (c, k), queries (c, q, d).

    The chains start at draws from the prior. Half of `warmup` finds a step size and the shape of each posterior, the other half the
    step size in coordinates in which that shape is round. Contexts whose R-hat is not below `max_rhat` run on, up to `most` draws a chain."""
    xs, ys, queries = (o.double().cpu() for o in (xs, ys, queries))
    (c, k, d), generator = xs.shape, torch.Generator().manual_seed(seed)
    if ys.shape != (c, k) or queries.ndim != 3 or queries.shape[::2] != (c, d): raise ValueError(f"xs {tuple(xs.shape)}, ys {tuple(ys.shape)} and queries {tuple(queries.shape)} do not fit")
    signed = (2*ys - 1)[..., None]*xs
    post = Posterior(signed, alpha, torch.zeros(c, d, dtype=torch.float64), alpha*torch.eye(d, dtype=torch.float64).expand(c, d, d))
    u, eps = torch.randn(c, chains, d, dtype=torch.float64, generator=generator), torch.full((c, 1, 1), 0.1, dtype=torch.float64)
    found, u, eps = run(post, u, eps, warmup//2, generator, adapt=True)
    w = post.weights(found[len(found)//2:].movedim(0, 1).reshape(c, -1, d))
    spread = (w - w.mean(1, keepdim=True))
    chol = torch.linalg.cholesky(spread.mT @ spread/w.shape[1] + 1e-6*alpha**2*torch.eye(d))
    last = post.weights(u)
    post = Posterior(signed, alpha, w.mean(1), chol)
    u = torch.linalg.solve_triangular(chol, (last - w.mean(1)[:, None]).mT, upper=False).mT
    _, u, eps = run(post, u, torch.full((c, 1, 1), 0.5, dtype=torch.float64), warmup - warmup//2, generator, adapt=True)
    return _sample(post, u, eps, queries, draws, generator, max_rhat, most)


def _sample(post, u, eps, queries, draws, generator, max_rhat, most):
    "Draw until every context has converged"
    c, q = queries.shape[:2]
    out = Predictive(*(torch.full(size, math.nan, dtype=torch.float64) for size in ((c, q), (c, q), (c, q), (c,), (c,), (c,))))
    rows, kept = torch.arange(c), None
    while len(rows):
        part = Posterior.__new__(Posterior)
        part.__dict__.update({k: v[rows] if isinstance(v, torch.Tensor) else v for k, v in vars(post).items()})
        new, u, _ = run(part, u, eps[rows], draws if kept is None else len(kept), generator)
        kept = new if kept is None else torch.cat([kept, new])
        w = torch.stack([part.weights(o) for o in kept])  # (n, c, chains, d)
        z = w @ queries[rows].mT  # (n, c, chains, q)
        p = z.sigmoid()
        x = torch.cat([w, p], -1).transpose(1, 2)  # (n, chains, c, d + q)
        rhat, ess = split_rhat(x), effective_size(x)
        out.p[rows], out.error[rows] = p.mean((0, 2)), p.std((0, 2))/ess[:, -q:].sqrt()
        out.logit[rows] = logsigmoid(z).logsumexp((0, 2)) - logsigmoid(-z).logsumexp((0, 2))  # finite where p is as good as 1
        out.rhat[rows], out.ess[rows], out.draws[rows] = rhat.amax(1), ess.amin(1), float(kept.shape[0]*kept.shape[2])
        again = ~(rhat.amax(1) < max_rhat)
        if again.any() and 2*len(kept) > most: raise RuntimeError(f"after {len(kept)} draws {int(again.sum())} of {c} contexts have an R-hat of up to {rhat.max():.3f}: more than {max_rhat}")
        rows, kept, u = rows[again], kept[:, again], u[again]
    return out


def map_predict(xs, ys, queries, alpha, steps=200):
    "Log odds (c, q) of the weights of highest posterior density under w ~ N(0, alpha^2 I): Newton's method, halved while it overshoots"
    xs, ys, queries = (o.double() for o in (xs, ys, queries))
    c, k, d = xs.shape
    signed, w, prior = (2*ys - 1)[..., None]*xs, torch.zeros(c, d, dtype=torch.float64), torch.eye(d, dtype=torch.float64)/alpha**2
    def value(w): return softplus(-(signed @ w[..., None]).squeeze(-1)).sum(1) + w.square().sum(1)/(2*alpha**2)
    for _ in range(steps):
        s = torch.sigmoid(-(signed @ w[..., None]))  # (c, k, 1): how wrong
        slope = w/alpha**2 - (signed*s).sum(1)
        move = torch.linalg.solve((signed*(s*(1 - s))).mT @ signed + prior, slope)
        size = torch.ones(c, 1, dtype=torch.float64)
        for _ in range(40): size = torch.where((value(w - size*move) > value(w) + 1e-12)[:, None], size/2, size)
        w = w - size*move
        if slope.abs().max() < 1e-9: break
    else: raise RuntimeError(f"Newton's method stands at a slope of {slope.abs().max():.1e}")
    return (queries @ w[..., None]).squeeze(-1)


def logistic_predict(xs, ys, queries):
    "Log odds (c, q) of scikit-learn's LogisticRegression as it comes; of (ones + 1)/(k + 2) where all labels are equal"
    from sklearn.linear_model import LogisticRegression
    out = torch.empty(queries.shape[:2], dtype=torch.float64)
    for i, (x, y, q) in enumerate(zip(xs.numpy(), ys.numpy(), queries.numpy())):
        if 0 < y.sum() < len(y): out[i] = torch.from_numpy(LogisticRegression().fit(x, y).decision_function(q))
        else: out[i] = math.log((y.sum() + 1)/(len(y) - y.sum() + 1))
    return out


def measure(n, dims, alpha, shots, chains, warmup, draws, chunk=128):
    "Rows of both tables"
    xs, ys, true = contexts(n, dims, alpha, max(shots) + 1)
    summary, every = [], []
    for k in shots:
        start = time.process_time()
        x, y, query, answer = xs[:, :k], ys[:, :k], xs[:, k:k + 1], ys[:, k]
        parts = [bayes_predict(x[i:i + chunk], y[i:i + chunk], query[i:i + chunk], alpha, chains, warmup, draws, seed=1000*k + i) for i in range(0, n, chunk)]
        logit, error, rhat, ess, used = (torch.cat([getattr(o, name) for o in parts]) for name in ("logit", "error", "rhat", "ess", "draws"))
        logits = dict(bayes=logit[:, 0], map=map_predict(x, y, query, alpha)[:, 0], logistic=logistic_predict(x, y, query)[:, 0], true=true[:, k])
        losses = {name: -logsigmoid((2*answer - 1)*z) for name, z in logits.items()}
        for name, z in logits.items():
            right, gap = ((z > 0) == (answer > 0)).double(), losses[name] - losses["bayes"]
            row = dict(k=k, method=name, loss=losses[name].mean(), loss_se=losses[name].std()/n**0.5, accuracy=right.mean(), accuracy_se=right.std()/n**0.5,
                       gap=gap.mean(), gap_se=gap.std()/n**0.5)
            if name == "bayes": row |= dict(max_rhat=rhat.max(), min_ess=ess.min().round(), max_error=error.max(), max_draws=used.max())
            summary.append({a: b.item() if isinstance(b, torch.Tensor) else b for a, b in row.items()})
        every.append(pd.DataFrame(dict(k=k, context=range(n), y=answer.int().numpy(), **{name: z.numpy() for name, z in logits.items()})))
        print(pd.DataFrame(summary[-4:]).round(4).to_string(index=False), f"\n{time.process_time() - start:.0f} CPU s", flush=True)
    return pd.DataFrame(summary), pd.concat(every)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--contexts", type=int, default=1024)
    p.add_argument("--alpha", type=float, default=10)
    p.add_argument("--dims", type=int, default=8)
    p.add_argument("--shots", type=int, nargs="+", default=[4, 8, 16, 32, 63], metavar="K", help="examples before the query")
    p.add_argument("--chains", type=int, default=4)
    p.add_argument("--warmup", type=int, default=1000, help="moves of each chain that are thrown away")
    p.add_argument("--draws", type=int, default=2000, help="draws of each chain; more where R-hat asks for it")
    p.add_argument("--name", default="bayes_sampler", help="name of the tables, or the path of a CSV file")
    a = p.parse_args()
    torch.set_num_threads(1)
    summary, every = measure(a.contexts, a.dims, a.alpha, a.shots, a.chains, a.warmup, a.draws)
    path = Path(a.name) if a.name.endswith(".csv") else RESULTS/f"{a.name}.csv"
    about = dict(command=" ".join(["python", "bench/sampler.py", *sys.argv[1:]]), seeds=dict(problems=SEED, chains="1000*k + first context of its chunk of 128"),
                 dims=a.dims, alpha=a.alpha, contexts=a.contexts, ceiling=ceiling(a.dims, a.alpha))
    save_results(summary.round(5), path, **about, sampler=f"HMC, {a.chains} chains, warm-up {a.warmup}, {a.draws} draws or more")
    save_results(every.round(4), path.with_name(f"{path.stem}_contexts.csv"), **about, columns="log odds of a 1 for example k, given those before it")


if __name__ == "__main__": main()
