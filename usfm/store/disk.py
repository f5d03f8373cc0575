"""What the disk says, in one sentence; and renames that outlive a power cut."""

import errno
import os
from pathlib import Path

from usfm.errors import WorkError


def sync(path: Path) -> None:
    """Make what a file holds, or the renames in a folder, outlive a power cut."""
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def disk_error(error: OSError, path: Path) -> Exception:
    """A full disk, quota or size limit as one sentence; any other error as it is."""
    words = {errno.ENOSPC: "the disk is full", errno.EDQUOT: "the disk quota is used up",
             errno.EFBIG: "the file is larger than this system allows", errno.EROFS: "the disk is read-only",
             errno.EACCES: "no permission to write there", errno.EIO: "the disk reports an error"}  # fmt: skip
    if error.errno not in words:
        return error
    return WorkError(
        f"{path}: {words[error.errno]}; mend that and type the same command again: what is finished is kept."
    )
