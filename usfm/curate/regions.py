"""The one phase that finds and keeps the region of every clip layout, for whichever of its users comes first.

clean, dedup and sector all need regions. The first of them finds them, the store keeps them, the others reuse them.

A step puts `phase` before its own phases, cuts its own work by `partition` (the same cut), and hands the k-th result
file of the region phase to its k-th part, where `Found.read` gives the region of each frame:

    parts = partition(store)
    plan = lambda done: [Part(name, (..., rows, done["regions"][k])) for k, rows in enumerate(parts)]
    phases = [phase(store), Phase("clean", plan, work)]
"""

import dataclasses
import io
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from usfm.imaging.fan import SectorGeometry
from usfm.imaging.layout import layouts, thumbnail
from usfm.imaging.region import TRUSTED, Region, find_region
from usfm.jobs.run import Part, Phase
from usfm.store.reader import Store
from usfm.store.writer import PartWriter

PARTS = 64
"""Parts that a store is cut into, where they get neither too small nor too large."""

PART_COST = (256, 4096)
"""Least and most that a part costs before it is closed: frames, and `SOURCE_COST` for each source."""

SOURCE_COST = 16
"""Frames that cost as much to read as a region to find."""

FRAMES_PER_LAYOUT = 48
"""Frames that a region is found from, evenly over the clip: more add time, not accuracy."""

_BLOCK = 64

FLAT_RANGE = 4
"""Gray levels that compression noise may span in a flat frame."""

LOW_CONFIDENCE = TRUSTED
"""A region under this confidence is more likely wrong than right: steps count it, warn, and blank nothing outside."""


@dataclass(frozen=True)
class Found:
    """What the region phase found for the frames of one part.

    Attributes:
        rows: frame rows of the store, ascending.
        which: for each of them the entry of ``regions``.
        regions: the regions of the part's layouts.
        keys: their names, unique over the store: "<source id>#<layout>".
        empty: for each row, True where the frame is one flat colour.
        reused: whether the regions came with the input store.
    """

    rows: np.ndarray
    which: np.ndarray
    regions: list[Region]
    keys: list[str]
    empty: np.ndarray
    reused: list[bool]

    def region(self, row: int) -> Region:
        """Return the region of a frame row of the store."""
        return self.regions[self.which[self._at(row)]]

    def key(self, row: int) -> str:
        """Return the name of that region, for `PartWriter.region` and `PartWriter.copy`."""
        return self.keys[self.which[self._at(row)]]

    def is_empty(self, row: int, frame: np.ndarray) -> bool:
        """Say whether a frame is one flat colour; where the region came with the store nobody has looked yet.

        Args:
            row: of the frame in the store.
            frame: its pixels.

        Returns:
            Whether it shows one flat colour.
        """
        return is_flat(frame) if self.is_reused(row) else bool(self.empty[self._at(row)])

    def is_reused(self, row: int) -> bool:
        """Say whether the region came with the input store (then a copied frame brings it along by itself)."""
        return self.reused[self.which[self._at(row)]]

    def _at(self, row: int) -> int:
        """Return where a row lies in this part."""
        at = int(np.searchsorted(self.rows, row))
        if at == len(self.rows) or self.rows[at] != row:
            raise KeyError(f"frame row {row} is not in this part")
        return at

    def to_bytes(self) -> bytes:
        """Return the result as the bytes that `read` understands."""
        header, arrays = [], {"rows": self.rows, "which": self.which, "empty": self.empty}
        for k, (region, key) in enumerate(zip(self.regions, self.keys, strict=True)):
            geometry = None if region.geometry is None else dataclasses.asdict(region.geometry)
            header.append({"key": key, "shape": region.shape, "geometry": geometry, "confidence": region.confidence,
                           "evidence": region.evidence, "extra": region.extra, "reused": self.reused[k],
                           "predicted_iou": region.predicted_iou if region.predicted_iou >= 0 else None,
                           "size": region.mask.shape})  # fmt: skip
            arrays[f"mask_{k}"] = np.packbits(region.mask)
        arrays["header"] = np.frombuffer(json.dumps(header, sort_keys=True).encode(), np.uint8)
        buffer = io.BytesIO()
        np.savez_compressed(buffer, allow_pickle=False, **arrays)
        return buffer.getvalue()

    @classmethod
    def read(cls, path: str | Path) -> "Found":
        """Read a result file of the region phase."""
        with np.load(path) as arrays:
            header = json.loads(arrays["header"].tobytes())
            regions = []
            for k, entry in enumerate(header):
                height, width = entry["size"]
                mask = np.unpackbits(arrays[f"mask_{k}"], count=height * width).reshape(height, width).astype(bool)
                geometry = None if entry["geometry"] is None else SectorGeometry(**entry["geometry"])
                expected = entry["predicted_iou"]
                known = (entry["confidence"], entry["evidence"], entry["extra"],
                         float("nan") if expected is None else expected)  # fmt: skip
                regions.append(Region(mask, entry["shape"], geometry, *known))
            return cls(arrays["rows"], arrays["which"], regions, [entry["key"] for entry in header],
                       arrays["empty"], [entry["reused"] for entry in header])  # fmt: skip


def partition(store: Store, part_cost: int | None = None) -> list[np.ndarray]:
    """Cut the frames of a store into runs of whole clips, in order: the cut that region-using steps share.

    Args:
        store: the input store.
        part_cost: a part is closed once it costs this much (see `PART_COST`); by default about `PARTS` parts.

    Returns:
        Ascending frame rows, one array a part; together every frame once. The same for the same store, whatever the
        number of workers.
    """
    clips = [clip for clip in store.clips() if len(clip)]
    if part_cost is None:
        part_cost = int(np.clip((len(store) + SOURCE_COST * len(clips)) // PARTS, *PART_COST))
    parts: list[np.ndarray] = []
    rows: list[np.ndarray] = []
    cost = 0
    for clip in clips:
        rows.append(clip)
        cost += len(clip) + SOURCE_COST
        if cost >= part_cost:
            parts.append(np.sort(np.concatenate(rows)))
            rows, cost = [], 0
    if rows:
        parts.append(np.sort(np.concatenate(rows)))
    return parts


def phase(store: Store, *, method: str = "auto") -> Phase:
    """Return the phase "regions": part k covers ``partition(store)[k]`` and gives one `Found` file.

    Args:
        store: the input store; sources that have regions keep them.
        method: auto, dicom, temporal, single, abrc (see `usfm.imaging.region.find_region`); any but auto finds regions
            anew where the store has them already.

    Returns:
        The phase.
    """
    paths = [str(path) for path in store.paths]
    parts = [
        Part(f"regions-{k:05d}", (paths, rows, method), weight=float(len(rows)))
        for k, rows in enumerate(partition(store))
    ]
    return Phase("regions", plan=lambda done: parts, work=find_part, poison=whole_frames)


def find_part(payload: tuple) -> bytes:
    """Find the regions of one part (runs in a worker)."""
    paths, rows, method = payload
    store = Store.open(paths)
    stored = store.column("region_row")[rows]
    clips = np.stack([store.column("source")[rows], store.column("part")[rows]], 1)  # a view is a clip of its own
    frame_ids, declared = store.column("frame_id"), store.source_column("dicom_regions", "").tolist()
    which, empty = np.full(len(rows), -1, np.int32), np.zeros(len(rows), bool)
    regions, keys, reused = [], [], []
    for source, view in dict.fromkeys(map(tuple, clips.tolist())):
        at = np.flatnonzero((clips == (source, view)).all(1))
        name = source_name(str(frame_ids[rows[at[0]]]))
        if (stored[at] >= 0).all() and method == "auto":
            for row in dict.fromkeys(stored[at].tolist()):
                which[at[stored[at] == row]] = len(regions)
                regions.append(store.region(row))
                keys.append(f"{name}#stored{row}")
                reused.append(True)
            continue
        thumbnails, sizes = [], []
        for start in range(0, len(at), _BLOCK):
            block = at[start : start + _BLOCK]
            for i, frame in zip(block, store.frames(rows[block]), strict=True):
                thumbnails.append(thumbnail(frame))
                sizes.append(frame.shape)
                empty[i] = is_flat(frame)
        dicom = dicom_regions(str(declared[source])) if view < 0 else []  # they lie on the whole frame
        for k, members in enumerate(layouts(np.stack(thumbnails), sizes)):
            picked = members[~empty[at[members]]]
            picked = picked if len(picked) else members
            picked = picked[np.unique(np.linspace(0, len(picked) - 1, FRAMES_PER_LAYOUT).round().astype(int))]
            which[at[members]] = len(regions)
            regions.append(find_region(store.frames(rows[at[picked]]), method, dicom))
            keys.append(f"{name}#{k}")
            reused.append(False)
    return Found(rows, which, regions, keys, empty, reused).to_bytes()


def dicom_regions(text: str) -> list[dict]:
    """Read a source's ``dicom_regions``; what is no list of boxes counts for nothing, since the pixels show more.

    Example:
        >>> dicom_regions('[{"x0": 1, "y0": 2, "x1": 30, "y1": 40, "data_type": 1}, {"x0": "a"}]')
        [{'x0': 1, 'y0': 2, 'x1': 30, 'y1': 40, 'data_type': 1}]
        >>> dicom_regions("{"), dicom_regions("")
        ([], [])
    """
    try:
        found = json.loads(text or "[]")
    except (ValueError, RecursionError):
        return []
    known = ("x0", "y0", "x1", "y1", "spatial_format", "data_type")
    listed = found if isinstance(found, list) else []
    boxes = [{key: one[key] for key in known if key in one} for one in listed if isinstance(one, dict)]
    return [box for box in boxes if set(known[:4]) <= set(box) and all(_is_whole(value) for value in box.values())]


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1 << 31


def whole_frames(part: Part, reason: str) -> bytes:
    """Stand in for a part whose search killed its worker: every frame is its own region, with confidence 0.

    Args:
        part: that failed.
        reason: one sentence.

    Returns:
        The bytes of a `Found`.
    """
    paths, rows, _ = part.payload
    store = Store.open(paths)
    sizes = np.stack([store.column("height")[rows], store.column("width")[rows]], 1)
    frame_ids = store.column("frame_id")
    which, regions, keys = np.zeros(len(rows), np.int32), [], []
    seen: dict[tuple[str, int, int], int] = {}
    for i, row in enumerate(rows):
        height, width = (int(side) for side in sizes[i])
        group = (source_name(str(frame_ids[row])), height, width)
        if group not in seen:
            seen[group] = len(regions)
            regions.append(Region(np.ones((height, width), bool), extra={"failed": reason}))
            keys.append(f"{group[0]}#failed{height}x{width}")
        which[i] = seen[group]
    return Found(rows, which, regions, keys, np.zeros(len(rows), bool), [False] * len(regions)).to_bytes()


def is_flat(frame: np.ndarray) -> bool:
    """Say whether a frame is one flat colour but for compression noise: black, blue, a lost signal.

    All but the darkest and the brightest 0.5 % of the pixels of each channel lie within four gray levels.
    """
    for channel in (frame,) if frame.ndim == 2 else np.moveaxis(frame, 2, 0):
        share = np.bincount(channel.ravel(), minlength=256).cumsum() / channel.size
        low, high = np.searchsorted(share, 0.005, side="right"), np.searchsorted(share, 0.995)
        if high - low > FLAT_RANGE:
            return False
    return True


def flat_rows(store: Store, rows: np.ndarray, found: Found | None) -> np.ndarray:
    """Say which frames are one flat colour; frames are read again only where no region was found in this run.

    Args:
        store: The input.
        rows: (n,) frame rows, all of them in `found`.
        found: What the region phase of this run found, or None where the store had its regions.

    Returns:
        (n,) bool.
    """
    flat = np.zeros(len(rows), bool)
    for start in range(0, len(rows), _BLOCK):
        block = range(start, min(start + _BLOCK, len(rows)))
        unknown = [k for k in block if found is None or found.is_reused(int(rows[k]))]
        for k, frame in zip(unknown, store.frames(rows[unknown]), strict=True):
            flat[k] = is_flat(frame)
        if found is not None:
            for k in set(block) - set(unknown):
                flat[k] = bool(found.empty[found._at(int(rows[k]))])
    return flat


def reject_flat(part: PartWriter, store: Store, row: int, stage: str) -> None:
    """Reject a flat frame: every step does, so that such frames end the same way whichever step comes first.

    Args:
        part: the writer of the part.
        store: the input.
        row: of the frame.
        stage: step that rejects it.
    """
    source = store.source_row(int(store.column("source")[row]))
    name = str(store.column("frame_id")[row])
    part.reject(str(source["path"]), name, stage, "empty frame", "The frame is one flat colour.")


def source_name(frame_id: str) -> str:
    """Return what of a frame id names its source and the view ("ab12~1:7" -> "ab12~1", "ab12:7/1" -> "ab12/1")."""
    name, _, index = frame_id.rpartition(":")
    return f"{name}/{view}" if (view := index.partition("/")[2]) else name
