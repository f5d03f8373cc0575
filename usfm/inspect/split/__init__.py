"""Split a store into train, val and test, or into folds, so that no patient is on two sides."""
