"""Cases of a regression, ready to be measured under any weights of their patients."""

import math
from dataclasses import dataclass

import numpy as np

from usfm.pictures.theme import Pair, Theme, axis, both, png
from usfm.tasks.contract import Answer, Measure
from usfm.tasks.draws import Draws, each
from usfm.tasks.grouped import Grouped, grouped
from usfm.tasks.predictions import Predictions

_ANY = (-math.inf, math.inf)
MEASURES = (
    Measure("mae", "mean absolute error", "MAE", higher=False, within=(0.0, math.inf)),
    Measure("rmse", "root mean square error", "RMSE", higher=False, within=(0.0, math.inf)),
    Measure("r2", "R2", "R2", within=(-math.inf, 1.0)),
    Measure("bias", "bias", higher=False, further=True, within=_ANY),
    Measure("limit_low", "lower limit of agreement", further=True, within=_ANY),
    Measure("limit_high", "upper limit of agreement", higher=False, further=True, within=_ANY),
)


def measures(target: np.ndarray, said: np.ndarray, weights: np.ndarray) -> dict[str, np.ndarray]:
    """Every measure under many weightings of the cases.

    Args:
        target: (n,) true numbers.
        said: (n,) predicted numbers.
        weights: (b, n), how often each case counts.

    Returns:
        Name -> (b,); R2 is NaN where all true numbers are the same. Limits of agreement are bias -+ 1.96 standard
        deviations of the differences. Source: Bland and Altman 1986.
    """
    total, error = weights.sum(axis=1), said - target
    with np.errstate(invalid="ignore", divide="ignore"):
        square = weights @ error**2
        level = weights @ target / total
        spread = weights @ target**2 - total * level**2
        bias = weights @ error / total
        deviation = np.sqrt(np.maximum(0, square / total - bias**2) * total / np.maximum(1, total - 1))
        r2 = np.where(spread > 1e-12 * (weights @ target**2), 1 - square / spread, np.nan)
        return {
            "mae": weights @ np.abs(error) / total,
            "rmse": np.sqrt(square / total),
            "r2": r2,
            "bias": bias,
            "limit_low": bias - 1.96 * deviation,
            "limit_high": bias + 1.96 * deviation,
        }


@dataclass(frozen=True)
class Measured(Grouped):
    """n cases with their true and predicted numbers; see `contract.Scored`.

    Attributes:
        key, group, fold, frames: see `contract.Scored`.
        target: (n,) true number, the mean over the frames of the case.
        said: (n,) predicted number.
        mean: (n,) mean of the training of the case's fold.
    """

    target: np.ndarray
    said: np.ndarray
    mean: np.ndarray
    class_names: tuple[str, ...] = ()

    measures = MEASURES
    of_class = ()
    reference = "training mean"

    def measure(self, draws: Draws | None) -> dict[str, np.ndarray]:
        """See `contract.Scored`."""
        return each(self.group, draws, lambda w: measures(self.target, self.said, w))

    def answers(self, draws: Draws) -> dict[str, dict[str, Answer]]:
        """The mean of the training, for the two errors; R2 has its zero in itself."""
        plain, drawn = (each(self.group, one, lambda w: measures(self.target, self.mean, w)) for one in (None, draws))
        words = "the mean of the training"
        return {name: {"training": (words, float(plain[name]), drawn[name])} for name in ("mae", "rmse")}

    def baseline(self) -> float:
        """Mean absolute error of always saying the mean of each fold's training."""
        return float(np.abs(self.mean - self.target).mean())

    def has_class(self, c: int) -> np.ndarray:
        """There are no classes."""
        raise IndexError(c)

    def details(self) -> dict:
        """How far the true numbers reach."""
        return {"target": {"low": float(self.target.min()), "high": float(self.target.max())}}

    def pictures(self, run: dict) -> dict[str, tuple[Pair, str]]:
        """Predicted against true numbers, and Bland-Altman."""
        found = {name: float(value) for name, value in self.measure(None).items()}

        def scatter(theme: Theme) -> bytes:
            figure, axes = axis(theme, "true", "predicted", 300)
            ends = [min(self.target.min(), self.said.min()), max(self.target.max(), self.said.max())]
            axes.plot(ends, ends, color=theme.soft, linewidth=1)
            axes.scatter(self.target, self.said, s=10, color=theme.palette[0], alpha=0.6, linewidths=0)
            return png(figure)

        def agreement(theme: Theme) -> bytes:
            figure, axes = axis(theme, "mean of true and predicted", "predicted - true", 300)
            for name, style in (("bias", "-"), ("limit_low", "--"), ("limit_high", "--")):
                axes.axhline(found[name], color=theme.soft, linewidth=1, linestyle=style)
            middle = (self.target + self.said) / 2
            axes.scatter(middle, self.said - self.target, s=10, color=theme.palette[0], alpha=0.6, linewidths=0)
            return png(figure)

        return {
            "scatter": (both(scatter), "Predicted against true numbers; the line is equality."),
            "bland-altman": (both(agreement), "Differences, their mean and the limits that hold 95 % of them."),
        }


def scored(held: Predictions, aggregate: str) -> Measured:
    """Cases out of predicted frames.

    Args:
        held: predictions of held-out frames.
        aggregate: frame; clip: the frames of one source; patient: those of one patient. Numbers are averaged.

    Returns:
        The cases, in the order of their keys.
    """
    place, columns = grouped(held, aggregate)
    target, said, mean = (
        np.bincount(place, held.arrays[name].astype(np.float64)) / columns["frames"]
        for name in ("target", "said", "mean")
    )
    return Measured(**columns, target=target, said=said, mean=mean)
