"""How a row came about: what a card says, and blanks where it does not."""

import json

import pytest

from usfm.config import content_dict
from usfm.evaluate import how
from usfm.finetune.asked import fold_count, spelled
from usfm.finetune.config import Config

ABOUT = {
    "protocol": "linear",
    "seed": 3,
    "seconds": 12.4,
    "memory_bytes": 2_000_000_000,
    "encoder": {
        "name": "polar", "model": "vit_tiny", "image_size": [224, 224], "resize": "letterbox", "mean": [0.5, 0.5, 0.5],
        "std": [0.25, 0.25, 0.25], "pool": "mean", "norm": "before the pool", "weights_sha256": "sha256:" + "ab" * 32,
        "parameters": 5_500_000,
    },
    "settings": {"fraction": 0.2, "folds": "2"},
    "inputs": {"store": "sha256:" + "cd" * 32},
    "folds": [
        {"fold": "0", "train_frames": 80, "train_patients": 8}, {"fold": "1", "train_frames": 80, "train_patients": 9},
    ],
}  # fmt: skip


def test_a_card_fills_every_column():
    row = how.row(ABOUT)
    assert row == {
        "encoder": "polar, vit_tiny", "protocol": "linear", "px": "224", "resize": "letterbox", "mean_std": "0.5; 0.25",
        "pool": "mean", "norm": "before the pool", "tap": "last block", "precision": "fp32",
        "train": "80 frames, 8-9 patients", "held": "2 folds", "fraction": "0.2", "seed": "3", "seconds": "12",
        "memory_mb": "2,000", "parameters": "5,500,000", "weights": "ab" * 6, "store": "cd" * 6,
    }  # fmt: skip
    assert set(row) == set(how.HEADS)
    assert not how.lacking(ABOUT, row)
    more = how.row({**ABOUT, "parameters": 5_500_770, "trained_parameters": 770, "memory_of": "gpu"})
    assert more["parameters"] == "5,500,770 (770 trained)"
    assert more["memory_mb"] == "2,000 (GPU)"


@pytest.mark.parametrize(
    "asked, names, words",
    [
        ({"folds": "2"}, ["0", "1"], "2 folds"),
        ({}, ["0", "1", "2"], "3 folds"),
        ({}, ["split"], "the store's split"),
        ({"folds": "dataset"}, ["a", "b"], "each dataset left out in turn"),
        ({"splits": ("site",)}, ["a", "b"], "each site left out in turn"),
        ({"splits": ("split",)}, ["split"], "a given split"),
        ({"splits": ("lists/folds.json",)}, ["0", "1"], "2 given folds"),
        ({"splits": ("train.txt", "test.txt")}, ["split"], "a given split"),
    ],
)
def test_what_was_left_out_is_said_of_the_settings_that_finetune_keeps(asked, names, words):
    asked = spelled(Config(**asked))
    kept = json.loads(json.dumps(content_dict(asked) | {"folds": fold_count(asked)}))
    made = how.row({**ABOUT, "settings": kept, "folds": [{"fold": name} for name in names]})
    assert made["held"] == words


def test_every_dash_has_a_reason():
    old = {key: value for key, value in ABOUT.items() if key != "memory_bytes"}
    old["encoder"] = {key: value for key, value in ABOUT["encoder"].items() if key != "parameters"}
    (reason,) = how.lacking(old, how.row(old))
    assert "version" in reason
    assert how.lacking(old, how.row(old))[reason] == ("memory, MB", "parameters")
    vectors = {"protocol": "knn", "encoder": {"name": "v", "kind": "vectors"}, "seed": 0, "seconds": 1.0}
    assert "from a file" in next(iter(how.lacking(vectors, how.row(vectors))))
    for about in ({}, old, vectors, *STRANGE):
        row = how.row(about)
        said = [head for heads in how.lacking(about, row).values() for head in heads]
        assert sorted(said) == sorted(how.HEADS[key] for key in how.HEADS if not row[key])


STRANGE = [
    {},
    {"encoder": None},
    {"encoder": 3, "folds": "x", "settings": [], "inputs": 1},
    {"folds": [1], "settings": {"splits": 3, "folds": []}},
    {"seconds": "long", "encoder": {"mean": 0.5, "image_size": []}},
]


@pytest.mark.parametrize("about", STRANGE)
def test_what_a_card_does_not_say_is_blank(about):
    row = how.row(about)
    assert set(row) == set(how.HEADS)
    assert not any(row[key] for key in ("seconds", "px", "mean_std", "train", "store"))
