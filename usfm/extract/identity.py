"""Who a source belongs to, without saying who: keyed pseudonyms for patients, exams and paths."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from usfm.extract.names import alike, text_of
from usfm.extract.readers import SUFFIXES
from usfm.extract.sources import suffix_of
from usfm.pseudonyms import LENGTH, key_file, keyed, load_key, patient_of

__all__ = ["LENGTH", "Paths", "Pseudonyms", "key_file", "load_key", "shown", "suffix"]


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
        return keyed(self.key, *parts)

    @property
    def key_id(self) -> str:
        """What tells this key from another without telling the key."""
        return self._name("key")

    def secret(self, value: str) -> str:
        """Return a digest of a setting that may hold names, as the history keeps it."""
        return f"key:{self._name('setting', value)}"

    def patient(self, value: str) -> str:
        """Return the pseudonym of a patient, "" for none; names that look the same are the same."""
        return patient_of(self.key, value)

    def exam(self, patient: str, value: str) -> str:
        """Return the pseudonym of an exam; exams are often numbered anew for each patient, so both count.

        Args:
            patient: As the source names the patient.
            value: As the source names the exam.

        Returns:
            The pseudonym, "" for no exam.
        """
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
        """Return the pseudonym of one thing in a file, after the colon of its path.

        Args:
            relative: Path of the file.
            item: What the file calls the thing.

        Returns:
            A slash and the pseudonym.
        """
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
        """Return a relative path as the store keeps it, and one of several items of that file after a colon.

        Args:
            relative: Path below SRC.
            item: One of several things in the file, "" for none.

        Returns:
            Plain, or hashed where paths are hidden.
        """
        if not self.names:
            return f"{relative}:{text_of(item)}" if item else relative
        return f"{self.names.path(relative)}:{self.names.item(relative, item)}" if item else self.names.path(relative)

    def told(self, relative: str, size: int) -> str:
        """Return a source as a message tells it: its path, or the last hash, the suffix and the size.

        Args:
            relative: Path below SRC.
            size: Of the file, in bytes.

        Returns:
            A few words.
        """
        return shown(self.stored(relative), size) if self.names else relative


def shown(stored: str, size: int) -> str:
    """Return a hashed path as a message tells it: short, and found in the path map by its hash.

    Args:
        stored: Hashed path, as the store keeps it.
        size: Of the file, in bytes.

    Returns:
        A few words.
    """
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
