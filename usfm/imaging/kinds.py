"""The fixed words for what a frame shows."""

KINDS = (
    "b-mode", "color-doppler", "power-doppler", "spectral", "m-mode", "elastography", "volume-render", "report",
    "blank", "frozen", "other",
)  # fmt: skip
"""A split screen with a trace has the kind of the trace; its region is the tissue above."""

REASONS = {
    "b-mode": "gray tissue and nothing else",
    "color-doppler": "flow in warm and cold colours, or in one beside a bar of both",
    "power-doppler": "flow in warm colours only",
    "spectral": "a wide strip of grainy traces below the picture",
    "m-mode": "a wide strip of level lines below the picture",
    "elastography": "a map of four or more colours with green over much of the picture",
    "volume-render": "so an earlier step says",
    "report": "flat but for text, or mostly bright paper",
    "blank": "one flat gray",
    "frozen": "so an earlier step says",
    "other": "so an earlier step says",
}
"""Why a frame is said to show something, where its pixels say so."""
