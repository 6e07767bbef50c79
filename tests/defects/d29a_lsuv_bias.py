"29. `lsuv_init` crashes on a layer without a bias, as every convolution before a BatchNorm is."
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


def check(subject):
    torch.manual_seed(0)
    model, xb = nn.Sequential(nn.Linear(6, 8, bias=False), nn.Identity()), torch.randn(50, 6)
    subject(model, model[1], model[0], xb)
    assert abs(model(xb).std() - 1) < 2e-3
    assert not model[1]._forward_hooks, "a hook is left behind"
