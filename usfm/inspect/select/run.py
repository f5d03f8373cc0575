"""Take some frames of one store or several into a new one, or withdraw a patient from them."""

import time
from collections import Counter
from collections.abc import Iterator
from functools import lru_cache

import numpy as np

from usfm import console
from usfm.config import Request, content_dict
from usfm.errors import RequestError
from usfm.inspect.select import withdraw
from usfm.inspect.select.choose import WITHDRAWN, Chosen, choose, say_shared_patients, source_id
from usfm.inspect.select.columns import PRIVATE
from usfm.inspect.select.config import Config
from usfm.inspect.select.expression import names_in, parsed
from usfm.inspect.split.run import AT_ONCE, cut
from usfm.jobs.parts import Done, Part, Phase
from usfm.jobs.run import out_path, run_step
from usfm.provenance import digest
from usfm.quantities import counted
from usfm.store.overlap import Unlike
from usfm.store.reader import Store
from usfm.store.writer import PartWriter


def run(config: Config, request: Request) -> dict:
    """Write a store of the chosen frames of all inputs, and say where a withdrawn patient is left.

    Frames that the condition or the cap leaves out are in /dropped, with what left them out. A frame that two inputs
    hold is taken from the first; where it differs in the second, the second's is in /rejected. Of a withdrawn patient
    nothing stays: no frame, no source, no row of /dropped or /rejected.

    Args:
        config: Which frames to take, and who has to go.
        request: Inputs and output.

    Returns:
        The summary, with `left_out` (frames by what left them out), `withdrawn` (frames), `unlike` (frames that inputs
        hold and differ in), and with --search `left` and `unchecked` (paths) and `failed_gate` where there is any.

    Raises:
        RequestError: Settings that do not fit the inputs, or whatever is wrong with inputs and output.
    """
    started = time.monotonic()
    who = None if config.withdraw is None else withdraw.Who.of(config.withdraw, config.salt)
    if not request.inputs and who is not None and config.search and request.out is None:
        return _searched(config, who, started)
    store = Store.open(list(request.inputs), first_wins=True).require(labels=True)
    if who is not None:
        withdraw.refuse_other_keys([store], who)
    names = frozenset() if who is None else who.names
    chosen = choose(store, config, request.seed, names)
    withdrawn = int((chosen.stage == WITHDRAWN).sum())
    if who is not None and not withdrawn:
        console.warn(f"{', '.join(store.paths)}: holds no frame of this patient under this key")
    say_shared_patients(store)
    _say_unlike(store)
    uncovered = _uncovered(store)
    unlike = [one for one in store.unlike if source_id(one.frame_id) not in chosen.sources]
    left_out = dict(Counter(stage for stage in chosen.stage.tolist() if stage not in ("", WITHDRAWN)))

    def figures(done: Done) -> dict:
        return {"frames_in": len(store) + len(unlike) - withdrawn, "left_out": left_out, "withdrawn": withdrawn,
                "unlike": len(unlike)}  # fmt: skip

    def plan(done: Done) -> list[Part]:
        parts = [
            Part(
                f"select-{k:05d}", (store.paths, rows, chosen.stage[rows].tolist(), uncovered), weight=float(len(rows))
            )
            for k, rows in enumerate(cut(len(store)))
        ]
        last = Part(f"select-{len(parts):05d}", (store.paths, None, unlike, uncovered))
        return [*parts, last] if unlike else parts

    summary = run_step("select", request, _options(config, who), [Phase("select", plan, copy_part, reject_part)],
                       inputs=[store], out=out_path(request, "select"), figures=figures,
                       forget=_forget(chosen) if withdrawn else None)  # fmt: skip
    if who is not None and config.search and not request.dry_run:
        summary |= withdraw.search(config.search, who, known=chosen.sources)
    return summary


def _searched(config: Config, who: withdraw.Who, started: float) -> dict:
    """Search only."""
    found = withdraw.search(config.search, who, known=frozenset())
    nothing = dict.fromkeys(("out", "frames_in", "frames_out", "dropped", "rejected", "sources", "frames_per_s"))
    return {"command": "select", **nothing, "seconds": round(time.monotonic() - started, 3), **found}


def _options(config: Config, who: withdraw.Who | None) -> dict:
    """The settings as the history keeps them: nothing there says who was withdrawn, or names a patient."""
    options = content_dict(config)
    if config.where is not None and names_in(parsed(config.where)) & set(PRIVATE):
        options["where"] = f"sha256:{digest(config.where)}"
    if who is not None:
        options |= {"withdraw": who.secret, "salt": f"key:{who.key_id}"}
    return options


def _say_unlike(store: Store) -> None:
    if not store.unlike:
        return
    differs = Counter(what for one in store.unlike for what in one.differs)
    shown = ", ".join(f"{what} {count:,}" for what, count in differs.most_common())
    console.warn(
        f"{counted(len(store.unlike), 'frame')} stand in two inputs and differ there ({shown}); the first input's is "
        "taken, and the other's is in /rejected"
    )


def _uncovered(store: Store) -> tuple[str, ...]:
    """Kinds of label that cannot be of one store: the coverage of patches of different sizes."""
    heads = [file.heads["coverage"] for file in store.files() if file.count and file.heads["coverage"]]
    if all(head == heads[0] for head in heads):
        return ()
    console.warn("the inputs were cut into patches of different sizes, so their coverage is left out")
    return ("coverage",)


def _forget(chosen: Chosen):
    """What of the inputs' tables goes with a withdrawn patient."""
    sources = {one.encode() for one in chosen.sources}
    paths = {one.encode() for one in chosen.paths}

    def rows(table: str, columns: dict[str, np.ndarray]) -> np.ndarray:
        gone = np.array([name.split(b":")[0] in sources for name in columns["frame_id"].tolist()], bool)
        if table == "dropped":
            return gone | np.array([name.split(b":")[0] in sources for name in columns["kept_by"].tolist()], bool)
        return gone | np.array([path in paths for path in columns["source"].tolist()], bool)

    return rows


# ---------------------------------------------------------------- parts


@lru_cache(maxsize=2)
def _opened(paths: tuple[str, ...]) -> Store:
    return Store.open(list(paths), first_wins=True)


def copy_part(payload: tuple) -> Iterator[bytes]:
    """Take the chosen frames of one part over, and note the others (runs in a worker)."""
    paths, rows, stage, without = payload
    store = _opened(tuple(paths))
    part = PartWriter(like=store, contiguous=store.fixed_shape is not None)
    names = store.column("frame_id")
    for at, row in enumerate([] if rows is None else rows.tolist()):
        if stage[at] == "":
            part.copy(store, row, without=without)
        elif stage[at] != WITHDRAWN:
            part.drop(str(names[row]), "", float("nan"), stage[at])
        if at % AT_ONCE == AT_ONCE - 1:
            yield from part.drain()
    if rows is None:
        _reject_unlike(part, store, stage)
    yield from part.pieces()


def _reject_unlike(part: PartWriter, store: Store, unlike: list[Unlike]) -> None:
    for one in unlike:
        file = store.files()[one.file]
        source = file.column("/sources/path")[file.row(one.row)["source"]]
        detail = f"The store before holds it too, and another {', '.join(one.differs)}."
        part.reject(str(source), one.frame_id, "select", "in two stores", detail)


def reject_part(part: Part, reason: str) -> bytes:
    """Stand in for a part that killed its worker: the frames that should stay are rejected.

    Args:
        part: Whose frames they are.
        reason: Why; the row of /rejected has it.

    Returns:
        A part of rows for /rejected and /dropped, without frames.

    Raises:
        RequestError: The part was to compare what two inputs hold.
    """
    paths, rows, stage, _ = part.payload
    if rows is None:
        raise RequestError("the frames that two inputs hold cannot be compared; give one of the inputs only.")
    store = _opened(tuple(paths))
    made = PartWriter()
    names, sources = store.column("frame_id"), store.of_frames("path")
    for at, row in enumerate(rows.tolist()):
        if stage[at] == "":
            made.reject(str(sources[row]), str(names[row]), "select", "part failed", reason)
        elif stage[at] != WITHDRAWN:
            made.drop(str(names[row]), "", float("nan"), stage[at])
    return made.to_bytes()
