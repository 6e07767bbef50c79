"Drawings and widgets: readable on a phone, nothing from outside, right numbers."
import json, re
from base64 import b64encode
from itertools import product
from xml.etree import ElementTree

import pytest
import torch
from torch.testing import assert_close

import chromium
from conftest import ROOT
from minitrain.attention import Attention
from minitrain.catch import rollout
from minitrain.core import diagram, widget
from minitrain.likelihood import cross_entropy
from minitrain.optim import Momentum
from minitrain.softmax import softmax
from minitrain.vit import ViT

ASSETS = ROOT/"minitrain"/"assets"
DRAWINGS = sorted((ASSETS/"diagrams").glob("*.svg"))
WIDGETS = sorted((ASSETS/"widgets").glob("*.html"))
SVG = "{http://www.w3.org/2000/svg}"


# ----------------------------------------------------------------------- the files

@pytest.mark.parametrize("path", DRAWINGS, ids=lambda p: p.stem)
def test_a_drawing_is_readable_and_described(path):
    tree = ElementTree.fromstring(path.read_text(encoding="utf-8"))
    width = float(tree.get("viewBox").split()[2])
    sizes = [float(o.get("font-size")) for o in tree.iter() if o.get("font-size")]
    assert sizes and min(sizes)*360/width >= 11, "letters of 11 pixels on a phone"
    assert tree.get("fill") == "currentColor" and not list(tree.iter(f"{SVG}style"))
    assert len(tree.find(f"{SVG}title").text) > 3
    assert len(tree.find(f"{SVG}desc").text.split()) > 9
    ids = {o.get("id") for o in tree.iter() if o.get("id")}
    assert tree.get("aria-labelledby") == f"{path.stem}-title {path.stem}-desc"
    assert all(o.startswith(f"{path.stem}-") for o in ids), "ids of two drawings clash"


@pytest.mark.parametrize("path", WIDGETS, ids=lambda p: p.stem)
def test_a_widget_is_small_and_asks_for_nothing(path):
    html = widget(path.stem, {})
    assert len(html) <= 30_000 and path.with_suffix(".svg").exists()
    outside = r"https?:|//\w+\.|\bid=|\bsrc=\"(?!data:)|import\b|fetch"
    assert not re.search(outside, html)
    assert "Try" in html and "<noscript>" in html and html.count("<script>") == 1
    assert "</script" not in widget(path.stem, "</script>").split("<script>")[1][:-30]


# ---------------------------------------------------------------------- in a browser

DATA = dict(labels=["a", "b", "c"], scores=[-1.5, 0.25, 2.0])


@pytest.fixture
def page(tab, tmp_path):
    "A page with a drawing, an image of it, and two widgets"
    html = "".join([diagram("loop"), *[widget("softmax", DATA)]*2])
    (tmp_path/"a.html").write_text("<!doctype html><meta charset=utf-8><meta "
        f"name=viewport content='width=device-width'>{html}", encoding="utf-8")
    (tmp_path/"favicon.ico").touch()
    tab.window(390, 844, phone=True)
    with chromium.serve(tmp_path) as base:
        tab.open(f"{base}/a.html")
        yield tab


WIDGET = "document.querySelectorAll('.mt-softmax')"
SHOWN = ("[...document.querySelectorAll('%s')]"
    ".map(o => o.getBoundingClientRect().height > 0)")


@pytest.mark.parametrize("scores", [[1., 2., 3.], [100., 0.], [-200., -201.], [1e4]*3,
    [0., -104., 50.], [-4.89, 2.6, 0.59, -2.07, -4.57]])
def test_the_widget_computes_what_the_package_does(page, scores):
    x = torch.tensor(scores)
    text = json.dumps(scores)
    def js(f): return page.js(f"{WIDGET}[0].widget.{f}({text}).map(String)")
    def tensor(o): return torch.tensor([float(v) for v in o])
    close = dict(rtol=1e-5, atol=1e-30, equal_nan=True)
    assert_close(tensor(js("shifted")), softmax(x, 0), **close)
    e = x.exp()
    assert_close(tensor(js("naive")), e/e.sum(), **close)
    warm = page.js(f"{WIDGET}[0].widget.scaled({text}, 0.3, 7)")
    assert_close(tensor(warm), x/0.3 + 7)


@pytest.mark.parametrize("lr, momentum", [(0.019, 0), (0.01, 0.9), (0.03, 0.5)])
def test_the_ravine_rolls_as_the_package_does(tab, tmp_path, lr, momentum):
    start, c = [-8., 1.5], torch.tensor([1., 100.])
    (tmp_path/"a.html").write_text("<!doctype html><meta charset=utf-8>"
        f"{widget('ravine', dict(start=start))}", encoding="utf-8")
    (tmp_path/"favicon.ico").touch()
    with chromium.serve(tmp_path) as base:
        tab.open(f"{base}/a.html")
        said = "document.querySelector('.mt-ravine [aria-live]').textContent"
        assert "100 steps" in tab.js(said)
        theirs = tab.js(f"document.querySelector('.mt-ravine').widget.path({lr}, {momentum})")
        tab.js("[...document.querySelectorAll('button')].at(-1).click()")
        assert "100 steps" in tab.js(said) and tab.problems == []
    w = torch.tensor(start, dtype=torch.float64, requires_grad=True)
    opt, ours = Momentum([w], lr, momentum), [start]
    for _ in range(100):
        w.grad = c*w.detach()
        opt.step()
        ours.append(w.tolist())
    assert_close(torch.tensor(theirs), torch.tensor(ours))


def test_two_widgets_by_keyboard(page):
    "Each has its own state; an arrow key turns it, and it says what came of it"
    said = f"[...{WIDGET}].map(o => o.querySelector('[aria-live]').textContent)"
    assert page.js(said) == ["Both formulas agree."]*2
    page.js(f"{WIDGET}[1].querySelector('input').focus()")
    for key in ("End", "ArrowLeft"):
        for kind in ("keyDown", "keyUp"):
            code = dict(End=35, ArrowLeft=37)[key]
            page.call("Input.dispatchKeyEvent", type=kind, key=key, code=key,
                windowsVirtualKeyCode=code)
    assert page.js(f"{WIDGET}[1].querySelector('output').value") == "149"
    first, second = page.js(said)
    assert first == "Both formulas agree." and second.startswith("Overflow")
    page.js(f"{WIDGET}[1].querySelector('button').click()")
    assert page.js(said) == ["Both formulas agree."]*2
    assert page.js("document.documentElement.scrollWidth") <= 390
    assert page.problems == []


def test_a_still_on_paper_and_without_scripts(page):
    still, live = SHOWN % ".mt-still", SHOWN % ".mt-live"
    assert page.js(still) == [False]*2 and page.js(live) == [True]*2
    page.call("Emulation.setEmulatedMedia", media="print")
    assert page.js(still) == [True]*2 and page.js(live) == [False]*2
    page.call("Emulation.setEmulatedMedia", media="")
    page.call("Emulation.setScriptExecutionDisabled", value=True)
    try:
        page.open(page.js("location.href"))
        assert page.js(still) == [True]*2 and page.js(live) == []
        assert page.js(SHOWN % ".mt-diagram svg") == [True]
        assert page.js(SHOWN % ".mt-diagram img") == [False]
    finally: page.call("Emulation.setScriptExecutionDisabled", value=False)


def test_an_untrusted_notebook_shows_images(page):
    "Jupyter takes away styles, scripts and SVG elements, and keeps the words in them"
    page.js("document.querySelectorAll('style, script').forEach(o => o.remove());"
        "document.querySelectorAll('[hidden=\"\"]').forEach(o => o.hidden = false);"
        "document.querySelectorAll('svg').forEach(o => o.replaceWith(o.textContent));"
        "document.querySelectorAll('.mt-live').forEach(o => o.remove())")
    assert page.js(SHOWN % "img") == [True]*3
    assert page.js(SHOWN % ".mt-diagram > div") == [False]


STEPS = dict(order=["before_fit", "before_epoch", "cleanup_epoch", "cleanup_fit"],
    runs=[dict(name=name, error=name, raised=raised, events=events)
        for name, raised, events in (("normal", None, [["before_fit", True, 0],
            ["before_epoch", True, 0], ["cleanup_epoch", True, 1],
            ["before_epoch", False, 0], ["cleanup_epoch", False, 0],
            ["cleanup_fit", False, 0]]), ("OSError", 0, [["before_fit", True, 0],
            ["cleanup_fit", True, 0]]))])


def test_a_run_is_stepped_through(tab, tmp_path):
    "Each press is one event; what has come is counted, and the end is the end"
    (tmp_path/"a.html").write_text("<!doctype html><meta charset=utf-8>"
        f"{widget('learner', STEPS)}", encoding="utf-8")
    (tmp_path/"favicon.ico").touch()
    def press(text): tab.js("[...document.querySelectorAll('button')]"
        f".find(o => o.textContent === '{text}').click()")
    def said(): return tab.js("document.querySelector('[aria-live]').textContent")
    with chromium.serve(tmp_path) as base:
        tab.open(f"{base}/a.html")
        seen = [said()]
        for _ in range(7):
            press("Next")
            seen.append(said())
        assert seen[0] == "1 of 6: before_fit."
        assert seen[3] == "4 of 6: before_epoch, validation."
        assert seen[5:] == ["6 of 6: cleanup_fit."]*3
        rows = tab.js("[...document.querySelectorAll('li')].map(o => o.textContent)")
        assert rows == ["before_fit", "before_epoch2 times", "cleanup_epoch2 times",
            "cleanup_fit"]
        press("OSError")
        assert said() == "2 of 2: cleanup_fit."
        press("Back")
        assert said() == "1 of 2: before_fit. Here OSError is raised."
        assert tab.problems == []


def test_games_are_played_as_the_package_plays_them(tab, tmp_path):
    "Ball, paddle and catches of a random policy, to the end; Play stops there"
    g = torch.Generator().manual_seed(0)
    made = rollout(lambda x: torch.randint(3, (len(x),), generator=g), 2, 96)
    where = (24*made.objects).int()
    game = dict(name="a", lamps=True, paddle=where[0, 0, 1, 0].item(),
        actions=made.actions[0].tolist())
    data = dict(balls=where[0, ::19, 0, 0].tolist(), games=[game])
    (tmp_path/"a.html").write_text("<!doctype html><meta charset=utf-8>"
        f"{widget('catch_games', data)}", encoding="utf-8")
    (tmp_path/"favicon.ico").touch()
    with chromium.serve(tmp_path) as base:
        tab.open(f"{base}/a.html")
        seen = tab.js("document.querySelector('.mt-catch_games').widget.games[0].seen")
        assert [[o["ball"], o["row"]] for o in seen[:-1]] == where[0, :, 0].tolist()
        assert [o["paddle"] for o in seen[:-1]] == where[0, :, 1, 0].tolist()
        assert (seen[-1]["caught"], seen[-1]["balls"]) == (made.caught[0].item(), 5)
        tab.js("o = document.querySelector('input'); o.value = 95; o.oninput();"
            "document.querySelector('button').click()")
        tab.js("new Promise(o => setTimeout(o, 300))")
        assert tab.js("document.querySelector('button').textContent") == "Play"
        said = tab.js("document.querySelector('[aria-live]').textContent")
        assert said == f"Balls caught of 5: a {made.caught[0]}." and tab.problems == []


@pytest.fixture
def two(tab, tmp_path):
    "Two widgets of a name on a phone's page"
    (tmp_path/"favicon.ico").touch()
    tab.window(390, 844, phone=True)
    with chromium.serve(tmp_path) as base:
        def show(name, data):
            (tmp_path/"a.html").write_text("<!doctype html><meta charset=utf-8><meta "
                f"name=viewport content='width=device-width'>{widget(name, data)*2}",
                encoding="utf-8")
            tab.open(f"{base}/a.html")
            assert tab.js("document.documentElement.scrollWidth") <= 390
            tab.js("window.all = [...document.querySelectorAll('.mt-widget')]")
            return tab
        yield show
    assert tab.problems == []


SAID = "all.map(o => o.querySelector('[aria-live]').textContent)"
KEYS = dict(End=35, Home=36, ArrowLeft=37, ArrowUp=38, ArrowRight=39, ArrowDown=40,
    Enter=13, b=66)


def press(tab, selector, *keys):
    "Focus an element of the second widget, and press keys"
    tab.js(f"all[1].querySelector(`{selector}`).focus()")
    for key in keys:
        text = dict(text="\r") if key == "Enter" else {}
        for kind in ("keyDown", "keyUp"):
            tab.call("Input.dispatchKeyEvent", type=kind, key=key, code=key,
                windowsVirtualKeyCode=KEYS[key], **text)


def middle(tab, selector):
    "Where an element of the second widget is, scrolled into sight: x, y and height"
    return tab.js("(o => { o.scrollIntoView({ block: 'center', behavior: 'instant' });"
        "const r = o.getBoundingClientRect();"
        "return [r.x + r.width/2, r.y + r.height/2, r.height]; })"
        f"(all[1].querySelector(`{selector}`))")


def touch(tab, *points):
    "A finger that comes down, moves and goes"
    for kind, where in zip(("touchStart", *["touchMove"]*(len(points) - 1)), points):
        tab.call("Input.dispatchTouchEvent", type=kind,
            touchPoints=[dict(x=where[0], y=where[1])])
    tab.call("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])


def tap(tab, selector):
    "A finger that touches an element of the second widget, until it is a click"
    tab.js("void (window.tapped = new Promise(o =>"
        "document.addEventListener('click', o, { once: true })))")
    touch(tab, middle(tab, selector))
    tab.js("tapped.then(() => null)")


def test_bars_of_cross_entropy_are_the_packages(two):
    "Value and gradient; also where exponentials alone would be inf, or all of them 0"
    tab = two("cross_entropy", dict(scores=[0., 1.], label=0))
    for scores in ([0.5, -1.25, 3.], [1e4, 0., -1e4], [-900.]*4, [0., 60., 1.],
            [-0.36, 4.23, -4.68, 4.21]):
        for y in range(len(scores)):
            x = torch.tensor(scores, dtype=torch.float64, requires_grad=True)
            loss = cross_entropy(x, torch.tensor(y))
            loss.backward()
            value, slope = (torch.tensor(tab.js(f"all[0].widget.{f}({scores}, {y})"),
                dtype=torch.float64) for f in ("loss", "gradient"))
            assert_close(value, loss.detach(), rtol=1e-5, atol=0)
            assert_close(slope, x.grad, rtol=1e-5, atol=1e-12)


def test_a_score_is_dragged_and_the_gradient_follows(two):
    "By finger and by key, in its own widget; a step follows the gradient that is shown"
    tab = two("cross_entropy", dict(scores=[1., -1., 0.], label=2, limit=8))
    before = tab.js(SAID)
    named = "[...all[1].querySelectorAll('.mt-name%s')].map(o => o.innerText)"
    assert tab.js(named % "") == ["0", "1", "2"]*3 and tab.js(named % ".mt-true") == ["2"]*3
    bar = "[aria-label='score of 2']"
    x, y, height = middle(tab, bar)
    touch(tab, (x, y), (x, y - height/8), (x, y - 3*height/8))
    now = "all.map(o => o.querySelector(`%s`).getAttribute('aria-valuenow'))" % bar
    assert tab.js(now) == ["0.00", "6.00"]
    press(tab, bar, "ArrowDown", "ArrowLeft", "End", "ArrowDown")
    assert tab.js(now)[1] == "7.75" and tab.js(SAID)[0] == before[0] != tab.js(SAID)[1]
    press(tab, bar, "Home", "ArrowUp")
    tab.js("all[1].querySelector('[aria-label=\"label 1\"]').click()")
    tab.js("[...all[1].querySelectorAll('button')].at(-2).click()")  # a step
    scores = torch.tensor([1., -1., -7.75], requires_grad=True)
    cross_entropy(scores, torch.tensor(1)).backward()
    seen = torch.tensor(tab.js(
        "[...all[1].querySelectorAll('[role=slider]')].map(o => +o.ariaValueNow)"))
    assert_close(seen, (scores - scores.grad).detach(), rtol=0, atol=0.006)
    tab.js("[...all[1].querySelectorAll('button')].at(-1).click()")  # start again
    assert tab.js(SAID) == before


def packed(o):
    "Numbers from 0 to 1 as a widget stores them: a byte each"
    return b64encode((255*o).round().byte().numpy().tobytes()).decode()


def strengths(tab, cells):
    "How strongly each cell of the second widget is coloured, as a share of the most"
    found = tab.js(f"[...all[1].querySelectorAll('{cells}')]"
        ".map(o => o.style.background)")
    return torch.tensor([float(re.search(r"([\d.e-]+)%", o)[1])/70 for o in found])


def test_letters_show_what_each_head_takes(two):
    "The weights of an Attention, asked for by mouse, finger and key; the other is left"
    torch.manual_seed(0)
    x = 3*torch.randn(2, 6, 8)
    with torch.no_grad():
        p = torch.stack([Attention(8, 2, causal=True).weights(x) for _ in range(2)], 1)
    rows = [dict(letters=[*"abcabca"], period=3, answers=[*"bcxbca"], weights=packed(o))
        for o in p]  # (2, h, 6, 6) each
    tab = two("attention_text", dict(blocks=2, heads=2, rows=rows))
    for row, block, head, i in product(range(2), range(2), range(2), range(6)):
        js = tab.js(f"all[0].widget.weights({row}, {block}, {head}, {i})")
        assert_close(torch.tensor(js, dtype=p.dtype), p[row, block, head, i], rtol=0,
            atol=0.002)
    before = tab.js(SAID)

    def shows(row, i):
        assert tab.js(SAID)[1].startswith(f"Letter {i + 1} is {'abcabc'[i]}.")
        want = p[row, :, :, i].flatten()
        assert_close(strengths(tab, ".mt-tokens > *"), want, rtol=0, atol=0.002)

    shows(0, 5)
    x, y, _ = middle(tab, "button[aria-label^='letter 2']")
    tab.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)
    shows(0, 1)
    tap(tab, "button[aria-label^='letter 4']")
    shows(0, 3)
    press(tab, "button[tabindex='0']", "ArrowUp", "ArrowRight", "ArrowRight")
    shows(0, 2)
    assert "x comes next, which is wrong" in tab.js(SAID)[1]
    press(tab, "button[tabindex='0']", "ArrowRight", "ArrowDown", "End")
    shows(0, 5)
    tab.js("all[1].querySelectorAll('.mt-choices button')[1].click()")
    press(tab, "button[tabindex='0']", "Home", "ArrowLeft", "ArrowRight")
    shows(1, 1)
    assert tab.js(SAID)[0] == before[0]


def test_a_digit_shows_what_each_patch_takes(two):
    "The rows of a ViT: numbers, words, and the colours over the patches"
    torch.manual_seed(0)
    model = ViT(4, 2, 1, 10, dim=8, depth=2, heads=2)
    x = torch.rand(2, 1, 4, 4)
    with torch.no_grad():
        for o in model.parameters(): o *= 2
        h, seen = model.embed(x), []
        for block in model.blocks:
            seen.append(block.attention.weights(block.norm1(h)))
            h = block(h)
    p = torch.stack(seen, 1)  # (b, blocks, h, 5, 5)
    assert_close(p[:, -1, :, 0, 1:], model.attention_maps(x))
    tab = two("attention_image", dict(size=4, side=2, heads=2, blocks=2, most=1,
        digits=[dict(label=i, image=packed(x[i]), weights=packed(p[i]))
            for i in range(2)]))
    for digit, block, head, i in product(range(2), range(2), range(2), range(5)):
        js = tab.js(f"all[0].widget.weights({digit}, {block}, {head}, {i})")
        assert_close(torch.tensor(js, dtype=p.dtype), p[digit, block, head, i], rtol=0,
            atol=0.002)
    before = tab.js(SAID)

    def shows(digit, block, i):
        now, (cls, *patches) = tab.js(SAID)[1], p[digit, block, :, i].T
        assert f"in block {block + 1}" in now
        said = torch.tensor([float(o) for o in re.findall(r"\d\.\d\d", now)])
        want = torch.cat([torch.stack(patches).amax(0), cls])
        assert_close(said, want, rtol=0, atol=0.008)
        image = (255*x[digit, 0]).round()/255
        for head in range(2):
            heat = p[digit, block, head, i, 1:].reshape(2, 2)
            t = heat.repeat_interleave(2, 0).repeat_interleave(2, 1)
            green = image*(1 - 0.8*t) + (1 - t)*0.8*t
            pixels = tab.js("(o => [...o.getContext('2d').getImageData(0, 0, 32, 32).data])"
                f"(all[1].querySelectorAll('.mt-heads canvas')[{head}])")
            found = torch.tensor(pixels).reshape(4, 8, 4, 8, 4)[:, 4, :, 4, 1]/255
            assert_close(found, green, rtol=0, atol=0.02)

    shows(0, 1, 0)
    x_, y, _ = middle(tab, "[aria-label='patch in row 1, column 2']")
    tab.call("Input.dispatchMouseEvent", type="mouseMoved", x=x_, y=y)
    shows(0, 1, 2)
    tap(tab, "[aria-label='patch in row 2, column 1']")
    shows(0, 1, 3)
    press(tab, ".mt-patches [tabindex='0']", "ArrowRight", "ArrowUp", "ArrowLeft")
    shows(0, 1, 1)
    tab.js("[...all[1].querySelectorAll('.mt-choices button')].slice(1, 3)"
        ".forEach(o => o.click())")
    shows(1, 0, 1)
    tab.js("all[1].querySelector('.mt-cls').click()")
    shows(1, 0, 0)
    assert tab.js(SAID)[0] == before[0]


def test_examples_are_added_and_taken_back(two):
    "By click, finger and key; the planes, the words and the points are those stored"
    g = torch.Generator().manual_seed(0)
    answers = torch.rand(2, 2, 4, 25, generator=g)  # problems, who, examples, places
    names, points = ["we", "they"], [[-1.5, 1.], [0.5, -2.], [2., 2.]]
    ahead = torch.rand(2, 2, 3, generator=g).double().round(decimals=2)
    problems = [dict(name=name, points=points, labels=labels, next=q.tolist(),
        planes=[packed(o) for o in p]) for name, labels, p, q in
        zip("ab", ([0, 1, 1], [1, 1, 0]), answers, ahead)]
    tab = two("add_example", dict(side=5, reach=2.5, names=names, problems=problems))
    for a, b, k in product(range(2), range(2), range(4)):
        js = tab.js(f"all[0].widget.plane({a}, {b}, {k})")
        assert_close(torch.tensor(js), answers[a, b, k], rtol=0, atol=0.002)
    before = tab.js(SAID)

    def shows(a, k):
        first, said = tab.js(SAID)
        assert first == before[0] and said.startswith(f"{k} example")
        gap = (answers[a, 0, k] - answers[a, 1, k]).abs().mean()
        found = [float(o) for o in re.findall(r"\d\.\d\d", said)]
        want = [*ahead[a, :, k].tolist(), gap] if k < 3 else [gap]
        assert_close(torch.tensor(found), torch.tensor(want), rtol=0, atol=0.008)
        if k: assert f"the last of class {problems[a]['labels'][k - 1]}" in said
        for who in range(2):  # the colour of a corner
            row = tab.js("[...all[1].querySelectorAll('canvas')].map(o => "
                "[...o.getContext('2d').getImageData(2, 2, 1, 1).data])")[who]
            p = answers[a, who, k, 0].item()
            t, to = abs(2*p - 1), (209, 73, 91) if p > 0.5 else (59, 125, 216)
            want = torch.tensor([255 + t*(o - 255) for o in to])
            assert_close(torch.tensor(row[:3], dtype=want.dtype), want, rtol=0, atol=3)

    def name(i): return f"[...all[1].querySelectorAll('button')].at({i})"
    shows(0, 2)
    tab.js(f"{name(-1)}.click()")
    shows(0, 0)
    assert tab.js(f"{name(-2)}.disabled && {name(-1)}.disabled")
    tap(tab, "canvas")
    shows(0, 1)
    tab.js(f"{name(-3)}.click()")
    shows(0, 2)
    tab.js(f"{name(-2)}.setAttribute('data-undo', '')")
    press(tab, "[data-undo]", "Enter")
    shows(0, 1)
    for _ in range(5): tab.js("all[1].querySelectorAll('canvas')[1].click()")
    shows(0, 3)
    assert tab.js(f"{name(-3)}.disabled")
    tab.js(f"{name(1)}.click()")
    shows(1, 0)
    tab.js(f"{name(-3)}.click(); {name(-3)}.click()")
    shows(1, 2)
    tab.js(f"{name(-1)}.click()")
    shows(1, 0)


CELL = dict(image=[[0, 1, 0]]*3, kernels=dict(edge=[[0, 1, -1]]*3))


@pytest.mark.parametrize("name, data", [("softmax", DATA), ("ravine", {}),
    ("convolution", CELL), ("learner", STEPS), ("cross_entropy", {}),
    ("attention_text", {}), ("attention_image", {}), ("add_example", {}),
    ("catch_games", {}), ("catch_play", {})])
def test_keys_stay_in_a_widget(two, name, data):
    "JupyterLab would cut a cell or leave it; what has a modifier still gets there"
    tab = two(name, data)
    tab.js("window.heard = [];"
        "document.addEventListener('keydown', e => heard.push(e.key));"
        "const here = all[1].querySelector('.mt-live p');"
        "here.tabIndex = 0; here.dataset.here = ''")
    press(tab, "[data-here]", "b", "ArrowDown")
    assert tab.js("heard") == []
    tab.call("Input.dispatchKeyEvent", type="rawKeyDown", key="b", modifiers=2)
    tab.js("document.activeElement.blur()")
    tab.call("Input.dispatchKeyEvent", type="rawKeyDown", key="x")
    assert tab.js("heard") == ["b", "x"]
