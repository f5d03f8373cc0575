"""The pictures of a report."""

from dataclasses import dataclass, field

import numpy as np

from usfm.pictures.theme import Pair


@dataclass(frozen=True)
class Pictures:
    """What the page shows beside numbers.

    Attributes:
        whole: task -> measure -> figure of all its runs.
        of_run: run -> name -> figure, and the words below it.
        maps: run -> column -> map of the frames.
        robustness: task -> perturbation -> figure.
        efficiency: task -> measure -> figure.
        sheets: run -> JPEG of its task's contact sheet.
        worst: run -> rows of (picture, words): a wrong case and its neighbours.
    """

    whole: dict[str, dict[str, Pair]] = field(default_factory=dict)
    of_run: dict[str, dict[str, tuple[bytes | Pair, str]]] = field(default_factory=dict)
    maps: dict[str, dict[str, Pair]] = field(default_factory=dict)
    robustness: dict[str, dict[str, Pair]] = field(default_factory=dict)
    efficiency: dict[str, dict[str, Pair]] = field(default_factory=dict)
    sheets: dict[str, bytes] = field(default_factory=dict)
    worst: dict[str, list[list[tuple[np.ndarray, str]]]] = field(default_factory=dict)
