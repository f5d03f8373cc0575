"""The page that `sector --report` writes: outlines over frames, the doubtful ones first, and the counts."""

from pathlib import Path

import numpy as np

from usfm.curate.sector.config import Config
from usfm.curate.sector.corrections import to_slicer
from usfm.imaging import beam
from usfm.jobs.outputs import write_report
from usfm.pictures import html, sheet
from usfm.store.joins import rows_in
from usfm.store.reader import Store
from usfm.store.whole import write_json

SHOWN = 96


def write(out: Store, source: Store, folder: Path, summary: dict, config: Config) -> Path:
    """Write the page.

    Args:
        out: the store that `sector` made.
        source: its input, whose frames are shown with the regions drawn back on them.
        folder: where ``index.html`` goes.
        summary: the step's figures.
        config: the step's settings.

    Returns:
        The page's path.
    """
    table = out.region_table()
    row = out.column("region_row")
    first = {int(region): frame for frame, region in reversed(list(enumerate(row.tolist()))) if region >= 0}
    order = sorted(first, key=lambda region: (float(table["confidence"][region]), region))
    where = rows_in(out.column("frame_id"), source.column("frame_id"))
    names = out.of_frames("path")
    shown = order[: SHOWN // 2] + order[SHOWN // 2 :: max(1, (len(order) - SHOWN // 2) // (SHOWN // 2))][: SHOWN // 2]
    pictures, captions = [], []
    for region in shown:
        frame = first[region]
        original = source.frame(int(where[frame]))
        mask = _mask_on_source(out, region, frame, original.shape[:2])
        pictures.append(sheet.outline(_blurred(original, mask), mask))
        captions.append(
            f"{table['confidence'][region]:.2f} {table['evidence'][region]} {table['shape'][region] or '-'}"
            f" {Path(str(names[frame])).name[-18:]}"
        )
    cut = [out.frame(first[region]) for region in shown]
    counts = [(key, value) for key, value in summary.items() if isinstance(value, (int, float, str)) and key != "out"]
    sections = [("Counts", html.table(("figure", "value"), counts))]
    if pictures:
        outlines = html.figure(sheet.contact_sheet(pictures, captions), "confidence, evidence, shape")
        frames = html.figure(sheet.contact_sheet(cut), f"{config.size} x {config.size} px")
        sections[:0] = [("Regions, the least certain first", outlines), ("Output frames", frames)]
    written = slicer_entries(out, source, first)
    page = write_report(folder, html.page("sector", sections, "The acoustic region of every clip layout."))
    write_json(folder / "slicer.json", written, indent=1)
    return page


def slicer_entries(out: Store, source: Store, first: dict[int, int]) -> dict[str, dict]:
    """Return the regions that SlicerUltrasound can show, in the pixels of the input frames.

    Args:
        out: the store that `sector` made.
        source: its input.
        first: region row -> a frame that has it.

    Returns:
        Region key -> entry, as `--corrections` reads it back; trapezoids, dual views and regions without a geometry are
        left out.
    """
    where = rows_in(out.column("frame_id"), source.column("frame_id"))
    entries = {}
    for region, frame in sorted(first.items()):
        found = out.region(region)
        move = beam.of(found)
        geometry = found.geometry if move is None else move.geometry
        if geometry is None or geometry.shape == "trapezoid":
            continue
        at = int(where[frame])
        if move is not None:
            entries[out.region_key(region).partition("@")[0]] = to_slicer(
                geometry, (move.in_height_px, move.in_width_px)
            )
            continue
        scale = float(out.column("scale")[frame])
        row, col = (
            (float(out.column(name)[frame]) - float(source.column(name)[at])) * float(source.column("scale")[at])
            for name in ("crop_row_px", "crop_col_px")
        )
        scale /= float(source.column("scale")[at])
        shift = 0.5 / scale - 0.5
        back = geometry.moved(1 / scale, row + shift, col + shift)
        size = int(source.column("height")[at]), int(source.column("width")[at])
        entries[out.region_key(region).partition("@")[0]] = to_slicer(back, size)
    return entries


def _blurred(frame: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Return a frame with everything outside its region too coarse to read: reports show no text."""
    import cv2

    block = max(6, max(mask.shape) // 60)
    small = cv2.resize(
        frame, (max(1, mask.shape[1] // block), max(1, mask.shape[0] // block)), interpolation=cv2.INTER_AREA
    )
    coarse = cv2.resize(small, mask.shape[::-1], interpolation=cv2.INTER_LINEAR)
    return np.where(mask if frame.ndim == 2 else mask[..., None], frame, coarse)


def _mask_on_source(out: Store, region: int, frame: int, shape: tuple[int, int]) -> np.ndarray:
    """Return a region of the output drawn back on the input frame it was found on."""
    import cv2

    move = beam.of(out.region(region))
    if move is not None:
        return move.inverse_mask(out.region(region).mask)
    scale = float(out.column("scale")[frame])
    top, left = float(out.column("crop_row_px")[frame]), float(out.column("crop_col_px")[frame])
    mask = out.region(region).mask.astype(np.uint8)
    back = np.array([[1 / scale, 0, left + 0.5 / scale - 0.5], [0, 1 / scale, top + 0.5 / scale - 0.5]])
    return cv2.warpAffine(mask, back, shape[::-1], flags=cv2.INTER_NEAREST).astype(bool)
