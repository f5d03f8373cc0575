"""Keyed one-way names of patients, and the key that makes them: to know one from another, and not who it is."""

import hashlib
import hmac
import os
import secrets
import stat
import unicodedata
from pathlib import Path

from usfm import console
from usfm.errors import RequestError
from usfm.given import key_file, without_waiting

SHORTEST_KEY = 8  # bytes; shorter ones are guessed in no time
LARGEST_KEY = 1 << 20
LENGTH = 16  # hex digits: 64 bits, so that a million patients collide with a chance of 3e-8


def alike(text: str) -> str:
    """Return a name in the one form in which names that look the same are the same (Unicode NFC).

    Example:
        >>> alike("Mu\u0308ller") == "Müller"
        True
    """
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def keyed(key: bytes, *parts: str) -> str:
    """Return a one-way name of some texts (HMAC-SHA256): the same for the same key, unreadable without it.

    Args:
        key: Of the pseudonyms.
        parts: What the name is of, after the kind of thing that it is.

    Returns:
        `LENGTH` hex digits.
    """
    text = "\0".join(parts).encode("utf-8", "surrogateescape")
    return hmac.new(key, text, hashlib.sha256).hexdigest()[:LENGTH]


def patient_of(key: bytes, value: str) -> str:
    """Return the pseudonym of a patient, "" for none; names that look the same are the same.

    Args:
        key: Of the pseudonyms.
        value: The id that the media or a manifest have.

    Returns:
        `LENGTH` hex digits, or "".

    Example:
        >>> patient_of(b"a key", "Jane Doe") == patient_of(b"a key", " Jane Doe "), patient_of(b"a key", " ")
        (True, '')
    """
    value = alike(value.strip())
    return keyed(key, "patient", value) if value else ""


def load_key(salt: str | None, *, create: bool = True) -> bytes:
    """Find the key of the pseudonyms: the file given, else ``USFM_SALT``, else the user's own key file.

    Args:
        salt: Path of a key file (``--salt``), or None.
        create: Make the user's key file (mode 0600) if there is none, with one warning; False looks only.

    Returns:
        The key.

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
        with open(path, "rb", opener=without_waiting) as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode) or status.st_size > LARGEST_KEY:
                raise RequestError(f"{path}: no file that can be a key of pseudonyms; {remedy}.")
            key = file.read().strip()
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise RequestError(f"{path}: cannot read the key of the pseudonyms ({why}); {remedy}.") from None
    return _long_enough(key, str(path), remedy)


def _long_enough(key: bytes, where: str, remedy: str) -> bytes:
    if not key:
        raise RequestError(f"{where}: the key of the pseudonyms is empty; {remedy}.")
    if len(key) < SHORTEST_KEY:
        raise RequestError(
            f"{where}: the key of the pseudonyms has {len(key)} bytes, and {SHORTEST_KEY} are the least; {remedy}."
        )
    return key
