"""A dataset card: what a store holds, where it came from and what is known to be wrong, as Markdown and as JSON."""

import json
from pathlib import Path

from usfm.errors import RequestError
from usfm.inspect import clean_split, labels
from usfm.provenance import json_text
from usfm.store.history import command_line
from usfm.store.reader import Store
from usfm.store.whole import place, write_json, write_text

MARK = "usfm dataset card"
PAGES = ("card.md", "card.json")


def check(folder: str | None) -> None:
    """See before the work that a card can be written.

    Raises:
        RequestError: The folder cannot hold it, or holds a card that usfm did not make.
    """
    if folder is None:
        return
    where = place(folder)
    if where.exists() and not where.is_dir():
        raise RequestError(f"{folder}: is no folder; choose another --report.")
    for name, ours in zip(PAGES, (f"<!-- {MARK} -->", f'"{MARK}"'), strict=True):
        file = where / name
        if file.exists() and (not file.is_file() or ours not in file.read_text("utf-8", "replace")):
            raise RequestError(f"{file}: exists and 'usfm info --report' did not make it; choose another --report.")


def write(folder: str, store: Store, counts: dict) -> list[str]:
    """Write the card of a store.

    Args:
        folder: Where it goes.
        store: What it is about.
        counts: What `describe.counts` says of it.

    Returns:
        Paths of the files.

    Raises:
        RequestError: It cannot be written there.
    """
    card = made(store, counts)
    where = place(folder)
    try:
        where.mkdir(parents=True, exist_ok=True)
        write_json(where / PAGES[1], card)
        write_text(where / PAGES[0], markdown(card))
    except OSError as error:
        raise RequestError(f"{folder}: the card cannot be written there ({error.strerror}).") from None
    return [str(Path(folder) / name) for name in PAGES]


def made(store: Store, counts: dict) -> dict:
    """Return the card as JSON takes it.

    Args:
        store: the store.
        counts: of it, from `describe.counts`.

    Returns:
        Composition, labels, splits, provenance and what is known to be wrong, all of it JSON.
    """
    found = labels.counts(store)
    if "masks" in found:
        found["masks"]["frames_of"] = labels.structures(store)
    near = labels.near_conflicts(store)
    return {
        "kind": MARK,
        "content_id": counts["content_id"],
        "composition": {
            name: counts[name]
            for name in ("frames", "sources", "patients", "sizes", "kinds", "datasets", "regions", "fixed_shape")
        },
        "labels": found,
        "splits": {"frames": {split: sum(one.values()) for split, one in counts["labels"]["classes"].items()},
                   "patients": counts["labels"]["patients"],
                   "check": clean_split.check(store, None)},
        "processing": [_step(step) for step in store.history],
        "problems": {
            "dropped": counts["dropped"],
            "rejected": counts["rejected"],
            "identical_frames_of_different_classes": labels.identical_conflicts(store),
            "near_identical_frames_of_different_classes": near,
        },
    }  # fmt: skip


def _step(step: dict) -> dict:
    return {
        "command": command_line(step),
        "usfm": step.get("software", {}).get("usfm", "?"),
        "counts": step.get("counts", {}),
    }


def markdown(card: dict) -> str:
    """Return the card as a person reads it."""
    parts = [
        ("Composition", _facts(card["composition"])),
        ("Labels", _labels(card["labels"])),
        ("Splits", _splits(card["splits"])),
        ("Collection and processing", _processing(card["processing"])),
        ("Known problems", _problems(card["problems"])),
        ("Personal data", _PRIVACY),
        ("Licence and citation", "Not stated by the store. Whoever shares it states both here."),
        ("Intended use", "Research on ultrasound. The store says nothing about clinical use; no part of it was "
                         "validated for diagnosis."),
    ]  # fmt: skip
    body = "\n\n".join(f"## {name}\n\n{text}" for name, text in parts)
    return f"<!-- {MARK} -->\n# Dataset card\n\nContent id `{card['content_id']}`.\n\n{body}\n"


_PRIVACY = (
    "Patients and exams are stored as keyed pseudonyms or not at all; tags of the files pass a list of harmless ones. "
    "Burnt-in text is in the pixels unless `usfm clean` was run (see above). Columns of a manifest are kept as given."
)


def _facts(found: dict) -> str:
    rows = [(name.replace("_", " "), _short(value)) for name, value in found.items() if value not in ({}, None)]
    return _table(("", ""), rows)


def _labels(found: dict) -> str:
    if not found:
        return "None."
    parts = []
    if "class" in found:
        rows = [(name, *(one[key] for key in ("frames", "sources", "patients")), _short(one["splits"]))
                for name, one in found["class"].items()]  # fmt: skip
        parts.append(_table(("class", "frames", "sources", "patients", "splits"), rows))
    if "multi" in found:
        rows = [(name, one["yes"], one["no"]) for name, one in found["multi"].items()]
        parts.append(_table(("class (several may apply)", "yes", "no"), rows))
    if "masks" in found:
        of = found["masks"]["frames_of"]
        parts.append(f"{found['masks']['frames']:,} label masks ({found['masks']['kind']}).\n\n"
                     + _table(("structure", "frames"), list(of.items())))  # fmt: skip
    if "boxes" in found:
        rows = [(name, one["boxes"], one["frames"]) for name, one in found["boxes"]["classes"].items()]
        told = f"Boxes are known on {found['boxes']['frames']:,} frames; {found['boxes']['frames_without_any']:,} of "
        parts.append(f"{told}them have none.\n\n" + _table(("class of boxes", "boxes", "frames"), rows))
    if "values" in found:
        rows = [(name, *one.values()) for name, one in found["values"].items()]
        parts.append(_table(("number", "frames", "least", "median", "most"), rows))
    if "scores" in found:
        parts.append(_table(("score of a model", "frames"), list(found["scores"].items())))
    return "\n\n".join(parts)


def _splits(found: dict) -> str:
    rows = [(name, count, found["patients"].get(name, 0)) for name, count in found["frames"].items()]
    check = found.get("check")
    told = [] if check is None else ["", *(f"* {one}" for one in clean_split.lines(check))]
    return "\n".join([_table(("split", "frames", "patients"), rows), *told])


def _processing(steps: list[dict]) -> str:
    return "\n".join(f"{at}. `{step['command']}` (usfm {step['usfm']})" for at, step in enumerate(steps, 1)) or "None."


def _problems(found: dict) -> str:
    parts = [_table((name, "count"), list(found[name].items())) for name in ("dropped", "rejected") if found[name]]
    same, near = (found[f"{name}_frames_of_different_classes"] for name in ("identical", "near_identical"))
    parts.append(f"{same['sets']:,} sets of identical frames carry different classes.")
    parts += [_conflict(one) for one in same["named"]]
    parts.append("Near-identical frames were not compared: there are too many." if near is None
                 else f"{near['pairs']:,} pairs of near-identical frames carry different classes.")  # fmt: skip
    parts += [_conflict(one) for one in (near or {"named": []})["named"]]
    return "\n\n".join(parts)


def _conflict(one: dict) -> str:
    each = zip(one["sources"], one["frames"], one["classes"], strict=True)
    return "* " + "; ".join(f"`{_code(source)}` ({frame}): {_cell(name)}" for source, frame, name in each)


def _table(names: tuple, rows: list) -> str:
    lines = ["| " + " | ".join(map(str, names)) + " |", "|" + "---|" * len(names)]
    return "\n".join(lines + ["| " + " | ".join(map(_cell, row)) + " |" for row in rows])


def _short(value: object) -> str:
    if isinstance(value, dict):
        shown = [f"{name or '(none)'}: {_short(one)}" for name, one in list(value.items())[:20]]
        return ", ".join(shown) + (", ..." if len(value) > 20 else "")
    return json_text(value).strip('"') if not isinstance(value, int) else f"{value:,}"


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    text = f"{value:,}" if isinstance(value, int) else str(value)
    return "".join(char if char.isprintable() else " " for char in text).replace("|", "\\|").replace("<", "&lt;")


def _code(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)[1:-1].replace("`", "'")
