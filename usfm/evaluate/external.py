"""Ask a finished run about frames that it has never seen: another hospital, another scanner."""

from pathlib import Path

import numpy as np

from usfm import console
from usfm.errors import RequestError
from usfm.model import features
from usfm.screening.groups import group_frames
from usfm.store.reader import Store
from usfm.tasks import directory
from usfm.tasks.again import embedder_of
from usfm.tasks.contract import Task
from usfm.tasks.predictions import Predictions


def predict(
    task: Task,
    path: str | Path,
    seen: Predictions,
    store: Store,
    device: str = "auto",
    among: np.ndarray | None = None,
    resize: str = "auto",
) -> Predictions:
    """Let the probes of a run score the labelled frames of another store.

    The run's encoder is loaded again from its recipe and must be the same one; the scores are the mean over the probes
    of its folds. Nothing is fitted.

    Args:
        task: of the run.
        path: run directory.
        seen: its predictions.
        store: with class labels; classes that the run does not know are left out with a warning.
        device: for the encoder.
        among: (n,) int rows of the store that may be scored; default: all.
        resize: how a frame fits the encoder's square: "letterbox", "stretch", or "auto", as when the run was made.

    Returns:
        One row a frame, split "test", fold "external".

    Raises:
        RequestError: the run has kept no probe, its encoder is gone or another one, or no class is known.
    """
    path = Path(path)
    if not (path / directory.PROBE).is_file():
        raise RequestError(
            f"{path}: the store given with --in is not the one that it was made from, and it has kept no probe to "
            "score new frames (only --protocol linear does)"
        )
    probes = directory.probes_of(path, len(seen.class_names))
    rows, known = task.outside(path, seen, store, among)
    embedder = embedder_of(path, device, resize)
    with console.progress(f"embedding with {embedder.name}", len(rows)) as bar:
        vectors = features.cached(store, rows, embedder, path.parent / ".features", advance=bar.advance)
    if any(probe["mean"].shape != (embedder.dim,) for probe in probes.values()):
        raise RequestError(f"{path}: its probes are for vectors of another length than {embedder.dim}; make it again")
    patient, source = store.of_frames("patient")[rows], store.of_frames("path")[rows]
    groups = group_frames(patient, source)
    return Predictions(
        frame_id=store.column("frame_id")[rows],
        source=source,
        patient=patient,
        group=np.array(groups.names, object)[groups.code],
        split=np.full(len(rows), "test", object),
        fold=np.full(len(rows), "external", object),
        arrays={**known, **task.again(probes, vectors, len(seen.class_names))},
        class_names=seen.class_names,
        training=seen.training,
        task=task.name,
    )
