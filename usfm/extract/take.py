"""One part: open its sources, take the frames that are due, and say what could not be had."""

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from usfm.errors import MediaError
from usfm.extract.drawn import LEFT_OUT, Painter
from usfm.extract.identity import Pseudonyms
from usfm.extract.plan import Piece, TakeTask
from usfm.extract.put_back import put_back
from usfm.extract.readers import READERS
from usfm.extract.readers.contract import Frame, Notes
from usfm.extract.scan import NOT_THE_FILE
from usfm.extract.sources import stamp
from usfm.imaging.gray import is_gray, to_gray
from usfm.store.schema import frame_id
from usfm.store.writer import PartWriter

STAGE = "extract"
COLOUR_CHROMA = 40.0
"""Chroma (largest minus smallest channel) that counts as colour: codec noise and the tint that some screens give all
their grays stay under 25 on 44 lung clips and 120 linear stills; drawn markers and Doppler pass 48."""
COLOUR_PIXELS = 16
"""So many coloured pixels make a frame a coloured one: fewer than any caliper or caption, more than noise."""


def take(order: TakeTask) -> Iterator[bytes]:
    """Read the sources of one part; gives the bytes of a part of a store.

    A source that cannot be read, in whole or from some time on, becomes a row of ``/rejected``; it never raises.
    """
    names = order.names
    part = PartWriter(
        class_names=names.classes,
        multi_names=names.multi,
        box_names=names.boxes,
        mask_names=names.masks,
        mask_kind="bits" if names.bits else "index",
        score_runs=dict(names.scores),
    )
    for piece in order.pieces:
        _take_piece(part, piece, order)
        yield from part.drain()
    yield from part.pieces()


def shade(pixels: np.ndarray, color: bool | None) -> np.ndarray:
    """Return a frame as the store keeps it: gray when asked for or, with None, when it holds no colour.

    Args:
        pixels: uint8 (H, W) or RGB (H, W, 3).
        color: True to keep three channels where there are three, False for gray, None to look.

    Returns:
        uint8 (H, W), or (H, W, 3) where it keeps its colour.
    """
    if pixels.ndim == 2 or color is True:
        return pixels
    share = COLOUR_PIXELS / (pixels.shape[0] * pixels.shape[1])
    return to_gray(pixels) if color is False or is_gray(pixels, COLOUR_CHROMA, share) else pixels


def _take_piece(part: PartWriter, piece: Piece, order: TakeTask) -> None:
    scan = piece.scan
    if scan.fault:
        refuse(part, piece, scan.fault, scan.detail)
        return
    notes = Notes()
    frames, broke = _read(piece, order, notes)
    shown = {str(frame.index): frame.facts for frame in frames if frame.facts and frame.pixels is not None}
    if shown:  # of a source in ranges each would bring others, and its row would be several
        notes.metadata["frames"] = shown if piece.within is None else "left out, since the source is long"
    drawn = _drawn(piece, frames, notes)
    if piece.within is not None and LEFT_OUT in notes.metadata:  # as above
        why = "; ".join(f"{times} times: {reason}" for reason, times in notes.metadata.pop(LEFT_OUT).items())
        part.reject(piece.stored, "", STAGE, "labels left out", f"{why}.")
    if piece.restored:
        frames, drawn = _put_back(part, piece, order, frames, drawn, notes)
    row = _source_row(part, piece, notes, order.hashes) if any(frame.pixels is not None for frame in frames) else -1
    for frame, labels in zip(frames, drawn, strict=True):
        _add(part, piece, order, notes, row, frame, labels)
    told = [*notes.faults, *([broke] if broke is not None else [])]
    for fault in told:
        part.reject(piece.stored, "", STAGE, fault.reason, fault.detail)
    if not told and not frames and not piece.restored:
        part.reject(piece.stored, "", STAGE, "no frames", "nothing came out of it.")


def _add(part: PartWriter, piece: Piece, order: TakeTask, notes: Notes, row: int, frame: Frame, labels: dict) -> None:
    name, facts = frame_id(piece.scan.sha256, frame.index, piece.copy), piece.facts
    if frame.pixels is None:
        part.reject(piece.stored, name, STAGE, frame.fault, f"the frame at {frame.time_s:.2f} s was lost.")
        return
    part.frame(
        frame.pixels,
        frame_id=name,
        source=row,
        index=frame.index,
        time_s=frame.time_s,
        kind=frame.kind or notes.kind or "b-mode",
        row_spacing_mm=_first_known(frame.spacing_mm[0], facts.spacing_mm[0]),
        col_spacing_mm=_first_known(frame.spacing_mm[1], facts.spacing_mm[1]),
        label=order.names.classes.index(facts.label) if facts.label else None,
        mask=labels.get("mask", None if order.names.masks else frame.mask),
        multi=facts.multi,
        values=facts.values or None,
        boxes=labels.get("boxes"),
        split=facts.split,
    )


def _read(piece: Piece, order: TakeTask, notes: Notes) -> tuple[list[Frame], MediaError | None]:
    """Read the frames of a piece; returns them, and why it broke off where it did."""
    frames, broke = [], None
    try:
        _unchanged(piece)
        reader = READERS[piece.source.kind]
        options = replace(order.options, color=True) if piece.restored else order.options
        for frame in reader.read(piece.source.media, order.sampling, notes, piece.within, options):
            frames.append(frame if piece.restored else _shaded(frame, order.color))
    except MediaError as error:
        broke = error
    except OSError as error:
        if error.errno in NOT_THE_FILE:
            raise
        broke = MediaError("not readable", f"it cannot be read ({(error.strerror or 'error').lower()}).")
    except (MemoryError, ImportError):  # what a library lacks is no fault of the file
        raise
    except Exception as error:  # one odd file never ends a run; our own mistakes show in the reason
        broke = MediaError("reader failed", f"the reader stopped with {type(error).__name__}.")
    return frames, broke


def _put_back(part: PartWriter, piece: Piece, order: TakeTask, frames: list[Frame], drawn: list[dict], notes: Notes):
    """Put exported frames back; returns those, with their labels, that the export does not know."""
    left = Counter(notes.metadata.pop(LEFT_OUT, {}))
    others = [
        (_shaded(frame, order.color), labels)
        for frame, labels in zip(frames, drawn, strict=True)
        if frame.pixels is None
        or piece.restored is None
        or not put_back(part, piece.restored, frame.index, frame.pixels, labels, left)
    ]
    if left:  # the sources' own rows stay as they were
        part.reject(
            piece.stored, "", STAGE, "labels changed", "; ".join(f"{n} times: {why}" for why, n in left.items())
        )
    return [frame for frame, _ in others], [labels for _, labels in others]


def _first_known(*numbers: float) -> float:
    return next((number for number in numbers if not math.isnan(number)), math.nan)


def _drawn(piece: Piece, frames: list[Frame], notes: Notes) -> list[dict]:
    """Return the boxes and the mask of each frame; what could not be had is noted with the source."""
    if piece.drawn is None:
        return [{}] * len(frames)
    painter = Painter(piece.drawn)
    found = [{} if frame.pixels is None else painter.labels(frame.index, frame.pixels.shape[:2]) for frame in frames]
    before = piece.drawn.left if piece.within is None or piece.within.last else {}  # said once for the whole source
    left = {reason: times for reason, times in (Counter(before) + painter.left).items() if times}
    if left:
        notes.metadata[LEFT_OUT] = left
    return found


def refuse(part: PartWriter, piece: Piece, reason: str, detail: str) -> None:
    """Note that a piece gives nothing: each frame of a range, or the source as a whole.

    Args:
        part: Takes the rows of /rejected.
        piece: That gives nothing.
        reason: Short, the same for the same cause.
        detail: One sentence.
    """
    if piece.within is not None:
        for index in piece.within.indices:
            part.reject(piece.stored, frame_id(piece.scan.sha256, index, piece.copy), STAGE, reason, detail)
    else:
        part.reject(piece.stored, "", STAGE, reason, detail)


def _shaded(frame: Frame, color: bool | None) -> Frame:
    return frame if frame.pixels is None else replace(frame, pixels=shade(frame.pixels, color))


def _unchanged(piece: Piece) -> None:
    if stamp(piece.source) != (piece.source.size, piece.source.mtime_ns):
        raise MediaError("changed during the run", "the file is not the one that the run began with.")


def _source_row(part: PartWriter, piece: Piece, notes: Notes, hashes: Pseudonyms | None) -> int:
    facts, scan = piece.facts, piece.scan
    words = hashes.words(notes.names) if hashes else ""
    return part.source(
        path=piece.stored,
        sha256=scan.sha256,
        kind=piece.source.kind,
        fps=scan.probe.fps if scan.probe else float("nan"),
        frames=notes.frames,
        patient=facts.patient,
        exam=facts.exam,
        dataset=facts.dataset,
        metadata=notes.metadata,
        copy=piece.copy,
        dicom_regions=notes.dicom_regions,
        **({"name_hashes": words} if words else {}),
        **facts.columns,
    )
