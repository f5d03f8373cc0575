"""One self-contained HTML page: pictures inside, no script, nothing fetched."""

import base64
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from usfm.escape import hypertext as escape
from usfm.pictures.theme import Pair

_STYLE = """
:root { color-scheme: light dark; --ink: #1d2630; --soft: #5b6770; --line: #d9dee4; --paper: #ffffff; --wash: #f3f5f8;
        --accent: #1f6fb4; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e8ed; --soft: #9aa5b1; --line: #343c46; --paper: #14181d;
        --wash: #1d232a; --accent: #6db3ee; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2rem 1.25rem 4rem; max-width: 68rem; background: var(--paper); color: var(--ink);
       font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; overflow-wrap: break-word; }
h1 { font-size: 1.6rem; margin: 0 0 .2rem; } h2 { font-size: 1.15rem; margin: 2.2rem 0 .6rem;
     border-bottom: 1px solid var(--line); padding-bottom: .25rem; }
p.lead { color: var(--soft); margin: 0 0 1rem; } p { max-width: 52rem; }
nav a { margin-right: .9rem; color: var(--accent); text-decoration: none; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; margin: .5rem 0 1rem; font-variant-numeric: tabular-nums; }
td small { display: block; color: var(--soft); font-size: .82em; } h3 { font-size: 1rem; margin: 1.4rem 0 .4rem; }
th, td { padding: .28rem .7rem; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top; }
td:first-child { white-space: nowrap; }
th { font-weight: 600; background: var(--wash); } td.n, th.n { text-align: right; }
figure { display: inline-block; margin: .4rem .8rem .8rem 0; max-width: 100%; vertical-align: top; }
figure img { max-width: 100%; height: auto; border-radius: 4px; background: #fff; }
figure picture img { background: none; border-radius: 0; }
figcaption { color: var(--soft); font-size: .87rem; max-width: 44rem; }
.note { border-left: 3px solid #d9962b; background: var(--wash); padding: .5rem .8rem; margin: .6rem 0;
        max-width: 52rem; }
pre { background: var(--wash); padding: .7rem .9rem; overflow-x: auto; font-size: .85rem; }
details { margin: .5rem 0; } summary { cursor: pointer; color: var(--accent); }
.whole { white-space: nowrap; }
@media (max-width: 40rem) { body { padding: 1rem .8rem 2rem; } th, td { padding: .25rem .45rem; font-size: .87rem; }
  .scroll { background: linear-gradient(to right, transparent, transparent calc(100% - 1.2rem), var(--line)) local;
            border-right: 2px solid var(--line); } figure { margin-right: 0; } }
@media print {
  :root { color-scheme: light; --ink: #000; --soft: #444; --line: #bbb; --paper: #fff; --wash: #f3f5f8;
          --accent: #1f6fb4; }
  @page { margin: 12mm; }
  body { max-width: none; padding: 0; font-size: 9.5pt; } nav { display: none; } p, .note { max-width: none; }
  .scroll { overflow: visible; } table { width: 100%; font-size: 8pt; } th, td { padding: .12rem .3rem; }
  th, td, td:first-child, .whole { white-space: normal; overflow-wrap: anywhere; }
  pre { white-space: pre-wrap; overflow-wrap: anywhere; }
  tr, figure, .note { break-inside: avoid; } h2, h3 { break-after: avoid; } thead { display: table-header-group; }
  figure { max-width: 48%; } figure.wide { max-width: 100%; }
  details > summary { list-style: none; color: var(--ink); font-weight: 600; }
  details::details-content { content-visibility: visible !important; display: block !important; height: auto; }
}
"""


class Markup(str):
    """HTML that a table takes as it is; only the functions of this module make it."""


def estimate(value: float | None, low: float | None, high: float | None, digits: int = 3, mark: str = "") -> Markup:
    """A value with its interval in smaller print below; the interval is never broken.

    Args:
        value: None or NaN: a dash.
        low: lower end, or None.
        high: upper end, or None.
        digits: after the point.
        mark: a sign behind the value.

    Returns:
        A cell.

    >>> estimate(0.5, 0.25, 0.75, 2)
    '0.50<small class="whole">0.25 to 0.75</small>'
    """
    if value is None or not np.isfinite(value):
        return Markup("–")
    text = f"{value:.{digits}f}{escape(mark)}"
    if low is None or high is None or not (np.isfinite(low) and np.isfinite(high)):
        return Markup(text)
    return Markup(f'{text}<small class="whole">{low:.{digits}f} to {high:.{digits}f}</small>')


def page(title: str, sections: Iterable[tuple[str, str]], lead: str = "") -> str:
    """Put sections under headings into one page.

    Args:
        title: heading and window title.
        sections: (heading, body) pairs; a body is made by joining what the other functions of this module return.
        lead: one sentence under the title.

    Returns:
        The whole document; every text is escaped, every picture is inside it.
    """
    sections = list(sections)
    links = " ".join(f'<a href="#s{k}">{escape(name)}</a>' for k, (name, _) in enumerate(sections))
    body = "".join(
        f'<section id="s{k}"><h2>{escape(name)}</h2>{html}</section>' for k, (name, html) in enumerate(sections)
    )
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{_STYLE}</style></head><body>'
        f'<h1>{escape(title)}</h1><p class="lead">{escape(lead)}</p>'
        f"{f'<nav>{links}</nav>' if len(sections) > 2 else ''}{body}</body></html>\n"
    )


def paragraph(text: str) -> str:
    """A paragraph of plain text."""
    return f"<p>{escape(text)}</p>"


def note(text: str) -> str:
    """A warning that must not be overlooked."""
    return f'<div class="note">{escape(text)}</div>'


def code(text: str) -> str:
    """Preformatted text: a command, a settings file."""
    return f"<pre>{escape(text)}</pre>"


def details(summary: str, body: str) -> str:
    """Folded content: `body` is HTML of this module, shown on a click.

    Args:
        summary: plain text that is always shown.
        body: HTML.

    Returns:
        HTML.
    """
    return f"<details><summary>{escape(summary)}</summary>{body}</details>"


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table; numbers are set to the right, floats to four significant digits, None and NaN as a dash.

    Args:
        columns: names of the columns.
        rows: one sequence of values a row.

    Returns:
        HTML.
    """
    rows = [list(row) for row in rows]
    numeric = [
        bool(rows) and all(isinstance(row[k], int | float | np.number | Markup) or row[k] is None for row in rows)
        for k in range(len(columns))
    ]
    kinds = [' class="n"' if n else "" for n in numeric]
    head = "".join(f"<th{kind}>{escape(str(name))}</th>" for kind, name in zip(kinds, columns, strict=True))
    body = "".join(
        "<tr>" + "".join(f"<td{kind}>{_inside(v)}</td>" for kind, v in zip(kinds, row, strict=True)) + "</tr>"
        for row in rows
    )
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _inside(value: object) -> str:
    return value if isinstance(value, Markup) else escape(cell(value))


def subheading(text: str) -> str:
    """A heading inside a section."""
    return f"<h3>{escape(text)}</h3>"


def facts(values: Mapping[str, object]) -> str:
    """A two-column table of named values."""
    return table(["", ""], [[name, cell(value)] for name, value in values.items()])


def figure(image: np.ndarray | bytes | str | Path, caption: str = "", width_px: int | None = None) -> str:
    """A picture inside the page.

    Args:
        image: (H, W) or (H, W, 3) array, the bytes of a PNG or JPEG, or the path of one.
        caption: text below.
        width_px: shown width; by default the picture's own.

    Returns:
        HTML with the picture inside.
    """
    if isinstance(image, np.ndarray):
        data = to_png(image)
    else:
        data = image if isinstance(image, bytes) else Path(image).read_bytes()
    kind = "png" if data[:4] == b"\x89PNG" else "jpeg"
    size = f' width="{width_px}"' if width_px else ""
    source = base64.b64encode(data).decode("ascii")
    words = f"<figcaption>{escape(caption)}</figcaption>" if caption else ""
    narrow = f' style="width: {width_px}px"' if width_px and width_px <= 200 else ""  # the words wrap below it
    return (
        f'<figure{narrow}><img{size} alt="{escape(caption)}" src="data:image/{kind};base64,{source}">{words}</figure>'
    )


def themed(pair: Pair, caption: str = "") -> str:
    """A figure that is drawn for light and for dark pages; print takes the light one.

    Args:
        pair: both drawings.
        caption: text below.

    Returns:
        HTML with both inside.
    """
    light, dark = (base64.b64encode(data).decode("ascii") for data in (pair.light, pair.dark))
    words = f"<figcaption>{escape(caption)}</figcaption>" if caption else ""
    when = "screen and (prefers-color-scheme: dark)"
    return (
        f'<figure style="width: min(100%, {pair.width_px}px)"><picture>'
        f'<source media="{when}" srcset="data:image/png;base64,{dark}">'
        f'<img width="{pair.width_px}" alt="{escape(caption)}" src="data:image/png;base64,{light}"></picture>'
        f"{words}</figure>"
    )


def to_jpeg(image: np.ndarray, quality: int = 85) -> bytes:
    """Encode a picture of a frame, which is a quarter as large as a PNG.

    Args:
        image: as `to_png` takes it.
        quality: of the JPEG, 1 to 95.

    Returns:
        The JPEG.
    """
    from PIL import Image

    from usfm.pictures.sheet import to_rgb

    buffer = io.BytesIO()
    Image.fromarray(to_rgb(image)).save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def to_png(image: np.ndarray) -> bytes:
    """Encode a picture ((H, W) or (H, W, 3); uint8, bool or float in 0..1) as PNG bytes."""
    from PIL import Image

    from usfm.pictures.sheet import to_rgb

    buffer = io.BytesIO()
    Image.fromarray(to_rgb(image)).save(buffer, "PNG")
    return buffer.getvalue()


def cell(value: object) -> str:
    """Write one value as a table does.

    >>> cell(0.123456), cell(float("nan")), cell(12), cell("a"), cell(1234567)
    ('0.1235', '–', '12', 'a', '1,234,567')
    """
    if value is None or (isinstance(value, float | np.floating) and not np.isfinite(value)):
        return "–"
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    if isinstance(value, int | np.integer):
        return f"{value:,}"
    if isinstance(value, float | np.floating):
        return f"{value:.4g}"
    return str(value)
