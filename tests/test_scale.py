"""Two processes over gloo, really launched, against one: losses, metrics, one writer, lost processes; and what can be tested alone.

Run with a job's name (torchrun test_scale.py JOB FOLDER), this file is the script that is launched."""
import io, json, os, random, re, shutil, signal, socket, subprocess, sys, time
from contextlib import nullcontext, redirect_stdout
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader as TorchLoader, TensorDataset

from minitrain.callbacks import BatchTransformCB, GradAccumCB, GradClipCB
from minitrain.checkpoint import CheckpointCB
from minitrain.data import DataLoader, DataLoaders, Dataset, get_dls
from minitrain.learner import Callback, Learner, TrainCB
from minitrain.likelihood import cross_entropy
from minitrain.loop import accuracy
from minitrain.metrics import Accuracy, ConfusionMatrix, MetricsCB
from minitrain.experiments.digits import DigitsConfig, digits
from minitrain.scale import AccelerateCB, CompileCB, _NoiseCB, _Share, _normed, _part, default_trainer
from minitrain.runs import RunDir, load_config

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


def data(n=61, seed=0):
    g = torch.Generator().manual_seed(seed)
    x = torch.randn(n, 1, 6, 6, generator=g)
    return x, (x.flatten(1)[:, :3].sum(1) > 0).long() + (x.flatten(1)[:, 3] > 1).long()


def loaders(bs=12, n=61):
    "61 samples in batches of 12: the last batch is one sample"
    x, y = data(n + 25)
    return DataLoaders(*get_dls(Dataset(x[:n], y[:n]), Dataset(x[n:], y[n:]), bs, seed=4))


def torch_loaders(prepared=False):
    "torch's own loader, which shuffles by the global generator, or one that accelerate has prepared"
    x, y = data(86)
    torch.manual_seed(3)
    train, valid = TorchLoader(TensorDataset(x[:61], y[:61]), 12 if not prepared else 12//int(os.environ.get("WORLD_SIZE", 1)), shuffle=not prepared), TorchLoader(TensorDataset(x[61:], y[61:]), 24)
    if prepared and "WORLD_SIZE" in os.environ:
        from accelerate import Accelerator
        train = Accelerator(cpu=True).prepare(train)  # a user's own: it stays
    return DataLoaders(train, valid)


def linear(): return nn.Sequential(nn.Flatten(), nn.Linear(36, 3))
def normed(): return nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(64, 8), nn.BatchNorm1d(8, momentum=None), nn.ReLU(), nn.Linear(8, 3))
def mixed(): return nn.Sequential(nn.Flatten(), nn.Linear(36, 8), nn.Dropout(0.5), nn.Linear(8, 3))


WEIGHTED = nn.CrossEntropyLoss(weight=torch.tensor([0.2, 1., 3.]), ignore_index=0)
JOBS = dict(
    plain=lambda: (linear(), loaders(), cross_entropy, ()),
    batchnorm=lambda: (normed(), loaders(n=62), cross_entropy, ()),  # the last batch: one sample for each, which BatchNorm alone refuses
    weights=lambda: (linear(), loaders(n=65), WEIGHTED, ()),  # labels that do not count; in some batches a process has no other
    total=lambda: (linear(), loaders(), nn.CrossEntropyLoss(reduction="sum"), ()),
    accumulate=lambda: (linear(), loaders(), cross_entropy, (GradAccumCB(2), GradClipCB(0.5))),
    torch_loader=lambda: (linear(), torch_loaders(), cross_entropy, ()),
    list_loader=lambda: (linear(), DataLoaders(list(loaders().train), list(loaders().valid)), cross_entropy, ()),
    changed=lambda: (normed(), loaders(n=62), cross_entropy, (BatchTransformCB(lambda b: [b[0]*2, b[1]]),)),
    prepared=lambda: (linear(), torch_loaders(True), cross_entropy, ()))


def train(name):
    torch.manual_seed(100 + RANK if name in ("plain", "batchnorm") else 100)  # processes may begin apart: the weights of process 0 count
    if name == "plain" and RANK == 0: torch.manual_seed(100)
    model, dls, loss_func, cbs = JOBS[name]()
    learn = Learner(model, dls, loss_func, 0.01 if name == "total" else 0.1, [default_trainer(), Quiet(accuracy), losses := Losses(), noise := Noise(), *cbs])
    loader = dls.train
    learn.fit(2)
    assert learn.dls.train is loader and learn.model is model and learn.dl in (dls.train, dls.valid)
    assert not [m for m in model.modules() if "forward" in vars(m)] and all(p.grad is None for p in model.parameters())
    return dict(losses=losses.values, noise=noise.values, rows=[{k: v for k, v in o.items() if k in ("loss", "accuracy")} for o in learn.metrics.rows],
                state={k: o.double().flatten().tolist() for k, o in model.state_dict().items()}, rng=torch.get_rng_state().sum().item())


class OwnPredict(AccelerateCB):
    def predict(self, learn): learn.preds = learn.model(learn.batch[0])


class OwnRun(AccelerateCB):
    def predict(self, learn): learn.preds = self.run(learn, learn.batch[0])


def job_same(folder):
    "Every way to train, and the state that is left"
    out = {name: train(name) for name in JOBS if name != "prepared"}
    from accelerate.state import AcceleratorState, PartialState
    out["left"] = dict(states=len(PartialState._shared_state) + len(AcceleratorState._shared_state), handler=signal.getsignal(signal.SIGTERM) is signal.SIG_DFL)
    out["prepared"] = train("prepared")
    assert len(PartialState._shared_state) > 0
    torch.manual_seed(0)
    learn = Learner(linear(), loaders(), cross_entropy, 0.1, [OwnPredict(mixed_precision="no")])
    try: learn.fit(1)
    except RuntimeError as e: out["own"] = str(e)
    learn = Learner(linear(), loaders(), cross_entropy, 0.1, [OwnRun(mixed_precision="no"), Quiet(accuracy)])
    learn.fit(1)
    out["evaluated"] = [r for r in learn.metrics.rows if r["train"] == "eval"]
    learn.fit(1, train=False)  # not shared: each process goes through everything
    out["evaluated"].append(learn.metrics.rows[-1])
    (Path(folder)/f"{RANK}.json").write_text(json.dumps(out))
    Learner(linear(), loaders(n=61 + RANK), cross_entropy, 0.1, [default_trainer()]).fit(1)  # not the same data: refused


class Dies(Callback):
    order = 2000
    def after_batch(self, learn):
        if RANK == 1 and learn.training and (learn.epoch, learn.iter) == (1, 3): os.kill(os.getpid(), signal.SIGKILL)


class Sleeps(Callback):
    def after_batch(self, learn):
        if RANK == 1 and learn.training and learn.iter == 2:
            print("process 1 sleeps", flush=True)
            time.sleep(100)


def resumable(folder, *cbs, trainer=None):
    torch.manual_seed(7)
    return Learner(normed(), loaders(n=62), cross_entropy, 0.1, [trainer or default_trainer(), Quiet(accuracy), CheckpointCB(Path(folder)/"run", every=2, resume=True), *cbs])


class Stops(Callback):
    order = 2000
    def after_batch(self, learn):
        if learn.training and (learn.epoch, learn.iter) == (1, 3): raise RuntimeError("stopped here")


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
    return dict(rows=rows, state=[o.flatten().tolist() for o in learn.model.state_dict().values()], draws=[torch.rand(1).item(), random.random(), np.random.rand()],
                left=[type(cb).__name__ for cb in learn.cbs])


def job_exact(folder):
    "Bit for bit, and what two parts of it are for"
    folder, out = Path(folder), {}
    out["never"], out["resumed"] = whole(folder/"never", False), whole(folder/"resumed", True)
    together, MetricsCB.together = MetricsCB.together, lambda self, learn: nullcontext()
    out["apart"], MetricsCB.together = whole(folder/"apart", True), together
    seeded, _NoiseCB.before_batch = _NoiseCB.before_batch, lambda self, learn: None
    out["unseeded"], _NoiseCB.before_batch = whole(folder/"unseeded", True), seeded
    (folder/f"{RANK}.json").write_text(json.dumps(out))


def job_killed(folder):
    resumable(folder, Dies()).fit(3)


def job_hung(folder):
    learn = Learner(linear(), loaders(), cross_entropy, 0.1, [AccelerateCB(timeout=4), MetricsCB(accuracy), Sleeps()])
    learn.fit(1)


if __name__ == "__main__":
    torch.set_num_threads(1)
    globals()[f"job_{sys.argv[1]}"](sys.argv[2])
    sys.exit()


# ---------------------------------------------------------------- launched

import pandas as pd
import pytest
from hypothesis import given, strategies as st

TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
# `accelerate launch --cpu --num_processes 2` starts one process (seen with 1.15); --multi_gpu starts as many as asked for, also where there are only CPUs
ACCELERATE = [sys.executable, "-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2", "--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no", "--main_process_port", "0"]
needs_accelerate = pytest.mark.skipif(not __import__("importlib").util.find_spec("accelerate"), reason="accelerate is not installed")


def environment(**kwargs):
    env = {k: v for k, v in os.environ.items() if k not in ("RANK", "WORLD_SIZE", "LOCAL_RANK")}
    return dict(env, OMP_NUM_THREADS="1", PYTHONPATH=os.pathsep.join(filter(None, sys.path)), **kwargs)


def launch(launcher, job, folder, timeout=150):
    start = time.monotonic()
    done = subprocess.run([*launcher, __file__, job, str(folder)], env=environment(), capture_output=True, text=True, timeout=timeout, cwd=folder)
    return SimpleNamespace(rc=done.returncode, out=done.stdout, err=done.stderr, seconds=time.monotonic() - start)


def launch_by_hand(job, folder, timeout=150):
    "Two processes without a launcher: the environment is all that is needed"
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    envs = [environment(RANK=str(r), LOCAL_RANK=str(r), WORLD_SIZE="2", MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port)) for r in (0, 1)]
    both = [subprocess.Popen([sys.executable, __file__, job, str(folder)], env=env, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) for env in envs]
    try: err = [p.communicate(timeout=timeout)[1] for p in both]
    finally:
        for p in both: p.kill()
    return SimpleNamespace(rc=max(abs(p.returncode) for p in both), err="".join(err))


@pytest.fixture(scope="module")
def same(tmp_path_factory):
    "What both processes of a launch found, and how it ended"
    pytest.importorskip("accelerate")
    folder = tmp_path_factory.mktemp("same")
    done = launch_by_hand("same", folder)
    assert (folder/"1.json").exists(), done.err
    return [json.loads((folder/f"{r}.json").read_text()) for r in (0, 1)], done


def close(a, b, tol): return torch.allclose(torch.tensor(a, dtype=torch.float64), torch.tensor(b, dtype=torch.float64), rtol=tol, atol=tol)


@pytest.mark.parametrize("name", JOBS)
def test_two_processes_are_one(same, name):
    "The same losses of every update, metrics and weights as one process, where the last batch is a single sample"
    (a, b), one = (o[name] for o in same[0]), train(name)
    if name != "total": assert a["losses"] == b["losses"] and close(a["losses"], one["losses"], 1e-5)
    assert len(a["losses"]) == len(one["losses"]) == 12
    for p, q in zip(a["rows"], one["rows"], strict=True): assert close(list(p.values()), list(q.values()), 1e-5)
    assert a["rows"] == b["rows"] and a["state"] == b["state"]
    for k, o in one["state"].items(): assert close(a["state"][k], o, 1e-4), k


def test_random_numbers(same):
    "Process 0 draws what one process would; process 1 draws others, and all end with the same generator"
    a, b = (o["plain"] for o in same[0])
    assert a["noise"] == train("plain")["noise"]
    assert len({*a["noise"], *b["noise"]}) >= len(set(b["noise"])) + 1 and not set(a["noise"]) & set(b["noise"])
    assert len(set(b["noise"])) == 12
    assert a["rng"] == b["rng"]


def test_nothing_is_left(same):
    for o in same[0]: assert o["left"] == dict(states=0, handler=True)


def test_a_predict_that_goes_around_the_trainer(same):
    for o in same[0]: assert "self.run" in o["own"]


def test_evaluation_is_not_shared_and_counts_the_same(same):
    for o in same[0]:
        shared, alone = ([r["loss"], r["accuracy"]] for r in o["evaluated"])
        assert close(shared, alone, 1e-5)


def test_other_data_is_refused(same):
    assert same[1].rc != 0 and "the same data in each process" in same[1].err


def test_killed_process(tmp_path):
    "kill -9 of one of two: the other says so and ends, its checkpoint is whole, and one process finishes the run, with every row right"
    pytest.importorskip("accelerate")
    done = launch(TORCHRUN, "killed", tmp_path)
    assert done.rc != 0
    said = [o for o in done.err.splitlines() if re.search(r"has lost the others|stopped by the launcher", o)]
    assert len(said) == 1, done.err
    assert list((tmp_path/"run").glob("checkpoint-*.pt")) and not list((tmp_path/"run").glob(".*"))
    learn = resumable(tmp_path)
    learn.fit(3)
    never = resumable(tmp_path/"never")
    never.fit(3)
    for k, o in never.model.state_dict().items(): torch.testing.assert_close(learn.model.state_dict()[k], o, rtol=1e-4, atol=1e-4)
    assert [r["train"] for r in learn.metrics.rows] == ["train", "eval"]*3
    assert close(*([[r["loss"], r["accuracy"]] for r in x.metrics.rows] for x in (learn, never)), 1e-4)


def test_resumed_by_two_is_never_stopped(tmp_path):
    "Weights, every row and the generators, bit for bit, with dropout, random changes and a stop between two batches; each of two parts is needed for it"
    pytest.importorskip("accelerate")
    done = launch_by_hand("exact", tmp_path)
    assert (tmp_path/"1.json").exists(), done.err
    a, b = (json.loads((tmp_path/f"{r}.json").read_text()) for r in (0, 1))
    assert a["resumed"] == a["never"] == b["never"] == b["resumed"] and len(a["never"]["rows"]) == 6
    assert sum(map(sum, a["never"]["rows"][2]["matrix"])) == 61 and "_NoiseCB" not in a["never"]["left"]
    assert a["apart"]["state"] == a["never"]["state"] and a["apart"]["rows"][2] != a["never"]["rows"][2]
    assert a["unseeded"]["state"] != a["never"]["state"]


def test_digits_by_accelerate_launch(tmp_path):
    "`accelerate launch -m minitrain digits`: stopped, resumed, one process writes and prints, and the rows are those of one process"
    pytest.importorskip("accelerate")
    def start(*args): return subprocess.Popen([*ACCELERATE, "-m", "minitrain", "digits", *args], env=environment(), cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    stopped = start("--epochs", "2", "--width", "4", "--batch_size", "256", "--save_every", "3", "--affine", "0", "--warp", "0", "--out", "run")
    while not list((tmp_path/"run").glob("checkpoint-*")) and stopped.poll() is None: time.sleep(0.002)
    stopped.terminate()  # the launcher passes it on, as it does when a machine is shut down
    said = stopped.communicate(timeout=100)[1]
    assert stopped.returncode != 0 and "stopped by the launcher (SIGTERM)" in said, said
    before = len((tmp_path/"run"/"metrics.csv").read_text().splitlines()) if (tmp_path/"run"/"metrics.csv").exists() else 1
    resumed = start("--resume", "run")
    out, said = resumed.communicate(timeout=200)
    assert resumed.returncode == 0, said
    first, *rows, last = out.splitlines()
    assert re.match(r"going on at epoch \d, batch \d+ ", first) and last == "run"
    assert before < 3 and len(rows) >= 2 and len(set(rows)) == len(rows)  # each once
    names = {o.name for o in (tmp_path/"run").iterdir()}
    assert {"config.yaml", "metrics.csv", "model.safetensors", "result.json", "loss.png", "mistakes.csv"} <= names and not [o for o in names if o.startswith(".")]
    alone = digits.run(load_config(tmp_path/"run"/"config.yaml", DigitsConfig), tmp_path/"alone", progress=False)[0]
    pd.testing.assert_frame_equal(RunDir(tmp_path/"run").metrics, alone.metrics, rtol=1e-2)


def test_hung_process(tmp_path):
    "By accelerate's own launcher: a process that sleeps for ever is given up after the timeout, and told to end; one process prints"
    pytest.importorskip("accelerate")
    done = launch(ACCELERATE, "hung", tmp_path)
    assert done.rc != 0 and done.seconds < 100
    assert done.out.count("process 1 sleeps") == 1
    assert "process 0 of 2 has lost the others" in done.err and "gave no answer for 4 s" in done.err, done.err
    assert "process 1 of 2: stopped by the launcher (SIGTERM)" in done.err


# ---------------------------------------------------------------- alone

@given(st.integers(0, 200), st.integers(1, 20))
def test_parts(n, world):
    got = [range(n)[_part(n, r, world)] for r in range(world)]
    assert sum(map(list, got), []) == list(range(n))
    assert max(map(len, got)) - min(map(len, got)) <= 1 and len(got[0]) == max(map(len, got))


def members(world): return [SimpleNamespace(rank=r, world=world, tell=lambda o: o) for r in range(world)]


def seen(dl, world):
    "What each process gets, with the samples that do not count left out"
    out = []
    for g in members(world):
        share = _Share(dl, g)
        out.append([[float(v) for v in batch[0].flatten()] if share.real else [] for batch in share])
    return out


@pytest.mark.parametrize("world", [1, 2, 3, 5])
@pytest.mark.parametrize("kind", ["ours", "ours_sampler", "ours_drop", "torch", "torch_workers", "list", "iterable"])
def test_shares_are_the_batches(kind, world):
    x, y = torch.arange(11.), torch.zeros(11)
    ds = TensorDataset(x, y)
    class Stream(torch.utils.data.IterableDataset):
        def __iter__(self): return iter(zip(x, y))
    make = dict(ours=lambda: DataLoader(Dataset(x, y), 5, shuffle=True, seed=2), ours_sampler=lambda: DataLoader(Dataset(x, y, tfm=lambda o: o), 5, sampler=list(range(10, -1, -1)), seed=2),
        ours_drop=lambda: DataLoader(Dataset(x, y), 4, drop_last=True, shuffle=True, seed=2), torch=lambda: TorchLoader(ds, 5, shuffle=True, generator=torch.Generator().manual_seed(1)),
        torch_workers=lambda: TorchLoader(ds, 5, num_workers=1), list=lambda: [(x[:7], y[:7]), (x[7:8], y[7:8])], iterable=lambda: TorchLoader(Stream(), 5))[kind]
    if kind == "torch_workers" and world != 2: pytest.skip("once is enough")
    whole = [[float(v) for v in batch[0]] for batch in make()]
    got = []
    for g in members(world):
        share = _Share(make(), g)
        got.append([[float(v) for v in b[0]] if share.real else [] for b in share])
        assert len(got[-1]) == len(whole)
    assert [sum((o[i] for o in got), []) for i in range(len(whole))] == whole


def test_share_leaves_the_loader_alone():
    dl = DataLoader(Dataset(torch.arange(11.), torch.zeros(11)), 5, shuffle=True, seed=2)
    before = dict(vars(dl))
    it = iter(_Share(dl, members(2)[1]))
    next(it); next(it)
    assert set(vars(dl)) == set(before) and (dl.state_dict()["epoch"], dl.state_dict()["batch"]) == (0, 2)
    twin = DataLoader(Dataset(torch.arange(11.), torch.zeros(11)), 5, shuffle=True, seed=2)
    twin.load_state_dict(dl.state_dict())  # the checksum of the whole order fits
    assert torch.equal(next(iter(twin))[0][-len(b := next(it)[0]):], b) or not len(b)


def test_accelerates_loader_repeats_and_ours_does_not():
    shard = pytest.importorskip("accelerate.data_loader").BatchSamplerShard
    x = torch.arange(5.)
    def prepared(r): return TorchLoader(TensorDataset(x, x), batch_sampler=shard(torch.utils.data.BatchSampler(range(5), 2, False), 2, r))
    theirs = [float(v) for r in (0, 1) for b in prepared(r) for v in b[0]]
    assert len(theirs) > 5  # the control
    ours = [[[float(v) for v in b[0]] if s.real else [] for b in s] for r in (0, 1) for s in [_Share(prepared(r), members(2)[r])]]
    assert ours == [[[0, 1], [4]], [[2, 3], []]]


@pytest.mark.parametrize("make, shape", [(partial(nn.BatchNorm1d, 3), (6, 3)), (partial(nn.BatchNorm1d, 3, affine=False), (4, 3, 5)), (partial(nn.BatchNorm2d, 3, momentum=None), (4, 3, 2, 2)),
    (partial(nn.BatchNorm2d, 3, track_running_stats=False), (4, 3, 2, 2)), (partial(nn.BatchNorm3d, 3), (2, 3, 2, 2, 2))])
def test_norm_of_one_is_torchs(make, shape):
    torch.manual_seed(0)
    ours, theirs = make(), make()
    alone = SimpleNamespace(real=True, group=SimpleNamespace(sum=lambda t: t.clone()))
    for training in (True, True, False):
        x = torch.randn(shape)*3 + 100
        a, b = x.clone().requires_grad_(), x.clone().requires_grad_()
        ours.train(training); theirs.train(training)
        p, q = _normed(ours, alone, a), theirs(b)
        torch.testing.assert_close(p, q, rtol=1e-4, atol=1e-4)
        up = torch.randn_like(p)
        p.backward(up); q.backward(up)
        torch.testing.assert_close(a.grad, b.grad, rtol=1e-3, atol=1e-4)
    for p, q in zip(ours.buffers(), theirs.buffers(), strict=True): torch.testing.assert_close(p, q, rtol=1e-4, atol=1e-4)


def fitted(trainer, n=2, **kwargs):
    torch.manual_seed(0)
    learn = Learner(mixed() if kwargs.pop("drop", False) else linear(), loaders(), cross_entropy, 0.1, [trainer, Quiet(accuracy)], **kwargs)
    learn.fit(n)
    return learn


@needs_accelerate
def test_alone_it_is_a_train_cb():
    a, b = fitted(AccelerateCB(mixed_precision="no"), drop=True), fitted(TrainCB(), drop=True)
    for p, q in zip(a.model.parameters(), b.model.parameters()): assert torch.equal(p, q)
    assert a.metrics.rows == b.metrics.rows
    half = fitted(AccelerateCB())  # fp16 asked for: a CPU computes in bf16
    full = fitted(TrainCB())
    far = (half.model[1].weight - full.model[1].weight).abs().max()
    assert 0 < far < 0.02 and half.preds.dtype == torch.float32
    assert not torch.is_autocast_enabled("cpu")


@needs_accelerate
def test_scaler_drops_an_update_and_tells_the_schedule():
    "The fp16 path on a CPU's scaler: an overflow is no update, and nothing of it stays"
    steps = []
    class Steps(Callback):
        def after_step(self, learn): steps.append(learn.iter)
    class Scaled(AccelerateCB):
        def _begin(self, learn, cpu):
            super()._begin(learn, cpu)
            self.acc.scaler = torch.amp.GradScaler("cpu", init_scale=2.**127)
    torch.manual_seed(0)
    large = lambda preds, yb: cross_entropy(preds, yb)*4  # times 2**127 that is more than float32 holds
    learn = Learner(linear(), loaders(), large, 0.02, [cb := Scaled(), Steps()])
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


def test_default_trainer(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    assert type(default_trainer()) is TrainCB and default_trainer(2).n_inp == 2
    with pytest.raises(KeyError): default_trainer(mixed_precision="half")
    half = default_trainer(mixed_precision="bf16")
    assert type(half).__name__ == "MixedPrecision" and half.dtype is torch.bfloat16
    if __import__("importlib").util.find_spec("accelerate"):
        monkeypatch.setenv("WORLD_SIZE", "2")
        cb = default_trainer(2, "bf16", timeout=5)
        assert type(cb) is AccelerateCB and (cb.n_inp, cb.mixed_precision, cb.timeout) == (2, "bf16", 5)
        monkeypatch.setenv("RANK", "1")
        assert not cb.is_main and not Learner(linear(), loaders(), cbs=cb).is_main


def test_missing_accelerate(monkeypatch):
    monkeypatch.setattr("minitrain.scale.find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"pip install 'minitrain\[distributed\]'"): AccelerateCB()


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
