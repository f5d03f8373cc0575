"""Room: find burnt-in text and coloured markers, and fill them in."""
