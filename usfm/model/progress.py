"""How far the training of an encoder had come: said wherever an unfinished run is used."""

import json
from dataclasses import dataclass
from pathlib import Path

from usfm import console
from usfm.errors import RequestError
from usfm.model.card import card_of
from usfm.store import tables
from usfm.store.reader import Store
from usfm.store.whole import lock


@dataclass(frozen=True)
class Progress:
    """The training behind a checkpoint.

    Attributes:
        run: the run, as it was named.
        step: of the checkpoint; None where it is not known.
        steps: of the whole run; None where it is not known.
        status: "complete", "running", "stopped" or "failed".
        store: content id of the store that it was trained on; "" where it is not known.
        before: ids of the stores that were replayed, or that the run was trained on from which it goes on.
    """

    run: str
    step: int | None
    steps: int | None
    status: str
    store: str
    before: tuple[str, ...] = ()

    def saw(self, store: Store) -> bool:
        """Whether it was trained on a store, or on one that the store was made from."""
        ids = {store.content_id, *(step.get("content_id") for step in store.history)} - {None, ""}
        return bool(ids & {self.store, *self.before})

    def __str__(self) -> str:
        step = "an unknown step" if self.step is None else f"step {self.step:,}"
        return f"{self.run}: {step}{'' if self.steps is None else f' of {self.steps:,}'} ({self.status})"


def of(spec: str | Path) -> Progress | None:
    """Read how far a run had come.

    Args:
        spec: as typed for an encoder: a run directory, a checkpoint directory in one, or ``vectors:`` made with one.

    Returns:
        None where the SPEC is no run of `usfm pretrain` (a file of somebody else, ``random``, ``timm:...``).
    """
    if str(spec).startswith("vectors:"):
        return of_vectors(str(spec).removeprefix("vectors:"))
    path = Path(spec)
    run = next((folder for folder in (path, path.parent) if (folder / "card.json").is_file()), None)
    if not path.is_dir() or run is None:
        return None
    card = card_of(run)
    if "status" not in card:
        return None
    at = path if path != run else next((run / name for name in ("last", "best") if (run / name).is_dir()), run)
    result, settings = _dict(card.get("result")), _dict(card.get("settings"))
    status = card["status"]
    if status not in ("complete", "stopped", "failed"):  # a kill leaves "running" behind
        status = "running" if _held(run) else "stopped"
    step = _step(at)
    if step is None and at.name == "last":
        step = _number(result.get("steps")) if status == "complete" else _last_logged(run)
    store = settings.get("inputs")
    steps = _number(card.get("steps")) or _number(result.get("steps"))
    return Progress(str(spec), step, steps, status, store if isinstance(store, str) else "", _ids(card.get("before")))


def of_vectors(path: str | Path) -> Progress | None:
    """How far the run had come that `usfm embed` made vectors with; None where the file does not say."""
    if not Path(path).is_file():
        return None
    return kept(tables.read(path, "usfm-features")[1].get("pretraining"))


def kept(values: object) -> Progress | None:
    """A `Progress` that was kept as JSON; None where it is none, or damaged."""
    found = _dict(values)
    run, status, store = (found.get(name) for name in ("run", "status", "store"))
    if not (isinstance(run, str) and isinstance(status, str) and isinstance(store, str)):
        return None
    step, steps = (_number(found.get(name)) for name in ("step", "steps"))
    if (step is None and found.get("step") is not None) or (steps is None and found.get("steps") is not None):
        return None
    return Progress(run, step, steps, status, store, _ids(found.get("before")))


def _ids(values: object) -> tuple[str, ...]:
    return tuple(one for one in values if isinstance(one, str)) if isinstance(values, (list, tuple)) else ()


def say(spec: str | Path, *, strict: bool = False) -> Progress | None:
    """Read how far a run had come, and warn where it is not finished.

    Args:
        spec: as typed for an encoder.
        strict: refuse instead of warning.

    Returns:
        How far it had come; None where SPEC names no run.

    Raises:
        RequestError: the run is not finished, and `strict`.
    """
    found = of(spec)
    if found is not None and found.status != "complete":
        if strict:
            raise RequestError(
                f"{found}: it is not finished, and --strict refuses that; let it end, or leave --strict out"
            )
        console.warn(f"{found}: the encoder is not trained to the end")
    return found


def _step(checkpoint: Path) -> int | None:
    """The step of a checkpoint directory, from its state."""
    import torch

    from usfm.model import header

    try:
        header.check(checkpoint / "state.pt", sums=False)
        state = torch.load(checkpoint / "state.pt", map_location="cpu", weights_only=True, mmap=True)
    except Exception:  # torch raises whatever it likes for damage; the weights are checked where they are loaded
        return None
    return _number(state.get("step")) if isinstance(state, dict) else None


def _last_logged(run: Path) -> int | None:
    """The step of the last whole line of the metrics."""
    if not (run / "metrics.jsonl").is_file():  # a pipe would hold the command up
        return None
    try:
        lines = (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):
        return None
    for line in reversed(lines):
        try:
            return _number(json.loads(line)["step"])
        except (ValueError, KeyError, TypeError):
            continue
    return None


def _held(run: Path) -> bool:
    """Whether a process is training this run now: it holds the lock."""
    if not (run / ".lock").is_file():
        return False
    try:
        with open(run / ".lock", "rb") as file:
            return lock(file.fileno(), shared=True) is False
    except OSError:
        return False


def _dict(value: object) -> dict:
    return value if isinstance(value, dict) else {}


def _number(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
