"""Writers of volumes, each variant from its format's description; and one way to read them."""

import zlib
from types import SimpleNamespace

import numpy as np
import pytest

from usfm.extract.media import Media
from usfm.extract.readers import recognised
from usfm.extract.readers.contract import HEAD_BYTES, NO_OPTIONS, Notes, Options
from usfm.extract.sampling import Sampling

MET = {"u1": "UCHAR", "i1": "CHAR", "u2": "USHORT", "i2": "SHORT", "i4": "INT", "u4": "UINT", "f4": "FLOAT"}
MET |= {"f8": "DOUBLE", "i8": "LONG_LONG"}


@pytest.fixture
def write_mha(tmp_path):
    """Write an array in C order, (..., z, y, x) or with colours last, as MetaImage."""

    def write(values, name="v.mha", *, packed=False, data="LOCAL", channels=1, text=False, **fields):
        sizes = values.shape[::-1][1:] if channels > 1 else values.shape[::-1]
        big = values.dtype.byteorder == ">"
        lines = {
            "ObjectType": "Image",
            "NDims": len(sizes),
            "BinaryData": not text,
            "BinaryDataByteOrderMSB": big,
            "CompressedData": packed,
            "DimSize": " ".join(str(size) for size in sizes),
            "ElementNumberOfChannels": channels,
            "ElementType": "MET_" + MET[values.dtype.str[1:]],
            **fields,
            "ElementDataFile": data,
        }
        head = "".join(f"{key} = {value}\n" for key, value in lines.items()).encode()
        body = " ".join(str(v) for v in values.ravel()).encode() if text else values.tobytes()
        body = zlib.compress(body) if packed else body
        path = tmp_path / name
        path.write_bytes(head + (body if data == "LOCAL" else b""))
        if data != "LOCAL":
            (tmp_path / data).write_bytes(body)
        return path

    return write


@pytest.fixture
def taken():
    """Read a file by the reader that its first bytes call for."""

    def take(path, sampling=Sampling(None), axis="", within=None, item=""):
        media = Media(str(path), item)
        reader = recognised(path.read_bytes()[:HEAD_BYTES], path.suffix)
        options = Options(axis) if axis else NO_OPTIONS
        notes = Notes()
        probe = reader.probe(media, stamps_above=1 << 40, options=options)
        frames = list(reader.read(media, sampling, notes, within, options))
        for frame in frames:
            assert frame.pixels is None or frame.pixels.shape[:2] == (probe.height, probe.width)
        return SimpleNamespace(
            frames=frames, notes=notes, probe=probe, kind=reader.kind, pixels=[frame.pixels for frame in frames]
        )

    return take


@pytest.fixture
def cube():
    """Different numbers everywhere, (z, y, x) = (4, 5, 6)."""
    return np.random.default_rng(3).integers(0, 256, (4, 5, 6), dtype=np.uint8)
