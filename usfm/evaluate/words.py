"""The result in words: what a reader should know who reads nothing else."""

from collections.abc import Sequence

from usfm.evaluate.how import held_out
from usfm.evaluate.sections import leading
from usfm.evaluate.tables import by_task, main, words


def summary(report: dict) -> list[str]:
    """Say what was found.

    Args:
        report: what ``report.json`` holds.

    Returns:
        Sentences: one a run, then one on the comparison, task by task.
    """
    found = []
    for runs in by_task(report).values():
        found += [_of_run(run, report["aggregate"]) for run in runs]
        names = {run["name"] for run in runs}
        pairs = [row for row in report["comparisons"] if row["first"] in names]
        if pairs:
            found.append(_of_pairs(pairs, *leading(runs[0])))
        elif len(runs) > 1:
            found.append("Whether the runs differ was not tested; --compare does it.")
    return found


def _of_run(run: dict, case: str) -> str:
    n, measured, lead = run["n"], run["metrics"], leading(run)
    shown = dict([lead, *((name, title) for name, title in main(run).items() if name == "auroc")])
    values = [
        f"{title} {words(measured[name], 2)}" for name, title in shown.items() if measured[name]["value"] is not None
    ]
    beaten = measured[lead[0]]["majority"]["beaten"]
    judged = ""
    if beaten is not None:
        judged = f"; it is {'better' if beaten else 'not shown to be better'} than a constant answer"
    held = held_out(run["about"])
    left = f", {held}" if "in turn" in held else ""
    size = f"{_count(n['cases'], case)} of {_count(n['patients'], 'patient')}{left}"
    return f"{run['name']}: {' and '.join(values) or 'nothing that is defined'} on {size}{judged}."


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _of_pairs(rows: Sequence[dict], name: str, title: str) -> str:
    mine = [row for row in rows if row["measure"] == name and row["p_holm"] is not None]
    clear = [row for row in mine if row["p_holm"] < 0.05]
    if not clear:
        return f"No pair of runs differs in {title} beyond chance (Holm, 0.05)."
    said = []
    for row in clear[:5]:
        higher, other = (row["first"], row["second"]) if row["difference"] > 0 else (row["second"], row["first"])
        ends = sorted(abs(row[end]) for end in ("low", "high"))
        said.append(f"{higher} is above {other} by {abs(row['difference']):.2f} [{ends[0]:.2f}, {ends[1]:.2f}]")
    more = f", and {len(clear) - 5} more pairs differ" if len(clear) > 5 else ""
    return f"In {title}, {'; '.join(said)}{more} (p under 0.05 after Holm, {len(mine)} pairs)."
