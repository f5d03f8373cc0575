"""What is in a run directory, as numbers and as text."""

import json
import os
import shlex
from itertools import islice
from pathlib import Path

from usfm.errors import RequestError
from usfm.escape import line
from usfm.model import progress
from usfm.model.card import CARD, card_of
from usfm.quantities import counted, duration, size
from usfm.store.reader import Store

METRICS_BYTES = 64 << 20
"""Of the metrics file at most so much is read, from its end."""
_SEARCHED = 30
"""Stores that are opened to find the one that a run was made from."""


def described(path: str) -> dict:
    """Everything that a person asks of a run, as JSON takes it.

    Args:
        path: Of the run directory.

    Returns:
        The card's entries, and `step`, `status`, `losses`, `bytes`, `store` (path of the parent store where it lies
        near, else None), `command_line` and `next`.

    Raises:
        RequestError: The folder is no run, or its card is damaged.
    """
    card = card_of(path)
    if not (Path(path) / CARD).is_file():
        raise RequestError(f"{path}: a folder without {CARD}, so no run; give a store or a run directory.")
    found = {**card, "path": path, "bytes": _size(path), "parent": _parent_id(card)}
    found["store"] = _store_near(Path(path), found["parent"])
    if trained := progress.of(path):
        found |= {"step": trained.step, "steps": trained.steps, "status": trained.status, "losses": _losses(Path(path))}
    store = found["store"] or "STORE.h5"
    found["command_line"] = _made_line(card, path, store)
    if card.get("kind") == "finetune":
        found["next"] = shlex.join(["usfm", "eval", path, "--in", store, "--out", "report"])
    elif "status" in card:
        probe = str(Path(path).with_name("probe"))
        found["next"] = shlex.join(["usfm", "finetune", "classify", "--in", store, "--encoder", path, "--out", probe])
    if "losses" in found and found["status"] != "complete":
        found["next"] = found["command_line"]  # the same command goes on with it
    return found


def text(found: dict) -> str:
    """`described` as a person reads it."""
    rows = _finetune_rows(found) if found.get("kind") == "finetune" else _pretrain_rows(found)
    if found.get("store"):
        rows.append(("store", found["store"]))
    elif found["parent"]:
        rows.append(("store", f"not in this folder or the run's (content {found['parent'][:12]})"))
    rows.append(("size", size(found["bytes"])))
    software = _table(found, "software")
    if software:
        torch = _table(software, "libraries").get("torch", "?")
        seconds = f", {duration(found['seconds'])}" if "seconds" in found else ""
        rows.append(("made with", f"usfm {software.get('usfm', '?')}, torch {torch}{seconds}"))
    rows += [(name, found[key]) for name, key in (("command", "command_line"), ("next", "next")) if found.get(key)]
    return "\n".join([line(found["path"]), *(line(f"  {name:<10} {value}") for name, value in rows)])


def _pretrain_rows(found: dict) -> list[tuple[str, str]]:
    step = "unknown" if found.get("step") is None else f"{found['step']:,}"
    steps = f" of {found['steps']:,}" if found.get("steps") else ""
    rows = [("step", f"{step}{steps} ({found.get('status', 'unknown')})")]
    losses = found.get("losses", {})
    if losses:
        rows.append(("loss", ", ".join(f"{name} {value:.4g} at step {at:,}" for name, (at, value) in losses.items())))
    rows.append(("encoder", _shape(_table(found, "encoder"))))
    if isinstance(found.get("recipe"), str):
        rows.append(("recipe", found["recipe"]))
    counts = _table(found, "counts")
    for name, key in (("trained on", "trained"), ("held out", "held_out")):
        if (frames := counts.get(f"frames_{key}")) is not None:
            rows.append((name, f"{counted(frames, 'frame')} of {counted(counts.get(f'patients_{key}', 0), 'patient')}"))
    if not counts and "frames" in found:
        rows.append(("frames", f"{found['frames']:,}, those held out among them"))
    return rows


def _finetune_rows(found: dict) -> list[tuple[str, str]]:
    encoder, counts = _table(found, "encoder"), _table(found, "counts")
    rows = [
        ("task", f"{found.get('task', '?')}, {found.get('protocol', '?')}"),
        ("encoder", f"{encoder.get('name', '?')}, vectors of {encoder.get('dim', '?')} numbers"),
    ]
    if trained := progress.kept(found.get("pretraining")):
        rows.append(("", f"from {trained}"))
    measured = {name: value for name, value in _table(found, "frame_metrics").items() if isinstance(value, float)}
    if measured:
        rows.append(("held out", ", ".join(f"{name.replace('_', ' ')} {v:.3f}" for name, v in measured.items())))
    if counts:
        folds = counted(len(found.get("folds", [])), "fold")
        frames, patients = counted(counts.get("frames", 0), "frame"), counted(counts.get("patients", 0), "patient")
        rows.append(("cases", f"{frames} of {patients} in {folds}"))
        rows.append(("classes", ", ".join(f"{k} {v:,}" for k, v in _table(counts, "frames_per_class").items())))
    if found.get("leaks"):
        rows.append(("leaks", f"{found['leaks']:,} held-out frames look like a training frame of another patient"))
    return rows


def _shape(encoder: dict) -> str:
    """An encoder in words."""
    size = encoder.get("image_size")
    px = "x".join(map(str, size)) if isinstance(size, list) else "?"
    words = [f"{encoder.get('name', '?')}: {px} px", f"patch {encoder.get('patch', '?')} px"]
    words += [f"{encoder.get('depth', '?')} blocks of width {encoder.get('embed_dim', '?')}"]
    return ", ".join([*words, "colour" if encoder.get("in_chans") == 3 else "gray"])


def _size(path: str) -> int:
    """Bytes of all files in a folder."""
    files = (Path(parent, name) for parent, _, names in os.walk(path) for name in names)
    return sum(file.lstat().st_size for file in files)


def _table(found: dict, name: str) -> dict:
    value = found.get(name)
    return value if isinstance(value, dict) else {}


def _parent_id(card: dict) -> str:
    """Content id of the store that a run was made from."""
    inputs = card.get("inputs") or _table(card, "settings").get("inputs")
    one = inputs.get("store") if isinstance(inputs, dict) else inputs
    return one if isinstance(one, str) else ""


def _store_near(run: Path, content_id: str) -> str | None:
    """The store with a content id in this folder, or in one above the run."""
    if not content_id:
        return None
    folders = dict.fromkeys([Path(), run.parent, run.parent.parent])
    files = (file for folder in folders for file in sorted(folder.glob("*.h5")) if file.is_file())
    for file in islice(files, _SEARCHED):
        try:
            if Store.open(file).content_id == content_id:
                return str(file)
        except RequestError:
            continue
    return None


def _losses(run: Path) -> dict[str, tuple[int, float]]:
    """The last loss of training and of the held-out frames, and the lowest of these: (step, value)."""
    if not (run / "metrics.jsonl").is_file():  # a pipe would hold the command up
        return {}
    try:
        with open(run / "metrics.jsonl", "rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - METRICS_BYTES))
            lines = file.read(METRICS_BYTES).splitlines()
    except OSError:
        return {}
    found: dict[str, tuple[int, float]] = {}
    for one in lines:
        try:
            row = json.loads(one)
            step, training, held = row["step"], row.get("loss"), row.get("held_out_loss")
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            continue
        if not isinstance(step, int):
            continue
        if isinstance(training, (int, float)):
            found["training"] = step, training
        if isinstance(held, (int, float)):
            found["held out"] = step, held
            if "lowest held out" not in found or held < found["lowest held out"][1]:
                found["lowest held out"] = step, held
    return found


def _made_line(card: dict, path: str, store: str) -> str:
    """The command that made a run; of a run of an earlier version its recipe says the settings."""
    finetune = card.get("kind") == "finetune"
    words = ["usfm", *(["finetune", str(card.get("task", "classify"))] if finetune else ["pretrain"])]
    words += ["--in", store, "--out", path]
    given = card.get("flags")
    if isinstance(given, list):
        return shlex.join(words + [str(word) for word in given])
    return "" if finetune else shlex.join([*words, "--recipe", str(Path(path) / "recipe.toml")])
