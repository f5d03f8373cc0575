"""Classification with several classes a frame."""
