import numpy as np
import pytest

from usfm.imaging.overlay_moving import MOVING, SWEEP_S, beat_wave

REGION = np.zeros((160, 200), bool)
REGION[10:110, 30:170] = True
FRAME = np.where(REGION, 80, 0).astype(np.uint8)
FLOW = np.zeros_like(REGION)
FLOW[40:70, 80:120] = True


@pytest.mark.parametrize("name", MOVING)
@pytest.mark.parametrize("channels", [1, 3])
def test_only_ink_and_colour_change(name, channels):
    frame = FRAME if channels == 1 else np.repeat(FRAME[..., None], 3, axis=2)
    before = frame.copy()
    thing = MOVING[name](REGION, np.random.default_rng(0), 0.9)
    for time_s in (0.0, 0.2, 1.1):
        painted, ink = thing.over(frame, time_s, FLOW)
        colour = getattr(thing, "colour", np.zeros_like(ink))
        reference = frame if painted.ndim == frame.ndim else np.repeat(frame[..., None], 3, axis=2)
        changed = (painted != reference).reshape(*ink.shape, -1).any(axis=2)
        assert ink.any()
        assert not (changed & ~ink & ~colour).any()
    assert (frame == before).all()


@pytest.mark.parametrize("name", MOVING)
def test_it_moves(name):
    rng = np.random.default_rng(0)
    thing = MOVING[name](REGION, np.random.default_rng(0), 0.9)
    pictures = [
        thing.over(np.where(REGION, rng.integers(0, 255, REGION.shape), 0).astype(np.uint8), t, FLOW)[0]
        for t in (0, 0.4)
    ]
    assert (pictures[0] != pictures[1]).any()


def test_flow_is_coloured_where_blood_is():
    thing = MOVING["colour_box"](REGION, np.random.default_rng(0), 0.9)
    painted, _ = thing.over(FRAME, 0.2, FLOW)
    spread = painted.max(axis=2).astype(int) - painted.min(axis=2)
    inside = FLOW & thing.inside
    assert (spread[inside] > 40).mean() > 0.5
    assert thing.colour[~FLOW].mean() < 0.01


def test_ecg_repeats_with_the_heart():
    phase = np.linspace(0, 3, 301)
    assert beat_wave(phase[:100]) == pytest.approx(beat_wave(phase[100:200]))
    assert beat_wave(np.array([0.385])) > 0.9
    assert SWEEP_S > 0
