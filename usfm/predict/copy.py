"""Take frames over with their predictions; a module of its own, so that a worker loads little."""

from collections.abc import Iterator

from usfm.store.reader import Store
from usfm.store.writer import PartWriter

AT_ONCE = 16
"""Frames that are handed over to be written together."""


def copy_part(payload: tuple) -> Iterator[bytes]:
    """Take the frames of one part over, with their predictions (runs in a worker)."""
    paths, rows, scores, names, run_id = payload
    runs: dict[str, str] = {name: run_id for name in names}
    store = Store.open(paths)
    part = PartWriter(like=store, score_runs=runs, contiguous=store.fixed_shape is not None)
    for at, row in enumerate(rows.tolist()):
        part.copy(store, row, scores=dict(zip(names, scores[at].tolist(), strict=True)))
        if at % AT_ONCE == AT_ONCE - 1:
            yield from part.drain()
    yield from part.pieces()
