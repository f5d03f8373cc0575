"""``usfm clean``: Find burnt-in text and coloured markers, and fill them in."""

from usfm.cli.options import Command
from usfm.config import Request
from usfm.curate.clean.config import Config


def _run(config: Config, request: Request) -> dict:
    from usfm.curate.clean.run import run

    return run(config, request)


COMMAND = Command(
    "clean", "Find burnt-in text and coloured markers, and fill them in.", Config, _run, without=("device",)
)
