"""Room: turn the frames of a store into vectors."""
