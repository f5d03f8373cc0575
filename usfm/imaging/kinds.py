"""The fixed words for what a frame shows."""

KINDS = (
    "b-mode", "color-doppler", "power-doppler", "spectral", "m-mode", "elastography", "volume-render", "report",
    "blank", "frozen", "other",
)  # fmt: skip
"""A split screen with a trace has the kind of the trace; its region is the tissue above."""
