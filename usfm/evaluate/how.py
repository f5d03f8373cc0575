"""How each row of a table came about: what entered the encoder, what it learned from, and what it cost."""

import os
from collections.abc import Mapping

HEADS = {
    "encoder": "encoder",
    "protocol": "protocol",
    "px": "px",
    "resize": "resize",
    "mean_std": "mean / std",
    "pool": "pool",
    "norm": "last norm",
    "tap": "tap",
    "precision": "precision",
    "train": "trained on",
    "held": "held out",
    "fraction": "fraction",
    "seed": "seed",
    "seconds": "seconds",
    "memory_mb": "memory, MB",
    "parameters": "parameters",
    "weights": "weights",
    "store": "store",
}
"""Key of `row` -> head of its column."""

_DIGEST = 12  # digits of a digest that are shown; the report's JSON has all of them
_OF_NETWORK = ("px", "resize", "mean_std", "pool", "norm", "tap", "precision", "memory_mb", "parameters", "weights")
_FROZEN = ("linear", "knn", "simpleshot", "retrieval")


def row(about: Mapping) -> dict[str, str]:
    """What a run's card says about how it was made.

    Args:
        about: of `notes.about`; {} for a table of predictions from elsewhere.

    Returns:
        The keys of ``HEADS`` -> text; "" where the card does not say it.
    """
    encoder, settings = _map(about.get("encoder")), _map(about.get("settings"))
    protocol = str(about.get("protocol") or "")
    size = encoder.get("image_size") or []
    found = {
        "encoder": ", ".join(dict.fromkeys(str(encoder[key]) for key in ("name", "model") if encoder.get(key))),
        "protocol": protocol,
        "px": "" if not size else f"{size[0]}" if len(set(size)) == 1 else "x".join(map(str, size)),
        "resize": encoder.get("resize") or settings.get("resize"),
        "mean_std": _pair(encoder.get("mean"), encoder.get("std")),
        "pool": encoder.get("pool") or settings.get("pool"),
        "norm": encoder.get("norm"),
        "tap": encoder.get("tap") or settings.get("tap") or ("last block" if encoder and protocol in _FROZEN else ""),
        "precision": settings.get("precision") or ("fp32" if protocol in _FROZEN else ""),
        "train": _trained(about.get("folds")),
        "held": held_out(about),
        "fraction": settings.get("fraction"),
        "seed": about.get("seed"),
        "seconds": _number(about.get("seconds"), "{:.0f}"),
        "memory_mb": _number(about.get("memory_bytes"), "{:,.0f}", 1e-6)
        + (" (GPU)" if about.get("memory_of") == "gpu" else ""),
        "parameters": _parameters(about, encoder),
        "weights": _digest(encoder.get("weights_sha256")) or ("untrained" if encoder.get("kind") == "random" else ""),
        "store": _digest(_map(about.get("inputs")).get("store")),
    }
    return {key: "" if value is None else str(value) for key, value in found.items()}


def held_out(about: Mapping) -> str:
    """Say what each training of a run left out for its scores.

    Args:
        about: of `notes.about`.

    Returns:
        "each site left out in turn" where the values of a column were the folds; "5 folds", "5 given folds", "a given
        split", "the store's split"; or "".

    >>> held_out({"settings": {"splits": ["site"]}, "folds": [{"fold": "north"}, {"fold": "south"}]})
    'each site left out in turn'
    """
    settings, folds = _map(about.get("settings")), about.get("folds")
    names = [str(fold["fold"]) for fold in folds if "fold" in _map(fold)] if isinstance(folds, list) else []
    given = settings.get("splits")
    if isinstance(given, list | tuple) and given:
        if len(names) < 2:
            return "a given split"
        column = str(given[0]) if len(given) == 1 else ""
        is_file = not column or "." in column or os.path.dirname(column)
        return f"{len(names)} given folds" if is_file else f"each {column} left out in turn"
    asked = str(settings.get("folds") or "")
    if not asked and names == ["split"]:
        return "the store's split"
    return f"{len(names) or asked} folds" if names or asked.isdigit() else ""


def lacking(about: Mapping, made: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """Why a row has blanks.

    Args:
        about: of `notes.about`; {} for a table of predictions from elsewhere.
        made: the row.

    Returns:
        Reason -> heads of the columns that are blank for it.
    """
    blank = [key for key in HEADS if not made.get(key)]
    if not about:
        return {"came from a table, which does not say it": tuple(HEADS[key] for key in blank)} if blank else {}
    found: dict[str, tuple[str, ...]] = {}
    for key in blank:
        reason = "its card does not say it"
        if key in _OF_NETWORK and _map(about.get("encoder")).get("kind") == "vectors":
            reason = "its vectors came from a file, without the network that made them"
        elif key in ("memory_mb", "parameters"):
            reason = "not recorded by the version of usfm that made the run; make it again to know"
        elif key in ("norm", "tap"):
            reason = "none was chosen, or its card does not say it"
        found[reason] = (*found.get(reason, ()), HEADS[key])
    return found


def _parameters(about: Mapping, encoder: Mapping) -> str:
    whole = _number(about.get("parameters") or encoder.get("parameters"), "{:,}")
    some = _number(about.get("trained_parameters"), "{:,}")
    return f"{whole} ({some} trained)" if whole and some else whole


def _map(value: object) -> Mapping:
    return value if isinstance(value, Mapping) else {}


def _digest(value: object) -> str:
    return str(value or "").removeprefix("sha256:")[:_DIGEST]


def _number(value: object, form: str, scale: float = 1) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return ""
    return form.format(value if scale == 1 else value * scale)


def _pair(mean: object, std: object) -> str:
    if not isinstance(mean, list) or not isinstance(std, list) or not mean or not std:
        return ""
    return "; ".join(" / ".join(dict.fromkeys(f"{x:.3g}" for x in values)) for values in (mean, std))


def _trained(folds: object) -> str:
    """Frames and patients behind each fold.

    >>> _trained([{"train_frames": 90, "train_patients": 9}, {"train_frames": 110, "train_patients": 11}])
    '90-110 frames, 9-11 patients'
    """
    if not isinstance(folds, list) or not all(isinstance(fold, Mapping) for fold in folds):
        return ""
    words = []
    for key, what in (("train_frames", "frames"), ("train_patients", "patients")):
        values = [fold[key] for fold in folds if isinstance(fold.get(key), int)]
        if values:
            low, high = min(values), max(values)
            words.append(f"{low:,} {what}" if low == high else f"{low:,}-{high:,} {what}")
    return ", ".join(words)
