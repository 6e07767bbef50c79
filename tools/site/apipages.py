"""The reference: a page per module and an index of all names, made from the package's docments by fastcore's reader.

An entry has the signature, what it inherits, its parameters, what it raises, and the example that follows in the lesson.
"""
import inspect, re
from itertools import groupby
from textwrap import shorten

from fastcore.docments import docstring

from convert import link_names, source_link
from describe import LISTED, bases_of, call_text, constant_source, documented_names, event_lines, inherited_methods, inner, is_constant, \
    loop_methods, parameter_docs, public_methods, raised, running_signature, signature_text, source_lines, written_signature
from examples import Examples

STAR = "from minitrain.all import *"  # any example may begin with it
GROUPED = 8  # a module with as many names is divided by the sections of its lesson


# --------------------------------------------------------------------------------------------------------------- texts

def _code(text): return f"``{text}``" if text else ""  # two backticks: the name of something else is no link


def _type(text): return f"`{text}`" if text else ""


def _line(text):
    "A text as one line that begins no list, heading or quotation"
    return re.sub(r"^(\d*)([-+#>.)])(?=\s)", r"\1\\\2", " ".join((text or "").split()))


def definitions(rows):
    "A definition list in markdown: (term, description, ...) in each row; a term without a description has an empty one"
    return "\n\n".join("\n".join([term, *(f": {_line(o) or '&nbsp;'}" for o in texts)]) for term, *texts in rows)


def parameter_list(params, docs):
    "Parameters as a definition list: name, type and default in a line, below it what it is; the return last"
    def term(name, anno, default): return name + (f" {_type(anno)}" if anno else "") + (f" = {_code(default)}" if default else "")
    rows = [(term(_code({"*": "*", "**": "**"}.get(kind, "") + k), anno, default), docs.get(k))
        for k, (kind, anno, default) in params.items() if k not in ("return", "self", "cls")]
    if params["return"][1] or docs.get("return"): rows.append((term("**returns**", params["return"][1], ""), docs.get("return")))
    return definitions(rows)


def raises_list(found):
    "Errors as a definition list: which, and about what"
    rows = {}
    for error, arg, words in found:
        name = error.__name__ if error.__module__ in ("builtins", "minitrain.core") else f"{error.__module__}.{error.__name__}"
        if name == "ArgumentError": words = f"{_code(arg) or 'an argument'}: {'expected ' + words if words else 'see its message'}"
        rows.setdefault(name, {})[words] = True
    return definitions([(_type(k), *(filter(None, texts) if any(texts) else texts)) for k, texts in rows.items()])


def _listed(doc):
    "A docstring, its lines `name: text` as a definition list"
    head, *rest = doc.split("\n\n")
    return "\n\n".join([head, *(_box("methods", definitions([(_code(k), v) for k, v in LISTED.findall(o)]))
        if all(map(LISTED.match, o.splitlines())) else o for o in rest)])


def _generated_doc(o):
    "True when a class has only the docstring that Python wrote for a dataclass or a namedtuple"
    return inspect.isclass(o) and (o.__doc__ or "").startswith(f"{o.__name__}(")


def summary(o):
    "First line of a docstring; empty for constants and generated docstrings"
    if is_constant(o := inner(o)): return ""
    return "" if _generated_doc(o) else (docstring(o).splitlines() or [""])[0]


def kind_of(o):
    "What a name is, in a word"
    from minitrain.learner import Callback
    if inspect.isclass(o): return "exception" if issubclass(o, BaseException) else "callback" if issubclass(o, Callback) else "class"
    return "property" if isinstance(o, property) else "constant" if is_constant(inner(o)) else "function"


def _box(kind, text): return f":::{{div}} {kind}\n{text}\n:::" if text else ""


def _block(language, kind, text): return f"````{{code-block}} {language}\n:class: {kind}\n\n{text}\n````"


def _and(words): return ", ".join(words[:-1]) + " and " * (len(words) > 1) + words[-1]


# --------------------------------------------------------------------------------------------------------------- pages

class Reference:
    """The pages of the reference; `lessons` is (notebook, cells) in the book's order, `modules` notebook -> module.

    `front` are the cells of the front page. Making `pages` finds the examples, which `examples.mark` then gives an anchor in
    their lessons."""
    def __init__(self, cfg, lessons, modules, titles, front=()):
        self.cfg, self.modules, self.titles = cfg, modules, titles
        self.examples = Examples(lessons, modules, front)
        pages = {o.page: o for o in self.examples.lessons}
        self.lessons = {m.__name__: (n, pages[self.examples.homes[m.__name__]]) for n, m in modules.items()}
        self.names = {m.__name__: documented_names(m) for m in modules.values()}
        self.without = []  # names for which no example is found

    def pages(self):
        "File name -> markdown, names in descriptions linked to their entries"
        texts = {m.__name__.partition(".")[2]: self.module_page(m) for m in self.modules.values()} | {"index": self.index_page()}
        def lookup(name): return next((f"#{self.label(m, name)}" for m, names in self.names.items() if name in names), None)
        return {f"{k}.md": link_names(v, lookup) for k, v in texts.items()}

    def label(self, module, name): return f"api.{module.partition('.')[2]}.{name.lower()}"

    def known(self, o):
        "The label of a class's entry, or None"
        return self.label(o.__module__, o.__name__) if o.__name__ in self.names.get(o.__module__, ()) else None

    def sections(self, module):
        "Names of a module by the sections of its lesson: [(heading, names)], one without a heading for a short module"
        names, places = self.names[module.__name__], self.lessons[module.__name__][1].defined
        groups = [(k, [*o]) for k, o in groupby(names, lambda o: places.get(o, (0, ""))[1])]
        return groups if len(names) >= GROUPED and len(groups) > 1 else [("", names)]

    def module_page(self, module):
        "The page of a module: what it is for, a list of its names, an entry for each"
        notebook, lesson = self.lessons[module.__name__]
        out, shown = [f"# {module.__name__}", f"From the lesson [{self.titles[notebook]}](../{lesson.page}.ipynb). "
            f"Each example begins with `{STAR}`."], {}
        for heading, names in self.sections(module):
            rows = [(f"[`{o}`](#{self.label(module.__name__, o)})", self.about(module, o, getattr(module, o))) for o in names]
            out += [f"{{.name-group}}\n{heading}"]*bool(heading) + [_box("name-list", definitions(rows))]
        for heading, names in self.sections(module):
            out += [f"## {heading}"]*bool(heading)
            out += [self.entry(module, o, getattr(module, o), 2 + bool(heading), shown) for o in names]
        return "\n\n".join(out) + "\n"

    def about(self, module, name, obj):
        "One line: a docstring's first, a constant's source"
        if not is_constant(inner(obj)): return summary(obj)
        _, text, comment = constant_source(module, name)
        return comment or _code(shorten(text, 80, placeholder=" ..."))

    def entry(self, module, name, obj, level=2, shown=None):
        "Markdown of one name: signature, docstring, parameters, errors, example, links; for a class its methods"
        o, is_class, shown = inner(obj), inspect.isclass(obj), {} if shown is None else shown
        short, home = module.__name__.partition(".")[2], getattr(o, "__module__", None)
        home = home if home in self.lessons else module.__name__  # a method may come from a later lesson
        out = [f"```{{anchor}} {name.lower()}\n:prefix: api.{short}.\n```", f"{'#' * level} {name}"]
        example = self.example(module.__name__ if is_constant(o) else home, name, self.label(module.__name__, name), shown)
        if is_constant(o):
            line, text, _ = constant_source(module, name)
            return "\n\n".join([*out, f"```python\n{text}\n```", *example, self.links(module.__name__, line, name)])
        fields = is_class and hasattr(o, "__dataclass_fields__")
        target = o.__init__ if is_class and not fields else o
        params = running_signature(o) if is_class and (fields or "__init__" not in vars(o)) else written_signature(target)
        params = {k: v for k, v in params.items() if k not in ("self", "cls")}
        called = name.split(".")[-1]
        if isinstance(obj, property): signature = called + (f" -> {params['return'][1]}" if params["return"][1] else "")
        else: signature = signature_text(called, params, "class" if is_class else "def").removesuffix("()" if is_class else "\0")
        out.append(f"```python\n{signature}\n```")
        if not _generated_doc(o): out.append(_listed(docstring(o)))
        if is_class: out.append(self.inherits(o))
        out.append(_box("parameters", parameter_list(params, parameter_docs(o))))
        errors = raises_list(raised(getattr(o, "__post_init__", target) if fields else target))
        if errors: out += ["**Raises**", _box("raises", errors)]
        out += example
        if is_class: out += self.called(short, name, o) + self.inherited(o)
        try: line = source_lines(o)[1]
        except (OSError, TypeError): line = None
        out.append(self.links(home, line, name))
        if is_class:
            rest = [(k, m) for k, m in public_methods(o).items() if k not in loop_methods(o)]
            out += [self.entry(module, f"{name}.{k}", m, level + 1, shown) for k, m in rest]
        return "\n\n".join(filter(None, out))

    def example(self, home, name, label, shown):
        "Paragraphs with the example of a name; one that stands on the page already is linked"
        if (e := self.examples.find(home, name)) is None:
            self.without.append(f"{home}.{name}")
            return []
        first, place = shown.setdefault(e.label or name, (name, label))
        if first != name: return [f"{{.example-note}}\n**Example**: that of [`{first}`](#{place}), from [{e.place}](#{e.label})."]
        note = f"**Example** from [{e.place}](#{e.label})" if e.label else f"**Example**, to run as it is after `{STAR}`"
        seen = f"{{.example-note}}\nIt shows {e.seen}: [see the lesson](#{e.label})." if e.seen else ""
        above, (first, place) = "", shown.setdefault(e.setup, (name, label))
        if e.setup in ("", STAR): pass
        elif first != name: above = f"{{.example-note}}\nThe lines above it that it needs are those of [`{first}`](#{place})."
        else:  # plain, for it may be long
            above = ("<details class='example-setup'><summary>Lines above it that it needs, "
                f"{e.setup.count(chr(10)) + 1}</summary>\n\n{_block('text', 'example-code', e.setup)}\n\n</details>")
        return [f"{{.example-note}}\n{note}.", above, _block("python", "example-code", e.code),
            *([_block("text", "example-output", e.output)] if e.output else []), seen]

    def inherits(self, cls):
        bases = [f"[`{text}`](#{label})" if base and (label := self.known(base)) else _code(text)
            for text, base in bases_of(cls, self.known) if base is not object]
        return f"Inherits {_and(bases)}." if bases else ""

    def called(self, short, name, cls):
        "The methods that the loop calls, each with its docstring or with what the event is"
        if not (found := loop_methods(cls)): return []
        rows = [(_code(k), summary(o) or event_lines().get(k)) for k, o in found.items()]
        anchors = f"```{{anchor}} {' '.join(f'{name}.{k}'.lower() for k in found)}\n:prefix: api.{short}.\n```"
        return [anchors, "**Called by the loop**", _box("methods", definitions(rows))]

    def inherited(self, cls):
        "What a class has from its bases: links to their entries, or calls where a base has none"
        out = []
        for base, methods in inherited_methods(cls).items():
            if label := self.known(base):
                out.append(f"From [`{base.__name__}`](#{label}): " + ", ".join(f"[`{k}`](#{label}.{k.lower()})" for k in methods) + ".")
            else: out += ["**Inherited**", _box("methods", definitions([(_code(call_text(k, o)), summary(o)) for k, o in methods.items()]))]
        return out

    def links(self, home, line, name):
        "The line under an entry: the lesson that builds it, and its source"
        notebook, lesson = self.lessons[home]
        built = f"Built in [{self.titles[notebook]}](#lesson.{lesson.page}.{name.lower()}) · " if name in lesson.defined else ""
        path = f"{self.cfg['lib_path']}/{home.partition('.')[2].replace('.', '/')}.py"
        return f"{{.built}}\n{built}[source]({source_link(self.cfg, path, line)})"

    def index_page(self):
        "All names by letter: kind, module, one line"
        rows = [(name, getattr(m, name), m) for m in self.modules.values() for name in self.names[m.__name__]]
        rows += [(f"{name}.{k}", o, m) for name, cls, m in rows if inspect.isclass(cls)
            for k, o in public_methods(cls).items() if k not in loop_methods(cls)]
        rows.sort(key=lambda o: (o[0].lower(), o[0], o[2].__name__))
        letters = {k: [*o] for k, o in groupby(rows, lambda o: o[0][0].upper())}
        out = ["# All names", f"{{.subtitle}}\n{len(rows)} functions, classes and methods, each in a line.",
            "{.letters}\n" + " ".join(f"[{k}](#names-{k.lower()})" for k in letters)]
        for letter, found in letters.items():
            def kind(name, o): return "method" if "." in name and kind_of(o) == "function" else kind_of(o)
            def home(m): return f"[{(short := m.__name__.partition('.')[2])}]({short}.md)"
            dl = [(f"[`{name}`](#{self.label(m.__name__, name)})", self.about(m, name, o), f"{kind(name, o)} of {home(m)}")
                for name, o, m in found]
            out += [f"(names-{letter.lower()})=\n## {letter}", _box("name-list", definitions(dl))]
        return "\n\n".join(out) + "\n"
