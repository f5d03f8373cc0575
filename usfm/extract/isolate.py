"""What a part of extract is made of: its sources or pieces, so that a file that kills the reader costs only itself."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from usfm.extract.plan import Piece, TakeTask
from usfm.extract.scan import ScanTask, scan
from usfm.extract.take import take
from usfm.jobs.parts import Items, Part

CRASHED = "reader crashed"


def _scan_only(batch: ScanTask, numbers: Sequence[int]) -> ScanTask:
    return replace(batch, sources=tuple(batch.sources[number] for number in numbers))


def _scan_without(batch: ScanTask, failed: Mapping[int, str]) -> ScanTask:
    sources = list(batch.sources)
    for number, reason in failed.items():
        sources[number] = replace(sources[number], fault=CRASHED, detail=reason)
    return replace(batch, sources=tuple(sources))


def _take_only(order: TakeTask, numbers: Sequence[int]) -> TakeTask:
    return replace(order, pieces=tuple(order.pieces[number] for number in numbers))


def _take_without(order: TakeTask, failed: Mapping[int, str]) -> TakeTask:
    pieces = list(order.pieces)
    for number, reason in failed.items():
        pieces[number] = _spoilt(pieces[number], reason)
    return replace(order, pieces=tuple(pieces))


def _spoilt(piece: Piece, reason: str) -> Piece:
    return replace(piece, scan=replace(piece.scan, fault=CRASHED, detail=reason))


SOURCES = Items(lambda batch: len(batch.sources), _scan_only, _scan_without)
"""Of a batch of sources to look at."""

PIECES = Items(lambda order: len(order.pieces), _take_only, _take_without)
"""Of a part of sources to take frames from."""


def poison_scan(part: Part, reason: str) -> bytes:
    """Stand in for a batch none of whose sources can be looked at; opens none of them.

    Args:
        part: Whose payload is the batch.
        reason: Why not; each source is rejected for it.

    Returns:
        As `scan` gives it.
    """
    batch = part.payload
    return scan(_scan_without(batch, dict.fromkeys(range(len(batch.sources)), reason)))


def poison_take(part: Part, reason: str) -> bytes:
    """Stand in for a part none of whose pieces can be read; opens none of them.

    Args:
        part: Whose payload is the order.
        reason: Why not; each piece is rejected for it.

    Returns:
        As `take` gives it.
    """
    order = part.payload
    return b"".join(take(_take_without(order, dict.fromkeys(range(len(order.pieces)), reason))))
