"""The vectors that a run was made from, where they are still kept beside it; no model is loaded."""

from pathlib import Path

import numpy as np

from usfm.errors import RequestError
from usfm.model.embedders import FEATURES_FORMAT
from usfm.store import tables

FOLDER = ".features"


def saved(run: str | Path, about: dict) -> dict[str, np.ndarray]:
    """Find the kept vectors of a run's encoder.

    Args:
        run: run directory.
        about: what its card says.

    Returns:
        frame_id -> (D,) float32; empty where none are kept.
    """
    encoder, inputs = about.get("encoder") or {}, about.get("inputs") or {}
    folder = Path(run).parent / FOLDER
    if not encoder.get("name") or not folder.is_dir():
        return {}
    found: dict[str, np.ndarray] = {}
    for path in sorted(folder.glob(f"{_literal(str(encoder['name']))}-*.h5")):
        try:
            columns, attributes = tables.read(path, FEATURES_FORMAT)
        except RequestError:
            continue  # damaged: as if it were not there
        theirs = attributes.get("encoder")
        same = isinstance(theirs, dict) and all(encoder.get(key) == value for key, value in theirs.items())
        if same and attributes.get("store") == inputs.get("store") and {"frame_id", "vectors"} <= set(columns):
            found |= dict(zip(columns["frame_id"].tolist(), columns["vectors"], strict=True))
    return found


def _literal(name: str) -> str:
    return "".join(f"[{sign}]" if sign in "*?[" else sign for sign in name)


def plane(vectors: np.ndarray) -> tuple[np.ndarray, tuple[float, float]]:
    """Lay vectors out in the plane of their two largest principal components.

    Args:
        vectors: (n, D), n of 3 or more.

    Returns:
        (n, 2), each axis turned so that its largest value is positive; and the share of the variance of each.
    """
    centred = np.asarray(vectors, np.float64) - vectors.mean(axis=0, dtype=np.float64)
    spread, axes = np.linalg.eigh(centred.T @ centred)
    axes, total = axes[:, :-3:-1], max(float(spread.sum()), 1e-30)
    points = centred @ axes
    if points.shape[1] < 2:
        points = np.hstack([points, np.zeros((len(points), 1))])
    signs = np.sign(points[np.abs(points).argmax(axis=0), np.arange(2)])
    shares = [*(float(value) / total for value in spread[:-3:-1]), 0.0]
    return points * np.where(signs == 0, 1, signs), (shares[0], shares[1])
