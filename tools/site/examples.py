"""The example of each public name: the first short, visible cell of a lesson that uses it after its definition, with the lines
above it that make what it reads (see above.py), so that both together run by themselves.

A cell uses a name when its syntax tree loads it, and a method when something that is known to be an object of the class has
it called or read. What a variable holds is read from the cells above: `learn = Learner(...)`, `with RunDir(...) as run`.
"""
import ast, importlib, inspect, pathlib, re
from collections import Counter
from itertools import product
from typing import NamedTuple

import numpy, torch

import above, convert

LINES = 15  # of an example's code, and of the output that is shown
COMPLETE = re.compile(r"^## (\S+)\n\n```python\n(.*?)\n```\n\n```text\n(.*?)\n```", re.S | re.M)
FRONT = {"Learner": "taste"}  # names whose example is a cell of the front page
SETUP = 12  # lines above it that an example may need before another comes first
_DEFS = ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef
_OTHERS = torch, torch.Tensor, torch.nn.Module, torch.optim.SGD, numpy.ndarray, str, list, dict, set, pathlib.Path
_COMMON = {o for c in _OTHERS for o in dir(c)}  # methods that an object of another library may have


class Example(NamedTuple):
    code: str
    output: str  # text, cut to LINES
    seen: str  # what else it shows: "", "a figure" or "a table"
    setup: str  # the lines above it that it needs
    lost: list  # names that it reads and that nothing makes
    label: str  # of the place in the lesson, "" for one that no lesson has
    place: str  # the same in words


class Cell(NamedTuple):
    index: int
    id: str
    code: str
    loads: list  # the names that it reads, in order
    methods: dict  # attribute -> the expressions before its dot; "forward" -> what is called
    above: int  # how many statements of the lesson come before it
    section: str
    holds: dict  # variable -> name of its class
    output: str
    seen: str
    folded: bool


def outputs_of(cell):
    "The text of a cell's stored outputs, and what else it shows"
    texts, seen = [], ""
    for o in cell.get("outputs", []):
        data = o.get("data", {})
        plain, html = (convert.text_of(data.get(k, "")) for k in ("text/plain", "text/html"))
        if o["output_type"] == "stream": texts.append(convert.text_of(o["text"]))
        elif any(k.startswith("image/") for k in data) or re.search("mt-(diagram|widget|figure)", html): seen = "a figure"
        elif html and "dataframe" not in html: seen = seen or "a table"
        elif not re.match(r"<.* at 0x|<Figure|<IPython", plain): texts.append(plain)
    lines = "\n".join(o.rstrip("\n") for o in texts).splitlines()
    return "\n".join(lines[:LINES] + ["..."]*(len(lines) > LINES)), seen


class Lesson:
    "What the search needs of a notebook: its cells that may be examples, where names are defined, what is imported"
    def __init__(self, notebook, cells):
        self.page, self.number = convert.page_name(notebook), notebook[:2]
        self.cells, self.defined, self.imported, self.bound, self.classes, self.statements = [], {}, {}, set(), {}, []
        section, holds = "", {}
        for i, cell in enumerate(cells):
            if cell["cell_type"] == "markdown":
                section = ([section] + re.findall(r"^## (.+)$", cell["source"], re.M))[-1]
                continue
            if cell["cell_type"] != "code": continue
            options, code = convert.split_options(cell["source"])
            tree = convert.parsed(code)
            nodes = [*ast.walk(tree)]
            for node in nodes:
                if isinstance(node, ast.ImportFrom): self.imported |= {o.asname or o.name: node.module for o in node.names}
                if isinstance(node, ast.Import): self.imported |= {(o.asname or o.name).split(".")[0]: "" for o in node.names}
            exported = {"export", "exports", "exporti"} & set(options)
            if exported: self.defined |= {o: (i, section) for o in convert.defined_names(code) if o not in self.defined}
            else:
                self.bound |= {o.id for o in nodes if isinstance(o, ast.Name) and isinstance(o.ctx, ast.Store)}
                self.classes |= {o.name: o for o in tree.body if isinstance(o, ast.ClassDef)}
            holds, before = {**holds, **_holds(nodes)}, len(self.statements)
            if options.get("eval") != "false": self.statements += above.statements(code, i, bool(exported))
            if exported or convert.is_hidden(options, code) or convert.only_imports(code) or options.get("echo") == "false": continue
            if re.match(r"(show_doc|check_\w+|solution)\(|def \w+\(.*\): *\.\.\.", code): continue
            self.cells.append(Cell(i, cell.get("id", ""), code, *_read(nodes), before, section, holds, *outputs_of(cell),
                convert.is_folded(options, code) or options.get("eval") == "false"))


def _holds(nodes):
    "Variables of a cell, given as nodes of its tree, and the name of the class or function whose result they hold, None where that is not said"
    found = {}
    def note(target, value):
        if not isinstance(target, ast.Name): return
        called = isinstance(value, ast.Call) and isinstance(value.func, ast.Name)
        found[target.id] = value.func.id if called else None
    for node in nodes:
        if isinstance(node, ast.Assign):
            for o in node.targets:
                pair = isinstance(o, ast.Tuple) and isinstance(node.value, ast.Tuple) and len(o.elts) == len(node.value.elts)
                for t, v in zip(o.elts, node.value.elts) if pair else [(o, node.value)]: note(t, v)
        elif isinstance(node, ast.NamedExpr): note(node.target, node.value)
        elif isinstance(node, ast.withitem) and node.optional_vars: note(node.optional_vars, node.context_expr)
    return found


class Examples:
    """Finds the example of a name; `lessons` is a list of (notebook, cells) in the book's order, `modules` the module of each.

    `front` are the cells of the front page."""
    def __init__(self, lessons, modules, front=()):
        self.lessons = [Lesson(n, cells) for n, cells in lessons]
        self.homes = {m.__name__: convert.page_name(n) for n, m in modules.items()}
        self.modules = {page: m for m, page in self.homes.items()}
        star = vars(importlib.import_module("minitrain.all"))
        self.sources = {k: m.__name__ for m in modules.values() for k in m.__all__}
        self.sources |= {k: "minitrain.all" for m in modules.values() for k in m.__all__ if star.get(k) is getattr(m, k)}
        self.classes = {k: o for m in modules.values() for k in m.__all__ if inspect.isclass(o := getattr(m, k))}
        self.makers = Counter(k for c in self.classes.values() for k in vars(c))
        self.makers.update((getattr(o, "__module__", ""), k) for c in self.classes.values() for k, o in vars(c).items())
        text = (pathlib.Path(__file__).parent/"complete.md").read_text(encoding="utf-8")
        self.complete = {name: Example(code, output, "", "", [], "", "") for name, code, output in COMPLETE.findall(text)}
        self.front = Lesson("index.ipynb", front)
        self.chosen = {}  # page -> ids of its cells that are examples

    def find(self, module, name):
        "The example of a dotted name that a module defines, or None"
        if name in self.complete: return self.complete[name]
        for o in self.front.cells:
            if o.id == FRONT.get(name): return self._example(self.front, o)
        order = [o.page for o in self.lessons].index(self.homes[module])
        for lines, folded in product((LINES, 2*LINES), (False, True)):  # short and open anywhere comes before the rest
            for lesson in self.lessons[order:]:
                imported = module == lesson.imported.get(name) or lesson.imported.get("*") == "minitrain.all"
                home = lesson is self.lessons[order]
                if "." not in name and (not (home or imported) or name in lesson.bound): continue
                start = lesson.defined[name][0] if home and not imported and name in lesson.defined else -1
                hits = [o for o in lesson.cells if o.index > start and o.folded == folded and o.code.count("\n") < lines
                    and self.uses(lesson, o, module, name, home)]
                def order_of(o):
                    text, lost = self.setup(lesson, o)
                    return len(lost), text.count("\n") > SETUP, not (o.output or o.seen)
                if hits: return self._example(lesson, min(hits, key=order_of))

    def setup(self, lesson, cell):
        "The lines above a cell that it needs, and the names that it reads and that nothing makes"
        return above.setup(lesson.statements[:cell.above], cell.code, self.modules.get(lesson.page), self.sources)

    def _example(self, lesson, cell):
        self.chosen.setdefault(lesson.page, set()).add(cell.id)
        place = "the front page" if lesson is self.front else f"lesson {lesson.number}" + (f", {cell.section}" if cell.section else "")
        return Example(cell.code, cell.output, cell.seen, *self.setup(lesson, cell), f"shown.{lesson.page}.example-{cell.id}", place)

    def uses(self, lesson, cell, module, name, home):
        """Does a cell load this name, or this method of an object of its class?

        Where the class is not known, it counts if no other has such a method, or no other of the lesson's module."""
        owner, _, method = name.rpartition(".")
        if not owner: return name in cell.loads
        found = cell.methods.get(method, ())
        makers = [_maker(o, cell.holds) for o in found]
        if any(o and self.brings(lesson, o, method) is self.classes[owner] for o in makers): return True
        alone = 1 in (self.makers[method], self.makers[module, method] if home else 0)
        guess = alone and method not in _COMMON and method != "forward"
        return guess and any(o is None or not self.is_class(lesson, o) for o in makers)

    def is_class(self, lesson, name): return name in lesson.classes or name in self.classes

    def brings(self, lesson, name, method):
        "The class of the package from which objects of a class have a method, None where a class of the lesson brings it"
        if node := lesson.classes.get(name):
            if any(isinstance(o, _DEFS) and o.name == method for o in node.body): return None
            return next(filter(None, (self.brings(lesson, ast.unparse(o), method) for o in node.bases if ast.unparse(o) != name)), None)
        return next((c for c in getattr(self.classes.get(name), "__mro__", ()) if method in vars(c)), None)

    def mark(self, page, cells):
        "The cells of a lesson, with an anchor before each that is an example somewhere"
        for cell in cells:
            if cell.get("id") in self.chosen.get(page, ()):
                yield convert.markdown_cell(f"```{{anchor}} example-{cell['id']}\n:prefix: shown.{page}.\n```")
            yield cell


def _maker(node, holds):
    "The name of the class or function that made what stands before a dot"
    if isinstance(node, ast.Call): node = node.func
    elif isinstance(node, ast.Name) and node.id in holds: return holds[node.id]
    return node.id if isinstance(node, ast.Name) else None


def _read(nodes):
    "Of a cell, given as nodes of its tree: the names that it loads, and what its methods are called on"
    methods = {"forward": [o.func for o in nodes if isinstance(o, ast.Call)]}
    for o in nodes:
        if isinstance(o, ast.Attribute): methods.setdefault(o.attr, []).append(o.value)
    loads = sorted((o for o in nodes if isinstance(o, ast.Name) and isinstance(o.ctx, ast.Load)), key=lambda o: (o.lineno, o.col_offset))
    return [*dict.fromkeys(o.id for o in loads)], methods
