"""Each exit code of the command line, by what a user meets: done, failed, wrong request, gate, interrupted."""

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import threading

import h5py
import pytest

from usfm import errors
from usfm.cli.main import main


class Shell:
    """A folder with good inputs in it, and a way to run commands there."""

    def __init__(self, folder, capfd):
        self.folder, self._capfd = folder, capfd

    def __call__(self, line, *more):
        """Run a command: return its exit code, stdout and stderr."""
        self._capfd.readouterr()
        with pytest.raises(SystemExit) as end:
            main([*line.split(), *more])
        said = self._capfd.readouterr()
        assert "Traceback" not in said.err
        code = end.value.code or 0
        complaints = [text for text in said.err.splitlines() if text.startswith("usfm: ")]
        assert complaints == (said.err.splitlines()[-1:] if code else []), said.err  # one sentence, the last, or none
        return code, said.out, said.err


@pytest.fixture
def shell(good, tmp_path, capfd, monkeypatch):
    shutil.copytree(good, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0}, raising=False)  # one worker where none is asked for
    return Shell(tmp_path, capfd)


# ---------------------------------------------------------------- 0


def test_0_done_then_up_to_date_then_again_with_overwrite(shell):
    assert shell("sector --in good.h5 --size 32 --out s.h5")[:2] == (0, "s.h5\n")
    code, out, err = shell("sector --in good.h5 --size 32 --out s.h5")
    assert (code, out) == (0, "s.h5\n")
    assert "up to date" in err
    assert shell("sector --in good.h5 --size 48 --out s.h5 --overwrite")[:2] == (0, "s.h5\n")


@pytest.mark.parametrize("line", [
    "sector --in good.h5 --out new.h5 --dry-run", "extract media --out new.h5 --dry-run", "info good.h5",
    "info good.h5 --verify", "info good.h5 --verify --json", "--version", "sector --help",
])  # fmt: skip
def test_0_where_nothing_is_written(shell, line):
    before = sorted(shell.folder.iterdir())
    assert shell(line)[0] == 0
    assert sorted(shell.folder.iterdir()) == before


def test_0_a_rejected_source_fails_nothing_unless_strict(shell):
    (shell.folder / "media/broken.png").write_bytes(b"\x89PNG\r\n\x1a\nno picture")
    code, out, _ = shell("extract media --out some.h5 --json")
    assert (code, json.loads(out)["sources_rejected"]) == (0, 1)
    code, out, err = shell("extract media --out some.h5 --strict")
    assert (code, out) == (3, "some.h5\n")  # the work is done, and where it is stands on stdout
    assert "--strict" in err


# ---------------------------------------------------------------- 1


def test_1_no_frame_is_left(shell):
    (shell.folder / "broken").mkdir()
    (shell.folder / "broken/a.png").write_bytes(b"\x89PNG\r\n\x1a\nno picture")
    code, out, err = shell("extract broken --out none.h5")
    assert (code, out) == (1, "")
    assert "(1)" in err
    assert not (shell.folder / "none.h5").exists()


SYSTEM = {number: 1 for number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.ENOMEM, errno.EAGAIN,
                                   errno.EMFILE, errno.ENFILE)}  # fmt: skip
"""What the system has run out of is no wrong request."""


@pytest.mark.parametrize("name", ["a \x1b[31m\nname.h5", None])
def test_every_refusal_of_the_system_is_a_sentence(shell, monkeypatch, name):
    raised = []

    def refuse(*_, **__):
        raise raised[-1]

    monkeypatch.setattr("usfm.cli.options.settings_of.resolve", refuse)
    for number in sorted(errno.errorcode):
        raised.append(OSError(number, os.strerror(number), name))
        if isinstance(raised[-1], (BrokenPipeError, InterruptedError)):
            continue  # the reader of stdout has gone: nobody is there to be told
        code, out, err = shell("clean --in good.h5")
        assert (code, out) == (SYSTEM.get(number, 2), ""), errno.errorcode[number]
        assert err.count("\n") == 1
        assert "\x1b" not in err
    raised.append(OSError("Can't write data\n  (no errno)"))
    assert shell("clean --in good.h5")[0] == 1


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("can't start new thread"),
                                   errors.WorkError("the workers died again and again.")])  # fmt: skip
def test_1_out_of_memory_threads_or_workers(shell, monkeypatch, error):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr("usfm.cli.options.settings_of.resolve", fail)
    assert shell("clean --in good.h5")[0] == 1


# ---------------------------------------------------------------- 2


@pytest.mark.parametrize("line, words", [
    ("clean --in good.h5 --no-such", "no such option"),
    ("clean --in", "requires an argument"),
    ("nothing", "no such command"),
    ("clean --in good.h5 --workers 0", "at least 1"),
    ("clean --in good.h5 --config none.toml", "none.toml"),
    ("clean --in missing.h5", "no such file"),
    ("clean --in media", "a folder"),
    ("clean --in none-*.h5", "no file matches"),
    ("clean", "--in"),
    ("extract empty --out x.h5", "no video or image"),
    ("clean --in good.h5 labelled.h5", "differs in"),
    ("sector --in good.h5 --out labelled.h5", "--overwrite"),  # made, but of something else
    ("info media --verify", "media"),
    ("info media/sick/p0_0.png --verify", "not an HDF5"),
    ("extract media --out x.h5 --preset polarmae", "preset"),
])  # fmt: skip
def test_2_the_request_was_wrong(shell, line, words):
    (shell.folder / "empty").mkdir()
    before = sorted(shell.folder.rglob("*"))
    code, out, err = shell(line)
    assert (code, out) == (2, "")
    assert words in err
    assert err.lower().count("did you mean") <= 1
    assert sorted(shell.folder.rglob("*")) == before


def test_2_a_guess_is_made_once(shell):
    for line in ("extarct", "clean --inn x", "clean --in good.h5 --text rapidocrr", "docter"):
        assert shell(line)[2].lower().count("did you mean") == 1, line


def test_2_an_empty_value_names_the_command_that_failed_before_it(shell):
    for line in ("clean --in", "sector --in good.h5 --out", "info", "embed --in sector.h5 --out v.h5 --encoder"):
        code, _, err = shell(line, "")
        assert code == 2
        assert "$(...)" in err


def test_2_the_output_is_held_by_another_run_or_was_begun_with_other_options(shell):
    from usfm.jobs.folder import PartsFolder

    held = PartsFolder(shell.folder / "s.h5")
    held.enter({"command": "sector", "other": True}, overwrite=False)
    code, _, err = shell("sector --in good.h5 --size 32 --out s.h5")
    assert code == 2
    assert "s.h5" in err
    held.leave()
    code, _, err = shell("sector --in good.h5 --size 32 --out s.h5")
    assert code == 2
    assert "--overwrite" in err


# ---------------------------------------------------------------- 3


def test_3_a_damaged_store(shell):
    with h5py.File("good.h5", "r+") as file:
        file["frames/time_s"][0] = 99.0
    code, _, err = shell("info good.h5 --verify")
    assert code == 3
    assert "good.h5" in err


def test_3_stands_behind_2_where_one_is_no_store(shell):
    with h5py.File("good.h5", "r+") as file:
        file["frames/time_s"][0] = 99.0
    assert shell("info good.h5 media/sick/p0_0.png --verify")[0] == 2


@pytest.mark.parametrize("found", ["rejected", "sources_rejected", "leaks"])
def test_3_strict_counts_rejected_frames_and_files_and_leaks(shell, monkeypatch, found):
    summary = {"command": "eval", "out": "report", "report": "report", "runs": [], "seconds": 0.0, found: 1}
    monkeypatch.setattr("usfm.evaluate.run.run", lambda *_: summary)
    assert shell("eval media --out report --strict")[:2] == (3, "report\n")
    assert shell("eval media --out report")[:2] == (0, "report\n")


# ---------------------------------------------------------------- 130


def test_130_before_the_work_and_in_it(shell, monkeypatch):
    def stop(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("usfm.cli.options.settings_of.refuse_empty", stop)
    code, out, err = shell("sector --in good.h5 --out s.h5")
    assert (code, out) == (130, "")
    assert "same command" in err


def test_130_one_ctrl_c_keeps_the_parts_and_the_same_command_goes_on(shell, monkeypatch):
    from usfm.jobs.execute import Execution

    real = Execution.run

    def stopped(self):
        signal.raise_signal(signal.SIGINT)
        return real(self)

    with monkeypatch.context() as patch:
        patch.setattr(Execution, "run", stopped)
        code, out, err = shell("sector --in good.h5 --size 32 --out s.h5 --workers 1")
    assert (code, out) == (130, "")
    assert "same command" in err
    assert not (shell.folder / "s.h5").exists()
    assert shell("sector --in good.h5 --size 32 --out s.h5 --workers 1")[:2] == (0, "s.h5\n")


@pytest.mark.slow
def test_130_of_a_real_process(good, tmp_path):
    line = [
        sys.executable,
        "-m",
        "usfm",
        "simulate",
        "--clips",
        "400",
        "--stills",
        "0",
        "--out",
        "clips",
        "--workers",
        "1",
    ]
    with subprocess.Popen(line, cwd=tmp_path, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as running:
        threading.Timer(6.0, running.send_signal, [signal.SIGINT]).start()
        out, err = running.communicate(timeout=120)
    assert (running.returncode, out) == (130, "")
    assert "same command" in err.splitlines()[-1]
    assert "Traceback" not in err
