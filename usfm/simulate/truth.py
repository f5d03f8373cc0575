"""The truth beside the media: truth.json (everything), truth.csv (a manifest), pairs.csv, boxes.coco.json."""

from pathlib import Path

from usfm import escape, provenance
from usfm.simulate import repeats
from usfm.simulate.organs import CLASSES
from usfm.simulate.plan import REPEATS
from usfm.store.whole import write_json

COLUMNS = ("path", "patient", "exam", "split", "label", "scene", "probe", "layout", "repeat_of", "repeat_kind")
"""Columns of truth.csv, which `usfm extract --manifest` reads as it is; its paths are relative to the media folder."""


def write_truth(folder: Path, entries: list[dict], options: dict, key: str) -> None:
    """Write the tables of a collection.

    Args:
        folder: where.
        entries: one per item, as `render.render` returns them.
        options: the command's settings with the seed.
        key: digest of the options, which says whether a collection is up to date.
    """
    book = {
        "format": "usfm-truth",
        "version": 1,
        "key": key,
        "options": options,
        "software": provenance.software(),
        "classes": list(CLASSES),
        "items": entries,
    }
    write_json(folder / "truth.json", book, indent=1)
    rows = [row for entry in entries for row in _rows(entry)]
    _table(folder / "truth.csv", COLUMNS, rows)
    _table(folder / "pairs.csv", ("a", "a_frame", "b", "b_frame", "mark", "how"), repeats.pairs(entries, REPEATS))
    write_json(folder / "boxes.coco.json", _coco(entries), indent=1)


def _rows(entry: dict) -> list[dict]:
    """Manifest rows of an item: one a file; a clip written as pictures has one a picture."""
    entry = {**entry, "repeat_kind": entry["repeat"]}
    if "." in entry["path"].rsplit("/", 1)[1]:
        return [entry]
    suffix = entry["encoding"]
    return [{**entry, "path": f"{entry['path']}/{at:05d}.{suffix}"} for at in range(entry["frames"])]


def _table(path: Path, columns: tuple[str, ...], rows: list[dict]) -> None:
    with open(path, "w", newline="", encoding="utf-8") as file:
        escape.write_csv(file, columns, rows)


def _coco(entries: list[dict]) -> dict:
    """Lesion boxes of the stills in COCO's form, one category a class."""
    images, notes = [], []
    for entry in entries:
        if entry["kind"] != "still":
            continue
        images.append(
            {"id": len(images), "file_name": entry["path"], "height": entry["height_px"], "width": entry["width_px"]}
        )
        box = entry["boxes"][0]
        if box:
            wide, tall = box[2] - box[0], box[3] - box[1]
            notes.append(
                {
                    "id": len(notes),
                    "image_id": images[-1]["id"],
                    "category_id": CLASSES.index(entry["label"]),
                    "bbox": [box[0], box[1], wide, tall],
                    "area": wide * tall,
                    "iscrowd": 0,
                }
            )
    categories = [{"id": place, "name": name} for place, name in enumerate(CLASSES)]
    return {"images": images, "annotations": notes, "categories": categories}
