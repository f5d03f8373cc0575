import numpy as np
import pytest

from usfm.imaging import fan
from usfm.imaging.fan import SectorGeometry
from usfm.imaging.frame_kind import frame_kind, view_kind
from usfm.imaging.kinds import KINDS, REASONS

SHAPE = (360, 480)
FAN = SectorGeometry("phased", 240, 10, 3, 190, -0.7, 0.7)
INSIDE = fan.mask(FAN, SHAPE)


def picture(seed=0):
    frame = np.zeros(SHAPE, np.uint8)
    frame[INSIDE] = np.clip(50 * np.random.default_rng(seed).rayleigh(1, INSIDE.sum()), 1, 255)
    return frame


def with_strip(rows):
    frame = picture()
    frame[230:350, 10:470] = rows
    return frame


def flow(tints):
    random = np.random.default_rng(1)
    frame = np.repeat(picture()[..., None], 3, 2)
    for k, tint in enumerate(tints):
        at = 205 + 70 * k // max(1, len(tints) - 1) if len(tints) > 1 else 240
        part = frame[80:150, at - 15 : at + 15]
        part[...] = (np.array(tint) * random.uniform(0.3, 1, (*part.shape[:2], 1))).astype(np.uint8)
    return frame


def page():
    frame = np.full(SHAPE, 250, np.uint8)
    for row in range(20, 340, 14):
        for column in range(20, 200 + row % 60, 6):
            frame[row : row + 6, column : column + 3] = 20
    return frame


random = np.random.default_rng(2)
LINES = np.repeat(random.integers(5, 200, (120, 1)), 460, 1)
SPECTRUM = random.integers(0, 160, (120, 460))
RAINBOW = [(255, 0, 0), (255, 200, 0), (0, 255, 0), (0, 200, 255), (0, 0, 255)]


@pytest.mark.parametrize(("kind", "frame"), [
    ("b-mode", picture()), ("blank", np.full(SHAPE, 9, np.uint8)), ("report", page()),
    ("m-mode", with_strip(LINES)), ("spectral", with_strip(SPECTRUM)),
    ("color-doppler", flow([(255, 60, 0), (0, 60, 255)])), ("power-doppler", flow([(255, 120, 20)])),
    ("elastography", flow(RAINBOW)),
])  # fmt: skip
def test_kinds(kind, frame):
    assert kind in KINDS
    assert REASONS.keys() == set(KINDS)
    assert frame_kind(frame, None if kind == "report" else INSIDE) == kind


@pytest.mark.parametrize("shape", [(1, 1), (64, 48), (7, 300, 3), (2000, 30)])
def test_any_frame_has_a_kind(shape):
    noise = np.random.default_rng(0).integers(0, 255, shape).astype(np.uint8)
    assert frame_kind(noise, None) in KINDS
    assert frame_kind(noise, np.zeros(shape[:2], bool)) in KINDS


def test_a_strip_below_a_divider_is_seen_though_the_region_is_a_guess():
    frame = with_strip(SPECTRUM)
    frame[228:230] = 140
    assert frame_kind(frame, None) == "spectral"
    trace = picture()
    trace[300 + (8 * np.sin(np.arange(480) / 9)).astype(int), np.arange(480)] = 200  # an ECG
    assert frame_kind(trace, None) == "b-mode"


def test_one_direction_of_flow_beside_a_bar_of_two_is_colour_doppler():
    frame = flow([(255, 120, 20)])
    assert frame_kind(frame, INSIDE) == "power-doppler"
    frame[60:100, 455:465], frame[100:140, 455:465] = (255, 90, 0), (0, 90, 255)
    assert frame_kind(frame, INSIDE) == "color-doppler"


def test_a_view_has_a_kind_of_its_own():
    frame = np.concatenate([flow([(255, 60, 0), (0, 60, 255)]), flow([])], 1)
    left, right = np.hstack([INSIDE, INSIDE & False]), np.hstack([INSIDE & False, INSIDE])
    assert frame_kind(frame, left | right) == "color-doppler"
    assert [view_kind(frame, "color-doppler", one) for one in (left, right)] == ["color-doppler", "b-mode"]
    assert view_kind(frame, "spectral", right) == "spectral"
