"""Who a source belongs to, without saying who: keyed pseudonyms for patients, exams and paths."""

import hashlib
import hmac
import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from usfm import console
from usfm.errors import RequestError

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

    def patient(self, value: str) -> str:
        """Return the pseudonym of a patient, "" for none."""
        value = value.strip()
        return self._name("patient", value) if value else ""

    def exam(self, patient: str, value: str) -> str:
        """Return the pseudonym of an exam; exams are often numbered anew for each patient, so both count."""
        value = value.strip()
        return self._name("exam", patient.strip(), value) if value else ""

    def path(self, relative: str) -> str:
        """Hash a relative path folder by folder: what lay in one folder still does, and the suffix stays.

        Example:
            >>> one, two = (Pseudonyms(b"k").path(f"doe^jane/{n}.MP4") for n in (1, 2))
            >>> one.split("/")[0] == two.split("/")[0], one[-4:], "jane" in one
            (True, '.mp4', False)
        """
        pure = PurePosixPath(relative)
        parts = [self._name("path", "/".join(pure.parts[: depth + 1])) for depth in range(len(pure.parts))]
        suffix = pure.suffix.lower()
        return "/".join(parts) + (suffix if suffix[1:].isalnum() and len(suffix) <= 6 else "")


def key_file() -> Path:
    """Return where the user's own key lives (``$XDG_CONFIG_HOME/usfm/salt.key``, else below ``~/.config``)."""
    folder = os.environ.get("XDG_CONFIG_HOME") or os.path.join(os.path.expanduser("~"), ".config")
    return Path(folder) / "usfm" / "salt.key"


def load_key(salt: str | None, *, create: bool = True) -> bytes:
    """Find the key of the pseudonyms: the file given, else ``USFM_SALT``, else the user's own key file.

    Args:
        salt: Path of a key file (``--salt``), or None.
        create: Make the user's key file (mode 0600) if there is none, with one warning; False looks only.

    Raises:
        RequestError: If a key file cannot be read or written, or is empty.
    """
    if salt is not None:
        return _read(Path(salt), "give --salt a file that can be read")
    given = os.environ.get("USFM_SALT", "")
    if given:
        return given.encode("utf-8", "surrogateescape")
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
        key = path.read_bytes().strip()
    except OSError as error:
        raise RequestError(f"{path}: cannot read the key of the pseudonyms ({error.strerror}); {remedy}.") from None
    if not key:
        raise RequestError(f"{path}: the key of the pseudonyms is empty; {remedy}.")
    return key
