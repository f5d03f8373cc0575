"""The report as one HTML page: the result in words, then tables and figures, then how it was made."""

from collections.abc import Mapping

from usfm.evaluate import how, sections, tables
from usfm.evaluate.shown import Pictures
from usfm.pictures import html
from usfm.pictures.theme import Pair


def page(report: dict, pictures: Pictures) -> str:
    """Write the page.

    Args:
        report: what ``report.json`` holds.
        pictures: what it shows.

    Returns:
        One self-contained HTML document.
    """
    tasks = tables.by_task(report)
    found = [("Summary", _summary(report))]
    for task, runs in tasks.items():
        behind = f": {task}" if len(tasks) > 1 else ""
        found += [(f"{name}{behind}", body) for name, body in _of_task(report, task, runs, pictures)]
        found += [(run["name"], sections.run(run, pictures)) for run in runs]
    found.append(("Data", sections.data(report)))
    found.append(("How each row was made", _how(report)))
    found.append(("How it was measured", sections.method(report, list(tasks))))
    names = [run["name"] for run in report["runs"]]
    title = "Evaluation: " + ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
    return html.page(title, found, tables.caption(report))


def _of_task(report: dict, task: str, runs: list[dict], pictures: Pictures) -> list[tuple[str, str]]:
    """The sections that compare the runs of one task."""
    names = {run["name"] for run in runs}
    found = [("Result", _result(report, task, runs, pictures.whole.get(task, {})))]
    pairs = [row for row in report["comparisons"] if row["first"] in names]
    if pairs:
        found.append(("Pairs of runs", _pairs(pairs)))
    series = [each for each in report["efficiency"] if each["task"] == task]
    if series:
        found.append(("Fewer labels", sections.efficiency(series, runs[0], pictures.efficiency.get(task, {}))))
    doses = [each for each in report["robustness"] if each["run"] in names]
    if doses:
        found.append(("Harder pictures", sections.robustness(doses, runs[0], pictures.robustness.get(task, {}))))
    if any(run["by"] for run in runs):
        found.append(("Subgroups", sections.subgroups(runs)))
    return found


def _summary(report: dict) -> str:
    body = "".join(html.paragraph(text) for text in report["summary"])
    names = [run["name"] for run in report["runs"]]
    return body + "".join(html.note(text) for text in joined(report["notes"], names))


def joined(notes: list[str], names: list[str]) -> list[str]:
    """The same note on several runs as one.

    Args:
        notes: sentences; those on a run begin with its name and a colon.
        names: of the runs.

    Returns:
        Sentences that begin with the names of all runs that they are about.

    >>> joined(["a: few patients", "b: few patients", "a: odd"], ["a", "b"])
    ['a, b: few patients', 'a: odd']
    """
    found: dict[str, list[str]] = {}
    for note in notes:
        name = next((name for name in names if note.startswith(f"{name}: ")), "")
        found.setdefault(note.removeprefix(f"{name}: ") if name else note, []).append(name)
    return [f"{', '.join(who)}: {text}" if who[0] else text for text, who in found.items()]


def _result(report: dict, task: str, runs: list[dict], figures: Mapping[str, Pair]) -> str:
    names, titles = tables.main(runs[0]), runs[0]["titles"]
    first = next(iter(names))
    heads = ["run", "cases", "patients", *names.values(), titles["reference"], "beats it"]
    lines = []
    for run in runs:
        constant = run["metrics"][first]["majority"]
        cells = [sections.cell(run["metrics"][name]) for name in names]
        value = html.estimate(constant["value"], None, None)
        lines.append([run["name"], run["n"]["cases"], run["n"]["patients"], *cells, value,
                      tables.verdict(constant["beaten"])])  # fmt: skip
    body = html.table(heads, lines)
    body += html.paragraph(f"{titles['reference']}: the harder constant answer in {names[first]}.")
    body += _published(report, task) + "".join(html.themed(pair) for pair in figures.values())
    further = {name: title for name, title in titles["measures"].items() if name not in names}
    if further:
        lines = [[run["name"], *(sections.cell(run["metrics"][name]) for name in further)] for run in runs]
        body += html.details("Further measures", html.table(["run", *further.values()], lines))
    return body


def _published(report: dict, task: str) -> str:
    """Published numbers, which were measured by others in other ways."""
    benchmark = report.get("benchmark")
    if not benchmark or benchmark["task"] != task:
        return ""
    rows, more = benchmark["published"], any(row["caveat"] for row in benchmark["published"])
    heads = ["published", "measure", "value, %", "source", *(["caveat"] if more else [])]
    lines = [
        [row["model"], row["metric"], row["value"], row["source"], *([row["caveat"]] if more else [])] for row in rows
    ]
    caveats = "; ".join([*benchmark["caveats"], *(f"not known: {each}" for each in benchmark["unknown"])])
    body = html.subheading(f"Published: {benchmark['title']}") + html.table(heads, lines)
    return body + (html.note(f"Published numbers, not measured here: {caveats}.") if caveats else "")


def _pairs(rows: list[dict]) -> str:
    text = (
        "Both runs on the frames they share, the same patients drawn for both; positive: the first has the higher "
        "value. p (Holm) is adjusted for the number of pairs of that measure."
    )
    heads = ["first", "second", "measure", "first - second", "p", "p (Holm)", "patients"]

    def lines(further: bool) -> list[list]:
        return [
            [row["first"], row["second"], row["title"], html.estimate(row["difference"], row["low"], row["high"]),
             _p(row["p"]), _p(row["p_holm"]), row["patients"]]
            for row in rows if row["further"] == further
        ]  # fmt: skip

    body, more = html.paragraph(text) + html.table(heads, lines(False)), lines(True)
    return body + (html.details("Further measures", html.table(heads, more)) if more else "")


def _p(value: float | None) -> html.Markup:
    return html.Markup("–" if value is None else f"{value:.3g}")


def _how(report: dict) -> str:
    """A row a run; below it why a cell is a dash."""
    lines = [[run["name"], *(run["how"][name] or "–" for name in how.HEADS)] for run in report["runs"]]
    body = html.table(["run", *how.HEADS.values()], lines)
    reasons: dict[tuple, list[str]] = {}
    for run in report["runs"]:
        for reason, heads in how.lacking(run["about"], run["how"]).items():
            reasons.setdefault((reason, heads), []).append(run["name"])
    for (reason, heads), names in reasons.items():
        what = "everything" if len(heads) == len(how.HEADS) else ", ".join(heads)
        body += html.note(f"{', '.join(names)}: – for {what}: {reason}.")
    return body
