"""Every layout on a miniature of its collection: what it finds, from any level, and without its tables."""

import os
import runpy
from pathlib import Path

import numpy as np
import pytest

from usfm.config import Request
from usfm.extract.config import Config
from usfm.extract.layouts import apply, prepare
from usfm.extract.layouts.contract import found, known, load, names
from usfm.extract.run import run
from usfm.store.reader import Store

HERE = Path(__file__).parent
MAKE = runpy.run_path(str(HERE / "make.py"))
NAMES = sorted(path.stem for path in (HERE / "miniatures").glob("*.py"))
LAYOUTS = sorted({name.partition("@")[0] for name in NAMES})
"""A miniature called NAME@more is another one of the same layout."""


@pytest.fixture(scope="module")
def miniature(tmp_path_factory):
    made = {}

    def of(name):
        if name not in made:
            what = runpy.run_path(str(HERE / "miniatures" / f"{name}.py"))
            folder = tmp_path_factory.mktemp("layout") / "downloads" / "set"
            MAKE["write"](folder, what["FILES"])
            made[name] = what | {"FOLDER": folder}
        return made[name]

    return of


def rows_of(store):
    """Path -> what the store says of its frames."""
    rows = {}
    columns = {name: store.source_column(name) for name in store.source_columns}
    numbers, splits, boxed = store.labels_class(), store.split(), store.has_boxes()
    for k in range(len(store)):
        source, number = store.column("source")[k], numbers[k]
        path = columns["path"][source]
        rows.setdefault(path, []).append(
            dict(
                label=store.class_names[number] if number >= 0 else "",
                split=splits[k],
                mask=store.label_mask(k),
                boxes=store.boxes(k) if boxed[k] else None,
                row=k,
                **{name: column[source] for name, column in columns.items() if name not in ("path", "frames")},
            )
        )
    return rows


def test_every_layout_has_a_miniature():
    assert names() == LAYOUTS


@pytest.mark.parametrize("name", NAMES)
def test_what_is_found_is_what_was_published(name, miniature, tmp_path):
    what = miniature(name)
    layout = name.partition("@")[0]
    summary = run(Config(layout=layout), Request(inputs=(str(what["FOLDER"]),), out=str(tmp_path / "s.h5"), workers=1))
    store = Store.open(summary["out"])
    rows, groups = rows_of(store), {}
    assert sorted(rows) == sorted(what["EXPECT"])
    assert not summary["missing"]
    assert summary["labels_left_out"] == what.get("LEFT_OUT", {})
    for path, wanted in what["EXPECT"].items():
        frames = rows[path]
        assert len(frames) == wanted.get("frames", 1), path
        one = frames[wanted.get("at", 0)]
        assert one["dataset"] == layout
        assert one["label"] == wanted.get("label", ""), path
        assert one["split"] == wanted.get("split", ""), path
        if "group" in wanted:
            groups.setdefault(wanted["group"], set()).add(one["patient"])
        _check_mask(store, one["mask"], wanted.get("mask", "any"), path)
        _check_boxes(store, one["boxes"], wanted.get("boxes", "any"), path)
        _check_rest(store, one, wanted, path)
    assert all(len(patients) == 1 for patients in groups.values()), "a patient of the collection is one in the store"
    assert groups.pop("", {""}) == {""}
    assert len(set().union(*groups.values())) == len(groups)
    assert "" not in set().union(*groups.values())


def _check_mask(store, mask, wanted, path):
    if wanted is None:
        assert mask is None, path
    elif wanted != "any":
        counts = {store.mask_names[code - 1]: int((mask == code).sum()) for code in np.unique(mask[mask > 0])}
        assert counts.keys() == wanted.keys(), path
        assert all(abs(counts[key] - count) <= 0.2 * count for key, count in wanted.items() if count), (path, counts)


def _check_boxes(store, boxes, wanted, path):
    if wanted is None:
        assert boxes is None, path
    elif wanted != "any":
        corners, classes = boxes[:2]
        held = [(store.box_names[c], tuple(map(float, b))) for b, c in zip(corners, classes, strict=True)]
        assert sorted(held) == sorted((key, tuple(map(float, box))) for key, box in wanted), path


def _check_rest(store, one, wanted, path):
    for key, value in wanted.get("values", {}).items():
        assert store.values(key)[one["row"]] == value, path
    if "spacing_mm" in wanted:
        assert store.column("row_spacing_mm")[one["row"]] == pytest.approx(wanted["spacing_mm"])
    known = {"label", "split", "group", "mask", "boxes", "values", "spacing_mm", "frames", "at"}
    for key in wanted.keys() - known:
        assert one[key] == wanted[key], (path, key)


@pytest.mark.parametrize("name", NAMES)
def test_the_root_is_found_from_any_level_and_without_its_name(name, miniature):
    what, layout = miniature(name), name.partition("@")[0]
    root = os.path.normpath(what["FOLDER"] / what["ROOT"])
    above = what["FOLDER"].parent
    inner = what["FOLDER"] / what["ROOT"] / what["INNER"]
    cases = [(layout, folder) for folder in (above, what["FOLDER"], root, inner)] + [("auto", above), ("auto", inner)]
    for name, folder in cases:
        placed = apply.place(name, (str(folder),))
        assert (placed.layout.name, placed.root) == (layout, root)


@pytest.mark.parametrize("name", LAYOUTS)
def test_pictures_without_their_tables_are_read_as_names_say(name, miniature, tmp_path, capsys):
    what, layout = miniature(name), load(name)
    tables = [rule.file for rule in (*layout.tables, *layout.outlines)]
    kept = {
        path: content
        for path, content in what["FILES"].items()
        if all(found(f"(?:.*/)?{one}", path) is None for one in tables)
    }
    if not any(not rule.optional for rule in (*layout.tables, *layout.outlines)):
        return
    MAKE["write"](tmp_path / "set", kept)
    config, request = Config(layout=name), Request(inputs=(str(tmp_path / "set"),))
    here = prepare.placed(config, request)
    capsys.readouterr()
    pictures, facts, _, _, extra = prepare.prepared(config, request, here)
    assert len(pictures.sources) == len(what["EXPECT"])
    assert extra.gaps
    said = capsys.readouterr().err
    assert all(gap in " ".join(said.split()) or gap.split("/")[-1] in said for gap in extra.gaps)
    assert said.count("not there") == 1
    told = {one for rule in layout.pictures for one in [rule.label] if one}
    assert told or not any(one.label for one in facts.values())


@pytest.mark.parametrize("name", names())
def test_a_layout_says_what_it_is(name):
    about = load(name).about
    assert about.title
    assert about.anatomy
    assert about.licence
    assert about.home
    assert about.patients
    assert about.split
    assert about.source
    assert about.confidence[0] in "ABC"
    assert set(about.leaks) <= set(known())
