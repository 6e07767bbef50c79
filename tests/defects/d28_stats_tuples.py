"""28. ActivationStats crashes on tuple outputs (GRU, attention) and drops activations above 10 from its histogram."""
import torch
from torch import nn

from minitrain.all import Hook, append_stats


def faulty(hook, module, inputs, output):
    if not hasattr(hook, "stats"): hook.stats = [], [], []
    x = output.detach()
    for record, o in zip(hook.stats, (x.mean(), x.std(), x.abs().histc(40, 0, 10))): record.append(o)


ours = append_stats


def check(subject):
    with Hook(nn.Identity(), subject) as h: h.module(torch.tensor([0.1, 3., 40., torch.inf]))
    counts = h.stats[2][0]
    assert counts.shape == (40,) and counts.sum() == 4, f"4 values, of which the histogram has {counts.sum().item()}"
    assert counts[0] == 1 and counts[12] == 1 and counts[-1] == 2
    gru = nn.GRU(3, 5, batch_first=True)
    try:
        with Hook(gru, subject) as h: out = gru(torch.randn(2, 4, 3))[0]
    except AttributeError as e: raise AssertionError("a tuple is no tensor") from e
    torch.testing.assert_close(h.stats[0][0], out.detach().mean())
    torch.testing.assert_close(h.stats[1][0], out.detach().std())
