"""Fit a downstream task on top of an encoder."""

import time
from collections import Counter
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from usfm import console, escape
from usfm.config import Request, as_dict, content_dict, words_of
from usfm.errors import RequestError
from usfm.finetune import plan as planning
from usfm.finetune.config import Config
from usfm.jobs.outputs import Marker, check_free, up_to_date, whole_directory
from usfm.model import features, progress
from usfm.model.asked import asked_for
from usfm.model.spec import check
from usfm.provenance import digest, json_text, software
from usfm.screening.features import THRESHOLD
from usfm.store.reader import Store
from usfm.tasks import TASKS, directory, predictions
from usfm.tasks.contract import Fitted, Task
from usfm.tasks.folds import Fold
from usfm.tasks.predictions import Predictions, Training
from usfm.toml import to_toml

LEAKS = "leaks.csv"
"""Held-out frames that look like a training frame of another patient."""


MARKER = Marker(
    "card.json",
    {"kind": "finetune"},
    older=("predictions.h5", "metrics.jsonl", "recipe.toml", "probe.npz", "leaks.csv", "figures/*.png"),
)


def run(config: Config, request: Request) -> dict:
    """Embed the labelled frames once, fit the protocol fold by fold, and write a run directory.

    Args:
        config: what to fit.
        request: `inputs` is a store with class labels, `out` the run directory.

    Returns:
        The summary that ``--json`` prints.

    Raises:
        RequestError: the request is wrong; nothing has been written then.
    """
    started = time.monotonic()
    _check(config, request)
    out = Path(str(request.out))
    store = Store.open(request.inputs)
    task = TASKS[config.task]
    plan = planning.make(store, task, as_dict(config), config.folds, config.fraction, request.seed)
    _say_plan(plan, config)
    if request.dry_run:
        check_free(out, request.overwrite, MARKER)
        console.say(f"would embed {len(plan.rows):,} frames with {config.encoder} and write {out}")
        return {**_summary(plan, store, out, 0.0, 0), "dry_run": True}
    pretraining = progress.say(config.encoder, strict=request.strict)
    embedder = asked_for(config, request)
    inputs = {"store": store.content_id, "encoder": embedder.identity}
    key = digest(["finetune", content_dict(config), request.seed, inputs])
    if up_to_date(out, key, request.overwrite, MARKER):
        return _as_before(plan, store, out)
    leaks = planning.leaks(store, plan)
    leaking = len({line["frame_id"] for line in leaks})
    with console.progress(f"embedding with {embedder.name}", len(plan.rows)) as bar:
        vectors = features.cached(
            store, plan.rows, embedder, out.parent / ".features", batch_size=config.batch_size, advance=bar.advance
        )
    seconds_embed = time.monotonic() - started
    whole, lines, arrays = _fit_all(config, request.seed, plan, vectors, store)
    measured, seconds = _quick(whole), time.monotonic() - started
    card = {
        "kind": "finetune",
        "key": key,
        "encoder": {"name": embedder.name, "dim": embedder.dim, **embedder.identity},
        "pretraining": None if pretraining is None else {**asdict(pretraining), "same_store": pretraining.saw(store)},
        "inputs": {"store": store.content_id},
        **_about(config, request.seed, plan),
        "leaks": leaking,
        "folds": lines,
        "frame_metrics": measured,
        "seconds": round(seconds, 2),
        "seconds_embedding": round(seconds_embed, 2),
        "software": software(),
    }
    with whole_directory(out, MARKER, overwrite=request.overwrite) as new:
        _write(new, config, card, whole, arrays, leaks)
    _say_result(whole, measured, config, embedder.name)
    _say_leaks(plan, out, leaking)
    return {**_summary(plan, store, out, seconds, leaking), **measured}


def _as_before(plan: planning.Cases, store: Store, out: Path) -> dict:
    """The summary of a run that is there already, from its card."""
    card = directory.card_of(out, seconds=(int, float), leaks=int, frame_metrics=dict)
    _say_leaks(plan, out, card["leaks"])
    summary = _summary(plan, store, out, card["seconds"], card["leaks"])
    return {**summary, **card["frame_metrics"], "up_to_date": True}


def _about(config: Config, seed: int, plan: planning.Cases) -> dict:
    """What a card says of the request and of the cases."""
    return {
        "task": config.task,
        "protocol": config.protocol,
        "class_names": list(plan.known.class_names),
        "counts": _counts(plan, TASKS[config.task]),
        "settings": content_dict(config),
        "flags": words_of(replace(config, task="")) + (["--seed", str(seed)] if seed else []),
        "seed": seed,
    }


def _write(
    new: Path, config: Config, card: dict, whole: Predictions, arrays: dict[str, np.ndarray], leaks: list[dict]
) -> None:
    """Fill a run directory; its card comes last."""
    about = {name: card[name] for name in ("task", "protocol", "encoder", "seed")}
    predictions.write(new / predictions.FILE, whole, about)
    (new / "metrics.jsonl").write_text("".join(json_text(line) + "\n" for line in card["folds"]), encoding="utf-8")
    (new / "recipe.toml").write_text(to_toml({"finetune": as_dict(config)}), encoding="utf-8")
    if leaks:
        _write_leaks(new / LEAKS, leaks)
    if arrays:
        np.savez(new / "probe.npz", **arrays)  # type: ignore[arg-type]
    TASKS[config.task].figures(new / "figures", whole)
    directory.write_card(new, card)


def _fit_all(
    config: Config, seed: int, plan: planning.Cases, vectors: np.ndarray, store: Store
) -> tuple[Predictions, list[dict], dict[str, np.ndarray]]:
    """Fit every fold: all predictions, a line of figures each, and the probes' arrays by fold and name."""
    parts, lines, arrays = [], [], {}
    with console.progress(f"fitting {config.protocol}", len(plan.folds), unit="folds") as bar:
        for fold in plan.folds:
            part, line, fitted = _fit(config, seed, plan, fold, vectors, store)
            parts.append(part)
            lines.append(line)
            arrays |= {f"{fold.name}.{name}": array for name, array in fitted.arrays.items()}
            bar.advance(1)
    return predictions.joined(parts), lines, arrays


def _check(config: Config, request: Request) -> None:
    if not request.inputs:
        raise RequestError("no store was given; name one with --in")
    if not request.out:
        raise RequestError("give the run directory to write with --out")
    if config.task not in TASKS:
        raise RequestError(f"'{config.task}' is no task; there are: {', '.join(TASKS)}")
    if config.protocol not in TASKS[config.task].protocols:
        known = ", ".join(TASKS[config.task].protocols)
        raise RequestError(f"'{config.protocol}' is no protocol of {config.task}; there are: {known}")
    check(config.encoder)
    if config.protocol == "knn" and config.class_weights != "none":
        raise RequestError("--class-weights has no meaning with --protocol knn; leave it out")


def _fit(
    config: Config, seed: int, plan: planning.Cases, fold: Fold, vectors: np.ndarray, store: Store
) -> tuple[Predictions, dict, Fitted]:
    started = time.monotonic()
    known, code, task = plan.known, plan.groups.code, TASKS[config.task]
    probe, classes = task.protocols[config.protocol], len(known.class_names)
    options = {"class_weights": config.class_weights, "neighbours": config.neighbours}
    fitted = probe(vectors[fold.train], known.target[fold.train], code[fold.train], classes, seed, options)
    raw = fitted.scores(vectors[fold.held])
    _warn_of(fold, plan, fitted)
    rows, trained = plan.rows[fold.held], plan.rows[fold.train]
    name, path, patient = store.column("frame_id"), store.of_frames("path"), store.of_frames("patient")
    part = Predictions(
        frame_id=name[rows],
        source=path[rows],
        patient=patient[rows],
        group=np.array(plan.groups.names, object)[code[fold.held]],
        split=np.asarray(fold.split, object),
        fold=np.full(len(rows), fold.name, object),
        arrays=task.predicted(known, fold.train, fold.held, raw),
        class_names=known.class_names,
        task=task.name,
        training=Training(name[trained], path[trained], patient[trained], np.full(len(trained), fold.name, object)),
    )
    line = {
        "fold": fold.name,
        "train_frames": len(fold.train),
        "train_patients": planning.patients_of(plan, fold.train),
        "held_frames": len(fold.held),
        "held_patients": planning.patients_of(plan, fold.held),
        **_quick(part),
        **fitted.chosen,
        "seconds": round(time.monotonic() - started, 3),
    }
    return part, line, fitted


def _warn_of(fold: Fold, plan: planning.Cases, fitted: Fitted) -> None:
    strata = plan.known.strata_names
    lacking = sorted(set(range(len(strata))) - set(plan.known.strata[fold.train].tolist()))
    if lacking:
        names = ", ".join(strata[c] for c in lacking)
        console.warn(f"fold {fold.name} is trained without any frame of: {names}")
    if fitted.chosen.get("not_converged") or fitted.chosen.get("inner_not_converged"):
        console.warn("the logistic regression did not always converge in 1000 steps; see metrics.jsonl")


def _write_leaks(path: Path, leaks: list[dict]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        escape.write_csv(file, list(leaks[0]), leaks)


def _quick(held: Predictions) -> dict:
    """Measures over frames, test frames where there are any."""
    held = held.take(held.split == "test") if (held.split == "test").any() else held
    return TASKS[held.task].quick(held)


def _used(plan: planning.Cases) -> np.ndarray:
    return np.unique(np.concatenate([np.union1d(fold.train, fold.held) for fold in plan.folds]))


def _counts(plan: planning.Cases, task: Task) -> dict:
    used, noun = _used(plan), task.noun
    counted = np.bincount(plan.known.strata[used], minlength=len(plan.known.strata_names)).tolist()
    return {
        "frames": len(used),
        "patients": planning.patients_of(plan, used),
        f"frames_per_{noun}": dict(zip(plan.known.strata_names, counted, strict=True)),
        f"frames_without_{noun}": plan.known.unlabelled,
        "frames_without_patient": plan.groups.without_patient,
        "patients_joined": [list(members) for members in plan.groups.joined],
    }


def _summary(plan: planning.Cases, store: Store, out: Path, seconds: float, leaks: int) -> dict:
    positions = _used(plan)
    used = plan.rows[positions]
    return {
        "command": "finetune",
        "out": str(out),
        "frames_in": len(store),
        "frames_out": len(used),
        "dropped": len(store) - len(used),
        "rejected": 0,
        "sources": len(np.unique(store.column("source")[used])),
        "seconds": round(seconds, 2),
        "frames_per_s": round(len(used) / seconds, 1) if seconds else None,
        "patients": planning.patients_of(plan, positions),
        "folds": len(plan.folds),
        "leaks": leaks,
    }


def _say_plan(plan: planning.Cases, config: Config) -> None:
    rows = []
    known, noun = plan.known, TASKS[config.task].noun
    for c, name in enumerate(known.strata_names):
        of = known.strata == c
        rows.append([name, int(of.sum()), planning.patients_of(plan, np.flatnonzero(of))])
    how = "the store's own split" if plan.folds[0].name == "split" else f"{len(plan.folds)} folds by patient"
    console.table(f"{config.task}, {config.protocol}, {how}", [noun, "frames", "patients"], rows)
    if known.unlabelled:
        console.say(f"{known.unlabelled:,} frames have no {noun} and are left out")


def _say_result(whole: Predictions, measured: dict, config: Config, name: str) -> None:
    folds = Counter(whole.fold.tolist())
    rows = [[key.replace("_", " "), "-" if value is None else f"{value:.3f}"] for key, value in measured.items()]
    console.table(
        f"{name}, {config.protocol}: {len(whole):,} held-out frames of {len(folds)} folds", ["", "frames"], rows
    )
    console.say("frames of one patient are not independent: 'usfm eval' gives intervals by patient")


def _say_leaks(plan: planning.Cases, out: Path, leaking: int) -> None:
    if leaking:
        held = len(np.unique(np.concatenate([fold.held for fold in plan.folds])))
        console.warn(
            f"too optimistic: {leaking:,} of {held:,} held-out frames look like a training frame of another patient "
            f"(cosine of {THRESHOLD} or more); list in {out / LEAKS}"
        )
