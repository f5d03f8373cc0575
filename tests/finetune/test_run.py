import csv
import json
import tomllib

import numpy as np
import pytest

from usfm.config import Request, resolve
from usfm.errors import RequestError
from usfm.finetune.config import Config
from usfm.finetune.run import run
from usfm.model import cost
from usfm.model.sources import network
from usfm.tasks import predictions

NANO = "random:vit_nano_patch16_64"


def _request(store, out, **more):
    return Request(inputs=tuple(store.paths), out=str(out), workers=1, device="cpu", **more)


@pytest.mark.parametrize("protocol", ["linear", "knn"])
def test_a_run_directory_holds_everything(make_store, cohort, tmp_path, protocol, capsys):
    store = make_store(cohort)
    out = tmp_path / "runs" / "probe"
    summary = run(Config("classify", NANO, protocol=protocol, folds="3"), _request(store, out))
    assert summary["accuracy"] > 0.95
    assert summary["frames_in"] == summary["frames_out"] + summary["dropped"] + summary["rejected"] == len(store)
    assert (summary["command"], summary["sources"], summary["patients"], summary["leaks"]) == ("finetune", 24, 12, 0)
    assert {p.name for p in out.iterdir()} - {"probe.npz"} == {
        "card.json", "recipe.toml", "metrics.jsonl", "predictions.h5", "figures",
    }  # fmt: skip
    assert {p.name for p in (out / "figures").iterdir()} == {"confusion.png", "roc.png"}
    held = predictions.read(out)
    assert sorted(held.frame_id) == sorted(store.column("frame_id"))
    assert np.allclose(held.arrays["scores"].sum(1), 1, atol=1e-5)
    assert set(held.fold) == {"0", "1", "2"}
    for patient in set(held.patient):
        assert len(set(held.fold[held.patient == patient])) == 1
    card = json.loads((out / "card.json").read_text())
    assert card["encoder"]["kind"] == "random"
    assert card["inputs"]["store"] == store.content_id
    assert str(tmp_path) not in json.dumps(card)
    assert card["memory_of"] == "process"
    assert card["memory_bytes"] > 50e6
    fitted = card["trained_parameters"]
    assert fitted == (0 if protocol == "knn" else card["encoder"]["dim"] + 1)
    assert card["parameters"] == fitted + cost.parameters(network(NANO))
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    assert [line["fold"] for line in lines] == ["0", "1", "2"]
    table = tomllib.loads((out / "recipe.toml").read_text())["finetune"]
    back = resolve(Config, "finetune", out / "recipe.toml", {})
    assert back == Config("classify", NANO, protocol=protocol, folds="3")
    assert table["protocol"] == protocol
    assert "intervals by patient" in capsys.readouterr().err


def test_the_same_run_is_up_to_date_another_needs_overwrite(make_store, cohort, tmp_path, capsys):
    store, out = make_store(cohort), tmp_path / "run"
    first = run(Config("classify", NANO), _request(store, out))
    before = (out / "card.json").stat().st_mtime_ns
    again = run(Config("classify", NANO, batch_size=3), _request(store, out))
    assert (out / "card.json").stat().st_mtime_ns == before
    assert again["accuracy"] == first["accuracy"]
    assert "up to date" in capsys.readouterr().err
    with pytest.raises(RequestError, match="--overwrite"):
        run(Config("classify", NANO, protocol="knn"), _request(store, out))
    run(Config("classify", NANO, protocol="knn"), _request(store, out, overwrite=True))
    assert json.loads((out / "card.json").read_text())["protocol"] == "knn"
    assert not [p for p in tmp_path.iterdir() if p.suffix in (".new", ".old")]


def test_the_same_seed_gives_the_same_predictions_and_features_are_made_once(make_store, cohort, tmp_path, monkeypatch):
    from usfm.model import features

    store, calls = make_store(cohort), []
    of_rows = features.of_rows
    monkeypatch.setattr(features, "of_rows", lambda *a, **k: calls.append(1) or of_rows(*a, **k))
    for name in ("a", "b"):
        run(Config("classify", NANO), _request(store, tmp_path / name))
    a, b = (predictions.read(tmp_path / name) for name in ("a", "b"))
    assert np.array_equal(a.arrays["scores"], b.arrays["scores"])
    assert len(calls) == 1


def test_training_rows_are_kept_and_inner_splits_keep_patients_whole(make_store, cohort, tmp_path, monkeypatch):
    from usfm.tasks import TASKS

    store, seen = make_store(cohort), []
    linear = TASKS["classify"].protocols["linear"]
    monkeypatch.setitem(TASKS["classify"].protocols, "linear", lambda *a: seen.append(a[2]) or linear(*a))
    run(Config("classify", NANO, folds=3), _request(store, tmp_path / "run"))
    held = predictions.read(tmp_path / "run")
    trained = held.training
    patient_of = dict(zip(store.column("frame_id"), store.of_frames("patient"), strict=True))
    for fold, groups in zip("012", seen, strict=True):
        mine, theirs = trained.fold == fold, held.fold == fold
        assert sorted([*trained.frame_id[mine], *held.frame_id[theirs]]) == sorted(patient_of)
        assert not set(trained.patient[mine]) & set(held.patient[theirs])
        assert [patient_of[name] for name in trained.frame_id[mine]] == trained.patient[mine].tolist()
        assert len(set(zip(groups.tolist(), trained.patient[mine], strict=True))) == len(set(groups.tolist())) == 8


def test_look_alikes_are_listed_in_the_run_and_the_message_names_the_list(make_store, cohort, tmp_path, capsys):
    parts = ["train"] * 16 + ["test"] * 8
    store = make_store([(p, k, s) for (p, k, _), s in zip(cohort, parts, strict=True)], like={20: 1})
    out = tmp_path / "run"
    with pytest.raises(RequestError, match=r"4 held-out frames of the given split.*run\.leaks\.csv.*--allow-leaks"):
        run(Config("classify", NANO), _request(store, out))
    assert len((tmp_path / "run.leaks.csv").read_text().splitlines()) == 5
    assert not out.exists()
    config = Config("classify", NANO, allow_leaks=True)
    assert run(config, _request(store, out))["leaks"] == 4
    assert json.loads((out / "card.json").read_text())["leaks_allowed"]
    assert "too optimistic: 4 of 32 held-out frames look like a training frame" in capsys.readouterr().err
    rows = list(csv.DictReader((out / "leaks.csv").read_text().splitlines()))
    assert [(row["patient"], row["like_patient"]) for row in rows] == [("p10", "p00")] * 4
    assert run(config, _request(store, out))["leaks"] == 4, "up to date"


def test_folds_that_are_drawn_keep_near_duplicates_on_one_side(make_store, cohort, tmp_path, capsys):
    store = make_store(cohort, like={20: 1})
    assert run(Config("classify", NANO, folds=2), _request(store, tmp_path / "run"))["leaks"] == 0
    assert "1 patients hold near-duplicates" in capsys.readouterr().err
    held = predictions.read(tmp_path / "run")
    assert len(set(held.fold[np.isin(held.patient, ["p00", "p10"])])) == 1
    assert len(set(held.group)) == 12, "they are counted as two patients all the same"


def test_a_published_split_is_taken(make_store, cohort, tmp_path):
    store = make_store(cohort)
    names = [f"clip{k:02}.mp4" for k in range(24)]
    lines = [f"{name},{'test' if k < 8 else 'train'}" for k, name in enumerate(names)]
    (tmp_path / "split.csv").write_text("\n".join(["path,split", *lines]) + "\n")
    run(Config("classify", NANO, splits=(str(tmp_path / "split.csv"),)), _request(store, tmp_path / "run"))
    assert set(predictions.read(tmp_path / "run").source) == set(names[:8])
    (tmp_path / "bad.csv").write_text("\n".join(["path,split", "clip00.mp4,train", "clip01.mp4,test"]) + "\n")
    with pytest.raises(RequestError, match="1 patients are on both sides"):
        run(Config("classify", NANO, splits=(str(tmp_path / "bad.csv"),)), _request(store, tmp_path / "no"))
    with pytest.raises(RequestError, match="leave one out"):
        run(Config("classify", NANO, splits=(str(tmp_path / "split.csv"),), folds=3), _request(store, tmp_path / "no"))


def test_vectors_that_are_no_numbers_are_refused(make_store, cohort, tmp_path):
    from usfm.store import tables

    store = make_store(cohort)
    vectors = np.ones((len(store), 3), np.float32)
    vectors[7, 1] = np.nan
    tables.write(tmp_path / "f.h5", "usfm-features", {"frame_id": store.column("frame_id"), "vectors": vectors}, {})
    with pytest.raises(RequestError, match="the vectors of 1 of 96 frames hold NaN"):
        run(Config("classify", f"vectors:{tmp_path / 'f.h5'}"), _request(store, tmp_path / "run"))


def test_an_unfinished_encoder_is_named_with_its_step_and_strict_refuses_it(make_store, cohort, tmp_path, capsys):
    import torch

    from usfm.model import checkpoint
    from usfm.model.vit import build_encoder

    store, tm = make_store(cohort), tmp_path / "tm"
    tm.mkdir()
    encoder = build_encoder("vit_nano_patch16_64", in_chans=1, depth=1)
    checkpoint.save(tm / "last", encoder.state_dict(), encoder.shape)
    torch.save({"step": 37}, tm / "last" / "state.pt")
    card = {"status": "stopped", "steps": 1000, "settings": {"inputs": store.content_id}}
    (tm / "card.json").write_text(json.dumps(card))
    with pytest.raises(RequestError, match=r"tm: step 37 of 1,000 \(stopped\)"):
        run(Config("classify", str(tm)), _request(store, tmp_path / "run", strict=True))
    assert not (tmp_path / "run").exists()
    run(Config("classify", str(tm)), _request(store, tmp_path / "run"))
    assert "tm: step 37 of 1,000 (stopped)" in capsys.readouterr().err
    kept = json.loads((tmp_path / "run" / "card.json").read_text())["pretraining"]
    assert (kept["step"], kept["steps"], kept["status"], kept["same_store"]) == (37, 1000, "stopped", True)


def test_vectors_made_by_hand_can_be_probed(make_store, cohort, tmp_path):
    from usfm.store import tables

    store = make_store(cohort)
    vectors = np.array([[frame.mean(), frame.std()] for frame in store.frames(range(len(store)))], np.float32)
    tables.write(tmp_path / "f.h5", "usfm-features", {"frame_id": store.column("frame_id"), "vectors": vectors}, {})
    assert run(Config("classify", f"vectors:{tmp_path / 'f.h5'}"), _request(store, tmp_path / "run"))["accuracy"] == 1


def test_a_dry_run_touches_nothing(make_store, cohort, tmp_path):
    store = make_store(cohort)
    before = sorted(tmp_path.rglob("*"))
    summary = run(Config("classify", NANO), _request(store, tmp_path / "run", dry_run=True))
    assert summary["dry_run"]
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    "config, says",
    [
        (Config("classify"), "give an encoder"),
        (Config("classify", "none/here"), "no such run directory"),
        (Config("segmnt", NANO), "is no task"),
        (Config("classify", NANO, protocol="fulll"), "is no protocol"),
        (Config("classify", NANO, target="ef"), "--target has no meaning with classify"),
        (Config("classify", NANO, protocol="full", head="dpt"), "--head has no meaning with classify"),
        (Config("segment", NANO, tap=2), "--tap has no meaning with segment"),
        (Config("detect", NANO, class_weights="balanced"), "--class-weights has no meaning with detect"),
        (Config("classify", NANO, protocol="knn", class_weights="balanced"), "no meaning"),
    ],
)
def test_a_wrong_request_is_one_sentence_and_writes_nothing(make_store, cohort, tmp_path, config, says):
    store = make_store(cohort)
    with pytest.raises(RequestError, match=says):
        run(config, _request(store, tmp_path / "run"))
    assert not (tmp_path / "run").exists()


def test_a_split_with_val_only_is_measured_on_val(make_store, cohort, tmp_path, capsys):
    store = make_store([(p, k, "train" if n < 16 else "val") for n, (p, k, _) in enumerate(cohort)])
    summary = run(Config("classify", NANO), _request(store, tmp_path / "run"))
    assert summary["accuracy"] > 0.9
    assert "val frames are held out" in capsys.readouterr().err
