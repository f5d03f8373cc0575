"""Frames a second of `usfm simulate` at 400x400: wall clock over all processes, and processor time.

python tests/bench/simulate_speed.py [--processes 2] [--clips 8] [--seconds 4]
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from usfm.config import Request
from usfm.simulate import look
from usfm.simulate.config import Config
from usfm.simulate.run import run


def main() -> None:
    """Render in several processes at once, each with clips of its own, and print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--clips", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--one", action="store_true", help="be one of the processes")
    args = parser.parse_args()
    if args.one:
        look.ASPECTS = (1.0,)
        config = Config(clips=args.clips, stills=0, patients=16, duplicates=0, seconds=args.seconds, size=400)
        with tempfile.TemporaryDirectory() as folder:
            wall_s, cpu_s = time.perf_counter(), time.process_time()
            summary = run(config, Request(out=str(Path(folder) / "clips"), workers=1, seed=args.seed))
            figures = (summary["frames_out"], time.perf_counter() - wall_s, time.process_time() - cpu_s)
        print(json.dumps(figures))
        return
    command = [sys.executable, __file__, "--one", f"--clips={args.clips}", f"--seconds={args.seconds}", "--seed"]
    runs = [subprocess.Popen([*command, str(seed)], stdout=subprocess.PIPE) for seed in range(args.processes)]
    done = [json.loads(each.communicate()[0]) for each in runs]
    frames, wall_s, cpu_s = sum(each[0] for each in done), max(each[1] for each in done), sum(each[2] for each in done)
    figures = {"frames_per_s": round(frames / wall_s, 1), "frames_per_cpu_s": round(frames / cpu_s, 1)}
    print(json.dumps({"frames": frames, **figures, "processes": args.processes}))


if __name__ == "__main__":
    main()
