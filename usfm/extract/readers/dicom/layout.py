"""How the pixels of a DICOM object lie in its frames, as its header says; what makes no sense is refused here."""

from dataclasses import dataclass

from usfm.errors import MediaError
from usfm.extract.readers.dicom.headers import FLOATS_ONLY, UNDEFINED, Header

LARGEST_PX = 1 << 26  # rows times columns of a frame
RLE = "1.2.840.10008.1.2.5"
DEFLATED_FRAMES = "1.2.840.10008.1.2.8.1"
COLOURS = {
    "MONOCHROME1": 1,
    "MONOCHROME2": 1,
    "PALETTE COLOR": 1,
    "RGB": 3,
    "YBR_FULL": 3,
    "YBR_FULL_422": 3,
    "YBR_PARTIAL_422": 3,
    "YBR_PARTIAL_420": 3,
    "YBR_ICT": 3,
    "YBR_RCT": 3,
}
"""Photometric interpretations that are read, and how many samples a pixel has in each."""


@dataclass(frozen=True)
class PixelLayout:
    """How one frame lies in the pixel data.

    Attributes:
        rows: Height in pixels.
        columns: Width in pixels.
        samples: Of a pixel, 1 or 3.
        allocated: Bits of a sample in the file: 8, 16 or 32.
        stored: Bits of it that count.
        high: Number of the highest of them.
        signed: Whether samples have a sign.
        planar: Whether each frame is three planes one after the other.
        colour: Photometric interpretation.
        frames: As declared, 0 where the header does not say.
        encapsulated: Whether frames are compressed.
    """

    rows: int
    columns: int
    samples: int
    allocated: int
    stored: int
    high: int
    signed: bool
    planar: bool
    colour: str
    frames: int
    encapsulated: bool

    @property
    def pixels(self) -> int:
        """Pixels of a frame."""
        return self.rows * self.columns

    @property
    def frame_bytes(self) -> int:
        """Bytes of a frame that is not compressed."""
        halves = self.colour in ("YBR_FULL_422", "YBR_PARTIAL_422")
        samples = 2 * self.pixels if halves else self.samples * self.pixels
        samples = self.pixels * 3 // 2 if self.colour == "YBR_PARTIAL_420" else samples
        return samples * self.allocated // 8


def layout(header: Header) -> PixelLayout:
    """Read how the pixels lie.

    Raises:
        MediaError: If there are none, or the header makes no sense.
    """
    if header.at < 0:
        if header.length == FLOATS_ONLY:
            raise MediaError("unknown intensity scale", "its pixels are floating point, which no scanner shows.")
        raise MediaError("no picture", "it holds no pixel data.")
    rows, columns = int(header.number("Rows")), int(header.number("Columns"))
    if rows < 1 or columns < 1:
        raise MediaError("damaged", "its header does not say how large a frame is.")
    if rows * columns > LARGEST_PX:
        raise MediaError("too large", f"its frames are {columns}x{rows} pixels.")
    colour = header.text("PhotometricInterpretation").upper()
    samples = int(header.number("SamplesPerPixel", COLOURS.get(colour, 1)))
    colour = colour or ("MONOCHROME2" if samples == 1 else "RGB")
    if COLOURS.get(colour) != samples:
        raise MediaError("unknown colours", "its photometric interpretation is none that can be shown here.")
    allocated = int(header.number("BitsAllocated", 8))
    stored = int(header.number("BitsStored", allocated))
    high = int(header.number("HighBit", stored - 1))
    if allocated not in (8, 16, 32) or not 1 <= stored <= allocated or not stored - 1 <= high < allocated:
        raise MediaError("unknown intensity scale", "its samples do not have 8, 16 or 32 bits that make sense.")
    frames = max(int(header.number("NumberOfFrames")), 0)
    full = header.length >= 3 * rows * columns * max(frames, 1) * allocated // 8
    if colour == "YBR_FULL_422" and full and header.length != UNDEFINED:
        colour = "YBR_FULL"  # nothing was left out after all
    return PixelLayout(
        rows=rows,
        columns=columns,
        samples=samples,
        allocated=allocated,
        stored=stored,
        high=high,
        signed=header.number("PixelRepresentation") == 1,
        planar=header.number("PlanarConfiguration") == 1,
        colour=colour,
        frames=frames,
        encapsulated=header.length == UNDEFINED,
    )
