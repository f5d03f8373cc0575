"""A part refuses what cannot be stored."""

import numpy as np
import pytest

from usfm.store.writer import PartWriter


@pytest.fixture
def part():
    part = PartWriter(class_names=("a", "b"), box_names=("x",))
    part.source(path="a", sha256="0" * 64, kind="image")
    return part


FRAME = {"frame_id": "0:0", "source": 0, "index": 0, "time_s": 0.0}


@pytest.mark.parametrize("pixels", [np.zeros((4, 4)), np.zeros((4, 4, 4), np.uint8), np.zeros((0, 4), np.uint8)])
def test_odd_pixels(part, pixels):
    with pytest.raises(ValueError, match="frame"):
        part.frame(pixels, **FRAME)


@pytest.mark.parametrize("odd", [{"label": 2}, {"multi": [1]}, {"mask": np.zeros((2, 2), np.uint8)},
                                 {"boxes": ([[0, 0, 1, 1]], [3])}, {"source": 4}])  # fmt: skip
def test_odd_labels(part, odd):
    with pytest.raises(ValueError):
        part.frame(np.zeros((4, 4), np.uint8), **(FRAME | odd))


def test_a_new_class_name_is_added(part):
    part.frame(np.zeros((4, 4), np.uint8), **FRAME, label="c")
    assert part.class_names == ["a", "b", "c"]


def test_the_same_source_twice_is_one_row_but_an_identical_file_of_another_patient_is_not(part):
    again = part.source(path="a", sha256="0" * 64, kind="image")
    other = part.source(path="b", sha256="0" * 64, kind="image", patient="q", copy=1)
    assert (again, other) == (0, 1)
