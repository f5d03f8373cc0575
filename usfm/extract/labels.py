"""What is known about a source besides its pixels: from a manifest, from its folder, from its path."""

import csv
import io
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from usfm import console
from usfm.config import did_you_mean
from usfm.errors import RequestError
from usfm.extract.identity import Pseudonyms
from usfm.extract.sources import Source

KNOWN = ("path", "patient", "exam", "dataset", "split", "label")
SPLITS = {"train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val", "dev": "val"}
SPLITS |= {"test": "test", "testing": "test", "": ""}
TAKEN = frozenset({"path", "sha256", "copy", "kind", "fps", "frames", "metadata"})
SHOWN = 3  # names in a warning


@dataclass(frozen=True)
class Facts:
    """What is known about one source; "" where it is not."""

    patient: str = ""
    exam: str = ""
    dataset: str = ""
    split: str = ""
    label: str = ""
    columns: dict[str, str] = field(default_factory=dict)

    def hidden(self, names: Pseudonyms) -> "Facts":
        """Return the same with pseudonyms for patient and exam."""
        return replace(self, patient=names.patient(self.patient), exam=names.exam(self.patient, self.exam))


@dataclass(frozen=True)
class Manifest:
    """A table read from a file: its rows, and the names of the columns that are kept as they are."""

    file: str
    rows: tuple[tuple[int, dict[str, str]], ...]  # (line number, column -> value)
    columns: tuple[str, ...]


def read_manifest(file: str) -> Manifest:
    """Read a manifest: comma, semicolon or tab separated, UTF-8, first line the names of the columns.

    Raises:
        RequestError: If it cannot be read, has no column ``path``, a column twice, or a row of another length.
    """
    try:
        with open(file, encoding="utf-8-sig", newline="") as handle:
            text = handle.read()
    except OSError as error:
        raise RequestError(f"{file}: cannot read this manifest ({error.strerror}).") from None
    except UnicodeDecodeError:
        raise RequestError(f"{file}: not a UTF-8 text; save the manifest as CSV (UTF-8).") from None
    if "\0" in text:
        raise RequestError(f"{file}: holds NUL characters, so it is not plain text; save the manifest as CSV (UTF-8).")
    first = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=first.count)
    reader = csv.reader(io.StringIO(text), delimiter=delimiter)
    names = [name.strip() for name in next(reader, [])]
    if not names:
        raise RequestError(f"{file}: this manifest is empty; its first line names the columns.")
    if "path" not in names:
        near = next(
            (name for name in names if name.lower() in ("file", "filename", "file_name", "image", "video")), None
        )
        near = near or next((name for name in names if did_you_mean(name.lower(), ["path"])), None)
        hint = f"rename the column '{near}'" if near else f"its columns are {', '.join(names)}"
        raise RequestError(f"{file}: this manifest has no column 'path'; {hint}.")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise RequestError(f"{file}: the column '{twice[0]}' is there twice; rename or drop one.")
    for name in names:
        near = "" if name in KNOWN else did_you_mean(name.lower(), KNOWN)
        if near:
            console.warn(f"{file}: the column '{name}' is kept as it is{near}")
    rows = []
    for cells in reader:
        line = reader.line_num
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) != len(names):
            raise RequestError(f"{file}: line {line} has {len(cells)} cells where the first line has {len(names)}.")
        rows.append((line, {name: cell.strip() for name, cell in zip(names, cells, strict=True)}))
    return Manifest(file, tuple(rows), tuple(name for name in names if name not in KNOWN and name))


def column_name(name: str) -> str:
    """Return the name under which the store keeps a manifest's own column.

    Example:
        >>> column_name("probe"), column_name("frames"), column_name("size/mm")
        ('probe', 'manifest_frames', 'size_mm')
    """
    name = name.replace("/", "_").strip(". ") or "column"
    return f"manifest_{name}" if name in TAKEN else name


def match(manifest: Manifest, sources: Sequence[Source]) -> dict[str, dict[str, str]]:
    """Find the row of each source: relative path -> row.

    A row's path counts, in this order, as the path below SRC, as a path on this machine (absolute, or from the
    manifest's folder), or as the end of exactly one source's path (a bare file name, for instance).

    Raises:
        RequestError: If a row fits several sources equally well, or two rows that differ fit one source.
    """
    relative = {source.relative: source for source in sources}
    below: dict[str, list[Source]] = {}
    ends: dict[str, list[Source]] = {}
    absolute = {os.path.abspath(source.path): source for source in sources}
    for source in sources:
        below.setdefault(source.below, []).append(source)
        parts = source.path.replace(os.sep, "/").strip("/").split("/")
        for start in range(len(parts)):
            ends.setdefault("/".join(parts[start:]), []).append(source)
    here = os.path.dirname(os.path.abspath(manifest.file))
    owners: dict[str, tuple[int, dict[str, str]]] = {}
    unmatched = []
    for line, row in manifest.rows:
        path = os.path.normpath(row["path"].replace("\\", "/")) if row["path"] else ""
        found = [relative[path]] if path in relative else below.get(path, [])
        on_disk = os.path.normpath(os.path.join(here, path))
        found = found or ([absolute[on_disk]] if on_disk in absolute else []) or ends.get(path, [])
        if not path or not found:
            unmatched.append(row["path"] or f"(line {line})")
            continue
        if len(found) > 1:
            raise RequestError(
                f"{manifest.file}: line {line}: '{row['path']}' fits {len(found)} sources; write more of the path."
            )
        facts = {key: value for key, value in row.items() if key != "path"}
        earlier = owners.setdefault(found[0].relative, (line, facts))
        if earlier[1] != facts:
            raise RequestError(
                f"{manifest.file}: lines {earlier[0]} and {line} say different things about one file; drop one of them."
            )
    _report(manifest, unmatched, [source for source in sources if source.relative not in owners])
    return {name: row for name, (_, row) in owners.items()}


def _report(manifest: Manifest, unmatched: list[str], without: list[Source]) -> None:
    if len(without) == len(unmatched) == 0:
        return
    if unmatched:
        shown = ", ".join(unmatched[:SHOWN]) + (", ..." if len(unmatched) > SHOWN else "")
        near = did_you_mean(unmatched[0], [source.below for source in without][:2000])
        console.warn(f"{manifest.file}: {len(unmatched)} of {len(manifest.rows)} rows fit no source: {shown}{near}")
    if without:
        shown = ", ".join(source.relative for source in without[:SHOWN]) + (", ..." if len(without) > SHOWN else "")
        console.warn(f"{manifest.file}: {len(without)} sources have no row and go without: {shown}")


def pattern_of(group: str) -> re.Pattern:
    """Read ``--group``.

    Raises:
        RequestError: If it is no regular expression or names neither patient nor exam.
    """
    try:
        pattern = re.compile(group)
    except re.error as error:
        raise RequestError(f"extract: --group {group!r} is not a regular expression ({error}).") from None
    unknown = sorted(set(pattern.groupindex) - {"patient", "exam"})
    if unknown or not pattern.groupindex:
        what = f"names '{unknown[0]}'" if unknown else "names no group"
        near = did_you_mean(unknown[0], ("patient", "exam")) if unknown else ""
        raise RequestError(f"extract: --group {group!r} {what}; write (?P<patient>...) or (?P<exam>...){near}")
    return pattern


def gather(
    sources: Sequence[Source],
    *,
    manifest: Manifest | None = None,
    group: str | None = None,
    folders: bool = False,
    dataset: str = "",
) -> dict[str, Facts]:
    """Put together what is known about each source: relative path -> facts; the manifest wins over the path.

    Raises:
        RequestError: For a manifest that does not fit, a split that is none, or a ``--group`` that is wrong.
    """
    rows = match(manifest, sources) if manifest else {}
    pattern = pattern_of(group) if group else None
    folder_of = _classes(sources) if folders else {}
    facts, misses = {}, 0
    for source in sources:
        row = rows.get(source.relative, {})
        found = pattern.search(source.relative) if pattern else None
        misses += pattern is not None and found is None
        named = {key: value or "" for key, value in found.groupdict().items()} if found else {}
        facts[source.relative] = Facts(
            patient=row.get("patient", "") or named.get("patient", ""),
            exam=row.get("exam", "") or named.get("exam", ""),
            dataset=row.get("dataset", "") or dataset,
            split=_split(row.get("split", ""), manifest),
            label=row.get("label", "") or folder_of.get(source.relative, ""),
            columns={column_name(name): row.get(name, "") for name in (manifest.columns if manifest else ())},
        )
    if misses:
        console.warn(
            f"--group fits {len(sources) - misses} of {len(sources)} paths; the others have no patient or exam."
        )
    return facts


def class_names(facts: Iterable[Facts]) -> list[str]:
    """Return the classes in order: by number where all are whole numbers, else by name."""
    names = {one.label for one in facts if one.label}
    if all(re.fullmatch(r"-?\d+", name) for name in names):
        return sorted(names, key=lambda name: (int(name), name))
    return sorted(names)


def _classes(sources: Sequence[Source]) -> dict[str, str]:
    """Class of a source: the first folder below SRC; SRC itself where nothing in it lies in a folder."""
    deep = {source.root for source in sources if "/" in source.below}
    classes = {}
    for source in sources:
        if "/" in source.below:
            classes[source.relative] = source.below.split("/", 1)[0]
        elif source.root not in deep:
            classes[source.relative] = source.root
    missing = len(sources) - len(classes)
    if missing:
        console.warn(f"--labels folder: {missing} sources lie beside the class folders and have no class.")
    return classes


def _split(value: str, manifest: Manifest | None) -> str:
    if value.lower() not in SPLITS:
        near = did_you_mean(value.lower(), ("train", "val", "test"))
        raise RequestError(f"{manifest.file}: the split '{value}' is none of train, val, test{near}")
    return SPLITS[value.lower()]
