"""The card of a run directory, whichever command made it: read so that damage ends in one sentence."""

import json
import math
import os
from pathlib import Path

from usfm.errors import RequestError
from usfm.jobs.outputs import MADE
from usfm.provenance import digest, json_text

CARD = "card.json"
DIGEST = "digest"
"""Entry of a card that holds the digest of the others; cards of earlier versions have none."""

MOST_BYTES = 64 << 20
_NUMBER = (int, float)
_KINDS: dict[str, type | tuple[type, ...]] = {
    **dict.fromkeys(("command", "kind", "key", "task", "protocol", "status", "pool", "reason"), str),
    **dict.fromkeys(("settings", "result", "encoder", "inputs", "counts", "frame_metrics", "normalisation"), dict),
    **dict.fromkeys(("about", "software"), dict),
    **dict.fromkeys(("steps", "step", "frames", "seed", "leaks"), int),
    **dict.fromkeys(("seconds", "seconds_embedding"), _NUMBER),
    **dict.fromkeys(("class_names", "folds", "flags"), list),
    "pretraining": (dict, type(None)),
    "recipe": (str, dict),
}
"""What the entries of a card are, where it has them."""


def json_of(path: str | Path, **kinds: type | tuple[type, ...]) -> dict:
    """Read a JSON object.

    Args:
        path: of the file.
        kinds: entries that it must have, and of which types; true and false are no numbers.

    Raises:
        RequestError: it is not readable, no object, or an entry is missing or of another type.
    """
    if os.path.exists(path) and not os.path.isfile(path):  # a pipe would hold the command up
        raise RequestError(f"{path}: is no file; make the run again")
    try:
        with open(path, "rb") as file:
            data = file.read(MOST_BYTES + 1)
        if len(data) > MOST_BYTES:
            raise ValueError
        found = json.loads(data.decode("utf-8"), parse_constant=_finite, parse_float=_finite)
        json.dumps(found, ensure_ascii=False).encode("utf-8")  # half a pair of surrogates can be written nowhere
    except OSError as error:
        raise RequestError(f"{path}: cannot be read ({error.strerror}); make the run again") from None
    except (ValueError, RecursionError):
        raise RequestError(
            f"{path}: cannot be read as JSON, so it was cut short or damaged; make the run again"
        ) from None
    if not isinstance(found, dict):
        raise RequestError(f"{path}: is no JSON object, so it was damaged; make the run again")
    for name, kind in kinds.items():
        if not _is(found.get(name), kind):
            raise RequestError(f"{path}: its entry '{name}' is missing or damaged; make the run again")
    return found


def card_of(run: str | Path, **kinds: type | tuple[type, ...]) -> dict:
    """The card of a run directory, or of the folder of one of its files; {} where there is none and nothing is asked.

    Args:
        run: the directory.
        kinds: entries that it must have, and of which types.

    Raises:
        RequestError: as for `json_of`; or an entry is of another type than commands give it, or was changed.
    """
    path = Path(run)
    file = (path if path.is_dir() else path.parent) / CARD
    if not file.is_file():
        if kinds:
            raise RequestError(f"{file}: is missing, and it is needed here; make the run again")
        return {}
    card = json_of(file, **kinds)
    if DIGEST in card and card[DIGEST] != _digest(card):
        raise RequestError(f"{file}: is damaged or was changed; make the run again")
    for name in set(_KINDS) & set(card):
        if not _is(card[name], _KINDS[name]) or (name in ("steps", "step", "frames", "leaks") and card[name] < 0):
            raise RequestError(f"{file}: its entry '{name}' is damaged; make the run again")
    return card


def sealed(card: dict) -> dict:
    """A card as it is written: plain values, with the digest of all of them."""
    plain = json.loads(json_text({name: value for name, value in card.items() if name != DIGEST}))
    return {**plain, DIGEST: _digest(plain)}


def _digest(card: dict) -> str:
    return digest({name: value for name, value in card.items() if name not in (DIGEST, MADE)})


def _finite(text: str) -> float:
    if not math.isfinite(value := float(text)):
        raise ValueError(text)
    return value


def _is(value: object, kind: type | tuple[type, ...]) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool)
