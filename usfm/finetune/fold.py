"""What a fold of any protocol gives: predictions of its held-out frames, and a line of figures."""

import numpy as np

from usfm import console
from usfm.errors import RequestError
from usfm.finetune import plan as planning
from usfm.store.reader import Store
from usfm.tasks import TASKS
from usfm.tasks.contract import Task
from usfm.tasks.folds import Fold
from usfm.tasks.predictions import Predictions, Training


def predicted(plan: planning.Cases, task: Task, fold: Fold, store: Store, raw) -> Predictions:
    """The predictions of a fold.

    Args:
        plan: the cases.
        task: what is predicted.
        fold: who is held out.
        store: of the frames.
        raw: what the probe or network said of the held-out frames, (m, ...).

    Returns:
        One row a held-out frame, and who was trained on.

    Raises:
        RequestError: what was said is none, such as NaN.
    """
    rows, trained = plan.rows[fold.held], plan.rows[fold.train]
    name, path, patient = store.column("frame_id"), store.of_frames("path"), store.of_frames("patient")
    found = Predictions(
        frame_id=name[rows],
        source=path[rows],
        patient=patient[rows],
        group=np.array(plan.groups.names, object)[plan.groups.code[fold.held]],
        split=np.asarray(fold.split, object),
        fold=np.full(len(rows), fold.name, object),
        arrays=task.predicted(plan.known, fold.train, fold.held, raw),
        class_names=plan.known.class_names,
        task=task.name,
        facts=dict(plan.known.facts),
        training=Training(name[trained], path[trained], patient[trained], np.full(len(trained), fold.name, object)),
    )
    for fault in task.faults(found):
        raise RequestError(f"fold {fold.name}: what was predicted is wrong: {fault}; take another encoder or settings")
    return found


def line_of(plan: planning.Cases, fold: Fold, part: Predictions, chosen: dict, seconds: float) -> dict:
    """What ``metrics.jsonl`` says of a fold.

    Args:
        plan: the cases.
        fold: who was trained on and held out.
        part: its predictions.
        chosen: what the training chose and cost; JSON values.
        seconds: that it took.

    Returns:
        JSON values.
    """
    return {
        "fold": fold.name,
        "train_frames": len(fold.train),
        "train_patients": planning.patients_of(plan, fold.train),
        "held_frames": len(fold.held),
        "held_patients": planning.patients_of(plan, fold.held),
        **quick(part),
        **chosen,
        "seconds": round(seconds, 3),
    }


def quick(held: Predictions) -> dict:
    """Measures over frames, test frames where there are any."""
    held = held.take(held.split == "test") if (held.split == "test").any() else held
    return TASKS[held.task].quick(held)


def warn_of_lacking(fold: Fold, plan: planning.Cases) -> None:
    """Say which classes a fold is trained without.

    Args:
        fold: who is trained on.
        plan: the cases.
    """
    strata = plan.known.strata_names
    lacking = sorted(set(range(len(strata))) - set(plan.known.strata[fold.train].tolist()))
    if lacking:
        console.warn(f"fold {fold.name} is trained without any frame of: {', '.join(strata[c] for c in lacking)}")
