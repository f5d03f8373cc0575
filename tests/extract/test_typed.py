"""Columns of a manifest as numbers, classes of which several apply, and sizes of pixels; tables that are no text."""

import math

import numpy as np
import pytest

from usfm.config import Request
from usfm.errors import RequestError
from usfm.extract.config import Config
from usfm.extract.labels import gather
from usfm.extract.manifest import read_manifest
from usfm.extract.run import run
from usfm.extract.sources import Source
from usfm.store.reader import Store


def facts_of(tmp_path, text, name="a.png", encoding="utf-8"):
    (tmp_path / "m.csv").write_bytes(text.encode(encoding))
    manifest = read_manifest(str(tmp_path / "m.csv"))
    source = Source(name, name, name, "in")
    return gather([source], manifest=manifest)[name], manifest


@pytest.mark.parametrize("text, values", [
    ("path,ef\na.png,61.5\n", {"ef": 61.5}), ("path;ef\na.png;61,5\n", {"ef": 61.5}),
    ("path\tef\na.png\t-3e2\n", {"ef": -300}),
    ("\ufeffpath;ef;weeks\r\na.png;61,5;\r\nb.png;1;NA\r\n", {"ef": 61.5}), ("path,ef\na.png,61.5\nb.png,low\n", {}),
    ("path,ef\na.png,007\n", {}), ("path,image_id\na.png,7\n", {}), ("path,ef\na.png,1e999\n", {}),
    ("path,ef\na.png,\nb.png,4\n", {}),
    ("path,head circumference (mm)\na.png,44.3\n", {"head circumference (mm)": 44.3}),
])  # fmt: skip
def test_columns_of_numbers_are_values_and_stay_text(text, values, tmp_path):
    facts, _ = facts_of(tmp_path, text)
    assert facts.values == values
    assert set(values) <= set(facts.columns)


@pytest.mark.parametrize("text, multi", [
    ("path,labels\na.png,cyst|node\nb.png,wall\n", {"cyst": 1, "node": 1, "wall": 0}),
    ("path,labels\na.png,\nb.png,x\n", None),
    ("path,label:cyst,label:node\na.png,1,no\n", {"cyst": 1, "node": 0}), ("path,label:cyst\na.png,NA\n", None),
])  # fmt: skip
def test_several_classes(text, multi, tmp_path):
    assert facts_of(tmp_path, text)[0].multi == multi


@pytest.mark.parametrize("text, spacing", [
    ("path,pixel size(mm)\na.png,0.07\n", (0.07, 0.07)),
    ("path,row_spacing_mm,col_spacing_mm\na.png,0.1,0.2\n", (0.1, 0.2)),
    ("path,spacing_mm\na.png,-1\n", (math.nan, math.nan)), ("path;pixel_size_mm\na.png;0,07\n", (0.07, 0.07)),
])  # fmt: skip
def test_sizes_of_pixels(text, spacing, tmp_path):
    np.testing.assert_equal(facts_of(tmp_path, text)[0].spacing_mm, spacing)


@pytest.mark.parametrize("name", ["file", "File_Name", "filename", "image"])
def test_a_column_of_files_is_the_path(name, tmp_path):
    facts, manifest = facts_of(tmp_path, f"{name},label\na.png,x\n")
    assert facts.label == "x"
    assert name not in manifest.columns


@pytest.mark.parametrize("kind", ["parquet", "xlsx"])
def test_tables_that_are_no_text(kind, tmp_path):
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow" if kind == "parquet" else "openpyxl")
    table = pandas.DataFrame({"path": ["a.png", "b.png"], "label": ["x", None], "ef": [61.5, 4.0], "weeks": [7, 8]})
    path = tmp_path / f"m.{kind}"
    table.to_parquet(path) if kind == "parquet" else table.to_excel(path, index=False)
    manifest = read_manifest(str(path))
    assert manifest.numeric == ("ef", "weeks")
    assert manifest.rows == (
        (2, {"path": "a.png", "label": "x", "ef": "61.5", "weeks": "7"}),
        (3, {"path": "b.png", "label": "", "ef": "4", "weeks": "8"}),
    )
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(RequestError, match="cannot be read"):
        read_manifest(str(path))


def test_numbers_and_classes_reach_the_store(tmp_path, make_still):
    for n in range(2):
        make_still(f"in/{n}.png", np.random.default_rng(n).integers(0, 255, (20, 30)).astype(np.uint8))
    text = "path,ef,labels,spacing_mm\n0.png,61.5,cyst|node,0.1\n1.png,,,\n"
    (tmp_path / "m.csv").write_text(text)
    request = Request(inputs=(str(tmp_path / "in"),), out=str(tmp_path / "s.h5"), workers=1)
    store = Store.open(run(Config(manifest=str(tmp_path / "m.csv")), request)["out"])
    np.testing.assert_equal(store.values("ef"), [61.5, np.nan])
    assert store.multi_names == ["cyst", "node"]
    assert store.labels_multi().tolist() == [[1, 1], [255, 255]]
    np.testing.assert_allclose(store.column("row_spacing_mm"), [0.1, np.nan])
