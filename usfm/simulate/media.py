"""Files: write frames as video or picture, the same bytes for the same frames."""

from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

_REPEATABLE = {"preset": "veryfast", "x264-params": "no-mbtree=1:cpu-independent=1"}
"""x264's macroblock tree reads memory that it has not written (its assembler, at the right edge): the same frames gave
up to 14 different files. Without it, and without choices by the processor's kind, they give one."""
_CODECS = {
    "h264": ("libx264", "yuv420p", _REPEATABLE),
    "vfr": ("libx264", "yuv420p", _REPEATABLE),
    "mpeg4": ("mpeg4", "yuv420p", {}),
    "mjpeg": ("mjpeg", "yuvj420p", {}),
}


def write_video(
    path: Path, frames: list[np.ndarray], times_s: np.ndarray, codec: str = "h264", *, crf: int = 20
) -> None:
    """Write a clip with one encoder thread, so that the same frames give the same bytes.

    Args:
        path: where; the suffix says the container.
        frames: uint8 gray (H, W) or RGB (H, W, 3), sides even.
        times_s: presentation time of each frame; evenly spaced unless `codec` is "vfr".
        codec: "h264", "vfr" (h264 with a variable frame rate), "mpeg4" or "mjpeg".
        crf: constant rate factor of h264; the others get a quantiser to match.
    """
    encoder, layout, options = _CODECS[codec]
    step_s = float(times_s[1] - times_s[0]) if len(times_s) > 1 else 0.1
    rate = Fraction(1 / step_s).limit_denominator(1000)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(encoder, rate=rate)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = layout
        stream.codec_context.thread_count = 1
        if encoder == "libx264":
            stream.options = {**options, "crf": str(crf)}
        else:
            stream.codec_context.qmin = stream.codec_context.qmax = 2 + max(0, crf - 18) // 2
            stream.codec_context.bit_rate = 8_000_000
        if codec == "vfr":
            stream.codec_context.time_base = stream.time_base = Fraction(1, 1000)
        for place, frame in enumerate(frames):
            picture = av.VideoFrame.from_ndarray(frame, format="gray" if frame.ndim == 2 else "rgb24")
            if codec == "vfr":
                picture.time_base, picture.pts = Fraction(1, 1000), round(float(times_s[place]) * 1000)
            for packet in stream.encode(picture):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)


def write_picture(path: Path, frame: np.ndarray) -> None:
    """Write one uint8 frame, gray (H, W) or RGB (H, W, 3); the suffix says the format (JPEG at quality 92).

    Args:
        path: of the file.
        frame: uint8, gray (H, W) or RGB (H, W, 3).

    Raises:
        OSError: when it cannot be written.
    """
    flags = [cv2.IMWRITE_JPEG_QUALITY, 92] if path.suffix == ".jpg" else [cv2.IMWRITE_PNG_COMPRESSION, 4]
    fine, data = cv2.imencode(path.suffix, frame if frame.ndim == 2 else frame[..., ::-1], flags)
    if not fine:
        raise OSError(f"cannot encode {path.name}")
    path.write_bytes(data.tobytes())


def broken(data: bytes, fault: str, rng: np.random.Generator) -> bytes:
    """Return what a broken file holds in place of its bytes; `fault` is one of `plan.FAULTS`.

    Args:
        data: bytes of the whole file.
        fault: one of `plan.FAULTS`.
        rng: of the garbage.

    Returns:
        Bytes.
    """
    return {
        "truncated": data[: int(0.55 * len(data))],
        "text": b"This is no picture.\n" * 20,
        "empty": b"",
        "garbage": rng.bytes(4096),
        "no_frames": data[:48],
    }[fault]
