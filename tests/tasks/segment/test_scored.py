"""Cases of a segmentation: resampled patients against copied cases, clips as sums of frames, constant answers."""

import numpy as np
import pytest

from usfm.seeding import stream
from usfm.tasks.draws import draw
from usfm.tasks.predictions import Predictions, ragged
from usfm.tasks.segment.drawn import _chosen, of_frames
from usfm.tasks.segment.measures import count, dice
from usfm.tasks.segment.moving import packed, planes
from usfm.tasks.segment.scored import BASE, COUNTS, DISTANCES, scored

NAMES = ("background", "cyst", "vessel")


def made(n=24, seed=0):
    """Predictions of a run on frames of patients with two clips each: squares that are shifted a little."""
    rng = np.random.default_rng(seed)
    table = {name: [] for name in (*COUNTS, *DISTANCES, BASE + "both", BASE + "predicted")}
    masks = []
    for k in range(n):
        truth, said, mean = (np.zeros((32, 32), np.uint8) for _ in range(3))
        top, shift = rng.integers(2, 16), rng.integers(0, 4)
        truth[top : top + 10, 8:18] = 1
        said[top : top + 10, 8 + shift : 18 + shift] = 1
        mean[8:18, 8:18] = 1
        if k % 3 == 0:
            truth[top : top + 4, 22:28] = 2
        if k % 4 == 0:
            said[top : top + 4, 22:28] = 2
        a, b, c = (planes(mask, 3, "index")[0] for mask in (truth, said, mean))
        row = count(a, b) | {BASE + "both": (a & c).sum((1, 2)), BASE + "predicted": c.sum((1, 2))}
        for name, values in table.items():
            values.append(np.asarray(row[name], float))
        masks.append(packed(said))
    words = lambda form: np.array([form(k) for k in range(n)], object)  # noqa: E731
    return Predictions(
        words(lambda k: f"f{k}:0"), words(lambda k: f"clip{k // 2}"), words(lambda k: f"p{k // 4}"),
        words(lambda k: f"p{k // 4}"), words(lambda k: "test"), words(lambda k: str(k % 2)),
        {name: np.stack(values) for name, values in table.items()} | {"mask": ragged(masks)},
        NAMES, task="segment", facts={"mask_kind": "index", "unit": "px"},
    )  # fmt: skip


def test_drawing_patients_equals_copying_their_cases():
    cases = scored(made(), "frame")
    draws = draw(cases.group, 12, stream(0, "t"))
    fast = cases.measure(draws)
    for b, counts in enumerate(draws.counts):
        rows = np.concatenate([np.tile(np.flatnonzero(cases.group == name), n)
                               for name, n in zip(draws.names, counts, strict=True)]).astype(int)  # fmt: skip
        slow = cases.part(rows).measure(None)
        for name in slow:
            assert np.allclose(fast[name][b], slow[name], equal_nan=True), name
    assert {measure.name for measure in (*cases.measures, *cases.of_class)} <= set(fast)


@pytest.mark.parametrize("aggregate, n", [("frame", 24), ("clip", 12), ("patient", 6)])
def test_a_clip_is_the_sum_of_its_frames(aggregate, n):
    cases = scored(made(), aggregate)
    assert len(cases) == n
    assert cases.counts.both.sum() == made().arrays["both"].sum()
    assert cases.frames.sum() == 24
    pooled = [scored(made(), each).measure(None)["dice_pooled"] for each in ("frame", aggregate)]
    assert pooled[0] == pytest.approx(pooled[1])


def test_the_mean_mask_is_the_constant_answer():
    cases = scored(made(), "frame")
    draws = draw(cases.group, 5, stream(1, "t"))
    words, value, drawn = cases.answers(draws)["dice"]["mean mask"]
    assert "mean mask" in words
    assert value == pytest.approx(cases.baseline())
    assert drawn.shape == (5,)
    assert value < float(cases.measure(None)["dice"])
    assert cases.class_names == NAMES[1:]
    assert cases.has_class(1).sum() == 8
    assert cases.details()["empty"]["vessel"] == {"truth_empty": 16, "missed": 6, "false": 4, "with_distance": 2}


def test_each_structure_has_its_worst_frames_one_a_patient_the_worst_first():
    held = made()
    chosen = _chosen(held, np.arange(len(held)), "index", 4)
    each = dice(*(held.arrays[name] for name in ("both", "truth", "predicted")))
    for plane in (1, 2):
        mine = [k for k, which, _ in chosen if which == plane]
        assert len(mine) == 3
        assert len(set(held.group[mine])) == 3
        values = each[mine, plane]
        assert np.array_equal(values, np.sort(values))
        there = np.isfinite(each[:, plane])
        assert values[0] == each[there, plane].min()
        assert all(f"{NAMES[plane]}: Dice" in caption for _, which, caption in chosen if which == plane)
    best = [k for k, which, _ in chosen if which is None]
    assert of_frames(held)[best[0]] == of_frames(held).max()
