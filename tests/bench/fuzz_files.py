"""Spoil checkpoints, run directories and text files, give them to the commands that read them, count what must not be.

    python tests/bench/fuzz_files.py --files 500 --texts 300 --seed 1 --work FOLDER

One spoilt file and one command a trial, in a forked child with a limit of time and memory; the faults are those of
`fuzz.py`. A change that is accepted counts where a digest or a checksum covers the file: the encoder, model and state
of our checkpoints, the cards, predictions, probes and recipes of runs, tables of vectors, zips of `torch.save`. Nobody
can know of a change in a file without any: plain safetensors, torch's older format. A pretraining's
`recipe.toml`, `metrics.jsonl` and figures are for people: nothing is computed from them.
"""

import argparse
import collections
import contextlib
import io
import json
import os
import shutil
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import file_attacks as attacks
import fuzz
import numpy as np
from fuzz_stores import contents, in_process, make_stores


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

MEANT = ("card_edit", "saved_edit", "tensors_edit")
"""Attacks that leave a file whole and sealed, or without a digest: what it holds then is what somebody wants."""

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


class Bench:
    """A folder with good inputs, and slots for the children that run side by side.

    Args:
        folder: made anew.
        subjects: FILES or TEXTS.
    """

    def __init__(self, folder: Path, subjects: dict[str, Subject]):
        shutil.rmtree(folder, ignore_errors=True)
        (folder / "good").mkdir(parents=True)
        self.folder, self.good, self.subjects = folder, folder / "good", subjects
        self.stores = make_stores(folder)
        (files if subjects is FILES else texts)(self)
        self.ways = [(name, command) for name, one in subjects.items() for command in one.commands]
        self.wanted = {}
        for way in self.ways:
            outcome = self.run(*way, "", 0)
            if outcome.code:
                raise SystemExit(f"{way} on what is whole: exit {outcome.code}: {outcome.said}")
            self.wanted[way] = outcome.result

    def call(self, *arguments: str) -> None:
        """One command in this process, to make what is good."""
        from usfm.cli.main import main

        said = io.StringIO()
        with in_process(), contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(said):
            try:
                main([self.fill(one, self.good) for one in arguments])
            except SystemExit as end:
                if end.code:
                    raise RuntimeError(f"{arguments}: {said.getvalue()}") from None

    def fill(self, argument: str, subject: Path) -> str:
        """An argument with its places filled in."""
        places = {"IN": subject, "STORE": self.stores["raw"], "SECTOR": self.stores["sector"],
                  "OTHER": self.good / "other.h5", "RECIPE": self.good / "tiny.toml", "MEDIA": self.good / "media",
                  "MAPPED": self.good / "mapped.h5", "COLLECTION": subject.parent.parent / "collection"}  # fmt: skip
        kind, _, rest = argument.rpartition(":")
        return (
            f"{kind}:{places[rest]}"
            if kind and rest in places
            else str(places.get(argument, argument)).replace("OUT", "out")
        )

    def run(
        self, name: str, command: str, spoilt: str, slot: int, draw: np.random.Generator | None = None
    ) -> fuzz.Outcome:
        """One command on one subject, of which one file is spoilt, in a child."""
        folder = self.folder / f"slot{slot}"
        shutil.rmtree(folder, ignore_errors=True)
        (folder / "at").mkdir(parents=True)
        at = folder / name
        if name == "truth.json":
            shutil.copytree(self.good / "collection", folder / "collection", copy_function=os.link)
            shutil.copytree(self.good / "collection.truth", folder / "collection.truth")
            at = folder / "collection.truth" / name
        elif (self.good / name).is_dir():
            shutil.copytree(self.good / name, at)
        else:
            shutil.copyfile(self.good / name, at)
        self.how = ""
        if draw is not None:
            self.how = attacks.spoil(at / spoilt if spoilt else at, self.subjects[name].files[spoilt], draw)
        arguments = tuple(self.fill(one, at) for one in self.subjects[name].commands[command])
        started = time.monotonic()
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if not pid:
            fuzz._child(fuzz.Command(arguments, ""), at, folder)
        code = fuzz._wait(pid, started)
        said = (folder / "said").read_text(errors="replace") if (folder / "said").exists() else ""
        result = _result(command, folder, at) if code == 0 else ""
        left = [one.name for one in folder.iterdir() if one.name.startswith("out") and not one.name.endswith(".parts")]
        return fuzz.Outcome(code, said, time.monotonic() - started, result, left if code else [])


def _result(command: str, folder: Path, at: Path) -> object:
    """What a command made, but for what may differ between two runs."""
    from safetensors.torch import load_file

    try:
        if command in ("embed", "random"):
            return _columns(folder / "out")
        if command in ("finetune", "vectors"):
            return _columns(folder / "out" / "predictions.h5")
        if command in ("eval", "external"):
            return (folder / "out" / "report.csv").read_text()
        if command == "timm":
            return {k: v.numpy().tobytes() for k, v in load_file(folder / "out.safetensors").items()}
        if command in ("init", "resume"):
            run = at if command == "resume" else folder / "out"
            return {k: v.numpy().tobytes() for k, v in load_file(run / "last" / "model.safetensors").items()}
        return (folder / "answer").read_text().replace(str(folder), "") if command == "info" else ""
    except Exception as error:
        return f"{type(error).__name__}: {error}"


def _columns(table: Path) -> dict:
    return {name: value for name, value in contents(table).items() if not name.endswith("@") and name != "@history"}


def trial(bench: Bench, number: int, seed: int, slot: int) -> list[str]:
    """One spoilt file for one command; returns what must not be."""
    name, command = bench.ways[number % len(bench.ways)]
    subject, draw = bench.subjects[name], np.random.default_rng([seed, number])
    names = list(subject.files)
    spoilt = names[int(draw.integers(len(names)))] if draw.random() < 0.6 else names[0]
    outcome, found = bench.run(name, command, spoilt, slot, draw), []
    if outcome.code == -signal.SIGKILL and outcome.seconds >= fuzz.LIMIT_S:
        found.append("hang")
    elif outcome.code < 0:
        found.append("crash")
    elif outcome.code not in (0, 2):
        found.append("wrong exit")
    if "Traceback" in outcome.said:
        found.append("traceback")
    sentences = [line for line in outcome.said.splitlines() if line.startswith("usfm: ")]
    if outcome.code > 0 and len(sentences) != 1:
        found.append("no sentence")
    covered = any(Path(spoilt or "a").match(one or "a") for one in subject.covered)
    covered = covered and bench.how not in MEANT and not _unsealed(bench.folder / f"slot{slot}" / name / spoilt)
    if outcome.code == 0 and covered and outcome.result != bench.wanted[name, command]:
        found.append("accepted change")
    if outcome.left:
        found.append("left behind")
    did = f"exit {outcome.code} in {outcome.seconds:.1f} s: {' '.join(outcome.said.split())[-400:]}"
    return [f"{fault}: {command} of {name}/{spoilt} ({bench.how}): {did}" for fault in found]


def _unsealed(path: Path) -> bool:
    """Whether a file or its digest is gone, so that a run or a file reads as one of an earlier version."""
    if not path.is_file():  # gone, a folder, a pipe
        return True
    try:
        data = path.read_bytes()
        if path.suffix == ".safetensors":
            length = int.from_bytes(data[:8], "little")
            return "digest" not in json.loads(data[8 : 8 + length])["__metadata__"]
        return path.name == "card.json" and "digest" not in json.loads(data)
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return False


# ---------------------------------------------------------------- what is good


def files(bench: Bench) -> None:
    """Make the runs and weight files that are spoilt."""
    import torch
    from safetensors.torch import load_file, save_file

    from usfm.engine.step import Loop
    from usfm.pretrain import recipe

    good = bench.good
    changes = ("steps=4", "saves=2", "checks=1", "batch_size=4", "held_out=0.0", "model.name=vit_nano_patch16_64",
               "image_size=32", "decoder.width=32", "decoder.depth=1", "decoder.heads=2")  # fmt: skip
    from usfm.config import to_toml

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
    torch.save({"model": weights}, good / "zip.pth")
    torch.save({"model": weights}, good / "older.bin", _use_new_zipfile_serialization=False)
    save_file(weights, good / "plain.safetensors")


def texts(bench: Bench) -> None:
    """Make the text files that are spoilt, and what they are about."""
    from usfm.config import to_toml
    from usfm.pretrain import recipe

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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=500)
    parser.add_argument("--texts", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--work", type=Path, required=True)
    options = parser.parse_args()
    fuzz.preload()
    import usfm.evaluate.run, usfm.extract.run, usfm.inspect.export, usfm.simulate.run  # noqa: E401, F401, I001

    wrong: list[str] = []
    for name, subjects, trials in (("files", FILES, options.files), ("texts", TEXTS, options.texts)):
        if not trials:
            continue
        started = time.monotonic()
        bench = Bench(options.work.resolve() / name, subjects)
        fuzz.TARGETS[name] = trial
        wrong += fuzz.many(bench, name, trials, options.seed, options.jobs)
        print(f"{name}: {trials} trials over {len(bench.ways)} uses, {time.monotonic() - started:.0f} s", flush=True)
    count = collections.Counter(one.split(": ", 2)[1] for one in wrong)
    for fault in fuzz.FAULTS:
        print(f"{fault:16} {count[fault]}")
    print(f"seed {options.seed}: {len(wrong)} wrong")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
