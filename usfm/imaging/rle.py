"""Run lengths of a mask as COCO writes them: column by column, background first; as numbers or as a packed string."""

import numpy as np

LARGEST_PX = 1 << 28
"""Pixels of the largest mask that is decoded."""


def decode(counts: str | bytes | np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return the mask of some run lengths.

    Args:
        counts: Run lengths, background first, or the packed string of COCO's tools.
        size: (height, width), px.

    Returns:
        bool (H, W).

    Raises:
        ValueError: If the runs do not fill the mask exactly; nothing large is made before that is known.

    Example:
        >>> decode(np.array([1, 2, 1]), (2, 2)).astype(int).tolist()
        [[0, 1], [1, 0]]
        >>> bool((decode(encode_text(decode(np.array([1, 2, 1]), (2, 2))), (2, 2)) == [[0, 1], [1, 0]]).all())
        True
    """
    runs = unpack(counts) if isinstance(counts, str | bytes) else np.asarray(counts, np.int64).ravel()
    height, width = size
    if height < 1 or width < 1 or height * width > LARGEST_PX:
        raise ValueError(f"run lengths of a mask of {height} x {width} px")
    if len(runs) and (runs.min() < 0 or runs.max() > height * width):
        raise ValueError("a run is negative or longer than the mask")
    if int(runs.sum()) != height * width:
        raise ValueError(f"the runs fill {int(runs.sum())} of {height * width} px")
    values = np.arange(len(runs), dtype=np.int64) % 2 == 1
    return np.repeat(values, runs).reshape(width, height).T


def encode(mask: np.ndarray) -> np.ndarray:
    """Return the run lengths of a mask, background first: int64, the inverse of `decode`.

    Example:
        >>> encode(np.array([[1, 0], [1, 0]])).tolist()
        [0, 2, 2]
    """
    flat = np.asarray(mask).astype(bool).T.ravel()
    edges = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    bounds = np.concatenate([[0] if len(flat) and flat[0] else [], [0], edges, [len(flat)]]).astype(np.int64)
    return np.diff(bounds)


def encode_text(mask: np.ndarray) -> str:
    """Return the run lengths of a mask as the packed string of COCO's tools."""
    runs = encode(mask)
    deltas = runs.copy()
    deltas[3:] -= runs[1:-2]
    text = bytearray()
    for value in deltas.tolist():
        more = True
        while more:
            five, value = value & 31, value >> 5
            more = value != (-1 if five & 16 else 0)
            text.append((five | 32 if more else five) + 48)
    return text.decode("ascii")


def unpack(text: str | bytes) -> np.ndarray:
    """Read the packed string of run lengths: int64.

    Each character holds five bits, the lowest first, and says by the sixth whether its number goes on. From the fourth
    number on, a number is the difference to the one two places before.

    Raises:
        ValueError: If it is no such string.

    Example:
        >>> unpack("042").tolist()
        [0, 4, 2]
    """
    data = text.encode("ascii", "replace") if isinstance(text, str) else text
    codes = np.frombuffer(data, np.uint8).astype(np.int64) - 48
    if not len(codes):
        return np.zeros(0, np.int64)
    if codes.min() < 0 or codes.max() > 63 or codes[-1] & 32:
        raise ValueError("no packed run lengths")
    last = codes & 32 == 0
    starts = np.concatenate([[0], np.flatnonzero(last)[:-1] + 1])
    lengths = np.flatnonzero(last) - starts + 1
    if lengths.max() > 10:
        raise ValueError("a packed run is too long")
    place = np.arange(len(codes)) - np.repeat(starts, lengths)
    numbers = np.add.reduceat((codes & 31) << (5 * place), starts)
    numbers -= np.where(codes[last] & 16, np.int64(1) << (5 * lengths), 0)
    numbers[1::2] = np.cumsum(numbers[1::2])
    numbers[2::2] = np.cumsum(numbers[2::2])
    return numbers
