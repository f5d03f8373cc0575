"""Fit a downstream task on top of an encoder."""

import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, fields, replace
from functools import partial
from pathlib import Path
from typing import Protocol

import numpy as np

from usfm import console, escape
from usfm.config import Request, as_dict, content_dict, words_of
from usfm.errors import RequestError
from usfm.finetune import plan as planning
from usfm.finetune.applied import Applied, applied, check_store
from usfm.finetune.asked import fold_count, share
from usfm.finetune.config import TRAINED, TRAINING_ONLY, Config
from usfm.finetune.fold import quick
from usfm.jobs.outputs import Marker, check_free, up_to_date, whole_directory
from usfm.model import cost, progress
from usfm.model.spec import check
from usfm.provenance import digest, json_text, software
from usfm.screening.features import THRESHOLD
from usfm.store.reader import Store
from usfm.tasks import MEANT, TASKS, directory, predictions
from usfm.tasks.contract import Task
from usfm.tasks.predictions import Predictions
from usfm.toml import to_toml

LEAKS = "leaks.csv"
"""Held-out frames that look like a training frame of another patient."""


MARKER = Marker(
    "card.json",
    {"kind": "finetune"},
    older=("predictions.h5", "metrics.jsonl", "recipe.toml", "probe.npz", "leaks.csv", "figures/*.png"),
)
NEW = ("batch_size", "splits", "target", "sweep", "seeds", "classes", "benchmark", "preset", "tap")
LATER = tuple(item.name for item in fields(Config) if item.name in (*TRAINING_ONLY, *NEW))
"""Settings that runs of earlier versions did not have."""


class Fitter(Protocol):
    """Probes on features, or networks that are trained."""

    encoder: dict
    extra: Mapping
    seconds_embedding: float

    def fit_all(self, out: Path, key: str) -> tuple[Predictions, list[dict]]:
        """Fit every fold.

        Args:
            out: run directory; what is needed to go on lies beside it.
            key: of the run.

        Returns:
            All predictions, and a line of figures a fold.
        """
        ...

    def cost(self) -> dict:
        """Parameters and memory, for the card: JSON values."""
        ...

    def keep(self, new: Path) -> None:
        """Write what was fitted into a run directory."""
        ...

    def clear(self, out: Path) -> None:
        """Remove what the work left beside the run directory."""
        ...


def run(config: Config, request: Request) -> dict:
    """Fit the protocol fold by fold, and write a run directory.

    Args:
        config: what to fit.
        request: `inputs` is a store with labels, `out` the run directory.

    Returns:
        The summary that ``--json`` prints.

    Raises:
        RequestError: the request is wrong; nothing has been written then.
    """
    from usfm.finetune.sweep import asked, sweep

    given = applied(config)
    named = given.config.task, str(given.config.protocol)
    config = replace(given.config, task=MEANT.get(named, given.config.task))
    if config.protocol is None and config.task in TASKS:
        config = replace(config, protocol=TASKS[config.task].default_protocol)
    _check(config, request)
    if asked(config):
        return sweep(config, request, lambda own, each: _one(replace(given, config=own), each))
    return _one(replace(given, config=config), request)


def _one(given: Applied, request: Request) -> dict:
    """One run of one set of settings."""
    if given.config.protocol not in TRAINED:
        from usfm.finetune.probes import Probes

        return _run(given, request, Probes, first=True)
    from usfm.engine.group import start_ranks, together
    from usfm.finetune.aside import Asides, wanted
    from usfm.finetune.networks import Networks

    if wanted(given.config):
        return _run(given, request, Asides, first=True)
    ranks = start_ranks(request.device)
    with together(ranks):
        return _run(given, request, partial(Networks, ranks=ranks), first=ranks.first)


def _run(given: Applied, request: Request, maker: Callable[..., Fitter], *, first: bool) -> dict:
    started, config = time.monotonic(), given.config
    out, store, task = Path(str(request.out)), Store.open(request.inputs), TASKS[config.task]
    if given.benchmark is not None:
        check_store(given.benchmark, config, store)
    plan = planning.make(store, task, as_dict(config), fold_count(config), share(config), request.seed, config.splits)
    if first:
        _say_plan(plan, config)
    if request.dry_run:
        check_free(out, request.overwrite, MARKER)
        console.say(f"would {_work(plan, config)} and write {out}")
        return {**_summary(plan, store, out, 0.0, 0), "dry_run": True}
    pretraining = progress.say(config.encoder, strict=request.strict)
    cost.forget_peak()
    fitter = maker(config, request, plan, store)
    key = _key(config, request.seed, store, fitter)
    if up_to_date(out, key, request.overwrite, MARKER):
        return _as_before(plan, store, out)
    leaks = planning.leaks(store, plan) if first else []
    leaking = len({line["frame_id"] for line in leaks})
    if leaks and plan.given and not config.allow_leaks:
        raise _leaking(out, plan, leaks)
    whole, lines = fitter.fit_all(out, key)
    measured, seconds = quick(whole), time.monotonic() - started
    if first:
        card = {
            "kind": "finetune",
            "key": key,
            **_origin(store, fitter, pretraining),
            **_about(config, request.seed, plan),
            **given.said,
            **fitter.extra,
            "leaks": leaking,
            **({"leaks_allowed": True} if leaks and plan.given else {}),
            "folds": lines,
            "frame_metrics": measured,
            **_cost(fitter, seconds),
            "software": software(),
        }
        with whole_directory(out, MARKER, overwrite=request.overwrite) as new:
            _write(new, config, card, whole, fitter, leaks)
        fitter.clear(out)
        _say_result(whole, measured, config, fitter.encoder["name"])
        _say_leaks(plan, out, leaking)
    return {**_summary(plan, store, out, seconds, leaking), **measured}


def _key(config: Config, seed: int, store: Store, fitter: Fitter) -> str:
    """What makes another run."""
    encoder = {name: value for name, value in fitter.encoder.items() if name not in ("name", "dim")}
    inputs = {"store": store.content_id, "encoder": encoder}
    return digest(["finetune", _content(config), seed, inputs, *([fitter.extra] if fitter.extra else [])])


def _origin(store: Store, fitter: Fitter, pretraining: progress.Progress | None) -> dict:
    """Of the card: the encoder, the run that made it, and the store."""
    steps = [{"command": step.get("command"), "options": step.get("options", {})} for step in store.history]
    made = None if pretraining is None else {**asdict(pretraining), "same_store": pretraining.saw(store)}
    return {"encoder": fitter.encoder, "pretraining": made, "inputs": {"store": store.content_id, "steps": steps}}


def _cost(fitter: Fitter, seconds: float) -> dict:
    """Of the card: time, parameters and memory."""
    embedding = round(fitter.seconds_embedding, 2)
    return {"seconds": round(seconds, 2), "seconds_embedding": embedding, **fitter.cost()}


def _leaking(out: Path, plan: planning.Cases, leaks: list[dict]) -> RequestError:
    """The refusal of a given split that leaks, with the pairs in a file beside the run directory."""
    path = out.with_name(f"{out.name}.{LEAKS}")
    path.parent.mkdir(parents=True, exist_ok=True)
    _write_leaks(path, leaks)
    return RequestError(
        f"{len({line['frame_id'] for line in leaks})} held-out frames of the given split look like a training frame of "
        f"another patient (pairs in {path}); take 'usfm split --by-duplicates', or --allow-leaks"
    )


def _work(plan: planning.Cases, config: Config) -> str:
    """What a dry run says that would be done."""
    if config.protocol not in TRAINED:
        return f"embed {len(plan.rows):,} frames with {config.encoder}"
    from usfm.finetune.networks import tuning

    how = tuning(config)
    train = sum(len(fold.train) for fold in plan.folds)
    passes = how.steps * how.batch_size * len(plan.folds) if how.steps else train * how.epochs
    length = f"{how.steps:,} steps" if how.steps else f"{how.epochs} epochs"
    return (
        f"train {config.encoder} {len(plan.folds)} times for {length} ({passes:,} frames forth and back, "
        f"about three times the work of embedding as many)"
    )


def _content(config: Config) -> dict:
    """The settings that make another run; those that came later only where they say something."""
    silent = [name for name in LATER if getattr(config, name) is None] + ([] if config.classes else ["classes"])
    return {name: value for name, value in _settings(config).items() if name not in silent}


def _settings(config: Config) -> dict:
    """The settings that can change the result; numbers as numbers."""
    return content_dict(config) | {"folds": fold_count(config), "fraction": share(config)}


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
        "settings": _settings(config),
        "flags": words_of(replace(config, task="")) + (["--seed", str(seed)] if seed else []),
        "seed": seed,
    }


def _write(new: Path, config: Config, card: dict, whole: Predictions, fitter: "Fitter", leaks: list[dict]) -> None:
    """Fill a run directory; its card comes last."""
    about = {name: card[name] for name in ("task", "protocol", "encoder", "seed")}
    predictions.write(new / predictions.FILE, whole, about)
    (new / "metrics.jsonl").write_text("".join(json_text(line) + "\n" for line in card["folds"]), encoding="utf-8")
    (new / "recipe.toml").write_text(to_toml({"finetune": as_dict(config)}), encoding="utf-8")
    if leaks:
        _write_leaks(new / LEAKS, leaks)
    fitter.keep(new)
    TASKS[config.task].figures(new / "figures", whole)
    directory.write_card(new, card)


def _check(config: Config, request: Request) -> None:
    if not request.inputs:
        raise RequestError("no store was given; name one with --in")
    if not request.out:
        raise RequestError("give the run directory to write with --out")
    if config.task not in TASKS:
        raise RequestError(f"'{config.task}' is no task; there are: {', '.join(TASKS)}")
    learns = TRAINED if hasattr(TASKS[config.task], "learner") else ()
    if config.protocol not in (*TASKS[config.task].protocols, *learns):
        known = ", ".join((*TASKS[config.task].protocols, *learns))
        raise RequestError(f"'{config.protocol}' is no protocol of {config.task}; there are: {known}")
    whole = getattr(TASKS[config.task], "aside", None)
    if whole is None or not whole(as_dict(config)):
        check(config.encoder)  # a trainer of somebody else may have SPECs of its own
    if config.protocol in TRAINED and config.encoder.startswith("vectors:"):
        raise RequestError(f"{config.encoder}: vectors made before cannot be trained; give the encoder that made them")
    given = [name for name in TRAINING_ONLY if getattr(config, name) not in (None, ())]
    if given and config.protocol not in TRAINED:
        flag = f"--{given[0].replace('_', '-')}"
        raise RequestError(
            f"{flag} has no meaning with --protocol {config.protocol}, which trains no network; leave it out, or take "
            f"--protocol {' or '.join(TRAINED)}"
        )
    if config.overlap is not None and config.window is None:
        raise RequestError("--overlap is that of windows; give their side with --window")
    for name in ("class_weights", "classes", "target", "head", "tap", "window", "overlap"):
        if getattr(config, name) not in (None, "none", ()) and name not in TASKS[config.task].takes:
            flag = "--class" if name == "classes" else f"--{name.replace('_', '-')}"
            raise RequestError(f"{flag} has no meaning with {config.task}; leave it out")
    if config.protocol in ("knn", "simpleshot") and config.class_weights != "none":
        raise RequestError(f"--class-weights has no meaning with --protocol {config.protocol}; leave it out")


def _write_leaks(path: Path, leaks: list[dict]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        escape.write_csv(file, list(leaks[0]), leaks)


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
    own = "the given split" if config.splits else "the store's own split"
    how = own if plan.given and len(plan.folds) == 1 else f"{len(plan.folds)} folds by patient"
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
