"""What is drawn over the frames of one screen layout: text read once, looked for again only when ink appears."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np

from usfm.curate.clean.text import TextBox
from usfm.imaging import overlay
from usfm.imaging.gray import to_gray

SEGMENT = 8
"""Frames (2.7 s at 3 frames/s) whose median is one still picture: print stays sharp in it, speckle blurs."""

VETO_FRAMES = 32
"""Frames that the tissue veto is measured on, evenly over the run."""

NEW_INK_PX = 40
"""Pixels of fresh strokes, in a frame of 480 rows, that make the reader look again: about four characters."""

MOST_READINGS = 16
"""Readings of one layout; a screen whose outside changes all the time (an ECG, a counter) would ask for more."""

SAME_TEXT = 30.0
"""Median difference, gray levels, up to which a frame still shows the strokes that were read."""


@dataclass
class Sighting:
    """What one reading of a still picture found.

    Attributes:
        still: (H, W) uint8 picture that was read.
        boxes: Text that is filled.
        outside: (H, W) bool, what is filled outside the region, in every frame of the layout.
        strokes: For each box with strokes inside the region: rows, columns, what to fill there, and the bare strokes
            that tell whether a frame shows the text.
    """

    still: np.ndarray
    boxes: list[TextBox]
    outside: np.ndarray
    strokes: list[tuple[slice, slice, np.ndarray, np.ndarray]]


@dataclass
class LayoutOverlay:
    """The overlay of one layout of one clip, built up run by run.

    Attributes:
        region: (H, W) bool, the acoustic region.
        read: RGB or gray picture -> text boxes, or None to look for no text.
        ink: Whether coloured ink is looked for.
        sightings: What the readings found.
        readings: How often the reader was called.
        unread: Times that new ink was seen after the last reading that is allowed.
    """

    region: np.ndarray
    read: Callable[[np.ndarray], list[TextBox]] | None
    ink: bool = True
    sightings: list[Sighting] = field(default_factory=list)
    readings: int = 0
    unread: int = 0

    def look(self, frames: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Find the overlay of the next run of frames.

        Args:
            frames: uint8 (H, W) or (H, W, 3), in the order of time, all of this layout.

        Returns:
            (H, W) bool for each frame: what to fill.
        """
        grays = [to_gray(frame) for frame in frames]
        picked = np.unique(np.linspace(0, len(grays) - 1, VETO_FRAMES).round().astype(int))
        moving = overlay.moves_like_tissue([grays[k] for k in picked])
        if self.read is not None:
            self._read_segments(frames, grays, moving)
            self._read_sudden(frames, grays, moving)
        return [
            self.text_in(gray) | (overlay.colored_ink(frame, self.region) if self.ink else False)
            for frame, gray in zip(frames, grays, strict=True)
        ]

    def text_in(self, gray: np.ndarray) -> np.ndarray:
        """The text that a frame shows, of all that was read in its layout.

        Args:
            gray: (H, W) uint8.

        Returns:
            (H, W) bool: outside the region everything that was ever read; inside, strokes that are there in this frame.
        """
        mask = np.zeros(gray.shape, bool)
        for sighting in self.sightings:
            mask |= sighting.outside
            for rows, columns, grown, bare in sighting.strokes:
                apart = cv2.absdiff(gray[rows, columns], sighting.still[rows, columns])[bare]
                if np.median(apart) <= SAME_TEXT:
                    mask[rows, columns] |= grown
        return mask

    def _read_segments(self, frames: Sequence[np.ndarray], grays: list[np.ndarray], moving: np.ndarray | None) -> None:
        """Read the first still picture, and those that show ink which no picture read so far has."""
        for start in range(0, len(frames), SEGMENT):
            members = range(start, min(start + SEGMENT, len(frames)))
            judged = moving is not None and len(members) >= 3
            if not judged:
                members = members[:1]
            still = np.median(np.stack([grays[k] for k in members]), axis=0).astype(np.uint8)
            veto = overlay.spread_over_time([grays[k] for k in members]) > overlay.TISSUE_SPREAD if judged else None
            where = np.ones_like(self.region) if veto is None else ~(veto & self.region)
            if not self.readings or self._is_new(still, where):
                picture = np.median(np.stack([frames[k] for k in members]), axis=0).astype(np.uint8)
                self._note(still, picture, veto)

    def _read_sudden(self, frames: Sequence[np.ndarray], grays: list[np.ndarray], moving: np.ndarray | None) -> None:
        """Read single frames that show ink outside the region (anywhere, when nothing moves) that no median holds.

        One frame of a moving clip cannot tell ink from tissue, so nothing inside the region is taken from it.
        """
        where = self._outside() if moving is not None else np.ones_like(self.region)
        for frame, gray in zip(frames, grays, strict=True):
            if self._is_new(gray, where):
                self._note(gray, frame, None if moving is None else self.region)

    def _outside(self) -> np.ndarray:
        """What lies outside the region by more than a few pixels."""
        return ~cv2.dilate(self.region.astype(np.uint8), np.ones((9, 9), np.uint8)).astype(bool)

    def _is_new(self, still: np.ndarray, where: np.ndarray) -> bool:
        """Whether a picture shows ink that none of those read shows."""
        known = np.zeros_like(self.region)
        for sighting in self.sightings:
            known |= sighting.outside
        fresh = overlay.new_ink(still, [sighting.still for sighting in self.sightings], where, known)
        return bool(fresh.sum() >= NEW_INK_PX * max(0.25, len(still) / 480))

    def _note(self, still: np.ndarray, picture: np.ndarray, veto: np.ndarray | None) -> None:
        """Read a picture and keep what is to be filled; pixels under the veto are never taken inside the region."""
        if self.readings >= MOST_READINGS:
            self.unread += 1
            return
        self.readings += 1
        found = self.read(picture) if self.read is not None else []
        boxes = [box for box in found if box.is_readable() or not self._touches_region(box)]
        mask = overlay.text_mask(still, [box.box for box in boxes], self.region, veto)
        inside = mask & self.region
        strokes = []
        for box in boxes:
            rows, columns = _around(box, still.shape)
            bare = overlay.still_strokes(overlay.stroke_mask(still, box.box), veto)[rows, columns]
            if inside[rows, columns].any() and bare.any():
                strokes.append((rows, columns, inside[rows, columns].copy(), bare))
        self.sightings.append(Sighting(still, boxes, mask & ~self.region, strokes))

    def _touches_region(self, box: TextBox) -> bool:
        """Whether a box reaches into the region."""
        rows, columns = _around(box, self.region.shape, 0)
        return bool(self.region[rows, columns].any())


def _around(box: TextBox, shape: tuple[int, ...], reach: int | None = None) -> tuple[slice, slice]:
    """Rows and columns of a box, grown by the reach of its strokes."""
    left, top, right, bottom = box.box
    grown = 2 + round(min(bottom - top, right - left) / 12) if reach is None else reach
    return (
        slice(max(0, int(top) - grown), min(shape[0], int(np.ceil(bottom)) + grown)),
        slice(max(0, int(left) - grown), min(shape[1], int(np.ceil(right)) + grown)),
    )
