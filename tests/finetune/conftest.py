import numpy as np
import pytest

from usfm.store.assemble import assemble
from usfm.store.reader import Store
from usfm.store.schema import frame_id
from usfm.store.writer import PartWriter


@pytest.fixture
def make_store(tmp_path):
    """Write a store of clips: one clip a row of (patient, class, split); the class shows as brightness."""

    def make(clips, *, frames=4, seed=0, noise=25, name="s.h5", identical=(), like=None):
        rng = np.random.default_rng(seed)
        names = sorted({clip[1] for clip in clips if clip[1] is not None})
        part, drawn = PartWriter(class_names=names), {}
        for k, (patient, kind, split) in enumerate(clips):
            sha = f"{k:064x}"[::-1]
            source = part.source(path=f"clip{k:02}.mp4", sha256=sha, kind="video", patient=patient)
            level = 60 + 60 * names.index(kind) if kind is not None else 90
            for f in range(frames):
                picture = np.clip(rng.normal(level, noise, (24, 24)), 0, 255).astype(np.uint8)
                if k in identical:
                    picture = np.arange(576, dtype=np.uint16).reshape(24, 24).astype(np.uint8) + f
                if k in (like or {}):  # the same picture, a little brighter
                    picture = drawn[like[k], f] // 2 + 9
                drawn[k, f] = picture
                part.frame(
                    picture,
                    frame_id=frame_id(sha, f),
                    source=source,
                    index=f,
                    time_s=f / 3,
                    label=None if kind is None else names.index(kind),
                    split=split,
                )
        (tmp_path / "part").write_bytes(part.to_bytes())
        assemble(tmp_path / name, [("part", tmp_path / "part")], step={"command": "test"})
        return Store.open(tmp_path / name)

    return make


@pytest.fixture
def cohort():
    """Twelve patients, two clips each, two classes."""
    return [(f"p{p:02}", "ab"[p % 2], "") for p in range(12) for _ in range(2)]
