"""A lack of memory, threads or files is one sentence, whichever library noticed it and however it put it."""

import errno
import subprocess
import sys

import pytest

from usfm.cli import main, shortage


def cv2_error():
    return type("error", (Exception,), {"__module__": "cv2"})("(-4:Insufficient memory) Failed to allocate 9 bytes")


def on_top():
    try:
        try:
            raise ImportError("libx.so: failed to map segment from shared object")
        except ImportError as error:
            raise ValueError("the library is missing") from error
    except ValueError as error:
        return error


SHORT = [
    (MemoryError(), "memory"),
    (OSError(errno.ENOMEM, "Cannot allocate memory"), "memory"),
    (ImportError("libtorch_cpu.so: failed to map segment from shared object"), "memory"),
    (
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"),
        "memory",
    ),
    (RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB"), "memory"),
    (cv2_error(), "memory"),
    (on_top(), "memory"),
    (RuntimeError("can't start new thread"), "threads"),
    (OSError(errno.EAGAIN, "Resource temporarily unavailable"), "processes"),
    (OSError(errno.EMFILE, "Too many open files"), "files"),
    (Exception("Error while serializing: I/O error: No space left on device (os error 28)"), "disk"),
    (OSError(errno.ENFILE, "Too many open files in system"), "files"),
]


@pytest.mark.parametrize("error, word", SHORT, ids=lambda one: one if isinstance(one, str) else type(one).__name__)
def test_a_shortage_is_one_sentence_and_exit_code_1(monkeypatch, capsys, error, word):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr("usfm.inspect.info.run", fail)
    with pytest.raises(SystemExit) as end:
        main.main(["info", "x.h5"])
    said = capsys.readouterr().err
    assert end.value.code == 1
    assert said.count("\n") == 1
    assert word in said


@pytest.mark.parametrize("error", [ValueError("a batch of 3"), KeyError("memory"), RuntimeError("no such thing")])
def test_what_is_no_shortage_keeps_its_traceback(error):
    assert shortage.sentence_of(error) == ""


def test_near_its_limit_a_process_blames_the_limit(monkeypatch):
    monkeypatch.setattr(shortage, "_limit_mb", lambda: 1.0)
    assert "memory" in shortage.sentence_of(ValueError("odd"))


def test_a_limit_under_what_the_libraries_take_is_refused_before_they_load(tmp_path):
    command = f'ulimit -v {300 << 10}; exec "{sys.executable}" -m usfm clean --in raw.h5'
    done = subprocess.run(["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert done.stderr.startswith("usfm: the memory limit")
    assert done.stderr.count("\n") == 1
