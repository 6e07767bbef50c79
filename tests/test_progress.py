"""Lesson 11: histories, bars where they are read, logs that survive, what was recorded, a writer for TensorBoard."""
import io, json, math, os, pty, signal, subprocess, sys, termios, time
from types import SimpleNamespace

import pandas as pd
import pytest
import torch
import torch.nn.functional as F
from torch import nn

import minitrain.predict  # gives the Learner `capture_preds`
from child import Child
from conftest import OFFLINE
from minitrain.core import ArgumentError
from minitrain.data import DataLoaders
from minitrain.learner import (
    Callback, CancelEpochException, CancelFitException, Learner, TrainCB)
from minitrain.loop import accuracy
from minitrain.metrics import Accuracy, ConfusionMatrix, F1, MetricsCB
from minitrain.progress import (
    CSVLogCB, HistoryCB, ProgressCB, RecorderCB, TensorBoardCB, append_row, mend_csv)
from minitrain.runs import RunDir


def data(n=20, bs=6, seed=0, k=3):
    g = torch.Generator().manual_seed(seed)
    x, y = torch.randn(n, 4, generator=g), torch.randint(0, k, (n,), generator=g)
    return list(zip(x.split(bs), y.split(bs)))


def learner(*cbs, lr=0.1, **kwargs):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
    return Learner(net, DataLoaders(data(), data()[:2]), F.cross_entropy, lr, [TrainCB(), *cbs], **kwargs)


class Raises(Callback):
    "Raises at a batch of an epoch, in training"
    order = 50
    def __init__(self, error, epoch=0, batch=1): self.error, self.at = error, (epoch, batch)
    def before_batch(self, learn):
        if learn.training and (learn.epoch, learn.iter) == self.at: raise self.error


# --- history --------------------------------------------------------------------------------------------------------------

def test_history():
    history, cb = HistoryCB(), MetricsCB(Accuracy(), cm=ConfusionMatrix())
    learn = learner(cb, history)
    assert len(history.df) == 0 and list(history.df) == ["epoch"]
    learn.fit(3)
    learn.fit(1, train=False)
    learn.fit(2, valid=False)
    df = history.df
    assert list(df) == ["epoch", "train_loss", "valid_loss", "train_Accuracy", "valid_Accuracy"] and list(df.epoch) == [*range(6)]
    assert df.epoch.dtype.kind == "i" and (df.dtypes.iloc[1:] == "float64").all()
    assert df.valid_loss.notna().tolist() == [True]*4 + [False]*2 and df.train_loss.notna().tolist() == [True]*3 + [False] + [True]*2
    valid = [o["loss"] for o in cb.rows if o["train"] == "eval"]
    assert df.valid_loss.dropna().tolist() == valid and history.best() == min(range(4), key=lambda i: valid[i])


@pytest.mark.parametrize("error, epochs", [(CancelFitException, [0, 1]), (CancelEpochException, [0, 1, 2]), (KeyError, [0, 1])])
def test_history_of_an_epoch_that_is_cut_short(error, epochs):
    "It has a row; one that was cancelled before its first batch has none, and is not taken for the one before"
    for batch in (1, 0):
        history = HistoryCB()
        learn = learner(MetricsCB(), history, Raises(error, 1, batch))
        try: learn.fit(3, valid=False)
        except KeyError: pass
        assert history.df.epoch.tolist() == (epochs if batch else [o for o in epochs if o != 1])
        learn.fit(1)
        assert history.rows[-1]["epoch"] == history.rows[-2]["epoch"] + 1


def with_rows(**columns):
    "A history of validation values, by column"
    history = HistoryCB()
    n = len(next(iter(columns.values())))
    rows = [dict(epoch=i, **{f"valid_{k}": v[i] for k, v in columns.items()}) for i in range(n)]
    history.load_state_dict(history.state_dict() | dict(rows=rows))
    return history


def test_the_best_epoch():
    nan = math.nan
    history = with_rows(loss=[3., 1., nan, 1.5], accuracy=[0.1, 0.9, 0.95, nan], thing=[0.1, 0.9, 0.95, nan])
    assert history.best() == 1 and history.best("accuracy") == 2 and history.best("thing") is None
    assert history.best("thing", higher=True) == 2 and history.best("thing", higher=False) == 0
    with pytest.raises(ArgumentError, match="accuracy"): history.best("acc")


HIGHER = ("accuracy", "MulticlassAccuracy", "BinaryF1Score", "top_k", "MulticlassAUROC", "R2Score")
LOWER = ("loss", "error_rate", "MeanSquaredError", "Perplexity", "cross_entropy")


def test_which_way_is_better():
    history = with_rows(**dict.fromkeys([*HIGHER, *LOWER, "thing", "stop", "grad_norm"], [1., 2.]))
    for names, want in ((HIGHER, 1), (LOWER, 0), (("thing", "stop", "grad_norm"), None)):
        for name in names: assert history.best(name) == want, name


def test_what_the_metric_says_counts_first():
    history = HistoryCB()
    learner(MetricsCB(error=Accuracy()), history).fit(4)
    assert history.best("error") == history.df.valid_error.idxmax()


def test_history_plot():
    history = HistoryCB()
    learner(MetricsCB(Accuracy(), thing=lambda p, t: p.mean()), history).fit(4)
    axs = history.plot()
    assert [ax.get_ylabel() for ax in axs] == ["loss", "Accuracy", "thing"] and {ax.get_xlabel() for ax in axs} == {"epoch"}
    assert [sum("best" in o.get_label() for o in ax.lines) for ax in axs] == [1, 1, 0]
    mark = next(o for o in axs[0].lines if "best" in o.get_label())
    assert set(mark.get_xdata()) == {history.best()}
    assert [ax.get_ylabel() for ax in history.plot("thing")] == ["thing"]


def test_history_needs_metrics():
    with pytest.raises(ArgumentError): learner(HistoryCB()).fit(1)


def test_recorders_stay_out_of_what_only_looks():
    cb, history = MetricsCB(), HistoryCB()
    learner(cb, history).capture_preds()
    assert cb.rows == [] and len(history.df) == 0


# --- progress

TRAIN = """
import sys
from minitrain.all import *
import torch, time
from torch import nn
set_seed(1)
x, y = torch.randn(60, 4), torch.randint(0, 3, (60,))
dl = DataLoader(Dataset(x, y), 6)
class Slow(Callback):
    def after_batch(self, learn): time.sleep(0.02)
learn = Learner(nn.Linear(4, 3), DataLoaders(dl, dl), cross_entropy, 0.1, [TrainCB(), DeviceCB("cpu"), MetricsCB(accuracy), ProgressCB(%s), Slow()])
learn.fit(2)
assert not isinstance(vars(learn.metrics).get("_log"), object.__class__) and "_log" not in vars(learn.metrics)
print("IPython" in sys.modules, "ipywidgets" in sys.modules, "matplotlib.pyplot" in sys.modules, file=sys.stderr)
"""


def test_in_a_pipe_the_table_alone(run_offline):
    done = run_offline(sys.executable, "-c", TRAIN % "plot=True")
    assert done.returncode == 0, done.stderr
    assert done.stderr.strip() == "False False False", "no bar, and nothing imported for it"
    lines = done.stdout.splitlines()
    assert len(lines) == 5 and len({len(o) for o in lines}) == 1, "a header and four rows, aligned"
    assert lines[0].split() == ["epoch", "train", "loss", "accuracy"] and [o.split()[1] for o in lines[1:]] == ["train", "eval"]*2


def in_terminal(command, env, cwd, **kwargs):
    "Run with a terminal on standard error: status, standard output, what the terminal got"
    terminal, end = pty.openpty()
    termios.tcsetwinsize(end, (24, 80))
    process = subprocess.Popen([*OFFLINE, *command], cwd=cwd, env=env, stdin=subprocess.DEVNULL, stderr=end, stdout=subprocess.PIPE, text=True, **kwargs)
    os.close(end)
    shown = b""
    while True:
        try: chunk = os.read(terminal, 4096)
        except OSError: break
        if not chunk: break
        shown += chunk
    os.close(terminal)
    out, _ = process.communicate(timeout=120)
    return process.returncode, out, shown.decode()


def test_in_a_terminal_a_bar(wheel_env, tmp_path):
    status, out, shown = in_terminal([sys.executable, "-c", TRAIN % "plot=True"], wheel_env, tmp_path)
    assert status == 0 and len(out.splitlines()) == 5 and "\r" not in out
    assert "epoch 0 of 2, train" in shown and "epoch 1 of 2, eval" in shown and "loss " in shown and "/10 [==" in shown
    assert "epoch" not in shown.rpartition("\x1b[K")[2], "the bar is gone at the end"


class Terminal(io.StringIO):
    def isatty(self): return True


def test_only_one_process_draws(monkeypatch):
    class Other(TrainCB): is_main = False
    monkeypatch.setattr(sys, "stderr", Terminal())
    learn = learner(ProgressCB())
    learn.cbs[0] = Other()
    learn.fit(1)
    assert "epoch" not in sys.stderr.getvalue()


@pytest.mark.parametrize("stderr", [None, "closed"])
def test_progress_without_standard_error(stderr, monkeypatch, capsys):
    "As under pythonw, or in a daemon"
    stream = Terminal()
    stream.close()
    monkeypatch.setattr(sys, "stderr", stream if stderr else None)
    learner(MetricsCB(accuracy), ProgressCB()).fit(1)
    assert len(capsys.readouterr().out.splitlines()) == 3


def notebook(code, tmp_path, package, run_offline):
    "Run cells in a fresh kernel; gives the outputs of each"
    cells = [dict(cell_type="code", id=f"c{i}", metadata={}, source=o, outputs=[], execution_count=None) for i, o in enumerate(code)]
    (tmp_path/"nb.ipynb").write_text(json.dumps(dict(cells=cells, metadata=dict(kernelspec=dict(name="python3", display_name="p", language="python")), nbformat=4, nbformat_minor=5)))
    run = "import nbformat, sys\nfrom nbclient import NotebookClient\nnb = nbformat.read('nb.ipynb', 4)\nNotebookClient(nb, kernel_name='python3').execute()\nnbformat.write(nb, 'out.ipynb')"
    done = run_offline(sys.executable, "-c", run)
    assert done.returncode == 0, done.stderr
    return [c["outputs"] for c in json.loads((tmp_path/"out.ipynb").read_text())["cells"]]


def test_in_a_notebook(tmp_path, package, run_offline):
    "The table replaces the bar in place; nothing that changes from run to run is stored; ipywidgets is not there"
    spy = "import IPython.display as D\nshown = []\nupdate = D.DisplayHandle.update\ndef spy(self, obj, **kw): shown.append(obj); return update(self, obj, **kw)\nD.DisplayHandle.update = spy"
    _, plain, bars, curve = notebook([spy, TRAIN % "", "print(sum('/10 [' in o['text/plain'] and '<pre>' in o['text/html'] for o in shown))", TRAIN % "plot=True"], tmp_path, package, run_offline)
    assert int("".join(bars[0]["text"])) >= 2, "while it ran there was a bar"
    for out in (plain, curve):
        shows = [o for o in out if o["output_type"] == "display_data"]
        assert len(shows) == 1 and not [o for o in out if o["output_type"] == "stream" and o["name"] == "stdout"]
        text, rich = ("".join(shows[0]["data"][k]) for k in ("text/plain", "text/html"))
        assert "/10 [" not in text + rich and "<pre>" not in rich and rich.count("<tr") == 5
        assert ("data:image/png" in rich) == (out is curve)
        assert text.splitlines()[0].split() == ["epoch", "train", "loss", "accuracy"] and len(text.splitlines()) == 5


def test_metrics_prints_by_itself_again(capsys):
    metrics = MetricsCB(accuracy)
    learn = learner(metrics, ProgressCB())
    learn.fit(1)
    table = capsys.readouterr().out
    assert "{" not in table and "_log" not in vars(metrics)
    learn.cbs = [cb for cb in learn.cbs if not isinstance(cb, ProgressCB)]
    learn.fit(1)
    assert capsys.readouterr().out.count("{") == 2


@pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt, CancelFitException])
def test_rows_are_given_back_whatever_happens(error):
    class Bad(Callback):
        def after_batch(self, learn): raise error()
    metrics = MetricsCB(accuracy)
    own = metrics._log = lambda d: None
    learn = learner(metrics, ProgressCB(), Bad())
    try: learn.fit(1)
    except (ZeroDivisionError, KeyboardInterrupt): pass
    assert vars(metrics)["_log"] is own


def test_progress_without_metrics_and_without_length(capsys, monkeypatch):
    class Endless:
        def __iter__(self): return iter(data())
    monkeypatch.setattr(sys, "stderr", Terminal())
    Learner(nn.Linear(4, 3), Endless(), F.cross_entropy, cbs=[TrainCB(), ProgressCB()]).fit(1)
    assert capsys.readouterr().out == "" and "train: 1 loss" in sys.stderr.getvalue()


def test_progress_keeps_losses_for_plot():
    seen = []
    class See(Callback):
        def after_batch(self, learn): seen.append(learn.loss.item()) if learn.training else None
    progress = ProgressCB(plot=True)
    learner(progress, See()).fit(2)
    assert progress.losses == pytest.approx(seen) and len(seen) == 8


# --- the CSV log

def test_csv_rows_are_those_of_the_history(tmp_path):
    history = HistoryCB()
    learn = learner(MetricsCB(accuracy), history, CSVLogCB(tmp_path/"deep"/"log.csv"))
    learn.fit(2)
    learn.fit(1)
    df = pd.read_csv(tmp_path/"deep"/"log.csv", float_precision="round_trip")
    pd.testing.assert_frame_equal(df, history.df[df.columns])
    assert set(df.columns) == set(history.df.columns) and df["epoch"].tolist() == [0, 1, 2]


def test_csv_into_a_run(tmp_path):
    run = RunDir(tmp_path/"run", dict(a=1))
    learner(MetricsCB(accuracy), CSVLogCB(run)).fit(2, valid=False)
    assert run.metrics["epoch"].tolist() == [0, 1] and list(run.metrics) == ["epoch", "train_loss", "train_accuracy"]


def test_csv_keeps_an_epoch_cut_short(tmp_path):
    class Stop(Callback):
        def after_batch(self, learn):
            if learn.epoch == 1 and learn.iter == 1: raise CancelFitException()
    learner(MetricsCB(accuracy), CSVLogCB(tmp_path/"log.csv"), Stop()).fit(3)
    df = pd.read_csv(tmp_path/"log.csv")
    assert len(df) == 2 and df["valid_loss"].isna().tolist() == [False, True] and df["train_loss"].notna().all()


def test_csv_resumes_at_a_row(tmp_path):
    path = tmp_path/"log.csv"
    log = CSVLogCB(path)
    learn = learner(MetricsCB(accuracy), log)
    learn.fit(3)
    state = log.state_dict()
    text = path.read_text()
    learn.fit(2)
    with open(path, "a") as f: f.write("5,0.12")  # torn
    new = CSVLogCB(path)
    new.load_state_dict(json.loads(json.dumps(state)))
    assert path.read_text() == text and text.count("\n") == 4
    learner(MetricsCB(accuracy), new).fit(1)
    assert pd.read_csv(path)["epoch"].tolist() == [0, 1, 2, 3]


def test_csv_state_in_the_middle_of_an_epoch(tmp_path):
    "Between training and validation the state holds the part that is known"
    states, path = [], tmp_path/"a.csv"
    class Save(Callback):
        order = 1000
        def cleanup_epoch(self, learn): states.append((log.state_dict(), learn.metrics.state_dict()))
    learner(MetricsCB(accuracy), log := CSVLogCB(path), Save()).fit(1)
    os.truncate(path, 0)
    again, metrics = CSVLogCB(path), MetricsCB(accuracy)
    class Load(Callback):
        order = 1000
        def before_fit(self, learn): metrics.load_state_dict(states[0][1]); again.load_state_dict(states[0][0])
    learner(metrics, again, Load()).fit(1, train=False)
    row = pd.read_csv(path)
    assert len(row) == 1 and row.notna().all(axis=None)


@pytest.mark.parametrize("error", [CancelFitException, ZeroDivisionError, KeyboardInterrupt])
@pytest.mark.parametrize("epoch", [0, 1])
@pytest.mark.parametrize("same", [True, False], ids=["same callback", "another"])
def test_no_partial_row_stays(tmp_path, error, epoch, same):
    "A run that is begun again, without a checkpoint, has the rows of whole epochs alone"
    path = tmp_path/"log.csv"
    log = CSVLogCB(path)
    try: learner(MetricsCB(accuracy), log, Raises(error, epoch)).fit(3)
    except (ZeroDivisionError, KeyboardInterrupt): pass
    assert pd.read_csv(path).valid_loss.isna().tolist() == [False]*epoch + [True]
    learner(MetricsCB(accuracy), log if same else CSVLogCB(path)).fit(3)
    df = pd.read_csv(path)
    assert df.epoch.tolist() == [*range(epoch + 3)] and df.notna().all(axis=None)


def test_csv_of_epochs_that_are_cancelled_early(tmp_path):
    "Where the fit goes on, an epoch cut short is an epoch"
    class Short(Callback):
        def before_batch(self, learn):
            if learn.iter == 2: raise CancelEpochException()
    learner(MetricsCB(), CSVLogCB(tmp_path/"log.csv"), Short()).fit(3, valid=False)
    learner(MetricsCB(), CSVLogCB(tmp_path/"log.csv"), Short()).fit(2, valid=False)
    assert pd.read_csv(tmp_path/"log.csv").epoch.tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("header", ["a,b", "epoch,train_loss,train_accuracy", "epoch,train_loss,valid_loss", "epoch,train_loss,valid_loss,train_accuracy"])
def test_other_columns_are_noticed_before_the_training(tmp_path, header):
    path, text = tmp_path/"log.csv", f"{header}\n" + ",".join("1"*len(header.split(","))) + "\n"
    path.write_text(text)
    metrics = MetricsCB(accuracy, ConfusionMatrix())
    with pytest.raises(ArgumentError, match="columns"): learner(metrics, CSVLogCB(path)).fit(1)
    assert metrics.rows == [] and path.read_text() == text


def test_a_file_with_more_columns_serves(tmp_path):
    path = tmp_path/"log.csv"
    learner(MetricsCB(accuracy, ConfusionMatrix(), F1()), CSVLogCB(path)).fit(1)
    learner(MetricsCB(ConfusionMatrix(), accuracy), CSVLogCB(path)).fit(1)
    learner(MetricsCB(accuracy), CSVLogCB(path)).fit(1, valid=False)
    df = pd.read_csv(path)
    assert df.epoch.tolist() == [0, 1, 2] and df.valid_accuracy.notna().tolist() == [True, True, False]


def test_csv_needs_metrics(tmp_path):
    with pytest.raises(ArgumentError, match="MetricsCB"): learner(CSVLogCB(tmp_path/"log.csv")).fit(1)
    assert not (tmp_path/"log.csv").exists()


def test_rows_and_their_ends(tmp_path):
    path = tmp_path/"a.csv"
    assert mend_csv(path) is None
    for i in range(3): append_row(path, dict(b=i, a="x,y"), ["a", "b"])
    append_row(path, dict(a=9), ["a", "b"], end="")
    assert path.read_text().endswith("2\n9,") and mend_csv(path, 3) == ["a", "b"]
    assert path.read_text() == 'a,b\n"x,y",0\n"x,y",1\n'
    path.write_text("a,")
    assert mend_csv(path) is None and path.read_text() == ""


def test_csv_survives_a_kill(tmp_path):
    code = (TRAIN % "").replace("Slow()]", "Slow(), CSVLogCB('log.csv')]").replace("fit(2)", "fit(1000)")
    child, out = Child(exec, code, {}, folder=tmp_path, stdout=tmp_path/"out"), tmp_path/"out"
    while child.poll() is None and not (out.exists() and out.read_text().count("\n") >= 6): time.sleep(0.01)  # two epochs and more
    child.kill()
    assert child.wait() == -signal.SIGKILL
    df = pd.read_csv(tmp_path/"log.csv")
    assert df["epoch"].tolist()[:2] == [0, 1] and df.notna().all(axis=None)


# --- recorder

def test_recorder():
    rec = RecorderCB(lr=lambda cb: cb.pg["lr"], loss=lambda cb: cb.learn.loss, epoch=lambda cb: cb.learn.epoch)
    learn = learner(rec, lr=0.05)
    learn.fit(2)
    assert {k: len(v) for k, v in rec.recs.items()} == dict(lr=8, loss=8, epoch=8)
    assert rec.recs["epoch"] == [0]*4 + [1]*4 and set(rec.recs["lr"]) == {0.05} and len({float(o) for o in rec.recs["loss"]}) > 6
    assert not any(o.requires_grad for o in rec.recs["loss"])
    fig = rec.plot()
    assert [ax.get_ylabel() for ax in fig.axes] == ["lr", "loss", "epoch"] and [len(ax.lines[0].get_ydata()) for ax in fig.axes] == [8]*3
    learn.fit(1, train=False)
    assert len(rec.recs["lr"]) == 8
    again = RecorderCB(lr=len)
    again.load_state_dict(rec.state_dict())
    assert again.recs["lr"] == rec.recs["lr"] and again.recs is not rec.recs
    learn.fit(1)
    assert len(rec.recs["lr"]) == 4


def test_the_recorder_sees_the_optimizer_that_runs():
    "Also after its state was loaded in mid-fit, which makes new dicts, or when it is another one"
    rec = RecorderCB(lr=lambda cb: cb.pg["lr"])
    class Resumes(Callback):
        order = 1000
        def before_fit(self, learn): learn.opt.load_state_dict(learn.opt.state_dict())
        def after_batch(self, learn):
            if learn.iter == 2: learn.opt = torch.optim.SGD(learn.model.parameters(), 1.)
            learn.opt.param_groups[0]["lr"] /= 2
    learner(rec, Resumes(), lr=0.1, opt_func=torch.optim.SGD).fit(1, valid=False)
    assert rec.recs["lr"] == [0.1, 0.05, 0.025, 0.5]


# --- TensorBoard

class Writer:
    def __init__(self, log_dir=None): self.log_dir, self.seen, self.flushed = log_dir, [], 0
    def add_scalar(self, *args): self.seen.append(args)
    def flush(self): self.flushed += 1


def test_tensorboard():
    writer, metrics = Writer(), MetricsCB(accuracy, ConfusionMatrix())
    cb = TensorBoardCB(writer, every=3)
    learn = learner(metrics, cb)
    learn.fit(2)
    assert [o[2] for o in writer.seen if o[0] == "loss/batch"] == [3, 6]
    rows = {o[:1] + o[2:]: o[1] for o in writer.seen if o[0] != "loss/batch"}
    assert rows == {(f"{k}/{row['train']}", 4*(row["epoch"] + 1)): row[k] for row in metrics.rows for k in ("loss", "accuracy")}
    n = len(writer.seen)
    again, fresh = TensorBoardCB(writer, every=3), MetricsCB(accuracy)
    again.load_state_dict(cb.state_dict()); fresh.load_state_dict(metrics.state_dict())
    class Load(Callback):
        order = 1000
        def before_fit(self, learn): again.load_state_dict(cb.state_dict())
    learner(fresh, again, Load()).fit(1)
    assert [o[2] for o in writer.seen[n:]] == [9, 12] + [12]*4
    assert len(cb.df) == 2 and writer.flushed


def test_tensorboard_makes_a_writer_where_it_can(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", SimpleNamespace(SummaryWriter=Writer))
    assert TensorBoardCB("here").writer.log_dir == "here"


def test_one_bar_a_fit():
    "Said before the training, not by an AttributeError after it"
    learn = learner(metrics := MetricsCB(), ProgressCB())
    with pytest.raises(ArgumentError, match="`cbs`"): learn.fit(1, cbs=ProgressCB())
    assert learn.preds is None and "_log" not in vars(metrics)


def test_seconds_left_of_an_epoch_that_is_resumed(monkeypatch):
    "Two of ten batches are left, each takes 10 s"
    class Clock(Callback):
        now, order = 0, -1
        def before_fit(self, learn): learn.first_iter = 8
        def before_batch(self, learn): self.now += 10
    class Rest(list):
        def __len__(self): return 10
    clock = Clock()
    monkeypatch.setattr("minitrain.progress.monotonic", lambda: clock.now)
    monkeypatch.setattr(sys, "stderr", Terminal())
    learn = learner(clock, ProgressCB())
    learn.dls = DataLoaders(Rest(data(12)))
    learn.fit(1, valid=False)
    assert "9/10" in sys.stderr.getvalue() and ", 10 s left" in sys.stderr.getvalue()
