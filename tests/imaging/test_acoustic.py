"""Perturbations of a picture: identity, region, order of strengths, beams, mirror, and repeatability."""

import numpy as np
import pytest

from usfm.imaging import acoustic, fan
from usfm.imaging.acoustic import PERTURBATIONS

FAN = fan.SectorGeometry("convex", 99.5, -40, 60, 220, -0.5, 0.5)
BOX = fan.SectorGeometry("linear", 99.5, 10, 0, 180, -0.4, 0.4)
GEOMETRIES = {"convex": FAN, "linear": BOX, "none": None}
NAMES = sorted(PERTURBATIONS)


def picture(seed=0, colour=False):
    shape = (200, 200, 3) if colour else (200, 200)
    return np.random.default_rng(seed).integers(20, 200, shape, dtype=np.uint8)


def changed(name, image, where, strength, seed=1):
    return PERTURBATIONS[name].change(image, where, strength, np.random.default_rng(seed))


@pytest.mark.parametrize("colour", [False, True])
@pytest.mark.parametrize("geometry", GEOMETRIES.values(), ids=GEOMETRIES)
@pytest.mark.parametrize("name", NAMES)
def test_every_perturbation_keeps_its_promises(name, geometry, colour):
    image = picture(colour=colour)
    region = np.zeros((200, 200), bool)
    region[30:180, 40:170] = True
    where = acoustic.beams((200, 200), geometry, region)
    same = changed(name, image, where, 0.0)
    assert np.array_equal(same, image)
    assert same is not image
    original = image.copy()
    for strength in PERTURBATIONS[name].ladder:
        out = changed(name, image, where, strength)
        assert out.dtype == np.uint8
        assert out.shape == image.shape
        assert np.array_equal(out[~where.inside], image[~where.inside])
        assert (out[where.inside] != image[where.inside]).any()
        assert np.array_equal(out, changed(name, image, where, strength))  # the same draw, the same picture
    assert np.array_equal(image, original)


@pytest.mark.parametrize("name", NAMES)
def test_a_larger_strength_changes_more(name):
    image, where = picture(2), acoustic.beams((200, 200), FAN)
    moved = [
        np.abs(changed(name, image, where, s).astype(int) - image).mean() for s in (0, *PERTURBATIONS[name].ladder)
    ]
    assert moved == sorted(moved)
    assert len(set(moved)) == len(moved)


@pytest.mark.parametrize("name", ["depth", "gain", "blur"])
def test_what_is_not_random_is_mirrored_with_the_picture(name):
    image = picture(3)
    out = changed(name, image, acoustic.beams((200, 200), FAN), PERTURBATIONS[name].ladder[1])
    mirrored = changed(name, image[:, ::-1].copy(), acoustic.beams((200, 200), FAN.flipped(200)),
                       PERTURBATIONS[name].ladder[1])  # fmt: skip
    assert np.abs(mirrored[:, ::-1].astype(int) - out).max() <= 1


def test_attenuation_follows_the_arcs_of_a_fan():
    where = acoustic.beams((200, 200), FAN)
    out = changed("depth", np.full((200, 200), 200, np.uint8), where, 1.5).astype(float)
    assert np.allclose(out[where.inside], 200 * np.exp(-1.5 * where.depth[where.inside]), atol=0.51)
    # Two pixels of one row, in the middle and at the side, are not equally deep.
    assert where.depth[60, 100] != pytest.approx(float(where.depth[60, 60]), abs=0.01)
    assert PERTURBATIONS["depth"].ladder == pytest.approx([-np.log(left) for left in (0.472, 0.223, 0.1165)], abs=0.01)


def test_a_shadow_runs_down_its_beam():
    where = acoustic.beams((200, 200), FAN)
    lost = 200 - changed("shadow", np.full((200, 200), 200, np.uint8), where, 0.8).astype(float)
    polar = fan.to_polar(lost.astype(np.float32), FAN, 50, 41)[2:-2, 2:-2]
    beam = int(polar.mean(axis=0).argmax())
    assert polar[-1, beam] == pytest.approx(160, abs=4)
    assert polar[0, beam] == 0
    assert (np.diff(polar[:, beam]) > -4).all()  # it never ends before the bottom


def test_gain_in_decibels():
    where = acoustic.beams((4, 4))
    out = changed("gain", np.full((4, 4), 100, np.uint8), where, -12)
    assert (out == 100 - round(12 * 255 / 60)).all()
    assert (changed("gain", np.full((4, 4), 250, np.uint8), where, 12) == 255).all()


def test_speckle_has_the_stated_deviation_and_widens_with_depth():
    where = acoustic.beams((400, 400), FAN.moved(2, 0, 0))
    out = changed("speckle", np.full((400, 400), 100, np.uint8), where, 0.3) / 100
    values = out[where.inside]
    assert values.mean() == pytest.approx(1, abs=0.02)
    assert values.std() == pytest.approx(0.3, rel=0.2)

    def grain(rows):
        part = out[rows] - 1
        kept = where.inside[rows][:, 1:] & where.inside[rows][:, :-1]
        return np.corrcoef(part[:, 1:][kept], part[:, :-1][kept])[0, 1]

    assert grain(slice(300, 340)) > grain(slice(50, 90))


def test_blur_takes_nothing_from_the_border():
    region = np.zeros((100, 100), bool)
    region[20:80, 20:80] = True
    image = np.where(region, 120, 0).astype(np.uint8)
    assert np.array_equal(changed("blur", image, acoustic.beams((100, 100), None, region), 3), image)


def test_an_empty_region_changes_nothing():
    where = acoustic.beams((20, 20), None, np.zeros((20, 20), bool))
    for name in NAMES:
        assert np.array_equal(changed(name, picture()[:20, :20], where, PERTURBATIONS[name].ladder[-1]),
                              picture()[:20, :20])  # fmt: skip
