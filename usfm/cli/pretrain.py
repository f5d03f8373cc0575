"""``usfm pretrain``: Pretrain an encoder on a sector store by masked image modelling."""

from usfm.cli.options import Command
from usfm.config import Request
from usfm.pretrain.config import Config


def _run(config: Config, request: Request) -> dict:
    from usfm.pretrain.run import run

    return run(config, request)


def _closing(summary: dict) -> str:
    return f"{summary['steps']:,} steps on {summary['frames_trained']:,} frames; run: {summary['out']}"


COMMAND = Command(
    "pretrain",
    "Pretrain an encoder on a sector store by masked image modelling.",
    Config,
    _run,
    without=("cluster",),
    closing=_closing,
)
