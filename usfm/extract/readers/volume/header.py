"""What the readers of headers share: lists of numbers, spacings that say nothing."""

from usfm.extract.readers.volume.grid import NAN

HEADER_BYTES = 64 << 20
"""A header that is longer is none: this holds the fields of 100,000 tracked frames."""
MOST_AXES = 16
LONGEST_MM, SHORTEST_MM = 1000.0, 1e-6
"""Spacings outside are mistakes of the file."""


def integers(text: str) -> list[int]:
    """Read whole numbers; [] where any word is none, or where there are too many.

    Example:
        >>> integers(" 600   400"), integers("12 x"), integers("1.5")
        ([600, 400], [], [])
    """
    words = text.split()
    if len(words) > MOST_AXES or not all(word.lstrip("+-").isdecimal() and len(word) < 19 for word in words):
        return []
    return [int(word) for word in words]


def numbers(text: str) -> list[float]:
    """Read numbers; [] where any word is none, or where there are too many."""
    words = text.split()
    try:
        return [float(word) for word in words] if len(words) <= 2 * MOST_AXES else []
    except ValueError:
        return []


def default_steps(steps: list[float]) -> list[float]:
    """Take spacings as unknown where they cannot be true, and all of them where all are exactly 1.

    One is what programs write that know no spacing.

    Example:
        >>> default_steps([1.0, 1.0, 1.0]), default_steps([0.3, 0.3, 1.0]), default_steps([0.3, -1.0])
        ([nan, nan, nan], [0.3, 0.3, 1.0], [0.3, nan])
    """
    if all(step == 1 for step in steps):
        return [NAN] * len(steps)
    return [step if SHORTEST_MM <= step <= LONGEST_MM else NAN for step in steps]
