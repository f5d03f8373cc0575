"""What a run says of new frames, as labels of a new store and as tables."""

import csv
import json
import re
import shutil

import numpy as np
import pytest

from usfm.cli.main import main
from usfm.config import Request
from usfm.errors import RequestError
from usfm.predict.asked import folds_of
from usfm.predict.config import Config, check
from usfm.predict.run import run
from usfm.store.assemble import assemble
from usfm.store.reader import Store
from usfm.store.schema import frame_id
from usfm.store.writer import PartWriter
from usfm.tasks import predictions
from usfm.tasks.predictions import Predictions, Training

NANO = "random:vit_nano_patch16_64"
FRAMES = 3


def made(path, patients=12, first=0, labelled=True):
    """Clips of three frames, one a patient; brightness is the class and the number."""
    rng, part = np.random.default_rng(first), PartWriter(class_names=("be/nign", "cancer"))
    for k in range(patients):
        sha = f"{first + k:064x}"[::-1]
        source = part.source(path=f"c{first + k}.mp4", sha256=sha, kind="video", patient=f"p{first + k}")
        for f in range(FRAMES):
            pixels = rng.normal(60 + 50 * (k % 2), 20, (24, 24)).clip(0, 255).astype(np.uint8)
            split = "test" if k >= patients - 4 else "train"
            known = {"label": k % 2, "values": {"ef_percent": float(40 + 20 * (k % 2) + k)}, "split": split}
            part.frame(pixels, frame_id=frame_id(sha, f), source=source, index=f, time_s=f / 3,
                       **(known if labelled else {}))  # fmt: skip
    (path.parent / "part").write_bytes(part.to_bytes())
    assemble(path, [("part", path.parent / "part")], step={"command": "test"})
    return path


def usfm(*words):
    with pytest.raises(SystemExit) as end:
        main([*map(str, words)])
    return end.value.code or 0


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A labelled store, runs of it by its own split and by folds, of a class and of a number, and a new store."""
    at = tmp_path_factory.mktemp("runs")
    made(at / "own.h5")
    made(at / "new.h5", first=50, patients=5, labelled=False)
    fit = ["--in", at / "own.h5", "--encoder", NANO, "--device", "cpu", "-q", "--out"]
    assert usfm("finetune", "classify", *fit, at / "split") == 0
    assert usfm("finetune", "regress", "--target", "ef_percent", *fit, at / "number") == 0
    assert usfm("finetune", "classify", "--protocol", "knn", *fit, at / "knn") == 0
    assert usfm("finetune", "classify", "--folds", "3", *fit, at / "folds") == 0
    return at


def ask(folder, name, tmp_path, store="own.h5", prefix="", table=None, rank=None, **more):
    request = Request(inputs=(str(folder / store),), out=str(tmp_path / "said.h5"), workers=1, device="cpu", **more)
    return run(Config(run=str(folder / name), prefix=prefix, table=table, rank=rank), request)


@pytest.mark.parametrize("name, columns, array", [
    ("split", ["be_nign", "cancer"], "scores"), ("folds", ["be_nign", "cancer"], "scores"),
    ("number", ["ef_percent"], "said"),
])  # fmt: skip
def test_of_frames_that_a_run_has_held_out_it_says_the_same_again(folder, tmp_path, name, columns, array):
    summary = ask(folder, name, tmp_path)
    held, said = predictions.read(folder / name), Store.open(tmp_path / "said.h5")
    row = {one: k for k, one in enumerate(said.column("frame_id").tolist())}
    rows = [row[one] for one in held.frame_id.tolist()]
    found = np.stack([said.scores(column)[rows] for column in columns], axis=1)
    assert np.abs(found - held.arrays[array].reshape(found.shape)).max() < 1e-5 * max(1, np.abs(found).max())
    assert summary["trained_on"] == len(said) - len(rows)  # all others taught every fold
    assert sorted(said.score_names) == columns
    assert set(said.score_runs.values()) == {json.loads((folder / name / "card.json").read_text())["key"][:16]}


def test_all_else_of_the_store_stays(folder, tmp_path):
    ask(folder, "split", tmp_path)
    before, after = Store.open(folder / "own.h5"), Store.open(tmp_path / "said.h5")
    for column in ("frame_id", "digest", "source", "index", "time_s"):
        assert (before.column(column) == after.column(column)).all()
    assert (before.labels_class() == after.labels_class()).all()
    assert (before.values("ef_percent") == after.values("ef_percent")).all()
    assert (before.split() == after.split()).all()
    assert not before.score_names
    assert usfm("info", tmp_path / "said.h5", "--verify") == 0


def test_new_frames_get_the_mean_of_all_folds_and_tables_hold_frames_clips_and_patients(folder, tmp_path):
    summary = ask(folder, "folds", tmp_path, "new.h5", table=str(tmp_path / "t.csv"))
    assert (summary["trained_on"], summary["frames_in"], summary["frames_out"]) == (0, 15, 15)
    said = Store.open(tmp_path / "said.h5")
    frames, clips, patients = (
        list(csv.DictReader((tmp_path / name).read_text().splitlines()))
        for name in ("t.csv", "t.clips.csv", "t.patients.csv")
    )
    scores = np.stack([said.scores("be_nign"), said.scores("cancer")], axis=1)
    assert np.allclose(scores.sum(1), 1, atol=1e-5)
    assert [line["frame_id"] for line in frames] == said.column("frame_id").tolist()
    assert np.array_equal([np.float32(line["cancer"]) for line in frames], scores[:, 1])
    assert [line["predicted"] for line in frames] == [("be/nign", "cancer")[c] for c in scores.argmax(1)]
    means = scores.reshape(5, FRAMES, 2).mean(1)
    assert np.allclose([float(line["cancer"]) for line in clips], means[:, 1], atol=1e-6)
    assert {line["path"]: line["frames"] for line in clips} == {f"c{50 + k}.mp4": "3" for k in range(5)}
    by_name = {line["patient"]: float(line["cancer"]) for line in patients}
    assert np.allclose([by_name[f"p{50 + k}"] for k in range(5)], means[:, 1], atol=1e-6)


def test_a_second_run_is_up_to_date_and_only_what_changes_is_refused(folder, tmp_path):
    table = str(tmp_path / "t.csv")
    ask(folder, "split", tmp_path, "new.h5")
    before = (tmp_path / "said.h5").read_bytes()
    assert ask(folder, "split", tmp_path, "new.h5", table=table)["up_to_date"]  # the table is made all the same
    assert ask(folder, "split", tmp_path, "new.h5", table=table)["up_to_date"]
    assert (tmp_path / "said.h5").read_bytes() == before
    with pytest.raises(RequestError, match="made otherwise"):
        ask(folder, "folds", tmp_path, "new.h5")
    assert "up_to_date" not in ask(folder, "folds", tmp_path, "new.h5", table=table, overwrite=True)


@pytest.mark.parametrize("how", ["uncertainty", "diversity"])
def test_frames_that_nobody_has_labelled_get_a_rank(folder, tmp_path, how, capsys):
    ask(folder, "folds", tmp_path, "new.h5", table=str(tmp_path / "t.csv"), rank=how)
    ranks = Store.open(tmp_path / "said.h5").scores("rank")
    assert sorted(ranks) == list(range(1, 16))
    lines = list(csv.DictReader((tmp_path / "t.csv").read_text().splitlines()))
    assert [int(line["rank"]) for line in lines] == ranks.astype(int).tolist()
    assert "rank" not in (tmp_path / "t.clips.csv").read_text()
    if how == "diversity":
        assert "does not see" not in capsys.readouterr().err, "its vectors lie beside the run"
        shutil.copytree(folder / "folds", tmp_path / "folds")
        ask(tmp_path, "folds", tmp_path, folder / "new.h5", rank=how, overwrite=True)
        assert "does not see 36 frames that the run knows" in capsys.readouterr().err
        alone = Store.open(tmp_path / "said.h5").scores("rank")
        assert not np.array_equal(alone, ranks), "it starts from what it sees"
    with pytest.raises(RequestError, match="how sure it is of a number"):
        ask(folder, "number", tmp_path, "new.h5", rank="uncertainty", overwrite=True)


def test_the_page_counts_what_was_predicted_and_shows_who(folder, tmp_path):
    request = Request(inputs=(str(folder / "new.h5"),), out=str(tmp_path / "said.h5"), workers=1, device="cpu")
    run(Config(run=str(folder / "folds"), report=str(tmp_path / "page")), request)
    said, text = Store.open(tmp_path / "said.h5"), (tmp_path / "page" / "index.html").read_text()
    cancer = int((said.scores("cancer") > said.scores("be_nign")).sum())
    assert re.search(rf"<td[^>]*>cancer</td><td[^>]*>{cancer}</td>", text)
    assert all(f"<td>{name}</td>" in text for name in set(said.of_frames("patient")))
    assert "<h2>Least sure</h2>" in text
    clips = text.partition("<h2>Clips</h2>")[2]
    assert all(f"<td>{name}</td>" in clips for name in set(said.of_frames("path")))
    assert ("calibrated:" in text) == any("calibrated:" in name for name in said.score_names)
    assert "nobody has checked them" in text
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "index.html").write_text("mine")
    with pytest.raises(RequestError, match="did not make"):
        run(Config(run=str(folder / "folds"), report=str(tmp_path / "mine")), request)


def test_a_dry_run_writes_nothing(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "there")
    before = sorted(tmp_path.rglob("*"))
    assert ask(tmp_path / "there", "split", tmp_path, "new.h5", table=str(tmp_path / "t.csv"), dry_run=True)["dry_run"]
    assert sorted(tmp_path.rglob("*")) == before


def test_two_runs_stand_beside_one_another_under_other_names(folder, tmp_path):
    ask(folder, "split", tmp_path)
    (tmp_path / "said.h5").rename(tmp_path / "one.h5")
    with pytest.raises(RequestError, match="'be_nign' already; give other names with --prefix"):
        ask(tmp_path, folder / "folds", tmp_path, "one.h5")
    ask(tmp_path, folder / "folds", tmp_path, "one.h5", prefix="folds:")
    assert Store.open(tmp_path / "said.h5").score_names == ["be_nign", "cancer", "folds:be_nign", "folds:cancer"]


def test_mistakes_are_one_sentence_and_leave_nothing(folder, tmp_path):
    for name, words in (("none", "no such run"), ("knn", "neither a probe"), ("own.h5", "own.h5")):
        with pytest.raises(RequestError, match=words):
            ask(folder, name, tmp_path, "new.h5")
    with pytest.raises(RequestError):
        ask(folder, "split", tmp_path, "split/card.json")
    (tmp_path / "t.csv").write_text("mine\n")
    for overwrite in (False, True):
        with pytest.raises(RequestError, match=r"t\.csv: exists"):
            ask(folder, "split", tmp_path, "new.h5", table=str(tmp_path / "t.csv"), overwrite=overwrite)
    for wrong in (Config(), Config(run="r", table="t.txt"), Config(run="r", prefix="a/b")):
        with pytest.raises(RequestError):
            check(wrong)
    assert [path.name for path in tmp_path.iterdir()] == ["t.csv"]


def test_no_fold_is_asked_about_what_it_was_taught_where_another_can_be():
    words = np.array(["a:0", "b:0", "a:0", "c:0"], object)
    who = np.array(["p", "q", "p", ""], object)
    training = Training(words, words, who, np.array(["0", "0", "1", "1"], object))
    one = np.array(["d:0"], object)
    seen = Predictions(one, one, one, one, np.array(["test"], object), np.array(["1"], object), {}, training=training)
    names = ["d:0", "d:1", "b:5", "c:0", "a:1", "x:0", "y:0", "z:0"]
    patients = ["p", "", "", "", "", "q", "p", ""]
    asked = folds_of(seen, ["0", "1"], np.array(names, object), np.array(patients, object))
    assert asked == [("1",), ("0", "1"), ("1",), ("0",), (), ("1",), (), ("0", "1")]
