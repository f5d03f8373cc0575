"""A layout on a folder: which files are pictures, which are masks, and what tables and outlines say of each."""

import math
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from usfm import console
from usfm.errors import RequestError
from usfm.extract import typed
from usfm.extract.annotations.contract import Annotations, Faults, Marks
from usfm.extract.annotations.match import Matched, joined
from usfm.extract.columns import stored_name
from usfm.extract.labels import Facts
from usfm.extract.layouts import label_masks, outlines, places
from usfm.extract.layouts.contract import Layout, Pictures, found, load
from usfm.extract.layouts.rows import Rows, read_tables
from usfm.extract.layouts.templates import fill, plain
from usfm.extract.layouts.unpacked import Unpacked, unpacked
from usfm.extract.manifest import SPLITS
from usfm.extract.mask_files import MaskOf
from usfm.extract.names import alike
from usfm.extract.sources import Found, matches
from usfm.quantities import counted


@dataclass(frozen=True)
class Placed:
    """A layout and the folder that it is of.

    Attributes:
        layout: The layout.
        root: Its root.
        within: Path below the root that the user gave, with a slash behind; "" for all of it.
        listed: All files below the root, as text.
        packed: The archives that hold them; None where they are unpacked.
    """

    layout: Layout
    root: str
    within: str = ""
    listed: tuple[str, ...] = ()
    packed: Unpacked | None = None

    def picture(self, below: str) -> tuple[Pictures, dict[str, str]] | None:
        """Return the rule that makes a file a picture, and the groups of its path; None where none does."""
        if self.is_mask(below) or self._excluded(below) or not below.startswith(self.within):
            return None
        return next(((rule, words) for rule in self.layout.pictures
                     if (words := found(rule.path, below)) is not None), None)  # fmt: skip

    def is_mask(self, below: str) -> bool:
        """Say whether a file is a label mask."""
        return not self._excluded(below) and any(found(rule.path, below) is not None for rule in self.layout.masks)

    def claims(self, path: str, below: str) -> bool:
        """Say the same of a path with the root's own name in front, as `sources.find` asks.

        Args:
            path: On this machine, which does not count.
            below: Below the root, with the root's name in front.

        Returns:
            Whether it is a label mask.
        """
        return self.is_mask(below.partition("/")[2])

    def _excluded(self, below: str) -> bool:
        return any(matches(below, one) for one in (self.layout.find.exclude if self.layout.find else ()))


@dataclass(frozen=True)
class Read:
    """What a layout says of the sources of a run.

    Attributes:
        found: The pictures and masks.
        facts: Relative path -> what is known.
        annotations: Boxes and outlines; None where there are none.
        matched: The same by source.
        masks: What each mask is of.
        left: What was left out, by reason.
        gaps: Files of the layout that are not there.
        files: Tables and files of outlines that were read, below the root.
    """

    found: Found
    facts: dict[str, Facts]
    annotations: Annotations | None
    matched: Matched
    masks: tuple[MaskOf, ...]
    left: dict[str, int] = field(default_factory=dict)
    gaps: tuple[str, ...] = ()
    files: tuple[str, ...] = ()


def place(name: str, inputs: Sequence[str]) -> Placed:
    """Find the layout and its root.

    Args:
        name: Of the layout, or ``auto``.
        inputs: What the user gave; one folder, or one archive.

    Returns:
        The layout, its root, and what lies below it.

    Raises:
        RequestError: If it is no folder, or does not fit; or if no picture of the layout is in it.
    """
    folder = inputs[0] if len(inputs) == 1 else ""
    packed = unpacked(folder) if os.path.isfile(folder) else None
    if not os.path.isdir(folder) and packed is None:
        what = f"{folder}: is no folder" if folder else f"extract: --layout takes one folder, not {len(inputs)} inputs"
        raise RequestError(f"{what}; give the folder of the collection, or an archive of it.")
    if not os.access(folder, os.R_OK | os.X_OK if packed is None else os.R_OK):
        raise RequestError(f"{folder}: cannot be read (permission denied); change its permissions.")
    try:
        return _placed(name, folder, packed)
    except RequestError:
        packed = packed or unpacked(folder)
        if packed is None or not packed.members:
            raise
        try:
            return _placed(name, folder, packed)
        except RequestError as error:
            said = str(error)
    raise RequestError(said)


def _placed(name: str, folder: str, packed: Unpacked | None) -> Placed:
    tree = packed.tree() if packed else None
    layout, root = places.auto(folder, tree) if name == "auto" else (load(name), "")
    root = root or places.root_of(layout, folder, tree)
    given = os.path.relpath(os.path.abspath(folder), root).replace(os.sep, "/")
    within = "" if given.startswith(".") else given + "/"
    here = Placed(layout, root, within, tuple(packed.below(root) if packed else places.files_below(root)), packed)
    if not any(here.picture(path) for path in here.listed):
        wanted = " or ".join(dict.fromkeys(places.looked_for(one.path) for one in layout.pictures[:3]))
        raise RequestError(
            f"{folder}: looks like {layout.name}, and none of its pictures ({wanted}) is there; the download is not "
            "whole, or is not unpacked."
        )
    return here


def read(here: Placed, everything: Found, dataset: str = "") -> Read:
    """Say what the layout knows of each source.

    Args:
        here: The layout and its root.
        everything: What `sources.find` found below the root.
        dataset: Name of the dataset; "" for that of the layout.

    Returns:
        The pictures, and what is known of each.

    Raises:
        RequestError: For tables of another release, and for masks in a folder that is misspelt.
    """
    layout, left, gaps = here.layout, Counter(), []
    kept, words = _pictures(here, everything)
    by_key: dict[str, list[str]] = {}
    for source in kept.sources:
        by_key.setdefault(plain(words[source.relative]["key"]), []).append(source.relative)
    tables, missing = read_tables(layout, here.root, here.listed)
    gaps += missing
    facts = {source.relative: _facts(layout, words[source.relative], tables, dataset) for source in kept.sources}
    masks = label_masks.masks_of(layout, kept.mask_files, by_key, Counter() if here.within else left)
    gaps += [] if masks or here.within else label_masks.missing(layout, here.root, here.listed)
    annotations, matched, files, more, labels = _outlines(here, by_key, tables, left)
    facts = {name: replace(one, label=one.label or labels.get(name, "")) for name, one in facts.items()}
    gaps += more
    _tell(here, tables, by_key, words, gaps, masks, not everything.excluded)
    files = tuple(dict.fromkeys([*(path for table in tables for path in table.files), *files]))
    return Read(kept, facts, annotations, matched, tuple(masks), dict(+left), tuple(gaps), files)


def _pictures(here: Placed, everything: Found) -> tuple[Found, dict[str, dict[str, str]]]:
    """Keep the sources that the layout has, with the words of their paths."""
    kept, words, beside = [], {}, 0
    nth: Counter = Counter()
    for source in everything.sources:
        fits = here.picture(source.below)
        if fits is None:
            beside += 1
            continue
        rule, groups = fits
        groups = groups | {"path": source.below, "nth": str(nth[rule.path])}
        nth[rule.path] += 1
        groups["key"] = fill(rule.key, groups)
        said = {f"={name}": fill(getattr(rule, name), groups) for name in ("label", "split", "patient", "exam")}
        said |= {f"={name}": fill(text, groups) for name, text in (rule.columns | rule.values).items()}
        words[source.relative] = groups | said
        kept.append(source)
    passed = dict(everything.passed)
    if beside:
        passed["beside the layout"] = beside
        console.say(f"extract: {counted(beside, 'file')} beside the layout {'is' if beside == 1 else 'are'} no source.")
    return replace(everything, sources=tuple(kept), skipped=everything.skipped + beside, passed=passed), words


def _facts(layout: Layout, words: Mapping[str, str], tables: Sequence[Rows], dataset: str) -> Facts:
    """Put together what the path and the tables say; a table wins over the path, the first over later ones."""
    rows = [(table, row) for table in tables if (row := table.row(words)) is not None]

    def said(name: str) -> str:
        for table, row in rows:
            template = (
                getattr(table.rule, name, "") or table.rule.columns.get(name, "") or table.rule.values.get(name, "")
            )
            value = _named(layout, name, fill(template, row)) if template else ""
            if value:
                return value
        return _named(layout, name, words.get(f"={name}", ""))

    columns = {name for rule in (*layout.pictures, *layout.tables) for name in rule.columns}
    values = {name for rule in (*layout.pictures, *layout.tables) for name in rule.values}
    spacing = said("spacing_mm")
    number = float(spacing) if typed.is_number(spacing) and 0 < float(spacing) < 1e4 else math.nan
    return Facts(
        patient=said("patient"),
        exam=said("exam"),
        dataset=dataset or layout.name,
        split=SPLITS.get(said("split").lower(), ""),
        label=said("label"),
        columns={stored_name(name): said(name) for name in sorted(columns)},
        values={stored_name(name): float(text) for name in sorted(values) if typed.is_number(text := said(name))},
        spacing_mm=(number, number),
    )


def _named(layout: Layout, name: str, value: str) -> str:
    names = {key.casefold(): one for key, one in layout.names.get(name, {}).items()}
    return alike(names.get(value.casefold(), names.get("*", value)) if value else "")


def _outlines(
    here: Placed, by_key: Mapping[str, list[str]], tables: Sequence[Rows], left: Counter
) -> tuple[Annotations | None, Matched, list[str], list[str], dict[str, str]]:
    """Return boxes and outlines by source, the files read, those that are not there, and classes of pictures."""
    faults, gaps, files = Faults(), [], []
    classes: dict[str, set[str]] = {}
    of: dict[str, dict[int, Marks]] = {}

    def add(key: str, frame: int, marks: Marks) -> None:
        sources = by_key.get(plain(key), ())
        left["label of no picture"] += not sources and not here.within
        for source in sources:
            known = of.setdefault(source, {})
            known[frame] = joined(known[frame], marks) if frame in known else marks

    for rule in here.layout.outlines:
        fits = {path: groups for path in here.listed if (groups := found(rule.file, path)) is not None}
        files += fits
        gaps += [] if fits or rule.optional else [places.looked_for(rule.file)]
        for words, frame, marks in outlines.records(here.root, fits, rule, faults):
            add(fill(rule.key, words), frame, marks)
            for source in by_key.get(plain(fill(rule.key, words)), ()) if rule.label else ():
                classes.setdefault(source, set()).update(marks.box_names, (shape.name for shape in marks.shapes))
    for table in tables:
        for key, frame, marks in table.boxes(faults):
            add(key, frame, marks)
    every = [marks for frames in of.values() for marks in frames.values()]
    order = [rule.name for rule in here.layout.outlines]
    names = {name for one in every for name in (*one.box_names, *(shape.name for shape in one.shapes))}
    names = sorted(names, key=lambda name: (order.index(name) if name in order else len(order), name))
    annotations = Annotations(here.layout.name, tuple(every), tuple(names), here.root, faults, ()) if every else None
    left["picture whose outlines are of several classes, so that it has none"] += sum(
        len(one) > 1 for one in classes.values()
    )
    left.update(faults.counts)
    labels = {source: min(one) for source, one in classes.items() if len(one) == 1}
    return annotations, Matched(of, 0, 0, 0), files, gaps, labels


def _tell(
    here: Placed,
    tables: Sequence[Rows],
    by_key: Mapping,
    words: Mapping,
    gaps: list[str],
    masks: Sequence[MaskOf],
    whole: bool,
) -> None:
    """Say what is not there; pictures that a table lists and that are not there are gaps too."""
    bare = len(words) - len({one.source for one in masks})
    if masks and bare:
        console.say(f"extract: {counted(bare, 'picture')} of {len(words):,} have no label mask.")
    if gaps:
        several = len(gaps) > 1
        console.warn(
            f"{here.layout.name}: {', '.join(gaps)} {'are' if several else 'is'} not there, so what "
            f"{'they say' if several else 'it says'} is not known; labels are as far as names give them."
        )
    for table in tables:
        lacks, extra = table.unmatched(by_key, words.values())
        if lacks:
            console.warn(f"{table.files[0]}: {lacks:,} of {len(words):,} pictures have no row in it.")
        if extra and not here.within:
            gaps += [f"{counted(extra, 'picture')} of {table.files[0]}"] if whole else []
            console.warn(f"{table.files[0]}: {extra:,} of its rows are of no picture that is there.")


def source_files(here: Placed, files: Sequence[str]) -> list[dict]:
    """Return tables and files of outlines as inputs of the step.

    Args:
        here: The layout and its root.
        files: Their paths below the root.

    Returns:
        A dict each: path, size and mtime.
    """
    rows = []
    for path in files:
        if here.packed:
            size, mtime_ns = here.packed.stamp(here.root, path)
        else:
            status = os.stat(os.path.join(here.root, path))
            size, mtime_ns = status.st_size, status.st_mtime_ns
        rows.append({"path": f"layout:{path}", "size": size, "mtime": mtime_ns})
    return rows
