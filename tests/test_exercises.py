"Each check passes right answers, fails wrong ones with the hint that names the cause, and never raises."
import importlib, inspect, json, re

import numpy as np
import pytest
import torch

from conftest import ROOT
from minitrain.exercises.start import Report, solution

ROOMS = sorted(p.stem[3:] for p in (ROOT/"nbs").glob("5[0-9]_*.ipynb"))
CHECKS = {name: getattr(module, name) for room in ROOMS for module in [importlib.import_module(f"minitrain.exercises.{room}")]
    for name in module.__all__ if name.startswith("check_")}
BANKS = {name: bank for room in ROOMS for name, bank in importlib.import_module(f"banks.{room}").BANK.items()}
LESSONS = {p.name: [(c["cell_type"], "".join(c["source"]), c.get("outputs", [])) for c in json.loads(p.read_text(encoding="utf-8"))["cells"]]
    for p in sorted((ROOT/"nbs").glob("[0-4]*.ipynb"))}


def test_every_check_has_a_bank():
    assert set(BANKS) == set(CHECKS)
    assert not {name: (len(b.right), len(b.wrong)) for name, b in BANKS.items() if len(b.right) < 2 or len(b.wrong) < 5}


@pytest.mark.parametrize("name", CHECKS)
def test_right(name):
    reports = [CHECKS[name](answer) for answer in BANKS[name].right]
    assert {i: o.text for i, o in enumerate(reports) if not o.passed} == {}


@pytest.mark.parametrize("name", CHECKS)
def test_wrong(name):
    reports = [(CHECKS[name](answer), hint) for answer, hint in BANKS[name].wrong]
    unseen = {i: (hint, o.text) for i, (o, hint) in enumerate(reports)
        if o.passed or o.text == "Not written yet." or not re.search(hint, o.text)}
    assert unseen == {}


def nothing(*args, **kwargs): "Forgets its return"; args = args
def raises(*args, **kwargs): raise KeyError("a slip")


ANSWERS = {"nothing": nothing, "raises": raises, "text": lambda *a, **k: "text", "nan": lambda *a, **k: float("nan"),
    "nans": lambda *a, **k: torch.full((7, 3), torch.nan), "array": lambda *a, **k: np.zeros(5), "pair": lambda *a, **k: (1, None),
    "no arguments": lambda: 0, "list": lambda *a, **k: [], "a number": -12345.6, "a string": "text", "a class": type("C", (), dict(f=lambda self: 1))}


@pytest.mark.parametrize("name", CHECKS)
def test_any_answer_gets_a_sentence(name):
    for kind, answer in ANSWERS.items():
        report = CHECKS[name](answer)
        assert isinstance(report, Report) and not report.passed, kind
        assert "Traceback" not in report.text and len(report.text) < 600, (kind, report.text)


@pytest.mark.parametrize("name", CHECKS)
def test_solution_passes_and_leaves_generators_alone(name):
    text = solution(name)
    assert text and "solves" not in text
    module = importlib.import_module(CHECKS[name].__module__)
    space = dict(vars(module))
    exec(compile(text, "<answer>", "exec"), space)
    torch.manual_seed(3)
    before = torch.get_rng_state()
    found = [k for k, o in space.items() if k != "__builtins__" and vars(module).get(k) is not o]
    report = CHECKS[name](space[found[-1]])
    assert report.passed, report.text
    assert torch.equal(before, torch.get_rng_state())


def uses(name): return [(lesson, i) for lesson, cells in LESSONS.items() for i, (kind, src, _) in enumerate(cells)
    if kind == "code" and re.search(rf"^{name}\(", src, re.M)]


@pytest.mark.parametrize("name", CHECKS)
def test_in_one_lesson_with_a_stub(name):
    "A heading, difficulty and minutes, a stub cell, a cell that asks the check; the stub is told apart from a wrong answer"
    [(lesson, i)] = uses(name)
    cells = LESSONS[lesson]
    (kind, stub, _), (_, _, outputs) = cells[i - 1], cells[i]
    law = next(src for k, src, _ in cells[i - 1::-1] if k == "markdown")
    assert re.match(r"### \S", law) and re.search(r"\*(Easy|Medium|Hard), \d+ minutes\.\*", law)
    space = dict(vars(importlib.import_module(CHECKS[name].__module__)))
    for o in re.findall(r"^\s*class \w+\((\w+)\)", stub, re.M): space.setdefault(o, getattr(importlib.import_module("minitrain.all"), o, object))
    exec(stub, space)
    answer = re.search(rf"^{name}\((\w+)\)", cells[i][1], re.M)[1]
    assert CHECKS[name](space[answer]).text == "Not written yet."
    assert "Not written yet." in json.dumps(outputs)


def test_no_solution_in_a_lesson():
    "Neither a solution nor the code of a check stands in a lesson"
    for name in CHECKS:
        body = re.sub(r"\s+", " ", inspect.getsource(inspect.unwrap(CHECKS[name])))
        lines = [re.sub(r"\s+", " ", o).strip() for o in solution(name).splitlines()[1:] if len(o.strip()) > 40]
        for lesson, cells in LESSONS.items():
            text = re.sub(r"\s+", " ", "\n".join(src for kind, src, _ in cells if kind == "code"))
            assert f"def {name}" not in text, lesson
            assert body not in text
            assert not [o for o in lines if o in text and lesson in {l for l, _ in uses(name)}], (lesson, name)
