import numpy as np
import pytest

from usfm.tasks.predictions import Predictions


@pytest.fixture
def make_run():
    """Predictions of a probe: patients of two clips each, as good as `skill` (0 = chance) at the level of patients."""

    def make(seed=0, *, patients=20, frames=5, classes=2, skill=2.0, noise=0.5, names=None):
        rng, case = np.random.default_rng(seed), np.random.default_rng(99)
        names = names or tuple(f"class{c}" for c in range(classes))
        kind = np.arange(patients) % classes
        hard = case.normal(0, 1, (patients, classes))
        rows = [(p, c, f) for p in range(patients) for c in range(2) for f in range(frames)]
        target = np.array([kind[p] for p, _, _ in rows], np.int32)
        logit = np.array([hard[p] for p, _, _ in rows]) + rng.normal(0, noise, (len(rows), classes))
        logit[np.arange(len(rows)), target] += skill
        scores = np.exp(logit) / np.exp(logit).sum(1, keepdims=True)
        words = lambda f: np.array([f(*row) for row in rows], object)  # noqa: E731
        return Predictions(
            frame_id=words(lambda p, c, f: f"{p:03}{c}:{f}"),
            source=words(lambda p, c, f: f"clip{p}-{c}.mp4"),
            patient=words(lambda p, c, f: f"p{p:03}"),
            group=words(lambda p, c, f: f"p{p:03}"),
            split=words(lambda p, c, f: "test"),
            fold=words(lambda p, c, f: str(p % 3)),
            arrays={
                "target": target,
                "scores": scores.astype(np.float32),
                "majority": np.zeros(len(rows), np.int32),
            },
            class_names=names,
        )

    return make
