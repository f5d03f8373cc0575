"""Random numbers by counter."""

import numpy as np

from usfm.engine.counter import philox, uniforms


def test_known_answers_of_random123():
    ones = np.full((1, 4), 0xFFFFFFFF)
    assert [hex(w) for w in philox(ones, 0xFFFFFFFFFFFFFFFF)[0]] == [
        "0x408f276d",
        "0x41c83b0e",
        "0xa20bc7c6",
        "0x6d5451fd",
    ]


def test_a_row_draws_the_same_in_any_company():
    rows, epochs = np.array([5, 9, 5, 2**40]), np.array([0, 0, 1, 3])
    together = uniforms(7, rows, epochs, 25)
    alone = uniforms(7, rows[3:], epochs[3:], 25)
    assert np.array_equal(together[3:], alone)
    assert not np.array_equal(together[0], together[2])
    assert not np.array_equal(uniforms(8, rows, epochs, 25), together)


def test_uniform():
    draws = uniforms(1, np.arange(2000), np.zeros(2000), 8)
    assert draws.min() >= 0
    assert draws.max() < 1
    assert abs(draws.mean() - 0.5) < 0.01
    assert np.abs(np.corrcoef(draws.T) - np.eye(8)).max() < 0.1
