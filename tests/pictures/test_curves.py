import io

import numpy as np
from PIL import Image

from usfm.pictures import curves


def _size(png):
    return Image.open(io.BytesIO(png)).size


def test_curves_are_written_where_asked_and_returned(tmp_path):
    png = curves.curves(
        tmp_path / "a" / "c.png",
        {"loss": ([0, 1, 2], [3.0, np.nan, 1.0])},
        "step",
        "loss",
        title="t",
        bands={"loss": ([2, 1, 0.5], [4, 3, 2])},
        log_y=True,
        markers=True,
    )
    assert (tmp_path / "a" / "c.png").read_bytes() == png
    assert _size(png) == (660, 418)


def test_the_same_curve_is_the_same_file():
    draw = lambda: curves.curves(None, {"肺": ([0, 1], [0, 1])}, "x", "y", diagonal=True, xlim=(0, 1), ylim=(0, 1))  # noqa: E731
    assert draw() == draw()


def test_nothing_to_draw_is_still_a_picture():
    assert _size(curves.curves(None, {}, "x", "y"))
    assert _size(curves.histogram(None, {"a": []}, "x", log_y=True))
    assert _size(curves.intervals(None, {}, "x"))


def test_a_histogram_leaves_out_what_is_not_finite():
    assert _size(curves.histogram(None, {"a": [0.1, np.nan, np.inf, 0.4], "b": [0.2]}, "cosine", lines={"t": 0.3}))


def test_intervals_grow_with_their_rows():
    one = _size(curves.intervals(None, {"a": (0.5, 0.4, 0.6)}, "x", reference=0))
    many = _size(curves.intervals(None, {str(k): (0.5, 0.4, 0.6) for k in range(9)}, "x", reference=0))
    assert many[1] > one[1]
