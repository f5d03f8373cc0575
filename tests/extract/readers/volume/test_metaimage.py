"""MetaImage: each way to write an array comes back number for number."""

import numpy as np
import pytest

from usfm.errors import MediaError
from usfm.extract.media import Media
from usfm.extract.readers import READERS
from usfm.extract.readers.contract import Notes
from usfm.extract.sampling import Sampling


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("data", ["LOCAL", "v.raw"])
@pytest.mark.parametrize(
    "dtype", ["u1", ">u1", "i1", "<i2", ">i2", "<u2", ">u2", "<i4", ">u4", "<f4", ">f4", ">f8", "<i8"]
)
def test_types_byte_orders_and_places(write_mha, taken, cube, packed, data, dtype):
    values = (cube // 2).astype(dtype)
    path = write_mha(values, "v.mha" if data == "LOCAL" else "v.mhd", packed=packed, data=data)
    got = taken(path)
    assert got.kind == "metaimage"
    assert np.array_equal(np.stack(got.pixels), cube // 2)


def test_numbers_as_text(write_mha, taken, cube):
    assert np.array_equal(np.stack(taken(write_mha(cube, text=True)).pixels), cube)


def test_pixels_at_the_end_of_a_raw_file_and_after_a_header_of_its_own(write_mha, taken, cube, tmp_path):
    for skip in (-1, 77):
        path = write_mha(cube, "v.mhd", data="v.raw", HeaderSize=skip)
        (tmp_path / "v.raw").write_bytes(bytes(77) + cube.tobytes())
        assert np.array_equal(np.stack(taken(path).pixels), cube)


@pytest.mark.parametrize("channels", [3, 4])
def test_colours(write_mha, taken, channels):
    values = np.random.default_rng(0).integers(0, 256, (2, 5, 6, channels), dtype=np.uint8)
    values[..., 3:] = 255
    assert np.array_equal(np.stack(taken(write_mha(values, channels=channels)).pixels), values[..., :3])


def test_opacity_lies_over_black_unless_it_was_never_filled_in(write_mha, taken):
    values = np.full((1, 2, 2, 4), 200, np.uint8)
    values[..., 3] = [[0, 255], [0, 255]]
    assert taken(write_mha(values, channels=4)).pixels[0][..., 0].tolist() == [[0, 200], [0, 200]]
    values[..., 3] = 0
    assert (taken(write_mha(values, channels=4)).pixels[0] == 200).all()


@pytest.mark.parametrize("axis, turned", [("", (0, 1, 2)), ("2", (0, 1, 2)), ("1", (1, 0, 2)), ("0", (2, 0, 1))])
@pytest.mark.parametrize("packed", [False, True])
def test_an_axis_to_cut_along(write_mha, taken, cube, axis, turned, packed):
    got = taken(write_mha(cube, packed=packed), axis=axis)
    assert np.array_equal(np.stack(got.pixels), cube.transpose(turned))


def test_spacing_follows_the_axis_and_one_everywhere_says_nothing(write_mha, taken, cube):
    path = write_mha(cube, ElementSpacing="0.5 0.25 0.25")
    assert taken(path, axis="0").frames[0].spacing_mm == (0.25, 0.25)
    assert np.isnan(taken(write_mha(cube, ElementSpacing="1 1 1")).frames[0].spacing_mm).all()
    assert np.isnan(taken(write_mha(cube)).frames[0].spacing_mm).all()


def test_planes_of_pixels_that_are_not_square_are_stretched_as_videos_are(write_mha, taken, cube):
    got = taken(write_mha(cube, ElementSpacing="0.2 0.4 3"))
    assert got.pixels[0].shape == (10, 6)
    assert got.frames[0].spacing_mm == pytest.approx((0.2, 0.2))
    assert got.notes.metadata["pixels_before"] == [5, 6]
    far = taken(write_mha(cube, ElementSpacing="0.2 0.4 3"), axis="1")  # 15 times: kept, and said
    assert far.pixels[0].shape == (4, 6)
    assert far.frames[0].spacing_mm == pytest.approx((3, 0.2))


def test_long_names_eight_bytes_where_the_file_is_that_long(write_mha, taken, cube):
    path = write_mha(cube.astype("<i8"))
    path.write_bytes(path.read_bytes().replace(b"MET_LONG_LONG", b"MET_LONG"))
    assert np.array_equal(np.stack(taken(path).pixels), cube)


@pytest.mark.parametrize(
    "change, reason",
    [
        ((b"DimSize = 6 5 4", b"DimSize = 6 5"), "damaged header"),
        ((b"DimSize = 6 5 4", b"DimSize = 6 5 x"), "damaged header"),
        ((b"DimSize = 6 5 4", b"DimSize = 6 5 5"), "truncated"),
        ((b"DimSize = 6 5 4", b"DimSize = 6 5 0"), "no pixels"),
        ((b"DimSize = 6 5 4", b"DimSize = -6 -5 4"), "no pixels"),
        ((b"DimSize = 6 5 4", b"DimSize = 1000000000 1000000000 4"), "too large"),
        ((b"DimSize = 6 5 4", b"DimSize = 2 2 1000000000"), "too large"),
        ((b"MET_UCHAR", b"MET_STRANGE"), "unknown element type"),
        ((b"ElementDataFile = LOCAL", b"ElementDataFile = ../v.raw"), "data elsewhere"),
        ((b"ElementDataFile = LOCAL", b"ElementDataFile = /etc/hostname"), "data elsewhere"),
        ((b"ElementDataFile = LOCAL", b"ElementDataFile = gone.raw"), "no data file"),
        ((b"ElementDataFile = LOCAL", b"ElementDataFile = LIST"), "damaged header"),
        ((b"ElementDataFile", b"ElementData"), "damaged header"),
        ((b"ElementDataFile = LOCAL", b"ElementDataFile LOCAL"), "damaged header"),
        ((b"Channels = 1", b"Channels = 2"), "unknown colours"),
    ],
)
def test_what_is_wrong_is_said(write_mha, taken, cube, change, reason):
    path = write_mha(cube)
    data = path.read_bytes()
    assert change[0] in data
    path.write_bytes(data.replace(*change))
    with pytest.raises(MediaError) as caught:
        taken(path)
    assert caught.value.reason == reason


def test_planes_before_a_broken_place_are_kept(write_mha):
    values = np.random.default_rng(0).integers(0, 256, (40, 50, 60), dtype=np.uint8)
    path = write_mha(values, packed=True)
    path.write_bytes(path.read_bytes()[:60_000])
    frames = READERS["metaimage"].read(Media(str(path)), Sampling(None), Notes())
    assert np.array_equal(np.stack([next(frames).pixels for _ in range(19)]), values[:19])
    with pytest.raises(MediaError, match="truncated"):
        next(frames)


@pytest.mark.reference
@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("dtype", ["u1", "i2", "u4", "f4", "f8"])
def test_as_simpleitk_has_it(tmp_path, taken, cube, packed, dtype):
    itk = pytest.importorskip("SimpleITK", reason="an independent writer and reader, where it is installed")
    image = itk.GetImageFromArray((cube // 2).astype(dtype))
    image.SetSpacing((0.5, 0.5, 2.0))
    itk.WriteImage(image, str(tmp_path / "v.mha"), packed)
    got = taken(tmp_path / "v.mha")
    assert np.array_equal(np.stack(got.pixels), itk.GetArrayFromImage(itk.ReadImage(str(tmp_path / "v.mha"))))
    assert got.frames[0].spacing_mm == (0.5, 0.5)
