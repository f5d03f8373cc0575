"""The views of a split screen: the region of each, their order, and which of them holds a label."""

import dataclasses
from dataclasses import dataclass

import cv2
import numpy as np

from usfm.imaging import fan
from usfm.imaging.fan import SectorGeometry
from usfm.imaging.region import TRUSTED, Region

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


def split(region: Region) -> list[Region]:
    """Return the regions of the views of a split screen, in reading order.

    Views whose boxes share half of the smaller height stand in one row; rows go from top to bottom, and in a row views
    go from left to right. So part 0 is left of part 1, and a quad is 0 1 above 2 3.

    Args:
        region: of the whole frame.

    Returns:
        A region a view, of that view only: its mask, its geometry and its shape. Their ``extra`` has ``view`` and
        ``of``. [] where the region has one view, or is a guess, so that nothing is cut.
    """
    if region.confidence < TRUSTED:
        return []
    geometries = [SectorGeometry(**view) for view in region.extra.get("views", ())]
    found: list[tuple[SectorGeometry | None, np.ndarray]] = (
        list(zip(geometries, _apart(region.mask, geometries), strict=True))
        if len(geometries) > 1
        else [(None, mask) for mask in _panels(region)]
    )
    found = [(geometry, mask) for geometry, mask in found if mask.any()]
    if len(found) < 2:
        return []
    known = {name: value for name, value in region.extra.items() if name != "views"}
    return [
        dataclasses.replace(
            region, mask=found[at][1], geometry=found[at][0], shape="" if (g := found[at][0]) is None else g.shape,
            extra=known | {"view": number, "of": len(found)},
        )
        for number, at in enumerate(reading_order([_box(mask) for _, mask in found]))
    ]  # fmt: skip


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
