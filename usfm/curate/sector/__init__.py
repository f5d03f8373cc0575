"""Room: find the acoustic region, cut frames of one size."""
