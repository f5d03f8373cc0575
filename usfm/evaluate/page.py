"""The report as one HTML page."""

from usfm.evaluate import tables
from usfm.evaluate.bootstrap import MEASURES, PER_CLASS
from usfm.evaluate.notes import progress_of
from usfm.pictures import html

_DEFINITIONS = (
    ("accuracy", "share of cases whose highest score is the true class"),
    ("balanced accuracy", "mean recall over the classes that have cases; chance is 1 / number of classes"),
    ("macro F1", "mean over classes of 2 TP / (2 TP + FP + FN)"),
    ("AUROC", "chance that a positive case scores above a negative one, ties half; two classes: of the second; "
              "more: mean over one class against the rest; scores of all folds are pooled"),
    ("constant answer", "the harder of those that mean something for a measure. Accuracy: the most frequent class in "
                        "the training of each fold, and the most frequent class among the measured cases. Balanced "
                        "accuracy: the same class of the training, and chance. AUROC: 0.5. Macro F1: none, since "
                        "guessing beats any constant answer"),
    ("beats", "the interval of the difference to the harder constant answer, the same patients drawn for both, lies "
              "above zero; 'beats majority' is that of accuracy"),
    ("interval", "expanded percentiles over resamples of patients with replacement (Hesterberg 2015): a patient's "
                 "cases come and go together; the fitted probe stays as it is, so chance in training is not in it"),
)  # fmt: skip


def page(report: dict, pictures: dict[str, dict[str, bytes]], sheets: dict[str, bytes]) -> str:
    """Write the page.

    Args:
        report: what ``report.json`` holds.
        pictures: run name -> name -> PNG; "" -> those of all runs.
        sheets: run name -> PNG of the surest frames.

    Returns:
        One self-contained HTML document.
    """
    sections = [("Result", _result(report, pictures[""]))]
    if report["comparisons"]:
        heads, lines = tables.pairs(report)
        text = "Both runs on the frames they share, the same patients drawn for both; positive: the first is better."
        sections.append(("Pairs of runs", html.paragraph(text) + html.table(heads, lines)))
    sections += [(run["name"], _run(run, pictures[run["name"]], sheets.get(run["name"]))) for run in report["runs"]]
    sections.append(("How it was measured", _method(report)))
    return html.page("Evaluation", sections, tables.caption(report))


def _result(report: dict, pictures: dict[str, bytes]) -> str:
    body = "".join(html.note(text) for text in report["notes"])
    body += html.table(tables.columns(), tables.rows(report["runs"]))
    body += "".join(html.figure(pictures[name], width_px=480) for name in MEASURES if name in pictures)
    return body + html.paragraph("Dashed line: the harder constant answer.")


def _run(run: dict, pictures: dict[str, bytes], sheet: bytes | None) -> str:
    about = run["about"]
    encoder = about.get("encoder") or {}
    body = html.paragraph(
        f"{about.get('task', '?')}, protocol {about.get('protocol', '?')}, encoder {encoder.get('name', '?')} "
        f"({encoder.get('model', encoder.get('kind', '?'))}{_trained(run)}): {run['n']['frames']:,} frames, "
        f"{run['n']['cases']:,} cases, {run['n']['patients']:,} patients."
    )
    heads = ["measure", "value", "constant answer", "its value", "difference", "beats it"]
    lines = []
    for name in MEASURES:
        e, m = run["metrics"][name], run["metrics"][name]["majority"]
        difference = {"value": m["difference"], "low": m["low"], "high": m["high"]}
        value = "-" if m["value"] is None else f"{m['value']:.3f}"
        answer, difference = m["answer"] or "-", tables.words(difference)
        lines.append([tables.TITLES[name], tables.words(e), answer, value, difference, tables.verdict(m["beaten"])])
    body += html.table(heads, lines)
    for name, text in (("confusion", "cases, and share of the true class"), ("roc", "ROC, area in brackets"),
                       ("calibration", "calibration: a well-calibrated model lies on the diagonal")):  # fmt: skip
        body += html.figure(pictures[name], text, width_px=380)
    heads = ["class", "cases", "patients", "precision", "recall", "specificity", "F1", "AUROC", "average precision"]
    lines = [
        [row["class"], row["cases"], row["patients"]] + [tables.words(row[name], 2) for name in PER_CLASS]
        for row in run["per_class"]
    ]
    body += html.table(heads, lines)
    if sheet is not None:
        text = "The frames with the highest scores of this run, one a patient: correct (green), then wrong (red). "
        body += html.figure(sheet, text + "Captions: true class, then predicted class and its score.")
    folds = html.table(list(run["folds"][0]), [list(row.values()) for row in run["folds"]]) if run["folds"] else ""
    return body + html.details("Folds", folds) + html.details("Calibration", html.facts(run["calibration"]))


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
    return html.facts(facts) + html.table(["", "means"], _DEFINITIONS)
