import math

import numpy as np
import pytest

from usfm.simulate.probe import Probe
from usfm.simulate.speckle import Beamformer, scatter

CONVEX = Probe("convex", 50, 0.55, 150, 3.5, 18, 80, n_axial=300, n_lateral=140)
LINEAR = Probe("linear", 0, 19, 40, 9, 9, 18, n_axial=300, n_lateral=140)


def _signals(probe, count):
    beams = Beamformer(probe)
    for seed in range(count):
        points = scatter(probe, np.random.default_rng(seed))
        yield beams.signal(points.x_mm, points.z_mm, points.amplitude)


@pytest.mark.parametrize("probe", [CONVEX, LINEAR], ids=lambda probe: probe.shape)
def test_fully_developed_speckle_is_rayleigh(probe):
    envelope = np.concatenate([np.abs(s[20:-20, 8:-8]).ravel() for s in _signals(probe, 6)])
    assert abs(envelope.mean() / envelope.std() - math.sqrt(math.pi / (4 - math.pi))) < 0.05
    power = (envelope**2).mean()
    assert abs(power - 1) < 0.25  # focusing and depth move no brightness
    levels = np.linspace(0.2, 2.5, 12)
    rayleigh = 1 - np.exp(-(levels**2) / power)
    seen = np.searchsorted(np.sort(envelope), levels) / envelope.size
    assert np.abs(seen - rayleigh).max() < 0.02


def test_speckle_moves_with_the_tissue():
    points = scatter(LINEAR, np.random.default_rng(0))
    beams = Beamformer(LINEAR)
    shift = 5 * LINEAR.axial_step_mm
    still = np.abs(beams.signal(points.x_mm, points.z_mm, points.amplitude))
    moved = np.abs(beams.signal(points.x_mm, points.z_mm + np.float32(shift), points.amplitude))
    assert np.corrcoef(still[20:-25].ravel(), moved[25:-20].ravel())[0, 1] > 0.9
    assert np.corrcoef(still[20:-25].ravel(), moved[20:-25].ravel())[0, 1] < 0.3


@pytest.mark.parametrize("share", [0.25, 0.5, 0.8])
def test_point_target_is_as_wide_as_the_probe_says(share):
    beams = Beamformer(LINEAR)
    depth = share * LINEAR.depth_mm
    signal = np.abs(beams.signal(np.float32([0.0]), np.float32([depth]), np.complex64([1])))
    line = signal[np.argmax(signal.max(axis=1))]
    width = _full_width(line) * LINEAR.lateral_step
    assert width == pytest.approx(float(LINEAR.beam_width_mm(depth)), rel=0.15, abs=LINEAR.lateral_step)
    assert abs(np.argmax(signal.max(axis=1)) * LINEAR.axial_step_mm - depth) <= LINEAR.axial_step_mm


def _full_width(line):
    half, peak = line.max() / 2, int(line.argmax())
    left = peak - np.argmax(line[peak::-1] < half)
    right = peak + np.argmax(line[peak:] < half)
    left += (half - line[left]) / (line[left + 1] - line[left])
    right -= (half - line[right]) / (line[right - 1] - line[right])
    return right - left
