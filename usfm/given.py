"""Small files of the user: those that are named (settings, recipes, corrections) are read whole or refused."""

import os
import stat
from pathlib import Path

from usfm.errors import RequestError

LARGEST_BYTES = 64 * 2**20
"""More is no file that a person wrote."""


def text_of(path: str | Path, what: str) -> str:
    """Read a small UTF-8 file.

    A pipe or a device is refused: to read it could wait, or go on, without end.

    Args:
        path: Of the file.
        what: What it should be, for the sentence, such as "settings file".

    Returns:
        The text, without a byte order mark.

    Raises:
        RequestError: It is missing, no ordinary file, too large, or not UTF-8.
    """
    try:
        with open(path, "rb", opener=without_waiting) as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise RequestError(f"{path}: no ordinary file; give a {what}.")
            if status.st_size > LARGEST_BYTES:
                raise RequestError(f"{path}: {status.st_size:,} bytes are too many for a {what}; give another.")
            return file.read().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise RequestError(f"{path}: not a UTF-8 text (byte {error.start}); save the {what} as UTF-8.") from None
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise RequestError(f"{path}: cannot read this {what} ({str(why).lower()}); check the path.") from None


def without_waiting(path: str, flags: int) -> int:
    """Open a file as `open` asks for, as its `opener`; a pipe without a writer does not hang.

    Args:
        path: Of the file.
        flags: As `os.open` takes them.

    Returns:
        The descriptor.
    """
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def key_file() -> Path:
    """Say where the user's own key lives (``$XDG_CONFIG_HOME/usfm/salt.key``, else below ``~/.config``)."""
    folder = os.environ.get("XDG_CONFIG_HOME") or os.path.join(os.path.expanduser("~"), ".config")
    return Path(folder) / "usfm" / "salt.key"
