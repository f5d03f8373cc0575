"""Measure runs with intervals and write the report."""

import os
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from usfm import console
from usfm.config import Request, content_dict, did_you_mean
from usfm.errors import RequestError
from usfm.evaluate import compare, external, figures, notes, overlap, page, summary, tables
from usfm.evaluate.config import FORMATS, Config
from usfm.jobs.outputs import Marker, check_free, up_to_date, whole_directory
from usfm.pictures import html
from usfm.provenance import digest, file_sha256, json_text, software
from usfm.seeding import stream
from usfm.store.reader import Store
from usfm.tasks import TASKS, directory, predictions, read
from usfm.tasks.contract import Scored, Task
from usfm.tasks.draws import draw
from usfm.tasks.predictions import Predictions

MARKER = Marker("report.json", {"command": "eval"}, older=("report.*", "figures/*.png"))
SUFFIX = {"latex": "tex"}
"""Formats whose file has another suffix than their name."""


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
    whole = _read(request.inputs)
    if not request.out:  # after what may be wrong with the runs, which is the harder question
        raise RequestError("give the report directory to write with --out")
    held = {name: _scored(name, each) for name, each in whole.items()}
    if request.strict:
        _refuse_unfinished(request.inputs)
    store = Store.open(config.store).require() if config.store else None
    out = Path(str(request.out))
    new = _met(whole, request.inputs, store)
    if request.dry_run:
        check_free(out, request.overwrite, MARKER)
        for name, each in held.items():
            console.say(f"{name}: {len(each):,} frames, {len(set(each.group.tolist())):,} patients")
        if new:
            frames = max(len(meeting.new) for meeting in new.values())
            console.say(f"would score {frames:,} frames of the store given with --in with {', '.join(new)}")
        console.say(f"would write {out}")
        return {**_summary(out, held, [], 0.0, formats), "dry_run": True}
    inputs = [file_sha256(_file(path)) for path in request.inputs]
    key = digest(["eval", content_dict(config), request.seed, list(held), inputs, store.content_id if store else ""])
    if up_to_date(out, key, request.overwrite, MARKER):
        report = directory.json_of(out / "report.json", runs=list)
        try:
            return {**_summary(out, held, report["runs"], 0.0, formats), "up_to_date": True}
        except (KeyError, TypeError, AttributeError):
            raise RequestError(f"{out / 'report.json'}: is damaged; add --overwrite to write it anew") from None
    for name, path in zip(list(held), request.inputs, strict=True):
        if name in new and store is not None:
            task, seen = _task(whole[name]), whole[name]
            held[name] = external.predict(task, path, seen, store, request.device, new[name].new, config.resize)
    report, cases = _measure(config, request, held)
    for run in report["runs"]:
        if store is not None and run["name"] in new:
            report["notes"] += notes.of_store(run, store, new[run["name"]])
    report |= {"key": key, "seconds": round(time.monotonic() - started, 2)}
    _write(out, report, formats, config, cases, held, store, request.overwrite)
    _say(report)
    return _summary(out, held, report["runs"], time.monotonic() - started, formats)


def _check(config: Config, request: Request) -> list[str]:
    if not request.inputs:
        raise RequestError("give at least one run directory that 'usfm finetune' made")
    formats = [name.strip() for name in config.format.split(",") if name.strip()]
    for name in formats:
        if name not in FORMATS:
            raise RequestError(f"--format {name}: there are {', '.join(FORMATS)}{did_you_mean(name, FORMATS)}")
    if config.compare and len(request.inputs) < 2:
        raise RequestError("--compare needs two runs or more")
    if config.compare and not config.bootstrap:
        raise RequestError("--compare draws patients anew; it needs --bootstrap above 0")
    return formats


def _refuse_unfinished(paths: tuple[str, ...]) -> None:
    for path in paths:
        trained = notes.progress_of(notes.about(path))
        if trained is not None and trained.status != "complete":
            raise RequestError(f"{path}: its encoder {trained} is not trained to the end, and --strict refuses that")


def _file(path: str) -> Path:
    return Path(path) / predictions.FILE if Path(path).is_dir() else Path(path)


def _read(paths: tuple[str, ...]) -> dict[str, Predictions]:
    """Read the runs, each under the shortest end of its path that no other has."""
    parts = [Path(os.path.realpath(path)).parts for path in paths]
    if len(set(parts)) < len(parts):
        raise RequestError("the same run is given twice")
    held = {}
    for path, mine in zip(paths, parts, strict=True):
        depth = next(d for d in range(1, len(mine) + 1) if sum(other[-d:] == mine[-d:] for other in parts) == 1)
        _, whole = read(path)
        if not len(whole):
            raise RequestError(f"{path}: its predictions hold no frame")
        both = overlap.within(whole)["frames"]
        if both:
            raise RequestError(
                f"{path}: {both:,} of its {len(whole):,} scored frames are also in the training of the fold that "
                "scored them, so its scores are not valid; make the run again"
            )
        held["/".join(mine[-depth:])] = whole
    return held


def _scored(name: str, whole: Predictions) -> Predictions:
    """The test frames of a run, else its val frames."""
    if (whole.split == "test").any():
        return whole.take(whole.split == "test")
    console.warn(f"{name} has no test frames; measured on its val frames")
    return whole


def _met(whole: dict[str, Predictions], paths: tuple[str, ...], store: Store | None) -> dict[str, overlap.Meeting]:
    """The runs that are asked about the store given with ``--in``, each with what of it is new to it."""
    if store is None:
        return {}
    met = {name: overlap.meet(path, each, store) for (name, each), path in zip(whole.items(), paths, strict=True)}
    new = {name: meeting for name, meeting in met.items() if not meeting.own}
    for name, meeting in new.items():
        if not meeting.training_known:
            console.warn(
                f"{name}: its predictions do not hold the frames that it was trained on (made by an older usfm), so "
                "they cannot be told from new ones; make the run again with --overwrite"
            )
    return new


def _task(held: Predictions) -> Task:
    return TASKS[held.task]


def _measure(config: Config, request: Request, held: dict[str, Predictions]) -> tuple[dict, dict[str, Scored]]:
    runs, cases = [], {}
    with console.progress("measuring", len(held), unit="runs") as bar:
        for (name, frames), path in zip(held.items(), request.inputs, strict=True):
            cases[name] = _task(frames).scored(frames, config.aggregate)
            draws = draw(cases[name].group, config.bootstrap, stream(request.seed, "bootstrap"))
            measured = summary.summarise(cases[name], draws, config.confidence)
            run = {"name": name, "task": frames.task, "about": notes.about(path), **measured}
            runs.append({**run, "leaks": notes.leaking(run, frames)})
            bar.advance(1)
    comparisons = []
    if config.compare:
        for task in dict.fromkeys(frames.task for frames in held.values()):
            rng = stream(request.seed, "compare")
            mine = {name: frames for name, frames in held.items() if frames.task == task}
            more = config.aggregate, config.bootstrap, config.confidence, rng
            comparisons += compare.compare(TASKS[task], mine, *more)
    report = {
        "command": "eval",
        "aggregate": config.aggregate,
        "bootstrap": config.bootstrap,
        "confidence": config.confidence,
        "seed": request.seed,
        "notes": notes.of_runs(runs, held, dict(zip(held, request.inputs, strict=True)), config.bootstrap),
        "runs": runs,
        "comparisons": comparisons,
        "software": software(),
    }
    return report, cases


def _write(
    out: Path,
    report: dict,
    formats: list[str],
    config: Config,
    cases: dict[str, Scored],
    held: dict[str, Predictions],
    store: Store | None,
    overwrite: bool,
) -> None:
    overall: page.Pictures = {
        task: {name: (png, "") for name, png in figures.intervals(runs).items()}
        for task, runs in tables.by_task(report).items()
    }
    pictures: page.Pictures = {}
    sheets = {}
    for run in report["runs"]:
        name = run["name"]
        pictures[name] = cases[name].pictures(run)
        if store is not None and config.pictures:
            image, known = _task(held[name]).sheet(held[name], store, config.pictures)
            if known < len(held[name]):
                console.warn(f"{name}: the store given with --in lacks {len(held[name]) - known} of its frames")
            if known:
                sheets[name] = html.to_png(image)
    with whole_directory(out, MARKER, overwrite=overwrite) as new:
        for name, group in pictures.items():
            for kind, (data, _) in group.items():
                _put(new / "figures" / f"{name.replace('/', '-')}.{kind}.png", data)
        for group in overall.values():
            for kind, (data, _) in group.items():
                _put(new / "figures" / f"{kind}.png", data)
        for name, data in sheets.items():
            (new / "figures" / f"{name.replace('/', '-')}.surest.png").write_bytes(data)
        text = {"csv": tables.to_csv, "md": tables.to_markdown, "latex": tables.to_latex}
        for name in formats:
            if name in text:
                (new / f"report.{SUFFIX.get(name, name)}").write_text(text[name](report), encoding="utf-8")
        if "html" in formats:
            (new / "report.html").write_text(page.page(report, overall, pictures, sheets), encoding="utf-8")
        (new / "report.json").write_text(json_text(report, indent=2) + "\n", encoding="utf-8")


def _put(file: Path, data: bytes) -> None:
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(data)


def _say(report: dict) -> None:
    for task, runs in tables.by_task(report).items():
        heads, lines = tables.short(runs) if console.narrow() else (tables.columns(runs), tables.rows(runs))
        console.table(f"held-out cases, {task}", heads, lines)
    console.say(tables.caption(report))
    if report["comparisons"]:
        console.table("pairs of runs", *tables.pairs(report))
    for note in report["notes"]:
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
