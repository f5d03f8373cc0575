"""A split goes out and comes back equal; info says whether one is clean."""

import json

import numpy as np
import pytest
from split_samples import cohort

from usfm.config import Request
from usfm.errors import RequestError
from usfm.inspect import export_any, info
from usfm.inspect.config import Config as InfoConfig
from usfm.inspect.export_config import Config
from usfm.inspect.split.config import Config as SplitConfig
from usfm.inspect.split.run import run as split
from usfm.store.assemble import write_store
from usfm.store.reader import Store
from usfm.store.writer import PartWriter
from usfm.tasks import predictions
from usfm.tasks.splits import folds_from, published


def export(given, out, **more):
    return export_any.run(Config(to="splits"), Request(inputs=(str(given),), out=str(out), **more))


def divided(tmp_path, **settings):
    source = cohort(tmp_path / "s.h5", 20, 3)
    return split(SplitConfig(**settings), Request(inputs=(str(source),), out=str(tmp_path / "t.h5"), workers=1))["out"]


@pytest.mark.parametrize("ending", ["json", "csv"])
def test_a_split_comes_back_equal(tmp_path, ending):
    path = divided(tmp_path)
    summary = export(path, tmp_path / f"out.{ending}")
    assert (summary["entries"], summary["splits"]) == (20, ["split"])
    found = published(Store(path), [str(tmp_path / f"out.{ending}")])
    assert (found.parts["split"] == Store(path).split()).all()
    assert export(path, tmp_path / f"out.{ending}")["entries"] == 20  # up to date


@pytest.mark.slow
@pytest.mark.parametrize("ending", ["json", "csv"])
def test_folds_come_back_equal(tmp_path, ending):
    path = divided(tmp_path, folds=4)
    assert export(path, tmp_path / f"out.{ending}")["splits"] == ["fold"]
    assert (published(Store(path), [str(tmp_path / f"out.{ending}")]).fold == Store(path).of_frames("fold")).all()


@pytest.mark.parametrize("ending", ["json", "csv"])
def test_a_source_whose_frames_are_apart_is_written_frame_by_frame(tmp_path, ending):
    part = PartWriter()
    for k in range(4):
        row = part.source(path=f'a "{k}",\n.avi', sha256=f"{k}" * 64, kind="video", patient=f"p{k}")
        for index in range(3):
            word = ("train", "test", "")[index] if k == 1 else "train"
            part.frame(np.full((8, 8), 50 * index + k, np.uint8), frame_id=f"{str(k) * 16}:{index}", source=row,
                       index=index, time_s=0.0, split=word)  # fmt: skip
    path = write_store(tmp_path / "s.h5", part)
    assert export(path, tmp_path / f"o.{ending}")["entries"] == 6
    assert (published(Store(path), [str(tmp_path / f"o.{ending}")]).parts["split"] == Store(path).split()).all()


def a_run(folder, store, folds):
    """What `finetune` leaves of its split."""
    folder.mkdir()
    ids, paths, patients = store.column("frame_id"), store.of_frames("path"), store.of_frames("patient")
    held = [np.flatnonzero(np.arange(len(store)) % folds == k) for k in range(folds)]
    trained = [np.flatnonzero(np.arange(len(store)) % folds != k) for k in range(folds)]
    rows, train = np.concatenate(held), np.concatenate(trained)
    names = [np.repeat([str(k) for k in range(folds)], [len(one) for one in many]) for many in (held, trained)]
    training = predictions.Training(ids[train], paths[train], patients[train], names[1].astype(object))
    scores = np.full((len(rows), 2), 0.5, np.float32)
    zeros = np.zeros(len(rows), np.int32)
    arrays = {"target": zeros, "scores": scores, "majority": zeros}
    held_out = predictions.Predictions(
        ids[rows], paths[rows], patients[rows], patients[rows], np.full(len(rows), "test", object),
        names[0].astype(object), arrays, ("a", "b"), training)  # fmt: skip
    predictions.write(folder / predictions.FILE, held_out)
    return folder


@pytest.mark.parametrize("ending", ["json", "csv"])
def test_a_run_gives_what_it_was_trained_and_tested_on(tmp_path, ending):
    store = Store(cohort(tmp_path / "s.h5", 9, 1))
    summary = export(a_run(tmp_path / "run", store, 3), tmp_path / f"o.{ending}")
    assert summary["splits"] == ["fold_0", "fold_1", "fold_2"]
    for k, fold in enumerate(folds_from(store, [str(tmp_path / f"o.{ending}")])):
        assert fold.held.tolist() == [row for row in range(9) if row % 3 == k]
        assert len(fold.train) == 6


def test_refusals_are_one_sentence(tmp_path):
    path = cohort(tmp_path / "s.h5")
    (tmp_path / "mine.json").write_text('{"train": []}')
    for given, out, words in (
        (path, "o.json", "has no split"),
        (path, "o.txt", "json or .csv"),
        (divided(tmp_path), "mine.json", "not made by"),
        (tmp_path, "o.json", "predictions"),
    ):
        with pytest.raises(RequestError, match=words):
            export(given, tmp_path / out)
    assert (tmp_path / "mine.json").read_text() == '{"train": []}'


# ---------------------------------------------------------------- info


def told(path, capsys):
    summary = info.run(InfoConfig(), Request(inputs=(str(path),)))
    json.dumps(summary)
    return summary, capsys.readouterr()


def test_info_says_that_a_split_is_clean(tmp_path, capsys):
    for settings in ({}, {"folds": 3}):
        (tmp_path / str(len(settings))).mkdir()
        summary, said = told(divided(tmp_path / str(len(settings)), **settings), capsys)
        name = "fold" if settings else "split"
        assert summary["stores"][0]["split_check"]["clean"]
        assert summary["stores"][0]["split_check"][name]["near_duplicates"] == 0
        assert summary["leaks"] == 0
        assert f"{name}: clean" in said.out
    assert told(cohort(tmp_path / "none.h5"), capsys)[0]["stores"][0]["split_check"] is None


def leaky(path, same_patient, near):
    rng = np.random.default_rng(3)
    part = PartWriter(class_names=("a", "b"))
    base = np.kron(rng.integers(40, 200, (8, 8)), np.ones((8, 8)))
    for k, picture in enumerate((base, base if near else base.T)):
        row = part.source(path=f"{k}.png", sha256=f"{k}" * 64, kind="image", patient="p" if same_patient else f"p{k}")
        noisy = (picture + 3 * rng.normal(size=base.shape)).astype(np.uint8)
        part.frame(noisy, frame_id=f"{k}" * 16 + ":0", source=row, index=0, time_s=0.0,
                   split=("train", "test")[k], label=k)  # fmt: skip
    return write_store(path, part)


def test_the_card_says_it_too(tmp_path):
    path = leaky(tmp_path / "s.h5", True, False)
    info.run(InfoConfig(report=str(tmp_path / "card")), Request(inputs=(str(path),)))
    card = json.loads((tmp_path / "card/card.json").read_text())
    assert card["splits"]["check"]["split"]["groups"] == 1
    assert "* split: not clean; 1 group of patients or equal frames" in (tmp_path / "card/card.md").read_text()


@pytest.mark.parametrize("same_patient, near, leaks", [(True, False, 1), (False, True, 2), (True, True, 3)])
def test_info_says_what_leaks(tmp_path, capsys, same_patient, near, leaks):
    summary, said = told(leaky(tmp_path / "s.h5", same_patient, near), capsys)
    assert (summary["leaks"], summary["stores"][0]["split_check"]["clean"]) == (leaks, False)
    assert "not clean" in said.out
    assert "not clean" in said.err
    conflicts = "near-identical frames with different classes" in said.err
    assert conflicts == near
    assert said.err.count("near-identical") <= 1
