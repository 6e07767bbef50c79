"Laws of lesson 20: files that are whole, a folder that one run owns, typed configurations, results."
import json, math, multiprocessing, os, random, stat, subprocess, sys, time
from dataclasses import dataclass, field
from typing import Literal

import pandas as pd
import pytest
import torch

from conftest import ROOT
from minitrain.core import ArgumentError, load_results
from minitrain.runs import Config, RunDir, atomic_write, load_config, mean_interval, save_results, versions


@pytest.mark.parametrize("mode, old, new", [("w", "old", "néw\n"), ("wb", b"old", b"\x00new\r\n")])
def test_atomic_write(tmp_path, mode, old, new):
    path = tmp_path/"f"
    for content in (old, new):
        with atomic_write(path, mode) as f: f.write(content)
    with pytest.raises(KeyboardInterrupt):
        with atomic_write(path, mode) as f: f.write(old); raise KeyboardInterrupt
    assert path.read_bytes() == (new if mode == "wb" else new.encode()) and list(tmp_path.iterdir()) == [path]
    with pytest.raises(ArgumentError, match="`mode`"):
        with atomic_write(path, "a"): pass
    with pytest.raises(FileNotFoundError) as e:
        with atomic_write(tmp_path/"no"/"f") as f: f.write("x")
    assert str(e.value).endswith(f"'{tmp_path/'no'/'f'}'"), "a temporary name means nothing to anybody"


def test_a_link_a_mode_and_a_device_stay(tmp_path):
    (tmp_path/"real").write_text("old")
    (tmp_path/"link").symlink_to("real")
    (tmp_path/"mine").touch(mode=0o600)
    for name in ("link", "mine"):
        with atomic_write(tmp_path/name) as f: f.write("new")
    assert (tmp_path/"link").is_symlink() and (tmp_path/"real").read_text() == "new"
    assert stat.S_IMODE((tmp_path/"mine").stat().st_mode) == 0o600
    with pytest.raises(IsADirectoryError):
        with atomic_write(tmp_path) as f: f.write("x")
    code = "from minitrain.runs import atomic_write\nwith atomic_write('/dev/stdout') as f: f.write('through')"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "through"
    assert {o.name for o in tmp_path.iterdir()} == {"real", "link", "mine"}


def write_forever(path, ready):
    ready.set()
    for i in range(10**6):
        with atomic_write(path) as f:
            for _ in range(200): f.write(f"{i:07}\n")


def test_a_file_killed_at_random_is_whole(tmp_path):
    "SIGKILL at 5 random instants: the file holds 200 equal lines each time, and one run's leftovers never block the next"
    path, rng, context = tmp_path/"f", random.Random(0), multiprocessing.get_context("fork")
    for _ in range(5):
        child = context.Process(target=write_forever, args=(path, ready := context.Event()))
        child.start()
        ready.wait()
        time.sleep(rng.uniform(0.02, 0.3))
        child.kill()
        child.join()
        if path.exists():
            lines = path.read_text().splitlines()
            assert len(lines) == 200 and len(set(lines)) == 1
    assert path.exists()


def test_torn_rows_are_dropped(tmp_path):
    "Whatever byte the file ends at, reading and appending go on from the last whole row"
    run = RunDir(tmp_path/"run", {})
    for i in range(4): run.log(i=i, note=f"a, \"b\" {i}")
    whole = (run/"metrics.csv").read_bytes()
    for cut in range(len(whole) + 1):
        (run/"metrics.csv").write_bytes(whole[:cut])
        again = RunDir(tmp_path/"run")
        rows = again.metrics
        n = max(whole[:cut].count(b"\n") - 1, 0)
        assert len(rows) == n and (n == 0 or rows["i"].tolist() == list(range(n)))
        again.log(i=99, note="")
        assert RunDir(tmp_path/"run").metrics["i"].tolist() == [*range(n), 99]


def test_rundir_refuses(tmp_path):
    (tmp_path/"file").write_text("")
    for path in (tmp_path/"file", tmp_path):
        with pytest.raises(ArgumentError, match="new or empty folder"): RunDir(path, {})
    with pytest.raises(ArgumentError, match="holds a run"): RunDir(tmp_path/"none")
    assert not (tmp_path/"none").exists()
    run = RunDir(tmp_path/"run", dict(a=1))
    run.log(x=1)
    with pytest.raises(ArgumentError, match="columns"): run.log(x=1, y=2)
    with pytest.raises(ArgumentError, match="columns"): run.log(y=2)
    with pytest.raises(ArgumentError, match="one line"): run.log(x="a\nb")
    assert run.metrics["x"].tolist() == [1]
    (run/"metrics.csv").write_bytes(b"x\n\xff\n")
    with pytest.raises(ArgumentError, match="a table of rows"): run.metrics
    run.write("note.bin", b"\x00")
    assert (run/"note.bin").read_bytes() == b"\x00" and json.loads((run/"versions.json").read_text())["torch"]


def race(path, go, said, over):
    go.wait()
    try: run = RunDir(path, {})  # noqa: F841
    except ValueError: said.put("taken")
    else: said.put("mine"); over.wait()


def test_two_runs_do_not_share_a_folder(tmp_path):
    run = RunDir(tmp_path/"run", {})
    run.hold()  # once more is no other process
    with pytest.raises(ArgumentError, match="no other process"): RunDir(tmp_path/"run").hold()
    run.release()
    RunDir(tmp_path/"run").hold()
    context = multiprocessing.get_context("fork")
    go, said, over = context.Event(), context.SimpleQueue(), context.Event()
    both = [context.Process(target=race, args=(tmp_path/"race", go, said, over)) for _ in range(2)]
    for o in both: o.start()
    go.set()
    assert sorted(said.get() for _ in both) == ["mine", "taken"]
    over.set()
    for o in both: o.join()


def test_versions_tell_the_commit_of_tracked_code(monkeypatch, tmp_path):
    state = versions()["git"]
    if (ROOT/".git").exists() and state is not None: assert len(state["commit"]) == 40
    (tmp_path/"script.py").touch()
    monkeypatch.chdir(tmp_path)
    assert versions()["git_here"] is None
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b"]
    for args in (["init"], ["add", "script.py"], ["commit", "-m", "a"]):
        subprocess.run([*git, *args], check=True, capture_output=True)
    assert versions()["git_here"] not in (None, versions()["git"])
    monkeypatch.setenv("PATH", "")
    assert versions()["git"] is versions()["git_here"] is None


def test_results_round_trip(tmp_path):
    df = pd.DataFrame(dict(a=[1, 2], b=[0.1, float("nan")], c=["x#y", "z"]))
    save_results(df, tmp_path/"r.csv", command="make bench # all", seeds=[0, 1])
    back = load_results(tmp_path/"r.csv")
    pd.testing.assert_frame_equal(back, df)
    assert back.attrs["command"] == "make bench # all" and back.attrs["seeds"] == [0, 1] and back.attrs["torch"]
    for bad in ("nothing", tmp_path/"no.csv"):
        with pytest.raises(ArgumentError, match="`name`"): load_results(bad)


@dataclass
class Inner: lr: float = 0.1; name: Literal["sgd", "adam"] = "sgd"


@dataclass
class Outer:
    epochs: int
    inner: Inner = field(default_factory=Inner)
    sizes: list[int] = field(default_factory=list)
    note: str | None = None


def write(path, **files):
    for name, text in files.items(): (path/f"{name}.yaml").write_text(text)


def test_config_inherits_and_types(tmp_path):
    write(tmp_path, a="epochs: 1\ninner: {lr: 1e-3, name: adam}", b="base: a.yaml\nepochs: 2\ninner: {lr: 1}")
    assert load_config(tmp_path/"b.yaml", Outer, sizes=[1]) == Outer(2, Inner(1.0, "adam"), [1])
    assert load_config(tmp_path/"b.yaml") == dict(epochs=2, inner=dict(lr=1, name="adam"))


@dataclass(frozen=True)
class Span:
    start: int
    end: int
    def __post_init__(self):  # which may count on the types
        if self.end < self.start: raise ArgumentError("end", self.end, "an end after the start")


@dataclass
class Nested: span: Span = Span(5, 10)


def test_a_part_of_a_default_leaves_the_rest(tmp_path):
    write(tmp_path, a="span: {end: 20}")
    assert load_config(tmp_path/"a.yaml", Nested) == Nested(Span(5, 20)) == load_config(tmp_path/"a.yaml", Nested, span=dict(end="20"))
    with pytest.raises(ArgumentError, match="`span.end`: expected an end"): load_config(tmp_path/"a.yaml", Nested, span=dict(end=1))
    with pytest.raises(ArgumentError, match="`span.stop`: expected only the keys"): load_config(tmp_path/"a.yaml", Nested, span=dict(stop=1))


@pytest.mark.parametrize("text, said", [
    ("epocs: 1", "epocs"), ("epochs: 1.5", "`epochs`: expected int, got 1.5"), ("epochs: true", "`epochs`"), ("epochs: x", "`epochs`"),
    ("epochs: 1\ninner: {name: rmsprop}", r"`inner.name`: expected .*rmsprop"), ("epochs: 1\ninner: {rate: 1}", "rate"),
    ("epochs: 1\nsizes: [1, a]", "`sizes`"), ("epochs: 1\nnote: 3", "`note`"), ("- 1", "keys and values"), ("a: [", "valid YAML"), ("", "c.yaml, 0 bytes"),
    ("base: gone.yaml", "a file that exists"), ("base: [c.yaml]", "a file that exists"), ("base: 5", "a file that exists"), ("base: /dev/zero", "a file that exists"),
    ("epochs: 1\ninner: {lr: .inf}", "`inner.lr`: expected a finite number"), ("base: c.yaml", "circle"), ("inner: {lr: 1}", "epochs"),
])
def test_config_refuses_in_one_line(tmp_path, text, said):
    write(tmp_path, c=text)
    with pytest.raises(ArgumentError, match=said) as e: load_config(tmp_path/"c.yaml", Outer)
    assert "\n" not in str(e.value)


BOMB = "a0: &a0 [x, x]\n" + "".join(f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]\n" for i in range(1, 60))

@pytest.mark.parametrize("text", [BOMB, "a: &a {b: *a}", "a: 2020-99-99", "a: !!bool x", "a: !!timestamp x", "a: " + "9"*5000,
    "a: " + "["*3000, "a: !!python/object/apply:os.mkdir [here]", "a: " + "x"*200_000])
def test_hostile_yaml_is_one_line_and_no_code(tmp_path, monkeypatch, text):
    monkeypatch.chdir(tmp_path)
    write(tmp_path, c=text)
    with pytest.raises(ArgumentError, match="`config`") as e: load_config(tmp_path/"c.yaml")
    assert "\n" not in str(e.value) and not (tmp_path/"here").exists()


def test_a_mean_and_its_interval():
    assert mean_interval([1.]) == pytest.approx((1, float("nan"), float("nan")), nan_ok=True)
    mean, low, high = mean_interval([1., 2., 3.])
    assert mean == 2 and (high - low)/2 == pytest.approx(4.302653/3**0.5)  # Student's t, 2 degrees of freedom
    assert mean_interval([1., 2., 3.], 2)[1] < low


@pytest.mark.parametrize("n", [2, 3, 5, 10, 30, 300])
@pytest.mark.parametrize("comparisons", [1, 2, 10])
def test_intervals_are_students(n, comparisons):
    "Beside SciPy's quantile, which nobody has to install"
    from scipy.stats import t
    mean, low, high = mean_interval([*range(n)], comparisons)
    half = t.ppf(1 - 0.025/comparisons, n - 1)*torch.arange(n, dtype=torch.float64).std().item()/n**0.5
    assert math.isclose(high - mean, half, rel_tol=1e-6) and math.isclose(mean - low, half, rel_tol=1e-6)


def test_versions_say_which_build_of_torch_it_is(monkeypatch):
    monkeypatch.setattr(torch, "__version__", "2.13.0+cu130")  # installed from PyPI, its metadata say 2.13.0
    assert versions()["torch"] == "2.13.0+cu130"


def test_a_configuration_checks_itself_when_it_is_made():
    @dataclass
    class Settings(Config):
        lr: float = 1.
    assert type(Settings(2).lr) is float
    with pytest.raises(ArgumentError, match="lr"): Settings("fast")
