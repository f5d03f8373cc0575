"""One frame's bytes to samples, by the codec that the bytes themselves name; every decoder has a permissive licence."""

import io
import re
import zlib
from dataclasses import dataclass

import numpy as np

from usfm.errors import MediaError
from usfm.extract.readers.dicom.codestream import Codestream, look, predictor
from usfm.extract.readers.dicom.colour import FULL, PARTIAL, RGB, SPACES, smoothed, widened_420, widened_422
from usfm.extract.readers.dicom.layout import DEFLATED_FRAMES, RLE, PixelLayout

LOSSLESS_JPEG = "1.2.840.10008.1.2.4.57"


@dataclass(frozen=True)
class Samples:
    """A decoded frame.

    Attributes:
        values: (H, W) or (H, W, 3), whole numbers.
        space: rgb, ybr or ybr-partial; "" for one sample a pixel.
        certain: Whether the bytes themselves name the colour space, so that no header and no pixel is asked.
        bits: That count in a sample.
        signed: Whether samples have a sign.
    """

    values: np.ndarray
    space: str
    certain: bool
    bits: int
    signed: bool


def decoded(data: bytes, layout: PixelLayout, syntax: str, big: bool) -> Samples:
    """Decode one frame.

    Args:
        data: Its bytes.
        layout: What the header says about it.
        syntax: UID of the transfer syntax.
        big: Whether native samples are big endian.

    Returns:
        The samples.

    Raises:
        MediaError: If it cannot be decoded, or is of another size than the header says.
    """
    if not layout.encapsulated:
        return native(data, layout, big)
    if syntax == RLE:
        return _run_length(data, layout)
    if syntax == DEFLATED_FRAMES:
        inflate = zlib.decompressobj(-zlib.MAX_WBITS)
        return native(inflate.decompress(data, layout.frame_bytes), layout, False)
    stream = look(data)
    if stream is None:
        raise MediaError("not decodable", "it is compressed in no way that we know.")
    if (stream.rows, stream.columns, stream.components) != (layout.rows, layout.columns, layout.samples):
        raise MediaError("another size", "the compressed frame has another size or number of samples than the header.")
    try:
        return _by_codec(data[stream.at :], stream, layout)
    except (MediaError, MemoryError, ImportError):
        raise
    except Exception:  # libraries raise whatever a broken frame makes them trip over
        raise MediaError("not decodable", "the compressed frame cannot be decoded to its end.") from None


def native(data: bytes, layout: PixelLayout, big: bool) -> Samples:
    """Bring the bytes of a frame that is not compressed to samples.

    Args:
        data: The frame's bytes.
        layout: What the header says about it.
        big: Whether samples of more than eight bits are big endian.

    Returns:
        The samples.

    Raises:
        MediaError: If it is cut short, or its colours are not known.
    """
    if len(data) < layout.frame_bytes:
        raise MediaError("truncated", "the frame is cut short.")
    kind = np.dtype(f"{'>' if big and layout.allocated > 8 else '<'}u{layout.allocated // 8}")
    flat = np.frombuffer(data, kind, layout.frame_bytes // kind.itemsize)
    rows, columns = layout.rows, layout.columns
    if layout.colour in ("YBR_FULL_422", "YBR_PARTIAL_422"):
        if columns % 2:
            raise MediaError("unknown colours", "its colours are stored for pairs of columns, and there is an odd one.")
        values = widened_422(flat, rows, columns)
    elif layout.colour == "YBR_PARTIAL_420":
        values = widened_420(flat, rows, columns)
    elif layout.samples == 1:
        values = flat.reshape(rows, columns)
    elif layout.planar:
        values = np.moveaxis(flat.reshape(layout.samples, rows, columns), 0, 2)
    else:
        values = flat.reshape(rows, columns, layout.samples)
    space = SPACES.get(layout.colour, "")
    return Samples(_counted(values, layout), space, False, layout.stored, layout.signed)


def _counted(values: np.ndarray, layout: PixelLayout) -> np.ndarray:
    """Keep the bits of a sample that count, with their sign; what lies in the others is an overlay or rubbish."""
    width = layout.allocated
    values = values.astype(values.dtype.newbyteorder("="), copy=False)
    if layout.stored == width and not layout.signed:
        return values
    above, below = width - 1 - layout.high, width - layout.stored
    signed = np.dtype(f"i{width // 8}") if layout.signed else values.dtype
    return (values << above).view(signed) >> below


def _run_length(data: bytes, layout: PixelLayout) -> Samples:
    """Decode PackBits, one segment for each byte of each sample, the highest byte first (DICOM PS3.5, G)."""
    from PIL import Image

    bytes_each = layout.allocated // 8
    count = layout.samples * bytes_each
    if len(data) < 64 or int.from_bytes(data[:4], "little") != count:
        raise MediaError("not decodable", "its run-length segments are not as many as its samples need.")
    starts = [int.from_bytes(data[4 + 4 * one : 8 + 4 * one], "little") for one in range(count)]
    planes = np.empty((layout.samples, layout.pixels, bytes_each), np.uint8)
    for number, start in enumerate(starts):
        end = starts[number + 1] if number + 1 < count else len(data)
        try:  # as one long row, since some writers let a run pass the end of a row
            row = Image.frombytes("L", (layout.pixels, 1), data[start:end] + b"\x80", "packbits", "L")
        except (ValueError, OSError):
            raise MediaError("not decodable", "a run-length segment ends too early.") from None
        if count == 1:
            values = np.asarray(row).reshape(layout.rows, layout.columns)
            return Samples(_counted(values, layout), "", False, layout.stored, layout.signed)
        planes[number // bytes_each, :, bytes_each - 1 - number % bytes_each] = np.asarray(row)[0]
    values = planes.view(f"<u{bytes_each}").reshape(layout.samples, layout.rows, layout.columns)
    values = values[0] if layout.samples == 1 else np.moveaxis(values, 0, 2)
    space = SPACES.get(layout.colour, "")
    return Samples(_counted(values, layout), space, False, layout.stored, layout.signed)


def _by_codec(data: bytes, stream: Codestream, layout: PixelLayout) -> Samples:
    claimed = SPACES.get(layout.colour, "")
    if stream.components == 1:
        space, certain = "", True
    else:
        certain = bool(stream.colour) and stream.family != "jpeg-lossless"  # whose writers set any marker
        space = stream.colour if certain else FULL if claimed == PARTIAL else claimed
    if stream.family == "jpeg" and stream.bits == 8:
        return _baseline(data, stream, space, certain)
    if stream.family == "jpeg":
        values, signed = _twelve_bits(data, stream), layout.signed
    elif stream.family == "jpeg-lossless":
        values, signed = _lossless(data, stream), layout.signed
    elif stream.family == "jpeg-ls":
        values, signed = _jpeg_ls(data, stream), layout.signed
    else:
        import openjpeg

        values, signed = openjpeg.decode(io.BytesIO(data), 0), stream.signed
    if signed != (values.dtype.kind == "i"):
        values = _with_sign(values, stream.bits)
    return Samples(values, space, certain, stream.bits, signed)


def _with_sign(values: np.ndarray, bits: int) -> np.ndarray:
    """Read whole numbers without a sign as ones of so many bits with it."""
    if values.dtype.kind == "i":
        return values
    spare = 8 * values.dtype.itemsize - bits
    return (values << spare).view(f"i{values.dtype.itemsize}") >> spare


def _baseline(data: bytes, stream: Codestream, space: str, certain: bool) -> Samples:
    """Decode a JPEG of 8 bits, in which libjpeg converts the colours itself where it takes them for YBR."""
    from PIL import Image, ImageFile

    ImageFile.LOAD_TRUNCATED_IMAGES = False
    with Image.open(io.BytesIO(data), formats=("JPEG",)) as image:
        certain_ybr = certain and space == FULL
        if stream.components == 3 and stream.guess == FULL and not certain_ybr:
            image.draft("YCbCr", image.size)  # the samples as they are; what they are is settled later
        image.load()
        values = np.asarray(image)
    if stream.components == 3 and stream.guess == FULL and certain_ybr:
        space = RGB
    return Samples(values, space, certain, 8, False)


def _twelve_bits(data: bytes, stream: Codestream) -> np.ndarray:
    """Decode a lossy JPEG of 12 bits, which FFmpeg gives as the upper bits of 16, each sample in a plane of its own."""
    import av

    context = av.CodecContext.create("mjpeg", "r")
    context.thread_count = 1
    frames = context.decode(av.Packet(data)) if stream.bits == 12 else []
    name = frames[0].format.name if frames else ""
    if name == {1: "gray16le", 3: "gbrp16le"}.get(stream.components):
        return np.right_shift(frames[0].to_ndarray(), 4)
    if stream.components != 3 or not re.fullmatch(r"yuv4\d\dp16le", name):
        raise MediaError("no decoder", f"nothing here decodes lossy JPEG of {stream.bits} bits with these colours.")
    planes = [
        np.frombuffer(memoryview(one), "<u2").reshape(-1, one.line_size // 2)[: one.height, : one.width] >> 4
        for one in frames[0].planes
    ]
    return np.stack([planes[0], *(smoothed(plane, *planes[0].shape) for plane in planes[1:])], -1)


def _lossless(data: bytes, stream: Codestream) -> np.ndarray:
    """Decode a JPEG without loss: FFmpeg knows damage where GDCM may take its process along, but not every kind."""
    import av

    predicts = predictor(data)
    if not predicts:
        raise MediaError("not decodable", "the markers of the compressed frame are damaged.")
    if stream.bits != 8 or predicts != 1 or stream.components not in (1, 3):
        return _gdcm(data, stream)
    context = av.CodecContext.create("mjpeg", "r")
    context.thread_count, context.options = 1, {"err_detect": "explode"}
    frames = context.decode(av.Packet(data))
    if not frames or frames[0].format.name not in ("gray", "bgr24"):
        return _gdcm(data, stream)
    values = frames[0].to_ndarray()
    return values if values.ndim == 2 else values[..., ::-1]


def _jpeg_ls(data: bytes, stream: Codestream) -> np.ndarray:
    import jpeg_ls

    raw, told = jpeg_ls.decode_buffer(data + b"\xff\xd9")  # CharLS runs on for ever where the end mark is missing
    kind = np.uint8 if stream.bits <= 8 else np.dtype("<u2")
    values = np.frombuffer(raw, kind)
    if stream.components == 1:
        return values.reshape(stream.rows, stream.columns)
    if told.get("interleave_mode") == 0:  # plane after plane
        return np.moveaxis(values.reshape(stream.components, stream.rows, stream.columns), 0, 2)
    return values.reshape(stream.rows, stream.columns, stream.components)


def _gdcm(data: bytes, stream: Codestream) -> np.ndarray:
    """Decode JPEG without loss; the colours come as they lie in the codestream."""
    import gdcm

    gdcm.Trace.DebugOff()
    gdcm.Trace.WarningOff()
    gdcm.Trace.ErrorOff()
    allocated = 8 if stream.bits <= 8 else 16
    fragment, fragments = gdcm.Fragment(), gdcm.SequenceOfFragments.New()
    fragment.SetByteStringValue(data + b"\0" * (len(data) % 2))
    fragments.AddFragment(fragment)
    element = gdcm.DataElement(gdcm.Tag(0x7FE0, 0x0010))
    element.SetValue(fragments.__ref__())
    image = gdcm.Image()
    image.SetNumberOfDimensions(2)
    image.SetDimensions((stream.columns, stream.rows, 1))
    image.SetDataElement(element)
    name = "RGB" if stream.components == 3 else "MONOCHROME2"
    image.SetPhotometricInterpretation(gdcm.PhotometricInterpretation(gdcm.PhotometricInterpretation.GetPIType(name)))
    if stream.components == 3:
        image.SetPlanarConfiguration(0)
    image.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.GetTSType(LOSSLESS_JPEG)))
    image.SetPixelFormat(gdcm.PixelFormat(stream.components, allocated, stream.bits, stream.bits - 1, 0))
    buffer = image.GetBuffer().encode("utf-8", "surrogateescape")
    values = np.frombuffer(buffer, np.uint8 if allocated == 8 else "<u2")
    shape = (stream.rows, stream.columns) if stream.components == 1 else (stream.rows, stream.columns, 3)
    return values.reshape(shape)
