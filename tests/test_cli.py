"The commands as a user meets them: in a process of their own, offline, from an empty folder."
import json, os, pty, re, select, signal, subprocess, sys, termios, time

import pandas as pd
import pytest
import yaml
from safetensors.torch import load_file

from child import Child
from conftest import ROOT

JOBS = {"digits": {"loss.png", "mistakes.png"}, "multilabel": {"loss.png"}}
FILES = {"config.yaml", "metrics.csv", "versions.json", "model.safetensors"}


TINY = """--config tiny --steps 6 --log_every 2 --warmup 0 --n_dims 3 --dims.start 3 --dims.end 3 --points.start 8 --points.end 8
    --n_positions 8 --batch_size 8 --micro_batch 4 --valid_size 16 --n_embd 16 --device cpu""".split()
GROUPS = {"reasoning": ["train", "evaluate", "predict"], "gaze": ["train", "compare", "play", "report"]}
RESUME = {"digits": "; go on with: minitrain digits --resume run", "multilabel": "; go on with: minitrain multilabel --resume run"}
FAST = ["--epochs", "2", "--width", "1", "--batch_size", "1000", "--affine", "0", "--warp", "0", "--device", "cpu"]
SMALL = {"digits": ["--epochs", "1", "--width", "4"], "multilabel": ["--epochs", "1", "--canvases", "100", "--valid_canvases", "50"]}


@pytest.fixture
def minitrain(run_offline):
    "Run a command in a process of its own, offline, from an empty folder"
    return lambda *args, **kwargs: run_offline(sys.executable, "-m", "minitrain", *args, **kwargs)


def main(*words):
    "A command in this process"
    from minitrain.cli import main
    return main([str(o) for o in words])


@pytest.fixture
def here(tmp_path, monkeypatch, capfd):
    "Run a command in this process, from an empty folder: exit status, standard output, standard error"
    monkeypatch.chdir(tmp_path)
    def run(*args):
        try: status = main(*args)
        except SystemExit as e: status = e.code or 0
        return status, *capfd.readouterr()
    return run


@pytest.mark.parametrize("command", ["digits", "multilabel"])
def test_job(command, minitrain, tmp_path):
    done = minitrain(command, *SMALL[command], "--seed", 3)
    assert done.returncode == 0, done.stderr
    assert done.stderr == "", "a piped run is quiet on standard error"
    assert "\r" not in done.stdout and "\x1b" not in done.stdout
    folder = tmp_path/done.stdout.strip().splitlines()[-1]
    assert FILES | JOBS[command] <= {p.name for p in folder.iterdir()}
    left = [p.name for p in folder.iterdir() if p.suffix in (".pkl", ".pt", ".pth", ".tmp")]
    assert all(o.startswith("checkpoint-") for o in left), left
    config = yaml.safe_load((folder/"config.yaml").read_text())
    assert (config["epochs"], config["seed"]) == (1, 3)
    assert len(pd.read_csv(folder/"metrics.csv")) == 1
    assert all(t.isfinite().all() for t in load_file(folder/"model.safetensors").values() if t.is_floating_point())


def test_a_run_repeats_from_its_config(here, tmp_path):
    assert here("digits", *SMALL["digits"], "--out", "a")[0] == 0
    status, _, err = here("digits", "--config", "a/config.yaml", "--out", "b")
    assert status == 0, err
    a, b = (load_file(tmp_path/name/"model.safetensors") for name in "ab")
    assert a.keys() == b.keys() and all(a[k].equal(b[k]) for k in a)


HELP = [[], ["--help"], ["lessons", "--help"], ["digits", "--help"], ["multilabel", "--help"], *([o, "--help"] for o in GROUPS), *([o] for o in GROUPS),
        *([group, o, "--help"] for group, names in GROUPS.items() for o in names)]

@pytest.mark.parametrize("args", HELP, ids=" ".join)
def test_help(args, here):
    status, out, err = here(*args)
    assert status == 0 and "usage: minitrain" in out and not err
    if len(args) > 1 and args[0] != "lessons" and "COMMAND" not in out:
        options = re.findall(r"^  --([\w.]+)", out, re.M)
        if "evaluate" not in args and "predict" not in args and "play" not in args and "report" not in args:
            assert {"config", "out"} | (set() if "compare" in args else {"seed", "device"}) <= set(options)
        for text in re.split(r"^  --", out.split("options:", 1)[1], flags=re.M)[1:]:
            words = re.sub(r"\(type: .*?\)|default: \S+", "", text, flags=re.S).split()
            assert len(words) > 2, f"an option without a word of help: {text}"


def test_help_lists_groups(here):
    everything = here("--help")[1]
    for group, names in GROUPS.items():
        part = here(group)[1]
        for o in names: assert f"  {group} {o} " in part and f"  {group} {o} " in everything
        assert "digits" not in part and here(group, "--help")[1] == part
    status, _, err = here("reasoning", "trian")
    assert status == 2 and "'reasoning train'" in err and "digits" not in err and "got 'reasoning trian'" in err


@pytest.mark.parametrize("args, said", [
    (["digit"], "COMMAND"), (["digits", "--epochs", "many"], "epochs"), (["digits", "--epochs", "0"], "epochs"),
    (["digits", "--nosuch", "1"], "nosuch"), (["digits", "--config", "missing.yaml"], "missing.yaml"),
    (["digits", "--config", "typo.yaml"], "epocs"), (["digits", "--seed", "-1"], "seed"), (["digits", "--lr", "nan"], "lr"),
    (["digits", "--device", "toaster"], "device"), (["digits", "--out", "taken/file"], "taken"), (["digits", "--out", "full"], "full"),
    (["digits", "--resume", "nowhere"], "nowhere"), (["digits", "--resume", "full", "--epochs", "3"], "--epochs"),
    (["digits", "--final", "typo.yaml"], "committed"), (["digits", "--final", "nosuch"], "nosuch"), (["lessons", "taken"], "taken"), (["multilabel", "--epochs", "x"], "epochs"), (["multilabel", "--device", "toaster"], "device"),
    (["reasoning", "learn"], "COMMAND"), (["reasoning", "train", "--n_head", "3"], "n_head"), (["reasoning", "train", "--dims.end", "x"], "dims.end"),
    (["reasoning", "train", "--dims.ende", "3"], "dims.ende"), (["reasoning", "train", "--dims.end", "99"], "dims.end"), (["reasoning", "train", "--config", "nested.yaml"], "strt"),
    (["reasoning", "train", "--config", "tiny", "--micro_batch", "1000"], "micro_batch"), (["reasoning", "train", "--encoding", "both"], "encoding"),
    (["reasoning", "train", "--resume", "nowhere"], "nowhere"), (["reasoning", "train", "--resume", "full", "--steps", "3"], "--steps"), (["reasoning", "train", "--out", "full"], "full"),
    (["reasoning", "evaluate"], "head"), (["reasoning", "evaluate", "nowhere"], "nowhere"), (["reasoning", "evaluate", "full", "--problems", "some"], "problems"),
    (["reasoning", "predict", "full", "table.csv", "table.csv"], "label"), (["reasoning", "predict", "full", "nowhere.csv", "table.csv", "--label", "y"], "nowhere.csv"),
    (["reasoning", "predict", "full", "table.csv", "table.csv", "--label", "z"], "label"), (["gaze", "train", "--heads", "5"], "heads"), (["gaze", "compare"], "arms"),
    (["gaze", "compare", "--config", "gaze_experiment", "--jobs", "x"], "jobs"), (["gaze", "play", "nowhere"], "nowhere"), (["gaze", "report", "nowhere"], "nowhere"),
], ids=lambda v: " ".join(v) if isinstance(v, list) else v)
def test_bad_input_is_one_line_and_status_2(args, said, here, tmp_path):
    (tmp_path/"typo.yaml").write_text("epocs: 5")
    (tmp_path/"taken").write_text("")
    (tmp_path/"full").mkdir()
    (tmp_path/"full"/"thing").write_text("")
    (tmp_path/"nested.yaml").write_text("dims: {strt: 5}")
    (tmp_path/"table.csv").write_text("a,y\n1,0\n2,1\n")
    before = sorted(tmp_path.rglob("*"))
    status, out, err = here(*args)
    assert status == 2, out + err
    assert err.count("\n") == 1 and said in err, err
    assert sorted(tmp_path.rglob("*")) == before, "something was written"


@pytest.mark.parametrize("args, name", [
    ("digits --config nowhere", "config"), ("digits --config nowhere.yaml", "config"), ("digits --out full --epochs 1", "out"),
    ("digits --resume full", "resume"), ("gaze compare --config gaze_experiment --out full", "out"), ("gaze report nowhere", "results"),
    ("reasoning evaluate nowhere", "head"), ("reasoning evaluate reasoning_d8 --problems 2 --queries 2 --out full", "out"),
    ("gaze play full", "run"), ("digits predict full x.png", "run"), ("atari play nowhere pong", "clone")])
def test_errors_name_what_was_typed(args, name, here, tmp_path):
    (tmp_path/"full").mkdir()
    (tmp_path/"full"/"thing").write_text("")
    status, _, err = here(*args.split())
    assert status == 2 and f"`{name}`: expected" in err, err


def test_bad_input_from_a_shell(minitrain):
    done = minitrain("digits", "--epochs", "many")
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and not done.stdout


def test_progress_in_a_terminal(tmp_path):
    "With a terminal on standard error there is a progress bar, and the table on standard output stays clean"
    terminal, end = pty.openpty()
    termios.tcsetwinsize(end, (24, 80))
    process = Child(main, "digits", *FAST, folder=tmp_path, stdout=tmp_path/"out", stderr=os.ttyname(end))
    shown = b""
    while (some := select.select([terminal], [], [], 0.1)[0]) or process.poll() is None:
        if some: shown += os.read(terminal, 4096)
    for o in (terminal, end): os.close(o)
    assert process.wait() == 0 and b"train: " in shown
    assert "\r" not in (tmp_path/"out").read_text()


def test_lessons_as_the_readme_has_it(here, tmp_path):
    line = re.search(r"^minitrain (lessons\b[^#\n]*)", (ROOT/"README.md").read_text(encoding="utf-8"), re.M)[1]
    status, out, err = here(*line.split())
    assert status == 0 and "jupyter lab lessons" in out, err
    assert len(list((tmp_path/"lessons").glob("*.ipynb"))) > 40


def test_lessons_name_this_python(here, tmp_path):
    "JupyterLab marks a notebook as changed whose metadata differ from what the kernel says; the cells are the book's"
    from ipykernel.ipkernel import IPythonKernel
    assert here("lessons", "book")[0] == 0
    for path in (tmp_path/"book").glob("*.ipynb"):
        book, own = (json.loads(o.read_text(encoding="utf-8")) for o in (path, ROOT/"nbs"/path.name))
        assert book["metadata"].pop("language_info") == IPythonKernel.language_info
        assert book["metadata"].pop("kernelspec")["display_name"] == "Python 3 (ipykernel)" and not book.pop("metadata")
        assert book == {k: v for k, v in own.items() if k != "metadata"}


def test_lessons_overwrites_nothing(here, tmp_path):
    assert here("lessons", "book")[0] == 0
    notebook = tmp_path/"book"/"01_softmax.ipynb"
    notebook.write_text("mine")
    assert here("lessons", "book")[0] == 2 and notebook.read_text() == "mine"


@pytest.mark.filterwarnings("error:Detected call")  # torch's, of a scheduler that steps before its optimizer
@pytest.mark.parametrize("command", SMALL)
def test_ctrl_c_and_resume(command, tmp_path, here):
    "A run that is stopped can be read; what its last line says works, and ends where the run would have ended"
    epochs = dict(digits=3, multilabel=8)[command]  # of a second, and of a fraction of one
    args = [*SMALL[command], "--epochs", str(epochs)]
    process = Child(main, command, *args, "--out", "run", folder=tmp_path, stdout=os.devnull, stderr=tmp_path/"err")
    deadline = time.monotonic() + 240
    while not (tmp_path/"run"/"metrics.csv").exists() and time.monotonic() < deadline: time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    process.wait(120)
    err = (tmp_path/"err").read_text()
    assert process.exitcode == 130, err
    assert err.strip().splitlines()[-1] == f"minitrain: stopped; the run until then is in run{RESUME[command]}" and "Traceback" not in err
    assert 1 <= len(pd.read_csv(tmp_path/"run"/"metrics.csv")) < epochs and FILES <= {p.name for p in (tmp_path/"run").iterdir()}
    load_file(tmp_path/"run"/"model.safetensors")
    status, out, err = here(*err.strip().rpartition("minitrain ")[2].split())
    assert status == 0 and out.strip().splitlines()[-1] == "run", err
    assert here(command, *args, "--out", "whole")[0] == 0
    assert (tmp_path/"run"/"model.safetensors").read_bytes() == (tmp_path/"whole"/"model.safetensors").read_bytes()
    assert pd.read_csv(tmp_path/"run"/"metrics.csv").equals(pd.read_csv(tmp_path/"whole"/"metrics.csv"))


def test_reasoning(tmp_path, here):
    "Killed, resumed to the bytes of a run that was never stopped, then evaluated and used on a table"
    args = [*TINY, "--steps", "60", "--save_every", "1", "--out", "run"]
    process = Child(main, "reasoning", "train", *args, folder=tmp_path, stdout=os.devnull, stderr=tmp_path/"err")
    while not list((tmp_path/"run").glob("checkpoint-*")) and process.poll() is None: time.sleep(0.002)
    process.kill()
    assert process.wait(60) == -signal.SIGKILL, (tmp_path/"err").read_text()
    assert not (tmp_path/"run"/"model.safetensors").exists()
    status, out, err = here("reasoning", "train", "--resume", "run")
    assert status == 0 and out.startswith("going on at epoch") and out.splitlines()[-1] == "run" and not err
    status, out, err = here("reasoning", "train", *args[:-1], "whole")
    assert status == 0 and not err
    for name in ("model.safetensors", "metrics.csv"): assert (tmp_path/"run"/name).read_bytes() == (tmp_path/"whole"/name).read_bytes()
    config = yaml.safe_load((tmp_path/"run"/"config.yaml").read_text())
    assert (config["n_layer"], config["steps"], config["dims"]["end"], config["points"]["start"]) == (3, 60, 3, 8)
    assert FILES <= {o.name for o in (tmp_path/"run").iterdir()}
    status, out, err = here("reasoning", "evaluate", "run", "--problems", "8", "--queries", "4", "--out", "seen")
    assert status == 0 and out.splitlines()[-1] == "seen" and "true weights" in out
    assert {"panel.csv", "panel.png"} <= {o.name for o in (tmp_path/"seen").iterdir()}
    (tmp_path/"train.csv").write_text("a,colour,kind\n1,red,u\n2,red,v\n3,blue,v\n0,blue,u\n1,red,u\n4,blue,v\n")
    (tmp_path/"test.csv").write_text("colour,a,kind\nred,1,u\nblue,4,v\nred,2,\n")
    status, out, err = here("reasoning", "predict", "run", "train.csv", "test.csv", "--label", "kind")
    assert status == 0 and err.startswith("accuracy ")
    lines = out.splitlines()
    assert lines[0] == "prediction,probability,p(u),p(v)" and len(lines) == 4 and all(o.split(",")[0] in "uv" for o in lines[1:])
    status, nothing, _ = here("reasoning", "predict", "run", "train.csv", "test.csv", "--label=kind", "--out=said.csv")
    assert status == 0 and not nothing and (tmp_path/"said.csv").read_text() == out
    (tmp_path/"test.csv").write_text("who,colour,a\nx,green,\ny,blue,4\n")
    args = "reasoning predict run train.csv test.csv --label kind".split()
    status, _, err = here(*args)
    assert status == 2 and "with who" in err
    (tmp_path/"train.csv").write_text("who,a,colour,kind\ns,1,red,u\nt,2,red,v\nu,3,blue,v\nv,0,blue,u\n")
    status, _, err = here(*args)
    assert status == 2 and "test.csv line 2, column a" in err
    status, out, err = here(*args, "--fill", "--id", "who")
    assert status == 0 and [o.split(",")[0] for o in out.splitlines()] == ["who", "x", "y"]
    assert err == "note: column colour: 'green' in 1 row of test, never in train: read as none of its values\n"


def test_a_reader_that_goes_stops_no_training(tmp_path):
    "As in `| head -1`"
    command = f"{sys.executable} -m minitrain digits {' '.join(FAST)} --out run | head -1"
    done = subprocess.run(command, shell=True, cwd=tmp_path, env=dict(os.environ, PYTHONPATH=str(ROOT)), capture_output=True, text=True)
    assert len(done.stdout.splitlines()) == 1 and not done.stderr
    assert (tmp_path/"run"/"result.json").exists() and len(pd.read_csv(tmp_path/"run"/"metrics.csv")) == 2


def test_a_disk_that_fills_up_at_the_end(here, tmp_path, monkeypatch):
    "A failed run is status 1 and says how to go on; what was asked for wrongly is 2 and changes nothing"
    from minitrain.runs import RunDir
    write = RunDir.write
    def full(self, name, data):
        if name == "result.json": raise OSError(28, "No space left on device")
        write(self, name, data)
    monkeypatch.setattr(RunDir, "write", full)
    status, _, err = here("digits", *FAST, "--out", "run")
    assert status == 1 and err.count("\n") == 1 and "No space left" in err and "minitrain digits --resume run" in err
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    assert here("digits", "--resume", "run")[0] == 0 and (tmp_path/"run"/"result.json").exists()
    (tmp_path/"run"/"config.yaml").write_text("")
    before = {o: o.read_bytes() for o in (tmp_path/"run").iterdir()}
    status, _, err = here("digits", "--resume", "run")
    assert status == 2 and err.count("\n") == 1 and {o: o.read_bytes() for o in (tmp_path/"run").iterdir()} == before


@pytest.mark.parametrize("out", ["a/b/c", "runs"])
def test_a_run_that_fails_before_its_first_step_leaves_no_folder(out, here, tmp_path, monkeypatch):
    from minitrain.experiments.digits import digits
    make = digits.make
    def broken(c):
        learn = make(c)
        learn.loss_func = lambda preds, y: preds @ y
        return learn
    monkeypatch.setattr(digits, "make", broken)
    status, _, err = here("digits", *FAST, *(["--out", out] if out != "runs" else []))
    assert status == 1 and err.count("\n") == 1 and not list(tmp_path.iterdir())


def test_packaged_configurations_by_short_names():
    from minitrain.cli import parse_job
    from minitrain.experiments.reasoning import ReasoningConfig
    read = lambda name: parse_job("reasoning train", ReasoningConfig, ["--config", name])[0]
    for name in ("head_s258", "tiny", "small", "live"): assert read(name) == read(f"reasoning_{name}") == read(f"reasoning_{name}.yaml")
    assert read("tiny") != read("small")


def test_a_field_named_like_an_option_is_set_in_the_file(tmp_path):
    from dataclasses import dataclass
    from minitrain.cli import parse_job
    @dataclass
    class Job:
        "A job"
        config:str = "a" # Something else
        seed:int = 0 # A number
    (tmp_path/"job.yaml").write_text("config: b")
    assert parse_job("job", Job, ["--config", str(tmp_path/"job.yaml"), "--seed", "3"])[0] == Job("b", 3) and parse_job("job", Job, [])[0] == Job()
    assert parse_job("job", Job, ["--jobs", "3"], more=dict(jobs="How many"))[2] == dict(jobs="3")


def test_help_of_what_is_nested_has_the_job_s_defaults(here):
    words = " ".join(here("reasoning", "train", "--help")[1].split())
    assert "MISSING" not in words
    for name, want in dict(inc=8, interval=170).items(): assert re.search(rf"--points\.{name} X [^-]*\(default: {want}\)", words)
