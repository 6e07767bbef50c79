#!/usr/bin/env python3
"""Lesson 27: what the packaged head is worth, on problems like those it was trained on and on real data.

    bench/compose.py synthetic [--head NAME] [--problems 256]
    bench/compose.py tables [--head NAME] [--tables 24]
    bench/compose.py classes [--head NAME] [--tables 24] [--splits 12]
    bench/compose.py text [--head NAME] [--splits 5]
    bench/compose.py speed [--head NAME] [--repeats 20]
    bench/compose.py real [--head NAME] [--splits 12] [--dry]

One thread, on the CPU. `synthetic` evaluates on problems from the head's own prior that no training sees (seed below): by the
number of examples, up to four times the training length, read whole and in parts, by the number of views; and calibration.
`tables` says what each
part of ReasoningClassifier is worth on made-up tables (scikit-learn's make_classification), with classes of one size and with one row
in ten of the rarer class; the parts were chosen on such tables with seeds below 1000, and these have others. `classes` is about more
than two classes: pairs (ReasoningClassifier as it comes) beside one-versus-rest around the same head and multinomial logistic
regression. Pairs were chosen on 24 made-up tables of 3 to 6 classes with seeds 0 to 23; reported are others (seeds 2000 and up), and
iris, wine and the 8 x 8 digits of scikit-learn. `text` tells the parts of this book apart by single sentences, compose_sentences.csv
(`sentences` makes that file again, from the lessons as they are now): TF-IDF and components from the context alone.
`speed` classifies 100 queries with 64 examples, once in one pass and once as a loop that reads the context anew for each query, in
turn. `real` is the report on real data: each data set x number of examples x split, ReasoningClassifier as it comes beside
scikit-learn's logistic regression as it comes, on the same features (standardised, principal components and one scale, all from
the examples alone). Real data are read by this command and by nothing before it; no setting depends on what it says. With --dry it
reads made-up tables instead, to see that it runs.

The digits are those of the package's training and validation parts; the thousand test digits are not read. Their embeddings are
pooled features of the network of lesson 19 trained on the training digits of the eight other classes: it has not seen the two
that are to be told apart.
"""
import argparse, json, os, re, time, warnings
from functools import partial
from itertools import combinations
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
import numpy as np
import pandas as pd
import torch
from sklearn.datasets import load_breast_cancer, load_iris, load_wine, make_classification
from sklearn.datasets import load_digits as load_small_digits
from sklearn.decomposition import PCA
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from minitrain.augment import RandAffine, digits_model
from minitrain.callbacks import BatchTransformCB
from minitrain.compose import ReasoningClassifier, equal_views, query_views
from minitrain.experiments.reasoning import default_log_odds, judge_log_odds, map_log_odds
from minitrain.core import load_digits, load_results, set_seed
from minitrain.data import DataLoader, DataLoaders, Dataset
from minitrain.learner import Learner, TrainCB
from minitrain.likelihood import cross_entropy
from minitrain.loop import accuracy, evaluate
from minitrain.optim import AdamW
from minitrain.reasoning import load_head
from minitrain.schedule import BatchSchedCB, one_cycle
from minitrain.tasks import GaussianSampler, LogisticRegressionTask
from minitrain.runs import mean_interval, save_results

RESULTS = Path(__file__).parents[1]/"minitrain"/"assets"/"results"
SENTENCES = RESULTS/"compose_sentences.csv"
HEAD = ReasoningClassifier().head
SYNTHETIC_SEED = 2_001_000  # of the problems; no training, no validation and no test has it
SIZES = [4, 8, 16, 32, 64]
PAIRS = [(3, 8), (4, 9), (1, 7), (5, 6)]


# --- problems from the head's own prior

def synthetic(name, problems):
    head, queries = load_head(name), 32
    c = head.config
    sizes = [4, 8, 16, 32, 64, 128, 256]
    task = LogisticRegressionTask(c.n_dims, problems, c.weight_multiplier, c.variable_noise, seed=SYNTHETIC_SEED)
    X, _ = GaussianSampler(c.n_dims).sample_xs(sizes[-1] + queries, problems, c.dims.end, seed=SYNTHETIC_SEED)
    Y, q = task.evaluate(X)[0], X[:, -queries:]
    rows, truth, limit = [], Y[:, -queries:], c.points.end
    def add(model, k, z, views=0): rows.append(dict(model=model, examples=k, views=views, **judge_log_odds(torch.as_tensor(z), truth)))
    def views(n, k): return equal_views(n, k, c.n_dims, np.random.RandomState(0))
    def parts(x, y, n):
        cut = -(-x.shape[1]//limit)
        return sum(query_views(head, x[:, i::cut], y[:, i::cut], q, views(n, len(range(i, x.shape[1], cut)))) for i in range(cut))/cut
    for k in sizes:
        x, y = X[:, :k], Y[:, :k]
        add("true weights", k, task.logits(q))
        add("MAP", k, map_log_odds(x, y, q, c))
        add("logistic regression", k, default_log_odds(x, y, q))
        for n in (1, 2, 4, 8) if k <= limit else (1,): add("head", k, query_views(head, x, y, q, views(n, k)), n)
        if k > limit: add("head, in parts", k, parts(x, y, 1), 1)
        print(pd.DataFrame(rows).query("examples == @k").round(4).to_string(index=False), flush=True)
    return pd.DataFrame(rows), dict(problems=problems, queries_per_problem=queries, seed=SYNTHETIC_SEED, trained_length=limit)


# --- made-up tables

PARTS = {"head": {}, "head, no intercept": dict(intercept=False), "head, one view": dict(n_views=1), "head, no temperature": dict(temperature=1.)}


AS_TRAINED = {"head": {}, "head as it was trained": dict(intercept=False, n_views=1, temperature=1.)}


def made_up(seed, rare):
    "A table of 900 rows with 2 to 30 columns, some of them noise, and labels some of which may be wrong"
    r = np.random.default_rng(seed)
    f = int(r.choice([2, 4, 8, 16, 30]))
    informative = max(2, min(f, int(r.integers(1, 9))))
    return make_classification(900, f, n_informative=informative, n_redundant=min(f - informative, int(r.integers(0, 5))), n_clusters_per_class=1,
        class_sep=float(r.choice([0.7, 1, 1.5, 2])), flip_y=float(r.choice([0, 0.02, 0.1])), weights=[0.9] if rare else None, random_state=seed)


def made_up_tables(name, n):
    rows = []
    for rare in (False, True):
        for seed in range(1000, 1000 + n):
            X, y = made_up(seed, rare)
            for k in SIZES if not rare else SIZES[2:]:  # a class needs an example
                rows += [dict(rows="1 in 10" if rare else "1 in 2", table=seed, **o) for o in one_split(PARTS, name, X, y, k, 0)]
        print(pd.DataFrame(rows).pivot_table(index=["rows", "method"], columns="k", values=["accuracy", "loss"], sort=False).round(3).to_string(), flush=True)
    df, out = pd.DataFrame(rows), []
    for (kind, k), o in df.groupby(["rows", "k"], sort=False):
        loss = o.pivot(index="table", columns="method", values="loss")
        for method, p in o.groupby("method", sort=False):
            gap, low, high = mean_interval((loss[method] - loss["head"]).tolist())
            out.append(dict(rows=kind, method=method, k=k, accuracy=p.accuracy.mean(), loss=p.loss.mean(), gap=gap, low=low, high=high))
    return pd.DataFrame(out), dict(tables=n, seeds=[1000, 1000 + n - 1], interval="loss minus that of head: t over tables, 95 %")


# --- one pass for all queries

def speed(name, repeats):
    head, k, q = load_head(name), 64, 100
    g = torch.Generator().manual_seed(0)
    xs, queries = (torch.randn(1, n, head.n_dims, generator=g) for n in (k, q))
    ys = (xs[..., 0] > 0).float()

    @torch.inference_mode()
    def loop():
        "As published code does it: for each query the whole sequence anew, at batch size 1"
        out = []
        for i in range(q):
            x = torch.cat([xs, queries[:, i:i + 1]], 1)
            out.append(head(x, torch.cat([ys, torch.zeros(1, 1)], 1))[:, -1])
        return torch.stack(out, 1)

    @torch.inference_mode()
    def packed(): return head.query(xs, ys, queries)

    @torch.inference_mode()
    def packed_double(): return double.query(xs.double(), ys.double(), queries.double())

    double = load_head(name).double()
    ways = {"loop": (loop, q, q*(2*k + 2)), "packed": (packed, 1, 2*k + q), "packed, float64": (packed_double, 1, 2*k + q)}
    rows, rng = [], np.random.default_rng(0)
    for repeat in range(-2, repeats):
        for way in rng.permutation(list(ways)):
            run, passes, tokens = ways[way]
            n = 1 if way == "loop" else 20
            start = time.process_time()
            for _ in range(n): out = run()
            ms = (time.process_time() - start)*1000/n
            if repeat >= 0: rows.append(dict(repeat=repeat, way=way, cpu_ms=round(ms, 3), passes=passes, tokens=tokens))
    difference = (loop() - packed()).abs().max().item()
    df = pd.DataFrame(rows)
    wide = df.pivot(index="repeat", columns="way", values="cpu_ms")
    ratio = (wide["loop"]/wide["packed"]).to_numpy()
    low, high = np.percentile(np.median(rng.choice(ratio, (2000, len(ratio))), axis=1), [2.5, 97.5])
    print(wide.median(), f"{np.median(ratio):.1f} times faster, 95 % interval {low:.1f} to {high:.1f}; largest difference {difference:.1e}")
    assert difference < 1e-5, difference
    return df, dict(examples=k, queries=q, seed=0, largest_difference=difference, ratio=round(float(np.median(ratio)), 1), interval=[round(low, 1), round(high, 1)])


# --- real data

def pooled(pair, seed=0):
    "Features of digits from a network trained on the other eight classes: a function of images (n, 28, 28), and its accuracy on validation digits of these eight"
    d, rest = load_digits(), [o for o in range(10) if o not in pair]
    def part(x, y):
        keep = torch.isin(y, torch.tensor(rest))
        return Dataset(x[keep], torch.searchsorted(torch.tensor(rest), y[keep]))
    set_seed(seed)
    model = digits_model(32)
    model[-1] = torch.nn.Linear(model[-1].in_features, len(rest))
    dls = DataLoaders(DataLoader(part(d.x_train, d.y_train), 100, shuffle=True, seed=seed, drop_last=True), DataLoader(part(d.x_valid, d.y_valid), 250))
    epochs = 6
    cbs = [TrainCB(), BatchTransformCB(RandAffine(10, 0.1, 10, 1.5), on_val=False),
           BatchSchedCB(partial(one_cycle, max_lr=0.008, total_steps=epochs*len(dls.train), div_factor=10, final_div_factor=100))]
    learn = Learner(model, dls, partial(cross_entropy, label_smoothing=0.1), 0.008, cbs, partial(AdamW, betas=(0.9, 0.99), weight_decay=0.02))
    learn.fit(epochs, valid=False)
    body = model[:-2].eval()  # up to the last maps (b, c, hgt, wid)
    @torch.inference_mode()
    def features(x): return torch.cat([body(o).mean((2, 3)) for o in x.split(250)]).numpy()
    return features, evaluate(model, dls.valid, cross_entropy, metrics=(accuracy,))["accuracy"]


def tables(dry):
    "(name, X, y) of each data set"
    if dry:
        for i in range(2): yield f"made up {i}", *make_classification(400, 10, n_informative=6, flip_y=0.05, random_state=i)
        return
    X, y = load_breast_cancer(return_X_y=True)
    yield "breast cancer", X, y
    X, y = load_wine(return_X_y=True)
    for a, b in ((0, 1), (0, 2), (1, 2)): yield f"wine {a} v {b}", X[np.isin(y, (a, b))], y[np.isin(y, (a, b))]
    d = load_digits()
    x, y = torch.cat([d.x_train, d.x_valid]), torch.cat([d.y_train, d.y_valid])
    for pair in PAIRS:
        keep = torch.isin(y, torch.tensor(pair))
        yield f"digits {pair[0]} v {pair[1]}, pixels", x[keep].flatten(1).numpy(), y[keep].numpy()
        features, right = pooled(pair)
        print(f"network without {pair}: accuracy {right:.3f} on validation digits of the other eight", flush=True)
        yield f"digits {pair[0]} v {pair[1]}, network", features(x[keep]), y[keep].numpy()


def whitened(head, k): return make_pipeline(StandardScaler(), PCA(min(load_head(head).n_dims - 1, k - 1), whiten=True), ReasoningClassifier(head))


def one_split(parts, head, X, y, k, split, most=200, others=False):
    "Rows of one data set, number of examples and split: every classifier is fitted on the examples alone"
    train, rest = train_test_split(np.arange(len(y)), train_size=k, stratify=y, random_state=1000*k + split)
    test, rows = rest[:most], []
    truth = y[test] == y.max()
    def judge(name, p): rows.append(dict(method=name, k=k, split=split, queries=len(test), accuracy=((p[:, 1] > 0.5) == truth).mean(), loss=log_loss(truth, p[:, 1], labels=[False, True])))
    models = {name: ReasoningClassifier(head, **settings) for name, settings in parts.items()}
    if others: models |= {"head, whitened": whitened(head, k), "logistic regression, all features": make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))}
    for name, model in models.items():
        model.fit(X[train], y[train])
        judge(name, model.predict_proba(X[test]))
        if name != "head": continue
        features = model.pairs_[0, 1].features
        seen, asked = (features(np.asarray(X[i], dtype=float)).numpy()[:, :-1] for i in (train, test))  # without the constant
        judge("logistic regression", LogisticRegression().fit(seen, y[train]).predict_proba(asked))
    return rows


def real(head, splits, dry):
    rows, sizes = [], {}
    for name, X, y in tables(dry):
        sizes[name] = [len(y), X.shape[1]]
        for k in SIZES:
            for split in range(splits): rows += [dict(data=name, **o) for o in one_split(AS_TRAINED, head, X, y, k, split, others=True)]
            now = pd.DataFrame(rows).query("data == @name and k == @k").groupby("method", sort=False)[["accuracy", "loss"]].mean()
            print(name, k, now.round(3).to_dict("index"), flush=True)
    df = pd.DataFrame(rows)
    return df, differences(df), dict(sizes=sizes, splits=splits, split_seeds="1000*k + split", networks="digits_model(32), 6 epochs, seed 0, eight classes")


def differences(df, by=("data", "k"), rival="logistic regression"):
    "Head minus logistic regression on the same features, mean over splits with a t interval over splits"
    rows = []
    for keys, o in df.groupby(list(by), sort=False):
        row = dict(zip(by, keys))
        for what in ("accuracy", "loss"):
            wide = o.pivot(index="split", columns="method", values=what)
            gap, low, high = mean_interval((wide["head"] - wide[rival]).tolist())
            row |= {what: wide["head"].mean(), f"{what}_logistic": wide[rival].mean(), f"{what}_gap": gap, f"{what}_low": low, f"{what}_high": high}
        rows.append(row)
    return pd.DataFrame(rows)


# --- more than two classes

def made_up_classes(seed):
    "A table of 900 rows, 3 to 6 classes, 4 to 30 columns"
    r = np.random.default_rng(seed)
    n, f = int(r.integers(3, 7)), int(r.choice([4, 8, 16, 30]))
    informative = max(min(f, int(r.integers(3, 9))), int(np.ceil(np.log2(n))))
    return make_classification(900, f, n_informative=informative, n_redundant=min(f - informative, int(r.integers(0, 5))), n_classes=n,
        n_clusters_per_class=1, class_sep=float(r.choice([0.7, 1, 1.5, 2])), flip_y=float(r.choice([0, 0.02, 0.1])), random_state=seed)


def classes(head, tables, splits):
    rows = []
    def one(data, split, X, y, k):
        train, rest = train_test_split(np.arange(len(y)), train_size=k, stratify=y, random_state=10**6 + 1000*k + split)
        test, n = rest[:200], len(np.unique(y))
        if len(np.unique(y[train])) < n: return
        models = {"pairs": ReasoningClassifier(head), "one-versus-rest": OneVsRestClassifier(ReasoningClassifier(head)),
            "logistic regression": make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))}
        for name, model in models.items():
            p = model.fit(X[train], y[train]).predict_proba(X[test])
            rows.append(dict(data=data, method=name, k=k, split=split, classes=n, accuracy=(p.argmax(1) == y[test]).mean(), loss=log_loss(y[test], p, labels=range(n))))
    for k in (20, 60):
        for seed in range(2000, 2000 + tables): one("made up", seed, *made_up_classes(seed), k)
    for name, load in dict(iris=load_iris, wine=load_wine, digits=load_small_digits).items():
        for k in (20, 60):
            for split in range(splits if name != "digits" else 4): one(name, split, *load(return_X_y=True), k)
    df = pd.DataFrame(rows)
    df.data = df.data.replace("digits", "digits, 8 x 8")
    print(df.groupby(["data", "k", "method"], sort=False)[["accuracy", "loss"]].agg(["mean", "std"]).round(3).to_string())
    return df, dict(tables=tables, seeds=[2000, 2000 + tables - 1], splits=splits, digits_splits=4, split_seeds="10**6 + 1000*k + split", chosen_on="made-up tables with seeds 0 to 23")


# --- sentences of the book

BOOK = {"losses": range(1, 4), "by hand": range(4, 9), "the Learner": range(9, 24), "reasoning": range(24, 28), "gaze": range(28, 34)}


def sentences(folder, most=120):
    "Sentences of 8 to 40 words from the lessons' texts, without formulas, headings and lists of contents; as many of each part"
    rows = []
    for path in sorted(Path(folder).glob("[0-3]*.ipynb")):
        part = next((name for name, o in BOOK.items() if int(path.name[:2]) in o), None)
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"] if part else []
        for c in cells:
            if c["cell_type"] != "markdown" or c["id"] in ("title", "objectives", "recap"): continue
            text = re.sub(r"\$\$.*?\$\$|```.*?```", " ", "".join(c["source"]), flags=re.S)
            for paragraph in re.split(r"\n\s*\n|\n(?=[-|#>\d])", text):
                if paragraph.lstrip()[:1] in tuple("#|>"): continue
                plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", " ".join(paragraph.split()))
                plain = re.sub(r"^[-*]\s|^\d+\.\s|[*`]", "", plain)
                rows += [dict(part=part, sentence=o) for o in re.split(r"(?<=[.?!])\s+(?=[A-Z])", plain)
                    if "$" not in o and 8 <= len(o.split()) <= 40 and o[-1] in ".?!"]
    df = pd.DataFrame(rows).drop_duplicates("sentence").groupby("part", sort=False)
    return pd.concat(o.sample(most, random_state=0) for _, o in df)


def text(head, splits):
    book, rows = load_results("compose_sentences"), []
    for a, b in combinations(BOOK, 2):
        two = book[book.part.isin([a, b])]
        words, y = two.sentence.to_numpy(), (two.part == b).to_numpy().astype(int)
        for k in SIZES:
            for split in range(splits):
                train, test = train_test_split(np.arange(len(y)), train_size=k, stratify=y, random_state=1000*k + split)
                tfidf = TfidfVectorizer(sublinear_tf=True, token_pattern="[A-Za-z]{2,}").fit(words[train])
                seen, asked = (tfidf.transform(words[o]).toarray() for o in (train, test))
                model = ReasoningClassifier(head, with_std=False).fit(seen, y[train])
                features = model.pairs_[0, 1].features
                same = LogisticRegression().fit(features(seen)[:, :-1].numpy(), y[train])
                every = LogisticRegression().fit(seen, y[train])
                for name, p in {"head": model.predict_proba(asked), "logistic regression": same.predict_proba(features(asked)[:, :-1].numpy()),
                        "logistic regression, all words": every.predict_proba(asked)}.items():
                    rows.append(dict(pair=f"{a} or {b}", method=name, k=k, split=split, queries=len(test), accuracy=((p[:, 1] > 0.5) == y[test]).mean(), loss=log_loss(y[test], p[:, 1])))
        print(pd.DataFrame(rows).query("pair == @rows[-1]['pair']").pivot_table(index="method", columns="k", values="accuracy").round(3).to_string(), flush=True)
    return pd.DataFrame(rows), dict(sentences=len(book), splits=splits, split_seeds="1000*k + split")


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("what", choices=["synthetic", "tables", "classes", "sentences", "text", "speed", "real"])
    p.add_argument("--head", default=HEAD, help="name of a packaged head, or folder of a run")
    p.add_argument("--problems", type=int, default=256)
    p.add_argument("--tables", type=int, default=24, help="made-up tables")
    p.add_argument("--repeats", type=int, default=20)
    p.add_argument("--splits", type=int, help="12, or 5 for text")
    p.add_argument("--dry", action="store_true", help="made-up tables instead of real data")
    p.add_argument("--folder", type=Path, default=RESULTS, help="where the tables go")
    a = p.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("default")
    command, about = f"python bench/compose.py {a.what}", dict(head=str(a.head))
    if a.what == "synthetic":
        df, more = synthetic(a.head, a.problems)
        save_results(df.round(5), a.folder/"compose_synthetic.csv", command, **about, **more)
    elif a.what == "tables":
        df, more = made_up_tables(a.head, a.tables)
        save_results(df.round(5), a.folder/"compose_tables.csv", command, **about, **more)
    elif a.what == "classes":
        df, more = classes(a.head, a.tables, a.splits or 12)
        save_results(df.round(5), a.folder/"compose_classes.csv", command, **about, **more)
    elif a.what == "sentences": save_results(sentences(RESULTS.parents[2]/"nbs"), SENTENCES, command)
    elif a.what == "text":
        df, more = text(a.head, a.splits or 5)
        save_results(df.round(5), a.folder/"compose_text.csv", command, **about, **more)
    elif a.what == "speed":
        df, more = speed(a.head, a.repeats)
        save_results(df, a.folder/"compose_speed.csv", command, **about, **more)
    else:
        df, gaps, more = real(a.head, a.splits or 12, a.dry)
        save_results(df.round(5), a.folder/"compose_real.csv", command, **about, **more)
        save_results(gaps.round(5), a.folder/"compose_difference.csv", command, **about, **more, interval="t over splits, 95 %")
        print(gaps.round(3).to_string(index=False))


if __name__ == "__main__": main()
