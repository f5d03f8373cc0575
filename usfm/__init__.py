"""From piles of raw ultrasound to a foundation model and the evidence that it is good."""

from importlib import import_module
from typing import Any

from usfm import offline, waiting

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Load what is seldom needed when it is asked for: `import usfm` stays instant."""
    if name == "Store":
        # Every floor may read the package's version, so an import statement here would tie each of them to the store.
        return import_module("usfm.store.reader").Store
    raise AttributeError(f"module 'usfm' has no attribute {name!r}")


offline.remove_at_exit(offline.switch_off())  # before any library is loaded that would call home
waiting.sleep_while_waiting()  # and before any library that loads OpenMP
