"""What the schema says of one dataset, and the names of size groups."""

from dataclasses import dataclass
from functools import cache


@dataclass(frozen=True)
class Dataset:
    """One dataset of the store.

    Attributes:
        path: where it lies; `<HxW>` and `<HxW[x3]>` stand for a size group such as `386x386` or `480x640x3`.
        dtype: NumPy type; `str` is fixed-length UTF-8, `text` variable-length UTF-8.
        shape: in letters: N frames, S sources, R regions, O overlays, P parts, B boxes, n rows of one size group.
        unit: of the values ("" = none).
        description: what it means.
        missing: the value of a row that has none.
        optional: a part and a store hold it only where some row has a value.
    """

    path: str
    dtype: str
    shape: str
    unit: str
    description: str
    missing: object = None
    optional: bool = False

    @property
    def name(self) -> str:
        """Last part of the path."""
        return self.path.rsplit("/", 1)[1]

    @property
    def rows(self) -> str:
        """The first side of the shape: its rows.

        Examples:
            >>> Dataset("/labels/boxes/xyxy_px", "float32", "(B, 4)", "px", "").rows
            'B'
        """
        return self.shape[1:-1].split(",")[0]


@cache
def group_name(shape: tuple[int, ...]) -> str:
    """Name of the size group of frames of a shape.

    Examples:
        >>> group_name((480, 640)), group_name((480, 640, 3))
        ('480x640', '480x640x3')
    """
    return "x".join(str(side) for side in shape)


def group_shape(name: str) -> tuple[int, ...]:
    """The shape of a size group's frames, the inverse of `group_name`.

    Examples:
        >>> group_shape("480x640x3")
        (480, 640, 3)
    """
    return tuple(int(side) for side in name.split("x"))
