"""Figures in both themes: readable colours, the right size, any name, nothing to show."""

import io
from functools import partial

import numpy as np
import pytest
from PIL import Image, ImageColor

from usfm.pictures import evidence, html, matrix
from usfm.pictures.evidence import Estimate, Line
from usfm.pictures.theme import DARK, LIGHT, WIDTH_PX, both

NONE = np.zeros(0)
NASTY = "$x^2$ <script> _hidden \x1b[31m " + "long " * 30


def line(name, points=5):
    x = np.linspace(0.1, 1, points)
    return Line(name, x, x**2, x**2 - 0.1, np.minimum(1, x**2 + 0.1))


DRAWINGS = {
    "forest": partial(evidence.forest, [Estimate("a", 0.7, 0.6, 0.8), Estimate(NASTY, 0.5, np.nan, np.nan)], "AUROC",
                      0.5, "chance"),
    "forest of nothing": partial(evidence.forest, [Estimate("a", np.nan, np.nan, np.nan)], "AUROC"),
    "curves": partial(evidence.lines, [line("a"), line(NASTY), Line("no band", np.arange(2), np.arange(2), NONE, NONE)],
                      "x", "y", diagonal=True),
    "many curves": partial(evidence.lines, [line(f"class {k}") for k in range(11)], "x", "y"),
    "dose": partial(evidence.lines, [line("a", 3)], "share", "F1", log_x=True, markers=True, unit=False),
    "no curve": partial(evidence.lines, [], "x", "y"),
    "reliability": partial(evidence.reliability,
                           [(0.6, Estimate("", 0.5, 0.3, 0.7), 12), (0.9, Estimate("", 1, 0.8, 1), 9000)]),
    "no bin": partial(evidence.reliability, []),
    "map": partial(evidence.scatter, np.random.default_rng(0).normal(size=(60, 2)),
                   [f"p{k % 12}" for k in range(60)], "1", "2"),
    "map of one": partial(evidence.scatter, np.zeros((1, 2)), [NASTY], "1", "2"),
    "confusion": partial(matrix.confusion, None, np.eye(3) * 9, ["a", NASTY, ""]),
}  # fmt: skip


@pytest.mark.parametrize("draw", DRAWINGS.values(), ids=DRAWINGS)
def test_both_themes_are_drawn_at_the_width_of_a_telephone(draw):
    pair = both(lambda theme: draw(theme=theme))
    for data, theme in ((pair.light, LIGHT), (pair.dark, DARK)):
        picture = Image.open(io.BytesIO(data)).convert("RGB")
        assert picture.width == 2 * WIDTH_PX
        assert picture.getpixel((1, 1)) == ImageColor.getrgb(theme.paper)
        assert len(picture.getcolors(picture.width * picture.height)) > 2
    page = html.themed(pair, NASTY)
    assert "screen and (prefers-color-scheme: dark)" in page
    assert "<script" not in page


def luminance(colour):
    parts = [x / 255 for x in ImageColor.getrgb(colour)]
    return np.dot(
        [0.2126, 0.7152, 0.0722], [x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4 for x in parts]
    )


@pytest.mark.parametrize("theme", [LIGHT, DARK])
def test_colours_stand_out_from_the_paper(theme):
    def contrast(colour):
        high, low = sorted([luminance(colour), luminance(theme.paper)], reverse=True)
        return (high + 0.05) / (low + 0.05)

    assert contrast(theme.ink) >= 7
    assert contrast(theme.soft) >= 4.5
    assert min(contrast(colour) for colour in theme.palette) >= 3
    assert len(set(theme.palette)) == 8
