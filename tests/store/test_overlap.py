"""Inputs that share frames: one frame where they are equal, refused where not, in every command that takes several."""

import contextlib
import io
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from store_samples import make_part

sys.path.insert(0, str(Path(__file__).parents[1] / "bench"))
from fuzz_stores import in_process

from usfm.cli.main import main
from usfm.errors import RequestError, WorkError
from usfm.store import rows
from usfm.store.assemble import assemble
from usfm.store.reader import Store
from usfm.store.verify import verify
from usfm.store.writer import PartWriter


def test_shared_frames_are_one_frame(build):
    whole, _ = build([[0, 1], [2], [3]], "whole.h5")
    first, _ = build([[0, 1], [2]], "first.h5")
    second, _ = build([[2], [3], [0]], "second.h5")
    both = Store.open([first.paths[0], second.paths[0]])
    assert len(both) == len(whole)
    for name in ("frame_id", "time_s", "digest", "kind", "scale"):
        assert both.column(name).tolist() == whole.column(name).tolist(), name
    assert both.num_sources == whole.num_sources
    assert (both.labels_class() == whole.labels_class()).all()
    assert (both.split() == whole.split()).all()
    assert (both.has_masks() == whole.has_masks()).all()
    assert (both.has_boxes() == whole.has_boxes()).all()
    for row in range(len(whole)):
        assert (both.frame(row) == whole.frame(row)).all()
        assert (both.boxes(row)[0] == whole.boxes(row)[0]).all()
        masks = both.label_mask(row), whole.label_mask(row)
        assert masks[0] is masks[1] is None or (masks[0] == masks[1]).all()
        regions = [one.region(one.column("region_row")[row]).mask for one in (both, whole)]
        assert (regions[0] == regions[1]).all()
    assert both.parts()["rows"].tolist() == [14, 7, 0, 7, 0]
    assert both.parts()["first_row"].tolist() == [0, 14, 21, 21, 28]


def contiguous(path: Path, numbers: list[int]) -> Path:
    part = PartWriter(contiguous=True)
    for number in numbers:
        source = part.source(path=str(number), sha256=f"{number:x}" * 64, kind="image")
        pixels = np.full((4, 5), number, np.uint8)
        part.frame(pixels, frame_id=f"{number:x}:0", source=source, index=0, time_s=0.0)
    path.with_suffix(".part").write_bytes(part.to_bytes())
    assemble(path, [("all", path.with_suffix(".part"))], step={"command": "test"})
    return path


def test_fixed_size_pixels_of_overlapping_stores(tmp_path):
    paths = [contiguous(tmp_path / f"{k}.h5", numbers) for k, numbers in enumerate([[1, 2], [2, 3, 1], [4]])]
    store = Store.open(paths)
    assert store.pixels([3, 0, 2, 1, 3])[:, 0, 0].tolist() == [4, 1, 3, 2, 4]
    with pytest.raises(IndexError):
        store.pixels([4])


def made(tmp_path, name: str, changes: dict | None = None, drop: str = "", **source) -> str:
    """A store of two frames, the first of them as it is told."""
    part = PartWriter(class_names=("a", "b"), box_names=("x",))
    row = part.source(**{"path": "a", "sha256": "a" * 64, "kind": "video", **source})
    for index in range(2):
        values = {
            "pixels": np.full((32, 32), 9, np.uint8),
            "label": 1,
            "time_s": 0.0,
            "mask": np.zeros((32, 32), np.uint8),
        }
        values |= (changes or {}) if index == 0 else {}
        part.frame(values.pop("pixels"), frame_id=f"a:{index}", source=row, index=index, **values)
    if drop:
        part.drop(drop, "b:0", float("nan"), "dedup/visual")
    (tmp_path / f"{name}.part").write_bytes(part.to_bytes())
    assemble(tmp_path / f"{name}.h5", [("all", tmp_path / f"{name}.part")], step={"command": "test"})
    return str(tmp_path / f"{name}.h5")


@pytest.mark.parametrize("changes, word", [
    ({"pixels": np.full((32, 32), 8, np.uint8)}, "digest"),
    ({"pixels": np.full((32, 33), 9, np.uint8), "mask": None}, "width"),
    ({"label": 0}, "labels"),
    ({"label": None}, "labels"),
    ({"mask": np.ones((32, 32), np.uint8)}, "labels"),
    ({"boxes": ([[0, 0, 4, 4]], [0])}, "labels"),
    ({"split": "test"}, "labels"),
    ({"time_s": 1.0}, "time_s"),
    ({"kind": "doppler"}, "kind"),
    ({"scale": 2.0}, "scale"),
    ({"row_spacing_mm": 0.1}, "row_spacing_mm"),
])  # fmt: skip
def test_a_frame_that_differs_is_refused_by_name(tmp_path, changes, word):
    paths = [made(tmp_path, "one"), made(tmp_path, "two", changes)]
    with pytest.raises(RequestError, match=rf"one\.h5 and .*two\.h5: frame a:0 is in both and differs in .*{word}"):
        Store.open(paths)


def test_a_source_that_differs_is_refused(tmp_path):
    paths = [made(tmp_path, "one", patient="p"), made(tmp_path, "two", patient="q")]
    with pytest.raises(RequestError, match="frame a:0 is in both and differs in source"):
        Store.open(paths)


def test_a_frame_that_the_other_has_dropped_is_refused(tmp_path):
    part = PartWriter()
    source = part.source(path="b", sha256="b" * 64, kind="image")
    part.frame(np.zeros((4, 4), np.uint8), frame_id="b:0", source=source, index=0, time_s=0.0)
    part.drop("a:1", "b:0", 0.99, "dedup/visual")
    (tmp_path / "b.part").write_bytes(part.to_bytes())
    assemble(tmp_path / "b.h5", [("all", tmp_path / "b.part")], step={"command": "test"})
    for paths in ([made(tmp_path, "a"), tmp_path / "b.h5"], [tmp_path / "b.h5", made(tmp_path, "a")]):
        with pytest.raises(RequestError, match="frame a:1 is in the first and was dropped from the second"):
            Store.open(paths)


def test_rows_that_inputs_share_are_carried_once_even_without_a_number(tmp_path):
    paths = [made(tmp_path, name, drop="c:5") for name in ("one", "two")]
    store = Store.open(paths)
    assert len(store.dropped()["frame_id"]) == 1
    part = PartWriter()
    part.copy(store, 0)
    (tmp_path / "out.part").write_bytes(part.to_bytes())
    assemble(tmp_path / "out.h5", [("all", tmp_path / "out.part")], inputs=[store], step={"command": "copy"})
    assert Store.open(tmp_path / "out.h5").dropped()["frame_id"].tolist() == ["c:5"]


@pytest.mark.parametrize("fault", ["twice", "dropped"])
def test_no_store_is_written_with_a_name_twice(tmp_path, fault):
    (tmp_path / "0.part").write_bytes(make_part([0])[0])
    part = PartWriter()
    source = part.source(path="x", sha256="f" * 64, kind="image")
    name = "0000000000000000:3"
    part.frame(
        np.zeros((4, 4), np.uint8), frame_id=name if fault == "twice" else "x:0", source=source, index=0, time_s=0.0
    )
    if fault == "dropped":
        part.drop(name, "x:0", 1.0, "dedup/visual")
    (tmp_path / "1.part").write_bytes(part.to_bytes())
    with pytest.raises(WorkError, match=f"frame {name} "):
        assemble(tmp_path / "out.h5", [(str(k), tmp_path / f"{k}.part") for k in range(2)], step={"command": "test"})
    assert not (tmp_path / "out.h5").exists()


def told(arguments: list[str]) -> tuple[int, str]:
    said = io.StringIO()
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(said), in_process():
        try:
            main(arguments)
        except SystemExit as end:
            return end.code or 0, said.getvalue()
    return 0, said.getvalue()


@pytest.mark.parametrize("command", [
    ["clean", "--text", "none"], ["dedup"], ["sector", "--size", "32", "--patch", "8"],
])  # fmt: skip
def test_commands_merge_equal_inputs_and_refuse_others(tmp_path, command):
    rng = np.random.default_rng(0)
    noise = {"pixels": rng.integers(0, 256, (32, 32), np.uint8)}
    one = made(tmp_path, "one", noise)
    two = shutil.copy(one, tmp_path / "two.h5")
    code, said = told([*command, "--in", one, "--in", str(two), "--out", str(tmp_path / "out.h5")])
    if code == 0:
        step = Store.open(tmp_path / "out.h5").history[-1]["counts"]
        assert step["frames_in"] == 2
        assert verify(str(tmp_path / "out.h5")).whole
    else:
        pytest.fail(said)
    other = made(tmp_path, "other")
    code, said = told([*command, "--in", one, "--in", other, "--out", str(tmp_path / "no.h5")])
    assert code == 2
    assert "frame a:0 is in both" in said
    assert not (tmp_path / "no.h5").exists()


def test_fingerprints_find_what_a_set_finds():
    rng = np.random.default_rng(0)
    values = np.array([b"%d:%d" % tuple(pair) for pair in rng.integers(0, 60, (2000, 2))])
    unique, counts = np.unique(values, return_counts=True)
    assert rows.repeated(values) == unique[counts > 1].tolist()
    longer = values[:50].astype("S40")
    assert rows.shared(values[500:], longer) == sorted(set(values[500:].tolist()) & set(longer.tolist()))
