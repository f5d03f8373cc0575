"""The vision transformer, its positions, its checkpoints, and everything that turns frames into vectors."""
