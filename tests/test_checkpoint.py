"""Checkpoints: the bits of what is stored, every kind of run resumed at every point, kills at random instants, and files that must be refused."""
import importlib.util, io, pickle, random, shutil, struct, threading
from collections import Counter, defaultdict, deque, OrderedDict
from contextlib import redirect_stdout
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st
from safetensors.torch import load_file
from torch import nn

from conftest import ROOT
from minitrain import checkpoint as ckpt
from minitrain.all import AdamW, ArgumentError, BatchSchedCB, Callback, CancelBatchException, CancelEpochException, CancelFitException, CheckpointCB, DataLoader, DataLoaders, Dataset, EarlyStopCB, EMACB, EpochSchedCB, GradAccumCB, Learner, MetricsCB, MixedPrecision, Momentum, MomentumLearner, RecorderCB, SGD, TrainCB, TrainLearner, accuracy, set_seed
from minitrain.checkpoint import _digest, _pack, _unpack, checkpoints, pack_weights, read_weights
from minitrain.runs import RunDir
from minitrain.progress import CSVLogCB, HistoryCB


# What is stored comes back with the same types and bits

def bits(x):
    "A nesting with every float, tensor and array replaced by its bits"
    if type(x) in (float, complex): return type(x), struct.pack("dd", complex(x).real, complex(x).imag)
    if isinstance(x, (list, tuple)): return type(x), [bits(o) for o in x]
    if isinstance(x, dict): return type(x), [(bits(k), bits(v)) for k, v in x.items()]
    if isinstance(x, torch.Tensor): return "tensor", x.dtype, tuple(x.shape), x.contiguous().reshape(-1).view(torch.uint8).tolist()
    if isinstance(x, (np.ndarray, np.generic)): return type(x), x.dtype, x.shape, x.tobytes()
    return type(x), x


keys = st.one_of(st.text(max_size=4), st.integers(), st.booleans(), st.none(), st.tuples(st.integers(), st.text(max_size=2)))
leaves = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8), st.binary(max_size=8), st.complex_numbers(),
                   st.floats(width=32).map(np.float32), st.lists(st.floats(width=32), max_size=3).map(torch.tensor), st.lists(st.integers(0, 9), max_size=3).map(np.array))
nestings = st.recursive(leaves, lambda o: st.one_of(st.lists(o, max_size=3), st.lists(o, max_size=3).map(tuple), st.dictionaries(keys, o, max_size=3)), max_leaves=8)


@settings(max_examples=40, deadline=None)
@given(nestings)
def test_a_nesting_comes_back(x):
    assert bits(_unpack(_pack(x))) == bits(x)


def test_odd_values_come_back():
    nan = struct.unpack("d", struct.pack("Q", 0xfff8000000000123))[0]
    x = [nan, -0.0, 5e-324, 2**200, Counter("aab"), OrderedDict(b=1, a=2), {0: 1, "0": 2, (1, "a"): 3}, {1, 2}, True, np.True_,
         torch.tensor(1.5, dtype=torch.bfloat16), torch.zeros(0, 3), torch.arange(6).view(2, 3).t(), torch.tensor([True, False]), torch.tensor([1 + 2j]),
         torch.tensor([1, 2], dtype=torch.uint32), np.float64(0.1), np.array(3), np.arange(6)[::2], torch.Size([2, 3])]
    assert bits(_unpack(_pack(x))) == bits(x)


def test_shared_memory_is_stored_once_and_stays_shared():
    w = torch.randn(1000)
    data = _pack(dict(a=w, b=[w], view=w.view(10, 100)))
    got = _unpack(data)
    got["a"].zero_()
    assert got["a"] is got["b"][0] and not got["view"].any() and len(data) < 2*len(_pack(w))
    assert torch.equal(_unpack(data)["a"], w), "each reading has memory of its own"


class Strange: pass


@pytest.mark.parametrize("x, name", [
    (Strange(), "Strange"), ({"a": [Strange()]}, "Strange"), (accuracy, "accuracy"), (deque([1]), "deque"), (defaultdict(int), "defaultdict"),
    (np.array(["a"]), "StrDType"), (np.array([None]), "ObjectDType"), (range(3), "range"), (Path("a"), "Path"), (2**9999, "")])
def test_what_cannot_be_read_back_is_refused_by_name_when_saving(x, name, tmp_path):
    with pytest.raises(ArgumentError, match=f"^`state`: .*{name}") as e: _pack(dict(x=x))
    assert "\n" not in str(e.value)
    class Remembers(Callback):
        def state_dict(self): return dict(x=x)
        def load_state_dict(self, state): pass
    with pytest.raises(ArgumentError): base(0, CheckpointCB(tmp_path/"run"), Remembers()).fit(1)
    x = lambda: 0
    with pytest.raises(Exception, match="lambda"): base(0, CheckpointCB(tmp_path/"run"), Remembers()).fit(1)
    assert not list((tmp_path/"run").glob("*checkpoint-*"))


# A run resumed at every checkpoint is the run that never stopped

def data(n=46, seed=1):
    g = torch.Generator().manual_seed(seed)
    x = torch.randn(n + 20, 6, generator=g)
    return x, (x @ torch.randn(6, 3, generator=g)).argmax(1)


def model(seed):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.3), nn.Linear(8, 3))


def loaders(tfm=None, **kwargs):
    x, y = data()
    return DataLoaders(DataLoader(Dataset(x[:46], y[:46], tfm), 8, shuffle=True, **kwargs), DataLoader(Dataset(x[46:], y[46:]), 8))


def torch_loaders(**kwargs):
    x, y = data()
    sets = [torch.utils.data.TensorDataset(x[:46], y[:46]), torch.utils.data.TensorDataset(x[46:], y[46:])]
    return DataLoaders(torch.utils.data.DataLoader(sets[0], 8, shuffle=True, **kwargs), torch.utils.data.DataLoader(sets[1], 8))


def base(seed, *cbs, cls=Learner, opt=AdamW, lr=0.01, dls=None):
    set_seed(seed)
    m = model(seed)
    trainer = [] if cls is not Learner or any(isinstance(cb, TrainCB) for cb in cbs) else [TrainCB()]
    return cls(m, dls() if dls else loaders(), nn.functional.cross_entropy, lr, opt_func=opt, cbs=[*trainer, MetricsCB(accuracy), HistoryCB(), *cbs])


class Gradually(Callback):
    "Thaws the first layer in the second epoch, and draws random numbers where an epoch begins"
    only_in_fit = True
    def before_fit(self, learn): learn.model[0].requires_grad_(False)
    def before_epoch(self, learn):
        torch.rand(3); random.random(); np.random.rand()
        if learn.epoch == 1: learn.model[0].requires_grad_(True)


class Skips(Callback):
    "Cancels a batch before it, one after the backward pass, and a whole epoch in its middle"
    def before_batch(self, learn):
        if learn.training and (learn.epoch, learn.iter) == (0, 1): raise CancelBatchException
        if learn.training and (learn.epoch, learn.iter) == (1, 3): raise CancelEpochException
    def after_backward(self, learn):
        if learn.iter == 2: raise CancelBatchException


class Plain(torch.nn.Module):
    "Tied weights, a buffer that state_dict leaves out, a frozen parameter"
    def __init__(self, seed):
        super().__init__()
        torch.manual_seed(seed)
        self.a, self.b, self.out = nn.Linear(6, 6), nn.Linear(6, 6), nn.Linear(6, 3)
        self.b.weight = self.a.weight
        self.a.bias.requires_grad_(False)
        self.register_buffer("seen", torch.zeros(()), persistent=False)
    def forward(self, x):
        if self.training: self.seen += 1
        return self.out(self.b(self.a(x).relu()))*(1 + 0.01*self.seen)


def tied(seed, *cbs):
    learn = base(seed, *cbs)
    learn.model = Plain(seed)
    return learn


def sched(): return BatchSchedCB(lambda opt: torch.optim.lr_scheduler.OneCycleLR(opt, 0.05, total_steps=30))
def steps(): return EpochSchedCB(lambda opt: torch.optim.lr_scheduler.MultiStepLR(opt, [1, 2], 0.3))


KINDS = dict(
    plain=base,
    transform=lambda seed, *cbs: base(seed, *cbs, dls=lambda: loaders(lambda o: o + 0.1*torch.randn_like(o))),
    onecycle=lambda seed, *cbs: base(seed, sched(), *cbs),
    milestones=lambda seed, *cbs: base(seed, steps(), *cbs, opt=Momentum),
    torch_optimizer=lambda seed, *cbs: base(seed, sched(), *cbs, opt=torch.optim.Adam),
    accumulation=lambda seed, *cbs: base(seed, GradAccumCB(4), EMACB(0.9), *cbs),
    half=lambda seed, *cbs: base(seed, MixedPrecision(), *cbs),
    fading=lambda seed, *cbs: base(seed, *cbs, cls=MomentumLearner, opt=SGD),
    by_itself=lambda seed, *cbs: base(seed, *cbs, cls=TrainLearner),
    thawing=lambda seed, *cbs: base(seed, Gradually(), *cbs),
    cancelling=lambda seed, *cbs: base(seed, Skips(), *cbs),
    tied=tied,
    no_validation=lambda seed, *cbs: base(seed, *cbs, dls=lambda: [loaders().train]),
    list_of_batches=lambda seed, *cbs: base(seed, *cbs, dls=lambda: DataLoaders(list(loaders().train), list(loaders().valid))) if seed == 0 else base(0, *cbs, dls=lambda: DataLoaders(list(loaders().train), list(loaders().valid))),
    torch_loader=lambda seed, *cbs: base(seed, *cbs, dls=torch_loaders),
    torch_generator=lambda seed, *cbs: base(seed, *cbs, dls=lambda: torch_loaders(generator=torch.Generator().manual_seed(seed))),
)


def run_fit(learn, n=3):
    with redirect_stdout(io.StringIO()) as out: learn.fit(n)
    return out.getvalue()


def state_of(learn):
    history = next(cb for cb in learn.cbs if isinstance(cb, HistoryCB)).df
    hidden = {k: o for k, o in learn.model.named_buffers()}
    ema = [cb.averages for cb in learn.cbs if isinstance(cb, EMACB)]
    opt = learn.opt.state_dict()
    opt["param_groups"] = [dict(sorted(o.items())) for o in opt["param_groups"]]
    return bits([dict(learn.model.state_dict()), hidden, opt, learn.metrics.rows, ema, [p.requires_grad for p in learn.model.parameters()], torch.get_rng_state(), list(random.getstate())]), history.to_csv()


def place(file):
    state = _unpack(file.read_bytes())
    return state["epoch"], state["batch"]


@pytest.mark.parametrize("kind", KINDS)
def test_every_checkpoint_leads_to_the_same_end(kind, tmp_path):
    make = KINDS[kind]
    whole = make(0)
    run_fit(whole)
    want = state_of(whole)
    every = None if kind.startswith("torch_l") or kind.startswith("torch_g") else 1
    learn = make(0, CheckpointCB(tmp_path/"run", every=every, keep=None))
    run_fit(learn)
    assert state_of(learn) == want, "saving must change nothing"
    files = checkpoints(tmp_path/"run")
    assert len(files) == 1 + (6 if every is None else 3*6 + 3*(kind != "cancelling"))  # its second epoch ends after three batches
    for file in random.Random(kind).sample(files, 5) if every else files:
        shutil.copy(file, RunDir(tmp_path/file.stem, {}).path)
        again = make(7, CheckpointCB(tmp_path/file.stem, resume=True))
        said = run_fit(again)
        assert said.startswith(("going on at epoch", "nothing left to do"))
        assert state_of(again) == want, file.name


@pytest.mark.parametrize("part", ["_to_opt", "_to_loader", "set_rng_state", "_to_model"])
def test_the_comparison_can_fail(part, tmp_path, monkeypatch):
    make = KINDS["onecycle"]
    whole = make(0)
    run_fit(whole)
    run_fit(make(0, CheckpointCB(tmp_path/"run", every=3, keep=None)))
    shutil.copy(checkpoints(tmp_path/"run")[1], RunDir(tmp_path/"one", {}).path)
    monkeypatch.setattr(ckpt, part, lambda *args: None)
    again = make(7, CheckpointCB(tmp_path/"one", resume=True))
    run_fit(again)
    assert state_of(again) != state_of(whole)


def test_a_script_with_two_fits(tmp_path):
    def script(seed, *cbs, stop=None):
        learn = KINDS["plain"](seed, *cbs)
        run_fit(learn, 2)
        if stop: learn.cbs.append(stop)
        run_fit(learn, 3)
        return learn

    class Stop(Callback):
        def before_batch(self, learn):
            if (learn.epoch, learn.iter) == (1, 4): raise ZeroDivisionError
    want = state_of(script(0))
    with pytest.raises(ZeroDivisionError): script(0, CheckpointCB(tmp_path/"run", every=2), stop=Stop())
    assert state_of(script(7, CheckpointCB(tmp_path/"run", every=2, resume=True))) == want
    assert state_of(script(8, CheckpointCB(tmp_path/"run", resume=True))) == want


def test_a_longer_fit_goes_on(tmp_path):
    whole = KINDS["plain"](0)
    run_fit(whole, 4)
    run_fit(KINDS["plain"](0, CheckpointCB(tmp_path/"run")), 2)
    again = KINDS["plain"](7, CheckpointCB(tmp_path/"run", resume=True))
    run_fit(again, 4)
    assert state_of(again) == state_of(whole)


def test_error_and_second_start(tmp_path):
    "An error in a batch: the last whole checkpoint stands, and nothing is saved on the way out"
    class Fails(Callback):
        def after_step(self, learn):
            if (learn.epoch, learn.iter) == (1, 3): raise ZeroDivisionError
    whole = KINDS["plain"](0)
    run_fit(whole)
    learn = KINDS["plain"](0, CheckpointCB(tmp_path/"run", every=2), Fails())
    with pytest.raises(ZeroDivisionError): run_fit(learn)
    assert place(checkpoints(tmp_path/"run")[-1]) == (1, 2)
    again = KINDS["plain"](7, CheckpointCB(tmp_path/"run", resume=True))
    run_fit(again)
    assert state_of(again) == state_of(whole)


def test_inside_an_exception_handler(tmp_path):
    "A fit that runs while the caller handles an error is saved like any other"
    try: raise KeyError
    except KeyError: run_fit(KINDS["plain"](0, CheckpointCB(tmp_path/"run")), 1)
    assert len(checkpoints(tmp_path/"run")) == 2


def test_early_stop(tmp_path):
    def make(seed, *cbs): return base(seed, EarlyStopCB("valid_loss", patience=1), *cbs, lr=0.5)
    whole = make(0)
    run_fit(whole, 12)
    n = len(next(cb for cb in whole.cbs if isinstance(cb, HistoryCB)).df)
    assert n < 12, "it must stop early for this test"
    learn = make(0, CheckpointCB(tmp_path/"run", keep=None))
    run_fit(learn, 12)
    files = checkpoints(tmp_path/"run")
    assert place(files[-1]) == (n, 0)
    for file in files:
        shutil.copy(file, RunDir(tmp_path/file.stem, {}).path)
        again = make(7, CheckpointCB(tmp_path/file.stem, resume=True))
        run_fit(again, 12)
        assert state_of(again)[0][1][0] == state_of(whole)[0][1][0], file.name


def test_rows_in_a_file_are_written_once(tmp_path):
    whole = KINDS["plain"](0, CSVLogCB(tmp_path/"whole.csv"))
    run_fit(whole)
    run_fit(KINDS["plain"](0, CSVLogCB(tmp_path/"log.csv"), CheckpointCB(tmp_path/"run", every=2, keep=None)))
    for file in checkpoints(tmp_path/"run")[::4]:
        shutil.copy(file, RunDir(tmp_path/file.stem, {}).path)
        shutil.copy(tmp_path/"log.csv", tmp_path/"again.csv")
        run_fit(KINDS["plain"](7, CSVLogCB(tmp_path/"again.csv"), CheckpointCB(tmp_path/file.stem, resume=True)))
        assert (tmp_path/"again.csv").read_bytes() == (tmp_path/"whole.csv").read_bytes()


def test_in_a_thread(tmp_path):
    errors = []
    def work():
        try: KINDS["plain"](0, CheckpointCB(tmp_path/"run")).fit(1)
        except BaseException as e: errors.append(e)
    thread = threading.Thread(target=work)
    with redirect_stdout(io.StringIO()): thread.start(); thread.join()
    assert not errors and len(checkpoints(tmp_path/"run")) == 2


# Files of a run

def test_keep_and_best(tmp_path):
    cb = CheckpointCB(tmp_path/"run", every=2, keep=3, best="valid_accuracy")
    learn = base(0, EMACB(0.5), cb)
    class Keep(Callback):
        order = 100
        weights = {}
        def after_epoch(self, learn):
            if not learn.training: self.weights[learn.epoch] = {k: o.clone() for k, o in learn.model.state_dict().items()}
    learn.cbs.append(keep := Keep())
    run_fit(learn, 4)
    assert len(checkpoints(tmp_path/"run")) == 3 and not list((tmp_path/"run").glob(".*"))
    rows = [o["accuracy"] for o in learn.metrics.rows if o["train"] == "eval"]
    best = max(range(4), key=lambda i: float(rows[i]))
    got = load_file(tmp_path/"run"/"model-best.safetensors")
    assert all(torch.equal(got[k], o) for k, o in keep.weights[best].items())
    assert cb in learn.cbs and len(learn.cbs) == 6


def test_left_overs_are_cleared_away_and_nothing_else(tmp_path):
    run = RunDir(tmp_path/"run", {})
    (run/".checkpoint-000001.pt.999999999.tmp").write_bytes(b"half")
    for name in (".notes.tmp", "checkpoint-mine.pt", ".a.1b.tmp"): run.write(name, "mine")
    run_fit(KINDS["plain"](0, CheckpointCB(run, keep=1)), 1)
    assert [o.name for o in sorted(run.path.glob(".*"))] == [".a.1b.tmp", ".notes.tmp"]
    assert (run/"checkpoint-mine.pt").read_text() == "mine"
    assert len(checkpoints(run.path)) == 1
    (tmp_path/"torn").mkdir()
    (tmp_path/"torn"/".config.yaml.999999999.tmp").write_text("{")  # killed while the folder was made
    run_fit(KINDS["plain"](0, CheckpointCB(tmp_path/"torn")), 1)
    assert RunDir(tmp_path/"torn").config == {}


def test_arguments(tmp_path):
    with pytest.raises(ArgumentError, match="one of .*valid_accuracy"): base(0, CheckpointCB(tmp_path/"run", best="valid_f1")).fit(1)
    with pytest.raises(ArgumentError, match="cannot tell its position"): base(0, CheckpointCB(tmp_path/"run", every=1), dls=torch_loaders).fit(1)
    x = torch.utils.data.DataLoader([0], num_workers=1, persistent_workers=True)
    with pytest.raises(ArgumentError, match="persistent_workers"): base(0, CheckpointCB(tmp_path/"run"), dls=lambda: DataLoaders(x)).fit(1)
    with pytest.raises(ArgumentError, match="new or empty folder"):
        (tmp_path/"other").mkdir()
        (tmp_path/"other"/"thesis.tex").write_text("mine")
        base(0, CheckpointCB(tmp_path/"other")).fit(1)


def test_a_validation_alone_saves_nothing(tmp_path):
    learn = base(0, CheckpointCB(tmp_path/"run"))
    with redirect_stdout(io.StringIO()): learn.fit(1, train=False)
    assert not (tmp_path/"run").exists()


# What is refused, with nothing changed and no code run

@pytest.fixture(scope="module")
def good(tmp_path_factory):
    path = tmp_path_factory.mktemp("good")/"run"
    run_fit(KINDS["onecycle"](0, CheckpointCB(path, every=4)))
    return path, checkpoints(path)[-2]


def put(tmp_path, data):
    run = RunDir(tmp_path/"run", {})
    (run/"checkpoint-000001.pt").write_bytes(data)
    return run


def refuse(learn, run, words):
    "The fit is refused in one line, and the learner, the generators and the loader are as they were"
    def look(): return bits([dict(learn.model.state_dict()), ckpt.rng_state(), learn.dls.train.state_dict() if isinstance(learn.dls.train, DataLoader) else 0, [p.requires_grad for p in learn.model.parameters()]])
    learn.cbs.append(CheckpointCB(run, resume=True))
    before = look()
    with pytest.raises(ArgumentError, match=words) as e, redirect_stdout(io.StringIO()): learn.fit(3)
    assert "\n" not in str(e.value) and look() == before


class Bomb:
    def __init__(self, path): self.path = path
    def __reduce__(self): return Path.touch, (self.path,)


def test_bombs_do_not_go_off(tmp_path):
    "Neither as they are, nor with the digest of a checkpoint behind them"
    boom = tmp_path/"boom"
    torch.save({"model": Bomb(boom)}, tmp_path/"a.pt")
    torch.save({"model": Bomb(boom)}, tmp_path/"b.pt", _use_new_zipfile_serialization=False)
    bombs = [(tmp_path/"a.pt").read_bytes(), (tmp_path/"b.pt").read_bytes(), pickle.dumps(Bomb(boom)), pickle.dumps(Bomb(boom), 0)]
    for i, data in enumerate([*bombs, *(o + _digest(o) for o in bombs)]):
        (tmp_path/str(i)).mkdir()
        refuse(KINDS["onecycle"](0), put(tmp_path/str(i), data), "data, and no code|damaged")
        assert not boom.exists()
    torch.load(tmp_path/"a.pt", weights_only=False)
    assert boom.exists(), "control: the bomb is a real one"


def test_every_flipped_bit_is_noticed(good):
    data = good[1].read_bytes()
    _unpack(data)
    r = random.Random(0)
    for i in [*range(0, len(data), 97), *range(len(data) - 40, len(data))]:
        bad = bytearray(data)
        bad[i] ^= 1 << r.randrange(8)
        with pytest.raises(ArgumentError): _unpack(bytes(bad))


def test_a_torn_file_is_one_line(good, tmp_path):
    data = good[1].read_bytes()
    for size in (0, 1, 15, 16, 17, len(data)//2, len(data) - 16, len(data) - 1):
        with pytest.raises(ArgumentError, match="^`file`: expected a whole checkpoint") as e: _unpack(data[:size], "file")
        assert "\n" not in str(e.value)
    with pytest.raises(ArgumentError): _unpack(data + b"\0")
    refuse(KINDS["onecycle"](0), put(tmp_path, data[:-5]), "damaged.*|delete it")


CHANGES = dict(
    form=lambda s: s.update(form=2), nothing=lambda s: s.clear(), learner=lambda s: s.update(learner="TrainLearner"),
    shape=lambda s: s["model"]["weights"].update({"0.weight": torch.zeros(9, 6)}), dtype=lambda s: s["model"]["weights"].update({"0.bias": torch.zeros(8, dtype=torch.float64)}),
    missing=lambda s: s["model"]["weights"].pop("4.bias"), extra=lambda s: s["model"]["weights"].update(more=torch.zeros(1)), text=lambda s: s["model"]["weights"].update({"0.bias": "zeros"}),
    grad=lambda s: s["model"]["grads"].update({"0.weight": torch.zeros(2)}),
    opt=lambda s: s["opt"].update(kind="Lion"), names=lambda s: s["opt"]["names"][0].reverse(),
    group=lambda s: s["opt"]["state"]["param_groups"].pop(), cbs=lambda s: s["callbacks"].pop(),
    cb_order=lambda s: s["callbacks"].reverse(), cb_state=lambda s: s["callbacks"][0].__setitem__(1, {"wrong": 1}), cb_type=lambda s: s["callbacks"][-1].__setitem__(1, 3),
    loader=lambda s: s["loaders"][0]["position"].update(order=1), seed=lambda s: s["loaders"][0]["position"].update(seed=-1), batches=lambda s: s["loaders"][1].update(batches=99),
    loaders=lambda s: s.update(loaders=[None, None]), rng=lambda s: s["rng"].update(torch=torch.zeros(9, dtype=torch.uint8)), python=lambda s: s["rng"].update(python=(3, np.zeros(4), None)),
    numpy=lambda s: s["rng"].update(numpy={"bit_generator": "Evil"}), no_rng=lambda s: s.pop("rng"),
)


@pytest.mark.parametrize("change", CHANGES)
def test_a_state_that_does_not_fit_changes_nothing(change, good, tmp_path):
    state = _unpack(good[1].read_bytes())
    CHANGES[change](state)
    learn = KINDS["onecycle"](7)
    learn.cbs.append(CheckpointCB(put(tmp_path, _pack(state)), resume=True))
    def look(): return bits([dict(learn.model.state_dict()), ckpt.rng_state(), learn.dls.train.state_dict()])
    before = look()
    with pytest.raises(ArgumentError) as e, redirect_stdout(io.StringIO()): learn.fit(3)
    assert "\n" not in str(e.value) and str(e.value).startswith("`checkpoint-000001.pt`") and look() == before


def test_the_state_fits_when_nothing_is_changed(good, tmp_path):
    "Control for the test above"
    run_fit(KINDS["onecycle"](7, CheckpointCB(put(tmp_path, _pack(_unpack(good[1].read_bytes()))), resume=True)))


@pytest.mark.parametrize("learn, words", [
    (lambda: base(0, sched(), opt=Momentum), "the kind of optimizer: AdamW"), (lambda: base(0, sched(), cls=TrainLearner), "TrainLearner"),
    (lambda: base(0), "callbacks that remember"), (lambda: base(0, sched(), GradAccumCB(2)), "callbacks that remember"),
    (lambda: base(0, sched(), dls=torch_loaders), "the training loader: "), (lambda: base(0, sched(), dls=lambda: [loaders().train]), "the validation loader: "),
], ids=range(6))
def test_another_learner(learn, words, good):
    l = learn()
    l.cbs.append(CheckpointCB(good[0], resume=True))
    before = bits(dict(l.model.state_dict()))
    with pytest.raises(ArgumentError, match=words), redirect_stdout(io.StringIO()): l.fit(3)
    assert bits(dict(l.model.state_dict())) == before


def test_a_run_is_not_begun_twice_by_accident(good):
    with pytest.raises(ArgumentError, match="resume=True"): KINDS["onecycle"](0, CheckpointCB(good[0])).fit(3)


def test_a_run_of_an_older_version_goes_on(tmp_path):
    "tests/checkpoint-000005.pt was written in epoch 1, after two batches, before checkpoints knew their configuration"
    def learner(seed, *cbs):
        set_seed(seed)
        x = torch.arange(48.).reshape(6, 4, 2)/48
        batches = list(zip(x, (x.sum(2) > 1).long()))
        return Learner(nn.Linear(2, 2), DataLoaders(batches), nn.functional.cross_entropy, 0.1, opt_func=torch.optim.AdamW, cbs=[TrainCB(), *cbs])
    whole = learner(0)
    whole.fit(3)
    shutil.copy(ROOT/"tests"/"checkpoint-000005.pt", RunDir(tmp_path/"run", {}).path)
    again = learner(9, CheckpointCB(tmp_path/"run", resume=True))
    assert "epoch 1, batch 2" in run_fit(again)
    assert torch.equal(again.model.weight, whole.model.weight) and torch.equal(again.model.bias, whole.model.bias)


def test_a_configuration_that_was_edited(tmp_path):
    run = RunDir(tmp_path/"run", dict(lr=0.1, seed=1))
    run_fit(KINDS["plain"](0, CheckpointCB(run)), 1)
    run.write("config.yaml", "lr: 0.5\nseed: 1\n")
    refuse(KINDS["plain"](0), run, "`config.yaml`: expected {'lr': 0.1}, as when the run began, got {'lr': 0.5}")


def test_spoilt_weights_are_neither_saved_nor_gone_on_with(tmp_path, good):
    class Spoils(Callback):
        def after_step(self, learn):
            if learn.epoch == 1: learn.model[0].weight.data[0] = float("nan")
    with pytest.raises(FloatingPointError): run_fit(KINDS["plain"](0, CheckpointCB(tmp_path/"a", keep=None), Spoils()))
    assert place(checkpoints(tmp_path/"a")[-1]) == (1, 0)
    state = _unpack(good[1].read_bytes())
    state["model"]["weights"]["0.weight"][0] = float("inf")
    refuse(KINDS["onecycle"](0), put(tmp_path, _pack(state)), "nan or infinity")


def test_a_damaged_newest_checkpoint_says_what_to_do(tmp_path):
    whole = KINDS["plain"](0)
    run_fit(whole)
    run_fit(KINDS["plain"](0, CheckpointCB(tmp_path/"run", keep=3)))
    newest = checkpoints(tmp_path/"run")[-1]
    newest.write_bytes(b"\0" + newest.read_bytes()[1:])
    refuse(KINDS["plain"](0), tmp_path/"run", f"^`{newest.name}`: .*delete it to go on from the one before")
    newest.unlink()
    run_fit(again := KINDS["plain"](7, CheckpointCB(tmp_path/"run", resume=True)))
    assert state_of(again) == state_of(whole)


@pytest.mark.parametrize("kind", ["plain", "half"])
def test_a_group_noted_early_is_the_one_that_is_stepped(kind, tmp_path):
    "Whoever holds `param_groups[0]` from before_fit reads, after a resume, what the schedule writes"
    class Notes(Callback):
        order = -10
        def __init__(self): self.rates = []
        def before_fit(self, learn): self.pg = learn.opt.param_groups[0]
        def after_batch(self, learn): self.rates.append((learn.opt.param_groups[0]["lr"], self.pg["lr"]))
    run_fit(KINDS[kind](0, sched(), CheckpointCB(tmp_path/"run")), 1)
    run_fit(KINDS[kind](7, sched(), CheckpointCB(tmp_path/"run", resume=True), notes := Notes()), 3)
    assert len({a for a, _ in notes.rates}) > 10 and all(a == b for a, b in notes.rates)


def test_moments_keep_their_dtype(tmp_path):
    "torch rounds them to the dtype of their parameter"
    learn = base(0, CheckpointCB(tmp_path/"run"), opt=torch.optim.Adam)
    run_fit(learn, 1)
    w = learn.model[0].weight
    state = ckpt._of_opt(learn)
    for o in state["state"]["state"].values(): o["exp_avg"] = o["exp_avg"].double()
    ckpt._to_opt(learn, _unpack(_pack(state)))
    assert learn.opt.state[w]["exp_avg"].dtype == torch.float64 and learn.opt.state[w]["exp_avg_sq"].dtype == torch.float32


def test_a_run_killed_before_its_first_epoch_has_no_row_too_many(tmp_path):
    "And is the same run, whatever seed its script has meanwhile"
    class Fails(Callback):
        def after_step(self, learn):
            if learn.iter == 2: raise ZeroDivisionError
    whole = KINDS["plain"](0, CSVLogCB(tmp_path/"whole.csv"))
    run_fit(whole)
    with pytest.raises(ZeroDivisionError):
        run_fit(KINDS["plain"](0, CSVLogCB(tmp_path/"log.csv"), CheckpointCB(tmp_path/"run", resume=True), Fails()))
    run_fit(again := KINDS["plain"](7, CSVLogCB(tmp_path/"log.csv"), CheckpointCB(tmp_path/"run", resume=True)))
    assert state_of(again) == state_of(whole)
    assert (tmp_path/"log.csv").read_bytes() == (tmp_path/"whole.csv").read_bytes()


@pytest.mark.parametrize("stop", ["before_epoch", "after_epoch", "after_batch"])
def test_a_fit_that_a_callback_ends(stop, tmp_path):
    "Its epoch is over when it ended after it, and not when it was broken off; the best weights are kept either way"
    class Ends(Callback):
        order = -5
    def end(self, learn):
        if (learn.epoch, learn.training) == (1, stop == "after_batch"): raise CancelFitException
    setattr(Ends, stop, end)
    run_fit(KINDS["plain"](0, CheckpointCB(tmp_path/"run", best="valid_loss"), Ends()), 4)
    want = dict(before_epoch=(1, 6), after_batch=(1, 0), after_epoch=(1, 6))
    assert place(checkpoints(tmp_path/"run")[-1]) == ((2, 0) if stop == "after_epoch" else want[stop])
    whole = KINDS["plain"](0)
    run_fit(whole)
    run_fit(again := KINDS["plain"](7, CheckpointCB(tmp_path/"run", resume=True)))
    assert state_of(again)[0][1][0] == state_of(whole)[0][1][0]  # weights


def test_saved_weights_and_a_flipped_bit(tmp_path):
    learn, other = base(0), base(1)
    learn.save(tmp_path/"a.safetensors")
    other.load(tmp_path/"a.safetensors")
    assert all(map(torch.equal, learn.model.state_dict().values(), other.model.state_dict().values()))
    other.save(tmp_path/"b.safetensors")
    data = (tmp_path/"a.safetensors").read_bytes()
    assert data == (tmp_path/"b.safetensors").read_bytes(), "nothing in it changes from one write to the next"
    for i in range(int.from_bytes(data[:8], "little") + 8, len(data), 7):
        bad = bytearray(data)
        bad[i] ^= 4
        (tmp_path/"c.safetensors").write_bytes(bad)
        with pytest.raises(ArgumentError, match="digest"): read_weights(tmp_path/"c.safetensors")


def test_weights_tell_whose_they_are(tmp_path):
    model = base(0).model
    for name in "ab":
        packed = pack_weights(model, job="digits", config=dict(width=3, lr=0.1))
        (tmp_path/name).write_bytes(packed)
    assert (tmp_path/"a").read_bytes() == (tmp_path/"b").read_bytes()
    weights, about = read_weights(tmp_path/"a")
    assert about == dict(network=type(model).__name__, job="digits", config=dict(width=3, lr=0.1))
    assert all(torch.equal(weights[k], o) for k, o in model.state_dict().items())
    data = (tmp_path/"a").read_bytes()
    (tmp_path/"a").write_bytes(data.replace(b"digits", b"digitz"))  # what is told is guarded too
    with pytest.raises(ArgumentError, match="digest"): read_weights(tmp_path/"a")
    for bad in (b"", data[:40], b"\xff"*100, data[:-5]):
        (tmp_path/"a").write_bytes(bad)
        with pytest.raises(ArgumentError) as e: read_weights(tmp_path/"a")
        assert "\n" not in str(e.value)


@pytest.mark.parametrize("change", [lambda b: b[:len(b)//2], lambda b: b"", lambda b: b.replace(b"0,", b"7,", 1)])
def test_a_log_that_was_changed_is_not_gone_on_with(change, tmp_path):
    run = tmp_path/"run"
    RunDir(run, {})
    learn = lambda: KINDS["plain"](0, CSVLogCB(run/"metrics.csv"), CheckpointCB(run, resume=True))
    run_fit(learn(), 2)
    whole = (run/"metrics.csv").read_bytes()
    (run/"metrics.csv").write_bytes(change(whole))
    with pytest.raises(ArgumentError, match="`metrics.csv`"): run_fit(learn(), 3)
    (run/"metrics.csv").write_bytes(whole + b"2,torn")
    run_fit(learn(), 3)
    assert len(RunDir(run).metrics) == 3


# Kills

@pytest.fixture(scope="module")
def bench():
    spec = importlib.util.spec_from_file_location("bench_resume", ROOT/"bench"/"resume.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_killed_runs_end_with_the_same_bits(bench, tmp_path):
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        df, _ = bench.measure(runs=6, fresh=0, seed=random.randrange(10**6), folder=tmp_path, most=2)
    finally: torch.set_num_threads(threads)
    assert df.run.nunique() == 6 and df.identical.all() and not df.unreadable.sum(), df.to_string()


def test_the_kills_can_tell(bench, tmp_path, monkeypatch):
    "Control: with a part forgotten, a killed run ends with other bits"
    want, _ = bench.reference(tmp_path)
    monkeypatch.setattr(ckpt, "set_rng_state", lambda state: None)
    rows = [bench.one_run(i, tmp_path, random.Random(i), 0.0, want, "fork", 1) for i in range(3)]
    assert not all(same for _, same in rows)


def test_stored_figures():
    from minitrain.core import load_results
    df = load_results("resume")
    assert df.run.nunique() == 50 and df.identical.all() and not df.unreadable.sum()
    assert {o for o in df.stage if o.startswith("checkpoint")} and set(df.process) == {"fork", "fresh"}


def test_a_scheduler_of_schedulers_is_resumed_before_its_milestone(tmp_path):
    "MultiStepLR keeps its milestones in a Counter, which must come back as one"
    def seq(opt):
        parts = [torch.optim.lr_scheduler.LinearLR(opt), torch.optim.lr_scheduler.MultiStepLR(opt, [1, 2], 0.3)]
        return torch.optim.lr_scheduler.SequentialLR(opt, parts, [2])
    whole = base(0, EpochSchedCB(seq))
    run_fit(whole, 4)
    run_fit(base(0, EpochSchedCB(seq), CheckpointCB(tmp_path/"run")), 1)
    run_fit(again := base(7, EpochSchedCB(seq), CheckpointCB(tmp_path/"run", resume=True)), 4)
    assert state_of(again) == state_of(whole)


def test_how_many_stay_is_a_number_or_none(tmp_path):
    for keep in (0, -1, 1.5):
        with pytest.raises(ArgumentError, match="keep"): CheckpointCB(tmp_path, keep=keep)


def test_the_folder_is_not_held_after_it_was_made(tmp_path):
    ds = Dataset(torch.randn(8, 2), torch.randn(8, 1))
    learn = Learner(nn.Linear(2, 1), DataLoaders(DataLoader(ds, 4)), nn.functional.mse_loss, cbs=[TrainCB(), CheckpointCB(tmp_path/"run")])
    learn.fit(1)
    run = RunDir(tmp_path/"run")
    run.hold()  # an error if somebody else does
    run.release()
