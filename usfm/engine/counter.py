"""Random numbers by counter: the same for a frame and an epoch, whatever order, batch or worker asks for them."""

import numpy as np

_MULTIPLIERS = (np.uint64(0xD2511F53), np.uint64(0xCD9E8D57))
_WEYL = (0x9E3779B9, 0xBB67AE85)
_LOW = np.uint64(0xFFFFFFFF)


def philox(counters: np.ndarray, key: int) -> np.ndarray:
    """Encrypt counters into random words.

    Args:
        counters: (n, 4) integers under 2^32.
        key: 64 bits.

    Returns:
        (n, 4) uint32, independent uniform words.

    Source: Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011: Philox-4x32 with ten rounds.

    >>> [hex(word) for word in philox(np.zeros((1, 4), int), 0)[0]]
    ['0x6627e8d5', '0xe169c58d', '0xbc57ac4c', '0x9b00dbd8']
    """
    c = [np.ascontiguousarray(counters[:, i]).astype(np.uint64) for i in range(4)]
    k = [key & 0xFFFFFFFF, (key >> 32) & 0xFFFFFFFF]
    for _ in range(10):
        p0, p1 = _MULTIPLIERS[0] * c[0], _MULTIPLIERS[1] * c[2]
        shift = np.uint64(32)
        c = [(p1 >> shift) ^ c[1] ^ np.uint64(k[0]), p1 & _LOW, (p0 >> shift) ^ c[3] ^ np.uint64(k[1]), p0 & _LOW]
        k = [(word + step) & 0xFFFFFFFF for word, step in zip(k, _WEYL, strict=True)]
    return np.stack(c, axis=1).astype(np.uint32)


def uniforms(key: int, rows: np.ndarray, epochs: np.ndarray, draws: int) -> np.ndarray:
    """Draw uniform numbers that belong to (row, epoch) and to nothing else.

    Args:
        key: 64 bits, from the seed and what the numbers are for.
        rows: (n,) frame rows.
        epochs: (n,) epochs.
        draws: how many numbers each.

    Returns:
        (n, draws) float64 in [0, 1).
    """
    blocks = -(-draws // 4)
    rows, epochs = np.asarray(rows, np.uint64), np.asarray(epochs, np.uint64)
    counters = np.empty((len(rows), blocks, 4), np.uint64)
    counters[..., 0] = np.arange(blocks, dtype=np.uint64)
    counters[..., 1] = (rows & _LOW)[:, None]
    counters[..., 2] = (rows >> np.uint64(32))[:, None]
    counters[..., 3] = epochs[:, None]
    words = philox(counters.reshape(-1, 4), key).reshape(len(rows), blocks * 4)
    return words[:, :draws] / 2.0**32
