"""A whole training in its run directory: which checkpoint is best, when it ends, and what a resumed run does."""

import json

import numpy as np
import pytest
import torch
from torch import nn

from usfm.engine.data import Feed, Pixels
from usfm.engine.device import Ranks
from usfm.engine.loop import fit
from usfm.engine.optim import Group
from usfm.engine.record import RunDirectory
from usfm.engine.step import Training
from usfm.engine.stream import Stream
from usfm.engine.truth import Truth
from usfm.model import checkpoint

CPU = torch.device("cpu")
N, SIDE = 12, 8


class Frames:
    """As much of a store as batches need."""

    fixed_shape = (SIDE, SIDE)

    def __len__(self):
        return N

    def pixels(self, rows):
        return np.stack([np.full(self.fixed_shape, 20 * row, np.uint8) for row in rows])


class Brightness:
    """A job on labels: tell the frame's brightness; its checks give the scores of a list."""

    def __init__(self, scores=()):
        torch.manual_seed(0)
        self.model = nn.Linear(SIDE * SIDE, 1)
        self.scores, self.asked = list(scores), 0

    def loss(self, net, batch, step):
        assert batch.truth.labels.tolist() == batch.plan.rows[batch.part].tolist()
        return (net(batch.frames.flatten(1) / 255)[:, 0] - batch.truth.labels / N).square().mean(), {}

    def check(self, model, step):
        self.asked += 1
        return {"score": self.scores[self.asked - 1], "figure": 1.0} if self.scores else {}

    def group(self, name):
        return Group()

    def write(self, folder, kept, trained, state):
        from usfm.model.vit import encoder_shape

        shape = encoder_shape("vit_nano_patch16_64")
        checkpoint.save(folder, dict(kept), shape, model=dict(trained), state=state)


def train(out, job, resume=False, **how):
    stream = Stream(np.arange(N), 4, (SIDE, SIDE), (2, 2), 0)
    feed = Feed(stream, Pixels(Frames(), CPU, "none"), truth=lambda rows: Truth(labels=rows.astype(np.float32)))
    training = Training(**{"steps": 20, "lr": 1e-2, "checks": 10, "saves": 4, **how})
    with RunDirectory(out, {}) as run:
        run.open(overwrite=False, recipe={}, card={"command": "toy"})
        return fit(job, feed, training, run, ranks=Ranks(), device=CPU, resume=resume), run.metrics()


def step_of(folder):
    return checkpoint.load_state(folder)[1]["step"]


SCORES = [0.5, 0.7, 0.6, 0.6, 0.6, 0.9, 0.1, 0.1, 0.1, 0.1]


def test_a_job_learns_from_labels(tmp_path):
    result, rows = train(tmp_path / "run", Brightness(), steps=60)
    losses = [row["loss"] for row in rows if row.get("loss") is not None]
    assert len(losses) == 60
    assert np.mean(losses[-10:]) < 0.2 * np.mean(losses[:5])
    assert result["best"] is None


@pytest.mark.parametrize("higher, step, best", [(True, 12, 0.9), (False, 14, 0.1)])
def test_the_best_checkpoint_is_by_the_score(tmp_path, higher, step, best):
    result, _ = train(tmp_path / "run", Brightness(SCORES), higher=higher)
    assert result["best"] == best
    assert step_of(tmp_path / "run" / "best") == step
    assert (result["steps"], "stopped_early" in result) == (20, False)


def test_patience_ends_the_run_and_a_resumed_run_stays_ended(tmp_path):
    job = Brightness(SCORES)
    result, rows = train(tmp_path / "run", job, higher=True, patience=3)
    assert (result["steps"], result["best"], result["stopped_early"], job.asked) == (10, 0.7, True, 5)
    assert step_of(tmp_path / "run" / "last") == 10
    assert step_of(tmp_path / "run" / "best") == 4
    assert len([row for row in rows if row.get("loss") is not None]) == 10
    again, _ = train(tmp_path / "run", Brightness(SCORES), resume=True, higher=True, patience=3)
    assert (again["steps"], again["best"], again["stopped_early"]) == (10, 0.7, True)


def test_lines_are_json_whatever_the_scores(tmp_path):
    train(tmp_path / "run", Brightness([float("nan")] * 10), patience=4)
    for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines():
        json.loads(line, parse_constant=lambda name: pytest.fail(f"{name} in a line of metrics"))
