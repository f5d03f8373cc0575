import numpy as np
import pytest

from usfm.imaging.layout import layouts, thumbnail


def view(left, right, count, seed=0, shape=(200, 300)):
    random = np.random.default_rng(seed)
    frames = []
    for _ in range(count):
        frame = np.zeros(shape, np.uint8)
        frame[20:180, left:right] = random.integers(30, 160, (160, right - left))
        frames.append(frame)
    return frames


def sorted_into(frames):
    groups = layouts(np.stack([thumbnail(frame) for frame in frames]), [frame.shape for frame in frames])
    assert sorted(np.concatenate(groups).tolist()) == list(range(len(frames)))
    return [group.tolist() for group in groups]


def test_one_view_is_one_layout():
    assert sorted_into(view(50, 250, 9)) == [list(range(9))]


def test_a_view_that_comes_back_is_the_same_layout():
    frames = view(100, 200, 4) + view(20, 280, 4, 1) + view(100, 200, 4, 2)
    assert sorted_into(frames) == [[0, 1, 2, 3, 8, 9, 10, 11], [4, 5, 6, 7]]


def test_a_change_of_brightness_is_no_new_layout():
    frames = view(50, 250, 4) + [
        np.where(f > 0, np.minimum(f.astype(int) + 80, 255), 0).astype(np.uint8) for f in view(50, 250, 4, 1)
    ]
    assert sorted_into(frames) == [list(range(8))]


def test_frames_of_another_size_are_another_layout():
    frames = view(50, 250, 2) + view(50, 250, 2, shape=(200, 310))
    assert sorted_into(frames) == [[0, 1], [2, 3]]


def test_a_still_is_one_layout():
    assert sorted_into(view(50, 250, 1)) == [[0]]


def test_a_cut_film_is_not_torn_into_pieces():
    frames = [frame for k in range(12) for frame in view(22 * k, 22 * k + 20, 3, k)]
    assert len(sorted_into(frames)) == 1


@pytest.mark.parametrize("block", [1, 2, 7])
def test_it_does_not_matter_how_many_frames_are_looked_at_at_once(monkeypatch, block):
    frames = view(100, 200, 7) + view(20, 280, 5, 1) + view(100, 200, 6, 2)
    whole = sorted_into(frames)
    assert len(whole) == 2
    monkeypatch.setattr("usfm.imaging.layout._BLOCK", block)
    assert sorted_into(frames) == whole
