import csv
import hashlib
import json

import cv2
import numpy as np
import pytest

from usfm.config import Request
from usfm.errors import RequestError
from usfm.imaging import fan
from usfm.simulate.config import Config
from usfm.simulate.run import run

SMALL = Config(clips=3, stills=3, patients=3, duplicates=2, seconds=0.3, fps=10, size=128)


def _digests(folder):
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    out = tmp_path_factory.mktemp("simulate") / "clips"
    summary = run(SMALL, Request(out=str(out), workers=1))
    return out, out.with_name("clips.truth"), summary


def test_media_lie_in_class_folders_and_truth_beside_them(made):
    out, truth, summary = made
    assert sorted(path.name for path in out.iterdir()) == ["fibrillar", "lobular"]
    rows = list(csv.DictReader((truth / "truth.csv").read_text().splitlines()))
    assert len(rows) == summary["sources"] == 8
    assert {row["path"] for row in rows} == set(_digests(out))
    assert all(row["path"].split("/")[0] == row["label"] for row in rows)
    assert not out.with_name("clips.parts").exists()


def test_masks_agree_with_the_pictures(made):
    out, truth, _ = made
    items = json.loads((truth / "truth.json").read_text())["items"]
    for item in (item for item in items if item["kind"] == "still"):
        frame = cv2.imread(str(out / item["path"]), cv2.IMREAD_GRAYSCALE)
        sector, overlay, lesion = (
            cv2.imread(str(truth / item["masks"][name]), cv2.IMREAD_GRAYSCALE) > 0
            for name in ("sector", "overlay", "lesion")
        )
        level = 8 if item["repeat"] else 0
        assert (frame[~sector & ~overlay] <= level).all()
        assert frame[sector].mean() > 20
        assert (fan.mask(fan.SectorGeometry(**item["geometry"]), frame.shape) == sector).all()
        assert not (lesion & ~sector).any()


def test_same_seed_same_bytes_whatever_the_workers(made, tmp_path):
    out, truth, _ = made
    run(SMALL, Request(out=str(tmp_path / "again"), workers=2))
    assert _digests(tmp_path / "again") == _digests(out)
    assert _digests(tmp_path / "again.truth") == _digests(truth)


def test_existing_output_is_kept(made):
    out, _, _ = made
    assert run(SMALL, Request(out=str(out), workers=1))["frames_per_s"] is None
    with pytest.raises(RequestError, match="--overwrite"):
        run(SMALL, Request(out=str(out), workers=1, seed=1))


def test_dry_run_touches_nothing(tmp_path):
    run(SMALL, Request(out=str(tmp_path / "x"), dry_run=True))
    assert not list(tmp_path.iterdir())


def test_brightness_does_not_tell_the_class(tmp_path):
    summary = run(Config(clips=0, stills=40, patients=10, size=128, overlays=False), Request(out=str(tmp_path / "c")))
    assert summary["sources"] == 46
    means = {
        kind: np.array([cv2.imread(str(path), 0).mean() for path in (tmp_path / "c" / kind).iterdir()])
        for kind in ("fibrillar", "lobular")
    }
    gap = abs(means["fibrillar"].mean() - means["lobular"].mean())
    assert gap < 0.5 * np.concatenate(list(means.values())).std()
