"""Curves of a run on the way."""

import numpy as np
import pytest

from usfm.tasks import learning


def log(steps, seed=0):
    losses = np.random.default_rng(seed).random(steps).tolist()
    lines = [{"step": k + 1, "loss": value, "lr": 0.1} for k, value in enumerate(losses)]
    return lines + [{"step": k, "val_dice": k / steps} for k in range(10, steps + 1, 10)], losses


@pytest.mark.parametrize("steps", [1, 59, 600])
def test_the_loss_is_averaged_and_checks_stay_as_they_are(steps):
    lines, losses = log(steps)
    found = learning.of_logs({"0": lines})
    at, values = found["loss"]["0"]
    assert len(at) == min(steps, learning.POINTS)
    assert at[-1] == steps
    shares = np.diff([0, *at])
    assert np.average(values, weights=shares) == pytest.approx(np.mean(losses))
    if steps >= 10:
        assert found["val_dice"]["0"] == (list(range(10, steps + 1, 10)), [k / steps for k in range(10, steps + 1, 10)])


def test_what_is_written_comes_back_and_damage_is_left_out(tmp_path):
    found = learning.of_logs({"0": log(40)[0], "site A, B": log(70, 1)[0]})
    learning.write(tmp_path, found)
    assert learning.read(tmp_path) == found
    assert {path.name for path in (tmp_path / "figures").iterdir()} == {"loss.png", "val_dice.png"}
    with (tmp_path / learning.FILE).open("ab") as file:
        file.write(b"0,not a number,loss,1\n0,3\n\xff\xfe,1,loss,nan\n")
    assert learning.read(tmp_path) == found
    assert learning.read(tmp_path / "nowhere") == {}


def test_a_log_with_nothing_in_it_writes_nothing(tmp_path):
    learning.write(tmp_path, learning.of_logs({"0": [{"step": 1, "loss": float("nan")}, {"card": 1}]}))
    assert not list(tmp_path.iterdir())
