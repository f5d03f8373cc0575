"""Media made on the spot: videos whose frames say their own number, stills of every kind."""

from fractions import Fraction

import numpy as np
import pytest

SIDE = 64


def numbered(number: int, side: int = SIDE) -> np.ndarray:
    """A gray RGB frame that carries its number as eight bright or dark blocks, robust to lossy codecs."""
    frame = np.full((side, side, 3), 30, np.uint8)
    block = side // 8
    for bit in range(10):
        row, col = divmod(bit, 5)
        if number >> bit & 1:
            frame[row * block + 2 : (row + 1) * block, col * block + 2 : (col + 1) * block] = 220
    frame[side // 2 :, : (number * 3) % side] = 120
    return frame


def number_of(pixels: np.ndarray) -> int:
    """The number that ``numbered`` wrote."""
    gray = pixels if pixels.ndim == 2 else pixels[:, :, 1]
    block = gray.shape[0] // 8
    middle = block // 2 + 1
    bits = [gray[(b // 5) * block + middle, (b % 5) * block + middle] > 125 for b in range(10)]
    return sum(int(bit) << place for place, bit in enumerate(bits))


@pytest.fixture
def make_video(tmp_path):
    """Write a video: ``make_video("a.mp4", frames=50, fps=25, codec="mpeg4", times=None, color=False)``."""
    import av

    def write(
        name, *, frames=50, fps=25, codec="mpeg4", times=None, tick=None, color=None, side=SIDE, b_frames=0, gop=None
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with av.open(str(path), "w") as container:
            stream = container.add_stream(codec, rate=Fraction(fps))
            stream.width = stream.height = side
            stream.pix_fmt = "yuv420p"
            stream.bit_rate = 4_000_000
            stream.codec_context.max_b_frames = b_frames
            if gop is not None:
                stream.codec_context.gop_size = gop
            if times is not None:
                tick = tick or Fraction(1, 1000)
                stream.codec_context.time_base = tick
            for number in range(frames):
                pixels = numbered(number, side)
                if color is not None:
                    pixels[side - 16 :, side - 16 :] = color
                frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
                if times is not None:
                    frame.pts, frame.time_base = round(Fraction(times[number]) / tick), tick
                for packet in stream.encode(frame):
                    container.mux(packet)
            for packet in stream.encode():
                container.mux(packet)
        return path

    return write


@pytest.fixture
def read_number():
    """Read a frame's number back."""
    return number_of


@pytest.fixture
def make_still(tmp_path):
    """Write a still with Pillow: ``make_still("a.png", array, **options)``."""
    from PIL import Image

    def write(name, pixels, **options):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.asarray(pixels)).save(path, **options)
        return path

    return write
