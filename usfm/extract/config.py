"""Settings of ``usfm extract``: one line a knob."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from usfm.config import Knob


def layout_names() -> list[str]:
    """Return what a shell completes behind ``--layout``."""
    files = sorted((Path(__file__).parent / "layouts").glob("*.toml"))
    return ["auto", *(file.stem for file in files if "[find]" in file.read_text(encoding="utf-8"))]


@dataclass(frozen=True)
class Config:
    """What ``usfm extract`` can be asked for."""

    fps: Annotated[
        str,
        Knob("frames to take each second by presentation time, or all", unit="frames/s", panel="Sampling"),
    ] = "3"  # USF-MAE (2026): videos at 3 fps
    every: Annotated[
        int | None, Knob("take every N-th frame, ignoring time stamps", low=1, panel="Sampling", metavar="N")
    ] = None
    max_frames: Annotated[
        int | None, Knob("take at most N frames of a source, the first ones", low=1, panel="Sampling", metavar="N")
    ] = None
    layout: Annotated[
        str | None,
        Knob(
            "read a public collection as it was downloaded: its name in `usfm catalogue`, or auto to find out",
            panel="Labels",
            metavar="NAME|auto",
            offers=layout_names,
        ),
    ] = None
    manifest: Annotated[
        str | None,
        Knob(
            "table with a column path and any of patient, exam, split, label, dataset; others are kept as they are "
            "where they name nobody",
            panel="Labels",
            metavar="FILE.csv",
            content=False,  # its digest is what counts
        ),
    ] = None
    labels: Annotated[
        str | None,
        Knob(
            "take the class from the folder below SRC or from the folder that holds the file; train, val and test "
            "folders become the split",
            choices=("folder", "parent"),
            panel="Labels",
        ),
    ] = None
    label_regex: Annotated[
        str | None,
        Knob(
            "class out of the path, by a named group: '(?P<label>[^/]+)/images'",
            panel="Labels",
            metavar="REGEX",
        ),
    ] = None
    keep_column: Annotated[
        tuple[str, ...],
        Knob(
            "keep a column of the manifest as it is though it may identify somebody; may be repeated",
            panel="Privacy",
            metavar="NAME",
        ),
    ] = ()
    path_map: Annotated[
        str | None,
        Knob(
            "write there which file each hashed path stands for; keep it private",
            panel="Privacy",
            metavar="FILE",
            content=False,
        ),
    ] = None
    group: Annotated[
        str | None,
        Knob(
            "patient and exam out of the path, by named groups: '(?P<patient>pat\\d+)'",
            panel="Labels",
            metavar="REGEX",
        ),
    ] = None
    dataset: Annotated[str, Knob("name of the dataset, kept with every source", panel="Labels", metavar="NAME")] = ""
    color: Annotated[
        bool | None,
        Knob("keep colour or not (default: keep it where a frame has some)", flag="--color/--gray", panel="Frames"),
    ] = None
    salt: Annotated[
        str | None,
        Knob(
            "file whose bytes are the key of the pseudonyms (default: USFM_SALT, else a key file of yours)",
            panel="Privacy",
            metavar="FILE",
            content=False,  # the key's own pseudonym is what counts
        ),
    ] = None
    anonymous_paths: Annotated[
        bool | None,
        Knob(
            "hash the sources' paths or not (default: hash them where patients or exams are known)",
            flag="--anonymous-paths/--plain-paths",
            panel="Privacy",
        ),
    ] = None
    keep_tag: Annotated[
        tuple[str, ...],
        Knob(
            "keep a tag of the files by its DICOM keyword though it is on no list of harmless ones; may be repeated",
            panel="Privacy",
            metavar="NAME",
        ),
    ] = ()
    keep_name_hashes: Annotated[
        bool,
        Knob(
            "keep keyed hashes of the words of names in the files, by which clean proves that no name is left in the "
            "pictures",
            panel="Privacy",
        ),
    ] = False
    axis: Annotated[
        str | None,
        Knob(
            "axis of a volume along which it is cut into frames (default: the planes that were acquired)",
            choices=("0", "1", "2"),
            panel="Frames",
        ),
    ] = None
    masks: Annotated[
        str,
        Knob(
            "auto makes pictures that are label masks of others their labels, keep takes them as pictures; a folder "
            "holds nothing but masks",
            panel="Labels",
            metavar="auto|keep|DIR",
        ),
    ] = "auto"
    mask_suffix: Annotated[
        str | None,
        Knob(
            "the name of a mask is that of its picture and this; _1, _2, ... may follow",
            panel="Labels",
            metavar="TEXT",
        ),
    ] = None
    mask_pattern: Annotated[
        str | None,
        Knob(
            "picture, structure and frame out of a mask's path, by named groups: '(?P<stem>[^/]+)_(?P<name>cyst|node)'",
            panel="Labels",
            metavar="REGEX",
        ),
    ] = None
    mask_kind: Annotated[
        str,
        Knob(
            "index keeps one class a pixel (of several the later one), bits keeps all of up to 8",
            choices=("index", "bits"),
            panel="Labels",
        ),
    ] = "index"
    fill_outlines: Annotated[
        bool,
        Knob("fill masks that are thin lines around areas", flag="--fill-outlines/--no-fill-outlines", panel="Labels"),
    ] = False
    annotations: Annotated[
        str | None,
        Knob(
            "boxes and outlines from COCO, YOLO, Pascal VOC, LabelMe or CVAT, or a zip of them, known by their content",
            panel="Labels",
            metavar="PATH",
            content=False,  # their digest is what counts
        ),
    ] = None
    include: Annotated[
        tuple[str, ...],
        Knob(
            "take only files that match: a glob over the path below SRC, or over any part of it where it has no slash; "
            "may be repeated",
            panel="Input/Output",
            metavar="GLOB",
        ),
    ] = ()
    exclude: Annotated[
        tuple[str, ...], Knob("leave out files that match; may be repeated", panel="Input/Output", metavar="GLOB")
    ] = ()
    preset: Annotated[
        str | None,
        Knob(
            "settings of a paper's public code: usf-mae takes 3 frames/s; polarmae has nothing for extract",
            panel="Sampling",
            metavar="NAME",
        ),
    ] = None
