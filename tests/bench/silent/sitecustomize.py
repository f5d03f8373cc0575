"""Forbid the network in every Python process that has this folder on its path, and note who asked for it.

USFM_NET_LOG names the file for the notes, a line each. With USFM_NET_LOOPBACK=1 the machine may talk to itself, as the
processes of a group or of a Dask cluster do. What native code does alone is for strace to see.
"""

import os
import sys

EVENTS = ("socket.connect", "socket.sendto", "socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr")


def _own(address: object) -> bool:
    host = address[0] if isinstance(address, tuple) and address else address
    return os.environ.get("USFM_NET_LOOPBACK") == "1" and host in ("127.0.0.1", "::1", "localhost", "", None,
                                                                     os.uname().nodename)  # fmt: skip


def _watch(event: str, arguments: tuple) -> None:
    if event not in EVENTS:
        return
    address = arguments[1] if event in ("socket.connect", "socket.sendto") else arguments[0]
    if isinstance(address, str | bytes) and event in ("socket.connect", "socket.sendto"):
        return  # a socket of the file system
    if _own(address):
        return
    line = f"{event} {address} {sys.argv[:3]}\n".encode()
    log = os.open(os.environ["USFM_NET_LOG"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.write(log, line)
    os.close(log)
    raise OSError(f"no network: {event} {address}")


if "USFM_NET_LOG" in os.environ:
    sys.addaudithook(_watch)
