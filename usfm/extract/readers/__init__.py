"""FAMILY: readers of source formats, chosen by a file's first bytes and never by its name."""

from usfm.extract.readers.contract import Reader
from usfm.extract.readers.dicom.reader import DicomReader
from usfm.extract.readers.image import ImageReader
from usfm.extract.readers.unread import Unread
from usfm.extract.readers.video import VideoReader
from usfm.extract.readers.volume import hdf5, matlab, metaimage, nifti, npy, nrrd
from usfm.extract.readers.volume.reader import VolumeReader


def _table(*readers: Reader) -> dict[str, Reader]:
    return {reader.kind: reader for reader in readers}


READERS: dict[str, Reader] = _table(
    DicomReader(),  # first: before its mark may stand anything, even the beginning of a TIFF
    VolumeReader(  # before videos: the first bytes of a header in big endian are those of an MPEG stream
        "nifti", frozenset((".nii", ".nii.gz")), nifti.recognises, nifti.read
    ),
    VolumeReader("metaimage", frozenset((".mha", ".mhd")), metaimage.recognises, metaimage.read),
    VolumeReader("nrrd", frozenset((".nrrd", ".nhdr")), nrrd.recognises, nrrd.read),
    VolumeReader("npy", frozenset(), npy.recognises, npy.read, npy.items),
    VolumeReader("matlab", frozenset(), matlab.recognises, matlab.read, matlab.items),
    VolumeReader("hdf5", frozenset(), hdf5.recognises, hdf5.read),
    ImageReader(),
    VideoReader(),
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

GIVEN = frozenset(("npy", "matlab", "hdf5"))
"""Formats that hold anything: such a file is a source only where it was given itself, and passed over in a folder."""

SUFFIXES = frozenset().union(*(reader.suffixes for reader in READERS.values()))
"""A file with such a suffix claims to be media: if its bytes are not, that is reported and not passed over."""


def recognised(head: bytes, suffix: str) -> Reader | None:
    """Return the reader of a file by its first bytes, None where it is of no known format.

    Args:
        head: Its first ``HEAD_BYTES`` bytes.
        suffix: Of its name, in lower case.

    Returns:
        The reader, or None.
    """
    return next((reader for reader in READERS.values() if reader.recognises(head, suffix)), None)
