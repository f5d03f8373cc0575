"""A candidate region with its shape, at working size and at full size."""

import dataclasses
from dataclasses import dataclass

import cv2
import numpy as np

from usfm.imaging import fan
from usfm.imaging.fan import SectorGeometry

Window = tuple[int, int, int, int]
"""Part of a picture: first row, first column, end row, end column."""


@dataclass(frozen=True)
class Shaped:
    """A region as the search sees it, in working pixels.

    Attributes:
        mask: bool (h, w).
        shape: name of the sector's shape, "dual", or "".
        confidence: 0 to 1; of the fit for a candidate, that the region is right for the result of a search.
        views: one sector, two for a dual view, none for an unknown shape; each with the window that cuts it.
        predicted_iou: overlap with the true region that the evidence lets expect, 0 to 1.
        score: what the search gave it.
        lead: how far that is above the best candidate that overlaps it by less than 0.90.
        votes: share of the candidates that overlap it by 0.90 or more.
    """

    mask: np.ndarray
    shape: str
    confidence: float
    views: tuple[tuple[SectorGeometry, Window], ...] = ()
    predicted_iou: float = float("nan")
    score: float = 0.0
    lead: float = 0.0
    votes: float = 0.0


def drawn(geometry: SectorGeometry, window: Window, shape: tuple[int, ...]) -> np.ndarray:
    """Return a sector's mask without what lies outside its window.

    Args:
        geometry: the sector.
        window: what is shown of it.
        shape: of the picture, (h, w).

    Returns:
        bool (h, w).
    """
    top, left, bottom, right = window
    mask = np.zeros(shape[:2], bool)
    mask[top:bottom, left:right] = fan.mask(geometry, (shape[0], shape[1]))[top:bottom, left:right]
    return mask


def enlarged(shaped: Shaped, scale: float, shape: tuple[int, int]) -> Shaped:
    """Return a shape found at working size (``scale`` working pixels per pixel) for the full-size frame (H, W).

    Args:
        shaped: at working size.
        scale: working pixels per pixel.
        shape: (H, W) of the frame.

    Returns:
        The same at full size.
    """
    offset = 0.5 / scale - 0.5
    if not shaped.views:
        mask = cv2.resize(shaped.mask.astype(np.float32), shape[::-1], interpolation=cv2.INTER_LINEAR) >= 0.5
        return dataclasses.replace(shaped, mask=mask)
    views = []
    for geometry, window in shaped.views:
        top, left, bottom, right = (round(edge / scale) for edge in window)
        bottom = shape[0] if window[2] == shaped.mask.shape[0] else bottom
        right = shape[1] if window[3] == shaped.mask.shape[1] else right
        views.append((geometry.moved(1 / scale, offset, offset), (top, left, bottom, right)))
    mask = np.logical_or.reduce([drawn(geometry, window, shape) for geometry, window in views])
    return dataclasses.replace(shaped, mask=mask, views=tuple(views))
