"""Sources into parts of about the same size: many small ones together, a long one in ranges; always the same way."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from usfm.extract.drawn import Drawn
from usfm.extract.identity import Paths, Pseudonyms
from usfm.extract.labels import Facts
from usfm.extract.readers.contract import NO_OPTIONS, Options, Probe, Range
from usfm.extract.restored import Restored
from usfm.extract.sampling import Sampling, choose
from usfm.extract.scan import Scan
from usfm.extract.sources import Source

PART_BYTES = 64 << 20
"""Decoded bytes, as RGB, of the frames of one part: what a worker holds is a small multiple of it."""
PART_SOURCES = 512


@dataclass(frozen=True)
class Piece:
    """One source, or one range of a long one, as a worker gets it.

    Attributes:
        source: The file.
        stored: Its path as the store shows it.
        facts: What is known about it, with pseudonyms.
        scan: What the first look found.
        copy: k for the k-th source of the same bytes.
        within: Range to read; None for all of it.
        due: About how many frames it gives.
        drawn: Its labels from files of their own; None where there are none.
        restored: What an export says of its frames; None where it is none of one.
    """

    source: Source
    stored: str
    facts: Facts
    scan: Scan
    copy: int = 0
    within: Range | None = None
    due: int = 0
    drawn: Drawn | None = None
    restored: Restored | None = None

    @property
    def frame_bytes(self) -> int:
        """Decoded bytes of one frame, as RGB."""
        return 3 * self.scan.probe.height * self.scan.probe.width if self.scan.probe else 0


@dataclass(frozen=True)
class Names:
    """What the numbers of labels stand for, the same in all parts.

    Attributes:
        classes: Of frames.
        boxes: Of boxes.
        masks: Of the pixels of masks, the first is 1.
        multi: Of frames, of which several may apply.
        bits: Whether classes of masks are bits.
        scores: (column of scores, run that gave them).
    """

    classes: tuple[str, ...] = ()
    boxes: tuple[str, ...] = ()
    masks: tuple[str, ...] = ()
    multi: tuple[str, ...] = ()
    bits: bool = False
    scores: tuple[tuple[str, str], ...] = ()

    def behind(self, first: Mapping) -> "Names":
        """Return the same with the names of an export first."""
        classes = tuple(dict.fromkeys((*first["class"], *self.classes)))
        return replace(self, classes=classes, multi=tuple(first["multi"]), scores=tuple(first["scores"].items()))


@dataclass(frozen=True)
class TakeTask:
    """What a worker is asked to do: one part.

    Attributes:
        pieces: What to read, in order.
        sampling: Which frames.
        color: Whether to keep colour; None to look.
        names: Of the classes.
        options: What is asked of readers.
        hashes: The run's pseudonyms, where the words of names in the files are to be kept hashed; else None.
    """

    pieces: tuple[Piece, ...]
    sampling: Sampling
    color: bool | None
    names: Names
    options: Options = NO_OPTIONS
    hashes: Pseudonyms | None = None


def pieces(
    sources: Sequence[Source],
    scans: Sequence[Scan],
    facts: dict[str, Facts],
    sampling: Sampling,
    names: Pseudonyms | None,
    *,
    hide_paths: bool,
) -> list[Piece]:
    """Join what is known about each source and cut long ones into ranges, in canonical order (path, then digest).

    Args:
        sources: All of them.
        scans: What was seen in each, in the same order.
        facts: By relative path.
        sampling: Which frames are due.
        names: Pseudonyms, None where nobody is named.
        hide_paths: Whether the store keeps hashes of paths.

    Returns:
        The pieces.
    """
    seen: dict[str, int] = {}
    cut: list[Piece] = []
    paths = Paths(names if hide_paths else None)
    for source, scan in sorted(zip(sources, scans, strict=True), key=lambda pair: _place(*pair)):
        known = facts[source.relative]
        known = known.hidden(names) if names else known
        for one in scan.items or (scan,):
            copy = seen.get(one.sha256, 0) if one.sha256 else 0
            seen[one.sha256] = copy + 1
            item = one.probe.item if scan.items and one.probe else ""
            piece = Piece(
                source=replace(source, item=item) if item else source,
                stored=paths.stored(source.relative, item),
                facts=replace(known, patient=known.patient or one.patient, exam=known.exam or one.exam),
                scan=one,
                copy=copy,
            )
            asked = sampling.without_clock() if one.probe and math.isnan(one.probe.fps) else sampling
            if one.probe:
                piece = replace(piece, due=_about(one.probe, asked))
            cut += _ranges(piece, asked)
    return cut


def parts(all_pieces: Sequence[Piece]) -> list[tuple[Piece, ...]]:
    """Group pieces, in their order, into parts."""
    groups: list[list[Piece]] = []
    held = 0
    for piece in all_pieces:
        size = piece.due * piece.frame_bytes
        if not groups or held + size > PART_BYTES or len(groups[-1]) >= PART_SOURCES:
            groups.append([])
            held = 0
        groups[-1].append(piece)
        held += size
    return [tuple(group) for group in groups]


def _place(source: Source, scan: Scan) -> tuple:
    return (source.relative.split("/"), scan.sha256)


def _ranges(piece: Piece, sampling: Sampling) -> list[Piece]:
    probe = piece.scan.probe
    if probe is None or not probe.stamps or piece.due * piece.frame_bytes <= PART_BYTES:
        return [piece]
    due = _due(probe, sampling)
    step = max(PART_BYTES // piece.frame_bytes, 1)
    cut = []
    for start in range(0, len(due), step):
        indices = tuple(due[start : start + step])
        within = Range(
            indices=indices,
            stamps=tuple(probe.stamps[index] for index in indices),
            first_stamp=probe.stamps[0],
            frames=probe.frames,
            by_index=probe.by_index,
            last=start + step >= len(due),
            full=probe.full,
            low=probe.low,
            lead=0 if start else probe.lead,
            lead_s=0.0 if start or not probe.lead else _lead_s(probe),
        )
        slim = replace(piece.scan, probe=replace(probe, stamps=()))
        cut.append(replace(piece, scan=slim, within=within, due=len(indices)))
    return cut


def _about(probe: Probe, sampling: Sampling) -> int:
    if probe.planes == 1 or sampling.fps is None:
        return sampling.about(probe.frames, probe.seconds)
    due = replace(sampling, limit=None).about(probe.frames / probe.planes, probe.seconds) * probe.planes
    return due if sampling.limit is None else min(due, sampling.limit)


def _due(probe: Probe, sampling: Sampling) -> list[int]:
    share = probe.planes if sampling.fps is not None else 1  # every N-th frame counts planes as they come
    frames = ((stamp, probe.lasts, None) for stamp in probe.stamps[::share])
    chosen = choose(frames, replace(sampling, limit=None), Fraction(*probe.tick_s))
    due = [index * share + plane for index, _, _ in chosen for plane in range(share)]
    return [index for index in due if index >= probe.lead][: sampling.limit]


def _lead_s(probe: Probe) -> float:
    return float((probe.stamps[probe.lead] - probe.stamps[0]) * Fraction(*probe.tick_s))
