"""Large JSON files piece by piece: the members of the outer object, and lists in it one element at a time."""

import json
from collections.abc import Iterator

CHUNK = 1 << 20
LARGEST_ELEMENT = 64 << 20
"""Characters of one element of a list, or of one plain member."""
_SPACE = " \t\r\n"
_OF_NUMBERS = "0123456789.eE+-"


class JsonStream:
    """Reads one JSON object from a file without holding more than an element.

    Args:
        handle: Binary file at its beginning.

    Raises:
        ValueError: By its methods, for what is no JSON, with what is wrong.
    """

    def __init__(self, handle):
        import codecs

        self._handle = handle
        self._decode = codecs.getincrementaldecoder("utf-8-sig")()
        self._text, self._at, self._ended = "", 0, False
        self._json = json.JSONDecoder(parse_constant=_no_constant)

    def members(self) -> Iterator[tuple[str, object]]:
        """Give (key, value) of the outer object; a list comes as an iterator that is to be used up at once."""
        self._expect("{")
        if self._peek() == "}":
            self._at += 1
            return
        while True:
            self._peek()
            key = self._value()
            if not isinstance(key, str):
                raise ValueError("a key is no text")
            self._expect(":")
            if self._peek() == "[":
                elements = self._elements()
                yield key, elements
                for _ in elements:  # what the reader left
                    pass
            else:
                yield key, self._value()
            if self._expect(",}") == "}":
                return

    def _elements(self) -> Iterator[object]:
        self._expect("[")
        if self._peek() == "]":
            self._at += 1
            return
        while True:
            self._peek()
            yield self._value()
            if self._expect(",]") == "]":
                return

    def _peek(self) -> str:
        """Return the next character that is no space, and stand on it."""
        while True:
            while self._at < len(self._text) and self._text[self._at] in _SPACE:
                self._at += 1
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._more(CHUNK):
                raise ValueError("it ends too early")

    def _expect(self, characters: str) -> str:
        found = self._peek()
        if found not in characters:
            raise ValueError(f"'{characters[0]}' is missing")
        self._at += 1
        return found

    def _value(self) -> object:
        size = CHUNK
        while True:
            try:
                value, end = self._json.raw_decode(self._text, self._at)
                cut = isinstance(value, int | float) and not self._text[end:].strip(_OF_NUMBERS)
                if not cut or not self._more(CHUNK):  # a number at the end of what was read may go on
                    self._at = end
                    return value
            except RecursionError:
                raise ValueError("it is nested too deeply") from None
            except ValueError as error:
                if len(self._text) - self._at > LARGEST_ELEMENT:
                    raise ValueError("one element of it is too large") from None
                if not self._more(size):
                    raise ValueError(getattr(error, "msg", "a number is too long")) from None
                size *= 2

    def _more(self, size: int) -> bool:
        """Read on; drops what was used."""
        if self._ended:
            return False
        data = self._handle.read(size)
        self._ended = not data
        fresh = self._decode.decode(data, final=self._ended)
        self._text, self._at = self._text[self._at :] + fresh, 0
        return bool(data)


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON number")
