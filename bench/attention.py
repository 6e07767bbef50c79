#!/usr/bin/env python3
"""Training steps of our transformer blocks against a Hugging Face GPT-2 of the same shape, with the same weights, interleaved.

    python bench/attention.py [ROUNDS]        # needs transformers; 5.24 was used

12 layers, 8 heads, 256 wide, 8 sequences of 516 tokens given as embeddings; learned positions and a final LayerNorm, no
dropout. A step is forward, squared error, backward, torch's AdamW and zero_grad; CPU time on one thread. Before anything
is timed, a block's outputs must agree with GPT-2's to 1e-5, and the outputs and gradients of all models to 1e-4.

minitrain          our blocks, with GPT-2's tanh GELU
minitrain, whole   the same without slices of queries: one call of the fused attention
GPT-2 eager        attention written out, as in the library
GPT-2 sdpa         the library's default: fused attention, GELU as eight separate operations
GPT-2 sdpa, fused GELU   the library's fastest form of the same mathematics
"""
import os, sys, time
from functools import partial
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")
import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from torch import nn
from torch.testing import assert_close
from torch.utils._python_dispatch import TorchDispatchMode
from transformers import GPT2Config, GPT2Model, __version__ as transformers_version
from transformers.utils import logging

import minitrain.attention
from minitrain.attention import TransformerBlock
from minitrain.core import set_seed
from minitrain.runs import save_results

RESULT = Path(__file__).parents[1]/"minitrain"/"assets"/"results"/"attention.csv"
LAYERS, HEADS, DIM, TOKENS, BATCH, SEED = 12, 8, 256, 516, 8, 0
SLICE = minitrain.attention._SLICE


class Stack(nn.Module):
    "Positions, blocks, a final norm"
    def __init__(self, slice=SLICE):
        super().__init__()
        self.positions, self.norm, self.slice = nn.Parameter(torch.zeros(TOKENS, DIM)), nn.LayerNorm(DIM), slice
        self.blocks = nn.ModuleList(TransformerBlock(DIM, HEADS, causal=True, act=partial(nn.GELU, approximate="tanh")) for _ in range(LAYERS))

    def forward(self, x):
        minitrain.attention._SLICE = self.slice
        x = x + self.positions
        for block in self.blocks: x = block(x)
        return self.norm(x)


class GPT2(nn.Module):
    def __init__(self, attention, activation="gelu_new"):
        super().__init__()
        self.model = GPT2Model(GPT2Config(
            vocab_size=1, bos_token_id=None, eos_token_id=None, n_positions=TOKENS, n_embd=DIM, n_layer=LAYERS, n_head=HEADS,
            resid_pdrop=0, embd_pdrop=0, attn_pdrop=0, use_cache=False, activation_function=activation, attn_implementation=attention))

    def forward(self, x): return self.model(inputs_embeds=x).last_hidden_state


MODELS = {
    "minitrain": lambda: Stack(), "minitrain, whole": lambda: Stack(10**9),
    "GPT-2 eager": lambda: GPT2("eager"), "GPT-2 sdpa": lambda: GPT2("sdpa"), "GPT-2 sdpa, fused GELU": lambda: GPT2("sdpa", "gelu_pytorch_tanh"),
}
NAMES = {"norm1": "ln_1", "attention.qkv": "attn.c_attn", "attention.out": "attn.c_proj", "norm2": "ln_2", "mlp.0": "mlp.c_fc", "mlp.2": "mlp.c_proj"}


def pairs(stack, gpt):
    "Our parameters beside theirs; their linear layers have weights (in, out)"
    theirs = gpt.model
    yield from ((stack.positions, theirs.wpe.weight, False), (stack.norm.weight, theirs.ln_f.weight, False), (stack.norm.bias, theirs.ln_f.bias, False))
    for ours, other in zip(stack.blocks, theirs.h):
        for a, b in NAMES.items():
            for kind in ("weight", "bias"):
                p, q = (getattr(m.get_submodule(n), kind) for m, n in ((ours, a), (other, b)))
                yield p, q, kind == "weight" and p.ndim == 2


def copy_weights(stack, gpt):
    with torch.no_grad():
        for p, q, turned in pairs(stack, gpt): p.copy_(q.T if turned else q)


def check(models, x, y):
    "The same weights must give the same outputs and gradients"
    reference = models["GPT-2 eager"]
    for name, model in models.items():
        if isinstance(model, Stack): copy_weights(model, reference)
        elif model is not reference: model.load_state_dict(reference.state_dict())
    block, theirs = models["minitrain"].blocks[0], models["GPT-2 sdpa"].model.h[0]
    with torch.no_grad(): assert_close(block(x), theirs(x), atol=1e-5, rtol=1e-5)
    outs = {}
    for name, model in models.items():
        outs[name] = model(x)
        F.mse_loss(outs[name], y).backward()
    worst = 0.
    for name, model in models.items():
        assert_close(outs[name], outs["GPT-2 eager"], atol=1e-4, rtol=0)
        if isinstance(model, Stack):
            for p, q, turned in pairs(model, reference):
                worst = max(worst, (p.grad - (q.grad.T if turned else q.grad)).abs().max().item()/(q.grad.abs().max().item() + 1e-12))
    assert worst < 1e-3, worst
    apart = max((outs[name] - outs["GPT-2 eager"]).abs().max().item() for name in outs)
    print(f"outputs agree to {apart:.1g}, gradients to {worst:.1g} of their largest entry")
    for model in models.values(): model.zero_grad()


class Count(TorchDispatchMode):
    ops = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.ops += 1
        return func(*args, **(kwargs or {}))


def counts(model, x, y):
    "Calls into ATen of forward and backward, and megabytes that forward keeps for backward beyond the parameters"
    own, kept = {p.untyped_storage().data_ptr() for p in model.parameters()}, {}

    def pack(t):
        if t.untyped_storage().data_ptr() not in own: kept[t.untyped_storage().data_ptr()] = t.untyped_storage().nbytes()
        return t
    with Count() as count:
        with torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t): loss = F.mse_loss(model(x), y)
        loss.backward()
    model.zero_grad()
    return dict(ops=count.ops, kept_mb=round(sum(kept.values())/1e6))


def step(model, opt, x, y):
    start = time.process_time()
    F.mse_loss(model(x), y).backward()
    opt.step()
    opt.zero_grad()
    return time.process_time() - start


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    torch.set_num_threads(1)
    logging.set_verbosity_error()
    set_seed(SEED)
    x, y = torch.randn(2, BATCH, TOKENS, DIM)
    models = {name: make() for name, make in MODELS.items()}
    check(models, x, y)
    opts = {name: torch.optim.AdamW(model.parameters(), lr=1e-4) for name, model in models.items()}
    known = {name: counts(model, x, y) for name, model in models.items()}
    rows, rng = [], np.random.default_rng(SEED)
    for repeat in range(-1, rounds):  # one round to warm up
        for name in rng.permutation(list(models)):
            seconds = step(models[name], opts[name], x, y)
            if repeat >= 0: rows.append(dict(repeat=repeat, what=name, cpu_s=round(seconds, 3), **known[name]))
    df = pd.DataFrame(rows)
    wide = df.pivot(index="repeat", columns="what", values="cpu_s")
    print(f"minitrain: {wide['minitrain'].median():.2f} CPU s a step; {rounds} rounds")
    for name in list(models)[1:]:
        ratio = (wide[name]/wide["minitrain"]).to_numpy()
        low, high = np.percentile(np.median(rng.choice(ratio, (2000, len(ratio))), axis=1), [2.5, 97.5])
        print(f"{name}: {np.median(ratio):.3f} times minitrain, 95 % interval {low:.3f} to {high:.3f}; {known[name]}")
    print(f"minitrain: {known['minitrain']}")
    save_results(df, RESULT, command=f"python bench/attention.py {rounds}", seed=SEED, layers=LAYERS, heads=HEADS, dim=DIM, tokens=TOKENS,
                 batch_size=BATCH, transformers=transformers_version)


if __name__ == "__main__": main()
