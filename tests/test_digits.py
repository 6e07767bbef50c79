"""`minitrain digits` from inside: a run repeats, resumes to the same bits, keeps what it has, and is judged once."""
import importlib.util, json, math, random, shutil, signal, subprocess, sys, time
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image, ImageDraw, ImageFont
from safetensors.torch import load_file

import minitrain.experiments.job
from child import Child
from conftest import ROOT
from minitrain.augment import digits_model
from minitrain.core import ArgumentError, load_digits, load_results
from minitrain.experiments.digits import DigitsConfig, digits, error_interval, final_digits, predict_digits, read_digit
from minitrain.experiments.job import load_run
from minitrain.runs import RunDir, load_config

SHORT = dict(epochs=2, batch_size=100, width=4, device="cpu")
FILES = {"config.yaml", "versions.json", "metrics.csv", "model.safetensors", "result.json", "loss.png", "accuracy.png", "mistakes.csv", "mistakes.png"}


def names(folder): return {o.name for o in Path(folder).iterdir() if not o.name.startswith("checkpoint-")}
def train(config, out=None, progress=True): return digits.run(config, out, progress)[0]
def resume(run, progress=True): return digits.resume(run, progress)[0]
def weights(run): return (run/"model.safetensors").read_bytes()


@pytest.fixture(scope="module")
def run(tmp_path_factory): return train(DigitsConfig(**SHORT), tmp_path_factory.mktemp("digits")/"run", progress=False)


def test_the_folder_is_complete_and_readable(run):
    assert names(run.path) == FILES and len(list(run.path.glob("checkpoint-*.pt"))) == 2
    assert load_config(run/"config.yaml", DigitsConfig) == DigitsConfig(**SHORT)
    assert list(run.metrics.columns) == ["epoch", "train_loss", "valid_loss", "train_accuracy", "valid_accuracy"] and len(run.metrics) == 2
    assert "torch" in json.loads((run/"versions.json").read_text())
    result = json.loads((run/"result.json").read_text())
    assert result["samples"] == 7000 and result["cpu_seconds"] > 0 and result["valid_accuracy"] == run.metrics["valid_accuracy"].iloc[-1]
    assert result["parameters"] == sum(t.numel() for k, t in load_file(run/"model.safetensors").items() if "running" not in k and "num_batches" not in k)
    for o in ("loss.png", "accuracy.png", "mistakes.png"): assert (run/o).read_bytes().startswith(b"\x89PNG") and (run/o).stat().st_size > 5000


def test_the_weights_are_those_of_the_last_row(run):
    model = digits_model(4).eval()
    model.load_state_dict(load_file(run/"model.safetensors"))
    d, mistakes = load_digits(), pd.read_csv(run/"mistakes.csv")
    with torch.no_grad(): wrong = (model(d.x_valid).argmax(1) != d.y_valid).nonzero().flatten()
    assert sorted(mistakes["index"]) == wrong.tolist() and mistakes["loss"].is_monotonic_decreasing
    assert math.isclose(1 - len(wrong)/500, run.metrics["valid_accuracy"].iloc[-1], rel_tol=1e-6)
    assert (mistakes["label"] == d.y_valid[mistakes["index"].tolist()].numpy()).all() and (mistakes["label"] != mistakes["answer"]).all()


def test_same_seed_same_weights(run, tmp_path, capsys):
    torch.rand(7)
    again, other = (train(DigitsConfig(**SHORT, **o), tmp_path/str(i)) for i, o in enumerate(({}, dict(seed=1))))
    assert weights(again) == weights(run) != weights(other)
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert lines[0].split() == ["epoch", "train", "loss", "accuracy"] and len(lines) == 10
    assert len({len(o) for o in lines}) == 1, "the columns are not aligned"
    assert err == "", "a bar was shown where standard error is no terminal"


@pytest.mark.parametrize("save_every", [0, 4])
def test_killed_and_resumed_is_never_stopped(save_every, run, tmp_path):
    child = Child(train, DigitsConfig(**SHORT, save_every=save_every), tmp_path/"run")
    while child.poll() is None and not list((tmp_path/"run").glob("checkpoint-*")): time.sleep(0.01)
    time.sleep(random.random()*0.3)
    child.kill()
    assert child.wait() == -signal.SIGKILL, "the run was over before it could be killed"
    resumed = resume(tmp_path/"run", progress=False)
    assert weights(resumed) == weights(run) and resumed.metrics.equals(run.metrics) and names(resumed.path) == FILES
    assert json.loads((resumed/"result.json").read_text())["samples"] == 7000


def test_a_run_that_is_over_stays_as_it_is(run, capsys):
    before = {o: o.read_bytes() for o in run.path.iterdir() if o.suffix in (".safetensors", ".csv", ".yaml", ".json")}
    resume(run.path)
    assert "nothing left to do" in capsys.readouterr().out
    assert all(o.read_bytes() == old for o, old in before.items())


def test_a_torn_result_is_made_anew(run, tmp_path):
    shutil.copytree(run.path, tmp_path/"run")
    (tmp_path/"run"/"result.json").write_text("{")
    with pytest.raises(ArgumentError, match="result.json"): digits.result(RunDir(tmp_path/"run"))
    assert digits.result(resume(tmp_path/"run", progress=False)) == digits.result(run)


def test_only_a_run_of_digits_is_resumed(tmp_path):
    with pytest.raises(ArgumentError, match="a folder that holds a run"): resume(tmp_path)
    RunDir(tmp_path/"other", dict(epochs=1, canvases=5))
    with pytest.raises(ArgumentError, match="canvases"): resume(tmp_path/"other")


def test_all_digits_need_no_validation(tmp_path):
    run = train(DigitsConfig(**{**SHORT, "epochs": 1}, train_on="all"), tmp_path/"run", progress=False)
    assert list(run.metrics.columns) == ["epoch", "train_loss", "train_accuracy"] and names(run.path) == FILES - {"mistakes.csv", "mistakes.png"}
    assert json.loads((run/"result.json").read_text())["samples"] == 4000


def test_bf16(tmp_path):
    run = train(DigitsConfig(**{**SHORT, "epochs": 1}, precision="bf16"), tmp_path/"run", progress=False)
    assert run.metrics["train_loss"].between(1, 2.4).all()


def test_the_default_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    runs = [train(DigitsConfig(**{**SHORT, "epochs": 1}), progress=False).path for _ in range(2)]
    assert len(set(runs)) == 2 and all(o.parent.name == "runs" and o.name.startswith("digits-2") for o in runs)


@pytest.mark.parametrize("kwargs, name", [
    (dict(epochs=0), "epochs"), (dict(epochs=2.5), "epochs"), (dict(epochs=True), "epochs"), (dict(batch_size=0), "batch_size"), (dict(width=0), "width"),
    (dict(width=4.0), "width"), (dict(views=-1), "views"), (dict(lr=-1), "lr"), (dict(lr="fast"), "lr"), (dict(lr=math.inf), "lr"), (dict(weight_decay=math.nan), "weight_decay"),
    (dict(label_smoothing=1.5), "label_smoothing"), (dict(affine=True), "affine"), (dict(warp=-1), "warp"), (dict(train_on="test"), "train_on"), (dict(precision="half"), "precision"),
    (dict(save_every=-1), "save_every"), (dict(seed=-1), "seed"), (dict(seed=2**32), "seed"), (dict(device="nowhere"), "device"), (dict(device="meta"), "device")])
def test_a_bad_config_is_refused_and_makes_no_folder(kwargs, name, tmp_path):
    with pytest.raises(ArgumentError, match=f"`{name}`: expected"): train(DigitsConfig(**{**SHORT, **kwargs}), tmp_path/"run")
    assert not (tmp_path/"run").exists()


def test_a_full_folder_is_refused(run):
    before = (run/"metrics.csv").read_bytes()
    with pytest.raises(ArgumentError, match="new or empty folder"): train(DigitsConfig(**SHORT), run.path)
    assert (run/"metrics.csv").read_bytes() == before


def test_the_packaged_config_is_the_default(): assert load_config("digits", DigitsConfig) == DigitsConfig()


def test_spoilt_weights_are_neither_kept_nor_gone_on_with(tmp_path):
    with pytest.raises(FloatingPointError) as e: train(DigitsConfig(**SHORT, lr=1e30), tmp_path/"run", progress=False)
    assert "smaller learning rate" in e.value.__notes__[-1] and "--resume" not in e.value.__notes__[-1]
    assert "model.safetensors" not in names(tmp_path/"run") and "result.json" not in names(tmp_path/"run")
    for o in (tmp_path/"run").glob("checkpoint-*"):
        weights = torch.load(o, weights_only=False)["model"]["weights"]
        assert all(t.isfinite().all() for t in weights.values())
    with pytest.raises(FloatingPointError): resume(tmp_path/"run", progress=False)


def test_a_failing_picture_takes_nothing_else_with_it(tmp_path, monkeypatch, capsys):
    def broken(*a, **k): raise OSError("disk full")
    monkeypatch.setattr(minitrain.experiments.job, "curves_figure", broken)
    run = train(DigitsConfig(**{**SHORT, "epochs": 1}), tmp_path/"a", progress=False)
    assert names(run.path) == FILES - {"loss.png", "accuracy.png"}
    assert "disk full" in digits.result(run)["failed"]["loss.png"] and "disk full" in capsys.readouterr().err


# --- from a run to its use

def test_load_run(run):
    model, config, job = load_run(run.path)
    assert job is digits and config == DigitsConfig(**SHORT) and not model.training
    want = load_file(run/"model.safetensors")
    assert all(torch.equal(o, want[k]) for k, o in model.state_dict().items())
    RunDir(run.path.parent/"strange", dict(a=1))
    for path in (run.path.parent, run.path.parent/"strange"):
        with pytest.raises(ArgumentError): load_run(path)


def test_weights_of_another_run_are_turned_down(run, tmp_path):
    other = train(DigitsConfig(**SHORT, seed=5), tmp_path/"other", progress=False)
    mine = weights(other)
    other.write("model.safetensors", weights(run))
    for use in (load_run, resume, lambda o: predict_digits(o, [tmp_path/"none.png"])):
        with pytest.raises(ArgumentError, match="another seed"): use(other.path)
    assert weights(other) == weights(run), "what is not the run's own is left alone"
    (other/"model.safetensors").unlink()
    assert weights(resume(other.path, progress=False)) == mine


def typed(path, digit, font, size, rng, inverted=False, photo=False):
    "A digit somewhere on a sheet; a photo of it is gray, unevenly lit and noisy"
    letter = ImageFont.truetype(str(Path(matplotlib.get_data_path())/"fonts"/"ttf"/f"{font}.ttf"), size)
    left, top, right, bottom = letter.getbbox(str(digit))
    wid, hgt = int((right - left)*rng.uniform(1.5, 4)) + 8, int((bottom - top)*rng.uniform(1.4, 3)) + 8
    sheet = Image.new("L", (wid, hgt), 255)
    at = rng.uniform(3, wid - (right - left) - 3) - left, rng.uniform(3, hgt - (bottom - top) - 3) - top
    ImageDraw.Draw(sheet).text(at, str(digit), fill=0, font=letter)
    x = np.array(sheet)/255
    if photo:
        light = np.linspace(0.5, 0.9, hgt)[:, None] + np.linspace(0, 0.1, wid)
        x = (0.25 + 0.6*x)*light + np.random.default_rng(digit).normal(0, 0.03, x.shape)
    Image.fromarray((255*np.clip(1 - x if inverted else x, 0, 1)).astype(np.uint8)).save(path)
    return path


@pytest.fixture(scope="module")
def reader(tmp_path_factory):
    "A run that reads handwriting well"
    config = DigitsConfig(epochs=8, width=16, device="cpu")
    return train(config, tmp_path_factory.mktemp("reader")/"run", progress=False)


@pytest.mark.parametrize("photo", [False, True])
def test_digits_in_pictures_of_others_are_read(photo, reader, tmp_path):
    "Fonts, odd sizes, inverted, photographed: at least 96 of 120; a short run has 105, a guess 12, and the whole recipe nearly all"
    rng, files, truth = random.Random(0), [], []
    for font in ("DejaVuSans", "DejaVuSerif", "DejaVuSansMono"):
        for digit in range(10):
            for size, inverted in ((17, False), (17, True), (57, True), (211, False)):
                files.append(typed(tmp_path/f"{len(files)}.png", digit, font, size, rng, inverted, photo))
                truth.append(digit)
    said = predict_digits(reader.path, files, show=tmp_path/"seen.png", out=tmp_path/"said.csv")
    right = (said.digit == truth).sum()
    assert right >= 96 and said.probability.between(0.1, 1).all()
    assert (tmp_path/"seen.png").read_bytes().startswith(b"\x89PNG") and len(pd.read_csv(tmp_path/"said.csv")) == 120


def test_a_digit_of_mnist_comes_back(tmp_path):
    "Drawn dark on light, large, off the middle and noisy, it is nearly the digit that it was"
    x, alike = load_digits().x_valid[:20], []
    for i, digit in enumerate(x):
        sheet = torch.nn.functional.pad(digit, (20, 3, 0, 31))[None, None]
        sheet = 1 - 0.8*torch.nn.functional.interpolate(sheet, scale_factor=3, mode="bilinear")[0, 0]
        Image.fromarray((255*sheet).byte().numpy()).save(tmp_path/"a.png")
        seen = read_digit(tmp_path/"a.png")[1]
        assert seen.shape == (28, 28) and 0 <= seen.min() and seen.max() == 1
        alike.append(torch.corrcoef(torch.stack([seen.flatten(), digit.flatten()]))[0, 1].item())
    assert min(alike) > 0.5 and sorted(alike)[10] > 0.8, alike


@pytest.mark.parametrize("write, words", [(lambda p: p.write_text("no"), "a picture"), (lambda p: Image.new("L", (60, 60), 255).save(p, "PNG"), "a digit"),
    (lambda p: Image.new("L", (3, 60)).save(p, "PNG"), "8 pixels"), (lambda p: Image.new("1", (9000, 9000)).save(p, "PNG"), "million"), (lambda p: p.mkdir(), "exists")])
def test_what_is_no_picture_of_a_digit_is_one_line(write, words, run, tmp_path):
    write(tmp_path/"p.png")
    with pytest.raises(ArgumentError, match=words) as e: predict_digits(run.path, [tmp_path/"p.png"], show=tmp_path/"s.png")
    assert "\n" not in str(e.value) and not (tmp_path/"s.png").exists()
    with pytest.raises(ArgumentError, match="a picture or more"): predict_digits(run.path)


def test_it_goes_elsewhere_as_a_graph(run, tmp_path):
    model, x = load_run(run.path)[0], load_digits().x_valid[:7]
    shapes = {0: torch.export.Dim("batch")},
    with torch.no_grad(): want = model(x)
    again = torch.export.export(model, (x[:2],), dynamic_shapes=shapes).module()
    torch.testing.assert_close(again(x), want)
    for package in ("onnxscript", "onnxruntime"): pytest.importorskip(package)
    import onnxruntime
    torch.onnx.export(model, (x[:2],), tmp_path/"digits.onnx", dynamic_shapes=shapes, dynamo=True)
    session = onnxruntime.InferenceSession(tmp_path/"digits.onnx")
    said, = session.run(None, {session.get_inputs()[0].name: x.numpy()})
    torch.testing.assert_close(torch.from_numpy(said), want, rtol=1e-4, atol=1e-4)


# --- the last figure

def git(folder, *args):
    subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@b", *args], cwd=folder, check=True, capture_output=True)


def ledger():
    spec = importlib.util.spec_from_file_location("ledger", ROOT/"bench"/"ledger.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def recipe(tmp_path):
    (tmp_path/"repo").mkdir()
    git(tmp_path/"repo", "init", "-q")
    path = tmp_path/"repo"/"recipe.yaml"
    path.write_text("epochs: 1\nbatch_size: 100\nwidth: 4\ndevice: cpu\n")
    return path


def test_an_uncommitted_config_is_refused(recipe, tmp_path):
    for change in (lambda: None, lambda: git(recipe.parent, "add", "."), lambda: (git(recipe.parent, "commit", "-qm", "a"), recipe.write_text("epochs: 2"))):
        change()
        with pytest.raises(ArgumentError, match="committed as it is"): final_digits(recipe, tmp_path/"out")
    git(recipe.parent, "commit", "-qam", "b")
    recipe.with_name("top.yaml").write_text("base: recipe.yaml\nlr: 0.02\n")
    git(recipe.parent, "add", ".")
    git(recipe.parent, "commit", "-qm", "c")
    recipe.write_text("epochs: 3")
    with pytest.raises(ArgumentError, match="committed as it is"): final_digits(recipe.with_name("top.yaml"), tmp_path/"out")
    assert not (tmp_path/"out").exists()


def test_the_ledger_keeps_every_final_run(recipe, tmp_path):
    book, file = ledger(), tmp_path/"digits_final.csv"
    git(recipe.parent, "add", ".")
    git(recipe.parent, "commit", "-qm", "a")
    commit = book.committed(recipe)
    tables = [pd.DataFrame(dict(config="recipe", seed=range(n), errors=range(n))) for n in (2, 1)]
    first, second = (book.enter(o, recipe, commit, "the command", file) for o in tables)
    kept = load_results(file)
    assert kept["final"].tolist() == [1, 1, 2] and kept["earlier"].tolist() == [0, 0, 1] and kept["seed"].tolist() == [0, 1, 0]
    assert kept["sha256"].nunique() == 1 and set(kept["commit"]) == {commit}
    assert "final run 2; 1 of this configuration before it" == second.attrs["ledger"]


def test_the_last_figure_from_an_installed_package_is_not_entered(run_offline, tmp_path):
    "Outside a clone it is computed all the same, and says so; no test reads the thousand"
    (tmp_path/"mine.yaml").write_text("epochs: 1\nbatch_size: 100\nwidth: 4\ndevice: cpu\n")
    code = """if True:
        import sys
        import minitrain.experiments.digits as m
        from minitrain.cli import main
        d = m.load_digits()
        m.load_final_digits = lambda: (d.x_valid[:50], d.y_valid[:50])
        m.final_digits.__defaults__ = (None, (0, 1), False)
        sys.exit(main(["digits", "--final", "mine.yaml"]))"""
    done = run_offline(sys.executable, "-c", code)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.strip().splitlines()
    assert "of 50 test digits read wrongly" in lines[0] and lines[-1].startswith("not entered in the book's ledger")


def test_the_interval_sees_seeds_and_images():
    one = torch.zeros(5, 1000, dtype=torch.bool)
    one[:, :10] = True  # the same ten images for every seed: as uncertain as one seed
    mean, low, high = error_interval(one)
    assert mean == pytest.approx(0.01) and high - low == pytest.approx(2*1.96*math.sqrt(0.01*0.99/1000), rel=0.15)
    seeds = torch.zeros(5, 1000, dtype=torch.bool)
    seeds[0, :50] = True  # one bad seed: no number of images makes that sure
    assert error_interval(seeds)[1] == 0 and error_interval(seeds)[2] > 0.02


def test_sixteen_bits_and_white_on_nothing_are_read(tmp_path):
    "As the same digit in eight bits, and as white on black"
    x = 255 - np.array(Image.open(typed(tmp_path/"a.png", 5, "DejaVuSans", 60, random.Random(0))))
    white = np.stack([np.full_like(x, 255)]*3 + [x], -1)  # only its alpha varies
    for name, o in dict(b=x, c=x*np.uint16(257), d=white).items(): Image.fromarray(o).save(tmp_path/f"{name}.png")
    eight, sixteen, clear = (read_digit(tmp_path/f"{o}.png") for o in "bcd")
    for o in (sixteen, clear):
        for got, want in zip(o, eight): torch.testing.assert_close(got, want, rtol=0, atol=0.02)
