"""How often the intervals of `usfm eval` hold the truth: patients with correlated frames, of a known population.

    python tests/bench/interval_coverage.py

Each patient has a difficulty of its own (normal, sd 1), shared by its frames (1 to 20 of them, noise sd 1); the true
value of a measure is that of 20,000 patients. Takes about two minutes on one core.
"""

import numpy as np

from usfm.evaluate import bootstrap
from usfm.evaluate.units import Units


def cohort(patients: int, rng: np.random.Generator, prevalence: float) -> Units:
    """Cases of a classifier with two classes."""
    kind = (rng.random(patients) < prevalence).astype(int)
    frames = rng.integers(1, 21, patients)
    who = np.repeat(np.arange(patients), frames)
    logit = (1.6 * (2 * kind - 1) + rng.normal(0, 1, patients))[who] / 2 + rng.normal(0, 1, len(who))
    score = 1 / (1 + np.exp(-logit))
    names = np.char.add("p", who.astype(str)).astype(object)
    zero = np.zeros(len(who), int)
    key, scores = np.arange(len(who)).astype(str), np.stack([1 - score, score], axis=1)
    return Units(key, names, zero.astype(str), kind[who], scores, zero, zero, ("a", "b"))


def main() -> None:
    """Print the share of 95 % intervals that hold the true value, by number of patients and prevalence."""
    rng = np.random.default_rng(0)
    for prevalence in (0.5, 0.2):
        whole = cohort(20_000, rng, prevalence)
        truth = bootstrap.measure(whole, whole.predicted, whole.scores, None)
        print(f"\nprevalence {prevalence}: " + ", ".join(f"{m} {float(truth[m]):.3f}" for m in bootstrap.MEASURES))
        print("patients  " + "  ".join(bootstrap.MEASURES))
        for patients in (10, 20, 40, 100, 300):
            held = np.zeros(len(bootstrap.MEASURES))
            trials = 400
            for _ in range(trials):
                cases = cohort(patients, rng, prevalence)
                draws = bootstrap.draw(cases.group, 400, rng)
                drawn = bootstrap.measure(cases, cases.predicted, cases.scores, draws)
                for k, measure in enumerate(bootstrap.MEASURES):
                    low, high = bootstrap.interval(drawn[measure], 0.95, patients)
                    held[k] += low <= truth[measure] <= high
            row = zip(held, bootstrap.MEASURES, strict=True)
            print(f"{patients:8}  " + "  ".join(f"{h / trials:>{len(m)}.3f}" for h, m in row))


if __name__ == "__main__":
    main()
