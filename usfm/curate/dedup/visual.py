"""The visual stage of dedup: one feature a frame (a map), then one verdict for the whole store (a reduce)."""

import io

import numpy as np

from usfm.curate import regions
from usfm.curate.dedup import gallery, groups, published
from usfm.curate.dedup.config import Config
from usfm.curate.dedup.select import Compared, near_hashes, retention, thin, threshold_for
from usfm.curate.dedup.verdict import Outcome
from usfm.imaging.dct import phash, sharpness
from usfm.imaging.gray import to_gray
from usfm.jobs.run import Part
from usfm.screening.features import KEEP, visual_features
from usfm.screening.leaks import leaks_between
from usfm.seeding import stream
from usfm.store.reader import Store

BATCH = 64

LIMIT_S = 86_400.0
"""Time limit of a selection: it grows with the square of the frames compared (430,000 in one scope: some minutes, times
14 with --target-keep)."""


def unread(part: Part, reason: str) -> bytes:
    """Stand in for the features of a part that killed its worker: its frames are compared with none, and rejected.

    It holds what the results of `describe_part` hold, in the same shapes: a store of such parts only has them too.

    Args:
        part: that failed.
        reason: one sentence.

    Returns:
        The bytes of a result whose frames have all failed.
    """
    _, rows, _, config = part.payload
    width = published.KEEP**2 if config.preset == "polarmae" else KEEP * KEEP
    none = np.zeros(len(rows), bool)
    buffer = io.BytesIO()
    np.savez(
        buffer, rows=rows, unread=~none, flat=none, failed=none, features=np.zeros((len(rows), width), np.float32),
        hashes=np.zeros(len(rows), np.uint64), sharpness=np.zeros(len(rows), np.float32),
    )  # fmt: skip
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
    arrays: dict[str, np.ndarray] = {
        "rows": rows,
        "flat": regions.flat_rows(store, rows, None if found_path is None else found),
    }
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
    arrays["features"] = features
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


def gather(files: list[str], n: int) -> dict[str, np.ndarray]:
    """Put the results of `describe_part` together.

    Args:
        files: One file a part.
        n: Frames of the store.

    Returns:
        "features" (n, D) float32 and, where present, "hashes", "sharpness", "failed", "unread", "flat", each by frame
        row.
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
    verdict = Outcome.all_kept(len(store))
    if "failed" in known:
        verdict.stage[known["failed"]] = "rejected"
    if "unread" in known:
        verdict.stage[known["unread"]] = "unread"
    if "flat" in known:
        verdict.stage[known["flat"]] = "flat"
    seen = ~np.isin(verdict.stage, ("unread", "flat"))
    figures: dict = {"visual_threshold": config.visual_threshold, "scope": config.scope}

    if other_paths is not None:
        figures |= drop_leaks(verdict, store, known, Store.open(other_paths), other_files, config)

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
    odds = gallery.disagreements(store, known["features"], seen, threshold)
    figures["disagreements"] = {
        name: [(int(i), int(j), float(s)) for i, j, s in zip(p.i[:200], p.j[:200], p.similarity[:200], strict=True)]
        for name, p in odds.items()
    }
    figures["label_conflicts"] = odds["label"].total if "label" in odds else None
    figures["patient_twins"] = odds["patient"].total if "patient" in odds else None
    verdict.figures = figures | {"dropped_by_stage": count_stages(verdict)}
    return verdict.to_bytes()


def drop_leaks(
    verdict: Outcome,
    store: Store,
    known: dict[str, np.ndarray],
    other: Store,
    other_files: list[str],
    config: Config,
) -> dict[str, int]:
    """Drop the frames that look like a frame of another store, under the conditions of the visual stage.

    Args:
        verdict: Changed: frames that are still kept and leak go.
        store: The input.
        known: From `gather`, of the input.
        other: The store of ``--against``.
        other_files: Results of `describe_part`, of the other store.
        config: Settings.

    Returns:
        Figures: "leaks", frames dropped; "against_unread", frames of the other store that could not be read.
    """
    theirs = gather(other_files, len(other))
    unread = theirs.get("unread", np.zeros(len(other), bool))
    mine = np.flatnonzero(verdict.kept)
    seen = np.flatnonzero(~(unread | theirs.get("flat", np.zeros(len(other), bool))))
    gate = None
    if config.phash_distance is not None:
        gate = near_hashes(known["hashes"][mine], theirs["hashes"][seen], config.phash_distance)
    digests = store.column("digest")[mine].tolist(), other.column("digest")[seen].tolist()
    leaks = leaks_between(
        known["features"][mine], theirs["features"][seen], config.visual_threshold, allowed=gate, same=digests
    )
    verdict.drop(mine[leaks.row], other.column("frame_id")[seen[leaks.like]], leaks.similarity, "against")
    return {"leaks": len(leaks), "against_unread": int(unread.sum())}


def frames_of(store: Store, rows: np.ndarray, known: dict[str, np.ndarray], config: Config) -> Compared:
    """Bundle what selection needs of some frames.

    Args:
        store: The input.
        rows: (k,) their rows.
        known: From `gather`.
        config: Settings.

    Returns:
        The frames, as `thin` takes them.
    """
    group, order = groups.group_numbers(store, config.scope)[rows], groups.canonical_order(store)[rows]
    return Compared(
        features=groups.one_feature_a_picture(known["features"][rows], store.column("digest")[rows], order, group),
        group=group, order=order, keep=config.keep,
        labelled=groups.labelled(store)[rows] if config.keep == "labelled" else None,
        sharpness=known["sharpness"][rows] if "sharpness" in known else None,
        source=store.column("source")[rows], time_s=store.column("time_s")[rows],
        hashes=known["hashes"][rows] if "hashes" in known else None, phash_distance=config.phash_distance,
        window_s=config.window,
    )  # fmt: skip


def count_stages(verdict: Outcome) -> dict[str, int]:
    """Number of frames dropped by each stage that dropped any."""
    names, counts = np.unique(verdict.stage[~verdict.kept].astype(str), return_counts=True)
    return {
        str(name): int(count)
        for name, count in zip(names, counts, strict=True)
        if name not in ("rejected", "unread", "flat")
    }
