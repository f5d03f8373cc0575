"""Where each sample is cut out of its frame: decided on the host, so that the device never has to be asked."""

from dataclasses import dataclass

import numpy as np

DRAWS = 25  # uniform numbers a crop uses: ten tries of area and ratio, two for its place, two flips, one angle
TRIES = 10


@dataclass(frozen=True)
class Crops:
    """One crop a sample, in pixels of the stored frame; edges, not centres: the frame spans [0, H] x [0, W].

    Attributes:
        top: (n,) float32, upper edge; left: left edge; height, width: sides.
        hflip: (n,) bool, mirrored left to right after the crop; vflip: top to bottom.
        angle_rad: (n,) float32, rotation about the crop's centre.
    """

    top: np.ndarray
    left: np.ndarray
    height: np.ndarray
    width: np.ndarray
    hflip: np.ndarray
    vflip: np.ndarray
    angle_rad: np.ndarray

    def __len__(self) -> int:
        return len(self.top)

    def take(self, index: np.ndarray | slice) -> "Crops":
        """The crops of some samples."""
        return Crops(*(getattr(self, name)[index] for name in self.__dataclass_fields__))

    def instead(self, where: np.ndarray, others: "Crops") -> "Crops":
        """The same but for the samples at `where` (indices), which have the other crops.

        Args:
            where: indices of samples of this one.
            others: as many crops as `where` has indices.

        Returns:
            The new crops.
        """
        columns = {name: getattr(self, name).copy() for name in self.__dataclass_fields__}
        for name, values in columns.items():
            values[where] = getattr(others, name)
        return Crops(**columns)

    def stacked(self) -> np.ndarray:
        """(n, 7) float32, in the order of the fields: one small array to send to the device."""
        return np.stack([getattr(self, name) for name in self.__dataclass_fields__], axis=1).astype(np.float32)


def whole(n: int, frame: tuple[int, int]) -> Crops:
    """No augmentation: the whole frame, n times.

    Args:
        n: samples.
        frame: (height, width) of a frame, px.

    Returns:
        The crops: no flip, no rotation.
    """
    zeros, no = np.zeros(n, np.float32), np.zeros(n, bool)
    return Crops(zeros, zeros, zeros + frame[0], zeros + frame[1], no, no, zeros)


def random_crops(
    uniform: np.ndarray,
    frame: tuple[int, int],
    *,
    area: tuple[float, float] = (0.2, 1.0),
    ratio: tuple[float, float] = (3 / 4, 4 / 3),
    hflip: float = 0.5,
    vflip: float = 0.0,
    rotate_deg: float = 0.0,
) -> Crops:
    """Turn uniform numbers into crops the way torchvision's RandomResizedCrop does.

    Args:
        uniform: (n, DRAWS) in [0, 1).
        frame: (height, width) of a stored frame, px.
        area: smallest and largest share of the frame's area.
        ratio: smallest and largest width / height, drawn on a logarithmic scale.
        hflip: probability of mirroring left to right.
        vflip: probability of mirroring top to bottom.
        rotate_deg: angles are uniform in plus or minus this.

    Returns:
        Crops with whole-pixel edges; where ten tries fail, the largest centred crop of an allowed ratio.
    """
    n, (rows, columns) = len(uniform), frame
    tries = uniform[:, : 2 * TRIES].reshape(n, TRIES, 2)
    areas = rows * columns * (area[0] + tries[..., 0] * (area[1] - area[0]))
    ratios = np.exp(np.log(ratio[0]) + tries[..., 1] * (np.log(ratio[1]) - np.log(ratio[0])))
    widths, heights = np.rint(np.sqrt(areas * ratios)), np.rint(np.sqrt(areas / ratios))
    fits = (widths > 0) & (widths <= columns) & (heights > 0) & (heights <= rows)
    first, some = fits.argmax(1), fits.any(1)
    pick = np.arange(n)
    clipped = min(max(columns / rows, ratio[0]), ratio[1])
    fallback = (min(rows, round(columns / clipped)), min(columns, round(rows * clipped)))
    height = np.where(some, heights[pick, first], fallback[0])
    width = np.where(some, widths[pick, first], fallback[1])
    place, rest = uniform[:, 2 * TRIES : 2 * TRIES + 2], uniform[:, 2 * TRIES + 2 :]
    top = np.where(some, np.floor(place[:, 0] * (rows - height + 1)), (rows - height) // 2)
    left = np.where(some, np.floor(place[:, 1] * (columns - width + 1)), (columns - width) // 2)
    angle = np.deg2rad(rotate_deg) * (2 * rest[:, 2] - 1)
    top, left, height, width = (each.astype(np.float32) for each in (top, left, height, width))
    return Crops(top, left, height, width, rest[:, 0] < hflip, rest[:, 1] < vflip, angle.astype(np.float32))


@dataclass(frozen=True)
class AreaTables:
    """Summed-area tables of region masks: any box's covered area in four look-ups.

    Attributes:
        sums: (R, H / cell + 1, W / cell + 1) float32, covered px up to an edge.
        cell: px between two entries; more than 1 only when there are too many regions for the memory.
    """

    sums: np.ndarray
    cell: int

    @classmethod
    def of(cls, masks: np.ndarray, limit_bytes: int = 1 << 29) -> "AreaTables":
        """Build from (R, H, W) bool or uint8 0/1 masks.

        Args:
            masks: (R, H, W), bool or uint8 of 0 and 1.
            limit_bytes: memory that the tables may take; larger cells keep to it as long as they divide the frame.

        Returns:
            The tables.
        """
        count, rows, columns = masks.shape
        cell = 1
        while count * (rows // cell + 1) * (columns // cell + 1) * 4 > limit_bytes:
            if rows % (2 * cell) or columns % (2 * cell):
                break  # cells twice as large would not cover the frame
            cell *= 2
        sums = np.zeros((count, rows // cell + 1, columns // cell + 1), np.float32)
        for i, mask in enumerate(masks):
            cells = mask.reshape(rows // cell, cell, columns // cell, cell).sum((1, 3), dtype=np.int64)
            sums[i, 1:, 1:] = cells.cumsum(0).cumsum(1)
        return cls(sums, cell)

    def coverage(self, region: np.ndarray, crops: Crops, grid: tuple[int, int]) -> np.ndarray:
        """How much of each patch of each crop the region covers, exactly (flips and rotation left out).

        Args:
            region: (n,) region rows.
            crops: n crops.
            grid: (rows, columns) of patches.

        Returns:
            (n, rows, columns) float32 in 0..1.
        """
        y = self._edges(crops.top, crops.height, grid[0], self.sums.shape[1] - 1)
        x = self._edges(crops.left, crops.width, grid[1], self.sums.shape[2] - 1)
        (y0, y1, fy), (x0, x1, fx) = y, x
        at = region[:, None, None]
        upper = (
            self.sums[at, y0[:, :, None], x0[:, None]] * (1 - fx[:, None])
            + self.sums[at, y0[:, :, None], x1[:, None]] * fx[:, None]
        )
        lower = (
            self.sums[at, y1[:, :, None], x0[:, None]] * (1 - fx[:, None])
            + self.sums[at, y1[:, :, None], x1[:, None]] * fx[:, None]
        )
        corner = upper * (1 - fy[:, :, None]) + lower * fy[:, :, None]
        covered = np.diff(np.diff(corner, axis=1), axis=2)
        patch = (crops.height / grid[0]) * (crops.width / grid[1])
        return np.clip(covered / patch[:, None, None], 0, 1).astype(np.float32)

    def _edges(self, start, length, count, last):
        at = (start[:, None] + length[:, None] * np.arange(count + 1) / count) / self.cell
        low = np.clip(np.floor(at), 0, last).astype(np.int64)
        return low, np.minimum(low + 1, last), (at - low).astype(np.float32)
