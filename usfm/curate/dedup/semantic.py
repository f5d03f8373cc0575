"""The semantic stage of dedup: embeddings of the frames that the visual stage kept, compared over the whole store."""

import io

import numpy as np

from usfm.config import Request
from usfm.curate import regions
from usfm.curate.dedup.config import Config
from usfm.curate.dedup.groups import canonical_order, labelled, one_feature_a_picture
from usfm.curate.dedup.select import Compared, retention, thin, threshold_for
from usfm.curate.dedup.verdict import Outcome
from usfm.curate.dedup.visual import LIMIT_S
from usfm.jobs.parts import Done, Part, Phase
from usfm.seeding import stream
from usfm.store.reader import Store


def load(config: Config, request: Request):
    """The encoder that the settings name, as an `Embedder`.

    Args:
        config: settings, with the name of an encoder.
        request: for the device and the seed.

    Returns:
        The encoder.

    Raises:
        ValueError: the settings name none.
    """
    from usfm.model.embedders import load as load_embedder

    if config.embedder is None:
        raise ValueError("the semantic stage needs an embedder")
    return load_embedder(
        config.embedder, device=request.device, download=config.download, seed=request.seed, resize=config.resize
    )


def phases(config: Config, request: Request, store: Store) -> list[Phase]:
    """The two phases of the stage, after the phase "visual": embed the survivors, select among them.

    Args:
        config: Settings.
        request: For the device and the seed.
        store: The input.

    Returns:
        The phases in order.
    """
    paths, cut = [str(path) for path in store.paths], regions.partition(store)

    def embed(done: Done) -> list[Part]:
        verdict = str(done["visual"][0])
        return [
            Part(f"embed-{k:05d}", (paths, rows, verdict, config, request), weight=float(len(rows)))
            for k, rows in enumerate(cut)
        ]

    def select(done: Done) -> list[Part]:
        files = [str(path) for path in done["embed"]]
        return [Part("semantic", (paths, str(done["visual"][0]), files, config, request.seed), weight=1.0)]

    return [
        Phase("embed", plan=embed, work=embed_part, poison=unread),
        Phase("semantic", plan=select, work=select_part, limit_s=LIMIT_S),
    ]


def unread(part: Part, reason: str) -> bytes:
    """Stand in for a part that cannot be embedded: it has no vectors, so its frames are compared with none.

    Args:
        part: that failed.
        reason: one sentence.

    Returns:
        The bytes of a result without vectors.
    """
    buffer = io.BytesIO()
    np.savez(buffer, rows=np.empty(0, np.int64), vectors=np.empty((0, 1), np.float32))
    return buffer.getvalue()


def embed_part(payload: tuple) -> bytes:
    """Embed the frames of one part that are still kept (runs in a worker)."""
    from usfm.model.features import of_rows

    paths, rows, verdict_path, config, request = payload
    store = Store.open(paths)
    rows = np.asarray(rows)[Outcome.read(verdict_path).kept[rows]]
    vectors = of_rows(store, rows, load(config, request))
    buffer = io.BytesIO()
    np.savez(buffer, rows=rows, vectors=vectors)
    return buffer.getvalue()


def select_part(payload: tuple) -> bytes:
    """Decide the semantic stage for the whole store (one part, runs in a worker)."""
    paths, verdict_path, files, config, seed = payload
    store, verdict = Store.open(paths), Outcome.read(verdict_path)
    parts = [part for part in map(np.load, files) if len(part["rows"])]
    rows = np.concatenate([np.empty(0, np.int64), *(part["rows"] for part in parts)])
    vectors = np.concatenate([part["vectors"] for part in parts]) if parts else np.empty((0, 1), np.float32)
    verdict.stage[np.setdiff1d(np.flatnonzero(verdict.kept), rows)] = "unread"
    vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    keep = "first" if config.keep == "sharpest" else config.keep
    order = canonical_order(store)[rows]
    vectors = one_feature_a_picture(vectors, store.column("digest")[rows], order)
    frames = Compared(
        features=vectors, group=np.zeros(len(rows), np.int64), order=order, keep=keep,
        labelled=labelled(store)[rows] if keep == "labelled" else None,
    )  # fmt: skip
    threshold = config.semantic_threshold
    if config.target_keep is not None:
        threshold = threshold_for(frames, config.target_keep * len(store) / max(1, len(rows)))
    kept_by, similarity = thin(frames, threshold)
    gone = np.flatnonzero(kept_by != np.arange(len(rows)))
    verdict.drop(rows[gone], store.column("frame_id")[rows[kept_by[gone]]], similarity[gone], "semantic")
    stages = dict(verdict.figures["dropped_by_stage"])
    if len(gone):
        stages["semantic"] = len(gone)
    curve = {f"{t:g}": round(share, 4) for t, share in retention(frames, stream(seed, "semantic")).items()}
    verdict.figures |= {
        "semantic_threshold": threshold, "semantic_retention": curve, "dropped_by_stage": stages,
    }  # fmt: skip
    return verdict.to_bytes()
