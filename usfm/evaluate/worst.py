"""The cases that a run got most wrong, one a patient, and the training frames that lie nearest to them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from usfm.imaging.neighbours import cosines
from usfm.pictures import sheet
from usfm.store.reader import Store
from usfm.tasks.contract import Scored
from usfm.tasks.draws import Draws
from usfm.tasks.predictions import Predictions

_NEIGHBOURS = 3
_CELL_PX = 170
_BLOCK = 200  # frames that are measured at once, each alone


@dataclass(frozen=True)
class Worst:
    """One frame that was judged wrong.

    Attributes:
        frame_id: its name.
        patient: "" where unknown.
        true: true class.
        said: predicted class.
        share: probability given to the true class; None where there are no classes.
        score: of the predicted class; None where there are no classes.
        near: frame_id, class or number ("" where unknown) and cosine of the nearest training frames, one a patient.
        measure: title of what the frame alone scored, where it is no matter of classes.
        value: of that measure.
    """

    frame_id: str
    patient: str
    true: str
    said: str
    share: float | None
    score: float | None
    near: tuple[tuple[str, str, float], ...]
    measure: str = ""
    value: float | None = None


def ranks(held: Predictions) -> bool:
    """Whether there is one true class a frame and a probability of each class, so that cases have an order."""
    return (
        "scores" in held.arrays
        and held.arrays["scores"].shape[1:] == (len(held.class_names),)
        and (held.arrays["target"].ndim == 1)
    )


def cases(held: Predictions, whole: Predictions, vectors: Mapping[str, np.ndarray], count: int) -> list[Worst]:
    """Find the frames whose true class got the least.

    Args:
        held: what was measured.
        whole: all predictions of the run, with what it was trained on.
        vectors: frame_id -> vector; without them there are no neighbours.
        count: how many at most; one a patient.

    Returns:
        Wrong frames, the worst first.
    """
    scores, target = held.arrays["scores"], held.arrays["target"]
    share = scores[np.arange(len(held)), target]
    said = scores.argmax(axis=1)
    order = np.argsort(share, kind="stable")
    order = order[said[order] != target[order]]
    _, first = np.unique(held.group[order].astype(str), return_index=True)
    names = held.class_names
    known = dict(zip(whole.frame_id.tolist(), whole.arrays["target"].tolist(), strict=True))
    return [
        Worst(
            str(held.frame_id[k]), str(held.patient[k]), names[target[k]], names[said[k]], float(share[k]),
            float(scores[k, said[k]]),
            tuple((n, names[known[n]] if n in known else "", near) for n, near in _near(held, k, whole, vectors)),
        )
        for k in order[np.sort(first)][:count]
    ]  # fmt: skip


def by_measure(
    held: Predictions, frames: Scored, whole: Predictions, vectors: Mapping[str, np.ndarray], count: int
) -> list[Worst]:
    """Find the frames that alone score worst in the first measure of a task without classes of frames.

    Args:
        held: what was measured.
        frames: it, a case a frame.
        whole: all predictions of the run, with what it was trained on.
        vectors: frame_id -> vector; without them there are no neighbours.
        count: how many at most; one a patient.

    Returns:
        Frames, the worst first; none that scores as well as the best one.
    """
    first = frames.measures[0]
    found = np.concatenate([_alone(frames, rows, first.name) for rows in _blocks(len(frames))])
    badness = -found if first.higher else found
    order = np.argsort(-badness, kind="stable")
    known = np.isfinite(found)
    order = order[known[order]]
    order = order[badness[order] > badness[known].min()] if len(order) else order
    _, once = np.unique(frames.group[order].astype(str), return_index=True)
    place = {str(name): k for k, name in enumerate(held.frame_id.tolist())}
    truth = dict(zip(whole.frame_id.tolist(), _numbers(whole, "target"), strict=True))
    true, said = _numbers(held, "target"), _numbers(held, "said")
    worst = []
    for at in order[np.sort(once)][:count]:
        k = place[str(frames.key[at])]
        near = tuple((name, truth.get(name, ""), cosine) for name, cosine in _near(held, k, whole, vectors))
        worst.append(
            Worst(str(held.frame_id[k]), str(held.patient[k]), true[k], said[k], None, None, near, first.title,
                  round(float(found[at]), 6))
        )  # fmt: skip
    return worst


def _blocks(n: int) -> list[np.ndarray]:
    return [np.arange(at, min(at + _BLOCK, n)) for at in range(0, n, _BLOCK)]


def _alone(frames: Scored, rows: np.ndarray, measure: str) -> np.ndarray:
    """A measure of each of some frames by itself, (n,)."""
    part = frames.part(rows)
    names = np.array([f"{k:06d}" for k in range(len(rows))])
    each = replace(part, group=names.astype(object))  # type: ignore[type-var]
    return each.measure(Draws(names, np.eye(len(rows), dtype=int)))[measure]


def _numbers(held: Predictions, name: str) -> list[str]:
    """A number a frame as text; "" where the task has no such thing."""
    values = held.arrays.get(name)
    if values is None or values.ndim != 1 or values.dtype.kind not in "f":
        return [""] * len(held)
    return [f"{value:.4g}" for value in values.tolist()]


def _near(held: Predictions, k: int, whole: Predictions, vectors: Mapping[str, np.ndarray]) -> list[tuple[str, float]]:
    training, mine = whole.training, vectors.get(str(held.frame_id[k]))
    if training is None or mine is None:
        return []
    fold = str(held.fold[k])
    rows = np.flatnonzero(training.fold.astype(str) == fold) if fold != "external" else np.arange(len(training))
    rows = np.array([row for row in rows if training.frame_id[row] in vectors], int)
    if not len(rows):
        return []
    others = np.stack([vectors[str(training.frame_id[row])] for row in rows])
    middle = others.mean(axis=0)  # without it all vectors of an encoder point the same way
    near = cosines(_unit((mine - middle)[None]), _unit(others - middle))[0]
    found: dict[str, tuple[str, float]] = {}
    for at in np.argsort(-near, kind="stable"):
        who = str(training.patient[rows[at]] or training.source[rows[at]])
        found.setdefault(who, (str(training.frame_id[rows[at]]), round(float(near[at]), 4)))
        if len(found) == _NEIGHBOURS:
            break
    return list(found.values())


def _unit(vectors: np.ndarray) -> np.ndarray:
    return (vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)).astype(np.float32)


def pictures(found: list[Worst], store: Store) -> list[list[tuple[np.ndarray, str]]]:
    """The frames, each with its neighbours.

    Args:
        found: of `cases`.
        store: holds the frames; a case or a neighbour that it lacks is left out.

    Returns:
        A row a case: (small picture, words below it) of the case and of its neighbours.
    """
    place = {name: row for row, name in enumerate(store.column("frame_id").tolist())}
    labels, class_names = (store.labels_class(), store.class_names) if store.class_names else (None, [])
    rows = []
    for each in (each for each in found if each.frame_id in place):
        row: list[tuple[str, str, sheet.Colour | None]] = []
        row.append((each.frame_id, _words(each), sheet.RED))
        for name, label, cosine in each.near:
            if not label and labels is not None and name in place and labels[place[name]] >= 0:
                label = class_names[labels[place[name]]]
            row.append((name, f"in training: {label or 'unknown'}; cosine {cosine:.2f}", None))
        rows.append([(_small(store.frame(place[n]), border), words) for n, words, border in row if n in place])
    return rows


def _words(each: Worst) -> str:
    """What stands below the picture of a case."""
    said = f"true: {each.true}; predicted: {each.said}" if each.true else ""
    if each.score is not None:
        return f"{said} ({each.score:.2f})"
    value = "" if each.value is None else f"{each.measure} {each.value:.3g}"
    return said or value


def _small(frame: np.ndarray, border: sheet.Colour | None) -> np.ndarray:
    cell = sheet.fit(frame, _CELL_PX, _CELL_PX)
    if border is not None:
        for edge in (cell[:3], cell[-3:], cell[:, :3], cell[:, -3:]):
            edge[:] = border
    return cell
