"""A frame without colour is gray without the way over RGB, and the same to the bit."""

import av
import numpy as np
import pytest

from usfm.extract.media import Media
from usfm.extract.readers.contract import Notes, Options
from usfm.extract.readers.display import PLANAR, Display
from usfm.extract.readers.video import VideoReader
from usfm.extract.sampling import Sampling
from usfm.extract.take import shade


class Stream:
    """All that is asked of a stream."""

    sample_aspect_ratio = 1


def made(kind, width, height, *, full=False, space=2, colour=128, seed=0):
    """A frame of noise in a planar format, whose planes of colour have one value."""
    frame = av.VideoFrame(width, height, kind)
    frame.color_range, frame.colorspace = (2 if full else 1), space
    for number, plane in enumerate(frame.planes):
        values = np.full((plane.buffer_size // plane.line_size, plane.line_size), colour, np.uint8)
        if number == 0:
            values[:] = np.random.default_rng(seed).integers(0, 256, values.shape, np.uint8)
        plane.update(values.tobytes())
    return frame


@pytest.mark.parametrize("space", [1, 2, 5, 9])
@pytest.mark.parametrize("full", [True, False])
@pytest.mark.parametrize("kind", sorted(PLANAR))
def test_gray_from_the_brightness_alone_is_that_of_rgb_to_the_bit(kind, full, space):
    for width, height in ((64, 48), (318, 242), (8, 2)):
        frame = made(kind, width, height, full=full, space=space)
        plain, colours = Display(Stream, frame, gray=True).pixels(frame), Display(Stream, frame).pixels(frame)
        assert plain.shape == (height, width)
        assert colours.shape == (height, width, 3)
        np.testing.assert_array_equal(plain, shade(colours, None))


@pytest.mark.parametrize("size", [(64, 48), (318, 242), (640, 481), (33, 17)])
@pytest.mark.parametrize("full", [True, False])
@pytest.mark.parametrize("kind", [*sorted(PLANAR), "yuv444p", "yuvj444p", "yuv411p", "gray"])
def test_no_format_and_no_odd_size_mixes_neighbours(kind, full, size):
    frame = made(kind, *size, full=full)
    stored = np.frombuffer(frame.planes[0], np.uint8).reshape(-1, frame.planes[0].line_size)[: size[1], : size[0]]
    whole = full or "j" in kind or kind == "gray"
    meant = stored if whole else np.clip(np.rint((stored.astype(float) - 16) * 255 / 219), 0, 255)
    for gray in (True, False):
        shown = shade(Display(Stream, frame, gray=gray).pixels(frame), None)
        assert np.abs(shown.astype(int) - meant).max() <= 2


def test_one_pixel_of_colour_keeps_the_way_over_rgb():
    frame = made("yuv420p", 64, 48)
    values = np.full(frame.planes[1].buffer_size, 128, np.uint8)
    values[0] = 129
    frame.planes[1].update(values.tobytes())
    assert Display(Stream, frame, gray=True).pixels(frame).ndim == 3


@pytest.mark.parametrize("color", [None, True, False])
def test_what_is_asked_for_decides_the_channels(make_video, color):
    path = make_video("a.mp4", frames=3)
    frames = list(VideoReader().read(Media(str(path)), Sampling(None), Notes(), None, Options(color=color)))
    assert {shade(frame.pixels, color).ndim for frame in frames} == {3 if color else 2}
