"""A part that stands in for one that cannot be made."""

from typing import Any

from usfm.store.reader import Store
from usfm.store.writer import PartWriter


def reject_rows(paths, rows, stage: str, reason: str, detail: str) -> bytes:
    """A part that rejects frames of an input: stands in for one that cannot be made.

    Args:
        paths: of the input's files.
        rows: of its frames.
        stage: step that rejects them.
        reason: short, the same for the same cause.
        detail: one sentence.

    Returns:
        What `PartWriter.to_bytes` gives.
    """
    store, part = Store.open(paths), PartWriter()
    names, sources = store.column("frame_id"), store.of_frames("path")
    for row in rows:
        part.reject(str(sources[row]), str(names[row]), stage, reason, detail)
    return part.to_bytes()


def rejecting(stage: str):
    """What stands in for a part of a step that killed its worker: all its frames are rejected.

    Args:
        stage: the step.

    Returns:
        A function (part, reason) -> what `reject_rows` gives. A part's payload begins with the input's paths and rows.
    """

    def stand_in(part: Any, reason: str) -> bytes:
        paths, rows, *_ = part.payload
        return reject_rows(paths, rows, stage, "part failed", reason)

    return stand_in
