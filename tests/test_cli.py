"""The front door: help for every command, one sentence for every error, the exit codes of the contract."""

import errno
import functools
import importlib
import shlex
import sys

import click
import pytest

from usfm import errors
from usfm.cli import main as front
from usfm.cli.main import build, main
from usfm.cli.table import COMMANDS


def run(capsys, *arguments):
    """Call the command line as a shell would; returns (exit code, stdout, stderr)."""
    with pytest.raises(SystemExit) as end:
        main(list(arguments))
    out, err = capsys.readouterr()
    return end.value.code or 0, out, err


built = functools.cache(build)


def parsed(line):
    """Parse a line as a user would type it; an unknown command or option raises."""
    top = built()
    name, *arguments = shlex.split(line)[1:]
    with click.Context(top) as parent:
        return top.commands[name].make_context(name, arguments, parent=parent)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(capsys, name):
    code, out, _ = run(capsys, name, "--help")
    assert code == 0
    command = built().commands[name]
    assert command.help.endswith(".")
    assert command.help.split()[0] in out
    assert all(parameter.help for parameter in command.params if isinstance(parameter, click.Option))


@pytest.mark.parametrize("line", [line for command in COMMANDS.values() for line in command.examples])
def test_the_examples_of_help_can_be_typed(capsys, line):
    parsed(line)
    assert f"\n  {line}\n" in run(capsys, line.split()[1], "--help")[1]


def test_help_marks_what_must_be_given(capsys):
    for name, command in COMMANDS.items():
        out = " ".join(run(capsys, name, "--help")[1].split())
        marked = [*command.required, *(["inputs"] if command.inputs == "--in" else [])]
        assert out.count("[required]") == len(marked)


@pytest.mark.parametrize("arguments", [
    ["a.h5", "b.h5", "-o", "c.h5"],
    ["--in", "a.h5", "--in", "b.h5", "--out", "c.h5"],
    ["a.h5", "-i", "b.h5", "-oc.h5"],
])  # fmt: skip
def test_stores_are_given_by_position_or_by_flag(monkeypatch, capsys, arguments):
    seen = []

    def work(command, config, request):
        seen.append(request)
        return {"command": "info", "out": request.out, "stores": [], "runs": [], "seconds": 0.0}

    monkeypatch.setattr("usfm.cli.table.Command.run", work)
    for name in ("clean", "dedup", "sector", "pretrain", "embed"):
        assert run(capsys, name, *arguments)[0] == 0
        assert (seen[-1].inputs, seen[-1].out) == (("a.h5", "b.h5"), "c.h5")
    assert run(capsys, "finetune", "classify", *arguments)[0] == 0
    assert (seen[-1].inputs, seen[-1].out) == (("a.h5", "b.h5"), "c.h5")


@pytest.mark.parametrize("line, offered, not_offered", [
    ("usfm pretrain --recipe ", "polarmae", "debug.toml"),
    ("usfm dedup --keep s", "sharpest", "first"),
    ("usfm finetune ", "classify", "linear"),
    ("usfm clean --device", "", "cuda"),
    ("usfm embed --device ", "cuda", ""),
    ("usfm embed --encoder ", "", "cuda"),
])  # fmt: skip
def test_the_shell_completes_values(line, offered, not_offered):
    from click.shell_completion import ShellComplete

    *words, incomplete = line.split(" ")
    found = ShellComplete(built(), {}, "usfm", "_USFM_COMPLETE").get_completions(words[1:], incomplete)
    values = [one.value for one in found]
    assert offered in ["", *values]
    assert not_offered not in values


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
        (["clean", "--input", "x"], "did you mean '--in'"),
        (["clean", "--output", "x"], "did you mean '--out'"),
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
    assert err.lower().count("did you mean") <= 1


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
    command = COMMANDS[name]
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
