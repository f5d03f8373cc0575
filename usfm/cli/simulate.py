"""``usfm simulate``: Make ultrasound clips by physics, with the truth beside them."""

from usfm.cli.options import Command
from usfm.config import Request
from usfm.simulate.config import Config


def _run(config: Config, request: Request) -> dict:
    from usfm.simulate.run import run

    return run(config, request)


COMMAND = Command(
    "simulate",
    "Make ultrasound clips by physics, with the truth beside them.",
    Config,
    _run,
    inputs="",
    without=("cluster", "device"),
)
