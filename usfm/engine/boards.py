"""Loggers beside a run's own files: TensorBoard, and Weights & Biases offline."""

from pathlib import Path
from typing import Any

from usfm.errors import RequestError, missing_extra

LOGGERS = ("tensorboard", "wandb", "csv")


class Board:
    """One logger beside the files: TensorBoard, or Weights & Biases offline."""

    def __init__(self, name: str, folder: Path):
        self.name = name
        self.writer: Any
        try:
            if name == "tensorboard":
                from torch.utils.tensorboard import SummaryWriter

                self.writer = SummaryWriter(str(folder / "tensorboard"))
            else:
                import wandb

                self.writer = wandb.init(mode="offline", dir=str(folder), project="usfm", name=folder.name)
        except ImportError:
            raise missing_extra(f"--log {name}", "log") from None

    def log(self, values: dict[str, float], step: int) -> None:
        """Write some numbers of a step.

        Args:
            values: name -> number.
            step: that they belong to.
        """
        if self.name == "wandb":
            self.writer.log(values, step=step)
        else:
            for key, value in values.items():
                self.writer.add_scalar(key, value, step)

    def close(self) -> None:
        """Finish its files."""
        self.writer.finish() if self.name == "wandb" else self.writer.close()


def check_loggers(names: tuple[str, ...]) -> tuple[str, ...]:
    """The loggers to open; csv is always written, so it needs none.

    Raises:
        RequestError: an unknown name.
    """
    for name in names:
        if name not in LOGGERS:
            raise RequestError(f"--log {name}: write {', '.join(LOGGERS)}")
    return tuple(name for name in names if name != "csv")
