"""Defect 30 of miniai: set_seed() switches deterministic algorithms off, though it was only asked for a seed."""
import torch

from minitrain.core import set_seed


def faulty(seed, deterministic=False):
    torch.use_deterministic_algorithms(deterministic)
    torch.manual_seed(seed)


ours = set_seed


def check(subject):
    before, rng = torch.are_deterministic_algorithms_enabled(), torch.get_rng_state()
    try:
        torch.use_deterministic_algorithms(True)
        subject(3)
        assert torch.are_deterministic_algorithms_enabled(), "determinism is off after set_seed(3)"
        a = torch.rand(3)
        subject(3)
        assert torch.equal(a, torch.rand(3))
        subject(3, False)
        assert not torch.are_deterministic_algorithms_enabled()
    finally:
        torch.use_deterministic_algorithms(before)
        torch.set_rng_state(rng)
