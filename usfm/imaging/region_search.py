"""Search a picture for its acoustic region: try seed maps, give each blob its best shape, keep the best of all.

The search runs at half the working size; the best few of what it finds are then looked for again at the full one.
"""

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from usfm.imaging import region_seeds
from usfm.imaging.outline import envelope
from usfm.imaging.region_seeds import Seeds
from usfm.imaging.region_shapes import shape_of
from usfm.imaging.shaped import Shaped, enlarged

COARSE_PX = 200
"""Longest side at which the candidates are compared."""

_SMALLEST = 0.02
_SAME = 0.01
_GOOD = 0.9
_GUESS = 0.2
_SLACK = 0.05
_ABOVE = 0.5
_AGREE = 0.9
_FINE = 3
_BEHIND = 0.15
_SAME_BLOB = 0.8
_SAME_LEADER = 0.97
_CLEANINGS = ((80, 36), (80, 14), (400, 36))
"""Gaps healed and thinnest body kept, as parts of the longest side: usual, things hang on the sector, text near it."""


@dataclass(frozen=True)
class View:
    """A picture or clip at one size, with what its regions are scored by.

    Attributes:
        image: float32 (h, w), the still or the mean over the clip.
        spread: float32 (h, w) standard deviation over the clip, or None.
        stack: uint8 (T, h, w).
        panel: bool (h, w), flat user interface.
        activity: float32 (h, w), where a region should be.
        edges: float32 (h, w), how sharply the picture changes, 0 to 1.
    """

    image: np.ndarray
    spread: np.ndarray | None
    stack: np.ndarray
    panel: np.ndarray
    activity: np.ndarray
    edges: np.ndarray

    def captured(self, mask: np.ndarray) -> float:
        """Return how much of the activity a mask holds; what moves outside the region of a clip is little."""
        share = float(self.activity[mask].sum()) / max(1e-6, float(self.activity.sum()))
        return share if self.spread is None else share**2

    def unlike_panel(self, seeds: np.ndarray, blob: np.ndarray) -> float:
        """Say how little of a blob is flat user interface.

        Args:
            seeds: bool (h, w), the map that the blob came from.
            blob: bool (h, w).

        Returns:
            1 where none is, 0 where all of it is.
        """
        return (1 - float((self.panel & seeds & blob).sum() / blob.sum())) ** 1.5

    def score(self, shaped: Shaped, unlike_panel: float) -> float:
        """Say how well a shape explains the picture.

        Args:
            shaped: at the size of the view.
            unlike_panel: of the blob it was fitted to.

        Returns:
            0 to about 1.
        """
        sharp = 0.9 + 0.1 * _along(self.edges, shaped.mask)
        return shaped.confidence * self.captured(shaped.mask) * unlike_panel * sharp + 0.02 * shaped.mask.mean()


@dataclass(frozen=True)
class Candidate:
    """A blob with its shape, and where it came from."""

    score: float
    shaped: Shaped
    blob: np.ndarray
    seeds: Seeds
    cleaning: tuple[int, int]


def search(stack: np.ndarray, spread: np.ndarray | None) -> Shaped:
    """Return the best region of a still or a clip.

    Args:
        stack: uint8 (T, h, w) gray frames at working size.
        spread: float32 (h, w) standard deviation over the frames, None to look at their mean only.

    Returns:
        The region with its shape and confidence, at the size of the input.
    """
    image = stack.mean(0, dtype=np.float32)
    levels = region_seeds.background_levels(image, spread)
    interface = region_seeds.panel_levels(image, spread, levels)
    seeds = region_seeds.worth_a_try(levels, interface, spread is not None)
    coarse = _view(*_smaller(stack, image, spread), levels, interface)
    judged = _compared(coarse, seeds)
    best = max(judged, key=lambda candidate: candidate.score, default=None)
    whole = Shaped(np.ones(image.shape, bool), "", 0.0 if len(levels) else 0.5)
    if best is None:
        return whole
    above = _above_strip(best, judged)
    picked = _leaders(judged) if above is None else [above]
    full = coarse if coarse.image.shape == image.shape else _view(stack, image, spread, levels, interface)
    found = [(candidate, _looked_again(candidate, full)) for candidate in picked]
    best, (score, shaped) = max(found, key=lambda pair: pair[1][0])
    if above is None and shaped.confidence < _GUESS:
        shaped = dataclasses.replace(whole, confidence=shaped.confidence)
    return _weighed(shaped, score, best, judged)


def _view(
    stack: np.ndarray, image: np.ndarray, spread: np.ndarray | None, levels: np.ndarray, interface: list[float]
) -> View:
    """Return a picture or clip with its maps."""
    panel = region_seeds.flat_map(image, 1.0) & (region_seeds.distance(image, interface) <= 0.75)
    activity = region_seeds.activity(image, spread, sorted({*map(float, levels), *interface}))
    return View(image, spread, stack, panel, activity, region_seeds.edges(image))


def _smaller(
    stack: np.ndarray, image: np.ndarray, spread: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Return frames, their mean and their spread at the size of the comparison."""
    height, width = image.shape
    scale = COARSE_PX / max(height, width)
    if scale >= 1:
        return stack, image, spread
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    if spread is None:
        return stack, cv2.resize(image, size, interpolation=cv2.INTER_AREA), None
    small = np.stack([cv2.resize(frame, size, interpolation=cv2.INTER_AREA) for frame in stack])
    means, spreads = (cv2.resize(values, size, interpolation=cv2.INTER_AREA) for values in (image, spread))
    return small, means, spreads


def _compared(view: View, seeds: list[Seeds]) -> list[Candidate]:
    """Return the candidates of a view with their scores, all but those that cannot win."""
    tried: list[np.ndarray] = []
    judged: list[Candidate] = []
    maps = region_seeds.seed_maps(seeds, view.image, view.spread, view.stack)
    best, best_score = None, 0.0
    for cleaning in _CLEANINGS:
        waiting = []
        for from_map, lit in zip(seeds, maps, strict=True):
            for blob in _new_blobs(lit, cleaning, tried):
                hull, unlike = envelope(blob), view.unlike_panel(lit, blob)
                waiting.append((view.captured(hull) * unlike + 0.02, unlike, blob, hull, from_map))
        waiting.sort(key=lambda entry: -entry[0])
        for most, unlike, blob, hull, from_map in waiting:
            apart = best is not None and best.shape == "linear" and not (hull & best.mask).any()
            if most <= best_score - _SLACK and not apart:
                continue
            shaped = shape_of(blob, hull)
            score = view.score(shaped, unlike)
            judged.append(Candidate(score, shaped, blob, from_map, cleaning))
            if score > best_score:
                best, best_score = shaped, score
        if best_score > _GOOD:
            break
    return judged


def _leaders(judged: list[Candidate]) -> list[Candidate]:
    """Return the few candidates with the highest scores that differ from each other."""
    leaders: list[Candidate] = []
    for candidate in sorted(judged, key=lambda candidate: -candidate.score):
        if leaders and candidate.score < leaders[0].score - _BEHIND:
            break
        if all(_shared(candidate.shaped.mask, other.shaped.mask) < _SAME_LEADER for other in leaders):
            leaders.append(candidate)
        if len(leaders) == _FINE:
            break
    return leaders


def _looked_again(candidate: Candidate, view: View) -> tuple[float, Shaped]:
    """Find a candidate's blob at full size; returns the score and the shape there."""
    if candidate.blob.shape == view.image.shape:
        return candidate.score, candidate.shaped
    lit = region_seeds.seed_maps([candidate.seeds], view.image, view.spread, view.stack)[0]
    wanted = cv2.resize(candidate.blob.astype(np.uint8), lit.shape[::-1], interpolation=cv2.INTER_NEAREST) > 0
    blobs = list(_new_blobs(lit, candidate.cleaning, []))
    shares = [_shared(blob, wanted) for blob in blobs]
    if not shares or max(shares) < _SAME_BLOB:
        scale = candidate.blob.shape[1] / lit.shape[1]
        return candidate.score, enlarged(candidate.shaped, scale, (lit.shape[0], lit.shape[1]))
    blob = blobs[int(np.argmax(shares))]
    shaped = shape_of(blob, envelope(blob))
    return view.score(shaped, view.unlike_panel(lit, blob)), shaped


def _shared(a: np.ndarray, b: np.ndarray) -> float:
    """Return intersection over union."""
    return float((a & b).sum() / max(1, (a | b).sum()))


def _weighed(shaped: Shaped, score: float, chosen: Candidate, judged: list[Candidate]) -> Shaped:
    """Return the chosen region with how far it leads what differs from it, and how many of the judged agree with it."""
    agree, rival = 0, 0.0
    small = chosen.shaped.mask[::2, ::2]
    for other in judged:
        if _shared(other.shaped.mask[::2, ::2], small) > _AGREE:
            agree += 1
        else:
            rival = max(rival, other.score)
    lead = chosen.score - rival
    return dataclasses.replace(shaped, lead=lead, score=score, votes=agree / max(1, len(judged)))


def _above_strip(found: Candidate, judged: list[Candidate]) -> Candidate | None:
    """Return the sector that stands above a box and apart from it: the box is a Doppler or M-mode strip."""
    box = found.shaped
    if box.shape != "linear":
        return None
    top, width = np.flatnonzero(box.mask.any(1))[0], box.mask.any(0).sum()
    best = None
    for other in judged:
        shaped = other.shaped
        rows = np.flatnonzero(shaped.mask.any(1))
        if shaped.confidence < _ABOVE or not shaped.shape or rows[-1] > top or len(rows) < 0.2 * len(shaped.mask):
            continue
        narrower = shaped.mask.any(0).sum() < 0.95 * width
        if (shaped.shape in ("phased", "convex") or narrower) and (best is None or other.score > best.score):
            best = other
    return best


def _new_blobs(seeds: np.ndarray, cleaning: tuple[int, int], tried: list[np.ndarray]) -> Iterator[np.ndarray]:
    """Yield the two largest blobs of a map, and all its large ones together, each once."""
    side = max(seeds.shape)
    heal, thin = cleaning
    found = region_seeds.blobs(seeds, max(2, side // heal), max(3, side // thin))
    group = found[:2] + ([np.logical_or.reduce(found)] if len(found) > 1 else [])
    for blob in group:
        area = blob.sum()
        if area >= _SMALLEST * blob.size and not any((blob ^ other).sum() < _SAME * area for other in tried):
            tried.append(blob)
            yield blob


def _along(edges: np.ndarray, mask: np.ndarray) -> float:
    """Return the mean edge strength along a mask's outline inside the picture, 1 where it has none."""
    cross = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
    inner = cv2.erode(mask.astype(np.uint8), cross, borderValue=1)
    ring = (cv2.dilate(mask.astype(np.uint8), cross) != inner) if not inner.all() else np.zeros_like(mask)
    return float(edges[ring].mean()) if ring.any() else 1.0
