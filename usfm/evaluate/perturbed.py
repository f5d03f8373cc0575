"""Runs asked again about their own frames, made harder."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from usfm import console
from usfm.errors import RequestError
from usfm.evaluate import bootstrap, robust
from usfm.evaluate.gather import Given
from usfm.evaluate.robust import Dose
from usfm.evaluate.summary import estimate
from usfm.model import features
from usfm.store.reader import Store
from usfm.tasks import directory
from usfm.tasks.again import embedder_of
from usfm.tasks.contract import Scored, Task
from usfm.tasks.draws import Draws
from usfm.tasks.predictions import Predictions


def check(name: str, given: Given, held: Predictions, rows: np.ndarray) -> None:
    """Refuse a run that cannot be asked again.

    Args:
        name: of the run.
        given: the run.
        held: what is measured.
        rows: (n,) int row of each frame in the store, -1 where it lacks the frame.

    Raises:
        RequestError: it came from a table, has no probe, or the store lacks its frames.
    """
    if given.table:
        raise RequestError(
            f"{name}: came from a table, so no model can be asked again; leave out --perturb or the table"
        )
    if not (Path(given.path) / directory.PROBE).is_file():
        if not (Path(given.path) / directory.NETWORKS).is_dir():
            raise RequestError(
                f"{given.path}: has kept nothing to score frames again: neither a probe (--protocol linear) nor "
                "trained networks (frozen, lora, full)"
            )
        from usfm.evaluate import trained

        trained.check(given.path)
    lacking = int((rows < 0).sum())
    if lacking:
        raise RequestError(
            f"--perturb: the store given with --in lacks {lacking:,} of the {len(held):,} frames of {name}"
        )


@dataclass(frozen=True)
class Clean:
    """A run as it was measured on its frames as they are.

    Attributes:
        name: of the run.
        task: of the run.
        given: the run.
        held: what was measured.
        rows: (n,) int row of each frame in the store.
        entry: of the report.
        drawn: measure -> (B,) on the resamples.
        left: measure -> (m,) without each patient.
        draws: those resamples.
        scored: turns predictions into cases.
    """

    name: str
    task: Task
    given: Given
    held: Predictions
    rows: np.ndarray
    entry: dict
    drawn: dict[str, np.ndarray]
    left: dict[str, np.ndarray]
    draws: Draws
    scored: Callable[[Predictions], Scored]


def measure(
    run: Clean, store: Store, asked: list[Dose], device: str, resize: str, seed: int, confidence: float
) -> list[dict]:
    """Score the frames of a run again at every dose.

    Args:
        run: as it was measured.
        store: holds the frames.
        asked: the doses.
        device: for the encoder.
        resize: as of ``--resize``.
        seed: of what is drawn.
        confidence: of the intervals.

    Returns:
        One entry a perturbation: run, name, clean (measure -> estimate), steps (strength, metrics, change).
    """
    again = _asker(run, store, device, resize)
    entries: dict[str, dict] = {}
    with console.progress(f"{run.name}: perturbed frames", len(run.rows) * len(asked)) as bar:
        for dose in asked:
            cases = run.scored(again(robust.changer(store, dose, seed), bar.advance))
            first = {"run": run.name, "name": dose.name, "clean": _plain(run.entry["metrics"]), "steps": []}
            step = {"strength": dose.strength, **_beside(run, cases, confidence)}
            entries.setdefault(dose.name, first)["steps"].append(step)
    return list(entries.values())


def _asker(run: Clean, store: Store, device: str, resize: str) -> Callable[..., Predictions]:
    """(change of frames, advance) -> what the run says of its frames then: its probes, or its trained networks."""
    if not (Path(run.given.path) / directory.PROBE).is_file():
        from usfm.evaluate import trained

        more = run.given.path, run.held, run.given.whole, store, run.rows
        return lambda change, advance: trained.said(run.task, *more, change, device, advance)
    embedder = embedder_of(Path(run.given.path), device, resize)
    probes = directory.probes_of(run.given.path, len(run.held.class_names))

    def ask(change, advance) -> Predictions:
        vectors = features.of_rows(store, run.rows, embedder, advance=advance, change=change)
        return _said(run.task, run.held, probes, vectors)

    return ask


def _beside(run: Clean, cases: Scored, confidence: float) -> dict:
    """Measures of perturbed frames, and what they changed, on the same resamples."""
    point, drawn, patients = cases.measure(None), cases.measure(run.draws), len(run.draws.names)
    left = cases.measure(bootstrap.left_out(cases.group))
    found: dict = {"metrics": {}, "change": {}}
    for one in cases.measures:
        name, before = one.name, run.entry["metrics"][one.name]["value"]
        moved = point[name] - (np.nan if before is None else before)
        change = replace(one, within=(-np.inf, np.inf), share=False, inflated=False)
        found["metrics"][name] = estimate(one, point[name], drawn[name], left[name], confidence, patients)
        less = drawn[name] - run.drawn[name], left[name] - run.left[name]
        found["change"][name] = estimate(change, moved, *less, confidence, patients)
    return found


def _plain(measured: dict) -> dict:
    return {name: {key: e[key] for key in ("value", "low", "high")} for name, e in measured.items()}


def _said(task: Task, held: Predictions, probes: dict, vectors: np.ndarray) -> Predictions:
    """The predictions from other vectors, each frame by the probe of its own fold (a strange frame: by all)."""
    found: dict[str, np.ndarray] = {}
    for fold in sorted(set(held.fold.tolist())):
        mine = held.fold == fold
        asked = {fold: probes[fold]} if fold in probes else probes
        for column, values in task.again(asked, vectors[mine], len(held.class_names)).items():
            whole = found.setdefault(column, np.zeros((len(held), *values.shape[1:]), values.dtype))
            whole[mine] = values
    return held.with_arrays(**found)
