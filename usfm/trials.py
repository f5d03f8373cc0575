"""Trials of a command: every combination of the values that ``--sweep`` gives for some settings."""

import csv
import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass

from usfm.errors import RequestError
from usfm.provenance import digest

MOST = 1000
"""Trials of one command, at most: more are a slip of the keys."""


@dataclass(frozen=True)
class Trial:
    """One combination.

    Attributes:
        name: of its folder, made of its settings, so that a sweep that grows finds its trials again.
        changes: "key=value", as ``--set`` takes them; none for the trial of a sweep without keys.
    """

    name: str
    changes: tuple[str, ...]


def trials(sweeps: Sequence[str], taken: Sequence[str] = ()) -> list[Trial]:
    """The product of all swept values, the last key changing fastest.

    Args:
        sweeps: each "key=a,b,..."; a value that holds a comma stands in double quotes.
        taken: settings that are given elsewhere and so cannot be swept, by the last part of their names.

    Returns:
        At least one trial; one without changes where nothing is swept.

    Raises:
        RequestError: no key or value, a key or a value twice, a key that is given elsewhere, or far too many trials.

    >>> [trial.name for trial in trials(["lr=1e-3,3e-4", "run.batch_size=64"])]
    ['lr=1e-3+batch_size=64', 'lr=3e-4+batch_size=64']
    >>> trials(['stages="0.1,0.2,0.3,1"'])[0].changes
    ('stages=0.1,0.2,0.3,1',)
    """
    keys: dict[str, list[str]] = {}
    for one in sweeps:
        key, equals, text = (part.strip() for part in one.partition("="))
        values = _values(text)
        if not (key and equals and values) or "" in values:
            raise RequestError(f"--sweep {one}: write it as key=a,b")
        leaf = _leaf(key)
        if leaf in map(_leaf, keys):
            raise RequestError(f"--sweep {one}: '{leaf}' is swept twice; give all its values at once")
        if leaf in taken:
            raise RequestError(f"--sweep {one}: '{leaf}' is given elsewhere on the command line too; leave one out")
        if len(set(values)) < len(values):
            raise RequestError(f"--sweep {one}: a value stands twice")
        keys[key] = values
    count = 1
    for values in keys.values():
        count *= len(values)
    if count > MOST:
        raise RequestError(f"--sweep makes {count:,} trials, more than {MOST:,}; give fewer values")
    pairs = [[f"{key}={value}" for value in values] for key, values in keys.items()]
    found = [Trial(_name(changes), changes) for changes in itertools.product(*pairs)]
    return found if len({trial.name for trial in found}) == count else [
        Trial(f"{trial.name}-{digest(trial.changes)[:8]}", trial.changes) for trial in found
    ]  # fmt: skip


def fields_of(assignments: Sequence[str]) -> list[str]:
    """Names of the fields that `--set` assigns, without their sections.

    Examples:
        >>> fields_of(["run.batch_size=32", "lr = 1e-3"])
        ['batch_size', 'lr']
    """
    return [one.partition("=")[0].strip().rpartition(".")[2] for one in assignments]


def _values(text: str) -> list[str]:
    """Comma-separated values, quoted where they hold a comma."""
    rows = list(csv.reader([text], skipinitialspace=True))
    return [value.strip() for value in rows[0]] if rows else []


def _leaf(key: str) -> str:
    return key.rpartition(".")[2]


def _name(changes: Sequence[str]) -> str:
    """A folder's name: one that can be typed, and no longer than file systems take."""
    words = [f"{_leaf(key)}={value}" for key, _, value in (change.partition("=") for change in changes)]
    name = re.sub(r"[^A-Za-z0-9=+._-]+", "_", "+".join(words)) or "trial"
    return name if len(name) <= 120 else f"{name[:100]}-{digest(changes)[:8]}"
