"""A training in its run directory: checkpoints written and gone on from, and lines of metrics."""

import re
import shutil
from typing import Any

import torch

from usfm.engine.record import RunDirectory
from usfm.engine.step import Loop
from usfm.errors import WorkError
from usfm.model import checkpoint
from usfm.store.whole import private, put_in_place


def save(loop: Loop, run: RunDirectory, name: str) -> None:
    """Write a checkpoint of the run: the first process, with the help of the others where each holds a part.

    Args:
        loop: the training.
        run: its directory.
        name: of the checkpoint, such as "last".

    Raises:
        WorkError: the disk is full or fails; the checkpoint that was there before is as it was.
    """
    if not (loop.ranks.first or loop.strategy.shards):
        return
    trained = loop.strategy.gather(loop.model.state_dict())
    state = loop.state()
    kept = state["average"]["weights"] if loop.average else trained
    if not loop.ranks.first:
        return
    try:
        loop.job.write(run.path / name, kept, trained, state)
        if name == "last":
            run.update({"step": loop.step})
    except OSError as error:
        raise WorkError(
            f"{run.path / name}: cannot be written ({error.strerror}); make room and type the same command"
        ) from None


def keep(loop: Loop, run: RunDirectory) -> None:
    """Keep `last` under its step's name too, and drop the oldest beyond the number asked for.

    Args:
        loop: the training; its settings say how many are kept.
        run: its directory.
    """
    if not (loop.ranks.first and loop.training.keep):
        return
    final = run.path / f"step-{loop.step:08d}"
    new = private(final)
    shutil.copytree(run.path / "last", new)
    old = put_in_place(new, final)
    older = [one for one in run.path.glob("step-*") if re.fullmatch(r"step-\d{8}", one.name)]
    for folder in [*sorted(older)[: -loop.training.keep], *([old] if old else [])]:
        shutil.rmtree(folder, ignore_errors=True)


def resume(loop: Loop, run: RunDirectory) -> None:
    """Go on from the run's `last`.

    Args:
        loop: the training, changed in place.
        run: its directory.

    Raises:
        RequestError: it is damaged, or not of this model and these settings.
    """
    last = run.path / "last"
    weights, state = checkpoint.load_state(last)
    try:
        loop.go_on(weights, state)
    except (KeyError, ValueError, TypeError, RuntimeError, AttributeError, IndexError) as error:
        raise checkpoint.incomplete(last, f"its state does not fit the run: {type(error).__name__}") from None


def note(loop: Loop, run: RunDirectory, scalars: dict[str, torch.Tensor], more: dict[str, Any]) -> float:
    """Write one line of metrics over the steps since the last, and return its loss.

    Args:
        loop: the training.
        run: its directory, which takes the line.
        scalars: of the last step, on the device.
        more: further figures of the line.

    Returns:
        The mean loss since the last line.

    Raises:
        NotFinite: a loss is not.
    """
    loss = loop.losses()
    figures = {name: value.item() for name, value in scalars.items() if name != "loss"}
    rate = loop.training.rate(loop.step - 1)
    run.log({"step": loop.step, "loss": loss, "lr": rate, **figures, **more})
    return loss
