"""The front door: help for every command, one sentence for every error, the exit codes of the contract."""

import errno
import importlib
import sys

import click
import pytest

from usfm import errors
from usfm.cli import main as front
from usfm.cli.main import COMMANDS, build, main


def run(capsys, *arguments):
    """Call the command line as a shell would; returns (exit code, stdout, stderr)."""
    with pytest.raises(SystemExit) as end:
        main(list(arguments))
    out, err = capsys.readouterr()
    return end.value.code or 0, out, err


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(capsys, name):
    code, out, _ = run(capsys, name, "--help")
    assert code == 0
    command = build().commands[name]
    assert command.help.endswith(".")
    assert command.help.split()[0] in out
    assert all(parameter.help for parameter in command.params if isinstance(parameter, click.Option))


def test_version_and_bare_call(capsys):
    assert run(capsys, "--version")[1].startswith("usfm ")
    code, out, err = run(capsys)
    assert "simulate" in out + err
    assert code in (0, 2)


@pytest.mark.parametrize(
    "arguments, part",
    [
        (["dedupe"], "did you mean 'dedup'"),
        (["extract", "x", "--fpss", "3"], "--fps"),
        (["extract", "x", "--fps"], "--fps"),
        (["extract", "x", "--max-frames", "many"], "many"),
        (["extract"], "SRC"),
        (["clean", "--in", "a.h5", "--workers", "0"], "at least 1"),
    ],
)
def test_a_usage_error_is_one_sentence_and_exit_2(capsys, arguments, part):
    code, out, err = run(capsys, *arguments)
    assert code == 2
    assert not out
    assert part in err
    assert len(err.strip().splitlines()) == 1
    assert "usfm:" in err


@pytest.mark.parametrize(
    "error, code, part",
    [
        (errors.RequestError("x.h5: no such store."), 2, "no such store"),
        (errors.WorkError("all rejected."), 1, "all rejected"),
        (errors.GateError("text is left."), 3, "text is left"),
        (errors.Interrupted("stopped."), 130, "stopped"),
        (KeyboardInterrupt(), 130, "same command"),
        (MemoryError(), 1, "out of memory"),
        (OSError(errno.ENOSPC, "No space left on device", "x.h5"), 1, "disk is full"),
        (PermissionError(errno.EACCES, "Permission denied", "x.h5"), 2, "no permission"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else None,
)
def test_errors_become_exit_codes(capsys, monkeypatch, error, code, part):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr("usfm.cli.options.settings_of.resolve", fail)
    got, out, err = run(capsys, "clean", "--in", "x.h5")
    assert (got, out) == (code, "")
    assert part in err
    assert len(err.strip().splitlines()) == 1


def test_our_own_mistake_keeps_its_traceback(monkeypatch):
    def fail(*_, **__):
        raise ZeroDivisionError("ours")

    monkeypatch.setattr("usfm.cli.options.settings_of.resolve", fail)
    with pytest.raises(ZeroDivisionError):
        main(["clean", "--in", "x.h5"])


def test_debug_shows_the_traceback_of_a_users_mistake_too(monkeypatch):
    def fail(*_, **__):
        raise errors.RequestError("x")

    monkeypatch.setattr("usfm.cli.options.settings_of.resolve", fail)
    with pytest.raises(errors.RequestError):
        main(["clean", "--in", "x.h5", "--debug"])


def test_a_settings_file_with_an_unknown_key_or_command(capsys, tmp_path):
    file = tmp_path / "t.toml"
    file.write_text("[extract]\nmax_frame = 3\n")
    code, _, err = run(capsys, "extract", "x", "--out", "y.h5", "--config", str(file))
    assert code == 2
    assert "did you mean 'max_frames'" in err
    file.write_text("[extrct]\nfps = 3\n")
    code, _, err = run(capsys, "extract", "x", "--out", "y.h5", "--config", str(file))
    assert code == 2
    assert "did you mean 'extract'" in err


def test_a_closed_pipe_is_no_traceback(monkeypatch, capfd):
    monkeypatch.setattr(front, "build", lambda **_: (_ for _ in ()).throw(BrokenPipeError()))
    saved = sys.stdout
    monkeypatch.setattr(front.os, "dup2", lambda *_: None)
    with pytest.raises(SystemExit) as end:
        main(["info", "x.h5"])
    assert end.value.code == 1
    assert sys.stdout is saved


@pytest.mark.parametrize("name", [name for name in COMMANDS if name not in ("info", "demo")])
def test_help_and_room_say_the_same_sentence(name):
    command = importlib.import_module(f"usfm.cli.{front.MODULES.get(name, name)}").COMMAND
    room = importlib.import_module(command.config.__module__.removesuffix(".config"))
    assert command.sentence.lower() in room.__doc__.lower()


def test_a_result_whose_name_is_no_utf8_is_printed_as_it_is(tmp_path):
    import os
    import subprocess
    import sys

    from PIL import Image

    (tmp_path / "in").mkdir()
    Image.new("L", (8, 8), 9).save(tmp_path / "in" / "1.png")
    words = [b"-m", b"usfm", b"extract", b"in", b"--out", b"M\xfcller.h5", b"--workers", b"1", b"-q"]
    strict = {**os.environ, "PYTHONIOENCODING": "utf-8:strict"}
    done = subprocess.run([sys.executable, *words], cwd=tmp_path, env=strict, capture_output=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"M\xfcller.h5\n", b"")


def test_a_working_folder_that_is_gone_is_one_sentence(tmp_path, capfd, monkeypatch):
    import os

    from usfm.cli.main import main

    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    os.rmdir(tmp_path / "gone")
    try:
        with pytest.raises(SystemExit) as end:
            main(["extract", "clips", "--out", "raw.h5"])
    finally:
        os.chdir(tmp_path)
    assert end.value.code == 2
    assert "working folder" in capfd.readouterr().err
