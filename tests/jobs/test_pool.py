"""The worker pool where the system gives no more processes: an answer, not a wait without end."""

import errno

import pytest

from usfm.errors import WorkError
from usfm.jobs.pool import WorkerPool


def test_a_system_without_processes_to_give_is_one_sentence(monkeypatch):
    def refuse(self):
        raise OSError(errno.EAGAIN, "Resource temporarily unavailable")

    monkeypatch.setattr(WorkerPool, "_start", refuse)
    pool = WorkerPool(2)
    futures = [pool.submit(len, "abc") for _ in range(3)]
    for future in futures:
        with pytest.raises(WorkError, match="give fewer --workers"):
            future.result(timeout=20)
    pool.shutdown()
