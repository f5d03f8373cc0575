"""A number a frame: measures against scikit-learn and by hand, and the whole way through finetune and eval."""

import json

import numpy as np
import pytest
from sklearn import metrics as reference
from sklearn.linear_model import Ridge

from usfm.config import Request
from usfm.errors import RequestError
from usfm.evaluate.config import Config as EvalConfig
from usfm.evaluate.run import run as evaluate
from usfm.finetune.config import Config
from usfm.finetune.run import run as finetune
from usfm.store.assemble import write_store
from usfm.store.reader import Store
from usfm.store.schema import frame_id
from usfm.store.writer import PartWriter
from usfm.tasks import TASKS, predictions
from usfm.tasks.regress import probes
from usfm.tasks.regress.scored import measures

NANO = "random:vit_nano_patch16_32"


@pytest.fixture
def store(tmp_path):
    """Frames whose brightness is their number, two a patient; one has none."""
    part, rng = PartWriter(), np.random.default_rng(0)
    for k in range(40):
        sha = f"{k:064x}"[::-1]
        source = part.source(path=f"{k}.png", sha256=sha, kind="image", patient=f"p{k // 2:02}")
        level = 20 + 5 * k
        pixels = np.clip(rng.normal(level, 20, (32, 32)), 0, 255).astype(np.uint8)
        value = {"ef": level / 4} if k != 7 else {}
        part.frame(pixels, frame_id=frame_id(sha, 0), source=source, index=0, time_s=0.0,
                   values={**value, "same": 3.0})  # fmt: skip
    write_store(tmp_path / "s.h5", part)
    return Store.open(tmp_path / "s.h5")


def request(store, out, **more):
    return Request(inputs=tuple(store.paths), out=str(out), workers=1, device="cpu", **more)


def test_measures_are_scikit_learns_and_weights_are_copies():
    rng = np.random.default_rng(0)
    target, said = rng.normal(50, 10, 40), rng.normal(50, 12, 40)
    counts = rng.integers(0, 4, (3, 40))
    found = measures(target, said, counts.astype(float))
    for row in range(3):
        t, s = np.repeat(target, counts[row]), np.repeat(said, counts[row])
        assert found["mae"][row] == pytest.approx(reference.mean_absolute_error(t, s))
        assert found["rmse"][row] == pytest.approx(reference.root_mean_squared_error(t, s))
        assert found["r2"][row] == pytest.approx(reference.r2_score(t, s))
        assert found["bias"][row] == pytest.approx((s - t).mean())
        assert found["limit_high"][row] == pytest.approx((s - t).mean() + 1.96 * (s - t).std(ddof=1))
    assert np.isnan(measures(np.ones(5), said[:5], np.ones((1, 5)))["r2"][0])


def test_a_column_with_text_in_it_says_where(tmp_path):
    part = PartWriter()
    for k, cells in enumerate(({"ef": "3", "sex": "f"}, {"ef": "na", "sex": "m"}, {"ef": "inf", "sex": "f"})):
        sha = f"{k:064x}"[::-1]
        source = part.source(path=f"{k}.png", sha256=sha, kind="image", patient=f"p{k}", **cells)
        part.frame(np.zeros((8, 8), np.uint8), frame_id=frame_id(sha, 0), source=source, index=0, time_s=0.0)
    write_store(tmp_path / "s.h5", part)
    store = Store.open(tmp_path / "s.h5")
    with pytest.raises(RequestError, match=r"'ef' is a column of text: 1 of 3 sources.*first: 2.png"):
        TASKS["regress"].known(store, {"target": "ef"})
    with pytest.raises(RequestError, match=r"3 of 3 sources.*first: 0.png"):
        TASKS["regress"].known(store, {"target": "sex"})


def test_the_ridge_is_scikit_learns():
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(30, 50)), rng.normal(size=30)
    for strength, (weight, bias) in zip((0.1, 10.0), probes._ridge(x, y, (0.1, 10.0)), strict=True):
        model = Ridge(alpha=strength).fit(x, y)
        assert np.allclose(weight, model.coef_)
        assert bias == pytest.approx(model.intercept_)


@pytest.mark.parametrize("protocol", ["linear", "knn", pytest.param("full", marks=pytest.mark.slow)])
def test_a_number_goes_through_finetune_and_eval(store, tmp_path, protocol):
    more = {"epochs": 8, "batch_size": 8, "lr": 3e-3, "augment": "none"} if protocol == "full" else {"neighbours": 3}
    config = Config("regress", NANO, protocol=protocol, target="ef", folds=3, **more)
    summary = finetune(config, request(store, tmp_path / "run"))
    assert summary["mae"] < 0.6 * summary["mean_mae"]
    assert summary["frames_out"] == 39
    held = predictions.read(tmp_path / "run")
    truth = dict(zip(store.column("frame_id"), store.values("ef"), strict=True))
    assert all(truth[name] == value for name, value in zip(held.frame_id, held.arrays["target"], strict=True))
    drawn = {each.name for each in (tmp_path / "run" / "figures").iterdir()}
    assert {each for each in drawn if not each.startswith("batch-")} == {"scatter.png", "bland-altman.png"}
    asked = EvalConfig(bootstrap=60, store=str(store.paths[0]))
    evaluate(asked, Request(inputs=(str(tmp_path / "run"),), out=str(tmp_path / "report"), workers=1, device="cpu"))
    report = json.loads((tmp_path / "report" / "report.json").read_text())["runs"][0]
    mae = report["metrics"]["mae"]
    assert mae["value"] == pytest.approx(summary["mae"], abs=1e-5)
    assert mae["low"] < mae["value"] < mae["high"]
    assert mae["majority"]["beaten"], "a lower error beats the mean of the training"
    assert report["beats_training_mean"]
    page = (tmp_path / "report" / "report.html").read_text()
    assert "Bland" in page
    assert "Frames by their own mean absolute error" in page


@pytest.mark.parametrize(
    "config, says",
    [
        (Config("regress", NANO), "say which number with --target; there are ef, same"),
        (Config("regress", NANO, target="eff"), "has no number 'eff'.*did you mean 'ef'"),
        (Config("regress", NANO, target="same"), "is 3 in all 40 frames"),
        (Config("classify", NANO, target="ef"), "--target has no meaning"),
        (Config("regress", NANO, target="ef", class_weights="balanced"), "no meaning with regress"),
    ],
)
def test_a_wrong_request_is_one_sentence(store, tmp_path, config, says):
    with pytest.raises(RequestError, match=says):
        finetune(config, request(store, tmp_path / "run"))
    assert not (tmp_path / "run").exists()
