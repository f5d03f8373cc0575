"""Turn the frames of a store into vectors."""

import time
from dataclasses import asdict
from pathlib import Path

import numpy as np

from usfm import console
from usfm.config import Request, content_dict
from usfm.embed.config import Config
from usfm.errors import RequestError
from usfm.jobs.outputs import up_to_date
from usfm.model import embedders, features, progress
from usfm.provenance import digest, software
from usfm.store import tables
from usfm.store.reader import Store
from usfm.store.whole import place


def run(config: Config, request: Request) -> dict:
    """Embed every frame of a store and write ``features.h5``: frame_id, source, patient, vectors.

    Args:
        config: the encoder.
        request: `inputs` is a store of any kind, `out` the file to write.

    Returns:
        The summary that ``--json`` prints.

    Raises:
        RequestError: the request is wrong; nothing has been written then.
    """
    started = time.monotonic()
    if not request.inputs:
        raise RequestError("no store was given; name one with --in")
    if not request.out:
        raise RequestError("give the file to write with --out")
    if place(request.out).is_dir():
        raise RequestError(f"{request.out}: is a folder; give the name of a file, such as features.h5")
    store = Store.open(request.inputs).require()
    if not config.encoder:
        embedders.load("")
    if request.dry_run:
        console.say(f"would embed {len(store):,} frames with {config.encoder} and write {request.out}")
        return {**_summary(store, request.out, 0.0, 0), "dry_run": True}
    trained = progress.say(config.encoder, strict=request.strict)
    embedder = embedders.load(
        config.encoder,
        device=request.device,
        download=config.download,
        seed=request.seed,
        pool=config.pool,
        resize=config.resize,
    )
    embedders.say(embedder)
    key = digest(["embed", content_dict(config), embedder.identity, store.content_id])
    if up_to_date(request.out, key, request.overwrite, _key_of):
        return {**_summary(store, request.out, 0.0, embedder.dim), "up_to_date": True}
    out = Path(request.out)
    out.parent.mkdir(parents=True, exist_ok=True)
    rows = np.arange(len(store))
    with console.progress(f"embedding with {embedder.name}", len(rows)) as bar:
        vectors = features.of_rows(store, rows, embedder, batch_size=config.batch_size, advance=bar.advance)
    up_to_date(out, key, request.overwrite, _key_of)  # what has taken the name meanwhile is not replaced
    features.write(
        out, store, rows, vectors, embedder, key, software=software(), pretraining=asdict(trained) if trained else {}
    )
    return _summary(store, request.out, time.monotonic() - started, embedder.dim)


def _key_of(out: Path) -> str | None:
    try:
        return tables.read(out, embedders.FEATURES_FORMAT)[1].get("key")
    except RequestError:
        return None


def _summary(store: Store, out: str, seconds: float, dim: int) -> dict:
    return {
        "command": "embed",
        "out": str(out),
        "frames_in": len(store),
        "frames_out": len(store),
        "dropped": 0,
        "rejected": 0,
        "sources": store.num_sources,
        "seconds": round(seconds, 2),
        "frames_per_s": round(len(store) / seconds, 1) if seconds else None,
        "dim": dim,
    }
