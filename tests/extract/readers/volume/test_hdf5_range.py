"""Frames a to b of a dataset, ``file.h5:/image[a:b]``, are those of the whole."""

import h5py
import numpy as np
import pytest

from usfm.errors import MediaError
from usfm.extract.media import Media
from usfm.extract.readers.volume import elements, grid, hdf5

FRAMES = np.random.default_rng(0).integers(0, 255, (11, 24, 30), np.uint8)


@pytest.fixture(params=[None, (1, 24, 30), (4, 10, 30)], ids=["contiguous", "a frame a chunk", "other chunks"])
def file(request, tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as out:
        out.create_dataset("in/image", data=FRAMES, chunks=request.param)
        out["flat"] = FRAMES[0]
    return str(tmp_path / "a.h5")


def planes(file, item, numbers=None):
    volume = hdf5.read(Media(file, item))
    cut = grid.layout(volume)
    return [plane for _, plane in elements.planes(volume, cut, numbers or list(range(cut.frames)))]


@pytest.mark.parametrize("start, stop", [(0, 11), (0, 1), (3, 9), (10, 11)])
def test_a_range_is_part_of_the_whole(file, start, stop, monkeypatch):
    assert np.array_equal(planes(file, f"/in/image[{start}:{stop}]"), FRAMES[start:stop])
    monkeypatch.setattr(elements, "BLOCK_BYTES", 400)  # less than a frame
    assert np.array_equal(planes(file, f"/in/image[{start}:{stop}]"), FRAMES[start:stop])
    last = stop - start - 1
    assert np.array_equal(planes(file, f"/in/image[{start}:{stop}]", [last]), FRAMES[stop - 1 : stop])


@pytest.mark.parametrize("item", ["/in/image[0:12]", "/in/image[5:5]", "/in/image[9:3]", "/flat[0:2]", "/in/none[0:1]"])
def test_a_range_that_is_not_there_is_refused(file, item):
    with pytest.raises(MediaError):
        planes(file, item)
