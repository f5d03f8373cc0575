import json
import math

import numpy as np
import pytest

from tests.curate.test_sector import FAN, clip_frames, request, store
from usfm.curate.sector import corrections
from usfm.curate.sector.config import Config
from usfm.curate.sector.run import run
from usfm.imaging import fan
from usfm.imaging.fan import SectorGeometry
from usfm.imaging.region import find_region
from usfm.store.assemble import write_store
from usfm.store.reader import Store
from usfm.store.writer import PartWriter

__all__ = ["store"]


def test_the_least_certain_frames_are_rejected_with_their_probability(store):
    confidence = [find_region([clip_frames(1, seed=1)[0]]).confidence, find_region(clip_frames()).confidence]
    between = (min(confidence) + max(confidence)) / 2
    summary = run(Config(size=96, min_confidence=between), request(store))
    out = Store.open(summary["out"])
    kept = 8 if confidence[1] > between else 1
    assert summary["frames_out"] == kept
    assert summary["frames_in"] == summary["frames_out"] + summary["rejected"] + summary["dropped"]
    assert "low confidence" in list(out.rejected()["reason"])
    assert (out.region_table()["confidence"][out.column("region_row")] >= between - 1e-6).all()


def coloured(tmp_path):
    """A store of a B-mode frame and the same with flow in two colours."""
    random = np.random.default_rng(0)
    gray = np.repeat(clip_frames(1)[0][..., None], 3, 2)
    flow = gray.copy()
    for at, tint in ((70, (255, 60, 0)), (95, (0, 60, 255))):
        flow[70:95, at - 12 : at + 12] = (np.array(tint) * random.uniform(0.35, 1, (25, 24, 1))).astype(np.uint8)
    part = PartWriter()
    for name, frame in (("d", gray), ("e", flow)):
        source = part.source(path=f"{name}.png", sha256=name * 64, kind="image")
        part.frame(frame, frame_id=f"{name * 16}:0", source=source, index=0, time_s=0.0)
    path = tmp_path / "colour.h5"
    write_store(path, part)
    return path


@pytest.mark.parametrize(("asked", "left"), [
    ({}, ["b-mode", "color-doppler"]),
    ({"keep_kind": ("b-mode",)}, ["b-mode"]),
    ({"drop_kind": ("b-mode", "spectral")}, ["color-doppler"]),
])  # fmt: skip
def test_frames_are_kept_and_rejected_by_what_they_show(tmp_path, asked, left):
    summary = run(Config(size=96, **asked), request(coloured(tmp_path)))
    out = Store.open(summary["out"])
    assert sorted(out.column("kind").astype(str)) == left
    assert summary["rejected"] == 2 - len(left)
    assert set(out.rejected()["reason"].tolist()) <= {"kind"}
    assert summary["kinds"] == dict.fromkeys(left, 1)
    assert all(": " in detail and detail.endswith(".") for detail in out.rejected()["detail"])
    assert (out.column("views") == 1).all()


def test_a_region_has_the_overlap_to_expect_beside_its_confidence(store):
    out = Store.open(run(Config(size=96), request(store))["out"])
    region = out.region(0)
    assert 0 <= region.predicted_iou <= 1
    assert np.isclose(out.region_table()["predicted_iou"][0], region.predicted_iou)


@pytest.mark.parametrize("geometry", [FAN, SectorGeometry("phased", 80, 3, 2, 140, -0.7, 0.6),
                                      SectorGeometry("linear", 80, 10, 0, 120, -0.4, 0.4)])  # fmt: skip
def test_what_slicer_reads_is_read_back(geometry):
    shape = (150, 170)
    entry = json.loads(json.dumps(corrections.to_slicer(geometry, shape)))
    found = corrections.region(entry, shape)
    wanted = fan.mask(geometry, shape)
    assert (found.mask & wanted).sum() / (found.mask | wanted).sum() > 0.97
    if geometry.is_round:
        assert math.isclose(entry["angle2"], 90 - math.degrees(geometry.angle_0_rad))
        half = corrections.region(entry | {"image_size_cols": 340, "image_size_rows": 300}, shape)
        assert math.isclose(half.geometry.radius_1_px, entry["radius2"] / 2)
        drawn = np.array([[math.cos(math.radians(entry["angle1"])), math.sin(math.radians(entry["angle1"]))]])
        right = geometry.angle_1_rad  # angle 1 of the entry is the right side: its direction is (sin, cos) from down
        assert np.allclose(drawn, [[math.sin(right), math.cos(right)]])


def test_the_report_writes_what_corrections_read(store, tmp_path):
    run(Config(size=96, report=str(tmp_path / "page")), request(store))
    path = tmp_path / "page" / "slicer.json"
    entries = corrections.read(str(path))
    assert entries
    wanted = fan.mask(FAN, (150, 170))
    found = corrections.region(entries[f"{'a' * 16}#0"], (150, 170)).mask
    assert (found & wanted).sum() / (found | wanted).sum() > 0.93
    again = run(Config(size=96, corrections=str(path)), request(store, out=str(tmp_path / "again.h5")))
    assert again["evidence"].get("manual")


@pytest.mark.parametrize("entry", [{"mask_type": "blob"}, {"mask_type": "fan"}, {"mask_type": "fan", "angle1": "x"},
                                   {"mask_type": "rectangle", "rectangle_left": 3}])  # fmt: skip
def test_a_broken_entry_of_slicer_is_one_sentence(tmp_path, entry):
    path = tmp_path / "c.json"
    path.write_text(json.dumps({"a": entry}))
    with pytest.raises(Exception, match="cannot be read"):
        corrections.read(str(path))
