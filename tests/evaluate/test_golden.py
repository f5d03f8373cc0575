"""Scores of predictions that are made by a formula, committed: no change of usfm moves them unnoticed.

python tests/evaluate/test_golden.py      writes tests/golden/eval.json anew, after a change that should move them
"""

import json
import math
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest

from usfm.config import Request
from usfm.evaluate.config import Config
from usfm.evaluate.run import run

GOLDEN = Path(__file__).resolve().parent.parent / "golden" / "eval.json"
NAMES = ("cyst", "solid", "none")


def rows():
    """40 patients of 2 to 6 frames; scores are sines of the numbers of patient, frame and class, with some ties."""
    for patient in range(40):
        for frame in range(2 + patient % 5):
            target = patient % 3
            logits = [1.5 * math.sin(7 * patient + 3 * c) + math.sin(11 * frame + c) + (c == target) for c in range(3)]
            parts = [round(math.exp(x), 1) for x in logits]
            yield f"p{patient}", f"f{patient}-{frame}", NAMES[target], [x / sum(parts) for x in parts]


def scored(folder):
    lines = ["id,patient,target," + ",".join(f"score_{name}" for name in NAMES)]
    lines += [
        f"{frame},{who},{target}," + ",".join(f"{s:.9f}" for s in scores) for who, frame, target, scores in rows()
    ]
    (Path(folder) / "formula.csv").write_text("\n".join(lines) + "\n")
    asked = Config(predictions=(str(Path(folder) / "formula.csv"),), format="json", bootstrap=200)
    run(asked, Request(inputs=(), out=str(Path(folder) / "report")))
    (found,) = json.loads((Path(folder) / "report" / "report.json").read_text())["runs"]
    keys = ("value", "low", "high")
    whole = {name: {key: e[key] for key in keys} for name, e in found["metrics"].items()}
    classes = {
        row["class"]: {name: {key: e[key] for key in keys} for name, e in row.items() if isinstance(e, dict)}
        for row in found["per_class"]
    }
    return {"n": found["n"], "confusion": found["confusion"], "metrics": whole, "per_class": classes}


def test_scores_of_a_formula_are_those_committed(tmp_path):
    wanted, found = json.loads(GOLDEN.read_text()), scored(tmp_path)
    assert found["n"] == wanted["n"]
    assert found["confusion"] == wanted["confusion"]
    for name, estimate in wanted["metrics"].items():
        assert found["metrics"][name] == pytest.approx(estimate, abs=2e-6), name
    for kind, measures in wanted["per_class"].items():
        for name, estimate in measures.items():
            assert found["per_class"][kind][name] == pytest.approx(estimate, abs=2e-6), (kind, name)


def test_those_committed_are_scikit_learns():
    from sklearn import metrics

    cases = list(rows())
    target = np.array([NAMES.index(case[2]) for case in cases])
    scores = np.array([case[3] for case in cases]).astype(np.float32).astype(float)
    said, wanted = scores.argmax(axis=1), json.loads(GOLDEN.read_text())["metrics"]
    truth = {
        "accuracy": metrics.accuracy_score(target, said),
        "balanced_accuracy": metrics.balanced_accuracy_score(target, said),
        "macro_f1": metrics.f1_score(target, said, average="macro"),
        "weighted_f1": metrics.f1_score(target, said, average="weighted"),
        "macro_precision": metrics.precision_score(target, said, average="macro", zero_division=0),
        "weighted_precision": metrics.precision_score(target, said, average="weighted", zero_division=0),
        "auroc": np.mean([metrics.roc_auc_score(target == c, scores[:, c]) for c in range(3)]),
        "macro_average_precision": np.mean(
            [metrics.average_precision_score(target == c, scores[:, c]) for c in range(3)]
        ),
        "log_loss": metrics.log_loss(target, scores / scores.sum(1, keepdims=True)),
    }
    for name, value in truth.items():
        assert wanted[name]["value"] == pytest.approx(value, abs=2e-6), name


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        GOLDEN.write_text(json.dumps(scored(folder), indent=1) + "\n")
    sys.stdout.write(f"{GOLDEN}\n")
