"""A hundred spoilt files of every kind of DICOM: each is read or rejected; the bench tries thousands, in children."""

import importlib.util
import warnings
from pathlib import Path

import numpy as np

PATH = Path(__file__).parents[3] / "bench" / "fuzz_dicom.py"
SPEC = importlib.util.spec_from_file_location("fuzz_dicom", PATH)
fuzz_dicom = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(fuzz_dicom)


def test_spoilt_files_are_read_or_rejected(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        good = list(fuzz_dicom.seeds(tmp_path).items())
        said = [
            fuzz_dicom.trial(*good[number % len(good)], np.random.default_rng([7, number]), tmp_path)
            for number in range(100)
        ]
    assert "read" in said
    assert any(one.startswith("rejected") for one in said)
