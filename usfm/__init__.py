"""From piles of raw ultrasound to a foundation model and the evidence that it is good."""

from usfm import offline

__version__ = "0.1.0"

offline.remove_at_exit(offline.switch_off())  # before any library is loaded that would call home
