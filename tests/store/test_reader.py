"""What was written is what is read: one file or many, forked or spawned, and a clear sentence for what is no store."""

import multiprocessing
import os
import pickle
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest

from usfm.errors import RequestError
from usfm.store.reader import Store
from usfm.store.schema import describe


def test_round_trip(build):
    store, given = build([[0, 1], [2], [3, 4]])
    assert len(store) == len(given) == 35
    assert store.num_sources == 5
    for row, one in enumerate(given):
        assert (store.frame(row) == one["pixels"]).all()
        mask = store.label_mask(row)
        assert mask is None if one["mask"] is None else (mask == one["mask"]).all()
        xyxy, classes = store.boxes(row)
        assert store.has_boxes()[row] == (one["boxes"] is not None)
        assert (xyxy == np.reshape(one["boxes"][0] if one["boxes"] else [], (-1, 4))).all()
        assert len(classes) == len(xyxy)
    assert store.column("frame_id").tolist() == [one["frame_id"] for one in given]
    assert store.column("time_s").tolist() == [one["time_s"] for one in given]
    assert store.labels_class().tolist() == [-1 if one["label"] is None else one["label"] for one in given]
    assert store.split().tolist() == [one["split"] for one in given]
    assert store.of_frames("patient").tolist() == ["p0"] * 14 + ["p1"] * 14 + ["p2"] * 7
    assert store.of_frames("hospital")[7] == "north"
    assert store.of_frames("hospital")[0] == ""
    assert store.source_column("metadata")[0] == '{"model": "\\u00e9"}'


def test_regions_and_overlays_come_back(build):
    from store_samples import region_of

    store, _ = build([[0, 1], [3]])
    for source, number in enumerate([0, 1, 3]):
        row = np.flatnonzero(store.column("source") == source)[0]
        region, wanted = store.region(store.column("region_row")[row]), region_of(number, store.frame(row).shape)
        assert (region.mask == wanted.mask).all()
        assert (region.geometry, region.shape, region.extra) == (wanted.geometry, wanted.shape, wanted.extra)
        overlay = store.column("overlay_row")[row]
        assert overlay >= 0 if number % 2 else overlay == -1
        if number % 2:
            assert (store.overlay(overlay) == np.eye(*store.frame(row).shape[:2], dtype=bool)).all()
            assert store.overlay_detail(overlay)["texts"] == 2
    assert store.has_regions
    assert store.region_table()["evidence"].tolist() == ["motion"] * 3


def test_one_file_or_many_are_the_same(build):
    whole, _ = build([[0, 1], [2], [3]])
    build([[0, 1]], "a.h5")
    build([[2]], "b.h5")
    build([[3]], "c.h5")
    folder = os.path.dirname(whole.paths[0])
    many = Store.open([f"{folder}/[abc].h5"])
    assert [os.path.basename(path) for path in many.paths] == ["a.h5", "b.h5", "c.h5"]
    for name in ("frame_id", "source", "region_row", "overlay_row", "time_s", "digest"):
        assert (many.column(name) == whole.column(name)).all(), name
    for row in range(len(whole)):
        assert (many.frame(row) == whole.frame(row)).all()
        assert (many.boxes(row)[0] == whole.boxes(row)[0]).all()
    assert (many.labels_class() == whole.labels_class()).all()
    assert [rows.tolist() for rows in many.clips()] == [rows.tolist() for rows in whole.clips()]
    assert many.source_columns == whole.source_columns
    assert many.parts()["first_row"].tolist() == [0, 14, 21]


def test_classes_of_several_files_are_joined_by_name(build, tmp_path):
    build([[0]], "a.h5", names=("healthy", "ill"))
    build([[1]], "b.h5", names=("ill", "odd"))
    many = Store.open([tmp_path / "a.h5", tmp_path / "b.h5"])
    assert many.class_names == ["healthy", "ill", "odd"]
    named = [many.class_names[label] for label in many.labels_class() if label >= 0]
    assert named == ["ill", "healthy"] * 3 + ["odd", "ill"] * 3


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_readers_work_after_fork_and_spawn(build, method):
    store, given = build([[0, 1], [2]])
    before = store.frame(3).sum()  # so that the parent has the file open
    context = multiprocessing.get_context(method)
    queue = context.Queue()
    halves = [list(range(start, len(store), 2)) for start in (0, 1)]
    import store_samples

    processes = [context.Process(target=store_samples.total, args=(store, rows, queue)) for rows in halves]
    for process in processes:
        process.start()
    total = sum(queue.get(timeout=60) for _ in processes)
    for process in processes:
        process.join()
    assert total == sum(int(one["pixels"].sum()) for one in given)
    assert store.frame(3).sum() == before


def test_a_store_pickles_as_its_paths(build):
    store, _ = build([[0]])
    store.frame(0)
    data = pickle.dumps(store)
    assert len(data) < 1000
    assert (pickle.loads(data).frame(0) == store.frame(0)).all()


def test_frames_in_threads_keep_their_order(build):
    store, given = build([[0, 1, 2]])
    rows = np.random.default_rng(0).permutation(len(store))
    assert all((frame == given[row]["pixels"]).all() for row, frame in zip(rows, store.frames(rows, 4), strict=True))


def test_a_plain_reader_sees_the_same(build):
    store, given = build([[0, 1]])
    with h5py.File(store.paths[0]) as file:
        assert (file["pixels/8x9"][3] == given[3]["pixels"]).all()
        assert file["pixels/8x9"].chunks == (1, 8, 9)
        assert file["frames/frame_id"].asstr()[0] == given[0]["frame_id"]
        missing = []

        def look(name: str, thing: object) -> None:
            if isinstance(thing, h5py.Dataset):
                row = describe(f"/{name}")
                if thing.attrs.get("unit") != row.unit or thing.attrs.get("description") != row.description:
                    missing.append(name)

        file.visititems(look)
        assert not missing


def test_what_is_no_store_is_one_sentence(build, tmp_path):
    store, _ = build([[0]])
    whole = Path(store.paths[0]).read_bytes()
    (tmp_path / "text.h5").write_text("not HDF5")
    (tmp_path / "empty.h5").write_bytes(b"")
    (tmp_path / "cut.h5").write_bytes(whole[: len(whole) // 2])
    with h5py.File(tmp_path / "foreign.h5", "w") as file:
        file["x"] = [1]
    shutil.copy(store.paths[0], tmp_path / "newer.h5")
    with h5py.File(tmp_path / "newer.h5", "r+") as file:
        file.attrs["version"] = 99
    for name, words in {"none.h5": "no such file", "text.h5": "not an HDF5 file", "empty.h5": "empty file",
                        "cut.h5": "truncated", "foreign.h5": "not a usfm store", "newer.h5": "newer usfm",
                        ".": "folder"}.items():  # fmt: skip
        with pytest.raises(RequestError, match=words) as caught:
            Store.open(tmp_path / name)
        assert "\n" not in str(caught.value)
    with pytest.raises(RequestError, match="no file matches"):
        Store.open(tmp_path / "nothing-*.h5")
    with pytest.raises(RequestError, match="given twice"):
        Store.open([store.paths[0], store.paths[0]])


def test_a_file_that_was_replaced_is_read_anew(build):
    store, _ = build([[0]])
    assert len(Store.open(store.paths[0])) == 7
    build([[0, 1]])
    assert len(Store.open(store.paths[0])) == 14


def test_require_names_the_command(build):
    store, _ = build([[0]])
    store.require(regions=True, classes=True)
    with pytest.raises(RequestError, match="usfm sector"):
        store.require(fixed=True)


def test_a_literal_name_is_tried_before_a_pattern(build, tmp_path):
    from usfm.config import Request
    from usfm.jobs.run import out_path

    build([[0]], "raw[1].h5")
    build([[1]], "raw1.h5")
    literal, pattern = str(tmp_path / "raw[1].h5"), str(tmp_path / "raw[1-2].h5")
    assert Store.open(literal).paths == [literal]
    assert Store.open(pattern).paths == [str(tmp_path / "raw1.h5")]
    assert out_path(Request(inputs=(literal,)), "clean") == tmp_path / "raw[1].clean.h5"
    with pytest.raises(RequestError, match="--out"):
        out_path(Request(inputs=(pattern,)), "clean")
