"""What is known about a source besides its pixels: from a manifest, from its folder, from its path."""

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from usfm import console
from usfm.extract import typed
from usfm.extract.columns import stored_name
from usfm.extract.folders import by_folder, by_pattern, compiled
from usfm.extract.identity import Paths, Pseudonyms
from usfm.extract.manifest import SPLITS, Manifest
from usfm.extract.matching import match
from usfm.extract.sources import Source


@dataclass(frozen=True)
class Facts:
    """What is known about one source; "" where it is not.

    Attributes:
        patient: Whose it is.
        exam: Of which exam.
        dataset: Of which collection.
        split: train, val or test.
        label: Class.
        columns: Further columns of the manifest, as text.
        multi: Class -> 0 or 1, of classes of which several may apply; None where nothing is known.
        values: Column -> measured number.
        spacing_mm: (between rows, between columns), mm.
        mask: File of its label mask, as the manifest has it.
        boxes: Boxes on its frames, as the manifest has them.
    """

    patient: str = ""
    exam: str = ""
    dataset: str = ""
    split: str = ""
    label: str = ""
    columns: dict[str, str] = field(default_factory=dict)
    multi: dict[str, int] | None = None
    values: dict[str, float] = field(default_factory=dict)
    spacing_mm: tuple[float, float] = (math.nan, math.nan)
    mask: str = ""
    boxes: str = ""

    def hidden(self, names: Pseudonyms) -> "Facts":
        """Return the same with pseudonyms for patient and exam."""
        return replace(self, patient=names.patient(self.patient), exam=names.exam(self.patient, self.exam))


def gather(
    sources: Sequence[Source],
    *,
    manifest: Manifest | None = None,
    group: str | None = None,
    labels: str | None = None,
    label_regex: str | None = None,
    dataset: str = "",
    paths: Paths | None = None,
) -> dict[str, Facts]:
    """Put together what is known about each source: relative path -> facts; the manifest wins over the path.

    Args:
        sources: All of them.
        manifest: A table that says more.
        group: Pattern that finds patient and exam in the path below SRC.
        labels: ``"folder"`` or ``"parent"``: the folder that is the class.
        label_regex: Pattern that finds the class in the path below SRC.
        dataset: Of all sources whose row says nothing else.
        paths: How messages tell a source.

    Returns:
        The facts of each source.

    Raises:
        RequestError: For a manifest that does not fit, a split that is none, or a pattern that is wrong.
    """
    pattern = compiled("--group", group, needs=("patient", "exam")) if group else None
    folder_of = by_folder(sources, labels) if labels else by_pattern(sources, label_regex) if label_regex else {}
    rows = match(manifest, sources, paths) if manifest else {}
    numeric = manifest.numeric if manifest else ()
    facts, misses = {}, 0
    for source in sources:
        row = rows.get(source.relative, {})
        found = pattern.search(source.relative) if pattern else None
        misses += pattern is not None and found is None
        named = {key: value or "" for key, value in found.groupdict().items()} if found else {}
        label, split = folder_of.get(source.relative, ("", ""))
        facts[source.relative] = Facts(
            patient=row.get("patient", "") or named.get("patient", ""),
            exam=row.get("exam", "") or named.get("exam", ""),
            dataset=row.get("dataset", "") or dataset,
            split=SPLITS.get(row.get("split", "").lower(), "") or split,
            label=row.get("label", "") or label,
            columns={stored_name(name): row.get(name, "") for name in (manifest.columns if manifest else ())},
            multi=typed.several(row, manifest.multi) if manifest else None,
            values={stored_name(name): float(row[name]) for name in numeric if typed.is_number(row.get(name, ""))},
            spacing_mm=typed.spacing_of(row),
            mask=row.get("mask", ""),
            boxes=row.get("boxes", ""),
        )
    if misses:
        console.warn(
            f"--group fits {len(sources) - misses} of {len(sources)} paths; the others have no patient or exam."
        )
    return facts


def class_names(facts: Iterable[Facts]) -> list[str]:
    """Return the classes in order: by number where all are whole numbers, else by name."""
    names = {one.label for one in facts if one.label}
    if all(re.fullmatch(r"-?[0-9]+", name) and len(name) < 400 for name in names):
        return sorted(names, key=lambda name: (int(name), name))
    return sorted(names)
