"""The page of dedup: how many frames each threshold keeps, pairs at each similarity, and conflicting labels."""

from pathlib import Path

import numpy as np

from usfm.curate.dedup.config import Config
from usfm.curate.dedup.verdict import Outcome
from usfm.jobs.outputs import write_report
from usfm.pictures import html
from usfm.pictures.curves import curves
from usfm.pictures.sheet import contact_sheet
from usfm.store.reader import Store

CELL_PX = 150
MOST_SHOWN = 24


def write(config: Config, store: Store, visual: Outcome, final: Outcome) -> Path:
    """Write the page.

    Args:
        config: Settings; `report` names the folder.
        store: The input, for pictures.
        visual: Outcome of the visual stage, with its examples.
        final: Outcome of the last stage.

    Returns:
        Path of the page.
    """
    figures = final.figures
    sections = [
        ("Result", html.facts(result(config, final))),
        ("How many frames stay", curve(figures)),
        ("Pairs at each similarity", html.paragraph(
            "Pairs of compared frames (same scope), the least similar first. Set the threshold where "
            "pairs begin to show the same picture.") + pairs(store, visual.figures["pairs"])),
        ("Dropped frames and the frames that represent them", dropped(store, final)),
        *odds(store, figures.get("disagreements", {})),
    ]  # fmt: skip
    return write_report(
        config.report or ".", html.page("dedup", sections, "One frame of each group of near-duplicates stays.")
    )


def result(config: Config, final: Outcome) -> dict[str, object]:
    """Counts and settings for the first table.

    Args:
        config: settings of the run.
        final: what was decided for each frame.

    Returns:
        Label -> value.
    """
    rejected = int((~final.kept & (final.keeper == "")).sum())
    facts: dict[str, object] = {
        "frames in": len(final.stage),
        "frames kept": int(final.kept.sum()),
        **{f"dropped: {name}": count for name, count in final.figures["dropped_by_stage"].items()},
        "rejected": rejected,
        "scope": config.scope,
        "keep": config.keep,
        "visual threshold (cosine)": final.figures["visual_threshold"],
    }
    if "semantic_threshold" in final.figures:
        facts["semantic threshold (cosine)"] = final.figures["semantic_threshold"]
    facts["near-duplicate pairs with different labels"] = final.figures["label_conflicts"]
    facts["near-duplicate pairs of different patients"] = final.figures["patient_twins"]
    return facts


def curve(figures: dict) -> str:
    """The retention curves of the stages, as a picture and as a table."""
    series, rows = {}, []
    for name, key in (("visual", "retention"), ("semantic (of the survivors)", "semantic_retention")):
        if key in figures:
            points = sorted((float(threshold), share) for threshold, share in figures[key].items())
            series[name] = ([t for t, _ in points], [100 * share for _, share in points])
            rows += [[name, t, 100 * share] for t, share in points]
    picture = curves(None, series, "threshold (cosine)", "frames kept (%)", markers=True, ylim=(0, 100))
    return html.figure(picture) + html.details("figures", html.table(["stage", "threshold", "kept (%)"], rows))


def pairs(store: Store, chosen: list) -> str:
    """Pictures of pairs of frames side by side, each with its similarity.

    Args:
        store: the input.
        chosen: pairs of rows with their similarity.

    Returns:
        HTML.
    """
    if not chosen:
        return html.paragraph("There are none.")
    cells = [store.frame(int(row)) for i, j, _ in chosen for row in (i, j)]
    names = [name for _, _, similarity in chosen for name in (f"{similarity:.3f}", "")]
    return html.figure(contact_sheet(cells, names, columns=6, cell_px=CELL_PX))


def dropped(store: Store, final: Outcome) -> str:
    """Some dropped frames beside the frames that stand for them: the least similar first.

    Args:
        store: the input.
        final: what was decided for each frame.

    Returns:
        HTML.
    """
    row_of = {frame_id: row for row, frame_id in enumerate(store.column("frame_id"))}
    rows = np.flatnonzero(final.keeper != "")
    rows = rows[np.argsort(final.similarity[rows], kind="stable")][:MOST_SHOWN]
    chosen = [(row_of[final.keeper[row]], row, final.similarity[row]) for row in rows if final.keeper[row] in row_of]
    return html.paragraph(
        "Left: the kept frame. Right: the dropped one. These are the least similar pairs of all."
    ) + pairs(store, chosen)


def odds(store: Store, disagreements: dict) -> list[tuple[str, str]]:
    """Sections on near-duplicates whose labels or patients differ.

    Args:
        store: the input.
        disagreements: kind -> pairs.

    Returns:
        Title and HTML of each section.
    """
    sections = []
    labels, names = store.labels_class(), store.class_names
    patients, paths, frame_ids = store.of_frames("patient"), store.of_frames("path"), store.column("frame_id")
    tag = {"label": lambda row: names[labels[row]], "patient": lambda row: patients[row]}
    for kind, found in disagreements.items():
        if not found:
            continue
        rows = [
            [round(cosine, 4), tag[kind](i), tag[kind](j), paths[i], paths[j], frame_ids[i], frame_ids[j]]
            for i, j, cosine in found
        ]
        columns = ["cosine", f"{kind} A", f"{kind} B", "source A", "source B", "frame A", "frame B"]
        body = pairs(store, found[:MOST_SHOWN]) + html.details("all pairs (200 at most)", html.table(columns, rows))
        sections.append((f"Same picture, different {kind}", body))
    return sections
