"""``usfm eval``: Measure runs with intervals and write the report."""

from usfm.cli.options import Command
from usfm.config import Request
from usfm.evaluate.config import Config


def _run(config: Config, request: Request) -> dict:
    from usfm.evaluate.run import run

    return run(config, request)


def _closing(summary: dict) -> str:
    return f"report: {summary['report']}"


COMMAND = Command(
    "eval",
    "Measure runs with intervals and write the report.",
    Config,
    _run,
    inputs="RUN...",
    without=("cluster",),
    closing=_closing,
)
