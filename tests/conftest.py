"""What every test shares: a home, a cache and a key file of its own, and one thread for the libraries."""

import os

# Before any library starts its pool: two cores, and test processes beside each other.
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "2")
os.environ.setdefault("MPLBACKEND", "Agg")

import pytest
from hypothesis import settings

from usfm import console

# The same examples every time: a gate that draws anew fails by chance, far from the change that it judges.
settings.register_profile("gate", derandomize=True)
settings.load_profile("gate")


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


@pytest.fixture(scope="session")
def good(tmp_path_factory):
    """A store without labels and a labelled one that sector made: the good inputs, and what bad ones are cut from."""
    import numpy as np
    from PIL import Image

    from usfm.cli.main import main

    folder = tmp_path_factory.mktemp("good")
    rng = np.random.default_rng(0)
    for number in range(12):
        path = folder / f"media/{('sick', 'well')[number % 2]}/p{number // 2}_{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        speckle = rng.rayleigh(50, (96, 96)).clip(1, 255).astype(np.uint8)
        Image.fromarray(np.pad(speckle, 16)).save(path)
    store, labelled = str(folder / "good.h5"), str(folder / "labelled.h5")
    group = ["--labels", "folder", "--group", r"(?P<patient>p\d)_"]
    for arguments in (
        ["extract", str(folder / "media"), "--out", store],
        ["extract", str(folder / "media"), "--out", labelled, *group],
        ["sector", "--in", labelled, "--out", str(folder / "sector.h5"), "--size", "32"],
    ):
        with pytest.raises(SystemExit) as end:
            main([*arguments, "--workers", "1", "-q"])
        assert end.value.code == 0
    return folder
