"""The end of a pretraining: its curves, and what its card says."""

import time

import numpy as np
import torch

from usfm.engine.device import autocast
from usfm.engine.record import RunDirectory
from usfm.pretrain.job import PretrainJob
from usfm.store.reader import Store


def _averaged(steps: list[int], losses: list[float], points: int = 200) -> tuple[list[float], list[float]]:
    """Means over runs of neighbours: regions differ from batch to batch, so that single losses hide the course.

    >>> _averaged([1, 2, 3, 4], [8.0, 6.0, 4.0, 2.0], points=2), _averaged([], [])
    (([1.5, 3.5], [7.0, 3.0]), ([], []))
    """
    runs = [run for run in np.array_split(np.arange(len(steps)), points) if len(run)]
    return [float(np.mean(np.take(steps, run))) for run in runs], [float(np.mean(np.take(losses, run))) for run in runs]


def _settled(series: dict[str, tuple[list, list]], steps: int, warmup: float) -> tuple[float, float] | None:
    """Limits of y that show the course after the warm-up: losses of the first steps would flatten the rest.

    Args:
        series: name -> (steps, losses).
        steps: of the run.
        warmup: share of the run that warms up.

    Returns:
        (low, high) with a margin, or None where no step lies behind the warm-up.

    >>> _settled({"training": ([1, 50, 100], [90.0, 2.0, 1.0])}, 100, 0.05)
    (0.95, 2.05)
    """
    values = [y for at, ys in series.values() for x, y in zip(at, ys, strict=True) if x > warmup * steps]
    if not values or min(values) == max(values):
        return None
    margin = (max(values) - min(values)) / 20
    return min(values) - margin, max(values) + margin


def finish(directory: RunDirectory, result: dict, started: float, warmup: float, held_out: str) -> None:
    """Draw the curves of a run that is done, and write its end into the card.

    Args:
        directory: of the run.
        result: from `engine.loop.fit`.
        started: when the command began, by the performance counter.
        warmup: share of the run that warms up.
        held_out: what the held-out loss is taken of, in words.
    """
    from usfm.pictures.curves import curves

    rows = directory.metrics()
    train = [row for row in rows if row.get("loss") is not None]
    held = [row for row in rows if row.get("held_out_loss") is not None]
    series = {"training": _averaged([r["step"] for r in train], [r["loss"] for r in train])}
    if held:
        series[f"held out ({held_out})"] = ([r["step"] for r in held], [r["held_out_loss"] for r in held])
    limits = _settled(series, result["steps"], warmup)
    curves(directory.path / "figures" / "loss.png", series, "step", "reconstruction loss", ylim=limits)
    probed = [row for row in rows if "probe_knn" in row]
    if probed:
        steps = [row["step"] for row in probed]
        named = {name: (steps, [row[name] for row in probed]) for name in ("probe_knn", "probe_linear")}
        curves(directory.path / "figures" / "probe.png", named, "step", "balanced accuracy", markers=True)
    seconds = round(time.perf_counter() - started, 2)
    directory.update(
        {"status": "complete", "result": {k: v for k, v in result.items() if k != "profile"}, "seconds": seconds}
    )


def look_back(directory: RunDirectory, job: PretrainJob, precision: str, device: torch.device) -> None:
    """Note the loss on the old held-out frames before the first step, where there are some.

    Args:
        directory: of the run; its card takes the figure.
        job: with the weights and the decoder of the run that is gone on from.
        precision: of the run.
        device: of the model.
    """
    job.model.eval()
    with torch.no_grad(), autocast(precision, device):
        figures = job.check_old(job.model)
    job.model.train()
    directory.update({f"{name}_start": value for name, value in figures.items()})


def measured(directory: RunDirectory) -> dict:
    """The last losses on held-out frames, and how much larger that on the old ones is than it was at the start.

    Args:
        directory: of the run.

    Returns:
        held_out_loss where frames are held out; old_held_out_loss where there are old ones, with
        old_held_out_loss_start and forgetting (their difference) where the start is known.
    """
    own = [row["held_out_loss"] for row in directory.metrics() if "held_out_loss" in row]
    return {**({"held_out_loss": own[-1]} if own else {}), **_forgotten(directory)}


def _forgotten(directory: RunDirectory) -> dict:
    known = [row["old_held_out_loss"] for row in directory.metrics() if "old_held_out_loss" in row]
    if not known:
        return {}
    start = directory.card.get("old_held_out_loss_start")
    more = {} if start is None else {"old_held_out_loss_start": start, "forgetting": known[-1] - start}
    return {"old_held_out_loss": known[-1], **more}


def counted(store: Store, rows: np.ndarray) -> str:
    """How many frames, sources and patients some rows are, in words.

    Args:
        store: the store.
        rows: (n,) frames of it.

    Returns:
        A phrase; patients are named where any is known.
    """
    patients = set(store.of_frames("patient")[rows]) - {""}
    sources = len(set(store.column("source")[rows].tolist()))
    whose = f", {len(patients)} patients" if patients else ""
    return f"{len(rows):,} frames, {sources:,} sources{whose}"
