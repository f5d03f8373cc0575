"""Several classes a frame: measures against scikit-learn, a probe and a network as runs like any other, mistakes."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, f1_score, roc_auc_score

from usfm import tasks
from usfm.config import Request
from usfm.errors import RequestError
from usfm.evaluate.config import Config as EvalConfig
from usfm.evaluate.run import run as evaluate
from usfm.finetune.config import Config
from usfm.finetune.run import run as finetune
from usfm.store.assemble import write_store
from usfm.store.schema import frame_id
from usfm.store.writer import PartWriter
from usfm.tasks.multilabel.scored import measures

NANO = "random:vit_nano_patch16_64"


def a_store(folder, words=("bright|wide", "bright", "wide; bright", "none", "wide", "")):
    rng, part = np.random.default_rng(0), PartWriter()
    for k in range(36):
        sha, text = f"{k:064x}"[::-1], words[k % len(words)]
        source = part.source(path=f"{k}.png", sha256=sha, kind="image", patient=f"p{k}", findings=text)
        pixels = rng.integers(0, 200 if "bright" in text else 60, (32, 32)).astype(np.uint8)
        if "wide" in text:
            pixels[8:24] = 255
        part.frame(pixels, frame_id=frame_id(sha, 0), source=source, index=0, time_s=0.0)
    return str(write_store(folder / "s.h5", part))


def test_measures_are_scikit_learns_under_weights():
    rng = np.random.default_rng(0)
    target, scores, weights = rng.integers(0, 2, (50, 3)), rng.random((50, 3)).round(1), rng.integers(0, 3, (2, 50))
    found = measures(target, scores, weights.astype(float))
    for b, weight in enumerate(weights):
        again = np.repeat(np.arange(50), weight)
        t, s = target[again], scores[again]
        assert found["macro_auroc"][b] == pytest.approx(roc_auc_score(t, s, average="macro"))
        assert found["macro_average_precision"][b] == pytest.approx(average_precision_score(t, s, average="macro"))
        assert found["macro_f1"][b] == pytest.approx(f1_score(t, s >= 0.5, average="macro"))
        assert found["micro_f1"][b] == pytest.approx(f1_score(t, s >= 0.5, average="micro"))


@pytest.mark.parametrize("protocol", ["linear", pytest.param("frozen", marks=pytest.mark.slow)])
def test_it_is_a_run_like_any_other(tmp_path, protocol):
    store, more = a_store(tmp_path), {"epochs": 3, "lr": 1e-2, "augment": "none"} if protocol == "frozen" else {}
    request = Request(inputs=(store,), out=str(tmp_path / "run"), device="cpu")
    made = finetune(Config("multilabel", NANO, protocol=protocol, target="findings", folds="3", **more), request)
    assert made["macro_auroc"] > 0.8
    _, held = tasks.read(tmp_path / "run")
    assert held.class_names == ("bright", "wide")
    assert len(held) == 30, "frames whose source says nothing are left out"
    assert held.arrays["target"].sum(0).tolist() == [18, 18]
    assert (held.arrays["target"].sum(1) == 0).sum() == 6, "'none' is known to have none"
    config = EvalConfig(store=(store,), bootstrap=50, format="html,json")
    report = evaluate(config, Request(inputs=(str(tmp_path / "run"),), out=str(tmp_path / "report"), device="cpu"))
    assert report["runs"][0]["macro_auroc"]["value"] == pytest.approx(made["macro_auroc"], abs=1e-6)
    assert "macro AUPRC" in (tmp_path / "report" / "report.html").read_text()


@pytest.mark.parametrize("words, change, says", [
    (("a", "b|a"), {"target": None}, "needs --target: the column"),
    (("a", "b|a"), {"target": "finding"}, "no column 'finding'.*did you mean 'findings'"),
    (("none", ""), {}, "names no class"),
    (("a", "a"), {}, "all 36 frames have the same classes"),
    (("a", "b"), {"protocol": "simpleshot"}, "'simpleshot' is no protocol of multilabel"),
])  # fmt: skip
def test_mistakes_are_one_sentence_each(tmp_path, words, change, says):
    store = a_store(tmp_path, words)
    with pytest.raises(RequestError, match=says):
        finetune(Config("multilabel", NANO, **{"target": "findings", **change}),
                 Request(inputs=(store,), out=str(tmp_path / "run")))  # fmt: skip
    assert not (tmp_path / "run").exists()
