"""Settings that may be a number or words: ``--folds 5`` or a column, ``--fraction 0.5`` or several."""

from dataclasses import replace

from usfm.errors import RequestError
from usfm.finetune.config import Config

LEAST = 0.01
"""Smallest share of the training patients."""


def fold_count(config: Config) -> int | None:
    """How many folds were asked for; None where usfm chooses, or where a column or file gives them."""
    return None if config.folds is None else int(config.folds)


def share(config: Config) -> float:
    """The share of the training patients, 0.01 to 1."""
    return float(config.fraction)


def spelled(config: Config) -> Config:
    """Settings with a column of folds as a published split, and with several fractions as a search.

    Args:
        config: as typed.

    Returns:
        The same, with a number in `folds` and in `fraction`.

    Raises:
        RequestError: neither a number nor what else may stand there, or a number out of range.

    Examples:
        >>> spelled(Config(folds="dataset")).splits, spelled(Config(fraction="0.1,1")).sweep
        (('dataset',), ('fraction=0.1,1',))
    """
    config = _fractions(config)
    text = None if config.folds is None else str(config.folds).strip()
    if text is None:
        return config
    if text.lstrip("+-").replace(".", "").isdigit():
        if not text.isdigit() or int(text) < 2:
            raise RequestError(f"--folds {text}: give a whole number from 2 on, or a column of the store")
        return config
    if config.splits:
        raise RequestError(f"--folds {text} and --splits both give the folds; leave one out")
    return replace(config, folds=None, splits=(text,))


def _fractions(config: Config) -> Config:
    words = [word.strip() for word in str(config.fraction).split(",")]
    for word in words:
        try:
            known = LEAST <= float(word) <= 1
        except ValueError:
            known = False
        if not known:
            raise RequestError(f"--fraction {config.fraction}: write shares from {LEAST} to 1, such as 0.05,0.2,1")
    if len(words) == 1:
        return config
    return replace(config, fraction="1", sweep=(*config.sweep, f"fraction={','.join(words)}"))
