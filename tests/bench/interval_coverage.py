"""How often the intervals of `usfm eval` hold the truth: patients with correlated frames, of a known population.

    python tests/bench/interval_coverage.py [TRIALS] [SEED]

Each patient has a difficulty of its own (normal, sd 1), shared by its frames (1 to 20 of them, noise sd 1); the true
value of a measure is that of 20,000 patients. Three populations: two classes of equal size, one class of 20 in 100
(rows of a class are of the rare one), and a number (regression, errors with heavy tails: Student's t with 5 degrees of
freedom). 400 trials take about twenty minutes on one core. The last lines are `HELD` of `usfm.evaluate.coverage`.
"""

import sys
from functools import partial

import numpy as np

from usfm.evaluate.bootstrap import left_out
from usfm.evaluate.coverage import SIZES
from usfm.evaluate.summary import estimate
from usfm.tasks.classify.scored import Classified
from usfm.tasks.contract import Measure, Scored
from usfm.tasks.draws import draw
from usfm.tasks.regress.scored import Measured

AT = 0.9
RESAMPLES = 400


def patients_of(patients: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Patient of each frame, as number and as name."""
    who = np.repeat(np.arange(patients), rng.integers(1, 21, patients))
    return who, np.char.add("p", who.astype(str)).astype(object)


def classes(patients: int, rng: np.random.Generator, prevalence: float) -> Classified:
    """Cases of a classifier with two classes."""
    kind = (rng.random(patients) < prevalence).astype(int)
    who, names = patients_of(patients, rng)
    logit = (1.6 * (2 * kind - 1) + rng.normal(0, 1, patients))[who] / 2 + rng.normal(0, 1, len(who))
    score = 1 / (1 + np.exp(-logit))
    zero = np.zeros(len(who), int)
    key, scores = np.arange(len(who)).astype(str), np.stack([1 - score, score], axis=1)
    return Classified(key, names, zero.astype(str), zero, kind[who], scores, zero, ("a", "b"), (AT,))


def numbers(patients: int, rng: np.random.Generator) -> Measured:
    """Cases of a regression."""
    who, names = patients_of(patients, rng)
    target = rng.normal(0, 2, patients)[who] + rng.normal(0, 0.5, len(who))
    said = target + 0.3 + rng.standard_t(5, patients)[who] / 2 + rng.standard_t(5, len(who)) / 2
    zero = np.zeros(len(who), int)
    return Measured(np.arange(len(who)).astype(str), names, zero.astype(str), zero, target, said, zero.astype(float))


def values(cases: Scored, draws) -> dict[str, tuple[Measure, np.ndarray]]:
    """Every measure of the report, once or for every resample; those of a class of the last one."""
    found = cases.measure(draws)
    whole = {one.name: (one, found[one.name]) for one in cases.measures}
    return whole | {one.name: (one, found[one.name][..., -1]) for one in cases.of_class}


def shares(make, trials: int, rng: np.random.Generator) -> tuple[dict[str, float], dict[str, list[float]]]:
    """True values, and the share of intervals that hold them for each number of patients."""
    truth = {name: float(value) for name, (_, value) in values(make(20_000, rng), None).items()}
    found: dict[str, list[float]] = {name: [] for name in truth}
    for patients in SIZES:
        held, asked = dict.fromkeys(truth, 0), dict.fromkeys(truth, 0)
        for _ in range(trials):
            cases = make(patients, rng)
            drawn, left = values(cases, draw(cases.group, RESAMPLES, rng)), values(cases, left_out(cases.group))
            for name, (measure, point) in values(cases, None).items():
                if not np.isfinite(point):
                    continue
                made = estimate(measure, point, drawn[name][1], left[name][1], 0.95, patients)
                asked[name] += 1
                held[name] += made["low"] is not None and made["low"] <= truth[name] <= made["high"]
        for name in truth:
            found[name].append(round(held[name] / max(1, asked[name]), 3))
        sys.stderr.write(f"{patients} patients\n")
    return truth, found


def main(trials: int, seed: int) -> None:
    """Print the share of 95 % intervals that hold the true value, by number of patients and population."""
    rng = np.random.default_rng(seed)
    print(f"{trials} trials, seed {seed}; standard error of a share of 0.95: {np.sqrt(0.95 * 0.05 / trials):.3f}")
    makers = {"equal": partial(classes, prevalence=0.5), "rare": partial(classes, prevalence=0.2), "number": numbers}
    whole = {}
    for kind, make in makers.items():
        truth, whole[kind] = shares(make, trials, rng)
        print(f"\n{kind}\n\n| measure | truth | " + " | ".join(map(str, SIZES)) + " |")
        print("|---|---:|" + "---:|" * len(SIZES))
        for name, row in whole[kind].items():
            print(f"| {name} | {truth[name]:.3f} | " + " | ".join(f"{share:.2f}" for share in row) + " |", flush=True)
    print()
    for kind, rows in whole.items():
        print(f'    "{kind}": {{')
        for name, row in rows.items():
            print(f'        "{name}": ({", ".join(f"{share:.3f}" for share in row)}),')
        print("    },")


if __name__ == "__main__":
    given = [int(word) for word in sys.argv[1:]]
    main(*(given + [400, 0][len(given) :]))
