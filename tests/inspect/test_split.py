"""A split keeps patients whole, has the asked shares, follows the seed, loses nothing, and says if it is not clean."""

import json

import numpy as np
import pytest
from split_samples import cohort

from usfm.config import Request
from usfm.errors import RequestError
from usfm.inspect.split.config import Config, check
from usfm.inspect.split.run import run
from usfm.screening.groups import group_frames
from usfm.screening.sides import near_across
from usfm.screening.together import kept_together, look_alike
from usfm.store.assemble import write_store
from usfm.store.reader import Store
from usfm.store.writer import PartWriter


def split(path, seed=0, workers=1, out="t.h5", **settings):
    config = Config(**settings)
    check(config)
    summary = run(config, Request(inputs=(str(path),), out=str(path.parent / out), workers=workers, seed=seed,
                                  overwrite=True))  # fmt: skip
    return summary, Store.open(summary["out"])


def sides_of(store, column="patient"):
    """Value of a column -> the parts that its frames are in."""
    found = {}
    for value, part in zip(store.of_frames(column), store.split(), strict=True):
        found.setdefault(value, set()).add(part)
    return found


@pytest.mark.parametrize("settings", [{}, {"fractions": "0.5,0.5"}, {"by": "exam"}, {"by": "ward"},
                                      {"stratify": "ward"}, {"by_duplicates": True}])  # fmt: skip
def test_no_patient_is_on_two_sides_and_nothing_else_changes(tmp_path, settings):
    path = cohort(tmp_path / "s.h5", 24, 5, ward=lambda k: f"w{k // 3}")
    summary, store = split(path, **settings)
    before = Store.open(path)
    assert all(len(parts) == 1 for parts in sides_of(store).values())
    assert set(store.split()) <= {"train", "val", "test"}
    assert (summary["clean"], summary["leaks"], summary["unassigned"]) == (True, 0, 0)
    assert summary["frames_out"] == len(before)
    for name in ("frame_id", "digest", "index", "time_s"):
        assert (store.column(name) == before.column(name)).all()
    assert (store.labels_class() == before.labels_class()).all()
    assert all((store.frame(k) == before.frame(k)).all() for k in range(len(store)))
    assert [step.get("command") for step in store.history] == ["python", "split"]
    if settings.get("by") == "ward":
        assert all(len(parts) == 1 for parts in sides_of(store, "ward").values())


def test_shares_are_what_was_asked(tmp_path):
    summary, store = split(cohort(tmp_path / "s.h5", 200, 4), fractions="0.6,0.2,0.2")
    assert summary["widest_gap"] <= 2
    for name, wanted in (("train", 0.6), ("val", 0.2), ("test", 0.2)):
        assert abs(float((store.split() == name).mean()) - wanted) < 0.02
        assert summary["parts"][name]["frames"] == int((store.split() == name).sum())


@pytest.mark.slow
def test_the_split_follows_the_seed_and_not_the_workers(tmp_path):
    path = cohort(tmp_path / "s.h5", 40, 3)
    first, again, other = (split(path, seed=s, workers=w)[1] for s, w in ((1, 1), (1, 2), (2, 1)))
    assert (first.split() == again.split()).all()
    assert first.content_id == again.content_id
    assert (first.split() != other.split()).any()


def test_folds_are_a_column_that_holds_every_patient_once(tmp_path):
    summary, store = split(cohort(tmp_path / "s.h5", 30, 3), folds=5)
    fold = store.of_frames("fold")
    assert set(fold) == {"0", "1", "2", "3", "4"}
    assert set(store.split()) == {""}
    assert len({(p, f) for p, f in zip(store.of_frames("patient"), fold, strict=True)}) == 30
    assert list(summary["parts"]) == ["0", "1", "2", "3", "4"]


@pytest.mark.slow
def test_the_split_that_a_store_brings_is_respected_or_replaced_as_asked(tmp_path, capsys):
    path = split(cohort(tmp_path / "s.h5", 30, 3), out="own.h5")[1].paths[0]
    own = Store.open(path)
    path = tmp_path / "own.h5"
    assert (split(path)[1].split() == own.split()).all()
    kept = split(path, fractions="0.4,0.4,0.2", keep="test", seed=9)[1]
    assert (kept.split()[own.split() == "test"] == "test").all()
    assert (kept.split() != own.split()).any()
    capsys.readouterr()
    fresh = split(path, fractions="0.7,0.15,0.15", seed=9)[1]
    assert "replaced" in capsys.readouterr().err
    assert (fresh.split() != own.split()).any()
    folded = split(path, folds=3, keep="test")[1]
    assert ((folded.of_frames("fold") == "") == (own.split() == "test")).all()
    assert set(folded.split()) == {"train", "test"}


def twins(tmp_path, near=False, patients=6):
    """Patients of whom the first two hold the same picture: equal, or with other noise."""
    rng = np.random.default_rng(5)
    part = PartWriter(class_names=("a",))
    for k in range(patients):
        picture = np.kron(np.random.default_rng(max(k, 1)).integers(40, 200, (8, 8)), np.ones((8, 8)))
        noisy = (picture + (rng.normal(size=picture.shape) * 3 if near else 0)).astype(np.uint8)
        row = part.source(path=f"{k}.png", sha256=f"{k:02d}".ljust(64, "a"), kind="image", patient=f"p{k}")
        part.frame(noisy, frame_id=f"{k:02d}aaaaaaaaaaaaaa:0", source=row, index=0, time_s=0.0, label=0)
    return write_store(tmp_path / "twins.h5", part)


def test_equal_pictures_of_two_patients_stay_together_and_flat_ones_mean_nothing(tmp_path):
    store = Store(twins(tmp_path))
    groups = kept_together(store)
    assert groups.joined == [("p0", "p1")]
    flat = PartWriter()
    for k in range(3):
        row = flat.source(path=f"{k}.png", sha256=f"{k}".ljust(64, "b"), kind="image", patient=f"p{k}")
        flat.frame(np.zeros((9, 9), np.uint8), frame_id=f"{k}bbbbbbbbbbbbbbb:0", source=row, index=0, time_s=0.0)
    assert len(kept_together(Store(write_store(tmp_path / "flat.h5", flat))).names) == 3


@pytest.mark.slow
def test_near_duplicates_stay_on_one_side_when_asked(tmp_path):
    path = twins(tmp_path, near=True)
    for seed in range(4):
        summary, store = split(path, seed=seed, fractions="0.5,0.5", by_duplicates=True)
        assert store.split()[0] == store.split()[1]
        assert (summary["near_duplicates"], summary["clean"], summary["groups"]) == (0, True, 5)
    apart = {tuple(split(path, seed=seed, fractions="0.5,0.5")[1].split()[:2]) for seed in range(4)}
    assert {("train", "test"), ("test", "train")} & apart  # without it they may part


def test_alike_is_found_in_tiles_and_through_a_third(tmp_path):
    angle = np.radians([0, 15, 30, 90, 105, 200])
    features = np.stack([np.cos(angle), np.sin(angle)], 1).astype(np.float32)
    for block in (1, 2, 100):
        assert look_alike(features, np.arange(6), 0.95, block=block).tolist() == [0, 0, 0, 3, 3, 5]
    features = np.c_[np.zeros(6, np.float32), features]
    assert near_across(features, ["train", "test", "train", "train", "train", ""], 0.95) == 3


def test_a_published_split_is_taken_over_and_its_leaks_are_said(tmp_path, capsys):
    path = cohort(tmp_path / "s.h5", 6, 1, patient=lambda k: f"q{k // 2}")
    file = tmp_path / "published.json"
    file.write_text(json.dumps({"train": [f"p{k:02d}/clip.mp4" for k in range(3)], "test": ["p03/clip.mp4"]}))
    summary, store = split(path, splits=(str(file),))
    assert store.split().tolist() == ["train", "train", "train", "test", "", ""]
    assert (summary["leaks"], summary["clean"], summary["unassigned"], summary["kept"]) == (1, False, 2, 4)
    assert "not clean" in capsys.readouterr().err


@pytest.mark.parametrize("settings, words", [
    ({"fractions": "0.9,0.2"}, "together they make 1"),
    ({"fractions": "1.5,-0.5"}, "between 0 and 1"),
    ({"fractions": "half"}, "two or three numbers"),
    ({"fractions": "nan,0.5"}, "between 0 and 1"),
    ({"folds": 13}, "12 groups"),
    ({"by": "hospital"}, "no such column"),
    ({"by": "kind "}, "did you mean 'kind'"),
    ({"stratify": "wards"}, "no such column"),
    ({"folds": 3, "fractions": "0.5,0.5"}, "choose one"),
    ({"splits": ("none.json",)}, "neither a file nor a column"),
])  # fmt: skip
def test_bad_requests_are_one_sentence_and_leave_nothing(tmp_path, settings, words):
    path = cohort(tmp_path / "s.h5")
    with pytest.raises(RequestError, match=words) as error:
        split(path, **settings)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "t.h5").exists()


def test_a_hundred_thousand_groups_are_joined_in_little_time():
    from time import perf_counter

    names = np.array([f"p{k}" for k in range(100_000)], object)
    began = perf_counter()
    groups = group_frames(names, names, [np.array([f"k{k // 2}" for k in range(100_000)], object)])
    assert perf_counter() - began < 8
    assert len(groups.names) == 50_000
