"""NRRD: what pynrrd writes, and what it does not, comes back as pynrrd reads it."""

import bz2
import gzip

import nrrd
import numpy as np
import pytest

from usfm.errors import MediaError


@pytest.fixture
def write_nrrd(tmp_path):
    """Write an array in C order by hand: fields as they are given, then the data."""

    def write(values, body=None, name="v.nrrd", endian="little", encoding="raw", **fields):
        kinds = {"u1": "uint8", "i2": "int16", "f4": "float", "u2": "ushort"}
        lines = {
            "type": kinds[values.dtype.str[1:]],
            "dimension": values.ndim,
            "sizes": " ".join(str(size) for size in values.shape[::-1]),
            "endian": endian,
            "encoding": encoding,
            **{key.replace("_", " "): value for key, value in fields.items()},
        }
        head = "NRRD0004\n# words\n" + "".join(f"{key}: {value}\n" for key, value in lines.items()) + "\n"
        path = tmp_path / name
        path.write_bytes(head.encode() + (values.tobytes() if body is None else body))
        return path

    return write


@pytest.mark.parametrize("encoding", ["raw", "gzip", "bzip2", "text"])
@pytest.mark.parametrize("dtype", ["u1", "<u2", "<i2", "<f4"])
@pytest.mark.parametrize("name", ["v.nrrd", "v.nhdr"])
def test_as_pynrrd_has_it(tmp_path, taken, cube, encoding, dtype, name):
    path = tmp_path / name
    nrrd.write(
        str(path),
        cube.transpose(2, 1, 0).astype(dtype),
        {"encoding": encoding, "space directions": np.diag([0.5, 0.5, 2]), "space dimension": 3},
        detached_header=name.endswith("nhdr"),
    )
    got = taken(path)
    assert got.kind == "nrrd"
    again, _ = nrrd.read(str(path))
    assert np.array_equal(np.stack(got.pixels), again.transpose(2, 1, 0))
    assert got.frames[0].spacing_mm == (0.5, 0.5)
    assert len(taken(path, axis="1").frames) == 5


def test_big_endian(write_nrrd, taken, cube):
    assert np.array_equal(np.stack(taken(write_nrrd(cube.astype(">i2"), endian="big")).pixels), cube)


@pytest.mark.parametrize("packed", [("gz", gzip.compress), ("bz2", bz2.compress), ("raw", bytes)])
def test_bytes_to_skip_count_after_decompression(write_nrrd, taken, cube, packed):
    body = packed[1](b"junk" + cube.tobytes())
    assert np.array_equal(np.stack(taken(write_nrrd(cube, body, encoding=packed[0], byte_skip=4)).pixels), cube)


def test_bytes_counted_from_the_end_and_lines_to_skip(write_nrrd, taken, cube):
    body = b"two\nlines\n" + cube.tobytes()
    assert np.array_equal(np.stack(taken(write_nrrd(cube, body, byte_skip=-1)).pixels), cube)
    assert np.array_equal(np.stack(taken(write_nrrd(cube, body, line_skip=2)).pixels), cube)


@pytest.mark.parametrize(
    "shape, kinds, order",
    [
        ((4, 5, 3), "RGB-color domain domain", (0, 1, 2)),
        ((4, 5, 3), "vector domain domain", (0, 1, 2)),
        ((3, 4, 5), "domain domain vector", (1, 2, 0)),
        ((4, 3, 5), "domain 3-color domain", (0, 2, 1)),
    ],
)
def test_colours_along_any_axis(write_nrrd, taken, shape, kinds, order):
    values = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    (pixels,) = taken(write_nrrd(values, kinds=kinds)).pixels
    assert np.array_equal(pixels, values.transpose(order))


def test_frames_first_and_frames_last(write_nrrd, taken):
    values = np.random.default_rng(0).integers(0, 256, (4, 5, 6), dtype=np.uint8)
    first = taken(write_nrrd(values, kinds="list domain domain")).pixels
    assert np.array_equal(np.stack(first), values.transpose(2, 0, 1))
    last = taken(write_nrrd(values, kinds="domain domain list", space_dimension=2, space_origin="(0,0)")).pixels
    assert np.array_equal(np.stack(last), values)


def test_volumes_over_time_have_the_times_of_their_volumes(write_nrrd, taken):
    values = np.random.default_rng(0).integers(0, 256, (3, 2, 5, 6), dtype=np.uint8)
    got = taken(write_nrrd(values, kinds="domain domain domain time", spacings="0.5 0.5 0.5 0.25"))
    assert [frame.time_s for frame in got.frames] == [0, 0, 0.25, 0.25, 0.5, 0.5]
    assert np.array_equal(np.stack(got.pixels), values.reshape(6, 5, 6))


@pytest.mark.parametrize("unit, factor", [("mm", 1), ("cm", 10), ("um", 1e-3), ("furlong", np.nan)])
def test_units(write_nrrd, taken, cube, unit, factor):
    got = taken(
        write_nrrd(
            cube,
            space_dimension=3,
            space_directions="(0.5,0,0) (0,0,0.5) (0,2,0)",
            space_units=" ".join([f'"{unit}"'] * 3),
        )
    )
    assert got.frames[0].spacing_mm == pytest.approx((0.5 * factor, 0.5 * factor), nan_ok=True)


@pytest.mark.parametrize(
    "fields, reason",
    [
        ({"encoding": "hex"}, "no decoder"),
        ({"type": "block"}, "unknown element type"),
        ({"sizes": "6 5 400"}, "truncated"),
        ({"sizes": "6 5"}, "damaged header"),
        ({"sizes": "six 5 4"}, "damaged header"),
        ({"sizes": "1000000000 1000000000 1"}, "too large"),
        ({"kinds": "complex domain domain"}, "not a picture"),
        ({"data_file": "../v.raw"}, "data elsewhere"),
        ({"data_file": "/etc/hostname"}, "data elsewhere"),
        ({"data_file": "gone.raw"}, "no data file"),
        ({"data_file": "LIST"}, "damaged header"),
        ({"data_file": "%03d.raw 1 4 1"}, "no data file"),
    ],
)
def test_what_is_wrong_is_said(write_nrrd, taken, cube, fields, reason):
    with pytest.raises(MediaError) as caught:
        taken(write_nrrd(cube, **fields))
    assert caught.value.reason == reason
