"29. `lsuv_init` never ends where the output has no variance (a dead ReLU), or where a BatchNorm undoes every scale."
import warnings

import torch
from torch import nn

from minitrain.init import lsuv_init


def faulty(model, m, m_in, xb):
    seen = {}
    hook = m.register_forward_hook(lambda m, args, out: seen.update(mean=out.mean(), std=out.std()))
    with torch.no_grad():
        while model(xb) is not None and (abs(seen["std"] - 1) > 1e-3 or abs(seen["mean"]) > 1e-3):
            m_in.bias -= seen["mean"]
            m_in.weight.data /= seen["std"]
    hook.remove()


ours = lsuv_init


class Counted(nn.Sequential):
    "Counts its passes, and has had enough at 300"
    passes = 0

    def forward(self, x):
        self.passes += 1
        assert self.passes < 300, "it does not come to an end"
        return super().forward(x)


def check(subject):
    torch.manual_seed(0)
    xb = torch.rand(50, 6) + 1
    dead = Counted(nn.Linear(6, 8), nn.ReLU())
    nn.init.constant_(dead[0].weight, -1.)
    kept = dead[0].weight.clone()
    try: subject(dead, dead[1], dead[0], xb)
    except ValueError as e: assert "spread" in str(e)
    else: assert False, "a layer that no scale can help passed without a word"
    assert torch.equal(dead[0].weight, kept)

    normed = Counted(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.ReLU())
    kept = {k: v.clone() for k, v in normed.state_dict().items()}
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        subject(normed, normed[2], normed[0], xb)
    assert any("normalisation" in str(o.message) for o in said)
    assert all(torch.equal(v, kept[k]) for k, v in normed.state_dict().items())
