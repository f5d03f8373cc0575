"""Is a store whole: everything that opening it checks, and pixels and masks; and if not, which parts are still good."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np

from usfm.store import hdf5, seal
from usfm.store.codec import pixel_digest
from usfm.store.content import Pointed, table_changed
from usfm.store.damage import Damaged, of_the_system, one_line
from usfm.store.history import command_line
from usfm.store.labels.coverage import PATH as COVERAGE
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
        notes: what could not be checked.
    """

    path: str
    problems: list[str] = field(default_factory=list)
    good: list[str] = field(default_factory=list)
    bad: dict[str, str] = field(default_factory=dict)
    remedy: str = ""
    notes: list[str] = field(default_factory=list)

    @property
    def whole(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems and not self.bad


def verify(path: str, threads: int = 1) -> Verdict:
    """Read everything and compare it with what was written.

    Args:
        path: of a store.
        threads: that decompress and digest.

    Returns:
        The verdict; a file that HDF5 cannot open any more is damaged too.

    Raises:
        RequestError: it is no store at all.
    """
    verdict = Verdict(path)
    try:
        file = StoredFile(path, strict=False)
    except Damaged as error:
        verdict.problems.append(str(error).removeprefix(f"{path}: ").split("; ")[0])
        return verdict
    verdict.problems += file.problems
    # What damaged bytes make of the checks below is damage, whatever is raised: a verdict never fails.
    try:
        verdict.remedy = command_line(file.history[-1], path) if file.history else ""
        if not file.history_covered:
            verdict.notes.append("its history is not covered: it was made by a usfm that kept no digest of it")
        _check_tables(file, verdict)
        _check_parts(file, verdict, threads)
    except Exception as error:
        if of_the_system(error) and not isinstance(error, MemoryError):
            raise
        verdict.problems.append(f"a table cannot be read ({one_line(error)})")
    return verdict


def _check_tables(file: StoredFile, verdict: Verdict) -> None:
    for table in ("dropped", "rejected"):
        if table_changed(file, table):
            verdict.problems.append(f"/{table} has changed since it was written")
    if file.digests is not None:
        try:
            with hdf5.open_store(file.path) as opened:
                changed = seal.headings_digest(hdf5.headings(opened)) != file.digests.get(seal.HEADINGS)
        except Exception:
            changed = True
        if changed:
            verdict.problems.append("units or descriptions of its datasets have changed")
    for path, block in file.layout.blocks.items():
        if block.offset is not None:
            continue
        try:
            file.chunks(path)
        except Exception as error:
            verdict.problems.append(_clause(error))
    try:
        file.column(COVERAGE) if file.has_column(COVERAGE) else None
    except Exception as error:
        verdict.problems.append(_clause(error))


def _clause(error: Exception) -> str:
    """What is wrong, without the path and the advice that its sentence gives."""
    text = one_line(error)
    return text.split(": damaged, ", 1)[-1].split("; take it from")[0] if isinstance(error, Damaged) else text


def _check_parts(file: StoredFile, verdict: Verdict, threads: int) -> None:
    pointed = Pointed(file)
    parts = file.table("parts")
    with ThreadPoolExecutor(max(threads, 1)) as pool:
        for name, first, rows, wanted in zip(*parts.values(), strict=True):
            span = range(int(first), int(first + rows))
            try:
                if not 0 <= span.start <= span.stop <= file.count:
                    raise IndexError("its rows are not there")
                changed = _changed(file, span, pool)
                if changed:
                    verdict.bad[name] = f"the pixels of {len(changed)} frames have changed, such as {changed[0]}"
                elif pointed.digest(span) != wanted:
                    verdict.bad[name] = "columns, labels or masks have changed"
                else:
                    verdict.good.append(name)
            except Exception as error:
                verdict.bad[name] = _clause(error)


def _changed(file: StoredFile, rows: range, pool: ThreadPoolExecutor) -> list[str]:
    """Names of the frames whose pixels are not what was written."""
    names, wanted = (file.column(f"/frames/{name}")[rows.start : rows.stop] for name in ("frame_id", "digest"))
    found: list[str] = []
    for some in _batches(rows):
        found += pool.map(lambda row: pixel_digest(np.ascontiguousarray(file.pixels(row))), some)
    return [name for name, was, now in zip(names, wanted, found, strict=True) if was != now]


def _batches(rows: range) -> Iterator[range]:
    for first in range(rows.start, rows.stop, _BATCH):
        yield range(first, min(first + _BATCH, rows.stop))
