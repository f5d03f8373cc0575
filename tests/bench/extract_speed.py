"""Extract against the loop that everybody writes first: cv2.VideoCapture into an h5py dataset. A ratio, not a boast.

    python tests/bench/extract_speed.py [--media DIR] [--workers 2] [--repeat 3] [--clips 12] [--seconds 8]

Both take three frames a second of the same clips, turn them gray, and write one chunk a frame with gzip. The loop has
no digests, no presentation times, no rejected rows, no resuming and no pseudonyms; it runs in one process, and uses
h5py's default gzip level. cv2 decodes with its own threads in the loop; `--threads 1` takes them away. Runs alternate,
the fastest of each counts. Also measured: the share of wall time that is start-up, from a run on one tiny still.
"""

import argparse
import tempfile
import time
from fractions import Fraction
from pathlib import Path

import av
import cv2
import h5py
import numpy as np

from usfm import console
from usfm.config import Request
from usfm.extract.config import Config
from usfm.extract.run import run

SUFFIXES = {".mp4", ".mov", ".avi", ".mpeg", ".mpg"}


def make_clips(folder: Path, clips: int, seconds: float, side: int = 512, fps: int = 30) -> None:
    """Write H.264 clips of moving speckle: about as hard to decode and to compress as ultrasound is."""
    rng = np.random.default_rng(0)
    for number in range(clips):
        speckle = cv2.GaussianBlur(rng.rayleigh(60, (side * 2, side * 2)).astype(np.float32), (5, 5), 1.2)
        speckle = speckle.clip(0, 255).astype(np.uint8)
        with av.open(str(folder / f"clip_{number:02d}.mp4"), "w") as container:
            stream = container.add_stream("libx264", rate=Fraction(fps))
            stream.width = stream.height = side
            stream.pix_fmt = "yuv420p"
            for frame in range(int(seconds * fps)):
                shift = int(side / 4 * (1 + np.sin(frame / fps)))
                gray = np.ascontiguousarray(speckle[shift : shift + side, shift // 2 : shift // 2 + side])
                container.mux(stream.encode(av.VideoFrame.from_ndarray(gray, format="gray").reformat(format="yuv420p")))
            container.mux(stream.encode())


def naive(media: Path, out: Path) -> tuple[int, int]:
    """Decode with cv2, keep by frame number and nominal rate, write with h5py; returns frames decoded and kept."""
    decoded = kept = 0
    with h5py.File(out, "w") as file:
        for path in sorted(one for one in media.rglob("*") if one.suffix.lower() in SUFFIXES):
            capture = cv2.VideoCapture(str(path))
            step = (capture.get(cv2.CAP_PROP_FPS) or 25) / 3
            number, due = 0, 0.0
            while True:
                good, frame = capture.read()
                if not good:
                    break
                if number >= due:
                    gray = cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY)
                    name = f"{gray.shape[0]}x{gray.shape[1]}"
                    if name not in file:
                        file.create_dataset(
                            name, (0, *gray.shape), "u1", maxshape=(None, *gray.shape), chunks=(1, *gray.shape),
                            compression="gzip",
                        )  # fmt: skip
                    data = file[name]
                    data.resize(len(data) + 1, axis=0)
                    data[-1] = gray
                    kept += 1
                    due += step
                number += 1
            decoded += number
    return decoded, kept


def timed(work, *arguments) -> tuple[float, object]:
    """Run and return seconds and result."""
    started = time.perf_counter()
    result = work(*arguments)
    return time.perf_counter() - started, result


def main() -> None:
    """Measure and print one table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--media", type=Path)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--threads", type=int, default=-1, help="cv2's threads in the loop (-1: its own choice)")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--clips", type=int, default=12)
    parser.add_argument("--seconds", type=float, default=8)
    asked = parser.parse_args()
    if asked.threads > 0:
        import os

        os.environ["OPENCV_FFMPEG_CAPTURE_OPTIONS"] = f"threads;{asked.threads}"
        cv2.setNumThreads(asked.threads)
    console.configure(quiet=True)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        media = asked.media or folder / "media"
        if asked.media is None:
            media.mkdir()
            make_clips(media, asked.clips, asked.seconds)
        still = folder / "still"
        still.mkdir()
        cv2.imwrite(str(still / "a.png"), np.zeros((8, 8), np.uint8))

        def extract(source: Path, workers: int) -> dict:
            out = folder / f"{source.name}.{workers}.h5"
            return run(Config(color=False), Request((str(source),), str(out), overwrite=True, workers=workers))

        best: dict[str, float] = {}
        kept: dict[str, int] = {}
        for _ in range(asked.repeat):
            seconds, (decoded, count) = timed(naive, media, folder / "naive.h5")
            best["loop"], kept["loop"] = min(seconds, best.get("loop", 1e9)), count
            for workers in sorted({1, asked.workers}):
                name = f"extract, {workers} workers"
                seconds, summary = timed(extract, media, workers)
                best[name], kept[name] = min(seconds, best.get(name, 1e9)), summary["frames_out"]
            seconds, _ = timed(extract, still, 1)
            best["extract, one tiny still"], kept["extract, one tiny still"] = (
                min(seconds, best.get("extract, one tiny still", 1e9)),
                1,
            )
        sizes = {
            "loop": folder / "naive.h5",
            **{f"extract, {n} workers": folder / f"{media.name}.{n}.h5" for n in (1, asked.workers)},
        }
        rows = [
            [
                name,
                f"{seconds:.2f}",
                f"{decoded / seconds:.0f}" if "still" not in name else "",
                kept[name],
                f"{best['loop'] / seconds:.2f}" if "still" not in name else "",
                f"{sizes[name].stat().st_size / 1e6:.1f}" if name in sizes else "",
            ]
            for name, seconds in best.items()
        ]
        columns = ["", "seconds", "decoded/s", "kept", "times the loop", "MB"]
        print(console.format_table(f"{decoded} frames decoded, best of {asked.repeat}", columns, rows))


if __name__ == "__main__":
    main()
