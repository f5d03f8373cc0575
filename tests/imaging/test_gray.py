import numpy as np
import pytest

from usfm.imaging.gray import chroma, is_gray, to_gray


def test_gray_is_bt601():
    rng = np.random.default_rng(0)
    frame = rng.integers(0, 256, (40, 50, 3), np.uint8)
    wanted = frame @ np.array([0.299, 0.587, 0.114])
    assert np.abs(to_gray(frame) - wanted).max() <= 1


def test_gray_frames_come_back_unchanged():
    frame = np.arange(12, dtype=np.uint8).reshape(3, 4)
    assert to_gray(frame) is frame
    assert (to_gray(frame[..., None]) == frame).all()
    assert (to_gray(np.repeat(frame[..., None], 3, 2)) == frame).all()


def test_only_frames_are_accepted():
    with pytest.raises(ValueError, match="frame"):
        to_gray(np.zeros((4, 4, 4), np.uint8))


def test_near_gray_is_gray_and_a_small_caliper_is_not():
    rng = np.random.default_rng(1)
    frame = np.repeat(rng.integers(0, 250, (100, 100, 1), np.uint8), 3, 2)
    frame[..., 0] += 5
    assert is_gray(frame)
    frame[10:13, 10:20] = (255, 200, 0)
    assert not is_gray(frame)
    assert chroma(frame)[11, 15] == 255
    assert is_gray(frame[..., 0])
