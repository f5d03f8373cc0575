"""Published benchmarks are read whole, and refuse a store of something else."""

import pytest

from usfm.errors import RequestError
from usfm.tasks import benchmarks


def test_names_and_what_is_said_of_one_that_is_none():
    assert {"bus-bra", "mmotu-2d", "gist514", "fetal-planes", "fis"} <= set(benchmarks.names())
    with pytest.raises(RequestError, match="did you mean 'bus-bra'"):
        benchmarks.load("bus-bre")


def test_pictures_that_serve_two_tasks_have_two_sets_of_numbers():
    first, other = (benchmarks.load("mmotu-2d", task) for task in ("classify", "segment"))
    assert (first.task, other.task) == ("classify", "segment")
    assert first == benchmarks.load("mmotu-2d") == benchmarks.load("mmotu-2d", "detect")
    assert first.tasks == other.tasks == ("classify", "segment")
    assert (first.layout, first.test) == (other.layout, other.test)
    assert not {row.metric for row in first.published} & {row.metric for row in other.published}
    assert not other.classes


@pytest.mark.parametrize(
    "name, task", [(name, task) for name in benchmarks.names() for task in benchmarks.load(name).tasks]
)
def test_a_store_of_another_collection_is_refused(name, task):
    one = benchmarks.load(name, task)
    assert all(0 < row.value <= 100 for row in one.published)
    assert all(row.metric == one.metric for row in one.published)
    if one.runs:
        assert benchmarks.runnable(name, [one.layout, one.layout], task=task) is one
        for others in (["busi"], [one.layout, "busi"], [""], []):
            with pytest.raises(RequestError, match=f"--layout {one.layout}"):
                benchmarks.runnable(name, others, task=task)
    else:
        with pytest.raises(RequestError, match="cannot be run"):
            benchmarks.runnable(name, ["busi"])
