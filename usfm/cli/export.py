"""``usfm export``: Hand a run's encoder to timm, to code written for MAE, or to ONNX."""

from usfm.cli.options import Command
from usfm.config import Request
from usfm.inspect.export_config import Config


def _run(config: Config, request: Request) -> dict:
    from usfm.inspect.export import run

    return run(config, request)


COMMAND = Command(
    "export",
    "Hand a run's encoder to timm, to code written for MAE, or to ONNX.",
    Config,
    _run,
    inputs="RUN",
    without=("cluster", "device", "workers", "seed"),
)
