"""Manifests that are no text: the first sheet of an xlsx file, and parquet; both need the extra ``tables``."""

import os
from collections.abc import Iterator

from usfm.errors import RequestError, missing_extra

LARGEST_BYTES = 1 << 28
MOST_CELLS = 50_000_000
KINDS = {b"PAR1": "parquet", b"PK\x03\x04": "xlsx"}


def kind_of(file: str) -> str:
    """Return ``parquet`` or ``xlsx`` by a file's first bytes, "" for any other."""
    try:
        if not os.path.isfile(file):
            return ""
        with open(file, "rb") as handle:
            return KINDS.get(handle.read(4), "")
    except OSError:
        return ""


def lines_of(file: str, kind: str) -> Iterator[tuple[int, list[str]]]:
    """Give (line number, cells) row by row, the names of the columns first.

    Args:
        file: The manifest.
        kind: "parquet", or anything else for xlsx.

    Yields:
        (line from 1, cells as text).

    Raises:
        RequestError: If the extra is not installed, or the file cannot be read.
    """
    if os.path.getsize(file) > LARGEST_BYTES:
        raise RequestError(f"{file}: {os.path.getsize(file):,} bytes are too many for a manifest; give a CSV.")
    rows = _parquet(file) if kind == "parquet" else _xlsx(file)
    count = 0
    try:
        for line, row in enumerate(rows, 1):
            cells = [_text(cell) for cell in row]
            count += len(cells)
            if count > MOST_CELLS:
                raise RequestError(f"{file}: more than {MOST_CELLS:,} cells; give a CSV.")
            yield line, cells
    except ImportError:
        raise missing_extra(f"--manifest {os.path.basename(file)}", "tables") from None
    except (RequestError, MemoryError):
        raise
    except Exception as error:  # whatever a broken file makes a library trip over
        raise RequestError(
            f"{file}: this {kind} file cannot be read ({type(error).__name__}); save it as CSV."
        ) from None


def _parquet(file: str) -> Iterator[list]:
    from pyarrow import parquet

    with parquet.ParquetFile(file) as table:
        yield list(table.schema_arrow.names)
        for batch in table.iter_batches(10_000):
            yield from (list(row) for row in zip(*(column.to_pylist() for column in batch.columns), strict=True))


def _xlsx(file: str) -> Iterator[list]:
    import warnings

    from openpyxl import load_workbook

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        book = load_workbook(file, read_only=True, data_only=True)
        try:
            width = 0
            for row in book.worksheets[0].iter_rows(values_only=True):
                cells = list(row)
                while cells and cells[-1] is None and len(cells) > width:
                    cells.pop()
                width = width or len(cells)
                yield cells + [None] * (width - len(cells))
        finally:
            book.close()


def _text(cell: object) -> str:
    if cell is None:
        return ""
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 1e15:
        return str(int(cell))  # a spreadsheet has no whole numbers
    return cell.hex() if isinstance(cell, bytes) else str(cell)
