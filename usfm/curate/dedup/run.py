"""Keep one frame of each group of near-duplicates."""

import dataclasses
from collections.abc import Iterator

from usfm import console
from usfm.config import Request, content_dict
from usfm.curate import regions
from usfm.curate.dedup import groups, published, semantic, visual
from usfm.curate.dedup.config import Config
from usfm.curate.dedup.verdict import Outcome
from usfm.errors import RequestError
from usfm.jobs.outputs import check_report
from usfm.jobs.parts import Done, Part, Phase
from usfm.jobs.run import out_path, run_step
from usfm.store.reader import Store
from usfm.store.reject import rejecting
from usfm.store.writer import PartWriter


def run(config: Config, request: Request) -> dict:
    """Thin out a store to frames that differ, and say for each dropped frame which one stands for it.

    Args:
        config: What counts as near, where to look, which copy stays.
        request: Inputs and output.

    Returns:
        The summary of the command, with `visual_threshold`, `dropped_by_stage`, `retention` (threshold -> share kept),
        `leaks` (frames dropped by `--against`), `label_conflicts` and `patient_twins` (near-duplicate pairs with
        different labels or patients; null where there is nothing to compare).

    Raises:
        RequestError: Settings that contradict one another, or whatever is wrong with inputs and output.
    """
    config = published.with_preset(config)
    if not request.dry_run:
        check_report(config.report)
    store = Store.open(list(request.inputs)).require(labels=True)
    other = Store.open(config.against).require() if config.against else None
    if config.keep == "labelled" and not groups.labelled(store).any():
        raise RequestError(f"{store.paths[0]}: holds no labels, so --keep labelled has no meaning; use --keep first")
    options = content_dict(config)
    if other is not None:
        options["against"] = other.content_id
    if config.embedder:
        from usfm.model import embedders, progress

        progress.say(config.embedder, strict=request.strict)
        embedder = semantic.load(config, request)
        embedders.say(embedder)
        options["embedder"] = embedder.identity

    def figures(done: Done) -> dict:
        visual = Outcome.read(done["visual"][0])
        verdict = Outcome.read(done["semantic"][0]) if "semantic" in done else visual
        if config.report:
            from usfm.curate.dedup.report import write

            console.say(f"report: {write(config, store, visual, verdict)}")
        return {name: value for name, value in verdict.figures.items() if name not in ("pairs", "disagreements")}

    summary = run_step(
        "dedup", request, options, plan_phases(config, request, store, other),
        inputs=[store], out=out_path(request, "dedup"), figures=figures,
    )  # fmt: skip
    _warn(config, summary)
    return summary


def _warn(config: Config, summary: dict) -> None:
    """Say what a person should look at."""
    if config.report and summary.get("up_to_date"):
        console.warn("the report comes with the work, and the result was there already; --overwrite makes both anew")
    if summary.get("against_unread"):
        console.warn(
            f"{config.against}: {summary['against_unread']} frames could not be read, so copies of them may have stayed"
        )
    if summary.get("label_conflicts"):
        console.warn(f"{summary['label_conflicts']} near-duplicate pairs carry different labels; --report lists them")


def plan_phases(config: Config, request: Request, store: Store, other: Store | None) -> list[Phase]:
    """The phases of the step: regions, features, selection, copy; where asked for, those of a second store and stage.

    Args:
        config: Settings, the preset already in them.
        request: For the device and the seed.
        store: The input.
        other: The store of `--against`, or None.

    Returns:
        The phases in order; the last one makes the store.
    """
    phases = describe(config, store, "")
    if other is not None:
        phases += describe(config, other, "against-")
    paths = [str(path) for path in store.paths]
    cut = regions.partition(store)

    def verdict(done: Done) -> list[Part]:
        theirs = [str(path) for path in done.get("against-features", [])]
        ours = [str(path) for path in done["features"]]
        names = (paths, None if other is None else [str(path) for path in other.paths])
        return [Part("visual", (*names, ours, theirs, config, request.seed), weight=float(len(store)))]

    phases.append(Phase("visual", plan=verdict, work=visual.select_part, limit_s=visual.LIMIT_S))
    stage = "visual"
    if config.embedder:
        phases += semantic.phases(config, request, store)
        stage = "semantic"

    def copies(done: Done) -> list[Part]:
        found = [str(path) for path in done["regions"]] if "regions" in done else [None] * len(cut)
        return [
            Part(f"dedup-{k:05d}", (paths, rows, found[k], str(done[stage][0])), weight=float(len(rows)))
            for k, rows in enumerate(cut)
        ]

    return [*phases, Phase("dedup", plan=copies, work=copy_part, poison=rejecting("dedup"))]


def describe(config: Config, store: Store, prefix: str) -> list[Phase]:
    """The phases that end in one feature a frame of a store.

    Args:
        config: Settings.
        store: The store.
        prefix: Of the phases' names, "" for the input.

    Returns:
        The phases in order.
    """
    paths, cut = [str(path) for path in store.paths], regions.partition(store)
    phases = []
    if not store.has_regions:
        phases.append(dataclasses.replace(regions.phase(store), name=f"{prefix}regions"))

    def features(done: Done) -> list[Part]:
        found = [str(path) for path in done.get(f"{prefix}regions", [])] or [None] * len(cut)
        return [
            Part(f"{prefix}features-{k:05d}", (paths, rows, found[k], config), weight=float(len(rows)))
            for k, rows in enumerate(cut)
        ]

    return [*phases, Phase(f"{prefix}features", plan=features, work=visual.describe_part, poison=visual.unread)]


def copy_part(payload: tuple) -> Iterator[bytes]:
    """Take the kept frames of one part over, and note the dropped ones (runs in a worker)."""
    paths, rows, found_path, verdict_path = payload
    store, verdict = Store.open(paths), Outcome.read(verdict_path)
    found = None if found_path is None else regions.Found.read(found_path)
    part = PartWriter(like=store)
    names, sources = store.column("frame_id"), store.of_frames("path")
    for row in map(int, rows):
        if verdict.stage[row] == "":
            if found is None or found.is_reused(row):
                part.copy(store, row)
            else:
                part.copy(store, row, region=found.region(row), region_key=found.key(row))
        elif verdict.stage[row] == "flat":
            regions.reject_flat(part, store, row, "dedup")
        elif verdict.stage[row] == "rejected":
            part.reject(sources[row], names[row], "dedup", "no region", "The published crop has a side under 80 px.")
        elif verdict.stage[row] == "unread":
            part.reject(sources[row], names[row], "dedup", "part failed", "Reading it killed the worker three times.")
        else:
            part.drop(names[row], verdict.keeper[row], float(verdict.similarity[row]), verdict.stage[row])
        yield from part.drain()
    yield from part.pieces()
