"""Break a run on purpose, in every process of it: Python imports this module at start when its folder is on the path.

The file named by USFM_FAULT_FILE says what to break: a JSON object with `kind` (kill, die, hang, memory, read, full),
`ticket` (which write of a result, counted over all workers, or which write of the assembly), `point` (for kill: byte,
before, after; for assembly: write, sync, before, after, tidy), `share` (of the bytes written before the end), `parent`
(process to kill with it), `scratch` (folder for the count), and `times` (how often; 0 = always).
"""

import errno
import json
import os
import signal
import time

SHORT_BYTES = 8192
"""A write takes no more than this, as systems may: so the small results of the bench, too, come in several."""

_write, _pread, _replace = os.write, os.pread, os.replace


def _spec() -> dict | None:
    try:
        with open(os.environ["USFM_FAULT_FILE"]) as file:
            return json.load(file)
    except (KeyError, OSError, ValueError):
        return None


def _ticket(scratch: str, what: str) -> int:
    number = 0
    while True:
        try:
            os.close(os.open(f"{scratch}/{what}-{number}", os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            number += 1
        else:
            return number


def _power_cut(spec: dict) -> None:
    os.kill(spec["parent"], signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)


def write(fd: int, data) -> int:
    spec = _spec()
    if spec is None or spec.get("phase") != "work" or spec.get("parent") == os.getpid():
        return _write(fd, data)
    try:
        name = os.readlink(f"/proc/self/fd/{fd}")
    except OSError:
        return _write(fd, data)
    if ".unfinished-" not in name:
        return _write(fd, data)
    stem = os.path.basename(name).split(".unfinished-")[0]
    victim = f"{spec['scratch']}/victim"
    if os.path.exists(victim):
        with open(victim) as file:
            hit = file.read() == stem
    else:
        hit = _ticket(spec["scratch"], "result") == spec["ticket"]
        if hit:
            with open(victim, "w") as file:
                file.write(stem)
    if not hit or (spec.get("times") and _ticket(spec["scratch"], "hit") >= spec["times"]):
        return _write(fd, data[:SHORT_BYTES])
    kind = spec["kind"]
    if kind == "kill" and spec["point"] == "byte":
        _write(fd, bytes(data)[: int(len(data) * spec["share"])])
        _power_cut(spec)
    elif kind == "kill":
        _write(fd, data)
        return len(data)  # the rename does the rest
    elif kind == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    elif kind == "hang":
        time.sleep(1e6)
    elif kind == "memory":
        raise MemoryError
    elif kind == "full":
        raise OSError(errno.ENOSPC, "No space left on device")
    return _write(fd, data)


def replace(source, target, **kwargs) -> None:
    spec = _spec()
    if spec is not None and spec["kind"] == "kill":
        name = os.path.basename(str(target))
        if spec["phase"] == "work" and spec["point"] in ("before", "after") and name.endswith(".part"):
            victim = f"{spec['scratch']}/victim"
            if os.path.exists(victim):
                with open(victim) as file:
                    if name.startswith(file.read()):
                        if spec["point"] == "after":
                            _replace(source, target, **kwargs)
                        _power_cut(spec)
        if spec["phase"] == "assemble" and spec["point"] in ("before", "after") and name.endswith(".h5"):
            if spec["point"] == "after":
                _replace(source, target, **kwargs)
            _power_cut(spec)
    _replace(source, target, **kwargs)


def pread(fd: int, size: int, offset: int) -> bytes:
    spec = _spec()
    if spec is not None and spec["kind"] == "read" and os.getpid() != spec["parent"]:
        if _ticket(spec["scratch"], "read") == spec["ticket"]:
            raise OSError(errno.EIO, "Input/output error")
    return _pread(fd, size, offset)


if "USFM_FAULT_FILE" in os.environ:
    # The fork server runs this, so its workers write what they have after every few frames, and sync behind it.
    from usfm.store import disk

    disk.BLOCK_BYTES, disk._BEHIND_BYTES = 1 << 12, 1 << 14
    os.write, os.replace, os.pread = write, replace, pread


def _watch_calls(spec: dict) -> None:
    """Count, over all processes, the calls that change the folder of a trial, and break the one that was drawn.

    Args:
        spec: `log` (a file that grows by a byte a call), `at` (which call), `under` (the folder), and `do`: count;
            kill, which ends the whole process group; die, which ends the process that calls.
    """
    import sys

    log = os.open(spec["log"], os.O_WRONLY | os.O_APPEND)
    changes = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
    events = {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate", "os.link", "os.symlink", "os.utime"}
    fsync = os.fsync

    def count() -> None:
        _write(log, b".")
        if os.lseek(log, 0, os.SEEK_CUR) - 1 != spec["at"]:
            return
        if spec["do"] == "kill":
            os.killpg(0, signal.SIGKILL)
        elif spec["do"] == "die":
            os.kill(os.getpid(), signal.SIGKILL)

    def hook(event: str, arguments: tuple) -> None:
        if event not in events and not (event == "open" and isinstance(arguments[2], int) and arguments[2] & changes):
            return
        path = arguments[0]
        if isinstance(path, (str, bytes)) and os.path.abspath(os.fsdecode(path)).startswith(spec["under"]):
            count()

    def counted_fsync(fd) -> None:
        count()
        fsync(fd)

    os.fsync = counted_fsync
    sys.addaudithook(hook)


if "USFM_FAULT_CALLS" in os.environ:
    _watch_calls(json.loads(os.environ["USFM_FAULT_CALLS"]))
