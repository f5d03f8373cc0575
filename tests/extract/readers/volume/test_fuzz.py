"""Spoilt files are read or rejected; the bench does the same thirty times as often."""

import importlib.util
from pathlib import Path

import pytest

PATH = Path(__file__).parents[3] / "bench" / "fuzz_volumes.py"
SPEC = importlib.util.spec_from_file_location("fuzz_volumes", PATH)
fuzz_volumes = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(fuzz_volumes)


@pytest.mark.parametrize("kind", fuzz_volumes.SEEDS)
def test_spoilt_files(tmp_path, kind):
    outcomes = fuzz_volumes.trials(kind, 100, 7, tmp_path)
    assert outcomes.total() == 100
    assert len(outcomes) > 2  # some are read, some are rejected, for several reasons
