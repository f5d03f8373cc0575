"""ROOM 1, media to store: find the sources, take the frames that are due, keep who and when without saying who."""
