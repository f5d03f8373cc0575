"""A part's file: the same however it is drained, and known at once when it is not whole."""

import numpy as np
import pytest
from store_samples import make_part, region_of

from usfm.errors import WorkError
from usfm.store.assemble import write_store
from usfm.store.codec import decompress
from usfm.store.part import open_part
from usfm.store.reader import Store
from usfm.store.writer import PartWriter


def frames_between_masks(contiguous: bool, drained: bool) -> tuple[bytes, np.ndarray]:
    """A part whose layouts and label masks come between its frames."""
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (9, 8, 9), np.uint8)
    part, pieces = PartWriter(contiguous=contiguous), []
    source = part.source(path="a", sha256="a" * 64, kind="video")
    for row, frame in enumerate(pixels):
        region = part.region(region_of(row // 2, (8, 9)), f"layout {row // 2}")
        mask = (frame > 99).astype(np.uint8) if row % 3 == 0 else None
        part.frame(frame, frame_id=f"a:{row}", source=source, index=row, time_s=0.0, region_row=region, mask=mask)
        if drained:
            pieces += part.drain()
    return b"".join([*pieces, *part.pieces()]), pixels


@pytest.mark.parametrize("contiguous", [False, True])
def test_draining_changes_no_byte(contiguous):
    assert frames_between_masks(contiguous, True)[0] == frames_between_masks(contiguous, False)[0]


@pytest.mark.parametrize("contiguous", [False, True])
def test_chunks_lie_where_the_index_says(tmp_path, contiguous):
    data, pixels = frames_between_masks(contiguous, True)
    (tmp_path / "part").write_bytes(data)
    part = open_part(tmp_path / "part")
    view = part.bytes()
    for (begin, size), frame in zip(part.chunks["/pixels/8x9"].tolist(), pixels, strict=True):
        chunk = bytes(view[begin : begin + size])
        assert (chunk if contiguous else decompress(chunk, 72)) == frame.tobytes()


@pytest.mark.parametrize("contiguous", [False, True])
def test_what_comes_between_frames_does_not_move_them(tmp_path, contiguous):
    data, pixels = frames_between_masks(contiguous, False)
    (tmp_path / "part").write_bytes(data)
    from usfm.store.assemble import assemble

    assemble(tmp_path / "s.h5", [("all", tmp_path / "part")], step={"command": "test"})
    store = Store.open(tmp_path / "s.h5")
    for row, frame in enumerate(pixels):
        assert (store.frame(row) == frame).all()
        assert (store.region(int(store.column("region_row")[row])).mask == region_of(row // 2, (8, 9)).mask).all()
        if row % 3 == 0:
            assert (store.label_mask(row) == (frame > 99)).all()


@pytest.mark.parametrize("share", [0.0, 0.3, 0.7, 0.95, 0.999])
def test_a_part_that_is_not_whole_is_one_sentence(tmp_path, share):
    data, _ = make_part([0, 1])
    (tmp_path / "torn").write_bytes(data[: int(len(data) * share)])
    with pytest.raises(WorkError, match="not a whole part"):
        open_part(tmp_path / "torn")


def test_an_empty_part_opens(tmp_path):
    (tmp_path / "part").write_bytes(PartWriter().to_bytes())
    part = open_part(tmp_path / "part")
    assert (part.frames, part.chunks, part.has("rejected")) == (0, {}, False)


def test_a_store_of_one_part_leaves_nothing_beside_it(tmp_path):
    part = PartWriter(class_names=("a",))
    source = part.source(path="é.png", sha256="a" * 64, kind="image", patient="p", metadata={"model": "é"})
    part.frame(np.ones((4, 5, 3), np.uint8), frame_id="a:0", source=source, index=0, time_s=0.0, label="a")
    store = Store.open(write_store(tmp_path / "s.h5", part))
    assert [path.name for path in tmp_path.iterdir()] == ["s.h5"]
    assert (store.frame(0).shape, store.source_column("path")[0]) == ((4, 5, 3), "é.png")


def test_one_long_text_costs_its_own_bytes_only(tmp_path):
    part = PartWriter()
    for row in range(1000):
        source = part.source(
            path=f"{row}.png", sha256=f"{row:064d}", kind="image", report="x" * (1 if row else 100_000)
        )
        part.frame(np.ones((2, 2), np.uint8), frame_id=f"{row}:0", source=source, index=0, time_s=0.0)
    data = part.to_bytes()
    assert len(data) < 1_000_000
    (tmp_path / "part").write_bytes(data)
    column = open_part(tmp_path / "part").tables["/sources/report"]
    assert [len(text) for text in column[:3]] == [100_000, 1, 1]


def test_text_that_no_store_can_hold_is_refused_by_the_part():
    part = PartWriter()
    part.reject("a.png", "", "extract", "odd", "a\0b")
    with pytest.raises(ValueError, match="NUL"):
        part.pieces()


def test_a_part_is_handed_over_once(tmp_path):
    part = PartWriter(patch=(np.int64(32), np.int64(16)))
    source = part.source(path="a", sha256="a" * 64, kind="image")
    part.frame(np.ones((2, 2), np.uint8), frame_id="a:0", source=source, index=0, time_s=0.0)
    part.to_bytes()
    with pytest.raises(ValueError, match="drained"):
        write_store(tmp_path / "s.h5", part)


def test_a_byte_that_changed_never_ends_in_a_stray_error(tmp_path):
    data, _ = make_part([0, 1])
    rng = np.random.default_rng(0)
    for at in rng.integers(len(data) // 2, len(data), 300):
        changed = bytearray(data)
        changed[at] = rng.integers(256)
        (tmp_path / "part").write_bytes(changed)
        try:
            open_part(tmp_path / "part")
        except WorkError:
            pass
