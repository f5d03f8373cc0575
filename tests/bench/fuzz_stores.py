"""The stores that `fuzz.py` damages, how commands run in one process, and what is in a file whatever reads it."""

import contextlib
import io
import json
import traceback
from collections.abc import Iterator
from concurrent.futures import Executor, Future
from pathlib import Path

import h5py
import numpy as np

ASIDE = ("seconds", "software", "raw", "inputs", "content_id")


class InProcess(Executor):
    """Runs parts at once, in this process; an error that is no sentence is shown with its traceback."""

    workers = 1
    limit_s = hang_s = float("inf")

    def __init__(self, workers: int = 1):
        pass

    def submit(self, fn, /, *args, **kwargs) -> Future:
        """Run it, and give its outcome."""
        from usfm.errors import UsfmError

        future: Future = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except UsfmError as error:
            future.set_exception(error)
        except BaseException as error:
            traceback.print_exc()
            future.set_exception(error if isinstance(error, Exception) else RuntimeError(str(error)))
        return future


@contextlib.contextmanager
def in_process() -> Iterator[None]:
    """Let commands run their parts in this process."""
    from usfm.jobs import pool

    real, pool.WorkerPool = pool.WorkerPool, InProcess
    try:
        yield
    finally:
        pool.WorkerPool = real


def make_stores(folder: Path) -> dict[str, Path]:
    """The two stores that are damaged: small, and with something in every table."""
    from usfm.cli.main import main
    from usfm.imaging.region import Region
    from usfm.store.assemble import assemble
    from usfm.store.schema import frame_id
    from usfm.store.writer import PartWriter

    parts = []
    for number in range(2):
        part = PartWriter(class_names=("healthy", "ill", "unused"), box_names=("lesion", "line"),
                          mask_names=("wall", "lesion"), score_runs={"ill": "run-1"})  # fmt: skip
        rng = np.random.default_rng(number)
        for k in range(2):
            sha = f"{number}{k}" * 32
            shape = (48, 56, 3) if k and number else (48, 56)
            source = part.source(path=f"{number}/clip{k}.mp4", sha256=sha, kind="video", fps=25.0, frames=9,
                                 dataset="d", patient=f"p{number}", exam="", metadata={"model": "x"},
                                 hospital="north", dicom_regions=[{"x0": 3}])  # fmt: skip
            mask = np.zeros((48, 56), bool)
            mask[4:44, 6 + k : 50] = True
            region = part.region(Region(mask, "", None, 0.9, "manual", {"layout": k}), f"{sha[:16]}#0")
            overlay = part.overlay(np.eye(48, 56, dtype=bool), f"{sha[:16]}#0", {"texts": 1}) if k else -1
            base = rng.normal(110, 30, shape)
            for index in range(3):
                pixels = np.clip(base + rng.normal(0, 40, shape), 0, 255).astype(np.uint8)
                part.frame(
                    pixels, frame_id=frame_id(sha, index), source=source, index=index, time_s=index / 25,
                    region_row=region, overlay_row=overlay, label=(number + index) % 2, split=("train", "test")[k],
                    row_spacing_mm=0.2, col_spacing_mm=0.2, mask=mask.astype(np.uint8) if index else None,
                    boxes=([[5, 6, 20, 21.5]], [k], [index]) if index != 1 else None, multi=[1, 0, 255],
                    part=k, views=2, values={"ef": index + 0.5} if k else None, scores={"ill": index / 3},
                )  # fmt: skip
        part.drop(f"{sha[:16]}:7", f"{sha[:16]}:0", 0.98, "dedup/visual")
        part.reject("bad.mp4", "", "extract", "truncated", "at 2 s")
        path = folder / f"{number}.part"
        path.write_bytes(part.to_bytes())
        parts.append((f"part {number}", path))
    counts = {"frames_in": 13, "frames_out": 12, "dropped": 1, "rejected": 0, "sources_rejected": 1, "sources": 4}
    step = {"command": "dedup", "options": {"keep": "first"}, "seed": 0, "inputs": ["0" * 64], "raw": "",
            "counts": counts, "figures": {"leaks": 0}, "seconds": 1.0, "software": {"usfm": "0"}}  # fmt: skip
    raw, sector = folder / "raw.h5", folder / "sector.h5"
    assemble(raw, parts, step=step)
    with in_process(), contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        with contextlib.suppress(SystemExit):
            main(["sector", "--in", str(raw), "--size", "32", "--patch", "8", "--out", str(sector)])
    return {"raw": raw, "sector": sector}


def contents(path: Path) -> dict:
    """Every dataset of an HDF5 file as any reader sees it, names of classes, and the history but for its seconds."""
    found: dict = {}

    def look(name: str, thing) -> None:
        if isinstance(thing, h5py.Dataset):
            values = thing[()]
            plain = values.tolist() if values.dtype == object else values.tobytes()
            found[name] = (thing.dtype.str, thing.shape, plain)
            found[f"{name}@"] = {key: plain_attribute(value) for key, value in thing.attrs.items()}

    with h5py.File(path, locking=False) as file:
        file.visititems(look)
        found["@"] = str(file.attrs.get("content_id"))
        steps = [json.loads(step) for step in file.attrs.get("history", [])]
    found["@history"] = [{k: v for k, v in step.items() if k not in ASIDE} for step in steps]
    return found


def plain_attribute(value: object) -> object:
    """An attribute's value as one that compares."""
    return value.tolist() if isinstance(value, (np.ndarray, np.generic)) else value


def read_all(path: str) -> list:
    """All that a training, an evaluation or a report could ask of a store."""
    from usfm.store.reader import Store

    store = Store.open(path)
    rows = range(len(store))
    found: list = [store.column(name).tolist() for name in ("frame_id", "index", "time_s", "kind", "scale")]
    found += [[store.source_row(row) for row in range(store.num_sources)], store.clips(), store.history]
    found += [store.region(row) for row in range(store.num_regions)]
    found += [(store.overlay(row), store.overlay_detail(row)) for row in range(store.num_overlays)]
    found += [store.labels_class(), store.labels_multi(), store.split(), store.class_names, store.box_names]
    found += [[store.label_mask(row) for row in rows], [store.boxes(row) for row in rows]]
    found += [[store.instances(row) for row in rows], [store.structures(row) for row in rows], store.score_runs]
    found += [[store.values(name) for name in store.value_names], [store.scores(name) for name in store.score_names]]
    found += [store.masks(rows) if store.fixed_shape else None, store.column("part"), store.column("views")]
    found += [store.mask_names, store.multi_names]
    found += [store.patch_coverage(), store.patch, store.dropped(), store.rejected(), store.content_id]
    found.append(store.pixels(rows) if store.fixed_shape else store.frames(rows))
    return [*found, store.frames(rows)]


def plain(value: object) -> object:
    """A value whose `repr` holds all of it."""
    if isinstance(value, np.ndarray):
        return (value.dtype.str, value.shape, value.tolist() if value.dtype == object else value.tobytes())
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    if isinstance(value, dict):
        return {key: plain(one) for key, one in value.items()}
    return [repr(value), plain(value.mask)] if hasattr(value, "mask") else value
