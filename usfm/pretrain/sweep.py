"""Several trainings that differ in some settings, compared by their loss on frames that were held out."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np

from usfm import console, escape
from usfm.config import Request
from usfm.errors import RequestError, WorkError
from usfm.pretrain.config import Config, trials_of
from usfm.pretrain.plan import resolve_recipe
from usfm.pretrain.settings import Augment, Balance, Decoder, Optim, Replay, Run
from usfm.store.whole import hold, whole_file, write_json
from usfm.trials import Trial, fields_of

TABLE, SHEET = "sweep.json", "sweep.csv"
_LOCK = ".lock"
COMPARABLE = {item.name for kind in (Augment, Balance, Decoder, Optim, Replay, Run) for item in fields(kind)}
COMPARABLE = (COMPARABLE | {"name"}) - {"kind", "held_out"}
"""Settings that do not change what the held-out loss is the loss of."""

One = Callable[[Config, Request], dict]


@dataclass(frozen=True)
class Scored:
    """A trial with what its runs gave.

    Attributes:
        trial: its settings.
        losses: held-out loss at the end, one a fold; NaN where the run failed.
        lowest: the lowest held-out loss of each.
        runs: folders, below that of the sweep.
        reason: why a run failed; "" where none did.
    """

    trial: Trial
    losses: tuple[float, ...]
    lowest: tuple[float, ...]
    runs: tuple[str, ...]
    reason: str = ""

    @property
    def loss(self) -> float:
        """Mean over the folds; NaN where one failed."""
        return float(np.mean(self.losses))

    def row(self) -> dict:
        """As a line of the table."""
        changes = dict(change.split("=", 1) for change in self.trial.changes)
        spread = float(np.std(self.losses, ddof=1)) if len(self.losses) > 1 else None
        return {
            "trial": self.trial.name,
            **changes,
            "held_out_loss": None if np.isnan(self.loss) else self.loss,
            "std": None if spread is None or np.isnan(spread) else spread,
            "lowest": None if np.isnan(self.lowest).any() else float(np.mean(self.lowest)),
            "folds": list(self.losses),
            "runs": list(self.runs),
            "reason": self.reason,
        }


def asked(config: Config) -> bool:
    """Whether a command wants several trials."""
    return bool(config.sweep or config.folds)


def sweep(config: Config, request: Request, one: One, *, first: bool = True, alone: bool = True) -> dict:
    """Train every trial, and name the one whose loss on held-out frames is the lowest.

    Args:
        config: `sweep` and `folds` say which trials.
        request: `out` is the folder that gets a run directory for each.
        one: trains one: settings and request -> summary.
        first: whether this process writes and speaks.
        alone: whether it is the only one; only then a trial that fails lets the others go on.

    Returns:
        The summary of the best trial, with `trials`, `best_trial`, `best_run`, `best_loss` and `best_changes`.

    Raises:
        RequestError: the request of a trial is wrong, or the folder is somebody else's.
        WorkError: all trials failed.
    """
    plans = trials_of(config)
    if request.out is None:
        raise RequestError("say where the trials go: --out runs/NAME")
    if not config.folds and not resolve_recipe(config).run.held_out:
        raise RequestError("held_out is 0, so trials cannot be compared: leave it as it is, or give --folds")
    out = Path(request.out)
    _check_folder(out)
    if request.dry_run:
        return _dry_run(plans, config, request, one)
    with _folder(out, first):
        done: list[tuple[Scored, dict]] = []
        for number, trial in enumerate(plans, 1):
            if first:
                console.say(f"trial {number} of {len(plans)}: {', '.join(trial.changes) or 'the recipe as it is'}")
            done.append(_tried(trial, config, request, one, alone))
            if first:
                _write(out, [scored for scored, _ in done], len(plans))
    return _chosen(done, config, request, first)


def _tried(trial: Trial, config: Config, request: Request, one: One, alone: bool) -> tuple[Scored, dict]:
    """Train one trial, all its folds."""
    losses, lowest, runs, summary, reason = [], [], [], {}, ""
    for own, where in _runs(trial, config):
        runs.append(where)
        try:
            summary = one(own, _at(request, where))
        except WorkError as error:
            if not alone:
                raise
            console.warn(f"{where}: {error}")
            reason = str(error)
            losses.append(np.nan)
            lowest.append(np.nan)
            continue
        final, best = summary.get("held_out_loss"), summary.get("best")
        if final is None:
            raise RequestError("one patient or source only, so nothing is held out and trials cannot be compared")
        losses.append(final)
        lowest.append(final if best is None else best)
    return Scored(trial, tuple(losses), tuple(lowest), tuple(runs), reason), summary


def _at(request: Request, run: str) -> Request:
    return replace(request, out=str(Path(str(request.out)) / run))


def _runs(trial: Trial, config: Config) -> Iterator[tuple[Config, str]]:
    """The settings and the folder of each run of a trial."""
    plain = replace(config, sweep=(), folds=None)
    if config.folds is None:
        yield replace(plain, set=(*config.set, *trial.changes)), trial.name
        return
    for fold in range(config.folds):
        own = (*config.set, *trial.changes, f"run.folds={config.folds}", f"run.fold={fold}")
        yield replace(plain, set=own), f"{trial.name}/fold-{fold}"


def _dry_run(plans: Sequence[Trial], config: Config, request: Request, one: One) -> dict:
    """Say what the first trial would take, and how many there are."""
    own, where = next(_runs(plans[0], config))
    summary = one(own, _at(request, where))
    count = len(plans) * (config.folds or 1)
    console.say(f"would train {count:,} such runs, one after another: {', '.join(plan.name for plan in plans[:8])}")
    eta = summary.get("eta_s")
    return {**summary, "out": str(request.out), "trials": len(plans), "runs": count,
            "eta_s": None if eta is None else round(eta * count, 1)}  # fmt: skip


def _chosen(done: list[tuple[Scored, dict]], config: Config, request: Request, first: bool) -> dict:
    rows = [scored.row() for scored, _ in done]
    known = [k for k, (scored, _) in enumerate(done) if not np.isnan(scored.loss)]
    if not known:
        raise WorkError(f"{request.out}: every trial failed, the first with: {done[0][0].reason}")
    at = min(known, key=lambda k: done[k][0].loss)
    best, summary = done[at]
    if first:
        shown = [(row["trial"], *(_number(row[name]) for name in ("held_out_loss", "std", "lowest"))) for row in rows]
        console.table("trials", ("trial", "held-out loss", "std over folds", "lowest"), shown)
        swept = set(fields_of(config.sweep)) - COMPARABLE
        if swept:
            console.warn(
                f"{', '.join(sorted(swept))} changes what the loss is the loss of, so these losses are not one scale; "
                "compare the trials by a task (--probe, or finetune)"
            )
        console.say(f"best: {best.trial.name} ({best.loss:.4g}); runs {', '.join(best.runs)}")
    return {
        **summary,
        "out": str(request.out),
        "trials": rows,
        "best_trial": best.trial.name,
        "best_loss": best.loss,
        "best_run": str(Path(str(request.out)) / best.runs[0]),
        "best_changes": list(best.trial.changes),
    }


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def _check_folder(out: Path) -> None:
    """Refuse a folder that holds something else."""
    if out.exists() and not out.is_dir():
        raise RequestError(f"{out}: a file is in the way of the sweep's folder; choose another --out")
    names = {one.name for one in out.iterdir()} if out.is_dir() else set()
    if TABLE in names:
        try:
            known = json.loads((out / TABLE).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            known = None
        if isinstance(known, dict) and known.get("kind") == "sweep":
            return
    if names - {_LOCK}:
        raise RequestError(f"{out} exists and is no sweep of usfm pretrain; choose another --out")


@contextmanager
def _folder(out: Path, first: bool) -> Iterator[None]:
    """Make the folder and hold it, so that two commands do not train the same trials."""
    if not first:
        yield
        return
    try:
        out.mkdir(parents=True, exist_ok=True)
        lock = open(out / _LOCK, "a")
    except OSError as error:
        raise RequestError(f"{out}: cannot make this folder ({error.strerror}); choose another --out") from None
    with lock:
        if not hold(lock.fileno()):
            raise RequestError(f"{out} is being written by another usfm; wait for it or choose another --out")
        if not (out / TABLE).is_file():
            write_json(out / TABLE, {"kind": "sweep", "trials": []})
        yield


def _write(out: Path, scored: Sequence[Scored], count: int) -> None:
    """The table so far, as JSON and as CSV."""
    rows = [one.row() for one in scored]
    known = [row for row in rows if row["held_out_loss"] is not None]
    best = min(known, key=lambda row: row["held_out_loss"])["trial"] if known else None
    status = "complete" if len(scored) == count else "running"
    write_json(out / TABLE, {"kind": "sweep", "status": status, "best": best, "trials": rows})
    flat = [{**row, "folds": " ".join(map(str, row["folds"])), "runs": " ".join(row["runs"])} for row in rows]
    columns = list(dict.fromkeys(name for row in flat for name in row))
    with whole_file(out / SHEET) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
        escape.write_csv(file, columns, flat)
