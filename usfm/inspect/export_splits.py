"""Write the split of a store, or that which a run was trained and tested by, as JSON or CSV that others can read."""

import io
import json
import time
from pathlib import Path

from usfm import console, escape
from usfm.config import Request
from usfm.errors import RequestError, WorkError
from usfm.inspect.clean_split import FOLD
from usfm.jobs.outputs import check_free, up_to_date
from usfm.provenance import digest
from usfm.store.reader import Store, expanded
from usfm.store.whole import place, whole_file

FORMAT = "usfm-splits"
_NAMES = ("source_id", "path", "patient", "exam")
"""Columns that say whose part it is; `frame_id` stands first where frames of one source are in different parts."""


def run(request: Request) -> dict:
    """Write one entry a source (or a frame, where a source is split itself): names, and its part in each split.

    Returns:
        The summary, with `entries` and `splits`, the columns that say the part.

    Raises:
        RequestError: no split is there, or the output is in the way.
        WorkError: the file cannot be written.
    """
    started = time.monotonic()
    paths = [path for one in request.inputs for path in expanded(one)]
    if not paths or request.out is None:
        raise RequestError("usfm export --to splits: name a store or a run, and a file with --out SPLITS.json or .csv.")
    out = Path(request.out)
    if out.suffix.lower() not in (".json", ".csv"):
        raise RequestError(f"--out {out}: an export to splits ends in .json or .csv.")
    runs = [path for path in paths if Path(path).is_dir()]
    if runs and len(paths) > 1:
        raise RequestError("usfm export --to splits: takes one run, or stores.")
    table, parts = _of_run(runs[0]) if runs else _of_store(Store.open(paths).require())
    entries = _entries(table, parts)
    text = _text(entries, list(parts), out.suffix.lower())
    summary = {"command": "export", "out": str(out), "to": "splits", "frames_in": len(table["frame_id"]),
               "frames_out": len(table["frame_id"]), "dropped": 0, "rejected": 0,
               "sources": len(set(table["source_id"])), "entries": len(entries), "splits": list(parts)}  # fmt: skip
    if request.dry_run:
        check_free(out, request.overwrite, _key_of)
        console.say(f"would write {len(entries):,} entries to {out}")
        return summary | {"out": None, "dry_run": True, "seconds": 0.0, "frames_per_s": None}
    if not up_to_date(out, digest(text), request.overwrite, _key_of):
        try:
            place(out).parent.mkdir(parents=True, exist_ok=True)
            with whole_file(out) as temporary:
                temporary.write_text(text, encoding="utf-8")
        except OSError as error:
            raise WorkError(f"{out}: cannot be written ({error.strerror or error})") from None
    return summary | {"seconds": round(time.monotonic() - started, 3), "frames_per_s": None}


def _of_store(store: Store) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    ids = [str(one) for one in store.column("frame_id")]
    table = {"frame_id": ids, "source_id": [one.split(":")[0] for one in ids]}
    table |= {name: [str(one) for one in store.of_frames(name)] for name in ("path", "patient", "exam")}
    parts = {"split": [str(one) for one in store.split()]}
    if FOLD in store.source_columns:
        parts[FOLD] = [str(one) for one in store.of_frames(FOLD)]
    parts = {name: words for name, words in parts.items() if any(words)}
    if not parts:
        raise RequestError(f"{store.paths[0]}: has no split; make one with 'usfm split'.")
    return table, parts


def _of_run(run: str) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """What each fold of a run was trained on and predicted."""
    from usfm.tasks import predictions

    found = predictions.read(run)
    if found.training is None:
        raise RequestError(
            f"{run}: does not say what it was trained on, so its split is not known; make the run again."
        )
    place_of: dict[str, int] = {}
    table: dict[str, list[str]] = {name: [] for name in ("frame_id", "source_id", "path", "patient", "exam")}
    parts: dict[str, dict[int, str]] = {}
    training = ["train"] * len(found.training)
    for rows, words in ((found.training, training), (found, [str(one) for one in found.split])):
        for frame, source, patient, fold, word in zip(
            rows.frame_id, rows.source, rows.patient, rows.fold, words, strict=True
        ):
            at = place_of.setdefault(str(frame), len(place_of))
            if at == len(table["frame_id"]):
                for name, value in zip(table, (frame, frame.split(":")[0], source, patient, ""), strict=True):
                    table[name].append(str(value))
            parts.setdefault(str(fold), {})[at] = word
    columns = {name: [words.get(at, "") for at in range(len(place_of))] for name, words in parts.items()}
    if list(columns) == ["split"]:
        return table, columns
    return table, {f"fold_{name}": words for name, words in sorted(columns.items(), key=lambda one: _order(one[0]))}


def _order(name: str) -> tuple[bool, int, str]:
    return not name.isdigit(), int(name) if name.isdigit() else 0, name


def _entries(table: dict[str, list[str]], parts: dict[str, list[str]]) -> list[dict[str, str]]:
    """One entry a source, or one a frame of a source whose frames are in different parts."""
    words = list(zip(*parts.values(), strict=True))
    mine: dict[str, list[int]] = {}
    for at, source in enumerate(table["source_id"]):
        mine.setdefault(source, []).append(at)
    entries = []
    for rows in mine.values():
        whole = len({words[at] for at in rows}) == 1
        for at in rows[:1] if whole else rows:
            named = {name: table[name][at] for name in _NAMES if table[name][at]}
            frame = {} if whole else {"frame_id": table["frame_id"][at]}
            entries.append({**frame, **named, **dict(zip(parts, words[at], strict=True))})
    return entries


def _text(entries: list[dict[str, str]], parts: list[str], suffix: str) -> str:
    if suffix == ".json":
        head = {"format": FORMAT, "version": 1, "splits": parts}
        lines = ",\n".join(json.dumps(entry, ensure_ascii=False) for entry in entries)
        return json.dumps(head)[:-1] + ', "entries": [\n' + lines + "\n]}\n"
    columns = [name for name in ("frame_id", *_NAMES) if any(name in entry for entry in entries)] + parts
    buffer = io.StringIO(newline="")
    escape.write_csv(buffer, columns, [[entry.get(name, "") for name in columns] for entry in entries])
    return buffer.getvalue()


def _key_of(out: Path) -> str | None:
    """The digest of an exported file's text; None for a file that no export made."""
    try:
        text = out.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return None
    first = text.partition("\n")[0]
    ours = first.startswith((f'{{"format": "{FORMAT}"', "source_id,path,", "frame_id,source_id,"))
    return digest(text) if ours else None
