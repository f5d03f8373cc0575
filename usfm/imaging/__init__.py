"""Floor: pure functions on arrays; no files, no torch, no settings."""
