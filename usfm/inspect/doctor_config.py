"""Settings of ``usfm doctor``: Say what works on this machine and how to mend the rest."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Config:
    """Nothing to choose: every check is quick and touches nothing."""
