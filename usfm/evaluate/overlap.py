"""What a run has worked on already: in a store given with ``--in``, and among the frames that it was scored on."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from usfm.errors import RequestError
from usfm.store.joins import whole_ids
from usfm.store.reader import Store
from usfm.tasks import directory
from usfm.tasks.predictions import Predictions


@dataclass(frozen=True)
class Meeting:
    """A store beside a run.

    Attributes:
        own: the store holds the frames that the run was scored on: it serves for pictures, nothing is scored anew.
        new: (n,) int labelled rows whose frame, file and patient the run has never worked on.
        labelled: labelled frames of the store.
        frames: labelled frames that the run was trained or scored on.
        files: further ones, of the same files.
        patients: further ones, of the same patients.
        unnamed: frames among `new` that could not be compared by patient, because it or the run's is unknown.
        training_known: whether the run says what it was trained on.
    """

    own: bool
    new: np.ndarray
    labelled: int
    frames: int
    files: int
    patients: int
    unnamed: int
    training_known: bool

    def sentence(self) -> str:
        """What was scored and what was left out."""
        left = _counted(self.frames, self.files, self.patients)
        if left:
            text = (
                f"scored {len(self.new):,} of {self.labelled:,} labelled frames of the store given with --in; "
                f"left out: {left}"
            )
        elif self.training_known:
            text = "scored the store given with --in, which it has never seen: no frame, file or patient in common"
        else:
            text = "scored the store given with --in; whether it was trained on these patients is not known"
        if self.unnamed:
            text += f"; {self.unnamed:,} of these frames could not be compared by patient, since no patient is known"
        return text


def meet(path: str | Path, seen: Predictions, store: Store) -> Meeting:
    """Find out what of a store a run has worked on: as frames, as files, or as patients.

    Args:
        path: run directory (or its ``predictions.h5``).
        seen: all its predictions, with the frames that it was trained on where they are known.
        store: given with ``--in``.

    Returns:
        What the run knows of the store, and which frames are new to it.

    Raises:
        RequestError: the run has worked on all of the store, yet was scored on none of it (its training data).
    """
    names = store.column("frame_id").astype(str)
    labelled = np.flatnonzero(np.asarray(store.labels_class()) >= 0) if store.class_names else np.arange(len(store))
    patients = store.of_frames("patient")[labelled].astype(str)
    training = seen.training
    worked = [seen] if training is None else [seen, training]
    known_names = np.unique(np.concatenate([each.frame_id.astype(str) for each in worked]))
    known_patients = {str(name) for each in worked for name in each.patient} - {""}
    frame = np.isin(whole_ids(names[labelled]), np.unique(whole_ids(known_names)))  # another view is the same frame
    file = np.isin(_files(names[labelled]), np.unique(_files(known_names))) & ~frame
    patient = np.isin(patients, sorted(known_patients)) & ~frame & ~file
    new = ~(frame | file | patient)
    scored_here = bool(np.isin(seen.frame_id.astype(str), names).any())
    if not new.any() and not scored_here:
        raise RequestError(
            f"{store.paths[0]}: nothing in it is new to {Path(path).name}: of {len(labelled):,} labelled frames "
            f"{_counted(int(frame.sum()), int(file.sum()), int(patient.sum()))}; give a store of other patients"
        )
    return Meeting(
        own=scored_here and (not new.any() or _made_from(path) == store.content_id),
        new=labelled[new],
        labelled=len(labelled),
        frames=int(frame.sum()),
        files=int(file.sum()),
        patients=int(patient.sum()),
        unnamed=int(new.sum()) if not known_patients else int((new & (patients == "")).sum()),
        training_known=training is not None,
    )


def _counted(frames: int, files: int, patients: int) -> str:
    """Known frames in words.

    >>> _counted(3, 0, 2)
    '3 that it was trained or scored on, 2 of its patients'
    """
    what = (frames, "that it was trained or scored on"), (files, "of its files"), (patients, "of its patients")
    return ", ".join(f"{count:,} {words}" for count, words in what if count)


def within(held: Predictions) -> dict[str, int]:
    """Count the scored frames that the same fold was trained on: as frames, as files (or sources), or as patients.

    Args:
        held: predictions of a run.

    Returns:
        "frames", "files", "patients" -> frames, each counted once, under the first that holds.
    """
    counts = {"frames": 0, "files": 0, "patients": 0}
    training = held.training
    if training is None:
        return counts
    for fold in sorted(set(held.fold.tolist())):
        mine, theirs = held.fold == fold, training.fold == fold
        names, trained = held.frame_id[mine].astype(str), training.frame_id[theirs].astype(str)
        frame = np.isin(whole_ids(names), np.unique(whole_ids(trained)))
        file = np.isin(_files(names), _files(trained))
        # Two stores may use one path for two clips, so a path tells only of frames without a patient.
        file |= _same(held.source[mine], training.source[theirs]) & (held.patient[mine].astype(str) == "")
        patient = _same(held.patient[mine], training.patient[theirs])
        counts["frames"] += int(frame.sum())
        counts["files"] += int((file & ~frame).sum())
        counts["patients"] += int((patient & ~file & ~frame).sum())
    return counts


def _same(values: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Which texts are among the known ones; "" never is."""
    return np.isin(values.astype(str), sorted({str(value) for value in known} - {""}))


def _files(frame_ids: np.ndarray) -> np.ndarray:
    """The part of each frame_id that names the content of its file: (n,) str."""
    return np.array([name.split(":")[0].split("~")[0] for name in frame_ids], dtype=str)


def _made_from(path: str | Path) -> str | None:
    """The content id of the store that a run was made from, where its card says it."""
    made_from = directory.card_of(path).get("inputs")
    found = made_from.get("store") if isinstance(made_from, dict) else None
    return found if isinstance(found, str) else None
