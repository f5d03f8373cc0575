"""Downstream tasks: what a frozen encoder is asked to do, and how the answer is measured."""

from usfm.tasks.classify import Classify
from usfm.tasks.contract import Task

TASKS: dict[str, Task] = {"classify": Classify()}
