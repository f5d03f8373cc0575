"""How long `usfm eval` takes: 5 runs of 10,000 predictions, 1,000 draws, all pairs compared, the page drawn.

    python tests/bench/eval_speed.py [PREDICTIONS] [DRAWS]

The aim is under 60 s on two cores.
"""

import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from usfm.config import Request
from usfm.evaluate.config import Config
from usfm.evaluate.run import run
from usfm.tasks import predictions
from usfm.tasks.predictions import Predictions

CLASSES, PATIENTS, RUNS = 4, 500, 5


def made(seed: int, n: int) -> Predictions:
    """Predictions of a probe with four classes, better with a larger seed."""
    rng = np.random.default_rng(seed)
    who = np.arange(n) % PATIENTS
    target = (who % CLASSES).astype(np.int32)
    logit = rng.normal(0, 1, (n, CLASSES)) + 0.3 * seed * np.eye(CLASSES)[target]
    scores = np.exp(logit) / np.exp(logit).sum(axis=1, keepdims=True)
    names = np.char.add("p", who.astype(str)).astype(object)
    columns = {"target": target, "scores": scores.astype(np.float32), "majority": np.zeros(n, np.int32)}
    frames = np.char.add("f", np.arange(n).astype(str)).astype(object)
    split, fold = np.full(n, "test", object), np.full(n, "0", object)
    return Predictions(frames, names, names, names, split, fold, arrays=columns, class_names=tuple("abcd"))


def main(n: int, draws: int) -> None:
    """Print the seconds that the whole command takes, and those of the processor."""
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / f"run{seed}" for seed in range(RUNS)]
        for seed, path in enumerate(paths):
            path.mkdir()
            predictions.write(path / predictions.FILE, made(seed, n))
        asked = Config(compare=True, bootstrap=draws, format="html,json,csv,md,latex")
        wall, processor = time.perf_counter(), time.process_time()
        run(asked, Request(inputs=tuple(map(str, paths)), out=str(Path(folder) / "report")))
        wall, processor = time.perf_counter() - wall, time.process_time() - processor
        sys.stdout.write(f"{RUNS} runs of {n:,}, {draws:,} draws: {wall:.1f} s, {processor:.1f} s of the processor\n")


if __name__ == "__main__":
    main(*(int(word) for word in (sys.argv[1:] or ("10000", "1000"))))
