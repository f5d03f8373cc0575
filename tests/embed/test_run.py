import csv
import sys

import numpy as np
import pytest

from usfm.config import Request
from usfm.embed.config import Config
from usfm.embed.run import run
from usfm.errors import RequestError
from usfm.model import embedders
from usfm.store import tables
from usfm.store.assemble import assemble
from usfm.store.reader import Store
from usfm.store.writer import PartWriter

NANO = "random:vit_nano_patch16_64"


@pytest.fixture
def store(tmp_path):
    rng, part = np.random.default_rng(0), PartWriter()
    for k in range(3):
        source = part.source(path=f"c{k}.mp4", sha256=f"{k}" * 64, kind="video", patient=f"p{k}")
        for f in range(4):
            shape = (30 + 10 * k, 40, 3) if k == 2 else (30 + 10 * k, 40)
            pixels = rng.integers(0, 255, shape).astype(np.uint8)
            part.frame(pixels, frame_id=f"{k}:{f}", source=source, index=f, time_s=f / 3)
    (tmp_path / "part").write_bytes(part.to_bytes())
    assemble(tmp_path / "s.h5", [("part", tmp_path / "part")], step={"command": "test"})
    (tmp_path / "part").unlink()
    return Store.open(tmp_path / "s.h5")


def _request(store, out, **more):
    return Request(inputs=tuple(store.paths), out=str(out), workers=1, device="cpu", **more)


def test_vectors_are_those_of_the_encoder_for_any_batch_size(store, tmp_path):
    expected = embedders.load(NANO, device="cpu").embed(store.frames(range(12)))
    for size in (1, 5, 64):
        summary = run(Config(NANO, batch_size=size), _request(store, tmp_path / f"f{size}.h5"))
        columns, attributes = tables.read(tmp_path / f"f{size}.h5", embedders.FEATURES_FORMAT)
        assert np.abs(columns["vectors"] - expected).max() < 1e-5
    assert (summary["frames_out"], summary["sources"], summary["dim"]) == (12, 3, 64)
    assert list(columns["frame_id"]) == list(store.column("frame_id"))
    assert list(columns["patient"][::4]) == ["p0", "p1", "p2"]
    assert list(columns["source"][::4]) == ["c0.mp4", "c1.mp4", "c2.mp4"]
    assert attributes["encoder"]["kind"] == "random"
    assert attributes["store"] == store.content_id


def test_vectors_read_back_through_their_own_spec(store, tmp_path):
    run(Config(NANO), _request(store, tmp_path / "f.h5"))
    back = embedders.load(f"vectors:{tmp_path / 'f.h5'}").lookup(store.column("frame_id")[[7, 0]].tolist())
    assert np.array_equal(back, tables.read(tmp_path / "f.h5", embedders.FEATURES_FORMAT)[0]["vectors"][[7, 0]])


def test_the_same_is_up_to_date_another_needs_overwrite(store, tmp_path, capsys):
    out = tmp_path / "f.h5"
    run(Config(NANO), _request(store, out))
    run(Config(NANO, batch_size=2), _request(store, out))
    assert "up to date" in capsys.readouterr().err
    with pytest.raises(RequestError, match="--overwrite"):
        run(Config(NANO, pool="cls"), _request(store, out))
    run(Config(NANO, pool="cls"), _request(store, out, overwrite=True))


def test_other_peoples_files_are_never_replaced(store, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(RequestError, match="not made by this command"):
        run(Config(NANO), _request(store, tmp_path / "notes.txt", overwrite=True))
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_a_dry_run_and_wrong_requests_touch_nothing(store, tmp_path):
    before = sorted(tmp_path.rglob("*"))
    assert run(Config(NANO), _request(store, tmp_path / "x" / "f.h5", dry_run=True))["dry_run"]
    for config, out, says in (
        (Config(""), tmp_path / "f.h5", "give an encoder"),
        (Config(NANO), tmp_path, "is a folder"),
        (Config("none"), tmp_path / "f.h5", "no such run"),
    ):
        with pytest.raises(RequestError, match=says):
            run(config, _request(store, out))
    assert sorted(tmp_path.rglob("*")) == before


def test_how_a_frame_fits_the_square_is_told_and_another_way_is_another_result(store, tmp_path):
    for how in ("auto", "letterbox", "stretch"):
        run(Config(NANO, resize=how), _request(store, tmp_path / f"{how}.h5"))
    made = {how: tables.read(tmp_path / f"{how}.h5", embedders.FEATURES_FORMAT) for how in ("letterbox", "stretch")}
    expected = embedders.load(NANO, device="cpu", resize="stretch").embed(store.frames(range(12)))
    assert np.abs(made["stretch"][0]["vectors"] - expected).max() < 1e-5
    assert np.abs(made["letterbox"][0]["vectors"] - expected).max() > 1e-3
    assert [made[how][1]["encoder"]["resize"] for how in made] == ["letterbox", "stretch"]
    run(Config(NANO, resize="letterbox"), _request(store, tmp_path / "auto.h5"))  # the same, so it is up to date
    with pytest.raises(RequestError, match="--overwrite"):
        run(Config(NANO, resize="stretch"), _request(store, tmp_path / "auto.h5"))


def read_table(path):
    """The columns of a table as other programs read them."""
    if path.suffix == ".csv":
        lines = list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))
        vectors = np.array([[row[f"v{n}"] for n in range(64)] for row in lines], np.float32)
        return {name: [row[name] for row in lines] for name in ("frame_id", "label", "path")} | {"vectors": vectors}
    if path.suffix == ".npz":
        return dict(np.load(path))  # without pickle
    pyarrow = pytest.importorskip("pyarrow.parquet")
    found = pyarrow.read_table(path).to_pydict()
    return found | {"vectors": np.array(found["vectors"], np.float32)}


@pytest.mark.parametrize("ending", ["csv", "npz", "parquet"])
def test_a_table_holds_the_same_vectors_in_the_same_order(store, tmp_path, ending):
    if ending == "parquet":
        pytest.importorskip("pyarrow")
    out = tmp_path / f"f.{ending}"
    run(Config(NANO), _request(store, tmp_path / "f.h5"))
    run(Config(NANO), _request(store, out))
    expected = tables.read(tmp_path / "f.h5", embedders.FEATURES_FORMAT)[0]
    found = read_table(out)
    assert list(found["frame_id"]) == list(expected["frame_id"])
    assert np.array_equal(found["vectors"], expected["vectors"]), "the digits of float32 come back"
    assert found["vectors"].dtype == np.float32
    assert list(found["path"]) == list(expected["source"])
    assert set(found["label"]) == {""}

    before = out.read_bytes()
    assert run(Config(NANO), _request(store, out))["up_to_date"]
    with pytest.raises(RequestError, match="--overwrite"):
        run(Config(NANO, pool="cls"), _request(store, out))
    out.write_bytes(before + b" ")  # the user's own now
    for overwrite in (False, True):
        with pytest.raises(RequestError, match="not made by this command"):
            run(Config(NANO), _request(store, out, overwrite=overwrite))


def test_names_of_tables_that_cannot_be(store, tmp_path, monkeypatch):
    with pytest.raises(RequestError, match="change one of them"):
        run(Config(NANO, format="npz"), _request(store, tmp_path / "f.csv"))
    (tmp_path / "f.csv.json").write_text("{}")
    with pytest.raises(RequestError, match="beside the table"):
        run(Config(NANO), _request(store, tmp_path / "f.csv"))
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(RequestError, match="tables"):
        run(Config(NANO), _request(store, tmp_path / "f.parquet"))


def test_a_dry_run_refuses_what_the_run_would_refuse(store, tmp_path):
    (tmp_path / "mine.h5").write_text("mine")
    with pytest.raises(RequestError, match="not made by this command"):
        run(Config(NANO), _request(store, tmp_path / "mine.h5", dry_run=True))
    assert run(Config(NANO), _request(store, tmp_path / "free.h5", dry_run=True))["dry_run"]
