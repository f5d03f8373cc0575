"""Settings of ``usfm split``."""

import math
from dataclasses import dataclass
from typing import Annotated

from usfm.config import Knob
from usfm.errors import RequestError

FRACTIONS = "0.7,0.15,0.15"
DUPLICATES, GIVEN = "Near-duplicates", "Published splits"


@dataclass(frozen=True)
class Config:
    """Who stays together, how large the parts are, and what is kept of a split that is there already."""

    by: Annotated[
        str,
        Knob("what stays on one side: patient, exam, or a column of the sources; patients always do", metavar="COLUMN"),
    ] = "patient"
    fractions: Annotated[
        str | None,
        Knob(f"share of the frames of train, val, test, or of train, test ({FRACTIONS})", metavar="F,F[,F]"),
    ] = None
    folds: Annotated[
        int | None, Knob("folds instead, kept in the column 'fold' of the sources, for finetune --folds fold", low=2)
    ] = None
    stratify: Annotated[
        str,
        Knob("what each part holds in equal shares: class, none, or a column of the sources", metavar="COLUMN"),
    ] = "class"
    keep: Annotated[
        str | None,
        Knob(
            "what stays of a split that the store brings (all; none with --fractions, --folds, --by-duplicates)",
            choices=("all", "test", "none"),
        ),
    ] = None
    splits: Annotated[
        tuple[str, ...],
        Knob(
            "read a published split: JSON, CSV or lists of names (may be repeated), or a column of the sources",
            panel=GIVEN,
            metavar="FILE",
        ),
    ] = ()
    by_duplicates: Annotated[
        bool,
        Knob("keep near-duplicates on one side too, whoever's they are", panel=DUPLICATES, flag="--by-duplicates"),
    ] = False
    threshold: Annotated[
        float, Knob("cosine of two regions' low frequencies that makes near-duplicates", low=-1, high=1,
                    panel=DUPLICATES)
    ] = 0.95  # fmt: skip


def check(config: Config) -> None:
    """Refuse at once what contradicts itself.

    Raises:
        RequestError: fractions that are none, or two ways to split at once.
    """
    shares(config)
    asked = [flag for flag, given in (("--fractions", config.fractions is not None),
                                      ("--folds", config.folds is not None),
                                      ("--splits", bool(config.splits))) if given]  # fmt: skip
    if len(asked) > 1:
        raise RequestError(f"{' and '.join(asked)} are two ways to split; choose one.")
    if config.splits and config.keep is not None:
        raise RequestError("--keep goes with a new split, and --splits reads one; choose one.")


def shares(config: Config) -> dict[str, float]:
    """The parts and their wanted shares of the frames.

    Raises:
        RequestError: they are no two or three numbers above 0 that add up to 1.

    Examples:
        >>> shares(Config(fractions="0.8,0.2"))
        {'train': 0.8, 'test': 0.2}
    """
    text = config.fractions or FRACTIONS
    try:
        found = [float(one) for one in text.split(",")]
    except ValueError:
        found = []
    if len(found) not in (2, 3):
        raise RequestError(f"--fractions {text[:60]}: give two or three numbers, such as {FRACTIONS} or 0.8,0.2.")
    if not all(0 <= one <= 1 for one in found) or found[0] <= 0 or abs(math.fsum(found) - 1) > 1e-6:
        raise RequestError(
            f"--fractions {text[:60]}: shares lie between 0 and 1, train has some, and together they make 1."
        )
    return dict(zip(("train", "val", "test") if len(found) == 3 else ("train", "test"), found, strict=True))
