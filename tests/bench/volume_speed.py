"""Volumes to a store against reading and compressing alone, in processor time, so that a busy machine does not count.

    python tests/bench/volume_speed.py [--planes 300] [--side 640] [--repeat 3]

Both read the same planes by the same reader, in this process. Alone: the planes, or the compressed planes, are thrown
away. `extract`: with its parts made in the process itself; digests, the first look and the store on disk count. The
least time of each counts; runs alternate.
"""

import argparse
import tempfile
import time
from concurrent.futures import Executor, Future
from pathlib import Path

import cv2
import numpy as np

from usfm.config import Request
from usfm.extract.config import Config
from usfm.extract.media import Media
from usfm.extract.readers import recognised
from usfm.extract.readers.contract import Notes
from usfm.extract.run import run
from usfm.extract.sampling import Sampling
from usfm.jobs import pool
from usfm.store.codec import compress

WAYS = {"8 bits, raw": "u1", "16 bits, raw": "<i2", "8 bits, gzip": "u1", "floating, raw": "<f4"}


class Here(Executor):
    """Runs parts in this process, whose time is counted."""

    limit_s = hang_s = None

    def __init__(self, workers: int):
        pass

    def submit(self, fn, /, *args, **kwargs):
        """Do it at once."""
        future = Future()
        future.set_result(fn(*args, **kwargs))
        return future


def write(path: Path, dtype: str, planes: int, side: int) -> None:
    """Write a volume of speckle."""
    import nibabel

    rng = np.random.default_rng(0)
    speckle = cv2.GaussianBlur(rng.rayleigh(60, (side + planes, side)).astype(np.float32), (5, 5), 1.2)
    volume = np.stack([speckle[n : n + side] for n in range(planes)])
    values = (volume.clip(0, 255) if dtype == "u1" else volume * 12).astype(dtype)
    nibabel.save(nibabel.Nifti1Image(values.transpose(2, 1, 0), np.eye(4)), str(path))


def alone(path: Path, packed: bool) -> None:
    """Read every plane and throw it away, compressed or not."""
    reader = recognised(path.read_bytes()[:4096], "")
    for frame in reader.read(Media(str(path)), Sampling(None), Notes()):
        if packed:
            compress(frame.pixels)


def extract(path: Path) -> None:
    """Make a store."""
    run(Config(), Request(inputs=(str(path),), out=str(path.parent / "out.h5"), workers=1, overwrite=True))


def cpu_s(what, *arguments) -> float:
    """Return the processor time of a call."""
    started = time.process_time()
    what(*arguments)
    return time.process_time() - started


def main() -> None:
    """Print the ratios for each way of writing."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--planes", type=int, default=300)
    parser.add_argument("--side", type=int, default=640)
    parser.add_argument("--repeat", type=int, default=3)
    asked = parser.parse_args()
    pool.WorkerPool = Here
    with tempfile.TemporaryDirectory() as name:
        for way, dtype in WAYS.items():
            path = Path(name) / f"v.nii{'.gz' if 'gzip' in way else ''}"
            write(path, dtype, asked.planes, asked.side)
            runs = [
                (cpu_s(alone, path, False), cpu_s(alone, path, True), cpu_s(extract, path)) for _ in range(asked.repeat)
            ]
            reading, packing, whole = (min(each) for each in zip(*runs, strict=True))
            print(
                f"{way}: reading {reading:.2f} s, with compressing {packing:.2f} s, extract {whole:.2f} s: "
                f"{packing / whole:.2f} of reading and compressing alone, {reading / whole:.2f} of reading alone"
            )


if __name__ == "__main__":
    main()
