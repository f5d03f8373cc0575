"""Published benchmarks are read whole, and refuse a store of something else."""

import pytest

from usfm.errors import RequestError
from usfm.tasks import benchmarks


def test_names_and_what_is_said_of_one_that_is_none():
    assert {"bus-bra", "mmotu-2d", "gist514", "fetal-planes", "fis"} <= set(benchmarks.names())
    with pytest.raises(RequestError, match="did you mean 'bus-bra'"):
        benchmarks.load("bus-bre")


@pytest.mark.parametrize("name", benchmarks.names())
def test_a_store_of_another_collection_is_refused(name):
    one = benchmarks.load(name)
    assert all(0 < row.value <= 100 for row in one.published)
    assert all(row.metric == one.metric for row in one.published)
    if one.runs:
        assert benchmarks.runnable(name, [one.layout, one.layout]) is one
        for others in (["busi"], [one.layout, "busi"], [""], []):
            with pytest.raises(RequestError, match=f"--layout {one.layout}"):
                benchmarks.runnable(name, others)
    else:
        with pytest.raises(RequestError, match="cannot be run"):
            benchmarks.runnable(name, ["busi"])
