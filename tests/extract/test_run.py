"""The whole of extract: from folders to a store, and what the user is told."""

import json

import numpy as np
import pytest

from usfm import console
from usfm.config import Request
from usfm.errors import RequestError, WorkError
from usfm.extract.config import Config
from usfm.extract.run import run
from usfm.store.reader import Store


@pytest.fixture
def extract(tmp_path):
    def go(*inputs, out="out.h5", workers=1, overwrite=False, dry_run=False, **settings):
        request = Request(
            inputs=tuple(str(one) for one in inputs),
            out=str(tmp_path / out),
            workers=workers,
            overwrite=overwrite,
            dry_run=dry_run,
        )
        return run(Config(**settings), request)

    return go


@pytest.fixture
def clinic(tmp_path, make_video, make_still):
    """Two patients, two classes, a twin, a broken file and a note."""
    folder = tmp_path / "clinic"
    make_video("clinic/sick/anna_1.mp4", frames=50)
    make_still("clinic/sick/anna_2.png", np.arange(64, dtype=np.uint8).reshape(8, 8))
    make_still("clinic/well/bert_1.png", np.arange(64, dtype=np.uint8).reshape(8, 8))
    (folder / "well/bert_2.mp4").write_text("not a clip")
    (folder / "readme.txt").write_text("words")
    return folder


def test_a_folder_becomes_a_store_and_the_figures_add_up(extract, clinic, capsys):
    summary = extract(clinic, labels="folder", group=r"(?P<patient>[a-z]+)_(?P<exam>\d)", dataset="demo")
    store = Store.open(summary["out"])
    assert summary["frames_in"] == summary["frames_out"] == len(store) == 8
    assert (summary["rejected"], summary["sources_rejected"], summary["sources"]) == (0, 1, 3)
    assert summary["kinds"] == {"video": 1, "image": 2, "rejected": 1}
    assert summary["reasons"] == {"not media": 1}
    assert (summary["skipped"], summary["identical"], summary["label_conflicts"]) == (1, 1, 1)
    told = capsys.readouterr().err
    assert "carry different labels" in told
    assert "not media (1)" in told
    assert store.class_names == ["sick", "well"]
    patients = store.source_column("patient")
    assert patients[0] == patients[1] != patients[2]
    assert set(store.source_column("dataset")) == {"demo"}
    json.dumps(summary)


def test_a_class_of_broken_files_is_none(extract, clinic):
    (clinic / "torn").mkdir()
    (clinic / "torn/1.mp4").write_text("words")
    assert Store.open(extract(clinic, labels="folder")["out"]).class_names == ["sick", "well"]


def test_nothing_identifying_is_written(extract, clinic, tmp_path):
    for out, settings in (("a.h5", {}), ("b.h5", {"anonymous_paths": True, "group": None})):
        settings = {"group": r"(?P<patient>[a-z]+)_", **settings}
        summary = extract(clinic, out=out, **settings)
        data = (tmp_path / out).read_bytes()
        assert not [word for word in (b"anna", b"bert", b"clinic", str(tmp_path).encode()) if word in data]
        assert "anna" not in json.dumps(Store.open(summary["out"]).history)
    extract(clinic, out="c.h5", group=r"(?P<patient>[a-z]+)_", anonymous_paths=False)
    assert b"anna_1.mp4" in (tmp_path / "c.h5").read_bytes()


def test_content_does_not_depend_on_workers_or_place(extract, clinic, tmp_path):
    first = extract(clinic, out="a.h5", labels="folder")
    second = extract(clinic, out="b.h5", workers=2, labels="folder")
    elsewhere = tmp_path / "far/away"
    elsewhere.parent.mkdir()
    clinic.rename(elsewhere)
    third = extract(elsewhere, out="c.h5", labels="folder")
    ids = {Store.open(summary["out"]).content_id for summary in (first, second, third)}
    assert len(ids) == 1


def test_the_same_request_is_up_to_date_and_another_is_refused(extract, clinic, make_still, capsys):
    first = extract(clinic)
    again = extract(clinic)
    assert again["frames_out"] == first["frames_out"]
    assert "up to date" in capsys.readouterr().err
    with pytest.raises(RequestError, match="--overwrite"):
        extract(clinic, fps="5")
    make_still("clinic/new.png", np.zeros((4, 4), np.uint8))
    with pytest.raises(RequestError, match="--overwrite"):
        extract(clinic)
    assert extract(clinic, overwrite=True)["sources"] == first["sources"] + 1


def test_another_key_or_manifest_is_another_request(extract, clinic, tmp_path, monkeypatch):
    table = tmp_path / "meta.csv"
    table.write_text("path,patient\nanna_1.mp4,Anna\n")
    extract(clinic, manifest=str(table))
    one = Store.open(tmp_path / "out.h5").source_column("patient")[0]
    monkeypatch.setenv("USFM_SALT", "another salt")
    with pytest.raises(RequestError, match="--overwrite"):
        extract(clinic, manifest=str(table))
    extract(clinic, manifest=str(table), overwrite=True)
    assert Store.open(tmp_path / "out.h5").source_column("patient")[0] != one
    table.write_text("path,patient\nanna_1.mp4,Berta\n")
    with pytest.raises(RequestError, match="--overwrite"):
        extract(clinic, manifest=str(table))


def test_no_key_is_made_where_none_is_needed(extract, clinic, monkeypatch, tmp_path):
    from usfm.extract.identity import key_file

    monkeypatch.delenv("USFM_SALT")
    extract(clinic)
    assert not key_file().exists()
    extract(clinic, out="b.h5", anonymous_paths=True, dry_run=True)
    assert not key_file().exists()
    extract(clinic, out="b.h5", anonymous_paths=True)
    assert key_file().exists()


def test_when_all_are_rejected_nothing_is_written_and_the_reasons_are_told(extract, tmp_path):
    folder = tmp_path / "bad"
    folder.mkdir()
    (folder / "a.mp4").write_text("words")
    (folder / "b.mp4").touch()
    with pytest.raises(WorkError, match=r"not media \(1\).*empty file \(1\)"):
        extract(folder)
    assert not (tmp_path / "out.h5").exists()


def test_a_dry_run_touches_nothing(extract, clinic, tmp_path, capsys):
    before = sorted(tmp_path.rglob("*"))
    summary = extract(clinic, dry_run=True, labels="folder")
    assert sorted(tmp_path.rglob("*")) == before
    assert (summary["sources"], summary["skipped"], summary["dry_run"]) == (4, 1, True)
    told = capsys.readouterr().err
    assert "4 sources (1 image" in told or "2 image" in told


@pytest.mark.parametrize("settings, words", [
    ({"preset": "polarmae"}, "has nothing for extract"),
    ({"preset": "usf_mae"}, "did you mean 'usf-mae'"),
    ({"fps": "fast"}, "--fps"),
    ({"manifest": "/nowhere.csv"}, "cannot read"),
    ({"group": "("}, "regular expression"),
    ({"group": r"(?P<patient>a)", "salt": "/nowhere"}, "--salt"),
])  # fmt: skip
def test_a_wrong_request_is_one_sentence_before_anything_is_read(extract, clinic, tmp_path, settings, words):
    with pytest.raises(RequestError, match=words):
        extract(clinic, **settings)
    assert not list(tmp_path.glob("out.h5*"))


def test_a_preset_says_when_a_flag_leaves_it(extract, clinic, capsys):
    console.configure()
    extract(clinic, preset="usf-mae", fps="5", dry_run=True)
    assert "is not what --preset usf-mae has" in capsys.readouterr().err


def test_history_prints_as_a_command_that_parses(extract, clinic, tmp_path):
    import shlex

    import click

    from usfm.cli.main import build
    from usfm.store.history import command_line

    table = tmp_path / "meta.csv"
    table.write_text("path,label\nanna_1.mp4,x\n")
    settings = {"group": r"(?P<patient>[a-z]+)_", "anonymous_paths": False, "color": False, "manifest": str(table)}
    summary = extract(clinic, labels="folder", dataset="my data", max_frames=3, **settings)
    line = command_line(Store.open(summary["out"]).history[-1], "out.h5")
    assert "--plain-paths" in line
    assert "--gray" in line
    assert "--manifest FILE" in line
    top = build()
    with click.Context(top) as parent:
        top.commands["extract"].make_context("extract", shlex.split(line)[2:], parent=parent)
