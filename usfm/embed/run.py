"""Turn the frames of a store into vectors."""

import time
from dataclasses import asdict
from pathlib import Path

import numpy as np

from usfm import console
from usfm.config import Request, content_dict
from usfm.embed import table
from usfm.embed.config import FORMATS, Config
from usfm.errors import RequestError
from usfm.jobs.outputs import check_free, up_to_date
from usfm.model import embedders, features, progress
from usfm.model.asked import asked_for
from usfm.model.spec import check
from usfm.provenance import digest, software
from usfm.store import tables
from usfm.store.reader import Store
from usfm.store.whole import place


def run(config: Config, request: Request) -> dict:
    """Embed every frame of a store and write a table: frame_id, path, patient, vectors; CSV and others have more.

    Args:
        config: the encoder, and the kind of file.
        request: `inputs` is a store of any kind, `out` the file to write.

    Returns:
        The summary that ``--json`` prints.

    Raises:
        RequestError: the request is wrong; nothing has been written then.
    """
    started = time.monotonic()
    format_, out = _format(config, request), str(request.out)
    store = Store.open(request.inputs).require()
    check(config.encoder)
    key_of = _key_of if format_ == "h5" else table.key_of
    if request.dry_run:
        check_free(out, request.overwrite, key_of)
        console.say(f"would embed {len(store):,} frames with {config.encoder} and write {out}")
        return {**_summary(store, out, 0.0, 0), "dry_run": True}
    trained = progress.say(config.encoder, strict=request.strict)
    embedder = asked_for(config, request)
    said = {name: value for name, value in content_dict(config).items() if name != "tap"}  # the identity has it
    key = digest(["embed", said, embedder.identity, store.content_id])
    if up_to_date(out, key, request.overwrite, key_of):
        return {**_summary(store, out, 0.0, embedder.dim), "up_to_date": True}
    place(out).parent.mkdir(parents=True, exist_ok=True)
    rows = np.arange(len(store))
    with console.progress(f"embedding with {embedder.name}", len(rows)) as bar:
        vectors = features.of_rows(store, rows, embedder, batch_size=config.batch_size, advance=bar.advance)
    up_to_date(out, key, request.overwrite, key_of)  # what has taken the name meanwhile is not replaced
    more = {"software": software(), "pretraining": asdict(trained) if trained else {}}
    if format_ == "h5":
        features.write(out, store, rows, vectors, embedder, key, **more)
    else:
        encoder = {"name": embedder.name, **embedder.identity}
        about = {"key": key, "encoder": encoder, "store": store.content_id, **more}
        table.write(out, format_, table.of(store, vectors), about)
    return _summary(store, out, time.monotonic() - started, embedder.dim)


def _format(config: Config, request: Request) -> str:
    """Check what was asked for, and say which kind of file it is."""
    if not request.inputs:
        raise RequestError("no store was given; name one with --in")
    if not request.out:
        raise RequestError("give the file to write with --out")
    if place(request.out).is_dir():
        raise RequestError(f"{request.out}: is a folder; give the name of a file, such as features.h5")
    ending = Path(request.out).suffix.removeprefix(".").lower()
    format_ = config.format or (ending if ending in FORMATS else "h5")
    if ending in FORMATS and ending != format_:
        raise RequestError(f"--out {request.out}: does not end as --format {format_} does; change one of them")
    if format_ != "h5":
        table.check(request.out, format_)
    return format_


def _key_of(out: Path) -> str | None:
    try:
        return tables.read(out, embedders.FEATURES_FORMAT)[1].get("key")
    except RequestError:
        return None


def _summary(store: Store, out: str, seconds: float, dim: int) -> dict:
    return {
        "command": "embed",
        "out": out,
        "frames_in": len(store),
        "frames_out": len(store),
        "dropped": 0,
        "rejected": 0,
        "sources": store.num_sources,
        "seconds": round(seconds, 2),
        "frames_per_s": round(len(store) / seconds, 1) if seconds else None,
        "dim": dim,
    }
