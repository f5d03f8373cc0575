"""The files of a run that `usfm finetune` made, read so that damage ends in one sentence."""

import tomllib
import zipfile
from pathlib import Path

import numpy as np

from usfm.errors import RequestError
from usfm.model.card import CARD, card_of, json_of, sealed
from usfm.provenance import file_sha256, json_text

__all__ = ["CARD", "NETWORKS", "PROBE", "RECIPE", "card_of", "json_of", "probes_of", "recipe_of", "write_card"]

RECIPE, PROBE, NETWORKS = "recipe.toml", "probe.npz", "folds"
"""Files of a run, and the folder with the weights of each fold's best moment."""


def write_card(run: str | Path, card: dict) -> None:
    """Write the card of a run with the digests of its other files and of itself; the last file to be written.

    Args:
        run: run directory.
        card: what to write, without the digests.
    """
    folder = Path(run)
    files = {name: file_sha256(folder / name) for name in (RECIPE, PROBE) if (folder / name).is_file()}
    whole = sealed({**card, "digests": files})
    (folder / CARD).write_text(json_text(whole, indent=2) + "\n", encoding="utf-8")


def _check_file(run: str | Path, name: str) -> None:
    """Raise RequestError where a file is not the one that the run's card was written with."""
    files = card_of(run).get("digests")
    wanted = files.get(name) if isinstance(files, dict) else None
    if wanted is not None and file_sha256(Path(run) / name) != wanted:
        raise RequestError(f"{Path(run) / name}: is damaged or was changed; make the run again")


def recipe_of(run: str | Path) -> dict:
    """The settings that a run was made with: encoder, pool, and the others.

    Raises:
        RequestError: it is missing, not readable, or has no encoder.
    """
    file = Path(run) / RECIPE
    if not file.is_file():
        raise RequestError(f"{file}: is missing; make the run again")
    try:
        found = tomllib.loads(file.read_text(encoding="utf-8")).get("finetune")
    except (OSError, ValueError, RecursionError):
        raise RequestError(f"{file}: cannot be read, so it was removed or damaged; make the run again") from None
    if not isinstance(found, dict) or not all(isinstance(found.get(name), str) for name in ("encoder", "pool")):
        raise RequestError(f"{file}: does not name the encoder and its pool; make the run again")
    _check_file(run, RECIPE)
    return found


def probes_of(run: str | Path, classes: int) -> dict[str, dict[str, np.ndarray]]:
    """The probes of a run: fold -> mean, std, weight, bias, classes (see `classify.linear`).

    Args:
        run: run directory.
        classes: how many the run knows; 0 for a run that predicts one number a frame.

    Returns:
        Name of the fold -> the arrays of its probe.

    Raises:
        RequestError: the file is missing or damaged, or its arrays do not fit one another.
    """
    file = Path(run) / PROBE
    if not file.is_file():
        raise RequestError(f"{file}: is missing; make the run again")
    try:
        with zipfile.ZipFile(file) as packed:
            if sum(entry.file_size for entry in packed.infolist()) > file.stat().st_size:
                raise ValueError  # NumPy's savez packs nothing; what is packed can be as large as it likes
        with open(file, "rb") as handle, np.load(handle, allow_pickle=False) as arrays:
            flat = dict(arrays)
    except Exception as error:  # zip, zlib, NumPy and Python raise whatever they like for damage
        raise RequestError(f"{file}: cannot be read ({type(error).__name__}); make the run again") from None
    probes: dict[str, dict[str, np.ndarray]] = {}
    for name, values in flat.items():
        fold, _, part = name.rpartition(".")
        probes.setdefault(fold, {})[part] = values
    for fold, probe in probes.items():
        if not _fits(probe, classes):
            raise RequestError(f"{file}: the probe of fold '{fold}' is damaged; make the run again")
    if not probes:
        raise RequestError(f"{file}: holds no probe; make the run again")
    _check_file(run, PROBE)
    return probes


def _fits(probe: dict[str, np.ndarray], classes: int) -> bool:
    """Whether the arrays of a probe have the shapes that belong together, and values that can be used."""
    if set(probe) != {"mean", "std", "weight", "bias", *(("classes",) if classes else ())}:
        return False
    if any(a.dtype.kind not in "fiu" or not np.isfinite(a).all() for a in probe.values()):
        return False
    if not classes:  # one number a frame
        dim = probe["mean"].shape
        fits = len(dim) == 1 and probe["std"].shape == dim == probe["weight"].shape and probe["bias"].shape == ()
        return fits and bool((probe["std"] > 0).all())
    known = probe["classes"]
    if known.ndim != 1 or known.dtype.kind not in "iu" or not len(known) or known.min() < 0 or known.max() >= classes:
        return False
    rows = 1 if len(known) == 2 else len(known)
    dim = probe["mean"].shape
    fits = len(dim) == 1 and probe["std"].shape == dim and probe["weight"].shape == (rows, *dim)
    return fits and probe["bias"].shape == (rows,) and bool((probe["std"] > 0).all())
