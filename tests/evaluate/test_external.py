import json

import numpy as np
import pytest

from usfm.config import Request, to_toml
from usfm.errors import RequestError
from usfm.evaluate import external
from usfm.evaluate.config import Config
from usfm.evaluate.run import run
from usfm.model import embedders
from usfm.store.assemble import assemble
from usfm.store.reader import Store
from usfm.store.schema import frame_id
from usfm.store.writer import PartWriter
from usfm.tasks import classify, predictions

NANO = "random:vit_nano_patch16_64"


def _store(path, names, first=0, clips=8):
    rng, part = np.random.default_rng(first), PartWriter(class_names=names)
    for k in range(clips):
        sha = f"{first + k:064x}"[::-1]
        source = part.source(path=f"c{first + k}.mp4", sha256=sha, kind="video", patient=f"p{first + k}")
        for f in range(3):
            pixels = np.clip(rng.normal(50 + 60 * (k % len(names)), 9, (20, 20)), 0, 255).astype(np.uint8)
            part.frame(pixels, frame_id=frame_id(sha, f), source=source, index=f, time_s=f / 3, label=k % len(names))
    (path.parent / "part").write_bytes(part.to_bytes())
    assemble(path, [("part", path.parent / "part")], step={"command": "test"})
    return Store.open(path)


@pytest.fixture
def finished(tmp_path, make_run):
    """A run as finetune leaves it, made by hand: rooms do not know each other, in tests neither."""
    store = _store(tmp_path / "own.h5", ("dark", "light"))
    embedder = embedders.load(NANO, device="cpu")
    x, y = embedder.embed(store.frames(range(24))), store.labels_class()
    fitted = classify.linear(x, y, store.column("source"), 2, 0, {})
    held = make_run(patients=8, frames=3).take(np.arange(24))
    held = predictions.Predictions(
        **{**vars(held), "frame_id": store.column("frame_id"), "class_names": ("dark", "light")}
    )
    path = tmp_path / "run"
    path.mkdir()
    predictions.write(path / predictions.FILE, held)
    np.savez(path / "probe.npz", **{f"{fold}.{name}": a for fold in "01" for name, a in fitted.arrays.items()})
    card = {"seed": 0, "encoder": {"name": "random", "dim": 64, **embedder.identity}}
    card |= {"counts": {"frames_per_class": {"dark": 12, "light": 12}}, "task": "classify", "protocol": "linear"}
    (path / "card.json").write_text(json.dumps(card))
    (path / "recipe.toml").write_text(to_toml({"finetune": {"encoder": NANO, "pool": "mean"}}))
    return path, store, held


def test_another_store_is_scored_by_class_name(finished, tmp_path, capsys):
    path, own, held = finished
    other = _store(tmp_path / "other.h5", ("light", "dark", "odd"), first=50, clips=9)
    assert external.unseen(held, other)
    assert not external.unseen(held, own)
    made = external.predict(path, held, other, "cpu")
    assert len(made) == 18
    assert set(made.fold) == {"external"}
    # "light" is drawn dark here and "dark" light: by name, a probe of brightness must be wrong everywhere
    assert (made.scores.argmax(1) != made.target).all()
    assert "left out: odd" in capsys.readouterr().err


def test_a_report_on_another_store(finished, tmp_path, capsys):
    path, _, _ = finished
    other = _store(tmp_path / "other.h5", ("dark", "light"), first=50)
    config = Config(store=tuple(other.paths), bootstrap=50)
    summary = run(config, Request(inputs=(str(path),), out=str(tmp_path / "report"), device="cpu"))
    assert summary["runs"][0]["accuracy"]["value"] == 1
    assert summary["runs"][0]["cases"] == 24
    assert "which it has never seen" in capsys.readouterr().err
    assert (tmp_path / "report" / "figures" / "run.surest.png").exists()


def test_what_cannot_be_scored_is_refused(finished, tmp_path):
    path, own, held = finished
    with pytest.raises(RequestError, match="none of its classes"):
        external.predict(path, held, _store(tmp_path / "x.h5", ("a", "b"), first=90), "cpu")
    other = _store(tmp_path / "other.h5", ("dark", "light"), first=50)
    (path / "recipe.toml").write_text(to_toml({"finetune": {"encoder": "random:vit_nano_patch8_64", "pool": "mean"}}))
    with pytest.raises(RequestError, match="no longer the encoder"):
        external.predict(path, held, other, "cpu")
    (path / "probe.npz").unlink()
    with pytest.raises(RequestError, match="kept no probe"):
        external.predict(path, held, other, "cpu")
    renamed = np.array([name.split(":")[0] + ":99" for name in held.frame_id], object)
    with pytest.raises(RequestError, match="with other frames"):
        external.unseen(predictions.Predictions(**{**vars(held), "frame_id": renamed}), own)
