"""Labels that come from files of their own: annotations and masks, from the question where they are to each frame."""

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from usfm import console
from usfm.errors import RequestError
from usfm.extract import exported, mask_files, mask_plan
from usfm.extract.annotations.contract import Annotations, Marks
from usfm.extract.annotations.match import BARE, WHOLE, Matched, counted
from usfm.extract.annotations.match import match as match_records
from usfm.extract.annotations.read import read
from usfm.extract.drawn import LEFT_OUT, Boxes, Drawn, placed
from usfm.extract.identity import Paths
from usfm.extract.mask_files import How, MaskOf
from usfm.extract.mask_reading import MaskLook, look
from usfm.extract.media import Media
from usfm.extract.readers.contract import Probe
from usfm.extract.restored import Export
from usfm.extract.scan import Scan
from usfm.extract.sources import Found, Source
from usfm.jobs.parts import Items
from usfm.provenance import file_sha256
from usfm.store.reader import Store

BATCH = 64
"""Mask files that a worker looks at in one go."""


@dataclass(frozen=True)
class Imported:
    """Labels of a run that come from files of their own.

    Attributes:
        annotations: What ``--annotations`` holds; None without it.
        matched: Its records by source.
        masks: What each mask file is of.
        left: What was left out so far, by reason.
        fill: Whether masks that are outlines are filled.
        bits: Whether classes of masks may overlap.
        export: The export of a store that the input is; None where it is none.
        gaps: Files of a layout that are not there.
        tables: Its tables and files of outlines, as inputs of the step.
        under: Structures that others lie on, so that to be covered is no conflict.
        boxes: How many boxes a manifest says.
    """

    annotations: Annotations | None = None
    matched: Matched = field(default_factory=lambda: Matched({}, 0, 0, 0))
    masks: tuple[MaskOf, ...] = ()
    left: dict[str, int] = field(default_factory=dict)
    fill: bool = False
    bits: bool = False
    export: Export | None = None
    gaps: tuple[str, ...] = ()
    tables: tuple[dict, ...] = ()
    under: tuple[str, ...] = ()
    boxes: int = 0

    def split(self, relative: str) -> str:
        """Return the split that annotations say of a source."""
        return next((marks.split for marks in self.matched.of.get(relative, {}).values() if marks.split), "")

    @property
    def annotations_digest(self) -> str | None:
        """What stands in the history for ``--annotations``: a digest of the files."""
        files = self.annotations.files if self.annotations else ()
        whole = hashlib.sha256("".join(map(file_sha256, files)).encode())
        return f"sha256:{whole.hexdigest()}" if files else None

    @property
    def masks_digest(self) -> str:
        """What stands in the history for a folder of masks: a digest of which files are of what."""
        rows = [(one.source, one.frame, one.name, one.file.size) for one in self.masks]
        return f"sha256:{hashlib.sha256(json.dumps(rows).encode()).hexdigest()}"

    def inputs(self, paths: Paths) -> list[dict]:
        """Return the mask files, and those of an export, as inputs of the step."""
        whole = exported.files_of(self.export) if self.export else []
        return [*whole, *self.tables] + [
            {
                "path": f"mask:{paths.stored(one.file.below)}",
                "size": one.file.size,
                "mtime": one.file.mtime_ns,
                "of": [paths.stored(one.source), one.frame, one.name],
            }
            for one in self.masks
        ]


def collect(
    found: Found,
    how: How,
    annotations: str | None,
    *,
    fill: bool,
    bits: bool,
    export: Export | None = None,
    given: tuple[Sequence[MaskOf], Mapping[str, int]] = ((), {}),
) -> Imported:
    """Find annotations and masks, and the source of each; ``given`` are those that a manifest names.

    Args:
        found: The sources and the files set apart.
        how: Which files are masks.
        annotations: Path of the annotations, None for none.
        fill: Whether outlines in masks are filled.
        bits: Whether masks are kept by bit.
        export: The export that the inputs are, where they are one.
        given: Masks that a manifest names, and how many it names that are not there, by reason.

    Returns:
        What was found, matched to the sources.

    Raises:
        RequestError: If nothing is there, or none of it fits a source.
    """
    left: Counter = Counter()
    whole, matched = None, Matched({}, 0, 0, 0)
    if annotations:
        whole = read(annotations)
        matched = match_records(whole, found.sources, whole.faults)
        if not matched.of:
            raise RequestError(
                f"{annotations}: none of its {len(whole.pictures)} pictures is among the {len(found.sources)} sources; "
                "give the folder of its pictures to extract, or mend the paths in it."
            )
        left.update(whole.faults.counts)
        left.update(counted(matched))
    own = export is not None and how.mode == "keep"  # the export says itself what its masks are of
    masks, lost = mask_files.match(() if own else mask_files.listed(how, found.mask_files), found.sources, how)
    masks += given[0]
    left.update(lost)
    left.update(given[1])
    if export:
        bits = export.names["mask_kind"] == "bits"
        left.update(exported.missing(export, found.sources))
        left.pop(BARE, None)  # a frame whose labels nobody knows
    return Imported(whole, matched, tuple(masks), dict(left), fill, bits, export)


# ---------------------------------------------------------------- the phase that looks at mask files


def batches(imported: Imported) -> list[tuple[Media, ...]]:
    """Cut the mask files into batches for workers, always the same."""
    files = [one.file.media for one in imported.masks]
    return [tuple(files[start : start + BATCH]) for start in range(0, len(files), BATCH)]


def look_at(files: Sequence[Media | None]) -> bytes:
    """Look at a batch of mask files; the result is JSON, one object a file, in order. None stands for a lost file."""
    lost = MaskLook(fault="mask that made its reader crash")
    return json.dumps([asdict(look(file) if file else lost) for file in files]).encode()


def poison_look(part, reason: str) -> bytes:
    """Stand in for a batch that cannot be looked at; opens none of its files.

    Args:
        part: Whose payload is the batch.
        reason: Why not; not needed, since each file has a fault of its own then.

    Returns:
        As `look_at` gives it.
    """
    return look_at((None,) * len(part.payload))


LOOKED = Items(
    len,
    lambda files, numbers: tuple(files[number] for number in numbers),
    lambda files, failed: tuple(None if number in failed else file for number, file in enumerate(files)),
)
"""Of a batch of mask files."""


def looks_of(parts: Sequence[bytes]) -> list[MaskLook]:
    """Read what `look_at` wrote."""
    rows: list[dict[str, Any]] = [row for part in parts for row in json.loads(part)]
    for row in rows:
        row |= {key: tuple(value) for key, value in row.items() if isinstance(value, list)}
    return [MaskLook(**row) for row in rows]


# ---------------------------------------------------------------- onto the frames


@dataclass(frozen=True)
class Onto:
    """Labels by source, with the names that their numbers stand for.

    Attributes:
        of: Relative path -> what is known about its frames.
        box_names: Classes of boxes.
        mask_names: Classes of masks, the first is 1.
        left: What was left out before any source was looked at, by reason; more lies in each source's ``Drawn``.
        notes: Sentences for a person.
        labels: Relative path of a source -> its class, where its mask says it.
    """

    of: dict[str, Drawn] = field(default_factory=dict)
    box_names: tuple[str, ...] = ()
    mask_names: tuple[str, ...] = ()
    left: dict[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    labels: dict[str, str] = field(default_factory=dict)


def onto(imported: Imported, looks: Sequence[MaskLook], sources: Sequence[Source], scans: Sequence[Scan]) -> Onto:
    """Put all labels onto the frames of their sources, whose sizes the first look has found.

    Args:
        imported: Annotations and masks.
        looks: What was seen in each mask file.
        sources: All of them.
        scans: What was seen in each source.

    Returns:
        Labels of each source, and the names that they count by.

    Raises:
        RequestError: For more classes than masks can hold.
    """
    records = imported.matched.of
    known = imported.annotations.names if imported.annotations else ()
    export = imported.export
    box_names, shape_names = exported.names(export, records) if export else _names(records, known)
    plan = mask_plan.plan(list(zip(imported.masks, looks, strict=True)), known, fill=imported.fill, first=shape_names)
    if export and not imported.masks:
        plan.planes = exported.planes(export, sources)
    if imported.bits and len(plan.names) > 8:
        raise RequestError(f"extract: --mask-kind bits holds 8 classes, and the masks have {len(plan.names)}.")
    left = Counter(imported.left) + Counter(plan.left)
    places = {name: at for at, name in enumerate(box_names)}, {name: at for at, name in enumerate(plan.names, 1)}
    places[1].update(exported.numbers(export) if export else {})
    of = {}
    for source, scan in zip(sources, scans, strict=True):
        if scan.probe is None or (source.relative not in records and source.relative not in plan.planes):
            continue
        one = _drawn(records.get(source.relative, {}), plan.planes.get(source.relative, ()), scan.probe, places)
        under = frozenset(places[1][name] for name in imported.under if name in places[1])
        of[source.relative] = replace(one, bits=imported.bits, under=under)
    return Onto(of, box_names, tuple(plan.names), dict(+left), tuple(_notes(plan, imported)), plan.labels)


def _names(records: Mapping[str, Mapping[int, Marks]], known: Sequence[str]) -> tuple[tuple[str, ...], list[str]]:
    """Return the names of boxes, and those of outlined structures, in the order of the annotations' own."""
    every = [marks for frames in records.values() for marks in frames.values()]
    boxes = {name for marks in every for name in marks.box_names}
    shapes = {shape.name for marks in every for shape in marks.shapes}
    order = [*known, *sorted((boxes | shapes) - set(known))]
    return tuple(order), [name for name in order if name in shapes or (shapes and name in known)]


def _drawn(records: Mapping[int, Marks], planes: Sequence[mask_plan.MaskPlane], probe: Probe, places: tuple) -> Drawn:
    size, left = (probe.height, probe.width), Counter()
    boxes: dict[int, Boxes] = {}
    for frame, marks in records.items():
        boxes[frame], lost = placed(marks, size, *places)
        left.update(lost)
    kept = []
    for plane in planes:
        if plane.frame == WHOLE and plane.pages == 1 and probe.frames > 1:
            left["one mask for a clip of many frames, which says no number of a frame"] += 1
        elif plane.size not in ((0, 0), size) and not plane.resize:
            left["mask of another size than its picture"] += 1
        else:
            kept.append(plane)
    return Drawn(size, boxes, tuple(kept), False, dict(left))


def _notes(plan: mask_plan.MaskPlan, imported: Imported):
    if plan.planes and imported.masks:
        shown = ", ".join(plan.names[:8]) + (", ..." if len(plan.names) > 8 else "")
        how = f" ({plan.how})" if plan.how else ""
        yield f"classes of label masks: {shown}{how}."
    if plan.outlines:
        yield (
            f"{plan.outlines:,} masks are thin outlines; what they enclose is filled."
            if imported.fill
            else f"{plan.outlines:,} masks look like thin outlines of areas; --fill-outlines fills them."
        )


def said(imported: Imported, found: Onto) -> dict[str, int]:
    """Say what became labels.

    Args:
        imported: Annotations and masks.
        found: The labels of each source.

    Returns:
        Reason -> how often something was left out before any source was looked at.
    """
    if imported.masks:
        console.say(f"extract: {len(imported.masks):,} label masks become labels of their pictures.")
    if imported.annotations:
        every = [boxes for one in found.of.values() for boxes in one.boxes.values()]
        boxes, outlines = sum(len(one.classes) for one in every), sum(len(one.shapes) for one in every)
        kind = imported.annotations.kind
        console.say(f"extract: {boxes:,} boxes and {outlines:,} outlines of {kind} on {len(every):,} pictures.")
    if imported.boxes:
        console.say(f"extract: {imported.boxes:,} boxes of the manifest.")
    for note in found.notes:
        console.say(f"extract: {note}")
    return found.left


def left_out(imported: Imported, before: Mapping[str, int], store: Store) -> dict[str, int]:
    """Say what did not become a label, or was changed.

    Args:
        imported: The labels.
        before: What `said` returned.
        store: The result; each source's metadata says what was left out of its own labels.

    Returns:
        Reason -> how often.
    """
    left = Counter(before)
    for text in store.source_column("metadata"):
        left.update(json.loads(text).get(LEFT_OUT, {}) if LEFT_OUT in text else {})
    places = imported.annotations.faults.places if imported.annotations else {}
    for reason, times in sorted(left.items()):
        where = ", ".join(places.get(reason, ()))
        console.warn(f"labels: {times:,} times: {reason}{f' ({where})' if where else ''}.")
    return dict(sorted(left.items()))
