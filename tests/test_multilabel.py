"Lesson 08: canvases, the network, scores against plain counting, the two loops, and the job"
import hashlib
from dataclasses import asdict

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings, strategies as st
from safetensors.torch import load_file
from torch import nn
from torch.testing import assert_close

from minitrain import multilabel as ml
from minitrain.binary import binary_cross_entropy_with_logits as bce
from minitrain.core import ArgumentError, Digits, load_digits, load_results, set_seed
from minitrain.data import DataLoader, Dataset
from minitrain.optim import AdamW
from minitrain.experiments.multilabel import MultilabelConfig

few = settings(max_examples=25, deadline=None)


@pytest.fixture(scope="module")
def digits(): return load_digits()


@pytest.fixture(scope="module")
def small(digits):
    "37 small canvases, so that batches of most sizes leave a short last one"
    return ml.multilabel_canvases(digits.x_train, digits.y_train, 37, seed=3, size=46, max_digits=2)


@pytest.fixture
def net():
    set_seed(0)
    net = ml.MultilabelNet(widths=(4, 8), dropout=0.3)
    nn.init.normal_(net.head.weight)  # far from one half, so that scores differ
    return net


def coded(n, lo=0., hi=1., size=28):
    "n images, each of one gray of its own in (lo, hi], and labels 0 to 9 in turn"
    gray = lo + (hi - lo)*torch.arange(1, n + 1)/n
    return gray[:, None, None].expand(n, size, size).clone(), torch.arange(n) % 10


# canvases

@few
@given(seed=st.integers(0, 2**32 - 1), start=st.integers(0, 1000), skip=st.integers(0, 4))
def test_a_canvas_depends_on_seed_and_number_only(seed, start, skip):
    x, y = load_digits()[:2]
    whole = ml.multilabel_canvases(x, y, 5, seed, start)
    np.random.rand(7); torch.rand(7)
    part = ml.multilabel_canvases(x, y, 5 - skip, seed, start + skip)
    assert torch.equal(whole[0][skip:], part[0]) and torch.equal(whole[1][skip:], part[1])


def test_seeds_differ_and_the_stream_is_frozen(digits):
    x, y = ml.multilabel_canvases(digits.x_train, digits.y_train, 50, seed=1)
    other = ml.multilabel_canvases(digits.x_train, digits.y_train, 50, seed=2)
    assert not torch.equal(x, other[0])
    assert (x.shape, y.shape, x.dtype, y.dtype) == ((50, 1, 64, 64), (50, 10), torch.float32, torch.float32)
    assert hashlib.sha256((x*255).round().byte().numpy().tobytes()).hexdigest()[:16] == "828b14b60ae5867b"


@few
@given(seed=st.integers(0, 2**32 - 1), k=st.integers(1, 4), size=st.integers(46, 80))
def test_places_keep_their_distance(seed, k, size):
    places = ml._places(np.random.RandomState(seed), k, size - 27, 18)
    assert len(places) == k and all(0 <= o <= size - 28 for place in places for o in place)
    for i, a in enumerate(places):
        for b in places[:i]: assert max(abs(a[0] - b[0]), abs(a[1] - b[1])) >= 18


@pytest.mark.parametrize("size,most", [(46, 4), (64, 4), (64, 9), (100, 16)])
def test_labels_name_exactly_what_is_pasted(size, most):
    images, labels = coded(40)
    x, y = ml.multilabel_canvases(images, labels, 100, seed=5, size=size, max_digits=most)
    counts = set()
    for canvas, row in zip(x, y):
        grays = canvas[canvas > 0].unique()
        which = (grays*40).round().long() - 1
        assert set(labels[which].tolist()) == set(row.nonzero().flatten().tolist())
        counts.add(len(which))
    assert 1 in counts and max(counts) > most//2  # the same image twice on a canvas shows one gray


def test_every_number_of_digits_is_equally_likely():
    images, labels = coded(1000)
    x, _ = ml.multilabel_canvases(images, labels, 400, seed=0)
    counts = torch.tensor([len(c[c > 0].unique()) for c in x]).bincount(minlength=5)
    assert counts[0] == 0 and counts[5:].sum() == 0 and (counts[1:5] > 70).all()


def test_weights_make_labels_rare(digits):
    weights = [0, 1, 1, 0.1, 1, 1, 1, 1, 1, 1]
    _, y = ml.multilabel_canvases(digits.x_train, digits.y_train, 1000, weights=weights)
    share = y.mean(0)
    assert share[0] == 0 and 0.01 < share[3] < 0.07 and (share[[1, 2, 4, 5, 6, 7, 8, 9]] > 0.2).all()


@pytest.mark.parametrize("change,message", [
    (dict(size=27), "`size`"), (dict(size=45), "room for 4 digits of 28 by 28"),
    (dict(weights=[]), "`weights`"), (dict(weights=[-1]*10), "`weights`"), (dict(weights=[0]*10), "`weights`"), (dict(weights=[float("nan")]*10), "`weights`"),
    (dict(weights=[1]*11), "0 for a label without images"), (dict(images=torch.zeros(40, 784)), "`images`"), (dict(images=torch.zeros(40, 28, 28).byte()), "`images`"),
    (dict(labels=torch.zeros(39).long()), "`labels`"), (dict(labels=torch.zeros(40)), "`labels`")])
def test_bad_canvases_are_refused(change, message):
    images, labels = coded(40)
    with pytest.raises(ArgumentError) as e: ml.multilabel_canvases(**{**dict(images=images, labels=labels, n=2), **change})
    assert message in str(e.value)


# the network

@pytest.mark.parametrize("n_out,n_in,hgt,wid", [(10, 1, 64, 64), (19, 3, 33, 50), (1, 2, 9, 7)])
def test_net_takes_any_size(n_out, n_in, hgt, wid):
    assert ml.MultilabelNet(n_out, n_in)(torch.randn(3, n_in, hgt, wid)).shape == (3, n_out)


def test_first_loss_is_log_2():
    for seed in range(5):
        set_seed(seed)
        z = ml.MultilabelNet(19, 3)(torch.randn(5, 3, 64, 64))
        for target in (torch.ones_like(z), torch.zeros_like(z)): assert abs(bce(z, target).item() - np.log(2)) < 0.03


def test_net_finds_a_digit_anywhere(digits):
    "The strongest answer anywhere: after training mode, a digit moved by whole strides gives the same logits"
    set_seed(0)
    net = ml.MultilabelNet().eval()
    here, there = torch.zeros(2, 1, 1, 128, 128)
    here[..., 32:60, 32:60] = there[..., 64:92, 48:76] = digits.x_train[0]
    with torch.no_grad(): assert_close(net(here), net(there), rtol=0, atol=1e-5)


def test_gradient_reaches_every_parameter():
    set_seed(0)
    net = ml.MultilabelNet()
    bce(net(torch.rand(4, 1, 64, 64)), torch.ones(4, 10)).backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in net.parameters())


# scores

def counted(probs, target, limits, zero):
    "Scores by plain counting, one answer at a time"
    out, right = [], 0
    for j in range(len(probs[0])):
        tp = fp = fn = 0
        for p, t in zip(probs, target):
            said = p[j] >= limits[j]
            right += said == bool(t[j])
            tp += said and t[j] == 1; fp += said and t[j] == 0; fn += (not said) and t[j] == 1
        out.append([tp/(tp + fp) if tp + fp else zero, tp/(tp + fn) if tp + fn else zero, 2*tp/(2*tp + fp + fn) if tp + fp + fn else zero, tp + fn])
    return np.array(out).T, right/(len(probs)*len(probs[0]))


@settings(max_examples=60, deadline=None)
@given(data=st.data(), b=st.integers(1, 8), k=st.integers(1, 4), zero=st.sampled_from([0., 1., float("nan")]))
def test_scores_are_counts(data, b, k, zero):
    eighth = st.integers(0, 8).map(lambda i: i/8)  # exact in float32, and often equal to a threshold
    def table(what): return data.draw(st.lists(st.lists(what, min_size=k, max_size=k), min_size=b, max_size=b))
    probs, target, limits = table(eighth), table(st.integers(0, 1)), data.draw(st.lists(eighth, min_size=k, max_size=k))
    want, share = counted(probs, target, limits, zero)
    got = ml.precision_recall_f1(torch.tensor(probs), torch.tensor(target), torch.tensor(limits), zero)
    for a, w in zip(got, want): assert_close(a.double(), torch.tensor(w), rtol=0, atol=1e-6, equal_nan=True)
    assert_close(ml.threshold_accuracy(torch.tensor(probs), torch.tensor(target), torch.tensor(limits)).item(), share, rtol=0, atol=1e-6)
    one = ml.precision_recall_f1(torch.tensor(probs), torch.tensor(target).bool(), limits[0], zero)
    for a, w in zip(one, counted(probs, target, limits[:1]*k, zero)[0]): assert_close(a.double(), torch.tensor(w), rtol=0, atol=1e-6, equal_nan=True)


def test_the_seed_of_this_lesson():
    p1, t1, p2, t2 = [[0.2, 0.9, 0.7]], [[0., 1., 0.]], [[0.5, 0., 1.]], [[1., 1., 0.]]
    assert round(ml.threshold_accuracy(torch.tensor(p1), torch.tensor(t1)).item(), 3) == 0.667
    assert ml.threshold_accuracy(torch.tensor(p1 + p2), torch.tensor(t1 + t2)).item() == 0.5


@pytest.mark.parametrize("f", [ml.threshold_accuracy, ml.precision_recall_f1])
def test_bad_scores_are_refused(f):
    p, t = torch.rand(4, 3), torch.ones(4, 3)
    for args, name in [((p*4 - 2, t), "probs"), ((p*torch.nan, t), "probs"), ((p, t[:, :1]), "target"),
                       ((p, t[:, 0]), "target"), ((p, t*2), "target"), ((p, t*0.5), "target"), ((p, t, 1.5), "threshold"), ((p, t, -0.1), "threshold"),
                       ((p, t, float("nan")), "threshold"), ((p, t, torch.rand(4)), "threshold"), ((p, t, torch.rand(4, 3)), "threshold")]:
        with pytest.raises(ArgumentError, match=f"`{name}`"): f(*args)


# the loops

@few
@given(batch_size=st.integers(1, 40))
def test_test_loop_does_not_depend_on_the_batch_size(batch_size):
    digits = load_digits()
    data = ml.multilabel_canvases(digits.x_train, digits.y_train, 37, seed=3, size=46, max_digits=2)
    set_seed(0)
    net = ml.MultilabelNet(widths=(4, 8), dropout=0.3)
    nn.init.normal_(net.head.weight)
    whole, parts = (ml.test_loop(net, DataLoader(Dataset(*data), b), bce) for b in (37, batch_size))
    for k in whole:
        if k == "labels": pd.testing.assert_frame_equal(pd.DataFrame(whole[k]), pd.DataFrame(parts[k]), rtol=1e-5)
        else: assert parts[k] == pytest.approx(whole[k], rel=1e-5)


def test_test_loop_says_what_the_scores_say(net, small):
    got = ml.test_loop(net, DataLoader(Dataset(*small), 8), bce)
    net.eval()
    with torch.no_grad(): z = net(small[0])
    p, right = z.sigmoid(), (z >= 0) == small[1].bool()
    assert list(got) == ["loss", "accuracy", "exact", "precision", "recall", "f1", "labels"]
    want = [bce(z, small[1]), right.float().mean(), right.all(1).float().mean(), *(o.mean() for o in ml.precision_recall_f1(p, small[1])[:3])]
    assert [got[k] for k in list(got)[:6]] == pytest.approx([o.item() for o in want], rel=1e-5)
    assert got["labels"]["accuracy"] == pytest.approx(right.float().mean(0).tolist()) and got["labels"]["present"] == small[1].sum(0).int().tolist()


def test_test_loop_changes_nothing(net, small):
    net.trunk[1].eval()  # frozen by its owner, while the rest trains
    dl = DataLoader(Dataset(*small), 8, seed=0)
    modes, state, rng = [m.training for m in net.modules()], {k: v.clone() for k, v in net.state_dict().items()}, torch.get_rng_state()
    ml.test_loop(net, dl, bce)
    def failing(logits, target): raise KeyError
    with pytest.raises(KeyError): ml.test_loop(net, dl, failing)
    assert [m.training for m in net.modules()] == modes and torch.equal(rng, torch.get_rng_state())
    assert all(torch.equal(v, state[k]) for k, v in net.state_dict().items()) and all(p.grad is None for p in net.parameters())


def test_train_loop_learns_and_repeats(small):
    def learn(epochs):
        set_seed(1)
        net = ml.MultilabelNet(widths=(8, 16))
        opt, dl = AdamW(net.parameters(), lr=1e-2), DataLoader(Dataset(*small), 10, shuffle=True, seed=0)
        logs = [ml.train_loop(net, opt, dl, bce, log_every=1) for _ in range(epochs)]
        return logs, ml.test_loop(net, dl, bce), net
    logs, scores, net = learn(40)
    short, again = learn(3), learn(3)
    assert abs(logs[0][0] - np.log(2)) < 0.03 and scores["loss"] < 0.1 and scores["exact"] > 0.9
    assert short[:2] == again[:2] and short[0] == logs[:3]
    assert net.training and all(p.grad is None or not p.grad.any() for p in net.parameters())


@pytest.mark.parametrize("log_every,n", [(1, 8), (2, 4), (3, 3), (8, 1), (100, 1)])
def test_log_holds_the_first_loss_and_every_nth(small, log_every, n):
    def log(every):
        set_seed(1)
        net = ml.MultilabelNet(widths=(4,))
        return ml.train_loop(net, AdamW(net.parameters(), lr=1e-2), DataLoader(Dataset(*small), 5), bce, log_every=every)
    assert len(log(log_every)) == n and log(log_every) == log(1)[::log_every]


def test_loops_take_torch_parts(net, small):
    dl = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(*small), 8)
    opt = torch.optim.SGD(net.parameters(), lr=0.1)
    before = net.head.weight.clone()
    assert len(ml.train_loop(net.eval(), opt, dl, nn.BCEWithLogitsLoss(), device="cpu")) == 1
    assert not net.training and not torch.equal(before, net.head.weight)
    got, want = ml.test_loop(net, dl, nn.BCEWithLogitsLoss(), device="cpu"), ml.test_loop(net, dl, bce)
    assert got["loss"] == pytest.approx(want["loss"], rel=1e-6)


@pytest.mark.parametrize("change,error,message", [
    (lambda x, y: (x, y.argmax(1)), ArgumentError, "targets of shape"), (lambda x, y: (x, y[:, :9]), ArgumentError, "targets of shape"),
    (lambda x, y: (x, y[:, :1]), ArgumentError, "targets of shape"), (lambda x, y: (x, y.long()), ArgumentError, "float"),
    (lambda x, y: (x.expand(-1, 3, -1, -1), y), RuntimeError, "channels")])
def test_bad_batches_are_refused(net, small, change, error, message):
    dl, opt = DataLoader(Dataset(*change(*small)), 8), AdamW(net.parameters())
    before = {k: v.clone() for k, v in net.state_dict().items()}
    with pytest.raises(error, match=message): ml.train_loop(net, opt, dl, bce)
    with pytest.raises(error, match=message): ml.test_loop(net, dl, bce)
    assert all(torch.equal(before[k], p) for k, p in net.named_parameters())


def test_bad_loops_are_refused(net, small):
    dl, opt = DataLoader(Dataset(*small), 8), AdamW(net.parameters())
    with pytest.raises(ZeroDivisionError): ml.train_loop(net, opt, dl, bce, log_every=0)
    for loss in (nn.BCEWithLogitsLoss(reduction="sum"), lambda z, t: bce(z, t, reduction="none")):
        with pytest.raises(RuntimeError): ml.train_loop(net, opt, dl, loss)
        with pytest.raises(RuntimeError): ml.test_loop(net, dl, loss)
    with pytest.raises((ValueError, RuntimeError)): ml.test_loop(net, [], bce)
    with pytest.raises(ValueError): ml.train_loop(net, opt, [(small[0], small[1], 0)], bce)


def test_pos_weights_balance(digits):
    _, y = ml.multilabel_canvases(digits.x_train, digits.y_train, 200, weights=[0, *[1]*8, 0.2])
    w = ml.pos_weights(y, 1.)
    assert_close((w*y).sum(0)[1:], (1 - y).sum(0)[1:])
    assert w[0] == 200 and torch.equal(ml.pos_weights(y, 0.), torch.ones(10)) and ml.pos_weights(torch.ones(5, 1), 1.).item() == pytest.approx(0.2)


# what was measured

def test_stored_results_are_whole_and_of_these_settings():
    table = load_results("multilabel")
    seeds = table.attrs["seeds"]
    assert len(set(seeds)) >= 3 and 100 not in seeds and len(table) == 20*len(seeds)
    assert set(map(tuple, table[["seed", "pos_weight", "label"]].to_numpy().tolist())) == {(s, w, d) for s in seeds for w in (0., 1.) for d in range(10)}
    assert table.attrs["config"] == {k: v for k, v in asdict(MultilabelConfig(device="cpu")).items() if k not in ("seed", "pos_weight", "save_every")}
    weighted = table[table.pos_weight == 1].groupby("seed")
    assert (weighted.f1.mean() > 0.9).all()
    digits, answers = load_digits(), load_results("multilabel_answers")
    y = ml.multilabel_canvases(digits.x_valid, digits.y_valid, 200, 2026, weights=[0.1 if d in (3, 8) else 1 for d in range(10)])[1]
    said = torch.tensor(answers.to_numpy()).float()
    assert answers.attrs["valid_seed"] == 2026 and ml.threshold_accuracy(said, y) > 0.95
