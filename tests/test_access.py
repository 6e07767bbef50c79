"""What every page must be for a reader who does not look at it with a mouse in the light: axe-core finds nothing serious in
light, in dark and on a phone; folds, code and figures can be reached and named; paper holds all of a page.

axe-core comes with the package axe-core-python. Without it, or without Chromium, the tests skip, unless MINITRAIN_BROWSER=required.
"""
import importlib.util, os, re, sys
from pathlib import Path

import pytest

import chromium
from conftest import ROOT

sys.path.insert(0, str(ROOT/"tools"/"site"))
import convert  # noqa: E402

DOCS = ROOT/"docs"
PAGES = sorted(p.relative_to(DOCS).as_posix() for p in DOCS.rglob("*.html"))


@pytest.fixture(scope="module")
def axe():
    "The script of axe-core, or nothing"
    if found := importlib.util.find_spec("axe_core_python"):
        return Path(found.origin).with_name("axe.min.js").read_text(encoding="utf-8") + ";0"
    if os.environ.get("MINITRAIN_BROWSER") == "required": pytest.fail("MINITRAIN_BROWSER=required, and axe-core-python is missing")


# axe judges no stroke of a drawing, and going through them takes the time
WITHOUT_STROKES = "document.querySelectorAll('svg > :not(title, desc)').forEach(o => o.remove())"
# A page has tens of thousands of coloured words, and pages are alike. For speed one of each kind stands for all: an element
# whose tags, classes, styles and labels, its own and those inside and around it, were judged before is left out.
ONE_OF_EACH = """(() => {
  const seen = new Set(JSON.parse(sessionStorage.seen ?? "[]")), kinds = new Map(), paths = new Map([[document.body, ""]]);
  const fresh = key => seen.size < seen.add(key).size;
  function short(s) {
    let a = 0xdeadbeef, b = 0x41c6ce57;
    for (let i = 0; i < s.length; i++) {
      a = Math.imul(a ^ s.charCodeAt(i), 2654435761);
      b = Math.imul(b ^ s.charCodeAt(i), 1597334677);
    }
    return (a >>> 0).toString(36) + (b >>> 0).toString(36);
  }
  const own = o => [o.tagName, ...[...o.attributes].filter(a => !/^(id|href|src|for|data-.*)$/.test(a.name)).map(a => a.name == "aria-label" &&
    (o.querySelector("svg") || !o.textContent.trim()) ? `named ${!!a.value.trim()}` : `${a.name}=${a.value}`)].join(" ");
  function path(o) {
    if (!paths.has(o)) paths.set(o, short(path(o.parentElement) + ">" + own(o)));
    return paths.get(o);
  }
  function kind(o) {
    if (kinds.has(o)) return kinds.get(o);
    const words = [...o.childNodes].some(n => n.nodeType == 3 && n.data.trim());
    kinds.set(o, short([own(o), words, ...[...new Set([...o.children].map(kind))].sort()].join(" ")));
    return kinds.get(o);
  }
  function thin(o, around) {
    for (const part of [...o.children]) {
      const key = short(around + ">" + kind(part));
      if (!fresh(key)) part.remove();
      else if (!/^(svg|label|a|button|summary)$/i.test(part.tagName))
        for (const o of part.tagName == "DL" ? part.children : [part]) thin(o, short(around + ">" + o.tagName + "." + o.className));
    }
  }
  document.querySelectorAll("details").forEach(o => o.open = true);
  document.querySelectorAll(".line").forEach(o => o.removeAttribute("style"));
  document.querySelectorAll("pre span:not(:has(*)), math :not(:has(*))").forEach(o => fresh(path(o)) || o.remove());
  document.querySelectorAll("math :not(:has(*)):empty").forEach(o => o.remove());
  thin(document.body, "");
  sessionStorage.seen = JSON.stringify([...seen]);
})()"""
FOUND = """axe.run(%s, {resultTypes: ["violations"], preload: false, %s}).then(r => r.violations
  .filter(o => ["serious", "critical"].includes(o.impact) || o.id == "scrollable-region-focusable")
  .flatMap(o => o.nodes.map(n => `${o.id}: ${n.target} ${n.html.slice(0, 120)}`)))"""
# What a reader can scroll, which is all that axe's rule for it asks about; a heading stands for a page where nothing scrolls
SCROLLS = """[...document.querySelectorAll("h1, body *")].filter(o => o.matches("h1") || (o.scrollWidth > o.clientWidth ||
  o.scrollHeight > o.clientHeight) && /auto|scroll/.test(getComputedStyle(o).overflow))"""
# Rules none of whose checks is serious are not run: nothing that they find would count
SLIGHT = """Object.fromEntries(axe._audit.rules.filter(r => r.id != "scrollable-region-focusable" && ![...r.any, ...r.all, ...r.none]
  .some(o => /serious|critical/.test(axe._audit.data.checks[o.id ?? o].impact))).map(r => [r.id, {enabled: false}]))"""
RUNS = dict(phone=(SCROLLS, 'runOnly: ["scrollable-region-focusable"]'), dark=("document", 'runOnly: ["color-contrast", "link-in-text-block"]'),
    light=("document", f'rules: {{...{SLIGHT}, "label-content-name-mismatch": {{enabled: true}}}}'))


BROKEN = """[...[...document.images].filter(o => !(o.complete && o.naturalWidth)).map(o => `no picture: ${o.src}`),
  ...[...document.querySelectorAll(".math")].filter(o => !(o.querySelector("math") && o.offsetHeight)).map(o => `not set: ${o.innerHTML}`)]"""
# In the reference; the output of an example keeps its columns: it scrolls, with a bar and by keys
CUT_OFF = """[...document.querySelectorAll('article :is(pre, dl, dt, dd, p, table)')].filter(o => o.offsetParent &&
  !o.closest('.example-output') &&
  (o.scrollWidth > o.clientWidth + 1 && getComputedStyle(o).display != 'inline' || o.getBoundingClientRect().right > innerWidth + 1))
  .map(o => `cut off: ${o.innerText.slice(0, 60)}`)"""
SIDEWAYS = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


def complaints(tab, axe, address):
    """What is wrong with a page: errors, failed and outside requests, missing pictures, formulas that are not set; on a phone
    and on a desk whether it scrolls sideways; of the reference what is cut off on a phone; for axe what scrolls on a phone,
    everything in the light, then colours in the dark"""
    def too_wide(where): return [f"{where}: scrolls sideways"] if tab.js(SIDEWAYS) > 0 else []
    def serious(kind): return [f"{kind}: {o}" for o in tab.js(FOUND % RUNS[kind])] if axe else []
    tab.window(390, 844, phone=True)
    found = tab.visit(address) + tab.js(BROKEN) + too_wide("phone")
    if "/api/" in address: found += tab.js(CUT_OFF)
    tab.js(axe)
    tab.js(WITHOUT_STROKES)
    found += serious("phone")
    tab.window(1280)
    tab.wait("innerWidth == 1280")
    found += too_wide("desk")
    tab.js(ONE_OF_EACH)
    for theme in ("light", "dark"):
        tab.js(f"document.documentElement.dataset.theme = '{theme}'")
        found += serious(theme)
    return found


@pytest.mark.parametrize("page", PAGES)
def test_page_in_the_browser(tab, base, axe, page):
    assert complaints(tab, axe, f"{base}/{page}") == []
    if not axe: pytest.skip("the package axe-core-python is missing")


FAULTS = """<style>html[data-theme=dark] #night { color: #444 }</style><p id="pale" style="color: #bbb">pale</p><p id="night">dark on dark</p>
  <button id="mute"></button><input id="what"><img id="blind" src="_static/favicon.png"><a id="empty" href="index.html"></a>
  <button id="other" aria-label="Something else">Press</button><ul id="list"><p>no item</p></ul>
  <div class="highlight"><pre><span class="k" style="color: #ccc">def</span> <span class="k">f</span></pre></div>
  <div id="wide" style="overflow-x: auto; white-space: pre"><b>%s</b></div>""" % ("a long line "*40)


def test_axe_can_complain(tab, axe, tmp_path):
    "The control: faults planted in a page whose like was judged just before are all found, and nothing else"
    if not axe: pytest.skip("the package axe-core-python is missing")
    good = (DOCS/"softmax.html").read_text(encoding="utf-8")
    for o in DOCS.iterdir():
        if o.is_dir() and not [*o.glob("*.html")]: (tmp_path/o.name).symlink_to(o)
    (tmp_path/"good.html").write_text(good, encoding="utf-8")
    (tmp_path/"bad.html").write_text(good.replace("</article>", FAULTS + "</article>"), encoding="utf-8")
    with chromium.serve(tmp_path) as address:
        assert complaints(tab, axe, f"{address}/good.html") == []
        found = {re.match(r"(\w+: [\w-]+: \S+)", o)[1] for o in complaints(tab, axe, f"{address}/bad.html")}
    assert found == {"light: color-contrast: #pale", "light: color-contrast: .k:nth-child(1)", "dark: color-contrast: #night",
        "light: button-name: #mute", "light: label: #what", "light: image-alt: #blind", "light: link-name: #empty", "light: list: #list",
        "light: label-content-name-mismatch: #other", "phone: scrollable-region-focusable: #wide", "light: scrollable-region-focusable: #wide"}


def test_the_browser_can_complain(tab, tmp_path):
    "The control: an error, a missing picture, an outside request, a formula that is not set and a page too wide are each seen"
    (tmp_path/"api").mkdir()
    (tmp_path/"api"/"bad.html").write_text("""<!doctype html><meta name=viewport content="width=device-width"><div style="width:1400px">wide</div>
        <article><pre>a line as wide as its article and the window, and a word more</pre></article>
        <p class=math>x^2</p><img src=no.png><img src="http://other.invalid/a.png"><script>console.error("a complaint"); nothing.here</script>""")
    (tmp_path/"favicon.ico").touch()
    with chromium.serve(tmp_path) as address:
        found = complaints(tab, "", f"{address}/api/bad.html")
    for o in ("console: a complaint", "exception: ReferenceError: nothing is not defined", "status 404: .*/no.png", "asked another host: http://other.invalid",
        "no picture: http://other", r"no picture: .*/no.png", r"not set: x\^2", "cut off: a line", "phone: scrolls", "desk: scrolls"): assert [*filter(re.compile(o).match, found)], (o, found)


# ------------------------------------------------------------------------------------------------- what a reader can reach

LESSONS = [f"{convert.page_name(p)}.html" for p in sorted((ROOT/"nbs").glob("[0-3]*.ipynb"))]


def visit(tab, address, width, **kwargs):
    tab.window(width, 844 if width < 600 else 900, phone=width < 600, **kwargs)
    tab.open(address)
    tab.wait("document.readyState == 'complete'")


def press(tab, key):
    for kind in ("keyDown", "keyUp"):
        tab.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=dict(Tab=9, Enter=13, Escape=27)[key],
            **(dict(text="\r") if key == "Enter" and kind == "keyDown" else {}))


def test_objectives_come_before_code():
    "A lesson says at once where it stands, how long it takes and what it is for, and only then imports, folded"
    for page in LESSONS:
        text = (DOCS/page).read_text(encoding="utf-8")
        text = text[text.index("<h1"):]
        assert re.search(r"lesson \d+ of \d+ · \d+ min", text[:text.index("<ol")]), page
        assert text.index("<ol") < text.index('<div class="cell') < text.index("<details") < text.index("<pre"), page


def test_names_that_differ(tab, base):
    "Copy buttons are called by what they copy, folds by what they hold"
    visit(tab, f"{base}/softmax.html", 1280)
    names = tab.js("[...document.querySelectorAll('.copybtn')].map(o => o.ariaLabel)")
    assert len(names) > 30 and len(set(names)) > len(names) - 5 and any("def softmax" in o for o in names)
    folds = tab.js("[...document.querySelectorAll('details.hide > summary')].map(o => o.getAttribute('aria-label') || o.innerText.trim())")
    assert folds and all(o and o != "Toggle hidden content" for o in folds)


@pytest.mark.parametrize("page", ["softmax.html", "vit.html"])
def test_a_figure_is_enlarged_by_keyboard_and_tap(tab, base, page):
    "Enter opens it, larger, with its caption; Escape closes it and gives the focus back; a tap on the figure does the same"
    shown = "document.querySelector('.mt-zoom').open"
    for width in (1280, 390):
        visit(tab, f"{base}/{page}", width)
        figures = tab.js("document.querySelectorAll('.figure-caption').length")
        assert tab.js("document.querySelectorAll('.figure-caption .mt-enlarge').length") >= figures - 1  # one may be a widget
        tab.js("document.querySelector('.mt-enlarge').focus()")
        press(tab, "Enter")
        assert tab.wait(shown)
        wide = tab.js("['.mt-zoom', 'article :is(.mt-figure, .mt-diagram)'].map(o => document.querySelector(o + ' svg').getBoundingClientRect().width)")
        assert wide[0] > wide[1]*1.2 and "Figure 1" in tab.js("document.querySelector('.mt-zoom').innerText")
        press(tab, "Escape")
        assert tab.wait(f"!{shown}") and tab.js("document.activeElement.className") == "mt-enlarge"
        tab.js("document.querySelector('article .mt-figure > svg').dispatchEvent(new MouseEvent('click', {bubbles: true}))")
        assert tab.js(shown)
        tab.js("document.querySelector('.mt-zoom').click()")
        assert not tab.js(shown)


@pytest.mark.parametrize("page", ["augment.html", "api/vit.html", "exercises.html"])
def test_the_current_page_is_in_sight(tab, base, page):
    "The part of the page is open and the others are folded, on a desk and in a phone's menu"
    at = """(o => o.checkVisibility({visibilityProperty: true}) && (r => r.left >= 0 && r.top >= 0 && r.bottom <= innerHeight)(o.getBoundingClientRect()))
        (document.querySelector(".bd-docs-nav li.current > a"))"""
    visit(tab, f"{base}/{page}", 1280)
    assert tab.wait(at)
    assert tab.js("[...document.querySelectorAll('details.part')].filter(o => o.open).length") == (page != "exercises.html")  # a lone page
    visit(tab, f"{base}/{page}", 390)
    assert not tab.js(at)
    tab.js("document.querySelector('.primary-toggle').click()")
    assert tab.wait(at)


def test_room_for_code(tab, base):
    "Prose keeps its measure, code takes the room that a window has, and a tablet has no wider column than a desk"
    wide = {}
    for width in (390, 820, 1200, 1440, 1920):
        visit(tab, f"{base}/loop.html", width)
        rem = tab.js("parseFloat(getComputedStyle(document.documentElement).fontSize)")
        code, prose = (tab.js(f"document.querySelector('article section > {o}').getBoundingClientRect().width") for o in ("div.cell", "p:not(.built)"))
        assert prose <= 44*rem + 1 and code <= 60*rem + 1 and prose <= code
        wide[width] = code/rem
    assert wide[820] <= wide[1200] <= wide[1440] and min(wide[1440], wide[1920]) > 58


def test_long_lines(tab, base):
    "Code that goes on under itself has an arrow there and only there, further in than a block; output that is cut off can be scrolled by keys"
    for width in (1280, 390):
        visit(tab, f"{base}/learner.html", width)
        lines = tab.js("""[...document.querySelectorAll("div.cell_input .line")].filter(o => o.offsetHeight && o.textContent.trim()).map(o => [
            Math.round(o.getBoundingClientRect().height/parseFloat(getComputedStyle(o).lineHeight)), parseFloat(getComputedStyle(o, "::before").height)
            / parseFloat(getComputedStyle(o).lineHeight), o.textContent.includes("↪")])""")
        assert any(rows > 1 for rows, *_ in lines) or width > 600
        for rows, arrows, written in lines: assert abs(arrows - (rows - 1)) < 0.1 and not written
        assert tab.wait("""[...document.querySelectorAll("div.cell_output pre")].filter(o => o.offsetHeight && o.scrollWidth > o.clientWidth + 1)
            .every(o => o.tabIndex == 0 || o.parentElement.closest("[tabindex='0']"))""")


@pytest.mark.parametrize("page", ["index.html", "softmax.html", "gaze_training.html"])
def test_figures_fit_a_phone(tab, base, page):
    visit(tab, f"{base}/{page}", 390)
    drawn = tab.js("""[...document.querySelectorAll("article :is(.mt-figure, .mt-diagram, .mt-widget, img)")].map(o => [o.scrollWidth, o.clientWidth,
        o.getBoundingClientRect().right]).filter(o => o[1])""")
    assert drawn and all(scroll <= client and right <= 390 for scroll, client, right in drawn)


@pytest.mark.parametrize("page", ["loop.html", "init.html", "transfer.html", "gaze_training.html"])
def test_panels_are_stacked_on_a_phone(tab, base, page):
    "Side by side on a desk; on a phone one above the other, larger, each with its scale, and nothing outside of the picture"
    panels = """[...document.querySelectorAll("article .mt-figure > svg")].map(svg => [svg, [...svg.querySelectorAll(".ax > :first-child")]])
        .filter(o => o[1].length == 2).map(([svg, axes]) => [svg, axes, svg.getBoundingClientRect(), axes.map(o => o.getBoundingClientRect())])"""
    visit(tab, f"{base}/{page}", 1280)
    beside = tab.js(f"{panels}.map(([svg, axes, s, [a, b]]) => [b.left > a.right, a.width/s.width])")
    visit(tab, f"{base}/{page}", 390)
    stacked = tab.js(f"""{panels}.map(([svg, axes, s, [a, b]]) => [b.top > a.bottom, a.width/s.width,
        [...svg.querySelectorAll(".ax > g:not(:has([clip-path])), .ay *")].map(o => o.getBoundingClientRect()).filter(o => o.width || o.height)
            .every(o => o.left > s.left - 2 && o.right < s.right + 2 && o.top > s.top - 2 && o.bottom < s.bottom + 2),
        axes.every(o => o.parentElement.querySelector(".ay :is(use, text)"))])""")
    pairs = [(o, p) for o, p in zip(beside, stacked, strict=True) if o[0] and o[1] < 0.6]  # not a panel with its bar of colours
    assert pairs
    for (_, wide), (below, large, inside, scaled) in pairs: assert below and inside and scaled and large > 1.5*wide, (beside, stacked)


def test_pictures_without_scales_stay_in_a_row(tab, base):
    visit(tab, f"{base}/transfer.html", 390)
    last = """[...document.querySelectorAll("article .mt-figure > svg")].at(-1).querySelectorAll("image")"""
    tops = tab.js(f"[...{last}].map(o => Math.round(o.getBoundingClientRect().top))")
    assert len(tops) == 3 and len({*tops}) == 1, tops


def test_focus_can_be_seen(tab, base):
    "Going through the page by Tab, the button of the sidebar, that of the repository and a part of the book show where the focus is"
    visit(tab, f"{base}/loop.html", 1280)
    seen = {}
    for _ in range(60):
        press(tab, "Tab")
        name, style, width = tab.js("(o => [o.ariaLabel || o.dataset.bsOriginalTitle || o.title || o.tagName, getComputedStyle(o).outlineStyle, parseFloat(getComputedStyle(o).outlineWidth)])(document.activeElement)")
        seen[name] = style != "none" and width >= 1
    for o in ("Toggle primary sidebar", "Source repository", "SUMMARY"): assert seen[o], (o, seen)


def test_paper(tab, base):
    "A print has the title, what is folded, and none of the window's furniture; on the screen it is the other way round"
    folded, furniture = "details.hide pre", ".bd-sidebar-primary, .mt-enlarge, .lesson-links, .copybtn, .bd-header-article"
    shown = "[...document.querySelectorAll('%s')].map(o => o.checkVisibility())"
    visit(tab, f"{base}/loop.html", 1280)
    assert not any(tab.js(shown % folded)) and any(tab.js(shown % furniture))
    tab.call("Emulation.setEmulatedMedia", media="print")
    try:
        assert all(tab.js(shown % f"h1, {folded}")) and not any(tab.js(shown % furniture))
        tab.js("dispatchEvent(new Event('beforeprint'))")
        assert tab.js("[...document.querySelectorAll('details.hide')].every(o => o.open)")
        tab.js("dispatchEvent(new Event('afterprint'))")
        assert not tab.js("[...document.querySelectorAll('details.hide')].some(o => o.open)")
    finally: tab.call("Emulation.setEmulatedMedia", media="")
