"""Run a step: skip what is finished, do the rest on workers, assemble, say what came of it."""

import json
import re
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from usfm import console, provenance, quantities
from usfm.config import Request
from usfm.errors import Interrupted, RequestError, WorkError
from usfm.jobs.execute import Execution
from usfm.jobs.folder import PartsFolder, difference
from usfm.jobs.interrupts import Interrupts
from usfm.jobs.outputs import say_up_to_date
from usfm.jobs.parts import Done, Part, Phase
from usfm.quantities import counted
from usfm.store.assemble import Forget, assemble
from usfm.store.maker import maker
from usfm.store.reader import Store, expanded
from usfm.store.whole import place

__all__ = ["Part", "Phase", "out_path", "run_step"]


def out_path(request: Request, command: str) -> Path:
    """Where a curation command writes: --out, or `<stem>.<command>.h5` beside its only input.

    Args:
        request: options of the command; `out` and `inputs` count.
        command: its name.

    Returns:
        The path.

    Raises:
        RequestError: several inputs and no --out, or none at all.

    Examples:
        >>> out_path(Request(inputs=("data/raw.clean.h5",)), "dedup").as_posix()
        'data/raw.clean.dedup.h5'
    """
    if request.out:
        return Path(request.out)
    paths = expanded(request.inputs)
    if len(paths) > 1 or paths[0] != str(request.inputs[0]):  # a pattern may match more tomorrow
        raise RequestError(f"usfm {command}: several inputs, so say with --out where the result goes.")
    source = Path(paths[0])
    return source.with_name(f"{source.stem}.{command}.h5")


def run_step(command: str, request: Request, options: dict, phases: Sequence[Phase], *, inputs: Sequence[Store] = (),
             raw_inputs: Sequence[Mapping] = (), out: Path,
             figures: Callable[[Done], dict] | None = None, forget: Forget | None = None) -> dict:  # fmt: skip
    """Run a step of one or more phases and write its store.

    The results of the last phase are what `PartWriter` makes; those of earlier phases any bytes. Each
    part's result is on the disk in `<out>.parts` before the run counts it as done, so a kill at any moment costs at
    most the parts in flight, and the same command goes on from there.

    Memory: workers x (what `work` needs) + in the parent the columns of up to `assemble._HELD_FRAMES` frames or of
    one part, and some numbers for each part, source, region and dropped frame.

    Args:
        command: as the user typed it.
        request: common options; workers, cluster, overwrite, dry_run, seed.
        options: `config.content_dict` of the step's settings.
        phases: in order; the last one makes the store.
        inputs: stores that are read.
        raw_inputs: for sources that are no stores: mappings with path (as it may be stored), size and mtime.
        out: path of the result.
        figures: phase results -> more numbers for the summary; may set `frames_in`, and `added` where a frame becomes
            several.
        forget: see `assemble`.

    Returns:
        The summary: command, out, frames_in, frames_out, dropped, rejected (frames), sources_rejected, sources,
        seconds, frames_per_s, `added` where `figures` gave it, and the figures. With `up_to_date` where there was
        nothing to do; with `dry_run` and `plan` (phase, parts, weight, unit) in a dry run.

    Raises:
        RequestError: the output exists, is one of the inputs, or its folder is another run's.
        WorkError: the disk is full, no frame is left, parts fail whatever they are.
        Interrupted: Ctrl-C.
    """
    started = time.monotonic()
    if out.suffix != ".h5":
        console.warn(f"{out}: a store's name should end in .h5, by which people and patterns find it")
    named, out = str(out), place(out)
    key = _key(command, request, options, inputs, raw_inputs)
    if any(out.exists() and Path(path).exists() and out.samefile(path) for store in inputs for path in store.paths):
        raise RequestError(f"{out}: is also an input; a step never changes its input, so choose another --out.")
    existing = _existing(out, key, request.overwrite)
    if existing is not None:
        _clear_leftovers(out, key)
        return existing | {"out": named}
    if request.dry_run:
        PartsFolder(out).look(key, request.overwrite)
        return _dry_run(command, out, phases, inputs)
    folder = PartsFolder(out)
    resumed = folder.enter(key, request.overwrite)
    again = f"what is finished is kept in {folder.path}; type the same command to go on"
    interrupts = Interrupts(
        f"stopping when the parts in flight are done ({again}); press Ctrl-C again to stop at once."
    )
    try:
        with interrupts:
            done = _run_phases(phases, folder, request, interrupts, resumed)
            _existing(out, key, request.overwrite)  # what has taken the name meanwhile is not replaced
            summary = _finish(folder, key, phases, done, inputs, figures, interrupts, started, forget)
            folder.remove()
    except (KeyboardInterrupt, Interrupted):
        raise Interrupted(f"{out}: interrupted; {again}.") from None
    finally:
        folder.leave()
    return summary | {"out": named}


def _key(command: str, request: Request, options: dict, inputs: Sequence[Store], raw_inputs: Sequence[Mapping]) -> dict:
    raw = {str(one["path"]): [one.get("size"), one.get("mtime")] for one in raw_inputs}
    key = {"command": command, "options": options, "seed": request.seed, "inputs": [s.content_id for s in inputs],
           "raw": raw, "usfm": provenance.software(())["usfm"]}  # fmt: skip
    return json.loads(json.dumps(key, sort_keys=True, default=str))


def _same_request(step: Mapping, key: Mapping) -> bool:
    names = ("command", "options", "seed", "inputs")
    return all(step.get(name) == key[name] for name in names) and step.get("raw", "") == _raw_digest(key)


def _raw_digest(key: Mapping) -> str:
    return provenance.digest(key["raw"]) if key["raw"] else ""


def _existing(out: Path, key: Mapping, overwrite: bool) -> dict | None:
    """The summary of an output that this very request has made already; None where there is none or it is replaced.

    Raises:
        RequestError: something else has the output's name.
    """
    if out.is_dir():
        raise RequestError(f"{out}: is a folder; choose another --out.")
    if not out.exists():
        return None
    if overwrite:
        _refuse_foreign(out, key["command"])
        return None
    try:
        store = Store.open(out)
    except RequestError:
        _refuse_foreign(out, key["command"])
        raise RequestError(f"{out}: exists, and is not a complete store; replace it with --overwrite.") from None
    step = store.history[-1] if store.history else {}
    if not _same_request(step, key):
        raise RequestError(
            f"{out}: exists, made otherwise ({_otherwise(step, key)}); replace it with --overwrite, or choose another "
            "--out."
        )
    say_up_to_date(out)
    counts = step.get("counts", {})
    return {"command": key["command"], "out": str(out), **counts, "seconds": 0.0, "frames_per_s": None,
            **step.get("figures", {}), "up_to_date": True}  # fmt: skip


def _refuse_foreign(out: Path, command: str) -> None:
    """See that what is about to be replaced was made by this command."""
    made_by = maker(out)
    if made_by is None:
        raise RequestError(
            f"{out}: exists and usfm did not make it, so --overwrite will not replace it; choose another --out, or "
            "remove the file yourself."
        )
    if made_by not in ("", command):
        raise RequestError(
            f"{out}: exists and was made by 'usfm {made_by}', so '{command} --overwrite' will not replace it; choose "
            "another --out, or remove the file yourself."
        )


def _otherwise(step: Mapping, key: Mapping) -> str:
    """What differs between the request that made a store and this one."""
    named = difference({**step, "raw": {}, "usfm": ""}, {**key, "raw": {}, "usfm": ""})
    sources = "" if step.get("raw", "") == _raw_digest(key) else "the sources have changed"
    return "; ".join(words for words in (named, sources) if words)


def _clear_leftovers(out: Path, key: dict) -> None:
    """Take away the folder of a run that was ended after its last rename and before it could tidy up."""
    folder = PartsFolder(out)
    if not folder.path.is_dir():
        return
    try:
        folder.enter(key, overwrite=False)
    except RequestError:
        return
    folder.remove()


def _dry_run(command: str, out: Path, phases: Sequence[Phase], inputs: Sequence[Store]) -> dict:
    first = phases[0]
    parts = first.plan({})
    weight = sum(part.weight for part in parts)
    plan = [{"phase": first.name, "parts": len(parts), "weight": weight, "unit": first.unit}]
    plan += [{"phase": phase.name, "parts": None, "weight": None, "unit": phase.unit} for phase in phases[1:]]
    frames = sum(len(store) for store in inputs) or None
    for store in inputs:
        held = quantities.size(sum(Path(path).stat().st_size for path in store.paths))
        console.say(
            f"would read {', '.join(store.paths)}: {counted(len(store), 'frame')} of "
            f"{counted(store.num_sources, 'source')}, {held}"
        )
    works = [f"{first.name} ({weight:,g} {first.unit} in {counted(len(parts), 'part')})"]
    console.say(f"would do: {', then '.join([*works, *(phase.name for phase in phases[1:])])}")
    console.say(f"would write {out}")
    return {"command": command, "out": str(out), "dry_run": True, "plan": plan, "frames_in": frames, "frames_out": None,
            "dropped": None, "rejected": None, "sources": None, "seconds": 0.0, "frames_per_s": None}  # fmt: skip


def _run_phases(phases: Sequence[Phase], folder: PartsFolder, request: Request, interrupts: Interrupts,
                resumed: bool) -> dict[str, list[tuple[str, Path]]]:  # fmt: skip
    """Run all phases; returns (part's name, result) of each."""
    done: dict[str, list[tuple[str, Path]]] = {}
    executor = _Executors(request)
    try:
        for phase in phases:
            parts = phase.plan({name: [path for _, path in results] for name, results in done.items()})
            names = {part.name for part in parts}
            if len(names) < len(parts):
                raise ValueError(f"two parts of phase {phase.name} have the same name")
            found = folder.finished(phase.name, parts)
            if resumed and parts:
                console.say(f"{phase.name}: {len(found)} of {len(parts)} parts are there from the run before")
            total = sum(part.weight for part in parts)
            with console.progress(phase.name, total, phase.unit) as progress:
                for number in found:
                    progress.skip(parts[number].weight)
                if len(found) < len(parts):
                    pool = executor.start(phase, folder.path)
                    execution = Execution(
                        phase, parts, folder.path, pool, executor.ahead, found, interrupts, progress.advance
                    )
                    found = dict(enumerate(execution.run()))
            done[phase.name] = [(part.name, found[number]) for number, part in enumerate(parts)]
            if interrupts.asked:
                raise Interrupted("")
    except BaseException:
        executor.stop(at_once=True)
        raise
    executor.stop(at_once=False)
    return done


class _Executors:
    """The executor that --workers and --cluster ask for, started when a part needs it."""

    def __init__(self, request: Request):
        self.request = request
        self._pool = None
        self.ahead = request.workers + 2

    def start(self, phase: Phase, folder: Path):
        if self._pool is None:
            if self.request.cluster:
                from usfm.jobs.cluster import connect

                self._pool = connect(self.request.cluster, self.request.workers, folder)
                self.ahead = self._pool.workers + 2
            else:
                from usfm.jobs.pool import WorkerPool

                self._pool = WorkerPool(self.request.workers)
        self._pool.limit_s, self._pool.hang_s = phase.limit_s, phase.hang_s
        return self._pool

    def stop(self, at_once: bool) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=not at_once, cancel_futures=at_once)
            self._pool = None


def _finish(folder: PartsFolder, key: Mapping, phases: Sequence[Phase], done: Mapping, inputs: Sequence[Store],
            figures: Callable[[Done], dict] | None, interrupts: Interrupts, started: float,
            forget: Forget | None) -> dict:  # fmt: skip
    """Count, assemble, check that no frame is lost, and sum up."""
    paths = {name: [path for _, path in results] for name, results in done.items()}
    own = figures(paths) if figures is not None else {}
    added = {"added": own.pop("added")} if "added" in own else {}
    frames_in = own.pop("frames_in", sum(len(store) for store in inputs) if inputs else None)
    step = {"command": key["command"], "options": key["options"], "seed": key["seed"], "inputs": key["inputs"],
            "raw": _raw_digest(key), "software": provenance.software(), "figures": _plain(own)}  # fmt: skip

    def complete(counts: dict) -> dict:
        accounted = counts["frames"] + counts["dropped"] + counts["rejected"] - added.get("added", 0)
        if frames_in is not None and frames_in != accounted:
            more = f" and {added['added']} were added" if added.get("added") else ""
            raise WorkError(
                f"{folder.out}: {frames_in} frames came in{more}, but {counts['frames']} went out, {counts['dropped']} "
                f"were dropped and {counts['rejected']} rejected; this is a fault of usfm, so nothing was written."
            )
        here = {"frames_in": accounted if frames_in is None else frames_in, **added,
                "frames_out": counts["frames"], "dropped": counts["dropped"], "rejected": counts["rejected"],
                "sources_rejected": counts["sources_rejected"], "sources": counts["sources"]}  # fmt: skip
        return step | {"counts": here, "seconds": round(time.monotonic() - started, 3)}

    with console.progress("assemble", len(done[phases[-1].name]), "parts") as progress:

        def between() -> None:
            progress.advance(1)
            if interrupts.asked:
                raise Interrupted("")

        counts = assemble(folder.out, done[phases[-1].name], inputs=inputs, step=complete,
                          temporary=folder.temporary, between=between, forget=forget)  # fmt: skip
    seconds = time.monotonic() - started
    here = counts["step"]["counts"]
    return {"command": key["command"], "out": str(folder.out), **here, "seconds": round(seconds, 3),
            "frames_per_s": round(here["frames_in"] / seconds, 1) if seconds else None, **own}  # fmt: skip


def _plain(figures: Mapping) -> dict:
    """Figures as JSON takes them, without text that could be a path: the history holds no paths."""
    return _without_paths(
        json.loads(json.dumps(dict(figures), default=lambda v: v.item() if hasattr(v, "item") else str(v)))
    )


_NOTHING: object = object()


def _without_paths(value: Any) -> Any:
    """Leave out values that could be a path, names that are one, and what holds nothing else.

    A slash in a name alone makes no path of it: "frames/s", "benign/malignant".

    Examples:
        >>> _without_paths({"frames/s": 3, "report": "/home/me/report", "notes": [{"in": "a/b"}], "kinds": {"/a/b": 1}})
        {'frames/s': 3}
    """
    if isinstance(value, dict):
        kept = {name: _without_paths(one) for name, one in value.items() if not _is_path(name)}
        kept = {name: one for name, one in kept.items() if one is not _NOTHING}
        return kept if kept or not value else _NOTHING
    if isinstance(value, list):
        some = [one for one in map(_without_paths, value) if one is not _NOTHING]
        return some if some or not value else _NOTHING
    return _NOTHING if isinstance(value, str) and ("/" in value or "\\" in value) else value


def _is_path(name: str) -> bool:
    """Say whether a name is a path rather than words with a slash: a root, a drive, dots, or a file's ending."""
    words = name.replace("\\", "/")
    return "/" in words and bool(re.match(r"[/~.]|[A-Za-z]:", words) or re.search(r"\.\w{1,5}$", words))
