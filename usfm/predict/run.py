"""Write a store with what a finished run says of each frame."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from usfm import console
from usfm.config import Request, content_dict
from usfm.errors import RequestError
from usfm.jobs.outputs import check_report
from usfm.jobs.parts import Done, Part, Phase
from usfm.jobs.run import out_path, run_step
from usfm.model import features
from usfm.predict import rank, table
from usfm.predict.asked import Asked, Said, asked, columns_of, predicted, probe_names
from usfm.predict.config import Config
from usfm.predict.copy import Columns, copy_part
from usfm.quantities import counted
from usfm.screening.groups import group_frames
from usfm.store.reader import Store
from usfm.store.reject import rejecting
from usfm.store.schema import whole_id
from usfm.store.whole import place
from usfm.tasks.again import embedder_of

PART_FRAMES = 512
RANK = "rank"
"""Name of the column of `--rank`."""


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
    run_ = asked(config.run)
    store = Store.open(list(request.inputs)).require(labels=True)
    about = _about(run_, store)
    names = columns_of(run_, (*about.columns, *((RANK,) if config.rank else ())), config.prefix)
    if taken := sorted(set(names) & set(store.score_names)):
        raise RequestError(
            f"{store.paths[0]}: holds predictions named '{taken[0]}' already; give other names with --prefix"
        )
    if config.rank == "uncertainty":  # refused before the work
        _unsure(run_, about, np.zeros((1, len(about.columns))))
    out = out_path(request, "predict")
    check_places(config, request, place(out))
    needed = not run_.networks or config.rank == "diversity"
    encoder = embedder_of(run_.path, request.device, "auto") if needed and not request.dry_run else None
    columns = Columns(run_.id, tuple(names), about.mask_names, about.mask_kind, about.box_names)
    trained = 0

    def plan(done: Done) -> list[Part]:
        nonlocal trained
        said = Said(np.zeros((len(store), len(names)), np.float32), [], [], 0)
        if not request.dry_run:
            said = _said(run_, store, request.device, encoder)
            if config.rank:
                order = _ranked(run_, about, store, said.scores, encoder if config.rank == "diversity" else None)
                said = replace(said, scores=np.concatenate([said.scores, order[:, None]], axis=1))
        trained = said.taught
        return _parts(store, said, columns)

    def figures(done: Done) -> dict:
        return {"run": run_.id, "task": run_.task.name, "columns": names, "folds": len(set(run_.seen.fold.tolist())),
                "trained_on": trained}  # fmt: skip

    options = {**content_dict(config), "run": run_.id, "task": run_.task.name, "columns": names}
    phase = Phase("predict", plan, copy_part, rejecting("predict"))
    summary = run_step("predict", request, options, [phase], inputs=[store], out=out, figures=figures)
    if not request.dry_run:
        _warn(summary, store, columns, run_)
        if config.table:
            ranked = names[-1] if config.rank else None
            table.write(config.table, Store.open(out), columns, about.classes, ranked, request.overwrite)
        if config.report:
            _report(config.report, run_, about, columns, Store.open(out), summary)
    return summary


@dataclass(frozen=True)
class About:
    """What a run will say; see `tasks.learner.Teller`."""

    columns: tuple[str, ...]
    classes: tuple[str, ...]
    mask_names: tuple[str, ...] = ()
    mask_kind: str = "index"
    box_names: tuple[str, ...] = ()


def _about(run_: Asked, store: Store) -> About:
    if not run_.networks:
        return About(probe_names(run_), run_.seen.class_names)
    from usfm.predict.networks import settings_of, unasked

    told = unasked(run_, settings_of(run_), store)
    return About(told.columns, told.classes, told.mask_names, told.mask_kind, told.box_names)


def _said(run_: Asked, store: Store, device: str, encoder) -> Said:
    if not run_.networks:
        return predicted(run_, store, device, encoder)
    from usfm.predict import networks

    return networks.predicted(run_, store, device)


def check_places(config: Config, request: Request, out: Path) -> None:
    """Refuse before the work a table or a page that cannot be written.

    Args:
        config: where they go.
        request: common options.
        out: the store of predictions.

    Raises:
        RequestError: something of the user's is in the way.
    """
    if not request.dry_run:
        check_report(config.report)
    if config.table:
        table.check_free(config.table, request.overwrite, out.exists())


def _parts(store: Store, said: Said, columns: Columns) -> list[Part]:
    parts = []
    for k, at in enumerate(range(0, len(store), PART_FRAMES)):
        some = slice(at, min(at + PART_FRAMES, len(store)))
        rows = np.arange(some.start, some.stop)
        payload = (store.paths, rows, said.scores[some], said.masks[some], said.boxes[some], columns)
        parts.append(Part(f"predict-{k:05d}", payload, weight=float(len(rows))))
    return parts


def _unsure(run_: Asked, about: About, scores: np.ndarray) -> np.ndarray:
    several = bool(run_.seen.class_names) and not (about.classes or about.mask_names or about.box_names)
    return rank.uncertainty(scores, about.columns, len(about.classes), several)


def _report(folder: str, run_: Asked, about: About, columns: Columns, store: Store, summary: dict) -> None:
    from usfm.predict import page

    columns = replace(columns, scores=columns.scores[: len(about.columns)])  # a mean rank says nothing
    said = np.stack([store.scores(name) for name in columns.scores], axis=1)
    try:
        unsure = _unsure(run_, about, said)
    except RequestError:  # a number, of one fold
        unsure = None
    told = {**summary, "task": run_.task.name, "folds": len(set(run_.seen.fold.tolist()))}
    console.say(f"report: {page.write(Path(folder), store, columns, about.classes, unsure, told)}")


def _ranked(run_: Asked, about: About, store: Store, scores: np.ndarray, encoder) -> np.ndarray:
    """(N,) which frame people should label first, second, ...; NaN for known ones; an encoder is for diversity."""
    known = set(run_.seen.frame_id.tolist())
    known |= set() if run_.seen.training is None else set(run_.seen.training.frame_id.tolist())
    known = {whole_id(name) for name in known}
    open_ = np.array([whole_id(name) not in known for name in store.column("frame_id").tolist()], bool)
    patients = group_frames(store.of_frames("patient"), store.of_frames("path"))
    if encoder is not None:
        folder = run_.path.parent / ".features"
        vectors = features.cached(store, np.arange(len(store)), encoder, folder)
        elsewhere = known - {whole_id(name) for name in store.column("frame_id").tolist()}
        start = features.found(folder, encoder, elsewhere)
        if lacking := len(elsewhere) - len(start):
            console.warn(
                f"--rank diversity does not see {counted(lacking, 'frame')} that the run knows: they are not in the "
                f"input, and no vectors of them are kept in {folder}; give their store as a second --in"
            )
        return rank.by_diversity(vectors, open_, patients.code, start)
    return rank.by_uncertainty(_unsure(run_, about, scores), patients.code, open_)


def _warn(summary: dict, store: Store, columns: Columns, run_: Asked) -> None:
    if run_.seen.training is None:
        console.warn(f"{run_.path} does not say what it was trained on, so it may know some of these frames")
    for there, new, what in (
        (store.mask_names, columns.masks, "label masks"),
        (store.box_names, columns.boxes, "boxes"),
    ):
        if there and new:
            console.warn(f"the {what} of the input are left out of the output, where the predicted ones stand")
    if summary.get("trained_on"):
        console.warn(
            f"the run was trained on {counted(summary['trained_on'], 'frame')} of these, or on others of the same "
            "source or patient: its predictions of them are too good to show how good it is"
        )
