"""What went wrong with a part, in a form that travels between processes and never ends the command by itself."""

import errno
import traceback
from typing import Any

from usfm import errors
from usfm.errors import RequestError, UsfmError, WorkError

Packed = tuple[str, str, str, int, str]
"""Kind, name of the exception's class, its message, its errno (0 = none), its traceback."""

_SYSTEM = {
    errno.EMFILE: "too many files are open; raise the limit (ulimit -n) or give fewer --workers",
    errno.ENFILE: "the system has too many open files; wait for other programs or give fewer --workers",
    errno.ENOSPC: "the disk is full; free some space",
    errno.EDQUOT: "the disk quota is used up; free some space",
    errno.EROFS: "the disk is read-only; choose another place",
    errno.EAGAIN: "the system allows no more processes or threads; raise the limit (ulimit -u) or give fewer --workers",
}
"""What the system lacks, whatever the part: to reject frames for it would be wrong."""


class WorkerDied(Exception):
    """The worker that had the part is gone; the message says how.

    Attributes:
        final: the part has had several tries already; where it had them alone, more would not help.
    """

    final = False


class PartFailed(Exception):
    """What a part raised. The exception itself stays in its worker: only text comes over.

    Args:
        name: its class.
        message: its text.
        number: its errno, 0 where it has none.
    """

    def __init__(self, name: str, message: str = "", number: int = 0):
        super().__init__(name, message, number)
        self.name, self.message, self.number = name, message, number

    def __str__(self) -> str:
        return f"{self.name}: {self.message}".rstrip(": ")


class RemoteTraceback(Exception):
    """The traceback of an exception in a worker, as text."""

    def __str__(self) -> str:
        return f"\n{self.args[0]}"


MOST = 2000
"""Characters of a message that are kept."""


def said(error: BaseException) -> str:
    """The message of an exception, also of one that cannot say it or says too much.

    Examples:
        >>> class Mute(Exception):
        ...     def __str__(self):
        ...         raise ValueError
        >>> said(ValueError("two")), said(Mute())
        ('two', '')
    """
    try:
        return str(error)[:MOST]
    except BaseException:
        return ""


def packed(error: BaseException) -> Packed:
    """An exception as plain text and numbers, which can always be sent."""
    kind = "memory" if isinstance(error, MemoryError) else "other"
    name = type(error).__name__
    if isinstance(error, (WorkError, RequestError)):  # Interrupted and GateError are not a part's to raise
        kind, name = "ends", "RequestError" if isinstance(error, RequestError) else "WorkError"
    elif isinstance(error, ImportError):
        kind = "library"
    number = error.errno if isinstance(error, OSError) and isinstance(error.errno, int) else 0
    try:
        trace = traceback.format_exc()
    except BaseException:
        trace = ""
    return kind, name, said(error), number, trace


def unpacked(answer: Packed) -> Exception:
    """The exception that stands in the parent for what `packed` was given."""
    kind, name, message, number, trace = answer
    if kind == "memory" or number == errno.ENOMEM:
        error: Exception = MemoryError(message)
    elif kind == "ends":
        error = getattr(errors, name)(message)
    elif kind == "library":
        error = WorkError(f"a library cannot be loaded in a worker ({message}); mend the installation or free memory.")
    elif number in _SYSTEM:
        error = WorkError(f"{_SYSTEM[number]}, and type the same command again: what is finished is kept.")
    else:
        error = PartFailed(name, message, number)
    error.__cause__ = RemoteTraceback(trace)
    return error


def local(error: BaseException) -> Exception:
    """What an executor gives as a part's failure, as this package's kinds, whichever executor it was."""
    if isinstance(error, (WorkerDied, PartFailed, MemoryError, WorkError, RequestError)):
        return error
    mine = unpacked(packed(error))
    mine.__cause__ = error
    return mine


def ends_run(error: Exception) -> bool:
    """Say whether an error has nothing to do with the part: then no other part would fare better."""
    return isinstance(error, UsfmError)


def reason_of(error: BaseException) -> str:
    """Why a part failed, as a short phrase that is the same for the same cause; it goes into the store.

    An exception's own words stay out of it: they may hold a path, and with it a name.

    Examples:
        >>> reason_of(WorkerDied("died of signal 11")), reason_of(MemoryError())
        ('reader crashed: the worker died of signal 11', 'out of memory')
        >>> reason_of(PartFailed("OSError", "[Errno 5] Input/output error: 'Miller.mp4'", errno.EIO))
        'failed: OSError (EIO)'
    """
    if isinstance(error, MemoryError):
        return "out of memory"
    if isinstance(error, WorkerDied):
        return f"reader crashed: the worker {error}"
    if isinstance(error, PartFailed):
        code = errno.errorcode.get(error.number, "")
        return f"failed: {error.name}" + (f" ({code})" if code else "")
    return f"failed: {type(error).__name__}"


def cannot_start(error: BaseException, temporary: str = "") -> WorkError:
    """Why no worker process can be started, as one sentence with its remedy.

    Args:
        error: what the system said.
        temporary: the folder for temporary files.

    Returns:
        The error, to be raised.

    Examples:
        >>> str(cannot_start(OSError("AF_UNIX path too long"), "/long"))[34:]
        'the name of the folder for temporary files /long is too long; set TMPDIR to a shorter one.'
    """
    words: Any = said(error) or type(error).__name__
    number = error.errno if isinstance(error, OSError) else None
    if number in (errno.ENOSPC, errno.EROFS, errno.EACCES, errno.ENOENT, errno.EDQUOT):
        words = f"the folder for temporary files {temporary} cannot be written; set TMPDIR to another one"
    elif "AF_UNIX path too long" in words:
        words = f"the name of the folder for temporary files {temporary} is too long; set TMPDIR to a shorter one"
    elif number in _SYSTEM:
        words = _SYSTEM[number]
    elif number == errno.ENOMEM or isinstance(error, MemoryError):
        words = "memory is short; give fewer --workers or raise the limit (ulimit -v)"
    elif isinstance(error, (EOFError, ConnectionError, ChildProcessError)) or "start new thread" in words:
        more = f" ({words})" if isinstance(error, ChildProcessError) else ""
        words = f"the system gives it no memory or no process{more}; raise the limits (ulimit -u, -v) or free memory"
    else:
        words = f"{words}; give fewer --workers"
    return WorkError(f"no worker process can be started: {words}.")
