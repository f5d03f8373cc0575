"""Downstream tasks: what a frozen encoder is asked to do, and how the answer is measured."""
