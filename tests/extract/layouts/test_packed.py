"""A collection that is not unpacked gives what it gives unpacked: as one archive, and as archives in a folder."""

import runpy
import zipfile
from pathlib import Path

import pytest

from usfm.config import Request
from usfm.errors import RequestError
from usfm.extract.config import Config
from usfm.extract.layouts import prepare
from usfm.extract.layouts.contract import names
from usfm.extract.run import run
from usfm.store.reader import Store

HERE = Path(__file__).parent
WRITE = runpy.run_path(str(HERE / "make.py"))["write"]
ONE_FILE = {"thyroid-cineclip"}


def miniature(name, folder):
    WRITE(folder, runpy.run_path(str(HERE / "miniatures" / f"{name}.py"))["FILES"])
    return folder


def pack(folder, archive, files=None):
    with zipfile.ZipFile(archive, "w") as out:
        for path in files or sorted(path for path in folder.rglob("*") if path.is_file()):
            out.write(path, path.relative_to(folder))
    return archive


def told(name, given):
    config, request = Config(layout=name), Request(inputs=(str(given),))
    found, facts, _, _, extra = prepare.prepared(config, request, prepare.placed(config, request))
    masks = sorted((one.source, one.frame, one.coding.name) for one in extra.masks)
    records = {path: sorted(frames) for path, frames in extra.matched.of.items()}
    shown = {path: repr(one).replace("(nan, nan)", "") for path, one in facts.items()}
    return [one.relative for one in found.sources], shown, masks, records, extra.gaps, extra.left


QUICK = {"bus-bra", "hc18", "fetus-framework", "camus", "gist514", "tn5000", "aul", "fass", "upbd", "brachial-plexus"}
"""One of each way in which a collection says its labels; the others are tried with the slow tests."""


@pytest.mark.parametrize(
    "name", [name if name in QUICK | ONE_FILE else pytest.param(name, marks=pytest.mark.slow) for name in names()]
)
def test_an_archive_says_what_the_folder_says(name, tmp_path):
    folder = miniature(name, tmp_path / "in")
    archive = pack(folder, tmp_path / "download.zip")
    if name in ONE_FILE:
        with pytest.raises(RequestError, match="unpack it first"):
            told(name, archive)
    else:
        assert told(name, archive) == told(name, folder)


def test_archives_in_a_folder_beside_tables(tmp_path):
    folder = miniature("hc18", tmp_path / "in")
    apart = tmp_path / "downloads"
    apart.mkdir()
    for part in ("training_set", "test_set"):
        pack(folder, apart / f"{part}.zip", sorted(path for path in (folder / part).rglob("*") if path.is_file()))
    for table in folder.glob("*.csv"):
        (apart / table.name).write_bytes(table.read_bytes())
    assert told("auto", apart) == told("hc18", folder)


def test_the_store_is_the_same_and_up_to_date(tmp_path):
    folder = miniature("bus-bra", tmp_path / "in")
    archive, out = pack(folder, tmp_path / "BUSBRA.zip"), str(tmp_path / "s.h5")
    run(Config(layout="auto"), Request(inputs=(str(archive),), out=out, workers=1))
    assert run(Config(layout="bus-bra"), Request(inputs=(str(archive),), out=out, workers=1))["up_to_date"]
    other = run(Config(layout="auto"), Request(inputs=(str(folder),), out=str(tmp_path / "t.h5"), workers=1))["out"]
    one, two = Store.open(out), Store.open(other)
    assert list(one.source_column("path")) == list(two.source_column("path"))
    assert list(one.column("frame_id")) == list(two.column("frame_id"))
    assert [(one.label_mask(i) == two.label_mask(i)).all() for i in range(3)] == [True] * 3
    assert [one.class_names[k] for k in one.labels_class()] == ["benign", "benign", "malignant"]


def test_names_that_lead_elsewhere_are_not_written(tmp_path):
    folder = miniature("bus-bra", tmp_path / "in")
    archive = pack(folder, tmp_path / "BUSBRA.zip")
    with zipfile.ZipFile(archive, "a") as out:
        out.writestr("BUSBRA/../../evil/10-fold-cv.csv", "ID\n1\n")
        out.writestr("/evil/10-fold-cv.csv", "ID\n1\n")
    assert told("bus-bra", archive)[0] == told("bus-bra", folder)[0]
    assert not list(tmp_path.rglob("evil"))


def test_a_damaged_archive_is_one_sentence(tmp_path):
    archive = pack(miniature("bus-bra", tmp_path / "in"), tmp_path / "BUSBRA.zip")
    for data in (archive.read_bytes()[:700], b"PK\3\4" + bytes(40), b""):
        archive.write_bytes(data)
        with pytest.raises(RequestError) as error:
            told("bus-bra", archive)
        assert "BUSBRA.zip" in str(error.value)
