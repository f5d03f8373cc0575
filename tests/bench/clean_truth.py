"""How much burnt-in text clean covers and how much tissue it loses: text of known size written over real clean clips.

    python tests/bench/clean_truth.py STORE.h5 [--clips 12] [--frames 24] [--sizes 10,15,22]

STORE has regions (after `sector`'s or `dedup`'s region phase) and clips without overlays. Text of each size is written
inside the region (bright 255, and 150 for faint print) and in the top left corner; a line counts as found when at least
80 % of its strokes are filled in the frames, on average. Tissue lost: share of the region's moving pixels that are
filled more than 3 px away from the text, with text and without any. The interval is Wilson's, 95 %.
"""

import argparse
import time

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from usfm.curate.clean.layout import LayoutOverlay
from usfm.curate.clean.text import find_text
from usfm.imaging import overlay
from usfm.imaging.gray import to_gray
from usfm.store.reader import Store

WORDS = ("DOE JOHN", "12/03/2021", "ID 48213", "LIVER RT", "10:42:18", "MI 1.1 TIS 0.4")


def wilson(hits: int, n: int) -> tuple[float, float]:
    """95 % interval of a share."""
    z, p = 1.96, hits / n
    middle, half = p + z * z / (2 * n), z * np.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return (middle - half) / (1 + z * z / n), (middle + half) / (1 + z * z / n)


def drawn(shape: tuple[int, int], words: str, at: tuple[int, int], size: int, level: int) -> np.ndarray:
    """A black picture with one line of text."""
    import matplotlib

    font = ImageFont.truetype(f"{matplotlib.get_data_path()}/fonts/ttf/DejaVuSans.ttf", size)
    picture = Image.new("L", shape[::-1])
    ImageDraw.Draw(picture).text(at, words, fill=level, font=font)
    return np.array(picture)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("store")
    parser.add_argument("--clips", type=int, default=12)
    parser.add_argument("--frames", type=int, default=24)
    parser.add_argument("--sizes", default="10,15,22")
    args = parser.parse_args()
    cv2.setNumThreads(1)
    store, random = Store.open(args.store), np.random.default_rng(0)
    clips = [rows[: args.frames] for rows in store.clips() if len(rows) >= 8]
    clips = [clips[k] for k in np.unique(np.linspace(0, len(clips) - 1, args.clips).astype(int))]
    covered: dict[tuple, list[float]] = {}
    lost, lost_plain, readings, start = [], [], [], time.process_time()
    for rows in clips:
        frames = [to_gray(frame) for frame in store.frames(rows)]
        region = store.region(int(store.column("region_row")[rows[0]])).mask
        moving = (overlay.spread_over_time(frames) > overlay.TISSUE_SPREAD) & region
        plain = LayoutOverlay(region, find_text)
        lost_plain.append(np.mean([(mask & moving).sum() / max(1, moving.sum()) for mask in plain.look(frames)]))
        readings.append(plain.readings)
        for size in map(int, args.sizes.split(",")):
            inside = np.argwhere(cv2.erode(region.astype(np.uint8), np.ones((2 * size, 8 * size), np.uint8)))
            for place, level in (("inside", 255), ("inside", 150), ("corner", 200)):
                at = (2, 2)
                if place == "inside" and len(inside):
                    row, column = inside[random.integers(len(inside))]
                    at = (int(column) - 3 * size, int(row) - size // 2)
                text = drawn(region.shape, str(random.choice(WORDS)), at, size, level)
                strokes = text > level // 2
                masks = LayoutOverlay(region, find_text).look([np.maximum(frame, text) for frame in frames])
                covered.setdefault((size, place, level), []).append(float(np.mean([m[strokes].mean() for m in masks])))
                away = moving & ~cv2.dilate(strokes.astype(np.uint8), np.ones((7, 7), np.uint8)).astype(bool)
                lost.append(np.mean([(mask & away).sum() / max(1, moving.sum()) for mask in masks]))
    print(
        f"{len(clips)} clips, {time.process_time() - start:.0f} s of one core, {np.mean(readings):.2f} readings a clip"
    )
    for (size, place, level), shares in sorted(covered.items()):
        hits = sum(share >= 0.8 for share in shares)
        low, high = wilson(hits, len(shares))
        print(f"{size:3d} px {place} {level}: {hits}/{len(shares)} lines found [{low:.2f}, {high:.2f}], "
              f"{np.mean(shares):.3f} of their strokes filled")  # fmt: skip
    every = [share for shares in covered.values() for share in shares]
    hits = sum(share >= 0.8 for share in every)
    low, high = wilson(hits, len(every))
    print(f"all: {hits}/{len(every)} lines [{low:.3f}, {high:.3f}]")
    print(f"moving tissue lost: {100 * np.mean(lost):.4f} % (largest {100 * max(lost):.3f} %); "
          f"without text {100 * np.mean(lost_plain):.4f} % (largest {100 * max(lost_plain):.3f} %)")  # fmt: skip


if __name__ == "__main__":
    main()
