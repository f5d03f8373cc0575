"""Clips in picture formats: every frame over black, at its time; a cut file keeps its whole frames."""

from fractions import Fraction

import numpy as np
import pytest
from PIL import Image, features

from usfm.errors import MediaError
from usfm.extract.media import Media
from usfm.extract.readers import READERS
from usfm.extract.readers.contract import HEAD_BYTES, Notes
from usfm.extract.readers.video import VideoReader
from usfm.extract.sampling import Sampling

READER = VideoReader()
EVERY = Sampling(None)
SHOWN_MS = [100, 200, 30, 400, 50, 500]
NAMES = ["a.gif", "a.webp", "a.png", *(["a.avif"] if features.check("avif") else [])]


def clip(path, *, clear=True, noise=0, **options):
    """Six frames with a bar that moves: over nothing, or over dark gray."""
    rng = np.random.default_rng(0)
    frames = []
    for number in range(6):
        pixels = np.zeros((48, 64, 4), np.uint8) if clear else np.full((48, 64, 4), (10, 10, 10, 255), np.uint8)
        pixels[10:30, number * 8 : number * 8 + 8] = (200, 200, 200, 255)
        if noise:
            pixels[34:] = rng.integers(0, 256, (14, 64, 1)).astype(np.uint8)
            pixels[34:, :, 3] = 255
        frames.append(Image.fromarray(pixels))
    extra = {"lossless": True} if path.suffix == ".webp" else {"quality": 95} if path.suffix == ".avif" else {}
    extra = {"disposal": 2} if path.suffix == ".gif" else extra
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=SHOWN_MS, **extra, **options)
    return path


def read(path, sampling=EVERY):
    notes = Notes()
    return list(READER.read(Media(str(path)), sampling, notes)), notes


def place(frame):
    return int((frame.pixels[20].reshape(64, -1)[:, 0] > 100).argmax()) // 8


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("clear", [True, False])
def test_a_clip_in_a_picture_format_is_a_clip_over_black(tmp_path, name, clear):
    path = clip(tmp_path / name, clear=clear)
    head = path.read_bytes()[:HEAD_BYTES]
    assert [kind for kind, reader in READERS.items() if reader.recognises(head)] == ["video"]
    frames, notes = read(path)
    assert [place(frame) for frame in frames] == [0, 1, 2, 3, 4, 5]
    assert np.allclose([frame.time_s for frame in frames], np.cumsum([0, *SHOWN_MS[:-1]]) / 1000, atol=1e-3)
    assert all(abs(int(frame.pixels[2, 2].max()) - (0 if clear else 10)) <= 3 for frame in frames)
    assert notes.frames == 6
    assert not notes.faults
    assert [frame.index for frame in read(path, Sampling(Fraction(3)))[0]] == [0, 3, 5]
    assert READER.probe(Media(str(path)), stamps_above=1 << 30).frames == 6
    assert len(READER.probe(Media(str(path)), stamps_above=0).stamps) == 6


@pytest.mark.parametrize("name", ["a.gif", "a.webp", "a.png"])
def test_a_cut_clip_keeps_its_whole_frames_and_says_when(tmp_path, name):
    whole = clip(tmp_path / name, noise=1)
    good, _ = read(whole)
    data = whole.read_bytes()
    counts = []
    for share in (0.15, 0.4, 0.6, 0.85, 0.97):
        whole.write_bytes(data[: int(len(data) * share) - 1])
        try:
            frames, notes = read(whole)
        except MediaError:
            frames, notes = [], None
        assert notes is None or [fault.reason for fault in notes.faults] == ["truncated"]
        assert all(np.array_equal(a.pixels, b.pixels) for a, b in zip(frames, good, strict=False))
        counts.append(len(frames))
    assert counts == sorted(counts)
    assert 0 < counts[1] < 5 <= counts[-1]


def test_a_picture_before_an_apng_is_no_frame_of_it_and_frames_without_time_last_a_tenth(tmp_path):
    frames, _ = read(clip(tmp_path / "a.png", default_image=True))
    assert [place(frame) for frame in frames] == [1, 2, 3, 4, 5]
    pages = [Image.fromarray(np.full((8, 8), level, np.uint8)) for level in (10, 90, 200)]
    pages[0].save(tmp_path / "b.gif", save_all=True, append_images=pages[1:], duration=0)
    assert np.allclose([frame.time_s for frame in read(tmp_path / "b.gif")[0]], [0, 0.1, 0.2])


def test_a_gif_of_one_frame_is_a_still(tmp_path):
    Image.new("P", (8, 8)).save(tmp_path / "a.gif")
    (frame,), _ = read(tmp_path / "a.gif")
    assert np.isnan(frame.time_s)
    assert frame.pixels.max() == 0
    assert np.isnan(READER.probe(Media(str(tmp_path / "a.gif")), stamps_above=1).fps)


def test_a_gif_without_its_last_byte_or_with_more_after_it_is_healthy(tmp_path):
    path = clip(tmp_path / "a.gif")
    data = path.read_bytes()
    for more in (data[:-1], data + b"more" * 9):
        path.write_bytes(more)
        frames, notes = read(path)
        assert len(frames) == 6
        assert not notes.faults
