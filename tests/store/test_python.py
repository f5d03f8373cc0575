"""The documented way in from Python: usfm.Store, columns, pandas, a data set of torch; and plain h5py."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

import usfm
from usfm.errors import RequestError
from usfm.store.assemble import write_store
from usfm.store.labels.masks import structure
from usfm.store.schema import describe, frame_id
from usfm.store.writer import PartWriter

PROSE = (Path(__file__).parents[2] / "docs" / "store.prose.md").read_text()


def turned(sample: dict) -> dict:
    return {**sample, "image": sample["image"].flip(-1), "mask": sample["mask"].flip(-1)}


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """A store as sector leaves it: one size, contiguous; patients p0 to p4, two of whom hold the same file."""
    part = PartWriter(class_names=("a", "b"), box_names=("lesion",), mask_names=("lesion",), contiguous=True)
    rng = np.random.default_rng(0)
    for number in range(8):
        sha = f"{min(number, 6):04x}" * 16
        source = part.source(path=f"{number}.mp4", sha256=sha, kind="video", patient=f"p{number % 5}",
                             copy=int(number == 7))  # fmt: skip
        for index in range(4):
            mask = (rng.random((16, 16)) < 0.5).astype(np.uint8)
            part.frame(
                rng.integers(0, 256, (16, 16), np.uint8), frame_id=frame_id(sha, index, int(number == 7)), index=index,
                source=source, time_s=index / 10, label=number % 2 if index else None, mask=mask if index else None,
                boxes=([[1, 2, 3, 4]] * index, [0] * index), split=("train", "val")[number % 2],
                values={"ef_percent": number + 0.5} if index else None,
            )  # fmt: skip
    return write_store(tmp_path_factory.mktemp("python") / "sector.h5", part)


def test_import_is_instant_and_the_store_comes_when_asked_for(path):
    code = "import sys, usfm; assert not {'h5py', 'numpy'} & set(sys.modules); print(len(usfm.Store(sys.argv[1])))"
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    assert done.stdout == "32\n"
    with pytest.raises(AttributeError, match="shop"):
        _ = usfm.shop


def test_one_path_a_list_and_a_pattern_are_the_same_store(path):
    stores = [
        usfm.Store(path),
        usfm.Store([str(path)]),
        usfm.Store.open(path),
        usfm.Store.open(f"{path.parent}/sect*.h5"),
    ]
    assert [len(store) for store in stores] == [32] * 4
    assert len({store.content_id for store in stores}) == 1


def test_the_lines_of_plain_h5py_run(path, monkeypatch):
    lines = re.search(r"```python\n(import h5py.*?)```", PROSE, flags=re.S)
    assert lines
    monkeypatch.chdir(path.parent)
    found: dict = {}
    exec(lines[1], found)
    store = usfm.Store(path)
    assert (found["frames"] == store.pixels(range(8))).all()
    assert found["patients"].tolist() == store.of_frames("patient")[:8].tolist()
    assert found["classes"].tolist() == [[*store.class_names, "none"][c] for c in store.labels_class()[:8]]
    assert (found["mask"] == store.label_mask(int(np.argmax(found["rows"])))).all()
    assert (found["boxes"] == store.boxes(3)[0]).all()


def test_the_lines_with_usfm_run(path, monkeypatch):
    lines = re.search(r"```python\n(import usfm.*?)```", PROSE, flags=re.S)
    assert lines
    monkeypatch.chdir(path.parent)
    shown = [line for line in lines[1].splitlines() if "region" not in line]  # this store has none
    exec("\n".join(shown), {})


def test_the_names_in_the_lines_of_matlab_are_the_schema_s():
    lines = re.search(r"```matlab\n(.*?)```", PROSE, flags=re.S)
    assert lines
    names = re.findall(r"'(/[\w/]+)'", lines[1])
    assert len(names) >= 4
    for name in names:
        described = describe(name).path
        assert described == name or described.startswith("/pixels/")


def test_a_table_of_pandas_has_a_row_a_frame(path):
    store = usfm.Store(path)
    table = store.pandas()
    assert len(table) == len(store)
    assert table["patient"].tolist() == store.of_frames("patient").tolist()
    assert set(table["class"]) == {"a", "b", ""}
    assert table["value/ef_percent"].isna().sum() == 8
    assert (table["source_kind"] == "video").all()
    assert (table["has_mask"] == store.has_masks()).all()
    assert store.pandas([5, 2])["frame_id"].tolist() == store.column("frame_id")[[5, 2]].tolist()


def test_without_pandas_it_is_one_sentence(path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(RequestError, match="extra 'tables'"):
        usfm.Store(path).pandas()


def test_a_sample_is_a_frame_and_its_labels(path):
    store = usfm.Store(path)
    found = store.torch(split="val", patients=["p1", "p3"], transform=turned)
    assert {one["patient"] for one in found} == {"p1", "p3"}
    for one in found:
        row = one["row"]
        assert (one["image"][0].flip(-1).numpy() == store.frame(row)).all()
        mask = store.label_mask(row)
        assert (one["mask"].flip(-1).numpy() == (255 if mask is None else mask)).all()
        assert int(one["label"]) == store.labels_class()[row]
        assert one["split"] == "val"
        assert (one["boxes"]["xyxy_px"].numpy() == store.boxes(row)[0]).all()
    assert isinstance(found, torch.utils.data.Dataset)
    assert structure(store.label_mask(1), 0, "index").any()


@pytest.mark.parametrize("context", ["fork", pytest.param("spawn", marks=pytest.mark.slow)])
def test_workers_forked_or_spawned_give_what_one_process_gives(path, context):
    found = usfm.Store(path).torch(labels=("label", "mask", "values"), transform=turned)
    alone = list(DataLoader(found, batch_size=8))
    several = list(DataLoader(found, batch_size=8, num_workers=2, multiprocessing_context=context))
    for one, other in zip(alone, several, strict=True):
        assert (one["image"] == other["image"]).all()
        assert (one["mask"] == other["mask"]).all()
        assert torch.equal(one["values"]["ef_percent"].nan_to_num(-1), other["values"]["ef_percent"].nan_to_num(-1))
        assert one["frame_id"] == other["frame_id"]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("shares", [(0.5, 0.5), (0.8, 0.2), (3, 1, 1)])
def test_no_patient_and_no_file_is_in_two_pieces(path, shares, seed):
    store = usfm.Store(path)
    pieces = store.torch().by_patient(shares, seed)
    rows = np.concatenate([piece.rows for piece in pieces])
    assert sorted(rows.tolist()) == list(range(len(store)))
    for column in ("patient", "sha256"):
        sets = [set(store.of_frames(column)[piece.rows]) for piece in pieces]
        assert sum(map(len, sets)) == len(set.union(*sets))
    assert all(len(piece) for piece in pieces)
    again = store.torch().by_patient(shares, seed)
    assert [piece.rows.tolist() for piece in pieces] == [piece.rows.tolist() for piece in again]


@pytest.mark.parametrize("asked, words", [
    ({"split": "test"}, "no frame"), ({"patients": ["nobody"]}, "no frame"),
    ({"labels": ["multi"]}, "no labels of kind"), ({"rows": [99]}, "not among its 32"),
])  # fmt: skip
def test_what_there_is_not_is_one_sentence(path, asked, words):
    with pytest.raises(RequestError, match=words):
        usfm.Store(path).torch(**asked)


def test_masks_by_bit_are_asked_for_where_there_are_some(tmp_path):
    part = PartWriter(mask_names=("a", "b"), mask_kind="bits")
    source = part.source(path="x", sha256="f" * 64, kind="image")
    ones = np.ones((4, 4), np.uint8)
    for index in range(3):
        part.frame(
            ones, frame_id=f"f:{index}", source=source, index=index, time_s=0.0, mask=3 * ones if index else None
        )
    store = usfm.Store(write_store(tmp_path / "s.h5", part))
    with pytest.raises(RequestError, match="no label mask"):
        store.torch(labels=("mask",))
    found = store.torch(labels=("mask",), rows=np.flatnonzero(store.has_masks()))
    assert [int(one["mask"].min()) for one in found] == [3, 3]


@pytest.mark.parametrize("shares", [(), (1, 0), (1,) * 9])
def test_shares_that_cannot_be_met(path, shares):
    with pytest.raises(RequestError):
        usfm.Store(path).torch().by_patient(shares)
