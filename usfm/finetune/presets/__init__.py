"""Trainings that a paper describes, as data: a file a paper, a table a task."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from usfm.config import did_you_mean
from usfm.errors import RequestError
from usfm.toml import names_in, read_toml

FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Preset:
    """How a paper trains for one task.

    Attributes:
        name: of its file.
        settings: setting of ``usfm finetune``, or key of its ``--set`` -> value.
        differs: what of the paper's training these settings do not do.
    """

    name: str
    settings: dict[str, object]
    differs: tuple[str, ...] = ()


def names() -> tuple[str, ...]:
    """Return the names of all presets."""
    return names_in(FOLDER)


@cache
def load(name: str, task: str) -> Preset:
    """Read a preset.

    Args:
        name: of its file.
        task: that is trained for.

    Returns:
        The preset.

    Raises:
        RequestError: there is none of this name, or none for this task.

    Example:
        >>> load("polarmae", "detect").settings["image_size"]
        800
    """
    if name not in names():
        raise RequestError(
            f"--preset {name}: no preset is called so{did_you_mean(name, names())}; there are {', '.join(names())}"
        )
    table = read_toml(FOLDER / f"{name}.toml", "preset")
    tasks = [key for key, value in table.items() if isinstance(value, dict)]
    if task not in tasks:
        raise RequestError(f"--preset {name}: says nothing of {task}; it has {', '.join(tasks)}")
    return Preset(name, table[task]["settings"], tuple(table[task].get("differs", ())))
