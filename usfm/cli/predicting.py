"""``usfm predict`` on media: they become a store as the run's own did, then the run is asked."""

from collections.abc import Mapping
from dataclasses import fields, replace
from importlib import import_module
from pathlib import Path

from usfm import console
from usfm.config import Request
from usfm.errors import RequestError
from usfm.predict.config import Config

STEPS = "steps"
"""Of a run's card, in `inputs`: how its store was made, a command and its options each."""

SAME = {
    "extract": ("fps", "every", "max_frames", "axis", "color", "gray"),
    "clean": ("text", "color_markers", "inpaint", "radius", "outside_sector"),
    "sector": ("size", "patch", "pad", "tau", "outside", "method", "fit_fan", "color", "keep_kind", "drop_kind",
               "min_confidence", "min_patches", "min_side"),
}  # fmt: skip
"""The steps that are done again, in their order, and the options that are taken from the run's store. Duplicates are
not dropped, since each frame is to be predicted; labels and tables of the run's media are not those of these."""

STORES = (".h5", ".hdf5")
"""What is named so, or is an HDF5 file whatever its name, is a store; arrays in one are named `FILE:/DATASET`."""

SIGNATURE = b"\x89HDF\r\n\x1a\n"


def run(config: Config, request: Request) -> dict:
    """Ask a run about a store, or about media.

    Args:
        config: which run is asked, and where its table goes.
        request: `inputs` are stores, or files and folders of media; the stores on the way lie beside `out`.

    Returns:
        The summary of `usfm.predict.run.run`.

    Raises:
        RequestError: the run cannot be asked, or a step refuses.
    """
    from usfm.predict.run import check_places
    from usfm.predict.run import run as predict

    if not request.inputs or all(_is_store(one) for one in request.inputs):
        return predict(config, request)
    if any(_is_store(one) for one in request.inputs):
        raise RequestError("some inputs are stores and some are media; ask the run about them one after another")
    from usfm.predict.asked import asked
    from usfm.store.whole import place
    from usfm.tasks.directory import card_of

    asked(config.run)  # this and the next are refused before anything is made
    folder = _folder(request)
    check_places(config, request, place(request.out or ""))
    inputs, known = request.inputs, steps_of(card_of(config.run))
    if known is None:
        console.warn(
            f"{config.run} does not say how its store was made; usfm's defaults are taken for extract and sector"
        )
    for name, options in (known or {"extract": {}, "sector": {}}).items():
        out = str(folder / f"{name}.h5")
        if request.dry_run:
            console.say(f"would {name} {', '.join(inputs)} into {out}")
        else:
            module = import_module(f"usfm.{'' if name == 'extract' else 'curate.'}{name}.run")
            module.run(_settings(name, options), replace(request, inputs=inputs, out=out))
        inputs = (out,)
    if request.dry_run:
        return {"command": "predict", "out": None, "dry_run": True}
    console.say(f"the stores on the way lie in {folder}; they may be deleted")
    return predict(config, replace(request, inputs=inputs))


def steps_of(card: Mapping) -> dict[str, dict] | None:
    """How the store of a run was made, as far as it is done again.

    Args:
        card: of the run.

    Returns:
        Command -> its options; None where the card does not say it, or media were not the beginning.

    >>> steps = [{"command": "extract", "options": {"fps": "5", "manifest": "sha256:0"}}, {"command": "dedup"}]
    >>> steps_of({"inputs": {"steps": steps}}), steps_of({"inputs": {"store": "0123"}})
    ({'extract': {'fps': '5'}}, None)
    """
    told = card.get("inputs")
    listed = told.get(STEPS) if isinstance(told, Mapping) else None
    if not isinstance(listed, list):
        return None
    done = {step["command"]: step.get("options") for step in listed if isinstance(step, Mapping) and "command" in step}
    if "extract" not in done:
        return None
    found = {}
    for name in (name for name in SAME if name in done):
        options = done[name]
        found[name] = {key: options[key] for key in SAME[name] if isinstance(options, Mapping) and key in options}
    return found


def _settings(name: str, options: Mapping) -> object:
    """Settings of a step; what the history holds as a list is a tuple there."""
    config = import_module(f"usfm.{'' if name == 'extract' else 'curate.'}{name}.config").Config
    known = {one.name for one in fields(config)} & set(options)
    return config(**{key: tuple(v) if isinstance(v := options[key], list) else v for key in known})


def _folder(request: Request) -> Path:
    from usfm.store.whole import place

    if request.out is None:
        raise RequestError("no output was given; name the store of predictions with --out")
    out = place(request.out)
    return out.with_name(f"{out.stem}.steps")


def _is_store(path: str) -> bool:
    if Path(path).suffix.lower() in STORES:
        return True
    if not Path(path).is_file():
        return False
    with open(path, "rb") as file:
        return file.read(len(SIGNATURE)) == SIGNATURE
