"""Loggers beside the files: what they are told, that W&B stays offline, and what is said where one is not installed."""

import sys
from types import ModuleType, SimpleNamespace

import pytest

from usfm.engine.record import RunDirectory, check_loggers
from usfm.errors import RequestError


@pytest.fixture
def told(monkeypatch):
    """What TensorBoard and W&B would have been told."""
    notes: list = []

    class Writer:
        def __init__(self, folder):
            notes.append(("tensorboard", folder))

        def add_scalar(self, key, value, step):
            notes.append((key, value, step))

        def close(self):
            notes.append("closed")

    board = ModuleType("torch.utils.tensorboard")
    board.SummaryWriter = Writer
    wandb = ModuleType("wandb")

    def init(**settings):
        notes.append(("wandb", settings["mode"]))
        return SimpleNamespace(
            log=lambda values, step: notes.append((values, step)), finish=lambda: notes.append("done")
        )

    wandb.init = init
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", board)
    monkeypatch.setitem(sys.modules, "wandb", wandb)
    return notes


def run(folder, loggers, **line):
    with RunDirectory(folder, {}) as directory:
        directory.open(overwrite=False, recipe={}, card={})
        directory.start_metrics(0, loggers)
        directory.log(line)


def test_loggers_get_the_numbers_of_a_line(tmp_path, told):
    run(tmp_path / "run", ("tensorboard", "wandb"), step=3, loss=0.5, by_depth=[1, 2])
    assert ("wandb", "offline") in told
    assert ("loss", 0.5, 3) in told
    assert ({"step": 3, "loss": 0.5}, 3) in told
    assert "closed" in told
    assert "done" in told
    assert (tmp_path / "run" / "metrics.csv").read_text().startswith("step,loss")


@pytest.mark.parametrize("name", ["tensorboard", "wandb"])
def test_a_logger_that_is_not_installed_names_the_extra(tmp_path, monkeypatch, name):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(RequestError, match=r"needs the extra 'log'"):
        run(tmp_path / "run", (name,), step=1)


def test_csv_is_no_logger_and_others_are_refused():
    assert check_loggers(("csv", "tensorboard")) == ("tensorboard",)
    with pytest.raises(RequestError, match="tensorboard"):
        check_loggers(("smoke",))
