"""Load again what a finished run was made with, so that it can be asked about new frames."""

from pathlib import Path

from usfm import console
from usfm.errors import RequestError
from usfm.model import embedders
from usfm.tasks import directory


def embedder_of(path: Path, device: str, resize: str) -> embedders.Embedder:
    """Load the encoder that a run was made with.

    Args:
        path: run directory.
        device: for the encoder.
        resize: as of ``--resize``.

    Returns:
        The encoder.

    Raises:
        RequestError: it is gone, or is another one now.
    """
    card = directory.card_of(path, seed=int, encoder=dict)
    recipe = directory.recipe_of(path)
    theirs = card["encoder"].get("resize", "letterbox")  # the only rule there was, in older runs
    if not isinstance(theirs, str) or theirs not in _DONE:
        raise RequestError(f"{path}: its card names no way to resize frames ('{theirs}'); make the run again")
    resize = theirs if resize == "auto" else resize
    if resize != theirs:
        console.warn(f"{path.name} was made with frames that were {_DONE[theirs]}, and these are {_DONE[resize]}")
    embedder = embedders.load(
        recipe["encoder"], device=device, seed=card["seed"], pool=recipe["pool"], resize=resize, tap=_tap(path, card)
    )
    if not _same_encoder(embedder.identity, card["encoder"]):
        raise RequestError(f"{path}: '{recipe['encoder']}' is no longer the encoder that this run was made with")
    return embedder


def _tap(path: Path, card: dict) -> int:
    """The block that made the vectors; 0 for none."""
    tap = card["encoder"].get("tap", 0)
    if type(tap) is not int or tap < 0:
        raise RequestError(f"{path}: its card names no block of an encoder ('{tap}'); make the run again")
    return tap


_DONE = {"letterbox": "letterboxed", "stretch": "stretched"}


def _same_encoder(identity: dict, kept: dict) -> bool:
    """Whether an encoder is the one that a card names; how its loading is worded does not count."""
    if "norm" not in kept and identity.get("norm") == "after the pool":
        return False  # made when that norm was left out
    shared = (set(identity) & set(kept)) - {"name", "dim", "loaded", "resize"}
    return "kind" in shared and all(identity[name] == kept[name] for name in shared)
