"""Say what is in a store or a run and where it came from."""

import os
import time
from pathlib import Path

import numpy as np

from usfm import console, escape
from usfm.config import Request
from usfm.errors import GateError, RequestError
from usfm.inspect import card, clean_split, describe, labels
from usfm.inspect import runs as runs_of
from usfm.inspect.config import Config
from usfm.quantities import counted
from usfm.store import path_map
from usfm.store.damage import Damaged
from usfm.store.reader import Store, expanded
from usfm.store.verify import Verdict, verify
from usfm.store.whole import place, whole_file

_LISTED = 10


def run(config: Config, request: Request) -> dict:
    """Describe stores and runs on stdout; with `sheet` draw frames, with `verify` check that nothing has changed.

    Args:
        config: What to show.
        request: Paths of stores or run directories.

    Returns:
        The summary, with `stores` and `runs`, one dict each, and with --verify `whole` and `verdicts`.

    Raises:
        RequestError: A path is neither a store nor a run.
        GateError: --verify found damage.
    """
    started = time.monotonic()
    _check_sheet(config.sheet)
    card.check(config.report)
    known = {} if config.path_map is None else path_map.read(config.path_map)
    if not request.inputs:
        raise RequestError("usfm info: name a store or a run directory.")
    paths = [path for one in request.inputs for path in expanded(one)]
    runs = [path for path in paths if Path(path).is_dir()]
    stores = [path for path in paths if not Path(path).is_dir()]
    summary: dict = {"command": "info", "out": None, "frames_in": None, "frames_out": None, "dropped": None,
                     "rejected": None, "sources": None, "stores": [], "runs": []}  # fmt: skip
    for path in runs:
        found = runs_of.described(path)
        summary["runs"].append(found)
        console.text(runs_of.text(found))
    for path in stores:
        found = _described(path, config.verify)
        if found is not None:
            found |= _judged(path)
            summary["stores"].append({"path": path, **found})
            console.text(describe.text(found, path))
    if len(stores) == len(summary["stores"]) == 1:
        found = summary["stores"][0]
        summary |= {"sources": found["sources"], "frames_out": found["frames"]}
    summary["leaks"] = sum(clean_split.leaks(one["split_check"]) for one in summary["stores"])
    if config.path_map is not None:
        summary["paths"] = _named([path for path in stores if _described(path, config.verify)], config.path_map, known)
    if config.verify:
        summary |= _verify(stores, request.workers)
    if config.report is not None:
        whole = Store.open(stores).require() if stores else None
        if whole is None:
            raise RequestError("usfm info --report: name a store; a run has its card in card.json.")
        summary["report"] = card.write(config.report, whole, describe.counts(whole))
        console.say(f"dataset card: {', '.join(summary['report'])}")
    if config.sheet is not None:
        draw_sheet(Store.open(stores).require(), config.sheet, config.sheet_frames)
        summary["sheet"] = config.sheet
        console.say(f"contact sheet: {config.sheet}")
    return summary | {"seconds": round(time.monotonic() - started, 3), "frames_per_s": None}


def _described(path: str, verifying: bool) -> dict | None:
    """What is in a store; None where `verify` will say why it cannot be told."""
    try:
        return describe.counts(Store.open(path))
    except RequestError:
        if not verifying:
            raise
        return None


def _judged(path: str) -> dict:
    """Whether the split is clean, and which frames look alike and carry different classes; warns of either."""
    store = Store.open(path)
    try:
        features = clean_split.looks(store)
        split = clean_split.check(store, features)
    except Damaged as error:
        console.warn(f"{error} (so its split was not checked)")
        return {"split_check": None, "near_conflicts": None}
    if split is not None and not split["clean"]:
        console.warn(
            f"{path}: its split is not clean ({counted(clean_split.leaks(split), 'leak')}); see docs/splits.md"
        )
    near = None if features is None else labels.near_conflicts(store, features)
    if near is not None and near["pairs"]:
        first = near["named"][0]
        pair = " and ".join(f"{one} ({label})" for one, label in zip(first["sources"], first["classes"], strict=True))
        console.warn(
            f"{path}: {counted(near['pairs'], 'pair')} of near-identical frames with different classes, such as {pair}"
        )
    return {"split_check": split, "near_conflicts": near}


def _named(stores: list[str], file: str, known: dict[str, dict]) -> dict[str, str]:
    """Say which file each path of the stores stands for, those of rejected sources too."""
    opened = [Store.open(path) for path in stores]
    names = [str(name) for store in opened for name in (*store.source_column("path"), *store.rejected()["source"])]
    found = {name: known[name]["path"] for name in dict.fromkeys(names) if name in known}
    if names and not found:
        raise RequestError(f"{file}: knows none of the sources of {', '.join(stores)}; give the map of their extract.")
    missing = len(set(names) - set(found))
    console.text(_lines(["files", *(row for name, path in found.items() for row in (f"  {name}", f"    {path}"))]))
    if missing:
        console.warn(f"{file}: {missing} sources are not in this map.")
    return found


def _lines(lines: list[str]) -> str:
    """Join lines of which none can pass for two."""
    return "\n".join(escape.line(one) for one in lines)


def draw_sheet(store: Store, path: str, most: int) -> None:
    """Draw frames spread evenly over the store, with the outline of their region, masks, boxes and a caption.

    Args:
        store: Frames.
        path: Picture to write.
        most: How many frames.

    Raises:
        RequestError: It cannot be written there.
    """
    from usfm.pictures.labels import labelled
    from usfm.pictures.sheet import contact_sheet, outline

    rows = np.unique(np.linspace(0, len(store) - 1, min(most, len(store))).round().astype(int))
    region, labels = store.column("region_row").tolist(), store.labels_class()
    ids, names = store.column("frame_id"), store.class_names
    images, captions = [], []
    for row, frame in zip(rows.tolist(), store.frames(rows, threads=4), strict=True):
        frame = frame if region[row] < 0 else outline(frame, store.region(region[row]).mask)
        images.append(labelled(frame, store.structures(row), *store.boxes(row)))
        captions.append(ids[row] + (f"\n{names[labels[row]]}" if labels[row] >= 0 else ""))
    try:
        with whole_file(path) as temporary:
            contact_sheet(images, captions, path=temporary)
            with open(temporary, "ab") as file:
                file.write(_MARK)
    except (OSError, ValueError) as error:
        raise RequestError(f"{path}: the sheet cannot be written there ({error}).") from None


_MARK = b"\nusfm contact sheet\n"
"""Ends a sheet's file, where picture readers do not look: a sheet may be drawn anew, another picture is the user's."""


def _check_sheet(path: str | None) -> None:
    """See before the work that a sheet may have its name."""
    if path is None or not os.path.lexists(place(path)):
        return
    try:
        with open(place(path), "rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - len(_MARK)))
            ours = file.read(len(_MARK)) == _MARK
    except OSError as error:
        raise RequestError(f"{path}: the sheet cannot be written there ({error.strerror}).") from None
    if not ours:
        raise RequestError(f"{path}: exists and 'usfm info --sheet' did not make it; choose another name.")


def _verify(paths: list[str], threads: int) -> dict:
    """Verify all, show what was found, then raise for the first that is no store, or else the first that is damaged."""
    verdicts, foreign = [], None
    for path in paths:
        try:
            verdicts.append(verify(path, threads))
            console.text(_verdict_text(verdicts[-1]))
        except RequestError as error:
            foreign = foreign or error
    damaged = [verdict for verdict in verdicts if not verdict.whole]
    if foreign is not None:
        raise foreign
    if damaged:
        raise GateError(
            f"{damaged[0].path}: damaged; copy it from a backup, or make it again with: "
            f"{damaged[0].remedy or 'the command that made it'}"
        )
    return {"whole": True, "verdicts": [{"path": v.path, "parts_good": len(v.good), "notes": v.notes}
                                        for v in verdicts]}  # fmt: skip


def _verdict_text(verdict: Verdict) -> str:
    if verdict.whole:
        return _lines([f"{verdict.path}: whole; all {len(verdict.good)} parts are what was written.",
                       *(f"  {note}" for note in verdict.notes)])  # fmt: skip
    parts = len(verdict.good) + len(verdict.bad)
    lines = [f"{verdict.path}: damaged; " + (f"{len(verdict.good)} of {parts} parts are good." if parts else
                                             "what it holds cannot be told.")]  # fmt: skip
    lines += [f"  {problem}" for problem in verdict.problems[:_LISTED]]
    lines += [f"  part {name}: {why}" for name, why in list(verdict.bad.items())[:_LISTED]]
    lines += [f"  and {len(verdict.bad) - _LISTED} more parts"] if len(verdict.bad) > _LISTED else []
    if verdict.good and verdict.bad:
        lines.append(
            f"  good parts: {', '.join(verdict.good[:_LISTED])}{', ...' if len(verdict.good) > _LISTED else ''}"
        )
    if verdict.remedy:
        lines.append(f"  to make it again: {verdict.remedy}")
    return _lines(lines)
