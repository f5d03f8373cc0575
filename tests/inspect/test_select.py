"""Select takes what was asked for with all that is known of it, merges by name, and finds where a patient is left."""

import json

import numpy as np
import pytest
from split_samples import cohort

from usfm.cli.main import main
from usfm.config import Request
from usfm.errors import RequestError
from usfm.inspect.select.choose import _within_cap
from usfm.inspect.select.config import Config, check
from usfm.inspect.select.run import run
from usfm.model.embedders import FEATURES_FORMAT
from usfm.pseudonyms import keyed, patient_of
from usfm.store import tables
from usfm.store.assemble import assemble, write_store
from usfm.store.reader import Store
from usfm.store.verify import verify
from usfm.store.writer import PartWriter


def select(*paths, out="t.h5", workers=1, seed=0, **settings):
    config = Config(**settings)
    check(config)
    folder = (paths[0] if paths else out).parent
    request = Request(inputs=tuple(map(str, paths)), out=str(folder / out), workers=workers, seed=seed, overwrite=True)
    summary = run(config, request)
    assert verify(summary["out"]).whole
    counted = summary["frames_out"] + summary["dropped"] + summary["rejected"]
    assert summary["frames_in"] == counted
    return summary, Store.open(summary["out"])


def test_a_subset_keeps_all_that_is_known_and_says_what_it_left_out(tmp_path):
    path = cohort(tmp_path / "s.h5", 12, 4, ward=lambda k: f"w{k % 3}")
    before = Store(path)
    summary, store = select(path, where="ward == 'w1' and class == 'ill'")
    wanted = np.flatnonzero((before.of_frames("ward") == "w1") & (before.labels_class() == 1))
    assert store.column("frame_id").tolist() == before.column("frame_id")[wanted].tolist()
    assert all((store.frame(k) == before.frame(row)).all() for k, row in enumerate(wanted.tolist()))
    assert set(store.of_frames("ward")) == {"w1"}
    assert store.class_names == before.class_names
    assert summary["left_out"] == {"select: where": len(before) - len(wanted)}
    assert set(store.dropped()["stage"]) == {"select: where"}
    assert store.num_sources == len(set(before.column("source")[wanted].tolist()))


@pytest.mark.slow
def test_two_subsets_are_the_whole_again(tmp_path):
    path = cohort(tmp_path / "s.h5", 10, 3)
    one = select(path, where="class == 'ill'", out="one.h5")[1].paths[0]
    two = select(path, where="class != 'ill'", out="two.h5")[1].paths[0]
    _, whole = select(tmp_path / "one.h5", tmp_path / "two.h5")
    assert sorted(whole.column("frame_id")) == sorted(Store(path).column("frame_id"))
    assert not len(whole.dropped()["frame_id"])
    assert len(Store([one, two])) == len(Store(path))


@pytest.mark.parametrize("by, column", [("patient", "patient"), ("dataset", "dataset"), ("class", None)])
def test_a_cap_keeps_so_many_of_each_by_lot(tmp_path, by, column):
    path = cohort(tmp_path / "s.h5", 12, 6)
    before = Store(path)
    summary, store = select(path, cap=2, cap_by=by)
    whole, left = (one.of_frames(column) if column else one.labels_class() for one in (before, store))
    for value in set(whole.tolist()):
        assert (left == value).sum() == min(2, (whole == value).sum())
    assert summary["left_out"]["select: cap"] == len(before) - len(store)
    if by == "patient":
        again = select(path, cap=2, cap_by=by, workers=2, out="again.h5")[1]
        assert again.content_id == store.content_id


def test_the_lot_of_a_cap_follows_the_seed():
    values = np.array(["a"] * 9 + ["b"] * 2, object)
    kept = [_within_cap(values, 3, seed) for seed in (0, 0, 1, 2)]
    assert (kept[0] == kept[1]).all()
    assert len({tuple(one) for one in kept}) > 1
    assert all(one[:9].sum() == 3 and one[9:].all() for one in kept)


def piece(
    path, letter, names, *, values=(), boxes=(), masks=(), source=None, contiguous=False, patch=None, shape=(8, 8)
):
    """A store of two frames of a source of its own, with labels under names of its own."""
    part = PartWriter(class_names=names, box_names=boxes, mask_names=masks, contiguous=contiguous, patch=patch)
    row = part.source(path=f"{letter}.mp4", sha256=letter * 64, kind="video", patient=f"p-{letter}", **(source or {}))
    for index in range(2):
        labels = {"label": len(names) - 1 - index, "values": {name: index + 0.5 for name in values} or None}
        labels["boxes"] = ([[1, 1, 4, 4]], [index]) if boxes else None
        labels["mask"] = np.full(shape, 1 + index, np.uint8) if masks else None
        if patch:
            labels["coverage"] = np.full((shape[0] // patch[1]) ** 2, 0.5)
        part.frame(np.full(shape, 10 * ord(letter) % 200 + index, np.uint8), frame_id=f"{letter * 16}:{index}",
                   source=row, index=index, time_s=float(index), **labels)  # fmt: skip
    return write_store(path, part)


def test_stores_of_unlike_labels_are_joined_by_name(tmp_path):
    one = piece(tmp_path / "a.h5", "a", ("x", "y"), values=("ef",), boxes=("cyst", "node"), masks=("liver", "spleen"))
    two = piece(tmp_path / "b.h5", "b", ("y", "z", "x"), values=("age",), boxes=("node", "mass"),
                masks=("spleen", "kidney"), source={"hospital": "north"})  # fmt: skip
    _, store = select(one, two)
    assert [store.class_names[c] for c in store.labels_class()] == ["y", "x", "x", "z"]
    assert [[store.box_names[c] for c in store.boxes(k)[1]] for k in range(4)] == [
        ["cyst"],
        ["node"],
        ["node"],
        ["mass"],
    ]
    named = [
        [n for n, there in zip(store.mask_names, store.structures(k), strict=True) if there.all()] for k in range(4)
    ]
    assert named == [["liver"], ["spleen"], ["spleen"], ["kidney"]]
    assert np.isnan(store.values("ef")).tolist() == [False, False, True, True]
    assert store.values("age")[2:].tolist() == [0.5, 1.5]
    assert store.of_frames("hospital").tolist() == ["", "", "north", "north"]
    assert store.of_frames("patient").tolist() == ["p-a", "p-a", "p-b", "p-b"]


def test_what_cannot_be_one_is_one_sentence(tmp_path):
    one = piece(tmp_path / "a.h5", "a", ("x", "y"), masks=("liver", "spleen"))
    part = PartWriter(mask_names=("liver",), mask_kind="bits")
    row = part.source(path="c", sha256="c" * 64, kind="image")
    part.frame(np.ones((8, 8), np.uint8), frame_id="c" * 16 + ":0", source=row, index=0, time_s=0.0,
               mask=np.ones((8, 8), np.uint8))  # fmt: skip
    with pytest.raises(RequestError, match="by number and those of the other by bit"):
        select(one, write_store(tmp_path / "c.h5", part))


@pytest.mark.slow
@pytest.mark.parametrize("same", [True, False])
def test_fixed_stores_stay_fixed_only_among_themselves(tmp_path, same, capsys):
    one = piece(tmp_path / "a.h5", "a", ("x", "y"), contiguous=True, patch=(8, 4))
    shape, patch = ((8, 8), (8, 4)) if same else ((16, 16), (16, 4))
    two = piece(tmp_path / "b.h5", "b", ("x", "y"), contiguous=True, patch=patch, shape=shape)
    _, store = select(one, two)
    assert store.fixed_shape == ((8, 8) if same else None)
    assert (store.patch_coverage() is not None) == same
    assert ("coverage is left out" in capsys.readouterr().err) != same
    assert [store.frame(k).shape for k in range(4)] == [(8, 8)] * 2 + [shape] * 2


def test_a_frame_of_two_stores_is_the_first_ones_and_the_other_is_a_row(tmp_path, capsys):
    one = piece(tmp_path / "a.h5", "a", ("x", "y"))
    two = piece(tmp_path / "b.h5", "a", ("y", "x"), source={"dataset": "other"})
    with pytest.raises(RequestError, match="usfm select"):
        Store([one, two])
    summary, store = select(one, two)
    assert (summary["frames_in"], summary["frames_out"], summary["unlike"], summary["rejected"]) == (4, 2, 2, 2)
    assert [store.class_names[c] for c in store.labels_class()] == ["y", "x"]
    assert set(store.rejected()["reason"]) == {"in two stores"}
    assert "labels" in store.rejected()["detail"][0]
    assert "labels 2" in capsys.readouterr().err


@pytest.mark.slow
def test_one_name_of_two_collections_is_said(tmp_path, capsys):
    one = cohort(tmp_path / "a.h5", 3, 1, seed=1, dataset=lambda k: "one")
    two = cohort(tmp_path / "b.h5", 3, 1, seed=2, dataset=lambda k: "two")
    select(one, two)
    assert "3 patients of one name stand in several collections" in capsys.readouterr().err


@pytest.mark.parametrize("settings, words", [
    ({"where": "ward == 'x'"}, "no column 'ward'"), ({"where": "class == 'nobody'"}, "holds for none"),
    ({"salt": "k"}, "--withdraw"), ({"search": ("x",)}, "--withdraw"), ({"withdraw": " "}, "empty"),
    ({"where": "__import__('os')"}, "condition"),
])  # fmt: skip
def test_bad_requests_are_one_sentence_and_leave_nothing(tmp_path, settings, words):
    with pytest.raises(RequestError, match=words) as error:
        select(cohort(tmp_path / "s.h5"), **settings)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "t.h5").exists()


@pytest.mark.slow
def test_the_history_repeats_no_condition_on_people(tmp_path):
    path = cohort(tmp_path / "s.h5")
    _, store = select(path, where="patient != 'p01' and class == 'ill'")
    assert "p01" not in json.dumps(store.history)
    assert select(path, where="class == 'ill'")[1].history[-1]["options"]["where"] == "class == 'ill'"


# ---------------------------------------------------------------- withdrawal

KEY = b"a key of the lab"


def hospital(folder):
    """A store of three patients with hashed names, and what was made of it."""
    (folder / "lab.key").write_bytes(KEY)
    part = PartWriter(class_names=("a", "b"))
    for k, name in enumerate(("Doe Jane", "Roe Rob", "Poe Pat")):
        row = part.source(path=f"{k}.mp4", sha256=f"{k}" * 64, kind="video", patient=patient_of(KEY, name))
        for index in range(2):
            part.frame(np.full((8, 8), 40 * k + index, np.uint8), frame_id=f"{str(k) * 16}:{index}", source=row,
                       index=index, time_s=float(index), label=k % 2)  # fmt: skip
    part.drop("0" * 16 + ":9", "0" * 16 + ":0", 0.99, "visual")
    part.reject("0.mp4", "", "extract", "truncated", "at 2 s")
    part.reject("2.mp4", "", "extract", "truncated", "at 3 s")
    (folder / "p.part").write_bytes(part.to_bytes())
    key_id = keyed(KEY, "key")
    assemble(folder / "raw.h5", [("all", folder / "p.part")],
             step={"command": "extract", "options": {"salt": f"key:{key_id}"}})  # fmt: skip
    (folder / "p.part").unlink()
    return folder / "raw.h5"


def withdrawn(folder, *more):
    return ["select", str(folder / "raw.h5"), "--out", str(folder / "clean.h5"), "--withdraw", "Doe Jane", "--salt",
            str(folder / "lab.key"), "--workers", "1", "--overwrite", *more]  # fmt: skip


def call(capsys, arguments):
    with pytest.raises(SystemExit) as end:
        main(arguments)
    said = capsys.readouterr()
    return end.value.code or 0, said


def test_of_a_withdrawn_patient_nothing_stays(tmp_path, capsys):
    hospital(tmp_path)
    code, said = call(capsys, withdrawn(tmp_path, "--json"))
    summary = json.loads(said.out)
    assert (code, summary["withdrawn"], summary["frames_out"]) == (0, 2, 4)
    assert summary["frames_in"] == summary["frames_out"] + summary["dropped"] + summary["rejected"]
    store = Store(tmp_path / "clean.h5")
    data = (tmp_path / "clean.h5").read_bytes()
    for word in (patient_of(KEY, "Doe Jane"), "Doe"):
        assert word.encode() not in data
    assert not [name for name in store.column("frame_id") if name.startswith("0" * 16)]
    assert not len(store.dropped()["frame_id"])
    assert store.rejected()["source"].tolist() == ["2.mp4"]
    assert store.num_sources == 2


def leave_traces(folder):
    """A run, a table, an export and a store that hold the patient, and some that do not."""
    token, ids = patient_of(KEY, "Doe Jane"), np.array(["0" * 16 + ":0", "1" * 16 + ":0"], object)
    run_ = folder / "runs/probe"
    run_.mkdir(parents=True)
    (run_ / "card.json").write_text(json.dumps({"kind": "finetune", "inputs": {"store": "unknown"}}))
    people = np.array([patient_of(KEY, "Roe Rob")] * 2, object)
    training = {"training/frame_id": ids, "training/patient": np.array([token, people[0]], object)}
    tables.write(
        run_ / "predictions.h5", "usfm-predictions", {"frame_id": ids[1:], "patient": people[1:], **training}, {}
    )
    tables.write(
        folder / "features.h5", FEATURES_FORMAT, {"frame_id": ids, "vectors": np.zeros((2, 3), np.float32)}, {}
    )
    pre = folder / "runs/pre/last"
    pre.mkdir(parents=True)
    (pre.parent / "card.json").write_text(json.dumps({"settings": {"inputs": Store(folder / "raw.h5").content_id}}))
    (folder / "table.csv").write_text(f"frame_id,patient\nx,{token}\n")
    (folder / "other.csv").write_text("frame_id,patient\nx,nobody\n")
    other = folder / "runs/other"
    other.mkdir()
    clean = Store(cohort(folder / "others.h5", 3, 1, seed=7)).content_id
    (other / "card.json").write_text(json.dumps({"settings": {"inputs": clean}}))


def test_a_search_lists_what_is_left_and_exits_3(tmp_path, capsys):
    hospital(tmp_path)
    leave_traces(tmp_path)
    code, said = call(capsys, withdrawn(tmp_path, "--json", "--search", str(tmp_path)))
    summary = json.loads(said.out)
    assert code == 3
    left = {str(one["path"]).removeprefix(f"{tmp_path}/"): one["why"] for one in summary["left"]}
    assert set(left) == {"raw.h5", "runs/probe", "features.h5", "runs/pre", "table.csv"}
    assert "1 training row" in left["runs/probe"]
    assert "Doe" not in said.err + said.out
    run_ = ("runs/probe/predictions.h5", "runs/probe/card.json", "runs/pre/card.json")
    for name in ("raw.h5", "features.h5", "table.csv", *run_):
        (tmp_path / name).unlink()
    code, said = call(capsys, ["select", "--withdraw", "Doe Jane", "--salt", str(tmp_path / "lab.key"), "--search",
                               str(tmp_path), "--json"])  # fmt: skip
    assert (code, json.loads(said.out)["left"]) == (0, [])


def test_what_cannot_be_checked_is_no_all_clear(tmp_path, capsys):
    hospital(tmp_path)
    (tmp_path / "broken.h5").write_bytes((tmp_path / "raw.h5").read_bytes()[:3000])
    run_ = tmp_path / "run"
    run_.mkdir()
    (run_ / "card.json").write_text(json.dumps({"settings": {"inputs": "a store that is gone"}}))
    code, said = call(capsys, withdrawn(tmp_path, "--json", "--search", str(tmp_path)))
    assert code == 3
    assert {one["path"].rsplit("/", 1)[1] for one in json.loads(said.out)["unchecked"]} == {"broken.h5", "run"}


def test_a_copy_of_the_files_without_the_name_is_found(tmp_path, capsys):
    hospital(tmp_path)
    part = PartWriter()
    row = part.source(path="x.mp4", sha256="0" * 64, kind="video")
    part.frame(np.ones((4, 4), np.uint8), frame_id="0" * 16 + ":7", source=row, index=7, time_s=0.0)
    write_store(tmp_path / "anonymous.h5", part)
    code, said = call(capsys, withdrawn(tmp_path, "--json", "--search", str(tmp_path)))
    assert code == 3
    assert {one["path"].rsplit("/", 1)[1] for one in json.loads(said.out)["left"]} == {"raw.h5", "anonymous.h5"}


def test_another_key_finds_nobody_and_says_so(tmp_path, capsys):
    hospital(tmp_path)
    (tmp_path / "lab.key").write_bytes(b"quite another key")
    code, said = call(capsys, withdrawn(tmp_path))
    assert code == 2
    assert "another key" in said.err
    assert not (tmp_path / "clean.h5").exists()


def test_a_patient_who_is_not_there_is_said(tmp_path, capsys):
    hospital(tmp_path)
    arguments = withdrawn(tmp_path)
    arguments[arguments.index("Doe Jane")] = "Nobody"
    code, said = call(capsys, arguments)
    assert code == 0
    assert "no frame of this patient" in said.err
