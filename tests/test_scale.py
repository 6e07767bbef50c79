"""Two processes over gloo, really launched, against one: losses, metrics, one writer, lost processes; and what can be tested alone.

Run with names of jobs (torchrun test_scale.py FOLDER JOB ...), this file is the script that is launched."""
import io, json, os, random, re, shutil, socket, subprocess, sys, time
from contextlib import redirect_stdout
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader as TorchLoader, TensorDataset

from minitrain.callbacks import BatchTransformCB, GradAccumCB, GradClipCB
from minitrain.checkpoint import CheckpointCB
from minitrain.data import DataLoader, DataLoaders, Dataset, get_dls
from minitrain.experiments.digits import DigitsConfig, digits
from minitrain.learner import Callback, Learner, TrainCB
from minitrain.likelihood import cross_entropy
from minitrain.loop import accuracy
from minitrain.metrics import Accuracy, ConfusionMatrix, MetricsCB
from minitrain.runs import RunDir, load_config
from minitrain.scale import AccelerateCB, CompileCB, default_trainer, part

RANK = int(os.environ.get("RANK", 0))


# ---------------------------------------------------------------- what is trained, in one process or in two

class Losses(Callback):
    def __init__(self): self.values = []
    def after_loss(self, learn):
        if learn.training: self.values.append(learn.loss.item())


class Noise(Callback):
    "Remembers what torch's generator would give in each training batch"
    order = 50
    def __init__(self): self.values = []
    def before_batch(self, learn):
        state = torch.get_rng_state()
        if learn.training: self.values.append(torch.rand(1).item())
        torch.set_rng_state(state)


class Quiet(MetricsCB):
    def _log(self, d): pass


def data(n=61):
    g = torch.Generator().manual_seed(0)
    x = torch.randn(n, 1, 6, 6, generator=g)
    return x, (x.flatten(1)[:, :3].sum(1) > 0).long() + (x.flatten(1)[:, 3] > 1).long()


def loaders(n=61, seed=4):
    "61 samples in batches of 12: the last batch is one sample"
    x, y = data(n + 25)
    return DataLoaders(*get_dls(Dataset(x[:n], y[:n]), Dataset(x[n:], y[n:]), 12, seed=seed))


def torch_loaders():
    "torch's own; 60 samples divide evenly, the 25 of validation do not"
    x, y = data(85)
    g = torch.Generator().manual_seed(3)
    return DataLoaders(TorchLoader(TensorDataset(x[:60], y[:60]), 12, shuffle=True, generator=g),
        TorchLoader(TensorDataset(x[60:], y[60:]), 24))


def linear(): return nn.Sequential(nn.Flatten(), nn.Linear(36, 3))
def normed(): return nn.Sequential(nn.Flatten(), nn.Linear(36, 8), nn.BatchNorm1d(8), nn.Linear(8, 3))
def mixed(): return nn.Sequential(nn.Flatten(), nn.Linear(36, 8), nn.Dropout(0.5), nn.Linear(8, 3))


WEIGHTED = nn.CrossEntropyLoss(weight=torch.tensor([0.2, 1., 3.]), ignore_index=0)
JOBS = dict(
    plain=lambda: (linear(), loaders(), cross_entropy, ()),
    weights=lambda: (linear(), loaders(n=65), WEIGHTED, ()),  # in some batches a process has only labels that do not count
    total=lambda: (linear(), loaders(), nn.CrossEntropyLoss(reduction="sum"), ()),
    accumulate=lambda: (linear(), loaders(), cross_entropy, (GradAccumCB(2), GradClipCB(0.5))),
    torch_loader=lambda: (linear(), torch_loaders(), cross_entropy, ()),
    changed=lambda: (linear(), loaders(n=62), cross_entropy, (BatchTransformCB(lambda b: [b[0]*2, b[1]]),)))


def train(name):
    torch.manual_seed(100 + RANK if name == "plain" else 100)  # processes may begin apart: the weights of process 0 count
    model, dls, loss_func, cbs = JOBS[name]()
    cbs = [default_trainer(), Quiet(accuracy, matrix=ConfusionMatrix()), losses := Losses(), noise := Noise(), *cbs]
    learn = Learner(model, dls, loss_func, 0.01 if name == "total" else 0.1, cbs)
    loader, left = dls.train, set(vars(model))
    learn.fit(2)
    assert learn.dls.train is loader and learn.model is model and set(vars(model)) == left
    assert all(p.grad is None for p in model.parameters())
    rows = [dict(loss=o["loss"], accuracy=o["accuracy"], seen=o["matrix"].sum().item()) for o in learn.metrics.rows]
    return dict(losses=losses.values, noise=noise.values, rows=rows,
        state={k: o.double().flatten().tolist() for k, o in model.state_dict().items()})


def job_same(folder):
    "Every way to train, and what is left"
    out = {name: train(name) for name in JOBS}
    from accelerate.state import AcceleratorState
    out["left"] = len(AcceleratorState._shared_state)
    learn = Learner(normed(), loaders(n=60), cross_entropy, 0.1, [default_trainer(), Quiet(accuracy)])
    learn.fit(1)
    out["evaluated"] = [learn.metrics.rows[-1]]
    learn.fit(1, train=False)  # not shared: each process goes through everything, with the same buffers
    out["evaluated"].append(learn.metrics.rows[-1])
    learn = Learner(linear(), loaders(seed=RANK), cross_entropy, 0.1, [default_trainer(), losses := Losses()])
    learn.fit(1)  # loaders whose seeds differ take the order of process 0
    out["seeds"] = losses.values
    (Path(folder)/f"same-{RANK}.json").write_text(json.dumps(out))
    try: Learner(linear(), list(loaders().train), cross_entropy, cbs=[default_trainer()]).fit(1)
    except ValueError as e: print(e, file=sys.stderr)
    Learner(linear(), loaders(n=60 + 2*RANK), cross_entropy, 0.1, [default_trainer()]).fit(1)  # not the same data


class Dies(Callback):
    order = 2000
    def after_batch(self, learn):
        if RANK == 1 and learn.training and (learn.epoch, learn.iter) == (1, 3): os.kill(os.getpid(), 9)


class Stops(Callback):
    order = 2000
    def after_batch(self, learn):
        if learn.training and (learn.epoch, learn.iter) == (1, 3): raise RuntimeError("stopped here")


def resumable(folder, *cbs):
    torch.manual_seed(7)
    return Learner(linear(), loaders(), cross_entropy, 0.1,
        [default_trainer(), Quiet(accuracy), CheckpointCB(Path(folder)/"run", every=2, resume=True), *cbs])


def shaken(batch):
    "Random numbers of all three kinds"
    x, y = batch
    return x + 0.3*torch.randn_like(x) + 0.1*random.random() + 0.1*np.random.rand(), y


def noisy(path, resume=False, cbs=()):
    "Dropout and random changes, with metrics, saved every second batch"
    torch.manual_seed(7); random.seed(7); np.random.seed(7)
    metrics = Quiet(Accuracy(), accuracy, matrix=ConfusionMatrix())
    cbs = [default_trainer(), BatchTransformCB(shaken, on_val=True), metrics, CheckpointCB(path, every=2, resume=resume), *cbs]
    return Learner(mixed(), loaders(), cross_entropy, 0.1, cbs)


def whole(path, stop):
    "The end of a run that never stopped, or of one that stopped in the middle of its second epoch and went on"
    if stop:
        try: noisy(path, cbs=[Stops()]).fit(3)
        except RuntimeError as e: assert "stopped here" in str(e)
    learn = noisy(path, resume=stop)
    with redirect_stdout(io.StringIO()): learn.fit(3)
    rows = [{k: o.tolist() if isinstance(o, torch.Tensor) else o for k, o in row.items()} for row in learn.metrics.rows]
    return dict(rows=rows, state=[o.flatten().tolist() for o in learn.model.state_dict().values()])


def job_exact(folder):
    "Bit for bit, and what the seeds of the other processes are for"
    folder, out = Path(folder), {}
    out["never"], out["resumed"] = whole(folder/"never", False), whole(folder/"resumed", True)
    seeded, AccelerateCB.before_batch = AccelerateCB.before_batch, lambda self, learn: None
    out["unseeded"], AccelerateCB.before_batch = whole(folder/"unseeded", True), seeded
    (folder/f"exact-{RANK}.json").write_text(json.dumps(out))


def job_killed(folder): resumable(folder, Dies()).fit(3)


if __name__ == "__main__":
    torch.set_num_threads(1)
    for o in sys.argv[2:]: globals()[f"job_{o}"](sys.argv[1])
    sys.exit()


# ---------------------------------------------------------------- launched

import pandas as pd
import pytest
from hypothesis import given, strategies as st

TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
# `accelerate launch --cpu --num_processes 2` starts one process (seen with 1.15); --multi_gpu starts as many as asked for, also where there are only CPUs
ACCELERATE = [sys.executable, "-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2", "--num_machines", "1",
    "--mixed_precision", "no", "--dynamo_backend", "no", "--main_process_port", "0"]
needs_accelerate = pytest.mark.skipif(not __import__("importlib").util.find_spec("accelerate"), reason="accelerate is not installed")


def environment(**kwargs):
    env = {k: v for k, v in os.environ.items() if k not in ("RANK", "WORLD_SIZE", "LOCAL_RANK")}
    return dict(env, OMP_NUM_THREADS="1", PYTHONPATH=os.pathsep.join(filter(None, sys.path)), **kwargs)


def launch_by_hand(folder, *words, timeout=150):
    "Python twice, without a launcher: the environment is all that is needed"
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    envs = [environment(RANK=str(r), LOCAL_RANK=str(r), WORLD_SIZE="2", MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port)) for r in (0, 1)]
    both = [subprocess.Popen([sys.executable, *words], env=env, cwd=folder,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for env in envs]
    try: out, err = zip(*(p.communicate(timeout=timeout) for p in both))
    finally:
        for p in both: p.kill()
    return SimpleNamespace(rc=max(abs(p.returncode) for p in both), out=out, err="".join(err))


@pytest.fixture(scope="module")
def launched(tmp_path_factory):
    "What both processes of a launch found in each job, and how it ended"
    pytest.importorskip("accelerate")
    folder = tmp_path_factory.mktemp("launched")
    done = launch_by_hand(folder, __file__, str(folder), "exact", "same")
    assert (folder/"same-1.json").exists(), done.err
    return {job: [json.loads((folder/f"{job}-{r}.json").read_text()) for r in (0, 1)] for job in ("exact", "same")} | dict(end=done)


@pytest.fixture
def same(launched): return launched["same"], launched["end"]


def close(a, b, tol): return torch.allclose(torch.tensor(a, dtype=torch.float64), torch.tensor(b, dtype=torch.float64), rtol=tol, atol=tol)


@pytest.mark.parametrize("name", JOBS)
def test_two_processes_are_one(same, name):
    "The same losses of every update, metrics and weights as one process, where the last batch is a single sample"
    (a, b), one = (o[name] for o in same[0]), train(name)
    if name != "total": assert a["losses"] == b["losses"] and close(a["losses"], one["losses"], 1e-5)
    assert len(a["losses"]) == len(one["losses"]) >= 10
    for p, q in zip(a["rows"], one["rows"], strict=True): assert close(list(p.values()), list(q.values()), 1e-5)
    assert a["rows"] == b["rows"] and a["state"] == b["state"]
    for k, o in one["state"].items(): assert close(a["state"][k], o, 1e-4), k


def test_random_numbers(same):
    "Process 0 draws what one process would; process 1 draws others"
    a, b = (o["plain"] for o in same[0])
    assert a["noise"] == train("plain")["noise"]
    assert not set(a["noise"]) & set(b["noise"]) and len(set(b["noise"])) == 12


def test_what_is_left_and_what_is_refused(same):
    (a, b), done = same
    assert a["left"] == b["left"] == 0 and a["seeds"] == b["seeds"]
    assert done.rc != 0 and "whose batches can be shared" in done.err and "as many batches as in process 0" in done.err
    for o in (a, b):  # shared and unshared validation, with BatchNorm's buffers
        shared, alone = ([r["loss"], r["accuracy"]] for r in o["evaluated"])
        assert close(shared, alone, 1e-5)


def test_killed_process(tmp_path):
    "kill -9 of one of two: the launcher names it and ends, its checkpoint is whole, and one process finishes the run, with every row right"
    pytest.importorskip("accelerate")
    done = subprocess.run([*TORCHRUN, __file__, str(tmp_path), "killed"], env=environment(), capture_output=True, text=True, timeout=150, cwd=tmp_path)
    assert done.returncode != 0 and re.search(r"exitcode *: -9", done.stderr), done.stderr
    assert list((tmp_path/"run").glob("checkpoint-*")) and not list((tmp_path/"run").glob(".*"))
    learn, never = resumable(tmp_path), resumable(tmp_path/"never")
    learn.fit(3)
    never.fit(3)
    for k, o in never.model.state_dict().items(): torch.testing.assert_close(learn.model.state_dict()[k], o, rtol=1e-4, atol=1e-4)
    assert [r["train"] for r in learn.metrics.rows] == ["train", "eval"]*3
    assert close(*([[r["loss"], r["accuracy"]] for r in x.metrics.rows] for x in (learn, never)), 1e-4)


def test_resumed_by_two_is_never_stopped(launched):
    "Weights and every row, bit for bit, with dropout, random changes and a stop between two batches; the seeds are needed for it"
    a, b = launched["exact"]
    assert a["resumed"] == a["never"] == b["never"] == b["resumed"] and len(a["never"]["rows"]) == 6
    assert sum(map(sum, a["never"]["rows"][2]["matrix"])) == 61
    assert a["unseeded"]["state"] != a["never"]["state"]


def test_digits_by_accelerate_launch(tmp_path):
    "`accelerate launch -m minitrain digits`: stopped, resumed by two; one process writes and prints"
    pytest.importorskip("accelerate")
    small = "--epochs 2 --width 4 --batch_size 256 --save_every 3 --affine 0 --warp 0 --out run".split()
    stopped = subprocess.Popen([*ACCELERATE, "-m", "minitrain", "digits", *small], env=environment(), cwd=tmp_path,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while not list((tmp_path/"run").glob("checkpoint-*")) and stopped.poll() is None: time.sleep(0.002)
    stopped.terminate()  # the launcher passes it on, as it does when a machine is shut down
    said = stopped.communicate(timeout=100)[1]
    assert stopped.returncode != 0, said
    resumed = launch_by_hand(tmp_path, "-m", "minitrain", "digits", "--resume", "run")
    assert resumed.rc == 0 and not resumed.out[1], resumed.err
    first, *rows, last = resumed.out[0].splitlines()
    assert re.match(r"going on at epoch \d, batch \d+ ", first) and last == "run"
    assert len(rows) >= 2 and len(set(rows)) == len(rows)  # each once
    names = {o.name for o in (tmp_path/"run").iterdir()}
    assert {"config.yaml", "metrics.csv", "model.safetensors", "result.json", "loss.png", "mistakes.csv"} <= names and not [o for o in names if o.startswith(".")]
    alone = digits.run(load_config(tmp_path/"run"/"config.yaml", DigitsConfig), tmp_path/"alone", progress=False)[0]
    pd.testing.assert_frame_equal(RunDir(tmp_path/"run").metrics, alone.metrics, rtol=0.2)  # near: BatchNorm sees parts


# ---------------------------------------------------------------- alone

@given(st.integers(0, 200), st.integers(1, 20))
def test_parts(n, world):
    got = [range(n)[part(n, r, world)] for r in range(world)]
    assert sum(map(list, got), []) == list(range(n))
    assert max(map(len, got)) - min(map(len, got)) <= 1 and len(got[0]) == max(map(len, got))


@pytest.mark.parametrize("world", [1, 2, 3, 5])
@pytest.mark.parametrize("kwargs", [dict(shuffle=True), dict(sampler=list(range(10, -1, -1))), dict(shuffle=True, drop_last=True)], ids=str)
@pytest.mark.parametrize("tfm", [None, lambda o: o + torch.rand(())], ids=["plain", "random"])
def test_shares_are_the_batches(kwargs, tfm, world):
    "Parts put together are the batches of the whole run, random changes included; the position is the run's"
    def make(): return DataLoader(Dataset(torch.arange(11.), torch.zeros(11), tfm=tfm), 5, seed=2, **kwargs)
    want, got = [x.tolist() for x, y in make()], []
    for rank in range(world):
        dl = make()
        dl.shard(rank, world)
        got.append([x.tolist() for x, y in dl])
        assert len(got[-1]) == len(want) == len(dl)
    assert [sum((o[i] for o in got), []) for i in range(len(want))] == want
    it = iter(dl)
    next(it)
    twin = make()
    twin.load_state_dict(dl.state_dict())  # the checksum of the whole order fits
    dl.shard(0, 1)
    assert next(iter(twin))[0].tolist() == next(it)[0].tolist()


def fitted(trainer, n=2, model=linear):
    torch.manual_seed(0)
    learn = Learner(model(), loaders(), cross_entropy, 0.1, [trainer, Quiet(accuracy)])
    learn.fit(n)
    return learn


@needs_accelerate
def test_alone_it_is_a_train_cb():
    a, b = fitted(AccelerateCB(mixed_precision="no"), model=mixed), fitted(TrainCB(), model=mixed)
    for p, q in zip(a.model.parameters(), b.model.parameters()): assert torch.equal(p, q)
    assert a.metrics.rows == b.metrics.rows
    half = fitted(AccelerateCB(mixed_precision="fp16"))  # fp16 asked for: a CPU computes in bf16
    full = fitted(TrainCB())
    far = (half.model[1].weight - full.model[1].weight).abs().max()
    assert 0 < far < 0.02 and half.preds.dtype == torch.float32
    assert not torch.is_autocast_enabled("cpu")
    weight = half.model[1].weight.detach().clone()
    half.fit(1)  # half precision again, after everything was put back
    twin = fitted(AccelerateCB(mixed_precision="fp16"), 3)
    assert torch.equal(half.model[1].weight, twin.model[1].weight) and not torch.equal(half.model[1].weight, weight)
    assert set(vars(half.model)) == set(vars(linear()))


@needs_accelerate
def test_scaler_drops_an_update_and_tells_the_schedule():
    "The fp16 path on a CPU's scaler: an overflow is no update, and nothing of it stays"
    steps = []
    class Steps(Callback):
        def after_step(self, learn): steps.append(learn.iter)
    class Scaled(AccelerateCB):
        def accelerator(self):
            acc = super().accelerator()
            acc.scaler = torch.amp.GradScaler("cpu", init_scale=2.**127)
            return acc
    torch.manual_seed(0)
    large = lambda preds, yb: cross_entropy(preds, yb)*4  # times 2**127 that is more than float32 holds
    learn = Learner(linear(), loaders(), large, 0.02, [cb := Scaled(mixed_precision="fp16"), Steps()])
    before = learn.model[1].weight.detach().clone()
    scales = []
    class Watch(Callback):
        order = 99
        def after_batch(self, learn):
            if learn.training: scales.append(cb.state_dict()["scale"])
    learn.fit(1, cbs=Watch())
    assert steps and steps[0] > 0 and scales[0] < 2.**127 and not torch.equal(before, learn.model[1].weight)
    assert all(p.isfinite().all() and p.grad is None for p in learn.model.parameters())
    assert cb.state_dict() == {}  # after the fit


@needs_accelerate
def test_the_optimizers_dicts_stay():
    "Whoever noted a group in before_fit steers the optimizer that steps"
    class Notes(Callback):
        order = -5
        def before_fit(self, learn): self.group = learn.opt.param_groups[0]
        def after_fit(self, learn): self.same = self.group is learn.opt.param_groups[0]
    torch.manual_seed(0)
    Learner(linear(), loaders(), cross_entropy, 0.1, [AccelerateCB(), notes := Notes()]).fit(1)
    assert notes.same


@needs_accelerate
def test_sync_norms_for_the_fit_alone():
    "On GPUs BatchNorm is replaced and put back: the same layers, with the buffers that were trained"
    model = nn.Sequential(nn.Linear(3, 2), nn.Sequential(nn.BatchNorm1d(2)))
    norm, names, cb = model[1][0], list(model.state_dict()), AccelerateCB()
    cb._made = False
    cb._sync_norms(model)
    assert type(model[1][0]) is nn.SyncBatchNorm and list(model.state_dict()) == names
    model[1][0].running_mean += 1
    cb.cleanup_fit(SimpleNamespace(model=model, dls=SimpleNamespace(train=None)))
    assert model[1][0] is norm and norm.running_mean.tolist() == [1, 1]


def test_default_trainer(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    assert type(default_trainer()) is TrainCB and default_trainer(2).n_inp == 2
    half = default_trainer(mixed_precision="bf16")
    assert type(half).__name__ == "MixedPrecision" and half.dtype is torch.bfloat16
    if __import__("importlib").util.find_spec("accelerate"):
        monkeypatch.setenv("WORLD_SIZE", "2")
        cb = default_trainer(2, "bf16")
        assert type(cb) is AccelerateCB and (cb.n_inp, cb.mixed_precision) == (2, "bf16")
        monkeypatch.setenv("RANK", "1")
        assert not cb.is_main and not Learner(linear(), loaders(), cbs=cb).is_main


def test_compiled_is_eager_undone_and_keeps_names():
    "With code for this CPU where there is a C++ compiler, else with torch's own test backend"
    learn = fitted(TrainCB(), 1)
    torch.manual_seed(0)
    options = {} if shutil.which("g++") else dict(backend="aot_eager")
    fast = Learner(linear(), loaders(), cross_entropy, 0.1, [TrainCB(), Quiet(accuracy), CompileCB(**options)])
    inside = []
    class Look(Callback):
        def before_batch(self, learn): inside.append((learn.model._compiled_call_impl is not None, list(learn.model.state_dict())))
    fast.fit(1, cbs=Look())
    assert all(o for o, _ in inside) and inside[0][1] == ["1.weight", "1.bias"]
    assert fast.model._compiled_call_impl is None
    torch.testing.assert_close(fast.model.state_dict(), learn.model.state_dict(), rtol=1e-4, atol=1e-5)
