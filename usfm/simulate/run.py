"""Make ultrasound clips by physics, with the truth beside them."""

import json
import shutil
import time
from concurrent.futures import FIRST_COMPLETED, wait
from pathlib import Path

import cv2

from usfm import console, provenance
from usfm.config import Request, content_dict
from usfm.errors import Interrupted, RequestError, UsfmError, WorkError
from usfm.jobs.execute import TRIES
from usfm.jobs.failure import reason_of
from usfm.jobs.folder import KEY, WORK, PartsFolder
from usfm.jobs.outputs import check_writable, say_up_to_date
from usfm.jobs.pool import WorkerPool
from usfm.simulate import handover, plan
from usfm.simulate.config import Config
from usfm.simulate.render import render
from usfm.simulate.truth import write_truth
from usfm.store.whole import place, sync_all, write_json


def run(config: Config, request: Request) -> dict:
    """Render a collection into `request.out` and its truth into `<out>.truth/`.

    Everything is rendered into `<out>.parts/` and renamed at the end; the same command goes on where it was stopped.

    Args:
        config: what to make.
        request: out, seed, workers and the other common options.

    Returns:
        The summary: command, out, truth, clips, stills, frames_out, seconds, frames_per_s and so on.

    Raises:
        RequestError: no `--out`, or it exists and is not this collection.
        WorkError: a file cannot be written.
    """
    if not request.out:
        raise RequestError("simulate needs --out, the folder to make.")
    out = place(request.out)
    truth = out.with_name(out.name + ".truth")
    items = plan.collection(config, request.seed)
    if not items:
        raise RequestError("nothing to simulate: --clips and --stills are both 0.")
    options = _options(config, request)
    key = provenance.digest({"options": options, "usfm": provenance.software()["usfm"]})
    summary = {"command": "simulate", "out": str(request.out), "truth": str(truth), "clips": config.clips,
               "stills": config.stills}  # fmt: skip
    if request.dry_run:
        check_writable(out)
        handover.is_there(out, truth, key, request.overwrite)
        _say_plan(config, items, out, truth)
        return {**summary, "sources": len(items), "dry_run": True}
    about = {"command": "simulate", "usfm": provenance.software()["usfm"], **options}
    parts = PartsFolder(out)
    work = parts.path / WORK
    ending = _begun(parts.path) == about and handover.is_prepared(work, out, truth)
    if not ending and handover.is_there(out, truth, key, request.overwrite):
        _clear_leftovers(out, about)
        say_up_to_date(out)
        return {**summary, **_figures(json.loads((truth / "truth.json").read_text())["items"], 0.0)}
    started = time.monotonic()
    try:
        parts.enter(about, request.overwrite)
        if not ending:
            _render_all(config, request, items, work, key)
            handover.is_there(out, truth, key, request.overwrite)
            handover.prepare(work, out, truth)
        entries = _handed_over(parts, work, out, truth)
    except (NotADirectoryError, FileExistsError, PermissionError):
        raise  # a wrong request: the front door says so
    except OSError as error:
        raise WorkError(
            f"cannot write {out}: {error.strerror or error}; free space or choose another --out."
        ) from error
    finally:
        parts.leave()
    return {**summary, **_figures(entries, time.monotonic() - started)}


def _say_plan(config: Config, items: list[plan.Item], out: Path, truth: Path) -> None:
    whose = f"{len(items)} files of {config.patients} patients"
    console.say(f"would render {whose} into {out} and the truth into {truth}")


def _handed_over(parts: PartsFolder, work: Path, out: Path, truth: Path) -> list[dict]:
    """Put a whole collection in its place and take the parts away; returns its entries."""
    handover.finish(work, out, truth)
    entries = json.loads((truth / "truth.json").read_text())["items"]
    shutil.rmtree(work)  # before the key, by which a later run knows whose leftovers these are
    parts.remove()
    return entries


def _clear_leftovers(out: Path, about: dict) -> None:
    """Take away the folder of a run that was ended after its last rename and before it could tidy up."""
    parts = PartsFolder(out)
    if not parts.path.is_dir():
        return
    try:
        parts.enter(about, overwrite=False)
    except (RequestError, OSError):
        return
    shutil.rmtree(parts.path / WORK, ignore_errors=True)
    parts.remove()


def _figures(entries: list[dict], seconds: float) -> dict:
    count = sum(entry["frames"] for entry in entries)
    return {
        "frames_in": count,
        "frames_out": count,
        "dropped": 0,
        "rejected": 0,
        "sources": len(entries),
        "seconds": round(seconds, 3),
        "frames_per_s": round(count / seconds, 1) if seconds else None,
    }


def _begun(parts: Path) -> dict | None:
    """What the run was made of that left its parts here, None where there is none."""
    try:
        return json.loads((parts / KEY).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None


def _render_all(config: Config, request: Request, items: list[plan.Item], parts: Path, key: str) -> None:
    """Render what is not yet in the parts folder, and write the truth beside it."""
    if (parts / handover.NOTE).exists():  # its files went elsewhere
        shutil.rmtree(parts)
    for folder in ("media", "truth", "done"):
        (parts / folder).mkdir(parents=True, exist_ok=True)
    todo = [at for at in range(len(items)) if not (parts / "done" / f"{at:06d}.json").exists()]
    with console.progress("simulate", len(items), unit="files") as bar:
        bar.skip(len(items) - len(todo))
        _work(config, request, items, todo, parts, bar)
    entries = [json.loads((parts / "done" / f"{at:06d}.json").read_text()) for at in range(len(items))]
    write_truth(parts / "truth", entries, _options(config, request), key)
    sync_all(parts)


def _options(config: Config, request: Request) -> dict:
    return {**content_dict(config), "seed": request.seed}


def _work(config: Config, request: Request, items: list[plan.Item], todo: list[int], parts: Path, bar) -> None:
    """Render items, in this process or in several."""
    workers = min(request.workers, len(todo))
    jobs = [(config, request.seed, items[at], parts, at) for at in todo]
    if workers <= 1:
        threads = cv2.getNumThreads()
        try:
            for job in jobs:
                _one(*job)
                bar.advance()
        except KeyboardInterrupt:
            raise Interrupted("interrupted; the same command goes on from here.") from None
        finally:
            cv2.setNumThreads(threads)
        return
    try:
        _in_several(jobs, workers, bar)
    except KeyboardInterrupt:
        raise Interrupted("interrupted; the same command goes on from here.") from None


def _in_several(jobs: list[tuple], workers: int, bar) -> None:
    """Render items in worker processes; one whose worker dies is tried again.

    Raises:
        WorkError: an item failed three times, or no worker can be started.
    """
    pool = WorkerPool(workers)
    try:
        running = {pool.submit(_one, *job): (job, 1) for job in jobs}
        while running:
            for future in wait(running, 0.5, FIRST_COMPLETED).done:
                job, tries = running.pop(future)
                error = future.exception()
                if error is None:
                    bar.advance()
                elif isinstance(error, UsfmError):
                    raise error
                elif tries < TRIES:
                    running[pool.submit(_one, *job)] = (job, tries + 1)
                else:
                    raise WorkError(
                        f"simulate: file {job[-1] + 1} cannot be made ({reason_of(error)}, {TRIES} times); give fewer "
                        "--workers, and type the same command to go on from here."
                    ) from error
    except BaseException:
        pool.shutdown(wait=False)
        raise
    pool.shutdown()


def _one(config: Config, seed: int, item: plan.Item, parts: Path, at: int) -> None:
    """Render one item in a worker and note that it is done."""
    cv2.setNumThreads(1)
    entry = render(config, seed, item, parts / "media", parts / "truth")
    write_json(parts / "done" / f"{at:06d}.json", entry, indent=None)
