"""Changes of place: there and back, sectors by what lies in their beams, truth along with the picture."""

import math

import numpy as np
import pytest
import torch

from usfm.engine.augment import beam_coordinates, beam_points
from usfm.engine.augmentation import moves
from usfm.engine.truth import NO_BOX, Truth

NAN = math.nan
SECTORS = {
    "convex": [0.0, 64.0, -20.0, 40.0, 140.0, -0.6, 0.6],
    "phased": [0.0, 60.0, 4.0, 3.0, 118.0, -0.7, 0.7],
    "steered": [0.0, 64.0, -10.0, 30.0, 120.0, -0.4, 0.6],
    "trapezoid": [2.0, 64.0, -60.0, 70.0, 180.0, -0.25, 0.25],
    "linear": [1.0, 64.0, 10.0, 0.0, 100.0, -0.45, 0.45],
}
SECTOR = torch.tensor(list(SECTORS.values()))
YES = torch.ones(len(SECTOR), dtype=torch.bool)
H, W = 128, 128


def rand(low, high):
    torch.manual_seed(0)
    return low + (high - low) * torch.rand(len(SECTOR))


def kinds():
    """Every way to draw a sector anew."""
    return {
        "convexity": moves.reshaped(SECTOR, rand(0.05, 0.75)),
        "probe": moves.exchanged(SECTOR, rand(0.5, 1), rand(1, 2)),
    }


def spots(n=40):
    """Depth and angle well inside."""
    g = torch.Generator().manual_seed(1)
    return (torch.rand(len(SECTOR), n, generator=g) * 0.96 + 0.02,
            torch.rand(len(SECTOR), n, generator=g) * 1.9 - 0.95)  # fmt: skip


@pytest.mark.parametrize("kind", ["convexity", "probe"])
def test_what_lies_at_a_depth_and_an_angle_stays_there(kind):
    new = kinds()[kind]
    known = ~new.isnan().any(1)
    assert known[:3].all()
    move = moves.rescan(SECTOR, new, YES)
    depth, angle = spots()
    rows, columns = beam_points(SECTOR, depth, angle)
    there = move.forth(rows, columns)
    d, a = beam_coordinates(move.geometry(SECTOR), *there)
    assert torch.allclose(d, depth, atol=1e-4)
    assert torch.allclose(a, angle, atol=1e-4)
    back = move.back(*there)
    assert torch.allclose(back[0], rows, atol=0.01)
    assert torch.allclose(back[1], columns, atol=0.01)


@pytest.mark.parametrize("kind", ["convexity", "probe"])
def test_nothing_is_shown_outside_the_new_sector_and_nothing_moves_where_it_is_off(kind):
    new = kinds()[kind]
    move = moves.rescan(SECTOR, new, YES)
    rows, columns = beam_points(move.geometry(SECTOR), torch.full((len(SECTOR), 1), 1.1), torch.zeros(len(SECTOR), 1))
    changed = ~new.isnan().any(1)
    assert (move.back(rows, columns)[0][changed] == moves.NOWHERE_PX).all()
    still = moves.rescan(SECTOR, new, ~YES)
    assert torch.equal(still.back(rows, columns)[0], rows)
    assert torch.equal(still.geometry(SECTOR), SECTOR)


def test_another_convexity_keeps_the_bottom_corners_and_the_depth_of_the_top():
    new = moves.reshaped(SECTOR, torch.full((len(SECTOR),), 0.5))
    one = torch.ones(len(SECTOR), 1)
    for side in (-one, one):
        for a, b in zip(beam_points(SECTOR, one, side), beam_points(new, one, side), strict=True):
            assert torch.allclose(a[:4], b[:4], atol=1e-2)
    rows = {name: torch.cat(beam_points(g, 0 * one, -one) + beam_points(g, 0 * one, one), 1)
            for name, g in (("old", SECTOR), ("new", new))}  # fmt: skip
    assert torch.allclose(rows["old"][[0, 1, 3], 0], rows["new"][[0, 1, 3], 0], atol=1e-2)
    left, right = rows["new"][:, 1], rows["new"][:, 3]
    bottom = beam_points(SECTOR, one, one)[1][:, 0] - beam_points(SECTOR, one, -one)[1][:, 0]
    assert torch.allclose((right - left)[[0, 1, 3]], 0.5 * bottom[[0, 1, 3]], atol=1e-2)
    assert new[4].isnan().all(), "parallel beams have no convexity"


def test_a_fan_laid_straight_and_bent_back_is_the_same_picture():
    """Full width there, the old radius back: a smooth picture is what it was."""
    fan = SECTOR[:1]
    box = moves.exchanged(fan, torch.ones(1), torch.ones(1))
    assert box[0, 0] == 1
    rows, columns = torch.meshgrid(torch.arange(H).float(), torch.arange(W).float(), indexing="ij")
    depth, angle = beam_coordinates(fan, rows.reshape(1, -1), columns.reshape(1, -1))
    picture = (128 + 60 * (6 * depth).sin() + 50 * (4 * angle).cos()).view(1, 1, H, W)
    inside = ((depth > 0) & (depth < 1) & (angle.abs() < 1)).view(1, 1, H, W)
    there = moves.rescan(fan, box, YES[:1])
    back = moves.rescan(box, fan, YES[:1])
    view = moves.moved(picture * inside, [there, back], (H, W), geometry=fan)
    same = view.inside & inside[:, 0]
    well = torch.nn.functional.avg_pool2d(same.float(), 9, 1, 4) == 1
    assert well.sum() > 3000
    assert (view.images[:, 0] - picture[:, 0])[well].abs().max() < 1
    assert torch.allclose(view.beams[0][well], depth.view(1, H, W)[well], atol=1e-3)


@pytest.mark.parametrize("matrix", ["zoom", "mirror", "turn"])
def test_sectors_follow_affine_maps_or_are_none(matrix):
    angle = 0.3
    m = {"zoom": [[1.3, 0], [0, 1.3]], "mirror": [[1.0, 0], [0, -1]],
         "turn": [[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]]}[matrix]  # fmt: skip
    move = moves.about(torch.tensor([m]).expand(len(SECTOR), 2, 2), torch.tensor([[60.0, 50.0]]).expand(5, 2))
    new = move.geometry(SECTOR)
    expected = [0, 1, 2] if matrix == "turn" else [0, 1, 2, 3, 4]
    assert (~new.isnan().any(1)).nonzero().flatten().tolist() == expected
    depth, side = spots()
    there = move.forth(*beam_points(SECTOR, depth, side))
    d, a = beam_coordinates(new, *there)
    a = -a if matrix == "mirror" else a
    assert torch.allclose(d[expected], depth[expected], atol=1e-3)
    assert torch.allclose(a[expected], side[expected], atol=1e-3)
    stretched = moves.affine(torch.tensor([[[1.2, 0], [0, 1.0]]]).expand(5, 2, 2), torch.zeros(5, 2))
    assert stretched.geometry(SECTOR).isnan().all()


def test_masks_boxes_and_regions_go_where_the_picture_goes():
    frames = torch.zeros(5, 1, H, W)
    frames[:, :, 60:72, 56:70] = 200
    masks = (frames[:, 0] > 0).to(torch.uint8)
    boxes = torch.full((5, 2, 4), NAN)
    boxes[:, 0] = torch.tensor([60.0, 56, 72, 70])
    classes = torch.tensor([[3, NO_BOX]]).expand(5, 2)
    steps = [moves.rescan(SECTOR, kinds()["convexity"], YES), moves.rescan(
        moves.rescan(SECTOR, kinds()["convexity"], YES).geometry(SECTOR), kinds()["probe"], ~YES),
        moves.about(torch.tensor([[[0.9, -0.3], [0.3, 0.9]]]).expand(5, 2, 2), torch.full((5, 2), 63.5))]  # fmt: skip
    truth = Truth(masks=masks, boxes=boxes, box_classes=classes)
    view = moves.moved(frames, steps, (H, W), geometry=SECTOR, regions=masks, truth=truth)
    shown = view.images[:, 0] > 100
    for i in range(5):
        overlap = (shown[i] & (view.truth.masks[i] > 0)).sum() / (shown[i] | (view.truth.masks[i] > 0)).sum()
        assert overlap > 0.93
        assert torch.equal(view.inside[i], view.truth.masks[i] > 0)
        rows, columns = shown[i].nonzero().unbind(1)
        around = torch.tensor([rows.min(), columns.min(), rows.max() + 1, columns.max() + 1]).float()
        assert (view.truth.boxes[i, 0] - around).abs().max() < 1.5
    assert view.truth.box_classes[:, 0].tolist() == [3] * 5
    assert view.truth.boxes[:, 1].isnan().all()


def test_no_move_at_all_is_the_frame_and_a_smaller_sample_is_no_alias():
    frames = torch.randint(0, 256, (5, 1, 96, 80), dtype=torch.uint8)
    view = moves.moved(frames, [], (96, 80), geometry=SECTOR)
    assert torch.allclose(view.images, frames.float(), atol=1e-2)
    half = moves.affine(torch.eye(2).expand(5, 2, 2) / 2, torch.full((5, 2), -0.25))
    small = moves.moved(frames, [half], (48, 40), geometry=SECTOR)
    area = torch.nn.functional.avg_pool2d(frames.float(), 2)
    plain = frames[:, :, ::2, ::2].float()
    assert (small.images - area).abs().mean() < 0.3 * (plain - area).abs().mean()
    assert np.allclose(small.rows[0, :, 0], 2 * np.arange(48) + 0.5)
