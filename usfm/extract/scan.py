"""The first look at every source: the digest of its bytes, and about how much is in it."""

import errno
import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache

from usfm.errors import MediaError
from usfm.extract.identity import Pseudonyms
from usfm.extract.media import Media
from usfm.extract.readers import READERS
from usfm.extract.readers.contract import NO_OPTIONS, Identity, Options, Probe
from usfm.extract.sources import Source
from usfm.provenance import file_sha256

BATCH_BYTES = 256 << 20
BATCH_FILES = (4, 256)
"""Least and most files that are looked at in one go: a 64th of all, so that every worker has something to do."""
NOT_THE_FILE = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)
"""What the system lacks: no reason to reject a file."""


@dataclass(frozen=True)
class Scan:
    """What the first look found.

    Attributes:
        sha256: Of the file's bytes, hex; "" where they could not be read.
        probe: About its frames; None where it cannot be opened.
        fault: Why it cannot be opened, "" where it can; with ``detail``, a sentence.
        patient: Pseudonym of the patient whom the file names, "" where it names none.
        exam: Pseudonym of the exam.
        items: The same for each of several sources in the file; then the others say nothing but the digest.
    """

    sha256: str = ""
    probe: Probe | None = None
    fault: str = ""
    detail: str = ""
    patient: str = ""
    exam: str = ""
    items: tuple["Scan", ...] = ()


@dataclass(frozen=True)
class ScanTask:
    """Sources to look at in one go.

    Attributes:
        sources: Which.
        long_bytes: From how many decoded bytes on a source is read in ranges.
        options: What is asked of readers.
        names: The run's pseudonyms, for what files say about people; None where none of them may say any.
    """

    sources: tuple[Source, ...]
    long_bytes: int
    options: Options = NO_OPTIONS
    names: Pseudonyms | None = None


def batches(
    sources: Sequence[Source], long_bytes: int, options: Options = NO_OPTIONS, names: Pseudonyms | None = None
) -> list[ScanTask]:
    """Cut the sources, in their order, into batches that depend on nothing but themselves.

    Args:
        sources: All of them.
        long_bytes: Size of a file from which on it is looked at more closely.
        options: What the user asks of readers.
        names: Pseudonyms, None where nobody is named.

    Returns:
        The batches.
    """
    cut: list[list[Source]] = []
    held, most = 0, min(max(len(sources) // 64, BATCH_FILES[0]), BATCH_FILES[1])
    for source in sources:
        if not cut or len(cut[-1]) >= most or held + source.size > BATCH_BYTES:
            cut.append([])
            held = 0
        cut[-1].append(source)
        held += source.size
    return [ScanTask(tuple(each), long_bytes, options, names) for each in cut]


def scan(batch: ScanTask) -> bytes:
    """Look at a batch; the result is JSON, one object a source, in order."""
    return dumps([_scan_one(source, batch) for source in batch.sources])


def dumps(scans: Sequence[Scan]) -> bytes:
    """Write scans as JSON."""
    return json.dumps([asdict(one) for one in scans]).encode()


def loads(data: bytes) -> list[Scan]:
    """Read what ``dumps`` wrote."""
    return [_scan_of(row) for row in json.loads(data)]


def _scan_of(row: dict) -> Scan:
    probe = row.pop("probe")
    if probe is not None:
        probe |= {"stamps": tuple(probe["stamps"]), "tick_s": tuple(probe["tick_s"])}
        probe = Probe(**(probe | {"identity": Identity(), "items": ()}))
    return Scan(probe=probe, items=tuple(_scan_of(each) for each in row.pop("items")), **row)


def _scan_one(source: Source, batch: ScanTask) -> Scan:
    if source.fault:
        return Scan(fault=source.fault, detail=source.detail)
    sha256 = ""
    try:
        sha256 = source_digest(source)
        probe = READERS[source.kind].probe(source.media, stamps_above=batch.long_bytes, options=batch.options)
        return _told(sha256, probe, batch.names)
    except MediaError as error:
        return Scan(sha256, None, error.reason, error.detail)
    except OSError as error:
        if error.errno in NOT_THE_FILE:
            raise
        reason = "no permission" if isinstance(error, PermissionError) else "not readable"
        return Scan(sha256, None, reason, f"it cannot be read ({(error.strerror or 'error').lower()}).")
    except (MemoryError, ImportError):  # what a library lacks is no fault of the file
        raise
    except Exception as error:  # one odd file never ends a run; our own mistakes show in the reason
        return Scan(sha256, None, "reader failed", f"the reader stopped with {type(error).__name__}.")


def source_digest(source: Source) -> str:
    """Return the SHA-256 of a source's bytes; of a source of several files, of their digests one after another."""
    digest = _sha256(source.media)
    for companion in source.companions:
        try:
            other = _sha256(companion)
        except FileNotFoundError:  # the reader says so
            other = ""
        digest = hashlib.sha256(f"{digest}+{other}".encode()).hexdigest()
    return item_digest(digest, source.item) if source.item else digest


def _sha256(media: Media) -> str:
    if media.member is None:
        status = os.stat(media.path)
        return _sha256_of(media.path, status.st_size, status.st_mtime_ns)
    digest = hashlib.sha256()  # the same as of the unpacked file
    with media.open() as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


@lru_cache(maxsize=1)
def _sha256_of(path: str, size: int, mtime_ns: int) -> str:
    """Digest a file; several sources out of one file come one behind the other."""
    return file_sha256(path)


def item_digest(sha256: str, item: str) -> str:
    """Return what stands for the digest of one thing in a file: the same file and name give the same.

    Args:
        sha256: Of the file.
        item: Name of the thing in it.

    Returns:
        A sha256, hex.
    """
    return hashlib.sha256(f"{sha256}:{item}".encode("utf-8", "surrogateescape")).hexdigest()


def _told(sha256: str, probe: Probe, names: Pseudonyms | None) -> Scan:
    """Keep what a probe says, with pseudonyms in place of names: this is written to a file."""
    if probe.items:
        return Scan(sha256, items=tuple(_told(item_digest(sha256, one.item), one, names) for one in probe.items))
    who = probe.identity
    patient, exam = (names.patient(who.patient), names.exam(who.patient, who.exam)) if names else ("", "")
    return Scan(sha256, replace(probe, identity=Identity()), patient=patient, exam=exam)
