"""Faster R-CNN on the maps of an encoder: shapes, finite losses, boxes that are learnt."""

import numpy as np
import pytest
import torch

from usfm.imaging.framing import Framing
from usfm.model.sources import network
from usfm.tasks.detect.heads import taps_of
from usfm.tasks.detect.learner import BoxLearner

SIZE = (64, 64)


@pytest.fixture(scope="module")
def nano():
    return network("random:vit_nano_patch16_64")


def learner(boxes, framing=None, shape=SIZE):
    kinds = [np.arange(len(one)) % 2 for one in boxes]
    return BoxLearner(
        lambda row: (boxes[row], kinds[row]), ("cyst", "mass"), lambda row: shape, lambda row: framing, SIZE
    )


def test_the_published_taps():
    assert taps_of(12) == (3, 5, 7, 11)


def test_losses_and_boxes(nano):
    boxes = [np.array([[10, 20, 30, 50], [40, 30, 60, 60.0]], np.float32), np.zeros((0, 4), np.float32)]
    one = learner(boxes)
    torch.manual_seed(0)
    head, frames = one.head(nano), torch.rand(2, 1, *SIZE) * 255
    loss = one.loss(head(nano, frames), one.truth(np.arange(2)))
    assert loss.ndim == 0
    assert torch.isfinite(loss)
    loss.backward()
    assert all(p.grad is not None for p in head.parameters())
    found = one.decode(head.eval()(nano, frames))["boxes"]
    assert found.shape == (2, 100, 6)
    known = found[torch.isfinite(found[..., 4])]
    assert ((known[:, :4] >= 0) & (known[:, :4] <= 64)).all()
    assert set(known[:, 5].tolist()) <= {0.0, 1.0}


@pytest.mark.parametrize("framing", [None, Framing.for_box((0, 0, 100, 200), 64)])
def test_boxes_go_there_and_back(framing):
    boxes = [np.array([[10, 20, 50, 70], [60, 60, 190, 99.0]], np.float32), np.array([[0, 0, 200, 100.0]], np.float32)]
    one = learner(boxes, framing, (100, 200))
    truth = one.truth(np.arange(2))
    said = np.full((2, 100, 6), np.nan, np.float32)
    said[:, :2, :4] = np.asarray(truth.boxes)[..., [1, 0, 3, 2]]
    said[:, :2, 5] = truth.box_classes
    said[0, :2, 4], said[1, 0, 4] = 0.9, 0.8
    back = one.raw({"boxes": said}, np.arange(2))
    assert np.allclose(back[0, :2, :4], boxes[0], atol=1e-3)
    assert np.allclose(back[1, 0, :4], boxes[1][0], atol=1e-3)
    assert np.isnan(back[1, 1:, 4]).all()
    assert one.score({"boxes": said}, np.arange(2))["score"] == pytest.approx(1)


@pytest.mark.slow
def test_a_bright_square_is_found(nano):
    rng, frames, boxes = np.random.default_rng(0), np.zeros((8, 1, *SIZE), np.float32), []
    for frame in frames:
        top, left, side = rng.integers(2, 30), rng.integers(2, 30), rng.integers(16, 30)
        frame[0, top : top + side, left : left + side] = 200
        boxes.append(np.array([[left, top, left + side, top + side]], np.float32))
    one, rows = learner(boxes), np.arange(8)
    torch.manual_seed(0)
    head = one.head(nano)
    steps = torch.optim.AdamW([*head.parameters(), *nano.parameters()], 1e-3)
    for _ in range(30):
        steps.zero_grad()
        one.loss(head(nano, torch.from_numpy(frames)), one.truth(rows)).backward()
        steps.step()
    with torch.no_grad():
        said = {
            name: values.numpy() for name, values in one.decode(head.eval()(nano, torch.from_numpy(frames))).items()
        }
    assert one.score(said, rows)["val_map50"] > 0.5
