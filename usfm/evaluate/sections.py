"""Sections of the page: one run, subgroups, fewer labels, harder pictures, data, and how it was measured."""

from usfm.evaluate import how, tables
from usfm.evaluate.notes import progress_of
from usfm.evaluate.shown import Pictures
from usfm.pictures import html
from usfm.pictures.theme import Pair
from usfm.tasks import TASKS

_OPEN = 15  # rows of a long table that are shown unfolded

_OF_CLASSES = ("score of the true class", "of the predicted")

_INTERVAL = (
    ("interval", "patients are drawn anew with replacement, all cases of a patient together. A measure with bounds has "
                 "a Student interval on its logit (or logarithm), a difference has expanded percentiles (Hesterberg "
                 "2015); the degrees of freedom come from how much each patient moves the measure (Satterthwaite). "
                 "That of the calibration error reaches down by what chance adds. The fitted model stays as it is, so "
                 "chance in training is not in it. With *: all resamples are equal (0 or 1), so a share has Wilson's "
                 "interval, with patients as the number of cases, and other measures have none"),
)  # fmt: skip


def leading(run: dict) -> tuple[str, str]:
    """The measure that curves and sentences show first: balanced accuracy where there is one, else the first."""
    names = tables.main(run)
    return next(((name, names[name]) for name in ("balanced_accuracy",) if name in names), next(iter(names.items())))


def cell(estimate: dict, digits: int = 3) -> html.Markup:
    """An estimate as a cell; a star marks an interval that is not of resamples.

    Args:
        estimate: value, low, high, and perhaps method.
        digits: after the point.

    Returns:
        A cell.
    """
    mark = "*" if estimate.get("method") else ""
    return html.estimate(estimate["value"], estimate["low"], estimate["high"], digits, mark)


def run(found: dict, pictures: Pictures) -> str:
    """Everything about one run.

    Args:
        found: its entry in the report.
        pictures: what the page shows.

    Returns:
        HTML.
    """
    name = found["name"]
    body = html.paragraph(_about(found)) + _beside(found)
    for picture, text in pictures.of_run.get(name, {}).values():
        body += html.themed(picture, text) if isinstance(picture, Pair) else html.figure(picture, text, width_px=380)
    body += _classes(found)
    maps = pictures.maps.get(name, {})
    if maps:
        body += html.subheading("Map of the frames")
        body += html.paragraph("Principal components of the encoder's vectors of the measured frames, one point each.")
        body += "".join(html.themed(pair, f"Coloured by {column}.") for column, pair in maps.items())
    body += _worst(found, pictures) + _patients(found)
    if name in pictures.sheets:
        body += html.details("Frames", html.figure(pictures.sheets[name], TASKS[found["task"]].sheet_words))
    if found["folds"]:
        titles = found["titles"]
        heads = [titles["measures"].get(key, key.replace("_", " ")) for key in found["folds"][0]]
        rows = [[f"{v:.3f}" if isinstance(v, float) else v for v in row.values()] for row in found["folds"]]
        body += html.details("Folds", html.table(heads, rows))
    return body


def _about(found: dict) -> str:
    about = found["about"]
    if not about:
        return "Predictions from a table; how they were made is not known."
    encoder = about.get("encoder") or {}
    trained = progress_of(about)
    state = "" if trained is None else "; " + str(trained).partition(": ")[2]
    held = how.held_out(about)
    loo = f", {held}" if "in turn" in held else ""
    return (
        f"{about.get('task', '?')}, protocol {about.get('protocol', '?')}{loo}, encoder {encoder.get('name', '?')} "
        f"({encoder.get('model', encoder.get('kind', '?'))}{state}): {found['n']['frames']:,} frames, "
        f"{found['n']['cases']:,} cases, {found['n']['patients']:,} patients."
    )


def _beside(found: dict) -> str:
    heads = ["measure", "value", "constant answer", "its value", "difference", "beats it"]
    lines = []
    for name, title in found["titles"]["measures"].items():
        e, m = found["metrics"][name], found["metrics"][name]["majority"]
        if m["answer"]:
            difference = html.estimate(m["difference"], m["low"], m["high"])
            lines.append([title, cell(e), m["answer"], html.estimate(m["value"], None, None), difference,
                          tables.verdict(m["beaten"])])  # fmt: skip
    return html.table(heads, lines) if lines else ""


def _classes(found: dict) -> str:
    rows, names = found["per_class"], found["titles"]["per_class"]
    if not rows or not names:
        return ""
    heads = ["class", "cases", "patients", *names.values()]
    return html.subheading("Classes") + html.table(
        heads, [[row["class"], row["cases"], row["patients"], *(cell(row[name], 2) for name in names)] for row in rows]
    )


def _worst(found: dict, pictures: Pictures) -> str:
    if not found["worst"]:
        return ""
    alone = found["worst"][0]["measure"]
    what = f"Frames by their own {alone}" if alone else "Wrong cases whose true class got the lowest score"
    body = html.subheading("Worst cases") + html.paragraph(f"{what}, one a patient, the worst first.")
    shown = pictures.worst.get(found["name"], [])
    rows = ["".join(html.figure(html.to_jpeg(image), words, 150) for image, words in row) for row in shown]
    alone_in_row = all(len(row) == 1 for row in shown)  # no neighbours: one behind the other
    body += "".join(rows) if alone_in_row else "".join(f'<div class="row">{row}</div>' for row in rows)
    heads = ["frame", "patient", "true", "predicted", *([alone] if alone else _OF_CLASSES)]
    lines = [
        [w["frame_id"], w["patient"] or "–", w["true"] or "–", w["said"] or "–",
         *(f"{w[key]:.3f}" for key in (("value",) if alone else ("share", "score")))]
        for w in found["worst"]
    ]  # fmt: skip
    table = html.table(heads, lines)
    return body + (html.details("As a table", table) if shown else table)


def _patients(found: dict) -> str:
    rows, titles = found["patients"], found["titles"]["measures"]
    if not rows:
        return ""
    names = list(rows[0]["values"])
    heads = ["patient", "classes", "cases", *(titles[name] for name in names)]
    lines = [
        [r["patient"], r["classes"], r["cases"], *(html.estimate(r["values"][name], None, None) for name in names)]
        for r in rows
    ]
    body = html.subheading("Patients, the worst first") + html.table(heads, lines[:_OPEN])
    rest = lines[_OPEN:]
    return body + (html.details(f"{len(rest)} more patients", html.table(heads, rest)) if rest else "")


def subgroups(runs: list[dict]) -> str:
    """Tables of every column asked for, a line a value and run.

    Args:
        runs: of the report.

    Returns:
        HTML.
    """
    body = html.paragraph(
        "Each value apart, its own patients drawn. Subgroups differ by more than the column that names them."
    )
    names = tables.main(runs[0])
    for column in dict.fromkeys(column for run in runs for column in run["by"]):
        lines, small = [], 0
        for found in (run for run in runs if column in run["by"]):
            for row in found["by"][column]["rows"]:
                if row["reason"] and len(found["by"][column]["rows"]) > _OPEN:
                    small += 1
                    continue
                cells = [cell(row["metrics"][name]) if row["metrics"] else html.Markup("–") for name in names]
                value = row["value"] or "(unknown)"
                lines.append(
                    [value, found["name"], row["cases"], row["patients"], *cells, row["reason"] or row["note"]]
                )
        body += html.subheading(f"By {column}")
        body += html.table([column, "run", "cases", "patients", *names.values(), ""], lines)
        if small:
            body += html.paragraph(
                f"{small:,} rows with too few cases or one patient are left out; report.json has them."
            )
    return body


def efficiency(series: list[dict], first: dict, pictures: dict[str, Pair]) -> str:
    """How scores grow with labels.

    Args:
        series: of the report.
        first: one of the runs, which knows the titles of measures.
        pictures: measure -> figure.

    Returns:
        HTML.
    """
    text = "Runs that differ only in the share of training patients and the seed; the mean over seeds, the same "
    text += "patients drawn for all of them."
    body = html.paragraph(text) + "".join(html.themed(pair) for pair in pictures.values())
    lines = [
        [s["name"], f"{p['fraction']:g}", p["seeds"], *(cell(p["metrics"][name]) for name in tables.main(first))]
        for s in series for p in s["points"]
    ]  # fmt: skip
    return body + html.table(["runs", "fraction", "seeds", *tables.main(first).values()], lines)


def robustness(rows: list[dict], first: dict, pictures: dict[str, Pair]) -> str:
    """Scores under perturbations, and what they lost.

    Args:
        rows: of the report.
        first: one of the runs, which knows the titles of measures.
        pictures: perturbation -> figure.

    Returns:
        HTML.
    """
    main, (lead, _) = tables.main(first), leading(first)
    names = {name: title for name, title in main.items() if name in (lead, "auroc", next(iter(main)))}
    text = (
        "The same frames, perturbed along their beams. Read the values, not only the change: a poor run looks robust."
    )
    body = html.paragraph(text) + "".join(html.themed(pair) for pair in pictures.values())
    lines = []
    for row in rows:
        for step in [{"strength": 0.0, "metrics": row["clean"], "change": None}, *row["steps"]]:
            cells = []
            for name in names:
                change = step["change"]
                moved = html.Markup("–") if change is None else cell(change[name])
                cells += [cell(step["metrics"][name]), moved]
            lines.append([row["run"], row["name"], f"{step['strength']:g}", *cells])
    heads = ["run", "perturbation", "strength", *(word for title in names.values() for word in (title, "change"))]
    return body + html.table(heads, lines)


def data(report: dict) -> str:
    """The dataset card.

    Args:
        report: what ``report.json`` holds.

    Returns:
        HTML.
    """
    body = ""
    for card in report["data"]:
        body += html.subheading("Measured by " + ", ".join(card["runs"]))
        body += html.table(["class", "frames", "patients"], [list(row.values()) for row in card["classes"]])
        body += html.facts(card["facts"])
    return body


def method(report: dict, tasks: list[str]) -> str:
    """Settings, definitions, versions and commands.

    Args:
        report: what ``report.json`` holds.
        tasks: of the runs.

    Returns:
        HTML.
    """
    facts = {
        "usfm": report["software"]["usfm"],
        "case": report["aggregate"],
        "resamples of patients": report["bootstrap"],
        "confidence": report["confidence"],
        "seed": report["seed"],
        "made": report["made"],
    }
    body = html.facts(facts) + html.code("\n".join(report["commands"]))
    words = [pair for task in tasks for pair in TASKS[task].words()]
    return (
        body
        + html.table(["", "means"], [*dict.fromkeys(words), *_INTERVAL])
        + html.details("Versions", html.facts(_flat(report["software"])))
    )


def _flat(facts: dict) -> dict[str, object]:
    """Facts of facts as one table."""
    whole: dict[str, object] = {}
    for name, value in facts.items():
        whole |= value if isinstance(value, dict) else {name: value}
    return whole
