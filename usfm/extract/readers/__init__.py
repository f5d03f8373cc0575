"""FAMILY: readers of source formats, chosen by a file's first bytes and never by its name."""

from usfm.extract.readers.contract import Reader
from usfm.extract.readers.image import ImageReader
from usfm.extract.readers.unread import Unread
from usfm.extract.readers.video import VideoReader


def _table(*readers: Reader) -> dict[str, Reader]:
    return {reader.kind: reader for reader in readers}


READERS: dict[str, Reader] = _table(
    Unread(  # first: before the mark may stand anything, even the beginning of a TIFF
        "dicom",
        "DICOM",
        frozenset((".dcm", ".dicom", ".ima")),
        lambda head, suffix: head[128:132] == b"DICM",
    ),
    ImageReader(),
    VideoReader(),
    Unread("nifti", "NIfTI", frozenset((".nii", ".nii.gz")), lambda head, suffix: bool(head) and suffix[:4] == ".nii"),
    Unread(
        "metaimage",
        "MetaImage",
        frozenset((".mha", ".mhd")),
        lambda head, suffix: suffix in (".mha", ".mhd") and b"=" in head[:200],
    ),
    Unread("nrrd", "NRRD", frozenset((".nrrd", ".nhdr")), lambda head, suffix: head.startswith(b"NRRD")),
    Unread(
        "tga",
        "TGA",
        frozenset((".tga",)),
        lambda head, suffix: suffix == ".tga" and len(head) > 18 and head[1] < 2,
    ),
    Unread(
        "jxl",
        "JPEG XL",
        frozenset((".jxl",)),
        lambda head, suffix: head.startswith((b"\0\0\0\x0cJXL ", b"\xff\x0a")) and suffix == ".jxl",
    ),
)
"""One row a format; of those that recognise a file, the first one reads it."""

SUFFIXES = frozenset().union(*(reader.suffixes for reader in READERS.values()))
"""A file with such a suffix claims to be media: if its bytes are not, that is reported and not passed over."""


def recognised(head: bytes, suffix: str) -> Reader | None:
    """Return the reader of a file by its first bytes, None where it is of no known format."""
    return next((reader for reader in READERS.values() if reader.recognises(head, suffix)), None)
