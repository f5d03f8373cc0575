"""Turn the frames of a store into vectors."""
