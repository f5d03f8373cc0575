"""Several fine-tunings that differ in some settings or in the seed; the best of them by validation patients."""

import os
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path

import numpy as np

from usfm import console, escape
from usfm.config import Request, did_you_mean
from usfm.errors import RequestError
from usfm.finetune.asked import share
from usfm.finetune.config import TRAINED, TRAINING_ONLY, Config
from usfm.finetune.settings import Tuning, tuning_of
from usfm.quantities import duration
from usfm.store.whole import whole_file
from usfm.tasks import directory
from usfm.trials import Trial, fields_of, trials

SHEET = "sweep.csv"
KEYS = tuple(item.name for item in fields(Tuning))


def asked(config: Config) -> bool:
    """Whether a command wants several runs."""
    return bool(config.sweep or config.seeds)


def sweep(config: Config, request: Request, one: Callable[[Config, Request], dict]) -> dict:
    """Make a run for each combination of values and each seed, one after another; those that are there stay.

    Args:
        config: its sweep and seeds say which.
        request: `out` is the folder that gets a run directory for each.
        one: makes one run.

    Returns:
        The summary of the best run (of the last one, where nothing says which is best), with `trials`, `best_trial`.

    Raises:
        RequestError: an unknown key, a value out of range, or a folder that is a run itself; nothing is written then.
    """
    plans = _plans(config)
    out = Path(str(request.out))
    if (out / directory.CARD).is_file():
        raise RequestError(f"{out}: is a run itself; give the trials another folder with --out")
    if int(os.environ.get("WORLD_SIZE", "1") or 1) > 1:
        raise RequestError("--sweep and --seeds make one run after another, each in one process; leave torchrun out")
    rows, summaries = [], []
    for number, (name, trial, own, seed) in enumerate(_runs(plans, config, request.seed), 1):
        console.say(f"run {number} of {len(plans) * (config.seeds or 1)}: {name}")
        summary = one(own, replace(request, out=str(out / name), seed=seed))
        summaries.append(summary)
        if request.dry_run:
            continue
        rows.append({"run": name, **dict(change.split("=", 1) for change in trial.changes), "seed": seed,
                     "validation_score": _score(out / name), "seconds": _seconds(out / name)})  # fmt: skip
        _write(out / SHEET, rows)
    if request.dry_run:
        return {**summaries[-1], "trials": len(plans)}
    return {**_best(rows, summaries, plans, out), "trials": len(plans), "out": str(out)}


def _plans(config: Config) -> list[Trial]:
    """The combinations, once it is certain that every one can be made."""
    known = (*KEYS, "fraction")
    for one in config.sweep:
        key = one.partition("=")[0].strip()
        if key not in known:
            raise RequestError(f"--sweep {one}: '{key}' is no setting of a training{did_you_mean(key, known)}")
        if key != "fraction" and config.protocol not in TRAINED:
            raise RequestError(
                f"--sweep {one}: --protocol {config.protocol} trains no network; take one of {', '.join(TRAINED)}"
            )
    given = [name for name in TRAINING_ONLY if name in KEYS and getattr(config, name) is not None]
    plans = trials(config.sweep, [*given, *fields_of(config.set)])
    for plan in plans:
        tuning_of([change for change in plan.changes if not change.startswith("fraction")])
        _fraction(plan, config)
    return plans


def _fraction(trial: Trial, config: Config) -> float:
    for change in trial.changes:
        if change.startswith("fraction"):
            text = change.partition("=")[2]
            try:
                value = float(text)
            except ValueError:
                value = 0.0
            if not 0.01 <= value <= 1:
                raise RequestError(f"--sweep {change}: write shares from 0.01 to 1, such as fraction=0.05,0.2,1")
            return value
    return share(config)


def _runs(plans: list[Trial], config: Config, seed: int):
    """Name, trial, settings and seed of every run."""
    for trial in plans:
        tuned = [change for change in trial.changes if not change.startswith("fraction")]
        own = replace(config, sweep=(), seeds=None, set=(*config.set, *tuned), fraction=str(_fraction(trial, config)))
        for k in range(config.seeds or 1):
            name = (
                trial.name
                if config.seeds is None
                else f"{trial.name}+seed={seed + k}"
                if trial.changes
                else f"seed={seed + k}"
            )
            yield name, trial, own, seed + k


def _score(run: Path) -> float | None:
    """Mean over the folds of the best validation score, turned so that lower is better; None for probes."""
    lines = directory.card_of(run, folds=list)["folds"]
    found = [line.get("best") for line in lines]
    known = [float(value) for value in found if isinstance(value, (int, float))]
    sign = -1 if any(line.get("higher_is_better") for line in lines) else 1
    return round(sign * float(np.mean(known)), 6) if found and len(known) == len(found) else None


def _seconds(run: Path) -> float | None:
    """What a trial took, from its card; None where that does not say."""
    seconds = directory.card_of(run).get("seconds")
    return float(seconds) if isinstance(seconds, (int, float)) else None


def _best(rows: list[dict], summaries: list[dict], plans: list[Trial], out: Path) -> dict:
    """Say which trial has the lowest mean score over its seeds; none where the share of the training differs."""
    if len(plans) < 2 or any(row["validation_score"] is None for row in rows) or any("fraction" in row for row in rows):
        console.say(f"{len(rows)} runs in {out}; compare them with 'usfm eval {out}/*'")
        return summaries[-1]
    seeds = len(rows) // len(plans)
    means = [
        float(np.mean([row["validation_score"] for row in rows[k * seeds : (k + 1) * seeds]]))
        for k in range(len(plans))
    ]
    best = int(np.argmin(means))
    took = [sum(row["seconds"] or 0 for row in rows[k * seeds : (k + 1) * seeds]) for k in range(len(plans))]
    table = [[plan.name, f"{mean:.4f}", duration(s)] for plan, mean, s in zip(plans, means, took, strict=True)]
    console.table("validation score (lower is better)", ["trial", "score", "time"], table)
    console.say(f"the best by validation patients: {plans[best].name}")
    return {**summaries[best * seeds], "best_trial": plans[best].name, "best_run": str(out / rows[best * seeds]["run"])}


def _write(path: Path, rows: list[dict]) -> None:
    with whole_file(path) as temporary, open(temporary, "w", encoding="utf-8", newline="") as file:
        escape.write_csv(file, list(rows[0]), rows)
