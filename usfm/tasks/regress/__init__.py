"""Regression: a number for each frame."""
