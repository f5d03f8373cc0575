"""Tables of anybody's predictions: what is read, and one sentence for each thing that is wrong."""

import numpy as np
import pytest

from usfm.errors import RequestError
from usfm.evaluate import foreign

GOOD = "id,patient,target,score_no,score_yes,site\n1,a,no,0.9,0.1,x\n2,a,yes,0.25,0.75,y\n3,,yes,1,0,x\n"


def read(tmp_path, text, name="mine.csv"):
    (tmp_path / name).write_bytes(text.encode() if isinstance(text, str) else text)
    return foreign.read(tmp_path / name)


def test_a_table_becomes_predictions(tmp_path):
    found, further = read(tmp_path, "\ufeff" + GOOD)
    (held,) = found.values()
    assert list(found) == ["mine"]
    assert held.class_names == ("no", "yes")
    assert held.arrays["target"].tolist() == [0, 1, 1]
    assert np.allclose(held.arrays["scores"], [[0.9, 0.1], [0.25, 0.75], [1, 0]])
    assert held.group.tolist() == ["a", "a", "3"]  # a case without a patient stands for itself
    assert held.split.tolist() == ["test"] * 3
    assert further["mine"]["site"].tolist() == ["x", "y", "x"]


def test_one_score_and_several_models(tmp_path):
    text = "model,id,patient,target,score\nA,1,a,0,0.2\nA,2,b,1,0.7\nB,1,a,0,0.5\nB,2,b,1,0.5\n"
    found, _ = read(tmp_path, text)
    assert list(found) == ["A", "B"]
    assert np.allclose(found["A"].arrays["scores"], [[0.8, 0.2], [0.3, 0.7]])
    assert found["A"].class_names == ("0", "1")


BAD = {
    "no such column": (GOOD.replace("patient", "who"), "no column 'patient'"),
    "empty": ("", "no column 'id'"),
    "only a head": (GOOD.splitlines()[0] + "\n", "no line below"),
    "no scores": ("id,patient,target\n1,a,x\n", "has no scores"),
    "a column twice": (GOOD.replace("site", "id"), "'id' is there twice"),
    "NaN": (GOOD.replace("0.9,", "nan,"), "line 2: a score is not finite"),
    "a word": (GOOD.replace("0.9,", "high,"), "line 2: 'high, 0.1' are no numbers"),
    "logits": (GOOD.replace("0.25,0.75", "-3,4"), "line 3: scores are probabilities"),
    "not one": (GOOD.replace("0.25,", "0.5,"), "line 3: the scores sum to 1.25"),
    "id twice": (GOOD.replace("\n2,", "\n1,"), "line 3: the id '1' is that of line 2 too"),
    "no id": (GOOD.replace("\n2,", "\n,"), "line 3: has no id"),
    "unknown class": (GOOD.replace("a,no,", "a,maybe,"), "'maybe' has no column 'score_maybe'"),
    "no target": (GOOD.replace("a,no,", "a,,"), "has no target"),
    "short line": (GOOD + "4,a\n", "line 5: has 2 cells"),
    "three classes, one score": ("id,patient,target,score\n1,a,x,1\n2,a,y,1\n3,a,z,0\n", "there are 3"),
    "one class": ("id,patient,target,score_x\n1,a,x,1\n", "scores of one class"),
    "no text": (b"id,patient,target,score\n\xff\xfe", "cannot be read"),
    "a line too long": (GOOD + "x" * 200_000, "cannot be read"),
}


@pytest.mark.parametrize(("text", "said"), BAD.values(), ids=BAD)
def test_what_is_wrong_is_one_sentence(tmp_path, text, said):
    with pytest.raises(RequestError, match=said) as caught:
        read(tmp_path, text)
    assert "\n" not in str(caught.value)
    assert "mine.csv" in str(caught.value)


def test_no_file_and_a_folder(tmp_path):
    for path, said in ((tmp_path / "none.csv", "no such file"), (tmp_path, "cannot be read")):
        with pytest.raises(RequestError, match=said):
            foreign.read(path)


NUMBERS = "id,patient,target,value,site\n1,a,3.5,3,x\n2,a,2,2.5,y\n3,,-1e2,4,x\n"


def test_a_table_of_numbers_is_a_regression(tmp_path):
    found, further = read(tmp_path, NUMBERS)
    (held,) = found.values()
    assert held.task == "regress"
    assert held.arrays["target"].tolist() == [3.5, 2, -100]
    assert held.arrays["said"].tolist() == [3, 2.5, 4]
    assert held.arrays["mean"] == pytest.approx(np.full(3, -94.5 / 3))
    assert held.group.tolist() == ["a", "a", "3"]
    assert further["mine"]["site"].tolist() == ["x", "y", "x"]


BAD_NUMBERS = {
    "a word": (NUMBERS.replace("2.5", "much"), "line 3: the value 'much' is no number"),
    "NaN": (NUMBERS.replace("3.5", "nan"), "line 2: the target is not finite"),
    "no target": (NUMBERS.replace("3.5", ""), "line 2: the target '' is no number"),
    "id twice": (NUMBERS.replace("\n2,", "\n1,"), "is that of line 2 too"),
    "masks": ("id,patient,mask\n1,a,m.png\n", "'mask' speaks of masks or boxes"),
    "boxes": ("id,patient,target,x0,y0,x1,y1,score\n1,a,b,1,1,2,2,0.5\n", "finetune detect"),
}


@pytest.mark.parametrize(("text", "said"), BAD_NUMBERS.values(), ids=BAD_NUMBERS)
def test_what_is_wrong_with_numbers_is_one_sentence(tmp_path, text, said):
    with pytest.raises(RequestError, match=said):
        read(tmp_path, text)
