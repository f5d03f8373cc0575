"""Files: write frames as video or picture, the same bytes for the same frames."""

from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np


def write_video(path: Path, frames: list[np.ndarray], fps: float, *, codec: str = "libx264", quality: int = 18) -> None:
    """Write a clip.

    Args:
        path: where; the suffix says the container.
        frames: uint8 gray (H, W) or RGB (H, W, 3), sides even.
        fps: frames per second.
        codec: name of an ffmpeg encoder.
        quality: constant rate factor (smaller is better).
    """
    rate = Fraction(fps).limit_denominator(1000)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        stream.codec_context.thread_count = 1
        stream.options = {"crf": str(quality), "preset": "veryfast"}
        for frame in frames:
            picture = av.VideoFrame.from_ndarray(frame, format="gray" if frame.ndim == 2 else "rgb24")
            for packet in stream.encode(picture):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)


def write_picture(path: Path, frame: np.ndarray) -> None:
    """Write one uint8 frame, gray (H, W) or RGB (H, W, 3); the suffix says the format.

    Raises:
        OSError: when it cannot be written.
    """
    fine, data = cv2.imencode(path.suffix, frame if frame.ndim == 2 else frame[..., ::-1])
    if not fine:
        raise OSError(f"cannot encode {path.name}")
    path.write_bytes(data.tobytes())
