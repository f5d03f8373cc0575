"""Measures of masks against slow loops, MONAI and weights as repetition."""

import numpy as np
import pytest

from usfm.tasks.segment.measures import Cases, count, dice, distances, iou, measures, structures

KINDS = ("rest", "cyst", "vessel")


def random_masks(rng, n, side=24):
    """Blobs, single pixels and empty planes."""
    masks = rng.random((n, len(KINDS), side, side)) < rng.choice([0.0, 0.002, 0.05, 0.5], (n, len(KINDS), 1, 1))
    masks[0], masks[1, 1] = False, False
    masks[1, 1, 5, 7] = True
    return masks


def cases_of(truth, predicted, **options):
    rows = [count(a, b, **options) for a, b in zip(truth, predicted, strict=True)]
    return Cases(**{name: np.stack([row[name] for row in rows]) for name in rows[0]})


@pytest.mark.reference
@pytest.mark.filterwarnings("ignore")  # of MONAI
@pytest.mark.parametrize("spacing", [(1.0, 1.0), (0.4, 0.15)])
def test_as_monai_has_it(spacing):
    metrics = pytest.importorskip("monai.metrics")
    import torch

    rng = np.random.default_rng(5)
    truth, predicted = random_masks(rng, 40), random_masks(rng, 40)
    got = cases_of(truth, predicted, spacing=spacing)
    a, b = torch.tensor(predicted).float(), torch.tensor(truth).float()
    both_known = got.truth > 0
    want = metrics.compute_dice(a, b, include_background=True, ignore_empty=True).numpy()
    ours = dice(got.both, got.truth, got.predicted)
    assert np.array_equal(np.isnan(want), ~both_known)
    assert np.allclose(ours[both_known], want[both_known], atol=1e-6)
    want = metrics.compute_iou(a, b, include_background=True, ignore_empty=True).numpy()
    assert np.allclose(iou(got.both, got.truth, got.predicted)[both_known], want[both_known], atol=1e-6)
    for name, function in (("hd95", lambda: metrics.compute_hausdorff_distance(
            a, b, include_background=True, percentile=95, spacing=list(spacing))),
            ("asd", lambda: metrics.compute_average_surface_distance(
                a, b, include_background=True, symmetric=True, spacing=list(spacing)))):  # fmt: skip
        want, mine = function().numpy(), getattr(got, name)
        assert np.isfinite(mine).sum() > 30
        assert np.allclose(mine[np.isfinite(mine)], want[np.isfinite(mine)], rtol=1e-6, atol=1e-6)


def test_counts_are_those_of_a_slow_loop():
    rng = np.random.default_rng(0)
    truth, predicted = random_masks(rng, 12), random_masks(rng, 12)
    got = cases_of(truth, predicted)
    for n in range(12):
        for k in range(len(KINDS)):
            a = {(r, c) for r, c in np.argwhere(truth[n, k]).tolist()}
            b = {(r, c) for r, c in np.argwhere(predicted[n, k]).tolist()}
            assert (got.both[n, k], got.truth[n, k], got.predicted[n, k]) == (len(a & b), len(a), len(b))


def test_distances_of_known_shapes():
    square = np.zeros((40, 40), bool)
    square[10:20, 10:20] = True
    moved = np.roll(square, 3, axis=1)
    assert distances(square, square) == (0.0, 0.0)
    hd, asd = distances(square, moved, (1.0, 0.2))
    assert hd == pytest.approx(0.6)
    assert 0 < asd < 0.6
    assert np.isnan(distances(square, np.zeros_like(square))).all()
    assert distances(square, moved) == distances(moved, square)


def test_a_structure_is_found_when_half_of_it_is():
    truth, predicted = np.zeros((20, 20), bool), np.zeros((20, 20), bool)
    truth[2:6, 2:6] = truth[10:14, 10:14] = True
    predicted[2:6, 2:6] = True
    predicted[10:14, 10:12] = predicted[13, 12] = True  # 9 of 16 px
    assert structures(truth, predicted) == (2, 2)
    predicted[13, 12] = predicted[13, 11] = False  # 7 of 16
    assert structures(truth, predicted) == (1, 2)
    assert structures(np.zeros_like(truth), predicted) == (0, 0)
    assert structures(truth, np.zeros_like(truth)) == (0, 2)


def test_weights_repeat_cases():
    rng = np.random.default_rng(2)
    cases = cases_of(random_masks(rng, 9), random_masks(rng, 9))
    times = rng.integers(0, 4, (5, 9))
    times[:, 3] = 1
    got = measures(cases, times.astype(float), KINDS)
    for draw in range(5):
        repeated = cases.take(np.repeat(np.arange(9), times[draw]))
        want = measures(repeated, np.ones((1, len(repeated.both))), KINDS)
        assert got.keys() == want.keys()
        for name in got:
            assert got[name][draw] == pytest.approx(want[name][0], nan_ok=True), name


def test_empty_masks():
    truth = np.zeros((3, 2, 8, 8), bool)
    predicted = truth.copy()
    truth[0, 1, 2:5, 2:5] = predicted[0, 1, 2:5, 2:5] = True  # perfect
    predicted[1, 1, 0, 0] = True  # something where nothing is: 0
    got = measures(cases_of(truth, predicted), np.ones((1, 3)), ("rest", "cyst"))
    assert got["dice"][0] == got["dice:cyst"][0] == 0.5  # the third case has neither and does not count
    assert got["hd95_px"][0] == 0.0  # only the case in which both hold something


def test_pixels_of_unknown_truth_count_nowhere():
    truth = np.zeros((2, 8, 8), bool)
    truth[1, 2:6, 2:6] = True
    predicted = truth.copy()
    predicted[1, 0, 0] = True
    seen = np.ones((8, 8), bool)
    seen[0, 0] = False
    row = count(truth, predicted, seen)
    assert row["predicted"][1] == row["both"][1] == 16
    assert row["hd95"][1] == 0.0
