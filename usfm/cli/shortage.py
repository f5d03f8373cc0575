"""Recognise that the system gives no more memory, processes, files or disk, whatever library noticed it, and say so."""

import errno
import re

from usfm.errors import WorkError

LIBRARIES_MB = 640
"""Address space that the libraries of a command take (540 MB measured, NumPy's and OpenCV's 270). With less, some of
them neither load nor fail: OpenBLAS tries again for ever, or ends the process."""

_MEMORY = (
    "failed to map segment",
    "cannot allocate memory",
    "can't allocate memory",
    "not enough memory",
    "insufficient memory",
    "failed to allocate",
    "out of memory",
    "bad_alloc",
    "static tls block",
)
_THREADS = ("can't start new thread", "resource temporarily unavailable", "pthread_create")
_FILES = ("too many open files",)
_DISK = ("no space left on device", "disk quota exceeded", "os error 28", "errno = 28")

_SENTENCES = {
    "memory": "out of memory; free some, raise its limit (ulimit -v), or give fewer --workers or a smaller batch.",
    "threads": "the system gives no more threads or processes; raise the limit (ulimit -u) or give fewer --workers.",
    "disk": "the disk is full; free some space and type the same command again.",
    "files": "too many files are open; raise the limit (ulimit -n) or give fewer --workers.",
}
_NUMBERS = {errno.ENOMEM: "memory", errno.EAGAIN: "threads", errno.EMFILE: "files", errno.ENFILE: "files"}


def _limit_mb() -> float:
    """The limit on this process's address space (ulimit -v), MB; infinite where there is none."""
    try:
        import resource
    except ImportError:
        return float("inf")
    soft = resource.getrlimit(resource.RLIMIT_AS)[0]
    return float("inf") if soft == resource.RLIM_INFINITY else soft / 2**20


def check_limit() -> None:
    """Refuse to begin under a memory limit that the libraries alone would pass.

    Raises:
        WorkError: the limit is below `LIBRARIES_MB`.
    """
    if (limit := _limit_mb()) < LIBRARIES_MB:
        raise WorkError(
            f"the memory limit (ulimit -v) of {limit:.0f} MB is less than the libraries take; raise it to "
            f"{LIBRARIES_MB} MB or more (4,000 MB where a model is loaded)."
        )


def _at_the_limit() -> bool:
    """Say whether this process has come near its limit: then an odd error is most likely the limit's."""
    try:
        with open("/proc/self/status", encoding="ascii") as file:
            peak = re.search(r"VmPeak:\s+(\d+)", file.read())
    except OSError:
        return False
    return peak is not None and int(peak[1]) / 1024 > 0.95 * _limit_mb()


def sentence_of(error: BaseException) -> str:
    """The sentence for an error that a shortage has caused; "" for any other.

    Libraries say it in their own classes (ImportError, RuntimeError, cv2.error), and raise others on top of it.

    Examples:
        >>> sentence_of(ImportError("libx.so: failed to map segment from shared object"))[:13]
        'out of memory'
        >>> sentence_of(ValueError("a batch of 3"))
        ''
    """
    seen: list[BaseException] = []
    one: BaseException | None = error
    while one is not None and one not in seen:
        if kind := _kind(one):
            return _SENTENCES[kind]
        seen.append(one)
        one = one.__cause__ or (None if one.__suppress_context__ else one.__context__)
    return _SENTENCES["memory"] if _at_the_limit() else ""


def _kind(error: BaseException) -> str:
    if isinstance(error, MemoryError):
        return "memory"
    if isinstance(error, OSError) and error.errno is not None:
        return _NUMBERS.get(error.errno, "")
    text = str(error).lower()
    for kind, phrases in (("memory", _MEMORY), ("threads", _THREADS), ("files", _FILES), ("disk", _DISK)):
        if any(phrase in text for phrase in phrases):
            return kind
    return ""
