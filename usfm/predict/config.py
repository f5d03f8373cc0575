"""Settings of ``usfm predict``."""

from dataclasses import dataclass
from typing import Annotated

from usfm.config import Knob
from usfm.errors import RequestError


@dataclass(frozen=True)
class Config:
    """Which run is asked, and what is written beside the store."""

    run: Annotated[str, Knob("run directory that usfm finetune made", content=False, metavar="RUN")] = ""
    prefix: Annotated[str, Knob("what the names of the new columns begin with, such as 'second:'")] = ""
    table: Annotated[
        str | None,
        Knob(
            "CSV of the predictions, a line a frame; those of clips and patients go beside it",
            panel="Input/Output",
            content=False,
            metavar="FILE",
        ),
    ] = None
    rank: Annotated[
        str | None,
        Knob("order in which people should label the frames: the least sure first, or the least alike",
             choices=("uncertainty", "diversity")),
    ] = None  # fmt: skip
    report: Annotated[
        str | None,
        Knob("folder for an HTML page: counts, the least and the most sure frames, each patient", content=False,
             panel="Report", metavar="DIR"),
    ] = None  # fmt: skip


def check(config: Config) -> None:
    """Refuse at once what has no meaning.

    Raises:
        RequestError: no run is named, or the table's name ends otherwise than .csv.
    """
    if not config.run:
        raise RequestError("no run was given; name a run directory of 'usfm finetune' with --run")
    if config.table is not None and not config.table.lower().endswith(".csv"):
        raise RequestError(f"--table {config.table}: the table is CSV; give a name that ends in .csv")
    if set(config.prefix) & {"/", "\0"} or len(config.prefix.encode()) > 60:
        raise RequestError("--prefix: give at most 60 letters without a slash")
