"""What a reader of a report has to know before the numbers: few patients, leaks, encoders that are not alike."""

from collections.abc import Mapping
from pathlib import Path

from usfm.errors import RequestError
from usfm.evaluate import coverage, overlap
from usfm.evaluate.overlap import Meeting
from usfm.model.progress import Progress, kept
from usfm.store.reader import Store
from usfm.tasks import directory
from usfm.tasks.predictions import Predictions

LEAKS = "leaks.csv"
"""Where 'usfm finetune' lists the held-out frames that look like a training frame."""


def about(path: str | Path) -> dict:
    """What a run's card says of itself; {} for a bare ``predictions.h5``.

    Raises:
        RequestError: an entry of its card is damaged.
    """
    whole = directory.card_of(path)
    if not whole:
        return {}
    for name, kind in (("encoder", dict), ("leaks", int), ("pretraining", dict)):
        if not isinstance(whole.get(name), kind | None):
            raise RequestError(f"{path}: the entry '{name}' of its card.json is damaged; make the run again")
    names = ("task", "protocol", "encoder", "inputs", "settings", "seed", "counts", "leaks", "pretraining")
    more = ("folds", "flags", "seconds", "memory_bytes", "memory_of", "parameters", "trained_parameters")
    return {name: whole.get(name) for name in names} | {name: whole[name] for name in more if name in whole}


def progress_of(about: dict) -> Progress | None:
    """How far the encoder's training had come when the run was made; None where its card does not say."""
    return kept(about.get("pretraining"))


def of_store(run: dict, store: Store, meeting: Meeting) -> list[str]:
    """Notes on a run that was asked about the store given with ``--in``.

    Args:
        run: its entry in the report.
        store: the store.
        meeting: what run and store have in common.

    Returns:
        Sentences.
    """
    trained, name = progress_of(run["about"]), run["name"]
    found = [f"{name}: {meeting.sentence()}"]
    if trained is not None and trained.saw(store):
        found.append(f"{name}: its encoder was pretrained on that store, without labels: it has seen these patients")
    return found


def of_runs(runs: list[dict], held: Mapping[str, Predictions], paths: Mapping[str, str], resamples: int) -> list[str]:
    """Notes on the runs and on their comparison.

    Args:
        runs: of the report, each with name, n, metrics, about.
        held: name -> what was measured.
        paths: name -> run directory.
        resamples: of the intervals.

    Returns:
        Sentences.
    """
    notes = [note for run in runs for note in _of_run(run, held[run["name"]], paths[run["name"]], resamples)]
    tasks = [{frozenset(e.frame_id.tolist()) for e in held.values() if e.task == task}
             for task in {each.task for each in held.values()}]  # fmt: skip
    if any(len(frames) > 1 for frames in tasks):  # runs of several tasks are not compared
        notes.append("the runs were measured on different frames; use --compare, which takes the frames they share")
    return notes + _shapes(runs)


def leaking(run: dict, held: Predictions) -> int:
    """Frames whose score is too good: alike to a training frame (as finetune found), or of a clip or patient of it.

    Args:
        run: its entry in the report.
        held: its predictions.

    Returns:
        Number of frames.
    """
    counts = overlap.within(held)
    return _listed(run, held) + counts["files"] + counts["patients"]


def _of_run(run: dict, held: Predictions, path: str, resamples: int) -> list[str]:
    name, notes = run["name"], []
    listed, counts = _listed(run, held), overlap.within(held)
    if listed:
        notes.append(
            f"{name}: too optimistic: {listed:,} held-out frames look like a training frame of another patient; list "
            f"in {Path(path).name}/{LEAKS}"
        )
    for kind, what in (("files", "clips"), ("patients", "patients")):
        if counts[kind]:
            notes.append(
                f"{name}: too optimistic: {counts[kind]:,} of {len(held):,} scored frames are of {what} that their own "
                "fold was trained on"
            )
    trained = progress_of(run["about"])
    if trained is not None and trained.status != "complete":
        notes.append(f"{name}: encoder {trained}: not trained to the end")
    if (run["about"].get("pretraining") or {}).get("same_store") and not (held.fold == "external").all():
        notes.append(
            f"{name}: its encoder was pretrained on the same store, without labels: it has seen these patients"
        )
    doubtful = coverage.note(run) if resamples else ""
    if doubtful:
        notes.append(doubtful)
    undefined = max(e["undefined"] for e in run["metrics"].values())
    if undefined:
        what = "a class was missing" if held.class_names else "a measure had no value"
        notes.append(f"{name}: {what} in {undefined} of {resamples} resamples; they are left out")
    without = int((held.patient == "").sum())
    if without:
        notes.append(f"{name}: {without} frames have no patient; their clip is drawn instead")
    return notes


def _listed(run: dict, held: Predictions) -> int:
    """Leaks that the run's card counts; none where other frames than its own were measured."""
    return 0 if (held.fold == "external").all() else int(run["about"].get("leaks") or 0)


def _shapes(runs: list[dict]) -> list[str]:
    """A note where the encoders of the runs are networks of other shapes."""
    shapes = {}
    for run in runs:
        encoder = run["about"].get("encoder") or {}
        if encoder.get("model"):
            channels = encoder.get("in_chans")
            shapes[run["name"]] = f"{encoder['model']}, {'x'.join(map(str, encoder.get('image_size', [])))} px" + (
                f", {channels} channels" if channels not in (None, 1) else ""
            )
    if len(set(shapes.values())) < 2:
        return []
    listed = "; ".join(f"{name}: {shape}" for name, shape in shapes.items())
    return [
        f"the encoders differ in shape ({listed}), so a difference between the runs is not that of training alone; "
        "random:RUN is the untrained network of a run's shape"
    ]
