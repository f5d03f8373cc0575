"""Estimate a sector's geometry from a region mask, with a confidence."""

import numpy as np

from usfm.imaging.fan import SectorGeometry


def fit_fan(mask: np.ndarray) -> tuple[SectorGeometry | None, float]:
    """Fit a convex, phased, linear or trapezoid sector to a mask."""
    return None, 0.0
