"""One part: frames that are due come out, everything else is a row that says why."""

import os
from dataclasses import replace

import numpy as np
import pytest

from usfm.extract import isolate, plan
from usfm.extract.labels import Facts
from usfm.extract.sampling import Sampling
from usfm.extract.scan import ScanTask, loads, scan
from usfm.extract.sources import find
from usfm.extract.take import shade, take
from usfm.jobs.parts import Part
from usfm.store.assemble import assemble
from usfm.store.part import open_part
from usfm.store.reader import Store


class Empty:
    """A part without frames, which no store can be made of, read like one."""

    def __init__(self, tables):
        self.tables = tables

    def __len__(self):
        return 0

    def rejected(self):
        return {name: texts(self.tables[f"/rejected/{name}"]) for name in ("source", "reason", "frame_id")}

    def source_column(self, name):
        return texts(self.tables[f"/sources/{name}"])


def texts(values):
    return np.array([value.decode() for value in values.tolist()])


def opened(path, data):
    path.write_bytes(b"".join(data))
    tables = open_part(path).tables
    if not len(tables["/frames/frame_id"]):
        return Empty(tables)
    assemble(path.with_suffix(".h5"), [("part", path)], step={"command": "test"})
    return Store.open(path.with_suffix(".h5"))


@pytest.fixture
def part_of(tmp_path):
    """Extract a folder as one part, without the machinery around it, and open the result."""

    def run(folder, *, color=None, facts=None, sampling=Sampling()):
        sources = find([str(folder)]).sources
        scans = loads(scan(ScanTask(sources, 1 << 30)))
        facts = facts or {source.relative: Facts() for source in sources}
        cut = plan.pieces(sources, scans, facts, sampling, None, hide_paths=False)
        classes = tuple(sorted({one.label for one in facts.values()} - {""}))
        order = plan.TakeTask(tuple(cut), sampling, color, plan.Names(classes))
        return opened(tmp_path / "part", take(order)), order

    return run


def rejected(store):
    table = store.rejected()
    return dict(zip(table["source"], table["reason"], strict=True))


def test_everything_is_kept_or_rejected_with_a_reason(tmp_path, make_video, make_still, part_of, read_number):
    make_video("in/b.mp4", frames=25)
    make_still("in/a.png", np.zeros((8, 8), np.uint8))
    (tmp_path / "in/c.mp4").write_text("no video at all")
    (tmp_path / "in/d.mov").touch()
    whole = make_video("in/e.mp4", frames=25).read_bytes()
    (tmp_path / "in/e.mp4").write_bytes(whole[: len(whole) // 2])
    store, _ = part_of(tmp_path / "in")
    assert list(store.source_column("path")) == ["a.png", "b.mp4"]
    assert rejected(store) == {"c.mp4": "not media", "d.mov": "empty file", "e.mp4": "truncated or damaged"}
    assert [read_number(store.frame(row)) for row in range(1, 4)] == [0, 8, 16]
    assert np.allclose(store.column("time_s")[1:], [0, 0.32, 0.64])
    assert np.isnan(store.column("time_s")[0])
    assert list(store.source_column("frames")) == [1, 25]
    assert store.fixed_shape is None


def test_identical_sources_stay_apart_under_their_own_labels(tmp_path, make_still, part_of):
    pixels = np.arange(64, dtype=np.uint8).reshape(8, 8)
    for name in ("x/1.png", "y/1.png", "z/1.png"):
        make_still(f"in/{name}", pixels)
    facts = {"x/1.png": Facts(label="a", split="train"), "y/1.png": Facts(label="b"), "z/1.png": Facts(patient="p")}
    store, _ = part_of(tmp_path / "in", facts=facts)
    names = list(store.column("frame_id"))
    assert [name.split(":")[0][16:] for name in names] == ["", "~1", "~2"]
    assert len({name[:16] for name in names}) == 1
    assert store.class_names == ["a", "b"]
    assert list(store.labels_class()) == [0, 1, -1]
    assert list(store.split()) == ["train", "", ""]
    assert list(store.source_column("patient")) == ["", "", "p"]


def test_a_file_that_changes_under_us_is_not_taken(tmp_path, make_still, part_of):
    path = make_still("in/a.png", np.zeros((8, 8), np.uint8))
    store, order = part_of(tmp_path / "in")
    os.utime(path, ns=(0, 0))
    assert len(store) == 1
    assert rejected(opened(tmp_path / "again", take(order))) == {"a.png": "changed during the run"}


def test_colour_is_kept_where_there_is_some(tmp_path, make_video, part_of):
    make_video("in/gray.mp4", frames=5)
    make_video("in/red.mp4", frames=5, color=(230, 20, 20))
    store, _ = part_of(tmp_path / "in")
    assert [store.frame(row).ndim for row in range(len(store))] == [2, 3]
    assert [f.ndim for f in part_of(tmp_path / "in", color=True)[0].frames([0, 1])] == [3, 3]
    assert [f.ndim for f in part_of(tmp_path / "in", color=False)[0].frames([0, 1])] == [2, 2]


def test_a_small_marker_is_colour_and_a_tint_is_not():
    frame = np.repeat(np.random.default_rng(0).integers(0, 220, (300, 400, 1), dtype=np.uint8), 3, axis=2)
    assert shade(frame, None).ndim == 2
    tinted = frame + np.array([20, 10, 0], np.uint8)
    assert shade(tinted, None).ndim == 2
    marked = frame.copy()
    marked[10:15, 20:25] = (0, 230, 230)
    assert shade(marked, None).ndim == 3
    assert shade(marked, False).ndim == 2
    assert shade(frame[:, :, 0], True).ndim == 2


def test_a_reader_that_fails_in_an_odd_way_costs_one_source(tmp_path, make_still, part_of, monkeypatch):
    from usfm.extract.readers import READERS

    make_still("in/a.png", np.zeros((8, 8), np.uint8))
    make_still("in/b.png", np.zeros((9, 9), np.uint8))
    read = type(READERS["image"]).read

    def odd(self, media, *rest):
        if media.name == "a.png":
            raise ZeroDivisionError
        return read(self, media, *rest)

    monkeypatch.setattr(type(READERS["image"]), "read", odd)
    store, _ = part_of(tmp_path / "in")
    assert len(store) == 1
    assert rejected(store) == {"a.png": "reader failed"}


def test_sources_that_kill_their_worker_are_marked_and_passed_over(tmp_path, make_still, part_of):
    for name in "abcde":
        make_still(f"in/{name}.png", np.full((8, 8), ord(name), np.uint8))
    _, order = part_of(tmp_path / "in")
    (tmp_path / "in/b.png").unlink()  # it is not opened again
    store = opened(tmp_path / "again", take(isolate.PIECES.without(order, {1: "killed its worker"})))
    assert list(store.source_column("path")) == ["a.png", "c.png", "d.png", "e.png"]
    assert rejected(store) == {"b.png": "reader crashed"}
    assert isolate.PIECES.count(order) == 5
    assert isolate.PIECES.only(order, (0, 2)).pieces == (order.pieces[0], order.pieces[2])
    batch = ScanTask(tuple(piece.source for piece in order.pieces), 1 << 30)
    scans = loads(scan(isolate.SOURCES.without(batch, {1: "killed its worker"})))
    assert [one.fault for one in scans] == ["", "reader crashed", "", "", ""]
    assert all(one.probe for one in scans if not one.fault)
    assert isolate.SOURCES.count(batch) == 5
    assert isolate.SOURCES.only(batch, (0, 2)).sources == (batch.sources[0], batch.sources[2])
    stand_in = loads(isolate.poison_scan(Part("scan", batch), "killed its worker"))
    assert [one.fault for one in stand_in] == ["reader crashed"] * 5


def test_a_range_that_kills_rejects_each_of_its_frames(tmp_path, make_video, monkeypatch):
    path = make_video("a.mp4", frames=100)
    monkeypatch.setattr(plan, "PART_BYTES", 64 * 64 * 3 * 5)
    source = find([str(path)]).sources[0]
    scans = loads(scan(ScanTask((source,), plan.PART_BYTES)))
    cut = plan.pieces([source], scans, {source.relative: Facts()}, Sampling(), None, hide_paths=False)
    spoilt = replace(cut[1], scan=replace(cut[1].scan, fault="reader crashed"))
    store = opened(tmp_path / "part", take(plan.TakeTask((cut[0], spoilt, cut[2]), Sampling(), None, plan.Names())))
    assert len(store) == 7
    assert [int(name.rpartition(":")[2]) for name in store.rejected()["frame_id"]] == list(cut[1].within.indices)


@pytest.mark.parametrize("seed", range(6))
def test_whatever_is_done_to_a_file_it_ends_as_frames_or_a_reason(tmp_path, make_video, make_still, part_of, seed):
    rng = np.random.default_rng(seed)
    noise = rng.integers(0, 256, (32, 32), dtype=np.uint8)
    seeds = [
        make_video(f"s/a.{end}", frames=40, codec=codec) for end, codec in (("mp4", "mpeg4"), ("mpg", "mpeg2video"))
    ]
    seeds += [make_still(f"s/a.{end}", noise) for end in ("png", "jpg", "tif", "bmp")]
    for number, path in enumerate(seeds * 2):
        data = bytearray(path.read_bytes())
        start = int(rng.integers(len(data)))
        if number % 3 == 0:
            del data[start:]
        elif number % 3 == 1:
            del data[start : start + int(rng.integers(1, 500))]
        else:
            size = len(data[start : start + 300])
            data[start : start + size] = rng.integers(0, 256, size, dtype=np.uint8).tobytes()
        target = tmp_path / f"in/{number}{path.suffix}"
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(data)
    store, order = part_of(tmp_path / "in")
    table = store.rejected()
    assert "reader failed" not in table["reason"]
    ended = {*store.source_column("path"), *table["source"]}
    assert ended == {piece.source.relative for piece in order.pieces}


def test_ranges_of_one_source_are_one_row_whatever_they_note(tmp_path, monkeypatch):
    from PIL import Image

    from usfm.extract.drawn import Drawn

    pages = [Image.fromarray(np.full((40, 40), 10 * number, np.uint8)) for number in range(6)]
    (tmp_path / "in").mkdir()
    pages[0].save(tmp_path / "in/a.tif", save_all=True, append_images=pages[1:])
    monkeypatch.setattr(plan, "PART_BYTES", 3 * 40 * 40 * 2)
    sources = find([str(tmp_path / "in")]).sources
    scans = loads(scan(ScanTask(sources, 1)))
    cut = plan.pieces(sources, scans, {"a.tif": Facts()}, Sampling(None), None, hide_paths=False)
    assert len(cut) == 3
    parts = []
    for number, piece in enumerate(cut):
        drawn = replace(piece, drawn=Drawn((40, 40), left={"outside": 2}))
        path = tmp_path / f"part{number}"
        path.write_bytes(b"".join(take(plan.TakeTask((drawn,), Sampling(None), None, plan.Names()))))
        parts.append((path.name, path))
    assemble(tmp_path / "o.h5", parts, step={"command": "test"})
    store = Store.open(tmp_path / "o.h5")
    assert (len(store), store.num_sources) == (6, 1)
    assert store.rejected()["detail"].tolist() == ["2 times: outside."]
