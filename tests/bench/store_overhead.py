"""What being safe costs: parts and assembly against the same frames straight into one file, as a ratio of seconds.

    python tests/bench/store_overhead.py --work FOLDER

Straight: h5py, one file, the same compressor and chunks, columns at the end, one sync. Safe: parts in memory with
digests, each written, synced and renamed, then put together, synced and renamed. One process does both. The processor's
seconds stand beside those of the clock, which on a busy machine are those of the others too; `decode` is what a frame
costs before it is stored (a clip of the same frames read by PyAV), and `ratio with it` counts it on both sides. Last
comes the ratio to ordinary h5py, which deflates by zlib: the first one is strict, as both sides have ISA-L.
"""

import argparse
import os
import shutil
import time
from pathlib import Path

import cv2
import h5py
import numpy as np

from usfm.jobs.worker import write_result
from usfm.store import hdf5
from usfm.store.assemble import assemble
from usfm.store.codec import compress
from usfm.store.schema import FRAMES, LIBVER, frame_id
from usfm.store.writer import PartWriter

SHA = "ab" * 32


def frames(count: int, size: int) -> np.ndarray:
    """Speckle-like frames that deflate to some 40 %: a few made, the others rolled."""
    rng = np.random.default_rng(0)
    some = []
    for _ in range(16):
        noise = np.abs(cv2.GaussianBlur(rng.normal(size=(size, size)), (0, 0), 1.5))
        image = np.clip(noise / noise.max() * 300, 0, 255).astype(np.uint8)
        image[:, : size // 5] = 0
        image[:, -size // 5 :] = 0
        some.append(image)
    return np.stack([np.roll(some[k % 16], k // 16, axis=0) for k in range(count)])


def encode(images: np.ndarray, path: Path) -> Path:
    """The frames as a clip, H.264."""
    import av

    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as file:
        stream = file.add_stream("libx264", rate=30, options={"preset": "ultrafast", "crf": "18"})
        stream.width = stream.height = images.shape[1] // 2 * 2
        stream.pix_fmt = "yuv420p"
        for image in images:
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image[: stream.height, : stream.width]), "gray")
            file.mux(stream.encode(frame))
        file.mux(stream.encode())
    return path


def decode(path: Path) -> None:
    """Read all frames of a clip, gray, on one thread."""
    import av

    with av.open(str(path)) as file:
        file.streams.video[0].thread_type = "NONE"
        for frame in file.decode(video=0):
            frame.to_ndarray(format="gray")


def straight(images: np.ndarray, out: Path) -> None:
    """All into one file as it comes."""
    columns: dict[str, list] = {name: [] for name in FRAMES}
    with h5py.File(out, "w", libver=LIBVER) as file:
        dataset = hdf5.create_chunked(file, "/pixels/frames", len(images), images.shape[1:])
        for row, image in enumerate(images):
            dataset.id.write_direct_chunk((row, 0, 0), compress(image), 0)
            values = (frame_id(SHA, row), 0, row, row / 3, *image.shape, "x", row, "", "b-mode", -1, -1, 0, 0, 0, 0, 1)
            for name, value in zip(FRAMES, values, strict=True):
                columns[name].append(value)
        for name, row in FRAMES.items():
            hdf5.write_column(file, row, row.path, columns[name], documented=True)
    with open(out, "rb") as file:
        os.fsync(file.fileno())


def ordinary(images: np.ndarray, out: Path) -> None:
    """All into one file in the way of the h5py manual: `dataset[row] = image` with its own gzip."""
    with h5py.File(out, "w", libver=LIBVER) as file:
        dataset = hdf5.create_chunked(file, "/pixels/frames", len(images), images.shape[1:])
        for row, image in enumerate(images):
            dataset[row] = image
    with open(out, "rb") as file:
        os.fsync(file.fileno())


def safe(images: np.ndarray, out: Path, per_part: int) -> None:
    """Parts, each on the disk before the next, then one store."""
    folder, parts = out.parent, []
    for number, first in enumerate(range(0, len(images), per_part)):
        part = PartWriter()
        source = part.source(path="a", sha256=SHA, kind="video")
        for row in range(first, min(first + per_part, len(images))):
            part.frame(images[row], frame_id=frame_id(SHA, row), source=source, index=row, time_s=row / 3)
        parts.append((str(number), folder / write_result(part.to_bytes(), folder, f"p-{number:06d}")))
    assemble(out, parts, step={"command": "bench"})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    print("frames  size  MB    straight s  safe s  ratio  processor's ratio  decode s  ratio with it (medians)")
    for count, size, per_part in ((2000, 386, 250), (20000, 60, 1000)):
        images = frames(count, size)
        times: dict[str, list[tuple[float, float]]] = {"straight": [], "ordinary": [], "safe": [], "decode": []}
        shutil.rmtree(options.work, ignore_errors=True)
        clip = encode(images, options.work.with_suffix(".mp4"))
        for _ in range(options.repeat):
            for name, action in (("straight", lambda p, images=images: straight(images, p)),
                                 ("ordinary", lambda p, images=images: ordinary(images, p)),
                                 ("safe", lambda p, images=images, n=per_part: safe(images, p, n)),
                                 ("decode", lambda p, clip=clip: decode(clip))):  # fmt: skip
                shutil.rmtree(options.work, ignore_errors=True)
                options.work.mkdir(parents=True)
                started = time.perf_counter(), time.process_time()
                action(options.work / "out.h5")
                times[name].append((time.perf_counter() - started[0], time.process_time() - started[1]))
        (a, a_cpu), (b, b_cpu), (c, c_cpu) = (np.median(times[name], axis=0) for name in ("straight", "safe", "decode"))
        plain = np.median(times["ordinary"], axis=0)
        with_it = f"{(b + c) / (a + c):.2f}, processor {(b_cpu + c_cpu) / (a_cpu + c_cpu):.2f}"
        to_plain = f"to ordinary h5py {b / plain[0]:.2f}, processor {b_cpu / plain[1]:.2f}"
        print(f"{count:6}  {size:4}  {images.nbytes / 1e6:4.0f}  {a:10.2f}  {b:6.2f}  {b / a:5.2f}  "
              f"{b_cpu / a_cpu:17.2f}  {c:8.2f}  {with_it}; {to_plain}", flush=True)  # fmt: skip
        clip.unlink()
    shutil.rmtree(options.work, ignore_errors=True)


if __name__ == "__main__":
    main()
