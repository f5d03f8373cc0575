"""A pool of worker processes as an Executor: a dead or hung worker costs its own part and no other."""

import multiprocessing
import os
import pickle
import tempfile
import threading
import time
from collections import deque
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from typing import Any

from usfm import console
from usfm.errors import WorkError
from usfm.jobs.failure import PartFailed, WorkerDied, cannot_start, said, unpacked
from usfm.jobs.worker import ONE_THREAD, serve

TICK_S = 0.5
SOCKET_NAME_BYTES = 100
"""Longest name of a socket: 107 on Linux, 103 on macOS."""
STARTING_FDS = 16
"""Descriptors that the start of a worker takes for a moment, the fork server's own among them."""
STILLBORN = 3
"""So many workers in a row that end before they are ready mean that none can be started."""
_PRELOAD = [
    "usfm.jobs.quiet",
    "__main__",
    "usfm.jobs.worker",
    "usfm.store.assemble",
    "usfm.store.reader",
    "usfm.store.writer",
    "cv2",
]


@dataclass
class _Worker:
    process: Any
    connection: Connection
    lifeline: Connection
    ready: bool = False
    future: Future | None = None
    task: bytes = b""
    started: float = 0.0
    busy_cpu: float = 0.0
    busy_since: float = field(default_factory=time.monotonic)


def _context():
    """Forkserver where there is one: its server loads NumPy, h5py and OpenCV once, and each worker is a fork of it.

    Measured in processor time: 0.25 s for the server, then 0.01 s a worker; with spawn 0.25 s for every worker, and on
    a busy machine ten times that by the clock. A plain fork is out: the parent has threads. The server needs a socket
    in the folder for temporary files: where that folder's name is too long for one, spawn does without.
    """
    longest = len(os.fsencode(tempfile.gettempdir())) + len("/pymp-12345678/listener-12345678")
    if "forkserver" not in multiprocessing.get_all_start_methods() or longest > SOCKET_NAME_BYTES:
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_PRELOAD)
    return context


class WorkerPool(Executor):
    """Worker processes, started as parts come in, each replaced alone when it dies.

    `concurrent.futures.ProcessPoolExecutor` breaks every pending future when one process dies, and cannot stop a part.

    Args:
        workers: how many at most.

    Raises:
        WorkError: the system gives no pipe or no thread for it.

    Attributes:
        limit_s: a task that takes longer has its worker killed, s.
        hang_s: so has one whose worker uses no processor time for so long, s.
    """

    def __init__(self, workers: int):
        self.limit_s = self.hang_s = float("inf")
        self._most = workers
        self._context = _context()
        self._queue: deque[tuple[Future, bytes]] = deque()
        self._workers: list[_Worker] = []
        self._lock = threading.RLock()
        self._closing = False
        self._stillborn = 0
        self._broken: WorkError | None = None
        try:
            self._wake, self._woken = multiprocessing.Pipe()
            self._thread = threading.Thread(target=self._manage, daemon=True, name="usfm-pool")
            self._thread.start()
        except (OSError, RuntimeError, MemoryError) as error:
            raise cannot_start(error) from error

    @property
    def workers(self) -> int:
        """How many parts can run at once."""
        return self._most

    def submit(self, fn, /, *args, **kwargs) -> Future:
        """Run `fn(*args, **kwargs)` in a worker. A worker's death comes as WorkerDied."""
        task = pickle.dumps((fn, args, kwargs))
        future: Future = Future()
        with self._lock:
            if self._broken is not None:
                raise self._broken
            if self._closing:
                raise RuntimeError("this pool is closed")
            self._queue.append((future, task))
            self._wake.send_bytes(b"+")
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Stop: with `wait` when what was submitted is done, else at once, parts in flight and all.

        Args:
            wait: False kills the workers at once.
            cancel_futures: with `wait`, finish only what is in flight.
        """
        with self._lock:
            if not self._thread.is_alive():
                return
            self._closing = True
            if cancel_futures or not wait:
                for future, _ in self._queue:
                    future.cancel()
                self._queue.clear()
            if not wait:
                for worker in self._workers:
                    worker.process.kill()
            self._wake.send_bytes(b"-")
        self._thread.join()

    def pids(self) -> list[int]:
        """Process ids of the workers."""
        with self._lock:
            return [worker.process.pid for worker in self._workers]

    def _manage(self) -> None:
        try:
            self._loop()
        except BaseException as error:  # workers cannot be started: nobody may wait for ever
            with self._lock:
                self._closing, self._broken = True, cannot_start(error)
                waiting = [future for future, _ in self._queue] + [w.future for w in self._workers if w.future]
                self._queue.clear()
            for future in waiting:
                if not future.done():
                    future.set_exception(self._broken)
        for worker in list(self._workers):
            self._close(worker)
        self._wake.close()
        self._woken.close()

    def _loop(self) -> None:
        while True:
            with self._lock:
                if self._closing and not self._queue and not any(w.future for w in self._workers):
                    break
                self._assign()
                sources = [
                    self._woken,
                    *(w.connection for w in self._workers),
                    *(w.process.sentinel for w in self._workers),
                ]
            ready = wait(sources, TICK_S)
            with self._lock:
                while self._woken.poll():
                    self._woken.recv_bytes()
                for worker in list(self._workers):
                    if worker.connection in ready:
                        self._answer(worker)
                    elif worker.process.sentinel in ready:
                        self._gone(worker, self._how(worker))
                self._check_limits()

    def _assign(self) -> None:
        """Give waiting tasks to idle workers, starting new ones as long as there may be more."""
        while self._queue:
            worker = next((w for w in self._workers if w.future is None), None)
            if worker is None:
                if len(self._workers) >= self._most:
                    return
                try:
                    worker = self._start()
                except Exception as error:
                    self._make_do(cannot_start(error, tempfile.gettempdir()))
                    return
            future, task = self._queue.popleft()
            if not future.running() and not future.set_running_or_notify_cancel():
                continue
            worker.future, worker.task = future, task
            worker.started = worker.busy_since = time.monotonic()
            worker.busy_cpu = _cpu_s(worker.process.pid)
            try:
                worker.connection.send_bytes(task)
            except OSError:
                self._gone(worker, self._how(worker))

    def _make_do(self, why: WorkError) -> None:
        """Go on with the workers that there are, or answer everybody that there is none: nobody may wait for ever."""
        if self._workers:
            self._most = len(self._workers)
            console.warn(f"{why} The work goes on with {self._most} worker{'s' * (self._most > 1)}.")
            return
        while self._queue:
            future, _ = self._queue.popleft()
            if future.done() or future.running() or future.set_running_or_notify_cancel():
                future.set_exception(why)

    def _start(self) -> _Worker:
        self._see_whether_there_is_room()
        pipes: list[Connection] = []
        before = {name: os.environ.get(name) for name in ONE_THREAD}
        try:
            pipes += self._context.Pipe()
            pipes += self._context.Pipe()
            ours, theirs, life_ours, life_theirs = pipes
            process = self._context.Process(target=serve, args=(theirs, life_theirs), daemon=True, name="usfm-worker")
            os.environ.update(ONE_THREAD)
            process.start()
        except BaseException:
            for pipe in pipes:
                pipe.close()
            raise
        finally:
            for name, value in before.items():
                if value is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = value
        theirs.close()
        life_theirs.close()
        worker = _Worker(process, ours, life_ours)
        self._workers.append(worker)
        return worker

    def _see_whether_there_is_room(self) -> None:
        """Raise OSError where descriptors are short: half-way through a start the fork server would stumble over it."""
        spare: list[int] = []
        try:
            for _ in range(STARTING_FDS):
                spare.append(os.dup(self._wake.fileno()))
        finally:
            for fd in spare:
                os.close(fd)

    def _answer(self, worker: _Worker) -> None:
        try:
            good, answer = worker.connection.recv()
        except Exception:  # it ended in mid-sentence
            self._gone(worker, self._how(worker))
            return
        if good is None:
            worker.ready, self._stillborn = True, 0
            return
        future, worker.future, worker.task = worker.future, None, b""
        if future is None:
            return
        if good:
            try:
                result = pickle.loads(answer)
            except BaseException as error:
                future.set_exception(PartFailed(type(error).__name__, said(error)))
            else:
                future.set_result(result)
            return
        if answer[0] != "ends":
            self._close(worker)
        future.set_exception(unpacked(answer))

    def _how(self, worker: _Worker) -> str:
        worker.process.join(1.0)
        code = worker.process.exitcode
        if code is None:
            return "stopped answering"
        if code == -9:
            return "was killed (signal 9; often because memory ran out)"
        return f"died of signal {-code}" if code < 0 else f"ended with code {code}"

    def _gone(self, worker: _Worker, how: str) -> None:
        future, worker.future = worker.future, None
        self._close(worker)
        if future is None:
            return
        if worker.ready:
            future.set_exception(WorkerDied(how))
            return
        self._queue.appendleft((future, worker.task))  # it never began: that says nothing about the part
        self._stillborn += 1
        if self._stillborn >= STILLBORN:
            self._make_do(cannot_start(ChildProcessError(f"it {how} as it began")))

    def _close(self, worker: _Worker) -> None:
        if worker in self._workers:
            self._workers.remove(worker)
        worker.connection.close()  # an idle worker ends when its pipe does
        worker.lifeline.close()
        worker.process.join(0.05)
        if worker.process.exitcode is None:
            worker.process.kill()
            worker.process.join(0.5)
        if worker.process.exitcode is not None:
            worker.process.close()

    def _check_limits(self) -> None:
        now = time.monotonic()
        for worker in list(self._workers):
            if worker.future is None:
                continue
            if (
                not _exists(worker.process.pid) and not worker.connection.poll()
            ):  # its pipes may live on in a process that it left behind
                self._gone(worker, self._how(worker))
            elif now - worker.started > self.limit_s:
                worker.process.kill()
                self._gone(worker, f"took longer than {self.limit_s:g} s")
            elif now - worker.busy_since > min(self.hang_s, 1.0):
                cpu = _cpu_s(worker.process.pid)
                if cpu != worker.busy_cpu:
                    worker.busy_cpu, worker.busy_since = cpu, now
                elif now - worker.busy_since > self.hang_s:
                    worker.process.kill()
                    self._gone(worker, f"hung: no sign of work for {self.hang_s:g} s")


def _exists(pid: int) -> bool:
    return not os.path.exists("/proc/self") or os.path.exists(f"/proc/{pid}")


def _cpu_s(pid: int) -> float:
    """Processor time that a process has used, s.

    The clock's own time where /proc is missing, and while the process waits for a disk or a network file system: that
    is not the part's fault.
    """
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
        if fields[0] == b"D":
            return time.monotonic()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    except (OSError, IndexError, ValueError):
        return time.monotonic()
