"""Labels of an export: where its masks and its annotations lie, and the names that they count by."""

import os
from collections.abc import Mapping, Sequence

from usfm.errors import RequestError
from usfm.extract.annotations.contract import Marks
from usfm.extract.annotations.match import WHOLE
from usfm.extract.config import Config
from usfm.extract.mask_plan import IGNORE, MOST, MaskPlane
from usfm.extract.media import Media
from usfm.extract.restored import FILE, Export
from usfm.extract.sources import Source

IGNORED = "(ignored)"
"""Category that `usfm export` gives to pixels that nobody judged."""
ASKED = ("manifest", "group", "labels", "label_regex", "dataset", "max_frames", "every")
"""Options that have no meaning for an export, whose frames know all that."""


def check(config: Config, folder: str) -> None:
    """See that nothing is asked for that an export knows itself.

    Args:
        config: Options of the command.
        folder: Of the export, for the message.

    Raises:
        RequestError: Names the first such option.
    """
    for name in ASKED:
        if getattr(config, name):
            raise RequestError(
                f"{folder}: is an export of usfm, whose patients, classes and splits are put back, so "
                f"--{name.replace('_', '-')} has no meaning; drop it, or delete {FILE} to read new pictures."
            )


def is_mask(export: Export, path: str) -> bool:
    """Say whether a file on this machine holds masks of the export.

    Args:
        export: The export.
        path: On this machine.

    Returns:
        Whether it does.
    """
    return export.below(path) in export.mask_files


def annotations(export: Export) -> str | None:
    """Return the path of the export's own annotations, None where it has none."""
    path = os.path.join(export.folder, export.annotations)
    return path if export.annotations and os.path.isfile(path) else None


def files_of(export: Export) -> list[dict]:
    """Return the files that say what is put back, as inputs of the step."""
    found = []
    for below in (FILE, *sorted(export.mask_files)):
        try:
            status = os.stat(os.path.join(export.folder, below))
        except OSError:
            continue
        found.append({"path": f"export:{below}", "size": status.st_size, "mtime": status.st_mtime_ns})
    return found


def missing(export: Export, sources: Sequence[Source]) -> dict[str, int]:
    """Count what the export lists and the folder does not hold, and the other way round.

    Args:
        export: The export.
        sources: That were found in its folder.

    Returns:
        Reason -> how often; reasons that do not occur are left out.
    """
    there = {export.below(source.path) for source in sources}
    masks = {mask for mask in export.mask_files if not os.path.isfile(os.path.join(export.folder, mask))}
    found = {
        "file of the export that is missing": len(set(export.files) - there),
        "picture that the export does not know": len(there - set(export.files)),
        "mask of the export that is missing": len(masks),
        "file of annotations that is missing": int(bool(export.annotations) and annotations(export) is None),
    }
    return {reason: times for reason, times in found.items() if times}


def names(export: Export, records: Mapping[str, Mapping[int, Marks]]) -> tuple[tuple[str, ...], list[str]]:
    """Return the names of boxes and of structures: those of the export, and behind them what annotations add.

    Args:
        export: The export.
        records: Source -> frame -> what annotations say.

    Returns:
        Names of boxes, and names of structures.
    """
    every = [marks for frames in records.values() for marks in frames.values()]
    boxes = dict.fromkeys([*export.strings("boxes"), *sorted({name for marks in every for name in marks.box_names})])
    own = export.strings("masks")
    shapes = {shape.name for marks in every for shape in marks.shapes} - {IGNORED}
    shapes = {name for name in shapes if own or not name.isdigit()}
    return tuple(boxes), list(dict.fromkeys([*own, *sorted(shapes)]))


def numbers(export: Export) -> dict[str, int]:
    """Return the classes of structures beside those with names: ignored pixels, and numbers where none has a name."""
    unnamed = {} if export.strings("masks") else {str(number): number for number in range(1, MOST + 1)}
    return {**unnamed, IGNORED: IGNORE}


def planes(export: Export, sources: Sequence[Source]) -> dict[str, list[MaskPlane]]:
    """Return the mask file of each source.

    Args:
        export: The export.
        sources: That were found in its folder.

    Returns:
        Relative path of a source -> its mask file; a source without one is left out.
    """
    own = len(export.strings("masks"))
    if export.names["mask_kind"] == "bits":
        values = range(1 << own)
    else:
        values = [*range(1, (own or MOST) + 1), IGNORE]
    known = tuple((value, value) for value in values)
    found = {}
    for source in sources:
        below = export.below(source.path)
        if below in export.masks:
            pages = max(export.files[below].entries) + 1
            media = Media(os.path.join(export.folder, export.masks[below]))
            found[source.relative] = [MaskPlane(media, pages, WHOLE, "values", True, (0, 0), known, raw=True)]
    return found
