"""The only place that prints: results on stdout; progress, tables and messages on stderr; all text is escaped."""

import os
import re
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TextIO

from usfm import escape
from usfm.provenance import json_text
from usfm.quantities import duration

FIRST_GAP_S, LAST_GAP_S, GAP_SHARE = 10.0, 600.0, 1 / 6
"""In a log: time between two lines of progress, at first and at most, and as a share of the time since the start."""


@dataclass
class _State:
    quiet: bool = False
    verbose: bool = False
    as_json: bool = False
    warnings: list[str] = field(default_factory=list)


_state = _State()


def configure(*, quiet: bool = False, verbose: bool = False, as_json: bool = False) -> None:
    """Set how much is said; the front door calls this once a command.

    Args:
        quiet: nothing but warnings, errors and the result.
        verbose: what `detail` says too.
        as_json: the result goes to stdout as JSON.
    """
    _state.quiet, _state.verbose, _state.as_json = quiet, verbose, as_json
    _state.warnings.clear()


def _terminal() -> bool:
    return sys.stderr.isatty()


def _rich():
    from rich.console import Console

    # Made anew each time: tests and callers swap sys.stderr, and a Console keeps the one it saw first.
    return Console(stderr=True, highlight=False, soft_wrap=True)


def _put(stream: TextIO, text: str) -> None:
    """Print text that is escaped already, in what characters the stream has."""
    print(escape.encodable(text, getattr(stream, "encoding", None)), file=stream, flush=True)


def say(text: str) -> None:
    """Say a sentence on stderr, unless quiet; a line end in it is written out."""
    if not _state.quiet:
        _put(sys.stderr, escape.line(text))


def detail(text: str) -> None:
    """Say a sentence that only ``-v`` asks for."""
    if _state.verbose:
        say(text)


def warn(text: str) -> None:
    """Say once that something needs attention but the work goes on; quiet does not hide it."""
    if text in _state.warnings:
        return
    _state.warnings.append(text)
    if _terminal():
        from rich.text import Text  # no markup: what stands in brackets in a name is no style

        _rich().print(Text.assemble(("warning:", "yellow"), " ", _bare(text)))
    else:
        _put(sys.stderr, f"warning: {escape.line(text)}")


def error(text: str) -> None:
    """Say why a command ends: one sentence, never hidden; the middle of a very long name is left out."""
    short = re.sub(r"\S{400,}", lambda found: f"{found[0][:160]}...{found[0][-40:]}", escape.line(text))
    _put(sys.stderr, f"usfm: {short}")


def _bare(text: object) -> str:
    """One line for rich on stderr."""
    return escape.encodable(escape.line(text), getattr(sys.stderr, "encoding", None))


def result(summary: dict) -> None:
    """Put the result on stdout: the path written (none after a dry run), or the whole summary with ``--json``."""
    if _state.as_json:
        _put(sys.stdout, json_text(summary, default=_plain))
    elif summary.get("out") and not summary.get("dry_run"):
        _put_path(str(summary["out"]))


def _put_path(path: str) -> None:
    """Print a path: to a program as the bytes that it is, to a person as text."""
    if sys.stdout.isatty() or (raw := getattr(sys.stdout, "buffer", None)) is None:
        _put(sys.stdout, escape.line(path))
        return
    sys.stdout.flush()
    raw.write(os.fsencode(path) + b"\n")
    raw.flush()


def _plain(value: object) -> object:
    plain = getattr(value, "tolist", None)  # numpy scalars have tolist too
    return str(value) if plain is None else plain()


def text(lines: str) -> None:
    """Put text that *is* the result on stdout (``info``); with ``--json`` the summary takes its place.

    Args:
        lines: One or more lines; a name in them that comes from outside has been through `escape.line`, or it could
            look like lines of ours.
    """
    if not _state.as_json:
        _put(sys.stdout, escape.shown(lines))


def narrow() -> bool:
    """Whether stderr is a terminal on which a wide table would be broken: under 110 columns."""
    return _terminal() and shutil.get_terminal_size().columns < 110


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Show a small table on stderr; the first column is left-aligned, the others right.

    Args:
        title: above it, "" for none.
        columns: their headings.
        rows: cells of each row, as many as there are columns.
    """
    if _state.quiet:
        return
    if _terminal():
        from rich import box
        from rich.table import Table
        from rich.text import Text

        lines = None if narrow() else box.HEAVY_HEAD
        drawn = Table(title=Text(_bare(title)), title_justify="left", box=lines, padding=(0, 1, 0, 0))
        for place, column in enumerate(columns):
            drawn.add_column(Text(_bare(column)), justify="left" if place == 0 else "right")
        for row in rows:
            drawn.add_row(*(Text(_bare(cell)) for cell in row))
        _rich().print(drawn)
    else:
        _put(sys.stderr, format_table(title, columns, rows))


def format_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Lay a table out as plain text; no cell can break its line.

    Args:
        title: above it, "" for none.
        columns: their headings.
        rows: cells of each row, as many as there are columns.

    Returns:
        The lines, joined.

    Example:
        >>> print(format_table("", ["split", "frames"], [["train", 90], ["test", 10]]))
        split  frames
        train      90
        test       10
    """
    cells = [[escape.line(cell) for cell in row] for row in [columns, *rows]]
    widths = [max(len(row[place]) for row in cells) for place in range(len(columns))]
    lines = [
        "  ".join(
            cell.ljust(width) if place == 0 else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in cells
    ]
    return "\n".join(([escape.line(title)] if title else []) + lines)


class Progress:
    """What ``progress`` yields: a counter that shows itself now and then."""

    def __init__(self, description: str, total: float | None, unit: str, bar=None, task=None):
        self.description, self._total, self.unit = description, total, unit
        self.done = self._skipped = 0.0
        self._bar, self._task = bar, task
        self._started = self._shown = time.monotonic()

    def advance(self, n: float = 1, note: str = "") -> None:
        """Count ``n`` more done.

        Args:
            n: how many.
            note: shown beside the count.
        """
        self.done += n
        if self._bar is not None:
            self._bar.update(self._task, advance=n, note=_bare(note), rate=self._rate())
        elif not _state.quiet and time.monotonic() - self._shown >= self._gap_s():
            self._shown = time.monotonic()
            say(self._line(note))

    def _gap_s(self) -> float:
        """A short run is watched, a day's run fills no log: some 170 lines."""
        return min(max(FIRST_GAP_S, GAP_SHARE * (self._shown - self._started)), LAST_GAP_S)

    def skip(self, n: float) -> None:
        """Count ``n`` as done before the work began: they do not make it look faster."""
        self.done += n
        self._skipped += n
        if self._bar is not None:
            self._bar.reset(self._task, completed=self.done, note="", rate="")

    def _line(self, note: str = "") -> str:
        share = f" of {self._total:.0f}" if self._total else ""
        left = f", {duration(self._left_s())} left" if self._total and self.done > self._skipped else ""
        return f"{self.description}: {self.done:.0f}{share} {self.unit}, {self._rate()}{left} {note}".rstrip()

    def _per_s(self) -> float:
        return (self.done - self._skipped) / max(time.monotonic() - self._started, 1e-9)

    def _left_s(self) -> float:
        return max((self._total or 0) - self.done, 0) / self._per_s()

    def _rate(self) -> str:
        return f"{self._per_s():,.1f}/s"


@contextmanager
def progress(description: str, total: float | None = None, unit: str = "frames") -> Iterator[Progress]:
    """Show progress: a rich bar on a terminal, lines with growing gaps in a log, nothing when quiet.

    Args:
        description: what is being done.
        total: how many there will be, None where nobody knows.
        unit: what is counted.

    Yields:
        What counts: call its `advance`.
    """
    if _state.quiet or not _terminal():
        yield Progress(description, total, unit)
        return
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(unit),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}", markup=False),
    )
    with Bar(*columns, console=_rich(), transient=True) as bar:
        yield Progress(description, total, unit, bar, bar.add_task(_bare(description), total=total, note="", rate=""))
