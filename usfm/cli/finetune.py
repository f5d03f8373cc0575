"""``usfm finetune``: Fit a downstream task on top of an encoder."""

from usfm.cli.options import Command
from usfm.config import Request
from usfm.finetune.config import Config


def _run(config: Config, request: Request) -> dict:
    from usfm.finetune.run import run

    return run(config, request)


def _closing(summary: dict) -> str:
    return (
        f"{summary['frames_out']:,} frames of {summary['patients']:,} patients in {summary['folds']} folds; run: "
        f"{summary['out']}"
    )


COMMAND = Command(
    "finetune",
    "Fit a downstream task on top of an encoder.",
    Config,
    _run,
    arguments=(("task", "TASK"),),
    without=("cluster",),
    closing=_closing,
)
