"""The collection: which patients, exams, clips and stills there are, which repeat which, and which are broken."""

import dataclasses
import math
from dataclasses import dataclass

from usfm.seeding import stream
from usfm.simulate.config import Config
from usfm.simulate.organs import CLASSES

SHARES = (("test", 0.3), ("val", 0.15), ("train", 1.0))
"""Split by patient: cumulative from the first, the last takes the rest."""

REPEATS = {
    "copy": "duplicate",
    "reencoded": "duplicate",
    "annotated": "duplicate",
    "brightness": "duplicate",
    "resized": "duplicate",
    "cropped": "duplicate",
    "slow": "duplicate",
    "other_patient": "duplicate",
    "cut": "dont-care",
    "rescanned": "dont-care",
}
"""How a file repeats another, from the same bytes to the same tissue scanned again, and what a finder should say."""

FAULTS = ("truncated", "text", "empty", "garbage", "no_frames")
"""How a file is broken on request."""

ENCODINGS = {
    "mp4": (("mp4:h264",), ("png",)),
    "avi": (("avi:mjpeg", "avi:mpeg4"), ("png",)),
    "png": (("png",), ("png",)),
    "jpg": (("jpg",), ("jpg",)),
    "dicom": (
        ("dcm:explicit", "dcm:rle", "dcm:jpeg"),
        ("dcm:explicit", "dcm:palette", "dcm:rle", "dcm:jpeg", "dcm:j2k"),
    ),
    "mixed": (
        ("mp4:h264", "avi:mjpeg", "mp4:vfr", "dcm:explicit", "mp4:mpeg4", "avi:mpeg4", "dcm:jpeg", "dcm:rle"),
        ("png", "jpg", "dcm:explicit", "dcm:palette"),
    ),
}
"""Encodings of clips and of stills by `--format`: container, and after the colon the codec or transfer syntax."""


@dataclass(frozen=True)
class Item:
    """One file to render.

    Attributes:
        path: relative to the media folder, class folder first; a folder where a clip is written as pictures.
        kind: "clip", "still", "report" or "broken".
        label: one of `CLASSES`.
        tissue: the class that is shown; another than the label's in a label conflict.
        patient: name of the patient, "p00" on.
        exam: name of the exam.
        split: "train", "val" or "test".
        number: which picture of the collection; a repeat has its original's.
        device: the patient whose device made it (another one's where a file lies under two patients).
        encoding: one of `ENCODINGS`.
        repeat_of: path of the original, "" for an original.
        repeat: one of `REPEATS` or "conflict"; "" for an original.
        fault: one of `FAULTS`, "" for a sound file.
    """

    path: str
    kind: str
    label: str
    tissue: str
    patient: str
    exam: str
    split: str
    number: int
    device: str
    encoding: str
    repeat_of: str = ""
    repeat: str = ""
    fault: str = ""


def collection(config: Config, seed: int) -> list[Item]:
    """List every file of a collection, originals first.

    Patients take turns, and each patient's exams alternate between the classes, so that neither the patient nor the
    device says the class.

    Args:
        config: settings of the collection.
        seed: of all draws.

    Returns:
        One item a file.
    """
    count = config.clips + config.stills
    patients = min(config.patients, max(1, count))
    split = _split(patients, seed)
    items = []
    for number in range(count):
        clip = number < config.clips
        turn, patient = divmod(number, patients)
        which = (turn + patient) % len(CLASSES)
        report = not clip and number - config.clips < config.reports
        codes = ENCODINGS[config.format][0 if clip else 1]
        item = Item(
            path="",
            kind="clip" if clip else "report" if report else "still",
            label=CLASSES[which],
            tissue=CLASSES[which],
            patient=f"p{patient:02d}",
            exam=f"p{patient:02d}e{which + 1}",
            split=split[patient],
            number=number,
            device=f"p{patient:02d}",
            encoding=codes[(number if clip else number - config.clips) % len(codes)],
        )
        items.append(dataclasses.replace(item, path=_path(item, f"e{which + 1}_{'c' if clip else 's'}{turn:02d}")))
    firsts = [items[int(at)] for at in stream(seed, "repeats").permutation(len(items))]
    items += [_repeat(firsts[at % len(firsts)], at, patients, split) for at in range(config.duplicates)]
    items += [_conflict(firsts[-1 - at % len(firsts)], at, patients, split) for at in range(config.conflicts)]
    items += [_broken(firsts[at % len(firsts)], at) for at in range(config.corrupt)]
    return items


def _path(item: Item, name: str) -> str:
    suffix = item.encoding.split(":")[0]
    folder = item.kind == "clip" and suffix in ("png", "jpg")
    return f"{item.label}/{item.patient}_{name}" + ("" if folder else f".{suffix}")


def _stem(path: str) -> str:
    """The name of a file without class folder, patient and suffix."""
    return path.split("/")[-1].split("_", 1)[1].split(".")[0]


def _repeat(first: Item, at: int, patients: int, split: dict[int, str]) -> Item:
    """Plan the at-th repeat; another patient is one of the same split where there is one, so that splits hold."""
    how = list(REPEATS)[at % len(REPEATS)]
    if first.kind != "clip" and how == "slow":
        how = "brightness"
    if first.kind == "report" and how not in ("copy", "other_patient"):
        how = "copy"
    item = dataclasses.replace(first, repeat_of=first.path, repeat=how)
    if how == "other_patient":
        mates = [who for who in range(patients) if split[who] == first.split and f"p{who:02d}" != first.patient]
        other = mates[at % len(mates)] if mates else _another(first, at, patients)
        item = dataclasses.replace(
            item, patient=f"p{other:02d}", exam=f"p{other:02d}{first.exam[3:]}", split=split[other]
        )
    return dataclasses.replace(item, path=_path(item, f"{_stem(first.path)}_r{at:02d}"))


def _another(first: Item, at: int, patients: int) -> int:
    """Another patient than an item's own, unless there is only one."""
    return (int(first.patient[1:]) + 1 + at % max(1, patients - 1)) % patients


def _conflict(first: Item, at: int, patients: int, split: dict[int, str]) -> Item:
    """Plan a file that lies under another patient in the other class too."""
    other = _another(first, at, patients)
    label = CLASSES[1 - CLASSES.index(first.label)]
    item = dataclasses.replace(
        first, label=label, patient=f"p{other:02d}", exam=f"p{other:02d}{first.exam[3:]}", split=split[other],
        repeat_of=first.path, repeat="conflict",
    )  # fmt: skip
    return dataclasses.replace(item, path=_path(item, f"{_stem(first.path)}_x{at:02d}"))


def _broken(first: Item, at: int) -> Item:
    """Plan a broken file."""
    fault = FAULTS[at % len(FAULTS)]
    encoding = first.encoding if ":" in first.encoding else "mp4:h264"
    item = dataclasses.replace(first, kind="broken", fault=fault, encoding=encoding)
    return dataclasses.replace(item, path=_path(item, f"{_stem(first.path)}_b{at:02d}"))


def _split(patients: int, seed: int) -> dict[int, str]:
    """Share patients among the splits; with three or more each split gets at least one."""
    until, total = {}, 0.0
    for name, share in SHARES:
        total += share
        until[name] = (
            math.inf if name == "train" else max(round(total * patients), len(until) + 1) if patients > 2 else 0
        )
    order = stream(seed, "split").permutation(patients)
    return {int(who): next(name for name, _ in SHARES if place < until[name]) for place, who in enumerate(order)}
