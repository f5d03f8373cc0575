"""Values of a column for predicted frames."""

from types import SimpleNamespace

import numpy as np
import pytest

from usfm.errors import RequestError
from usfm.evaluate import columns
from usfm.tasks.predictions import Predictions, ragged


def outlined(area):
    """Predictions of a segmentation whose structures have these areas; the background is not one."""
    n = len(area)
    words = np.array([f"f{k}" for k in range(n)], object)
    truth = np.stack([1000 - np.array(area), np.array(area)], 1).astype(float)
    return Predictions(words, words, words, words, words, words, {"truth": truth}, ("background", "lump"),
                       task="segment", facts={"mask_kind": "index"})  # fmt: skip


def boxed(boxes):
    n = len(boxes)
    words = np.array([f"f{k}" for k in range(n)], object)
    lines = ragged([np.array(each, np.float32).reshape(-1) for each in boxes])
    return Predictions(words, words, words, words, words, words, {"truth_boxes": lines}, ("lump",), task="detect")


def store_with(spacing_mm, n):
    given = {"row_spacing_mm": np.full(n, spacing_mm), "col_spacing_mm": np.full(n, 2.0)}
    return SimpleNamespace(source_columns=(), column=lambda name: given[name])


def ask(held, store=None):
    rows = np.full(len(held), -1) if store is None else np.arange(len(held))
    return columns.values("size", held, {}, store, rows)


def test_sizes_make_three_groups_of_about_equal_number():
    area = np.random.default_rng(0).permutation(np.arange(1, 91)).tolist()
    found = ask(outlined([*area, 0]))
    assert found[-1] == "nothing to see"
    names, counts = np.unique(found[:-1], return_counts=True)
    assert all(name.endswith(" px2") for name in names)
    assert sorted(counts.tolist()) == [30, 30, 30]
    for name in names:  # each group is a range of its own
        low, high = float(name.split()[0]), float(name.split()[2])
        assert all(low - 1 <= value <= high + 1 for value, word in zip(area, found, strict=False) if word == name)


def test_a_store_that_knows_the_spacing_gives_square_millimetres():
    held = outlined(range(10, 40))
    assert all(word.endswith("mm2") for word in ask(held, store_with(0.5, 30)))
    assert all(word.endswith("px2") for word in ask(held, store_with(np.nan, 30)))


def test_boxes_count_by_their_mean_area():
    held = boxed([[0, 0, 4, 5], [0, 0, 2, 2, 0, 0, 4, 4], []])
    assert ask(held).tolist() == ["20.0 px2", "10.0 px2", "nothing to see"]


def test_a_task_without_sizes_says_so(make_run):
    with pytest.raises(RequestError, match="--by size: there is no such column"):
        ask(make_run(patients=4))
    with pytest.raises(RequestError, match=r"--by sise: there is no such column.*did you mean .size.*"):
        columns.values("sise", outlined([3, 4]), {}, None, np.full(2, -1))
