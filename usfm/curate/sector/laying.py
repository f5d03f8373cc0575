"""`sector --beam`: sectors laid straight, so that rows are depth and columns are angle."""

import json

import cv2
import numpy as np

from usfm.curate.sector.config import Config
from usfm.errors import RequestError
from usfm.imaging import beam
from usfm.imaging.beam import BeamMap
from usfm.imaging.region import TRUSTED, Region
from usfm.store.reader import Store

_EDGE_PX = 3
"""Pixels that a region is widened by before the outside is blanked, so that its edge is not mixed with black."""


def check(config: Config) -> None:
    """Refuse settings that make no sense beside --beam.

    Args:
        config: of the step, with its preset.

    Raises:
        RequestError: one of them is set.
    """
    if not config.beam:
        return
    if config.preset is not None:
        raise RequestError(f"--beam lays sectors straight and --preset {config.preset} cuts boxes; give one of them.")
    if not config.fit_fan:
        raise RequestError("--beam needs the geometry that --no-fit-fan leaves out; give one of them.")
    if config.pad:
        raise RequestError(
            f"--beam keeps nothing around the sector, so --pad {config.pad} has no use; give one of them."
        )


def check_input(store: Store) -> None:
    """Refuse frames that are depth x angle already.

    Args:
        store: the input.

    Raises:
        RequestError: it holds some.
    """
    if any(json.loads(text or "{}").get("beam") for text in store.region_table()["extra"]):
        raise RequestError(
            f"{store.paths[0]}: its frames are depth x angle already; give sector the store that they were made from."
        )


def beam_map(region: Region, size: int, found: Region) -> BeamMap | None:
    """Return what lays a region straight.

    A box of a DICOM file fits parallel beams whatever is in it, so a linear geometry that was only fitted to a mask
    counts where a person drew the mask, and nowhere else.

    Args:
        region: in the pixels of the input frame.
        size: side of the output, px.
        found: the region before a geometry was fitted to its mask.

    Returns:
        The map; None where the geometry is not known, or more likely wrong than right.
    """
    if region.geometry is None or region.confidence < TRUSTED:
        return None
    if found.geometry is None and region.geometry.shape == "linear" and found.evidence != "manual":
        return None
    height, width = region.mask.shape
    return BeamMap(beam.trimmed(region.geometry, region.mask), size, height, width)


def refusal(region: Region) -> tuple[str, str]:
    """Return why a region cannot be laid straight.

    Args:
        region: for which `beam_map` gave None.

    Returns:
        A reason and one sentence.
    """
    if region.shape == "dual" or len(region.extra.get("views", ())) > 1:
        return "several views", "The frame has several sectors; --split-views makes a frame of each."
    if region.confidence < TRUSTED:
        return "no trusted geometry", f"Its region is right with a probability of {region.confidence:.2f} only."
    return "no trusted geometry", "No sector was found in its region, so depth and angle are not known."


def laid(frame: np.ndarray, move: BeamMap, mask: np.ndarray | None) -> np.ndarray:
    """Return a frame laid straight.

    Args:
        frame: (H, W) or (H, W, 3) uint8.
        move: its map.
        mask: bool (H, W), outside of which pixels become black; None to keep them.

    Returns:
        (size, size) or (size, size, 3) uint8.
    """
    if mask is not None:
        wide = cv2.dilate(mask.astype(np.uint8), np.ones((2 * _EDGE_PX + 1, 2 * _EDGE_PX + 1), np.uint8)) > 0
        frame = np.where(wide if frame.ndim == 2 else wide[..., None], frame, 0).astype(np.uint8)
    return move.apply(np.ascontiguousarray(frame))
