"""Predictions of anybody's model out of a CSV table: `usfm eval --predictions FILE.csv`.

| column | means |
|---|---|
| `id` | name of the case, once a model |
| `patient` | who it is of; empty: the case stands for itself |
| `target` | true class, or true number |
| `score_NAME` for each class, or one `score` (of the second class, of two) | probabilities |
| `value`, in place of scores | predicted number (regression) |
| `model` | whose predictions; the table then holds several runs |
| `clip`, `fold`, `split` | as in runs of usfm |

Every further column can be asked with `--by`.
"""

import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from usfm.errors import RequestError
from usfm.tasks.predictions import Predictions

KNOWN = ("id", "patient", "target", "score", "value", "model", "clip", "fold", "split")
_OUTLINES = ("mask", "masks", "polygon", "rle", "box", "boxes", "bbox", "x0", "xmin", "x_min", "left")
_LONGEST = 5_000_000  # lines
_NEAR = 1e-3  # by which scores may miss 1, as written with three digits


def read(path: str | Path) -> tuple[dict[str, Predictions], dict[str, dict[str, np.ndarray]]]:
    """Read a table of predictions.

    Args:
        path: CSV file with a head.

    Returns:
        model (the file's stem where there is no such column) -> predictions; and model -> further column -> (n,) str.

    Raises:
        RequestError: it cannot be read, a column is missing, or a value is none that it should be: which, in which
            line.
    """
    path = Path(path)
    heads, lines = _lines(path)
    number = "value" in heads and not any(name.startswith("score") for name in heads)
    classes = () if number else _classes(path, heads, lines)
    place = {name: k for k, name in enumerate(heads)}
    models = [line[place["model"]] if "model" in place else path.stem for line in lines]
    found, further = {}, {}
    for model in dict.fromkeys(models):
        rows = [k for k, name in enumerate(models) if name == model]
        if not model:
            raise RequestError(f"{path}, line {rows[0] + 2}: the column 'model' is empty; write a name")
        found[model] = (_numbers if number else _predictions)(path, heads, lines, rows, classes)
        others = [name for name in heads if name not in KNOWN and not name.startswith("score_")]
        further[model] = {name: np.array([lines[k][place[name]] for k in rows], object) for name in others}
    return found, further


def _lines(path: Path) -> tuple[list[str], list[list[str]]]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            table = csv.reader(file)
            heads = [name.strip() for name in next(table, [])]
            lines = [[cell.strip() for cell in line] for line, _ in zip(table, range(_LONGEST), strict=False) if line]
    except FileNotFoundError:
        raise RequestError(f"{path}: no such file") from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise RequestError(f"{path}: cannot be read as a CSV table in UTF-8 ({error})") from None
    _refuse_outlines(path, heads)
    for name in ("id", "patient", "target"):
        if name not in heads:
            raise RequestError(
                f"{path}: has no column '{name}'; it needs id, patient, target and the scores (score_CLASS for each "
                f"class); there are: {', '.join(heads) or 'none'}"
            )
    twice = sorted({name for name in heads if heads.count(name) > 1})
    if twice:
        raise RequestError(f"{path}: the column '{twice[0]}' is there twice; take one out")
    if not lines:
        raise RequestError(f"{path}: holds no line below its head")
    for k, line in enumerate(lines):
        if len(line) != len(heads):
            raise RequestError(f"{path}, line {k + 2}: has {len(line)} cells, and the head has {len(heads)}")
    return heads, lines


def _classes(path: Path, heads: list[str], lines: list[list[str]]) -> tuple[str, ...]:
    """Names of the classes, in the order of their columns; of a single score, in the order of their names."""
    scored = tuple(name.removeprefix("score_") for name in heads if name.startswith("score_"))
    there = sorted({line[heads.index("target")] for line in lines})
    if "" in there:
        raise RequestError(f"{path}: a case has no target; leave it out")
    if scored:
        strange = [name for name in there if name not in scored]
        if strange:
            raise RequestError(f"{path}: the target '{strange[0]}' has no column 'score_{strange[0]}'")
        if len(scored) < 2:
            raise RequestError(f"{path}: has scores of one class; two or more are needed, or one column 'score'")
        return scored
    if "score" not in heads:
        raise RequestError(
            f"{path}: has no scores: write score_CLASS for each class, score with two classes, or value for a number"
        )
    if len(there) != 2:
        raise RequestError(
            f"{path}: one column 'score' means two classes, and there are {len(there)}; write score_CLASS"
        )
    return tuple(there)


def _refuse_outlines(path: Path, heads: list[str]) -> None:
    """Masks and boxes do not fit a line a case."""
    strange = next((name for name in heads if name.lower() in _OUTLINES), "")
    if strange:
        raise RequestError(
            f"{path}: the column '{strange}' speaks of masks or boxes, which a table of one line a case cannot hold; "
            "give the run directory of 'usfm finetune segment' or 'usfm finetune detect' instead"
        )


def _predictions(
    path: Path, heads: list[str], lines: list[list[str]], rows: list[int], classes: tuple[str, ...]
) -> Predictions:
    place = {name: k for k, name in enumerate(heads)}
    columns = [place[f"score_{c}"] for c in classes] if f"score_{classes[0]}" in place else [place["score"]]
    scores = np.array(list(_scores(path, lines, rows, columns)), np.float32)
    target = np.array([classes.index(lines[k][place["target"]]) for k in rows], np.int32)
    majority = np.full(len(rows), np.bincount(target, minlength=len(classes)).argmax(), np.int32)
    arrays = {"target": target, "scores": scores, "majority": majority}
    return Predictions(**_shared(path, heads, lines, rows), arrays=arrays, class_names=classes)


def _numbers(
    path: Path, heads: list[str], lines: list[list[str]], rows: list[int], classes: tuple[str, ...]
) -> Predictions:
    """A regression; beside it the mean of the true numbers, since that of the training is not known."""
    arrays = {}
    for name, column in (("target", "target"), ("said", "value")):
        cells = [lines[k][heads.index(column)] for k in rows]
        arrays[name] = np.array([_number(path, k, column, cell) for k, cell in zip(rows, cells, strict=True)])
    arrays["mean"] = np.full(len(rows), arrays["target"].mean())
    return Predictions(**_shared(path, heads, lines, rows), arrays=arrays, class_names=classes, task="regress")


def _number(path: Path, line: int, column: str, cell: str) -> float:
    try:
        value = float(cell)
    except ValueError:
        raise RequestError(f"{path}, line {line + 2}: the {column} '{cell}' is no number") from None
    if not np.isfinite(value):
        raise RequestError(f"{path}, line {line + 2}: the {column} is not finite ({cell})")
    return value


def _shared(path: Path, heads: list[str], lines: list[list[str]], rows: list[int]) -> dict:
    """The columns that predictions of all tasks have."""
    place = {name: k for k, name in enumerate(heads)}

    def text(name: str, otherwise: str = "") -> np.ndarray:
        return np.array([lines[k][place[name]] if name in place else otherwise for k in rows], object)

    names, patient = text("id"), text("patient")
    seen: dict[str, int] = {}
    for k, name in zip(rows, names, strict=True):
        if not name or name in seen:
            what = "has no id" if not name else f"the id '{name}' is that of line {seen[name] + 2} too"
            raise RequestError(f"{path}, line {k + 2}: {what}; each case has an id of its own")
        seen[name] = k
    return {
        "frame_id": names,
        "source": text("clip"),
        "patient": patient,
        "group": np.where(patient == "", names, patient),
        "split": np.full(len(rows), "test", object) if "split" not in place else text("split"),
        "fold": text("fold", "all"),
    }


def _scores(path: Path, lines: list[list[str]], rows: list[int], columns: list[int]) -> Iterator[list[float]]:
    for k in rows:
        cells = [lines[k][column] for column in columns]
        try:
            values = [float(cell) for cell in cells]
        except ValueError:
            raise RequestError(f"{path}, line {k + 2}: '{', '.join(cells)}' are no numbers") from None
        if not np.isfinite(values).all():
            raise RequestError(f"{path}, line {k + 2}: a score is not finite ({', '.join(cells)})")
        if min(values) < 0 or max(values) > 1 + _NEAR:
            raise RequestError(f"{path}, line {k + 2}: scores are probabilities from 0 to 1, not {', '.join(cells)}")
        if len(values) == 1:
            values = [1 - values[0], values[0]]
        if abs(sum(values) - 1) > _NEAR:
            raise RequestError(f"{path}, line {k + 2}: the scores sum to {sum(values):.4g} and should sum to 1")
        yield values
