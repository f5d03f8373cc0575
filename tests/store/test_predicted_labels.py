"""Masks and boxes that a run predicted: marked, sealed, carried along, and never joined with those of people."""

import h5py
import numpy as np
import pytest

from usfm.errors import RequestError
from usfm.store.assemble import write_store
from usfm.store.reader import Store
from usfm.store.schema import frame_id
from usfm.store.verify import verify
from usfm.store.writer import PartWriter

RUN = "0123456789abcdef"
BOXES = np.array([[1, 2, 9, 8], [0, 0, 4, 4]], np.float32)


def made(path, run=RUN, first=0):
    part = PartWriter(box_names=("mass",), mask_names=("mass",), mask_run=run, box_run=run)
    for k in range(first, first + 3):
        sha = f"{k:064x}"[::-1]
        source = part.source(path=f"{k}.png", sha256=sha, kind="image")
        boxes = BOXES[: k - first], ["mass"] * (k - first)
        if run:
            scores = np.array([0.75, 0.25], np.float32)[: k - first]
            boxes = (*boxes, np.full(k - first, -1, np.int32), scores)
        pixels = np.full((12, 10), 20 * k, np.uint8)
        part.frame(pixels, frame_id=frame_id(sha, 0), source=source, index=0, time_s=0.0, boxes=boxes,
                   mask=(np.arange(120).reshape(12, 10) % 3 == 0).astype(np.uint8))  # fmt: skip
    return str(write_store(path, part))


def test_they_are_marked_and_carried_along(tmp_path):
    store = Store.open(made(tmp_path / "a.h5"))
    assert (store.mask_run, store.box_run) == (RUN, RUN)
    assert [store.box_scores(k).tolist() for k in range(3)] == [[], [0.75], [0.75, 0.25]]
    part = PartWriter(like=store)
    for row in range(3):
        part.copy(store, row)
    copied = Store.open(str(write_store(tmp_path / "b.h5", part)))
    assert (copied.mask_run, copied.box_run) == (RUN, RUN)
    assert [copied.box_scores(k).tolist() for k in range(3)] == [store.box_scores(k).tolist() for k in range(3)]
    assert verify(str(tmp_path / "b.h5")).whole
    with h5py.File(tmp_path / "b.h5") as file:
        assert dict(file["labels/masks"].attrs)["origin"] == "predicted"


def test_labels_of_people_have_no_run_and_no_scores(tmp_path):
    store = Store.open(made(tmp_path / "a.h5", run=""))
    assert (store.mask_run, store.box_run) == ("", "")
    assert np.isnan(store.box_scores(2)).all()
    with h5py.File(tmp_path / "a.h5") as file:
        assert "score" not in file["labels/boxes"]
        assert "origin" not in file["labels/masks"].attrs


@pytest.mark.parametrize("path", ["labels/masks", "labels/boxes/class"])
def test_a_changed_run_is_damage(tmp_path, path):
    made(tmp_path / "a.h5")
    with h5py.File(tmp_path / "a.h5", "r+") as file:
        del file[path].attrs["run"]
    with pytest.raises(RequestError, match="damaged"):
        Store.open(str(tmp_path / "a.h5"))


def test_predictions_and_labels_are_not_joined(tmp_path):
    a, b = Store.open(made(tmp_path / "a.h5")), Store.open(made(tmp_path / "b.h5", run="", first=5))
    with pytest.raises((RequestError, ValueError), match="a prediction is no label"):
        Store.open([str(a.paths[0]), str(b.paths[0])]).require(labels=True)


def test_infinite_scores_are_refused():
    part = PartWriter(box_names=("mass",), box_run=RUN)
    source = part.source(path="a.png", sha256="0" * 64, kind="image")
    with pytest.raises(ValueError, match="infinite"):
        part.frame(np.zeros((12, 10), np.uint8), frame_id="a:0", source=source, index=0, time_s=0.0,
                   boxes=(BOXES, ["mass"] * 2, [-1, -1], [np.inf, 0.5]))  # fmt: skip
