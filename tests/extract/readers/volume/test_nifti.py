"""NIfTI: what nibabel writes comes back as nibabel reads it."""

from fractions import Fraction

import nibabel
import numpy as np
import pytest

from usfm.errors import MediaError
from usfm.extract.sampling import Sampling


def write(path, values, spacing=(0.5, 0.5, 0.5), kind=nibabel.Nifti1Image, **fields):
    """Write an array in C order, (..., z, y, x)."""
    image = kind(values.transpose(range(values.ndim)[::-1]), np.diag([*spacing, 1]))
    for name, value in fields.items():
        image.header[name] = value
    nibabel.save(image, str(path))
    return path


@pytest.mark.parametrize("name", ["v.nii", "v.nii.gz", "v.hdr"])
@pytest.mark.parametrize("dtype", ["u1", "<i2", ">i2", "<u2", "<f4", ">f8"])
@pytest.mark.parametrize("kind", [nibabel.Nifti1Image, nibabel.Nifti2Image])
def test_as_nibabel_has_it(tmp_path, taken, cube, name, dtype, kind):
    if name == "v.hdr":
        kind = {nibabel.Nifti1Image: nibabel.Nifti1Pair, nibabel.Nifti2Image: nibabel.Nifti2Pair}[kind]
    if dtype.startswith(">"):
        values = cube.astype(dtype).transpose(2, 1, 0)
        header = kind.header_class(endianness=">")
        header.set_data_dtype(dtype)
        nibabel.save(kind(values, np.diag([0.5, 0.5, 0.5, 1]), header), str(tmp_path / name))
    else:
        write(tmp_path / name, cube.astype(dtype), kind=kind)
    got = taken(tmp_path / name)
    assert got.kind == "nifti"
    assert np.array_equal(np.stack(got.pixels), nibabel.load(tmp_path / name).get_fdata().transpose(2, 1, 0))
    assert got.frames[0].spacing_mm == (0.5, 0.5)
    assert got.notes.metadata["orientation"] == "RAS"


@pytest.mark.parametrize("colours", [3, 4])
def test_colours(tmp_path, taken, colours):
    values = np.random.default_rng(0).integers(0, 256, (4, 5, 6, colours), dtype=np.uint8)
    values[..., 3:] = 255
    kind = np.dtype([(name, "u1") for name in "RGBA"[:colours]])
    one = np.ascontiguousarray(values).view(kind)[..., 0]
    nibabel.save(nibabel.Nifti1Image(one.transpose(2, 1, 0), np.eye(4)), str(tmp_path / "v.nii.gz"))
    assert np.array_equal(np.stack(taken(tmp_path / "v.nii.gz").pixels), values[..., :3])


def test_a_slope_counts(tmp_path, taken, cube):
    image = nibabel.Nifti1Image(cube.transpose(2, 1, 0).astype("<i2"), np.eye(4))
    image.header.set_slope_inter(0.5, -3)
    nibabel.save(image, str(tmp_path / "v.nii"))
    values = nibabel.load(tmp_path / "v.nii").get_fdata().transpose(2, 1, 0)
    expected = np.clip(np.rint((values - values.min()) * (255 / np.ptp(values))), 0, 255)
    assert np.abs(np.stack(taken(tmp_path / "v.nii").pixels) - expected).max() <= 1


@pytest.mark.parametrize("cut, turned", [(0, (0, 1, 2)), (1, (2, 0, 1)), (2, (1, 0, 2)), (3, (0, 1, 2))])
def test_the_planes_that_were_acquired(tmp_path, taken, cube, cut, turned):
    path = write(tmp_path / "v.nii", cube, dim_info=cut << 4)
    assert np.array_equal(np.stack(taken(path).pixels), cube.transpose(turned))
    assert np.array_equal(np.stack(taken(path, axis="1").pixels), cube.transpose(1, 0, 2))


def test_volumes_over_time(tmp_path, taken):
    values = np.random.default_rng(0).integers(0, 256, (10, 3, 5, 6), dtype=np.uint8)
    path = write(tmp_path / "v.nii.gz", values, xyzt_units=2 | 16, pixdim=[1, 0.5, 0.5, 0.5, 100, 0, 0, 0])
    whole = taken(path)
    assert np.array_equal(np.stack(whole.pixels), values.reshape(30, 5, 6))
    assert [frame.time_s for frame in whole.frames] == pytest.approx([n // 3 * 0.1 for n in range(30)])
    some = taken(path, Sampling(Fraction(3)))
    assert [frame.index for frame in some.frames] == [n * 3 + plane for n in (0, 3, 6) for plane in range(3)]
    assert [frame.index for frame in taken(path, Sampling(None, every=7)).frames] == [0, 7, 14, 21, 28]
    assert len(taken(path, Sampling(Fraction(3), limit=4)).frames) == 4


def test_one_slice_and_one_pixel(tmp_path, taken):
    for number, shape in enumerate(((1, 5, 6), (1, 1, 1), (5, 6))):
        values = np.full(shape, 9, np.uint8)
        assert taken(write(tmp_path / f"{number}.nii", values)).pixels[0].shape == shape[-2:]


@pytest.mark.parametrize("unit, factor", [(0, 1), (1, 1000), (2, 1), (3, 1e-3)])
def test_units(tmp_path, taken, cube, unit, factor):
    path = write(tmp_path / "v.nii", cube, xyzt_units=unit, pixdim=[1, 0.25, 0.25, 0.5, 0, 0, 0, 0])
    assert taken(path).frames[0].spacing_mm == pytest.approx((0.25 * factor, 0.25 * factor))


@pytest.mark.parametrize(
    "fields, reason",
    [
        ({"dim": [3, 6, 5, 400, 1, 1, 1, 1]}, "truncated"),
        ({"dim": [3, 30000, 30000, 2, 1, 1, 1, 1]}, "too large"),
        ({"dim": [3, -6, 5, 4, 1, 1, 1, 1]}, "no pixels"),
        ({"dim": [0, 6, 5, 4, 1, 1, 1, 1]}, "damaged header"),
        ({"dim": [9, 6, 5, 4, 1, 1, 1, 1]}, "damaged header"),
        ({"dim": [1, 120, 1, 1, 1, 1, 1, 1]}, "not a picture"),
        ({"dim": [6, 1, 5, 2, 3, 2, 2, 1]}, "too many dimensions"),
        ({"datatype": 1234}, "unknown element type"),
        ({"datatype": 1792}, "unknown element type"),
    ],
)
@pytest.mark.parametrize("end", ["nii", "nii.gz"])
def test_what_is_wrong_is_said(tmp_path, taken, cube, fields, reason, end):
    image = nibabel.Nifti1Image(cube.transpose(2, 1, 0), np.eye(4))
    for name, value in fields.items():
        image.header[name] = value
    data = image.header.binaryblock + bytes(4) + cube.tobytes()
    if end == "nii.gz":
        import gzip

        data = gzip.compress(data)
    (tmp_path / f"v.{end}").write_bytes(data)
    with pytest.raises(MediaError) as caught:
        taken(tmp_path / f"v.{end}")
    assert caught.value.reason == reason


def test_a_header_without_its_pixels(tmp_path, taken, cube):
    write(tmp_path / "v.hdr", cube, kind=nibabel.Nifti1Pair)
    (tmp_path / "v.img").unlink()
    with pytest.raises(MediaError, match="no data file"):
        taken(tmp_path / "v.hdr")


@pytest.mark.parametrize("dtype", ["u1", "<i2", ">i2", "<f4"])
@pytest.mark.parametrize("kind", ["AnalyzeImage", "Spm99AnalyzeImage"])
def test_analyze(tmp_path, taken, cube, dtype, kind):
    kind = getattr(nibabel, kind)
    header = kind.header_class(endianness=">" if dtype.startswith(">") else "<")
    header.set_data_dtype(dtype)
    nibabel.save(kind(cube.astype(dtype).transpose(2, 1, 0), np.diag([-0.5, 0.5, 0.5, 1]), header), tmp_path / "v.img")
    got = taken(tmp_path / "v.hdr")
    assert np.array_equal(np.stack(got.pixels), nibabel.load(tmp_path / "v.img").get_fdata().transpose(2, 1, 0))
    assert (got.kind, got.notes.metadata["format"]) == ("nifti", "Analyze")
    assert got.frames[0].spacing_mm == (0.5, 0.5)
    (tmp_path / "v.img").write_bytes(b"1")
    with pytest.raises(MediaError, match="truncated"):
        taken(tmp_path / "v.hdr")


@pytest.mark.parametrize("told", [0, 100, float("nan"), -1])
@pytest.mark.parametrize("end", [".nii", ".nii.gz"])
def test_pixels_never_begin_inside_the_header_and_what_follows_them_does_no_harm(tmp_path, taken, cube, told, end):
    import gzip

    image = nibabel.Nifti1Image(cube.transpose(2, 1, 0), np.eye(4))
    image.header["vox_offset"] = told
    image.header["magic"] = b"n+1"
    data = image.header.binaryblock + bytes(4) + cube.tobytes()
    path = tmp_path / f"v{end}"
    path.write_bytes(gzip.compress(data) + b"rubbish" if end == ".nii.gz" else data + b"rubbish")
    assert np.array_equal(np.stack(taken(path).pixels), cube)
