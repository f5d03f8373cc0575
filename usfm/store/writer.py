"""Make one part: frames and all that belongs to them, compressed as they come and handed on to be written.

Labels are arguments of `PartWriter.frame`, one for each row of `labels.KINDS`; None stands for what is not known:

    label     class, by number or by name (a new name is added)
    split     "train", "val", "test"
    multi     0, 1 or 255 (unknown) for each of `multi_names` (else of `class_names`), or {name: 0 or 1}
    mask      uint8 (H, W) by number, or {name: bool (H, W)}; see `labels.masks`. All parts of a run are given the same
              `mask_names`, since masks go into the store as they are
    boxes     (xyxy_px (k, 4), classes (k,)), numbers or names, if known instances (k,), and where a model predicted
              them scores (k,); k may be 0: none are there.
              Edges are those of pixels: a box over pixels 2, 3, 4 is 2, 5
    values    {column: number}, such as {"ef_percent": 61.5}
    scores    {column: number} that a model predicted; `score_runs` names the run of each column
    coverage  (L,) share of each patch inside the region, with `patch` of the writer
"""

import copy
import json
from collections.abc import Collection, Mapping, Sequence

import numpy as np

from usfm.store import digest
from usfm.store.codec import compress, pixel_digest
from usfm.store.labels import empty_heads
from usfm.store.labels.masks import MASKS
from usfm.store.part import Chunks, column, tail
from usfm.store.part_labels import Labels
from usfm.store.part_masks import Masks, region_row
from usfm.store.schema import FRAMES, SOURCES, TABLES, describe, group_name

_ORDER = tuple(name for name in FRAMES if name not in ("height", "width", "pixels_group", "pixels_row", "digest"))


class PartWriter:
    """One part of a step's result. Its tables stay in memory until `pieces`, its chunks until `drain`.

    Args:
        class_names: names of the classes that `label` counts by, and `multi` where it has no names of its own.
        multi_names: names of the classes of which several may apply.
        box_names: names of the classes that boxes count by.
        mask_names: names of the structures in label masks.
        mask_kind: index or bits.
        score_runs: column of scores -> id of the run that predicted it.
        mask_run: id of the run that predicted the label masks; then the names are these and none of `like`.
        box_run: of the run that predicted the boxes, likewise.
        contiguous: keep frames uncompressed (all of one size), as `sector` does for training.
        patch: (size_px, patch_px) that `coverage` was measured with.
        like: `reader.Store` whose names the labels count by: the input that frames are copied from.

    Examples:
        >>> part = PartWriter(class_names=("healthy", "covid"))
        >>> row = part.source(path="a.mp4", sha256="ab" * 32, kind="video", fps=30.0, frames=90, patient="p1")
        >>> part.frame(np.zeros((4, 6), np.uint8), frame_id="abab:0", source=row, index=0, time_s=0.0, label=1)
        0
        >>> len(part)
        1
    """

    def __init__(self, *, class_names: Sequence[str] = (), multi_names: Sequence[str] = (),
                 box_names: Sequence[str] = (), mask_names: Sequence[str] = (), mask_kind: str = "index",
                 score_runs: Mapping[str, str] | None = None, mask_run: str = "", box_run: str = "",
                 contiguous: bool = False,
                 patch: tuple[int, int] | None = None, like=None):  # fmt: skip
        self.contiguous = contiguous
        self._chunks = Chunks()
        heads = empty_heads() if like is None else copy.deepcopy(dict(like.label_heads))
        if box_run:
            heads["boxes"] = {"names": [], "run": box_run}
        for kind, names in (("label", class_names), ("multi", multi_names), ("boxes", box_names)):
            heads[kind]["names"] += names
        heads["scores"]["run"].update(score_runs or {})
        if mask_names:
            heads["mask"] = MASKS.checked_head(mask_names, mask_kind) | ({"run": mask_run} if mask_run else {})
        if heads["multi"]["names"] in ([], heads["label"]["names"]):
            heads["multi"] = heads["label"]  # one list: a class that is added to one is added to both
        if patch is not None:
            heads["coverage"] = {"size_px": int(patch[0]), "patch_px": int(patch[1])}
        self.labels = Labels(heads, self._add_mask)
        self._frames: list[tuple] = []
        self._sources: list[dict] = []
        self._by_source: dict[tuple, int] = {}
        self.regions, self.overlays = Masks("regions", self._chunks), Masks("overlay", self._chunks)
        self._dropped: list[tuple] = []
        self._rejected: list[tuple] = []

    def __len__(self) -> int:
        """Frames so far."""
        return len(self._frames)

    @property
    def class_names(self) -> list[str]:
        """Names of the classes so far."""
        return self.labels.heads["label"]["names"]

    def source(self, *, path: str, sha256: str, kind: str, fps: float = float("nan"), frames: int = -1,
               patient: str = "", exam: str = "", dataset: str = "", metadata: str | Mapping = "{}", copy: int = 0,
               dicom_regions: str | Sequence[Mapping] = (), **manifest_columns: object) -> int:  # fmt: skip
        """Add a source, or find it.

        Args:
            path: relative to the folder that was given, or its hash.
            sha256: of its bytes.
            kind: video, image, dicom, volume.
            fps: frame rate, NaN = none.
            frames: how many it holds, -1 = unknown.
            patient: pseudonym.
            exam: pseudonym.
            dataset: name of the collection.
            metadata: JSON (or a mapping) of tags that identify nobody.
            copy: k for the k-th byte-identical source.
            dicom_regions: JSON (or a list) of the items of the DICOM sequence of ultrasound regions.
            manifest_columns: any further columns, kept as text.

        Returns:
            Its row in this part.
        """
        identity = (sha256, copy, path, patient, exam, dataset)
        if identity not in self._by_source:
            if not isinstance(metadata, str):
                metadata = json.dumps(metadata, sort_keys=True)
            row = {"path": path, "sha256": sha256, "copy": copy, "kind": kind, "fps": fps, "frames": frames,
                   "patient": patient, "exam": exam, "dataset": dataset, "metadata": metadata}  # fmt: skip
            row.update({name: "" if value is None else str(value) for name, value in manifest_columns.items()})
            if dicom_regions:
                given = isinstance(dicom_regions, str)
                row["dicom_regions"] = dicom_regions if given else json.dumps(list(dicom_regions), sort_keys=True)
            self._by_source[identity] = len(self._sources)
            self._sources.append(row)
        return self._by_source[identity]

    def region(self, region, key: str) -> int:
        """Add an acoustic region, or find the one with this key.

        Args:
            region: an `imaging.region.Region`.
            key: source and layout that it was found on.

        Returns:
            Its row in this part.
        """
        found = self.regions.find(key)
        return self.regions.add(key, region.mask, region_row(region)) if found is None else found

    def overlay(self, mask: np.ndarray, key: str, detail: Mapping | None = None) -> int:
        """Add an overlay mask, or find the one with this key.

        Args:
            mask: bool (H, W).
            key: source, layout and frame that it was found on.
            detail: counts and boxes that JSON can hold, never words.

        Returns:
            Its row in this part.
        """
        row = {"detail": json.dumps(detail or {}, sort_keys=True)}
        return self.overlays.add(key, np.asarray(mask, bool), row)

    def frame(
        self,
        pixels: np.ndarray,
        *,
        frame_id: str,
        source: int,
        index: int,
        time_s: float,
        kind: str = "b-mode",
        region_row: int = -1,
        overlay_row: int = -1,
        row_spacing_mm: float = float("nan"),
        col_spacing_mm: float = float("nan"),
        crop_row_px: float = 0.0,
        crop_col_px: float = 0.0,
        scale: float = 1.0,
        part: int = -1,
        views: int = 0,
        **labels: object,
    ) -> int:
        """Add a frame.

        Args:
            pixels: uint8 (H, W) or (H, W, 3).
            frame_id: from `schema.frame_id`.
            source: row from `source`.
            index: number of the frame in its source.
            time_s: presentation time, NaN = none.
            kind: what it shows.
            region_row: row from `region`.
            overlay_row: row from `overlay`.
            row_spacing_mm: between rows.
            col_spacing_mm: between columns.
            crop_row_px: its top edge in the source frame.
            crop_col_px: its left edge in the source frame.
            scale: its pixels per pixel of the source frame.
            part: which view of its source frame it is, -1 = the whole frame.
            views: how many views stand side by side on it, 0 = not known.
            labels: by kind, as this module's first lines say; None for what is not known.

        Returns:
            Its row in this part.

        Raises:
            ValueError: pixels or labels are not what a store can hold.
        """
        pixels = np.ascontiguousarray(pixels)
        if pixels.dtype != np.uint8 or not (pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] == 3)):
            raise ValueError(f"a frame is uint8 (H, W) or (H, W, 3), not {pixels.dtype} {pixels.shape}")
        if not pixels.size:
            raise ValueError(f"a frame of shape {pixels.shape} has no pixels")
        if not 0 <= source < len(self._sources):
            raise ValueError(f"source {source} is not one of the {len(self._sources)} of this part")
        # Most frames have no label; without this line they would still cost a call.
        if labels:
            self.labels.add(len(self._frames), pixels.shape, labels)
        if self.contiguous:
            chunk, pixels_digest = pixels.tobytes(), pixel_digest(pixels)
        else:
            chunk = compress(pixels)
            pixels_digest = pixel_digest(pixels, chunk)
        values = (frame_id, source, index, time_s, kind, region_row, overlay_row, row_spacing_mm, col_spacing_mm,
                  crop_row_px, crop_col_px, scale, part, views)  # fmt: skip
        return self.add_chunk(pixels.shape, chunk, pixels_digest, dict(zip(_ORDER, values, strict=True)))

    def add_chunk(self, shape: tuple[int, ...], chunk: bytes, pixels_digest: str, values: Mapping) -> int:
        """Add a frame whose pixels are as they will lie in the file.

        Args:
            shape: of the pixels.
            chunk: compressed, or plain in a part that is contiguous.
            pixels_digest: of the decoded pixels.
            values: the other columns of /frames.

        Returns:
            Its row in this part.
        """
        group = group_name(shape)
        at = self._chunks.add(f"/pixels/{group}", chunk)
        self._frames.append((*(values[name] for name in _ORDER), shape[0], shape[1], group, at, pixels_digest))
        return len(self._frames) - 1

    def _add_mask(self, path: str, mask: np.ndarray) -> tuple[int, str]:
        """Take a label mask; returns its row and its digest."""
        chunk = mask.tobytes() if self.contiguous else compress(mask)
        return self._chunks.add(path, chunk), pixel_digest(mask, None if self.contiguous else chunk)

    def copy(self, store, i: int, *, pixels: np.ndarray | None = None, region=None, region_key: str = "",
             overlay: np.ndarray | None = None, overlay_key: str = "", detail: Mapping | None = None, framing=None,
             kind: str | None = None, views: int | None = None, coverage: np.ndarray | None = None,
             split: str | None = None, of_source: Mapping[str, str] | None = None,
             without: Collection[str] = (), mask: np.ndarray | None = None, boxes: tuple | None = None,
             scores: Mapping[str, float] | None = None, view=None) -> int:  # fmt: skip
        """Add frame `i` of an input store with everything known about it.

        The compressed chunk goes over as it is when neither `pixels` nor `framing` is given.

        Args:
            store: the input.
            i: its frame.
            pixels: new pixels; with `framing`, the pixels after it.
            region: new region (`imaging.region.Region`), in the pixels of the input frame.
            region_key: its key, needed with `region`.
            overlay: new overlay mask (H, W) bool, in the pixels of the input frame.
            overlay_key: its key, needed with `overlay`.
            detail: what the overlay is made of.
            framing: `imaging.framing.Framing` or `imaging.beam.BeamMap`: moves pixels, label mask, boxes, region,
                overlay and spacing together.
            kind: new kind.
            views: how many views stand side by side.
            coverage: (L,) share of each patch inside the region, after `framing`.
            split: new split; "" for none.
            of_source: new values of columns of its source.
            without: kinds of label that are left behind.
            mask: new label mask.
            boxes: new boxes.
            scores: new predictions, beside those that it has.
            view: `imaging.views.View`: the new frame is this view of it, with its part of the labels and a name of its
                own; needs the view's `framing`.

        Returns:
            Its row in this part.
        """
        from usfm.store.carry import copy_frame

        return copy_frame(self, store, i, pixels, (region, region_key), (overlay, overlay_key, detail), framing,
                          {"kind": kind, "views": views, "coverage": coverage, "split": split, "of_source": of_source,
                           "without": without, "mask": mask, "boxes": boxes, "scores": scores,
                           "view": view})  # fmt: skip

    def drop(self, frame_id: str, kept_by: str, similarity: float, stage: str) -> None:
        """Note that a frame was dropped because another stands for it.

        Args:
            frame_id: of the frame that is gone.
            kept_by: frame_id of the one that stands for it.
            similarity: between the two, -1 to 1; NaN where it was not measured.
            stage: step, and stage within it.
        """
        self._dropped.append((frame_id, kept_by, similarity, stage))

    def reject(self, source: str, frame_id: str, stage: str, reason: str, detail: str = "") -> None:
        """Note that a frame, or with frame_id "" a whole source, was rejected.

        Args:
            source: path of the source, as in /sources.
            frame_id: of the frame, "" for the whole source.
            stage: step that rejected it.
            reason: short, the same for the same cause.
            detail: one sentence.
        """
        self._rejected.append((source, frame_id, stage, reason, detail))

    def columns(self) -> dict[str, list]:
        """Columns of /frames so far."""
        order = (*_ORDER, "height", "width", "pixels_group", "pixels_row", "digest")
        return {name: [row[place] for row in self._frames] for place, name in enumerate(order)}

    def drain(self) -> list[bytes]:
        """The chunks since the last time: whoever writes them as they come holds none of the part's pixels."""
        return self._chunks.drain()

    def pieces(self) -> list[bytes]:
        """The rest of the part's file: what was not drained, then the tables."""
        columns = self.columns()
        tables = {
            row.path: column(row.path, columns[name])
            for name, row in FRAMES.items()
            if not (row.optional and digest.all_missing(row, columns[name]))
        }
        given = {n for row in self._sources for n in row}
        names = [name for name, row in SOURCES.items() if not row.optional or name in given]
        names += sorted(given - set(SOURCES))
        for name in names:
            missing = describe(f"/sources/{name}").missing
            values = [source.get(name, missing) for source in self._sources]
            tables[f"/sources/{name}"] = column(f"/sources/{name}", values)
        for masks in (self.regions, self.overlays):
            if masks.rows:
                for name, row in TABLES[masks.table].items():
                    values = [found[name] for found in masks.rows]
                    if not (row.optional and digest.all_missing(row, values)):
                        tables[row.path] = column(row.path, values)
        tables.update(self.labels.tables(len(self._frames)))
        for table, rows in (("dropped", self._dropped), ("rejected", self._rejected)):
            for at, row in enumerate(TABLES[table].values()):
                if rows:
                    tables[row.path] = column(row.path, [r[at] for r in rows])
        facts = {"digest": self._digest(columns, tables), "contiguous": self.contiguous, "heads": self.labels.heads}
        return [*self.drain(), tail(self._chunks, tables, facts)]

    def to_bytes(self) -> bytes:
        """The whole part.

        Raises:
            ValueError: some of it was handed over before.
        """
        if self._chunks.drained:
            raise ValueError("chunks of this part were drained already; join what `drain` and `pieces` gave")
        return b"".join(self.pieces())

    def _digest(self, columns: dict[str, list], tables: dict[str, np.ndarray]) -> str:
        sources = [digest.row_digest(row) for row in self._sources]
        pointed = {
            name: [table[row] if row >= 0 else "" for row in columns[name]]
            for name, table in (
                ("source", sources),
                ("region_row", self.regions.digests),
                ("overlay_row", self.overlays.digests),
            )
        }
        arrays = {name: tables[row.path] for name, row in FRAMES.items() if row.path in tables}
        return digest.part_digest(arrays, pointed, self.labels.tokens(len(self._frames)))
