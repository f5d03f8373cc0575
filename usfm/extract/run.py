"""Turn videos, DICOM files, volumes and images into a store."""

import os
from dataclasses import replace
from functools import partial
from pathlib import Path

from usfm import console
from usfm.config import Request, content_dict, did_you_mean
from usfm.errors import RequestError
from usfm.extract import boxes, exported, imported, mask_files, restored, told
from usfm.extract.config import Config
from usfm.extract.drawn import LEFT_OUT
from usfm.extract.folders import compiled
from usfm.extract.identity import Paths, Pseudonyms, load_key
from usfm.extract.labels import Facts, gather
from usfm.extract.layouts import prepare
from usfm.extract.manifest import read_manifest
from usfm.extract.phases import Extraction
from usfm.extract.readers import READERS
from usfm.extract.sampling import parse
from usfm.extract.sources import Found, find
from usfm.jobs.run import run_step
from usfm.provenance import file_sha256
from usfm.store import path_map
from usfm.store.reader import Store

PRESETS = {"usf-mae": {"fps": "3"}}  # its public code takes videos at 3 frames/s and says no more about extraction
PATTERNS = ("group", "label_regex", "include", "exclude", "mask_pattern")
"""Settings that may hold names."""


def run(config: Config, request: Request) -> dict:
    """Extract: find the sources, look at each, take the frames that are due, write a store.

    Args:
        config: Options of the command.
        request: Common options; ``inputs`` names the sources.

    Returns:
        The summary that ``--json`` prints: the common figures, and ``skipped`` (files passed over), ``kinds``
        (sources by kind), ``reasons`` (sources rejected in whole or part, by reason), ``identical`` (sources whose
        bytes another one has) and ``label_conflicts`` (identical sources under different labels); ``files``,
        ``files_read`` and ``files_rejected``, ``patients`` and ``classes``.

    Raises:
        RequestError: For inputs that are missing or empty, and options that do not fit.
        WorkError: If no frame is left because every source was rejected.
    """
    config = _with_preset(config)
    here = prepare.placed(config, request)
    if here:
        config = prepare.settled(config, here)
    export = None if here else restored.find(request.inputs)
    if export:
        exported.check(config, export.folder)
    sampling = parse("all" if export else config.fps, config.every, config.max_frames)
    if request.out is None:
        raise RequestError("extract: say where the store goes with --out FILE.h5.")
    _check_map(config, request.out)
    found, facts, paths, names, extra = (
        prepare.prepared(config, request, here) if here else _prepared(config, request, export)
    )
    one = Extraction(config, request, sampling, found, facts, paths, names, extra, here, export)
    told.passed(replace(found, masks=0) if here else found)
    shown = told.dry_run(found, facts, sampling, Path(request.out)) if request.dry_run else {}
    summary = run_step("extract", request, _options(config, paths, names, extra), one.phases(),
                       raw_inputs=one.raw_inputs(), out=Path(request.out), figures=one.figures)  # fmt: skip
    if request.dry_run:
        return {**summary, **shown}
    if config.path_map and summary.get("up_to_date"):
        path_map.write(config.path_map, told.mapped(found, paths))
    summary |= told.outcome(summary, found, paths, export)
    left = imported.left_out(extra, summary.get(LEFT_OUT, {}), Store.open(summary["out"]))
    return summary | {LEFT_OUT: left}


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


def _prepared(
    config: Config, request: Request, export: restored.Export | None
) -> tuple[Found, dict[str, Facts], Paths, Pseudonyms | None, imported.Imported]:
    """Find the sources and what is known about them, and settle whether their paths are hidden."""
    plain = config.anonymous_paths is False
    private = config.group is not None or config.anonymous_paths is True
    _check(config)
    how = mask_files.how_of(config.masks, config.mask_suffix, config.mask_pattern)
    found = find(
        request.inputs,
        private=not plain and (private or config.manifest is not None),
        keep_masks=how.mode == "keep",
        claims=how.claims if how.mode == "given" else partial(_masks_of, export) if export else None,
        include=config.include,
        exclude=config.exclude,
    )
    identified = any(source.kind and READERS[source.kind].identifies for source in found.sources)
    manifest = None
    if config.manifest:
        hides = private or identified
        manifest = read_manifest(config.manifest, keep=config.keep_column, private=hides, plain=plain)
    rows = mask_files.of_manifest(manifest, request.inputs)
    found = mask_files.without(found, rows.values()) if rows else found
    people = config.group is not None or identified or (manifest is not None and manifest.people)
    hide = not plain and (private or people)
    names = Pseudonyms(load_key(config.salt, create=not request.dry_run)) if hide or people else None
    paths = Paths(names if hide else None)
    facts = gather(found.sources, manifest=manifest, group=config.group, labels=config.labels,
                   label_regex=config.label_regex, dataset=config.dataset, paths=paths)  # fmt: skip
    if hide and config.anonymous_paths is None and not request.dry_run:
        console.say("extract: patients or exams are known, so paths are hashed; --plain-paths keeps them.")
    bits, fill = config.mask_kind == "bits", config.fill_outlines
    annotations = config.annotations or (exported.annotations(export) if export else None)
    how = replace(how, mode="keep") if export and how.mode == "auto" else how
    given = mask_files.given(rows, {name: one.mask for name, one in facts.items()})
    extra = imported.collect(found, how, annotations, fill=fill, bits=bits, export=export, given=given)
    extra = boxes.added(extra, facts)
    facts = {name: replace(one, split=one.split or extra.split(name)) for name, one in facts.items()}
    return found, facts, paths, names, extra


def _check(config: Config) -> None:
    """Refuse settings that do not fit one another, before anything is looked for."""
    if config.keep_column and not config.manifest:
        raise RequestError("extract: --keep-column needs a --manifest that has the column.")
    if config.labels and config.label_regex:
        raise RequestError("extract: --labels and --label-regex both say the class; give one of them.")
    _check_tags(config.keep_tag)
    if config.group:
        compiled("--group", config.group, needs=("patient", "exam"))


def _masks_of(export: restored.Export, path: str, below: str) -> bool:
    return exported.is_mask(export, path)


def _check_tags(names: tuple[str, ...]) -> None:
    if names:
        from pydicom.datadict import DicomDictionary

        known = {row[4] for row in DicomDictionary.values()}
        for name in names:
            if name not in known:
                near = did_you_mean(name, known)
                raise RequestError(f"extract: --keep-tag {name}: DICOM has no tag of this keyword{near or '.'}")


def _options(config: Config, paths: Paths, names: Pseudonyms | None, extra: imported.Imported) -> dict:
    """The settings that make the result, as the history keeps them: patterns may hold names, so they are hidden."""
    options = content_dict(config)
    if options["layout"] is None:  # so that stores of before are up to date
        del options["layout"]
    if names is not None:
        options |= {name: names.secret(_joined(options[name])) for name in PATTERNS if options.get(name)}
    return options | {
        "color": True if config.color else None,  # under the names of the flags: history prints them as a command
        "gray": True if config.color is False else None,
        "anonymous_paths": True if paths.hidden else None,
        "plain_paths": True if names is not None and not paths.hidden else None,
        "masks": config.masks if config.masks in ("auto", "keep") else extra.masks_digest,
        "annotations": extra.annotations_digest,
        "manifest": f"sha256:{file_sha256(config.manifest)}" if config.manifest else None,
        "salt": f"key:{names.key_id}" if names else None,
    }


def _joined(pattern: str | list[str]) -> str:
    return pattern if isinstance(pattern, str) else "\n".join(pattern)


def _check_map(config: Config, out: str) -> None:
    if config.path_map is None:
        return
    path_map.check(config.path_map)
    if os.path.abspath(config.path_map) == os.path.abspath(out):
        raise RequestError(f"{out}: is --out and --path-map at once; the map lies outside the store.")
