"""Vectors of a store's frames: read ahead while the encoder works, and kept so that they are made once."""

import glob
import time
from collections.abc import Callable, Sequence, Set
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from usfm import console
from usfm.errors import RequestError
from usfm.model.embedders import FEATURES_FORMAT, Embedder
from usfm.provenance import digest
from usfm.quantities import duration, size
from usfm.store import tables
from usfm.store.reader import Store
from usfm.store.schema import whole_id


def of_rows(
    store: Store,
    rows: np.ndarray,
    embedder: Embedder,
    *,
    batch_size: int = 64,
    advance: Callable[[int], None] = lambda n: None,
    change: Callable[[Sequence[np.ndarray], np.ndarray], Sequence[np.ndarray]] | None = None,
) -> np.ndarray:
    """Embed some frames of a store.

    Args:
        store: any store, frames of any size.
        rows: (n,) int rows of it.
        embedder: the encoder, or vectors that were made before.
        batch_size: frames in one pass; the result does not depend on it (to 1e-5).
        advance: told how many frames were done.
        change: (frames, their rows) -> frames, applied before they are resized.

    Returns:
        (n, dim) float32.
    """
    if embedder.forward is None:
        vectors = embedder.lookup(store.column("frame_id")[rows].tolist())
        advance(len(rows))
        return _finite(vectors, store, rows, embedder)
    vectors = np.zeros((len(rows), embedder.dim), np.float32)
    starts = range(0, len(rows), batch_size)

    def read(at: int) -> np.ndarray:
        frames = store.frames(rows[at : at + batch_size])
        return embedder.prepare(frames if change is None else change(frames, rows[at : at + batch_size]))

    with ThreadPoolExecutor(1) as ahead:
        coming = [ahead.submit(read, 0)] if len(rows) else []
        for at in starts:
            batch = coming.pop().result()
            if at + batch_size < len(rows):
                coming.append(ahead.submit(read, at + batch_size))
            vectors[at : at + batch_size] = embedder.forward(batch)
            advance(len(batch))
    return _finite(vectors, store, rows, embedder)


def _finite(vectors: np.ndarray, store: Store, rows: np.ndarray, embedder: Embedder) -> np.ndarray:
    """The vectors, once it is certain that all are numbers: NaN would pass through every measure in silence."""
    bad = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
    if len(bad):
        name = store.column("frame_id")[rows[bad[0]]]
        raise RequestError(
            f"{embedder.name}: the vectors of {len(bad)} of {len(rows)} frames hold NaN or infinite numbers (first: "
            f"{name}); take another encoder"
        )
    return vectors


def cached(
    store: Store,
    rows: np.ndarray,
    embedder: Embedder,
    folder: str | Path,
    *,
    batch_size: int = 64,
    advance: Callable[[int], None] = lambda n: None,
) -> np.ndarray:
    """Like `of_rows`, but found in `folder` if the same encoder has seen the same frames before.

    The file is what `usfm embed` writes, named by a digest of the encoder's identity, the store's content and the
    frames, so that it can never be taken for another one; delete it at any time.

    Args:
        store: the store.
        rows: (n,) frames of it.
        embedder: the encoder.
        folder: where the files are kept.
        batch_size: frames that the encoder gets at once.
        advance: told how many frames are done.

    Returns:
        (n, D) vectors.
    """
    if embedder.forward is None:
        return of_rows(store, rows, embedder, advance=advance)
    names = store.column("frame_id")[rows]
    key = digest([embedder.identity, store.content_id, names.tolist()])
    path = Path(folder) / f"{embedder.name}-{key[:16]}.h5"
    if path.exists():
        try:
            columns, attributes = tables.read(path, FEATURES_FORMAT)
            if attributes.get("key") == key and columns["vectors"].shape == (len(rows), embedder.dim):
                advance(len(rows))
                took = f", made in {duration(attributes['seconds'])}" if "seconds" in attributes else ""
                console.say(f"the vectors of {len(rows):,} frames are there from before ({path}{took})")
                return columns["vectors"]
        except RequestError:
            pass  # damaged: made again, and replaced when that is whole
    started = time.monotonic()
    vectors = of_rows(store, rows, embedder, batch_size=batch_size, advance=advance)
    seconds = round(time.monotonic() - started, 2)
    path.parent.mkdir(parents=True, exist_ok=True)
    write(path, store, rows, vectors, embedder, key, seconds=seconds)
    cost = f"{size(path.stat().st_size)}, {duration(seconds)}"
    console.say(f"the vectors of {len(rows):,} frames are kept in {path} ({cost}); it may be deleted")
    return vectors


def found(folder: str | Path, embedder: Embedder, names: Set[str]) -> np.ndarray:
    """Vectors of frames whose store need not be there, as `cached` has kept them.

    Args:
        folder: where the files are kept.
        embedder: the encoder that made them.
        names: whole ids of the frames.

    Returns:
        (m, D) of those that were found, each once, in the order of the files.
    """
    theirs = digest([{"name": embedder.name, **embedder.identity}])
    kept, left = [np.zeros((0, embedder.dim), np.float32)], set(names)
    for path in sorted(Path(folder).glob(f"{glob.escape(embedder.name)}-*.h5")) if left else []:
        try:
            columns, attributes = tables.read(path, FEATURES_FORMAT)
            if digest([attributes.get("encoder")]) != theirs:
                continue
            mine = []
            for row, name in enumerate(map(whole_id, columns["frame_id"].tolist())):
                if name in left:
                    left.remove(name)
                    mine.append(row)
            kept.append(columns["vectors"][mine].reshape(len(mine), embedder.dim))
        except (RequestError, KeyError, ValueError):
            continue  # damaged: as if it were not there
    return np.concatenate(kept)


def write(
    path: str | Path, store: Store, rows: np.ndarray, vectors: np.ndarray, embedder: Embedder, key: str, **more: object
) -> None:
    """Write ``features.h5``: frame_id, source, patient, vectors, and the encoder's identity as attributes.

    Args:
        path: of the file.
        store: that the frames are of.
        rows: (n,) frames of it.
        vectors: (n, D).
        embedder: the encoder.
        key: digest of all that made the vectors.
        more: further attributes.
    """
    columns = {
        "frame_id": store.column("frame_id")[rows],
        "source": store.of_frames("path")[rows],
        "patient": store.of_frames("patient")[rows],
        "vectors": vectors,
    }
    about = {"key": key, "encoder": {"name": embedder.name, **embedder.identity}, "store": store.content_id, **more}
    tables.write(path, FEATURES_FORMAT, columns, about)
