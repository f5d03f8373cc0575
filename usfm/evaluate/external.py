"""Ask a finished run about frames that it has never seen: another hospital, another scanner."""

import json
import tomllib
from pathlib import Path

import numpy as np

from usfm import console
from usfm.errors import RequestError
from usfm.model import embedders, features
from usfm.store.reader import Store
from usfm.tasks.classify import scores_of
from usfm.tasks.folds import group_frames
from usfm.tasks.predictions import Predictions


def predict(
    path: str | Path, seen: Predictions, store: Store, device: str = "auto", among: np.ndarray | None = None
) -> Predictions:
    """Let the probes of a run score the labelled frames of another store.

    The run's encoder is loaded again from its recipe and must be the same one; the scores are the mean over the probes
    of its folds. Nothing is fitted.

    Args:
        path: run directory.
        seen: its predictions.
        store: with class labels; classes that the run does not know are left out, and it is said.
        device: for the encoder.
        among: (n,) int rows of the store that may be scored; default: all.

    Returns:
        One row a frame, split "test", fold "external".

    Raises:
        RequestError: the run has kept no probe, its encoder is gone or another one, or no class is known.
    """
    path = Path(path)
    arrays, card, recipe = _parts(path)
    store.require(classes=True)
    label, known = store.labels_class(), {name: c for c, name in enumerate(seen.class_names)}
    names = np.array([*store.class_names, ""], object)[label]
    among = np.flatnonzero(label >= 0) if among is None else among
    rows = among[np.array([name in known for name in names[among]], bool)]
    strange = sorted(set(names[among]) - set(known) - {""})
    if not len(rows):
        raise RequestError(
            f"{store.paths[0]}: none of its classes ({', '.join(strange)}) is one that {path.name} knows "
            f"({', '.join(seen.class_names)})"
        )
    if strange:
        console.warn(
            f"{path.name} does not know these classes of the store, so they are left out: {', '.join(strange)}"
        )
    embedder = embedders.load(recipe["encoder"], device=device, seed=card["seed"], pool=recipe["pool"])
    if {**embedder.identity, "name": 0, "dim": 0} != {**card["encoder"], "name": 0, "dim": 0}:
        raise RequestError(f"{path}: '{recipe['encoder']}' is no longer the encoder that this run was made with")
    with console.progress(f"embedding with {embedder.name}", len(rows)) as bar:
        vectors = features.cached(store, rows, embedder, path.parent / ".features", advance=bar.advance)
    folds = sorted({name.rsplit(".", 1)[0] for name in arrays})
    each = [
        scores_of(
            {n.rsplit(".", 1)[1]: a for n, a in arrays.items() if n.rsplit(".", 1)[0] == fold}, vectors, len(known)
        )
        for fold in folds
    ]
    patient, source = store.of_frames("patient")[rows], store.of_frames("path")[rows]
    groups = group_frames(patient, source)
    counts = card["counts"]["frames_per_class"]
    return Predictions(
        frame_id=store.column("frame_id")[rows],
        source=source,
        patient=patient,
        group=np.array(groups.names, object)[groups.code],
        split=np.full(len(rows), "test", object),
        fold=np.full(len(rows), "external", object),
        target=np.array([known[name] for name in names[rows]], np.int32),
        scores=np.mean(each, axis=0).astype(np.float32),
        majority=np.full(len(rows), int(np.argmax([counts[name] for name in seen.class_names])), np.int32),
        class_names=seen.class_names,
        training=seen.training,
    )


def _parts(path: Path) -> tuple[dict[str, np.ndarray], dict, dict]:
    if not (path / "probe.npz").is_file():
        raise RequestError(
            f"{path}: the store given with --in holds none of its frames, and it has kept no probe to score new ones "
            "(only --protocol linear does)"
        )
    with np.load(path / "probe.npz") as file:
        arrays = dict(file)
    card = json.loads((path / "card.json").read_text(encoding="utf-8"))
    recipe = tomllib.loads((path / "recipe.toml").read_text(encoding="utf-8"))["finetune"]
    return arrays, card, recipe
