"""Floor: a step as phases of parts, run on worker processes or a Dask cluster, resumable after any interruption."""
