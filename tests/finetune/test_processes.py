"""A training in processes of its own: killed and gone on with, and shared by two."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from usfm.tasks import predictions

pytestmark = pytest.mark.slow
FLAGS = ["--encoder", "random:vit_nano_patch16_64", "--protocol", "full", "--folds", "2", "--epochs", "6",
         "--batch-size", "16", "--image-size", "32", "--lr", "2e-3", "--augment", "augus-o", "--device",
         "cpu"]  # fmt: skip


def command(store, out, *more, launcher=()):
    return [sys.executable, *launcher, "-m", "usfm", "finetune", "classify", "--in", str(store.paths[0]), "--out",
            str(out), *FLAGS, *more]  # fmt: skip


def scores(out):
    return predictions.read(out).arrays["scores"]


def environment():
    return {**os.environ, "OMP_NUM_THREADS": "1"}


@pytest.mark.timeout(600)
def test_killed_and_started_again_it_ends_at_the_same_bits(make_store, cohort, tmp_path):
    store, more = make_store(cohort), ["--set", "mixup=0.5", "--set", "ema=0.9"]
    subprocess.run(command(store, tmp_path / "whole", *more), env=environment(), check=True, capture_output=True)
    job = subprocess.Popen(command(store, tmp_path / "cut", *more), env=environment(), stderr=subprocess.DEVNULL,
                           stdout=subprocess.DEVNULL)  # fmt: skip
    saved = tmp_path / "cut.folds" / "0" / "last" / "state.pt"
    while not saved.is_file() and job.poll() is None:
        time.sleep(0.02)
    job.send_signal(signal.SIGKILL)
    assert job.wait() == -signal.SIGKILL
    assert not (tmp_path / "cut").exists()
    again = subprocess.run(command(store, tmp_path / "cut", *more), env=environment(), check=True, capture_output=True,
                           text=True)  # fmt: skip
    assert "going on with" in again.stderr
    assert np.array_equal(scores(tmp_path / "whole"), scores(tmp_path / "cut"))
    assert not (tmp_path / "cut.folds").exists()


@pytest.mark.timeout(600)
def test_two_processes_train_what_one_does(make_store, cohort, tmp_path):
    """Without dropped paths and mixing, which are drawn for a process's part."""
    store, more = make_store(cohort), ["--set", "drop_path=0"]
    subprocess.run(command(store, tmp_path / "one", *more), env=environment(), check=True, capture_output=True)
    two = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    subprocess.run(command(store, tmp_path / "two", *more, launcher=two), env=environment(), check=True,
                   capture_output=True)  # fmt: skip
    assert np.allclose(scores(tmp_path / "one"), scores(tmp_path / "two"), atol=2e-4)
