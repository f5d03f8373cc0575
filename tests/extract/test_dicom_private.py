"""DICOM with planted names: who it is becomes a pseudonym, and none of it is found in what is written or told."""

import json

import numpy as np
import pytest

from usfm.cli.main import main
from usfm.config import Request
from usfm.errors import RequestError
from usfm.extract.config import Config
from usfm.extract.identity import Pseudonyms
from usfm.extract.run import run
from usfm.inspect import export_sidecar
from usfm.store.reader import Store

PLANTED = ("mueller", "zwetschge", "kx77421", "19700102", "acc99812", "1.2.826.0.1.99", "privileged", "overlaid")


@pytest.fixture
def ward(tmp_path, monkeypatch):
    """Two exams of one patient and one of another, with names wherever a header has room for them."""
    from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, UltrasoundMultiFrameImageStorage

    monkeypatch.setenv("USFM_SALT", "a salt of tests")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    folder = tmp_path / "ward"
    folder.mkdir()
    for number, (patient, exam) in enumerate((("KX77421", "1"), ("KX77421", "2"), ("KX77422", "3"))):
        meta = FileMetaDataset()
        meta.TransferSyntaxUID = ExplicitVRLittleEndian
        meta.MediaStorageSOPClassUID = UltrasoundMultiFrameImageStorage
        meta.MediaStorageSOPInstanceUID = f"1.2.826.0.1.99.{number}"
        data = FileDataset(None, {}, file_meta=meta, preamble=b"\0" * 128)
        data.SOPClassUID, data.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
        data.StudyInstanceUID, data.SeriesInstanceUID = f"1.2.826.0.1.99.7.{exam}", f"1.2.826.0.1.99.8.{exam}"
        data.PatientID, data.PatientName, data.PatientBirthDate = patient, "Mueller^Zwetschge", "19700102"
        data.PatientComments = data.ImageComments = "Mueller, privileged"
        data.AccessionNumber, data.OperatorsName = "ACC99812", "Zwetschge"
        data.StudyDate, data.StudyDescription, data.Modality = "19700102", "Mueller liver", "US"
        data.Manufacturer, data.BurnedInAnnotation = "Maker", "YES" if number else "NO"
        data.add_new(0x00090010, "LO", "Mueller GmbH")
        data.add_new(0x00091001, "LO", "privileged")
        data.add_new(0x60000022, "LO", "overlaid")
        data.Rows, data.Columns, data.NumberOfFrames, data.FrameTime = 24, 32, 2, "40"
        data.SamplesPerPixel, data.PhotometricInterpretation, data.PixelRepresentation = 1, "MONOCHROME2", 0
        data.BitsAllocated = data.BitsStored = 8
        data.HighBit = 7
        region = Dataset()
        region.RegionSpatialFormat, region.RegionDataType, region.RegionFlags = 1, 1, 0
        region.RegionLocationMinX0, region.RegionLocationMinY0 = 2, 3
        region.RegionLocationMaxX1, region.RegionLocationMaxY1 = 29, 20
        region.PhysicalUnitsXDirection = region.PhysicalUnitsYDirection = 3
        region.PhysicalDeltaX, region.PhysicalDeltaY = 0.02, 0.01
        data.SequenceOfUltrasoundRegions = [region]
        data.PixelData = np.random.default_rng(number).integers(0, 256, (2, 24, 32), np.uint8).tobytes()
        data.save_as(folder / f"Mueller{number}.dcm", enforce_file_format=True)
    return folder


def extract(ward, **settings):
    request = Request(inputs=(str(ward),), out=str(ward.parent / "o.h5"), workers=1, overwrite=True)
    return Store.open(run(Config(fps="all", **settings), request)["out"])


def test_nothing_planted_is_written_or_told(ward, capsys):
    for more in ([], ["--keep-name-hashes"]):
        arguments = ["extract", str(ward), "--out", str(ward.parent / "o.h5"), "--workers", "1", "--overwrite", "-v"]
        with pytest.raises(SystemExit) as ended:
            main([*arguments, *more])
        assert ended.value.code == 0
        told = capsys.readouterr()
        written = b"".join(path.read_bytes() for path in ward.parent.rglob("o.h5*") if path.is_file())
        for word in PLANTED:
            assert word.encode() not in written.lower()
            assert word not in (told.out + told.err).lower()
        assert "2 sources that declare names" in " ".join(told.err.split())


def test_what_a_store_may_know_arrives(ward):
    store = extract(ward)
    names = Pseudonyms(b"a salt of tests")
    assert sorted(store.source_column("patient")) == sorted(map(names.patient, ("KX77421", "KX77421", "KX77422")))
    assert len(set(store.source_column("exam")) - {""}) == 3
    assert {json.loads(text)["manufacturer"] for text in store.source_column("metadata")} == {"Maker"}
    region = json.loads(store.source_column("dicom_regions")[0])[0]
    assert [region[key] for key in ("x0", "y0", "x1", "y1", "data_type")] == [2, 3, 29, 20, 1]
    assert set(store.column("kind")) == {"b-mode"}
    np.testing.assert_allclose(store.column("row_spacing_mm"), 0.1, rtol=1e-5)
    np.testing.assert_allclose(store.column("col_spacing_mm"), 0.2, rtol=1e-5)
    assert "name_hashes" not in store.source_columns


def test_hashes_of_names_answer_who_has_the_key_and_stay_inside(ward):
    store = extract(ward, keep_name_hashes=True)
    kept = set(store.source_column("name_hashes")[0].split())
    own, other = Pseudonyms(b"a salt of tests"), Pseudonyms(b"another salt")
    for word in ("Mueller", "ZWETSCHGE"):
        assert set(own.words([word]).split()) <= kept
        assert not set(other.words([word]).split()) & kept
    assert not set(own.words(["Liver"]).split()) & kept
    assert "name_hashes" not in export_sidecar.head(store, "png")["sources"][0]
    pytest.importorskip("pandas")
    assert "name_hashes" not in store.pandas().columns


def test_a_tag_is_kept_by_name_and_a_wrong_name_is_refused(ward):
    store = extract(ward, keep_tag=("StudyDescription",))
    assert json.loads(store.source_column("metadata")[0])["StudyDescription"] == "Mueller liver"
    with pytest.raises(RequestError, match="did you mean"):
        extract(ward, keep_tag=("StudyDescripton",))
