"""Room: measure runs with intervals and write the report."""
