"""Put a rendered collection in its place: only over one of our own, and so that a kill at any moment loses nothing."""

import json
import os
from pathlib import Path

from usfm.errors import RequestError
from usfm.jobs.outputs import refuse_strangers
from usfm.store.disk import sync
from usfm.store.whole import put_in_place, write_json

NOTE = "handover.json"
"""Written when all is rendered: which folder is to have which name, by inode: a resumed run knows what is done."""

_TRUTH = ("truth.json", "truth.csv", "pairs.csv", "boxes.coco.json", *(f"{mask}/*" for mask in
          ("sector", "overlay", "lesion", "doppler")))  # fmt: skip


def book_of(truth: Path) -> dict | None:
    """The truth.json of a finished collection, None where there is none."""
    if not (truth / "truth.json").is_file():
        return None
    try:
        book = json.loads((truth / "truth.json").read_text(encoding="utf-8"))
        whole = book["format"] == "usfm-truth" and isinstance(book["key"], str)
        items = [(item["path"], item["frames"]) for item in book["items"]]
        whole = whole and all(isinstance(path, str) and type(frames) is int for path, frames in items)
        return book if whole else None
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def is_there(out: Path, truth: Path, key: str, overwrite: bool) -> bool:
    """See what has the names of a collection, before anything is touched.

    Args:
        out: folder of the media.
        truth: folder of the truth.
        key: digest of the request.
        overwrite: whether an older collection of ours may be replaced.

    Returns:
        Whether this very collection is there already.

    Raises:
        RequestError: something that is not ours is there, or ours without `overwrite`.
    """
    taken = [path for path in (out, truth) if os.path.lexists(path) and not (path.is_dir() and not any(path.iterdir()))]
    if not taken:
        return False
    book = book_of(truth)
    if book is None:
        raise RequestError(
            f"{taken[0]} exists and was not made by simulate (which leaves {truth / 'truth.json'}), so --overwrite "
            "will not remove it; choose another --out."
        )
    if not overwrite:
        if book["key"] == key and out in taken:
            return True
        raise RequestError(f"{taken[0]} exists; choose another --out or give --overwrite.")
    refuse_strangers(truth, _TRUTH)
    media = [item["path"] for item in book["items"]]
    if out in taken:
        refuse_strangers(out, [*media, *(f"{one}/*" for one in media)])
    return False


def prepare(work: Path, out: Path, truth: Path) -> None:
    """Note what is to change places with what; from here on `finish` can be called again and again.

    Args:
        work: folder in which the collection was made.
        out: final name of the media.
        truth: final name of the truth.
    """
    note = {name: [_inode(work / name), _inode(final)] for name, final in _names(out, truth)}
    write_json(work / NOTE, note)


def is_prepared(work: Path, out: Path, truth: Path) -> bool:
    """Whether a run was ended while it put its collection in place, and all of it is still there.

    Args:
        work: folder in which the collection was made.
        out: final name of the media.
        truth: final name of the truth.

    Returns:
        Whether `finish` can be called.
    """
    try:
        note = json.loads((work / NOTE).read_text(encoding="utf-8"))
        return all(note[name][0] in (_inode(final), _inode(work / name)) for name, final in _names(out, truth))
    except (OSError, ValueError, KeyError, TypeError, IndexError):
        return False


def _names(out: Path, truth: Path) -> tuple[tuple[str, Path], ...]:
    return (("media", out), ("truth", truth))


def finish(work: Path, out: Path, truth: Path) -> None:
    """Give media and truth their names; what had them before is in `work` then.

    Args:
        work: folder in which the collection was made.
        out: final name of the media.
        truth: final name of the truth.

    Raises:
        RequestError: something else has taken a name meanwhile.
    """
    note = json.loads((work / NOTE).read_text(encoding="utf-8"))
    for name, final in _names(out, truth):
        new, old = note[name]
        if _inode(final) == new:
            continue
        if _inode(final) not in (None, old):
            raise RequestError(
                f"{final}: something else has taken this name meanwhile; move it and type the same again."
            )
        left = put_in_place(work / name, final)
        if left is not None and left != work / name:
            os.rename(left, work / name)
        sync(final.parent)


def _inode(path: Path) -> int | None:
    try:
        return path.lstat().st_ino
    except FileNotFoundError:
        return None
