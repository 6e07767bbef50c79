"The reference: what it reads from the package, the examples that it chooses, its pages"
import ast, importlib, inspect, re, sys, types, typing
from dataclasses import dataclass
from typing import NamedTuple

import pytest
import torch
from bs4 import BeautifulSoup
from torch import nn

from conftest import ROOT
from minitrain.core import ArgumentError, need
from minitrain.learner import Callback, CancelBatchException, Learner, MomentumLearner, SingleBatchCB, TrainCB

sys.path[:0] = [str(ROOT/"tools"), str(ROOT/"tools"/"site")]
import above, apipages, build_site, convert, describe, examples  # noqa: E402

CFG = build_site.settings()
DOCS = ROOT/"docs"
NOTEBOOKS = sorted((ROOT/"nbs").glob("[0-4]*.ipynb"))


@pytest.fixture(scope="module")
def book():
    "The reference of the whole book, its pages made"
    cells = {p.name: build_site.read_notebook(p) for p in NOTEBOOKS}
    modules = {n: importlib.import_module(f"minitrain.{m}") for n, c in cells.items() if (m := build_site.module_of(c))}
    titles = {n: convert.split_title(c[0]["source"])[0] for n, c in cells.items()}
    front = build_site.read_notebook(ROOT/"nbs"/"index.ipynb")
    out = apipages.Reference(CFG, [*cells.items()], modules, titles, front)
    out.text, out.books = out.pages(), cells | {"index.ipynb": front}
    return out


def public(book):
    "(module, dotted name, object) of each class, function, constant and public method"
    for m in book.modules.values():
        for name in m.__all__:
            o = getattr(m, name)
            yield m, name, o
            if inspect.isclass(o): yield from ((m, f"{name}.{k}", f) for k, f in describe.public_methods(o).items())


# ------------------------------------------------------------------------------------------ what is read from the code

somewhere = "cpu"

def example(
    x, # A thing, with a | in it
    /,
    device:str|None=somewhere, # Where it goes
    *args, # More
    reduction:str="mean", # One of `mean`, `sum`
    **kwargs # Passed on
)->list[int]: # What comes back
    "Gives something back"


def test_signature_is_as_written():
    params = describe.written_signature(example)
    assert describe.signature_text("example", params, width=200) == \
        "def example(x, /, device: str | None = somewhere, *args, reduction: str = 'mean', **kwargs) -> list[int]"
    assert describe.signature_text("example", params, width=40).splitlines()[:3] == ["def example(", "    x,", "    /,"]


def test_every_parameter_is_described():
    assert describe.parameter_docs(example) == {"x": "A thing, with a | in it", "device": "Where it goes", "args": "More",
        "reduction": "One of `mean`, `sum`", "kwargs": "Passed on", "return": "What comes back"}


def test_parameters_are_a_definition_list():
    rows = apipages.parameter_list(describe.written_signature(example), describe.parameter_docs(example)).split("\n\n")
    assert rows[:2] == ["``x``\n: A thing, with a | in it", "``device`` `str | None` = ``somewhere``\n: Where it goes"]
    assert rows[-2:] == ["``**kwargs``\n: Passed on", "**returns** `list[int]`\n: What comes back"]
    assert apipages.parameter_list({"return": ("", "", "")}, {}) == ""
    assert apipages.definitions([("`x`", "1. not a list"), ("`y`", "")]) == "`x`\n: 1\\. not a list\n\n`y`\n: &nbsp;"


@dataclass
class Config:
    "Settings"
    lr:float=0.1 # Step size
    device:str=somewhere # Where


class Pair(NamedTuple):
    left:int # The left one
    right:int=3


class _Base:
    def shrink(self, by:int=1): "Make it smaller"


class Known:
    def kept(self): "Stays"


class Thing(_Base, Known):
    "A thing"
    def __init__(self,
        size:int=3 # How large
    ): self.size = size
    def grow(self,
        by:int # How much
    ):
        "Make it larger"
        self._check(by)
        if by > 9: raise ValueError(f"{by} is too much")
    def _check(self, by): need(by > 0, "by", by, "a positive number")
    def __len__(self): return self.size
    def __call__(self): "Do it"
    @property
    def double(self)->int: # Twice the size
        "Twice"
        return 2*self.size
    @classmethod
    def of(cls, size)->"Thing": "Another way to make one"


def lesson(*cells, imports=""):
    "Cells of a notebook: code, or ('text', output); the first line says `export` or nothing"
    out = [dict(cell_type="markdown", source="# A lesson", id="title"), dict(cell_type="code", source=imports, id="imports", outputs=[])]
    for i, o in enumerate(cells):
        code, text = o if isinstance(o, tuple) else (o, "")
        outputs = [dict(output_type="stream", text=text)] if text else []
        out.append(dict(cell_type="markdown" if code.startswith("## ") else "code", source=code, id=f"c{i}", outputs=outputs))
    return out


def choose(module, *lessons):
    "The examples of a few lessons, the first of which brings the module"
    return examples.Examples([(f"{i:02d}_lesson{i}.ipynb", o) for i, o in enumerate(lessons)], {"00_lesson0.ipynb": module})


@pytest.fixture
def here(monkeypatch):
    "A reference of this file's own names"
    module = sys.modules[__name__]
    monkeypatch.setattr(module, "__all__", ["Thing", "Config", "Pair", "Known", "somewhere"], raising=False)
    cells = lesson("#| export\n" + inspect.getsource(Thing), "## Use it", ("thing = Thing(4)\nthing.grow(2)", "4"))
    return apipages.Reference(CFG, [("00_lesson0.ipynb", cells)], {"00_lesson0.ipynb": module}, {"00_lesson0.ipynb": "00 The lesson"})


def test_entries(here):
    def entry(name, o): return here.entry(sys.modules[__name__], name, o)
    text = entry("Thing", Thing)
    for o in ("## Thing", "class Thing(size: int = 3)", "How large", "### Thing.grow", "def grow(by: int)",
            "``shrink(by: int = 1)``\n: Make it smaller", "def of(size) -> Thing\n", "Make it larger", "### Thing.double",
            "double -> int", "### Thing.of", "Built in [00 The lesson](#lesson.lesson0.thing)",
            "Inherits [`Known`](#", "`ArgumentError`\n: ``by``: expected a positive number", "`ValueError`\n: … is too much",
            "**Example** from [lesson 00, Use it](#shown.lesson0.example-c2)", "thing.grow(2)\n````", "\n4\n", ".known.kept)"):
        assert o in text, o
    for o in ("_private", "__len__", "__call__", "``self``", "_Base", "_check"): assert o not in text
    assert "**Example**: that of [`Thing`](#" in text[text.index("### Thing.grow"):]
    assert "class Config(lr: float = 0.1, device: str = somewhere)" in (text := entry("Config", Config)) and "Step size" in text
    assert "class Pair(left: int, right: int = 3)" in (text := entry("Pair", Pair)) and "The left one" in text
    assert "Pair(left" not in text.replace("class Pair(left", "") and "**Example**" not in text
    assert 'somewhere = "cpu"' in entry("somewhere", somewhere)


def raises_several(x, y, names):
    "Errors of several kinds"
    need(x > 0, "x", x, f"more than {y}")
    _named("y", y)
    for name in names: need(name, name, y, "a name")
    try: raise TypeError
    except TypeError: raise
    raise ArgumentError("x", x, "another")

def _named(name, value): need(value, name, value, "something true"); _deeper()
def _deeper(): raise KeyError("not followed")


def test_errors_are_read_from_the_body():
    "With the argument and the words; a helper's too, one call deep"
    assert describe.raised(raises_several) == [(ArgumentError, "x", "more than …"), (ArgumentError, "y", "something true"),
        (ArgumentError, "", "a name"), (TypeError, "", ""), (ArgumentError, "x", "another")]
    assert describe.raised(test_errors_are_read_from_the_body) == []


def test_patched_methods_are_found_and_special_ones_left_out():
    from minitrain.data import DataLoader
    from minitrain.runs import RunDir
    assert {"config", "write", "log", "metrics"} <= {*describe.public_methods(RunDir)}
    assert "__iter__" in vars(DataLoader) and "__iter__" not in describe.public_methods(DataLoader)


# ------------------------------------------------------------------------------------------------- choosing an example

def made(name, **names):
    "A module of these names, as if it were the package's"
    module = types.ModuleType(name)
    vars(module).update(names, __all__=[*names])
    for o in names.values(): o.__module__ = name
    return module


class Box:
    def weigh(self): "How heavy"

class Jar:
    def weigh(self): "How heavy"


DEFINED = "#| export\ndef heavy(x): pass\nclass Box:\n    def weigh(self): pass"
LONG = "heavy(0)\n" + "x = 1\n"*20


@pytest.mark.parametrize("name, cells, later, want", [
    ("heavy", ["heavy(1)", DEFINED, "heavy(2)"], None, "heavy(2)"),  # the first after the definition,
    ("heavy", [DEFINED, "heavy(1)", ("heavy(2)", "out")], None, "heavy(2)"),  # one with an output before it
    ("heavy", [DEFINED, LONG, "#| hide\nheavy(1)", "#| export\ny = heavy(2)", "heavy(3)"], None, "heavy(3)"),  # short and shown
    ("heavy", [DEFINED, "#| code-fold: true\nheavy(1)", "heavy(2)"], None, "heavy(2)"),
    ("heavy", [DEFINED, "#| code-fold: true\nheavy(1)"], ["heavy(2)"], "heavy(2)"),  # a later lesson before a fold,
    ("heavy", [DEFINED, "#| code-fold: true\nheavy(1)"], [], "heavy(1)"),
    ("heavy", [DEFINED, "'heavy'; f(heavy=1); o.heavy"], [], None),  # a word in a text or another's attribute is no use
    ("heavy", [DEFINED], ["heavy = 3", "print(heavy)"], None),  # nor is a variable of the same name
    ("Box.weigh", [DEFINED, "jar = Jar()\njar.weigh()", "box = Box()\nbox.weigh()"], None, "box = Box()\nbox.weigh()"),
    ("Box.weigh", [DEFINED, "box = Box()", "box = Jar()", "box.weigh()"], None, None),  # what a variable holds now
    ("Box.weigh", [DEFINED, "class Own(Box):\n    def weigh(self): return 2", "Own().weigh()"], None, None),
    ("Box.weigh", [DEFINED, "class Own(Box): pass", "with Own() as box: box.weigh()"], None, "with Own() as box: box.weigh()")])
def test_the_example(name, cells, later, want):
    def heavy(x): "A function"
    module = made("minitrain.boxes", heavy=heavy, Box=type("Box", (), dict(vars(Box))), Jar=type("Jar", (), dict(vars(Jar))))
    lessons = [lesson(*cells)] + [lesson(*o, imports="from minitrain.boxes import heavy") for o in [later] if later is not None]
    found = choose(module, *lessons).find("minitrain.boxes", name)
    assert (found and found.code) == want


def test_a_later_lesson_must_import_the_name():
    def heavy(x): "A function"
    cases = {"from minitrain.boxes import heavy": "heavy(2)", "from other import heavy": None, "from minitrain.all import *": "heavy(2)"}
    for imports, want in cases.items():
        chosen = choose(made("minitrain.boxes", heavy=heavy), lesson(DEFINED), lesson("heavy(2)", imports=imports))
        assert ((found := chosen.find("minitrain.boxes", "heavy")) and found.code) == want


def test_what_an_example_says_beside_its_code():
    def heavy(x): "A function"
    cells = lesson(DEFINED, "## A place", ("n = 3\nheavy(n, small, torch, [m for m in range(n)])", "x\n"*40), imports="import torch")
    o = (chosen := choose(made("minitrain.boxes", heavy=heavy), cells)).find("minitrain.boxes", "heavy")
    assert (o.lost, o.place, o.label) == (["small"], "lesson 00, A place", "shown.lesson0.example-c2")
    assert o.setup == "import torch\nfrom minitrain.boxes import heavy"
    assert len(o.output.splitlines()) == examples.LINES + 1 and o.output.endswith("...")
    marked = [c["source"] for c in chosen.mark("lesson0", cells)]
    assert len(marked) == len(cells) + 1 and "example-c2" in marked[-2] and marked[-1].startswith("n = 3")
    figure = dict(outputs=[dict(output_type="display_data", data={"image/png": "", "text/plain": "<Figure size 1x1>"})])
    assert examples.outputs_of(figure) == ("", "a figure")


@pytest.mark.parametrize("cells, code, want, lost", [
    (["a = 1\nb = a + 1\nc = 3"], "b", "a = 1\nb = a + 1", []),
    (["x = []", "x.append(1)", "print(x)", "y = [x for x in (1, 2)]"], "x", "x = []\nx.append(1)", []),  # what changes it, not what shows it
    (["x = 1", "x = 2", "x += 1"], "x", "x = 2\nx += 1", []),
    (["d = {}\nd['k'] = 1\nd.update(k=2); e = 5"], "d", "d = {}\nd['k'] = 1\nd.update(k=2); e = 5", []),  # lines are not cut
    (["rows = []\nfor i in range(3):\n    rows.append(i)"], "rows", "rows = []\nfor i in range(3):\n    rows.append(i)", []),
    (["def f(n): return f(n - 1) if n else g()\ndef g(): return 1"], "f(2)", "def f(n): return f(n - 1) if n else g()", ["g"]),
    (["@cache\ndef f(): return [i for i in names]"], "f()", "@cache\ndef f(): return [i for i in names]", ["cache", "names"]),
    (["set_seed(1)\nw = rand()\nset_seed(2)"], "w", "set_seed(1)\nw = rand()", ["rand", "set_seed"]),
    (["import numpy as np, re\nfrom os import path"], "np.ones(path)", "import numpy as np\nfrom os import path", []),
    (["import torch\ntorch.rand(1)"], "torch", "import torch", []),  # a module is not what a call changes
    (["from minitrain.all import *\nheavy = 3"], "heavy, small(1)", "from minitrain.all import *\n\nheavy = 3", []),  # a lesson's own
    (["#| export\ndef _part(): pass"], "_part()", "from minitrain.boxes import _part", [])])
def test_the_lines_above_that_a_cell_needs(cells, code, want, lost):
    before = [o for i, c in enumerate(cells) for o in above.statements(c, i, "export" in c)]
    text, missing = above.setup(before, code, "minitrain.boxes", dict(heavy="minitrain.all", small="minitrain.all"))
    assert (text, missing) == (want, lost)


@pytest.mark.parametrize("name, code, output", examples.COMPLETE.findall((ROOT/"tools"/"site"/"complete.md").read_text(encoding="utf-8")))
def test_complete_examples_run(name, code, output, capsys, book):
    "After `from minitrain.all import *` they give what the page shows, measured numbers apart; the front page's is Learner's"
    tree, names = ast.parse(code), {}
    last = ast.unparse(tree.body.pop())
    exec("from minitrain.all import *", names)
    exec(compile(tree, name, "exec"), names)
    print(repr(eval(last, names)))
    assert re.sub(r"\d\.\d+", "n", capsys.readouterr().out.strip()) == re.sub(r"\d\.\d+", "n", output)
    assert code in "\n".join(book.text.values())
    front = book.examples.find("minitrain.learner", "Learner")
    assert front.place == "the front page" and "learn.fit(" in front.code and not front.setup


# ------------------------------------------------------------------------------------------------------- the whole book

def test_every_name_has_an_entry_with_anchor_and_lesson(book):
    for m, name, o in public(book):
        short = m.__name__.partition(".")[2]
        text = book.text[f"{short}.md"]
        anchors = {a for line in re.findall(r"^```\{anchor\} (.*)$", text, re.M) for a in line.split()}
        assert name.lower() in anchors, name
        if "." not in name: assert re.search(rf"^#+ {name}$", text, re.M), name
        if re.search(rf"^#+ {re.escape(name)}$", text, re.M):
            entry = text.partition(f"# {name}\n")[2].partition("{.built}\n")[2].partition("\n")[0]
            assert re.search(rf"Built in \[.*\]\(#lesson\.\w+\.{re.escape(name.lower())}\)", entry), name


def test_every_example_compiles_and_uses_its_name(book):
    found = {}
    for m, name, o in public(book):
        home = getattr(o, "__module__", "") if "." in name else ""
        if e := book.examples.find(home if home in book.lessons else m.__name__, name): found[m.__name__, name] = e
    marks = {f"shown.{p}.example-{i}" for p, ids in book.examples.chosen.items() for i in ids}
    cells = {(convert.page_name(n), c["id"]): c["source"] for n, cs in book.books.items() for c in cs}
    for (_, name), e in found.items():
        compile(e.code, name, "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        last = name.rpartition(".")[2]
        words = {getattr(o, "id", getattr(o, "attr", "")) for o in ast.walk(ast.parse(e.code))}
        assert last in words or last == "forward", (name, e.code)
        compile(e.setup, name, "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        assert not e.lost, (name, e.lost)  # with the lines above it, it reads nothing that nothing makes
        if not e.label: continue
        assert e.label in marks
        page, _, cell = e.label.removeprefix("shown.").partition(".example-")
        assert cells[page, cell].rstrip().endswith(e.code)
    assert "experiments" not in found["minitrain.loop", "accuracy"].setup  # whose `report` is another than a lesson's
    tops = [(m.__name__, name) for m, name, _ in public(book) if "." not in name]
    assert sum(o in found for o in tops) >= 0.98*len(tops), [o for o in tops if o not in found]


def test_no_checks_solutions_or_special_methods(book):
    names = [o for text in book.text.values() for o in re.findall(r"^#+ ([\w.]+)$", text, re.M)]
    assert len(names) > 300 and [o for o in names if "__" in o or re.search(r"(^|\.)(check_|solution)", o)] == []
    assert not any("exercises" in o for o in book.text)


def test_the_index_has_every_name_in_order(book):
    rows = re.findall(r"^\[`([\w.]+)`\]\(#(api\.[\w.]+)\)\n: (.*)\n: (\w+) of \[([\w.]+)\]", book.text["index.md"], re.M)
    assert [o[0].lower() for o in rows] == sorted(o[0].lower() for o in rows)
    assert {(m.__name__.partition(".")[2], name) for m, name, _ in public(book) if "." not in name} <= {(o[4], o[0]) for o in rows}
    kinds = {o[0]: o[3] for o in rows}
    want = {"softmax": "function", "Learner": "class", "Learner.fit": "method", "TrainCB": "callback",
        "ArgumentError": "exception", "def_device": "constant"}
    assert want.items() <= kinds.items()
    assert not {"__iter__", "check_softmax", "TrainCB.step"} & {*kinds}


def test_long_modules_are_divided_by_their_lesson(book):
    heads = re.findall(r"^## (.+)$", book.text["callbacks.md"], re.M)
    prose = "\n".join(c["source"] for c in book.books["12_callbacks.ipynb"] if c["cell_type"] == "markdown")
    lesson = re.findall(r"^## (.+)$", prose, re.M)
    assert len(heads) > 5 and [o for o in lesson if o in heads] == heads
    assert [o for o in re.findall(r"^## (.+)$", book.text["softmax.md"], re.M)] == ["logsumexp", "softmax", "log_softmax"]


def test_what_a_class_inherits(book):
    text = book.text["learner.md"]
    entry = text[text.index("### MomentumLearner\n"):text.index("### SingleBatchCB\n")]
    assert "Inherits [`TrainLearner`](#api.learner.trainlearner)" in entry
    assert "[`fit`](#api.learner.learner.fit)" in entry and "zero_grad`](" not in entry  # it has its own


# -------------------------------------------------------------------------------------------------------------- events

class Records(Callback):
    "Answers to whatever the Learner calls"
    def __init__(self): self.seen = []
    def __getattr__(self, name):
        if not re.match("(before|after|cleanup)_", name): raise AttributeError(name)
        return lambda learn: self.seen.append(name)


def events_of(*cbs):
    x = torch.ones(2, 1)
    learn = Learner(nn.Linear(1, 1), ([(x, x)], None), cbs=[TrainCB(), *cbs])
    learn.fit(1, cbs=[seen := Records()])
    return seen.seen


def test_callback_lists_the_events_that_a_fit_calls(book):
    "All of them, in the order of one batch; a cancelled batch, where after_batch does not come, is the control"
    text = book.text["learner.md"]
    entry = text[text.index("### Callback\n"):text.index("### TrainCB\n")]
    listed = re.findall(r"^``(\w+)``\n: \S", entry, re.M)
    assert listed == events_of() == [*describe.event_lines()] and {*listed} == Learner.events
    class SkipCB(Callback):
        order = 1
        def after_step(self, learn): raise CancelBatchException()
    assert events_of(SkipCB()) == [o for o in listed if o != "after_batch"]


def test_methods_that_the_loop_calls_are_named_with_their_class(book):
    assert [*describe.loop_methods(TrainCB)] == ["predict", "get_loss", "backward", "step", "zero_grad"]
    assert [*describe.loop_methods(SingleBatchCB)] == ["after_batch"] and describe.loop_methods(Learner) == {}
    assert [*describe.loop_methods(MomentumLearner)] == ["zero_grad"]
    assert not re.search(r"^#+ \w+CB\.(before|after|cleanup)_", "\n".join(book.text.values()), re.M)


# --------------------------------------------------------------------------------------------------------------- types

def test_type_hints_of_every_public_object(book):
    "They can be resolved; a class that names a type that is not there is the control"
    for m, name, o in public(book):
        f = o.fget if isinstance(o, property) else getattr(o, "__func__", o)
        if inspect.isclass(f):
            inspect.get_annotations(f, eval_str=True)
            f = vars(f).get("__init__")
        if inspect.isfunction(f): typing.get_type_hints(f)
    def lost(x:"NotThere"): pass  # noqa: F821
    with pytest.raises(NameError): typing.get_type_hints(lost)


# ------------------------------------------------------------------------------------------------------ rendered pages

def test_an_example_leads_to_its_cell():
    "The link above an example goes to the anchor right before the cell with the same code"
    page = BeautifulSoup((DOCS/"api"/"softmax.html").read_text(encoding="utf-8"), "html.parser")
    notes = [o for o in page.select("p.example-note") if o.find("a", href=re.compile("#example-"))]
    assert len(notes) >= 3
    for note in notes:
        code = next(o for o in note.find_all_next("pre") if not o.find_parent("details")).get_text()
        target, _, anchor = note.find("a", href=re.compile("#example-"))["href"].partition("#")
        lesson = BeautifulSoup((DOCS/"api"/target).resolve().read_text(encoding="utf-8"), "html.parser")
        assert lesson.find(id=anchor).find_next("pre").get_text().strip() == code.strip()
