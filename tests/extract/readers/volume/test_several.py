"""Pixels in several files: lists and patterns of MetaImage and NRRD, and that none of the files is a source."""

import numpy as np
import pytest

from usfm.errors import MediaError
from usfm.extract.sources import find


@pytest.fixture
def several(tmp_path):
    """Write a header for the planes of a volume, and each plane to a file of its own behind some bytes."""

    def write(values, says, *, form="mhd", skip=0, name="p%02d.raw", first=1):
        sizes, kind = " ".join(str(size) for size in values.shape[::-1]), values.dtype.str[1:]
        names = [name % (first + number) for number in range(len(values))]
        says = says.replace("NAMES", "\n" + "\n".join(names))
        word = "ushort" if kind == "u2" else "uchar"
        fields = {
            "mhd": f"NDims = 3\nDimSize = {sizes}\nHeaderSize = {skip}\nElementType = MET_{word.upper()}\n"
            f"ElementDataFile = {says}\n",
            "nhdr": f"NRRD0004\ntype: {word}\ndimension: 3\nsizes: {sizes}\nencoding: raw\n"
            f"endian: little\nbyte skip: {skip}\ndata file: {says}\n",
        }
        for plane, one in zip(values, names, strict=True):
            (tmp_path / one).write_bytes(bytes(max(skip, 7 if skip < 0 else 0)) + plane.tobytes())
        path = tmp_path / f"v.{form}"
        path.write_text(fields[form])
        return path

    return write


@pytest.mark.parametrize("skip", [0, 11, -1])
@pytest.mark.parametrize("dtype", ["u1", "<u2"])
@pytest.mark.parametrize("form, says, first", [
    ("mhd", "LISTNAMES", 1),
    ("mhd", "LIST 2DNAMES", 1),
    ("mhd", "p%02d.raw", 1),
    ("mhd", "p%02d.raw 4 7 1", 4),
    ("nhdr", "LISTNAMES", 1),
    ("nhdr", "LIST 2NAMES", 1),
    ("nhdr", "p%02d.raw 4 7 1", 4),
])  # fmt: skip
def test_planes_in_files_of_their_own(several, taken, tmp_path, cube, form, says, first, dtype, skip):
    path = several(cube.astype(dtype), says, form=form, first=first, skip=skip)
    assert np.array_equal(np.stack(taken(path).pixels), cube)
    assert np.array_equal(np.stack(taken(path, axis="0").pixels), cube.transpose(2, 0, 1))
    found = find([str(tmp_path)])
    assert [source.below for source in found.sources] == [path.name]
    assert found.sources[0].size == path.stat().st_size + sum(one.stat().st_size for one in tmp_path.glob("p*.raw"))


@pytest.mark.parametrize("form, says, reason", [
    ("mhd", "LIST\np01.raw\np02.raw", "damaged header"),
    ("mhd", "LIST", "damaged header"),
    ("mhd", "p%02d.raw 4 9 1", "damaged header"),
    ("mhd", "p%02d.raw 1 900000000 1", "damaged header"),
    ("mhd", "p%s.raw", "damaged header"),
    ("mhd", "%" * 50_000, "damaged header"),
    ("mhd", "p%02d.raw 4 7 1", "no data file"),
    ("mhd", "LIST\np01.raw\np02.raw\n../p03.raw\np04.raw", "data elsewhere"),
    ("nhdr", "LIST\n" + "p01.raw\n" * 7, "damaged header"),
    ("nhdr", "LIST\np01.raw\np02.raw", "truncated"),
    ("nhdr", "p%02d.raw 1 4 0", "damaged header"),
])  # fmt: skip
def test_what_is_wrong_is_said(several, taken, cube, form, says, reason):
    path = several(cube, says, form=form)
    with pytest.raises(MediaError) as caught:
        taken(path)
    assert caught.value.reason == reason


def test_compressed_files_and_a_short_one_have_a_reason(several, taken, tmp_path, cube):
    path = several(cube, "p%02d.raw")
    text = path.read_text()
    path.write_text(text.replace("HeaderSize", "CompressedData = True\nHeaderSize"))
    with pytest.raises(MediaError, match="several data files"):
        taken(path)
    path.write_text(text)
    (tmp_path / "p03.raw").write_bytes(b"1")
    with pytest.raises(MediaError, match="truncated"):
        taken(path)
