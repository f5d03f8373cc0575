"""What being safe costs: parts and assembly against the same frames straight into one file, as a ratio of seconds.

    python tests/bench/store_overhead.py --work FOLDER

Straight: h5py, one file, the same compressor, chunks and columns, these and one sync at the end. Safe: parts, each
written, synced and renamed, then put together, synced and renamed, with a thread that syncs beside the writes; `to
behind` is the ratio to a straight file written with that thread too. Both give the same datasets, the table of parts
aside, which is looked at before anything is timed; one process does both, in turns. The processor's seconds stand
beside those of the clock, which on a busy machine are those of the others too; `decode` is what a frame costs before
it is stored (a clip of the same frames read by PyAV), and `ratio with it` counts it on both sides. Last comes the
ratio to ordinary h5py, which deflates by zlib: the first is strict, as both sides have ISA-L.
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
from usfm.store.codec import compress, pixel_digest
from usfm.store.schema import FRAMES, LIBVER, SOURCES, frame_id
from usfm.store.sink import Sink
from usfm.store.writer import PartWriter

SHA = "ab" * 32
GROUP = "{}x{}"
SAME = ("frame_id", "source", "index", "time_s", "kind", "region_row", "overlay_row", "row_spacing_mm",
        "col_spacing_mm", "crop_row_px", "crop_col_px", "scale")  # fmt: skip


def write_column(file: h5py.File, row, values) -> None:
    """Write one column of the schema in one go."""
    from usfm.store.part import column

    data = column(row.path, values)
    if row.dtype == "text":
        file.create_dataset(row.path, data=data, dtype=h5py.string_dtype())
    else:
        file.create_dataset(row.path, data=hdf5.fixed_text(data) if row.dtype == "str" else data)


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


def straight(images: np.ndarray, out: Path, behind: bool = False) -> None:
    """All into one file as it comes; with `behind` through the file that assembly uses: large writes, synced beside."""
    columns: dict[str, list] = {name: [] for name in FRAMES}
    order = list(SAME) + ["height", "width", "pixels_group", "pixels_row", "digest"]
    nan = float("nan")
    sink = Sink(out) if behind else None
    with h5py.File(sink or out, "w", libver=LIBVER) as file:
        path = f"/pixels/{GROUP.format(*images.shape[1:])}"
        dataset = hdf5.create_chunked(file, path, len(images), images.shape[1:])
        for row, image in enumerate(images):
            chunk = compress(image)
            dataset.id.write_direct_chunk((row, 0, 0), chunk, 0)
            values = (frame_id(SHA, row), 0, row, row / 3, "b-mode", -1, -1, nan, nan, 0.0, 0.0, 1.0, *image.shape,
                      GROUP.format(*image.shape), row, pixel_digest(image, chunk))  # fmt: skip
            for name, value in zip(order, values, strict=True):
                columns[name].append(value)
        for name, row in FRAMES.items():
            write_column(file, row, columns[name])
        for name, row in SOURCES.items():
            value = {"path": "a", "sha256": SHA, "kind": "video", "copy": 0, "metadata": "{}"}.get(name, row.missing)
            write_column(file, row, [value])
    if sink:
        sink.finish()
        return
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
        part = one_part(images, range(first, min(first + per_part, len(images))))
        parts.append((str(number), folder / write_result(part, folder, f"p-{number:06d}")))
    assemble(out, parts, step={"command": "bench"})


def one_part(images: np.ndarray, rows: range):
    """The work of one part."""
    part = PartWriter()
    source = part.source(path="a", sha256=SHA, kind="video")
    for row in rows:
        part.frame(images[row], frame_id=frame_id(SHA, row), source=source, index=row, time_s=row / 3)
        yield from part.drain()
    yield from part.pieces()


def differences(one: Path, two: Path) -> list[str]:
    """Datasets that differ between two files, those of /parts, /dropped and /rejected aside."""
    found: list[str] = []
    with h5py.File(one) as a, h5py.File(two) as b:
        names: set[str] = set()
        a.visit(names.add)
        b.visit(names.add)
        for name in sorted(names):
            if name.split("/")[0] in ("parts", "dropped", "rejected"):
                continue
            if name not in a or name not in b:
                found.append(name)
            elif isinstance(a[name], h5py.Dataset):
                x, y = a[name][()], b[name][()]
                if not np.array_equal(x, y, equal_nan=x.dtype.kind == "f"):
                    found.append(name)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    print("frames  size  MB    straight s  safe s  ratio [least, largest]  processor's ratio  to behind  "
          "decode s  ratio with it  to ordinary h5py (medians over the repeats)")  # fmt: skip
    for count, size, per_part in ((2000, 386, 250), (20000, 60, 1000)):
        images = frames(count, size)
        shutil.rmtree(options.work, ignore_errors=True)
        options.work.mkdir(parents=True)
        straight(images, options.work / "straight.h5")
        safe(images, options.work / "safe.h5", per_part)
        assert not differences(options.work / "straight.h5", options.work / "safe.h5")
        names = ("straight", "behind", "ordinary", "safe", "decode")
        times: dict[str, list[tuple[float, float]]] = {name: [] for name in names}
        shutil.rmtree(options.work, ignore_errors=True)
        clip = encode(images, options.work.with_suffix(".mp4"))
        for _ in range(options.repeat):
            for name, action in (("straight", lambda p, images=images: straight(images, p)),
                                 ("behind", lambda p, images=images: straight(images, p, behind=True)),
                                 ("ordinary", lambda p, images=images: ordinary(images, p)),
                                 ("safe", lambda p, images=images, n=per_part: safe(images, p, n)),
                                 ("decode", lambda p, clip=clip: decode(clip))):  # fmt: skip
                shutil.rmtree(options.work, ignore_errors=True)
                options.work.mkdir(parents=True)
                started = time.perf_counter(), time.process_time()
                action(options.work / "out.h5")
                times[name].append((time.perf_counter() - started[0], time.process_time() - started[1]))
        clock, cpu = ({name: np.array(times[name])[:, kind] for name in times} for kind in (0, 1))
        pairs = clock["safe"] / clock["straight"]
        print(f"{count:6}  {size:4}  {images.nbytes / 1e6:4.0f}  {np.median(clock['straight']):10.2f}  "
              f"{np.median(clock['safe']):6.2f}  {np.median(pairs):5.2f} [{pairs.min():.2f}, {pairs.max():.2f}]  "
              f"{np.median(cpu['safe'] / cpu['straight']):17.2f}  {np.median(clock['safe'] / clock['behind']):9.2f}  "
              f"{np.median(clock['decode']):8.2f}  "
              f"{np.median((clock['safe'] + clock['decode']) / (clock['straight'] + clock['decode'])):13.2f}  "
              f"{np.median(clock['safe'] / clock['ordinary']):13.2f}", flush=True)  # fmt: skip
        clip.unlink()
    shutil.rmtree(options.work, ignore_errors=True)


if __name__ == "__main__":
    main()
