#!/usr/bin/env python3
"""Kill and resume: small trainings, each killed (SIGKILL) once or more and resumed, must end with the same bits.

    python bench/resume.py [--runs 50] [--fresh 6] [--seed 0] [--out minitrain/assets/results/resume.csv]

One training is run to its end without a kill. Then each run is killed one to three times and resumed each time, by
the same script from another random state. A kill comes either from outside, after a time drawn uniformly from what
the training takes, or from inside, at a step of a checkpoint's write that is drawn beforehand. Most runs are forks
of one process that has imported torch; `--fresh` of them are interpreters of their own. After each kill every
checkpoint in the run's folder is read. A row is a kill: where it hit (`stage`, `epoch`, `batch`, as the child noted
them in shared memory), how many checkpoints were there, how many of them were unreadable, how many half-written
temporary files it left, and whether the run that it belongs to ended with the weights, optimizer, metrics rows,
history and best weights of the reference, bit for bit.
"""
import argparse, hashlib, json, mmap, os, random, shutil, signal, subprocess, sys, tempfile, time
from contextlib import contextmanager
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
import numpy as np
import pandas as pd
import torch
from torch import nn

from minitrain import checkpoint as ckpt, runs
from minitrain.all import AdamW, BatchSchedCB, Callback, CheckpointCB, DataLoader, DataLoaders, Dataset, EMACB, GradAccumCB, Learner, MetricsCB, TrainCB, accuracy, set_seed
from minitrain.checkpoint import _unpack, checkpoints
from minitrain.runs import RunDir
from minitrain.progress import HistoryCB

ROOT = Path(__file__).parents[1]
EPOCHS, BATCHES = 3, 8
STAGES = ["not begun", "before the first batch", "training batch", "validation", "checkpoint: packing", "checkpoint: half written", "checkpoint: before fsync",
          "checkpoint: before rename", "checkpoint: after rename", "checkpoint: before pruning", "best weights: being written", "after the fit", "done"]
INSIDE = [o for o in STAGES if o.startswith("checkpoint")]


class Board:
    "What a child notes down for its parent: stage, epoch, batch, and at the end a digest; survives the child's death"
    SIZE = 64

    def __init__(self, path):
        if not path.exists() or path.stat().st_size != self.SIZE: path.write_bytes(bytes(self.SIZE))
        with open(path, "r+b") as f: self.map = mmap.mmap(f.fileno(), self.SIZE)

    def clear(self): self.map[:] = bytes(self.SIZE)
    def mark(self, stage, epoch=None, batch=None):
        if epoch is not None: self.map[1:3] = bytes([epoch, batch])
        self.map[0] = STAGES.index(stage)
    @property
    def stage(self): return STAGES[self.map[0]]
    @property
    def place(self): return self.map[1], self.map[2]
    @property
    def digest(self): return self.map[8:40].decode()
    @digest.setter
    def digest(self, text): self.map[8:40] = text.encode()


class Watch(Callback):
    "Notes where the training is"
    order = -2000
    only_in_fit = True

    def __init__(self, mark): self.mark = mark
    def before_fit(self, learn): self.mark("before the first batch", 0, 0)
    def before_batch(self, learn): self.mark("training batch" if learn.training else "validation", learn.epoch, learn.iter)
    def before_epoch(self, learn):
        if not learn.training: self.mark("validation", learn.epoch, 0)
    def cleanup_fit(self, learn): self.mark("after the fit")


def instrument(mark):
    "Mark the steps of a write, each where a kill would leave another state on the disk"
    whole, replace, fsync, pack, write = runs.atomic_write, os.replace, os.fsync, ckpt._pack, ckpt._write
    inside = []

    class Halves:
        def __init__(self, f, best): self.f, self.best = f, best
        def write(self, data):
            self.f.write(data[:len(data)//2])
            self.f.flush()
            mark("best weights: being written" if self.best else "checkpoint: half written")
            self.f.write(data[len(data)//2:])

    @contextmanager
    def atomic_write(path, mode="w"):
        best = path.name.startswith("model-best")
        inside.append(best)
        with whole(path, mode) as f: yield Halves(f, best)
        inside.pop()
        if not best: mark("checkpoint: before pruning")

    def marked(f, stage, after=None):
        def g(*args):
            here = bool(inside) and not inside[-1]
            if here and stage: mark(stage)
            out = f(*args)
            if here and after: mark(after)
            return out
        return g
    ckpt.atomic_write, os.fsync = atomic_write, marked(fsync, "checkpoint: before fsync")
    os.replace = marked(replace, "checkpoint: before rename", "checkpoint: after rename")
    def packing(state):
        mark("checkpoint: packing")
        return pack(state)
    ckpt._pack = packing


def learner(path, start, cbs=()):
    "The same learner for every child, but for its random state and first weights, which a resume must not need"
    set_seed(start)
    g = torch.Generator().manual_seed(1)
    x = torch.randn(2*BATCHES*8 + 24, 6, generator=g)
    y = (x @ torch.randn(6, 3, generator=g)).argmax(1)
    n = len(x) - 24
    model = nn.Sequential(nn.Linear(6, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.2), nn.Linear(16, 3))
    jitter = lambda o: o + 0.1*torch.randn_like(o)
    dls = DataLoaders(DataLoader(Dataset(x[:n], y[:n], jitter), 16, shuffle=True), DataLoader(Dataset(x[n:], y[n:]), 12))
    sched = BatchSchedCB(lambda opt: torch.optim.lr_scheduler.OneCycleLR(opt, 0.05, total_steps=EPOCHS*BATCHES))
    return Learner(model, dls, nn.functional.cross_entropy, 0.05, opt_func=AdamW, cbs=[TrainCB(), GradAccumCB(3), sched, EMACB(0.9), MetricsCB(accuracy), HistoryCB(),
        CheckpointCB(path, every=2, best="valid_loss", resume=True), *cbs])


def update(h, x):
    "Feed a nesting of dicts, lists, tensors and values to a hash, every bit of it"
    if isinstance(x, dict): x = list(x.items())
    if isinstance(x, torch.Tensor): h.update(repr((x.dtype, x.shape)).encode() + x.detach().numpy().tobytes())
    elif isinstance(x, (list, tuple)):
        h.update(f"[{len(x)}".encode())
        for o in x: update(h, o)
    else: h.update(f"{type(x).__name__} {x!r};".encode())


def result(learn, path):
    "Digest of everything that the run must end with"
    history = next(cb for cb in learn.cbs if isinstance(cb, HistoryCB)).df
    rows = [{k: float(v) if isinstance(v, torch.Tensor) else v for k, v in row.items()} for row in learn.metrics.rows]
    opt = learn.opt.state_dict()
    opt["param_groups"] = [dict(sorted(group.items())) for group in opt["param_groups"]]  # a loaded state lists its options in another order
    averages = next(cb for cb in learn.cbs if isinstance(cb, EMACB)).averages
    state = dict(model=dict(learn.model.state_dict()), opt=opt, averages=averages, rows=rows, history=history.to_csv())
    best = (path/"model-best.safetensors").read_bytes()
    h = hashlib.blake2b(best, digest_size=16)
    update(h, state)
    return h.hexdigest()


def child(path, board, start, aim=None):
    "Train, or go on; `aim` is a stage and how many times it must come before the child kills itself there"
    torch.set_num_threads(1)
    left = [aim[1] if aim else None]
    def mark(stage, *place):
        board.mark(stage, *place)
        if aim and stage == aim[0]:
            left[0] -= 1
            if left[0] == 0: os.kill(os.getpid(), signal.SIGKILL)
    instrument(mark)
    learn = learner(path, start if checkpoints(path) else 0, [Watch(mark)])  # before its first checkpoint a run is its script and its seed
    with open(os.devnull, "w") as null:
        sys.stdout = null
        learn.fit(EPOCHS)
    board.digest = result(learn, path)
    board.mark("done")


class Forked:
    "A child that costs nothing to start"
    def __init__(self, path, board, start, aim):
        sys.stdout.flush()
        self.pid = os.fork()
        if self.pid: return
        try: child(path, board, start, aim)
        except BaseException:
            import traceback; traceback.print_exc()
            os._exit(1)
        os._exit(0)
    def alive(self):
        if self.pid and os.waitpid(self.pid, os.WNOHANG)[0]: self.pid = None
        return self.pid is not None
    def kill(self):
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        self.pid = None


class Fresh:
    "A child with an interpreter of its own"
    def __init__(self, path, board, start, aim):
        self.p = subprocess.Popen([sys.executable, __file__, "--child", json.dumps([str(path), str(path) + ".board", start, aim])])
    def alive(self): return self.p.poll() is None
    def kill(self):
        self.p.kill()
        self.p.wait()


def finish(process, board, limit=120):
    "Wait for a child's end"
    end = time.monotonic() + limit
    while process.alive():
        if time.monotonic() > end: process.kill()
        time.sleep(0.001)


def begun(process, board):
    "Wait until the child is in its fit"
    while process.alive() and board.stage == "not begun": time.sleep(0.0005)


def one_run(number, folder, rng, took, want, kind, kills):
    "Kill a run `kills` times, resuming each time, then let it end; gives a row for each kill"
    path, rows = folder/f"run{number}", []
    board = Board(folder/f"run{number}.board")
    process_type = {"fork": Forked, "fresh": Fresh}[kind]
    for turn in range(kills):
        board.clear()
        inside = rng.random() < 0.5
        aim = (rng.choice(INSIDE), rng.randint(1, 6)) if inside else None
        process = process_type(path, board, rng.randrange(10**6), aim)
        begun(process, board)
        if not inside:
            until = time.monotonic() + rng.random()*took
            while process.alive() and time.monotonic() < until: time.sleep(0.0002)
            if process.alive(): process.kill()
        finish(process, board)
        if board.stage == "done": break  # it ended before the kill
        files, bad = checkpoints(path) if path.exists() else [], 0
        for o in files:
            try: _unpack(o.read_bytes())
            except ValueError: bad += 1
        rows.append(dict(run=number, process=kind, kill=turn + 1, how="inside a write" if inside else "after a random time", stage=board.stage, epoch=board.place[0],
            batch=board.place[1], checkpoints=len(files), unreadable=bad, leftovers=len(list(path.glob(".*.tmp"))) if path.exists() else 0))
    board.clear()
    finish(process_type(path, board, rng.randrange(10**6), None), board)
    same = board.stage == "done" and board.digest == want
    shutil.rmtree(path, ignore_errors=True)
    return [dict(row, identical=same) for row in rows], same


def reference(folder, number="reference"):
    "Digest of a training that nobody kills, and the seconds that it takes"
    path, board = folder/number, Board(folder/f"{number}.board")
    process = Forked(path, board, 0, None)
    begun(process, board)
    start = time.monotonic()
    finish(process, board)
    if board.stage != "done": raise RuntimeError("the reference did not end")
    return board.digest, time.monotonic() - start


def measure(runs, fresh, seed, folder, most=3):
    "A row for each kill, in `runs` runs that were killed at least once"
    rng, rows, number = random.Random(seed), [], 0
    want, took = reference(folder)
    while number < runs:
        new, same = one_run(number, folder, rng, took, want, "fresh" if number < fresh else "fork", rng.randint(1, most))
        if not new:  # all its kills came too late: draw again
            if not same: raise RuntimeError("a run that was not killed differs from the reference")
            continue
        rows += new
        number += 1
    return pd.DataFrame(rows), took


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--runs", type=int, default=50)
    p.add_argument("--fresh", type=int, default=6, help="runs whose children are interpreters of their own")
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--out", type=Path, default=ROOT/"minitrain"/"assets"/"results"/"resume.csv")
    p.add_argument("--child", help=argparse.SUPPRESS)
    args = p.parse_args()
    if args.child:
        path, board, start, aim = json.loads(args.child)
        return child(Path(path), Board(Path(board)), start, aim)
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder: df, took = measure(args.runs, args.fresh, args.seed, Path(folder))
    runs.save_results(df, args.out, command=f"python bench/resume.py --runs {args.runs} --fresh {args.fresh} --seed {args.seed}", seed=args.seed, seconds=round(took, 2))
    print(df.groupby("stage").agg(kills=("kill", "size"), unreadable=("unreadable", "sum"), leftovers=("leftovers", "sum"), identical=("identical", "all")))
    ended = df.groupby("run").identical.all()
    print(f"{ended.sum()} of {len(ended)} runs bit-identical, {len(df)} kills, {df.unreadable.sum()} unreadable checkpoints")
    if not ended.all() or df.unreadable.sum(): raise SystemExit(1)


if __name__ == "__main__": main()
