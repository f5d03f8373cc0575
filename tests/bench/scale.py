"""Small frames through the four curation commands: seconds and peak memory against their number, fitted.

    python tests/bench/scale.py --work FOLDER --frames 10000,30000,100000

Clips of 1,000 frames of 60 x 60 pixels: speckle, new in every frame, in a sector. Memory is the proportional set size
of the command and all its processes together, looked at five times a second; the exponent is the slope of the logarithm
of the seconds, the processor's seconds (which other work on the machine hardly touches) or the memory over that of N.
"""

import argparse
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import av
import cv2
import numpy as np

SIZE_PX, PER_CLIP = 60, 1000


def make_clip(path: Path, seed: int) -> None:
    """One clip of independent speckle under a sector."""
    rng = np.random.default_rng(seed)
    rows, cols = np.mgrid[:SIZE_PX, :SIZE_PX]
    angle, radius = np.arctan2(cols - SIZE_PX / 2, rows + 8), np.hypot(cols - SIZE_PX / 2, rows + 8)
    sector = (np.abs(angle) < 0.6) & (radius > 12) & (radius < 62)
    with av.open(str(path), "w") as file:
        stream = file.add_stream("libx264", rate=30, options={"preset": "ultrafast", "crf": "16"})
        stream.width = stream.height = SIZE_PX
        stream.pix_fmt = "yuv420p"
        for _ in range(PER_CLIP):
            noise = cv2.GaussianBlur(rng.normal(size=(SIZE_PX, SIZE_PX)), (0, 0), 1.2)
            image = np.where(sector, np.clip(np.abs(noise) * 300 + 20, 0, 255), 0).astype(np.uint8)
            file.mux(stream.encode(av.VideoFrame.from_ndarray(image, "gray")))
        file.mux(stream.encode())


def tree(pid: int) -> list[int]:
    """A process and all below it."""
    found = [pid]
    for one in found:
        for listed in Path(f"/proc/{one}/task").glob("*/children"):  # by thread: any may have started a process
            try:
                found += [int(child) for child in listed.read_text().split()]
            except OSError:
                continue
    return found


def memory_mb(pids: list[int]) -> float:
    """Proportional set size of processes, MB: what they share counts once."""
    total = 0
    for pid in pids:
        try:
            text = Path(f"/proc/{pid}/smaps_rollup").read_text()
        except OSError:
            continue
        total += int(text.split("Pss:")[1].split()[0])
    return total / 1e3


def processor_s(pid: int) -> float:
    """Processor time that a process has used so far, s."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(command: list[str], folder: Path) -> tuple[float, float, float]:
    """Seconds, processor seconds of all processes, and peak MB of one command."""
    started, peak, used = time.perf_counter(), 0.0, {}
    process = subprocess.Popen([sys.executable, "-m", "usfm", *command, "-q"], cwd=folder, stdout=subprocess.DEVNULL)
    while process.poll() is None:
        pids = tree(process.pid)
        peak = max(peak, memory_mb(pids))
        used.update({pid: max(processor_s(pid), used.get(pid, 0.0)) for pid in pids})
        time.sleep(0.2)
    if process.returncode:
        sys.exit(f"{command}: exit {process.returncode}")
    return time.perf_counter() - started, sum(used.values()), peak


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--frames", default="10000,30000,100000")
    parser.add_argument("--workers", default="2")
    options = parser.parse_args()
    counts = [int(text) for text in options.frames.split(",")]
    clips = options.work / "clips"
    shutil.rmtree(options.work, ignore_errors=True)
    clips.mkdir(parents=True)
    found: dict[str, list[tuple[int, float, float, float]]] = {}
    made = 0
    print("command   frames   seconds  frames/s  processor s  peak MB", flush=True)
    for count in counts:
        for number in range(made, count // PER_CLIP):
            make_clip(clips / f"{number:04d}.mp4", number)
        made = count // PER_CLIP
        steps = {
            "extract": ["extract", "clips", "--fps", "all", "--out", "raw.h5"],
            "clean": ["clean", "--in", "raw.h5", "--text", "none", "--out", "clean.h5"],
            "dedup": ["dedup", "--in", "clean.h5", "--out", "unique.h5"],
            "sector": ["sector", "--in", "unique.h5", "--size", "64", "--out", "sector.h5"],
        }
        for name, command in steps.items():
            seconds, processor, peak = measure([*command, "--workers", options.workers, "--overwrite"], options.work)
            found.setdefault(name, []).append((count, seconds, processor, peak))
            print(
                f"{name:8} {count:7}  {seconds:8.1f}  {count / seconds:8.0f}  {processor:11.1f}  {peak:7.0f}",
                flush=True,
            )
    if len(counts) > 1:
        for name, rows in found.items():
            n, *logs = np.log(np.array(rows, float)).T
            slopes = [np.polyfit(n, values, 1)[0] for values in logs]
            print("{:8} seconds ~ N^{:.2f}, processor's ~ N^{:.2f}, memory ~ N^{:.2f}".format(name, *slopes))
    shutil.rmtree(options.work, ignore_errors=True)


if __name__ == "__main__":
    main()
