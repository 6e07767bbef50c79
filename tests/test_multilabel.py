"Lesson 08: canvases, the network, scores against plain counting, two loops, the widget"
import hashlib
from dataclasses import asdict
from itertools import product

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings, strategies as st
from torch import nn
from torch.nn import functional as F
from torch.testing import assert_close

import chromium
from minitrain import multilabel as ml
from minitrain.binary import binary_cross_entropy_with_logits as bce
from minitrain.core import ArgumentError, load_digits, load_results, set_seed, widget
from minitrain.data import DataLoader, Dataset
from minitrain.experiments.multilabel import MultilabelConfig
from minitrain.optim import AdamW

few = settings(max_examples=25, deadline=None)
TRAIN = load_digits()[:2]


@pytest.fixture(scope="module")
def small():
    "37 small canvases, so that batches of most sizes leave a short last one"
    return ml.multilabel_canvases(*TRAIN, 37, seed=3, size=46, max_digits=2)


@pytest.fixture
def net():
    set_seed(0)
    net = ml.MultilabelNet(widths=(4, 8), dropout=0.3)
    nn.init.normal_(net.head.weight)  # far from one half, so that scores differ
    return net


def coded(n, size=28):
    "n images, each of one gray of its own in (0, 1], and labels 0 to 9 in turn"
    gray = torch.arange(1, n + 1)/n
    return gray[:, None, None].expand(n, size, size).clone(), torch.arange(n) % 10


def loader(data, size=8, **kwargs): return DataLoader(Dataset(*data), size, **kwargs)


# canvases

@few
@given(st.integers(0, 2**32 - 1), st.integers(0, 1000), st.integers(0, 4))
def test_a_canvas_depends_on_seed_and_number_only(seed, start, skip):
    x, y = ml.multilabel_canvases(*TRAIN, 5, seed, start)
    np.random.rand(7); torch.rand(7)
    part = ml.multilabel_canvases(*TRAIN, 5 - skip, seed, start + skip)
    assert torch.equal(x[skip:], part[0]) and torch.equal(y[skip:], part[1])


def test_seeds_differ_and_the_stream_is_frozen():
    x, y = ml.multilabel_canvases(*TRAIN, 50, seed=1)
    assert not torch.equal(x, ml.multilabel_canvases(*TRAIN, 50, seed=2)[0])
    assert (x.shape, y.shape) == ((50, 1, 64, 64), (50, 10))
    assert x.dtype == y.dtype == torch.float32
    digest = hashlib.sha256((x*255).round().byte().numpy().tobytes()).hexdigest()
    assert digest[:16] == "828b14b60ae5867b"


@few
@given(seed=st.integers(0, 2**32 - 1), k=st.integers(1, 4), size=st.integers(46, 80))
def test_places_keep_their_distance(seed, k, size):
    places = ml._places(np.random.RandomState(seed), k, size - 27, 18)
    assert len(places) == k and all(0 <= o <= size - 28 for at in places for o in at)
    for i, a in enumerate(places):
        for b in places[:i]: assert max(abs(a[0] - b[0]), abs(a[1] - b[1])) >= 18


@pytest.mark.parametrize("size,most", [(46, 4), (64, 4), (64, 9), (100, 16)])
def test_labels_name_exactly_what_is_pasted(size, most):
    images, labels = coded(40)
    x, y = ml.multilabel_canvases(images, labels, 100, 5, size=size, max_digits=most)
    counts = set()
    for canvas, row in zip(x, y):
        grays = canvas[canvas > 0].unique()
        which = (grays*40).round().long() - 1
        assert set(labels[which].tolist()) == set(row.nonzero().flatten().tolist())
        counts.add(len(which))  # the same image twice on a canvas shows one gray
    assert 1 in counts and max(counts) > most//2


def test_every_number_of_digits_is_equally_likely():
    x, _ = ml.multilabel_canvases(*coded(1000), 400, seed=0)
    counts = torch.tensor([len(c[c > 0].unique()) for c in x]).bincount(minlength=5)
    assert counts[0] == 0 and counts[5:].sum() == 0 and (counts[1:5] > 70).all()


def test_weights_make_labels_rare():
    weights = [0, 1, 1, 0.1, 1, 1, 1, 1, 1, 1]
    share = ml.multilabel_canvases(*TRAIN, 1000, weights=weights)[1].mean(0)
    assert share[0] == 0 and 0.01 < share[3] < 0.07
    assert (share[[1, 2, 4, 5, 6, 7, 8, 9]] > 0.2).all()


@pytest.mark.parametrize("change,message", [
    (dict(size=27), "`size`"), (dict(size=45), "room for 4 digits of 28 by 28"),
    (dict(weights=[]), "`weights`"), (dict(weights=[-1]*10), "`weights`"),
    (dict(weights=[0]*10), "`weights`"), (dict(weights=[float("nan")]*10), "`weights`"),
    (dict(images=torch.zeros(40, 28, 28).byte()), "`images`"),
    (dict(labels=torch.zeros(39).long()), "`labels`")])
def test_what_would_be_pasted_wrongly_is_named(change, message):
    images, labels = coded(40)
    with pytest.raises(ArgumentError) as e:
        ml.multilabel_canvases(**{**dict(images=images, labels=labels, n=2), **change})
    assert message in str(e.value)


# the network

@pytest.mark.parametrize("n_out,n_in,size",
    [(10, 1, (64, 64)), (19, 3, (33, 50)), (1, 2, (9, 7))])
def test_net_takes_any_size(n_out, n_in, size):
    z = ml.MultilabelNet(n_out, n_in)(torch.randn(3, n_in, *size))
    assert z.shape == (3, n_out)


def test_first_loss_is_near_that_of_one_half():
    for seed in range(4):
        set_seed(seed)
        z = ml.MultilabelNet(19, 3)(torch.randn(5, 3, 64, 64))
        for target in (torch.ones_like(z), torch.zeros_like(z)):
            assert abs(bce(z, target).item() - np.log(2)) < 0.03


def test_net_finds_a_digit_anywhere():
    "A digit moved by whole strides has the same logits: the strongest answer anywhere"
    set_seed(0)
    net = ml.MultilabelNet().eval()
    here, there = torch.zeros(2, 1, 1, 128, 128)
    here[..., 32:60, 32:60] = there[..., 64:92, 48:76] = TRAIN[0][0]
    with torch.no_grad(): assert_close(net(here), net(there), rtol=0, atol=1e-5)


def test_gradient_reaches_every_parameter():
    set_seed(0)
    net = ml.MultilabelNet()
    bce(net(torch.rand(4, 1, 64, 64)), torch.ones(4, 10)).backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in net.parameters())


# scores

def counted(probs, target, limits, zero):
    "Scores by plain counting, one answer at a time"
    def ratio(a, b): return a/b if b else zero
    out, right = [], 0
    for j in range(len(probs[0])):
        said = [p[j] >= limits[j] for p in probs]
        true = [t[j] == 1 for t in target]
        hits = sum(s and t for s, t in zip(said, true))
        right += sum(s == t for s, t in zip(said, true))
        yes, present = sum(said), sum(true)
        out.append([ratio(hits, yes), ratio(hits, present),
            ratio(2*hits, yes + present), present])
    return np.array(out, float).T, right/(len(probs)*len(probs[0]))


@settings(max_examples=60, deadline=None)
@given(st.data(), st.integers(1, 8), st.integers(1, 4),
    st.sampled_from([0., 1., float("nan")]))
def test_scores_are_counts(data, b, k, zero):
    def table(what): return data.draw(st.lists(
        st.lists(what, min_size=k, max_size=k), min_size=b, max_size=b))
    eighth = st.integers(0, 8).map(lambda i: i/8)  # exact, often equal to a threshold
    p, t = table(eighth), table(st.integers(0, 1))
    limits = data.draw(st.lists(eighth, min_size=k, max_size=k))
    probs, target = torch.tensor(p), torch.tensor(t)
    for own, given in ((limits, torch.tensor(limits)), (limits[:1]*k, limits[0])):
        want, share = counted(p, t, own, zero)
        got = ml.precision_recall_f1(probs, target.bool(), given, zero)
        assert_close(torch.stack([o.double() for o in got]), torch.tensor(want),
            rtol=0, atol=1e-6, equal_nan=True)
        assert ml.threshold_accuracy(probs, target, given) == pytest.approx(share)


@pytest.mark.parametrize("f", [ml.threshold_accuracy, ml.precision_recall_f1])
def test_what_would_be_scored_wrongly_is_named(f):
    p, t = torch.rand(4, 3), torch.ones(4, 3)
    for args, name in [((p*4 - 2, t), "probs"), ((p*torch.nan, t), "probs"),
            ((p, t[:, :1]), "target"), ((p, t[:, 0]), "target"), ((p, t*2), "target"),
            ((p, t*0.5), "target"), ((p, t, 1.5), "threshold"),
            ((p, t, -0.1), "threshold"), ((p, t, float("nan")), "threshold")]:
        with pytest.raises(ArgumentError, match=f"`{name}`"): f(*args)


# the loops

@pytest.mark.parametrize("batch_size", [1, 2, 5, 12, 36, 40])
def test_test_loop_does_not_depend_on_the_batch_size(net, small, batch_size):
    whole, parts = (ml.test_loop(net, loader(small, b), bce) for b in (37, batch_size))
    labels = [pd.DataFrame(o.pop("labels")) for o in (whole, parts)]
    pd.testing.assert_frame_equal(*labels, rtol=1e-5)
    assert parts == pytest.approx(whole, rel=1e-5)


def test_test_loop_says_what_the_scores_say(net, small):
    got = ml.test_loop(net, loader(small), bce)
    with torch.no_grad(): z = net.eval()(small[0])
    p, right = z.sigmoid(), (z >= 0) == small[1].bool()
    labels = got.pop("labels")
    precision, recall, f1, present = ml.precision_recall_f1(p, small[1])
    want = dict(loss=bce(z, small[1]), accuracy=right.float().mean(),
        exact=right.all(1).float().mean(), precision=precision.mean(),
        recall=recall.mean(), f1=f1.mean())
    assert got == pytest.approx({k: v.item() for k, v in want.items()}, rel=1e-5)
    assert labels["accuracy"] == pytest.approx(right.float().mean(0).tolist())
    assert labels["present"] == present.tolist()


def test_test_loop_changes_nothing(net, small):
    net.trunk[1].eval()  # frozen by its owner, while the rest trains
    modes = [m.training for m in net.modules()]
    state = {k: v.clone() for k, v in net.state_dict().items()}
    dl, rng = loader(small, seed=0), torch.get_rng_state()
    def failing(logits, target): raise KeyError
    ml.test_loop(net, dl, bce)
    with pytest.raises(KeyError): ml.test_loop(net, dl, failing)
    assert [m.training for m in net.modules()] == modes
    assert torch.equal(rng, torch.get_rng_state())
    assert all(torch.equal(v, state[k]) for k, v in net.state_dict().items())
    assert all(p.grad is None for p in net.parameters())


def test_train_loop_learns_and_repeats(small):
    def learn(epochs):
        set_seed(1)
        net = ml.MultilabelNet(widths=(8, 16))
        opt = AdamW(net.parameters(), lr=1e-2)
        dl = loader(small, 10, shuffle=True, seed=0)
        logs = [ml.train_loop(net, opt, dl, bce, log_every=1) for _ in range(epochs)]
        return logs, ml.test_loop(net, dl, bce), net
    logs, scores, net = learn(40)
    short, again = learn(3), learn(3)
    assert abs(logs[0][0] - np.log(2)) < 0.03
    assert scores["loss"] < 0.1 and scores["exact"] > 0.9 and net.training
    assert short[:2] == again[:2] and short[0] == logs[:3]


def test_train_loop_starts_from_no_gradient(small):
    def weights(stale):
        set_seed(1)
        net = ml.MultilabelNet(widths=(4,))
        for p in net.parameters(): p.grad = torch.ones_like(p) if stale else None
        ml.train_loop(net, AdamW(net.parameters()), loader(small, 5), bce)
        return net.head.weight
    assert torch.equal(weights(False), weights(True))


@pytest.mark.parametrize("every,n", [(1, 8), (2, 4), (3, 3), (8, 1), (100, 1)])
def test_log_holds_the_first_loss_and_every_nth(small, every, n):
    def log(every):
        set_seed(1)
        net = ml.MultilabelNet(widths=(4,))
        opt = AdamW(net.parameters(), lr=1e-2)
        return ml.train_loop(net, opt, loader(small, 5), bce, log_every=every)
    assert len(log(every)) == n and log(every) == log(1)[::every]


def test_loops_take_torch_parts(net, small):
    dl = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(*small), 8)
    opt, loss = torch.optim.SGD(net.parameters(), lr=0.1), nn.BCEWithLogitsLoss()
    before = net.head.weight.clone()
    assert len(ml.train_loop(net.eval(), opt, dl, loss, device="cpu")) == 1
    assert not net.training and not torch.equal(before, net.head.weight)
    got, want = (ml.test_loop(net, dl, o, device="cpu") for o in (loss, bce))
    assert got["loss"] == pytest.approx(want["loss"], rel=1e-6)


@pytest.mark.parametrize("change", [
    lambda x, y: (x, y.argmax(1)), lambda x, y: (x, y[:, :9]),
    lambda x, y: (x, y[:, :1]), lambda x, y: (x, y.long()),
    lambda x, y: (x.expand(-1, 3, -1, -1), y)])
def test_nothing_moves_where_a_batch_is_bad(net, small, change):
    dl, opt = loader(change(*small)), AdamW(net.parameters())
    before = {k: v.clone() for k, v in net.named_parameters()}
    bad = pytest.raises((ValueError, RuntimeError, TypeError))
    with bad: ml.train_loop(net, opt, dl, bce)
    with bad: ml.test_loop(net, dl, bce)
    assert all(torch.equal(before[k], p) for k, p in net.named_parameters())


def test_loops_without_batches_or_pairs(net, small):
    opt, three = AdamW(net.parameters()), [(*small, 0)]
    with pytest.raises(ValueError): ml.test_loop(net, [], bce)
    with pytest.raises(ValueError): ml.train_loop(net, opt, three, bce)


def test_pos_weights_balance():
    _, y = ml.multilabel_canvases(*TRAIN, 200, weights=[0, *[1]*8, 0.2])
    w = ml.pos_weights(y)
    assert_close((w*y).sum(0)[1:], (1 - y).sum(0)[1:])
    assert w[0] == 200 and torch.equal(ml.pos_weights(y, 0), torch.ones(10))
    assert_close(ml.pos_weights(y, 0.5)**2, w)
    assert ml.pos_weights(torch.ones(5, 1)).item() == pytest.approx(0.2)


# what was measured

def test_stored_results_are_whole_and_of_these_settings():
    table, ranks = load_results("multilabel"), load_results("multilabel_ranks")
    seeds, by = table.attrs["seeds"], ["seed", "pos_weight", "label"]
    assert len(set(seeds)) >= 3 and 100 not in seeds  # 100 chose the settings
    arms = {*product(seeds, (0., 0.5, 1.), range(10))}
    assert {*table.groupby(by).groups} == arms and len(table) == len(arms)
    config, stored = asdict(MultilabelConfig(device="cpu")), table.attrs["config"]
    assert stored == {k: config[k] for k in stored}
    assert {*config} - {*stored} == {"seed", "pos_weight"}
    assert {*ranks.groupby(by).groups} == {o for o in arms if o[2] in (3, 8)}
    for arm, o in ranks.groupby(by):
        row, precision = table.set_index(by).loc[arm], o.hit/o["rank"]
        assert o.hit.tolist() == [*range(1, int(row.present) + 1)]
        assert o["rank"].is_monotonic_increasing and precision.max() <= 1
        assert (o.prob >= 0.5).mean() == pytest.approx(row.recall, abs=1e-4)
        assert precision.mean() == pytest.approx(row.average_precision, abs=1e-3)


# the widget

def test_the_widget_convolves_as_torch_does(tab, tmp_path):
    kernel = torch.tensor([[-1., -2, 3], [0, 5, 1], [2, 0, 7]])
    kernels = {"a": kernel.int().tolist()}
    data = dict(image=torch.eye(5).int().tolist(), kernels=kernels)
    html = "<!doctype html><meta charset=utf-8>" + widget("convolution", data)
    (tmp_path/"a.html").write_text(html)
    (tmp_path/"favicon.ico").touch()
    root = "document.querySelector('.mt-convolution')"
    with chromium.serve(tmp_path) as base:
        tab.open(f"{base}/a.html")
        x = torch.arange(42.).view(6, 7)
        for stride, padding in product((1, 2, 3), (0, 1, 2)):
            how = f"{x.tolist()}, {kernel.tolist()}, {stride}, {padding}"
            got = torch.tensor(tab.js(f"{root}.widget.conv({how})")).float()
            want = F.conv2d(x[None, None], kernel[None, None], None, stride, padding)
            assert torch.equal(got, want[0, 0])
        tab.js(f"{root}.querySelector('button').click()")  # the ink of row 1, column 1
        said = tab.js(f"{root}.querySelector('[aria-live]').textContent")
        assert said == "Window 5 of 9: under the ink lies (\u22121) + 5 + 7 = 11."
        slide = f"{root}.querySelector('input[type=range]')"
        tab.js(f"{slide}.value = 0; {slide}.oninput()")
        said = tab.js(f"{root}.querySelector('[aria-live]').textContent")
        assert said == "Window 1 of 9: under the ink lies 7 = 7." and tab.problems == []
