"""Read a published split from a file: JSON of several shapes, CSV with a split or fold columns, or a list of names."""

import csv
import io
import json
import os
import re
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from usfm import given
from usfm.errors import RequestError
from usfm.tasks.split_names import Entry

LARGEST_BYTES = 1 << 28

_WORDS = {"train": "train", "training": "train", "tr": "train", "trainval": "train", "train_val": "train",
          "train+val": "train", "val": "val", "valid": "val", "validation": "val", "dev": "val", "tune": "val",
          "tuning": "val", "test": "test", "testing": "test", "te": "test", "heldout": "test"}  # fmt: skip
_SPLIT_COLUMNS = ("split", "splits", "set", "subset", "partition", "phase", "fold_split", "usage", "data_split")
_NAME_COLUMNS = ("frame_id", "source_id", "sha256", "path", "image", "source", "file", "filename", "file_name",
                 "filepath", "img", "image_path", "image_id", "image_name", "name", "video", "clip", "id", "patient",
                 "exam", "case", "case_id", "patient_id", "exam_id", "imageid")  # fmt: skip
_NUMBERS = {"1": "train", "true": "train", "0": "val", "false": "val", "": "test", "nan": "test"}
_FOLD = re.compile(r"k?_?folds?_?", re.IGNORECASE)
_ONE_FOLD = re.compile(r"(?:fold|split|valid|cv|k)[_ =-]?(\d+)(?:=all)?", re.IGNORECASE)


@dataclass(frozen=True)
class Listed:
    """The entries of published files.

    Attributes:
        names: n entries.
        parts: "split", or the name of each fold -> n words "train", "val", "test" or "".
    """

    names: list[Entry]
    parts: dict[str, list[str]]


def part_word(text: str) -> str:
    """The part that a word means, "" for none.

    Examples:
        >>> part_word("TRAIN"), part_word("validation"), part_word("3")
        ('train', 'val', '')
    """
    return _WORDS.get(text.strip().casefold(), "")


def folds_of_column(values: Sequence[str]) -> dict[str, list[str]]:
    """Folds of a column that says in which one an entry is tested: it is trained on in all others.

    Args:
        values: of the column; "" is in no fold.

    Returns:
        Name of a fold -> the part of each entry.

    Examples:
        >>> folds_of_column(["1", "2", ""])
        {'1': ['test', 'train', ''], '2': ['train', 'test', '']}
    """
    return {
        fold: ["" if not one else "test" if one == fold else "train" for one in values] for fold in _in_order(values)
    }


def _in_order(values: Sequence[str]) -> list[str]:
    names = set(values) - {""}
    return sorted(names, key=lambda name: (not name.isdigit(), int(name) if name.isdigit() else 0, name))


def read(files: Sequence[str]) -> Listed:
    """Read published splits; several files, such as ``train_val.json`` and ``test.json``, are one split.

    Args:
        files: Their paths.

    Returns:
        All entries.

    Raises:
        RequestError: A file cannot be read, or says of no entry in which part it is.
    """
    found: list[Listed] = []
    for file in files:
        text = _text(file)
        if Path(file).suffix.lower() == ".json" or text.lstrip()[:1] in ("{", "["):
            found.append(_json(file, text))
        elif Path(file).suffix.lower() in (".txt", ".lst", ".list"):
            found.append(_plain(file, text))
        else:
            found.append(_table(file, text))
        if not found[-1].names:
            raise RequestError(f"{file}: holds no entry.")
    if len(found) == 1:
        return found[0]
    if any(set(one.parts) != {"split"} for one in found):
        raise RequestError(f"{', '.join(files)}: files with folds are given one at a time.")
    return Listed([name for one in found for name in one.names],
                  {"split": [word for one in found for word in one.parts["split"]]})  # fmt: skip


def _text(file: str) -> str:
    try:
        with open(file, "rb", opener=given.without_waiting) as handle:
            status = os.fstat(handle.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise RequestError(f"{file}: is no ordinary file; give a JSON or CSV file.")
            if status.st_size > LARGEST_BYTES:
                raise RequestError(f"{file}: {status.st_size:,} bytes are too many for a list of a split.")
            return handle.read().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise RequestError(f"{file}: is not a UTF-8 text; save it as JSON or CSV (UTF-8).") from None
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise RequestError(f"{file}: cannot be read ({why}).") from None


# ---------------------------------------------------------------- lists and tables


def _from_file_name(file: str) -> str:
    """The part that a file's name says, such as ``train_val.json`` or ``subgroup_testing.txt``."""
    stem = Path(file).stem.casefold()
    pieces = [part_word(one) for one in re.split(r"[^a-z]+", stem)]
    word = part_word(stem) or next((one for one in reversed(pieces) if one), "")
    if "train" in pieces and "val" in pieces:
        word = "train"
    return word


def _whole(file: str) -> str:
    word = _from_file_name(file)
    if not word:
        raise RequestError(
            f"{file}: says of no entry in which part it is; give it a column 'split' or 'fold', or name the file by "
            "its part, such as train.json and test.json."
        )
    return word


def _plain(file: str, text: str) -> Listed:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    word = _whole(file)
    return Listed(
        [Entry({"name": re.split(r"[,\t]", line)[0].strip()}) for line in lines], {"split": [word] * len(lines)}
    )


def _table(file: str, text: str) -> Listed:
    first = text.partition("\n")[0]
    delimiter = max(",;\t", key=first.count)
    try:
        rows = list(csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))
    except csv.Error as error:
        raise RequestError(f"{file}: cannot be read as a table ({error}).") from None
    return _rows(file, [{str(key): value for key, value in row.items() if isinstance(value, str)} for row in rows])


def _rows(file: str, rows: Sequence[dict[str, Any]]) -> Listed:
    """Entries of a table: names, and a split, fold columns, or what the file's name says."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    known = {name.strip().casefold(): name for name in columns}
    names = [known[one] for one in _NAME_COLUMNS if one in known]
    splits = [known[one] for one in _SPLIT_COLUMNS if one in known]
    if not names:
        taken = {name for name in columns if _FOLD.fullmatch(name) or _ONE_FOLD.fullmatch(name)} | set(splits)
        names = [name for name in columns if name not in taken and any(isinstance(row.get(name), str) for row in rows)]
    if not names and rows:
        raise RequestError(f"{file}: no column says which picture or patient a row is of; call it 'path'.")
    entries = [
        Entry({name.strip().casefold(): str(row[name]).strip() for name in names if _is_name(row.get(name))})
        for row in rows
    ]
    several = {match[1]: name for name in columns if (match := _ONE_FOLD.fullmatch(name.strip()))}
    if several:
        return Listed(entries, {fold: _fold_words(file, [row.get(several[fold]) for row in rows])
                                for fold in _in_order(list(several))})  # fmt: skip
    if splits:
        return Listed(entries, _split_column(file, [str(row.get(splits[0], "")).strip() for row in rows]))
    one = next((name for name in columns if _FOLD.fullmatch(name.strip())), None)
    if one is not None:
        return Listed(entries, folds_of_column([str(row.get(one, "")).strip() for row in rows]))
    return Listed(entries, {"split": [_whole(file)] * len(rows)})


def _is_name(value: Any) -> bool:
    return isinstance(value, (str, int)) and not isinstance(value, bool) and str(value).strip() != ""


def _split_column(file: str, values: list[str]) -> dict[str, list[str]]:
    words = [part_word(one) for one in values]
    odd = next((one for one, word in zip(values, words, strict=True) if one and not word), None)
    if odd is None:
        return {"split": words}
    if any(words):
        raise RequestError(f"{file}: the part '{odd[:40]}' is none of train, val, test.")
    return folds_of_column(values)


def _fold_words(file: str, values: Sequence[Any]) -> list[str]:
    """A fold's own column: words, or 1 for training, 0 for validation and nothing for the test."""
    texts = ["" if value is None else str(value).strip().removesuffix(".0").casefold() for value in values]
    if set(texts) <= _NUMBERS.keys():
        return [_NUMBERS[text] for text in texts]
    odd = next((text for text in texts if text and not part_word(text)), None)
    if odd is not None:
        raise RequestError(f"{file}: '{odd[:40]}' in a fold's column is none of train, val, test, 1 and 0.")
    return [part_word(text) for text in texts]


# ---------------------------------------------------------------- JSON


def _json(file: str, text: str) -> Listed:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        raise RequestError(f"{file}: is not valid JSON.") from None
    if isinstance(found, dict) and isinstance(found.get("entries"), list):
        found = found["entries"]  # ours, and those who put a head before the list
    if isinstance(found, dict):
        for name in ("splits", "folds"):
            if isinstance(found.get(name), (list, dict)):
                found = found[name]
                break
    if isinstance(found, list) and found and all(isinstance(one, dict) and _parts_of(one) for one in found):
        return _folds(file, {str(number): one for number, one in enumerate(found)})
    if isinstance(found, dict) and found and all(isinstance(one, dict) and _parts_of(one) for one in found.values()):
        return _folds(file, found)
    if isinstance(found, dict) and _parts_of(found):
        entries, words = _sides(file, found)
        return Listed(entries, {"split": words})
    if isinstance(found, dict) and found and all(_is_name(one) for one in found.values()):
        rows = [{"name": name, "split": str(value)} for name, value in found.items()]
        return Listed([Entry({"name": row["name"]}) for row in rows],
                      _split_column(file, [row["split"] for row in rows]))  # fmt: skip
    if isinstance(found, list) and found and all(isinstance(one, dict) for one in found):
        return _rows(file, found)
    if isinstance(found, list) and found and all(_is_name(one) for one in found):
        _refuse_numbers(file, found)
        return Listed([Entry({"name": str(one)}) for one in found], {"split": [_whole(file)] * len(found)})
    raise RequestError(
        f"{file}: holds no split; write a list of pictures, {{'train': [...], 'test': [...]}}, a list of such "
        "folds, or {'name': 'train'}."
    )


def _parts_of(found: dict) -> dict[str, list]:
    """The lists of a split by part, {} where it is none; other keys beside them are notes."""
    return {key: value for key, value in found.items() if part_word(str(key)) and isinstance(value, list)}


def _sides(file: str, found: dict) -> tuple[list[Entry], list[str]]:
    entries, words = [], []
    for key, values in _parts_of(found).items():
        _refuse_numbers(file, values)
        for one in values:
            if isinstance(one, dict):
                said = {name.casefold(): str(one[name]) for name in one
                        if name.casefold() in _NAME_COLUMNS and _is_name(one[name])}  # fmt: skip
            elif _is_name(one):
                said = {"name": str(one)}
            else:
                raise RequestError(f"{file}: an entry of '{key}' is neither a name nor an object with one.")
            entries.append(Entry(said))
            words.append(part_word(str(key)))
    return entries, words


def _folds(file: str, folds: dict[str, dict]) -> Listed:
    names: dict[tuple, int] = {}
    entries: list[Entry] = []
    found: dict[str, dict[int, str]] = {}
    for fold, sides in folds.items():
        match = _ONE_FOLD.fullmatch(str(fold))
        words = found.setdefault(match[1] if match else str(fold), {})
        for entry, word in zip(*_sides(file, sides), strict=True):
            key = tuple(sorted(entry.said.items()))
            at = names.setdefault(key, len(entries))
            if at == len(entries):
                entries.append(entry)
            if words.get(at, word) != word:
                raise RequestError(f"{file}: '{entry.shown()}' is in {words[at]} and in {word} of fold {fold}.")
            words[at] = word
    return Listed(entries, {fold: [words.get(at, "") for at in range(len(entries))] for fold, words in found.items()})


def _refuse_numbers(file: str, values: Sequence[Any]) -> None:
    if values and all(isinstance(one, int) and not isinstance(one, bool) for one in values):
        raise RequestError(
            f"{file}: lists places in a list and no names, so it does not say which pictures it means; write their "
            "names."
        )
