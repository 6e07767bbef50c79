"One notebook, one module; imports only upwards; each public name once, documented, with an example and a check."
import ast, importlib, inspect, json, re, textwrap
from dataclasses import is_dataclass

import pytest
from fastcore.docments import docments

import minitrain.all
from conftest import ROOT

LESSONS = sorted((ROOT/"nbs").glob("[0-9]*.ipynb"))
BY_NAME = {"compose", "atari", "cli"}  # imported by name, not by minitrain.all, as are experiments and exercises
BY_HAND = {"__init__", "__main__", "all", "_modidx"}
ROOMS = "experiments.", "exercises."


def by_all(module): return module not in BY_NAME and not module.startswith(ROOMS)


def cells(path):
    return [(c["cell_type"], "".join(c["source"])) for c in json.loads(path.read_text(encoding="utf-8"))["cells"]]


def default_exps(path):
    return [m for kind, src in cells(path) if kind == "code" for m in re.findall(r"^#\| *default_exp +(\S+)", src, re.M)]


MODULES = {path: default_exps(path)[0] for path in LESSONS}
PUBLIC = [(path, module, name) for path, module in MODULES.items()
          for name in importlib.import_module(f"minitrain.{module}").__all__]


def test_one_module_per_notebook():
    assert all(len(default_exps(path)) == 1 for path in LESSONS)
    assert {path.stem[3:] for path in LESSONS} == {"start" if m == "core" else m.rpartition(".")[2] for m in MODULES.values()}
    assert len(set(MODULES.values())) == len(LESSONS)
    files = {".".join(p.relative_to(ROOT/"minitrain").with_suffix("").parts) for p in (ROOT/"minitrain").rglob("*.py")}
    assert files == set(MODULES.values()) | BY_HAND | {"experiments.__init__", "exercises.__init__"}
    assert not [p for p in LESSONS if "auto" in p.stem], "nbdev drops the index of a notebook so named"


def source(module): return ast.parse((ROOT/"minitrain"/f"{module.replace('.', '/')}.py").read_text(encoding="utf-8"))


def imported(module):
    "(module of minitrain, name) of each import, wherever in a module's code"
    for node in ast.walk(source(module)):
        if isinstance(node, ast.ImportFrom):
            package = ["minitrain", *module.split(".")][:-node.level] if node.level else []
            full = ".".join([*package, *filter(None, [node.module])])
            for a in node.names:
                if full == "minitrain": yield a.name, None
                elif full.startswith("minitrain."): yield full.removeprefix("minitrain."), a.name
        elif isinstance(node, ast.Import): yield from ((a.name.partition(".")[2], None) for a in node.names if a.name.startswith("minitrain"))


@pytest.mark.parametrize("path", LESSONS, ids=lambda p: p.stem)
def test_imports_only_upwards(path):
    order = list(MODULES.values())
    above = set(order[:order.index(MODULES[path])])
    assert {module for module, _ in imported(MODULES[path])} <= above


@pytest.mark.parametrize("path", LESSONS, ids=lambda p: p.stem)
def test_no_private_name_crosses_a_border(path):
    assert not [(module, name) for module, name in imported(MODULES[path]) if name and name.startswith("_")]


@pytest.mark.parametrize("path", [p for p in LESSONS if p.name < "4"], ids=lambda p: p.stem)
def test_a_lesson_builds_on_no_job(path):
    assert not [o for o, _ in imported(MODULES[path]) if o.startswith(("experiments", "exercises", "cli"))]


@pytest.mark.parametrize("path", [p for p in LESSONS if by_all(MODULES[p])], ids=lambda p: p.stem)
def test_heavy_imports_wait(path):
    "pyplot, pandas and the like are imported inside the functions that need them"
    tree = source(MODULES[path])
    top = {a.name for n in tree.body if isinstance(n, ast.Import) for a in n.names} | {n.module for n in tree.body if isinstance(n, ast.ImportFrom)}
    assert not {m for m in top if m and m.split(".")[0] in ("matplotlib", "pandas", "pooch", "scipy", "sklearn", "tabulate")}
    assert "__getattr__" not in {n.name for n in tree.body if isinstance(n, ast.FunctionDef)}


def test_no_name_twice():
    names = [name for _, module, name in PUBLIC if by_all(module)]
    assert sorted(names) == sorted(set(names))


def test_all_has_every_public_name_in_order():
    source = (ROOT/"minitrain"/"all.py").read_text(encoding="utf-8")
    modules = re.findall(r"^from \.(\w+) import \*$", source, re.M)
    assert modules == [m for m in MODULES.values() if by_all(m)]
    for _, module, name in PUBLIC:
        if by_all(module): assert getattr(minitrain.all, name) is getattr(importlib.import_module(f"minitrain.{module}"), name)


def own_methods(cls):
    "Public methods and properties that a class defines itself"
    for name, o in vars(cls).items():
        o = o.fget if isinstance(o, property) else getattr(o, "__func__", o)
        if not name.startswith("_") and inspect.isfunction(o) and o.__name__ != "<lambda>": yield name, o


def returns_value(fn):
    tree = ast.parse(textwrap.dedent(inspect.getsource(fn)))
    inner = [n for n in ast.walk(tree.body[0]) if isinstance(n, (ast.FunctionDef, ast.Lambda, ast.ClassDef)) and n is not tree.body[0]]
    skip = {id(m) for n in inner for m in ast.walk(n)}
    return any(isinstance(n, ast.Return) and n.value is not None and id(n) not in skip for n in ast.walk(tree.body[0]))


def undocumented(o, name):
    "What is missing from the documentation of a function, or of a class with its methods"
    if inspect.isclass(o):
        if not o.__doc__: yield f"{name}: no docstring"
        if is_dataclass(o): yield from (f"{name}: no word on `{arg}`" for arg, doc in docments(o, returns=False).items() if not doc)
        elif "__init__" in vars(o): yield from (m for m in undocumented(vars(o)["__init__"], f"{name}.__init__") if "docstring" not in m)
        for method, fn in own_methods(o): yield from undocumented(fn, f"{name}.{method}")
    elif inspect.isfunction(o):
        if not o.__doc__: yield f"{name}: no docstring"
        for arg, doc in docments(inspect.unwrap(o), returns=False, args_kwargs=True).items():
            if arg not in ("self", "cls") and not doc: yield f"{name}: no word on `{arg}`"
        if not name.endswith("__init__") and returns_value(inspect.unwrap(o)) and not docments(inspect.unwrap(o)).get("return"):
            yield f"{name}: no word on what it returns"


@pytest.mark.parametrize("path, module, name", PUBLIC, ids=lambda v: v if isinstance(v, str) else v.stem)
def test_documented_and_exampled(path, module, name):
    o = getattr(importlib.import_module(f"minitrain.{module}"), name)
    assert not list(undocumented(o, name))
    examples = [src for kind, src in cells(path) if kind == "code" and not re.search(r"^#\| *export", src, re.M)]
    assert any(re.search(rf"\b{re.escape(name)}\b", src) for src in examples), f"{name} has no example in {path.name}"


def test_the_counters_can_fail():
    "Controls: an undocumented function, argument and return value are each found"
    def bare(x): return x
    def half(x, # Something
             y): "Has a docstring"
    assert [m.partition(": ")[2] for m in undocumented(bare, "bare")] == ["no docstring", "no word on `x`", "no word on what it returns"]
    assert list(undocumented(half, "half")) == ["half: no word on `y`"]
