"""Frames and label masks as files: PNG, FFV1 clips, NIfTI volumes; every pixel is kept."""

import gzip
import struct
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np


def write_png(path: Path, pixels: np.ndarray) -> None:
    """Write gray (H, W) or RGB (H, W, 3) uint8.

    Args:
        path: of the file; its folder is made.
        pixels: uint8, (H, W) gray or (H, W, 3) RGB.
    """
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, compress_level=3)


def write_clip(path: Path, frames: Iterator[np.ndarray], shape: tuple[int, ...], fps: float) -> None:
    """Write frames of one size as FFV1 in Matroska, which keeps every value.

    Args:
        path: ``.mkv``.
        frames: uint8, all of ``shape``.
        shape: (H, W) or (H, W, 3).
        fps: Frames per second.
    """
    import av

    path.parent.mkdir(parents=True, exist_ok=True)
    rate = Fraction(fps).limit_denominator(1000) if 0.01 <= fps <= 1000 else Fraction(25)
    kind = "gray" if len(shape) == 2 else "bgr0"
    with av.open(str(path), "w", format="matroska", container_options={"fflags": "+bitexact"}) as container:
        stream = container.add_stream("ffv1", rate=rate)
        stream.height, stream.width, stream.pix_fmt = shape[0], shape[1], kind
        for number, pixels in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(
                np.ascontiguousarray(pixels), format="gray" if kind == "gray" else "rgb24"
            )
            frame = frame if kind == "gray" else frame.reformat(format=kind)
            frame.pts, frame.time_base = number, 1 / rate
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def write_volume(path: Path, frames: Iterator[np.ndarray], shape: tuple[int, int], count: int,
                 spacing_mm: Sequence[float]) -> None:  # fmt: skip
    """Write gray frames of one size as planes of a NIfTI-1 volume of uint8.

    Args:
        path: ``.nii.gz``.
        frames: uint8 (H, W), ``count`` of them.
        shape: (H, W).
        count: How many.
        spacing_mm: (between rows, between columns). The header says 1 where it is unknown, which it cannot say, and
            where the two differ, since readers would resample the pixels then.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    square = spacing_mm[0] == spacing_mm[1] and spacing_mm[0] > 0
    row_mm, col_mm = (float(one) if square else 1.0 for one in spacing_mm)
    with open(path, "wb") as raw, gzip.GzipFile("", "wb", compresslevel=3, fileobj=raw, mtime=0) as file:
        file.write(_header((shape[1], shape[0], count), (col_mm, row_mm, 1.0)))
        for pixels in frames:
            file.write(np.ascontiguousarray(pixels).tobytes())


def _header(sizes: tuple[int, int, int], steps_mm: tuple[float, float, float]) -> bytes:
    """Return the 352 bytes before the values; y runs down, so that a viewer shows the picture upright."""
    head = bytearray(352)
    struct.pack_into("<i", head, 0, 348)
    struct.pack_into("<8h", head, 40, 3, *sizes, 1, 1, 1, 1)
    struct.pack_into("<2h", head, 70, 2, 8)  # uint8, bits of an element
    struct.pack_into("<8f", head, 76, 1.0, *steps_mm, 0.0, 0.0, 0.0, 0.0)
    struct.pack_into("<f", head, 108, 352.0)
    struct.pack_into("<2f", head, 112, 1.0, 0.0)
    head[123] = 2  # mm
    struct.pack_into("<h", head, 254, 1)  # the affine of the rows below counts
    for at, row in ((280, (-steps_mm[0], 0, 0, 0)), (296, (0, -steps_mm[1], 0, 0)), (312, (0, 0, steps_mm[2], 0))):
        struct.pack_into("<4f", head, at, *row)
    head[344:348] = b"n+1\0"
    return bytes(head)
