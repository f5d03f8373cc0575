"""What the values of one mask file mean where that is known before anybody looks at it: classes by value or colour."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

UNNAMED = "pixels of a value that the layout does not name"


@dataclass(frozen=True)
class Coding:
    """What a mask's pixels mean.

    Attributes:
        name: Class of all that is not 0, where there is one.
        values: (value, class).
        colours: (red * 65536 + green * 256 + blue, class).
        near: Whether the nearest colour counts.
        threshold: Gray level from which on a pixel counts; 0 for any but 0.
        fill: Whether outlines are filled.
        resize: Whether the mask may be of another size than its picture.
        sparse: Whether nothing on it means that nobody has drawn.
        labels: Classes that become the picture's class, the first found counts.
        nothing: The class of a picture on whose mask nothing is.
    """

    name: str = ""
    values: tuple[tuple[int, str], ...] = ()
    colours: tuple[tuple[int, str], ...] = ()
    near: bool = False
    threshold: int = 0
    fill: bool = False
    resize: bool = False
    sparse: bool = False
    labels: tuple[str, ...] = ()
    nothing: str = ""

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of its classes, in order."""
        return (self.name,) if self.name else tuple(dict.fromkeys(name for _, name in (*self.values, *self.colours)))

    def codes(self, words: str, palette: Mapping[int, int] | None = None) -> dict[int, str]:
        """Name the codes of a mask.

        Args:
            words: ``values`` or ``colours``, as the mask has them.
            palette: Code -> colour, where it has one.

        Returns:
            Code -> class.

        Example:
            >>> Coding(colours=((0x404040, "ovary"), (0x000040, "teratoma"))).codes("values")
            {64: 'ovary'}
        """
        if words == "colours":
            return dict(self.colours)
        if palette and self.colours:
            return {code: name for code, colour in palette.items() if (name := dict(self.colours).get(colour))}
        grays = {code & 255: name for code, name in self.colours if code == (code & 255) * 0x010101}
        return grays | dict(self.values)

    def numbers(
        self, words: str, levels: Sequence[int], exact: bool, place: Mapping[str, int], palette: Mapping[int, int]
    ) -> dict[int, int]:
        """Number the codes that are in a mask.

        Args:
            words: ``values`` or ``colours``.
            levels: The codes.
            exact: Whether they are exact.
            place: Class -> number.
            palette: Code -> colour, where it has one.

        Returns:
            Code -> number of its class; codes without a class are left out.
        """
        if self.name:
            return {code: place[self.name] for code in levels if code}
        known = self.codes(words, palette)
        if words == "values" and not exact:  # smeared gray: foreground or not
            return {255: place[self.classes[0]]}
        return {code: place[known[code]] for code in (levels if exact and not self.near else known) if code in known}

    def label(self, words: str, levels: Sequence[int], palette: Mapping[int, int]) -> str:
        """Return the class of a picture by what is on its mask.

        Args:
            words: ``values`` or ``colours``.
            levels: The codes that are in it.
            palette: Code -> colour, where it has one.

        Returns:
            The class, "" where the mask says none.
        """
        if not self.labels and not self.nothing:
            return ""
        known = self.codes(words, palette)
        there = {known[code] for code in levels if code in known}
        return next((name for name in self.labels if name in there), "" if there else self.nothing)
