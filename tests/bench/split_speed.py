"""How long `usfm split` takes for 100,000 tiny frames: ``python tests/bench/split_speed.py FOLDER``."""

import sys
import time
from pathlib import Path

import numpy as np

from usfm.config import Request, cores
from usfm.inspect.split.config import Config
from usfm.inspect.split.run import run
from usfm.store.assemble import write_store
from usfm.store.writer import PartWriter

CLIPS, FRAMES, CLIPS_OF_A_PATIENT = 4000, 25, 4


def make(path):
    """Write the store: 4,000 clips of 25 frames of 16 x 16 px, three classes."""
    rng = np.random.default_rng(0)
    part = PartWriter(class_names=("a", "b", "c"))
    for clip in range(CLIPS):
        patient = clip // CLIPS_OF_A_PATIENT
        source = part.source(path=f"c{clip:05d}.mp4", sha256=f"{clip:064x}", kind="video", fps=30.0, frames=FRAMES,
                             patient=f"p{patient}", exam=f"e{clip // 2}")  # fmt: skip
        for index in range(FRAMES):
            part.frame(rng.integers(0, 256, (16, 16), np.uint8), frame_id=f"{clip:016x}:{index}", source=source,
                       index=index, time_s=index / 30, label=patient % 3)  # fmt: skip
    return write_store(path, part)


def main(folder):
    """Measure each way to split once."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    store = folder / "tiny.h5"
    if not store.exists():
        make(store)
    for name, config in {"fractions": Config(), "folds": Config(folds=5)}.items():
        began = time.monotonic()
        summary = run(config, Request(inputs=(str(store),), out=str(folder / f"{name}.h5"), overwrite=True))
        taken = time.monotonic() - began
        print(f"{name}: {summary['frames_out']:,} frames in {taken:.1f} s with {cores()} workers, "
              f"widest gap {summary['widest_gap']:.2f} points")  # fmt: skip


if __name__ == "__main__":
    main(sys.argv[1])
