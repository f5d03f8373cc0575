"""The report as one HTML page."""

from usfm.evaluate import tables
from usfm.evaluate.notes import progress_of
from usfm.pictures import html
from usfm.tasks import TASKS

_INTERVAL = (
    "interval",
    "expanded percentiles over resamples of patients with replacement (Hesterberg 2015): a patient's cases come and go "
    "together; what was trained stays as it is, so chance in training is not in it",
)


Pictures = dict[str, dict[str, tuple[bytes, str]]]
"""Run or task -> name of a figure -> PNG, and the words below it."""


def page(report: dict, overall: Pictures, pictures: Pictures, sheets: dict[str, bytes]) -> str:
    """Write the page.

    Args:
        report: what ``report.json`` holds.
        overall: task -> figures that compare its runs.
        pictures: name of a run -> its figures.
        sheets: run name -> PNG of the surest frames.

    Returns:
        One self-contained HTML document.
    """
    tasks = tables.by_task(report)
    notes = "".join(html.note(text) for text in report["notes"])
    sections = []
    for task, runs in tasks.items():
        title = "Result" if len(tasks) == 1 else f"Result: {task}"
        sections.append((title, ("" if sections else notes) + _result(runs, overall[task])))
    if report["comparisons"]:
        heads, lines = tables.pairs(report)
        text = "Both runs on the frames they share, the same patients drawn for both; positive: the first is better."
        sections.append(("Pairs of runs", html.paragraph(text) + html.table(heads, lines)))
    sections += [(run["name"], _run(run, pictures[run["name"]], sheets.get(run["name"]))) for run in report["runs"]]
    sections.append(("How it was measured", _method(report)))
    return html.page("Evaluation", sections, tables.caption(report))


def _result(runs: list[dict], pictures: dict[str, tuple[bytes, str]]) -> str:
    body = html.table(tables.columns(runs), tables.rows(runs))
    body += "".join(html.figure(png, words, width_px=480) for png, words in pictures.values())
    return body + html.paragraph("Dashed line: the harder constant answer.")


def _run(run: dict, pictures: dict[str, tuple[bytes, str]], sheet: bytes | None) -> str:
    about = run["about"]
    encoder = about.get("encoder") or {}
    body = html.paragraph(
        f"{about.get('task', '?')}, protocol {about.get('protocol', '?')}, encoder {encoder.get('name', '?')} "
        f"({encoder.get('model', encoder.get('kind', '?'))}{_trained(run)}): {run['n']['frames']:,} frames, "
        f"{run['n']['cases']:,} cases, {run['n']['patients']:,} patients."
    )
    heads = ["measure", "value", "constant answer", "its value", "difference", "beats it"]
    lines, titles = [], run["titles"]
    for name, title in titles["measures"].items():
        e, m = run["metrics"][name], run["metrics"][name]["majority"]
        difference = {"value": m["difference"], "low": m["low"], "high": m["high"]}
        value = "-" if m["value"] is None else f"{m['value']:.3f}"
        answer, difference = m["answer"] or "-", tables.words(difference)
        lines.append([title, tables.words(e), answer, value, difference, tables.verdict(m["beaten"])])
    body += html.table(heads, lines)
    body += "".join(html.figure(png, words, width_px=380) for png, words in pictures.values())
    heads = ["class", "cases", "patients", *titles["per_class"].values()]
    lines = [
        [row["class"], row["cases"], row["patients"], *(tables.words(row[name], 2) for name in titles["per_class"])]
        for row in run["per_class"]
    ]
    body += html.table(heads, lines) if lines else ""
    if sheet is not None:
        body += html.figure(sheet, TASKS[run["task"]].sheet_words)
    folds = html.table(list(run["folds"][0]), [list(row.values()) for row in run["folds"]]) if run["folds"] else ""
    calibration = html.details("Calibration", html.facts(run["calibration"])) if "calibration" in run else ""
    return body + html.details("Folds", folds) + calibration


def _trained(run: dict) -> str:
    """How far the encoder was trained, where the run's card says it."""
    trained = progress_of(run["about"])
    return "" if trained is None else "; " + str(trained).partition(": ")[2]


def _method(report: dict) -> str:
    facts = {
        "usfm": report["software"]["usfm"],
        "case": report["aggregate"],
        "resamples of patients": report["bootstrap"],
        "confidence": report["confidence"],
        "seed": report["seed"],
    }
    words = [line for task in tables.by_task(report) for line in TASKS[task].words()]
    return html.facts(facts) + html.table(["", "means"], [*words, _INTERVAL])
