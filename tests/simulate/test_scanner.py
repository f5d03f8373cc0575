import math

import numpy as np
import pytest

from usfm.simulate import organs
from usfm.simulate.canvas import Body, Canvas
from usfm.simulate.motion import Beat, Breath, Motion, Pleura, Slide, displace
from usfm.simulate.probe import Probe
from usfm.simulate.scanner import Settings, compress, shots
from usfm.simulate.scenes import SCENES, build
from usfm.simulate.view import fit_view

PROBE = Probe("linear", 0, 19, 40, 9, 12, 20, n_axial=160, n_lateral=120)
VIEW = fit_view(PROBE, 160, 160, (0, 0, 1, 1))
STILL = Motion(())


def _plain(loss=0.5, echo=0.0):
    body = Canvas(PROBE, np.random.default_rng(0)).body()
    body.echo_db[:] = echo
    body.loss[:] = loss
    return body


def _frame(body, motion=STILL, settings=Settings(noise_db=-200), times=(0.0,), seed=0):
    return list(shots(body, motion, VIEW, settings, np.array(times), np.random.default_rng(seed)))


def test_compression_is_logarithmic():
    settings = Settings(range_db=60, level=0.5)
    gray = compress(np.float32([10**-0.5, 1, 10**0.5]), settings)
    assert gray == pytest.approx([127.5 - 255 / 6, 127.5, 127.5 + 255 / 6], abs=1e-2)


def test_bone_casts_a_shadow_and_fluid_enhances():
    body = _plain()
    half = body.loss.shape[0] // 2
    cols = body.loss.shape[1]
    body.loss[half - 20 : half, : cols // 2] = 20
    body.loss[half - 20 : half, cols // 2 :] = 0
    frame = _frame(body)[0].frame.astype(float)
    rows, cols = np.nonzero(VIEW.mask())
    deep, mid = rows > rows.min() + 0.8 * np.ptp(rows), 0.5 * (cols.min() + cols.max())
    left = frame[rows[deep & (cols < mid - 10)], cols[deep & (cols < mid - 10)]]
    right = frame[rows[deep & (cols > mid + 10)], cols[deep & (cols > mid + 10)]]
    plain = _frame(_plain())[0].frame.astype(float)
    level = plain[rows[deep], cols[deep]].mean()
    assert left.mean() < 0.2 * level
    assert right.mean() > 1.05 * level


def test_noise_grows_with_depth_and_tissue_does_not():
    silent, tissue = _plain(echo=-90.0), _plain()
    settings = Settings(noise_db=-40)
    rows = np.flatnonzero(VIEW.mask().any(axis=1))
    near, far = rows[5:25], rows[-25:-5]
    dark = _frame(silent, settings=settings)[0].frame
    lit = _frame(tissue)[0].frame
    assert dark[far].mean() > dark[near].mean() + 20
    assert abs(float(lit[far].mean()) - float(lit[near].mean())) < 12


def test_looks_smooth_speckle():
    region = VIEW.mask()
    spread = [
        _frame(_plain(), settings=Settings(noise_db=-200, looks=looks))[0].frame[region].std() for looks in (1, 2, 3)
    ]
    assert spread[0] > 1.15 * spread[1] > 1.15 * spread[2]


def test_speckle_follows_the_tissue_and_a_frozen_picture_stays():
    motion = Motion((Slide(4.0, 0.0, 0.0),), freeze_s=1.0)
    seen = _frame(_plain(), motion, times=(0.0, 0.5, 2.0, 3.0))
    shift = round(2.0 * VIEW.scale_px_mm)
    inner = VIEW.mask()[:, shift:]
    one, two = seen[0].frame[:, : -shift or None][inner], np.roll(seen[1].frame, -1, axis=0)[:, shift:][inner]
    assert np.corrcoef(one, two)[0, 1] > np.corrcoef(seen[0].frame[VIEW.mask()], seen[1].frame[VIEW.mask()])[0, 1] + 0.3
    assert seen[1].moved_px == pytest.approx(2.0 * VIEW.scale_px_mm, rel=0.05)
    assert (seen[2].frame == seen[3].frame).all()
    assert seen[3].moved_px == 0


def test_tilt_fades_speckle_of_still_tissue():
    motion = Motion((), tilt_rad_s=math.pi / 2)
    seen = _frame(_plain(), motion, times=(0.0, 0.1, 1.0))
    region = VIEW.mask()
    close, far = (np.corrcoef(seen[0].frame[region], seen[at].frame[region])[0, 1] for at in (1, 2))
    assert close > 0.9
    assert far < 0.3


@pytest.mark.parametrize("scene", SCENES)
@pytest.mark.parametrize("kind", organs.CLASSES)
def test_every_scene_shows_its_lesion(scene, kind):
    shape = {"heart": "phased", "head": "convex"}.get(scene, "linear")
    probe = (
        PROBE
        if shape == "linear"
        else Probe(shape, 3 if shape == "phased" else 50, 0.6, 140, 3, 18, 70, n_axial=120, n_lateral=90)
    )
    body = build(scene, kind, probe, np.random.default_rng(3))
    assert isinstance(body, Body)
    assert (body.lesion > 0).mean() > 0.001
    assert np.isfinite(body.echo_db).all()
    assert (body.loss >= -0.5).all()


def test_classes_have_the_same_histogram_of_scattering():
    levels = {}
    for kind in organs.CLASSES:
        fields = [organs.texture(Canvas(PROBE, np.random.default_rng(seed)), kind) for seed in range(8)]
        levels[kind] = np.percentile(np.stack(fields), [5, 25, 50, 75, 95])
    assert np.abs(levels["fibrillar"] - levels["lobular"]).max() < 1.0


def test_modes_of_motion():
    x, z = np.float32([0, 5, 0]), np.float32([10, 20, 30])
    beat = Beat(0, 20, 8, 8, 0, 0.2, 1.0, 0.0)
    across, down = displace([beat.field(x, z)], [beat.course(0.2)])
    assert (np.abs(across[[0, 2]]) < 1e-6).all()
    assert down[0] > 0 > down[2]
    assert beat.course(0.0) == beat.course(1.0) == 0
    pleura = Pleura(15, 2.0, 3.0, 0.25)
    across, _ = displace([pleura.field(x, z)], [pleura.course(0.0)])
    assert across.tolist() == [0, 2, 2]
    breath = Breath(3, 4.0, 0.0, 0.0, 40)
    assert breath.course(2.0) - breath.course(0.0) == pytest.approx(3)


def test_air_mirrors_the_chest_wall():
    body = _plain()
    rows = body.air.shape[0]
    first = round((0.25 * PROBE.depth_mm - body.z0_mm) / body.step_mm)
    line = slice(first - 2, first)
    body.echo_db[line] = 25
    body.echo_db[first:] = -90
    body.air[first:rows] = 255
    frame = _frame(body, settings=Settings(noise_db=-200, level=0.4))[0].frame.astype(float)
    top = np.flatnonzero(VIEW.mask().any(axis=1))[0]
    quarter = 0.25 * PROBE.depth_mm * VIEW.scale_px_mm
    for trip in (2, 3):
        at = round(top + trip * quarter)
        assert frame[at - 2 : at + 3].mean(axis=1).max() > 1.5 * frame[at + 8 : at + 14].mean()


def test_head_circumference_is_that_of_its_ellipse():
    probe = Probe("convex", 50, 0.6, 140, 3, 18, 70, n_axial=120, n_lateral=90)
    head = build("head", "lobular", probe, np.random.default_rng(1)).facts["head"]
    turn = np.linspace(0, 2 * np.pi, 20_001)
    x, z = head["long_mm"] * np.cos(turn), head["short_mm"] * np.sin(turn)
    assert head["circumference_mm"] == pytest.approx(np.hypot(np.diff(x), np.diff(z)).sum(), rel=1e-4)
