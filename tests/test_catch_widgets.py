"Catch in the page: the vision transformer in JavaScript is the package's, and so is the game."
import json
from base64 import b64encode

import pytest
import torch
from safetensors.torch import load_file
from torch.testing import assert_close

import chromium
from conftest import ROOT
from minitrain.catch import catch_demos, lamp_swap, rollout
from minitrain.core import widget
from minitrain.gaze_training import AttentionExtractor
from minitrain.vit import ViT

NAMES = "plain", "probs", "shuffle"


def load_clone(name):
    model = ViT(24, 4, 1, 3, dim=48, depth=2, heads=4, mlp_dim=96)
    weights = load_file(ROOT/f"minitrain/assets/clones/catch-{name}.safetensors")
    model.load_state_dict({k: v.float() for k, v in weights.items()})
    return model.eval()


def answers(model, frames):
    "Probabilities of the actions, and attention of the last block"
    with torch.no_grad(), AttentionExtractor(model) as look: z = model(frames.float()/255)
    return z.softmax(1), look.cls_logits.softmax(-1).mean(1)


@pytest.fixture(scope="module")
def clones():
    return {o: load_clone(o) for o in NAMES}


@pytest.fixture
def stage(tab, tmp_path):
    "Open a page that holds this HTML"
    def show(html):
        (tmp_path/"a.html").write_text("<!doctype html><meta charset=utf-8><meta "
            f"name=viewport content='width=device-width'>{html}", encoding="utf-8")
        (tmp_path/"favicon.ico").touch()
        server = chromium.serve(tmp_path)
        tab.open(f"{server.__enter__()}/a.html")
        servers.append(server)
        return tab
    servers = []
    yield show
    for o in servers: o.__exit__(None, None, None)


def packed(model):
    "Its weights in bytes, the largest size of each row beside them; the model has them now, too"
    parts = []
    for o in model.state_dict().values():
        top = o.abs().amax(-1, keepdim=True)
        byte = (127*o/top).round()
        o.copy_(byte*top/127)
        parts += top.numpy().tobytes(), byte.char().numpy().tobytes()
    return "base64," + b64encode(b"".join(parts)).decode()


@pytest.fixture
def played(stage, tab, clones):
    "The widget with the three clones, and the game that it begins with"
    tab.window(390, 844, phone=True)
    game = rollout(clones["shuffle"], 1, lamps=True, seed=4)
    where = (24*game.objects[0]).int()
    shapes = {k: list(v.shape) for k, v in clones["plain"].state_dict().items()}
    return stage(widget("catch_play", dict(shapes=shapes, heads=4,
        balls=where[:399:19, 0, 0].tolist(), paddle=where[0, 1, 0].item(),
        clones=[dict(name=k, weights=packed(v)) for k, v in clones.items()])))


ROOT_JS = "document.querySelector('.mt-catch_play').widget"


def test_the_network_in_the_page_is_the_one_in_the_package(played, clones):
    "120 frames under the lamps of a game, for each clone: actions, probabilities, attention"
    frames = catch_demos(1, 120, lamps=True, seed=77).frames
    rows = json.dumps(frames[:, 0].tolist())
    for i, model in enumerate(clones.values()):
        said = played.js(f"{rows}.map(o => {{ const s = {ROOT_JS}.forward("
            f"{ROOT_JS}.clones[{i}].w, o.map(row => row.map(v => v/255)));"
            "return [...s.probs, ...s.looks]; })")
        probs, looks = torch.tensor(said).split([3, 36], 1)
        want, shares = answers(model, frames)
        assert torch.equal(probs.argmax(1), want.argmax(1))
        assert (probs - want).abs().max() < 1e-3 and (looks - shares).abs().max() < 1e-3
        assert want.std(0).min() > 0.2, "frames that are answered alike would show nothing"
    assert played.problems == []


GAME = ("(() => { const w = %s, clone = w.clones[%d];"
    "let o = w.look({...w.begin(%s, %d), held: %s}, clone); const said = [];"
    "while (o.t < 95) { said.push(o.said); w.step(o, clone); }"
    "return [said, o.caught, o.swaps, o.changed]; })()")


@pytest.mark.parametrize("held", [None, 2])
def test_a_game_in_the_page_is_that_of_the_package(played, clones, held):
    "With its own lamps, and with one that is held: answers under each lamp, and balls"
    from minitrain.catch import light
    for i, model in enumerate(clones.values()):
        def policy(f):
            if held is not None: f = light(f, torch.full((len(f),), held))
            return model(f.float()/255)
        game = rollout(policy, 1, 95, lamps=True, seed=4, keep=True)
        where = (24*game.objects[0]).int()
        balls, paddle = where[::19, 0, 0].tolist(), where[0, 1, 0].item()
        said, caught, swaps, changed = played.js(
            GAME % (ROOT_JS, i, balls, paddle, json.dumps(held)))
        want = lamp_swap(model, game.frames[0])
        assert torch.equal(torch.tensor(said), want) and caught == game.caught[0]
        before = game.actions[0].roll(1)
        before[0] = 1
        other = before != (before if held is None else held)
        now = game.actions[0] != want.gather(1, before[:, None]).squeeze(1)
        assert (swaps, changed) == (other.sum(), (other & now).sum())


def test_a_lamp_is_lit_by_key_click_and_tap(played):
    "Each says so; the same once more lets go; the plain clone obeys and the cured one does not"
    def pressed(): return played.js("[...document.querySelectorAll('.mt-lamps button')]"
        ".map(o => o.getAttribute('aria-pressed')).indexOf('true')")
    def said(): return played.js("document.querySelector('.mt-verdict').textContent")
    def press(text): played.js("[...document.querySelectorAll('button')]"
        f".find(o => o.textContent === '{text}').click()")
    def lit(): return played.js("[...document.querySelectorAll('.mt-lamps button')]"
        ".map(o => o.className).indexOf('mt-lit')")
    answers = played.js("[...document.querySelectorAll('.mt-lamps span')].map(o => o.innerText)")
    first = pressed()  # the first frame shows the point: a lamp that changes the answer
    assert lit() == first >= 0 and said() == "The lamp changes the answer."
    press(["left", "stay", "right"][first])
    assert pressed() == -1 and answers[first] != answers[lit()]  # now its own is lit
    played.js("document.querySelector('.mt-lamps button').focus()")
    for kind in ("keyDown", "keyUp"):
        played.call("Input.dispatchKeyEvent", type=kind, key="3", code="Digit3", text="3"
            if kind == "keyDown" else "")
    assert pressed() == 2
    press("left")
    assert pressed() == 0
    box = played.js("(o => [o.left, o.top, o.width])(document.querySelector('canvas')"
        ".getBoundingClientRect())")
    spot = dict(x=box[0] + box[2]*11.5/24, y=box[1] + box[2]*2/24)  # the lamp in the middle
    for kind in ("mousePressed", "mouseReleased"):
        played.call("Input.dispatchMouseEvent", type=kind, button="left", clickCount=1, **spot)
    assert pressed() == 1
    press("stay")
    assert pressed() == -1
    for clone, words in (("plain", "The lamp changes the answer."),
            ("shuffle", "The same answer under every lamp.")):
        press(clone)
        for _ in range(30): press("Step")
        assert said() == words
    assert "Balls caught: 1 of 1" in played.js(
        "document.querySelector('.mt-catch_play [aria-live]').textContent")
    assert played.js("document.documentElement.scrollWidth") <= 390
    assert played.problems == []


def watched(clones, steps=57):
    "Two games as the front page shows them"
    made = {k: rollout(clones[k], 1, steps, lamps=True, seed=4, keep=True)
        for k in ("plain", "shuffle")}
    def looks(name):
        a = answers(clones[name], made[name].frames[0])[1]
        return b64encode((255*a/a.amax(1, keepdim=True)).byte().numpy().tobytes()).decode()
    where = (24*made["plain"].objects[0]).int()
    games = [dict(name=k, paddle=where[0, 1, 0].item(), actions=o.actions[0].tolist(),
        looks=looks(k)) for k, o in made.items()]
    return made, dict(balls=where[::19, 0, 0].tolist(), games=games)


@pytest.mark.parametrize("motion", ["no-preference", "reduce"])
def test_games_are_watched_with_their_attention(stage, tab, clones, motion):
    "As the package plays them; it runs by itself only where motion is wanted, and stops"
    made, data = watched(clones)
    tab.call("Emulation.setEmulatedMedia", features=[dict(name="prefers-reduced-motion",
        value=motion)])
    try:
        page = stage(widget("catch_watch", data))
        button = "document.querySelector('.mt-catch_watch button').textContent"
        assert page.js(button) == ("Pause" if motion == "no-preference" else "Play")
        for i, o in enumerate(made.values()):
            seen, caught = page.js("(o => [o.seen.map(s => [s.ball, s.row, s.paddle]), "
                f"o.caught])(document.querySelector('.mt-catch_watch').widget.games[{i}])")
            where = (24*o.objects[0]).int()
            want = torch.cat([where[:, 0], where[:, 1, :1]], 1)
            assert torch.equal(torch.tensor(seen).int(), want) and caught == o.caught[0]
        if motion == "no-preference":
            page.js("new Promise(o => setTimeout(o, 7500))")
            assert page.js(button) == "Play again"
            text = page.js("document.querySelector('figcaption').textContent")
            assert text == f"plain: {made['plain'].caught[0]} of 3 caught"
        assert page.problems == []
    finally: tab.call("Emulation.setEmulatedMedia", features=[])
