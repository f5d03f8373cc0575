"""What a reader may tell besides pixels arrives in the store, and what names a patient does not."""

import json
from concurrent.futures import Executor, Future
from dataclasses import replace

import numpy as np
import pytest

from usfm.config import Request
from usfm.errors import MediaError
from usfm.extract import readers, told
from usfm.extract.config import Config
from usfm.extract.identity import Paths, Pseudonyms
from usfm.extract.labels import Facts
from usfm.extract.media import Media
from usfm.extract.readers.contract import Frame, Identity, Probe
from usfm.extract.run import run
from usfm.extract.scan import Scan, ScanTask, scan
from usfm.extract.sources import find
from usfm.jobs import pool
from usfm.store.reader import Store

NAMES = Pseudonyms(b"a key of tests")


class Here(Executor):
    """Runs parts in this process, which alone knows the made-up format."""

    def __init__(self, workers):
        self.limit_s = self.hang_s = None

    def submit(self, fn, /, *args, **kwargs):
        future = Future()
        future.set_result(fn(*args, **kwargs))
        return future


class Told:
    """A made-up format: JSON behind a mark, which says what its reader is to tell."""

    kind, suffixes, identifies = "told", frozenset((".told",)), True

    def recognises(self, head, suffix=""):
        return head.startswith(b"TOLD")

    def companions(self, media):
        return [media.beside(name) for name in self._facts(media).get("companions", [])]

    def _facts(self, media):
        with media.open() as file:
            return json.loads(file.read()[4:])

    def probe(self, media, *, stamps_above, options=None):
        facts = self._facts(media)
        one = Probe(8, 6, 2, identity=Identity(facts.get("patient", ""), facts.get("exam", "")))
        names = facts.get("items", []) if not media.item else []
        return replace(one, items=tuple(replace(one, item=name) for name in names))

    def read(self, media, sampling, notes, within=None, options=None):
        facts = self._facts(media)
        notes.frames, notes.kind = 2, "color-doppler"
        notes.metadata |= {"axis": options.axis, "tags": list(options.keep_tags), "item": media.item}
        notes.dicom_regions += facts.get("regions", [])
        pixels = np.full((8, 6), 7 + len(media.item), np.uint8)
        mask = np.zeros((8, 6), np.uint8)
        mask[2:4] = 1
        yield Frame(0, 0.0, pixels, spacing_mm=(0.25, 0.5), mask=mask, facts={"pose": [1, 2]})
        yield Frame(1, 0.5, pixels + 1, kind="m-mode")


@pytest.fixture
def told_file(tmp_path, monkeypatch):
    """Write files of the made-up format, which is read as long as the test runs."""
    monkeypatch.setitem(readers.READERS, "told", Told())

    def write(name, **facts):
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"TOLD" + json.dumps(facts).encode())
        return path

    return write


@pytest.fixture
def extract(tmp_path, monkeypatch):
    monkeypatch.setattr(pool, "WorkerPool", Here)
    monkeypatch.setenv("USFM_SALT", "a salt of tests")

    def go(*inputs, **settings):
        request = Request(
            inputs=tuple(map(str, inputs or [tmp_path / "in"])), out=str(tmp_path / "o.h5"), workers=1, overwrite=True
        )
        return Store.open(run(Config(**settings), request)["out"])

    return go


def test_kind_spacing_mask_regions_facts_and_options_arrive(told_file, extract):
    told_file("a.told", regions=[{"type": 1}])
    store = extract(fps="all", axis="1", keep_tag=("StudyDescription",))
    assert list(store.column("kind")) == ["color-doppler", "m-mode"]
    np.testing.assert_array_equal(store.column("row_spacing_mm"), np.float32([0.25, np.nan]))
    np.testing.assert_array_equal(store.column("col_spacing_mm"), np.float32([0.5, np.nan]))
    assert store.label_mask(0).sum() == 12
    assert store.label_mask(1) is None
    assert json.loads(store.source_column("dicom_regions")[0]) == [{"type": 1}]
    metadata = json.loads(store.source_column("metadata")[0])
    assert metadata == {"axis": "1", "tags": ["StudyDescription"], "item": "", "frames": {"0": {"pose": [1, 2]}}}


def test_people_are_pseudonyms_everywhere_and_the_manifest_wins(told_file, extract, tmp_path, capsys):
    for number, patient in enumerate(["Mueller", "Mueller", "Zwetschge"]):
        told_file(f"{number}.told", patient=patient, exam=f"exam{number}")
    store = extract()
    patients = store.source_column("patient").tolist()
    assert patients.count(Pseudonyms(b"a salt of tests").patient("Mueller")) == 2
    assert len(set(patients)) == 2
    assert len(set(store.source_column("exam"))) == 3
    (tmp_path / "m.csv").write_text("path,patient\n0.told,A\n1.told,B\n2.told,\n")
    capsys.readouterr()
    store = extract(manifest=str(tmp_path / "m.csv"), anonymous_paths=False)
    known = dict(zip(store.source_column("path"), store.source_column("patient"), strict=True))
    own = Pseudonyms(b"a salt of tests")
    assert known == {"0.told": own.patient("A"), "1.told": own.patient("B"), "2.told": own.patient("Zwetschge")}
    assert "1 patient of the files under several names" in " ".join(capsys.readouterr().err.split())
    assert all(name.encode() not in (tmp_path / "o.h5").read_bytes() for name in ("Mueller", "Zwetschge"))


def test_a_scan_holds_no_name_with_or_without_a_key(told_file):
    told_file("a.told", patient="Mueller", exam="exam1", items=["/x"])
    sources = find([str(told_file("b.told", patient="Mueller").parent)]).sources
    for names in (NAMES, None):
        result = scan(ScanTask(sources, 1 << 30, names=names))
        assert b"Mueller" not in result
        assert b"exam1" not in result
        assert (NAMES.patient("Mueller").encode() in result) == (names is not None)
    assert "Mueller" not in repr(Identity("Mueller"))


def test_several_items_of_one_file_are_sources_of_their_own(told_file, extract, tmp_path):
    path = told_file("a.told", items=["/x", "/y"])
    store = extract(anonymous_paths=False, fps="all")
    assert list(store.source_column("path")) == ["a.told:/x", "a.told:/y"]
    assert len(set(store.column("frame_id"))) == len(store) == 4
    one = extract(f"{path}:/y", anonymous_paths=False, fps="all")
    assert list(one.source_column("path")) == ["a.told:/y"]
    assert set(one.column("frame_id")) == set(store.column("frame_id")[store.column("source") == 1])
    hidden = Paths(NAMES)
    assert hidden.stored("a.told", "/x") != hidden.stored("a.told", "/y")
    assert hidden.stored("a.told", "/x").startswith(hidden.stored("a.told") + ":/")


def test_files_that_others_are_read_from_are_no_sources_and_count_for_the_digest(told_file, extract, tmp_path):
    told_file("a.told", companions=["b.told"])
    told_file("b.told")
    first = extract(anonymous_paths=False)
    assert list(first.source_column("path")) == ["a.told"]
    told_file("b.told", more="bytes")
    assert extract(anonymous_paths=False).source_column("sha256")[0] != first.source_column("sha256")[0]


@pytest.mark.parametrize(
    "name", ["/etc/passwd", "../x.raw", "a/../../x", "\\\\server\\x", "C:\\x", "", "a\0b", "..\\x"]
)
def test_a_header_opens_nothing_outside_of_its_folder(name):
    with pytest.raises(MediaError, match="data elsewhere"):
        Media("/scans/a.mhd").beside(name)
    assert Media("/scans/a.mhd").beside("raw/a.raw").path == "/scans/raw/a.raw"


def test_other_names_for_the_same_patients_are_no_conflict(tmp_path):
    sources = [source for source in _sources(4)]
    scans = [Scan("", patient=patient) for patient in ("p", "p", "q", "")]
    for given, expected in (("AABB", 0), ("ABCC", 1), ("AAAA", 1)):
        facts = {source.relative: Facts(patient=name) for source, name in zip(sources, given, strict=True)}
        assert told.conflicts(sources, scans, facts, NAMES) == {"patient_conflicts": expected}
    assert told.conflicts(sources, scans, {source.relative: Facts() for source in sources}, None) == {
        "patient_conflicts": 0
    }


def _sources(count):
    from usfm.extract.sources import Source

    return [Source(f"/{number}", str(number), str(number), "r") for number in range(count)]
