"""Frames of a later store in an earlier one: a view leads back to the frame that it was cut from."""

from collections.abc import Mapping, Sequence

import numpy as np

from usfm.store.schema import whole_id


def whole_ids(names: Sequence[str] | np.ndarray) -> np.ndarray:
    """Names of the whole frames that frames were cut from.

    Args:
        names: (n,) frame_ids.

    Returns:
        (n,) str; those of whole frames stay.

    Examples:
        >>> whole_ids(["0011223344556677:12/1", "0011223344556677:13"]).tolist()
        ['0011223344556677:12', '0011223344556677:13']
    """
    return np.array([whole_id(str(name)) for name in names], str)


def rows_in(names: Sequence[str] | np.ndarray, earlier: Sequence[str] | np.ndarray) -> np.ndarray:
    """Rows of frames in an earlier table: under their own name, else under that of the whole frame.

    Args:
        names: (n,) frame_ids.
        earlier: (m,) frame_ids of the earlier table.

    Returns:
        (n,) int64; -1 where it has neither.

    Examples:
        >>> name = "0011223344556677:1"
        >>> rows_in([f"{name}/0", f"{name}/1", "x"], [name, f"{name}/1"])
        array([ 0,  1, -1])
    """
    places: Mapping[str, int] = {str(name): row for row, name in enumerate(earlier)}
    found = (places.get(str(name), places.get(whole_id(str(name)), -1)) for name in names)
    return np.fromiter(found, np.int64, len(names))
