#!/usr/bin/env python3
"""Write a stub (.pyi) beside each module: editors and type checkers see classes whole.

    make_stubs.py [PACKAGE]        (minitrain/ of this clone when none is named)

A method that `@patch` adds, in whatever module, stands in the stub of its class.
Comments on parameters, fields and results become sections of the docstrings, so that
hovering over a name shows them. The modules are read, not imported.
"""
import ast, io, re, sys, textwrap, tokenize
from collections.abc import Iterable, Iterator
from pathlib import Path

PACKAGE = Path(__file__).parents[1]/"minitrain"
SKIPPED = {"__init__", "__main__", "_modidx"}
WIDTH = 88
# Modules import these late: the annotation is `object`, and the comment begins so
LATE = {"pandas DataFrame": "pandas.DataFrame",
        "matplotlib Axes": "matplotlib.axes.Axes",
        "matplotlib Figure": "matplotlib.figure.Figure"}


# What a module says of itself

class Module:
    "A module as it was read"
    def __init__(self, path: Path, package: Path):
        source = path.read_text(encoding="utf-8")
        parts = path.relative_to(package).with_suffix("").parts
        self.path, self.name = path, ".".join([package.name, *parts])
        self.tree = ast.parse(source)
        self.comments = comments(source)
        body = self.tree.body
        self.classes = {o.name: o for o in body if isinstance(o, ast.ClassDef)}
        functions = {o.name for o in body if isinstance(o, ast.FunctionDef)}
        constants = {name for o in body for name in assigned(o)}
        self.defined = {*self.classes, *functions, *constants}
        self.imported = dict(o for node in imports(self.tree.body)
                             for o in bindings(node, self.name))

    def origin(self, name: str) -> str | None:
        "The import that brings a name of this module elsewhere; None for a builtin"
        here = name in self.defined
        return f"from {self.name} import {name}" if here else self.imported.get(name)

    def comment(self, node: ast.AST) -> str:
        "The comment at the end of a piece of code"
        return self.comments.get(node.end_lineno, "")


def comments(source: str) -> dict[int, str]:
    "The text of the comment on each line that has one"
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return {o.start[0]: o.string.lstrip("# ")
            for o in tokens if o.type == tokenize.COMMENT}


def assigned(node: ast.stmt) -> list[str]:
    "The names that an assignment binds, those in a tuple too"
    if not isinstance(node, (ast.Assign, ast.AnnAssign)): return []
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    return [o.id for t in targets for o in ast.walk(t)
            if isinstance(o, ast.Name) and isinstance(o.ctx, ast.Store)]


def imports(body: Iterable[ast.stmt]) -> Iterator[ast.Import | ast.ImportFrom]:
    "The imports at a module's top level, those under `try` and `if` too"
    for o in body:
        if isinstance(o, (ast.Import, ast.ImportFrom)): yield o
        elif isinstance(o, (ast.Try, ast.If)): yield from imports(o.body)


def bindings(node: ast.stmt, module: str) -> Iterator[tuple[str, str]]:
    "Each name that an import binds, and the import of that name alone"
    for o in node.names:
        alias = f" as {o.asname}" if o.asname else ""
        bound = o.asname or o.name
        if isinstance(node, ast.Import):
            yield bound.split(".")[0], f"import {o.name}{alias}"
        else: yield bound, f"from {absolute(node, module)} import {o.name}{alias}"


def absolute(node: ast.ImportFrom, module: str) -> str:
    "The full name of the module that a `from` names, relative or not"
    if not node.level: return node.module
    return ".".join([*module.split(".")[:-node.level], *filter(None, [node.module])])


# Small questions about code

def private(name: str) -> bool:
    "Whether a name begins with an underscore and is not one of Python's own"
    return name.startswith("_") and not name.endswith("__")


def names(node: ast.AST) -> set[str]:
    "Every name in a piece of code"
    return {o.id for o in ast.walk(node) if isinstance(o, ast.Name)}


def mentions_private(node: ast.AST) -> bool:
    "Whether some name or attribute in a piece of code is private"
    attributes = {o.attr for o in ast.walk(node) if isinstance(o, ast.Attribute)}
    return any(map(private, names(node) | attributes))


class Unquote(ast.NodeTransformer):
    "Forward references in quotes become plain names; the strings of Literal stay"
    def visit_Subscript(self, node):
        literal = ast.unparse(node.value).endswith("Literal")
        return node if literal else self.generic_visit(node)

    def visit_Constant(self, node):
        quoted = isinstance(node.value, str)
        return ast.parse(node.value, mode="eval").body if quoted else node


def unquote(annotation: ast.expr | None) -> ast.expr | None:
    "An annotation without quotes; None where there is none"
    return None if annotation is None else Unquote().visit(annotation)


def methods_of(node: ast.ClassDef) -> list[ast.FunctionDef]:
    "The methods that stand in a class itself"
    return [o for o in node.body if isinstance(o, ast.FunctionDef)]


def parameters(args: ast.arguments) -> list[tuple]:
    "Parameters in order: (stars, argument, default); a lone `*` or `/` has no argument"
    plain = [*args.posonlyargs, *args.args]
    defaults = [None]*(len(plain) - len(args.defaults)) + args.defaults
    out = [("", a, d) for a, d in zip(plain, defaults)]
    if args.posonlyargs: out.insert(len(args.posonlyargs), ("/", None, None))
    if args.vararg or args.kwonlyargs: out.append(("*", args.vararg, None))
    out += [("", a, d) for a, d in zip(args.kwonlyargs, args.kw_defaults)]
    return out + [("**", args.kwarg, None)]*bool(args.kwarg)


def parameter_lines(f: ast.FunctionDef) -> dict[int, str]:
    "The lines on which parameters end, each with the last parameter of that line"
    ends = {(d or a).end_lineno: star + a.arg for star, a, d in parameters(f.args) if a}
    header = {o: name for o, name in ends.items() if o < f.body[0].lineno}
    if f.returns: header.pop(f.returns.end_lineno, None)
    return header


def parameter_comments(f: ast.FunctionDef, module: Module) -> list[tuple[str, str]]:
    "The parameters that have a comment at the end of their line, with it"
    return [(name, module.comments[line]) for line, name in parameter_lines(f).items()
            if line in module.comments]


def result_comment(f: ast.FunctionDef, module: Module) -> str:
    "The comment on the line that ends the signature"
    header = set(range(f.lineno, f.body[0].lineno)) - set(parameter_lines(f))
    return next((module.comments[o] for o in sorted(header & set(module.comments))), "")


def returns_value(f: ast.FunctionDef) -> bool:
    "Whether a function may return or yield something; one that ends in `raise` may"
    if isinstance(f.body[-1], ast.Raise): return True
    inner = [o for o in ast.walk(f) if isinstance(o, (ast.FunctionDef, ast.Lambda))]
    nested = {o for g in inner if g is not f for o in ast.walk(g)}
    own = [o for o in ast.walk(f) if o not in nested]
    return any(isinstance(o, (ast.Yield, ast.YieldFrom))
               or isinstance(o, ast.Return) and o.value for o in own)


def set_on_self(f: ast.FunctionDef) -> dict[str, ast.expr | None]:
    "Attributes that a method sets on its first argument, with their type where known"
    if not f.args.args: return {}
    def mine(o): return isinstance(o, ast.Attribute) and ast.unparse(o.value) == me
    me = f.args.args[0].arg
    found = {o.attr: None for o in ast.walk(f)
             if mine(o) and isinstance(o.ctx, ast.Store)}
    annotations = {a.arg: a.annotation for _, a, _ in parameters(f.args) if a}
    for o in ast.walk(f):
        if isinstance(o, ast.AnnAssign) and mine(o.target):
            found[o.target.attr] = o.annotation
        for target, value in pairs(o) if f.name == "__init__" else ():
            if mine(target) and isinstance(value, ast.Name):
                found[target.attr] = annotations.get(value.id)
    return found


def pairs(node: ast.AST) -> Iterator[tuple[ast.expr, ast.expr]]:
    "Each target of an assignment with what it gets"
    for target in node.targets if isinstance(node, ast.Assign) else ():
        many = isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple)
        yield from zip(target.elts, node.value.elts) if many else [(target, node.value)]


# What the modules of the package do to each other's classes

class Package:
    "All modules, and what each class gets from outside of its body"
    def __init__(self, folder: Path):
        paths = [o for o in sorted(folder.rglob("*.py")) if o.stem not in SKIPPED]
        self.only_imports = [o for o in paths if o.stem == "all"]
        self.modules = [Module(o, folder) for o in paths if o.stem != "all"]
        self.classes = dict(o for m in self.modules for o in m.classes.items())
        self.given = {"Learner": self.given_to("learn")}
        self.patched = {}  # class -> its (method, module), its own module's first
        for module in self.modules: self.take_patches(module)
        for owner, found in self.patched.items():
            found.sort(key=lambda o: owner not in o[1].tree.body)

    def take_patches(self, module: Module):
        "Take the functions that `@patch` puts into classes out of a module"
        for f in [o for o in module.tree.body if isinstance(o, ast.FunctionDef)]:
            patch = next((o for o in f.decorator_list
                          if re.match(r"patch\b", ast.unparse(o))), None)
            if not patch: continue
            owner = ast.unparse(f.args.args[0].annotation)
            home = module.classes.get(owner) or self.classes.get(owner)
            others = [o for o in f.decorator_list if o != patch]
            f.decorator_list = kinds(patch) + others
            f.args.args[0].annotation = None
            module.tree.body.remove(f)
            if home: self.patched.setdefault(home, []).append((f, module))

    def given_to(self, variable: str) -> list[str]:
        "Attributes that other classes set on a Learner, as in `learn.metrics = self`"
        found = [o.attr for m in self.modules for o in ast.walk(m.tree)
                 if isinstance(o, ast.Attribute) and isinstance(o.ctx, ast.Store)
                 and ast.unparse(o.value) == variable]
        return sorted(set(found))

    def inherited(self, node: ast.ClassDef) -> set[str]:
        "Names that a class has from its bases, as far as these are in the package"
        found = set()
        for base in map(ast.unparse, node.bases):
            home = self.classes.get(base)
            if home is None: continue
            methods = methods_of(home) + [f for f, _ in self.patched.get(home, [])]
            found |= {o.name for o in methods} | self.inherited(home)
            found |= {name for o in home.body for name in assigned(o)}
            found |= {name for o in methods for name in set_on_self(o)}
        return found


def kinds(patch: ast.expr) -> list[ast.expr]:
    "The decorator that says in a class what the arguments of `@patch` said outside"
    meaning = dict(as_prop="property", cls_method="classmethod")
    given = patch.keywords if isinstance(patch, ast.Call) else []
    return [ast.Name(meaning[o.arg]) for o in given]


# Writing

class Stub:
    "Writes the stub of one module, and keeps which imports it needs"
    def __init__(self, module: Module, package: Package):
        self.module, self.package, self.needed = module, package, set()

    def text(self, wanted: set[str]) -> str:
        "The whole stub; of the private classes, those that are wanted"
        self.needed = set()
        body = self.module.tree.body
        parts = [o for node in body for o in self.statement(node, wanted)]
        own = f"from {self.module.name} import "
        lines = docstring(ast.get_docstring(self.module.tree), {}, 0)
        lines += ["# Made by tools/make_stubs.py: do not edit"]
        lines += grouped({o for o in self.needed if not o.startswith(own)})
        return "\n".join([*lines, "", *parts]).rstrip() + "\n"

    def statement(self, node: ast.stmt, wanted: set[str]) -> list[str]:
        "The lines of a definition at the top of the module, none if it stays private"
        if isinstance(node, ast.ClassDef):
            shown = not private(node.name) or node.name in wanted
            return [*self.klass(node), ""] if shown else []
        if isinstance(node, ast.FunctionDef):
            shown = not private(node.name)
            return [*self.function(node, self.module, 0), ""] if shown else []
        lines = self.assignment(node, 0)
        return [*lines, ""] if lines else []

    def need(self, node: ast.AST, module: Module) -> str:
        "The text of a piece of code from a module, its names imported"
        self.needed |= {o for name in names(node) if (o := module.origin(name))}
        return ast.unparse(node)

    def brought(self, path: str) -> str:
        "A name by its full path, imported"
        module, _, name = path.rpartition(".")
        self.needed.add(f"from {module} import {name}")
        return name

    def annotation(self, node: ast.expr, comment: str, module: Module) -> str:
        "A type; for `object`, the type that the comment begins with, or Any"
        text = self.need(unquote(node), module)
        if text != "object": return text
        late = [path for o, path in LATE.items() if re.match(rf"{o}\b(?! or)", comment)]
        return self.brought(*late or ["typing.Any"])

    def assignment(self, node: ast.stmt, depth: int) -> list[str]:
        "A constant or a field: as it stands, or its type where its value is private"
        bound, pad = assigned(node), " "*depth
        public = [o for o in bound if not private(o)]
        if not public: return []
        if isinstance(node, ast.AnnAssign): return [pad + self.field(node)]
        if public == ["__all__"]:
            return textwrap.wrap(f"__all__ = {ast.literal_eval(node.value)!r}", WIDTH,
                                 subsequent_indent=" "*11, break_on_hyphens=False)
        if public == bound and not mentions_private(node):
            return [pad + self.need(node, self.module)]
        return [f"{pad}{o}: {self.brought('typing.Any')}" for o in public]

    def field(self, node: ast.AnnAssign) -> str:
        "A field of a dataclass or a named tuple"
        kind = self.annotation(node.annotation, self.module.comment(node), self.module)
        value = f" = {self.default(node.value, self.module)}" if node.value else ""
        return f"{node.target.id}: {kind}{value}"

    def default(self, node: ast.expr, module: Module) -> str:
        "A default value; one that mentions something private is an ellipsis"
        return "..." if mentions_private(node) else self.need(node, module)

    def klass(self, node: ast.ClassDef) -> list[str]:
        "A class: its fields, the attributes that its methods set, and all its methods"
        patched = self.package.patched.get(node, [])
        replaced = {f.name for f, _ in patched}
        members = [(f, self.module) for f in methods_of(node) if f.name not in replaced]
        members += patched
        fields = [o for o in node.body if assigned(o)]
        bases = [self.need(o, self.module) for o in [*node.bases, *node.keywords]]
        lines = [f"@{self.need(o, self.module)}" for o in node.decorator_list]
        lines.append(f"class {node.name}({', '.join(bases)}):".replace("()", ""))
        sections = self.class_sections(fields, members)
        body = docstring(ast.get_docstring(node), sections, 4)
        body += [line for o in fields for line in self.assignment(o, 4)]
        body += self.attributes(node, fields, members)
        shown = [o for o in members if not private(o[0].name)]
        body += [line for f, module in shown for line in self.function(f, module, 4)]
        return lines + (body or ["    ..."])

    def class_sections(self, fields: list, members: list) -> dict[str, list]:
        "What a class's docstring tells of its fields or of the parameters of __init__"
        told = [(o.target.id, self.module.comment(o))
                for o in fields if isinstance(o, ast.AnnAssign)]
        init = [parameter_comments(f, m) for f, m in members if f.name == "__init__"]
        return {"Args": told or sum(init, [])}

    def attributes(self, node: ast.ClassDef, fields: list, members: list) -> list[str]:
        "A declaration of each public attribute that some method sets"
        if any(isinstance(o, ast.AnnAssign) for o in fields):
            return []  # of a dataclass: a declaration would be one more field
        known = {f.name for f, _ in members} | self.package.inherited(node)
        known |= {name for o in fields for name in assigned(o)}
        found = {}
        for f, module in sorted(members, key=lambda o: o[0].name != "__init__"):
            for name, kind in set_on_self(f).items():
                found.setdefault(name, (kind or ast.Name("object"), module))
        for name in self.package.given.get(node.name, ()):
            found.setdefault(name, (ast.Name("object"), self.module))
        return [f"    {name}: {self.annotation(kind, '', module)}"
                for name, (kind, module) in found.items()
                if name not in known and not private(name)]

    def function(self, f: ast.FunctionDef, module: Module, depth: int) -> list[str]:
        "A function or a method: decorators, signature, docstring"
        decorators = [o for o in f.decorator_list if not mentions_private(o)]
        lines = [f"@{self.need(o, module)}" for o in decorators]
        start, end = f"def {f.name}(", self.result(f, module, lines)
        params = [self.parameter(*o, module) for o in parameters(f.args)]
        one_line = start + ", ".join(params) + end
        fits = len(one_line) + depth + len(" ...") <= WIDTH
        lines += [one_line] if fits else [start, *(f"    {o}," for o in params), end]
        told = dict(Args=parameter_comments(f, module))
        told["Returns"] = [("", o)] if (o := result_comment(f, module)) else []
        if f.name == "__init__": told = {}  # the class tells it
        doc = docstring(ast.get_docstring(f), told, depth + 4)
        if not doc: lines[-1] += " ..."
        return [" "*depth + o for o in lines] + doc

    def parameter(self, star: str, arg: ast.arg, default: ast.expr, module) -> str:
        "One parameter as it is written"
        if arg is None: return star
        kind = unquote(arg.annotation)
        text = star + arg.arg + (f":{self.need(kind, module)}" if kind else "")
        return text if default is None else f"{text}={self.default(default, module)}"

    def result(self, f: ast.FunctionDef, module: Module, decorators: list[str]) -> str:
        "The end of a signature: None where a function never returns a value"
        text = "" if returns_value(f) else "None"
        comment = result_comment(f, module)
        if f.returns: text = self.annotation(f.returns, comment, module)
        manager = any(o.endswith("contextmanager") for o in decorators)
        if manager and "Iterator" not in text:
            text = text or self.brought("typing.Any")
            text = f"{self.brought('collections.abc.Iterator')}[{text}]"
        return f")->{text}:" if text else "):"


def docstring(doc: str | None, sections: dict[str, list], depth: int) -> list[str]:
    "The lines of a docstring with sections such as `Args:`; none if nothing is to say"
    sections = {title: items for title, items in sections.items() if items}
    if not doc and not sections: return []
    lines = filled(doc or "", depth, "")
    for title, items in sections.items():
        lines += ["", f"{title}:"]
        for name, text in items:
            item = filled(f"{name}: {text}" if name else text, depth + 4, "    ")
            lines += [f"    {o}" for o in item]
    lines = [o.replace("\\", "\\\\").replace('"""', '\\"\\"\\"') for o in lines]
    pad, quotes = " "*depth, '"""'
    if len(lines) == 1 and not lines[0].endswith('"'):
        return [f"{pad}{quotes}{lines[0]}{quotes}"]
    rest = [f"{pad}{o}".rstrip() for o in lines[1:]]
    return [f"{pad}{quotes}{lines[0]}", *rest, f"{pad}{quotes}"]


def filled(text: str, depth: int, hanging: str) -> list[str]:
    "Text in lines that fit, each line of it begun anew"
    def fill(line):
        width = WIDTH - depth - 6  # of the quotes
        return textwrap.wrap(line, width, subsequent_indent=hanging) or [""]
    return [o for line in text.split("\n") for o in fill(line)]


def grouped(needed: set[str]) -> list[str]:
    "Imports of single names joined by module, plain imports first"
    plain = sorted(o for o in needed if o.startswith("import "))
    by_module = {}
    for o in sorted(needed - set(plain)):
        module, what = re.match(r"from (\S+) import (.+)", o).groups()
        by_module.setdefault(module, []).append(what)
    joined = [f"from {module} import {', '.join(o)}" for module, o in by_module.items()]
    return plain + [o if len(o) <= WIDTH else in_brackets(o) for o in joined]


def in_brackets(line: str) -> str:
    "An import too long for a line"
    head, what = line.split(" import ")
    return f"{head} import (\n{textwrap.indent(textwrap.fill(what, 80), ' '*4)})"


def mentioned(text: str) -> set[str]:
    "Names in a stub, imported ones too"
    tree = ast.parse(text)
    imported = [o for o in ast.walk(tree) if isinstance(o, ast.ImportFrom)]
    return names(tree) | {a.name for o in imported for a in o.names}


def stubs(folder: Path) -> dict[Path, str]:
    "The text of every stub of a package, by its path"
    package = Package(folder)
    writers = [Stub(o, package) for o in package.modules]
    wanted, before = set(package.classes), None
    while wanted != before:  # a private class stays while some stub mentions it
        before, texts = wanted, [o.text(wanted) for o in writers]
        wanted = set.union(*map(mentioned, texts)) & wanted
    found = {o.module.path: text for o, text in zip(writers, texts)}
    found |= {o: o.read_text(encoding="utf-8") for o in package.only_imports}
    return {path.with_suffix(".pyi"): text for path, text in found.items()}


def main():
    folder = Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else PACKAGE
    texts = stubs(folder)
    for path, text in texts.items(): path.write_text(text, encoding="utf-8")
    for path in set(folder.rglob("*.pyi")) - set(texts): path.unlink()  # module gone
    (folder/"py.typed").touch()


if __name__ == "__main__": main()
