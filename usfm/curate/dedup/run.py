"""Keep one frame of each group of near-duplicates."""

import dataclasses
import io
from pathlib import Path

import numpy as np

from usfm import console
from usfm.config import Request, content_dict
from usfm.curate import regions
from usfm.curate.dedup import gallery, groups, published, semantic
from usfm.curate.dedup.config import Config
from usfm.curate.dedup.select import Frames, retention, thin, threshold_for
from usfm.curate.dedup.verdict import Verdict
from usfm.errors import RequestError
from usfm.imaging.dct import phash, sharpness
from usfm.imaging.gray import to_gray
from usfm.jobs.run import Part, Phase, out_path, run_step
from usfm.screening.features import visual_features
from usfm.screening.leaks import pairs_between
from usfm.seeding import stream
from usfm.store.reader import Store
from usfm.store.reject import reject_rows
from usfm.store.writer import PartWriter

BATCH = 64


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
    store = Store.open(list(request.inputs)).require()
    other = Store.open(config.against).require() if config.against else None
    if config.keep == "labelled" and not groups.labelled(store).any():
        raise RequestError(f"{store.paths[0]}: holds no labels, so --keep labelled has no meaning; use --keep first")
    options = content_dict(config)
    if other is not None:
        options["against"] = other.content_id
    if config.embedder:
        options["embedder"] = semantic.load(config, request).identity
    last: dict[str, Verdict] = {}

    def figures(done: dict[str, list[Path]]) -> dict:
        last["visual"] = Verdict.read(done["visual"][0])
        verdict = Verdict.read(done["semantic"][0]) if "semantic" in done else last["visual"]
        last["final"] = verdict
        if config.report:
            from usfm.curate.dedup.report import write

            console.say(f"report: {write(config, store, last['visual'], verdict)}")
        return {name: value for name, value in verdict.figures.items() if name not in ("pairs", "disagreements")}

    summary = run_step(
        "dedup", request, options, plan_phases(config, request, store, other),
        inputs=[store], out=out_path(request, "dedup"), figures=figures,
    )  # fmt: skip
    if config.report and summary.get("up_to_date"):
        console.warn("the report comes with the work, and the result was there already; --overwrite makes both anew")
    if summary.get("label_conflicts"):
        console.warn(f"{summary['label_conflicts']} near-duplicate pairs carry different labels; --report lists them")
    return summary


def plan_phases(config: Config, request: Request, store: Store, other: Store | None) -> list[Phase]:
    """The phases of the step: regions, features, selection, copy; where asked for, those of a second store and stage.

    Args:
        config: Settings, the preset already in them.
        request: For the device and the seed.
        store: The input.
        other: The store of `--against`, or None.
    """
    phases = describe(config, store, "")
    if other is not None:
        phases += describe(config, other, "against-")
    paths = [str(path) for path in store.paths]
    cut = regions.partition(store)

    def visual(done: dict[str, list[Path]]) -> list[Part]:
        theirs = [str(path) for path in done.get("against-features", [])]
        ours = [str(path) for path in done["features"]]
        names = (paths, None if other is None else [str(path) for path in other.paths])
        return [Part("visual", (*names, ours, theirs, config, request.seed), weight=float(len(store)))]

    phases.append(Phase("visual", plan=visual, work=select_part))
    stage = "visual"
    if config.embedder:
        phases += semantic.phases(config, request, store)
        stage = "semantic"

    def copies(done: dict[str, list[Path]]) -> list[Part]:
        found = [str(path) for path in done["regions"]] if "regions" in done else [None] * len(cut)
        return [
            Part(f"dedup-{k:05d}", (paths, rows, found[k], str(done[stage][0])), weight=float(len(rows)))
            for k, rows in enumerate(cut)
        ]

    return [*phases, Phase("dedup", plan=copies, work=copy_part, poison=reject_part)]


def reject_part(part: Part, reason: str) -> bytes:
    """Stand in for a part that killed its worker while it was taken over: all its frames are rejected."""
    return reject_rows(*part.payload[:2], "dedup", "part failed", reason)


def describe(config: Config, store: Store, prefix: str) -> list[Phase]:
    """The phases that end in one feature a frame of a store.

    Args:
        config: Settings.
        store: The store.
        prefix: Of the phases' names, "" for the input.
    """
    paths, cut = [str(path) for path in store.paths], regions.partition(store)
    phases = []
    if not store.has_regions:
        phases.append(dataclasses.replace(regions.phase(store), name=f"{prefix}regions"))

    def features(done: dict[str, list[Path]]) -> list[Part]:
        found = [str(path) for path in done.get(f"{prefix}regions", [])] or [None] * len(cut)
        return [
            Part(f"{prefix}features-{k:05d}", (paths, rows, found[k], config), weight=float(len(rows)))
            for k, rows in enumerate(cut)
        ]

    return [*phases, Phase(f"{prefix}features", plan=features, work=describe_part, poison=unread)]


def unread(part: Part, reason: str) -> bytes:
    """Stand in for the features of a part that killed its worker: its frames are compared with none, and rejected."""
    rows = part.payload[1]
    buffer = io.BytesIO()
    np.savez(buffer, rows=rows, unread=np.ones(len(rows), bool))
    return buffer.getvalue()


def describe_part(payload: tuple) -> bytes:
    """Describe the frames of one part (in a worker): features, and hashes and sharpness where they are asked for."""
    paths, rows, found_path, config = payload
    store = Store.open(paths)
    if found_path is None:
        known = {row: store.region(row).mask for row in set(store.column("region_row")[rows].tolist())}
        masks = {int(row): known[store.column("region_row")[row]] for row in rows}
    else:
        found = regions.Found.read(found_path)
        masks = {int(row): found.region(int(row)).mask for row in rows}
    arrays: dict[str, np.ndarray] = {"rows": rows}
    if config.preset == "polarmae":
        pieces = [
            published.published_features([to_gray(frame) for frame in store.frames(rows[at : at + BATCH])])
            for at in range(0, len(rows), BATCH)
        ]
        features, arrays["hashes"], arrays["failed"] = (np.concatenate(part) for part in zip(*pieces, strict=True))
    else:
        features = visual_features(store, rows, masks)
        if config.phash_distance is not None:
            batches = (store.frames(rows[at : at + BATCH]) for at in range(0, len(rows), BATCH))
            arrays["hashes"] = np.concatenate([phash([to_gray(frame) for frame in batch]) for batch in batches])
    if config.keep == "sharpest":
        arrays["sharpness"] = np.array(
            [sharpness(to_gray(store.frame(int(row))), masks[int(row)]) for row in rows], np.float32
        )
    arrays["features"] = features.astype(np.float16)
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def gather(files: list[str], n: int) -> dict[str, np.ndarray]:
    """Put the results of `describe_part` together.

    Args:
        files: One file a part.
        n: Frames of the store.

    Returns:
        "features" (n, D) float16 and, where present, "hashes", "sharpness", "failed", each by frame row.
    """
    whole: dict[str, np.ndarray] = {}
    for path in files:
        with np.load(path) as arrays:
            rows = arrays["rows"]
            for name in arrays.files:
                if name != "rows":
                    values = arrays[name]
                    whole.setdefault(name, np.zeros((n, *values.shape[1:]), values.dtype))[rows] = values
    return whole


def select_part(payload: tuple) -> bytes:
    """Decide the visual stage for the whole store (one part, runs in a worker)."""
    paths, other_paths, files, other_files, config, seed = payload
    store = Store.open(paths)
    known = gather(files, len(store))
    names = store.column("frame_id")
    verdict = Verdict.all_kept(len(store))
    if "failed" in known:
        verdict.stage[known["failed"]] = "rejected"
    if "unread" in known:
        verdict.stage[known["unread"]] = "unread"
    figures: dict = {"visual_threshold": config.visual_threshold, "scope": config.scope}

    if other_paths is not None:
        other = Store.open(other_paths)
        leaks = pairs_between(
            known["features"].astype(np.float32), gather(other_files, len(other))["features"].astype(np.float32),
            config.visual_threshold, limit=10**7,
        )  # fmt: skip
        rows, first = np.unique(leaks.i, return_index=True)
        open_rows = verdict.stage[rows] == ""
        rows, first = rows[open_rows], first[open_rows]
        verdict.drop(rows, other.column("frame_id")[leaks.j[first]], leaks.similarity[first], "against")
        figures["leaks"] = len(rows)

    rows = np.flatnonzero(verdict.kept)
    frames = frames_of(store, rows, known, config)
    figures["retention"] = {f"{t:g}": round(share, 4) for t, share in retention(frames, stream(seed, "curve")).items()}
    threshold = config.visual_threshold
    if config.target_keep is not None and not config.embedder:
        threshold = figures["visual_threshold"] = threshold_for(frames, config.target_keep)
    kept_by, similarity = thin(frames, threshold)
    gone = np.flatnonzero(kept_by != np.arange(len(rows)))
    verdict.drop(rows[gone], names[rows[kept_by[gone]]], similarity[gone], "visual")

    examples = gallery.example_pairs(frames, stream(seed, "pairs"))
    figures["pairs"] = [(int(rows[i]), int(rows[j]), cosine) for i, j, cosine in examples]
    odds = gallery.disagreements(store, known["features"], min(threshold, 0.999))
    figures["disagreements"] = {
        name: [(int(i), int(j), float(s)) for i, j, s in zip(p.i[:200], p.j[:200], p.similarity[:200], strict=True)]
        for name, p in odds.items()
    }
    figures["label_conflicts"] = odds["label"].total if "label" in odds else None
    figures["patient_twins"] = odds["patient"].total if "patient" in odds else None
    verdict.figures = figures | {"dropped_by_stage": count_stages(verdict)}
    return verdict.to_bytes()


def frames_of(store: Store, rows: np.ndarray, known: dict[str, np.ndarray], config: Config) -> Frames:
    """Bundle what selection needs of some frames.

    Args:
        store: The input.
        rows: (k,) their rows.
        known: From `gather`.
        config: Settings.
    """
    return Frames(
        features=known["features"][rows], group=groups.group_numbers(store, config.scope)[rows],
        order=groups.canonical_order(store)[rows], keep=config.keep,
        labelled=groups.labelled(store)[rows] if config.keep == "labelled" else None,
        sharpness=known["sharpness"][rows] if "sharpness" in known else None,
        source=store.column("source")[rows], time_s=store.column("time_s")[rows],
        hashes=known["hashes"][rows] if "hashes" in known else None, phash_distance=config.phash_distance,
        window_s=config.window,
    )  # fmt: skip


def count_stages(verdict: Verdict) -> dict[str, int]:
    """Number of frames dropped by each stage that dropped any."""
    names, counts = np.unique(verdict.stage[~verdict.kept].astype(str), return_counts=True)
    return {
        str(name): int(count) for name, count in zip(names, counts, strict=True) if name not in ("rejected", "unread")
    }


def copy_part(payload: tuple) -> bytes:
    """Take the kept frames of one part over, and note the dropped ones (runs in a worker)."""
    paths, rows, found_path, verdict_path = payload
    store, verdict = Store.open(paths), Verdict.read(verdict_path)
    found = None if found_path is None else regions.Found.read(found_path)
    part = PartWriter(class_names=store.class_names, box_names=store.box_names)
    names, sources = store.column("frame_id"), store.of_frames("path")
    for row in map(int, rows):
        if verdict.stage[row] == "":
            if found is None or found.is_reused(row):
                part.copy(store, row)
            else:
                part.copy(store, row, region=found.region(row), region_key=found.key(row))
        elif verdict.stage[row] == "rejected":
            part.reject(sources[row], names[row], "dedup", "no region", "The published crop has a side under 80 px.")
        elif verdict.stage[row] == "unread":
            part.reject(sources[row], names[row], "dedup", "part failed", "Reading it killed the worker three times.")
        else:
            part.drop(names[row], verdict.keeper[row], float(verdict.similarity[row]), verdict.stage[row])
    return part.to_bytes()
