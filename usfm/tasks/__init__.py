"""Downstream tasks: what an encoder is asked to do, and how the answer is measured."""

from pathlib import Path

from usfm.errors import RequestError
from usfm.tasks import predictions
from usfm.tasks.classify.task import Classify
from usfm.tasks.contract import Task
from usfm.tasks.detect.task import Detect
from usfm.tasks.multilabel.task import Multilabel
from usfm.tasks.predictions import Predictions
from usfm.tasks.regress.task import Regress
from usfm.tasks.retrieve.task import Retrieve
from usfm.tasks.segment.task import Segment

TASKS: dict[str, Task] = {
    each.name: each for each in (Classify(), Detect(), Multilabel(), Regress(), Retrieve(), Segment())
}
MEANT = {("classify", "retrieval"): "retrieve"}
"""Protocols that are asked of one task and measured as another one."""


def read(run: str | Path) -> tuple[Task, Predictions]:
    """Read the predictions of a run directory (or of a ``predictions.h5`` itself), and find its task.

    Args:
        run: where they are.

    Returns:
        The task and the predictions, whose columns are those of the task.

    Raises:
        RequestError: there are none, they are damaged, or of a task that this version does not know.
    """
    found = predictions.read(run)
    if found.task not in TASKS:
        raise RequestError(f"{run}: is of the task '{found.task}', which this version of usfm does not know; update it")
    task = TASKS[found.task]
    for fault in [*predictions.check(found, task.columns)] or [*task.faults(found)]:
        raise RequestError(f"{run}: {fault}; is it damaged? make the run again")
    return task, found
