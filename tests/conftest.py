"""What every test shares: a home, a cache and a key file of its own, and one thread for the libraries."""

import os

# Before any library starts its pool: two cores, and test processes beside each other.
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "2")
os.environ.setdefault("MPLBACKEND", "Agg")

import pytest

from usfm import console


@pytest.fixture(autouse=True)
def _own_home(tmp_path_factory, monkeypatch):
    """Keep tests out of the user's home: key files, caches and settings go to a temporary folder."""
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / "config"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(home / "cache"))
    monkeypatch.setenv("USFM_SALT", "a salt for tests")
    monkeypatch.delenv("USFM_DEBUG", raising=False)
    console.configure()
