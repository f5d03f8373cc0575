"""The report on disk: a page, tables, every number as JSON, and the figures."""

from pathlib import Path

from usfm import console
from usfm.evaluate import figures, page, tables, worst
from usfm.evaluate.config import Config
from usfm.evaluate.report import Made
from usfm.evaluate.sections import leading
from usfm.evaluate.shown import Pictures
from usfm.jobs.outputs import Marker, whole_directory
from usfm.pictures import html
from usfm.pictures.theme import Pair
from usfm.provenance import json_text
from usfm.store.reader import Store
from usfm.tasks import TASKS

SUFFIX = {"latex": "tex"}
"""Formats whose file has another suffix than their name."""

_SHOWN = 6  # worst cases with pictures


def write(
    out: Path, made: Made, formats: list[str], config: Config, store: Store | None, overwrite: bool, marker: Marker
) -> None:
    """Write the report directory, whole or not at all.

    Args:
        out: the directory.
        made: the report.
        formats: of ``--format``.
        config: of the report.
        store: for pictures, or None.
        overwrite: whether an older report may be replaced.
        marker: tells a report directory.
    """
    drawn = set(formats) & {"html", "md", "latex"}  # tables for programs need no figures
    shown = pictures(made, config, store) if drawn else Pictures()
    with whole_directory(out, marker, overwrite=overwrite) as new:
        if drawn:
            (new / "figures").mkdir()
        for name, data in _files(shown).items():
            (new / "figures" / f"{name.replace('/', '-')}.png").write_bytes(data)
        for name, data in shown.sheets.items():
            (new / "figures" / f"{name.replace('/', '-')}.surest.jpg").write_bytes(data)
        text = {"csv": tables.to_csv, "md": tables.to_markdown, "latex": tables.to_latex}
        for name in formats:
            if name in text:
                (new / f"report.{SUFFIX.get(name, name)}").write_text(text[name](made.report), encoding="utf-8")
        if "html" in formats:
            (new / "report.html").write_text(page.page(made.report, shown), encoding="utf-8")
        (new / "report.json").write_text(json_text(made.report, indent=2) + "\n", encoding="utf-8")


def pictures(made: Made, config: Config, store: Store | None) -> Pictures:
    """Draw everything that the page shows.

    Args:
        made: the report.
        config: how many pictures of frames.
        store: holds the frames, or None.

    Returns:
        The pictures.
    """
    runs = made.report["runs"]
    shown = Pictures(whole={task: figures.intervals(mine) for task, mine in tables.by_task(made.report).items()})
    for run in runs:
        name = run["name"]
        shown.of_run[name] = dict(made.cases[name].pictures(run)) | figures.learning(run["learning"])
        if name in made.maps:
            shown.maps[name] = figures.embedding(*made.maps[name])
        if store is not None and config.pictures:
            image, known = TASKS[run["task"]].sheet(made.held[name], store, config.pictures)
            if known < len(made.held[name]):
                lacking = len(made.held[name]) - known
                console.warn(f"{name}: the store given with --in lacks {lacking} of its frames")
            if known:
                shown.sheets[name] = html.to_jpeg(image, 90)
            shown.worst[name] = worst.pictures(made.worst[name][:_SHOWN], store)
    for task, mine in tables.by_task(made.report).items():
        series = [each for each in made.report["efficiency"] if each["task"] == task]
        if series:
            shown.efficiency[task] = {
                name: figures.efficiency(series, name, title) for name, title in list(tables.main(mine[0]).items())[:4]
            }
        names = {run["name"] for run in mine}
        doses = [each for each in made.report["robustness"] if each["run"] in names]
        if doses:
            name, title = leading(mine[0])
            shown.robustness[task] = figures.doses(doses, name, title)
    return shown


def _files(shown: Pictures) -> dict[str, bytes]:
    """Every figure under the name of its file, as drawn for light pages."""
    found: dict[str, bytes | Pair] = {}
    for group in shown.whole.values():
        found |= group
    for run, pairs in shown.of_run.items():
        found |= {f"{run}.{name}": pair for name, (pair, _) in pairs.items()}
    for run, group in shown.maps.items():
        found |= {f"{run}.map.{name}": pair for name, pair in group.items()}
    for kind, groups in (("robustness", shown.robustness), ("efficiency", shown.efficiency)):
        for group in groups.values():
            found |= {f"{kind}.{name}": pair for name, pair in group.items()}
    return {name: data.light if isinstance(data, Pair) else data for name, data in found.items()}
