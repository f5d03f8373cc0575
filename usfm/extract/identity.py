"""Who a source belongs to, without saying who: keyed pseudonyms for patients, exams and paths."""

import hashlib
import hmac
import os
import re
import secrets
import stat
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from usfm import console
from usfm.errors import RequestError
from usfm.extract.names import alike, text_of
from usfm.extract.readers import SUFFIXES
from usfm.extract.sources import suffix_of
from usfm.given import key_file

SHORTEST_KEY = 8  # bytes; shorter ones are guessed in no time
LARGEST_KEY = 1 << 20
LENGTH = 16  # hex digits: 64 bits, so that a million patients collide with a chance of 3e-8


@dataclass(frozen=True)
class Pseudonyms:
    """Keyed one-way names (HMAC-SHA256): the same for the same key, unreadable without it.

    Example:
        >>> names = Pseudonyms(b"a key")
        >>> names.patient("Jane Doe") == names.patient(" Jane Doe "), names.patient("")
        (True, '')
        >>> names.exam("p1", "1") == names.exam("p2", "1")
        False
    """

    key: bytes = field(repr=False)

    def _name(self, *parts: str) -> str:
        text = "\0".join(parts).encode("utf-8", "surrogateescape")
        return hmac.new(self.key, text, hashlib.sha256).hexdigest()[:LENGTH]

    @property
    def key_id(self) -> str:
        """What tells this key from another without telling the key."""
        return self._name("key")

    def secret(self, value: str) -> str:
        """Return a digest of a setting that may hold names, as the history keeps it."""
        return f"key:{self._name('setting', value)}"

    def patient(self, value: str) -> str:
        """Return the pseudonym of a patient, "" for none; names that look the same are the same."""
        value = alike(value.strip())
        return self._name("patient", value) if value else ""

    def exam(self, patient: str, value: str) -> str:
        """Return the pseudonym of an exam; exams are often numbered anew for each patient, so both count."""
        value = alike(value.strip())
        return self._name("exam", alike(patient.strip()), value) if value else ""

    def words(self, texts: Iterable[str]) -> str:
        """Return the hashes of the words of names, in the order of the hashes, so that nobody learns theirs.

        Words of one letter are left out: they are found in any picture.

        Example:
            >>> names = Pseudonyms(b"a key")
            >>> names.words(["Doe^Jane A"]) == names.words(["JANE doe"]), len(names.words(["Doe^Jane"]).split())
            (True, 2)
        """
        found = {word for text in texts for word in re.findall(r"[^\W_]{2,}", alike(text).casefold())}
        return " ".join(sorted(self._name("word", word) for word in found))

    def item(self, relative: str, item: str) -> str:
        """Return the pseudonym of one thing in a file, after the colon of its path."""
        return "/" + self._name("item", relative, item)

    def path(self, relative: str) -> str:
        """Hash a relative path folder by folder: what lay in one folder still does, and the suffix stays.

        Example:
            >>> one, two = (Pseudonyms(b"k").path(f"doe^jane/{n}.MP4") for n in (1, 2))
            >>> one.split("/")[0] == two.split("/")[0], one[-4:], "jane" in one
            (True, '.mp4', False)
        """
        parts = relative.split("/")
        hashed = [self._name("path", "/".join(parts[: depth + 1])) for depth in range(len(parts))]
        return "/".join(hashed) + suffix(relative)


@dataclass(frozen=True)
class Paths:
    """How a run keeps and tells the paths of its sources: plain, or hashed.

    Attributes:
        names: The pseudonyms that hash them; None where paths are plain.

    Example:
        >>> Paths(None).told("a/doe.mp4", 1_234_567), Paths(Pseudonyms(b"k")).told("a/doe.mp4", 1_234_567)
        ('a/doe.mp4', '3580cbc9deaad7a5.mp4 (1.2 MB)')
    """

    names: Pseudonyms | None

    @property
    def hidden(self) -> bool:
        """Whether they are hashed."""
        return self.names is not None

    def stored(self, relative: str, item: str = "") -> str:
        """Return a relative path as the store keeps it, and one of several items of that file after a colon."""
        if not self.names:
            return f"{relative}:{text_of(item)}" if item else relative
        return f"{self.names.path(relative)}:{self.names.item(relative, item)}" if item else self.names.path(relative)

    def told(self, relative: str, size: int) -> str:
        """Return a source as a message tells it: its path, or the last hash, the suffix and the size."""
        return shown(self.stored(relative), size) if self.names else relative


def shown(stored: str, size: int) -> str:
    """Return a hashed path as a message tells it: short, and found in the path map by its hash."""
    return f"{stored.rsplit('/', 1)[-1]} ({_size(size)})"


def suffix(relative: str) -> str:
    """Return a path's suffix in lower case where it is one of media; "" where it may be part of a name."""
    found = suffix_of(relative)
    return found if found in SUFFIXES else ""


def _size(count: int) -> str:
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count} bytes"


def load_key(salt: str | None, *, create: bool = True) -> bytes:
    """Find the key of the pseudonyms: the file given, else ``USFM_SALT``, else the user's own key file.

    Args:
        salt: Path of a key file (``--salt``), or None.
        create: Make the user's key file (mode 0600) if there is none, with one warning; False looks only.

    Raises:
        RequestError: If a key file cannot be read or written, or is empty or too short.
    """
    if salt is not None:
        return _read(Path(salt), "give --salt a file that can be read")
    given = os.environ.get("USFM_SALT", "")
    if given:
        return _long_enough(given.encode("utf-8", "surrogateescape"), "USFM_SALT", "set a longer one")
    path = key_file()
    if path.exists() or not create:
        return _read(path, "mend it, or give --salt FILE") if path.exists() else b"not made yet"
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:  # another run was quicker
        return _read(path, "mend it, or give --salt FILE")
    except OSError as error:
        raise RequestError(
            f"{path}: cannot make the key file for pseudonyms ({error.strerror}); give --salt FILE or set USFM_SALT."
        ) from None
    with os.fdopen(handle, "w") as file:
        file.write(secrets.token_hex(32) + "\n")
        file.flush()
        os.fsync(file.fileno())
    console.warn(
        f"made {path}, the key of the pseudonyms of patients, exams and paths; keep it private, and keep it: "
        "only the same key gives the same pseudonyms."
    )
    return _read(path, "mend it, or give --salt FILE")


def _read(path: Path, remedy: str) -> bytes:
    try:
        with open(path, "rb", opener=_opened) as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode) or status.st_size > LARGEST_KEY:
                raise RequestError(f"{path}: no file that can be a key of pseudonyms; {remedy}.")
            key = file.read().strip()
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise RequestError(f"{path}: cannot read the key of the pseudonyms ({why}); {remedy}.") from None
    return _long_enough(key, str(path), remedy)


def _opened(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))  # a pipe without a writer would hang


def _long_enough(key: bytes, where: str, remedy: str) -> bytes:
    if not key:
        raise RequestError(f"{where}: the key of the pseudonyms is empty; {remedy}.")
    if len(key) < SHORTEST_KEY:
        raise RequestError(
            f"{where}: the key of the pseudonyms has {len(key)} bytes, and {SHORTEST_KEY} are the least; {remedy}."
        )
    return key
