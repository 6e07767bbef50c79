"""The rendered site: links, anchors, pictures and code by reading docs/; console, requests, maths, search and layout in a browser.

The browser tests skip where Chromium is missing, unless MINITRAIN_BROWSER=required makes that a failure.
"""
import importlib, os, re, subprocess, sys
from functools import cache
from urllib.parse import unquote, urljoin, urlsplit

import pytest
from bs4 import BeautifulSoup

from conftest import ROOT

sys.path[:0] = [str(ROOT/"tools"), str(ROOT/"tools"/"site")]
import build_site, convert  # noqa: E402

DOCS = ROOT/"docs"
PAGES = sorted(p.relative_to(DOCS).as_posix() for p in DOCS.rglob("*.html"))
CFG = build_site.settings()
NOTEBOOKS = sorted(p for p in (ROOT/"nbs").glob("*.ipynb") if not p.name.startswith("5"))


@cache
def soup(page):
    return BeautifulSoup((DOCS/page).read_text(encoding="utf-8"), "html.parser")


@cache
def ids(page):
    return {o["id"] for o in soup(page).find_all(id=True)} | {o["name"] for o in soup(page).find_all("a", attrs={"name": True})}


# --------------------------------------------------------------------------------------------------- the files of docs/

def test_every_notebook_and_module_has_its_page():
    lessons = {convert.page_name(p) + ".html" for p in NOTEBOOKS}
    modules = {f"api/{m}.html" for p in NOTEBOOKS if (m := build_site.module_of(build_site.read_notebook(p)))}
    assert set(PAGES) - {"search.html", "exercises.html", "404.html", "api/index.html"} == lessons | modules


def test_every_exercise_is_listed_and_no_solution_is_shown():
    "All exercises on one page, each with a link; no code of a check or of a solution on any page"
    from minitrain.exercises.start import solution
    names = re.findall(r"^def (check_\w+)", "\n".join(p.read_text(encoding="utf-8") for p in (ROOT/"minitrain"/"exercises").glob("*.py")), re.M)
    rows = soup("exercises.html").select("tbody tr")
    assert len(rows) == len(names) > 70
    minutes = sum(int(re.search(r"(\d+) min", o.get_text())[1]) for o in rows)
    assert f"{len(rows)} exercises, about {minutes/60:.1f} hours" in soup("exercises.html").get_text()
    for o in rows: assert o["class"][0].removeprefix("mt-") in o.select("td")[3].get_text() and o.select("td")[1].get_text(), o
    texts = {p: re.sub(r"\s+", " ", soup(p).get_text()) for p in PAGES}
    for name in names:
        code = re.sub(r"\s+", " ", "".join(str(solution(name)).splitlines(keepends=True)[1:])).strip()
        for p, text in texts.items(): assert f"def {name}" not in text and (len(code) < 40 or code not in text), (p, name)
    assert (DOCS/".nojekyll").exists()


def broken_links(page, text=None):
    "Internal links of a page that lead nowhere: (target, why)"
    tree = BeautifulSoup(text, "html.parser") if text is not None else soup(page)
    for o in tree.find_all(["a", "link", "script", "img"]):
        target = o.get("href") or o.get("src")
        if not target or target == "#" or re.match(r"[a-z]+:|//", target): continue
        parts = urlsplit(urljoin(f"/{page}", target.removeprefix(CFG["doc_baseurl"]) if page == "404.html" else target))
        path = unquote(parts.path).lstrip("/") or "index.html"
        if not (DOCS/path).is_file(): yield target, "no such file"
        elif o.name == "a" and parts.fragment and path.endswith(".html"):
            here = {i["id"] for i in tree.find_all(id=True)} if text is not None and path == page else ids(path)
            if unquote(parts.fragment) not in here: yield target, "no such anchor"


@pytest.mark.parametrize("page", PAGES)
def test_internal_links_and_anchors(page):
    assert list(broken_links(page)) == []


def test_the_link_test_can_fail():
    html = '<a href="nowhere.html">a</a><a href="#nothing">b</a><a href="index.html#nothing">c</a><img src="no.png"><a href="index.html">d</a>'
    found = [why for _, why in broken_links("index.html", html)]
    assert found == ["no such file", "no such anchor", "no such anchor", "no such file"]


@pytest.mark.parametrize("page", PAGES)
def test_nothing_from_another_host(page):
    "No script, style, picture or font is taken from elsewhere"
    found = [o.get("src") or o.get("href") for o in soup(page).find_all(["script", "link", "img", "iframe"]) if o.get("rel") != ["canonical"]]
    assert [o for o in found if o and re.match(r"(https?:)?//", o)] == []


@pytest.mark.parametrize("page", PAGES)
def test_one_title_and_pictures_with_words(page):
    assert len(soup(page).find_all("h1")) == 1
    for o in soup(page).find("main").find_all("img"):
        alt = o.get("alt", "")
        assert len(alt.split()) >= 4 and not alt.endswith(".png"), f"{o.get('src')}: say in `#| fig-alt:` what the picture shows"
    for o in soup(page).find("main").select("svg[role=img]"):
        words = o.get("aria-label") or o.title.get_text()
        assert len(words.split()) >= 3, "say in `#| fig-alt:` what the figure shows"


def shown_code(path):
    "The code cells of a notebook that its page shows, as text"
    for cell in build_site.read_notebook(path):
        if cell["cell_type"] != "code": continue
        options, code = convert.split_options(cell["source"])
        if not convert.is_hidden(options, code) and options.get("echo") != "false": yield code


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_code_is_shown_as_it_is(path):
    "What the copy button copies is the cell's code, letter for letter, without its options"
    found = [o.get_text() for o in soup(convert.page_name(path) + ".html").select("div.cell_input pre")]
    assert [o.strip() for o in found] == [o.strip() for o in shown_code(path)]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_open_in_colab(path):
    "Each lesson opens the notebook of the repository named in settings.ini"
    links = [o["href"] for o in soup(convert.page_name(path) + ".html").select("a.lesson-link") if "Colab" in o.get_text()]
    repo = CFG["git_url"].removeprefix("https://github.com/")
    want = f"https://colab.research.google.com/github/{repo}/blob/{CFG['branch']}/nbs/{path.name}"
    assert links == ([want] if build_site.module_of(build_site.read_notebook(path)) else [])


def test_every_public_name_has_its_entry():
    "The reference describes each name, and leads back to the lesson's cell that builds it"
    for path in NOTEBOOKS:
        if not (module := build_site.module_of(build_site.read_notebook(path))): continue
        loaded = importlib.import_module(f"minitrain.{module}")
        names = {*loaded.__all__}
        page = f"api/{module}.html"
        assert {o.lower() for o in names} <= ids(page)
        back = {o["href"] for o in soup(page).select("p.built a")}
        for name in names: assert any(re.fullmatch(rf"\.\./{convert.page_name(path)}\.html#{re.escape(name.lower())}(-code)?", o) for o in back), name


def test_rendered_again_is_the_same_to_the_byte():
    """docs/, rendered by another process at another time, and a rendering with a fixed hash seed, another time zone and an empty
    SOURCE_DATE_EPOCH: the pages are in step with the notebooks, and depend on nothing else"""
    command = [sys.executable, str(ROOT/"tools"/"build_site.py"), "--check"]
    env = dict(os.environ, PYTHONHASHSEED="2", SOURCE_DATE_EPOCH="", TZ="Asia/Tokyo")
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, f"run make docs\n{done.stdout}{done.stderr}"


def test_a_difference_between_two_renderings_is_seen(tmp_path):
    "The control: a page that changed, one that is missing and one too many are named, and made equal again"
    pages = {"a/index.html": "one", "a/softmax.html": "two", "a/api/core.html": "three", "b/index.html": "changed", "b/api/core.html": "three",
        "b/old/page.html": "four"}
    for path, text in pages.items():
        (tmp_path/path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path/path).write_text(text)
    a, b, want = tmp_path/"a", tmp_path/"b", ["index.html", "old/page.html", "softmax.html"]
    assert build_site.differences(a, b) == want == build_site.mirror(a, b)
    assert build_site.differences(a, b) == [] and not (b/"old").exists() and (b/"softmax.html").read_text() == "two"


# --------------------------------------------------------------------------------------------------------- in a browser

@pytest.mark.parametrize("page", ["index.html", "start.html", "softmax.html", "api/core.html"])
def test_dark(tab, base, page):
    "A reader who prefers dark gets dark: light letters on a dark page, and code too"
    light = """(s => (c => .299*c[0] + .587*c[1] + .114*c[2])(getComputedStyle(document.querySelector('%s')).%s.match(/[\\d.]+/g).map(Number)))()"""
    for dark in (True, False):
        tab.window(1280, dark=dark)
        tab.open("about:blank")
        assert tab.visit(f"{base}/{page}") == []
        assert tab.js("document.documentElement.dataset.theme") == ("dark" if dark else "light")
        for part in ("body", "article p", "article div.highlight pre"):
            ink = tab.js(light % (part, "color"))
            assert ink > 150 if dark else ink < 110
        assert (tab.js(light % ("body", "backgroundColor")) < 60) == dark


def test_folded_cells_and_copy_buttons(tab, base):
    tab.window(1280)
    tab.visit(f"{base}/softmax.html")
    assert tab.js("document.querySelector('details.hide').open") is False
    tab.js("document.querySelector('details.hide summary').click()")
    assert tab.js("document.querySelector('details.hide pre').offsetHeight") > 0
    cells = tab.js("document.querySelectorAll('div.cell_input div.highlight').length")
    assert tab.wait("document.querySelectorAll('div.cell_input button.copybtn').length") == cells
