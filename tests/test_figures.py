"Figures: one look, letters large enough, pages light enough, and a caption for each."
import io, json, re, sys

import matplotlib as mpl
import numpy as np
import pytest
from bs4 import BeautifulSoup
from matplotlib import pyplot as plt
from PIL import Image

from conftest import ROOT
from minitrain.core import as_pictures, subplots

sys.path[:0] = [str(ROOT/"tools"), str(ROOT/"tools"/"site")]
import convert  # noqa: E402

NOTEBOOKS = sorted((ROOT/"nbs").glob("*.ipynb"))
WIDE = 6.5*72  # points: what a page shows of a figure, at most


@pytest.fixture(autouse=True)
def default_look():
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.use("agg")
        yield
        plt.close("all")


def smallest(svg):
    "Size in points of the smallest letters on a page, exponents left aside"
    width = float(re.search(r'width="([\d.]+)pt"', svg)[1])
    sizes = map(float, re.findall(r'<text style="font-size: ([\d.]+)px', svg))
    return min(sizes, default=99)*min(1, WIDE/width)


def figure(n=10):
    fig, ax = subplots(figsize=(6, 3))
    ax.plot(np.arange(n), np.random.default_rng(0).random(n), ".", label="points")
    ax.axhline(0.5, color="black")
    ax.set(xlabel="step", ylabel="loss", title="A title")
    ax.text(0, 0, "here", color="black")
    ax.legend()
    return fig


# ----------------------------------------------------------------------- the look

def test_the_look_is_one_and_legible():
    svg = as_pictures(figure())[0]["image/svg+xml"]
    assert smallest(svg) >= 9 and ">loss</text>" in svg, "letters, not their outlines"
    assert svg == as_pictures(figure())[0]["image/svg+xml"]


def test_a_look_of_ones_own_is_kept():
    mpl.rcParams["axes.edgecolor"] = "red"
    figure()
    assert mpl.rcParams["axes.edgecolor"] == "red" and not mpl.rcParams["svg.hashsalt"]


def test_the_png_beside_an_svg_is_light_and_looks_the_same():
    fig, drawn = figure(), io.BytesIO()
    fig.savefig(drawn, format="png", dpi=72, bbox_inches="tight")
    stored = as_pictures(fig)[0]["image/png"]
    a, b = (np.array(Image.open(io.BytesIO(o)).convert("RGB")).astype(int) for o in (drawn.getvalue(), stored))
    assert a.shape == b.shape and abs(a - b).max() < 30
    assert len(stored) < 0.5*len(drawn.getvalue())


def test_a_cloud_of_points_is_a_png():
    pictures, metadata = as_pictures(figure(5000))
    assert set(pictures) == {"image/png"}
    assert 500 < metadata["image/png"]["width"] < 600


# ----------------------------------------------------------------------- the page

def test_a_figure_becomes_part_of_the_page():
    stored = as_pictures(figure())[0]["image/svg+xml"]
    html = convert.inline_figure(stored, 'A "line" < 3')
    svg = BeautifulSoup(html, "html.parser").svg
    assert svg["role"] == "img" and svg["aria-label"] == 'A "line" < 3'
    assert not svg.find("style") and "#ffffff" not in html and "1a1a1b" not in html
    used = set(re.findall(r'(?:href="|url\()#(\w+)', html))
    assert {o["id"] for o in svg.find_all(id=True)} == used
    assert "stroke: currentColor" in html and "#000000" not in html


def test_a_figure_with_an_image_keeps_its_ground():
    "Letters on an image were chosen for the image, not for the page"
    fig, ax = subplots()
    ax.imshow([[0, 1]])
    html = convert.inline_figure(as_pictures(fig)[0]["image/svg+xml"], "")
    assert "#ffffff" in html and "currentColor" not in html


def test_a_png_keeps_its_size():
    o = dict(data={"image/png": "aGk="}, metadata={"image/png": {"width": 321}})
    assert convert.picture_width([o]) == "321px"
    assert convert.picture_width([dict(data={}, metadata={})]) is None


# --------------------------------------------------------------- what is stored

def figures(path):
    "Options and pictures of each cell that shows a figure"
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        for o in cell.get("outputs", []):
            data = {k: "".join(v) for k, v in o.get("data", {}).items()}
            if any(k.startswith("image/") for k in data):
                source = "".join(cell["source"])
                yield cell["id"], convert.split_options(source)[0], data


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_every_figure_has_a_caption_and_words_for_it(path):
    for id, options, _ in figures(path):
        assert len(options.get("fig-cap", "").split()) > 4, f"{id}: add `#| fig-cap:`"
        assert len(options.get("fig-alt", "").split()) > 3, f"{id}: add `#| fig-alt:`"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_figures_are_small_and_legible(path):
    found = list(figures(path))
    def weight(data): return len(data.get("image/svg+xml") or data["image/png"])
    assert sum(weight(data) for _, _, data in found) <= 400_000
    small = {id: round(smallest(data["image/svg+xml"]), 1) for id, _, data in found
        if "image/svg+xml" in data}
    assert not {k: v for k, v in small.items() if v < 8.7}  # a tight box adds a margin
