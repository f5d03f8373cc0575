"""The same frames made harder: what a run says of them under acoustic perturbations of stated strength."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from usfm.config import did_you_mean
from usfm.errors import RequestError
from usfm.imaging import acoustic
from usfm.imaging.acoustic import PERTURBATIONS, Beams
from usfm.seeding import stream
from usfm.store.reader import Store


@dataclass(frozen=True)
class Dose:
    """One perturbation at one strength."""

    name: str
    strength: float


def doses(text: str) -> list[Dose]:
    """Read what ``--perturb`` asks for.

    Args:
        text: names with or without a strength, joined by commas; a name alone means its ladder.

    Returns:
        Every perturbation and strength, in the order asked for.

    Raises:
        RequestError: a name is unknown, a strength is no number or out of range, or one is asked for twice.

    >>> [(dose.name, dose.strength) for dose in doses("depth=0.5, blur")]
    [('depth', 0.5), ('blur', 1.0), ('blur', 2.0), ('blur', 3.0)]
    """
    found: list[Dose] = []
    for part in (part.strip() for part in text.split(",")):
        if not part:
            continue
        name, given, value = (piece.strip() for piece in part.partition("="))
        known = PERTURBATIONS.get(name)
        if known is None:
            raise RequestError(
                f"--perturb {name}: there are {', '.join(PERTURBATIONS)}{did_you_mean(name, PERTURBATIONS)}"
            )
        try:
            strengths = [float(value)] if given else [float(each) for each in known.ladder]
        except ValueError:
            raise RequestError(f"--perturb {part}: '{value}' is no number") from None
        if not known.low <= strengths[0] <= known.high:  # also where it is NaN
            raise RequestError(
                f"--perturb {part}: the strength of {name} is from {known.low:g} to {known.high:g} ({known.unit})"
            )
        new = [Dose(name, strength) for strength in strengths]
        if set(new) & set(found):
            raise RequestError(f"--perturb {part}: is asked for twice")
        found += new
    if not found:
        raise RequestError(f"--perturb: names none of {', '.join(PERTURBATIONS)}")
    return found


def changer(store: Store, dose: Dose, seed: int) -> Callable[[Sequence[np.ndarray], np.ndarray], list[np.ndarray]]:
    """A function that perturbs frames of a store; all frames of a clip get the same map.

    Args:
        store: holds the frames and, where it has them, the fitted sectors.
        dose: what to do.
        seed: with the clip's path, fixes what is drawn.

    Returns:
        (frames, their rows) -> frames.
    """
    regions, sources = store.column("region_row"), store.of_frames("path")
    known: dict[tuple, Beams] = {}
    change = PERTURBATIONS[dose.name].change

    def of(frames: Sequence[np.ndarray], rows: np.ndarray) -> list[np.ndarray]:
        changed = []
        for frame, row in zip(frames, rows, strict=True):
            place = (int(regions[row]), *frame.shape[:2])
            if place not in known:
                if len(known) > 64:  # maps of a clip lie together; more would only fill memory
                    known.clear()
                known[place] = _beams(store, *place)
            rng = stream(seed, "perturb", dose.name, str(sources[row]))
            changed.append(change(frame, known[place], dose.strength, rng))
        return changed

    return of


def _beams(store: Store, region_row: int, height: int, width: int) -> Beams:
    if region_row < 0:
        return acoustic.beams((height, width))
    region = store.region(region_row)
    mask = region.mask if region.mask.shape == (height, width) else None
    return acoustic.beams((height, width), region.geometry if mask is not None else None, mask)


def without_sector(store: Store, rows: np.ndarray) -> int:
    """How many of these frames have no fitted sector, so that their beams are taken to run straight down.

    Args:
        store: any store.
        rows: (n,) int rows of it.

    Returns:
        Frames.
    """
    regions = store.column("region_row")[rows]
    fitted = {int(row): row >= 0 and store.region(int(row)).geometry is not None for row in np.unique(regions)}
    return sum(not fitted[int(row)] for row in regions)
