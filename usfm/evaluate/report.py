"""Everything that the report says, as JSON values, and what its figures are drawn from."""

from dataclasses import asdict, dataclass, field, replace

import numpy as np

from usfm import console
from usfm.config import Request
from usfm.errors import RequestError
from usfm.evaluate import (
    columns,
    compare,
    dataset,
    efficiency,
    how,
    notes,
    perturbed,
    robust,
    subgroups,
    summary,
    vectors,
    words,
    worst,
)
from usfm.evaluate.config import Config
from usfm.evaluate.gather import Given
from usfm.evaluate.tables import by_task, main
from usfm.evaluate.worst import Worst
from usfm.provenance import software
from usfm.seeding import stream
from usfm.store.reader import Store
from usfm.tasks import TASKS, benchmarks, learning
from usfm.tasks.contract import Scored
from usfm.tasks.draws import Draws, draw
from usfm.tasks.predictions import Predictions

_WORST = 12


@dataclass
class Made:
    """A report and what its figures need.

    Attributes:
        report: JSON values.
        held: run -> what was measured.
        cases: run -> its cases.
        draws: run -> resamples of its patients.
        drawn: run -> measure -> (B,).
        left: run -> measure -> (m,), without each patient.
        maps: run -> (points, shares of variance, column -> values).
        worst: run -> its worst cases.
    """

    report: dict
    held: dict[str, Predictions]
    cases: dict[str, Scored] = field(default_factory=dict)
    draws: dict[str, Draws] = field(default_factory=dict)
    drawn: dict[str, dict[str, np.ndarray]] = field(default_factory=dict)
    left: dict[str, dict[str, np.ndarray]] = field(default_factory=dict)
    maps: dict[str, tuple[np.ndarray, tuple[float, float], dict[str, np.ndarray]]] = field(default_factory=dict)
    worst: dict[str, list[Worst]] = field(default_factory=dict)


def make(
    config: Config, request: Request, given: dict[str, Given], held: dict[str, Predictions], store: Store | None
) -> Made:
    """Measure every run, compare them, and put together what the report says.

    Args:
        config: of the report.
        request: seed and device.
        given: the runs.
        held: run -> what is measured (of another store than its own, where ``--in`` names one).
        store: given with ``--in``, or None.

    Returns:
        The report.

    Raises:
        RequestError: a column or a run does not have what was asked for.
    """
    told = {"at_specificity": float(config.at_specificity)}
    held = {name: replace(each, facts={**each.facts, **told}) for name, each in held.items()}
    made = Made({"command": "eval"}, held)
    rows = {name: columns.rows_of(each, store) for name, each in held.items()}
    asked = robust.doses(config.perturb) if config.perturb else []
    for name in held if asked else ():
        perturbed.check(name, given[name], held[name], rows[name])
    by = {name: _columns(config.by, given[name], held[name], store, rows[name]) for name in held}
    runs = []
    with console.progress("measuring", len(held), unit="runs") as bar:
        for name in held:
            runs.append(_run(made, config, request, name, given[name], by[name]))
            bar.advance(1)
    made.report["runs"] = runs
    comparisons = []
    for task, mine in by_task(made.report).items() if config.compare else ():
        these, rng = {run["name"]: held[run["name"]] for run in mine}, stream(request.seed, "compare")
        measured = {name: (made.cases[name], made.draws[name], made.drawn[name], made.left[name]) for name in these}
        more = config.aggregate, config.bootstrap, config.confidence, rng, measured
        comparisons += compare.compare(TASKS[task], these, *more)
    curves = [
        {"task": task, **each}
        for task, mine in by_task(made.report).items()
        for each in efficiency.series(mine, made.drawn, made.left, list(main(mine[0])), config.confidence)
    ]
    made.report |= {
        "aggregate": config.aggregate,
        "bootstrap": config.bootstrap,
        "confidence": config.confidence,
        "at_specificity": config.at_specificity,
        "seed": request.seed,
        "notes": notes.of_runs(runs, held, {name: each.path for name, each in given.items()}, config.bootstrap)
        + _telling(runs)
        + _alone(by_task(made.report), config.compare),
        "comparisons": comparisons,
        "efficiency": curves,
        "robustness": _robustness(made, config, request, given, rows, store, asked),
        "benchmark": _published(config.benchmark, list(by_task(made.report))),
        "data": _data(held, store, rows),
        "software": software(),
    }
    made.report["summary"] = words.summary(made.report)
    return made


def _run(made: Made, config: Config, request: Request, name: str, given: Given, by: dict[str, np.ndarray]) -> dict:
    held = made.held[name]
    scored = lambda part: TASKS[held.task].scored(part, config.aggregate)  # noqa: E731
    cases = scored(held)
    draws = draw(cases.group, config.bootstrap, stream(request.seed, "bootstrap"))
    measured, made.drawn[name], made.left[name] = summary.with_draws(cases, draws, config.confidence)
    made.cases[name], made.draws[name] = cases, draws
    known = vectors.saved(given.path, given.about) if given.about and not (held.fold == "external").all() else {}
    made.worst[name] = (
        worst.cases(held, given.whole, known, _WORST)
        if worst.ranks(held)
        else worst.by_measure(held, TASKS[held.task].scored(held, "frame"), given.whole, known, _WORST)
    )
    _map(made, name, known, by)
    run = {"name": name, "task": held.task, "about": given.about, **measured}
    run["by"] = {
        column: {
            "rows": subgroups.table(held, column, values, scored, config.bootstrap, config.confidence, request.seed),
            "tells": _tells(held, values, request.seed, column),
        }
        for column, values in by.items()
    }
    run["how"] = how.row(given.about)
    run["learning"] = learning.read(given.path)
    run["patients"] = dataset.patients(cases, run)
    run["worst"] = [asdict(each) for each in made.worst[name]]
    return {**run, "leaks": notes.leaking(run, held)}


def _tells(held: Predictions, values: np.ndarray, seed: int, column: str) -> float | None:
    if not worst.ranks(held):
        return None
    return subgroups.tells(held.arrays["target"], values, held.group, stream(seed, "tells", column))


def _map(made: Made, name: str, known: dict[str, np.ndarray], by: dict[str, np.ndarray]) -> None:
    held = made.held[name]
    rows = np.array([k for k, frame in enumerate(held.frame_id.tolist()) if frame in known], int)
    if len(rows) < 3:
        return
    points, shares = vectors.plane(np.stack([known[str(held.frame_id[k])] for k in rows]))
    colours = {column: values[rows] for column, values in by.items()}
    if worst.ranks(held):
        colours = {"true class": np.array(held.class_names, object)[held.arrays["target"][rows]], **colours}
    made.maps[name] = points, shares, colours or {"patient": held.patient[rows]}


def _columns(
    asked: tuple[str, ...], given: Given, held: Predictions, store: Store | None, rows: np.ndarray
) -> dict[str, np.ndarray]:
    return {column: columns.values(column, held, given.further, store, rows) for column in asked}


def _telling(runs: list[dict]) -> list[str]:
    """A note for each column that guesses the label."""
    found: dict[str, float] = {}
    for run in runs:
        for column, each in run["by"].items():
            if each["tells"] is not None:
                found[column] = max(found.get(column, 0.0), each["tells"])
    return [
        f"the column '{column}' alone guesses the label with a balanced accuracy of {value:.2f}: a run may have "
        "learned it instead of the tissue"
        for column, value in found.items()
    ]


def _alone(tasks: dict[str, list[dict]], compared: bool) -> list[str]:
    """A note where runs were to be compared and some have no other of their task."""
    alone = [f"{mine[0]['name']} ({task})" for task, mine in tasks.items() if len(mine) < 2]
    if not compared or not alone:
        return []
    return [f"only runs of one task are compared; the only one of its task is {', '.join(alone)}"]


def _robustness(
    made: Made, config: Config, request: Request, given: dict[str, Given], rows: dict[str, np.ndarray],
    store: Store | None, asked: list[robust.Dose],
) -> list[dict]:  # fmt: skip
    if not asked or store is None:
        return []
    found = []
    for run in made.report["runs"]:
        name = run["name"]
        task, lacking = TASKS[run["task"]], robust.without_sector(store, rows[name])
        if lacking:
            console.warn(
                f"{name}: {lacking:,} frames have no fitted sector; their beams are taken to run straight down"
            )
        scored = lambda part, task=task: task.scored(part, config.aggregate)  # noqa: E731
        clean = perturbed.Clean(
            name, task, given[name], made.held[name], rows[name], run, made.drawn[name], made.left[name],
            made.draws[name], scored,
        )  # fmt: skip
        more = request.device, config.resize, request.seed, config.confidence
        found += perturbed.measure(clean, store, asked, *more)
    return found


def _published(name: str, tasks: list[str]) -> dict | None:
    if not name:
        return None
    known = next((one for one in (benchmarks.load(name, task) for task in tasks) if one.task in tasks), None)
    if known is None:
        of = " and ".join(benchmarks.load(name).tasks)
        raise RequestError(f"--benchmark {name}: is of the task {of}, and these runs are of {', '.join(tasks)}")
    return {
        "name": name,
        "title": known.title,
        "task": known.task,
        "metric": known.metric,
        "caveats": list(known.caveats),
        "unknown": list(known.unknown),
        "published": [asdict(each) for each in known.published],
    }


def _data(held: dict[str, Predictions], store: Store | None, rows: dict[str, np.ndarray]) -> list[dict]:
    """A card for each set of frames that was measured, with the runs that were measured on it."""
    cards: dict[tuple, dict] = {}
    for name, each in held.items():
        key = (each.task, each.class_names, frozenset(each.frame_id.tolist()))
        if key not in cards:
            frames = TASKS[each.task].scored(each, "frame")
            cards[key] = {"runs": [], **dataset.card(each, frames, store, rows[name])}
        cards[key]["runs"].append(name)
    return list(cards.values())
