"""Text that leaves us: made safe for a terminal, a CSV table, LaTeX, Markdown, HTML, JSON and figures, in one place.

Names of files, classes and patients come from people and from files of unknown origin. Each function here turns any
text into one that its reader shows and never runs.
"""

import csv
import html
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TextIO

_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_RUNS = tuple("=+-@\t\r\n|%\uff1d\uff0b\uff0d\uff20")
"""What a spreadsheet takes as the beginning of a formula, also in full width, and after blanks."""
_LATEX = str.maketrans({
    **{sign: "\\" + sign for sign in "&%$#_{}"},
    "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}",
})  # fmt: skip
_MARKDOWN = str.maketrans({**{sign: "\\" + sign for sign in "\\`*|"}, "<": "&lt;", ">": "&gt;", "&": "&amp;"})


def shown(text: object) -> str:
    r"""Return text as a terminal may show it: what is not printable is written out; line ends and tabs stay.

    Control characters, marks that turn the direction of writing, and bytes that are no UTF-8 become ``\x1b`` and the
    like.

    Example:
        >>> print(shown("\x1b[31mred\u202e, M\udcfcller"))
        \x1b[31mred\u202e, M\xfcller
    """
    text = str(text)
    if text.isprintable():
        return text
    return "".join(char if char in "\n\t" or char.isprintable() else _written(char) for char in text)


def line(text: object) -> str:
    r"""Return text as one line of a terminal: like ``shown``, but line ends and tabs are written out too.

    Example:
        >>> print(line("a name\nusfm: done"))
        a name\x0ausfm: done
    """
    text = str(text)
    return text if text.isprintable() else "".join(c if c.isprintable() else _written(c) for c in text)


def _written(char: str) -> str:
    code = ord(char)
    if 0xDC80 <= code <= 0xDCFF:  # how Python holds a byte of a file name that is no UTF-8
        code -= 0xDC00
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def cell(value: object) -> object:
    """Return a value as a cell of a CSV table: a number stays one, text never begins like a formula.

    What is no finite number is left empty, as JSON has null for it.

    Example:
        >>> [cell(each) for each in ("=1+1", "-0.5", -0.5, float("nan"), "Müller", None)]
        ["'=1+1", '-0.5', -0.5, '', 'Müller', '']
    """
    if getattr(value, "shape", None) == ():  # of NumPy
        value = value.item()  # type: ignore[attr-defined]
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return ""
    if isinstance(value, (int, float)):
        return value
    text = shown(value)
    if _NUMBER.fullmatch(text):
        return text
    return "'" + text if text.startswith(_RUNS) or text.lstrip().startswith(_RUNS) else text


def write_csv(file: TextIO, columns: Sequence[str], rows: Iterable[Mapping[str, Any] | Sequence[Any]]) -> None:
    """Write a table as CSV; every CSV of ours is written here.

    Args:
        file: Opened with ``newline=""``.
        columns: The heads.
        rows: One line each, in the order of `columns`, or by name: what is missing stays empty, other names are left
            out.
    """
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow([cell(name) for name in columns])
    for row in rows:
        values = [row.get(name) for name in columns] if isinstance(row, Mapping) else row
        writer.writerow([cell(value) for value in values])


def latex(text: object) -> str:
    r"""Return text as a cell of a LaTeX table.

    Example:
        >>> print(latex(r"\input{a} 5 % <b>"))
        \textbackslash{}input\{a\} 5 \% \textless{}b\textgreater{}
    """
    text = line(_one_line(text))
    escaped = text.translate(_LATEX)
    # After the end of a row a bracket or a star would be read as an argument of that end.
    return f"{{{escaped[0]}}}{escaped[1:]}" if escaped[:1] in ("[", "*") else escaped


def markdown(text: object) -> str:
    r"""Return text as a cell of a Markdown table.

    Example:
        >>> print(markdown("a|b <i>"), markdown("0.8 [0.7, 0.9]"), markdown("[x](y)"))
        a\|b &lt;i&gt; 0.8 [0.7, 0.9] [x]\(y)
    """
    return line(_one_line(text)).translate(_MARKDOWN).replace("](", "]\\(").replace("][", "]\\[")


def hypertext(text: object) -> str:
    """Return text as HTML shows it, between tags and inside a quoted attribute.

    Example:
        >>> hypertext('<a title="x">')
        '&lt;a title=&quot;x&quot;&gt;'
    """
    return html.escape(shown(text), quote=True)


def label(text: object) -> str:
    r"""Return text as a label of a figure: a dollar sign begins no formula, and no name is left out of a legend.

    Example:
        >>> print(label("5$ or $x^2$"), label("_hidden"))
        5\$ or \$x^2\$  _hidden
    """
    text = line(text).replace("$", "\\$")
    return " " + text if text.startswith("_") else text


def json_safe(text: str) -> str:
    r"""Return text that every JSON reader takes: bytes that are no UTF-8 are written out.

    Example:
        >>> print(json_safe("M\udcfcller"))
        M\xfcller
    """
    if text.isascii():
        return text
    return "".join(_written(char) if "\ud800" <= char <= "\udfff" else char for char in text)


def _one_line(text: object) -> str:
    return " ".join(str(text).split()) if str(text).strip() else ""


def encodable(text: str, encoding: str | None) -> str:
    r"""Return text that a stream of this encoding can write; what it lacks is written out.

    Args:
        text: any.
        encoding: of the stream, None for UTF-8.

    Returns:
        The text, all of it in that encoding.

    Example:
        >>> print(encodable("Müller", "ascii"))
        M\xfcller
    """
    encoding = encoding or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)
