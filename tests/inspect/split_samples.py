"""Small stores of many patients, for tests of split and select."""

import numpy as np

from usfm.store.assemble import write_store
from usfm.store.writer import PartWriter


def cohort(path, patients=12, frames=3, classes=("healthy", "ill"), seed=0, size=(24, 24), **source):
    """Write a store in which patient k has one clip of some frames, each a picture of its own.

    Args:
        path: of the store.
        patients: how many; their clips are "pNN/clip.mp4".
        frames: most of a clip, 1 at least.
        classes: patient k is of class k modulo their number.
        seed: of the pictures and of the number of frames.
        size: of a frame, px.
        source: name of a column of /sources -> function of k.
    """
    rng = np.random.default_rng(seed)
    part = PartWriter(class_names=classes)
    for k in range(patients):
        sha = f"{seed:02x}{k:014x}".ljust(64, "0")
        count = int(rng.integers(1, frames + 1))
        columns = {"patient": f"p{k:02d}", "exam": f"e{k:02d}", "dataset": "made"}
        columns |= {name: value(k) for name, value in source.items()}
        row = part.source(path=f"p{k:02d}/clip.mp4", sha256=sha, kind="video", fps=3.0, frames=count, **columns)
        for index in range(count):
            picture = rng.integers(0, 256, (6, 6)).astype(np.uint8).repeat(size[0] // 6, 0).repeat(size[1] // 6, 1)
            part.frame(picture, frame_id=f"{sha[:16]}:{index}", source=row, index=index, time_s=index / 3,
                       label=k % len(classes) if classes else None)  # fmt: skip
    return write_store(path, part)
