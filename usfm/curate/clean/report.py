"""The page of clean: what was found and filled, before and after, with every text too blurred to read."""

from pathlib import Path

import cv2
import numpy as np

from usfm.jobs.outputs import write_report
from usfm.pictures import html
from usfm.pictures.sheet import contact_sheet, mask_over
from usfm.store.reader import Store

SHOWN = 36
CELL_PX = 240
BLUR_SHARE = 0.035
"""Blur of what was filled, standard deviation as a share of the frame's height: no letter survives."""


_NOTHING = {"text_boxes_xyxy_px": [], "readings": 0, "filled_px": 0, "filled_in_region_px": 0, "region_px": 0}
"""What is taken of an overlay that came with the input and lacks counts."""


def write(folder: Path, source: Store, out: Store, summary: dict) -> Path:
    """Write the page.

    Args:
        folder: Where ``index.html`` goes.
        source: The input of clean.
        out: Its result.
        summary: The step's figures.

    Returns:
        The page's path.
    """
    counts = {name: value for name, value in summary.items() if isinstance(value, int | float) and name != "out"}
    rows = examples(out)
    where = {str(name): row for row, name in enumerate(source.column("frame_id"))}
    cells, captions, table = [], [], []
    for row in rows:
        mask, detail = of_frame(out, row)
        before = source.frame(where[str(out.column("frame_id")[row])])
        cells += [mask_over(blurred(before, mask), mask), out.frame(row)]
        captions += [f"{len(detail['text_boxes_xyxy_px'])} lines, {detail['filled_px']} px", "filled"]
        share = detail["filled_in_region_px"] / max(1, detail["region_px"])
        table.append([out.of_frames("path")[row], out.column("frame_id")[row], len(detail["text_boxes_xyxy_px"]),
                      detail["readings"], detail["filled_px"], 100 * share])  # fmt: skip
    columns = ["source", "frame", "text lines", "readings", "filled (px)", "region filled (%)"]
    pictures = html.figure(contact_sheet(cells, captions, columns=4, cell_px=CELL_PX)) if cells else "None changed."
    sections = [
        ("Counts", html.facts(counts)),
        ("Before and after", html.paragraph(
            "One frame of each layout, those that lost most of their region first. Left: what is filled, blurred and "
            "tinted; right: the result.") + pictures + html.details("figures", html.table(columns, table))),
    ]  # fmt: skip
    lead = "Burnt-in text and coloured markers, found and filled."
    return write_report(folder, html.page("clean", sections, lead))


def examples(out: Store) -> list[int]:
    """Rows of frames to show: the first of each overlay, the largest loss of region first, one a layout."""
    first: dict[int, int] = {}
    for row, overlay in enumerate(out.column("overlay_row").tolist()):
        if overlay >= 0:
            first.setdefault(overlay, row)
    loss, layouts = [], {}
    for overlay, row in first.items():
        detail = out.overlay_detail(overlay)
        share = detail.get("filled_in_region_px", 0) / max(1, detail.get("region_px", 1))
        layouts.setdefault(detail["key"].rpartition(":")[0], []).append((-share, -detail.get("filled_px", 0), row))
    loss = sorted(min(found) for found in layouts.values())
    return [row for _, _, row in loss[:SHOWN]]


def of_frame(out: Store, row: int) -> tuple[np.ndarray, dict]:
    """Overlay mask (H, W) of a frame, and what it is made of.

    Args:
        out: the cleaned store.
        row: of the frame.

    Returns:
        bool (H, W), and the details of `/overlay`.
    """
    overlay = int(out.column("overlay_row")[row])
    return out.overlay(overlay), _NOTHING | out.overlay_detail(overlay)


def blurred(frame: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The frame with the masked pixels and a rim around them too coarse to read.

    Args:
        frame: uint8 (H, W) or (H, W, 3).
        mask: bool (H, W).

    Returns:
        A picture like `frame`.
    """
    sigma = max(4.0, BLUR_SHARE * frame.shape[0])
    rim = cv2.dilate(mask.astype(np.uint8), np.ones((9, 9), np.uint8)).astype(bool)
    smooth = cv2.GaussianBlur(frame, (0, 0), sigma)
    return np.where(rim if frame.ndim == 2 else rim[..., None], smooth, frame)
