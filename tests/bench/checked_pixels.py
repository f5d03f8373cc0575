"""Reading rate of a fixed-size store in its first pass, in which each frame is checked, against a pass without checks.

    python tests/bench/checked_pixels.py --work FOLDER [--frames 20000] [--size 256] [--rounds 5]

Random batches through `Store.pixels`, as training reads them, from a file in the page cache; in each round one pass of
each kind in turns. The gate: the median ratio is at least 0.7.
"""

import argparse
import statistics
import sys
import time
from pathlib import Path

import numpy as np

GATE = 0.7


def make(path: Path, frames: int, size: int) -> None:
    """A fixed-size store of noise."""
    from usfm.store.assemble import write_store
    from usfm.store.schema import frame_id
    from usfm.store.writer import PartWriter

    part, rng = PartWriter(contiguous=True), np.random.default_rng(0)
    source = part.source(path="a.mp4", sha256="a" * 64, kind="video")
    for index in range(frames):
        pixels = rng.integers(0, 256, (size, size), np.uint8)
        part.frame(pixels, frame_id=frame_id("a" * 64, index), source=source, index=index, time_s=index / 30)
    write_store(path, part)


def rate(store, batches: list[np.ndarray], checked: bool) -> float:
    """Frames a second of one pass.

    Args:
        store: of fixed size.
        batches: rows of each.
        checked: compare each frame with its CRC-32; else none, as in every later pass.
    """
    for file in store.files():
        file._seen[:] = not checked
    started = time.perf_counter()
    for rows in batches:
        store.pixels(rows)
    return sum(map(len, batches)) / (time.perf_counter() - started)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--frames", type=int, default=20000)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    from usfm.store.reader import Store

    options.work.mkdir(parents=True, exist_ok=True)
    path = options.work / f"{options.frames}x{options.size}.h5"
    if not path.exists():
        make(path, options.frames, options.size)
    store = Store.open(path)
    rows = np.random.default_rng(1).permutation(len(store))
    batches = np.array_split(rows, max(len(rows) // options.batch, 1))
    rate(store, batches, checked=False)  # into the page cache
    ratios = []
    for number in range(options.rounds):
        order = (False, True) if number % 2 else (True, False)
        found = {checked: rate(store, batches, checked) for checked in order}
        ratios.append(found[True] / found[False])
        print(f"unchecked {found[False]:,.0f} frames/s, checked {found[True]:,.0f}, ratio {ratios[-1]:.2f}", flush=True)
    median = statistics.median(ratios)
    print(f"median ratio {median:.2f} over {options.rounds} rounds of {len(store):,} frames; gate {GATE}")
    sys.exit(median < GATE)


if __name__ == "__main__":
    main()
