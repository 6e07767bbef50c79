"""The lines above a cell that it needs: a slice of the notebook, from the names that the cell reads back to where they are made.

A statement belongs to it when it binds a name that is needed, or may change what one holds: an item or attribute is set, a
method is called for its effect, a function that does more than show gets it. What a called function changes out of sight is lost.
"""
import ast, builtins, re, symtable
from functools import cache
from typing import NamedTuple

_DEFS = ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef
_LOOKS = re.compile("print|display|show|test_|assert_|check|diagram|widget|solution")
_BUILTINS = {*dir(builtins)}
_SEEDS = re.compile(r"(set_seed|torch\.manual_seed)\(")


class Statement(NamedTuple):
    "One statement, or several that share a line"
    cell: int
    text: str
    binds: set
    changes: set
    loads: set  # names that it reads before it binds them
    exported: bool
    defines: bool  # a function or a class, and nothing else
    aliases: dict  # name -> the line that imports it, of an import


@cache
def statements(code, cell=0, exported=False):
    "The statements at the top of a cell's code, in order"
    lines, groups, out = code.splitlines(), [], []
    for node in ast.parse(code).body:
        first = min([node.lineno, *(o.lineno for o in getattr(node, "decorator_list", ()))])
        if groups and first <= groups[-1][1]: groups[-1] = (groups[-1][0], node.end_lineno, [*groups[-1][2], node])
        else: groups.append((first, node.end_lineno, [node]))
    for first, last, nodes in groups:
        binds, changes, loads, aliases = set(), set(), set(), {}
        for o in nodes:
            made, read = _names(o)
            loads |= read - binds
            binds |= made
            changes |= _changed(o)
            if isinstance(o, (ast.Import, ast.ImportFrom)):
                head = f"from {'.' * o.level}{o.module or ''} " if isinstance(o, ast.ImportFrom) else ""
                aliases |= {(a.asname or a.name).split(".")[0]: f"{head}import {ast.unparse(a)}" for a in o.names if a.name != "*"}
        out.append(Statement(cell, "\n".join(lines[first - 1:last]), binds | {*aliases}, changes, loads, exported,
            all(isinstance(o, _DEFS) for o in nodes), aliases))
    return out


def _names(node):
    "Names that a statement binds at its top, and those that it reads from elsewhere"
    code = re.sub(r"\bawait ", "", ast.unparse(node))
    top = symtable.symtable(code, "", "exec")
    binds = {o.get_name() for o in top.get_symbols() if o.is_assigned() or o.is_imported()}
    simple = isinstance(node, (ast.Assign, ast.AnnAssign, ast.AugAssign, ast.Expr))  # whatever else binds a name reads it later
    loads = {o.get_name() for o in top.get_symbols() if o.is_referenced() and (simple or o.get_name() not in binds)}
    nodes = [*ast.walk(node)]
    aug = [o.target for o in nodes if isinstance(o, ast.AugAssign) and isinstance(o.target, ast.Name)]
    made = {o.id for o in nodes if isinstance(o, ast.Name) and isinstance(o.ctx, ast.Store) and o not in aug}
    loads |= {o.id for o in aug if o.id in binds} - made
    inside = [*top.get_children()]
    for o in inside:
        inside += o.get_children()
        loads |= {k for k in (s.get_name() for s in o.get_symbols() if s.is_global()) if k not in binds}
    return binds, loads - _BUILTINS


def _changed(node):
    "Names whose objects a statement may change"
    out = set()
    for o in ast.walk(node) if not isinstance(node, _DEFS) else ():
        if isinstance(o, (ast.Attribute, ast.Subscript)) and not isinstance(o.ctx, ast.Load): out.add(_root(o))
        if not (isinstance(o, ast.Expr) and isinstance(call := o.value, ast.Call)): continue
        if isinstance(call.func, ast.Attribute): out.add(_root(call.func))
        elif not _LOOKS.match(getattr(call.func, "id", "")): out |= {_root(a) for a in call.args}
    return out - {None}


def _root(node):
    "The variable to which an attribute, an item or what a method returns belongs, or None"
    while isinstance(node, (ast.Attribute, ast.Subscript, ast.Call, ast.Starred)):
        node = node.func.value if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) else getattr(node, "value", None)
    return node.id if isinstance(node, ast.Name) else None


def setup(before, code, home, public):
    """The lines that `code` needs before it, as (text, names that nothing makes).

    `before` are the statements above it, `home` is the module that the exported ones among them go into, `public` gives the
    module from which a public name is imported."""
    own, whole = set(), statements(code)
    need, made = set(), set().union(*(o.binds for o in whole))
    for o in whole:
        need |= o.loads - (made if o.defines else own)  # a function may use what comes after it
        own |= o.binds
    if "from minitrain.all import *" in code: need -= {k for k, module in public.items() if module == "minitrain.all"}
    imported = {k for o in before for k in o.aliases}
    imports, chosen, lines = {}, [], set()
    def bring(name, module): imports.setdefault(module, set()).add(name)
    for o in reversed(before):
        if o.exported or o.aliases:
            for name in o.binds & need:
                line = o.aliases.get(name, "from minitrain.")
                if not line.startswith("from minitrain."): lines.add(line)
                else:  # a name of the experiments may be one of a lesson too
                    module = line.split()[1] if o.aliases else home
                    bring(name, module if "experiments" in module else public.get(name, module))
            need -= o.binds
        elif o.binds & need or o.changes & need - imported or chosen and chosen[-1].cell == o.cell and _SEEDS.match(o.text):
            chosen.append(o)
            need = (need - o.binds) | o.loads
    for name in need & {*public}: bring(name, public[name])
    lines = sorted(lines, key=lambda o: (o.startswith("from"), o)) + ["from minitrain.all import *"]*("minitrain.all" in imports)
    lines += [f"from {k} import {', '.join(sorted(v))}" for k, v in sorted(imports.items()) if k != "minitrain.all"]
    return "\n".join([*lines, *[""]*bool(chosen), *(o.text for o in reversed(chosen))]).strip(), sorted(need - {*public})
