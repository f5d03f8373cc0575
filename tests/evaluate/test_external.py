import json
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from usfm.config import Request
from usfm.errors import RequestError
from usfm.evaluate import config as settings_of
from usfm.evaluate import external, overlap
from usfm.evaluate.run import run
from usfm.model import embedders
from usfm.store.assemble import assemble
from usfm.store.reader import Store
from usfm.store.schema import frame_id
from usfm.store.writer import PartWriter
from usfm.tasks import TASKS, directory, predictions
from usfm.tasks.classify import probes as classify
from usfm.toml import to_toml

Config = partial(settings_of.Config, format="json")
NANO = "random:vit_nano_patch16_64"


def _store(path, names, first=0, clips=8, patients=None, offset=0):
    """Clips of three frames, one patient a clip; the class shows as brightness."""
    rng, part = np.random.default_rng(first), PartWriter(class_names=names)
    for k in range(clips):
        sha = f"{first + k:064x}"[::-1]
        patient = f"p{first + k}" if patients is None else patients[k]
        source = part.source(path=f"c{first + k}.mp4", sha256=sha, kind="video", patient=patient)
        for f in range(3):
            pixels = np.clip(rng.normal(50 + 60 * (k % len(names)), 9, (20, 20)), 0, 255).astype(np.uint8)
            name = frame_id(sha, f + offset)
            part.frame(pixels, frame_id=name, source=source, index=f, time_s=f / 3, label=k % len(names))
    (path.parent / "part").write_bytes(part.to_bytes())
    assemble(path, [("part", path.parent / "part")], step={"command": "test"})
    return Store.open(path)


@pytest.fixture
def finished(tmp_path, make_run):
    """A run as finetune leaves it, made by hand: rooms do not know each other, in tests neither.

    Its store has the clips and patients 0 to 11: trained on 0 to 7, scored on 8 to 11.
    """
    store = _store(tmp_path / "own.h5", ("dark", "light"), clips=12)
    embedder = embedders.load(NANO, device="cpu")
    x, y, rows = embedder.embed(store.frames(range(24))), store.labels_class()[:24], np.arange(24, 36)
    fitted = classify.linear(x, y, store.column("source")[:24], 2, 0, {})
    about = [store.column("frame_id"), store.of_frames("path"), store.of_frames("patient")]
    training = predictions.Training(*(values[:24] for values in about), np.full(24, "split", object))
    held = make_run(patients=12, frames=3).take(np.arange(12))
    new = {"frame_id": about[0], "source": about[1], "patient": about[2], "group": about[2]}
    new = {name: values[rows] for name, values in new.items()} | {"fold": np.full(12, "split", object)}
    held = replace(held, **new, class_names=("dark", "light"), training=training)
    path = tmp_path / "run"
    path.mkdir()
    predictions.write(path / predictions.FILE, held)
    np.savez(path / "probe.npz", **{f"{fold}.{name}": a for fold in "01" for name, a in fitted.arrays.items()})
    card = {"seed": 0, "encoder": {"name": "random", "dim": 64, **embedder.identity}}
    card |= {"inputs": {"store": store.content_id}}
    card |= {"counts": {"frames_per_class": {"dark": 12, "light": 12}}, "task": "classify", "protocol": "linear"}
    (path / "card.json").write_text(json.dumps(card))
    (path / "recipe.toml").write_text(to_toml({"finetune": {"encoder": NANO, "pool": "mean"}}))
    return path, store, held


def test_another_store_is_scored_by_class_name(finished, tmp_path, capsys):
    path, _, held = finished
    other = _store(tmp_path / "other.h5", ("light", "dark", "odd"), first=50, clips=9)
    made = external.predict(TASKS["classify"], path, held, other, "cpu")
    assert len(made) == 18
    assert set(made.fold) == {"external"}
    # "light" is drawn dark here and "dark" light: by name, a probe of brightness must be wrong everywhere
    assert (made.arrays["scores"].argmax(1) != made.arrays["target"]).all()
    assert "left out: odd" in capsys.readouterr().err


def test_a_report_on_another_store(finished, tmp_path, capsys):
    path, _, _ = finished
    other = _store(tmp_path / "other.h5", ("dark", "light"), first=50)
    config = Config(store=tuple(other.paths), bootstrap=50, format="html")
    summary = run(config, Request(inputs=(str(path),), out=str(tmp_path / "report"), device="cpu"))
    assert summary["runs"][0]["accuracy"]["value"] == 1
    assert summary["runs"][0]["cases"] == 24
    assert "which it has never seen" in capsys.readouterr().err
    assert (tmp_path / "report" / "figures" / "run.surest.jpg").exists()


def test_the_score_of_another_store_is_the_mean_over_the_probes_of_all_folds(finished, tmp_path):
    path, _, held = finished
    other = _store(tmp_path / "other.h5", ("dark", "light"), first=50)
    arrays = dict(np.load(path / "probe.npz"))
    arrays["1.bias"] = arrays["1.bias"] + 9.0
    vectors = embedders.load(NANO, device="cpu").embed(other.frames(range(24)))
    each = [classify.scores_of({n[2:]: a for n, a in arrays.items() if n[0] == fold}, vectors, 2) for fold in "01"]
    assert abs(each[0] - each[1]).max() > 0.1
    np.savez(path / "probe.npz", **arrays)
    np.testing.assert_allclose(
        external.predict(TASKS["classify"], path, held, other, "cpu").arrays["scores"], np.mean(each, axis=0), atol=1e-4
    )


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_no_frame_file_or_patient_that_a_run_has_worked_on_is_ever_called_new(finished_once, data):
    """Whatever of a run stands in a store, under its own name, as another frame of a file, or by patient alone."""
    held, make = finished_once
    kinds = data.draw(st.lists(st.sampled_from(["trained", "scored", "file", "patient", "new", "unnamed"]), min_size=1))
    store, kinds = make(tuple(kinds)), np.array(kinds)
    new = np.isin(kinds, ("new", "unnamed"))
    if not new.any() and "scored" not in kinds:
        with pytest.raises(RequestError, match="nothing in it is new to run"):
            overlap.meet("run", held, store)
        return
    met = overlap.meet("run", held, store)
    assert met.new.tolist() == np.flatnonzero(new).tolist()
    assert met.own == (not new.any())
    assert (met.frames, met.files, met.patients) == (
        np.isin(kinds, ("trained", "scored")).sum(), (kinds == "file").sum(), (kinds == "patient").sum(),
    )  # fmt: skip
    assert ("never seen" in met.sentence()) == new.all()
    assert met.unnamed == (kinds == "unnamed").sum()
    unknown = overlap.meet("run", replace(held, training=None), store) if "trained" not in kinds else None
    assert unknown is None or "never seen" not in unknown.sentence()


class Table:
    """As much of a store as a meeting looks at: one frame a kind."""

    paths = ("store.h5",)
    class_names = ("dark", "light")
    content_id = "another"

    def __init__(self, held, kinds):
        trained = held.training
        rows = {
            "trained": lambda k: (trained.frame_id[k % 9], trained.patient[k % 9]),
            "scored": lambda k: (held.frame_id[k % 9], held.patient[k % 9]),
            "file": lambda k: (f"{trained.frame_id[k % 9].split(':')[0]}:{900 + k}", ""),
            "patient": lambda k: (f"new{k:013}:0", held.patient[k % 9]),
            "new": lambda k: (f"new{k:013}:0", f"other{k}"),
            "unnamed": lambda k: (f"new{k:013}:0", ""),
        }
        self.names, self.who = zip(*(rows[kind](k) for k, kind in enumerate(kinds)), strict=True)

    def __len__(self):
        return len(self.names)

    def column(self, name):
        return np.array(self.names, object)

    def labels_class(self):
        return np.zeros(len(self), int)

    def of_frames(self, name):
        return np.array(self.who, object)


@pytest.fixture(scope="module")
def finished_once():
    rng = np.random.default_rng(0)
    words = lambda form, at: np.array([form.format(k) for k in at], object)  # noqa: E731
    trained = [words("{:016}:0", range(9)), words("c{}", range(9)), words("p{}", range(9)), words("split", range(9))]
    about = [words(form, range(20, 29)) for form in ("{:016}:0", "c{}", "p{}", "p{}", "test", "split")]
    scores = rng.dirichlet([1, 1], 9).astype(np.float32)
    whole = predictions.Predictions(
        *about,
        {"target": np.zeros(9, np.int32), "scores": scores, "majority": np.zeros(9, np.int32)},
        Table.class_names,
        predictions.Training(*trained),
    )
    return whole, lambda kinds: Table(whole, kinds)


def test_training_data_is_refused_and_a_store_partly_known_is_scored_on_what_is_new(finished, tmp_path, capsys):
    path, _, _ = finished
    request = Request(inputs=(str(path),), out=str(tmp_path / "report"), device="cpu")
    for k, (what, more) in enumerate(
        [("files", {"offset": 50}), ("patients", {"first": 30, "patients": [f"p{k}" for k in range(8)]})]
    ):
        train = _store(tmp_path / f"train{k}.h5", ("dark", "light"), **more)
        with pytest.raises(RequestError, match=f"of 24 labelled frames 24 of its {what}"):
            run(Config(store=tuple(train.paths), bootstrap=20), request)
    train = _store(tmp_path / "train.h5", ("dark", "light"))
    with pytest.raises(RequestError, match="24 that it was trained or scored on; give"):
        run(Config(store=tuple(train.paths), bootstrap=20), request)
    mixed = _store(tmp_path / "mixed.h5", ("dark", "light"), first=4, clips=20)
    summary = run(Config(store=tuple(mixed.paths), bootstrap=20), request)
    assert (summary["runs"][0]["cases"], summary["runs"][0]["patients"]) == (36, 12)
    said = "scored 36 of 60 labelled frames of the store given with --in; left out: 24 that it was trained or scored on"
    assert said in capsys.readouterr().err
    assert any(said in note for note in json.loads((tmp_path / "report" / "report.json").read_text())["notes"])


@pytest.mark.parametrize("kind", ["frame_id", "source", "patient"])
def test_scored_frames_that_their_own_fold_was_trained_on_are_no_evidence(finished, tmp_path, kind, capsys):
    path, _, held = finished
    column = getattr(held.training, kind).copy()
    column[:3] = getattr(held, kind)[:3]
    if kind == "source":  # the same clip of an unknown patient
        held = replace(held, patient=np.full(len(held), "", object))
    predictions.write(path / predictions.FILE, replace(held, training=replace(held.training, **{kind: column})))
    request = Request(inputs=(str(path),), out=str(tmp_path / "report"), device="cpu")
    if kind == "frame_id":
        with pytest.raises(RequestError, match="3 of its 12 scored frames are also in the training"):
            run(Config(bootstrap=20), request)
        return
    assert run(Config(bootstrap=20), request)["leaks"] == 3
    assert "too optimistic: 3 of 12 scored frames are of" in capsys.readouterr().err


def test_predictions_without_training_rows_are_read_and_it_is_said(finished, tmp_path, capsys):
    path, _, held = finished
    predictions.write(path / predictions.FILE, replace(held, training=None))
    other = _store(tmp_path / "other.h5", ("dark", "light"), first=50)
    request = Request(inputs=(str(path),), out=str(tmp_path / "report"), device="cpu")
    run(Config(store=tuple(other.paths), bootstrap=20), request)
    err = capsys.readouterr().err
    assert "do not hold the frames that it was trained on" in err
    assert "never seen" not in err


def test_what_cannot_be_scored_is_refused(finished, tmp_path):
    path, _, held = finished
    with pytest.raises(RequestError, match="none of its classes"):
        external.predict(TASKS["classify"], path, held, _store(tmp_path / "x.h5", ("a", "b"), first=90), "cpu")
    other = _store(tmp_path / "other.h5", ("dark", "light"), first=50)
    (path / "recipe.toml").write_text(to_toml({"finetune": {"encoder": "random:vit_nano_patch8_64", "pool": "mean"}}))
    with pytest.raises(RequestError, match="no longer the encoder"):
        external.predict(TASKS["classify"], path, held, other, "cpu")
    (path / "probe.npz").unlink()
    with pytest.raises(RequestError, match="kept no probe"):
        external.predict(TASKS["classify"], path, held, other, "cpu")


@pytest.mark.parametrize("kept, asked, used", [
    (None, "auto", "letterbox"), ("stretch", "auto", "stretch"), ("stretch", "letterbox", "letterbox"),
])  # fmt: skip
def test_new_frames_fit_the_square_as_the_runs_own_did(finished, tmp_path, capsys, monkeypatch, kept, asked, used):
    path, _, held = finished
    card = json.loads((path / "card.json").read_text())
    card["encoder"].pop("resize")
    card["encoder"] |= {} if kept is None else {"resize": kept}
    (path / "card.json").write_text(json.dumps(card))
    seen, load = [], embedders.load
    monkeypatch.setattr(embedders, "load", lambda *args, **more: seen.append(more["resize"]) or load(*args, **more))
    external.predict(
        TASKS["classify"], path, held, _store(tmp_path / "other.h5", ("dark", "light"), first=50), "cpu", None, asked
    )
    assert seen == [used]
    assert ("was made with frames that were stretched" in capsys.readouterr().err) == (
        used != kept and kept is not None
    )


def test_perturbed_frames_are_scored_by_the_probe_of_their_fold_and_set_beside_the_clean_ones(finished, tmp_path):
    path, store, held = finished
    task, vectors = TASKS["classify"], embedders.load(NANO, device="cpu").embed(store.frames(range(24, 36)))
    held = held.with_arrays(**task.again(directory.probes_of(path, 2), vectors, 2))
    predictions.write(path / predictions.FILE, held)
    asked = Config(store=tuple(store.paths), bootstrap=50, perturb="gain=0,gain=-60")
    run(asked, Request(inputs=(str(path),), out=str(tmp_path / "report"), device="cpu"))
    report = json.loads((tmp_path / "report" / "report.json").read_text())
    (found,) = report["robustness"]
    same, black = found["steps"]
    assert [step["strength"] for step in found["steps"]] == [0, -60]
    for name, estimate in found["clean"].items():
        assert same["metrics"][name]["value"] == pytest.approx(estimate["value"], abs=1e-4)
        assert same["change"][name]["value"] == pytest.approx(0, abs=1e-4), name
    # A black picture says nothing: one class is always said.
    assert black["metrics"]["balanced_accuracy"]["value"] == pytest.approx(0.5)
    change = black["metrics"]["accuracy"]["value"] - found["clean"]["accuracy"]["value"]
    assert black["change"]["accuracy"]["value"] == pytest.approx(change, abs=1e-5)
