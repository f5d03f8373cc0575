"""Vectors as a table that other programs read: CSV, NumPy or Parquet, with what is known of each frame beside them."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from usfm import escape
from usfm.errors import RequestError, missing_extra
from usfm.provenance import file_sha256
from usfm.store.reader import Store
from usfm.store.whole import place, whole_file, write_json

COMMAND = "embed"


def sidecar(out: str | Path) -> Path:
    """The file beside a table that says how it was made."""
    return place(out).with_name(place(out).name + ".json")


def key_of(out: Path) -> str | None:
    """The key of a table that is as it was written; None where it is not one of ours, or was changed."""
    found = _sidecar_of(out)
    if found.get("sha256") != file_sha256(out):
        return None
    return found["key"]


def _sidecar_of(out: Path) -> dict:
    """What stands beside a table; {} where it is not ours."""
    try:
        if not sidecar(out).is_file():  # a pipe would hold the command up
            return {}
        found = json.loads(sidecar(out).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    ours = isinstance(found, dict) and found.get("command") == COMMAND and isinstance(found.get("key"), str)
    return found if ours else {}


def check(out: str | Path, format_: str) -> None:
    """See before the work that a table can be written.

    Args:
        out: path of the table.
        format_: csv, npz or parquet.

    Raises:
        RequestError: the format needs a library that is not there, or the name of the sidecar is taken.
    """
    if format_ == "parquet":
        try:
            import pyarrow.parquet  # noqa: F401
        except ImportError:
            raise missing_extra("--format parquet", "tables") from None
    if sidecar(out).exists() and not _sidecar_of(place(out)):
        raise RequestError(
            f"{sidecar(out)}: would go beside the table, but exists and usfm did not make it; choose another --out"
        )


def of(store: Store, vectors: np.ndarray) -> dict[str, np.ndarray]:
    """The columns of the table, frames in the order of the store.

    Args:
        store: Of the frames.
        vectors: (N, D) float32.

    Returns:
        frame_id, path, patient, split, label (the class's name), index (in its source), time_s, vectors.
    """
    names = np.array([*store.class_names, ""], object)
    return {
        "frame_id": store.column("frame_id"),
        "path": store.of_frames("path"),
        "patient": store.of_frames("patient"),
        "split": store.split(),
        "label": names[store.labels_class()],
        "index": store.column("index"),
        "time_s": store.column("time_s"),
        "vectors": vectors,
    }


def write(out: str | Path, format_: str, columns: Mapping[str, np.ndarray], about: Mapping[str, object]) -> None:
    """Write a table and its sidecar, whole or not at all.

    Args:
        out: File to write.
        format_: csv, npz or parquet.
        columns: From `of`.
        about: For the sidecar; must hold `key`.
    """
    with whole_file(out) as part:
        WRITERS[format_](part, columns)
        more = {"command": COMMAND, **about, "columns": list(columns), "sha256": file_sha256(part)}
        write_json(sidecar(out), more)


def _csv(part: Path, columns: Mapping[str, np.ndarray]) -> None:
    """One line a frame; the vector's numbers are columns v0, v1, ... with the digits that float32 has."""
    *known, _ = columns
    vectors = columns["vectors"]
    with open(part, "w", encoding="utf-8", newline="") as file:
        heads = [*known, *(f"v{n}" for n in range(vectors.shape[1]))]
        rows = zip(*(columns[name].tolist() for name in known), strict=True)
        lines = ([*row, *(float(str(v)) for v in vector)] for row, vector in zip(rows, vectors, strict=True))
        escape.write_csv(file, heads, lines)


def _npz(part: Path, columns: Mapping[str, np.ndarray]) -> None:
    """One array a column; text as Unicode arrays, so that it is read without pickle."""
    plain = {name: values.astype(str) if values.dtype == object else values for name, values in columns.items()}
    with open(part, "wb") as file:
        np.savez(file, **plain)  # type: ignore[arg-type]


def _parquet(part: Path, columns: Mapping[str, np.ndarray]) -> None:
    """One column each; a vector is a list of fixed length."""
    import pyarrow
    import pyarrow.parquet

    vectors = columns["vectors"]
    arrays = {name: pyarrow.array(values.tolist()) for name, values in columns.items() if name != "vectors"}
    arrays["vectors"] = pyarrow.FixedSizeListArray.from_arrays(pyarrow.array(vectors.ravel()), vectors.shape[1])
    pyarrow.parquet.write_table(pyarrow.table(arrays), part)


WRITERS: dict[str, Callable[[Path, Mapping[str, np.ndarray]], None]] = {
    "csv": _csv,
    "npz": _npz,
    "parquet": _parquet,
}
