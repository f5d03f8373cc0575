"""List public collections, or say what is known of one."""

import textwrap
import time
from collections.abc import Sequence

from usfm import console
from usfm.config import Request
from usfm.extract.catalogue_config import Config
from usfm.extract.layouts.contract import Layout, known, load
from usfm.tasks import benchmarks

ROWS = (("title", "collection"), ("anatomy", "anatomy"), ("frames", "published"), ("media", "files"),
        ("labels", "labels"), ("patients", "patients"), ("split", "split"), ("licence", "licence"), ("home", "home"),
        ("layout", "layout"), ("leaks", "same pictures as"), ("benchmarks", "leaks into benchmark"),
        ("traps", "traps"), ("open", "not established"), ("source", "facts from"),
        ("confidence", "confidence"))  # fmt: skip
"""Of one collection: field, and what it is called."""


def run(config: Config, request: Request) -> dict:
    """Say on stdout which public collections are known, or all that is known of those that are named.

    Args:
        config: How to show it.
        request: Names of collections; none for the list.

    Returns:
        The summary, with `collections`, a dict each.

    Raises:
        RequestError: For a name that is none.
    """
    started = time.monotonic()
    names = [load(name.lower()).name for name in request.inputs] or list(known())
    found = [entry(name) for name in names]
    if config.markdown:
        console.text(page(found) if not request.inputs else "\n".join(section(one) for one in found))
    elif request.inputs:
        console.text("\n".join(described(one) for one in found))
    else:
        console.text(listed(found))
    return {"command": "catalogue", "out": None, "frames_in": None, "frames_out": None, "dropped": None,
            "rejected": None, "sources": None, "collections": found,
            "seconds": round(time.monotonic() - started, 2), "frames_per_s": None}  # fmt: skip


def listed(found: Sequence[dict]) -> str:
    """Return a line for each collection, cut to the width of a page."""
    widths = (20, 34, 32, 30)
    rows = [("name", "anatomy", "published", "licence")]
    rows += [tuple(_text(one[key]) for key in ("name", "anatomy", "frames", "licence")) for one in found]
    lines = ["  ".join(_cut(cell, width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    without = ", ".join(one["name"] for one in found if not one["layout"])
    lines += ["", f"{len(found)} collections; without a layout: {without}."]
    lines += ["usfm catalogue NAME says all of one; usfm extract FOLDER --layout NAME reads it.", ""]
    return "\n".join(lines)


def described(one: dict) -> str:
    """Return all that is known of a collection, as a person reads it."""
    lines = [one["name"]]
    for field, words in ROWS:
        values = one[field] if field in ("traps", "open") else [text] if (text := _text(one[field], one)) else []
        for at, value in enumerate(values):
            head = f"  {'' if at else words:22}"
            lines += textwrap.wrap(value, PAGE, initial_indent=head, subsequent_indent=" " * 24, break_long_words=False)
    return "\n".join([*lines, ""])


def _cut(text: str, width: int) -> str:
    return (text if len(text) <= width else text[: width - 3].rstrip() + "...").ljust(width)


def entry(name: str) -> dict:
    """Return all that is known of a collection, as JSON takes it.

    Example:
        >>> one = entry("dfhi")
        >>> one["layout"], one["leaks"], one["benchmarks"]
        ('dfhi', ['fetal-planes', 'fetus-dataset', 'hc18'], ['fetal-planes'])
    """
    layout = load(name)
    about = layout.about
    shared = leaks(name)
    return {
        "name": name,
        "title": about.title,
        "other_names": list(about.other_names),
        "anatomy": about.anatomy,
        "frames": about.frames,
        "media": about.media,
        "labels": about.labels,
        "patients": about.patients,
        "split": about.split,
        "licence": about.licence,
        "home": about.home,
        "layout": name if layout.find else None,
        "why_no_layout": about.why_none,
        "read": _read(layout),
        "leaks": shared,
        "benchmarks": [one.name for one in map(benchmarks.load, benchmarks.names()) if one.layout in (name, *shared)],
        "traps": list(about.traps),
        "open": list(about.open),
        "source": about.source,
        "confidence": about.confidence,
    }


def leaks(name: str) -> list[str]:
    """Return the collections that hold the same pictures, or frames of the same clips, whichever of the two says so."""
    own = set(load(name).about.leaks)
    return sorted(own | {other for other in known() if name in load(other).about.leaks})


def _read(layout: Layout) -> list[str]:
    """Say what extract makes of a collection."""
    classes = any(rule.label for rule in (*layout.pictures, *layout.tables))
    classes = classes or any(rule.labels for rule in layout.masks) or any(rule.label for rule in layout.outlines)
    rules = (*layout.pictures, *layout.tables)
    found = {
        "classes": classes,
        "masks": bool(layout.masks) or any(one.form in MASKS for one in layout.outlines),
        "boxes": any(rule.box for rule in layout.tables) or any(one.form in BOXES for one in layout.outlines),
        "values": any(rule.values for rule in rules),
        "patients": any(rule.patient for rule in rules),
        "split": any(rule.split for rule in rules),
        "folds": any(name.startswith("fold") for rule in rules for name in rule.columns),
    }
    return [name for name, there in found.items() if there]


PAGE = 120
"""Characters of a line."""
MASKS = ("coco", "labelme", "points", "chords", "traced", "svg-in-xml", "pickled")
BOXES = ("coco", "labelme", "voc", "gbcu", "json-lines")


HEAD = """<!-- made by `usfm catalogue --markdown`; change the files in usfm/extract/layouts instead -->
# Public collections

`usfm extract FOLDER --layout NAME` reads a collection as it was downloaded ([how](collections.md)). Counts are those of
papers and readers: extract says what it finds. A licence with "?" or "second-hand" is not established: read the home
page before you pass anything on.
"""


def page(found: Sequence[dict]) -> str:
    """Return the whole catalogue as Markdown, which is the page of the documentation."""
    heads = ("name", "anatomy", "published", "labels", "licence", "what extract makes of it")
    lines = [HEAD, _row(*heads), "|---" * len(heads) + "|"]
    for one in found:
        name = f"[{one['name']}](#{one['name']})"
        read = ", ".join(["frames", *one["read"]]) if one["layout"] else "no layout"
        lines.append(_row(name, one["anatomy"], one["frames"], one["labels"], one["licence"], read))
    lines += [
        "",
        "## Benchmarks",
        "",
        _row("benchmark", "task", "collection", "published", "caveats"),
        "|---" * 5 + "|",
    ]
    every = [benchmarks.load(name, task) for name in benchmarks.names() for task in benchmarks.load(name).tasks]
    for one in every:
        numbers = ", ".join(f"{row.model} {row.value:g}" for row in one.published)
        where = f"[{one.layout}](#{one.layout})" if one.layout else "not known"
        lines.append(_row(f"`{one.name}`", one.task, where, f"{one.metric}: {numbers}", "; ".join(one.caveats)))
    return "\n".join([*lines, "", "## One by one", "", *(section(one) for one in found)])


def section(one: dict) -> str:
    """Return what is known of one collection as Markdown."""
    lines = [f"### {one['name']}", ""]
    for field, words in ROWS:
        if text := _text(one[field], one):
            lines.append(f"* {words}: {text}")
    return "\n".join([*lines, ""])


def _text(value: object, one: dict | None = None) -> str:
    if isinstance(value, list):
        return "; ".join(map(str, value))
    if value is None:
        return f"none: {one['why_no_layout']}" if one else "none"
    return str(value)


def _row(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
