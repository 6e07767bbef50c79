"The in-context classifier beyond its lesson: scikit-learn's own checks, what may be seen, tables of every kind, the jobs."
import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.optimize import minimize
from sklearn.base import clone
from sklearn.datasets import make_blobs, make_classification
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from minitrain.compose import (ReasoningClassifier, _Features, _said_before,
    _temperature, calibration_error, couple, embed_leave_one_out, embed_stream,
    equal_views, map_logistic, minus_log_posterior)
from minitrain.core import ArgumentError
from minitrain.experiments.reasoning import ReasoningConfig, evaluate_reasoning, predict_reasoning, reasoning
from minitrain.reasoning import LongConv, ReasoningModel, load_head
from minitrain.tasks import Curriculum
from minitrain.runs import RunDir

HEAD = ReasoningClassifier().head


def assert_close(a, b, rtol=1e-7, atol=1e-9): np.testing.assert_allclose(np.asarray(a), np.asarray(b), rtol=rtol, atol=atol)


@parametrize_with_checks([ReasoningClassifier(n_views=2)])
def test_scikit_learn(estimator, check): check(estimator)  # none is expected to fail


@pytest.fixture(scope="module")
def table():
    X, y = make_classification(200, 12, n_informative=5, random_state=3)
    return X*10.0**np.arange(-4, 8) + 7, y  # units from 0.0001 to 10 million


@pytest.fixture(scope="module")
def model(table):
    X, y = table
    return ReasoningClassifier().fit(X[:40], y[:40])


# --- what may be seen

def test_other_queries_change_no_bit(table, model):
    X, _ = table
    other = X[40:90].copy()
    other[:10], other[11:] = -other[:10], 1e6
    assert np.array_equal(model.predict_proba(X[40:90])[10], model.predict_proba(other)[10])


def test_company_changes_nothing_to_speak_of(table, model):
    X, _ = table
    all_at_once = model.predict_proba(X[40:])
    assert_close(np.concatenate([model.predict_proba(o[None]) for o in X[40:60]]), all_at_once[:20], rtol=1e-9, atol=1e-12)
    assert_close(model.predict_proba(np.concatenate([X[40:]]*3))[-160:], all_at_once, rtol=1e-9, atol=1e-12)  # more than one pass


def test_labels_change_no_feature(table, model):
    X, y = table
    want = model.pairs_[0, 1].features(X)
    for labels in (1 - y[:40], np.roll(y[:40], 1)):
        assert torch.equal(clone(model).fit(X[:40], labels).pairs_[0, 1].features(X), want)
    which = np.arange(40) % 3  # of more than two: who is in the pair, and no more
    pairs = clone(model).fit(X[:40], which).pairs_
    alone = clone(model).fit(X[:40][which > 0], y[:40][which > 0]).pairs_[0, 1]
    assert torch.equal(pairs[1, 2].features(X), alone.features(X))


def test_fit_and_predict_change_nothing(table, model):
    X, y = table
    before = pickle.dumps((X, y))
    head = load_head(HEAD)
    weights = {k: v.clone() for k, v in head.state_dict().items()}
    fitted = ReasoningClassifier(head).fit(X[:20], y[:20])
    fitted.predict(X)
    assert pickle.dumps((X, y)) == before and head.read_in.weight.dtype == torch.float32
    assert all(torch.equal(v, weights[k]) for k, v in head.state_dict().items())


def test_a_forecast_has_not_seen_its_label():
    "Output i does not move, bit for bit, with labels i and later; the control: with an earlier one it does"
    head, g = load_head(HEAD), torch.Generator().manual_seed(0)
    xs, ys = torch.randn(1, 12, head.n_dims, generator=g), (torch.rand(1, 12, generator=g) < 0.5).float()
    views = equal_views(2, 12, head.n_dims, np.random.RandomState(1))
    at = views[0].order.tolist()
    other = ys.clone()
    other[:, at[7:]] = 1 - other[:, at[7:]]
    seen, changed = (_said_before(head, xs, o, views) for o in (ys, other))
    signs = (2*ys - 1)[0, at[:8]], (2*other - 1)[0, at[:8]]
    assert torch.equal(seen[0, :8]*signs[0], changed[0, :8]*signs[1])
    other = ys.clone()
    other[:, at[2]] = 1 - other[:, at[2]]
    assert not torch.equal(seen[0, 3:], _said_before(head, xs, other, views)[0, 3:])


# --- laws

def test_units_do_not_matter(table, model):
    X, y = table
    scale, shift = 10.0**np.random.default_rng(0).uniform(-3, 3, 12), np.arange(12.)
    again = clone(model).fit(X[:40]*scale + shift*X[:40].std(0)*scale, y[:40])
    assert_close(again.predict_proba(X*scale + shift*X[:40].std(0)*scale), model.predict_proba(X), rtol=1e-5, atol=1e-7)


def test_mirror(table, model):
    X, y = table
    swapped = clone(model).fit(X[:40], 1 - y[:40])
    assert_close(swapped.predict_proba(X)[:, ::-1], model.predict_proba(X), rtol=1e-9, atol=1e-12)
    one, other = (ReasoningClassifier(n_views=1, temperature=1).fit(X[:40], o) for o in (y[:40], 1 - y[:40]))
    assert np.abs(other.predict_proba(X)[:, ::-1] - one.predict_proba(X)).max() > 1e-4  # the control


def test_views_are_equivalent():
    views = equal_views(6, 9, 5, np.random.RandomState(0))
    for v in views:
        assert_close(v.turn @ v.turn.T, torch.eye(5, dtype=torch.float64))
        assert sorted(v.order.tolist()) == list(range(9))
    assert [v.flip for v in views] == [0, 1]*3 and torch.equal(views[0].turn, torch.eye(5, dtype=torch.float64))
    assert all(torch.equal(a.turn, b.turn) and torch.equal(a.order, b.order) for a, b in zip(views[::2], views[1::2]))
    assert len(equal_views(3, 9, 5, np.random.RandomState(0))) == 3


def test_features():
    r = np.random.default_rng(0)
    X = r.normal(size=(30, 6)) @ r.normal(size=(6, 6))
    X[:, 2] = 5.
    f = _Features(X, 5, 4)
    assert f.components.shape == (4, 6) and np.abs(f.components[:, 2]).max() < 1e-12
    assert_close(f.components @ f.components.T, np.eye(4))
    out = f(X)
    assert (out[:, 4] == 1).all()
    assert_close((out[:, :4]**2).sum(1).mean(), 4.)
    assert (out[:, :4].var(0).diff() < 0).all(), "one scale for all"
    assert not _Features(np.ones((3, 2)), 4)(np.ones((3, 2)))[:, :3].any()
    both = [_Features(X, 5, 4, with_std=o)(X*[1, 1, 1, 1, 1, 100]) for o in (True, False)]
    assert not torch.allclose(*both)


def test_better_than_guessing_where_it_can_be(table, model):
    X, y = table
    assert model.score(X[40:], y[40:]) > 0.7
    rare_X, rare_y = make_classification(400, 6, n_informative=5, n_redundant=1, n_clusters_per_class=1, weights=[0.9], class_sep=2, flip_y=0, random_state=2)
    scores = {o: clone(model).set_params(intercept=o).fit(rare_X[:60], rare_y[:60]).score(rare_X[60:], rare_y[60:]) for o in (True, False)}
    assert scores[True] > 0.9 and scores[True] > scores[False]


def test_couple():
    "Pairs that agree come back as they were; two classes are a sigmoid"
    p = torch.tensor([[0.7, 0.1, 0.15, 0.05], [1e-8, 0.3, 0.2, 0.5 - 1e-8]], dtype=torch.float64)
    z = (p.T[None] / p.T[:, None]).log()  # [i, j]: of j against i
    assert_close(couple(z), p)
    z = torch.tensor([[0., 2.], [-2., 0.]])[..., None]
    assert_close(couple(z), torch.tensor([[-2., 2.]]).sigmoid(), rtol=1e-6)


def test_a_class_in_the_middle():
    "Three in a row: no line tells the middle one from the others, and pairs need none"
    r, y = np.random.default_rng(0), np.arange(240) % 3
    X = r.normal(size=(240, 4)) + 4*(y[:, None] - 1)
    assert ReasoningClassifier(n_views=2).fit(X[:30], y[:30]).score(X[30:], y[30:]) > 0.95


def test_names_and_order_of_classes_do_not_matter(table):
    X, y = table[0], np.arange(200) % 4
    one = ReasoningClassifier(n_views=2).fit(X[:60], y[:60]).predict_proba(X[60:])
    two = ReasoningClassifier(n_views=2).fit(X[:60], 7 - y[:60]).predict_proba(X[60:])
    assert np.abs(two[:, ::-1] - one).mean() < 0.05  # other orders are drawn
    assert_close(one.sum(1), np.ones(140))


def test_three_classes_and_strings():
    X, y = make_blobs(120, 3, cluster_std=2, random_state=0)
    names = np.array(["b", "c", "a"])[y]
    model = ReasoningClassifier(n_views=4).fit(X[:60], names[:60])
    probs = model.predict_proba(X)
    assert list(model.classes_) == ["a", "b", "c"] and probs.shape == (120, 3)
    assert_close(probs.sum(1), np.ones(120))
    far = model.predict_proba(X*1e4)
    assert np.isfinite(far).all()
    assert_close(far.sum(1), np.ones(120))
    assert ((probs > 0) & (probs < 1)).all() and model.score(X[60:], names[60:]) > 0.8


def test_in_scikit_learns_company(table):
    X, y = table
    pipe = make_pipeline(StandardScaler(), ReasoningClassifier(n_views=1))
    assert cross_val_score(pipe, X[:60], y[:60], cv=3, scoring="roc_auc").mean() > 0.6
    search = GridSearchCV(ReasoningClassifier(n_views=1), dict(n_components=np.array([1, 5])), cv=2).fit(X[:40], y[:40])
    assert search.best_params_["n_components"] in (1, 5)
    again = pickle.loads(pickle.dumps(search.best_estimator_))
    assert np.array_equal(again.predict_proba(X), search.best_estimator_.predict_proba(X))


# --- every kind of context

@pytest.mark.parametrize("k, f", [(2, 1), (2, 40), (3, 3), (4, 40), (40, 1)])
def test_small_contexts(k, f):
    r = np.random.default_rng(k)
    X, y = r.normal(size=(k, f)), np.arange(k) % 2
    probs = ReasoningClassifier().fit(X, y).predict_proba(r.normal(size=(5, f)))
    assert np.isfinite(probs).all() and probs.shape == (5, 2)


def test_equal_rows_say_what_the_labels_say():
    model = ReasoningClassifier().fit(np.ones((30, 2)), [0]*24 + [1]*6)
    p = model.predict_proba(np.ones((1, 2)))[0, 1]
    assert p < 0.5


def test_long_contexts(table):
    X, y = table
    long = ReasoningClassifier(n_views=1, max_context=40).fit(X[:150], y[:150])
    parts = long.pairs_[0, 1].parts
    sizes = [len(ys[0]) for _, ys, _ in parts]
    assert sum(sizes) == 150 and max(sizes) <= 40 and max(sizes) - min(sizes) <= 1
    shares = [ys.mean().item() for _, ys, _ in parts]
    assert max(shares) - min(shares) < 0.06  # each part has its share of both classes
    rows = torch.cat([xs[0] for xs, _, _ in parts])
    want = long.pairs_[0, 1].features(X[:150])
    assert_close(rows[rows[:, 0].argsort()], want[want[:, 0].argsort()])  # every example once
    assert long.score(X[150:], y[150:]) > 0.7


def test_heads_of_all_kinds(table, tmp_path):
    X, y = table
    torch.manual_seed(0)
    few = ReasoningModel(4, 20, 16, 1, 2)  # as published: positions, interleaved
    parts = ReasoningClassifier(few, n_views=1).fit(X[:50], y[:50]).pairs_[0, 1].parts
    assert max(len(ys[0]) for _, ys, _ in parts) <= 19  # room for the query
    with pytest.raises(ArgumentError, match="at most 19 examples"):
        ReasoningClassifier(few, max_context=20).fit(X[:20], y[:20]).predict(X)
    ReasoningClassifier(ReasoningModel(4, 20, 16, 1, 2, positions=False, encoding="pair", backbone=LongConv(16, 1)), n_views=1).fit(X[:9], y[:9]).predict(X[:3])
    one = ReasoningModel(1, 20, 16, 1, 2)
    with pytest.raises(ArgumentError, match="less one for the intercept"): ReasoningClassifier(one).fit(X, y)
    assert ReasoningClassifier(one, intercept=False).fit(X[:9], y[:9]).predict_proba(X[:2]).shape == (2, 2)
    model = ReasoningClassifier(few).fit(X[:9], y[:9])
    assert clone(model).get_params()["head"].n_dims == 4 and not few.read_in.weight.grad and few.training


@pytest.mark.parametrize("settings, words", [
    (dict(head="nothing"), "expected one of"), (dict(n_components=0), "`n_components`"),
    (dict(n_components=99), "less one for the intercept"),
    (dict(temperature=-1.), "`temperature`"), (dict(n_views=0), "`n_views`"),
    (dict(max_context=-1), "`max_context`"), (dict(max_context=0), "`max_context`")])
def test_settings_refused(table, settings, words):
    X, y = table
    with pytest.raises(ValueError, match=words) as e: ReasoningClassifier(**settings).fit(X[:20], y[:20])
    assert "\n" not in str(e.value)


def test_data_refused(table, model):
    X, y = table
    gap = X[:20].copy()
    gap[3, 2] = np.nan
    endless = X[:20].copy()
    endless[:2, 5] = np.inf
    for call, words in ((lambda: clone(model).fit(gap, y[:20]), "contains NaN"),
            (lambda: model.predict_proba(endless), "infinity"), (lambda: clone(model).fit(X[:20], np.ones(20)), "one class"),
            (lambda: clone(model).fit(X[:1], y[:1]), "one class"), (lambda: model.predict(X[:, :3]), "3 features"),
            (lambda: clone(model).fit(X[:20], np.linspace(0, 1, 20)), "Unknown label type")):
        with pytest.raises(ValueError, match=words): call()


# --- temperature

def test_temperature():
    g = torch.Generator().manual_seed(0)
    honest = 2*torch.randn(1, 4000, generator=g, dtype=torch.float64)
    signs = (torch.rand(1, 4000, generator=g) < honest.sigmoid())*2 - 1  # log odds of the label that came
    for factor in (0.5, 1, 3): assert abs(_temperature([factor*honest*signs])/factor - 1) < 0.1
    assert 0.9 < _temperature([torch.tensor([[9., -9.]])]) < 3  # two forecasts, one of them very wrong: the prior holds
    one = _temperature([honest*signs])
    assert _temperature([honest*signs]*2) == pytest.approx(one, rel=0.05)
    few = 0.2*(honest*signs)[:, :8]
    assert _temperature([few]*3, 3) == _temperature([few])  # nothing counts twice


# --- oracles

def test_map_is_the_minimum():
    g = torch.Generator().manual_seed(0)
    for k, d, alpha in ((1, 3, 1.), (6, 4, 10.), (40, 2, 0.3), (15, 8, 300.)):
        xs, ys = torch.randn(4, k, d, generator=g), (torch.rand(4, k, generator=g) < 0.5).float()
        w = map_logistic(xs, ys, alpha)
        a = torch.full((1,), alpha, dtype=torch.float64)
        for i in range(4):
            def cost(o): return minus_log_posterior(torch.tensor(o)[None], xs[i:i + 1].double(), ys[i:i + 1].double(), a).item()
            best = minimize(cost, np.zeros(d), method="BFGS", options=dict(gtol=1e-9))
            assert cost(w[i].numpy()) <= best.fun + 1e-8*abs(best.fun)


def test_map_batches_and_alphas():
    g = torch.Generator().manual_seed(1)
    xs, ys = torch.randn(5, 12, 3, generator=g)*3, (torch.rand(5, 12, generator=g) < 0.5).float()
    alphas = torch.tensor([0.1, 1., 3., 10., 100.])
    together = map_logistic(xs, ys, alphas)
    for i in range(5): assert_close(together[i:i + 1], map_logistic(xs[i:i + 1], ys[i:i + 1], float(alphas[i])), rtol=1e-6, atol=1e-7)
    assert_close(map_logistic(xs, 1 - ys, 2.), -map_logistic(xs, ys, 2.), rtol=1e-6, atol=1e-8)
    assert map_logistic(xs[:, :0], ys[:, :0], 1.).abs().max() == 0  # nothing seen: the prior's mode
    for args, words in (((xs[0], ys[0]), "`ys`"), ((xs, ys[:, 1:]), "`ys`"), ((xs, ys + 1), "`ys`")):
        with pytest.raises(ArgumentError, match=words): map_logistic(*args)


def test_map_of_inputs_of_any_size():
    "Where a whole Newton step goes far uphill: the gradient is zero all the same"
    g = torch.Generator().manual_seed(0)
    for k, scale in ((15, 1), (63, 30), (256, 1e6)):
        xs = scale*torch.randn(20, k, 8, generator=g).double()
        ys = (torch.rand(20, k, generator=g) < (xs[..., 0]/scale).sigmoid()).double()
        w = map_logistic(xs, ys, 300.)
        p = torch.einsum("bkd,bd->bk", xs, w).sigmoid()
        gradient = torch.einsum("bkd,bk->bd", xs, p - ys) + w/300**2
        assert gradient.abs().max() < 1e-8


def test_map_against_scikit_learn():
    X, y = make_classification(80, 5, random_state=0)
    theirs = LogisticRegression(C=4, fit_intercept=False, tol=1e-10).fit(X, y).coef_[0]
    assert_close(map_logistic(torch.tensor(X)[None], torch.tensor(y)[None].double(), 2.)[0].numpy(), theirs, rtol=1e-4, atol=1e-5)


# --- calibration

def test_calibration_error():
    g = torch.Generator().manual_seed(0)
    p = torch.rand(5000, generator=g)
    y = torch.rand(5000, generator=g) < p**1.5
    e = calibration_error(p, y)
    assert e == pytest.approx(calibration_error(p.numpy(), y.numpy())) == pytest.approx(calibration_error(p.tolist(), y.tolist()))
    assert e == pytest.approx(calibration_error(p.view(50, 100), y.view(50, 100)))
    order = torch.randperm(5000, generator=g)
    assert e == pytest.approx(calibration_error(p[order], y[order]))
    assert e == pytest.approx(calibration_error(1 - p.double(), ~y), abs=1e-3)  # the other class; a p on the border may change its bin
    assert calibration_error(p, y, bins=1) == pytest.approx(abs(p.double().mean() - y.double().mean()))
    assert calibration_error([0., 1.], [0, 1]) == 0 and calibration_error([0., 1.], [1, 0]) == 1
    means = [np.mean([calibration_error(p[:n], torch.rand(n, generator=g) < p[:n]) for _ in range(20)]) for n in (20, 200, 5000)]
    assert means == sorted(means, reverse=True) and means[0] > 0.1 and means[-1] < 0.03  # honest probabilities: the error falls with their number


@pytest.mark.parametrize("args, words", [(([0.5], [0, 1]), "`targets`"), (([], []), "`targets`"), (([1.5], [1]), "`probs`"), (([0.5], [0.5]), "zeros and ones"),
    (([float("nan")], [1]), "`probs`")])
def test_calibration_refuses(args, words):
    with pytest.raises(ValueError, match=words): calibration_error(*args)


# --- routes

def test_routes_see_what_they_may():
    seen = []
    def embed(items): seen.append(list(items)); return torch.tensor([float(len(items)), 1.])
    assert embed_stream(embed, "abc").tolist() == [[1, 1]]*3 and seen == [["a"], ["b"], ["c"]]
    seen.clear()
    examples, queries = embed_leave_one_out(embed, ["a", "b"], ["x", "y"], labels=[0, 1])
    assert seen == [[("b", 1), "a"], [("a", 0), "b"], [("a", 0), ("b", 1), "x"], [("a", 0), ("b", 1), "y"]]
    assert examples.tolist() == [[2, 1]]*2 and queries.tolist() == [[3, 1]]*2
    seen.clear()
    embed_leave_one_out(embed, ["a", "b"], ["x"])
    assert seen == [["b", "a"], ["a", "b"], ["a", "b", "x"]]


def test_routes_leak_nothing():
    "Embeddings that mix all they are given: a query moves itself alone, a label moves all but its own example"
    def embed(items): return np.array([sum(hash(o) % 1000 for o in items), hash(items[-1]) % 1000])
    shown, asked = list(range(5)), [10, 11]
    a = embed_leave_one_out(embed, shown, asked, labels=[0, 1, 0, 1, 0])
    b = embed_leave_one_out(embed, shown, [10, 99], labels=[0, 1, 0, 1, 0])
    assert np.array_equal(a[0], b[0]) and np.array_equal(a[1][0], b[1][0]) and not np.array_equal(a[1][1], b[1][1])
    c = embed_leave_one_out(embed, shown, asked, labels=[1, 1, 0, 1, 0])
    assert np.array_equal(a[0][0], c[0][0]) and (a[0][1:, 0] != c[0][1:, 0]).all() and (a[1][:, 0] != c[1][:, 0]).all()
    with pytest.raises(ValueError): embed_leave_one_out(embed, shown, asked, labels=[0])
    with pytest.raises(ArgumentError, match="`embed`"): embed_stream(lambda items: 3., shown)


# --- the jobs

def test_evaluate(tmp_path):
    rows = evaluate_reasoning(HEAD, tmp_path/"panel", problems=12, queries=8)
    assert {o.name for o in (tmp_path/"panel").iterdir()} == {"config.yaml", "versions.json", "panel.csv", "panel.png"}
    assert rows.attrs["folder"] == str(tmp_path/"panel")
    stored = pd.read_csv(tmp_path/"panel"/"panel.csv")
    assert len(stored) == len(rows) and (stored.accuracy.between(0, 1)).all() and np.isfinite(stored.loss).all()
    wide = stored.pivot(index="examples", columns="model", values="loss")
    assert (wide["true weights"] < wide.drop(columns="true weights").min(axis=1)).all() and (wide["head, 8 views"] < np.log(2)).all()
    again = evaluate_reasoning(HEAD, tmp_path/"again", problems=12, queries=8)
    pd.testing.assert_frame_equal(rows, again)
    with pytest.raises(ArgumentError, match="new or empty"): evaluate_reasoning(HEAD, tmp_path/"panel", problems=12)
    with pytest.raises(ArgumentError, match="`problems`"): evaluate_reasoning(HEAD, tmp_path/"x", problems=1)


def test_evaluate_a_run_of_ones_own(tmp_path):
    "Positions, variable noise and few steps: the panel goes into the run, and the MAP weighs every alpha"
    config = ReasoningConfig(n_dims=3, n_positions=12, n_embd=16, n_layer=1, n_head=2, encoding="interleave", positions=True, weight_multiplier=4, variable_noise=True,
        dims=Curriculum(3, 3), points=Curriculum(12, 12), steps=4, warmup=1, batch_size=4, log_every=4, valid_size=0, device="cpu")
    run = reasoning.run(config, tmp_path/"run", progress=False)[0]
    rows = evaluate_reasoning(run.path, problems=40, queries=32)
    assert (run/"panel.csv").is_file() and (run/"panel.png").is_file() and rows.examples.max() == 11
    wide = rows.pivot(index="examples", columns="model", values="loss")
    assert wide.loc[11, "true weights"] < wide.loc[11, "MAP"] < np.log(2)
    y = predict_reasoning(run.path, pd.DataFrame(dict(a=[1, 2, 3, 4], y=[0, 0, 1, 1])), pd.DataFrame(dict(a=[0, 5])), "y")
    assert list(y.columns) == ["prediction", "probability", "p(0)", "p(1)"]


@pytest.fixture
def frame():
    r = np.random.default_rng(0)
    X = r.normal(size=(60, 3))
    kind = np.where(X[:, 0] + 0.1*r.normal(size=60) > 0, "good", "bad")
    return pd.DataFrame(X, columns=["a", "b", "c"]).assign(colour=np.where(X[:, 1] > 0, "red", "blue"), on=X[:, 2] > 0, kind=kind)


def test_predict_files(frame, tmp_path):
    frame[:30].to_csv(tmp_path/"train.csv", index=False)
    frame[30:].drop(columns="kind").to_csv(tmp_path/"test.csv", index=False)
    out = predict_reasoning(HEAD, tmp_path/"train.csv", tmp_path/"test.csv", "kind", tmp_path/"out.csv")
    stored = pd.read_csv(tmp_path/"out.csv")
    assert list(stored.columns) == ["prediction", "probability", "p(bad)", "p(good)"] and len(stored) == 30 and "accuracy" not in out.attrs
    assert (stored.prediction == frame.kind[30:].to_numpy()).mean() > 0.75
    assert_close(stored.probability.to_numpy(), stored[["p(bad)", "p(good)"]].max(axis=1).to_numpy())


def predict(train, test, label="y", **kw): return predict_reasoning(HEAD, train, test, label, **kw)


def test_predict_tables(frame):
    train, test = frame[:30], frame[30:]
    plain = predict(train, test.drop(columns="kind"), "kind")
    shuffled = predict(train, test[["on", "kind", "c", "colour", "b", "a"]], "kind")
    assert_close(shuffled["p(good)"].to_numpy(), plain["p(good)"].to_numpy())  # by name
    right = plain.prediction.to_numpy() == test.kind.to_numpy()
    assert shuffled.attrs["accuracy"] == right.mean() and shuffled.attrs["notes"] == []
    some = predict(train, test.assign(kind=[None]*20 + list(test.kind[20:])), "kind")
    assert some.attrs["accuracy"] == right[20:].mean()  # only where a label is given
    def as_(kind, o): return o.assign(kind=(o.kind == "good").astype(kind))
    numbers = predict(as_(float, train), as_(int, test), "kind")
    assert_close(numbers["p(1.0)"].to_numpy(), plain["p(good)"].to_numpy())
    assert numbers.attrs["accuracy"] == right.mean() and set(numbers.prediction) == {0., 1.}
    three = predict(train.assign(kind=[*"xyz"]*10), test, "kind")
    assert list(three.columns) == ["prediction", "probability", "p(x)", "p(y)", "p(z)"]


@pytest.fixture
def plain():
    r = np.random.default_rng(1)
    a, b = r.normal(50, 20, 40).round(1), r.integers(1000, 90_000, 40)
    y = np.where(a + r.normal(size=40) > 50, "yes", "no")
    return pd.DataFrame(dict(a=a, b=b, y=y))


SPELLINGS = {  # of the same table, as other people write it
    "thousands": dict(b=lambda o: [f"{v:,}" for v in o]),
    "apostrophes and spaces": dict(b=lambda o: [f"{v:,}".replace(",", "' "[i % 2]) for i, v in enumerate(o)]),
    "currency": dict(b=lambda o: [f"${v:,}" for v in o]),
    "unit": dict(a=lambda o: [f"{v} kg" for v in o]),
    "per cent": dict(a=lambda o: [f"{v}%" for v in o]),
    "minus sign": dict(a=lambda o: [str(v).replace("-", "\u2212") for v in o]),
    "spaces around": dict(a=lambda o: [f"  {v} " for v in o])}


@pytest.mark.parametrize("name", SPELLINGS)
def test_a_table_is_read_as_a_person_reads_it(plain, name):
    other = plain.assign(**{c: f(plain[c]) for c, f in SPELLINGS[name].items()})
    want, got = (predict(o[:25], o[25:]) for o in (plain, other))
    assert_close(got["p(yes)"].to_numpy(), want["p(yes)"].to_numpy())
    assert got.attrs["notes"] == []


def test_files_of_others(plain, tmp_path):
    "A byte-order mark, spaces after commas, quotes, Windows line ends, a blank line: the same answers"
    want = predict(plain[:25], plain[25:])["p(yes)"].to_numpy()
    text = plain[:25].to_csv(index=False)
    plain[25:].to_csv(tmp_path/"test.csv", index=False)
    other = text.replace(",", ", ").replace("yes", '"yes"').replace("\n", "\r\n")
    (tmp_path/"train.csv").write_bytes(b"\xef\xbb\xbf" + (other + "\r\n").encode())
    got = predict(tmp_path/"train.csv", tmp_path/"test.csv")["p(yes)"].to_numpy()
    assert_close(got, want)
    y_first = plain[["y", "a", "b"]][:25].to_csv(index=False)  # the mark stands before the label
    (tmp_path/"train.csv").write_bytes(b"\xef\xbb\xbf" + y_first.encode())
    assert_close(predict(tmp_path/"train.csv", tmp_path/"test.csv")["p(yes)"].to_numpy(), want)


@pytest.mark.parametrize("name, cells, why", [
    ("Unnamed: 0", range(7, 47), "without a name"), ("", range(40), "without a name"),
    ("patient_id", [*range(40, 60), *range(20)], "an identifier"),
    ("PassengerId", range(100, 140), "an identifier"), ("n", range(1, 41), "row numbers"),
    ("name", [f"Ms. {i}" for i in range(40)], "different in every row")])
def test_identifiers_are_left_out_and_it_is_said(plain, name, cells, why):
    want, other = predict(plain[:25], plain[25:]), plain.assign(**{name: cells})
    got = predict(other[:25], other[25:])
    assert_close(got["p(yes)"].to_numpy(), want["p(yes)"].to_numpy())
    assert len(got.attrs["notes"]) == 1 and why in got.attrs["notes"][0]
    assert (name or "(first)") in got.attrs["notes"][0]
    predict(other[:25], plain[25:])  # the other table need not have it
    kept = predict(other[:25], other[25:], id="none")
    assert kept.attrs["notes"] == [] or "never in train" in kept.attrs["notes"][0]
    if why != "different in every row":
        assert np.abs(kept["p(yes)"] - want["p(yes)"]).max() > 1e-6
    if name:
        named = predict(other[:25], other[25:], id=name)
        assert list(named.columns)[:2] == [name, "prediction"]
        assert list(named[name]) == [str(o) for o in [*cells][25:]]


def test_measurements_are_no_identifiers(plain):
    "All different, paid, or few: features as before"
    other = plain.assign(paid=np.arange(40)[::-1]*3, income=plain.b + 1)
    assert predict(other[:25], other[25:]).attrs["notes"] == []
    few = pd.DataFrame(dict(a=[1, 2, 3, 4], y=[0, 0, 1, 1]))
    assert predict(few, pd.DataFrame(dict(a=[0, 5])))["prediction"].tolist() == [0, 1]


def test_gaps_are_filled_or_named(plain, tmp_path):
    train, test = plain[:25].astype(object), plain[25:].astype(object)
    train["colour"], test["colour"] = ["red", "blue", "red", "NA", "red"]*5, ["NA"]*15
    whole = predict(train, test)
    assert whole.attrs["notes"] == []  # in text NA is a word
    for gap in ("", None, "?", "NA", "n/a", "nan"):
        holes = test.copy()
        holes.iloc[3, 0] = gap
        holes.to_csv(tmp_path/"test.csv", index=False)
        for o, place in ((holes, "row 3"), (tmp_path/"test.csv", "test.csv line 5")):
            with pytest.raises(ArgumentError, match=rf"`test`: expected a value in every cell, or fill, got '{place}, column a"):
                predict(train, o)
        filled = predict(train, holes, fill=True)
        median = test.assign(a=[np.median(list(train.a)) if i == 3 else v for i, v in enumerate(test.a)])
        assert_close(filled["p(yes)"].to_numpy(), predict(train, median)["p(yes)"].to_numpy())
    word = test.assign(colour=["", *test.colour[1:]])
    with pytest.raises(ArgumentError, match="row 0, column colour"): predict(train, word)
    red = test.assign(colour=["red", *test.colour[1:]])
    assert_close(predict(train, word, fill=True)["p(yes)"].to_numpy(), predict(train, red)["p(yes)"].to_numpy())
    with pytest.raises(ArgumentError, match="column y"):
        predict(train.assign(y=[None, *train.y[1:]]), test, fill=True)  # no label is made up


def test_an_unseen_category_is_said(plain):
    train, test = plain[:25].assign(c=["u", "v"]*12 + ["u"]), plain[25:].assign(c=["w"]*2 + ["u"]*13)
    got = predict(train, test)
    assert got.attrs["notes"] == ["column c: 'w' in 2 rows of test, never in train: read as none of its values"]


CHANGES = [  # what is changed in a good pair of files, and what the one line says
    ("train", ("yes\n", "yes,5\n"), ["`train`", "4 cells in train.csv line", "3, as in the header"]),
    ("test", (",y\n", "\n"), ["`test`", "3 cells in test.csv line 2"]),
    ("train", ("yes\n", "\n"), ["a value in every cell", "train.csv line", "column y"]),
    ("train", ("a,b,y", "a,a,y"), ["`train`", "a name of its own"]),
    ("train", (",", ";"), ["`label`", "a;b;y"]),
    ("test", (".", ","), ["cells in test.csv line 2"])]


@pytest.mark.parametrize("which, change, words", CHANGES)
def test_files_are_refused_with_their_line(plain, tmp_path, which, change, words):
    files = dict(train=plain[:25].to_csv(index=False), test=plain[25:].to_csv(index=False))
    once = change[0] in ("yes\n",)
    files[which] = files[which].replace(*change, *([1] if once else []))
    for name, text in files.items(): (tmp_path/f"{name}.csv").write_text(text)
    with pytest.raises(ArgumentError) as e: predict(tmp_path/"train.csv", tmp_path/"test.csv")
    assert all(o in str(e.value) for o in words) and "\n" not in str(e.value), str(e.value)


@pytest.mark.parametrize("cell, words", [("?*", "a number"), ("22*", "a number"), ("12 kg", "a number"),
    ("$5", "a number"), ("1.2.3", "a number"), ("12,5", "a number"), ("inf", "a finite number"),
    ("-Infinity", "a finite number"), ("1e999", "a finite number"), ("about 20", "a number")])
@pytest.mark.parametrize("which", ["train", "test"])
def test_a_stray_mark_among_numbers_is_named(plain, tmp_path, cell, words, which):
    tables = dict(train=plain[:25].astype(object), test=plain[25:].astype(object))
    tables[which].iloc[4, 0] = cell
    for name, o in tables.items(): o.to_csv(tmp_path/f"{name}.csv", index=False)
    with pytest.raises(ArgumentError) as e:
        predict(tmp_path/"train.csv", tmp_path/"test.csv", fill=True)
    assert f"`{which}`: expected {words}" in str(e.value)
    assert f"{which}.csv line 6, column a: {cell}" in str(e.value)


def test_codes_are_words_and_decimal_commas_are_named(plain):
    zips = plain.assign(zip=["02134", "10001"]*20)
    got = predict(zips[:25], zips[25:])
    text = plain.assign(zip=["x", "z"]*20)
    assert_close(got["p(yes)"].to_numpy(), predict(text[:25], text[25:])["p(yes)"].to_numpy())
    ordinals = plain.assign(floor=["1st", "2nd", "1st", "3rd"]*10)
    assert predict(ordinals[:24], ordinals[24:]).attrs["notes"] == []
    comma = plain.assign(a=[f"{v:.1f}".replace(".", ",") for v in plain.a])
    with pytest.raises(ArgumentError, match="decimal point.*row 0, column a"): predict(comma[:25], comma[25:])


def test_predict_refuses_in_one_line(frame, tmp_path):
    train, test = frame[:30], frame[30:]
    (tmp_path/"empty.csv").write_text("")
    (tmp_path/"latin.csv").write_bytes("a,kind\n\xe9,x\n".encode("latin-1"))
    (tmp_path/"file").write_text("x")
    class Frame: pass
    for change, words in (
            (dict(label="sort"), "`label`: expected one of the columns of train, a, b, c, colour, on, kind, got 'sort'"),
            (dict(id="nobody"), "`id`: expected one of the columns"), (dict(test=test.drop(columns=["a", "b"])), "without a, b"),
            (dict(test=test.assign(d=1)), "with d"), (dict(train=train.assign(b=[np.nan, *range(29)])), "row 0, column b"),
            (dict(test=test.assign(c=[*range(28), None, 3])), "row 28, column c"), (dict(train=train.assign(kind=[None, *train.kind[1:]])), "column kind"),
            (dict(train=train.assign(kind="good")), "1 values in 30 rows, as good"), (dict(label="a"), "30 values in 30 rows"), (dict(test=test.assign(a="x")), "row 0, column a: x"),
            (dict(train=train[["kind"]], test=test[["kind"]]), "only the label"), (dict(test=test[:0]), "no rows"), (dict(train=tmp_path/"none.csv"), "a CSV file that exists"),
            (dict(train=tmp_path/"empty.csv"), "empty.csv"), (dict(train=tmp_path/"latin.csv"), "latin.csv"), (dict(train=train.assign(a=[np.inf]*30)), "row 0, column a: inf"),
            (dict(head="nobody"), "expected one of"), (dict(train=Frame()), "a pandas DataFrame"), (dict(test=[[1, 2]]), "a pandas DataFrame")):
        with pytest.raises(ArgumentError) as e: predict_reasoning(**{**dict(head=HEAD, train=train, test=test, label="kind"), **change})
        assert words in str(e.value) and "\n" not in str(e.value) and ".tmp" not in str(e.value), str(e.value)
    for out in (tmp_path/"file"/"x.csv", tmp_path):
        with pytest.raises(OSError) as e: predict_reasoning(HEAD, train, test, "kind", out)
        assert str(tmp_path) in str(e.value) and ".tmp" not in str(e.value)
    predict_reasoning(HEAD, train, test, "kind", tmp_path/"new"/"x.csv")
    assert (tmp_path/"new"/"x.csv").is_file()


class Frame:
    "A table as polars has it"
    def __init__(self, **columns): self.columns = columns
    def to_dicts(self): return [dict(zip(self.columns, row)) for row in zip(*self.columns.values())]


def test_a_polars_frame():
    columns = dict(a=[1., None, 3., 4.], b=[True, False, True, False], y=["u", "v", "u", "v"])
    frames = [Frame, lambda **o: pd.DataFrame(o)]
    try: import polars
    except ImportError: pass
    else: frames.append(lambda **o: polars.DataFrame(o))
    said = [predict(*[f(**columns)]*2, fill=True) for f in frames]
    for o in said[1:]: pd.testing.assert_frame_equal(said[0], o)
    with pytest.raises(ArgumentError, match="`train`: expected .* a pandas DataFrame, got {'a'"): predict(columns, columns)
