"""A store that is damaged: the one error for it, and how whatever its bytes make libraries raise becomes that error."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from usfm.errors import RequestError, UsfmError

_OF_THE_SYSTEM = {errno.EMFILE, errno.ENFILE, errno.EIO, errno.EACCES, errno.EPERM, errno.ENOMEM, errno.ENOENT,
                  errno.ESTALE, errno.ENOSPC, errno.EDQUOT}  # fmt: skip
"""What the system says of any file, whole or not."""


def of_the_system(error: BaseException) -> bool:
    """Say whether an error tells of the system (a failing disk, too many open files) and nothing of the file's bytes.

    Examples:
        >>> of_the_system(OSError(errno.EIO, "x")), of_the_system(OSError("truncated")), of_the_system(ValueError())
        (True, False, False)
    """
    return isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno in _OF_THE_SYSTEM)


class Damaged(RequestError):
    """A file is a store, and is not what was written (exit code 2; `usfm info --verify` makes it 3)."""


def damaged(path: str, what: str) -> Damaged:
    """The sentence for a damaged store.

    Args:
        path: of the store.
        what: is wrong, without a full stop.

    Returns:
        The error, to be raised.

    Examples:
        >>> print(damaged("a.h5", "/frames/scale has changed"))
        a.h5: damaged, /frames/scale has changed; take it from a backup or make it again (`usfm info --verify` says what is good).
    """  # noqa: E501
    return Damaged(
        f"{path}: damaged, {what}; take it from a backup or make it again (`usfm info --verify` says what is good)."
    )


def one_line(error: BaseException) -> str:
    """What an error says, on one line of at most 160 characters.

    Examples:
        >>> one_line(ValueError(" two   words. "))
        'two words'
    """
    text = " ".join(str(error).split()).strip("\"'. ") or type(error).__name__
    return text if len(text) <= 160 else text[:157] + "..."


@contextmanager
def reading(path: str, what: str) -> Iterator[None]:
    """Turn whatever HDF5, NumPy or a decoder raises at a store's bytes into `Damaged`.

    What the system says of any file (too many open files, no permission, a failing disk) and a lack of memory pass.

    Args:
        path: of the store.
        what: is read.

    Yields:
        Nothing; what is read is read inside the `with`.

    Raises:
        Damaged: anything else went wrong inside.
    """
    try:
        yield
    except UsfmError:
        raise
    except Exception as error:
        if of_the_system(error):
            raise
        raise damaged(path, f"{what} cannot be read ({one_line(error)})") from None
