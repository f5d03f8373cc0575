"""One seed, many independent streams: what is drawn depends on names, never on workers or order."""

import zlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np


def _key(name: str | int) -> int:
    # crc32 rather than hash(): Python salts hash() anew in every process.
    return name if isinstance(name, int) and name >= 0 else zlib.crc32(str(name).encode())


def stream(seed: int, *names: str | int) -> "np.random.Generator":
    """Make the random stream that belongs to these names.

    Args:
        seed: The user's ``--seed``.
        names: What the stream is for, from the general to the particular, such as ``"crop", epoch, frame``.

    Returns:
        A generator that is independent of every stream with other names (``SeedSequence`` spawn keys).

    Example:
        >>> a, b = stream(0, "crop", 3), stream(0, "crop", 3)
        >>> bool(a.random() == b.random())
        True
        >>> bool(stream(0, "crop", 3).random() == stream(0, "crop", 4).random())
        False
    """
    import numpy as np

    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=tuple(_key(name) for name in names)))


def torch_seed(seed: int, *names: str | int) -> int:
    """Derive a 63-bit seed for a ``torch.Generator`` from the same names as ``stream``.

    Example:
        >>> torch_seed(0, "mask") == torch_seed(0, "mask") != torch_seed(1, "mask")
        True
    """
    import numpy as np

    words = np.random.SeedSequence(seed, spawn_key=tuple(_key(name) for name in names)).generate_state(2, np.uint32)
    return (int(words[0]) << 31 ^ int(words[1])) & (2**63 - 1)
