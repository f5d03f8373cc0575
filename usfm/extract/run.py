"""Turn videos and images into a store."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

from usfm import console
from usfm.config import Request, content_dict, did_you_mean
from usfm.errors import RequestError
from usfm.extract import plan
from usfm.extract.config import Config
from usfm.extract.identity import Pseudonyms, load_key
from usfm.extract.isolate import PIECES, SOURCES, poison_scan, poison_take
from usfm.extract.labels import Facts, class_names, gather, read_manifest
from usfm.extract.sampling import Sampling, parse
from usfm.extract.scan import Scan, batches, loads, scan
from usfm.extract.sources import Found, find
from usfm.extract.take import take
from usfm.jobs.run import Part, Phase, run_step
from usfm.provenance import file_sha256
from usfm.store.reader import Store

PRESETS = {"usf-mae": {"fps": "3"}}  # its public code takes videos at 3 frames/s and says no more about extraction


def run(config: Config, request: Request) -> dict:
    """Extract: find the sources, look at each, take the frames that are due, write a store.

    Returns:
        The summary that ``--json`` prints: the common figures, and ``skipped`` (files passed over), ``kinds``
        (sources by kind), ``reasons`` (sources rejected in whole or part, by reason), ``identical`` (sources whose
        bytes another one has) and ``label_conflicts`` (identical sources under different labels).

    Raises:
        RequestError: For inputs that are missing or empty, and options that do not fit.
        WorkError: If no frame is left because every source was rejected.
    """
    config = _with_preset(config)
    sampling = parse(config.fps, config.every, config.max_frames)
    if request.out is None:
        raise RequestError("extract: say where the store goes with --out FILE.h5.")
    found = find(request.inputs)
    manifest = read_manifest(config.manifest) if config.manifest else None
    facts = gather(
        found.sources,
        manifest=manifest,
        group=config.group,
        folders=config.labels == "folder",
        dataset=config.dataset,
    )
    hide_paths = config.anonymous_paths if config.anonymous_paths is not None else config.group is not None
    keyed = hide_paths or any(one.patient or one.exam for one in facts.values())
    names = Pseudonyms(load_key(config.salt, create=not request.dry_run)) if keyed else None
    if request.dry_run:
        return _dry_run(found, facts, sampling, Path(request.out))

    kinds = Counter(source.kind or "rejected" for source in found.sources)

    def scans_of(done: dict[str, list[Path]]) -> list[Scan]:
        return [one for path in done["scan"] for one in loads(path.read_bytes())]

    def plan_scan(done: dict[str, list[Path]]) -> list[Part]:
        cut = batches(found.sources, plan.PART_BYTES)
        return [
            Part(f"scan-{number:06d}", batch, source=_shown(batch.sources), weight=len(batch.sources))
            for number, batch in enumerate(cut)
        ]

    def plan_take(done: dict[str, list[Path]]) -> list[Part]:
        scans = scans_of(done)
        cut = plan.pieces(found.sources, scans, facts, sampling, names, hide_paths=hide_paths)
        classes = tuple(class_names([piece.facts for piece in cut if not piece.scan.fault]))
        return [
            Part(
                f"take-{number:06d}",
                plan.Order(group, sampling, config.color, classes),
                source=_shown([piece.source for piece in group]),
                weight=sum(piece.due for piece in group),
            )
            for number, group in enumerate(plan.parts(cut))
        ]

    def figures(done: dict[str, list[Path]]) -> dict:
        scans = scans_of(done)
        return {"skipped": found.skipped, "kinds": dict(kinds), **_identical(found, scans, facts)}

    options = content_dict(config) | {
        "color": True if config.color else None,  # under the names of the flags: history prints them as a command
        "gray": True if config.color is False else None,
        "anonymous_paths": True if hide_paths else None,
        "plain_paths": True if config.group is not None and not hide_paths else None,
        "manifest": f"sha256:{file_sha256(config.manifest)}" if config.manifest else None,
        "salt": f"key:{names.key_id}" if names else None,
    }
    summary = run_step(
        "extract",
        request,
        options,
        [
            Phase("scan", plan_scan, scan, poison=poison_scan, unit="sources", items=SOURCES),
            Phase("take", plan_take, take, poison=poison_take, items=PIECES),
        ],
        raw_inputs=[
            {"path": source.relative, "size": source.size, "mtime": source.mtime_ns} for source in found.sources
        ],
        out=Path(request.out),
        figures=figures,
    )
    return summary | {"reasons": _tell_rejected(summary)}


def _with_preset(config: Config) -> Config:
    if config.preset is None:
        return config
    if config.preset == "polarmae":
        raise RequestError("extract: --preset polarmae has nothing for extract; use it on dedup and sector.")
    if config.preset not in PRESETS:
        near = did_you_mean(config.preset, PRESETS)
        raise RequestError(f"extract: there is no preset '{config.preset}', only {', '.join(PRESETS)}{near}")
    settings = PRESETS[config.preset]
    for name, value in settings.items():
        if getattr(config, name) not in (value, getattr(Config(), name)):
            console.warn(f"--{name} {getattr(config, name)} is not what --preset {config.preset} has ({value}).")
            settings = {key: kept for key, kept in settings.items() if key != name}
    return replace(config, **settings)


def _shown(sources) -> str:
    more = f" and {len(sources) - 1} more" if len(sources) > 1 else ""
    return sources[0].relative + more


def _tell_rejected(summary: dict) -> dict[str, int]:
    if not summary["sources_rejected"]:
        return {}
    table = Store.open(summary["out"]).rejected()
    rows = zip(table["source"], table["frame_id"], table["reason"], table["detail"], strict=True)
    broken = [(source, reason, detail) for source, frame, reason, detail in rows if not frame]
    reasons = dict(Counter(reason for _, reason, _ in broken).most_common())
    listed = ", ".join(f"{reason} ({count})" for reason, count in reasons.items())
    console.warn(f"{len(broken)} sources were rejected, in whole or from some time on: {listed}; -v names them.")
    for source, reason, detail in broken:
        console.detail(f"{source}: {reason}; {detail}")
    return reasons


def _identical(found: Found, scans: list[Scan], facts: dict[str, Facts]) -> dict:
    labels: dict[str, list[str]] = {}
    for source, one in zip(found.sources, scans, strict=True):
        if one.sha256:
            labels.setdefault(one.sha256, []).append(facts[source.relative].label)
    repeats = [each for each in labels.values() if len(each) > 1]
    conflicts = sum(len(set(each) - {""}) > 1 for each in repeats)
    if conflicts:
        console.warn(f"{conflicts} sets of byte-identical sources carry different labels; mend the labels.")
    return {"identical": sum(len(each) - 1 for each in repeats), "label_conflicts": conflicts}


def _dry_run(found: Found, facts: dict[str, Facts], sampling: Sampling, out: Path) -> dict:
    kinds = Counter(source.kind or "rejected" for source in found.sources)
    size = sum(source.size for source in found.sources)
    console.say(
        f"would read {len(found.sources):,} sources ({', '.join(f'{n:,} {kind}' for kind, n in sorted(kinds.items()))};"
        f" {size / 1e6:,.1f} MB), pass over {found.skipped:,} other files, and write {out}."
    )
    rate = "every frame" if sampling.fps is None else f"{float(sampling.fps):g} frames/s"
    rate = rate if sampling.every == 1 else f"every {sampling.every}th frame"
    console.say(f"would take {rate} of videos and each still once; touches nothing.")
    classes = Counter(one.label or "(none)" for one in facts.values())
    if set(classes) != {"(none)"}:
        console.table("sources by class", ["class", "sources"], sorted(classes.items()))
    return {
        "command": "extract",
        "dry_run": True,
        "out": str(out),
        "frames_in": None,
        "frames_out": None,
        "dropped": None,
        "rejected": None,
        "sources": len(found.sources),
        "seconds": None,
        "frames_per_s": None,
        "bytes_in": size,
        "skipped": found.skipped,
        "kinds": dict(kinds),
    }
