"""Work that kills its process, tried again in ever smaller groups, so that one bad file costs only itself."""

import multiprocessing
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from usfm.extract.plan import Order, Piece
from usfm.extract.scan import Batch, Scan, dumps, loads, scan
from usfm.extract.take import take
from usfm.jobs.parts import Result

T = TypeVar("T")
TIME_LIMIT_S = 600.0
CRASHED = "reader crashed"


def alone(work: Callable[[Any], Result], payload: object, *, time_limit_s: float = TIME_LIMIT_S) -> bytes | None:
    """Run ``work(payload)`` in a fresh process; None when it dies, hangs or raises there."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=_send, args=(there, work, payload), daemon=True)
    process.start()
    there.close()
    try:
        return here.recv_bytes() if here.poll(time_limit_s) else None
    except EOFError:
        return None
    finally:
        process.kill()
        process.join()
        here.close()


def survivors(items: Sequence[T], survive: Callable[[Sequence[T]], bool]) -> list[bool]:
    """Find those of a group that kills its process that do not kill it themselves, halving as long as a half kills.

    Args:
        items: A group known to kill.
        survive: Runs a smaller group in a process of its own and says whether that lived.

    Example:
        >>> survivors(range(8), lambda group: 5 not in group)
        [True, True, True, True, True, False, True, True]
    """
    if len(items) == 1:
        return [False]
    half = len(items) // 2
    verdicts: list[bool] = []
    for group in (items[:half], items[half:]):
        verdicts += [True] * len(group) if survive(group) else survivors(group, survive)
    return verdicts


def scan_around(batch: Batch, reason: str) -> bytes:
    """Scan a batch that killed its worker: the sources that kill get a fault, the others are looked at."""
    alive = survivors(batch.sources, lambda group: alone(scan, replace(batch, sources=tuple(group))) is not None)
    scans = iter([])
    rest = tuple(source for source, lives in zip(batch.sources, alive, strict=True) if lives)
    if rest:
        data = alone(scan, replace(batch, sources=rest))
        scans = iter(loads(data) if data is not None else [Scan(fault=CRASHED, detail=reason)] * len(rest))
    return dumps([next(scans) if lives else Scan(fault=CRASHED, detail=reason) for lives in alive])


def take_around(order: Order, reason: str) -> bytes:
    """Make a part that killed its worker, without the pieces that kill."""
    alive = survivors(order.pieces, lambda group: alone(take, replace(order, pieces=tuple(group))) is not None)
    healthy = [piece if lives else _spoilt(piece, reason) for piece, lives in zip(order.pieces, alive, strict=True)]
    data = alone(take, replace(order, pieces=tuple(healthy)))
    if data is None:  # together they still do not fit
        data = b"".join(take(replace(order, pieces=tuple(_spoilt(piece, reason) for piece in order.pieces))))
    return data


def _spoilt(piece: Piece, reason: str) -> Piece:
    return replace(piece, scan=replace(piece.scan, fault=CRASHED, detail=reason))


def _send(pipe, work: Callable[[Any], Result], payload: object) -> None:
    result = work(payload)
    pipe.send_bytes(result if isinstance(result, bytes) else b"".join(result))
    pipe.close()
