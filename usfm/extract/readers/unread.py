"""Formats that we know and do not read: their files are rejected under the format's name."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from usfm.errors import MediaError
from usfm.extract.media import Media
from usfm.extract.readers.contract import NO_OPTIONS, Frame, Notes, Options, Probe, Range
from usfm.extract.sampling import Sampling


@dataclass(frozen=True)
class Unread:
    """Known and not read yet: a row of ``READERS`` that rejects its files under the name of the format.

    Attributes:
        kind: Its row of ``READERS``.
        name: What people call the format.
        suffixes: As every reader has them.
        known_by: (first bytes, suffix) -> whether a file is of this format.
    """

    kind: str
    name: str
    suffixes: frozenset[str]
    known_by: Callable[[bytes, str], bool]
    identifies: ClassVar[bool] = False

    @property
    def error(self) -> MediaError:
        """Why its files are rejected."""
        return MediaError(f"no reader for {self.name} yet", "convert it to a video or images.")

    def recognises(self, head: bytes, suffix: str = "") -> bool:
        """See `Reader`."""
        return self.known_by(head, suffix)

    def companions(self, media: Media) -> Sequence[Media]:
        """Return nothing: what belongs to a file that is not read is passed over by itself."""
        return ()

    def probe(self, media: Media, *, stamps_above: int, options: Options = NO_OPTIONS) -> Probe:
        """See `Reader`: refuse."""
        raise self.error

    def read(
        self, media: Media, sampling: Sampling, notes: Notes, within: Range | None = None, options: Options = NO_OPTIONS
    ) -> Iterator[Frame]:
        """See `Reader`: refuse."""
        raise self.error
