"""Steps for tests; this folder goes on the path, so that tests and worker processes can import `job_works`."""

import multiprocessing
import os
import sys
import traceback
from collections.abc import Callable
from multiprocessing import forkserver
from pathlib import Path

import h5py
import numpy as np
import pytest

from usfm.config import Request
from usfm.errors import UsfmError
from usfm.jobs import pool
from usfm.jobs.run import Part, Phase, run_step
from usfm.store.reader import Store

sys.path.insert(0, str(Path(__file__).parent))
import job_works

PARTS = 6


def contents(path: Path) -> dict:
    """Every dataset and attribute of a store, without the seconds and the versions in its history."""
    found = {}

    def look(name: str, thing) -> None:
        if isinstance(thing, h5py.Dataset):
            found[name] = (str(thing.dtype), thing.shape, np.array2string(thing[()], threshold=1 << 30))

    with h5py.File(path) as file:
        file.visititems(look)
        found["content_id"] = file.attrs["content_id"]
    found["history"] = [
        {k: v for k, v in step.items() if k not in ("seconds", "software")} for step in Store.open(path).history
    ]
    return found


class Step:
    """A step of a few parts in a folder of its own, run here or in a process that may be killed."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.out = folder / "out.h5"
        self.scratch = folder / "scratch"
        self.scratch.mkdir()
        self.options: dict = {"a": 1}
        self.count = PARTS
        self.faults: dict[int, dict] = {}
        self.request = Request(workers=2)
        self.poison: Callable | None = job_works.poison
        self.limits: dict = {}
        self.copies: Path | None = None

    def plan(self, done) -> list[Part]:
        parts = []
        for number in range(self.count):
            fault = self.faults.get(number)
            payload = {"number": number, "scratch": str(self.scratch)}
            if fault is not None:
                payload["fault"] = {"parent": os.getpid(), **fault}
            if self.copies is not None:
                payload |= {"paths": [str(self.copies)], "rows": list(range(4 * number, 4 * number + 4))}
            parts.append(Part(f"part {number}", payload, source=f"{number}.mp4", weight=4))
        return parts

    def run(self, **request) -> dict:
        work = job_works.make if self.copies is None else job_works.copy
        phase = Phase("frames", self.plan, work, self.poison, **self.limits)
        inputs = [] if self.copies is None else [Store.open(self.copies)]
        raw = [{"path": "a.mp4", "size": 1, "mtime": 2.0}] if self.copies is None else []
        wanted = Request(**{**self.request.__dict__, **request})
        return run_step("make" if self.copies is None else "copy", wanted, self.options, [phase], inputs=inputs,
                        raw_inputs=raw, out=self.out)  # fmt: skip

    def start(self, before: Callable[[], None] = lambda: None, **request) -> int:
        """Run in a child process; returns its process id.

        The child shares this process's fork server, which takes 20 ms instead of a second: it only has to leave out the
        question whether the server, which is not its own child, is still alive.
        """
        multiprocessing.set_forkserver_preload(pool._PRELOAD)
        forkserver.ensure_running()
        pid = os.fork()
        if pid:
            return pid
        code = 70
        try:
            os.setsid()
            forkserver._forkserver.ensure_running = lambda: None
            with open(self.folder / "said", "w") as said:
                os.dup2(said.fileno(), 1)
                os.dup2(said.fileno(), 2)
                sys.stdout, sys.stderr = open(1, "w", closefd=False), open(2, "w", closefd=False)
                before()
                try:
                    self.run(**request)
                    code = 0
                except UsfmError as error:
                    code = error.exit_code
                    print(error, file=sys.stderr)
                except BaseException:
                    traceback.print_exc()
                sys.stderr.flush()
        finally:
            os._exit(code)

    def wait(self, pid: int) -> int:
        """Exit code of a child, negative for a signal."""
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    def child(self, before: Callable[[], None] = lambda: None, **request) -> int:
        return self.wait(self.start(before, **request))

    @property
    def said(self) -> str:
        return (self.folder / "said").read_text()

    @property
    def parts(self) -> Path:
        return self.out.with_name("out.h5.parts")

    def finished(self) -> set[int]:
        """Numbers of the parts whose results are there."""
        return {int(path.name.split("-")[1]) for path in self.parts.glob("*.part")}

    def started(self) -> list[int]:
        """Numbers of the parts that workers began, in order; forgets them."""
        log = self.scratch / "log"
        lines = log.read_text().splitlines() if log.exists() else []
        log.unlink(missing_ok=True)
        return [int(line.split()[1]) for line in lines]


@pytest.fixture
def step(tmp_path):
    return Step(tmp_path)


@pytest.fixture(scope="session")
def wanted(tmp_path_factory):
    """What an uninterrupted run gives."""
    step = Step(tmp_path_factory.mktemp("wanted"))
    step.run()
    return contents(step.out)


@pytest.fixture
def same():
    return contents
