"Sphinx's settings for the site. Everything the pages need lies in tools/site/_static or in the theme: no other host is asked"
import re, sys
from configparser import ConfigParser
from functools import cache
from pathlib import Path

from pygments.formatters import HtmlFormatter
from sphinx.highlighting import PygmentsBridge

here = Path(__file__).parent
sys.path.insert(0, str(here))

cfg = ConfigParser(delimiters=["="])
cfg.read(here.parents[1]/"settings.ini", encoding="utf-8")
cfg = cfg["DEFAULT"]

project, author, copyright = cfg["title"], cfg["author"], cfg["copyright"]
version = release = cfg["version"]
extensions = ["myst_nb", "sphinx_copybutton", "sphinx_design", "sphinx_togglebutton", "anchors", "maths"]
root_doc, language = "index", "en"

nb_execution_mode = "off"
nb_render_markdown_format = "myst"
smartquotes = False
myst_enable_extensions = ["dollarmath", "amsmath", "colon_fence", "attrs_inline", "attrs_block", "deflist", "tasklist",
    "html_image", "fieldlist"]
myst_dmath_allow_digits = False
myst_heading_anchors = 4
myst_heading_slug_func = "convert.slug"
html_math_renderer = "mathml"
copybutton_exclude = ".linenos, .gp, .go"
copybutton_selector = "div.cell_input div.highlight pre, div.highlight-python pre, div.highlight-bash pre, .example-setup pre"

templates_path = ["_templates"]
html_theme = "sphinx_book_theme"
html_title = cfg["title"]
html_static_path = ["_static"]
html_css_files = ["site.css", "maths.css", "icons.css", "search.css", "front.css", "reference.css"]
html_js_files = ["site.js", "search.js"]
html_additional_pages = {"search": "search.html", "404": "404.html"}
html_favicon = "_static/favicon.svg"
html_copy_source = False
html_show_sourcelink = False
html_last_updated_fmt = None
html_domain_indices = False
html_use_index = False
html_context = {"default_mode": "auto"}
html_theme_options = dict(
    repository_url=cfg["git_url"], repository_branch=cfg["branch"], use_repository_button=True, use_download_button=False,
    use_fullscreen_button=False, navbar_persistent=[], show_toc_level=2, home_page_in_toc=False, show_navbar_depth=1,
    pygments_light_style="github-light-high-contrast", pygments_dark_style="github-dark")


class LineFormatter(HtmlFormatter):
    "Each line of code in a block that knows its indent, so that a long line goes on under itself (see site.css)"
    def wrap(self, source):
        def lines():
            for kind, text in source:
                if kind != 1: yield kind, text; continue
                plain = re.sub(r"<[^>]*>", "", text)
                indent = len(plain) - len(plain.lstrip(" "))
                style = f' style="--indent:{indent}"' if indent else ""
                yield 1, f'<span class="line"{style}>{text}</span>'
        return super().wrap(lines())

    @staticmethod
    @cache
    def _classes(style):
        made = HtmlFormatter(style=style)
        return made.ttype2class, made.class2style

    def _create_stylesheet(self):
        "Once for a style, and not for each block of code"
        self.ttype2class, self.class2style = self._classes(self.style)


PygmentsBridge.html_formatter = LineFormatter
