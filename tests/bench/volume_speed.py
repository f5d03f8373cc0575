"""Volumes to a store against reading and compressing alone, in CPU seconds, so that a busy machine does not count.

    python tests/bench/volume_speed.py [--planes 150] [--side 640] [--repeat 3]

Both read the same planes by the same reader, in one process. Alone: the compressed planes are thrown away. `extract`:
with its parts made in the process itself; digests, the first look and the store on disk count. Start-up, measured on a
volume of one plane, does not.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import cv2
import numpy as np

ALONE = """
import sys
from usfm.extract.media import Media
from usfm.extract.readers import recognised
from usfm.extract.readers.contract import Notes
from usfm.extract.sampling import Sampling
from usfm.store.codec import compress
path = sys.argv[1]
reader = recognised(open(path, "rb").read(4096), "")
for frame in reader.read(Media(path), Sampling(None), Notes()):
    if sys.argv[2] == "compress":
        compress(frame.pixels)
"""
EXTRACT = """
import sys
from concurrent.futures import Executor, Future
from usfm.config import Request
from usfm.extract.config import Config
from usfm.extract.run import run
from usfm.jobs import pool
class Here(Executor):
    limit_s = hang_s = None
    def __init__(self, workers):
        pass
    def submit(self, fn, /, *args, **kwargs):
        future = Future()
        future.set_result(fn(*args, **kwargs))
        return future
pool.WorkerPool = Here
run(Config(), Request(inputs=(sys.argv[1],), out=sys.argv[2], workers=1, overwrite=True))
"""


def write(folder: Path, planes: int, side: int) -> dict[str, Path]:
    """Write one volume of speckle in several ways."""
    import nibabel

    rng = np.random.default_rng(0)
    speckle = cv2.GaussianBlur(rng.rayleigh(60, (side + planes, side)).astype(np.float32), (5, 5), 1.2)
    volume = np.stack([speckle[n : n + side] for n in range(planes)])
    found = {}
    for name, dtype in (("8 bits, raw", "u1"), ("16 bits, raw", "<i2"), ("8 bits, gzip", "u1"), ("float, gzip", "<f4")):
        values = (volume.clip(0, 255) if dtype == "u1" else volume * 12).astype(dtype)
        found[name] = folder / f"{len(found)}{planes}.nii{'.gz' if 'gzip' in name else ''}"
        nibabel.save(nibabel.Nifti1Image(values.transpose(2, 1, 0), np.eye(4)), str(found[name]))
    return found


def cpu_s(*command: str) -> float:
    """Run a command; return the CPU seconds of it and its children."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Print the ratio for each way of writing."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--planes", type=int, default=150)
    parser.add_argument("--side", type=int, default=640)
    parser.add_argument("--repeat", type=int, default=3)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)

        def all_of(path: Path) -> dict[str, float]:
            return {
                "read": cpu_s(sys.executable, "-c", ALONE, str(path), "throw"),
                "compress": cpu_s(sys.executable, "-c", ALONE, str(path), "compress"),
                "extract": cpu_s(sys.executable, "-c", EXTRACT, str(path), str(folder / "out.h5")),
            }

        small, large = write(folder, 1, asked.side), write(folder, asked.planes, asked.side)
        for what in large:
            runs = [(all_of(small[what]), all_of(large[what])) for _ in range(asked.repeat)]
            net = {key: min(big[key] for _, big in runs) - min(one[key] for one, _ in runs) for key in runs[0][0]}
            print(
                f"{what}: reading {net['read']:.2f} s, with compressing {net['compress']:.2f} s, extract"
                f" {net['extract']:.2f} s: {net['compress'] / net['extract']:.2f} of reading and compressing alone,"
                f" {net['read'] / net['extract']:.2f} of reading alone"
            )


if __name__ == "__main__":
    main()
