"""What `fuzz_files.py` spoils: checkpoints, run directories and text files, how they are made, what reads them."""

import json
import os
import shutil
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

import file_attacks as attacks
import numpy as np


@dataclass(frozen=True)
class Subject:
    """Something that is spoilt.

    Attributes:
        files: patterns of the files in it that are spoilt, and how.
        commands: that read it: IN stands for it, OUT for an output, STORE and SECTOR for good stores.
        covered: patterns of files whose every change must be found.
    """

    files: dict[str, tuple[attacks.Attack, ...]]
    commands: dict[str, tuple[str, ...]]
    covered: tuple[str, ...] = ()


_HEADER = (*attacks.BYTES, *[attacks.header_edit] * 4, *[attacks.tensors_edit] * 3)
_SAVED = (*attacks.BYTES, *[attacks.saved_edit] * 6)
_JSON = (*attacks.BYTES, *[attacks.json_edit] * 6)
_CARD = (*_JSON, *[attacks.card_edit] * 6)
_TOML = (*attacks.BYTES, *[attacks.line_edit] * 6)
_ON_CPU = ("--device", "cpu")
_ENCODED = {
    "embed": ("embed", "--in", "SECTOR", "--encoder", "IN", *_ON_CPU, "--out", "OUT"),
    "random": ("embed", "--in", "SECTOR", "--encoder", "random:IN", *_ON_CPU, "--out", "OUT"),
    "finetune": ("finetune", "classify", "--in", "SECTOR", "--encoder", "IN", "--folds", "2", *_ON_CPU, "--out", "OUT"),
    "dedup": ("dedup", "--in", "STORE", "--embedder", "IN", *_ON_CPU, "--out", "OUT"),
    "timm": ("export", "IN", "--to", "timm", "--out", "OUT.safetensors"),
    "mae": ("export", "IN", "--to", "mae", "--out", "OUT.pth"),
    "init": ("pretrain", "--in", "SECTOR", "--init", "IN", "--recipe", "RECIPE", *_ON_CPU, "--out", "OUT"),
}
FAMILIES = {"dinov2": "?heads=2", "dinov3": "?heads=1", "usfm": "", "sam": ""}
"""Stand-ins for the files of others, and what a SPEC must tell of them."""

FILES = {
    "run": Subject(
        {"last/encoder.safetensors": _HEADER, "card.json": _CARD, "last/state.pt": _SAVED,
         "last/model.safetensors": _HEADER, "metrics.jsonl": (*attacks.BYTES, attacks.line_edit), "recipe.toml": _TOML},
        {**_ENCODED, "info": ("info", "IN")},
        ("*.safetensors", "card.json"),
    ),
    "stopped": Subject(
        {"last/state.pt": _SAVED, "last/model.safetensors": _HEADER, "card.json": _CARD,
         "metrics.jsonl": (*attacks.BYTES, attacks.line_edit), "recipe.toml": _TOML},
        {"resume": ("pretrain", "--in", "SECTOR", "--recipe", "RECIPE", *_ON_CPU, "--out", "IN")},
        ("last/*", "card.json"),
    ),
    "task": Subject(
        {"card.json": _CARD, "recipe.toml": _TOML, "predictions.h5": attacks.BYTES, "probe.npz": attacks.BYTES,
         "metrics.jsonl": attacks.BYTES},
        {"eval": ("eval", "IN", "--bootstrap", "20", "--format", "csv", "--out", "OUT"),
         "external": ("eval", "IN", "--in", "OTHER", "--bootstrap", "20", "--format", "csv", *_ON_CPU, "--out", "OUT"),
         "info": ("info", "IN"),
         "again": ("finetune", "classify", "--in", "SECTOR", "--encoder", "random", "--folds", "2", *_ON_CPU, "--out",
                   "IN")},
        ("card.json", "predictions.h5", "probe.npz", "recipe.toml"),
    ),
    "zip.pth": Subject({"": _SAVED}, _ENCODED, ("",)),
    "older.bin": Subject({"": _SAVED}, _ENCODED),
    "plain.safetensors": Subject({"": _HEADER}, _ENCODED),
    **{
        f"{family}.pth": Subject(
            {"": _SAVED},
            {family: ("embed", "--in", "SECTOR", "--encoder", f"IN{told}", *_ON_CPU, "--out", "OUT")},
            ("",),
        )
        for family, told in FAMILIES.items()
    },
    "vectors.h5": Subject(
        {"": attacks.BYTES},
        {"vectors": ("finetune", "classify", "--in", "SECTOR", "--encoder", "vectors:IN", "--folds", "2", "--out",
                     "OUT")},
        ("",),
    ),
}  # fmt: skip

TEXTS = {
    "manifest.csv": Subject(
        {"": (*attacks.BYTES, *[attacks.cell_edit] * 8)},
        {"extract": ("extract", "MEDIA", "--manifest", "IN", "--out", "OUT")},
    ),
    "settings.toml": Subject(
        {"": _TOML},
        {"clean": ("clean", "--config", "IN", "--in", "STORE", "--out", "OUT"),
         "sector": ("sector", "--config", "IN", "--in", "STORE", "--out", "OUT"),
         "pretrain": ("pretrain", "--config", "IN", "--in", "SECTOR", *_ON_CPU, "--dry-run", "--out", "OUT")},
    ),
    "recipe.toml": Subject(
        {"": _TOML},
        {"recipe": ("pretrain", "--in", "SECTOR", "--recipe", "IN", *_ON_CPU, "--dry-run", "--out", "OUT")},
    ),
    "corrections.json": Subject(
        {"": _JSON},
        {"sector": ("sector", "--in", "STORE", "--corrections", "IN", "--size", "32", "--patch", "8", "--out", "OUT")},
    ),
    "map.json": Subject({"": _JSON}, {"names": ("info", "MAPPED", "--path-map", "IN")}),
    "truth.json": Subject(
        {"": _JSON}, {"simulate": ("simulate", "--clips", "1", "--stills", "0", "--seed", "3", "--out", "COLLECTION")}
    ),
}  # fmt: skip

SETTINGS = """[clean]
text = "none"
[sector]
size = 32
patch = 8
[pretrain]
recipe = "debug"
batch-size = 4
set = ["run.steps=4", "model.name=vit_nano_patch16_64"]
"""


# ---------------------------------------------------------------- what is good


def files(bench) -> None:
    """Make the runs and weight files that are spoilt."""
    import torch
    from safetensors.torch import load_file, save_file

    from usfm.engine.step import Loop
    from usfm.pretrain import recipe

    good = bench.good
    changes = ("steps=4", "saves=2", "checks=1", "batch_size=4", "held_out=0.0", "model.name=vit_nano_patch16_64",
               "image_size=32", "decoder.width=32", "decoder.depth=1", "decoder.heads=2")  # fmt: skip
    from usfm.toml import to_toml

    (good / "tiny.toml").write_text(to_toml(recipe.load("mae", changes).as_dict()))
    pretrain = ("pretrain", "--in", "SECTOR", "--recipe", "RECIPE", *_ON_CPU, "--out")
    bench.call(*pretrain, str(good / "run"))
    advance = Loop.advance

    def advance_and_stop(self, parts, clock):
        scalars = advance(self, parts, clock)
        if self.step == 2:
            os.kill(os.getpid(), signal.SIGTERM)
        return scalars

    Loop.advance = advance_and_stop
    try:
        bench.call(*pretrain, str(good / "stopped"))
    except RuntimeError:  # it says that it was stopped
        pass
    Loop.advance = advance
    bench.call(
        *(str(good / "task") if one == "OUT" else "random" if one == "IN" else one for one in _ENCODED["finetune"])
    )
    bench.call(
        *(str(good / "vectors.h5") if one == "OUT" else "random" if one == "IN" else one for one in _ENCODED["embed"])
    )
    pictures(good / "elsewhere")
    raw = str(good / "elsewhere.h5")
    bench.call("extract", str(good / "elsewhere"), "--manifest", str(good / "elsewhere.csv"), "--out", raw)
    bench.call("sector", "--in", raw, "--size", "32", "--patch", "8", "--out", str(good / "other.h5"))
    weights = load_file(good / "run" / "last" / "encoder.safetensors")
    sys.path.append(str(Path(__file__).parents[1] / "model"))
    from test_families import written

    for family in FAMILIES:
        written(good / f"{family}.pth", family)
    torch.save({"model": weights}, good / "zip.pth")
    torch.save({"model": weights}, good / "older.bin", _use_new_zipfile_serialization=False)
    save_file(weights, good / "plain.safetensors")


def texts(bench) -> None:
    """Make the text files that are spoilt, and what they are about."""
    from usfm.pretrain import recipe
    from usfm.toml import to_toml

    good = bench.good
    pictures(good / "media").rename(good / "manifest.csv")
    (good / "settings.toml").write_text(SETTINGS)
    (good / "recipe.toml").write_text(to_toml(recipe.load("debug", ("steps=4", "batch_size=4")).as_dict()))
    fan = {"shape": "convex", "apex_x_px": 30.0, "apex_y_px": -5.0, "radius_0_px": 10.0, "radius_1_px": 60.0,
           "angle_0_rad": -0.5, "angle_1_rad": 0.5}  # fmt: skip
    whole = {"00" * 8: {"box": [2, 3, 40, 41.5]}, "01" * 8 + "#0": {"polygon": [[1, 1], [50, 2], [30, 40]]},
             "1/clip0.mp4": {"geometry": fan}, "11" * 8: {"whole": True}}  # fmt: skip
    (good / "corrections.json").write_text(json.dumps(whole))
    bench.call("extract", "MEDIA", "--manifest", str(good / "manifest.csv"), "--path-map",
               str(good / "map.json"), "--out", str(good / "mapped.h5"))  # fmt: skip
    bench.call("simulate", "--clips", "1", "--stills", "0", "--seed", "3", "--out", str(good / "collection"))
    shutil.copyfile(good / "collection.truth" / "truth.json", good / "truth.json")


def pictures(folder: Path) -> Path:
    """Make a folder of pictures, and the manifest beside it."""
    from PIL import Image

    folder.mkdir()
    rows = ["path,patient,label,split,view"]
    for k in range(4):
        pixels = np.random.default_rng(k).integers(0, 255, (48, 56), np.uint8)
        Image.fromarray(pixels).save(folder / f"{k}.png")
        rows.append(f"{k}.png,q{k // 2},{('ill', 'healthy')[k % 2]},{('train', 'test')[k // 2]},axial")
    manifest = folder.with_suffix(".csv")
    manifest.write_text("\n".join(rows) + "\n")
    return manifest
