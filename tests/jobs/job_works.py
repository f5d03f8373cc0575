"""Work for parts in tests, with faults on demand; worker processes import this module."""

import errno
import os
import resource
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from usfm.errors import GateError, Interrupted
from usfm.store import disk
from usfm.store.reader import Store
from usfm.store.schema import frame_id
from usfm.store.writer import PartWriter

SIZE_PX = (20, 24)
disk.BLOCK_BYTES, disk._BEHIND_BYTES = 1024, 2048  # so that small parts, too, are written while they are made


def note(scratch: str, line: str) -> None:
    fd = os.open(Path(scratch) / "log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(fd, f"{line}\n".encode())
    os.close(fd)


def first_time(scratch: str, name: str) -> bool:
    try:
        os.close(os.open(Path(scratch) / name, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return False
    return True


def make(payload: dict) -> Iterator[bytes]:
    """Frames out of nothing; the same for the same number. What the payload's fault says happens half-way."""
    number, scratch = payload["number"], payload["scratch"]
    note(scratch, f"make {number}")
    part = PartWriter()
    source = part.source(path=f"{number}.mp4", sha256=f"{number:04x}" * 16, kind="video")
    rng = np.random.default_rng(number)
    frames = payload.get("frames", 4)
    for index in range(frames):
        if index == frames // 2:
            commit(payload)
        part.frame(rng.integers(0, 256, SIZE_PX, np.uint8), frame_id=frame_id(f"{number:04x}" * 16, index),
                   source=source, index=index, time_s=index / 3)  # fmt: skip
        yield from part.drain()
    yield from part.pieces()


def word(count: int) -> bytes:
    """A result that is no part of a store."""
    return b"x" * count


def copy(payload: dict) -> Iterator[bytes]:
    """Rows of a store."""
    note(payload["scratch"], f"copy {payload['number']}")
    store = Store.open(payload["paths"])
    part = PartWriter()
    for row in payload["rows"]:
        part.copy(store, row)
        yield from part.drain()
    commit(payload)
    yield from part.pieces()


def poison(part, reason: str) -> bytes:
    """All frames of a part rejected."""
    result = PartWriter()
    for index in range(part.payload.get("frames", 4)):
        result.reject(
            part.source, frame_id(f"{part.payload['number']:04x}" * 16, index), "make", "reader crashed", reason
        )
    return result.to_bytes()


def commit(payload: dict) -> None:
    """Do to this process what the payload's fault says."""
    fault = payload.get("fault")
    if fault is None or (fault.get("once") and not first_time(payload["scratch"], f"once-{payload['number']}")):
        return
    globals()[f"_{fault['kind'].replace('-', '_')}"](fault)


def both(fault: dict) -> None:
    """The end of the power: parent and worker are gone without a word."""
    os.kill(fault["parent"], signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)


def _kill_at_byte(fault: dict) -> None:
    real, left = os.write, fault["byte"]

    def write(fd: int, data) -> int:
        nonlocal left
        if len(data) > left:
            real(fd, bytes(data)[:left])
            both(fault)
        left -= len(data)
        return real(fd, data)

    os.write = write


def _kill_before_rename(fault: dict) -> None:
    os.replace = lambda *_: both(fault)


def _kill_after_rename(fault: dict) -> None:
    real = os.replace

    def replace(*names) -> None:
        real(*names)
        both(fault)

    os.replace = replace


def _die(fault: dict) -> None:
    os.kill(os.getpid(), fault.get("signal", signal.SIGKILL))


def _hang(fault: dict) -> None:
    time.sleep(1e6)


def _spin(fault: dict) -> None:
    while True:
        pass


def _memory(fault: dict) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (1 << 31, 1 << 31))
    hoard = []
    while True:
        hoard.append(np.empty(1 << 25))  # address space only: no page of it is touched


def _read_error(fault: dict) -> None:
    raise OSError(errno.EIO, "Input/output error", "clip.mp4")


def _disk_full(fault: dict) -> None:
    def write(fd: int, data) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    os.write = write


def _ctrl_c(fault: dict) -> None:
    for _ in range(fault.get("times", 1)):
        os.kill(fault["parent"], signal.SIGINT)
        time.sleep(0.3)


def _wait(fault: dict) -> None:
    while not os.path.exists(fault["until"]):
        time.sleep(0.02)


def _system_exit(fault: dict) -> None:
    raise SystemExit(fault.get("code", 3))


def _keyboard(fault: dict) -> None:
    raise KeyboardInterrupt


class Panic(BaseException):
    """What an extension in Rust raises when it panics: no Exception."""


def _panic(fault: dict) -> None:
    raise Panic("index out of bounds")


def _quit(fault: dict) -> None:
    os._exit(fault.get("code", 0))


def _abort(fault: dict) -> None:
    os.abort()


class Stubborn(Exception):
    """It can be raised, and that is all: not pickled, not printed."""

    def __init__(self):
        super().__init__(lambda: None)

    def __str__(self) -> str:
        raise SystemExit(5)


def _stubborn(fault: dict) -> None:
    raise Stubborn


def _gate(fault: dict) -> None:
    raise GateError("a gate that nobody asked for")


def _interrupted(fault: dict) -> None:
    raise Interrupted("by nobody")


def _orphan(fault: dict) -> None:
    """Die and leave a process behind that holds every pipe open."""
    if os.fork() == 0:
        time.sleep(5)
        os._exit(0)
    os.kill(os.getpid(), signal.SIGKILL)


def word_but(payload: tuple) -> bytes:
    """A result that is no part of a store, of items; those in the second set raise."""
    for item in payload[0]:
        if item in payload[1]:
            raise SystemExit(3)
    return ",".join(map(str, payload[0])).encode()


def unsendable(payload: object):
    """A result that cannot be sent."""
    return lambda: payload
