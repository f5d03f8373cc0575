"""Fit a downstream task on top of an encoder."""
