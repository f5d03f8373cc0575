"""Split a store into train, val and test, or into folds, so that no patient is on two sides."""

import io
from collections.abc import Iterator

import numpy as np

from usfm import console
from usfm.config import Request, content_dict
from usfm.errors import RequestError
from usfm.inspect.split.assign import FOLD, Sides, assign
from usfm.inspect.split.config import Config
from usfm.inspect.split.found import figures_of, say
from usfm.jobs.parts import Done, Part, Phase
from usfm.jobs.run import out_path, run_step
from usfm.provenance import file_sha256
from usfm.store.reader import Store
from usfm.store.reject import rejecting
from usfm.store.writer import PartWriter

PARTS, PART_FRAMES = 64, (256, 4096)
"""Parts that a store is cut into, and the least and most frames of one."""


AT_ONCE = 16
"""Frames that are handed over to be written together."""


def run(config: Config, request: Request) -> dict:
    """Write a store with the same frames and a split that keeps patients whole.

    Args:
        config: Who stays together, how large the parts are.
        request: Inputs and output.

    Returns:
        The summary, with `parts` (frames, groups, patients and class shares of each), `groups`, `kept`, `unassigned`,
        `widest_gap` (of a class's share between a part and the whole, in points), `leaks` (patients, and with
        --by-duplicates near-duplicates, on two sides) and `clean`.

    Raises:
        RequestError: Settings that do not fit the store, or whatever is wrong with inputs and output.
    """
    store = Store.open(list(request.inputs)).require(labels=True)
    if config.by_duplicates and not store.has_regions:
        console.warn(
            f"{store.paths[0]}: the acoustic regions are not known, so whole frames are compared, and with them what "
            "scanners draw around; 'usfm sector' finds the regions"
        )
    options = content_dict(config)
    if config.splits:
        options["splits"] = [_identity(store, one) for one in config.splits]
    last: list[Sides] = []

    def figures(done: Done) -> dict:
        sides = last[-1] if last else _sides(store, config, request.seed, done)
        last[:] = [sides]
        return figures_of(store, sides, _features(done, len(store)), config.threshold)

    def copies(done: Done) -> list[Part]:
        last[:] = [_sides(store, config, request.seed, done)]
        sides, paths = last[0], [str(path) for path in store.paths]
        return [
            Part(f"split-{k:05d}", (paths, rows, sides.split[rows].tolist(),
                                    None if sides.fold is None else sides.fold[rows].tolist()), weight=float(len(rows)))
            for k, rows in enumerate(cut(len(store)))
        ]  # fmt: skip

    phases = [Phase("split", plan=copies, work=copy_part, poison=rejecting("split"))]
    if config.by_duplicates:
        phases.insert(0, Phase("features", plan=lambda _: _looks(store), work=look_part))
    summary = run_step("split", request, options, phases, inputs=[store], out=out_path(request, "split"),
                       figures=figures)  # fmt: skip
    if not request.dry_run:
        say(summary)
    return summary


def cut(frames: int) -> list[np.ndarray]:
    """Cut the frames of a store into runs, the same whatever the workers.

    Args:
        frames: How many.

    Examples:
        >>> [rows.tolist() for rows in cut(3)]
        [[0, 1, 2]]
    """
    size = int(np.clip(-(-frames // PARTS), *PART_FRAMES))
    return [np.arange(start, min(start + size, frames)) for start in range(0, frames, size)]


def _identity(store: Store, given: str) -> str:
    """What a published split is known by: the digest of its file, or the name of its column."""
    try:
        return f"sha256:{file_sha256(given)}"
    except OSError as error:
        if given in store.source_columns:
            return given
        if isinstance(error, FileNotFoundError):
            columns = ", ".join(store.source_columns)
            raise RequestError(
                f"--splits {given}: is neither a file nor a column of {store.paths[0]} (it has {columns})."
            ) from None
        raise RequestError(f"{given}: cannot be read ({error.strerror}).") from None


def _sides(store: Store, config: Config, seed: int, done: Done) -> Sides:
    return assign(store, config, seed, _features(done, len(store)))


def _features(done: Done, frames: int) -> np.ndarray | None:
    """The features of all frames, from the phase that made them; None where there was none."""
    if "features" not in done:
        return None
    found = [np.load(path) for path in done["features"]]
    return np.concatenate(found) if found else np.zeros((frames, 1), np.float32)


def _looks(store: Store) -> list[Part]:
    paths = [str(path) for path in store.paths]
    return [Part(f"features-{k:05d}", (paths, rows), weight=float(len(rows))) for k, rows in enumerate(cut(len(store)))]


def look_part(payload: tuple) -> bytes:
    """Describe the frames of one part by their visual features (runs in a worker)."""
    from usfm.screening.features import visual_features

    paths, rows = payload
    buffer = io.BytesIO()
    np.save(buffer, visual_features(Store.open(paths), rows))
    return buffer.getvalue()


def copy_part(payload: tuple) -> Iterator[bytes]:
    """Take the frames of one part over with their new part or fold (runs in a worker)."""
    paths, rows, split, fold = payload
    store = Store.open(paths)
    part = PartWriter(like=store, contiguous=store.fixed_shape is not None)
    for at, row in enumerate(rows.tolist()):
        part.copy(store, row, split=split[at], of_source=None if fold is None else {FOLD: fold[at]})
        if at % AT_ONCE == AT_ONCE - 1:
            yield from part.drain()
    yield from part.pieces()
