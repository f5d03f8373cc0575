"""A condition means what it says in Python, and nothing else can be asked for."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from usfm.errors import RequestError
from usfm.inspect.select.expression import DEEPEST, LONGEST, matches, names_in, parsed, refuse_unknown

TABLE = {
    "dataset": np.array(["pocus", "busi", "pocus", ""], object),
    "patient": np.array(["ab12", "cd34", "", "ef"], object),
    "class": np.array(["ill", "well", "ill", ""], object),
    "index": np.array([0, 1, 2, 3]),
    "age": np.array(["50", "61.5", "unknown", ""], object),
    "value/ef": np.array([0.5, np.nan, 0.7, 0.2]),
    "has_mask": np.array([True, False, True, False]),
}


def column(name):
    return TABLE[name.removesuffix("_") if name not in TABLE else name]


def answered(text):
    tree = parsed(text)
    refuse_unknown(tree, list(TABLE))
    return matches(tree, column, 4)


@pytest.mark.parametrize("text, wanted", [
    ("dataset == 'pocus' and patient != 'ab12'", [2]),
    ("class == 'ill'", [0, 2]),
    ("class in ['ill', 'well'] and not has_mask", [1]),
    ("class not in ('ill',)", [1, 3]),
    ("index > 0 and index <= 2", [1, 2]),
    ("0 < index < 3", [1, 2]),
    ("age > 55", [1]),
    ("age != 50", [1, 2, 3]),
    ("age == '50'", [0]),
    ("value.ef >= 0.5", [0, 2]),
    ("value.ef", [0, 2, 3]),
    ("not known(value.ef)", [1]),
    ("patient", [0, 1, 3]),
    ("not patient", [2]),
    ("'oc' in dataset", [0, 2]),
    ("dataset.startswith('po') or dataset.endswith(('si', 'xx'))", [0, 1, 2]),
    ("patient.contains('d3')", [1]),
    ("dataset.lower() == 'busi'", [1]),
    ("column('value/ef') < 0.3", [3]),
    ("index in [1, 3]", [1, 3]),
    ("index == -1 or index == 3", [3]),
    ("True", [0, 1, 2, 3]),
    ("class == dataset", [3]),
])  # fmt: skip
def test_a_condition_means_what_it_says(text, wanted):
    tree = parsed(text)
    refuse_unknown(tree, list(TABLE))
    assert np.flatnonzero(matches(tree, column, 4)).tolist() == wanted


BAD = [
    "", " ", "dataset ==", "dataset = 'a'", "import os", "__import__('os').system('true')", "open('x')", "().__class__",
    "dataset.__class__", "dataset.upper()", "[x for x in dataset]", "lambda: 1", "f'{dataset}'", "index + 1 == 2",
    "index ** 9 ** 9 ** 9", "dataset[0]", "dataset is None", "dataset == None", "(x := 1)", "exec('1')", "print(index)",
    "index if 1 else 2", "dataset == b'a'", "startswith('a')", "dataset.startswith(index)", "await index", "...",
    "dataset.startswith(*['a'])", "known()", "{'a': 1}", "dataset; index", "index == 1\nindex", "index in index.items",
    "index in [1 + 1]", "eval('1')", "value.ef.real", "1j == index", "(" * 90 + "1" + ")" * 90 + "x",
]  # fmt: skip


@pytest.mark.parametrize("text", BAD)
def test_what_is_no_condition_or_would_run_code_is_one_sentence(text):
    with pytest.raises(RequestError) as error:
        parsed(text)
    assert "--where" in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("text", [
    "(" * 150 + "index" + ")" * 150, "not " * 2000 + "index", "not " * (DEEPEST + 5) + "index",
    "index==1 or " * 900 + "1", "x" * (LONGEST + 1), "index in [" + "1," * 4000 + "1]", "-" * 3000 + "1 == index",
    "[" * 5000, "index == " + "9" * 5000,
])  # fmt: skip
def test_what_is_too_long_or_too_deep_is_refused_at_once(text):
    with pytest.raises(RequestError) as error:
        parsed(text)
    assert len(str(error.value)) < 400


@pytest.mark.parametrize("text, words", [
    ("clas == 'ill'", "did you mean 'class'"), ("nothing == 1", "there are"),
    ("index == 'three'", "leave the quotes out"), ("index.startswith('a')", "of texts"),
    ("'a' in index", "within a text"),
])  # fmt: skip
def test_what_the_store_cannot_answer_is_one_sentence(text, words):
    with pytest.raises(RequestError, match=words):
        answered(text)


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="abcdex01 ()[]'\"=!<>.,_+*-{}:@#\\\nnotorinlambda", max_size=60))
def test_any_text_is_a_condition_or_a_sentence(text):
    try:
        assert answered(text).shape == (4,)
    except RequestError as error:
        said = str(error)
    else:
        said = ""
    assert "\n" not in said


def test_a_number_too_large_is_a_number():
    assert not matches(parsed("index == 1e999 or index > 1" + "0" * 400 + ".0"), column, 4).any()
    assert names_in(parsed("dataset == 'a' and value.ef > 1 and column('b c')")) == {"dataset", "value/ef", "b c"}
