"Problems as a function of (seed, step); the ceiling against other integrals; curricula; a loader that resumes exactly."
import importlib.util, math, pickle, sys, warnings
from dataclasses import asdict, dataclass
from functools import cache, partial

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st
from torch import nn
from torch.testing import assert_close

from minitrain.runs import load_config
from minitrain.binary import binary_cross_entropy_with_logits
from minitrain.callbacks import GradAccumCB
from minitrain.checkpoint import CheckpointCB
from minitrain.core import ArgumentError, load_results, set_seed
from minitrain.data import DataLoaders
from minitrain.learner import Callback, Learner, SingleBatchCB, TrainCB
from minitrain.optim import AdamW
from minitrain.tasks import (
    Curriculum, GaussianSampler, LogisticRegressionTask, TaskLoader, ceiling,
    get_data_sampler, get_task_sampler)
from conftest import ROOT

NAME = "probabilistic_logistic_regression"
exactly = partial(assert_close, rtol=0, atol=0)


# the seed's cells, with the imports of this package
CELLS = """
n_dims = 16 # number of dimensions of the input data
n_positions=258 # total number of (x,y) pairs
batch_size = 32 # batch size
data_type = "gaussian" # input data distribution
training_task_type = "probabilistic_logistic_regression" # task type
weight_multiplier = 5 # weight multiplier for the task
variable_noise=False # whether to use variable noise for the task

# instantiate task and data samplers
data_sampler = get_data_sampler(data_type, n_dims=n_dims)
task_sampler = get_task_sampler(
            training_task_type,
            n_dims,
            batch_size,
            weight_multiplier=weight_multiplier,
            variable_noise=variable_noise,
            n_points=n_positions, 
    )
task = task_sampler()

# sample xs and ys
xs, _ = data_sampler.sample_xs(n_positions, batch_size, n_dims)
ys, _ = task.evaluate(xs)

# print shapes of xs and ys
print(f"Shape of tensor of X's: {xs.shape}")
print(f"Shape of tensor of Y's: {ys.shape}")

loss_func = task.get_training_metric()
"""


def test_the_cells_of_the_tutorial(capsys):
    from minitrain import all as book
    names = {k: getattr(book, k) for k in ("get_data_sampler", "get_task_sampler")}
    exec(CELLS, names)
    assert capsys.readouterr().out == "Shape of tensor of X's: torch.Size([32, 258, 16])\nShape of tensor of Y's: torch.Size([32, 258])\n"
    assert 0.4 < names["ys"].mean() < 0.6 and set(names["ys"].unique().tolist()) == {0., 1.}
    output = torch.zeros(32, 258, requires_grad=True)
    loss = names["loss_func"](output, names["ys"])
    loss.backward()
    assert_close(loss.item(), math.log(2), rtol=1e-6, atol=0)
    assert_close(output.grad, (0.5 - names["ys"])/output.numel())
    assert names["loss_func"] is binary_cross_entropy_with_logits


def global_state(): return torch.get_rng_state()


@given(st.integers(0, 2**63), st.integers(0, 10**6), st.integers(0, 2**31))
@settings(max_examples=25, deadline=None)
def test_seed_and_step_decide_alone(seed, step, elsewhere):
    data, tasks = GaussianSampler(3), get_task_sampler(NAME, 3, 2, weight_multiplier=10, variable_noise=True)
    def batch():
        xs, _ = data.sample_xs(4, 2, 2, seed=(seed, step))
        task = tasks(seed=(seed, step))
        return xs, task.alpha, *task.evaluate(xs), task.evaluate(xs)[0]
    first = batch()
    torch.manual_seed(elsewhere)
    before = global_state()
    again = batch()
    assert torch.equal(before, global_state())
    for a, b in zip(first, again): exactly(a, b)


def test_without_a_seed_the_global_generator_decides():
    data, tasks = GaussianSampler(3), get_task_sampler(NAME, 3, 2)
    def draw(): return data.sample_xs(4, 2)[0], tasks().w
    set_seed(0); a = draw()
    set_seed(0); b = draw(); c = draw()
    for x, y, z in zip(a, b, c):
        exactly(x, y)
        assert not torch.equal(x, z)


def test_streams_differ():
    "By seed, by step, and by which of the two is which; points and weights too"
    keys = [0, 1, 10, (0, 1), (1, 0), (0, 10), (1, 1), (1, 0, 0)]
    xs = [GaussianSampler(1).sample_xs(2000, 1, seed=key)[0].flatten() for key in keys]
    ws = [LogisticRegressionTask(1, 2000, seed=key).w.flatten() for key in keys]
    draws = torch.stack(xs + ws).double()
    assert (torch.corrcoef(draws) - torch.eye(len(draws))).abs().max() < 5/2000**0.5


def test_points_weights_and_coins_are_independent():
    d, b = 4, 20_000
    xs, _ = GaussianSampler(d).sample_xs(1, b, seed=7)
    task = LogisticRegressionTask(d, b, 2, seed=7)
    ys, p = task.evaluate(xs)[0], task.logits(xs).double().sigmoid()
    luck = (ys - p)/(p*(1 - p)).sqrt()  # of the coins, with the odds taken off
    columns = torch.cat([xs[:, 0].double(), task.w[..., 0].double(), luck], 1).T
    assert (torch.corrcoef(columns) - torch.eye(2*d + 1)).abs().max() < 4.5/b**0.5
    assert abs(ys.mean() - 0.5) < 4*0.5/b**0.5  # one generator for all would make it 1


@pytest.mark.parametrize("live", [1, 2, 5])
def test_cut_dimensions(live):
    sampler = get_data_sampler("gaussian", n_dims=5)
    xs, mask = sampler.sample_xs(6, 3, live, seed=0)
    full, everything = sampler.sample_xs(6, 3, seed=0)
    assert mask.tolist() == [i < live for i in range(5)] and everything.all() and xs.dtype == torch.float32
    exactly(xs, full*mask)
    assert (full != 0).all()


def test_the_task_on_other_dtypes():
    xs, _ = GaussianSampler(6).sample_xs(200, 50, seed=0)
    ys, w = LogisticRegressionTask(6, 50, 10, seed=0).evaluate(xs)
    ys64, w64 = LogisticRegressionTask(6, 50, 10, seed=0).evaluate(xs.double())
    assert (ys64.dtype, w64.dtype, w64.shape) == (torch.float64, torch.float64, (50, 6, 1))
    exactly(ys64.float(), ys)
    exactly(w64.float(), w)
    assert LogisticRegressionTask(6, 50, 10, seed=0).evaluate(xs.half())[0].dtype == torch.float16


def test_two_answers_share_no_luck():
    xs, _ = GaussianSampler(4).sample_xs(1000, 200, seed=0)
    task = LogisticRegressionTask(4, 200, 0.5, seed=0)
    z = task.logits(xs).double().sigmoid()
    a, b = (task.evaluate(xs)[0] - z for _ in range(2))
    assert abs((a*b).mean()) < 4*0.25/200_000**0.5
    other = LogisticRegressionTask(4, 200, 0.5, seed=0)
    assert (other.evaluate(xs)[0] - z == a).all() and (other.evaluate(xs)[0] - z == b).all()


def test_weights_have_their_scale():
    w = LogisticRegressionTask(16, 5000, 10, seed=0).w
    assert abs(w.std() - 10) < 4*10/(2*w.numel())**0.5
    noisy = LogisticRegressionTask(16, 5000, 3, True, seed=0)
    assert set(noisy.alpha.tolist()) == {1., 2., 3.}
    for alpha in (1, 2, 3):
        own = noisy.w[noisy.alpha == alpha]
        assert abs(len(own) - 5000/3) < 4*(5000*2/9)**0.5 and abs(own.std() - alpha) < 4*alpha/(2*own.numel())**0.5
    assert (LogisticRegressionTask(2, 9, 1, True).alpha == 1).all()
    exactly(LogisticRegressionTask(16, 5000, 5, seed=0).w*2, w)  # the same directions at every noise level


@pytest.mark.parametrize("d, alpha", [(2, 0.1), (8, 10), (16, 100)])
def test_ceiling_against_scipy(d, alpha):
    from scipy.integrate import quad
    from scipy.special import entr, expit
    from scipy.stats import chi, norm
    def expect(f):
        low, high = max(0, d**0.5 - 9), d**0.5 + 9
        def inner(r): return 2*quad(lambda u: f(u)*norm.pdf(u/(alpha*r))/(alpha*r), 0, 40*min(1, alpha*r) + (alpha*r < 40)*9*alpha*r, limit=200, epsabs=1e-9, epsrel=1e-7)[0]
        return quad(lambda r: chi.pdf(r, d)*inner(r), low, high, limit=100, epsabs=1e-8, epsrel=1e-6)[0]
    wrong, loss = expect(lambda u: expit(-u)), expect(lambda u: entr(expit(u)) + entr(expit(-u)))
    got = ceiling(d, alpha)
    assert_close(torch.tensor([1 - got[0], got[1]], dtype=torch.float64), torch.tensor([wrong, loss], dtype=torch.float64), rtol=1e-5, atol=1e-7)


def test_ceiling_laws():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        table = [[ceiling(d, a) for a in (1e-6, 0.1, 1, 5, 100, 1e6)] for d in (1, 2, 16, 768)]
    accuracy, loss = torch.tensor(table, dtype=torch.float64).unbind(-1)
    assert (accuracy.diff(dim=1) > 0).all() and (accuracy.diff(dim=0) > 0).all()  # less noise, and longer points
    assert (loss.diff(dim=1) < 0).all() and (loss.diff(dim=0) < 0).all()
    assert (accuracy[:, 0] - 0.5 < 1e-4).all() and (loss[:, 0] - math.log(2)).abs().max() < 1e-6 and loss[:, -1].max() < 1e-4
    mean = torch.tensor([ceiling(4, a) for a in (1, 2, 3)]).mean(0)
    assert_close(torch.tensor(ceiling(4, 3, True)), mean)
    assert_close(ceiling(4, 1, True), ceiling(4, 1))


def test_nobody_beats_the_ceiling():
    "A predictor that knows w up to an error is worse, and one that is told the coins (a leak) is caught"
    xs, _ = GaussianSampler(8).sample_xs(100, 2000, seed=5)
    task = LogisticRegressionTask(8, 2000, 10, seed=5)
    ys, z = task.evaluate(xs)[0], task.logits(xs)
    right = lambda z: ((z > 0) == ys.bool()).double().mean(1)
    top, se = ceiling(8, 10)[0], right(z).std()/2000**0.5
    assert abs(right(z).mean() - top) < 4*se
    error = 5*torch.randn(z.shape, generator=torch.Generator().manual_seed(0))
    assert right(z + error).mean() < top - 4*se
    assert right(z + 5*(2*ys - 1)).mean() > top + 4*se


@given(st.integers(1, 50), st.integers(0, 60), st.integers(1, 9), st.integers(1, 40), st.integers(0, 3000))
@settings(max_examples=60, deadline=None)
def test_curriculum_is_what_counting_gives(start, more, inc, interval, step):
    c = Curriculum(start, start + more, inc, interval)
    value = start
    for s in range(1, step + 1):
        if s % interval == 0: value = min(c.end, value + inc)
    assert c(step) == value
    assert c(c.steps) == c.end and (c.steps == 0 or c(c.steps - 1) < c.end)


@dataclass
class Config:
    dims: Curriculum
    points: Curriculum = Curriculum(18, 258, 30, 1000)
    alpha: float = 10


def test_curriculum_in_a_config(tmp_path):
    (tmp_path/"base.yaml").write_text("dims: {start: 4, end: 16, inc: 4, interval: 1000}\npoints: {start: 18, end: 66, inc: 8, interval: 1000}")
    (tmp_path/"a.yaml").write_text("base: base.yaml\ndims: {end: 8}")
    config = load_config(tmp_path/"a.yaml", Config)
    assert config.dims == Curriculum(4, 8, 4, 1000) and config.points == Curriculum(18, 66, 8, 1000)
    assert Curriculum(**asdict(config)["dims"]) == config.dims == pickle.loads(pickle.dumps(config.dims)) and hash(config.dims)


def make_loader(seed=1, steps=6, points=Curriculum(4, 8, 2, 4), dims=Curriculum(1, 3, 1, 4), d=3, b=4, alpha=10, repeat=False, **kwargs):
    return TaskLoader(get_data_sampler("gaussian", d), get_task_sampler(NAME, d, b, alpha, **kwargs), steps, points, dims, seed=seed, repeat=repeat)


def equal(a, b): return len(a) == len(b) and all(torch.equal(x, y) for p, q in zip(a, b) for x, y in zip(p, q))


def test_loader_follows_its_curricula():
    dl = make_loader()
    batches = [o for _ in range(3) for o in dl]
    assert len(dl) == 6 and len(batches) == 18
    for step, (xs, ys) in enumerate(batches):
        assert xs.shape == (4, dl.points(step), 3) and ys.shape == xs.shape[:2] and xs.dtype == ys.dtype == torch.float32
        assert (xs != 0).any((0, 1)).sum() == dl.dims(step)
        for a, b in zip((xs, ys), make_loader().batch(step)): exactly(a, b)
    assert len({xs[0, 0, 0].item() for xs, _ in batches}) == 18  # no step repeats another
    assert (make_loader(dims=None).batch(0)[0] != 0).all() and make_loader(points=9).batch(10**6)[0].shape[1] == 9


def test_loader_resumes_anywhere():
    dl = make_loader()
    epochs = [list(dl) for _ in range(3)]
    for epoch in range(2):
        for n in range(7):
            dl = make_loader()
            dl.set_epoch(epoch)
            batches = iter(dl)
            for _ in range(n): next(batches); torch.rand(3)
            state = dl.state_dict()
            assert all(type(o) is int for o in state.values())
            other = make_loader(seed=99)
            other.load_state_dict(state)
            assert other.state_dict() == state
            before = global_state()
            rest = list(other)
            assert torch.equal(before, global_state())
            assert equal(rest, epochs[epoch][n:]), (epoch, n)
            assert equal(list(other), epochs[epoch + 1])


def test_loader_repeats_for_validation():
    dl = make_loader(repeat=True)
    first = list(dl)
    assert equal(first, list(dl)) and not equal(first, list(make_loader(seed=2, repeat=True)))
    next(iter(dl))
    assert equal(first, list(dl))  # left early, and from the beginning again


def test_two_iterations_do_not_mix():
    dl = make_loader()
    dl.set_epoch(0)
    a = iter(dl)
    dl.set_epoch(0)
    b = iter(dl)
    assert equal([next(a), next(a)], [next(b), next(b)])


def test_seeds_of_loaders():
    set_seed(3); a = make_loader(seed=None)
    set_seed(3); b = make_loader(seed=None)
    assert a.seed == b.seed != make_loader(seed=None).seed and equal(list(a), list(b))


OTHERS = [dict(b=5), dict(alpha=9), dict(points=8), dict(dims=None), dict(variable_noise=True)]


@pytest.mark.parametrize("change", OTHERS, ids=lambda o: next(iter(o)))
def test_loader_refuses_the_place_of_another(change):
    for n in (0, 2):
        dl = make_loader()
        dl.set_epoch(0)
        batches = iter(dl)
        for _ in range(n): next(batches)
        other = make_loader(**change)
        with pytest.raises(ArgumentError): other.load_state_dict(dl.state_dict())
    same = make_loader(seed=5)
    same.load_state_dict(dl.state_dict())
    assert len(list(same)) == 4


@pytest.mark.parametrize("make", [
    lambda: LogisticRegressionTask(2, 3).evaluate(torch.zeros(1, 4, 2)),  # one row for three
    lambda: make_loader(n_points=7),  # told when it is made, not when rows have grown to 8
    lambda: make_loader(dims=Curriculum(1, 4)),
    lambda: get_task_sampler(NAME, 2, 3, weight_multiplier=1.5, variable_noise=True),
    lambda: Curriculum(4, 3)])
def test_what_would_be_answered_wrongly(make):
    with pytest.raises(ArgumentError): make()


class Pairs(TrainCB):
    "The model sees points and labels, as an in-context learner does"
    def predict(self, learn): learn.preds = learn.model(*learn.batch)
    def get_loss(self, learn): learn.loss = learn.loss_func(learn.preds, learn.batch[1])


class Votes(nn.Module):
    "Hebb's rule with a trained scale, and dropout so that the global generator counts"
    def __init__(self):
        super().__init__()
        self.scale = nn.Linear(3, 3)
    def forward(self, xs, ys):
        signs = (2*ys - 1)[..., None]
        seen = (signs*xs).cumsum(1) - signs*xs
        return (nn.functional.dropout(self.scale(seen), 0.1, self.training)*xs).sum(-1)


class PowerCut(Callback):
    def __init__(self, at): self.at = at
    def before_batch(self, learn):
        if learn.training and (learn.epoch, learn.iter) == self.at: raise RuntimeError("power cut")


def make_learner(*cbs, seed=0, dl=None, **kwargs):
    set_seed(seed)
    dls = DataLoaders(dl or make_loader(**kwargs), make_loader(seed=1000, repeat=True, points=8, dims=None, steps=2))
    return Learner(Votes(), dls, binary_cross_entropy_with_logits, 0.01, opt_func=AdamW, cbs=[Pairs(), GradAccumCB(2), *cbs])


def weights(learn): return [o.detach() for o in learn.model.parameters()]


@pytest.mark.parametrize("at", [(0, 1), (0, 5), (1, 3), (2, 0)])
def test_a_run_resumes_bit_for_bit(tmp_path, at):
    whole = make_learner()
    whole.fit(3)
    with pytest.raises(RuntimeError, match="power cut"): make_learner(CheckpointCB(tmp_path/"run", every=1), PowerCut(at)).fit(3)
    again = make_learner(CheckpointCB(tmp_path/"run", resume=True), seed=77)
    again.fit(3)
    for a, b in zip(weights(whole), weights(again)): exactly(a, b)
    for change in (dict(points=6), dict(alpha=9), dict(b=5)):
        with pytest.raises(ArgumentError):
            make_learner(CheckpointCB(tmp_path/"run", resume=True), **change).fit(4)


def test_the_resume_check_can_fail(tmp_path):
    "Control: a loader that draws from the global generator cannot be resumed inside an epoch, and forgets its curriculum"
    class Forgetful:
        def __init__(self): self.count = 0
        def __len__(self): return 6
        def __iter__(self):
            for _ in range(6):
                yield make_loader().batch(self.count)
                self.count += 1
    whole = make_learner(dl=Forgetful())
    whole.fit(3)
    with pytest.raises(ArgumentError): make_learner(CheckpointCB(tmp_path/"a", every=1), dl=Forgetful()).fit(3)
    with pytest.raises(RuntimeError): make_learner(CheckpointCB(tmp_path/"b"), PowerCut((2, 3)), dl=Forgetful()).fit(3)
    again = make_learner(CheckpointCB(tmp_path/"b", resume=True), dl=Forgetful())
    again.fit(3)
    assert not all(map(torch.equal, weights(whole), weights(again)))
    straight = make_learner()
    straight.fit(3)
    for a, b in zip(weights(whole), weights(straight)): exactly(a, b)  # until it is killed it is as good


def test_in_a_learner():
    learn = make_learner(SingleBatchCB())
    learn.fit(2)
    assert equal([learn.batch], [make_loader().batch(0)]) and math.isfinite(learn.loss)
    learn = make_learner(steps=60)
    losses = []
    class Log(Callback):
        def after_loss(self, learn):
            if not learn.training: losses.append(learn.loss.item())
    learn.cbs.append(Log())
    learn.fit(3)
    assert losses[-1] < losses[0]  # the validation batches are the same, so losses compare


@pytest.fixture(scope="module")
def sampler():
    spec = importlib.util.spec_from_file_location("bench_sampler", ROOT/"bench"/"sampler.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@cache
def plane(alpha, n=501, reach=5.5):
    "Weights on a grid over the plane, and the log of their prior"
    line = torch.linspace(-reach*alpha, reach*alpha, n, dtype=torch.float64)
    w = torch.cartesian_prod(line, line)
    return w, -w.square().sum(1)/(2*alpha**2)


def quadrature(xs, ys, queries, alpha):
    "The posterior predictive in two dimensions by a sum over the plane: (c, q)"
    w, prior = plane(alpha)
    logits = nn.functional.logsigmoid
    out = []
    for x, y, q in zip(xs, ys, queries):
        share = (prior + logits((w @ x.T)*(2*y - 1)).sum(1)).softmax(0)
        out.append(share @ (w @ q.T).sigmoid())
    return torch.stack(out)


def few(k, alpha, c=5, q=3):
    xs, _ = GaussianSampler(2).sample_xs(k + q, c, seed=(11, k))
    ys, _ = LogisticRegressionTask(2, c, alpha, seed=(11, k)).evaluate(xs)
    return xs[:, :k].double(), ys[:, :k].double(), xs[:, k:].double()


@pytest.mark.parametrize("k, alpha", [(1, 10), (5, 10), (12, 1)])
def test_the_sampler_against_quadrature(sampler, k, alpha):
    xs, ys, queries = few(k, alpha)
    want = quadrature(xs, ys, queries, alpha)
    got = sampler.bayes_predict(xs, ys, queries, alpha, warmup=300, draws=700, max_rhat=1.03)
    assert ((got.p - want).abs() < 4.5*got.error + 1e-4).all() and got.error.max() < 0.02 and got.rhat.max() < 1.03 and got.ess.min() > 100
    assert_close(got.logit.sigmoid(), got.p, rtol=1e-6, atol=1e-9)
    off = sampler.bayes_predict(xs, ys, queries, alpha*3, warmup=300, draws=700, max_rhat=1.03)
    assert ((off.p - want).abs() > 4.5*off.error + 1e-4).any()  # another prior is told apart
    w, prior = plane(alpha)
    best = w[torch.stack([(prior + nn.functional.logsigmoid((w @ x.T)*(2*y - 1)).sum(1)).argmax() for x, y in zip(xs, ys)])]
    assert_close(sampler.map_predict(xs, ys, queries, alpha), (queries @ best[..., None]).squeeze(-1), rtol=0.05, atol=0.1*alpha)


def test_map_is_scikit_learns_without_an_intercept(sampler):
    from sklearn.linear_model import LogisticRegression
    xs, ys, queries = few(20, 3, c=8)
    ys[:, 0], ys[:, 1] = 0, 1
    for alpha in (0.5, 3):
        want = [LogisticRegression(C=alpha**2, fit_intercept=False, tol=1e-10, max_iter=10_000).fit(x, y).decision_function(q) for x, y, q in zip(xs.numpy(), ys.numpy(), queries.numpy())]
        assert_close(sampler.map_predict(xs, ys, queries, alpha), torch.tensor(np.array(want)), rtol=1e-4, atol=1e-4)


def test_convergence_measures_can_tell(sampler):
    g = torch.Generator().manual_seed(0)
    white = torch.randn(2000, 4, 3, dtype=torch.float64, generator=g)
    assert (sampler.split_rhat(white) < 1.005).all() and ((sampler.effective_size(white)/8000 - 1).abs() < 0.15).all()
    slow = torch.zeros_like(white)
    for i in range(1, 2000): slow[i] = 0.9*slow[i - 1] + white[i]
    assert ((sampler.effective_size(slow)/8000*19 - 1).abs() < 0.4).all()  # (1 - 0.9)/(1 + 0.9) of the draws
    assert (sampler.split_rhat(white + torch.arange(4)[:, None]) > 1.2).all()  # chains in different places
    assert (sampler.split_rhat(white + torch.arange(2000)[:, None, None]/500) > 1.2).all()  # chains on their way
    xs, ys, queries = few(5, 10)
    with pytest.raises(RuntimeError, match="R-hat of up to"): sampler.bayes_predict(xs, ys, queries, 10, warmup=4, draws=10, most=30)
    long = sampler.bayes_predict(xs, ys, queries, 10, warmup=100, draws=20, max_rhat=1.05)
    assert long.rhat.max() < 1.05 and long.draws.max() > 80  # it ran on where it had to
    with pytest.raises(ValueError, match="do not fit"): sampler.bayes_predict(xs, ys[:, 1:], queries, 10)


def test_the_stored_reference(sampler):
    "Converged, on problems that can be made again, calibrated, and no rival is better"
    table, rows = load_results("bayes_sampler"), load_results("bayes_sampler_contexts")
    bayes = table[table.method == "bayes"].set_index("k")
    assert bayes.max_rhat.max() < 1.01 and bayes.min_ess.min() > 800 and list(bayes.index) == [4, 8, 16, 32, 63]
    n, alpha, dims = (table.attrs[o] for o in ("contexts", "alpha", "dims"))
    xs, ys, true = sampler.contexts(n, dims, alpha, 64)
    rivals = table[table.method.isin(["map", "logistic"])]
    assert len(rivals) == 10 and (rivals.gap > 2*rivals.gap_se).all() and (table[table.method == "true"].gap < 0).all()
    for k, part in rows.groupby("k"):
        y, p = torch.tensor(part.y.values), torch.tensor(part.bayes.values).sigmoid()
        assert torch.equal(y, ys[:, k].long())
        assert_close(torch.tensor(part.true.values), true[:, k], rtol=0, atol=1e-3)
        assert abs((y - p).sum()/(p*(1 - p)).sum().sqrt()) < 4  # as many ones as it says
        loss = nn.functional.binary_cross_entropy(p, y.double(), reduction="none")
        assert abs(loss.mean() - bayes.loss[k]) < 1e-3 and abs((loss - torch.special.entr(p) - torch.special.entr(1 - p)).mean()) < 4*loss.std()/n**0.5
    few_rows = slice(0, 8)
    again = sampler.bayes_predict(xs[few_rows, :16], ys[few_rows, :16], xs[few_rows, 16:17], alpha, warmup=400, draws=600, seed=5, max_rhat=1.05)
    stored = torch.tensor(rows[rows.k == 16].bayes.values[few_rows]).sigmoid()
    assert ((again.p[:, 0] - stored).abs() < 5*again.error[:, 0] + 0.01).all()


def test_names_that_nobody_knows():
    with pytest.raises(ArgumentError, match="`data_type`"): get_data_sampler("uniform", 4)
    with pytest.raises(ArgumentError, match="`task_name`"): get_task_sampler("linear", 4, 2)
