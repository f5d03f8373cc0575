import json
from dataclasses import replace

import numpy as np
import pytest

from usfm.config import Request
from usfm.curate.sector import corrections
from usfm.curate.sector.config import Config, with_preset
from usfm.curate.sector.run import _settle, run
from usfm.errors import RequestError
from usfm.imaging import fan
from usfm.imaging.fan import SectorGeometry
from usfm.imaging.region import Region
from usfm.store.assemble import write_store
from usfm.store.reader import Store
from usfm.store.writer import PartWriter

FAN = SectorGeometry("convex", 80, -20, 40, 160, -0.6, 0.6)


def clip_frames(count=8, shape=(150, 170), seed=0):
    """A speckled fan with a flickering inside, a header of text and a gray bar that never change."""
    random = np.random.default_rng(seed)
    inside = fan.mask(FAN, shape)
    frames = []
    for _ in range(count):
        frame = np.zeros(shape, np.uint8)
        frame[inside] = np.clip(60 * random.rayleigh(1, inside.sum()), 1, 255)
        frame[4:9, 2:30:3] = 255
        frame[20:120, 160:164] = np.linspace(255, 0, 100, dtype=np.uint8)[:, None]
        frames.append(frame)
    return frames


@pytest.fixture
def store(tmp_path):
    part = PartWriter(class_names=("healthy", "ill"), box_names=("spot",))
    clip = part.source(path="a.mp4", sha256="a" * 64, kind="video", fps=3.0, frames=8, patient="p1")
    for i, frame in enumerate(clip_frames()):
        part.frame(frame, frame_id=f"{'a' * 16}:{i}", source=clip, index=i, time_s=i / 3, label=1,
                   boxes=(np.array([[60, 40, 100, 90]], np.float32), np.array([0])),
                   mask=(np.indices(frame.shape)[0] > 60).astype(np.uint8),
                   row_spacing_mm=0.5, col_spacing_mm=0.5)  # fmt: skip
    still = part.source(path="b.png", sha256="b" * 64, kind="image", patient="p2")
    part.frame(clip_frames(1, seed=1)[0], frame_id=f"{'b' * 16}:0", source=still, index=0, time_s=0.0, label=0)
    empty = part.source(path="c.png", sha256="c" * 64, kind="image", patient="p3")
    part.frame(np.zeros((40, 50), np.uint8), frame_id=f"{'c' * 16}:0", source=empty, index=0, time_s=0.0, label=0)
    path = tmp_path / "raw.h5"
    write_store(path, part)
    return path


def request(path, **more):
    return Request(inputs=(str(path),), workers=1, **more)


def test_sector_makes_a_fixed_store_and_loses_no_frame(store):
    summary = run(Config(size=96), request(store))
    out = Store.open(summary["out"])
    assert summary["frames_in"] == 10
    assert summary["frames_out"] == 9
    assert summary["rejected"] == 1
    assert out.fixed_shape == (96, 96)
    assert out.patch_coverage().shape == (9, 36)
    assert list(out.rejected()["reason"]) == ["empty frame"]
    assert summary["evidence"] == {"motion": 8, "still": 1}


def test_everything_moves_with_the_pixels(store):
    run(Config(size=96, outside="keep"), request(store))
    raw, out = Store.open(str(store)), Store.open(str(store.with_suffix("")) + ".sector.h5")
    scale, row, col = (float(out.column(name)[0]) for name in ("scale", "crop_row_px", "crop_col_px"))
    (box,), _ = out.boxes(0)
    (known,), _ = raw.boxes(0)
    assert np.allclose(box, (known - [col, row, col, row]) * scale, atol=1e-3)
    assert np.isclose(out.column("row_spacing_mm")[0], 0.5 / scale)
    first = np.flatnonzero(out.label_mask(0).any(1))[0]
    assert abs((61 - row) * scale - first) <= 1
    region = out.region(int(out.column("region_row")[0]))
    wanted = fan.mask(FAN, (150, 170))
    ys, xs = np.indices((96, 96))
    back = wanted[np.clip((ys + 0.5) / scale - 0.5 + row, 0, 149).round().astype(int),
                  np.clip((xs + 0.5) / scale - 0.5 + col, 0, 169).round().astype(int)]  # fmt: skip
    assert (back & region.mask).sum() / (back | region.mask).sum() > 0.93
    assert region.geometry is not None
    drawn = fan.mask(region.geometry, (96, 96))
    assert (drawn & region.mask).sum() / (drawn | region.mask).sum() > 0.95


def test_outside_is_blank_unless_kept(store):
    run(Config(size=96), request(store))
    out = Store.open(str(store.with_suffix("")) + ".sector.h5")
    assert not out.frame(0)[~out.region(0).mask].any()


def test_the_same_request_is_up_to_date_and_another_is_refused(store):
    first = run(Config(size=96), request(store))
    again = run(Config(size=96), request(store))
    assert again["up_to_date"]
    assert again["frames_out"] == first["frames_out"]
    with pytest.raises(RequestError, match="--overwrite"):
        run(Config(size=64), request(store))


def test_regions_travel_and_are_reused(store, tmp_path):
    first = run(Config(size=96, outside="keep"), request(store, out=str(tmp_path / "one.h5")))
    second = run(Config(size=96), request(first["out"], out=str(tmp_path / "two.h5")))
    one, two = Store.open(first["out"]), Store.open(second["out"])
    assert list(one.region_table()["evidence"]) == list(two.region_table()["evidence"])


def test_workers_do_not_change_the_result(store, tmp_path):
    one = run(Config(size=96), Request(inputs=(str(store),), out=str(tmp_path / "1.h5"), workers=1))
    two = run(Config(size=96), Request(inputs=(str(store),), out=str(tmp_path / "2.h5"), workers=2))
    assert Store.open(one["out"]).content_id == Store.open(two["out"]).content_id


def test_corrections_are_regions_by_hand(store, tmp_path):
    file = tmp_path / "fix.json"
    file.write_text(json.dumps({"b" * 16: {"box": [10, 20, 60, 80]}, "a.mp4": {"whole": True}}))
    summary = run(Config(size=64, corrections=str(file)), request(store))
    out = Store.open(summary["out"])
    assert summary["evidence"] == {"manual": 9}
    assert float(out.column("scale")[8]) == pytest.approx(64 / 60)


@pytest.mark.parametrize("dry_run", [True, False])
def test_a_correction_of_no_source_is_named(store, tmp_path, capsys, dry_run):
    file = tmp_path / "c.json"
    file.write_text('{"a slip.mp4": {"whole": true}}')
    run(Config(size=64, corrections=str(file)), replace(request(store), dry_run=dry_run))
    assert "no source of the store is 'a slip.mp4'" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["[]", "{", '{"x": {"ring": 3}}', '{"x": {"box": [5, 5, 1, 1]}}'])
def test_bad_corrections_are_one_sentence(store, tmp_path, text):
    file = tmp_path / "fix.json"
    file.write_text(text)
    with pytest.raises(RequestError, match=r"fix\.json"):
        run(Config(corrections=str(file)), request(store))


DRAWN = {"shape": "convex", "apex_x_px": 30.0, "apex_y_px": -5.0, "radius_0_px": 10.0, "radius_1_px": 60.0,
       "angle_0_rad": -0.5, "angle_1_rad": 0.5}  # fmt: skip


@pytest.mark.parametrize("number", ["NaN", "-Infinity", "1e300", "2147483648", "1" + "0" * 400, "true", "null", '"9"'])
@pytest.mark.parametrize("kind", ["box", "polygon", "geometry", "whole"])
def test_coordinates_are_numbers_within_reach_of_a_frame(tmp_path, kind, number):
    whole = {"box": [0, 0, 9, 8.5], "polygon": [[0, 0], [9, 0], [9, 8.5]], "geometry": DRAWN, "whole": True}[kind]
    file = tmp_path / "fix.json"
    file.write_text(json.dumps({"x": {kind: whole}}))
    assert corrections.read(str(file))
    at = {"box": "8.5", "polygon": "8.5", "geometry": "60.0", "whole": "true"}[kind]
    file.write_text(file.read_text().replace(at, number))
    if (kind, number) != ("whole", "true"):
        with pytest.raises(RequestError, match=r"fix\.json: the entry of 'x' cannot be read"):
            corrections.read(str(file))


def test_size_must_be_whole_patches(store):
    with pytest.raises(RequestError, match="--patch"):
        run(Config(size=100), request(store))


def test_preset_fills_only_what_was_left_alone():
    preset = with_preset(Config(preset="polarmae", size=128))
    assert preset.size == 128
    assert preset.method == "abrc"
    assert preset.min_patches == 64


def test_report_shows_every_region(store, tmp_path):
    run(Config(size=96, report=str(tmp_path / "page")), request(store))
    assert "<img" in (tmp_path / "page" / "index.html").read_text()


@pytest.mark.parametrize("confidence, kept", [(0.3, False), (0.49, False), (0.51, True), (0.95, True)])
def test_a_fit_that_cannot_be_trusted_is_no_geometry(confidence, kept):
    """The mask stays either way; a polar prior would believe the geometry."""
    mask = fan.mask(FAN, (150, 170))
    (cut,) = _settle(
        Region(mask, "convex", FAN, confidence, "motion"), "a#0", "a.mp4", Config(size=96), {}, mask * np.uint8(90)
    )
    assert (cut.region.geometry is not None) == kept
    assert cut.region.mask is mask
    assert cut.mask.any()
    (unfitted,) = _settle(
        Region(mask, "convex", FAN, 0.99), "a#0", "a.mp4", Config(size=96, fit_fan=False), {}, mask * np.uint8(90)
    )
    assert unfitted.region.geometry is None
