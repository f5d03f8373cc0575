"""Blind look: 24 simulated frames beside 24 real ones, shuffled or side by side, for the eye.

    python tests/bench/simulate_blind.py --simulated clips/ --real DATA --out /tmp/blind.png [--shuffle]

Real frames stay outside the project: the sheet is for looking at, never for committing. The key of a shuffled sheet
is written beside it as text.
"""

import argparse
from pathlib import Path

import cv2
import numpy as np

FOLDERS = ("pocus_ccby", "hc18", "usgra_seg", "timtrack", "itkpocus", "thyroid_yolo", "dicom_pydicom")
PICTURES = {".png", ".jpg", ".jpeg", ".bmp"}
VIDEOS = {".mp4", ".mov", ".mpeg", ".avi"}


def frame_of(path: Path) -> np.ndarray | None:
    """Read a picture, or the middle frame of the first 60 of a video, as BGR."""
    if path.suffix.lower() in PICTURES:
        return cv2.imread(str(path))
    import av

    kept = []
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            kept.append(frame)
            if len(kept) == 60:
                break
    return kept[len(kept) // 2].to_ndarray(format="bgr24") if kept else None


def choose(root: Path, count: int, rng: np.random.Generator, folders: tuple[str, ...] = ()) -> list[Path]:
    """Draw files, the folders taking turns."""
    groups = [root / name for name in folders if (root / name).is_dir()] or [root]
    piles = []
    for group in groups:
        files = sorted(
            path
            for path in group.rglob("*")
            if path.suffix.lower() in PICTURES | VIDEOS
            and "mask" not in path.as_posix().lower()
            and "Annotation" not in path.name
        )
        piles.append([files[at] for at in rng.permutation(len(files))])
    chosen = []
    while len(chosen) < count and any(piles):
        for pile in piles:
            if pile and len(chosen) < count:
                chosen.append(pile.pop())
    return chosen


def cell_of(path: Path, side: int) -> np.ndarray:
    """Fit a file's frame into a square."""
    frame = frame_of(path)
    cell = np.full((side, side, 3), 48, np.uint8)
    if frame is not None:
        scale = (side - 4) / max(frame.shape[:2])
        small = cv2.resize(frame, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        cell[: small.shape[0], : small.shape[1]] = small
    return cell


def main() -> None:
    """Make the sheet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--simulated", type=Path, required=True)
    parser.add_argument("--real", type=Path, help="without it the sheet holds simulated frames only, as in the docs")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--count", type=int, default=24)
    parser.add_argument("--cell", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--shuffle", action="store_true")
    args = parser.parse_args()
    rng = np.random.default_rng(args.seed)
    left = choose(args.simulated, args.count, rng)
    right = choose(args.real, args.count, rng, FOLDERS) if args.real else []
    if args.shuffle:
        mixed = left + right
        order = rng.permutation(len(mixed))
        cells = [cell_of(mixed[at], args.cell) for at in order]
        key = ["simulated" if at < len(left) else "real" for at in order]
        args.out.with_suffix(".txt").write_text("\n".join(f"{n} {k}" for n, k in enumerate(key)) + "\n")
        rows = [np.hstack(cells[at : at + 8]) for at in range(0, len(cells), 8)]
        sheet = np.vstack([row for row in rows if row.shape == rows[0].shape])
    else:
        halves = []
        for paths in (left, right) if right else (left,):
            cells = [cell_of(path, args.cell) for path in paths]
            wide = 4 if right else 8
            rows = range(0, len(cells) // wide * wide, wide)
            halves.append(np.vstack([np.hstack(cells[at : at + wide]) for at in rows]))
        line = np.full((halves[0].shape[0], 12, 3), 255, np.uint8)
        sheet = np.hstack([halves[0], line, halves[1]]) if right else halves[0]
    cv2.imwrite(str(args.out), sheet)


if __name__ == "__main__":
    main()
