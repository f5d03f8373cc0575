"""Named streams are the same whenever asked for and independent of one another."""

import numpy as np

from usfm.seeding import stream, torch_seed


def test_streams_with_other_names_are_uncorrelated():
    draws = np.stack([stream(0, "crop", k).standard_normal(4000) for k in range(8)])
    correlation = np.corrcoef(draws) - np.eye(8)
    assert np.abs(correlation).max() < 0.08


def test_names_keep_their_order_and_type():
    seeds = {torch_seed(0, *names) for names in [("a", "b"), ("b", "a"), ("a",), ("a", 1), (1, "a"), ()]}
    assert len(seeds) == 6


def test_seed_fits_a_torch_generator():
    assert all(0 <= torch_seed(seed, "x") < 2**63 for seed in range(50))
