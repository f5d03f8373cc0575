"""From piles of raw ultrasound to a foundation model and the evidence that it is good."""

__version__ = "0.1.0"
