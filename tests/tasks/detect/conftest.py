"""A store of bright squares, for all tests of detection."""

import numpy as np
import pytest

from usfm.store.assemble import write_store
from usfm.store.schema import frame_id
from usfm.store.writer import PartWriter


@pytest.fixture
def squares(tmp_path):
    """A store of bright squares; `more` are boxes of further frames, `None` for unknown ones."""

    def make(patients=6, frames=2, more=(), masks=False):
        part, rng = (
            PartWriter(box_names=("cyst", "mass"), mask_names=("cyst",) if masks else ()),
            np.random.default_rng(0),
        )
        for k in range(patients * frames + len(more)):
            sha = f"{k:064x}"[::-1]
            source = part.source(path=f"{k}.png", sha256=sha, kind="image", patient=f"p{k // frames}")
            pixels = rng.integers(0, 30, (60, 90)).astype(np.uint8)
            top, left = rng.integers(5, 25), rng.integers(5, 50)
            pixels[top : top + 25, left : left + 30] = 200
            known = [[left, top, left + 30, top + 25]] if k < patients * frames else more[k - patients * frames]
            labels = (
                {}
                if known is None
                else {"boxes": (np.array(known, np.float32).reshape(-1, 4), [k // 2 % 2] * len(known))}
            )
            if masks:
                labels = {"mask": (pixels > 100).astype(np.uint8)}
            part.frame(pixels, frame_id=frame_id(sha, 0), source=source, index=0, time_s=0.0, **labels)
        return write_store(tmp_path / "s.h5", part)

    return make
