"""Measure runs with intervals and write the report."""

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from usfm import console
from usfm.config import Request, content_dict, did_you_mean, words_of
from usfm.errors import RequestError
from usfm.evaluate import dataset, external, notes, overlap, page, report, summary, tables, write
from usfm.evaluate.config import FORMATS, Config
from usfm.evaluate.gather import Given, gather
from usfm.evaluate.robust import doses
from usfm.evaluate.write import SUFFIX
from usfm.jobs.outputs import Marker, check_free, up_to_date
from usfm.provenance import digest
from usfm.store.reader import Store
from usfm.tasks import TASKS, benchmarks, directory
from usfm.tasks.predictions import Predictions

MARKER = Marker("report.json", {"command": "eval"}, older=("report.*", "figures/*.png"))


def run(config: Config, request: Request) -> dict:
    """Measure runs and write a report directory.

    Args:
        config: what counts as one case, how intervals are made, what is written.
        request: `inputs` are run directories, `out` the report directory.

    Returns:
        The summary that ``--json`` prints.

    Raises:
        RequestError: the request is wrong; nothing has been written then.
    """
    started = time.monotonic()
    formats = _check(config, request)
    given = gather(request.inputs, config.predictions)
    if config.compare and len(given) < 2:
        raise RequestError("--compare needs two runs or more")
    if not request.out:  # after what may be wrong with the runs, which is the harder question
        raise RequestError("give the report directory to write with --out")
    held = {name: each.held for name, each in given.items()}
    if request.strict:
        _refuse_unfinished(given)
    store = Store.open(config.store).require() if config.store else None
    out = Path(str(request.out))
    new = _met(given, store)
    if request.dry_run:
        return _dry_run(out, request, held, new, formats)
    inputs = [each.digest for each in given.values()]
    key = digest(["eval", content_dict(config), request.seed, list(held), inputs, store.content_id if store else ""])
    if up_to_date(out, key, request.overwrite, MARKER):
        before = directory.json_of(out / "report.json", runs=list)
        try:
            return {**_summary(out, held, before["runs"], 0.0, formats), "up_to_date": True}
        except (KeyError, TypeError, AttributeError):
            raise RequestError(f"{out / 'report.json'}: is damaged; add --overwrite to write it anew") from None
    for name, each in given.items():
        if name in new and store is not None:
            task, more = TASKS[each.whole.task], (request.device, new[name].new, config.resize)
            held[name] = external.predict(task, each.path, each.whole, store, *more)
    made = report.make(config, request, given, held, store)
    for run in made.report["runs"]:
        if store is not None and run["name"] in new:
            made.report["notes"] += notes.of_store(run, store, new[run["name"]])
    made.report |= {
        "key": key,
        "seconds": round(time.monotonic() - started, 2),
        "made": datetime.now(UTC).strftime("%Y-%m-%d"),
        "commands": _commands(config, request, given, store),
    }
    write.write(out, made, formats, config, store, request.overwrite, MARKER)
    _say(made.report)
    return _summary(out, held, made.report["runs"], time.monotonic() - started, formats)


def _dry_run(out: Path, request: Request, held: dict[str, Predictions], new: dict, formats: Sequence[str]) -> dict:
    check_free(out, request.overwrite, MARKER)
    for name, each in held.items():
        console.say(f"{name}: {len(each):,} frames, {len(set(each.group.tolist())):,} patients")
    if new:
        frames = max(len(meeting.new) for meeting in new.values())
        console.say(f"would score {frames:,} frames of the store given with --in with {', '.join(new)}")
    console.say(f"would write {out}")
    return {**_summary(out, held, [], 0.0, formats), "dry_run": True}


def _check(config: Config, request: Request) -> list[str]:
    if not request.inputs and not config.predictions:
        raise RequestError("give at least one run directory that 'usfm finetune' made, or a table with --predictions")
    formats = [name.strip() for name in config.format.split(",") if name.strip()]
    for name in formats:
        if name not in FORMATS:
            raise RequestError(f"--format {name}: there are {', '.join(FORMATS)}{did_you_mean(name, FORMATS)}")
    if config.compare and not config.bootstrap:
        raise RequestError("--compare draws patients anew; it needs --bootstrap above 0")
    if config.perturb:
        doses(config.perturb)
        if not config.store:
            raise RequestError("--perturb scores the frames again; give their store with --in")
    if config.benchmark:
        benchmarks.load(config.benchmark)
    return formats


def _refuse_unfinished(given: dict[str, Given]) -> None:
    for each in given.values():
        trained = notes.progress_of(each.about)
        if trained is not None and trained.status != "complete":
            raise RequestError(
                f"{each.path}: its encoder {trained} is not trained to the end, and --strict refuses that"
            )


def _met(given: dict[str, Given], store: Store | None) -> dict[str, overlap.Meeting]:
    """The runs that are asked about the store given with ``--in``, each with what of it is new to it."""
    if store is None:
        return {}
    met = {name: overlap.meet(each.path, each.whole, store) for name, each in given.items() if not each.table}
    new = {name: meeting for name, meeting in met.items() if not meeting.own}
    for name, meeting in new.items():
        if not meeting.training_known:
            console.warn(
                f"{name}: its predictions do not hold the frames that it was trained on (made by an older usfm), so "
                "they cannot be told from new ones; make the run again with --overwrite"
            )
    return new


def _commands(config: Config, request: Request, given: dict[str, Given], store: Store | None) -> list[str]:
    """The lines that made the runs and this report."""
    runs = [name for name, each in given.items() if not each.table]
    more = ["--seed", str(request.seed)] if request.seed else []
    words = [*runs, *words_of(config), *more, "--out", "report"]
    return dataset.commands({name: each.about for name, each in given.items()}, words, store)


def _say(report: dict) -> None:
    for task, runs in tables.by_task(report).items():
        heads, lines = tables.short(runs) if console.narrow() else (tables.columns(runs), tables.rows(runs))
        console.table(f"held-out cases, {task}", heads, lines)
    console.say(tables.caption(report))
    if report["comparisons"]:
        console.table("pairs of runs", *tables.pairs(report))
    for note in page.joined(report["notes"], [run["name"] for run in report["runs"]]):
        console.warn(note)


def _summary(out: Path, held: dict[str, Predictions], runs: list[dict], seconds: float, formats: Sequence[str]) -> dict:
    written = next((name for name in ("html", "md", "csv", "latex") if name in formats), "json")
    frames = sum(run["n"]["frames"] for run in runs) or sum(map(len, held.values()))
    return {
        "command": "eval",
        "out": str(out),
        "report": str(out / f"report.{SUFFIX.get(written, written)}"),
        "frames_in": frames,
        "frames_out": frames,
        "dropped": 0,
        "rejected": 0,
        "sources": len(np.unique(np.concatenate([each.source.astype(str) for each in held.values()]))),
        "seconds": round(seconds, 2),
        "frames_per_s": None,
        "leaks": sum(run.get("leaks", 0) for run in runs),
        "runs": [
            {
                "name": run["name"],
                **{name: {k: one[k] for k in ("value", "low", "high")} for name, one in run["metrics"].items()},
                **_constant(run),
                "patients": run["n"]["patients"],
                "cases": run["n"]["cases"],
            }
            for run in runs
        ],
    }


def _constant(run: dict) -> dict:
    """The constant answer of a run in its first measure, and whether it is beaten."""
    first, reference = next(iter(run["metrics"])), run["titles"]["reference"]
    verdict = summary.beats(reference)
    value = run["metrics"][first]["majority"]["value"]
    return {f"{reference.replace(' ', '_')}_{first}": value, verdict: run[verdict]}
