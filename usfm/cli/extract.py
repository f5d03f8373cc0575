"""``usfm extract``: Turn videos and images into a store."""

from usfm.cli.options import Command
from usfm.config import Request
from usfm.extract.config import Config


def _run(config: Config, request: Request) -> dict:
    from usfm.extract.run import run

    return run(config, request)


COMMAND = Command("extract", "Turn videos and images into a store.", Config, _run, inputs="SRC...", without=("device",))
