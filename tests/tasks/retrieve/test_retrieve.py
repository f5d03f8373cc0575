"""Retrieval: average precision and recall@k against their definitions, chance, a run like any other, its report."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

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
from usfm.tasks.retrieve.probe import DEPTHS, chance, retrieval

NANO = "random:vit_nano_patch16_64"


def test_figures_are_those_of_the_definitions():
    rng = np.random.default_rng(0)
    gallery, queries, target = rng.normal(size=(40, 6)), rng.normal(size=(9, 6)), rng.integers(0, 3, 40)
    found = retrieval(gallery, target, np.arange(40), 4, 0, {}).scores(queries)
    mean = gallery.mean(0)
    unit = lambda x: (x - mean) / np.linalg.norm(x - mean, axis=1, keepdims=True)  # noqa: E731
    near = unit(queries) @ unit(gallery).T
    assert np.array_equal(found.nearest, near.argmax(1))
    for q in range(9):
        for c in range(3):
            assert found.precision[q, c] == pytest.approx(average_precision_score(target == c, near[q]))
            ranked = target[np.argsort(-near[q])] == c
            assert found.hits[q, c].tolist() == [float(ranked[:k].any()) for k in DEPTHS]
    assert np.isnan(found.precision[:, 3]).all()
    assert np.isnan(found.hits[:, 3]).all()


def test_chance_is_the_mean_over_random_orders():
    counts, rng = np.array([3, 12, 0]), np.random.default_rng(0)
    target = np.repeat([0, 1], [3, 12])
    precision, hits = chance(counts)
    drawn = target[rng.permuted(np.tile(np.arange(15), (4000, 1)), axis=1)]
    for c in (0, 1):
        ours = drawn == c
        each = (ours * ours.cumsum(1) / np.arange(1, 16)).sum(1) / counts[c]
        assert precision[c] == pytest.approx(each.mean(), abs=0.01)
        for k, depth in enumerate(DEPTHS):
            assert hits[c, k] == pytest.approx(ours[:, :depth].any(1).mean(), abs=0.03)
    assert np.isnan(precision[2])
    assert np.isnan(hits[2]).all()


def a_store(folder, classes="ab", patients=12):
    rng, part = np.random.default_rng(0), PartWriter(class_names=tuple(sorted(set(classes))))
    for k in range(2 * patients):
        sha = f"{k:064x}"[::-1]
        source = part.source(path=f"{k}.png", sha256=sha, kind="image", patient=f"p{k // 2}")
        label = k // 2 % len(classes)
        pixels = rng.integers(0, 60 + 90 * label, (32, 32)).astype(np.uint8)
        part.frame(pixels, frame_id=frame_id(sha, 0), source=source, index=0, time_s=0.0,
                   label=sorted(set(classes)).index(classes[label]))  # fmt: skip
    return str(write_store(folder / "s.h5", part))


def test_a_retrieval_is_a_run_like_any_other_and_no_query_meets_its_own_patient(tmp_path):
    store = a_store(tmp_path)
    request = Request(inputs=(store,), out=str(tmp_path / "run"), device="cpu")
    made = finetune(Config("classify", NANO, protocol="retrieval", folds="patient"), request)
    assert made["map"] > made["random_order_map"]
    _, held = tasks.read(tmp_path / "run")
    assert held.task == "retrieve"
    patient = dict(zip(held.frame_id, held.patient, strict=True))
    assert len(held) == 24
    assert all(patient[near] != own for near, own in zip(held.arrays["nearest"], held.patient, strict=True))
    again = finetune(Config("retrieve", NANO, folds="patient"), request)
    assert again["up_to_date"], "both ways to ask mean the same run"
    config = EvalConfig(store=(store,), bootstrap=50, format="html,json,csv", aggregate="patient")
    report = evaluate(config, Request(inputs=(str(tmp_path / "run"),), out=str(tmp_path / "report"), device="cpu"))
    by_hand = [held.arrays["found"][held.patient == p].mean(0) for p in sorted(set(held.patient))]
    assert report["runs"][0]["map"]["value"] == pytest.approx(np.mean(by_hand, 0)[0], abs=1e-5)
    assert report["runs"][0]["recall_at_5"]["value"] == pytest.approx(np.mean(by_hand, 0)[2], abs=1e-5)
    assert "recall@10" in (tmp_path / "report" / "report.html").read_text()


def test_what_a_retrieval_cannot_be_asked(tmp_path):
    store = a_store(tmp_path)
    with pytest.raises(RequestError, match="--class-weights has no meaning with retrieve"):
        finetune(Config("classify", NANO, protocol="retrieval", class_weights="balanced"),
                 Request(inputs=(store,), out=str(tmp_path / "r")))  # fmt: skip
    with pytest.raises(RequestError, match="'linear' is no protocol of retrieve; there are: retrieval"):
        finetune(Config("retrieve", NANO, protocol="linear"), Request(inputs=(store,), out=str(tmp_path / "r")))
