"""Layouts are tried in this process, with the versions of libraries looked up once."""

from concurrent.futures import Executor, Future

import pytest

from usfm import provenance

SOFTWARE = provenance.software()


class Inline(Executor):
    """Does the parts in this process: what a worker is, is tested elsewhere, and to start one takes longer."""

    def __init__(self, workers):
        self.limit_s = self.hang_s = 0.0

    def submit(self, fn, /, *args, **kwargs):
        future = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


@pytest.fixture(autouse=True)
def _inline(monkeypatch):
    monkeypatch.setattr("usfm.jobs.pool.WorkerPool", Inline)
    monkeypatch.setattr(provenance, "software", lambda *names: SOFTWARE)
