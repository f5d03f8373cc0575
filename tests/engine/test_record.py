"""Loggers beside the files: what they are told, that W&B stays offline, and what is said where one is not installed."""

import json
import sys
from types import ModuleType, SimpleNamespace

import pytest

from usfm.engine import record
from usfm.engine.boards import check_loggers
from usfm.engine.record import RunDirectory
from usfm.errors import Interrupted, RequestError, WorkError


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


def opened(folder, overwrite=False, settings=None, command="pretrain"):
    directory = RunDirectory(folder, settings or {"lr": 1})
    return directory, lambda: directory.open(overwrite=overwrite, recipe={}, card={"command": command})


def card(folder):
    return json.loads((folder / "card.json").read_text())


@pytest.mark.parametrize("name", ["write_json", "write_text", "to_toml"])
def test_a_run_killed_before_its_first_card_can_be_started_again(tmp_path, monkeypatch, name):
    def killed(*args):
        raise KeyboardInterrupt

    folder = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr(record, name, killed)
        directory, begin = opened(folder)
        with pytest.raises(KeyboardInterrupt):
            begin()
        directory.close()
    directory, begin = opened(folder)
    with directory:
        assert begin() == "new"
    assert card(folder)["status"] == "running"


def test_a_run_killed_while_overwrite_clears_it_is_still_ours(tmp_path, monkeypatch):
    folder = tmp_path / "run"
    directory, begin = opened(folder)
    with directory:
        begin()
    (folder / "last").mkdir()
    (folder / "last" / "state.pt").write_bytes(b"old")
    with monkeypatch.context() as patch:
        patch.setattr(record.shutil, "rmtree", lambda *args, **more: (_ for _ in ()).throw(KeyboardInterrupt))
        directory, begin = opened(folder, overwrite=True, settings={"lr": 2})
        with pytest.raises(KeyboardInterrupt):
            begin()
        directory.close()
    directory, begin = opened(folder, settings={"lr": 3})
    with directory:
        assert begin() == "new"  # nothing of the old run is gone on with
    assert not (folder / "last").exists()


@pytest.mark.parametrize("name", ["notes.txt", "last/notes.txt", "figures/mine.svg", "step-mine/a.txt", "last.new"])
def test_a_file_of_the_users_in_a_run_stops_overwrite(tmp_path, name):
    folder = tmp_path / "run"
    directory, begin = opened(folder)
    with directory:
        begin()
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text("x")
    directory, begin = opened(folder, overwrite=True)
    with directory, pytest.raises(RequestError, match=name):
        begin()
    assert (folder / name).read_text() == "x"
    assert card(folder)["status"] == "running"


def test_a_run_of_another_command_is_not_ours(tmp_path):
    directory, begin = opened(tmp_path / "run", command="other")
    with directory:
        begin()
    for overwrite in (False, True):
        directory, begin = opened(tmp_path / "run", overwrite=overwrite)
        with directory, pytest.raises(RequestError, match="usfm other"):
            begin()


@pytest.mark.parametrize("error, status", [
    (Interrupted("x"), "stopped"), (KeyboardInterrupt(), "stopped"), (WorkError("no room"), "failed"),
    (SystemExit(3), "failed"),
])  # fmt: skip
def test_the_card_says_how_a_run_ended(tmp_path, error, status):
    directory, begin = opened(tmp_path / "run")
    with pytest.raises(type(error)):  # noqa: PT012
        with directory:
            begin()
            directory.start_metrics(0)
            directory.log({"step": 1, "loss": float("nan")})
            raise error
    assert card(tmp_path / "run")["status"] == status
    assert (tmp_path / "run" / "metrics.jsonl").read_text() == '{"step": 1, "loss": null}\n'
    directory, begin = opened(tmp_path / "run")
    with directory:
        begin()
    assert card(tmp_path / "run")["status"] == "running"
    assert "reason" not in card(tmp_path / "run")


DAMAGED = [
    b'{"step": 2, "lo', b"", b"\xff\xfe", b"[2]", b"{}", b'{"step": Infinity}', b'{"step": "2"}', b'{"step": -1}',
    b'{"step": 2, "loss": "x"}', b'{"step": 2, "loss": NaN}', b'{"step": 2, "loss": [1]}', b"[" * 100_000,
    b'{"step": 2, "lr": 1e999}', b"\x00", b'{"step": 2.5}', b'{"step": ' + b"9" * 5000 + b"}",
]  # fmt: skip


def test_damaged_lines_of_metrics_are_left_out(tmp_path):
    directory, begin = opened(tmp_path / "run")
    with directory:
        begin()
        directory.start_metrics(0)
        directory.log({"step": 1, "loss": 0.5})
    file = tmp_path / "run" / "metrics.jsonl"
    whole = file.read_bytes()
    directory, begin = opened(tmp_path / "run")
    with directory:
        begin()
        for line in DAMAGED:
            file.write_bytes(whole + line + b"\n" + whole.replace(b"1", b"3", 1))
            assert [row["step"] for row in directory.metrics()] == [1, 3], line[:40]
            assert directory.last_loss() == 0.5
        file.write_bytes(whole + b"\n".join(DAMAGED) + b"\n" + whole.replace(b"1", b"3", 1))
        directory.start_metrics(1)
    assert file.read_bytes() == whole
