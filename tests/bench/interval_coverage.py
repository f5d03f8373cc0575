"""How often the intervals of `usfm eval` hold the truth: patients with correlated frames, of a known population.

    python tests/bench/interval_coverage.py [TRIALS]

Each patient has a difficulty of its own (normal, sd 1), shared by its frames (1 to 20 of them, noise sd 1); the true
value of a measure is that of 20,000 patients. 400 trials take about four minutes on one core.
"""

import sys

import numpy as np

from usfm.evaluate import bootstrap
from usfm.tasks.classify.scored import MEASURES, Classified
from usfm.tasks.draws import draw

AT = 0.9
OF_CLASS = (f"sensitivity_at_{AT:g}", f"specificity_at_{AT:g}", "average_precision")
"""Of the second class."""


def cohort(patients: int, rng: np.random.Generator, prevalence: float) -> Classified:
    """Cases of a classifier with two classes."""
    kind = (rng.random(patients) < prevalence).astype(int)
    frames = rng.integers(1, 21, patients)
    who = np.repeat(np.arange(patients), frames)
    logit = (1.6 * (2 * kind - 1) + rng.normal(0, 1, patients))[who] / 2 + rng.normal(0, 1, len(who))
    score = 1 / (1 + np.exp(-logit))
    names = np.char.add("p", who.astype(str)).astype(object)
    zero = np.zeros(len(who), int)
    key, scores = np.arange(len(who)).astype(str), np.stack([1 - score, score], axis=1)
    return Classified(key, names, zero.astype(str), kind[who], scores, zero, zero, ("a", "b"), (AT,))


def values(cases: Classified, draws) -> dict[str, np.ndarray]:
    """Every measure of the report, once or for every resample."""
    found = cases.measure(draws)
    return {one.name: found[one.name] for one in MEASURES} | {name: found[name][..., 1] for name in OF_CLASS}


def main(trials: int) -> None:
    """Print the share of 95 % intervals that hold the true value, by number of patients and prevalence."""
    rng = np.random.default_rng(0)
    print(f"{trials} trials; standard error of a share of 0.95: {np.sqrt(0.95 * 0.05 / trials):.3f}")
    for prevalence in (0.5, 0.2):
        truth = values(cohort(20_000, rng, prevalence), None)
        names, sizes, shares = list(truth), (10, 20, 30, 40, 100, 300), {}
        for patients in sizes:
            held = dict.fromkeys(names, 0)
            for _ in range(trials):
                cases = cohort(patients, rng, prevalence)
                drawn = values(cases, draw(cases.group, 400, rng))
                for name in names:
                    low, high = bootstrap.interval(drawn[name], 0.95, patients)
                    held[name] += int(low <= truth[name] <= high)
            shares[patients] = {name: held[name] / trials for name in names}
        print(f"\nprevalence {prevalence}\n\n| measure | truth | " + " | ".join(map(str, sizes)) + " |")
        print("|---|---:|" + "---:|" * len(sizes))
        for name in names:
            row = " | ".join(f"{shares[patients][name]:.2f}" for patients in sizes)
            print(f"| {name} | {float(truth[name]):.3f} | {row} |", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 400)
