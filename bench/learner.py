#!/usr/bin/env python3
"""What a training library costs over the bare loop: Python calls, ATen ops and CPU time a batch.

    python bench/learner.py [--quick] [--trainers NAME ...] [--models tiny mid] [--out FOLDER]

Each trainer runs the same batches through the same model with the same SGD, keeps the mean loss and the accuracy of the
epoch (Lightning by log_dict, without logger and checkpoints), and draws its progress bar (standard error says that it is a terminal, and swallows what is drawn).
After each, the weights must be those of the bare loop, so that all have done the same work. The models: tiny is
784-50-10, mid 784-512-512-10, both with ReLU and batches of 64.

calls: "call" events of sys.setprofile, that is, frames of Python functions. ops: events of torch.profiler whose name
begins with aten::, nested ones included. Both are the difference between a fit of 80 batches and one of 20, over 60, so
that what a fit costs once is not in it; they do not depend on the machine's load. The bar draws by the clock, so calls
move by a few tenths. cpu: CPU time (user and system, one thread) of a whole fit of one epoch; in each repetition every
trainer runs once, in an order drawn anew, and its time is divided by that of the bare loop in the same repetition. The
ratio is the median over the repetitions, its interval the 2.5 and 97.5 percentiles of 2,000 resamplings of them.

Trainers that cannot be imported are skipped with a word. They are measured best from an environment of their own,
since some pin old versions of others (torchvision has no build for CPU torch 2.13.0 and breaks Lightning's import):

    python -m venv peers && peers/bin/pip install torch==2.13.0 numpy pandas matplotlib tqdm fastcore einops safetensors pyyaml \\
        scikit-learn skorch pytorch-ignite lightning accelerate torchmetrics requests fasttransform fastdownload spacy
    peers/bin/pip install --no-deps fastai
    PYTHONPATH=. peers/bin/python bench/learner.py

miniai is not on PyPI: it is measured where `import miniai.learner` works. Writes learner.csv and prints whether the
limits hold for `minitrain`; the exit status is 1 when one does not.
"""
import argparse, contextlib, importlib.metadata, io, logging, os, random, statistics, sys, tempfile, time, warnings
from pathlib import Path

os.environ.setdefault("KINETO_LOG_LEVEL", "5")
import torch
import torch.nn.functional as F
from torch import nn
from torch.profiler import profile

from minitrain.runs import save_results

MODELS = dict(tiny=(784, 50, 10), mid=(784, 512, 512, 10))
BATCHES = dict(tiny=300, mid=40)  # in a timed fit
LIMITS = dict(calls=80, ops=20, tiny=1.20, mid=1.04)
LR, BS, SEED = 0.1, 64, 0


class Terminal(io.StringIO):
    "A standard error that says it is a terminal and keeps nothing"
    def isatty(self): return True
    def write(self, s): return len(s)


def make_model(sizes):
    torch.manual_seed(SEED)
    layers = [o for i, j in zip(sizes, sizes[1:]) for o in (nn.Linear(i, j), nn.ReLU())]
    return nn.Sequential(*layers[:-1])


def make_batches(n):
    g = torch.Generator().manual_seed(SEED)
    return [(torch.randn(BS, 784, generator=g), torch.randint(10, (BS,), generator=g)) for _ in range(n)]


def sgd(model): return torch.optim.SGD(model.parameters(), lr=LR)


# Each trainer is a function of (model, batches) that prepares what a user prepares once, and gives a function that fits.

def bare(model, batches):
    opt = sgd(model)
    def fit():
        model.train()
        for xb, yb in batches:
            loss = F.cross_entropy(model(xb), yb)
            loss.backward()
            opt.step()
            opt.zero_grad()
    return fit


def bare_kept(model, batches):
    opt = sgd(model)
    def fit():
        model.train()
        total, right, n = torch.tensor(0.), torch.tensor(0.), 0
        for xb, yb in batches:
            preds = model(xb)
            loss = F.cross_entropy(preds, yb)
            loss.backward()
            opt.step()
            opt.zero_grad()
            with torch.no_grad():
                total += loss.detach()*len(xb)
                right += (preds.argmax(1) == yb).sum()
            n += len(xb)
        return total.item()/n, right.item()/n
    return fit


def minitrain_with(model, batches, cbs):
    from minitrain.data import DataLoaders
    from minitrain.learner import Learner, TrainCB
    learn = Learner(model, DataLoaders(batches), F.cross_entropy, lr=LR, cbs=[TrainCB(), *cbs], opt_func=torch.optim.SGD)
    return lambda: learn.fit(1, valid=False)


def minitrain_bare(model, batches): return minitrain_with(model, batches, [])


def minitrain(model, batches):
    from minitrain.callbacks import DeviceCB
    from minitrain.metrics import Accuracy, MetricsCB
    from minitrain.progress import ProgressCB
    return minitrain_with(model, batches, [DeviceCB("cpu"), MetricsCB(accuracy=Accuracy()), ProgressCB()])


def miniai(model, batches):
    from miniai.learner import DataLoaders, DeviceCB, Learner, MetricsCB, ProgressCB, TrainCB
    from torcheval.metrics import MulticlassAccuracy
    learn = Learner(model, DataLoaders(batches, batches), F.cross_entropy, lr=LR, opt_func=torch.optim.SGD,
                    cbs=[TrainCB(), DeviceCB("cpu"), MetricsCB(accuracy=MulticlassAccuracy()), ProgressCB()])
    return lambda: learn.fit(1, valid=False)


def skorch(model, batches):
    from skorch import NeuralNetClassifier
    class Batches:
        def __init__(self, dataset, **kwargs): pass
        def __iter__(self): return iter(batches)
    net = NeuralNetClassifier(model, criterion=nn.CrossEntropyLoss, optimizer=torch.optim.SGD, lr=LR, max_epochs=1, train_split=None,
                              iterator_train=Batches, batch_size=BS)
    net.initialize()
    x, y = torch.cat([o[0] for o in batches[:1]]).numpy(), torch.cat([o[1] for o in batches[:1]]).numpy()  # only their kind is looked at
    return lambda: net.partial_fit(x, y)


def ignite(model, batches):
    from ignite.contrib.handlers import ProgressBar
    from ignite.engine import create_supervised_trainer
    from ignite.metrics import Accuracy, Loss
    trainer = create_supervised_trainer(model, sgd(model), F.cross_entropy, output_transform=lambda x, y, y_pred, loss: (y_pred, y))
    for name, metric in (("accuracy", Accuracy()), ("loss", Loss(F.cross_entropy))): metric.attach(trainer, name)
    ProgressBar(persist=False).attach(trainer)
    return lambda: trainer.run(batches, max_epochs=1)


def accelerate(model, batches):
    from accelerate import Accelerator
    from tqdm import tqdm
    acc = Accelerator(cpu=True)
    prepared, opt = acc.prepare(model, sgd(model))
    def fit():
        prepared.train()
        total, right, n = torch.tensor(0.), torch.tensor(0.), 0
        for xb, yb in tqdm(batches, leave=False):
            preds = prepared(xb)
            loss = F.cross_entropy(preds, yb)
            acc.backward(loss)
            opt.step()
            opt.zero_grad()
            with torch.no_grad():
                total += loss.detach()*len(xb)
                right += (preds.argmax(1) == yb).sum()
            n += len(xb)
        return total.item()/n, right.item()/n
    return fit


def fastai(model, batches):
    from fastai.basics import DataLoader, DataLoaders, Learner, SGD
    dls = DataLoaders(*(DataLoader(batches, bs=None, shuffle=False, num_workers=0) for _ in range(2)), device=torch.device("cpu"))
    learn = Learner(dls, model, loss_func=nn.CrossEntropyLoss(), opt_func=SGD, lr=LR, wd=0., path=tempfile.gettempdir())
    import fastai.callback.progress
    class NoValidation(fastai.callback.progress.Callback):
        def before_validate(self): raise fastai.callback.progress.CancelValidException
    return lambda: learn.fit(1, lr=LR, wd=0., cbs=NoValidation())


def lightning(model, batches):
    import lightning as L
    for o in ("lightning", "lightning.pytorch", "lightning.fabric"): logging.getLogger(o).setLevel(logging.ERROR)
    class Module(L.LightningModule):
        def __init__(self): super().__init__(); self.model = model
        def configure_optimizers(self): return sgd(self.model)
        def training_step(self, batch, _):
            xb, yb = batch
            preds = self.model(xb)
            loss = F.cross_entropy(preds, yb)
            accuracy = (preds.argmax(1) == yb).float().mean()
            self.log_dict({"loss": loss.detach(), "accuracy": accuracy}, on_step=False, on_epoch=True, prog_bar=True, batch_size=len(xb))
            return loss
    class Loader:  # a plain list would be taken for several loaders
        def __len__(self): return len(batches)
        def __iter__(self): return iter(batches)
    module = Module()
    def fit():
        with tempfile.TemporaryDirectory() as folder:
            L.Trainer(max_epochs=1, accelerator="cpu", default_root_dir=folder, enable_checkpointing=False, logger=False).fit(module, Loader())
    return fit


TRAINERS = {"bare loop": (bare, "torch"), "bare loop, loss and accuracy kept": (bare_kept, "torch"),
            "minitrain, TrainCB alone": (minitrain_bare, "torch"), "minitrain": (minitrain, "torch"), "miniai": (miniai, "miniai"),
            "skorch": (skorch, "skorch"), "ignite": (ignite, "pytorch-ignite"), "accelerate": (accelerate, "accelerate"),
            "fastai": (fastai, "fastai"), "lightning": (lightning, "lightning")}


@contextlib.contextmanager
def quiet():
    "Bars are drawn for a terminal that nobody sees"
    with warnings.catch_warnings(), contextlib.redirect_stderr(Terminal()), contextlib.redirect_stdout(Terminal()):
        warnings.simplefilter("ignore")
        yield


def prepared(name, sizes, batches):
    "A fit of a trainer, and its model"
    model = make_model(sizes)
    return TRAINERS[name][0](model, batches), model


def weights(model): return torch.cat([p.detach().flatten() for p in model.parameters()])


def available(names):
    "Those that can be imported and end with the weights of the bare loop; a reason for each that cannot"
    batches, fit = make_batches(20), None
    fit, model = prepared("bare loop", MODELS["tiny"], batches)
    fit()
    want, skipped = weights(model), {}
    for name in names:
        try:
            with quiet():
                fit, model = prepared(name, MODELS["tiny"], batches)
                fit()
        except ImportError as e: skipped[name] = f"not installed here ({e})"
        except Exception as e: skipped[name] = f"fails here ({type(e).__name__}: {str(e).splitlines()[0] if str(e) else ''})"
        else:
            if not torch.allclose(weights(model), want, atol=1e-5): skipped[name] = "ends with other weights than the bare loop"
    return [o for o in names if o not in skipped], skipped


def count_calls(fit):
    n = 0
    def see(frame, event, arg):
        nonlocal n
        n += event == "call"
    sys.setprofile(see)
    try: fit()
    finally: sys.setprofile(None)
    return n


def count_ops(fit):
    with profile() as p: fit()
    return sum(e.count for e in p.key_averages() if e.key.startswith("aten::"))


def counts(name, sizes):
    "Python calls and ATen ops a batch"
    out = []
    for count in (count_calls, count_ops):
        ns = []
        for n in (20, 80):
            with quiet():
                fit, _ = prepared(name, sizes, make_batches(n))
                fit()
                ns.append(count(fit))
        out.append((ns[1] - ns[0])/60)
    return out


def cpu_times(names, sizes, n, repetitions):
    "CPU seconds of a fit, by trainer, one for each repetition"
    batches, order = make_batches(n), random.Random(SEED)
    with quiet():
        fits = {name: prepared(name, sizes, batches)[0] for name in names}
        times = {name: [] for name in names}
        for i in range(repetitions + 1):
            for name in order.sample(names, len(names)):
                start = time.process_time()
                fits[name]()
                if i: times[name].append(time.process_time() - start)
    return times


def interval(ratios):
    draw = random.Random(SEED)
    medians = sorted(statistics.median(draw.choices(ratios, k=len(ratios))) for _ in range(2000))
    return medians[50], medians[-51]


def version(package):
    try: return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError: return ""


def main():
    import pandas as pd
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="few repetitions; nothing is stored")
    parser.add_argument("--trainers", nargs="+", choices=list(TRAINERS), default=list(TRAINERS))
    parser.add_argument("--models", nargs="+", choices=list(MODELS), default=list(MODELS))
    parser.add_argument("--repetitions", type=int, default=40)
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[1]/"minitrain"/"assets"/"results")
    args = parser.parse_args()
    torch.set_num_threads(1)
    repetitions = 3 if args.quick else args.repetitions
    wanted = ["bare loop", *(o for o in args.trainers if o != "bare loop")]
    names, skipped = available(wanted)
    for name, why in skipped.items(): print(f"skipped: {name}, {why}")
    rows = []
    for model in args.models:
        sizes = MODELS[model]
        counted = {name: counts(name, sizes) for name in names}
        times = cpu_times(names, sizes, BATCHES[model], repetitions)
        for name in names:
            ratios = [a/b for a, b in zip(times[name], times["bare loop"])]
            low, high = interval(ratios)
            rows.append(dict(model=model, trainer=name, calls=round(counted[name][0], 1), ops=round(counted[name][1], 1),
                calls_over=round(counted[name][0] - counted["bare loop"][0], 1), ops_over=round(counted[name][1] - counted["bare loop"][1], 1),
                cpu_ratio=round(statistics.median(ratios), 3), low=round(low, 3), high=round(high, 3),
                cpu_us_a_batch=round(1e6*statistics.median(times[name])/BATCHES[model]), version=version(TRAINERS[name][1])))
        print(pd.DataFrame(rows)[lambda d: d.model == model].to_string(index=False), flush=True)
    rows += [dict(model=model, trainer=name, skipped=why) for model in args.models for name, why in skipped.items()]
    df = pd.DataFrame(rows)
    ok = True
    for o in rows:
        if o["trainer"] != "minitrain" or "calls" not in o: continue
        for what, got, limit in (("calls over the bare loop", o["calls_over"], LIMITS["calls"]), ("ops over the bare loop", o["ops_over"], LIMITS["ops"]),
                                 ("CPU ratio", o["cpu_ratio"], LIMITS[o["model"]])):
            print(f"{o['model']}: {what} {got}, limit {limit}: {'holds' if got <= limit else 'DOES NOT HOLD'}")
            ok = ok and got <= limit
    full = set(args.trainers) == set(TRAINERS) and set(args.models) == set(MODELS)
    if full and not args.quick:
        save_results(df, args.out/"learner.csv", "python bench/learner.py" + (f" --repetitions {args.repetitions}" if args.repetitions != 40 else ""),
                     seeds=[SEED], batch_size=BS, batches=BATCHES, repetitions=repetitions, limits=LIMITS)
    sys.exit(not ok)


if __name__ == "__main__": main()
