"""Files and folders that appear whole or not at all, under names of our own until then."""

import ctypes
import errno
import fcntl
import os
import re
import secrets
import shutil
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from usfm.errors import RequestError
from usfm.provenance import json_text
from usfm.store.disk import sync

_LONGEST_BYTES = 200
_EXCHANGE, _AT_FDCWD = 2, -100  # of renameat2, which Linux has
_UNFINISHED = re.compile(r"\..*\.[0-9a-f]{12}\.(unfinished|previous)(\.\w+)?")


def private(path: Path, ending: str = "unfinished") -> Path:
    """A name beside a path that nobody can have chosen: hidden, with 48 random bits.

    Args:
        path: what it stands for.
        ending: "unfinished" for what is being made, "previous" for what is about to go.

    Returns:
        The name; nothing is made.
    """
    stem = path.name.encode(errors="surrogateescape")[:_LONGEST_BYTES].decode(errors="ignore")
    return path.with_name(f".{stem}.{secrets.token_hex(6)}.{ending}")


def is_private(name: str) -> bool:
    """Whether `private` made a name.

    Examples:
        >>> is_private(private(Path("runs/last")).name), is_private("last.old"), is_private(".last.unfinished")
        (True, False, False)
    """
    return _UNFINISHED.fullmatch(name) is not None


def place(out: str | Path) -> Path:
    """Where an output goes: behind the user's link where the name is one, so that the link stays.

    Raises:
        RequestError: the name cannot be one, or stands for something that is neither a file nor a folder.
    """
    path = Path(out)
    if not path.is_absolute() and not _has_folder():
        raise RequestError(f"{out}: the working folder does not exist any more; change to another one.")
    if path.name in ("", ".."):  # "." and "..": names are made from the folder's own
        path = Path(os.path.abspath(path))
    if not path.name:
        raise RequestError(f"{out}: is the root of all folders, so no result can have its name; choose another.")
    try:
        if path.is_symlink():
            path = path.resolve()
        mode = path.stat().st_mode
    except (ValueError, UnicodeError):
        raise RequestError(f"{str(out)!r}: is no name that a file can have; choose another --out.") from None
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return path  # to be made, or refused with its reason when it is
    except (OSError, RuntimeError) as error:
        if isinstance(error, OSError) and error.errno == errno.ENAMETOOLONG:
            raise RequestError(f"{str(out)[:60]}...: is too long a name for this disk; choose another --out.") from None
        raise RequestError(f"{out}: is a link to itself; choose another --out.") from None
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise RequestError(f"{out}: is neither a file nor a folder, so no result can have its name; choose another.")
    return path


def _has_folder() -> bool:
    try:
        os.getcwd()
    except OSError:
        return False
    return True


@contextmanager
def whole_file(path: str | Path, mode: int = 0o666) -> Iterator[Path]:
    """Write a file under a private name beside its own, and give it its own in one step when everything went well.

    The name ends as the file's does. After an error nothing is left, and an older file stays as it was.

    Args:
        path: of the file.
        mode: who may do what with it, as far as the user's umask allows.

    Yields:
        The private name, to be written to.

    Raises:
        IsADirectoryError: a folder has the name.
    """
    path = place(path)
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    sweep(path)
    temporary, fd = _begun(path, mode)
    try:
        mode = stat.S_IMODE(os.fstat(fd).st_mode)  # what the user's umask makes of it
        yield temporary
        os.chmod(temporary, mode)  # some libraries write with a mode of their own
        sync(temporary)
        os.replace(temporary, path)
        sync(path.parent)
    finally:
        temporary.unlink(missing_ok=True)
        os.close(fd)


def _begun(path: Path, mode: int) -> tuple[Path, int]:
    """Make a private file that `sweep` of another process leaves alone, and open it."""
    ending = path.suffix if re.fullmatch(r"\.\w{1,12}", path.suffix) else ""
    while True:
        named = private(path)
        temporary = named.with_name(named.name + ending)
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        if keep(fd):
            return temporary, fd
        os.close(fd)


def begun_folder(path: Path) -> tuple[Path, int]:
    """Make a private folder that `sweep` of another process leaves alone, and open it."""
    while True:
        new = private(path)
        new.mkdir()
        try:
            fd = os.open(new, os.O_RDONLY)
        except FileNotFoundError:  # swept away
            continue
        if keep(fd):
            return new, fd
        os.close(fd)


def keep(fd: int) -> bool:
    """Hold what was just made; False where another process swept it away between its making and this."""
    if lock(fd) is False:
        return False  # it is being swept
    return os.fstat(fd).st_nlink > 0  # on a disk without locks nothing is swept


def hold(fd: int) -> bool:
    """Lock an open file or folder until it is closed; False where another process has it or the disk has no locks."""
    return lock(fd) is True


def lock(fd: int, *, shared: bool = False) -> bool | None:
    """Try to lock an open file or folder until it is closed; every lock of ours is taken here.

    Args:
        fd: of the file or folder.
        shared: beside others who only look.

    Returns:
        True where it is ours now, False where another process has it, None where the disk has no locks.
    """
    try:
        fcntl.flock(fd, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def sweep(path: Path) -> None:
    """Remove what killed processes left of an output: private names of it that no living process holds."""
    for left in path.parent.glob(f".{_literal(path.name)}.*"):
        if not is_private(left.name) or ".previous" in left.name:
            continue
        try:
            fd = os.open(left, os.O_RDONLY | os.O_NOFOLLOW)
        except OSError:
            continue
        try:
            if hold(fd):
                shutil.rmtree(left, ignore_errors=True) if left.is_dir() else left.unlink(missing_ok=True)
        finally:
            os.close(fd)


def write_text(path: str | Path, text: str, mode: int = 0o666) -> None:
    """Write a text file whole or not at all.

    Args:
        path: of the file.
        text: written as UTF-8.
        mode: who may do what with it, as far as the user's umask allows.
    """
    with whole_file(path, mode) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: str | Path, value: object, indent: int | None = 2, mode: int = 0o666) -> None:
    """Write a JSON file whole or not at all; what is no finite number becomes null.

    Args:
        path: of the file.
        value: anything that JSON can hold.
        indent: spaces a level, None for one line.
        mode: who may do what with it, as far as the user's umask allows.
    """
    write_text(path, json_text(value, indent=indent) + "\n", mode)


def exchange(a: Path, b: Path) -> bool:
    """Let two paths change places in one step.

    Args:
        a: one of the two.
        b: the other, on the same disk.

    Returns:
        False where this system cannot; then nothing has changed.

    Raises:
        OSError: one of the two is missing, or no permission.
    """
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None) if sys.platform == "linux" else None
    if rename is None:
        return False
    if rename(_AT_FDCWD, os.fsencode(a), _AT_FDCWD, os.fsencode(b), _EXCHANGE) == 0:
        return True
    number = ctypes.get_errno()
    if number in (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP, errno.EPERM):  # an older kernel, or a disk without it
        return False
    raise OSError(number, os.strerror(number), str(b))


def put_in_place(new: Path, final: Path) -> Path | None:
    """Give a folder its final name; what had the name before gets a private one, and is there until then.

    Where the disk can exchange two names, one of the two folders has the final name at every moment. Where it cannot,
    the name is free for an instant, and the older folder ends in ".previous" then. If the last step fails, the older
    folder has its name again.

    Args:
        new: the folder that is finished.
        final: the name that it gets, on the same disk.

    Returns:
        Where the older one is now, None if there was none.
    """
    if not os.path.lexists(final):
        os.rename(new, final)
        return None
    if exchange(new, final):
        return new
    old = private(final, "previous")
    os.rename(final, old)
    try:
        os.rename(new, final)
    except BaseException:
        os.rename(old, final)
        raise
    return old


def sync_all(folder: Path) -> None:
    """Have the disk take every file and folder below a folder."""
    for parent, _, files in os.walk(folder):
        for name in files:
            sync(Path(parent, name))
        sync(Path(parent))


def complete(folder: Path) -> Path:
    """Where a folder that is being replaced can be read: under its name, or for an instant as its predecessor.

    Nothing is moved: only who holds the lock may do that.
    """
    if folder.exists():
        return folder
    waiting = sorted(folder.parent.glob(f".{_literal(folder.name)}.*.previous"))
    older = folder.with_name(folder.name + ".old")  # of earlier versions
    return next((one for one in [*waiting, older] if one.is_dir()), folder)


def _literal(name: str) -> str:
    return re.sub(r"([*?\[])", r"[\1]", name)


def clear_private(folder: Path) -> None:
    """Remove what an ended process of ours left unfinished in a folder; only who holds its lock may do that.

    A predecessor whose successor never came gets its name back.
    """
    for left in folder.iterdir():
        if not is_private(left.name):
            continue
        final = folder / left.name[1:].rsplit(".", 2)[0]
        if left.name.endswith(".previous") and not final.exists():
            os.rename(left, final)
        elif left.is_dir() and not left.is_symlink():
            shutil.rmtree(left, ignore_errors=True)
        else:
            left.unlink(missing_ok=True)
