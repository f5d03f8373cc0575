"""A small sector store: six patients, two layouts, speckle that has something to learn in it."""

import cv2
import numpy as np
import pytest
import torch
from torch.overrides import TorchFunctionMode

from usfm.imaging.fan import SectorGeometry, mask
from usfm.imaging.region import Region
from usfm.store.assemble import assemble
from usfm.store.writer import PartWriter

SIDE = 64


def write_store(path, *, clips=6, frames=6, regions=True, empty=False, seed=0, patients="p", side=SIDE, dataset=""):
    """Clips of `frames` frames, an int or one number a clip; the frames of two seeds are different ones."""
    lengths, first, scale = ([frames] * clips if isinstance(frames, int) else frames), 100 * seed, side / SIDE
    rng = np.random.default_rng(seed)
    part = PartWriter(contiguous=True, class_names=("fine", "coarse"))
    fans = (
        SectorGeometry("convex", 32.0 * scale, -14.0 * scale, 16.0 * scale, 74.0 * scale, -0.5, 0.5),
        SectorGeometry("linear", 32.0 * scale, 3.0 * scale, 0.0, 57.0 * scale, -0.4, 0.4),
    )
    for clip, length in enumerate(lengths):
        geometry = fans[clip % 2]
        inside = mask(geometry, (side, side)) & (not empty)
        source = part.source(
            path=f"{clip}.mp4",
            sha256=f"{clip + first:064x}",
            kind="video",
            patient=f"{patients}{clip}",
            fps=3.0,
            frames=length,
            dataset=dataset,
        )
        row = (
            part.region(Region(inside, geometry.shape, geometry, 0.9, "motion"), f"layout{clip % 2}") if regions else -1
        )
        for k in range(length):
            speckle = cv2.GaussianBlur(rng.rayleigh(1, (side, side)).astype(np.float32), (0, 0), 1 + 2 * (clip % 2))
            speckle = 120 * speckle / speckle.max() + 60 * np.linspace(1, 0, side, dtype=np.float32)[:, None]
            part.frame(
                (speckle * inside).astype(np.uint8),
                frame_id=f"{clip + first:016x}:{k}",
                source=source,
                index=k,
                time_s=k / 3,
                region_row=row,
                label=clip % 2,
            )
    piece = path.with_suffix(".part")
    piece.write_bytes(part.to_bytes())
    assemble(path, [("all", piece)], step={"command": "sector"})
    piece.unlink()
    return str(path)


@pytest.fixture(scope="session")
def store_path(tmp_path_factory):
    return write_store(tmp_path_factory.mktemp("store") / "sector.h5")


@pytest.fixture(scope="session")
def make_store():
    return write_store


TINY = (
    "model.name=vit_nano_patch16_64",
    "model.image_size=64",
    "decoder.width=32",
    "decoder.depth=1",
    "decoder.heads=2",
    "run.steps=8",
    "run.batch_size=8",
    "run.checks=2",
    "run.saves=4",
)


@pytest.fixture(scope="session")
def tiny():
    """Changes that make any recipe run in a second."""
    return TINY


ASKING = {
    *("item", "tolist", "numpy", "cpu", "nonzero", "masked_select", "unique", "equal", "allclose", "bincount"),
    *("__bool__", "__int__", "__float__", "__index__", "__contains__", "is_nonzero", "argwhere"),
}


class NoSync(TorchFunctionMode):
    """Fails on operations for which a host would have to wait for a GPU."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        name = getattr(func, "__name__", "")
        assert name not in ASKING, f"{name} waits for the device"
        if name == "__getitem__":
            index = args[1] if isinstance(args[1], tuple) else (args[1],)
            assert not any(isinstance(i, torch.Tensor) and i.dtype == torch.bool for i in index), "a mask index waits"
        return func(*args, **(kwargs or {}))


@pytest.fixture
def no_sync():
    """The mode in which nothing may be asked of the device."""
    return NoSync()
