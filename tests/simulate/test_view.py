import numpy as np
import pytest

from usfm.imaging import fan
from usfm.simulate.probe import Probe
from usfm.simulate.view import fit_view

PROBES = {
    "convex": Probe("convex", 50, 0.55, 150, 3.5, 18, 80),
    "phased": Probe("phased", 2, 0.75, 150, 2.5, 20, 80),
    "linear": Probe("linear", 0, 19, 40, 9, 9, 18),
    "trapezoid": Probe("trapezoid", 80, 0.24, 40, 9, 9, 18),
}
each_probe = pytest.mark.parametrize("probe", PROBES.values(), ids=PROBES)


@each_probe
def test_space_and_beams_are_inverse(probe):
    x_mm, z_mm = probe.grid_space()
    depth, lateral = probe.to_beam(x_mm, z_mm)
    inner = slice(2, None)
    assert np.abs(depth - np.linspace(0, probe.depth_mm, probe.n_axial)[:, None]).max() < 1e-2
    expected = np.linspace(-probe.half_width, probe.half_width, probe.n_lateral)
    assert np.abs((lateral - expected)[inner]).max() < 1e-2 * probe.half_width


@each_probe
@pytest.mark.parametrize("zoom", [1.0, 1.4])
def test_geometry_says_where_beams_lie_within_half_a_pixel(probe, zoom):
    view = fit_view(probe, 300, 400, (0.05, 0.1, 0.95, 0.9), zoom=zoom, aim=(0.4, 0.7))
    geometry = view.geometry()
    rng = np.random.default_rng(0)
    depth, across = rng.uniform(0.01, 1, 200), rng.uniform(-1, 1, 200)
    x_mm, z_mm = probe.to_space(depth * probe.depth_mm, across * probe.half_width)
    rows, cols = fan.points(geometry, depth, across)
    assert np.abs(cols - (view.origin_col_px + x_mm * view.scale_px_mm)).max() < 0.5
    assert np.abs(rows - (view.origin_row_px + z_mm * view.scale_px_mm)).max() < 0.5


@each_probe
def test_scan_conversion_puts_a_beam_image_where_the_geometry_says(probe):
    import cv2

    view = fit_view(probe, 300, 400, (0.05, 0.1, 0.95, 0.9))
    ramp = np.broadcast_to(
        np.linspace(0, 1, probe.n_axial, dtype=np.float32)[:, None], (probe.n_axial, probe.n_lateral)
    )
    shown = cv2.remap(np.ascontiguousarray(ramp), *view.maps(), cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    rows, cols = np.nonzero(view.mask())
    depth, _ = fan.depth_angle(view.geometry(), rows, cols)
    deep_px = probe.depth_mm * view.scale_px_mm
    assert np.abs(shown[rows, cols] - depth).max() * deep_px < 0.5


@each_probe
def test_view_fills_its_box_and_a_zoomed_one_is_cut_by_it(probe):
    box = (0.1, 0.2, 0.9, 0.95)
    rows, cols = np.nonzero(fit_view(probe, 300, 400, box).mask())
    assert rows.min() >= 58
    assert rows.max() <= 286
    assert cols.min() >= 38
    assert cols.max() <= 361
    assert np.ptp(rows) > 220 or np.ptp(cols) > 315
    wide = fit_view(probe, 300, 400, box, zoom=1.3).mask()
    assert not wide[:60].any()
    assert not wide[:, :40].any()
    assert wide[60:285, 40:360].mean() > fit_view(probe, 300, 400, box).mask()[60:285, 40:360].mean()


@each_probe
def test_beam_is_narrowest_near_the_focus_and_wider_far_away(probe):
    depth = np.linspace(0.2, 1, 60) * probe.depth_mm
    width = probe.beam_width_mm(depth)
    narrowest = depth[np.argmin(width / depth)]
    assert 0.3 * probe.focus_mm < narrowest < 1.7 * probe.focus_mm
    assert width[-1] > width.min()
