"""Pixels of a mask picture as codes, and codes as classes: exact values and colours, or the nearest where smeared."""

import warnings
from collections.abc import Mapping, Sequence

import numpy as np

_FITTED = 100
"""Pixels of a broken line that an ellipse is fitted to; the distance of each one from an ellipse takes a search."""

LEVELS = 64
"""Exact values or colours of a mask, at most: with more, it has been smeared by compression or smoothing."""
BETWEEN = 6
"""So many gray values between darkest and brightest, on little of the foreground, are smoothed edges."""
THRESHOLD = 0.5
"""Of the largest possible value: a smeared gray mask is foreground from here on."""
_COMMON = 0.05
"""Share of the foreground from which on a smeared colour, with those near it, is one of the mask's own."""
_NEAR = 40
"""How far compression moves a colour inside of an area, in levels of one channel."""


def codes_of(pixels: np.ndarray) -> tuple[np.ndarray, str]:
    """Return what each pixel says, and in what words.

    Args:
        pixels: bool or numbers (H, W), or colours (H, W, 3 or 4); alpha counts where it is all that varies.

    Returns:
        int64 (H, W), and ``values`` (the numbers themselves; gray in three channels too) or ``colours`` (red * 65536 +
        green * 256 + blue).

    Raises:
        ValueError: For numbers that are not whole, and other shapes.

    Example:
        >>> codes_of(np.array([[[255, 0, 0], [0, 0, 0]]], np.uint8))
        (array([[16711680,        0]]), 'colours')
        >>> codes_of(np.array([[[7, 7, 7]]], np.uint8))
        (array([[7]]), 'values')
    """
    if pixels.ndim == 3 and pixels.shape[2] in (2, 4):
        alpha, pixels = pixels[..., -1], pixels[..., :-1]
        pixels = alpha if pixels.min() == pixels.max() and alpha.min() != alpha.max() else pixels
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[..., 0]
    if pixels.ndim == 2:
        whole = pixels.astype(np.int64)
        if pixels.dtype.kind == "f" and not (np.isfinite(pixels).all() and (whole == pixels).all()):
            raise ValueError("values that are not whole numbers")
        return whole, "values"
    if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8:
        raise ValueError(f"a mask of {pixels.dtype} {pixels.shape}")
    deep = pixels.astype(np.int64)
    if (deep.max(2) - deep.min(2)).max() <= 8:
        return deep[..., 1], "values"
    return (deep[..., 0] << 16) | (deep[..., 1] << 8) | deep[..., 2], "colours"


def levels_of(codes: np.ndarray, words: str, *, lossy: bool = False) -> tuple[list[int], bool]:
    """Return the codes that a mask is made of, rising, and whether they are exact.

    A smeared gray mask is taken as two levels, 0 and 255; a smeared coloured one by the colours that are common in it.

    Args:
        codes: From `codes_of`.
        words: From `codes_of`.
        lossy: Whether compression may have changed values.

    Returns:
        The codes, and whether they are exact.

    Example:
        >>> levels_of(np.array([[0, 3], [3, 7]]), "values")
        ([0, 3, 7], True)
    """
    values, counts = np.unique(codes, return_counts=True)
    few = len(values) <= LEVELS
    if few and len(values) > 2 + BETWEEN and words == "values" and values[-1] >= 128:
        front = counts[1:].sum() if values[0] == 0 else counts.sum()
        few = counts[1:-1].sum() > 0.2 * front
    if few and (not lossy or len(values) == 1):
        return [int(value) for value in values], True
    if words == "values":
        return [0, 255], False
    return _own_colours(values, counts), False


def _own_colours(values: np.ndarray, counts: np.ndarray) -> list[int]:
    """Colours that are common: again and again the most frequent one, with all that is near it."""
    rgb, left = _rgb(values), counts.astype(np.int64).copy()
    taken: list[int] = []
    front = 0
    while left.any() and len(taken) < LEVELS:
        at = int(left.argmax())
        near = np.abs(rgb - rgb[at]).max(1) <= _NEAR
        if front and left[near].sum() < _COMMON * front:
            break
        taken.append(int(values[at]))
        left[near] = 0
        front = front or int(left.sum())
    return sorted(taken)


def classes_of(codes: np.ndarray, words: str, exact: bool, numbers: Mapping[int, int]) -> np.ndarray:
    """Return the class of each pixel.

    Args:
        codes: From `codes_of`.
        words: From `codes_of`.
        exact: From `levels_of`.
        numbers: Code -> class; for a smeared mask the nearest code counts, for a smeared gray one `THRESHOLD`.

    Returns:
        uint8 (H, W). Codes without a number are 0.

    Example:
        >>> classes_of(np.array([[0, 3, 9]]), "values", True, {3: 1, 7: 2}).tolist()
        [[0, 1, 0]]
    """
    if not exact and words == "values":
        return (codes >= THRESHOLD * 255).astype(np.uint8) * np.uint8(numbers.get(255, 1))
    known = np.array(sorted(numbers), np.int64)
    if not len(known):
        return np.zeros(codes.shape, np.uint8)
    classes = np.array([numbers[int(code)] for code in known], np.uint8)
    values, places = np.unique(codes, return_inverse=True)
    if exact:
        at = np.clip(np.searchsorted(known, values), 0, len(known) - 1)
        found = np.where(known[at] == values, classes[at], np.uint8(0))
    else:
        away = np.stack([np.abs(_rgb(values) - _rgb([int(code)])).sum(1) for code in known], 1)
        found = classes[away.argmin(1)]
    return found[places.reshape(codes.shape)]


def background_of(levels: Sequence[int], counts: Mapping[int, int]) -> int:
    """Return the code of the background: 0 where it is there, else the most frequent one.

    Args:
        levels: the codes.
        counts: how many pixels have each.

    Returns:
        The code.

    Example:
        >>> background_of([0, 5], {5: 9, 0: 1}), background_of([4, 5], {5: 9, 4: 1})
        (0, 5)
    """
    return 0 if 0 in levels else max(levels, key=lambda code: (counts.get(code, 0), -code))


def _rgb(codes) -> np.ndarray:
    codes = np.asarray(codes, np.int64)
    return np.stack([codes >> 16 & 255, codes >> 8 & 255, codes & 255], -1)


# ---------------------------------------------------------------- outlines


def is_outline(mask: np.ndarray) -> bool:
    """Say whether a mask is a thin line around an area rather than the area.

    Args:
        mask: bool (H, W).
    """
    own = int(mask.sum())
    return own > 0 and _thin(mask) and int(filled(mask).sum()) >= 2 * own


def filled(mask: np.ndarray) -> np.ndarray:
    """Return a mask with all that its lines enclose; a line that ends at the picture's border is closed along it.

    A broken line that is most of an ellipse, as heads and vessels are drawn, encloses that ellipse.

    Args:
        mask: bool (H, W).

    Example:
        >>> ring = np.zeros((5, 5), bool)
        >>> ring[1:4, 1:4] = True
        >>> ring[2, 2] = False
        >>> int(filled(ring).sum())
        9
    """
    from scipy.ndimage import binary_fill_holes

    plain = np.asarray(binary_fill_holes(mask))
    if plain.sum() > 1.5 * mask.sum():
        return plain
    walled = np.pad(mask, 1)
    sides = ((0, slice(None)), (-1, slice(None)), (slice(None), 0), (slice(None), -1))
    for place in sides:
        line = mask[place]
        touched = np.flatnonzero(line)
        if len(touched) > 1:
            wall = np.zeros(len(line) + 2, bool)
            wall[touched[0] + 1 : touched[-1] + 2] = True
            walled[place] |= wall
    closed = np.asarray(binary_fill_holes(walled))[1:-1, 1:-1] | mask
    return closed if closed.sum() > 1.5 * mask.sum() or not _thin(mask) else closed | ellipse(mask)


def ellipse(line: np.ndarray) -> np.ndarray:
    """The inside of the ellipse that a broken line follows, fitted by consensus (RANSAC) of scikit-image.

    Args:
        line: bool (H, W), thin.

    Returns:
        bool (H, W); empty where fewer than nine in ten pixels lie within 2 px of one ellipse, or they leave more than
        14 of 36 parts of the way around it open.

    Example:
        >>> rows, columns = np.mgrid[:60, :80]
        >>> away = np.hypot((rows - 30) / 20, (columns - 40) / 30)
        >>> ring = (abs(away - 1) < 0.04) & (columns < 60)
        >>> abs(int(ellipse(ring).sum()) - int((away < 1).sum())) < 60
        True
    """
    import cv2
    from skimage.measure import EllipseModel, ransac

    empty = np.zeros(line.shape, bool)
    _, marks, facts, _ = cv2.connectedComponentsWithStats(line.astype(np.uint8), connectivity=8)
    long = np.flatnonzero(facts[:, cv2.CC_STAT_AREA] >= max(5, 0.05 * line.sum()))
    points = np.argwhere(np.isin(marks, long[long > 0]))[:, ::-1].astype(float)  # pieces of a line, not specks
    if len(points) < 20:
        return empty
    some = points[np.linspace(0, len(points) - 1, min(len(points), _FITTED)).astype(int)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # samples that fit no ellipse
        model, _ = ransac(some, EllipseModel, min_samples=5, residual_threshold=2.0, max_trials=40, rng=0)
    if not model:
        return empty
    (x, y), (a, b) = model.center, model.axis_lengths
    if not np.isfinite([x, y, a, b]).all() or min(a, b) < 3 or max(a, b) > 2 * max(line.shape):
        return empty
    on = model.residuals(some) <= 2.0
    dx, dy, cos, sin = some[on, 0] - x, some[on, 1] - y, np.cos(model.theta), np.sin(model.theta)
    turns = np.unique(np.floor(np.arctan2((dy * cos - dx * sin) / b, (dx * cos + dy * sin) / a) / (2 * np.pi) * 36))
    if on.mean() < 0.9 or len(turns) < 22:
        return empty
    drawn = np.zeros(line.shape, np.uint8)
    box = ((float(x), float(y)), (2 * float(a) - 1, 2 * float(b) - 1), float(np.degrees(model.theta)))
    return cv2.ellipse(drawn, box, 1, cv2.FILLED) > 0


def _thin(mask: np.ndarray) -> bool:
    from scipy.ndimage import binary_erosion

    return int(binary_erosion(mask, np.ones((5, 5), bool)).sum()) <= 0.02 * mask.sum()
