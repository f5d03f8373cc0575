"""Figures that compare runs; those of one run are its task's."""

from usfm.pictures import curves


def intervals(runs: list[dict]) -> dict[str, bytes]:
    """One PNG a measure: every run with its interval; the dashed line is the harder constant answer."""
    pictures = {}
    for name, title in runs[0]["titles"]["measures"].items():
        rows, line = {}, None
        for run in runs:
            e = run["metrics"][name]
            if e["value"] is not None:
                low, high = (e["value"] if e[side] is None else e[side] for side in ("low", "high"))
                rows[run["name"]] = (e["value"], low, high)
                line = e["majority"]["value"] if line is None else line
        if rows:
            pictures[name] = curves.intervals(None, rows, title, reference=line)
    return pictures
