"The commands as a user meets them: in a process of their own, offline, from an empty folder."
import os, pty, re, signal, subprocess, sys, termios, time

import pandas as pd
import pytest
import yaml
from safetensors.torch import load_file

from conftest import OFFLINE

JOBS = {"digits": {"loss.png", "mistakes.png"}, "multilabel": {"loss.png"}}
FILES = {"config.yaml", "metrics.csv", "versions.json", "model.safetensors"}


RESUME = {"digits": "; go on with: minitrain digits --resume run", "multilabel": ""}
SMALL = {"digits": ["--epochs", "1", "--width", "4"], "multilabel": ["--epochs", "1", "--canvases", "100", "--valid_canvases", "50"]}


@pytest.fixture
def minitrain(run_offline):
    "Run a command in a process of its own, offline, from an empty folder"
    return lambda *args, **kwargs: run_offline(sys.executable, "-m", "minitrain", *args, **kwargs)


@pytest.fixture
def here(tmp_path, monkeypatch, capfd):
    "Run a command in this process, from an empty folder: exit status, standard output, standard error"
    from minitrain.cli import main
    monkeypatch.chdir(tmp_path)
    def run(*args):
        try: status = main([str(a) for a in args])
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
    assert not [p for p in folder.iterdir() if p.suffix in (".pkl", ".pt", ".pth", ".tmp")]
    config = yaml.safe_load((folder/"config.yaml").read_text())
    assert (config["epochs"], config["seed"]) == (1, 3)
    assert len(pd.read_csv(folder/"metrics.csv")) == 1
    assert all(t.isfinite().all() for t in load_file(folder/"model.safetensors").values() if t.is_floating_point())


def test_a_run_repeats_from_its_config(minitrain, tmp_path):
    assert minitrain("digits", *SMALL["digits"], "--out", "a").returncode == 0
    done = minitrain("digits", "--config", "a/config.yaml", "--out", "b")
    assert done.returncode == 0, done.stderr
    a, b = (load_file(tmp_path/name/"model.safetensors") for name in "ab")
    assert a.keys() == b.keys() and all(a[k].equal(b[k]) for k in a)


@pytest.mark.parametrize("args", [[], ["--help"], ["digits", "--help"], ["multilabel", "--help"], ["lessons", "--help"]], ids=" ".join)
def test_help(args, here):
    status, out, err = here(*args)
    assert status == 0 and "usage: minitrain" in out and not err
    if len(args) == 2 and args[0] != "lessons":
        options = re.findall(r"^  --(\w+)", out, re.M)
        assert {"config", "out", "epochs", "seed", "device"} <= set(options)
        for text in re.split(r"^  --", out.split("options:", 1)[1], flags=re.M)[1:]:
            words = re.sub(r"\(type: .*?\)|default: \S+", "", text, flags=re.S).split()
            assert len(words) > 2, f"an option without a word of help: {text}"


@pytest.mark.parametrize("args, said", [
    (["digit"], "COMMAND"), (["digits", "--epochs", "many"], "epochs"), (["digits", "--epochs", "0"], "epochs"),
    (["digits", "--nosuch", "1"], "nosuch"), (["digits", "--config", "missing.yaml"], "missing.yaml"),
    (["digits", "--config", "typo.yaml"], "epocs"), (["digits", "--seed", "-1"], "seed"), (["digits", "--lr", "nan"], "lr"),
    (["digits", "--device", "toaster"], "device"), (["digits", "--out", "taken/file"], "taken"), (["digits", "--out", "full"], "full"),
    (["digits", "--resume", "nowhere"], "nowhere"), (["digits", "--resume", "full", "--epochs", "3"], "--epochs"),
    (["digits", "--final", "typo.yaml"], "committed"), (["digits", "--final", "nosuch"], "nosuch"), (["lessons"], "folder"), (["multilabel", "--epochs", "x"], "epochs"), (["multilabel", "--device", "toaster"], "device"),
], ids=lambda v: " ".join(v) if isinstance(v, list) else v)
def test_bad_input_is_one_line_and_status_2(args, said, here, tmp_path):
    (tmp_path/"typo.yaml").write_text("epocs: 5")
    (tmp_path/"taken").write_text("")
    (tmp_path/"full").mkdir()
    (tmp_path/"full"/"thing").write_text("")
    before = sorted(tmp_path.rglob("*"))
    status, out, err = here(*args)
    assert status == 2, out + err
    assert err.count("\n") == 1 and said in err, err
    assert sorted(tmp_path.rglob("*")) == before, "something was written"


def test_bad_input_from_a_shell(minitrain):
    done = minitrain("digits", "--epochs", "many")
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and not done.stdout


@pytest.mark.parametrize("command", ["digits", "multilabel"])
def test_ctrl_c_leaves_a_readable_run(command, wheel_env, tmp_path):
    process = subprocess.Popen([*OFFLINE, sys.executable, "-m", "minitrain", command, *SMALL[command], "--epochs", "500", "--out", "run"], cwd=tmp_path,
                               env=wheel_env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 240
    while not (tmp_path/"run"/"metrics.csv").exists() and time.monotonic() < deadline: time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 130, err
    assert err.strip().splitlines()[-1] == f"minitrain: stopped; the run until then is in run{RESUME[command]}" and "Traceback" not in err
    rows = pd.read_csv(tmp_path/"run"/"metrics.csv")
    assert 1 <= len(rows) < 500 and FILES <= {p.name for p in (tmp_path/"run").iterdir()}
    load_file(tmp_path/"run"/"model.safetensors")


def test_progress_in_a_terminal(wheel_env, tmp_path):
    "With a terminal on standard error there is a progress bar, and the table on standard output stays clean"
    terminal, end = pty.openpty()
    termios.tcsetwinsize(end, (24, 80))
    process = subprocess.Popen([*OFFLINE, sys.executable, "-m", "minitrain", "digits", *SMALL["digits"]], cwd=tmp_path,
                               env=wheel_env, stdout=subprocess.PIPE, stderr=end, text=True)
    os.close(end)
    shown = b""
    while True:
        try: chunk = os.read(terminal, 4096)
        except OSError: break
        if not chunk: break
        shown += chunk
    out, _ = process.communicate(timeout=240)
    assert process.returncode == 0 and b"%|" in shown
    assert "\r" not in out


def test_lessons_overwrites_nothing(here, tmp_path):
    assert here("lessons", "book")[0] == 0
    notebook = tmp_path/"book"/"01_softmax.ipynb"
    notebook.write_text("mine")
    assert here("lessons", "book")[0] == 2 and notebook.read_text() == "mine"


def test_ctrl_c_and_resume(wheel_env, tmp_path, minitrain):
    "What the last line of an interrupted run says works, and ends where the run would have ended"
    args = [*SMALL["digits"], "--epochs", "3"]
    process = subprocess.Popen([*OFFLINE, sys.executable, "-m", "minitrain", "digits", *args, "--out", "run"], cwd=tmp_path,
                               env=wheel_env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 240
    while not (tmp_path/"run"/"metrics.csv").exists() and time.monotonic() < deadline: time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 130, err
    done = minitrain(*err.strip().rpartition("minitrain ")[2].split())
    assert done.returncode == 0 and done.stdout.strip().splitlines()[-1] == "run", done.stderr
    assert minitrain("digits", *args, "--out", "whole").returncode == 0
    assert (tmp_path/"run"/"model.safetensors").read_bytes() == (tmp_path/"whole"/"model.safetensors").read_bytes()
    assert pd.read_csv(tmp_path/"run"/"metrics.csv").equals(pd.read_csv(tmp_path/"whole"/"metrics.csv"))
