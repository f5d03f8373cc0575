import csv
import hashlib
import json

import cv2
import numpy as np
import pytest

from usfm.config import Request
from usfm.errors import RequestError
from usfm.imaging import fan
from usfm.simulate import handover
from usfm.simulate.config import Config
from usfm.simulate.run import run

SMALL = Config(clips=2, stills=6, patients=4, duplicates=10, seconds=0.3, fps=10, size=128)


def _digests(folder):
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def _items(truth):
    return json.loads((truth / "truth.json").read_text())["items"]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    out = tmp_path_factory.mktemp("simulate") / "clips"
    summary = run(SMALL, Request(out=str(out), workers=1))
    return out, out.with_name("clips.truth"), summary


def test_media_lie_in_class_folders_and_truth_beside_them(made):
    out, truth, summary = made
    assert sorted(path.name for path in out.iterdir()) == ["fibrillar", "lobular"]
    rows = list(csv.DictReader((truth / "truth.csv").read_text().splitlines()))
    assert len(rows) == summary["sources"] == 18
    assert {row["path"] for row in rows} == set(_digests(out))
    assert all(row["path"].split("/")[0] == row["label"] for row in rows)
    assert not out.with_name("clips.parts").exists()


def test_masks_agree_with_the_pictures(made):
    out, truth, _ = made
    for item in (item for item in _items(truth) if item["kind"] == "still" and item["repeat"] in ("", "copy")):
        frame = cv2.imread(str(out / item["path"]), cv2.IMREAD_GRAYSCALE)
        sector, overlay, lesion = (
            cv2.imread(str(truth / item["masks"][name]), cv2.IMREAD_GRAYSCALE) > 0
            for name in ("sector", "overlay", "lesion")
        )
        assert (frame[~sector & ~overlay] == 0).all()
        assert frame[sector].mean() > 10
        assert not (lesion & ~sector).any()
        box = item["boxes"][0]
        assert (box is None) == (not lesion.any())
        if box:
            assert lesion[box[1] : box[3], box[0] : box[2]].sum() == lesion.sum()
        drawn = np.any([fan.mask(fan.SectorGeometry(**each), frame.shape) for each in item["geometries"]], axis=0)
        assert not (sector & ~drawn).any()


def test_repeats_are_what_they_say(made):
    out, truth, _ = made
    items = {item["path"]: item for item in _items(truth)}
    digests = _digests(out)
    seen = set()
    for item in items.values():
        if not item["repeat"]:
            continue
        first = items[item["repeat_of"]]
        seen.add(item["repeat"])
        same = digests[item["path"]] == digests[first["path"]]
        assert same == (item["repeat"] in ("copy", "other_patient")) or item["repeat"] in ("reencoded",)
        assert (item["patient"] != first["patient"]) == (item["repeat"] == "other_patient")
    assert {"copy", "reencoded", "annotated", "brightness", "resized", "cropped", "other_patient", "cut"} <= seen
    rows = list(csv.DictReader((truth / "pairs.csv").read_text().splitlines()))
    assert {row["mark"] for row in rows} == {"duplicate", "not", "dont-care"}
    assert all(int(row["b_frame"]) < items[row["b"]]["frames"] for row in rows)


def test_patients_do_not_straddle_splits(made):
    split = {}
    for item in _items(made[1]):
        assert split.setdefault(item["patient"], item["split"]) == item["split"]
    assert set(split.values()) == {"train", "val", "test"}


def test_same_seed_same_bytes_whatever_the_workers(made, tmp_path):
    out, truth, _ = made
    run(SMALL, Request(out=str(tmp_path / "again"), workers=2))
    assert _digests(tmp_path / "again") == _digests(out)
    assert _digests(tmp_path / "again.truth") == _digests(truth)


def test_a_stopped_run_goes_on(made, tmp_path, monkeypatch):
    from usfm.simulate import run as room

    calls = []

    def stop(*job):
        calls.append(job)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return one(*job)

    one = room._one
    monkeypatch.setattr(room, "_one", stop)
    with pytest.raises(Exception, match="interrupted"):
        run(SMALL, Request(out=str(tmp_path / "clips"), workers=1))
    assert not (tmp_path / "clips").exists()
    run(SMALL, Request(out=str(tmp_path / "clips"), workers=1))
    assert len(calls) == 3 + 16
    assert _digests(tmp_path / "clips") == _digests(made[0])


def test_existing_output_is_kept(made):
    out, _, _ = made
    assert run(SMALL, Request(out=str(out), workers=1))["frames_per_s"] is None
    with pytest.raises(RequestError, match="--overwrite"):
        run(SMALL, Request(out=str(out), workers=1, seed=1))


def test_dry_run_touches_nothing(tmp_path):
    run(SMALL, Request(out=str(tmp_path / "x"), dry_run=True))
    assert not list(tmp_path.iterdir())


def test_conflicts_and_broken_files_on_request(tmp_path):
    config = Config(clips=0, stills=5, patients=5, size=96, duplicates=0, conflicts=1, corrupt=5, overlays=False)
    run(config, Request(out=str(tmp_path / "c"), workers=1))
    items = _items(tmp_path / "c.truth")
    digests = _digests(tmp_path / "c")
    conflict = next(item for item in items if item["repeat"] == "conflict")
    assert digests[conflict["path"]] == digests[conflict["repeat_of"]]
    assert conflict["label"] != next(item["label"] for item in items if item["path"] == conflict["repeat_of"])
    assert [item["fault"] for item in items if item["fault"]] == ["truncated", "text", "empty", "garbage", "no_frames"]


def test_brightness_does_not_tell_the_class(tmp_path):
    config = Config(clips=0, stills=48, patients=16, size=96, overlays=False, duplicates=0)
    run(config, Request(out=str(tmp_path / "c"), workers=1))
    means = {
        kind: np.array([cv2.imread(str(path), 0).mean() for path in (tmp_path / "c" / kind).iterdir()])
        for kind in ("fibrillar", "lobular")
    }
    gap = abs(means["fibrillar"].mean() - means["lobular"].mean())
    assert gap < 0.4 * np.concatenate(list(means.values())).std()


def test_parts_of_other_options_are_not_mixed_in(tmp_path, monkeypatch):
    from usfm.simulate import run as room

    def stop(*job):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(room, "_one", stop)
        with pytest.raises(Exception, match="interrupted"):
            run(SMALL, Request(out=str(tmp_path / "clips"), workers=1))
    other = Request(out=str(tmp_path / "clips"), workers=1, seed=1)
    with pytest.raises(RequestError, match="--overwrite"):
        run(SMALL, other)
    tiny = Config(clips=0, stills=1, patients=1, duplicates=0, size=96)
    run(tiny, Request(out=str(tmp_path / "clips"), workers=1, overwrite=True))
    assert len(list((tmp_path / "clips").rglob("*.png"))) == 1


@pytest.mark.parametrize("left", ["all", "no files", "lock alone"])
def test_leftovers_of_a_run_that_ended_while_tidying_up_are_taken_away(tmp_path, monkeypatch, left):
    config, request = Config(clips=0, stills=1, patients=1, size=64), Request(out=str(tmp_path / "clips"), workers=1)
    with monkeypatch.context() as patch:
        patch.setattr("usfm.simulate.run.PartsFolder.remove", lambda self: None)
        if left == "all":
            patch.setattr("usfm.simulate.run.shutil.rmtree", lambda *_, **__: None)
        run(config, request)
    parts = tmp_path / "clips.parts"
    if left == "lock alone":
        (parts / "run.json").unlink()
    assert parts.is_dir()
    run(config, request)
    assert not parts.exists()


ONE = Config(clips=0, stills=1, patients=1, duplicates=0, size=64)


def _request(out, **more):
    return Request(out=str(out), workers=1, **more)


@pytest.mark.parametrize("taken", ["clips", "clips.truth"])
@pytest.mark.parametrize("overwrite", [False, True])
def test_a_folder_of_the_users_is_never_replaced(tmp_path, taken, overwrite):
    (tmp_path / taken).mkdir()
    (tmp_path / taken / "thesis.tex").write_text("years of work")
    (tmp_path / taken / "truth.json").write_text('{"key": "k"}')
    with pytest.raises(RequestError, match="not made by simulate"):
        run(ONE, _request(tmp_path / "clips", overwrite=overwrite))
    assert (tmp_path / taken / "thesis.tex").read_text() == "years of work"
    assert [path.name for path in tmp_path.iterdir()] == [taken]


@pytest.mark.parametrize("place", ["clips/mine.png", "clips/lobular/mine.png", "clips.truth/notes.txt"])
def test_a_file_of_the_users_in_a_collection_stops_overwrite(tmp_path, place):
    run(ONE, _request(tmp_path / "clips"))
    (tmp_path / place).parent.mkdir(exist_ok=True)
    (tmp_path / place).write_text("x")
    with pytest.raises(RequestError, match=place.rsplit("/")[-1]):
        run(ONE, _request(tmp_path / "clips", overwrite=True, seed=1))
    assert (tmp_path / place).read_text() == "x"


@pytest.mark.parametrize("old", [pytest.param(False, marks=pytest.mark.slow), True])
@pytest.mark.parametrize("at", range(5))
def test_a_kill_while_names_change_leaves_one_whole_collection(tmp_path, monkeypatch, old, at):
    """Stopped before each call that changes a name; the same command then ends with what it always gives."""
    run(ONE, _request(tmp_path / "wanted", seed=1))
    if old:
        run(ONE, _request(tmp_path / "clips"))
    calls = []

    def killing(call):
        def maybe(*args):
            calls.append(call)
            if len(calls) == at + 1:
                raise KeyboardInterrupt
            return call(*args)

        return maybe

    with monkeypatch.context() as patch:
        for name in ("prepare", "put_in_place", "sync"):
            patch.setattr(handover, name, killing(getattr(handover, name)))
        with pytest.raises(KeyboardInterrupt):
            run(ONE, _request(tmp_path / "clips", seed=1, overwrite=old))
    run(ONE, _request(tmp_path / "clips", seed=1, overwrite=old))
    for suffix in ("", ".truth"):
        assert _digests(tmp_path / f"clips{suffix}") == _digests(tmp_path / f"wanted{suffix}")
    assert {path.name for path in tmp_path.iterdir()} == {"clips", "clips.truth", "wanted", "wanted.truth"}
