"""Room: fit a downstream task on top of an encoder."""
