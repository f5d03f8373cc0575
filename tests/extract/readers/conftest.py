"""DICOM files made on the spot: any transfer syntax with any photometric interpretation, and headers that lie."""

import io
import struct
from fractions import Fraction

import numpy as np
import pytest

from usfm.extract.media import Media
from usfm.extract.readers.contract import Notes, Options
from usfm.extract.readers.dicom.reader import DicomReader
from usfm.extract.sampling import Sampling

ROWS, COLUMNS = 48, 64
IMPLICIT, EXPLICIT, BIG = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"
DEFLATED, RLE = "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.5"
DEFLATED_FRAMES = "1.2.840.10008.1.2.8.1"
BASELINE, EXTENDED = "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51"


def scene(number=0, *, color=False, bits=8):
    """A smooth fan on black that differs from frame to frame; with a spot of colour if asked."""
    rows, columns = np.mgrid[:ROWS, :COLUMNS]
    away = np.hypot(rows, columns - COLUMNS / 2)
    gray = np.clip(140 + 90 * np.sin(away / 5 + number) - rows, 8, 250) * (np.abs(columns - COLUMNS / 2) < rows)
    if not color:
        return (gray * ((2**bits - 1) / 255)).astype(np.uint8 if bits <= 8 else np.uint16)
    rgb = np.repeat(gray[..., None], 3, 2)
    rgb[24:40, 26:38] = np.array([200.0, 40.0 + 5 * number, 30.0])
    return rgb.astype(np.uint8)


def ybr_of(rgb):
    from PIL import Image

    return np.array(Image.fromarray(rgb).convert("YCbCr"))


def data_set(rows=ROWS, columns=COLUMNS, **tags):
    """An ultrasound header; tags given by keyword go over the usual ones, None takes one away."""
    from pydicom.dataset import Dataset

    usual = {
        "SOPClassUID": "1.2.840.10008.5.1.4.1.1.3.1", "SOPInstanceUID": "1.2.3.4", "Modality": "US",
        "PatientID": "MRN-77", "PatientName": "Doe^Jane", "StudyInstanceUID": "1.2.3", "Manufacturer": "Maker",
        "Rows": rows, "Columns": columns, "SamplesPerPixel": 1, "PhotometricInterpretation": "MONOCHROME2",
        "BitsAllocated": 8, "BitsStored": 8, "HighBit": 7, "PixelRepresentation": 0,
    }  # fmt: skip
    data = Dataset()
    for keyword, value in (usual | tags).items():
        if value is not None:
            setattr(data, keyword, value)
    return data


def save(path, data, syntax, pixels, *, fragments=None, table=True, preamble=True, meta=True, words=False):
    """Write a data set with native pixels (bytes) or frames of fragments (lists of bytes)."""
    from pydicom.dataset import FileMetaDataset
    from pydicom.filewriter import dcmwrite

    data.file_meta = FileMetaDataset()
    data.file_meta.MediaStorageSOPClassUID = data.get("SOPClassUID", "1.2.840.10008.5.1.4.1.1.3.1")
    data.file_meta.MediaStorageSOPInstanceUID = "1.2.3.4"
    patched = syntax == DEFLATED_FRAMES  # which pydicom does not write: another one of the same length is replaced
    data.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.4.90" if patched else syntax
    if fragments is not None:
        data.PixelData = encapsulated(fragments, table)
        data["PixelData"].is_undefined_length = True
        data["PixelData"].VR = "OB"
    elif pixels is not None:
        data.PixelData = pixels + b"\0" * (len(pixels) % 2)
        data["PixelData"].VR = "OW" if words or data.get("BitsAllocated", 8) > 8 else "OB"
    dcmwrite(path, data, enforce_file_format=True)
    raw = path.read_bytes()
    if patched:
        raw = raw.replace(b"1.2.840.10008.1.2.4.90", DEFLATED_FRAMES.encode() + b"\0")
        path.write_bytes(raw)
    if not meta:
        length = struct.unpack("<I", raw[140:144])[0]
        path.write_bytes(raw[144 + length :])
    elif not preamble:
        path.write_bytes(raw[132:])
    return path


def encapsulated(frames, table=True):
    """Frames, each a list of fragments, as items; with the offset table filled in or empty."""
    body, starts = b"", []
    for frame in frames:
        starts.append(len(body))
        for fragment in frame:
            fragment = fragment + b"\0" * (len(fragment) % 2)
            body += b"\xfe\xff\x00\xe0" + struct.pack("<I", len(fragment)) + fragment
    offsets = struct.pack(f"<{len(starts)}I", *starts) if table else b""
    return b"\xfe\xff\x00\xe0" + struct.pack("<I", len(offsets)) + offsets + body


def jpeg(pixels, *, keep_rgb=False, markers=True, ids=None, quality=95, subsampling=0):
    """A baseline JPEG: converted to YBR or kept as RGB, with or without the markers that say which."""
    from PIL import Image

    stream = io.BytesIO()
    options = {} if pixels.ndim == 2 else {"subsampling": subsampling, "keep_rgb": keep_rgb}
    Image.fromarray(pixels).save(stream, "JPEG", quality=quality, **options)
    data = stream.getvalue()
    out, place = data[:2], 2
    while True:
        code, length = data[place + 1], int.from_bytes(data[place + 2 : place + 4], "big")
        part = bytearray(data[place : place + 2 + length])
        if ids is not None and code == 0xC0:
            part[10::3][: len(ids)] = ids
            for number, name in enumerate(ids):
                part[10 + 3 * number] = name
        if ids is not None and code == 0xDA:
            for number, name in enumerate(ids):
                part[5 + 2 * number] = name
        if markers or not 0xE0 <= code <= 0xEF:
            out += bytes(part)
        place += 2 + length
        if code == 0xDA:
            return out + data[place:]


def jpeg_of_12_bits(blocks, *colours):
    """A lossy JPEG of 12 bits made of flat blocks of 8x8 pixels: (rows, columns) of their values.

    `colours` are the two differences of colour, each with as many blocks or with half of them along an axis.
    """
    planes = (blocks, *colours)
    down, along = (blocks.shape[axis] // planes[-1].shape[axis] for axis in (0, 1))
    steps = [(down, along), (1, 1), (1, 1)]
    before, bits = [2048] * len(planes), ""
    for row, column in np.ndindex(planes[-1].shape):
        for number, (plane, (high, wide)) in enumerate(zip(planes, steps[: len(planes)], strict=True)):
            for value in plane[row * high : (row + 1) * high, column * wide : (column + 1) * wide].ravel():
                step = int(value) - before[number]
                before[number] += step
                size = abs(step * 8).bit_length()  # the first coefficient of a block is eight times its mean
                code = step * 8 if step > 0 else step * 8 + (1 << size) - 1
                bits += f"{size:05b}" + (f"{code:0{size}b}" if size else "") + "0"
    bits += "1" * (-len(bits) % 8)
    data = bytes(int(bits[at : at + 8], 2) for at in range(0, len(bits), 8)).replace(b"\xff", b"\xff\0")
    each = [bytes([number + 1, 16 * wide + high, 0]) for number, (high, wide) in enumerate(steps[: len(planes)])]
    frame = struct.pack(">BHHB", 12, 8 * blocks.shape[0], 8 * blocks.shape[1], len(planes)) + b"".join(each)
    scan = bytes([len(planes)]) + b"".join(bytes([number + 1, 0]) for number in range(len(planes))) + b"\0\x3f\0"

    def segment(code, body):
        return b"\xff" + bytes([code]) + struct.pack(">H", len(body) + 2) + body

    first = b"\0" + bytes([0] * 4 + [16] + [0] * 11) + bytes(range(16))  # all codes of five bits
    rest = b"\x10" + bytes([1] + [0] * 15) + b"\0"  # one code: the block ends here
    return (
        b"\xff\xd8" + segment(0xDB, b"\0" + b"\1" * 64) + segment(0xC1, frame) + segment(0xC4, first)
        + segment(0xC4, rest) + segment(0xDA, scan) + data + b"\xff\xd9"
    )  # fmt: skip


def jpeg_2000(pixels, *, transform=True, bits=8, signed=False):
    from openjpeg.utils import encode_array

    kind = 1 if pixels.ndim == 3 else 2
    return bytes(
        encode_array(pixels, bits_stored=bits, photometric_interpretation=kind, use_mct=transform and pixels.ndim == 3)
    )


def by_gdcm(folder, pixels, syntax, bits, colour="RGB"):
    """One frame compressed by GDCM: lossless JPEG."""
    import gdcm
    import pydicom
    from pydicom.encaps import generate_frames

    color = pixels.ndim == 3
    data = data_set(*pixels.shape[:2], BitsAllocated=8 * pixels.itemsize, BitsStored=bits, HighBit=bits - 1,
                    SamplesPerPixel=3 if color else 1, PlanarConfiguration=0 if color else None,
                    PhotometricInterpretation=colour if color else "MONOCHROME2")  # fmt: skip
    save(folder / "plain.dcm", data, EXPLICIT, pixels.tobytes())
    reader = gdcm.ImageReader()
    reader.SetFileName(str(folder / "plain.dcm"))
    assert reader.Read()
    change = gdcm.ImageChangeTransferSyntax()
    change.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.GetTSType(syntax)))
    change.SetForce(True)
    change.SetInput(reader.GetImage())
    assert change.Change()
    writer = gdcm.ImageWriter()
    writer.SetFile(reader.GetFile())
    writer.SetImage(change.GetOutput())
    writer.SetFileName(str(folder / "packed.dcm"))
    assert writer.Write()
    packed = pydicom.dcmread(folder / "packed.dcm").PixelData
    return next(generate_frames(packed, number_of_frames=1))


def video(frames, codec, container, fps=25):
    """A stream of video as bytes."""
    import av

    stream_file = io.BytesIO()
    with av.open(stream_file, "w", format=container) as out:
        stream = out.add_stream(codec, rate=Fraction(fps))
        stream.width, stream.height, stream.pix_fmt = frames[0].shape[1], frames[0].shape[0], "yuv420p"
        stream.bit_rate = 2_000_000
        for frame in frames:
            for packet in stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")):
                out.mux(packet)
        for packet in stream.encode():
            out.mux(packet)
    return stream_file.getvalue()


class Bench:
    """What the tests of this folder make files with."""

    scene, ybr_of, data_set, save = map(staticmethod, (scene, ybr_of, data_set, save))
    encapsulated, jpeg, jpeg_2000, video = map(staticmethod, (encapsulated, jpeg, jpeg_2000, video))
    by_gdcm, jpeg_of_12_bits = staticmethod(by_gdcm), staticmethod(jpeg_of_12_bits)

    @staticmethod
    def read(path, sampling=Sampling(None), within=None, **options):
        """Read a file whole: its frames, and what was noted."""
        notes = Notes()
        return list(DicomReader().read(Media(str(path)), sampling, notes, within, Options(**options))), notes

    @staticmethod
    def probe(path, stamps_above=1 << 30):
        return DicomReader().probe(Media(str(path)), stamps_above=stamps_above)


@pytest.fixture
def bench():
    return Bench
