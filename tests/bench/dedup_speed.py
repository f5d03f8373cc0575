"""DCT features and the exact search against imagehash.phash, and the cost of thinning out many frames.

    OMP_NUM_THREADS=1 python tests/bench/dedup_speed.py [--frames 400] [--side 450] [--search 20000] [--store STORE.h5]

One thread each, the same gray frames in memory, CPU seconds, the fastest run counts. The search is the star cover of
random vectors of 256 numbers, in which each second one is a copy; `430,000 frames` is the quadratic estimate for the
size of PolarMAE's corpus on one core.
"""

import argparse
import time

import cv2
import numpy as np

from usfm.imaging.dct import dct_features, phash
from usfm.imaging.gray import to_gray
from usfm.imaging.neighbours import cover


def frames_of(args: argparse.Namespace) -> tuple[list[np.ndarray], list[np.ndarray | None]]:
    """Frames and masks: of a store, or moving speckle in a fan."""
    if args.store:
        from usfm.store.reader import Store

        store = Store.open(args.store)
        rows = np.linspace(0, len(store) - 1, min(args.frames, len(store))).astype(int)
        known = store.column("region_row")[rows]
        return [to_gray(frame) for frame in store.frames(rows)], [
            store.region(r).mask if r >= 0 else None for r in known
        ]
    random = np.random.default_rng(0)
    base = cv2.GaussianBlur(random.rayleigh(60, (2 * args.side, 2 * args.side)).astype(np.float32), (0, 0), 1.5)
    rows, columns = np.indices((args.side, args.side))
    mask = np.abs(np.arctan2(columns - args.side / 2, rows + args.side / 4)) < 0.6
    frames = []
    for k in range(args.frames):
        top = k % args.side
        frames.append(np.where(mask, base[top : top + args.side, : args.side].clip(0, 255), 0).astype(np.uint8))
    return frames, [mask] * args.frames


def fastest(work, repeat: int) -> float:
    """CPU seconds of the fastest of some runs: other processes on the machine do not count."""
    times = []
    for _ in range(repeat):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return min(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=400)
    parser.add_argument("--side", type=int, default=450)
    parser.add_argument("--search", type=int, default=20_000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--store", default="")
    args = parser.parse_args()
    cv2.setNumThreads(1)
    frames, masks = frames_of(args)
    n = len(frames)
    for name, work in (
        ("DCT features of the region", lambda: dct_features(frames, masks)),
        ("imagehash.phash", lambda: phash(frames)),
    ):
        seconds = fastest(work, args.repeat)
        print(f"{name:28s} {n / seconds:8.0f} frames/s  ({n} frames of {frames[0].shape})")
    random = np.random.default_rng(1)
    vectors = random.normal(size=(args.search // 2, 256)).astype(np.float32)
    vectors = np.repeat(vectors, 2, axis=0) + 0.02 * random.normal(size=(2 * len(vectors), 256)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    seconds = fastest(lambda: cover(vectors, 0.95, np.arange(len(vectors))), 1)
    minutes = seconds * (430_000 / len(vectors)) ** 2 / 60
    print(f"star cover of {len(vectors)} x 256    {seconds:8.2f} s; 430,000 frames: about {minutes:.1f} min")


if __name__ == "__main__":
    main()
