"""The defects that facts about miniai and the seed number, each with a miniature of the faulty code.

A file in tests/defects/ has `check`, which asserts the right behaviour, `ours`, which passes it, and `faulty`, which must not.
"""
import ast
import importlib
import inspect
from pathlib import Path

import pytest

FOLDER = Path(__file__).with_name("defects")
NAMES = sorted(p.stem for p in FOLDER.glob("*.py") if p.stem != "__init__")
NUMBERS = {*range(1, 22), *range(23, 31)}  # the list has no 22


def load(name): return importlib.import_module(f"defects.{name}")


def test_every_numbered_defect_is_here():
    assert {int(name[1:3]) for name in NAMES if name[0] == "d"} == NUMBERS


@pytest.mark.parametrize("name", NAMES)
def test_ours_has_it_not(name): load(name).check(load(name).ours)


@pytest.mark.parametrize("name", NAMES)
def test_the_check_sees_it(name):
    module = load(name)
    assert module.__doc__ and module.faulty is not module.ours
    with pytest.raises(Exception) as caught: module.check(module.faulty)
    assert not isinstance(caught.value, (NameError, ImportError, SyntaxError)) or "faulty" in "".join(map(str, caught.traceback)), \
        f"the miniature does not run: {caught.value!r}"


@pytest.mark.parametrize("name", NAMES)
def test_a_miniature_is_short(name):
    tree = ast.parse(inspect.getsource(load(name)))
    sizes = [node.end_lineno - node.lineno + 1 for node in tree.body if getattr(node, "name", None) == "faulty"
             or isinstance(node, ast.Assign) and "faulty" in ast.unparse(node.targets[0])]
    assert sizes and max(sizes) <= 20
