"""Retrieval: how near frames of the same class, of other patients, stand to each frame."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from usfm.errors import RequestError
from usfm.pictures.sheet import GREEN, RED, contact_sheet
from usfm.store.reader import Store
from usfm.tasks.classify.task import classes_of
from usfm.tasks.contract import Known, Probe, Scored
from usfm.tasks.predictions import Column, Predictions
from usfm.tasks.retrieve.probe import chance, retrieval
from usfm.tasks.retrieve.scored import NAMES, means, scored

WORDS = (
    ("gallery", "the frames that the fold was trained on, all of other patients than the query. It is put in the order "
                "of the cosine similarity to the query, the gallery's mean taken off"),
    ("mAP", "mean over queries of the average precision: the mean, over the frames of the query's class, of the share "
            "of that class among all frames as near or nearer"),
    ("recall@k", "share of queries that have a frame of their class among the k nearest"),
    ("random order", "what a gallery in random order would give on average, from the numbers of its frames"),
)  # fmt: skip


class Retrieve:
    """The nearest frames of other patients."""

    name = "retrieve"
    noun = "class"
    takes = frozenset({"classes", "tap"})
    default_protocol = "retrieval"
    sheet_words = (
        "Queries, each followed by the nearest frame of another patient: of the same class (green), of another one "
        "(red). One a patient; captions: class of the query."
    )
    columns = (
        Column("target", "iu", 0, "true class, 0 to C - 1", np.int32),
        Column("found", "f", len(NAMES), f"{', '.join(NAMES)} of this query; NaN where the gallery lacks its class",
               np.float32),
        Column("chance", "f", len(NAMES), "the same of a gallery in random order", np.float32),
        Column("nearest", "O", 0, "frame_id of the nearest frame of the gallery"),
        Column("nearest_class", "iu", 0, "its class", np.int32),
    )  # fmt: skip
    protocols: dict[str, Probe] = {"retrieval": retrieval}

    def known(self, store: Store, options: Mapping[str, Any]) -> Known:
        """See `Task`: the frames with a class."""
        return classes_of(store, options)

    def predicted(self, known: Known, train: np.ndarray, held: np.ndarray, raw: Any) -> dict[str, np.ndarray]:
        """See `Task`: figures of each query for its own class."""
        target, each = known.target[held], np.arange(len(held))
        precision, hits = chance(np.bincount(known.target[train], minlength=len(known.class_names)))
        near = train[raw.nearest]
        assert known.store is not None  # `classes_of` gives it
        return {
            "target": target.astype(np.int32),
            "found": np.column_stack([raw.precision[each, target], raw.hits[each, target]]).astype(np.float32),
            "chance": np.column_stack([precision[target], hits[target]]).astype(np.float32),
            "nearest": known.store.column("frame_id")[known.rows[near]],
            "nearest_class": known.target[near].astype(np.int32),
        }

    def faults(self, found: Predictions) -> Iterator[str]:
        """Classes that there are not, and figures that are no shares."""
        for name in ("target", "nearest_class"):
            values = found.arrays[name]
            if len(values) and (values.min() < 0 or values.max() >= len(found.class_names)):
                yield f"a class lies outside 0 to {len(found.class_names) - 1}"
        for name in ("found", "chance"):
            values = found.arrays[name]
            if np.isinf(values).any() or (values[np.isfinite(values)] < 0).any() or (np.nan_to_num(values) > 1).any():
                yield f"{name} holds numbers that are no shares"

    def scored(self, held: Predictions, aggregate: str) -> Scored:
        """See `Task`."""
        return scored(held, aggregate)

    def same_truth(self, a: Predictions, b: Predictions) -> bool:
        """See `Task`."""
        return bool((a.arrays["target"] == b.arrays["target"]).all())

    def quick(self, held: Predictions) -> dict[str, float | None]:
        """Measures over queries, without intervals."""
        once = np.ones((1, len(held)))
        found, random = (means(held.arrays[name].astype(float), once)[0] for name in ("found", "chance"))
        values = dict(zip(NAMES, found, strict=True)) | {"random_order_map": random[0]}
        return {name: round(float(v), 6) if np.isfinite(v) else None for name, v in values.items()}

    def outside(self, path: Path, seen: Predictions, store: Store, among: np.ndarray | None) -> tuple[np.ndarray, dict]:
        """See `Task`: no, since a run keeps no gallery."""
        raise RequestError(
            f"{path}: a retrieval keeps no gallery, so it cannot be asked about the store given with --in"
        )

    def again(self, probes: Mapping[str, dict], vectors: np.ndarray, classes: int) -> dict[str, np.ndarray]:
        """See `Task`: never asked, since `outside` refuses."""
        raise NotImplementedError

    def figures(self, folder: Path, whole: Predictions) -> None:
        """See `Task`: none; `eval --in` draws the sheet."""

    def sheet(self, held: Predictions, store: Store, count: int) -> tuple[np.ndarray, int]:
        """See `Task`: queries and their nearest frames, as many right as wrong ones, one a patient."""
        row_of = {name: row for row, name in enumerate(store.column("frame_id").tolist())}
        near, right = held.arrays["nearest"], held.arrays["nearest_class"] == held.arrays["target"]
        known = np.flatnonzero([a in row_of and b in row_of for a, b in zip(held.frame_id, near, strict=True)])
        chosen: list[int] = []
        for side in (right, ~right):
            mine = known[side[known]]
            _, first = np.unique(held.group[mine].astype(str), return_index=True)
            chosen += mine[np.sort(first)][:count].tolist()
        rows = [row_of[name] for k in chosen for name in (held.frame_id[k], near[k])]
        names, kinds = held.class_names, held.arrays
        captions = [text for k in chosen for text in (names[kinds["target"][k]], names[kinds["nearest_class"][k]])]
        borders = [colour for k in chosen for colour in [GREEN if right[k] else RED] * 2]
        return contact_sheet(store.frames(rows), captions, 6, 150, borders=borders), len(known)

    def words(self) -> tuple[tuple[str, str], ...]:
        """Each measure and what it means."""
        return WORDS
