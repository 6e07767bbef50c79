#!/usr/bin/env python3
"""Training steps of our transformer blocks beside those of a Hugging Face GPT-2.

    python bench/attention.py [ROUNDS]   # transformers 5.24 was used; without it: ours

12 layers, 8 heads, 256 wide, 8 sequences of 516 tokens given as embeddings; learned
positions and a final LayerNorm, no dropout. A step is forward, squared error, backward,
torch's AdamW and zero_grad, on one thread. Each model has a process of its own, as a
user has it, and they take turns step by step; user and system time are kept apart, since
page faults differ. Before anything is timed, the same weights must give the same outputs, to
1e-4, and the same gradients.

minitrain          our blocks, with GPT-2's tanh GELU
minitrain, whole   the same without slices of queries: one call of the fused attention
minitrain, read    the same as minitrain, but the last block works out every other token
minitrain, bf16    the same under autocast to bfloat16; its largest error is stored too
GPT-2 eager        attention written out, as in the library
GPT-2 sdpa         the library's default: fused attention, GELU as eight operations
GPT-2 sdpa, fused GELU   the library's fastest form of the same mathematics
linear products    the matrix products of all linear layers, forward and backward, alone
attention kernel   the sliced attention of all layers, forward and backward, alone

The last two together are the floor: a step of these shapes cannot do without them.
"""
import json, os, subprocess, sys
from functools import partial
from pathlib import Path
from resource import RUSAGE_SELF, getrusage

os.environ.setdefault("HF_HUB_OFFLINE", "1")
import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from torch import nn
from torch.testing import assert_close
from torch.utils._python_dispatch import TorchDispatchMode

import minitrain.attention
from minitrain.attention import Attention, TransformerBlock
from minitrain.core import set_seed
from minitrain.runs import save_results

try: import transformers
except ImportError: transformers = None

RESULT = Path(__file__).parents[1]/"minitrain"/"assets"/"results"/"attention.csv"
LAYERS, HEADS, DIM, TOKENS, BATCH, SEED, WARM = 12, 8, 256, 516, 8, 0, 4


class Stack(nn.Module):
    "Positions, blocks, a final norm"
    def __init__(self, whole=False, read=None, half=False):
        super().__init__()
        if whole: minitrain.attention._SLICE = 10**9  # in this process
        act = partial(nn.GELU, approximate="tanh")
        self.positions = nn.Parameter(torch.zeros(TOKENS, DIM))
        self.norm = nn.LayerNorm(DIM)
        self.half, self.read, self.blocks = half, read, nn.ModuleList(
            TransformerBlock(DIM, HEADS, causal=True, act=act) for _ in range(LAYERS))

    def forward(self, x):
        x, last = x + self.positions, self.blocks[-1]
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=self.half):
            for block in self.blocks[:-1]: x = block(x)
            x = last(x) if self.read is None else last.read(x, self.read)
            return self.norm(x).float()


class GPT2(nn.Module):
    def __init__(self, attention, activation="gelu_new"):
        super().__init__()
        transformers.utils.logging.set_verbosity_error()
        self.model = transformers.GPT2Model(transformers.GPT2Config(
            vocab_size=1, bos_token_id=None, eos_token_id=None, n_positions=TOKENS,
            n_embd=DIM, n_layer=LAYERS, n_head=HEADS, resid_pdrop=0, embd_pdrop=0,
            attn_pdrop=0, use_cache=False, activation_function=activation,
            attn_implementation=attention))

    def forward(self, x): return self.model(inputs_embeds=x).last_hidden_state


MODELS = {"minitrain": Stack, "minitrain, whole": lambda: Stack(whole=True),
    "minitrain, read": lambda: Stack(read=slice(0, None, 2)),
    "minitrain, bf16": lambda: Stack(half=True)}
if transformers: MODELS |= {
    "GPT-2 eager": lambda: GPT2("eager"), "GPT-2 sdpa": lambda: GPT2("sdpa"),
    "GPT-2 sdpa, fused GELU": lambda: GPT2("sdpa", "gelu_pytorch_tanh")}
FLOOR = "linear products", "attention kernel"
NAMES = {"norm1": "ln_1", "attention.qkv": "attn.c_attn",
    "attention.out": "attn.c_proj", "norm2": "ln_2", "mlp.0": "mlp.c_fc",
    "mlp.2": "mlp.c_proj"}


def pairs(stack, gpt):
    "Our parameters beside theirs; their linear layers have weights (in, out)"
    theirs = gpt.model
    yield stack.positions, theirs.wpe.weight, False
    for kind in ("weight", "bias"):
        yield getattr(stack.norm, kind), getattr(theirs.ln_f, kind), False
        for ours, other in zip(stack.blocks, theirs.h):
            for a, b in NAMES.items():
                p = getattr(ours.get_submodule(a), kind)
                q = getattr(other.get_submodule(b), kind)
                yield p, q, kind == "weight" and p.ndim == 2


def check():
    "The same weights must give the same outputs and gradients"
    x, y = data()
    models = {name: make() for name, make in MODELS.items()
        if not {"whole", "bf16"} & {*name.split()}}
    reference = models.get("GPT-2 eager", models["minitrain"])
    for model in models.values():
        if isinstance(model, Stack) and isinstance(reference, GPT2):
            with torch.no_grad():
                for p, q, turned in pairs(model, reference):
                    p.copy_(q.T if turned else q)
        elif model is not reference: model.load_state_dict(reference.state_dict())
    want = reference(x)
    F.mse_loss(want, y).backward()
    for name, model in models.items():
        rows = getattr(model, "read", None) or slice(None)
        out = model(x)
        assert_close(out, want[:, rows], atol=1e-4, rtol=0)
        if not (isinstance(model, Stack) and isinstance(reference, GPT2)): continue
        if name == "minitrain, read": continue  # another loss, another gradient
        F.mse_loss(out, y).backward()
        for p, q, turned in pairs(model, reference):
            g = q.grad.T if turned else q.grad
            assert (p.grad - g).abs().max() < 1e-3*g.abs().max() + 1e-12, name


@torch.no_grad()
def error_of_half() -> float:
    "Largest change of an output, all of which have deviation 1, before any training"
    half, full = Stack(half=True), Stack()
    full.load_state_dict(half.state_dict())
    x, _ = data()
    return (half(x) - full(x)).abs().max().item()


class Count(TorchDispatchMode):
    ops = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.ops += 1
        return func(*args, **(kwargs or {}))


def counts(model, x, y):
    "Calls into ATen, and megabytes that forward keeps beyond the parameters"
    own, kept = {p.untyped_storage().data_ptr() for p in model.parameters()}, {}

    def pack(t):
        at = t.untyped_storage().data_ptr()
        if at not in own: kept[at] = t.untyped_storage().nbytes()
        return t
    with Count() as count:
        with torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t):
            loss = F.mse_loss(model(x), y)
        loss.backward()
    model.zero_grad()
    return dict(ops=count.ops, kept_mb=round(sum(kept.values())/1e6))


def data():
    set_seed(SEED)
    return torch.randn(2, BATCH, TOKENS, DIM)


def step_of(name):
    "What a round of a model is, and what is known of it"
    x, y = data()
    if name == "linear products":
        rows = BATCH*TOKENS
        sizes = (DIM, 3*DIM), (DIM, DIM), (DIM, 4*DIM), (4*DIM, DIM)
        work = [[torch.randn(rows, i), torch.randn(o, i), torch.randn(rows, o)]
            for i, o in sizes]
        outs = [[torch.empty_like(o) for o in (g, a, w)] for a, w, g in work]

        def step():
            for _ in range(LAYERS):
                for (a, w, g), (out, ga, gw) in zip(work, outs):
                    torch.mm(a, w.T, out=out)
                    torch.mm(g, w, out=ga)
                    torch.mm(g.T, a, out=gw)
        return step, {}
    if name == "attention kernel":
        layer = Attention(DIM, HEADS, causal=True)
        qkv = torch.randn(3, BATCH, HEADS, TOKENS, DIM//HEADS)
        qkv = [o.requires_grad_() for o in qkv]

        def step():
            for _ in range(LAYERS):
                out = layer._gather(*qkv, None)
                torch.autograd.grad(out, qkv, out.detach())
        return step, {}
    model = MODELS[name]()
    y = y[:, getattr(model, "read", None) or slice(None)]
    opt = torch.optim.AdamW(model.parameters(), lr=1e-4)

    def step():
        F.mse_loss(model(x), y).backward()
        opt.step()
        opt.zero_grad()
    return step, counts(model, x, y)


def child(name):
    "Warm up, then a step for each line that comes; its user and system seconds go back"
    step, known = step_of(name)
    for _ in range(WARM): step()
    print(json.dumps(known), flush=True)
    for _ in sys.stdin:
        a = getrusage(RUSAGE_SELF)
        step()
        b = getrusage(RUSAGE_SELF)
        spent = b.ru_utime - a.ru_utime, b.ru_stime - a.ru_stime
        print(json.dumps(spent), flush=True)


def measure(rounds):
    "A row for each step of each model"
    names, rng, rows = [*MODELS, *FLOOR], np.random.default_rng(SEED), []
    start = partial(subprocess.Popen, text=True, stdin=subprocess.PIPE,
        stdout=subprocess.PIPE)
    runs = {name: start([sys.executable, __file__, "--model", name]) for name in names}
    try:
        known = {name: json.loads(run.stdout.readline()) for name, run in runs.items()}
        for repeat in range(rounds):
            for name in rng.permutation(names):
                runs[name].stdin.write("step\n")
                runs[name].stdin.flush()
                user, system = json.loads(runs[name].stdout.readline())
                times = dict(cpu_s=user + system, user_s=user, system_s=system)
                times = {k: round(v, 3) for k, v in times.items()}
                rows.append(dict(repeat=repeat, what=name, **times, **known[name]))
    finally:
        for run in runs.values(): run.kill()
    return pd.DataFrame(rows)


def main():
    torch.set_num_threads(1)
    if sys.argv[1:2] == ["--model"]: return child(sys.argv[2])
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    check()
    set_seed(SEED)
    error = error_of_half()
    print(f"largest error of bfloat16: {error:.3f}")
    df, rng = measure(rounds), np.random.default_rng(SEED)
    df.loc[df.what == "minitrain, bf16", "error"] = round(error, 4)
    for column in ("cpu_s", "user_s"):
        wide = df.pivot(index="repeat", columns="what", values=column)
        floor = sum(wide[o] for o in FLOOR)
        share = (floor/wide["minitrain"]).median()
        print(f"{column}: minitrain {wide['minitrain'].median():.2f} s a step, "
            f"of which the floor {share:.2f}")
        for name in wide.columns.drop("minitrain"):
            ratio = (wide[name]/wide["minitrain"]).to_numpy()
            medians = np.median(rng.choice(ratio, (2000, len(ratio))), axis=1)
            low, high = np.percentile(medians, [2.5, 97.5])
            middle = np.median(ratio)
            print(f"  {name}: {middle:.3f}, 95 % interval {low:.3f} to {high:.3f}")
    if not transformers: return print("not stored: transformers is not installed")
    save_results(df, RESULT, command=f"python bench/attention.py {rounds}", seed=SEED,
        layers=LAYERS, heads=HEADS, dim=DIM, tokens=TOKENS, batch_size=BATCH,
        warm_up=WARM, transformers=transformers.__version__)


if __name__ == "__main__": main()
