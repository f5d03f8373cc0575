"""One intensity rule for a whole volume, whatever its numbers are."""

import numpy as np
import pytest

from usfm.errors import MediaError


def flat(*values, dtype):
    return np.array(values, dtype).reshape(-1, 1, 2)


@pytest.mark.parametrize(
    "values, dtype, levels",
    [
        ((0, 7, 200, 255), "<i2", (0, 7, 200, 255)),  # eight bits in a wider type stay
        ((0, 7, 200, 255), "<f4", (0, 7, 200, 255)),
        ((0, 7.6, 200.2, 254.4), "<f4", (0, 8, 200, 254)),
        ((0, 1000, 2000, 4000), "<u2", (0, 64, 128, 255)),
        ((400, 1000, 2000, 4000), "<u2", (26, 64, 128, 255)),  # from 0 where nothing is negative
        ((-60, -30, -15, 0), "<f4", (0, 128, 191, 255)),
        ((-128, -1, 0, 127), "i1", (0, 127, 128, 255)),
        ((0, 0.25, 0.5, 1), "<f8", (0, 64, 128, 255)),
        ((0, 0.25, 0.5, 0.75), "<f8", (0, 85, 170, 255)),
        ((0, np.nan, np.inf, 4.5), "<f4", (0, 0, 0, 255)),
        ((-np.inf, 2.5, 3, 5), "<f4", (0, 128, 153, 255)),
        ((0, 0, 0, 0), "<f4", (0, 0, 0, 0)),
        ((-5, -5, -5, -5), "<f4", (0, 0, 0, 0)),
        ((0, 2**62, 0, 2**62), "<i8", (0, 255, 0, 255)),
        ((-3e38, 0, np.inf, 3e38), "<f4", (0, 128, 0, 255)),
        ((-1.7e308, 0, 0, 1.7e308), "<f8", (0, 128, 128, 255)),
    ],
)
def test_the_rule(write_mha, taken, values, dtype, levels):
    got = taken(write_mha(flat(*values, dtype=dtype)))
    assert tuple(np.stack(got.pixels).ravel()) == pytest.approx(levels, abs=1)
    assert sum(frame.facts.get("not_finite", 0) for frame in got.frames) == np.count_nonzero(~np.isfinite(values))


def test_a_volume_without_a_number_is_refused(write_mha, taken):
    with pytest.raises(MediaError, match="no finite values"):
        taken(write_mha(np.full((2, 2, 2), np.nan, "<f4")))


def test_every_plane_has_the_window_of_all(write_mha, taken):
    values = np.stack([np.full((4, 4), level, "<u2") for level in (0, 500, 1000)])
    got = taken(write_mha(values))
    assert [int(plane[0, 0]) for plane in got.pixels] == [0, 128, 255]
    assert got.notes.metadata["window"] == [0, 1000]


def test_a_slope_counts(write_mha, taken):
    values = flat(0, 10, 20, 40, dtype="u1")
    path = write_mha(values, ElementToIntensityFunctionSlope=-1, ElementToIntensityFunctionOffset=3)
    assert np.stack(taken(path).pixels).ravel().tolist() == [255, 191, 128, 0]
