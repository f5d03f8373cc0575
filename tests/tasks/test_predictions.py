import numpy as np
import pytest

from usfm.errors import RequestError
from usfm.store import tables
from usfm.tasks import predictions
from usfm.tasks.predictions import Predictions


def _predictions(n=5):
    words = lambda letter: np.array([f"{letter}{k}" for k in range(n)], object)  # noqa: E731
    scores = np.random.default_rng(0).dirichlet([1, 1], n).astype(np.float32)
    return Predictions(
        words("f"), words("s"), words("p"), words("g"), words("t"), words("d"),
        {"target": np.arange(n, dtype=np.int32) % 2, "scores": scores, "majority": np.zeros(n, np.int32)},
        ("benign", "malignant"),
    )  # fmt: skip


def test_predictions_come_back_as_they_were(tmp_path):
    predictions.write(tmp_path / predictions.FILE, _predictions(), {"protocol": "linear"})
    back = predictions.read(tmp_path)
    assert back.class_names == ("benign", "malignant")
    for name in ("frame_id", "source", "patient", "group", "split", "fold"):
        assert np.array_equal(getattr(back, name), getattr(_predictions(), name))
    for name, values in _predictions().arrays.items():
        assert np.array_equal(back.arrays[name], values)
    assert len(back.take(back.arrays["target"] == 1)) == 2


def test_what_is_no_run_is_refused_in_one_sentence(tmp_path):
    with pytest.raises(RequestError, match="no such run"):
        predictions.read(tmp_path / "none")
    with pytest.raises(RequestError, match="'usfm finetune'"):
        predictions.read(tmp_path)
    tables.write(tmp_path / predictions.FILE, predictions.FORMAT, {"frame_id": np.array(["a"], object)}, {})
    with pytest.raises(RequestError, match="lacks source"):
        predictions.read(tmp_path)
