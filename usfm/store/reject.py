"""A part that stands in for one that cannot be made."""

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
