"Arms times seeds: resumable, paired, with intervals that hold, and nothing touched that is not its own."
import json, multiprocessing, os, signal, subprocess, sys, threading, time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pytest

from child import Child
from minitrain.core import ArgumentError
from minitrain.experiments.compare import CompareConfig, arms_figure, compare, holm, permutation_p, planned_runs, report
from minitrain.experiments.gaze import GazeConfig, gaze
from minitrain.experiments.job import Job
from minitrain.runs import Config, RunDir

TINY = dict(epochs=2, games=2, valid_games=1, play_games=2, play_steps=60, dim=8, heads=2, mlp_dim=8, device="cpu")


def train(config, out=None, progress=True): return gaze.run(config, out, progress)[0]


def gone(pids):
    "Whether processes end within some seconds"
    until = time.monotonic() + 20
    while (left := [o for o in pids if Path(f"/proc/{o}").exists()]) and time.monotonic() < until: time.sleep(0.1)
    return not left


def comparison(**kwargs):
    return CompareConfig(**dict(config="gaze", common=TINY | dict(epochs=1), arms=dict(bc=dict(gaze=False), probs={}), seeds=2,
        sweeps=dict(first=dict(layer=0)), sweep_seeds=1, primary="probs", against=["bc"]) | kwargs)


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    path = tmp_path_factory.mktemp("compare")/"out"
    seen = []
    df = compare(gaze, comparison(), path, progress=False, on_row=lambda o: seen.append(len(o)))
    return path, df, seen


def test_compare(compared):
    import pandas as pd
    path, df, seen = compared
    assert seen == [1, 2, 3, 4, 5]
    assert list(zip(df.arm, df.seed)) == [("bc", 0), ("probs", 0), ("bc", 1), ("probs", 1), ("first", 0)] and set(df.group) == {"first", "sweep"}
    assert "5 of 5 runs" in (path/"table.txt").read_text()
    assert df.round(9).equals(pd.read_csv(path/"runs.csv").round(9))
    single = train(GazeConfig(**TINY | dict(epochs=1)), path.parent/"single", progress=False)
    assert (single/"model.safetensors").read_bytes() == (path/"probs"/"seed-0"/"model.safetensors").read_bytes()
    assert not list(path.glob("*/*/checkpoint-*"))


def test_compare_goes_on_where_it_was(compared, tmp_path):
    import shutil
    path, df, _ = compared
    shutil.copytree(path, tmp_path/"out")
    kept = tmp_path/"out"/"bc"/"seed-0"/"result.json"
    kept.write_text(json.dumps(json.loads(kept.read_text()) | dict(catch_rate=0.5)))  # a mark: what is done is not done again
    (tmp_path/"out"/"probs"/"seed-1"/"result.json").unlink()  # killed before its end
    shutil.rmtree(tmp_path/"out"/"first")  # not begun
    (tmp_path/"out"/"first"/"seed-0").mkdir(parents=True)  # killed before it wrote its configuration
    again = compare(gaze, comparison(), tmp_path/"out", jobs=1, progress=False)
    assert again.catch_rate[0] == 0.5
    columns = [o for o in df if o not in ("catch_rate", "cpu_seconds")]
    assert again[columns].equals(df[columns])
    with pytest.raises(ArgumentError, match="`out`"): compare(gaze, comparison(seeds=3), tmp_path/"out")


def test_compare_says_what_failed(tmp_path):
    bad = comparison(arms=dict(bc=dict(gaze=False), lost=dict(data=str(tmp_path/"nowhere"))), seeds=1, sweeps={}, primary="", against=[])
    with pytest.raises(RuntimeError, match="1 of 2 runs failed; lost, seed 0: ArgumentError: `data`"): compare(gaze, bad, tmp_path/"out", jobs=1, progress=False)
    assert len((tmp_path/"out"/"runs.csv").read_text().splitlines()) == 2
    for wrong in (dict(arms={}), dict(primary="x"), dict(sweeps=dict(bc={})), dict(others=dict(bc={})), dict(arms={"a/b": {}}), dict(seeds=0)):
        with pytest.raises(ArgumentError): comparison(**wrong)
    with pytest.raises(ArgumentError, match="`lambda_`"): compare(gaze, comparison(arms=dict(bc=dict(lambda_=1)), primary="", against=[]), tmp_path/"b")


def test_a_process_that_dies_loses_its_run_and_no_other(tmp_path):
    plan = comparison(arms=dict(long=dict(epochs=300), short={}), seeds=1, sweeps={}, primary="", against=[])
    def kill():
        while not (tmp_path/"out"/"long"/"seed-0"/"metrics.csv").exists(): time.sleep(0.1)
        for o in multiprocessing.active_children(): o.kill()
    threading.Thread(target=kill, daemon=True).start()
    with pytest.raises(RuntimeError, match="1 of 2 runs failed; long, seed 0: BrokenProcessPool"):
        compare(gaze, plan, tmp_path/"out", jobs=1, progress=False)
    assert "short" in (tmp_path/"out"/"runs.csv").read_text()


def test_killed_comparison_leaves_no_process(tmp_path):
    plan = CompareConfig(common=TINY | dict(epochs=300), arms=dict(bc=dict(gaze=False)))
    proc = Child(compare, gaze, plan, tmp_path/"out", 1, False)
    until = time.monotonic() + 60
    while not (tmp_path/"out"/"bc"/"seed-0"/"metrics.csv").exists() and time.monotonic() < until: time.sleep(0.1)
    def children(): return subprocess.run(["pgrep", "-P", str(proc.pid)], capture_output=True, text=True).stdout.split()
    workers = children()
    proc.send_signal(signal.SIGINT)
    assert proc.wait(30) is not None
    assert workers and gone(workers)


def test_report(compared, tmp_path):
    path, df, _ = compared
    found = report(path, out=tmp_path)
    assert found.arms.loc["probs", "runs"] == 2 and found.arms.loc["first", "group"] == "sweep"
    assert found.arms.loc["bc", "catch_rate"] == pytest.approx(df[df.arm == "bc"].catch_rate.mean())
    row = found.differences.query("measure == 'valid_accuracy'").iloc[0]
    a, b = (df[df.arm == o].valid_accuracy.to_numpy() for o in ("probs", "bc"))
    assert row.difference == pytest.approx((a - b).mean()) and row.low <= row.difference <= row.high and row.seeds == 2
    assert {o.name for o in tmp_path.iterdir()} == {"arms.csv", "differences.csv", "arms.png"}
    assert len(report(df).differences) == 0
    with pytest.raises(ArgumentError, match="`against`"): report(df, "probs", ["nobody"])
    with pytest.raises(ArgumentError): report("no_such_table")


def test_permutation_and_holm_by_counting():
    assert permutation_p([1., 2., 3.]) == 2/8 and permutation_p([1., -1., 0.]) == 1 and permutation_p([-2.]*5) == 2/32
    p = permutation_p([3., 1., 2., -0.5])
    flips = [abs(a*3 + b + c*2 - d*0.5) >= 5.5 for a in (1, -1) for b in (1, -1) for c in (1, -1) for d in (1, -1)]
    assert p == sum(flips)/16
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06]) and holm([0.9, 0.8]) == [1, 1]
    p = np.array([0.01, 0.04])
    assert holm(p) == pytest.approx([0.02, 0.04]) and p.tolist() == [0.01, 0.04]


def test_a_name_from_a_file_is_never_a_path(tmp_path):
    precious = tmp_path/"seed-0"
    precious.mkdir()
    (precious/"thesis.txt").write_text("three years")
    for name in ("..", ".", "../x", "/tmp/x", "a/b", ".hidden", "", " "):
        with pytest.raises(ArgumentError, match="`arms`"): comparison(arms={name: {}}, primary="", against=[])
    assert (precious/"thesis.txt").read_text() == "three years"


def test_what_is_not_a_run_of_the_comparison_is_left_alone(tmp_path):
    plan = comparison(arms=dict(bc={}), seeds=1, sweeps={}, primary="", against=[])
    RunDir(tmp_path/"out", asdict(plan)).release()
    mine = tmp_path/"out"/"bc"/"seed-0"
    mine.mkdir(parents=True)
    (mine/"notes.txt").write_text("mine")
    with pytest.raises(RuntimeError, match="bc, seed 0: ArgumentError: `out`: expected a new or empty folder"):
        compare(gaze, plan, tmp_path/"out", progress=False)
    assert [o.name for o in mine.iterdir()] == ["notes.txt"]


def test_workers_die_with_their_parent(tmp_path):
    "Also when nobody can tell them: the parent is killed"
    code = f"""
from minitrain.experiments.compare import *
from minitrain.experiments.gaze import gaze
if __name__ == "__main__":
    compare(gaze, CompareConfig(common={TINY | dict(epochs=300)!r}, arms=dict(bc=dict(gaze=False))), {str(tmp_path/'out')!r}, jobs=1, progress=False)
"""
    (tmp_path/"run.py").write_text(code)
    proc = subprocess.Popen([sys.executable, tmp_path/"run.py"], env=os.environ | dict(OMP_NUM_THREADS="1"), stderr=subprocess.DEVNULL)
    until = time.monotonic() + 90
    rows = tmp_path/"out"/"bc"/"seed-0"/"metrics.csv"
    while not rows.exists() and time.monotonic() < until: time.sleep(0.1)
    workers = subprocess.run(["pgrep", "-P", str(proc.pid)], capture_output=True, text=True).stdout.split()
    proc.kill()
    proc.wait()
    assert rows.exists() and workers and gone(workers)


def test_an_arm_changes_a_part_of_a_part(tmp_path):
    "What a nested arm does not name is as the shared configuration has it"
    @dataclass(frozen=True)
    class Part:
        start:int = 1
        end:int = 8
        interval:int = 1
    @dataclass
    class Whole(Config):
        dims:Part = Part()
        seed:int = 0
    (tmp_path/"base.yaml").write_text("dims: {start: 2, interval: 100}")
    arms = dict(a={}, b=dict(dims=dict(interval=50)))
    plan = CompareConfig(str(tmp_path/"base.yaml"), dict(dims=dict(end=7)), arms, seeds=1)
    found = planned_runs(Job("whole", Whole, None), plan)
    assert [o.dims for *_, o in found] == [Part(2, 7, 100), Part(2, 7, 50)]


def test_measures_of_a_table():
    "Numbers that are no settings, whole ones too, also with a seed for each arm"
    import pandas as pd
    df = pd.DataFrame(dict(arm=["a", "b"], seed=0, layer=[0, 1], reg_lambda=[1., 2.],
        accuracy=[1., 0.5], errors=[0, 3], cpu_seconds=[1., 2.]))
    assert set(report(df, "a", ["b"]).differences.measure) == {"accuracy", "errors"}
    with pytest.raises(ArgumentError, match="`results`"): report(df[["arm", "seed", "layer"]])


def test_a_report_says_what_was_asked_and_else_what_was_planned(tmp_path):
    plan = comparison(arms=dict(a={}, b={}, c={}), primary="a", against=["b"])
    RunDir(tmp_path/"out", asdict(plan)).release()
    (tmp_path/"out"/"runs.csv").write_text("arm,seed,loss\na,0,1.5\nb,0,2.5\nc,0,4.5\n")
    for primary, against, want in (("", (), "ab"), ("c", (), "cb"), ("", ["c"], "ac"), ("b", ["c"], "bc")):
        row, = report(tmp_path/"out", primary, against).differences.itertuples()
        assert row.arm + row.against == want


def test_no_p_of_nothing(): assert permutation_p([1.]*30) == 1/(2**16 + 1)


def test_each_run_of_an_arm_is_a_dot_beside_its_mean():
    import pandas as pd
    df = pd.DataFrame(dict(arm=["a", "a", "b", "b"], loss=[1., 3., 5., 5.5], accuracy=[0.1, 0.2, 0.3, 0.4]))
    fig = arms_figure(df, dict(loss="loss in nats", accuracy="accuracy"))
    assert [ax.get_xlabel() for ax in fig.axes] == ["loss in nats", "accuracy"]
    dots, _, mean = fig.axes[0].lines[:3]
    assert [*dots.get_xdata()] == [1, 3] and [*mean.get_xdata()] == [2] and len(fig.axes[0].lines) == 6
