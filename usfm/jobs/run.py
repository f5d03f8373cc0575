"""Run a step: skip what is finished, do the rest on workers, assemble, say what came of it."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from usfm.config import Request
from usfm.errors import RequestError
from usfm.jobs.parts import Part, Phase

__all__ = ["Part", "Phase", "out_path", "run_step"]


def out_path(request: Request, command: str) -> Path:
    """Where a curation command writes: --out, or `<stem>.<command>.h5` beside its only input.

    Raises:
        RequestError: several inputs and no --out, or none at all.

    Examples:
        >>> out_path(Request(inputs=("data/raw.clean.h5",)), "dedup").as_posix()
        'data/raw.clean.dedup.h5'
    """
    if request.out:
        return Path(request.out)
    if not request.inputs:
        raise RequestError(f"usfm {command}: no input; name one with --in.")
    from usfm.store.reader import Store

    many = len(request.inputs) > 1 or len(Store.open(request.inputs[0]).paths) > 1 if _magic(request) else False
    if many or len(request.inputs) > 1:
        raise RequestError(f"usfm {command}: {len(request.inputs)} inputs, so say with --out where the result goes.")
    source = Path(request.inputs[0])
    return source.with_name(f"{source.stem}.{command}.h5")


def _magic(request: Request) -> bool:
    import glob

    return any(glob.has_magic(path) and not Path(path).exists() for path in request.inputs)


def run_step(command: str, request: Request, options: dict, phases: Sequence[Phase], *, inputs: Sequence = (),
             raw_inputs: Sequence[dict] = (), out: Path,
             figures: Callable[[Mapping[str, Sequence[Path]]], dict] | None = None) -> dict:  # fmt: skip
    """Run a step (work in progress: signature fixed)."""
    raise NotImplementedError
