"A Sphinx directive that sets anchors with exact ids, dots and underscores kept, as nbdev's own links expect them"
from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.util.docutils import SphinxDirective


class Anchor(SphinxDirective):
    """```{anchor} rundir rundir.log``` sets the ids `rundir` and `rundir.log`; with `:prefix: lesson.core.` any page can link to them
    as `#lesson.core.rundir` and `#lesson.core.rundir.log`. Where a heading above has the id already, the anchor is `rundir-code`;
    of names that differ by their capitals alone, such as a class and a function, the first has the anchor"""
    required_arguments, optional_arguments, final_argument_whitespace = 1, 0, True
    option_spec = dict(prefix=directives.unchanged_required)

    def run(self):
        def unused(o): return f"{o}-code" if o in self.state.document.ids else o
        names = {o: self.options["prefix"] + o for o in self.arguments[0].split()}
        out = [nodes.target("", "", ids=[unused(o)], names=[name]) for o,name in names.items() if name not in self.state.document.nameids]
        for o in out: self.state.document.note_explicit_target(o, o)
        return out


def setup(app):
    app.add_directive("anchor", Anchor)
    return dict(version="1", parallel_read_safe=True, parallel_write_safe=True)
