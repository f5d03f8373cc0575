"""What runs in a worker process: one part after another, each result on the disk before the parent hears of it."""

import os
import pickle
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from usfm.jobs.failure import packed
from usfm.jobs.parts import Result
from usfm.store.disk import Writer, sync, telling

ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "NUMEXPR_NUM_THREADS": "1",
    "OPENCV_FOR_THREADS_NUM": "1",
}
"""Environment of every worker, set before it imports anything: as many processes as cores, one thread each."""


def one_thread() -> None:
    """Hold the libraries that are loaded to one thread each, where the environment came too late (a Dask worker)."""
    os.environ.update(ONE_THREAD)
    if "cv2" in sys.modules:
        sys.modules["cv2"].setNumThreads(1)
    torch = sys.modules.get("torch")
    if torch is not None and torch.get_num_threads() != 1:
        torch.set_num_threads(1)


def do_part(work: Callable[[Any], Result], payload: Any, folder: str, stem: str, cwd: str) -> str:
    """Do one part and put its result on the disk.

    Args:
        work: of the phase.
        payload: of the part.
        folder: where results go.
        stem: of the result's name.
        cwd: where the command was typed: what paths in the payload are relative to, on any machine.

    Returns:
        The result's file name.

    Raises:
        WorkError: the disk is full or fails; what `work` raises comes as it is.
    """
    one_thread()
    if os.getcwd() != cwd:
        os.chdir(cwd)
    return write_result(work(payload), Path(folder), stem)


def write_result(result: Result, folder: Path, stem: str) -> str:
    """Write a result whole or not at all: temporary file, sync, rename; its checksum is in its name.

    Args:
        result: bytes, or an iterator of them.
        folder: where the file goes.
        stem: of the file's name.

    Returns:
        The file's name: stem, checksum, ".part".

    Raises:
        WorkError: the disk is full or fails; what the result raises while it is made comes as it is.
    """
    # On a cluster two may make the same part (one was given up for lost), and have the same process number.
    temporary = folder / f"{stem}.unfinished-{os.getpid()}-{os.urandom(4).hex()}"
    file = Writer(temporary, folder)
    try:
        for piece in [result] if isinstance(result, bytes) else result:
            file.write(piece)
        name = f"{stem}.{file.finish()}.part"
        with telling(folder):
            os.replace(temporary, folder / name)
            sync(folder)
    except BaseException:
        file.close()
        temporary.unlink(missing_ok=True)
        raise
    return name


def serve(connection, lifeline) -> None:
    """Take tasks from a pipe until it closes. The process ends at once when the parent is gone.

    Args:
        connection: pipe to the parent, for tasks and answers.
        lifeline: pipe that nothing is written to; it ends when the parent does.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole process group; the parent decides
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.dup2(2, 1)  # stdout is for the command's result: what a library prints goes to stderr
    _first_to_go()
    threading.Thread(target=_watch, args=(lifeline,), daemon=True).start()
    connection.send((None, "ready"))
    while True:
        try:
            task = connection.recv_bytes()
        except (EOFError, OSError):
            return
        good, answer = guarded(_call, task)
        if good:
            good, answer = guarded(pickle.dumps, answer)
        try:
            connection.send((good, answer))
        except OSError:  # the parent is gone
            return
        if not good and answer[0] != "ends":  # a fresh process next: nobody knows what state this one is in
            return


def guarded(function: Callable, /, *args, **kwargs) -> tuple[bool, Any]:
    """Call a function; whatever it raises, SystemExit and KeyboardInterrupt too, is an answer that can be sent.

    Returns:
        (True, what it gives) or (False, the exception as `failure.packed` puts it).
    """
    try:
        return True, function(*args, **kwargs)
    except BaseException as error:
        return False, packed(error)


def _call(task: bytes) -> Any:
    function, args, kwargs = pickle.loads(task)
    return function(*args, **kwargs)


def _watch(lifeline) -> None:
    try:
        lifeline.recv_bytes()
    except (EOFError, OSError):
        os._exit(1)


def _first_to_go() -> None:
    """Let the kernel, when memory runs out, end a worker and not the parent."""
    try:
        with open("/proc/self/oom_score_adj", "w") as file:
            file.write("500")
    except OSError:
        pass
