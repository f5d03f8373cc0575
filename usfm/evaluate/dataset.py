"""What was measured on: classes by cases and patients, and what a store says of the frames."""

from collections.abc import Mapping

import numpy as np

from usfm.evaluate.bootstrap import plain
from usfm.evaluate.tables import main
from usfm.imaging.gray import to_gray
from usfm.store.reader import Store
from usfm.tasks.contract import Scored
from usfm.tasks.draws import Draws
from usfm.tasks.predictions import Predictions

_MOST = 500  # patients in the table
_LOOKED_AT = 200  # frames whose brightness is measured, evenly over all
_REASONS = 4
_FLAT, _DARK = 1.0, 5.0  # deviation inside a frame, and its mean, of 255


def card(held: Predictions, frames: Scored, store: Store | None, rows: np.ndarray) -> dict:
    """Describe the measured frames.

    Args:
        held: predictions of one run.
        frames: its frames as cases.
        store: given with ``--in``, or None.
        rows: (n,) int row of each frame in it, -1 where it lacks the frame.

    Returns:
        JSON values: classes (class, frames, patients), facts (words -> value).
    """
    group, source = held.group.astype(str), held.source.astype(str)
    classes = []
    for c, name in enumerate(frames.class_names):
        mine = frames.has_class(c)
        patients = len(set(frames.group[mine].tolist()))
        classes.append({"class": name, "frames": int(mine.sum()), "patients": patients})
    counts = np.unique(group, return_counts=True)[1]
    facts: dict[str, object] = {
        "frames": len(held),
        "patients": len(counts),
        "clips": len(set(source.tolist()) - {""}),
        "frames a patient": f"{int(np.median(counts))} (median), {counts.min()} to {counts.max()}",
        "frames without a patient": int((held.patient.astype(str) == "").sum()),
    }
    if store is not None and (rows >= 0).any():
        facts |= _of_store(store, rows[rows >= 0])
    return {"classes": classes, "facts": facts}


def _of_store(store: Store, rows: np.ndarray) -> dict[str, object]:
    facts: dict[str, object] = {"store": store.content_id, "frames in the store": len(rows)}
    for words, column in (("dataset", "dataset"), ("kind of source", "kind"), ("manufacturer", "manufacturer"),
                          ("device", "device"), ("probe", "probe")):  # fmt: skip
        if column in store.source_columns:
            values, counts = np.unique([str(v or "unknown") for v in store.of_frames(column)[rows]], return_counts=True)
            order = np.argsort(-counts, kind="stable")[:6]
            more = f"; {len(values) - 6} more" if len(values) > 6 else ""
            facts[words] = "; ".join(f"{values[k]}: {counts[k]:,}" for k in order) + more
    facts["frame sizes"] = ", ".join(sorted(store.sizes))
    facts |= _rates(store, rows) | _brightness(store, rows) | _rejected(store)
    facts["steps"] = " > ".join(str(step.get("command", "?")) for step in store.history)
    return facts


def _rates(store: Store, rows: np.ndarray) -> dict[str, object]:
    rates = np.asarray(store.of_frames("fps")[rows], float)
    rates = rates[np.isfinite(rates) & (rates > 0)]
    if not len(rates):
        return {}
    return {"frames a second of the clips": f"{np.median(rates):.4g} (median), {rates.min():.4g} to {rates.max():.4g}"}


def _brightness(store: Store, rows: np.ndarray) -> dict[str, object]:
    some = rows[np.unique(np.linspace(0, len(rows) - 1, _LOOKED_AT).round().astype(int))]
    gray = (to_gray(frame) for frame in store.frames(some.tolist()))
    means, spreads = np.array([(frame.mean(), frame.std()) for frame in gray]).T
    of = "" if len(some) == len(rows) else f", of {len(some)} frames"
    facts: dict[str, object] = {"brightness": f"{means.mean():.0f} of 255, deviation over frames {means.std():.0f}{of}"}
    odd = {"of one gray value": spreads < _FLAT, "nearly black": (means < _DARK) & (spreads >= _FLAT)}
    said = "; ".join(f"{what}: {which.sum():,}" for what, which in odd.items() if which.any())
    return facts | ({"odd frames": said + of} if said else {})


def _rejected(store: Store) -> dict[str, object]:
    reasons = np.array([str(reason) for reason in store.rejected()["reason"]], object).astype(str)
    if not len(reasons):
        return {}
    names, counts = np.unique(reasons, return_counts=True)
    order = np.argsort(-counts, kind="stable")
    more = f"; {len(names) - _REASONS} more reasons" if len(names) > _REASONS else ""
    said = "; ".join(f"{names[k]}: {counts[k]:,}" for k in order[:_REASONS])
    return {"rejected on the way": f"{len(reasons):,} ({said}{more})"}


def patients(cases: Scored, run: dict) -> list[dict]:
    """Measure every patient alone, by the measures of the comparison table that one patient can have.

    Args:
        cases: of the run.
        run: its entry in the report.

    Returns:
        Rows of patient, classes, cases, and measures; at most 500, the worst in the first measure first.
    """
    names = np.unique(cases.group.astype(str))
    each = Draws(names, np.eye(len(names), dtype=int))
    found, place = cases.measure(each), each.place(cases.group)
    higher = {one.name: one.higher for one in cases.measures}
    shown = [name for name in run["titles"]["measures"] if np.isfinite(found[name]).mean() > 0.9]
    shown = [name for name in shown if name in main(run)][:2] + [n for n in shown if n == "log_loss"]
    rows = []
    for k, name in enumerate(names):
        mine = place == k
        held = [title for c, title in enumerate(cases.class_names) if (cases.has_class(c) & mine).any()]
        values = {key: plain(found[key][k]) for key in shown}
        rows.append({"patient": str(name), "classes": ", ".join(held), "cases": int(mine.sum()), "values": values})

    def badness(row: dict) -> list[float]:
        values = [(key, row["values"][key]) for key in shown]
        return [np.inf if v is None else -v if not higher[key] else v for key, v in values]

    return sorted(rows, key=badness)[:_MOST]


def commands(names: Mapping[str, Mapping], words: list[str], store: Store | None = None) -> list[str]:
    """The lines that made the runs and the report, as far as the cards tell.

    Args:
        names: run -> what its card says.
        words: of ``usfm eval``.
        store: given with ``--in``, or None; runs that were made from it show its path, others show ``STORE``.

    Returns:
        One line each; of an absolute path only its last two parts.
    """
    lines = []
    for name, about in names.items():
        flags = about.get("flags")
        if isinstance(flags, list) and about.get("task"):
            inputs = about.get("inputs")
            same = store is not None and isinstance(inputs, Mapping) and inputs.get("store") == store.content_id
            read = [str(path) for path in store.paths] if store is not None and same else ["STORE"]
            given = [word for path in read for word in ("--in", path)]
            lines.append(
                " ".join(["usfm", "finetune", str(about["task"]), *map(_tail, [*given, *flags]), "--out", name])
            )
    return [*lines, " ".join(["usfm", "eval", *map(_tail, words)])]


def _tail(word: object) -> str:
    text = str(word)
    head, sep, path = text.rpartition(":")
    if path.startswith("/"):
        path = "/".join(path.split("/")[-2:])
    text = head + sep + path
    return f"'{text}'" if " " in text else text
