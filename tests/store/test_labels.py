"""Labels of every kind: the same rules for each row of the table, whatever it holds."""

import hashlib
import json

import h5py
import pytest

from usfm.store.labels import KINDS


def test_the_same_parts_give_the_store_that_they_always_gave(build):
    """Content id and digests of all columns, as they were before kinds of label were objects."""
    with h5py.File(build([[0, 1], [2], [3]])[0].paths[0]) as file:
        digests = {name: value for name, value in json.loads(file.attrs["digests"]).items() if name != "@headings"}
        assert file.attrs["content_id"] == "c406d128a7eccc464d66a403612e392c87330f61ca04fbb70212a1983c6db770"
    text = json.dumps(digests, sort_keys=True)
    assert hashlib.sha256(text.encode()).hexdigest()[:16] == "a897eca4854e2c00"


@pytest.mark.parametrize("name", KINDS)
def test_a_kind_says_what_it_is(name):
    kind = KINDS[name]
    assert kind.name == name
    assert kind.home in {row.path for row in kind.datasets}
    assert kind.within([row.path for row in kind.datasets])
    assert not kind.within([])
    assert kind.joined(kind.empty(), kind.empty())[0] == kind.empty()
    assert kind.columns({}, 3, kind.empty()) == {}
