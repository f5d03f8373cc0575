"""Segmentation: a class, or several, for each pixel."""
