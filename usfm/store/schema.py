"""One table of every dataset in a store: name, type, shape, unit, meaning; and the store's version."""

import re

import numpy as np

from usfm.store.dataset import Dataset, group_name, group_shape
from usfm.store.labels import KINDS, row_of
from usfm.store.labels.masks import BLOCK

FORMAT = "usfm-store"
VERSION = 1
LIBVER = ("earliest", "v110")
"""HDF5 library bounds of every file that we write: readers from HDF5 1.8 on open it."""


def _table(prefix: str, letter: str, rows: list[tuple]) -> dict[str, Dataset]:
    return {row[0]: Dataset(f"{prefix}/{row[0]}", row[1], f"({letter},)", *row[2:]) for row in rows}


FRAMES = _table(
    "/frames",
    "N",
    [
        (
            "frame_id",
            "str",
            "",
            "first 16 hex digits of the source's sha256, ':', frame index; '~k' for the k-th identical source; '/k' "
            "for the k-th view of a frame (column part)",
            "",
        ),
        ("source", "int32", "row", "row of /sources", -1),
        ("index", "int64", "frame", "number of the frame in its source, from 0", -1),
        ("time_s", "float64", "s", "presentation time in its source (NaN: none)", np.nan),
        ("height", "int32", "px", "rows of the frame", 0),
        ("width", "int32", "px", "columns of the frame", 0),
        ("pixels_group", "str", "", "which dataset of /pixels holds the frame", ""),
        ("pixels_row", "int64", "row", "row in that dataset", -1),
        ("digest", "str", "", "CRC-32 and Adler-32 of the frame's decoded bytes", ""),
        ("kind", "str", "", "what the frame shows: b-mode, doppler, m-mode, ...", "b-mode"),
        ("region_row", "int32", "row", "row of /regions, -1 = none", -1),
        ("overlay_row", "int32", "row", "row of /overlay, -1 = none", -1),
        ("row_spacing_mm", "float32", "mm/px", "distance between rows (NaN: unknown)", np.nan),
        ("col_spacing_mm", "float32", "mm/px", "distance between columns (NaN: unknown)", np.nan),
        (
            "crop_row_px",
            "float32",
            "px",
            "top edge of this frame in its source frame: source row = crop_row_px + (row + 0.5) / scale - 0.5; "
            "after `sector --beam`, of the frame that was resampled, to which `beam` in `extra` of its region leads",
            0.0,
        ),
        ("crop_col_px", "float32", "px", "left edge of this frame in its source frame", 0.0),
        ("scale", "float32", "", "pixels of this frame per pixel of the source frame", 1.0),
        (
            "part",
            "int32",
            "",
            "view of its source frame, from 0, row by row and from the left; -1 = the whole frame",
            -1,
            True,
        ),
        ("views", "int32", "", "views that stand side by side on it; 0 = not known", 0, True),
    ],
)

SOURCES = _table(
    "/sources",
    "S",
    [
        ("path", "text", "", "path relative to the folder that was given, or a hash of it", ""),
        ("sha256", "str", "", "of the source file's bytes", ""),
        ("copy", "int32", "", "k: this is the k-th byte-identical source, from 0", 0),
        ("kind", "str", "", "video, image, dicom, volume, ...", ""),
        ("fps", "float64", "frames/s", "frame rate of the source (NaN: none)", np.nan),
        ("frames", "int64", "frames", "frames in the source, before sampling (-1: unknown)", -1),
        ("patient", "str", "", "pseudonym of the patient ('' = unknown)", ""),
        ("exam", "str", "", "pseudonym of the exam ('' = unknown)", ""),
        ("dataset", "str", "", "name of the collection", ""),
        ("metadata", "text", "JSON", "tags that do not identify anybody", "{}"),
        ("dicom_regions", "text", "JSON", "items of the DICOM sequence of ultrasound regions; '' = none", "", True),
        (
            "name_hashes",
            "text",
            "",
            "keyed hashes of words of names; kept only when asked for",
            "",
            True,
        ),
    ],
)

REGIONS = _table(
    "/regions",
    "R",
    [
        ("key", "str", "", "source and layout that it was found on", ""),
        ("shape", "str", "", "phased, convex, linear, trapezoid, or '' = unknown", ""),
        ("apex_x_px", "float64", "px", "column of the sector's apex (NaN: no geometry)", np.nan),
        ("apex_y_px", "float64", "px", "row of the sector's apex", np.nan),
        ("radius_0_px", "float64", "px", "apex to the near edge", np.nan),
        ("radius_1_px", "float64", "px", "apex to the far edge", np.nan),
        ("angle_0_rad", "float64", "rad", "left edge, from straight down, positive to the right", np.nan),
        ("angle_1_rad", "float64", "rad", "right edge", np.nan),
        ("confidence", "float32", "0..1", "probability that it overlaps the true region by 0.90 or more", np.nan),
        (
            "predicted_iou",
            "float32",
            "0..1",
            "overlap with the true region that the evidence lets expect; -1 = not judged",
            -1.0,
            True,
        ),
        ("evidence", "str", "", "how it was found: dicom, motion, still, manual", ""),
        (
            "extra",
            "text",
            "JSON",
            "more: the views of a dual one; after `sector --beam` the map that made the frames",
            "{}",
        ),
        ("digest", "str", "", "first 16 hex digits of the sha256 of this row and its mask", ""),
        ("mask_group", "str", "px", "which dataset of /regions/mask holds it: rows x columns", ""),
        ("mask_row", "int64", "row", "row in that dataset", -1),
    ],
)

OVERLAYS = _table(
    "/overlay",
    "O",
    [
        ("key", "str", "", "source, layout and frame that it was found on", ""),
        ("detail", "text", "JSON", "what was found and how it was filled: counts and boxes, never words", "{}"),
        ("digest", "str", "", "first 16 hex digits of the sha256 of this row and its mask", ""),
        ("mask_group", "str", "px", "which dataset of /overlay/mask holds it: rows x columns", ""),
        ("mask_row", "int64", "row", "row in that dataset", -1),
    ],
)

DROPPED = _table(
    "/dropped",
    "D",
    [
        ("frame_id", "str", "", "frame that was dropped", ""),
        ("kept_by", "str", "", "frame that stands for it", ""),
        ("similarity", "float32", "-1..1", "between the two (NaN: not compared)", np.nan),
        ("stage", "str", "", "step, and stage within it, that dropped it", ""),
    ],
)

REJECTED = _table(
    "/rejected",
    "J",
    [
        ("source", "text", "", "path of the source, as in /sources", ""),
        ("frame_id", "str", "", "frame, or '' for the whole source", ""),
        ("stage", "str", "", "step that rejected it", ""),
        ("reason", "str", "", "short, the same for the same cause", ""),
        ("detail", "text", "", "one sentence", ""),
    ],
)

PARTS = _table(
    "/parts",
    "P",
    [
        ("name", "text", "", "of the part", ""),
        ("first_row", "int64", "row", "its first frame", 0),
        ("rows", "int64", "frames", "how many frames", 0),
        ("digest", "str", "", "sha256 of its decoded content", ""),
    ],
)

TABLES = {
    "frames": FRAMES,
    "sources": SOURCES,
    "regions": REGIONS,
    "overlay": OVERLAYS,
    "dropped": DROPPED,
    "rejected": REJECTED,
    "parts": PARTS,
}

BLOCKS = {
    row.path: row
    for row in [
        Dataset(
            "/pixels/<HxW[x3]>",
            "uint8",
            "(n, H, W[, 3])",
            "gray level",
            "frames of one size; one gzip chunk a frame, or contiguous and uncompressed after `sector`",
        ),
        Dataset(
            "/regions/mask/<HxW>",
            "uint8",
            "(n, ceil(H W / 8))",
            "bit",
            "acoustic region, numpy.packbits of the mask's rows one after another",
        ),
        Dataset(
            "/overlay/mask/<HxW>", "uint8", "(n, ceil(H W / 8))", "bit", "burnt-in overlay, packed in the same way"
        ),
        *(row for kind in KINDS.values() for row in kind.datasets),
        BLOCK,
    ]
}

MANIFEST = Dataset("/sources/<column>", "text", "(S,)", "", "any further column of the manifest, as text", "")

ROOT_ATTRIBUTES = {
    "format": f"'{FORMAT}'",
    "version": f"{VERSION}; a reader refuses a newer one",
    "content_id": "sha256 over the digests of /parts: the same content has the same id, however it was compressed",
    "history": "one JSON object per step: command, options, versions, content ids of the inputs, counts, seconds",
    "history_digest": "CRC-32 and Adler-32 of the history; older stores lack it, and their history is not covered",
    "digests": "JSON: column -> CRC-32 and Adler-32 of its values, and those of the class names, the patch and the "
    "datasets' attributes; `usfm` compares them when it opens the store",
}


__all__ = [
    "BLOCKS",
    "DROPPED",
    "FORMAT",
    "FRAMES",
    "LIBVER",
    "MANIFEST",
    "OVERLAYS",
    "PARTS",
    "REGIONS",
    "REJECTED",
    "ROOT_ATTRIBUTES",
    "SOURCES",
    "TABLES",
    "VERSION",
    "Dataset",
    "describe",
    "frame_id",
    "group_name",
    "group_shape",
    "markdown",
    "row_shape",
    "view_id",
    "whole_id",
]


def frame_id(sha256: str, index: int, copy: int = 0) -> str:
    """Name of a frame that survives every step.

    Args:
        sha256: of the source file, hex.
        index: number of the frame in its source.
        copy: k for the k-th byte-identical source in canonical order.

    Returns:
        The name, which holds nothing of the source's path.

    Examples:
        >>> frame_id("00112233445566778899", 12)
        '0011223344556677:12'
        >>> frame_id("00112233445566778899", 12, copy=2)
        '0011223344556677~2:12'
    """
    return f"{sha256[:16]}~{copy}:{index}" if copy else f"{sha256[:16]}:{index}"


_VIEW = re.compile(r"([0-9a-f]{16}(?:~\d+)?:\d+)/\d+")


def view_id(name: str, number: int) -> str:
    """Name of a view of a frame.

    Args:
        name: frame_id of the whole frame.
        number: of the view, from 0; column `part` has it too.

    Returns:
        The name, with /k at its end.

    Examples:
        >>> view_id("0011223344556677:12", 1)
        '0011223344556677:12/1'
    """
    return f"{name}/{number}"


def whole_id(name: str) -> str:
    """Name of the whole frame that a view was cut from; other names stay, so also those that end in /k.

    Examples:
        >>> whole_id("0011223344556677:12/1"), whole_id("0011223344556677:12"), whole_id("study/3")
        ('0011223344556677:12', '0011223344556677:12', 'study/3')
    """
    found = _VIEW.fullmatch(name)
    return found[1] if found else name


def row_shape(path: str) -> tuple[int, ...]:
    """Shape of one row of a dataset of pixels or masks.

    Examples:
        >>> row_shape("/pixels/480x640x3"), row_shape("/regions/mask/9x9")
        ((480, 640, 3), (11,))
    """
    parent, _, group = path.rpartition("/")
    shape = group_shape(group)
    return (-(-shape[0] * shape[1] // 8),) if parent.endswith("/mask") else shape


def describe(path: str) -> Dataset:
    """The schema's row for a dataset of a file, whatever its size group.

    Examples:
        >>> describe("/pixels/480x640x3").unit
        'gray level'
        >>> describe("/sources/hospital").path, describe("/labels/value/ef").path
        ('/sources/<column>', '/labels/value/<column>')
    """
    head, _, tail = path.rpartition("/")
    table = TABLES.get(head.strip("/"))
    if table is not None:
        return table.get(tail, MANIFEST) if head == "/sources" else table[tail]
    found = row_of(path) or BLOCKS.get(path)
    if found is not None:
        return found
    return BLOCKS[f"{head}/<HxW[x3]>" if head == "/pixels" else f"{head}/<HxW>"]


def markdown() -> str:
    """The schema as one Markdown table, for the documentation."""
    lines = ["| attribute of `/` | meaning |", "|---|---|"]
    lines += [f"| `{name}` | {text} |" for name, text in ROOT_ATTRIBUTES.items()]
    lines += ["", "| dataset | type | shape | unit | meaning |", "|---|---|---|---|---|"]
    rows = [row for name in ("frames", "sources") for row in TABLES[name].values()]
    rows += [MANIFEST]
    blocks = list(BLOCKS.values())
    rows += [blocks[0], *REGIONS.values(), blocks[1], *OVERLAYS.values(), *blocks[2:]]
    rows += [row for name in ("dropped", "rejected", "parts") for row in TABLES[name].values()]
    lines += [f"| `{r.path}` | {r.dtype} | {r.shape} | {r.unit} | {r.description} |" for r in rows]
    return "\n".join(lines) + "\n"
