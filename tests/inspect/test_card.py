"""Info counts labels of every kind, names conflicts, and writes a dataset card that says the same."""

import json

import numpy as np
import pytest

from usfm.config import Request
from usfm.errors import RequestError
from usfm.inspect.config import Config
from usfm.inspect.info import run
from usfm.store.assemble import assemble
from usfm.store.writer import PartWriter

SIZE = (40, 48)


@pytest.fixture
def store(tmp_path):
    """Six frames: two identical ones of different classes, two near-identical ones of different classes."""
    random = np.random.default_rng(0)
    part = PartWriter(class_names=("ill", "well"), box_names=("cyst", "node"), mask_names=("wall", "lumen"),
                      multi_names=("shadow",), score_runs={"risk": "r"})  # fmt: skip
    first, near = (random.integers(40, 200, SIZE).astype(np.uint8) for _ in range(2))
    others = [random.integers(0, 256, SIZE).astype(np.uint8) for _ in range(2)]
    frames = [first, first, near, near + np.uint8(random.random() > 2), *others]
    frames[3] = np.clip(frames[3].astype(int) + 1, 0, 255).astype(np.uint8)
    for n, (pixels, label) in enumerate(zip(frames, ("ill", "well", "ill", "well", "ill", None), strict=True)):
        sha = f"{n:02x}" * 32
        source = part.source(path=f"a|b/{n}.png", sha256=sha, kind="image", patient=f"p{n // 2}")
        mask = np.zeros(SIZE, np.uint8)
        mask[:4] = n
        boxes = ([[0, 0, 4, 4]] * n, [0, 1, 1][:n]) if n < 3 else None
        part.frame(pixels, frame_id=f"{sha[:16]}:0", source=source, index=0, time_s=np.nan, label=label,
                   split=("train", "test")[n % 2], mask=mask if n < 3 else None, boxes=boxes,
                   multi={"shadow": n % 2} if n < 3 else None, values={"ef": 10.0 * n} if n else None,
                   scores={"risk": 0.5} if n == 1 else None)  # fmt: skip
    (tmp_path / "part").write_bytes(part.to_bytes())
    assemble(tmp_path / "s.h5", [("part", tmp_path / "part")], step={"command": "extract", "options": {"fps": "3"}})
    return str(tmp_path / "s.h5")


def test_labels_are_counted_by_kind(store, capsys):
    found = run(Config(), Request(inputs=(store,)))["stores"][0]["labels"]
    kinds = found["by_kind"]
    assert kinds["class"]["ill"] == {"frames": 3, "sources": 3, "patients": 3, "splits": {"train": 3}}
    assert kinds["multi"] == {"shadow": {"yes": 1, "no": 2}}
    assert kinds["boxes"]["classes"] == {"cyst": {"boxes": 2, "frames": 2}, "node": {"boxes": 1, "frames": 1}}
    assert (kinds["boxes"]["frames"], kinds["boxes"]["frames_without_any"]) == (3, 1)
    assert kinds["values"] == {"ef": {"frames": 5, "least": 10.0, "median": 30.0, "most": 50.0}}
    assert kinds["masks"] == {"frames": 3, "kind": "index", "names": ["wall", "lumen"]}
    assert kinds["scores"] == {"risk": 1}
    assert found["conflicts"]["sets"] == 1
    assert found["conflicts"]["named"][0]["sources"] == ["a|b/0.png", "a|b/1.png"]
    said = capsys.readouterr().out
    for words in ("class of boxes", "structures of label masks", "1 sets of identical frames", "a|b/0.png: ill"):
        assert words in said


def test_the_card_says_the_same_under_the_usual_headings(store, tmp_path):
    summary = run(Config(report=str(tmp_path / "r")), Request(inputs=(store,)))
    assert summary["report"] == [str(tmp_path / "r" / name) for name in ("card.md", "card.json")]
    card = json.loads((tmp_path / "r" / "card.json").read_text())
    assert card["labels"]["masks"]["frames_of"] == {"wall": 1, "lumen": 1}
    assert card["composition"]["frames"] == 6
    near = card["problems"]["near_identical_frames_of_different_classes"]
    assert near["pairs"] == 2  # the identical ones and the near-identical ones
    assert sorted(near["named"][1]["sources"]) in (["a|b/0.png", "a|b/1.png"], ["a|b/2.png", "a|b/3.png"])
    text = (tmp_path / "r" / "card.md").read_text()
    for heading in ("Composition", "Labels", "Splits", "Collection and processing", "Known problems", "Personal data",
                    "Licence and citation", "Intended use"):  # fmt: skip
        assert f"## {heading}" in text
    assert "`usfm extract SRC --fps 3`" in text


def test_a_card_is_written_anew_and_a_strange_file_is_not(store, tmp_path):
    request = Request(inputs=(store,))
    run(Config(report=str(tmp_path / "r")), request)
    run(Config(report=str(tmp_path / "r")), request)
    (tmp_path / "r" / "card.md").write_text("# mine\n")
    with pytest.raises(RequestError, match="did not make it"):
        run(Config(report=str(tmp_path / "r")), request)
    with pytest.raises(RequestError, match="no folder"):
        run(Config(report=store), request)
