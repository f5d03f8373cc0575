"""Planes out of a file in bounded pieces are those of the whole array, however the pieces fall."""

import bz2
import gzip
import zlib

import numpy as np
import pytest

from usfm.errors import MediaError
from usfm.extract.media import Media
from usfm.extract.readers.volume import elements, packed
from usfm.extract.readers.volume.grid import COLOUR, LIST, SPACE, TIME, Grid, layout

gzip_file = gzip.GzipFile
PACKERS = {"raw": bytes, "zlib": zlib.compress, "gzip": gzip.compress, "bzip2": bz2.compress}
PACKERS["zlib2"] = lambda data: gzip.compress(data)  # MetaIO finds out by the first bytes

ROLES = [
    (SPACE, SPACE),
    (SPACE, SPACE, SPACE),
    (COLOUR, SPACE, SPACE, SPACE),
    (SPACE, SPACE, COLOUR),
    (LIST, SPACE, SPACE),
    (SPACE, SPACE, SPACE, TIME),
    (SPACE, LIST, COLOUR, SPACE, SPACE),
]


WAYS = [(coding, 40, 300) for coding in PACKERS] + [("raw", 1, 1), ("gzip", 1, 1), ("raw", 1 << 20, 1 << 20)]


@pytest.mark.parametrize("coding, block, batch", WAYS)
@pytest.mark.parametrize("roles", ROLES)
def test_planes_are_those_of_the_array(tmp_path, monkeypatch, coding, roles, block, batch):
    random = np.random.default_rng(len(roles) + block)
    sizes = tuple(3 if role == COLOUR else int(random.integers(1 if role == SPACE else 2, 5)) for role in roles)
    values = random.integers(0, 9999, sizes[::-1]).astype("<u2")
    (tmp_path / "data").write_bytes(b"head" + PACKERS[coding](values.tobytes()))
    monkeypatch.setattr(elements, "BLOCK_BYTES", block)
    monkeypatch.setattr(elements, "BATCH_BYTES", batch)
    grid = Grid(
        "any", sizes, roles, (1.0,) * len(roles), values.dtype, Media(str(tmp_path / "data")), 4, coding=coding[:5]
    )
    packed.check(grid)
    for axis in (0, 1, 2, None) if roles.count(SPACE) == 3 else (None,):
        cut = layout(grid, axis)
        wanted = sorted(random.choice(cut.frames, int(random.integers(1, cut.frames + 1)), replace=False).tolist())
        got = list(elements.planes(grid, cut, wanted))
        assert [number for number, _ in got] == wanted
        for number, plane in got:
            assert np.array_equal(plane, by_hand(values, cut, number, len(roles)))


def by_hand(values, cut, number, axes):
    """The slow way: one element after another."""
    sizes = values.shape[::-1]
    colours = range(sizes[cut.colour]) if cut.colour >= 0 else [None]
    out = np.zeros((sizes[cut.row], sizes[cut.column], len(colours)), values.dtype)
    for row in range(sizes[cut.row]):
        for column in range(sizes[cut.column]):
            for place, colour in enumerate(colours):
                at = [0] * axes
                at[cut.row], at[cut.column] = row, column
                if cut.plane >= 0:
                    at[cut.plane] = number % cut.planes
                if cut.moment >= 0:
                    at[cut.moment] = number // cut.planes
                if colour is not None:
                    at[cut.colour] = colour
                out[row, column, place] = values[tuple(at[::-1])]
    return out[:, :, 0] if cut.colour < 0 else out


@pytest.mark.parametrize("coding", ["zlib", "gzip", "bzip2"])
@pytest.mark.parametrize("harm", ["cut", "flip"])
def test_a_damaged_stream_is_a_media_error(tmp_path, coding, harm):
    values = np.random.default_rng(0).integers(0, 256, (9, 50, 60), dtype=np.uint8)
    data = bytearray(PACKERS[coding](values.tobytes()))
    data = data[: len(data) // 2] if harm == "cut" else data
    data[3 * len(data) // 4 : 3 * len(data) // 4 + 40] = bytes(40) if harm == "flip" else b""
    (tmp_path / "data").write_bytes(data)
    grid = Grid(
        "any", (60, 50, 9), (SPACE,) * 3, (1.0,) * 3, values.dtype, Media(str(tmp_path / "data")), coding=coding
    )
    with pytest.raises(MediaError, match=r"truncated|damaged"):
        list(elements.planes(grid, layout(grid), list(range(9))))


def test_a_small_file_that_says_it_is_huge_is_refused_before_it_is_read(tmp_path):
    (tmp_path / "data").write_bytes(zlib.compress(bytes(1000)))
    for coding, reason in (("raw", "truncated"), ("zlib", "truncated"), ("bzip2", "too large"), ("text", "truncated")):
        grid = Grid(
            "any",
            (10_000, 10_000, 1000),
            (SPACE,) * 3,
            (1.0,) * 3,
            np.dtype("u1"),
            Media(str(tmp_path / "data")),
            coding=coding,
        )
        with pytest.raises(MediaError) as caught:
            packed.check(grid)
        assert caught.value.reason == reason


def test_a_packed_file_is_unpacked_on_from_where_it_was_left(tmp_path, monkeypatch):
    values = np.random.default_rng(0).integers(0, 256, (9, 50, 60), dtype=np.uint8)
    path = tmp_path / "data"
    path.write_bytes(gzip.compress(values.tobytes()))
    grid = Grid("any", (60, 50, 9), (SPACE,) * 3, (1.0,) * 3, values.dtype, Media(str(path)), coding="gzip")
    opened = []
    monkeypatch.setattr(packed.gzip, "GzipFile", lambda **how: opened.append(1) or gzip_file(**how))
    for numbers in ([0, 1], [2, 3], [8], [4]):
        assert all(np.array_equal(plane, values[n]) for n, plane in elements.planes(grid, layout(grid), numbers))
    assert len(opened) == 1
    path.write_bytes(gzip.compress((255 - values).tobytes(), 1))  # another file of the same name
    assert np.array_equal(next(elements.planes(grid, layout(grid), [5]))[1], 255 - values[5])
    assert len(opened) == 2
