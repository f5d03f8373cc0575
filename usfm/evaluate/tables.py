"""The table of runs as CSV, Markdown and LaTeX."""

import io
from collections.abc import Sequence

from usfm import escape


def words(estimate: dict, digits: int = 3) -> str:
    """An estimate with its interval as text.

    Args:
        estimate: value, low and high.
        digits: after the point.

    Returns:
        Such as "0.71 [0.64, 0.78]".

    >>> words({"value": 0.8123, "low": 0.7, "high": None})
    '0.812'
    >>> words({"value": 0.8123, "low": 0.7001, "high": 0.9})
    '0.812 [0.700, 0.900]'
    """
    if estimate["value"] is None:
        return "-"
    text = f"{estimate['value']:.{digits}f}"
    if estimate["low"] is None or estimate["high"] is None:
        return text
    return f"{text} [{estimate['low']:.{digits}f}, {estimate['high']:.{digits}f}]"


def verdict(beaten: bool | None) -> str:
    """Whether a constant answer is beaten; a dash where that was not asked or has no interval."""
    return "-" if beaten is None else "yes" if beaten else "no"


def by_task(report: dict) -> dict[str, list[dict]]:
    """The runs of a report by task, in the order in which the tasks come."""
    found: dict[str, list[dict]] = {}
    for run in report["runs"]:
        found.setdefault(run["task"], []).append(run)
    return found


def main(run: dict) -> dict[str, str]:
    """The measures of the comparison table: name -> title."""
    titles = run["titles"]
    return {name: title for name, title in titles["measures"].items() if name not in titles.get("further", ())}


def columns(runs: Sequence[dict]) -> list[str]:
    """Heads of `rows`."""
    titles = runs[0]["titles"]
    first, reference = next(iter(titles["measures"].values())), titles["reference"]
    return ["run", "cases", "patients", *main(runs[0]).values(), f"{reference} {first}", f"beats {reference}"]


def rows(runs: Sequence[dict]) -> list[list[str]]:
    """One line a run of one task, with intervals as text."""
    lines = []
    for run in runs:
        measured, names = run["metrics"], list(main(run))
        constant = measured[names[0]]["majority"]
        lines.append(
            [
                run["name"],
                str(run["n"]["cases"]),
                str(run["n"]["patients"]),
                *(words(measured[name]) for name in names),
                "-" if constant["value"] is None else f"{constant['value']:.3f}",
                verdict(constant["beaten"]),
            ]
        )
    return lines


def short(runs: Sequence[dict]) -> tuple[list[str], list[list[str]]]:
    """Heads and one line a run that fit 80 columns: the interval as the larger of its two halves.

    The whole intervals stand in the report.
    """
    lines, titles = [], runs[0]["titles"]
    for run in runs:
        measured, n = run["metrics"], run["n"]
        beaten = verdict(measured[next(iter(titles["measures"]))]["majority"]["beaten"])
        estimates = [plus_minus(measured[name]) for name in titles["short"]]
        lines.append([run["name"][-20:], str(n["cases"]), str(n["patients"]), *estimates, beaten])
    reference = titles["reference"] if len(titles["reference"]) < 6 else f"{titles['reference'][:3]}."
    return ["run", "cases", "pat.", *titles["short"].values(), f"beats {reference}"], lines


def plus_minus(estimate: dict) -> str:
    """An estimate with the larger half of its interval.

    >>> plus_minus({"value": 0.8123, "low": 0.7001, "high": 0.87})
    '0.81±0.11'
    >>> plus_minus({"value": 0.5, "low": None, "high": None})
    '0.50'
    """
    value, low, high = (estimate[name] for name in ("value", "low", "high"))
    if value is None:
        return "-"
    return f"{value:.2f}" if low is None or high is None else f"{value:.2f}±{max(value - low, high - value):.2f}"


def to_csv(report: dict) -> str:
    """Long form, for other programs: one line a run, class and measure ("" = over all classes)."""
    heads = ["run", "aggregate", "class", "measure", "value", "low", "high", "cases", "patients", "majority",
             "difference", "difference_low", "difference_high", "encoder", "encoder_step",
             "encoder_status"]  # fmt: skip
    lines: list[list] = []
    for run in report["runs"]:
        trained = run["about"].get("pretraining") or {}
        encoder = [(run["about"].get("encoder") or {}).get("name", ""), trained.get("step"), trained.get("status", "")]
        head = [run["name"], report["aggregate"]]
        for name in run["titles"]["measures"]:
            e = run["metrics"][name]
            m = e["majority"]
            lines.append([*head, "", name, e["value"], e["low"], e["high"], run["n"]["cases"], run["n"]["patients"],
                          m["value"], m["difference"], m["low"], m["high"], *encoder])  # fmt: skip
        for row in run["per_class"]:
            for name in run["titles"]["per_class"]:
                e = row[name]
                lines.append([*head, row["class"], name, e["value"], e["low"], e["high"], row["cases"],
                              row["patients"], "", "", "", "", *encoder])  # fmt: skip
    out = io.StringIO()
    escape.write_csv(out, heads, lines)
    return out.getvalue()


def to_markdown(report: dict) -> str:
    """The table of runs, and of pairs when they were compared."""
    text = "\n".join(_markdown(columns(runs), rows(runs)) for runs in by_task(report).values())
    text += "\n" + caption(report) + "\n"
    if report["comparisons"]:
        text += "\n" + _markdown(*pairs(report))
    return text


def to_latex(report: dict) -> str:
    """The tables of runs for a paper (needs no package), one a task."""
    return f"% {caption(report)}\n" + "".join(_latex(runs) for runs in by_task(report).values())


def _latex(runs: Sequence[dict]) -> str:
    lines, heads = rows(runs), columns(runs)
    body = "\n".join(" & ".join(escape.latex(cell) for cell in line) + r" \\" for line in lines)
    head = " & ".join(escape.latex(name) for name in heads) + r" \\"
    spec = "l" + "r" * (len(heads) - 1)
    begin, end = f"\\begin{{tabular}}{{{spec}}}\n\\hline\n{head}\n\\hline", "\\hline\n\\end{tabular}"
    return f"{begin}\n{body}\n{end}\n"


def pairs(report: dict) -> tuple[list[str], list[list[str]]]:
    """Heads and lines of the comparison of runs."""
    lines = []
    for row in (row for row in report["comparisons"] if not row.get("further")):
        value = {"value": row["difference"], "low": row["low"], "high": row["high"]}
        p = ["-" if row[name] is None else f"{row[name]:.3g}" for name in ("p", "p_holm")]
        lines.append([row["first"], row["second"], row["title"], words(value), *p, str(row["patients"])])
    return ["first", "second", "measure", "first - second", "p", "p (Holm)", "patients"], lines


def caption(report: dict) -> str:
    """How the numbers were made, in one sentence."""
    text = f"One case is one {report['aggregate']}"
    if report["bootstrap"]:
        share, count = f"{report['confidence']:.0%}", f"{report['bootstrap']:,}"
        text += f"; in brackets {share} intervals from {count} resamples of patients"
    return text + "."


def _markdown(heads: list[str], lines: list[list[str]]) -> str:
    table = [heads, ["---"] + ["---:"] * (len(heads) - 1), *lines]
    return "".join("| " + " | ".join(escape.markdown(cell) for cell in line) + " |\n" for line in table)
