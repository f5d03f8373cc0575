"""The first look at every source: the digest of its bytes, and about how much is in it."""

import errno
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from usfm.errors import MediaError
from usfm.extract.readers import READERS
from usfm.extract.readers.contract import Probe
from usfm.extract.sources import Source
from usfm.provenance import file_sha256

BATCH_BYTES = 256 << 20
BATCH_FILES = 256
NOT_THE_FILE = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)
"""What the system lacks: no reason to reject a file."""


@dataclass(frozen=True)
class Scan:
    """What the first look found.

    Attributes:
        sha256: Of the file's bytes, hex; "" where they could not be read.
        probe: About its frames; None where it cannot be opened.
        fault: Why it cannot be opened, "" where it can; with ``detail``, a sentence.
    """

    sha256: str = ""
    probe: Probe | None = None
    fault: str = ""
    detail: str = ""


@dataclass(frozen=True)
class Batch:
    """Sources to look at in one go, and from how many decoded bytes on a source is read in ranges."""

    sources: tuple[Source, ...]
    long_bytes: int


def batches(sources: Sequence[Source], long_bytes: int) -> list[Batch]:
    """Cut the sources, in their order, into batches that depend on nothing but themselves."""
    cut: list[list[Source]] = []
    held = 0
    for source in sources:
        if not cut or len(cut[-1]) >= BATCH_FILES or held + source.size > BATCH_BYTES:
            cut.append([])
            held = 0
        cut[-1].append(source)
        held += source.size
    return [Batch(tuple(each), long_bytes) for each in cut]


def scan(batch: Batch) -> bytes:
    """Look at a batch; the result is JSON, one object a source, in order."""
    return dumps([_scan_one(source, batch.long_bytes) for source in batch.sources])


def dumps(scans: Sequence[Scan]) -> bytes:
    """Write scans as JSON."""
    return json.dumps([asdict(one) for one in scans]).encode()


def loads(data: bytes) -> list[Scan]:
    """Read what ``dumps`` wrote."""
    scans = []
    for row in json.loads(data):
        probe = row.pop("probe")
        if probe is not None:
            probe = Probe(**{**probe, "stamps": tuple(probe["stamps"]), "tick_s": tuple(probe["tick_s"])})
        scans.append(Scan(probe=probe, **row))
    return scans


def _scan_one(source: Source, long_bytes: int) -> Scan:
    if source.fault:
        return Scan(fault=source.fault, detail=source.detail)
    sha256 = ""
    try:
        sha256 = file_sha256(source.path)
        return Scan(sha256, READERS[source.kind].probe(source.path, stamps_above=long_bytes))
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
