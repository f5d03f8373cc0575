"""Is a store whole: digests, row counts, references between tables; and if not, which parts are still good."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np

from usfm.errors import RequestError
from usfm.store import digest
from usfm.store.codec import pack_mask, pixel_digest
from usfm.store.history import command_line
from usfm.store.label_reader import mask_place, raw_boxes
from usfm.store.labels import multi_known
from usfm.store.schema import FRAMES
from usfm.store.stored import StoredFile

_BATCH = 256


@dataclass
class Verdict:
    """What was found about one file.

    Attributes:
        path: of the file.
        problems: a sentence each; none when the store is whole.
        good: names of the parts whose content is what it was when it was written.
        bad: names of the others, with what is wrong.
        remedy: command that makes the store again.
    """

    path: str
    problems: list[str] = field(default_factory=list)
    good: list[str] = field(default_factory=list)
    bad: dict[str, str] = field(default_factory=dict)
    remedy: str = ""

    @property
    def whole(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems and not self.bad


def verify(path: str, threads: int = 1) -> Verdict:
    """Read everything and compare it with what was written.

    Args:
        path: of a store.
        threads: that decompress and digest.

    Raises:
        RequestError: it cannot be opened as a store at all.
    """
    file = StoredFile(path)
    verdict = Verdict(path)
    if file.history:
        verdict.remedy = command_line(file.history[-1], path)
    try:
        _check_tables(file, verdict)
        _check_parts(file, verdict, threads)
    except (OSError, RuntimeError, ValueError, KeyError, IndexError, RequestError) as error:
        verdict.problems.append(f"a table cannot be read ({type(error).__name__}: {error})")
    return verdict


def _check_tables(file: StoredFile, verdict: Verdict) -> None:
    problems = verdict.problems
    for name in FRAMES:
        if len(file.column(f"/frames/{name}")) != file.count:
            problems.append(f"/frames/{name} has {len(file.column(f'/frames/{name}'))} rows instead of {file.count}")
    ids = file.column("/frames/frame_id")
    if len(set(ids)) < len(ids):
        problems.append(f"{len(ids) - len(set(ids))} frames have the same frame_id as another")
    for name, count in (
        ("source", file.num_sources),
        ("region_row", file.num_regions),
        ("overlay_row", file.num_overlays),
    ):
        values, least = file.column(f"/frames/{name}"), 0 if name == "source" else -1
        wrong = int(((values < least) | (values >= count)).sum())
        if wrong:
            problems.append(f"/frames/{name} of {wrong} frames points at a row that is not there")
    for path in (
        "/labels/class",
        "/labels/multi",
        "/labels/split",
        "/labels/mask_row",
        "/labels/boxed",
        "/patches/coverage",
    ):
        if path in file.blocks and len(file.column(path)) != file.count:
            problems.append(f"{path} has {len(file.column(path))} rows instead of {file.count}")
    if "/labels/boxes/offsets" in file.blocks:
        offsets, rows = file.column("/labels/boxes/offsets"), len(file.column("/labels/boxes/class"))
        if len(offsets) != file.count + 1 or (np.diff(offsets) < 0).any() or offsets[-1] != rows:
            problems.append("/labels/boxes/offsets does not fit the boxes")
    for table in ("dropped", "rejected"):
        wanted = file.attribute(f"/{table}", "digest")
        if wanted and digest.table_digest(table, file.table(table)) != wanted:
            problems.append(f"/{table} is not what was written")
    kept = file.table("dropped")["frame_id"]
    both = set(kept.tolist()) & set(ids.tolist())
    if both:
        problems.append(f"{len(both)} frames are both in /frames and in /dropped, such as {min(both)}")
    parts = file.table("parts")
    if parts["rows"].sum() != file.count or (parts["first_row"] != np.cumsum([0, *parts["rows"]])[:-1]).any():
        problems.append("/parts does not cover the frames")
    if digest.content_id(parts["digest"].tolist()) != file.content_id:
        problems.append("content_id does not fit the digests of /parts")


def _check_parts(file: StoredFile, verdict: Verdict, threads: int) -> None:
    sources = _source_digests(file)
    masks = {
        name: _mask_digests(file, table) for name, table in (("region_row", "regions"), ("overlay_row", "overlay"))
    }
    parts = file.table("parts")
    with ThreadPoolExecutor(max(threads, 1)) as pool:
        for name, first, rows, wanted in zip(*parts.values(), strict=True):
            try:
                found = _part_digest(file, range(int(first), int(first + rows)), sources, masks, pool)
            except (RequestError, OSError, ValueError, IndexError, KeyError) as error:
                verdict.bad[name] = str(error)
                continue
            if isinstance(found, list):
                verdict.bad[name] = f"the pixels of {len(found)} frames have changed, such as {found[0]}"
            elif found != wanted:
                verdict.bad[name] = "columns, labels or masks have changed"
            else:
                verdict.good.append(name)


def _source_digests(file: StoredFile) -> list[str]:
    table = {name: values.tolist() for name, values in file.table("sources").items()}
    return [digest.row_digest(dict(zip(table, row, strict=True))) for row in zip(*table.values(), strict=True)]


def _mask_digests(file: StoredFile, table: str) -> list[str]:
    """Digest of each row of /regions or /overlay, "?" where it cannot be read."""
    columns = {name: values.tolist() for name, values in file.table(table).items()}
    digests = []
    for at, values in enumerate(zip(*columns.values(), strict=True)):
        row = dict(zip(columns, values, strict=True))
        try:
            found = digest.row_digest(row, pixel_digest(pack_mask(file.mask(table, at))))
        except (RequestError, OSError, ValueError, IndexError, KeyError):
            found = "?"
        digests.append(found if found == row["digest"] else "?")
    return digests


def _part_digest(file: StoredFile, rows: range, sources: Sequence[str], masks: dict, pool: ThreadPoolExecutor):
    """Digest of a part from what is in the file; or the ids of the frames whose pixels have changed."""
    span = slice(rows.start, rows.stop)
    columns = {name: file.column(f"/frames/{name}")[span] for name in FRAMES}
    found: list[str] = []
    for some in _batches(rows):
        found += pool.map(lambda row: pixel_digest(np.ascontiguousarray(file.pixels(*file.place(row)))), some)
    changed = [f for f, was, now in zip(columns["frame_id"], columns["digest"], found, strict=True) if was != now]
    if changed:
        return changed
    tables = {"source": sources, **masks}
    pointed = {name: [table[row] if row >= 0 else "" for row in columns[name]] for name, table in tables.items()}
    return digest.part_digest(columns, pointed, [_token(file, row) for row in rows])


def _batches(rows: range) -> Iterator[range]:
    for first in range(rows.start, rows.stop, _BATCH):
        yield range(first, min(first + _BATCH, rows.stop))


def _token(file: StoredFile, row: int) -> str:
    known = file.blocks
    if not known:
        return ""
    label = int(file.column("/labels/class")[row]) if "/labels/class" in known else -1
    multi = file.column("/labels/multi")[row] if "/labels/multi" in known else ()
    place, boxes = mask_place(file, row), raw_boxes(file, row)
    coverage = file.column("/patches/coverage")[row] if "/patches/coverage" in known else None
    if coverage is not None and np.isnan(coverage).all():
        coverage = None
    return digest.label_token(
        file.class_names[label] if label >= 0 else "",
        file.column("/labels/split")[row] if "/labels/split" in known else "",
        multi_known(file.class_names, multi),
        pixel_digest(file.decoded(f"/labels/masks/{place[0]}", place[1])) if place else "",
        None if boxes is None else (boxes[0], [file.box_names[c] if c >= 0 else "" for c in boxes[1]]),
        coverage,
    )
