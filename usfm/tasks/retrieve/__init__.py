"""Retrieval: frames of other patients in order of their likeness."""
