"""No string counts as true: 'False' from a file or a command line is refused where it would change a result."""
import importlib, inspect, pkgutil, typing
from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

import minitrain
from minitrain.atari import AtariEnv
from minitrain.attention import Attention, TransformerBlock
from minitrain.callbacks import BatchTransformCB, EarlyStopCB, EMACB
from minitrain.catch import CatchEnv, CatchGames, catch_demos, rollout
from minitrain.checkpoint import CheckpointCB
from minitrain.compose import ReasoningClassifier
from minitrain.core import ArgumentError, load_digits, load_final_digits
from minitrain.data import BatchSampler, DataLoader, Sampler, get_dls, load_mnist
from minitrain.experiments.reasoning import predict_reasoning
from minitrain.gaze_training import AttentionExtractor
from minitrain.hooks import HooksCallback
from minitrain.learner import Learner, TrainCB
from minitrain.metrics import MultilabelAccuracy
from minitrain.optim import SGD, Momentum
from minitrain.reasoning import ReasoningModel, TwoStreams
from minitrain.schedule import freeze, one_cycle
from minitrain.tasks import (
    GaussianSampler, LogisticRegressionTask, TaskLoader, ceiling, get_task_sampler)
from minitrain.vit import ViT

P, X = [nn.Parameter(torch.zeros(1))], np.arange(8.).reshape(4, 2)
LEARN = Learner(nn.Linear(1, 1), ([(torch.zeros(1, 1), torch.zeros(1, 1))], None), nn.MSELoss(), cbs=TrainCB())
VIT = ViT(8, 4, 1, 2, 4, 1, 1)
TABLE = {"a": [1, 2], "y": ["u", "v"]}


def classify(**flags): ReasoningClassifier(**flags).fit(X, [0, 1, 0, 1])


def tables(**flags):
    import pandas as pd
    predict_reasoning("reasoning_d8", *[pd.DataFrame(TABLE)]*2, label="y", **flags)


# Each flag that a string is refused for, with a call that lacks it alone
ASKED = {
    "Attention": (partial(Attention, 4, 1), "causal qkv_bias qk_norm"),
    "TransformerBlock": (partial(TransformerBlock, 4, 1), "causal qkv_bias qk_norm"),
    "ViT": (partial(ViT, 8, 4, 1, 2, 4, 1, 1), "qkv_bias qk_norm patch_norm"),
    "BatchTransformCB": (partial(BatchTransformCB, abs), "on_train on_val"),
    "EarlyStopCB": (partial(EarlyStopCB, "loss"), "restore"), "EMACB": (EMACB, "validate"),
    "CatchGames": (partial(CatchGames, [0]), "lamps"), "CatchEnv": (lambda **o: CatchEnv(**o).reset(), "lamps"),
    "catch_demos": (partial(catch_demos, 1), "lamps"),
    "rollout": (partial(rollout, VIT, 1), "lamps"),
    "CheckpointCB": (partial(CheckpointCB, "run"), "resume"), "ReasoningClassifier": (classify, "intercept with_std"),
    "load_digits": (load_digits, "raw"), "load_final_digits": (load_final_digits, "raw"), "load_mnist": (partial(load_mnist, "no"), "final"),
    "Sampler": (partial(Sampler, [1]), "shuffle"), "BatchSampler": (partial(BatchSampler, [1], 1), "drop_last"),
    "DataLoader": (partial(DataLoader, [1]), "shuffle drop_last"), "get_dls": (partial(get_dls, [1], [1], 1), "drop_last"),
    "AttentionExtractor": (partial(AttentionExtractor, VIT), "detach"), "HooksCallback": (partial(HooksCallback, print), "on_train on_valid"),
    "Learner.fit": (LEARN.fit, "train valid"), "Learner.fit_one_cycle": (partial(LEARN.fit_one_cycle, 1), "valid"),
    "MultilabelAccuracy": (MultilabelAccuracy, "logits exact"),
    "SGD": (partial(SGD, P, momentum=.9), "nesterov"), "Momentum": (partial(Momentum, P), "nesterov"),
    "ReasoningModel": (partial(ReasoningModel, 2, 4, 4, 1, 1), "positions"), "TwoStreams": (partial(TwoStreams, 2, 4, 4, 1, 1), "positions"),
    "freeze": (partial(freeze, nn.Linear(1, 1)), "frozen"), "one_cycle": (partial(one_cycle, torch.optim.SGD(P), 1., 5), "cycle_momentum"),
    "LogisticRegressionTask": (partial(LogisticRegressionTask, 2, 1), "variable_noise"),
    "TaskLoader": (partial(TaskLoader, GaussianSampler(2), get_task_sampler("probabilistic_logistic_regression", 2, 1), 1, 1), "repeat"),
    "predict_reasoning": (tables, "fill"), "AtariEnv": (partial(AtariEnv, "pong"), "glyph"),
}
# torch raises; what is kept, drawn or printed; what one reads off the answer at once; what passes the flag on to one above
ELSEWHERE = """set_seed.deterministic logsumexp.keepdim model_mode.training DataLoader.pin_memory show_image.noframe ProgressCB.plot
    Learner.lr_find.plot Job.run.progress Job.resume.progress compare.progress final_digits.progress rollout.keep play_atari.keep
    Learner.get_preds.inps Learner.capture_preds.inps Learner.one_epoch.training HistoryCB.best.higher conv.act conv.bias load_mnist.raw
    play_atari.glyph record_atari.glyph watch_scenes.glyph judge_clone.glyph ceiling.variable_noise get_task_sampler.variable_noise""".split()


def flags():
    "Each public parameter that is annotated bool, or is one by default"
    for info in pkgutil.walk_packages(minitrain.__path__, "minitrain."):
        if "exercises" in info.name or info.name.rpartition(".")[2] in ("__main__", "_modidx"): continue
        module = importlib.import_module(info.name)
        for name in getattr(module, "__all__", ()):
            o = getattr(module, name)
            if getattr(o, "__module__", "") != info.name: continue
            methods = [(f"{name}.{k}".removesuffix(".__init__"), f) for k, f in vars(o).items() if k == "__init__" or k[0] != "_"] if isinstance(o, type) else [(name, o)]
            for where, f in methods:
                if not inspect.isfunction(f) or where.endswith("Config"): continue
                hints = typing.get_type_hints(f)
                for p in inspect.signature(f).parameters.values():
                    hint = hints.get(p.name)
                    if isinstance(p.default, bool) or hint is bool or bool in typing.get_args(hint): yield f"{where}.{p.name}"


def test_every_flag_is_decided_on():
    asked = {f"{k}.{o}" for k, (_, names) in ASKED.items() for o in names.split()}
    found = {*flags()}
    assert not found - asked - {*ELSEWHERE}, found - asked - {*ELSEWHERE}


@pytest.mark.parametrize("flag", [f"{k}.{o}" for k, (_, names) in ASKED.items() for o in names.split()])
def test_a_string_is_refused(flag):
    if flag.startswith("AtariEnv"): pytest.importorskip("ale_py")
    name, _, key = flag.rpartition(".")
    with pytest.raises(ArgumentError, match=rf"`{key}`: expected (True or )?False"): ASKED[name][0](**{key: "False"})


@pytest.mark.parametrize("no", [False, 0, np.False_])
def test_numbers_and_numpys_bools_are_taken(no):
    half = MultilabelAccuracy(logits=no)
    half.update(torch.tensor([[.4, .6]]), torch.tensor([[0, 1]]))
    assert half.compute() == 1
    assert not Attention(4, 1, causal=no).causal and LEARN.fit(0, train=no) is None


def test_labels_of_a_context_are_probabilities():
    model, xs = ReasoningModel(2, 4, 4, 1, 1), torch.zeros(1, 3, 2)
    for encoding in ("interleave", "apart", "pair", "product"):
        model = ReasoningModel(2, 4, 4, 1, 1, encoding=encoding)
        with pytest.raises(ArgumentError, match="`ys`: expected numbers from 0 to 1"): model(xs, torch.tensor([[0, 1, 2]]))
        assert model(xs, torch.tensor([[0, 1, 1]])).shape == (1, 3)
