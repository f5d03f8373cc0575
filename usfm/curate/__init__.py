"""Room: store to store; clean, dedup and sector, each a command, and the one phase that finds regions for all three."""
