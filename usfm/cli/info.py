"""``usfm info``: Say what is in a store or a run and where it came from."""

from usfm.cli.options import Command
from usfm.config import Request
from usfm.inspect.config import Config


def _run(config: Config, request: Request) -> dict:
    from usfm.inspect.info import run

    return run(config, request)


COMMAND = Command(
    "info",
    "Say what is in a store or a run and where it came from.",
    Config,
    _run,
    inputs="PATH...",
    without=("out", "overwrite", "cluster", "device", "seed", "dry_run", "workers"),
    out="text",
)
