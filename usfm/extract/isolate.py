"""Work that kills its process, tried again item by item, so that one bad file costs only itself."""

import multiprocessing
from collections.abc import Callable
from dataclasses import replace

from usfm.extract.plan import Order, Piece
from usfm.extract.scan import Batch, Scan, dumps, loads, scan
from usfm.extract.take import take

TIME_LIMIT_S = 600.0
CRASHED = "reader crashed"


def alone(work: Callable[[object], bytes], payload: object, *, time_limit_s: float = TIME_LIMIT_S) -> bytes | None:
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


def scan_one_by_one(batch: Batch, reason: str) -> bytes:
    """Scan a batch that killed its worker: each source alone, and those that kill again get a fault."""
    scans: list[Scan] = []
    for source in batch.sources:
        data = alone(scan, replace(batch, sources=(source,)))
        scans += loads(data) if data is not None else [Scan(fault=CRASHED, detail=reason)]
    return dumps(scans)


def take_one_by_one(order: Order, reason: str) -> bytes:
    """Make a part that killed its worker: find the pieces that kill, and make it again without them."""
    healthy = [
        piece if len(order.pieces) > 1 and alone(take, replace(order, pieces=(piece,))) else _spoilt(piece, reason)
        for piece in order.pieces
    ]
    data = alone(take, replace(order, pieces=tuple(healthy)))
    if data is None:  # together they still do not fit
        data = take(replace(order, pieces=tuple(_spoilt(piece, reason) for piece in order.pieces)))
    return data


def _spoilt(piece: Piece, reason: str) -> Piece:
    return replace(piece, scan=replace(piece.scan, fault=CRASHED, detail=reason))


def _send(pipe, work: Callable[[object], bytes], payload: object) -> None:
    pipe.send_bytes(work(payload))
    pipe.close()
