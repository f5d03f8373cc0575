"""The `<out>.parts` folder of a run: its key, its lock, and the results of finished parts."""

import hashlib
import json
import mmap
import os
import re
import shutil
import socket
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from usfm import console
from usfm.errors import RequestError
from usfm.jobs.outputs import check_writable
from usfm.jobs.parts import Part
from usfm.store.codec import Checksum
from usfm.store.whole import is_private, lock, place, private, write_json

KEY, LOCK, WORK = "run.json", "lock", "files.part"
"""What is in it beside the parts; WORK is a folder of files that are no parts of a store."""
_PART = re.compile(r"[\w-]+-\d{6}-[0-9a-f]{10}\.[0-9a-f]{4,64}\.part")
_UNFINISHED = re.compile(r"([\w-]+-\d{6}-[0-9a-f]{10}\.unfinished-\d+|seen\.unfinished)-[0-9a-f]{8}")


class PartsFolder:
    """A run's folder beside its output.

    Args:
        out: the output; the folder is `<out>.parts`.
    """

    def __init__(self, out: Path):
        self.out = place(out)
        self.path = self.out.with_name(f"{self.out.name}.parts")
        self._lock_fd = -1
        self._temporary: Path | None = None

    def enter(self, key: Mapping, overwrite: bool) -> bool:
        """Make or take over the folder, and lock it.

        Args:
            key: what the run is made of: command, options, seed, inputs, version.
            overwrite: start afresh where another run left its parts; the same run's are resumed all the same.

        Returns:
            Whether an interrupted run is resumed.

        Raises:
            RequestError: held by another run, made by another command, or no permission.
        """
        try:
            self._make()
            self._take_lock()
        except PermissionError:
            raise RequestError(f"{self.path.parent}: no permission to write there; choose another --out.") from None
        except (FileExistsError, NotADirectoryError):
            raise RequestError(
                f"{self.path}: is in the way and not a folder; move it or choose another --out."
            ) from None
        self._refuse_strangers()
        found = self._refuse_others(key, overwrite)
        if found is not None and found != key:
            self._empty()
            found = None
        for left in self.path.iterdir():
            if _is_unfinished(left.name):
                left.unlink(missing_ok=True)
        if found is None:
            self._empty()
            write_json(self.path / KEY, key, indent=None, mode=0o600)
        return found is not None

    def look(self, key: Mapping, overwrite: bool) -> None:
        """For a dry run: refuse what `enter` would refuse, and touch nothing.

        Args:
            key: as for `enter`.
            overwrite: as for `enter`.

        Raises:
            RequestError: as `enter`, but for a lock that another run holds.
        """
        check_writable(self.out)
        if not os.path.lexists(self.path):
            return
        if not self.path.is_dir():
            raise RequestError(f"{self.path}: is in the way and not a folder; move it or choose another --out.")
        self._refuse_strangers()
        self._refuse_others(key, overwrite)

    def _refuse_others(self, key: Mapping, overwrite: bool) -> dict | None:
        """The key of the parts that are there; parts of another run are refused, unless they are to be replaced."""
        found = self._read_key()
        if found is not None and found != key and not overwrite:
            self.leave()
            raise RequestError(
                f"{self.path}: holds parts of another run ({difference(found, key)}); finish that run with its own "
                "command, or start afresh with --overwrite."
            )
        return found

    def _make(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.mkdir(mode=0o700, exist_ok=True)  # parts hold frames, and what a step learnt about them

    def _take_lock(self) -> None:
        path = self.path / LOCK
        while True:
            fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
            got = lock(fd)
            if got is False:
                holder = os.pread(fd, 200, 0).decode(errors="replace").strip() or "another process"
                os.close(fd)
                raise RequestError(
                    f"{self.path}: held by another run ({holder}); wait until it is done, or choose another --out."
                )
            if got is None:
                console.warn(f"{self.path}: this file system has no locks, so do not start the same command twice.")
            try:
                same = os.stat(path).st_ino == os.fstat(fd).st_ino
            except FileNotFoundError:  # a run that ended took its folder away just now
                same = False
                self._make()
            if same:
                os.ftruncate(fd, 0)
                os.pwrite(fd, f"process {os.getpid()} on {socket.gethostname()}\n".encode(), 0)
                self._lock_fd = fd
                return
            os.close(fd)

    def _refuse_strangers(self) -> None:
        """Never clear out a folder that somebody keeps other things in."""
        begun = (self.path / KEY).is_file()
        for path in sorted(self.path.iterdir()):
            if not (path.name == LOCK or _is_unfinished(path.name) or (begun and self._is_ours(path))):
                self.leave()
                raise RequestError(
                    f"{self.path}: holds {path.name}, which is no part of a run; move it or choose another --out."
                )

    def _read_key(self) -> dict | None:
        try:
            found = json.loads((self.path / KEY).read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError, RecursionError):
            return None
        return found if isinstance(found, dict) else {}

    def _is_ours(self, path: Path) -> bool:
        name = path.name
        if name == KEY:
            key = self._read_key()
            return key is None or "command" in key
        older = (f"{self.out.name}.unfinished", f"{KEY}.unfinished")  # of versions that had fixed names
        return name in (LOCK, WORK, *older) or _PART.fullmatch(name) is not None or _is_unfinished(name)

    def _empty(self, *, lock: bool = False) -> None:
        for left in sorted(self.path.iterdir(), key=lambda path: path.name == KEY):  # without its key it is nobody's
            if left.name == LOCK and not lock:
                continue
            if left.name == WORK and left.is_dir() and not left.is_symlink():
                shutil.rmtree(left, ignore_errors=True)
            elif self._is_ours(left):
                left.unlink(missing_ok=True)

    def leave(self) -> None:
        """Give the lock back; the folder stays."""
        if self._lock_fd >= 0:
            os.close(self._lock_fd)
            self._lock_fd = -1

    def remove(self) -> None:
        """Take the folder away: the output is whole."""
        with suppress(OSError):  # what somebody put there meanwhile stays, and the folder with it
            self._empty(lock=True)
            self.path.rmdir()
        self.leave()

    def finished(self, phase: str, parts: Sequence[Part]) -> dict[int, Path]:
        """Results that are there already, by the part's number; one whose bytes do not fit its name is thrown away.

        Args:
            phase: name of the phase.
            parts: all of the phase, in order.

        Returns:
            Number of a part -> file that holds its result.
        """
        stems = {stem(phase, number, part): number for number, part in enumerate(parts)}
        found = {}
        for path in self.path.glob("*.part"):
            number = stems.get(path.name.rsplit(".", 2)[0])
            if number is not None:
                found[number] = path
        with ThreadPoolExecutor(4) as pool:
            good = dict(zip(found, pool.map(_is_whole, found.values()), strict=True))
        for number, whole in good.items():
            if not whole:
                console.warn(f"{found[number]}: damaged; its part is done again.")
                found.pop(number).unlink(missing_ok=True)
        return found

    @property
    def temporary(self) -> Path:
        """Where the output is put together before its rename."""
        if self._temporary is None:
            self._temporary = private(self.path / self.out.name)
        return self._temporary


def _is_unfinished(name: str) -> bool:
    return is_private(name) or _UNFINISHED.fullmatch(name) is not None


def stem(phase: str, number: int, part: Part) -> str:
    """File name of a part's result, without its digest and ending.

    Args:
        phase: name of the phase.
        number: of the part in its phase, from 0.
        part: whose name goes in as a hash.

    Returns:
        The name, of ASCII characters only.

    Examples:
        >>> stem("frames", 3, Part("clip 3", None))
        'frames-000003-bd16a699af'
    """
    return f"{phase}-{number:06d}-{hashlib.sha256(part.name.encode()).hexdigest()[:10]}"


def _is_whole(path: Path) -> bool:
    if not path.stat().st_size:
        return Checksum().digest == path.name.rsplit(".", 2)[1]
    checksum = Checksum()
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as whole:
        checksum.add(whole)
    return checksum.digest == path.name.rsplit(".", 2)[1]


def difference(found: Mapping, wanted: Mapping) -> str:
    """Name what differs between two keys.

    Args:
        found: the key that is stored.
        wanted: the key of this run.

    Returns:
        At most four clauses, joined by "; ".

    Examples:
        >>> old = {"command": "clean", "options": {"text": "none"}, "inputs": ["ab"], "raw": {}}
        >>> difference(old, old | {"options": {"text": "auto"}})
        "text was 'none' and is now 'auto'"
    """
    words = []
    for name, label in (("command", "command"), ("seed", "seed"), ("usfm", "usfm version"), ("inputs", "inputs")):
        if found.get(name) != wanted.get(name):
            was, now = found.get(name), wanted.get(name)
            words.append("the inputs have changed" if name == "inputs" else f"{label} was {was!r} and is now {now!r}")
    if found.get("command") == wanted.get("command"):
        old, new = found.get("options", {}), wanted.get("options", {})
        words += [
            _changed(name, old.get(name), new.get(name))
            for name in sorted({*old, *new})
            if old.get(name) != new.get(name)
        ]
    words += _raw_difference(found.get("raw", {}), wanted.get("raw", {}))
    return "; ".join(words[:4]) + ("; and more" if len(words) > 4 else "")


def _changed(name: str, was: object, now: object) -> str:
    """Say how a setting differs; a digest stands for a file, a key or a pattern and means nothing to a person.

    Examples:
        >>> _changed("manifest", "sha256:00", "sha256:ff"), _changed("salt", None, "key:00"), _changed("fps", "3", "5")
        ('with another manifest', 'salt is given now', "fps was '3' and is now '5'")
    """
    hidden = [str(one).startswith(("sha256:", "key:")) for one in (was, now)]
    if not any(hidden):
        return f"{name} was {was!r} and is now {now!r}"
    return f"with another {name}" if all(hidden) else f"{name} is {'given' if hidden[1] else 'not given'} now"


def _raw_difference(old: Mapping, new: Mapping) -> list[str]:
    words = []
    for what, names in (
        ("is gone", sorted(set(old) - set(new))),
        ("is new", sorted(set(new) - set(old))),
        ("has changed", sorted(name for name in set(old) & set(new) if old[name] != new[name])),
    ):
        if names:
            more = f" and {len(names) - 1} more" if len(names) > 1 else ""
            words.append(f"input {names[0]}{more} {what}")
    return words
