"""Labels, masks and boxes go where their image goes."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from usfm.engine.augment import cut_images, source_points
from usfm.engine.crops import DRAWS, random_crops, whole
from usfm.engine.truth import NO_BOX, Truth, cut_boxes, cut_masks, sample_points

FRAME, SIZE = (48, 64), (32, 40)


def crops_of(seed, n=3, **how):
    drawn = random_crops(np.random.default_rng(seed).random((n, DRAWS)), FRAME, vflip=0.5, **how)
    return torch.from_numpy(drawn.stacked())


def blob(n=3):
    """A rectangle of class 2, its box, and the same as an image."""
    masks = torch.zeros(n, *FRAME, dtype=torch.uint8)
    masks[:, 14:30, 20:41] = 2
    boxes = torch.tensor([[14.0, 20.0, 30.0, 41.0]]).expand(n, 1, 4)
    return masks, boxes, torch.full((n, 1), 2)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([0.0, 20.0, 180.0]))
def test_points_come_back(seed, angle):
    crops = crops_of(seed, rotate_deg=angle)
    rows, columns = source_points(crops, *SIZE)
    back = sample_points(crops, rows.flatten(1) + 0.5, columns.flatten(1) + 0.5, SIZE)
    wanted = torch.meshgrid(torch.arange(SIZE[0]) + 0.5, torch.arange(SIZE[1]) + 0.5, indexing="ij")
    for found, want in zip(back, wanted, strict=True):
        assert torch.allclose(found.view(3, *SIZE), want.expand(3, -1, -1), atol=1e-3)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([0.0, 30.0]))
def test_masks_follow_their_image(seed, angle):
    masks, _, _ = blob()
    crops = crops_of(seed, rotate_deg=angle)
    moved = cut_masks(masks, crops, SIZE)
    assert set(moved.unique().tolist()) <= {0, 2}
    image = cut_images((masks > 0).unsqueeze(1).float() * 255, crops, SIZE, rotated=angle > 0)[:, 0]
    clear = (image < 5) | (image > 250)  # away from the edges, where the image is between the two
    assert torch.equal(moved[clear] > 0, image[clear] > 128)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6))
def test_boxes_follow_their_mask(seed):
    masks, boxes, classes = blob()
    crops = crops_of(seed)
    moved, kept = cut_boxes(boxes, classes, crops, SIZE, least=0.0)
    for mask, box, label in zip(cut_masks(masks, crops, SIZE), moved[:, 0], kept[:, 0], strict=True):
        if label == NO_BOX:
            assert mask.float().mean() < 0.01
            continue
        rows, columns = torch.nonzero(mask, as_tuple=True)
        if len(rows):
            found = torch.stack([rows.min(), columns.min(), rows.max() + 1, columns.max() + 1]).float()
            assert (found - box).abs().max() <= 1.0


def test_a_rotated_box_holds_its_rotated_mask():
    masks, boxes, classes = blob(1)
    crops = torch.from_numpy(whole(1, FRAME).stacked())
    crops[:, 6] = 0.5
    moved, _ = cut_boxes(boxes, classes, crops, FRAME)
    rows, columns = torch.nonzero(cut_masks(masks, crops, FRAME)[0], as_tuple=True)
    top, left, bottom, right = moved[0, 0].tolist()
    assert top - 1 <= rows.min() <= rows.max() <= bottom
    assert left - 1 <= columns.min() <= columns.max() <= right


def test_what_left_the_sample_is_no_box_and_what_never_was_stays_none():
    crops = torch.from_numpy(whole(1, FRAME).stacked())
    crops[:, 2:4] = 16.0  # the upper left corner
    boxes = torch.tensor([[[0.0, 0.0, 8.0, 8.0], [0.0, 15.0, 8.0, 35.0], [30.0, 30.0, 40.0, 40.0], [torch.nan] * 4]])
    classes = torch.tensor([[5, 6, 7, NO_BOX]])
    moved, kept = cut_boxes(boxes, classes, crops, (16, 16))
    assert kept.tolist() == [[5, NO_BOX, NO_BOX, NO_BOX]]  # 5 % of the second is left
    assert cut_boxes(boxes, classes, crops, (16, 16), least=0.04)[1].tolist() == [[5, 6, NO_BOX, NO_BOX]]
    assert moved[0, 0].tolist() == [0, 0, 8, 8]
    assert moved[0, 1:].isnan().all()


def test_pixels_outside_the_frame_have_the_class_that_is_asked_for():
    masks = torch.ones(1, *FRAME, dtype=torch.int64)
    crops = torch.from_numpy(whole(1, FRAME).stacked())
    crops[:, 6] = np.pi / 4
    moved = Truth(masks=masks, labels=torch.tensor([3])).moved(crops, FRAME, outside=255)
    assert set(moved.masks.unique().tolist()) == {1, 255}
    assert moved.masks[0, 0, 0] == 255
    assert moved.labels.tolist() == [3]


def test_masks_of_several_layers_move_layer_by_layer():
    masks = torch.randint(0, 4, (3, 2, *FRAME))
    crops = crops_of(1, rotate_deg=20)
    moved = cut_masks(masks, crops, SIZE)
    assert all(torch.equal(moved[:, k], cut_masks(masks[:, k], crops, SIZE)) for k in range(2))


@pytest.mark.parametrize("part", ["labels", "masks", "boxes", "box_classes"])
def test_the_head_of_a_truth(part):
    truth = Truth(**{part: torch.arange(6)})
    assert getattr(truth.head(2), part).tolist() == [0, 1]
    others = {"labels", "masks", "boxes", "box_classes"} - {part}
    assert all(getattr(truth.head(2), other) is None for other in others)
