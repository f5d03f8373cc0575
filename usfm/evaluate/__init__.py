"""Measure runs with intervals and write the report."""
