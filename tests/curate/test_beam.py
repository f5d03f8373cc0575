"""`sector --beam`: every frame depth x angle, labels moved, the way back in the store, and a reason for what is not."""

import dataclasses

import numpy as np
import pytest

from tests.curate import test_split_views as screens
from usfm.config import Request
from usfm.curate.sector import laying
from usfm.curate.sector.config import Config
from usfm.curate.sector.run import run
from usfm.errors import RequestError
from usfm.imaging import beam, fan
from usfm.imaging.fan import SectorGeometry
from usfm.imaging.region import Region
from usfm.store.assemble import write_store
from usfm.store.reader import Store
from usfm.store.verify import verify
from usfm.store.writer import PartWriter

SHAPE = (150, 200)
SECTORS = {
    "phased": SectorGeometry("phased", 100, 0, 12, 140, -0.6, 0.6),
    "convex": SectorGeometry("convex", 100, -40, 50, 180, -0.4, 0.45),
    "linear": SectorGeometry("linear", 100, 5, 0, 130, -0.4, 0.4),
    "trapezoid": SectorGeometry("trapezoid", 100, -80, 90, 220, -0.35, 0.35),
}
GUESS = "guess"


def make(path) -> Store:
    """A store of one frame a shape, and one whose region is a guess; the lesion lies at depth 0.6, angle 0.2."""
    rng = np.random.default_rng(0)
    part = PartWriter(box_names=("spot",), mask_names=("lesion",))
    for number, (name, geometry) in enumerate([*SECTORS.items(), (GUESS, SECTORS["convex"])]):
        sha = f"{number:04x}" * 16
        mask = fan.mask(geometry, SHAPE)
        y, x = (int(v) for v in fan.points(geometry, np.array(0.6), np.array(0.2)))
        lesion = np.zeros(SHAPE, bool)
        lesion[y - 6 : y + 7, x - 8 : x + 9] = True
        pixels = np.where(mask, rng.integers(20, 90, SHAPE), 200).astype(np.uint8)  # bright outside: never in a beam
        pixels[lesion] = 180
        region = part.region(Region(mask, geometry.shape, geometry, 0.1 if name == GUESS else 0.9), f"{sha[:16]}#0")
        part.frame(pixels, frame_id=f"{sha[:16]}:0", source=part.source(path=name, sha256=sha, kind="image"), index=0,
                   time_s=0.0, region_row=region, mask={"lesion": lesion}, crop_row_px=7.0, crop_col_px=9.0, scale=0.5,
                   boxes=(np.array([[x - 8, y - 6, x + 9, y + 7]], np.float32), ["spot"]), row_spacing_mm=0.5,
                   col_spacing_mm=0.5)  # fmt: skip
    return Store.open(write_store(path, part))


@pytest.fixture(scope="module")
def laid(tmp_path_factory):
    folder = tmp_path_factory.mktemp("beam")
    source = make(folder / "raw.h5")
    request = Request((str(folder / "raw.h5"),), str(folder / "beam.h5"), workers=1)
    summary = run(Config(size=128, beam=True, report=str(folder / "report")), request)
    return source, Store.open(summary["out"]), summary, folder


def test_frames_are_depth_by_angle_and_guesses_have_a_reason(laid):
    _, out, summary, folder = laid
    assert [str(one) for one in out.of_frames("path")] == list(SECTORS)
    assert verify(out.paths[0]).problems == []
    assert (summary["frames_out"], summary["rejected"]) == (4, 1)
    assert out.rejected()["reason"].tolist() == ["no trusted geometry"]
    for row in range(len(out)):
        found = out.region(int(out.column("region_row")[row]))
        assert found.mask.all()
        assert found.geometry is not None
        assert found.geometry.shape == "linear"
        assert np.allclose(out.column("row_spacing_mm")[row], 0.5 * _depth(row) / 128)
        assert np.isfinite(out.column("col_spacing_mm")[row]) == (list(SECTORS)[row] == "linear")
        assert (out.frame(row)[8:, 4:-4] <= 181).all(), "nothing from outside the sector"
    assert (folder / "report" / "slicer.json").exists()


def _depth(row: int) -> float:
    geometry = list(SECTORS.values())[row]
    return geometry.radius_1_px - geometry.radius_0_px


def test_labels_lie_where_their_pixels_do_and_the_store_knows_the_way_back(laid):
    source, out, _, _ = laid
    for row in range(len(out)):
        pixels, mask = out.frame(row), out.label_mask(row) > 0
        assert abs(mask.nonzero()[0].mean() - 0.6 * 128) < 3
        assert abs(mask.nonzero()[1].mean() - 0.6 * 128) < 3
        assert pixels[mask].mean() > 160
        left, top, right, bottom = out.boxes(row)[0][0]
        rows, cols = mask.nonzero()
        assert left <= cols.min() + 1
        assert cols.max() <= right
        assert top <= rows.min() + 1
        assert rows.max() <= bottom
        move = beam.of(out.region(int(out.column("region_row")[row])))
        assert move is not None
        known = source.label_mask(row) > 0
        back = move.inverse_mask(mask)
        assert (back & known).sum() / (back | known).sum() > 0.85
        assert np.abs(move.inverse(pixels)[known & back].astype(float) - 180).mean() < 12
        for name, value in (("crop_row_px", 7), ("crop_col_px", 9), ("scale", 0.5)):
            assert out.column(name)[row] == value, "of the frame that was resampled"


def test_settings_that_make_no_sense_together_and_frames_laid_already(laid, tmp_path):
    source, out, _, _ = laid
    for asked, word in (
        (Config(size=128, beam=True, preset="polarmae"), "polarmae"),
        (Config(size=128, beam=True, fit_fan=False), "fit-fan"),
        (Config(size=128, beam=True, pad=3), "--pad"),
    ):
        with pytest.raises(RequestError, match=word):
            run(asked, Request((str(source.paths[0]),), str(tmp_path / "o.h5"), workers=1))
    with pytest.raises(RequestError, match="already"):
        run(Config(size=64), Request((str(out.paths[0]),), str(tmp_path / "o.h5"), workers=1))


def test_views_of_a_split_screen(tmp_path):
    raw = screens.make(tmp_path / "raw.h5", [2, 1])
    whole = run(Config(size=64, beam=True), Request((str(raw),), str(tmp_path / "w.h5"), workers=1))
    assert set(Store.open(whole["out"]).rejected()["reason"].tolist()) == {"several views"}
    parts = screens.split(raw, tmp_path / "p.h5", beam=True)
    assert parts["frames_out"] == 6
    assert len({name.partition("@")[2] for name in Store.open(parts["out"]).region_table()["key"]}) == 3


def test_a_box_alone_has_no_beams():
    """Parallel beams fit any box: they are believed where the search found them, or where a person drew the box."""
    linear = SECTORS["linear"]
    mask = fan.mask(linear, SHAPE)
    for found, laid_straight in (
        (Region(mask, "", None, 0.9, "dicom"), False),
        (Region(mask, "", None, 1.0, "manual"), True),
        (Region(mask, "linear", linear, 0.9, "dicom"), True),
    ):
        fitted = dataclasses.replace(found, shape="linear", geometry=linear)
        assert (laying.beam_map(fitted, 128, found) is not None) == laid_straight
