"""The worker pool where the system gives no more processes: an answer with its reason, not a wait without end."""

import errno
import os
import subprocess
import sys
import tempfile
import textwrap

import pytest

from usfm.errors import WorkError
from usfm.jobs import pool as module
from usfm.jobs.pool import WorkerPool

REASONS = [
    (OSError(errno.EAGAIN, "Resource temporarily unavailable"), "ulimit -u"),
    (OSError(errno.ENOMEM, "Cannot allocate memory"), "memory is short"),
    (OSError(errno.EMFILE, "Too many open files"), "ulimit -n"),
    (OSError(errno.ENOSPC, "No space left on device"), "TMPDIR"),
    (OSError("AF_UNIX path too long"), "TMPDIR"),
    (EOFError("unexpected EOF"), "no process"),
    (RuntimeError("can't start new thread"), "no process"),
    (MemoryError(), "memory is short"),
]


@pytest.mark.parametrize("error, words", REASONS, ids=lambda one: one if isinstance(one, str) else type(one).__name__)
def test_a_system_that_gives_no_process_is_one_sentence_with_its_reason(monkeypatch, error, words):
    def refuse(self):
        raise error

    monkeypatch.setattr(WorkerPool, "_start", refuse)
    pool = WorkerPool(2)
    futures = [pool.submit(len, "abc") for _ in range(3)]
    for future in futures:
        with pytest.raises(WorkError, match=f"no worker process can be started.*{words}"):
            future.result(timeout=20)
    pool.shutdown()


def test_workers_that_end_before_they_begin_are_the_systems_fault_and_no_parts(monkeypatch):
    monkeypatch.setattr(module, "serve", os._exit)  # given a pipe, it ends with an error
    pool = WorkerPool(2)
    with pytest.raises(WorkError, match=r"no worker process can be started.*ended with code"):
        pool.submit(len, "abc").result(timeout=30)
    pool.shutdown()


def test_where_some_workers_can_be_started_the_work_goes_on_with_those(monkeypatch, capsys):
    real, most = WorkerPool._start, 1

    def start(self):
        if len(self._workers) >= most:
            raise OSError(errno.EMFILE, "Too many open files")
        return real(self)

    monkeypatch.setattr(WorkerPool, "_start", start)
    pool = WorkerPool(4)
    assert [future.result(timeout=30) for future in [pool.submit(len, "x" * n) for n in range(8)]] == list(range(8))
    assert pool.workers == 1
    pool.shutdown()
    assert "goes on with 1 worker" in capsys.readouterr().err


def test_a_long_name_of_the_folder_for_temporary_files_stops_nobody(monkeypatch, tmp_path):
    deep = tmp_path / ("d" * 120)
    deep.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(deep))
    pool = WorkerPool(1)
    assert pool.submit(os.getpid).result(timeout=60) in pool.pids()
    pool.shutdown()


def test_a_start_that_would_run_out_of_descriptors_is_not_begun(monkeypatch):
    pool = WorkerPool(1)
    monkeypatch.setattr(module, "STARTING_FDS", 1 << 22)
    with pytest.raises(WorkError, match="too many files are open"):
        pool.submit(len, "abc").result(timeout=30)
    monkeypatch.undo()
    assert pool.submit(len, "abc").result(timeout=30) == 3
    pool.shutdown()


SERVER_DIES = """
import socket
from multiprocessing import forkserver
from usfm.jobs.pool import WorkerPool
pool = WorkerPool(1)
first = pool.submit(len, "abc").result(timeout=60)
with socket.socket(socket.AF_UNIX) as line:  # without the descriptors that it waits for
    line.connect(forkserver._forkserver._forkserver_address)
import os
os.waitid(os.P_PID, forkserver._forkserver._forkserver_pid, os.WEXITED | os.WNOWAIT)
more = WorkerPool(1)
print(first, more.submit(len, "abcd").result(timeout=60))
pool.shutdown(), more.shutdown()
"""


def test_a_fork_server_that_dies_says_nothing_and_is_replaced(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(f"if __name__ == '__main__':{textwrap.indent(SERVER_DIES, '    ')}")
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=120)
    assert done.stdout.split() == ["3", "4"], done.stderr
    assert done.stderr == ""
