"""FAMILY: readers of source formats, chosen by a file's first bytes and never by its name."""

from usfm.extract.readers.contract import Reader
from usfm.extract.readers.image import ImageReader
from usfm.extract.readers.video import VideoReader

READERS: dict[str, Reader] = {
    "image": ImageReader(),
    "video": VideoReader(),
}
