"""Measures of boxes against pycocotools, slow loops and weights as repetition."""

import contextlib
import io

import numpy as np
import pytest

from usfm.tasks.detect.measures import IOUS, hits, matched, measures, overlap


def random_boxes(rng, n, side=100.0):
    first = rng.uniform(0, side * 0.7, (n, 2))
    return np.concatenate([first, first + rng.uniform(5, side * 0.3, (n, 2))], 1)


def random_frames(rng, frames, classes=2):
    """Predictions near the truth, misses, doubles and false ones; some frames have no boxes at all."""
    said, truth = [], []
    for _ in range(frames):
        known = [random_boxes(rng, rng.integers(0, 4)) for _ in range(classes)]
        line = []
        for boxes in known:
            near = np.repeat(boxes, rng.integers(0, 3, len(boxes)), axis=0)
            near = np.sort((near + rng.normal(0, 1.5, near.shape)).reshape(-1, 2, 2), axis=1).reshape(-1, 4)
            every = np.concatenate([near, random_boxes(rng, rng.integers(0, 2))])
            line.append((every, rng.random(len(every))))
        said.append(line)
        truth.append(known)
    return said, truth


def matched_of(said, truth, case=None):
    case = np.arange(len(said)) if case is None else case
    return tuple(
        matched([line[c] for line in said], [line[c] for line in truth], case, int(case.max()) + 1)
        for c in range(len(said[0]))
    )


def coco_of(said, truth):
    """(map50, map75, map) and per class of pycocotools."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    def entry(image, c, box, number):
        left, top, right, bottom = box
        size = [float(left), float(top), float(right - left), float(bottom - top)]
        return {"id": number, "image_id": image + 1, "category_id": c + 1, "bbox": size, "area": size[2] * size[3],
                "iscrowd": 0}  # fmt: skip

    known, found = [], []
    for image, (line, true) in enumerate(zip(said, truth, strict=True)):
        for c, (boxes, scores) in enumerate(line):
            known += [entry(image, c, box, len(known) + k + 1) for k, box in enumerate(true[c])]
            found += [{**entry(image, c, box, 0), "score": float(s)} for box, s in zip(boxes, scores, strict=True)]
    with contextlib.redirect_stdout(io.StringIO()):
        gt = COCO()
        gt.dataset = {"images": [{"id": k + 1} for k in range(len(said))], "annotations": known,
                      "categories": [{"id": c + 1} for c in range(len(said[0]))]}  # fmt: skip
        gt.createIndex()
        run = COCOeval(gt, gt.loadRes(found), "bbox")
        run.evaluate()
        run.accumulate()
    values = run.eval["precision"][:, :, :, 0, -1]  # IoU, recall, class
    values = np.where(values < 0, np.nan, values).mean(1)
    return values


@pytest.mark.reference
@pytest.mark.parametrize("seed", range(4))
def test_as_pycocotools_has_it(seed):
    pytest.importorskip("pycocotools")
    said, truth = random_frames(np.random.default_rng(seed), 60)
    got = measures(matched_of(said, truth), np.ones((1, 60)))
    want = coco_of(said, truth)
    assert 0.2 < want[0].mean() < 0.95
    assert got["map"][0] == pytest.approx(want.mean(), abs=1e-6)
    assert got["map50"][0] == pytest.approx(want[0].mean(), abs=1e-6)
    assert got["map75"][0] == pytest.approx(want[5].mean(), abs=1e-6)
    assert got["class_ap"][0] == pytest.approx(want.mean(0), abs=1e-6)
    assert got["class_ap50"][0] == pytest.approx(want[0], abs=1e-6)


@pytest.mark.reference
def test_equal_scores_as_pycocotools_has_them():
    pytest.importorskip("pycocotools")
    said, truth = random_frames(np.random.default_rng(9), 40)
    said = [[(boxes, scores.round(1)) for boxes, scores in line] for line in said]
    got = measures(matched_of(said, truth), np.ones((1, 40)))
    assert got["class_ap"][0] == pytest.approx(coco_of(said, truth).mean(0), abs=1e-6)


def test_weights_repeat_cases():
    rng = np.random.default_rng(2)
    said, truth = random_frames(rng, 15)
    case = np.sort(np.concatenate([np.arange(7), rng.integers(0, 7, 8)]))  # cases of several frames
    every = matched_of(said, truth, case)
    times = rng.integers(0, 4, (6, 7))
    times[0], times[1, :5] = 1, 0
    got = measures(every, times.astype(float))
    for draw in range(6):
        rows = np.repeat(np.arange(7), times[draw])
        want = measures(tuple(one.take(rows) for one in every), np.ones((1, len(rows))))
        for name in got:
            assert got[name][draw] == pytest.approx(want[name][0], nan_ok=True), name


def test_a_perfect_answer_and_none():
    truth = [[np.array([[10, 10, 30, 40.0]])], [np.array([[5, 5, 20, 20.0], [50, 50, 60, 70]])], [np.zeros((0, 4))]]
    perfect = [[(line[0], np.full(len(line[0]), 0.9))] for line in truth]
    got = measures(matched_of(perfect, truth), np.ones((1, 3)))
    assert all(got[name][0] == pytest.approx(1) for name in ("map", "map50", "map75", "recall_fp1"))
    nothing = [[(np.zeros((0, 4)), np.zeros(0))] for _ in truth]
    got = measures(matched_of(nothing, truth), np.ones((1, 3)))
    assert all(got[name][0] == 0 for name in ("map", "map50", "recall_fp1"))
    got = measures(matched_of(perfect, truth), np.array([[0.0, 0, 1]]))  # no box of the truth is left
    assert np.isnan(got["map"][0])


def test_recall_at_one_false_box_a_frame_is_that_of_a_slow_loop():
    said, truth = random_frames(np.random.default_rng(4), 20, classes=1)
    (one,) = matched_of(said, truth)
    want = 0.0
    for threshold in one.score:
        kept = one.score >= threshold
        if (~one.hit[0][kept]).sum() <= 20:
            want = max(want, one.hit[0][kept].sum() / one.truth.sum())
    assert measures((one,), np.ones((1, 20)))["recall_fp1"][0] == pytest.approx(want)
    assert 0 < want <= 1


def test_a_box_of_the_truth_is_found_once():
    truth = np.array([[0, 0, 10, 10.0]])
    twice = np.array([[0, 0, 10, 10.0], [0, 0, 10, 9]])
    assert hits(twice, truth).sum(1).tolist() == [1] * len(IOUS)
    assert hits(twice, np.zeros((0, 4))).sum() == 0
    assert overlap(truth, np.array([[3, 3, 3, 8.0]]))[0, 0] == 0
