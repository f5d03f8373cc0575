"""Command `sector`: find the acoustic region and its geometry, and cut frames of one size."""
