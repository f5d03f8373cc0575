"""Room: look at stores and runs."""
