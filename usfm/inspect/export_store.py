"""Hand a store's frames and labels to annotators and other programs: PNG, COCO, YOLO, NIfTI, video."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from usfm import console
from usfm.config import Request, content_dict
from usfm.errors import RequestError, WorkError
from usfm.inspect import export_sidecar as sidecar
from usfm.inspect.export_boxes import Coco, Yolo
from usfm.inspect.export_config import Config
from usfm.inspect.export_media import write_clip, write_png, write_volume
from usfm.jobs.outputs import Marker, up_to_date, whole_directory
from usfm.provenance import digest
from usfm.store.reader import Store, expanded

MARKER = Marker(sidecar.FILE, sidecar.SAYS)


def run(config: Config, request: Request) -> dict:
    """Write the frames of a store as files in a folder, with their labels and ``usfm-export.json`` beside them.

    png: a picture a frame, masks as PNG. coco: the same with ``annotations.json``, which holds boxes and masks. yolo:
    pictures and text files by split, ``data.yaml``, masks as PNG. video: an FFV1 clip a source and a size. nifti: a
    volume a source and a size, gray frames only.

    Args:
        config: how to export.
        request: common options; `inputs` names the store, `out` the folder.

    Returns:
        The summary, with ``files`` and ``lost`` (what the export does not hold, a clause each).

    Raises:
        RequestError: No such store, no --out, or the output is in the way.
        WorkError: The files cannot be written.
    """
    started = time.monotonic()
    paths = [path for one in request.inputs for path in expanded(one)]
    if not paths or request.out is None:
        raise RequestError(f"usfm export --to {config.to}: name a store, and a folder with --out DIR.")
    store = Store.open(paths).require()
    out = Path(request.out)
    key = digest(["export", content_dict(config), store.content_id])
    skipped = _unfit(store, config.to)
    lost = [*sidecar.lost(store), *([f"{len(skipped):,} frames in colour"] if len(skipped) else [])]
    kept = len(store) - len(skipped)
    summary = {"command": "export", "out": str(out), "to": config.to, "frames_in": len(store), "frames_out": kept,
               "dropped": 0, "rejected": len(skipped), "sources": store.num_sources, "lost": lost}  # fmt: skip
    if request.dry_run:
        console.say(f"would write {kept:,} frames to {out}")
        return summary | {"out": None, "dry_run": True, "seconds": 0.0, "frames_per_s": None}
    if not kept:
        raise WorkError(f"{paths[0]}: has no gray frame, and --to nifti holds gray only; use --to video.")
    if not up_to_date(out, key, request.overwrite, MARKER):
        try:
            with whole_directory(out, MARKER, overwrite=request.overwrite) as folder:
                head = sidecar.head(store, config.to)
                files, more = _WRITERS[config.to](store, folder, skipped)
                told = head | {"key": key, "lost": lost, "frames": files, **more}
                (folder / sidecar.FILE).write_text(json.dumps(told, allow_nan=False), encoding="utf-8")
        except OSError as error:
            raise WorkError(f"{out}: cannot be written ({error.strerror or error})") from None
    if lost:
        console.warn(f"{out}: the export does not hold {', '.join(lost)}.")
    seconds = time.monotonic() - started
    return summary | {"seconds": round(seconds, 3), "frames_per_s": round(kept / max(seconds, 1e-9), 1)}


def _unfit(store: Store, to: str) -> np.ndarray:
    """Rows of frames that a format cannot hold."""
    if to != "nifti":
        return np.zeros(0, np.int64)
    return np.flatnonzero([str(group).count("x") > 1 for group in store.column("pixels_group")])


def _pictures(store: Store, folder: Path, skipped: np.ndarray, annotations=None) -> tuple[list[dict], dict]:
    """Write a picture a frame; masks as PNG unless the annotations hold them."""
    rows, files, split = sidecar.Rows(store, boxes=annotations is None), [], store.split()
    paths = store.of_frames("path")
    whole = isinstance(annotations, Coco)
    for i in _told(range(len(store))):
        stem = sidecar.stem_of(str(paths[i]), i)
        file = annotations.place(split[i], stem) if isinstance(annotations, Yolo) else f"images/{stem}.png"
        write_png(folder / file, store.frame(i))
        row = rows.row(i, file, 0)
        if annotations is not None:
            annotations.add(i, file, split[i])
        mask = store.label_mask(i) if row["masked"] and not whole else None
        if mask is not None:
            row["mask"] = f"masks/{stem}.png"
            write_png(folder / row["mask"], mask)
        files.append(row)
    written = [] if annotations is None else annotations.write()
    return files, {"annotations": written[0]} if written else {}


def _clips(store: Store, folder: Path, skipped: np.ndarray, write: Callable, ending: str) -> tuple[list[dict], dict]:
    """Write a file for the frames of one source that have one size."""
    rows, files = sidecar.Rows(store, boxes=True), {}
    paths = store.of_frames("path")
    groups, left_out = store.column("pixels_group"), set(skipped.tolist())
    clips = [[i for i in clip.tolist() if groups[i] == group and i not in left_out]
             for clip in store.clips() for group in sorted(set(groups[clip]))]  # fmt: skip
    for clip in _told([clip for clip in clips if clip]):
        stem = sidecar.stem_of(str(paths[clip[0]]), min(clip))
        file, mask = f"clips/{stem}{ending}", f"masks/{stem}{ending}"
        shape = tuple(int(side) for side in str(groups[clip[0]]).split("x"))
        write(folder / file, (store.frame(i) for i in clip), shape, clip)
        found = [rows.row(i, file, page) for page, i in enumerate(clip)]
        if any(row["masked"] for row in found):
            write(folder / mask, _masks(store, clip, shape[:2]), shape[:2], clip)
            for row in found:
                row |= {"mask": mask} if row["masked"] else {}
        files |= dict(zip(clip, found, strict=True))
    return [files[i] for i in sorted(files)], {}


def _masks(store: Store, clip: list[int], shape: tuple[int, ...]) -> Iterator[np.ndarray]:
    for i in clip:
        mask = store.label_mask(i)
        yield np.zeros(shape, np.uint8) if mask is None else mask


def _video(store: Store, folder: Path, skipped: np.ndarray) -> tuple[list[dict], dict]:
    times, fps = store.column("time_s"), store.of_frames("fps")

    def write(path: Path, frames: Iterator, shape: tuple, clip: list[int]) -> None:
        steps = np.diff(times[clip])
        known = steps[np.isfinite(steps) & (steps > 0)]
        rate = 1 / float(np.median(known)) if len(known) else float(fps[clip[0]])
        write_clip(path, frames, shape, rate)

    return _clips(store, folder, skipped, write, ".mkv")


def _nifti(store: Store, folder: Path, skipped: np.ndarray) -> tuple[list[dict], dict]:
    rows_mm, cols_mm = store.column("row_spacing_mm"), store.column("col_spacing_mm")

    def write(path: Path, frames: Iterator, shape: tuple, clip: list[int]) -> None:
        write_volume(path, frames, shape, len(clip), (rows_mm[clip[0]], cols_mm[clip[0]]))

    return _clips(store, folder, skipped, write, ".nii.gz")


def _told(things):
    """Give things and say how far it is."""
    with console.progress("export", len(things), "files") as bar:
        for thing in things:
            yield thing
            bar.advance()


_WRITERS: dict[str, Callable] = {
    "png": _pictures,
    "coco": lambda store, folder, skipped: _pictures(store, folder, skipped, Coco(folder, store)),
    "yolo": lambda store, folder, skipped: _pictures(store, folder, skipped, Yolo(folder, store)),
    "video": _video,
    "nifti": _nifti,
}
