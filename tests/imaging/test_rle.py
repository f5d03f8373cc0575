"""Run lengths: there and back for any mask; runs that do not fill the mask are refused before anything is made."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from usfm.imaging import rle

MASKS = arrays.arrays(bool, st.tuples(st.integers(1, 9), st.integers(1, 9)))


@given(MASKS)
def test_there_and_back(mask):
    runs = rle.encode(mask)
    assert runs.sum() == mask.size
    assert np.array_equal(rle.decode(runs, mask.shape), mask)
    assert np.array_equal(rle.unpack(rle.encode_text(mask)), runs)
    assert np.array_equal(rle.decode(rle.encode_text(mask), mask.shape), mask)


def slowly_unpacked(text):
    """The packed string read letter by letter, as its inventors describe it."""
    runs, at = [], 0
    while at < len(text):
        value, place, more = 0, 0, True
        while more:
            code = ord(text[at]) - 48
            value |= (code & 31) << (5 * place)
            more, at, place = bool(code & 32), at + 1, place + 1
            if not more and code & 16:
                value |= -1 << (5 * place)
        runs.append(value + (runs[-2] if len(runs) > 2 else 0))
    return runs


@given(st.lists(st.integers(0, 100_000), min_size=1, max_size=12))
def test_the_packed_string_is_that_of_the_slow_reading(runs):
    mask = np.repeat(np.arange(len(runs)) % 2 == 1, runs)
    if mask.size:
        text = rle.encode_text(mask[:, None])
        assert slowly_unpacked(text) == rle.encode(mask[:, None]).tolist() == rle.unpack(text).tolist()


@pytest.mark.parametrize("runs, size", [
    ([4, 4], (3, 3)), ([-1, 10], (3, 3)), ([10**18, 10**18], (3, 3)), ([9], (0, 9)), ([1 << 40], (1 << 20, 1 << 20)),
    (b"~~~", (3, 3)), (b"\x01", (3, 3)), (b"o" * 40 + b"0", (3, 3)), ([], (3, 3)), ("ä", (3, 3)),
])  # fmt: skip
def test_runs_that_do_not_fill_the_mask_are_refused(runs, size):
    with pytest.raises(ValueError):
        rle.decode(np.array(runs, np.int64) if isinstance(runs, list) else runs, size)
