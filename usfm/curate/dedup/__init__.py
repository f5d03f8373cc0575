"""Room: keep one frame of each group of near-duplicates."""
