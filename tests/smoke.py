"""The package in twenty seconds, wherever it is installed: `python tests/smoke.py`.

Needs nothing but the package and what it requires; CI runs it at the oldest and at the
newest versions. Prints what it ran with; ends with an error at the first thing that is
not so.
"""
import subprocess, sys, tempfile
from importlib.metadata import distributions
from pathlib import Path

import torch
import torch.nn.functional as F

from minitrain.all import (
    Accuracy, Adam, AttentionExtractor, BatchSchedCB, DataLoader, Dataset, DataLoaders,
    Learner, MetricsCB, TrainCB, ViT, binary_cross_entropy_with_logits, cross_entropy,
    digits_model, load_digits, load_results, mean_interval, one_cycle, show_images)


def losses():
    "Values and gradients beside torch's"
    x, y = torch.randn(8, 5, requires_grad=True), torch.randint(5, (8,))
    for ours, target in ((cross_entropy, y),
            (binary_cross_entropy_with_logits, torch.rand(8, 5))):
        both = ours, getattr(F, ours.__name__)
        losses = [f(x, target) for f in both]
        grads = [torch.autograd.grad(o, x)[0] for o in losses]
        for pair in (losses, grads): torch.testing.assert_close(*pair)


def digits():
    "An epoch of the digit classifier with one cycle; saved and read back"
    d = load_digits()
    train = DataLoader(Dataset(d.x_train, d.y_train), 100, shuffle=True, seed=1)
    dls = DataLoaders(train, DataLoader(Dataset(d.x_valid, d.y_valid), 500))
    sched = BatchSchedCB(lambda o, total_steps: one_cycle(o, 1e-2, total_steps))
    cbs, model = [TrainCB(), MetricsCB(accuracy=Accuracy()), sched], digits_model(8)
    model.register_buffer("steps", torch.zeros((), dtype=torch.uint32))
    learn = Learner(model, dls, cross_entropy, lr=1e-2, cbs=cbs, opt_func=Adam)
    learn.fit(1)
    score = learn.validate()["accuracy"]
    assert score > 0.75, score
    with tempfile.TemporaryDirectory() as tmp:
        learn.save(Path(tmp)/"w.safetensors")
        learn.load(Path(tmp)/"w.safetensors")
    assert learn.validate()["accuracy"] == score


def tables():
    "Rows of results, pictures, an interval"
    assert len(load_results("climb")) > 5
    import matplotlib
    matplotlib.use("agg")
    show_images(load_digits().x_valid[:4])
    mean, low, high = mean_interval([1., 2., 3.])
    assert low < mean == 2 < high


def extractor():
    "Attention of a ViT as it is computed"
    vit = ViT(16, 8, 1, 3, 12, 2, 2)
    x = torch.randn(2, 1, 16, 16)
    with AttentionExtractor(vit) as look: vit(x)
    rows = look.cls_logits.softmax(-1)
    maps = vit.attention_maps(x)
    torch.testing.assert_close(rows, maps/maps.sum(-1, keepdim=True))


def games():
    "Gymnasium: a game of Catch"
    import gymnasium
    env = gymnasium.make("minitrain/Catch-v0")
    frame, _ = env.reset(seed=0)
    assert env.step(1)[0].shape == frame.shape == (1, 24, 24)


def classifier():
    "The frozen head as a scikit-learn classifier, or the sentence that names the extra"
    try: from minitrain.compose import ReasoningClassifier
    except ImportError as e:
        assert "minitrain[compose]" in str(e), e
        return print("without scikit-learn:", e)
    x = torch.randn(60, 3, generator=torch.Generator().manual_seed(0)).numpy()
    y = x[:, 0] > 0
    score = ReasoningClassifier(n_views=2).fit(x[:40], y[:40]).score(x[40:], y[40:])
    assert score > 0.75, score


def commands():
    "`minitrain --help`, and the lessons copied"
    with tempfile.TemporaryDirectory() as tmp:
        for args in (["--help"], ["lessons", "book"]):
            command = [sys.executable, "-m", "minitrain", *args]
            subprocess.run(command, check=True, cwd=tmp, stdout=subprocess.DEVNULL)
        assert len(list((Path(tmp)/"book").glob("*.ipynb"))) > 40


def main():
    names = """torch numpy fastcore einops pandas matplotlib safetensors gymnasium pillow
        scipy scikit-learn""".split()
    found = {o.name.lower(): o.version for o in distributions()}
    said = [f"{o} {found[o]}" for o in names if o in found]
    print(f"Python {sys.version.split()[0]},", ", ".join(said))
    torch.manual_seed(0)
    checks = losses, digits, tables, extractor, games, classifier, commands
    for check in checks: check()
    print("all well")


if __name__ == "__main__": main()
