"""``usfm sector``: Find the acoustic region, cut frames of one size."""

from usfm.cli.options import Command
from usfm.config import Request
from usfm.curate.sector.config import Config


def _run(config: Config, request: Request) -> dict:
    from usfm.curate.sector.run import run

    return run(config, request)


COMMAND = Command(
    "sector",
    "Find the acoustic region, cut frames of one size.",
    Config,
    _run,
    without=("device",),
)
