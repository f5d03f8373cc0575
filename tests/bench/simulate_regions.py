"""How well the acoustic region is found on simulated files, against the phantom's truth.

    usfm simulate --out clips && python tests/bench/simulate_regions.py clips

Prints one line a layout and probe: files, median and 10th percentile of IoU, and the worst file.
"""

import argparse
import json
from collections import defaultdict
from pathlib import Path

import av
import cv2
import numpy as np

from usfm.imaging.gray import to_gray
from usfm.imaging.region import find_region


def frames_of(path: Path, step: int) -> list[np.ndarray]:
    """Read every step-th frame of a video, or a picture, as gray."""
    if path.suffix in (".png", ".jpg"):
        return [to_gray(cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB))]
    with av.open(str(path)) as container:
        return [to_gray(frame.to_ndarray(format="rgb24")) for frame in container.decode(video=0)][::step]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("media", type=Path)
    parser.add_argument("--step", type=int, default=5)
    args = parser.parse_args()
    truth = args.media.with_name(args.media.name + ".truth")
    found = defaultdict(list)
    for item in json.loads((truth / "truth.json").read_text())["items"]:
        path = args.media / item["path"]
        if item["kind"] in ("clip", "still") and path.suffix in (".png", ".jpg", ".mp4", ".avi"):
            mask = cv2.imread(str(truth / item["masks"]["sector"]), cv2.IMREAD_GRAYSCALE) > 0
            region = find_region(frames_of(path, args.step))
            overlap = (mask & region.mask).sum() / max((mask | region.mask).sum(), 1)
            for group in (f"layout {item['layout']}", f"probe {item['probe']}", f"kind {item['kind']}", "all"):
                found[group].append((float(overlap), item["path"]))
    for group, scores in sorted(found.items()):
        values = [score for score, _ in scores]
        worst = min(scores)
        low = np.percentile(values, 10)
        middle = np.median(values)
        print(f"{group}: n {len(values)}, IoU median {middle:.3f}, p10 {low:.3f}, worst {worst[0]:.3f} {worst[1]}")


if __name__ == "__main__":
    main()
