"""Windows of large frames, as a network takes them: every frame is cut into squares that overlap."""

from functools import lru_cache

import numpy as np
import torch

from usfm.engine.augment import KINDS
from usfm.engine.prepared import Prepared
from usfm.errors import RequestError
from usfm.imaging.framing import Framing
from usfm.imaging.gray import to_gray
from usfm.model.network import Entry
from usfm.store.reader import Store

OVERLAP = 0.25
"""Share of a window that its neighbour sees too, where nothing else is asked for."""


def starts(length_px: int, window_px: int, overlap: float) -> list[int]:
    """Where windows begin along one side of a frame: evenly spread, the first and last at the edges.

    Args:
        length_px: of the side.
        window_px: side of a window.
        overlap: share of a window that its neighbour sees too, at least.

    Returns:
        First pixels, ascending; [0] where the side is no longer than a window.

    Examples:
        >>> starts(100, 40, 0.25), starts(40, 40, 0.5), starts(41, 40, 0)
        ([0, 30, 60], [0], [0, 1])
    """
    if length_px <= window_px:
        return [0]
    step = max(1, int(window_px * (1 - overlap)))
    count = -(-(length_px - window_px) // step) + 1
    return np.linspace(0, length_px - window_px, count).round().astype(int).tolist()


class Windows(Prepared):
    """Overlapping windows of the frames of any store, each brought to a network's size.

    A window is a sample: it has a number, from 0 on, in the order of the rows. A frame that is smaller than a window in
    rows or columns gets a black border there.

    Args:
        store: any store.
        rows: those that will be asked for.
        entry: how frames enter the network.
        device: where batches are wanted.
        window_px: rows of a window, px of the frames; as many columns where the network takes squares.
        overlap: share of a window that its neighbour sees too, at least.
    """

    def __init__(
        self, store: Store, rows: np.ndarray, entry: Entry, device: torch.device, window_px: int, overlap: float
    ):
        self.size = window_px, round(window_px * entry.image_size[1] / entry.image_size[0])
        self._scale = entry.image_size[0] / window_px
        sides = [np.asarray(store.column(side)) for side in ("height", "width")]
        self._shape, rows = np.stack(sides, 1), np.unique(rows)
        found = [self._of(row, overlap) for row in rows.tolist()]
        self._at = np.concatenate(found) if found else np.zeros((0, 3), np.int64)
        self._first = np.zeros(len(store) + 1, np.int64)
        self._first[rows + 1] = [len(each) for each in found]
        self._first = self._first.cumsum()
        self.padded = int((self._shape[rows] < self.size).any(1).sum())
        super().__init__(store, rows, entry, device)

    def _of(self, row: int, overlap: float) -> np.ndarray:
        """Row, first row and first column (px) of each window of a frame."""
        tops, lefts = (starts(int(n), w, overlap) for n, w in zip(self._shape[row], self.size, strict=True))
        return np.array([(row, top, left) for top in tops for left in lefts])

    @property
    def count(self) -> int:
        """Windows of all rows."""
        return len(self._at)

    def samples(self, rows: np.ndarray) -> np.ndarray:
        """The windows of frames, those of a frame together, in the order of the rows."""
        at = np.asarray(rows, int)
        ends = zip(self._first[at].tolist(), self._first[at + 1].tolist(), strict=True)
        parts = [np.arange(first, last) for first, last in ends]
        return np.concatenate(parts) if parts else np.zeros(0, np.int64)

    def row_of(self, samples: np.ndarray) -> np.ndarray:
        """The rows of the store that windows lie in."""
        return self._at[samples, 0]

    def part(self, sample: int) -> Framing:
        """The map from the frame of a window to the window as the network sees it."""
        row, top, left = self._at[sample].tolist()
        height, width = (int(min(n, w)) for n, w in zip(self._shape[row], self.size, strict=True))
        above, before = ((w - n) // 2 for n, w in zip((height, width), self.size, strict=True))
        scale = self._scale
        return Framing(top, left, height, width, scale, above * scale, before * scale, *self.entry.image_size)

    def scene(self, rows: np.ndarray) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Sectors (n, 7) and regions (n, H, W) bool of windows; see `Prepared.scene`."""
        geometry = np.full((len(rows), 7), np.nan, np.float32)
        if not self.store.has_regions:
            return self.send(geometry), None
        masks = np.ones((len(rows), *self.entry.image_size), bool)
        for k, sample in enumerate(rows.tolist()):
            region, move = self._region_of(int(self.row_of(np.array([sample]))[0])), self.part(sample)
            if region is None:
                continue
            masks[k] = move.apply_mask(region.mask)
            if region.geometry is not None:
                g = move.apply_geometry(region.geometry)
                geometry[k] = (KINDS[g.shape], g.apex_x_px, g.apex_y_px, g.radius_0_px, g.radius_1_px,
                               g.angle_0_rad, g.angle_1_rad)  # fmt: skip
        return self.send(geometry), self.send(masks)

    def _region_of(self, row: int):
        at = int(self.store.column("region_row")[row])
        found = self._read_region(at) if at >= 0 else None
        return found if found is not None and found.mask.any() else None

    def _made(self, rows: np.ndarray) -> torch.Tensor:
        gray = self.entry.in_chans == 1
        made = np.zeros((len(rows), self.entry.in_chans, *self.entry.image_size), np.uint8)
        last, frame = -1, np.zeros((1, 1), np.uint8)
        for k, sample in enumerate(rows.tolist()):
            row = int(self._at[sample, 0])
            if row != last:
                given = self.store.frame(row)
                last, frame = row, to_gray(given) if gray else given
            picture = self.part(sample).apply(frame)
            made[k] = picture if picture.ndim == 2 else picture.transpose(2, 0, 1)
        return torch.from_numpy(made)

    def _regions(self, rows: np.ndarray) -> None:
        """Regions of windows are made when they are asked for; a few of the store's are kept."""
        self._read_region = lru_cache(64)(self.store.region)


def check_large(store: Store, rows: np.ndarray, window_px: int) -> None:
    """Refuse windows that no frame is larger than.

    Args:
        store: any store.
        rows: of it.
        window_px: rows and columns of a window.

    Raises:
        RequestError: no frame is larger.
    """
    most = [int(np.asarray(store.column(side))[rows].max(initial=0)) for side in ("height", "width")]
    if max(most) <= window_px:
        raise RequestError(
            f"--window {window_px}: no frame is larger than a window (at most {most[0]} x {most[1]} px); leave it "
            "out, or take a smaller one"
        )


def prepared(
    store: Store, rows: np.ndarray, entry: Entry, device: torch.device, window_px: int | None, overlap: float | None
) -> Prepared:
    """Frames as a network takes them, whole or by windows.

    Args:
        store: any store.
        rows: those that will be asked for.
        entry: how frames enter the network.
        device: where batches are wanted.
        window_px: rows of a window, px of the frames; None takes whole frames.
        overlap: share of a window that its neighbour sees too; None for `OVERLAP`.

    Returns:
        The frames.
    """
    if window_px is None:
        return Prepared(store, rows, entry, device)
    return Windows(store, rows, entry, device, window_px, OVERLAP if overlap is None else overlap)
