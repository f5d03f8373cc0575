"""Boxes around what is on a frame, each with its class and, where it is known, which instance it is."""

import math

import numpy as np

from usfm.store.dataset import Dataset
from usfm.store.labels.classes import Named, repeated
from usfm.store.labels.contract import Incoming, out_of_range, predicted_by, run_joined, run_of

OFFSETS, XYXY, CLASSES = "/labels/boxes/offsets", "/labels/boxes/xyxy_px", "/labels/boxes/class"
INSTANCE, BOXED = "/labels/boxes/instance", "/labels/boxed"
SCORES = "/labels/boxes/score"


class Boxes(Named):
    """Boxes of a frame; k may be 0. Its head: names, and where a model predicted them the id of its run.

    A value is xyxy_px float32 (k, 4) and classes int32 (k,), then instances int32 (k,) where any is known or there are
    scores, then scores float32 (k,) where a model gave them.
    """

    name, home, what = "boxes", CLASSES, "box"
    datasets = (
        Dataset(OFFSETS, "int64", "(N + 1,)", "row", "the boxes of frame i are rows offsets[i] to offsets[i + 1]"),
        Dataset(XYXY, "float32", "(B, 4)", "px", "left, top, right, bottom"),
        Dataset(CLASSES, "int32", "(B,)", "class", "class of the box, attribute names"),
        Dataset(BOXED, "uint8", "(N,)", "0 or 1", "1: the boxes of this frame are known (there may be none)", 0),
        Dataset(INSTANCE, "int32", "(B,)", "", "which instance it is, the same through a clip; -1 = unknown", -1,
                optional=True),
        Dataset(SCORES, "float32", "(B,)", "0..1", "a model's score of the box; NaN = none", np.nan, optional=True),
    )  # fmt: skip

    def within(self, paths) -> bool:
        """See `Kind`."""
        return OFFSETS in paths

    def checked(self, given, head: dict, shape: tuple[int, ...]) -> tuple:
        """See `Kind`."""
        xyxy = np.asarray(given[0], np.float32).reshape(-1, 4)
        classes = given[1]
        if not (isinstance(classes, np.ndarray) and classes.dtype == np.int32):
            classes = np.array([self._number(one, head) for one in classes], np.int32)
        if len(xyxy) != len(classes) or (len(classes) and classes.max() >= len(head["names"])):
            raise ValueError(f"{len(xyxy)} boxes, {len(classes)} classes of {len(head['names'])} names")
        if not math.isfinite(xyxy.sum()):
            raise ValueError("a box that is not finite")
        if len(given) < 3:
            return xyxy, classes
        instances = np.asarray(given[2], np.int32).reshape(-1)
        scores = np.asarray(given[3], np.float32).reshape(-1) if len(given) > 3 else np.zeros(0, np.float32)
        scored = bool(np.isfinite(scores).any())
        if not scored and not (instances >= 0).any():
            return xyxy, classes
        if len(instances) != len(classes) or instances.min(initial=-1) < -1:
            raise ValueError(f"{len(xyxy)} boxes, {len(instances)} instances")
        if scored and (len(scores) != len(classes) or np.isinf(scores).any()):
            raise ValueError(f"{len(xyxy)} boxes, {len(scores)} scores, or one that is infinite")
        return (xyxy, classes, instances, scores) if scored else (xyxy, classes, instances)

    def joined(self, head: dict, other: dict) -> tuple[dict, np.ndarray]:
        """See `Kind`."""
        run = run_joined(head, other, "boxes")
        whole, places = super().joined(head, other)
        return whole | run, places

    def attributes(self, head: dict) -> dict:
        """See `Kind`."""
        return {self.home: super().attributes(head)[self.home] | predicted_by(head)}

    def head(self, read, paths) -> dict:
        """See `Kind`."""
        return super().head(read, paths) | run_of(read, self.home)

    def sealed(self, head: dict) -> dict:
        """See `Kind`."""
        return super().sealed(head) | ({"box run": head["run"]} if head.get("run") else {})

    @staticmethod
    def _number(given, head: dict) -> int:
        """The number of a class that was given by number or by name; a new name is added."""
        if not isinstance(given, str):
            return int(given)
        if given not in head["names"]:
            head["names"].append(given)
        return head["names"].index(given)

    def token(self, value: tuple, head: dict) -> str:
        """See `Kind`."""
        names = ",".join(head["names"][c] if c >= 0 else "" for c in value[1])
        instances = f":{value[2].tolist()}" if len(value) > 2 and (value[2] >= 0).any() else ""
        scores = f":{np.asarray(value[3], np.float32).tobytes().hex()}" if len(value) > 3 else ""
        return f"b={np.asarray(value[0], np.float32).tobytes().hex()}:{names}{instances}{scores}"

    def columns(self, kept, frames: int, head: dict) -> dict:
        """See `Kind`."""
        if not kept and not head["names"]:
            return {}
        counts = [len(kept[row][1]) if row in kept else 0 for row in range(frames)]
        known = [kept[row] for row in sorted(kept)]
        instances = [one[2] if len(one) > 2 else np.full(len(one[1]), -1, np.int32) for one in known]
        more: dict[str, np.ndarray] = (
            {INSTANCE: np.concatenate(instances)} if any((one >= 0).any() for one in instances) else {}
        )
        if any(len(one) > 3 for one in known):
            scores = [one[3] if len(one) > 3 else np.full(len(one[1]), np.nan, np.float32) for one in known]
            more[SCORES] = np.concatenate(scores)
        return {
            **more,
            OFFSETS: np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
            XYXY: np.concatenate([np.zeros((0, 4), np.float32), *(one[0] for one in known)]),
            CLASSES: np.concatenate([np.zeros(0, np.int32), *(one[1] for one in known)]),
            BOXED: np.array([row in kept for row in range(frames)], np.uint8),
        }

    def appended(self, part: Incoming) -> dict[str, np.ndarray]:
        """See `Kind`."""
        before = part.filled[CLASSES]
        start = np.zeros(0 if part.filled[OFFSETS] else 1, np.int64)
        if OFFSETS not in part.tables:
            return {
                OFFSETS: np.concatenate([start, np.full(part.frames, before, np.int64)]),
                BOXED: np.zeros(part.frames, np.uint8),
            }
        more = {}
        if INSTANCE in part.planned:
            more[INSTANCE] = part.tables.get(INSTANCE, np.full(len(part.tables[CLASSES]), -1, np.int32))
        if SCORES in part.planned:
            more[SCORES] = part.tables.get(SCORES, np.full(len(part.tables[CLASSES]), np.nan, np.float32))
        return {
            **more,
            OFFSETS: np.concatenate([start, part.tables[OFFSETS][1:] + before]),
            BOXED: part.tables[BOXED],
            XYXY: part.tables[XYXY],
            CLASSES: np.append(part.places, -1).astype(np.int32)[part.tables[CLASSES]],
        }

    def problems(self, head: dict, stored, file) -> list[str]:
        """See `Kind`."""
        offsets, count = stored(OFFSETS), file.length(CLASSES)
        problems = repeated(head["names"]) + out_of_range(CLASSES, stored(CLASSES), -1, len(head["names"]))
        if INSTANCE in file.columns:
            problems += out_of_range(INSTANCE, stored(INSTANCE), -1, 1 << 31)
        if SCORES in file.columns and np.isinf(stored(SCORES)).any():
            problems.append(f"{SCORES} is infinite")
        problems += out_of_range(BOXED, stored(BOXED), 0, 2)
        if offsets[0] != 0 or offsets[-1] != count or (np.diff(offsets) < 0).any():
            problems.append(f"{OFFSETS} does not fit the boxes")
        xyxy = stored(XYXY)
        if xyxy.shape[1:] != (4,) or not np.isfinite(xyxy).all():
            problems.append(f"{XYXY} holds what is no box")
        return problems

    def of_frame(self, file, row: int) -> tuple | None:
        """See `Kind`."""
        if not file.column(BOXED)[row]:
            return None
        first, last = file.column(OFFSETS)[row : row + 2]
        found = file.column(XYXY)[first:last], file.column(CLASSES)[first:last]
        blank = np.full(len(found[1]), -1, np.int32)
        instances = file.column(INSTANCE)[first:last] if file.has_column(INSTANCE) else blank
        scores = file.column(SCORES)[first:last] if file.has_column(SCORES) else np.zeros(0, np.float32)
        if np.isfinite(scores).any():
            return (*found, instances, scores)
        return (*found, instances) if (instances >= 0).any() else found

    def renamed(self, value: tuple, places: np.ndarray, head: dict) -> tuple:
        """See `Kind`."""
        classes = np.array([places[c] if c >= 0 else -1 for c in value[1].tolist()], np.int32)
        return value[0], classes, *value[2:]

    def in_view(self, value: tuple, view, head: dict) -> tuple:
        """See `Kind`. A box belongs to the view that holds its centre."""
        xyxy = np.asarray(value[0], np.float64)
        mine = view.holds((xyxy[:, :2] + xyxy[:, 2:]) / 2 - 0.5)  # edges are pixel edges
        return tuple(one[mine] for one in value)

    def moved(self, value: tuple, framing) -> tuple:
        """See `Kind`."""
        return framing.apply_boxes(value[0]), *value[1:]


BOXES = Boxes()
