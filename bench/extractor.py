#!/usr/bin/env python3
"""What it costs to read where the CLS token looks: CPU time of a training step, over the same ViT without, interleaved.

    python bench/extractor.py [REPEATS]

`AttentionExtractor` takes one row from q and k and leaves fused attention alone. Its rivals: all rows from the same q and k;
a last layer whose attention is written out, with a hook on its softmax; and vit_pytorch's ViT, which is written
out everywhere, without and with a hook on the last softmax. A step is forward, loss, backward, AdamW. `plain` has the loss
of the actions alone, all that capture have the gaze loss too. One thread. Also counts operators and multiply-adds of a step.
"""
import importlib.util, sys, time
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from einops import rearrange
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from minitrain.core import set_seed
from minitrain.gaze_training import AttentionExtractor, action_loss, ce_plus_gaze
from minitrain.vit import ViT
from minitrain.runs import save_results

RESULTS = Path(__file__).parents[1]/"minitrain"/"assets"/"results"
SIZES = [(49, 64, 2, 4, 64), (144, 64, 2, 4, 32), (196, 64, 4, 4, 16), (256, 64, 2, 4, 16)]  # patches, width, layers, heads, batch
SEED, PATCH = 0, 4


def rival_vit():
    "vit_pytorch's ViT, its file loaded alone (the package asks for torchvision)"
    spec = importlib.util.find_spec("vit_pytorch")
    spec = importlib.util.spec_from_file_location("vit_alone", Path(spec.submodule_search_locations[0])/"vit.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.ViT


class Written(nn.Module):
    "Our attention written out around a softmax that can be hooked: attention written out"
    def __init__(self, attention):
        super().__init__()
        self.inner, self.softmax = attention, nn.Softmax(-1)

    def forward(self, x, mask=None):
        q, k, v = self.inner._split(x)
        x = self.softmax(q @ k.transpose(-1, -2)*self.inner.scale) @ v
        return self.inner.out(rearrange(x, "b h n d -> b n (h d)"))


class Taker:
    "Keeps what a hook gives it"
    def softmax_input(self, module, inputs, output): self.logits = inputs[0][:, :, 0, 1:]

    def full(self, attention, module, inputs, output):
        q, k, _ = (rearrange(o, "b n (h d) -> b h n d", h=attention.heads) for o in output.chunk(3, -1))
        self.logits = (q @ k.transpose(-1, -2)*attention.scale)[:, :, 0, 1:]


def contestants(n, dim, depth, heads):
    "By name: a model, and a function that gives the logits of the last forward pass (None without capture)"
    side, out = int(n**0.5)*PATCH, {}
    def ours():
        set_seed(SEED)
        return ViT(side, PATCH, 1, 10, dim, depth, heads)
    def theirs():
        set_seed(SEED)
        return rival_vit()(image_size=side, patch_size=PATCH, channels=1, num_classes=10, dim=dim, depth=depth, heads=heads, mlp_dim=4*dim, dim_head=dim//heads)
    out["plain"] = ours(), None
    model = ours()
    extractor = AttentionExtractor(model).__enter__()
    out["AttentionExtractor"] = model, lambda: extractor.cls_logits
    model, full = ours(), Taker()
    last = model.blocks[-1].attention
    last.qkv.register_forward_hook(lambda *args: full.full(last, *args))
    out["all rows"] = model, lambda: full.logits
    model, written = ours(), Taker()
    model.blocks[-1].attention = Written(model.blocks[-1].attention)
    model.blocks[-1].attention.softmax.register_forward_hook(written.softmax_input)
    out["softmax hook"] = model, lambda: written.logits
    out["vit_pytorch"] = theirs(), None
    model, other = theirs(), Taker()
    model.transformer.layers[-1][0].attend.register_forward_hook(other.softmax_input)
    out["vit_pytorch, softmax hook"] = model, lambda: other.logits
    return out


class Ops(TorchDispatchMode):
    "Counts operators"
    n = 0
    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.n += 1
        return func(*args, **(kwargs or {}))


def main():
    repeats = int(sys.argv[1]) if len(sys.argv) > 1 else 40
    torch.set_num_threads(1)
    rows, counts, rng = [], [], np.random.default_rng(SEED)
    for size in SIZES:
        n, dim, depth, heads, batch = size
        g = torch.Generator().manual_seed(SEED)
        side = int(n**0.5)*PATCH
        x, y = torch.rand(batch, 1, side, side, generator=g), torch.randint(10, (batch,), generator=g)
        targets = torch.rand(batch, heads, n, generator=g).softmax(-1)
        models = contestants(*size[:4])
        opts = {name: torch.optim.AdamW(model.parameters(), 1e-4) for name, (model, _) in models.items()}
        def step(name):
            model, logits = models[name]
            preds = model(x)
            loss = action_loss(preds, y) if logits is None else ce_plus_gaze(preds, y, logits(), targets)
            loss.backward()
            opts[name].step()
            opts[name].zero_grad()
        what = dict(patches=n, dim=dim, layers=depth, heads=heads, batch=batch)
        for name in models:
            with Ops() as ops, FlopCounterMode(display=False) as flops: step(name)
            counts.append(dict(**what, what=name, operators=ops.n, mega_flops=round(flops.get_total_flops()/1e6, 3)))
        for repeat in range(-2, repeats):  # two rounds to warm up
            for name in rng.permutation(list(models)):
                start = time.process_time()
                step(name)
                if repeat >= 0: rows.append(dict(**what, repeat=repeat, what=name, cpu_ms=round((time.process_time() - start)*1000, 3)))
        wide = pd.DataFrame([o for o in rows if o["patches"] == n]).pivot(index="repeat", columns="what", values="cpu_ms")
        print(f"{n} patches, width {dim}, {depth} layers, {heads} heads, batch {batch}: plain {wide['plain'].median():.1f} CPU ms")
        for name in list(models)[1:]:
            ratio = (wide[name]/wide["plain"]).to_numpy()
            low, high = np.percentile(np.median(rng.choice(ratio, (2000, len(ratio))), axis=1), [2.5, 97.5])
            print(f"  {name}: {np.median(ratio):.3f} times plain, 95 % interval {low:.3f} to {high:.3f}")
    command = f"python bench/extractor.py {repeats}"
    save_results(pd.DataFrame(rows), RESULTS/"extractor.csv", command=command, seed=SEED)
    save_results(pd.DataFrame(counts), RESULTS/"extractor_counts.csv", command=command, seed=SEED)


if __name__ == "__main__": main()
