"""One page of reference per module, made from the package's own docments by fastcore's and nbdev's readers."""
import ast, inspect, re, textwrap
from types import ModuleType

from fastcore.docments import docments, docstring

from convert import slug, source_link


# --------------------------------------------------------------------------------------------- what a module documents

def documented_names(module):
    "Public names of a module, its `__all__`, in the order of their definition"
    names = list(module.__all__)
    lines = definition_lines(inspect.getsource(module))
    return sorted(dict.fromkeys(names), key=lambda o: lines.get(o, 0))


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


def public_methods(cls):
    "Methods and properties that a class itself brings, those added by @patch too: public ones, and special ones with a docstring"
    def wanted(name, o):
        f = getattr(o, "fget", None) or getattr(o, "__func__", o)
        if not inspect.isfunction(f) or name == "__init__" or f.__name__ == "<lambda>" or f.__code__.co_filename.startswith("<"): return False
        return not name.startswith("_") or (name.startswith("__") and bool(f.__doc__))
    found = {k: o for k, o in vars(cls).items() if wanted(k, o)}
    def line(o): return (getattr(o, "fget", None) or getattr(o, "__func__", o)).__code__.co_firstlineno
    return dict(sorted(found.items(), key=lambda kv: line(kv[1])))


def inherited_methods(cls):
    "Public methods that a class has from private bases of its own package, which have no entry themselves"
    own, found = public_methods(cls), {}
    for base in cls.__mro__[1:]:
        if base.__name__.startswith("_") and base.__module__.split(".")[0] == cls.__module__.split(".")[0]:
            found = {**public_methods(base), **found}
    return {k: o for k, o in found.items() if k not in own}


# ---------------------------------------------------------------------------------------------------------- signatures

def _definition(f):
    "The syntax tree of a function, or None where there is no source (a generated `__init__`)"
    try: return ast.parse(textwrap.dedent(inspect.getsource(f))).body[0]
    except (OSError, TypeError, SyntaxError): return None


def _inner(o):
    "The function behind a property, a class or static method, or a decorated function"
    o = getattr(o, "fget", None) or getattr(o, "__func__", o)
    return inspect.unwrap(o) if callable(o) else o


def written_signature(f):
    """Parameters as they are written in the source: name -> (kind, type, default), with the return type under "return".

    The source says `device=def_device` where the running program would say 'cpu' here and 'cuda' elsewhere."""
    node = _definition(f)
    if isinstance(node, ast.ClassDef) or node is None: return _running_signature(f)
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


def _running_signature(f):
    "As `written_signature`, for a callable without a `def` of its own: a dataclass or a namedtuple, whose fields are read if they can be"
    empty, kinds = inspect.Parameter.empty, {inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.VAR_KEYWORD: "**",
        inspect.Parameter.KEYWORD_ONLY: "k", inspect.Parameter.POSITIONAL_ONLY: "/"}
    fields = {o.target.id: o for o in _body(f) if isinstance(o, ast.AnnAssign)} if inspect.isclass(f) else {}
    def anno(p): return "" if p.annotation is empty else ast.unparse(fields[p.name].annotation) if p.name in fields else \
        p.annotation if isinstance(p.annotation, str) else inspect.formatannotation(p.annotation)
    def default(p): return "" if p.default is empty else ast.unparse(fields[p.name].value) if p.name in fields else \
        re.sub(r" at 0x[0-9a-f]+", "", repr(p.default))
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
        nodes = getattr(getattr(_definition(f), "args", None), "posonlyargs", [])
    lines = textwrap.dedent(inspect.getsource(f)).splitlines() if nodes else []
    for o in nodes:
        name, comment = getattr(o, "arg", None) or o.target.id, re.search(r"#\s*(.*)$", lines[o.end_lineno - 1])
        if not docs.get(name) and comment: docs[name] = comment[1]
    return docs


def _body(cls):
    "The statements of a class, empty where there is no source"
    return getattr(_definition(cls), "body", [])


def signature_text(name, params, prefix="def", width=92):
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


# --------------------------------------------------------------------------------------------------------------- pages

def _code(text): return f"`{text}`".replace("|", r"\|") if text else ""


def _cell(text): return " ".join(text.split()).replace("|", r"\|")


def parameter_table(params, docs):
    "A markdown table of parameters: name, type, default, what it is; the return last. Empty columns are left out"
    rows = [(_code({"*": "*", "**": "**"}.get(kind, "") + k), _code(anno), _code(default), _cell(docs.get(k) or ""))
        for k, (kind, anno, default) in params.items() if k not in ("return", "self", "cls")]
    if params["return"][1] or docs.get("return"): rows.append(("**returns**", _code(params["return"][1]), "", _cell(docs.get("return") or "")))
    if not rows: return ""
    head = ("Parameter", "Type", "Default", "What it is")
    keep = [i for i in range(4) if i in (0, 3) or any(o[i] for o in rows)]
    def line(o): return "| " + " | ".join(o[i] or " " for i in keep) + " |"
    return "\n".join([line(head), "|" + "---|" * len(keep), *map(line, rows)])


def entry(cfg, module, name, obj, level=2, lesson=None):
    """Markdown of one name: heading, signature, docstring, parameters, links to its lesson and source; for a class its methods.

    `lesson` is a function from a dotted name to (label, title) of the place that builds it, or None."""
    inner = _inner(obj)
    out = [f"```{{anchor}} {name.lower()}\n:prefix: api.{module.__name__.partition('.')[2]}.\n```", f"{'#' * level} {name}".replace("__", r"\_\_")]
    where = f"{cfg['lib_path']}/{module.__name__.partition('.')[2].replace('.', '/')}.py"
    if not callable(inner):  # a constant: the line that sets it
        line = definition_lines(inspect.getsource(module)).get(name)
        text = next(ast.get_source_segment(inspect.getsource(module), o) for o in ast.parse(inspect.getsource(module)).body
            if o.lineno == line)
        return "\n\n".join([*out, f"```python\n{text}\n```", _links(cfg, where, line, name, lesson)])
    target = inner.__init__ if inspect.isclass(inner) and not hasattr(inner, "__dataclass_fields__") else inner
    has_init = inspect.isclass(inner) and "__init__" in vars(inner) and not hasattr(inner, "__dataclass_fields__")
    params = written_signature(target) if has_init or not inspect.isclass(inner) else _running_signature(inner)
    params = {k: v for k, v in params.items() if k not in ("self", "cls")}
    prefix = "class" if inspect.isclass(inner) else "property" if isinstance(obj, property) else "def"
    shown = name.split(".")[-1] if prefix != "class" else name
    signature = f"{shown}" + (f" -> {params['return'][1]}" if params["return"][1] else "") if prefix == "property" else \
        signature_text(shown, params, prefix if prefix == "class" else "def")
    out.append(f"```python\n{signature}\n```")
    if doc := ("" if _generated_doc(inner) else docstring(inner)): out.append(doc)
    if table := parameter_table(params, parameter_docs(inner)): out.append(table)
    try: line = inspect.getsourcelines(inner)[1]
    except (OSError, TypeError): line = definition_lines(inspect.getsource(module)).get(name.split(".")[0])
    out.append(_links(cfg, where, line, name, lesson))
    if inspect.isclass(inner):
        if more := inherited_methods(inner): out.append(_method_table(more))
        out += [entry(cfg, module, f"{name}.{k}", o, level + 1, lesson) for k, o in public_methods(inner).items()]
    return "\n\n".join(out)


def _method_table(methods):
    "A table of methods: how each is called, what it does"
    def call(k, o):
        params = {n: v for n, v in written_signature(_inner(o)).items() if n not in ("self", "cls")}
        return k if isinstance(o, property) else signature_text(k, {**params, "return": ("", "", "")}, "", width=10**6)
    rows = [f"| {_code(call(k, o))} | {_cell(_summary(_inner(o)))} |" for k, o in methods.items()]
    return "\n".join(["| Inherited | What it does |", "|---|---|", *rows])


def _generated_doc(o):
    "True when a class has only the docstring that Python wrote for a dataclass or a namedtuple"
    return inspect.isclass(o) and (o.__doc__ or "").startswith(f"{o.__name__}(")


def _links(cfg, path, line, name, lesson):
    "The line under an entry: the lesson that builds it, and its source"
    built = lesson(name) if lesson else None
    return "{.built}\n" + (f"Built in [{built[1]}](#{built[0]}) · " if built else "") + f"[source]({source_link(cfg, path, line)})"


def api_page(cfg, module, title_link, lesson):
    "The page of a module: what it is for, a list of its names, an entry for each"
    short = module.__name__.partition(".")[2]
    names = documented_names(module)
    rows = [f"| [`{o}`](#api.{short}.{o.lower()}) | {_cell(_summary(getattr(module, o)))} |" for o in names]
    head = [f"# {module.__name__}", f"From the lesson {title_link}." if title_link else "", "| Name | What it is |\n|---|---|\n" + "\n".join(rows)]
    return "\n\n".join([*(o for o in head if o), *(entry(cfg, module, o, getattr(module, o), lesson=lesson) for o in names)]) + "\n"


def _summary(o):
    "First line of a docstring; empty for constants and generated docstrings"
    if not callable(o): return "A constant"
    if _generated_doc(o): return ""
    return (docstring(o).splitlines() or [""])[0]
