"""Find the acoustic region, cut frames of one size."""

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from usfm import console, provenance
from usfm.config import Request, content_dict
from usfm.curate import regions
from usfm.curate.sector import corrections
from usfm.curate.sector.config import Config, with_preset
from usfm.errors import RequestError
from usfm.imaging import fan_fit
from usfm.imaging.frame_kind import frame_kind
from usfm.imaging.framing import Framing
from usfm.imaging.gray import to_gray
from usfm.imaging.region import Region, coverage
from usfm.jobs.outputs import check_report
from usfm.jobs.parts import Done, Part, Phase
from usfm.jobs.run import out_path, run_step
from usfm.store.part import open_part
from usfm.store.reader import Store
from usfm.store.writer import PartWriter

TRUSTED_FIT = 0.6
"""Quality of the fit from which a geometry is given to a region that came without one."""


def run(config: Config, request: Request) -> dict:
    """Cut every frame of the input stores to its acoustic region, letterboxed to one size.

    Args:
        config: what to do.
        request: inputs and output.

    Returns:
        The summary of cli.md with ``regions``, ``low_confidence`` (frames), ``evidence`` (frames by evidence),
        ``geometries`` (frames with one), ``few_patches`` (frames without a valid patch) and ``valid_patches_median``.

    Raises:
        RequestError: for a size that is no multiple of the patch, and whatever is wrong with inputs and output.
    """
    config = with_preset(config)
    if config.size % config.patch:
        raise RequestError(f"--size {config.size} is no multiple of --patch {config.patch}; change one of them.")
    drawn = corrections.read(config.corrections)
    if not request.dry_run:
        check_report(config.report)
    store = Store.open(list(request.inputs)).require(labels=True)
    lost = corrections.without_source(drawn, store.column("frame_id"), store.source_column("path")) if drawn else []
    if lost:
        console.warn(f"{config.corrections}: no source of the store is '{lost[0][:80]}' ({len(lost)} such entries)")
    out = out_path(request, "sector")
    options = content_dict(config) | {"corrections": provenance.digest(drawn) if drawn else None}
    phases = [regions.phase(store, method=config.method), _phase(store, config, drawn)]
    summary = run_step(
        "sector", request, options, phases, inputs=[store], out=out,
        figures=lambda done: figures(done["sector"], config),
    )  # fmt: skip
    _warn(summary)
    if config.report and not request.dry_run:
        from usfm.curate.sector import report

        page = report.write(Store.open([str(out)]), store, Path(config.report), summary, config)
        console.say(f"report: {page}")
        summary["report"] = str(page)
    return summary


def _phase(store: Store, config: Config, drawn: dict) -> Phase:
    """Return the phase that cuts the frames, part by part like the region phase."""
    paths, cut = [str(path) for path in store.paths], regions.partition(store)

    def plan(done: Done) -> list[Part]:
        found = done["regions"]
        return [
            Part(f"sector-{k:05d}", (paths, rows, str(found[k]), config, drawn), weight=float(len(rows)))
            for k, rows in enumerate(cut)
        ]

    return Phase("sector", plan=plan, work=cut_part, poison=reject_part)


def cut_part(payload: tuple) -> Iterator[bytes]:
    """Cut the frames of one part (runs in a worker)."""
    paths, rows, found_path, config, drawn = payload
    store, found = Store.open(paths), regions.Found.read(found_path)
    part = PartWriter(like=store, contiguous=True, patch=(config.size, config.patch))
    source_paths = store.of_frames("path")
    frame_ids, kinds = store.column("frame_id"), store.column("kind").astype(str)
    known_views = store.column("views")
    settled: dict[str, tuple] = {}
    for row in rows:
        row = int(row)
        path, frame_id, key = str(source_paths[row]), str(frame_ids[row]), found.key(row)
        frame = store.frame(row)
        if found.is_empty(row, frame):
            regions.reject_flat(part, store, row, "sector")
            continue
        if key not in settled:
            settled[key] = _settle(found.region(row), key, path, config, drawn)
        region, framing, moved = settled[key]
        trusted = region.confidence >= regions.LOW_CONFIDENCE
        share = coverage(moved, config.patch).ravel()
        kind = kinds[row] if kinds[row] != "b-mode" else frame_kind(frame, region.mask if trusted else None)
        refusal = _refusal(region, framing, share, kind, config)
        if refusal is not None:
            part.reject(path, frame_id, "sector", *refusal)
        else:
            pixels = _cut(frame, framing, moved, config, trusted)
            part.copy(
                store, row, pixels=pixels, region=region, region_key=key, framing=framing, coverage=share, kind=kind,
                views=int(known_views[row]) or _views(region),
            )  # fmt: skip
            yield from part.drain()
    yield from part.pieces()


def _refusal(region: Region, framing: Framing, share: np.ndarray, kind: str, config: Config) -> tuple[str, str] | None:
    """Return why a frame is rejected: its reason and one sentence; None where it is not."""
    if kind in config.drop_kind or (config.keep_kind and kind not in config.keep_kind):
        return "kind", f"The frame shows {kind}."
    if region.confidence < config.min_confidence:
        return "low confidence", f"Its region is right with a probability of {region.confidence:.2f} only."
    side, valid = min(framing.crop_height_px, framing.crop_width_px), int((share >= config.tau).sum())
    if side < config.min_side:
        return "small region", f"The region's box is only {side} px wide or high."
    if valid < config.min_patches:
        return "few patches", f"Only {valid} patches lie in the region."
    return None


def _views(region: Region) -> int:
    """Return how many views a region has, 0 where that is not known."""
    return len(region.extra.get("views", ())) or (1 if region.geometry is not None else 0)


def reject_part(part: Part, reason: str) -> bytes:
    """Stand in for a part that killed its worker: all its frames are rejected.

    Args:
        part: that failed.
        reason: one sentence.

    Returns:
        The bytes of a part that rejects its frames.
    """
    paths, rows, _, config, _ = part.payload
    store, rejected = Store.open(paths), PartWriter(contiguous=True, patch=(config.size, config.patch))
    source_paths, frame_ids = store.of_frames("path"), store.column("frame_id")
    for row in rows:
        rejected.reject(str(source_paths[row]), str(frame_ids[row]), "sector", "part failed", reason)
    return rejected.to_bytes()


def _settle(region: Region, key: str, path: str, config: Config, drawn: dict) -> tuple[Region, Framing, np.ndarray]:
    """Return the region to use for a layout, the framing it asks for, and its mask after that."""
    correction = corrections.entry_of(drawn, key, path)
    if correction is not None:
        region = corrections.region(correction[1], region.mask.shape)
    if not region.mask.any():
        region = dataclasses.replace(region, mask=np.ones_like(region.mask), geometry=None, confidence=0.0)
    if not config.fit_fan or (region.geometry is not None and region.confidence < regions.LOW_CONFIDENCE):
        region = dataclasses.replace(region, geometry=None)
    elif region.geometry is None and region.shape != "dual":
        geometry, confidence = fan_fit.fit_fan(region.mask)
        if geometry is not None and confidence >= TRUSTED_FIT:
            region = dataclasses.replace(region, geometry=geometry, shape=region.shape or geometry.shape)
    framing = Framing.for_region(region.mask, config.size, config.pad)
    return region, framing, framing.apply_mask(region.mask)


def _cut(frame: np.ndarray, framing: Framing, mask: np.ndarray, config: Config, trusted: bool) -> np.ndarray:
    """Return a frame's output pixels, gray or RGB, black outside the region (unless it is a guess or to be kept)."""
    if not config.color:
        frame = to_gray(frame)
    elif frame.ndim == 2:
        frame = np.repeat(frame[..., None], 3, axis=2)
    pixels = framing.apply(frame)
    if config.outside == "blank" and trusted:
        pixels = np.where(mask if pixels.ndim == 2 else mask[..., None], pixels, 0)
    return pixels


def figures(parts: Sequence[Path], config: Config) -> dict:
    """Count what the finished parts hold.

    Args:
        parts: result files of the phase.
        config: settings of the run.

    Returns:
        Figures for the summary.
    """
    evidence: dict[str, int] = {}
    layouts, low, fitted, few, valid = 0, 0, 0, 0, []
    for path in parts:
        part = open_part(path)
        if not part.frames:
            continue
        row = part.column("frames", "region_row")
        layouts += len(part.column("regions", "key"))
        low += int((part.column("regions", "confidence")[row] < regions.LOW_CONFIDENCE).sum())
        fitted += int(np.isfinite(part.column("regions", "apex_x_px")[row]).sum())
        for name in part.column("regions", "evidence")[row].tolist():
            evidence[name] = evidence.get(name, 0) + 1
        count = (part.column("patches", "coverage").astype(np.float32) >= config.tau).sum(1)
        few += int((count == 0).sum())
        valid.append(count)
    median = float(np.median(np.concatenate(valid))) if valid else 0.0
    return {"regions": layouts, "low_confidence": low, "geometries": fitted, "few_patches": few,
            "evidence": dict(sorted(evidence.items())), "valid_patches_median": median}  # fmt: skip


def _warn(summary: dict) -> None:
    """Say what the user should look at."""
    if summary.get("low_confidence"):
        console.warn(
            f"{summary['low_confidence']:,} of {summary['frames_out']:,} frames have a guessed region (usually the"
            " whole frame); inspect them with --report and correct them with --corrections"
        )
    if summary.get("few_patches"):
        console.warn(f"{summary['few_patches']:,} frames have no valid patch; training will skip their region")
