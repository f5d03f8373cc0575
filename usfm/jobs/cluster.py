"""Run parts on a Dask scheduler: the same work and the same files as the process pool, on other machines."""

import logging
import os
import secrets
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from usfm import console, provenance
from usfm.errors import RequestError, WorkError, missing_extra
from usfm.jobs.failure import WorkerDied, unpacked
from usfm.jobs.worker import guarded

LONELY_S = 60.0
"""After so long without any worker on the scheduler the run ends."""
CONNECT_S = 20.0
WORKERS_S = 5.0
_SILENT = {f"distributed.{side}.http.routes": ["distributed.http.health"] for side in ("scheduler", "worker")}
"""Dask's web pages, which show the work to everybody on the machine, are left out of a scheduler of our own."""


def connect(address: str, workers: int, folder: Path) -> "ClusterPool":
    """Connect to a scheduler, or start one here.

    Args:
        address: such as `tcp://10.0.0.1:8786`, or `local` for one with `workers` processes on this machine.
        workers: processes of a local one.
        folder: the run's parts folder, which every worker must see.

    Returns:
        The pool, connected.

    Raises:
        RequestError: Dask is not installed, nobody answers, a worker has another usfm, or does not see the folder.
    """
    try:
        import dask.config
        from distributed import Client, LocalCluster
    except ImportError:
        raise missing_extra("--cluster", "cluster") from None
    own, scratch = None, ""
    dask.config.set(
        {"distributed.comm.timeouts.connect": f"{CONNECT_S / 2:g}s"}
    )  # to a worker that died, 30 s by default
    try:
        if address == "local":
            scratch = tempfile.mkdtemp(prefix="usfm-cluster-")
            dask.config.set({**_SILENT, "temporary-directory": scratch})
            own = LocalCluster(n_workers=workers, threads_per_worker=1, processes=True, dashboard_address="127.0.0.1:0",
                               host="127.0.0.1", security=_throw_away(), silence_logs=logging.CRITICAL)  # fmt: skip
        client = Client(own or address, timeout=CONNECT_S, set_as_default=False)
    except (OSError, ValueError, TimeoutError) as error:
        raise RequestError(f"--cluster {address}: no Dask scheduler answers there ({type(error).__name__}).") from None
    pool = ClusterPool(client, own, scratch)
    try:
        _same_everywhere(client, address, folder)
    except BaseException:
        pool.shutdown(wait=False)
        raise
    return pool


def _throw_away():
    """A certificate for this run alone, so that no other user of the machine can talk to its scheduler.

    Whoever talks to a scheduler can run code as the user who started it. Dask makes the certificate with the package
    cryptography; where that is absent, the program openssl does.
    """
    from distributed.security import Security

    try:
        return Security.temporary()
    except ImportError:
        pass
    try:
        with tempfile.TemporaryDirectory() as folder:  # mode 0700
            key, certificate = Path(folder) / "key.pem", Path(folder) / "certificate.pem"
            subprocess.run(
                ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "365", "-subj", "/CN=usfm",
                 "-keyout", str(key), "-out", str(certificate)],
                check=True, capture_output=True, stdin=subprocess.DEVNULL, timeout=60,
            )  # fmt: skip
            own, public = key.read_text(), certificate.read_text()
    except (OSError, subprocess.SubprocessError):
        console.warn(
            "--cluster local: other users of this machine can reach the scheduler on 127.0.0.1 and run code in your "
            "name, for there is nothing to make a certificate with; pip install cryptography, or leave out --cluster."
        )
        return None
    sides = {f"tls_{side}_{what}": text for side in ("scheduler", "worker", "client")
             for what, text in (("key", own), ("cert", public))}  # fmt: skip
    return Security(require_encryption=True, tls_ca_file=public, **sides)


def _same_everywhere(client, address: str, folder: Path) -> None:
    try:
        client.wait_for_workers(1, timeout=WORKERS_S)  # one that has just lost its workers is getting new ones
    except TimeoutError:
        raise RequestError(
            f"--cluster {address}: the scheduler has no workers; start some with `dask worker {address}`."
        ) from None
    token = folder / f"seen.unfinished-{secrets.token_hex(4)}"
    token.touch()
    try:
        here = _look(str(token.resolve()))
        for worker, there in client.run(_look, str(token.resolve())).items():
            if there["usfm"] != here["usfm"]:
                raise RequestError(
                    f"--cluster {address}: worker {worker} has usfm {there['usfm']}, this is {here['usfm']}; "
                    "install the same version everywhere."
                )
            if not there["sees"]:
                raise RequestError(
                    f"--cluster {address}: worker {worker} does not see {folder}; inputs and outputs must lie on a "
                    "file system that all machines share, under the same path."
                )
    finally:
        token.unlink(missing_ok=True)


def _look(path: str) -> dict:
    """What a worker has and sees."""
    return {"usfm": provenance.software(())["usfm"], "sees": os.path.exists(path)}


def on_worker(function, limit_s: float, /, *args, **kwargs) -> tuple[bool, Any]:
    """Call a function on a cluster's worker: what it raises is an answer, and the worker ends when it takes too long.

    Dask would end a worker for a SystemExit, and then every other worker that gets the part. A thread cannot be
    stopped, so a worker whose part does not end has to go; its nanny starts another.

    Args:
        function: to call, there.
        limit_s: how long it may take before the worker ends.
        args: of the function.
        kwargs: of the function.

    Returns:
        (True, what it gave) or (False, what it raised).
    """
    with _ending(limit_s):
        return guarded(function, *args, **kwargs)


@contextmanager
def _ending(limit_s: float) -> Iterator[None]:
    if limit_s > threading.TIMEOUT_MAX:
        yield
        return
    timer = threading.Timer(limit_s, os._exit, (1,))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


class ClusterPool(Executor):
    """A Dask client as an Executor. A part whose worker is gone runs on another one; Dask sees to that.

    Args:
        client: connected.
        own: the cluster to close with it, if it was started for this run.
        scratch: its workers' folder, to be removed with it.

    Attributes:
        limit_s: a task that takes longer ends its worker, s.
        hang_s: taken and not used: Dask's own threads use processor time all along.
    """

    def __init__(self, client, own=None, scratch: str = ""):
        self.limit_s = self.hang_s = float("inf")
        self._client, self._own, self._scratch = client, own, scratch
        self._pending: dict[Future, object] = {}
        self._lock = threading.Lock()
        self._closed = threading.Event()
        threading.Thread(target=self._watch, daemon=True, name="usfm-cluster").start()

    @property
    def workers(self) -> int:
        """How many parts can run at once."""
        return max(sum(self._client.nthreads().values()), 1)

    def submit(self, fn, /, *args, **kwargs) -> Future:
        """Run `fn(*args, **kwargs)` on the cluster. The death of several workers in turn comes as WorkerDied."""
        result: Future = Future()
        result.set_running_or_notify_cancel()
        task = self._client.submit(
            on_worker, fn, self.limit_s, *args, **kwargs, pure=False, key=f"usfm-{secrets.token_hex(8)}"
        )
        with self._lock:
            self._pending[result] = task
        task.add_done_callback(lambda done: self._settle(result, done))
        return result

    def _settle(self, result: Future, task) -> None:
        from distributed import KilledWorker

        with self._lock:
            if self._pending.pop(result, None) is None:
                return
        if task.cancelled():
            result.set_exception(WorkerDied("was taken away by the scheduler"))
            return
        error = task.exception()
        if error is None:
            good, answer = task.result()
            result.set_result(answer) if good else result.set_exception(unpacked(answer))
        elif isinstance(error, KilledWorker):
            died = WorkerDied("died, several in turn")
            died.final = True
            result.set_exception(died)
        else:
            result.set_exception(error)

    def _watch(self) -> None:
        """End the run when the scheduler or all its workers are gone for good."""
        alone = 0.0
        while not self._closed.wait(2.0):
            try:
                some = bool(self._client.scheduler_info(n_workers=-1)["workers"]) and self._client.status == "running"
            except Exception:
                some = False
            alone = 0.0 if some else alone + 2.0
            if alone >= LONELY_S:
                with self._lock:
                    waiting, self._pending = list(self._pending), {}
                for result in waiting:
                    result.set_exception(
                        WorkError(
                            f"the cluster has had no worker for {LONELY_S:g} s; what is finished is kept, so type the "
                            "same command again when it is back."
                        )
                    )
                return

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Disconnect; with `wait=False` parts under way are cancelled.

        Args:
            wait: False cancels the parts under way.
            cancel_futures: has no effect here; the interface of an Executor asks for it.
        """
        self._closed.set()
        with self._lock:
            tasks, self._pending = list(self._pending.values()), {}
        if not wait and tasks:
            self._client.cancel(tasks, force=True)
        self._client.close()
        if self._own is not None:
            self._own.close()
        if self._scratch:
            shutil.rmtree(self._scratch, ignore_errors=True)
