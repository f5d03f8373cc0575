"""Overlap of found regions with hand-drawn ones, beside the published still rule.

    python tests/bench/region_truth.py DATA_FOLDER [--out result.json] [--pictures DIR]

DATA_FOLDER holds ``truth/truth.csv`` (item, file, params, mask, ...) and the files it names. Clips are sampled at
3 frames/s; the published rule (ABRC) sees the middle frame. The interval is a bootstrap over geometries: items that
share one (the same sector parameters to a few pixels) are drawn together.
"""

import argparse
import csv
import json
import time
from pathlib import Path

import av
import numpy as np
from PIL import Image

from usfm.imaging.abrc import abrc_mask
from usfm.imaging.region import find_region

VIDEO = {".mp4", ".mov", ".mpeg", ".avi"}


def frames_of(path: Path, fps: float = 3.0) -> list[np.ndarray]:
    """Decode a file of the truth set: every 1/fps s of a clip, one frame of a still."""
    if path.suffix.lower() in VIDEO:
        return video(path, fps)
    if path.suffix == ".dcm" or "dicom" in path.parts[-2] or "dicom" in str(path.parent):
        return dicom(path)
    picture = Image.open(path)
    return [np.asarray(picture if picture.mode in ("L", "RGB") else picture.convert("RGB"))]


def video(path: Path, fps: float) -> list[np.ndarray]:
    """Take one frame every 1/fps s by presentation time."""
    frames, due = [], 0.0
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        start = None
        for frame in container.decode(stream):
            now = float(frame.pts * stream.time_base)
            start = now if start is None else start
            if now - start >= due - 1e-6:
                frames.append(frame.to_ndarray(format="rgb24"))
                due += 1 / fps
    return frames


def dicom(path: Path) -> list[np.ndarray]:
    """Decode a DICOM file; JPEG-LS and lossless JPEG by FFmpeg, which pydicom alone cannot."""
    import pydicom
    from pydicom.encaps import generate_frames
    from pydicom.pixels import apply_color_lut, pixel_array

    data = pydicom.dcmread(path, force=True)
    count = int(data.get("NumberOfFrames", 1) or 1)
    try:
        pixels = pixel_array(path)
    except RuntimeError:
        codec = "jpegls" if "LS" in data.file_meta.TransferSyntaxUID.name else "mjpeg"
        context = av.CodecContext.create(codec, "r")
        packet = av.Packet(next(generate_frames(data.PixelData, number_of_frames=count)))
        return [(context.decode(packet) + context.decode(None))[0].to_ndarray(format="rgb24")]
    if data.PhotometricInterpretation == "PALETTE COLOR":
        pixels = (apply_color_lut(pixels, data) >> 8).astype(np.uint8)
    pixels = pixels[None] if count == 1 else pixels
    return [np.ascontiguousarray(pixels[k]) for k in np.unique(np.linspace(0, count - 1, 48).round().astype(int))]


def overlap(found: np.ndarray, wanted: np.ndarray) -> float:
    """Return intersection over union."""
    return float((found & wanted).sum() / max(1, (found | wanted).sum()))


def groups_of(rows: list[dict]) -> list[int]:
    """Number the geometries: items of the same size whose first sector differs by under 4 px and 1 degree are one."""
    known: list[tuple] = []
    numbers = []
    for row in rows:
        part = json.loads(row["params"])[0]
        values = np.array(part["fan"][:6] if "fan" in part else np.ravel(part["poly"])[:8], float)
        for k, (size, other) in enumerate(known):
            if size == (row["width"], row["height"]) and len(other) == len(values) and np.abs(other - values).max() < 4:
                numbers.append(k)
                break
        else:
            known.append(((row["width"], row["height"]), values))
            numbers.append(len(known) - 1)
    return numbers


def interval(values: np.ndarray, groups: np.ndarray, draws: int = 2000) -> list[float]:
    """Return the 95 % bootstrap interval of the median, geometries drawn with replacement."""
    random = np.random.default_rng(0)
    members = [values[groups == k] for k in np.unique(groups)]
    medians = [
        np.median(np.concatenate([members[k] for k in random.integers(0, len(members), len(members))]))
        for _ in range(draws)
    ]
    return [round(float(v), 4) for v in np.quantile(medians, (0.025, 0.975))]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--pictures", type=Path)
    asked = parser.parse_args()
    rows = list(csv.DictReader((asked.data / "truth" / "truth.csv").open()))
    groups = np.array(groups_of(rows))
    table = []
    for row in rows:
        wanted = np.asarray(Image.open(asked.data / "truth" / row["mask"]).convert("L")) > 127
        frames = frames_of(asked.data / row["file"])
        frames = [frames[k] for k in np.unique(np.linspace(0, len(frames) - 1, 48).round().astype(int))]
        started = time.process_time()
        region = find_region(frames)
        spent = time.process_time() - started
        table.append({
            "item": row["item"], "ours": overlap(region.mask, wanted), "shape": region.shape or "-",
            "wanted": row["shape"], "confidence": region.confidence, "evidence": region.evidence, "cpu_s": spent,
            "abrc": overlap(abrc_mask(frames[len(frames) // 2]), wanted),
        })  # fmt: skip
        if asked.pictures:
            from usfm.pictures import sheet

            shown = sheet.outline(sheet.outline(frames[len(frames) // 2], wanted, sheet.GREEN), region.mask, sheet.RED)
            sheet.save(shown, asked.pictures / f"{table[-1]['ours']:.3f}_{row['item'][-60:]}.png")
    result = {"n": len(table), "geometries": len(np.unique(groups))}
    for name in ("ours", "abrc"):
        values = np.array([entry[name] for entry in table])
        result[name] = {
            "median": round(float(np.median(values)), 4), "interval95": interval(values, groups),
            "mean": round(float(values.mean()), 4), "minimum": round(float(values.min()), 4),
            "under_0.90": int((values < 0.9).sum()), "under_0.95": int((values < 0.95).sum()),
        }  # fmt: skip
    result["cpu_s_median"] = round(float(np.median([entry["cpu_s"] for entry in table])), 3)
    worst = sorted(table, key=lambda entry: entry["ours"])[:8]
    result["worst"] = {entry["item"]: round(entry["ours"], 3) for entry in worst}
    print(json.dumps(result, indent=1))
    if asked.out:
        asked.out.write_text(json.dumps({"summary": result, "items": table}, indent=1))


if __name__ == "__main__":
    main()
