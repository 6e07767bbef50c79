"What every page of docs/ says to search engines and to those who link to it, what it weighs, and its mathematics."
import gzip, json, re, sys
from functools import cache
from urllib.parse import unquote, urljoin, urlsplit
from xml.etree import ElementTree

import pytest

import chromium
from conftest import ROOT

sys.path[:0] = [str(ROOT/"tools"), str(ROOT/"tools"/"site"), str(ROOT/"bench")]
import build_site, convert, maths, pages  # noqa: E402
from weight import without_figures  # noqa: E402

DOCS = ROOT/"docs"
PAGES = sorted(p.relative_to(DOCS).as_posix() for p in DOCS.rglob("*.html"))
CFG = build_site.settings()
SITE = CFG["doc_host"] + CFG["doc_baseurl"]
LESSONS = {convert.page_name(p): p for p in sorted((ROOT/"nbs").glob("[0-4]*.ipynb"))}


def head(page):
    "The head of a page as text, and its metadata as a dict"
    text = (DOCS/page).read_text(encoding="utf-8").partition("</head>")[0]
    tags = [dict(re.findall(r'([\w:]+)="([^"]*)"', o)) for o in re.findall(r"<meta [^>]*>", text)]
    return text, {o.get("property") or o.get("name"): o["content"] for o in tags if "content" in o}


@pytest.mark.parametrize("page", [o for o in PAGES if o != "404.html"])
def test_metadata(page):
    text, meta = head(page)
    for o in ("description", "og:title", "og:description", "og:type", "og:url", "og:image", "twitter:card"): assert meta[o], o
    canonical = re.findall(r'<link rel="canonical" href="([^"]*)"', text)
    assert canonical == [meta["og:url"]] == [f"{SITE}/" + ("" if page == "index.html" else page)]
    assert (DOCS/meta["og:image"].removeprefix(f"{SITE}/")).is_file()
    assert text.count('name="viewport"') == text.count('name="description"') == text.count("<title>") == 1


def test_titles():
    "Each page has a title of its own; a lesson's begins with its number, the front page's says what the book is"
    titles = {o: re.search("<title>(.*?)</title>", head(o)[0])[1] for o in PAGES}
    assert len(set(titles.values())) == len(titles)
    for page, path in LESSONS.items():
        if page + ".html" in titles: assert titles[page + ".html"].startswith(path.name[:2] + " ")
    assert titles["index.html"].startswith("minitrain: ") and len(titles["index.html"]) > 30


@pytest.mark.parametrize("page", LESSONS)
def test_lesson_for_machines(page):
    "A learning resource with minutes or at least a description, its markdown with the notebook's code, download and report links"
    text = (DOCS/f"{page}.html").read_text(encoding="utf-8")
    found = json.loads(re.search(r'<script type="application/ld\+json">(.*?)</script>', text, re.S)[1])
    assert found["@type"] == "LearningResource" and found["description"] and found["url"] == f"{SITE}/{page}.html"
    written = (DOCS/f"{page}.md").read_text(encoding="utf-8")
    for cell in build_site.read_notebook(LESSONS[page]):
        if cell["cell_type"] != "code": continue
        options, code = convert.split_options(cell["source"])
        if not convert.is_hidden(options, code) and options.get("echo") != "false" and "show_doc(" not in code: assert code in written
    links = dict(re.findall(r'href="([^"]*)"[^>]*>(?:<span[^>]*>)?(Download \.ipynb|Report an error)<', text))
    links = {v: unquote(k.replace("&amp;", "&")) for k, v in links.items()}
    if "Open in Colab" in text:
        assert links["Download .ipynb"].startswith(CFG["git_url"]) and links["Download .ipynb"].endswith(f"nbs/{LESSONS[page].name}")
        assert links["Report an error"].startswith(f"{CFG['git_url']}/issues/new?title={LESSONS[page].name[:2]} ")


def test_site_map_and_lists():
    found = [o.text for o in ElementTree.parse(DOCS/"sitemap.xml").iter("{http://www.sitemaps.org/schemas/sitemap/0.9}loc")]
    assert sorted(found) == sorted(f"{SITE}/" + ("" if o == "index.html" else o) for o in PAGES if o not in ("search.html", "404.html"))
    assert f"Sitemap: {SITE}/sitemap.xml" in (DOCS/"robots.txt").read_text()
    links = re.findall(rf"\({re.escape(SITE)}/([^)]*)\)", (DOCS/"llms.txt").read_text(encoding="utf-8"))
    assert {f"{o}.md" for o in LESSONS} <= set(links) and all((DOCS/o).is_file() for o in links)
    assert (DOCS/"objects.inv").is_file()


def test_the_page_for_lost_readers_works_at_any_depth(tab, tmp_path):
    (tmp_path/CFG["doc_baseurl"].strip("/")).symlink_to(DOCS)
    deep = tmp_path/"some"/"where"
    deep.mkdir(parents=True)
    (deep/"lost.html").write_text((DOCS/"404.html").read_text(encoding="utf-8"), encoding="utf-8")
    with chromium.serve(tmp_path) as base:
        tab.window(1280)
        tab.open(f"{base}/some/where/lost.html")
        assert tab.problems == []
        links = tab.js("[...document.querySelectorAll('main a')].map(o => o.href)")
    assert f"{base}{CFG['doc_baseurl']}/index.html" in links


# ------------------------------------------------------------------------------------------------------------- weight

def linked(page, text):
    "Paths of the styles and scripts that a page asks for"
    found = re.findall(r'<link [^>]*?href="([^"]*\.css[^"]*)"', text) + re.findall(r'<script [^>]*?src="([^"]*)"', text)
    return {urlsplit(urljoin(f"/{page}", o)).path.lstrip("/") for o in found}


@cache
def weight(path): return len(gzip.compress((DOCS/path).read_bytes()))


@pytest.mark.parametrize("page", [o for o in PAGES if o != "404.html"])
def test_weight(page):
    "At most 350 KB compressed without figures, styles, scripts and the font of the formulas included; scripts wait"
    text = (DOCS/page).read_text(encoding="utf-8")
    size = len(gzip.compress(without_figures(text).encode())) + sum(map(weight, linked(page, text)))
    if "<math" in text: size += (DOCS/"_static"/"stix-two-math.woff2").stat().st_size
    assert size <= 350_000
    for o in re.findall(r"<script[^>]*\bsrc=[^>]*>", text): assert "defer" in o
    for o in re.findall(r"<img [^>]*>", text):
        if 'src="data:' not in o and '.svg"' not in o: assert re.search(r' width="\d+" height="\d+"', o), o


def test_the_folder_is_light():
    "At most 15 MB, no file twice, and nothing that no page asks for"
    files = [o for o in DOCS.rglob("*") if o.is_file()]
    assert sum(o.stat().st_size for o in files) <= 15e6
    contents = [o.read_bytes() for o in files if o.stat().st_size > 0]
    assert len(set(contents)) == len(contents)
    assert not [o for o in files if re.search("mathjax|fontawesome.js$|fa-.*woff2", o.as_posix())]


def test_finishing_a_page():
    "Pure steps on a small page: what they change, and what they leave alone"
    text = pages.light('<head><meta name="viewport" content="a"><meta name="viewport" content="b"><script src="_static/doctools.js"></script>'
        '<script src="a.js"></script><script>x</script></head><pre><span class="p">(</span><span class="nb">y</span></pre><a class="reference internal" href="#"><code><span class="pre">z</span></code></a>', "")
    assert text == '<head><meta name="viewport" content="a"><script defer src="a.js"></script><script>x</script></head><pre>(<span class="nb">y</span></pre><a href="#"><code>z</code></a>'
    assert pages.close_together("<p>\n\n   a\n</p>\n  <pre>\n\n  b</pre>\n\n") == "<p>\na\n</p>\n<pre>\n\n  b</pre>\n"
    svg = '<div class="mt-figure"><svg><path d="M 1.23456 7.5" transform="scale(0.015625)"/></svg></div><p d="1.2345">'
    assert pages.round_figures(svg) == svg.replace("1.23456", "1.23")
    assert pages.absolute('<a href="x.html"><a href="./y.html"><a href="#z"><a href="https://a.b/c">', "/base") == \
        '<a href="/base/x.html"><a href="/base/y.html"><a href="#z"><a href="https://a.b/c">'


# -------------------------------------------------------------------------------------------------------- mathematics

def test_formulas_are_mathml():
    "MathML for each formula, no TeX left over; a formula that cannot be typeset stops the rendering"
    seen = 0
    for page in PAGES:
        for inside in re.findall(r'<(?:span|div) class="math">(.*?)</(?:span|div)>', (DOCS/page).read_text(encoding="utf-8"), re.S):
            assert inside.startswith("<math") and inside.endswith("</math>") and "merror" not in inside and "\\" not in inside
            seen += 1
    assert seen > 300
    assert maths.typeset({"a": '<span class="math">x &lt; 2</span> and <div class="math">x &lt; 2</div>'})["a"].count("<mo>&lt;</mo>") == 2
    assert maths.side_by_side(r"a = {b \qquad c}, \qquad d") == [r"a = {b \qquad c},", "d"]
    with pytest.raises(ValueError, match="nosuchcommand"): maths.mathml([(r"\nosuchcommand{x}", False)])


def test_mathematics_without_scripts(tab):
    "With scripts turned off a formula is set: in its font, two lines high where it is a fraction"
    tab.call("Emulation.setScriptExecutionDisabled", value=True)
    try:
        with chromium.serve(DOCS) as base:
            tab.window(390, 844, phone=True)
            tab.open(f"{base}/softmax.html")
            assert tab.js("getComputedStyle(document.querySelector('math')).fontFamily").startswith('"STIX Two Math"')
            assert tab.js("document.querySelector('div.math:has(mfrac), div.math').offsetHeight") > 30
    finally: tab.call("Emulation.setScriptExecutionDisabled", value=False)


def test_formulas_side_by_side_stand_in_order(tab):
    "On a wide screen in one line, in the order of their TeX; on a phone nothing is cut off"
    with chromium.serve(DOCS) as base:
        tab.window(1440)
        tab.open(f"{base}/attention.html")
        places = "[...document.querySelectorAll('div.math:has(> math + math)')].map(o => [...o.children].map(m => m.getBoundingClientRect()%s))"
        rows = tab.js(places % ".left")
        assert rows and all(o == sorted(o) for o in rows)
        tab.window(390, 844, phone=True)
        assert tab.wait("innerWidth == 390")
        assert max(x for o in tab.js(places % ".right") for x in o) <= 390
