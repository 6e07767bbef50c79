"What can be read from the package about its public names: signatures, docments, bases, events, errors"
import ast, builtins, inspect, re, sys, textwrap
from functools import cache, partial

from fastcore.docments import docments


source_lines = cache(inspect.getsourcelines)  # of a class it goes through all of its module


# --------------------------------------------------------------------------------------------- what a module documents

def documented_names(module):
    "Public names of a module, its `__all__`, in the order of their definition"
    lines = definition_lines(inspect.getsource(module))
    return sorted(dict.fromkeys(module.__all__), key=lambda o: lines.get(o, 0))


def definition_lines(source):
    "Line of each top-level name of a module's source"
    lines = {}
    for node in ast.parse(source).body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)): lines[node.name] = node.lineno
        elif isinstance(node, ast.Assign):
            for o in node.targets:
                for n in ast.walk(o):
                    if isinstance(n, ast.Name): lines.setdefault(n.id, node.lineno)
    return lines


def is_constant(o):
    "True for what is neither a class nor a function: a string, a `partial`, an object"
    return not (inspect.isclass(o) or inspect.isroutine(o))


def constant_source(module, name):
    "Line, source and comment of the statement that sets a constant"
    source = inspect.getsource(module)
    line = definition_lines(source).get(name)
    node = next(o for o in ast.parse(source).body if o.lineno == line)
    text = "\n".join(source.splitlines()[line - 1:node.end_lineno])
    return line, text, text.removeprefix(ast.get_source_segment(source, node)).strip(" #")


def public_methods(cls):
    "Public methods and properties that a class itself brings, those added by @patch too"
    def function(o): return getattr(o, "fget", None) or getattr(o, "__func__", o)
    def wanted(name, f):
        if name.startswith("_") or not inspect.isfunction(f) or f.__name__ == "<lambda>": return False
        if any(f.__dict__.get("__wrapped__", f) is vars(o).get(name) for o in cls.__mro__[1:]): return False  # torch wraps `step` when used
        return not f.__code__.co_filename.startswith("<")
    found = {k: o for k, o in vars(cls).items() if wanted(k, function(o))}
    def place(f): return f.__module__ != cls.__module__, f.__code__.co_firstlineno
    return dict(sorted(found.items(), key=lambda o: place(function(o[1]))))


def in_package(cls, other): return other.__module__.split(".")[0] == cls.__module__.split(".")[0]


def inherited_methods(cls):
    "Public methods that a class has from each base of its own package: base -> {name: method}"
    seen, found = {*public_methods(cls)}, {}
    for base in cls.__mro__[1:]:
        methods = {k: o for k, o in public_methods(base).items() if k not in seen} if in_package(cls, base) else {}
        if methods: found[base] = methods
        seen |= {*methods}
    return found


def bases_of(cls, known):
    "Bases of a class as (text, class or None): through those that `known` does not know to those that it does or of other packages"
    for node in getattr(definition(cls), "bases", []):
        try: base = eval(ast.unparse(node), vars(sys.modules[cls.__module__]))
        except NameError: base = None
        if not inspect.isclass(base) or known(base) or not in_package(cls, base): yield ast.unparse(node), base
        else: yield from bases_of(base, known)


def loop_methods(cls):
    "Methods of a callback, or of a Learner that trains, which the loop calls: name -> method"
    from minitrain.learner import Callback, Learner, TrainCB
    parts = {*public_methods(TrainCB)}
    names = parts | Learner.events if issubclass(cls, Callback) else parts if issubclass(cls, Learner) and cls is not Learner else ()
    return {k: o for k, o in public_methods(cls).items() if k in names}


def event_lines():
    "Each event of a fit, in order, with the line that the docstring of `Callback` has about it"
    from minitrain.learner import Callback
    return dict(LISTED.findall(Callback.__doc__))


LISTED = re.compile(r"^ *(\w+): (\S.*)$", re.M)


# -------------------------------------------------------------------------------------------------------------- raises

def raised(f, follow=True):
    """What a function raises by itself, or by a private helper that it calls: (error, argument or "", words), in order.

    `need(ok, "x", x, "a positive number")` is an ArgumentError about x."""
    from minitrain.core import ArgumentError
    node, found = definition(f), []
    if node is None or isinstance(node, ast.ClassDef): return []
    def const(o): return o.value if isinstance(o, ast.Constant) else ""
    for o in sorted((o for o in ast.walk(node) if isinstance(o, (ast.Call, ast.Raise))), key=lambda o: (o.lineno, o.col_offset)):
        call = o if isinstance(o, ast.Call) else o.exc if isinstance(o.exc, ast.Call) else None
        args = call.args if call else []
        if isinstance(o, ast.Raise):
            error = _value(call.func if call else o.exc, f) if o.exc else None
            if not (inspect.isclass(error) and issubclass(error, BaseException)): continue
            if error is ArgumentError and len(args) == 3: found.append((error, const(args[0]) or args[0], _words(args[2])))
            else: found.append((error, "", _words(args[0]) if args else ""))
        elif getattr(o.func, "id", "") == "need" and len(args) == 4:
            found.append((ArgumentError, const(args[1]) or args[1], _words(args[3])))
        elif follow and inspect.isfunction(helper := _value(o.func, f)) and helper.__name__.startswith("_"):
            given = dict(zip(inspect.signature(helper).parameters, map(const, args)))
            found += [(e, given.get(getattr(a, "id", ""), "") if isinstance(a, ast.AST) else a, w) for e, a, w in raised(helper, False)]
    return [(e, "" if follow and isinstance(a, ast.AST) else a, w) for e, a, w in found]


def _value(node, f):
    "What a name in a function's body stands for: a global, a method of its own class for `self._name`, else None"
    names = ast.unparse(node).split(".")
    scope = vars(sys.modules[f.__module__])
    if names[0] == "self": names[0] = f.__qualname__.split(".")[0]
    o = scope.get(names[0], getattr(builtins, names[0], None))
    for k in names[1:]: o = getattr(o, k, None)
    return o


def _words(node):
    "The text of a message, with an ellipsis for what is filled in"
    if isinstance(node, ast.Constant): return str(node.value)
    return "".join(str(o.value) if isinstance(o, ast.Constant) else "…" for o in node.values) if isinstance(node, ast.JoinedStr) else ""


# ---------------------------------------------------------------------------------------------------------- signatures

@cache
def definition(f):
    "The syntax tree of a function, or None where there is no source (a generated `__init__`)"
    try: return ast.parse(textwrap.dedent("".join(source_lines(f)[0]))).body[0]
    except (OSError, TypeError, SyntaxError): return None


def inner(o):
    "The function behind a property, a class or static method, or a decorated function"
    o = getattr(o, "fget", None) or getattr(o, "__func__", o)
    return inspect.unwrap(o) if callable(o) else o


def written_signature(f):
    """Parameters as they are written in the source: name -> (kind, type, default), with the return type under "return".

    The source says `device=def_device` where the running program would say 'cpu' here and 'cuda' elsewhere."""
    node = definition(f)
    if isinstance(node, ast.ClassDef) or node is None: return running_signature(f)
    a = node.args
    def text(o): return "" if o is None else ast.unparse(o)
    def kind_of(o): return o.value if isinstance(o, ast.Constant) and isinstance(o.value, str) else text(o)  # "Axes" in quotes
    positional = [*a.posonlyargs, *a.args]
    defaults = [None] * (len(positional) - len(a.defaults)) + a.defaults
    out = {}
    for o, d in zip(positional, defaults): out[o.arg] = ("/" if o in a.posonlyargs else "", kind_of(o.annotation), text(d))
    if a.vararg: out[a.vararg.arg] = ("*", kind_of(a.vararg.annotation), "")
    for o, d in zip(a.kwonlyargs, a.kw_defaults): out[o.arg] = ("k", kind_of(o.annotation), text(d))
    if a.kwarg: out[a.kwarg.arg] = ("**", kind_of(a.kwarg.annotation), "")
    out["return"] = ("", kind_of(node.returns), "")
    return out


def value_text(o):
    "A default as one would write it: functions and partial functions by name, other things by repr without their address"
    if isinstance(o, partial):
        options = [f"{k}={value_text(v)}" for k, v in o.keywords.items()]
        return f"partial({', '.join([value_text(o.func), *map(value_text, o.args), *options])})"
    if inspect.isroutine(o) or inspect.isclass(o): return o.__name__
    return re.sub(r" at 0x[0-9a-f]+", "", repr(o))


def running_signature(f):
    "As `written_signature`, for a callable without a `def` of its own: a dataclass or a namedtuple, whose fields are read if they can be"
    empty, kinds = inspect.Parameter.empty, {inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.VAR_KEYWORD: "**",
        inspect.Parameter.KEYWORD_ONLY: "k", inspect.Parameter.POSITIONAL_ONLY: "/"}
    fields = {o.target.id: o for o in _body(f) if isinstance(o, ast.AnnAssign)} if inspect.isclass(f) else {}
    def anno(p): return "" if p.annotation is empty else ast.unparse(fields[p.name].annotation) if p.name in fields else \
        p.annotation if isinstance(p.annotation, str) else inspect.formatannotation(p.annotation)
    def default(p): return "" if p.default is empty else ast.unparse(fields[p.name].value) if p.name in fields else \
        value_text(p.default)
    try: params = inspect.signature(f).parameters
    except (ValueError, TypeError): params = {}
    return {**{k: (kinds.get(p.kind, ""), anno(p), default(p)) for k, p in params.items()}, "return": ("", "", "")}


def parameter_docs(f):
    """What docments say of each parameter and of the return.

    fastcore's reader leaves out positional-only parameters and the fields of a namedtuple: their comments are added here."""
    if inspect.isclass(f) and hasattr(f, "_fields"): docs, nodes = {}, [o for o in _body(f) if isinstance(o, ast.AnnAssign)]
    else:
        docs = {k: v or "" for k, v in docments(f, args_kwargs=True).items()}
        f = f.__init__ if inspect.isclass(f) and not hasattr(f, "__dataclass_fields__") else f
        nodes = getattr(getattr(definition(f), "args", None), "posonlyargs", [])
    lines = textwrap.dedent("".join(source_lines(f)[0])).splitlines() if nodes else []
    for o in nodes:
        name, comment = getattr(o, "arg", None) or o.target.id, re.search(r"#\s*(.*)$", lines[o.end_lineno - 1])
        if not docs.get(name) and comment: docs[name] = comment[1]
    return docs


def _body(cls):
    "The statements of a class, empty where there is no source"
    return getattr(definition(cls), "body", [])


def signature_text(name, params, prefix="def", width=64):
    "A `def` line, or one parameter a line when that would be too long"
    parts, star, slash = [], False, [k for k, (kind, *_) in params.items() if kind == "/"]
    for k, (kind, anno, default) in params.items():
        if k == "return": continue
        if kind == "k" and not star: parts.append("*"); star = True
        if kind == "*": star = True
        label = (kind if kind in ("*", "**") else "") + k + (f": {anno}" if anno else "")
        parts.append(label + (f" = {default}" if default and anno else f"={default}" if default else ""))
        if slash and k == slash[-1]: parts.append("/")
    returns = f" -> {params['return'][1]}" if params["return"][1] else ""
    line = f"{prefix} {name}({', '.join(parts)}){returns}".strip()
    return line if len(line) <= width else f"{prefix} {name}(\n".lstrip() + "".join(f"    {o},\n" for o in parts) + f"){returns}"


def call_text(name, o):
    "How a method is called, in a line"
    params = {n: v for n, v in written_signature(inner(o)).items() if n not in ("self", "cls")}
    return name if isinstance(o, property) else signature_text(name, {**params, "return": ("", "", "")}, "", width=10**6)
