"""Find the acoustic region, cut frames of one size."""

import dataclasses
from collections import Counter
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from usfm import console, provenance
from usfm.config import Request, content_dict
from usfm.curate import regions
from usfm.curate.sector import corrections, laying
from usfm.curate.sector.config import Config, with_preset
from usfm.errors import RequestError
from usfm.imaging import fan_fit, views
from usfm.imaging.beam import BeamMap
from usfm.imaging.frame_kind import frame_kind, view_kind
from usfm.imaging.framing import Framing
from usfm.imaging.gray import to_gray
from usfm.imaging.kinds import REASONS
from usfm.imaging.region import Region, coverage
from usfm.jobs.outputs import check_report
from usfm.jobs.parts import Done, Part, Phase
from usfm.jobs.run import out_path, run_step
from usfm.store.part import PartFile, open_part
from usfm.store.reader import Store
from usfm.store.schema import view_id, whole_id
from usfm.store.writer import PartWriter

TRUSTED_FIT = 0.6
"""Quality of the fit from which a geometry is given to a region that came without one."""


def run(config: Config, request: Request) -> dict:
    """Cut every frame of the input stores to its acoustic region, letterboxed to one size.

    Args:
        config: what to do.
        request: inputs and output.

    Returns:
        The summary of cli.md with ``added`` (frames, by splitting views), ``regions``, ``low_confidence`` (frames),
        ``evidence`` and ``kinds`` (frames by each), ``geometries`` (frames with one), ``few_patches`` (frames without a
        valid patch) and ``valid_patches_median``.

    Raises:
        RequestError: for a size that is no multiple of the patch, and whatever is wrong with inputs and output.
    """
    config = with_preset(config)
    if config.size % config.patch:
        raise RequestError(f"--size {config.size} is no multiple of --patch {config.patch}; change one of them.")
    laying.check(config)
    drawn = corrections.read(config.corrections)
    if not request.dry_run:
        check_report(config.report)
    store = Store.open(list(request.inputs)).require(labels=True)
    laying.check_input(store)
    lost = corrections.without_source(drawn, store.column("frame_id"), store.source_column("path")) if drawn else []
    if lost:
        console.warn(f"{config.corrections}: no source of the store is '{lost[0][:80]}' ({len(lost)} such entries)")
    out = out_path(request, "sector")
    options = content_dict(config) | {"corrections": provenance.digest(drawn) if drawn else None}
    phases = [regions.phase(store, method=config.method), _phase(store, config, drawn)]
    summary = run_step(
        "sector", request, options, phases, inputs=[store], out=out,
        figures=lambda done: figures(
            done["sector"], config, set(store.column("frame_id").tolist()) if config.split_views else ()
        ),
    )  # fmt: skip
    _warn(summary)
    if config.report and not request.dry_run:
        from usfm.curate.sector import report

        page = report.write(Store.open([str(out)]), store, Path(config.report), summary, config)
        console.say(f"report: {page}")
        summary["report"] = str(page)
    return summary


@dataclass(frozen=True)
class Cut:
    """What a layout's frames are cut to.

    Attributes:
        key: of the region.
        region: in the pixels of the input frames.
        framing: crop and scale.
        mask: of the region after that.
        share: (L,) float32, how much of each patch lies in it.
        view: which view it is, None for a frame that stays whole.
        views: how many stand side by side; 0: not known.
        beam: what lays the sector straight, in place of the framing; None for pictures, and where it cannot be.
    """

    key: str
    region: Region
    framing: Framing
    mask: np.ndarray
    share: np.ndarray
    view: views.View | None
    views: int
    beam: BeamMap | None = None

    @property
    def trusted(self) -> bool:
        """Whether the region is more likely right than wrong."""
        return self.region.confidence >= regions.LOW_CONFIDENCE


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
    known_views, whole = store.column("views"), store.column("part") < 0
    once = dataclasses.replace(config, split_views=False)
    settled: dict[str, list[Cut]] = {}
    for row in map(int, rows):
        frame_id, key = str(frame_ids[row]), found.key(row)
        frame = store.frame(row)
        if found.is_empty(row, frame):
            regions.reject_flat(part, store, row, "sector")
            continue
        if key not in settled:
            asked = config if whole[row] else once  # a view is not split again
            settled[key] = _settle(found.region(row), key, str(source_paths[row]), asked, drawn, frame)
        kind = _kind(frame, kinds[row], settled[key])
        for one in settled[key]:
            shown = kind if one.view is None else view_kind(frame, kind, one.region.mask)
            refusal = _refusal(one, shown, config)
            if refusal is not None:
                name = frame_id if one.view is None else view_id(frame_id, one.view.number)
                part.reject(str(source_paths[row]), name, "sector", *refusal)
                continue
            part.copy(
                store, row, pixels=_cut(frame, one, config), region=one.region, region_key=one.key, view=one.view,
                framing=one.beam or one.framing, coverage=one.share, kind=shown,
                views=int(known_views[row]) or one.views,
            )  # fmt: skip
            yield from part.drain()
    yield from part.pieces()


def _kind(frame: np.ndarray, known: str, cuts: list[Cut]) -> str:
    """Return what a frame shows as a whole: what is known of it, else what is seen."""
    if known != "b-mode":
        return known
    trusted = cuts[0].trusted
    return frame_kind(frame, np.logical_or.reduce([one.region.mask for one in cuts]) if trusted else None)


def _refusal(cut: Cut, kind: str, config: Config) -> tuple[str, str] | None:
    """Return why a frame is rejected: its reason and one sentence; None where it is not."""
    if kind in config.drop_kind or (config.keep_kind and kind not in config.keep_kind):
        return "kind", f"The frame shows {kind}: {REASONS[kind]}."
    if cut.region.confidence < config.min_confidence:
        return "low confidence", f"Its region is right with a probability of {cut.region.confidence:.2f} only."
    if config.beam and cut.beam is None:
        return laying.refusal(cut.region)
    side, valid = min(cut.framing.crop_height_px, cut.framing.crop_width_px), int((cut.share >= config.tau).sum())
    if side < config.min_side:
        return "small region", f"The region's box is only {side} px wide or high."
    if valid < config.min_patches:
        return "few patches", f"Only {valid} patches lie in the region."
    return None


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


def _settle(region: Region, key: str, path: str, config: Config, drawn: dict, frame: np.ndarray) -> list[Cut]:
    """Return the cuts that a layout asks for, by its first frame: one, or one a view where split screens are split."""
    correction = corrections.entry_of(drawn, key, path)
    if correction is not None:
        region = corrections.region(correction[1], region.mask.shape)
    if not region.mask.any():
        region = dataclasses.replace(region, mask=np.ones_like(region.mask), geometry=None, confidence=0.0)
    parts = views.split(region, frame) if config.split_views else []
    masks, many = tuple(one.mask for one in parts), 1 if parts else views.count(region, frame)
    cuts = []
    for number, one in enumerate(parts or [region]):
        name = f"{key}/{number}" if parts else key
        if parts and name in drawn:
            one = corrections.region(drawn[name], region.mask.shape)
        found, one = one, _shaped(one, config)
        framing = Framing.for_region(one.mask, config.size, config.pad)
        beam = laying.beam_map(one, config.size, found) if config.beam else None
        moved = framing.apply_mask(one.mask) if beam is None else np.ones((config.size, config.size), bool)
        view = views.View(number, masks) if parts else None
        share = coverage(moved, config.patch).ravel()
        cuts.append(Cut(name, one, framing, moved, share, view, many, beam))
    return cuts


def _shaped(region: Region, config: Config) -> Region:
    """Return a region with the geometry that the settings and its confidence allow."""
    if not config.fit_fan or (region.geometry is not None and region.confidence < regions.LOW_CONFIDENCE):
        return dataclasses.replace(region, geometry=None)
    if region.geometry is None and region.shape != "dual":
        geometry, confidence = fan_fit.fit_fan(region.mask)
        if geometry is not None and confidence >= TRUSTED_FIT:
            return dataclasses.replace(region, geometry=geometry, shape=region.shape or geometry.shape)
    return region


def _cut(frame: np.ndarray, cut: Cut, config: Config) -> np.ndarray:
    """Return a frame's output pixels, gray or RGB, black outside the region (unless it is a guess or to be kept)."""
    if not config.color:
        frame = to_gray(frame)
    elif frame.ndim == 2:
        frame = np.repeat(frame[..., None], 3, axis=2)
    if cut.beam is not None:
        return laying.laid(frame, cut.beam, cut.region.mask if config.outside == "blank" else None)
    pixels = cut.framing.apply(frame)
    if config.outside == "blank" and cut.trusted:
        pixels = np.where(cut.mask if pixels.ndim == 2 else cut.mask[..., None], pixels, 0)
    return pixels


def figures(parts: Sequence[Path], config: Config, known: Container[str] = ()) -> dict:
    """Count what the finished parts hold.

    Args:
        parts: result files of the phase.
        config: settings of the run.
        known: names of the input's frames, where views are split.

    Returns:
        Figures for the summary.
    """
    evidence: Counter[str] = Counter()
    kinds: Counter[str] = Counter()
    layouts, low, fitted, few, valid, added = 0, 0, 0, 0, [], 0
    for path in parts:
        part = open_part(path)
        added += _added(part, known) if config.split_views else 0
        if not part.frames:
            continue
        row = part.column("frames", "region_row")
        layouts += len(part.column("regions", "key"))
        low += int((part.column("regions", "confidence")[row] < regions.LOW_CONFIDENCE).sum())
        fitted += int(np.isfinite(part.column("regions", "apex_x_px")[row]).sum())
        evidence.update(part.column("regions", "evidence")[row].tolist())
        kinds.update(part.column("frames", "kind").tolist())
        count = (part.column("patches", "coverage").astype(np.float32) >= config.tau).sum(1)
        few += int((count == 0).sum())
        valid.append(count)
    median = float(np.median(np.concatenate(valid))) if valid else 0.0
    return {"added": added, "regions": layouts, "low_confidence": low, "geometries": fitted, "few_patches": few,
            "evidence": dict(sorted(evidence.items())), "kinds": dict(sorted(kinds.items())),
            "valid_patches_median": median}  # fmt: skip


def _added(part: PartFile, known: Container[str]) -> int:
    """Return how many more frames a part holds or rejects than it read: views less the frames that they were cut from.

    It counts names, so that a frame that went missing is not made up for.
    """
    names = [*part.column("frames", "frame_id"), *part.column("rejected", "frame_id")]
    fresh = [name for name in names if name and name not in known]
    return len(fresh) - len({whole_id(name) for name in fresh})


def _warn(summary: dict) -> None:
    """Say what the user should look at."""
    if summary.get("low_confidence"):
        console.warn(
            f"{summary['low_confidence']:,} of {summary['frames_out']:,} frames have a guessed region (usually the"
            " whole frame); inspect them with --report and correct them with --corrections"
        )
    if summary.get("few_patches"):
        console.warn(f"{summary['few_patches']:,} frames have no valid patch; training will skip their region")
