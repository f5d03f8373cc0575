"""A detection that is killed goes on where it was, to the last bit."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from usfm import tasks
from usfm.errors import RequestError
from usfm.tasks.detect.task import Detect


def test_a_detection_is_not_asked_by_a_probe():
    with pytest.raises(RequestError, match="keeps no probe"):
        Detect().again({}, np.zeros((1, 4)), 2)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_killed_and_started_again_it_ends_at_the_same_bits(squares, tmp_path):
    store, environment = squares(), {**os.environ, "OMP_NUM_THREADS": "1"}

    def command(out):
        flags = "--encoder random:vit_nano_patch16_64 --folds 2 --epochs 6 --batch-size 4 --lr 1e-3 --device cpu"
        return [sys.executable, "-m", "usfm", "finetune", "detect", "--in", str(store), "--out", str(out),
                *flags.split()]  # fmt: skip

    subprocess.run(command(tmp_path / "whole"), env=environment, check=True, capture_output=True)
    job = subprocess.Popen(command(tmp_path / "cut"), env=environment, stderr=subprocess.DEVNULL,
                           stdout=subprocess.DEVNULL)  # fmt: skip
    saved = tmp_path / "cut.folds" / "1" / "last" / "state.pt"
    while not saved.is_file() and job.poll() is None:
        time.sleep(0.02)
    job.send_signal(signal.SIGKILL)
    assert job.wait() == -signal.SIGKILL
    again = subprocess.run(command(tmp_path / "cut"), env=environment, check=True, capture_output=True, text=True)
    assert "going on with" in again.stderr
    a, b = (tasks.read(tmp_path / name)[1].arrays for name in ("whole", "cut"))
    assert sum(map(len, a["boxes"])) > 0
    for name in ("boxes", "class", "score"):
        assert all(np.array_equal(one, other) for one, other in zip(a[name], b[name], strict=True)), name
