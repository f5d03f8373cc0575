"""Media to store against the work that no extraction can leave out, in as many processes. A ratio, not a boast.

    python tests/bench/media_to_store.py [--workers 2] [--repeat 3] [--clips 8] [--seconds 8] [--copies 12] [--cine 12]
        [--frames 120] [--media DIR]

The other side of each line does less than `extract` and writes nothing:

- clips: PyAV decodes every frame of every clip and throws it away (one thread a process).
- compressed DICOM: pydicom decodes every frame and throws it away.
- native DICOM: every frame is read through pydicom's offsets and compressed as the store compresses it, no more.

Both sides are whole processes' wall time, start-up included, so a collection takes some seconds: each clip stands there
--copies times, each copy with a number at its end that makes it another file. With --media, real clips stand instead of
those of speckle. Runs alternate, the least of each counts. 1 would be extraction for nothing.
"""

import argparse
import importlib.util
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

BENCH = Path(__file__).resolve().parent


def _module(name: str):
    spec = importlib.util.spec_from_file_location(name, BENCH / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def decode_clip(path: str) -> int:
    """Decode a clip and throw it away; returns its frames."""
    import av

    with av.open(path) as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1
        return sum(1 for _ in container.decode(stream))


def decode_dicom(path: str) -> int:
    """Decode every frame by pydicom and throw it away; returns how many."""
    from pydicom.pixels import iter_pixels

    return sum(1 for _ in iter_pixels(path))


def read_and_compress(path: str) -> int:
    """Read every frame of a native cine and compress it as the store does; returns how many."""
    from pydicom.pixels import iter_pixels

    from usfm.store.codec import compress

    return sum(1 for one in iter_pixels(path) if compress(one))


def in_processes(work: Callable[[str], int], media: Path, workers: int) -> int:
    """Do the work for each file of a folder, in so many processes."""
    with ProcessPoolExecutor(workers) as pool:
        return sum(pool.map(work, [str(path) for path in sorted(media.iterdir())]))


def multiply(folder: Path, copies: int) -> None:
    """Add copies of the clips of a folder; a box at the end, which players pass over, makes each another file."""
    for path in sorted(folder.iterdir()):
        data = path.read_bytes()
        for number in range(1, copies):
            box = (16).to_bytes(4, "big") + b"free" + number.to_bytes(8, "big")
            (folder / f"{path.stem}-{number:03d}{path.suffix}").write_bytes(data + box)


def extract(media: Path, out: Path, workers: int, fps: str) -> int:
    """What usfm does; returns the frames in the store."""
    from usfm.config import Request
    from usfm.extract.config import Config
    from usfm.extract.run import run

    return run(Config(color=False, fps=fps), Request((str(media),), str(out), overwrite=True, workers=workers))[
        "frames_out"
    ]


def main() -> None:
    """Measure and print a line a medium."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, value in (("workers", 2), ("repeat", 3), ("clips", 8), ("seconds", 8), ("cine", 12),
                        ("frames", 120), ("copies", 12)):  # fmt: skip
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--media", type=Path, help="real clips, MP4 or MOV")
    asked = parser.parse_args()
    from usfm import console

    console.configure(quiet=True)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        (folder / "clips").mkdir()
        if asked.media:
            for path in (one for one in asked.media.rglob("*") if one.suffix.lower() in (".mp4", ".mov")):
                (folder / "clips" / path.name).write_bytes(path.read_bytes())
        else:
            _module("extract_speed").make_clips(folder / "clips", asked.clips, asked.seconds)
        multiply(folder / "clips", asked.copies)
        (folder / "made").mkdir()
        for path in _module("dicom_speed").make(folder / "made", asked.frames):
            if path.stem in ("jpeg gray", "jpeg-ls", "native gray"):
                (folder / path.stem).mkdir()
                for number in range(asked.cine):
                    (folder / path.stem / f"{number}.dcm").write_bytes(path.read_bytes())
        lines = [("clips, 3 fps", "clips", decode_clip, "3"), ("clips, all frames", "clips", decode_clip, "all"),
                 ("jpeg gray", "jpeg gray", decode_dicom, "all"), ("jpeg-ls", "jpeg-ls", decode_dicom, "all"),
                 ("native gray", "native gray", read_and_compress, "all")]  # fmt: skip
        for name, media, work, fps in lines:
            best: dict[str, float] = {}
            for _ in range(asked.repeat):
                started = time.perf_counter()
                count = in_processes(work, folder / media, asked.workers)
                between = time.perf_counter()
                kept = extract(folder / media, folder / "out.h5", asked.workers, fps)
                ended = time.perf_counter()
                for side, seconds in (("least", between - started), ("usfm", ended - between)):
                    best[side] = min(seconds, best.get(side, 9e9))
            ratio = best["least"] / best["usfm"]
            print(f"{name:20} {count} frames, {kept} kept: least work {best['least']:.2f} s, "
                  f"usfm {best['usfm']:.2f} s, ratio {ratio:.2f}", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
