"""Turn an encoder's SPEC into one function from frames to vectors; the same words mean the same everywhere.

| SPEC | encoder |
|---|---|
| a run directory | its last checkpoint, else its best |
| a `.safetensors`, `.pth` or `.pt` file | a vision transformer of one of `usfm.model.families` |
| `timm:NAME` | timm's published weights, from the local cache (or the hub with `--download`) |
| `timm:NAME@FILE` | the same architecture with weights from a file |
| `medclip:FILE`, `openclip:FILE`, `openclip:NAME@FILE` | the vector that its authors' `encode_image` gives: projected |
| `FILE?heads=12`, `timm:NAME@FILE?px=98` | what the file does not tell itself (`usfm.model.spec`) |
| `vectors:FILE.h5` | vectors made before, by `usfm embed` or by anybody, found by frame_id |
| `random:RUN` | an untrained network of that run's shape, fixed by the seed: what every encoder must beat |
| `random`, `random:NAME` | an untrained ViT (tiny, or NAME), or any network of timm by its name |
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from usfm import console
from usfm.errors import RequestError
from usfm.imaging.framing import Framing
from usfm.imaging.gray import to_gray
from usfm.model import cost
from usfm.model.spec import check, split

POOLS = ("mean", "cls", "meanstd")
FEATURES_FORMAT = "usfm-features"


@dataclass(frozen=True)
class Embedder:
    """A frozen encoder.

    Attributes:
        name: short, for tables and figures.
        dim: length of a vector.
        identity: everything that fixes the vectors (weights' digest, model, size, pooling): JSON values, no paths.
        image_size: (rows, columns) that a frame is letterboxed to.
        in_chans: 1 or 3 channels that the encoder reads.
        forward: uint8 (B, in_chans, rows, columns) -> float32 (B, dim); None for `vectors:`.
        vectors: frame_id -> row of the file, and the rows themselves; only for `vectors:`.
        resize: "letterbox" (nothing is cut, the shape stays) or "stretch" (the square is filled).
        parameters: of the network; 0 where vectors come from a file.
    """

    name: str
    dim: int
    identity: dict
    image_size: tuple[int, int]
    in_chans: int
    forward: Callable[[np.ndarray], np.ndarray] | None = field(default=None, repr=False)
    vectors: tuple[dict[str, int], np.ndarray] | None = field(default=None, repr=False)
    resize: str = "letterbox"
    parameters: int = 0

    def prepare(self, frames: Sequence[np.ndarray]) -> np.ndarray:
        """Bring frames of any size, (H, W) or (H, W, 3) uint8, into one uint8 (n, in_chans, rows, columns)."""
        fit = RESIZES[self.resize]
        batch = np.zeros((len(frames), self.in_chans, *self.image_size), np.uint8)
        for k, frame in enumerate(frames):
            picture = fit(to_gray(frame) if self.in_chans == 1 else frame, self.image_size)
            batch[k] = picture if picture.ndim == 2 else picture.transpose(2, 0, 1)
        return batch

    def embed(self, frames: Sequence[np.ndarray], batch_size: int = 64) -> np.ndarray:
        """Embed frames.

        Args:
            frames: n frames of any size, (H, W) or (H, W, 3) uint8.
            batch_size: frames in one pass; changes the speed, not the vectors (to 1e-5).

        Returns:
            (n, dim) float32.

        Raises:
            RequestError: the vectors come from a file, which has no encoder for new frames.
        """
        if self.forward is None:
            raise RequestError(f"{self.name}: these vectors come from a file; give an encoder to embed new frames")
        parts = [self.forward(self.prepare(frames[at : at + batch_size])) for at in range(0, len(frames), batch_size)]
        return np.concatenate(parts) if parts else np.zeros((0, self.dim), np.float32)

    def lookup(self, frame_ids: Sequence[str]) -> np.ndarray:
        """Find the vectors of frames by frame_id: (n, dim) float32; only for `vectors:`.

        Raises:
            RequestError: some frames are not in the file.
        """
        index, rows = self.vectors or ({}, np.zeros((0, self.dim), np.float32))
        missing = [name for name in frame_ids if name not in index]
        if missing:
            raise RequestError(
                f"{self.name}: {len(missing)} of {len(frame_ids)} frames have no vector in this file (first: "
                f"{missing[0]}); make them with 'usfm embed' from the same store"
            )
        return rows[[index[name] for name in frame_ids]]


def letterbox(frame: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Scale a frame by one factor into (rows, columns), centred on black: nothing is cut and no aspect changes.

    Args:
        frame: uint8, (H, W) or (H, W, 3).
        size: (rows, columns), px.

    Returns:
        uint8, of that size.
    """
    return letterboxing(frame.shape[:2], size).apply(frame)


def letterboxing(frame: tuple[int, ...], size: tuple[int, int]) -> Framing:
    """The map of `letterbox`, by which masks, boxes and sectors go too.

    Args:
        frame: (rows, columns) of the frame, px.
        size: (rows, columns) wanted, px.

    Returns:
        The map.
    """
    height, width = frame[:2]
    scale = min(size[0] / height, size[1] / width)
    above, before = (round(size[0] / scale) - height) // 2, (round(size[1] / scale) - width) // 2
    return Framing(0, 0, height, width, scale, above * scale, before * scale, *size)


def stretch(frame: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Scale rows and columns of a frame apart, so that it fills (rows, columns).

    Args:
        frame: uint8, (H, W) or (H, W, 3).
        size: (rows, columns), px.

    Returns:
        uint8, of that size.
    """
    import cv2

    shrinks = frame.shape[0] * frame.shape[1] > size[0] * size[1]
    return cv2.resize(frame, (size[1], size[0]), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)


RESIZES: dict[str, Callable[[np.ndarray, tuple[int, int]], np.ndarray]] = {"letterbox": letterbox, "stretch": stretch}


def load(
    spec: str,
    *,
    device: str = "auto",
    download: bool = False,
    seed: int = 0,
    pool: str = "mean",
    resize: str = "auto",
    tap: int = 0,
) -> Embedder:
    """Load what a SPEC names (the table at the top of this module).

    Args:
        spec: the encoder.
        device: auto, cpu, cuda, cuda:1 or mps.
        download: allow `timm:NAME` to fetch weights from the hub.
        seed: of `random`.
        pool: how a transformer's tokens become one vector: "mean" of the patch tokens, the class token "cls", or
            "meanstd", their mean and standard deviation side by side (twice as long; tells textures apart that have the
            same mean). Other networks have their own pooling.
        resize: how a frame fits the encoder's square: "letterbox", "stretch", or "auto", as the authors of the
            weights do (letterbox for ours).
        tap: block of a transformer, from 1, whose tokens make the vector; 0 for those behind its last norm.

    Returns:
        The encoder, on the device.

    Raises:
        RequestError: the SPEC is unknown, or what it names is missing, damaged or of another kind.
    """
    name, told = split(spec)
    kind, _, rest = name.partition(":")
    check(spec)
    if kind == "vectors" and rest:
        if told:
            raise RequestError(f"{spec}: only weight files of others are told something behind '?'; leave it out")
        if tap:
            raise RequestError(f"{spec}: vectors made before have no blocks; leave --tap out")
        return _vectors(rest)
    from usfm.model import sources  # torch is not needed to name an encoder
    from usfm.model.network import tapped

    network = sources.network(spec, download=download, seed=seed, pool=pool, resize=resize)
    return of_network(tapped(network, tap), device)


def of_network(network, device: str = "auto") -> Embedder:
    """The frozen encoder that a network is.

    Args:
        network: `usfm.model.network.Network`; it is frozen and put on the device.
        device: auto, cpu, cuda, cuda:1 or mps.

    Returns:
        What gives its vectors.
    """
    entry, size = network.entry, network.entry.image_size
    forward, count = _runner(network, device), cost.parameters(network)
    return Embedder(entry.name, network.dim, entry.identity, size, entry.in_chans, forward, None, entry.resize, count)


def say(embedder: Embedder) -> None:
    """Say what was found in a weight file and what was assumed for it."""
    if embedder.identity.get("loaded"):
        how = f"frames {'stretched' if embedder.resize == 'stretch' else 'letterboxed'} to {embedder.image_size[0]} px"
        console.say(f"{embedder.name}: {embedder.identity['loaded']}; {how}")


def _runner(network, device: str) -> Callable[[np.ndarray], np.ndarray]:
    import torch

    from usfm.model.device import choose_device

    where = choose_device(device)
    network = network.eval().requires_grad_(False).to(where)

    def forward(batch: np.ndarray) -> np.ndarray:
        # TF32 convolutions would make the vectors depend on the batch in the fourth digit.
        with torch.inference_mode(), torch.backends.cudnn.flags(allow_tf32=False):
            return network(torch.from_numpy(batch).to(where)).float().cpu().numpy()

    return forward


def _vectors(path: str) -> Embedder:
    from usfm.store import tables

    columns, attributes = tables.read(path, FEATURES_FORMAT)
    names, vectors = columns.get("frame_id"), columns.get("vectors")
    if names is None or vectors is None:
        lacking = "frame_id" if names is None else "vectors"
        raise RequestError(f"{path}: has no column '{lacking}'; 'usfm embed' writes both frame_id and vectors")
    if (
        names.dtype.kind != "O"
        or vectors.dtype.kind not in "fiu"
        or vectors.ndim != 2
        or names.shape != vectors.shape[:1]
    ):
        raise RequestError(
            f"{path}: expected n texts in frame_id and n rows of numbers in vectors, found shapes {names.shape} and "
            f"{vectors.shape} of {names.dtype} and {vectors.dtype}"
        )
    names, vectors = [str(name) for name in names], np.asarray(vectors, np.float32)
    if len(set(names)) < len(names):
        raise RequestError(f"{path}: {len(names) - len(set(names))} of its frame_ids occur more than once")
    identity = {"kind": "vectors", "content": tables.content_digest(columns), "made_by": attributes.get("encoder", {})}
    index = {name: row for row, name in enumerate(names)}
    return Embedder(Path(path).stem, vectors.shape[1], identity, (0, 0), 0, None, (index, vectors))
