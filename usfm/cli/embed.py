"""``usfm embed``: Turn the frames of a store into vectors."""

from usfm.cli.options import Command
from usfm.config import Request
from usfm.embed.config import Config


def _run(config: Config, request: Request) -> dict:
    from usfm.embed.run import run

    return run(config, request)


def _closing(summary: dict) -> str:
    return f"{summary['frames_out']:,} frames as vectors of {summary['dim']:,} numbers: {summary['out']}"


COMMAND = Command(
    "embed", "Turn the frames of a store into vectors.", Config, _run, without=("cluster",), closing=_closing
)
