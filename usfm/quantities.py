"""Numbers as people read them: counts with their noun, durations, sizes; and what is none."""

MISSING = frozenset(("", "nan", "na", "n/a", "#n/a", "<na>", "nat", "none", "null"))
"""What stands for "no value" in a table, in small letters: so pandas, R and spreadsheets write it."""


def counted(number: int, noun: str) -> str:
    """A number and what it counts.

    Args:
        number: how many.
        noun: in the singular.

    Returns:
        The number with its thousands apart, and the noun.

    Examples:
        >>> counted(1, "patient"), counted(2000, "class")
        ('1 patient', '2,000 classes')
    """
    plural = noun + ("es" if noun.endswith("s") else "s")
    return f"{number:,} {noun if number == 1 else plural}"


def duration(seconds: float) -> str:
    """A length of time in the unit that a person would use.

    Examples:
        >>> [duration(s) for s in (0.04, 8.26, 59.7, 250, 7260, 641750)]
        ['0.0 s', '8.3 s', '1 min', '4 min', '2 h 1 min', '7.4 days']
    """
    if seconds < 59.5:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    if minutes < 48 * 60:
        return f"{minutes // 60} h {minutes % 60} min" if minutes % 60 else f"{minutes // 60} h"
    return f"{seconds / 86400:,.1f} days"


def size(n_bytes: float) -> str:
    """An amount of data or memory.

    Examples:
        >>> [size(n) for n in (512, 4_300, 29_946_432, 3.2e9)]
        ['512 bytes', '4.3 kB', '30 MB', '3.2 GB']
    """
    for step, unit in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if n_bytes >= step:
            return f"{n_bytes / step:,.0f} {unit}" if n_bytes >= 9.95 * step else f"{n_bytes / step:.1f} {unit}"
    return f"{n_bytes:.0f} bytes"
