"""Published splits in the shapes that people publish, found in a store by name, or refused in one sentence."""

import csv
import json

import numpy as np
import pytest
from split_samples import cohort

from usfm.errors import RequestError
from usfm.store.reader import Store
from usfm.tasks.splits import counts, folds_from, published

NAMES = [f"p{k:02d}/clip.mp4" for k in range(12)]
TRAIN, VAL, TEST = NAMES[:6], NAMES[6:8], NAMES[8:]


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    centre = {"centre": lambda k: str(k % 3), "official": lambda k: ("Train", "TEST")[k % 2]}
    return Store(cohort(tmp_path_factory.mktemp("s") / "s.h5", frames=1, **centre))


def saved(folder, name, value):
    path = folder / name
    if name.endswith(".json"):
        path.write_text(json.dumps(value))
    elif name.endswith(".csv"):
        with open(path, "w", newline="") as file:
            csv.writer(file).writerows(value)
    else:
        path.write_text("\n".join(value))
    return str(path)


WORDS = ["train"] * 6 + ["val"] * 2 + ["test"] * 4
ONE_SPLIT = {
    "ultrabench": {"train.json": [{"image": f"images/{n[:3]}/clip.png", "label": 0} for n in TRAIN],
                   "val.json": [{"image": f"images/{n[:3]}/clip.png", "label": 0} for n in VAL],
                   "test.json": [{"image": f"images/{n[:3]}/clip.png", "label": 1} for n in TEST]},
    "sides": {"s.json": {"train": TRAIN, "valid": VAL, "test": TEST, "note": "seed 7"}},
    "names": {"s.json": dict(zip(NAMES, WORDS, strict=True))},
    "table": {"s.csv": [["FileName", "EF", "Set"], *([n, "5", w.upper()] for n, w in zip(NAMES, WORDS, strict=True))]},
    "patients": {"s.csv": [["patient", "split"], *([n[:3], w] for n, w in zip(NAMES, WORDS, strict=True))]},
    "lists": {"subgroup_training.txt": [f"{n},0" for n in TRAIN], "subgroup_validation.txt": [n[:3] for n in VAL],
              "subgroup_testing.txt": TEST},
}  # fmt: skip


@pytest.mark.parametrize("shape", ONE_SPLIT)
def test_one_split_in_the_shapes_that_people_publish(store, tmp_path, shape):
    files = [saved(tmp_path, name, value) for name, value in ONE_SPLIT[shape].items()]
    found = published(store, files)
    assert found.parts["split"].tolist() == WORDS
    assert (found.fold, found.unmatched) == (None, 0)
    (fold,) = folds_from(store, files)
    assert [WORDS[row] for row in fold.train] == ["train"] * 6
    assert fold.split.tolist() == WORDS[6:]


FOLDS = {
    "fold column": {"f.csv": [["path", "fold"], *([n, k % 4] for k, n in enumerate(NAMES))]},
    "set of numbers": {"f.csv": [["path", "Split"], *([n, k % 4] for k, n in enumerate(NAMES))]},
    "a column a fold": {"f.csv": [["case", *(f"fold_{f}" for f in range(4))],
                                  *([n[:3], *("test" if k % 4 == f else "train" for f in range(4))]
                                    for k, n in enumerate(NAMES))]},
    "train is 1, test is empty": {"f.csv": [["path", "kFold", *(f"valid_{f}" for f in range(4))],
                                            *([n, k % 4, *("" if k % 4 == f else 1 for f in range(4))]
                                              for k, n in enumerate(NAMES))]},
    "list of sides": {"f.json": [{"train": [n for k, n in enumerate(NAMES) if k % 4 != f],
                                  "val": [n for k, n in enumerate(NAMES) if k % 4 == f]} for f in range(4)]},
    "named sides": {"f.json": {f"fold_{f}": {"train": [n for k, n in enumerate(NAMES) if k % 4 != f],
                                             "test": [n for k, n in enumerate(NAMES) if k % 4 == f]}
                               for f in range(4)}},
}  # fmt: skip


@pytest.mark.parametrize("shape", FOLDS)
def test_folds_in_the_shapes_that_people_publish(store, tmp_path, shape):
    ((name, value),) = FOLDS[shape].items()
    given = [saved(tmp_path, name, value)]
    assert published(store, given).fold.tolist() == [str(k % 4) for k in range(12)]
    for number, fold in enumerate(folds_from(store, given)):
        assert fold.name == str(number)
        assert fold.held.tolist() == [k for k in range(12) if k % 4 == number]
        assert sorted([*fold.train, *fold.held]) == list(range(12))


def test_a_column_of_the_store_is_a_split_or_folds(store):
    assert published(store, ["official"]).parts["split"].tolist() == ["train", "test"] * 6
    assert [fold.held.tolist()[:2] for fold in folds_from(store, ["centre"])] == [[0, 3], [1, 4], [2, 5]]


def test_entries_without_frames_are_counted_and_frames_without_entry_are_in_no_part(store, tmp_path):
    found = published(store, [saved(tmp_path, "s.json", {"train": TRAIN[:2], "test": [TEST[0], "else/9.mp4"]})])
    assert (found.unmatched, found.entries) == (1, 4)
    assert counts(found.parts["split"]) == {"train": 2, "test": 1, "": 9}


def test_a_name_that_two_sources_end_in_stands_for_neither(store, tmp_path):
    with pytest.raises(RequestError, match="stands for a frame"):
        published(store, [saved(tmp_path, "train.json", ["clip.mp4"])])


BAD = {
    "none of ours": ({"s.json": {"train": ["x.png"], "test": ["y.png"]}}, "stands for a frame"),
    "on two sides": ({"s.json": {"train": [NAMES[0]], "test": [NAMES[0]]}}, "one side only"),
    "two files": ({"train.json": [NAMES[0]], "test.json": ["p00/clip.avi"]}, "one side only"),
    "places": ({"s.json": {"train": [0, 1], "val": [2]}}, "no names"),
    "no part": ({"s.csv": [["path", "label"], [NAMES[0], "3"]]}, "in which part"),
    "an odd part": ({"s.csv": [["path", "split"], [NAMES[0], "train"], [NAMES[1], "mystery"]]}, "mystery"),
    "an odd fold": ({"s.csv": [["path", "fold_1"], [NAMES[0], "maybe"]]}, "maybe"),
    "empty": ({"train.txt": []}, "no entry"),
    "no list": ({"s.json": 7}, "holds no split"),
    "folds and more": ({name: FOLDS["fold column"]["f.csv"] for name in ("f.csv", "g.csv")}, "one at a time"),
    "nothing held": ({"train.json": TRAIN}, "to predict"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_what_is_no_split_is_one_sentence(store, tmp_path, case):
    files, words = BAD[case]
    with pytest.raises(RequestError, match=words) as error:
        folds_from(store, [saved(tmp_path, name, value) for name, value in files.items()])
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("data", [b"\xff\xfe\x00", b"{" * 100_000, b"[" * 100_000, b'{"train": [{"a": {}}]}', b"\0,\0",
                                  b'path,split\n"a', b"path,split\na,b,c,d\n"])  # fmt: skip
@pytest.mark.parametrize("name", ["s.json", "s.csv", "train.txt"])
def test_hostile_files_are_refused(store, tmp_path, data, name):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(RequestError):
        folds_from(store, [str(tmp_path / name)])


def test_what_is_no_file_is_refused(store, tmp_path):
    import os

    os.mkfifo(tmp_path / "pipe.csv")
    for path in (tmp_path, tmp_path / "none.csv", tmp_path / "pipe.csv"):
        with pytest.raises(RequestError):
            published(store, [str(path)])
    with pytest.raises(RequestError, match="did you mean 'centre'"):
        published(store, ["center"])


def test_ten_thousand_entries_are_found_in_little_time(store):
    from time import perf_counter

    from usfm.tasks.split_names import Entry, Names

    entries = [Entry({"path": f"{NAMES[k % 12]}", "id": str(k)}) for k in range(10_000)]
    began = perf_counter()
    found = Names(store).best(entries)
    assert perf_counter() - began < 2
    assert np.concatenate(found[:12]).tolist() == list(range(12))
