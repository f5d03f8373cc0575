"""Write a store with what a finished run says of each frame."""

import numpy as np

from usfm import console
from usfm.config import Request, content_dict
from usfm.errors import RequestError
from usfm.jobs.parts import Done, Part, Phase
from usfm.jobs.run import out_path, run_step
from usfm.predict import table
from usfm.predict.asked import asked, columns_of, predicted
from usfm.predict.config import Config
from usfm.predict.copy import copy_part
from usfm.quantities import counted
from usfm.store.reader import Store
from usfm.store.reject import rejecting
from usfm.store.whole import place
from usfm.tasks.again import embedder_of

PART_FRAMES = 512


def run(config: Config, request: Request) -> dict:
    """Write a store with the same frames, labels and regions, and the run's predictions beside them.

    Args:
        config: Which run is asked, and where its table goes.
        request: Inputs and output.

    Returns:
        The summary, with `run` (its id), `task`, `columns`, `folds` and `trained_on` (frames whose source or patient
        all folds were trained on).

    Raises:
        RequestError: the run cannot be asked, the store has such columns already, or whatever is wrong with inputs and
            output; nothing has been written then.
    """
    if not request.inputs:
        raise RequestError("no store was given; name one with --in")
    teller = asked(config.run)
    names = columns_of(teller, config.prefix)
    store = Store.open(list(request.inputs)).require(labels=True)
    if taken := sorted(set(names) & set(store.score_names)):
        raise RequestError(
            f"{store.paths[0]}: holds predictions named '{taken[0]}' already; give other names with --prefix"
        )
    out = out_path(request, "predict")
    if config.table:
        table.check_free(config.table, request.overwrite, place(out).exists())
    encoder = None if request.dry_run else embedder_of(teller.path, request.device, "auto")
    trained = 0

    def plan(done: Done) -> list[Part]:
        nonlocal trained
        scores = np.zeros((len(store), len(names)), np.float32)
        if not request.dry_run:
            scores, trained = predicted(teller, store, request.device, encoder)
        cut = [np.arange(at, min(at + PART_FRAMES, len(store))) for at in range(0, len(store), PART_FRAMES)]
        return [
            Part(f"predict-{k:05d}", (store.paths, rows, scores[rows], names, teller.id), weight=float(len(rows)))
            for k, rows in enumerate(cut)
        ]

    def figures(done: Done) -> dict:
        return {"run": teller.id, "task": teller.task.name, "columns": names, "folds": len(teller.probes),
                "trained_on": trained}  # fmt: skip

    options = {**content_dict(config), "run": teller.id, "task": teller.task.name, "columns": names}
    phase = Phase("predict", plan, copy_part, rejecting("predict"))
    summary = run_step("predict", request, options, [phase], inputs=[store], out=out, figures=figures)
    if not request.dry_run:
        _warn(summary)
        if config.table:
            table.write(config.table, Store.open(out), names, teller.seen.class_names, request.overwrite)
    return summary


def _warn(summary: dict) -> None:
    if summary.get("trained_on"):
        console.warn(
            f"the run was trained on {counted(summary['trained_on'], 'frame')} of these, or on others of the same "
            "source or patient: its predictions of them are too good to show how good it is"
        )
