"""Laws that small mistakes break (bench/mutants.txt): ours beside torch's or beside the
plain sum, on data with zeros, ties and unequal parts."""
import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings, strategies as st
from torch import nn
from torch.testing import assert_close

from minitrain.all import (
    Accuracy, ActivationStats, Adam, AdamW, AttentionExtractor, Callback,
    CancelEpochException, CheckpointCB, DataLoader, DataLoaders, Dataset, Learner, Mean,
    Momentum, ReasoningModel, SGD, TrainCB, Value, ViT, accuracy, evaluate, gaze_heatmap,
    get_hist, load_config, multilabel_canvases, rand_affine, softmax, summary,
    top_losses, train_epoch)
from minitrain.progress import mend_csv

few = settings(max_examples=15, deadline=None)
sizes = st.lists(st.integers(1, 5), min_size=2, max_size=4)


def whole_numbers(*shape): return torch.randint(-2, 3, shape).double()


@few
@given(st.integers(1, 4), st.integers(2, 4), st.integers(0, 99))
def test_a_tape_has_autograds_gradients(b, k, seed):
    torch.manual_seed(seed)
    x, w, y = whole_numbers(b, k), whole_numbers(k, k), torch.randint(k, (b,))
    def net(x, w):
        h = x @ w
        return (h.relu() + x).mean() + (h*x).log_softmax(1).sum()*0.5
    ours, theirs = [Value(x), Value(w)], [o.clone().requires_grad_() for o in (x, w)]
    net(*ours).backward()
    net(*theirs).backward()
    for a, b in zip(ours, theirs): assert_close(a.grad, b.grad)
    picked = Value(x).log_softmax().pick(y).mean()
    assert_close(-picked.data, F.cross_entropy(x, y))


@few
@given(st.integers(1, 3), st.integers(2, 4), st.sampled_from([0, 1, -1]))
def test_softmax_sums_along_its_dimension(b, k, dim):
    x = torch.randn(b, k)
    assert_close(softmax(x, dim), torch.softmax(x, dim))


class Seen(nn.Module):
    "Notes its mode at each call"
    def __init__(self): super().__init__(); self.modes = []
    def forward(self, x): self.modes.append(self.training); return x


@few
@given(sizes, st.integers(0, 99))
def test_an_epoch_is_a_mean_over_samples(sizes, seed):
    torch.manual_seed(seed)
    batches = [(torch.randn(n, 2), torch.randint(3, (n,))) for n in sizes]
    model, part = nn.Linear(2, 3), Seen()
    x, y = map(torch.cat, zip(*batches))
    want = F.cross_entropy(model(x), y).item()
    frozen = nn.Sequential(model, part)
    part.eval()
    opt = torch.optim.SGD(model.parameters(), 0.)
    got = train_epoch(frozen, batches, F.cross_entropy, opt)
    assert math.isclose(got, want, rel_tol=1e-5) and frozen.training
    part.train()
    scores = evaluate(frozen, batches, F.cross_entropy, metrics=(accuracy,))
    assert math.isclose(scores["loss"], want, rel_tol=1e-5) and part.training
    assert not any(part.modes), "frozen in training, in evaluation mode in validation"


def test_a_mean_does_not_look_at_nothing():
    mean = Mean()
    for value, n in ((1., 2), (math.nan, 0), (4., 1)): mean.update(value, n)
    assert mean.compute() == 2


def chance(x): return x + torch.rand(()).item() + np.random.rand()


def test_chance_is_of_seed_epoch_and_item():
    "Order and transforms differ between epochs; global generators stay where they were"
    x = torch.zeros(12)
    dl = DataLoader(Dataset(x, torch.arange(12), chance), 5, shuffle=True, seed=3)
    numpys, torchs = np.random.get_state()[1].copy(), torch.get_rng_state()
    (x1, y1), (x2, y2) = (map(torch.cat, zip(*batches)) for batches in ([*dl], [*dl]))
    assert (np.random.get_state()[1] == numpys).all()
    assert torch.equal(torch.get_rng_state(), torchs)
    assert not torch.equal(y1, y2) and not set(x1.tolist()) & set(x2.tolist())


def test_an_older_iteration_does_not_end_a_newer_one():
    dl = DataLoader(range(4), 1, seed=0)
    old, new = iter(dl), iter(dl)
    next(new)
    assert len([*old]) == 4
    assert dl.state_dict()["batch"] == 1 and dl.state_dict()["epoch"] == 1


@pytest.mark.parametrize("ours, theirs, options", [
    (SGD, torch.optim.SGD, dict(momentum=0.9, dampening=0.3, weight_decay=0.1)),
    (Momentum, torch.optim.SGD, dict(momentum=0.9, nesterov=True)),
    (Adam, torch.optim.Adam, dict(weight_decay=0.2, eps=0.1)),
    (AdamW, torch.optim.AdamW, dict(weight_decay=0.2, betas=(0.5, 0.7)))])
def test_steps_are_torchs(ours, theirs, options):
    "With a closure too, in which gradients are made though the step itself makes none"
    ends = []
    for kind in (ours, theirs):
        w = torch.tensor([1., -2., 0.5], requires_grad=True)
        opt = kind([w], lr=0.1, **options)
        def loss():
            opt.zero_grad()
            (out := (w**2).sum() + w[0]*w[1]).backward()
            return out
        losses = [opt.step(loss).item() for _ in range(4)]
        ends.append((w.detach(), torch.tensor(losses)))
    assert_close(*ends)


@few
@given(st.integers(1, 4), st.integers(5, 12), st.integers(0, 99))
def test_canvases(most, side, seed):
    "Overlaps are no brighter, corners stay apart, and each number of digits comes up"
    size = 6*side
    def canvases(digit): return multilabel_canvases(digit[None], torch.tensor([0]), 80,
        seed, size=size, max_digits=most, weights=(1,))[0]
    assert canvases(torch.ones(side, side)).max() == 1
    corner = torch.zeros(side, side)
    corner[0, 0] = 1
    places = [o[0].nonzero() for o in canvases(corner)]
    assert {len(o) for o in places} == {*range(1, most + 1)}
    for o in places:
        apart = (o[:, None] - o).abs().amax(-1)
        assert apart.fill_diagonal_(size).min() >= 2*side//3


class Call(Callback):
    "Notes its name at the beginning of a fit, and raises at its end"
    def __init__(self, order, log, error=None):
        self.order, self.log, self.error = order, log, error
    def before_fit(self, learn): self.log.append(self.order)
    def cleanup_fit(self, learn):
        if self.error: raise self.error


def learner(cbs, n=4):
    x, y = torch.randn(n, 2), torch.randint(3, (n,))
    dl = DataLoader(Dataset(x, y), 2, seed=0)
    cbs = [TrainCB(), *cbs]
    return Learner(nn.Linear(2, 3), DataLoaders(dl, dl), F.cross_entropy, cbs=cbs)


def test_the_lowest_order_comes_first_and_a_real_error_out():
    log = []
    errors = CancelEpochException(), None, ValueError("real")
    learn = learner([Call(o, log, e) for o, e in zip((5, -5, 7), errors)])
    with pytest.raises(ValueError, match="real"): learn.fit(1)
    assert log == [-5, 5, 7]


@few
@given(st.integers(0, 2), st.integers(0, 99))
def test_accuracy_leaves_out_what_counts_for_nothing(index, seed):
    torch.manual_seed(seed)
    scores, y = torch.randn(20, 3), torch.randint(3, (20,))
    metric = Accuracy(ignore_index=index)
    metric.update(scores, y)
    kept = (scores.argmax(1) == y)[y != index]
    assert math.isclose(metric.compute(), kept.float().mean().item(), rel_tol=1e-6)


def test_a_torn_row_is_cut_off(tmp_path):
    path = tmp_path/"a.csv"
    path.write_bytes(b"a,b\n1,2\n3")
    assert mend_csv(path) == ["a", "b"] and path.read_bytes() == b"a,b\n1,2\n"


def test_a_nan_costs_most():
    learn = learner([], 6)
    x, y = learn.dls.valid.dataset.x, learn.dls.valid.dataset.y
    x[3] = math.nan
    want = F.cross_entropy(learn.model(x), y, reduction="none").nan_to_num(math.inf)
    got = top_losses(learn, 3)
    assert got["index"].tolist() == want.topk(3).indices.tolist()


def test_a_histogram_counts_sizes():
    "Of activations on both sides of zero, by |activation| in steps of a quarter"
    stats, learn = ActivationStats(lambda m: isinstance(m, nn.Linear)), learner([])
    outs = []
    def keep(m, args, out):
        if m.training: outs.append(out.detach())
    learn.model.register_forward_hook(keep)
    learn.fit(1, cbs=[stats])
    counts = get_hist(stats[0]).expm1().round()
    for column, out in zip(counts.T, outs):
        assert_close(column, torch.histc(out.abs(), 40, 0, 10))


@few
@given(st.integers(1, 3))
def test_a_summary_goes_as_deep_as_asked(depth):
    model = nn.Linear(2, 2)
    for _ in range(4): model = nn.Sequential(model, nn.ReLU())
    rows = summary(model, torch.randn(1, 2), depth=depth).rows
    names = [n for n, _ in model.named_modules() if n and n.count(".") < depth]
    assert [row["Module"].split()[0] for row in rows] == names


def test_affine_maps_of_rectangles():
    "Turns keep distances from the middle, slants keep areas, moves go as far as asked"
    torch.manual_seed(0)
    y, x = torch.arange(40.), torch.arange(64.)
    def blob(row, column):
        far = (y - row)[:, None]**2 + (x - column)**2
        return torch.exp(-far/8).expand(200, 40, 64)
    def centres(images):
        mass = images.sum((1, 2))
        at = torch.stack([images.sum(2) @ y, images.sum(1) @ x], 1)/mass[:, None]
        return at - torch.tensor([19.5, 31.5]), mass
    def moved(images, **options):
        still = dict(degrees=0, scale=0, shear=0, shift=0)
        return centres(rand_affine(images, **still | options))
    off, middle = blob(19.5, 42.5), blob(19.5, 31.5)
    at, _ = moved(off, degrees=60)
    assert_close(at.norm(dim=1), torch.full((200,), 11.), atol=0.1, rtol=0)
    assert at[:, 0].abs().max() > 8
    _, mass = moved(middle, degrees=60, shear=20)
    assert_close(mass, middle.sum((1, 2)), atol=0, rtol=0.03)
    at, _ = moved(middle, shift=4)
    for axis in (0, 1): assert 3.8 < at[:, axis].abs().max() < 4.05


def test_what_is_nearer_wins(tmp_path):
    "An override over the file, the file over its base, at every depth"
    (tmp_path/"base.yaml").write_text("a: 1\nb: 1\nc: 1\nd: {x: 1, y: 1}\n")
    (tmp_path/"top.yaml").write_text("base: base.yaml\nb: 2\nc: 2\nd: {y: 2}\n")
    got = load_config(tmp_path/"top.yaml", c=3)
    assert got == dict(a=1, b=2, c=3, d=dict(x=1, y=2))


@pytest.mark.parametrize("keep", [1, 2, None])
def test_the_newest_checkpoints_stay(tmp_path, keep):
    learner([CheckpointCB(tmp_path/"run", every=1, keep=keep)], 8).fit(2)
    numbers = sorted(int(o.stem[11:]) for o in (tmp_path/"run").glob("checkpoint-*.pt"))
    assert numbers == [*range(1, numbers[-1] + 1)][-(keep or 0):] and numbers[-1] > 4


@few
@given(st.booleans(), st.integers(1, 5), st.integers(0, 99))
def test_a_query_stands_alone_behind_its_context(positions, k, seed):
    torch.manual_seed(seed)
    model = ReasoningModel(3, 8, 16, 2, 2, positions=positions, init_std=None).eval()
    xs, ys = torch.randn(2, k, 3), torch.randint(2, (2, k))
    queries = torch.randn(2, 4, 3)
    with torch.no_grad():
        alone = [model.query(xs, ys, o) for o in queries.split(1, 1)]
        assert_close(model.query(xs, ys, queries), torch.cat(alone, 1))


def test_a_frame_counts_once_however_many_points_it_has():
    left, right, lost = (0.25, 0.5), (0.75, 0.5), (math.nan, math.nan)
    points = torch.tensor([[left, left, left], [right, lost, lost]])
    heat = gaze_heatmap(points, (16, 32), 1.5, decay=1., past=1)[1]
    assert_close(heat[:, :16], heat[:, 16:].flip(1), atol=1e-5, rtol=0)


def test_maps_show_the_attention_that_is_computed():
    model, x = ViT(8, 4, 1, 3, 12, 2, 2), torch.randn(2, 1, 8, 8)
    for p in model.parameters(): nn.init.normal_(p)
    with AttentionExtractor(model) as look: model(x)
    maps = model.attention_maps(x)
    shares = maps/maps.sum(-1, keepdim=True)
    assert_close(look.cls_logits.softmax(-1), shares, atol=1e-4, rtol=1e-3)


def test_the_best_is_remembered_over_a_resume(tmp_path):
    "21: a worse epoch after a resume does not replace the best weights of before"
    from minitrain.all import Callback, CheckpointCB, Learner, MetricsCB, TrainCB
    class Worse(Callback):
        def before_epoch(self, learn):
            if learn.training and learn.epoch:
                with torch.no_grad(): learn.model.weight.fill_(50.)
    def fit(n):
        torch.manual_seed(0)
        batch = torch.ones(2, 1), torch.ones(2, 1)
        best = CheckpointCB(tmp_path, best="valid_loss", resume=True)
        cbs = [TrainCB(), MetricsCB(), best, Worse()]
        Learner(torch.nn.Linear(1, 1), ([batch], [batch]), torch.nn.MSELoss(), 0.1, cbs).fit(n)
        return (tmp_path/"model-best.safetensors").read_bytes()
    assert fit(1) == fit(2)
