"""The defects that facts about miniai and the seed number, each with a miniature of the faulty code.

A file in tests/defects/ has `check`, which asserts the right behaviour, `ours`, which passes it, and `faulty`, which must not.
"""
import importlib
from pathlib import Path

import pytest

FOLDER = Path(__file__).with_name("defects")
NAMES = sorted(p.stem for p in FOLDER.glob("*.py") if p.stem != "__init__")


CRASHES = dict(d23_recorder_plot=NameError, d29a_lsuv_bias=TypeError)  # that is the defect


def load(name): return importlib.import_module(f"defects.{name}")


@pytest.mark.parametrize("name", NAMES)
def test_ours_has_it_not(name): load(name).check(load(name).ours)


@pytest.mark.parametrize("name", NAMES)
def test_the_check_sees_it(name):
    module = load(name)
    assert module.__doc__ and module.faulty is not module.ours
    with pytest.raises(CRASHES.get(name, AssertionError)): module.check(module.faulty)
