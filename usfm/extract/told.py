"""What extract tells a person: files and frames summed apart, and which sources something is wrong with."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from usfm import console
from usfm.extract.identity import Paths, Pseudonyms
from usfm.extract.labels import Facts
from usfm.extract.names import text_of
from usfm.extract.restored import Export
from usfm.extract.sampling import Sampling
from usfm.extract.scan import Scan
from usfm.extract.sources import Found, Source
from usfm.quantities import counted
from usfm.store.reader import Store

SHOWN = 3
"""Names in a warning."""


def several(sources: Sequence[Source], paths: Paths) -> str:
    """Return what to call the sources of one part.

    Args:
        sources: Of the part, at least one.
        paths: How messages tell a source.

    Returns:
        A few words.
    """
    more = f" and {len(sources) - 1} more" if len(sources) > 1 else ""
    return paths.told(sources[0].relative, sources[0].size) + more


def passed(found: Found) -> None:
    """Say what was passed over."""
    if found.skipped:
        kinds = listed(found.passed)
        console.say(f"extract: {counted(found.skipped, 'other file')} passed over ({kinds}).")
    if found.excluded:
        console.say(f"extract: {counted(found.excluded, 'file')} left out by --include and --exclude.")
    if found.masks:
        console.say(
            f"extract: {counted(found.masks, 'label mask')} among the inputs are no ultrasound; "
            "--masks keep takes them as pictures."
        )


def listed(counts: Mapping[str, int], most: int = 8) -> str:
    """Return counts as words.

    Args:
        counts: What -> how many.
        most: Entries that are named; the others are summed.

    Returns:
        A phrase.

    Example:
        >>> listed({".txt": 2, "other": 1})
        '2 .txt, 1 other'
    """
    shown = [f"{count:,} {name}" for name, count in list(counts.items())[:most]]
    rest = sum(list(counts.values())[most:])
    return ", ".join(shown) + (f", {rest:,} more" if rest else "")


def identical(found: Found, scans: Sequence[Scan], facts: Mapping[str, Facts], paths: Paths) -> dict:
    """Count sources of the same bytes, and name those that carry different labels.

    Args:
        found: The sources.
        scans: What was seen in each, in the same order.
        facts: By relative path.
        paths: How messages tell a source.

    Returns:
        ``identical`` and ``label_conflicts`` of the summary.
    """
    same: dict[str, list[Source]] = {}
    for source, one in zip(found.sources, scans, strict=True):
        if one.sha256:
            same.setdefault(one.sha256, []).append(source)
    repeats = [each for each in same.values() if len(each) > 1]
    conflicts = [each for each in repeats if len({facts[one.relative].label for one in each} - {""}) > 1]
    if conflicts:
        sets = [", ".join(paths.told(one.relative, one.size) for one in each[:SHOWN]) for each in conflicts[:SHOWN]]
        more = "; and more" if len(conflicts) > SHOWN else ""
        many = f"{len(conflicts)} sets" if len(conflicts) > 1 else "1 set"
        console.warn(
            f"{many} of byte-identical sources carry different labels: {'; '.join(sets)}{more}; correct the labels."
        )
    return {"identical": sum(len(each) - 1 for each in repeats), "label_conflicts": len(conflicts)}


def conflicts(
    sources: Sequence[Source], scans: Sequence[Scan], facts: Mapping[str, Facts], names: Pseudonyms | None
) -> dict:
    """Count patients whom the manifest or ``--group`` and the files themselves keep apart in different ways.

    Other names for the same patients are no conflict. One patient of the files under two names is: a split by patient
    would put the same person on both sides.

    Args:
        sources: All of them.
        scans: What was seen in each, in the same order.
        facts: By relative path.
        names: Pseudonyms, None where nobody is named.

    Returns:
        What the summary says of it.
    """
    given: dict[str, set[str]] = {}
    filed: dict[str, set[str]] = {}
    for source, scan in zip(sources, scans, strict=True):
        known = names.patient(facts[source.relative].patient) if names else ""
        for own in {one.patient for one in scan.items or (scan,)} - {""} if known else ():
            given.setdefault(own, set()).add(known)
            filed.setdefault(known, set()).add(own)
    apart = sum(len(each) > 1 for each in given.values())
    joined = sum(len(each) > 1 for each in filed.values())
    if apart or joined:
        words = [f"{counted(apart, 'patient')} of the files under several names"] if apart else []
        words += [f"{counted(joined, 'name')} for several patients of the files"] if joined else []
        console.warn(
            f"the manifest or --group says otherwise than the files: it has {' and '.join(words)}. It was believed; "
            "correct it where the files are right."
        )
    return {"patient_conflicts": apart + joined}


def outcome(summary: dict, found: Found, paths: Paths, export: Export | None = None) -> dict:
    """Say what came of the files.

    Args:
        summary: Of the run.
        found: The sources.
        paths: How messages tell a source.
        export: The export that the inputs are, where they are one.

    Returns:
        ``files``, ``files_read``, ``files_rejected`` and ``reasons``.
    """
    store = Store.open(summary["out"])
    table = store.rejected()
    names = set(store.source_column("path"))
    names |= {name.partition(":/")[0] for name in names}  # of a file with several items, some of which were read
    rows = zip(table["source"], table["frame_id"], table["reason"], table["detail"], strict=True)
    broken = [(source, reason, detail) for source, frame, reason, detail in rows if not frame]
    reasons = Counter(reason for _, reason, _ in broken)
    whole = Counter(reason for source, reason, _ in broken if source not in names)
    whole_files = {source.relative for source in found.sources if paths.stored(source.relative) in names}
    whole_files |= {one.relative for one in found.sources if export and _put_back(export, one, names)}
    read = len(whole_files)
    total = len(found.sources)
    in_part = len({source for source, _, _ in broken if source in names})
    words = f"{counted(total, 'file')}: {read:,} read"
    words += f" ({in_part:,} of them in part)" if in_part else ""
    if total > read:
        kinds = Counter()
        for reason, count in whole.items():
            kinds[reason.removeprefix("no reader for ").removesuffix(" yet")] += count
        words += f", {total - read:,} rejected ({listed(dict(kinds.most_common()))})"
    people, classes = len(set(store.source_column("patient")) - {""}), len(store.class_names)
    known = [counted(store.num_sources, "source")]
    known += [counted(people, "patient")] if people else []
    known += [counted(classes, "class")] if classes else []
    console.say(f"extract: {words}; {', '.join(known)}.")
    _noted(store)
    _say_broken(broken, reasons, found, paths)
    return {
        "reasons": dict(reasons.most_common()),
        "files": total,
        "files_read": read,
        "files_rejected": total - read,
        "patients": people,
        "classes": classes,
    }


def _say_broken(broken: list[tuple[str, str, str]], reasons: Counter, found: Found, paths: Paths) -> None:
    """Say how many sources were rejected, and for ``-v`` which."""
    if broken:
        words = ", ".join(f"{reason} ({count})" for reason, count in reasons.most_common())
        console.warn(f"{len(broken)} sources were rejected, in whole or from some time on: {words}; -v names them.")
    size = {paths.stored(source.relative): source for source in found.sources}
    for source, reason, detail in broken:
        one = size.get(source)
        console.detail(f"{paths.told(one.relative, one.size) if one else source}: {reason}; {detail}")


def _put_back(export: Export, source: Source, names: set) -> bool:
    known = export.of(source.path)
    return known is not None and any(row["path"] in names for row in known.sources.values())


NOTED = {
    "reduced_pages": "with reduced copies of their pictures, which were left out",
    "page_sizes": "with pages of several sizes; each page is a frame",
    "burned_in": "that declare names or the like burnt into their pictures (BurnedInAnnotation YES)",
    "secondary_capture": "that are secondary captures: pictures of a screen, whose frames are of kind other",
    "aspect": "whose pixels are not square; they were resampled to square pixels",
    "rotation": "turned or mirrored as their display matrix asks",
    "video_streams": "with several streams of pictures, of which the largest was read",
}
"""Keys of a source's metadata that a person should hear of, and what to say after the count."""


def _noted(store: Store) -> None:
    """Say what was done to sources beyond decoding them; their ``metadata`` says which."""
    counts = Counter(key for text in store.source_column("metadata") for key in (json.loads(text) if text else {}))
    for key, words in NOTED.items():
        if counts[key]:
            console.say(f"extract: {counted(counts[key], 'source')} {words}.")


def mapped(found: Found, paths: Paths) -> dict[str, dict]:
    """Return the entries of a path map.

    Args:
        found: The sources.
        paths: How the store keeps them.

    Returns:
        Path in the store -> path on this machine, and size in bytes.
    """
    return {
        paths.stored(source.relative): {"path": text_of(source.place), "size": source.size} for source in found.sources
    }


def dry_run(found: Found, facts: Mapping[str, Facts], sampling: Sampling, out: Path) -> dict:
    """Say what would be done.

    Args:
        found: The sources.
        facts: By relative path.
        sampling: Which frames are due.
        out: Of the store.

    Returns:
        The summary of a dry run.
    """
    kinds = Counter(source.kind or "rejected" for source in found.sources)
    size = sum(source.size for source in found.sources)
    console.say(
        f"would read {len(found.sources):,} sources ({', '.join(f'{n:,} {kind}' for kind, n in sorted(kinds.items()))};"
        f" {size / 1e6:,.1f} MB), pass over {found.skipped:,} other files, and write {out}."
    )
    rate = "every frame" if sampling.fps is None else f"{float(sampling.fps):g} frames/s"
    rate = rate if sampling.every == 1 else f"every {sampling.every}th frame"
    console.say(f"would take {rate} of videos and each still once; touches nothing.")
    classes = Counter(one.label or "(none)" for one in facts.values())
    if set(classes) != {"(none)"}:
        console.table("sources by class", ["class", "sources"], sorted(classes.items()))
    return {
        "command": "extract",
        "dry_run": True,
        "out": str(out),
        "frames_in": None,
        "frames_out": None,
        "dropped": None,
        "rejected": None,
        "sources": len(found.sources),
        "seconds": None,
        "frames_per_s": None,
        "bytes_in": size,
        "skipped": found.skipped,
        "masks": found.masks,
        "excluded": found.excluded,
        "kinds": dict(kinds),
    }
