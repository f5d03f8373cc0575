"""List the weight files of others that can be read, or say how an encoder is read."""

import time
from pathlib import Path

from usfm import console
from usfm.config import Request
from usfm.escape import line
from usfm.inspect.encoders_config import Config

_SHOWN = ("family", "model", "heads", "image_size", "in_chans", "mean", "std", "scale", "blur_px", "resize", "norm")


def run(config: Config, request: Request) -> dict:
    """Say on stdout which families of weight files there are, or of each SPEC what was found and how frames enter it.

    Args:
        config: Whether timm may fetch weights.
        request: SPECs, as `--encoder` takes them; none for the list.

    Returns:
        The summary, with `families` (and `unread`: names without a reader, and why) or `encoders`, one dict each.

    Raises:
        RequestError: A SPEC names nothing that is here, or a file that cannot be read.
    """
    from usfm.model.families import UNREAD

    started = time.monotonic()
    summary: dict = {"command": "encoders", "out": None, "frames_in": None, "frames_out": None, "dropped": None,
                     "rejected": None, "sources": None}  # fmt: skip
    if request.inputs:
        summary["encoders"] = [described(spec, download=config.download) for spec in request.inputs]
        for found in summary["encoders"]:
            rows = [(key, line(_words(value))) for key, value in found.items() if value not in (None, "")]
            console.text(console.format_table(line(found["spec"]), ("what", "value"), rows))
    else:
        summary["families"] = listed()
        columns = ("name", "title", "known_by", "licence", "source")
        rows = [tuple(row[name] for name in columns) for row in summary["families"]]
        heads = ("name", "title", "known by", "licence", "given out by")
        console.text(console.format_table("weight files of others", heads, rows))
        summary["unread"] = dict(UNREAD)
        console.text(console.format_table("no reader for", ("name", "why"), list(UNREAD.items())))
    return {**summary, "seconds": round(time.monotonic() - started, 2), "frames_per_s": None}


def listed() -> list[dict]:
    """Every family: its key, and what is known of it, as JSON takes it."""
    from usfm.model.families import FAMILIES

    told = ("title", "known_by", "nearest", "resize", "scale", "blur_px", "pool", "licence", "source")
    return [{"name": key, **{name: getattr(family, name) for name in told}} for key, family in FAMILIES.items()]


def described(spec: str, *, download: bool = False) -> dict:
    """How an encoder is read, after reading it.

    Args:
        spec: as `--encoder` takes it.
        download: allow timm to fetch weights.

    Returns:
        `spec`, `bytes` of the file, what its identity says, and the licence and source of its family.

    Raises:
        RequestError: it is not here, or cannot be read.
    """
    from usfm.model import embedders
    from usfm.model.families import FAMILIES

    embedder = embedders.load(spec, device="cpu", download=download)
    identity = embedder.identity
    family = next((each for each in FAMILIES.values() if each.title == identity.get("family")), None)
    file = Path(spec.rpartition("?")[0] or spec)
    return {
        "spec": spec,
        "bytes": file.stat().st_size if file.is_file() else None,
        "dim": embedder.dim,
        **{name: identity.get(name) for name in _SHOWN},
        "loaded": identity.get("loaded"),
        "pool": family.pool if family else None,
        "licence": family.licence if family else None,
        "source": family.source if family else None,
    }


def _words(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
