"""Room: turn videos and images into a store."""
