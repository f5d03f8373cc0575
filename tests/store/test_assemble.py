"""Parts and what becomes of them: cut differently the content is the same, and a full disk is one sentence."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
from store_samples import make_part

from usfm.errors import WorkError
from usfm.store import codec, hdf5
from usfm.store.assemble import assemble
from usfm.store.part import open_part
from usfm.store.reader import Store
from usfm.store.verify import verify
from usfm.store.writer import PartWriter


def contents(path) -> dict:
    """Every dataset and attribute of a file, but the seconds in the history."""
    found = {}

    def look(name: str, thing) -> None:
        for key, value in thing.attrs.items():
            if key != "digest":
                found[f"{name}@{key}"] = np.asarray(value).tolist()
        if isinstance(thing, h5py.Dataset):
            found[name] = (thing.dtype, thing.shape, np.array2string(thing[()], threshold=1 << 30))

    with h5py.File(path) as file:
        file.visititems(look)
        found["@"] = {key: value for key, value in file.attrs.items() if key != "history"}
    return found


def test_the_same_parts_give_the_same_file(build):
    one, _ = build([[0, 1], [2, 3]], "one.h5")
    two, _ = build([[0, 1], [2, 3]], "two.h5")
    assert Path(one.paths[0]).read_bytes() == Path(two.paths[0]).read_bytes()


def test_cut_into_other_parts_only_the_table_of_parts_differs(build):
    one, _ = build([[0, 1], [2, 3]], "one.h5")
    two, _ = build([[0], [1, 2, 3]], "two.h5")
    a, b = contents(one.paths[0]), contents(two.paths[0])
    assert {key for key in a if a[key] != b.get(key)} <= {"@"} | {f"parts/{n}" for n in
                                                                 ("name", "first_row", "rows", "digest")}  # fmt: skip
    assert one.content_id != two.content_id
    assert verify(one.paths[0]).whole
    assert verify(two.paths[0]).whole


def test_the_digest_does_not_know_the_compressor(monkeypatch, tmp_path):
    fast = make_part([0, 1])[0]
    monkeypatch.setattr(codec, "isal_zlib", None)
    slow = make_part([0, 1])[0]
    digests = []
    for data in (fast, slow):
        (tmp_path / "part").write_bytes(data)
        digests.append(open_part(tmp_path / "part").digest)
    assert fast != slow
    assert digests[0] == digests[1]


def test_copying_all_frames_keeps_everything(build, tmp_path):
    store, _ = build([[0, 1], [2, 3]])
    part = PartWriter()
    for row in range(len(store)):
        part.copy(store, row)
    (tmp_path / "copy.part").write_bytes(part.to_bytes())
    assemble(tmp_path / "copy.h5", [("all", tmp_path / "copy.part")], inputs=[store], step={"command": "copy"})
    a, b = contents(store.paths[0]), contents(tmp_path / "copy.h5")
    assert {key.split("/")[0] for key in a if a[key] != b.get(key)} <= {"@", "parts"}
    assert [step["command"] for step in Store.open(tmp_path / "copy.h5").history] == ["test", "copy"]


def test_raw_chunks_pass_through_untouched(build, monkeypatch):
    store, _ = build([[0]])
    raw = [store.files()[0].raw("/pixels/8x9", row) for row in range(7)]
    monkeypatch.setattr("usfm.store.carry.compress", lambda *_: pytest.fail("compressed again"))
    part = PartWriter()
    part.regions.add, part.labels._add_mask = (lambda *_: 0), (lambda *_: None)  # they compress masks of their own
    for row in range(7):
        part.copy(store, row)
    assert part.drain() == raw


def test_framing_moves_everything(build, tmp_path):
    from usfm.imaging.framing import Framing

    store, given = build([[3]])  # 16 x 16, with overlay and geometry
    framing = Framing.for_box((0, 4, 16, 16), 32)
    part = PartWriter(contiguous=True, patch=(32, 16))
    for row in range(len(store)):
        part.copy(store, row, framing=framing, coverage=np.full(4, row / 10), split="test")
    (tmp_path / "moved.part").write_bytes(part.to_bytes())
    assemble(tmp_path / "moved.h5", [("all", tmp_path / "moved.part")], inputs=[store], step={"command": "sector"})
    moved = Store.open(tmp_path / "moved.h5")
    assert moved.fixed_shape == (32, 32)
    assert moved.pixels([3, 1]).shape == (2, 32, 32)
    row = 3
    assert (moved.frame(row) == framing.apply(given[row]["pixels"])).all()
    assert (moved.pixels([row])[0] == moved.frame(row)).all()
    assert (moved.label_mask(row) == framing.apply_labels(given[row]["mask"])).all()
    old, new = store.region(0), moved.region(0)
    assert (new.mask == framing.apply_mask(old.mask)).all()
    assert new.geometry == framing.apply_geometry(old.geometry)
    assert (moved.overlay(0) == framing.apply_mask(store.overlay(0))).all()
    assert moved.column("row_spacing_mm")[row] == pytest.approx(0.25 / framing.scale)
    assert moved.column("scale")[row] == framing.scale
    assert np.allclose(moved.boxes(1)[0], framing.apply_boxes(store.boxes(1)[0]))
    assert set(moved.split()) == {"test"}
    assert moved.patch_coverage()[5, 0] == np.float16(0.5)
    assert moved.patch == (32, 16)
    assert verify(str(tmp_path / "moved.h5")).whole


def test_dropped_and_rejected_are_carried_forward_once(build, tmp_path):
    inputs = []
    for name in ("a", "b"):
        part = PartWriter()
        source = part.source(path=name, sha256=name * 64, kind="image")
        part.frame(np.zeros((4, 4), np.uint8), frame_id=f"{name}:0", source=source, index=0, time_s=0.0)
        part.drop("old:1", "old:0", 0.99, "dedup/visual")
        part.reject("gone.mp4", "", "extract", "truncated", "at 3 s")
        (tmp_path / f"{name}.part").write_bytes(part.to_bytes())
        assemble(tmp_path / f"{name}.h5", [(name, tmp_path / f"{name}.part")], step={"command": name})
        inputs.append(Store.open(tmp_path / f"{name}.h5"))
    part = PartWriter()
    part.copy(inputs[0], 0)
    part.drop("b:0", "a:0", 0.97, "dedup/semantic")
    (tmp_path / "c.part").write_bytes(part.to_bytes())
    found = assemble(tmp_path / "c.h5", [("c", tmp_path / "c.part")], inputs=inputs, step={"command": "c"})
    assert (found["dropped"], found["rejected"], found["sources_rejected"]) == (1, 0, 0)
    store = Store.open(tmp_path / "c.h5")
    assert store.dropped()["frame_id"].tolist() == ["old:1", "b:0"]
    assert store.rejected()["detail"].tolist() == ["at 3 s"]
    assert [step["command"] for step in store.history] == ["a", "b", "c"]


def test_no_frame_left_is_an_error_with_the_reasons(tmp_path):
    part = PartWriter()
    for k in range(3):
        part.reject(f"{k}.mp4", "", "extract", "truncated" if k else "not a video")
    (tmp_path / "x.part").write_bytes(part.to_bytes())
    with pytest.raises(WorkError, match=r"truncated \(2\), not a video \(1\)"):
        assemble(tmp_path / "x.h5", [("x", tmp_path / "x.part")], step={"command": "extract"})
    assert sorted(p.name for p in tmp_path.iterdir()) == ["x.part"]


@pytest.mark.parametrize("after", [0, 1, 3, 8, 20])
def test_a_write_that_fails_is_one_sentence_and_leaves_nothing(build, tmp_path, monkeypatch, after):
    store, _ = build([[0, 1], [2]], "old.h5")
    before = Path(store.paths[0]).read_bytes()
    calls = []
    real = os.pwrite

    def pwrite(fd, data, at):
        calls.append(at)
        if len(calls) > after:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(fd, data, at)

    monkeypatch.setattr(hdf5.os, "pwrite", pwrite)
    parts = [(f"part {k}", tmp_path / f"old.h5.{k}.part") for k in range(2)]
    with pytest.raises(WorkError, match="the disk is full"):
        assemble(tmp_path / "old.h5", parts, step={"command": "again"})
    assert len(calls) > after
    assert Path(store.paths[0]).read_bytes() == before
    assert not list(tmp_path.glob("*.unfinished"))


def test_a_full_disk_never_crashes_the_interpreter(build, tmp_path):
    """A file-size limit stands for the full disk: wherever it strikes, exit code and words are the same."""
    store, _ = build([[0, 1], [2]])
    size = os.path.getsize(store.paths[0])
    code = (
        "import os, resource, signal, sys, pathlib\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "from usfm.store.assemble import assemble\n"
        "from usfm.errors import WorkError\n"
        f"folder = pathlib.Path({str(tmp_path)!r})\n"
        "parts = [(str(k), folder / f'store.h5.{k}.part') for k in range(2)]\n"
        "os.posix_fallocate = lambda *_: None\n"
        "failed = 0\n"
        f"for limit in range(0, {size}, {size // 10}):\n"
        "    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))\n"
        "    try: assemble(folder / 'new.h5', parts, step={})\n"
        "    except WorkError as error: failed += 'larger than this system allows' in str(error)\n"
        "    assert not list(folder.glob('new.h5*'))\n"
        "print(failed)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) >= 10  # all but perhaps the last, which the file may just fit
