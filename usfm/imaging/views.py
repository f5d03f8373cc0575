"""The views of a split screen: the region of each, their order, and which of them holds a label."""

import dataclasses
from dataclasses import dataclass

import cv2
import numpy as np

from usfm.imaging import fan, seams
from usfm.imaging.fan import SectorGeometry
from usfm.imaging.region import TRUSTED, Region, region_from_still

_LEAST_SHARE = 0.2
"""Of the largest panel: a smaller piece of a region that has no geometries is no view."""
_ACROSS = 0.1
"""Of a structure: with so much of it in a second view, it lies in both."""


@dataclass(frozen=True)
class View:
    """One view of a frame.

    Attributes:
        number: its place in the order, from 0.
        masks: bool (H, W) of all views of the frame, in order; no pixel lies in two.
    """

    number: int
    masks: tuple[np.ndarray, ...]

    def holds(self, xy: np.ndarray) -> np.ndarray:
        """Say which points belong to this view: those in its region, and of those in none, those nearest to its box.

        Args:
            xy: (n, 2) points (x, y) in the pixels of the frame.

        Returns:
            (n,) bool; every point belongs to exactly one view.

        Example:
            >>> left = np.array([[True, False, False, False]])
            >>> View(0, (left, left[:, ::-1])).holds(np.array([[0, 0], [1, 0], [3, 0]])).tolist()
            [True, True, False]
        """
        xy = np.asarray(xy, np.float64).reshape(-1, 2)
        height, width = self.masks[0].shape
        col, row = np.rint(xy[:, 0]).clip(0, width - 1).astype(int), np.rint(xy[:, 1]).clip(0, height - 1).astype(int)
        away = []
        for mask in self.masks:
            top, left, bottom, right = _box(mask)
            outside = np.hypot(
                np.maximum(0, np.maximum(left - xy[:, 0], xy[:, 0] - right + 1)),
                np.maximum(0, np.maximum(top - xy[:, 1], xy[:, 1] - bottom + 1)),
            )
            away.append(np.where(mask[row, col], -1.0, outside))
        return np.argmin(np.stack(away), 0) == self.number

    def part_of(self, structure: np.ndarray) -> np.ndarray:
        """Return what of a structure belongs to this view.

        Each connected piece goes to the view that holds its centre of mass. A piece with a tenth or more of its area
        in the region of a second view is cut: what lies in the region of another view goes there.

        Args:
            structure: bool (H, W).

        Returns:
            bool (H, W).
        """
        kept = np.zeros(structure.shape, bool)
        count, marks, facts, centres = cv2.connectedComponentsWithStats(structure.astype(np.uint8), connectivity=8)
        if count < 2:
            return kept
        mine = self.holds(centres[1:])
        inside = [np.bincount(marks[mask], minlength=count) for mask in self.masks]
        for k in range(1, count):
            shares = [int(share[k]) >= _ACROSS * facts[k, cv2.CC_STAT_AREA] for share in inside]
            if sum(shares) < 2:
                if mine[k - 1]:
                    kept |= marks == k
                continue
            others = [mask for at, mask in enumerate(self.masks) if at != self.number]
            piece = (marks == k) & ~np.logical_or.reduce(others)
            kept |= piece if mine[k - 1] else piece & self.masks[self.number]
        return kept


def count(region: Region, frame: np.ndarray) -> int:
    """Return how many views stand side by side.

    Args:
        region: of the whole frame.
        frame: uint8 (H, W) or RGB (H, W, 3); shows black gaps between views that the region joins.

    Returns:
        The number; 0 where nothing but the whole frame was found, so that nobody knows.
    """
    known = max(len(region.extra.get("views", ())), len(_panels(region)))
    if known > 1:
        return known
    if region.mask.all() and region.confidence < TRUSTED:
        return 0
    return len(seams.panels(frame, region.mask))


def split(region: Region, frame: np.ndarray) -> list[Region]:
    """Return the regions of the views of a split screen, in reading order.

    Views whose boxes share half of the smaller height stand in one row; rows go from top to bottom, and in a row views
    go from left to right. So part 0 is left of part 1, and a quad is 0 1 above 2 3.

    Args:
        region: of the whole frame.
        frame: uint8 (H, W) or RGB (H, W, 3); shows black gaps between views that the region joins.

    Returns:
        A region a view, of that view only: its mask, its geometry and its shape. Their ``extra`` has ``view`` and
        ``of``. [] where the region has one view, or is a guess, so that nothing is cut; but a guess with a black gap is
        cut where the search is sure of what it finds on either side.
    """
    if region.confidence < TRUSTED:
        return _numbered(_sure(region, frame))
    geometries = [SectorGeometry(**view) for view in region.extra.get("views", ())]
    found: list[tuple[SectorGeometry | None, np.ndarray]] = (
        list(zip(geometries, _apart(region.mask, geometries), strict=True))
        if len(geometries) > 1
        else [(None, mask) for mask in _panels(region) or _joined(region, frame)]
    )
    known = {name: value for name, value in region.extra.items() if name != "views"}
    return _numbered([
        dataclasses.replace(
            region, mask=mask, geometry=geometry, shape="" if geometry is None else geometry.shape, extra=known
        )
        for geometry, mask in found
    ])  # fmt: skip


def _numbered(found: list[Region]) -> list[Region]:
    """Put views into reading order; [] where there are not two."""
    found = [one for one in found if one.mask.any()]
    if len(found) < 2:
        return []
    order = reading_order([_box(one.mask) for one in found])
    return [
        dataclasses.replace(found[at], extra=found[at].extra | {"view": number, "of": len(found)})
        for number, at in enumerate(order)
    ]


def _joined(region: Region, frame: np.ndarray) -> list[np.ndarray]:
    """Cut a region of one view at the black gaps in it."""
    boxes = seams.panels(frame, region.mask)
    return [_within(region.mask, box) for box in boxes] if len(boxes) > 1 else []


def _sure(region: Region, frame: np.ndarray) -> list[Region]:
    """Search anew on either side of the gaps in a guess; [] unless all that is found there is sure."""
    boxes = [] if region.mask.all() else seams.panels(frame, region.mask)
    found = []
    for top, left, bottom, right in boxes if len(boxes) > 1 else ():
        one = region_from_still(frame[top:bottom, left:right])
        if one.confidence < TRUSTED:
            return []
        mask = np.zeros(region.mask.shape, bool)
        mask[top:bottom, left:right] = one.mask
        geometry = None if one.geometry is None else one.geometry.moved(1.0, top, left)
        found.append(dataclasses.replace(one, mask=mask, geometry=geometry, extra={}))
    return found


def _within(mask: np.ndarray, box: tuple[int, int, int, int]) -> np.ndarray:
    """A mask inside of a box."""
    top, left, bottom, right = box
    kept = np.zeros_like(mask)
    kept[top:bottom, left:right] = mask[top:bottom, left:right]
    return kept


def reading_order(boxes: list[tuple[int, int, int, int]]) -> list[int]:
    """Return the order in which views are counted: row by row from the top, in a row from the left.

    Args:
        boxes: first row, first column, end row, end column of each view, px.

    Returns:
        Numbers of the boxes.

    Example:
        >>> reading_order([(60, 0, 100, 50), (0, 60, 50, 100), (4, 0, 50, 50), (58, 60, 99, 99)])
        [2, 1, 0, 3]
    """
    rows: list[list[int]] = []
    for at in sorted(range(len(boxes)), key=lambda at: (boxes[at][0] + boxes[at][2], boxes[at][1])):
        top, _, bottom, _ = boxes[at]
        for row in rows:
            first, _, last, _ = boxes[row[0]]
            if min(bottom, last) - max(top, first) >= 0.5 * min(bottom - top, last - first):
                row.append(at)
                break
        else:
            rows.append([at])
    return [at for row in rows for at in sorted(row, key=lambda at: (boxes[at][1] + boxes[at][3], at))]


def _apart(mask: np.ndarray, geometries: list[SectorGeometry]) -> list[np.ndarray]:
    """Cut a region by the sectors of its views; a pixel in two goes to the one whose middle is nearest."""
    drawn = np.stack([fan.mask(geometry, (mask.shape[0], mask.shape[1])) & mask for geometry in geometries])
    rows, cols = np.nonzero(drawn.sum(0) > 1)
    if len(rows):
        middles = [np.argwhere(one).mean(0) if one.any() else np.full(2, np.inf) for one in drawn]
        away = np.stack([np.hypot(rows - row, cols - col) for row, col in middles])
        away[~drawn[:, rows, cols]] = np.inf
        drawn[:, rows, cols] = False
        drawn[away.argmin(0), rows, cols] = True
    return list(drawn)


def _panels(region: Region) -> list[np.ndarray]:
    """The large pieces of a dual region whose geometries are not all known."""
    if region.shape != "dual":
        return []
    count, marks, facts, _ = cv2.connectedComponentsWithStats(region.mask.astype(np.uint8), connectivity=8)
    areas = facts[1:, cv2.CC_STAT_AREA]
    return [marks == k for k in range(1, count) if areas[k - 1] >= _LEAST_SHARE * areas.max()]


def _box(mask: np.ndarray) -> tuple[int, int, int, int]:
    """First row, first column, end row, end column of a mask that is not empty."""
    rows, cols = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return int(rows[0]), int(cols[0]), int(rows[-1]) + 1, int(cols[-1]) + 1
