"""Detection: boxes of classes."""
